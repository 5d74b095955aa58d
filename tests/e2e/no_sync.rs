//! The mode `none`: a directory on the host, a terminal and an agent, and no sync.

use std::path::Path;

use crate::modes::set_mode;
use crate::steps;
use crate::support::e2e::{Bed, living_in};
use crate::support::{PATIENCE, wait_until};

/// What is said of a session without a sync, and that what is about one is refused.
#[track_caller]
fn is_off(bed: &Bed, project: &Path) {
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
    for words in [&["status"][..], &["status", "--cached"], &["list"], &["list", "--local"]] {
        let run = bed.sandbox.sinc_in(project, words).success();
        assert!(run.stdout.contains("none (mode none)") && !run.stdout.contains("it has no sync"), "{run}");
    }
    for words in [
        &["flush"][..],
        &["pause"],
        &["resume"],
        &["conflicts"],
        &["resolve", "--local", "--all"],
        &["push", "--yes"],
        &["pull", "--yes"],
    ] {
        let run = bed.sandbox.sinc_in(project, words).exits(1);
        assert!(
            run.stderr.contains("has no sync: its mode is none") && run.stderr.contains("hint: "),
            "{run}"
        );
    }
    let run = bed.sandbox.sinc_in(project, &["run", "--", "sh", "-c", "cat only-there; pwd"]).success();
    let there = steps::there(bed, "app");
    assert_eq!(run.stdout, format!("there{}\n", there.display()), "{run}");
    let link = || living_in(bed.host.dir()).iter().any(|line| line.contains("link run"));
    wait_until("no link runs", PATIENCE, || !link());
}

#[test]
fn a_session_without_a_sync_needs_no_mutagen_and_has_all_the_rest() {
    let Some(mut bed) = Bed::new() else { return };
    set_mode(&bed, "none");
    let project = bed.project("app", &[("only-here", "here")]);
    // Nothing of it is called.
    let broken = bed.host.bin().join("mutagen");
    steps::write(&broken, "#!/bin/sh\nexit 3\n");
    steps::set_mode(&broken, 0o755);
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stdout.contains("none (mode none)"), "{run}");
    let there = steps::there(&bed, "app");
    assert_eq!(steps::tree(&there), []);
    steps::write(&there.join("only-there"), "there");
    let listed = bed.sandbox.sinc_in(&project, &["list"]).success();
    assert!(listed.stdout.contains("none (mode none)"), "{listed}");
    std::fs::remove_file(&broken).unwrap();
    is_off(&bed, &project);
    steps::detach(steps::attach(&bed.sandbox, &project));
    steps::wait_until_nobody_looks_after(&bed);
    assert_eq!(steps::sessions_there(&bed), [steps::session_id(&bed.sandbox)]);
    // A directory that is renamed is found again.
    let new = steps::there(&bed, "app2");
    std::fs::rename(&there, &new).unwrap();
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("Followed"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
    // Also by an attach, which does not ask before.
    let newer = steps::there(&bed, "app3");
    std::fs::rename(&new, &newer).unwrap();
    steps::detach(steps::attach(&bed.sandbox, &project));
    steps::wait_until_nobody_looks_after(&bed);
    let run = bed.sandbox.sinc_in(&project, &["run", "--", "pwd"]).success();
    assert_eq!(run.stdout, format!("{}\n", newer.display()));
    let new = newer;
    // With another mode it is a session like any other.
    bed.sandbox.set("SINC_MODE", "two-way-safe");
    steps::connect(&bed.sandbox, &project);
    assert_eq!(
        (steps::read(&new.join("only-here")), steps::read(&project.join("only-there"))),
        ("here".into(), "there".into())
    );
    bed.sandbox.unset("SINC_MODE");
    bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
    // From there to a replica: what differs by now is shown.
    steps::write(&new.join("only-there"), "changed there");
    set_mode(&bed, "one-way-replica");
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(refused.stderr.contains("overwrite  only-there"), "{refused}");
    bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    assert_eq!(steps::read(&new.join("only-there")), "there");
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains("sync      synced"), "{status}");
    let killed = bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert!(killed.stderr.contains("the files stay"), "{killed}");
    assert_eq!(steps::read(&new.join("only-here")), "here");
}

#[test]
fn a_sync_that_there_is_ends_after_what_waits_was_brought_over() {
    let Some((bed, project, there)) = crate::conflicts::connected(&[("a", "1")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&project.join("waits"), "here");
    steps::write(&there.join("only-there"), "there");
    set_mode(&bed, "none");
    let dry = bed.sandbox.sinc_in(&project, &["--no-attach", "--dry-run"]).success();
    assert!(dry.stderr.contains("in mode none nothing is synced"), "{dry}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("in mode none nothing is synced; the files stay"), "{run}");
    assert_eq!(
        (steps::read(&there.join("waits")), steps::read(&project.join("only-there"))),
        ("here".into(), "there".into())
    );
    is_off(&bed, &project);
    // From now on nothing goes.
    steps::write(&project.join("a"), "here");
    steps::write(&there.join("a"), "there");
    steps::connect(&bed.sandbox, &project);
    assert_eq!(
        (steps::read(&project.join("a")), steps::read(&there.join("a"))),
        ("here".into(), "there".into())
    );
    // Back: what was changed on both sides is a conflict.
    set_mode(&bed, "two-way-safe");
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("1 conflict, left alone on both sides: a"), "{run}");
}

#[test]
fn a_sync_that_has_stopped_itself_is_not_ended() {
    let Some((bed, project, there)) = crate::conflicts::connected(&[("a", "1"), ("dir/b", "1")]) else {
        return;
    };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    std::fs::remove_file(project.join("a")).unwrap();
    std::fs::remove_dir_all(project.join("dir")).unwrap();
    bed.sandbox.sinc_in(&project, &["resume"]).exits(1);
    set_mode(&bed, "none");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("the sync has stopped itself"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    assert_eq!(steps::read(&there.join("dir/b")), "1");
}
