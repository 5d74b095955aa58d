//! What becomes of each answer: of the host about the session's directory, of Mutagen about its sync.

use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::fakes::Answer;
use crate::support::sandbox::Run;
use crate::support::terminal::Terminal;
use crate::world::{BOOTSTRAP, LIST, World, host_says};

/// What Mutagen was called with, but for asking.
fn changes(world: &World) -> String {
    let calls = world.calls();
    let asks = [" sync list ", " sync monitor ", " version", " daemon start"];
    let changes = calls.lines().filter(|call| call.starts_with("$ mutagen"));
    changes
        .filter(|call| !asks.iter().any(|ask| call.contains(ask)))
        .map(|call| format!("{call}\n"))
        .collect()
}

/// What is said when a session that this computer knows gets this answer, and what is done to the sync.
#[track_caller]
fn known(how: &str, args: &[&str], code: i32) -> String {
    let world = World::connected();
    world.fakes.on(BOOTSTRAP, host_says(how));
    let run = world.sinc(args).exits(code);
    report(how, &world, &run)
}

/// The same for a session that it does not know.
#[track_caller]
fn unknown(how: &str, args: &[&str], code: i32) -> String {
    let world = World::new();
    world.fakes.on(BOOTSTRAP, host_says(how));
    let run = world.sinc(args).exits(code);
    report(how, &world, &run)
}

fn report(what: &str, world: &World, run: &Run) -> String {
    format!("# {}\n{}{}\n", what.trim_end().replace('\n', "; "), world.normal(&run.stderr), changes(world))
}

#[test]
fn the_place_of_a_session_that_is_known() {
    let go = &["--no-attach"];
    let text = [
        known("how kept\n", go, 0),
        known("damaged /home/dev/.local/state/sinc/sessions/x\nhow repaired\n", go, 0),
        known("how repaired\n", go, 0),
        // Nothing is made where the directory was: the sync would empty this side.
        known("entries 0\nhow lost\n", go, 1),
        known("entries 0\nhow unmarked\n", go, 1),
        known("entries 7\nhow unmarked\n", go, 1),
        known("entries 7\nhow unmarked\n", &["--no-attach", "--yes"], 1),
        known("entries 7\nhow adopted\n", &["--no-attach", "--same"], 0),
        known("marked /home/dev/workspace/a\nmarked /home/dev/workspace/b\nhow many\n", go, 1),
    ];
    insta::assert_snapshot!("place-of-a-known-session", text.concat());
}

#[test]
fn a_directory_that_was_moved_is_followed() {
    let world = World::connected();
    let says = host_says("from /home/dev/workspace/app\nhow moved\n");
    let moved = says.stdout.replace("dir /home/dev/workspace/app\n", "dir /home/dev/elsewhere/app\n");
    world.fakes.on(BOOTSTRAP, Answer::stdout(&moved));
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!(report("moved", &world, &run), @"
    # moved
    Connecting to box
      Followed /home/dev/workspace/app -> box:/home/dev/elsewhere/app
       Renewed the sync, for the new place
        Synced 3 files, 1.21 KiB, in [time] s
    $ mutagen sync terminate -- sync_1
    $ mutagen sync create --no-global-configuration --name sinc-app-[hash] --configuration-file $HOME/.local/share/sinc/mutagen/settings-[hash].yml --label sinc-id=sinc-app-[hash] --label sinc-host=sinc-[hash] --label sinc-settings=[hash] -- $HOME/app sinc-[hash]:/home/dev/elsewhere/app
    $ mutagen sync flush -- sync_1
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
    assert!(
        world
            .calls()
            .lines()
            .find(|call| call.contains("<attach.sh>"))
            .unwrap()
            .contains("'\\''/home/dev/elsewhere/app'\\''"),
        "{}",
        world.calls()
    );
}

#[test]
fn the_place_of_a_new_session() {
    let go = &["--no-attach"];
    let text = [
        unknown("how blocked\n", go, 1),
        unknown("how full\n", go, 1),
        unknown("entries 1\nhow occupied\n", go, 1),
        unknown("entries 12\nhow occupied\n", go, 1),
        unknown("machine 00aa00aa00aa laptop /home/me/app\nhow other\n", go, 1),
        unknown("machine 00aa00aa00aa laptop /home/me/app\nhow other\n", &["--no-attach", "--yes"], 1),
    ];
    insta::assert_snapshot!("place-of-a-new-session", text.concat());
}

#[test]
fn a_directory_with_files_in_it_is_taken_when_the_person_says_so() {
    let world = World::new();
    world.fakes.on(BOOTSTRAP, host_says("entries 12\nhow adopted\n"));
    world.fakes.on(BOOTSTRAP, Answer { once: true, ..host_says("entries 12\nhow occupied\n") });
    let no_find = Answer::fails(99, "find on this host has no -printf: install GNU findutils\n");
    world.fakes.on(LIST, Answer { stdout: "sinc-begin 1\n".to_owned(), ..no_find });
    let run = world.sinc(&["--no-attach", "--yes"]).success();
    insta::assert_snapshot!(report("occupied, then adopted", &world, &run), @"
    # occupied, then adopted
    Connecting to box
    warning: box:/home/dev/workspace/app already has 12 entries in it
               what is the same and what differs is not known: could not list the files on the host: the script on host `box` ended with 99: find on this host has no -printf: install GNU findutils
               what is only there comes here, what is only here goes there,
               what differs is left alone on both sides and listed as a conflict
          Took box:/home/dev/workspace/app
        Synced 3 files, 1.21 KiB, in [time] s
    $ mutagen sync create --no-global-configuration --name sinc-app-[hash] --configuration-file $HOME/.local/share/sinc/mutagen/settings-[hash].yml --label sinc-id=sinc-app-[hash] --label sinc-host=sinc-[hash] --label sinc-settings=[hash] -- $HOME/app sinc-[hash]:/home/dev/workspace/app
    $ mutagen sync flush -- sync_1
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
    let calls = world.calls();
    let asked: Vec<_> = calls.lines().filter(|call| call.contains("<bootstrap.sh>")).collect();
    assert!(asked[0].ends_with("'\\'''\\'''") && asked[1].ends_with("'\\''adopt'\\'''"), "{calls}");
}

#[test]
fn the_same_project_on_another_computer() {
    let other = "machine 00aa00aa00aa laptop /home/me/app\n";
    let world = World::new();
    world.fakes.on(BOOTSTRAP, host_says(&format!("{other}how kept\n")));
    let run = world.sinc(&["--no-attach", "--same"]).success();
    assert!(world.calls().contains("'\\''same'\\'''"), "{}", world.calls());
    insta::assert_snapshot!(report("same", &world, &run), @"
    # same
    Connecting to box
               also synced by laptop /home/me/app
        Synced 3 files, 1.21 KiB, in [time] s
    $ mutagen sync create --no-global-configuration --name sinc-app-[hash] --configuration-file $HOME/.local/share/sinc/mutagen/settings-[hash].yml --label sinc-id=sinc-app-[hash] --label sinc-host=sinc-[hash] --label sinc-settings=[hash] -- $HOME/app sinc-[hash]:/home/dev/workspace/app
    $ mutagen sync flush -- sync_1
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
}

#[test]
fn a_separate_session_for_this_computer_and_it_is_remembered() {
    let world = World::new();
    let other = host_says("machine 00aa00aa00aa laptop /home/me/app\nhow other\n");
    world.fakes.on(BOOTSTRAP, host_says("how new\n"));
    world.fakes.on(BOOTSTRAP, Answer { once: true, ..other });
    let run = world.sinc(&["--no-attach", "--separate"]).success();
    insta::assert_snapshot!(report("separate", &world, &run), @"
    # separate
    Connecting to box
      Separate session sinc-app-[hash] for this computer
          Made box:/home/dev/workspace/app
        Synced 3 files, 1.21 KiB, in [time] s
    $ mutagen sync create --no-global-configuration --name sinc-app-[hash] --configuration-file $HOME/.local/share/sinc/mutagen/settings-[hash].yml --label sinc-id=sinc-app-[hash] --label sinc-host=sinc-[hash] --label sinc-settings=[hash] -- $HOME/app sinc-[hash]:/home/dev/workspace/app
    $ mutagen sync flush -- sync_1
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
    assert!(!world.calls().contains(&format!("--name {}", world.id())));
    world.forget_calls();
    world.fakes.on(BOOTSTRAP, host_says("how kept\n"));
    drop(world.sinc(&["--no-attach"]).success());
    let asked = world.fakes.transcript();
    assert!(!asked.contains(&world.id()), "{}", world.calls());
}

#[test]
fn a_person_is_asked_whose_session_it_is() {
    if !have(&["tmux"]) {
        return;
    }
    let other = host_says("machine 00aa00aa00aa laptop /home/me/app\nhow other\n");
    for (keys, code, says) in [
        (&["Enter"][..], 0, "Synced"),
        (&["Down", "Enter"], 0, "Separate session sinc-app-"),
        (&["Escape"], 1, "nothing was done"),
    ] {
        let world = World::new();
        world.fakes.on(BOOTSTRAP, host_says("how new\n"));
        world.fakes.on(BOOTSTRAP, Answer { once: true, ..other.clone() });
        let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["--no-attach"]);
        terminal.wait_for("belongs to laptop /home/me/app. This directory is", PATIENCE);
        terminal.type_keys(keys);
        assert_eq!(terminal.wait_exit(PATIENCE), code, "{keys:?} {}", terminal.history());
        assert!(terminal.history().contains(says), "{keys:?} {}", terminal.history());
        let calls = world.fakes.transcript();
        let same = calls.contains(&format!("--name {} ", world.id()));
        assert_eq!(same, code == 0 && keys.len() == 1, "{keys:?}");
        assert_eq!(calls.contains("sync create"), code == 0, "{keys:?}");
    }
}

#[test]
fn little_room_on_the_host_is_said() {
    let world = World::new();
    let says = host_says("how new\n").stdout.replace("30000000", "100000");
    world.fakes.on(BOOTSTRAP, Answer::stdout(&says));
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
          Made box:/home/dev/workspace/app
    warning: only 97.66 MiB are free on box
        Synced 3 files, 1.21 KiB, in [time] s
    ");
}

#[test]
fn each_state_of_the_sync() {
    let mut text = String::new();
    let mut state = |what: &str, from: &str, to: &str, code: i32| {
        let world = World::connected();
        world.change_sync(from, to);
        let run = world.sinc(&["--no-attach"]).exits(code);
        text.push_str(&report(what, &world, &run));
    };
    state("as it was", "watching", "watching", 0);
    state("paused", "\"paused\":false", "\"paused\":true", 0);
    state("a state of a later version", "watching", "dreaming", 0);
    state("connecting", "watching", "connecting-beta", 0);
    state("emptied", "watching", "halted-on-root-emptied", 1);
    state("deleted", "watching", "halted-on-root-deletion", 1);
    state("replaced", "watching", "halted-on-root-type-change", 1);
    // Other settings: what waits is brought over before.
    state("other settings", "\"sinc-settings\":\"", "\"sinc-settings\":\"0", 0);
    state(
        "conflicts",
        "\"mood\"",
        "\"conflicts\":[{\"root\":\"a.txt\",\"alphaChanges\":[{\"path\":\"a.txt\",\"new\":{\"kind\":\"file\"}}],\
         \"betaChanges\":[{\"path\":\"a.txt\"}]},{\"root\":\"dir/\\u001b[2Jx\"}],\"excludedConflicts\":7,\"mood\"",
        0,
    );
    state(
        "a path that cannot be read",
        "\"alpha\":{",
        "\"alpha\":{\"scanProblems\":[{\"path\":\"secret\",\"error\":\"unable to open file: permission denied\"}],",
        0,
    );
    insta::assert_snapshot!("states-of-the-sync", text);
}

#[test]
fn other_settings_wait_when_a_change_cannot_be_brought_over() {
    let world = World::connected();
    world.change_sync("\"sinc-settings\":\"", "\"sinc-settings\":\"0");
    world
        .fakes
        .on("mutagen sync flush *", Answer::fails(1, "Error: unable to flush session: not connected\n"));
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!(report("a flush that fails", &world, &run), @"
    # a flush that fails
    Connecting to box
    warning: the sync keeps its old settings for now: what waits could not be brought over first (not connected: unable to flush session: not connected)
    $ mutagen sync flush -- sync_1
    $ mutagen sync resume -- sync_1
    $ mutagen sync flush -- sync_1
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
}

#[test]
fn two_syncs_of_one_session() {
    let world = World::connected();
    let text = std::fs::read_to_string(world.sync()).unwrap();
    let second = world.sync().with_file_name("sync_2");
    std::fs::write(&second, text.replace("sync_1", "sync_2")).unwrap();
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!(report("alike", &world, &run), @"
    # alike
    Connecting to box
         Ended 1 copy of the sync
    $ mutagen sync flush -- sync_1
    $ mutagen sync terminate -- sync_2
    $ mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash]
    ");
    assert!(world.sync().exists() && !second.exists());
    // They differ: a person decides.
    std::fs::write(
        &second,
        text.replace("sync_1", "sync_2").replace("/home/dev/workspace/app", "/elsewhere"),
    )
    .unwrap();
    world.forget_calls();
    let run = world.sinc(&["--no-attach"]).exits(1);
    insta::assert_snapshot!(report("differing", &world, &run), @"
    # differing
    Connecting to box
    error: there are several syncs for this session, and they differ:
      sync_1 $HOME/app -> /home/dev/workspace/app
      sync_2 $HOME/app -> /elsewhere

    hint: end all of them with `sinc kill`, then `sinc` makes one; files stay on both sides
    ");
}

#[test]
fn mutagen_does_not_reach_the_host() {
    // As Mutagen 0.18.1 says it.
    let reason = "Error: unable to create session: unable to connect to beta: unable to connect to endpoint: unable to \
         dial agent endpoint: unable to create agent command: unable to probe remote platform: ";
    let mut text = String::new();
    for (what, said, code) in [
        (
            "refused",
            "unable to invoke command: exit status 255 (error output: ssh: connect to host 203.0.113.7 port 22: Connection refused)",
            76,
        ),
        (
            "login",
            "unable to invoke command: exit status 255 (error output: dev@203.0.113.7: Permission denied (publickey).)",
            76,
        ),
        ("no words of ssh", "unable to invoke command: exit status 255", 1),
    ] {
        let world = World::new();
        world.fakes.on("mutagen sync create *", Answer::fails(1, &format!("{reason}{said}\n")));
        let run = world.sinc(&["--no-attach"]).exits(code);
        text.push_str(&report(what, &world, &run));
    }
    insta::assert_snapshot!("mutagen-does-not-connect", text);
}

#[test]
fn a_daemon_of_another_version_is_restarted() {
    let world = World::connected();
    let mismatch =
        "Error: unable to connect to daemon: client/daemon version mismatch (daemon restart recommended)\n";
    world.fakes.on("mutagen sync list *", Answer { once: true, ..Answer::fails(1, mismatch) });
    drop(world.sinc(&["--no-attach"]).success());
    assert!(world.calls().contains("$ mutagen daemon stop\n"), "{}", world.calls());
}

#[test]
fn mutagen_says_something_else_entirely() {
    let world = World::connected();
    world.fakes.on("mutagen sync list *", Answer::stdout("<html>\n"));
    let run = world.sinc(&["--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
    error: could not list the sync sessions: Mutagen answered `<html>`
    ");
}

#[test]
fn a_path_with_commas_and_quotes_in_an_ignore() {
    let world = World::new();
    world.sandbox.write("app/.sincignore", "a,b\nit's \"q\"\n#comment\n\\#x\n*.{log,tmp}\n");
    drop(world.sinc(&["--no-attach"]).success());
    let data = world.sandbox.home().join(".local/share/sinc/mutagen");
    let files = std::fs::read_dir(data).unwrap().map(|file| file.unwrap().path());
    let settings = files.filter(|file| file.extension().is_some_and(|kind| kind == "yml")).last().unwrap();
    insta::assert_snapshot!(std::fs::read_to_string(settings).unwrap(), @r#"
    # Written by sinc for Mutagen; changing it changes nothing.
    sync:
      defaults:
        mode: two-way-safe
        ignore:
          syntax: mutagen
          vcs: false
          paths:
            - "node_modules"
            - ".venv"
            - "__pycache__"
            - ".DS_Store"
            - "a,b"
            - "it's \"q\""
            - "\\#x"
            - "*.{log,tmp}"
            - ".[gG][iI][tT]"
            - ".[gG][iI][tT][ .]*"
            - "[gG][iI][tT]~[0-9]"
            - "/.sinc-session"
        symlink:
          mode: portable
        watch:
          mode: portable
          pollingInterval: 2
        permissions:
          mode: portable
          defaultFileMode: "0644"
          defaultDirectoryMode: "0755"
    "#);
}
