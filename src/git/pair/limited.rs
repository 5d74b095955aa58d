//! What is not shared: it is said in a sentence with the way out, and leaves nothing on the host.

use super::super::cycle::Outcome;
use super::{Pair, git};

#[track_caller]
fn off(pair: &Pair) -> String {
    match pair.cycle() {
        Ok(Outcome::Off(Some(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_filter_that_the_host_lacks_is_found_in_each_directory_before_anything_is_made_there() {
    let files =
        [".gitattributes", "sub/dir/.gitattributes", "-x/.gitattributes", ".git/info/attributes", "../mine"];
    for file in files {
        let pair = Pair::new();
        // A person's own, for all repositories.
        git(&pair.here, &["config", "core.attributesFile", pair.here.join("../mine").to_str().unwrap()]);
        let path = pair.here.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "*.bin filter=some-filter\n").unwrap();
        std::fs::write(pair.here.join("x.bin"), "1\n").unwrap();
        git(&pair.here, &["add", "-A"]);
        git(&pair.here, &["commit", "-q", "--allow-empty", "-m", "with a filter"]);
        // One that is not set up here either changes nothing.
        pair.settle();
        std::fs::remove_dir_all(pair.there.join(".git")).unwrap();
        git(&pair.here, &["config", "filter.some-filter.clean", "cat"]);
        // Whatever a person's settings make of a search.
        for (key, value) in
            [("grep.lineNumber", "true"), ("color.grep", "always"), ("grep.patternType", "fixed")]
        {
            git(&pair.here, &["config", key, value]);
        }
        let why = off(&pair);
        assert!(why.contains("`some-filter`, which the host lacks: set it up there"), "{file}: {why}");
        assert!(!pair.there.join(".git").exists(), "{file}");
    }
}

#[test]
fn a_filter_of_ones_own_for_files_that_are_not_here_keeps_nothing_back() {
    let pair = Pair::new();
    let mine = pair.here.join("../mine");
    std::fs::write(&mine, "# all\n*.ipynb text filter=some-filter\n/top/*.bin filter=some-filter\n").unwrap();
    git(&pair.here, &["config", "core.attributesFile", mine.to_str().unwrap()]);
    git(&pair.here, &["config", "filter.some-filter.clean", "cat"]);
    pair.settle();
    for (file, shared) in [("sub/a.bin", true), ("top/a.bin", false)] {
        let path = pair.here.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "1\n").unwrap();
        git(&pair.here, &["add", "-A"]);
        assert_eq!(matches!(pair.cycle(), Ok(Outcome::Off(_))), !shared, "{file}");
    }
}

#[test]
fn what_is_stored_in_another_way_is_said_in_a_sentence() {
    let pair = Pair::new();
    std::fs::remove_dir_all(pair.here.join(".git")).unwrap();
    git(&pair.here, &["init", "-q", "--object-format=sha256"]);
    Pair::commit(&pair.here, "a", "2\n");
    let why = off(&pair);
    assert!(
        why.starts_with("the repository here has ids of 256 bits") && why.contains("`git = false`"),
        "{why}"
    );
    assert!(!pair.there.join(".git").exists());
    let pair = Pair::new();
    git(&pair.there, &["init", "-q", "--object-format=sha256"]);
    Pair::commit(&pair.there, "a", "2\n");
    let why = off(&pair);
    assert!(
        why.starts_with("the repository on the host has ids of 256 bits") && why.contains("move"),
        "{why}"
    );
    // As a git that knows it makes one; the one here may be too old for it.
    let pair = Pair::new();
    pair.settle();
    git(&pair.there, &["config", "core.repositoryformatversion", "1"]);
    git(&pair.there, &["config", "extensions.refstorage", "reftable"]);
    std::fs::write(pair.there.join(".git/HEAD"), "ref: refs/heads/.invalid\n").unwrap();
    let why = off(&pair);
    assert!(why.starts_with("the repository on the host has its names in a reftable"), "{why}");
}

#[test]
fn where_git_is_no_directory_of_the_projects_own_it_is_said_where_it_is_shared() {
    let mut pair = Pair::new();
    let top = pair.here.clone();
    let submodule = "-c protocol.file.allow=always submodule --quiet add ./. lib";
    git(&top, &submodule.split(' ').collect::<Vec<_>>());
    let worktree = top.with_file_name("beside");
    git(&top, &["worktree", "add", "-q", "-b", "beside", worktree.to_str().unwrap()]);
    std::fs::create_dir(top.join("sub")).unwrap();
    let part = format!("a part of the repository in {}: run `sinc` there", top.display());
    for (project, expected) in [
        (worktree, "a linked worktree or a submodule: git is shared only where `.git` is a directory"),
        (top.join("lib"), "a linked worktree or a submodule: git is shared only where `.git` is a directory"),
        (top.join("sub"), part.as_str()),
    ] {
        pair.here = project;
        let why = off(&pair);
        assert!(why.contains(expected), "{why}");
        assert!(!pair.there.join(".git").exists());
    }
}

#[test]
fn a_submodule_is_noted_and_which_commit_it_stands_on_goes_over() {
    let pair = Pair::new();
    let library = pair.here.with_file_name("library");
    std::fs::create_dir(&library).unwrap();
    git(&library, &["init", "-q"]);
    Pair::commit(&library, "inside", "1\n");
    let add = format!("-c protocol.file.allow=always submodule --quiet add {} lib", library.display());
    git(&pair.here, &add.split(' ').collect::<Vec<_>>());
    git(&pair.here, &["commit", "-qm", "with a submodule"]);
    let report = pair.settle();
    assert_eq!(
        report.notes,
        [
            "submodules: their files are synced, their own git is not there on the host: what is in them is committed here"
        ]
    );
    // Which one is recorded, both ways.
    for (side, at) in [(&pair.here, "2"), (&pair.there, "3")] {
        let commit = Pair::commit(&library, "inside", &format!("{at}\n"));
        git(side, &["update-index", "--cacheinfo", &format!("160000,{commit},lib")]);
        git(side, &["commit", "-qm", at]);
        pair.settle();
        for side in [&pair.here, &pair.there] {
            assert_eq!(git(side, &["rev-parse", "main:lib", ":lib"]), format!("{commit}\n{commit}"));
        }
    }
    assert!(!pair.there.join("lib/.git").exists());
}

#[test]
fn a_shallow_clone_is_noted_and_what_it_has_goes_over() {
    let mut pair = Pair::new();
    let origin = pair.here.clone();
    for at in 2..6 {
        Pair::commit(&origin, "a", &format!("{at}\n"));
    }
    pair.here = origin.with_file_name("clone");
    let url = format!("file://{}", origin.display());
    git(&origin, &["clone", "-q", "--depth=2", &url, pair.here.to_str().unwrap()]);
    let report = pair.settle();
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].ends_with("`git fetch --unshallow` here gets the rest"), "{:?}", report.notes);
    for side in [&pair.there, &pair.here] {
        let id = Pair::commit(side, "b", &format!("in {}\n", side.display()));
        pair.settle();
        for side in [&pair.here, &pair.there] {
            assert_eq!(git(side, &["rev-parse", "main"]), id);
            assert_eq!(git(side, &["status", "--porcelain"]), "");
        }
    }
    assert_eq!(git(&pair.there, &["rev-list", "--count", "main"]), "4");
}

#[test]
fn what_is_only_checked_out_in_part_is_not_shared() {
    let pair = Pair::new();
    pair.settle();
    for (side, at) in [(&pair.here, "here"), (&pair.there, "on the host")] {
        git(side, &["sparse-checkout", "set", "--no-cone", "/b"]);
        let why = off(&pair);
        assert!(why.contains(&format!("`git sparse-checkout disable` {at}")), "{why}");
        git(side, &["sparse-checkout", "disable"]);
        pair.settle();
    }
}
