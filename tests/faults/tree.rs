//! What is in a directory.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::content::{self, Found};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File { found: Found, executable: bool },
    Link { found: Found },
}

impl Node {
    /// The version that it is.
    pub(crate) fn found(&self) -> Option<Found> {
        match self {
            Self::Directory => None,
            Self::File { found, .. } | Self::Link { found } => Some(*found),
        }
    }
}

/// Everything below a path, or the path itself if it is no directory. What is taken away meanwhile is left out.
pub(crate) fn read(root: &Path) -> BTreeMap<PathBuf, Node> {
    let mut nodes = BTreeMap::new();
    add(root, Path::new(""), &mut nodes);
    nodes
}

fn add(root: &Path, relative: &Path, nodes: &mut BTreeMap<PathBuf, Node>) {
    let path = if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(relative) };
    let Ok(metadata) = path.symlink_metadata() else { return };
    let node = if metadata.is_dir() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let own = name.to_string_lossy();
            // sinc's marker, what Mutagen has not put in its place yet, and what is git's.
            let other = [".sinc-session", ".mutagen-temporary", ".git"];
            if !other.iter().any(|start| own.starts_with(start)) {
                add(root, &relative.join(name), nodes);
            }
        }
        Node::Directory
    } else if metadata.is_symlink() {
        let Ok(target) = std::fs::read_link(&path) else { return };
        Node::Link { found: content::link_version(&target) }
    } else {
        let Ok(bytes) = std::fs::read(&path) else { return };
        Node::File { found: content::version(&bytes), executable: metadata.permissions().mode() & 0o100 != 0 }
    };
    if !relative.as_os_str().is_empty() || node != Node::Directory {
        nodes.insert(relative.to_owned(), node);
    }
}

/// The versions below a path.
pub(crate) fn versions(root: &Path) -> Vec<u64> {
    let whole = |node: &Node| match node.found() {
        Some(Found::Whole(number)) => Some(number),
        _ => None,
    };
    read(root).values().filter_map(whole).collect()
}
