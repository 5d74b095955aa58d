//! Holds a sync whose next cycle would delete too much, and looks whether it would.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use super::scripts::COUNT;
use super::sync;
use crate::link::brake::{self, Files, Verdict};
use crate::link::exclude::Rules;
use crate::link::local_eye::{self, Root};
use crate::remote::{Remote, RemoteError};
use crate::state::{Held, Record, Store, host_word};
use crate::tools::mutagen::{Mutagen, Side, SyncMode, SyncSession};

/// How long the host may count.
const COUNT_DEADLINE: Duration = Duration::from_secs(10);

/// Holds a session: its syncs stay paused until a person decides (`sinc resume` has the ways out).
///
/// It is written first, then paused, and whoever resumes a sync reads what is written after having seen that it is
/// paused. So it is never resumed between the two; when this process dies there, everybody sees that the sync is held, and
/// pauses it ([`keep_paused`]). What cannot be written (a full disk) is paused all the same.
///
/// Needs no lock. The caller should have the session's, or know that nobody has it: another sinc that is about to resume
/// the sync has read before that it is not held.
///
/// # Errors
/// It could not be written, or a sync not be paused.
pub fn hold(mutagen: &Mutagen, store: &Store, id: &str, host: &str, held: &Held) -> Result<()> {
    let written = store.set_held(id, host, held);
    keep_paused(mutagen, &sync::find(mutagen, id, &host_word(host))?)?;
    written.context("the sync is paused, but that it is held could not be written down")
}

/// Pauses those of a held session's syncs that run: by the hand of a person, or because what held it died.
///
/// # Errors
/// Mutagen fails.
pub fn keep_paused(mutagen: &Mutagen, syncs: &[SyncSession]) -> Result<()> {
    for sync in syncs {
        match sync.is_paused() {
            true => mutagen.stays_paused(&sync.identifier),
            false => drop(mutagen.pause(&sync.identifier)?),
        }
    }
    Ok(())
}

/// Is the session held, or must it be now? Its sync is looked at where it stands still: paused, halted, or without a line.
/// One that would connect by itself meanwhile is paused before. `syncs` are the session's, and are so afterwards.
///
/// # Errors
/// The host was not reached, or Mutagen fails.
pub fn check(
    mutagen: &Mutagen,
    store: &Store,
    remote: &Remote,
    record: &Record,
    syncs: &mut Vec<SyncSession>,
) -> Result<Option<Held>> {
    // After the syncs were listed: see [`hold`].
    if let Some(held) = store.held(&record.id, &record.host)? {
        keep_paused(mutagen, syncs)?;
        return Ok(Some(held));
    }
    let [sync] = &syncs[..] else { return Ok(None) };
    let in_place = sync.remote().path == record.remote && Path::new(&sync.local().path) == record.local;
    // Where the directory here is gone, Mutagen stops by itself.
    if sync.is_connected() || !in_place || !record.local.is_dir() {
        return Ok(None);
    }
    let connects = !sync.is_paused() && sync.halt().is_none();
    if connects {
        mutagen.pause(&sync.identifier)?;
    }
    let looked = look(mutagen, remote, sync);
    match &looked {
        Ok(Some(held)) => hold(mutagen, store, &record.id, &record.host, held)?,
        Ok(None) if connects => {
            // Whether it connects now is another matter; it goes on trying.
            if let Err(error) = mutagen.resume(&sync.identifier) {
                tracing::warn!(%error, "the sync does not connect yet");
            }
        }
        _ => {}
    }
    *syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    looked
}

/// Would the next cycle delete too much? For a sync that stands still: its files are counted here and on the host, and
/// compared with what both had at the last completed cycle.
///
/// What is not known holds nothing: the link is the main guard.
///
/// # Errors
/// The host was not reached.
pub fn look(mutagen: &Mutagen, remote: &Remote, sync: &SyncSession) -> Result<Option<Held>> {
    let root = Path::new(&sync.local().path);
    // What is deleted on a side that only receives comes back from the other one.
    let source = sync.sync_mode().and_then(SyncMode::source);
    let counts = |side| source.is_none_or(|source| source == side);
    let root = Root { path: root.to_owned(), rules: Rules::new(sync.ignores()), git: false };
    let (of, here) = match count_here(mutagen, &sync.identifier, &root, counts(Side::Local)) {
        Ok(counted) => counted,
        Err(error) => {
            tracing::warn!(%error, "what both sides had before is not known");
            return Ok(None);
        }
    };
    let last = Some(of);
    let local = Files { last, now: here, most: None };
    let there = match counts(Side::Remote) && of > brake::FEW {
        true => count_there(remote, &sync.remote().path, of)?,
        false => None,
    };
    let remote = Files { last, now: there, most: None };
    Ok(match brake::decide(local, remote) {
        Verdict::Go => None,
        Verdict::Hold { side, missing, of } => Some(Held { side, missing, of, since: seconds_now() }),
    })
}

/// How many files there were at the last completed cycle, and, where this side counts, how many are here: those that are still
/// where they were. Where that is too few, all are counted: many of them may have another name, because a directory was
/// renamed. (The host counts all that it has in any case.)
///
/// # Errors
/// What there was is not known.
pub fn count_here(
    mutagen: &Mutagen,
    sync: &str,
    root: &Root,
    counts: bool,
) -> io::Result<(u64, Option<u64>)> {
    let (mut of, mut here) = (0, 0);
    mutagen.each_known_file(sync, &mut |path| {
        of += 1;
        here += u64::from(counts && is_there(&root.path.join(path)));
    })?;
    if counts && brake::is_too_few(here, of) {
        here = here.max(local_eye::count(root).unwrap_or(0));
    }
    Ok((of, counts.then_some(here)))
}

/// Is there still something in the place of a file? What cannot be looked at is not missing.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(found) => !found.is_dir(),
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Seconds since 1970.
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How many files there are at the most; none when there are enough, or that took too long.
fn count_there(remote: &Remote, directory: &str, of: u64) -> Result<Option<u64>> {
    let enough = of.div_ceil(2);
    let words = [directory, &enough.to_string()];
    let reply = match remote.call_within("count the files", &COUNT, &words, Some(COUNT_DEADLINE), &|_| {}) {
        Err(error @ RemoteError::Deadline { .. }) => {
            tracing::warn!(%error, "the files on the host are not counted");
            return Ok(None);
        }
        reply => reply?,
    };
    let found: Option<u64> = reply.get("files").and_then(|files| files.parse().ok());
    Ok(found.filter(|files| reply.code == 0 && *files < enough))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::{Cmd, Runner};

    /// What the host would answer, with these programs only, if any are named.
    fn count(dir: &Path, most: u64, programs: Option<&[&str]>) -> String {
        let words = [dir.to_str().unwrap(), &most.to_string()];
        let mut cmd = Cmd::new("sh", "count").args(["-c", &COUNT.command(&words)]).answers(&[0, 90]);
        let bin = tempfile::tempdir().unwrap();
        if let Some(programs) = programs {
            for program in programs {
                let real = which::which(program).unwrap();
                std::os::unix::fs::symlink(real, bin.path().join(program)).unwrap();
            }
            cmd = cmd.env("PATH", bin.path());
        }
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn the_host_counts_files_no_further_than_asked() {
        let dir = tempfile::Builder::new().prefix("it's a $(dir) -n ").tempdir().unwrap();
        let root = dir.path();
        for file in
            ["a", "src/b c", "src/-d", "src/$(e)", ".env", ".git/HEAD", "sub/.git/x", "sub/.sinc-session"]
        {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join(".sinc-session"), "").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let all = "sinc-begin 1\nfiles 6\n";
        assert_eq!(count(root, 100, None), all);
        // A host without `timeout`, and one on which the count breaks off.
        assert_eq!(count(root, 100, Some(&["sh", "find", "head", "wc", "yes"])), all);
        assert_eq!(count(root, 100, Some(&["sh", "head", "wc", "yes"])), "sinc-begin 1\nfiles 100\n");
        assert_eq!(count(root, 3, None), "sinc-begin 1\nfiles 3\n");
        assert_eq!(count(&root.join("missing"), 3, None), "sinc-begin 1\n");
        fs::remove_dir_all(root.join("src")).unwrap();
        assert_eq!(count(root, 100, None), "sinc-begin 1\nfiles 3\n");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        fs::create_dir(dir.path().join("dir")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        let there = |name: &str| is_there(&dir.path().join(name));
        assert!(there("file") && there("link") && there("loop/x"));
        assert!(!there("gone") && !there("gone/x") && !there("file/x") && !there("dir"));
    }
}
