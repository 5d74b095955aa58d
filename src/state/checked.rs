//! When a session's last completed cycle was seen: Mutagen does not tell. A hint to show, never a proof, so it is
//! not synced to the disk, and one that cannot be read or written is none.

use std::path::PathBuf;

use super::{Store, host_word, make_private_dir};

impl Store {
    fn checked_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("checked").join(format!("{id}@{}", host_word(host)))
    }

    /// Remembers that a completed cycle was seen at this time, seconds since 1970.
    pub fn note_checked(&self, id: &str, host: &str, at: u64) {
        let path = self.checked_path(id, host);
        let temporary = path.with_extension(std::process::id().to_string());
        let written = make_private_dir(&self.dir.join("checked")).is_ok()
            && std::fs::write(&temporary, format!("{at}\n")).is_ok()
            && std::fs::rename(&temporary, &path).is_ok();
        if !written {
            tracing::debug!(path = %path.display(), "the time of the cycle could not be noted");
        }
    }

    /// When a completed cycle was seen last, seconds since 1970.
    #[must_use]
    pub fn last_checked(&self, id: &str, host: &str) -> Option<u64> {
        std::fs::read_to_string(self.checked_path(id, host)).ok()?.trim().parse().ok()
    }

    /// Forgets it.
    pub fn forget_checked(&self, id: &str, host: &str) {
        // What is left behind says nothing wrong: the session is gone, and a new one writes it again.
        let _ = std::fs::remove_file(self.checked_path(id, host));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_for_each_host_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        assert_eq!(store.last_checked("sinc-a-1", "box"), None);
        store.note_checked("sinc-a-1", "box", 7);
        store.note_checked("sinc-a-1", "box", 8);
        store.note_checked("sinc-a-1", "other", 9);
        assert_eq!(store.last_checked("sinc-a-1", "box"), Some(8));
        store.forget_checked("sinc-a-1", "box");
        assert_eq!(store.last_checked("sinc-a-1", "box"), None);
        assert_eq!(store.last_checked("sinc-a-1", "other"), Some(9));
    }
}
