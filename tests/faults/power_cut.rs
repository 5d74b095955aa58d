//! The host's machine loses power: what was not written to its disk by then is lost. What sinc has said to be done is
//! not, and nothing here is lost by it.

use std::path::PathBuf;

use rustix::process::Signal;
use sinc::demo::Options;

use super::disk::{Disk, can_mount};
use super::support::e2e::{Bed, left_out};
use super::support::{PATIENCE, wait_until};

/// A session whose host has a disk that can lose power.
struct Cut {
    bed: Bed,
    disk: Disk,
    project: PathBuf,
    programs: tempfile::TempDir,
}

impl Cut {
    fn new() -> Option<Self> {
        if !can_mount() {
            left_out("a disk that loses power needs root, and loop devices");
            return None;
        }
        // Loopback has one kernel: the host's start and its past are as the test says.
        let programs = tempfile::tempdir().unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.path().display());
        let bed = Bed::with(Options { remote_path: Some(path), ..Options::default() })?;
        let file = bed.host.dir().join("boot-id");
        std::fs::write(&file, "first\n").unwrap();
        let cat = format!(
            "#!/bin/sh\ncase $1 in /proc/sys/kernel/random/boot_id) exec /bin/cat {};; esac\nexec /bin/cat \"$@\"\n",
            file.display()
        );
        bed.sandbox.write_program(programs.path().join("cat"), &cat);
        let disk = Disk::in_place_of(&bed.sandbox, &bed.host.remote_home(), "host-disk", 64);
        let project = bed.project("app", &[("kept", "kept\n")]);
        let cut = Self { bed, disk, project, programs };
        cut.was("reboot");
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
        self.start();
    }

    /// What `last` tells there to have been before this start.
    fn was(&self, before: &str) {
        // A shutdown, or another start that nothing has ended.
        let text = format!(
            "#!/bin/sh\necho \"reboot system boot x $(date -Iseconds) still running\"\n\
             echo \"{before} system down x $(date -Iseconds -d '-1 minute') - x\"\n"
        );
        self.bed.sandbox.write_program(self.programs.path().join("last"), &text);
    }

    fn start(&self) {
        std::fs::write(self.bed.host.dir().join("boot-id"), "second\n").unwrap();
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

/// The sync is back; gives what its flush said.
fn back(cut: &Cut) -> String {
    cut.sinc(&["--no-attach"]);
    cut.bed.sandbox.sinc_in(&cut.project, &["flush"]).stderr
}

#[test]
fn what_the_host_lost_comes_again_and_is_not_deleted_here() {
    let Some(cut) = Cut::new() else { return };
    let fresh = "fresh\n".repeat(1000);
    std::fs::write(cut.project.join("fresh"), &fresh).unwrap();
    cut.sinc(&["flush"]);
    cut.lose_power();
    let there = cut.there().join("fresh");
    assert!(
        std::fs::read_to_string(&there).unwrap_or_default() != fresh,
        "the test's power cut lost nothing"
    );
    let said = back(&cut);
    assert_eq!(std::fs::read_to_string(cut.project.join("kept")).unwrap(), "kept\n");
    assert_eq!(std::fs::read_to_string(cut.project.join("fresh")).unwrap(), fresh);
    // Lost as a whole it has come again; an empty one is a conflict, and left alone.
    assert!(std::fs::read_to_string(there).unwrap() == fresh || said.contains("conflict"), "{said}");
}

#[test]
fn a_file_that_the_power_cut_emptied_empties_nothing_here() {
    let Some(cut) = Cut::new() else { return };
    std::fs::write(cut.project.join("fresh"), "fresh\n").unwrap();
    cut.sinc(&["flush"]);
    cut.bed.host.turn_off().unwrap();
    // As ext4 leaves a file whose name was on the disk and whose text was not.
    std::fs::write(cut.there().join("fresh"), "").unwrap();
    cut.start();
    let said = back(&cut);
    assert_eq!(std::fs::read_to_string(cut.project.join("fresh")).unwrap(), "fresh\n");
    assert!(said.contains("conflict"), "{said}");
    cut.sinc(&["resolve", "--all", "--local"]);
    assert_eq!(std::fs::read_to_string(cut.there().join("fresh")).unwrap(), "fresh\n");
}

/// What both sides have now was there a while ago: as it is when a project was left alone for some minutes.
fn minutes_pass(cut: &Cut) {
    cut.sinc(&["flush"]);
    let archives = cut.bed.sandbox.home().join(".local/share/sinc/mutagen/archives");
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
    for archive in std::fs::read_dir(archives).unwrap().flatten() {
        std::fs::File::options().append(true).open(archive.path()).unwrap().set_modified(then).unwrap();
    }
    cut.sinc(&["flush"]);
}

#[test]
fn a_file_that_became_again_what_it_was_is_not_lost_with_the_hosts_last_minute() {
    for lost in [Some("between\n"), Some(""), None] {
        let Some(cut) = Cut::new() else { return };
        std::fs::write(cut.project.join("other"), "other\n").unwrap();
        minutes_pass(&cut);
        for text in ["between\n", "kept\n"] {
            std::fs::write(cut.project.join("kept"), text).unwrap();
            cut.sinc(&["flush"]);
            assert_eq!(std::fs::read_to_string(cut.there().join("kept")).unwrap(), text);
        }
        cut.bed.host.turn_off().unwrap();
        // What the host's disk has of it, and a change from before that was long on both sides.
        match lost {
            Some(text) => std::fs::write(cut.there().join("kept"), text).unwrap(),
            None => std::fs::remove_file(cut.there().join("kept")).unwrap(),
        }
        std::fs::write(cut.project.join("other"), "changed while it was off\n").unwrap();
        cut.start();
        let said = back(&cut);
        assert_eq!(std::fs::read_to_string(cut.project.join("kept")).unwrap(), "kept\n", "{lost:?}: {said}");
        assert_eq!(said.contains("conflict"), lost.is_some(), "{lost:?}: {said}");
        if lost.is_none() {
            assert_eq!(std::fs::read_to_string(cut.there().join("kept")).unwrap(), "kept\n");
        }
        let other = std::fs::read_to_string(cut.there().join("other")).unwrap();
        assert_eq!(other, "changed while it was off\n", "what was not touched in that minute is no conflict");
    }
}

#[test]
fn a_sync_in_the_middle_of_a_cycle_goes_back_when_it_connects_again() {
    let Some(cut) = Cut::new() else { return };
    let agents = || cut.bed.agents();
    let first = agents();
    let second = cut.bed.project("second", &[("fresh", "fresh\n")]);
    cut.bed.sandbox.sinc_in(&second, &["--no-attach"]).success();
    let there = cut.bed.host.remote_home().join("workspace/second");
    let own: Vec<_> = agents().into_iter().filter(|pid| !first.contains(pid)).collect();
    assert!(!first.is_empty() && !own.is_empty());
    // Its next cycle hangs at its beginning, and it does not know that the machine was started again.
    Bed::signal(&own, Signal::STOP);
    std::fs::write(second.join("more"), "more\n").unwrap();
    std::fs::write(there.join("fresh"), "").unwrap();
    std::fs::write(cut.bed.host.dir().join("boot-id"), "second\n").unwrap();
    Bed::signal(&first, Signal::KILL);
    let owed = || {
        let boots = cut.bed.sandbox.home().join(".local/state/sinc/boots");
        let files = std::fs::read_dir(boots).unwrap().flatten().map(|entry| entry.path());
        let json = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
        let json: Vec<String> = json.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!(json.len(), 1);
        let boots: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
        (boots["there"] == "second").then(|| boots["owed"].as_array().unwrap().len())
    };
    wait_until("the first one is back, and the second one's memory is owed", PATIENCE, || owed() == Some(1));
    Bed::signal(&own, Signal::KILL);
    wait_until("the second one is back, and nothing is owed", PATIENCE, || owed() == Some(0));
    let said = cut.bed.sandbox.sinc_in(&second, &["flush"]).stderr;
    assert!(said.contains("conflict"), "{said}");
    assert_eq!(std::fs::read_to_string(second.join("fresh")).unwrap(), "fresh\n");
    assert_eq!(std::fs::read_to_string(there.join("more")).unwrap(), "more\n");
}

#[test]
fn after_a_shutdown_what_changed_since_simply_comes() {
    let Some(cut) = Cut::new() else { return };
    std::fs::write(cut.project.join("fresh"), "fresh\n").unwrap();
    cut.sinc(&["flush"]);
    cut.bed.host.turn_off().unwrap();
    cut.was("shutdown");
    std::fs::write(cut.there().join("fresh"), "changed there\n").unwrap();
    cut.start();
    assert!(!back(&cut).contains("conflict"));
    assert_eq!(std::fs::read_to_string(cut.project.join("fresh")).unwrap(), "changed there\n");
}
