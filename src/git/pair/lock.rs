//! Nobody is kept out of a repository: a `git add` that finds the lock held fails, and so does `rm -rf .git` where somebody writes.

use super::super::cycle::Outcome;
use super::{Pair, git, script, with_line};
use crate::git::SNAPSHOT;
use crate::remote::Script;

/// `apply.sh` with a line before the one that moves the names.
fn before_names(line: &'static str) -> &'static Script {
    next_to_names(line, 0)
}

/// The same, after it.
fn after_names(line: &'static str) -> &'static Script {
    next_to_names(line, 1)
}

fn next_to_names(line: &'static str, after: usize) -> &'static Script {
    let text = concat!(include_str!("../env.sh"), include_str!("../pack.sh"), include_str!("../apply.sh"));
    let at = text.lines().position(|line| line.starts_with("if [ -n \"$refs\" ]")).unwrap();
    with_line(at + after, line).unwrap()
}

#[test]
fn git_add_is_only_kept_out_while_head_or_what_is_staged_moves() {
    let pair = Pair::new();
    pair.settle();
    let marked = pair.there.join(".git/marked");
    for (own, words) in [
        (false, &["branch", "other"][..]),
        (false, &["tag", "v1"]),
        (false, &["branch", "-f", "other", "HEAD~1"]),
        (false, &["branch", "-D", "other"]),
        (true, &["reset", "-q", "--soft", "HEAD~1"]),
        (true, &["checkout", "-q", "--detach"]),
        (true, &["commit", "-q", "--allow-empty", "-m", "the same files"]),
    ] {
        if words[0] == "tag" {
            Pair::commit(&pair.here, "a", "2\n");
            Pair::commit(&pair.here, "a", "3\n");
            pair.settle();
        }
        git(&pair.here, words);
        *pair.instead.lock().unwrap() =
            Some(before_names("if [ -e .git/index.lock ]; then echo yes; else echo no; fi >.git/marked;"));
        pair.settle();
        assert_eq!(
            std::fs::read_to_string(&marked).unwrap(),
            if own { "yes\n" } else { "no\n" },
            "{words:?}"
        );
        std::fs::remove_file(&marked).unwrap();
        pair.alike();
    }
}

#[test]
fn what_moves_while_git_goes_to_a_branch_is_taken_back() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "other"]);
    git(&pair.here, &["branch", "gone"]);
    pair.settle();
    let names = || git(&pair.there, &["for-each-ref", "refs/heads"]);
    let before = names();
    let tree = git(&pair.here, &["rev-parse", "main^{tree}"]);
    let next = git(&pair.here, &["commit-tree", &tree, "-p", "main", "-m", "next"]);
    git(&pair.here, &["branch", "-f", "other", &next]);
    git(&pair.here, &["branch", "-D", "gone"]);
    git(&pair.here, &["branch", "gone/away"]);
    git(&pair.here, &["branch", "new"]);
    // Git there has begun, or has come to where it went.
    for line in [": >.git/index.lock;", "git symbolic-ref HEAD refs/heads/other;"] {
        *pair.instead.lock().unwrap() = Some(after_names(line));
        assert!(matches!(pair.cycle().unwrap(), Outcome::Again(_)), "{line}");
        assert_eq!(names(), before, "{line}");
        git(&pair.there, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        let _ = std::fs::remove_file(pair.there.join(".git/index.lock"));
    }
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.there, &["rev-parse", "other"]), next);
}

#[test]
fn what_is_staged_at_the_last_moment_is_not_overwritten() {
    let pair = Pair::new();
    pair.settle();
    let id = Pair::commit(&pair.here, "a", "2\n");
    std::fs::write(pair.there.join("c"), "new\n").unwrap();
    super::sync(&pair.here, &pair.there);
    // After the move has looked, before it has the lock.
    let text = concat!(include_str!("../env.sh"), include_str!("../pack.sh"), include_str!("../apply.sh"));
    let at = text.lines().position(|line| line.starts_with("if [ -n \"$stands\" ]")).unwrap();
    *pair.instead.lock().unwrap() = with_line(at, "git add c;");
    assert!(matches!(pair.cycle().unwrap(), Outcome::Again(_)));
    assert_eq!(git(&pair.there, &["diff", "--cached", "--name-only"]), "c");
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.here, &["rev-parse", "HEAD"]), id);
    assert_eq!(git(&pair.here, &["diff", "--cached", "--name-only"]), "c");
}

#[test]
fn what_is_just_being_taken_away_is_not_written_into() {
    let pair = Pair::new();
    pair.settle();
    for (gone, written) in [("index", true), ("refs", false), ("HEAD", false), ("objects", false)] {
        let git = pair.there.join(".git");
        let _ = std::fs::remove_dir_all(git.join("sinc"));
        let aside = pair.there.join("aside");
        std::fs::rename(git.join(gone), &aside).unwrap();
        let said = String::from_utf8(script(&pair.there, &SNAPSHOT, &[])).unwrap();
        assert_eq!(
            (said.contains("repo here"), git.join("sinc").exists()),
            (written, written),
            "{gone}: {said}"
        );
        std::fs::rename(&aside, git.join(gone)).unwrap();
    }
}
