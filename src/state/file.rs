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

/// Replaces a file of a person's in one step: a link to it stays one, its mode stays, and what it said before is kept
/// beside it. Gives where.
///
/// # Errors
/// It cannot be read, kept, or written.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let why = || format!("cannot write `{}`", path.display());
    let real = path.canonicalize().with_context(why)?;
    let permissions = std::fs::metadata(&real).with_context(why)?.permissions();
    let name = real.file_name().context("a file has a name")?.to_string_lossy().into_owned();
    let mut copies = (1..).map(|n| real.with_file_name(format!("{name}.before-{n}")));
    let kept = copies.find(|copy| !copy.exists()).context("there are too many copies")?;
    let old = std::fs::read(&real).with_context(why)?;
    let temporary = real.with_file_name(format!(".{name}.{}.new", std::process::id()));
    for (file, bytes) in [(&kept, old.as_slice()), (&real, bytes)] {
        let written = (|| {
            let mut new =
                OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
            new.write_all(bytes)?;
            new.set_permissions(permissions.clone())?;
            new.sync_all()?;
            std::fs::rename(&temporary, file)
        })();
        written.inspect_err(|_| drop(std::fs::remove_file(&temporary))).with_context(why)?;
    }
    if let Some(dir) = real.parent() {
        let _ = File::open(dir).and_then(|dir| dir.sync_all());
    }
    Ok(kept)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_persons_file_is_replaced_behind_its_link_with_its_mode_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("dotfiles.toml");
        let link = dir.path().join("config.toml");
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("dotfiles.toml", &link).unwrap();
        let first = replace_file(&link, b"new").unwrap();
        let second = replace_file(&link, b"newer").unwrap();
        assert!(link.is_symlink());
        let text = |file: &Path| std::fs::read_to_string(file).unwrap();
        assert_eq!((text(&real), text(&first), text(&second)), ("newer".into(), "old".into(), "new".into()));
        for file in [&real, &first, &second] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o640);
        }
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 4, "nothing else is left");
    }
}
