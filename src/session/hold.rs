//! Holds a sync whose next cycle would delete too much.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::missing::{Say, look};
use super::sync;
use crate::remote::Remote;
use crate::state::{Held, Record, Store, host_word};
use crate::tools::mutagen::{Mutagen, SyncSession};

/// Holds a session: its syncs stay paused until a person decides (`sinc resume` has the ways out).
///
/// It is written first, then paused, and whoever resumes a sync reads what is written after having seen that it is
/// paused. So it is never resumed between the two; when this process dies there, everybody sees that the sync is held, and
/// pauses it ([`keep_paused`]). What cannot be written (a full disk) is paused all the same.
///
/// Needs no lock. The caller should have the session's, or know that nobody has it: another sinc that is about to resume
/// the sync has read before that it is not held.
///
/// # Errors
/// It could not be written, or a sync not be paused.
pub fn hold(mutagen: &Mutagen, store: &Store, id: &str, host: &str, held: &Held) -> Result<()> {
    let written = store.set_held(id, host, held);
    keep_paused(mutagen, &sync::find(mutagen, id, &host_word(host))?)?;
    written.context("the sync is paused, but that it is held could not be written down")
}

/// Pauses those of a held session's syncs that run: by the hand of a person, or because what held it died.
///
/// # Errors
/// Mutagen fails.
pub fn keep_paused(mutagen: &Mutagen, syncs: &[SyncSession]) -> Result<()> {
    for sync in syncs {
        match sync.is_paused() {
            true => mutagen.stays_paused(&sync.identifier),
            false => drop(mutagen.pause(&sync.identifier)?),
        }
    }
    Ok(())
}

/// Is the session held, or must it be now? Its sync is looked at where it stands still: paused, halted, or without a line; and
/// where it runs, if it `flushes`: the caller has the link kept out, and is about to ask for a cycle. One that would connect by
/// itself meanwhile is paused before. `syncs` are the session's, and are so afterwards.
///
/// # Errors
/// The host was not reached, or Mutagen fails.
pub fn check(
    mutagen: &Mutagen,
    store: &Store,
    remote: &Remote,
    record: &Record,
    syncs: &mut Vec<SyncSession>,
    (flushes, say): (bool, Say<'_>),
) -> Result<Option<Held>> {
    // After the syncs were listed: see [`hold`].
    if let Some(held) = store.held(&record.id, &record.host)? {
        keep_paused(mutagen, syncs)?;
        return Ok(Some(held));
    }
    let sync = match &syncs[..] {
        [sync] => sync,
        // Copies, of which the first is kept.
        [sync, ..] if flushes => sync,
        _ => return Ok(None),
    };
    let in_place = sync.remote().path == record.remote && Path::new(&sync.local().path) == record.local;
    // Where the directory here is gone, Mutagen stops by itself.
    if sync.is_connected() && !flushes || !in_place || !record.local.is_dir() {
        return Ok(None);
    }
    let connects = !sync.is_connected() && !sync.is_paused() && sync.halt().is_none();
    if connects {
        mutagen.stop(&sync.identifier)?;
    }
    let looked = look(mutagen, remote, sync, say);
    match &looked {
        Ok(Some(held)) => hold(mutagen, store, &record.id, &record.host, held)?,
        Ok(None) if connects => {
            // Whether it connects now is another matter; it goes on trying.
            if let Err(error) = mutagen.go_on(&sync.identifier) {
                tracing::warn!(%error, "the sync does not connect yet");
            }
        }
        Err(_) if connects => mutagen.stays_paused(&sync.identifier),
        _ => {}
    }
    *syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    looked
}

/// Before a cycle that nobody expects, of syncs whose session's lock the caller has.
///
/// # Errors
/// It would delete too much, or that is not known.
pub fn refuse(mutagen: &Mutagen, remote: &Remote, syncs: &[SyncSession]) -> Result<()> {
    for sync in syncs {
        if look(mutagen, remote, sync, &|_| {})?.is_some() {
            bail!("its next cycle would delete too much");
        }
    }
    Ok(())
}
