//! Directories that nobody means as a project.

use std::path::{Path, PathBuf};

const SYSTEM: &str = "it belongs to the operating system";
const SHARED: &str = "it holds other people's directories, or mounts";
const TEMPORARY: &str = "it holds everybody's temporary files";
const HOME: &str = "it is your home directory, with your keys and every other project in it";
const ABOVE_HOME: &str = "your home directory lies inside it";
const SECRETS: &str = "it holds your keys, or the settings and data of your programs";

/// Directories of a system, refused themselves; what lies in them is not.
const FIXED: &[(&str, &str)] = &[
    ("/", "it is the whole computer"),
    ("/root", "it is the home directory of root"),
    ("/etc", SYSTEM),
    ("/usr", SYSTEM),
    ("/var", SYSTEM),
    ("/boot", SYSTEM),
    ("/dev", SYSTEM),
    ("/proc", SYSTEM),
    ("/sys", SYSTEM),
    ("/run", SYSTEM),
    ("/bin", SYSTEM),
    ("/sbin", SYSTEM),
    ("/home", SHARED),
    ("/opt", SHARED),
    ("/mnt", SHARED),
    ("/media", SHARED),
    ("/srv", SHARED),
    ("/tmp", TEMPORARY),
    ("/var/tmp", TEMPORARY),
    ("/dev/shm", TEMPORARY),
    // macOS
    ("/Users", SHARED),
    ("/Volumes", SHARED),
    ("/Applications", SYSTEM),
    ("/Library", SYSTEM),
    ("/System", SYSTEM),
    ("/private", SYSTEM),
    ("/private/etc", SYSTEM),
    ("/private/var", SYSTEM),
    ("/private/tmp", TEMPORARY),
    ("/private/var/tmp", TEMPORARY),
];

/// Directories in the home directory that programs and keys live in.
const IN_HOME: &[&str] =
    &[".ssh", ".gnupg", ".config", ".local", ".local/share", ".local/state", ".cache", "Library"];

/// The refused directories of this user on this computer.
pub(super) struct Refused {
    home: PathBuf,
    tmp: PathBuf,
}

impl Refused {
    pub(super) fn new(home: &Path, tmp: &Path) -> Refused {
        Refused { home: canonical(home), tmp: canonical(tmp) }
    }

    /// Why the canonical directory `dir` is refused, if it is.
    pub(super) fn reason(&self, dir: &Path) -> Option<&'static str> {
        if let Some((_, reason)) = FIXED.iter().find(|(name, _)| dir == Path::new(name)) {
            return Some(reason);
        }
        if dir == self.home {
            return Some(HOME);
        }
        if self.home.starts_with(dir) {
            return Some(ABOVE_HOME);
        }
        if dir == self.tmp {
            return Some(TEMPORARY);
        }
        if dir.strip_prefix(&self.home).is_ok_and(|below| IN_HOME.iter().any(|name| below == Path::new(name)))
        {
            return Some(SECRETS);
        }
        let parent = dir.parent()?;
        let is_library = parent == Path::new("/")
            && dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"lib"));
        if is_library || parent == Path::new("/usr") || dir.starts_with("/proc") || dir.starts_with("/sys") {
            return Some(SYSTEM);
        }
        // Where a listed directory is a link (/home -> /var/home, /tmp -> /private/tmp), what it leads to.
        FIXED.iter().find(|(name, _)| canonical(Path::new(name)) == dir).map(|(_, reason)| *reason)
    }
}

/// The canonical path, or the path itself where there is nothing.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(dir: &str) -> Option<&'static str> {
        let refused =
            Refused { home: PathBuf::from("/data/people/ann"), tmp: PathBuf::from("/data/scratch/ann") };
        refused.reason(Path::new(dir))
    }

    #[test]
    fn directories_that_nobody_means() {
        for (dir, want) in FIXED {
            assert_eq!(reason(dir), Some(*want), "{dir}");
        }
        for dir in ["/usr/local", "/usr/src", "/lib", "/lib64", "/libx32", "/proc/1", "/sys/kernel"] {
            assert_eq!(reason(dir), Some(SYSTEM), "{dir}");
        }
        assert_eq!(reason("/data/people/ann"), Some(HOME));
        assert_eq!(reason("/data/people"), Some(ABOVE_HOME));
        assert_eq!(reason("/data"), Some(ABOVE_HOME));
        assert_eq!(reason("/data/scratch/ann"), Some(TEMPORARY));
        assert_eq!(reason("/data/people/ann/.ssh"), Some(SECRETS));
        assert_eq!(reason("/data/people/ann/.config"), Some(SECRETS));
    }

    #[test]
    fn directories_that_somebody_may_mean() {
        for dir in [
            "/data/people/ann/app",
            "/data/people/annabel",
            "/data/people/ann/.config/nvim",
            "/data/scratch/ann/app",
            "/tmp/app",
            "/srv/app",
            "/opt/app",
            "/usr/local/app",
            "/root/app",
            "/home/ben/app",
            "/etc/nginx",
            "/library/app",
            "/media/disk/app",
        ] {
            assert_eq!(reason(dir), None, "{dir}");
        }
    }
}
