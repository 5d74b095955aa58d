//! What happens to a project's directory while the link watches it, or cannot: it is replaced, emptied during a cut, cleaned
//! by git with its marker.

use std::rc::Rc;
use std::time::Duration;

use crate::link::{Linked, linked};
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};

#[test]
fn a_directory_here_that_is_replaced_is_watched_like_the_one_before() {
    let Some(linked) = linked() else { return };
    let sandbox = &linked.bed.sandbox;
    // The next cycle by itself is 30 s away: what comes sooner was seen.
    let seen = |name: &str| {
        sandbox.sinc_in(&linked.here, &["flush"]).success();
        for text in ["one", "two"] {
            steps::write(&linked.here.join(name), text);
            steps::wait_text_within(&linked.there.join(name), text, Duration::from_secs(15));
        }
    };
    let other = linked.here.with_file_name("clone");
    let copy = || {
        sandbox.run("cp", &["-a", linked.here.to_str().unwrap(), other.to_str().unwrap()]).success();
        steps::write(&other.join("src/new"), "new\n");
    };
    // Another one is moved into its place.
    copy();
    let old = linked.here.with_file_name("old");
    std::fs::rename(&linked.here, &old).unwrap();
    std::fs::rename(&other, &linked.here).unwrap();
    steps::wait_text(&linked.there.join("src/new"), "new\n");
    seen("src/first");
    // What goes on in the one that was moved away is nobody's business any more.
    steps::write(&old.join("src/elsewhere"), "1\n");
    // Deleted and made again, while nothing is synced; somebody stands in the old one.
    copy();
    sandbox.sinc_in(&linked.here, &["pause"]).success();
    let mut inside = sandbox.program("sleep", &linked.here).args(["60"]).start();
    std::fs::remove_dir_all(&linked.here).unwrap();
    std::fs::rename(&other, &linked.here).unwrap();
    sandbox.sinc_in(&linked.here, &["resume"]).success();
    linked.wait_for("inotify");
    seen("src/second");
    seen("third");
    let _ = inside.kill();
    inside.wait().unwrap();
    assert!(!linked.there.join("src/elsewhere").exists());
    assert_eq!(steps::tree(&linked.here), steps::tree(&linked.there));
}

/// A project with many files below one directory, whose link watches.
#[track_caller]
fn linked_with_many() -> Option<Linked> {
    let bed = Bed::new()?;
    let here = bed.project("app", &[("top", "1\n")]);
    for n in 0..300 {
        steps::write(&here.join(format!("src/{}/{n}", n / 10)), "x");
    }
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let linked = Linked { bed: Rc::new(bed), here, there };
    linked.wait_for("inotify");
    linked.quiet();
    Some(linked)
}

#[test]
fn what_was_deleted_while_the_line_was_cut_is_held_and_nothing_of_it_goes_through() {
    let Some(linked) = linked_with_many() else { return };
    let whole = steps::tree(&linked.here);
    for (emptied, other) in [(&linked.there, &linked.here), (&linked.here, &linked.there)] {
        linked.bed.host.stop_sshd().unwrap();
        linked.bed.host.break_connections().unwrap();
        wait_until("the link knows", PATIENCE, || linked.status()["up"] == false);
        std::fs::remove_dir_all(emptied.join("src")).unwrap();
        linked.bed.host.start_sshd().unwrap();
        wait_until("it is held", PATIENCE, || {
            let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
            !sessions.is_empty() && sessions.values().all(|session| session["stands"] == "held")
        });
        assert_eq!(steps::tree(other), whole, "{}", linked.log());
        linked.bed.sandbox.sinc_in(&linked.here, &["resume", "--restore"]).success();
        assert_eq!(steps::tree(emptied), whole, "{}", linked.log());
        linked.wait_for("inotify");
        linked.quiet();
    }
}

/// What people type. It takes the marker too.
#[test]
fn git_clean_as_it_is_typed_on_the_host_takes_nothing_here() {
    let Some(linked) = linked_with_many() else { return };
    let whole = steps::tree(&linked.here);
    let told = crate::git::desktop(&linked.bed);
    let times_told =
        || told().lines().filter(|line| line.contains("sinc: the sync of app is paused")).count();
    let clean = "cd \"$1\" && git init -q . && git clean -fdxq && rm -rf .git";
    linked.bed.sandbox.run("sh", &["-c", clean, "sh", linked.there.to_str().unwrap()]).success();
    assert!(!linked.there.join(".sinc-session").exists() && steps::tree(&linked.there).is_empty());
    wait_until("no cycle runs any more", PATIENCE, || steps::syncs(&linked.bed.sandbox)[0]["paused"] == true);
    // Also where a person is who has no terminal there.
    wait_until("the desktop was told", PATIENCE, || times_told() == 1);
    let left = steps::tree(&linked.here).len();
    assert!(left > whole.len() / 2, "{left} of {}\n{}", whole.len(), linked.log());
    // Nothing goes on by itself, whatever is asked.
    for words in [&["flush"][..], &["resume"], &["push", "--yes"], &["pull", "--yes"]] {
        linked.bed.sandbox.sinc_in(&linked.here, words).exits(1);
        assert_eq!(steps::tree(&linked.here).len(), left, "{words:?}\n{}", linked.log());
    }
    let run = linked.bed.sandbox.sinc_in(&linked.here, &["--no-attach"]);
    assert_eq!(steps::tree(&linked.here).len(), left, "{run}\n{}", linked.log());
    assert!(run.code != 0, "{run}");
    assert_eq!(times_told(), 1, "{}", told());
    // What it says leads out.
    assert!(run.stderr.contains("sinc kill"), "{run}");
    linked.bed.sandbox.sinc_in(&linked.here, &["kill", "--yes"]).success();
    steps::connect(&linked.bed.sandbox, &linked.here);
    linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).success();
    assert_eq!(steps::tree(&linked.there), steps::tree(&linked.here));
    assert_eq!(steps::tree(&linked.here).len(), left);
}
