//! The one door to other programs: a [`Cmd`] is a value that describes a command, a [`Runner`] does it.
//!
//! `read`, `answer` and `lines` ask and run in every mode; `run` changes something and is only shown in a dry
//! run; `replace` becomes the other program.

mod beside;
mod cmd;
mod error;
mod journal;
pub mod quote;
mod relay;
mod signals;
mod wait;

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

pub use beside::{Beside, Pipes, end_beside};
pub use cmd::{Cmd, DEFAULT_DEADLINE};
pub use error::{Outcome, ProcessError};
pub use journal::{Entry, Journal};
pub use relay::after as relay_after;
pub use signals::{
    Diverted, Interrupted, divert_all_signals, divert_signals, forgive_interrupt, install_signal_handler,
    interrupted, on_signal,
};
pub use wait::Stream;

/// What a finished program left.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The exit code; one of [`Cmd::answers`].
    pub code: i32,
    /// All that it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The end of what it wrote to standard error (at most 64 KiB).
    pub stderr: String,
}

/// What became of a command that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It ran and succeeded.
    Ran,
    /// A dry run: it was shown, not run.
    WouldRun,
}

/// How much of a program's output the log shows with `-vv`, bytes.
const MOST_SHOWN: usize = 64 * 1024;

/// Shows a command that a dry run leaves out.
pub type ShowCommand = Arc<dyn Fn(&Cmd) + Send + Sync>;

/// Runs commands. Cheap to clone; all clones write to the same journal.
#[derive(Clone, Default)]
pub struct Runner {
    journal: Option<Arc<Journal>>,
    dry_run: Option<ShowCommand>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("dry_run", &self.dry_run.is_some()).finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner that notes each command in `journal`, and with `dry_run` shows what it would change instead of
    /// doing it.
    #[must_use]
    pub fn new(journal: Option<Arc<Journal>>, dry_run: Option<ShowCommand>) -> Self {
        Self { journal, dry_run }
    }

    /// Is this a dry run?
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.dry_run.is_some()
    }

    /// Asks: runs the command in every mode and gives its standard output as text.
    ///
    /// # Errors
    /// The program is missing, ended with a code that is not one of its answers, took too long, or wrote
    /// something that is not UTF-8.
    pub fn read(&self, cmd: &Cmd) -> Result<String, ProcessError> {
        let output = self.answer(cmd)?;
        String::from_utf8(output.stdout).map_err(|_| ProcessError::new(cmd, Outcome::NotUtf8, output.stderr))
    }

    /// Asks: runs the command in every mode and gives everything that it left.
    ///
    /// # Errors
    /// As [`Runner::read`], but any bytes are fine.
    pub fn answer(&self, cmd: &Cmd) -> Result<Output, ProcessError> {
        self.collect(cmd, None)
    }

    /// As [`Runner::answer`], but the program is started at once and gets its input only when something comes from
    /// `moment`, or nothing can come any more: it has got over its own start by then.
    ///
    /// # Errors
    /// As [`Runner::answer`].
    pub fn answer_at(&self, cmd: &Cmd, moment: Receiver<()>) -> Result<Output, ProcessError> {
        self.collect(cmd, Some(moment))
    }

    fn collect(&self, cmd: &Cmd, moment: Option<Receiver<()>>) -> Result<Output, ProcessError> {
        let mut stdout = Vec::new();
        let mut output = self.follow(cmd, moment, &mut |stream, bytes| {
            if stream == Stream::Stdout {
                stdout.extend_from_slice(bytes);
            }
            ControlFlow::Continue(())
        })?;
        output.stdout = stdout;
        Ok(output)
    }

    /// Asks: gives each line of standard output as it comes, until the program ends or `each` breaks (which
    /// ends the program, and is no error).
    ///
    /// # Errors
    /// As [`Runner::answer`].
    pub fn lines(
        &self,
        cmd: &Cmd,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Output, ProcessError> {
        let mut rest = Vec::new();
        self.watch(cmd, &mut |stream, bytes| {
            if stream == Stream::Stdout {
                rest.extend_from_slice(bytes);
                while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    each(String::from_utf8_lossy(&line[..end]).as_ref())?;
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Changes something: runs the command, or in a dry run only shows it.
    ///
    /// # Errors
    /// As [`Runner::answer`].
    pub fn run(&self, cmd: &Cmd) -> Result<Done, ProcessError> {
        if let Some(show) = &self.dry_run {
            show(cmd);
            return Ok(Done::WouldRun);
        }
        self.answer(cmd).map(|_| Done::Ran)
    }

    /// Runs the command and hands each piece of its output to `each` as it comes; a `Break` ends it.
    ///
    /// # Errors
    /// As [`Runner::answer`].
    pub fn watch(
        &self,
        cmd: &Cmd,
        each: &mut dyn FnMut(Stream, &[u8]) -> ControlFlow<()>,
    ) -> Result<Output, ProcessError> {
        self.follow(cmd, None, each)
    }

    fn follow(
        &self,
        cmd: &Cmd,
        moment: Option<Receiver<()>>,
        each: &mut dyn FnMut(Stream, &[u8]) -> ControlFlow<()>,
    ) -> Result<Output, ProcessError> {
        let started = Instant::now();
        let shows = cmd.is_shown() && tracing::enabled!(tracing::Level::TRACE);
        let mut said = Vec::new();
        let result = wait::supervise(cmd, moment, &mut |stream, bytes| {
            if shows && stream == Stream::Stdout {
                let room = MOST_SHOWN - said.len();
                said.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            each(stream, bytes)
        });
        let result = result.and_then(|output| {
            if cmd.answers_with(output.code) {
                Ok(output)
            } else {
                Err(ProcessError::new(cmd, Outcome::Exit(output.code), output.stderr))
            }
        });
        self.note(cmd, started, &result);
        if shows {
            let stderr = result.as_ref().map_or_else(ProcessError::stderr, |output| output.stderr.as_str());
            // Quoted: what a host writes may hold anything.
            tracing::trace!(stdout = ?String::from_utf8_lossy(&said), ?stderr, "output");
        }
        result
    }

    /// Starts the command in the background, detached from this process's streams, and does not wait for it.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn spawn_detached(&self, cmd: &Cmd) -> Result<(), ProcessError> {
        let mut command = command(cmd);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(drop).map_err(|error| ProcessError::start(cmd, &error))
    }

    /// Starts a service that this process looks after: its streams are closed, and whoever gets the child ends
    /// it and waits for it.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn spawn_service(&self, cmd: &Cmd) -> Result<std::process::Child, ProcessError> {
        let mut command = command(cmd);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|error| ProcessError::start(cmd, &error))
    }

    /// Starts a program that is talked to while it runs: its three streams are pipes, and whoever gets the child ends
    /// it and waits for it.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn spawn_piped(&self, cmd: &Cmd) -> Result<std::process::Child, ProcessError> {
        let mut command = command(cmd);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| ProcessError::start(cmd, &error))
    }

    /// Hands the terminal to the program and waits for it: its streams are ours, there is no deadline.
    /// Gives its exit code (128+n when signal n ended it).
    ///
    /// # Errors
    /// The program could not be started.
    pub fn interactive(&self, cmd: &Cmd) -> Result<i32, ProcessError> {
        let started = Instant::now();
        let mut child = command(cmd).spawn().map_err(|error| ProcessError::start(cmd, &error))?;
        // A signal for sinc ends the program too, and so this wait.
        let _running = signals::Running::new(child.id());
        let status = child.wait().map_err(|error| ProcessError::start(cmd, &error))?;
        let code = wait::code_of(status);
        self.note(cmd, started, &Ok(Output { code, ..Output::default() }));
        Ok(code)
    }

    /// Runs the command with our own streams and no deadline, but passes to `to` what it writes to standard output
    /// after the first line that ends with `mark`. Gives its exit code (128+n when signal n ended it).
    ///
    /// # Errors
    /// The program could not be started.
    pub fn relay_after(
        &self,
        cmd: &Cmd,
        mark: &str,
        to: &mut dyn std::io::Write,
    ) -> Result<i32, ProcessError> {
        let mut child =
            command(cmd).stdout(Stdio::piped()).spawn().map_err(|error| ProcessError::start(cmd, &error))?;
        if let Some(from) = child.stdout.take() {
            // Whoever read us may have gone: then the program notices the same.
            drop(relay::after(mark, from, to));
        }
        let status = child.wait().map_err(|error| ProcessError::start(cmd, &error))?;
        Ok(wait::code_of(status))
    }

    /// Becomes the program: does not come back unless it could not be started.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn replace(&self, cmd: &Cmd) -> Result<Infallible, ProcessError> {
        tracing::debug!(why = cmd.why(), "exec {cmd}");
        if let Some(journal) = &self.journal {
            journal.note(cmd, None, "exec");
        }
        Err(ProcessError::start(cmd, &command(cmd).exec()))
    }

    fn note(&self, cmd: &Cmd, started: Instant, result: &Result<Output, ProcessError>) {
        let elapsed = started.elapsed();
        let said = match result {
            Ok(output) => format!("exit {}", output.code),
            Err(error) => error.outcome().to_string(),
        };
        tracing::debug!(why = cmd.why(), ms = elapsed.as_millis() as u64, result = %said, "{cmd}");
        if let Some(journal) = &self.journal {
            journal.note(cmd, Some(elapsed), &said);
        }
    }
}

/// The only place that makes a `std::process::Command`.
#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn command(cmd: &Cmd) -> Command {
    let mut command = Command::new(cmd.program());
    command.args(cmd.arguments());
    for (name, value) in cmd.environment() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(dir) = cmd.directory() {
        command.current_dir(dir);
    }
    command
}
