//! A command of `sinc run` on the host: the words for `run.sh` and for `run_guard.sh`, which stands by.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::scripts::{RUN, RUN_GUARD};
use crate::process::{Cmd, quote};
use crate::remote::Remote;

/// What the login shell runs, so that its environment can be read. In every shell it means the same.
const ASK: &str = "exec sh -c \"echo sinc-env-begin; export -p; echo sinc-env-end\"";

/// A command to run.
#[derive(Clone, Debug)]
pub struct Command<'a> {
    /// The session's id.
    pub id: &'a str,
    /// The session's directory on the host.
    pub directory: &'a str,
    /// The directory in it to run in; empty for itself.
    pub below: &'a OsStr,
    /// The command.
    pub words: &'a [OsString],
    /// Does it get a terminal?
    pub tty: bool,
}

impl Command<'_> {
    /// The ssh that stands by.
    #[must_use]
    pub fn guard_cmd(&self, remote: &Remote) -> Cmd {
        let words = [self.id, self.directory, "stand", ASK];
        remote.script_cmd("stand by on the host", &RUN_GUARD, &words).no_deadline()
    }

    /// Looks at the place only: connects where no connection is shared yet, and lets ssh ask its questions.
    ///
    /// # Errors
    /// The host was not reached. Code 94 is an answer.
    pub fn look(
        &self,
        remote: &Remote,
        notice: &dyn Fn(&str),
    ) -> Result<crate::remote::Reply, crate::remote::RemoteError> {
        remote.call("look at the directory", &RUN_GUARD, &[self.id, self.directory, "look"], notice)
    }

    /// The ssh whose streams are the command's. `place` is what the guard made; without it the command runs alone.
    #[must_use]
    pub fn run_cmd(&self, remote: &Remote, place: &str, mark: bool) -> Cmd {
        let mut directory = quote::octal(self.directory.as_bytes());
        if !self.below.is_empty() {
            directory = format!("{directory}/{}", quote::octal(self.below.as_bytes()));
        }
        // What no shell reads wrongly is left readable.
        let plain: Option<Vec<&str>> =
            self.words.iter().map(|word| word.to_str().filter(|w| !w.contains(char::is_control))).collect();
        let octal = || self.words.iter().map(|word| quote::octal(word.as_bytes())).collect();
        let (how, words): (_, Vec<String>) = match plain {
            Some(words) => ("plain", words.into_iter().map(str::to_owned).collect()),
            None => ("octal", octal()),
        };
        let mark = match (mark, self.tty) {
            (false, _) => "none",
            (true, true) => "one",
            (true, false) => "both",
        };
        let mut all = vec![place, &directory, mark, how];
        all.extend(words.iter().map(String::as_str));
        remote.streams_cmd("run the command", &RUN, &all, self.tty)
    }
}

/// The line that sets a variable of the command.
#[must_use]
pub fn variable(name: &str, value: &OsStr) -> String {
    format!("var {name}={}", quote::octal(value.as_bytes()))
}
