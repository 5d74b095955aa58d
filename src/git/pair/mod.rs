//! Two repositories on this machine and whole cycles between them: what a cycle does to real git, without a network, and what
//! becomes of one that is killed or refused at any of its steps.

mod busy;
mod in_the_way;
mod kept;
mod limited;
mod lock;
mod many;
mod on_the_way;
mod programs;
mod set_up;
mod staged;
mod transport;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::cycle::{Outcome, Refused, Sides, Unwritten, Wait};
use super::local::Local;
use super::state::Name;
use super::transport::Transport;
use super::{APPLY, base, join, saves};
use crate::process::{Cmd, Runner};
use crate::remote::{Answer, Script};

/// A line that works.
const LINE: &str = "exec sh -c \"$1\"";

struct Pair {
    _dir: tempfile::TempDir,
    here: PathBuf,
    there: PathBuf,
    /// How git's own transport runs a command on the host.
    line: Cell<&'static str>,
    /// So many whole cycles of the files were waited for.
    whole: AtomicU32,
    /// What such a cycle cannot write: it brings nothing then.
    unwritten: Vec<Unwritten>,
    /// What the host runs in place of `apply.sh`, once.
    instead: std::sync::Mutex<Option<&'static Script>>,
    refused: RefCell<Refused>,
    ignores: Vec<String>,
}

/// Git as a person calls it, with nothing of this machine's settings.
fn person(dir: &Path, words: &[&str]) -> Cmd {
    Cmd::new("git", "be a person")
        .dir(dir)
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .args(["-c", "user.name=Ada", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
        .args(words)
}

fn git(dir: &Path, words: &[&str]) -> String {
    Runner::default()
        .read(&person(dir, words))
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", error.stderr()))
        .trim_end()
        .to_owned()
}

fn script(dir: &Path, script: &Script, words: &[String]) -> Vec<u8> {
    // All of it is one word, as on a host.
    let mut all = vec![dir.to_str().unwrap()];
    all.extend(words.iter().map(String::as_str));
    let cmd = Cmd::new("sh", "be the host")
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .answers(&(0..256).collect::<Vec<_>>())
        .args(["-c", &script.command(&all)]);
    // One that is killed has said nothing.
    let said = Runner::default().answer(&cmd);
    said.map_or_else(|_| Vec::new(), |output| Answer::new(output.code, &output.stdout, output.stderr).bytes)
}

impl Pair {
    /// A repository here with two files and a commit, and an empty directory on the host.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        for side in [&here, &there] {
            std::fs::create_dir(side).unwrap();
        }
        git(&here, &["init", "-q"]);
        std::fs::write(here.join("a"), "1\n").unwrap();
        std::fs::write(here.join("b"), "1\n").unwrap();
        git(&here, &["add", "-A"]);
        git(&here, &["commit", "-qm", "first"]);
        Self {
            _dir: dir,
            here,
            there,
            line: Cell::new(LINE),
            whole: AtomicU32::new(0),
            unwritten: Vec::new(),
            instead: None.into(),
            refused: RefCell::default(),
            ignores: vec!["dist".to_owned()],
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Sides<'_>) -> T) -> T {
        let instead = &self.instead;
        let (here, there) = (self.here.clone(), self.there.clone());
        let ask = |_: &str, asked: &Script, words: &[String]| {
            let other = if asked.line() == APPLY.line() { instead.lock().unwrap().take() } else { None };
            Ok(script(&there, other.unwrap_or(asked), words))
        };
        let (whole, unwritten) = (&self.whole, &self.unwritten);
        let files = |wait| {
            if wait == Wait::Pending {
                return Ok(Vec::new());
            }
            whole.fetch_add(1, Ordering::SeqCst);
            if unwritten.is_empty() {
                sync(&here, &there);
            }
            Ok(unwritten.clone())
        };
        work(&Sides {
            local: Local::new(Runner::default(), &self.here),
            directory: self.there.to_str().unwrap().to_owned(),
            ask: &ask,
            transport: Transport::through(self.line.get(), self.there.to_str().unwrap()),
            files: &files,
            base: base::path(&self.here, "test"),
            ignores: self.ignores.clone(),
            excludes: self.here.with_file_name("excludes"),
            tell: None,
        })
    }

    fn cycle(&self) -> anyhow::Result<Outcome> {
        self.with(|sides| sides.run(&mut self.refused.borrow_mut(), false))
    }

    /// Cycles until nothing moves any more, as the link does.
    #[track_caller]
    fn settle(&self) -> super::cycle::Report {
        for _ in 0..6 {
            match self.cycle() {
                Ok(Outcome::Done(report)) if !report.moved => return *report,
                Ok(Outcome::Done(_) | Outcome::Again(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        panic!("it never comes to rest");
    }

    /// All that git says of a side.
    fn all(dir: &Path) -> String {
        let mut text = String::new();
        for words in [
            &["for-each-ref", "--format=%(objectname) %(refname)"][..],
            &["ls-files", "-s"],
            &["status", "--porcelain=v1", "-b"],
            &["log", "-g", "--format=%H", "--all", "--", "."],
        ] {
            if words[0] != "log" {
                text.push_str(&format!("$ {}\n{}\n", words[0], git(dir, words)));
            }
        }
        text.push_str(&std::fs::read_to_string(dir.join(".git/HEAD")).unwrap());
        // The one name that each side has of its own.
        text.lines()
            .filter(|line| !line.ends_with("refs/sinc/keep"))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    #[track_caller]
    fn alike(&self) {
        let (here, there) = (Self::all(&self.here), Self::all(&self.there));
        assert_eq!(here, there);
        for side in [&self.here, &self.there] {
            git(side, &["fsck", "--no-dangling", "--no-progress"]);
            assert!(!side.join(".git/index.lock").exists());
            let names = git(side, &["for-each-ref", "--format=%(refname)", "refs/sinc/in"]);
            assert_eq!(names, "");
        }
    }

    fn commit(dir: &Path, file: &str, text: &str) -> String {
        std::fs::write(dir.join(file), text).unwrap();
        git(dir, &["add", "-A"]);
        git(dir, &["commit", "-qm", text.trim()]);
        git(dir, &["rev-parse", "HEAD"])
    }
}

/// The files of the side where they were changed later go to the other: enough for these tests, in which one side changes files.
fn sync(here: &Path, there: &Path) {
    let list = |dir: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(dir).unwrap().flatten();
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let known = here.join(".git/known");
    let before: BTreeSet<String> =
        std::fs::read_to_string(&known).unwrap_or_default().lines().map(str::to_owned).collect();
    let time = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    for name in list(here).union(&list(there)) {
        let (l, h) = (here.join(name), there.join(name));
        match (time(&l), time(&h)) {
            (Some(_), None) if before.contains(name) => std::fs::remove_file(&l).unwrap(),
            (None, Some(_)) if before.contains(name) => std::fs::remove_file(&h).unwrap(),
            (l_at, h_at) if std::fs::read(&l).ok() != std::fs::read(&h).ok() => {
                let (from, to) = if l_at >= h_at { (&l, &h) } else { (&h, &l) };
                std::fs::copy(from, to).unwrap();
            }
            _ => {}
        }
    }
    std::fs::write(known, list(here).into_iter().collect::<Vec<_>>().join("\n")).unwrap();
}

#[test]
fn the_host_gets_what_is_here_and_then_each_follows_the_other() {
    let pair = Pair::new();
    git(&pair.here, &["tag", "-a", "-m", "one", "v1"]);
    git(&pair.here, &["branch", "other"]);
    pair.settle();
    pair.alike();
    for (side, other) in [(&pair.there, &pair.here), (&pair.here, &pair.there)] {
        let id = Pair::commit(side, "a", &format!("2 {}\n", side.display()));
        pair.settle();
        pair.alike();
        assert_eq!(git(other, &["rev-parse", "HEAD"]), id);
        std::fs::write(side.join("b"), format!("staged {}\n", side.display())).unwrap();
        git(side, &["add", "b"]);
        pair.settle();
        pair.alike();
        assert_eq!(git(other, &["diff", "--cached", "--name-only"]), "b");
        git(side, &["stash", "-q"]);
        pair.settle();
        sync(&pair.here, &pair.there);
        pair.alike();
        git(side, &["stash", "pop", "-q", "--index"]);
        pair.settle();
        git(side, &["reset", "-q", "--hard"]);
        git(side, &["checkout", "-qb", "work"]);
        Pair::commit(side, "b", "on the branch\n");
        git(side, &["checkout", "-q", "--detach", "main"]);
        pair.settle();
        pair.alike();
        git(side, &["checkout", "-q", "main"]);
        git(side, &["branch", "-qD", "work"]);
        git(side, &["checkout", "-q", "--orphan", "fresh"]);
        pair.settle();
        pair.alike();
        Pair::commit(side, "a", "fresh\n");
        pair.settle();
        pair.alike();
        git(side, &["checkout", "-q", "main"]);
        git(side, &["branch", "-qD", "fresh"]);
        git(side, &["pack-refs", "--all"]);
        git(side, &["gc", "-q"]);
        pair.settle();
        pair.alike();
        // The reflog says how it came there, so that git finds the way back.
        git(side, &["checkout", "-q", "other"]);
        pair.settle();
        git(other, &["checkout", "-q", "-"]);
        assert_eq!(git(other, &["branch", "--show-current"]), "main");
        pair.settle();
        pair.alike();
    }
}

#[test]
fn what_is_checked_out_goes_first() {
    let pair = Pair::new();
    git(&pair.here, &["branch", "other"]);
    git(&pair.here, &["tag", "v1"]);
    let first = pair.with(|sides| sides.run(&mut pair.refused.borrow_mut(), true));
    assert!(matches!(first, Ok(Outcome::Done(_))), "{first:?}");
    let refs = |side: &Path| git(side, &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags"]);
    assert_eq!(refs(&pair.there), "refs/heads/main");
    pair.settle();
    assert_eq!(refs(&pair.there), refs(&pair.here));
    pair.alike();
}

#[test]
fn a_tag_that_the_other_side_replaced_or_deleted_can_be_had_back() {
    let pair = Pair::new();
    pair.settle();
    for (side, other) in [(&pair.here, &pair.there), (&pair.there, &pair.here)] {
        let mut tags = Vec::new();
        for replace in [&["tag", "-f", "v1"][..], &["tag", "-d", "v1"]] {
            git(side, &["tag", "-f", "-a", "-m", "with a message", "v1"]);
            pair.settle();
            let tag = git(other, &["rev-parse", "v1"]);
            assert_eq!(git(other, &["cat-file", "-t", &tag]), "tag");
            tags.push(tag);
            Pair::commit(side, "a", &format!("{} {}\n", tags.len(), side.display()));
            git(side, replace);
            pair.settle();
        }
        pair.alike();
        let all = git(other, &["rev-list", "--all", "--reflog", "--objects", "--no-object-names"]);
        assert!(tags.iter().all(|tag| all.contains(tag.as_str())), "{tags:?}\n{all}");
    }
}

#[test]
fn what_both_sides_have_staged_is_put_together() {
    let pair = Pair::new();
    pair.settle();
    for (dir, file) in [(&pair.here, "a"), (&pair.there, "b")] {
        std::fs::write(dir.join(file), "staged\n").unwrap();
        git(dir, &["add", file]);
    }
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.here, &["diff", "--cached", "--name-only"]), "a\nb");
    // Committed there while something else is staged here.
    git(&pair.there, &["commit", "-qm", "both"]);
    std::fs::write(pair.here.join("c"), "new\n").unwrap();
    git(&pair.here, &["add", "c"]);
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.there, &["diff", "--cached", "--name-only"]), "c");
    // The same path: what is here counts, and the host's is kept.
    for (dir, text) in [(&pair.here, "here\n"), (&pair.there, "there\n")] {
        std::fs::write(dir.join("c"), text).unwrap();
        git(dir, &["add", "c"]);
    }
    let blob = git(&pair.there, &["rev-parse", ":c"]);
    pair.settle();
    assert_eq!(git(&pair.there, &["show", ":c"]), "here");
    let kept = git(&pair.here, &["log", "-g", "--format=%H %gs", "refs/sinc/keep"]);
    let commit =
        kept.lines().find(|line| line.contains("staged on the host")).unwrap_or_else(|| panic!("{kept}"));
    assert_eq!(git(&pair.here, &["rev-parse", &format!("{}:c", commit.split(' ').next().unwrap())]), blob);
}

#[test]
fn without_a_base_nothing_is_taken_back() {
    let pair = Pair::new();
    pair.settle();
    std::fs::write(pair.here.join("b"), "staged here\n").unwrap();
    git(&pair.here, &["add", "b"]);
    let id = Pair::commit(&pair.there, "a", "committed there\n");
    std::fs::remove_file(base::path(&pair.here, "test")).unwrap();
    pair.settle();
    pair.alike();
    assert_eq!(git(&pair.here, &["rev-parse", "HEAD"]), id);
    assert_eq!(git(&pair.here, &["diff", "--cached", "--name-only"]), "b");
}

/// `apply.sh` with another line after its line `at`; nothing where that is no line to end at.
fn with_line(at: usize, line: &'static str) -> Option<&'static Script> {
    let text = concat!(include_str!("../env.sh"), include_str!("../pack.sh"), include_str!("../apply.sh"));
    let mut lines: Vec<&str> = text.lines().collect();
    if at >= lines.len() {
        return None;
    }
    lines.insert(at, line);
    let script = Box::leak(Box::new(Script::new(Box::leak(lines.join("\n").into_boxed_str()))));
    let cmd = Cmd::new("sh", "check").args(["-n", "-c", script.line()]).answers(&[0, 1, 2]);
    Runner::default().answer(&cmd).is_ok_and(|output| output.code == 0).then_some(script)
}

#[test]
fn a_move_that_is_killed_after_any_of_its_lines_is_made_good_by_the_next() {
    let pair = Pair::new();
    pair.settle();
    // Before them nothing is done.
    let first = include_str!("../env.sh").lines().count() + include_str!("../pack.sh").lines().count();
    let last = first + include_str!("../apply.sh").lines().count();
    let mut killed = 0;
    let lines: Vec<&str> = include_str!("../apply.sh").lines().collect();
    let moves = lines.iter().position(|line| line.starts_with("move()")).unwrap();
    for at in first..last {
        // Each where something moves, some of the others.
        if !(moves..moves + 14).contains(&(at - first)) && at % 6 != 0 {
            continue;
        }
        let Some(script) = with_line(at, "kill -9 $$;") else { continue };
        // Another commit, another branch, something staged, a stash.
        std::fs::write(pair.here.join("b"), format!("stashed {at}\n")).unwrap();
        git(&pair.here, &["stash", "-q"]);
        git(&pair.here, &["checkout", "-qb", &format!("work-{at}")]);
        let id = Pair::commit(&pair.here, "a", &format!("line {at}\n"));
        std::fs::write(pair.here.join("c"), format!("staged {at}\n")).unwrap();
        git(&pair.here, &["add", "c"]);
        // The files are there already: nothing is refused for them.
        sync(&pair.here, &pair.there);
        *pair.instead.lock().unwrap() = Some(script);
        killed += usize::from(pair.cycle().is_err());
        pair.settle();
        let (here, there) = (Pair::all(&pair.here), Pair::all(&pair.there));
        assert_eq!(here, there, "killed after line {at}");
        pair.alike();
        assert_eq!(git(&pair.there, &["rev-parse", "HEAD"]), id);
        assert_eq!(
            git(&pair.there, &["stash", "list", "--format=%H"]),
            git(&pair.here, &["stash", "list", "--format=%H"])
        );
        git(&pair.here, &["reset", "-q", "--hard"]);
        git(&pair.here, &["checkout", "-q", "main"]);
        git(&pair.here, &["branch", "-qD", &format!("work-{at}")]);
        git(&pair.here, &["stash", "drop", "-q"]);
        pair.settle();
    }
    assert!(killed > 12, "only {killed} were killed");
}

#[test]
fn what_moved_at_the_last_moment_is_not_overwritten() {
    let pair = Pair::new();
    pair.settle();
    Pair::commit(&pair.here, "a", "here\n");
    // Between the look and the move the host commits.
    let race = "cd \"$1\"; echo there >b; git -c user.name=a -c user.email=a commit -qam raced; echo sinc-begin 1; echo refused it moved; exit 0";
    *pair.instead.lock().unwrap() = Some(Box::leak(Box::new(Script::new(race))));
    assert!(matches!(pair.cycle().unwrap(), Outcome::Again(_)));
    let report = pair.settle();
    assert_eq!(report.differs.len(), 1);
    assert_eq!(git(&pair.here, &["log", "-1", "--format=%s", "host/main"]), "raced");
    assert_eq!(git(&pair.there, &["log", "-1", "--format=%s", "laptop/main"]), "here");
    // The move itself looks, too.
    let (here, there) = (git(&pair.here, &["rev-parse", "main"]), git(&pair.there, &["rev-parse", "main"]));
    for wrong in [
        vec!["head ref: refs/heads/other".to_owned()],
        vec![
            "head ref: refs/heads/main".to_owned(),
            "index 4b825dc642cb6eb9a060e54bf8d69288fbee4904".to_owned(),
        ],
        vec!["head ref: refs/heads/main".to_owned(), format!("ref update refs/heads/main {here} {here}")],
    ] {
        let said = String::from_utf8(script(&pair.there, &APPLY, &wrong)).unwrap();
        assert!(said.starts_with("refused "), "{wrong:?}: {said}");
        assert_eq!(git(&pair.there, &["rev-parse", "main"]), there);
        assert!(!pair.there.join(".git/index.lock").exists());
    }
}

#[test]
fn joined_in_each_way() {
    for (how, first, parents) in [
        (join::How::Merge, "Merge main of the host", 2),
        (join::How::Rebase, "here 2", 1),
        (join::How::Mine, "here 2", 1),
        (join::How::Theirs, "there", 1),
    ] {
        let pair = Pair::new();
        pair.settle();
        Pair::commit(&pair.here, "a", "here\n");
        Pair::commit(&pair.here, "c", "here 2\n");
        Pair::commit(&pair.there, "b", "there\n");
        pair.settle();
        let (l, h) = (git(&pair.here, &["rev-parse", "main"]), git(&pair.there, &["rev-parse", "main"]));
        for (key, value) in [("user.name", "Ada"), ("user.email", "a@b")] {
            git(&pair.here, &["config", key, value]);
        }
        let main = Name::parse("main").unwrap();
        let joined = pair.with(|sides| join::join(sides, &main, how, &mut Refused::new())).unwrap();
        let join::Joined::Now(Some(now)) = joined else { panic!("{how:?}: {joined:?}") };
        pair.settle();
        pair.alike();
        assert_eq!(git(&pair.there, &["rev-parse", "main"]), now.as_str());
        assert_eq!(git(&pair.there, &["log", "-1", "--format=%s"]), first, "{how:?}");
        assert_eq!(git(&pair.there, &["log", "-1", "--format=%P"]).split(' ').count(), parents, "{how:?}");
        if matches!(how, join::How::Merge | join::How::Rebase) {
            assert_eq!(git(&pair.here, &["status", "--porcelain"]), "", "{how:?}");
        }
        // Whatever was let go of can be had back.
        for (side, old) in [(&pair.here, &l), (&pair.there, &h)] {
            let kept = git(side, &["log", "-g", "--all", "--format=%H"]);
            assert!(kept.contains(old.as_str()), "{how:?}");
        }
        assert_eq!(git(&pair.here, &["for-each-ref", "refs/remotes"]), "");
        // The files were not touched.
        assert_eq!(std::fs::read_to_string(pair.here.join("a")).unwrap(), "here\n");
        assert_eq!(std::fs::read_to_string(pair.here.join("b")).unwrap(), "there\n");
    }
}

#[test]
fn tracked_files_that_the_sync_leaves_out_do_not_look_deleted() {
    let mut pair = Pair::new();
    pair.ignores.push("*.{out,o}".to_owned());
    for (dir, file) in [("dist", "dist/x"), ("sub", "sub/y.o")] {
        std::fs::create_dir(pair.here.join(dir)).unwrap();
        std::fs::write(pair.here.join(file), "built\n").unwrap();
    }
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "with what is built"]);
    git(&pair.here, &["branch", "other"]);
    pair.settle();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
    std::fs::write(pair.there.join("a"), "2\n").unwrap();
    git(&pair.there, &["commit", "-qam", "there"]);
    pair.settle();
    assert_eq!(git(&pair.here, &["show", "--stat", "--format="]).lines().count(), 2, "only one file");
    std::fs::write(pair.here.join("dist/y"), "built too\n").unwrap();
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "more of it"]);
    pair.settle();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), "");
    // Git there switches without them, and here they stay.
    for (branch, text) in [("other", "other\n"), ("main", "main\n")] {
        git(&pair.there, &["checkout", "-q", branch]);
        assert!(!pair.there.join("dist").exists() && !pair.there.join("sub").exists(), "{branch}");
        std::fs::write(pair.there.join("b"), text).unwrap();
        git(&pair.there, &["commit", "-qam", branch]);
        pair.settle();
        assert_eq!(git(&pair.there, &["status", "--porcelain"]), "", "{branch}");
        assert_eq!(git(&pair.here, &["show", "--stat", "--format="]).lines().count(), 2, "only one file");
        assert_eq!(git(&pair.here, &["ls-files", "dist/x", "sub"]), "dist/x\nsub/y.o");
    }
}

#[test]
fn tracked_files_that_the_sync_leaves_out_are_noted_and_more_so_where_git_on_the_host_is_not_told() {
    let mut pair = Pair::new();
    let noted = |pair: &Pair| pair.with(|sides| sides.left_out().unwrap()).map(|note| note.text);
    pair.settle();
    assert_eq!(noted(&pair), None);
    std::fs::create_dir(pair.here.join("dist")).unwrap();
    for file in ["dist/x", "y.o"] {
        std::fs::write(pair.here.join(file), "built\n").unwrap();
    }
    git(&pair.here, &["add", "-A"]);
    let said = noted(&pair).unwrap();
    assert!(
        said.contains("`dist/x`") && said.contains("`.sincignore`") && !said.contains("commit -a"),
        "{said}"
    );
    pair.ignores.extend((0..400).map(|at| format!("none-{at}")));
    pair.ignores.push("*.o".to_owned());
    let said = noted(&pair).unwrap();
    assert!(said.contains("`y.o`") && said.contains("commit -a") && !said.contains("dist/x"), "{said}");
}

#[test]
fn the_hosts_hooks_filters_and_settings_run_nothing_here() {
    let pair = Pair::new();
    pair.settle();
    let proof = pair.here.parent().unwrap().join("ran");
    let run = format!("#!/bin/sh\ntouch {}\ncat\n", proof.display());
    // In the synced tree, where the host can write, and chosen by this side's own settings.
    let hooks = pair.here.join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    for hook in ["reference-transaction", "post-index-change", "pre-push", "post-checkout", "post-merge"] {
        std::fs::write(hooks.join(hook), &run).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(hooks.join(hook), mode).unwrap();
    }
    let tool = hooks.join("pre-push").display().to_string();
    Pair::commit(&pair.there, ".gitattributes", "* filter=evil merge=evil\n");
    for (key, value) in [
        ("core.hooksPath", "hooks"),
        ("core.fsmonitor", &tool),
        ("filter.evil.clean", &tool),
        ("filter.evil.smudge", &tool),
        ("merge.evil.driver", &tool),
    ] {
        git(&pair.here, &["config", key, value]);
    }
    for (key, value) in [("user.name", "Ada"), ("user.email", "a@b")] {
        git(&pair.here, &["config", key, value]);
    }
    std::fs::remove_file(&proof).unwrap_or(());
    pair.cycle().unwrap();
    Pair::commit(&pair.there, "a", "2\n");
    pair.cycle().unwrap();
    let main = Name::parse("main").unwrap();
    pair.with(|sides| join::join(sides, &main, join::How::Merge, &mut Refused::new())).unwrap();
    assert!(!proof.exists(), "something was run");
}

#[test]
fn a_push_on_the_host_says_that_it_goes_nowhere_whatever_hooks_there_are() {
    let pair = Pair::new();
    git(&pair.here, &["remote", "add", "origin", "https://example.com/a.git"]);
    pair.settle();
    git(&pair.there, &["config", "core.hooksPath", ".husky"]);
    for words in [&["push"][..], &["push", "--no-verify"], &["push", "origin", "main"], &["push", "--all"]] {
        let cmd = Cmd::new("git", "push").dir(&pair.there).args(words);
        let error = Runner::default().answer(&cmd).unwrap_err();
        assert!(error.stderr().contains("sinc: commits go to the laptop"), "{words:?}: {error}");
    }
    // With another address it is a push as any other.
    git(&pair.there, &["config", "--unset", "remote.pushDefault"]);
    let bare = pair.here.parent().unwrap().join("bare");
    git(&pair.here, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    git(&pair.there, &["config", "remote.origin.pushurl", bare.to_str().unwrap()]);
    Pair::commit(&pair.there, "a", "pushed\n");
    git(&pair.there, &["push", "-q"]);
    assert_eq!(git(&bare, &["rev-parse", "main"]), git(&pair.there, &["rev-parse", "main"]));
}

#[test]
fn what_git_on_the_other_side_wrote_over_can_be_had_back() {
    let pair = Pair::new();
    pair.settle();
    let ask = |asked: &Script, words: &[String]| Ok(script(&pair.there, asked, words));
    let kept = |dir: &Path, file: &str| -> Vec<String> {
        let lines = git(dir, &["log", "-g", "--format=%H %gs", "refs/sinc/keep", "--"]);
        let ids = lines.lines().filter_map(|line| line.split_once(" a save ").map(|(id, _)| id));
        let has = |id: &&str| !git(dir, &["ls-tree", "--name-only", id, "--", file]).is_empty();
        ids.filter(has).map(|id| git(dir, &["show", &format!("{id}:{file}")])).collect()
    };
    // Here: what a name leads to on a side needs nothing; an object alone, or what is only staged, does.
    std::fs::write(pair.there.join("b"), "stashed there\n").unwrap();
    git(&pair.there, &["add", "b"]);
    git(&pair.there, &["stash", "-q"]);
    std::fs::write(pair.here.join("d"), "dropped\n").unwrap();
    git(&pair.here, &["hash-object", "-w", "d"]);
    std::fs::remove_file(pair.here.join("d")).unwrap();
    // Its object was in a stash, which is gone.
    std::fs::write(pair.here.join("p"), "popped\n").unwrap();
    git(&pair.here, &["stash", "push", "-q", "-u"]);
    git(&pair.here, &["stash", "pop", "-q"]);
    let save = |path: &str, text: &str| (PathBuf::from(path), text.as_bytes().to_vec());
    std::fs::write(pair.here.join("s"), "staged\n").unwrap();
    git(&pair.here, &["add", "s"]);
    let all = [
        save("a", "1\n"),
        save("b", "stashed there\n"),
        save("s", "staged\n"),
        save("d", "dropped\n"),
        save("p", "popped\n"),
        save("ü 1", "mine\r\n"),
        save("ü 1", "newer\n"),
        save("a\nb", "x"),
    ];
    let local = Local::new(Runner::default(), &pair.here);
    assert_eq!(saves::keep(&local, &ask, &all).unwrap(), ["s", "d", "p", "ü 1", "ü 1"].map(PathBuf::from));
    assert_eq!(kept(&pair.here, "ü 1"), ["newer", "mine"]);
    git(&pair.here, &["reset", "-q", "--hard"]);
    assert_eq!(
        (kept(&pair.here, "s"), kept(&pair.here, "p")),
        (vec!["staged".to_owned()], vec!["popped".to_owned()])
    );
    assert!(saves::keep(&local, &ask, &all).unwrap().is_empty(), "once");
    // There.
    git(&pair.there, &["stash", "pop", "-q", "--index"]);
    std::fs::create_dir(pair.there.join("it's -n")).unwrap();
    for (file, text) in [("a", "saved\n"), ("it's -n/$x `y`", "saved too\n"), ("-c", "in place\n")] {
        std::fs::write(pair.there.join(file), text).unwrap();
    }
    let paths = ["a", "b", "it's -n/$x `y`", "-c", "gone", "it's -n"].map(PathBuf::from);
    let known = saves::keep_there(&ask, &paths).unwrap();
    // What is only staged, too.
    assert_eq!(known.len(), 4, "{known:?}");
    assert!(saves::check_there(&ask, &known).unwrap().is_empty());
    std::fs::write(pair.there.join("a"), "written over\n").unwrap();
    std::fs::remove_file(pair.there.join("b")).unwrap();
    std::fs::remove_dir_all(pair.there.join("it's -n")).unwrap();
    let lost = saves::check_there(&ask, &known).unwrap();
    assert_eq!(lost, ["a", "b", "it's -n/$x `y`"].map(PathBuf::from));
    git(&pair.there, &["rm", "-q", "--cached", "b"]);
    assert_eq!(kept(&pair.there, "a"), ["saved"]);
    assert_eq!(kept(&pair.there, "b"), ["stashed there"]);
    assert_eq!(kept(&pair.there, "it's -n/$x `y`"), ["saved too"]);
    for side in [&pair.here, &pair.there] {
        git(side, &["fsck", "--no-dangling", "--no-progress"]);
        let left: Vec<_> = std::fs::read_dir(side.join(".git/sinc")).unwrap().flatten().collect();
        assert!(left.iter().all(|file| !file.file_name().to_string_lossy().starts_with("k.")), "{left:?}");
    }
}

#[test]
fn git_on_the_host_is_told_anew_what_the_sync_leaves_out() {
    let mut pair = Pair::new();
    let flags = |pair: &Pair| git(&pair.there, &["ls-files", "-t", "dist", "out"]);
    let told = |pair: &Pair| std::fs::read_to_string(pair.there.join(".git/info/sparse-checkout")).ok();
    for (dir, file) in [("dist", "dist/x"), ("out", "out/x.o")] {
        std::fs::create_dir(pair.here.join(dir)).unwrap();
        std::fs::write(pair.here.join(file), "built\n").unwrap();
    }
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "with what is built"]);
    git(&pair.here, &["branch", "other"]);
    let left_out = |pair: &mut Pair, patterns: &[&str]| {
        pair.ignores = patterns.iter().map(|one| (*one).to_owned()).collect();
        pair.settle();
        assert_eq!(git(&pair.there, &["status", "--porcelain"]), "", "{patterns:?}");
    };
    left_out(&mut pair, &["dist", "*.o"]);
    assert_eq!(flags(&pair), "S dist/x\nS out/x.o");
    // The sync brings it now, and git there sees what becomes of it, also when it goes to another branch.
    std::fs::create_dir(pair.there.join("dist")).unwrap();
    std::fs::write(pair.there.join("dist/x"), "built\n").unwrap();
    left_out(&mut pair, &["*.o"]);
    assert_eq!(flags(&pair), "H dist/x\nS out/x.o");
    git(&pair.there, &["checkout", "-q", "other"]);
    assert!(pair.there.join("dist/x").exists(), "git there took it away");
    std::fs::write(pair.there.join("dist/x"), "built there\n").unwrap();
    git(&pair.there, &["commit", "-qam", "there"]);
    pair.settle();
    assert_eq!(git(&pair.here, &["show", "--name-only", "--format="]), "dist/x");
    std::fs::write(pair.here.join("dist/x"), "built there\n").unwrap();
    // Nothing fits any more; then something else does.
    std::fs::create_dir(pair.there.join("out")).unwrap();
    std::fs::write(pair.there.join("out/x.o"), "built\n").unwrap();
    left_out(&mut pair, &["nothing"]);
    assert_eq!((flags(&pair), told(&pair)), ("H dist/x\nH out/x.o".to_owned(), None));
    assert_eq!(git(&pair.there, &["config", "--default", "none", "core.sparseCheckout"]), "none");
    std::fs::remove_dir_all(pair.there.join("dist")).unwrap();
    left_out(&mut pair, &["dist"]);
    assert_eq!(flags(&pair), "S dist/x\nH out/x.o");
    // What is not there yet is no deletion; as soon as it is, git sees what becomes of it.
    left_out(&mut pair, &["nothing"]);
    assert_eq!(flags(&pair), "S dist/x\nH out/x.o");
    std::fs::create_dir(pair.there.join("dist")).unwrap();
    std::fs::write(pair.there.join("dist/x"), "new\n").unwrap();
    assert_eq!(git(&pair.there, &["status", "--porcelain"]), " M dist/x");
    std::fs::remove_dir_all(pair.there.join("dist")).unwrap();
    left_out(&mut pair, &["dist"]);
    // One that an earlier version wrote is sinc's, too.
    let text = told(&pair).unwrap();
    std::fs::write(pair.there.join(".git/info/sparse-checkout"), text.split_once('\n').unwrap().1).unwrap();
    left_out(&mut pair, &["dist", "none"]);
    assert_eq!(told(&pair).unwrap(), text + "!none\n");
}

#[test]
fn files_that_git_on_the_two_sides_sees_otherwise_are_noted() {
    let pair = Pair::new();
    std::fs::create_dir(pair.here.join("dist")).unwrap();
    std::fs::write(pair.here.join("dist/x"), "built\n").unwrap();
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "with what is built"]);
    git(&pair.here, &["branch", "other"]);
    std::fs::write(pair.here.join("dist/x"), "built anew\n").unwrap();
    git(&pair.here, &["commit", "-qam", "built anew"]);
    pair.settle();
    let notes = || pair.with(|sides| sides.notes_of_files().unwrap());
    assert_eq!(notes(), Vec::<String>::new());
    // The host goes to another commit, and the file here stays.
    git(&pair.there, &["checkout", "-q", "other"]);
    pair.settle();
    assert_eq!(git(&pair.here, &["status", "--porcelain"]), " M dist/x");
    let said = notes().join("\n");
    assert!(said.contains("(1, as `dist/x`)") && said.contains("`git restore PATH`"), "{said}");
    git(&pair.here, &["restore", "dist/x"]);
    git(&pair.here, &["update-index", "--skip-worktree", "a"]);
    let said = notes().join("\n");
    assert!(said.contains("(1, as `a`: `--skip-worktree`"), "{said}");
}
