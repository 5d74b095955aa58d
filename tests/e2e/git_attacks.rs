//! A host that means harm, with git shared: nothing that it says or sends moves here what it must not, or stops what is in order.
//! What it plants in the files is in `git_planted.rs`.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::PathBuf;

use sinc::demo::Options;

use crate::git::{self, Shared};
use crate::names::nothing_was_executed;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::Run;
use crate::support::{PATIENCE, poll, wait_until};

/// The project of a bed, shared.
#[track_caller]
pub(crate) fn shared_on(bed: Bed) -> Shared {
    let here = bed.project("app", &[("top", "1\n"), ("more", "2\n")]);
    git::init(&bed, &here);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let shared = Shared { bed, here, there };
    shared.in_step();
    shared
}

/// Runs git on the host with something for it to read.
#[track_caller]
pub(crate) fn feed(shared: &Shared, words: &[&str], input: &[u8]) -> String {
    let program = shared.bed.sandbox.program("git", &shared.there).args(words).input(input);
    shared.bed.sandbox.finish(&program).success().stdout.trim_end().to_owned()
}

/// A tree as it is stored, whatever git thinks of its names.
#[track_caller]
fn tree(shared: &Shared, entries: &[(&str, &str, &str)]) -> String {
    let mut raw = Vec::new();
    for (mode, name, oid) in entries {
        raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        raw.extend((0..20).map(|at| u8::from_str_radix(&oid[2 * at..2 * at + 2], 16).unwrap()));
    }
    feed(shared, &["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &raw)
}

#[track_caller]
pub(crate) fn branch(shared: &Shared, name: &str, tree: &str) -> String {
    let commit = shared.there(&["commit-tree", tree, "-p", "main", "-m", name]);
    shared.there(&["update-ref", &format!("refs/heads/{name}"), &commit]);
    commit
}

/// Writes a branch past git, which would refuse it.
#[track_caller]
fn plant(shared: &Shared, name: &str, text: &str) {
    steps::write(&shared.there.join(".git/refs/heads").join(name), text);
}

/// What git moves here: all names and where they lead, HEAD, what is staged.
fn moved(shared: &Shared) -> String {
    let ask = |words: &[&str]| git::try_git(&shared.bed, &shared.here, words).stdout;
    [
        ask(&["symbolic-ref", "-q", "HEAD"]),
        ask(&[
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            "refs/heads",
            "refs/tags",
            "refs/remotes",
            "refs/stash",
        ]),
        ask(&["ls-files", "-s"]),
        ask(&["stash", "list", "--format=%H %gs"]),
    ]
    .join("\n")
}

/// Waits until a branch is here.
#[track_caller]
pub(crate) fn arrives(shared: &Shared, name: &str, commit: &str) {
    let there = poll(PATIENCE, || {
        git::try_git(&shared.bed, &shared.here, &["rev-parse", "-q", "--verify", name]).stdout.trim()
            == commit
    });
    assert!(there, "{name}\n{}\n{}", moved(shared), shared.log());
}

/// Which names wait, and why.
fn waits(told: &serde_json::Value) -> Vec<(String, String)> {
    let all = told["waits"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut waits: Vec<_> = all.map(|one| (text(&one["name"]), text(&one["why"]))).collect();
    waits.sort();
    waits
}

#[track_caller]
pub(crate) fn sinc(shared: &Shared, words: &[&str]) -> Run {
    shared.bed.sandbox.sinc_in(&shared.here, words)
}

#[test]
fn an_object_that_could_write_elsewhere_stops_its_own_branch_only() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let file = feed(&shared, &["hash-object", "-w", "--stdin"], b"#!/bin/sh\ntouch pwn\n");
    let under = tree(&shared, &[("100755", "config", &file)]);
    let option = b"[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=touch pwn\n";
    let modules = feed(&shared, &["hash-object", "-w", "--stdin"], option);
    let mut evil = Vec::new();
    for (at, name) in [".git", ".GIT", "..", "git~1", ".git "].into_iter().enumerate() {
        evil.push(branch(&shared, &format!("evil-{at}"), &tree(&shared, &[("40000", name, &under)])));
    }
    evil.push(branch(&shared, "evil-slash", &tree(&shared, &[("100755", "../top", &file)])));
    evil.push(branch(&shared, "evil-url", &tree(&shared, &[("100644", ".gitmodules", &modules)])));
    evil.push(branch(&shared, "evil-link", &tree(&shared, &[("120000", ".gitmodules", &file)])));
    let good = branch(&shared, "good", &shared.there(&["rev-parse", "main^{tree}"]));
    arrives(&shared, "good", &good);
    let told = shared.wait_state("waits");
    let names: Vec<_> = waits(&told).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), evil.len(), "{told:#}");
    assert!(names.iter().all(|name| name.starts_with("refs/heads/evil-")), "{told:#}");
    assert_eq!(shared.here(&["branch", "--format=%(refname:short)"]), "good\nmain");
    for commit in &evil {
        let run = git::try_git(&shared.bed, &shared.here, &["cat-file", "-e", &format!("{commit}^{{tree}}")]);
        assert_ne!(run.code, 0, "{commit} is in the store here");
    }
    // All else goes on, both ways.
    for (from, to) in [(&shared.here, &shared.there), (&shared.there, &shared.here)] {
        let commit = shared.commit(from, "top", &format!("{}\n", from.display()));
        wait_until("the commit is on the other side", PATIENCE, || {
            git::git(&shared.bed, to, &["rev-parse", "main"]) == commit
        });
    }
    for at in ["0", "1", "2", "3", "4", "slash", "url", "link"] {
        shared.there(&["update-ref", "-d", &format!("refs/heads/evil-{at}")]);
    }
    shared.wait_state("in-step");
    nothing_was_executed(&shared.bed);
}

/// What is staged and a tag come over as a branch does.
#[test]
fn what_is_staged_and_a_tag_that_git_refuses_stop_nothing_else() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let option = b"[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=touch pwn\n";
    let modules = feed(&shared, &["hash-object", "-w", "--stdin"], option);
    shared.there(&["update-index", "--add", "--cacheinfo", &format!("100644,{modules},.gitmodules")]);
    let evil = branch(&shared, "evil", &tree(&shared, &[("100644", ".gitmodules", &modules)]));
    shared.there(&["tag", "-a", "-m", "evil", "evil", &evil]);
    shared.there(&["update-ref", "-d", "refs/heads/evil"]);
    let good = branch(&shared, "good", &shared.there(&["rev-parse", "main^{tree}"]));
    arrives(&shared, "good", &good);
    let told = shared.wait_state("waits");
    let names = |told| waits(told).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&told), ["index", "refs/tags/evil"], "{told:#}");
    assert_eq!(shared.here(&["diff", "--cached", "--name-only"]), "");
    // A commit here does not go under what is staged there, and other branches go on both ways.
    let commit = shared.commit(&shared.here, "top", "here\n");
    shared.here(&["branch", "more"]);
    wait_until("the other branch is there", PATIENCE, || {
        git::try_git(&shared.bed, &shared.there, &["rev-parse", "-q", "--verify", "more"]).stdout.trim()
            == commit
    });
    let told = shared.wait_state("waits");
    assert_eq!(names(&told), ["index", "refs/heads/main", "refs/tags/evil"], "{told:#}");
    assert_eq!(shared.there(&["diff", "--cached", "--name-only"]), ".gitmodules");
    let run = sinc(&shared, &["status"]).success();
    assert!(!run.stdout.contains("git in step"), "{run}");
    // What the texts say.
    assert!(waits(&told)[0].1.contains("`git reset` on the host"), "{told:#}");
    assert!(waits(&told)[2].1.contains("`git tag -d evil`"), "{told:#}");
    shared.there(&["tag", "-d", "evil"]);
    shared.there(&["reset", "-q"]);
    shared.wait_state("in-step");
    assert_eq!(shared.there(&["rev-parse", "main"]), commit);
    nothing_was_executed(&shared.bed);
}

/// What git checks in a file by its name is checked also where that file came over long before, under another name.
#[test]
fn a_file_that_was_harmless_under_another_name_is_not_let_in_under_this_one() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let option = "[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=touch pwn\n";
    shared.commit(&shared.there, "harmless", option);
    shared.clean();
    let modules = shared.there(&["rev-parse", "main:harmless"]);
    let evil = branch(&shared, "evil", &tree(&shared, &[("100644", ".gitmodules", &modules)]));
    let good = branch(&shared, "good", &shared.there(&["rev-parse", "main^{tree}"]));
    arrives(&shared, "good", &good);
    let told = shared.wait_state("waits");
    assert_eq!(waits(&told)[0].0, "refs/heads/evil", "{told:#}");
    // However often it is tried again.
    for name in ["once", "twice"] {
        sinc(&shared, &["link", "stop"]).success();
        sinc(&shared, &["link", "start"]).success();
        let more = branch(&shared, name, &shared.there(&["rev-parse", "main^{tree}"]));
        arrives(&shared, name, &more);
    }
    assert_eq!(git::try_git(&shared.bed, &shared.here, &["rev-parse", "-q", "--verify", "evil"]).stdout, "");
    let run = git::try_git(&shared.bed, &shared.here, &["cat-file", "-e", &evil]);
    assert_ne!(run.code, 0, "it is in the store here");
    nothing_was_executed(&shared.bed);
}

#[test]
fn what_is_no_commit_or_is_damaged_stops_its_own_branch_only() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    shared.there(&["branch", "work"]);
    shared.there(&["branch", "kept"]);
    shared.clean();
    let before = shared.here(&["rev-parse", "kept"]);
    // Not a commit; a commit that is not there; a file that a power cut left empty.
    plant(&shared, "blob", &format!("{}\n", shared.there(&["rev-parse", "main:top"])));
    plant(&shared, "tree", &format!("{}\n", shared.there(&["rev-parse", "main^{tree}"])));
    plant(&shared, "work", &format!("{}\n", "12".repeat(20)));
    plant(&shared, "kept", "");
    let good = shared.commit(&shared.there, "top", "good\n");
    // A branch that cannot be read is not one that was deleted: nothing moves, or it stays.
    wait_until("it was looked at", PATIENCE, || {
        shared.here(&["rev-parse", "main"]) == good || shared.log().contains("damaged")
    });
    let all = moved(&shared);
    assert_eq!(shared.here(&["rev-parse", "kept", "work"]), format!("{before}\n{before}"), "{all}");
    // As it should be again.
    for name in ["work", "kept"] {
        plant(&shared, name, &format!("{before}\n"));
    }
    arrives(&shared, "main", &good);
    let told = shared.wait_state("waits");
    let names: Vec<_> = waits(&told).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["refs/heads/blob", "refs/heads/tree"], "{told:#}");
    let commit = shared.commit(&shared.here, "top", "back\n");
    wait_until("and the other way", PATIENCE, || shared.there(&["rev-parse", "main"]) == commit);
}

#[test]
fn a_repository_made_anew_on_the_host_deletes_nothing_here() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    shared.here(&["branch", "work"]);
    shared.clean();
    let before = moved(&shared);
    // An agent that begins again. In one moment as far as the link knows, or it would make one itself in between.
    sinc(&shared, &["link", "stop"]).success();
    std::fs::remove_dir_all(shared.there.join(".git")).unwrap();
    shared.there(&["init", "-q", "-b", "main"]);
    sinc(&shared, &["link", "start"]).success();
    wait_until("the host has the branches again", PATIENCE, || {
        git::try_git(&shared.bed, &shared.there, &["rev-parse", "-q", "--verify", "work"]).code == 0
    });
    wait_until("all of it", PATIENCE, || {
        let words = ["for-each-ref", "--format=%(objectname) %(refname)"];
        let has = |dir| git::try_git(&shared.bed, dir, &words).stdout;
        has(&shared.there) == has(&shared.here) && shared.there(&["diff", "--cached"]).is_empty()
    });
    assert_eq!(moved(&shared), before, "{}", shared.log());
    // It is set up as one that sinc makes: the marker stays out, and a push goes nowhere.
    assert_eq!(shared.there(&["status", "--porcelain"]), "");
    let push = || git::try_git(&shared.bed, &shared.there, &["push"]).stderr;
    assert!(push().contains("sinc: commits go to the laptop"), "{}", push());
    // And one that commits at once.
    sinc(&shared, &["link", "stop"]).success();
    std::fs::remove_dir_all(shared.there.join(".git")).unwrap();
    git::init(&shared.bed, &shared.there);
    sinc(&shared, &["link", "start"]).success();
    wait_until("the host has the other branch again", PATIENCE, || {
        git::try_git(&shared.bed, &shared.there, &["rev-parse", "-q", "--verify", "work"]).code == 0
    });
    let kept = before.lines().find(|line| line.ends_with("refs/heads/main")).unwrap().to_owned();
    assert!(moved(&shared).contains(&kept), "{}\n{}", moved(&shared), shared.log());
    shared.wait_state("differs");
    assert!(push().contains("sinc: commits go to the laptop"), "{}", push());
}

#[test]
fn names_that_surprise_stay_on_the_host() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let main = shared.there(&["rev-parse", "main"]);
    let long = "x".repeat(210);
    for name in ["-x", "HEAD", "a\u{202e}b", "a\u{1b}[2Jb", "refs/heads/y", &long] {
        plant(&shared, name, &format!("{main}\n"));
    }
    // Past a file system that takes both for one.
    shared.there(&["pack-refs", "--all"]);
    let packed = shared.there.join(".git/packed-refs");
    let mut text = steps::read(&packed);
    let at = text.find(&main).unwrap();
    text.insert_str(at, &format!("{main} refs/heads/MAIN\n"));
    std::fs::write(&packed, text).unwrap();
    let good = branch(&shared, "good", "main^{tree}");
    arrives(&shared, "good", &good);
    assert_eq!(
        shared.here(&["for-each-ref", "--format=%(refname)", "refs/heads"]),
        "refs/heads/good\nrefs/heads/main"
    );
    let told = shared.wait_state("waits");
    let waits = waits(&told);
    assert!(waits.len() == 1 && waits[0].0 == "refs/heads/MAIN" && waits[0].1.contains("case"), "{told:#}");
    assert!(told["notes"].to_string().contains("-x"), "{told:#}");
    for words in [&["git"][..], &["git", "--json"], &["status"]] {
        let run = sinc(&shared, words).success();
        let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(odd), "{run}");
    }
}

/// A git that lies once it is told so.
fn lying_git(bed: &Bed) -> PathBuf {
    let real = which::which("git").unwrap();
    let lie = bed.host.dir().join("lie");
    let text = format!(
        r#"#!/bin/sh
lie=
if [ -f {lie} ]; then read -r lie <{lie}; fi
case "$lie:$*" in
index:*write-tree*) echo HEAD; exit 0;;
option:*write-tree*) echo --upload-pack=x; exit 0;;
wrap:*commit-tree*) echo --upload-pack=x; exit 0;;
other:*commit-tree*) exec {real} rev-parse main;;
extra:*for-each-ref*) {real} "$@"; echo; echo "delete refs/heads/main"; exit 0;;
again:*for-each-ref*) {real} "$@"; echo; echo "end yes"; echo "repo here"; exit 0;;
cut:*for-each-ref*) while read -r a b c d e; do if [ "$a" = PPid: ]; then kill -9 "$b"; fi; done </proc/$PPID/status; kill -9 $PPID; exit 0;;
esac
exec {real} "$@"
"#,
        lie = lie.display(),
        real = real.display()
    );
    bed.host.add_program("git", &text).unwrap();
    lie
}

#[test]
fn an_answer_that_is_none_moves_nothing() {
    let rc = "PATH=\"$HOME/.local/bin:$PATH\"\n".to_owned();
    let options = Options { rc: Some(rc), ..Options::default() };
    let Some(bed) = Bed::with_shell("bash", options) else { return };
    let shared = shared_on(bed);
    let lie = lying_git(&shared.bed);
    shared.there(&["branch", "work"]);
    steps::write(&shared.there.join("top"), "staged\n");
    shared.there(&["add", "top"]);
    shared.in_step();
    let head = shared.there.join(".git/HEAD");
    let stashes = shared.there.join(".git/logs/refs/stash");
    for (at, what) in
        ["index", "option", "wrap", "other", "extra", "again", "cut", "head", "head option", "stash"]
            .iter()
            .enumerate()
    {
        let (before, said) = (moved(&shared), shared.log().matches("not in step").count());
        match *what {
            "head" => std::fs::write(&head, "ref: refs/remotes/host/\u{1b}[2Jx\n").unwrap(),
            "head option" => std::fs::write(&head, "--upload-pack=x\n").unwrap(),
            "stash" => {
                let main = shared.there(&["rev-parse", "main"]);
                shared.there(&["update-ref", "refs/stash", &main]);
                steps::write(&stashes, "0 --exec=x a <a> 0 +0000\tx\n");
            }
            lie_of => std::fs::write(&lie, lie_of).unwrap(),
        }
        let tag = format!("refs/tags/t-{at}");
        plant(&shared, &format!("../tags/t-{at}"), &steps::read(&shared.there.join(".git/refs/heads/work")));
        let refused = poll(PATIENCE, || shared.log().matches("not in step").count() > said);
        assert!(refused, "{what} was taken for an answer\n{}\n{}", moved(&shared), shared.log());
        assert_eq!(moved(&shared), before, "{what}");
        let run = sinc(&shared, &["git"]);
        assert!(run.code != 0 || !run.stdout.contains("in step"), "{what}: {run}");
        assert!(!format!("{}{}", run.stdout, run.stderr).contains('\u{1b}'), "{what}: {run}");
        let run = sinc(&shared, &["status"]);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains('\u{1b}'), "{what}: {run}");
        // And when it is itself again, all goes on.
        std::fs::write(&head, "ref: refs/heads/main\n").unwrap();
        let _ = std::fs::remove_file(&lie);
        if *what == "stash" {
            shared.there(&["update-ref", "-d", "refs/stash"]);
            let _ = std::fs::remove_file(&stashes);
        }
        shared.there(&["tag", &format!("nudge-{at}")]);
        wait_until("what waited is here", PATIENCE, || {
            git::try_git(&shared.bed, &shared.here, &["rev-parse", "-q", "--verify", &tag]).code == 0
        });
        shared.in_step();
    }
    nothing_was_executed(&shared.bed);
}

#[test]
fn many_branches_that_are_deleted_or_set_back_are_held_and_asked() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    for n in 0..5 {
        shared.commit(&shared.here, "top", &format!("{n}\n"));
        shared.here(&["branch", &format!("b{n}")]);
    }
    shared.clean();
    let before = moved(&shared);
    let notified = git::desktop(&shared.bed);
    // In one moment: three are deleted, two set back.
    let old = shared.there(&["rev-parse", "main~4"]);
    let lines = format!(
        "delete refs/heads/b0\ndelete refs/heads/b1\ndelete refs/heads/b2\nupdate refs/heads/b3 {old}\nupdate refs/heads/b4 {old}\n"
    );
    feed(&shared, &["update-ref", "--stdin"], lines.as_bytes());
    let good = branch(&shared, "good", "main^{tree}");
    arrives(&shared, "good", &good);
    let told = shared.wait_state("waits");
    let waits = waits(&told);
    let held = waits.iter().filter(|(_, why)| why.contains("at once")).count();
    assert_eq!((waits.len(), held), (5, 5), "{told:#}\n{before}\n{}\n{}", moved(&shared), shared.log());
    let run = sinc(&shared, &["status"]).success();
    assert!(run.stdout.contains("at once"), "{run}");
    wait_until("the desktop is told", PATIENCE, || {
        notified().contains("b0, b1, b2 and 2 more are held in app")
    });
    // A person decides.
    let b4 = shared.here(&["rev-parse", "b4"]);
    sinc(&shared, &["git", "join", "b4", "--mine"]).success();
    wait_until("it is back on the host", PATIENCE, || shared.there(&["rev-parse", "b4"]) == b4);
    let b3 = shared.here(&["rev-parse", "b3"]);
    sinc(&shared, &["git", "join", "b3", "--theirs"]).success();
    // The others are asked about still, though they are few by now.
    let good = branch(&shared, "better", "main^{tree}");
    arrives(&shared, "better", &good);
    assert_eq!(self::waits(&shared.wait_state("waits")).len(), 3, "{}", shared.log());
    // It is said once.
    assert_eq!(notified().lines().count(), 1, "{}", notified());
    shared.here(&["rev-parse", "b0", "b1", "b2"]);
    sinc(&shared, &["git", "join", "--theirs"]).success();
    shared.clean();
    assert!(!shared.here(&["branch"]).contains("b0"));
    assert_eq!(shared.here(&["rev-parse", "b3"]), shared.here(&["rev-parse", "main~4"]));
    let lost = sinc(&shared, &["git", "lost"]).success();
    assert!(lost.stdout.contains(&b3[..9]), "{lost}");
}

#[test]
fn what_origin_has_is_not_the_hosts_to_say() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let main = shared.here(&["rev-parse", "main"]);
    shared.here(&["update-ref", "refs/remotes/origin/main", &main]);
    shared.here(&["tag", "goes"]);
    wait_until("the host knows it", PATIENCE, || {
        git::try_git(&shared.bed, &shared.there, &["rev-parse", "-q", "--verify", "origin/main"])
            .stdout
            .trim()
            == main
    });
    let evil = shared.there(&["commit-tree", "main^{tree}", "-p", "main", "-m", "forged"]);
    for name in ["origin/main", "origin/release", "host/main", "laptop/main"] {
        shared.there(&["update-ref", &format!("refs/remotes/{name}"), &evil]);
    }
    let good = branch(&shared, "good", "main^{tree}");
    arrives(&shared, "good", &good);
    let names = shared.here(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/remotes"]);
    assert_eq!(names, format!("{main} refs/remotes/origin/main"), "{}", shared.log());
}
