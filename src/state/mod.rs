//! What this computer remembers: one small JSON file a session and host, and a few beside them. Everything is
//! written to a temporary file, synced and renamed, the directory synced; nothing here is the only copy of anybody's bytes.

mod boots;
mod checked;
mod file;
mod held;
mod link;
mod lock;
mod noted;
mod settling;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use boots::{Boots, Known};
pub use file::{Damaged, make_private_dir, replace_file, write_file};
pub use held::{Held, HeldSide};
pub use link::{Question, Runs, is_question};
pub use lock::{Busy, Lock};
pub use noted::Noted;
pub use settling::Settling;

use file::{read_all, read_json, remove, write_json};

use crate::project::SessionId;
use crate::trust::Accepted;

/// A session as this computer knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The session's id.
    pub id: String,
    /// Its host's name in the config (or the destination itself).
    pub host: String,
    /// Where ssh went for it last.
    pub destination: String,
    /// The project's directory here.
    pub local: PathBuf,
    /// Its directory on the host, absolute.
    pub remote: String,
    /// The digest of the settings that its sync was made with.
    pub settings: String,
    /// The agent that a new terminal session of it starts.
    pub agent: String,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// The first cycle has been completed and checked.
    pub filled: bool,
    /// The next connect must look at the host before it attaches: the last one did not end well.
    #[serde(default)]
    pub verify: bool,
    /// Its mode is `none`: it has no sync, and is to have none.
    #[serde(default)]
    pub no_sync: bool,
    /// A person knows that its mode settles conflicts by itself (`two-way-resolved`). Before that none is settled.
    #[serde(default)]
    pub resolved: bool,
    /// The host's address as it sees itself, and ours towards it when we last connected.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// Our own address towards it, at that time.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// Other computers that sync with the same directory ("name path").
    #[serde(default)]
    pub others: Vec<String>,
    /// Its sync is held. Read with the record, but written apart ([`Store::set_held`], [`Store::release`]).
    #[serde(skip)]
    pub held: Option<Held>,
}

/// A session that was ended while its host could not be reached: what is left to do there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEnd {
    /// The session's id.
    pub id: String,
    /// Its host's name.
    pub host: String,
    /// Its directory on the host.
    pub remote: String,
}

/// What `ssh` and `scp`, called by Mutagen, need to know of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// The host's name in the config.
    pub name: String,
    /// Where ssh goes.
    pub destination: String,
    /// The socket of the shared connection.
    pub control: Option<PathBuf>,
    /// The data connection rides on the shared one, because a login needs a person.
    #[serde(default)]
    pub shared: bool,
    /// The ssh agent of the last `sinc` that ran.
    #[serde(default)]
    pub auth_sock: Option<String>,
    /// Its login shell's rc files print something even for a single command.
    #[serde(default)]
    pub noisy: bool,
}

/// The directory where all this lies.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// The word that stands for a host in Mutagen's URLs and labels: legal in both, and without a meaning to ssh.
#[must_use]
pub fn host_word(name: &str) -> String {
    format!("sinc-{}", &hex::encode(Sha256::digest(name.as_bytes()))[..12])
}

impl Store {
    /// The store in this directory (`~/.local/state/sinc`).
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    fn record_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("sessions").join(format!("{id}@{}.json", host_word(host)))
    }

    /// The session (id, host), if this computer knows it.
    ///
    /// # Errors
    /// The file is there but cannot be read: that is never taken for "no session".
    pub fn record(&self, id: &SessionId, host: &str) -> Result<Option<Record>> {
        let record: Option<Record> = read_json(&self.record_path(id.as_str(), host))?;
        record.map(|record| self.with_held(record)).transpose()
    }

    /// All sessions that this computer knows, by id and host.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let records: Vec<Record> = read_all(&self.dir.join("sessions"))?;
        let mut records =
            records.into_iter().map(|record| self.with_held(record)).collect::<Result<Vec<_>>>()?;
        records.sort_by(|a, b| (&a.id, &a.host).cmp(&(&b.id, &b.host)));
        Ok(records)
    }

    /// Remembers a session.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, record: &Record) -> Result<()> {
        write_json(&self.record_path(&record.id, &record.host), record)
    }

    /// Forgets a session.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self, id: &str, host: &str) -> Result<()> {
        remove(&self.record_path(id, host))?;
        self.end_settling(&self.settling_path(id, host))?;
        self.release(id, host)
    }

    /// Holds the lock of a session for as long as the result lives; waits for another `sinc` that holds it.
    ///
    /// # Errors
    /// It is still held after `patience`, or the lock file cannot be made.
    pub fn lock(&self, id: &str, host: &str, patience: Duration, waiting: &mut dyn FnMut()) -> Result<Lock> {
        let path = self.dir.join("locks").join(format!("{id}@{}", host_word(host)));
        lock::take(&path, &format!("{id} on {host}"), patience, waiting)
    }

    /// This computer's own id: made once, random, and the same from then on.
    ///
    /// # Errors
    /// It can neither be read nor made.
    pub fn machine(&self) -> Result<String> {
        if let Some(id) = self.machine_if_known() {
            return Ok(id);
        }
        let mut random = [0; 6];
        let mut source = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
        std::io::Read::read_exact(&mut source, &mut random).context("cannot read /dev/urandom")?;
        let id = hex::encode(random);
        write_file(&self.dir.join("machine"), format!("{id}\n").as_bytes())?;
        Ok(id)
    }

    /// This computer's own id, if it has been made.
    #[must_use]
    pub fn machine_if_known(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.dir.join("machine")).ok()?;
        let id = text.trim();
        (id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
    }

    /// The sessions of their own that paths have here (`--separate`).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn separate_ids(&self) -> Result<BTreeMap<PathBuf, String>> {
        Ok(read_json(&self.dir.join("separate.json"))?.unwrap_or_default())
    }

    /// Remembers that this path has a session of its own.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_separate_id(&self, path: &Path, id: &SessionId) -> Result<()> {
        let mut ids = self.separate_ids()?;
        ids.insert(path.to_owned(), id.as_str().to_owned());
        write_json(&self.dir.join("separate.json"), &ids)
    }

    fn pending_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("pending").join(format!("{id}@{}.json", host_word(host)))
    }

    /// Remembers what is left to do on a host that could not be reached.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add_pending(&self, pending: &PendingEnd) -> Result<()> {
        write_json(&self.pending_path(&pending.id, &pending.host), pending)
    }

    /// What is left to do on all hosts.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn pending(&self) -> Result<Vec<PendingEnd>> {
        read_all(&self.dir.join("pending"))
    }

    /// Is something left to do for this session on this host?
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_pending(&self, id: &str, host: &str) -> Result<bool> {
        Ok(read_json::<PendingEnd>(&self.pending_path(id, host))?.is_some())
    }

    /// It is done.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_pending(&self, id: &str, host: &str) -> Result<()> {
        remove(&self.pending_path(id, host))
    }

    fn host_path(&self, word: &str) -> PathBuf {
        self.dir.join("hosts").join(format!("{word}.json"))
    }

    /// What Mutagen's `ssh` needs to know of the host with this word.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn host(&self, word: &str) -> Result<Option<HostFile>> {
        read_json(&self.host_path(word))
    }

    /// The file for this host, and what it says.
    ///
    /// # Errors
    /// It cannot be put into JSON.
    pub fn host_file(&self, host: &HostFile) -> Result<(PathBuf, String)> {
        let text = serde_json::to_string_pretty(host).context("cannot put a record into JSON")?;
        Ok((self.host_path(&host_word(&host.name)), text + "\n"))
    }

    /// Writes it, if it differs from what is there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_host(&self, host: &HostFile) -> Result<()> {
        let word = host_word(&host.name);
        if self.host(&word).ok().flatten().as_ref() == Some(host) {
            return Ok(());
        }
        write_json(&self.host_path(&word), host)
    }

    /// Notes whether the rc files of the host with this word print something.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn set_noisy(&self, word: &str, noisy: bool) -> Result<()> {
        match self.host(word)? {
            Some(host) => self.save_host(&HostFile { noisy, ..host }),
            None => Ok(()),
        }
    }

    fn trust_path(&self, root: &Path) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let hash = hex::encode(Sha256::digest(root.as_os_str().as_bytes()));
        self.dir.join("trust").join(format!("{}.json", &hash[..16]))
    }

    /// What was accepted of a project's own files.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn accepted(&self, root: &Path) -> Result<Option<Accepted>> {
        read_json(&self.trust_path(root))
    }

    /// Accepts what a project's own files say.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn accept(&self, root: &Path, accepted: &Accepted) -> Result<()> {
        write_json(&self.trust_path(root), accepted)
    }

    /// Has the person been told this? Notes that they have, so the second time it says yes.
    #[must_use]
    pub fn told_before(&self, what: &str) -> bool {
        let path = self.dir.join("told").join(what);
        path.exists() || {
            // Told twice is no harm.
            let _ = write_file(&path, b"");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        (dir, store)
    }

    #[test]
    fn the_machine_id_stays() {
        let (_dir, store) = store();
        let id = store.machine().unwrap();
        assert_eq!(id.len(), 12);
        assert_eq!(store.machine().unwrap(), id);
    }

    #[test]
    fn a_damaged_record_is_an_error_and_not_no_session() {
        let (_dir, store) = store();
        let id = SessionId::parse("sinc-app-123456").unwrap();
        assert!(store.record(&id, "box").unwrap().is_none());
        write_file(&store.record_path(id.as_str(), "box"), b"{").unwrap();
        assert!(store.record(&id, "box").unwrap_err().to_string().ends_with("is damaged"));
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let (_dir, store) = store();
        let held = store.lock("sinc-a-123456", "box", Duration::ZERO, &mut || {}).unwrap();
        let mut told = 0;
        let busy = store.lock("sinc-a-123456", "box", Duration::from_millis(20), &mut || told += 1);
        assert!(busy.unwrap_err().is::<Busy>());
        assert_eq!(told, 1);
        store.lock("sinc-a-123456", "other", Duration::ZERO, &mut || {}).unwrap();
        drop(held);
        store.lock("sinc-a-123456", "box", Duration::from_secs(5), &mut || {}).unwrap();
    }

    #[test]
    fn a_host_word_is_legal_as_a_label_and_needs_no_quotes() {
        let word = host_word("-oProxyCommand=x y");
        assert_eq!(word.len(), 17);
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert_ne!(word, host_word("box"));
    }
}
