//! What a link did, for people who look for a fault: a file that does not grow without end.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file begins anew when it is larger than this, bytes; the one before is kept beside it.
const LIMIT: u64 = 256 * 1024;

/// The log of one link.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// The log of the host with this word, in `directory`.
    #[must_use]
    pub fn new(directory: &Path, word: &str) -> Self {
        Self { path: directory.join(format!("link-{word}.log")) }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line, with the time in seconds since 1970. A full disk costs the line, not the work.
    pub fn note(&self, text: &str) {
        if std::fs::metadata(&self.path).is_ok_and(|meta| meta.len() > LIMIT) {
            let _ = std::fs::rename(&self.path, self.path.with_extension("1.log"));
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} {}\n", at.as_secs(), at.subsec_millis(), text.replace('\n', " | "));
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        let file = options.open(&self.path).or_else(|_| {
            std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/")))?;
            options.open(&self.path)
        });
        if let Ok(mut file) = file {
            let _ = file.write_all(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(&dir.path().join("logs"), "sinc-x");
        let long = "x".repeat(10_000);
        for _ in 0..60 {
            log.note(&long);
        }
        let sizes: Vec<u64> = std::fs::read_dir(dir.path().join("logs"))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= LIMIT + 11_000), "{sizes:?}");
    }
}
