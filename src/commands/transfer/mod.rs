//! `sinc push` and `sinc pull`, and a mode that is turned on and would overwrite: make one side like the other. What would
//! be overwritten or deleted is shown, asked about, and kept in a backup on the side where it is.

mod carry;
mod plan;

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::ask::{self, SURVEY_DEADLINE};
use super::backups::LOCK_PATIENCE;
use super::conflicts::look;
use super::context::Context;
use super::paint::harmless;
use super::resolve::put_back_left;
use super::sides::{Sides, word};
use super::state_report::place_note;
use super::{held_words, mode_words, mutagen};
use crate::backups::{Kept, Outcome};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::ignore::Matcher;
use crate::listing::{Listing, compare, undecided};
use crate::process::forgive_interrupt;
use crate::session::survey::HostSession;
use crate::state::Record;
use crate::tools::mutagen::{Mutagen, Patience, Side, SyncSession, SyncSettings};
use crate::ui::{bytes, plural};
use carry::Carried;
use plan::Plan;

/// How many paths are named on a terminal.
const NAMED: usize = 20;

/// How long nothing may move: a data line that stands still without anybody being told.
const STILL: Duration = Duration::from_secs(30);

/// So much is read in a second at the least where a side is scanned, which tells nothing until it is done.
const FILES_A_SECOND: u64 = 1000;
const BYTES_A_SECOND: u64 = 10_000_000;

/// How often it starts over because something was changed between the look and the answer.
const ROUNDS: u32 = 5;

/// Makes the host like here.
///
/// # Errors
/// As [`run`].
pub(super) fn push(ctx: &Context, args: &cli::Target) -> Result<i32> {
    run(ctx, args, Side::Local)
}

/// Makes here like the host.
///
/// # Errors
/// As [`run`].
pub(super) fn pull(ctx: &Context, args: &cli::Target) -> Result<i32> {
    run(ctx, args, Side::Remote)
}

/// One transfer.
struct Transfer<'a> {
    ctx: &'a Context,
    sides: Sides,
    mutagen: Mutagen,
    settings: SyncSettings,
    winner: Side,
    /// What it is for: the command, or the mode that is turned on.
    name: &'static str,
    /// How long a scan of the larger side may take.
    scan: Cell<Duration>,
}

/// Before a sync without a history is made in a mode that makes one side a copy of the other: what that would overwrite or
/// delete is shown, asked about and kept, and then the sync is made. Gives it; nothing where nothing would go, and the sync
/// is still to be made. To be called with the session's lock held.
///
/// # Errors
/// A side cannot be read, it was declined, nobody can be asked, or the sides are not equal afterwards.
pub(super) fn turn_on(
    ctx: &Context,
    record: &Record,
    mutagen: &Mutagen,
    settings: &SyncSettings,
    old: Option<&SyncSession>,
) -> Result<Option<String>> {
    let Some(winner) = settings.mode.source().filter(|_| settings.mode.is_replica()) else {
        return Ok(None);
    };
    let remote = ctx.remote(&ctx.host_of(&ctx.config()?, record)?);
    let transfer = Transfer {
        ctx,
        sides: Sides { record: Record { no_sync: false, ..record.clone() }, remote },
        mutagen: mutagen.clone().connecting_within(STILL),
        settings: settings.clone(),
        winner,
        name: settings.mode.word(),
        scan: Cell::default(),
    };
    let held = old.map(|old| Held::hold(ctx, mutagen, old)).transpose()?;
    let plan = transfer.look()?;
    if plan.losses.is_empty() {
        // What one that was killed had moved away is said.
        look::recover(ctx, &transfer.sides, &[], false)?;
        return Ok(None);
    }
    let like =
        if winner == Side::Local { "the host is made like here" } else { "this side is made like the host" };
    ctx.ui.warn(&format!("in mode {} {like}, now and from then on", transfer.name));
    let plan = transfer.agree(plan, held.as_ref())?;
    if let Some(held) = held {
        held.let_go();
    }
    Ok(Some(transfer.carry(old, &plan, &mut None)?.sync))
}

/// Makes the other side like the one that wins.
///
/// # Errors
/// There is no session or no sync, a side cannot be read, it was declined, or the sides are not equal afterwards.
fn run(ctx: &Context, args: &cli::Target, winner: Side) -> Result<i32> {
    let sides = Sides::of(ctx, args.id.as_deref())?;
    mode_words::refuse_without(&sides.record)?;
    held_words::refuse(&sides.record)?;
    let mutagen = mutagen::present(ctx)?.connecting_within(STILL);
    super::link::ensure(ctx, &sides.record.host);
    let settings = settings(ctx, &sides)?;
    mode_words::check_winner(settings.mode, winner)?;
    let name = if winner == Side::Local { "push" } else { "pull" };
    let transfer = Transfer { ctx, sides, mutagen, settings, winner, name, scan: Cell::default() };
    let dry = ctx.runner.is_dry_run();
    let record = &transfer.sides.record;
    let lock = match dry {
        true => None,
        false => Some(ctx.store.lock(&record.id, &record.host, LOCK_PATIENCE, &mut || {
            ctx.ui.note("another sinc is busy with this session: waiting for it");
        })?),
    };
    transfer.check_place()?;
    let record = &transfer.sides.record;
    put_back_left(ctx, record, lock.as_ref(), Duration::ZERO)?;
    let sync = look::the_sync(&transfer.mutagen, &transfer.sides)?;
    if dry {
        let plan = transfer.look()?;
        transfer.show(&plan);
        ctx.ui.note(if plan.is_empty() {
            "both sides are equal: nothing to do"
        } else {
            "nothing was changed"
        });
        transfer.print(&plan, None);
        return Ok(0);
    }
    let held = Held::hold(ctx, &transfer.mutagen, &sync)?;
    let plan = transfer.agree(transfer.look()?, Some(&held))?;
    if plan.is_empty() {
        drop(held);
        transfer.mutagen.resume(&sync.identifier)?;
        ctx.ui.note("both sides are equal: nothing to do");
        transfer.print(&plan, None);
        return Ok(0);
    }
    held.let_go();
    let mut moved = None;
    let carried = transfer
        .carry(Some(&sync), &plan, &mut moved)
        .map_err(|error| moved.iter().fold(error, |error, moved| transfer.beside(error, moved)))?;
    transfer.print(&plan, Some(&carried));
    Ok(0)
}

/// What the sync is made with: the configuration and the project's own files as far as they are trusted.
fn settings(ctx: &Context, sides: &Sides) -> Result<SyncSettings> {
    let own = ctx.config()?;
    let files = ctx.project_files(&sides.record.local, &own)?;
    Ok(files.sync_settings(&own.with_project(&files.trusted)))
}

/// How long a scan of what is listed may take, each file read.
fn scan_time(listing: &Listing) -> Duration {
    let files = listing.entries.len() as u64;
    let bytes: u64 = listing.entries.values().map(|entry| entry.size).sum();
    Duration::from_secs(files / FILES_A_SECOND + bytes / BYTES_A_SECOND)
}

/// A sync that stands still. Dropped, it goes on if it did before, and where this process is killed the link lets it go on.
struct Held<'a> {
    ctx: &'a Context,
    mutagen: &'a Mutagen,
    id: Option<String>,
}

impl<'a> Held<'a> {
    fn hold(ctx: &'a Context, mutagen: &'a Mutagen, sync: &SyncSession) -> Result<Self> {
        let held = Self { ctx, mutagen, id: Some(sync.identifier.clone()) };
        held.again()?;
        Ok(held)
    }

    /// Has it stand still once more: while a person took long to answer somebody may have let it go on.
    fn again(&self) -> Result<()> {
        let Some(id) = &self.id else { return Ok(()) };
        let stands = self.mutagen.stand_still(id);
        stands.map(drop).context("nothing was changed: the sync does not stand still")
    }

    fn let_go(mut self) {
        self.id = None;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(id) = &self.id else { return };
        // Also after Ctrl-C.
        forgive_interrupt();
        if let Err(error) = self.mutagen.go_on(id) {
            tracing::warn!(%error, "the sync is paused, and could not be resumed");
        }
        self.ctx.store.poke_links();
    }
}

impl Transfer<'_> {
    fn loser(&self) -> Side {
        self.winner.other()
    }

    /// How long nothing may move.
    fn patience(&self) -> Patience {
        Patience { idle: STILL, busy: STILL + self.scan.get() }
    }

    /// The directory on the host must be the session's own.
    fn check_place(&self) -> Result<()> {
        let record = &self.sides.record;
        let host = self.ctx.host_of(&self.ctx.config()?, record)?;
        let deadline = if self.ctx.ui.is_interactive() { None } else { Some(SURVEY_DEADLINE) };
        let answer = ask::host(self.ctx, &host, deadline);
        let survey = answer.survey?;
        let nothing = HostSession::default();
        match place_note(record, survey.sessions.get(&record.id).unwrap_or(&nothing)) {
            None => Ok(()),
            Some(note) => Err(Failure::new(Kind::Failed, note)
                .hint("run `sinc --no-attach` in its directory: it looks at the host, and says what can be done")
                .into()),
        }
    }

    /// Looks at both sides.
    fn look(&self) -> Result<Plan> {
        let ignored = Matcher::new(&self.settings.ignores);
        let line = self.ctx.ui.progress();
        line.show("Comparing", &format!("with {}", self.sides.record.host));
        let (mut here, mut there) = self.sides.list(&ignored)?;
        for (listing, side) in [(&here, Side::Local), (&there, Side::Remote)] {
            if let Some(first) = listing.unread.first() {
                let message = format!("something cannot be read {side}: {}", harmless(first));
                return Err(Failure::new(Kind::Failed, message)
                    .hint("make it readable, or ignore it in .sincignore")
                    .into());
            }
        }
        self.scan.set(scan_time(&here).max(scan_time(&there)));
        let asked = undecided(&compare(&here, &there));
        self.sides.add_digests(&asked, (&mut here, &mut there))?;
        let differences = compare(&here, &there);
        if let Some(one) = plan::unreadable(&differences) {
            let path = harmless(&one.path.to_string_lossy());
            let message = format!("`{path}` cannot be read on one of the sides, or is being changed");
            return Err(Failure::new(Kind::Failed, message).hint("make it readable, and try again").into());
        }
        let losing = if self.loser() == Side::Local { &here } else { &there };
        Ok(Plan::new(self.winner, &differences, losing))
    }

    /// Shows what would be done and asks, until what is to be done is what was shown.
    fn agree(&self, mut plan: Plan, held: Option<&Held<'_>>) -> Result<Plan> {
        for _ in 0..ROUNDS {
            if plan.is_empty() {
                return Ok(plan);
            }
            self.show(&plan);
            if !plan.losses.is_empty() {
                let question = match self.winner {
                    Side::Local => "Make the host like here?",
                    Side::Remote => "Make this side like the host?",
                };
                if !self.ctx.ui.confirm(question, false)? {
                    return Err(Failure::new(Kind::Failed, "nothing was changed").into());
                }
                held.map_or(Ok(()), Held::again)?;
            }
            let now = self.look()?;
            if now == plan {
                return Ok(plan);
            }
            self.ctx.ui.note("something was changed meanwhile: it starts over");
            plan = now;
        }
        let message = format!("files are being changed {} at this moment", self.loser());
        Err(Failure::new(Kind::Failed, message).hint("wait for what writes there, or stop it").into())
    }

    fn show(&self, plan: &Plan) {
        let ui = &self.ctx.ui;
        let (overwritten, deleted) = plan.counts();
        let parts: Vec<String> = [(overwritten, "overwritten"), (deleted, "deleted"), (plan.comes, "made")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", plural(count, "path", "paths")))
            .collect();
        if parts.is_empty() {
            return;
        }
        ui.status("To do", &format!("{}: {}", self.loser(), parts.join(", ")));
        let all = self.ctx.global.verbose > 0;
        for loss in plan.losses.iter().take(if all { usize::MAX } else { NAMED }) {
            let verb = if loss.overwritten { "overwrite" } else { "delete" };
            let what = match loss.is_directory() {
                true => {
                    format!("directory with {} in it", plural(loss.entries.len() as u64 - 1, "path", "paths"))
                }
                false => bytes(loss.entries.first().map_or(0, |(_, entry)| entry.size)),
            };
            ui.note(&format!("{verb:<9}  {} ({what})", harmless(&loss.path.to_string_lossy())));
        }
        let more = plan.losses.len().saturating_sub(NAMED);
        if more > 0 && !all {
            ui.note(&format!("… and {more} more; `-v` names all of them"));
        }
        if !plan.losses.is_empty() {
            ui.note(&format!("what goes is kept {} in a backup", self.loser()));
        }
    }

    /// What was moved aside is told beside the error, for `--json`.
    fn beside(&self, error: anyhow::Error, moved: &Kept) -> anyhow::Error {
        let kept = moved.paths.iter().filter(|(_, outcome)| *outcome == Outcome::Kept);
        let kept: Vec<_> = kept.map(|(path, _)| path.to_string_lossy()).collect();
        let data = json!({
            "id": self.sides.record.id, "host": self.sides.record.host, "changed": word(self.loser()),
            "kept": kept, "backup": carry::files(moved),
        });
        Failure::of(error).with_data(data).into()
    }

    fn print(&self, plan: &Plan, carried: Option<&Carried>) {
        if !self.ctx.ui.is_json() {
            return;
        }
        let paths = |overwritten: bool| -> Vec<String> {
            let those = plan.losses.iter().filter(|loss| loss.overwritten == overwritten);
            those.map(|loss| loss.path.to_string_lossy().into_owned()).collect()
        };
        let backup = carried.and_then(|carried| carried.backup.as_ref());
        let data = json!({
            "id": self.sides.record.id, "host": self.sides.record.host, "changed": word(self.loser()),
            "overwritten": paths(true), "deleted": paths(false), "made": plan.comes,
            "done": carried.is_some(), "backup": backup,
        });
        self.ctx.print_json(self.name, &data);
    }
}
