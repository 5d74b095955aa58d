//! `sinc pause` and `sinc flush`: the sync of one session.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::state_report::{SyncReport, SyncSeen, is_completed};
use super::sync_reasons::why_not;
use super::{held_words, mode_words, mutagen, now, unequal};
use crate::cli;
use crate::failure::{Failure, Kind, explain};
use crate::process::interrupted;
use crate::session::sync::{self, Stuck};
use crate::state::{Lock, Record, host_word};
use crate::tools::mutagen::{Checked, CycleResult, Mutagen, Selector, SyncSession};
use crate::ui::{bytes, plural};

/// How long the link gets to look whether a cycle would delete too much.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// `sinc pause`.
///
/// # Errors
/// There is no such session or no sync, or Mutagen fails.
pub(super) fn pause(ctx: &Context, args: &cli::Target) -> Result<i32> {
    let record = ctx.target(args.id.as_deref())?;
    mode_words::refuse_without(&record)?;
    let mutagen = mutagen::present(ctx)?;
    let syncs = syncs(&mutagen, &record)?;
    let was_paused = syncs.iter().all(SyncSession::is_paused);
    for sync in &syncs {
        match record.held {
            Some(_) if sync.is_paused() => mutagen.stays_paused(&sync.identifier),
            // Also one that is paused already: it may be so for a moment only, to connect anew.
            _ => drop(mutagen.pause(&sync.identifier)?),
        }
    }
    if let Some(held) = &record.held {
        held_words::tell(ctx, &record, held);
    } else if was_paused {
        ctx.ui.note("it was paused already; `sinc resume` goes on");
    } else if !ctx.runner.is_dry_run() {
        ctx.ui.status("Paused", &format!("the sync of {}; `sinc resume` goes on", record.id));
    }
    print_listed(ctx, "pause", &record, &mutagen)?;
    Ok(0)
}

/// `sinc flush`.
///
/// # Errors
/// The two sides are not equal: says why.
pub(super) fn flush(ctx: &Context, args: &cli::Flush) -> Result<i32> {
    let record = ctx.target(args.id.as_deref())?;
    mode_words::refuse_without(&record)?;
    let mutagen = mutagen::present(ctx)?;
    held_words::refuse(&record)?;
    let started = Instant::now();
    let checked = flushed(ctx, &mutagen, &record, Duration::from_secs(args.timeout))?;
    if checked.result == CycleResult::WouldRun {
        print_checked(ctx, "flush", &record, checked);
        return Ok(0);
    }
    note_checked(ctx, &record, &checked);
    let config = ctx.config()?;
    if !config.sync.link.value && sync::brought_over(&checked.result) {
        let remote = ctx.remote(&ctx.host_of(&config, &record)?);
        super::git::share(ctx, &remote, &record, &mutagen);
    }
    if checked.result != CycleResult::Equal {
        let failure = counted(&record, &checked);
        let found = unequal::find(ctx, &record, &checked);
        found.tell(ctx);
        let known = || {
            let mut data = report(ctx, &record, &SyncSeen::Checked(vec![checked]));
            data["unequal"] = found.json();
            data
        };
        return Err(match failure.downcast::<Failure>() {
            Ok(failure) => failure.with_data(known()).into(),
            Err(other) => other,
        });
    }
    let source = checked.session.source();
    let size = bytes(source.total_file_size);
    let files = plural(source.files, "file", "files");
    ctx.ui.status("Synced", &format!("{files}, {size}, in {:.1} s", started.elapsed().as_secs_f64()));
    if let Some(more) = mode_words::more(&checked.session) {
        ctx.ui.note(&more);
    }
    print_checked(ctx, "flush", &record, checked);
    Ok(0)
}

/// Why both sides are not equal, where each path that is not is named beside it: those are only counted.
fn counted(record: &Record, checked: &Checked) -> anyhow::Error {
    let why = why_not(record, checked);
    let names = matches!(checked.result, CycleResult::Conflicts(_) | CycleResult::Problems { .. });
    if !names || !record.local.is_dir() {
        return why;
    }
    let session = &checked.session;
    let counts: Vec<String> = [
        (session.conflict_count(), "conflict", "conflicts"),
        (session.problem_count(), "path is not synced", "paths are not synced"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| plural(count, one, many))
    .collect();
    let message = format!("the two sides of {} are not equal: {}", record.id, counts.join(", "));
    let shown = explain(&why);
    shown.hints.into_iter().fold(Failure::new(shown.kind, message), Failure::hint).into()
}

/// The syncs of the session: at least one.
pub(super) fn syncs(mutagen: &Mutagen, record: &Record) -> Result<Vec<SyncSession>> {
    let syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    if syncs.is_empty() { Err(no_sync(record)) } else { Ok(syncs) }
}

fn no_sync(record: &Record) -> anyhow::Error {
    Failure::new(Kind::Failed, format!("the session {} on {} has no sync", record.id, record.host))
        .hint("`sinc` in its directory makes one")
        .into()
}

/// The one sync of the session.
pub(super) fn one(mut all: Vec<Checked>, record: &Record) -> Result<Checked> {
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
    if !ctx.runner.is_dry_run() {
        super::link::ensure(ctx, &record.host);
    }
    let until = Instant::now() + deadline;
    let checked = one(wait(ctx, mutagen, record, Looks::Each(None), deadline)?, record)?;
    let left = until.saturating_duration_since(Instant::now());
    let settle = || super::resolve::settle_and_tell(ctx, record, mutagen, &checked.session, None);
    if left.is_zero() || settle().is_none() {
        return Ok(checked);
    }
    one(wait(ctx, mutagen, record, Looks::Each(None), deadline)?, record)
}

/// Before which cycles it is looked at what they would delete.
#[derive(Clone, Copy)]
pub(super) enum Looks<'a> {
    /// Before each. With the session's lock, if the caller has it.
    Each(Option<&'a Lock>),
    /// A person has allowed what the first completed one deletes.
    AfterFirst(Option<&'a Lock>),
}

impl<'a> Looks<'a> {
    /// Before the next: the session's lock, if the caller has it; nothing where it is not looked.
    fn own(self) -> Option<Option<&'a Lock>> {
        match self {
            Self::Each(own) => Some(own),
            Self::AfterFirst(_) => None,
        }
    }

    /// After a cycle.
    fn next(self, completed: bool) -> Self {
        match self {
            Self::AfterFirst(own) if completed => Self::Each(own),
            looks => looks,
        }
    }
}

/// Before a cycle is asked for: its link has looked at what it would delete. `own` is the session's lock, if the caller has it.
///
/// # Errors
/// The sync is held, or could not be looked at.
pub(super) fn be_sure(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    own: Option<&Lock>,
    deadline: Duration,
) -> Result<()> {
    super::link::look_first(ctx, mutagen, record, own, LOOK_DEADLINE.min(deadline))?;
    let held = ctx.store.held(&record.id, &record.host)?;
    held.map_or(Ok(()), |held| Err(held_words::failure(record, &held)))
}

/// A cycle of one sync, before which its link has looked; once more where it had to be connected first. `own` as for [`be_sure`].
///
/// # Errors
/// The sync is held or could not be looked at, or Mutagen cannot be asked.
pub(super) fn cycle(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    own: Option<&Lock>,
    id: &str,
    deadline: Duration,
) -> Result<Checked> {
    let checked = once(ctx, mutagen, record, own, id, deadline)?;
    if !reconnect(mutagen, std::slice::from_ref(&checked)) {
        return Ok(checked);
    }
    // Nobody watched while it was not.
    once(ctx, mutagen, record, own, id, deadline)
}

/// As [`cycle`], for a sync that is connected.
///
/// # Errors
/// As there.
pub(super) fn once(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    own: Option<&Lock>,
    id: &str,
    deadline: Duration,
) -> Result<Checked> {
    be_sure(ctx, mutagen, record, own, deadline)?;
    mutagen.flush_looked(id, deadline, &mut |left| be_sure(ctx, mutagen, record, own, left))
}

/// Asks for cycles until both sides are equal, something keeps them from it, or the time is up.
pub(super) fn wait(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    mut looks: Looks<'_>,
    deadline: Duration,
) -> Result<Vec<Checked>> {
    let selector = Selector::session(&record.id, &host_word(&record.host));
    let until = Instant::now() + deadline;
    let line = ctx.ui.progress();
    line.show("Syncing", &format!("with {}", record.host));
    let mut reconnected = false;
    loop {
        interrupted()?;
        super::link::let_git_work(ctx, record, until.saturating_duration_since(Instant::now()))?;
        let look = |left| looks.own().map_or(Ok(()), |own| be_sure(ctx, mutagen, record, own, left));
        // Also after waiting for git, which may have deleted many, and after a line that was lost: nobody watched meanwhile.
        look(until.saturating_duration_since(Instant::now()))?;
        let left = until.saturating_duration_since(Instant::now());
        // Before a second and third one it is looked whatever was allowed: that was the first one's.
        let (Looks::Each(own) | Looks::AfterFirst(own)) = looks;
        let mut all = mutagen.check(&selector, left, &mut |left| be_sure(ctx, mutagen, record, own, left))?;
        if !reconnected && reconnect(mutagen, &all) {
            reconnected = true;
            continue;
        }
        looks = looks.next(all.iter().all(|checked| is_completed(&checked.result)));
        if !all.iter().any(|checked| checked.result == CycleResult::StillChanging) || Instant::now() >= until
        {
            for checked in &mut all {
                in_time(checked, deadline);
            }
            return Ok(all);
        }
    }
}

/// After a lost line, or a restart of its daemon, Mutagen connects again only after up to 15 s: asked to, it does so at
/// once. Did one that was not connected connect?
fn reconnect(mutagen: &Mutagen, all: &[Checked]) -> bool {
    let lost = all.iter().filter(|checked| match checked.result {
        CycleResult::Disconnected(_) => true,
        // The link may be at it just now.
        CycleResult::Paused => {
            mutagen.was_only_connecting(&checked.session.identifier).is_ok_and(|goes_on| goes_on)
        }
        _ => false,
    });
    // As it is wanted by now: somebody may have paused it meanwhile.
    let connected = lost.map(|checked| mutagen.connect_anew(&checked.session.identifier, false));
    connected.filter(Result::is_ok).count() > 0
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

pub(super) fn note_checked(ctx: &Context, record: &Record, checked: &Checked) {
    if is_completed(&checked.result) {
        ctx.store.note_checked(&record.id, &record.host, now());
    }
}

pub(super) fn print_checked(ctx: &Context, command: &str, record: &Record, checked: Checked) {
    print(ctx, command, record, &SyncSeen::Checked(vec![checked]));
}

pub(super) fn print_listed(ctx: &Context, command: &str, record: &Record, mutagen: &Mutagen) -> Result<()> {
    if ctx.ui.is_json() {
        print(ctx, command, record, &SyncSeen::Listed(syncs(mutagen, record)?));
    }
    Ok(())
}

/// `--json`: the session and its sync, as in `status`.
fn print(ctx: &Context, command: &str, record: &Record, seen: &SyncSeen) {
    if ctx.ui.is_json() {
        ctx.print_json(command, &report(ctx, record, seen));
    }
}

fn report(ctx: &Context, record: &Record, seen: &SyncSeen) -> serde_json::Value {
    let held = ctx.store.held(&record.id, &record.host).ok().flatten();
    let sync = SyncReport::new(seen, held, ctx.store.last_checked(&record.id, &record.host), now());
    serde_json::json!({ "id": record.id, "host": record.host, "sync": sync })
}
