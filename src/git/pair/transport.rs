//! Git's own fetch and push: what a host that is broken, hangs or means harm does to them.

use std::time::{Duration, Instant};

use super::super::cycle::{Outcome, Refused};
use super::super::join;
use super::super::local::Local;
use super::super::state::{Name, Oid};
use super::super::transport::Transport;
use super::{Pair, git};
use crate::process::{self, ProcessError, Runner};

/// Text in which git finds nothing to make it small.
fn noise(seed: u64, bytes: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.alphanumeric()).take(bytes).collect()
}

#[test]
fn a_host_that_falls_silent_is_not_waited_for() {
    let pair = Pair::new();
    let local = Local::new(Runner::default(), &pair.here);
    let way = Transport::through("cat >/dev/null", "x").impatient(Duration::from_millis(500));
    let started = Instant::now();
    let oid = Oid::parse(&"a".repeat(40)).unwrap();
    let silent = |error: &anyhow::Error| {
        let error = error.downcast_ref::<ProcessError>().unwrap();
        assert!(matches!(error.outcome(), process::Outcome::Silent(_)), "{error}");
    };
    silent(&way.fetch(&local, &[oid].into()).unwrap_err());
    let main = Oid::parse(&git(&pair.here, &["rev-parse", "main"])).unwrap();
    silent(&way.push(&local, &[main].into(), None).unwrap_err().into());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn an_object_that_the_host_cannot_read_stops_its_own_branch_only() {
    let pair = Pair::new();
    pair.settle();
    for (name, seed) in [("bad", 1), ("good", 10)] {
        git(&pair.there, &["checkout", "-q", "-b", name, "main"]);
        for at in 0..4 {
            std::fs::write(pair.there.join(format!("{name}-{at}")), noise(seed + at, 300_000)).unwrap();
        }
        git(&pair.there, &["add", "-A"]);
        git(&pair.there, &["commit", "-qm", name]);
    }
    git(&pair.there, &["checkout", "-q", "main"]);
    let blob = git(&pair.there, &["rev-parse", "bad:bad-3"]);
    // No object is read before the pack begins.
    git(&pair.there, &["config", "pack.window", "0"]);
    let file = pair.there.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    // Its end is not what it was: it is found when some of the pack has been sent.
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len() - 1000;
    bytes.truncate(end);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let report = pair.settle();
    assert_eq!(
        git(&pair.here, &["for-each-ref", "--format=%(refname)", "refs/heads"]),
        "refs/heads/good\nrefs/heads/main"
    );
    let names: Vec<&str> = report.waits.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["refs/heads/bad"]);
}

#[test]
fn a_file_of_the_projects_that_says_where_our_url_leads_is_not_followed() {
    let pair = Pair::new();
    pair.settle();
    let proof = pair.here.parent().unwrap().join("ran");
    let text = format!(
        "[url \"ext::sh -c touch% {};false% \"]\n\tinsteadOf = sinc:\n[protocol \"ext\"]\n\tallow = always\n",
        proof.display()
    );
    Pair::commit(&pair.here, "team.gitconfig", &text);
    pair.settle();
    git(&pair.here, &["config", "include.path", "../team.gitconfig"]);
    for side in [&pair.there, &pair.here] {
        Pair::commit(side, "large", &noise(1, 90_000));
        let _ = pair.cycle();
        assert!(!proof.exists(), "it was run");
        git(side, &["reset", "-q", "--hard", "HEAD^"]);
    }
    // It is armed.
    let cmd = process::Cmd::new("git", "be a person").dir(&pair.here).args(["ls-remote", "sinc:x"]);
    let _ = Runner::default().read(&cmd);
    assert!(proof.exists(), "it does nothing");
}

#[test]
fn what_a_file_of_the_projects_tells_git_to_overlook_is_not_let_in() {
    let pair = Pair::new();
    pair.settle();
    let text = "[fetch \"fsck\"]\n\tgitmodulesUrl = ignore\n\thasDotgit = ignore\n";
    Pair::commit(&pair.here, "team.gitconfig", text);
    // One that came over long before under another name.
    let option = "[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=touch pwn\n";
    Pair::commit(&pair.here, "harmless", option);
    git(&pair.here, &["config", "include.path", "../team.gitconfig"]);
    pair.settle();
    let stored = |words: &[&str], text: &[u8]| {
        let cmd = process::Cmd::new("git", "be the host").dir(&pair.there).args(words).stdin(text);
        Runner::default().read(&cmd).unwrap().trim_end().to_owned()
    };
    let raw = |mode: &str, name: &str, oid: &str| {
        let mut raw = format!("{mode} {name}\0").into_bytes();
        raw.extend((0..20).map(|at| u8::from_str_radix(&oid[2 * at..2 * at + 2], 16).unwrap()));
        stored(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &raw)
    };
    let modules = stored(&["hash-object", "-w", "--stdin"], format!("{option}\n").as_bytes());
    let evil = [
        ("url", raw("100644", ".gitmodules", &modules)),
        ("known", raw("100644", ".gitmodules", &git(&pair.there, &["rev-parse", "main:harmless"]))),
        ("dotgit", raw("40000", ".git", &git(&pair.there, &["rev-parse", "main^{tree}"]))),
    ];
    for (name, tree) in &evil {
        let commit = git(&pair.there, &["commit-tree", tree, "-p", "main", "-m", name]);
        git(&pair.there, &["update-ref", &format!("refs/heads/{name}"), &commit]);
        // It is armed.
        let third = pair.here.with_file_name("third");
        std::fs::create_dir_all(&third).unwrap();
        git(&third, &["init", "-q"]);
        git(&third, &["config", "include.path", "../../here/team.gitconfig"]);
        let words = ["-c", "fetch.fsckObjects=true", "fetch", "-q", pair.there.to_str().unwrap(), name];
        git(&third, &words);
    }
    git(&pair.there, &["branch", "good"]);
    for _ in 0..2 {
        let report = pair.settle();
        let names: Vec<&str> = report.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["refs/heads/dotgit", "refs/heads/known", "refs/heads/url"]);
        assert_eq!(git(&pair.here, &["branch", "--format=%(refname:short)"]), "good\nmain");
        pair.refused.borrow_mut().clear();
    }
    for (name, tree) in &evil {
        let local = Local::new(Runner::default(), &pair.here);
        let oid = Oid::parse(tree).unwrap();
        assert_eq!(local.missing(&[&oid].into()).unwrap().len(), 1, "{name} is in the store here");
    }
    // A file that git checks by its name, in order and there already, does not have its commits refused.
    let fine = "[submodule \"a\"]\n\tpath = a\n\turl = ./a\n";
    Pair::commit(&pair.there, ".gitmodules", fine);
    pair.settle();
    for text in ["2\n", &noise(1, 90_000)] {
        let id = Pair::commit(&pair.there, "a", text);
        pair.settle();
        assert_eq!(git(&pair.here, &["rev-parse", "main"]), id);
    }
}

#[test]
fn what_a_shallow_host_cannot_take_waits_and_all_else_goes_on() {
    let mut pair = Pair::new();
    let origin = pair.here.clone();
    for at in 2..6 {
        Pair::commit(&origin, "a", &format!("{at}\n"));
    }
    git(&origin, &["branch", "old", "HEAD~3"]);
    pair.here = origin.parent().unwrap().join("clone");
    let url = format!("file://{}", origin.display());
    git(&origin, &["clone", "-q", "--depth=2", &url, pair.here.to_str().unwrap()]);
    pair.settle();
    git(&pair.here, &["fetch", "-q", "--unshallow"]);
    git(&pair.here, &["fetch", "-q", "origin", "old:old"]);
    git(&pair.here, &["branch", "fine"]);
    let id = Pair::commit(&pair.here, "b", "new\n");
    for round in 0..2 {
        let report = pair.settle();
        let names: Vec<&str> = report.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["refs/heads/old"], "{:?}", report.waits);
        assert_eq!(git(&pair.there, &["rev-parse", "main"]), id);
        let all = git(&pair.there, &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        assert_eq!(all, "fine\nmain", "{round}");
        assert!(git(&pair.here, &["branch", "--list", "old"]).contains("old"), "it was taken for deleted");
    }
    // It goes when the host has all.
    git(&pair.there, &["fetch", "-q", "--unshallow", pair.here.to_str().unwrap()]);
    pair.refused.borrow_mut().clear();
    pair.settle();
    assert_eq!(git(&pair.there, &["rev-parse", "old"]), git(&pair.here, &["rev-parse", "old"]));
}

#[test]
fn what_the_host_cannot_take_just_now_goes_over_when_it_can() {
    let pair = Pair::new();
    pair.settle();
    std::fs::write(pair.here.join("a"), noise(1, 300_000)).unwrap();
    git(&pair.here, &["commit", "-qam", "large"]);
    let id = git(&pair.here, &["rev-parse", "HEAD"]);
    let lock = pair.there.join(format!(".git/refs/sinc/in/{id}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    let why = format!("{:?}", pair.cycle().unwrap_err());
    assert!(why.contains("remote rejected"), "{why}");
    assert!(pair.refused.borrow().is_empty());
    std::fs::remove_file(lock).unwrap();
    pair.settle();
    assert_eq!(git(&pair.there, &["rev-parse", "main"]), id);
}

#[test]
fn a_partial_clone_is_refused_with_a_way_out_that_works() {
    let mut pair = Pair::new();
    Pair::commit(&pair.here, "a", "2\n");
    git(&pair.here, &["config", "uploadpack.allowFilter", "true"]);
    git(&pair.here, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let origin = pair.here.clone();
    pair.here = origin.parent().unwrap().join("clone");
    let url = format!("file://{}", origin.display());
    git(&origin, &["clone", "-q", "--filter=blob:none", &url, pair.here.to_str().unwrap()]);
    let Outcome::Off(Some(why)) = pair.cycle().unwrap() else { panic!("it is shared") };
    let mut ways = 0;
    for command in why.split('`').skip(1).step_by(2).flat_map(|text| text.split("; ")) {
        ways += 1;
        git(&pair.here, &command.split_whitespace().skip(1).collect::<Vec<_>>());
    }
    assert_eq!(ways, 3, "{why}");
    pair.settle();
    assert_eq!(git(&pair.there, &["show", "main^:a"]), "1");
}

#[test]
fn a_merge_that_makes_line_ends_alike_runs_no_filter() {
    let pair = Pair::new();
    let proof = pair.here.parent().unwrap().join("ran");
    std::fs::write(pair.here.join(".gitattributes"), "a filter=evil\n").unwrap();
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "attributes"]);
    pair.settle();
    Pair::commit(&pair.here, "a", "here\n1\n2\n3\n1\n");
    Pair::commit(&pair.there, "a", "1\n2\n3\n1\nthere\n");
    pair.settle();
    let tool = format!("sh -c 'touch {}; cat'", proof.display());
    for (key, value) in [
        ("user.name", "Ada"),
        ("user.email", "a@b"),
        ("merge.renormalize", "true"),
        ("filter.evil.clean", &tool),
        ("filter.evil.smudge", &tool),
    ] {
        git(&pair.here, &["config", key, value]);
    }
    for side in [&pair.here, &pair.there] {
        git(side, &["config", "--add", "filter.other.clean", "cat"]);
    }
    git(&pair.there, &["config", "filter.evil.clean", "cat"]);
    let main = Name::parse("main").unwrap();
    let joined = pair.with(|sides| join::join(sides, &main, join::How::Merge, &mut Refused::new())).unwrap();
    assert!(!proof.exists(), "{joined:?}");
    // It is armed.
    let words = ["merge-tree", "--write-tree", "main^1", "main^2"];
    let cmd = process::Cmd::new("git", "be a person").dir(&pair.here).args(words).answers(&[0, 1]);
    let _ = Runner::default().answer(&cmd);
    assert!(proof.exists(), "it does nothing");
}
