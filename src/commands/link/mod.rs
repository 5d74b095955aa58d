//! `sinc link`: the small process a host that makes syncing fast; started by every `sinc`, ended by itself.

mod engine;
mod ensure;
mod follow;
mod guard;
mod install;
mod watched;

use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use crate::cli::LinkAction;
use crate::config::Host;
use crate::failure::{Failure, Kind};
use crate::link::asked;
use crate::link::log::Log;
use crate::link::state::LinkFile;
use crate::process::interrupted;
use crate::session::survey::{self, Survey};
use crate::session::{hold, missing, sync};
use crate::state::{Lock, Record, host_word};
use crate::tools::mutagen::Mutagen;

pub(super) use ensure::{ensure, ensure_for, keep, this_sinc};
pub(super) use follow::is_news;
pub(super) use watched::wanted;

/// How long a link may take to take in what happened here: a moment, and far longer on a busy machine.
const TAKES_IN: Duration = Duration::from_secs(1);

/// Runs it.
///
/// # Errors
/// What this computer remembers cannot be read, or the link does not end.
pub(super) fn run(ctx: &Context, action: &LinkAction) -> Result<i32> {
    match action {
        LinkAction::Status => status(ctx),
        LinkAction::Start => start(ctx),
        LinkAction::Stop => stop(ctx),
        LinkAction::Install { remove } => install::run(ctx, *remove),
        LinkAction::Guard { host } => guard::run(ctx, host),
        LinkAction::Run { host } => engine::run(ctx, host),
    }
}

/// How changes of a session are noticed, in a few words.
pub(super) fn describe(ctx: &Context, record: &Record) -> String {
    if record.no_sync {
        return "nothing to watch".to_owned();
    }
    if !ctx.config().is_ok_and(|config| config.sync.link.value) {
        return "polling 2s".to_owned();
    }
    match ctx.store.link_runs(&record.host) {
        Some(_) => match ctx.store.link_file::<LinkFile>(&record.host) {
            Ok(Some(file)) => file.describe(&record.id),
            _ => "starting".to_owned(),
        },
        None if ctx.store.link_is_stopped(&record.host) => "stopped".to_owned(),
        None => "not running".to_owned(),
    }
}

/// What the session's sync leaves out: the one that there is, whatever the configuration says by now. Where there is not exactly
/// one, what the next one would.
pub(super) fn ignores(ctx: &Context, record: &Record, mutagen: Option<&Mutagen>) -> Result<Vec<String>> {
    let syncs = mutagen.and_then(|mutagen| sync::find(mutagen, &record.id, &host_word(&record.host)).ok());
    match syncs.as_deref() {
        Some([sync]) => Ok(sync.ignores().to_vec()),
        _ => Ok(watched::wanted(ctx, record)?.settings.ignores),
    }
}

/// How git on both sides does, as the link knows it; nothing where it is not shared.
pub(super) fn git(ctx: &Context, record: &Record) -> Option<String> {
    ctx.store.link_runs(&record.host)?;
    let file = ctx.store.link_file::<LinkFile>(&record.host).ok()??;
    file.git(&record.id)
}

/// What the host knows, asked over its link's line; nothing when that cannot be.
pub(super) fn survey(ctx: &Context, host: &Host) -> Option<Survey> {
    if ctx.runner.is_dry_run() {
        return None;
    }
    let remote = ctx.remote(host);
    let lines = asked::survey(&asked::socket(&ctx.environment.link_dir(), &host.name, remote.destination()))?;
    tracing::debug!(host = host.name, "asked over the link");
    survey::told(lines)
}

/// What a person should know of how a session is watched, if it is not as it should be.
pub(super) fn note(ctx: &Context, id: &str, host: &str) -> Option<String> {
    if ctx.store.link_runs(host).is_none() {
        return none_runs(ctx, id, host);
    }
    let file = ctx.store.link_file::<LinkFile>(host).ok()??;
    let session = file.sessions.get(id)?;
    let polls = session.here.why.is_some() || session.there.why.is_some();
    (polls || file.why.is_some()).then(|| file.describe(id))
}

/// That no link runs which should; one that was started just now gets a moment.
fn none_runs(ctx: &Context, id: &str, host: &str) -> Option<String> {
    let wanted = ctx.config().is_ok_and(|config| config.sync.link.value);
    let synced = |record: &Record| record.id == id && record.host == host && !record.no_sync;
    if !wanted || !ctx.store.records().ok()?.iter().any(synced) {
        return None;
    }
    if ctx.store.link_is_stopped(host) {
        return Some("its link is stopped".to_owned());
    }
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        if ctx.store.link_runs(host).is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Some("its link does not run: see `sinc link status`".to_owned())
}

/// Before a command asks for a cycle: waits until the host's link knows that it would not delete too much. A link that
/// does not know in time may have lost its line while Mutagen has one, and one that was killed knows nothing: then it is
/// looked here, and held if need be. So it is for a caller that has the session's lock (`own`), for which a link waits. Where there is
/// to be no link (`link = false`), nobody looks.
///
/// # Errors
/// The host was not reached, or Mutagen fails.
pub(super) fn look_first(
    ctx: &Context,
    mutagen: &Mutagen,
    record: &Record,
    own: Option<&Lock>,
    patience: Duration,
) -> Result<()> {
    super::resolve::put_back_left(ctx, record, own, patience)?;
    let patience = if own.is_some() { Duration::ZERO } else { patience };
    let stands = match wait_until_sure(ctx, record, patience) {
        Knows::Sure => return Ok(()),
        knows => knows == Knows::Stands,
    };
    let syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    let [sync] = &syncs[..] else { return Ok(()) };
    if stands && (sync.is_paused() || sync.halt().is_some()) {
        return Ok(());
    }
    // One that is not connected runs no cycle; but the link may be connecting it just now.
    if !sync.is_connected() && !mutagen.connects_soon(&sync.identifier)? {
        return Ok(());
    }
    let remote = ctx.remote(&ctx.host_of(&ctx.config()?, record)?).with_person(false);
    match missing::look(mutagen, &remote, sync, &|line| ctx.ui.warn(line))? {
        Some(held) => {
            hold::hold(mutagen, &ctx.store, &record.id, &record.host, &held)?;
            super::notify::held(ctx, &remote, record, &held);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Waits while the sync is kept back because git works on the files of a side.
///
/// # Errors
/// It does for longer than that, or a signal came.
pub(super) fn let_git_work(ctx: &Context, record: &Record, deadline: Duration) -> Result<()> {
    if ctx.runner.is_dry_run() {
        return Ok(());
    }
    let until = Instant::now() + deadline;
    loop {
        let file = told(ctx, &record.host);
        if !file.is_some_and(|file| file.sessions.get(&record.id).is_some_and(|session| session.git_works)) {
            return Ok(());
        }
        interrupted()?;
        if Instant::now() >= until {
            let message = "git works on the files: what is saved meanwhile is not synced yet";
            return Err(Failure::new(Kind::Failed, message).hint("once more when it has ended").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the host's link knows of a session's next cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// It may begin, or the sync is held.
    Sure,
    /// The sync stood still when the link last looked, and so it is not watched. That may be over.
    Stands,
    /// Nothing.
    Nothing,
}

/// Waits until the host's link is sure. It knows nothing if it is not in time, if another sinc is at work on the session, for
/// which it waits too, or if none runs that should.
fn wait_until_sure(ctx: &Context, record: &Record, deadline: Duration) -> Knows {
    if ctx.runner.is_dry_run() || ctx.config().is_ok_and(|config| !config.sync.link.value) {
        return Knows::Sure;
    }
    if !has_taken_in_all(ctx, record) {
        return Knows::Nothing;
    }
    let until = Instant::now() + deadline;
    let mut asked = false;
    loop {
        if ctx.store.link_runs(&record.host).is_none() {
            return Knows::Nothing;
        }
        let file = told(ctx, &record.host);
        let session = file.and_then(|mut file| file.sessions.remove(&record.id));
        let stands = session.as_ref().and_then(|session| session.stands.as_deref());
        if is_to_be_looked_at(stands, || !matches!(ctx.store.held(&record.id, &record.host), Ok(None))) {
            return Knows::Stands;
        }
        let unsure = session.as_ref().is_none_or(|session| session.looking && session.stands.is_none());
        if !unsure || interrupted().is_err() {
            return Knows::Sure;
        }
        if Instant::now() >= until {
            return Knows::Nothing;
        }
        if !asked && session.is_some_and(|session| session.busy) {
            asked = true;
            // Where nobody is at work any more, it looks in a moment.
            if ctx.store.lock(&record.id, &record.host, Duration::ZERO, &mut || {}).is_err() {
                return Knows::Nothing;
            }
        }
        // The link says it by a small file, renamed into its place: macOS has no inotify to wait for that with.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Is there nobody but us to look, because the sync stood still when the link last did? One that is held is let be; but it may be
/// released, and the link not have read that yet.
fn is_to_be_looked_at(stands: Option<&str>, is_held: impl FnOnce() -> bool) -> bool {
    match stands {
        None => false,
        Some("held") => !is_held(),
        Some(_) => true,
    }
}

/// What the host's link tells that runs. What one that was killed told last means nothing.
fn told(ctx: &Context, host: &str) -> Option<LinkFile> {
    let runs = ctx.store.link_runs(host)?;
    let file = ctx.store.link_file::<LinkFile>(host).ok().flatten()?;
    (runs.pid == Some(file.pid)).then_some(file)
}

/// Has the host's link taken in what happened here before this? One that only looks again now and then never says so.
fn has_taken_in_all(ctx: &Context, record: &Record) -> bool {
    let by = |file: LinkFile| Some(file.sessions.get(&record.id)?.here.by.clone());
    if told(ctx, &record.host).and_then(by).as_deref() != Some("inotify") {
        return true;
    }
    let Ok(question) = ctx.store.ask_link(&record.host) else { return false };
    let until = Instant::now() + TAKES_IN;
    while !question.is_answered() {
        if interrupted().is_err() || Instant::now() >= until {
            return false;
        }
        // Mostly it is there by now; macOS has no inotify to wait with.
        std::thread::sleep(Duration::from_micros(100));
    }
    true
}

/// The hosts that have sessions, or whose link runs.
fn hosts(ctx: &Context) -> Result<Vec<String>> {
    let synced = ctx.store.records()?.into_iter().filter(|record| !record.no_sync);
    let mut hosts: Vec<String> = synced.map(|record| record.host).collect();
    hosts.sort();
    hosts.dedup();
    hosts.retain(|host| ctx.global.host.as_ref().is_none_or(|wanted| wanted == host));
    Ok(hosts)
}

fn status(ctx: &Context) -> Result<i32> {
    let mut links = Vec::new();
    for host in hosts(ctx)? {
        let runs = ctx.store.link_runs(&host);
        let file = match &runs {
            Some(_) => ctx.store.link_file::<LinkFile>(&host)?,
            None => None,
        };
        let log = Log::new(&ctx.store.directory().join("logs"), &host_word(&host));
        let stopped = ctx.store.link_is_stopped(&host);
        if ctx.ui.is_json() {
            links.push(serde_json::json!({
                "host": host, "runs": runs.is_some(), "stopped": stopped, "pid": runs.and_then(|runs| runs.pid),
                "up": file.as_ref().is_some_and(|file| file.up), "since": file.as_ref().map(|file| file.since),
                "why": file.as_ref().and_then(|file| file.why.clone()),
                "sessions": file.map(|file| file.sessions).unwrap_or_default(),
                "log": log.path(),
            }));
            continue;
        }
        let Some(runs) = runs else {
            let why =
                if stopped { "stopped; `sinc` starts it again" } else { "not running; `sinc` starts it" };
            ctx.ui.data(&format!("{host}  {why}"));
            continue;
        };
        let pid = runs.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let file = file.unwrap_or_default();
        let line = if file.up { "up" } else { "no line to the host" };
        let since = super::paint::ago(super::now().saturating_sub(file.since));
        let since =
            since.strip_suffix(" ago").map_or("since just now".to_owned(), |time| format!("for {time}"));
        ctx.ui.data(&format!("{host}  {line} {since}{pid}"));
        if let Some(why) = &file.why {
            ctx.ui.data(&format!("  {why}"));
        }
        for id in file.sessions.keys() {
            ctx.ui.data(&format!("  {id}  {}", file.describe(id)));
        }
        ctx.ui.data(&format!("  log  {}", log.path().display()));
    }
    if ctx.ui.is_json() {
        ctx.print_json("link", &serde_json::json!({ "links": links }));
    }
    Ok(0)
}

fn start(ctx: &Context) -> Result<i32> {
    let hosts = hosts(ctx)?;
    let wanted = ctx.config()?.sync.link.value;
    if hosts.is_empty() {
        ctx.ui.note("there is no session, and so nothing to watch");
    } else if !wanted {
        ctx.ui.note("no link is started: `link = false`");
    }
    let mut started = Vec::new();
    for host in hosts.into_iter().filter(|_| wanted) {
        if ctx.runner.is_dry_run() {
            ctx.ui.note(&format!("would start the link to {host}"));
            continue;
        }
        let ran = ctx.store.link_runs(&host).is_some();
        ensure(ctx, &host);
        started.push((host, ran));
    }
    for (host, ran) in &started {
        ensure::wait_for_start(ctx, host)?;
        match ran {
            true => ctx.ui.note(&format!("the link to {host} runs")),
            false => ctx.ui.status("Started", &format!("the link to {host}")),
        }
    }
    let started: Vec<String> = started.into_iter().map(|(host, _)| host).collect();
    if ctx.ui.is_json() {
        ctx.print_json("link", &serde_json::json!({ "started": started }));
    }
    Ok(0)
}

fn stop(ctx: &Context) -> Result<i32> {
    let mut stopped = Vec::new();
    for host in hosts(ctx)? {
        if ctx.store.link_runs(&host).is_none() && ctx.store.guard_runs(&host).is_none() {
            continue;
        }
        if ctx.runner.is_dry_run() {
            ctx.ui.note(&format!("would stop the link to {host}"));
            continue;
        }
        ctx.store.set_link_stopped(&host, true)?;
        if !ensure::end(ctx, &host)? {
            return Err(Failure::new(Kind::TimedOut, format!("the link to {host} does not end")).into());
        }
        ctx.ui.status(
            "Stopped",
            &format!("the link to {host}: nothing is synced by itself until `sinc` runs again"),
        );
        stopped.push(host);
    }
    if stopped.is_empty() && !ctx.runner.is_dry_run() {
        ctx.ui.note("no link was running");
    }
    if ctx.ui.is_json() {
        ctx.print_json("link", &serde_json::json!({ "stopped": stopped }));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_stands_still_is_looked_at_unless_it_is_held_still() {
        for (stands, is_held, looked_at) in [
            (None, false, false),
            (None, true, false),
            (Some("held"), true, false),
            (Some("held"), false, true),
            (Some("paused"), false, true),
            (Some("paused"), true, true),
        ] {
            assert_eq!(is_to_be_looked_at(stands, || is_held), looked_at, "{stands:?} {is_held}");
        }
    }
}
