//! Small files that are either the old or the new one at any time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file of sinc's own that cannot be understood.
#[derive(Debug)]
pub struct Damaged {
    path: PathBuf,
    why: serde_json::Error,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is damaged", self.path.display())
    }
}

impl std::error::Error for Damaged {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

/// Makes a directory, and those above it, for this user only.
///
/// # Errors
/// It cannot be made.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the directory `{}`", dir.display()))
}

/// Writes a file so that it is either the old or the new one at any time, also after a power cut; once this has
/// returned, the new one.
///
/// # Errors
/// It cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes)?;
    // The name is there; that a file system cannot be asked to write it down at once is no reason to fail.
    if let Some(dir) = path.parent() {
        let _ = File::open(dir).and_then(|dir| dir.sync_all());
    }
    Ok(())
}

/// The same for what says nothing that is needed after a power cut, and is written often: the name may be the old one then.
pub(super) fn write_hint(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().context("a file has a directory")?;
    make_private_dir(dir)?;
    let name = path.file_name().context("a file has a name")?.to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
    let written = (|| {
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    written
        .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_file(path, &json(value)?)
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).context("cannot put a record into JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|why| Damaged { path: path.to_owned(), why }.into())
}

pub(super) fn read_all<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", dir.display())),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            all.extend(read_json(&path)?);
        }
    }
    Ok(all)
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
