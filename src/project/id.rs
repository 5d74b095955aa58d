//! Session ids.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest slug in a session id.
const SLUG_LENGTH: usize = 40;

/// The longest session id: it is also the value of a Mutagen label, and those end at 63 characters.
const ID_LENGTH: usize = 63;

/// The name of a session in Mutagen, in tmux and in every record.
///
/// Only `[a-z][a-z0-9-]*`, at most 63 characters and not ending in `-`: legal in Mutagen names and labels and in
/// tmux names, and the same word in every shell without quotes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

impl SessionId {
    /// Takes `text` as an id if it is one.
    pub fn parse(text: &str) -> Result<SessionId, BadSessionId> {
        let legal = text.len() <= ID_LENGTH
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if legal { Ok(SessionId(text.to_owned())) } else { Err(BadSessionId(text.to_owned())) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SessionId {
    type Error = BadSessionId;

    fn try_from(text: String) -> Result<SessionId, BadSessionId> {
        SessionId::parse(&text)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> String {
        id.0
    }
}

/// A text that is no session id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSessionId(pub String);

impl fmt::Display for BadSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.escape_debug();
        write!(f, "`{text}` is not a session id: small letters, digits and `-`, beginning with a letter")
    }
}

impl std::error::Error for BadSessionId {}

/// A directory's name reduced to what a session id may hold.
///
/// ASCII letters are lowered, each run of other bytes than `[a-z0-9-]` becomes one `-`; trimmed, cut at 40
/// characters, trimmed again; `project` if nothing is left.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    let mut in_run = false;
    for byte in name.bytes().map(|b| b.to_ascii_lowercase()) {
        let kept = byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if kept {
            slug.push(char::from(byte));
        } else if !in_run {
            slug.push('-');
        }
        in_run = !kept;
    }
    let slug = slug.trim_matches('-');
    // All ASCII by now, so a byte is a character.
    let slug = slug.get(..SLUG_LENGTH).unwrap_or(slug).trim_matches('-');
    if slug.is_empty() { "project".to_owned() } else { slug.to_owned() }
}

/// The session id of the project at `path`, a canonical absolute path.
pub fn session_id(path: &str) -> SessionId {
    id_with_hash(path, &[path.as_bytes()])
}

/// The session id of the project at `path` where another computer has the same path and the two are to be kept
/// apart. `machine` is what tells the computers apart.
pub fn separate_session_id(machine: &str, path: &str) -> SessionId {
    id_with_hash(path, &[machine.as_bytes(), b"\0", path.as_bytes()])
}

fn id_with_hash(path: &str, hashed: &[&[u8]]) -> SessionId {
    let mut hash = Sha256::new();
    for part in hashed {
        hash.update(part);
    }
    let digest = hex::encode(hash.finalize());
    SessionId(format!("sinc-{}-{}", slug(name_of(path)), &digest[..6]))
}

/// The last component of a canonical path; nothing for `/`.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
