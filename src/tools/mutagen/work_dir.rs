//! A place to put things together before they are moved to where they belong.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, io};

/// A directory to work in, beside the place that the result is renamed to; goes away with this value. Its name has
/// the process's number, so that what a killed sinc left is known and removed by the next.
pub(super) struct WorkDir(pub(super) PathBuf);

const WORK_DIR: &str = "fetch-";

impl WorkDir {
    pub(super) fn new(data_dir: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(data_dir)?;
        remove_left_over(data_dir);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = data_dir.join(format!("{WORK_DIR}{}-{count}", std::process::id()));
        // A sinc of the same number may have been killed here long ago.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What is left is removed by the next one.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn remove_left_over(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix(WORK_DIR)?.split('-').next()?.parse().ok());
        let Some(process) = number.and_then(rustix::process::Pid::from_raw) else { continue };
        if rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_one_left_is_removed_and_a_running_one_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let running = format!("{WORK_DIR}{}-77", std::process::id());
        for name in [&running, &format!("{WORK_DIR}{}-0", i32::MAX), "fetch-notes"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        drop(WorkDir::new(dir.path()).unwrap());
        assert_eq!(
            {
                let mut names: Vec<_> =
                    fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                names.sort();
                names
            },
            [running.as_str(), "fetch-notes"]
        );
    }
}
