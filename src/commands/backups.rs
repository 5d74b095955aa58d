//! `sinc backups`: what was kept before something took its place, and bringing it back.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::context::Context;
use super::paint::{Paint, Tone, ago, harmless, utc};
use super::sides::{Sides, word};
use super::state_report::is_completed;
use super::sync_control::once;
use super::{mutagen, now};
use crate::backups::{Backup, Outcome};
use crate::cli::{self, BackupsAction};
use crate::failure::{Failure, Kind};
use crate::project::SessionId;
use crate::session::conflicts::touch;
use crate::session::sync;
use crate::state::{Lock, host_word};
use crate::tools::mutagen::{Checked, CycleResult, Side, SyncSession};
use crate::ui::{bytes, plural};

/// How long to wait for another `sinc` that is busy with the same session.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// How long what was brought back may take to the other side.
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// A backup, field by field as docs/cli.md describes it.
#[derive(Serialize)]
struct Line {
    name: String,
    side: &'static str,
    place: String,
    made: u64,
    why: String,
    /// The first ones.
    paths: Vec<String>,
    count: u64,
    bytes: u64,
    settled: bool,
}

/// Runs it.
///
/// # Errors
/// There is no such session, or nothing can be brought back.
pub(super) fn run(ctx: &Context, args: &cli::Backups) -> Result<i32> {
    let id = ctx.target_id(args.session.as_deref())?;
    if ctx.records_of(&id)?.is_empty() {
        return of_ended(ctx, &id, args);
    }
    let sides = Sides::of(ctx, args.session.as_deref())?;
    match &args.action {
        None => print_list(ctx, &sides, all(ctx, &sides)?),
        Some(BackupsAction::Restore { path, from }) => restore(ctx, &sides, path, from.as_deref()),
    }
}

/// Backups, each with its side.
type Sided = Vec<(Side, Backup)>;

/// The backups of both sides; those of a host that is down are not known.
fn all(ctx: &Context, sides: &Sides) -> Result<(Sided, Option<String>)> {
    let here = sides.keeper(ctx, Side::Local)?.list()?;
    let (there, unreachable) = match sides.keeper(ctx, Side::Remote)?.list() {
        Ok(there) => (there, None),
        Err(error) => (Vec::new(), Some(error.to_string().lines().next().unwrap_or_default().to_owned())),
    };
    let mut all: Sided = here.into_iter().map(|backup| (Side::Local, backup)).collect();
    all.extend(there.into_iter().map(|backup| (Side::Remote, backup)));
    all.sort_by(|(_, a), (_, b)| (a.made, &a.name).cmp(&(b.made, &b.name)));
    Ok((all, unreachable))
}

/// What was kept of a session that was ended stays, and can be had back; where nothing is, there was none.
fn of_ended(ctx: &Context, id: &SessionId, args: &cli::Backups) -> Result<i32> {
    let none = || match ctx.target(args.session.as_deref()) {
        Err(error) => error,
        Ok(_) => Failure::new(Kind::Failed, format!("session {id} was made just now")).into(),
    };
    let Ok(host) = ctx.config()?.host(ctx.global.host.as_deref()) else { return Err(none()) };
    let sides = Sides::of_ended(ctx, id, &host);
    let (all, unreachable) = all(ctx, &sides)?;
    if all.is_empty() {
        return Err(match unreachable {
            Some(why) => none().context(format!("what {} has is not known: {}", host.name, harmless(&why))),
            None => none(),
        });
    }
    if args.action.is_some() {
        let message = format!("session {id} was ended: nothing can be restored by itself");
        return Err(Failure::new(Kind::Failed, message)
            .hint("`sinc --no-attach` in the project makes it again; then it can")
            .hint("or copy what you need: `sinc backups` shows where it is")
            .into());
    }
    ctx.ui.note(&format!("session {id} was ended; what was kept of it is still there"));
    print_list(ctx, &sides, (all, unreachable))
}

fn print_list(ctx: &Context, sides: &Sides, (all, unreachable): (Sided, Option<String>)) -> Result<i32> {
    if ctx.ui.is_json() {
        let lines: Vec<Line> = all.into_iter().map(|(side, backup)| line(side, backup)).collect();
        ctx.print_json("backups", &serde_json::json!({ "backups": lines, "unreachable": unreachable }));
        return Ok(0);
    }
    let paint = Paint::for_stdout(ctx);
    for (side, backup) in &all {
        let files = plural(backup.count, "path", "paths");
        let age = ago(now().saturating_sub(backup.made));
        let head = format!("{} {side}, {age}: {}", backup.name, harmless(&backup.why));
        let size =
            format!("({files}, {}{})", bytes(backup.bytes), if backup.settled { "" } else { ", open" });
        ctx.ui.data(&format!("{} {}", paint.paint(Tone::Strong, &head), paint.paint(Tone::Quiet, &size)));
        for path in &backup.paths {
            ctx.ui.data(&format!("    {}", harmless(&path.to_string_lossy())));
        }
        if backup.count > backup.paths.len() as u64 {
            ctx.ui.data(&format!("    and {} more", backup.count - backup.paths.len() as u64));
        }
        let place = sides.shown(ctx, *side, &Path::new(&backup.place).join("files"));
        ctx.ui.data(&paint.paint(Tone::Quiet, &format!("    in {place}")));
    }
    if let Some(why) = unreachable {
        ctx.ui.warn(&format!("the backups on {} are not known: {}", sides.record.host, harmless(&why)));
    } else if all.is_empty() {
        ctx.ui.note("there is none: nothing was replaced yet");
    }
    Ok(0)
}

fn line(side: Side, backup: Backup) -> Line {
    Line {
        name: backup.name,
        side: word(side),
        place: format!("{}/files", backup.place),
        made: backup.made,
        why: backup.why,
        paths: backup.paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        count: backup.count,
        bytes: backup.bytes,
        settled: backup.settled,
    }
}

/// Puts a copy of what a backup has in its place, on the side where it was, and has it synced.
fn restore(ctx: &Context, sides: &Sides, path: &Path, from: Option<&str>) -> Result<i32> {
    let path = sides.relative(ctx, path)?;
    let (side, backup) = choose(ctx, sides, &path, from)?;
    check_mode(ctx, sides, side, &backup)?;
    let shown = harmless(&path.to_string_lossy());
    let when = format!("{side} until {} UTC", utc(backup.made));
    if ctx.runner.is_dry_run() {
        ctx.ui.note(&format!("{shown} would become what was {when} again"));
        if ctx.ui.is_json() {
            print(ctx, &path, side, &backup, None, None);
        }
        return Ok(0);
    }
    ctx.ui.note(&format!("as it was {when}; what is there now is kept"));
    if !ctx.ui.confirm(&format!("Bring {shown} back?"), true)? {
        return Err(Failure::new(Kind::Failed, format!("{shown} was not restored")).into());
    }
    let (id, host) = (&sides.record.id, &sides.record.host);
    super::link::ensure(ctx, host);
    let lock = ctx.store.lock(id, host, LOCK_PATIENCE, &mut || {
        ctx.ui.note("another sinc is busy with this session: waiting for it");
    })?;
    let keeper = sides.keeper(ctx, side)?;
    let now = now();
    let kept = keeper.restore(sides.root(side)?, &path, &backup.name, now, &utc(now))?;
    sides.prune(ctx, &keeper);
    ctx.ui.status("Restored", &format!("{shown} as it was {when}"));
    let replaced = kept.paths.iter().any(|(_, outcome)| *outcome == Outcome::Kept);
    let place = replaced.then(|| format!("{}/files", kept.place));
    if let Some(place) = &place {
        ctx.ui.note(&format!("what was there is kept in {}", sides.shown(ctx, side, Path::new(place))));
    }
    let flushed = flush(ctx, sides, &lock);
    if is_over(&flushed, &path)
        && let Err(error) = keeper.settle(std::slice::from_ref(&kept.name))
    {
        tracing::debug!(%error, "that what was replaced is settled could not be noted: a later look notes it");
    }
    let result = flushed.ok().flatten().map(|checked| checked.result);
    if let Some(result) = result.as_ref().filter(|result| **result != CycleResult::Equal) {
        ctx.ui.warn(&format!("the two sides are not equal yet: {result}"));
    }
    if ctx.ui.is_json() {
        print(ctx, &path, side, &backup, place, Some(result == Some(CycleResult::Equal)));
    }
    Ok(0)
}

/// What is put back where a replica receives is overwritten with the next cycle.
fn check_mode(ctx: &Context, sides: &Sides, side: Side, backup: &Backup) -> Result<()> {
    let record = &sides.record;
    let syncs = mutagen::present(ctx).and_then(|it| sync::find(&it, &record.id, &host_word(&record.host)));
    let mode = syncs.ok().and_then(|syncs| syncs.first().and_then(SyncSession::sync_mode));
    let Some(mode) = mode.filter(|mode| mode.is_replica() && mode.source() != Some(side)) else {
        return Ok(());
    };
    let place = sides.shown(ctx, side, &Path::new(&backup.place).join("files"));
    let message = format!("in mode {} what is put back {side} would be overwritten at once", mode.word());
    Err(Failure::new(Kind::Failed, message).hint(format!("copy what you need from {place}")).into())
}

fn print(
    ctx: &Context,
    path: &Path,
    side: Side,
    backup: &Backup,
    kept: Option<String>,
    synced: Option<bool>,
) {
    let data = serde_json::json!({
        "path": path.to_string_lossy(), "side": word(side), "from": backup.name, "kept": kept, "synced": synced,
    });
    ctx.print_json("backups restore", &data);
}

/// The newest backup that has the path, or the one that was named.
fn choose(ctx: &Context, sides: &Sides, path: &Path, from: Option<&str>) -> Result<(Side, Backup)> {
    let (all, unreachable) = all(ctx, sides)?;
    let mut having = Vec::new();
    for side in [Side::Local, Side::Remote] {
        if side == Side::Local || unreachable.is_none() {
            let names = sides.keeper(ctx, side)?.find(path)?;
            having.extend(names.into_iter().map(|name| (side, name)));
        }
    }
    let is_one = |side: Side, name: &str| having.iter().any(|(at, one)| *at == side && one == name);
    let fits = |(side, backup): &&(Side, Backup)| {
        from.is_none_or(|from| from == backup.name) && is_one(*side, &backup.name)
    };
    if let Some(found) = all.iter().rev().find(fits) {
        return Ok(found.clone());
    }
    let where_at =
        from.map_or("no backup has".to_owned(), |from| format!("the backup `{from}` does not have"));
    let mut failure =
        Failure::new(Kind::Failed, format!("{where_at} `{}`", harmless(&path.to_string_lossy())))
            .hint("`sinc backups` shows what there is");
    if let Some(why) = unreachable {
        failure = failure.hint(format!("those on {} are not known: {}", sides.record.host, harmless(&why)));
    }
    Err(failure.into())
}

/// Has the session go through a cycle, if it has a sync.
fn flush(ctx: &Context, sides: &Sides, own: &Lock) -> Result<Option<Checked>> {
    let asked = (|| {
        let mutagen = mutagen::present(ctx)?;
        let syncs = sync::find(&mutagen, &sides.record.id, &host_word(&sides.record.host))?;
        let Some(first) = syncs.first() else { return Ok(None) };
        once(ctx, &mutagen, &sides.record, Some(own), &first.identifier, FLUSH_DEADLINE).map(Some)
    })();
    asked.inspect_err(|error| tracing::debug!(%error, "the cycle could not be asked for"))
}

/// Is what was replaced no version of a conflict? Known after a cycle that leaves none at the path, above or below it; where there is
/// no sync there is none.
fn is_over(flushed: &Result<Option<Checked>>, path: &Path) -> bool {
    match flushed {
        Ok(None) => true,
        Ok(Some(checked)) => {
            let conflicts = &checked.session.conflicts;
            is_completed(&checked.result)
                && checked.session.conflict_count() == conflicts.len() as u64
                && !conflicts.iter().any(|one| touch(Path::new(&one.root), path))
        }
        Err(_) => false,
    }
}
