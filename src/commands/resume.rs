//! `sinc resume`: syncs again after `sinc pause`, and leads out of a sync that is held.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::ask::{self, SURVEY_DEADLINE};
use super::context::Context;
use super::first_cycle::{self, complaints, hint_at_conflicts};
use super::resolve::put_back_left;
use super::state_report::place_note;
use super::sync_control::{Looks, note_checked, one, print_checked, print_listed, syncs, wait};
use super::sync_reasons::{tell_halt, why_not};
use super::{held_words, mode_words, mutagen, notify};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::ignore::MARKER;
use crate::remote::Remote;
use crate::session::survey::HostSession;
use crate::session::sync::{self, Stuck};
use crate::session::{hold, missing};
use crate::state::{Held, HeldSide, Record};
use crate::tools::mutagen::{Checked, CycleResult, Mutagen, SyncMode, SyncSession};
use crate::ui::{count, plural};

/// How long the first cycle is waited for.
const CYCLE_DEADLINE: Duration = Duration::from_secs(60);

/// It stood still, and goes on.
const RESUMED: &str = "Resumed";

/// It did not stand still.
const SYNCED: &str = "Synced";

/// How long to wait for another `sinc` that is busy with the same session.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// Runs it.
///
/// # Errors
/// It cannot go on, or must not: it is held, or the directory on the host is not the session's any more.
pub(super) fn run(ctx: &Context, args: &cli::Resume) -> Result<i32> {
    let known = ctx.target(args.id.as_deref())?;
    mode_words::refuse_without(&known)?;
    let mutagen = mutagen::present(ctx)?;
    let dry_run = ctx.runner.is_dry_run();
    let locked = || {
        ctx.store.lock(&known.id, &known.host, LOCK_PATIENCE, &mut || {
            ctx.ui.note("another sinc is busy with this session: waiting for it");
        })
    };
    let lock = if dry_run { None } else { Some(locked()?) };
    let record = ctx.target(args.id.as_deref())?;
    let mut syncs = syncs(&mutagen, &record)?;
    let remote = check_place(ctx, &record, &syncs)?;
    put_back_left(ctx, &record, lock.as_ref(), Duration::ZERO)?;
    let held = match dry_run {
        true => record.held,
        false => hold::check(
            &mutagen,
            &ctx.store,
            &remote,
            &record,
            &mut syncs,
            (false, &|line| ctx.ui.warn(line)),
        )?,
    };
    match held {
        Some(held) if args.restore => return restore(ctx, &mutagen, &remote, &record, &held, &syncs),
        Some(held) if args.allow_deletions => {
            allow_deletions(ctx, &mutagen, &remote, &record, &held, &syncs)?;
        }
        Some(held) if is_back(ctx, &mutagen, &remote, &syncs, &held)? => {
            ctx.ui.note("nothing that counts is missing any more: it goes on");
            ctx.store.release(&record.id, &record.host)?;
        }
        Some(held) => {
            notify::held(ctx, &remote, &record, &held);
            return Err(held_words::failure(&record, &held));
        }
        None if args.restore || args.allow_deletions => {
            ctx.ui.note("it is not held: it goes on as without the option");
        }
        None => {}
    }
    let held = held.filter(|_| args.allow_deletions);
    let _placeholder = held.filter(|_| !dry_run).and_then(|_| Placeholder::put(&record.local));
    let mut resumed = false;
    for sync in syncs.iter().filter(|sync| !sync.is_connected()) {
        mutagen.resume(&sync.identifier)?;
        resumed = true;
    }
    if dry_run {
        print_listed(ctx, "resume", &record, &mutagen)?;
        return Ok(0);
    }
    // What stood still was looked at before it was connected, and that took a moment.
    let looks = if held.is_none() { Looks::Each } else { Looks::AfterFirst };
    let checked = one(wait(ctx, &mutagen, &record, looks(lock.as_ref()), CYCLE_DEADLINE)?, &record)?;
    super::link::ensure(ctx, &record.host);
    ctx.store.poke_links();
    conclude(ctx, &remote, &record, checked, if resumed { RESUMED } else { SYNCED })
}

/// Has a person brought back what was missing? Not where it is not known.
fn is_back(
    ctx: &Context,
    mutagen: &Mutagen,
    remote: &Remote,
    syncs: &[SyncSession],
    held: &Held,
) -> Result<bool> {
    match syncs {
        [sync] if !ctx.runner.is_dry_run() => missing::is_back(mutagen, remote, sync, held, &|_| {}),
        _ => Ok(false),
    }
}

/// Something in a directory that is empty here, and not synced. Mutagen does not bring over that everything is gone, though a
/// person has said so; on the host, the marker of the same name keeps it from stopping.
struct Placeholder(PathBuf);

impl Placeholder {
    fn put(local: &Path) -> Option<Self> {
        let is_empty = std::fs::read_dir(local).is_ok_and(|mut entries| entries.next().is_none());
        let path = local.join(MARKER);
        (is_empty && File::create_new(&path).is_ok()).then_some(Self(path))
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Says how it stands after a cycle.
fn conclude(ctx: &Context, remote: &Remote, record: &Record, checked: Checked, verb: &str) -> Result<i32> {
    if let CycleResult::Halted(halt) = checked.result {
        let mode = checked.session.sync_mode();
        tell_halt(ctx, record, halt, mode);
        let stuck = Stuck::Halted(halt, mode);
        // The ways out have been said, where there is more than the one object.
        return Err(match ctx.ui.is_json() {
            true => stuck.into(),
            false => Failure::new(Kind::Failed, stuck.to_string()).into(),
        });
    }
    note_checked(ctx, record, &checked);
    // That it is held is not so any more; what the link sees first it says itself.
    if ctx.store.noted_conflicts(&record.id, &record.host).held {
        notify::conflicts(ctx, remote, record, &notify::noted(&checked.session));
    }
    let was = if verb == SYNCED { "; it was not paused" } else { "" };
    ctx.ui.status(verb, &format!("the sync of {}{was}", record.id));
    for text in complaints(&checked.session) {
        ctx.ui.warn(&text);
    }
    hint_at_conflicts(ctx, checked.session.conflict_count());
    if !sync::brought_over(&checked.result) {
        return Err(why_not(record, &checked));
    }
    print_checked(ctx, "resume", record, checked);
    Ok(0)
}

/// Asks, and lets go of the sync. When this process dies before it has gone on, the next one looks again, and holds it.
fn allow_deletions(
    ctx: &Context,
    mutagen: &Mutagen,
    remote: &Remote,
    record: &Record,
    held: &Held,
    syncs: &[SyncSession],
) -> Result<()> {
    if ctx.runner.is_dry_run() {
        return Ok(());
    }
    // More may be missing by now.
    let now = match syncs {
        [sync] => missing::look(mutagen, remote, sync, &|line| ctx.ui.warn(line))?,
        _ => None,
    };
    let held = now.as_ref().unwrap_or(held);
    let missing = held_words::missing(held);
    if ctx.ui.can_ask() {
        ctx.ui.warn(&missing);
    }
    let question = match held.side {
        HeldSide::Local => "Delete them on the host too?",
        HeldSide::Remote => "Delete them here too?",
    };
    let refused = || format!("the sync of {} stays held: {missing}", record.id);
    if !ctx.ui.confirm(question, false).map_err(|error| error.context(refused()))? {
        return Err(Failure::new(Kind::Failed, refused()).into());
    }
    ctx.store.release(&record.id, &record.host)
}

/// Has the sync forget what both sides had: then nothing counts as deleted, and what is missing on one side comes from the
/// other. When this process dies on the way, the sync is held or paused, and has nothing to delete either way.
fn restore(
    ctx: &Context,
    mutagen: &Mutagen,
    remote: &Remote,
    record: &Record,
    held: &Held,
    syncs: &[SyncSession],
) -> Result<i32> {
    let [sync] = syncs else {
        return Err(Stuck::Ambiguous(syncs.iter().map(|sync| sync.identifier.clone()).collect()).into());
    };
    if let Some(why) = no_way_back(sync.sync_mode()) {
        let mode = sync.sync_mode().map_or("unknown", SyncMode::word);
        let message = format!("the sync of {} stays held: in mode {mode}, {why}", record.id);
        return Err(Failure::new(Kind::Failed, message)
            .hint(format!(
                "`sinc kill {}`, then `SINC_MODE=two-way-safe sinc`: what is missing comes back, what differs is listed as a conflict",
                record.id
            ))
            .into());
    }
    let mut known = Vec::new();
    if let Err(error) = mutagen.each_known_file(&sync.identifier, &mut |path| known.push(path.to_owned())) {
        tracing::warn!(%error, "what both sides had before is not known");
    }
    hold::keep_paused(mutagen, syncs)?;
    mutagen.reset(&sync.identifier)?;
    if ctx.runner.is_dry_run() {
        mutagen.resume(&sync.identifier)?;
        print_listed(ctx, "resume", record, mutagen)?;
        return Ok(0);
    }
    ctx.store.release(&record.id, &record.host)?;
    mutagen.resume(&sync.identifier)?;
    let checked = first_cycle::wait(ctx, mutagen, &sync.identifier, &record.host)?;
    // Both sides are alike by now, but for conflicts: what is not here is not there.
    let is_here = |path: &String| record.local.join(path).symlink_metadata().is_ok();
    let lost = known.iter().filter(|path| !is_here(path)).count() as u64;
    if lost > 0 {
        ctx.ui.warn(&format!("{} on neither side any more", plural(lost, "file is", "files are")));
    }
    let place = match held.side {
        HeldSide::Local => "here",
        HeldSide::Remote => "on the host",
    };
    let files = match held.side {
        HeldSide::Local => checked.session.local().files,
        HeldSide::Remote => checked.session.remote().files,
    };
    ctx.ui.status(
        "Restored",
        &format!(
            "{} {place}, where {} were left",
            plural(files, "file", "files"),
            count(held.of.saturating_sub(held.missing))
        ),
    );
    conclude(ctx, remote, record, checked, RESUMED)
}

/// Why a sync of this mode that begins anew would not bring back what is missing, or lose something else.
fn no_way_back(mode: Option<SyncMode>) -> Option<&'static str> {
    match mode {
        Some(SyncMode::TwoWaySafe | SyncMode::None) => None,
        Some(SyncMode::TwoWayResolved) => {
            Some("beginning anew would overwrite what was changed on the host meanwhile")
        }
        Some(SyncMode::OneWaySafe) => Some("nothing comes here from the host"),
        Some(SyncMode::OneWayReplica) => Some("beginning anew would delete on the host what is missing here"),
        Some(SyncMode::OneWaySafeFromHost) => Some("nothing goes to the host from here"),
        Some(SyncMode::OneWayReplicaFromHost) => {
            Some("beginning anew would delete here what is missing on the host")
        }
        None => Some("it is not known what beginning anew would do"),
    }
}

/// Going on with a directory that is not the session's any more could empty this side: an empty one in its place
/// would count as everything deleted.
fn check_place(ctx: &Context, record: &Record, syncs: &[SyncSession]) -> Result<Remote> {
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
    let Some(note) = note else { return Ok(ctx.remote(&host).with_person(deadline.is_none())) };
    if let Some((halt, mode)) = syncs.iter().find_map(|sync| Some((sync.halt()?, sync.sync_mode()))) {
        tell_halt(ctx, record, halt, mode);
    }
    Err(Failure::new(
        Kind::Failed,
        format!("the sync of {id} was not resumed, because that could delete files here: {note}"),
    )
    .hint("run `sinc --no-attach` in its directory: it looks at the host, and says what can be done")
    .into())
}
