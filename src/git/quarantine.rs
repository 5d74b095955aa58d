//! A place for what is fetched, apart from the store, until git has checked all of it. What git refuses would be in the store
//! otherwise, and the next fetch would find that nothing is missing.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the store is, in the project.
pub(super) const STORE: &str = ".git/objects";

/// The place. Dropped, it is gone with what is still in it.
#[derive(Debug)]
pub(super) struct Quarantine {
    project: PathBuf,
    directory: PathBuf,
}

impl Quarantine {
    /// An empty one in this project's repository.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(project: &Path) -> io::Result<Self> {
        let directory = PathBuf::from(format!(".git/sinc/q.{}", std::process::id()));
        let place = Self { project: project.to_owned(), directory };
        place.clear();
        fs::create_dir_all(place.project.join(&place.directory))?;
        Ok(place)
    }

    /// What git is told, in the project.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The packs that are in it, in the project.
    ///
    /// # Errors
    /// It cannot be looked into.
    pub(super) fn packs(&self) -> io::Result<Vec<PathBuf>> {
        let directory = self.directory.join("pack");
        let names = files(&self.project.join(&directory))?;
        let packs = names.into_iter().filter(|path| path.extension() == Some(OsStr::new("pack")));
        Ok(packs.filter_map(|path| Some(directory.join(path.file_name()?))).collect())
    }

    /// Lets in what git has checked: all of it in packs. One is there for git when its index is, so that comes last.
    ///
    /// # Errors
    /// It cannot be moved.
    pub(super) fn let_in(self) -> io::Result<()> {
        let from = self.project.join(&self.directory).join("pack");
        let to = self.project.join(STORE).join("pack");
        fs::create_dir_all(&to)?;
        let mut files = files(&from)?;
        files.sort_by_key(|path| path.extension() == Some(OsStr::new("idx")));
        for path in files {
            if let Some(name) = path.file_name() {
                fs::rename(&path, to.join(name))?;
            }
        }
        Ok(())
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(self.project.join(&self.directory));
    }
}

/// What is in a directory.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        // All was there already.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_let_in_stays() {
        let dir = tempfile::tempdir().unwrap();
        let pack = |place: &Quarantine, name: &str| {
            let pack = dir.path().join(place.directory()).join("pack");
            fs::create_dir_all(&pack).unwrap();
            fs::write(pack.join(name), name).unwrap();
        };
        Quarantine::new(dir.path()).unwrap().let_in().unwrap();
        let place = Quarantine::new(dir.path()).unwrap();
        pack(&place, "bad.pack");
        drop(place);
        let place = Quarantine::new(dir.path()).unwrap();
        pack(&place, "a.idx");
        pack(&place, "a.pack");
        place.let_in().unwrap();
        let names = |path: &str| -> Vec<_> {
            let entries = fs::read_dir(dir.path().join(path)).unwrap().flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(".git/objects/pack"), ["a.idx", "a.pack"]);
        assert!(names(".git/sinc").is_empty());
    }
}
