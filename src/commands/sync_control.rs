//! `sinc pause`, `sinc resume`, `sinc flush`: the sync of one session.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::ask::{self, SURVEY_DEADLINE};
use super::context::Context;
use super::first_cycle::{complaints, hint_at_conflicts};
use super::state_report::{SyncReport, SyncSeen, is_completed, place_note};
use super::sync_reasons::{tell_halt, why_not};
use super::{mutagen, now};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::process::interrupted;
use crate::session::survey::HostSession;
use crate::session::sync::{self, Stuck};
use crate::state::{Record, host_word};
use crate::tools::mutagen::{Checked, CycleResult, Mutagen, Selector, SyncSession};
use crate::ui::{bytes, plural};

/// How long the first cycle after `resume` is waited for.
const RESUME_DEADLINE: Duration = Duration::from_secs(60);

/// `sinc pause`.
///
/// # Errors
/// There is no such session or no sync, or Mutagen fails.
pub(super) fn pause(ctx: &Context, args: &cli::Target) -> Result<i32> {
    let record = ctx.target(args.id.as_deref())?;
    let mutagen = mutagen::present(ctx)?;
    let syncs = syncs(&mutagen, &record)?;
    let running: Vec<_> = syncs.iter().filter(|sync| !sync.is_paused()).collect();
    for sync in &running {
        mutagen.pause(&sync.identifier)?;
    }
    if running.is_empty() {
        ctx.ui.note("it was paused already; `sinc resume` goes on");
    } else if !ctx.runner.is_dry_run() {
        ctx.ui.status("Paused", &format!("the sync of {}; `sinc resume` goes on", record.id));
    }
    print_listed(ctx, "pause", &record, &mutagen)?;
    Ok(0)
}

/// `sinc resume`.
///
/// # Errors
/// It cannot go on, or must not: the directory on the host is not the session's any more.
pub(super) fn resume(ctx: &Context, args: &cli::Target) -> Result<i32> {
    let record = ctx.target(args.id.as_deref())?;
    let mutagen = mutagen::present(ctx)?;
    let syncs = syncs(&mutagen, &record)?;
    check_place(ctx, &record, &syncs)?;
    let mut resumed = false;
    for sync in &syncs {
        let stands = sync.is_paused() || sync.halt().is_some() || !sync.is_connected();
        if stands {
            mutagen.resume(&sync.identifier)?;
            resumed = true;
        }
    }
    if ctx.runner.is_dry_run() {
        print_listed(ctx, "resume", &record, &mutagen)?;
        return Ok(0);
    }
    let checked = one(wait(ctx, &mutagen, &record, RESUME_DEADLINE)?, &record)?;
    if let CycleResult::Halted(halt) = checked.result {
        tell_halt(ctx, &record, halt);
        return Err(Stuck::Halted(halt).into());
    }
    note_checked(ctx, &record, &checked);
    let verb = if resumed { "Resumed" } else { "Synced" };
    ctx.ui.status(verb, &format!("the sync of {}", record.id));
    for text in complaints(&checked.session) {
        ctx.ui.warn(&text);
    }
    hint_at_conflicts(ctx, checked.session.conflict_count());
    if !sync::brought_over(&checked.result) {
        return Err(why_not(&record, &checked));
    }
    print_checked(ctx, "resume", &record, checked);
    Ok(0)
}

/// `sinc flush`.
///
/// # Errors
/// The two sides are not equal: says why.
pub(super) fn flush(ctx: &Context, args: &cli::Flush) -> Result<i32> {
    let record = ctx.target(args.id.as_deref())?;
    let mutagen = mutagen::present(ctx)?;
    let started = Instant::now();
    let checked = flushed(ctx, &mutagen, &record, Duration::from_secs(args.timeout))?;
    if checked.result == CycleResult::WouldRun {
        print_checked(ctx, "flush", &record, checked);
        return Ok(0);
    }
    note_checked(ctx, &record, &checked);
    if checked.result != CycleResult::Equal {
        return Err(why_not(&record, &checked));
    }
    let local = checked.session.local();
    let size = bytes(local.total_file_size);
    let files = plural(local.files, "file", "files");
    ctx.ui.status("Synced", &format!("{files}, {size}, in {:.1} s", started.elapsed().as_secs_f64()));
    print_checked(ctx, "flush", &record, checked);
    Ok(0)
}

/// The syncs of the session: at least one.
fn syncs(mutagen: &Mutagen, record: &Record) -> Result<Vec<SyncSession>> {
    let syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    if syncs.is_empty() { Err(no_sync(record)) } else { Ok(syncs) }
}

fn no_sync(record: &Record) -> anyhow::Error {
    Failure::new(Kind::Failed, format!("the session {} on {} has no sync", record.id, record.host))
        .hint("`sinc` in its directory makes one")
        .into()
}

/// The one sync of the session.
fn one(mut all: Vec<Checked>, record: &Record) -> Result<Checked> {
    match all.len() {
        0 => Err(no_sync(record)),
        1 => Ok(all.remove(0)),
        _ => {
            let line = |checked: &Checked| {
                let session = &checked.session;
                format!("{} {} -> {}", session.identifier, session.local().path, session.remote().path)
            };
            Err(Stuck::Ambiguous(all.iter().map(line).collect()).into())
        }
    }
}

/// The session's one sync after cycles that were asked for, until both sides are equal, something keeps them from it, or
/// the time is up.
///
/// # Errors
/// It has none or several, Mutagen cannot be asked, or a signal came.
pub(super) fn flushed(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    deadline: Duration,
) -> Result<Checked> {
    one(wait(ctx, mutagen, record, deadline)?, record)
}

/// Asks for cycles until both sides are equal, something keeps them from it, or the time is up.
fn wait(ctx: &Context, mutagen: &Mutagen, record: &Record, deadline: Duration) -> Result<Vec<Checked>> {
    let selector = Selector::session(&record.id, &host_word(&record.host));
    let until = Instant::now() + deadline;
    let line = ctx.ui.progress();
    line.show("Syncing", &format!("with {}", record.host));
    loop {
        interrupted()?;
        let left = until.saturating_duration_since(Instant::now());
        let mut all = mutagen.check(&selector, left)?;
        if !all.iter().any(|checked| checked.result == CycleResult::StillChanging) || Instant::now() >= until
        {
            for checked in &mut all {
                in_time(checked, deadline);
            }
            return Ok(all);
        }
    }
}

/// The deadline of the whole wait counts, not that of its last part.
fn in_time(checked: &mut Checked, deadline: Duration) {
    match &mut checked.result {
        CycleResult::TimedOut { after, .. } => *after = deadline,
        result @ CycleResult::StillChanging => {
            *result = CycleResult::TimedOut {
                after: deadline,
                phase: checked.session.progress().phase,
                last_error: Some("files are being changed at this moment".to_owned()),
            };
        }
        _ => {}
    }
}

/// Going on with a directory that is not the session's any more could empty this side: an empty one in its place
/// would count as everything deleted.
fn check_place(ctx: &Context, record: &Record, syncs: &[SyncSession]) -> Result<()> {
    let host = ctx.host_of(&ctx.config()?, record)?;
    let deadline = if ctx.ui.is_interactive() { None } else { Some(SURVEY_DEADLINE) };
    let answer = ask::host(ctx, &host, deadline);
    ask::tell_finished(ctx, [(&host.name, &answer)]);
    let id = &record.id;
    let survey = answer.survey.map_err(anyhow::Error::from).with_context(|| {
        format!("the sync of {id} was not resumed: whether its directory is still its own is not known")
    })?;
    let there = survey.sessions.get(id);
    let elsewhere = syncs.iter().any(|sync| sync.remote().path != record.remote);
    let note = match place_note(record, there.unwrap_or(&HostSession::default())) {
        None if elsewhere => Some("its directory on the host is another one now".to_owned()),
        note => note,
    };
    let Some(note) = note else { return Ok(()) };
    if let Some(halt) = syncs.iter().find_map(SyncSession::halt) {
        tell_halt(ctx, record, halt);
    }
    Err(Failure::new(
        Kind::Failed,
        format!("the sync of {id} was not resumed, because that could delete files here: {note}"),
    )
    .hint("run `sinc --no-attach` in its directory: it looks at the host, and says what can be done")
    .into())
}

fn note_checked(ctx: &Context, record: &Record, checked: &Checked) {
    if is_completed(&checked.result) {
        ctx.store.note_checked(&record.id, &record.host, now());
    }
}

fn print_checked(ctx: &Context, command: &str, record: &Record, checked: Checked) {
    print(ctx, command, record, &SyncSeen::Checked(vec![checked]));
}

fn print_listed(ctx: &Context, command: &str, record: &Record, mutagen: &Mutagen) -> Result<()> {
    if ctx.ui.is_json() {
        print(ctx, command, record, &SyncSeen::Listed(syncs(mutagen, record)?));
    }
    Ok(())
}

/// `--json`: the session and its sync, as in `status`.
fn print(ctx: &Context, command: &str, record: &Record, seen: &SyncSeen) {
    if ctx.ui.is_json() {
        let sync = SyncReport::new(seen, ctx.store.last_checked(&record.id, &record.host), now());
        let data = serde_json::json!({ "id": record.id, "host": record.host, "sync": sync });
        ctx.print_json(command, &data);
    }
}
