//! All conflicts of a session: Mutagen names ten, and the difference of both listings the others. Pure.

use std::path::{Path, PathBuf};

use crate::listing::{Difference, Entry, Kind, Listing, What, compare, tops};
use crate::tools::mutagen::{ConflictKind, EntryKind, Side, SyncSession};

/// A conflict that is open.
#[derive(Clone, Debug)]
pub struct Open {
    /// The path that it is at, below the directory.
    pub path: PathBuf,
    /// What happened.
    pub kind: ConflictKind,
    /// What this computer has there and below, with digests.
    pub local: Vec<(PathBuf, Entry)>,
    /// What the host has there and below, with digests.
    pub remote: Vec<(PathBuf, Entry)>,
    /// The digest of the file that both had before, where Mutagen names it.
    pub old: Option<String>,
}

impl Open {
    /// What a side has at the path itself.
    #[must_use]
    pub fn at(&self, side: Side) -> Option<&Entry> {
        let (path, entry) = self.all(side).first()?;
        (*path == self.path).then_some(entry)
    }

    /// What a side has at the path and below it.
    #[must_use]
    pub fn all(&self, side: Side) -> &[(PathBuf, Entry)] {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }

    /// Has a side still what it had in `before`? Times do not count: what is the same again is the same.
    #[must_use]
    pub fn is_as_in(&self, before: &Open, side: Side) -> bool {
        same(self.all(side), before.all(side))
    }
}

/// Are these the same files, links and directories, by their content?
#[must_use]
pub fn same(a: &[(PathBuf, Entry)], b: &[(PathBuf, Entry)]) -> bool {
    let alike = |a: &Entry, b: &Entry| {
        a.kind == b.kind
            && a.size == b.size
            && a.digest == b.digest
            && a.target == b.target
            && a.is_executable() == b.is_executable()
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && alike(&a.1, &b.1))
}

/// The files whose digests are needed before [`gather`]: those at the conflicts, and where Mutagen does not name all of
/// them every one that could be one.
#[must_use]
pub fn wanted(session: &SyncSession, local: &Listing, remote: &Listing) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> =
        session.conflicts.iter().map(|conflict| PathBuf::from(&conflict.root)).collect();
    if session.conflict_count() > roots.len() as u64 {
        let differences = compare(local, remote);
        roots.extend(tops(&differences).map(|one| one.path.clone()));
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for root in &roots {
        for listing in [local, remote] {
            let here = listing.below(root).filter(|(_, entry)| entry.kind == Kind::File);
            files.extend(here.map(|(path, _)| path.to_owned()));
        }
    }
    files.sort();
    files.dedup();
    files
}

/// The conflicts, by path. After a completed cycle everything else is on both sides, so what still differs is one.
#[must_use]
pub fn gather(session: &SyncSession, local: &Listing, remote: &Listing) -> Vec<Open> {
    let open = |path: &Path, kind: ConflictKind, old: Option<String>| {
        let below = |listing: &Listing| {
            listing.below(path).map(|(path, entry)| (path.to_owned(), entry.clone())).collect::<Vec<_>>()
        };
        Open { path: path.to_owned(), kind, local: below(local), remote: below(remote), old }
    };
    let mut all: Vec<Open> = session
        .conflicts
        .iter()
        .map(|one| open(Path::new(&one.root), one.kind(session), one.old_digest().map(str::to_owned)))
        .collect();
    if session.conflict_count() > all.len() as u64 {
        let differences = compare(local, remote);
        let problems: Vec<PathBuf> =
            session.problems().iter().map(|problem| PathBuf::from(&problem.path)).collect();
        for one in tops(&differences).filter(|one| one.is_synced()) {
            let named = all.iter().any(|open| one.path.starts_with(&open.path));
            if !named && !problems.contains(&one.path) {
                all.push(open(&one.path, kind_of(one), None));
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// What can be told from the difference alone.
fn kind_of(difference: &Difference) -> ConflictKind {
    let word = |entry: &Option<Entry>| match entry.as_ref().map(|entry| entry.kind) {
        Some(Kind::File) => EntryKind::File,
        Some(Kind::Directory) => EntryKind::Directory,
        Some(Kind::Link) => EntryKind::Symlink,
        Some(Kind::Other) | None => EntryKind::Untracked,
    };
    let (here, there) = (word(&difference.local), word(&difference.remote));
    match difference.what {
        What::Content | What::Mode | What::Unknown => ConflictKind::BothChanged,
        What::Kind if there == EntryKind::Untracked => ConflictKind::InTheWay(Side::Remote),
        What::Kind if here == EntryKind::Untracked => ConflictKind::InTheWay(Side::Local),
        What::Kind => ConflictKind::Kinds { here, there },
        What::OnlyHere | What::OnlyThere => ConflictKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, size: u64, digest: &str) -> Entry {
        let digest = (!digest.is_empty()).then(|| digest.to_owned());
        Entry { kind, size, mode: 0o644, mtime: 0, target: None, digest }
    }

    fn listing(entries: &[(&str, Kind, u64, &str)]) -> Listing {
        let entries =
            entries.iter().map(|(path, kind, size, digest)| ((*path).into(), entry(*kind, *size, digest)));
        Listing { entries: entries.collect(), unread: Vec::new() }
    }

    fn session(more: u64) -> SyncSession {
        let json = format!(
            r#"[{{"status":"watching","excludedConflicts":{more},"beta":{{"protocol":"ssh","scanProblems":[{{"path":"odd","error":"x"}}]}},
            "conflicts":[{{"root":"b","alphaChanges":[{{"path":"b","old":{{"kind":"file","digest":"0d"}},"new":{{"kind":"file","digest":"aa"}}}}],
            "betaChanges":[{{"path":"b","old":{{"kind":"file","digest":"0d"}},"new":{{"kind":"file","digest":"bb"}}}}]}}]}}]"#
        );
        SyncSession::parse_list(&json).unwrap().remove(0)
    }

    #[test]
    fn what_mutagen_names_and_what_it_leaves_out() {
        use Kind::{Directory, File};
        let local = [
            ("a", File, 1, "1"),
            ("b", File, 1, "aa"),
            ("c", Directory, 0, ""),
            ("c/x", File, 1, "x"),
            ("odd", File, 1, "x"),
            ("same", File, 1, "s"),
            ("z", File, 2, "zz"),
        ];
        let remote = [
            ("a", File, 1, "2"),
            ("b", File, 1, "bb"),
            ("c", File, 9, "c"),
            ("same", File, 1, "s"),
            ("z", File, 1, "z"),
        ];
        let (local, remote) = (listing(&local), listing(&remote));
        let named = |more| {
            let all = gather(&session(more), &local, &remote);
            all.iter().map(|one| format!("{}: {}", one.path.display(), one.kind)).collect::<Vec<_>>()
        };
        assert_eq!(named(0), ["b: changed on both sides"]);
        assert_eq!(
            named(3),
            [
                "a: changed on both sides",
                "b: changed on both sides",
                "c: a directory here and a file on the host",
                "z: changed on both sides",
            ]
        );
        let all = gather(&session(3), &local, &remote);
        assert_eq!((all[2].local.len(), all[2].remote.len()), (2, 1));
        assert_eq!((all[1].old.as_deref(), all[0].old.as_deref()), (Some("0d"), None));
        assert_eq!(wanted(&session(0), &local, &remote), [PathBuf::from("b")]);
        assert_eq!(wanted(&session(3), &local, &remote).len(), 6, "each file that differs");
        assert!(all[0].is_as_in(&all[0], Side::Local));
        let mut changed = all[2].clone();
        changed.local[1].1.digest = Some("other".to_owned());
        assert!(!changed.is_as_in(&all[2], Side::Local) && changed.is_as_in(&all[2], Side::Remote));
    }
}
