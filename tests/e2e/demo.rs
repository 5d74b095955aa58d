//! `sinc demo`: what it shows, and that nothing of it is left however it ends.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::e2e::{have, living_in};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, variable, wait_until};

/// A person's computer that has the tools and nothing else.
#[track_caller]
fn computer() -> Option<Sandbox> {
    if !have(&["ssh", "tmux", "mutagen"]) {
        return None;
    }
    let mut sandbox = Sandbox::new();
    sandbox.set("PATH", variable("PATH").unwrap_or_default());
    Some(sandbox)
}

/// The directory of the demo that told about itself here.
#[track_caller]
fn directory_in(text: &str) -> PathBuf {
    let start = text.find("/tmp/sinc-").unwrap_or_else(|| panic!("no directory is named:\n{text}"));
    text[start..start + "/tmp/sinc-00000000".len()].into()
}

#[track_caller]
fn assert_gone(dir: &Path) {
    assert_eq!(living_in(dir), Vec::<String>::new());
    assert!(!dir.exists(), "{} is still there", dir.display());
}

fn files_in(home: &Path) -> Vec<PathBuf> {
    home.read_dir().expect("a home").map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn the_tour_shows_each_step_and_ends_with_a_table() {
    let Some(sandbox) = computer() else { return };
    let run = sandbox.sinc(&["demo"]).success();
    for shown in [
        "Started a throw-away host",
        "1 of 5 `sinc` for the first time",
        "Synced 203 files",
        "[detached (from session sinc-hello-",
        "5 of 5 ",
        "notes.md  changed on both sides",
        "Removed the host",
    ] {
        assert!(run.stderr.contains(shown), "no `{shown}`: {run}");
    }
    assert!(run.stdout.contains("\n  first connect, 203 files "), "{run}");
    assert!(run.stdout.ends_with("a conflict, listed, nothing lost\n"), "{run}");
    assert_gone(&directory_in(&run.stderr));
    assert_eq!(files_in(&sandbox.home()), Vec::<PathBuf>::new());
}

/// Runs a program as an ordinary user, whom the user database has only for it. sinc is on PATH, and so is Mutagen,
/// wherever those lie. Nothing of the system is changed.
#[track_caller]
fn as_an_ordinary_user(sandbox: &Sandbox, program: &[&str]) -> Option<Run> {
    const UID: &str = "54321";
    let root = sandbox.run("id", &["-u"]).success().stdout.trim() == "0";
    if !root || !cfg!(target_os = "linux") {
        // Where the tests are not run by root, all the others here are this one.
        return None;
    }
    let places = ["program", "mutagen"].map(|name| sandbox.root().join(name));
    for place in &places {
        std::fs::create_dir_all(place).unwrap();
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let home = sandbox.home();
    let user = format!("{users}sinc-tests:x:{UID}:{UID}::{}:/bin/sh\n", home.display());
    let passwd = sandbox.root().join("passwd");
    std::fs::write(&passwd, user).unwrap();
    for dir in [sandbox.root(), &home, &sandbox.tmp()] {
        std::os::unix::fs::chown(dir, UID.parse().ok(), None).unwrap();
    }
    // The directory of the build, and Mutagen's, may be root's own: bound where everybody may look. And terminals that
    // belong to the group `tty`, as on every Linux that a person logs in to: sshd of a user cannot give them to it.
    let script = "mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts /dev/pts && \
        mount --bind /dev/pts/ptmx /dev/ptmx && \
        mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" \"$3\" && mount --bind \"$4\" \"$5\" && \
        cd \"$6\" && PATH=$3:$5:$PATH && shift 6 && \
        exec setpriv --reuid=54321 --regid=54321 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \"$@\"";
    let mutagen = which::which("mutagen").unwrap().canonicalize().unwrap();
    let word = |path: &Path| path.to_str().unwrap().to_owned();
    let words = [
        word(&passwd),
        word(Sandbox::binary().parent().unwrap()),
        word(&places[0]),
        word(mutagen.parent().unwrap()),
        word(&places[1]),
        word(&home),
    ];
    let words = words.iter().map(String::as_str);
    let all: Vec<_> =
        ["-m", "sh", "-c", script, "sh"].into_iter().chain(words).chain(program.iter().copied()).collect();
    Some(sandbox.run("unshare", &all))
}

#[test]
fn an_ordinary_user_sees_the_same_tour() {
    let Some(sandbox) = computer() else { return };
    let Some(run) = as_an_ordinary_user(&sandbox, &["id", "-un"]) else { return };
    assert_eq!(run.stdout, "sinc-tests\n", "{run}");
    let run = as_an_ordinary_user(&sandbox, &["sinc", "demo"]).unwrap().success();
    for shown in ["Started a throw-away host", "Synced 203 files", "5 of 5 ", "Removed the host"] {
        assert!(run.stderr.contains(shown), "no `{shown}`: {run}");
    }
    assert!(run.stdout.ends_with("a conflict, listed, nothing lost\n"), "{run}");
    assert_gone(&directory_in(&run.stderr));
    assert_eq!(files_in(&sandbox.home()), Vec::<PathBuf>::new());
}

#[test]
fn the_tour_as_json_in_a_tmux_with_a_home_that_cannot_be_written() {
    let Some(mut sandbox) = computer() else { return };
    sandbox.set("HOME", "/proc/self/no-home");
    sandbox.set("TMUX", "/tmp/no-such-tmux,1,0");
    let run = sandbox.sinc_in(Path::new("/"), &["demo", "--json"]).success();
    assert_eq!(run.stderr, "");
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&said["version"], &said["command"], &said["ok"]), (&1.into(), &"demo".into(), &true.into()));
    let data = &said["data"];
    assert_eq!((&data["files"], &data["conflicts"][0]), (&203.into(), &"notes.md".into()), "{said}");
    for time in [&data["first_connect_ms"], &data["reconnect_ms"], &data["edit_to_host"]["median_ms"]] {
        assert!(time.as_u64().is_some_and(|ms| ms > 0), "{said}");
    }
    let edits = &data["edit_to_here"];
    assert!(edits["count"] == 3 && edits["median_ms"].as_u64() <= edits["slowest_ms"].as_u64(), "{said}");
}

#[test]
fn on_a_terminal_it_attaches_and_ends_with_the_detach() {
    let Some(sandbox) = computer() else { return };
    let terminal = Terminal::sinc(&sandbox, &sandbox.home(), &["demo"]);
    terminal.wait_for("Hello from the host.", PATIENCE);
    terminal.wait_for("host:~/workspace/hello", PATIENCE);
    let dir = directory_in(&terminal.screen());
    std::fs::write(dir.join("home/hello/notes.md"), "written on this side\n").unwrap();
    let arrived = dir.join("remote/workspace/hello/notes.md");
    wait_until("the edit is on the host", PATIENCE, || {
        std::fs::read_to_string(&arrived).is_ok_and(|text| text == "written on this side\n")
    });
    terminal.type_line("cat notes.md; pwd");
    terminal.wait_for("written on this side", PATIENCE);
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    let history = terminal.history();
    for shown in [
        "1. in another terminal, edit /tmp/sinc-",
        "2. see it arrive",
        "3. detach with C-b d",
        "Removed the host",
    ] {
        assert!(history.contains(shown), "no `{shown}`:\n{history}");
    }
    assert_gone(&dir);
    assert_eq!(files_in(&sandbox.home()), Vec::<PathBuf>::new());
}

#[test]
fn the_shell_in_the_agents_place_leaves_another_and_then_the_demo_ends() {
    let Some(sandbox) = computer() else { return };
    let terminal = Terminal::sinc(&sandbox, &sandbox.home(), &["demo"]);
    terminal.wait_for("host:~/workspace/hello", PATIENCE);
    let dir = directory_in(&terminal.screen());
    terminal.type_line("exit");
    terminal.wait_for("The agent has ended", PATIENCE);
    terminal.type_line("exit");
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    assert_gone(&dir);
}

/// Starts a tour, waits for the text, does it, and expects that exit code and nothing left.
#[track_caller]
fn ended_by(args: &[&str], at: &str, end: impl FnOnce(&Terminal<'_>), code: i32) {
    let Some(sandbox) = computer() else { return };
    let terminal = Terminal::sinc(&sandbox, &sandbox.home(), args);
    terminal.wait_for(at, PATIENCE);
    let dir = directory_in(&terminal.screen());
    end(&terminal);
    assert_eq!(terminal.wait_exit(PATIENCE), code, "{}", terminal.screen());
    if code == 128 + 9 {
        wait_until("everything is gone", PATIENCE, || !dir.exists() && living_in(&dir).is_empty());
    }
    assert_gone(&dir);
    assert_eq!(files_in(&sandbox.home()), Vec::<PathBuf>::new());
}

fn signal(signal: Signal) -> impl FnOnce(&Terminal<'_>) {
    move |terminal| kill_process(Pid::from_raw(terminal.pid()).expect("a process"), signal).expect("it runs")
}

#[test]
fn sigterm_in_the_middle_leaves_nothing() {
    ended_by(&["demo", "--tour"], "1 of 5", signal(Signal::TERM), 143);
    ended_by(&["demo", "--tour"], "3 of 5", signal(Signal::TERM), 143);
}

#[test]
fn sigterm_while_attached_leaves_nothing() {
    ended_by(&["demo"], "host:~/workspace/hello", signal(Signal::TERM), 143);
    ended_by(&["demo"], "host:~/workspace/hello", signal(Signal::HUP), 129);
}

#[test]
fn ctrl_c_leaves_nothing() {
    ended_by(&["demo", "--tour"], "Made a project", |terminal| terminal.type_keys(&["C-c"]), 130);
    ended_by(&["demo", "--tour"], "3 of 5", |terminal| terminal.type_keys(&["C-c"]), 130);
}

#[test]
fn even_kill_9_leaves_nothing() {
    ended_by(&["demo", "--tour"], "3 of 5", signal(Signal::KILL), 137);
}

#[test]
fn a_step_that_fails_says_which_and_leaves_nothing() {
    let Some(mut sandbox) = computer() else { return };
    // A Mutagen that starts no daemon.
    let broken = "#!/bin/sh\n[ \"$1\" = version ] && exec echo 0.18.1\nexit 3\n";
    let mutagen = sandbox.write_program("../bin/mutagen", broken);
    std::fs::write(mutagen.with_file_name("mutagen-agents.tar.gz"), "").unwrap();
    let path = format!("{}:{}", sandbox.bin().display(), variable("PATH").unwrap_or_default());
    sandbox.set("PATH", path);
    let run = sandbox.sinc(&["demo"]).exits(1);
    assert!(run.stderr.contains("error: step 1 of the tour failed"), "{run}");
    assert!(run.stderr.contains("`sinc` ended with 1 in its terminal"), "{run}");
    assert!(run.stderr.contains("  | error: "), "the failure's own words are missing: {run}");
    assert_gone(&directory_in(&run.stderr));
}

#[test]
fn missing_tools_are_all_named_with_the_command_that_installs_them() {
    let sandbox = Sandbox::new();
    sandbox.write_program("../bin/apt-get", "#!/bin/sh\n");
    let run = sandbox.sinc(&["demo"]).exits(69);
    for name in ["`ssh`", "`tmux`", "`mutagen`", "apt-get install openssh-client", "fetches Mutagen"] {
        assert!(run.stderr.contains(name), "{name}: {run}");
    }
    assert_eq!(files_in(&sandbox.home()), Vec::<PathBuf>::new());
}
