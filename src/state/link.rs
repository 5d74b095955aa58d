//! The files of links: one lock a host, which says whose it is, and one file with what the link tells.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file::{json, make_private_dir, read_json, remove, write_file, write_hint};
use super::{Lock, Store, host_word, lock};

/// The link that runs for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// Its process, once it has said so.
    pub pid: Option<i32>,
    /// Which program it is, as it said itself.
    pub program: String,
}

/// The names of questions begin so, before the word that stands for the host.
const ASK: &str = ".ask.";

/// A question to a link: has it taken in all that happened here before?
#[derive(Debug)]
pub struct Question(PathBuf);

impl Question {
    /// It has: the link has taken the file away.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !self.0.exists()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Is a file of this name in the directory of sessions a question to a link?
#[must_use]
pub fn is_question(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(ASK.as_bytes())
}

impl Store {
    fn link_path(&self, host: &str, ending: &str) -> PathBuf {
        self.dir.join("link").join(format!("{}.{ending}", host_word(host)))
    }

    /// Holds the lock of a host's link, and writes down who does.
    ///
    /// # Errors
    /// Another one holds it ([`super::Busy`]), or it cannot be made.
    pub fn become_link(&self, host: &str, program: &str) -> Result<Lock> {
        let path = self.link_path(host, "lock");
        // Whoever asks whether one runs holds it for a moment.
        let lock = lock::take(&path, &format!("the link to {host}"), Duration::from_secs(2), &mut || {})?;
        std::fs::write(&path, format!("{} {program}\n", std::process::id()))?;
        Ok(lock)
    }

    /// Holds the lock of the guard of a host's link, and writes down who does.
    ///
    /// # Errors
    /// Another one holds it ([`super::Busy`]), or it cannot be made.
    pub fn become_guard(&self, host: &str) -> Result<Lock> {
        let path = self.link_path(host, "guard");
        let what = format!("the link to {host}");
        // One that was told to end does so at once.
        let lock = lock::take(&path, &what, Duration::from_millis(500), &mut || {})?;
        std::fs::write(&path, std::process::id().to_string())?;
        Ok(lock)
    }

    /// The guard that waits for the end of this host's link: its process, once it has said so.
    #[must_use]
    pub fn guard_runs(&self, host: &str) -> Option<Option<i32>> {
        Some(held(&self.link_path(host, "guard"))?.trim().parse().ok())
    }

    /// Takes the name off the lock, before it is let go.
    pub fn unname_link(&self, host: &str) {
        let _ = std::fs::write(self.link_path(host, "lock"), "");
        let _ = remove(&self.link_path(host, "json"));
    }

    /// The link that runs for this host.
    #[must_use]
    pub fn link_runs(&self, host: &str) -> Option<Runs> {
        let text = held(&self.link_path(host, "lock"))?;
        let (pid, program) = text.trim().split_once(' ').unwrap_or(("", ""));
        Some(Runs { pid: pid.parse().ok(), program: program.to_owned() })
    }

    /// Waits until no link runs for this host, without an end: for a thread.
    pub fn wait_for_links_end(&self, host: &str) {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        if let Ok(file) = options.open(self.link_path(host, "lock")) {
            let _ = flock(&file, FlockOperation::LockShared);
        }
    }

    /// Was the link of this host stopped by a person?
    #[must_use]
    pub fn link_is_stopped(&self, host: &str) -> bool {
        self.link_path(host, "stopped").exists()
    }

    /// Notes that a person stopped the link of this host, or started it again.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_link_stopped(&self, host: &str, stopped: bool) -> Result<()> {
        let path = self.link_path(host, "stopped");
        match stopped {
            true => write_file(&path, b""),
            false => remove(&path),
        }
    }

    /// What the link of this host tells.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn link_file<T: DeserializeOwned>(&self, host: &str) -> Result<Option<T>> {
        read_json(&self.link_path(host, "json"))
    }

    /// Writes what the link of this host tells.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_link_file(&self, host: &str, file: &impl Serialize) -> Result<()> {
        write_hint(&self.link_path(host, "json"), &json(file)?)
    }

    /// The directory in which a change of any session is seen.
    #[must_use]
    pub fn sessions_dir(&self) -> PathBuf {
        self.dir.join("sessions")
    }

    /// Tells the links that something may have changed of which they have no event: a sync that goes on.
    pub fn poke_links(&self) {
        let _ = write_hint(&self.sessions_dir().join(".poke"), b"");
    }

    /// Asks the link of a host whether it has taken in all that happened here before this. Its eye sees the question in the one
    /// queue of events in which all else comes, so after that.
    ///
    /// # Errors
    /// The question cannot be written.
    pub fn ask_link(&self, host: &str) -> Result<Question> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{ASK}{}.{}.{number}", host_word(host), std::process::id());
        let path = self.sessions_dir().join(&name);
        make_private_dir(&self.sessions_dir())?;
        // Renamed into its place: that is the event which the eye waits for. It need not outlive anything.
        let new = self.sessions_dir().join(format!(".new{name}"));
        let written = std::fs::write(&new, b"").and_then(|()| std::fs::rename(&new, &path));
        written.with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Question(path))
    }

    /// The questions to the link of a host that nobody has answered yet.
    #[must_use]
    pub fn questions(&self, host: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.sessions_dir()).into_iter().flatten().flatten();
        entries.filter_map(|entry| self.question(host, &entry.file_name())).collect()
    }

    /// The question of this name, if it is one to the link of this host.
    #[must_use]
    pub fn question(&self, host: &str, name: &OsStr) -> Option<PathBuf> {
        let begin = format!("{ASK}{}.", host_word(host));
        name.as_encoded_bytes().starts_with(begin.as_bytes()).then(|| self.sessions_dir().join(name))
    }
}

/// What is in this lock's file, if somebody holds it.
fn held(path: &Path) -> Option<String> {
    let file = OpenOptions::new().read(true).open(path).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => Some(std::fs::read_to_string(path).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_for_one_host_and_answered_by_taking_it_away() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        let (first, second) = (store.ask_link("box").unwrap(), store.ask_link("box").unwrap());
        assert_eq!((store.questions("box").len(), store.questions("other").len()), (2, 0));
        assert!(is_question(store.questions("box")[0].file_name().unwrap()));
        std::fs::remove_file(&first.0).unwrap();
        assert!(first.is_answered() && !second.is_answered());
        drop(second);
        assert_eq!(store.questions("box"), [] as [PathBuf; 0], "who does not wait any more takes it back");
        assert!(store.records().unwrap().is_empty());
    }

    #[test]
    fn one_link_a_host() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        assert_eq!(store.link_runs("box"), None);
        let held = store.become_link("box", "0.1.0 12").unwrap();
        let pid = i32::try_from(std::process::id()).ok();
        assert_eq!(store.link_runs("box"), Some(Runs { pid, program: "0.1.0 12".to_owned() }));
        assert!(store.become_link("box", "x").unwrap_err().is::<crate::state::Busy>());
        assert_eq!(store.link_runs("other"), None);
        drop(held);
        // A program that another test starts at this moment has the lock too, until it has become that program.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while store.link_runs("box").is_some() {
            assert!(std::time::Instant::now() < until, "it still runs");
            std::thread::yield_now();
        }
        store.wait_for_links_end("box");
    }
}
