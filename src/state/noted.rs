//! How many conflicts of a session a person has been told of: a hint, so that the same is not said again and again.

use std::path::PathBuf;

use super::{Store, host_word, make_private_dir};

impl Store {
    fn noted_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("noted").join(format!("{id}@{}", host_word(host)))
    }

    /// How many conflicts were told of last.
    #[must_use]
    pub fn noted_conflicts(&self, id: &str, host: &str) -> u64 {
        let text = std::fs::read_to_string(self.noted_path(id, host)).ok();
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Remembers how many were told of.
    pub fn note_conflicts(&self, id: &str, host: &str, count: u64) {
        let path = self.noted_path(id, host);
        let written = match count {
            0 => !path.exists() || std::fs::remove_file(&path).is_ok(),
            count => {
                make_private_dir(&self.dir.join("noted")).is_ok()
                    && std::fs::write(&path, format!("{count}\n")).is_ok()
            }
        };
        if !written {
            tracing::debug!(path = %path.display(), "what was told could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_until_there_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), 0);
        store.note_conflicts("sinc-a-1", "box", 3);
        assert_eq!(
            (store.noted_conflicts("sinc-a-1", "box"), store.noted_conflicts("sinc-a-1", "b")),
            (3, 0)
        );
        store.note_conflicts("sinc-a-1", "box", 0);
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), 0);
    }
}
