//! What costs a way there and back, and what does not: little history goes with what is asked anyway, and files that are there
//! already are not waited for.

use std::sync::atomic::Ordering;

use super::super::cycle::{Outcome, Unwritten};
use super::super::state::Which;
use crate::remote::Script;

use super::{LINE, Pair, git, sync};

/// As git's own transport does on a host that is not reached.
const CUT: &str = "exit 255";

#[test]
fn a_commit_of_usual_size_needs_no_fetch_and_no_push() {
    let pair = Pair::new();
    pair.settle();
    pair.line.set(CUT);
    for (side, other) in [(&pair.there, &pair.here), (&pair.here, &pair.there)] {
        let id = Pair::commit(side, "a", &format!("2 {}\n", side.display()));
        git(side, &["tag", "-a", "-m", "one", &format!("v-{}", &id[..7])]);
        git(side, &["checkout", "-q", "--detach"]);
        pair.settle();
        pair.alike();
        assert_eq!(git(other, &["rev-parse", "HEAD"]), id);
        git(side, &["checkout", "-q", "main"]);
        std::fs::write(side.join("b"), format!("staged {}\n", side.display())).unwrap();
        git(side, &["add", "b"]);
        pair.settle();
        pair.alike();
        git(side, &["stash", "-q"]);
        pair.settle();
        sync(&pair.here, &pair.there);
        pair.alike();
        assert_eq!(git(other, &["stash", "show", "--name-only"]), "b");
        git(side, &["stash", "drop", "-q"]);
        pair.settle();
    }
}

#[test]
fn what_is_large_goes_by_fetch_and_push() {
    let pair = Pair::new();
    pair.settle();
    // No pattern in it that git could make small.
    let mut rng = fastrand::Rng::with_seed(1);
    let noise: String = std::iter::repeat_with(|| rng.alphanumeric()).take(90_000).collect();
    for (side, other) in [(&pair.there, &pair.here), (&pair.here, &pair.there)] {
        let id = Pair::commit(side, "large", &format!("{noise}{}", side.display()));
        pair.line.set(CUT);
        assert!(pair.cycle().is_err(), "it came by itself");
        pair.line.set(LINE);
        pair.settle();
        pair.alike();
        assert_eq!(git(other, &["rev-parse", "HEAD"]), id);
    }
}

#[test]
fn what_the_host_cannot_take_in_is_pushed() {
    static REFUSES: Script = Script::new("echo \"sinc-begin 1\"; echo \"refused pack\";");
    let pair = Pair::new();
    pair.settle();
    let id = Pair::commit(&pair.here, "a", "2\n");
    *pair.instead.lock().unwrap() = Some(&REFUSES);
    pair.line.set(CUT);
    assert!(pair.cycle().is_err(), "nothing was pushed");
    *pair.instead.lock().unwrap() = Some(&REFUSES);
    pair.line.set(LINE);
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.there, &["rev-parse", "HEAD"]), id);
}

/// What a cycle could not write, on both sides.
fn unwritten(paths: &[&str]) -> Vec<Unwritten> {
    let on = |side: Which, path: &str| {
        let why = format!("{path} could not be written {}", side.at());
        Unwritten { side, path: path.to_owned(), why }
    };
    [Which::Here, Which::There]
        .into_iter()
        .flat_map(|side| paths.iter().map(move |path| on(side, path)))
        .collect()
}

/// A cycle has ended, and a directory that is not the person's has kept it from writing a file: the other side's commit is not to be
/// taken back by whoever commits there next.
#[test]
fn what_a_cycle_could_not_write_holds_the_commit_that_it_belongs_to_and_nothing_else() {
    let mut pair = Pair::new();
    pair.settle();
    pair.unwritten = unwritten(&["data/x", "a"]);
    for (side, other, at) in [
        (pair.there.clone(), pair.here.clone(), "here"),
        (pair.here.clone(), pair.there.clone(), "on the host"),
    ] {
        let before = git(&other, &["rev-parse", "HEAD"]);
        let id = Pair::commit(&side, "a", &format!("2 {}\n", side.display()));
        match pair.cycle() {
            Ok(Outcome::Held(why)) => {
                assert!(why.ends_with(&format!(": a could not be written {at}")), "{why}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(git(&other, &["rev-parse", "HEAD"]), before);
        // It is there after all, and something else is not.
        std::fs::copy(side.join("a"), other.join("a")).unwrap();
        pair.settle();
        assert_eq!(git(&other, &["rev-parse", "HEAD"]), id);
    }
}

/// What was committed is edited on and newer on the other side, and the sync never writes something else.
#[test]
fn what_has_nothing_to_do_with_a_commit_and_cannot_be_written_does_not_hold_it() {
    let mut pair = Pair::new();
    for (path, text) in [("sub/one", "1\n"), ("q \"1\"", "1\n")] {
        std::fs::create_dir_all(pair.here.join("sub")).unwrap();
        std::fs::write(pair.here.join(path), text).unwrap();
    }
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "more"]);
    pair.settle();
    std::fs::create_dir_all(pair.there.join("sub")).unwrap();
    for path in ["sub/one", "q \"1\""] {
        std::fs::copy(pair.here.join(path), pair.there.join(path)).unwrap();
    }
    // What is committed, what cannot be written, and whether it is held for that.
    for (path, cannot, held) in [
        ("a", "data", false),
        ("a", "a.rs", false),
        ("a", "sub", false),
        ("sub/one", "sub/o", false),
        ("sub/one", "sub/one", true),
        ("sub/one", "sub", true),
        ("a", "a/x", true),
        ("a", "", true),
        // Git says such a name otherwise than the sync.
        ("q \"1\"", "data", true),
    ] {
        // Also where git cannot look at the files because a filter would be run.
        for filter in [&["config", "filter.f.clean", "cat"][..], &["config", "--unset", "filter.f.clean"]] {
            for side in [&pair.there, &pair.here] {
                git(side, filter);
            }
            for (side, other) in
                [(pair.there.clone(), pair.here.clone()), (pair.here.clone(), pair.there.clone())]
            {
                let text = |what: &str| format!("{what} {cannot} {} {filter:?}\n", side.display());
                pair.unwritten = unwritten(&[cannot]);
                std::fs::write(side.join(path), text("committed")).unwrap();
                git(&side, &["commit", "-qam", "one"]);
                let id = git(&side, &["rev-parse", "HEAD"]);
                std::fs::write(other.join(path), text("edited on")).unwrap();
                match pair.cycle().unwrap() {
                    Outcome::Held(why) => {
                        assert!(held && why.contains("could not be written"), "{path} {cannot}: {why}");
                    }
                    Outcome::Done(_) => {
                        assert!(!held, "{path} {cannot}");
                        assert_eq!(git(&other, &["rev-parse", "HEAD"]), id);
                    }
                    came => panic!("{path} {cannot}: {came:?}"),
                }
                // On the other side it does not count.
                let there = if side == pair.there { Which::There } else { Which::Here };
                pair.unwritten.retain(|one| one.side == there);
                pair.settle();
                assert_eq!(git(&other, &["rev-parse", "HEAD"]), id);
                assert_eq!(std::fs::read_to_string(other.join(path)).unwrap(), text("edited on"));
                std::fs::copy(other.join(path), side.join(path)).unwrap();
                git(&side, &["commit", "-qam", "two"]);
                pair.settle();
            }
        }
    }
    pair.alike();
}

#[test]
fn files_that_are_there_are_not_waited_for_and_others_are() {
    let pair = Pair::new();
    std::fs::write(pair.here.join("gone"), "1\n").unwrap();
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "one more"]);
    pair.settle();
    let cycle = || {
        let before = pair.whole.load(Ordering::SeqCst);
        assert!(matches!(pair.cycle(), Ok(Outcome::Done(_))));
        pair.whole.load(Ordering::SeqCst) - before
    };
    assert_eq!(cycle(), 0, "nothing moves");
    for (side, other) in [(&pair.there, &pair.here), (&pair.here, &pair.there)] {
        let text = |what: &str| format!("{what} {}\n", side.display());
        // Another file that is not in step is nothing to it.
        std::fs::write(other.join("b"), text("edited there")).unwrap();
        std::fs::write(side.join("a"), text("brought over before")).unwrap();
        std::fs::copy(side.join("a"), other.join("a")).unwrap();
        git(side, &["commit", "-qam", "a"]);
        assert_eq!(cycle(), 0);
        assert_eq!(git(side, &["rev-parse", "HEAD"]), git(other, &["rev-parse", "HEAD"]));
        assert_eq!(git(other, &["status", "--porcelain"]), " M b");
        git(other, &["checkout", "-q", "b"]);
        // Not there yet.
        std::fs::write(side.join("a"), text("on its way")).unwrap();
        git(side, &["commit", "-qam", "a"]);
        assert_eq!(cycle(), 1);
        assert_eq!(git(other, &["status", "--porcelain"]), "");
        // New, and there; new, and not there.
        for (name, there, waits) in [("new", true, 0), ("newer", false, 1)] {
            std::fs::write(side.join(name), text(name)).unwrap();
            if there {
                std::fs::copy(side.join(name), other.join(name)).unwrap();
            }
            git(side, &["add", "-A"]);
            git(side, &["commit", "-qm", name]);
            assert_eq!(cycle(), waits, "{name}");
            assert_eq!(git(other, &["status", "--porcelain"]), "");
        }
        // Deleted, and still there; one with a name that git quotes.
        for (name, there, waits) in [("new", true, 0), ("newer", false, 1), ("gone", false, 1)] {
            git(side, &["rm", "-q", name]);
            if there {
                std::fs::remove_file(other.join(name)).unwrap();
            }
            git(side, &["commit", "-qm", "less"]);
            assert_eq!(cycle(), waits, "{name}");
            sync(&pair.here, &pair.there);
            assert!(!other.join(name).exists());
            assert_eq!(git(other, &["status", "--porcelain"]), "", "{name}");
        }
        std::fs::write(side.join("gone"), "again\n").unwrap();
        git(side, &["add", "-A"]);
        git(side, &["commit", "-qm", "again"]);
        pair.settle();
        pair.alike();
    }
}
