//! Looks at a session's conflicts: after a cycle that was asked for and completed, on both sides.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::backups::{Backup, Recovered};
use crate::commands::context::Context;
use crate::commands::notify::noted;
use crate::commands::paint::utc;
use crate::commands::sides::Sides;
use crate::commands::state_report::is_completed;
use crate::commands::sync_control;
use crate::commands::sync_reasons::why_not;
use crate::failure::{Failure, Kind};
use crate::ignore::Matcher;
use crate::process::interrupted;
use crate::session::conflicts::{Open, certain, gather, touch, wanted};
use crate::session::sync;
use crate::state::{Lock, Noted, host_word};
use crate::tools::mutagen::{Checked, CycleResult, Mutagen, Problem, Side, SyncSession};
use crate::ui::plural;

/// How long a cycle may take that is asked for.
const CYCLE_DEADLINE: Duration = Duration::from_secs(60);

/// How often the two are put beside each other until what Mutagen counts is what is found: files may be changed just now.
const TRIES: u32 = 3;

/// What was seen.
#[derive(Debug)]
pub(in crate::commands) struct Seen {
    /// The conflicts that are known for sure, by path.
    pub open: Vec<Open>,
    /// How many Mutagen counts.
    pub counted: u64,
    /// What a person is told of them.
    pub noted: Noted,
    /// What the cycle could not read or write.
    pub problems: Vec<Problem>,
}

impl Seen {
    /// How many conflicts are counted, and not known for sure: files are being changed at this moment.
    pub(in crate::commands) fn unknown(&self) -> u64 {
        self.counted.saturating_sub(self.open.len() as u64)
    }
}

/// The one sync of the session, which must be where the session is.
///
/// # Errors
/// There is none, there are several, or the directory has moved.
pub(in crate::commands) fn the_sync(mutagen: &Mutagen, sides: &Sides) -> Result<SyncSession> {
    let record = &sides.record;
    let mut syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    let failure = match syncs.len() {
        0 => Failure::new(Kind::Failed, format!("the session {} on {} has no sync", record.id, record.host))
            .hint("`sinc` in its directory makes one"),
        1 if syncs[0].remote().path == record.remote => return Ok(syncs.remove(0)),
        1 => Failure::new(Kind::Failed, "the directory on the host is another one now")
            .hint("run `sinc --no-attach`: the sync follows it"),
        _ => Failure::new(Kind::Failed, format!("several syncs run for {}", record.id))
            .hint("`sinc --no-attach` sees to it"),
    };
    Err(failure.into())
}

/// Has the session go through a cycle and finds all conflicts that are left. `own` is the session's lock, if the caller has it.
///
/// # Errors
/// No cycle could be completed, or a side cannot be read.
pub(in crate::commands) fn look(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    own: Option<&Lock>,
) -> Result<Seen> {
    let id = the_sync(mutagen, sides)?.identifier;
    let line = ctx.ui.progress();
    line.show("Syncing", &format!("with {}", sides.record.host));
    let checked = sync_control::cycle(ctx, mutagen, &sides.record, own, &id, CYCLE_DEADLINE)?;
    let mut seen = seen(sides, checked)?;
    for _ in 1..TRIES {
        if seen.open.len() as u64 == seen.counted {
            break;
        }
        interrupted()?;
        seen = self::seen(sides, sync_control::once(ctx, mutagen, &sides.record, own, &id, CYCLE_DEADLINE)?)?;
    }
    seen.open = certain(seen.open, seen.counted);
    Ok(seen)
}

/// What a cycle has left.
fn seen(sides: &Sides, mut checked: Checked) -> Result<Seen> {
    if checked.result == CycleResult::WouldRun {
        // A dry run asks for no cycle: what the last one left is shown.
        checked.result = match checked.session.conflict_count() {
            0 => CycleResult::Equal,
            count => CycleResult::Conflicts(count),
        };
    }
    if !is_completed(&checked.result) {
        return Err(why_not(&sides.record, &checked));
    }
    let session = checked.session;
    let counted = session.conflict_count();
    let mut open = Vec::new();
    if counted > 0 {
        let (mut here, mut there) = sides.list(&Matcher::new(session.ignores()))?;
        sides.add_digests(&wanted(&session, &here, &there), (&mut here, &mut there))?;
        open = gather(&session, &here, &there);
    }
    Ok(Seen { open, counted, noted: noted(&session), problems: session.problems() })
}

/// Finishes what a `sinc` that was killed had begun, says so, and notes which backups belong to no conflict any more. To be
/// called with the session's lock held. `open` are the conflicts of a cycle completed since; `unknown` says that there are more.
///
/// # Errors
/// A side cannot be reached.
pub(in crate::commands) fn recover(ctx: &Context, sides: &Sides, open: &[Open], unknown: bool) -> Result<()> {
    if ctx.runner.is_dry_run() {
        return Ok(());
    }
    let machine = ctx.store.machine_if_known().unwrap_or_default();
    for side in [Side::Local, Side::Remote] {
        let keeper = sides.keeper(ctx, side)?;
        let (recovered, backups) = keeper.recover()?;
        // What another computer has begun, it may be at.
        let own = |backup: &&Backup| !backup.settled && backup.by == machine;
        let unsettled: Vec<&Backup> = backups.iter().filter(own).collect();
        tell(ctx, sides, side, &recovered, &unsettled);
        let over: Vec<String> = unsettled
            .iter()
            .filter(|backup| !unknown && !may_hold_one_of(backup, open))
            .map(|backup| backup.name.clone())
            .collect();
        keeper.settle(&over)?;
    }
    Ok(())
}

/// May a version of these conflicts be in the backup? A directory that was kept has what is in it, and one with a conflict in it
/// may be what was kept.
fn may_hold_one_of(backup: &Backup, open: &[Open]) -> bool {
    let known = backup.count <= backup.paths.len() as u64;
    open.iter().any(|one| !known || backup.paths.iter().any(|path| touch(path, &one.path)))
}

/// What a backup holds that is not settled, in a few words: what was restored is in its place, but was not equal on both sides.
fn what_of(backup: &Backup, was_cut: bool) -> &'static str {
    match backup.why.as_str() {
        "backups restore" if !was_cut => "did not make both sides equal: what it had replaced",
        _ => "was not finished: what it had moved aside",
    }
}

fn tell(ctx: &Context, sides: &Sides, side: Side, recovered: &Recovered, unsettled: &[&Backup]) {
    for backup in unsettled {
        let what = what_of(backup, recovered.interrupted.contains(&backup.name));
        let paths = plural(backup.count, "path", "paths");
        let place = sides.shown(ctx, side, &Path::new(&backup.place).join("files"));
        let when = utc(backup.made);
        let why = &backup.why;
        ctx.ui.warn(&format!("`{why}` of {when} UTC {what} {side} ({paths}) is kept in {place}"));
        for path in backup.paths.iter().take(5) {
            ctx.ui.note(&crate::commands::paint::harmless(&path.to_string_lossy()));
        }
    }
    for path in &recovered.stuck {
        ctx.ui.warn(&format!(
            "a version that an interrupted sinc moved aside is still {side} in {path}: it could not be put into the backup"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::tools::mutagen::ConflictKind;

    fn open(path: &str) -> Open {
        Open {
            path: path.into(),
            kind: ConflictKind::BothChanged,
            local: Vec::new(),
            remote: Vec::new(),
            old: None,
            named: true,
        }
    }

    fn backup(paths: &[&str], count: u64) -> Backup {
        Backup { paths: paths.iter().map(PathBuf::from).collect(), count, ..Backup::default() }
    }

    #[test]
    fn a_backup_is_of_a_conflict_at_above_and_below_what_it_holds() {
        let conflicts = [open("dir/x"), open("file")];
        for (path, expected) in [
            ("dir/x", true),
            ("dir", true),
            ("dir/x/y", true),
            ("dir/z", false),
            ("di", false),
            ("file.txt", false),
        ] {
            assert_eq!(may_hold_one_of(&backup(&["other", path], 2), &conflicts), expected, "{path}");
        }
        // Not all of its paths are known; and where nothing is open nothing is held.
        assert!(may_hold_one_of(&backup(&["other"], 12), &conflicts));
        assert!(!may_hold_one_of(&backup(&["other"], 12), &[]));
    }

    #[test]
    fn what_was_restored_is_not_called_unfinished() {
        let why = |why: &str| Backup { why: why.to_owned(), ..Backup::default() };
        assert!(what_of(&why("backups restore"), false).starts_with("did not make both sides equal"));
        assert!(what_of(&why("backups restore"), true).starts_with("was not finished"));
        assert!(what_of(&why("resolve --local"), false).starts_with("was not finished"));
    }
}
