//! `sinc after-attach`, hidden: the small process that an attach leaves beside the ssh that it became. It asks
//! Mutagen and says inside the session what is not right. When something is, or the attach did not last, it looks at
//! the host: the sync follows a directory that was renamed; if the directory is not there any more the sync is paused,
//! and the next `sinc` says what can be done.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::first_cycle::complaints;
use super::held_words;
use super::link::this_sinc;
use super::resolve::Settled;
use crate::project::SessionId;
use crate::remote::Remote;
use crate::session::survey::{self, Marker};
use crate::session::{ending, hold, sync, terminal};
use crate::state::{Held, Noted, Record, host_word};
use crate::tools::mutagen::{Mutagen, SyncSession};

/// An ssh that ends sooner may not have attached, but told why it could not.
const LASTED: Duration = Duration::from_secs(15);

/// How long the attach has the computer to itself: its login and its first picture are what the person waits for.
/// Mutagen, asked meanwhile, would take a share of it on a computer with few cores.
const HEAD_START: Duration = Duration::from_millis(500);

/// How long an attach gets before a message is shown in it: shown too soon, it goes to nobody.
const SETTLED: Duration = Duration::from_secs(3);

/// Starts it, for the process that this one is about to become. `link_only`: it leaves the sync alone.
pub(super) fn start(ctx: &Context, record: &Record, link_only: bool) {
    let started = this_sinc(ctx, "look after the attach").and_then(|this| {
        let cmd = this
            .args(["after-attach", &record.id, &record.host])
            .arg(std::process::id().to_string())
            .args(link_only.then_some("--link-only"));
        Ok(ctx.runner.spawn_detached(&cmd)?)
    });
    if let Err(error) = started {
        tracing::warn!(%error, "nobody looks after this attach");
    }
}

/// Runs it.
///
/// # Errors
/// The session is not known, or cannot be written.
pub fn run(ctx: &Context, id: &str, host: &str, pid: i32, link_only: bool) -> Result<i32> {
    // Ctrl-C in the terminal is not for this process.
    let _ = rustix::process::setsid();
    let id = SessionId::parse(id)?;
    let Some(record) = ctx.store.record(&id, host)? else { return Ok(0) };
    let config = ctx.config()?;
    let host = ctx.host_of(&config, &record)?;
    let remote = ctx.remote(&host);

    let remote = remote.with_person(false);

    let began = lasts(pid, HEAD_START);
    if began {
        super::link::ensure(ctx, &record.host);
        ctx.store.poke_links();
        if remote.control().exists()
            && let Err(error) = ctx.runner.spawn_detached(&terminal::show_in_agent_os(&remote, &id))
        {
            tracing::debug!(%error, "the session could not be shown in Agent-OS");
        }
    }
    if link_only {
        if began {
            if lasts(pid, SETTLED) {
                super::notify::again(ctx, &remote, &record);
            }
            keep_link(ctx, record, pid);
        }
        return Ok(0);
    }
    let mut asked = if began { ask_mutagen(ctx, &record) } else { Asked::default() };
    let lasted = began && lasts(pid, if asked.is_quiet() { LASTED } else { SETTLED });
    if lasted && asked.is_quiet() {
        // What happened on the host just before the attach is known by now.
        asked = ask_mutagen(ctx, &record);
    }
    // Without a sync nobody else would notice that the directory was renamed.
    if (!lasted || !asked.is_quiet() || record.no_sync)
        && let Some(said) = look(ctx, &remote, &record, &asked)?
    {
        asked.said = vec![said];
    }
    if lasted && !asked.said.is_empty() {
        show(&remote, &id, &asked.said.join("; "));
    }
    let is_well = asked.is_quiet() && !record.no_sync;
    if lasted
        && is_well
        && !config.sync.link.value
        && let Ok(mutagen) = super::mutagen::ready(ctx)
    {
        super::git::share(ctx, &remote, &record, &mutagen);
    }
    if let Some(conflicts) = asked.conflicts.filter(|_| lasted) {
        super::notify::conflicts(ctx, &remote, &record, &conflicts);
    }
    if lasted {
        // The attach may have made the terminal.
        super::notify::again(ctx, &remote, &record);
        keep_link(ctx, record, pid);
    }
    Ok(0)
}

/// Brings back a link that dies, for as long as the attach lasts.
fn keep_link(ctx: &Context, record: Record, pid: i32) {
    let ctx = ctx.clone();
    let _ =
        std::thread::Builder::new().stack_size(256 * 1024).spawn(move || super::link::keep(&ctx, &record));
    while lasts(pid, Duration::from_secs(24 * 60 * 60)) {}
}

/// What Mutagen says of the session.
#[derive(Default)]
struct Asked {
    /// What is not right with its sync.
    said: Vec<String>,
    /// Is it paused?
    is_paused: bool,
    /// There is not one sync, but none, or several.
    is_amiss: bool,
    /// The conflicts, where Mutagen could be asked.
    conflicts: Option<Noted>,
}

impl Asked {
    fn is_quiet(&self) -> bool {
        self.said.is_empty() && !self.is_paused
    }
}

/// Is the session still where it was? Then a paused sync goes on: not before, because an empty directory in its
/// place would count as everything deleted, here too. One that was renamed is followed; otherwise the sync is paused,
/// and the next `sinc` looks at the host first. If the host cannot be asked, nothing is known and nothing done.
fn look(ctx: &Context, remote: &Remote, record: &Record, asked: &Asked) -> Result<Option<String>> {
    let Ok(survey) = survey::ask(remote, &|_| {}) else { return Ok(None) };
    let there = survey.sessions.get(&record.id).filter(|session| session.marker == Marker::Right);
    let directory = there.and_then(|session| session.directory.as_deref());
    let in_place = directory == Some(&record.remote);
    if in_place && !asked.is_paused && !asked.is_amiss {
        return Ok(None);
    }
    // Another sinc that is at work on this session sees to it.
    let Ok(_lock) = ctx.store.lock(&record.id, &record.host, Duration::ZERO, &mut || {}) else {
        return Ok(None);
    };
    let Some(mut record) = ctx.store.record(&SessionId::parse(&record.id)?, &record.host)? else {
        return Ok(None);
    };
    if record.no_sync {
        record.verify |= directory.is_none();
        record.remote = directory.map_or(record.remote, str::to_owned);
        ctx.store.save(&record)?;
        return Ok(None);
    }
    if in_place && asked.is_amiss {
        // The next `sinc` goes the careful way, which makes it, or tells them apart.
        record.verify = true;
        ctx.store.save(&record)?;
        return Ok(None);
    }
    let mutagen = super::mutagen::ready(ctx)?;
    let mut syncs = sync::find(&mutagen, &record.id, &host_word(&record.host))?;
    if in_place {
        if let Some(held) = hold::check(&mutagen, &ctx.store, remote, &record, &mut syncs, (false, &|_| {}))?
        {
            super::notify::held(ctx, remote, &record, &held);
            return Ok(Some(held_text(&held)));
        }
        for sync in syncs.iter().filter(|sync| sync.is_paused() && sync.remote().path == record.remote) {
            mutagen.resume(&sync.identifier)?;
        }
        ctx.store.poke_links();
        return Ok(Some("the sync was paused; it goes on".to_owned()));
    }
    if let Some(directory) = directory {
        record.remote = directory.to_owned();
        let wanted = super::link::wanted(ctx, &record)?;
        let (mut filled, mut settings) = (record.filled, wanted.settings.digest());
        let mut tell = |step: &sync::Step| match step {
            sync::Step::Created | sync::Step::Recreated { .. } => filled = false,
            sync::Step::KeptOld { .. } => settings.clear(),
            _ => {}
        };
        let mut look = |_| hold::refuse(&mutagen, remote, &syncs);
        sync::ensure(&mutagen, &wanted, &syncs, &mut tell, &mut look)?;
        if record.held.take().is_some() {
            // The new one has no history, and so nothing to delete.
            ctx.store.release(&record.id, &record.host)?;
        }
        (record.filled, record.settings) = (filled, settings);
        ctx.store.save(&record)?;
        return Ok(Some(format!("the directory is {directory} now, and the sync follows it")));
    }
    let news = super::link::is_news(&record, &syncs);
    record.verify = true;
    ctx.store.save(&record)?;
    hold::keep_paused(&mutagen, &syncs)?;
    if news {
        super::notify::gone(ctx, &record);
    }
    Ok(None)
}

/// What is said inside the session of a sync that is held.
fn held_text(held: &Held) -> String {
    format!("the sync is held ({}): see `sinc status`", held_words::missing(held))
}

/// What is not right with the sync.
fn ask_mutagen(ctx: &Context, record: &Record) -> Asked {
    let asked = (|| -> Result<Asked> {
        if record.no_sync {
            return Ok(Asked::default());
        }
        let mutagen = super::mutagen::ready(ctx)?;
        let syncs = sync::find(&mutagen, &record.id, &host_word(&record.host))?;
        let said = |said: Vec<String>| Asked { said, ..Asked::default() };
        let [session] = &syncs[..] else {
            let how_many = if syncs.is_empty() { "no sync runs" } else { "several syncs run" };
            let texts = vec![format!("{how_many} for this session: leave it and run `sinc` again")];
            return Ok(Asked { is_amiss: true, ..said(texts) });
        };
        if let Some(held) = ctx.store.held(&record.id, &record.host)? {
            return Ok(Asked { said: vec![held_text(&held)], is_paused: true, ..Asked::default() });
        }
        if session.is_paused() {
            return Ok(Asked { is_paused: true, ..Asked::default() });
        }
        if let Some(halt) = session.halt() {
            return Ok(said(vec![format!("the sync has stopped itself ({halt}): see `sinc status`")]));
        }
        let settled = settle(ctx, &mutagen, record, session);
        let after = if settled.is_some() { mutagen.session(&session.identifier).ok() } else { None };
        let session = after.as_ref().unwrap_or(session);
        let conflicts = super::notify::noted(session);
        let mut texts = complaints(session);
        texts.extend(settled.and_then(|settled| settled.said()));
        if let (1.., Some(first)) = (conflicts.count, texts.first_mut()) {
            first.push_str(" (see `sinc conflicts`)");
        }
        Ok(Asked { conflicts: Some(conflicts), ..said(texts) })
    })();
    asked.unwrap_or_else(|error| Asked {
        said: vec![format!("the sync could not be asked: {error}")],
        ..Asked::default()
    })
}

/// Settles conflicts where the session's mode says so and no link does it.
fn settle(ctx: &Context, mutagen: &Mutagen, record: &Record, session: &SyncSession) -> Option<Settled> {
    if session.conflict_count() == 0 || ctx.store.link_runs(&record.host).is_some() {
        return None;
    }
    // Another sinc that is at work on the session sees to it.
    let lock = ctx.store.lock(&record.id, &record.host, Duration::ZERO, &mut || {}).ok()?;
    super::resolve::settle_and_tell(ctx, record, mutagen, session, Some(&lock))
}

/// Does the process live for this long?
fn lasts(pid: i32, time: Duration) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    let until = Instant::now() + time;
    #[cfg(target_os = "linux")]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
            return false;
        };
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&timeout)), Ok(0))
    }
    // macOS has no pidfd: ask now and then, which costs nothing noticeable in ten seconds.
    #[cfg(not(target_os = "linux"))]
    loop {
        if rustix::process::test_kill_process(pid).is_err() {
            return false;
        }
        if Instant::now() >= until {
            return true;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn show(remote: &Remote, id: &SessionId, text: &str) {
    if let Err(error) = ending::show_message(remote, id.as_str(), &format!("sinc: {text}")) {
        tracing::debug!(%error, "the message could not be shown");
    }
}
