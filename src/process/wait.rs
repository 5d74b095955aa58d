//! Waits for a program without polling: one thread a pipe and one for the exit all report to one channel, which
//! is read with the deadline.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::signals::{Running, interrupted};
use super::{Cmd, Outcome, Output, ProcessError, command};

/// How much of standard error is kept, bytes.
const TAIL: usize = 64 * 1024;

/// How long to wait for the end of the pipes once the program has ended. A grandchild may hold them open: an
/// ssh master started with `-v` did for its whole ControlPersist time (OpenSSH 9.2).
const GRACE: Duration = Duration::from_millis(200);

/// How long a program gets to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which of the program's streams a piece of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

enum Event {
    Piece(Stream, Vec<u8>),
    End,
    Exit(std::io::Result<ExitStatus>),
}

/// The exit code, or 128+n for signal n, as shells count.
pub(super) fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs the command to its end. With `moment` its input is written only when something comes from there, or nothing
/// can come any more.
pub(super) fn supervise(
    cmd: &Cmd,
    moment: Option<Receiver<()>>,
    each: &mut dyn FnMut(Stream, &[u8]) -> ControlFlow<()>,
) -> Result<Output, ProcessError> {
    if let Err(signal) = interrupted() {
        return Err(ProcessError::new(cmd, Outcome::Interrupted(signal.0), String::new()));
    }
    let mut command = command(cmd);
    let input = if cmd.input().is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| ProcessError::start(cmd, &error))?;
    let running = Running::new(child.id());
    let (events, inbox) = channel();
    if let Some(stdout) = child.stdout.take() {
        drain(Stream::Stdout, stdout, events.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        drain(Stream::Stderr, stderr, events.clone());
    }
    if let Some(mut stdin) = child.stdin.take() {
        let bytes = cmd.input().to_vec();
        // A program that ends without reading its input is judged by its exit code.
        std::thread::spawn(move || {
            if let Some(moment) = moment {
                let _ = moment.recv();
            }
            drop(stdin.write_all(&bytes));
        });
    }
    std::thread::spawn(move || drop(events.send(Event::Exit(child.wait()))));

    let mut output = Output::default();
    let mut stderr = Vec::new();
    let mut open = 2;
    let mut exit = None;
    let mut stopped_by_caller = false;
    let mut timed_out = false;
    let mut deadline = cmd.time_allowed().map(|allowed| Instant::now() + allowed);
    while exit.is_none() || open > 0 {
        let event = match deadline {
            Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Piece(stream, bytes)) => {
                if cmd.ends_when_silent() && exit.is_none() && !timed_out && !stopped_by_caller {
                    deadline = cmd.time_allowed().map(|allowed| Instant::now() + allowed);
                }
                if stream == Stream::Stderr {
                    stderr.extend_from_slice(&bytes);
                    if stderr.len() > 2 * TAIL {
                        stderr.drain(..stderr.len() - TAIL);
                    }
                }
                if !stopped_by_caller && each(stream, &bytes).is_break() {
                    stopped_by_caller = true;
                    running.terminate();
                    deadline = Some(Instant::now() + PATIENCE);
                }
            }
            Ok(Event::End) => open -= 1,
            Ok(Event::Exit(status)) => {
                exit = Some(status);
                deadline = Some(Instant::now() + GRACE);
            }
            Err(_) if exit.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if timed_out || stopped_by_caller {
                    running.kill();
                } else {
                    running.terminate();
                }
                timed_out = !stopped_by_caller;
                deadline = Some(Instant::now() + PATIENCE);
            }
        }
    }
    drop(running);

    let stderr = String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(TAIL)..]).into_owned();
    if let Err(signal) = interrupted() {
        return Err(ProcessError::new(cmd, Outcome::Interrupted(signal.0), stderr));
    }
    if timed_out {
        let allowed = cmd.time_allowed().unwrap_or_default();
        let outcome =
            if cmd.ends_when_silent() { Outcome::Silent(allowed) } else { Outcome::TimedOut(allowed) };
        return Err(ProcessError::new(cmd, outcome, stderr));
    }
    output.stderr = stderr;
    match exit {
        Some(Ok(_)) if stopped_by_caller => Ok(output),
        Some(Ok(status)) => match status.code() {
            Some(code) => {
                output.code = code;
                Ok(output)
            }
            None => Err(ProcessError::new(cmd, Outcome::Signal(status.signal().unwrap_or(0)), output.stderr)),
        },
        Some(Err(error)) => {
            Err(ProcessError::new(cmd, Outcome::CouldNotStart(error.to_string()), output.stderr))
        }
        None => Err(ProcessError::new(cmd, Outcome::CouldNotStart("it was lost".to_owned()), output.stderr)),
    }
}

fn drain(stream: Stream, mut pipe: impl Read + Send + 'static, events: Sender<Event>) {
    std::thread::spawn(move || {
        let mut piece = vec![0; 32 * 1024];
        loop {
            match pipe.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(n) => {
                    if events.send(Event::Piece(stream, piece[..n].to_vec())).is_err() {
                        break;
                    }
                }
            }
        }
        drop(events.send(Event::End));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Runner;

    fn sh(text: &str) -> Cmd {
        Cmd::new("sh", "run a test").arg("-c").arg(text)
    }

    #[test]
    fn both_streams_and_the_code_are_kept() {
        let output = Runner::default().answer(&sh("echo out; echo err >&2; exit 3").answers(&[3])).unwrap();
        assert_eq!(
            (output.code, output.stdout.as_slice(), output.stderr.as_str()),
            (3, &b"out\n"[..], "err\n")
        );
    }

    #[test]
    fn a_code_that_is_no_answer_is_an_error_with_the_end_of_stderr() {
        let error = Runner::default().read(&sh("echo why >&2; exit 4")).unwrap_err();
        assert_eq!(error.outcome(), &Outcome::Exit(4));
        assert_eq!(
            error.to_string(),
            "could not run a test: `sh -c 'echo why >&2; exit 4'` exited with 4\n  why"
        );
    }

    #[test]
    fn one_that_says_something_is_not_ended_and_one_that_is_silent_is() {
        let most = Duration::from_millis(700);
        let busy = sh("for i in 1 2 3 4 5 6; do sleep 0.2; echo $i; done").silence(most);
        assert_eq!(Runner::default().read(&busy).unwrap(), "1\n2\n3\n4\n5\n6\n");
        let silent = sh("echo on; sleep 60").silence(most);
        let error = Runner::default().read(&silent).unwrap_err();
        assert_eq!(error.outcome(), &Outcome::Silent(most));
        assert!(error.to_string().contains("said nothing for 0.7 s"), "{error}");
    }

    #[test]
    fn a_missing_program_is_told_apart_from_a_missing_directory() {
        let missing = Cmd::new("sinc-no-such-program", "try");
        assert!(Runner::default().read(&missing).unwrap_err().is_not_found());
        let lost = sh("true").dir("/no/such/dir");
        assert!(!Runner::default().read(&lost).unwrap_err().is_not_found());
    }

    #[test]
    fn the_deadline_ends_a_program_that_ignores_sigterm() {
        let cmd = sh("trap '' TERM; while :; do sleep 1; done").deadline(Duration::from_millis(100));
        let started = Instant::now();
        let error = Runner::default().read(&cmd).unwrap_err();
        assert_eq!(error.outcome(), &Outcome::TimedOut(Duration::from_millis(100)));
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_grandchild_that_holds_the_pipe_does_not_hold_us() {
        let started = Instant::now();
        let output = Runner::default().read(&sh("sleep 30 & echo done")).unwrap();
        assert_eq!(output, "done\n");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn lines_come_one_by_one_until_the_caller_has_enough() {
        let mut seen = Vec::new();
        Runner::default()
            .lines(&sh("echo one; echo two; exec sleep 30"), &mut |line| {
                seen.push(line.to_owned());
                if line == "two" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn input_waits_for_its_moment() {
        let (now, moment) = channel();
        let (started, seen) = channel();
        let cmd = sh("echo started; cat").stdin("asked");
        let runs = std::thread::spawn(move || {
            let mut said = Vec::new();
            supervise(&cmd, Some(moment), &mut |_, bytes| {
                said.extend_from_slice(bytes);
                let _ = started.send(());
                ControlFlow::Continue(())
            })
            .map(|_| said)
        });
        seen.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(!runs.is_finished());
        now.send(()).unwrap();
        assert_eq!(runs.join().unwrap().unwrap(), b"started\nasked");
    }

    #[test]
    fn input_is_given_whole() {
        let text = "x".repeat(300_000);
        assert_eq!(Runner::default().read(&Cmd::new("cat", "copy").stdin(text.clone())).unwrap(), text);
    }
}
