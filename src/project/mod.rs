//! A directory becomes a [`Project`]: where its root is, what it is called, and the id of its session.
//!
//! The id is a promise between versions: Mutagen, tmux and the host's records all know a session by it. It is a
//! pure function of the canonical path, and `tests/data/session-ids.toml` pins it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod refused;

/// The file that marks the root of a project.
pub const PROJECT_FILE: &str = ".sinc.toml";

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
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A directory that is, or is to be, kept in step with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The canonical path of the directory.
    pub root: PathBuf,
    /// The directory's own name: what its directory on the host is called.
    pub name: String,
    /// The session's id.
    pub id: SessionId,
}

/// What [`find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The project.
    pub project: Project,
    /// The canonical directory that was asked about, when it lies below the project's root.
    pub asked_from: Option<PathBuf>,
}

/// Finds the project of the directory `cwd`.
///
/// The project is the nearest of `cwd` and its parents that has a [`PROJECT_FILE`] or is the root of a known session
/// (`sessions`: canonical paths); otherwise `cwd` itself. `home` and `tmp` are the user's home and temporary
/// directories, and `force` allows directories that nobody means. A known session keeps the id that it has.
pub fn find(
    cwd: &Path,
    sessions: &[(SessionId, PathBuf)],
    home: &Path,
    tmp: &Path,
    force: bool,
) -> Result<Found, ProjectError> {
    let canonical = |path: &Path| {
        path.canonicalize().map_err(|source| ProjectError::NotADirectory { path: path.to_owned(), source })
    };
    let asked = canonical(cwd)?;
    if !asked.is_dir() {
        let source = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(ProjectError::NotADirectory { path: asked, source });
    }
    check_characters(&asked)?;

    let refused = refused::Refused::new(home, tmp);
    let known = |dir: &Path| sessions.iter().find(|(_, root)| root == dir);
    let marked = |dir: &Path| has_project_file(dir) && refused.reason(dir).is_none();
    let root = asked.ancestors().find(|dir| known(dir).is_some() || marked(dir)).unwrap_or(&asked).to_owned();

    for (id, other) in sessions {
        if root != *other && root.starts_with(other) {
            return Err(ProjectError::InsideSession { root, id: id.clone(), session_root: other.clone() });
        }
        if root != *other && other.starts_with(&root) {
            return Err(ProjectError::ContainsSession { root, id: id.clone(), session_root: other.clone() });
        }
    }

    let text = check_characters(&root)?;
    let id = match known(&root) {
        Some((id, _)) => id.clone(),
        None => match refused.reason(&root) {
            Some(reason) if !force => return Err(ProjectError::RefusedDirectory { root, reason }),
            _ => session_id(text),
        },
    };
    let name = match name_of(text) {
        "" => "project".to_owned(),
        name => name.to_owned(),
    };
    let asked_from = (asked != root).then_some(asked);
    Ok(Found { project: Project { root, name, id }, asked_from })
}

/// A link counts, even one that leads nowhere: the person put a project file there.
fn has_project_file(dir: &Path) -> bool {
    dir.join(PROJECT_FILE).symlink_metadata().is_ok_and(|meta| meta.is_file() || meta.is_symlink())
}

/// The path as text, if no tool on the way will choke on it.
fn check_characters(path: &Path) -> Result<&str, ProjectError> {
    let bad = |fault| ProjectError::BadPath { path: path.to_owned(), fault };
    let text = path.to_str().ok_or_else(|| bad(PathFault::NotUtf8))?;
    if text.contains('\n') {
        return Err(bad(PathFault::Newline));
    }
    if text.contains(char::is_control) {
        return Err(bad(PathFault::ControlCharacter));
    }
    Ok(text)
}

/// What is wrong with the characters of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// Its bytes are not UTF-8, which Mutagen refuses.
    NotUtf8,
    /// It holds a newline, which ends a line of sinc's records on the host.
    Newline,
    /// It holds another control character.
    ControlCharacter,
}

/// Why a directory cannot be a project.
#[derive(Debug)]
pub enum ProjectError {
    /// The directory is not there, is none, or cannot be reached.
    NotADirectory {
        /// What was asked about.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path has characters that cannot be carried. Nothing overrides this.
    BadPath {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// A directory that nobody means. `force` overrides this.
    RefusedDirectory {
        /// The directory.
        root: PathBuf,
        /// What it is, to end the sentence "… is refused: ".
        reason: &'static str,
    },
    /// The directory lies in that of another session: two syncs of one tree.
    InsideSession {
        /// The directory.
        root: PathBuf,
        /// The outer session.
        id: SessionId,
        /// The outer session's directory.
        session_root: PathBuf,
    },
    /// Another session's directory lies in this one: two syncs of one tree.
    ContainsSession {
        /// The directory.
        root: PathBuf,
        /// The inner session.
        id: SessionId,
        /// The inner session's directory.
        session_root: PathBuf,
    },
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProjectError::NotADirectory { path, .. } => {
                write!(f, "could not enter the directory `{}`", shown(path))
            }
            ProjectError::BadPath { path, fault } => {
                let fault = match fault {
                    PathFault::NotUtf8 => "is not UTF-8",
                    PathFault::Newline => "contains a newline",
                    PathFault::ControlCharacter => "contains a control character",
                };
                write!(f, "the path `{}` {fault}: rename the directory to use it as a project", shown(path))
            }
            ProjectError::RefusedDirectory { root, reason } => {
                write!(f, "`{}` is refused as a project: {reason}", shown(root))
            }
            ProjectError::InsideSession { root, id, session_root } => {
                let (root, outer) = (shown(root), shown(session_root));
                write!(f, "`{root}` lies inside `{outer}`, which the session {id} already syncs")
            }
            ProjectError::ContainsSession { root, id, session_root } => {
                let (root, inner) = (shown(root), shown(session_root));
                write!(f, "`{root}` contains `{inner}`, which the session {id} already syncs")
            }
        }
    }
}

impl std::error::Error for ProjectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ProjectError::NotADirectory { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A path without anything that could move the cursor of the terminal it is printed on.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests;
