//! Which start of a machine this is, and whether it was shut down well since it was reached last.

use anyhow::{Context as _, Result};

use super::shim::{BOOT, Call};
use super::{Answer, Reply};
use crate::process::{Cmd, Runner};
use crate::state::Known;

/// A machine notes its start when its own programs begin, some time after the kernel's.
const BEGINS_LATE: u64 = 60;

/// A machine's present start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// As the system names it; empty where it does not.
    pub id: String,
    /// The machine.
    machine: String,
    /// When it was, seconds since 1970.
    since: Option<u64>,
    /// Starts and shutdowns that the system has noted: when, and was it a shutdown?
    noted: Vec<(u64, bool)>,
}

impl Start {
    /// For remembering it.
    #[must_use]
    pub fn known(&self) -> Known {
        Known { machine: self.machine.clone(), boot: self.id.clone(), since: self.since }
    }

    /// May what was written on this machine when it was reached last not be on its disk? `before` is the start that was met last by
    /// this name, `known` are the machines that were.
    #[must_use]
    pub fn may_have_lost(&self, before: &str, known: &[Known]) -> bool {
        if self.id == before {
            return false;
        }
        match known.iter().find(|known| known.machine == self.machine) {
            // Another machine of this name was reached in between.
            Some(known) if known.boot == self.id => false,
            Some(known) => !known.since.is_some_and(|since| self.was_shut_down_after(since)),
            None => true,
        }
    }

    /// Did the start that began then end with a shutdown? What the log of a later one says does not count, and where the log
    /// lacks something, that is no yes.
    fn was_shut_down_after(&self, since: u64) -> bool {
        let own = |(at, is_shutdown): &(u64, bool)| !is_shutdown && *at <= since + BEGINS_LATE;
        let later = self.noted.iter().filter(|(at, _)| *at > since).filter(|noted| !own(noted));
        later.min_by_key(|(at, _)| *at).is_some_and(|(_, is_shutdown)| *is_shutdown)
    }
}

/// The name of this computer's present start; empty where the system has none.
#[must_use]
pub fn id_here() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.unwrap_or_default().trim().to_owned()
}

/// This computer's.
///
/// # Errors
/// There is no shell.
pub fn here() -> Result<Start> {
    let cmd = Cmd::new("sh", "look when this computer was started").args(["-c", BOOT.line(), "sinc"]);
    let output = Runner::default().answer(&cmd)?;
    read(&Answer::new(output.code, &output.stdout, output.stderr))
}

/// That of the host which Mutagen wants to reach.
///
/// # Errors
/// It is not reached, or its answer is not understood.
pub fn there(call: &Call) -> Result<Start> {
    let output = Runner::default().answer(&call.ask(&BOOT)?)?;
    read(&Answer::new(output.code, &output.stdout, output.stderr))
}

fn read(answer: &Answer) -> Result<Start> {
    let reply = Reply::of(answer);
    let id = reply.get("boot").context("the answer does not tell when it was started")?.to_owned();
    let noted = |(key, value): (&str, &str)| {
        let is_shutdown = key == "shutdown";
        (is_shutdown || key == "reboot")
            .then(|| value.split(' ').find_map(seconds))
            .flatten()
            .map(|at| (at, is_shutdown))
    };
    Ok(Start {
        id,
        machine: reply.get("machine").unwrap_or_default().to_owned(),
        since: reply.get("since").and_then(|since| since.parse().ok()),
        noted: reply.lines().filter_map(noted).collect(),
    })
}

/// Seconds since 1970 of a time as `last --time-format iso` writes it: `2026-11-27T03:00:00+01:00`.
fn seconds(time: &str) -> Option<u64> {
    let (date, rest) = time.split_once('T')?;
    let (clock, zone) = rest.split_at_checked(8)?;
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let numbers: Option<Vec<i64>> = text.split(by).map(|part| part.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hours, minutes, seconds] = numbers(clock, ':')?;
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let zone: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let zone: i64 = zone.parse().ok().filter(|_| zone.len() == 4)?;
    let offset = sign * (zone / 100 * 3600 + zone % 100 * 60);
    // Days since 1970, with years that begin in March (H. Hinnant, days_from_civil).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year.rem_euclid(400);
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    u64::try_from(days * 86_400 + hours * 3600 + minutes * 60 + seconds - offset).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(lines: &str) -> Start {
        read(&Answer::new(0, format!("sinc-begin 1\n{lines}").as_bytes(), String::new())).unwrap()
    }

    #[test]
    fn times_are_read() {
        for (time, expected) in [
            ("1970-01-01T00:00:00+00:00", Some(0)),
            ("2026-11-27T03:00:05+00:00", Some(1_795_748_405)),
            ("2026-11-27T04:00:05+0100", Some(1_795_748_405)),
            ("2024-02-29T23:59:59-03:30", Some(1_709_263_799)),
            ("2026-11-27", None),
            ("Fri", None),
            ("2026-11-27T03:00:05Z", None),
            ("2026-11-27T03:00:05", None),
        ] {
            assert_eq!(seconds(time), expected, "{time}");
        }
    }

    /// What a Debian 12 says, started at 100000 s after 1970, with the lines of `last` (the newest first).
    fn debian(noted: &[(&str, u64)]) -> Start {
        let line = |(what, at): &(&str, u64)| {
            let (day, rest) = (at / 86_400, at % 86_400);
            format!(
                "{what} system xx   6.1.0-28-amd64 1970-01-{:02}T{:02}:{:02}:{:02}+00:00 - 1970-01-09T00:00:00+00:00  (00:10)\n",
                day + 1,
                rest / 3600,
                rest % 3600 / 60,
                rest % 60
            )
        };
        let lines: String = noted.iter().map(line).collect();
        start(&format!("boot new\nmachine m\nsince 100000\n{lines}"))
    }

    fn known(since: Option<u64>) -> Vec<Known> {
        vec![Known { machine: "m".to_owned(), boot: "old".to_owned(), since }]
    }

    #[test]
    fn only_a_shutdown_of_that_very_start_counts() {
        let now = ("reboot", 100_010);
        for (noted, lost, why) in [
            (&[now, ("shutdown", 99_000), ("reboot", 50_020)][..], false, "shut down well"),
            (&[now, ("reboot", 50_020)], true, "not shut down"),
            (&[now, ("reboot", 50_020), ("shutdown", 49_900)], true, "the one before was shut down"),
            (&[now, ("shutdown", 49_900)], true, "its own start is lost from the log"),
            (
                &[now, ("shutdown", 99_000), ("reboot", 70_000), ("reboot", 50_020)],
                true,
                "another one crashed after it",
            ),
            (
                &[now, ("reboot", 70_000), ("shutdown", 69_000), ("reboot", 50_020)],
                false,
                "a later one crashed",
            ),
            (&[("shutdown", 99_000)], false, "this start is not noted yet"),
            (&[], true, "no log"),
        ] {
            assert_eq!(debian(noted).may_have_lost("old", &known(Some(50_000))), lost, "{why}");
        }
        let well = debian(&[now, ("shutdown", 99_000)]);
        assert!(well.may_have_lost("old", &known(None)), "when it began is not known");
        assert!(!well.may_have_lost("new", &known(None)), "it is the same start");
    }

    #[test]
    fn each_of_several_machines_has_its_own_start() {
        let known = |machine: &str, boot: &str| Known {
            machine: machine.to_owned(),
            boot: boot.to_owned(),
            since: Some(1),
        };
        let all = [known("m", "new"), known("other", "theirs")];
        assert!(!debian(&[]).may_have_lost("theirs", &all), "the other one was reached in between");
        assert!(debian(&[]).may_have_lost("theirs", &all[1..]), "it was never reached before");
        assert!(debian(&[]).may_have_lost("mine", &[known("m", "mine")]));
    }

    #[test]
    fn this_computer_tells() {
        let here = here().unwrap();
        assert_eq!(here.id, id_here());
        #[cfg(target_os = "linux")]
        assert!(here.since.is_some_and(|since| since > 1_500_000_000), "{here:?}");
    }
}
