//! What is shown beside the answer: commands for who asks for them, colour and live lines for a terminal.

use crate::support::e2e::have;
use crate::support::fakes::Answer;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::world::{BOOTSTRAP, World};

/// The lines of the log on standard error, by their levels.
fn logged(run: &Run) -> Vec<&str> {
    let levels = ["ERROR ", "WARN ", "INFO ", "DEBUG ", "TRACE "];
    let level = |line: &&str| levels.iter().any(|level| line.trim_start().starts_with(level));
    run.stderr.lines().filter(level).collect()
}

#[test]
fn each_command_has_its_time_and_its_result_and_twice_verbose_its_output() {
    let world = World::connected();
    let plain = world.sinc(&["--no-attach"]).success();
    assert_eq!(logged(&plain), Vec::<&str>::new(), "{plain}");
    let run = world.sinc(&["--no-attach", "-v"]).success();
    let commands = logged(&run);
    assert!(commands.len() >= 5 && commands.iter().all(|line| line.starts_with("DEBUG ")), "{run}");
    for command in &commands {
        let (_, time) = command.rsplit_once(" ms=").unwrap_or_else(|| panic!("no time: {command}"));
        let (ms, result) = time.split_once(' ').unwrap();
        assert!(ms.parse::<u64>().is_ok() && result == "result=exit 0", "{command}");
    }
    assert_eq!(run.stdout, plain.stdout, "the answer is the same");
    assert!(!run.stderr.contains("peer 127.0.0.1 50000"), "{run}");
    let run = world.sinc(&["--no-attach", "-vv"]).success();
    let outputs: Vec<_> = logged(&run).into_iter().filter(|line| line.contains("TRACE ")).collect();
    assert!(outputs.iter().any(|line| line.contains("\\npeer 127.0.0.1 50000")), "what the host said: {run}");
    assert!(outputs.iter().any(|line| line.contains("sync_1")), "what Mutagen said: {run}");
    // Also of a command that fails.
    world.fakes.on(BOOTSTRAP, Answer::fails(255, "ssh: connect to host x port 22: Connection refused\n"));
    let run = world.sinc(&["--no-attach", "-v"]).exits(76);
    assert!(logged(&run).iter().any(|line| line.contains(" result=exited with 255")), "{run}");
}

#[test]
fn a_filter_of_the_log_counts_more_than_the_flag() {
    let mut world = World::connected();
    let shown = |world: &World, args: &[&str]| {
        let run = world.sinc(&[&["--no-attach"], args].concat()).success();
        let lines = logged(&run);
        let with = |what: &str| lines.iter().any(|line| line.contains(what));
        (with("DEBUG "), with("TRACE "))
    };
    for (filter, args, debug, trace) in [
        ("sinc=debug", &[][..], true, false),
        ("sinc=trace", &[], true, true),
        ("debug", &[], true, false),
        ("sinc::process=trace", &[], true, true),
        ("sinc=warn", &["-vv"], false, false),
        ("sinc::config=trace", &["-v"], false, false),
        ("off", &["-vv"], false, false),
        // Set and empty is not set.
        ("", &["-v"], true, false),
    ] {
        world.sandbox.set("SINC_LOG", filter);
        assert_eq!(shown(&world, args), (debug, trace), "SINC_LOG={filter} {args:?}");
    }
}

#[test]
fn no_secret_is_in_a_log() {
    let mut world = World::connected();
    for name in ["API_KEY", "TS_AUTHKEY", "SSH_ASKPASS", "SINC_TOKEN"] {
        world.sandbox.set(name, format!("hunter2-{name}"));
    }
    world.sandbox.write("app/.env", "TOKEN=hunter2-file\n");
    world.sandbox.set("SINC_LOG", "trace");
    let run = world.sinc(&["--no-attach", "-vv"]).success();
    assert!(logged(&run).len() > 5, "{run}");
    assert!(!run.stderr.contains("hunter2") && !run.stdout.contains("hunter2"), "{run}");
    let logs = world.sandbox.home().join(".local/state/sinc/logs");
    let kept = crate::world::tree(&logs);
    assert!(kept.values().any(|text| text.contains("ssh ")), "{kept:?}");
    assert!(!kept.values().any(|text| text.contains("hunter2")), "{kept:?}");
}

/// What is written to the terminal when sinc runs in it, also what is gone from the screen again.
#[track_caller]
fn written(world: &World, args: &[&str]) -> String {
    let script = "read -r go; \"$@\"; echo \"the end: $?\"";
    let fixed = ["sh", "-c", script, "sh", Sandbox::binary().to_str().unwrap()];
    let terminal = Terminal::open(&world.sandbox, &world.project(), &[&fixed[..], args].concat());
    let record = terminal.record();
    terminal.type_line("go");
    let text = || String::from_utf8_lossy(&std::fs::read(&record).unwrap()).into_owned();
    wait_until("it has ended", PATIENCE, || text().contains("the end: "));
    text()
}

#[test]
fn colour_on_a_terminal_unless_somebody_wants_none() {
    if !have(&["tmux"]) {
        return;
    }
    let mut world = World::new();
    world.fakes.on(BOOTSTRAP, Answer::fails(255, "ssh: connect to host x port 22: Connection refused\n"));
    let coloured = |world: &World, args: &[&str]| {
        let text = written(world, &[&["--no-attach"], args].concat());
        assert!(text.contains("error:") && text.contains("the end: 76"), "{text:?}");
        text.contains("\x1b[31m")
    };
    assert!(coloured(&world, &[]));
    assert!(coloured(&world, &["--color", "auto"]));
    assert!(!coloured(&world, &["--color", "never"]));
    world.sandbox.set("NO_COLOR", "1");
    assert!(!coloured(&world, &[]));
    assert!(coloured(&world, &["--color", "always"]));
    // Set and empty is not set (no-color.org).
    world.sandbox.set("NO_COLOR", "");
    assert!(coloured(&world, &[]));
    world.sandbox.set("TERM", "dumb");
    assert!(!coloured(&world, &[]));
}

#[test]
fn a_live_line_on_a_terminal_and_none_for_who_wants_quiet_or_json() {
    if !have(&["tmux"]) {
        return;
    }
    for (args, live) in [
        (&["--no-attach"][..], true),
        (&["--no-attach", "--quiet"], false),
        (&["--no-attach", "--json"], false),
        (&["--no-attach", "--color", "never"], true),
    ] {
        let world = World::new();
        let text = written(&world, args);
        assert!(text.contains("the end: 0"), "{args:?}: {text:?}");
        assert!(world.calls().contains(" sync monitor "), "a first cycle is waited for");
        assert_eq!(text.contains("Syncing"), live, "{args:?}: {text:?}");
        // It goes back to the beginning of its line and clears it.
        assert_eq!(text.contains("\x1b[2K"), live, "{args:?}: {text:?}");
    }
    // Nor on a terminal that cannot move its cursor.
    let mut world = World::new();
    world.sandbox.set("TERM", "dumb");
    let text = written(&world, &["--no-attach"]);
    assert!(text.contains("Synced") && !text.contains("Syncing") && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn events_of_a_connect_are_one_object_a_line() {
    let world = World::new();
    let run = world.sinc(&["--no-attach", "--json", "--json-events"]).success();
    let events: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"status") && kinds.contains(&"progress"), "{kinds:?}");
    let texts = events.iter().map(|event| event["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n");
    assert!(texts.contains("Synced 3 files"), "{texts}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()["ok"], true);
}
