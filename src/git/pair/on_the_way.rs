//! What costs a way there and back, and what does not: little history goes with what is asked anyway, and files that are there
//! already are not waited for.

use std::sync::atomic::Ordering;

use super::super::cycle::Outcome;
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

/// A cycle has ended, and a directory that is not the person's has kept it from writing a file: the other side's commit is not to be
/// taken back by whoever commits there next.
#[test]
fn what_a_cycle_could_not_write_holds_the_commit_that_it_belongs_to_and_nothing_else() {
    let mut pair = Pair::new();
    pair.settle();
    pair.unwritten = Some("a could not be written".to_owned());
    for (side, other) in [(pair.there.clone(), pair.here.clone()), (pair.here.clone(), pair.there.clone())] {
        let before = git(&other, &["rev-parse", "HEAD"]);
        let id = Pair::commit(&side, "a", &format!("2 {}\n", side.display()));
        match pair.cycle() {
            Ok(Outcome::Held(why)) => assert!(why.contains("a could not be written"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(git(&other, &["rev-parse", "HEAD"]), before);
        // It is there after all, and something else is not.
        std::fs::copy(side.join("a"), other.join("a")).unwrap();
        pair.settle();
        assert_eq!(git(&other, &["rev-parse", "HEAD"]), id);
    }
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
