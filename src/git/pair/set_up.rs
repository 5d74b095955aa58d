//! A repository on the host that sinc has not made: one that was made anew there, or a clone that was there before.

use super::{Pair, git};
use crate::process::{Cmd, Runner};

/// What a push on the host says; nothing where it is one as any other.
fn push(pair: &Pair, words: &[&str]) -> String {
    let cmd = Cmd::new("git", "push").dir(&pair.there).args(["push"]).args(words);
    Runner::default().answer(&cmd).map_or_else(|error| error.stderr().to_owned(), |_| String::new())
}

fn settings(pair: &Pair, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| git(&pair.there, &["config", "--local", "--get-all", name])).collect()
}

#[test]
fn one_that_was_made_anew_on_the_host_is_set_up_as_one_that_sinc_makes() {
    let pair = Pair::new();
    for (name, value) in [("user.email", "ada@example.com"), ("user.name", "Ada"), ("core.autocrlf", "input")]
    {
        git(&pair.here, &["config", name, value]);
    }
    git(&pair.here, &["remote", "add", "origin", "https://example.com/a.git"]);
    std::fs::write(pair.here.with_file_name("excludes"), "*.mine\n").unwrap();
    pair.settle();
    let names =
        ["user.email", "core.autocrlf", "remote.origin.url", "commit.gpgSign", "remote.laptop.pushurl"];
    let made = settings(&pair, &names);
    std::fs::remove_dir_all(pair.there.join(".git")).unwrap();
    git(&pair.there, &["init", "-q"]);
    std::fs::write(pair.there.join(".sinc-session"), "").unwrap();
    std::fs::write(pair.there.join("x.mine"), "").unwrap();
    pair.settle();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
    assert_eq!(settings(&pair, &names), made);
    for words in [&[][..], &["--no-verify"], &["origin", "main"], &["--all"]] {
        assert!(push(&pair, words).contains("sinc: commits go to the laptop"), "{words:?}");
    }
    // Once: what a person takes out again, or sets otherwise, stays so.
    git(&pair.there, &["config", "--unset", "remote.pushDefault"]);
    git(&pair.there, &["config", "user.email", "bot@example.com"]);
    std::fs::write(pair.there.join(".git/info/exclude"), "").unwrap();
    Pair::commit(&pair.here, "a", "2\n");
    pair.settle();
    assert_eq!(git(&pair.there, &["config", "--default", "none", "remote.pushDefault"]), "none");
    assert_eq!(settings(&pair, &["user.email"]), ["bot@example.com"]);
    assert!(git(&pair.there, &["status", "--porcelain"]).contains(".sinc-session"));
}

#[test]
fn what_a_person_set_in_a_clone_on_the_host_stays() {
    let pair = Pair::new();
    git(&pair.here, &["config", "user.email", "ada@example.com"]);
    git(&pair.here, &["config", "user.name", "Ada"]);
    git(&pair.here, &["remote", "add", "origin", "https://example.com/a.git"]);
    let bare = pair.here.with_file_name("bare");
    git(&pair.here, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    git(&pair.here, &["clone", "-q", bare.to_str().unwrap(), pair.there.to_str().unwrap()]);
    for (name, value) in [("user.email", "bot@example.com"), ("push.default", "matching"), ("core.eol", "lf")]
    {
        git(&pair.there, &["config", name, value]);
    }
    std::fs::create_dir_all(pair.there.join(".git/info")).unwrap();
    std::fs::write(pair.there.join(".git/info/exclude"), "*.theirs").unwrap();
    for file in [".sinc-session", "x.theirs"] {
        std::fs::write(pair.there.join(file), "").unwrap();
    }
    pair.settle();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
    let names = ["user.email", "user.name", "push.default", "core.eol", "remote.origin.url"];
    assert_eq!(settings(&pair, &names), ["bot@example.com", "Ada", "matching", "lf", bare.to_str().unwrap()]);
    // Its origin is another one, with a way there of a person's own; a plain push goes nowhere.
    assert!(push(&pair, &[]).contains("sinc: commits go to the laptop"));
    Pair::commit(&pair.there, "a", "pushed\n");
    assert_eq!(push(&pair, &["origin", "main"]), "");
    assert_eq!(git(&bare, &["rev-parse", "main"]), git(&pair.there, &["rev-parse", "main"]));
}

/// Something is in the way of it: nothing else stops for that, it is said, and done later.
#[test]
fn one_that_cannot_be_set_up_now_is_said_and_set_up_later() {
    let pair = Pair::new();
    git(&pair.there, &["init", "-q"]);
    std::fs::write(pair.there.join(".sinc-session"), "").unwrap();
    let lock = pair.there.join(".git/config.lock");
    std::fs::write(&lock, "").unwrap();
    let report = pair.settle();
    assert_eq!(git(&pair.there, &["rev-parse", "main"]), git(&pair.here, &["rev-parse", "main"]));
    assert!(report.notes.join("\n").contains(".git/config.lock"), "{:?}", report.notes);
    std::fs::remove_file(lock).unwrap();
    let report = pair.settle();
    assert_eq!(report.notes, Vec::<String>::new());
    assert!(push(&pair, &[]).contains("sinc: commits go to the laptop"));
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
}

#[test]
fn one_that_an_earlier_version_has_made_stays_as_a_person_has_set_it() {
    let pair = Pair::new();
    pair.settle();
    let noted = pair.there.join(".git/sinc/set-up");
    std::fs::remove_file(&noted).unwrap();
    git(&pair.there, &["config", "--unset", "remote.pushDefault"]);
    pair.settle();
    assert_eq!(git(&pair.there, &["config", "--default", "none", "remote.pushDefault"]), "none");
    assert!(noted.exists());
}

#[test]
fn a_repository_in_the_project_is_not_added_on_the_host() {
    let pair = Pair::new();
    for side in [&pair.here, &pair.there] {
        std::fs::create_dir_all(side.join("lib")).unwrap();
        std::fs::write(side.join("lib/inside"), "1\n").unwrap();
    }
    git(&pair.here.join("lib"), &["init", "-q"]);
    Pair::commit(&pair.here.join("lib"), "inside", "1\n");
    pair.settle();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
    let notes = pair.with(|sides| sides.notes_of_files().unwrap());
    assert!(notes.len() == 1 && notes[0].contains("as `lib/`"), "{notes:?}");
}
