//! What is in a directory on either side, and how two such listings differ.
//!
//! A listing only reads. What an ignore rule certainly covers is left out; what it may or may not cover counts as present.

mod compare;
mod encoded;
mod local;
mod pair;
mod remote;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use compare::{Difference, What, compare, settled, tops, undecided};
pub use encoded::{decode, encode};
pub use local::{digest_of, digests as local_digests, list as list_local};
pub use pair::{Pair, Rights, affordable};
pub use remote::{contents as remote_contents, digests as remote_digests, list as list_remote, scripts};

use crate::tools::mutagen::Reason;

/// Names that Mutagen passes over in every scan (`TemporaryNamePrefix` in `pkg/filesystem/temporary.go`): what sinc puts
/// aside for a moment is called so.
pub const TEMPORARY_PREFIX: &str = ".mutagen-temporary-";

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device: never synced.
    Other,
}

impl Kind {
    /// In a word, as `--json` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Link => "link",
            Self::Other => "other",
        }
    }
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// A file's size, bytes; 0 for all else.
    pub size: u64,
    /// The permission bits.
    pub mode: u32,
    /// When its content was changed last, seconds since 1970.
    pub mtime: i64,
    /// Where a link leads.
    pub target: Option<PathBuf>,
    /// The SHA-1 of a file's content, hexadecimal as Mutagen writes it; only where it was asked for.
    pub digest: Option<String>,
}

impl Entry {
    /// Can anybody execute it? The one thing of a mode that is synced (`anyExecutableBitSet` in Mutagen's `core`).
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.kind == Kind::File && self.mode & 0o111 != 0
    }
}

/// What is in a directory: paths below it.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Each path with what it is; a directory stands before what is in it.
    pub entries: BTreeMap<PathBuf, Entry>,
    /// What could not be read, in words: nothing is known of what is below it.
    pub unread: Vec<String>,
}

impl Listing {
    /// The files' digests, as far as they were asked for and could be had.
    pub fn add_digests(&mut self, digests: BTreeMap<PathBuf, String>) {
        for (path, digest) in digests {
            if let Some(entry) = self.entries.get_mut(&path) {
                entry.digest = Some(digest);
            }
        }
    }

    /// The entries at and below a path.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
        let from =
            self.entries.range::<Path, _>((std::ops::Bound::Included(path), std::ops::Bound::Unbounded));
        from.take_while(move |(at, _)| at.starts_with(path)).map(|(at, entry)| (at.as_path(), entry))
    }
}

/// The longest target of a link that Mutagen carries over (`symbolic_link.go`).
const LONGEST_TARGET: usize = 247;

/// Why Mutagen leaves a link alone on its side: it carries over only what is relative, inside of the directory, and a link on
/// every system (`symlink.mode: portable`).
#[must_use]
pub fn link_fault(path: &Path, target: &Path) -> Option<Reason> {
    use std::path::Component;
    let bytes = target.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || bytes.len() > LONGEST_TARGET || bytes.iter().any(|byte| b":\\".contains(byte)) {
        return Some(Reason::OddLink);
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return Some(Reason::AbsoluteLink),
            Component::ParentDir if depth == 0 => return Some(Reason::LinkOut),
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
