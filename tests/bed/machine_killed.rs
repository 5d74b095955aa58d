//! The host's machine is killed in the middle of the work, or right after sinc has said that something is done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::lab::Lab;
use super::support::{variable, wait_until};

/// How often the machine is killed.
const ROUNDS: u64 = 4;

/// Somebody on the host who makes files, changes one again and again, and deletes every third, until the machine dies.
const WRITER: &str = "cd ~/workspace/app && mkdir -p there && n=0; while :; do n=$((n+1)); \
    echo there-ROUND-$n >.t && mv .t there/ROUND-$n; echo there-ROUND-$n >.t && mv .t there/log; \
    [ $((n % 3)) != 0 ] || rm there/ROUND-$n; sleep 0.0$((n % 4)); done";

/// The lines of all files below a directory here.
fn held_here(dir: &Path) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            held.extend(held_here(&entry.path()));
        } else if entry.file_name() != ".sinc-session" {
            held.extend(std::fs::read_to_string(entry.path()).unwrap().lines().map(str::to_owned));
        }
    }
    held
}

fn held_there(lab: &Lab, dir: &str) -> BTreeSet<String> {
    let find = format!("find {dir} -type f ! -name .sinc-session ! -name index -exec cat {{}} + 2>/dev/null");
    lab.on_host(&format!("{find}; true")).lines().map(str::to_owned).collect()
}

/// Marker and claim say what they should.
#[track_caller]
fn assert_known(lab: &Lab) {
    let marker = lab.on_host("head -n 1 ~/workspace/app/.sinc-session");
    let id = marker.trim().strip_prefix("id ").unwrap();
    let claim = lab.on_host(&format!("cat ~/.local/state/sinc/sessions/{id}"));
    assert!(claim.starts_with(&format!("id {id}\ndir /home/dev/workspace/app\nmachine ")), "{claim}");
    assert!(claim.lines().last().unwrap().starts_with("written "), "{claim}");
    assert_eq!(lab.on_host("ls -A ~/.local/state/sinc/sessions").trim(), id, "nothing half-written is left");
}

#[test]
fn killed_at_any_moment_of_the_work_nothing_is_lost() {
    let lab = Lab::new();
    let root = lab.project("app", 30);
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    let seed = variable("SINC_FAULTS_SEED").map_or(fastrand::u64(..), |seed| seed.parse().unwrap());
    let mut moments = fastrand::Rng::with_seed(seed);
    for round in 0..ROUNDS {
        let work = format!("round {round}, to repeat: SINC_FAULTS_SEED={seed}");
        let line = WRITER.replace("ROUND", &round.to_string());
        lab.on_host(&format!("setsid nohup bash -c '{line}' >/dev/null 2>&1 & true"));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| work_here(&root.join("here"), round, &stop));
            lab.wait_for_remote("~/workspace/app/there/log", &format!("there-{round}-"));
            std::thread::sleep(Duration::from_millis(moments.u64(..4000)));
            lab.bed(&["crash"]);
            std::thread::sleep(Duration::from_millis(moments.u64(..1000)));
            stop.store(true, Ordering::SeqCst);
        });
        lab.bed(&["boot"]);
        let (here, there) = (held_here(&root), held_there(&lab, "~/workspace/app"));
        let again = lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
        let flush = lab.sandbox.sinc_in(&root, &["flush"]);
        if flush.code != 0 {
            // What neither side can be sure of is a conflict, with both versions there.
            let resolve = lab.sandbox.sinc_in(&root, &["resolve", "--all", "--both"]);
            assert_eq!(resolve.code, 0, "{work}: {again}\n{flush}\n{resolve}");
            lab.sandbox.sinc_in(&root, &["flush"]).success();
        }
        let (here_now, there_now) = (held_here(&root), held_there(&lab, "~/workspace/app"));
        let differ: Vec<_> = here_now.symmetric_difference(&there_now).collect();
        assert!(differ.is_empty(), "{work}: not on both sides: {differ:?}");
        // Each side's last word; what it had of the other side's may have been older.
        let last = |held: &BTreeSet<String>, side: &str| -> BTreeSet<String> {
            held.iter().filter(|text| text.starts_with(side)).cloned().collect()
        };
        let own: BTreeSet<String> = last(&here, "here").union(&last(&there, "there")).cloned().collect();
        let lost: Vec<_> = own.difference(&here_now).collect();
        assert!(lost.is_empty(), "{work}: {lost:?}");
        assert_known(&lab);
    }
}

/// The same work here.
fn work_here(dir: &Path, round: u64, stop: &AtomicBool) {
    std::fs::create_dir_all(dir).unwrap();
    for number in 1_u64.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let text = format!("here-{round}-{number}\n");
        for name in [format!("{round}-{number}"), "log".to_owned()] {
            std::fs::write(dir.join(".h"), &text).unwrap();
            std::fs::rename(dir.join(".h"), dir.join(name)).unwrap();
        }
        if number % 3 == 0 {
            std::fs::remove_file(dir.join(format!("{round}-{number}"))).unwrap();
        }
        std::thread::sleep(Duration::from_millis(10 * (number % 4)));
    }
}

/// A session in which both sides have changed a file apart, and its sync is paused.
fn apart() -> (Lab, PathBuf) {
    let lab = Lab::new();
    let root = lab.project("app", 5);
    std::fs::write(root.join("both"), "old\n").unwrap();
    lab.sandbox.sinc_in(&root, &["--no-attach"]).success();
    lab.sandbox.sinc_in(&root, &["pause"]).success();
    std::fs::write(root.join("both"), "here\n").unwrap();
    lab.on_host("echo there >~/workspace/app/both");
    (lab, root)
}

/// After the crash: the host's version is in its backup, both sides have the one here, and the sync goes on both ways.
#[track_caller]
fn assert_kept(lab: &Lab, root: &Path) {
    lab.bed(&["crash"]);
    lab.bed(&["boot"]);
    assert_eq!(lab.on_host("cat ~/.local/state/sinc/backups/*/*/files/both"), "there\n");
    let connected = lab.sandbox.sinc_in(root, &["--no-attach"]).success();
    let flushed = lab.sandbox.sinc_in(root, &["flush"]);
    // It was paused once, and nobody knows by whom.
    assert_eq!(flushed.code, 0, "{connected}\n{flushed}\n{}", lab.sandbox.link_log());
    assert_eq!(std::fs::read_to_string(root.join("both")).unwrap(), "here\n");
    assert_eq!(lab.on_host("cat ~/workspace/app/both"), "here\n");
    lab.on_host("echo later >~/workspace/app/later");
    wait_until("a change on the host is here", Duration::from_secs(30), || root.join("later").exists());
    assert_known(lab);
}

#[test]
fn killed_right_after_resolve_said_that_it_is_settled() {
    let (lab, root) = apart();
    let resumed = lab.sandbox.sinc_in(&root, &["resume"]);
    assert!(resumed.stderr.contains("conflict"), "{resumed}");
    lab.sandbox.sinc_in(&root, &["resolve", "--all", "--local"]).success();
    assert_kept(&lab, &root);
}

#[test]
fn killed_right_after_push_said_that_it_is_done() {
    let (lab, root) = apart();
    lab.sandbox.sinc_in(&root, &["push", "--yes"]).success();
    assert_kept(&lab, &root);
}
