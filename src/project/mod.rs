//! A directory becomes a [`Project`]: where its root is, what it is called, and the id of its session.
//!
//! The id is a promise between versions: Mutagen, tmux and the host's records all know a session by it. It is a
//! pure function of the canonical path, and `tests/data/session-ids.toml` pins it.

use std::io;
use std::path::{Path, PathBuf};

pub use error::{PathFault, ProjectError};
use id::name_of;
pub use id::{BadSessionId, SessionId, separate_session_id, session_id, slug};

mod error;
mod id;
mod refused;

/// The file that marks the root of a project.
pub const PROJECT_FILE: &str = ".sinc.toml";

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

#[cfg(test)]
mod tests;
