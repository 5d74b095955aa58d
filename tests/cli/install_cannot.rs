//! A tier on a host on which some of its members cannot be: it converges all the same. And what of a host is told, because
//! nothing that sinc puts there changes it.

use crate::install::{facts, host};
use crate::support::sandbox::{Run, Sandbox};

/// Everything of a tier is there, but for its members that are not looked at here.
const WITHOUT: [&str; 5] = ["et", "ccmanager", "direnv-plugin", "agentmap", "opencodesync"];

/// A host on which all else is as it should be; `instead` are its login and its kind.
fn done(instead: &[(&str, &str)]) -> String {
    let mut text = facts("debian-12-done");
    for (line, new) in instead {
        assert!(text.contains(line), "{line}");
        text = text.replace(line, new);
    }
    text.push_str("fact tailscale 0 - apt tailscale=1.102.3\nfact tailscale 1 - service enabled active\n");
    text.push_str("fact tailscale 2 - tailnet Running vps.tail-test.ts.net\n");
    for case in ["ai-sessions-arm64", "full-as-root"] {
        let of_it = |line: &&str| line.starts_with("fact ai-sessions ") || line.starts_with("fact agent-os ");
        facts(case).lines().filter(of_it).for_each(|line| text.push_str(&format!("{line}\n")));
    }
    text
}

fn install(sandbox: &Sandbox, more: &[&str]) -> Run {
    let without = WITHOUT.iter().flat_map(|name| ["--without", name]);
    let args: Vec<&str> =
        ["install", "--tier", "standard"].into_iter().chain(without).chain(more.iter().copied()).collect();
    sandbox.sinc(&args)
}

#[test]
fn a_tier_converges_where_one_of_its_members_does_not_exist_for_the_processor() {
    let arm = [("arch x86_64", "arch aarch64"), ("login root\nrights root", "login dev\nrights sudo")];
    let (sandbox, _fakes) = host(&done(&arm), "", "");
    let without = ["--without", "agent-os"];
    let look = |more: &[&str]| install(&sandbox, &[&without[..], more].concat());
    let sentence = " ai-sessions is left out: there is none for arm64\n";
    for more in [["--check"], ["--dry-run"], ["--yes"]] {
        let run = look(&more).success();
        assert_eq!(run.stderr.matches(sentence).count(), 1, "{run}");
        assert!(run.stderr.contains("everything is as it should be"), "{run}");
    }
    let json = look(&["--check", "--json"]).success();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["data"]["notes"][0], "ai-sessions is left out: there is none for arm64");

    // What a person named is not left out without a failure.
    let named = look(&["--with", "ai-sessions", "--check"]).exits(1);
    assert!(named.stdout.contains("! cannot be done: there is none for arm64"), "{named}");
    look(&["--with", "ai-sessions", "--yes"]).exits(1);
}

#[test]
fn a_tier_converges_for_root_without_what_is_never_run_as_root() {
    let root = [("user dev", "user root"), ("home /home/dev", "home /root")];
    let (sandbox, _fakes) = host(&done(&root), "", "");
    let without = ["--without", "ai-sessions", "--as-root"];
    let look = |more: &[&str]| install(&sandbox, &[&without[..], more].concat());
    for more in [["--check"], ["--yes"]] {
        let run = look(&more).success();
        let sentence = " agent-os is left out: it is never run as root: have a user of the host's own";
        assert_eq!(run.stderr.matches(sentence).count(), 1, "{run}");
    }
    look(&["--with", "agent-os", "--check"]).exits(1);
}

#[test]
fn what_goes_around_the_firewall_or_will_end_ssh_is_told_by_the_plan_and_the_doctor() {
    let more = "key-expires 2027-05-01\ndocker-port 5432/tcp\nrecord ufw ufw-on\ntool tmux 3.3a\ntool git 2.33.0\ntool inotifywait /x\n";
    let (sandbox, _fakes) = host(&(facts("tailnet-only-done") + more), "", "");
    let docker = "Docker lets everybody in to 5432/tcp, whatever the firewall says; `-p 127.0.0.1:PORT:PORT` publishes to the host alone";
    let ends = "ssh ends on 2027-05-01: only the tailnet is let in, and the host's key there expires then; disable key expiry in";
    let check = ["install", "--tier", "custom", "--with", "tailnet-only", "--check"];
    let run = sandbox.sinc(&check).success();
    for said in [docker, ends] {
        assert_eq!(run.stderr.matches(said).count(), 1, "{run}");
    }
    let run = sandbox.sinc(&["doctor"]);
    for said in [docker, ends] {
        assert_eq!(run.stdout.matches(&format!("warning  firewall: {said}")).count(), 1, "{run}");
    }
    // A host whose ssh is open to all does not depend on that key.
    let (sandbox, _fakes) = host(&(facts("tailnet-only-expires") + more), "", "");
    let run = sandbox.sinc(&check).exits(1);
    assert!(!run.stderr.contains("ssh ends on"), "{run}");
    assert!(run.stdout.contains("admin console of Tailscale first, or ssh ends on 2027-05-01"), "{run}");
}
