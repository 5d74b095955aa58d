//! That conflicts of a session are being settled: between the moment in which a version is moved aside and the cycle that brings
//! the other one over, a path is missing on a side.
//!
//! Whoever is at it holds the session's lock. Where nobody does, it broke off.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{Damaged, read_json, remove, write_json};
use super::{Store, host_word};

/// What is being settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settling {
    /// The process that is at it; empty when it broke off.
    pub by: String,
    /// The names of the backups on this computer into which versions are moved.
    pub here: Vec<String>,
    /// The same on the host.
    pub there: Vec<String>,
    /// Each path that gets another name on the host, and that name; both coded as in an index of backups.
    pub beside: Vec<(String, String)>,
}

impl Settling {
    /// One of this process, in which nothing has been moved yet.
    #[must_use]
    pub fn begun() -> Self {
        Self { by: this_process().to_owned(), ..Self::default() }
    }

    /// Is this process at it?
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.by == this_process()
    }
}

/// A name of this process that no other one has had, also where numbers come again (in a container).
fn this_process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{} {}", std::process::id(), now.as_nanos())
    })
}

impl Store {
    /// Where it is noted that conflicts of this session are being settled.
    #[must_use]
    pub fn settling_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("sessions").join(format!("{id}@{}.settling", host_word(host)))
    }

    /// What is being settled, or was when it broke off. What was written otherwise than whole says nothing.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn settling(&self, path: &Path) -> Result<Option<Settling>> {
        match read_json(path) {
            Err(error) if error.is::<Damaged>() => {
                tracing::warn!("{error:#}: what was moved aside for a conflict is in its backup");
                Ok(Some(Settling::default()))
            }
            settling => settling,
        }
    }

    /// Notes what is being settled. To be called with the session's lock held.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_settling(&self, path: &Path, settling: &Settling) -> Result<()> {
        write_json(path, settling)
    }

    /// Nothing is any more.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn end_settling(&self, path: &Path) -> Result<()> {
        remove(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_this_processs_until_it_breaks_off_and_one_that_is_not_understood_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        let path = store.settling_path("sinc-app-123456", "box");
        assert_eq!(store.settling(&path).unwrap(), None);
        let settling = Settling { there: vec!["a".to_owned()], ..Settling::begun() };
        store.set_settling(&path, &settling).unwrap();
        let read = store.settling(&path).unwrap().unwrap();
        assert!(read == settling && read.is_own());
        assert!(!Settling { by: format!("{} 1", std::process::id()), ..settling }.is_own());
        assert!(store.records().unwrap().is_empty());
        std::fs::write(&path, "{").unwrap();
        assert_eq!(store.settling(&path).unwrap(), Some(Settling::default()));
        // It does not outlive its session.
        store.forget("sinc-app-123456", "box").unwrap();
        assert_eq!(store.settling(&path).unwrap(), None);
    }
}
