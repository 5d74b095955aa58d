//! A host that means harm, with git shared: nothing that it plants in the files is run by the mirror.

use crate::git;
use crate::git_attacks::{arrives, branch, shared_on, sinc};
use crate::names::nothing_was_executed;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};

#[test]
fn a_stash_with_a_message_for_a_shell_is_a_stash() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let main = shared.here(&["rev-parse", "main"]);
    for message in [
        "$(touch pwn) `touch pwn`; touch pwn & #{x} 'x' \"y\" \\n -- --exec=touch",
        "two\nref delete refs/heads/main\nstash x\nend yes",
        "\u{1b}[2J",
    ] {
        steps::write(&shared.there.join("top"), message);
        shared.there(&["stash", "push", "-q", "-m", message]);
        let stash = shared.there(&["rev-parse", "refs/stash"]);
        wait_until("the stash is here", PATIENCE, || {
            git::try_git(&shared.bed, &shared.here, &["rev-parse", "-q", "--verify", "refs/stash"])
                .stdout
                .trim()
                == stash
        });
        shared.in_step();
    }
    assert_eq!(shared.here(&["rev-parse", "main"]), main);
    let run = sinc(&shared, &["git"]).success();
    assert!(run.stdout.contains("3 stashes") && !run.stdout.contains('\u{1b}'), "{run}");
    shared.there(&["stash", "clear"]);
    shared.clean();
    let run = sinc(&shared, &["git", "lost"]).success();
    assert!(!format!("{}{}", run.stdout, run.stderr).contains('\u{1b}'), "{run}");
    nothing_was_executed(&shared.bed);
}

#[test]
fn a_planted_repository_is_run_by_nobody() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let config = format!(
        "[core]\n\tfsmonitor = \"touch {}/pwn\"\n\thooksPath = hooks\n",
        shared.bed.host.dir().display()
    );
    for dir in [".GIT", "sub/.Git", "sub/git~1", ".git ", "sub/.git"] {
        steps::write(&shared.there.join(dir).join("config"), &config);
        steps::write(&shared.there.join(dir).join("HEAD"), "ref: refs/heads/main\n");
    }
    steps::write(&shared.there.join("one/.git"), "gitdir: ../bare\n");
    // It looks like a bare repository: below, and in the project's own directory.
    for dir in ["bare", "."] {
        let dir = shared.there.join(dir);
        steps::write(&dir.join("config"), &format!("{config}\tbare = false\n\tworktree = .\n"));
        steps::write(&dir.join("HEAD"), "ref: refs/heads/main\n");
        steps::write(&dir.join("objects/x"), "");
        steps::write(&dir.join("refs/heads/x"), "");
        let hook = format!("#!/bin/sh\ntouch {}/pwn\n", shared.bed.host.dir().display());
        steps::write(&dir.join("hooks/reference-transaction"), &hook);
        steps::set_mode(&dir.join("hooks/reference-transaction"), 0o755);
    }
    let good = branch(&shared, "good", "main^{tree}");
    arrives(&shared, "good", &good);
    shared.there(&["add", "top"]);
    wait_until("its files are here", PATIENCE, || {
        shared.here.join("bare/hooks/reference-transaction").exists()
    });
    let commit = shared.commit(&shared.here, "top", "2\n");
    wait_until("and the other way", PATIENCE, || shared.there(&["rev-parse", "main"]) == commit);
    for words in [&["git"][..], &["status"], &["git", "lost"], &["git", "join"], &["flush"]] {
        sinc(&shared, words);
    }
    let planted = |name: &str| {
        let name = name.to_lowercase();
        name.contains(".git") || name.contains("git~1")
    };
    let mut found = Vec::new();
    for dir in [shared.here.clone(), shared.here.join("sub"), shared.here.join("one")] {
        let names = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
        found.extend(names.filter(|path| planted(&path.file_name().unwrap().to_string_lossy())));
    }
    assert_eq!(found, [shared.here.join(".git")]);
    nothing_was_executed(&shared.bed);
}

/// Programs of the project's, as the host has them, that say so when they are run.
const ARMED: [&str; 14] = [
    "pre-commit",
    "prepare-commit-msg",
    "post-commit",
    "post-checkout",
    "post-merge",
    "post-rewrite",
    "post-index-change",
    "reference-transaction",
    "pre-push",
    "pre-auto-gc",
    "fsmonitor",
    "filter",
    "driver",
    "program",
];

#[test]
fn nothing_of_the_projects_is_run_by_the_mirror() {
    let Some(bed) = Bed::new() else { return };
    let shared = shared_on(bed);
    let ran = shared.bed.host.dir().join("ran");
    std::fs::create_dir(&ran).unwrap();
    sinc(&shared, &["link", "stop"]).success();
    for name in ARMED {
        let file = shared.there.join(".husky").join(name);
        steps::write(&file, &format!("#!/bin/sh\n: >{}/{name}\n[ -t 0 ] || cat\nexit 0\n", ran.display()));
        steps::set_mode(&file, 0o755);
    }
    // What the files go through is set up on the host too, or git would not be shared; there it is nothing.
    shared.there(&["config", "filter.armed.clean", "cat"]);
    steps::write(&shared.there.join(".gitattributes"), "* filter=armed merge=armed diff=armed\n");
    let program = |name: &str| shared.here.join(".husky").join(name).to_str().unwrap().to_owned();
    for (name, value) in [
        ("core.hooksPath", ".husky".to_owned()),
        ("core.fsmonitor", program("fsmonitor")),
        ("filter.armed.clean", program("filter")),
        ("filter.armed.smudge", program("filter")),
        ("merge.armed.driver", program("driver")),
        ("diff.armed.textconv", program("program")),
        ("diff.armed.command", program("program")),
        ("diff.external", program("program")),
        ("core.sshCommand", program("program")),
        ("core.gitProxy", program("program")),
        ("core.askPass", program("program")),
        ("core.editor", program("program")),
        ("core.pager", program("program")),
        ("core.alternateRefsCommand", program("program")),
        ("uploadpack.packObjectsHook", program("program")),
        ("credential.helper", program("program")),
        ("gpg.program", program("program")),
        ("log.showSignature", "true".to_owned()),
        ("commit.gpgSign", "true".to_owned()),
        ("tag.gpgSign", "true".to_owned()),
        ("gc.auto", "1".to_owned()),
        ("gc.autoDetach", "false".to_owned()),
        ("push.gpgSign", "if-asked".to_owned()),
        ("pager.log", "true".to_owned()),
    ] {
        git::git(&shared.bed, &shared.here, &["config", name, &value]);
    }
    // From here on this test has git run nothing either.
    let quiet = |words: &[&str]| {
        let calm = [
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "commit.gpgSign=false",
            "-c",
            "tag.gpgSign=false",
            "-c",
            "log.showSignature=false",
        ];
        git::try_git(&shared.bed, &shared.here, &[&calm, words].concat())
    };
    let same = |what: &str, words: &[&str]| {
        wait_until(what, PATIENCE, || {
            let there = git::try_git(&shared.bed, &shared.there, words);
            quiet(words).stdout == there.stdout && !there.stdout.is_empty()
        });
    };
    let nothing_ran = |when: &str| {
        let names = std::fs::read_dir(&ran).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = names.collect();
        assert!(names.is_empty(), "{when}: {names:?}\n{}", shared.log());
    };
    sinc(&shared, &["link", "start"]).success();
    shared.commit(&shared.there, "top", "by the host\n");
    same("the commit is here", &["rev-parse", "main"]);
    wait_until("the programs are here", PATIENCE, || shared.here.join(".husky/program").exists());
    steps::write(&shared.there.join("more"), "staged\n");
    shared.there(&["add", "more"]);
    same("what is staged is here", &["ls-files", "-s"]);
    shared.there(&["stash", "-q"]);
    same("the stash is here", &["rev-parse", "refs/stash"]);
    shared.there(&["checkout", "-q", "-b", "work"]);
    same("HEAD is here", &["symbolic-ref", "HEAD"]);
    let _ = quiet(&["tag", "-a", "-m", "t", "from-here"]).success();
    same("the tag is there", &["rev-parse", "from-here"]);
    shared.there(&["checkout", "-q", "main"]);
    shared.there(&["branch", "-D", "-q", "work"]);
    shared.there(&["stash", "drop", "-q"]);
    shared.there(&["commit", "-q", "--amend", "-m", "amended"]);
    same("the amended one is here", &["rev-parse", "main"]);
    nothing_ran("the link's cycles");
    // Both moved, and joined; with a merge that a driver would do.
    sinc(&shared, &["link", "stop"]).success();
    shared.commit(&shared.there, "top", "by the host again\n");
    steps::write(&shared.here.join("more"), "by the person\n");
    // A move that the link had begun goes on to its end.
    wait_until("git here is free", PATIENCE, || !shared.here.join(".git/index.lock").exists());
    let blob = quiet(&["hash-object", "-w", "--no-filters", "more"]).success().stdout;
    let entry = format!("100644,{},more", blob.trim());
    let _ = quiet(&["update-index", "--cacheinfo", &entry]).success();
    let tree = quiet(&["write-tree"]).success().stdout;
    let commit = quiet(&["commit-tree", tree.trim(), "-p", "main", "-m", "here"]).success().stdout;
    let _ = quiet(&["update-ref", "refs/heads/main", commit.trim()]).success();
    std::fs::remove_dir_all(&ran).unwrap();
    std::fs::create_dir(&ran).unwrap();
    sinc(&shared, &["link", "start"]).success();
    wait_until("it is known that both moved", PATIENCE, || {
        sinc(&shared, &["git", "--json"]).success().stdout.contains("\"differs\"")
            && shared.log().contains("differs: main")
    });
    for words in
        [&["git"][..], &["status"], &["git", "lost"], &["doctor"], &["git", "join", "main", "--rebase"]]
    {
        let run = sinc(&shared, words);
        nothing_ran(&words.join(" "));
        if *words == ["doctor"] {
            for setting in ["core.hookspath = .husky", "core.fsmonitor = "] {
                assert!(run.stdout.contains(setting), "{run}");
            }
        }
    }
    let run = sinc(&shared, &["git", "join", "main"]);
    nothing_ran("git join");
    assert!(run.stderr.contains("Joined main") || run.stderr.contains("is the same"), "{run}");
    // They are armed: a person's own git does run them.
    steps::write(&shared.here.join("top"), "by the person\n");
    let _ = git::try_git(&shared.bed, &shared.here, &["status"]);
    let _ = git::try_git(
        &shared.bed,
        &shared.here,
        &["-c", "commit.gpgSign=false", "commit", "-q", "-a", "-m", "own"],
    );
    for name in ["pre-commit", "reference-transaction", "fsmonitor", "filter"] {
        assert!(ran.join(name).exists(), "{name} does nothing");
    }
}
