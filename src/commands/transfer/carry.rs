//! Does it: ends the sync, moves what loses into a backup, and makes the sync again.
//!
//! A sync remembers what both sides had, and would take what is moved away for deleted, and delete it on the side that
//! wins too. One that is made anew remembers nothing: what only one side has is made on the other, and nothing is deleted.
//! So the old one ends before the first path is moved, and whoever comes after an interruption at any point makes a new one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Context as _, Result};

use super::Transfer;
use super::plan::Plan;
use crate::backups::{Kept, Outcome};
use crate::commands::conflicts::look;
use crate::commands::paint::harmless;
use crate::commands::{first_cycle, mode_words};
use crate::failure::{Failure, Kind, explain};
use crate::process::{Interrupted, divert_signals};
use crate::session::hold;
use crate::session::sync::{self, Wanted};
use crate::state::{Record, host_word};
use crate::tools::mutagen::SyncSession;
use crate::ui::plural;

/// How often the new sync is tried to be made: a signal on the terminal ends what is just running.
const TRIES: u32 = 3;

/// What was done.
#[derive(Debug)]
pub(super) struct Carried {
    /// Where what went is kept.
    pub(super) backup: Option<String>,
    /// The new sync.
    pub(super) sync: String,
}

/// Where what was kept is.
pub(super) fn files(kept: &Kept) -> String {
    format!("{}/files", kept.place)
}

impl Transfer<'_> {
    /// Makes the losing side like the other one. `old` is the sync that there is. What was moved aside is in `moved`, also where it
    /// fails after that.
    ///
    /// # Errors
    /// Something could not be moved aside, no cycle could be completed, or the sides are not equal.
    pub(super) fn carry(
        &self,
        old: Option<&SyncSession>,
        plan: &Plan,
        moved: &mut Option<Kept>,
    ) -> Result<Carried> {
        let record = &self.sides.record;
        // Whoever comes next looks before it attaches, and waits for the first cycle.
        let unfinished =
            Record { filled: false, verify: true, settings: self.settings.digest(), ..record.clone() };
        self.ctx.store.save(&unfinished)?;
        let (kept, made, signal) = self.swap(old, plan);
        *moved = kept.as_ref().ok().cloned().flatten();
        let failed = self.tell_kept(moved.as_ref());
        let sync = made.with_context(|| {
            format!("the sync of {} is ended, and could not be made again; `sinc` makes it", record.id)
        })?;
        if signal != 0 {
            self.ctx.ui.warn(&format!("interrupted: {}, with what was done by then", self.goes_on()));
            return Err(Interrupted(signal).into());
        }
        let kept = kept.with_context(|| format!("what goes could not be moved aside; {}", self.goes_on()))?;
        let backup = kept.as_ref().map(files);
        self.wait(&sync)?;
        let filled = Record { filled: true, ..unfinished };
        self.ctx.store.save(&filled)?;
        self.check(&sync, failed)?;
        if let Some(kept) = kept {
            self.sides.keeper(self.ctx, self.loser())?.settle(&[kept.name])?;
        }
        // What an earlier one that was killed had moved is said; no conflict is left that it could belong to.
        look::recover(self.ctx, &self.sides, &[], false)?;
        self.ctx.store.save(&Record { verify: false, ..filled })?;
        let verb = match self.name {
            "push" => "Pushed",
            "pull" => "Pulled",
            _ => "Switched",
        };
        self.ctx.ui.status(verb, &format!("{}: both sides are equal, and {}", record.id, self.goes_on()));
        Ok(Carried { backup, sync })
    }

    /// Waits for a cycle. What goes is kept by now, and what comes of the cycle is no loss either way.
    fn wait(&self, sync: &str) -> Result<()> {
        let host = &self.sides.record.host;
        first_cycle::wait_within(self.ctx, &self.mutagen, sync, host, self.patience())
            .map(drop)
            .with_context(|| format!("not everything is brought over yet; {}", self.goes_on()))
    }

    /// What goes on where this broke off.
    fn again(&self) -> &'static str {
        match self.name {
            "push" => "sinc push",
            "pull" => "sinc pull",
            _ => "sinc",
        }
    }

    fn goes_on(&self) -> &'static str {
        mode_words::goes_on(self.settings.mode)
    }

    /// From the end of the old sync to the new one nothing stops us but a kill. Gives the signal that came.
    fn swap(&self, old: Option<&SyncSession>, plan: &Plan) -> (Result<Option<Kept>>, Result<String>, i32) {
        let came = Arc::<AtomicI32>::default();
        let into = came.clone();
        let diverted = divert_signals(move |signal| into.store(signal, Ordering::SeqCst));
        if let Some(old) = old
            && let Err(error) = self.mutagen.terminate(&old.identifier)
        {
            // It goes on as it was, and nothing has been moved.
            let resumed = self.mutagen.resume(&old.identifier).map(|_| old.identifier.clone());
            return (Err(error.into()), resumed.map_err(Into::into), came.load(Ordering::SeqCst));
        }
        let paths = plan.paths();
        let kept = match paths.is_empty() || came.load(Ordering::SeqCst) != 0 {
            true => Ok(None),
            false => self.sides.keep(self.ctx, self.loser(), self.name, &paths).map(Some),
        };
        let mut made = self.make();
        for _ in 1..TRIES {
            match &made {
                // A line that stands still does so the next time too.
                Err(error) if explain(error).kind != Kind::TimedOut => made = self.make(),
                _ => break,
            }
        }
        drop(diverted);
        (kept, made, came.load(Ordering::SeqCst))
    }

    fn make(&self) -> Result<String> {
        let record = &self.sides.record;
        let word = host_word(&record.host);
        self.ctx.refresh_host_file(&self.sides.remote, None)?;
        let wanted = Wanted {
            id: record.id.clone(),
            host_word: word.clone(),
            local: record.local.clone(),
            remote: record.remote.clone(),
            settings: self.settings.clone(),
            held: false,
            shown: true,
        };
        let found = sync::find(&self.mutagen, &record.id, &word)?;
        let mut look = |_| hold::refuse(&self.mutagen, &self.sides.remote, &found);
        sync::ensure(&self.mutagen, &wanted, &found, &mut |_| {}, &mut look)?
            .context("a session of mode none has no sync")
    }

    /// Says where what went is. Gives what could not be moved.
    fn tell_kept(&self, kept: Option<&Kept>) -> Vec<String> {
        let Some(kept) = kept else { return Vec::new() };
        let count = kept.paths.iter().filter(|(_, outcome)| *outcome == Outcome::Kept).count() as u64;
        let loser = self.loser();
        let place = self.sides.shown(self.ctx, self.loser(), Path::new(&files(kept)));
        self.ctx.ui.status("Kept", &format!("{} {loser} in {place}", plural(count, "path", "paths")));
        let failed = |(path, outcome): &(std::path::PathBuf, Outcome)| match outcome {
            Outcome::Failed(why) => Some(format!("{}: {why}", harmless(&path.to_string_lossy()))),
            _ => None,
        };
        kept.paths.iter().filter_map(failed).collect()
    }

    /// Both sides are to be equal; one more cycle for what was written just now.
    fn check(&self, sync: &str, mut failed: Vec<String>) -> Result<()> {
        let mut plan = self.look()?;
        if !plan.is_empty() {
            self.wait(sync)?;
            plan = self.look()?;
        }
        failed.extend(
            plan.losses.iter().map(|loss| format!("{} differs", harmless(&loss.path.to_string_lossy()))),
        );
        if failed.is_empty() && plan.comes == 0 {
            return Ok(());
        }
        if failed.is_empty() {
            failed.push(format!("{} not brought over yet", plural(plan.comes, "path is", "paths are")));
        }
        let more = failed.len().saturating_sub(5);
        failed.truncate(5);
        if more > 0 {
            failed.push(format!("{more} more"));
        }
        let message = format!("the two sides are not equal: {}", failed.join("; "));
        Err(Failure::new(Kind::Failed, message)
            .hint(format!("is something being written there? `{}` goes on from here", self.again()))
            .into())
    }
}
