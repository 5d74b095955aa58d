//! `sinc git`: how git stands on both sides, and what brings together what was moved on both.

mod first;
mod join;
mod lost;
mod show;

pub(super) use first::{share, tell_above};

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::context::Context;
use super::mutagen;
use super::sides::Sides as SessionSides;
use super::sync_control::{self, Looks};
use crate::cli::{self, GitAction};
use crate::config::Mode;
use crate::failure::{Failure, Kind};
use crate::git::base;
use crate::git::cycle::{Sides, Wait};
use crate::git::limits;
use crate::git::local::Local;
use crate::git::transport::{Tell, Transport};
use crate::remote::{Remote, Script};
use crate::session::sync::brought_over;
use crate::state::{Lock, Record, host_word};
use crate::tools::mutagen::Mutagen;

/// How long a script on the host may take: an index of 100,000 files takes a fraction of a second.
const DEADLINE: Duration = Duration::from_secs(90);

/// How long the files may take.
const FILES: Duration = Duration::from_secs(10 * 60);

/// How long another sinc that is at work on the repository is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it is waited for without a word.
const MOMENT: Duration = Duration::from_secs(2);

/// Runs it.
///
/// # Errors
/// There is no such session, or a side cannot be asked.
pub(super) fn run(ctx: &Context, args: &cli::Git) -> Result<i32> {
    let sides = SessionSides::of(ctx, args.session.as_deref())?;
    match &args.action {
        None => show::run(ctx, &sides),
        Some(GitAction::Join { branch, how }) => join::run(ctx, &sides, branch.as_deref(), *how),
        Some(GitAction::Lost) => lost::run(ctx, &sides),
    }
}

/// Is git shared in this session, as the configuration and its mode have it? If not, why.
fn not_shared(ctx: &Context, record: &Record) -> Result<Option<&'static str>> {
    let config = ctx.config()?;
    if !config.sync.git.value {
        return Ok(Some("`git = false` under `[sync]` in the configuration turned it off"));
    }
    if record.no_sync || !matches!(config.sync.mode.value, Mode::TwoWaySafe | Mode::TwoWayResolved) {
        return Ok(Some("only in the modes that go both ways"));
    }
    Ok(None)
}

/// Why nothing is shared of a project that is a part of a repository; nothing where git is off, or that repository is in the home
/// directory or above: many a person's settings are in one there, and no session can be.
pub(super) fn above(ctx: &Context, record: &Record) -> Option<String> {
    let home = ctx.environment.home();
    let there = limits::above(&record.local).filter(|above| !home.starts_with(above))?;
    matches!(not_shared(ctx, record), Ok(None)).then(|| limits::is_a_part(there))
}

/// Nobody else moves anything in the session's repository while this is held.
fn lock(ctx: &Context, record: &Record) -> Result<Lock> {
    let name = format!("{}-git", record.id);
    // The link is often at it, for a moment.
    if let Ok(lock) = ctx.store.lock(&name, &record.host, MOMENT, &mut || {}) {
        return Ok(lock);
    }
    let wait = &mut || ctx.ui.note("another sinc is at work on the repository: waiting for it");
    ctx.store.lock(&name, &record.host, PATIENCE, wait)
}

/// Does something with both sides of a session's repository, over the shared connection.
fn with_sides<T>(
    ctx: &Context,
    remote: &Remote,
    record: &Record,
    mutagen: Option<&Mutagen>,
    tell: Option<Tell<'_>>,
    work: impl FnOnce(&Sides<'_>) -> Result<T>,
) -> Result<T> {
    let ask = |why: &str, script: &Script, words: &[String]| {
        let mut all = vec![record.remote.as_str()];
        all.extend(words.iter().map(String::as_str));
        let answer = remote.ask(why, script, &all, Vec::new(), DEADLINE)?;
        Ok(answer.bytes)
    };
    let files = |wait| {
        // Whoever has asked for one here has waited for it.
        if wait == Wait::Pending {
            return Ok(Vec::new());
        }
        let Some(mutagen) = mutagen else { return Err("there is no Mutagen".to_owned()) };
        let all = sync_control::wait(ctx, mutagen, record, Looks::Each(None), FILES)
            .map_err(|error| format!("{error:#}"))?;
        match &all[..] {
            [checked] if brought_over(&checked.result) => Ok(Vec::new()),
            [checked] => Err(checked.result.to_string()),
            _ => Err("there is not one sync".to_owned()),
        }
    };
    let local = Local::new(ctx.runner.clone(), &record.local);
    let transport = Transport::new(remote, &record.remote, None);
    let base = base::path(&record.local, &host_word(&record.host));
    let directory = record.remote.clone();
    let ignores = super::link::ignores(ctx, record, mutagen)?;
    let excludes = ctx.environment.git_ignore();
    work(&Sides { local, directory, ask: &ask, transport, files: &files, base, ignores, excludes, tell })
}

/// Mutagen, for a command that moves something.
fn mutagen_for(ctx: &Context) -> Result<Mutagen> {
    mutagen::present(ctx).context("the files are brought in step first")
}

/// A name as people say it.
pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/")).unwrap_or(name)
}

/// A failure that says why git does not do that.
fn cannot(why: &str) -> anyhow::Error {
    Failure::new(Kind::Failed, format!("git: {why}")).hint("`sinc git` shows how both sides stand").into()
}
