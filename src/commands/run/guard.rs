//! The talk with `run_guard.sh` while a command runs, and all else that can happen meanwhile, as events in one queue.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::process::{Beside, Cmd, Outcome, Pipes, ProcessError, Runner, interrupted};
use crate::remote::BEGIN;

/// What happens while a command runs.
#[derive(Debug)]
pub(super) enum Event {
    /// The guard's answer begins. Did an rc file print something before it?
    Began { noisy: bool },
    /// A line of its answer.
    Said(String, String),
    /// The guard is gone, with this exit code.
    GuardGone(i32),
    /// The command's ssh has ended, with this exit code.
    Ended(i32),
    /// A signal for sinc.
    Signal(i32),
}

/// The guard, and the queue. Dropped, nobody is left, and the guard ends what runs there.
#[derive(Debug)]
pub(super) struct Guard {
    stdin: Option<ChildStdin>,
    sender: Sender<Event>,
    events: Receiver<Event>,
    said: Arc<Mutex<String>>,
    pub(super) noisy: bool,
}

impl Guard {
    /// Starts it and gives it these lines. With `apart` Ctrl-C does not reach it.
    pub(super) fn start(
        runner: &Runner,
        cmd: &Cmd,
        apart: bool,
        lines: &[String],
    ) -> Result<Self, ProcessError> {
        let mut beside = runner.start_beside(cmd, Pipes::All, apart)?;
        let (sender, events) = channel();
        let said = Arc::<Mutex<String>>::default();
        let mut guard = Self {
            stdin: beside.stdin.take(),
            sender: sender.clone(),
            events,
            said: said.clone(),
            noisy: false,
        };
        for line in lines {
            guard.tell(line);
        }
        let (stdout, stderr) = (beside.stdout.take(), beside.stderr.take());
        std::thread::spawn(move || listen(beside, stdout, stderr, &sender, &said));
        Ok(guard)
    }

    /// Sends it a line. If it is gone, its end says so.
    pub(super) fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        }
    }

    /// What puts events into the queue.
    pub(super) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// What it wrote to standard error.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next event, if there is one until then.
    pub(super) fn next(&mut self, until: Instant) -> Option<Event> {
        let event = match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        if let Event::Began { noisy } = event {
            self.noisy |= noisy;
        }
        Some(event)
    }

    /// Waits for the line with this key of its answer.
    ///
    /// # Errors
    /// It is gone, says nothing within this time, or a signal came.
    pub(super) fn wait_for(&mut self, cmd: &Cmd, key: &str, patience: Duration) -> Result<String> {
        let until = Instant::now() + patience;
        loop {
            // The signal itself ends only what is in our own process group.
            interrupted()?;
            let soon = until.min(Instant::now() + Duration::from_millis(100));
            match self.next(soon) {
                Some(Event::Said(said, value)) if said == key => return Ok(value),
                Some(Event::GuardGone(code)) => {
                    return Err(ProcessError::new(cmd, Outcome::Exit(code), self.said()).into());
                }
                None if Instant::now() >= until => {
                    return Err(ProcessError::new(cmd, Outcome::TimedOut(patience), self.said()).into());
                }
                _ => {}
            }
        }
    }
}

fn listen(
    beside: Beside,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    sender: &Sender<Event>,
    said: &Arc<Mutex<String>>,
) {
    let into = said.clone();
    let errors = std::thread::spawn(move || {
        let Some(mut stderr) = stderr else { return };
        let mut piece = [0; 1024];
        while let Ok(n @ 1..) = stderr.read(&mut piece) {
            let mut said = into.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&String::from_utf8_lossy(&piece[..n]));
        }
    });
    let mut began = false;
    let mut first = true;
    for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        let event = if began {
            let (key, value) = line.split_once(' ').unwrap_or((&line, ""));
            Event::Said(key.to_owned(), value.to_owned())
        } else if line.ends_with(BEGIN) {
            began = true;
            Event::Began { noisy: !first || line != BEGIN }
        } else {
            first = false;
            continue;
        };
        drop(sender.send(event));
    }
    drop(errors.join());
    drop(sender.send(Event::GuardGone(beside.wait())));
}
