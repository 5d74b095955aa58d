//! Why a command failed.

use std::fmt;
use std::time::Duration;

use super::Cmd;
use crate::ignore::is_misleading;

/// How a command ended that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No such program.
    NotFound,
    /// It could not be started, with the system's reason.
    CouldNotStart(String),
    /// It ended with this code, which is not one of its answers.
    Exit(i32),
    /// It was killed by this signal.
    Signal(i32),
    /// It did not end within its deadline and was killed.
    TimedOut(Duration),
    /// It wrote nothing for so long and was killed.
    Silent(Duration),
    /// It wrote something that is not UTF-8.
    NotUtf8,
    /// A signal told sinc to stop meanwhile.
    Interrupted(i32),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("was not found"),
            Self::CouldNotStart(why) => write!(f, "could not be started: {why}"),
            Self::Exit(code) => write!(f, "exited with {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Self::TimedOut(after) => write!(f, "did not end within {:.1} s", after.as_secs_f64()),
            Self::Silent(most) => write!(f, "said nothing for {:.1} s, and was ended", most.as_secs_f64()),
            Self::NotUtf8 => f.write_str("wrote something that is not UTF-8"),
            Self::Interrupted(signal) => write!(f, "was stopped because sinc got signal {signal}"),
        }
    }
}

/// A command that failed: why it was run, the command, how it ended, the end of its standard error.
#[derive(Clone, Debug)]
pub struct ProcessError {
    why: String,
    program: String,
    command: String,
    outcome: Outcome,
    stderr: String,
}

impl ProcessError {
    /// A failure of this command.
    #[must_use]
    pub fn new(cmd: &Cmd, outcome: Outcome, stderr: String) -> Self {
        Self {
            why: cmd.why().to_owned(),
            program: cmd.program().to_string_lossy().into_owned(),
            command: cmd.words(),
            outcome,
            stderr: plain(&stderr),
        }
    }

    pub(super) fn start(cmd: &Cmd, error: &std::io::Error) -> Self {
        let missing_dir = cmd.directory().is_some_and(|dir| !dir.is_dir());
        // A directory on PATH that may not be entered turns "not found" into "permission denied".
        let nowhere =
            error.kind() == std::io::ErrorKind::PermissionDenied && which::which(cmd.program()).is_err();
        let outcome = if (error.kind() == std::io::ErrorKind::NotFound || nowhere) && !missing_dir {
            Outcome::NotFound
        } else if missing_dir {
            Outcome::CouldNotStart("its directory does not exist".to_owned())
        } else {
            Outcome::CouldNotStart(error.to_string())
        };
        Self::new(cmd, outcome, String::new())
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The program that was run.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The end of its standard error.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Is the program missing?
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.outcome == Outcome::NotFound
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: ", self.why)?;
        if self.is_not_found() {
            return write!(f, "`{}` {}", self.program, self.outcome);
        }
        // A script of two kilobytes as one argument helps nobody: `-v` shows it whole.
        let mut shown: String = self.command.chars().take(160).collect();
        if shown.len() < self.command.len() {
            shown.push('…');
        }
        write!(f, "`{shown}` {}", self.outcome)?;
        for line in self.stderr.lines().filter(|line| !line.trim().is_empty()) {
            write!(f, "\n  {}", line.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for ProcessError {}

/// A text that goes to a terminal, and may come from a host. Of what was written over in place, as of a progress, the last is left.
fn plain(text: &str) -> String {
    let last = |line: &str| {
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().to_owned();
        line.chars().map(|c| if c != '\t' && is_misleading(c) { '?' } else { c }).collect::<String>()
    };
    text.split('\n').map(last).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_drives_no_terminal() {
        let said = "remote: \u{1b}]0;x\u{7}a\u{202e}b\tc\r\nReceiving: 10%\rReceiving: 20%\nfatal: no\n";
        let error = ProcessError::new(&Cmd::new("git", "try"), Outcome::Exit(1), said.to_owned());
        assert_eq!(error.stderr(), "remote: ?]0;x?a?b\tc\nReceiving: 20%\nfatal: no\n");
        assert!(!error.to_string().contains(|c| c != '\n' && c != '\t' && is_misleading(c)), "{error}");
    }
}
