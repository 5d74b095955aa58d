//! That conflicts of a session are being settled: between the moment in which a version is moved aside and the cycle that brings
//! the other one over, a path is missing on a side.
//!
//! Whoever is at it holds the session's lock. Where nobody does, it broke off.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{read_json, remove, write_json};
use super::{Store, host_word};

/// What is being settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settling {
    /// The process that is at it.
    pub pid: u32,
    /// Since when, seconds since 1970: its backups are not older.
    pub since: u64,
    /// Each path that gets another name on the host, and that name; both coded as in an index of backups.
    pub beside: Vec<(String, String)>,
}

impl Store {
    fn settling_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("sessions").join(format!("{id}@{}.settling", host_word(host)))
    }

    /// What is being settled, or was when it broke off.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn settling(&self, id: &str, host: &str) -> Result<Option<Settling>> {
        read_json(&self.settling_path(id, host))
    }

    /// Is something being settled, or was it when it broke off?
    #[must_use]
    pub fn is_settling(&self, id: &str, host: &str) -> bool {
        self.settling_path(id, host).exists()
    }

    /// Notes what is being settled. To be called with the session's lock held.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_settling(&self, id: &str, host: &str, settling: &Settling) -> Result<()> {
        write_json(&self.settling_path(id, host), settling)
    }

    /// Nothing is any more.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn end_settling(&self, id: &str, host: &str) -> Result<()> {
        remove(&self.settling_path(id, host))
    }
}
