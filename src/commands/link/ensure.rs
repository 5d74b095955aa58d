//! Starts, replaces and ends the link of a host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};

use super::super::context::Context;
use super::guard::Pauses;
use crate::failure::{Failure, Kind};
use crate::link::log::Log;
use crate::process::Cmd;
use crate::state::{Record, host_word};

/// How long a link gets to end.
const ENDS: Duration = Duration::from_secs(5);

/// How long a link that was started gets until it holds its lock.
const STARTS: Duration = Duration::from_secs(5);

/// Which program this is: its version, and when its file was written. The later one of two is the newer.
pub(super) fn this_program() -> String {
    use std::os::unix::fs::MetadataExt;
    let written = std::env::current_exe().and_then(|this| this.metadata()).map_or(0, |meta| meta.mtime());
    format!("{written} {}", env!("CARGO_PKG_VERSION"))
}

/// Was `ours` written later than `theirs`? Not known is no.
fn is_newer(ours: &str, theirs: &str) -> bool {
    let written = |program: &str| program.split(' ').next().and_then(|time| time.parse::<i64>().ok());
    matches!((written(ours), written(theirs)), (Some(ours), Some(theirs)) if ours > theirs)
}

/// The file of this program, by what the system calls it. An upgrade puts another one in its place: then ours is called
/// deleted, and the new one is meant.
fn in_its_place(called: PathBuf) -> PathBuf {
    match called.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) if !called.exists() => OsStr::from_bytes(path).into(),
        _ => called,
    }
}

/// Makes sure that the host's link runs, in this version. A failure is told in the log of `-v` only: without a link
/// everything that is asked for still works.
pub(in crate::commands) fn ensure(ctx: &Context, host: &str) {
    if let Err(error) = try_ensure(ctx, host) {
        tracing::warn!(%error, host, "the link could not be started");
    }
}

/// Waits until the link that was started runs.
///
/// # Errors
/// It does not in time.
pub(super) fn wait_for_start(ctx: &Context, host: &str) -> Result<()> {
    if has_started(ctx, host) {
        return Ok(());
    }
    let log = Log::new(&ctx.store.directory().join("logs"), &host_word(host));
    let hint = format!("what it says of itself is in {}", log.path().display());
    Err(Failure::new(Kind::TimedOut, format!("the link to {host} does not start")).hint(hint).into())
}

/// As [`ensure`], for the hosts of these sessions.
pub(in crate::commands) fn ensure_for<'a>(ctx: &Context, records: impl IntoIterator<Item = &'a Record>) {
    let mut hosts: Vec<&str> = records.into_iter().map(|record| record.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    for host in hosts {
        ensure(ctx, host);
    }
}

fn try_ensure(ctx: &Context, host: &str) -> Result<()> {
    if ctx.runner.is_dry_run() || !ctx.config()?.sync.link.value || !has_sessions(ctx, host)? {
        return Ok(());
    }
    if let Some(runs) = ctx.store.link_runs(host) {
        if is_newer(&this_program(), &runs.program) {
            end(ctx, host)?;
        } else if ctx.store.guard_runs(host).is_some() {
            return Ok(());
        }
    }
    ctx.store.set_link_stopped(host, false)?;
    ctx.runner.spawn_detached(&this_sinc(ctx, "start the link")?.args(["link", "guard", "--", host]))?;
    Ok(())
}

/// This program as it is installed now, with the configuration that this one has.
///
/// # Errors
/// Which program this is cannot be told, or the configuration cannot be read.
pub(in crate::commands) fn this_sinc(ctx: &Context, purpose: &'static str) -> Result<Cmd> {
    let mut cmd = Cmd::new(in_its_place(std::env::current_exe()?), purpose).dir("/");
    // It lives in another directory than this one.
    if ctx.global.config.is_some() || ctx.environment.get("SINC_CONFIG").is_some() {
        cmd = cmd.arg("--config").arg(ctx.cwd.join(&ctx.config()?.file));
    }
    Ok(cmd)
}

fn has_sessions(ctx: &Context, host: &str) -> Result<bool> {
    Ok(ctx.store.records()?.iter().any(|record| record.host == host && !record.no_sync))
}

/// Is the host to have a link?
///
/// # Errors
/// It cannot be told.
pub(super) fn is_wanted(ctx: &Context, host: &str) -> Result<bool> {
    Ok(!ctx.store.link_is_stopped(host) && has_sessions(ctx, host)? && ctx.config()?.sync.link.value)
}

/// Ends the host's link, and its guard. Has it ended?
///
/// # Errors
/// It cannot be told.
pub(super) fn end(ctx: &Context, host: &str) -> Result<bool> {
    let terminate = |pid: Option<i32>| {
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // It may have ended by itself just now.
            let _ = kill_process(pid, Signal::TERM);
        }
    };
    terminate(ctx.store.guard_runs(host).flatten());
    let Some(runs) = ctx.store.link_runs(host) else { return Ok(true) };
    terminate(runs.pid);
    Ok(wait_for_end(ctx, host, ENDS))
}

/// Waits until no link of this host runs; gives up after `patience`.
fn wait_for_end(ctx: &Context, host: &str, patience: Duration) -> bool {
    let (told, ended) = std::sync::mpsc::channel();
    let (store, host) = (ctx.store.clone(), host.to_owned());
    std::thread::spawn(move || {
        store.wait_for_links_end(&host);
        let _ = told.send(());
    });
    ended.recv_timeout(patience).is_ok()
}

/// Keeps the host's link alive while a session of it is attached: waits for its end, without asking, and starts it
/// again unless a person stopped it or the session has ended.
pub(in crate::commands) fn keep(ctx: &Context, record: &Record) {
    let mut pauses = Pauses::new();
    loop {
        ctx.store.wait_for_links_end(&record.host);
        let Ok(id) = crate::project::SessionId::parse(&record.id) else { return };
        let known = matches!(ctx.store.record(&id, &record.host), Ok(Some(record)) if !record.no_sync);
        if !known || !is_wanted(ctx, &record.host).unwrap_or(false) {
            return;
        }
        let began = Instant::now();
        ensure(ctx, &record.host);
        if has_started(ctx, &record.host) {
            ctx.store.wait_for_links_end(&record.host);
        }
        std::thread::sleep(pauses.after(began.elapsed()));
    }
}

/// Waits until the link holds its lock: before, its end cannot be waited for.
fn has_started(ctx: &Context, host: &str) -> bool {
    let until = Instant::now() + STARTS;
    while ctx.store.link_runs(host).is_none() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_program_is_newer() {
        assert!(is_newer("12 0.1.0", "11 0.1.0") && is_newer("12 0.1.0", "11 0.2.0"));
        assert!(
            !is_newer("12 0.1.0", "12 0.1.0")
                && !is_newer("12 0.1.0", "")
                && !is_newer("11 0.2.0", "12 0.1.0")
        );
        assert!(this_program().ends_with(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn a_program_that_was_replaced_is_the_one_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(in_its_place(path("sinc (deleted)")), path("sinc"));
        assert_eq!(in_its_place(path("sinc")), path("sinc"));
        std::fs::write(path("sinc (deleted)"), "").unwrap();
        assert_eq!(in_its_place(path("sinc (deleted)")), path("sinc (deleted)"));
    }
}
