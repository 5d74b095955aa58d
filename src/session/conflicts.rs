//! All conflicts of a session: Mutagen names ten, and the difference of both listings the others. Pure.

use std::path::{Path, PathBuf};

use crate::listing::{Difference, Entry, Kind, Listing, What, compare, tops};
use crate::tools::mutagen::{ConflictKind, EntryKind, Side, SyncMode, SyncSession};

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
    /// Does Mutagen name it, or was it found by comparing?
    pub named: bool,
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

/// Is one of them the other, or in it?
#[must_use]
pub fn touch(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
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

/// The conflicts, by path. After a completed cycle everything else is on both sides, so what still differs is one; not what
/// only the receiving side of a `one-way-safe` has, which stays there.
///
/// What Mutagen does not name is only known to be a conflict if there are as many as it counts ([`certain`]).
#[must_use]
pub fn gather(session: &SyncSession, local: &Listing, remote: &Listing) -> Vec<Open> {
    let open = |path: &Path, kind: ConflictKind, old: Option<String>, named: bool| {
        let below = |listing: &Listing| {
            listing.below(path).map(|(path, entry)| (path.to_owned(), entry.clone())).collect::<Vec<_>>()
        };
        Open { path: path.to_owned(), kind, local: below(local), remote: below(remote), old, named }
    };
    let mut all: Vec<Open> = session
        .conflicts
        .iter()
        .map(|one| open(Path::new(&one.root), one.kind(session), one.old_digest().map(str::to_owned), true))
        .collect();
    if session.conflict_count() > all.len() as u64 {
        let differences = compare(local, remote);
        let problems: Vec<PathBuf> =
            session.problems().iter().map(|problem| PathBuf::from(&problem.path)).collect();
        let extra = match session.sync_mode().and_then(SyncMode::source) {
            None => None,
            Some(Side::Local) => Some(What::OnlyThere),
            Some(Side::Remote) => Some(What::OnlyHere),
        };
        for one in tops(&differences).filter(|one| one.is_synced() && Some(one.what) != extra) {
            let named = all.iter().any(|open| one.path.starts_with(&open.path));
            if !named && !problems.contains(&one.path) {
                all.push(open(&one.path, kind_of(one), None, false));
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Those that are conflicts for sure. More or fewer than Mutagen counts were found: somebody writes at this moment, and what
/// it does not name may as well be a file that no cycle has brought over yet.
#[must_use]
pub fn certain(mut open: Vec<Open>, counted: u64) -> Vec<Open> {
    if open.len() as u64 != counted {
        open.retain(|one| one.named);
    }
    open
}

/// What can be told from the difference alone.
pub(super) fn kind_of(difference: &Difference) -> ConflictKind {
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
        session_in("two-way-safe", "", more)
    }

    fn session_in(mode: &str, alpha: &str, more: u64) -> SyncSession {
        let json = format!(
            r#"[{{"status":"watching","mode":"{mode}","alpha":{{"protocol":"{alpha}"}},"excludedConflicts":{more},"beta":{{"protocol":"ssh","scanProblems":[{{"path":"odd","error":"x"}}]}},
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

    #[test]
    fn what_only_the_receiving_side_has_is_no_conflict_where_it_stays() {
        use Kind::{Directory, File};
        let both = [("b", File, 1, "aa"), ("x", File, 1, "1")];
        let mine = [("d", Directory, 0, ""), ("d/y", File, 1, "y"), ("mine", File, 1, "m")];
        let other = [("b", File, 1, "bb"), ("x", File, 1, "2")];
        let with = [&both[..], &mine[..]].concat();
        let named = |session: &SyncSession, local: &[_], remote: &[_]| {
            let all = gather(session, &listing(local), &listing(remote));
            all.iter().map(|one| one.path.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let (to, from) = (session_in("one-way-safe", "local", 1), session_in("one-way-safe", "ssh", 1));
        let from = SyncSession::parse_list(
            &serde_json::json!([{ "mode": "one-way-safe", "alpha": {"protocol": "ssh"}, "beta": {"protocol": "local"},
                "conflicts": [{"root": "b"}], "excludedConflicts": from.conflict_count() - 1 }])
            .to_string(),
        )
        .unwrap()
        .remove(0);
        assert_eq!(named(&to, &other, &with), ["b", "x"]);
        assert_eq!(named(&from, &with, &other), ["b", "x"]);
        // On the side that it comes from it is something that could not be brought over.
        assert_eq!(named(&to, &with, &other), ["b", "d", "mine", "x"]);
        assert_eq!(named(&session(1), &with, &other), ["b", "d", "mine", "x"]);
    }

    #[test]
    fn what_is_not_named_only_counts_where_as_many_are_counted() {
        let local =
            listing(&[("a", Kind::File, 1, "1"), ("b", Kind::File, 1, "aa"), ("new", Kind::File, 1, "n")]);
        let remote = listing(&[("a", Kind::File, 1, "2"), ("b", Kind::File, 1, "bb")]);
        let left = |more| {
            let session = session(more);
            let open = certain(gather(&session, &local, &remote), session.conflict_count());
            open.iter().map(|one| one.path.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left(1), ["b"], "three differ, two are counted: `new` was just written");
        assert_eq!(left(2), ["a", "b", "new"]);
        assert_eq!(left(3), ["b"]);
    }
}
