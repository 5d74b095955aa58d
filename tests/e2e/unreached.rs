//! Hosts that are not reached, in the words of a real ssh: told apart, each with its code and its next step.

use std::path::PathBuf;

use crate::steps;
use crate::support::PATIENCE;
use crate::support::e2e::Bed;
use crate::support::sandbox::Run;
use crate::support::terminal::Terminal;

/// Refused with this message and these next steps, and nothing is made on either side.
#[track_caller]
fn refused(bed: &Bed, args: &[&str], message: &str, hints: [&str; 2]) -> Run {
    let project = bed.project("app", &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &[&["--no-attach"], args].concat()).exits(76);
    assert!(run.stderr.contains(&format!("error: {message}\n")), "{run}");
    for hint in hints {
        assert!(run.stderr.contains(&format!("\nhint: {hint}")), "{hint}: {run}");
    }
    assert_eq!(run.stdout, "", "{run}");
    assert!(!bed.host.remote_home().join("workspace").exists());
    assert_eq!(steps::records(&bed.sandbox), Vec::<PathBuf>::new());
    run
}

#[test]
fn a_name_that_there_is_not() {
    let Some(bed) = Bed::new() else { return };
    // RFC 6761: no resolver knows a name in `.invalid`.
    let run = refused(
        &bed,
        &["--host", "dev@sinc-nowhere.invalid"],
        "the name of host `dev@sinc-nowhere.invalid` cannot be resolved",
        ["check the spelling of the address", "an alias must be in ~/.ssh/config"],
    );
    assert!(run.stderr.contains("\n  ssh: Could not resolve hostname sinc-nowhere.invalid: "), "{run}");
}

#[test]
fn a_port_on_which_nobody_listens() {
    let Some(bed) = Bed::new() else { return };
    bed.host.stop_sshd().unwrap();
    let hint = "is the host up, and is this its ssh port? Another one: `ssh://user@address:port`";
    let run = refused(
        &bed,
        &[],
        "host `box` refuses connections: no ssh server listens there",
        [hint, "is the host"],
    );
    assert!(run.stderr.contains("Connection refused"), "{run}");
}

#[test]
fn a_host_with_another_key_than_before() {
    let Some(bed) = Bed::new() else { return };
    bed.host.replace_host_key().unwrap();
    let message = "the key of host `box` has changed";
    let hints =
        ["if you re-installed the host, remove the old key", "if you did not, somebody may be between"];
    let run = refused(&bed, &[], message, hints);
    // The command that the hint speaks of is there, and helps.
    let command =
        run.stderr.lines().find(|line| line.contains("ssh-keygen -f")).expect("ssh names it").trim();
    // A person at a terminal is not asked whether to go on all the same.
    let project = bed.project("app", &[]);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    assert_eq!(terminal.wait_exit(PATIENCE), 76, "{}", terminal.history());
    assert!(terminal.history().contains(message), "{}", terminal.history());
    assert!(!terminal.history().contains("(yes/no"), "{}", terminal.history());
    bed.sandbox.run("sh", &["-c", command]).success();
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("Are you sure you want to continue connecting", PATIENCE);
    terminal.type_line("yes");
    terminal.wait_for("agent ready", PATIENCE);
}

#[test]
fn a_login_that_is_refused() {
    let Some(bed) = Bed::new() else { return };
    std::fs::write(bed.host.authorized_keys(), "").expect("the file is ours");
    refused(
        &bed,
        &[],
        "host `box` refuses the login",
        ["try `ssh demo`: it must log in by itself", "to put your key there: `ssh-copy-id demo`"],
    );
    let destination = format!("ssh://nobody@127.0.0.1:{}", bed.host.port());
    let copy = format!("to put your key there: `ssh-copy-id -p {} nobody@127.0.0.1`", bed.host.port());
    let message = format!("host `{destination}` refuses the login");
    refused(&bed, &["--host", &destination], &message, ["try `ssh ssh://nobody@127.0.0.1:", &copy]);
}

#[test]
fn each_of_them_for_a_session_that_is_known_leaves_its_record_and_its_sync() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let record = steps::record(&bed.sandbox);
    let known = steps::read(&bed.host.known_hosts());
    steps::end_shared_connection(&bed);
    bed.host.replace_host_key().unwrap();
    bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains("the key of host `box` has changed"), "{status}");
    assert_eq!(steps::record(&bed.sandbox), record);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    assert_eq!(steps::read(&project.join("a")), "1");
    assert_eq!(steps::read(&bed.host.known_hosts()), known, "no key is taken or given up");
}
