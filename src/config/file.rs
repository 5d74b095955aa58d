//! Reading text files with care.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::error::ConfigError;

/// The largest configuration or ignore file that is read.
const LARGEST: u64 = 1024 * 1024;

/// Reads the user's own file; nothing if there is none. It may be a link, or a pipe of the user's shell.
pub(super) fn read_own(path: &Path) -> Result<Option<String>, ConfigError> {
    match File::open(path) {
        Ok(file) => read(path, file).and_then(|bytes| text(path, bytes)).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(could_not_read(path, &error)),
    }
}

/// Reads a file in a synced tree, which the host can have put there; nothing if there is none.
///
/// Only regular files: a link could show a file from elsewhere, and a named pipe would wait for ever.
pub fn read_synced(path: &Path) -> Result<Option<String>, ConfigError> {
    match read_synced_bytes(path)? {
        Some(bytes) => text(path, bytes).map(Some),
        None => Ok(None),
    }
}

/// As [`read_synced`], for a file that is git's: bytes that are no UTF-8 become `�`.
pub fn read_synced_lossy(path: &Path) -> Result<Option<String>, ConfigError> {
    Ok(read_synced_bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn read_synced_bytes(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let not_regular = |what: &str| Err(ConfigError::of_file(path, format!("not read, because it is {what}")));
    // Without waiting for the other end of a pipe, and without following a link.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY).bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => {
            return not_regular("a link, and the host can write in this directory");
        }
        Err(error) => return Err(could_not_read(path, &error)),
    };
    let meta = file.metadata().map_err(|error| could_not_read(path, &error))?;
    if meta.is_dir() {
        return not_regular("a directory");
    }
    if !meta.is_file() {
        return not_regular("not a regular file");
    }
    read(path, file).map(Some)
}

fn read(path: &Path, file: File) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| could_not_read(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(ConfigError::of_file(path, "not read, because it is larger than 1 MB".to_owned()));
    }
    Ok(bytes)
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        ConfigError::of_file(path, format!("line {line} is not UTF-8"))
    })
}

fn could_not_read(path: &Path, error: &io::Error) -> ConfigError {
    let why = match error.kind() {
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is not a directory".to_owned(),
        _ => error.to_string(),
    };
    ConfigError::of_file(path, format!("could not read the file: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<Option<String>, ConfigError>) -> String {
        result.unwrap_err().message
    }

    #[test]
    fn own_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        assert_eq!(read_own(&file), Ok(None));
        std::fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, dir.path().join("link")).unwrap();
        assert_eq!(read_own(&dir.path().join("link")), Ok(Some("a".to_owned())));
        assert_eq!(read_own(Path::new("/dev/null")), Ok(Some(String::new())));
        assert_eq!(message(read_own(dir.path())), "could not read the file: it is a directory");
        let below = message(read_own(&file.join("x")));
        assert_eq!(below, "could not read the file: a part of its path is not a directory");
        std::fs::write(&file, b"# fine\ncaf\xe9\n").unwrap();
        assert_eq!(message(read_own(&file)), "line 2 is not UTF-8");
    }

    #[test]
    fn synced_files_are_regular_and_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(read_synced(&path("nothing")), Ok(None));
        std::fs::write(path("file"), "a").unwrap();
        assert_eq!(read_synced(&path("file")), Ok(Some("a".to_owned())));

        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert!(message(read_synced(&path("link"))).contains("it is a link"));
        assert!(message(read_synced(dir.path())).contains("it is a directory"));

        // rustix cannot make a pipe on macOS.
        #[cfg(target_os = "linux")]
        {
            rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
                .unwrap();
            assert!(message(read_synced(&path("pipe"))).contains("not a regular file"));
        }

        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert!(read_synced(&path("socket")).is_err());

        std::fs::write(path("large"), "a\n".repeat(5 * 1024 * 1024)).unwrap();
        assert!(message(read_synced(&path("large"))).contains("larger than 1 MB"));
        std::fs::write(path("limit"), "a".repeat(1024 * 1024)).unwrap();
        assert!(read_synced(&path("limit")).is_ok());

        std::fs::write(path("garbage"), b"\xff\xfe\x00\x01").unwrap();
        assert_eq!(message(read_synced(&path("garbage"))), "line 1 is not UTF-8");
        assert!(read_synced_lossy(&path("garbage")).unwrap().unwrap().starts_with('\u{fffd}'));
    }
}
