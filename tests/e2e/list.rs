//! `sinc list`: both sides joined, and what is not whole named.

use crate::support::e2e::Bed;
use crate::support::sandbox::Run;
use crate::{documented, steps};

/// The line of the session whose id begins like this.
#[track_caller]
fn line<'a>(run: &'a Run, id: &str) -> &'a str {
    run.stdout.lines().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("no {id}: {run}"))
}

fn words(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[test]
fn sessions_of_both_sides_are_one_line_each_and_orphans_are_named() {
    let Some(bed) = Bed::new() else { return };
    let whole = bed.project("whole", &[("a", "1")]);
    let unsynced = bed.project("unsynced", &[("a", "1")]);
    let forgotten = bed.project("forgotten", &[("a", "1")]);
    let gone = bed.project("gone", &[("a", "1")]);
    for project in [&whole, &unsynced, &forgotten, &gone] {
        steps::connect(&bed.sandbox, project);
    }
    let other = bed.second_computer();
    let theirs = other.project("theirs");
    other.write(theirs.join("a"), "1");
    steps::connect(&other, &theirs);
    steps::tmux_there(&bed, &["new-session", "-d", "-s", "sinc-hand-made-abcdef"]).success();
    steps::tmux_there(&bed, &["new-session", "-d", "-s", "sinc-of-my-own"]).success();
    for sync in steps::syncs(&bed.sandbox) {
        if sync["name"].as_str().unwrap().starts_with("sinc-unsynced-") {
            let identifier = sync["identifier"].as_str().unwrap();
            steps::mutagen(&bed.sandbox, &["sync", "terminate", identifier]).success();
        }
    }
    for record in steps::records(&bed.sandbox) {
        if record.to_str().unwrap().contains("sinc-forgotten-") {
            std::fs::remove_file(record).unwrap();
        }
    }
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    std::fs::remove_dir_all(steps::there(&bed, "gone")).unwrap();

    let run = bed.sandbox.sinc(&["list"]).success();
    assert_eq!(
        words(line(&run, "sinc-whole-"))[1..],
        ["box", "paused", "detached", "opencode running", "~/whole"]
    );
    assert!(line(&run, "sinc-unsynced-").ends_with("(it has no sync: `sinc` makes one)"), "{run}");
    assert!(
        line(&run, "sinc-forgotten-").contains("~/forgotten  (this computer has no record of it"),
        "{run}"
    );
    assert!(
        line(&run, "sinc-gone-").ends_with("(its directory on the host is gone: `sinc` looks for it)"),
        "{run}"
    );
    assert!(line(&run, "sinc-theirs-").contains(&format!("-  (of {}", hostname(&bed))), "{run}");
    assert!(
        line(&run, "sinc-hand-made-abcdef").ends_with("(a terminal on the host that belongs to no computer)")
    );
    assert!(!run.stdout.contains("sinc-of-my-own"), "a session of the person's own: {run}");
    assert_eq!(run.stdout.lines().count(), 7, "{run}");

    let json = bed.sandbox.sinc(&["list", "--json"]).success();
    let data = documented::data("list", &json.stdout);
    let orphans: Vec<_> =
        data["sessions"].as_array().unwrap().iter().map(|row| row["orphan"].as_str()).collect();
    let expected = [
        Some("no-record"),
        Some("directory-gone"),
        Some("terminal-only"),
        Some("other-computer"),
        Some("no-sync"),
        None,
    ];
    assert_eq!(orphans, expected, "{json}");

    // A session that was ended is none, though its directory stays.
    bed.sandbox.sinc_in(&whole, &["kill", "--yes"]).success();
    assert!(!bed.sandbox.sinc(&["list"]).success().stdout.contains("sinc-whole-"));
    assert!(steps::there(&bed, "whole").join("a").is_file());
}

fn hostname(bed: &Bed) -> String {
    bed.sandbox.run("uname", &["-n"]).success().stdout.trim().to_owned()
}

#[test]
fn a_host_that_is_down_is_named_and_the_rest_is_listed() {
    let Some(bed) = Bed::new() else { return };
    bed.sandbox.configure_also("\n[host.dead]\ndestination = \"ssh://nobody@127.0.0.1:1\"\n");
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let run = bed.sandbox.sinc(&["list"]).success();
    assert!(run.stderr.contains("warning: host `dead` refuses connections"), "{run}");
    assert_eq!(words(line(&run, "sinc-app-"))[2..4], ["watching", "detached"], "{run}");
    let only = bed.sandbox.sinc(&["list", "--host", "dead"]).success();
    assert!(!only.stdout.contains("sinc-app-"), "{only}");

    bed.host.stop_sshd().unwrap();
    let run = bed.sandbox.sinc(&["list"]).success();
    assert!(
        run.stderr.contains("host `box` refuses connections") || run.stdout.contains("detached"),
        "{run}"
    );
    bed.host.break_connections().unwrap();
    let run = bed.sandbox.sinc(&["list", "--json"]).success();
    let data = documented::data("list", &run.stdout);
    assert_eq!(data["hosts"][0]["reached"], false, "{run}");
    assert!(data["sessions"][0]["terminal"].is_null(), "not asked is not absent: {run}");
    let local = bed.sandbox.sinc(&["list", "--local"]).success();
    assert!(line(&local, "sinc-app-").contains(" ? "), "{local}");
    assert_eq!(local.stderr, "", "{local}");
}
