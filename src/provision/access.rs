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
    own: bool,
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
        Self { remote, password: None, own: false }
    }

    /// With the rights that this password gives.
    #[must_use]
    pub fn with_password(self, password: String) -> Self {
        Self { password: Some(password), ..self }
    }

    /// With the rights of the login alone, also where it could have root's.
    #[must_use]
    pub fn with_own_rights(self) -> Self {
        Self { password: None, own: true, ..self }
    }

    /// The same rights over another connection.
    #[must_use]
    pub fn over<'b>(&self, remote: &'b Remote) -> Access<'b> {
        Access { remote, password: self.password.clone(), own: self.own }
    }

    fn words(&self) -> [&'static str; 1] {
        match (self.own, &self.password) {
            (true, _) => ["own"],
            (false, Some(_)) => ["password"],
            (false, None) => ["asked"],
        }
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
    fn the_login_may_do_without_the_rights_that_it_could_have() {
        use crate::process::{Cmd, Runner};
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        put("id", "case $1 in -u) echo 1000 ;; *) echo dev ;; esac");
        put("sudo", "shift; exec \"$@\"");
        let enter = dir.path().join("enter");
        std::fs::write(&enter, include_str!("enter.sh")).unwrap();
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        for (word, rights) in [("asked", "sudo"), ("own", "none")] {
            let cmd = Cmd::new("sh", "enter").args([enter.to_str().unwrap(), word]).env("PATH", &path);
            let output = Runner::default().answer(&cmd.stdin("echo \"$4\"\n")).unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("sinc-begin 1\n{rights}\n"));
        }
    }

    #[test]
    fn the_log_has_no_text_of_a_file() {
        let answer = "user dev\nfact mcp 7 - edit =7b2022746f6b656e22 0600 dev\nfact mcp 8 - edit -\n";
        let shown = "user dev\nfact mcp 7 - edit =*** 0600 dev\nfact mcp 8 - edit -\n";
        assert_eq!(without_files(answer), shown);
    }
}
