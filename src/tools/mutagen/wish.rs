//! What somebody wanted of a session last, as it is written down before it is carried out, and by which process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than this nobody stops a session to look, or connects it anew: whoever noted that has died, whatever process has its
/// number by now.
const LASTS: Duration = Duration::from_secs(10 * 60);

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

/// A wish that is written down, with the process, a number, and nanoseconds since 1970; no two are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish(String);

impl Wish {
    fn new(want: Want) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = since_1970();
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

    fn number(&self, index: usize) -> Option<u64> {
        self.0.split(' ').nth(index)?.parse().ok()
    }

    /// Is it this process's?
    pub(super) fn is_own(&self) -> bool {
        self.number(1) == Some(std::process::id().into())
    }

    /// Does the process live that is to carry it out, or go on afterwards?
    fn is_alive(&self) -> bool {
        let noted = Duration::from_nanos(self.number(3).unwrap_or(0));
        let lasts = since_1970().checked_sub(noted).is_some_and(|age| age < LASTS);
        let process =
            self.number(1).and_then(|number| rustix::process::Pid::from_raw(number.try_into().ok()?));
        lasts && process.is_some_and(lives)
    }

    /// Is it paused only for as long as a process needs?
    pub(super) fn is_for_a_while(&self) -> bool {
        matches!(self.want(), Some(Want::Stopped | Want::Connecting))
    }

    /// Was it paused only for a while, by a process that has died before that was over?
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_for_a_while() && !self.is_alive()
    }

    /// Is a session that is paused with this wish to run, and nobody will see to it? (Two may connect it at once.)
    pub(super) fn leaves_paused(&self) -> bool {
        self.want() == Some(Want::Connecting) || self.is_abandoned()
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A process that was killed stays until its parent has asked for it: it does not live.
fn lives(process: rustix::process::Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    let is_dead =
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])));
    !is_dead && rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

/// The wishes below a directory.
#[derive(Debug)]
pub(super) struct Wishes(pub(super) PathBuf);

impl Wishes {
    pub(super) fn get(&self, id: &str) -> Option<Wish> {
        fs::read_to_string(self.0.join(id)).ok().map(Wish)
    }

    /// Notes a wish. What cannot be written (the disk is full) is to be carried out all the same, and no older one is left.
    pub(super) fn note(&self, id: &str, want: Want) -> Wish {
        let wish = Wish::new(want);
        if let Err(error) = self.locked(|| self.write(id, &wish)) {
            tracing::warn!(%error, id, "that it is to be {want:?} is not noted");
            self.forget(id);
        }
        wish
    }

    /// The same unless there is another one than `before` by now: then nothing.
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
                self.forget(id);
                Some(wish)
            }
        }
    }

    /// The session has ended.
    pub(super) fn forget(&self, id: &str) {
        let _ = fs::remove_file(self.0.join(id));
    }

    fn write(&self, id: &str, wish: &Wish) -> io::Result<()> {
        let temporary = self.0.join(format!(".{id}.{}", std::process::id()));
        let written = fs::write(&temporary, &wish.0).and_then(|()| fs::rename(&temporary, self.0.join(id)));
        written.inspect_err(|_| drop(fs::remove_file(&temporary)))
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
    use crate::process::{Cmd, Runner};

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
        // What cannot be written leaves no older one that would be taken for the last.
        std::fs::create_dir(wishes.0.join(format!(".sync_a.{}", std::process::id()))).unwrap();
        assert!(wishes.replace("sync_a", wishes.get("sync_a").as_ref(), Want::Resumed).is_some());
        assert_eq!(wishes.get("sync_a"), None);
        std::fs::remove_dir(wishes.0.join(format!(".sync_a.{}", std::process::id()))).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(&wishes.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".lock"]);
    }

    #[test]
    fn one_that_was_interrupted_by_the_end_of_its_process_is_abandoned() {
        for (want, word) in WORDS {
            let now = Wish::new(want);
            assert_eq!((now.want(), now.is_own(), now.is_abandoned()), (Some(want), true, false));
            assert_eq!(now.leaves_paused(), want == Want::Connecting);
            let for_a_moment = matches!(want, Want::Stopped | Want::Connecting);
            let nanos = since_1970().as_nanos();
            let long_ago = nanos - LASTS.as_nanos();
            // One that nobody has asked for yet.
            let mut killed = Runner::default().spawn_service(&Cmd::new("true", "end")).unwrap();
            let pid = rustix::process::Pid::from_raw(killed.id().try_into().unwrap()).unwrap();
            let until = Instant::now() + Duration::from_secs(20);
            while lives(pid) && cfg!(target_os = "linux") {
                assert!(Instant::now() < until, "it is seen that it has ended");
                std::thread::sleep(Duration::from_millis(5));
            }
            let mut dead =
                vec![format!("{} 0 {nanos}", i32::MAX), format!("{} 0 {long_ago}", std::process::id())];
            dead.extend(cfg!(target_os = "linux").then(|| format!("{} 0 {nanos}", killed.id())));
            for dead in dead {
                assert_eq!(Wish(format!("{word} {dead}")).is_abandoned(), for_a_moment, "{want:?} {dead}");
            }
            killed.wait().unwrap();
        }
        assert_eq!(Wish("what".to_owned()).want(), None);
    }
}
