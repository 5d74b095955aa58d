//! `sinc kill`: ends a session's sync and its terminal. The files stay on both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::ask::{self, HostAnswer, SURVEY_DEADLINE};
use super::context::Context;
use super::kill_target::{self, Target};
use super::kill_words::{Facts, nowhere, reasons, tell};
use super::mutagen;
use super::purge::{Purge, Purged};
use super::resolve::put_back_left;
use super::sync_control::once;
use crate::cli;
use crate::config::Host;
use crate::failure::{Failure, Kind};
use crate::process::interrupted;
use crate::session::bootstrap::Machine;
use crate::session::{ending, sync};
use crate::state::{Lock, PendingEnd, host_word};
use crate::tools::mutagen::{CycleResult, LABEL_HOST, LABEL_ID, Mutagen, SyncSession};
use crate::ui::plural;

/// How long what waits may take to be brought over before the sync is ended.
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// Why no cycle is asked for.
const UNSEEN: &str = "the host could not be asked what that would delete";

/// How long what the agent wrote as it ended may take.
const LAST_FLUSH_DEADLINE: Duration = Duration::from_secs(10);

/// How long to wait for another `sinc` that is busy with the same session.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// What was ended.
#[derive(Debug, Serialize)]
struct Ended {
    id: String,
    host: String,
    local: Option<String>,
    remote: Option<String>,
    /// `ended`, `none`, or `unknown` when Mutagen could not be asked.
    sync: &'static str,
    /// `ended`, `none`, or `waiting` for a host that is down.
    terminal: &'static str,
    /// Is everything that could be brought over on both sides? None when no cycle was asked for.
    brought_over: Option<bool>,
    /// What became of the directory on the host; none unless it was to go.
    purged: Option<Purged>,
}

/// Runs it.
///
/// # Errors
/// There is no such session, or one was not ended.
pub(super) fn run(ctx: &Context, args: &cli::Kill) -> Result<i32> {
    let mutagen = mutagen::present(ctx);
    let syncs = match &mutagen {
        Ok(mutagen) => mutagen::all_syncs(mutagen)?,
        Err(_) => Vec::new(),
    };
    let targets = kill_target::find(ctx, args, &syncs)?;
    let hosts: BTreeMap<String, Host> = targets
        .iter()
        .filter_map(|target| target.host.clone())
        .map(|host| (host.name.clone(), host))
        .collect();
    let deadline = if !args.all && ctx.ui.is_interactive() { None } else { Some(SURVEY_DEADLINE) };
    let answers = ask::hosts(ctx, &hosts, deadline);
    ask::tell_finished(ctx, &answers);
    let mut ended = Vec::new();
    let mut failed = Vec::new();
    for target in &targets {
        let answer = target.host.as_ref().and_then(|host| answers.get(&host.name));
        match end(ctx, target, answer, mutagen.as_ref(), args.purge) {
            Ok(one) => ended.push(one),
            Err(error) if !args.all => return Err(error),
            Err(error) => {
                interrupted()?;
                let why = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                ctx.ui.warn(&format!("{} on {}: {why}", target.id, target.host_name));
                failed.push(format!("{} on {} ({why})", target.id, target.host_name));
            }
        }
    }
    if !failed.is_empty() {
        let count = plural(failed.len() as u64, "session was not ended", "sessions were not ended");
        return Err(Failure::new(Kind::Failed, format!("{count}: {}", failed.join("; "))).into());
    }
    if ctx.ui.is_json() {
        ctx.print_json("kill", &serde_json::json!({ "ended": ended }));
    } else if targets.is_empty() {
        ctx.ui.note("this computer has no session to end");
    }
    Ok(0)
}

/// Ends one session.
fn end(
    ctx: &Context,
    target: &Target,
    answer: Option<&HostAnswer>,
    mutagen: Result<&Mutagen, &anyhow::Error>,
    purge: bool,
) -> Result<Ended> {
    let ui = &ctx.ui;
    let (id, host) = (target.id.as_str(), target.host_name.as_str());
    let lock = match ctx.runner.is_dry_run() {
        true => None,
        false => Some(ctx.store.lock(id, host, LOCK_PATIENCE, &mut || {
            ui.note("another sinc is busy with this session: waiting for it");
        })?),
    };
    // Asked again under the lock: what was listed before may have changed.
    let syncs = match mutagen {
        Ok(mutagen) => Some(its(target, mutagen::all_syncs(mutagen)?)),
        Err(_) => None,
    };
    let machine = Machine::if_known(&ctx.store);
    let facts = Facts::new(target, answer, syncs.as_deref(), &machine.id);
    if target.record.is_none() && facts.is_nothing() {
        match answer.map(|answer| &answer.survey) {
            Some(Err(error)) => bail!("{}", ask::reason(error)),
            _ => return Err(nowhere(id, host, &facts.others)),
        }
    }
    tell(ctx, target, &facts);
    let purge = if purge { Some(Purge::prepare(ctx, target, &facts)?) } else { None };
    if let Err(error) = mutagen {
        ui.warn(&format!("{error}: a sync that it may still have is not ended; `sinc list` shows it then"));
    }
    ask_person(ctx, id, &reasons(target, &facts), "End it?")?;
    let syncs = syncs.unwrap_or_default();
    let is_back = put_back(ctx, target, lock.as_ref())?;
    let brought_over = match (mutagen, &syncs[..]) {
        (Ok(mutagen), [first, ..]) if is_back => {
            bring_over(ctx, target, (mutagen, first), lock.as_ref(), &facts)?
        }
        (Ok(_), [_, ..]) => Some(false),
        _ => None,
    };
    if let Some(purge) = &purge {
        purge.ask(ctx)?;
    }
    interrupted()?;
    let terminal = end_there(ctx, target, &facts, &machine)?;
    if let Ok(mutagen) = mutagen {
        // What the agent wrote as it ended is brought over too.
        if let ([first, ..], Some(true), "ended") = (&syncs[..], brought_over, terminal) {
            let last = match &target.record {
                Some(record) => {
                    once(ctx, mutagen, record, lock.as_ref(), &first.identifier, LAST_FLUSH_DEADLINE)
                }
                None => Ok(mutagen.flush_checked(&first.identifier, LAST_FLUSH_DEADLINE)?),
            };
            let why = match last {
                Ok(last) if is_over(&last.result) => None,
                Ok(last) => Some(last.result.to_string()),
                // Held, with files on both sides: they stay there.
                Err(error) => Some(error.to_string()),
            };
            interrupted()?;
            if let Some(why) = why {
                ui.warn(&format!("what the agent changed as it ended may be only on {host} ({why})"));
            }
        }
        for sync in &syncs {
            mutagen.terminate(&sync.identifier)?;
        }
    }
    if !ctx.runner.is_dry_run() {
        ctx.store.forget(id, host)?;
        ctx.store.forget_checked(id, host);
        ctx.store.note_conflicts(id, host, &crate::state::Noted::default());
    }
    let purged = match &purge {
        Some(purge) if !ctx.runner.is_dry_run() => Some(purge.act(ctx)?),
        _ => None,
    };
    conclude(ctx, target, &facts, terminal, purge.is_some());
    Ok(Ended {
        id: id.to_owned(),
        host: host.to_owned(),
        local: facts.local.clone(),
        remote: facts.remote.clone(),
        sync: match (mutagen, syncs.len()) {
            (Err(_), _) => "unknown",
            (Ok(_), 0) => "none",
            (Ok(_), _) => "ended",
        },
        terminal,
        brought_over,
        purged,
    })
}

/// The syncs of the session among all.
fn its(target: &Target, all: Vec<SyncSession>) -> Vec<SyncSession> {
    let word = host_word(&target.host_name);
    let is_its = |sync: &SyncSession| {
        sync.label(LABEL_ID) == Some(target.id.as_str())
            && sync.label(LABEL_HOST).is_some_and(|it| it == word || it == target.host_name)
    };
    all.into_iter().filter(is_its).collect()
}

/// Asks the person if there is a reason to.
fn ask_person(ctx: &Context, id: &str, reasons: &[String], question: &str) -> Result<()> {
    if reasons.is_empty() || ctx.runner.is_dry_run() {
        return Ok(());
    }
    // Where nobody can answer, the failure names them.
    if ctx.ui.can_ask() {
        for reason in reasons {
            ctx.ui.warn(reason);
        }
    }
    let refused = || format!("{id} was not ended: {}", reasons.join("; "));
    if ctx.ui.confirm(question, false).map_err(|error| error.context(refused()))? {
        return Ok(());
    }
    Err(Failure::new(Kind::Failed, format!("{id} was not ended")).into())
}

fn is_over(result: &CycleResult) -> bool {
    *result == CycleResult::WouldRun || sync::brought_over(result)
}

/// What a settling that broke off had moved aside goes back to its place, also of a sync that is stopped: nobody knows of it
/// afterwards. Is it there, or was there nothing?
fn put_back(ctx: &Context, target: &Target, own: Option<&Lock>) -> Result<bool> {
    let Some(record) = &target.record else { return Ok(true) };
    let Err(error) = put_back_left(ctx, record, own, Duration::ZERO) else { return Ok(true) };
    interrupted()?;
    let why = format!(
        "what was moved aside for a conflict is only in its backup (`sinc backups`), and what changed last is not brought over: {error:#}"
    );
    ask_person(ctx, target.id.as_str(), &[why], "End it all the same?")?;
    Ok(false)
}

/// Brings over what waits, with a deadline. A sync that is stopped stays so; the person has been asked then. Where the host cannot
/// be asked what a cycle would delete none is asked for: Mutagen's own connection may still be there.
fn bring_over(
    ctx: &Context,
    target: &Target,
    (mutagen, sync): (&Mutagen, &SyncSession),
    own: Option<&Lock>,
    facts: &Facts,
) -> Result<Option<bool>> {
    if facts.stopped.is_some() {
        return Ok(None);
    }
    if facts.unreachable.is_some() {
        // That it is down was asked about before.
        ctx.ui.warn(&stays(UNSEEN));
        return Ok(None);
    }
    let line = ctx.ui.progress();
    line.show("Syncing", "what waits to be brought over");
    let checked = match &target.record {
        Some(record) => once(ctx, mutagen, record, own, &sync.identifier, FLUSH_DEADLINE),
        None => Ok(mutagen.flush_checked(&sync.identifier, FLUSH_DEADLINE)?),
    };
    drop(line);
    let why = match checked {
        Ok(checked) => {
            for text in super::first_cycle::complaints(&checked.session) {
                ctx.ui.warn(&text);
            }
            if is_over(&checked.result) {
                return Ok((checked.result != CycleResult::WouldRun).then_some(true));
            }
            checked.result.to_string()
        }
        // It was there a moment ago.
        Err(error) if is_lost(&error) => UNSEEN.to_owned(),
        Err(error) => return Err(error),
    };
    ask_person(ctx, target.id.as_str(), &[stays(&why)], "End it all the same?")?;
    Ok(Some(false))
}

/// What a person is told where something may wait on either side.
fn stays(why: &str) -> String {
    format!("what changed last could not be brought over, and stays on the side where it is ({why})")
}

/// Ends the terminal and this computer's part of the claim, now or when the host is reached again.
fn end_there(ctx: &Context, target: &Target, facts: &Facts, machine: &Machine) -> Result<&'static str> {
    let id = target.id.as_str();
    let Some(host) = &target.host else { return Ok("none") };
    let remote = ctx.remote(host);
    if ctx.runner.is_dry_run() {
        ctx.runner.run(&ending::end_cmd(&remote, id, &machine.id))?;
        return Ok(if facts.has_terminal() { "ended" } else { "none" });
    }
    let wait = || -> Result<&'static str> {
        ctx.store.add_pending(&PendingEnd {
            id: id.to_owned(),
            host: host.name.clone(),
            remote: facts.remote.clone().unwrap_or_default(),
        })?;
        Ok("waiting")
    };
    if facts.unreachable.is_some() {
        return wait();
    }
    match ending::end(&remote, id, &machine.id, &|line| ctx.ui.note(line)) {
        Ok(true) => Ok("ended"),
        Ok(false) => Ok("none"),
        // It was there a moment ago.
        Err(error) if is_lost(&error) => wait(),
        Err(error) => Err(error),
    }
}

fn is_lost(error: &anyhow::Error) -> bool {
    use crate::remote::RemoteError;
    let lost = matches!(
        error.downcast_ref::<RemoteError>(),
        Some(RemoteError::Ssh { .. } | RemoteError::Deadline { .. })
    );
    lost && interrupted().is_ok()
}

fn conclude(ctx: &Context, target: &Target, facts: &Facts, terminal: &str, purged: bool) {
    let ui = &ctx.ui;
    if ctx.runner.is_dry_run() {
        ui.note("nothing was changed");
        return;
    }
    ui.status("Ended", &format!("{} on {}", target.id, target.host_name));
    if terminal == "waiting" {
        ui.note(&format!(
            "its terminal on {} is ended when that host is reached again, by `sinc`, `status` or `list`",
            target.host_name
        ));
    }
    if purged {
        if let Some(local) = facts.shown_local(ctx) {
            ui.note(&format!("the files here stay, in {local}"));
        }
        return;
    }
    if let (Some(local), Some(remote)) = (facts.shown_local(ctx), &facts.remote) {
        ui.note(&format!("the files stay, here in {local} and on {} in {remote}", target.host_name));
    }
}
