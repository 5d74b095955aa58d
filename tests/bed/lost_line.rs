//! The line goes silent: every wait ends, says why, and nothing is half-made afterwards.

use std::time::{Duration, Instant};

use super::lab::Lab;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, variable, wait_until};

#[test]
fn a_connect_over_a_dead_line_ends_soon_with_the_reason() {
    let lab = Lab::new();
    let root = lab.project("app", 5);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    lab.bed(&["cut"]);
    let started = Instant::now();
    // With the shared connection there, which does not know yet that it is dead.
    let run = lab.sandbox.sinc_in(&root, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("did not answer in time"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    lab.bed(&["restore"]);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
}

#[test]
fn a_first_connect_that_is_cut_off_is_finished_by_the_next() {
    let lab = Lab::new();
    lab.bed(&["latency", "100", "0", "0", "4000"]);
    let root = lab.project("app", 2000);
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("Syncing", PATIENCE);
    lab.bed(&["cut"]);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    lab.bed(&["restore"]);
    lab.bed(&["latency", "0"]);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    assert_eq!(lab.on_host("find ~/workspace/app/src -type f -size +0 | wc -l").trim(), "2000");
}

#[test]
fn what_changed_on_both_sides_during_a_cut_is_synced_after_it() {
    let lab = Lab::new();
    let root = lab.project("app", 50);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    lab.on_host("nohup sh -c 'sleep 3; echo there > ~/workspace/app/there' >/dev/null 2>&1 &");
    lab.bed(&["cut"]);
    std::fs::write(root.join("here"), "here").unwrap();
    wait_until("the data connection is known to be lost", PATIENCE, || {
        !lab.sync_status().contains("atching")
    });
    lab.bed(&["restore"]);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    lab.wait_for_remote("~/workspace/app/here", "here");
    lab.wait_for_local(&root.join("there"), "there");
}

/// The link, as `sinc link status` has it: is there a line, and is everything watched and nothing to be looked at first?
fn link(lab: &Lab) -> (serde_json::Value, bool) {
    let json = lab.sandbox.sinc(&["link", "status", "--json"]).success().stdout;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    let link = status["data"]["links"][0].clone();
    let quiet = link["sessions"].as_object().is_some_and(|all| {
        all.values().all(|one| one["looking"] == false && one["there"]["by"] == "inotify")
    });
    (link, quiet)
}

fn wait_until_up(lab: &Lab) {
    wait_until("the link is up", PATIENCE, || {
        let (link, quiet) = link(lab);
        link["up"] == true && quiet
    });
}

/// Cuts the line, and changes both sides while it is cut.
fn cut_and_change(lab: &Lab, root: &std::path::Path, text: &str) {
    lab.on_host(&format!("nohup sh -c 'sleep 4; echo {text} > ~/workspace/app/there' >/dev/null 2>&1 &"));
    lab.bed(&["cut"]);
    std::fs::write(root.join("here"), text).unwrap();
    wait_until("the link knows that the line is lost", PATIENCE, || link(lab).0["up"] == false);
}

/// `SINC_CUT_SECONDS` says how long the line is away, where it is to be for more than a few seconds.
#[test]
fn the_link_is_back_soon_after_the_line() {
    let lab = Lab::new();
    let away = variable("SINC_CUT_SECONDS").map_or(0, |text| text.parse().unwrap());
    lab.bed(&["latency", "50"]);
    let root = lab.project("app", 50);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    for round in 0..3 {
        wait_until_up(&lab);
        let text = format!("round {round}");
        let cut = Instant::now();
        cut_and_change(&lab, &root, &text);
        let away = Duration::from_secs(away);
        wait_until("it was away for long enough", away + PATIENCE, || cut.elapsed() >= away);
        let status = lab.sandbox.sinc_in(&root, &["link", "status"]).success();
        assert!(status.stdout.contains("no line to the host"), "{status}");
        lab.bed(&["restore"]);
        let back = Instant::now();
        lab.wait_for_local(&root.join("there"), &text);
        let took = back.elapsed();
        lab.wait_for_remote("~/workspace/app/here", &text);
        // The goal is 3 s; measured nine times on a busy machine with two cores: 2.4 to 2.8 s. A second more for a busier one.
        assert!(took < Duration::from_secs(4), "{took:?}");
        let _ =
            std::io::Write::write_all(&mut std::io::stderr(), format!("back after {took:?}\n").as_bytes());
    }
}

#[test]
fn a_link_that_is_killed_while_the_line_is_down_is_brought_back_by_status() {
    let lab = Lab::new();
    let root = lab.project("app", 50);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    wait_until_up(&lab);
    cut_and_change(&lab, &root, "meanwhile");
    let first = link(&lab).0["pid"].clone();
    super::support::e2e::kill_link(first.as_i64().unwrap());
    wait_until("the link is gone", PATIENCE, || link(&lab).0["runs"] == false);
    // The host cannot be asked; that is said, and the link runs again.
    let _ = lab.sandbox.sinc_in(&root, &["status"]);
    wait_until("another link runs", PATIENCE, || {
        let (link, _) = link(&lab);
        link["runs"] == true && link["pid"].is_number() && link["pid"] != first
    });
    assert_eq!(link(&lab).0["up"], false);
    lab.bed(&["restore"]);
    lab.wait_for_local(&root.join("there"), "meanwhile");
    lab.wait_for_remote("~/workspace/app/here", "meanwhile");
}

/// The host's sshd stands still, and goes on in the end.
struct Frozen<'a>(&'a Lab);

impl Frozen<'_> {
    fn root(&self, line: &str) -> String {
        self.0.bed(&["vps", "sh", "-c", line])
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.root("systemctl kill -s CONT ssh.service");
    }
}

#[test]
fn a_host_that_is_slow_for_a_while_does_not_shut_this_address_out() {
    let lab = Lab::new();
    let root = lab.project("app", 5);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    wait_until_up(&lab);
    let frozen = Frozen(&lab);
    let slow = "systemctl kill -s STOP --kill-whom=main ssh.service; for p in $(pgrep -f '^sshd.*: dev@'); do kill -9 $p; done; true";
    frozen.root(slow);
    let began = Instant::now();
    // The kernel takes connections meanwhile: each one that is given up counts once the host goes on.
    wait_until("a few tries were made", Duration::from_secs(90), || {
        frozen.root("ss -Hltn4 sport = :22 | awk '{ print $2 }'").trim().parse::<u32>().unwrap() >= 6
    });
    assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
    drop(frozen);
    lab.on_host("true");
    wait_until_up(&lab);
}
