//! At which start of both machines the syncs with a host were last connected: one that was started since without having been
//! shut down may have lost what was not on its disk.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{read_json, write_json};
use super::{Lock, Store, lock};

/// So many machines of one name are remembered.
const MACHINES: usize = 16;

/// The starts, as the system names them; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boots {
    /// Of this computer.
    pub here: String,
    /// Of the host.
    pub there: String,
    /// The machines that this computer was, if its home is on several.
    #[serde(default)]
    pub machines_here: Vec<Known>,
    /// The machines that were reached by the host's name.
    #[serde(default)]
    pub machines_there: Vec<Known>,
    /// The syncs, by Mutagen's identifiers, whose memory is still to be put back.
    #[serde(default)]
    pub owed: Vec<String>,
}

/// A machine at the start at which it was reached last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As the system names the machine; empty where it does not.
    pub machine: String,
    /// As the system names its start.
    pub boot: String,
    /// When that was, seconds since 1970, where it is known.
    pub since: Option<u64>,
}

impl Known {
    /// Notes a machine among others: one that is known already is now at this start.
    pub fn note(self, all: &mut Vec<Self>) {
        all.retain(|known| known.machine != self.machine);
        all.push(self);
        let many = all.len().saturating_sub(MACHINES);
        all.drain(..many);
    }
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
        let known = Known { machine: "m".to_owned(), boot: "b".to_owned(), since: Some(5) };
        let boots = Boots {
            here: "a".to_owned(),
            machines_there: vec![known],
            owed: vec!["sync_a".to_owned()],
            ..Boots::default()
        };
        store.save_boots("sinc-1", &boots).unwrap();
        assert_eq!(store.boots("sinc-1").unwrap(), Some(boots));
        assert_eq!(store.boots("sinc-2").unwrap(), None);
        // As an older version wrote it.
        std::fs::write(store.boots_path("sinc-2"), r#"{"here":"a","there":"b"}"#).unwrap();
        let old = Boots { here: "a".to_owned(), there: "b".to_owned(), ..Boots::default() };
        assert_eq!(store.boots("sinc-2").unwrap(), Some(old));
    }

    #[test]
    fn a_machine_is_known_by_its_last_start_and_not_too_many_are() {
        let mut all = Vec::new();
        let known = |machine: usize, boot: &str| Known {
            machine: machine.to_string(),
            boot: boot.to_owned(),
            since: None,
        };
        for machine in 0..MACHINES {
            known(machine, "first").note(&mut all);
        }
        known(0, "second").note(&mut all);
        known(MACHINES, "first").note(&mut all);
        assert_eq!(all.len(), MACHINES);
        assert!(!all.contains(&known(1, "first")), "the one that was not seen for longest");
        assert_eq!(all[MACHINES - 2..], [known(0, "second"), known(MACHINES, "first")]);
    }
}
