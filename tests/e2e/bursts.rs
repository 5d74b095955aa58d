//! Many changes at once: a few cycles here too, and none for what is ignored. And what the link needs of this computer, and
//! says when it cannot have it.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::Path;
use std::time::{Duration, Instant};

use crate::link::{Linked, limited_inotifywait, linked, with_inotifywait};
use crate::steps;
use crate::support::e2e::left_out;
use crate::support::{PATIENCE, poll, wait_until};

fn cycles(linked: &Linked) -> u64 {
    steps::syncs(&linked.bed.sandbox)[0]["successfulCycles"].as_u64().unwrap_or(0)
}

/// Many files below a directory.
fn files(dir: &Path, number: usize, text: &str) {
    for n in 0..number {
        steps::write(&dir.join(format!("{}/{n}", n / 100)), text);
    }
}

/// One in two seconds while it lasts, and a few around it; a busy machine takes long.
#[track_caller]
fn few(linked: &Linked, took: u64, started: Instant) {
    let allowed = 10 + started.elapsed().as_secs();
    assert!(took <= allowed, "{took} cycles, {allowed} allowed\n{}", linked.log());
}

#[test]
fn what_is_ignored_costs_no_cycle() {
    let Some(linked) = linked() else { return };
    linked.edit("before");
    linked.quiet();
    let (before, started) = (cycles(&linked), Instant::now());
    for side in [&linked.here, &linked.there] {
        files(&side.join("node_modules/pkg"), 3000, "x");
        std::fs::remove_dir_all(side.join("node_modules/pkg")).unwrap();
    }
    linked.quiet();
    // Those that the link asks for by itself, every 30 s.
    let allowed = started.elapsed().as_secs() / 30 + 1;
    let took = cycles(&linked) - before;
    assert!(took <= allowed, "{took} cycles, {allowed} allowed\n{}", linked.log());
    linked.edit("after");
}

#[test]
fn a_burst_here_costs_a_few_cycles_and_nothing_of_it_is_lost() {
    let Some(linked) = linked() else { return };
    linked.edit("before");
    let (before, started) = (cycles(&linked), Instant::now());
    files(&linked.here.join("out"), 20_000, "x");
    wait_until("all has come", PATIENCE * 4, || {
        (0..200).all(|n| {
            linked.there.join(format!("out/{n}")).read_dir().is_ok_and(|entries| entries.count() == 100)
        })
    });
    few(&linked, cycles(&linked) - before, started);
    linked.wait_for("inotify");
    linked.edit("out/57/more");
    linked.edit("out/199/more");
}

#[test]
fn a_checkout_here_costs_a_few_cycles_and_arrives_whole() {
    let Some(linked) = linked() else { return };
    let git = |script: &str| {
        let words = ["-c", script, "sh", linked.here.to_str().unwrap()];
        linked.bed.sandbox.run("sh", &words).success();
    };
    let commit = "git add -A . && git -c user.name=a -c user.email=a@b -c commit.gpgsign=false commit -qm x";
    git(&format!(
        "cd \"$1\" && git init -q -b one . && printf '.sinc-session\\n' >.git/info/exclude && {commit}"
    ));
    files(&linked.here.join("tree"), 600, "one\n");
    git(&format!("cd \"$1\" && {commit} && git checkout -q -b two"));
    files(&linked.here.join("tree"), 600, "two\n");
    files(&linked.here.join("more"), 100, "two\n");
    git(&format!("cd \"$1\" && {commit}"));
    let equal = || {
        let own = |root: &Path| {
            steps::tree(root).into_iter().filter(|(path, _)| !path.starts_with(".git")).collect::<Vec<_>>()
        };
        own(&linked.here) == own(&linked.there)
    };
    wait_until("both sides are equal", PATIENCE * 4, equal);
    linked.quiet();
    for branch in ["one", "two"] {
        let (mut last, mut took, started) = (cycles(&linked), 0, Instant::now());
        git(&format!("cd \"$1\" && git checkout -q {branch}"));
        wait_until(&format!("the checkout of {branch} has come"), PATIENCE * 4, || {
            // git deletes each file before it writes it: a cycle that meets that may be stopped, which begins the count anew.
            let now = cycles(&linked);
            took += now.checked_sub(last).unwrap_or(now);
            last = now;
            let text = std::fs::read_to_string(linked.there.join("tree/5/599")).unwrap_or_default();
            text == format!("{branch}\n") && equal()
        });
        few(&linked, took, started);
        linked.quiet();
    }
}

/// Starts the link in a namespace in which this computer allows no more than this.
fn link_with(linked: &Linked, limit: &str, number: u32) -> bool {
    if !rustix::process::geteuid().is_root() {
        left_out("only as root is somebody else in a user namespace still who owns the ssh configuration");
        return false;
    }
    linked.bed.sandbox.sinc(&["link", "stop"]).success();
    let script = format!("echo {number} >/proc/sys/user/{limit} && exec \"$@\"");
    let sinc = crate::support::sandbox::Sandbox::binary();
    let words = ["-Ur", "sh", "-c", &script, "sh", sinc.to_str().unwrap(), "link", "start"];
    linked.bed.sandbox.run("unshare", &words).success();
    true
}

#[test]
fn too_few_watches_or_instances_here_are_said_with_what_helps() {
    for (limit, number, sysctl) in [
        ("max_inotify_watches", 2, "fs.inotify.max_user_watches="),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances="),
    ] {
        let Some(linked) = linked() else { return };
        if !link_with(&linked, limit, number) {
            return;
        }
        let mut said = String::new();
        let done = poll(PATIENCE, || {
            said = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success().stdout;
            said.contains("polling here") && said.contains(sysctl)
        });
        assert!(done, "{limit}: {said}\n{}", linked.log());
        linked.edit("polled here");
        std::fs::remove_file(linked.here.join("top")).unwrap();
        wait_until("the deletion has come", PATIENCE, || !linked.there.join("top").exists());
        let listed = linked.bed.sandbox.sinc(&["list"]).success();
        assert!(listed.stdout.contains(sysctl), "{listed}");
    }
}

#[test]
fn too_few_instances_on_the_host_are_said_with_what_helps() {
    let Some(script) = limited_inotifywait("max_inotify_instances", 0) else { return };
    let Some(linked) = with_inotifywait(&script) else { return };
    linked.wait_for("polling");
    let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
    assert!(status.stdout.contains("sysctl fs.inotify.max_user_instances="), "{status}");
    linked.edit("polled");
}

#[test]
fn a_link_that_cannot_run_is_named_in_the_list() {
    let Some(linked) = linked() else { return };
    let list = || linked.bed.sandbox.sinc(&["list", "--local"]).success().stdout;
    assert!(!list().contains("its link"), "{}", list());
    linked.bed.sandbox.sinc(&["link", "stop"]).success();
    let dir = linked.bed.sandbox.home().join(".local/state/sinc/link");
    let lock = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "lock"))
        .unwrap();
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    assert!(list().contains("its link does not run: see `sinc link status`"), "{}", list());
    std::fs::remove_dir(&lock).unwrap();
    let _ = list();
    linked.wait_for("inotify");
    let said = Duration::from_secs(5);
    wait_until("it is not said any more", said, || !list().contains("its link"));
}
