//! What a run may do only in a certain order, or only while it holds the session's lock; and whose word counts when
//! what is remembered is damaged or gone.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::fs::{FlockOperation, flock};

use crate::support::e2e::have;
use crate::support::fakes::Answer;
use crate::support::sandbox::CONFIG;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::world::{BOOTSTRAP, END, SURVEY, World, host_says};

/// Holds the lock of a session on `box` until it is dropped, as another sinc does.
#[track_caller]
fn busy(world: &World, id: &str) -> File {
    let name = format!(".local/state/sinc/locks/{id}@{}", sinc::state::host_word("box"));
    let lock = world.sandbox.write(name, "");
    let file = File::options().append(true).open(lock).unwrap();
    flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

/// Only the calls that look like one of these, by short names.
fn order(world: &World, names: &[(&str, &str)]) -> Vec<String> {
    let calls = world.calls();
    let name =
        |call: &str| names.iter().find(|(part, _)| call.contains(part)).map(|(_, name)| (*name).to_owned());
    calls.lines().filter_map(name).collect()
}

#[test]
fn stale_syncs_are_ended_before_the_host_writes_down_the_directory() {
    let world = World::connected();
    std::fs::remove_file(world.record()).unwrap();
    world.fakes.on(BOOTSTRAP, host_says("how new\n"));
    drop(world.sinc(&["--no-attach"]).success());
    let steps = [
        ("'\\''look'\\''", "look"),
        ("<bootstrap.sh>", "write"),
        ("sync pause", "pause"),
        ("sync terminate", "end"),
        ("sync create", "make"),
        ("<attach.sh>", "terminal"),
    ];
    assert_eq!(order(&world, &steps), ["pause", "look", "end", "write", "make", "terminal"]);
}

#[test]
fn a_shared_connection_of_another_address_is_given_up_first() {
    if !have(&["tmux"]) {
        return;
    }
    let world = World::connected();
    world.let_attaches_last();
    world.fakes.on("ssh * -O stop *", Answer::default());
    let attach = |world: &World| {
        world.forget_calls();
        let terminal = Terminal::sinc(&world.sandbox, &world.project(), &[]);
        wait_until("it is attached", PATIENCE, || world.calls().contains("<attach.sh>"));
        drop(terminal);
        world.wait_until_nobody_looks();
        order(world, &[(" -O stop ", "give up"), ("<bootstrap.sh>", "ask"), ("<attach.sh>", "attach")])
    };
    assert_eq!(attach(&world), ["attach"]);
    let text = std::fs::read_to_string(world.record()).unwrap();
    let was = text.replace("\"address\": \"127.0.0.1\"", "\"address\": \"192.0.2.7\"");
    assert_ne!(was, text);
    std::fs::write(world.record(), was).unwrap();
    assert_eq!(attach(&world), ["give up", "attach"]);
    // The new address is remembered.
    assert_eq!(std::fs::read_to_string(world.record()).unwrap(), text);
    assert_eq!(attach(&world), ["attach"]);
}

#[test]
fn the_fast_way_writes_its_record_only_with_the_lock() {
    if !have(&["tmux"]) {
        return;
    }
    let world = World::connected();
    world.let_attaches_last();
    world.fakes.on("ssh * -O stop *", Answer::default());
    let text = std::fs::read_to_string(world.record()).unwrap();
    let was = text.replace("\"address\": \"127.0.0.1\"", "\"address\": \"192.0.2.7\"");
    std::fs::write(world.record(), &was).unwrap();
    let other = busy(&world, &world.id());
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &[]);
    terminal.wait_for("another sinc is busy with this session: waiting for it", PATIENCE);
    assert_eq!(std::fs::read_to_string(world.record()).unwrap(), was);
    assert!(!world.calls().contains("<attach.sh>"), "{}", world.calls());
    // The other one has ended the session meanwhile: what was read before is not written again.
    std::fs::remove_file(world.record()).unwrap();
    world.fakes.on(BOOTSTRAP, Answer::fails(255, "ssh: connect to host x port 22: Connection refused\n"));
    drop(other);
    assert_eq!(terminal.wait_exit(PATIENCE), 76, "{}", terminal.history());
    let sessions = world.sandbox.home().join(".local/state/sinc/sessions");
    assert_eq!(std::fs::read_dir(sessions).unwrap().count(), 0);
}

#[test]
fn who_looks_after_an_attach_goes_by_the_same_configuration() {
    if !have(&["tmux"]) {
        return;
    }
    let world = World::connected();
    world.let_attaches_last();
    // Named from the project's directory, and with another Mutagen.
    let mutagen = world.sandbox.bin().join("other-mutagen");
    let marker = world.sandbox.home().join("asked");
    let program = world.sandbox.bin().join("mutagen");
    world.sandbox.write_program(
        &mutagen,
        &format!("#!/bin/sh\necho \"$*\" >>'{}'\nexec '{}' \"$@\"\n", marker.display(), program.display()),
    );
    std::fs::write(mutagen.with_file_name("mutagen-agents.tar.gz"), "").unwrap();
    let config = format!(
        "[host.box]\ndestination = \"dev@203.0.113.7\"\n[mutagen]\npath = \"{}\"\n",
        mutagen.display()
    );
    world.sandbox.write("other.toml", config);
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["--config", "../other.toml"]);
    wait_until("the Mutagen of that file is asked", PATIENCE, || {
        std::fs::read_to_string(&marker).unwrap_or_default().contains("sync list")
    });
    assert!(!world.calls().contains("<bootstrap.sh>"), "the fast way: {}", world.calls());
    drop(terminal);
    world.wait_until_nobody_looks();
}

#[test]
fn a_directory_with_files_in_it_is_taken_with_what_each_mode_does_to_them() {
    let mut text = String::new();
    for mode in [
        "two-way-safe",
        "two-way-resolved",
        "one-way-safe",
        "one-way-replica",
        "one-way-safe-from-host",
        "one-way-replica-from-host",
        "none",
    ] {
        let mut world = World::new();
        world.sandbox.set("SINC_MODE", mode);
        world.fakes.on(BOOTSTRAP, host_says("entries 12\nhow occupied\n"));
        let run = world.sinc(&["--no-attach"]).exits(1);
        assert!(!world.calls().contains("sync create"), "{}", world.calls());
        let question = if mode == "none" { "Use it for this project?" } else { "Sync this project with it?" };
        assert!(
            run.stderr.contains(&format!("there is no terminal to ask on: {question}"))
                && run.stderr.contains("`--yes`"),
            "{run}"
        );
        let said = world.normal(&run.stderr);
        let said = said.lines().filter(|line| line.starts_with("          "));
        text.push_str(&format!("{mode}\n{}\n", said.collect::<Vec<_>>().join("\n")));
    }
    insta::assert_snapshot!(text, @"
    two-way-safe
               files there and here: 0 the same on both sides, 1 only here
               what is only there comes here, what is only here goes there,
               what differs is left alone on both sides and listed as a conflict
    two-way-resolved
               files there and here: 0 the same on both sides, 1 only here
               what is only there comes here, what is only here goes there,
               what differs becomes what is here; the host's version is kept in a backup there
    one-way-safe
               files there and here: 0 the same on both sides, 1 only here
               what is only there stays there, what is only here goes there,
               what differs is left alone there and listed as a conflict
    one-way-replica
               files there and here: 0 the same on both sides, 1 only here
               what is only there is DELETED there, what is only here goes there,
               what differs is OVERWRITTEN there by what is here;
               what goes is shown before, and kept in a backup
    one-way-safe-from-host
               files there and here: 0 the same on both sides, 1 only here
               what is only there comes here, what is only here stays here,
               what differs is left alone here and listed as a conflict
    one-way-replica-from-host
               files there and here: 0 the same on both sides, 1 only here
               what is only there comes here, what is only here is DELETED here,
               what differs is OVERWRITTEN here by what is there;
               what goes is shown before, and kept in a backup
    none
               both directories stay as they are: in mode none nothing is synced
    ");
}

#[test]
fn open_conflicts_do_not_keep_a_mode_that_leaves_them_alone_from_taking_over() {
    let mut world = World::connected();
    let conflicts = "\"conflicts\":[{\"root\":\"a.txt\",\"alphaChanges\":[{\"path\":\"a.txt\",\"new\":{\"kind\":\"file\"}}],\
                     \"betaChanges\":[{\"path\":\"a.txt\"}]}],\"mood\"";
    world.change_sync("\"mood\"", conflicts);
    world.sandbox.set("SINC_MODE", "one-way-safe");
    let run = world.sinc(&["--no-attach"]).success();
    assert!(!run.stderr.contains("the sync keeps its old settings"), "{run}");
    assert!(world.calls().contains("sync terminate"), "{}", world.calls());
}

#[test]
fn attach_takes_only_no_such_session_for_one_that_it_has_never_seen() {
    let world = World::connected();
    let (id, file) = (world.id(), world.record());
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "{").unwrap();
    for args in [&["attach", &id][..], &["attach", &id, "--dry-run"], &["attach", "sinc-other-123456"]] {
        let run = world.sandbox.sinc(args).exits(1);
        assert!(run.stderr.contains("` is damaged"), "{run}");
        assert!(run.stderr.contains("hint: mend it, or move it away"), "{run}");
    }
    std::fs::write(&file, whole).unwrap();
    let config = world.sandbox.configure_also("nonsense");
    drop(world.sandbox.sinc(&["attach", &id]).exits(78));
    // On two hosts, and none is the default.
    world.sandbox.configure(config);
    world
        .sandbox
        .configure_also("[host.two]\ndestination = \"two\"\n[host.three]\ndestination = \"three\"\n");
    drop(world.sinc(&["--no-attach", "--host", "two"]).success());
    world.forget_calls();
    let run = world.sandbox.sinc(&["attach", &id, "--dry-run"]).exits(2);
    assert!(run.stderr.contains(&format!("session {id} is on several hosts")), "{run}");
    assert!(run.stderr.contains("hint: name one with `--host`"), "{run}");
    let shown = |args: &[&str]| world.sandbox.sinc(args).success().stdout;
    assert!(shown(&["attach", &id, "--dry-run", "--host", "two"]).contains(" -t -- two "));
    // The default is one of the two, or a third one.
    let config = world.sandbox.read(CONFIG);
    for (default, code) in [("two", 0), ("three", 2)] {
        world.sandbox.configure(format!("default-host = \"{default}\"\n{config}"));
        let run = world.sandbox.sinc(&["attach", &id, "--dry-run"]).exits(code);
        assert_eq!(run.stdout.contains(" -t -- two "), code == 0, "{run}");
    }
    // One that was never seen here goes to the host that is named, or to the default.
    let never = "sinc-never-123456";
    assert!(shown(&["attach", never, "--dry-run", "--host", "two"]).contains(" -t -- two "));
    assert!(shown(&["attach", never, "--dry-run"]).contains(" -t -- three "));
    assert_eq!(world.calls(), "");
}

/// A computer whose two sessions were ended while their host was down; the id of the second.
#[track_caller]
fn two_that_wait() -> (World, String) {
    let world = World::connected();
    let other = world.sandbox.project("zebra");
    world.fakes.on(BOOTSTRAP, host_says("how new\n"));
    drop(world.sandbox.sinc_in(&other, &["--no-attach"]).success());
    let down = || Answer::fails(255, "ssh: connect to host x port 22: Connection refused\n");
    world.fakes.on("ssh *", down());
    for dir in [&world.project(), &other] {
        let run = world.sandbox.sinc_in(dir, &["kill", "--yes"]).success();
        assert!(run.stderr.contains("is ended when that host is reached again"), "{run}");
    }
    world.fakes.on(SURVEY, Answer::stdout("sinc-begin 1\ntmux tmux 3.3a\nend\n"));
    world.fakes.on(END, Answer::stdout("sinc-begin 1\ntmux ended\n"));
    world.forget_calls();
    let id = sinc::project::session_id(other.canonicalize().unwrap().to_str().unwrap()).to_string();
    (world, id)
}

#[test]
fn what_waits_for_a_host_is_left_to_the_sinc_that_is_busy_with_the_session() {
    let (world, other) = two_that_wait();
    let id = world.id();
    let held = busy(&world, &id);
    let run = world.sinc(&["list"]).success();
    assert!(run.stderr.contains(&format!("Finished {other}: its end")), "{run}");
    assert!(!run.stderr.contains(&format!("Finished {id}")), "{run}");
    let ended = |world: &World, id: &str| {
        let calls = world.calls();
        calls.lines().any(|call| call.contains("<end.sh>") && call.contains(&world.normal(id)))
    };
    assert!(ended(&world, &other) && !ended(&world, &id), "{}", world.calls());
    drop(held);
    let run = world.sinc(&["list"]).success();
    assert!(run.stderr.contains(&format!("Finished {id}: its end")), "{run}");
    assert!(!run.stderr.contains(&format!("Finished {other}")), "only once: {run}");
}

#[test]
fn what_another_sinc_has_finished_meanwhile_is_not_ended_again() {
    let (world, _) = two_that_wait();
    // While the first one is ended, another sinc finishes both, and begins them anew.
    let pending = world.sandbox.home().join(".local/state/sinc/pending");
    let script = format!("rm '{}'/*", pending.display());
    world.fakes.on(END, Answer { script: Some(script), ..Answer::stdout("sinc-begin 1\ntmux ended\n") });
    let run = world.sinc(&["list"]).success();
    assert_eq!(run.stderr.matches("Finished ").count(), 1, "{run}");
    assert_eq!(world.calls().matches("<end.sh>").count(), 1, "{}", world.calls());
}

#[test]
fn the_way_to_put_a_key_on_a_host_is_one_that_works() {
    let world = World::new();
    let refused = Answer::fails(255, "dev@203.0.113.7: Permission denied (publickey).\n");
    world.fakes.on(BOOTSTRAP, refused);
    for (destination, command) in [
        ("alias", "ssh-copy-id alias"),
        ("dev@203.0.113.7", "ssh-copy-id dev@203.0.113.7"),
        // It takes no URL, and a port only as an option.
        ("ssh://dev@203.0.113.7", "ssh-copy-id dev@203.0.113.7"),
        ("ssh://dev@203.0.113.7:2222", "ssh-copy-id -p 2222 dev@203.0.113.7"),
        ("ssh://[2001:db8::7]:2222", "ssh-copy-id -p 2222 2001:db8::7"),
    ] {
        let run = world.sinc(&["--no-attach", "--host", destination]).exits(76);
        assert!(run.stderr.contains(&format!("hint: to put your key there: `{command}`\n")), "{run}");
    }
}
