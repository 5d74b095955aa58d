//! What `mutagen sync list --template '{{json .}}'` says of a session.
//!
//! The fields are those of `pkg/api/models/synchronization/*.go` (0.18.1). Mutagen leaves out what is zero, so
//! every field has a default; a later version may add fields and states, so unknown ones are accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::conflict::Conflict;
use super::progress::StagingProgress;
use super::settings::SyncMode;
use super::status::{Halt, HaltKind, Side, Status};

/// Which part of a cycle a problem is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemStage {
    /// It could not be read, or cannot be synced at all (a link that leads out of the directory, a name that
    /// is not UTF-8). Everything else is synced nevertheless.
    Scan,
    /// A change could not be made on this side.
    Apply,
}

/// Something that was not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub side: Side,
    /// When it was met.
    pub stage: ProblemStage,
    /// The path below the directory; empty for the directory itself.
    pub path: String,
    /// Mutagen's reason.
    pub error: String,
}

impl Problem {
    /// Is it a symbolic link that the mode `portable` leaves alone, because it leads out of the directory?
    /// (`pkg/synchronization/core/scan.go` writes these words.)
    #[must_use]
    pub fn is_foreign_link(&self) -> bool {
        self.stage == ProblemStage::Scan && self.error.starts_with("invalid symbolic link")
    }
}

/// One session.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SyncSession {
    /// Mutagen's own identifier, `sync_…`: the safe way to name it.
    pub identifier: String,
    /// The name it was given. Names are not unique.
    pub name: String,
    /// The labels it was given.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// When it was made, RFC 3339.
    pub creation_time: String,
    /// The Mutagen that made it.
    pub creating_version: String,
    mode: String,
    /// Was it paused?
    pub paused: bool,
    /// What it is doing.
    pub status: Status,
    /// The last error, where the session is not over it.
    pub last_error: String,
    /// How many cycles succeeded since it connected.
    pub successful_cycles: u64,
    /// Up to ten conflicts. [`SyncSession::conflict_count`] counts all.
    #[serde(deserialize_with = "null_is_default")]
    pub conflicts: Vec<Conflict>,
    excluded_conflicts: u64,
    #[serde(deserialize_with = "null_is_default")]
    ignore: Ignore,
    alpha: SessionEnd,
    beta: SessionEnd,
}

/// One side of a session. The counts are from the scan that began the last cycle.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionEnd {
    /// `local` or `ssh`.
    pub protocol: String,
    /// The host word, for `ssh`.
    pub host: String,
    /// The directory.
    pub path: String,
    /// Is there a connection? A halted session keeps the value from before.
    pub connected: bool,
    /// Was it scanned since it connected?
    pub scanned: bool,
    /// Directories, with the root.
    pub directories: u64,
    /// Files.
    pub files: u64,
    /// Symbolic links.
    pub symbolic_links: u64,
    /// The size of all files, bytes.
    pub total_file_size: u64,
    #[serde(deserialize_with = "null_is_default")]
    scan_problems: Vec<RawProblem>,
    excluded_scan_problems: u64,
    #[serde(deserialize_with = "null_is_default")]
    transition_problems: Vec<RawProblem>,
    excluded_transition_problems: u64,
    pub(super) staging_progress: Option<StagingProgress>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Ignore {
    #[serde(deserialize_with = "null_is_default")]
    paths: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawProblem {
    path: String,
    error: String,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl SessionEnd {
    fn entries(&self) -> (u64, u64, u64) {
        (self.directories, self.files, self.symbolic_links)
    }

    fn problem_count(&self) -> u64 {
        let listed = self.scan_problems.len() + self.transition_problems.len();
        listed as u64 + self.excluded_scan_problems + self.excluded_transition_problems
    }
}

impl SyncSession {
    /// Reads the answer of `list` or one line of `monitor`.
    ///
    /// # Errors
    /// It is not the JSON that Mutagen writes.
    pub fn parse_list(json: &str) -> serde_json::Result<Vec<Self>> {
        Ok(serde_json::from_str::<Option<Vec<Self>>>(json)?.unwrap_or_default())
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// The ignore patterns that it was made with, the weakest first.
    #[must_use]
    pub fn ignores(&self) -> &[String] {
        &self.ignore.paths
    }

    /// The mode it was made with; none where it is one that only a later Mutagen knows.
    #[must_use]
    pub fn sync_mode(&self) -> Option<SyncMode> {
        SyncMode::of_session(&self.mode, self.side_of_alpha())
    }

    /// Which side alpha is. Where everything comes from the host, it is; where both are local (nothing but tests), alpha is.
    pub(super) fn side_of_alpha(&self) -> Side {
        if self.alpha.protocol == "ssh" && self.beta.protocol != "ssh" { Side::Remote } else { Side::Local }
    }

    /// The end on this computer.
    #[must_use]
    pub fn local(&self) -> &SessionEnd {
        self.end(Side::Local)
    }

    /// The end on the host.
    #[must_use]
    pub fn remote(&self) -> &SessionEnd {
        self.end(Side::Remote)
    }

    /// The end that everything comes from, in a mode that goes one way; the one on this computer in the others.
    #[must_use]
    pub fn source(&self) -> &SessionEnd {
        &self.alpha
    }

    /// One end.
    #[must_use]
    pub fn end(&self, side: Side) -> &SessionEnd {
        if side == self.side_of_alpha() { &self.alpha } else { &self.beta }
    }

    /// Is it paused?
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Did Mutagen stop it until a person decides?
    #[must_use]
    pub fn halt(&self) -> Option<Halt> {
        if self.paused {
            return None;
        }
        let kind = match self.status {
            Status::HaltedOnRootEmptied => HaltKind::Emptied,
            Status::HaltedOnRootDeletion => HaltKind::Deleted,
            Status::HaltedOnRootTypeChange => HaltKind::TypeChanged,
            _ => return None,
        };
        // The counts are those of the scan that led to the halt. A root that is a file counts no directory.
        let less = match kind {
            HaltKind::Emptied | HaltKind::Deleted => |end: &SessionEnd| end.entries(),
            HaltKind::TypeChanged => |end: &SessionEnd| (end.directories, 0, 0),
        };
        let side = match less(self.local()).cmp(&less(self.remote())) {
            std::cmp::Ordering::Less => Some(Side::Local),
            std::cmp::Ordering::Greater => Some(Side::Remote),
            std::cmp::Ordering::Equal => None,
        };
        Some(Halt { kind, side })
    }

    /// Are both sides connected?
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.paused && self.halt().is_none() && self.alpha.connected && self.beta.connected
    }

    /// Is it in a cycle, or could it begin one? Not while it is paused, has halted, or connects.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        use Status::{ConnectingAlpha, ConnectingBeta, Disconnected};
        !self.paused
            && self.halt().is_none()
            && !matches!(self.status, Disconnected | ConnectingAlpha | ConnectingBeta)
    }

    /// All conflicts, those that Mutagen does not list included (it lists ten, `manager.go`).
    #[must_use]
    pub fn conflict_count(&self) -> u64 {
        self.conflicts.len() as u64 + self.excluded_conflicts
    }

    /// All problems of both sides, those that Mutagen does not list included (it lists ten of each kind).
    #[must_use]
    pub fn problem_count(&self) -> u64 {
        self.alpha.problem_count() + self.beta.problem_count()
    }

    /// How many conflicts Mutagen counts and does not list.
    #[must_use]
    pub fn conflicts_left_out(&self) -> u64 {
        self.excluded_conflicts
    }

    /// How many changes could not be made on a side that Mutagen counts and does not list.
    #[must_use]
    pub fn blocked_left_out(&self, side: Side) -> u64 {
        self.end(side).excluded_transition_problems
    }

    /// The problems that Mutagen lists.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for side in [Side::Local, Side::Remote] {
            let end = self.end(side);
            let kinds =
                [(ProblemStage::Apply, &end.transition_problems), (ProblemStage::Scan, &end.scan_problems)];
            for (stage, raw) in kinds {
                problems.extend(raw.iter().map(|RawProblem { path, error }| Problem {
                    side,
                    stage,
                    path: path.clone(),
                    error: error.clone(),
                }));
            }
        }
        problems
    }

    /// Did the last scans count the same on both sides? `one-way-safe` lets the receiving side have more, but not less.
    #[must_use]
    pub fn counts_agree(&self) -> bool {
        let (from, to) = (self.alpha.entries(), self.beta.entries());
        let complete = to.0 >= from.0 && to.1 >= from.1 && to.2 >= from.2;
        from == to || complete && self.leaves_more()
    }

    fn leaves_more(&self) -> bool {
        matches!(self.sync_mode(), Some(SyncMode::OneWaySafe | SyncMode::OneWaySafeFromHost))
    }

    /// What the receiving side of a `one-way-safe` has and keeps that does not come from the other one: the side, and how
    /// many files and links.
    #[must_use]
    pub fn more(&self) -> Option<(Side, u64)> {
        let count = |end: &SessionEnd| end.files + end.symbolic_links;
        let more = count(&self.beta).saturating_sub(count(&self.alpha));
        (more > 0 && self.leaves_more()).then(|| (self.side_of_alpha().other(), more))
    }

    /// Is everything on both sides, as far as the last cycle saw?
    ///
    /// A status of `watching` after a successful cycle alone proves nothing: when the parent of the remote
    /// directory is missing, Mutagen reports just that and has sent nothing.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.is_connected()
            && self.status == Status::Watching
            && self.successful_cycles > 0
            && self.conflict_count() == 0
            && self.problem_count() == 0
            && self.counts_agree()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Real answers of Mutagen 0.18.1; only the paths were shortened.
    macro_rules! sample {
        ($name:literal) => {{
            let mut sessions = crate::tools::mutagen::SyncSession::parse_list(include_str!(concat!(
                "samples/", $name, ".json"
            )))
            .unwrap();
            assert_eq!(sessions.len(), 1);
            sessions.remove(0)
        }};
    }
    pub(in crate::tools::mutagen) use sample;

    #[test]
    fn a_session_in_sync() {
        let session = sample!("in_sync");
        assert!(session.in_sync());
        assert_eq!(session.label("sinc-host"), Some("h"));
        assert_eq!(session.local().path, "/home/me/a");
        assert_eq!(session.remote().path, "/home/me/b");
        assert_eq!((session.remote().files, session.remote().symbolic_links), (5, 1));
        assert_eq!(session.halt(), None);
        assert!(session.identifier.starts_with("sync_"));
        assert_eq!(session.ignores()[0], "a,b");
    }

    #[test]
    fn a_paused_session_is_neither_halted_nor_in_sync_nor_connected() {
        let session = sample!("paused");
        assert!(session.is_paused() && !session.in_sync() && !session.is_connected());
        assert_eq!(session.halt(), None);
    }

    #[test]
    fn a_cycle_that_sent_nothing_is_not_in_sync() {
        let session = sample!("missing_parent");
        assert_eq!((session.status.clone(), session.successful_cycles), (Status::Watching, 2));
        assert!(!session.in_sync() && !session.counts_agree());
        let problems = session.problems();
        assert_eq!((session.problem_count(), problems.len()), (1, 1));
        assert_eq!((problems[0].side, problems[0].stage), (Side::Remote, ProblemStage::Apply));
        assert!(problems[0].error.contains("transition root parent"), "{problems:?}");
        assert_eq!(problems[0].path, "");
    }

    #[test]
    fn halts_name_the_side() {
        let remote = Some(Side::Remote);
        assert_eq!(sample!("emptied").halt(), Some(Halt { kind: HaltKind::Emptied, side: remote }));
        assert_eq!(sample!("deleted").halt(), Some(Halt { kind: HaltKind::Deleted, side: remote }));
        let halted = sample!("type_changed");
        assert_eq!(halted.halt(), Some(Halt { kind: HaltKind::TypeChanged, side: remote }));
        assert!(!halted.is_connected(), "Mutagen says connected, but has closed both ends");
        assert_eq!(
            halted.halt().unwrap().to_string(),
            "the directory was replaced by a file or a link on the host"
        );
    }

    #[test]
    fn a_cut_line() {
        let session = sample!("line_cut");
        assert!(!session.is_connected() && !session.in_sync());
        assert_eq!(session.status, Status::ConnectingBeta);
        assert!(session.last_error.contains("unexpected EOF"));
    }

    #[test]
    fn problems_of_a_scan() {
        let session = sample!("conflicts");
        let problems = session.problems();
        assert_eq!((problems.len(), problems[0].side, problems[0].path.as_str()), (1, Side::Local, "abs"));
        assert!(problems[0].is_foreign_link());
    }

    #[test]
    fn what_is_left_out_of_the_lists_is_counted() {
        let json = r#"[{"status":"watching","excludedConflicts":3,"conflicts":[{"root":"a"}],
            "alpha":{"scanProblems":[{"path":"x","error":"y"}],"excludedScanProblems":7},
            "beta":{"protocol":"ssh","transitionProblems":[{"path":"x","error":"y"}],"excludedTransitionProblems":2}}]"#;
        let session = &SyncSession::parse_list(json).unwrap()[0];
        assert_eq!((session.conflict_count(), session.problem_count()), (4, 11));
    }

    #[test]
    fn unknown_fields_and_states_missing_ones_and_nulls_are_accepted() {
        let json = r#"[{"identifier":"sync_x","status":"dreaming","new":{"a":[1]},"labels":null,"conflicts":null,
            "alpha":{"scanProblems":null,"stagingProgress":null}},{}]"#;
        let sessions = SyncSession::parse_list(json).unwrap();
        assert_eq!(sessions[0].status, Status::Other("dreaming".to_owned()));
        assert!(!sessions[0].in_sync() && !sessions[1].in_sync());
        assert!(SyncSession::parse_list("null").unwrap().is_empty());
        assert!(SyncSession::parse_list("Error: nonsense").is_err());
    }

    #[test]
    fn what_comes_from_the_host_has_it_as_alpha() {
        let json = r#"[{"alpha":{"protocol":"ssh","path":"/r"},"beta":{"protocol":"local","path":"/l"}}]"#;
        let session = &SyncSession::parse_list(json).unwrap()[0];
        assert_eq!((session.local().path.as_str(), session.remote().path.as_str()), ("/l", "/r"));
        assert_eq!(session.source().path, "/r");
    }

    #[test]
    fn one_way_safe_lets_the_receiving_side_have_more_and_never_less() {
        let session = |mode: &str, protocols: [&str; 2], files: [u64; 2]| {
            let json = format!(
                r#"[{{"mode":"{mode}","status":"watching","successfulCycles":2,
                "alpha":{{"protocol":"{}","connected":true,"directories":1,"files":{}}},
                "beta":{{"protocol":"{}","connected":true,"directories":1,"files":{}}}}}]"#,
                protocols[0], files[0], protocols[1], files[1]
            );
            SyncSession::parse_list(&json).unwrap().remove(0)
        };
        for (protocols, mode, side) in [
            (["local", "ssh"], SyncMode::OneWaySafe, Side::Remote),
            (["ssh", "local"], SyncMode::OneWaySafeFromHost, Side::Local),
        ] {
            let of = |files| session("one-way-safe", protocols, files);
            assert_eq!(of([3, 3]).sync_mode(), Some(mode));
            assert!(of([3, 3]).in_sync() && of([3, 3]).more().is_none());
            assert!(of([3, 5]).in_sync());
            assert_eq!(of([3, 5]).more(), Some((side, 2)));
            assert!(!of([5, 3]).in_sync(), "what was not brought over yet");
            let replica = session("one-way-replica", protocols, [3, 5]);
            assert!(!replica.in_sync() && replica.more().is_none());
        }
        assert!(!session("two-way-safe", ["local", "ssh"], [3, 5]).in_sync());
    }
}
