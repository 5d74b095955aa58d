//! What is to be done about the syncs that Mutagen has for a session. Pure.

use std::path::Path;

use super::Wanted;
use crate::tools::mutagen::{Halt, LABEL_SETTINGS, SyncSession};

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

/// Would a cycle be asked for of a sync that runs?
#[must_use]
pub fn flushes(found: &[SyncSession], wanted: &Wanted) -> bool {
    matches!(decide(found, wanted), Decision::Recreate { moved: false, .. } | Decision::Doubled { .. })
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
