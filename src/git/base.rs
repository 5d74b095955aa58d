//! What both sides had in common when they were last in step: `.git/sinc/` here, which nothing syncs. It is written last, so
//! that everything before it can be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::state::{Head, Name, Oid, State};
use crate::state::write_file;

/// The last state that was agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Base {
    /// Which repository of the host's it is about; one made anew has another. Earlier versions did not note it.
    pub id: Option<String>,
    /// Where HEAD pointed.
    pub head: Option<Head>,
    /// What was staged.
    pub index: Option<Oid>,
    /// What git on the host was last told that the sync leaves out, as [`super::left_out::mark`] has it.
    pub left_out: Option<String>,
    /// Branches that the host has deleted or set back with many others, and of which nobody has said yet what becomes of them.
    pub held: BTreeSet<Name>,
    /// Branches.
    pub branches: BTreeMap<Name, Oid>,
    /// Tags.
    pub tags: BTreeMap<Name, Oid>,
    /// Stashes.
    pub stash: Vec<Oid>,
    /// What `origin` had here when the host was last told of it.
    pub origin: BTreeMap<Name, Oid>,
    /// Branches of the host that are shown here.
    pub shown_here: BTreeMap<Name, Oid>,
    /// Branches of this computer that are shown there.
    pub shown_there: BTreeMap<Name, Oid>,
}

/// More names than this are not told: they have to fit into a call.
const MOST_NAMES: usize = 300;

impl Base {
    /// Is it about this repository of the host's? A new one has deleted nothing that the one before had.
    #[must_use]
    pub fn is_of(&self, there: &State) -> bool {
        match &self.id {
            Some(id) => there.id.as_ref() == Some(id),
            None => !there.fresh,
        }
    }

    /// What both sides have, as words; none where there are too many.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        let head = match &self.head {
            Some(Head::Commit(oid)) => Some(oid),
            _ => None,
        };
        let names = self.branches.values().chain(self.tags.values());
        let all: BTreeSet<&Oid> = names.chain(&self.stash).chain(head).collect();
        if all.len() > MOST_NAMES { Vec::new() } else { all.into_iter().map(Oid::to_string).collect() }
    }
}

/// Where the base for a host lies.
#[must_use]
pub fn path(project: &Path, host_word: &str) -> PathBuf {
    project.join(".git/sinc").join(format!("base-{host_word}.json"))
}

/// Reads it. One that is missing or damaged is none: then what both sides have tells.
#[must_use]
pub fn read(path: &Path) -> Option<Base> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes it.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, base: &Base) -> Result<()> {
    let text = serde_json::to_vec_pretty(base).context("cannot put the base into JSON")?;
    write_file(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_read_and_where_damaged_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path(), "sinc-1");
        assert_eq!(read(&path), None);
        let oid = Oid::parse(&"1".repeat(40)).unwrap();
        let main = Name::parse("main").unwrap();
        let base = Base {
            head: Some(Head::Branch(main.clone())),
            index: Some(oid.clone()),
            branches: BTreeMap::from([(main, oid)]),
            ..Base::default()
        };
        write(&path, &base).unwrap();
        assert_eq!(read(&path), Some(base.clone()));
        // One of an earlier version, which knew of no id.
        let text = std::fs::read_to_string(&path).unwrap().replacen("\"id\": null,", "", 1);
        assert!(!text.contains("\"id\""), "{text}");
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path), Some(base));
        std::fs::write(&path, "{\"head\": {\"branch\": \"../x\"}}").unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, "{\"head\"").unwrap();
        assert_eq!(read(&path), None);
    }
}
