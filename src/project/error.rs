//! Why a directory cannot be a project.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::SessionId;

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
