//! The host with the rights that there are: programs go to it over standard input, with the password that sudo wants, if
//! it wants one, in the line before.

use std::fmt;
use std::time::Duration;

use super::program::ENTER;
use crate::remote::{Answer, Remote, RemoteError};

/// How long a program that only looks may take.
const LOOK: Duration = Duration::from_secs(120);

/// sudo does not take the password.
#[derive(Debug)]
pub struct WrongPassword;

impl fmt::Display for WrongPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sudo on the host does not take that password")
    }
}

impl std::error::Error for WrongPassword {}

/// A host, and how root's rights come there.
#[derive(Clone)]
pub struct Access<'a> {
    remote: &'a Remote,
    password: Option<String>,
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("password", &self.password.is_some()).finish_non_exhaustive()
    }
}

impl<'a> Access<'a> {
    /// With the rights that come without a question.
    #[must_use]
    pub fn new(remote: &'a Remote) -> Self {
        Self { remote, password: None }
    }

    /// With the rights that this password gives.
    #[must_use]
    pub fn with_password(self, password: String) -> Self {
        Self { password: Some(password), ..self }
    }

    /// The same rights over another connection.
    #[must_use]
    pub fn over<'b>(&self, remote: &'b Remote) -> Access<'b> {
        Access { remote, password: self.password.clone() }
    }

    fn words(&self) -> [&'static str; 1] {
        [if self.password.is_some() { "password" } else { "asked" }]
    }

    fn input(&self, program: &str) -> Vec<u8> {
        match &self.password {
            Some(password) => format!("{password}\n{program}").into_bytes(),
            None => program.as_bytes().to_vec(),
        }
    }

    /// Runs a program that answers soon; gives what it said.
    ///
    /// # Errors
    /// The host was not reached, the password is wrong, or the program broke.
    pub fn ask(&self, why: &str, program: &str) -> anyhow::Result<String> {
        let Answer { code, bytes, said } =
            self.remote.exchange_not_shown(why, &ENTER, &self.words(), self.input(program), LOOK)?;
        if tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!(answer = ?without_files(&String::from_utf8_lossy(&bytes)), said, "output");
        }
        match code {
            0 => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            91 => Err(WrongPassword.into()),
            code => {
                let host = self.remote.name().to_owned();
                Err(RemoteError::Script { host, doing: why.to_owned(), code, said }.into())
            }
        }
    }

    /// Runs a program that goes on for a while, and hands over each line of it; gives its exit code.
    ///
    /// # Errors
    /// The host was not reached, or the line was lost.
    pub fn follow(&self, why: &str, program: &str, each: &mut dyn FnMut(&str)) -> Result<i32, RemoteError> {
        self.remote.stream(why, &ENTER, &self.words(), self.input(program), each)
    }
}

/// The answer without the texts of files, which may hold a person's secrets.
fn without_files(answer: &str) -> String {
    let shown = |line: &str| match line.split_once(" edit =") {
        Some((head, text)) => {
            let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{head} edit =*** {rest}\n")
        }
        None => format!("{line}\n"),
    };
    answer.lines().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_no_text_of_a_file() {
        let answer = "user dev\nfact mcp 7 - edit =7b2022746f6b656e22 0600 dev\nfact mcp 8 - edit -\n";
        let shown = "user dev\nfact mcp 7 - edit =*** 0600 dev\nfact mcp 8 - edit -\n";
        assert_eq!(without_files(answer), shown);
    }
}
