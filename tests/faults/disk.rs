//! Disks of their own for the two sides: one that is small, and one that loses power.

use std::path::{Path, PathBuf};

use super::support::sandbox::Sandbox;
use super::support::{PATIENCE, wait_until};

/// Ends a file system as a power cut does: nothing that is still to be written is, not even its journal
/// (`FS_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`).
const SHUTDOWN: &str = "import fcntl,os,struct,sys; \
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system in an image, mounted where a directory was, with what was in it.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    place: PathBuf,
}

/// May we mount?
pub(crate) fn can_mount() -> bool {
    rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists()
}

impl Disk {
    /// An ext4 of this many MB in the place of a directory.
    pub(crate) fn in_place_of(sandbox: &Sandbox, place: &Path, name: &str, megabytes: u64) -> Self {
        let disk = Self { image: sandbox.root().join(name), place: place.to_owned() };
        let image = disk.image.to_str().unwrap();
        let file = std::fs::File::create_new(&disk.image).unwrap();
        file.set_len(megabytes * 1024 * 1024).unwrap();
        sandbox.run("mkfs.ext4", &["-q", "-m", "0", "-E", "lazy_itable_init=0", image]).success();
        let before = sandbox.root().join(format!("{name}.before"));
        std::fs::rename(place, &before).unwrap();
        std::fs::create_dir(place).unwrap();
        disk.mount(sandbox);
        let from = format!("{}/.", before.display());
        sandbox.run("cp", &["-a", &from, place.to_str().unwrap()]).success();
        sandbox.run("sync", &["-f", place.to_str().unwrap()]).success();
        std::fs::remove_dir_all(before).unwrap();
        disk
    }

    fn mount(&self, sandbox: &Sandbox) {
        let words = ["-o", "loop", self.image.to_str().unwrap(), self.place.to_str().unwrap()];
        sandbox.run("mount", &words).success();
    }

    /// It loses power, and comes back with what was written by then. Nothing may use it.
    pub(crate) fn lose_power(&self, sandbox: &Sandbox) {
        let place = self.place.to_str().unwrap();
        sandbox.run("python3", &["-c", SHUTDOWN, place]).success();
        sandbox.run("umount", &["-l", place]).success();
        // What was killed just now may still be ending, and a mount namespace of somebody else's have it too: while
        // anybody uses it, it would be the dead one that is mounted again.
        let image = self.image.to_str().unwrap();
        wait_until("nothing uses the disk any more", PATIENCE, || {
            sandbox.run("losetup", &["-j", image]).success().stdout.is_empty()
        });
        self.mount(sandbox);
    }

    /// Takes it out, whatever still uses it.
    pub(crate) fn unmount(&self, sandbox: &Sandbox) {
        let _ = sandbox.run("umount", &["-l", self.place.to_str().unwrap()]);
    }
}
