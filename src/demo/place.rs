//! Where a throw-away host lives: its directory and its port.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// The longest path of the host's directory, bytes. The longest socket below it is
/// `home/.local/share/sinc/mutagen/daemon/daemon.sock`, and macOS allows 103 bytes for the whole.
const LONGEST_DIR: usize = 48;

/// Makes a directory in `/tmp` that nobody else can look into.
pub(super) fn private_dir() -> std::io::Result<PathBuf> {
    loop {
        let dir = PathBuf::from(format!("/tmp/sinc-{:08x}", random() as u32));
        match make_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| dir),
        }
    }
}

/// Is this a directory that a host can live in: short enough for sockets below it, ours alone, empty, and a
/// path that needs no quoting in anybody's configuration?
pub(super) fn check(dir: &Path) -> anyhow::Result<()> {
    let shown = dir.display();
    ensure!(dir.is_absolute() && is_plain(dir), "the path `{shown}` is unusual");
    ensure!(
        dir.as_os_str().len() <= LONGEST_DIR,
        "the path `{shown}` is longer than {LONGEST_DIR} bytes: sockets below it would have no room"
    );
    let mode =
        std::fs::metadata(dir).with_context(|| format!("could not use `{shown}`"))?.permissions().mode();
    ensure!(mode & 0o077 == 0, "the directory `{shown}` is open to others");
    ensure!(std::fs::read_dir(dir)?.next().is_none(), "the directory `{shown}` is not empty");
    Ok(())
}

/// A path that no shell and no configuration file reads as anything else.
pub(super) fn is_plain(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"/._+-".contains(b))
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// A port below those that the system gives to outgoing connections, so that it is still there when the server
/// comes back.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let mut candidates = (0..1000).map(|_| 20_000 + (random() % 12_000) as u16);
    candidates
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .context("no free port on 127.0.0.1")
}

pub(super) fn make_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(dir)
}

pub(super) fn write_program(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(file, text)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_will_not_do_is_refused_with_the_reason() {
        let said = |dir: &Path| check(dir).unwrap_err().to_string();
        assert!(said(Path::new("/tmp/a b")).contains("unusual"));
        assert!(said(Path::new("relative")).contains("unusual"));
        assert!(said(Path::new(&format!("/tmp/{}", "x".repeat(60)))).contains("longer than 48 bytes"));
        let dir = private_dir().unwrap();
        check(&dir).unwrap();
        std::fs::write(dir.join("file"), "").unwrap();
        assert!(said(&dir).contains("not empty"));
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(said(&dir).contains("open to others"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
