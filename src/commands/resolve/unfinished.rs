//! A settling that breaks off: sinc is killed, or the line lost, between moving a version aside and the cycle that brings the
//! other one over. What was moved goes back to its place, before any cycle. Were the version that stayed undone meanwhile (by a
//! `git checkout FILE`), the missing one would be a deletion to Mutagen, of a file that nobody may have anywhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::commands::context::Context;
use crate::commands::sides::Sides;
use crate::listing::{decode, encode};
use crate::process::forgive_interrupt;
use crate::remote::RemoteError;
use crate::state::{Busy, Lock, Record, Settling};
use crate::tools::mutagen::Side;
use crate::ui::plural;

/// What is said where something was put back.
pub(in crate::commands) const BROKE_OFF: &str =
    "a conflict was being settled when that broke off: what had been moved aside is in its place again";

fn path(ctx: &Context, record: &Record) -> PathBuf {
    ctx.store.settling_path(&record.id, &record.host)
}

/// Notes that conflicts of the session are being settled, whose lock the caller has.
///
/// # Errors
/// It cannot be written.
pub(super) fn begin(ctx: &Context, record: &Record) -> Result<()> {
    ctx.store.set_settling(&path(ctx, record), &Settling::begun())
}

fn note(ctx: &Context, record: &Record, note: impl FnOnce(&mut Settling)) -> Result<()> {
    let path = path(ctx, record);
    let mut settling = ctx.store.settling(&path)?.context("nothing is being settled")?;
    note(&mut settling);
    ctx.store.set_settling(&path, &settling)
}

/// Notes the name that the host's version of a path is about to get.
///
/// # Errors
/// It cannot be written.
pub(super) fn note_beside(ctx: &Context, record: &Record, path: &Path, name: &Path) -> Result<()> {
    note(ctx, record, |settling| settling.beside.push((encode(path), encode(name))))
}

/// Notes the name of a backup into which something is about to be moved.
///
/// # Errors
/// It cannot be written.
pub(super) fn note_backup(ctx: &Context, record: &Record, side: Side, name: &str) -> Result<()> {
    note(ctx, record, |settling| match side {
        Side::Local => settling.here.push(name.to_owned()),
        Side::Remote => settling.there.push(name.to_owned()),
    })
}

/// Nothing is being settled any more.
///
/// # Errors
/// That cannot be written.
pub(super) fn end(ctx: &Context, record: &Record) -> Result<()> {
    ctx.store.end_settling(&path(ctx, record))
}

/// It broke off: puts back what was moved aside, or leaves that to the next one.
pub(super) fn break_off(ctx: &Context, sides: &Sides) {
    // Also after Ctrl-C.
    forgive_interrupt();
    // Nobody is at it from now on, though this process may live on.
    let noted = note(ctx, &sides.record, |settling| settling.by.clear());
    if let Err(error) = noted.and_then(|()| put_back(ctx, sides)) {
        ctx.ui.warn(&format!("what was moved aside goes back before the next cycle: {error:#}"));
    }
}

/// Puts back what was moved aside by a settling that broke off, where nothing has taken its place. To be called with the
/// session's lock held. Gives whether something went back.
///
/// # Errors
/// Not all of that could be done: no cycle may begin before it was.
pub(in crate::commands) fn put_back(ctx: &Context, sides: &Sides) -> Result<bool> {
    let Some(settling) = ctx.store.settling(&path(ctx, &sides.record))? else { return Ok(false) };
    let mut is_back = false;
    // The side here first: it is reached without a line.
    for (side, names) in [(Side::Local, &settling.here), (Side::Remote, &settling.there)] {
        let beside: &[(String, String)] = if side == Side::Remote { &settling.beside } else { &[] };
        if names.is_empty() && beside.is_empty() {
            continue;
        }
        let keeper = sides.keeper(ctx, side)?;
        let root = sides.root(side)?;
        for (path, name) in beside {
            let (Some(path), Some(name)) = (decode(path), decode(name)) else { continue };
            match keeper.rename(root, &name, &path) {
                Ok(()) => is_back = true,
                Err(error) if error.is::<RemoteError>() => return Err(error),
                // It never got that name, or the cycle has brought over the version here.
                Err(_) => {}
            }
        }
        if names.is_empty() {
            continue;
        }
        // What was on its way into one is in it afterwards.
        let (recovered, _) = keeper.recover()?;
        for name in names {
            if let Some(file) = recovered.stuck.iter().find(|file| file.contains(name.as_str())) {
                let file = sides.shown(ctx, side, Path::new(file));
                bail!(
                    "what was moved aside {side} for a conflict cannot go into its backup: it is in {file}, and there may be no room on the disk"
                );
            }
            let unkept = keeper.unkeep(root, name, &[])?;
            if let Some(why) = unkept.stuck {
                bail!(
                    "what was moved aside {side} for a conflict cannot go back to its place from the backup {name}: {why}"
                );
            }
            is_back |= unkept.back > 0;
            if unkept.taken == 0 {
                keeper.forget(name)?;
            } else if unkept.back > 0 || side == Side::Local {
                let taken = plural(unkept.taken as u64, "path", "paths");
                ctx.ui.warn(&format!(
                    "{taken} of what was moved aside {side} stays in the backup {name} (`sinc backups`), because something took its place"
                ));
            }
        }
    }
    end(ctx, &sides.record)?;
    Ok(is_back)
}

/// Before a cycle is asked for: puts back what a settling that broke off has moved aside, and says so. `own` is the session's
/// lock, if the caller has it; another sinc that is at work on the session is waited for so long.
///
/// # Errors
/// Not all of it could be put back, or the host was not reached.
pub(in crate::commands) fn put_back_left(
    ctx: &Context,
    record: &Record,
    own: Option<&Lock>,
    patience: Duration,
) -> Result<()> {
    let path = path(ctx, record);
    if ctx.runner.is_dry_run() || !path.exists() {
        return Ok(());
    }
    let _lock = match own {
        // The caller's own: it asks for the cycle that belongs to it.
        Some(_) if ctx.store.settling(&path)?.is_none_or(|settling| settling.is_own()) => return Ok(()),
        Some(_) => None,
        None => match ctx.store.lock(&record.id, &record.host, patience, &mut || {}) {
            Ok(lock) => Some(lock),
            // It is at it still, or sees to it before its own cycle.
            Err(error) if error.is::<Busy>() => return Ok(()),
            Err(error) => return Err(error),
        },
    };
    // Nobody is asked for a password by a command that only wants a cycle.
    let mut sides = Sides::of_record(ctx, record)?;
    sides.remote = sides.remote.with_person(false);
    if put_back(ctx, &sides)? {
        ctx.ui.warn(BROKE_OFF);
    }
    Ok(())
}
