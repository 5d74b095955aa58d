//! The disk below a project goes away while everything runs: nothing is deleted on the other side, and when it is back
//! changes are noticed at once again.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::steps;
use crate::support::e2e::{Bed, left_out};
use crate::support::{PATIENCE, wait_until};

/// More than the brake lets through, in one directory: Mutagen would empty the other side.
const FILES: usize = 80;

/// Sooner than the cycle that the link asks for by itself: the change was seen.
const SEEN: Duration = Duration::from_secs(20);

/// A disk of 8 MB, mounted at a place for as long as this lives.
pub(crate) struct Disk<'a> {
    bed: &'a Bed,
    place: PathBuf,
    copy: PathBuf,
}

impl<'a> Disk<'a> {
    /// Only root can; elsewhere the test is left out, and says so.
    #[track_caller]
    pub(crate) fn at(bed: &'a Bed, place: &Path) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !cfg!(target_os = "linux") {
            left_out("only root on Linux can mount a file system");
            return None;
        }
        let disk = Self { bed, place: place.to_owned(), copy: bed.host.dir().join("copy") };
        std::fs::create_dir_all(place).unwrap();
        disk.mount();
        Some(disk)
    }

    #[track_caller]
    fn run(&self, words: &[&str]) {
        self.bed.sandbox.run(words[0], &words[1..]).success();
    }

    fn mount(&self) {
        self.run(&["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "none", self.place.to_str().unwrap()]);
    }

    #[track_caller]
    fn unmount(&self) {
        self.run(&["cp", "-a", self.place.to_str().unwrap(), self.copy.to_str().unwrap()]);
        self.run(&["umount", self.place.to_str().unwrap()]);
    }

    #[track_caller]
    fn mount_again(&self) {
        self.mount();
        let all = format!("{}/.", self.copy.display());
        self.run(&["cp", "-a", &all, self.place.to_str().unwrap()]);
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = self.bed.sandbox.run("umount", &["-l", self.place.to_str().unwrap()]);
    }
}

/// What the link says of its only session.
#[track_caller]
fn session(bed: &Bed) -> serde_json::Value {
    let run = bed.sandbox.sinc(&["link", "status", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let sessions = json["data"]["links"][0]["sessions"].as_object().cloned().unwrap_or_default();
    sessions.into_iter().next().map(|(_, session)| session).unwrap_or_default()
}

fn unmounted(on_host: bool, with_link: bool) {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[]);
    let there = steps::there(&bed, "app");
    let (place, other) = if on_host { (&there, &here) } else { (&here, &there) };
    let Some(disk) = Disk::at(&bed, place) else { return };
    for number in 0..FILES {
        steps::write(&here.join(format!("src/{number}")), &format!("{number}\n"));
    }
    bed.sandbox.sinc_in(&here, &["--no-attach", "--yes"]).success();
    wait_until("the link has looked", PATIENCE, || session(&bed)["looking"] == false);
    bed.sandbox.sinc_in(&here, &["flush"]).success();
    // The agent stands in the directory there, ssh's shared connection in the one here.
    steps::tmux_there(&bed, &["kill-server"]).success();
    steps::end_shared_connection(&bed);
    if !with_link {
        bed.sandbox.sinc(&["link", "stop"]).success();
    }
    let whole = steps::tree(other);
    disk.unmount();
    if with_link {
        wait_until("the link holds it", SEEN, || {
            let stands = session(&bed)["stands"].clone();
            stands == "held" || on_host && stands == "paused"
        });
    }
    let flushed = bed.sandbox.sinc_in(&here, &["flush"]).exits(1);
    assert_eq!(steps::tree(other), whole, "{flushed}");
    assert!(steps::syncs(&bed.sandbox)[0]["paused"] == true, "{flushed}");
    assert!(flushed.stderr.contains("is held: ") || on_host, "{flushed}");

    disk.mount_again();
    let run = bed.sandbox.sinc_in(&here, &["resume", "--restore"]);
    let run = if run.code == 0 { run } else { steps::connect(&bed.sandbox, &here) };
    bed.sandbox.sinc_in(&here, &["flush"]).success();
    assert_eq!((&steps::tree(&here), &steps::tree(&there)), (&whole, &whole), "{run}");
    // And it is watched again.
    wait_until("the link has looked", PATIENCE, || {
        let session = session(&bed);
        session["looking"] == false && session["stands"].is_null()
    });
    for (number, (from, to)) in [(&here, &there), (&there, &here)].into_iter().enumerate() {
        // The next cycle by itself is 30 s away.
        bed.sandbox.sinc_in(&here, &["flush"]).success();
        let name = format!("src/edited {number}");
        steps::write(&from.join(&name), "x");
        steps::wait_text_within(&to.join(&name), "x", SEEN);
        let name = format!("src/edited {number} again");
        steps::write(&from.join(&name), "x");
        steps::wait_text_within(&to.join(&name), "x", Duration::from_secs(8));
    }
}

#[test]
fn here_with_the_link() {
    unmounted(false, true);
}

#[test]
fn here_while_no_link_runs() {
    unmounted(false, false);
}

#[test]
fn on_the_host_with_the_link() {
    unmounted(true, true);
}

#[test]
fn on_the_host_while_no_link_runs() {
    unmounted(true, false);
}
