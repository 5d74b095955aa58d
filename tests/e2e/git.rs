//! Git on both sides: what is committed, staged, switched or stashed on one side is so on the other, with the files; what was
//! moved on both is left alone until somebody joins it.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::git_attacks::shared_on;
use crate::support::e2e::Bed;
use crate::support::sandbox::{CONFIG, Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, poll, wait_until};
use crate::{documented, steps};

/// A project with a repository, connected.
pub(crate) struct Shared {
    pub(crate) bed: Bed,
    pub(crate) here: PathBuf,
    pub(crate) there: PathBuf,
}

/// Makes a repository of a directory, with one commit.
#[track_caller]
pub(crate) fn init(bed: &Bed, dir: &Path) {
    let git = |words: &[&str]| git(bed, dir, words);
    git(&["init", "-q", "-b", "main"]);
    git(&["config", "user.name", "Ada"]);
    git(&["config", "user.email", "ada@example.com"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "first"]);
}

/// Runs git in a directory, without locks for what only asks. Where sinc has git's lock at that very moment it is run again.
#[track_caller]
pub(crate) fn git(bed: &Bed, dir: &Path, words: &[&str]) -> String {
    let mut run = try_git(bed, dir, words);
    poll(PATIENCE, || {
        let is_locked = run.code != 0 && run.stderr.contains("index.lock': File exists");
        if is_locked {
            run = try_git(bed, dir, words);
        }
        !is_locked
    });
    run.success().stdout.trim_end().to_owned()
}

#[track_caller]
pub(crate) fn try_git(bed: &Bed, dir: &Path, words: &[&str]) -> Run {
    let mut all = vec!["--no-optional-locks", "-C", dir.to_str().unwrap()];
    all.extend_from_slice(words);
    bed.sandbox.run("git", &all)
}

/// A desktop that notes what it is told. Gives all of that.
#[track_caller]
pub(crate) fn desktop(bed: &Bed) -> impl Fn() -> String + use<> {
    let (desktop, told) = (bed.host.bin().join("notify-send"), bed.host.dir().join("notified"));
    steps::write(&desktop, &format!("#!/bin/sh\necho \"$*\" >>{}\n", told.display()));
    steps::set_mode(&desktop, 0o755);
    move || std::fs::read_to_string(&told).unwrap_or_default()
}

#[track_caller]
pub(crate) fn shared() -> Option<Shared> {
    let bed = Bed::new()?;
    let here = bed.project("app", &[("src/one", "1\n"), ("top", "2\n"), ("more", "3\n")]);
    init(&bed, &here);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let shared = Shared { bed, here, there };
    shared.in_step();
    Some(shared)
}

impl Shared {
    #[track_caller]
    pub(crate) fn here(&self, words: &[&str]) -> String {
        git(&self.bed, &self.here, words)
    }

    #[track_caller]
    pub(crate) fn there(&self, words: &[&str]) -> String {
        git(&self.bed, &self.there, words)
    }

    /// All that a side's git says: HEAD, branches, tags, what is staged, stashes, the status.
    #[track_caller]
    pub(crate) fn all(&self, dir: &Path) -> String {
        let mut text = String::new();
        for words in [
            &["symbolic-ref", "-q", "HEAD"][..],
            &["rev-parse", "-q", "--verify", "HEAD"],
            &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"],
            &["ls-files", "-s"],
            &["stash", "list", "--format=%H %gs"],
            &["status", "--porcelain=v1", "--untracked-files=all"],
        ] {
            let run = try_git(&self.bed, dir, words);
            text.push_str(&format!("$ {}\n{}", words[0], run.stdout));
        }
        text
    }

    /// Waits until both sides' git says the same. Gives how long that took.
    #[track_caller]
    pub(crate) fn in_step(&self) -> Duration {
        let started = Instant::now();
        let (mut here, mut there) = (String::new(), String::new());
        let same = poll(PATIENCE, || {
            (here, there) = (self.all(&self.here), self.all(&self.there));
            here == there
        });
        assert!(same, "--- here\n{here}\n--- there\n{there}\n--- log\n{}", self.log());
        started.elapsed()
    }

    /// The same, with nothing to be committed on either side.
    #[track_caller]
    pub(crate) fn clean(&self) {
        self.in_step();
        let clean = poll(PATIENCE, || {
            self.here(&["status", "--porcelain"]).is_empty()
                && self.there(&["status", "--porcelain"]).is_empty()
        });
        assert!(clean, "{}\n{}\n{}", self.all(&self.here), self.all(&self.there), self.log());
        self.in_step();
        // No lock of ours is left, and nothing is broken.
        for dir in [&self.here, &self.there] {
            wait_until("the lock is gone", PATIENCE, || !dir.join(".git/index.lock").exists());
            let run = try_git(&self.bed, dir, &["fsck", "--no-dangling", "--no-progress"]).success();
            assert_eq!(run.stderr.trim(), "", "{run}");
        }
    }

    /// What is noted here that both sides had in common.
    fn base(&self) -> serde_json::Value {
        let files = std::fs::read_dir(self.here.join(".git/sinc")).unwrap().flatten().map(|file| file.path());
        let mut bases = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("base-"));
        serde_json::from_slice(&std::fs::read(bases.next().unwrap()).unwrap()).unwrap()
    }

    /// `sinc git --json`.
    #[track_caller]
    pub(crate) fn told(&self) -> serde_json::Value {
        let run = self.bed.sandbox.sinc_in(&self.here, &["git", "--json"]).success();
        documented::data("git", &run.stdout)
    }

    /// Waits until `sinc git` says this state.
    #[track_caller]
    pub(crate) fn wait_state(&self, state: &str) -> serde_json::Value {
        let mut last = serde_json::Value::Null;
        let done = poll(PATIENCE, || {
            last = self.told();
            last["state"] == state
        });
        assert!(done, "{last:#}\n{}", self.log());
        last
    }

    pub(crate) fn log(&self) -> String {
        let dir = self.bed.sandbox.home().join(".local/state/sinc/logs");
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|file| file.to_string_lossy().contains("link-"));
        logs.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// A change on a side, committed there.
    #[track_caller]
    pub(crate) fn commit(&self, dir: &Path, file: &str, text: &str) -> String {
        steps::write(&dir.join(file), text);
        git(&self.bed, dir, &["add", "-A"]);
        git(&self.bed, dir, &["commit", "-q", "-m", &format!("{file}: {text}")]);
        git(&self.bed, dir, &["rev-parse", "HEAD"])
    }

    #[track_caller]
    fn sinc(&self, words: &[&str]) -> Run {
        self.bed.sandbox.sinc_in(&self.here, words)
    }
}

#[test]
fn the_host_gets_a_repository_with_a_clean_status_before_the_agent_starts() {
    let Some(mut bed) = Bed::new() else { return };
    // What the agent finds.
    let agent = "#!/bin/sh\n{ git log --format=%s; git status --porcelain; } >~/found.new 2>&1; mv ~/found.new ~/found; exec cat\n";
    bed.host.add_program("opencode", agent).unwrap();
    let files =
        [("src/one", "1\n"), ("dos", "a\r\nb\r\n"), ("left out", "x\n"), ("a.swp", ""), ("kept.swp", "")];
    let here = bed.project("app", &files);
    // What the person leaves out of each project, where git looks for it if no setting names another file.
    bed.sandbox.set("SINC_CONFIG", bed.sandbox.home().join(CONFIG));
    let xdg = bed.sandbox.home().join("settings");
    steps::write(&xdg.join("git/ignore"), "# each\n*.swp\n");
    bed.sandbox.set("XDG_CONFIG_HOME", xdg);
    steps::write(&here.join(".gitignore"), "*.o\n");
    git(&bed, &here, &["init", "-q", "-b", "main"]);
    std::fs::write(here.join(".git/info/exclude"), "left out\n!kept.swp\n").unwrap();
    init(&bed, &here);
    for (name, value) in [
        ("core.autocrlf", "false"),
        ("core.eol", "lf"),
        ("core.fileMode", "true"),
        ("pull.rebase", "true"),
        ("alias.evil", "!touch /tmp/evil"),
        ("credential.helper", "store"),
        ("commit.gpgSign", "false"),
        ("remote.origin.url", "https://ada:secret@example.com/a.git"),
    ] {
        git(&bed, &here, &["config", name, value]);
    }
    git(&bed, &here, &["tag", "v1"]);
    git(&bed, &here, &["branch", "other"]);
    let run = steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    // At once, without waiting for anything.
    let on_host = |words: &[&str]| {
        let git = ["-u", "XDG_CONFIG_HOME", "git", "-C", there.to_str().unwrap()];
        bed.sandbox.run("env", &[&git[..], words].concat())
    };
    let status = on_host(&["status", "--porcelain", "--ignored"]).success();
    assert_eq!(status.stdout, "!! .sinc-session\n!! a.swp\n!! \"left out\"\n", "{run}");
    // The project's own word counts more.
    on_host(&["check-ignore", "--no-index", "kept.swp"]).exits(1);
    assert_eq!(git(&bed, &there, &["log", "--format=%an %s"]), "Ada first");
    assert!(run.stderr.contains("Shared git: main is on both sides"), "{run}");
    // These settings and no others: no alias, credential, hook or signature, and no secret in an address.
    let no_push = "./sinc: commits go to the laptop by themselves, and are pushed from there";
    let mut expected = vec![
        "commit.gpgsign=false".to_owned(),
        "core.autocrlf=false".to_owned(),
        "core.bare=false".to_owned(),
        "core.eol=lf".to_owned(),
        "core.filemode=true".to_owned(),
        "core.logallrefupdates=true".to_owned(),
        "core.repositoryformatversion=0".to_owned(),
        "pull.rebase=true".to_owned(),
        "push.default=current".to_owned(),
        "remote.laptop.url=.".to_owned(),
        "remote.origin.fetch=+refs/heads/*:refs/remotes/origin/*".to_owned(),
        "remote.origin.url=https://example.com/a.git".to_owned(),
        "remote.pushdefault=laptop".to_owned(),
        "tag.gpgsign=false".to_owned(),
        "user.email=ada@example.com".to_owned(),
        "user.name=Ada".to_owned(),
    ];
    expected.extend(["laptop", "origin"].map(|name| format!("remote.{name}.pushurl={no_push}")));
    expected.sort();
    let config = on_host(&["config", "--local", "--list"]).success().stdout;
    let mut config: Vec<&str> = config.lines().collect();
    config.sort_unstable();
    assert_eq!(config, expected);
    let found = bed.host.remote_home().join("found");
    wait_until("the agent has looked", PATIENCE, || found.exists());
    assert_eq!(std::fs::read_to_string(found).unwrap(), "first\n");
    // A push says where that is done.
    let push = try_git(&bed, &there, &["push"]);
    assert!(push.code != 0 && push.stderr.contains("pushed from there"), "{push}");
    let push = try_git(&bed, &there, &["push", "origin", "main"]);
    assert!(push.code != 0 && push.stderr.contains("pushed from there"), "{push}");
    // The rest follows.
    let shared = Shared { bed, here, there };
    shared.clean();
    assert_eq!(shared.there(&["branch", "--format=%(refname:short)"]), "main\nother");
    let told = shared.wait_state("in-step");
    assert_eq!(told["here"]["commit"], told["there"]["commit"], "{told}");
    let status = shared.sinc(&["status"]).success();
    assert!(status.stdout.contains("git       in step"), "{status}");
}

#[test]
fn in_a_terminal_it_is_seen_how_much_of_the_history_is_sent() {
    let Some(bed) = Bed::new() else { return };
    // Too much to go with the look itself, and nothing that packs well.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{state:08x}")
    });
    let noise: String = noise.take(100_000).collect();
    let here = bed.project("app", &[("noise", &noise)]);
    init(&bed, &here);
    let terminal = Terminal::open(&bed.sandbox, &here, &["sh"]);
    let record = terminal.record();
    terminal.type_line(&format!("'{}' --no-attach; echo \"it is d\"one", Sandbox::binary().display()));
    terminal.wait_for("it is done", PATIENCE);
    let recorded = String::from_utf8_lossy(&std::fs::read(record).unwrap()).into_owned();
    assert!(recorded.contains("the project's history: "), "{recorded}");
    assert!(recorded.contains("100% ("), "{recorded}");
    let screen = terminal.screen();
    assert!(!screen.contains("history:") && screen.contains("Shared git: main is on both sides"), "{screen}");
}

#[test]
fn without_a_line_nobody_says_that_both_sides_are_in_step() {
    let Some(shared) = shared() else { return };
    shared.wait_state("in-step");
    shared.bed.host.stop_sshd().unwrap();
    shared.bed.host.break_connections().unwrap();
    shared.commit(&shared.here, "top", "only here\n");
    let mut status = String::new();
    let is_known = poll(PATIENCE, || {
        status = shared.sinc(&["status", "--cached"]).stdout;
        status.contains("git       not known: no line to the host")
    });
    assert!(is_known, "{status}");
    let doctor = shared.sinc(&["doctor"]);
    assert!(doctor.stdout.contains("not known: no line to the host"), "{doctor}");
    shared.bed.host.start_sshd().unwrap();
    shared.clean();
    shared.wait_state("in-step");
}

#[test]
fn who_wants_to_push_from_the_host_can_as_the_docs_say() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[("top", "1\n")]);
    init(&bed, &here);
    git(&bed, &here, &["remote", "add", "origin", "https://example.com/a.git"]);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let remote = bed.host.dir().join("a.git");
    let remote = remote.to_str().unwrap();
    bed.sandbox.run("git", &["init", "-q", "--bare", remote]).success();
    git(&bed, &there, &["config", "remote.origin.pushurl", remote]);
    git(&bed, &there, &["config", "--unset", "remote.pushDefault"]);
    let shared = Shared { bed, here, there };
    shared.commit(&shared.there, "top", "2\n");
    shared.there(&["push", "-q"]);
    let pushed = shared.bed.sandbox.run("git", &["-C", remote, "log", "--format=%s", "main"]).success();
    assert_eq!(pushed.stdout, "top: 2\nfirst\n");
    // sinc lets these settings be.
    shared.clean();
    shared.commit(&shared.here, "top", "3\n");
    shared.clean();
    shared.there(&["push", "-q"]);
    let pushed = shared.bed.sandbox.run("git", &["-C", remote, "rev-parse", "main"]).success();
    assert_eq!(pushed.stdout.trim_end(), shared.here(&["rev-parse", "main"]));
}

#[test]
fn a_host_that_is_polled_follows_and_is_followed_too() {
    let Some(bed) = Bed::new() else { return };
    bed.host.add_program("inotifywait", "#!/bin/sh\nexit 1\n").unwrap();
    steps::write(&bed.host.remote_home().join(".bashrc"), "PATH=$HOME/.local/bin:$PATH\n");
    let shared = shared_on(bed);
    let status = shared.sinc(&["status"]).success();
    assert!(status.stdout.contains("polling on the host"), "{status}");
    for (from, to) in [(&shared.there, &shared.here), (&shared.here, &shared.there)] {
        let id = shared.commit(from, "top", &format!("in {}\n", from.display()));
        wait_until("it is on the other side", PATIENCE, || {
            git(&shared.bed, to, &["rev-parse", "HEAD"]) == id
        });
        shared.clean();
        git(&shared.bed, from, &["checkout", "-q", "-b", "work"]);
        shared.clean();
        git(&shared.bed, to, &["checkout", "-q", "main"]);
        git(&shared.bed, to, &["branch", "-q", "-D", "work"]);
        shared.clean();
    }
}

#[test]
fn a_commit_on_either_side_is_on_the_other_with_a_clean_status() {
    let Some(shared) = shared() else { return };
    let mut times = Vec::new();
    for n in 0..3 {
        for (from, to) in [(&shared.there, &shared.here), (&shared.here, &shared.there)] {
            let id = shared.commit(from, "src/one", &format!("{n} in {}\n", from.display()));
            let started = Instant::now();
            let arrived = poll(PATIENCE, || {
                git(&shared.bed, to, &["rev-parse", "HEAD"]) == id
                    && git(&shared.bed, to, &["status", "--porcelain"]).is_empty()
            });
            assert!(arrived, "{}\n{}", shared.all(to), shared.log());
            times.push(started.elapsed());
            shared.clean();
        }
    }
    // A busy machine may have slow moments, but not each time.
    assert!(times.iter().any(|time| *time < Duration::from_millis(1500)), "{times:?}");
    // Nothing of ours is left among the names.
    for dir in [&shared.here, &shared.there] {
        wait_until("only the branch has a name", PATIENCE, || {
            let names = git(&shared.bed, dir, &["for-each-ref", "--format=%(refname)"]);
            names.lines().all(|name| matches!(name, "refs/heads/main" | "refs/sinc/keep"))
        });
    }
}

#[test]
fn a_purged_host_keeps_its_repository_whole() {
    let Some(shared) = shared() else { return };
    // All that git can do without, which then leaves empty directories.
    shared.bed.sandbox.run("git", &["-C", shared.there.to_str().unwrap(), "gc", "-q"]).success();
    let only = {
        let words = ["commit-tree", "-m", "only there", "HEAD^{tree}"];
        git(&shared.bed, &shared.there, &words)
    };
    let run = shared.bed.sandbox.sinc_in(&shared.here, &["kill", "--purge", "--yes"]).success();
    assert!(run.stderr.contains(".git (the host's repository, which stays whole)"), "{run}");
    assert!(!shared.there.exists());
    let place = run.stderr.split(" on the host in ").nth(1).unwrap().lines().next().unwrap();
    let kept = Path::new(place);
    assert_eq!(git(&shared.bed, kept, &["fsck", "--full", "--strict", "--no-dangling"]), "");
    assert_eq!(git(&shared.bed, kept, &["cat-file", "-t", &only]), "commit");
    assert_eq!(
        git(&shared.bed, kept, &["rev-parse", "main"]),
        git(&shared.bed, &shared.here, &["rev-parse", "main"])
    );
    // The files are here too, and in it.
    assert!(!kept.join("src/one").exists());
}

#[test]
fn what_goes_backwards_or_aside_goes_over_too() {
    let Some(shared) = shared() else { return };
    for (side, other) in [(&shared.there, &shared.here), (&shared.here, &shared.there)] {
        let git = |words: &[&str]| git(&shared.bed, side, words);
        shared.commit(side, "top", "to be amended\n");
        shared.clean();
        git(&["commit", "-q", "--amend", "-m", "amended"]);
        shared.clean();
        assert_eq!(crate::git::git(&shared.bed, other, &["log", "-1", "--format=%s"]), "amended");
        git(&["reset", "-q", "--hard", "HEAD~1"]);
        shared.clean();
        // Switched, with other files, and back.
        git(&["checkout", "-q", "-b", "work"]);
        shared.commit(side, "top", "on the branch\n");
        shared.clean();
        assert_eq!(crate::git::git(&shared.bed, other, &["branch", "--show-current"]), "work");
        git(&["checkout", "-q", "main"]);
        shared.clean();
        git(&["branch", "-q", "-D", "work"]);
        git(&["tag", "-a", "-m", "a tag", "v2"]);
        shared.clean();
        git(&["tag", "-d", "v2"]);
        // Detached.
        git(&["checkout", "-q", "--detach"]);
        shared.clean();
        git(&["checkout", "-q", "main"]);
        shared.clean();
    }
    let lost = shared.sinc(&["git", "lost"]).success();
    assert!(lost.stdout.contains("main"), "{lost}");
}

#[test]
fn what_is_staged_or_stashed_goes_over_too() {
    let Some(shared) = shared() else { return };
    for side in [&shared.there, &shared.here] {
        let git = |words: &[&str]| git(&shared.bed, side, words);
        steps::write(&side.join("top"), "staged\n");
        steps::write(&side.join("fresh"), "staged too\n");
        git(&["add", "top", "fresh"]);
        shared.in_step();
        assert!(shared.here(&["status", "--porcelain"]).contains("M  top"), "{}", shared.all(&shared.here));
        git(&["stash", "push", "-q", "-m", "for later"]);
        shared.clean();
        assert!(shared.here(&["stash", "list"]).contains("for later"));
        git(&["stash", "pop", "-q", "--index"]);
        shared.in_step();
        assert_eq!(shared.there(&["stash", "list"]), "");
        assert!(shared.there(&["status", "--porcelain"]).contains("M  top"), "{}", shared.all(&shared.there));
        git(&["reset", "-q", "--hard"]);
        shared.clean();
    }
}

#[test]
fn what_was_committed_on_both_sides_is_left_alone_and_joined() {
    let Some(shared) = shared() else { return };
    // At the same moment, as far as the link knows: it is stopped.
    shared.sinc(&["link", "stop"]).success();
    let here = shared.commit(&shared.here, "top", "here\n");
    let there = shared.commit(&shared.there, "more", "there\n");
    let notified = desktop(&shared.bed);
    // A plain client of the session: sinc's own would start the link.
    let session = format!("tmux attach -t ={}", steps::session_id(&shared.bed.sandbox));
    let terminal = Terminal::open(&shared.bed.sandbox, &shared.here, &["ssh", "-t", "demo", &session]);
    terminal.wait_for("agent ready", PATIENCE);
    shared.sinc(&["link", "start"]).success();
    terminal.wait_for("sinc: git: main moved on both sides: see `sinc git`", PATIENCE);
    drop(terminal);
    let told = shared.wait_state("differs");
    assert_eq!(told["differs"][0]["name"], "refs/heads/main", "{told:#}");
    wait_until("the desktop is told", PATIENCE, || notified().contains("main moved on both sides in app"));
    assert_eq!(notified().lines().count(), 1, "{}", notified());
    // The link tells it a moment later.
    wait_until("the link tells it", PATIENCE, || shared.sinc(&["status"]).stdout.contains("differs: main"));
    let doctor = shared.sinc(&["doctor"]);
    let of = format!(
        "warning  git of {}: differs: main\n         mend it: `sinc git --session ",
        shared.here.display()
    );
    for line in ["ok       git on the host: ", &of] {
        assert!(doctor.stdout.contains(line), "{line}\n{doctor}");
    }
    // What it says mends it tells more.
    let fix = doctor.stdout.split_once("`sinc git --session ").unwrap().1.split('`').next().unwrap();
    let more =
        shared.bed.sandbox.sinc(&["git", "--session", fix.trim_end_matches(" tells more")]).success().stdout;
    assert!(more.contains("differs   main: 1 commit only here"), "{more}");
    assert_eq!((&told["differs"][0]["only_here"], &told["differs"][0]["only_there"]), (&1.into(), &1.into()));
    wait_until("each is shown to the other", PATIENCE, || {
        try_git(&shared.bed, &shared.here, &["rev-parse", "host/main"]).stdout.trim() == there
            && try_git(&shared.bed, &shared.there, &["rev-parse", "laptop/main"]).stdout.trim() == here
    });
    // Nobody was moved.
    assert_eq!(
        (shared.here(&["rev-parse", "main"]), shared.there(&["rev-parse", "main"])),
        (here.clone(), there.clone())
    );
    let status = shared.sinc(&["status"]).success();
    assert!(status.stdout.contains("differs: main"), "{status}\n{}", shared.log());
    let joined = shared.sinc(&["git", "join"]).success();
    assert!(joined.stderr.contains("Joined main"), "{joined}");
    shared.clean();
    assert_eq!(shared.there(&["show", "main:top"]), "here");
    assert_eq!(shared.here(&["show", "main:more"]), "there");
    assert_eq!(shared.here(&["rev-list", "--count", "main"]), "4");
    wait_until("nothing is shown any more", PATIENCE, || {
        shared.here(&["for-each-ref", "refs/remotes"]).is_empty()
            && shared.there(&["for-each-ref", "refs/remotes"]).is_empty()
    });

    // The same, and this time on top of each other.
    shared.sinc(&["link", "stop"]).success();
    shared.commit(&shared.here, "top", "here again\n");
    let there = shared.commit(&shared.there, "more", "there again\n");
    shared.sinc(&["link", "start"]).success();
    shared.wait_state("differs");
    let run = shared.sinc(&["git", "join", "main", "--rebase", "--json"]).success();
    let joined = documented::data("git join", &run.stdout);
    assert_eq!(
        (&joined["joined"][0]["name"], &joined["joined"][0]["moved"]),
        (&"main".into(), &true.into()),
        "{joined}"
    );
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "main~1"]), there);
    assert_eq!(shared.here(&["log", "-1", "--format=%an %s"]), "Ada top: here again");

    // The same file: nothing is joined, and it is said what can be done.
    shared.sinc(&["link", "stop"]).success();
    let here = shared.commit(&shared.here, "top", "mine\n");
    let there = shared.commit(&shared.there, "top", "theirs\n");
    shared.sinc(&["link", "start"]).success();
    shared.wait_state("differs");
    let refused = shared.sinc(&["git", "join"]).exits(1);
    assert!(refused.stderr.contains("top") && refused.stderr.contains("--mine"), "{refused}");
    assert_eq!(
        (shared.here(&["rev-parse", "main"]), shared.there(&["rev-parse", "main"])),
        (here.clone(), there.clone())
    );
    assert_eq!(
        (steps::read(&shared.here.join("top")), steps::read(&shared.there.join("top"))),
        ("mine\n".to_owned(), "theirs\n".to_owned())
    );
    shared.sinc(&["git", "join", "--mine"]).success();
    wait_until("both have what is here", PATIENCE, || shared.there(&["rev-parse", "main"]) == here);
    let lost = shared.sinc(&["git", "lost"]).success();
    assert!(lost.stdout.contains(&there[..9]), "{lost}");
    let lost = documented::data("git lost", &shared.sinc(&["git", "lost", "--json"]).success().stdout);
    let all = lost["lost"].as_array().unwrap();
    assert!(all.iter().any(|one| one["commit"] == there && one["side"] == "host"), "{lost:#}");
}

#[test]
fn nothing_moves_while_a_merge_is_in_progress() {
    let Some(shared) = shared() else { return };
    let there = |words: &[&str]| try_git(&shared.bed, &shared.there, words);
    there(&["checkout", "-q", "-b", "side"]).success();
    shared.commit(&shared.there, "top", "side\n");
    there(&["checkout", "-q", "main"]).success();
    shared.commit(&shared.there, "top", "main\n");
    shared.clean();
    there(&["merge", "-q", "side"]).exits(1);
    let told = shared.wait_state("held");
    assert!(told["why"].as_str().unwrap().contains("merge"), "{told:#}");
    let before = shared.here(&["rev-parse", "main"]);
    there(&["merge", "--abort"]).success();
    shared.clean();
    assert_eq!(shared.here(&["rev-parse", "main"]), before);
    // Settled instead of ended.
    there(&["merge", "-q", "side"]).exits(1);
    steps::write(&shared.there.join("top"), "both\n");
    there(&["commit", "-q", "-a", "-m", "merged"]).success();
    shared.clean();
    assert_eq!(shared.here(&["log", "-1", "--format=%s"]), "merged");
}

#[test]
fn a_lock_that_a_killed_sinc_left_is_taken_away_and_one_of_gits_is_not() {
    let Some(shared) = shared() else { return };
    for dir in [&shared.here, &shared.there] {
        // A process that is gone, and a start of the machine that is not this one.
        let other = if *dir == shared.here { &shared.there } else { &shared.here };
        std::fs::write(dir.join(".git/index.lock"), "sinc-lock 999999999 never\n").unwrap();
        git(&shared.bed, other, &["tag", "goes"]);
        shared.clean();
        git(&shared.bed, other, &["tag", "-d", "goes"]);
        shared.clean();
        // With the git that it had started, which held others.
        let locks = [".git/refs/heads/killed.lock", ".git/packed-refs.lock", ".git/HEAD.lock"];
        for lock in locks {
            std::fs::write(dir.join(lock), "").unwrap();
        }
        let moves = dir.join(".git/sinc/a.999999999.moves");
        std::fs::write(&moves, "sinc-lock 999999999 never\nx HEAD\ndelete refs/heads/killed 0\n").unwrap();
        git(&shared.bed, other, &["branch", "killed"]);
        shared.clean();
        assert!(!moves.exists() && locks.iter().all(|lock| !dir.join(lock).exists()));
        git(&shared.bed, other, &["branch", "-D", "killed"]);
        shared.clean();
        std::fs::write(dir.join(".git/index.lock"), "").unwrap();
        git(&shared.bed, other, &["tag", "waits"]);
        let told = shared.wait_state("held");
        assert!(told["why"].as_str().unwrap().contains("git is at work"), "{told:#}");
        assert!(dir.join(".git/index.lock").exists());
        std::fs::remove_file(dir.join(".git/index.lock")).unwrap();
        shared.clean();
        git(&shared.bed, other, &["tag", "-d", "waits"]);
        shared.clean();
    }
}

#[test]
fn a_project_without_git_gets_none_and_one_that_wants_none_too() {
    let Some(bed) = Bed::new() else { return };
    let plain = bed.project("plain", &[("a", "1\n")]);
    steps::connect(&bed.sandbox, &plain);
    let there = steps::there(&bed, "plain");
    steps::write(&there.join("b"), "2\n");
    steps::wait_text(&plain.join("b"), "2\n");
    assert!(!there.join(".git").exists());
    let run = bed.sandbox.sinc_in(&plain, &["git"]).success();
    assert!(run.stdout.contains("not shared: there is no repository here"), "{run}");

    // Turned off.
    drop(bed);
    let Some(mut bed) = Bed::new() else { return };
    bed.sandbox.set("SINC_GIT", "false");
    let other = bed.project("other", &[("a", "1\n")]);
    init(&bed, &other);
    let run = steps::connect(&bed.sandbox, &other);
    assert!(!run.stderr.contains("git"), "{run}");
    let there = steps::there(&bed, "other");
    steps::write(&there.join("b"), "2\n");
    steps::wait_text(&other.join("b"), "2\n");
    git(&bed, &other, &["add", "b"]);
    steps::write(&other.join("c"), "3\n");
    steps::wait_text(&there.join("c"), "3\n");
    assert!(!there.join(".git").exists());
    let run = bed.sandbox.sinc_in(&other, &["git", "join"]).exits(1);
    assert!(run.stderr.contains("git = false"), "{run}");
}

#[test]
fn in_a_mode_that_does_not_go_both_ways_the_host_gets_none() {
    let Some(mut bed) = Bed::new() else { return };
    for mode in ["one-way-safe", "one-way-replica", "none"] {
        bed.sandbox.set("SINC_MODE", mode);
        let here = bed.project(mode, &[("a", "1\n")]);
        init(&bed, &here);
        let run = steps::connect(&bed.sandbox, &here);
        assert!(!run.stderr.contains("Shared git"), "{run}");
        let there = steps::there(&bed, mode);
        if mode != "none" {
            steps::write(&here.join("b"), "2\n");
            bed.sandbox.sinc_in(&here, &["flush"]).success();
            assert_eq!(steps::read(&there.join("b")), "2\n");
        }
        assert!(there.exists() && !there.join(".git").exists(), "{mode}");
        let run = bed.sandbox.sinc_in(&here, &["git"]).success();
        assert!(run.stdout.contains("not shared: only in the modes that go both ways"), "{run}");
    }
}

#[test]
fn without_a_link_each_sinc_and_each_flush_brings_git_in_step() {
    let Some(mut bed) = Bed::new() else { return };
    bed.sandbox.set("SINC_LINK", "false");
    let here = bed.project("app", &[("src/one", "1\n"), ("top", "2\n"), ("more", "3\n")]);
    init(&bed, &here);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let shared = Shared { bed, here, there };
    // Also what is more than the branch that this side stands on.
    shared.here(&["branch", "other"]);
    for command in ["--no-attach", "flush"] {
        for (side, other) in [(&shared.there, &shared.here), (&shared.here, &shared.there)] {
            let id = shared.commit(side, "top", &format!("{command} in {}\n", side.display()));
            assert_ne!(git(&shared.bed, other, &["rev-parse", "main"]), id, "nobody has been asked");
            let run = shared.sinc(&[command]).success();
            assert!(run.stderr.contains("Shared git: main is on both sides"), "{run}");
            // At once.
            assert_eq!(shared.all(&shared.here), shared.all(&shared.there), "{run}");
            assert_eq!(git(&shared.bed, other, &["rev-parse", "main"]), id, "{run}");
            assert_eq!(git(&shared.bed, other, &["status", "--porcelain"]), "", "{run}");
        }
    }
    // One that only attaches does it a moment later.
    let id = shared.commit(&shared.here, "top", "attached\n");
    let terminal = steps::attach(&shared.bed.sandbox, &shared.here);
    shared.clean();
    assert_eq!(shared.there(&["rev-parse", "main"]), id);
    steps::detach(terminal);
    // What was moved on both sides is told.
    shared.commit(&shared.here, "top", "here\n");
    shared.commit(&shared.there, "more", "there\n");
    let run = shared.sinc(&["flush"]).success();
    assert!(run.stderr.contains("git: main moved on both sides: see `sinc git`"), "{run}");
    let run = shared.sinc(&["git", "join"]).success();
    assert!(run.stderr.contains("Joined main"), "{run}");
    assert_eq!(shared.all(&shared.here), shared.all(&shared.there), "{run}");
}

#[test]
fn of_a_part_of_a_repository_it_is_said_where_git_is_shared() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("mono/app", &[("a", "1\n")]);
    let above = here.parent().unwrap();
    init(&bed, above);
    let told = format!("not shared: this directory is a part of the repository in {}", above.display());
    let run = steps::connect(&bed.sandbox, &here);
    assert!(run.stderr.contains(&format!("git is {told}")), "{run}");
    // Once; and where a person looks.
    let run = steps::connect(&bed.sandbox, &here);
    assert!(!run.stderr.contains(&told), "{run}");
    for words in ["status", "git"] {
        let run = bed.sandbox.sinc_in(&here, &[words]).success();
        assert!(run.stdout.contains(&told), "{run}");
    }
    bed.sandbox.configure_also("[sync]\ngit = false\n");
    let run = bed.sandbox.sinc_in(&here, &["status"]).success();
    assert!(!run.stdout.contains(&told), "{run}");
}

#[test]
fn tracked_files_that_the_sync_leaves_out_are_said() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[("a", "1\n"), ("node_modules/x", "1\n")]);
    init(&bed, &here);
    let run = steps::connect(&bed.sandbox, &here);
    let told = "the sync leaves out tracked files (1, as `node_modules/x`)";
    assert!(run.stderr.contains(told), "{run}");
    let there = steps::there(&bed, "app");
    let shared = Shared { bed, here, there };
    shared.clean();
    assert!(shared.sinc(&["git"]).success().stdout.contains(told));
    assert!(!shared.there.join("node_modules").exists());
}

/// Between a change of what is left out and the next `sinc` it is what the running sync leaves out that git there is told, by whoever
/// tells it.
#[test]
fn a_join_tells_git_there_what_the_running_sync_leaves_out() {
    let Some(shared) = shared() else { return };
    shared.sinc(&["link", "stop"]).success();
    shared.commit(&shared.here, "top", "here\n");
    shared.commit(&shared.there, "more", "there\n");
    steps::write(&shared.here.join(".sincignore"), "src\n");
    shared.sinc(&["git", "join"]).success();
    let rules = shared.there.join(".git/info/sparse-checkout");
    let is_told = || std::fs::read_to_string(&rules).is_ok_and(|rules| rules.contains("!src\n"));
    assert!(!is_told());
    let told = "the sync leaves out tracked files";
    assert!(!shared.sinc(&["git"]).success().stdout.contains(told));
    shared.sinc(&["--no-attach"]).success();
    assert!(shared.sinc(&["git"]).success().stdout.contains(told));
    wait_until("git there is told", PATIENCE, is_told);
}

#[test]
fn a_repository_that_is_made_later_is_shared() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[("a", "1\n")]);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    init(&bed, &here);
    let shared = Shared { bed, here, there };
    wait_until("the host has it", PATIENCE, || shared.there.join(".git/HEAD").exists());
    shared.clean();
    shared.commit(&shared.there, "a", "2\n");
    shared.clean();
}

#[test]
fn a_link_that_is_killed_at_any_moment_is_made_good_by_the_next() {
    let Some(shared) = shared() else { return };
    let file = || -> serde_json::Value {
        let run = shared.sinc(&["link", "status", "--json"]).success();
        serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()["data"]["links"][0].clone()
    };
    for n in 0..6_u64 {
        let (from, other) =
            if n % 2 == 0 { (&shared.there, &shared.here) } else { (&shared.here, &shared.there) };
        let pid = file()["pid"].to_string();
        let id = shared.commit(from, "src/one", &format!("{n}\n"));
        git(&shared.bed, from, &["checkout", "-q", "-b", &format!("b{n}")]);
        // At another moment of the cycle each time; it may be over already.
        let until = Instant::now() + Duration::from_millis(20 + 45 * n);
        wait_until("the moment has come", PATIENCE, || Instant::now() >= until);
        shared.bed.sandbox.run("kill", &["-9", &pid]).success();
        wait_until("it is gone", PATIENCE, || !Path::new("/proc").join(&pid).exists());
        shared.sinc(&["link", "start"]).success();
        shared.clean();
        assert_eq!(git(&shared.bed, other, &["rev-parse", "HEAD"]), id);
        // The one that was killed may have moved everything and not noted it. The next commit must not come before the new one
        // has looked: that would be one on either side.
        let agreed = format!("b{n}");
        wait_until("it is noted", PATIENCE, || shared.base()["head"]["branch"] == agreed.as_str());
    }
}

/// A save here at the moment when git on the host rewrites the same file: wherever it ends, its bytes are somewhere.
#[test]
fn what_is_saved_while_git_on_the_host_rewrites_the_files_is_not_lost() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[("top", "2\n")]);
    for n in 0..400 {
        steps::write(&here.join(format!("src/{}/{n}", n / 20)), "one\n");
    }
    init(&bed, &here);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let shared = Shared { bed, here, there };
    shared.clean();
    shared.there(&["checkout", "-q", "-b", "other"]);
    for n in 0..400 {
        steps::write(&shared.there.join(format!("src/{}/{n}", n / 20)), "two\n");
    }
    shared.there(&["commit", "-q", "-a", "-m", "two"]);
    shared.there(&["checkout", "-q", "main"]);
    shared.clean();
    for round in 0..8_u32 {
        let to = if round % 2 == 0 { "other" } else { "main" };
        let (file, text) =
            (format!("src/{}/{}", round, round * 20 + 7), format!("saved here in round {round}\n"));
        let before = Duration::from_millis(u64::from(round) * 15);
        let saved = Instant::now();
        std::fs::write(shared.here.join(&file), &text).unwrap();
        wait_until("the moment has come", PATIENCE, || saved.elapsed() >= before);
        // It may refuse: the save is there already.
        let _ = try_git(&shared.bed, &shared.there, &["checkout", "-q", to]);
        let kept = || {
            let ids =
                try_git(&shared.bed, &shared.here, &["log", "-g", "--format=%H", "refs/sinc/keep", "--"])
                    .stdout;
            ids.lines().any(|id| {
                try_git(&shared.bed, &shared.here, &["show", &format!("{id}:{file}")]).stdout == text
            })
        };
        let somewhere = || {
            let at = |dir: &Path| std::fs::read_to_string(dir.join(&file)).unwrap_or_default();
            (at(&shared.here), at(&shared.there))
        };
        // Both come to rest: on the same branch, with the same file, or with a conflict, which stays.
        let branch = |dir: &Path| git(&shared.bed, dir, &["branch", "--show-current"]);
        wait_until("both stand on one branch", PATIENCE, || branch(&shared.here) == branch(&shared.there));
        poll(Duration::from_secs(3), || somewhere().0 == somewhere().1);
        let (l, h) = somewhere();
        let found = l == text || h == text || poll(Duration::from_secs(3), kept);
        assert!(found, "round {round}: {:?}\n{}", somewhere(), shared.log());
        // As it was committed, for the next round.
        let _ = shared.bed.sandbox.sinc_in(&shared.here, &["resolve", "--all", "--remote", "--yes"]);
        shared.there(&["checkout", "-q", "-f", to]);
        shared.clean();
    }
}
