//! A settling that breaks off: sinc is killed, or the line lost, between moving a version aside and the cycle that brings the
//! other one over. What was moved goes back to its place, before any cycle. Were the version that stayed undone meanwhile (by a
//! `git checkout FILE`), the missing one would be a deletion to Mutagen, of a file that nobody may have anywhere else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::commands::context::Context;
use crate::commands::now;
use crate::commands::sides::Sides;
use crate::listing::{decode, encode};
use crate::remote::RemoteError;
use crate::state::{Busy, Lock, Record, Settling};
use crate::tools::mutagen::Side;

/// What is said of it.
pub(in crate::commands) const BROKE_OFF: &str =
    "a conflict was being settled when that broke off: what had been moved aside is in its place again";

/// Notes that conflicts of the session are being settled, whose lock the caller has.
///
/// # Errors
/// It cannot be written.
pub(super) fn begin(ctx: &Context, record: &Record) -> Result<()> {
    let settling = Settling { pid: std::process::id(), since: now(), beside: Vec::new() };
    ctx.store.set_settling(&record.id, &record.host, &settling)
}

/// Notes the name that the host's version of a path is about to get.
///
/// # Errors
/// It cannot be written.
pub(super) fn note_beside(ctx: &Context, record: &Record, path: &Path, name: &Path) -> Result<()> {
    let mut settling = ctx.store.settling(&record.id, &record.host)?.context("nothing is being settled")?;
    settling.beside.push((encode(path), encode(name)));
    ctx.store.set_settling(&record.id, &record.host, &settling)
}

/// Nothing is being settled any more.
///
/// # Errors
/// That cannot be written.
pub(super) fn end(ctx: &Context, record: &Record) -> Result<()> {
    ctx.store.end_settling(&record.id, &record.host)
}

/// Puts back what was moved aside by a settling that broke off, where nothing has taken its place. To be called with the
/// session's lock held.
///
/// # Errors
/// The host was not reached: no cycle may begin before it was.
pub(in crate::commands) fn put_back(ctx: &Context, sides: &Sides) -> Result<()> {
    let record = &sides.record;
    let Some(settling) = ctx.store.settling(&record.id, &record.host)? else { return Ok(()) };
    for side in [Side::Remote, Side::Local] {
        match put_back_on(ctx, sides, side, &settling) {
            Ok(0) => {}
            Ok(left) => ctx.ui.warn(&format!(
                "{left} of what was moved aside {side} is still in its backup (`sinc backups`), because something took its place"
            )),
            Err(error) if error.is::<RemoteError>() => return Err(error),
            Err(error) => {
                ctx.ui.warn(&format!("what was moved aside {side} is still in its backup (`sinc backups`): {error:#}"));
            }
        }
    }
    end(ctx, record)
}

/// The same for one side. Gives how many paths stay in a backup.
fn put_back_on(ctx: &Context, sides: &Sides, side: Side, settling: &Settling) -> Result<usize> {
    let keeper = sides.keeper(ctx, side)?;
    let root = sides.root(side)?;
    if side == Side::Remote {
        for (path, name) in &settling.beside {
            let (Some(path), Some(name)) = (decode(path), decode(name)) else { continue };
            match keeper.rename(root, &name, &path) {
                Err(error) if error.is::<RemoteError>() => return Err(error),
                // It never got that name, or the cycle has brought over the version here.
                renamed => drop(renamed),
            }
        }
    }
    let machine = ctx.store.machine_if_known().unwrap_or_default();
    let (_, backups) = keeper.recover()?;
    let mut left = 0;
    for backup in backups.iter().filter(|one| !one.settled && one.by == machine && one.made >= settling.since)
    {
        let stays = keeper.unkeep(root, &backup.name)?;
        if stays == 0 {
            keeper.forget(&backup.name)?;
        }
        left += stays;
    }
    Ok(left)
}

/// Before a cycle is asked for: puts back what a settling that broke off has moved aside, and says so. `own` is the session's
/// lock, if the caller has it; another sinc that is at work on the session is waited for so long.
///
/// # Errors
/// The host was not reached.
pub(in crate::commands) fn put_back_left(
    ctx: &Context,
    record: &Record,
    own: Option<&Lock>,
    patience: Duration,
) -> Result<()> {
    let is_settling = || ctx.store.is_settling(&record.id, &record.host);
    if ctx.runner.is_dry_run() || !is_settling() {
        return Ok(());
    }
    let _lock = match own {
        Some(_) => {
            let settling = ctx.store.settling(&record.id, &record.host)?;
            // The caller's own: it asks for the cycle that belongs to it.
            if settling.is_none_or(|settling| settling.pid == std::process::id()) {
                return Ok(());
            }
            None
        }
        None => match ctx.store.lock(&record.id, &record.host, patience, &mut || {}) {
            Ok(lock) => Some(lock),
            Err(error) if error.is::<Busy>() => return Ok(()),
            Err(error) => return Err(error),
        },
    };
    if is_settling() {
        put_back(ctx, &Sides::of_record(ctx, record)?)?;
        ctx.ui.warn(BROKE_OFF);
    }
    Ok(())
}
