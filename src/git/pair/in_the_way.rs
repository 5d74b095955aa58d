//! What once stopped all of a repository for ever, or took away what it should not: it waits by itself, with the way out.

use super::super::cycle::{Outcome, Refused};
use super::super::join::{How, Joined, join, open};
use super::super::state::Name;
use super::{Pair, git, script, with_line};
use crate::git::SNAPSHOT;

/// A file that git refuses for a line of it: what is staged, here.
fn stage_evil(dir: &std::path::Path) {
    std::fs::write(dir.join(".gitattributes"), format!("a {}\n", "x".repeat(3000))).unwrap();
    git(dir, &["add", ".gitattributes"]);
}

#[test]
fn what_is_staged_on_the_host_and_refused_here_stops_nothing_else() {
    let pair = Pair::new();
    pair.settle();
    stage_evil(&pair.there);
    git(&pair.there, &["branch", "good"]);
    let report = pair.settle();
    assert_eq!(git(&pair.here, &["branch", "--format=%(refname:short)"]), "good\nmain");
    assert_eq!(git(&pair.here, &["diff", "--cached", "--name-only"]), "");
    assert_eq!(report.waits.len(), 1, "{report:?}");
    assert_eq!(report.waits[0].name, "index");
    // A commit here does not go under it, nor does the host's HEAD.
    Pair::commit(&pair.here, "b", "2\n");
    let before = git(&pair.there, &["rev-parse", "main"]);
    let report = pair.settle();
    assert_eq!(report.waits.len(), 2, "{report:?}");
    assert_eq!(git(&pair.there, &["rev-parse", "main"]), before);
    assert_eq!(git(&pair.there, &["diff", "--cached", "--name-only"]), ".gitattributes");
    // The way out.
    assert!(report.waits.iter().all(|one| one.why.contains("`git reset` on the host")), "{report:?}");
    git(&pair.there, &["reset", "-q"]);
    std::fs::remove_file(pair.there.join(".gitattributes")).unwrap();
    git(&pair.there, &["prune", "--expire=now"]);
    assert!(pair.settle().waits.is_empty());
    pair.alike();
}

#[test]
fn a_name_in_the_place_of_a_directory_of_names_moves_in_two_steps() {
    let pair = Pair::new();
    let id = git(&pair.here, &["rev-parse", "main"]);
    for name in ["refs/remotes/origin/feature", "refs/tags/rel", "refs/heads/a"] {
        git(&pair.here, &["update-ref", name, &id]);
    }
    pair.settle();
    pair.alike();
    // Many, in more than one call.
    let mut lines = String::new();
    for name in ["refs/remotes/origin/feature", "refs/tags/rel", "refs/heads/a"] {
        git(&pair.here, &["update-ref", "-d", name]);
        lines.push_str(&format!("create {name}/x {id}\n"));
    }
    for at in 0..800 {
        lines.push_str(&format!("create refs/heads/a/{at} {id}\n"));
    }
    std::fs::write(pair.here.join(".git/lines"), lines).unwrap();
    let update = "cd \"$1\"; git update-ref --stdin <.git/lines";
    script(&pair.here, Box::leak(Box::new(crate::remote::Script::new(update))), &[]);
    assert_eq!(git(&pair.here, &["rev-parse", "a/799"]), id);
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.there, &["rev-parse", "origin/feature/x", "a/799", "rel/x"]).lines().count(), 3);
}

#[test]
fn names_that_only_one_side_has_wait_where_they_cannot_be_on_the_other() {
    let pair = Pair::new();
    pair.settle();
    let id = git(&pair.here, &["rev-parse", "main"]);
    let set = |dir, name: &str| git(dir, &["update-ref", name, &id]);
    set(&pair.there, "refs/remotes/origin/topic");
    set(&pair.here, "refs/remotes/origin/topic/1");
    set(&pair.here, "refs/tags/rel");
    set(&pair.there, "refs/tags/rel/1");
    set(&pair.there, "refs/heads/good");
    let report = pair.settle();
    let names: Vec<_> = report.waits.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["refs/tags/rel/1", "refs/tags/rel", "refs/remotes/origin/topic/1"]);
    assert_eq!(git(&pair.here, &["rev-parse", "good"]), id);
    // What the texts say.
    git(&pair.there, &["tag", "-d", "rel/1"]);
    git(&pair.there, &["update-ref", "-d", "refs/remotes/origin/topic"]);
    assert!(pair.settle().waits.is_empty());
    pair.alike();
}

#[test]
fn one_who_stands_on_a_commit_when_it_begins_is_followed() {
    for more in [false, true] {
        let pair = Pair::new();
        if more {
            Pair::commit(&pair.here, "a", "2\n");
        }
        git(&pair.here, &["checkout", "-q", "--detach", if more { "main~1" } else { "main" }]);
        let report = pair.settle();
        super::sync(&pair.here, &pair.there);
        assert!(report.differs.is_empty() && report.waits.is_empty(), "{report:?}");
        pair.alike();
        assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
        git(&pair.there, &["checkout", "-q", "main"]);
        pair.settle();
        assert_eq!(git(&pair.here, &["branch", "--show-current"]), "main");
    }
}

#[test]
fn a_stash_that_is_made_just_when_another_is_dropped_is_not_dropped_for_it() {
    let push = "command git -c user.name=a -c user.email=a stash push -q";
    // Before git looks which one is at that place, and after it.
    let after = "d=$(command git rev-parse \"$3\");";
    let delete = "command git reflog delete --updateref --rewrite \"$3\"; echo \"Dropped $3 ($d)\"; return;";
    for (dropped, race) in [
        ("stash@{0}", format!("{push};")),
        ("stash@{1}", format!("{push};")),
        ("stash@{1}", format!("{after} {push}; {delete}")),
    ] {
        let pair = Pair::new();
        for text in ["one\n", "two\n"] {
            std::fs::write(pair.here.join("a"), text).unwrap();
            git(&pair.here, &["stash", "-q"]);
        }
        pair.settle();
        pair.alike();
        git(&pair.here, &["stash", "drop", "-q", dropped]);
        let kept = git(&pair.here, &["show", "stash@{0}:a"]);
        std::fs::write(pair.there.join("b"), "raced\n").unwrap();
        // Between the place that is found and the drop somebody stashes. Once.
        let text =
            concat!(include_str!("../env.sh"), include_str!("../pack.sh"), include_str!("../apply.sh"));
        let at = text.lines().position(|line| line.starts_with("unstash()")).unwrap();
        let wrapped = format!(
            "git() {{ if [ \"$1 $2\" = \"stash drop\" ] && [ ! -e .git/raced ]; then : >.git/raced; {race} fi; command git \"$@\"; }};"
        );
        *pair.instead.lock().unwrap() = with_line(at, Box::leak(wrapped.into_boxed_str()));
        pair.settle();
        assert!(pair.there.join(".git/raced").exists(), "nobody raced");
        for side in [&pair.here, &pair.there] {
            let mut left: Vec<String> = Vec::new();
            for at in 0..git(side, &["stash", "list"]).lines().count() {
                let file = |name: &str| git(side, &["show", &format!("stash@{{{at}}}:{name}")]);
                left.push(format!("{} {}", file("a"), file("b")));
            }
            left.sort();
            assert_eq!(left, ["1 raced".to_owned(), format!("{kept} 1")], "{race}: {}", side.display());
        }
    }
}

/// Whoever looked first: that the host's repository is another one is noticed by who decides.
#[test]
fn a_repository_made_anew_has_deleted_nothing_whoever_looks_first() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "work"]);
    pair.settle();
    let before = Pair::all(&pair.here);
    std::fs::remove_dir_all(pair.there.join(".git")).unwrap();
    git(&pair.there, &["init", "-q"]);
    // An answer that is lost.
    let said = String::from_utf8(script(&pair.there, &SNAPSHOT, &[])).unwrap();
    assert!(said.contains("fresh yes") && said.contains("\nid "), "{said}");
    pair.settle();
    assert_eq!(Pair::all(&pair.here), before);
    pair.alike();
    // Of a base that knows no id: as long as nobody has been there.
    let path = crate::git::base::path(&pair.here, "test");
    let mut base = crate::git::base::read(&path).unwrap();
    assert!(base.id.take().is_some());
    crate::git::base::write(&path, &base).unwrap();
    git(&pair.there, &["branch", "-D", "work"]);
    pair.settle();
    assert_eq!(git(&pair.here, &["branch", "--format=%(refname:short)"]), "main", "it still counts");
    assert!(crate::git::base::read(&path).unwrap().id.is_some());
    // An id that a full disk left empty is made again.
    std::fs::write(pair.there.join(".git/sinc/id"), "").unwrap();
    assert!(matches!(pair.cycle().unwrap(), Outcome::Done(_)));
    assert!(!std::fs::read_to_string(pair.there.join(".git/sinc/id")).unwrap().is_empty());
}

/// As a power cut leaves it: nothing that git cannot list was deleted.
#[test]
fn names_that_cannot_be_listed_are_not_taken_for_deleted_and_can_be_had_back() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "other"]);
    git(&pair.here, &["tag", "v1"]);
    std::fs::write(pair.here.join("a"), "stashed\n").unwrap();
    git(&pair.here, &["stash", "-q"]);
    pair.settle();
    let names = |dir| git(dir, &["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]);
    let before = names(&pair.here);
    for (side, at) in [(&pair.here, "here"), (&pair.there, "on the host")] {
        let other = if side == &pair.here { &pair.there } else { &pair.here };
        for damage in ["", "\0\0\0\0"] {
            git(side, &["pack-refs", "--all"]);
            std::fs::write(side.join(".git/packed-refs"), damage).unwrap();
            let why = pair.cycle().unwrap_err().to_string();
            assert!(why.contains(&format!("git {at} cannot list its branches and tags")), "{why}");
            assert_eq!(names(other), before, "{at}");
            // The way out.
            let way = why.rsplit('`').nth(1).unwrap();
            let way = format!("cd \"$1\"; {way}; echo sinc-begin 1");
            script(side, &crate::remote::Script::new(Box::leak(way.into_boxed_str())), &[]);
            pair.settle();
            assert_eq!((names(side), names(other)), (before.clone(), before.clone()), "{at}");
            assert_eq!(git(side, &["status", "--porcelain"]), "");
            std::fs::remove_file(side.join(".git/packed-refs.damaged")).unwrap();
        }
    }
}

/// Git looks for tags and branches before it looks for what a remote has.
#[test]
fn the_host_puts_nothing_in_the_place_of_what_a_remote_has() {
    let pair = Pair::new();
    git(&pair.here, &["remote", "add", "up/stream", "https://example.com/a.git"]);
    git(&pair.here, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    pair.settle();
    let evil = Pair::commit(&pair.there, "a", "evil\n");
    for (words, name, way) in [
        (["branch", "origin/main"], "refs/heads/origin/main", "git branch -m origin/main NEW"),
        (["tag", "origin/main"], "refs/tags/origin/main", "git tag -d origin/main"),
        (["branch", "Origin"], "refs/heads/Origin", "git branch -m Origin NEW"),
        (["branch", "host/main"], "refs/heads/host/main", "git branch -m host/main NEW"),
        (["branch", "up/stream/x"], "refs/heads/up/stream/x", "git branch -m up/stream/x NEW"),
    ] {
        git(&pair.there, &words);
        let report = pair.settle();
        let waits: Vec<_> = report.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(waits, [name]);
        let why = &report.waits[0].why;
        assert!(why.ends_with(&format!("`{way}` on the host")), "{why}");
        assert_ne!(git(&pair.here, &["rev-parse", "origin/main"]), evil);
        let full = name.replacen("refs/", "", 1);
        git(&pair.there, &[&words[..1], &["-d", full.split_once('/').unwrap().1]].concat());
    }
    // What is beside them comes, and so does what has been made here.
    git(&pair.there, &["branch", "origins/main"]);
    git(&pair.here, &["branch", "up/date"]);
    git(&pair.here, &["branch", "origin/mine"]);
    assert_eq!(pair.settle().waits, []);
    assert_eq!(git(&pair.here, &["rev-parse", "origins/main"]), evil);
    git(&pair.there, &["branch", "-f", "origin/mine", "origins/main"]);
    assert_eq!(pair.settle().waits, []);
    pair.alike();
}

/// As `sinc git join` does it without a name, and with one: neither takes what waits for something else for deleted.
#[track_caller]
fn not_joined(pair: &Pair, branch: &str, way: &str) {
    let name = Name::parse(branch).unwrap();
    let names = |dir| git(dir, &["for-each-ref", "refs/heads", "refs/tags"]);
    let before = (names(&pair.here), names(&pair.there));
    assert_eq!(pair.with(|sides| open(sides, &mut Refused::new())).unwrap(), Ok(Vec::new()));
    for how in [How::Mine, How::Theirs, How::Merge, How::Rebase] {
        match pair.with(|sides| join(sides, &name, how, &mut Refused::new())).unwrap() {
            Joined::Not(why) => assert!(why.contains(way), "{how:?}: {why}"),
            joined => panic!("{how:?}: {joined:?}"),
        }
        assert_eq!((names(&pair.here), names(&pair.there)), before, "{how:?}");
    }
}

#[test]
fn a_branch_that_git_cannot_read_is_not_joined_as_a_deleted_one() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "work"]);
    pair.settle();
    for (side, at) in [(&pair.here, "here"), (&pair.there, "on the host")] {
        let file = side.join(".git/refs/heads/work");
        let id = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        not_joined(&pair, "work", &format!("git cannot read it {at}: it is damaged"));
        std::fs::write(&file, id).unwrap();
        assert_eq!(pair.settle().waits, []);
    }
    pair.alike();
}

#[test]
fn a_branch_that_was_never_on_both_sides_is_not_joined_as_a_deleted_one() {
    let pair = Pair::new();
    git(&pair.here, &["remote", "add", "alice", "https://example.com/a.git"]);
    git(&pair.here, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    pair.settle();
    for (branch, remote) in [("origin/main", "origin"), ("alice/fix", "alice")] {
        git(&pair.there, &["branch", branch, "main"]);
        assert_eq!(pair.settle().waits.len(), 1);
        not_joined(&pair, branch, &format!("take it for what the remote `{remote}` has"));
        git(&pair.there, &["branch", "-qD", branch]);
    }
    // One that has not come yet.
    git(&pair.there, &["branch", "new"]);
    not_joined(&pair, "new", "goes to the other by itself");
    // What is asked about is joined still.
    for at in 0..4 {
        git(&pair.here, &["branch", &format!("b{at}")]);
    }
    pair.settle();
    git(&pair.there, &["branch", "-D", "b0", "b1", "b2", "b3"]);
    assert_eq!(pair.settle().held.len(), 4);
    let names = pair.with(|sides| open(sides, &mut Refused::new())).unwrap().unwrap();
    assert_eq!(names.iter().map(Name::as_str).collect::<Vec<_>>(), ["b0", "b1", "b2", "b3"]);
    for (name, how) in names.iter().zip([How::Mine, How::Theirs, How::Theirs, How::Theirs]) {
        let joined = pair.with(|sides| join(sides, name, how, &mut Refused::new())).unwrap();
        assert!(matches!(joined, Joined::Now(_)), "{joined:?}");
    }
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.here, &["branch", "--format=%(refname:short)"]), "b0\nmain\nnew");
}
