//! A sync that is held, because its next cycle would have deleted too much: until a person decides, it stays paused.
//!
//! It lies in a file of its own beside the session's record, so that it can be written while another `sinc` is busy with
//! the record: neither undoes what the other one wrote.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{read_json, remove, write_json};
use super::{Record, Store, host_word};

/// Where files are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldSide {
    /// On this computer.
    Local,
    /// On the host.
    Remote,
}

/// Why a sync is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Where files are missing.
    pub side: HeldSide,
    /// How many, at the least.
    pub missing: u64,
    /// How many there were at the last completed cycle.
    pub of: u64,
    /// Since when it is held, seconds since 1970.
    pub since: u64,
}

impl Store {
    fn held_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("sessions").join(format!("{id}@{}.held", host_word(host)))
    }

    /// Is the session's sync held?
    ///
    /// # Errors
    /// The file is there but cannot be read: that is never taken for "no".
    pub fn held(&self, id: &str, host: &str) -> Result<Option<Held>> {
        read_json(&self.held_path(id, host))
    }

    /// Remembers that the session's sync is held. Needs no lock.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_held(&self, id: &str, host: &str, held: &Held) -> Result<()> {
        write_json(&self.held_path(id, host), held)
    }

    /// It is not held any more.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn release(&self, id: &str, host: &str) -> Result<()> {
        remove(&self.held_path(id, host))
    }

    /// The record with whether its sync is held.
    pub(super) fn with_held(&self, record: Record) -> Result<Record> {
        Ok(Record { held: self.held(&record.id, &record.host)?, ..record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::SessionId;

    fn record() -> Record {
        // As an older version wrote it.
        let json = r#"{"id":"sinc-app-123456","host":"box","destination":"box","local":"/","remote":"/r",
            "settings":"","agent":"a","created":1,"filled":true}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn it_is_a_part_of_the_record_that_saving_the_record_does_not_undo() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        let id = SessionId::parse("sinc-app-123456").unwrap();
        let read = || store.record(&id, "box").unwrap().unwrap();
        store.save(&record()).unwrap();
        let before = read();
        assert_eq!(before.held, None);
        let held = Held { side: HeldSide::Remote, missing: 60, of: 70, since: 5 };
        store.set_held("sinc-app-123456", "box", &held).unwrap();
        assert_eq!(read().held, Some(held));
        assert_eq!(store.records().unwrap()[0].held, Some(held));
        // Another sinc that had read the record before writes it again.
        store.save(&before).unwrap();
        assert_eq!(read().held, Some(held));
        store.release("sinc-app-123456", "box").unwrap();
        assert_eq!(read().held, None);
        store.release("sinc-app-123456", "box").unwrap();
        // Neither does it outlive the session.
        store.set_held("sinc-app-123456", "box", &held).unwrap();
        store.forget("sinc-app-123456", "box").unwrap();
        store.save(&before).unwrap();
        assert_eq!(read().held, None);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_no() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        store.save(&record()).unwrap();
        std::fs::write(store.held_path("sinc-app-123456", "box"), "{").unwrap();
        assert!(store.records().unwrap_err().to_string().ends_with("is damaged"));
    }
}
