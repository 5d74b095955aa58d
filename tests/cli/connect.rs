//! `sinc`: which commands it runs, in which order, and what it says.

use std::path::{Path, PathBuf};

use crate::support::e2e::have;
use crate::support::fakes::Answer;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::world::{ATTACH, BOOTSTRAP, MAKE, World, host_says, tree};

#[test]
fn the_first_connect_is_one_script_one_sync_and_one_terminal() {
    let world = World::new();
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!("first", world.seen(&run));
}

#[test]
fn the_next_connect_makes_nothing_again() {
    let world = World::connected();
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!("again", world.seen(&run));
}

#[test]
fn off_a_terminal_nothing_is_attached_and_that_is_said() {
    let world = World::connected();
    let run = world.sinc(&[]).success();
    insta::assert_snapshot!(world.left(&run), @"
    exit code: 0
    --- stdout
    session   sinc-app-[hash] on box
    sync      synced (last cycle just now, 2 cycles)
    terminal  detached
    agent     opencode running
    local     ~/app
    remote    box:/home/dev/workspace/app
    link      ssh, polling 2s
    --- stderr
    Connecting to box
               not on a terminal: everything runs, nothing is attached
    ");
    assert!(!world.calls().contains(" -t -- "), "{}", world.calls());
}

#[test]
fn a_first_connect_that_was_cut_short_is_finished_by_the_next() {
    let world = World::new();
    world
        .fakes
        .on("mutagen sync monitor *", Answer { once: true, ..Answer::fails(1, "Error: unexpected EOF\n") });
    let run = world.sinc(&["--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
          Made box:/home/dev/workspace/app
    error: could not watch the sync: `$ROOT/bin/mutagen sync monitor --template '{{json .}}' -- sync_1` exited with 1
      Error: unexpected EOF
    ");
    world.fakes.on(BOOTSTRAP, host_says("how kept\n"));
    world.forget_calls();
    // It waits for the first cycle again, and makes no second sync.
    drop(world.sinc(&["--no-attach"]).success());
    assert!(
        world.calls().contains("sync monitor") && !world.calls().contains("sync create"),
        "{}",
        world.calls()
    );
}

#[test]
fn a_dry_run_shows_commands_to_paste_and_changes_nothing() {
    let world = World::new();
    world.sandbox.write("app/.sincignore", "dist\n");
    let before = tree(&world.sandbox.home());
    let attach = world.sinc(&["--dry-run"]).success();
    let no_attach = world.sinc(&["--dry-run", "--no-attach"]).success();
    assert_eq!(tree(&world.sandbox.home()), before);
    insta::assert_snapshot!("dry-run", world.seen(&attach));
    assert!(pasted(&world, &attach.stdout).contains(" -t -- "));
    // What Mutagen needs is there now, as after a connect.
    let mutagen = sinc::state::host_word("box");
    drop(world.sinc(&["--no-attach"]).success());
    let connected = tree(&world.sandbox.home().join(".local"));
    let settings = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "yml");
    assert_eq!(connected.keys().filter(settings).count(), 1, "{connected:?}");
    assert!(connected.keys().any(|path| path.ends_with(format!("hosts/{mutagen}.json"))), "{connected:?}");
    assert!(!pasted(&world, &no_attach.stdout).contains(" -t -- "));
}

#[test]
fn a_dry_run_of_a_session_that_exists_changes_nothing_either() {
    let world = World::connected();
    let before = tree(&world.sandbox.home());
    let run = world.sinc(&["--dry-run"]).success();
    assert_eq!(tree(&world.sandbox.home()), before);
    insta::assert_snapshot!("dry-run-of-a-known-session", world.seen(&run));
}

/// Pastes commands into a shell and gives what was called.
#[track_caller]
fn pasted(world: &World, commands: &str) -> String {
    world.fakes.on(ATTACH, Answer::default());
    world.forget_calls();
    drop(world.sandbox.run("sh", &["-e", "-u", "-c", commands]).success());
    let calls = world.calls();
    world.forget_calls();
    // What was called is what was shown.
    for call in calls.lines() {
        let shown = call.trim_start_matches("$ ");
        assert!(world.normal(commands).contains(&format!("{shown}\n")), "{call}\n{commands}");
    }
    calls
}

#[test]
fn new_on_a_session_that_exists_is_refused() {
    let world = World::connected();
    let run = world.sinc(&["--new", "--no-attach"]).exits(1);
    insta::assert_snapshot!(world.seen(&run), @"
    exit code: 1
    --- stdout
    --- stderr
    error: the session sinc-app-[hash] on box exists already

    hint: attach to it with `sinc`
    hint: or end it with `sinc kill sinc-app-[hash]`
    --- commands
    ");
    // It may also be only the host that knows it.
    let world = World::new();
    world.fakes.on(BOOTSTRAP, host_says(&format!("session {} 1\nhow kept\n", world.id())));
    let run = world.sinc(&["--new", "--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
    error: the session sinc-app-[hash] on box exists already

    hint: attach to it with `sinc`
    hint: or end it with `sinc kill sinc-app-[hash]`
    ");
    assert!(!world.calls().contains("sync create"), "{}", world.calls());
}

#[test]
fn resume_without_a_session_is_refused() {
    let world = World::new();
    let run = world.sinc(&["--resume", "--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
    error: there is no session sinc-app-[hash] on box to resume

    hint: `sinc` without `--resume` makes it
    ");
    assert!(!world.calls().contains("sync create"), "{}", world.calls());
    let world = World::connected();
    drop(world.sinc(&["--resume", "--no-attach"]).success());
}

#[test]
fn the_agent_of_the_flag_or_the_host_runs_in_a_new_session() {
    let world = World::new();
    world.sandbox.configure(
        "[host.box]\ndestination = \"box\"\nagent = \"mine\"\n[agent.mine]\ncommand = \"oc --fast 'a b'\"\n",
    );
    let made = |args: &[&str]| {
        world.forget_calls();
        drop(world.sinc(args).success());
        world.calls().lines().find(|call| call.contains("<attach.sh>")).unwrap().to_owned()
    };
    assert!(made(&["--no-attach"]).contains("oc --fast"));
    let codex = made(&["--no-attach", "--agent", "codex"]);
    assert!(
        codex.contains("npm install -g @openai/codex")
            && codex.ends_with("'\\''codex'\\'' '\\''120'\\'' '\\''40'\\'' '\\''<mobile.sh>'\\'''"),
        "{codex}"
    );
}

/// A terminal at which a session is attached to; ssh says so and stays until a line is typed.
fn attached(world: &World) -> Option<Terminal<'_>> {
    if !have(&["tmux"]) {
        return None;
    }
    let script = "echo \"ssh is process $PPID\"; exec sleep 60 </dev/null";
    world.fakes.on(ATTACH, Answer { script: Some(script.to_owned()), ..Answer::default() });
    Some(Terminal::sinc(&world.sandbox, &world.project(), &[]))
}

#[test]
fn a_known_session_on_a_terminal_is_exactly_one_ssh_that_takes_sincs_place() {
    let world = World::connected();
    let Some(terminal) = attached(&world) else { return };
    terminal.wait_for(&format!("ssh is process {}", terminal.pid()), PATIENCE);
    // Mutagen is asked beside it.
    wait_until("Mutagen is asked", PATIENCE, || world.calls().contains("mutagen sync list"));
    let ssh = |calls: &str| calls.lines().filter(|call| call.starts_with("$ ssh ")).count();
    assert_eq!(ssh(&world.calls()), 1, "{}", world.calls());
    let mut calls: Vec<_> = world.calls().lines().map(str::to_owned).collect();
    calls.sort();
    let size = calls.join("\n");
    insta::assert_snapshot!("attach", size);
    // An ssh that ends at once may have failed: it is looked why, beside.
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    wait_until("the host is looked at", PATIENCE, || ssh(&world.calls()) == 2);
    assert!(world.calls().contains("<survey.sh>"), "{}", world.calls());
    world.wait_until_nobody_looks();
}

#[test]
fn what_is_not_right_with_the_sync_is_shown_in_the_session() {
    let world = World::connected();
    world.fakes.on("ssh * -T -- *display-message*", Answer::stdout("sinc-begin 1\n"));
    world.change_sync("\"watching\"", "\"halted-on-root-emptied\"");
    let Some(terminal) = attached(&world) else { return };
    wait_until("a message is shown", PATIENCE, || world.calls().contains("<message.sh>"));
    let calls = world.calls();
    let message = calls.lines().find(|call| call.contains("<message.sh>")).unwrap();
    insta::assert_snapshot!(message.split_once(" sinc ").unwrap().1, @r"'\''sinc-app-[hash]'\'' '\''sinc: the sync has stopped itself (the directory was emptied on one side): see `sinc status`'\'''");
    drop(terminal);
    world.wait_until_nobody_looks();
}

#[test]
fn a_first_connect_on_a_terminal_ends_in_it() {
    let world = World::new();
    let Some(terminal) = attached(&world) else { return };
    terminal.wait_for(&format!("ssh is process {}", terminal.pid()), PATIENCE);
    let screen = world.normal(terminal.screen().trim_end());
    insta::assert_snapshot!(screen.replace(&terminal.pid().to_string(), "[pid]"), @"
    Connecting to box
          Made box:/home/dev/workspace/app
        Synced 3 files, 1.21 KiB, in [time] s
     Attaching sinc-app-[hash] on box
    ssh is process [pid]
    ");
    let calls = world.calls();
    let ssh: Vec<_> = calls.lines().filter(|call| call.starts_with("$ ssh ")).collect();
    assert!(ssh.len() == 2 && ssh[1].contains(" -t -- "), "{calls}");
    drop(terminal);
    world.wait_until_nobody_looks();
}

#[test]
fn inside_of_a_local_tmux_its_prefix_is_told_once() {
    if !have(&["tmux"]) {
        return;
    }
    let mut world = World::connected();
    world.sandbox.set("TMUX", "/tmp/tmux-0/default,1,0");
    let note = "you are inside a tmux here";
    // Who attaches to nothing is told nothing, and is told when it matters.
    for args in [&[][..], &["--no-attach"], &["--dry-run"]] {
        assert!(!world.sinc(args).success().stderr.contains(note), "{args:?}");
    }
    let stays = Answer { script: Some("echo attached; exec sleep 60".to_owned()), ..Answer::default() };
    world.fakes.on(ATTACH, stays);
    for told in [true, false] {
        let terminal = Terminal::sinc(&world.sandbox, &world.project(), &[]);
        terminal.wait_for("attached", PATIENCE);
        assert_eq!(terminal.screen().contains(note), told, "{}", terminal.screen());
        drop(terminal);
        world.wait_until_nobody_looks();
    }
}

/// A connected world whose host is reached by Eternal Terminal, which says that it is there and stays.
fn with_et() -> World {
    let world = World::connected();
    let config = "[host.box]\ndestination = \"ssh://dev@203.0.113.7:2222\"\ntransport = \"et\"\n";
    world.sandbox.configure(config);
    let stays = Answer { script: Some("echo et is here; exec sleep 60".to_owned()), ..Answer::default() };
    world.fakes.on("et *", stays);
    world
}

#[test]
fn eternal_terminal_where_it_is_asked_for() {
    if !have(&["tmux"]) {
        return;
    }
    let world = with_et();
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &[]);
    terminal.wait_for("et is here", PATIENCE);
    let calls = world.calls();
    insta::assert_snapshot!(calls.lines().find(|call| call.starts_with("$ et ")).unwrap(), @r"$ et --telemetry=false --ssh-option Port=2222 -c ' exec tmux -u attach-session -t '\''=sinc-app-[hash]'\''' dev@203.0.113.7");
    drop(terminal);
    world.wait_until_nobody_looks();
    // Without it.
    std::fs::remove_file(world.sandbox.bin().join("et")).unwrap();
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &[]);
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    let screen = terminal.screen();
    assert!(screen.contains("install Eternal Terminal"), "{screen}");
}

#[test]
fn attach_uses_eternal_terminal_too_once_the_session_is_known_to_be_there() {
    if !have(&["tmux"]) {
        return;
    }
    let world = with_et();
    let id = world.id();
    let attach = ["attach", &id];
    let terminal = Terminal::sinc(&world.sandbox, &world.sandbox.home(), &attach);
    terminal.wait_for("et is here", PATIENCE);
    // The host is asked whether the session is there; nothing is made, the sync is not touched.
    insta::assert_snapshot!("attach-et", world.calls());
    drop(terminal);
    // `et` itself would end with 0.
    let none = "sinc: there is no session sinc-app-[hash] on this host\n";
    world.fakes.on(MAKE, Answer::fails(95, none));
    world.forget_calls();
    let terminal = Terminal::sinc(&world.sandbox, &world.sandbox.home(), &attach);
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    let screen = terminal.screen();
    assert!(screen.contains("error: there is no session sinc-app-[hash] on this host"), "{screen}");
    assert!(!world.calls().contains("$ et "), "{}", world.calls());
}

#[test]
fn a_dry_run_shows_eternal_terminal_where_it_is_asked_for() {
    let world = with_et();
    let attach = world.sandbox.sinc(&["attach", &world.id(), "--dry-run"]).success();
    let connect = world.sinc(&["--dry-run"]).success();
    let calls = world.calls();
    assert!(calls.lines().all(|call| call.starts_with("$ mutagen sync list ")), "{calls}");
    insta::assert_snapshot!("attach-et-dry-run", world.left(&attach));
    // The same two, with what makes the tmux session.
    let why = ["# make the terminal session\n", "# attach to the session\net --telemetry=false "];
    let at = why.map(|why| connect.stdout.find(why));
    assert!(matches!(at, [Some(make), Some(attach)] if make < attach), "{connect}");
}

#[test]
fn ctrl_c_while_the_host_is_asked_ends_it_with_130_and_the_next_run_goes_on() {
    if !have(&["tmux"]) {
        return;
    }
    let world = World::new();
    let slow = Answer {
        script: Some("echo asked >asked; exec sleep 60".to_owned()),
        once: true,
        ..Answer::default()
    };
    world.fakes.on(BOOTSTRAP, slow);
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["--no-attach"]);
    wait_until("the host is asked", PATIENCE, || world.project().join("asked").exists());
    terminal.type_keys(&["C-c"]);
    let code = terminal.wait_exit(PATIENCE);
    let screen = terminal.screen();
    assert_eq!(code, 130, "{screen}");
    assert!(!screen.contains("error"), "{screen}");
    std::fs::remove_file(world.project().join("asked")).unwrap();
    drop(world.sinc(&["--no-attach"]).success());
}

#[test]
fn attach_goes_to_a_session_from_anywhere_and_needs_a_terminal() {
    let world = World::connected();
    let id = world.id();
    let run = world.sandbox.sinc(&["attach", &id]).exits(1);
    insta::assert_snapshot!(world.seen(&run), @"
    exit code: 1
    --- stdout
    --- stderr
    error: there is no terminal to attach

    hint: run it on a terminal; `sinc status sinc-app-[hash]` shows how it stands
    --- commands
    ");
    let run = world.sandbox.sinc(&["attach", &id, "--dry-run"]).success();
    insta::assert_snapshot!("attach-dry-run", world.seen(&run));
    let mut said = String::new();
    for args in [&["attach"][..], &["attach", "sinc-app"], &["attach", "nonsense"], &["attach", "-x"]] {
        let run = world.sandbox.sinc(args);
        said.push_str(&format!("$ sinc {}\n{}\n", args.join(" "), world.left(&run)));
    }
    insta::assert_snapshot!("attach-refused", said);
    assert_eq!(world.calls(), "");
}

#[test]
fn verbose_shows_each_command_with_its_time() {
    let world = World::connected();
    let run = world.sinc(&["--no-attach", "-v"]).success();
    let shown = world.normal(&run.stderr);
    let mut shown: Vec<_> = shown
        .lines()
        .map(|line| line.split(" -o ").next().unwrap())
        .map(|line| line.split(" ms=").next().unwrap())
        .collect();
    shown.sort_unstable();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    Connecting to box
    DEBUG MUTAGEN_DATA_DIRECTORY=$HOME/.local/share/sinc/mutagen MUTAGEN_SSH_PATH=$HOME/.local/share/sinc/mutagen-ssh $ROOT/bin/mutagen sync flush --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash] why="flush the sync"
    DEBUG MUTAGEN_DATA_DIRECTORY=$HOME/.local/share/sinc/mutagen MUTAGEN_SSH_PATH=$HOME/.local/share/sinc/mutagen-ssh $ROOT/bin/mutagen sync list --template '{{json .}}' -- sync_1 why="list the sync sessions"
    DEBUG MUTAGEN_DATA_DIRECTORY=$HOME/.local/share/sinc/mutagen MUTAGEN_SSH_PATH=$HOME/.local/share/sinc/mutagen-ssh $ROOT/bin/mutagen sync list --template '{{json .}}' --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash] why="list the sync sessions"
    DEBUG MUTAGEN_DATA_DIRECTORY=$HOME/.local/share/sinc/mutagen MUTAGEN_SSH_PATH=$HOME/.local/share/sinc/mutagen-ssh $ROOT/bin/mutagen sync list --template-file /dev/stdin --label-selector sinc-id=sinc-app-[hash],sinc-host=sinc-[hash] why="list the sync sessions"
    DEBUG ssh
    DEBUG ssh
    DEBUG ssh
    "#);
}

#[test]
fn the_binary_that_mutagen_calls_as_ssh_goes_to_the_host() {
    let world = World::connected();
    let dir = world.sandbox.home().join(".local/share/sinc/mutagen-ssh");
    let target = std::fs::read_link(dir.join("ssh")).unwrap();
    assert_eq!(target, Sandbox::binary());
    let word = sinc::state::host_word("box");
    world.fakes.on("ssh *last -x*", Answer::stdout("sinc-begin 1\nboot first\n"));
    world.fakes.on("ssh *eval*", Answer::stdout("the real one\n"));
    let call = |world: &World, program: &Path, args: &[&str]| {
        let run = world.sandbox.run(program.to_str().unwrap(), args);
        world.left(&run)
    };
    let agent = ".mutagen/agents/0.18.1/mutagen-agent synchronizer --log-level=info";
    let said = call(&world, &dir.join("ssh"), &["-oConnectTimeout=5", &word, agent]);
    assert!(said.starts_with("exit code: 0\n--- stdout\nthe real one\n"), "{said}");
    insta::assert_snapshot!("called-as-ssh", world.calls());
    insta::assert_snapshot!(call(&world, &dir.join("ssh"), &["sinc-000000000000", "x"]), @"
    exit code: 255
    --- stdout
    --- stderr
    sinc: sinc knows no host for the word `sinc-[hash]`
    ");
    insta::assert_snapshot!(call(&world, &dir.join("scp"), &["-C", "agent", &format!("{word}:x")]), @"
    exit code: 255
    --- stdout
    --- stderr
    sinc: `scp` is not on PATH: cannot find binary path
    ");
}

#[test]
fn a_dry_run_of_a_session_whose_settings_changed_leads_to_one_sync() {
    let world = World::connected();
    world.sandbox.write("app/.sincignore", "dist\n");
    let before = tree(&world.sandbox.home());
    let run = world.sinc(&["--dry-run"]).success();
    assert!(tree(&world.sandbox.home()) == before, "something was changed");
    let calls = pasted(&world, &run.stdout);
    let steps: Vec<_> = ["sync flush", "sync terminate", "sync create"].map(|step| calls.find(step)).into();
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{calls}");
    // What was pasted is what is wanted: nothing is made again.
    world.forget_calls();
    drop(world.sinc(&["--no-attach"]).success());
    let calls = world.calls();
    assert!(!calls.contains("sync create") && !calls.contains("sync terminate"), "{calls}");
}

#[test]
fn a_dry_run_says_what_would_be_done_about_the_sync_that_there_is() {
    let world = World::connected();
    drop(world.sinc(&["pause"]).success());
    let run = world.sinc(&["--dry-run"]).success();
    assert!(run.stdout.contains("mutagen sync resume -- sync_1"), "{}", run.stdout);
    assert!(!run.stdout.contains("sync create"), "{}", run.stdout);
    // Lost, as with Mutagen's data.
    std::fs::remove_file(world.sync()).unwrap();
    let run = world.sinc(&["--dry-run"]).success();
    assert!(run.stdout.contains("sync create"), "{}", run.stdout);
    assert!(world.sinc(&["--new", "--dry-run"]).exits(1).stderr.contains("exists already"));
}

#[test]
fn a_dry_run_as_json_is_one_object() {
    let world = World::connected();
    for (args, command) in
        [(&["--dry-run", "--json"][..], "connect"), (&["attach", "--dry-run", "--json"], "attach")]
    {
        let run = world.sinc(args).success();
        let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((&answer["command"], &answer["data"]["dry_run"]), (&command.into(), &true.into()));
        assert!(run.stderr.contains(" -t -- "), "{}", run.stderr);
    }
}

#[test]
fn a_home_in_which_no_connection_can_be_shared_is_said() {
    let mut world = World::new();
    let warning = "connections to this host are not shared";
    assert!(!world.sinc(&["--no-attach"]).success().stderr.contains(warning));
    let spaced = world.sandbox.root().join("a home");
    std::os::unix::fs::symlink(world.sandbox.home(), &spaced).unwrap();
    world.sandbox.set("HOME", &spaced);
    let run = world.sinc(&["--no-attach"]).success();
    assert!(run.stderr.contains(warning), "{run}");
}
