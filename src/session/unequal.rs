//! Every path that is not the same on both sides, each with its reason: Mutagen lists ten of a kind, and two listings tell the
//! others. Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::conflicts::kind_of;
use crate::listing::{Difference, Kind, Listing, Rights, What, compare, link_fault, tops};
use crate::tools::mutagen::{ConflictKind, Problem, ProblemStage, Reason, Side, SyncMode, SyncSession};

/// What a side has, and what of it may be read and written.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// What it has.
    pub listing: Listing,
    /// What may not be read or written.
    pub rights: Rights,
}

/// Why the two sides of a path are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It cannot be synced, because of something on this side.
    Problem(Side, Reason),
    /// Both sides were changed.
    Conflict(ConflictKind),
    /// It was not brought over yet.
    Waits(What),
    /// Nothing more can be told.
    Differs(What),
}

/// A path that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal {
    /// The path, below the directory.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Do digests tell anything? Not where everything that is not synced could not even be read.
#[must_use]
pub fn needs_digests(session: &SyncSession, completed: bool) -> bool {
    let blocked = [Side::Local, Side::Remote].into_iter().any(|side| session.blocked_left_out(side) > 0);
    !completed || blocked || session.conflicts_left_out() > 0
}

/// The paths that are not the same on both sides and that Mutagen does not list. `completed`: a cycle went through, so what
/// differs is not just waiting for one.
#[must_use]
pub fn left_out(session: &SyncSession, here: &Looked, there: &Looked, completed: bool) -> Vec<Unequal> {
    let listed = session.problems();
    let mut known: BTreeSet<PathBuf> = listed.iter().map(|one| PathBuf::from(&one.path)).collect();
    known.extend(session.conflicts.iter().map(|one| PathBuf::from(&one.root)));
    let mut found = Vec::new();
    for (side, looked) in [(Side::Local, here), (Side::Remote, there)] {
        let named: BTreeSet<&str> =
            listed.iter().filter(|one| one.side == side).map(|one| one.path.as_str()).collect();
        for (path, reason) in not_read(looked) {
            if !named.contains(mutagens_name(&path).as_str()) {
                found.push(Unequal { path, why: Why::Problem(side, reason) });
            }
        }
    }
    known.extend(found.iter().map(|one| one.path.clone()));
    if needs_digests(session, completed) {
        let ways = Ways::new(session, &listed, here, there, completed);
        let differences = compare(&here.listing, &there.listing);
        let left: Vec<&Difference> = tops(&differences)
            .filter(|one| one.is_synced() && one.what != What::Unknown && ways.concerns(one))
            .filter(|one| !one.path.ancestors().any(|above| known.contains(above)))
            .collect();
        let mut blocked = [Side::Local, Side::Remote].map(|side| session.blocked_left_out(side));
        let (shut, left): (Vec<_>, Vec<_>) = left.into_iter().partition(|one| ways.shut(one).is_some());
        for one in shut {
            let Some(side) = ways.shut(one) else { continue };
            blocked[at(side)] = blocked[at(side)].saturating_sub(1);
            let why = Why::Problem(side, Reason::Permissions);
            found.push(Unequal { path: one.path.clone(), why });
        }
        let counted = left.len() as u64 == session.conflicts_left_out();
        for one in left {
            found.push(Unequal { path: one.path.clone(), why: ways.why(one, blocked, counted) });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What Mutagen cannot read or does not carry over, by itself.
fn not_read(looked: &Looked) -> Vec<(PathBuf, Reason)> {
    let mut found = Vec::new();
    for (path, entry) in &looked.listing.entries {
        let is_named = |path: &Path| path.to_str().is_some();
        if path.parent().is_some_and(|above| !is_named(above)) {
            continue;
        }
        let reason = match &entry.target {
            _ if !is_named(path) => Some(Reason::Name),
            Some(target) => link_fault(path, target),
            None => looked.rights.unreadable.contains(path).then_some(Reason::Permissions),
        };
        if let Some(reason) = reason.filter(|_| entry.kind != Kind::Other) {
            found.push((path.clone(), reason));
        }
    }
    found
}

/// A path as Mutagen lists it: bytes that are no text are one sign together (`scan.go`).
fn mutagens_name(path: &Path) -> String {
    const UNKNOWN: char = char::REPLACEMENT_CHARACTER;
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut name = String::new();
    for sign in path.to_string_lossy().chars() {
        if sign != UNKNOWN || !name.ends_with(UNKNOWN) {
            name.push(sign);
        }
    }
    name + " (non-UTF-8)"
}

/// The ways in which something that was read could not be brought over.
struct Ways<'a> {
    session: &'a SyncSession,
    here: &'a Looked,
    there: &'a Looked,
    completed: bool,
    source: Option<Side>,
    /// For each side the one reason of all changes that Mutagen lists as impossible there.
    only: [Option<Reason>; 2],
}

impl<'a> Ways<'a> {
    fn new(
        session: &'a SyncSession,
        listed: &[Problem],
        here: &'a Looked,
        there: &'a Looked,
        completed: bool,
    ) -> Self {
        let only = |side: Side| {
            let blocked = |one: &&Problem| one.side == side && one.stage == ProblemStage::Apply;
            let mut reasons = listed.iter().filter(blocked).map(Problem::reason);
            let first = reasons.next()?;
            reasons.all(|one| one == first).then_some(first)
        };
        let only = [only(Side::Local), only(Side::Remote)];
        let source = session.sync_mode().and_then(SyncMode::source);
        Self { session, here, there, completed, source, only }
    }

    /// In the modes that go one way, what only the receiving side has may stay there.
    fn concerns(&self, one: &Difference) -> bool {
        let extra = match self.source {
            None => None,
            Some(Side::Local) => Some(What::OnlyThere),
            Some(Side::Remote) => Some(What::OnlyHere),
        };
        Some(one.what) != extra
    }

    /// The sides that it may have to be made on.
    fn receivers(&self, one: &Difference) -> Vec<Side> {
        match (self.source, one.what) {
            (Some(source), _) => vec![source.other()],
            (None, What::OnlyHere) => vec![Side::Remote],
            (None, What::OnlyThere) => vec![Side::Local],
            (None, _) => vec![Side::Local, Side::Remote],
        }
    }

    fn looked(&self, side: Side) -> &Looked {
        if side == Side::Local { self.here } else { self.there }
    }

    /// May nothing be made in the directory in which it would have to be?
    fn is_shut(&self, side: Side, path: &Path) -> bool {
        let Looked { listing, rights } = self.looked(side);
        let is_there = |above: &&Path| above.as_os_str().is_empty() || listing.entries.contains_key(*above);
        path.ancestors().skip(1).find(is_there).is_some_and(|above| rights.unwritable.contains(above))
    }

    /// The side on which it could not be made, because its directory may not be written there.
    fn shut(&self, one: &Difference) -> Option<Side> {
        let is_shut =
            |side: &Side| self.session.blocked_left_out(*side) > 0 && self.is_shut(*side, &one.path);
        self.receivers(one).into_iter().find(is_shut).filter(|_| self.completed)
    }

    /// `blocked`: how many changes could not be made on each side for a reason that is not known. `counted`: as many are left as
    /// Mutagen counts conflicts.
    fn why(&self, one: &Difference, blocked: [u64; 2], counted: bool) -> Why {
        if !self.completed {
            return Why::Waits(one.what);
        }
        let conflicts = self.session.conflicts_left_out();
        let sides: Vec<Side> =
            self.receivers(one).into_iter().filter(|side| blocked[at(*side)] > 0).collect();
        let on_both = !matches!(one.what, What::OnlyHere | What::OnlyThere);
        match sides[..] {
            [] if conflicts > 0 && (on_both || counted) => Why::Conflict(kind_of(one)),
            // All others that could not be made there have this one reason.
            [side] if conflicts == 0 => {
                self.only[at(side)].map_or(Why::Differs(one.what), |reason| Why::Problem(side, reason))
            }
            _ => Why::Differs(one.what),
        }
    }
}

fn at(side: Side) -> usize {
    usize::from(side == Side::Remote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Entry;

    fn entry(kind: Kind, size: u64, target: Option<&str>) -> Entry {
        let digest = (kind == Kind::File).then(|| size.to_string());
        Entry { kind, size, mode: 0o644, mtime: 0, target: target.map(PathBuf::from), digest }
    }

    fn looked(entries: &[(&str, Entry)]) -> Looked {
        let entries = entries.iter().map(|(path, entry)| (PathBuf::from(path), entry.clone())).collect();
        Looked { listing: Listing { entries, unread: Vec::new() }, ..Looked::default() }
    }

    fn session(fields: &str) -> SyncSession {
        let json = format!(
            r#"[{{"status":"watching","mode":"two-way-safe","alpha":{{"protocol":"local"}},
            "beta":{{"protocol":"ssh","host":"h"}}{fields}}}]"#
        );
        // A field of the second one counts.
        SyncSession::parse_list(&json).unwrap().remove(0)
    }

    fn side(problems: &str) -> SyncSession {
        let json = format!(
            r#"[{{"status":"watching","mode":"two-way-safe","alpha":{{"protocol":"local"}},"beta":{{"protocol":"ssh",{problems}}}}}]"#
        );
        SyncSession::parse_list(&json).unwrap().remove(0)
    }

    fn all(session: &SyncSession, here: &Looked, there: &Looked, completed: bool) -> Vec<(String, Why)> {
        let found = left_out(session, here, there, completed);
        found.into_iter().map(|one| (one.path.to_string_lossy().into_owned(), one.why)).collect()
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_reason_and_once() {
        use std::os::unix::ffi::OsStrExt;
        let link = |to: &str| entry(Kind::Link, 0, Some(to));
        let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe-x");
        let here = looked(&[("plain", entry(Kind::File, 1, None))]);
        let mut there = looked(&[
            ("abs", link("/etc")),
            ("fine", link("abs")),
            ("listed", link("/x")),
            ("odd", link("a:b")),
            ("out", link("../x")),
            ("pipe", entry(Kind::Other, 0, None)),
            ("shut", entry(Kind::File, 1, None)),
        ]);
        there.listing.entries.insert(odd.into(), entry(Kind::Directory, 0, None));
        there.listing.entries.insert(Path::new(odd).join("below"), entry(Kind::File, 1, None));
        there.rights.unreadable.insert("shut".into());
        let problem = |path: &str| format!(r#"{{"path":"{path}","error":"x"}}"#);
        let one = side(&format!(r#""scanProblems":[{}],"excludedScanProblems":5"#, problem("listed")));
        let reasons: Vec<_> = all(&one, &here, &there, true)
            .into_iter()
            .map(|(path, why)| match why {
                Why::Problem(Side::Remote, reason) => format!("{path} {}", reason.word()),
                other => format!("{path} {other:?}"),
            })
            .collect();
        // `fine` and `plain` differ too: but no cycle has left them, they are of this moment.
        assert_eq!(
            reasons,
            ["abs absolute-link", "odd link", "out link-out", "shut permissions", "\u{fffd}\u{fffd}-x name"]
        );
        let listed = side(&format!(r#""scanProblems":[{}]"#, problem("\u{fffd}-x (non-UTF-8)")));
        assert_eq!(all(&listed, &here, &there, true).iter().filter(|one| one.0.contains("-x")).count(), 0);
    }

    #[test]
    fn what_could_not_be_made_has_the_reason_of_its_directory_or_of_all_others() {
        let file = |size| entry(Kind::File, size, None);
        let here = looked(&[
            ("dir", entry(Kind::Directory, 0, None)),
            ("dir/a", file(1)),
            ("b", file(1)),
            ("c", file(2)),
        ]);
        let mut there = looked(&[("dir", entry(Kind::Directory, 0, None)), ("c", file(1))]);
        there.rights.unwritable.insert("dir".into());
        let full =
            |paths: &str| side(&format!(r#""transitionProblems":[{paths}],"excludedTransitionProblems":3"#));
        let problem = |error: &str| format!(r#"{{"path":"x","error":"{error}"}}"#);
        let because = |reason| Why::Problem(Side::Remote, reason);
        let one = full(&problem("no space left on device"));
        let named =
            |why: [Why; 3]| ["b", "c", "dir/a"].map(str::to_owned).into_iter().zip(why).collect::<Vec<_>>();
        assert_eq!(
            all(&one, &here, &there, true),
            named([because(Reason::NoSpace), because(Reason::NoSpace), because(Reason::Permissions)])
        );
        let two = full(&[problem("no space left on device"), problem("file too large")].join(","));
        assert_eq!(
            all(&two, &here, &there, true),
            named([Why::Differs(What::OnlyHere), Why::Differs(What::Content), because(Reason::Permissions)])
        );
        let busy = all(&session(""), &here, &there, false);
        assert_eq!(
            busy,
            named([Why::Waits(What::OnlyHere), Why::Waits(What::Content), Why::Waits(What::OnlyHere)])
        );
    }

    #[test]
    fn conflicts_that_are_not_listed_are_found() {
        let file = |size| entry(Kind::File, size, None);
        let here = looked(&[("a", file(1)), ("b", file(1)), ("new", file(1))]);
        let there = looked(&[("a", file(2)), ("b", file(2))]);
        let both = Why::Conflict(ConflictKind::BothChanged);
        let some = session(r#","conflicts":[{"root":"a"}],"excludedConflicts":1"#);
        let found = [("b".to_owned(), both), ("new".to_owned(), Why::Differs(What::OnlyHere))];
        assert_eq!(all(&some, &here, &there, true), found);
        assert_eq!(all(&session(r#","conflicts":[{"root":"a"}]"#), &here, &there, true), []);
    }
}
