//! Files that are saved on one side while git on the other one rewrites them there. Git looks at a file, then writes it; a save that
//! comes over in between is gone there, and then here. Is it anywhere? Measured: `SINC_SAVES_TRIES` switches of branches.

use std::collections::BTreeSet;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::super::content::{self, Found};
use super::super::model::Side;
use super::super::number;
use super::super::run::say;
use super::super::support::e2e::have;
use super::super::support::{PATIENCE, poll, wait_until};
use super::super::world::{Disks, World};
use super::repo::Repo;

/// How many switches there are when nobody says.
const TRIES: u64 = 6;

/// So many files are rewritten by each.
const FILES: u64 = 1000;

/// So many of them are saved here meanwhile.
const SAVES: usize = 3;

/// When git begins after the first save may have been made.
const START: Duration = Duration::from_millis(100);

/// How soon after the cycle what was overwritten is reachable.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

/// A save: when, which file, what, and how.
struct Save {
    at: Duration,
    file: u64,
    version: u64,
    how: u8,
}

/// What became of all saves.
#[derive(Debug, Default)]
struct Became {
    switches: u64,
    /// Git saw one in time and switched nothing.
    refused: u64,
    saves: usize,
    in_place: usize,
    in_backup: usize,
    in_git: usize,
    lost: Vec<String>,
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} switches of {FILES} files ({} refused by git), {} saves: {} in their place, {} only in a backup, {} only in git, {} lost {:?}",
            self.switches,
            self.refused,
            self.saves,
            self.in_place,
            self.in_backup,
            self.in_git,
            self.lost.len(),
            self.lost
        )
    }
}

#[test]
fn a_file_saved_while_git_on_the_host_rewrites_it_is_not_lost() {
    measure(Side::Local);
}

#[test]
fn a_file_saved_on_the_host_while_git_here_rewrites_it_is_not_lost() {
    measure(Side::Remote);
}

/// Somebody saves on this side, and git works on the other one.
fn measure(saver: Side) {
    if !have(&["tmux", "mutagen", "sshd", "git"]) {
        return;
    }
    let seed = number("SINC_FAULTS_SEED", 1);
    let mut rng = Rng::with_seed(seed);
    let Some(world) = World::new(Disks::Large, "two-way-safe") else { return };
    let both = Both { world, saver };
    both.begin();
    let mut became = Became::default();
    let began = Instant::now();
    for number in 0..number("SINC_SAVES_TRIES", TRIES) {
        both.switch(number, &mut rng, &mut became);
        if number % 10 == 9 {
            say(&format!("saves on the side {saver}: {became}, {} s", began.elapsed().as_secs()));
        }
    }
    say(&format!("saves on the side {saver}, seed {seed}: {became}, {} s", began.elapsed().as_secs()));
    assert!(became.lost.is_empty(), "lost: {became}");
}

/// Stops git when it has written a file, for that long.
fn stand_still(git: &mut Child, file: &Path, long: Duration) {
    let which = || file.symlink_metadata().map(|found| (found.ino(), found.len(), found.mtime_nsec())).ok();
    let before = which();
    while which() == before {
        if git.try_wait().unwrap().is_some() {
            return;
        }
    }
    let pid = Pid::from_raw(i32::try_from(git.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(long);
    kill_process(pid, Signal::CONT).unwrap();
}

/// As an editor saves: beside, then renamed into its place; the same, but from a place that is not watched; or in place.
fn save(root: &Path, path: &Path, how: u8, bytes: &[u8]) {
    let beside = match how {
        0 => root.parent().unwrap().join("saved"),
        1 => path.with_extension("saved"),
        _ => return std::fs::write(path, bytes).unwrap(),
    };
    std::fs::write(&beside, bytes).unwrap();
    std::fs::rename(beside, path).unwrap();
}

struct Both {
    world: World,
    saver: Side,
}

fn name(number: u64) -> String {
    format!("dir{}/file{number}", number % 20)
}

impl Both {
    fn repo(&self, side: Side) -> Repo<'_> {
        let root = match side {
            Side::Local => self.world.project.clone(),
            Side::Remote => self.world.there(),
        };
        Repo { sandbox: &self.world.bed.sandbox, root }
    }

    /// Two branches that have no file in common.
    fn begin(&self) {
        let here = self.repo(Side::Local);
        let git = |words: &[&str]| drop(here.git(words).success());
        std::fs::write(here.root.join(".gitattributes"), "* -text -merge\n").unwrap();
        git(&["init", "-q", "-b", "one"]);
        git(&["config", "user.name", "Ada"]);
        git(&["config", "user.email", "ada@example.com"]);
        for (branch, first) in [("one", 1_000_000), ("two", 2_000_000)] {
            if branch == "two" {
                git(&["checkout", "-q", "-b", "two"]);
            }
            for number in 0..FILES {
                let path = here.root.join(name(number));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content::bytes(first + number, 3000)).unwrap();
            }
            git(&["add", "-A"]);
            git(&["commit", "-q", "-m", branch]);
        }
        assert_eq!(self.world.sinc(&["--no-attach"]).code, 0);
        self.quiet();
    }

    /// Both sides have the same, and nothing to commit.
    fn quiet(&self) {
        let (mut here, mut there) = (String::new(), String::new());
        let quiet = poll(PATIENCE * 4, || {
            let ask = |side| {
                let repo = self.repo(side);
                let head = repo.ask(&["symbolic-ref", "-q", "HEAD"]);
                let branches = repo.ask(&["for-each-ref", "--format=%(refname)", "refs/heads"]);
                (format!("{head}{branches}"), repo.ask(&["status", "--porcelain"]))
            };
            let (one, other) = (ask(Side::Local), ask(Side::Remote));
            (here, there) = (format!("{one:?}"), format!("{other:?}"));
            one == other && one.1.is_empty()
        });
        let status = self.world.sinc(&["status"]);
        assert!(quiet, "it does not come to rest\n{here:.2000}\n{there:.2000}\n{status}");
    }

    fn switch(&self, number: u64, rng: &mut Rng, became: &mut Became) {
        let saver = self.repo(self.saver);
        let worker = self.repo(if self.saver == Side::Local { Side::Remote } else { Side::Local });
        let to = if worker.ask(&["symbolic-ref", "--short", "HEAD"]).trim() == "one" { "two" } else { "one" };
        // When each is saved: git begins after the first tenth of a second. One that comes over before it has looked, it sees.
        let mut saves: Vec<Save> = (0..SAVES as u64)
            .map(|at| Save {
                at: Duration::from_millis(rng.u64(..700)),
                file: rng.u64(..FILES),
                version: 1 + number * SAVES as u64 + at,
                how: rng.u8(..3),
            })
            .collect();
        saves.sort_by_key(|save| save.at);
        let mut seen = BTreeSet::new();
        saves.retain(|save| seen.insert(save.file));
        let words = ["-C", worker.root.to_str().unwrap(), "checkout", "-q", to];
        let program = self.world.bed.sandbox.program("git", &worker.root).args(words);
        // In every second switch git stands still for a while after its first file: it has looked at all by then.
        let still = (number % 2 == 1).then(|| Duration::from_millis(rng.u64(..3500)));
        let begun = AtomicBool::new(false);
        let came = std::thread::scope(|scope| {
            let git = scope.spawn(|| {
                wait_until("the saves begin", PATIENCE, || begun.load(Ordering::SeqCst));
                std::thread::sleep(START);
                let mut git = program.start();
                if let Some(still) = still {
                    stand_still(&mut git, &worker.root.join(name(0)), still);
                }
                wait_until("git has switched", PATIENCE, || git.try_wait().unwrap().is_some());
                git.wait().unwrap().success()
            });
            let began = Instant::now();
            begun.store(true, Ordering::SeqCst);
            for one in &saves {
                std::thread::sleep(one.at.saturating_sub(began.elapsed()));
                save(
                    &saver.root,
                    &saver.root.join(name(one.file)),
                    one.how,
                    &content::bytes(one.version, 2000),
                );
            }
            git.join().unwrap()
        });
        became.switches += 1;
        became.refused += u64::from(!came);
        let flushed = self.world.sinc(&["flush", "--timeout", "60"]);
        if flushed.stderr.contains("conflict") {
            let side = if self.saver == Side::Local { "--local" } else { "--remote" };
            self.world.sinc(&["resolve", "--all", side, "--yes"]);
        }
        // Once more, for what git had done when the first cycle had begun.
        self.world.sinc(&["flush", "--timeout", "60"]);
        for one in &saves {
            self.look_for(one, became);
        }
        // As it is committed again, by a person, where the other side's branch has come to.
        let on = |repo: &Repo<'_>| repo.ask(&["symbolic-ref", "--short", "HEAD"]);
        wait_until("both stand on one branch", PATIENCE * 2, || on(&saver) == on(&worker));
        let run = saver.git(&["reset", "-q", "--hard"]);
        if run.code != 0 {
            wait_until("the files are put back", PATIENCE, || {
                saver.git(&["reset", "-q", "--hard"]).code == 0
            });
        }
        self.quiet();
    }

    fn look_for(&self, save: &Save, became: &mut Became) {
        let Save { at, file, version, how } = *save;
        became.saves += 1;
        let (here, there) = (self.repo(Side::Local), self.repo(Side::Remote));
        let has = |repo: &Repo<'_>| {
            let bytes = std::fs::read(repo.root.join(name(file))).unwrap_or_default();
            content::version(&bytes) == Found::Whole(version)
        };
        if has(&here) || has(&there) {
            became.in_place += 1;
        } else if self.world.in_backups().contains(&version) {
            became.in_backup += 1;
        } else {
            let program = self.world.bed.sandbox.program("git", &here.root);
            let program = program.args(["hash-object", "--stdin"]).input(content::bytes(version, 2000));
            let oid = self.world.bed.sandbox.finish(&program).stdout.trim().to_owned();
            // It is made reachable after the cycle.
            let kept = || here.reachable().contains(&oid) || there.reachable().contains(&oid);
            if poll(KEPT_WITHIN, kept) {
                became.in_git += 1;
            } else {
                let loose = [&here, &there].iter().any(|repo| repo.git(&["cat-file", "-e", &oid]).code == 0);
                let loose = if loose { " (an object that nothing leads to)" } else { "" };
                let file = name(file);
                became
                    .lost
                    .push(format!("v{version} of {file} at {} ms by way {how}{loose}", at.as_millis()));
            }
        }
    }
}
