//! What is staged, and stashed, where something is in the way of telling it or of moving it.

use std::path::Path;

use super::super::cycle::Outcome;
use super::super::join::{How, Joined, join};
use super::super::state::Name;
use super::{Pair, git, script, sync, with_line};

fn stashes(dir: &Path) -> String {
    git(dir, &["stash", "list", "--format=%H"])
}

#[test]
fn a_side_without_room_to_write_does_not_look_as_if_nothing_was_staged() {
    let pair = Pair::new();
    pair.settle();
    std::fs::write(pair.here.join("a"), "staged\n").unwrap();
    git(&pair.here, &["add", "a"]);
    pair.settle();
    for (side, at) in [(&pair.there, "on the host"), (&pair.here, "here")] {
        let (place, aside) = (side.join(".git/sinc"), side.join(".git/aside"));
        std::fs::rename(&place, &aside).unwrap();
        std::fs::write(&place, "").unwrap();
        let said = pair.cycle().unwrap_err().to_string();
        assert!(said.contains(&format!("`.git/sinc` {at}: is its disk full?")), "{said}");
        std::fs::remove_file(&place).unwrap();
        std::fs::rename(&aside, &place).unwrap();
        pair.settle();
        pair.alike();
        assert_eq!(git(side, &["diff", "--cached", "--name-only"]), "a");
    }
}

#[test]
fn a_file_that_was_only_announced_does_not_keep_the_commit_with_it_away() {
    let pair = Pair::new();
    pair.settle();
    for (side, other, file) in [(&pair.there, &pair.here, "f"), (&pair.here, &pair.there, "g")] {
        std::fs::write(side.join(file), "1\n").unwrap();
        std::fs::write(side.join("later"), "1\n").unwrap();
        git(side, &["add", "-N", file]);
        sync(&pair.here, &pair.there);
        git(other, &["add", file]);
        git(other, &["commit", "-qm", file]);
        pair.settle();
        pair.alike();
        assert_eq!(git(side, &["status", "--porcelain", file]), "");
    }
}

#[test]
fn what_was_staged_before_does_not_take_back_what_the_other_side_has_committed() {
    for staged_here in [false, true] {
        let pair = Pair::new();
        pair.settle();
        let (stages, commits) =
            if staged_here { (&pair.here, &pair.there) } else { (&pair.there, &pair.here) };
        std::fs::write(stages.join("a"), "staged\n").unwrap();
        std::fs::write(stages.join("b"), "staged too\n").unwrap();
        git(stages, &["add", "a", "b"]);
        let blob = git(stages, &["rev-parse", ":a"]);
        std::fs::write(commits.join("a"), "committed\n").unwrap();
        git(commits, &["commit", "-qam", "another"]);
        pair.settle();
        for side in [stages, commits] {
            assert_eq!(git(side, &["show", "HEAD:a"]), "committed");
            // The other file stays staged, on both.
            assert_eq!(git(side, &["diff", "--cached", "--name-only"]), "b", "{staged_here}");
        }
        let kept = git(&pair.here, &["rev-list", "--objects", "--no-object-names", "--reflog"]);
        assert!(kept.contains(&blob), "what was staged is not kept: {staged_here}");
    }
}

#[test]
fn what_git_may_not_trust_about_a_file_stays_so() {
    let pair = Pair::new();
    pair.settle();
    git(&pair.there, &["config", "core.trustctime", "false"]);
    git(&pair.there, &["config", "core.checkStat", "minimal"]);
    let at = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
    let old = |path: &Path, at| {
        std::fs::File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
    };
    let set = |name: &str| old(&pair.there.join(name), at);
    // What is written last goes to the other side.
    old(&pair.here.join("a"), at - std::time::Duration::from_secs(100));
    std::fs::write(pair.there.join("a"), "2\n").unwrap();
    set("a");
    git(&pair.there, &["add", "a"]);
    // Written once more within the same tick of the clock, with as many bytes.
    std::fs::write(pair.there.join("a"), "3\n").unwrap();
    set("a");
    set(".git/index");
    let changed = || git(&pair.there, &["diff-files", "--name-only"]);
    assert_eq!(changed(), "a");
    std::fs::write(pair.here.join("b"), "staged here\n").unwrap();
    std::fs::write(pair.there.join("b"), "staged here\n").unwrap();
    git(&pair.here, &["add", "b"]);
    pair.cycle().unwrap();
    assert_eq!(git(&pair.there, &["diff", "--cached", "--name-only"]), "a\nb");
    assert_eq!(changed(), "a", "what was written last counts as staged");
}

#[test]
fn an_empty_log_of_stashes_says_nothing_of_what_was_dropped() {
    let pair = Pair::new();
    for text in ["one\n", "two\n"] {
        std::fs::write(pair.here.join("a"), text).unwrap();
        git(&pair.here, &["stash", "-q"]);
    }
    pair.settle();
    let stash = stashes(&pair.here);
    for side in [&pair.there, &pair.here] {
        let log = side.join(".git/logs/refs/stash");
        let text = std::fs::read(&log).unwrap();
        std::fs::write(&log, "").unwrap();
        pair.settle();
        let other = if side == &pair.here { &pair.there } else { &pair.here };
        assert_eq!(stashes(other), stash);
        std::fs::write(&log, text).unwrap();
        pair.settle();
        assert_eq!((stashes(&pair.here), stashes(&pair.there)), (stash.clone(), stash.clone()));
    }
}

#[test]
fn a_stash_that_cannot_be_dropped_does_not_come_back() {
    let pair = Pair::new();
    std::fs::write(pair.here.join("a"), "stashed\n").unwrap();
    git(&pair.here, &["stash", "-q"]);
    pair.settle();
    let lock = pair.there.join(".git/logs/refs/stash.lock");
    git(&pair.here, &["stash", "drop", "-q"]);
    // It comes while the host moves, and stays: it is said in each case, with the way out.
    let text = concat!(include_str!("../env.sh"), include_str!("../pack.sh"), include_str!("../apply.sh"));
    let at = text.lines().position(|line| line.starts_with("place()")).unwrap();
    *pair.instead.lock().unwrap() = with_line(at, ": >.git/logs/refs/stash.lock;");
    for way in ["did not drop a stash", "rm .git/logs/refs/stash.lock", "rm .git/logs/refs/stash.lock"] {
        let Ok(Outcome::Done(report)) = pair.cycle() else { panic!("{way}") };
        let [wait] = &report.waits[..] else { panic!("{report:?}") };
        assert!(wait.name == "refs/stash" && wait.why.contains(way), "{wait:?}");
        assert_eq!(stashes(&pair.here), "");
    }
    assert_ne!(stashes(&pair.there), "");
    std::fs::remove_file(lock).unwrap();
    assert_eq!(pair.settle().waits, []);
    assert_eq!((stashes(&pair.here), stashes(&pair.there)), (String::new(), String::new()));
}

#[test]
fn a_list_of_stashes_that_is_damaged_is_said_and_the_way_out_loses_none_of_them() {
    let pair = Pair::new();
    for text in ["one\n", "two\n"] {
        std::fs::write(pair.here.join("a"), text).unwrap();
        git(&pair.here, &["stash", "-q"]);
    }
    pair.settle();
    let sorted = |dir: &Path| {
        let mut all: Vec<String> = stashes(dir).lines().map(str::to_owned).collect();
        all.sort();
        all
    };
    for (side, at) in [(&pair.there, "on the host"), (&pair.here, "here")] {
        let other = if side == &pair.here { &pair.there } else { &pair.here };
        let (log, name) = (side.join(".git/logs/refs/stash"), side.join(".git/refs/stash"));
        for damage in ["expired", "short", "no log", "no name", "nothing"] {
            // The newest is on no other side yet.
            std::fs::write(side.join("a"), format!("{damage} {at}\n")).unwrap();
            git(side, &["stash", "-q"]);
            let known = sorted(side);
            let text = std::fs::read_to_string(&log).unwrap();
            match damage {
                "expired" => drop(git(side, &["reflog", "expire", "--expire=now", "--all"])),
                "short" => {
                    let last = text.trim_end().rfind('\n').unwrap();
                    std::fs::write(&log, &text[..=last]).unwrap();
                }
                "no log" => std::fs::write(&log, "").unwrap(),
                "no name" => std::fs::write(&name, "").unwrap(),
                _ => {
                    std::fs::write(&log, "").unwrap();
                    std::fs::write(&name, "").unwrap();
                }
            }
            let report = pair.settle();
            let [wait] = &report.waits[..] else { panic!("{damage}: {report:?}") };
            assert!(wait.name == "refs/stash" && wait.why.contains(&format!("` {at}")), "{wait:?}");
            let ways = wait.why.split('`').skip(1).step_by(2);
            let ways: Vec<&str> = ways.filter(|way| way.contains(".git/")).collect();
            let ways = if damage == "nothing" { &ways[..] } else { &ways[..1] };
            for way in ways {
                let way = format!("cd \"$1\"; {way}; echo sinc-begin 1");
                script(side, &crate::remote::Script::new(Box::leak(way.into_boxed_str())), &[]);
            }
            assert_eq!(pair.settle().waits, [], "{damage}");
            let left = if damage == "nothing" { sorted(other) } else { known };
            assert_eq!((sorted(side), sorted(other)), (left.clone(), left), "{damage} {at}");
        }
    }
}

/// A file that git refuses is in it.
#[test]
fn a_stash_that_is_refused_is_said() {
    let pair = Pair::new();
    pair.settle();
    std::fs::write(pair.there.join(".gitattributes"), format!("a {}\n", "x".repeat(3000))).unwrap();
    git(&pair.there, &["stash", "push", "-q", "-u"]);
    let report = pair.settle();
    let [wait] = &report.waits[..] else { panic!("{report:?}") };
    assert!(wait.name == "refs/stash" && wait.why.contains("drop it there"), "{wait:?}");
    git(&pair.there, &["stash", "drop", "-q"]);
    assert_eq!(pair.settle().waits, []);
}

#[test]
fn the_lock_of_a_drop_that_was_killed_is_taken_away() {
    let pair = Pair::new();
    pair.settle();
    let place = pair.there.join(".git");
    std::fs::create_dir_all(place.join("logs/refs")).unwrap();
    std::fs::write(place.join("logs/refs/stash.lock"), "").unwrap();
    std::fs::write(place.join("sinc/a.1.moves"), "sinc-lock 99999999 gone\nx HEAD\nx refs/stash\n").unwrap();
    assert_eq!(pair.settle().waits, []);
    assert!(!place.join("logs/refs/stash.lock").exists());
}

#[test]
fn a_join_does_not_move_a_branch_under_another_worktree() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "side"]);
    pair.settle();
    for (side, at) in [(&pair.there, "on the host"), (&pair.here, "here")] {
        let beside = side.with_extension("beside");
        git(side, &["worktree", "add", "-q", beside.to_str().unwrap(), "side"]);
        let mine = Pair::commit(&beside, "a", &format!("{at}\n"));
        let other = if side == &pair.here { &pair.there } else { &pair.here };
        let tree = git(other, &["rev-parse", "side^{tree}"]);
        let apart = git(other, &["commit-tree", &tree, "-p", "side", "-m", "apart"]);
        git(other, &["update-ref", "refs/heads/side", &apart]);
        let name = Name::parse("side").unwrap();
        let joined =
            pair.with(|sides| join(sides, &name, How::Merge, &mut pair.refused.borrow_mut())).unwrap();
        let Joined::Not(why) = joined else { panic!("{joined:?}") };
        assert!(why.contains(&format!("it stands in another worktree {at}")), "{why}");
        assert_eq!(git(&beside, &["rev-parse", "HEAD"]), mine);
        assert_eq!(git(&beside, &["status", "--porcelain"]), "");
        // Free, it is joined.
        git(side, &["worktree", "remove", "--force", beside.to_str().unwrap()]);
        let joined =
            pair.with(|sides| join(sides, &name, How::Merge, &mut pair.refused.borrow_mut())).unwrap();
        assert!(matches!(joined, Joined::Now(Some(_))), "{joined:?}");
        pair.settle();
    }
}

#[test]
fn a_name_that_stands_for_another_branch_keeps_only_itself_back() {
    let pair = Pair::new();
    pair.settle();
    git(&pair.here, &["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    git(&pair.there, &["branch", "alias"]);
    let id = Pair::commit(&pair.there, "a", "2\n");
    let report = pair.settle();
    assert_eq!(git(&pair.here, &["rev-parse", "main"]), id);
    let why = report.waits.iter().find(|one| one.name == "refs/heads/alias").map(|one| one.why.as_str());
    let said = "it only stands for another branch here: `git symbolic-ref -d refs/heads/alias` here frees it";
    assert_eq!(why, Some(said));
    git(&pair.here, &["symbolic-ref", "-d", "refs/heads/alias"]);
    pair.settle();
    pair.alike();
}

#[test]
fn a_join_does_not_stage_what_takes_a_commit_back_and_keeps_what_it_overrules() {
    for staged_here in [false, true] {
        let pair = Pair::new();
        for (key, value) in [("user.name", "Ada"), ("user.email", "a@b")] {
            git(&pair.here, &["config", key, value]);
        }
        pair.settle();
        let (stages, commits) =
            if staged_here { (&pair.here, &pair.there) } else { (&pair.there, &pair.here) };
        Pair::commit(stages, "c", "there before\n");
        for file in ["a", "b"] {
            std::fs::write(stages.join(file), "staged\n").unwrap();
        }
        git(stages, &["add", "a", "b"]);
        let blob = git(stages, &["rev-parse", ":a"]);
        Pair::commit(commits, "a", "committed\n");
        // Of the same path the version here counts.
        std::fs::write(commits.join("b"), "staged too\n").unwrap();
        git(commits, &["add", "b"]);
        let overruled = git(&pair.there, &["rev-parse", ":b"]);
        let staged = git(&pair.here, &["show", ":b"]);
        let main = Name::parse("main").unwrap();
        let joined =
            pair.with(|sides| join(sides, &main, How::Merge, &mut pair.refused.borrow_mut())).unwrap();
        assert!(matches!(joined, Joined::Now(Some(_))), "{joined:?}");
        pair.settle();
        let kept = |dir| git(dir, &["log", "-g", "--format=%gs", "refs/sinc/keep"]);
        let objects: String = [&pair.here, &pair.there]
            .map(|side| git(side, &["rev-list", "--objects", "--no-object-names", "--reflog"]))
            .concat();
        for oid in [&blob, &overruled] {
            assert!(objects.contains(oid), "what was staged is not kept: {staged_here}");
        }
        let mut said = kept(&pair.there);
        if staged_here {
            said.push_str(&kept(&pair.here));
            assert!(said.contains("what was staged here"), "{said}");
        }
        assert!(said.contains("what was staged on the host"), "{said}");
        for side in [stages, commits] {
            assert_eq!(git(side, &["show", "HEAD:a"]), "committed");
            assert_eq!(git(side, &["diff", "--cached", "--name-only"]), "b", "{staged_here}");
            assert_eq!(git(side, &["show", ":b"]), staged);
        }
    }
}
