//! What is not looked at: Mutagen's ignore patterns, matched here, and as one regular expression for the host.
//!
//! The expression only saves watches and needless cycles. Where it cannot say exactly what the patterns say (a `!` line
//! that may bring something back, a class with letters outside of ASCII) it leaves more to be looked at, never less, and
//! counts with it are not exact.

use std::fmt::Write as _;

use crate::git::watch::UNWATCHED;

/// More alternatives of `{a,b}` than this are not put into the expression.
const MOST_ALTERNATIVES: usize = 32;

/// The longest expression, bytes: one word of a command may have 128 KiB on Linux.
pub const LONGEST: usize = 60_000;

/// Names that Mutagen writes under before it renames: they are nobody's change
/// (`TemporaryNamePrefix` in `pkg/filesystem/temporary.go`).
const TEMPORARY: &str = ".mutagen-temporary-*";

/// The pattern for git's own directory.
const GIT: &str = ".[gG][iI][tT]";

/// The ignore patterns of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// It brings back what an earlier one took out.
    brings_back: bool,
    /// It means directories only.
    directories: bool,
    /// It is matched against the last component too.
    leaf: bool,
    /// The globs of its alternatives, without braces.
    globs: Vec<String>,
}

/// An expression for paths below a root that are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// POSIX extended, to be matched against whole paths.
    pub text: String,
    /// It says what the patterns say.
    pub exact: bool,
}

impl Rules {
    /// The rules of these patterns, in Mutagen's order: the last that matches decides.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        let with_temporary = patterns.iter().map(String::as_str).chain([TEMPORARY]);
        Self(with_temporary.map(Rule::new).collect())
    }

    /// Is this path (relative to the root, with `/`) left out?
    #[must_use]
    pub fn ignores(&self, path: &[u8], is_directory: bool) -> bool {
        let matching = self.0.iter().rev().find(|rule| rule.matches(path, is_directory));
        matching.is_some_and(|rule| !rule.brings_back)
    }

    /// The expression for what is left out below `root`.
    #[must_use]
    pub fn expression(&self, root: &str) -> Expression {
        self.said(root, false, LONGEST)
    }

    /// The expression for what is not watched below `root`: the same, but for what in its own `.git` tells that something there
    /// has moved.
    #[must_use]
    pub fn expression_with_git(&self, root: &str) -> Expression {
        self.said(root, true, LONGEST)
    }

    /// One of both, with patterns of not more than so many bytes.
    #[must_use]
    pub fn said(&self, root: &str, with_git: bool, longest: usize) -> Expression {
        let mut exact = true;
        let mut parts = Vec::new();
        let mut length = 0;
        for (index, rule) in self.0.iter().enumerate().filter(|(_, rule)| !rule.brings_back) {
            let later = &self.0[index + 1..];
            let told = rule.globs.iter().map(|glob| ere(glob)).collect::<Option<Vec<_>>>();
            let left_out =
                later.iter().any(|other| other.may_undo(rule)) || rule.takes_files_for_directories();
            let (Some(told), false) = (told, left_out) else {
                exact = false;
                continue;
            };
            let prefix = if rule.leaf { "(.*/)?" } else { "" };
            if with_git && rule.leaf && rule.globs == [GIT] {
                parts.push(format!("(.*/\\.[gG][iI][tT]|\\.(G[iI][tT]|g(I[tT]|iT))|\\.git/({UNWATCHED}))"));
                continue;
            }
            for glob in told {
                length += glob.len() + prefix.len() + 1;
                if length > longest {
                    return Expression { text: joined(root, &parts), exact: false };
                }
                parts.push(format!("{prefix}{glob}"));
            }
        }
        Expression { text: joined(root, &parts), exact }
    }
}

impl Rule {
    /// It means directories of any name: an expression, which cannot tell them from files, would mean all files too.
    fn takes_files_for_directories(&self) -> bool {
        let any = |glob: &String| {
            glob.rsplit('/').next().is_some_and(|last| last.trim_matches(['*', '?']).is_empty())
        };
        self.directories && self.globs.iter().any(any)
    }
}

fn joined(root: &str, parts: &[String]) -> String {
    let root = literal(root.trim_end_matches('/'));
    format!("{root}/({})", parts.join("|"))
}

impl Rule {
    fn new(pattern: &str) -> Self {
        let (brings_back, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let (absolute, pattern) = match pattern.strip_prefix('/') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let (directories, pattern) = match pattern.strip_suffix('/') {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        let clean: Vec<_> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let leaf = !absolute && clean.len() <= 1;
        Self { brings_back, directories, leaf, globs: alternatives(&clean.join("/")) }
    }

    fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        if self.directories && !is_directory {
            return false;
        }
        let leaf = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        self.globs.iter().any(|glob| fits(glob.as_bytes(), path) || self.leaf && fits(glob.as_bytes(), leaf))
    }

    /// Could this later rule bring back something that `earlier` took out? No only where both end in a plain name
    /// and the names differ.
    fn may_undo(&self, earlier: &Self) -> bool {
        let plain = |glob: &String| {
            let last = glob.rsplit('/').next().unwrap_or_default();
            (!last.contains(['*', '?', '[', '\\'])).then(|| last.to_owned())
        };
        self.brings_back
            && self.globs.iter().any(|mine| {
                earlier.globs.iter().any(|other| match (plain(mine), plain(other)) {
                    (Some(mine), Some(other)) => mine == other,
                    _ => true,
                })
            })
    }
}

/// A glob without its `{a,b}` groups: all that they stand for.
#[must_use]
pub fn alternatives(glob: &str) -> Vec<String> {
    let bytes = glob.as_bytes();
    let (mut depth, mut begin, mut parts, mut from) = (0_u32, 0, Vec::new(), 0);
    let (mut at, mut in_class) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            _ if in_class => {}
            b'{' => {
                if depth == 0 {
                    (begin, from) = (at, at + 1);
                }
                depth += 1;
            }
            b',' if depth == 1 => {
                parts.push(&glob[from..at]);
                from = at + 1;
            }
            b'}' if depth == 1 => {
                parts.push(&glob[from..at]);
                let (before, after) = (&glob[..begin], &glob[at + 1..]);
                return parts
                    .iter()
                    .flat_map(|part| alternatives(&format!("{before}{part}{after}")))
                    .collect();
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    vec![glob.to_owned()]
}

/// Does the glob, without braces, fit the whole path? As doublestar 4.7.1 has it: `**` as a whole component is any
/// number of them, `*` and `?` never match a slash.
fn fits(glob: &[u8], path: &[u8]) -> bool {
    match glob {
        [] => path.is_empty(),
        [b'*', b'*'] => true,
        // `a/**` is `a` too.
        [b'/', b'*', b'*'] if path.is_empty() => true,
        [b'*', b'*', b'/', rest @ ..] => {
            fits(rest, path)
                || path.iter().enumerate().any(|(at, byte)| *byte == b'/' && fits(rest, &path[at + 1..]))
        }
        [b'*', rest @ ..] => {
            let rest = if let [b'*', rest @ ..] = rest { rest } else { rest };
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            (0..=end).any(|at| fits(rest, &path[at..]))
        }
        [b'?', rest @ ..] => first(path).is_some_and(|(_, path)| fits(rest, path)),
        [b'[', rest @ ..] => match (class(rest), first(path)) {
            (Some((class, rest)), Some((letter, path))) => class.has(letter) && fits(rest, path),
            _ => false,
        },
        [b'\\', letter, rest @ ..] | [letter, rest @ ..] => {
            path.first() == Some(letter) && fits(rest, &path[1..])
        }
    }
}

/// The first character that is no slash, and what follows it.
fn first(path: &[u8]) -> Option<(char, &[u8])> {
    let length = match *path.first()? {
        b'/' => return None,
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    let letter = path.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match letter.and_then(|text| text.chars().next()) {
        Some(letter) => Some((letter, &path[length..])),
        None => Some((char::REPLACEMENT_CHARACTER, &path[1..])),
    }
}

/// What stands within `[…]`.
struct Class {
    not: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn has(&self, letter: char) -> bool {
        self.not != self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter))
    }
}

/// Reads a class after its `[`; gives what follows it too.
fn class(text: &[u8]) -> Option<(Class, &[u8])> {
    let text = std::str::from_utf8(text).ok()?;
    let mut letters = text.char_indices().peekable();
    let not = letters.next_if(|(_, c)| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match letters.next()? {
            (at, ']') => return Some((Class { not, ranges }, &text.as_bytes()[at + 1..])),
            (_, '\\') => letters.next()?.1,
            (_, letter) => letter,
        };
        let mut ahead = letters.clone();
        let to = match (ahead.next(), ahead.peek()) {
            (Some((_, '-')), Some((_, end))) if *end != ']' => {
                letters.next();
                match letters.next()?.1 {
                    '\\' => letters.next()?.1,
                    letter => letter,
                }
            }
            _ => from,
        };
        ranges.push((from, to));
    }
}

/// The glob as an extended regular expression in the locale C; nothing where that cannot say it.
fn ere(glob: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = glob.as_bytes();
    loop {
        rest = match rest {
            [] => return Some(text),
            [b'/', b'*', b'*'] => {
                text.push_str("(/.*)?");
                &[]
            }
            [b'*', b'*'] => {
                text.push_str(".*");
                &[]
            }
            [b'*', b'*', b'/', rest @ ..] => {
                text.push_str("(.*/)?");
                rest
            }
            [b'*', rest @ ..] => {
                text.push_str("[^/]*");
                rest
            }
            // A letter of several bytes is not matched: more is looked at.
            [b'?', rest @ ..] => {
                text.push_str("[^/]");
                rest
            }
            [b'[', rest @ ..] => {
                let (class, rest) = class(rest)?;
                text.push_str(&bracket(&class)?);
                rest
            }
            [b'\\', letter, rest @ ..] | [letter, rest @ ..] => {
                if letter.is_ascii() {
                    text.push_str(&literal(char::from(*letter).encode_utf8(&mut [0; 4])));
                    rest
                } else {
                    let whole = std::str::from_utf8(&glob.as_bytes()[glob.len() - rest.len() - 1..]).ok()?;
                    let letter = whole.chars().next()?;
                    text.push(letter);
                    &rest[letter.len_utf8() - 1..]
                }
            }
        };
        if text.len() > LONGEST || glob.len() > LONGEST / MOST_ALTERNATIVES {
            return None;
        }
    }
}

/// A bracket expression; all of its letters must be of ASCII.
fn bracket(class: &Class) -> Option<String> {
    let mut text = String::from(if class.not { "[^/" } else { "[" });
    let (mut minus, mut hat) = (false, false);
    for (from, to) in &class.ranges {
        if !from.is_ascii() || !to.is_ascii() {
            return None;
        }
        for letter in *from..=*to {
            match letter {
                // These have a place of their own.
                '-' => minus = true,
                '^' => hat = true,
                ']' => text.insert(if class.not { 2 } else { 1 }, ']'),
                '[' | '\\' | '/' => return None,
                letter => text.push(letter),
            }
        }
    }
    if hat {
        if text.len() == 1 {
            return None;
        }
        text.push('^');
    }
    if minus {
        text.push('-');
    }
    text.push(']');
    Some(text)
}

/// Plain text within an extended regular expression.
fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | '{' | '}' | '|' | '$' | ']' => {
                let _ = write!(quoted, "[{letter}]");
            }
            '^' | '\\' => {
                let _ = write!(quoted, "\\{letter}");
            }
            letter => quoted.push(letter),
        }
    }
    quoted
}

#[cfg(test)]
mod tests;
