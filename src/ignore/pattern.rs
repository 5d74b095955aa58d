//! One ignore pattern, in Mutagen's syntax, and what makes it one that Mutagen takes.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The most ways in which the `{a,b}` groups of one pattern may combine. Mutagen tries them one by one for each
/// file, so without a limit a short line of a project's file could keep it busy for ever.
const MOST_ALTERNATIVES: usize = 1000;

/// The longest pattern: no path on Linux or macOS is longer.
const LONGEST: usize = 4096;

/// A text that Mutagen takes as an ignore pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IgnorePattern(String);

impl IgnorePattern {
    /// Takes `text` as a pattern if Mutagen would.
    pub fn parse(text: &str) -> Result<IgnorePattern, BadPattern> {
        check(text)
            .map(|()| IgnorePattern(text.to_owned()))
            .map_err(|why| BadPattern { text: text.to_owned(), why })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern brings files back in: `!keep.log`.
    pub fn is_negation(&self) -> bool {
        self.0.starts_with('!')
    }
}

impl fmt::Display for IgnorePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for IgnorePattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<IgnorePattern, BadPattern> {
        IgnorePattern::parse(&text)
    }
}

impl From<IgnorePattern> for String {
    fn from(pattern: IgnorePattern) -> String {
        pattern.0
    }
}

/// A text that is no ignore pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text: String = self.text.chars().take(60).collect();
        if text.len() < self.text.len() {
            text.push('…');
        }
        write!(f, "`{}` is not an ignore pattern: {}", text.replace(is_misleading, "\u{fffd}"), self.why)
    }
}

impl std::error::Error for BadPattern {}

/// Where a pattern was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// In sinc itself.
    BuiltIn,
    /// In the user's own configuration file.
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// In `.sinc.toml`.
    ProjectFile {
        /// The line, from 1.
        line: usize,
    },
    /// In `.sincignore`.
    SincIgnore {
        /// The line, from 1.
        line: usize,
    },
    /// In the root `.gitignore`.
    GitIgnore {
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::BuiltIn => f.write_str("built in"),
            Source::Config { path, line } => write!(f, "{}, line {line}", path.display()),
            Source::ProjectFile { line } => write!(f, ".sinc.toml, line {line}"),
            Source::SincIgnore { line } => write!(f, ".sincignore, line {line}"),
            Source::GitIgnore { line } => write!(f, ".gitignore, line {line}"),
        }
    }
}

/// A pattern and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The pattern.
    pub pattern: IgnorePattern,
    /// Where it was written.
    pub source: Source,
}

/// Whether a character would make a terminal do or show something else than the text: a control character, or one that
/// turns the direction of text.
pub(crate) fn is_misleading(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What Mutagen 0.18's `newIgnorePattern` and the matcher under it refuse, and a little more: characters that have no
/// place in a generated file, and brackets and braces within brackets, which the matcher reads in two ways.
fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > LONGEST {
        return Err("it is longer than any path");
    }
    if text.contains(is_misleading) {
        return Err("it contains a character that is not shown");
    }
    let pattern = text.strip_prefix('!').unwrap_or(text);
    if pattern.is_empty() {
        return Err("there is nothing after the `!`");
    }
    // Mutagen cleans the path and refuses what means the root; `.` is let through there and matches nothing.
    match clean(pattern).trim_matches('/') {
        "" | "." => return Err("it means the project itself, which cannot be ignored"),
        cleaned => check_glob(cleaned)?,
    }
    check_glob(pattern)
}

/// Go's `path.Clean`, as far as the check needs it: empty and `.` components go, `..` takes one away.
fn clean(pattern: &str) -> Cow<'_, str> {
    if !pattern.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Cow::Borrowed(pattern);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    Cow::Owned(parts.join("/"))
}

/// What doublestar's `ValidatePattern` checks, with the two limits of ours.
fn check_glob(pattern: &str) -> Result<(), &'static str> {
    let mut bytes = pattern.bytes();
    // For each open group: the number of its alternatives so far.
    let mut groups: Vec<usize> = Vec::new();
    let mut alternatives: usize = 1;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next().ok_or("nothing follows its last backslash")?),
            b'[' => check_class(&mut bytes)?,
            b'{' => groups.push(1),
            b',' => {
                if let Some(group) = groups.last_mut() {
                    *group += 1;
                }
            }
            b'}' => {
                let group = groups.pop().ok_or("a `}` has no `{` (write `\\}` for the character)")?;
                alternatives = alternatives.saturating_mul(group);
                if alternatives > MOST_ALTERNATIVES {
                    return Err("its `{…}` groups combine in more than 1000 ways");
                }
            }
            _ => {}
        }
    }
    if groups.is_empty() { Ok(()) } else { Err("a `{` is not closed (write `\\{` for the character)") }
}

/// Reads the rest of `[…]`.
fn check_class(bytes: &mut std::str::Bytes<'_>) -> Result<(), &'static str> {
    const OPEN: &str = "a `[` is not closed (write `\\[` for the character)";
    let mut first = true;
    let mut rest = bytes.clone();
    if matches!(rest.next(), Some(b'!' | b'^')) {
        *bytes = rest;
    }
    loop {
        match bytes.next().ok_or(OPEN)? {
            b']' if first => return Err("a `[]` is empty"),
            b']' => return Ok(()),
            b'\\' => drop(bytes.next().ok_or(OPEN)?),
            b'[' | b'{' | b'}' | b',' => {
                return Err("within `[…]`, write `[`, `{`, `}` and `,` with a backslash before them");
            }
            b'/' => return Err("a `/` cannot stand within `[…]`"),
            _ => {}
        }
        first = false;
    }
}
