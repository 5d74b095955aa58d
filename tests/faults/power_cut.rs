//! The host's machine loses power: what was not written to its disk by then is lost. What sinc has said to be done is
//! not, and nothing here is lost by it.

use std::path::PathBuf;

use super::disk::{Disk, can_mount};
use super::support::e2e::{Bed, left_out};

/// A session whose host has a disk that can lose power.
struct Cut {
    bed: Bed,
    disk: Disk,
    project: PathBuf,
}

impl Cut {
    fn new() -> Option<Self> {
        if !can_mount() {
            left_out("a disk that loses power needs root, and loop devices");
            return None;
        }
        let bed = Bed::new()?;
        let disk = Disk::in_place_of(&bed.sandbox, &bed.host.remote_home(), "host-disk", 64);
        let project = bed.project("app", &[("kept", "kept\n")]);
        let cut = Self { bed, disk, project };
        cut.sinc(&["--no-attach"]);
        Some(cut)
    }

    #[track_caller]
    fn sinc(&self, words: &[&str]) -> String {
        let run = self.bed.sandbox.sinc_in(&self.project, words);
        assert_eq!(run.code, 0, "{run}");
        run.stderr
    }

    fn there(&self) -> PathBuf {
        self.bed.host.remote_home().join("workspace/app")
    }

    fn lose_power(&self) {
        self.bed.host.turn_off().unwrap();
        self.disk.lose_power(&self.bed.sandbox);
        self.bed.host.start_sshd().unwrap();
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let _ = self.bed.host.turn_off();
        self.disk.unmount(&self.bed.sandbox);
    }
}

/// Both sides change a file apart, and the host's version is as good as on its disk.
fn both_change(cut: &Cut) {
    cut.sinc(&["flush"]);
    cut.sinc(&["pause"]);
    std::fs::write(cut.project.join("kept"), "mine\n").unwrap();
    // No sync: the person's program did not ask for one either.
    std::fs::write(cut.there().join("kept"), "theirs\n").unwrap();
}

fn in_backups(cut: &Cut) -> Vec<String> {
    let mut dirs = vec![cut.bed.host.remote_home().join(".local/state/sinc/backups")];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => dirs.push(entry.path()),
                false if entry.file_name() == "kept" => {
                    found.push(std::fs::read_to_string(entry.path()).unwrap());
                }
                false => {}
            }
        }
    }
    found
}

#[test]
fn what_resolve_kept_is_there_after_a_power_cut() {
    let Some(cut) = Cut::new() else { return };
    both_change(&cut);
    let resumed = cut.bed.sandbox.sinc_in(&cut.project, &["resume"]);
    assert!(resumed.stderr.contains("conflict"), "{resumed}");
    cut.sinc(&["resolve", "--all", "--local"]);
    cut.lose_power();
    assert_eq!(in_backups(&cut), ["theirs\n"]);
}

#[test]
fn what_push_kept_is_there_after_a_power_cut() {
    let Some(cut) = Cut::new() else { return };
    both_change(&cut);
    cut.sinc(&["push", "--yes"]);
    cut.lose_power();
    assert_eq!(in_backups(&cut), ["theirs\n"]);
}

#[test]
fn marker_and_claim_are_whole_after_a_power_cut() {
    let Some(cut) = Cut::new() else { return };
    cut.lose_power();
    let marker = std::fs::read_to_string(cut.there().join(".sinc-session")).unwrap();
    let id = marker.lines().next().unwrap().strip_prefix("id ").unwrap();
    let claim = cut.bed.host.remote_home().join(".local/state/sinc/sessions").join(id);
    let claim = std::fs::read_to_string(claim).unwrap();
    assert!(claim.starts_with(&format!("id {id}\ndir {}\n", cut.there().display())), "{claim}");
    assert!(claim.lines().last().unwrap().starts_with("written "), "{claim}");
}
