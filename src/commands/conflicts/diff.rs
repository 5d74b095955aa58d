//! The difference between the two versions of a file, for people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use similar::TextDiff;

use crate::commands::paint::{Paint, Tone};
use crate::commands::sides::Sides;
use crate::listing::{Kind, remote_contents};
use crate::session::conflicts::Open;
use crate::tools::mutagen::Side;

/// The largest file whose difference is shown, bytes.
const MOST_BYTES: u64 = 256 * 1024;

/// How many files' differences are shown at once.
const MOST_FILES: usize = 30;

/// How many lines of one difference are shown.
const MOST_LINES: usize = 200;

/// What can be said of two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Diff {
    /// Lines as `diff -u` has them, from here (`-`) to the host (`+`).
    Text(String),
    /// One of them is no text.
    Binary,
    /// The content is the same.
    Same,
}

/// The differences of the conflicts that are two files, and small enough to be shown.
///
/// # Errors
/// The host cannot be asked.
pub(in crate::commands) fn diffs(sides: &Sides, open: &[Open]) -> Result<BTreeMap<PathBuf, Diff>> {
    let two_files = |one: &&Open| {
        [Side::Local, Side::Remote].iter().all(|side| {
            one.at(*side).is_some_and(|entry| entry.kind == Kind::File && entry.size <= MOST_BYTES)
        })
    };
    let paths: Vec<PathBuf> =
        open.iter().filter(two_files).take(MOST_FILES).map(|one| one.path.clone()).collect();
    let there = remote_contents(&sides.remote, &sides.record.remote, &paths, MOST_BYTES + 1)?;
    let mut found = BTreeMap::new();
    for path in paths {
        let here = std::fs::read(sides.record.local.join(&path));
        if let (Ok(here), Some(there)) = (here, there.get(&path)) {
            found.insert(path.clone(), of(&path, &here, there));
        }
    }
    Ok(found)
}

fn of(path: &Path, here: &[u8], there: &[u8]) -> Diff {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    if here == there {
        return Diff::Same;
    }
    let (Some(here), Some(there)) = (text(here), text(there)) else { return Diff::Binary };
    let name = crate::commands::paint::harmless(&path.to_string_lossy());
    let diff = TextDiff::configure().timeout(std::time::Duration::from_secs(2)).diff_lines(here, there);
    let text =
        diff.unified_diff().header(&format!("here: {name}"), &format!("on the host: {name}")).to_string();
    Diff::Text(text)
}

/// The lines as a terminal may show them.
pub(in crate::commands) fn lines(text: &str, paint: Paint) -> Vec<String> {
    let shown = |line: &str| -> String {
        line.chars().map(|c| if c != '\t' && crate::ignore::is_misleading(c) { '?' } else { c }).collect()
    };
    let mut lines: Vec<String> = text
        .lines()
        .take(MOST_LINES)
        .map(|line| {
            let tone = match line.as_bytes().first() {
                _ if line.starts_with("--- ") || line.starts_with("+++ ") => Tone::Strong,
                Some(b'-') => Tone::Bad,
                Some(b'+') => Tone::Good,
                Some(b'@') => Tone::Quiet,
                _ => Tone::Plain,
            };
            paint.paint(tone, &shown(line))
        })
        .collect();
    let more = text.lines().count().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(paint.paint(Tone::Quiet, &format!("… and {more} more lines")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_binary_and_the_same() {
        let path = Path::new("a b");
        let Diff::Text(text) = of(path, b"one\ntwo\n", b"one\nTWO\n") else { panic!("no text") };
        assert_eq!(text, "--- here: a b\n+++ on the host: a b\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n");
        assert_eq!(of(path, b"a\0", b"b"), Diff::Binary);
        assert_eq!(of(path, b"\xff", b"b"), Diff::Binary);
        assert_eq!(of(path, b"b", b"b"), Diff::Same);
        assert_eq!(lines("+a\x1b[2J\tb\n", Paint::off()), ["+a?[2J\tb"]);
        assert_eq!(lines(&"x\n".repeat(300), Paint::off()).last().unwrap(), "… and 100 more lines");
    }
}
