//! The programs that a throw-away host is made of.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Where sshd is when it is not on PATH.
const SBIN: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// Where the systems keep sftp-server.
const SFTP_SERVERS: [&str; 6] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/lib64/misc/sftp-server",
    "/usr/lib/sftp-server",
];

/// Programs that a throw-away host needs and that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(
    /// Their names.
    pub Vec<String>,
);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let are = if self.0.len() == 1 { "is" } else { "are" };
        write!(f, "a throw-away host needs `{}`, which {are} not installed", self.0.join("`, `"))
    }
}

impl std::error::Error for Missing {}

/// The programs that a host is made of.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) ssh: PathBuf,
    pub(super) scp: PathBuf,
    pub(super) keygen: PathBuf,
    pub(super) sshd: PathBuf,
    pub(super) sftp_server: PathBuf,
}

impl Programs {
    pub(super) fn find(path: &OsString) -> Result<Self, Missing> {
        let mut missing = Vec::new();
        let mut find = |name: &str, path: &OsString| {
            which::which_in(name, Some(path), "/").unwrap_or_else(|_| {
                missing.push(name.to_owned());
                PathBuf::new()
            })
        };
        let mut with_sbin = path.clone();
        with_sbin.push(":");
        with_sbin.push(SBIN);
        let (ssh, scp, keygen) = (find("ssh", path), find("scp", path), find("ssh-keygen", path));
        let sshd = find("sshd", &with_sbin);
        let sftp_server = SFTP_SERVERS.iter().map(PathBuf::from).find(|file| file.is_file());
        if sftp_server.is_none() {
            missing.push("sftp-server".to_owned());
        }
        match sftp_server {
            Some(sftp_server) if missing.is_empty() => Ok(Self { ssh, scp, keygen, sshd, sftp_server }),
            _ => Err(Missing(missing)),
        }
    }
}
