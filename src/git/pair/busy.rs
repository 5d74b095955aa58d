//! While git is in the middle of something on a side, nothing moves on either.

use super::super::cycle::Outcome;
use super::{Pair, git, person};
use crate::process::Runner;

/// A history in which a merge, a cherry-pick, a revert and a rebase stop in the middle, on both sides.
fn at_odds() -> Pair {
    let pair = Pair::new();
    git(&pair.here, &["checkout", "-q", "-b", "side"]);
    Pair::commit(&pair.here, "a", "side\n");
    git(&pair.here, &["checkout", "-q", "main"]);
    Pair::commit(&pair.here, "a", "2\n");
    Pair::commit(&pair.here, "a", "3\n");
    pair.settle();
    pair
}

/// What each side has, and the word that a cycle is held with.
#[track_caller]
fn held(pair: &Pair) -> String {
    let all = || {
        [&pair.here, &pair.there]
            .map(|side| git(side, &["for-each-ref"]) + &git(side, &["rev-parse", "HEAD"]))
    };
    let before = all();
    let why = match pair.cycle() {
        Ok(Outcome::Held(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(all(), before);
    why
}

#[test]
fn nothing_moves_while_an_operation_is_in_progress_on_a_side() {
    let operations: [(&str, &str, &[&str], &str); 5] = [
        ("MERGE_HEAD", "a merge", &["merge", "-q", "side"], "merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick", &["cherry-pick", "side"], "cherry-pick"),
        ("REVERT_HEAD", "a revert", &["revert", "--no-edit", "HEAD~1"], "revert"),
        ("rebase-merge", "a rebase", &["rebase", "-q", "side"], "rebase"),
        ("rebase-apply", "a rebase", &["rebase", "-q", "--apply", "side"], "rebase"),
    ];
    let pair = at_odds();
    for (marker, what, begin, command) in operations {
        for (side, other, place) in
            [(&pair.here, &pair.there, "here"), (&pair.there, &pair.here, "on the host")]
        {
            let stopped = Runner::default().read(&person(side, begin));
            assert!(stopped.is_err() && side.join(".git").join(marker).exists(), "{begin:?}");
            git(side, &["tag", "of-the-side"]);
            git(other, &["branch", "of-the-other", "HEAD~1"]);
            assert_eq!(held(&pair), format!("{what} is in progress {place}"), "{begin:?}");
            git(side, &[command, "--abort"]);
            pair.settle();
            for side in [&pair.here, &pair.there] {
                git(side, &["rev-parse", "refs/tags/of-the-side", "refs/heads/of-the-other"]);
            }
            git(side, &["tag", "-d", "of-the-side"]);
            git(side, &["branch", "-q", "-D", "of-the-other"]);
            pair.settle();
            pair.alike();
        }
    }
}

#[test]
fn nothing_moves_while_a_lock_of_gits_is_there() {
    let pair = at_odds();
    for lock in ["index.lock", "HEAD.lock"] {
        for (side, other, place) in
            [(&pair.here, &pair.there, "here"), (&pair.there, &pair.here, "on the host")]
        {
            let lock = side.join(".git").join(lock);
            std::fs::write(&lock, "").unwrap();
            git(other, &["tag", "waits"]);
            assert_eq!(held(&pair), format!("git is at work {place}"));
            std::fs::remove_file(&lock).unwrap();
            pair.settle();
            assert_eq!(git(side, &["tag", "-l", "waits"]), "waits");
            git(other, &["tag", "-d", "waits"]);
            pair.settle();
        }
    }
}
