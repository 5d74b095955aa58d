//! Mode `two-way-resolved`: conflicts are settled without being asked about, as `sinc resolve --all --local` does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::apply::{AT_ONCE, Done, End, How, Task, apply_locked};
use super::tell;
use crate::commands::conflicts::look;
use crate::commands::context::Context;
use crate::commands::paint::harmless;
use crate::commands::sides::Sides;
use crate::process::interrupted;
use crate::state::{Lock, Noted, Record};
use crate::tools::mutagen::{ConflictKind, Mutagen, SyncMode, SyncSession};
use crate::ui::plural;

/// How often it starts over when nothing could be settled, because everything was changed meanwhile.
const ROUNDS: u32 = 3;

/// How long a command waits for another one that is at work on the session, before it leaves it to that one.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Debug, Default)]
pub(in crate::commands) struct Settled {
    done: Vec<Done>,
    /// The conflicts that are left.
    pub left: Noted,
    /// Why there are some.
    pub why: Option<String>,
}

impl Settled {
    /// What was settled, in short, for people on the host; nothing if nothing was.
    pub(in crate::commands) fn said(&self) -> Option<String> {
        let done: Vec<_> = self.done.iter().filter(|one| one.end == End::Settled).collect();
        let [first, ..] = &done[..] else { return None };
        let (_, place) = first.kept.first()?;
        if done.len() == 1 {
            let path = harmless(&first.task.open.path.to_string_lossy());
            let place = harmless(&place.to_string_lossy());
            return Some(format!(
                "{path} was changed on both sides: the local version wins, this one is in {place}"
            ));
        }
        let conflicts = plural(done.len() as u64, "conflict", "conflicts");
        Some(format!("{conflicts} settled: the local versions win, the others are kept (`sinc backups`)"))
    }

    /// The same, a line each, for a log.
    pub(in crate::commands) fn lines(&self) -> Vec<String> {
        let line = |one: &Done| {
            let path = harmless(&one.task.open.path.to_string_lossy());
            let end = match &one.end {
                End::Settled => "settled",
                End::Changed => "changed meanwhile",
                End::Failed(why) => why,
            };
            let places =
                one.kept.iter().map(|(side, place)| format!("{side} {}", harmless(&place.to_string_lossy())));
            format!("{path}: {end}; kept: {}", places.collect::<Vec<_>>().join(", "))
        };
        self.done.iter().map(line).collect()
    }
}

/// Is the session in the mode that settles conflicts by itself, as a person knows, and is its sync one that leaves them to
/// sinc?
pub(in crate::commands) fn is_automatic(ctx: &Context, record: &Record, sync: &SyncSession) -> bool {
    if !record.resolved {
        return false;
    }
    let wanted = crate::commands::link::wanted(ctx, record).map(|wanted| wanted.settings.mode);
    matches!(wanted, Ok(SyncMode::TwoWayResolved)) && sync.sync_mode() == Some(SyncMode::TwoWaySafe)
}

/// Settles all conflicts that can be. The caller has the session's lock.
///
/// # Errors
/// No cycle could be completed, or a side not be reached, before anything was settled; afterwards that is why some are left.
pub(in crate::commands) fn settle(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    own: &Lock,
) -> Result<Settled> {
    let mut settled = Settled::default();
    match in_rounds(ctx, sides, mutagen, own, &mut settled) {
        Err(error) if settled.done.is_empty() => return Err(error),
        Err(error) => settled.why = Some(format!("{error:#}")),
        Ok(()) => {}
    }
    Ok(settled)
}

fn in_rounds(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    own: &Lock,
    settled: &mut Settled,
) -> Result<()> {
    let mut stuck: BTreeMap<PathBuf, String> = BTreeMap::new();
    let (mut recovered, mut rounds) = (false, 0);
    loop {
        interrupted()?;
        let seen = look::look(ctx, sides, mutagen, Some(own))?;
        if !std::mem::replace(&mut recovered, true) {
            look::recover(ctx, sides, &seen.open, seen.unknown() > 0)?;
        }
        settled.left = seen.noted;
        let (mut tasks, mut why) = (Vec::new(), None);
        for open in seen.open {
            // What is not synced is in nobody's version: a person decides.
            let reason = match (&open.kind, stuck.get(&open.path)) {
                (ConflictKind::InTheWay(_), _) => Some(open.kind.to_string()),
                (_, stuck) => stuck.cloned(),
            };
            match reason {
                Some(reason) => why = why.or(Some(format!("{}: {reason}", open.path.display()))),
                None if tasks.len() < AT_ONCE => tasks.push(Task { open, how: How::Local }),
                None => {}
            }
        }
        if tasks.is_empty() || rounds == ROUNDS {
            let changing =
                tasks.first().map(|task| format!("{}: it is being changed", task.open.path.display()));
            settled.why = changing.or(why);
            return Ok(());
        }
        rounds += 1;
        let mut tried = Vec::new();
        let applied = apply_locked((ctx, sides, mutagen), own, tasks, &mut tried);
        for one in tried {
            match &one.end {
                End::Changed => continue,
                End::Settled => rounds = 0,
                End::Failed(why) => drop(stuck.insert(one.task.open.path.clone(), why.clone())),
            }
            settled.done.push(one);
        }
        applied?;
    }
}

/// Settles the conflicts of this sync, if its mode says so, and tells a person what was settled. `own` is the session's lock, if
/// the caller has it; where somebody else is at work on the session for long, nothing is done. Is there news?
pub(in crate::commands) fn settle_and_tell(
    ctx: &Context,
    record: &Record,
    mutagen: &Mutagen,
    sync: &SyncSession,
    own: Option<&Lock>,
) -> Option<Settled> {
    if ctx.runner.is_dry_run() || sync.conflict_count() == 0 || !is_automatic(ctx, record, sync) {
        return None;
    }
    let settle_with = |own: &Lock| {
        let sides = Sides::of_record(ctx, record)?;
        let settled = settle(ctx, &sides, mutagen, own)?;
        settled.done.iter().for_each(|one| tell(ctx, &sides, one));
        crate::commands::notify::conflicts(ctx, &sides.remote, record, &settled.left);
        Ok(settled)
    };
    let settled = match own {
        Some(own) => settle_with(own),
        None => {
            let waits = || ctx.ui.note("another sinc is busy with this session: waiting for it");
            ctx.store
                .lock(&record.id, &record.host, PATIENCE, &mut { waits })
                .and_then(|lock| settle_with(&lock))
        }
    };
    settled.inspect_err(|error| ctx.ui.warn(&format!("the conflicts could not be settled: {error:#}"))).ok()
}
