//! A session's sync: what is to be done about it is decided by one pure function, then done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::hold;
use crate::process::{Cmd, interrupted};
use crate::tools::mutagen::{
    CycleResult, Endpoint, Halt, LABEL_HOST, LABEL_ID, LABEL_SETTINGS, Mutagen, NewSession, Problem,
    ProblemStage, Selector, Side, SyncMode, SyncSession, SyncSettings,
};

/// How long a flush may take before a sync is ended or made again.
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// The sync that a session is to have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The session's id.
    pub id: String,
    /// The word for its host.
    pub host_word: String,
    /// The directory here.
    pub local: PathBuf,
    /// The directory on the host.
    pub remote: String,
    /// The settings.
    pub settings: SyncSettings,
    /// Its next cycle would delete too much: it stays paused until a person decides.
    pub held: bool,
    /// What a replica without a history would overwrite was shown to a person.
    pub shown: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none: make it.
    Create,
    /// It is as wanted.
    Keep(String),
    /// It is as wanted, but paused.
    Resume(String),
    /// It is as wanted, but has no connection. The host has just answered us.
    Reconnect(String),
    /// It was made with other settings, or the directory has moved.
    Recreate {
        /// The sync.
        sync: String,
        /// Did the directory move? Then the old place cannot be flushed.
        moved: bool,
        /// Is it paused?
        paused: bool,
    },
    /// It has halted: a person decides.
    Halted(Halt),
    /// It is held: a person decides.
    Held(String),
    /// Several with the same labels and places: the first is kept.
    Doubled {
        /// The one to keep.
        keep: String,
        /// The others.
        end: Vec<String>,
    },
    /// Several that differ: a person decides.
    Ambiguous(Vec<String>),
}

/// Decides what is to be done about the syncs that Mutagen has for a session.
#[must_use]
pub fn decide(found: &[SyncSession], wanted: &Wanted) -> Decision {
    let places = |sync: &SyncSession| (sync.local().path.clone(), sync.remote().path.clone());
    let digest = wanted.settings.digest();
    match found {
        [] => Decision::Create,
        [sync] => {
            let moved = sync.remote().path != wanted.remote || Path::new(&sync.local().path) != wanted.local;
            let changed = sync.label(LABEL_SETTINGS) != Some(digest.as_str());
            if moved {
                // The new one has no history, and so nothing to delete, also if this one is held.
                Decision::Recreate { sync: sync.identifier.clone(), moved, paused: sync.is_paused() }
            } else if wanted.held {
                Decision::Held(sync.identifier.clone())
            } else if let Some(halt) = sync.halt() {
                Decision::Halted(halt)
            } else if changed {
                Decision::Recreate { sync: sync.identifier.clone(), moved, paused: sync.is_paused() }
            } else if sync.is_paused() {
                Decision::Resume(sync.identifier.clone())
            } else if !sync.is_connected() {
                Decision::Reconnect(sync.identifier.clone())
            } else {
                Decision::Keep(sync.identifier.clone())
            }
        }
        [first, rest @ ..] => {
            let alike = |other: &SyncSession| places(other) == places(first) && other.labels == first.labels;
            if wanted.held {
                Decision::Held(first.identifier.clone())
            } else if rest.iter().all(alike) {
                let end = rest.iter().map(|sync| sync.identifier.clone()).collect();
                Decision::Doubled { keep: first.identifier.clone(), end }
            } else {
                let line = |sync: &SyncSession| {
                    let (local, remote) = places(sync);
                    format!("{} {local} -> {remote}", sync.identifier)
                };
                Decision::Ambiguous(found.iter().map(line).collect())
            }
        }
    }
}

/// What happened on the way to a sync that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new one was made.
    Created,
    /// A paused one goes on.
    Resumed,
    /// It was made again with the new settings, or for the new place.
    Recreated {
        /// Did the directory move?
        moved: bool,
    },
    /// It was ended: there is to be none.
    Ended,
    /// It is held, and was left alone.
    LeftHeld,
    /// It was left with its old settings, because a change could not be brought over first.
    KeptOld {
        /// Why.
        why: String,
    },
    /// Copies of it were ended.
    Undoubled {
        /// How many.
        ended: usize,
    },
}

/// The syncs that a session has.
///
/// # Errors
/// Mutagen cannot be asked.
pub fn find(mutagen: &Mutagen, id: &str, host_word: &str) -> Result<Vec<SyncSession>> {
    Ok(mutagen.list(&Selector::session(id, host_word))?)
}

/// Brings a session's sync about, or its end where it is to have none. Gives the identifier of the one that now exists, and
/// tells what was done.
///
/// # Errors
/// It cannot be made, or a person has to decide ([`Stuck`]).
pub fn ensure(
    mutagen: &Mutagen,
    wanted: &Wanted,
    found: &[SyncSession],
    tell: &mut dyn FnMut(&Step),
) -> Result<Option<String>> {
    let mode = wanted.settings.mode;
    match decide(found, wanted) {
        Decision::Keep(sync) => Ok(Some(sync)),
        Decision::Create | Decision::Recreate { moved: false, .. }
            if mode.is_replica() && !wanted.held && !wanted.shown =>
        {
            Err(Stuck::NotShown(mode).into())
        }
        Decision::Create if wanted.settings.mode == SyncMode::None => Ok(None),
        // It has no history, and so nothing to delete; but this mode would make the host like this side.
        Decision::Create if wanted.held && overwrites(wanted.settings.mode) => {
            Err(Stuck::HeldAndGone(wanted.settings.mode).into())
        }
        Decision::Create => {
            let sync = create(mutagen, wanted)?;
            tell(&Step::Created);
            Ok(Some(sync))
        }
        Decision::Resume(sync) => {
            mutagen.resume(&sync)?;
            tell(&Step::Resumed);
            Ok(Some(sync))
        }
        Decision::Reconnect(sync) => {
            // After a lost line Mutagen tries again only every 15 s. Resuming is trying now.
            mutagen.resume(&sync)?;
            Ok(Some(sync))
        }
        Decision::Recreate { sync, moved, paused } => {
            let old = found.iter().find(|old| old.identifier == sync).and_then(SyncSession::sync_mode);
            recreate(mutagen, wanted, sync, (old, moved, paused), tell)
        }
        Decision::Halted(halt) => {
            Err(Stuck::Halted(halt, found.first().and_then(SyncSession::sync_mode)).into())
        }
        Decision::Held(sync) => {
            hold::keep_paused(mutagen, found)?;
            tell(&Step::LeftHeld);
            Ok(Some(sync))
        }
        Decision::Doubled { keep, end } => {
            let result = mutagen.flush_checked(&keep, FLUSH_DEADLINE)?.result;
            if !brought_over(&result) {
                return Err(Stuck::Doubled { why: result.to_string() }.into());
            }
            for sync in &end {
                interrupted()?;
                mutagen.terminate(sync)?;
            }
            tell(&Step::Undoubled { ended: end.len() });
            Ok(Some(keep))
        }
        Decision::Ambiguous(lines) => Err(Stuck::Ambiguous(lines).into()),
    }
}

/// Mutagen fixes the settings of a sync when it is made, so other settings mean another sync. What waits to be
/// brought over is brought over before, because the new one does not know what was deleted.
fn recreate(
    mutagen: &Mutagen,
    wanted: &Wanted,
    sync: String,
    (old, moved, paused): (Option<SyncMode>, bool, bool),
    tell: &mut dyn FnMut(&Step),
) -> Result<Option<String>> {
    let mode = wanted.settings.mode;
    let overwrites = overwrites(mode);
    if moved && overwrites {
        return Err(Stuck::Overwrites(mode).into());
    }
    if !moved && let Some(result) = bring_over(mutagen, &sync, old, mode, paused)? {
        // The new mode would settle them by overwriting one of the versions.
        let lost = overwrites && matches!(result, CycleResult::Conflicts(_));
        if lost || !brought_over(&result) {
            tell(&Step::KeptOld { why: result.to_string() });
            return Ok(Some(sync));
        }
    }
    interrupted()?;
    mutagen.terminate(&sync)?;
    if mode == SyncMode::None {
        tell(&Step::Ended);
        return Ok(None);
    }
    let sync = create(mutagen, wanted)?;
    tell(&Step::Recreated { moved });
    Ok(Some(sync))
}

/// Brings over what waits, before a sync is made again in the mode `new`. Nothing where that would overwrite what the new one
/// is to look at: a replica's receiving side, which from now on has a say.
///
/// # Errors
/// Mutagen cannot be asked, or a signal came. What the session says is no error.
pub fn bring_over(
    mutagen: &Mutagen,
    sync: &str,
    old: Option<SyncMode>,
    new: SyncMode,
    paused: bool,
) -> Result<Option<CycleResult>> {
    if old.is_some_and(|old| old.is_replica() && new != SyncMode::None && new.source() != old.source()) {
        return Ok(None);
    }
    if paused {
        mutagen.resume(sync)?;
    }
    let mut result = mutagen.flush_checked(sync, FLUSH_DEADLINE)?.result;
    if matches!(result, CycleResult::Disconnected(_) | CycleResult::Paused) {
        // After a lost line Mutagen tries again only every 15 s. The host has just answered us: now. And the last deed of a
        // sinc that was killed may have been to pause it.
        interrupted()?;
        mutagen.resume(sync)?;
        result = mutagen.flush_checked(sync, FLUSH_DEADLINE)?.result;
    }
    Ok(Some(result))
}

/// Would a sync without history overwrite what differs on one of the sides?
fn overwrites(mode: SyncMode) -> bool {
    mode.is_replica()
}

fn create(mutagen: &Mutagen, wanted: &Wanted) -> Result<String> {
    let settings =
        wanted.settings.write(mutagen.data_dir()).context("cannot write the settings of the sync")?;
    let (alpha, beta) = wanted.ends();
    let labels = wanted.labels();
    let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
    let new =
        NewSession { name: &wanted.id, labels: &labels, settings: &settings, alpha: &alpha, beta: &beta };
    mutagen.create(&new)?.context("a dry run makes no sync")
}

impl Wanted {
    /// The two ends, first the one that everything comes from where it goes one way.
    fn ends(&self) -> (Endpoint, Endpoint) {
        let here = Endpoint::Local(self.local.clone());
        let there = Endpoint::Ssh { host: self.host_word.clone(), path: self.remote.clone() };
        match self.settings.mode.source() {
            Some(Side::Remote) => (there, here),
            _ => (here, there),
        }
    }

    fn labels(&self) -> [(&'static str, String); 3] {
        [
            (LABEL_ID, self.id.clone()),
            (LABEL_HOST, self.host_word.clone()),
            (LABEL_SETTINGS, self.settings.digest()),
        ]
    }

    /// The command that would make it, for a dry run.
    #[must_use]
    pub fn create_cmd(&self, mutagen: &Mutagen) -> Cmd {
        let (alpha, beta) = self.ends();
        let labels = self.labels();
        let labels = labels.each_ref().map(|(key, value)| (*key, value.as_str()));
        let settings = self.settings.path_in(mutagen.data_dir());
        mutagen.create_cmd(&NewSession {
            name: &self.id,
            labels: &labels,
            settings: &settings,
            alpha: &alpha,
            beta: &beta,
        })
    }
}

/// Is everything that could be brought over on both sides? What conflicts or cannot be read stays where it is.
#[must_use]
pub fn brought_over(result: &CycleResult) -> bool {
    match result {
        CycleResult::Equal | CycleResult::Conflicts(_) | CycleResult::StillChanging => true,
        CycleResult::Problems { listed, .. } => only_unreadable(listed),
        _ => false,
    }
}

/// Are all problems of the kind that leaves the rest complete: a path that cannot be read or carried?
#[must_use]
pub fn only_unreadable(problems: &[Problem]) -> bool {
    problems.iter().all(|problem| problem.stage == ProblemStage::Scan)
}

/// A sync that needs a person.
#[derive(Debug)]
pub enum Stuck {
    /// It has halted, in this mode.
    Halted(Halt, Option<SyncMode>),
    /// There are copies of it, and one of them could not be completed.
    Doubled {
        /// Why.
        why: String,
    },
    /// There are several that differ.
    Ambiguous(Vec<String>),
    /// The directory moved on the host, and in this mode what changed there meanwhile would be overwritten.
    Overwrites(SyncMode),
    /// It was held and is gone, and in this mode a new one would overwrite the host.
    HeldAndGone(SyncMode),
    /// What a replica would overwrite was not shown to anybody.
    NotShown(SyncMode),
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Halted(halt, _) => write!(f, "the sync has stopped itself: {halt}"),
            Self::Doubled { why } => {
                write!(
                    f,
                    "the sync exists twice, and no cycle of it could be completed before ending one: {why}"
                )
            }
            Self::Overwrites(mode) => write!(
                f,
                "the directory moved on the host, and in mode {} what was changed there meanwhile would be overwritten",
                mode.word()
            ),
            Self::HeldAndGone(mode) => write!(
                f,
                "the sync was held and is gone, and in mode {} a new one would make the host like this side",
                mode.word()
            ),
            Self::NotShown(mode) => write!(
                f,
                "the sync is to be made in mode {}, and what that would overwrite was not shown yet",
                mode.word()
            ),
            Self::Ambiguous(lines) => {
                f.write_str("there are several syncs for this session, and they differ:")?;
                for line in lines {
                    write!(f, "\n  {line}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Stuck {}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            id: "sinc-app-123456".into(),
            host_word: "sinc-0123456789ab".into(),
            local: "/home/me/app".into(),
            remote: "/home/dev/workspace/app".into(),
            settings: SyncSettings {
                mode: SyncMode::TwoWaySafe,
                ignores: vec!["x".into()],
                file_mode: 0o644,
                directory_mode: 0o755,
                watch: crate::tools::mutagen::Watch::Polling(2),
            },
            held: false,
            shown: false,
        }
    }

    /// A sync as Mutagen would show it, changed by `more`.
    fn sync(number: u32, more: &[(&str, serde_json::Value)]) -> SyncSession {
        let wanted = wanted();
        let mut json = serde_json::json!({
            "identifier": format!("sync_{number}"), "status": "watching", "successfulCycles": 3,
            "alpha": {"protocol": "local", "path": wanted.local, "connected": true},
            "beta": {"protocol": "ssh", "host": wanted.host_word, "path": wanted.remote, "connected": true},
            "labels": {"sinc-id": wanted.id, "sinc-host": wanted.host_word, "sinc-settings": wanted.settings.digest()},
            "a field of a later version": {"x": [1]},
        });
        for (pointer, value) in more {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        SyncSession::parse_list(&serde_json::json!([json]).to_string()).unwrap().remove(0)
    }

    #[test]
    fn one_decision_a_state() {
        let wanted = wanted();
        let again = |moved, paused| Decision::Recreate { sync: "sync_1".into(), moved, paused };
        let cases: Vec<(Vec<SyncSession>, Decision)> = vec![
            (vec![], Decision::Create),
            (vec![sync(1, &[])], Decision::Keep("sync_1".into())),
            (vec![sync(1, &[("/status", "something-new".into())])], Decision::Keep("sync_1".into())),
            (
                vec![sync(1, &[("/status", "connecting-beta".into()), ("/beta/connected", false.into())])],
                Decision::Reconnect("sync_1".into()),
            ),
            (vec![sync(1, &[("/labels/sinc-settings", "other".into())])], again(false, false)),
            (vec![sync(1, &[("/beta/path", "/home/dev/workspace/old".into())])], again(true, false)),
            // Where it was is gone: that it halted there is no news.
            (
                vec![sync(
                    1,
                    &[("/beta/path", "/old".into()), ("/status", "halted-on-root-deletion".into())],
                )],
                again(true, false),
            ),
            (
                vec![sync(1, &[]), sync(2, &[])],
                Decision::Doubled { keep: "sync_1".into(), end: vec!["sync_2".into()] },
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(decide(&found, &wanted), expected);
        }
        let halted = decide(&[sync(1, &[("/status", "halted-on-root-emptied".into())])], &wanted);
        assert!(matches!(halted, Decision::Halted(_)), "{halted:?}");
        let differing = decide(&[sync(1, &[]), sync(2, &[("/beta/path", "/elsewhere".into())])], &wanted);
        assert!(matches!(&differing, Decision::Ambiguous(lines) if lines.len() == 2), "{differing:?}");
    }

    #[test]
    fn what_is_held_is_left_alone() {
        let held = Wanted { held: true, ..wanted() };
        let left = || Decision::Held("sync_1".into());
        for (found, expected) in [
            (vec![sync(1, &[])], left()),
            (vec![sync(1, &[("/status", "halted-on-root-emptied".into())])], left()),
            (vec![sync(1, &[("/labels/sinc-settings", "other".into())])], left()),
            (vec![sync(1, &[]), sync(2, &[])], left()),
            (vec![sync(1, &[]), sync(2, &[("/beta/path", "/elsewhere".into())])], left()),
            // What is made anew has no history.
            (
                vec![sync(1, &[("/beta/path", "/home/dev/workspace/old".into())])],
                Decision::Recreate { sync: "sync_1".into(), moved: true, paused: false },
            ),
            (vec![], Decision::Create),
        ] {
            assert_eq!(decide(&found, &held), expected);
        }
        let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
        for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
            let mut held = held.clone();
            held.settings.mode = mode;
            let error = ensure(&mutagen, &held, &[], &mut |_| {}).unwrap_err();
            assert!(
                matches!(error.downcast_ref(), Some(Stuck::HeldAndGone(found)) if *found == mode),
                "{error}"
            );
        }
    }

    #[test]
    fn a_moved_directory_is_not_followed_in_a_mode_that_overwrites() {
        // No program is started: the person is asked before anything is done.
        let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
        for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
            let mut wanted = wanted();
            wanted.settings.mode = mode;
            let moved = sync(1, &[("/beta/path", "/home/dev/workspace/old".into())]);
            let error = ensure(&mutagen, &wanted, &[moved], &mut |_| {}).unwrap_err();
            assert!(
                matches!(error.downcast_ref(), Some(Stuck::Overwrites(found)) if *found == mode),
                "{error}"
            );
        }
    }

    #[test]
    fn a_replica_is_not_made_before_it_was_shown_what_that_costs() {
        let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
        for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
            let mut wanted = wanted();
            wanted.settings.mode = mode;
            for found in [vec![], vec![sync(1, &[])]] {
                let error = ensure(&mutagen, &wanted, &found, &mut |_| {}).unwrap_err();
                assert!(matches!(error.downcast_ref(), Some(Stuck::NotShown(of)) if *of == mode), "{error}");
            }
        }
    }

    #[test]
    fn what_comes_from_the_host_has_it_first() {
        for mode in SyncMode::ALL {
            let mut wanted = wanted();
            wanted.settings.mode = mode;
            let first = matches!(wanted.ends().0, Endpoint::Ssh { .. });
            assert_eq!(first, mode.word().ends_with("from-host"), "{mode:?}");
        }
    }

    #[test]
    fn in_mode_none_nothing_is_made_and_nothing_that_stands_still_is_ended() {
        let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
        let mut wanted = wanted();
        wanted.settings.mode = SyncMode::None;
        assert_eq!(ensure(&mutagen, &wanted, &[], &mut |_| {}).unwrap(), None);
        let halted = sync(1, &[("/status", "halted-on-root-emptied".into())]);
        assert!(ensure(&mutagen, &wanted, &[halted], &mut |_| {}).is_err());
        let again = Decision::Recreate { sync: "sync_1".into(), moved: false, paused: false };
        assert_eq!(decide(&[sync(1, &[])], &wanted), again);
    }

    #[test]
    fn the_receiving_side_of_a_replica_is_not_overwritten_once_more_before_it_has_a_say() {
        let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
        use SyncMode::{None as Nothing, OneWayReplica, OneWayReplicaFromHost, OneWaySafe, TwoWaySafe};
        for (old, new, left) in [
            (OneWayReplica, TwoWaySafe, true),
            (OneWayReplica, OneWayReplicaFromHost, true),
            (OneWayReplicaFromHost, OneWaySafe, true),
            (OneWayReplica, OneWaySafe, false),
            (OneWayReplica, Nothing, false),
            (OneWaySafe, TwoWaySafe, false),
            (TwoWaySafe, OneWayReplica, false),
        ] {
            // A flush fails: there is no program.
            let flushed = bring_over(&mutagen, "sync_1", Some(old), new, false);
            assert_eq!(matches!(flushed, Ok(Option::None)), left, "{old:?} {new:?}");
        }
    }
}
