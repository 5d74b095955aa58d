//! A program that runs beside sinc: its streams are ours or pipes, and signals are its caller's business.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{Cmd, Output, ProcessError, Runner, command, wait};

/// Which streams are pipes; the others are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipes {
    /// None.
    None,
    /// Standard output.
    Stdout,
    /// What it writes.
    Output,
    /// All.
    All,
}

/// A program that runs beside us.
#[derive(Debug)]
pub struct Beside {
    cmd: Cmd,
    runner: Runner,
    started: Instant,
    child: Child,
    /// Its standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
}

impl Runner {
    /// Starts the program. With `apart` it is in a process group of its own: Ctrl-C does not reach it.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start_beside(&self, cmd: &Cmd, pipes: Pipes, apart: bool) -> Result<Beside, ProcessError> {
        let mut command = command(cmd);
        if pipes == Pipes::All {
            command.stdin(Stdio::piped());
        }
        if pipes != Pipes::None {
            command.stdout(Stdio::piped());
        }
        if matches!(pipes, Pipes::Output | Pipes::All) {
            command.stderr(Stdio::piped());
        }
        if apart {
            command.process_group(0);
        }
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| ProcessError::start(cmd, &error))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Beside { cmd: cmd.clone(), runner: self.clone(), started, child, stdin, stdout, stderr })
    }
}

impl Beside {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. Gives its exit code, 128+n for signal n.
    #[must_use]
    pub fn wait(mut self) -> i32 {
        let code = self.child.wait().map_or(1, wait::code_of);
        self.runner.note(&self.cmd, self.started, &Ok(Output { code, ..Output::default() }));
        code
    }
}

/// Ends a program that was started beside us and has not been waited for yet.
pub fn end_beside(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended just now.
        let _ = kill_process(pid, Signal::TERM);
    }
}
