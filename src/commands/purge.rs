//! `sinc kill --purge`: removes the directory on the host too. All that is in it is moved into the host's backup; there,
//! what this computer has as well is removed, and what it has not stays.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::context::Context;
use super::kill_target::Target;
use super::kill_words::Facts;
use super::paint::harmless;
use super::sides::Sides;
use crate::backups::Outcome;
use crate::failure::{Failure, Kind};
use crate::ignore::Matcher;
use crate::listing::{self, Difference, Kind as EntryKind, Listing, What, compare, tops, undecided};
use crate::session::scripts::PURGE;
use crate::session::survey::Marker;
use crate::tools::mutagen::Side;
use crate::ui::{bytes, plural};

/// The file that says whose directory it is.
const MARKER: &str = ".sinc-session";

/// The repository on the host, which is one thing: what is in it means nothing without the rest.
const GIT: &str = ".git";

/// How many paths are named.
const NAMED: usize = 20;

/// How long removing may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// The directory on the host, which is to go.
pub(super) struct Purge {
    sides: Sides,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(super) struct Purged {
    /// Where on the host what was not here is kept.
    kept: Option<String>,
    /// How many paths that is.
    paths: u64,
}

impl Purge {
    /// Looks whether it can go at all.
    ///
    /// # Errors
    /// The host was not reached, the directory is not the session's own, or another computer uses it.
    pub(super) fn prepare(ctx: &Context, target: &Target, facts: &Facts) -> Result<Self> {
        let id = &target.id;
        let refused = |why: String| Failure::new(Kind::Failed, format!("{id} was not ended: {why}"));
        if let Some(why) = &facts.unreachable {
            let text = format!("its directory on {} cannot be removed now ({why})", target.host_name);
            return Err(Failure::new(Kind::Connect, format!("{id} was not ended: {text}"))
                .hint("without `--purge` it can be ended; the files on the host stay then")
                .into());
        }
        let (Some(record), Some(host)) = (&target.record, &target.host) else {
            return Err(refused(
                "this computer has no record of it, so nothing says what is only there".into(),
            )
            .hint("without `--purge` it can be ended")
            .into());
        };
        if !facts.others.is_empty() {
            return Err(refused(format!("its directory is also used by {}", facts.others.join(" and by ")))
                .hint("without `--purge` it can be ended here")
                .into());
        }
        let own = facts.there.as_ref().is_some_and(|there| {
            there.marker == Marker::Right && there.directory.as_deref() == Some(record.remote.as_str())
        });
        if !own {
            return Err(refused(format!("{} is not known to be its own any more", harmless(&record.remote)))
                .hint("run `sinc --no-attach` in its directory: it looks at the host, and says what can be done")
                .into());
        }
        Ok(Self { sides: Sides { record: record.clone(), remote: ctx.remote(host) } })
    }

    /// Shows what is not here, and asks.
    ///
    /// # Errors
    /// A side cannot be read, or it was declined.
    pub(super) fn ask(&self, ctx: &Context) -> Result<()> {
        let record = &self.sides.record;
        let line = ctx.ui.progress();
        line.show("Comparing", &format!("with {}", record.host));
        let there = listing::list_remote(&self.sides.remote, &record.remote, &Matcher::default())?;
        let (differences, there) = self.compare(&record.remote, there)?;
        drop(line);
        let place = format!("{}:{}", record.host, harmless(&record.remote));
        let missing = count(&differences);
        if missing == 0 && there.unread.is_empty() {
            ctx.ui.note(&format!("all that is in {place} is here too"));
        } else {
            ctx.ui.warn(&format!("{} in {place} not here:", plural(missing, "path is", "paths are")));
            if differences.iter().any(is_of_git) {
                ctx.ui.note(&format!("{GIT} (the host's repository, which stays whole)"));
            }
            let named: Vec<&Difference> = tops(&differences).filter(|one| !is_of_git(one)).collect();
            for one in named.iter().take(NAMED) {
                let below = there.below(&one.path).count() as u64 - 1;
                let what = match &one.remote {
                    Some(entry) if entry.kind == EntryKind::Directory => {
                        format!("directory with {} in it", plural(below, "path", "paths"))
                    }
                    Some(entry) => bytes(entry.size),
                    None => continue,
                };
                let other = if one.what == What::OnlyThere { "" } else { ", another version is here" };
                ctx.ui.note(&format!("{} ({what}{other})", harmless(&one.path.to_string_lossy())));
            }
            if named.len() > NAMED {
                ctx.ui.note(&format!("… and {} more", named.len() - NAMED));
            }
            for unread in there.unread.iter().take(NAMED) {
                ctx.ui.note(&format!("cannot be read: {}", harmless(unread)));
            }
            ctx.ui.note("that is kept in a backup on the host, whose place is printed");
        }
        if ctx.runner.is_dry_run() {
            ctx.ui.note(&format!("{place} would be removed"));
            return Ok(());
        }
        if ctx.ui.confirm(&format!("Remove {place}?"), false)? {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, format!("{} was not ended", record.id)).into())
    }

    /// What of this listing of `root` on the host is not here.
    fn compare(&self, root: &str, mut there: Listing) -> Result<(Vec<Difference>, Listing)> {
        there.entries.remove(Path::new(MARKER));
        let local = &self.sides.record.local;
        let mut here = match local.is_dir() {
            true => listing::list_local(local, &Matcher::default())?,
            false => Listing::default(),
        };
        let asked = undecided(&compare(&here, &there));
        here.add_digests(listing::local_digests(local, &asked)?);
        there.add_digests(listing::remote_digests(&self.sides.remote, root, &asked)?);
        let mut differences = compare(&here, &there);
        differences.retain(|one| one.remote.is_some() && one.what != What::Mode);
        Ok((differences, there))
    }

    /// Removes it. The session is ended by now, so nothing is brought over any more.
    ///
    /// # Errors
    /// It could not be moved, and is where it was; or the line was cut, and it is in the backup as a whole.
    pub(super) fn act(&self, ctx: &Context) -> Result<Purged> {
        let (record, remote) = (&self.sides.record, &self.sides.remote);
        let shown = format!("{}:{}", record.host, harmless(&record.remote));
        let left = || format!("the session is ended; {shown} is not removed");
        let keeper = self.sides.keeper(ctx, Side::Remote)?;
        // What a sinc that was killed had moved aside is in no listing: it goes into the backup that it was for.
        let (recovered, backups) = keeper.recover().with_context(left)?;
        for backup in backups.iter().filter(|backup| recovered.interrupted.contains(&backup.name)) {
            ctx.ui.warn(&format!(
                "`{}` was not finished: what it had moved aside is kept on the host in {}/files",
                harmless(&backup.why),
                harmless(&backup.place)
            ));
        }
        let there = listing::list_remote(remote, &record.remote, &Matcher::default()).with_context(left)?;
        let marker = Path::new(MARKER);
        let names: Vec<PathBuf> = there
            .entries
            .keys()
            .filter(|path| path.components().count() == 1 && *path != marker)
            .cloned()
            .collect();
        let kept = self.sides.keep(ctx, Side::Remote, "kill --purge", &names).with_context(left)?;
        let place = format!("{}/files", kept.place);
        let whole = || format!("{}; what was in it is kept on the host in {place}", left());
        if let Some((path, why)) = kept.paths.iter().find_map(|(path, outcome)| match outcome {
            Outcome::Failed(why) => Some((path, why)),
            _ => None,
        }) {
            bail!("{}: {} could not be moved: {why}", whole(), harmless(&path.to_string_lossy()));
        }
        let moved = listing::list_remote(remote, &place, &Matcher::default()).with_context(whole)?;
        let (differences, moved) = self.compare(&place, moved).with_context(whole)?;
        let missing: BTreeSet<&PathBuf> = differences.iter().map(|one| &one.path).collect();
        let stays = |path: &PathBuf| missing.contains(path) || path.starts_with(GIT);
        let mut input = Vec::new();
        for (path, entry) in &moved.entries {
            if matches!(entry.kind, EntryKind::File | EntryKind::Link) && !stays(path) {
                input.extend_from_slice(path.as_os_str().as_bytes());
                input.push(0);
            }
        }
        // Mutagen writes without a sync: what came here a moment ago is on the disk before the host's copy goes.
        rustix::fs::sync();
        let why = "remove what is here too";
        let answer =
            remote.ask(why, &PURGE, &[&record.remote, &place], input, DEADLINE).with_context(whole)?;
        if !answer.bytes.starts_with(b"removed\n") {
            let names = String::from_utf8_lossy(&answer.bytes);
            let names: Vec<String> = names.lines().skip(1).take(5).map(harmless).collect();
            bail!("{}; something is still in it: {}", whole(), names.join(", "));
        }
        ctx.ui.status("Removed", &shown);
        let is_directory =
            |one: &Difference| one.remote.as_ref().is_some_and(|entry| entry.kind == EntryKind::Directory);
        let nothing = differences.iter().all(is_directory) && moved.unread.is_empty();
        // Some names are in no listing.
        if nothing && keeper.forget(&kept.name)? {
            return Ok(Purged { kept: None, paths: 0 });
        }
        keeper.settle(&[kept.name])?;
        let paths = count(&differences);
        let what = if nothing { "what is not synced".to_owned() } else { plural(paths, "path", "paths") };
        ctx.ui.status("Kept", &format!("{what} on the host in {place}"));
        Ok(Purged { kept: Some(place), paths })
    }
}

fn is_of_git(one: &Difference) -> bool {
    one.path.starts_with(GIT)
}

/// The repository counts as one.
fn count(differences: &[Difference]) -> u64 {
    let git = differences.iter().filter(|one| is_of_git(one)).count();
    (differences.len() - git + git.min(1)) as u64
}
