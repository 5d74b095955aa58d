//! Each session is seen and driven in Agent-OS, where that runs on the host. Agent-OS itself is stood in for
//! (`tests/support/agent_os.py`); tmux, curl, ssh are real. With `SINC_AGENT_OS=DIR` it is the real one that is built there, or
//! whatever else `npm start` starts there with its `PORT` and `DB_PATH`.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::net::TcpListener;
use std::process::Child;

use serde_json::Value;

use crate::steps;
use crate::support::e2e::{Bed, have};
use crate::support::{PATIENCE, variable, wait_until};

/// Agent-OS on a host.
struct AgentOs<'a> {
    bed: &'a Bed,
    port: u16,
    server: Option<Child>,
}

impl<'a> AgentOs<'a> {
    /// Installs it, as its component does, on a port that is free.
    fn install(bed: &'a Bed) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = bed.host.remote_home();
        let server = include_str!("../support/agent_os.py");
        steps::write(&home.join(".agent-os/sinc/server.py"), server);
        let unit = format!("[Service]\nEnvironment=AGENT_OS_PORT=1 PORT={port} NODE_ENV=production\n");
        steps::write(&home.join(".config/systemd/user/agent-os.service"), &unit);
        Self { bed, port, server: None }
    }

    fn there(&self, line: &str) -> String {
        self.bed.sandbox.run("ssh", &["demo", line]).success().stdout
    }

    fn start(&mut self) {
        let serve = match (variable("SINC_AGENT_OS"), variable("PATH")) {
            (Some(dir), Some(path)) => {
                format!("cd '{dir}' && NODE_ENV=production PATH='{path}' exec npm start")
            }
            _ => "STAND_IN_HOST=127.0.0.1 exec python3 sinc/server.py".to_owned(),
        };
        let line =
            format!("cd .agent-os && echo $$ >pid && export DB_PATH=$PWD/db PORT={} && {serve}", self.port);
        let home = self.bed.sandbox.home();
        self.server = Some(self.bed.sandbox.program("ssh", &home).args(["demo", &line]).start());
        wait_until("Agent-OS answers", PATIENCE, || self.answers());
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn stop(&mut self) {
        self.there("kill $(cat .agent-os/pid)");
        let _ = self.server.take().unwrap().wait();
        wait_until("Agent-OS has ended", PATIENCE, || !self.answers());
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn api(&self, method: &str, path: &str, body: &str) -> Value {
        let url = self.url(path);
        let run = self.bed.sandbox.run("curl", &["-sS", "--noproxy", "*", "-X", method, "-d", body, &url]);
        serde_json::from_str(&run.success().stdout).unwrap()
    }

    fn rows(&self) -> Vec<Value> {
        self.api("GET", "/api/sessions", "")["sessions"].as_array().unwrap().clone()
    }

    /// Waits for as many rows, each with a live pane, and gives them by name.
    fn wait_rows(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} sessions in Agent-OS"), PATIENCE, || {
            let seen = self.api("GET", "/api/sessions/status", "");
            self.rows().len() == count && seen["statuses"].as_object().unwrap().len() == count
        });
        let mut rows = self.rows();
        rows.sort_by_key(|row| text(row, "name").to_owned());
        rows
    }

    /// The tmux sessions on the host.
    fn tmux(&self) -> Vec<String> {
        let listed = self.there("tmux list-sessions -F '#S' 2>/dev/null || true");
        listed.lines().map(str::to_owned).collect()
    }

    fn pane(&self, name: &str) -> String {
        self.there(&format!("tmux capture-pane -p -t '={name}:'"))
    }
}

impl Drop for AgentOs<'_> {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field}: {row}"))
}

/// A bed whose host has Agent-OS, which runs.
fn bed() -> Option<Bed> {
    if have(&["curl", "python3"]) { Bed::new() } else { None }
}

#[test]
fn a_session_is_seen_and_driven_and_leaves_nothing_behind() {
    let Some(bed) = bed() else { return };
    let mut agent_os = AgentOs::install(&bed);
    agent_os.start();
    let project = bed.project("a \"b\" \\ é", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    let row = agent_os.wait_rows(1).remove(0);
    // Its page types the directory into a shell: not this one.
    assert_eq!(
        ["name", "working_directory", "agent_type"].map(|field| text(&row, field)),
        ["a \"b\" \\ é", "~", "opencode"],
        "{row}"
    );
    let name = text(&row, "tmux_name").to_owned();
    assert_eq!(name, format!("opencode-{}", text(&row, "id")));

    // The same panes: what is typed on one side is on the other.
    wait_until("the agent is seen by that name", PATIENCE, || agent_os.pane(&name).contains("agent ready"));
    agent_os.there(&format!("tmux send-keys -t '={name}:' from-a-phone Enter"));
    wait_until("the phone's line is in sinc's terminal", PATIENCE, || {
        agent_os.pane(&id).contains("agent heard: from-a-phone")
    });
    let address = agent_os.url("");
    let status = bed.sandbox.sinc_in(&project, &["status", "--json"]).success();
    assert_eq!(crate::documented::data("status", &status.stdout)["mobile"], address.as_str());
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains(&format!("mobile    {address}")), "{status}");
    let list = bed.sandbox.sinc(&["list", "--json"]).success();
    assert_eq!(crate::documented::data("list", &list.stdout)["sessions"][0]["mobile"], address.as_str());
    assert!(bed.sandbox.sinc(&["list"]).success().stdout.contains(&address));

    // Again, and twice at once: still one.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| steps::connect(&bed.sandbox, &project));
        }
    });
    let terminal = steps::attach(&bed.sandbox, &project);
    agent_os.there("flock -w 5 ~/.local/state/sinc/mobile/.lock true");
    steps::detach(terminal);
    assert_eq!(agent_os.rows(), std::slice::from_ref(&row));
    assert_eq!(agent_os.tmux(), [name, id]);

    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert_eq!(agent_os.rows(), [] as [Value; 0]);
    assert_eq!(agent_os.tmux(), [] as [String; 0], "nor does the agent run on in a view of its panes");
    assert_eq!(agent_os.there("ls ~/.local/state/sinc/mobile"), "");
}

#[test]
fn without_it_or_with_one_that_is_down_or_hangs_nothing_is_different() {
    let Some(bed) = bed() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    assert!(!bed.host.remote_home().join(".local/state/sinc/mobile").exists(), "no trace");

    // Down.
    let mut agent_os = AgentOs::install(&bed);
    let status = || bed.sandbox.sinc_in(&project, &["status", "--json"]).success().stdout;
    steps::connect(&bed.sandbox, &project);
    assert!(status().contains("\"mobile\":null"), "{}", status());
    assert_eq!(agent_os.tmux(), std::slice::from_ref(&id));

    // It listens, and never answers.
    let hanging = TcpListener::bind(("127.0.0.1", agent_os.port)).unwrap();
    let terminal = steps::attach(&bed.sandbox, &project);
    steps::detach(terminal);
    assert_eq!(agent_os.tmux(), std::slice::from_ref(&id));
    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert_eq!(agent_os.tmux(), [] as [String; 0]);
    drop(hanging);

    // An end while it is down is made up for by the next session.
    agent_os.start();
    steps::connect(&bed.sandbox, &project);
    agent_os.wait_rows(1);
    agent_os.stop();
    assert!(status().contains("\"mobile\":null"), "{}", status());
    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert_eq!(agent_os.tmux(), [] as [String; 0]);
    agent_os.start();
    assert_eq!(agent_os.rows().len(), 1);
    let other = bed.project("other", &[("a", "1")]);
    steps::connect(&bed.sandbox, &other);
    wait_until("the old one is gone", PATIENCE, || {
        agent_os.wait_rows(1).iter().all(|row| text(row, "name") == "other")
    });
    bed.sandbox.sinc_in(&other, &["kill", "--yes"]).success();
    assert_eq!(agent_os.there("ls ~/.local/state/sinc/mobile"), "");
}

#[test]
fn what_happens_meanwhile_is_followed() {
    let Some(bed) = bed() else { return };
    let mut agent_os = AgentOs::install(&bed);
    agent_os.start();
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    let row = agent_os.wait_rows(1).remove(0);
    assert_eq!(text(&row, "working_directory"), steps::there(&bed, "app").to_str().unwrap());
    let (name, path) = (text(&row, "tmux_name").to_owned(), format!("/api/sessions/{}", text(&row, "id")));
    let connect = || {
        steps::connect(&bed.sandbox, &project);
    };

    // tmux was restarted: the same row has the panes again.
    agent_os.there("tmux kill-server");
    wait_until("tmux has ended", PATIENCE, || agent_os.tmux().is_empty());
    connect();
    assert_eq!(agent_os.wait_rows(1), std::slice::from_ref(&row));

    // The directory was renamed.
    let moved = steps::there(&bed, "moved");
    std::fs::rename(steps::there(&bed, "app"), &moved).unwrap();
    connect();
    wait_until("it is known where it is", PATIENCE, || {
        agent_os.api("GET", &path, "")["session"]["working_directory"] == moved.to_str().unwrap()
    });

    // A phone was first after a restart: what it began is what sinc attaches to. What the last connect began has ended: it would
    // take the phone's for somebody else's.
    agent_os.there("flock -w 20 ~/.local/state/sinc/mobile/.lock true");
    agent_os.there("tmux kill-server");
    wait_until("tmux has ended", PATIENCE, || agent_os.tmux().is_empty());
    agent_os.there(&format!("tmux new-session -d -s {name} -c {} ~/.local/bin/opencode", moved.display()));
    agent_os.there(&format!("tmux send-keys -t '={name}:' begun-on-the-phone Enter"));
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("agent heard: begun-on-the-phone", PATIENCE);
    steps::detach(terminal);
    assert_eq!(agent_os.wait_rows(1).len(), 1);

    // By hand only sinc's view was ended: the agent is still there.
    agent_os.there(&format!("tmux kill-session -t ={id}"));
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("agent heard: begun-on-the-phone", PATIENCE);
    steps::detach(terminal);

    // A person gave it a name there, which its tmux session gets too.
    agent_os.api("PATCH", &path, r#"{"name":"My App"}"#);
    connect();
    agent_os.there("flock -w 5 ~/.local/state/sinc/mobile/.lock true");
    assert_eq!(agent_os.rows().len(), 1);
    assert_eq!(agent_os.tmux(), ["my-app", &id]);

    // And removed it there: a new row, and the old view goes with the session. A terminal through the shared connection
    // does not bring it: what it leaves beside itself sees to that.
    agent_os.api("DELETE", &path, "");
    let terminal = steps::attach(&bed.sandbox, &project);
    let new = agent_os.wait_rows(1).remove(0);
    steps::detach(terminal);
    assert_ne!(text(&new, "id"), text(&row, "id"));

    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    assert_eq!((agent_os.rows().len(), agent_os.tmux().len()), (0, 0), "{:?}", agent_os.tmux());
    assert_eq!(agent_os.there("ls ~/.local/state/sinc/mobile"), "");
}

/// A phone's browser, 50 ms away: open, tap, and the pane is there.
#[test]
#[ignore = "needs chromium: tests/run.sh phone"]
#[expect(clippy::print_stdout, reason = "what was measured, for whoever runs it")]
fn a_phone_has_a_live_pane_in_a_second() {
    let Some(bed) = bed() else { return };
    let chromium =
        which::which("chromium").expect("not installed: chromium. On Debian: `apt-get install chromium`");
    let mut agent_os = AgentOs::install(&bed);
    agent_os.start();
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    agent_os.wait_rows(1);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/phone/phone.py");
    let port = agent_os.port.to_string();
    let words = [script.to_str().unwrap(), chromium.to_str().unwrap(), &port, "app", "agent ready"];
    let mut opened = Vec::new();
    for number in 1..=5 {
        let line = format!("line {number}");
        let answer = format!("agent heard: {line}");
        let run = bed.sandbox.run("python3", &[&words[..], &[&line, &answer]].concat()).success();
        println!("a phone, {number} of 5: {}", run.stdout.trim());
        let measured: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(measured["width"], 390, "the page's screen is a phone's: {run}");
        assert!(agent_os.pane(&id).contains(&answer), "it is in sinc's terminal too");
        opened.push(measured["open"].as_u64().unwrap());
    }
    opened.sort_unstable();
    println!("open to live pane at 50 ms: {} ms (median of 5), {} ms at most", opened[2], opened[4]);
    assert!(opened[2] < 1000, "{opened:?}");
}
