//! The first connect of a project, and the next ones.

use crate::steps::{self, Calls};
use crate::support::e2e::Bed;
use crate::support::sandbox::CONFIG;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

#[test]
fn the_first_makes_everything_with_two_calls_and_the_next_is_one() {
    let Some(bed) = Bed::new() else { return };
    bed.host.add_program("opencode", steps::AGENT_SAYS_WHERE).unwrap();
    let calls = Calls::watch(&bed);
    let files = [("src/main.rs", "fn main() {}\n"), ("run.sh", "#!/bin/sh\n"), ("empty", "")];
    let project = bed.project("app", &files);
    steps::set_mode(&project.join("run.sh"), 0o755);
    steps::set_mode(&project.join("empty"), 0o600);
    let terminal = steps::attach(&bed.sandbox, &project);

    let there = steps::there(&bed, "app");
    let id = steps::session_id(&bed.sandbox);
    assert_eq!(steps::tree(&there), steps::tree(&project));
    assert!(steps::read(&there.join(".sinc-session")).starts_with(&format!("id {id}\n")));
    assert!(!project.join(".sinc-session").exists(), "the marker is not synced");
    let claim = steps::read(&steps::claim(&bed, &id));
    assert!(claim.starts_with(&format!("id {id}\ndir {}\n", there.display())), "{claim}");
    assert!(claim.contains(&format!(" {}\nwritten ", project.display())), "{claim}");
    let modes = ["", "src", "src/main.rs", "run.sh", "empty"].map(|name| steps::mode(&there.join(name)));
    assert_eq!(modes.map(|mode| format!("{mode:o}")), ["755", "755", "644", "755", "644"]);
    assert_eq!(steps::mode(&bed.host.remote_home().join("workspace")), 0o700);
    assert_eq!(steps::sessions_there(&bed), std::slice::from_ref(&id));
    steps::wait_text(&bed.host.remote_home().join("where"), &format!("{}\n", there.display()));
    terminal.type_line("are you there?");
    terminal.wait_for("agent heard: are you there?", PATIENCE);

    let own = calls.own_until_attached();
    assert_eq!(own.len(), 2, "one script, one attach: {own:#?}");
    assert!(
        own[0].contains(" -T -- demo exec sh -c ") && own[1].contains(" -t -- demo exec sh -c "),
        "{own:#?}"
    );

    // And every change goes both ways.
    steps::write(&project.join("here/a"), "made here\n");
    steps::write(&there.join("there/b"), "made there\n");
    steps::wait_text(&there.join("here/a"), "made here\n");
    steps::wait_text(&project.join("there/b"), "made there\n");
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);

    // Again, with a connection of its own: exactly one ssh.
    steps::end_shared_connection(&bed);
    calls.forget();
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("agent heard: are you there?", PATIENCE);
    steps::write(&project.join("here/a"), "changed here\n");
    steps::wait_text(&there.join("here/a"), "changed here\n");
    let own = calls.own_until_attached();
    assert!(matches!(&own[..], [only] if only.contains(" -t -- demo exec sh -c ")), "{own:#?}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);

    // And from a second terminal at the same time: the same session.
    let second = steps::attach(&bed.sandbox, &project.join("src"));
    second.type_line("two of us");
    terminal.wait_for("agent heard: two of us", PATIENCE);
    assert_eq!(steps::sessions_there(&bed), [id]);
}

#[test]
fn without_a_terminal_everything_runs_and_nothing_is_attached() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &[]).success();
    assert!(run.stderr.contains("not on a terminal: everything runs, nothing is attached"), "{run}");
    assert!(!run.stderr.contains('\r') && !run.stderr.contains('\x1b'), "no live line: {run}");
    let id = steps::session_id(&bed.sandbox);
    assert!(run.stdout.contains(&id), "{run}");
    let attached = steps::tmux_there(&bed, &["list-sessions", "-F", "#{session_name} #{session_attached}"]);
    assert_eq!(attached.stdout, format!("{id} 0\n"));
    wait_until("the agent runs", PATIENCE, || {
        let screen = steps::tmux_there(&bed, &["capture-pane", "-p", "-t", &format!("={id}:")]);
        screen.stdout.contains("agent ready")
    });
    // From a directory in the project: the project's session, said.
    let inside = bed.sandbox.sinc_in(&bed.sandbox.project("app/deep/er"), &["--no-attach"]).success();
    assert!(
        inside.stderr.contains(&format!("this is a part of {} (session {id})", project.display())),
        "{inside}"
    );
    assert_eq!(steps::records(&bed.sandbox).len(), 1);
}

#[test]
fn new_and_resume_insist() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let refused = bed.sandbox.sinc_in(&project, &["--resume"]).exits(1);
    assert!(refused.stderr.contains("there is no session sinc-app-"), "{refused}");
    assert!(refused.stderr.contains("hint: `sinc` without `--resume` makes it"), "{refused}");
    bed.sandbox.sinc_in(&project, &["--new", "--no-attach"]).success();
    bed.sandbox.sinc_in(&project, &["--resume", "--no-attach"]).success();
    let refused = bed.sandbox.sinc_in(&project, &["--new"]).exits(1);
    assert!(refused.stderr.contains("exists already"), "{refused}");
}

#[test]
fn a_dry_run_shows_what_it_would_do_and_makes_nothing() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &["--dry-run"]).success();
    for part in ["exec sh -c ", " sync create", " -t -- demo "] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    assert!(!bed.host.remote_home().join("workspace").exists());
    assert!(!bed.host.remote_home().join(".local/state").exists());
    assert!(!bed.sandbox.home().join(".local").exists(), "nothing here either");
    assert_eq!(steps::sockets(&bed.sandbox), Vec::<std::path::PathBuf>::new());
    assert_eq!(steps::sessions_there(&bed), Vec::<String>::new());
}

#[test]
fn no_config_is_needed_with_a_destination() {
    let Some(bed) = Bed::new() else { return };
    std::fs::remove_file(bed.sandbox.home().join(CONFIG)).unwrap();
    let project = bed.project("app", &[("a", "1")]);
    let words = ["--host", "demo"];
    let terminal = Terminal::sinc(&bed.sandbox, &project, &words);
    terminal.wait_for("agent ready", PATIENCE);
    steps::wait_text(&steps::there(&bed, "app").join("a"), "1");
    steps::detach(terminal);
    // From then on the session says where it is.
    steps::detach(steps::attach(&bed.sandbox, &project));
}

#[test]
fn another_address_of_this_computer_gives_the_shared_connection_up_and_other_terminals_live_on() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let first = steps::attach(&bed.sandbox, &project);
    let masters = || {
        let named = format!("^ssh: {}", bed.host.dir().display());
        bed.sandbox.run("pgrep", &["-f", &named]).stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = masters();
    assert_eq!(before.len(), 1, "{before:?}");
    // As if this computer had had another address when the connection was made.
    let file = steps::records(&bed.sandbox).remove(0);
    let was = steps::read(&file).replace("\"address\": \"127.0.0.1\"", "\"address\": \"192.0.2.7\"");
    assert!(was.contains("192.0.2.7"), "{was}");
    steps::write(&file, &was);
    let second = steps::attach(&bed.sandbox, &project);
    let after = masters();
    assert!(after.iter().any(|master| !before.contains(master)), "a new one: {before:?} {after:?}");
    assert_eq!(steps::record(&bed.sandbox)["address"], "127.0.0.1");
    assert_eq!(first.exit_code(), None);
    first.type_line("still here");
    second.wait_for("agent heard: still here", PATIENCE);
    steps::detach(second);
    first.type_line("and here");
    first.wait_for("agent heard: and here", PATIENCE);
    steps::detach(first);
}
