//! What a script on the host answered.

use std::fmt;

use crate::ignore::is_misleading;

/// The line that opens an answer: what an rc file printed before it does not count.
pub const BEGIN: &str = "sinc-begin 1";

/// An answer: an exit code of ours and `key value` lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 0, or one of the scripts' own codes, 90 to 99.
    pub code: i32,
    lines: Vec<(String, String)>,
    /// What the script wrote to standard error.
    pub said: String,
    /// Something was printed before the answer: by an rc file of the login shell.
    pub noisy: bool,
}

/// An answer that lacks something.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplyError {
    /// The key that is missing.
    pub key: String,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer of the host lacks `{}`", self.key)
    }
}

impl std::error::Error for ReplyError {}

impl Reply {
    pub(super) fn new(code: i32, stdout: &[u8], said: String) -> Self {
        // What a host says is shown on a terminal, and no name of ours holds a character that does something there.
        let shown = |c: char| if c != '\n' && is_misleading(c) { '\u{fffd}' } else { c };
        let text: String = String::from_utf8_lossy(stdout).chars().map(shown).collect();
        // An rc file may end what it prints without a line break, and the answer begins behind it.
        let begin = text.lines().position(|line| line.ends_with(BEGIN));
        let noisy = begin.is_some_and(|begin| begin > 0) || !text.starts_with(BEGIN);
        let lines = text
            .lines()
            .skip(begin.map_or(usize::MAX, |begin| begin + 1))
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Self { code, lines, said: said.chars().map(shown).collect(), noisy }
    }

    #[cfg(test)]
    pub(crate) fn for_test(lines: &[(&str, &str)]) -> Self {
        let lines = lines.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { code: 0, lines, said: String::new(), noisy: false }
    }

    /// The first value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The first value of this key, which must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn need(&self, key: &str) -> Result<&str, ReplyError> {
        self.get(key).ok_or_else(|| ReplyError { key: key.to_owned() })
    }

    /// All values of this key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_rc_file_prints_is_not_the_answer() {
        let reply = Reply::new(0, b"Welcome!\ndir /evil\nsinc-begin 1\ndir /a  b \ntmux\n", String::new());
        assert_eq!(reply.get("dir"), Some("/a  b "));
        assert_eq!(reply.get("tmux"), Some(""));
        assert_eq!(
            Reply::new(0, b"sinc-begin 1\ndir /a\x1b[2Jb\n", String::new()).get("dir"),
            Some("/a\u{fffd}[2Jb")
        );
        assert!(reply.noisy);
        let reply = Reply::new(0, b"\x1b]0;title\x07sinc-begin 1\ndir /a\n", String::new());
        assert_eq!((reply.get("dir"), reply.noisy), (Some("/a"), true));
        assert!(!Reply::new(0, b"sinc-begin 1\ndir /a\n", String::new()).noisy);
        let reply = Reply::new(0, b"Welcome!\ndir /evil\nsinc-begin 1\ndir /a  b \ntmux\n", String::new());
        assert_eq!(reply.need("home").unwrap_err().to_string(), "the answer of the host lacks `home`");
    }
}
