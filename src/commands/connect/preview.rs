//! What a directory on the host that has files already has in common with the one here: looked at before anybody is asked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Plan;
use crate::commands::paint::{harmless, shorten};
use crate::ignore::Matcher;
use crate::listing::{Entry, Kind, Listing, Pair, What, affordable, compare, link_fault, undecided};
use crate::process::interrupted;
use crate::ui::count;

/// How long each of two looks at both sides may take: a person waits for the question.
const DEADLINE: Duration = Duration::from_secs(15);

/// So many bytes are read on each side at the most, to find what differs and has the same size.
const READ: u64 = 256 << 20;

/// How many that differ are named.
const NAMED: usize = 5;

/// The longest reason that is said, in characters.
const LONGEST: usize = 200;

/// Two directories beside each other: files and links of what is synced.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Overlap {
    /// How many are the same on both sides.
    same: u64,
    /// How many differ.
    different: u64,
    /// How many are only here.
    only_here: u64,
    /// How many are only on the host.
    only_there: u64,
    /// How many have the same size and were not read, or could not be.
    unknown: u64,
    /// Those that differ, or the first of them.
    differing: Vec<String>,
}

impl Overlap {
    fn of(here: &Listing, there: &Listing) -> Self {
        let mut overlap = Self::default();
        let is_synced = |entry: &Entry| matches!(entry.kind, Kind::File | Kind::Link);
        let on_both = |(path, entry): &(&PathBuf, &Entry)| {
            is_synced(entry)
                && there.entries.get(*path).is_some_and(|other| other.kind == entry.kind)
                && entry.target.as_ref().is_none_or(|target| link_fault(path, target).is_none())
        };
        overlap.same = here.entries.iter().filter(on_both).count() as u64;
        for one in compare(here, there).iter().filter(|one| one.is_synced()) {
            let counts = one.local.as_ref().or(one.remote.as_ref()).is_some_and(is_synced);
            match one.what {
                What::OnlyHere => overlap.only_here += u64::from(counts),
                What::OnlyThere => overlap.only_there += u64::from(counts),
                What::Unknown => overlap.unknown += 1,
                What::Kind | What::Content | What::Mode => {
                    overlap.different += 1;
                    overlap.differing.push(one.path.to_string_lossy().into_owned());
                }
            }
            overlap.same -= u64::from(matches!(one.what, What::Unknown | What::Content | What::Mode));
        }
        overlap
    }

    /// A sentence, and the first that differ.
    fn lines(&self) -> Vec<String> {
        let parts = [
            (self.same, "the same on both sides"),
            (self.different, "different"),
            (self.unknown, "of the same size and not read"),
            (self.only_here, "only here"),
            (self.only_there, "only there"),
        ];
        let parts = parts.iter().filter(|(number, word)| *number > 0 || *word == "the same on both sides");
        let parts: Vec<String> = parts.map(|(number, word)| format!("{} {word}", count(*number))).collect();
        let mut lines = vec![format!("files there and here: {}", parts.join(", "))];
        lines.extend(self.differing.iter().take(NAMED).map(|path| format!("different  {}", harmless(path))));
        let more = self.different.saturating_sub(NAMED as u64);
        if more > 0 {
            lines.push(format!("… and {} more that are different", count(more)));
        }
        lines
    }
}

impl Plan<'_> {
    /// Compares both sides, and says what is the same and what is not. Where that takes too long it says so, and no more is
    /// known than before.
    ///
    /// # Errors
    /// A signal came.
    pub(super) fn compare_with(&self, directory: &str) -> Result<Option<Overlap>> {
        let line = self.ctx.ui.progress();
        line.show("Comparing", &format!("with {}", self.host.name));
        let overlap = self.overlap(directory);
        drop(line);
        interrupted()?;
        match overlap {
            Ok(overlap) => {
                overlap.lines().iter().for_each(|line| self.ctx.ui.note(line));
                Ok(Some(overlap))
            }
            Err(error) => {
                // What the script said is in the second line.
                let why: Vec<_> =
                    format!("{error:#}").lines().take(2).map(|line| harmless(line.trim())).collect();
                let why = shorten(&why.join(": "), LONGEST);
                self.ctx.ui.note(&format!("what is the same and what differs is not known: {why}"));
                Ok(None)
            }
        }
    }

    fn overlap(&self, directory: &str) -> Result<Overlap> {
        let ignored = Matcher::new(&self.settings.ignores);
        let pair = Pair { local: &self.project.root, host: &self.remote, remote: directory };
        let (mut here, mut there) = pair.list(&ignored, Some(DEADLINE))?;
        let asked = affordable(undecided(&compare(&here, &there)), &here, &there, READ);
        pair.add_digests(&asked, (&mut here, &mut there), Some(DEADLINE))?;
        Ok(Overlap::of(&here, &there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(entries: &[(&str, Kind, &str)]) -> Listing {
        let entry = |kind, text: &str| Entry {
            kind,
            size: text.len() as u64,
            mode: 0o644,
            mtime: 1,
            target: (kind == Kind::Link).then(|| PathBuf::from(text)),
            digest: (text != "?").then(|| text.to_owned()),
        };
        let entries = entries.iter().map(|(path, kind, text)| (PathBuf::from(path), entry(*kind, text)));
        Listing { entries: entries.collect(), unread: Vec::new() }
    }

    #[test]
    fn files_and_links_are_counted_and_the_first_that_differ_named() {
        use Kind::{Directory, File, Link, Other};
        let mut here = vec![
            ("d", Directory, ""),
            ("d/same", File, "1"),
            ("here", File, "1"),
            ("kind", File, "1"),
            ("link", Link, "d"),
            ("out", Link, "/x"),
            ("pipe", Other, ""),
            ("unread", File, "?"),
        ];
        let mut there = vec![
            ("d", Directory, ""),
            ("d/same", File, "1"),
            ("kind", Directory, ""),
            ("kind/x", File, "1"),
            ("link", Link, "d"),
            ("out", Link, "/y"),
            ("unread", File, "?"),
        ];
        let names: Vec<String> = (0..7).map(|n| format!("z{n}")).collect();
        for name in &names {
            here.push((name, File, "1"));
            there.push((name, File, "2"));
        }
        let overlap = Overlap::of(&listing(&here), &listing(&there));
        // `out` is left alone on both sides, whatever it is.
        assert_eq!(
            overlap.lines(),
            [
                "files there and here: 2 the same on both sides, 8 different, 1 of the same size and not read, 1 only here, 1 only there",
                "different  kind",
                "different  z0",
                "different  z1",
                "different  z2",
                "different  z3",
                "… and 3 more that are different",
            ]
        );
        assert_eq!(overlap.differing.len(), 8);
    }
}
