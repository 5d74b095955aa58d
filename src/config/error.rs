//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::ignore::is_misleading;

/// A mistake in a configuration file, a `SINC_*` variable or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the mistake is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Where a mistake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The line itself, without characters that a terminal would obey.
        source_line: String,
        /// How many characters of it are meant, from 1.
        width: usize,
    },
    /// A file as a whole.
    File(PathBuf),
    /// An environment variable.
    Env(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl ConfigError {
    /// A mistake at `span` (in bytes) of the text of `file`.
    pub fn at(file: &Path, text: &str, span: Range<usize>, message: String) -> ConfigError {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end).clamp(start, line_end);
        let place = Place::Line {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            source_line: harmless(text[line_start..line_end].trim_end_matches('\r')),
            width: text[start..end].chars().count().max(1),
        };
        ConfigError { place, message: harmless_lines(&message), suggestion: None }
    }

    /// A mistake on a line (from 1) of the text of `file`.
    pub fn on_line(file: &Path, text: &str, line: usize, message: String) -> ConfigError {
        let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        let length = text[start..].lines().next().map_or(0, str::len);
        ConfigError::at(file, text, start..start + length, message)
    }

    /// A mistake of a file as a whole.
    pub(super) fn of_file(file: &Path, message: String) -> ConfigError {
        ConfigError {
            place: Place::File(file.to_owned()),
            message: harmless_lines(&message),
            suggestion: None,
        }
    }

    /// A mistake in a variable or a flag.
    pub(super) fn of_word(place: Place, message: &str) -> ConfigError {
        ConfigError { place, message: harmless_lines(message), suggestion: None }
    }

    /// What was probably meant, if anything.
    pub(super) fn suggesting(mut self, suggestion: Option<String>) -> ConfigError {
        self.suggestion = suggestion.map(|text| harmless(&text));
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match &self.place {
            Place::Line { file, line, column, source_line, width } => {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                let (shown, before, width) = window(source_line, *column, *width);
                let (blank, carets) = (" ".repeat(before), "^".repeat(width));
                writeln!(f, "{}:{line}:{column}: {message}", file.display())?;
                write!(f, "{margin} |\n{number} | {shown}\n{margin} | {blank}{carets}")?;
            }
            Place::File(file) => write!(f, "{}: {message}", file.display())?,
            Place::Env(name) => write!(f, "in the variable {name}: {message}")?,
            Place::Flag(name) => write!(f, "{name}: {message}")?,
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "\ndid you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// The one of `candidates` that is most like `word`, if any is like it.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase().replace('_', "-");
    // One slip of the finger weighs too much in a short word.
    let slip = |candidate: &str| word.len() > 2 && strsim::damerau_levenshtein(&word, candidate) == 1;
    let likeness = |candidate: &str| match slip(candidate) {
        true => 1.0,
        false => strsim::jaro_winkler(&word, candidate),
    };
    candidates
        .into_iter()
        .map(|candidate| (likeness(&candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// The largest position up to `at` that is between two characters.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// One line with each control character, tabs too, replaced by one space or `�`, so that columns still fit and a
/// terminal does not obey what a host wrote into a project's file.
fn harmless(line: &str) -> String {
    let replaced = |c: char| match c {
        '\t' => ' ',
        c if is_misleading(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    line.chars().map(replaced).collect()
}

/// A message on one line.
fn harmless_lines(message: &str) -> String {
    harmless(&message.trim_end().replace('\n', "; "))
}

/// The part of a long line around the column, the number of characters in it before the column, and the width.
fn window(line: &str, column: usize, width: usize) -> (String, usize, usize) {
    const MOST: usize = 100;
    let length = line.chars().count();
    let width = width.min(MOST / 2);
    if length <= MOST {
        return (line.to_owned(), column - 1, width);
    }
    let start = (column - 1).saturating_sub(MOST / 4);
    let part: String = line.chars().skip(start).take(MOST).collect();
    let head = if start > 0 { "…" } else { "" };
    let tail = if start + MOST < length { "…" } else { "" };
    (format!("{head}{part}{tail}"), column - 1 - start + head.chars().count(), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_and_the_caret_are_shown() {
        let text = "[sync]\nmöde = 3 # ü\n";
        let error = ConfigError::at(Path::new("/c"), text, 7..12, "unknown key `möde`".to_owned())
            .suggesting(nearest("möde", ["mode", "ignore"]));
        assert_eq!(
            error.to_string(),
            "/c:2:1: unknown key `möde`\n  |\n2 | möde = 3 # ü\n  | ^^^^\ndid you mean `mode`?"
        );
    }

    #[test]
    fn a_position_at_the_end_or_beyond_is_shown_too() {
        for span in [3..3, 4..9, 99..100] {
            let error = ConfigError::at(Path::new("/c"), "a =\n", span, "no value".to_owned());
            assert!(error.to_string().contains("no value"));
        }
        assert!(ConfigError::at(Path::new("/c"), "", 0..0, "x".to_owned()).to_string().starts_with("/c:1:1"));
    }

    #[test]
    fn a_whole_line() {
        let error = ConfigError::on_line(Path::new("/c"), "a\r\n[b\r\n", 2, "bad".to_owned());
        assert_eq!(error.to_string(), "/c:2:1: bad\n  |\n2 | [b\n  | ^^");
        assert!(ConfigError::on_line(Path::new("/c"), "a", 9, "bad".to_owned()).to_string().contains("bad"));
    }

    #[test]
    fn long_lines_are_cut_round_the_column() {
        let text = format!("{}x{}", "é".repeat(500), "b".repeat(500));
        let error = ConfigError::at(Path::new("/c"), &text, 1000..1001, "here".to_owned()).to_string();
        let lines: Vec<&str> = error.lines().collect();
        let caret = lines[3].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[2].chars().nth(caret), Some('x'));
        assert!(lines[2].chars().count() < 110);
    }

    #[test]
    fn nothing_that_a_terminal_would_obey() {
        let error =
            ConfigError::at(Path::new("/c"), "a\u{1b}[2J\u{202e}\tb", 0..1, "bad \u{1b}]0;x".to_owned());
        assert!(!error.to_string().contains(['\u{1b}', '\u{202e}', '\t']), "{error}");
    }

    #[test]
    fn the_nearest_name() {
        let modes = ["two-way-safe", "two-way-resolved", "one-way-safe", "one-way-replica"];
        assert_eq!(nearest("two-way", modes).as_deref(), Some("two-way-safe"));
        assert_eq!(nearest("one_way_replica", modes).as_deref(), Some("one-way-replica"));
        assert_eq!(nearest("mirror", modes), None);
        assert_eq!(nearest("bxo", ["fox", "box"]).as_deref(), Some("box"));
        assert_eq!(nearest("x", ["y"]), None);
    }
}
