//! What is in a directory of this computer.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Access, access};
use sha1::{Digest, Sha1};

use super::{Entry, Kind, Listing, Rights, TEMPORARY_PREFIX};
use crate::ignore::Matcher;
use crate::process::interrupted;

/// Lists everything below `root` that is not certainly ignored. Follows no link.
///
/// # Errors
/// The directory itself cannot be read, or a signal came.
pub fn list(root: &Path, ignored: &Matcher) -> Result<Listing> {
    list_until(root, ignored, None)
}

/// As [`list`], with a time at which it gives up.
pub(super) fn list_until(root: &Path, ignored: &Matcher, until: Option<Instant>) -> Result<Listing> {
    std::fs::read_dir(root).with_context(|| format!("cannot read `{}`", root.display()))?;
    let mut listing = Listing::default();
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        in_time(until)?;
        let entries = match std::fs::read_dir(root.join(&directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                listing.unread.push(format!("{}: {error}", directory.display()));
                continue;
            }
        };
        for found in entries {
            let name = match found {
                Ok(found) => found.file_name(),
                Err(error) => {
                    listing.unread.push(format!("{}: {error}", directory.display()));
                    break;
                }
            };
            if name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()) {
                continue;
            }
            let path = directory.join(&name);
            let entry = match read(&root.join(&path)) {
                Ok(entry) => entry,
                // It went away meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    listing.unread.push(format!("{}: {error}", path.display()));
                    continue;
                }
            };
            let is_directory = entry.kind == Kind::Directory;
            if ignored.covers(&path, is_directory) {
                continue;
            }
            if is_directory {
                left.push(path.clone());
            }
            listing.entries.insert(path, entry);
        }
    }
    Ok(listing)
}

fn in_time(until: Option<Instant>) -> Result<()> {
    interrupted()?;
    if until.is_some_and(|until| Instant::now() >= until) {
        bail!("this side was not read in time");
    }
    Ok(())
}

/// What of this listing may not be read or written.
pub(super) fn rights(root: &Path, listing: &Listing) -> Rights {
    let may = |path: &Path, what: Access| access(root.join(path), what).is_ok();
    let mut rights = Rights::default();
    if !may(Path::new(""), Access::WRITE_OK) {
        rights.unwritable.insert(PathBuf::new());
    }
    for (path, entry) in &listing.entries {
        let is_directory = entry.kind == Kind::Directory;
        let reads = if is_directory { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
        if !is_directory && entry.kind != Kind::File {
            continue;
        }
        if !may(path, reads) {
            rights.unreadable.insert(path.clone());
        } else if is_directory && !may(path, Access::WRITE_OK) {
            rights.unwritable.insert(path.clone());
        }
    }
    rights
}

fn read(path: &Path) -> std::io::Result<Entry> {
    let metadata = path.symlink_metadata()?;
    let kind = kind(&metadata);
    Ok(Entry {
        kind,
        size: if kind == Kind::File { metadata.len() } else { 0 },
        mode: metadata.mode() & 0o7777,
        mtime: metadata.mtime(),
        target: if kind == Kind::Link { Some(std::fs::read_link(path)?) } else { None },
        digest: None,
    })
}

fn kind(metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        Kind::Link
    } else {
        debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device());
        Kind::Other
    }
}

/// The digests of these files below `root`. One that cannot be read has none.
///
/// # Errors
/// A signal came.
pub fn digests(root: &Path, paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, String>> {
    digests_until(root, paths, None)
}

/// As [`digests`], with a time at which it gives up.
pub(super) fn digests_until(
    root: &Path,
    paths: &[PathBuf],
    until: Option<Instant>,
) -> Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    for path in paths {
        in_time(until)?;
        if let Ok(digest) = digest_of(&root.join(path)) {
            found.insert(path.clone(), digest);
        }
    }
    Ok(found)
}

/// The digest of a file: SHA-1, as Mutagen has it unless it is told otherwise (`pkg/synchronization/hashing`).
///
/// # Errors
/// It is no file, or cannot be read.
pub fn digest_of(path: &Path) -> std::io::Result<String> {
    // A pipe would be waited for.
    if !path.symlink_metadata()?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut file = File::open(path)?;
    let mut hash = Sha1::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&piece[..n]),
        }
    }
}
