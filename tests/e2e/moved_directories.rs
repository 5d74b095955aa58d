//! Directories with most of the files in them get another name, or are taken away: the brake tells the two apart.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};

use crate::link::{Linked, of_many_files};
use crate::steps;
use crate::support::e2e::{Bed, living_in};
use crate::support::{PATIENCE, poll, wait_until};

const STOPPED: &str = "its cycle is stopped";

/// Waits until `src` (300 of the 302 files) has come over under another name, as a whole.
#[track_caller]
fn renamed(linked: &Linked, other: &Path, from: &str, to: &str) {
    let files = |dir: PathBuf| match dir.is_dir() {
        true => steps::tree(&dir).iter().filter(|(_, text)| text.is_some()).count(),
        false => 0,
    };
    let came = poll(PATIENCE, || files(other.join(to)) == 300 && files(other.join(from)) == 0);
    assert!(came, "{from} to {to}: {:#}\n{}", linked.status(), linked.log());
    assert!(!linked.log().contains(STOPPED), "{from} to {to}: {}", linked.log());
}

#[test]
fn one_that_is_renamed_on_either_side_has_its_new_name_on_the_other() {
    let Some(linked) = of_many_files() else { return };
    linked.wait_for("inotify");
    for (side, other) in [(&linked.there, &linked.here), (&linked.here, &linked.there)] {
        for (from, to) in [("src", "lib"), ("lib", "src")] {
            std::fs::rename(side.join(from), side.join(to)).unwrap();
            renamed(&linked, other, from, to);
            linked.quiet();
        }
    }
}

#[test]
fn a_third_that_is_deleted_is_deleted_on_the_other_side_in_one_cycle() {
    let Some(linked) = of_many_files() else { return };
    linked.wait_for("inotify");
    for (watched, dirs) in [(true, 0..10), (false, 10..17)] {
        if !watched {
            linked.bed.sandbox.sinc(&["link", "stop"]).success();
        }
        for n in dirs.clone() {
            std::fs::remove_dir_all(linked.there.join(format!("src/{n}"))).unwrap();
        }
        if !watched {
            linked.bed.sandbox.sinc(&["link", "start"]).success();
        }
        let gone = || dirs.clone().all(|n| !linked.here.join(format!("src/{n}")).exists());
        assert!(poll(PATIENCE, gone), "{:#}\n{}", linked.status(), linked.log());
        linked.quiet();
        // By what it deletes itself, it would be.
        assert!(!linked.log().contains(STOPPED), "{}", linked.log());
    }
}

#[test]
fn one_that_is_renamed_while_the_sync_stands_still_is_not_missing() {
    let Some(linked) = of_many_files() else { return };
    linked.bed.sandbox.sinc(&["link", "stop"]).success();
    for (side, from, to) in [(&linked.here, "src", "lib"), (&linked.there, "lib", "src")] {
        linked.bed.sandbox.sinc_in(&linked.here, &["pause"]).success();
        std::fs::rename(side.join(from), side.join(to)).unwrap();
        linked.bed.sandbox.sinc_in(&linked.here, &["resume"]).success();
        linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).success();
        assert_eq!(steps::tree(&linked.here), steps::tree(&linked.there));
    }
}

#[test]
fn one_that_is_taken_away_stops_the_cycle_that_runs_and_one_that_is_renamed_does_not() {
    let Some(linked) = of_many_files() else { return };
    linked.wait_for("inotify");
    linked.edit("before");
    linked.quiet();
    let exe = |pid: &Pid| std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
    let mut agents = linked.bed.agents();
    agents.retain(|pid| exe(pid).is_ok_and(|exe| exe.ends_with("mutagen-agent")));
    assert_eq!(agents.len(), 1);
    let runs = |command: &str| living_in(linked.bed.host.dir()).iter().any(|line| line.contains(command));
    // The cycle has been asked for, and Mutagen cannot look at the host's files yet.
    let while_a_cycle_runs = |text: &str, from: &Path, to: &Path| {
        Bed::signal(&agents, Signal::STOP);
        steps::write(&linked.here.join("top"), text);
        wait_until("a cycle runs", PATIENCE, || runs("sync flush"));
        std::fs::rename(from, to).unwrap();
    };
    for (side, other) in [(&linked.there, &linked.here), (&linked.here, &linked.there)] {
        while_a_cycle_runs("renamed\n", &side.join("src"), &side.join("lib"));
        Bed::signal(&agents, Signal::CONT);
        renamed(&linked, other, "src", "lib");
        std::fs::rename(side.join("lib"), side.join("src")).unwrap();
        renamed(&linked, other, "lib", "src");
        linked.quiet();
    }
    while_a_cycle_runs("taken\n", &linked.there.join("src"), &linked.bed.host.dir().join("away"));
    assert!(poll(PATIENCE, || linked.log().contains(STOPPED)), "{}", linked.log());
    // It does not answer while Mutagen waits for the host.
    wait_until("Mutagen is told to stop it", PATIENCE, || runs("sync pause"));
    Bed::signal(&agents, Signal::CONT);
    wait_until("it is held", PATIENCE, || linked.status()["sessions"].to_string().contains("\"held\""));
    assert!(linked.here.join("src/29/299").exists(), "{:#}\n{}", linked.status(), linked.log());
}
