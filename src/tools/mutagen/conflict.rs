//! Conflicts: what happened on each side, in words.

use std::fmt;

use serde::Deserialize;

use super::model::SyncSession;
use super::status::Side;

/// What a path is (`EntryKind` in `pkg/synchronization/core/entry.go`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Something that is never synced: an ignored path, a pipe, a device, a socket.
    Untracked,
    /// Something that could not be read or cannot be synced.
    Problematic,
    /// A kind that this version of sinc does not know.
    Other(String),
}

impl Default for EntryKind {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl From<String> for EntryKind {
    fn from(text: String) -> Self {
        match text.as_str() {
            "file" => Self::File,
            "directory" => Self::Directory,
            "symlink" | "symbolic-link" => Self::Symlink,
            "untracked" => Self::Untracked,
            "problematic" => Self::Problematic,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a link",
            Self::Untracked | Self::Problematic => "something that is not synced",
            Self::Other(_) => "something else",
        })
    }
}

/// What a path is or was; a directory comes without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Its kind.
    pub kind: EntryKind,
    /// The digest of a file, hexadecimal.
    pub digest: String,
    /// Can a file be executed?
    pub executable: bool,
    /// Where a link leads.
    pub target: String,
}

/// One change of one side since both were last alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Change {
    /// The path below the directory; empty for the directory itself.
    pub path: String,
    /// What was there; nothing if it was made.
    pub old: Option<Entry>,
    /// What is there; nothing if it was deleted.
    pub new: Option<Entry>,
}

/// Changes of the two sides that exclude each other.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Conflict {
    /// The path that they are all at or below.
    pub root: String,
    alpha_changes: Option<Vec<Change>>,
    beta_changes: Option<Vec<Change>>,
}

/// What kind of conflict it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Both sides changed what was there.
    BothChanged,
    /// Both sides made it, and not alike.
    BothMade,
    /// One side deleted what the other changed.
    Deleted(
        /// Who deleted it.
        Side,
    ),
    /// The sides have things of two kinds.
    Kinds {
        /// What this computer has.
        here: EntryKind,
        /// What the host has.
        there: EntryKind,
    },
    /// Something that is never synced is in the way.
    InTheWay(
        /// Where it is.
        Side,
    ),
    /// None of these.
    Other,
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BothChanged => f.write_str("changed on both sides"),
            Self::BothMade => f.write_str("made on both sides, not alike"),
            Self::Deleted(side) => write!(f, "deleted {side} and changed {}", side.other()),
            Self::Kinds { here, there } => write!(f, "{here} here and {there} on the host"),
            Self::InTheWay(side) => write!(f, "something that is not synced is in its place {side}"),
            Self::Other => f.write_str("the sides differ"),
        }
    }
}

impl ConflictKind {
    /// In a word, as `--json` has it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::BothChanged => "both-changed",
            Self::BothMade => "both-made",
            Self::Deleted(Side::Local) => "deleted-local",
            Self::Deleted(Side::Remote) => "deleted-remote",
            Self::Kinds { .. } => "kinds",
            Self::InTheWay(Side::Local) => "in-the-way-local",
            Self::InTheWay(Side::Remote) => "in-the-way-remote",
            Self::Other => "other",
        }
    }
}

/// What a side's changes made of the conflict's root.
enum After<'a> {
    Unchanged,
    Deleted,
    Has { kind: &'a EntryKind, made: bool },
    ChangedInside,
    NotSynced,
}

fn after<'a>(root: &str, changes: &'a [Change]) -> After<'a> {
    let is_foreign = |entry: &Entry| matches!(entry.kind, EntryKind::Untracked | EntryKind::Problematic);
    if changes.is_empty() {
        return After::Unchanged;
    }
    if changes.iter().any(|change| change.new.as_ref().is_some_and(is_foreign)) {
        return After::NotSynced;
    }
    match changes.iter().find(|change| change.path == root) {
        Some(Change { new: None, .. }) => After::Deleted,
        Some(Change { new: Some(new), old, .. }) => After::Has { kind: &new.kind, made: old.is_none() },
        None => After::ChangedInside,
    }
}

impl Conflict {
    /// What happened, seen from this computer. `session` is the one that the conflict is from.
    #[must_use]
    pub fn kind(&self, session: &SyncSession) -> ConflictKind {
        let (local, remote) = (self.changes(session, Side::Local), self.changes(session, Side::Remote));
        match (after(&self.root, local), after(&self.root, remote)) {
            (After::NotSynced, _) => ConflictKind::InTheWay(Side::Local),
            (_, After::NotSynced) => ConflictKind::InTheWay(Side::Remote),
            (After::Unchanged, _) | (_, After::Unchanged) => ConflictKind::Other,
            (After::Deleted, After::Deleted) => ConflictKind::Other,
            (After::Deleted, _) => ConflictKind::Deleted(Side::Local),
            (_, After::Deleted) => ConflictKind::Deleted(Side::Remote),
            (After::ChangedInside, After::ChangedInside) => ConflictKind::BothChanged,
            (After::Has { kind, made }, After::Has { kind: other, made: other_made }) => {
                if kind != other {
                    ConflictKind::Kinds { here: kind.clone(), there: other.clone() }
                } else if made && other_made {
                    ConflictKind::BothMade
                } else {
                    ConflictKind::BothChanged
                }
            }
            (After::Has { kind: EntryKind::Directory, .. }, After::ChangedInside)
            | (After::ChangedInside, After::Has { kind: EntryKind::Directory, .. }) => {
                ConflictKind::BothChanged
            }
            (After::Has { kind, .. }, After::ChangedInside) => {
                ConflictKind::Kinds { here: kind.clone(), there: EntryKind::Directory }
            }
            (After::ChangedInside, After::Has { kind, .. }) => {
                ConflictKind::Kinds { here: EntryKind::Directory, there: kind.clone() }
            }
        }
    }

    /// The digest of the file that both sides had before, if it was one.
    #[must_use]
    pub fn old_digest(&self) -> Option<&str> {
        let all = [&self.alpha_changes, &self.beta_changes].into_iter().flatten().flatten();
        let mut at_root = all.filter(|change| change.path == self.root);
        let old = at_root.find_map(|change| change.old.as_ref())?;
        (old.kind == EntryKind::File && !old.digest.is_empty()).then_some(old.digest.as_str())
    }

    /// What one side changed.
    #[must_use]
    pub fn changes(&self, session: &SyncSession, side: Side) -> &[Change] {
        let alpha = side == session.side_of_alpha();
        let changes = if alpha { &self.alpha_changes } else { &self.beta_changes };
        changes.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::model::tests::sample;

    #[test]
    fn every_kind_in_words() {
        let session = sample!("conflicts");
        assert_eq!(session.conflict_count(), 7);
        let words: Vec<String> = session
            .conflicts
            .iter()
            .map(|conflict| format!("{}: {}", conflict.root, conflict.kind(&session)))
            .collect();
        assert_eq!(
            words,
            [
                "fd: a file here and a directory on the host",
                "link: a file here and a link on the host",
                "new: made on both sides, not alike",
                "one: changed on both sides",
                "sub: a file here and a directory on the host",
                "t: changed on both sides",
                "untr2: something that is not synced is in its place on the host",
            ]
        );
        let one = &session.conflicts[3];
        assert_eq!(one.changes(&session, Side::Remote)[0].path, "one");
        assert_eq!(one.old_digest(), Some("e5fa44f2b31c1fb553b6021e7360d07d5d91ff5e"));
        assert_eq!(session.conflicts[0].old_digest(), None);
        assert!(one.changes(&session, Side::Local)[0].new.as_ref().unwrap().digest.starts_with("e44a39"));
    }

    #[test]
    fn deleted_on_one_side_from_either_direction() {
        let deleted = r#""alphaChanges":[{"path":"d","old":{"kind":"file"},"new":null}],
            "betaChanges":[{"path":"d","old":{"kind":"file"},"new":{"kind":"file","digest":"00"}}]"#;
        for (protocols, words) in [
            (("local", "ssh"), "deleted here and changed on the host"),
            (("ssh", "local"), "deleted on the host and changed here"),
        ] {
            let json = format!(
                r#"[{{"alpha":{{"protocol":"{}"}},"beta":{{"protocol":"{}"}},"conflicts":[{{"root":"d",{deleted}}}]}}]"#,
                protocols.0, protocols.1
            );
            let session = &SyncSession::parse_list(&json).unwrap()[0];
            assert_eq!(session.conflicts[0].kind(session).to_string(), words);
        }
    }

    #[test]
    fn a_conflict_without_changes_or_with_an_unknown_kind_has_words_too() {
        let json = r#"[{"conflicts":[{"root":"a","alphaChanges":null},{"root":"b",
            "alphaChanges":[{"path":"b","new":{"kind":"hologram"}}],"betaChanges":[{"path":"b","new":{"kind":"file"}}]}]}]"#;
        let session = &SyncSession::parse_list(json).unwrap()[0];
        assert_eq!(session.conflicts[0].kind(session).to_string(), "the sides differ");
        assert_eq!(
            session.conflicts[1].kind(session).to_string(),
            "something else here and a file on the host"
        );
    }
}
