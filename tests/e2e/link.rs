//! The link: changes on either side are on the other in a moment, whatever happens to the line, the tools and the
//! directory.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::flush::lock_directory;
use crate::support::e2e::{Bed, kill_link, left_out, living_in};
use crate::support::program::Program;
use crate::support::sandbox::Sandbox;
use crate::support::{PATIENCE, wait_until};
use crate::{git, steps};

/// A project that is connected, whose link watches both sides.
pub(crate) struct Linked {
    pub(crate) bed: Rc<Bed>,
    pub(crate) here: PathBuf,
    pub(crate) there: PathBuf,
}

#[track_caller]
pub(crate) fn linked() -> Option<Linked> {
    let bed = Bed::new()?;
    let here = bed.project("app", &[("src/one", "1\n"), ("top", "2\n")]);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let linked = Linked { bed: Rc::new(bed), here, there };
    linked.wait_for("inotify");
    Some(linked)
}

impl Linked {
    /// The same with another directory on the host.
    fn at(&self, there: PathBuf) -> Self {
        Self { bed: self.bed.clone(), here: self.here.clone(), there }
    }

    /// What `sinc link status --json` says of the only link.
    #[track_caller]
    pub(crate) fn status(&self) -> serde_json::Value {
        let run = self.bed.sandbox.sinc(&["link", "status", "--json"]).success();
        let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        json["data"]["links"][0].clone()
    }

    /// Waits until the only session is watched like this on the host, and a first cycle has been let through.
    #[track_caller]
    pub(crate) fn wait_for(&self, by: &str) {
        let mut last = serde_json::Value::Null;
        let done = crate::support::poll(PATIENCE, || {
            last = self.status();
            let sessions = last["sessions"].as_object().cloned().unwrap_or_default();
            last["up"] == true
                && sessions
                    .values()
                    .all(|session| session["there"]["by"] == by && session["looking"] == false)
                && !sessions.is_empty()
        });
        assert!(done, "{last:#}\n{}", self.log());
    }

    /// The names in the host's workspace.
    fn workspace(&self) -> Vec<String> {
        let dir = self.bed.host.remote_home().join("workspace");
        let names =
            dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Waits until no cycle runs: what is deleted while one does, it may have met already (docs/sync.md, the brake), and
    /// a test of what is held is not about that. After an edit one more cycle follows, for what Mutagen wrote itself.
    #[track_caller]
    pub(crate) fn quiet(&self) {
        steps::quiet(&self.bed.sandbox);
    }

    fn pid(&self) -> i64 {
        self.status()["pid"].as_i64().unwrap_or(0)
    }

    pub(crate) fn log(&self) -> String {
        let dir = self.bed.sandbox.home().join(".local/state/sinc/logs");
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|file| file.to_string_lossy().ends_with(".log"));
        logs.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect()
    }

    /// An edit each way, which must arrive. Gives the times.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str) -> [Duration; 2] {
        let time = |from: &Path, to: &Path, text: &str| {
            let started = Instant::now();
            steps::write(from, text);
            let arrived = crate::support::poll(PATIENCE, || {
                std::fs::read_to_string(to).is_ok_and(|found| found == text)
            });
            assert!(arrived, "{name} did not arrive: {text}\n{:#}\n{}", self.status(), self.log());
            started.elapsed()
        };
        let (here, there) = (self.here.join(name), self.there.join(name));
        [
            time(&here, &there, &format!("{name} from here\n")),
            time(&there, &here, &format!("{name} from there\n")),
        ]
    }
}

#[test]
fn an_edit_on_either_side_is_on_the_other_in_a_moment() {
    let Some(linked) = linked() else { return };
    // Mutagen's own polling took 1 to 2 s; a busy machine may have a slow moment, but not five.
    let quick = (0..5).any(|n| {
        let times = linked.edit(&format!("note {n}"));
        times.iter().all(|time| *time < Duration::from_millis(900))
    });
    assert!(quick, "{}", linked.log());
    // Directories that are made are watched, on both sides.
    for side in [&linked.here, &linked.there] {
        std::fs::create_dir_all(side.join("new/deep")).unwrap();
    }
    wait_until("the directory is there", PATIENCE, || linked.there.join("new/deep").is_dir());
    linked.edit("new/deep/file");
    // Deletions too.
    std::fs::remove_file(linked.there.join("top")).unwrap();
    wait_until("the deletion has come", PATIENCE, || !linked.here.join("top").exists());
    let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
    assert!(status.stdout.contains("ssh, inotify"), "{status}");
}

#[test]
fn one_link_a_host_that_ends_with_its_last_session() {
    let Some(linked) = linked() else { return };
    let pid = linked.pid();
    let other = linked.bed.project("other", &[("a", "1\n")]);
    steps::connect(&linked.bed.sandbox, &other);
    linked.wait_for("inotify");
    assert_eq!(linked.pid(), pid);
    assert_eq!(linked.status()["sessions"].as_object().unwrap().len(), 2);
    let there = steps::there(&linked.bed, "other");
    steps::write(&there.join("b"), "2\n");
    steps::wait_text(&other.join("b"), "2\n");
    let running =
        |what: &str| living_in(linked.bed.host.dir()).iter().filter(|line| line.contains(what)).count();
    assert_eq!((running("link run"), running(": inotifywait -m")), (1, 1));
    linked.bed.sandbox.sinc_in(&other, &["kill", "--yes"]).success();
    assert_eq!(linked.pid(), pid);
    linked.bed.sandbox.sinc_in(&linked.here, &["kill", "--yes"]).success();
    wait_until("the link has ended", PATIENCE, || running("link ") == 0);
    wait_until("nothing watches on the host", PATIENCE, || running(": inotifywait -m") == 0);
}

/// The processes of a kind that live in the bed, by their command's beginning.
fn running(bed: &Bed, command: &str) -> Vec<String> {
    let begins = |line: &&String| line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with(command));
    let all = living_in(bed.host.dir());
    all.iter().filter(begins).map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn a_link_that_is_killed_is_brought_back_by_the_attach_and_one_that_is_stopped_only_by_sinc() {
    let Some(linked) = linked() else { return };
    let sandbox = &linked.bed.sandbox;
    let first = linked.pid();
    kill_link(first);
    wait_until("nothing watches on the host", PATIENCE, || running(&linked.bed, "inotifywait -m").is_empty());
    // The next sinc brings it back.
    sandbox.sinc_in(&linked.here, &["status"]).success();
    linked.wait_for("inotify");
    let second = linked.pid();
    assert_ne!(first, second);
    linked.edit("after a status");

    let terminal = steps::attach(sandbox, &linked.here);
    wait_until("the attach is looked after", PATIENCE, || {
        living_in(linked.bed.host.dir()).iter().any(|line| line.contains("after-attach"))
    });
    kill_link(second);
    wait_until("another link runs", PATIENCE * 2, || {
        let pid = linked.pid();
        pid != 0 && pid != second
    });
    linked.wait_for("inotify");
    linked.edit("after a kill");

    let run = sandbox.sinc(&["link", "stop"]).success();
    assert!(run.stderr.contains("Stopped the link to box"), "{run}");
    assert_eq!(linked.status()["runs"], false);
    assert_eq!(linked.status()["stopped"], true);
    steps::detach(terminal);
    steps::connect(sandbox, &linked.here);
    linked.wait_for("inotify");
    linked.edit("after a connect");
}

#[test]
fn a_newer_program_takes_over_and_an_older_one_does_not() {
    let Some(linked) = linked() else { return };
    let first = linked.pid();
    let copy = linked.bed.sandbox.home().join("sinc-of-another-day");
    std::fs::copy(crate::support::sandbox::Sandbox::binary(), &copy).unwrap();
    let with_time = |time: &str| {
        linked.bed.sandbox.run("touch", &["-d", time, copy.to_str().unwrap()]).success();
        linked.bed.sandbox.run(copy.to_str().unwrap(), &["list", "--local"]).success();
    };
    with_time("2001-01-01");
    assert_eq!(linked.pid(), first);
    with_time("2101-01-01");
    linked.wait_for("inotify");
    assert_ne!(linked.pid(), first);
    let ours = |what: &str| running(&linked.bed, &format!("{} link {what}", copy.display())).len();
    assert_eq!((ours("guard"), ours("run")), (1, 1));
    wait_until("the older one's guard has ended", PATIENCE, || {
        living_in(linked.bed.host.dir()).iter().filter(|line| line.contains("link guard")).count() == 1
    });
    linked.edit("by the new one");
}

/// A bed whose host has this program in the place of inotifywait.
#[track_caller]
pub(crate) fn with_inotifywait(script: &str) -> Option<Linked> {
    let bed = Bed::new()?;
    bed.host.add_program("inotifywait", script).unwrap();
    Some(with_path(bed, "$HOME/.local/bin:$PATH"))
}

/// The same with this `PATH` there, also in a login for a single command.
fn with_path(bed: Bed, path: &str) -> Linked {
    steps::write(&bed.host.remote_home().join(".bashrc"), &format!("PATH={path}\n"));
    let here = bed.project("app", &[("src/one", "1\n"), ("top", "2\n")]);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    Linked { bed: Rc::new(bed), here, there }
}

#[test]
fn a_host_without_inotifywait_is_polled_and_status_says_why() {
    let Some(bed) = Bed::new() else { return };
    let all_else = bed.host.dir().join("all-else");
    std::fs::create_dir(&all_else).unwrap();
    for from in [bed.host.bin(), "/usr/local/bin".into(), "/usr/bin".into(), "/bin".into()] {
        for file in std::fs::read_dir(from).into_iter().flatten().flatten() {
            if file.file_name() != "inotifywait" {
                // The first one of a name counts.
                let _ = std::os::unix::fs::symlink(file.path(), all_else.join(file.file_name()));
            }
        }
    }
    let linked = with_path(bed, all_else.to_str().unwrap());
    linked.wait_for("polling");
    let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
    let why = "polling on the host (the host has no inotifywait (its package is inotify-tools))";
    assert!(status.stdout.contains(why), "{status}");
    linked.edit("polled");
}

#[test]
fn a_host_without_a_good_inotifywait_is_polled_and_status_says_why() {
    for (script, why) in [
        ("#!/bin/sh\necho 'inotifywait 3.14'\n", "the host's inotifywait is 3.14, and 3.20 is needed"),
        ("#!/bin/sh\nexit 1\n", "the host's inotifywait does not tell its version"),
    ] {
        let Some(linked) = with_inotifywait(script) else { return };
        linked.wait_for("polling");
        let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
        assert!(status.stdout.contains(&format!("inotify here, polling on the host ({why})")), "{status}");
        linked.edit("polled");
        std::fs::remove_file(linked.there.join("top")).unwrap();
        wait_until("the deletion has come", PATIENCE, || !linked.here.join("top").exists());
    }
}

/// The real inotifywait, in a namespace that allows no more than this.
pub(crate) fn limited_inotifywait(limit: &str, number: u32) -> Option<String> {
    let set = format!("echo {number} >/proc/sys/user/{limit}");
    let path = vec![("PATH".into(), crate::support::variable("PATH").unwrap().into())];
    let may = Program::new("unshare", path, Path::new("/")).args(["-Ur", "sh", "-c", &set]).run();
    if may.code != 0 {
        left_out("no user namespace can have limits of its own on this computer");
        return None;
    }
    let real = which::which("inotifywait").unwrap();
    Some(format!(
        "#!/bin/sh\ncase $1 in --help) exec {0} --help;; esac\nexport REAL={0}\n\
         exec unshare -Ur sh -c '{set} && exec \"$REAL\" \"$@\"' x \"$@\"\n",
        real.display()
    ))
}

#[test]
fn too_few_watches_are_said_with_what_helps() {
    let Some(script) = limited_inotifywait("max_inotify_watches", 3) else { return };
    let Some(linked) = with_inotifywait(&script) else { return };
    // Two directories: they fit.
    linked.wait_for("inotify");
    linked.edit("before");
    for n in 0..5 {
        std::fs::create_dir(linked.there.join(format!("dir{n}"))).unwrap();
    }
    linked.wait_for("polling");
    let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
    assert!(status.stdout.contains("sysctl fs.inotify.max_user_watches="), "{status}");
    linked.edit("dir4/after");
}

#[test]
fn an_inotifywait_that_dies_is_started_again_and_then_not_any_more() {
    let Some(linked) = linked() else { return };
    let kill = |signal: &str| {
        for pid in running(&linked.bed, "inotifywait -m") {
            linked.bed.sandbox.run("kill", &[signal, &pid]).success();
        }
    };
    // As `pkill` and whatever frees memory do.
    kill("-TERM");
    wait_until("another one watches", PATIENCE, || !running(&linked.bed, "inotifywait -m").is_empty());
    linked.wait_for("inotify");
    linked.edit("watched again");
    kill("-KILL");
    linked.wait_for("polling");
    linked.edit("polled");
}

/// How many directories a process watches, if it is there.
fn watches(pid: &str) -> Option<usize> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?.flatten();
    let text = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path()).unwrap_or_default();
    fds.map(|entry| text(entry).matches("inotify wd:").count()).max()
}

#[test]
fn ignored_directories_cost_no_watch_also_where_they_are_moved_in_or_made_later() {
    let bed = Bed::new();
    let Some(bed) = bed else { return };
    let here = bed.project("app", &[("src/one", "1\n")]);
    let there = steps::there(&bed, "app");
    let many = |dir: &Path| {
        for n in 0..5000 {
            std::fs::create_dir_all(dir.join(format!("node_modules/{}/{n}", n / 100))).unwrap();
        }
    };
    many(&here);
    steps::connect(&bed.sandbox, &here);
    many(&there);
    bed.sandbox.sinc(&["link", "stop"]).success();
    steps::connect(&bed.sandbox, &here);
    let linked = Linked { bed: Rc::new(bed), here, there };
    linked.wait_for("inotify");
    // While it is ended and started again, to walk anew, there is none or one without a watch.
    let count = || match &running(&linked.bed, "inotifywait -m")[..] {
        [pid] => Some((watches(&linked.pid().to_string())?, watches(pid)?)),
        _ => None,
    };
    // The directory, src; here also that of the sessions.
    wait_until("only what is synced is watched", PATIENCE, || count() == Some((3, 2)));
    // A tree that is moved in on the host is watched without what is ignored in it, and it is synced.
    let outside = linked.bed.host.remote_home().join("outside");
    std::fs::create_dir_all(outside.join("lib")).unwrap();
    many(&outside);
    std::fs::rename(&outside, linked.there.join("moved")).unwrap();
    wait_until("the tree has come", PATIENCE, || linked.here.join("moved/lib").is_dir());
    wait_until("only what is synced of it is watched", PATIENCE, || count() == Some((5, 4)));
    linked.edit("moved/lib/file");
    assert!(!linked.here.join("moved/node_modules").exists());
}

#[test]
fn a_burst_costs_a_few_cycles_and_nothing_of_it_is_lost() {
    let Some(linked) = linked() else { return };
    linked.edit("before");
    let cycles = || steps::syncs(&linked.bed.sandbox)[0]["successfulCycles"].as_u64().unwrap();
    let (before, started) = (cycles(), Instant::now());
    for n in 0..20_000 {
        let dir = linked.there.join(format!("out/{}", n / 200));
        if n % 200 == 0 {
            std::fs::create_dir_all(&dir).unwrap();
        }
        std::fs::write(dir.join(format!("{n}")), "x").unwrap();
    }
    let last = linked.here.join("out/99/19999");
    wait_until("all has come", PATIENCE * 4, || {
        last.exists()
            && (0..100)
                .all(|n| linked.here.join(format!("out/{n}")).read_dir().is_ok_and(|dir| dir.count() == 200))
    });
    let took = cycles() - before;
    // One in two seconds while it lasts, and a few around it. (A busy machine takes long.)
    let allowed = 10 + started.elapsed().as_secs();
    assert!(took <= allowed, "{took} cycles, {allowed} allowed\n{}", linked.log());
    // Directories that were made meanwhile are watched, also those whose events were lost.
    linked.wait_for("inotify");
    linked.edit("out/57/more");
    linked.edit("out/99/more");
}

/// A session with so many files that the brake is for it.
pub(crate) fn of_many_files() -> Option<Linked> {
    let bed = Bed::new()?;
    // Some make a repository and delete it again: what git shares is tested elsewhere (git.rs).
    let config = bed.sandbox.read(".config/sinc/config.toml");
    bed.sandbox.configure(config + "[sync]\ngit = false\n");
    let here = bed.project("app", &[("top", "1\n")]);
    fill(&here);
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    Some(Linked { bed: Rc::new(bed), here, there })
}

/// Makes those of its files that are not there.
fn fill(here: &Path) {
    for path in (0..300).map(|n| here.join(format!("src/{}/{n}", n / 10))).filter(|path| !path.exists()) {
        steps::write(&path, "x");
    }
}

#[test]
fn what_would_delete_most_of_a_side_is_held_until_a_person_decides() {
    let Some(linked) = of_many_files() else { return };
    let told = linked.bed.host.dir().join("told");
    let desktop = linked.bed.host.bin().join("notify-send");
    steps::write(&desktop, &format!("#!/bin/sh\nprintf '%s|' \"$@\" >>{0}; echo >>{0}\n", told.display()));
    steps::set_mode(&desktop, 0o755);
    linked.wait_for("inotify");
    linked.edit("note");
    let id = steps::session_id(&linked.bed.sandbox);
    let shown = || {
        let args = ["show-options", "-qv", "-t", &format!("={id}:"), "@sinc-note"];
        steps::tmux_there(&linked.bed, &args).stdout.trim_end().to_owned()
    };
    let files = |dir: &Path| steps::tree(dir).iter().filter(|(_, text)| text.is_some()).count();
    linked.quiet();
    // An agent that runs amok.
    std::fs::remove_dir_all(linked.there.join("src")).unwrap();
    wait_until("it is held", PATIENCE, || {
        let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
        sessions.values().all(|session| session["stands"] == "held")
    });
    // What a cycle that ran at that very moment has met may be gone, never most of it.
    let left = files(&linked.here);
    assert!(left > 151, "{left} of 302 are left\n{}", linked.log());
    let status = linked.bed.sandbox.sinc_in(&linked.here, &["status"]).success();
    assert!(status.stdout.contains("held"), "{status}");
    linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).exits(1);
    assert_eq!(files(&linked.here), left);
    // It is said where a person looks, for as long as it lasts.
    wait_until("the status line shows it", PATIENCE, || shown() == "sync held: sinc status");
    wait_until("the desktop was told", PATIENCE, || told.exists());
    assert!(steps::read(&told).contains("sinc: the sync of app is held|"), "{}", steps::read(&told));
    linked.bed.sandbox.sinc_in(&linked.here, &["resume", "--restore"]).success();
    wait_until("the status line is as it was", PATIENCE, || shown().is_empty());
    assert_eq!(steps::read(&told).lines().count(), 1, "{}", steps::read(&told));
    assert_eq!(files(&linked.there), left);
    linked.wait_for("inotify");
    linked.edit("after");
    // The same here, while the link does not run: it looks before its first cycle.
    linked.quiet();
    linked.bed.sandbox.sinc(&["link", "stop"]).success();
    std::fs::remove_dir_all(linked.here.join("src")).unwrap();
    linked.bed.sandbox.sinc_in(&linked.here, &["list", "--local"]).success();
    wait_until("it is held", PATIENCE, || {
        let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
        !sessions.is_empty() && sessions.values().all(|session| session["stands"] == "held")
    });
    assert_eq!(files(&linked.there), left + 1, "{}", linked.log());
    linked.bed.sandbox.sinc_in(&linked.here, &["resume", "--restore"]).success();
    linked.wait_for("inotify");
    linked.edit("restored");
    assert_eq!(files(&linked.here), left + 2, "{}", linked.log());

    // And within the minute in which more was there: it was meant.
    linked.quiet();
    std::fs::remove_dir_all(linked.here.join("src")).unwrap();
    wait_until("it is held", PATIENCE, || {
        let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
        sessions.values().all(|session| session["stands"] == "held")
    });
    let run = linked.bed.sandbox.sinc_in(&linked.here, &["resume", "--allow-deletions", "--yes"]).success();
    assert_eq!(files(&linked.there), 4, "{run}");
    linked.wait_for("inotify");
    linked.edit("at last");
}

#[test]
fn a_directory_that_is_renamed_while_both_sides_work_is_followed() {
    let Some(linked) = linked() else { return };
    let terminal = steps::attach(&linked.bed.sandbox, &linked.here);
    let moved = linked.there.with_file_name("app2");
    // Whichever comes first: Mutagen finds nothing, and halts, or makes the directory again because of the edit here.
    steps::write(&linked.here.join("src/made here"), "here\n");
    std::fs::rename(&linked.there, &moved).unwrap();
    steps::write(&linked.here.join("src/made here too"), "here\n");
    steps::write(&moved.join("src/made there"), "there\n");
    terminal.wait_for("app2 now, and the sync follows it", PATIENCE * 2);
    let linked = &linked.at(moved);
    for name in ["src/made here", "src/made here too", "src/made there"] {
        wait_until(&format!("{name} is on both sides"), PATIENCE, || {
            linked.here.join(name).is_file() && linked.there.join(name).is_file()
        });
    }
    linked.wait_for("inotify");
    linked.edit("afterwards");
    assert_eq!(linked.workspace(), ["app2"], "{}", linked.log());
    assert_eq!(steps::tree(&linked.here), steps::tree(&linked.there));
    assert_eq!(steps::record(&linked.bed.sandbox)["remote"], linked.there.to_str().unwrap());
    assert_eq!(steps::syncs(&linked.bed.sandbox).len(), 1);
    drop(terminal);
}

#[test]
fn an_old_directory_that_mutagen_made_again_is_put_aside() {
    let Some(linked) = linked() else { return };
    let sandbox = &linked.bed.sandbox;
    // While the link cannot see it: the renaming, and a cycle with an edit here, which makes the old one again.
    let link = linked.pid().to_string();
    sandbox.run("kill", &["-STOP", &link]).success();
    let moved = linked.there.with_file_name("app2");
    std::fs::rename(&linked.there, &moved).unwrap();
    steps::write(&linked.here.join("src/made here"), "here\n");
    steps::write(&moved.join("src/made there"), "there\n");
    steps::flush(sandbox);
    assert_eq!(linked.workspace(), ["app", "app2"]);
    assert_eq!(steps::read(&linked.there.join("src/made here")), "here\n");
    sandbox.run("kill", &["-CONT", &link]).success();
    let linked = &linked.at(moved);
    linked.wait_for("inotify");
    wait_until("the old one is gone", PATIENCE, || linked.workspace() == ["app2"]);
    linked.edit("afterwards");
    assert_eq!(steps::tree(&linked.here), steps::tree(&linked.there), "{}", linked.log());
    assert_eq!(steps::read(&linked.there.join("src/made here")), "here\n");
    assert_eq!(steps::read(&linked.here.join("src/made there")), "there\n");
    // It was not deleted.
    let aside = linked.bed.host.remote_home().join(".local/state/sinc/aside");
    let kept: Vec<_> = aside.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(steps::read(&kept[0].join("src/made here")), "here\n");
}

/// Somebody made one of his own in the place of the one that he renamed.
#[test]
fn a_new_repository_in_the_old_place_is_left_alone() {
    let Some(linked) = linked() else { return };
    let moved = linked.there.with_file_name("app2");
    let script = "mv \"$1\" \"$2\" && git init -q \"$1\" && echo mine >\"$1/mine\"";
    let words = [script, "sh", linked.there.to_str().unwrap(), moved.to_str().unwrap()];
    linked.bed.sandbox.run("sh", &[&["-c"], &words[..]].concat()).success();
    let (old, linked) = (linked.there.clone(), linked.at(moved));
    linked.wait_for("inotify");
    linked.edit("afterwards");
    assert_eq!(linked.workspace(), ["app", "app2"], "{}", linked.log());
    assert_eq!(steps::read(&old.join("mine")), "mine\n");
}

#[test]
fn a_directory_that_mutagen_found_missing_is_followed_too() {
    missing_and_followed(
        |sandbox, link| drop(sandbox.run("kill", &["-STOP", link]).success()),
        |sandbox, link| {
            drop(sandbox.run("kill", &["-CONT", link]).success());
        },
    );
}

#[test]
fn a_link_that_begins_without_the_directory_watches_the_one_that_it_finds() {
    missing_and_followed(
        |sandbox, _| drop(sandbox.sinc(&["link", "stop"]).success()),
        |sandbox, _| {
            drop(sandbox.sinc(&["link", "start"]).success());
        },
    );
}

fn missing_and_followed(stop: impl Fn(&Sandbox, &str), start: impl Fn(&Sandbox, &str)) {
    let Some(linked) = linked() else { return };
    let sandbox = &linked.bed.sandbox;
    let link = linked.pid().to_string();
    stop(sandbox, &link);
    let moved = linked.there.with_file_name("app2");
    std::fs::rename(&linked.there, &moved).unwrap();
    let _ = steps::mutagen(sandbox, &["sync", "flush", "--all"]);
    wait_until("the sync has halted", PATIENCE, || {
        steps::syncs(sandbox)[0]["status"] == "halted-on-root-deletion"
    });
    start(sandbox, &link);
    let linked = &linked.at(moved);
    wait_until("it is followed", PATIENCE, || {
        steps::record(sandbox)["remote"] == linked.there.to_str().unwrap()
    });
    linked.wait_for("inotify");
    linked.edit("afterwards");
    assert_eq!(linked.workspace(), ["app2"]);
}

#[test]
fn when_the_line_is_back_what_changed_on_both_sides_is_synced() {
    let Some(linked) = linked() else { return };
    linked.bed.host.stop_sshd().unwrap();
    linked.bed.host.break_connections().unwrap();
    wait_until("the link knows", PATIENCE, || linked.status()["up"] == false);
    let status = linked.status();
    assert!(
        status["why"]
            .as_str()
            .is_some_and(|why| ["refused", "ended", "closed", "reset"].iter().any(|word| why.contains(word))),
        "{status:#}"
    );
    steps::write(&linked.here.join("made here"), "here\n");
    steps::write(&linked.there.join("made there"), "there\n");
    linked.bed.host.start_sshd().unwrap();
    steps::wait_text(&linked.there.join("made here"), "here\n");
    steps::wait_text(&linked.here.join("made there"), "there\n");
    linked.wait_for("inotify");
    linked.edit("afterwards");
}

#[test]
fn settings_that_change_while_it_runs_do_not_leave_a_session_unwatched() {
    let Some(linked) = linked() else { return };
    let config = linked.bed.sandbox.read(".config/sinc/config.toml");
    for text in [format!("{config}[sync]\ngit = false\n"), config] {
        linked.bed.sandbox.configure(&text);
        // It reads the settings when a record is written anew.
        let records = linked.bed.sandbox.home().join(".local/state/sinc/sessions");
        for record in records.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
            let fresh = record.with_file_name(".fresh");
            std::fs::copy(&record, &fresh).unwrap();
            std::fs::rename(fresh, record).unwrap();
        }
        // Which it does a moment later.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            // Sooner than the next walk over the host's files would come to it.
            let times = linked.edit("with other settings");
            assert!(times.iter().all(|time| *time < Duration::from_secs(5)), "{times:?}\n{}", linked.log());
        }
        linked.wait_for("inotify");
    }
}

/// What is left out of the running sync does not stand for what is missing, whatever the configuration says by now.
#[test]
fn what_the_running_sync_leaves_out_does_not_hide_what_is_missing() {
    let Some(bed) = Bed::new() else { return };
    let here = bed.project("app", &[("top", "1\n"), (".sincignore", "target\n")]);
    fill(&here);
    for n in 0..400 {
        steps::write(&here.join(format!("target/{n}")), "x");
    }
    steps::connect(&bed.sandbox, &here);
    let there = steps::there(&bed, "app");
    let linked = Linked { bed: Rc::new(bed), here, there };
    linked.wait_for("inotify");
    linked.bed.sandbox.sinc(&["link", "stop"]).success();
    steps::write(&linked.here.join(".sincignore"), "\n");
    steps::flush(&linked.bed.sandbox);
    std::fs::remove_dir_all(linked.here.join("src")).unwrap();
    linked.bed.sandbox.sinc(&["link", "start"]).success();
    let stands = || -> serde_json::Value {
        let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
        sessions.values().next().map(|session| session["stands"].clone()).unwrap_or_default()
    };
    wait_until("it has looked", PATIENCE, || stands() == "held" || !linked.there.join("src/1/10").exists());
    assert_eq!(stands(), "held", "{}", linked.log());
    assert!(linked.there.join("src/1/10").exists());
}

/// A directory on the host that somebody else owns: nobody types `sinc status` for hours, and whoever commits there would take back
/// what was committed here.
#[test]
fn what_cannot_be_written_there_holds_gits_move_and_is_told_once_it_has_lasted() {
    let Some(shared) = git::shared() else { return };
    let told = git::desktop(&shared.bed);
    let id = steps::session_id(&shared.bed.sandbox);
    let shown = || {
        let args = ["show-options", "-qv", "-t", &format!("={id}:"), "@sinc-note"];
        steps::tmux_there(&shared.bed, &args).stdout.trim_end().to_owned()
    };
    let before = shared.there(&["rev-parse", "HEAD"]);
    lock_directory(&shared.bed, &shared.there.join("src"), true);
    let commit = shared.commit(&shared.here, "src/one", "2\n");
    let lasting = PATIENCE + Duration::from_secs(90);
    let said = crate::support::poll(lasting, || shown() == "not synced: sinc status");
    let (log, stands) = (shared.log(), shared.there(&["rev-parse", "HEAD"]));
    let git = shared.bed.sandbox.sinc_in(&shared.here, &["git"]);
    // Before anything may fail: the files are to go afterwards.
    lock_directory(&shared.bed, &shared.there.join("src"), false);
    assert!(said, "{log}");
    assert_eq!(stands, before, "{log}");
    assert!(
        git.stdout.contains("held: the files are not in step: src/one could not be written"),
        "{git}\n{log}"
    );
    wait_until("the desktop was told", PATIENCE, || !told().is_empty());
    assert!(told().contains("sinc: not all of app is synced src/one could not be written"), "{}", told());
    steps::write(&shared.here.join("top"), "it goes on\n");
    wait_until("the status line is as it was", PATIENCE, || shown().is_empty());
    shared.here(&["checkout", "-q", "top"]);
    shared.clean();
    assert_eq!(shared.there(&["rev-parse", "HEAD"]), commit);
    assert_eq!(told().lines().count(), 1, "{}", told());
}

/// What people and agents run by mistake. (One that takes the marker too: tests/e2e/place.rs.)
const MISTAKES: [(&str, &str); 3] = [
    ("rm -rf", "rm -rf -- *"),
    ("git clean", "git init -q . && git clean -qfdx -e .sinc-session && rm -rf .git"),
    (
        "git checkout",
        "git init -q . && git add -A -- . :!.sinc-session :!.venv && git -c user.name=a -c user.email=a@b commit -qm all && \
         git checkout -q --orphan empty && git rm -rqf . && rm -rf .git",
    ),
];

#[test]
fn what_empties_a_side_by_mistake_is_held_with_the_link_on_either_side() {
    let Some(linked) = of_many_files() else { return };
    let is_synced = |(path, text): &&(PathBuf, Option<String>)| text.is_some() && !path.starts_with(".venv");
    let files = |dir: &Path| steps::tree(dir).iter().filter(is_synced).count();
    for (name, script) in MISTAKES {
        for (emptied, other) in [(&linked.there, &linked.here), (&linked.here, &linked.there)] {
            linked.wait_for("inotify");
            // On a busy machine a cycle may have met some at each of these.
            fill(&linked.here);
            // Not synced, more than all else, and left alone by two of the three.
            for n in 0..320 {
                steps::write(&emptied.join(format!(".venv/{n}")), "");
            }
            linked.bed.sandbox.sinc_in(&linked.here, &["flush"]).success();
            linked.quiet();
            let before = files(other);
            assert!(before > 280, "{name}: {before}\n{}", linked.log());
            linked
                .bed
                .sandbox
                .run("sh", &["-c", &format!("cd \"$1\" && {script}"), "sh", emptied.to_str().unwrap()])
                .success();
            wait_until("it is held", PATIENCE, || {
                let sessions = linked.status()["sessions"].as_object().cloned().unwrap_or_default();
                !sessions.is_empty() && sessions.values().all(|session| session["stands"] == "held")
            });
            // A cycle may have met the first few.
            assert!(files(other) > before / 2, "{name}: {} of {before}\n{}", files(other), linked.log());
            linked.bed.sandbox.sinc_in(&linked.here, &["resume", "--restore"]).success();
            assert_eq!(files(emptied), files(other), "{name}\n{}", linked.log());
        }
    }
}
