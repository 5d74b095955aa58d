//! What making one side like the other would do: pure.

use std::path::PathBuf;

use crate::listing::{Difference, Entry, Kind, Listing, What, tops};
use crate::tools::mutagen::Side;

/// A path of the losing side that goes into its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// The path.
    pub(super) path: PathBuf,
    /// Does the winning side have something in its place? If not, it is deleted.
    pub(super) overwritten: bool,
    /// What is at and below it, as it was seen.
    pub(super) entries: Vec<(PathBuf, Entry)>,
}

/// All that is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What goes.
    pub(super) losses: Vec<Loss>,
    /// How many paths come that the losing side does not have.
    pub(super) comes: u64,
}

impl Plan {
    /// What is to be done so that the losing side is like the winning one. What Mutagen would not bring over is left alone.
    pub(super) fn new(winner: Side, differences: &[Difference], losing: &Listing) -> Self {
        let mut plan = Self::default();
        let synced: Vec<Difference> = differences.iter().filter(|one| one.is_synced()).cloned().collect();
        let of = |one: &Difference, side: Side| match side {
            Side::Local => one.local.clone(),
            Side::Remote => one.remote.clone(),
        };
        for one in tops(&synced) {
            let (wins, loses) = (of(one, winner), of(one, winner.other()));
            if loses.is_some() {
                let entries = losing.below(&one.path).map(|(path, entry)| (path.to_owned(), entry.clone()));
                plan.losses.push(Loss {
                    path: one.path.clone(),
                    overwritten: wins.is_some(),
                    entries: entries.collect(),
                });
            }
        }
        let nowhere = |one: &&Difference| of(one, winner.other()).is_none();
        plan.comes = synced.iter().filter(nowhere).count() as u64;
        plan
    }

    /// Are both sides equal?
    pub(super) fn is_empty(&self) -> bool {
        self.losses.is_empty() && self.comes == 0
    }

    /// How many would be overwritten, and how many deleted.
    pub(super) fn counts(&self) -> (u64, u64) {
        let overwritten = self.losses.iter().filter(|loss| loss.overwritten).count() as u64;
        (overwritten, self.losses.len() as u64 - overwritten)
    }

    /// The paths that go.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.losses.iter().map(|loss| loss.path.clone()).collect()
    }
}

impl Loss {
    /// Is it a directory?
    pub(super) fn is_directory(&self) -> bool {
        self.entries.first().is_some_and(|(_, entry)| entry.kind == Kind::Directory)
    }
}

/// Files whose sameness only digests decide are asked for before; what is left undecided cannot be read.
pub(super) fn unreadable(differences: &[Difference]) -> Option<&Difference> {
    differences.iter().find(|one| one.what == What::Unknown)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::listing::compare;

    fn listing(entries: &[(&str, Kind, u64)]) -> Listing {
        let entry = |kind, size| Entry { kind, size, mode: 0o644, mtime: 1, target: None, digest: None };
        let entries = entries.iter().map(|(path, kind, size)| (PathBuf::from(path), entry(*kind, *size)));
        Listing { entries: entries.collect(), unread: Vec::new() }
    }

    #[test]
    fn the_loser_loses_what_differs_and_what_only_it_has() {
        use Kind::{Directory, File, Other};
        let here =
            listing(&[("both", File, 1), ("here", Directory, 0), ("here/a", File, 1), ("kind", File, 1)]);
        let there = listing(&[
            ("both", File, 2),
            ("kind", Directory, 0),
            ("kind/b", File, 1),
            ("pipe", Other, 0),
            ("there", Directory, 0),
            ("there/c", File, 1),
        ]);
        let differences = compare(&here, &there);
        let push = Plan::new(Side::Local, &differences, &there);
        assert_eq!(push.paths(), ["both", "kind", "there"].map(PathBuf::from));
        assert_eq!((push.counts(), push.comes), ((2, 1), 2));
        assert!(push.losses[1].is_directory() && push.losses[1].entries.len() == 2);
        let pull = Plan::new(Side::Remote, &differences, &here);
        assert_eq!(pull.paths(), ["both", "here", "kind"].map(PathBuf::from));
        assert_eq!((pull.counts(), pull.comes), ((2, 1), 3));
        assert_eq!(pull.losses[1].entries[1].0, Path::new("here/a"));
        let same = listing(&[("d", Directory, 0)]);
        assert!(Plan::new(Side::Local, &compare(&same, &same), &same).is_empty());
    }
}
