//! `sinc kill`: what it ends, what it asks before, what it remembers.

use crate::support::e2e::{Bed, living_in};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// An agent that ends at once.
const QUICK: &str = "\n[agent.quick]\ncommand = \"true\"\n";

/// Connects with the agent that ends at once, and waits until it has.
#[track_caller]
fn connect_quick(bed: &Bed, project: &std::path::Path) {
    bed.sandbox.sinc_in(project, &["--no-attach", "--agent", "quick"]).success();
    wait_until("the agent has ended", PATIENCE, || {
        bed.sandbox.sinc_in(project, &["status", "--cached"]).stdout.contains("quick ended")
    });
}

#[test]
fn a_running_agent_is_asked_about_and_what_waits_is_brought_over() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    let run = bed.sandbox.sinc_in(&project, &["kill"]).exits(1);
    assert!(run.stderr.contains("was not ended: opencode is running in it"), "{run}");
    assert!(run.stderr.contains("hint: answer it with `--yes`"), "{run}");
    let dry = bed.sandbox.sinc_in(&project, &["kill", "--dry-run"]).success();
    for part in [" sync flush", "exec sh -c ", " sync terminate"] {
        assert!(dry.stdout.contains(part), "{part}: {dry}");
    }
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["kill"]);
    terminal.wait_for("End it?", PATIENCE);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert_eq!(steps::sessions_there(&bed), std::slice::from_ref(&id));
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1, "nothing has changed");

    steps::write(&project.join("a"), "changed just now\n");
    let run = bed.sandbox.sinc_in(&project, &["kill", "--yes", "--json"]).success();
    let data = documented::data("kill", &run.stdout);
    let ended = &data["ended"][0];
    assert_eq!((&ended["sync"], &ended["terminal"]), (&"ended".into(), &"ended".into()), "{run}");
    assert_eq!(ended["brought_over"], true, "{run}");
    let there = steps::there(&bed, "app");
    assert_eq!(steps::read(&there.join("a")), "changed just now\n");
    assert_eq!(steps::read(&project.join("a")), "changed just now\n");
    assert!(steps::sessions_there(&bed).is_empty() && steps::syncs(&bed.sandbox).is_empty());
    assert!(steps::records(&bed.sandbox).is_empty());
    assert!(!steps::read(&steps::claim(&bed, &id)).contains("machine "), "out of the claim");
    let again = bed.sandbox.sinc_in(&project, &["kill", "--yes"]).exits(1);
    assert!(again.stderr.contains("this directory has no session"), "{again}");
    // And it can begin again, in the same directory.
    steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::session_id(&bed.sandbox), id);
}

#[test]
fn only_a_whole_id_counts() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also(QUICK);
    let (app, longer) = (bed.project("app", &[("a", "1")]), bed.project("app-2", &[("a", "1")]));
    connect_quick(&bed, &app);
    let id = steps::session_id(&bed.sandbox);
    connect_quick(&bed, &longer);
    for part in ["sinc-app", "sinc-app-", &id[..id.len() - 1], "sinc", "=sinc-app", "*"] {
        for more in [&["--yes"][..], &["--yes", "--host", "box"]] {
            let run = bed.sandbox.sinc(&[&["kill", part][..], more].concat()).exits(1);
            assert!(run.stderr.contains("session"), "{run}");
        }
    }
    assert_eq!((steps::sessions_there(&bed).len(), steps::syncs(&bed.sandbox).len()), (2, 2));
    bed.sandbox.sinc(&["kill", &id]).success();
    assert_eq!(steps::sessions_there(&bed).len(), 1);
    assert!(steps::sessions_there(&bed)[0].starts_with("sinc-app-2-"));
    assert_eq!(steps::records(&bed.sandbox).len(), 1);
}

#[test]
fn with_the_host_down_the_rest_is_done_at_the_next_contact() {
    let Some(bed) = Bed::new() else { return };
    let (one, two) = (bed.project("one", &[("a", "1")]), bed.project("two", &[("a", "1")]));
    steps::connect(&bed.sandbox, &one);
    let id = steps::session_id(&bed.sandbox);
    steps::connect(&bed.sandbox, &two);
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let refused = bed.sandbox.sinc_in(&one, &["kill"]).exits(1);
    assert!(refused.stderr.contains("box could not be asked what runs there"), "{refused}");
    for project in [&one, &two] {
        let run = bed.sandbox.sinc_in(project, &["kill", "--yes"]).success();
        assert!(run.stderr.contains("its terminal on box is ended when that host is reached again"), "{run}");
    }
    assert!(steps::records(&bed.sandbox).is_empty() && steps::syncs(&bed.sandbox).is_empty());
    assert_eq!(steps::sessions_there(&bed).len(), 2, "they go on there");
    let list = bed.sandbox.sinc(&["list"]).success();
    assert!(list.stderr.contains(&format!("{id} was ended here; box is told when it is reached")), "{list}");

    bed.host.start_sshd().unwrap();
    let run = bed.sandbox.sinc_in(&one, &["--no-attach"]).success();
    assert!(run.stderr.contains(&format!("Finished {id}: its end, which waited for this host")), "{run}");
    assert!(run.stdout.contains("opencode running"), "a new one: {run}");
    let claim = steps::read(&steps::claim(&bed, &id));
    assert!(claim.contains("machine "), "this computer is in the claim again: {claim}");
    assert_eq!(steps::sessions_there(&bed), std::slice::from_ref(&id), "the other one was ended too");
    let list = bed.sandbox.sinc(&["list", "--json"]).success();
    let data = documented::data("list", &list.stdout);
    assert_eq!(
        (&data["finished"], &data["waiting"]),
        (&serde_json::json!([]), &serde_json::json!([])),
        "{list}"
    );
    assert_eq!(data["sessions"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn list_finishes_what_waits_too() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    bed.host.start_sshd().unwrap();
    let list = bed.sandbox.sinc(&["list"]).success();
    assert!(list.stderr.contains(&format!("Finished {id}: its end, which waited for box")), "{list}");
    assert!(!list.stdout.contains(&id), "{list}");
    assert!(steps::sessions_there(&bed).is_empty());
    let again = bed.sandbox.sinc(&["list"]).success();
    assert!(!again.stderr.contains("Finished"), "{again}");
}

#[test]
fn all_goes_on_after_a_failure() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also(QUICK);
    let (busy, idle) = (bed.project("busy", &[("a", "1")]), bed.project("idle", &[("a", "1")]));
    steps::connect(&bed.sandbox, &busy);
    connect_quick(&bed, &idle);
    let run = bed.sandbox.sinc(&["kill", "--all"]).exits(1);
    assert!(run.stderr.contains("error: 1 session was not ended: sinc-busy-"), "{run}");
    assert!(run.stderr.contains("opencode is running in it"), "{run}");
    assert!(run.stderr.contains("Ended sinc-idle-"), "{run}");
    assert_eq!(steps::sessions_there(&bed).len(), 1);
    bed.sandbox.sinc(&["kill", "--all", "--yes"]).success();
    assert!(steps::sessions_there(&bed).is_empty() && steps::syncs(&bed.sandbox).is_empty());
    bed.sandbox.sinc(&["kill", "--all"]).success();
}

#[test]
fn a_sync_that_is_stopped_gone_or_without_its_program_keeps_nobody_from_it() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also(QUICK);
    let project = bed.project("app", &[("a", "1")]);
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    connect_quick(&bed, &project);
    sinc(&["pause"]).success();
    let run = sinc(&["kill"]).exits(1);
    assert!(run.stderr.contains("its sync is paused: what changed since is only on the side"), "{run}");
    sinc(&["kill", "--yes"]).success();
    assert!(steps::syncs(&bed.sandbox).is_empty());

    connect_quick(&bed, &project);
    steps::mutagen(&bed.sandbox, &["sync", "terminate", "--all"]).success();
    sinc(&["kill"]).success();

    connect_quick(&bed, &project);
    let config = bed.sandbox.configure_also("\n[mutagen]\npath = \"/no/mutagen\"\n");
    let run = sinc(&["kill"]).success();
    assert!(run.stderr.contains("a sync that it may still have is not ended"), "{run}");
    assert!(steps::sessions_there(&bed).is_empty() && steps::records(&bed.sandbox).is_empty());
    bed.sandbox.configure(config);

    // It is there again, and so is what it still syncs; that can be ended by its id.
    let list = bed.sandbox.sinc(&["list", "--json"]).success();
    let data = documented::data("list", &list.stdout);
    assert_eq!(data["sessions"][0]["orphan"], "sync-only", "{list}");
    let id = data["sessions"][0]["id"].as_str().unwrap().to_owned();
    let run = bed.sandbox.sinc(&["kill", &id]).exits(1);
    assert!(run.stderr.contains("this computer has no record of it"), "{run}");
    bed.sandbox.sinc(&["kill", &id, "--yes"]).success();
    assert!(steps::syncs(&bed.sandbox).is_empty());
}

#[test]
fn another_computer_is_named_and_an_orphan_can_be_ended_on_the_host_that_is_named() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also(QUICK);
    let project = bed.project("app", &[("a", "1")]);
    connect_quick(&bed, &project);
    let id = steps::session_id(&bed.sandbox);
    // As if another computer of this path had joined.
    let claim = steps::claim(&bed, &id);
    let text = steps::read(&claim).replace("written ", "machine 0123456789ab desktop /home/x/app\nwritten ");
    steps::write(&claim, &text);
    let run = bed.sandbox.sinc_in(&project, &["kill"]).exits(1);
    assert!(run.stderr.contains("it is also used by desktop (/home/x/app)"), "{run}");
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains("\nalso      synced by desktop /home/x/app\n"), "{status}");
    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert!(steps::read(&claim).contains("machine 0123456789ab desktop "), "the other one stays in it");
    let list = bed.sandbox.sinc(&["list"]).success();
    assert!(list.stdout.contains("(of desktop (/home/x/app))"), "{list}");
    let run = bed.sandbox.sinc(&["kill", &id, "--host", "box", "--yes"]).exits(1);
    assert!(run.stderr.contains("is only used by desktop (/home/x/app)"), "{run}");

    steps::tmux_there(&bed, &["new-session", "-d", "-s", "sinc-lost-abcdef"]).success();
    let run = bed.sandbox.sinc(&["kill", "sinc-lost-abcdef", "--yes"]).exits(1);
    assert!(run.stderr.contains("this computer knows no session"), "{run}");
    let run = bed.sandbox.sinc(&["kill", "sinc-lost-abcdef", "--host", "box"]).exits(1);
    assert!(run.stderr.contains("this computer has no record of it"), "{run}");
    bed.sandbox.sinc(&["kill", "sinc-lost-abcdef", "--host", "box", "--yes"]).success();
    assert!(steps::sessions_there(&bed).is_empty());
    let run = bed.sandbox.sinc(&["kill", "sinc-lost-abcdef", "--host", "box", "--yes"]).exits(1);
    assert!(run.stderr.contains("there is no session sinc-lost-abcdef on box"), "{run}");
}

/// Whoever asks the host is told so at once, but for Mutagen.
const REFUSE: &str = "[ -e \"$HOME/up\" ] || case $* in *-oControlMaster=no*) ;; *) \
    echo 'ssh: connect to host 127.0.0.1 port 22: No route to host' >&2; exit 255;; esac";

/// No cycle was asked for.
const UNSEEN: &str = "warning: what changed last could not be brought over, and stays on the side where it is \
    (the host could not be asked what that would delete)";

#[test]
fn what_could_not_be_looked_at_is_not_brought_over() {
    const FILES: usize = 60;
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("top", "1")]);
    for n in 0..FILES {
        steps::write(&project.join(format!("src/{n}")), "x");
    }
    steps::connect(&bed.sandbox, &project);
    bed.sandbox.sinc(&["link", "stop"]).success();
    let there = steps::there(&bed, "app");
    // No new login, no shared connection; Mutagen's own one is alive.
    steps::before_each(&bed, "ssh", REFUSE);
    std::fs::remove_dir_all(there.join("src")).unwrap();
    let run = bed.sandbox.sinc_in(&project, &["kill", "--yes", "--json"]).success();
    let data = documented::data("kill", &run.stdout);
    let ended = &data["ended"][0];
    assert_eq!((&ended["sync"], &ended["terminal"]), (&"ended".into(), &"waiting".into()), "{run}");
    assert_eq!(ended["brought_over"], serde_json::Value::Null, "{run}");
    assert_eq!(std::fs::read_dir(project.join("src")).unwrap().count(), FILES, "{run}");
    assert!(steps::syncs(&bed.sandbox).is_empty());
}

/// A connected session of which these processes on the host do not move any more, and a change that waits.
struct Hangs {
    bed: Bed,
    project: std::path::PathBuf,
    processes: Vec<String>,
}

impl Hangs {
    #[track_caller]
    fn new(which: impl Fn(&Bed) -> Vec<String>) -> Option<Self> {
        let bed = Bed::new()?;
        let project = bed.project("app", &[("a", "1")]);
        steps::connect(&bed.sandbox, &project);
        let processes = which(&bed);
        assert!(!processes.is_empty());
        let hangs = Self { bed, project, processes };
        hangs.signal("-STOP");
        steps::write(&hangs.project.join("a"), "changed here\n");
        Some(hangs)
    }

    #[track_caller]
    fn signal(&self, name: &str) {
        // One that had just ended its work may be gone.
        let done = |process: &String| self.bed.sandbox.run("kill", &[name, process]).code == 0;
        assert!(self.processes.iter().filter(|process| done(process)).count() > 0);
    }

    /// The file here and there.
    #[track_caller]
    fn both(&self) -> [String; 2] {
        [&self.project, &steps::there(&self.bed, "app")].map(|dir| steps::read(&dir.join("a")))
    }
}

/// Mutagen's agent on the host: its connection is there, and nothing comes over it.
fn agent(bed: &Bed) -> Vec<String> {
    let agents = living_in(bed.host.dir())
        .into_iter()
        .filter(|process| process.contains("mutagen-agent synchronizer") && !process.contains("ssh"));
    agents.filter_map(|process| Some(process.split_once(':')?.0.to_owned())).collect()
}

/// The host's end of each connection, as when the line is cut and nobody has noticed.
fn connections(bed: &Bed) -> Vec<String> {
    let listener = steps::read(&bed.host.dir().join("sshd.pid"));
    let children = |of: &str| bed.sandbox.run("pgrep", &["-P", of, "sshd"]).stdout;
    let found = children(listener.trim());
    assert!(!found.is_empty(), "nobody is connected");
    // Where it does not run as root, another process of its own reads and writes.
    let more = children(&found.lines().collect::<Vec<_>>().join(","));
    found.lines().chain(more.lines()).map(str::to_owned).collect()
}

#[test]
fn a_flush_that_hangs_is_given_up_and_the_person_is_asked_again() {
    let Some(hangs) = Hangs::new(agent) else { return };
    let (bed, project) = (&hangs.bed, &hangs.project);
    let terminal = Terminal::sinc(&bed.sandbox, project, &["kill"]);
    terminal.wait_for("End it?", PATIENCE);
    terminal.type_line("y");
    terminal.wait_for("Syncing", PATIENCE);
    // The minute that a flush gets.
    terminal.wait_for("End it all the same?", 3 * PATIENCE);
    let said = terminal.history();
    let lost = "what changed last could not be brought over, and stays on the side where it is";
    assert!(said.contains(&format!("warning: {lost} (nothing moved for 60 s")), "{said}");
    assert!(!said.contains("Syncing"), "the live line is gone: {said}");
    assert_eq!(hangs.both(), ["changed here\n", "1"]);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert!(terminal.history().contains("was not ended"), "{}", terminal.history());
    // Nothing was: when the line moves again, it is brought over, and the session can be ended.
    assert_eq!((steps::sessions_there(bed).len(), steps::syncs(&bed.sandbox).len()), (1, 1));
    assert_eq!(steps::records(&bed.sandbox).len(), 1);
    hangs.signal("-CONT");
    bed.sandbox.sinc_in(project, &["kill", "--yes"]).success();
    assert_eq!(hangs.both(), ["changed here\n"; 2]);
    assert!(steps::sessions_there(bed).is_empty() && steps::syncs(&bed.sandbox).is_empty());
}

#[test]
fn over_a_dead_line_nothing_is_brought_over_and_nothing_is_lost() {
    let Some(hangs) = Hangs::new(connections) else { return };
    let (bed, project) = (&hangs.bed, &hangs.project);
    // Mutagen's own connection is still there, half open.
    steps::before_each(bed, "ssh", REFUSE);
    let run = bed.sandbox.sinc_in(project, &["kill", "--yes"]).success();
    assert!(run.stderr.contains(UNSEEN), "{run}");
    assert!(run.stderr.contains("its terminal on box is ended when that host is reached again"), "{run}");
    assert!(steps::records(&bed.sandbox).is_empty() && steps::syncs(&bed.sandbox).is_empty());
    // Each side has what it had, and both versions are still there after the next connect.
    assert_eq!(hangs.both(), ["changed here\n", "1"]);
    hangs.signal("-CONT");
    bed.sandbox.write("up", "");
    let run = steps::connect(&bed.sandbox, project);
    assert!(run.stderr.contains("1 conflict, left alone on both sides: a ("), "{run}");
    assert_eq!(hangs.both(), ["changed here\n", "1"]);
}

#[test]
fn purge_keeps_what_is_not_here_and_removes_the_rest() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also(QUICK);
    let project = bed.project("it's $x", &[("a", "1"), ("d/b\nc", "2"), ("-n", "3")]);
    connect_quick(&bed, &project);
    let there = steps::there(&bed, "it's $x");
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    // Nothing but what is here: nothing is kept.
    let dry = sinc(&["kill", "--purge", "--dry-run"]).success();
    assert!(dry.stderr.contains("is here too") && dry.stderr.contains("would be removed"), "{dry}");
    let nobody = sinc(&["kill", "--purge"]).exits(1);
    assert!(nobody.stderr.contains("there is no terminal to ask on: Remove box:"), "{nobody}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    let json = sinc(&["kill", "--purge", "--yes", "--json"]).success();
    let data = documented::data("kill", &json.stdout);
    assert_eq!(data["ended"][0]["purged"], serde_json::json!({ "kept": null, "paths": 0 }), "{data}");
    assert!(!there.exists());
    let backups = bed.host.remote_home().join(".local/state/sinc/backups");
    assert!(steps::tree(&backups).iter().all(|(_, text)| text.is_none()));
    assert_eq!(steps::read(&project.join("d/b\nc")), "2");

    // It is made and filled again; this time there is more on the host. As after a keep from another file system that was
    // killed before it had copied: the only copy is beside its place, under a name that is in no listing.
    connect_quick(&bed, &project);
    let begun = backups.join(format!("{}/begun", steps::session_id(&bed.sandbox)));
    let machine = steps::read(&bed.sandbox.home().join(".local/state/sinc/machine"));
    let index = format!(
        "made 1\nby {}\nroot {}\nwhy resolve --local\npath d/lost\nend\n",
        machine.trim(),
        there.display()
    );
    steps::write(&begun.join("index"), &index);
    std::fs::create_dir_all(begun.join("files")).unwrap();
    steps::write(&there.join("d/.mutagen-temporary-sinc-begun-1"), "the only copy");
    steps::write(&there.join("d/.mutagen-temporary-of-another"), "of somebody");
    let run = sinc(&["kill", "--purge", "--yes"]).success();
    assert!(run.stderr.contains("`resolve --local` was not finished"), "{run}");
    assert!(run.stderr.contains("what is not synced on the host in "), "{run}");
    assert!(!there.exists());
    assert_eq!(steps::read(&begun.join("files/d/lost")), "the only copy");
    let place = run.stderr.split("synced on the host in ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(
        steps::read(&std::path::Path::new(place).join("d/.mutagen-temporary-of-another")),
        "of somebody"
    );

    connect_quick(&bed, &project);
    steps::write(&there.join("node_modules/only"), "ignored");
    steps::write(&there.join(".git/HEAD"), "the host's own");
    sinc(&["pause"]).success();
    steps::write(&project.join("a"), "here");
    steps::write(&there.join("a"), "there");
    sinc(&["resume"]).success();
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["kill", "--purge"]);
    terminal.wait_for("in it)", PATIENCE);
    terminal.wait_for("Remove box:", PATIENCE);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert!(there.exists() && steps::syncs(&bed.sandbox).len() == 1);
    let run = sinc(&["kill", "--purge", "--yes"]).success();
    for line in [
        ".git (the host's repository, which stays whole)",
        "a (5 B, another version is here)",
        "node_modules (directory",
    ] {
        assert!(run.stderr.contains(line), "{line}: {run}");
    }
    assert!(!there.exists() && steps::syncs(&bed.sandbox).is_empty());
    let place = run.stderr.split(" on the host in ").nth(1).unwrap().lines().next().unwrap();
    let kept = steps::tree(std::path::Path::new(place));
    let files: Vec<_> =
        kept.iter().filter_map(|(path, text)| Some((path.to_str()?, text.as_deref()?))).collect();
    assert_eq!(files, [(".git/HEAD", "the host's own"), ("a", "there"), ("node_modules/only", "ignored")]);
    assert_eq!(steps::read(&project.join("a")), "here");
}

#[test]
fn purge_ends_nothing_where_it_cannot_know() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    let purge = || bed.sandbox.sinc_in(&project, &["kill", "--purge", "--yes"]);
    let _ = bed.sandbox.sinc_in(&project, &["kill", "--purge", "--all"]).exits(2);
    std::fs::rename(there.join(".sinc-session"), there.join("marker")).unwrap();
    let lost = purge().exits(1);
    assert!(lost.stderr.contains("is not known to be its own any more"), "{lost}");
    std::fs::rename(there.join("marker"), there.join(".sinc-session")).unwrap();
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let down = purge().exits(76);
    assert!(down.stderr.contains("cannot be removed now"), "{down}");
    assert_eq!((steps::syncs(&bed.sandbox).len(), steps::read(&there.join("a"))), (1, "1".to_owned()));
    bed.host.start_sshd().unwrap();
}
