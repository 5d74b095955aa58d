//! The work itself: one run on the host, watched from here. A lost line does not end it; it is watched again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::access::Access;
use super::answers::{is_run_id, plain};
use super::facts::NotUnderstood;
use super::mirror::Mirrors;
use super::plan::ComponentPlan;
use super::program::{Call, Program};
use super::records::Undo;
use super::target::Target;
use crate::process::interrupted;
use crate::remote::{RemoteError, Why};

/// How long a lost line is tried again.
const PATIENCE: Duration = Duration::from_secs(600);

/// Something that happened on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The run has this name.
    Run(String),
    /// Its output is in this file of the host.
    Log(String),
    /// Another run is going on, which is watched now.
    Busy(String),
    /// A step begins.
    Start {
        /// The component.
        component: String,
        /// The step.
        step: usize,
    },
    /// A step is done.
    Done {
        /// The component.
        component: String,
        /// The step.
        step: usize,
        /// How long it took.
        took: Duration,
    },
    /// A step failed.
    Failed {
        /// The component.
        component: String,
        /// The step.
        step: usize,
        /// How long it took.
        took: Duration,
    },
    /// Why a component failed.
    Because {
        /// The component.
        component: String,
        /// Why.
        why: String,
    },
    /// A line of what the step that failed said at its end.
    Said {
        /// The component.
        component: String,
        /// The line.
        line: String,
    },
    /// A component is left out.
    Skipped {
        /// It.
        component: String,
        /// What it needs, and failed.
        need: String,
    },
    /// It waits.
    Waits(String),
    /// The change of the firewall was taken back.
    TakenBack,
    /// The change of the firewall or of sshd, of this name, waits for a login that confirms it.
    Armed(String),
    /// Something of a component that a person should know.
    Note {
        /// The component.
        component: String,
        /// What.
        text: String,
    },
    /// The line was lost.
    Lost,
    /// All is done.
    End,
    /// The run was cut off in the middle.
    Broken,
}

impl Event {
    /// One line of the host's.
    fn parse(line: &str) -> Option<Self> {
        let line = &plain(line);
        let (key, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let owned = |text: &str| text.to_owned();
        let words: Vec<&str> = rest.split(' ').collect();
        let millis = |text: &str| text.parse().ok().map(Duration::from_millis);
        Some(match (key, words.as_slice()) {
            ("run", [id]) if is_run_id(id) => Self::Run(owned(id)),
            ("log", _) => Self::Log(owned(rest)),
            ("busy", [id]) if is_run_id(id) => Self::Busy(owned(id)),
            ("start", [component, step]) => {
                Self::Start { component: owned(component), step: step.parse().ok()? }
            }
            ("ok", [component, step, took]) => {
                Self::Done { component: owned(component), step: step.parse().ok()?, took: millis(took)? }
            }
            ("fail", [component, step, took, _code]) => {
                Self::Failed { component: owned(component), step: step.parse().ok()?, took: millis(took)? }
            }
            ("why", [component, why @ ..]) => {
                Self::Because { component: owned(component), why: why.join(" ") }
            }
            ("said", [component, line @ ..]) => {
                Self::Said { component: owned(component), line: line.join(" ") }
            }
            ("skip", [component, need]) => Self::Skipped { component: owned(component), need: owned(need) },
            ("wait", [_component, why @ ..]) => Self::Waits(why.join(" ")),
            ("guard", ["taken-back"]) => Self::TakenBack,
            ("guard", ["armed", change @ ..]) => Self::Armed(change.join(" ")),
            ("note", [component, text @ ..]) => {
                Self::Note { component: owned(component), text: text.join(" ") }
            }
            ("end", _) => Self::End,
            ("broken", _) => Self::Broken,
            _ => return None,
        })
    }

    /// Does it stand in the run's own file?
    fn is_of_run(&self) -> bool {
        !matches!(self, Self::Run(_) | Self::Log(_) | Self::Busy(_) | Self::Broken | Self::Lost)
    }
}

/// The program that does what these plans say. `secrets` are the words that no plan shows.
#[must_use]
pub fn program(
    target: &Target,
    plans: &[ComponentPlan],
    secrets: &BTreeMap<String, String>,
    mirrors: &Mirrors,
) -> String {
    let mut program = Program::working(target);
    if let Some(call) = mirrors.call() {
        let words = std::iter::once(call.function).chain(call.words.iter().map(String::as_str));
        program.call(&words.collect::<Vec<_>>());
    }
    for plan in plans.iter().filter(|plan| plan.changes().next().is_some()) {
        let head = ["component", plan.name.as_str()].into_iter();
        program.call(&head.chain(plan.needs.iter().map(String::as_str)).collect::<Vec<_>>());
        if !plan.behind_firewall.is_empty() {
            let units = plan.behind_firewall.iter().map(String::as_str);
            program.call(&std::iter::once("behind_firewall").chain(units).collect::<Vec<_>>());
        }
        let mut guarded = false;
        for (number, change) in plan.changes() {
            // The timer is short, and what comes next may take long.
            let guards = change.is_guarded();
            if guarded && !guards {
                program.call(&["guard_told"]);
            }
            guarded = guards;
            let secret = change.call.secret.as_ref().map(|name| secrets.get(name).map_or("", String::as_str));
            step(&mut program, number, &change.call, secret);
        }
    }
    program.call(&["run_end"]);
    program.finish()
}

/// A component that is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// Its name.
    pub name: String,
    /// For whom it was put there, where that is noted.
    pub user: Option<String>,
    /// What is done, in this order.
    pub undo: Vec<Undo>,
    /// There is a note of it that is not understood, and is kept.
    pub unreadable: bool,
}

/// The program that takes back what these components changed of the firewall or of sshd, and no more: a fresh login has to
/// confirm that before the rest, and before anything is forgotten. Nothing where there is no such thing.
#[must_use]
pub fn undoing_guarded(target: &Target, components: &[Back]) -> Option<String> {
    let guarded = components.iter().any(|it| it.undo.iter().any(Undo::is_guarded));
    guarded.then(|| undo(target, components, true))
}

/// The program that takes all the rest of these components back, in this order.
#[must_use]
pub fn undoing(target: &Target, components: &[Back]) -> String {
    undo(target, components, false)
}

fn undo(target: &Target, components: &[Back], guarded: bool) -> String {
    let mut program = Program::working(target);
    for Back { name, user, undo, unreadable } in components {
        let all = || undo.iter().enumerate().filter(|(_, undo)| undo.is_guarded() == guarded);
        if guarded && all().next().is_none() {
            continue;
        }
        program.call(&["component", name]);
        if let Some(user) = user {
            program.call(&["belongs_to", user]);
        }
        for (number, undo) in all() {
            step(&mut program, number, &undo.call, None);
        }
        if !guarded {
            let unreadable = if *unreadable { "yes" } else { "no" };
            step(&mut program, undo.len(), &Call::new("forget", [unreadable]), None);
        }
    }
    program.call(&["run_end"]);
    program.finish()
}

fn step(program: &mut Program, number: usize, call: &Call, secret: Option<&str>) {
    let number = number.to_string();
    let mut words = vec!["step", &number, call.function];
    words.extend(call.words.iter().map(String::as_str));
    words.extend(secret);
    program.call(&words);
}

/// Starts a run and watches it to its end, or the one that is going on. `Ok(false)`: it was another one.
///
/// # Errors
/// The host was not reached any more within 10 minutes, or a signal came: the run goes on.
pub fn run(
    access: &Access<'_>,
    target: &Target,
    program: &str,
    tell: &mut dyn FnMut(&Event),
) -> Result<bool> {
    let start = Program::starting(target, program);
    follow(access, target, start, None, tell)
}

/// Watches a run that is going on to its end.
///
/// # Errors
/// As [`run`].
pub fn watch(access: &Access<'_>, target: &Target, run: &str, tell: &mut dyn FnMut(&Event)) -> Result<()> {
    let watch = Program::watching(target, run, 1);
    follow(access, target, watch, Some(run.to_owned()), tell).map(drop)
}

fn follow(
    access: &Access<'_>,
    target: &Target,
    mut program: String,
    mut run: Option<String>,
    tell: &mut dyn FnMut(&Event),
) -> Result<bool> {
    let (mut seen, mut own, mut ended) = (0, run.is_none(), false);
    let mut lost_since: Option<Instant> = None;
    let mut pause = Duration::from_secs(1);
    loop {
        let (mut came, mut broken, mut not_started) = (false, None, String::new());
        let result = access.follow("put the components there", &program, &mut |line| {
            let Some(event) = Event::parse(line) else {
                if let Some(why) = line.strip_prefix("not-started ") {
                    not_started = format!(": {}", plain(why));
                }
                if line.starts_with("run ") || line.starts_with("busy ") {
                    broken = Some(plain(line));
                }
                tracing::debug!(line, "a line of the run that is not understood");
                return;
            };
            came = true;
            seen += usize::from(event.is_of_run());
            match &event {
                Event::Run(id) => run = Some(id.clone()),
                Event::Busy(id) => (run, own) = (Some(id.clone()), false),
                Event::End | Event::Broken => ended = true,
                _ => {}
            }
            tell(&event);
        });
        interrupted()?;
        if let Some(what) = broken {
            return Err(NotUnderstood { what }.into());
        }
        let error = match result {
            Ok(0) if ended => return Ok(own),
            Ok(94) => anyhow::bail!(
                "nothing can be written where sinc keeps its notes on the host: is its disk full?"
            ),
            Ok(93) => anyhow::bail!("the host does not know that run any more"),
            Ok(92) => anyhow::bail!("the run on the host could not be started{not_started}"),
            Ok(code) => anyhow::bail!("the run on the host could not be started or watched (code {code})"),
            Err(error) if !may_come_back(&error) => return Err(error.into()),
            Err(error) => error,
        };
        let Some(id) = &run else {
            return Err(error)
                .context("the line was lost before the host said that the work began: run it again to see");
        };
        if came || lost_since.is_none() {
            (lost_since, pause) = (Some(Instant::now()), Duration::from_secs(1));
            tell(&Event::Lost);
        }
        if lost_since.is_some_and(|since| since.elapsed() > PATIENCE) {
            return Err(error).context("the line did not come back; the host goes on by itself");
        }
        rest(pause)?;
        pause = (pause * 2).min(Duration::from_secs(10));
        program = Program::watching(target, id, seen + 1);
    }
}

fn may_come_back(error: &RemoteError) -> bool {
    match error {
        RemoteError::Ssh { why, .. } => {
            !matches!(why, Why::HostKeyUnknown | Why::HostKeyChanged | Why::LoginRefused | Why::SshConfig)
        }
        RemoteError::Deadline { .. } => true,
        RemoteError::Script { .. } | RemoteError::Process(_) => false,
    }
}

/// Before the next attempt; a signal ends it.
fn rest(pause: Duration) -> Result<()> {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        interrupted()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What a fresh login found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The change, which stays now.
    Yes,
    /// Nothing that waits.
    Nothing,
    /// It was taken back before.
    TakenBack,
    /// Another change, that came after this one.
    Another,
    /// Its sshd was told of it only now: another login is wanted.
    Again,
    /// One that only a login through the tailnet confirms, and this is none.
    Elsewhere,
}

/// Takes the guard of this change away, by a login of its own. `access` goes over a connection that is shared with none.
///
/// # Errors
/// There is no such login.
pub fn confirm(access: &Access<'_>, target: &Target, change: &str) -> Result<Confirmed> {
    let said = access.ask("log in a second time", &Program::confirming(target, change))?;
    Ok(match said.trim() {
        "guard confirmed" => Confirmed::Yes,
        "guard none" => Confirmed::Nothing,
        "guard taken-back" => Confirmed::TakenBack,
        "guard changed" => Confirmed::Another,
        "guard again" => Confirmed::Again,
        "guard elsewhere" => Confirmed::Elsewhere,
        said => anyhow::bail!("the host's guard of the firewall said: {}", plain(said)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read() {
        let read = |line: &str| Event::parse(line).unwrap();
        assert_eq!(read("run 20261126T120000Z-9"), Event::Run("20261126T120000Z-9".to_owned()));
        assert_eq!(
            read("ok base 0 1500"),
            Event::Done { component: "base".to_owned(), step: 0, took: Duration::from_millis(1500) }
        );
        assert_eq!(
            read("why et no key: a  b"),
            Event::Because { component: "et".to_owned(), why: "no key: a  b".to_owned() }
        );
        assert_eq!(read("guard armed 17"), Event::Armed("17".to_owned()));
        assert_eq!(
            read("note base /etc/x stays"),
            Event::Note { component: "base".to_owned(), text: "/etc/x stays".to_owned() }
        );
        assert_eq!(read("end"), Event::End);
        assert_eq!(Event::parse("ok base x 1"), None);
        assert_eq!(Event::parse("nonsense"), None);
        assert_eq!(read("log /var/\u{1b}[2Jlog"), Event::Log("/var/?[2Jlog".to_owned()));
        // The name of a run becomes one of a file here.
        for id in [
            "x/../../../../project/app",
            "20261126T1-9",
            "20261126T120000Z-",
            "20261126T120000Z-1/x",
            "r-1",
            "",
        ] {
            assert_eq!(Event::parse(&format!("run {id}")), None, "{id}");
            assert_eq!(Event::parse(&format!("busy {id}")), None, "{id}");
        }
    }
}
