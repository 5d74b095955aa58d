//! A link that was killed looks at nothing any more, but what it told last is still there: a command that asks for a cycle
//! looks itself.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::steps;
use crate::support::e2e::{Bed, kill_link, living_in};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

const FILES: usize = 80;

/// The link of the one host.
fn status(bed: &Bed) -> serde_json::Value {
    let run = bed.sandbox.sinc(&["link", "status", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    json["data"]["links"][0].clone()
}

/// A session with many files whose link has looked at them, and no cycle runs any more that it let begin.
fn looked() -> Option<(Bed, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    let here = bed.project("app", &[("top", "2\n")]);
    for number in 0..FILES {
        steps::write(&here.join(format!("src/{number}")), &format!("{number}\n"));
    }
    steps::connect(&bed.sandbox, &here);
    wait_until("the link has looked", PATIENCE, || {
        let sessions = status(&bed)["sessions"].as_object().cloned().unwrap_or_default();
        !sessions.is_empty() && sessions.values().all(|session| session["looking"] == false)
    });
    steps::quiet(&bed.sandbox);
    let there = steps::there(&bed, "app");
    Some((bed, here, there))
}

fn pid(bed: &Bed) -> i64 {
    status(bed)["pid"].as_i64().unwrap()
}

fn signal(bed: &Bed, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid(bed)).unwrap()).unwrap(), signal).unwrap();
}

fn killed() -> Option<(Bed, PathBuf, PathBuf)> {
    let all = looked()?;
    kill_link(pid(&all.0));
    wait_until("the link is gone", PATIENCE, || status(&all.0)["runs"] == false);
    Some(all)
}

#[track_caller]
fn held(bed: &Bed, here: &Path, words: &[&str]) {
    let run = bed.sandbox.sinc_in(here, words).exits(1);
    assert!(run.stderr.contains("--restore"), "{run}");
    assert_eq!(std::fs::read_dir(here.join("src")).unwrap().count(), FILES, "{run}");
}

/// Nobody is attached, and nobody runs sinc.
#[test]
fn a_link_that_dies_is_started_again_by_its_guard_until_it_is_stopped() {
    let Some((bed, here, there)) = looked() else { return };
    let dir = bed.host.dir().to_owned();
    let running = |what: &str| -> Vec<String> {
        let all = living_in(&dir).into_iter().filter(|line| line.contains(what));
        all.map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    let dies = |first: i64| {
        wait_until("another link runs", PATIENCE, || {
            status(&bed)["pid"].as_i64().is_some_and(|pid| pid != first)
        });
    };
    // The second one by what frees memory and asks first.
    for (round, (deadly, why)) in
        [(Signal::KILL, "signal 9"), (Signal::TERM, "exit code 0")].into_iter().enumerate()
    {
        let first = pid(&bed);
        signal(&bed, deadly);
        dies(first);
        edit_arrives(&here, &there, &[why]);
        let log = bed.sandbox.link_log();
        assert!(log.contains(&format!("it has ended ({why}) and shall run: the next one in ")), "{log}");
        assert_eq!(log.matches("and shall run").count(), round + 1, "{log}");
        assert_eq!(running("link guard").len(), 1);
    }
    // Without a guard it runs on, and the next sinc brings one that looks after it.
    let first = pid(&bed);
    bed.sandbox.run("kill", &running("link guard").iter().map(String::as_str).collect::<Vec<_>>()).success();
    wait_until("the guard has ended", PATIENCE, || running("link guard").is_empty());
    bed.sandbox.sinc_in(&here, &["status"]).success();
    wait_until("another guard is there", PATIENCE, || running("link guard").len() == 1);
    assert_eq!(pid(&bed), first);
    signal(&bed, Signal::KILL);
    dies(first);
    // Stopped before the next one is started.
    signal(&bed, Signal::KILL);
    let stopped = bed.sandbox.sinc(&["link", "stop"]).success();
    assert!(stopped.stderr.contains("Stopped the link to box"), "{stopped}");
    wait_until("nothing is left that would start one", PATIENCE, || running("link ").is_empty());
    assert_eq!((&status(&bed)["runs"], &status(&bed)["stopped"]), (&false.into(), &true.into()));
}

#[test]
fn every_command_that_asks_for_a_cycle_looks_where_the_link_was_killed() {
    for words in [&["flush"][..], &["conflicts"], &["resolve", "--all", "--both"], &["resume"]] {
        let Some((bed, here, there)) = killed() else { return };
        std::fs::remove_dir_all(there.join("src")).unwrap();
        held(&bed, &here, words);
    }
}

#[test]
fn a_command_looks_itself_where_the_link_has_not_taken_in_what_happened() {
    let Some((bed, here, there)) = looked() else { return };
    signal(&bed, Signal::STOP);
    std::fs::remove_dir_all(here.join("src")).unwrap();
    let run = bed.sandbox.sinc_in(&here, &["flush"]).exits(1);
    signal(&bed, Signal::CONT);
    assert!(run.stderr.contains("--restore"), "{run}");
    assert_eq!(std::fs::read_dir(there.join("src")).unwrap().count(), FILES, "{run}");
}

#[test]
fn what_is_deleted_just_before_a_command_is_not_taken_along() {
    let Some(linked) = crate::link::linked() else { return };
    for number in 0..FILES {
        steps::write(&linked.here.join(format!("many/{number}")), &format!("{number}\n"));
    }
    linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).success();
    linked.quiet();
    // In one piece: the link has the event at the moment in which the command begins.
    std::fs::rename(linked.here.join("many"), linked.bed.sandbox.home().join("many")).unwrap();
    let run = linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).exits(1);
    assert!(run.stderr.contains("--restore"), "{run}");
    assert_eq!(std::fs::read_dir(linked.there.join("many")).unwrap().count(), FILES, "{run}");
}

/// An edit here comes over by itself.
#[track_caller]
fn edit_arrives(here: &Path, there: &Path, after: &[&str]) {
    steps::write(&here.join("edit"), &after.join(" "));
    steps::wait_text(&there.join("edit"), &after.join(" "));
}

#[test]
fn every_command_about_the_sync_brings_back_a_link_that_was_killed() {
    let Some((bed, here, there)) = killed() else { return };
    let pid = || status(&bed)["pid"].as_i64();
    let run = |words: &[&str]| drop(bed.sandbox.sinc_in(&here, words).success());
    // Something that can be brought back: what a pull replaces.
    steps::write(&here.join("top"), "3\n");
    run(&["pull", "--yes"]);
    assert_eq!(steps::read(&here.join("top")), "2\n");
    for words in [
        &["push", "--yes"][..],
        &["conflicts"],
        &["resolve", "--all", "--local"],
        &["backups", "restore", "top", "--yes"],
        &["pull", "--yes"],
    ] {
        edit_arrives(&here, &there, words);
        let before = pid().unwrap();
        kill_link(before);
        wait_until("the link is gone", PATIENCE, || status(&bed)["runs"] == false);
        run(words);
        wait_until(&format!("{words:?} starts another one"), PATIENCE, || {
            pid().is_some_and(|pid| pid != before)
        });
    }
    edit_arrives(&here, &there, &["at last"]);
}

#[test]
fn an_attach_from_anywhere_brings_it_back_and_keeps_it() {
    let Some((bed, here, there)) = killed() else { return };
    let id = steps::session_id(&bed.sandbox);
    let attached = Terminal::sinc(&bed.sandbox, &bed.sandbox.home(), &["attach", &id]);
    attached.wait_for("agent ready", PATIENCE);
    edit_arrives(&here, &there, &["attached"]);
    drop(attached);
}

#[test]
fn what_a_link_that_was_killed_told_last_says_nothing_of_the_next_one() {
    let Some((bed, here, there)) = killed() else { return };
    std::fs::remove_dir_all(there.join("src")).unwrap();
    // This starts a link, which has not looked when the flush asks.
    let _ = bed.sandbox.sinc_in(&here, &["--no-attach"]);
    held(&bed, &here, &["flush"]);
    bed.sandbox.sinc_in(&here, &["resume", "--restore", "--yes"]).success();
    assert_eq!(std::fs::read_dir(there.join("src")).unwrap().count(), FILES);
}

#[test]
fn an_attach_brings_it_back_after_an_upgrade_and_after_a_start_that_failed() {
    let Some(linked) = crate::link::linked() else { return };
    let sandbox = &linked.bed.sandbox;
    let [program, next, tried] = ["sinc-own", "sinc-next", "tried"].map(|name| sandbox.home().join(name));
    std::fs::copy(Sandbox::binary(), &program).unwrap();
    let terminal = Terminal::open(sandbox, &linked.here, &[&program]);
    terminal.wait_for("agent ready", PATIENCE);
    let lives = |what: &str| {
        let begin = format!("{} ", program.display());
        living_in(linked.bed.host.dir()).iter().any(|line| line.contains(&begin) && line.contains(what))
    };
    wait_until("its attach is looked after, and its link runs", PATIENCE, || {
        lives("after-attach") && lives("link run")
    });
    let first = pid(&linked.bed);
    // Another file in its place, as an upgrade puts it there; this one does not start a link.
    steps::write(
        &next,
        &format!("#!/bin/sh\ncase \"$*\" in *'link guard'*) echo >>{};; esac\nexit 1\n", tried.display()),
    );
    steps::set_mode(&next, 0o755);
    std::fs::rename(&next, &program).unwrap();
    kill_link(first);
    wait_until("it was tried twice", PATIENCE * 2, || {
        std::fs::read_to_string(&tried).is_ok_and(|text| text.lines().count() >= 2)
    });
    std::fs::copy(Sandbox::binary(), &next).unwrap();
    std::fs::rename(&next, &program).unwrap();
    wait_until("another link runs", PATIENCE * 2, || lives("link run"));
    linked.wait_for("inotify");
    assert_ne!(pid(&linked.bed), first);
    linked.edit("after an upgrade");
    steps::detach(terminal);
}

/// Whoever connects a sync anew, or looks at what its next cycle would do, pauses it for a moment.
#[test]
fn what_a_killed_process_has_left_paused_goes_on_and_what_a_person_has_paused_does_not() {
    for (wish, goes_on) in [("connecting", true), ("stopped", true), ("paused", false)] {
        let Some(bed) = Bed::new() else { return };
        let here = bed.project("app", &[("top", "2\n")]);
        steps::connect(&bed.sandbox, &here);
        wait_until("the link has looked", PATIENCE, || {
            let sessions = status(&bed)["sessions"].as_object().cloned().unwrap_or_default();
            sessions.values().any(|session| session["looking"] == false)
        });
        let there = steps::there(&bed, "app");
        let sync = steps::syncs(&bed.sandbox)[0]["identifier"].as_str().unwrap().to_owned();
        let noted = bed.sandbox.home().join(".local/share/sinc/mutagen-wishes").join(&sync);
        std::fs::create_dir_all(noted.parent().unwrap()).unwrap();
        std::fs::write(&noted, format!("{wish} {} 0 0", i32::MAX)).unwrap();
        steps::mutagen(&bed.sandbox, &["sync", "pause", &sync]).success();
        steps::write(&here.join("later"), "later\n");
        // Without anybody who asks.
        if goes_on {
            wait_until("the link lets it go on", PATIENCE, || there.join("later").exists());
        }
        let stands =
            || status(&bed)["sessions"].as_object().unwrap().values().any(|it| it["stands"] == "paused");
        wait_until("the link knows it", PATIENCE, || stands() != goes_on);
        let flush = bed.sandbox.sinc_in(&here, &["flush"]);
        assert_eq!(flush.code == 0, goes_on, "{wish}: {flush}\n{}", bed.sandbox.link_log());
        assert_eq!(there.join("later").exists(), goes_on, "{wish}");
    }
}
