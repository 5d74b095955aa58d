//! What happens in the middle of the work: something breaks, or a person asks sinc for something. The seed chooses.

use std::time::Duration;

use fastrand::Rng;

use super::world::World;

/// How long the longest of the commands that are killed may have worked by then, ms.
const KILLED_WITHIN: u64 = 4000;

/// What a person asks for in the middle of it all, each in a way that asks nothing back.
const COMMANDS: [&[&str]; 18] = [
    &["pause"],
    &["resume"],
    &["resume"],
    &["resume", "--restore", "--yes"],
    &["resume", "--allow-deletions", "--yes"],
    &["flush", "--timeout", "5"],
    &["push", "--yes"],
    &["pull", "--yes"],
    &["resolve", "--all", "--local"],
    &["resolve", "--all", "--remote"],
    &["resolve", "--all", "--both"],
    &["resolve", "--all", "--merge"],
    &["conflicts"],
    &["backups", "restore", "a", "--yes"],
    &["backups", "restore", "dir", "--yes"],
    &["run", "--timeout", "10", "--", "true"],
    &["kill", "--yes"],
    &["--no-attach"],
];

/// One of them.
fn command(rng: &mut Rng) -> &'static [&'static str] {
    COMMANDS[rng.usize(..COMMANDS.len())]
}

/// Something happens; tells what.
pub(crate) fn happens(world: &mut World, rng: &mut Rng) -> String {
    match rng.u8(..25) {
        0 => world.kill("Mutagen's daemon", "mutagen daemon run"),
        1 => world.kill("Mutagen's agent", "mutagen-agent"),
        2 => world.kill_one("one ssh", "ssh ", rng),
        3 => world.kill("sinc in the background", "sinc "),
        4 | 5 => world.kill("the link", "link run"),
        6 => {
            let _ = world.bed.host.break_connections();
            "all connections break".to_owned()
        }
        7 => world.freeze("the line stands still", "sshd"),
        8 => {
            // Even ssh itself, which would notice a dead line: only time helps.
            let seconds = rng.u64(1..20);
            let said = world.freeze("the data's line stands still", "mutagen-agent synchronizer");
            world.thaw_after(Duration::from_secs(seconds));
            format!("{said} for {seconds} s")
        }
        9 => world.cut(),
        10..12 => world.heal(),
        12 => world.reboot(),
        13..19 => {
            let words = command(rng);
            let run = world.sinc(words);
            let said = run.stderr.lines().rfind(|line| !line.starts_with("hint")).unwrap_or_default();
            format!("sinc {}: {} {said}", words.join(" "), run.code)
        }
        19 => {
            let (one, other) = (command(rng), command(rng));
            world.start_beside(one);
            world.start_beside(other);
            format!("two sinc at once: {} and {}", one.join(" "), other.join(" "))
        }
        20 => {
            let (ended, again) = (world.sinc(&["kill", "--yes"]), world.sinc(&["--no-attach"]));
            format!("the session is ended ({}) and begun again ({})", ended.code, again.code)
        }
        _ => {
            let words = command(rng);
            world.start_beside(words);
            // Anywhere in its work: the seed chooses the moment.
            let after = rng.u64(..KILLED_WITHIN);
            let still = world.kill_beside(Duration::from_millis(after));
            let ended = if still { "is killed" } else { "ends before it would be killed" };
            format!("sinc {} {ended} after {after} ms", words.join(" "))
        }
    }
}
