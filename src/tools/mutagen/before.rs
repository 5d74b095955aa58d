//! What both sides had in common some time ago. Mutagen 0.18.1 never syncs what it writes to the disk (there is no `Sync` in
//! its source), but remembers at once that both sides have it. After a power cut on one side what was not on its disk is
//! missing there, or empty, and the next cycle would take that for a change and bring it over. So a memory that is old
//! enough is kept beside the present one, and takes its place after a power cut: what came since is new to Mutagen then, and
//! goes over once more, or is a conflict.
//!
//! Mutagen replaces its file (`archives/<identifier>`) whole, and reads it each time that it connects: a hard link keeps an
//! older one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::client::Mutagen;

/// What was written so long ago is on the disk: Linux writes after 30 s, and looks every 5 s; twice that is enough.
const ON_DISK: Duration = Duration::from_secs(75);

/// Where they are kept, for Mutagen's data directory.
fn directory(data_dir: &Path) -> PathBuf {
    data_dir.with_file_name("mutagen-before")
}

/// The file of a session there: `old`, `new` (which will be the old one), `alive` (when a cycle ended last).
fn kept(data_dir: &Path, id: &str, ending: &str) -> PathBuf {
    directory(data_dir).join(format!("{id}.{ending}"))
}

fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Was it on the disk at that time?
fn on_disk(written: SystemTime, at: SystemTime) -> bool {
    at.duration_since(written).is_ok_and(|age| age >= ON_DISK)
}

fn archives(data_dir: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(data_dir.join("archives")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().into_string().ok()?;
        id.starts_with("sync_").then(|| (id, entry.path()))
    })
}

/// Puts a second name of `from` at `to`, whatever is there.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let temporary = to.with_extension(format!("{}.{:?}", std::process::id(), std::thread::current().id()));
    fs::hard_link(from, &temporary)?;
    fs::rename(&temporary, to).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Before a cycle: keeps what it may replace.
fn keep(data_dir: &Path, now: SystemTime) -> io::Result<()> {
    fs::create_dir_all(directory(data_dir))?;
    for (id, archive) in archives(data_dir) {
        let (old, new) = (kept(data_dir, &id, "old"), kept(data_dir, &id, "new"));
        let Some(time) = written(&archive) else { continue };
        if on_disk(time, now) {
            if written(&old) != Some(time) {
                link(&archive, &old)?;
            }
            let _ = fs::remove_file(&new);
            continue;
        }
        match written(&new) {
            Some(time) if on_disk(time, now) => {
                fs::rename(&new, &old)?;
                link(&archive, &new)?;
            }
            Some(_) => {}
            None => link(&archive, &new)?,
        }
    }
    Ok(())
}

/// Puts the older memories in the place of those of the syncs with this host: to be called while none of them can be
/// connected. Gives how many.
///
/// # Errors
/// The disk does not let us.
pub fn roll_back(data_dir: &Path, host_word: &str) -> io::Result<usize> {
    let mut count = 0;
    for (id, archive) in archives(data_dir) {
        // The session's file has the address of the host in it, as it is.
        let session = fs::read(data_dir.join("sessions").join(&id)).unwrap_or_default();
        if !session.windows(host_word.len()).any(|part| part == host_word.as_bytes()) {
            continue;
        }
        let Some(time) = written(&archive) else { continue };
        let alive = written(&kept(data_dir, &id, "alive")).unwrap_or(time).max(time);
        if on_disk(time, alive) {
            continue;
        }
        let older = ["new", "old"].map(|ending| kept(data_dir, &id, ending));
        let older = older.into_iter().filter_map(|path| Some((written(&path)?, path)));
        let best = older.filter(|(time, _)| on_disk(*time, alive)).max_by_key(|(time, _)| *time);
        // An empty one remembers nothing.
        let (time, bytes) = match best {
            Some((time, path)) => (time, fs::read(path)?),
            None => (SystemTime::UNIX_EPOCH, Vec::new()),
        };
        let temporary = kept(data_dir, &id, "back");
        fs::write(&temporary, bytes)?;
        // With its own time: rolled back once more, it is still the one that is old enough, and what was younger is gone.
        let file = fs::File::options().append(true).open(&temporary)?;
        file.set_modified(time)?;
        file.sync_all()?;
        let _ = fs::remove_file(kept(data_dir, &id, "new"));
        link(&temporary, &kept(data_dir, &id, "old"))?;
        fs::rename(&temporary, &archive)?;
        count += 1;
    }
    Ok(count)
}

impl Mutagen {
    /// Before a cycle. That it failed is no reason not to sync.
    pub(super) fn keep_before(&self) {
        if self.runner().is_dry_run() {
            return;
        }
        if let Err(error) = keep(&self.data_dir, SystemTime::now()) {
            tracing::warn!(%error, "what both sides had before the cycle is not kept");
        }
    }

    /// A cycle of this session has ended: both sides were there.
    pub(super) fn note_alive(&self, id: &str) {
        if self.runner().is_dry_run() {
            return;
        }
        let _ = fs::write(kept(&self.data_dir, id, "alive"), "");
    }

    /// The session has ended.
    pub(super) fn forget_before(&self, id: &str) {
        if self.runner().is_dry_run() {
            return;
        }
        for ending in ["old", "new", "alive"] {
            let _ = fs::remove_file(kept(&self.data_dir, id, ending));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "sync_a";

    /// A data directory with one session; `write` replaces its memory as Mutagen does.
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
                fs::write(dir.path().join("mutagen/archives").join(id), "first").unwrap();
            }
            Self { dir, now: SystemTime::now() }
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("mutagen")
        }

        /// A cycle, so many seconds later.
        fn cycle(&mut self, seconds: u64, text: &str) {
            self.now += Duration::from_secs(seconds);
            keep(&self.path(), self.now).unwrap();
            let archive = self.path().join("archives").join(ID);
            if fs::read_to_string(&archive).unwrap() != text {
                fs::write(self.path().join("part"), text).unwrap();
                fs::rename(self.path().join("part"), &archive).unwrap();
                self.date(&archive);
            }
            fs::write(kept(&self.path(), ID, "alive"), "").unwrap();
            self.date(&kept(&self.path(), ID, "alive"));
        }

        fn date(&self, path: &Path) {
            fs::File::options().append(true).open(path).unwrap().set_modified(self.now).unwrap();
        }

        fn rolled_back(&self) -> String {
            roll_back(&self.path(), "sinc-0123456789ab").unwrap();
            assert_eq!(fs::read_to_string(self.path().join("archives/sync_b")).unwrap(), "first");
            fs::read_to_string(self.path().join("archives").join(ID)).unwrap()
        }
    }

    #[test]
    fn one_that_is_young_remembers_nothing() {
        let mut data = Data::new();
        data.cycle(1, "second");
        data.cycle(5, "third");
        assert_eq!(data.rolled_back(), "");
    }

    #[test]
    fn in_the_midst_of_work_the_one_of_a_minute_or_two_ago_counts() {
        let mut data = Data::new();
        for cycle in 1..100 {
            data.cycle(10, &format!("{cycle}"));
        }
        let back: u64 = data.rolled_back().parse().unwrap();
        assert!((75..=92).contains(&back), "{back} of 99, ten seconds each");
    }

    #[test]
    fn rolled_back_twice_it_is_the_same_memory() {
        let mut data = Data::new();
        for cycle in 1..20 {
            data.cycle(10, &format!("{cycle}"));
        }
        let first = data.rolled_back();
        assert_eq!(data.rolled_back(), first);
        // A cycle, and the power is gone again before that is on the disk.
        data.cycle(20, "after");
        assert_eq!(data.rolled_back(), first);
        let mut young = Data::new();
        young.cycle(1, "second");
        assert_eq!((young.rolled_back(), young.rolled_back()), (String::new(), String::new()));
        young.cycle(20, "after");
        assert_eq!(young.rolled_back(), "");
    }

    #[test]
    fn after_a_quiet_time_only_the_last_change_is_in_doubt() {
        let mut data = Data::new();
        data.cycle(10, "before");
        data.cycle(3600, "just now");
        data.cycle(5, "just now");
        assert_eq!(data.rolled_back(), "before");
        // Cycles that changed nothing, for long enough: it is on the disk.
        let mut data = Data::new();
        data.cycle(10, "before");
        data.cycle(3600, "a while ago");
        data.cycle(30, "a while ago");
        data.cycle(50, "a while ago");
        assert_eq!(data.rolled_back(), "a while ago");
    }
}
