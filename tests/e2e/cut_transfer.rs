//! A push that is interrupted, or whose line is cut, at the very moment when it moves things into the backup.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::conflicts::connected;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::transfer::{HARD, OLD, drift, goes_both_ways, is_at};

/// The first call that moves things into a backup on the host stands still: before it, or after it has done its work, whose
/// answer is then lost.
struct AtTheMove {
    dir: PathBuf,
}

impl AtTheMove {
    #[track_caller]
    fn wait_there(bed: &Bed, when: &str) -> Self {
        let dir = bed.host.dir().join("at-the-move");
        std::fs::create_dir(&dir).unwrap();
        let work = if when == "after" { "\"$0\" \"$@\" >/dev/null 2>&1; lost=yes;" } else { "lost=;" };
        let line = format!(
            "case \"$*\" in *\"sinc 'keep' \"*) if mkdir {0}/once 2>/dev/null; then {work} touch {0}/reached; \
             n=0; until [ -e {0}/go ] || [ $n -gt 1200 ]; do n=$((n + 1)); sleep 0.05; done; \
             if [ -n \"$lost\" ]; then echo \"Connection closed by remote host\" >&2; exit 255; fi; fi;; esac",
            dir.display()
        );
        steps::before_each(bed, "ssh", &line);
        Self { dir }
    }

    #[track_caller]
    fn wait(&self) {
        wait_until("it moves things into the backup", PATIENCE, || self.dir.join("reached").exists());
    }

    fn go(&self) {
        std::fs::write(self.dir.join("go"), "").unwrap();
    }
}

/// Every version that either side had is on a side or in a backup.
#[track_caller]
fn nothing_lost(bed: &Bed, project: &Path, there: &Path) {
    let kept = bed.host.remote_home().join(".local/state/sinc/backups");
    for (path, text) in [
        ("both", "here"),
        ("both", "there"),
        (HARD, "here"),
        (HARD, "there"),
        ("only-here/x", "here"),
        ("only-there/x", "there"),
        ("kind/below", "a directory"),
        ("same", "s"),
    ] {
        let found = [project, there, &kept].iter().any(|dir| is_at(dir, path, text));
        assert!(found, "{path:?} with {text:?} is lost");
    }
}

/// One sync that runs, which brings over what is changed on either side.
#[track_caller]
fn is_two_way(bed: &Bed, project: &Path, there: &Path) {
    let syncs = steps::syncs(&bed.sandbox);
    assert!(syncs.len() == 1 && syncs[0]["paused"] == false, "{syncs:#?}");
    for (from, to, name) in [(project, there, "from-here"), (there, project, "from-there")] {
        steps::write(&from.join(name), "1");
        steps::wait_text(&to.join(name), "1");
        std::fs::remove_file(from.join(name)).unwrap();
        wait_until("the deletion has come too", PATIENCE, || !to.join(name).exists());
    }
}

#[test]
fn ctrl_c_at_the_move_leaves_it_two_way_and_says_so() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    let stop = AtTheMove::wait_there(&bed, "before");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["push", "--yes"]);
    stop.wait();
    terminal.type_keys(&["C-c"]);
    stop.go();
    assert_eq!(terminal.wait_exit(PATIENCE), 130, "{}", terminal.history());
    let said = terminal.history();
    assert!(said.contains("interrupted: the sync goes on both ways, with what was done by then"), "{said}");
    nothing_lost(&bed, &project, &there);
    is_two_way(&bed, &project, &there);
    bed.sandbox.sinc_in(&project, &["push", "--yes"]).success();
    nothing_lost(&bed, &project, &there);
    goes_both_ways(&bed, &project, &there);
}

#[test]
fn what_was_moved_is_beside_the_error_of_a_push_that_fails_after_that() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    let mutagen = bed.host.bin().join("mutagen");
    steps::write(&mutagen, &format!("#!/bin/sh\nexec {} \"$@\"\n", steps::real_mutagen()));
    steps::set_mode(&mutagen, 0o755);
    let full = "[ -e \"$HOME/up\" ] || case $* in *'sync create'*) echo 'Error: the disk is full' >&2; exit 1;; esac";
    steps::before_each(&bed, "mutagen", full);
    let run = bed.sandbox.sinc_in(&project, &["push", "--yes", "--json"]).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let error = &answer["error"];
    assert!(error["message"].as_str().unwrap().contains("could not be made again; `sinc` makes it"), "{run}");
    assert!(error["causes"].to_string().contains("the disk is full"), "{run}");
    let data = &answer["data"];
    assert_eq!(data["id"], steps::session_id(&bed.sandbox), "{run}");
    assert_eq!((&data["host"], &data["changed"]), (&"box".into(), &"remote".into()), "{run}");
    let kept: Vec<_> = data["kept"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
    assert_eq!(kept, ["both", HARD, "gone", "kind", "only-there"], "{run}");
    let backup = Path::new(data["backup"].as_str().unwrap());
    assert_eq!(steps::read(&backup.join("both")), "there");
    nothing_lost(&bed, &project, &there);
    bed.sandbox.write("up", "");
    steps::connect(&bed.sandbox, &project);
    is_two_way(&bed, &project, &there);
}

/// The line is cut at the move, for as long as the push tries.
fn cut(when: &str) {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    let stop = AtTheMove::wait_there(&bed, when);
    let push = bed.sandbox.program(Sandbox::binary(), &project).args(["push", "--yes"]);
    let run = std::thread::scope(|scope| {
        let push = scope.spawn(|| bed.sandbox.finish(&push));
        stop.wait();
        bed.host.stop_sshd().unwrap();
        bed.host.break_connections().unwrap();
        stop.go();
        push.join().unwrap()
    });
    assert_ne!(run.code, 0, "{run}");
    assert!(run.stderr.contains("is ended, and could not be made again; `sinc` makes it"), "{run}");
    nothing_lost(&bed, &project, &there);
    bed.host.start_sshd().unwrap();
    let run = steps::connect(&bed.sandbox, &project);
    nothing_lost(&bed, &project, &there);
    if when == "after" {
        let said = "`push` of ";
        assert!(run.stderr.contains(said) && run.stderr.contains("was not finished: "), "{run}");
        assert!(run.stderr.contains("/.local/state/sinc/backups/"), "{run}");
    }
    is_two_way(&bed, &project, &there);
    bed.sandbox.sinc_in(&project, &["push", "--yes"]).success();
    nothing_lost(&bed, &project, &there);
    goes_both_ways(&bed, &project, &there);
}

#[test]
fn a_line_that_is_cut_before_the_move() {
    cut("before");
}

#[test]
fn a_line_that_is_cut_after_the_move() {
    cut("after");
}
