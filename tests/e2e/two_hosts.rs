//! One project on two hosts: a session on each, side by side.

use std::path::{Path, PathBuf};

use sinc::demo::{LoopbackHost, Options};
use sinc::process::Runner;

use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// A second host that this side's ssh and configuration know as `far`, with a home, a key and a tmux of its own.
struct Far(LoopbackHost);

impl Far {
    #[track_caller]
    fn beside(bed: &Bed) -> Self {
        let dir = LoopbackHost::private_dir().expect("a directory");
        let options = Options { aliases: vec!["far".to_owned()], ..Options::default() };
        let host = LoopbackHost::start(&Runner::default(), &dir, options).expect("a second host");
        host.add_program("opencode", "#!/bin/sh\necho 'far agent ready'\nexec cat\n").expect("a program");
        let entry = format!(
            "Host far\n    HostName 127.0.0.1\n    Port {}\n    IdentityFile {}/keys/client\n\n",
            host.port(),
            dir.display()
        );
        steps::write(&bed.host.ssh_config(), &(entry + &steps::read(&bed.host.ssh_config())));
        let known = steps::read(&bed.host.known_hosts()) + &steps::read(&host.known_hosts());
        steps::write(&bed.host.known_hosts(), &known);
        let config = "[host.box]\ndestination = \"demo\"\n[host.far]\ndestination = \"far\"\n";
        bed.sandbox.configure(config);
        Self(host)
    }

    fn there(&self) -> PathBuf {
        self.0.remote_home().join("workspace/app")
    }

    /// The names of its tmux sessions.
    #[track_caller]
    fn sessions(&self, bed: &Bed) -> String {
        let socket = format!("TMUX_TMPDIR={}", self.0.tmux_dir().display());
        bed.sandbox.run("env", &[&socket, "tmux", "list-sessions", "-F", "#{session_name}"]).stdout
    }
}

/// The hosts that `list` names for this session, with its states.
#[track_caller]
fn listed(bed: &Bed, dir: &Path, id: &str) -> Vec<String> {
    let run = bed.sandbox.sinc_in(dir, &["list", "--json"]).success();
    let data = documented::data("list", &run.stdout);
    let sessions = data["sessions"].as_array().expect("a list");
    let mut hosts: Vec<_> = sessions
        .iter()
        .filter(|session| session["id"] == id)
        .map(|session| session["host"].as_str().unwrap_or_default().to_owned())
        .collect();
    hosts.sort();
    hosts
}

#[test]
fn are_two_sessions_that_each_command_tells_apart() {
    let Some(bed) = Bed::new() else { return };
    let far = Far::beside(&bed);
    let project = bed.project("app", &[("a", "1")]);
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    sinc(&["--host", "box", "--no-attach"]).success();
    // With one session no name is needed, though the configuration has two hosts.
    sinc(&["--no-attach"]).success();
    let id = steps::session_id(&bed.sandbox);
    assert!(!far.there().exists());
    let run = sinc(&["--host", "far", "status"]).exits(1);
    assert!(run.stderr.contains("this project's session is on box, not on far"), "{run}");
    sinc(&["--host", "far", "--no-attach"]).success();
    let near = steps::there(&bed, "app");
    assert_eq!((steps::sessions_there(&bed), far.sessions(&bed)), (vec![id.clone()], format!("{id}\n")));
    assert_eq!((steps::records(&bed.sandbox).len(), steps::syncs(&bed.sandbox).len()), (2, 2));

    // Now one is to be named, and they are.
    for args in [&["--no-attach"][..], &["status"], &["kill", "--yes"], &["flush"], &["pause"]] {
        let run = sinc(args).exits(2);
        assert!(run.stderr.contains("several hosts"), "{run}");
        assert!(run.stderr.contains("hint: name one with `--host`"), "{run}");
    }
    let run = sinc(&["--no-attach"]).exits(2);
    assert!(run.stderr.contains("this project has sessions on several hosts: box, far"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 2, "nothing was ended");
    assert_eq!(listed(&bed, &project, &id), ["box", "far"]);
    for (host, there) in [("box", &near), ("far", &far.there())] {
        let run = sinc(&["status", "--host", host]).success();
        assert!(run.stdout.contains(&format!("session   {id} on {host}\n")), "{run}");
        assert!(run.stdout.contains(&format!("remote    {host}:{}\n", there.display())), "{run}");
        assert!(run.stdout.contains("sync      synced"), "{run}");
    }
    let all = sinc(&["status", "--all"]).success();
    assert!(["box", "far"].iter().all(|host| all.stdout.contains(&format!("{id} on {host}"))), "{all}");

    // What is written on one host comes to the other, through here.
    steps::write(&near.join("b"), "made near\n");
    steps::wait_text(&far.there().join("b"), "made near\n");
    steps::write(&project.join("a"), "2");
    steps::wait_text(&near.join("a"), "2");
    steps::wait_text(&far.there().join("a"), "2");

    // Each has a terminal of its own.
    for (host, ready) in [("far", "far agent ready"), ("box", "agent ready")] {
        let terminal = Terminal::sinc(&bed.sandbox, &project, &["--host", host]);
        terminal.wait_for(ready, PATIENCE);
        assert_eq!(terminal.screen().contains("far agent"), host == "far", "{}", terminal.screen());
        steps::detach(terminal);
    }
    steps::wait_until_nobody_looks_after(&bed);

    // The end of one leaves the other.
    sinc(&["kill", "--host", "box", "--yes"]).success();
    assert_eq!((steps::sessions_there(&bed), far.sessions(&bed)), (vec![], format!("{id}\n")));
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    assert_eq!(listed(&bed, &project, &id), ["far"]);
    sinc(&["--no-attach"]).success();
    steps::write(&project.join("a"), "3");
    steps::wait_text(&far.there().join("a"), "3");
    assert_eq!(steps::read(&near.join("a")), "2", "its files stay as they were");
    sinc(&["kill", "--yes"]).success();
    wait_until("nothing is left", PATIENCE, || far.sessions(&bed).is_empty());
    assert!(steps::records(&bed.sandbox).is_empty() && steps::syncs(&bed.sandbox).is_empty());
}

#[test]
fn what_was_kept_of_an_ended_session_is_found_on_whichever_it_was() {
    let Some(bed) = Bed::new() else { return };
    let far = Far::beside(&bed);
    let project = bed.project("app", &[("a", "1")]);
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    sinc(&["--host", "far", "--no-attach"]).success();
    let id = steps::session_id(&bed.sandbox);
    sinc(&["kill", "--yes"]).success();
    let kept = far.0.remote_home().join(".local/state/sinc/backups").join(&id).join("20261123-181445-0001");
    steps::write(&kept.join("index"), "made 1795457685\nby me\nroot /x\nwhy push\npath a\nend\n");
    steps::write(&kept.join("files/a"), "old\n");
    steps::write(&kept.join("whole"), "");
    // The configuration says nothing of which host is meant.
    let run = sinc(&["backups", "--json"]).success();
    let data = documented::data("backups", &run.stdout);
    let one = &data["backups"][0];
    assert_eq!((&one["side"], &one["host"]), (&"remote".into(), &"far".into()), "{run}");
    let place = format!("    in far:{}/files", kept.display());
    let run = sinc(&["backups"]).success();
    assert!(run.stdout.contains(&place), "{run}");
    let other = sinc(&["backups", "--host", "box"]).exits(1);
    assert!(other.stderr.contains("this directory has no session"), "{other}");
    // One that is down is said to be, and the other one is asked all the same.
    bed.host.stop_sshd().expect("it stops");
    bed.host.break_connections().expect("they break");
    let run = sinc(&["backups"]).success();
    assert!(run.stdout.contains(&place), "{run}");
    assert!(run.stderr.contains("the backups on box are not known: "), "{run}");
}

#[test]
fn one_that_is_down_does_not_hold_up_the_other() {
    let Some(bed) = Bed::new() else { return };
    let far = Far::beside(&bed);
    let project = bed.project("app", &[("a", "1")]);
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    for host in ["box", "far"] {
        sinc(&["--host", host, "--no-attach"]).success();
    }
    let id = bed.sandbox.run("sh", &["-c", "ls .local/state/sinc/sessions"]).success().stdout;
    let id = id.split('@').next().unwrap_or_default().to_owned();
    far.0.stop_sshd().expect("it stops");
    far.0.break_connections().expect("they break");
    let list = sinc(&["list"]).success();
    assert!(list.stderr.contains("host `far` refuses connections"), "{list}");
    assert_eq!(list.stdout.matches(&id).count(), 2, "{list}");
    sinc(&["kill", "--host", "far", "--yes"]).success();
    assert_eq!(steps::sessions_there(&bed), std::slice::from_ref(&id));
    sinc(&["--no-attach"]).success();
    assert!(far.sessions(&bed).contains(&id), "it is ended when that host is reached again");
    far.0.start_sshd().expect("it starts");
    let list = sinc(&["list"]).success();
    assert!(list.stderr.contains(&format!("Finished {id}: its end, which waited for far")), "{list}");
    assert_eq!((far.sessions(&bed).as_str(), steps::sessions_there(&bed)), ("", vec![id]));
}
