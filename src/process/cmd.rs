//! A command as a value: what to run, why, and which exit codes are answers.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::quote;

/// How long a command may take unless it says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// A command: a value that can be shown, compared and run. Shown, it can be pasted into a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    why: String,
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    dir: Option<PathBuf>,
    stdin: Vec<u8>,
    deadline: Option<Duration>,
    silence: bool,
    answers: Vec<i32>,
    shown: bool,
}

impl Cmd {
    /// A command with its purpose, which must fit after "could not": `Cmd::new("mutagen", "list the syncs")`.
    #[must_use]
    pub fn new(program: impl Into<OsString>, why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            stdin: Vec::new(),
            deadline: Some(DEFAULT_DEADLINE),
            silence: false,
            answers: vec![0],
            shown: true,
        }
    }

    /// Adds one word.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds words.
    #[must_use]
    pub fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable out of the program's environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Makes a tool's messages parseable: no translation, whatever the person's locale is.
    #[must_use]
    pub fn untranslated(self) -> Self {
        self.env_remove("LC_ALL").env_remove("LANGUAGE").env("LC_MESSAGES", "C")
    }

    /// Sets the directory it runs in.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Gives it these bytes on standard input (empty otherwise).
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets how long it may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Lets it take as long as it needs: only for what a person or its own keep-alive ends.
    #[must_use]
    pub fn no_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }

    /// Lets it take as long as it needs, but not this long without writing anything.
    #[must_use]
    pub fn silence(mut self, most: Duration) -> Self {
        (self.deadline, self.silence) = (Some(most), true);
        self
    }

    /// Names the exit codes that are answers; every other one is an error. Without this only 0 is.
    #[must_use]
    pub fn answers(mut self, codes: &[i32]) -> Self {
        self.answers = codes.to_vec();
        self
    }

    /// Keeps what it writes out of the log: it may be what stands in a person's own files.
    #[must_use]
    pub fn not_shown(mut self) -> Self {
        self.shown = false;
        self
    }

    pub(super) fn is_shown(&self) -> bool {
        self.shown
    }

    /// What it is for.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The words after the program.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The command without the environment that it gets.
    #[must_use]
    pub fn words(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quote::posix(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn environment(&self) -> &[(OsString, Option<OsString>)] {
        &self.env
    }

    pub(super) fn directory(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    pub(super) fn input(&self) -> &[u8] {
        &self.stdin
    }

    pub(super) fn time_allowed(&self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn ends_when_silent(&self) -> bool {
        self.silence
    }

    pub(super) fn answers_with(&self, code: i32) -> bool {
        self.answers.contains(&code)
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            // The language of messages is our own concern, and says nothing to a reader.
            if let Some(value) = value.as_ref().filter(|_| name != "LC_MESSAGES") {
                write!(f, "{}={} ", name.to_string_lossy(), quote::posix(&value.to_string_lossy()))?;
            }
        }
        f.write_str(&self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_so_that_it_can_be_pasted() {
        let cmd = Cmd::new("ssh", "connect").arg("-o").arg("A=b c").arg("it's").arg("");
        assert_eq!(cmd.to_string(), r"ssh -o 'A=b c' 'it'\''s' ''");
        let cmd = Cmd::new("m", "list").env("DIR", "/a b").env_remove("X").untranslated();
        assert_eq!(cmd.to_string(), "DIR='/a b' m");
        assert_eq!(cmd.words(), "m");
    }
}
