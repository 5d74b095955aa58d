//! The host restarts, loses power, or comes back with an empty disk.

use super::lab::Lab;
use super::support::PATIENCE;
use super::support::terminal::Terminal;

#[test]
fn after_a_reboot_the_next_connect_makes_the_terminal_again_and_syncs() {
    let lab = Lab::new();
    let root = lab.project("app", 20);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    assert!(lab.on_host("tmux ls").contains("sinc-app-"));
    lab.bed(&["reboot"]);
    std::fs::write(root.join("meanwhile"), "changed").unwrap();
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("agent ready", PATIENCE);
    lab.wait_for_remote("~/workspace/app/meanwhile", "changed");
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
}

#[test]
fn power_lost_in_the_middle_of_the_first_sync_is_mended_by_the_next_connect() {
    let lab = Lab::new();
    lab.bed(&["latency", "100", "0", "0", "4000"]);
    let root = lab.project("big", 3000);
    let terminal = Terminal::sinc(&lab.sandbox, &root, &[]);
    terminal.wait_for("Syncing", PATIENCE);
    lab.bed(&["crash"]);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    lab.bed(&["latency", "0"]);
    lab.bed(&["boot"]);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    assert_eq!(lab.on_host("find ~/workspace/big/src -type f -size +0 | wc -l").trim(), "3000");
    assert_eq!(std::fs::read_dir(root.join("src")).unwrap().count(), 30, "nothing was lost here");
}

#[test]
fn a_disk_that_was_lost_deletes_nothing_here() {
    let lab = Lab::new();
    // One top-level entry: Mutagen itself would not stop (facts of 0.18.1: it needs two).
    let root = lab.project("app", 30);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    lab.bed(&["cut"]);
    lab.bed(&["restore"]);
    lab.on_host("tmux kill-server; pkill mutagen-agent; rm -rf ~/workspace ~/.local ~/.mutagen; true");
    let run = lab.sandbox.sinc_in(&root, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("no trace of"), "{}", run.stderr);
    assert!(run.stderr.contains("the sync is paused"), "{}", run.stderr);
    // Somebody makes the directory again: the paused sync does not take it for the old one.
    lab.on_host("mkdir -p ~/workspace/app");
    let _ = lab.sandbox.sinc_in(&root, &["--no-attach"]).exits(1);
    assert_eq!(std::fs::read_dir(root.join("src/d0")).unwrap().count(), 30);
    // The way out that was named.
    let id = lab.sandbox.sinc_in(&root, &["list", "--local", "--json"]).success().stdout;
    let id = id.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    lab.sandbox.sinc_in(&root, &["kill", &id, "--yes"]).success();
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    assert_eq!(lab.on_host("ls ~/workspace/app/src/d0 | wc -l").trim(), "30");
    assert_eq!(std::fs::read_dir(root.join("src/d0")).unwrap().count(), 30);
}
