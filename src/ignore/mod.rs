//! What is not synced: the list of ignore patterns that Mutagen gets.
//!
//! Mutagen reads the list from the first pattern to the last, and the last one that matches decides. So the order is
//! the precedence, weakest first:
//!
//! 1. the project's root `.gitignore`, when `gitignore = true`: its `!` lines undo its own lines and nothing else;
//! 2. what nobody wants to sync ([`DEFAULTS`]);
//! 3. `ignore` of the user's configuration, then of `.sinc.toml`;
//! 4. the lines of `.sincignore`;
//! 5. what must never be synced ([`ALWAYS`]): last, so that nothing can bring it back.

pub use gitignore::from_gitignore;
pub use matcher::Matcher;
pub(crate) use pattern::is_misleading;
pub use pattern::{BadPattern, IgnorePattern, Pattern, Source};

mod gitignore;
mod matcher;
mod pattern;

/// Ignored unless a later pattern says otherwise.
pub const DEFAULTS: &[&str] = &["node_modules", ".venv", "__pycache__", ".DS_Store"];

/// The file in which sinc says on the host whose directory this is.
pub const MARKER: &str = ".sinc-session";

/// Ignored whatever anybody says.
///
/// `.git` in every spelling that some file system takes for it, at any depth, be it directory, file or link: a `.git`
/// planted by the host would make git here run the host's commands.
pub const ALWAYS: &[&str] = &[".[gG][iI][tT]", ".[gG][iI][tT][ .]*", "[gG][iI][tT]~[0-9]", "/.sinc-session"];

/// The most patterns that one file may hold: Mutagen tries each of them on each file.
pub const MOST_PATTERNS: usize = 10_000;

/// The whole list, in the order in which Mutagen must get it.
///
/// `gitignore` is the converted `.gitignore`, `config` what the user's configuration ignores, and `project` what
/// `.sinc.toml` and then `.sincignore` ignore.
pub fn list(gitignore: &[Pattern], config: &[Pattern], project: &[Pattern]) -> Vec<String> {
    let written = |patterns: &[Pattern]| patterns.iter().map(|p| p.pattern.to_string()).collect::<Vec<_>>();
    let fixed = |patterns: &[&str]| patterns.iter().map(|&p| p.to_owned()).collect::<Vec<_>>();
    [written(gitignore), fixed(DEFAULTS), written(config), written(project), fixed(ALWAYS)].concat()
}

/// The patterns of a `.sincignore`: one a line in Mutagen's syntax; empty lines and lines that begin with `#` are
/// skipped, and so are spaces at the end (write `\ ` for one that counts).
///
/// One line that Mutagen would refuse makes the whole file an error, because guessing what was meant would sync files
/// that somebody wanted to keep.
pub fn from_sincignore(text: &str) -> Result<Vec<Pattern>, LineError> {
    let mut patterns = Vec::new();
    for (line, text) in lines(text) {
        let text = without_trailing_spaces(text);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let pattern =
            IgnorePattern::parse(text).map_err(|error| LineError { line, message: error.to_string() })?;
        patterns.push(Pattern { pattern, source: Source::SincIgnore { line } });
        if patterns.len() > MOST_PATTERNS {
            return Err(LineError { line, message: format!("more than {MOST_PATTERNS} patterns") });
        }
    }
    Ok(patterns)
}

/// A line of an ignore file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// The lines of a text with their numbers, without a byte order mark and without the `\r` of Windows.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)))
}

/// The line without the spaces and tabs at its end; one after a backslash stays.
fn without_trailing_spaces(line: &str) -> &str {
    let mut kept = 0;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' => {}
            '\\' => kept = chars.next().map_or(line.len(), |(at, c)| at + c.len_utf8()),
            c => kept = at + c.len_utf8(),
        }
    }
    &line[..kept]
}

#[cfg(test)]
mod tests;
