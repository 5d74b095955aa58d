//! Settles conflicts: the version that loses is moved aside on its own side, and the next cycle brings the other one over.
//! Nothing is said to be settled before a completed cycle without that conflict has found both sides equal.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::both::beside;
use super::{merged, unfinished};
use crate::backups::{Keeper, Kept, Outcome};
use crate::commands::backups::LOCK_PATIENCE;
use crate::commands::conflicts::look::{look, the_sync};
use crate::commands::context::Context;
use crate::commands::now;
use crate::commands::paint::utc;
use crate::commands::sides::Sides;
use crate::ignore::Matcher;
use crate::listing::{self, Entry, Kind, Listing, compare, settled};
use crate::process::interrupted;
use crate::session::conflicts::{Open, same};
use crate::state::Lock;
use crate::tools::mutagen::{Mutagen, Side};

/// So many files are moved aside before a cycle brings the other versions over: the brake takes more for a mistake.
pub(super) const AT_ONCE: usize = 40;

/// How a conflict is to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// This computer's version.
    Local,
    /// The host's.
    Remote,
    /// This computer's, and the host's beside it.
    Both,
    /// This text, in the place of both; made by `--merge` or `--edit`.
    Text(&'static str, Vec<u8>),
}

impl How {
    /// Is the version of this side moved aside?
    fn moves(&self, side: Side) -> bool {
        match self {
            Self::Local | Self::Text(..) => side == Side::Remote,
            Self::Remote => side == Side::Local,
            Self::Both => false,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Both => "both",
            Self::Text(word, _) => word,
        }
    }
}

/// A conflict, as it was shown, and how to settle it.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub open: Open,
    pub how: How,
}

impl Task {
    /// How many files, links and directories are moved aside for it on the side that loses more.
    fn weight(&self) -> usize {
        let moved = [Side::Local, Side::Remote].into_iter().filter(|side| self.how.moves(*side));
        moved.map(|side| self.open.all(side).len()).max().unwrap_or(0).max(1)
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides are equal there.
    Settled,
    /// It was changed after it was shown, and is as it was.
    Changed,
    /// It is still open.
    Failed(String),
}

/// A task that was tried.
#[derive(Debug)]
pub(super) struct Done {
    pub task: Task,
    pub end: End,
    /// What was moved aside: on which side, and where it is.
    pub kept: Vec<(Side, PathBuf)>,
    /// The host's version beside the one here.
    pub copy: Option<PathBuf>,
}

/// Settles these. All are tried; each has its own end, which is added to `all`.
///
/// # Errors
/// A side was not reached, or no cycle could be completed. What was done before that is in `all`; what was moved aside for
/// the others is in its backup, and the next run says so.
pub(super) fn apply(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    tasks: Vec<Task>,
    all: &mut Vec<Done>,
) -> Result<()> {
    let lock = ctx.store.lock(&sides.record.id, &sides.record.host, LOCK_PATIENCE, &mut || {
        ctx.ui.note("another sinc is busy with this session: waiting for it");
    })?;
    apply_locked((ctx, sides, mutagen), &lock, tasks, all)
}

/// As [`apply`], for a caller that holds the session's lock.
///
/// # Errors
/// As there.
pub(super) fn apply_locked(
    (ctx, sides, mutagen): (&Context, &Sides, &Mutagen),
    own: &Lock,
    tasks: Vec<Task>,
    all: &mut Vec<Done>,
) -> Result<()> {
    // Of an earlier one.
    unfinished::put_back(ctx, sides)?;
    let ignored = Matcher::new(the_sync(mutagen, sides)?.ignores());
    let mut waiting = VecDeque::from(tasks);
    while !waiting.is_empty() {
        interrupted()?;
        let next = take_some(&mut waiting);
        let (done, later) = batch((ctx, sides, mutagen), own, &ignored, next)?;
        all.extend(done);
        waiting.extend(later);
    }
    Ok(())
}

/// The next ones that are settled together: [`AT_ONCE`] files, or one conflict with more of them.
fn take_some(waiting: &mut VecDeque<Task>) -> Vec<Task> {
    let (mut some, mut files) = (Vec::new(), 0);
    while let Some(task) = waiting.pop_front() {
        files += task.weight();
        if files > AT_ONCE && !some.is_empty() {
            waiting.push_front(task);
            break;
        }
        some.push(task);
    }
    some
}

/// Settles these, but for one that is left for later where a side would have nothing any more: Mutagen would take that for
/// an emptied directory, and stop itself.
fn batch(
    (ctx, sides, mutagen): (&Context, &Sides, &Mutagen),
    own: &Lock,
    ignored: &Matcher,
    mut tasks: Vec<Task>,
) -> Result<(Vec<Done>, Vec<Task>)> {
    let roots: Vec<PathBuf> = tasks.iter().map(|task| task.open.path.clone()).collect();
    let (here, there) = read(sides, ignored, &roots)?;
    let empties = |side, listing| {
        let paths: Vec<&Path> =
            tasks.iter().filter(|task| task.how.moves(side)).map(|task| task.open.path.as_path()).collect();
        tasks.len() > 1 && would_empty(listing, &paths)
    };
    let mut later = Vec::new();
    if empties(Side::Local, &here) || empties(Side::Remote, &there) {
        later.extend(tasks.pop());
    }
    let mut all: Vec<Done> = tasks
        .into_iter()
        .map(|task| {
            let as_shown = same(task.open.all(Side::Local), &at(&here, &task.open.path))
                && same(task.open.all(Side::Remote), &at(&there, &task.open.path));
            let end = if as_shown { End::Settled } else { End::Changed };
            Done { task, end, kept: Vec::new(), copy: None }
        })
        .collect();
    let mut backups = Vec::new();
    unfinished::begin(ctx, &sides.record)?;
    if let Err(error) = carry_out((ctx, sides, mutagen), own, ignored, &mut all, &mut backups) {
        unfinished::break_off(ctx, sides);
        return Err(error);
    }
    if all.iter().all(|done| done.end == End::Settled) {
        for (side, name) in backups {
            sides.keeper(ctx, side)?.settle(&[name])?;
        }
    } else if let Err(error) = put_back_open(ctx, sides, &mut all, &backups) {
        unfinished::break_off(ctx, sides);
        return Err(error);
    }
    unfinished::end(ctx, &sides.record)?;
    Ok((all, later))
}

/// A cycle was completed and has not brought the other version over, because the disk there is full: what was moved aside for a
/// conflict that is still open is in its place again, unless something has taken that.
fn put_back_open(ctx: &Context, sides: &Sides, all: &mut [Done], backups: &[(Side, String)]) -> Result<()> {
    for (side, name) in backups {
        let is_open =
            |done: &&mut Done| done.end != End::Settled && done.kept.iter().any(|(kept, _)| kept == side);
        for done in all.iter_mut().filter(is_open) {
            let path = done.task.open.path.clone();
            let unkept = sides.keeper(ctx, *side)?.unkeep(sides.root(*side)?, name, &[&path])?;
            if unkept.back > 0 {
                done.kept.retain(|(kept, _)| kept != side);
            }
        }
    }
    Ok(())
}

/// Moves aside what loses, and has the rest brought over. What was moved is in `backups`.
fn carry_out(
    (ctx, sides, mutagen): (&Context, &Sides, &Mutagen),
    own: &Lock,
    ignored: &Matcher,
    all: &mut [Done],
    backups: &mut Vec<(Side, String)>,
) -> Result<()> {
    for done in all.iter_mut().filter(|done| done.end == End::Settled) {
        match &done.task.how {
            How::Both => beside(ctx, sides, done)?,
            How::Text(_, text) => {
                let text = text.clone();
                merged::put(ctx, sides, done, &text, backups)?;
            }
            How::Local | How::Remote => {}
        }
    }
    for loser in [Side::Remote, Side::Local] {
        keep(ctx, sides, ignored, loser, all, backups)?;
    }
    match all.iter().any(|done| done.end == End::Settled) {
        true => check((ctx, sides, mutagen), own, ignored, all),
        false => Ok(()),
    }
}

/// Puts back what was moved aside just now and was not as shown; what cannot be is still in the backup, and that is said.
fn put_back(ctx: &Context, sides: &Sides, side: Side, name: &str) {
    let put = || -> Result<Option<String>> {
        let keeper = sides.keeper(ctx, side)?;
        let unkept = keeper.unkeep(sides.root(side)?, name, &[])?;
        if unkept.taken == 0 && unkept.stuck.is_none() {
            keeper.forget(name)?;
            return Ok(None);
        }
        Ok(Some(unkept.stuck.unwrap_or_else(|| "something took its place".to_owned())))
    };
    let why = match put() {
        Ok(None) => return,
        Ok(Some(why)) => why,
        Err(error) => format!("{error:#}"),
    };
    ctx.ui
        .warn(&format!("what was moved aside {side} is still in the backup {name} (`sinc backups`): {why}"));
}

/// Would nothing be left at the top of a directory without these paths?
fn would_empty(listing: &Listing, paths: &[&Path]) -> bool {
    let mut tops = listing.entries.keys().filter(|path| path.components().count() == 1);
    !paths.is_empty() && tops.all(|top| paths.contains(&top.as_path()))
}

/// Both listings, with the digests of what is at and below these paths.
fn read(sides: &Sides, ignored: &Matcher, roots: &[PathBuf]) -> Result<(Listing, Listing)> {
    let (mut here, mut there) = sides.list(ignored)?;
    let mut files: Vec<PathBuf> = Vec::new();
    for listing in [&here, &there] {
        for root in roots {
            let below = listing.below(root).filter(|(_, entry)| entry.kind == Kind::File);
            files.extend(below.map(|(path, _)| path.to_owned()));
        }
    }
    files.sort();
    files.dedup();
    sides.add_digests(&files, (&mut here, &mut there))?;
    Ok((here, there))
}

fn at(listing: &Listing, path: &Path) -> Vec<(PathBuf, Entry)> {
    listing.below(path).map(|(path, entry)| (path.to_owned(), entry.clone())).collect()
}

/// Moves what loses on this side into a backup, and makes sure that it is what was shown.
fn keep(
    ctx: &Context,
    sides: &Sides,
    ignored: &Matcher,
    side: Side,
    all: &mut [Done],
    backups: &mut Vec<(Side, String)>,
) -> Result<()> {
    let loses = |done: &Done| done.end == End::Settled && done.task.how.moves(side);
    let paths: Vec<PathBuf> =
        all.iter().filter(|done| loses(done)).map(|done| done.task.open.path.clone()).collect();
    let Some(first) = all.iter().find(|done| loses(done)) else { return Ok(()) };
    let why = format!("resolve --{}", first.task.how.word());
    let name = Keeper::name(&utc(now()));
    unfinished::note_backup(ctx, &sides.record, side, &name)?;
    let kept = sides.keep_as(ctx, side, &name, &why, &paths)?;
    backups.push((side, kept.name.clone()));
    let moved = moved(sides, ignored, side, &kept)?;
    let as_shown = |done: &Done| {
        let path = &done.task.open.path;
        let is_kept = kept.paths.iter().any(|(one, outcome)| one == path && *outcome == Outcome::Kept);
        // What is not synced is in no listing: it is moved all the same.
        !is_kept || done.task.open.all(side).is_empty() || same(done.task.open.all(side), &at(&moved, path))
    };
    let is_whole = all.iter().filter(|done| loses(done)).all(as_shown);
    if !is_whole {
        // It was changed in the moment before: all of it goes back, and starts over.
        backups.pop();
        put_back(ctx, sides, side, &kept.name);
        all.iter_mut().filter(|done| loses(done)).for_each(|done| done.end = End::Changed);
        return Ok(());
    }
    for done in all.iter_mut().filter(|done| loses(done)) {
        let path = &done.task.open.path;
        match kept.paths.iter().find(|(one, _)| one == path).map(|(_, outcome)| outcome) {
            Some(Outcome::Kept) => done.kept.push((side, Path::new(&kept.place).join("files").join(path))),
            Some(Outcome::Gone) => {}
            Some(Outcome::Failed(why)) => {
                done.end = End::Failed(format!("the version {side} cannot be moved aside: {why}"));
            }
            None => done.end = End::Failed("nothing is known of it".to_owned()),
        }
    }
    Ok(())
}

/// What is in a backup that was made just now, with digests.
pub(super) fn moved(sides: &Sides, ignored: &Matcher, side: Side, kept: &Kept) -> Result<Listing> {
    let place = format!("{}/files", kept.place);
    let list = |place: &str| match side {
        Side::Local => listing::list_local(Path::new(place), ignored),
        Side::Remote => listing::list_remote(&sides.remote, place, ignored),
    };
    let mut listing = list(&place)?;
    let is_file = |(_, entry): &(&PathBuf, &Entry)| entry.kind == Kind::File;
    let files: Vec<PathBuf> = listing.entries.iter().filter(is_file).map(|(path, _)| path.clone()).collect();
    listing.add_digests(match side {
        Side::Local => listing::local_digests(Path::new(&place), &files)?,
        Side::Remote => listing::remote_digests(&sides.remote, &place, &files)?,
    });
    Ok(listing)
}

/// Settled is what a completed cycle leaves without conflict and equal on both sides.
fn check(
    (ctx, sides, mutagen): (&Context, &Sides, &Mutagen),
    own: &Lock,
    ignored: &Matcher,
    all: &mut [Done],
) -> Result<()> {
    let mut seen = look(ctx, sides, mutagen, Some(own))?;
    let roots: Vec<PathBuf> = all
        .iter()
        .filter(|done| done.end == End::Settled)
        .flat_map(|done| std::iter::once(done.task.open.path.clone()).chain(done.copy.clone()))
        .collect();
    let (mut here, mut there) = read(sides, ignored, &roots)?;
    if settled(&compare(&here, &there), &roots).next().is_some() {
        // Somebody writes there: one more cycle.
        seen = look(ctx, sides, mutagen, Some(own))?;
        (here, there) = read(sides, ignored, &roots)?;
    }
    let differences = compare(&here, &there);
    for done in all.iter_mut().filter(|done| done.end == End::Settled) {
        let path = &done.task.open.path;
        let open = seen.open.iter().find(|one| one.path.starts_with(path) || path.starts_with(&one.path));
        let own: Vec<PathBuf> = std::iter::once(path.clone()).chain(done.copy.clone()).collect();
        if let Some(open) = open {
            let again =
                !open.is_as_in(&done.task.open, Side::Local) || !open.is_as_in(&done.task.open, Side::Remote);
            let blocked = open.at(Side::Local).is_none() || open.at(Side::Remote).is_none();
            done.end = match (again && !blocked, blocked) {
                (true, _) => End::Changed,
                (_, true) => End::Failed(
                    "what is not synced is in the way: take the other side, or move it away by hand"
                        .to_owned(),
                ),
                _ => End::Failed("it is still in conflict".to_owned()),
            };
        } else if let Some(one) = settled(&differences, &own).next() {
            let problem = seen.problems.iter().find(|problem| Path::new(&problem.path) == one.path);
            done.end = End::Failed(match problem {
                Some(problem) => {
                    format!("{} cannot be written {}: {}", problem.path, problem.side, problem.error)
                }
                None => format!("both sides are not equal yet at {}", one.path.display()),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::ConflictKind;

    /// A conflict between a file here and so many entries on the host.
    fn task(path: &str, there: usize, how: How) -> Task {
        let entry = Entry { kind: Kind::File, size: 0, mode: 0o644, mtime: 0, target: None, digest: None };
        let at = |n: usize| (Path::new(path).join(n.to_string()), entry.clone());
        let open = Open {
            path: path.into(),
            kind: ConflictKind::BothChanged,
            local: vec![(path.into(), entry.clone())],
            remote: (0..there).map(at).collect(),
            old: None,
            named: false,
        };
        Task { open, how }
    }

    #[test]
    fn never_more_at_once_than_the_brake_lets_through() {
        let mut waiting: VecDeque<Task> = (0..100).map(|n| task(&format!("f{n}"), 1, How::Remote)).collect();
        // What is in a directory counts where it is moved aside.
        waiting.push_back(task("kept", 300, How::Remote));
        waiting.push_back(task("small", 30, How::Local));
        waiting.push_back(task("large", 300, How::Local));
        waiting.push_back(task("last", 1, How::Both));
        let sizes: Vec<usize> = std::iter::from_fn(|| {
            let some = take_some(&mut waiting);
            (!some.is_empty()).then_some(some.len())
        })
        .collect();
        assert_eq!(sizes, [40, 40, 21, 1, 1, 1]);
    }

    #[test]
    fn a_side_that_would_be_emptied() {
        let entry = Entry { kind: Kind::File, size: 0, mode: 0o644, mtime: 0, target: None, digest: None };
        let entries = ["a", "d", "d/x"].map(|path| (PathBuf::from(path), entry.clone())).into();
        let listing = Listing { entries, unread: Vec::new() };
        assert!(would_empty(&listing, &[Path::new("a"), Path::new("d")]));
        assert!(!would_empty(&listing, &[Path::new("a"), Path::new("d/x")]));
        assert!(!would_empty(&listing, &[]));
    }
}
