//! `sinc backups`: what was kept before something took its place, and bringing it back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::context::Context;
use super::paint::{Paint, Tone, ago, harmless, utc};
use super::sides::{Sides, word};
use super::state_report::is_completed;
use super::sync_control::once;
use super::{mutagen, now};
use crate::backups::{Backup, Found, Outcome};
use crate::cli::{self, BackupsAction};
use crate::config::Host;
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

/// So many hosts are asked at the same time.
const HOSTS_AT_ONCE: usize = 8;

/// So many paths below the one that was asked for are named.
const NAMED_BELOW: usize = 5;

/// A backup, field by field as docs/cli.md describes it.
#[derive(Serialize)]
struct Line {
    name: String,
    side: &'static str,
    /// Where it is, if not on this computer.
    host: Option<String>,
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
        None => Ok(print_list(ctx, all(ctx, &sides)?)),
        Some(BackupsAction::Restore { path, from }) => restore(ctx, &sides, path, from.as_deref()),
    }
}

/// Backups with the session that each is of, and which hosts could not be asked, and why.
#[derive(Default)]
struct Listed<'a> {
    all: Vec<(&'a Sides, Side, Backup)>,
    unreachable: Vec<(String, String)>,
}

impl<'a> Listed<'a> {
    fn add(&mut self, sides: &'a Sides, side: Side, backups: Vec<Backup>) {
        self.all.extend(backups.into_iter().map(|backup| (sides, side, backup)));
        self.all.sort_by(|(_, _, a), (_, _, b)| (a.made, &a.name).cmp(&(b.made, &b.name)));
    }

    /// The answer of a host.
    fn add_host(&mut self, sides: &'a Sides, answer: Result<Vec<Backup>>) {
        match answer {
            Ok(backups) => self.add(sides, Side::Remote, backups),
            Err(error) => {
                let why = harmless(error.to_string().lines().next().unwrap_or_default());
                self.unreachable.push((sides.record.host.clone(), why));
            }
        }
    }
}

/// The backups of both sides; those of a host that is down are not known.
fn all<'a>(ctx: &Context, sides: &'a Sides) -> Result<Listed<'a>> {
    let mut listed = Listed::default();
    listed.add(sides, Side::Local, sides.keeper(ctx, Side::Local)?.list()?);
    listed.add_host(sides, sides.keeper(ctx, Side::Remote)?.list());
    Ok(listed)
}

/// What was kept of a session that was ended stays, and can be had back; where nothing is, there was none. Which host it was on
/// is not known any more: all are asked, or the one that is named.
fn of_ended(ctx: &Context, id: &SessionId, args: &cli::Backups) -> Result<i32> {
    let none = || match ctx.target(args.session.as_deref()) {
        Err(error) => error,
        Ok(_) => Failure::new(Kind::Failed, format!("session {id} was made just now")).into(),
    };
    let hosts = hosts(ctx)?;
    // Of several nobody can be asked at the same time.
    let asked: Vec<Sides> =
        hosts.iter().map(|host| Sides::of_ended(ctx, id, host, hosts.len() == 1)).collect();
    let Some(first) = asked.first() else { return Err(none()) };
    let mut listed = Listed::default();
    listed.add(first, Side::Local, first.keeper(ctx, Side::Local)?.list()?);
    for (sides, answer) in asked.iter().zip(list_each(ctx, &asked)) {
        listed.add_host(sides, answer);
    }
    if listed.all.is_empty() {
        let unknown = |error: anyhow::Error, (host, why): &(String, String)| {
            error.context(format!("what {host} has is not known: {why}"))
        };
        return Err(listed.unreachable.iter().rev().fold(none(), unknown));
    }
    if args.action.is_some() {
        let message = format!("session {id} was ended: nothing can be restored by itself");
        return Err(Failure::new(Kind::Failed, message)
            .hint("`sinc --no-attach` in the project makes it again; then it can")
            .hint("or copy what you need: `sinc backups` shows where it is")
            .into());
    }
    ctx.ui.note(&format!("session {id} was ended; what was kept of it is still there"));
    Ok(print_list(ctx, listed))
}

/// The host that the command line names, or all that are known.
fn hosts(ctx: &Context) -> Result<Vec<Host>> {
    let config = ctx.config()?;
    let chosen = config.host(ctx.global.host.as_deref()).ok();
    if ctx.global.host.is_some() {
        return Ok(chosen.into_iter().collect());
    }
    let others = config.hosts.values().filter(|host| chosen.as_ref().is_none_or(|one| one.name != host.name));
    Ok(chosen.iter().chain(others).cloned().collect())
}

/// What each of the hosts answers, a few at the same time.
fn list_each(ctx: &Context, asked: &[Sides]) -> Vec<Result<Vec<Backup>>> {
    let list = |sides: &Sides| sides.keeper(ctx, Side::Remote)?.list();
    let some = |some: &[Sides]| -> Vec<Result<Vec<Backup>>> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = some.iter().map(|sides| scope.spawn(move || list(sides))).collect();
            let broke_off = |_| Err(anyhow::anyhow!("the question broke off"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(broke_off)).collect()
        })
    };
    asked.chunks(HOSTS_AT_ONCE).flat_map(some).collect()
}

fn print_list(ctx: &Context, Listed { all, unreachable }: Listed<'_>) -> i32 {
    if ctx.ui.is_json() {
        let why = match &unreachable[..] {
            [] => None,
            [(_, why)] => Some(why.clone()),
            several => {
                let each: Vec<String> = several.iter().map(|(host, why)| format!("{host}: {why}")).collect();
                Some(each.join("; "))
            }
        };
        let lines: Vec<Line> =
            all.into_iter().map(|(sides, side, backup)| line(sides, side, backup)).collect();
        ctx.print_json("backups", &serde_json::json!({ "backups": lines, "unreachable": why }));
        return 0;
    }
    let paint = Paint::for_stdout(ctx);
    for (sides, side, backup) in &all {
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
    for (host, why) in &unreachable {
        ctx.ui.warn(&format!("the backups on {host} are not known: {why}"));
    }
    if all.is_empty() && unreachable.is_empty() {
        ctx.ui.note("there is none: nothing was replaced yet");
    }
    0
}

fn line(sides: &Sides, side: Side, backup: Backup) -> Line {
    Line {
        name: backup.name,
        side: word(side),
        host: (side == Side::Remote).then(|| sides.record.host.clone()),
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
    if path.as_os_str().is_empty() {
        let message = "the whole project cannot be restored at once: name a file or a directory in it";
        return Err(Failure::new(Kind::Usage, message).hint("`sinc backups` shows what there is").into());
    }
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

/// The newest backup that has the whole path, or the one that was named.
fn choose(ctx: &Context, sides: &Sides, path: &Path, from: Option<&str>) -> Result<(Side, Backup)> {
    let Listed { all, unreachable } = all(ctx, sides)?;
    let with_unreachable = |failure: Failure| match unreachable.first() {
        Some((host, why)) => failure.hint(format!("those on {host} are not known: {why}")),
        None => failure,
    };
    if let Some(from) = from
        && !all.iter().any(|(_, _, backup)| backup.name == from)
    {
        let failure = Failure::new(Kind::Failed, format!("there is no backup `{}`", harmless(from)));
        return Err(with_unreachable(failure.hint("`sinc backups` shows what there is")).into());
    }
    let mut found: Vec<(Side, Found)> = Vec::new();
    for side in [Side::Local, Side::Remote] {
        if side == Side::Local || unreachable.is_empty() {
            found.push((side, sides.keeper(ctx, side)?.find(path)?));
        }
    }
    let on = |side: Side| found.iter().filter(move |(at, _)| *at == side).map(|(_, found)| found);
    let is_meant = |backup: &Backup| from.is_none_or(|from| from == backup.name);
    let meant = || all.iter().rev().filter(|(_, _, backup)| is_meant(backup));
    let has = |side: Side, backup: &Backup| on(side).any(|found| found.names.contains(&backup.name));
    if let Some((_, side, backup)) = meant().find(|(_, side, backup)| has(*side, backup)) {
        return Ok((*side, backup.clone()));
    }
    let below = meant().flat_map(|(_, side, backup)| {
        let of_it = on(*side).flat_map(|found| &found.below).filter(move |(name, _)| *name == backup.name);
        of_it.flat_map(|(_, paths)| paths)
    });
    Err(with_unreachable(lacks(path, from, below)).into())
}

/// No backup has the whole path; `below` is what they have of it, the newest first. That is not taken for all of it: what else is
/// there would go.
fn lacks<'a>(path: &Path, from: Option<&str>, below: impl Iterator<Item = &'a PathBuf>) -> Failure {
    let shown = |path: &Path| harmless(&path.to_string_lossy());
    let mut some: Vec<String> = Vec::new();
    for one in below.map(|path| shown(path)) {
        if !some.contains(&one) {
            some.push(one);
        }
    }
    some.truncate(NAMED_BELOW);
    let where_at =
        from.map_or("no backup has".to_owned(), |from| format!("the backup `{from}` does not have"));
    let Some(first) = some.first() else {
        return Failure::new(Kind::Failed, format!("{where_at} `{}`", shown(path)))
            .hint("`sinc backups` shows what there is");
    };
    let message =
        format!("{where_at} all of `{}`, only something below it: {}", shown(path), some.join(", "));
    Failure::new(Kind::Failed, message)
        .hint(format!("each can be restored by its own name: `sinc backups restore {first}`"))
        .hint("`sinc backups` shows what else there is")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::explain;

    #[test]
    fn what_is_below_the_path_is_named_and_not_taken_for_it() {
        let paths: Vec<PathBuf> =
            ["d/new\n", "d/b", "d/b", "d/c", "d/e", "d/f", "d/g"].map(PathBuf::from).into();
        let said = |failure: Failure| explain(&failure.into());
        let some = said(lacks(Path::new("d"), None, paths.iter()));
        assert_eq!(
            some.message,
            "no backup has all of `d`, only something below it: d/new?, d/b, d/c, d/e, d/f"
        );
        let one = said(lacks(Path::new("d"), Some("x"), paths[1..2].iter()));
        assert_eq!(one.message, "the backup `x` does not have all of `d`, only something below it: d/b");
        assert!(one.hints[0].ends_with("`sinc backups restore d/b`"), "{:?}", one.hints);
        let none = said(lacks(Path::new("d"), None, std::iter::empty()));
        assert_eq!(none.message, "no backup has `d`");
    }
}
