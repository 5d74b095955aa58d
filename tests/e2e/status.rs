//! `sinc status`: what it says is what was looked at.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::Path;

use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// What the last run of sinc did, each command in a few words.
fn last_run(bed: &Bed) -> Vec<String> {
    let logs = bed.sandbox.sinc(&["logs", "-n", "1", "--json"]).success();
    let data = documented::data("logs", &logs.stdout);
    let commands = data["runs"][0]["commands"].as_array().unwrap().clone();
    let mut words: Vec<_> = commands.iter().map(|one| one["why"].as_str().unwrap().to_owned()).collect();
    words.sort();
    words
}

/// Without the question to the host: it goes over the link's line where that is up, and then is no command.
fn without_the_host(mut words: Vec<String>) -> Vec<String> {
    words.retain(|why| why != "ask the host for its sessions");
    words
}

#[test]
fn the_host_is_asked_over_the_line_of_the_link_or_by_an_ssh_when_there_is_none() {
    let Some(mut bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let status = |bed: &Bed| bed.sandbox.sinc_in(&project, &["status", "--cached"]).success();
    let expected = "\nterminal  detached\nagent     opencode running\n";
    wait_until("it is asked over the line", PATIENCE, || {
        let run = status(&bed);
        assert!(run.stdout.contains(expected), "{run}");
        last_run(&bed) == ["list the sync sessions"]
    });
    // Both answers are the same.
    let own = |bed: &Bed| bed.sandbox.sinc(&["list", "--json"]).success().stdout;
    let over_the_line = own(&bed);
    bed.sandbox.sinc(&["link", "stop"]).success();
    bed.sandbox.set("SINC_LINK", "false");
    let run = status(&bed);
    assert!(run.stdout.contains(expected), "{run}");
    assert_eq!(last_run(&bed), ["ask the host for its sessions", "list the sync sessions"]);
    let state = |json: &str| {
        let mut data = documented::data("list", json);
        for session in data["sessions"].as_array_mut().unwrap() {
            // How it is watched, and the time, differ.
            for key in ["link", "sync"] {
                session.as_object_mut().unwrap().remove(key);
            }
        }
        data
    };
    assert_eq!(state(&over_the_line), state(&own(&bed)));
}

#[test]
fn synced_is_said_after_a_cycle_and_never_without() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1"), ("b", "2")]);
    let connected = bed.sandbox.sinc_in(&project, &["--no-attach", "--json"]).success();
    documented::data_as("connect", "status", &connected.stdout);
    steps::write(&project.join("a"), "changed just now\n");
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(run.stdout.contains("\nsync      synced (last cycle just now, "), "{run}");
    assert!(run.stdout.contains("\nterminal  detached\nagent     opencode running\n"), "{run}");
    assert_eq!(steps::read(&steps::there(&bed, "app").join("a")), "changed just now\n");
    assert_eq!(without_the_host(last_run(&bed)), ["flush the sync", "list the sync sessions"]);

    let cached = bed.sandbox.sinc_in(&project, &["status", "--cached"]).success();
    assert!(cached.stdout.contains("\nsync      watching for changes (last cycle "), "{cached}");
    assert_eq!(without_the_host(last_run(&bed)), ["list the sync sessions"]);
    let all = bed.sandbox.sinc(&["status", "--all"]).success();
    let json = bed.sandbox.sinc(&["status", "--all", "--json"]).success();
    for run in [&cached, &all, &json] {
        assert!(!run.stdout.contains("synced"), "{run}");
    }
    let checked = bed.sandbox.sinc(&["status", "--all", "--check"]).success();
    assert!(checked.stdout.contains("synced"), "{checked}");
    let json = bed.sandbox.sinc_in(&project, &["status", "--json"]).success();
    let data = documented::data("status", &json.stdout);
    assert_eq!((&data["sync"]["state"], &data["sync"]["pending"]), (&"synced".into(), &0.into()), "{json}");
    assert_eq!(data["local"], project.to_str().unwrap());
}

#[test]
fn what_is_not_right_is_named() {
    let Some(mut bed) = Bed::new() else { return };
    // The link would follow the directory that is renamed.
    bed.sandbox.set("SINC_LINK", "false");
    let project = bed.project("app", &[("a", "1"), ("b", "2")]);
    let there = steps::there(&bed, "app");
    steps::connect(&bed.sandbox, &project);
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(run.stdout.contains("\nsync      paused; `sinc resume` goes on"), "{run}");
    steps::write(&project.join("a"), "here\n");
    steps::write(&there.join("a"), "there\n");
    std::os::unix::fs::symlink("/etc/passwd", project.join("out")).unwrap();
    let run = bed.sandbox.sinc_in(&project, &["resume"]).success();
    assert!(run.stderr.contains("1 conflict, left alone on both sides: a (changed on both sides)"), "{run}");
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(run.stdout.contains("\nsync      1 conflict, left alone on both sides"), "{run}");
    assert!(run.stdout.contains("\n            a  changed on both sides\n"), "{run}");
    assert!(run.stdout.contains("\n            out  here: a link to an absolute path ("), "{run}");
    let json = bed.sandbox.sinc_in(&project, &["status", "--json"]).success();
    let data = documented::data("status", &json.stdout);
    assert_eq!(data["sync"]["conflicts_listed"][0]["path"], "a", "{json}");
    assert_eq!((&data["sync"]["conflicts"], &data["sync"]["problems"]), (&1.into(), &1.into()), "{json}");

    // With a change that waits here, Mutagen would make the directory again.
    std::fs::remove_file(project.join("a")).unwrap();
    std::fs::remove_file(project.join("out")).unwrap();
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    std::fs::rename(&there, there.with_file_name("elsewhere")).unwrap();
    wait_until("the sync has stopped itself", PATIENCE, || {
        bed.sandbox
            .sinc_in(&project, &["status"])
            .stdout
            .contains("halted: the directory was deleted on the host")
    });
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(run.stdout.contains("\nnote      its directory on the host is gone"), "{run}");
}

#[test]
fn a_host_that_is_down_takes_nothing_from_what_is_known_here() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    wait_until("the sync has noticed", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["status"]).success().stdout.contains("\nsync      not connected; ")
    });
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(run.stdout.contains("\nhost      unreachable (host `box` refuses connections"), "{run}");
    assert!(run.stdout.contains("\nlocal     ~/app\n") && !run.stdout.contains("terminal"), "{run}");
    let json = bed.sandbox.sinc_in(&project, &["status", "--cached", "--json"]).success();
    let data = documented::data("status", &json.stdout);
    assert!(data["terminal"].is_null() && data["agent"].is_null(), "{json}");

    // And nobody who could be asked: then it is a failure.
    let config = bed.sandbox.configure_also("\n[mutagen]\npath = \"/no/mutagen\"\n");
    let run = bed.sandbox.sinc_in(&project, &["status"]).exits(76);
    assert!(run.stderr.contains("neither Mutagen nor its host could be asked"), "{run}");
    bed.sandbox.configure(config);

    bed.host.start_sshd().unwrap();
    // Mutagen waits up to 15 s before it tries again; told to, it does at once.
    bed.sandbox.sinc_in(&project, &["resume"]).success();
    // The link, which is back too, has the sync connect anew: for a moment it stands still.
    wait_until("it is synced", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["status"]).success().stdout.contains("\nsync      synced")
    });
}

#[test]
fn watch_follows_both_sides_until_it_is_told_to_stop() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["status", "--watch"]);
    terminal.wait_for("synced (last cycle", PATIENCE);
    terminal.wait_for("opencode running", PATIENCE);
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    terminal.wait_for("paused; `sinc resume` goes on", PATIENCE);
    bed.sandbox.sinc_in(&project, &["resume"]).success();
    terminal.wait_for("synced (last cycle", PATIENCE);
    steps::tmux_there(&bed, &["kill-server"]).success();
    terminal.wait_for("terminal  none; `sinc` starts it", PATIENCE);
    let screen = terminal.screen();
    assert_eq!(screen.matches("session   sinc-app-").count(), 1, "drawn over itself: {screen}");
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    assert_nothing_watches(&bed);
}

#[test]
fn watch_ends_with_its_reader() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    // A new block on each change; the reader has enough after the second.
    let line = format!(
        "cd {} && {{ {} status --watch; echo code $? >&2; }} | sed '/paused/q'",
        project.display(),
        sinc::process::quote::posix(crate::support::sandbox::Sandbox::binary().to_str().unwrap())
    );
    let watching = bed.sandbox.program("sh", &bed.sandbox.home()).args(["-c", &line]);
    let sandbox = &bed.sandbox;
    std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.finish(&watching));
        wait_until("it watches", PATIENCE, || !monitors(&bed).is_empty());
        sandbox.sinc_in(&project, &["pause"]).success();
        wait_until("its reader has gone", PATIENCE, || {
            sandbox.sinc_in(&project, &["resume"]).success();
            sandbox.sinc_in(&project, &["pause"]).success();
            run.is_finished()
        });
        let run = run.join().unwrap().success();
        assert!(run.stdout.contains("\nsync      synced"), "{run}");
        assert!(run.stderr.contains("code 0"), "{run}");
    });
    assert_nothing_watches(&bed);
}

fn monitors(bed: &Bed) -> Vec<String> {
    let living = crate::support::e2e::living_in(Path::new(bed.host.dir()));
    living.into_iter().filter(|process| process.contains("sync monitor")).collect()
}

#[track_caller]
fn assert_nothing_watches(bed: &Bed) {
    wait_until("nothing watches any more", PATIENCE, || monitors(bed).is_empty());
}
