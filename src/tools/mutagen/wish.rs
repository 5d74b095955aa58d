//! What somebody wanted of a session last, as it is written down before it is carried out, and by which process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Whoever writes a wish down holds the lock for a moment only; one that is stopped in it is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// It is to stay paused.
    Paused,
    /// It is to run.
    Resumed,
    /// It is to stand still until somebody has looked at what its next cycle would do.
    Stopped,
    /// It is to run: it may be paused for a moment only, to connect anew.
    Connecting,
}

const WORDS: [(Want, &str); 4] = [
    (Want::Paused, "paused"),
    (Want::Resumed, "resumed"),
    (Want::Stopped, "stopped"),
    (Want::Connecting, "connecting"),
];

/// A wish that is written down; no two are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish(String);

impl Wish {
    fn new(want: Want) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let word = WORDS.iter().find(|(known, _)| *known == want).map_or("", |(_, word)| word);
        Self(format!("{word} {} {number} {}", std::process::id(), now.as_nanos()))
    }

    pub(super) fn want(&self) -> Option<Want> {
        let word = self.0.split(' ').next()?;
        WORDS.iter().find(|(_, known)| *known == word).map(|(want, _)| *want)
    }

    /// Is it to stand still?
    pub(super) fn stands(&self) -> bool {
        matches!(self.want(), Some(Want::Paused | Want::Stopped))
    }

    /// Does the process live that is to carry it out, or go on afterwards?
    pub(super) fn is_alive(&self) -> bool {
        let number = self.0.split(' ').nth(1).and_then(|number| number.parse().ok());
        let process = number.and_then(rustix::process::Pid::from_raw);
        process.is_some_and(|process| {
            rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
        })
    }

    /// Was it paused only for a moment, by a process that has died before that was over?
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self.want(), Some(Want::Stopped | Want::Connecting)) && !self.is_alive()
    }
}

/// The wishes below a directory.
#[derive(Debug)]
pub(super) struct Wishes(pub(super) PathBuf);

impl Wishes {
    pub(super) fn get(&self, id: &str) -> Option<Wish> {
        fs::read_to_string(self.0.join(id)).ok().map(Wish)
    }

    /// Notes a wish. What cannot be written (the disk is full) is to be carried out all the same.
    pub(super) fn note(&self, id: &str, want: Want) -> Wish {
        let wish = Wish::new(want);
        if let Err(error) = self.locked(|| self.write(id, &wish)) {
            tracing::warn!(%error, id, "that it is to be {want:?} is not noted");
        }
        wish
    }

    /// The same unless there is another one than `before` by now.
    pub(super) fn replace(&self, id: &str, before: Option<&Wish>, want: Want) -> Option<Wish> {
        let wish = Wish::new(want);
        let replaced = self.locked(|| match self.get(id).as_ref() == before {
            true => self.write(id, &wish).map(|()| true),
            false => Ok(false),
        });
        match replaced {
            Ok(true) => Some(wish),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, id, "that it is to be {want:?} is not noted");
                Some(wish)
            }
        }
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: &str) {
        let _ = fs::remove_file(self.0.join(id));
    }

    fn write(&self, id: &str, wish: &Wish) -> io::Result<()> {
        let temporary = self.0.join(format!(".{id}"));
        fs::write(&temporary, &wish.0)?;
        fs::rename(&temporary, self.0.join(id))
    }

    /// Nobody else writes meanwhile.
    fn locked<T>(&self, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        fs::create_dir_all(&self.0)?;
        let file = lock(&self.0)?;
        let written = write();
        drop(file);
        written
    }
}

fn lock(directory: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(directory.join(".lock"))?;
    let until = Instant::now() + PATIENCE;
    while let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        if Instant::now() >= until {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_replaced_by_who_knows_it_only() {
        let dir = tempfile::tempdir().unwrap();
        let wishes = Wishes(dir.path().join("wishes"));
        assert_eq!(wishes.get("sync_a"), None);
        let mine = wishes.replace("sync_a", None, Want::Connecting).unwrap();
        assert_eq!(wishes.replace("sync_a", None, Want::Connecting), None);
        assert_eq!(wishes.get("sync_a"), Some(mine.clone()));
        let other = wishes.note("sync_a", Want::Paused);
        assert_eq!(wishes.replace("sync_a", Some(&mine), Want::Resumed), None);
        assert_eq!(wishes.get("sync_a"), Some(other.clone()));
        assert_ne!(wishes.note("sync_a", Want::Paused), other, "no two are alike");
        wishes.forget("sync_a");
        assert_eq!(wishes.get("sync_a"), None);
        let left: Vec<_> =
            std::fs::read_dir(&wishes.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lock"]);
    }

    #[test]
    fn one_that_was_interrupted_by_the_end_of_its_process_is_abandoned() {
        for (want, word) in WORDS {
            assert_eq!((Wish::new(want).want(), Wish::new(want).is_abandoned()), (Some(want), false));
            let dead = Wish(format!("{word} {} 0 0", i32::MAX));
            let for_a_moment = matches!(want, Want::Stopped | Want::Connecting);
            assert_eq!(dead.is_abandoned(), for_a_moment, "{want:?}");
        }
        assert_eq!(Wish("what".to_owned()).want(), None);
    }
}
