//! What ~/.ssh/config can say works for the terminal and for the sync.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use sinc::demo::Options;

use crate::steps::{self, Calls};
use crate::support::PATIENCE;
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;

/// A bed whose ssh has more to read, and whose sinc knows these hosts by name and destination.
#[track_caller]
fn configured(bed: &Bed, text: &str, hosts: &[(&str, String)]) {
    let file = bed.host.ssh_config();
    let before = steps::read(&file);
    std::fs::write(&file, format!("{text}\n{before}")).unwrap();
    let mut config = String::new();
    for (name, destination) in hosts {
        config.push_str(&format!("[host.{name}]\ndestination = \"{destination}\"\n"));
    }
    bed.sandbox.configure(config);
}

/// A first connect and an edit each way, then a terminal.
#[track_caller]
fn works(bed: &Bed, host: &str) {
    let project = bed.project(&format!("by-{host}"), &[("a", "1")]);
    let run = bed.sandbox.sinc_in(&project, &["--host", host, "--no-attach"]).success();
    let there = steps::there(bed, &format!("by-{host}"));
    assert_eq!(steps::read(&there.join("a")), "1", "{run}");
    steps::write(&there.join("b"), "2");
    steps::wait_text(&project.join("b"), "2");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("agent ready", PATIENCE);
    steps::detach(terminal);
}

#[test]
fn aliases_ports_include_and_match() {
    let Some(bed) = Bed::new() else { return };
    let key = bed.host.dir().join("keys/client");
    let (key, port) = (key.display(), bed.host.port());
    let included = bed.host.dir().join("included");
    std::fs::write(
        &included,
        format!("Host inc\n    HostName 127.0.0.1\n    Port {port}\n    IdentityFile {key}\n"),
    )
    .unwrap();
    let text = format!(
        "Include {}\nMatch originalhost matched exec \"true\"\n    HostName 127.0.0.1\n    Port {port}\n    IdentityFile {key}\n\
         Host 127.0.0.1\n    IdentityFile {key}\n\
         Host cmd\n    HostName 127.0.0.1\n    Port {port}\n    IdentityFile {key}\n    RemoteCommand echo hijacked\n    RequestTTY force\n\
         \x20   LocalForward 127.0.0.1:1 127.0.0.1:2\n    ControlPath none\n    LogLevel QUIET\n\
         Host *\n",
        included.display()
    );
    let user = bed.sandbox.run("id", &["-un"]).success().stdout.trim().to_owned();
    let url = format!("ssh://{user}@127.0.0.1:{port}");
    let hosts = [
        ("included", "inc".to_owned()),
        ("matched", "matched".to_owned()),
        ("port", url),
        ("own-command", "cmd".to_owned()),
    ];
    configured(&bed, &text, &hosts);
    for (host, _) in hosts {
        works(&bed, host);
    }
}

#[test]
fn a_jump_host() {
    let Some(bed) = Bed::new() else { return };
    let text = format!(
        "Host far\n    HostName 127.0.0.1\n    Port {}\n    IdentityFile {}\n    ProxyJump demo\nHost *\n",
        bed.host.port(),
        bed.host.dir().join("keys/client").display()
    );
    configured(&bed, &text, &[("far", "far".to_owned())]);
    works(&bed, "far");
    let log = bed.host.log();
    assert!(log.matches("Accepted publickey").count() >= 4, "through the jump host, for both: {log}");
}

#[test]
fn an_ipv6_address() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        crate::support::e2e::left_out("there is no IPv6 on this computer");
        return;
    }
    let options = Options { sshd_config: vec!["ListenAddress ::1".to_owned()], ..Options::default() };
    let Some(bed) = Bed::with(options) else { return };
    let port = bed.host.port();
    let known = steps::read(&bed.host.known_hosts());
    std::fs::write(bed.host.known_hosts(), format!("{known}{}", known.replace("[127.0.0.1]", "[::1]")))
        .unwrap();
    let key = bed.host.dir().join("keys/client");
    let text = format!("Host ::1\n    Port {port}\n    IdentityFile {}\nHost *\n", key.display());
    let user = bed.sandbox.run("id", &["-un"]).success().stdout.trim().to_owned();
    let hosts = [("literal", format!("{user}@::1")), ("url", format!("ssh://{user}@[::1]:{port}"))];
    configured(&bed, &text, &hosts);
    for (host, _) in hosts {
        works(&bed, host);
    }
    assert!(bed.host.log().contains(" from ::1 port"), "{}", bed.host.log());
}

#[test]
fn an_alias_that_was_changed_is_used_at_once() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    // The host has another name now: the session goes on, also the sync's next connection.
    let calls = Calls::watch(&bed);
    let text = format!(
        "Host moved\n    HostName 127.0.0.1\n    Port {}\n    IdentityFile {}\nHost *\n",
        bed.host.port(),
        bed.host.dir().join("keys/client").display()
    );
    configured(&bed, &text, &[("box", "moved".to_owned())]);
    steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::record(&bed.sandbox)["destination"], "moved");
    calls.forget();
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    steps::mutagen(&bed.sandbox, &["sync", "resume", "--all"]).success();
    assert!(calls.all().iter().all(|line| line.contains(" moved ")), "{:#?}", calls.all());
    assert!(!calls.all().is_empty());
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}
