//! The socket of the shared connection, and whether its master can still be alive.

use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::Destination;

/// The longest path of a control socket, bytes. OpenSSH adds a dot and 16 characters while it makes the socket,
/// and the system's limit is 108 on Linux and 104 on macOS: one byte more and the whole ssh fails (measured:
/// 91 on Linux with OpenSSH 9.2).
const LONGEST: usize = 86;

/// How long a master may take to greet. It does so at once, whatever the line does.
const GREETS: Duration = Duration::from_secs(1);

/// Where the shared connection's socket lies.
#[derive(Clone, Debug)]
pub struct ControlSocket {
    directory: PathBuf,
    path: Option<PathBuf>,
}

impl ControlSocket {
    /// The socket for this destination in the private directory `sockets`. One that forwards the ssh agent is apart:
    /// whether it does is settled when a connection is opened, for all that share it (OpenSSH 9.2).
    #[must_use]
    pub fn new(sockets: &Path, destination: &Destination, forwards_agent: bool) -> Self {
        let forwards = if forwards_agent { " and the agent" } else { "" };
        let hash = hex::encode(Sha256::digest(format!("{destination}{forwards}").as_bytes()));
        let path = sockets.join(&hash[..16]);
        let fits = path.as_os_str().as_bytes().len() <= LONGEST;
        // `%` begins a token in ssh's ControlPath, white space and quotes need an escape there.
        let plain = path.to_str().is_some_and(|path| !path.contains(['%', ' ', '"', '\t', '$']));
        Self { directory: sockets.to_owned(), path: (fits && plain).then_some(path) }
    }

    /// One of several sockets in this directory, for a connection that is not shared but ridden on.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        let name = path.file_name()?.to_str()?;
        let short = format!("{}.{}", name.get(..10)?, number % 10_000);
        Some(self.directory.join(short))
    }

    /// No socket: each call connects by itself.
    #[must_use]
    pub fn none() -> Self {
        Self { directory: PathBuf::new(), path: None }
    }

    /// The socket's path; none when it would be too long for the system.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The directory that sockets lie in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Is there a socket (of a master that may be dead)?
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path()
            .and_then(|path| path.symlink_metadata().ok())
            .is_some_and(|meta| meta.file_type().is_socket())
    }

    /// Does the master at the socket greet, as it does whoever connects (`PROTOCOL.mux` of OpenSSH)? One that is frozen does
    /// not, and an ssh that goes through it would wait without end. Asking costs no process and no round trip.
    #[must_use]
    pub fn greets(&self) -> bool {
        let Some(Ok(mut master)) = self.path().map(UnixStream::connect) else { return false };
        let mut length = [0; 4];
        master.set_read_timeout(Some(GREETS)).is_ok() && master.read_exact(&mut length).is_ok()
    }

    /// Makes the private directory. If that fails, ssh says so.
    pub fn prepare(&self) {
        if self.path.is_some() && !self.directory.is_dir() {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
            if let Err(error) = made {
                tracing::debug!(%error, directory = %self.directory.display(), "no directory for control sockets");
            }
        }
    }
}

/// The address that this computer would use towards `peer` now. Asking sends no packet. When it differs from the
/// one at the time the shared connection was made, that connection is dead though nobody has told it yet.
#[must_use]
pub fn local_address_towards(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, 22)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_or_not_plain_is_not_used() {
        let destination = Destination::parse("dev@box").unwrap();
        assert!(ControlSocket::new(Path::new("/home/dev/.sinc/cm"), &destination, false).path().is_some());
        let long = PathBuf::from(format!("/{}", "x".repeat(80)));
        assert!(ControlSocket::new(&long, &destination, false).path().is_none());
        assert!(ControlSocket::new(Path::new("/home/a b/.sinc/cm"), &destination, false).path().is_none());
    }

    #[test]
    fn a_master_that_takes_the_call_and_says_nothing_does_not_greet() {
        let dir = tempfile::tempdir().unwrap();
        let destination = Destination::parse("dev@box").unwrap();
        let control = ControlSocket::new(dir.path(), &destination, false);
        assert!(!control.greets(), "nobody is there");
        let master = std::os::unix::net::UnixListener::bind(control.path().unwrap()).unwrap();
        assert!(!control.greets());
        let greeter = std::thread::spawn(move || {
            // The first one in the queue is the one from before.
            for _ in 0..2 {
                let _ = std::io::Write::write_all(&mut master.accept().unwrap().0, &[0, 0, 0, 8]);
            }
        });
        assert!(control.greets());
        greeter.join().unwrap();
    }

    #[test]
    fn two_destinations_have_two_sockets() {
        let path =
            |text, agent| ControlSocket::new(Path::new("/s"), &Destination::parse(text).unwrap(), agent).path;
        assert_ne!(path("a@box", false), path("b@box", false));
        assert_ne!(path("a@box", false), path("a@box", true));
        assert_eq!(path("a@box", false), path("a@box", false));
    }

    #[test]
    fn loopback_is_reached_from_loopback() {
        let peer = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(local_address_towards(peer), Some(peer));
    }
}
