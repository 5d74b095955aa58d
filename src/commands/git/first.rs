//! The first time: the host gets a repository before the agent starts.

use anyhow::Result;

use super::super::context::Context;
use super::super::paint::harmless;
use super::{above, lock, not_shared, short, with_sides};
use crate::git::base;
use crate::git::cycle::{Outcome, Refused};
use crate::remote::Remote;
use crate::state::{Record, host_word};
use crate::tools::mutagen::Mutagen;

/// So often something may have changed at that very moment.
const TRIES: u32 = 3;

/// Shares the project's repository with the host, if it has one and the host has none of it yet; brings both in step where there is to be
/// no link. That it cannot be done is said,
/// and is no reason not to connect: the link tries again.
pub(in crate::commands) fn share(ctx: &Context, remote: &Remote, record: &Record, mutagen: &Mutagen) {
    let git = record.local.join(".git");
    // With a link that is all: it does the rest.
    let known = base::path(&record.local, &host_word(&record.host)).exists()
        && ctx.config().is_ok_and(|config| config.sync.link.value);
    if known || !git.symlink_metadata().is_ok_and(|found| found.is_dir() || found.is_file()) {
        return;
    }
    match not_shared(ctx, record) {
        Ok(None) => {}
        Ok(Some(_)) => return,
        Err(error) => return ctx.ui.warn(&format!("git is not shared: {error:#}")),
    }
    if let Err(error) = first(ctx, remote, record, mutagen) {
        ctx.ui.warn(&format!("git is not in step yet: {error:#}"));
    }
}

/// A session that is new, of a project that is a part of a repository: that nothing is shared is said.
pub(in crate::commands) fn tell_above(ctx: &Context, record: &Record) {
    if let Some(why) = above(ctx, record) {
        ctx.ui.note(&format!("git is not shared: {why}"));
    }
}

fn first(ctx: &Context, remote: &Remote, record: &Record, mutagen: &Mutagen) -> Result<()> {
    let _lock = lock(ctx, record)?;
    let line = ctx.ui.progress();
    line.show("Sending", "the project's history");
    let tell = |text: &str| line.show("Sending", &format!("the project's history: {text}"));
    let (outcome, left_out, more) = with_sides(ctx, remote, record, Some(mutagen), Some(&tell), |sides| {
        let mut refused = Refused::new();
        let mut outcome = sides.run(&mut refused, true)?;
        for _ in 1..TRIES {
            if !matches!(outcome, Outcome::Again(_)) {
                break;
            }
            outcome = sides.run(&mut refused, true)?;
        }
        if !matches!(outcome, Outcome::Done(_)) {
            return Ok((outcome, None, Vec::new()));
        }
        Ok((outcome, sides.left_out()?, sides.notes_of_files()?))
    })?;
    drop(line);
    match outcome {
        Outcome::Off(Some(why)) => ctx.ui.note(&format!("git is not shared: {why}")),
        Outcome::Off(None) => {}
        Outcome::Held(why) | Outcome::Again(why) => ctx.ui.note(&format!("git is not in step yet: {why}")),
        Outcome::Done(report) => {
            ctx.ui.status("Shared", &format!("git: {} is on both sides", report.heads.0));
            for one in &report.differs {
                ctx.ui.note(&format!("git: {} moved on both sides: see `sinc git`", short(&one.name)));
            }
            if let Some(first) = report.waits.first() {
                let why = harmless(&first.why);
                ctx.ui.note(&format!("git: {} waits ({why}): see `sinc git`", short(&first.name)));
            }
            for note in report.notes.iter().chain(&more) {
                ctx.ui.note(&format!("git: {note}"));
            }
            match left_out {
                Some(note) if note.looks_deleted => ctx.ui.warn(&format!("git: {}", note.text)),
                Some(note) => ctx.ui.note(&format!("git: {}", note.text)),
                None => {}
            }
        }
    }
    Ok(())
}
