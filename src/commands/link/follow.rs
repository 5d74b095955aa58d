//! The directory on the host is not where it was, or not the session's: the link finds out, follows it, or stops.

use std::time::Duration;

use anyhow::Result;

use super::super::context::Context;
use super::watched::wanted;
use crate::project::SessionId;
use crate::remote::Remote;
use crate::session::bootstrap::{self, Place, Question};
use crate::session::hold;
use crate::session::scripts::ASIDE;
use crate::session::sync::{self, Step};
use crate::state::{Record, host_word};
use crate::tools::mutagen::{Mutagen, SyncSession};

/// How long another sinc that is at work on the session is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is where it was.
    InPlace,
    /// It was moved, and the sync follows it; what to say of that.
    Moved(String),
    /// It is not the session's any more: the sync is paused, and the next `sinc` looks.
    Gone {
        /// What to say of that.
        said: String,
        /// It was not paused for that before.
        news: bool,
    },
}

/// Asks the host where the session's directory is.
///
/// # Errors
/// The host cannot be asked, Mutagen fails, or another sinc is busy with the session.
pub(super) fn follow(ctx: &Context, remote: &Remote, mutagen: &Mutagen, record: &Record) -> Result<Found> {
    let _lock = ctx.store.lock(&record.id, &record.host, PATIENCE, &mut || {})?;
    let id = SessionId::parse(&record.id)?;
    let Some(mut record) = ctx.store.record(&id, &record.host)? else { return Ok(Found::InPlace) };
    let syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    let machine = ctx.machine()?;
    let host = ctx.host_of(&ctx.config()?, &record)?;
    let name = record.local.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (local, known) = (record.local.to_string_lossy().into_owned(), record.remote.clone());
    let question = Question {
        id: &id,
        workspace: host.workspace.value.as_str(),
        name: &name,
        machine: &machine,
        local: &local,
        known: Some(&known),
        adopt: false,
        same: false,
        look: true,
    };
    let answer = bootstrap::ask(remote, &question, &|_| {})?;
    match answer.place {
        Place::Kept | Place::Repaired if answer.directory == record.remote => Ok(Found::InPlace),
        Place::Kept | Place::Repaired | Place::Moved { .. } => {
            let wanted = {
                record.remote.clone_from(&answer.directory);
                wanted(ctx, &record)?
            };
            let before: Vec<String> = syncs.iter().map(|sync| sync.remote().path.clone()).collect();
            if let Err(error) = ensure_at((remote, mutagen), &wanted, &syncs, &mut record) {
                let news = pause(ctx, mutagen, &syncs, &record)?;
                return Ok(Found::Gone { said: format!("{error:#}"), news });
            }
            if record.held.take().is_some() {
                // The new one has no history, and so nothing to delete.
                ctx.store.release(&record.id, &record.host)?;
            }
            // Now that the sync is there: the host's claim says so too.
            bootstrap::ask(remote, &Question { look: false, ..question }, &|_| {})?;
            ctx.store.save(&record)?;
            let mut said = format!("the directory is {} now, and the sync follows it", record.remote);
            for old in before.iter().filter(|old| **old != record.remote) {
                if let Some(kept) = put_aside(remote, &record, old) {
                    said.push_str(&format!("; what was made again at its old place is in {kept}"));
                }
            }
            Ok(Found::Moved(said))
        }
        _ => {
            let news = pause(ctx, mutagen, &syncs, &record)?;
            let said = "its directory on the host is not its own any more: `sinc` says what can be done";
            Ok(Found::Gone { said: said.to_owned(), news })
        }
    }
}

fn ensure_at(
    (remote, mutagen): (&Remote, &Mutagen),
    wanted: &sync::Wanted,
    syncs: &[SyncSession],
    record: &mut Record,
) -> Result<()> {
    let mut kept_old = false;
    let mut tell = |step: &Step| kept_old |= matches!(step, Step::KeptOld { .. });
    let mut look = |_| hold::refuse(mutagen, remote, syncs);
    sync::ensure(mutagen, wanted, syncs, &mut tell, &mut look)?;
    record.settings = if kept_old { String::new() } else { wanted.settings.digest() };
    Ok(())
}

/// Pauses the syncs until a `sinc` has looked. Did they run until now?
fn pause(ctx: &Context, mutagen: &Mutagen, syncs: &[SyncSession], record: &Record) -> Result<bool> {
    hold::keep_paused(mutagen, syncs)?;
    let Some(known) = ctx.store.record(&SessionId::parse(&record.id)?, &record.host)? else {
        return Ok(false);
    };
    let news = is_news(&known, syncs);
    ctx.store.save(&Record { verify: true, ..known })?;
    Ok(news)
}

/// That a directory on the host is not the session's is known once somebody is told to look, and the syncs stand still. (A sync
/// that merely stands still may do so for a moment.)
pub(in crate::commands) fn is_news(record: &Record, syncs: &[SyncSession]) -> bool {
    !record.verify || syncs.iter().any(|sync| !sync.is_paused())
}

/// A cycle that ran at the very moment of the renaming makes the old directory again, as it is here. It is not deleted
/// but put where nobody trips over it. Gives its new place.
fn put_aside(remote: &Remote, record: &Record, old: &str) -> Option<String> {
    let reply = remote
        .call("put an old directory aside", &ASIDE, &[&record.id, old, &record.remote], &|_| {})
        .inspect_err(|error| tracing::debug!(%error, "an old directory was not put aside"))
        .ok()?;
    reply.get("kept").map(str::to_owned)
}
