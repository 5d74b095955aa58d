//! What both sides had in common some time ago. Mutagen 0.18.1 never syncs what it writes to the disk (there is no `Sync` in
//! its source), but remembers at once that both sides have it. After a power cut on one side what was not on its disk is
//! missing there, or empty, or as it was before, and the next cycle would take that for a change and bring it over. So a memory
//! that is old enough is kept beside the present one, and takes its place after a power cut.
//!
//! What was changed since is taken out of the kept one, also if it became again what it had been ([`common`]): then
//! Mutagen knows nothing of it and compares both sides anew. Equal is fine, different is a conflict, and what only one side has
//! comes over. Nothing at all in the kept one would do so with every file, and each one that was changed on one side while the
//! other was off would be a conflict.
//!
//! Mutagen replaces its file (`archives/<identifier>`) whole, and reads it each time that it connects: a hard link keeps an
//! older one, and tells whether there is a newer one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::client::Mutagen;
use super::common::{common, is_understood};

/// What was written so long ago is on the disk: Linux writes after 30 s, and looks every 5 s; twice that is enough.
const ON_DISK: Duration = Duration::from_secs(75);

/// How long another process may be busy with what is kept of a session.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that is kept of a session: the memory that takes the place of the present one; the one that will be that; the present one
/// as it was looked at last; when a cycle ended last; who is at work on them.
const ENDINGS: [&str; 5] = ["old", "new", "seen", "alive", "lock"];

/// Where they are kept, for Mutagen's data directory.
fn directory(data_dir: &Path) -> PathBuf {
    data_dir.with_file_name("mutagen-before")
}

/// One of the files of a session there ([`ENDINGS`]).
fn kept(data_dir: &Path, id: &str, ending: &str) -> PathBuf {
    directory(data_dir).join(format!("{id}.{ending}"))
}

fn memory(data_dir: &Path, id: &str) -> PathBuf {
    data_dir.join("archives").join(id)
}

fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Are these two names of one file?
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    file(one).is_some_and(|one| Some(one) == file(other))
}

/// Was it on the disk at that time?
fn on_disk(written: SystemTime, at: SystemTime) -> bool {
    at.duration_since(written).is_ok_and(|age| age >= ON_DISK)
}

/// The identifiers of all sessions.
fn sessions(data_dir: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(data_dir.join("archives")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok().filter(|id| id.starts_with("sync_")))
}

/// The identifiers of the sessions with a host.
#[must_use]
pub fn sessions_with(data_dir: &Path, host_word: &str) -> Vec<String> {
    // The session's file has the address of the host in it, as it is.
    let is_with = |id: &String| {
        let session = fs::read(data_dir.join("sessions").join(id)).unwrap_or_default();
        session.windows(host_word.len()).any(|part| part == host_word.as_bytes())
    };
    sessions(data_dir).filter(is_with).collect()
}

/// A name that nobody else uses, beside `path`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{:?}", std::process::id(), std::thread::current().id()));
    let path = PathBuf::from(name);
    // Of a process of this number that was killed.
    let _ = fs::remove_file(&path);
    path
}

/// Puts a second name of `from` at `to`, whatever is there.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = beside(to);
    fs::hard_link(from, &temporary)?;
    let renamed = fs::rename(&temporary, to);
    // Where `to` was a name of it already, renaming has left both.
    let _ = fs::remove_file(&temporary);
    renamed
}

/// Writes a memory with the time that it is of, so that it is the old or the new one at any time, also after a power cut.
fn write(path: &Path, bytes: &[u8], time: SystemTime) -> io::Result<()> {
    let temporary = beside(path);
    let put = || {
        fs::write(&temporary, bytes)?;
        let file = File::options().append(true).open(&temporary)?;
        file.set_modified(time)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    put().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Held until it is dropped: nobody else is at work on what is kept of the session.
fn lock(data_dir: &Path, id: &str) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(kept(data_dir, id, "lock"))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes out of the kept memories what the present one has not, or has otherwise. Once for each present one.
fn take_out(data_dir: &Path, id: &str) -> io::Result<()> {
    let (present, seen) = (memory(data_dir, id), kept(data_dir, id, "seen"));
    if is_same(&present, &seen) {
        return Ok(());
    }
    // It may be replaced again while it is read.
    let now = beside(&seen);
    fs::hard_link(&present, &now)?;
    let taken = || {
        let bytes = fs::read(&now)?;
        for ending in ["old", "new"] {
            let path = kept(data_dir, id, ending);
            let Some(time) = written(&path).filter(|_| !is_same(&path, &now)) else { continue };
            let before = fs::read(&path)?;
            // One that is not understood tells nothing.
            let Some(left) = common(&before, &bytes) else { continue };
            if left != before {
                write(&path, &left, time)?;
            }
        }
        fs::rename(&now, &seen)
    };
    taken().inspect_err(|_| drop(fs::remove_file(&now)))
}

/// Before a cycle, and after it: keeps what it may replace, and takes note of what it has changed.
fn keep(data_dir: &Path, id: &str, now: SystemTime) -> io::Result<()> {
    let present = memory(data_dir, id);
    let Some(time) = written(&present) else { return Ok(()) };
    fs::create_dir_all(directory(data_dir))?;
    let (old, new) = (kept(data_dir, id, "old"), kept(data_dir, id, "new"));
    let _lock = lock(data_dir, id)?;
    take_out(data_dir, id)?;
    if on_disk(time, now) {
        if written(&old) != Some(time) {
            link(&present, &old)?;
        }
        let _ = fs::remove_file(&new);
        return Ok(());
    }
    match written(&new) {
        Some(time) if on_disk(time, now) => {
            fs::rename(&new, &old)?;
            link(&present, &new)
        }
        Some(_) => Ok(()),
        None => link(&present, &new),
    }
}

/// Puts an older memory in the place of a session's: to be called while it is in no cycle. Had it to?
///
/// # Errors
/// The disk does not let us.
pub fn roll_back(data_dir: &Path, id: &str) -> io::Result<bool> {
    let present = memory(data_dir, id);
    let Some(time) = written(&present) else { return Ok(false) };
    let alive = written(&kept(data_dir, id, "alive")).unwrap_or(time).max(time);
    if on_disk(time, alive) {
        return Ok(false);
    }
    fs::create_dir_all(directory(data_dir))?;
    let _lock = lock(data_dir, id)?;
    take_out(data_dir, id)?;
    let older = ["new", "old"].map(|ending| kept(data_dir, id, ending));
    let older = older.into_iter().filter_map(|path| Some((written(&path)?, path)));
    let best = older.filter(|(time, _)| on_disk(*time, alive)).max_by_key(|(time, _)| *time);
    let best = best.map(|(time, path)| fs::read(path).map(|bytes| (time, bytes))).transpose()?;
    // An empty one remembers nothing. After a power cut here, one that was kept may be damaged.
    let best = best.filter(|(_, bytes)| is_understood(bytes));
    let (time, bytes) = best.unwrap_or((SystemTime::UNIX_EPOCH, Vec::new()));
    // With its own time: rolled back once more, it is still the one that is old enough, and what was younger is gone.
    let old = kept(data_dir, id, "old");
    write(&old, &bytes, time)?;
    for ending in ["new", "seen"] {
        let _ = fs::remove_file(kept(data_dir, id, ending));
    }
    let back = beside(&old);
    fs::hard_link(&old, &back)?;
    fs::rename(&back, &present)?;
    File::open(data_dir.join("archives"))?.sync_all()?;
    Ok(true)
}

impl Mutagen {
    /// Before a cycle of this session, or of all, and after it. That it failed is no reason not to sync.
    pub(super) fn keep_before(&self, id: Option<&str>) {
        if self.runner().is_dry_run() {
            return;
        }
        let all = || sessions(&self.data_dir).collect();
        for id in id.map_or_else(all, |id| vec![id.to_owned()]) {
            if let Err(error) = keep(&self.data_dir, &id, SystemTime::now()) {
                tracing::warn!(%error, "what both sides had before the cycle is not kept");
            }
        }
    }

    /// A cycle of this session has ended: both sides were there.
    pub(super) fn note_alive(&self, id: &str) {
        self.keep_before(Some(id));
        if !self.runner().is_dry_run() {
            let _ = fs::write(kept(&self.data_dir, id, "alive"), "");
        }
    }

    /// The session has ended.
    pub(super) fn forget_before(&self, id: &str) {
        if self.runner().is_dry_run() {
            return;
        }
        for ending in ENDINGS {
            let _ = fs::remove_file(kept(&self.data_dir, id, ending));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::test_kit::{self, memory as files};

    const ID: &str = "sync_a";

    /// A data directory with one session; `cycle` replaces its memory as Mutagen does.
    struct Data {
        dir: tempfile::TempDir,
        now: SystemTime,
    }

    impl Data {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (id, word) in [(ID, "sinc-0123456789ab"), ("sync_b", "sinc-another")] {
                for name in ["sessions", "archives"] {
                    fs::create_dir_all(dir.path().join("mutagen").join(name)).unwrap();
                }
                fs::write(dir.path().join("mutagen/sessions").join(id), format!("\x01{word}\x02")).unwrap();
                fs::write(dir.path().join("mutagen/archives").join(id), files(&[("first", 1)])).unwrap();
            }
            Self { dir, now: SystemTime::now() }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("mutagen")
        }

        /// A cycle, so many seconds later, after which both sides have these files.
        fn cycle(&mut self, seconds: u64, both: &[(&str, u8)]) {
            self.now += Duration::from_secs(seconds);
            keep(&self.path(), ID, self.now).unwrap();
            let (archive, bytes) = (memory(&self.path(), ID), files(both));
            if fs::read(&archive).unwrap() != bytes {
                fs::write(self.path().join("part"), bytes).unwrap();
                fs::rename(self.path().join("part"), &archive).unwrap();
                self.date(&archive);
            }
            fs::write(kept(&self.path(), ID, "alive"), "").unwrap();
            self.date(&kept(&self.path(), ID, "alive"));
        }

        fn date(&self, path: &Path) {
            fs::File::options().append(true).open(path).unwrap().set_modified(self.now).unwrap();
        }

        fn rolled_back(&self) -> Vec<u8> {
            for id in sessions_with(&self.path(), "sinc-0123456789ab") {
                roll_back(&self.path(), &id).unwrap();
            }
            assert_eq!(fs::read(memory(&self.path(), "sync_b")).unwrap(), files(&[("first", 1)]));
            fs::read(memory(&self.path(), ID)).unwrap()
        }
    }

    /// A file that is never changed, and one that is made in each cycle.
    fn one_more(count: u8) -> Vec<(&'static str, u8)> {
        const NAMES: [&str; 40] = [
            "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15",
            "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
            "32", "33", "34", "35", "36", "37", "38", "39",
        ];
        NAMES[..usize::from(count)].iter().map(|name| (*name, 1)).collect()
    }

    #[test]
    fn one_that_is_young_remembers_nothing() {
        let mut data = Data::new();
        data.cycle(1, &[("a", 1)]);
        data.cycle(5, &[("a", 2)]);
        assert!(data.rolled_back().is_empty());
    }

    #[test]
    fn in_the_midst_of_work_the_one_of_a_minute_or_two_ago_counts() {
        let mut data = Data::new();
        for cycle in 1..40 {
            data.cycle(10, &one_more(cycle));
        }
        let back = data.rolled_back();
        let age = (1..40).rev().position(|cycle| files(&one_more(cycle)) == back);
        assert!(age.is_some_and(|age| (7..=16).contains(&age)), "{age:?} cycles of ten seconds");
    }

    #[test]
    fn what_was_changed_since_is_not_known_even_if_it_is_as_it_was() {
        let mut data = Data::new();
        let (same, one, other) = ([("a", 1), ("b", 1)], [("a", 1), ("b", 2)], [("a", 1)]);
        for between in [&one[..], &other] {
            data.cycle(10, &same);
            for _ in 0..20 {
                data.cycle(10, &same);
            }
            data.cycle(1, between);
            data.cycle(1, &same);
            assert_eq!(data.rolled_back(), files(&[("a", 1)]), "{between:?}");
        }
        // Changed and left so: whose version is the later one is not known either.
        data.cycle(500, &same);
        data.cycle(500, &same);
        data.cycle(1, &one);
        assert_eq!(data.rolled_back(), files(&[("a", 1)]));
    }

    #[test]
    fn rolled_back_twice_it_knows_no_more_than_before() {
        let mut data = Data::new();
        for cycle in 1..20 {
            data.cycle(10, &one_more(cycle));
        }
        let first = data.rolled_back();
        assert!(!first.is_empty());
        assert_eq!(data.rolled_back(), first);
        // A cycle, and the power is gone again before that is on the disk.
        data.cycle(20, &one_more(25));
        assert_eq!(data.rolled_back(), first);
        let mut young = Data::new();
        young.cycle(1, &[("a", 1)]);
        assert!(young.rolled_back().is_empty() && young.rolled_back().is_empty());
        young.cycle(20, &[("a", 1)]);
        assert!(young.rolled_back().is_empty());
    }

    #[test]
    fn after_a_quiet_time_only_the_last_change_is_in_doubt() {
        let mut data = Data::new();
        let (before, after) = ([("a", 1), ("b", 1)], [("a", 1), ("b", 2)]);
        data.cycle(10, &before);
        data.cycle(3600, &after);
        data.cycle(5, &after);
        assert_eq!(data.rolled_back(), files(&[("a", 1)]));
        // Cycles that changed nothing, for long enough: it is on the disk.
        let mut data = Data::new();
        data.cycle(10, &before);
        data.cycle(3600, &after);
        data.cycle(30, &after);
        data.cycle(50, &after);
        assert_eq!(data.rolled_back(), files(&after));
    }

    #[test]
    fn one_that_is_damaged_takes_no_place() {
        let mut data = Data::new();
        for cycle in 1..20 {
            data.cycle(10, &one_more(cycle));
        }
        for ending in ["old", "new"] {
            let path = kept(&data.path(), ID, ending);
            let time = written(&path).unwrap();
            let whole = fs::read(&path).unwrap();
            write(&path, &whole[..whole.len() / 2], time).unwrap();
        }
        assert!(data.rolled_back().is_empty());
        assert!(is_understood(&test_kit::memory(&[])));
    }

    #[test]
    fn nothing_is_left_of_a_session_that_has_ended() {
        let mut data = Data::new();
        for cycle in 1..20 {
            data.cycle(10, &one_more(cycle));
        }
        let mutagen =
            Mutagen::new("/no/mutagen", data.path(), "/s", crate::process::Runner::default()).unwrap();
        mutagen.forget_before(ID);
        let left: Vec<_> = fs::read_dir(directory(&data.path())).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
