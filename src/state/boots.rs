//! At which start of both machines the syncs with a host were last connected: one that was started since without having been
//! shut down may have lost what was not on its disk.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{read_json, write_json};
use super::{Lock, Store, lock};

/// The starts, as the system names them; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boots {
    /// Of this computer.
    pub here: String,
    /// Of the host.
    pub there: String,
}

impl Store {
    fn boots_path(&self, word: &str) -> PathBuf {
        self.dir.join("boots").join(format!("{word}.json"))
    }

    /// The starts at which the syncs with the host of this word were connected last.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn boots(&self, word: &str) -> Result<Option<Boots>> {
        read_json(&self.boots_path(word))
    }

    /// Remembers them.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_boots(&self, word: &str, boots: &Boots) -> Result<()> {
        write_json(&self.boots_path(word), boots)
    }

    /// Holds what is known of a host's starts.
    ///
    /// # Errors
    /// Another one holds it for too long.
    pub fn lock_boots(&self, word: &str) -> Result<Lock> {
        let path = self.dir.join("boots").join(format!("{word}.lock"));
        lock::take(&path, "a host that was started again", Duration::from_secs(60), &mut || {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        let _lock = store.lock_boots("sinc-1").unwrap();
        assert_eq!(store.boots("sinc-1").unwrap(), None);
        let boots = Boots { here: "a".to_owned(), there: String::new() };
        store.save_boots("sinc-1", &boots).unwrap();
        assert_eq!(store.boots("sinc-1").unwrap(), Some(boots));
        assert_eq!(store.boots("sinc-2").unwrap(), None);
    }
}
