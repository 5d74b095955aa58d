//! How two listings differ: pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Entry, Kind, Listing, link_fault};

/// How the two sides of a path differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Only this computer has it.
    OnlyHere,
    /// Only the host has it.
    OnlyThere,
    /// Things of two kinds.
    Kind,
    /// Two files of other content, or links that lead elsewhere.
    Content,
    /// Two files of the same content, one of them executable.
    Mode,
    /// Two files of the same size whose digests were not asked for.
    Unknown,
}

/// A path that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path, below the directory.
    pub path: PathBuf,
    /// How they differ.
    pub what: What,
    /// What this computer has.
    pub local: Option<Entry>,
    /// What the host has.
    pub remote: Option<Entry>,
}

impl Difference {
    /// Would Mutagen bring it over at all? Not names that are not UTF-8, links that lead out of the directory, pipes and
    /// the like, where the other side has nothing in their place.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let synced = |entry: &Entry| match entry.kind {
            Kind::File | Kind::Directory => true,
            Kind::Link => {
                entry.target.as_ref().is_some_and(|target| link_fault(&self.path, target).is_none())
            }
            Kind::Other => false,
        };
        let either = [&self.local, &self.remote].into_iter().flatten().any(synced);
        either && self.path.to_str().is_some()
    }
}

/// The paths that differ, in order, a directory before what is in it. Same size and no digest on either side is a
/// difference that is not known ([`undecided`] names them, to be asked for).
#[must_use]
pub fn compare(local: &Listing, remote: &Listing) -> Vec<Difference> {
    let paths: BTreeSet<&PathBuf> = local.entries.keys().chain(remote.entries.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        let (here, there) = (local.entries.get(path), remote.entries.get(path));
        if let Some(what) = differ(here, there) {
            found.push(Difference { path: path.clone(), what, local: here.cloned(), remote: there.cloned() });
        }
    }
    found
}

fn differ(here: Option<&Entry>, there: Option<&Entry>) -> Option<What> {
    let (here, there) = match (here, there) {
        (Some(here), Some(there)) => (here, there),
        (Some(_), None) => return Some(What::OnlyHere),
        (None, Some(_)) => return Some(What::OnlyThere),
        (None, None) => return None,
    };
    if here.kind != there.kind {
        return Some(What::Kind);
    }
    match here.kind {
        Kind::Link => (here.target != there.target).then_some(What::Content),
        Kind::File if here.size != there.size => Some(What::Content),
        Kind::File => match (&here.digest, &there.digest) {
            (Some(a), Some(b)) if a != b => Some(What::Content),
            (Some(_), Some(_)) => (here.is_executable() != there.is_executable()).then_some(What::Mode),
            // Empty files are alike without asking.
            _ if here.size == 0 => (here.is_executable() != there.is_executable()).then_some(What::Mode),
            _ => Some(What::Unknown),
        },
        Kind::Directory | Kind::Other => None,
    }
}

/// The files whose digests decide.
#[must_use]
pub fn undecided(differences: &[Difference]) -> Vec<PathBuf> {
    differences.iter().filter(|one| one.what == What::Unknown).map(|one| one.path.clone()).collect()
}

/// The differences that are below no other one: the roots of conflicts, as Mutagen counts them (`reconcile.go`: it goes
/// down only where both sides agree).
pub fn tops(differences: &[Difference]) -> impl Iterator<Item = &Difference> {
    let mut above: Option<&Path> = None;
    differences.iter().filter(move |one| {
        if above.is_some_and(|above| one.path.starts_with(above)) {
            return false;
        }
        above = Some(&one.path);
        true
    })
}

/// The paths at or below one of these that still differ: none means that both sides are equal there.
pub fn settled<'a>(
    differences: &'a [Difference],
    paths: &'a [PathBuf],
) -> impl Iterator<Item = &'a Difference> {
    differences
        .iter()
        .filter(move |one| one.is_synced() && paths.iter().any(|path| one.path.starts_with(path)))
}
