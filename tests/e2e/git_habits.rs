//! What agents do with git on a host, one habit a test: it is all here then, with the files, and nothing to commit.

use crate::git::{self, Shared};
use crate::steps;
use crate::support::{PATIENCE, poll, wait_until};

/// Waits until git here says this.
#[track_caller]
fn says(shared: &Shared, words: &[&str], wanted: &str) {
    let mut last = String::new();
    let said = poll(PATIENCE, || {
        last = git::try_git(&shared.bed, &shared.here, words).stdout.trim_end().to_owned();
        last == wanted
    });
    assert!(said, "{words:?}: {last}, not {wanted}\n{}", shared.log());
}

#[test]
fn commits_in_a_loop_are_all_here() {
    let Some(shared) = git::shared() else { return };
    let mut last = String::new();
    for step in 0..12 {
        last = shared.commit(&shared.there, ["top", "more", "src/one"][step % 3], &format!("step {step}\n"));
    }
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "HEAD"]), last);
    assert_eq!(shared.here(&["rev-list", "--count", "HEAD"]), "13");
    // And while somebody here does too, on another branch.
    shared.here(&["branch", "mine"]);
    shared.clean();
    for step in 0..6 {
        last = shared.commit(&shared.there, "top", &format!("again {step}\n"));
        let tree = shared.here(&["rev-parse", "mine^{tree}"]);
        let mine = shared.here(&["commit-tree", &tree, "-p", "mine", "-m", &step.to_string()]);
        shared.here(&["update-ref", "refs/heads/mine", &mine]);
    }
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "main"]), last);
    assert_eq!(shared.there(&["rev-list", "--count", "main..mine"]), "6");
}

#[test]
fn a_stash_around_a_test_takes_nothing_away() {
    let Some(shared) = git::shared() else { return };
    for round in 0..3 {
        let text = format!("half done {round}\n");
        steps::write(&shared.there.join("top"), &text);
        steps::write(&shared.there.join("fresh"), &text);
        shared.there(&["stash", "push", "-q", "-u"]);
        // As it was committed, for a moment or for longer.
        if round > 0 {
            says(&shared, &["status", "--porcelain"], "");
            shared.clean();
        }
        shared.there(&["stash", "pop", "-q"]);
        says(&shared, &["status", "--porcelain"], " M top\n?? fresh");
        steps::wait_text(&shared.here.join("top"), &text);
        steps::wait_text(&shared.here.join("fresh"), &text);
        shared.in_step();
        // One that was looked at just before it was taken off again may come and go.
        says(&shared, &["stash", "list"], "");
        shared.there(&["checkout", "-q", "top"]);
        std::fs::remove_file(shared.there.join("fresh")).unwrap();
        shared.clean();
    }
}

#[test]
fn five_commits_are_rebased() {
    let Some(shared) = git::shared() else { return };
    shared.there(&["checkout", "-q", "-b", "work"]);
    for step in 0..5 {
        shared.commit(&shared.there, &format!("src/{step}"), &format!("{step}\n"));
    }
    shared.there(&["checkout", "-q", "main"]);
    let main = shared.commit(&shared.there, "top", "meanwhile\n");
    shared.there(&["checkout", "-q", "work"]);
    shared.clean();
    let before = shared.here(&["rev-parse", "work"]);
    shared.there(&["rebase", "-q", "main"]);
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "work~5"]), main);
    assert_eq!(steps::read(&shared.here.join("top")), "meanwhile\n");
    // One of them stops it: nothing moves here until it is settled.
    shared.there(&["checkout", "-q", "main"]);
    let theirs = shared.commit(&shared.there, "src/3", "another\n");
    shared.there(&["checkout", "-q", "work"]);
    shared.clean();
    let work = shared.here(&["rev-parse", "work"]);
    git::try_git(&shared.bed, &shared.there, &["rebase", "-q", "main"]).exits(1);
    let told = shared.wait_state("held");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("rebase")), "{told:#}");
    assert_eq!(shared.here(&["rev-parse", "work"]), work);
    steps::write(&shared.there.join("src/3"), "both\n");
    shared.there(&["add", "-A"]);
    shared.there(&["-c", "core.editor=true", "rebase", "--continue"]);
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "work~5"]), theirs);
    assert_eq!(steps::read(&shared.here.join("src/3")), "both\n");
    let lost = shared.bed.sandbox.sinc_in(&shared.here, &["git", "lost"]).success();
    assert!(lost.stdout.contains(&before[..9]) && lost.stdout.contains(&work[..9]), "{lost}");
}

#[test]
fn a_worktree_on_the_host_has_its_branch_here_too() {
    let Some(shared) = git::shared() else { return };
    let beside = shared.there.with_file_name("beside");
    shared.there(&["worktree", "add", "-q", "-b", "aside", beside.to_str().unwrap()]);
    let commit = shared.commit(&beside, "top", "in the worktree\n");
    says(&shared, &["rev-parse", "-q", "--verify", "aside"], &commit);
    shared.clean();
    assert_eq!(shared.here(&["branch", "--show-current"]), "main");
    assert_eq!(steps::read(&shared.here.join("top")), "2\n");
    // It is not moved under the one who works there.
    shared.here(&["branch", "-f", "aside", "main"]);
    let told = shared.wait_state("waits");
    assert!(told["waits"][0]["why"].as_str().is_some_and(|why| why.contains("worktree")), "{told:#}");
    assert_eq!(shared.there(&["rev-parse", "aside"]), commit);
    shared.here(&["branch", "-f", "aside", &commit]);
    shared.clean();
    // Nor is one that is being rebased there, which is on no branch meanwhile.
    let at = |args: &[&str]| shared.there(&[&["-C", beside.to_str().unwrap()][..], args].concat());
    at(&["-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "-q", "-i", "main"]);
    assert_eq!(at(&["branch", "--show-current"]), "");
    shared.here(&["branch", "-f", "aside", "main"]);
    let told = shared.wait_state("waits");
    assert!(told["waits"][0]["why"].as_str().is_some_and(|why| why.contains("worktree")), "{told:#}");
    assert_eq!(shared.there(&["rev-parse", "aside"]), commit);
    shared.here(&["branch", "-f", "aside", &commit]);
    at(&["rebase", "--abort"]);
    shared.there(&["worktree", "remove", beside.to_str().unwrap()]);
    shared.there(&["branch", "-q", "-D", "aside"]);
    wait_until("it is gone here too", PATIENCE, || shared.here(&["branch", "--list", "aside"]).is_empty());
    shared.clean();
}

#[test]
fn a_hook_that_reformats_what_is_committed_does_so_on_its_side_only() {
    let Some(shared) = git::shared() else { return };
    let hook = shared.there.join(".git/hooks/pre-commit");
    steps::write(&hook, "#!/bin/sh\ntr a-z A-Z <top >top.new && mv top.new top && git add top\n");
    steps::set_mode(&hook, 0o755);
    let commit = shared.commit(&shared.there, "top", "formatted\n");
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "HEAD"]), commit);
    assert_eq!(shared.here(&["show", "HEAD:top"]), "FORMATTED");
    assert_eq!(steps::read(&shared.here.join("top")), "FORMATTED\n");
    shared.commit(&shared.here, "top", "as it is\n");
    shared.clean();
    assert_eq!(shared.there(&["show", "HEAD:top"]), "as it is");
}

/// Most of the project's files are gone, and git says why: it is held all the same, and nobody's git is moved before a person
/// has said what is meant.
#[test]
fn a_branch_without_files_is_held_and_followed_once_a_person_says_so() {
    let Some(shared) = git::shared() else { return };
    for n in 0..80 {
        steps::write(&shared.here.join(format!("src/{n}")), &format!("{n}\n"));
    }
    shared.here(&["add", "-A"]);
    shared.here(&["commit", "-q", "-m", "eighty"]);
    let nothing = shared.here(&["hash-object", "-t", "tree", "--stdin", "-w"]);
    let empty = shared.here(&["commit-tree", "-m", "nothing", &nothing]);
    shared.here(&["branch", "empty", &empty]);
    shared.clean();
    let stands = |dir: &std::path::Path| {
        let files = steps::tree(dir).into_iter().filter(|(path, _)| !path.starts_with(".git"));
        (files.collect::<Vec<_>>(), git::git(&shared.bed, dir, &["branch", "--show-current"]))
    };
    let whole = stands(&shared.here);
    let sinc = |args: &[&str]| shared.bed.sandbox.sinc_in(&shared.here, args);
    // It asks for no cycle: one that begins before the news of the host's deletions is here brings them over.
    let held = || sinc(&["status", "--cached"]).stdout.contains("83 of 83 files are missing");

    for (from, other) in [(&shared.there, &shared.here), (&shared.here, &shared.there)] {
        // What a cycle meets that runs at that moment goes.
        steps::quiet(&shared.bed.sandbox);
        git::git(&shared.bed, from, &["checkout", "-q", "empty"]);
        assert!(poll(PATIENCE, held), "{}\n{}", sinc(&["status"]), shared.log());
        assert!(stands(other) == whole, "{}", shared.log());

        // Back again, and it goes on with nothing to delete.
        git::git(&shared.bed, from, &["checkout", "-q", "main"]);
        sinc(&["resume"]).success();
        shared.clean();
        assert!(stands(other) == whole, "{}", shared.log());

        // What a cycle meets that runs at that moment goes.
        steps::quiet(&shared.bed.sandbox);
        git::git(&shared.bed, from, &["checkout", "-q", "empty"]);
        assert!(poll(PATIENCE, held), "{}\n{}", sinc(&["status"]), shared.log());
        sinc(&["resume", "--allow-deletions", "--yes"]).success();
        shared.clean();
        assert_eq!(stands(other), (Vec::new(), "empty".to_owned()));

        git::git(&shared.bed, other, &["checkout", "-q", "main"]);
        shared.clean();
        assert!(stands(from) == whole, "{}", shared.log());
    }
}
