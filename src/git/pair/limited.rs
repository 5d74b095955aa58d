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
    for file in [".gitattributes", "sub/dir/.gitattributes", "-x/.gitattributes", ".git/info/attributes"] {
        let pair = Pair::new();
        let path = pair.here.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "*.bin filter=some-filter\n").unwrap();
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
