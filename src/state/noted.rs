//! Which conflicts of a session, and whether that it is held, a person has been told of: a hint, so that the same is not said again and again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::file::{read_json, remove, write_json};
use super::{Lock, Store, host_word, lock};

/// How long to wait for another `sinc` that says the same: a host may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The conflicts of a session, as far as they are told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// How many there are.
    pub count: u64,
    /// Their paths, sorted; none where not all are known.
    pub paths: Vec<String>,
    /// Is the sync held?
    #[serde(default)]
    pub held: bool,
    /// Is it, or a part of it, not synced for some other reason that lasts?
    #[serde(default)]
    pub failing: bool,
    /// There was no terminal whose status line could show it: the desktop has heard of it, and the line is still to be set.
    #[serde(default)]
    pub unshown: bool,
}

impl Noted {
    /// Is there one that was not there `before`?
    #[must_use]
    pub fn has_more_than(&self, before: &Self) -> bool {
        let known = self.count > 0 && self.paths.len() as u64 == self.count;
        let before_known = before.paths.len() as u64 == before.count;
        self.count > before.count
            || known && before_known && self.paths.iter().any(|path| !before.paths.contains(path))
    }
}

impl Store {
    fn noted_path(&self, id: &str, host: &str) -> PathBuf {
        self.dir.join("noted").join(format!("{id}@{}", host_word(host)))
    }

    /// Nobody else tells of the conflicts of this session meanwhile.
    ///
    /// # Errors
    /// Somebody does, and does not end.
    pub fn lock_noted(&self, id: &str, host: &str) -> Result<Lock> {
        lock::take(&self.noted_path(id, host).with_extension("lock"), id, PATIENCE, &mut || {})
    }

    /// Which conflicts were told of last.
    #[must_use]
    pub fn noted_conflicts(&self, id: &str, host: &str) -> Noted {
        read_json(&self.noted_path(id, host)).ok().flatten().unwrap_or_default()
    }

    /// Remembers which were told of.
    pub fn note_conflicts(&self, id: &str, host: &str, noted: &Noted) {
        let path = self.noted_path(id, host);
        let written = if noted.count == 0 && !noted.held && !noted.failing {
            remove(&path)
        } else {
            write_json(&path, noted)
        };
        if let Err(error) = written {
            tracing::debug!(%error, "what was told could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(count: u64, paths: &[&str]) -> Noted {
        Noted { count, paths: paths.iter().map(|&path| path.to_owned()).collect(), ..Noted::default() }
    }

    #[test]
    fn it_is_remembered_until_there_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), Noted::default());
        let _lock = store.lock_noted("sinc-a-1", "box").unwrap();
        store.note_conflicts("sinc-a-1", "box", &noted(1, &["new\nline"]));
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), noted(1, &["new\nline"]));
        assert_eq!(store.noted_conflicts("sinc-a-1", "b"), Noted::default());
        let held = Noted { held: true, ..Noted::default() };
        store.note_conflicts("sinc-a-1", "box", &held);
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), held);
        store.note_conflicts("sinc-a-1", "box", &Noted::default());
        assert_eq!(store.noted_conflicts("sinc-a-1", "box"), Noted::default());
    }

    #[test]
    fn another_one_is_news_also_where_their_number_is_the_same() {
        let one = noted(1, &["a"]);
        assert!(one.has_more_than(&Noted::default()) && noted(1, &["b"]).has_more_than(&one));
        assert!(noted(20, &[]).has_more_than(&one));
        assert!(!one.has_more_than(&one) && !Noted::default().has_more_than(&one));
        assert!(!one.has_more_than(&noted(2, &["a", "b"])));
        // Not all are known: only their number tells.
        assert!(!noted(20, &[]).has_more_than(&noted(20, &[])));
        assert!(!noted(2, &["a", "b"]).has_more_than(&noted(20, &[])));
    }
}
