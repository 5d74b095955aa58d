//! What the last runs did: each command, its time, its result, one JSON object a line (`sinc logs`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Cmd;

/// The journal begins anew when it is larger than this, bytes; the one before is kept beside it.
const LIMIT: u64 = 2 * 1024 * 1024;

/// One command of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The run: process id and start time.
    pub run: String,
    /// The `sinc` command line of the run.
    pub sinc: String,
    /// When the command ended, milliseconds since 1970.
    pub at: u64,
    /// What it was for.
    pub why: String,
    /// The command, ready to paste.
    pub command: String,
    /// How long it took, milliseconds; none for the one that replaced sinc.
    pub ms: Option<u64>,
    /// How it ended.
    pub result: String,
}

/// The journal that this run writes to.
#[derive(Debug)]
pub struct Journal {
    run: String,
    sinc: String,
    directory: PathBuf,
    // None when it cannot be opened: a full disk must not keep anybody from their session.
    file: OnceLock<Option<Mutex<File>>>,
}

impl Journal {
    /// The journal in `directory` for the run with this command line. It is opened, and made, when the first
    /// command is noted: a run without one leaves nothing.
    #[must_use]
    pub fn new(directory: &Path, command_line: &str) -> Self {
        Self {
            run: format!("{}-{}", std::process::id(), now_ms()),
            sinc: command_line.to_owned(),
            directory: directory.to_owned(),
            file: OnceLock::new(),
        }
    }

    fn open(&self) -> Option<Mutex<File>> {
        let path = Self::path(&self.directory);
        if std::fs::metadata(&path).is_ok_and(|meta| meta.len() > LIMIT) {
            std::fs::rename(&path, Self::older_path(&self.directory)).ok()?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let file = options.open(&path).or_else(|_| {
            std::fs::create_dir_all(&self.directory)?;
            options.open(&path)
        });
        Some(Mutex::new(file.ok()?))
    }

    /// The journal's file.
    #[must_use]
    pub fn path(dir: &Path) -> PathBuf {
        dir.join("commands.jsonl")
    }

    /// The file of the journal before it.
    #[must_use]
    pub fn older_path(dir: &Path) -> PathBuf {
        dir.join("commands.1.jsonl")
    }

    pub(super) fn note(&self, cmd: &Cmd, elapsed: Option<Duration>, result: &str) {
        let Some(file) = self.file.get_or_init(|| self.open()) else { return };
        let entry = Entry {
            run: self.run.clone(),
            sinc: self.sinc.clone(),
            at: now_ms(),
            why: cmd.why().to_owned(),
            command: cmd.to_string(),
            ms: elapsed.map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
            result: result.to_owned(),
        };
        let Ok(mut line) = serde_json::to_vec(&entry) else { return };
        line.push(b'\n');
        // One write a line, appended: two runs at once do not mix. A full disk costs the note, not the work.
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
