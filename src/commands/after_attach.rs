//! `sinc after-attach`, hidden: the small process that an attach leaves beside the ssh that it became. It asks
//! Mutagen, says inside the session what is not right, and when the attach did not last it looks at the host: if the
//! session's directory is not there any more, the sync is paused, and the next `sinc` says what can be done.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::first_cycle::complaints;
use crate::project::SessionId;
use crate::remote::Remote;
use crate::session::survey::{self, Marker};
use crate::session::{ending, sync};
use crate::state::{Record, host_word};

/// An ssh that ends sooner may not have attached, but told why it could not.
const LASTED: Duration = Duration::from_secs(15);

/// How long an attach gets before a message is shown in it: shown too soon, it goes to nobody.
const SETTLED: Duration = Duration::from_secs(3);

/// Runs it.
///
/// # Errors
/// The session is not known, or cannot be written.
pub fn run(ctx: &Context, id: &str, host: &str, pid: i32) -> Result<i32> {
    // Ctrl-C in the terminal is not for this process.
    let _ = rustix::process::setsid();
    let id = SessionId::parse(id)?;
    let Some(record) = ctx.store.record(&id, host)? else { return Ok(0) };
    let config = ctx.config()?;
    let host = ctx.host_of(&config, &record)?;
    let remote = ctx.remote(&host);

    let remote = remote.with_person(false);

    let said = ask_mutagen(ctx, &record);
    if !lasts(pid, if said.is_empty() { LASTED } else { SETTLED }) {
        return look(ctx, &remote, &record).map(|()| 0);
    }
    for text in said {
        show(&remote, &id, &text);
    }
    Ok(0)
}

/// Is the session still where it was? If the host cannot be asked, nothing is known and nothing done.
fn look(ctx: &Context, remote: &Remote, record: &Record) -> Result<()> {
    let Ok(survey) = survey::ask(remote, &|_| {}) else { return Ok(()) };
    let there = survey.sessions.get(&record.id);
    let right = there.is_some_and(|session| {
        session.marker == Marker::Right && session.directory.as_deref() == Some(&record.remote)
    });
    if right {
        return Ok(());
    }
    if let Some(mut record) = ctx.store.record(&SessionId::parse(&record.id)?, &record.host)? {
        record.verify = true;
        ctx.store.save(&record)?;
    }
    let mutagen = super::mutagen::ready(ctx)?;
    for sync in sync::find(&mutagen, &record.id, &host_word(&record.host))? {
        if !sync.is_paused() {
            mutagen.pause(&sync.identifier)?;
        }
    }
    Ok(())
}

/// What is not right with the sync; a paused one is resumed.
fn ask_mutagen(ctx: &Context, record: &Record) -> Vec<String> {
    let asked = (|| -> Result<Vec<String>> {
        let mutagen = super::mutagen::ready(ctx)?;
        let syncs = sync::find(&mutagen, &record.id, &host_word(&record.host))?;
        let [session] = &syncs[..] else {
            let how_many = if syncs.is_empty() { "no sync runs" } else { "several syncs run" };
            return Ok(vec![format!("{how_many} for this session: leave it and run `sinc --no-attach`")]);
        };
        if session.is_paused() {
            mutagen.resume(&session.identifier)?;
            return Ok(vec!["the sync was paused; it goes on".to_owned()]);
        }
        if let Some(halt) = session.halt() {
            return Ok(vec![format!("the sync has stopped itself ({halt}): see `sinc status`")]);
        }
        Ok(complaints(session))
    })();
    asked.unwrap_or_else(|error| vec![format!("the sync could not be asked: {error}")])
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
