//! `sinc run`: a command on the host, in the same directory, with exactly its streams and its code.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use sinc::demo::Options;

use crate::steps;
use crate::support::e2e::{Bed, living_in};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

fn connected(files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    let project = bed.project("app", files);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    Some((bed, project, there))
}

#[track_caller]
fn run(bed: &Bed, dir: &Path, words: &[&str]) -> Run {
    bed.sandbox.sinc_in(dir, &[&["run"], words].concat())
}

/// Runs it with this on its standard input.
#[track_caller]
fn run_with(bed: &Bed, dir: &Path, input: &[u8], words: &[&str]) -> Run {
    let words = [&["run"], words].concat();
    bed.sandbox.finish(&bed.sandbox.program(Sandbox::binary(), dir).args(words).input(input))
}

/// Nothing of a run is left on the host: no process with this word, no file of its guard.
#[track_caller]
fn nothing_left(bed: &Bed, word: &str) {
    wait_until("nothing of the command is left", PATIENCE, || {
        // Not whoever only has it among its words.
        let runs =
            |process: &String| process.split_once(": ").is_some_and(|(_, words)| words.starts_with(word));
        !living_in(bed.host.dir()).iter().any(runs) && places(bed).is_empty()
    });
}

/// What guards have made on the host for commands that run.
fn places(bed: &Bed) -> Vec<PathBuf> {
    let dir = bed.host.remote_home().join("runtime");
    std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// A bed whose host has a runtime directory of its own, so that what is left there is seen.
fn watched(files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    let found = connected(files)?;
    let (bed, ..) = &found;
    let dir = bed.host.remote_home().join("runtime");
    std::fs::create_dir(&dir).unwrap();
    let login = bed.host.dir().join("login");
    let text = steps::read(&login).replacen(
        "export HOME",
        &format!("XDG_RUNTIME_DIR={}\nexport XDG_RUNTIME_DIR HOME", dir.display()),
        1,
    );
    std::fs::write(&login, text).unwrap();
    Some(found)
}

#[test]
fn the_code_is_the_commands_own() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    for code in [0, 1, 7, 90, 91, 94, 124, 126, 130, 254, 255] {
        let run = run(&bed, &project, &["--no-sync", "--", "sh", "-c", &format!("exit {code}")]).exits(code);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""), "{run}");
    }
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("INT", 130), ("HUP", 129)] {
        let _ =
            run(&bed, &project, &["--no-sync", "--", "sh", "-c", &format!("kill -{signal} $$")]).exits(code);
    }
    let missing = run(&bed, &project, &["--no-sync", "--", "no-such-program"]).exits(127);
    assert!(missing.stderr.contains("no-such-program: not found"), "{missing}");
    assert!(!missing.stderr.contains("hint:"), "{missing}");
    let line = run(&bed, &project, &["--no-sync", "--", "ls | wc -l"]).exits(127);
    assert!(line.stderr.ends_with("hint: a line for a shell: `sinc run -- sh -c 'ls | wc -l'`\n"), "{line}");
    let streams = run(&bed, &project, &["--no-sync", "--", "sh", "-c", "echo out; echo err >&2"]).success();
    assert_eq!((streams.stdout.as_str(), streams.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn files_go_there_before_and_come_back_after() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("sub/b", "2")]) else { return };
    for round in 0..3 {
        steps::write(&project.join("a"), &format!("round {round}"));
        let script = "cat a; mkdir -p new; cp a new/copy; exit 3";
        let run = run(&bed, &project, &["--", "sh", "-c", script]).exits(3);
        assert_eq!((run.stdout, run.stderr), (format!("round {round}"), String::new()));
        assert_eq!(steps::read(&project.join("new/copy")), format!("round {round}"));
    }
    // In the same directory, whatever it is called; also one that was made just now.
    for name in ["sub", "it's $(touch pwn) `id`", "-n", "é 日本 !x", "a\\b \"q\""] {
        let dir = project.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let run = run(&bed, &dir, &["--", "sh", "-c", "pwd; echo x >here"]).success();
        assert_eq!(run.stdout, format!("{}\n", there.join(name).display()));
        assert_eq!(steps::read(&dir.join("here")), "x\n");
    }
    // A directory that is ignored is not there.
    std::fs::create_dir(project.join("node_modules")).unwrap();
    let missing = run(&bed, &project.join("node_modules"), &["--", "pwd"]).exits(1);
    assert!(missing.stderr.starts_with("error: there is no directory `node_modules` on box\n"), "{missing}");
    assert!(!project.join("pwn").exists() && !there.join("pwn").exists());
}

#[test]
fn without_sync_nothing_is_brought_over() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    let refused = run(&bed, &project, &["--", "true"]).exits(1);
    assert!(refused.stderr.contains("is paused\n\nhint: `sinc resume` goes on"), "{refused}");
    steps::write(&project.join("a"), "2");
    let run = run(&bed, &project, &["--no-sync", "--", "cat", "a"]).success();
    assert_eq!(run.stdout, "1");
}

#[test]
fn conflicts_are_no_hindrance_and_are_said() {
    let Some((bed, project, there)) = connected(&[("a", "1")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&project.join("a"), "here\n");
    steps::write(&there.join("a"), "there\n");
    bed.sandbox.sinc_in(&project, &["resume"]).success();
    let run = run(&bed, &project, &["--", "cat", "a"]).success();
    assert_eq!(run.stdout, "there\n");
    assert!(
        run.stderr.starts_with("warning: 1 conflict, left alone on both sides: a (changed on both"),
        "{run}"
    );
}

#[test]
fn words_and_variables_arrive_as_they_are() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    let words = [
        "it's",
        "a b",
        "",
        "$HOME `id` $(id)",
        "*",
        "-n",
        "--",
        "new\nline",
        "back\\slash \\0101",
        "é !x",
        "~",
    ];
    for words in [&words[..], &words[..7]] {
        let all = [&["--no-sync", "--", "printf", "%s\\0"], words].concat();
        let run = run(&bed, &project, &all).success();
        assert_eq!(run.stdout.trim_end_matches('\0').split('\0').collect::<Vec<_>>(), words);
    }
    let values = ["plain", "a b", "", "it's $(x) `y` \\0 \"q\"", "new\nline\n", "é=ü", "-n", "*"];
    for value in values {
        let set = format!("VALUE={value}");
        let run = run(
            &bed,
            &project,
            &[
                "--no-sync",
                "--env",
                &set,
                "-e",
                "HOME",
                "--",
                "sh",
                "-c",
                "printf '%s|%s' \"$VALUE\" \"$HOME\"",
            ],
        );
        assert_eq!(run.success().stdout, format!("{value}|{}", bed.sandbox.home().display()));
    }
    // No value is in a command line or in the journal.
    let run = run(
        &bed,
        &project,
        &[
            "--no-sync",
            "-e",
            "TOKEN=very-secret",
            "--",
            "sh",
            "-c",
            "cat /proc/*/cmdline 2>/dev/null | tr -d '\\0' | grep -c 'very-secre[t]'; echo $TOKEN",
        ],
    );
    assert!(run.stdout.ends_with("very-secret\n"), "{run}");
    let journal = bed.sandbox.read(".local/state/sinc/logs/commands.jsonl");
    assert!(!journal.contains("very-secret"));
    for wrong in ["1A=x", "A B=x", "=x", "NOT_SET_HERE"] {
        let _ = self::run(&bed, &project, &["-e", wrong, "--", "true"]).exits(2);
    }
}

#[test]
fn standard_input_is_the_commands() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    let run = run_with(
        &bed,
        &project,
        b"one\ntwo\n",
        &["--no-sync", "--", "sh", "-c", "read -r x; echo \"got $x\"; cat"],
    );
    assert_eq!(run.success().stdout, "got one\ntwo\n");
    let run = run_with(&bed, &project, b"", &["--no-sync", "--", "wc", "-c"]);
    assert_eq!(run.success().stdout, "0\n");
    // Closed altogether, and not read at all.
    let sinc = Sandbox::binary().to_str().unwrap();
    let sh = |line: &str| {
        let program = bed.sandbox.program("sh", &project).args(["-c", line, sinc]);
        bed.sandbox.finish(&program).success().stdout
    };
    assert_eq!(sh("\"$0\" run --no-sync -- cat <&-"), "");
    assert_eq!(sh("head -c 3000000 /dev/zero | \"$0\" run --no-sync -- echo done"), "done\n");
    // Whoever reads goes away.
    assert_eq!(sh("\"$0\" run --no-sync -- yes | head -n 1"), "y\n");
}

#[test]
fn ten_megabytes_of_any_bytes_go_in_and_come_out() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    let sinc = Sandbox::binary().to_str().unwrap();
    let line = "head -c 10000000 /dev/urandom >../data; sha1sum <../data; \
        \"$0\" run --no-sync -- cat <../data | sha1sum; \"$0\" run --no-sync -- sha1sum <../data";
    let program = bed.sandbox.program("sh", &project).args(["-c", line, sinc]);
    let run = bed.sandbox.finish(&program).success();
    let sums: Vec<_> = run.stdout.lines().collect();
    assert!(sums.len() == 3 && sums.iter().all(|sum| *sum == sums[0]), "{run}");
}

/// One test for each login shell.
macro_rules! login_shells {
    ($($name:ident)*) => {
        mod login_shell {
            $(#[test]
            fn $name() {
                super::rc_files_give_the_path_and_say_nothing(stringify!($name));
            })*
        }
    };
}

login_shells! { bash dash zsh fish tcsh }

fn rc_files_give_the_path_and_say_nothing(shell: &str) {
    let rc = "echo noise on stdout\nsh -c 'echo noise on stderr >&2'\n".to_owned();
    let options = Options { rc: Some(rc), ..Options::default() };
    let Some(bed) = Bed::with_shell(shell, options) else { return };
    bed.host.add_program("tool", "#!/bin/sh\necho \"tool $# $1\"; echo err >&2; exit 255\n").unwrap();
    let project = bed.project("app", &[("it's !/a", "1")]);
    steps::connect(&bed.sandbox, &project);
    for (word, env) in [("plain", "a b"), ("it's\nnew $x \\ !y", "new\nline !x it's")] {
        let run = run(&bed, &project.join("it's !"), &["--", "tool", word]).exits(255);
        assert_eq!((run.stdout, run.stderr.as_str()), (format!("tool 1 {word}\n"), "err\n"));
        let set = format!("VALUE={env}");
        let run = self::run(
            &bed,
            &project,
            &["-e", &set, "--", "sh", "-c", "printf %s \"$VALUE\"; cat 'it'\\''s !/a'"],
        );
        assert_eq!(run.success().stdout, format!("{env}1"));
    }
    let terminal =
        Terminal::sinc(&bed.sandbox, &project, &["run", "--", "sh", "-c", "tty; stty size; tool x"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 255);
    let screen = terminal.screen();
    assert!(screen.starts_with("/dev/pts/") && screen.contains("\n30 100\ntool 1 x\nerr\n"), "{screen}");
}

#[test]
fn a_terminal_is_one_and_ctrl_c_reaches_the_command() {
    let Some((bed, project, _)) = watched(&[("a", "1")]) else { return };
    let open = |script: &str| Terminal::sinc(&bed.sandbox, &project, &["run", "--", "sh", "-c", script]);
    let terminal = open("echo ready; sleep 7654");
    terminal.wait_for("ready", PATIENCE);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    nothing_left(&bed, "sleep 7654");
    let terminal = open("trap 'echo caught >a; exit 5' INT; echo ready; while :; do sleep 0.1; done");
    terminal.wait_for("ready", PATIENCE);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 5);
    assert_eq!(steps::read(&project.join("a")), "caught\n");
    // What is typed is the command's, and its size follows.
    let terminal = open("read -r x; echo \"got $x\"; read -r y; stty size");
    terminal.type_line("typed");
    terminal.wait_for("got typed", PATIENCE);
    terminal.resize(70, 20);
    terminal.type_line("");
    terminal.wait_for("20 70", PATIENCE);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    // The terminal is closed.
    let terminal = open("echo ready; sleep 7655");
    terminal.wait_for("ready", PATIENCE);
    drop(terminal);
    nothing_left(&bed, "sleep 7655");
}

/// What is said after the command begins on a row of its own, and leaves none behind.
#[test]
fn what_a_command_left_on_the_screen_stays_as_it_is() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    let sinc = Sandbox::binary().to_str().unwrap();
    let full = "printf %0100d 7";
    for (words, left) in [
        ("printf hello", "hello\nafter".to_owned()),
        ("echo hello", "hello\nafter".to_owned()),
        (full, format!("{}7\nafter", "0".repeat(99))),
    ] {
        let line = format!("\"$0\" run -- {words}; echo after");
        let terminal = Terminal::open(&bed.sandbox, &project, &["sh", "-c", &line, sinc]);
        assert_eq!(terminal.wait_exit(PATIENCE), 0);
        assert_eq!(terminal.screen().trim_end(), left, "{words}");
    }
    let terminal =
        Terminal::sinc(&bed.sandbox, &project, &["run", "--", "sh", "-c", "printf ready; sleep 7662"]);
    terminal.wait_for("ready", PATIENCE);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    assert_eq!(terminal.screen().trim_end(), "ready^C");
}

/// On a terminal each Ctrl-C goes to the terminal there, as with ssh; the way out is ssh's own.
#[test]
fn on_a_terminal_a_command_that_hears_no_ctrl_c_is_left_by_the_escape_of_ssh() {
    let Some((bed, project, _)) = watched(&[("a", "1")]) else { return };
    let script = "trap '' INT; echo ready; sleep 7663";
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["run", "--", "sh", "-c", script]);
    terminal.wait_for("ready", PATIENCE);
    for times in 1..=5 {
        terminal.type_keys(&["C-c"]);
        terminal
            .wait("the terminal there shows it", PATIENCE, |screen| screen.matches("^C").count() == times);
    }
    assert_eq!(terminal.exit_code(), None);
    terminal.type_keys(&["Enter", "~", "."]);
    let code = terminal.wait_exit(PATIENCE);
    assert_eq!(code, 129, "{}", terminal.screen());
    nothing_left(&bed, "sleep 7663");
}

/// Starts a run whose streams are no terminal, and waits until its command has begun.
#[track_caller]
fn begin(bed: &Bed, project: &Path, options: &[&str], script: &str) -> std::process::Child {
    let script = format!("echo >\"$HOME/began\"; {script}");
    let began = bed.host.remote_home().join("began");
    let _ = std::fs::remove_file(&began);
    let words = [&["run"], options, &["--", "sh", "-c", &script]].concat();
    let child = bed.sandbox.program(Sandbox::binary(), project).args(words).start();
    wait_until("the command has begun", PATIENCE, || began.exists());
    child
}

#[track_caller]
fn signal(bed: &Bed, name: &str, child: &std::process::Child) {
    bed.sandbox.run("kill", &[name, &child.id().to_string()]).success();
}

#[track_caller]
fn code(child: &mut std::process::Child) -> Option<i32> {
    let mut status = None;
    wait_until("sinc has ended", PATIENCE, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

#[test]
fn signals_reach_the_command_and_what_it_changed_comes_back() {
    let Some((bed, project, _)) = watched(&[("a", "1")]) else { return };
    for (name, caught, own) in [
        ("-INT", "INT", 5),
        ("-TERM", "TERM", 6),
        ("-HUP", "HUP", 7),
        ("-QUIT", "QUIT", 8),
        ("-USR1", "USR1", 9),
        ("-USR2", "USR2", 10),
    ] {
        // What means something to the command only does not end its helpers.
        let (helper, lives) = match caught.starts_with("USR") {
            true => ("sleep 7657 & ", "[ -e /proc/$!/exe ] && kill $! && "),
            false => ("", ""),
        };
        let loops = "while :; do sleep 0.1; done";
        let script = format!("trap '{lives}echo {caught} >a; exit {own}' {caught}; {helper}{loops}");
        let mut child = begin(&bed, &project, &[], &script);
        signal(&bed, name, &child);
        assert_eq!(code(&mut child), Some(own));
        assert_eq!(steps::read(&project.join("a")), format!("{caught}\n"));
    }
    let mut child = begin(&bed, &project, &[], "sleep 7656");
    signal(&bed, "-INT", &child);
    assert_eq!(code(&mut child), Some(130));
    nothing_left(&bed, "sleep 7656");
    // One that will not hear is killed at the third.
    let mut child = begin(&bed, &project, &[], "trap 'echo x >>a' INT; while :; do sleep 0.1; done");
    for lines in 1..=2 {
        signal(&bed, "-INT", &child);
        let there = steps::there(&bed, "app").join("a");
        wait_until("it was heard", PATIENCE, || steps::read(&there).matches('x').count() == lines);
    }
    signal(&bed, "-INT", &child);
    assert_eq!(code(&mut child), Some(137));
    assert!(steps::read(&project.join("a")).ends_with("x\nx\n"));
    nothing_left(&bed, "sleep 0.1");
}

#[test]
fn nothing_stays_behind_when_sinc_is_killed_or_the_line_is_cut() {
    let Some((bed, project, there)) = watched(&[("a", "1")]) else { return };
    // In the background, deaf to a hang-up, in a process group of its own.
    let script =
        "(trap '' HUP; sleep 7657) & nohup sleep 7657 >/dev/null 2>&1 & set -m; sleep 7657 & sleep 7657";
    for options in [&[][..], &["--no-sync"]] {
        let mut child = begin(&bed, &project, options, script);
        assert_eq!(places(&bed).len(), 1);
        signal(&bed, "-KILL", &child);
        let _ = code(&mut child);
        nothing_left(&bed, "sleep 7657");
    }
    // One that hears it has time to end in order.
    let tidy = "trap 'sleep 1; echo >\"$HOME/tidy\"; exit' HUP; while :; do sleep 0.1; done";
    let mut child = begin(&bed, &project, &["--no-sync"], tidy);
    signal(&bed, "-KILL", &child);
    let _ = code(&mut child);
    wait_until("it has ended in order", PATIENCE, || bed.host.remote_home().join("tidy").exists());
    nothing_left(&bed, "sleep 0.1");
    let terminal = Terminal::sinc(
        &bed.sandbox,
        &project,
        &["run", "--", "sh", "-c", "echo ready; sleep 7658 & sleep 7658"],
    );
    terminal.wait_for("ready", PATIENCE);
    bed.sandbox.run("kill", &["-9", &terminal.pid().to_string()]).success();
    nothing_left(&bed, "sleep 7658");
    let mut child = begin(&bed, &project, &[], "echo changed >a; sleep 7659");
    bed.host.break_connections().unwrap();
    assert_eq!(code(&mut child), Some(76));
    nothing_left(&bed, "sleep 7659");
    // What it changed is not lost.
    wait_until("the sync goes on", PATIENCE, || bed.sandbox.sinc_in(&project, &["flush"]).code == 0);
    assert_eq!(
        (steps::read(&project.join("a")), steps::read(&there.join("a"))),
        ("changed\n".into(), "changed\n".into())
    );
    // And killed before anything has begun: while the host gets ready.
    steps::before_each(&bed, "ssh", "case $* in *sinc-env-begin*) echo >\"$HOME/guard\";; esac");
    let mut child =
        bed.sandbox.program(Sandbox::binary(), &project).args(["run", "--", "sleep", "7660"]).start();
    wait_until("the guard was started", PATIENCE, || bed.sandbox.home().join("guard").exists());
    signal(&bed, "-KILL", &child);
    let _ = code(&mut child);
    nothing_left(&bed, "sleep 7660");
}

#[test]
fn a_command_has_a_deadline_of_its_own() {
    let Some((bed, project, _)) = watched(&[("a", "1")]) else { return };
    let run =
        run(&bed, &project, &["--timeout", "1", "--", "sh", "-c", "echo late >a; sleep 7661"]).exits(124);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.ends_with("error: not done within 1 s (--timeout); it was ended\n"), "{run}");
    assert_eq!(steps::read(&project.join("a")), "late\n");
    let deaf = "trap '' TERM; while :; do sleep 0.2; done";
    let program = bed.sandbox.program(Sandbox::binary(), &project).patience(Duration::from_secs(60));
    bed.sandbox.finish(&program.args(["run", "--timeout", "1", "--", "sh", "-c", deaf])).exits(124);
    nothing_left(&bed, "sleep 7661");
    // What made itself a daemon has the output open still.
    let daemon = "setsid sleep 150 & sleep 7661";
    let program = bed.sandbox.program(Sandbox::binary(), &project).patience(Duration::from_secs(90));
    bed.sandbox.finish(&program.args(["run", "--timeout", "1", "--", "sh", "-c", daemon])).exits(124);
    let quick = self::run(&bed, &project, &["--timeout", "60", "--", "sh", "-c", "exit 9"]);
    let _ = quick.exits(9);
}

#[test]
fn what_is_not_as_it_should_be_is_said_and_nothing_is_run() {
    let Some((bed, project, there)) = connected(&[("a", "1")]) else { return };
    let run = |words: &[&str]| run(&bed, &project, words);
    assert!(run(&["--json", "--", "true"]).exits(2).stdout.contains("there is no `--json`"));
    let wrong = run(&[]).exits(2);
    assert!(wrong.stderr.contains("CMD"), "{wrong}");
    let dry = run(&["--dry-run", "--", "sh", "-c", "echo ran; echo x >made"]).success();
    assert!(dry.stdout.matches("mutagen sync flush").count() == 2 && !there.join("made").exists(), "{dry}");
    // What it shows can be pasted.
    let line = dry.stdout.lines().find(|line| line.starts_with("ssh ")).unwrap();
    let pasted = bed.sandbox.run("sh", &["-c", line]).success();
    assert_eq!((pasted.stdout.as_str(), steps::read(&there.join("made")).as_str()), ("ran\n", "x\n"));

    let other = bed.project("other", &[("b", "1")]);
    let none = bed.sandbox.sinc_in(&other, &["run", "--", "true"]).exits(1);
    assert!(none.stderr.contains("this directory has no session"), "{none}");
    std::fs::remove_file(there.join(".sinc-session")).unwrap();
    for cold in [false, true] {
        if cold {
            steps::end_shared_connection(&bed);
        }
        let moved = run(&["--no-sync", "--", "touch", "ran"]).exits(1);
        assert!(moved.stderr.contains("is not where this session was"), "{moved}");
    }
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let gone = run(&["--no-sync", "--", "touch", "ran"]).exits(76);
    assert!(gone.stderr.contains("refuses connections"), "{gone}");
    assert!(!there.join("ran").exists());
}

/// What waits cannot be brought over in time: the command is not run.
#[test]
fn a_command_is_not_run_on_files_that_are_not_there_in_time() {
    let Some((bed, project, there)) = connected(&[("a", "1")]) else { return };
    let agents: Vec<String> = living_in(bed.host.dir())
        .into_iter()
        .filter(|process| process.contains("mutagen-agent synchronizer") && !process.contains("ssh"))
        .filter_map(|process| Some(process.split_once(':')?.0.to_owned()))
        .collect();
    assert!(!agents.is_empty());
    let signal = |name: &str| {
        for agent in &agents {
            bed.sandbox.run("kill", &[name, agent]).success();
        }
    };
    signal("-STOP");
    steps::write(&project.join("a"), "2");
    let words = ["run", "--", "touch", "was-run"];
    let program = bed.sandbox.program(Sandbox::binary(), &project).args(words).patience(PATIENCE * 4);
    let run = bed.sandbox.finish(&program).exits(75);
    assert!(run.stderr.contains("were not equal within "), "{run}");
    signal("-CONT");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    assert!(!there.join("was-run").exists() && !project.join("was-run").exists(), "{run}");
    assert_eq!(steps::read(&there.join("a")), "2");
}

/// The command ends well, and what it made cannot be brought back.
#[test]
fn what_a_command_made_and_does_not_come_back_is_said() {
    let Some((bed, project, there)) = connected(&[("a", "1")]) else { return };
    for (code, said) in [
        (0, "the command ended well, but what it changed is not all here"),
        (7, "what it changed is not all here: "),
    ] {
        let script =
            format!("echo made >made.{code}; until [ -e go.{code} ]; do sleep 0.05; done; exit {code}");
        let words = ["run", "--", "sh", "-c", &script];
        let program = bed.sandbox.program(Sandbox::binary(), &project).args(words);
        let run = std::thread::scope(|scope| {
            let run = scope.spawn(|| bed.sandbox.finish(&program));
            wait_until("the command is at it", PATIENCE, || there.join(format!("made.{code}")).exists());
            bed.sandbox.sinc_in(&project, &["pause"]).success();
            steps::write(&there.join(format!("go.{code}")), "");
            run.join().unwrap()
        });
        assert!(run.stderr.contains(said), "{run}");
        assert_eq!(run.code, if code == 0 { 1 } else { code }, "{run}");
        bed.sandbox.sinc_in(&project, &["resume"]).success();
        steps::wait_text(&project.join(format!("made.{code}")), "made\n");
    }
}
