//! The kinds of values that a configuration holds, each checked where it is read, so that a mistake has a line and a
//! column.

use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::Error as TextError;
use serde::{Deserialize, Serialize};

/// How the terminal reaches the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// What was measured to be best: ssh.
    #[default]
    Auto,
    /// OpenSSH.
    Ssh,
    /// Eternal Terminal.
    Et,
}

/// What flows where, and what happens when the two sides differ. Mutagen's words, from this side where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Both ways; a file changed on both sides is a conflict and stays as it is.
    #[default]
    TwoWaySafe,
    /// Both ways; a file changed on both sides becomes the local one.
    TwoWayResolved,
    /// To the host only; what changed there stays.
    OneWaySafe,
    /// To the host only; the host's side becomes a copy.
    OneWayReplica,
    /// From the host only; what changed here stays.
    OneWaySafeFromHost,
    /// From the host only; this side becomes a copy.
    OneWayReplicaFromHost,
    /// Nothing is synced.
    None,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Reads a value from the plain text of a variable or a flag; the error is serde's, as for a file.
pub(super) fn from_text<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
    T::deserialize(IntoDeserializer::<TextError>::into_deserializer(text)).map_err(|error| error.to_string())
}

/// Makes a text type that is checked when it is read.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it is legal; else says what is wrong, with the text.
            pub fn parse(text: &str) -> Result<$name, String> {
                let check: fn(&str) -> Result<String, &'static str> = $check;
                match check(text) {
                    Ok(text) => Ok($name(text)),
                    Err(why) => Err(format!("`{}` {why}", text.escape_debug())),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<$name, String> {
                $name::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// The name of a host or an agent in the configuration.
    Name,
    |text| {
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.is_empty() || text.len() > 64 || text.starts_with(['.', '-']) || !text.chars().all(legal) {
            return Err("is not a name: at most 64 letters, digits, `.`, `_` and `-`, not beginning with `.` or `-`");
        }
        Ok(text.to_owned())
    }
);

checked_text!(
    /// The directory on the host in which the projects' directories lie.
    Workspace,
    |text| {
        if text.contains(char::is_control) {
            return Err("is not a directory: it contains a control character");
        }
        let absolute = text.starts_with('/') || text == "~" || text.starts_with("~/");
        if !absolute {
            return Err("is not a directory that begins with `/` or `~/`");
        }
        if text.split('/').any(|part| part == "..") {
            return Err("is not a directory: it contains `..`");
        }
        let trimmed = text.trim_end_matches('/');
        Ok(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
    }
);

checked_text!(
    /// What starts an agent, for the login shell on the host.
    AgentCommand,
    |text| match text.trim() {
        "" => Err("is not a command: it is empty"),
        _ if text.contains(char::is_control) => Err("is not a command: it contains a control character"),
        command => Ok(command.to_owned()),
    }
);

checked_text!(
    /// A program on this computer.
    ProgramPath,
    |text| {
        if text.contains(char::is_control) || !(text.starts_with('/') || text.starts_with("~/")) {
            return Err("is not a path that begins with `/` or `~/`");
        }
        Ok(text.to_owned())
    }
);

checked_text!(
    /// Where to fetch something.
    Url,
    |text| {
        let known = ["https://", "http://", "file:///"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        if !known || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err("is not a URL that begins with `https://`, `http://` or `file:///`");
        }
        Ok(text.to_owned())
    }
);

checked_text!(
    /// A SHA-256 sum, in small letters.
    Sha256Sum,
    |text| {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("is not a SHA-256 sum: 64 hexadecimal digits");
        }
        Ok(text.to_ascii_lowercase())
    }
);

checked_text!(
    /// The mode of new files, as four octal digits.
    FileMode,
    |text| {
        let mode = octal(text)?;
        if mode & 0o111 != 0 {
            return Err("makes every file executable; executable files get those bits by themselves");
        }
        if mode & 0o600 != 0o600 {
            return Err("would take the owner's right to read or write");
        }
        Ok(format!("{mode:04o}"))
    }
);

checked_text!(
    /// The mode of new directories, as four octal digits.
    DirectoryMode,
    |text| {
        let mode = octal(text)?;
        if mode & 0o700 != 0o700 {
            return Err("would take the owner's right to read, write or enter");
        }
        Ok(format!("{mode:04o}"))
    }
);

impl Url {
    /// Does it hold a user's name, or a password?
    pub(super) fn has_login(&self) -> bool {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().is_some_and(|place| place.contains('@'))
    }
}

impl FileMode {
    /// What a person expects.
    pub(super) fn standard() -> FileMode {
        FileMode("0644".to_owned())
    }
}

impl DirectoryMode {
    /// What a person expects.
    pub(super) fn standard() -> DirectoryMode {
        DirectoryMode("0755".to_owned())
    }
}

fn octal(text: &str) -> Result<u32, &'static str> {
    const NOT_A_MODE: &str = "is not a mode: three octal digits with a 0 before them, as in \"0644\"";
    let digits = if text.len() == 4 { text.strip_prefix('0').ok_or(NOT_A_MODE)? } else { text };
    if digits.len() != 3 || !digits.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return Err(NOT_A_MODE);
    }
    u32::from_str_radix(digits, 8).map_err(|_| NOT_A_MODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_choices_print_as_they_are_written() {
        for (mode, text) in [
            (Mode::TwoWaySafe, "two-way-safe"),
            (Mode::TwoWayResolved, "two-way-resolved"),
            (Mode::OneWaySafe, "one-way-safe"),
            (Mode::OneWayReplica, "one-way-replica"),
            (Mode::OneWaySafeFromHost, "one-way-safe-from-host"),
            (Mode::OneWayReplicaFromHost, "one-way-replica-from-host"),
            (Mode::None, "none"),
        ] {
            assert_eq!(mode.to_string(), text);
            assert_eq!(from_text::<Mode>(text), Ok(mode));
        }
        assert_eq!(Transport::Et.to_string(), "et");
        assert_eq!(
            from_text::<Transport>("mosh").unwrap_err(),
            "unknown variant `mosh`, expected one of `auto`, `ssh`, `et`"
        );
    }

    #[test]
    fn legal_values_take_one_form() {
        assert_eq!(FileMode::parse("644").unwrap().as_str(), "0644");
        assert_eq!(DirectoryMode::parse("0750").unwrap().as_str(), "0750");
        assert_eq!(Sha256Sum::parse(&"AB".repeat(32)).unwrap().as_str(), "ab".repeat(32));
        assert_eq!(Workspace::parse("~/work/").unwrap().as_str(), "~/work");
        assert_eq!(Workspace::parse("/").unwrap().as_str(), "/");
        assert_eq!(AgentCommand::parse(" opencode --x ").unwrap().as_str(), "opencode --x");
        assert!(Name::parse("box-2.example_com").is_ok());
        assert!(Url::parse("https://mirror.example/mutagen.tar.gz").is_ok());
    }

    #[test]
    fn values_that_make_no_sense() {
        for text in ["", "64", "06444", "1644", "0o644", "0888", "0755", "0044", "+644"] {
            assert!(FileMode::parse(text).is_err(), "{text}");
        }
        assert!(DirectoryMode::parse("0644").is_err());
        for text in ["", "work", "~ann/work", "~/../x", "/a\nb"] {
            assert!(Workspace::parse(text).is_err(), "{text}");
        }
        for text in ["", "-x", ".x", "a b", "a/b", "ü", &"a".repeat(65)] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
        for text in ["", "https://", "ftp://x", "https://a b"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        for (text, has) in [
            ("https://user:token@mirror.example/x", true),
            ("http://token@mirror.example?x", true),
            ("https://mirror.example/@scope/x", false),
            ("https://mirror.example?at=a@b", false),
            ("file:///srv/a@b/", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().has_login(), has, "{text}");
        }
        assert!(AgentCommand::parse(" ").is_err() && AgentCommand::parse("a\nb").is_err());
        assert!(Sha256Sum::parse("abc").is_err());
        assert!(ProgramPath::parse("mutagen").is_err());
    }
}
