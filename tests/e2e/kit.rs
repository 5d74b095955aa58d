//! The kit itself on real tools: what the other tests stand on.

use std::path::{Path, PathBuf};

use sinc::demo::Options;
use sinc::process::{Cmd, Runner, quote};

use crate::support::e2e::{Bed, living_in};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

#[test]
fn a_login_is_in_the_hosts_own_home() {
    let Some(bed) = Bed::new() else { return };
    let run =
        bed.sandbox.run("ssh", &["-o", "BatchMode=yes", "demo", "pwd; echo $HOME; ls -d .bashrc .profile"]);
    let home = bed.host.remote_home();
    assert_eq!(run.stdout, format!("{0}\n{0}\n.profile\n", home.display()), "{run}");
}

#[test]
fn a_child_with_the_hosts_environment_knows_the_host_and_nothing_of_the_person() {
    let Some(bed) = Bed::new() else { return };
    let script =
        "env | cut -d= -f1 | grep -E '^(XDG_|MUTAGEN_|SINC_|SSH_|TMUX|GIT_)'; echo $HOME; ssh demo pwd";
    let mut cmd = Cmd::new("sh", "look around").arg("-c").arg(script);
    for (name, value) in bed.host.env() {
        cmd = match value {
            Some(value) => cmd.env(name, value),
            None => cmd.env_remove(name),
        };
    }
    let expected = format!("{}\n{}\n", bed.host.local_home().display(), bed.host.remote_home().display());
    assert_eq!(Runner::default().read(&cmd).unwrap(), expected);
}

#[test]
fn a_terminal_login_without_a_command_is_a_login_shell() {
    let Some(bed) = Bed::new() else { return };
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &["ssh", "demo"]);
    terminal.wait("a prompt", PATIENCE, |screen| !screen.trim().is_empty());
    terminal.type_line("shopt -q login_shell && echo \"login $((40 + 2)) in $PWD, $(command -v opencode)\"");
    let home = bed.host.remote_home();
    terminal.wait_for(&format!("login 42 in {0}, {0}/.local/bin/opencode", home.display()), PATIENCE);
    // Ctrl-C before the program has the terminal goes to the shell alone.
    terminal.type_line("sh -c 'echo now $((40 + 3)); exec sleep 60'; echo after");
    terminal.wait_for("now 43", PATIENCE);
    terminal.type_keys(&["C-c"]);
    terminal.type_line("exit 5");
    assert_eq!(terminal.wait_exit(PATIENCE), 5);
}

#[test]
fn files_are_copied_by_scp() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.write("there", "over and back");
    bed.sandbox.run("scp", &["-q", "there", "demo:.copied"]).success();
    bed.sandbox.run("scp", &["-q", "demo:.copied", "back"]).success();
    assert_eq!(bed.sandbox.read("back"), "over and back");
    assert!(bed.host.remote_home().join(".copied").is_file());
}

/// One test for each login shell.
macro_rules! login_shells {
    ($($name:ident)*) => {
        mod login_shell {
            $(#[test]
            fn $name() {
                super::reads_quoted_words_and_finds_the_agent(stringify!($name));
            })*
        }
        mod noisy_login_shell {
            $(#[test]
            fn $name() {
                super::prints_from_its_rc_file(stringify!($name));
            })*
        }
    };
}

login_shells! { bash dash zsh fish tcsh }

fn reads_quoted_words_and_finds_the_agent(shell: &str) {
    let words = ["it's", "a \\ b", "$HOME `id` $(id)", "#{x} !x", "é 日本", "*", "", "~", "=ls", "a\tb"];
    let line = format!("printf {} {}", quote::universal("%s\\0"), words.map(quote::universal).join(" "));
    let Some(bed) = Bed::with_shell(shell, Options::default()) else { return };
    let run = bed.sandbox.run("ssh", &["demo", &line]).success();
    assert_eq!(run.stdout.trim_end_matches('\0').split('\0').collect::<Vec<_>>(), words);
    assert_eq!(run.stderr, "");
    let run = bed.sandbox.run("ssh", &["demo", "echo $SHELL; exit 3"]).exits(3);
    assert!(run.stdout.ends_with(&format!("/{shell}\n")), "{run}");
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &["ssh", "demo"]);
    terminal.wait("a prompt", PATIENCE, |screen| !screen.trim().is_empty());
    terminal.type_line("opencode");
    terminal.wait_for("agent ready", PATIENCE);
}

/// For a single command too, as on a real host; dash has no file that it reads then.
fn prints_from_its_rc_file(shell: &str) {
    let options = Options { rc: Some("echo noise\n".to_owned()), ..Options::default() };
    let Some(bed) = Bed::with_shell(shell, options) else { return };
    let expected = if shell == "dash" { "done\n" } else { "noise\ndone\n" };
    assert_eq!(bed.sandbox.run("ssh", &["demo", "echo done"]).success().stdout, expected);
}

#[test]
fn the_hosts_tmux_is_its_own() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.run("ssh", &["demo", "tmux new-session -d -s on-the-host"]).success();
    let listed = bed.sandbox.run("ssh", &["demo", "tmux ls -F '#S'"]).success();
    assert_eq!(listed.stdout, "on-the-host\n");
    assert!(bed.host.tmux_dir().read_dir().unwrap().next().is_some());
    let here = bed.sandbox.run("tmux", &["ls"]);
    assert!(!here.stdout.contains("on-the-host"), "{here}");
    // A lost line and a server that was away do not end it, a reboot does.
    bed.host.break_connections().unwrap();
    bed.host.stop_sshd().unwrap();
    let refused = bed.sandbox.run("ssh", &["demo", "true"]).exits(255);
    assert!(refused.stderr.contains("Connection refused"), "{refused}");
    bed.host.start_sshd().unwrap();
    bed.sandbox.run("ssh", &["demo", "tmux has-session -t =on-the-host"]).success();
    bed.host.reboot().unwrap();
    bed.sandbox.run("ssh", &["demo", "tmux has-session -t =on-the-host"]).exits(1);
}

#[test]
fn a_broken_connection_ends_the_client_at_once() {
    let Some(bed) = Bed::new() else { return };
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &["ssh", "demo", "echo up; sleep 60"]);
    terminal.wait_for("up", PATIENCE);
    bed.host.break_connections().unwrap();
    assert_eq!(terminal.wait_exit(PATIENCE), 255);
    bed.sandbox.run("ssh", &["demo", "true"]).success();
}

#[test]
fn a_host_with_another_key_or_an_empty_disk_is_seen_as_such() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.run("ssh", &["demo", "echo kept >file"]).success();
    bed.host.replace_host_key().unwrap();
    let changed = bed.sandbox.run("ssh", &["demo", "true"]).exits(255);
    assert!(changed.stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{changed}");
    std::fs::remove_file(bed.host.known_hosts()).unwrap();
    let unknown = bed.sandbox.run("ssh", &["-o", "BatchMode=yes", "demo", "true"]).exits(255);
    assert!(unknown.stderr.contains("Host key verification failed"), "{unknown}");
    bed.host.trust_host_key().unwrap();
    assert_eq!(bed.sandbox.run("ssh", &["demo", "cat file"]).success().stdout, "kept\n");
    bed.host.wipe_disk().unwrap();
    bed.sandbox.run("ssh", &["demo", "cat file"]).exits(1);
    std::fs::write(bed.host.authorized_keys(), "").unwrap();
    let denied = bed.sandbox.run("ssh", &["-o", "BatchMode=yes", "demo", "true"]).exits(255);
    assert!(denied.stderr.contains("Permission denied"), "{denied}");
}

#[test]
fn mutagen_syncs_over_it_and_nothing_is_left_afterwards() {
    let Some(mut bed) = Bed::new() else { return };
    let dir = bed.host.dir().to_owned();
    let project = bed.project("app", &[("src/main.rs", "fn main() {}\n")]);
    bed.sandbox.set("MUTAGEN_DATA_DIRECTORY", bed.sandbox.home().join(".local/share/sinc/mutagen"));
    std::fs::create_dir(bed.host.remote_home().join("work")).unwrap();
    bed.sandbox.run("mutagen", &["sync", "create", "--name", "app", "app", "demo:work/app"]).success();
    bed.sandbox.run("mutagen", &["sync", "flush", "app"]).success();
    let there = bed.host.remote_home().join("work/app");
    assert_eq!(std::fs::read_to_string(there.join("src/main.rs")).unwrap(), "fn main() {}\n");
    std::fs::write(there.join("made-there"), "by an agent").unwrap();
    bed.sandbox.run("mutagen", &["sync", "flush", "app"]).success();
    assert!(project.join("made-there").is_file());

    // A shared connection and a tmux session stay behind too, and are ended with the rest.
    let control = bed.sandbox.home().join(".sinc/cm/x");
    std::fs::create_dir_all(control.parent().unwrap()).unwrap();
    let control = format!("ControlPath={}", control.display());
    let shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", &control, "demo"];
    bed.sandbox.run("ssh", &[&shared[..], &["tmux new-session -d 'sleep 1000'"]].concat()).success();
    assert!(living_in(&dir).len() >= 5, "{:#?}", living_in(&dir));
    drop(bed);
    assert_eq!(living_in(&dir), Vec::<String>::new());
    assert!(!dir.exists());
}

#[test]
fn a_host_is_gone_also_when_its_owner_is_killed() {
    let Some(bed) = Bed::new() else { return };
    let owner = std::env::current_exe().unwrap();
    let words = [owner.to_str().unwrap(), "--exact", "kit::a_host_for_another_test", "--ignored"];
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &words);
    let dir = other_host(&bed);
    bed.sandbox.run("kill", &["-9", &terminal.pid().to_string()]).success();
    is_gone(&dir);
    // Ctrl-C goes to the guard too, which has work to do after it.
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &words);
    let dir = other_host(&bed);
    terminal.type_keys(&["C-c"]);
    is_gone(&dir);
    // So does the hang-up of a terminal that is closed.
    let terminal = Terminal::open(&bed.sandbox, &bed.sandbox.home(), &words);
    let dir = other_host(&bed);
    drop(terminal);
    is_gone(&dir);
}

/// The directory of the host that the test below started.
fn other_host(bed: &Bed) -> PathBuf {
    let told = bed.sandbox.home().join("dir");
    wait_until("the other host is up", PATIENCE, || told.is_file());
    let dir = PathBuf::from(bed.sandbox.read("dir"));
    bed.sandbox.run("rm", &["dir"]).success();
    assert!(!living_in(&dir).is_empty());
    dir
}

fn is_gone(dir: &Path) {
    wait_until("the other host is gone", PATIENCE, || !dir.exists());
    wait_until("nothing runs in it", PATIENCE, || living_in(dir).is_empty());
}

/// Not a test: the owner that the test above kills.
#[test]
#[ignore = "started by another test"]
fn a_host_for_another_test() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.run("ssh", &["demo", "tmux new-session -d 'sleep 1000'"]).success();
    let home = std::env::home_dir().unwrap();
    std::fs::write(home.join("part"), bed.host.dir().to_str().unwrap()).unwrap();
    std::fs::rename(home.join("part"), home.join("dir")).unwrap();
    std::thread::sleep(PATIENCE);
}
