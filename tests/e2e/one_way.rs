//! What goes one way only, to the host and from it, with the link: what is changed on either side becomes what the mode says.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::modes::set_mode;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};

/// A session in this mode, whose link watches; the side that files come from, and the one that they go to.
fn connected(mode: &str) -> Option<(Bed, PathBuf, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    set_mode(&bed, mode);
    let project = bed.project("app", &[]);
    let there = steps::there(&bed, "app");
    let from_host = mode.ends_with("from-host");
    let (from, to) = if from_host { (there, project.clone()) } else { (project.clone(), there) };
    for (name, text) in [("changed", "1"), ("gone", "1"), ("same", "1"), ("dir/below", "1")] {
        steps::write(&from.join(name), text);
    }
    // Where the host has files already, it is asked whether they are meant.
    bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    for name in ["changed", "gone", "same", "dir/below"] {
        assert_eq!(steps::read(&to.join(name)), "1", "{mode}");
    }
    wait_until("the link watches", PATIENCE, || {
        let status = bed.sandbox.sinc_in(&project, &["status"]).success();
        status.stdout.contains("ssh, inotify") || status.stdout.contains("polling on the host")
    });
    Some((bed, project, from, to))
}

/// What is changed where everything comes from is on the other side soon, deletions too; also after a pause.
fn arrives(bed: &Bed, project: &Path, from: &Path, to: &Path) {
    steps::write(&from.join("changed"), "2");
    steps::write(&from.join("new/below"), "n");
    std::fs::remove_file(from.join("gone")).unwrap();
    steps::wait_text(&to.join("changed"), "2");
    steps::wait_text(&to.join("new/below"), "n");
    wait_until("what is deleted is deleted", PATIENCE, || !to.join("gone").exists());
    bed.sandbox.sinc_in(project, &["pause"]).success();
    steps::write(&from.join("changed"), "3");
    bed.sandbox.sinc_in(project, &["resume"]).success();
    bed.sandbox.sinc_in(project, &["flush"]).success();
    assert_eq!(steps::read(&to.join("changed")), "3");
    assert_eq!(steps::read(&to.join("dir/below")), "1");
}

fn safe(mode: &str) {
    let Some((bed, project, from, to)) = connected(mode) else { return };
    arrives(&bed, &project, &from, &to);
    let from_host = mode.ends_with("from-host");
    // What is only on the receiving side stays there, is no fault, and is said.
    steps::write(&to.join("extra/file"), "mine");
    let flushed = bed.sandbox.sinc_in(&project, &["flush"]).success();
    let more = if from_host {
        "1 file is only here, and stays here"
    } else {
        "1 file is only on the host, and stays there"
    };
    assert!(flushed.stderr.contains(more), "{flushed}");
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains("synced") && status.stdout.contains(more), "{status}");
    assert!(!from.join("extra").exists());
    // What is deleted there comes back.
    std::fs::remove_file(to.join("same")).unwrap();
    steps::wait_text(&to.join("same"), "1");
    // What is changed there is left alone, and is a conflict.
    steps::write(&to.join("changed"), "mine");
    wait_until("the conflict is listed", PATIENCE, || {
        crate::conflicts::listed(&bed, &project).iter().any(|one| one["path"] == "changed")
    });
    assert_eq!(
        (steps::read(&to.join("changed")), steps::read(&from.join("changed"))),
        ("mine".into(), "3".into())
    );
    let refused = bed.sandbox.sinc_in(&project, &["flush"]).exits(1);
    assert!(refused.stderr.contains("1 conflict"), "{refused}");
    // Only the version of the other side can be taken; the other one is kept.
    let (wrong, right) = if from_host { ("--local", "--remote") } else { ("--remote", "--local") };
    let refused = bed.sandbox.sinc_in(&project, &["resolve", wrong, "--all"]).exits(1);
    assert!(refused.stderr.contains(&format!("in mode {mode} nothing ")), "{refused}");
    let resolved = bed.sandbox.sinc_in(&project, &["resolve", right, "--all"]).success();
    assert_eq!(steps::read(&to.join("changed")), "3", "{resolved}");
    let home = if from_host { bed.sandbox.home() } else { bed.host.remote_home() };
    let kept = steps::tree(&home.join(".local/state/sinc/backups"));
    assert!(kept.iter().any(|(_, text)| text.as_deref() == Some("mine")), "{kept:?}");
    transfers(&bed, &project, mode, &from, &to);
    assert!(!to.join("extra").exists(), "push and pull make both sides equal");
}

fn replica(mode: &str) {
    let Some((bed, project, from, to)) = connected(mode) else { return };
    arrives(&bed, &project, &from, &to);
    steps::write(&to.join("extra/file"), "mine");
    steps::write(&to.join("changed"), "mine");
    std::fs::remove_file(to.join("same")).unwrap();
    steps::wait_text(&to.join("changed"), "3");
    steps::wait_text(&to.join("same"), "1");
    wait_until("what is only there is deleted", PATIENCE, || !to.join("extra").exists());
    assert!(!from.join("extra").exists() && steps::read(&from.join("changed")) == "3");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    transfers(&bed, &project, mode, &from, &to);
}

/// `push` and `pull`: the one that the mode has no room for is refused, the other one does what it says.
fn transfers(bed: &Bed, project: &Path, mode: &str, from: &Path, to: &Path) {
    let (wrong, right) = if mode.ends_with("from-host") { ("push", "pull") } else { ("pull", "push") };
    let refused = bed.sandbox.sinc_in(project, &[wrong, "--yes"]).exits(1);
    assert!(refused.stderr.contains(&format!("in mode {mode} nothing ")), "{refused}");
    bed.sandbox.sinc_in(project, &["pause"]).success();
    steps::write(&to.join("same"), "of this side");
    let run = bed.sandbox.sinc_in(project, &[right, "--yes"]).success();
    let way = if right == "pull" { "from the host" } else { "to the host" };
    assert!(run.stderr.contains(&format!("both sides are equal, and the sync goes on {way}")), "{run}");
    assert_eq!(steps::tree(from), steps::tree(to));
    let sync = &steps::syncs(&bed.sandbox)[0];
    assert_eq!(sync["alpha"]["protocol"], if right == "pull" { "ssh" } else { "local" });
    steps::write(&from.join("changed"), "4");
    steps::wait_text(&to.join("changed"), "4");
}

#[test]
fn safe_to_the_host() {
    safe("one-way-safe");
}

#[test]
fn safe_from_the_host() {
    safe("one-way-safe-from-host");
}

#[test]
fn a_replica_on_the_host() {
    replica("one-way-replica");
}

#[test]
fn a_replica_of_the_host() {
    replica("one-way-replica-from-host");
}

/// The session's directory on the host gets another name while everything runs.
fn renamed(mode: &str) -> Option<(Bed, PathBuf, PathBuf)> {
    let (bed, project, ..) = connected(mode)?;
    let (there, new) = (steps::there(&bed, "app"), steps::there(&bed, "app2"));
    std::fs::rename(&there, &new).unwrap();
    Some((bed, project, new))
}

#[test]
fn a_renamed_directory_is_followed() {
    let Some((bed, project, new)) = renamed("one-way-safe-from-host") else { return };
    wait_until("the sync follows", PATIENCE, || {
        steps::syncs(&bed.sandbox).iter().any(|sync| sync["alpha"]["path"] == new.to_str().unwrap())
    });
    // Until its first cycle the new one knows nothing of what both sides had.
    wait_until("both sides are known", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["flush"]).stderr.contains("Synced")
    });
    steps::write(&new.join("changed"), "renamed");
    steps::wait_text(&project.join("changed"), "renamed");
    assert_eq!(steps::read(&project.join("same")), "1");
}

#[test]
fn a_renamed_directory_of_a_replica_stops_it_and_nothing_is_overwritten() {
    let Some((bed, project, new)) = renamed("one-way-replica-from-host") else { return };
    wait_until("the sync is paused", PATIENCE, || steps::syncs(&bed.sandbox)[0]["paused"] == true);
    steps::write(&project.join("same"), "here, meanwhile");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).exits(1);
    assert!(
        run.stderr.contains("the directory moved on the host, and in mode one-way-replica-from-host"),
        "{run}"
    );
    // What the hint says.
    set_mode(&bed, "two-way-safe");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(run.stderr.contains("1 conflict"), "{run}");
    assert_eq!(
        (steps::read(&project.join("same")), steps::read(&new.join("same"))),
        ("here, meanwhile".into(), "1".into())
    );
}

/// The brake looks at the side that files come from: what is missing on the other one comes back.
fn held(mode: &str) {
    let Some((bed, project, from, to)) = connected(mode) else { return };
    for n in 0..120 {
        steps::write(&from.join(format!("many/{n}")), "x");
    }
    steps::wait_text(&to.join("many/119"), "x");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    let count = |dir: &Path| std::fs::read_dir(dir.join("many")).map_or(0, Iterator::count);
    std::fs::remove_dir_all(to.join("many")).unwrap();
    wait_until("what is missing comes back", PATIENCE, || count(&to) == 120);
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(!status.stdout.contains("held"), "{status}");
    // Now where they come from.
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    std::fs::remove_dir_all(from.join("many")).unwrap();
    let refused = bed.sandbox.sinc_in(&project, &["resume"]).exits(1);
    let side = if mode.ends_with("from-host") { "on the host" } else { "here" };
    assert!(refused.stderr.contains(&format!("files are missing {side}")), "{refused}");
    assert_eq!(count(&to), 120);
    let refused = bed.sandbox.sinc_in(&project, &["resume", "--restore"]).exits(1);
    assert!(refused.stderr.contains(&format!("stays held: in mode {mode}, ")), "{refused}");
    bed.sandbox.sinc_in(&project, &["resume", "--allow-deletions", "--yes"]).success();
    assert_eq!(count(&to), 0);
    // And while the link watches.
    for n in 0..120 {
        steps::write(&from.join(format!("more/{n}")), "x");
    }
    steps::wait_text(&to.join("more/119"), "x");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    std::fs::remove_dir_all(from.join("more")).unwrap();
    wait_until("it is held", PATIENCE, || {
        bed.sandbox
            .sinc_in(&project, &["status"])
            .success()
            .stdout
            .contains(&format!("files are missing {side}"))
    });
}

#[test]
fn the_brake_to_the_host() {
    held("one-way-replica");
}

#[test]
fn the_brake_from_the_host() {
    held("one-way-replica-from-host");
}

#[test]
fn the_brake_from_the_host_where_this_side_has_more() {
    held("one-way-safe-from-host");
}

/// More conflicts than Mutagen names, and files that are only on the receiving side: those stay.
fn more_than_ten(mode: &str) {
    let Some((bed, project, from, to)) = connected(mode) else { return };
    let names: Vec<String> = (0..11).map(|n| format!("many/{n}")).collect();
    for name in &names {
        steps::write(&from.join(name), "1");
    }
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    crate::conflicts::apart(&bed, &project, || {
        for name in &names {
            steps::write(&from.join(name), "from");
            steps::write(&to.join(name), "to");
        }
        steps::write(&to.join("extra"), "only");
        steps::write(&to.join("extras/file"), "only");
    });
    let listed = crate::conflicts::listed(&bed, &project);
    let mut paths: Vec<_> = listed.iter().map(|one| one["path"].as_str().unwrap()).collect();
    paths.sort_by_key(|path| path["many/".len()..].parse::<u32>().unwrap());
    assert_eq!(paths, names);
    let way = if mode.ends_with("from-host") { "--remote" } else { "--local" };
    let resolved = bed.sandbox.sinc_in(&project, &["resolve", way, "--all"]).success();
    for name in &names {
        assert_eq!(steps::read(&to.join(name)), "from", "{resolved}");
    }
    for name in ["extra", "extras/file"] {
        assert_eq!(steps::read(&to.join(name)), "only", "{resolved}");
        assert!(!from.join(name).exists());
    }
}

#[test]
fn more_than_ten_conflicts_to_the_host_and_what_is_only_there() {
    more_than_ten("one-way-safe");
}

#[test]
fn more_than_ten_conflicts_from_the_host_and_what_is_only_here() {
    more_than_ten("one-way-safe-from-host");
}
