//! Mode `two-way-resolved`: the version here wins by itself, and the host's is never lost.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::PathBuf;

use serde_json::Value;

use crate::conflicts::apart;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};

struct World {
    bed: Bed,
    project: PathBuf,
    there: PathBuf,
    id: String,
}

/// A project that is connected in this mode, with or without the link.
#[track_caller]
fn connected(link: &str, files: &[(&str, &str)]) -> Option<World> {
    let mut bed = Bed::new()?;
    bed.sandbox.set("SINC_LINK", link);
    bed.sandbox.set("SINC_MODE", "two-way-resolved");
    let project = bed.project("app", files);
    steps::connect(&bed.sandbox, &project);
    let (there, id) = (steps::there(&bed, "app"), steps::session_id(&bed.sandbox));
    assert_eq!(mode(&bed), "two-way-safe", "Mutagen's own would overwrite");
    Some(World { bed, project, there, id })
}

fn mode(bed: &Bed) -> String {
    steps::syncs(&bed.sandbox)[0]["mode"].as_str().unwrap_or_default().to_owned()
}

impl World {
    /// Changes these files on both sides while nothing is synced.
    #[track_caller]
    fn clash(&self, names: &[&str]) {
        apart(&self.bed, &self.project, || self.write_both(names));
    }

    fn write_both(&self, names: &[&str]) {
        for name in names {
            steps::write(&self.project.join(name), &format!("{name} here\n"));
            steps::write(&self.there.join(name), &format!("{name} there\n"));
        }
    }

    #[track_caller]
    fn status_line(&self) -> String {
        let args = ["show-options", "-qv", "-t", &format!("={}:", self.id), "@sinc-note"];
        steps::tmux_there(&self.bed, &args).stdout.trim_end().to_owned()
    }

    /// The backups as `sinc backups` lists them.
    #[track_caller]
    fn backups(&self) -> Vec<Value> {
        let run = self.bed.sandbox.sinc_in(&self.project, &["backups", "--json"]).success();
        crate::documented::data("backups", &run.stdout)["backups"].as_array().unwrap().clone()
    }

    #[track_caller]
    fn link(&self) -> Value {
        let run = self.bed.sandbox.sinc(&["link", "status", "--json"]).success();
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        json["data"]["links"][0].clone()
    }

    fn log(&self) -> String {
        let dir = self.bed.sandbox.home().join(".local/state/sinc/logs");
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|file| file.to_string_lossy().ends_with(".log"));
        logs.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// Both sides have what was written here, and what was written there is in a backup on the host.
    #[track_caller]
    fn local_has_won(&self, names: &[&str]) {
        let kept_in = self.bed.host.remote_home().join(".local/state/sinc/backups").join(&self.id);
        for name in names {
            let own = format!("{name} here\n");
            let done = crate::support::poll(PATIENCE, || {
                [&self.project, &self.there]
                    .iter()
                    .all(|side| std::fs::read_to_string(side.join(name)).is_ok_and(|text| text == own))
            });
            assert!(done, "{name}: {}", self.log());
            let backups = std::fs::read_dir(&kept_in).into_iter().flatten().flatten();
            let kept: Vec<String> = backups
                .filter_map(|one| std::fs::read_to_string(one.path().join("files").join(name)).ok())
                .collect();
            assert!(kept.contains(&format!("{name} there\n")), "{name}: {kept:?}");
        }
    }
}

#[test]
fn the_link_settles_at_once_and_the_hosts_version_is_in_a_backup() {
    let Some(world) = connected("true", &[("a", "1"), ("d/b", "1"), ("c", "1")]) else { return };
    let told = world.bed.host.dir().join("told");
    let desktop = world.bed.host.bin().join("notify-send");
    steps::write(&desktop, &format!("#!/bin/sh\necho told >>{}\n", told.display()));
    steps::set_mode(&desktop, 0o755);
    world.clash(&["a", "d/b", "made on both"]);
    world.local_has_won(&["a", "d/b", "made on both"]);
    // Nobody needs to look.
    wait_until("the link says what it did", PATIENCE, || {
        world.log().contains("a: settled; kept: on the host ")
    });
    assert_eq!(world.status_line(), "");
    assert!(!told.exists(), "{}", steps::read(&told));
    // Changed there and deleted here comes back, as ever.
    apart(&world.bed, &world.project, || {
        std::fs::remove_file(world.project.join("c")).unwrap();
        steps::write(&world.there.join("c"), "changed there");
    });
    steps::wait_text(&world.project.join("c"), "changed there");
    let backups = world.backups();
    assert!(backups.iter().all(|one| one["settled"] == true && one["side"] == "remote"), "{backups:#?}");
    // It can be brought back, and then that is what counts.
    let run = world.bed.sandbox.sinc_in(&world.project, &["backups", "restore", "a", "--yes"]);
    drop(run.success());
    assert_eq!(steps::read(&world.project.join("a")), "a there\n");
}

#[test]
fn more_than_the_brake_lets_through_at_once_are_all_settled() {
    let names: Vec<String> = (0..100).map(|n| format!("f{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "old")).collect();
    let Some(world) = connected("true", &files) else { return };
    world.clash(&names);
    world.local_has_won(&names);
    let run = world.bed.sandbox.sinc_in(&world.project, &["flush"]).success();
    assert!(run.stderr.contains("Synced"), "{run}");
}

#[test]
fn without_a_link_the_next_command_settles() {
    let Some(world) = connected("false", &[("a", "1"), ("b", "1"), ("c", "1")]) else { return };
    let sinc = |args: &[&str]| world.bed.sandbox.sinc_in(&world.project, args);
    world.clash(&["a"]);
    let run = sinc(&["flush"]).success();
    assert!(run.stderr.contains("Settled a: the version here"), "{run}");
    assert!(run.stderr.contains("what was on the host is kept in box:"), "{run}");
    world.local_has_won(&["a"]);
    world.clash(&["b"]);
    let run = sinc(&["status"]).success();
    assert!(run.stderr.contains("Settled b: the version here"), "{run}");
    assert!(run.stdout.contains("synced") && !run.stdout.contains("conflict"), "{run}");
    world.local_has_won(&["b"]);
    // An attach too.
    world.clash(&["c"]);
    let terminal = steps::attach(&world.bed.sandbox, &world.project);
    world.local_has_won(&["c"]);
    terminal.wait_for("c was changed on both sides: the local version wins", PATIENCE);
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&world.bed);
}

#[test]
fn a_first_sync_with_a_directory_that_has_files_keeps_what_differs() {
    let Some(mut bed) = Bed::new() else { return };
    bed.sandbox.set("SINC_MODE", "two-way-resolved");
    let project = bed.project("app", &[("a", "a here\n"), ("same", "1")]);
    let there = steps::there(&bed, "app");
    steps::write(&there.join("a"), "a there\n");
    steps::write(&there.join("same"), "1");
    steps::write(&there.join("only there"), "2");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    assert!(
        run.stderr.contains("becomes what is here; the host's version is kept in a backup there"),
        "{run}"
    );
    let id = steps::session_id(&bed.sandbox);
    let world = World { bed, project, there, id };
    world.local_has_won(&["a"]);
    assert_eq!(steps::tree(&world.project), steps::tree(&world.there));
}

#[test]
fn what_cannot_be_settled_stays_open_is_said_and_tried_again() {
    let Some(world) = connected("true", &[("a", "1"), ("t/x", "1")]) else { return };
    // What is in the way of the backups.
    let state = world.bed.host.remote_home().join(".local/state/sinc/backups");
    std::fs::create_dir_all(state.parent().unwrap()).unwrap();
    let _ = std::fs::remove_dir_all(&state);
    std::fs::write(&state, "in the way").unwrap();
    world.clash(&["a"]);
    wait_until("the status line shows it", PATIENCE, || world.status_line() == "1 conflict: sinc conflicts");
    let unsettled =
        || world.link()["sessions"][&world.id]["unsettled"].as_str().unwrap_or_default().to_owned();
    assert_ne!(unsettled(), "", "{:#}", world.link());
    let text = world.bed.sandbox.sinc(&["link", "status"]).success();
    assert!(text.stdout.contains("; conflicts are not settled: "), "{text}");
    assert_eq!(steps::read(&world.there.join("a")), "a there\n");
    std::fs::remove_file(&state).unwrap();
    // The next cycles try again.
    wait_until("it is settled", PATIENCE, || {
        steps::write(&world.project.join("other"), &format!("{:?}", std::time::Instant::now()));
        world.status_line().is_empty()
    });
    world.local_has_won(&["a"]);
    assert_eq!(unsettled(), "");
    // What is not synced is nobody's version: it is left to a person.
    apart(&world.bed, &world.project, || {
        std::fs::remove_dir_all(world.project.join("t")).unwrap();
        steps::write(&world.there.join("t/node_modules/y"), "not synced");
    });
    wait_until("it is left open", PATIENCE, || world.status_line() == "1 conflict: sinc conflicts");
    assert!(unsettled().contains("t: something that is not synced is in its place"), "{}", unsettled());
    assert_eq!(steps::read(&world.there.join("t/node_modules/y")), "not synced");
}

#[test]
fn a_link_that_is_killed_between_the_move_and_the_cycle_loses_nothing() {
    let Some(world) = connected("true", &[("a", "1"), ("b", "1")]) else { return };
    let dir = world.bed.host.dir();
    let (waits, hung) = (dir.join("waits"), dir.join("hung"));
    let backups = world.bed.host.remote_home().join(".local/state/sinc/backups").join(&world.id);
    // Once there is a backup, no cycle begins.
    let line = format!(
        "case \"$*\" in *sync\\ flush*) if [ -e {0} ] && [ -e {1}/*/files/a ]; then : >{2}; \
         while [ -e {0} ]; do sleep 0.1; done; exit 1; fi;; esac",
        waits.display(),
        backups.display(),
        hung.display(),
    );
    let mutagen = world.bed.host.bin().join("mutagen");
    steps::write(&mutagen, &format!("#!/bin/sh\n{line}\nexec {} \"$@\"\n", steps::real_mutagen()));
    steps::set_mode(&mutagen, 0o755);
    world.bed.sandbox.sinc(&["link", "stop"]).success();
    std::fs::write(&waits, "").unwrap();
    drop(world.bed.sandbox.sinc_in(&world.project, &["link", "start"]).success());
    wait_until("the link is up", PATIENCE, || world.link()["up"] == true);
    world.clash_by_mutagen(&["a"]);
    wait_until("the losing version was moved", PATIENCE, || hung.exists());
    crate::support::e2e::kill_link(world.link()["pid"].as_i64().unwrap());
    wait_until("the link is gone", PATIENCE, || world.link()["runs"] == false);
    assert!(!world.there.join("a").exists());
    std::fs::remove_file(&waits).unwrap();
    // The next sinc starts a link, which finishes what that one had begun.
    drop(world.bed.sandbox.sinc_in(&world.project, &["status"]).success());
    world.local_has_won(&["a"]);
    let done = crate::support::poll(PATIENCE, || world.backups().iter().all(|one| one["settled"] == true));
    assert!(done, "its conflict is over: {:#?}\n{}", world.backups(), world.log());
}

impl World {
    /// As [`World::clash`], but sinc is not run.
    #[track_caller]
    fn clash_by_mutagen(&self, names: &[&str]) {
        let sync = steps::syncs(&self.bed.sandbox)[0]["identifier"].as_str().unwrap().to_owned();
        steps::mutagen(&self.bed.sandbox, &["sync", "pause", &sync]).success();
        self.write_both(names);
        steps::mutagen(&self.bed.sandbox, &["sync", "resume", &sync]).success();
    }
}

#[test]
fn a_sync_in_mutagens_own_mode_is_made_anew() {
    let Some(world) = connected("true", &[("a", "1")]) else { return };
    let sandbox = &world.bed.sandbox;
    let before = steps::syncs(sandbox)[0].clone();
    world.bed.sandbox.sinc(&["link", "stop"]).success();
    steps::mutagen(sandbox, &["sync", "terminate", before["identifier"].as_str().unwrap()]).success();
    // As an older sinc made it.
    let labels = before["labels"].as_object().unwrap();
    let mut args = vec!["sync".to_owned(), "create".to_owned(), "--name".to_owned(), world.id.clone()];
    args.extend(["--mode".to_owned(), "two-way-resolved".to_owned(), "--no-global-configuration".to_owned()]);
    args.extend([
        "--ignore".to_owned(),
        ".sinc-session".to_owned(),
        "--watch-mode".to_owned(),
        "no-watch".to_owned(),
    ]);
    for (key, value) in labels {
        let value = if key == "sinc-settings" { "0123456789abcdef" } else { value.as_str().unwrap() };
        args.extend(["--label".to_owned(), format!("{key}={value}")]);
    }
    args.push(before["alpha"]["path"].as_str().unwrap().to_owned());
    let beta = &before["beta"];
    args.push(format!("{}:{}", beta["host"].as_str().unwrap(), beta["path"].as_str().unwrap()));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    steps::mutagen(sandbox, &args).success();
    assert_eq!(mode(&world.bed), "two-way-resolved");
    steps::flush(sandbox);
    // It waits to be brought over, and is.
    steps::write(&world.there.join("a"), "by the agent");
    let run = steps::connect(sandbox, &world.project);
    assert!(run.stderr.contains("Renewed the sync, with the new settings"), "{run}");
    assert_eq!(mode(&world.bed), "two-way-safe");
    assert_eq!(steps::syncs(sandbox).len(), 1);
    steps::wait_text(&world.project.join("a"), "by the agent");
    world.clash(&["a"]);
    world.local_has_won(&["a"]);
}

/// Somebody writes on the host while more conflicts are settled than Mutagen names: what was just made there is no conflict.
#[test]
fn what_is_written_there_meanwhile_is_not_taken_for_a_conflict() {
    let names: Vec<String> = (0..14).map(|n| format!("f{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "old")).collect();
    // Without the link nothing brings over what is made between the look and the move.
    let Some(world) = connected("false", &files) else { return };
    drop(world.bed.sandbox.sinc_in(&world.project, &["pause"]).success());
    world.write_both(&names);
    let stop = world.bed.host.dir().join("stop");
    let mut writer = world
        .bed
        .sandbox
        .program("sh", &world.there)
        .args([
            "-c",
            "n=0; until [ -e \"$1\" ]; do n=$((n + 1)); echo $n >made.$n; sleep 0.01; done; echo $n >\"$1.count\"",
            "sh",
            stop.to_str().unwrap(),
        ])
        .start();
    let run = world.bed.sandbox.sinc_in(&world.project, &["resume"]);
    let again = world.bed.sandbox.sinc_in(&world.project, &["flush", "--timeout", "20"]);
    std::fs::write(&stop, "").unwrap();
    writer.wait().unwrap();
    let count: usize = steps::read(&stop.with_extension("count")).trim().parse().unwrap();
    let moved: Vec<String> = world
        .backups()
        .iter()
        .flat_map(|one| one["paths"].as_array().unwrap().clone())
        .filter_map(|path| path.as_str().map(str::to_owned))
        .filter(|path| path.starts_with("made."))
        .collect();
    assert!(moved.is_empty(), "{moved:?}\n{run}\n{again}");
    for n in 1..=count {
        assert_eq!(steps::read(&world.there.join(format!("made.{n}"))), format!("{n}\n"), "{run}\n{again}");
    }
    // And the conflicts are settled, at the latest when nobody writes any more.
    let run = world.bed.sandbox.sinc_in(&world.project, &["flush"]).success();
    assert!(run.stderr.contains("Synced"), "{run}");
    world.local_has_won(&names);
}
