//! `sinc push` and `sinc pull`: one side becomes like the other, what goes is kept, and the sync goes on both ways.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::conflicts::connected;
use crate::interrupted::{Gate, Killed};
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// A name that is hard on shells and on lists.
pub(crate) const HARD: &str = "d/it's $(touch pwn) \"x\"\nline";

pub(crate) const OLD: [(&str, &str); 6] =
    [("both", "old"), (HARD, "old"), ("gone/here", "g"), ("gone/too", "g"), ("kind", "file"), ("same", "s")];

/// Both sides change apart: both ways, deletes, a directory against a file, what is ignored; and the sync is paused.
pub(crate) fn drift(bed: &Bed, project: &Path, there: &Path) {
    bed.sandbox.sinc_in(project, &["pause"]).success();
    for (root, side) in [(project, "here"), (there, "there")] {
        steps::write(&root.join("both"), side);
        steps::write(&root.join(HARD), side);
        steps::write(&root.join(format!("only-{side}/x")), side);
        steps::write(&root.join("node_modules/x"), side);
    }
    std::fs::remove_dir_all(project.join("gone")).unwrap();
    std::fs::remove_file(there.join("kind")).unwrap();
    steps::write(&there.join("kind/below"), "a directory");
}

#[track_caller]
fn transfer(bed: &Bed, project: &Path, words: &[&str]) -> Value {
    let run = bed.sandbox.sinc_in(project, &[words, &["--yes", "--json"]].concat()).success();
    documented::data_as(words[0], "push", &run.stdout)
}

/// No conflict, equal, and a change on either side goes to the other.
#[track_caller]
pub(crate) fn goes_both_ways(bed: &Bed, project: &Path, there: &Path) {
    bed.sandbox.sinc_in(project, &["flush"]).success();
    let synced = |root: &Path| -> Vec<_> {
        steps::tree(root).into_iter().filter(|(path, _)| !path.starts_with("node_modules")).collect()
    };
    assert_eq!(synced(project), synced(there));
    steps::write(&project.join("later-here"), "1");
    steps::write(&there.join("later-there"), "2");
    bed.sandbox.sinc_in(project, &["flush"]).success();
    assert_eq!(
        (steps::read(&there.join("later-here")), steps::read(&project.join("later-there"))),
        ("1".into(), "2".into())
    );
    for root in [project, there] {
        std::fs::remove_file(root.join("later-here")).unwrap();
        std::fs::remove_file(root.join("later-there")).unwrap();
    }
    bed.sandbox.sinc_in(project, &["flush"]).success();
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}

#[test]
fn push_makes_the_host_like_here() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    let dry = bed.sandbox.sinc_in(&project, &["push", "--dry-run"]).success();
    assert!(dry.stderr.contains("both sides are equal: nothing to do"), "{dry}");
    drift(&bed, &project, &there);
    let before = steps::tree(&project);
    let dry = bed.sandbox.sinc_in(&project, &["push", "--dry-run"]).success();
    for line in [
        "To do on the host: 3 paths overwritten, 2 paths deleted, 2 paths made",
        "overwrite  both (5 B)",
        "delete     gone (directory with 2 paths in it)",
        "overwrite  kind (directory with 1 path in it)",
        "delete     only-there (directory with 1 path in it)",
        "nothing was changed",
    ] {
        assert!(dry.stderr.contains(line), "{line}: {dry}");
    }
    assert_eq!(steps::read(&there.join("both")), "there");
    let nobody = bed.sandbox.sinc_in(&project, &["push"]).exits(1);
    assert!(
        nobody.stderr.contains("Make the host like here?") && nobody.stderr.contains("`--yes`"),
        "{nobody}"
    );
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true, "as it was");

    let data = transfer(&bed, &project, &["push"]);
    assert_eq!(steps::tree(&project), before);
    assert_eq!(data["overwritten"].as_array().unwrap().len(), 3, "{data}");
    assert_eq!(data["deleted"], serde_json::json!(["gone", "only-there"]));
    let kept = PathBuf::from(data["backup"].as_str().unwrap());
    assert!(kept.starts_with(bed.host.remote_home().join(".local/state/sinc/backups")));
    for (path, text) in [
        ("both", "there"),
        (HARD, "there"),
        ("gone/here", "g"),
        ("kind/below", "a directory"),
        ("only-there/x", "there"),
    ] {
        assert_eq!(steps::read(&kept.join(path)), text);
    }
    assert_eq!(steps::read(&there.join("node_modules/x")), "there", "what is ignored is left alone");
    goes_both_ways(&bed, &project, &there);
    let again = bed.sandbox.sinc_in(&project, &["push", "--yes"]).success();
    assert!(again.stderr.contains("both sides are equal: nothing to do"), "{again}");
    let data = transfer(&bed, &project, &["push"]);
    assert_eq!((&data["done"], &data["backup"]), (&Value::from(false), &Value::Null));
    assert!(bed.sandbox.sinc_in(&project, &["backups"]).success().stdout.contains("push"));
}

#[test]
fn pull_makes_here_like_the_host() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    let before = steps::tree(&there);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["pull"]);
    terminal.wait_for("Make this side like the host?", PATIENCE);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert_eq!(steps::read(&project.join("both")), "here");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["pull"]);
    terminal.wait_for("Make this side like the host?", PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    assert!(terminal.history().contains("Kept 4 paths here in "), "{}", terminal.history());
    assert_eq!(steps::tree(&there), before);
    let backups = bed.sandbox.home().join(".local/state/sinc/backups");
    assert!(found(&backups, "here"));
    assert_eq!(steps::read(&project.join("kind/below")), "a directory");
    goes_both_ways(&bed, &project, &there);
}

/// Is there a file with this text in here?
pub(crate) fn found(dir: &Path, text: &str) -> bool {
    dir.is_dir() && steps::tree(dir).iter().any(|(_, content)| content.as_deref() == Some(text))
}

/// Is there a file with this text and, at the end of its path, this path?
pub(crate) fn is_at(dir: &Path, path: &str, text: &str) -> bool {
    let is_it = |(found, content): (PathBuf, Option<String>)| {
        found.ends_with(path) && content.as_deref() == Some(text)
    };
    dir.is_dir() && steps::tree(dir).into_iter().any(is_it)
}

#[test]
fn open_conflicts_and_a_halted_sync_are_no_hindrance() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "2")]) else { return };
    crate::conflicts::apart(&bed, &project, || {
        steps::write(&project.join("a"), "here");
        steps::write(&there.join("a"), "there");
    });
    assert_eq!(crate::conflicts::listed(&bed, &project).len(), 1);
    transfer(&bed, &project, &["pull"]);
    assert_eq!(steps::read(&project.join("a")), "there");
    goes_both_ways(&bed, &project, &there);
    // Everything is gone here, and that was a mistake.
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    for (path, _) in steps::tree(&project) {
        let _ = std::fs::remove_file(project.join(path));
    }
    transfer(&bed, &project, &["pull"]);
    assert_eq!(
        (steps::read(&project.join("a")), steps::read(&project.join("b"))),
        ("there".into(), "2".into())
    );
    // It was meant.
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    for name in ["a", "b"] {
        std::fs::remove_file(project.join(name)).unwrap();
    }
    let data = transfer(&bed, &project, &["push"]);
    assert_eq!(data["deleted"], serde_json::json!(["a", "b"]));
    assert!(steps::tree(&there).iter().all(|(path, _)| !["a", "b"].contains(&path.to_str().unwrap())));
}

#[test]
fn what_is_changed_after_it_was_shown_is_shown_again() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "2")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&there.join("a"), "there");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["push"]);
    terminal.wait_for("Make the host like here?", PATIENCE);
    steps::write(&there.join("b"), "the agent's");
    terminal.type_line("y");
    terminal.wait_for("something was changed meanwhile: it starts over", PATIENCE);
    terminal.wait_for("2 paths overwritten", PATIENCE);
    terminal.wait("the question", PATIENCE, |screen| screen.matches("Make the host like here?").count() >= 2);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    assert!(found(&bed.host.remote_home().join(".local/state/sinc/backups"), "the agent's"));
    goes_both_ways(&bed, &project, &there);
}

#[test]
fn an_agent_that_writes_meanwhile_loses_nothing() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("log", "")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&there.join("a"), "there");
    let stop = bed.host.dir().join("stop");
    let writer = bed.sandbox.program("sh", &there).args([
        "-c",
        "n=0; until [ -e \"$1\" ]; do n=$((n + 1)); echo $n >>log; echo $n >made.$n; sleep 0.3; done; echo $n >\"$1.count\"",
        "sh",
        stop.to_str().unwrap(),
    ]);
    let mut writer = writer.start();
    let _ = bed.sandbox.sinc_in(&project, &["push", "--yes"]);
    std::fs::write(&stop, "").unwrap();
    writer.wait().unwrap();
    let count: usize = steps::read(&stop.with_extension("count")).trim().parse().unwrap();
    let backups = bed.host.remote_home().join(".local/state/sinc/backups");
    wait_until("the sync goes both ways", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["--no-attach"]).code == 0
            && bed.sandbox.sinc_in(&project, &["flush"]).stderr.contains("Synced")
            || !crate::conflicts::listed(&bed, &project).is_empty()
    });
    for n in 1..=count {
        let name = format!("made.{n}");
        assert!(
            there.join(&name).exists() || found(&backups, &format!("{n}\n")),
            "{name} of {count} is lost"
        );
    }
}

/// The directories with what is in backups of the session of the project with this name, and not said to be over.
fn moved(backups: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let dirs = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_it =
        |dir: &PathBuf| dir.file_name().unwrap().to_str().unwrap().starts_with(&format!("sinc-{name}-"));
    let all = backups.iter().flat_map(|dir| dirs(dir)).filter(of_it).flat_map(|dir| dirs(&dir));
    let filled = |dir: &PathBuf| dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    all.filter(|backup| !backup.join("settled").exists())
        .map(|backup| backup.join("files"))
        .filter(filled)
        .collect()
}

/// Ends a transfer at each of its steps. Nothing is lost, and after the next `sinc` it goes both ways.
/// Every second one, from the `first` on: two tests share the steps.
fn at_each_step(when: &str, verb: &str, first: usize) {
    let Some(bed) = Bed::new() else { return };
    let gate = Gate::build(&bed);
    let mut seen = Vec::new();
    for number in (first..).step_by(2) {
        let name = format!("app{number}");
        let project = bed.project(&name, &OLD);
        steps::connect(&bed.sandbox, &project);
        let there = steps::there(&bed, &name);
        drift(&bed, &project, &there);
        let words = [verb, "--yes"];
        match gate.kill_at((when, number), (&bed, &project, &words), &mut seen) {
            Killed::Here => {}
            Killed::Lasts => continue,
            Killed::Done => return,
        }
        let backups =
            [bed.host.remote_home(), bed.sandbox.home()].map(|home| home.join(".local/state/sinc/backups"));
        let connected = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
        // What had been moved away by then is said, with its place.
        for moved in moved(&backups, &name) {
            let place = moved.parent().unwrap().file_name().unwrap().to_str().unwrap();
            assert!(
                connected.stderr.contains(&format!("`{verb}` of "))
                    && connected.stderr.contains("was not finished: what it had moved aside ")
                    && connected.stderr.contains(place),
                "{moved:?} after {seen:#?}: {connected}"
            );
        }
        // Not what the person had deleted themselves: that goes the way of every change.
        let only = [
            ("only-here/x", "here"),
            ("only-there/x", "there"),
            ("kind/below", "a directory"),
            ("same", "s"),
        ];
        for (path, text) in
            [("both", "here"), ("both", "there"), (HARD, "here"), (HARD, "there")].into_iter().chain(only)
        {
            let places = [&project, &there, &backups[0], &backups[1]];
            assert!(
                places.iter().any(|dir| is_at(dir, path, text)),
                "{path:?} with {text:?} is lost after {seen:#?}"
            );
        }
        let own = || {
            let mut syncs = steps::syncs(&bed.sandbox);
            syncs.retain(|sync| sync["alpha"]["path"] == project.to_str().unwrap());
            syncs
        };
        if own().len() == 2 {
            // Mutagen went on making the sync that the killed one had asked for: the next sinc keeps one of the two.
            bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
        }
        let own = own();
        assert!(own.len() == 1 && own[0]["paused"] == false, "after {seen:#?}: {own:#?}");
        let run = bed.sandbox.sinc_in(&project, &words).success();
        let (winner, text) = if verb == "push" { (&project, "here") } else { (&there, "there") };
        for root in [&project, &there] {
            assert_eq!(steps::read(&root.join("both")), text, "after {seen:#?}: {run}");
            assert_eq!(steps::read(&root.join(HARD)), text);
        }
        assert!(winner.join(format!("only-{text}/x")).exists());
        bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    }
}

#[test]
fn a_push_that_is_killed_before_each_odd_step() {
    at_each_step("before", "push", 1);
}

#[test]
fn a_push_that_is_killed_before_each_even_step() {
    at_each_step("before", "push", 2);
}

#[test]
fn a_pull_that_is_killed_after_each_odd_step() {
    at_each_step("after", "pull", 1);
}

#[test]
fn a_pull_that_is_killed_after_each_even_step() {
    at_each_step("after", "pull", 2);
}

#[test]
fn ctrl_c_leaves_it_two_way() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    bed.sandbox.sinc_in(&project, &["resume"]).success();
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["push"]);
    terminal.wait_for("Make the host like here?", PATIENCE);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], false);
}

/// Ended at its question in this way, it is two-way again at once or soon, and what was to go is where it was.
fn ended_at_its_question(end: impl FnOnce(&Terminal<'_>), code: Option<i32>) {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    crate::conflicts::apart(&bed, &project, || {
        steps::write(&project.join("both"), "here");
        steps::write(&there.join("both"), "there");
    });
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["push"]);
    terminal.wait_for("Make the host like here?", PATIENCE);
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
    end(&terminal);
    if let Some(code) = code {
        assert_eq!(terminal.wait_exit(PATIENCE), code);
    }
    drop(terminal);
    // Nobody asks for it.
    for (from, to) in [(&project, &there), (&there, &project)] {
        steps::write(&from.join("later"), "1");
        wait_until("it is two-way", 2 * PATIENCE, || to.join("later").exists());
        std::fs::remove_file(from.join("later")).unwrap();
        wait_until("the deletion has come too", PATIENCE, || !to.join("later").exists());
    }
    assert_eq!(
        (steps::read(&project.join("both")), steps::read(&there.join("both"))),
        ("here".into(), "there".into())
    );
}

#[test]
fn a_push_that_is_killed_at_its_question_leaves_it_two_way() {
    let kill = |terminal: &Terminal<'_>| {
        kill_process(Pid::from_raw(terminal.pid()).unwrap(), Signal::KILL).unwrap();
    };
    ended_at_its_question(kill, Some(137));
}

#[test]
fn a_push_whose_terminal_is_closed_at_its_question_leaves_it_two_way() {
    ended_at_its_question(|_| (), None);
}

#[test]
fn what_a_person_pauses_at_the_question_of_a_push_stays_paused() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    crate::conflicts::apart(&bed, &project, || {
        steps::write(&project.join("both"), "here");
        steps::write(&there.join("both"), "there");
    });
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["push"]);
    terminal.wait_for("Make the host like here?", PATIENCE);
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
}

#[test]
fn what_is_not_as_it_should_be_is_said_and_nothing_is_changed() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("dir/b", "2")]) else { return };
    let other = bed.project("other", &[("b", "1")]);
    let none = bed.sandbox.sinc_in(&other, &["push", "--yes"]).exits(1);
    assert!(none.stderr.contains("this directory has no session"), "{none}");
    steps::write(
        &bed.sandbox.home().join(".config/sinc/config.toml"),
        &format!("{}\n[sync]\nmode = \"one-way-safe\"\n", bed.sandbox.read(".config/sinc/config.toml")),
    );
    let mode = bed.sandbox.sinc_in(&project, &["pull", "--yes"]).exits(1);
    assert!(mode.stderr.contains("in mode one-way-safe nothing comes from the host"), "{mode}");
    std::fs::remove_file(there.join(".sinc-session")).unwrap();
    let moved = bed.sandbox.sinc_in(&project, &["push", "--yes"]).exits(1);
    assert!(moved.stderr.contains("has lost its marker"), "{moved}");
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let gone = bed.sandbox.sinc_in(&project, &["push", "--yes"]).exits(76);
    assert!(gone.stderr.contains("refuses connections"), "{gone}");
    assert_eq!(steps::read(&there.join("dir/b")), "2");
}
