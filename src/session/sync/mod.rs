//! A session's sync: what is to be done about it is decided by one pure function, then done.

mod decide;
mod stuck;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use self::decide::{Decision, decide, flushes};
pub use self::stuck::Stuck;
use super::hold;
use crate::process::{Cmd, interrupted};
use crate::tools::mutagen::{
    CycleResult, Endpoint, LABEL_HOST, LABEL_ID, LABEL_SETTINGS, Mutagen, NewSession, Problem, ProblemStage,
    Selector, Side, SyncMode, SyncSession, SyncSettings,
};

/// How long a flush may take before a sync is ended or made again.
pub const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

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

/// What says before each cycle that is asked for whether it may begin. It is told how much time there is.
pub type Look<'a> = &'a mut dyn FnMut(Duration) -> Result<()>;

/// Brings a session's sync about, or its end where it is to have none. Gives the identifier of the one that now exists, and
/// tells what was done.
///
/// # Errors
/// It cannot be made, a person has to decide ([`Stuck`]), or `look` does not let a cycle begin.
pub fn ensure(
    mutagen: &Mutagen,
    wanted: &Wanted,
    found: &[SyncSession],
    tell: &mut dyn FnMut(&Step),
    look: Look<'_>,
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
            recreate(mutagen, wanted, sync, (old, moved, paused), tell, look)
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
            look(FLUSH_DEADLINE)?;
            let result = mutagen.flush_looked(&keep, FLUSH_DEADLINE, look)?.result;
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
    look: Look<'_>,
) -> Result<Option<String>> {
    let mode = wanted.settings.mode;
    let overwrites = overwrites(mode);
    if moved && overwrites {
        return Err(Stuck::Overwrites(mode).into());
    }
    if !moved && let Some(result) = bring_over(mutagen, &sync, old, mode, paused, look)? {
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
/// Mutagen cannot be asked, `look` does not let a cycle begin, or a signal came. What the session says is no error.
pub fn bring_over(
    mutagen: &Mutagen,
    sync: &str,
    old: Option<SyncMode>,
    new: SyncMode,
    paused: bool,
    look: Look<'_>,
) -> Result<Option<CycleResult>> {
    if old.is_some_and(|old| old.is_replica() && new != SyncMode::None && new.source() != old.source()) {
        return Ok(None);
    }
    if paused {
        mutagen.resume(sync)?;
    }
    look(FLUSH_DEADLINE)?;
    let mut result = mutagen.flush_looked(sync, FLUSH_DEADLINE, look)?.result;
    if matches!(result, CycleResult::Disconnected(_) | CycleResult::Paused) {
        // After a lost line Mutagen tries again only every 15 s. The host has just answered us: now. And the last deed of a
        // sinc that was killed may have been to pause it.
        interrupted()?;
        mutagen.resume(sync)?;
        look(FLUSH_DEADLINE)?;
        result = mutagen.flush_looked(sync, FLUSH_DEADLINE, look)?.result;
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

#[cfg(test)]
mod tests;
