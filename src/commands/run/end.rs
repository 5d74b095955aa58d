//! Waits for the command: passes signals on, keeps its deadline, and finds out how it ended.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

use super::guard::{Event, Guard};
use crate::commands::context::Context;
use crate::failure::{Failure, Kind};
use crate::process::{
    Beside, Cmd, Interrupted, Pipes, divert_all_signals, end_beside, interrupted, relay_after,
};
use crate::remote::BEGIN;
use crate::state::Record;

/// How often the guard is told that somebody is left; it waits 30 s for that.
const BEAT: Duration = Duration::from_secs(10);

/// How long a command gets to end after SIGTERM, and its ssh after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the guard may take to say how the command ended.
const REPORT_DEADLINE: Duration = Duration::from_secs(10);

/// What `timeout` of coreutils ends with when the time is up.
const TIMED_OUT: i32 = 124;

/// Ctrl-C reaches the command this often; the next one ends it for good, and one more ends the wait.
const INTERRUPTS: u32 = 2;

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What run.sh noted last.
    said: Option<String>,
    /// The exit code of ssh.
    ssh: i32,
    /// Its own deadline passed.
    pub(super) timed_out: bool,
    /// It was killed.
    killed: bool,
    /// The line was lost.
    pub(super) lost: bool,
}

/// How to run it.
#[derive(Debug)]
pub(super) struct How {
    /// The ssh whose streams are the command's.
    pub(super) cmd: Cmd,
    /// Which of them are passed on by us.
    pub(super) pipes: Pipes,
    /// Ctrl-C goes to us, not to that ssh.
    pub(super) apart: bool,
    /// The command's own deadline.
    pub(super) timeout: Option<Duration>,
}

/// Starts the command and waits for the end of its ssh. How the command ended is told by [`Ended::report`].
pub(super) fn wait(ctx: &Context, guard: &mut Guard, how: &How) -> Result<Ended> {
    let signals = guard.sender();
    interrupted()?;
    let diverted = divert_all_signals(move |signal| drop(signals.send(Event::Signal(signal))))?;
    let beside = ctx.runner.start_beside(&how.cmd, how.pipes, how.apart)?;
    let ssh = beside.pid();
    let ends = guard.sender();
    std::thread::spawn(move || drop(ends.send(Event::Ended(pass_on(beside)))));

    let mut ended = Ended { said: None, ssh: 0, timed_out: false, killed: false, lost: false };
    let mut beat = Instant::now() + BEAT;
    let mut deadline = how.timeout.map(|timeout| Instant::now() + timeout);
    let mut interrupts = 0;
    loop {
        match guard.next(deadline.map_or(beat, |deadline| deadline.min(beat))) {
            Some(Event::Ended(code)) => {
                ended.ssh = code;
                break;
            }
            Some(Event::GuardGone(_)) => {
                // Then the command is ended over there too; if not even that comes over, its ssh is ended here.
                ended.lost = true;
                deadline = Some(Instant::now() + PATIENCE);
            }
            Some(Event::Signal(signal @ (SIGUSR1 | SIGUSR2))) => {
                guard.tell(&format!("signal {}", name(signal)));
            }
            Some(Event::Signal(signal)) => {
                interrupts += 1;
                if interrupts > INTERRUPTS + 1 {
                    end_beside(ssh);
                    return Err(Interrupted(signal).into());
                }
                ended.killed = interrupts > INTERRUPTS;
                guard.tell(&format!("signal {}", if ended.killed { "KILL" } else { name(signal) }));
            }
            Some(_) => {}
            None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                if ended.lost || ended.timed_out && ended.killed {
                    // What made itself a daemon may have the output open for ever.
                    end_beside(ssh);
                    deadline = None;
                } else if ended.timed_out {
                    ended.killed = true;
                    guard.tell("signal KILL");
                    deadline = Some(Instant::now() + PATIENCE);
                } else {
                    ended.timed_out = true;
                    guard.tell("signal TERM");
                    deadline = Some(Instant::now() + PATIENCE);
                }
            }
            None => {
                guard.tell("beat");
                beat = Instant::now() + BEAT;
            }
        }
    }
    drop(diverted);
    guard.tell("end");
    Ok(ended)
}

/// Waits for the command's ssh. What rc files printed before it is left out.
fn pass_on(mut beside: Beside) -> i32 {
    let (stdout, stderr) = (beside.stdout.take(), beside.stderr.take());
    std::thread::scope(|scope| {
        if let Some(from) = stderr {
            // Whoever read us may have gone: then the command notices the same.
            scope.spawn(move || drop(relay_after(BEGIN, from, &mut std::io::stderr())));
        }
        if let Some(from) = stdout {
            scope.spawn(move || drop(relay_after(BEGIN, from, &mut std::io::stdout())));
        }
    });
    beside.wait()
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "INT",
        SIGHUP => "HUP",
        SIGQUIT => "QUIT",
        SIGUSR1 => "USR1",
        SIGUSR2 => "USR2",
        _ => "TERM",
    }
}

impl Ended {
    /// Did the command end by itself, as far as its ssh tells? Then nothing of it is at work any more, and it takes no
    /// round trip to know that. (255 is ssh's own.)
    pub(super) fn by_itself(&self) -> bool {
        (0..255).contains(&self.ssh) && !(self.timed_out || self.killed || self.lost)
    }

    /// Waits for what the guard says of the end.
    pub(super) fn report(mut self, mut guard: Guard) -> Self {
        let until = Instant::now() + REPORT_DEADLINE;
        while self.said.is_none() && !self.lost {
            match guard.next(until) {
                Some(Event::Said(key, value)) if key == "ended" => self.said = Some(value),
                Some(Event::GuardGone(_)) | None => self.lost = true,
                Some(_) => {}
            }
        }
        self
    }

    /// The command's own exit code.
    ///
    /// # Errors
    /// It was not run, or what became of it is not known.
    pub(super) fn code(&self, record: &Record, below: &Path) -> Result<i32> {
        if self.timed_out {
            return Ok(TIMED_OUT);
        }
        let host = &record.host;
        let said = self.said.as_deref().unwrap_or_default();
        if let Some(code) = said.strip_prefix("code ").and_then(|code| code.trim().parse().ok()) {
            return Ok(code);
        }
        if said == "missing" {
            let shown = if below.as_os_str().is_empty() { Path::new(".") } else { below };
            let message = format!("there is no directory `{}` on {host}", shown.display());
            return Err(Failure::new(Kind::Failed, message)
                .hint("is it ignored, or was it deleted there? `sinc status` shows how the sync stands")
                .into());
        }
        if self.killed {
            return Ok(128 + 9);
        }
        if self.lost {
            let message = format!(
                "the connection to {host} was lost while the command ran, and the command is ended there"
            );
            return Err(Failure::new(Kind::Connect, message)
                .hint("what it changed comes over when the host is reached again: `sinc flush`")
                .into());
        }
        let message =
            format!("what became of the command on {host} is not known: ssh ended with {}", self.ssh);
        Err(Failure::new(Kind::Failed, message)
            .hint("was it killed there, or is the host out of memory?")
            .into())
    }
}
