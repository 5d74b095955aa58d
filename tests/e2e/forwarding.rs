//! Whether programs on the host may use the person's ssh agent: not unless the person says so for that host.

use std::path::Path;

use sinc::demo::Options;

use crate::steps;
use crate::support::PATIENCE;
use crate::support::e2e::{Bed, have};
use crate::support::sandbox::CONFIG;
use crate::support::terminal::Terminal;

/// An agent that says which keys it may use.
const LOOKS: &str = "#!/bin/sh\nif [ \"$SSH_AUTH_SOCK\" ]; then ssh-add -l; else echo 'no ssh agent'; fi\n\
    echo 'agent ready'\nexec cat\n";

/// A bed whose person has an ssh agent with one key in it, called `my key`.
#[track_caller]
fn with_agent(forward: &str) -> Option<Bed> {
    if !have(&["ssh-agent", "ssh-add"]) {
        return None;
    }
    // ~/.ssh/config would forward it to this host, also where sinc is not told to.
    let ssh_config = "Host demo\n    IdentityAgent SSH_AUTH_SOCK\n    ForwardAgent yes\n".to_owned();
    let mut bed = Bed::with(Options { ssh_config, ..Options::default() })?;
    bed.host.add_program("opencode", LOOKS).expect("a program");
    let socket = bed.host.dir().join("agent");
    // It ends with the host, in whose directory it lives.
    bed.sandbox.run("ssh-agent", &["-a", socket.to_str().expect("plain")]).success();
    let key = bed.host.dir().join("my-key");
    make_key(&bed, &key);
    bed.sandbox.set("SSH_AUTH_SOCK", &socket);
    bed.sandbox.run("ssh-add", &["-q", key.to_str().expect("plain")]).success();
    let config = format!("[host.box]\ndestination = \"demo\"\n{forward}\n");
    bed.sandbox.configure(config);
    Some(bed)
}

#[track_caller]
fn make_key(bed: &Bed, key: &Path) {
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", "my key", "-f", key.to_str().expect("plain")];
    bed.sandbox.run("ssh-keygen", &words).success();
}

#[test]
fn nothing_on_the_host_may_use_it_unless_it_is_turned_on() {
    for forward in ["", "forward-agent = false"] {
        let Some(bed) = with_agent(forward) else { return };
        let project = bed.project("app", &[("a", "1")]);
        let terminal = steps::attach(&bed.sandbox, &project);
        assert!(terminal.screen().contains("no ssh agent"), "{}", terminal.screen());
        steps::detach(terminal);
    }
}

#[test]
fn it_is_there_in_a_first_session_and_in_one_that_is_made_again() {
    let Some(bed) = with_agent("forward-agent = true") else { return };
    let project = bed.project("app", &[("a", "1")]);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("agent ready", PATIENCE);
    assert!(terminal.screen().contains(" my key (ED25519)"), "{}", terminal.screen());
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);
    // With one ssh, which is its own connection now.
    let id = steps::session_id(&bed.sandbox);
    steps::end_shared_connection(&bed);
    let again = || {
        steps::tmux_there(&bed, &["kill-session", "-t", &format!("={id}")]).success();
        let terminal = steps::attach(&bed.sandbox, &project);
        let screen = terminal.screen();
        steps::detach(terminal);
        steps::wait_until_nobody_looks_after(&bed);
        screen
    };
    let screen = again();
    assert!(screen.contains(" my key (ED25519)"), "{screen}");
    // Turned off, it is not there any more, though the connection that has it is; and on again it is.
    let config = bed.sandbox.read(CONFIG);
    bed.sandbox.configure(config.replace("true", "false"));
    let screen = again();
    assert!(screen.contains("no ssh agent"), "{screen}");
    bed.sandbox.configure(config);
    let screen = again();
    assert!(screen.contains(" my key (ED25519)"), "{screen}");
}
