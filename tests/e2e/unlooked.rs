//! The brake, where a cycle could begin that nobody has looked at: what is not synced is on the host too, git is waited for, a
//! line is made first, the settings have changed, Mutagen's memory cannot be read.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::link::Linked;
use crate::support::e2e::{Bed, living_in};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{PATIENCE, wait_until};
use crate::{flush, git, steps};

/// More than are never held.
const FILES: usize = 60;

/// A project that is connected, with most of its files in one directory, and with these lines of configuration.
#[track_caller]
fn connected(link: bool, has_git: bool) -> Option<Linked> {
    let mut bed = Bed::new()?;
    if !link {
        bed.sandbox.set("SINC_LINK", "false");
    }
    if !has_git {
        bed.sandbox.configure_also("[sync]\ngit = false\n");
    }
    let here = bed.project("app", &[("top", "1\n")]);
    for n in 0..FILES {
        steps::write(&here.join(format!("src/{n}")), &format!("text {n}\n"));
    }
    if has_git {
        git::init(&bed, &here);
    }
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let linked = Linked { bed: Rc::new(bed), here, there };
    if link {
        linked.wait_for("inotify");
        linked.quiet();
    }
    Some(linked)
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("src")).map_or(0, Iterator::count)
}

impl Linked {
    #[track_caller]
    fn sinc(&self, args: &[&str]) -> Run {
        self.bed.sandbox.sinc_in(&self.here, args)
    }

    /// Nothing was deleted on the other side, and it comes back.
    #[track_caller]
    fn is_held(&self, run: &Run, other: &Path) {
        assert!(run.stderr.contains(" is held: "), "{run}\n{}", self.log());
        assert_eq!(files(other), FILES, "{run}\n{}", self.log());
        self.sinc(&["resume", "--restore"]).success();
        assert_eq!((files(&self.here), files(&self.there)), (FILES, FILES), "{run}");
    }
}

#[test]
fn what_empties_a_side_by_mistake_is_held_without_a_link_whatever_is_there_that_is_not_synced() {
    let Some(linked) = connected(false, false) else { return };
    for n in 0..2 * FILES {
        for side in [&linked.here, &linked.there] {
            steps::write(&side.join(format!("node_modules/it's/{n}.js")), "");
        }
    }
    for script in [
        "rm -rf src top",
        "git init -q . && git clean -qfd -e .sinc-session -e node_modules && rm -rf .git",
        "git init -q . && git add -A -- src top && git -c user.name=a -c user.email=a@b commit -qm all && \
         git checkout -q --orphan empty && git rm -rqf . && rm -rf .git",
    ] {
        for (emptied, other, place) in
            [(&linked.there, &linked.here, "on the host"), (&linked.here, &linked.there, "here")]
        {
            linked.sinc(&["pause"]).success();
            let words = ["-c", &format!("cd \"$1\" && {script}"), "sh", emptied.to_str().unwrap()];
            linked.bed.sandbox.run("sh", &words).success();
            assert_eq!(files(emptied), 0, "{script}");
            let run = linked.sinc(&["resume"]).exits(1);
            let missing = format!("61 of 61 files are missing {place}");
            assert!(run.stderr.contains(&missing), "{script}: {run}");
            linked.is_held(&run, other);
        }
    }
    for side in [&linked.here, &linked.there] {
        assert!(side.join("node_modules/it's/7.js").exists());
    }
}

#[test]
fn a_connect_with_other_settings_looks_before_it_brings_over_what_waits() {
    let Some(linked) = connected(true, false) else { return };
    let config = linked.bed.sandbox.read(".config/sinc/config.toml");
    for (emptied, other, ignore) in
        [(&linked.here, &linked.there, "data"), (&linked.there, &linked.here, "more")]
    {
        linked.wait_for("inotify");
        linked.quiet();
        let sync = steps::syncs(&linked.bed.sandbox)[0]["identifier"].clone();
        linked.sinc(&["link", "stop"]).success();
        std::fs::remove_dir_all(emptied.join("src")).unwrap();
        linked.bed.sandbox.configure(format!("{config}ignore = [\"{ignore}\"]\n"));
        let run = linked.sinc(&["--no-attach"]).success();
        assert_eq!(steps::syncs(&linked.bed.sandbox)[0]["identifier"], sync, "{run}");
        linked.is_held(&run, other);
        let run = linked.sinc(&["--no-attach"]).success();
        assert!(run.stderr.contains("Renewed the sync, with the new settings"), "{run}");
        assert_eq!((files(&linked.here), files(&linked.there)), (FILES, FILES), "{run}");
    }
}

#[test]
fn a_flush_that_waited_for_git_looks_at_what_git_has_deleted() {
    let Some(linked) = connected(true, true) else { return };
    let lock = linked.here.join(".git/index.lock");
    let works = || {
        // Git is taken for dead that writes nothing for a while.
        steps::write(&lock, "");
        linked.status()["sessions"].as_object().unwrap().values().all(|session| session["git_works"] == true)
    };
    wait_until("git works", PATIENCE, works);
    let flush = linked.bed.sandbox.program(Sandbox::binary(), &linked.here).args(["flush"]);
    let run = std::thread::scope(|scope| {
        let sandbox = &linked.bed.sandbox;
        let dir = linked.bed.host.dir();
        let run = scope.spawn(|| sandbox.finish(&flush));
        // It looks again and again whether git has ended.
        wait_until("it waits for git", PATIENCE, || {
            steps::write(&lock, "");
            living_in(dir).iter().any(|line| {
                let (pid, words) = line.split_once(": ").unwrap();
                words.trim_end().ends_with(" flush") && switches(pid) > 60
            })
        });
        std::fs::remove_dir_all(linked.here.join("src")).unwrap();
        std::fs::remove_file(&lock).unwrap();
        run.join().unwrap()
    });
    assert_eq!(run.code, 1, "{run}");
    linked.is_held(&run, &linked.there);
}

/// How often a process has waited for something.
fn switches(pid: &str) -> u64 {
    let status = std::fs::read_to_string(PathBuf::from("/proc").join(pid).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn what_is_deleted_while_a_resume_connects_is_looked_at() {
    let Some(linked) = connected(true, false) else { return };
    linked.sinc(&["pause"]).success();
    let (asked, go) = (linked.bed.host.dir().join("asked"), linked.bed.host.dir().join("go"));
    steps::before_each(
        &linked.bed,
        "ssh",
        &format!(
            "case $* in *mutagen-agent*) touch {}; n=0; \
             until [ -e {} ] || [ $n -gt 300 ]; do n=$((n + 1)); sleep 0.1; done;; esac",
            asked.display(),
            go.display()
        ),
    );
    let resume = linked.bed.sandbox.program(Sandbox::binary(), &linked.here).args(["resume"]);
    let run = std::thread::scope(|scope| {
        let sandbox = &linked.bed.sandbox;
        let run = scope.spawn(|| sandbox.finish(&resume));
        wait_until("it connects", PATIENCE, || asked.exists());
        std::fs::remove_dir_all(linked.here.join("src")).unwrap();
        steps::write(&go, "");
        run.join().unwrap()
    });
    assert_eq!(run.code, 1, "{run}\n{}", linked.log());
    linked.is_held(&run, &linked.there);
}

#[test]
fn what_a_person_has_allowed_to_be_deleted_is_what_the_first_cycle_deletes() {
    let Some(linked) = connected(true, false) else { return };
    let bed = &linked.bed;
    for n in 0..4 * FILES {
        steps::write(&linked.here.join(format!("many/{n}")), &format!("text {n}\n"));
    }
    linked.sinc(&["flush"]).success();
    linked.sinc(&["pause"]).success();
    std::fs::remove_dir_all(linked.here.join("many")).unwrap();
    linked.sinc(&["resume"]).exits(1);
    // What a cycle cannot bring over is tried in a second one.
    steps::write(&linked.here.join("top"), "2\n");
    flush::lock(bed, &linked.there.join("top"), true);
    // As soon as the first has ended, what is left goes too.
    let (mutagen, armed) = (bed.host.bin().join("mutagen"), bed.host.dir().join("armed"));
    let script = format!(
        "#!/bin/sh\ncase $* in *'sync flush'*) {0} \"$@\"; code=$?; rmdir {1} 2>/dev/null && rm -rf {2}; exit $code;; esac\n\
         exec {0} \"$@\"\n",
        steps::real_mutagen(),
        armed.display(),
        linked.here.join("src").display()
    );
    steps::write(&mutagen, &script);
    steps::set_mode(&mutagen, 0o755);
    std::fs::create_dir(&armed).unwrap();
    let run = linked.sinc(&["resume", "--allow-deletions", "--yes"]);
    flush::lock(bed, &linked.there.join("top"), false);
    assert!(!armed.exists() && run.code == 1, "{run}");
    assert!(!linked.there.join("many").exists(), "{run}");
    linked.is_held(&run, &linked.there);
}

/// Damages Mutagen's memory of a sync. Its daemon has it in its own, and goes on; a last cycle may write it anew.
#[track_caller]
fn damage(linked: &Linked, memory: &Path) {
    wait_until("it stays damaged", PATIENCE, || {
        std::fs::write(memory, "nonsense").unwrap();
        linked.quiet();
        std::fs::read(memory).unwrap() == b"nonsense"
    });
}

#[test]
fn where_mutagens_memory_cannot_be_read_the_sides_are_compared_with_each_other() {
    for side in ["here", "there"] {
        let Some(linked) = connected(true, false) else { return };
        let (emptied, other) =
            if side == "here" { (&linked.here, &linked.there) } else { (&linked.there, &linked.here) };
        let id = steps::syncs(&linked.bed.sandbox)[0]["identifier"].as_str().unwrap().to_owned();
        let memory = linked.bed.sandbox.home().join(".local/share/sinc/mutagen/archives").join(id);
        assert!(memory.exists());
        damage(&linked, &memory);
        std::fs::remove_dir_all(emptied.join("src")).unwrap();
        wait_until("it is held", PATIENCE, || {
            let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
            !sessions.is_empty() && sessions.values().all(|session| session["stands"] == "held")
        });
        assert!(linked.log().contains("what both sides had before cannot be read"), "{}", linked.log());
        let run = linked.sinc(&["flush"]).exits(1);
        linked.is_held(&run, other);
        // The commands' own look, without a link.
        let id = steps::syncs(&linked.bed.sandbox)[0]["identifier"].as_str().unwrap().to_owned();
        damage(&linked, &memory.with_file_name(id));
        linked.sinc(&["link", "stop"]).success();
        std::fs::remove_dir_all(emptied.join("src")).unwrap();
        let run = linked.sinc(&["flush"]).exits(1);
        linked.is_held(&run, other);
    }
}
