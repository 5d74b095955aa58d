//! The kit itself: what the other tests stand on.

use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::fakes::{Answer, Fakes};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

#[test]
fn a_sandbox_holds_nothing_of_the_outside() {
    let sandbox = Sandbox::new();
    let run =
        sandbox.run("sh", &["-c", "cd && pwd && env | cut -d= -f1 2>/dev/null; command -v ssh tmux mutagen"]);
    assert_ne!(run.code, 0, "{run}");
    assert_eq!(run.stdout, format!("{}\n", sandbox.home().display()), "{run}");
    let env = sandbox.run("env", &[]).success();
    let mut names: Vec<_> = env.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "SHELL", "TERM", "TMPDIR"]);
}

#[test]
fn a_sandbox_is_gone_afterwards() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    assert!(root.is_dir());
    drop(sandbox);
    assert!(!root.exists());
}

#[test]
fn the_binary_runs_in_it() {
    let sandbox = Sandbox::new();
    sandbox.sinc(&["--version"]).success();
}

#[test]
fn fakes_record_words_and_input_and_answer_by_the_last_rule_that_fits() {
    let sandbox = Sandbox::new();
    let fakes = Fakes::install(&sandbox, &["ssh", "mutagen"]);
    fakes.on("ssh *", Answer::fails(255, "ssh: refused\n"));
    fakes.on("ssh * -- box [x]*", Answer::stdout("first\n"));
    fakes.on("ssh * -- box [x]*", Answer { once: true, ..Answer::stdout("once\n") });
    let ssh = sandbox.program("ssh", &sandbox.home()).args(["-o", "A=b c", "--", "box", "[x] it's\n*"]);
    let run = sandbox.finish(&ssh.clone().input("one\ntwo\n")).success();
    assert_eq!(run.stdout, "once\n");
    assert_eq!(sandbox.finish(&ssh).success().stdout, "first\n");
    let refused = sandbox.run("ssh", &["other"]).exits(255);
    assert_eq!(refused.snapshot(), "exit code: 255\n--- stdout\n--- stderr\nssh: refused\n");
    let unknown = sandbox.run("mutagen", &["version", ""]).exits(97);
    assert_eq!(unknown.stderr, "fake mutagen: no answer for: mutagen version \n");
    let call = "$ ssh -o 'A=b c' -- box '[x] it'\\''s\n*'\n";
    assert_eq!(
        fakes.transcript(),
        format!("{call}  < one\n  < two\n{call}$ ssh other\n$ mutagen version ''\n  ! no answer for this\n")
    );
}

#[test]
fn a_fake_can_do_something() {
    let sandbox = Sandbox::new();
    let fakes = Fakes::install(&sandbox, &["tmux"]);
    fakes.on("tmux new *", Answer { script: Some("cat >\"$2\"".to_owned()), ..Answer::stdout("made\n") });
    let tmux = sandbox.program("tmux", &sandbox.home()).args(["new", "file"]).input("text");
    assert_eq!(sandbox.finish(&tmux).success().stdout, "made\n");
    assert_eq!(sandbox.read("file"), "text\n");
}

#[test]
fn a_terminal_shows_and_takes_what_a_person_sees_and_types() {
    if !have(&["tmux"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let script =
        "test -t 0 && echo \"at a terminal: ${TMUX-no tmux} $TERM\"; read -r x; echo \"got <$x>\"; exit 7";
    let terminal = Terminal::open_sized(&sandbox, &sandbox.home(), &["sh", "-c", script], (60, 10));
    terminal.wait_for("at a terminal: no tmux tmux-256color", PATIENCE);
    assert_eq!(terminal.size(), (60, 10));
    assert_eq!(terminal.exit_code(), None);
    terminal.resize(70, 12);
    assert_eq!(terminal.size(), (70, 12));
    terminal.type_line("Enter $HOME -x é");
    terminal.wait_for("got <Enter $HOME -x é>", PATIENCE);
    assert_eq!(terminal.wait_exit(PATIENCE), 7);
}

#[test]
fn a_terminal_tells_the_signal_that_ended_its_command() {
    if !have(&["tmux"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let terminal = Terminal::open(&sandbox, &sandbox.home(), &["sh", "-c", "echo up; exec sleep 60"]);
    terminal.wait_for("up", PATIENCE);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    let terminal = Terminal::open(&sandbox, &sandbox.home(), &["sleep", "60"]);
    sandbox.run("sh", &["-c", &format!("kill -9 {}", terminal.pid())]).success();
    assert_eq!(terminal.wait_exit(PATIENCE), 137);
}
