//! The brake: a sync whose next cycle would delete most of a side's files is held, everything leaves it alone, and two ways
//! lead out.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::support::e2e::Bed;
use crate::support::sandbox::Run;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// More than are never held.
const FILES: usize = 60;

type Tree = Vec<(PathBuf, Option<String>)>;

struct World {
    bed: Bed,
    project: PathBuf,
    there: PathBuf,
    id: String,
    /// What was on both sides.
    whole: Tree,
}

/// A connected project with files in one directory, which Mutagen would empty without stopping itself.
#[track_caller]
fn connected() -> Option<World> {
    connected_with("")
}

/// The same with more lines of configuration.
#[track_caller]
fn connected_with(config: &str) -> Option<World> {
    let mut bed = Bed::new()?;
    // What the commands do by themselves; the link: tests/e2e/link.rs.
    bed.sandbox.set("SINC_LINK", "false");
    bed.sandbox.write(".config/sinc/config.toml", bed.sandbox.read(".config/sinc/config.toml") + config);
    let project = bed.project("app", &[]);
    for n in 0..FILES {
        steps::write(&project.join(format!("src/it's {n}.rs")), &format!("text {n}\n"));
    }
    steps::connect(&bed.sandbox, &project);
    let (there, id) = (steps::there(&bed, "app"), steps::session_id(&bed.sandbox));
    let whole = steps::tree(&project);
    assert_eq!(whole, steps::tree(&there));
    Some(World { bed, project, there, id, whole })
}

impl World {
    #[track_caller]
    fn sinc(&self, args: &[&str]) -> Run {
        self.bed.sandbox.sinc_in(&self.project, args)
    }

    /// `rm -rf *` in the directory of one side, while the sync is paused.
    #[track_caller]
    fn empty_while_paused(&self, dir: &Path) {
        self.sinc(&["pause"]).success();
        self.empty(dir);
    }

    #[track_caller]
    fn empty(&self, dir: &Path) {
        self.bed
            .sandbox
            .run("sh", &["-c", "cd \"$1\" && rm -rf -- *", "sh", dir.to_str().unwrap()])
            .success();
        assert!(steps::tree(dir).is_empty());
    }

    #[track_caller]
    fn is_paused(&self) -> bool {
        let syncs = steps::syncs(&self.bed.sandbox);
        assert_eq!(syncs.len(), 1);
        syncs[0]["paused"] == true
    }

    /// The sync runs, and both sides are as they were.
    #[track_caller]
    fn is_whole(&self) {
        assert_eq!(steps::tree(&self.project), self.whole);
        assert_eq!(steps::tree(&self.there), self.whole);
        assert!(!self.is_paused());
        let run = self.sinc(&["status"]).success();
        assert!(run.stdout.contains("\nsync      synced ("), "{run}");
    }

    /// The identifier of Mutagen's one session.
    fn identifier(&self) -> String {
        steps::syncs(&self.bed.sandbox)[0]["identifier"].as_str().unwrap().to_owned()
    }
}

/// Each command says that it is held, and leaves it paused.
#[track_caller]
fn everything_leaves_it_alone(world: &World, side: &str, place: &str) {
    let World { bed, id, .. } = world;
    let missing = format!("{FILES} of {FILES} files are missing {place}");
    let said = format!("the sync of {id} is held: {missing}");
    let ways = [
        format!("`sinc resume {id} --restore` brings them back"),
        format!("`sinc resume {id} --allow-deletions` deletes them"),
    ];
    let before = (steps::tree(&world.project), steps::tree(&world.there));
    for (args, code) in [
        (&["--no-attach"][..], 0),
        (&["flush"], 1),
        (&["push", "--yes"], 1),
        (&["pull", "--yes"], 1),
        (&["resolve", "--all", "--local"], 1),
        (&["run", "--", "true"], 1),
        (&["resume"], 1),
        (&["pause"], 0),
        (&["--no-attach"], 0),
        (&["resume", "--dry-run"], 1),
    ] {
        let run = world.sinc(args).exits(code);
        assert!(run.stderr.contains(&said), "{run}");
        assert!(ways.iter().all(|way| run.stderr.contains(way)), "{run}");
        assert!(world.is_paused(), "{run}");
    }
    let run = world.sinc(&["kill"]).exits(1);
    assert!(run.stderr.contains(&format!("its sync is held ({missing})")), "{run}");
    let run = world.sinc(&["resume", "--allow-deletions"]).exits(1);
    assert!(run.stderr.contains(&format!("the sync of {id} stays held: {missing}")), "{run}");

    for args in [&["status"][..], &["status", "--cached"], &["status", "--all", "--check"]] {
        let run = world.sinc(args).success();
        assert!(run.stdout.contains(&format!("\nsync      held: {missing}; nothing is deleted")), "{run}");
        assert!(ways.iter().all(|way| run.stdout.contains(&format!("\n          {way}"))), "{run}");
    }
    let run = world.sinc(&["status", "--json"]).success();
    let sync = &documented::data("status", &run.stdout)["sync"];
    assert_eq!((&sync["state"], &sync["held"]["side"]), (&"held".into(), &side.into()), "{run}");
    assert_eq!((&sync["held"]["missing"], &sync["held"]["of"]), (&FILES.into(), &FILES.into()), "{run}");
    let run = world.sinc(&["list"]).success();
    assert!(run.stdout.contains("  held ") && run.stdout.contains(&missing), "{run}");
    let run = world.sinc(&["list", "--json"]).success();
    assert_eq!(documented::data("list", &run.stdout)["sessions"][0]["sync"]["held"]["side"], side, "{run}");
    // A program that asks is told in the failure.
    let run = world.sinc(&["flush", "--json"]).exits(1);
    assert!(run.stdout.contains("\"hints\":[\"`sinc resume "), "{run}");

    // With a terminal the agent is there at once, and it is said inside.
    let terminal = steps::attach(&bed.sandbox, &world.project);
    terminal.wait_for("sinc: the sync is held (", PATIENCE);
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(bed);
    assert!(world.is_paused());
    assert_eq!((steps::tree(&world.project), steps::tree(&world.there)), before);
}

#[test]
fn a_host_that_was_emptied_while_paused_is_held_and_filled_again() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.there);
    everything_leaves_it_alone(&world, "remote", "on the host");
    let sync = world.identifier();
    let run = world.sinc(&["resume", "--restore"]).success();
    assert!(run.stderr.contains(&format!("Restored {FILES} files on the host, where 0 were left")), "{run}");
    world.is_whole();
    assert_eq!(world.identifier(), sync, "it is the same sync");
    assert_eq!(
        documented::data("status", &world.sinc(&["status", "--json"]).stdout)["sync"]["held"],
        serde_json::Value::Null
    );
    // It is as any other.
    std::fs::remove_file(world.project.join("src/it's 3.rs")).unwrap();
    world.sinc(&["flush"]).success();
    assert!(!world.there.join("src/it's 3.rs").exists());
}

#[test]
fn a_directory_here_that_was_emptied_while_paused_is_held_and_filled_again() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.project);
    // The agent goes on meanwhile.
    steps::write(&world.there.join("src/it's 1.rs"), "by the agent\n");
    steps::write(&world.there.join("src/new"), "by the agent\n");
    let whole = steps::tree(&world.there);
    everything_leaves_it_alone(&world, "local", "here");
    let json = world.sinc(&["resume", "--restore", "--json"]).success();
    assert_eq!(documented::data("resume", &json.stdout)["sync"]["state"], "synced", "{json}");
    World { whole, ..world }.is_whole();
}

#[test]
fn deletions_that_were_meant_go_through_once_a_person_says_so() {
    for here in [false, true] {
        let Some(world) = connected() else { return };
        let emptied = if here { &world.project } else { &world.there };
        steps::write(&world.project.join("kept"), "kept\n");
        world.sinc(&["flush"]).success();
        world.sinc(&["pause"]).success();
        std::fs::remove_dir_all(emptied.join("src")).unwrap();
        world.sinc(&["resume"]).exits(1);
        // Nobody is asked off a terminal.
        let run = world.sinc(&["resume", "--allow-deletions"]).exits(1);
        assert!(run.stderr.contains("Delete them "), "{run}");
        assert!(world.is_paused());
        let run = world.sinc(&["resume", "--allow-deletions", "--yes"]).success();
        let missing = format!(
            "warning: {FILES} of {} files are missing {}",
            FILES + 1,
            if here { "here" } else { "on the host" }
        );
        assert!(run.stderr.contains(&missing), "{run}");
        let kept = vec![(PathBuf::from("kept"), Some("kept\n".to_owned()))];
        World { whole: kept, ..world }.is_whole();
    }
}

#[test]
fn that_everything_is_gone_goes_through_too() {
    let Some(world) = connected() else { return };
    for name in ["two", "three"] {
        steps::write(&world.project.join(name), name);
    }
    world.sinc(&["flush"]).success();
    world.empty_while_paused(&world.project);
    world.sinc(&["resume", "--allow-deletions", "--yes"]).success();
    World { whole: Tree::new(), ..world }.is_whole();
}

#[test]
fn one_that_has_halted_is_held_and_killed_at_any_step_it_stays_as_it_is() {
    let Some(world) = connected() else { return };
    let bed = &world.bed;
    steps::write(&world.project.join("two"), "2\n");
    world.sinc(&["flush"]).success();
    let whole = steps::tree(&world.project);
    let killer = Killer::build(bed);
    let mut states = Vec::new();
    for number in 1.. {
        world.empty_while_paused(&world.project);
        steps::mutagen(&bed.sandbox, &["sync", "resume", "--all"]).success();
        let status = || steps::syncs(&bed.sandbox)[0]["status"].clone();
        wait_until("the sync has halted", PATIENCE, || status() == "halted-on-root-emptied");
        killer.at("before", number);
        let run = world.sinc(&["resume"]);
        let killed = killer.stop();
        let status = world.sinc(&["status", "--cached"]).success();
        let held = status.stdout.contains("\nsync      held: ");
        states.push((held, world.is_paused()));
        assert!(killed || states.last() == Some(&(true, true)), "{run}\n{status}");
        if held {
            world.sinc(&["flush"]).exits(1);
        }
        assert_eq!(steps::tree(&world.there), whole, "{run}\n{status}");
        let run = world.sinc(&["--no-attach"]).success();
        assert!(run.stderr.contains("is held: "), "{run}");
        assert!(world.is_paused(), "{run}");
        world.sinc(&["resume", "--restore"]).success();
        assert_eq!(steps::tree(&world.project), whole);
        assert_eq!(steps::tree(&world.there), whole);
        if !killed {
            break;
        }
    }
    assert!(states.contains(&(true, false)), "it was killed between writing and pausing: {states:?}");
}

#[test]
fn half_is_not_more_than_half_and_fifty_are_few() {
    let Some(world) = connected() else { return };
    world.sinc(&["pause"]).success();
    for n in 0..50 {
        std::fs::remove_file(world.there.join(format!("src/it's {n}.rs"))).unwrap();
    }
    world.sinc(&["resume"]).success();
    assert_eq!(steps::tree(&world.project).len(), FILES - 50 + 1);
    // The options of a sync that is not held.
    let run = world.sinc(&["resume", "--allow-deletions"]).success();
    assert!(run.stderr.contains("it is not held"), "{run}");
    world.sinc(&["resume", "--allow-deletions", "--restore"]).exits(2);
}

#[test]
fn an_attach_looks_before_a_paused_sync_goes_on() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.there);
    let terminal = steps::attach(&world.bed.sandbox, &world.project);
    terminal.wait_for(&format!("sinc: the sync is held ({FILES} of {FILES} files"), PATIENCE);
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&world.bed);
    assert!(world.is_paused());
    assert_eq!(steps::tree(&world.project), world.whole);
}

#[test]
fn a_disk_that_is_not_mounted_is_held_when_the_computer_was_restarted() {
    let Some(world) = connected() else { return };
    let bed = &world.bed;
    // Mutagen's daemon is not there, and the host takes its time: so it was after a restart, before it is connected.
    steps::mutagen(&bed.sandbox, &["daemon", "stop"]).success();
    steps::end_shared_connection(bed);
    let slow = bed.host.dir().join("slow");
    steps::write(&slow, "");
    steps::before_each(
        bed,
        "ssh",
        &format!("case $* in *mutagen-agent*) until ! [ -e {} ]; do sleep 0.1; done;; esac", slow.display()),
    );
    let aside = world.project.with_file_name("aside");
    std::fs::rename(&world.project, &aside).unwrap();
    std::fs::create_dir(&world.project).unwrap();
    let run = world.sinc(&["--no-attach"]).success();
    std::fs::remove_file(&slow).unwrap();
    assert!(run.stderr.contains(&format!("is held: {FILES} of {FILES} files are missing here")), "{run}");
    assert!(world.is_paused());
    assert_eq!(steps::tree(&world.there), world.whole);
    // Mounted again: nothing is missing, and nothing differs.
    std::fs::remove_dir(&world.project).unwrap();
    std::fs::rename(&aside, &world.project).unwrap();
    world.sinc(&["resume", "--restore"]).success();
    world.is_whole();
}

#[test]
fn one_without_a_line_is_looked_at_and_goes_on() {
    let Some(world) = connected() else { return };
    let bed = &world.bed;
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    wait_until("the sync has no line", PATIENCE, || {
        steps::syncs(&bed.sandbox)[0]["status"] == "connecting-beta"
    });
    steps::write(&world.there.join("by-the-agent"), "meanwhile\n");
    // Mutagen gets no connection before the host was counted, and so cannot be quicker.
    let counted = bed.host.dir().join("counted");
    steps::before_each(
        bed,
        "ssh",
        &format!(
            "case $* in *'$limit find . -name .git'*) touch {0};; *mutagen-agent*) \
             n=0; until [ -e {0} ] || [ $n -gt 300 ]; do n=$((n + 1)); sleep 0.1; done; [ -e {0} ] || exit 1;; esac",
            counted.display()
        ),
    );
    bed.host.start_sshd().unwrap();
    let run = world.sinc(&["--no-attach", "-v"]).success();
    assert!(counted.exists(), "{run}");
    let whole = steps::tree(&world.there);
    World { whole, ..world }.is_whole();
}

#[test]
fn what_was_changed_meanwhile_is_a_conflict_and_not_lost() {
    let Some(world) = connected() else { return };
    world.sinc(&["pause"]).success();
    for n in 1..FILES {
        std::fs::remove_file(world.project.join(format!("src/it's {n}.rs"))).unwrap();
    }
    steps::write(&world.there.join("src/it's 0.rs"), "by the agent\n");
    let run = world.sinc(&["resume", "--restore"]).success();
    assert!(run.stderr.contains(&format!("Restored {FILES} files here, where 1 were left")), "{run}");
    assert!(run.stderr.contains("1 conflict, left alone on both sides: src/it's 0.rs"), "{run}");
    assert_eq!(steps::tree(&world.project), world.whole);
    assert_eq!(steps::read(&world.there.join("src/it's 0.rs")), "by the agent\n");
}

#[test]
fn in_the_modes_that_go_one_way_beginning_anew_is_refused() {
    for (mode, why) in [
        ("one-way-safe", "nothing comes here from the host"),
        ("one-way-replica", "would delete on the host what is missing here"),
    ] {
        let Some(mut world) = connected_with(&format!("[sync]\nmode = \"{mode}\"\n")) else { return };
        world.empty_while_paused(&world.project);
        let run = world.sinc(&["resume", "--restore"]).exits(1);
        assert!(
            run.stderr.contains(&format!("stays held: in mode {mode}, ")) && run.stderr.contains(why),
            "{run}"
        );
        assert!(world.is_paused());
        assert_eq!(steps::tree(&world.there), world.whole);
        // Nor is it made anew by itself, when it is gone.
        if mode != "one-way-safe" {
            let sync = world.identifier();
            steps::mutagen(&world.bed.sandbox, &["sync", "terminate", &sync]).success();
            let run = world.sinc(&["--no-attach"]).exits(1);
            assert!(run.stderr.contains("the sync was held and is gone, and in mode"), "{run}");
            assert_eq!(steps::tree(&world.there), world.whole);
        }
        // What the hint says is so.
        world.sinc(&["kill", "--yes"]).success();
        world.bed.sandbox.set("SINC_MODE", "two-way-safe");
        world.sinc(&["--no-attach", "--yes"]).success();
        world.is_whole();
        world.bed.sandbox.unset("SINC_MODE");
        world.sinc(&["--no-attach"]).success();
        world.is_whole();
        // What is missing on the host does not go here in these modes.
        if mode.starts_with("one-way") {
            world.empty_while_paused(&world.there);
            world.sinc(&["resume"]).success();
            world.is_whole();
        }
    }
}

#[test]
fn where_the_version_here_wins_the_hosts_is_kept_when_it_begins_anew() {
    let Some(world) = connected_with("[sync]\nmode = \"two-way-resolved\"\n") else { return };
    world.empty_while_paused(&world.there);
    steps::write(&world.there.join("src/it's 0.rs"), "by the agent\n");
    drop(world.sinc(&["resume", "--restore"]).success());
    drop(world.sinc(&["flush"]).success());
    world.is_whole();
    drop(world.sinc(&["backups", "restore", "src/it's 0.rs", "--yes"]).success());
    assert_eq!(steps::read(&world.there.join("src/it's 0.rs")), "by the agent\n");
}

#[test]
fn one_that_is_gone_or_whose_directory_moved_is_made_anew_and_has_nothing_to_delete() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.project);
    world.sinc(&["resume"]).exits(1);
    let sync = world.identifier();
    steps::mutagen(&world.bed.sandbox, &["sync", "terminate", &sync]).success();
    let run = world.sinc(&["list"]).success();
    assert!(run.stdout.contains("it has no sync"), "{run}");
    world.sinc(&["--no-attach"]).success();
    world.is_whole();

    world.empty_while_paused(&world.project);
    world.sinc(&["resume"]).exits(1);
    let moved = world.there.with_file_name("elsewhere");
    std::fs::rename(&world.there, &moved).unwrap();
    let run = world.sinc(&["--no-attach"]).success();
    assert!(run.stderr.contains("Renewed the sync, for the new place"), "{run}");
    World { there: moved, ..world }.is_whole();
}

#[test]
fn settings_that_changed_wait_until_it_goes_on() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.there);
    world.sinc(&["resume"]).exits(1);
    let sync = world.identifier();
    let config = world.bed.sandbox.read(".config/sinc/config.toml");
    world.bed.sandbox.write(".config/sinc/config.toml", config + "[sync]\nignore = [\"*.log\"]\n");
    let run = world.sinc(&["--no-attach"]).success();
    assert!(run.stderr.contains("is held: "), "{run}");
    assert_eq!(world.identifier(), sync);
    assert_eq!(steps::tree(&world.project), world.whole);
    world.sinc(&["resume", "--restore"]).success();
    let run = world.sinc(&["--no-attach"]).success();
    assert!(run.stderr.contains("Renewed the sync, with the new settings"), "{run}");
    world.is_whole();
}

/// Kills sinc before or after its call of this number, counted over ssh and Mutagen together.
struct Killer {
    dir: PathBuf,
}

impl Killer {
    #[track_caller]
    fn build(bed: &Bed) -> Self {
        let dir = bed.host.dir().join("killer");
        std::fs::create_dir(&dir).unwrap();
        let mutagen = bed.host.bin().join("mutagen");
        steps::write(&mutagen, &format!("#!/bin/sh\nexec {} \"$@\"\n", steps::real_mutagen()));
        steps::set_mode(&mutagen, 0o755);
        // Only sinc's own calls: Mutagen's daemon calls ssh too. A call takes the lowest number that is there.
        let line = format!(
            "case $(cat /proc/$PPID/comm) in sinc) for n in $(ls {0}/calls | sort -n); do rmdir {0}/calls/$n 2>/dev/null && break; done; \
             case $(ls {0}/calls | wc -l),$(cat {0}/when) in \
             0,before) mv {0}/when {0}/killed; kill -9 $PPID; exit 1;; \
             0,after) mv {0}/when {0}/killed; \"$0\" \"$@\"; kill -9 $PPID; exit 1;; esac;; esac 2>/dev/null",
            dir.display()
        );
        for program in ["ssh", "mutagen"] {
            steps::before_each(bed, program, &line);
        }
        Self { dir }
    }

    #[track_caller]
    fn at(&self, when: &str, number: usize) {
        let _ = std::fs::remove_dir_all(self.dir.join("calls"));
        let _ = std::fs::remove_file(self.dir.join("killed"));
        for n in 1..=number {
            std::fs::create_dir_all(self.dir.join(format!("calls/{n}"))).unwrap();
        }
        steps::write(&self.dir.join("when"), when);
    }

    /// Kills nothing any more; has it killed?
    #[track_caller]
    fn stop(&self) -> bool {
        let _ = std::fs::remove_file(self.dir.join("when"));
        self.dir.join("killed").exists()
    }
}

/// Kills `sinc resume` with this option at each of its steps in turn.
fn killed_at_each_step(option: &str, check: impl Fn(&World, &str)) {
    for when in ["before", "after"] {
        let Some(world) = connected() else { return };
        let killer = Killer::build(&world.bed);
        let mut number = 1;
        loop {
            world.empty_while_paused(&world.there);
            world.sinc(&["resume"]).exits(1);
            killer.at(when, number);
            let run = world.sinc(&["resume", option, "--yes"]);
            if !killer.stop() {
                assert_eq!(run.code, 0, "{run}");
                assert!(number > 4, "only {number} steps");
                break;
            }
            check(&world, &format!("killed {when} step {number}:\n{run}"));
            number += 1;
        }
    }
}

#[test]
fn restoring_can_be_killed_at_each_step() {
    killed_at_each_step("--restore", |world, step| {
        assert_eq!(steps::tree(&world.project), world.whole, "{step}");
        // Whatever is asked next deletes nothing, and the same again brings everything back.
        let run = world.sinc(&["--no-attach"]);
        assert_eq!(run.code, 0, "{step}\n{run}");
        assert_eq!(steps::tree(&world.project), world.whole, "{step}\n{run}");
        let run = world.sinc(&["resume", "--restore"]);
        assert_eq!(run.code, 0, "{step}\n{run}");
        world.is_whole();
    });
}

#[test]
fn allowing_can_be_killed_at_each_step() {
    killed_at_each_step("--allow-deletions", |world, step| {
        // Before it went on: held still, or again. After that: both sides are alike.
        let run = world.sinc(&["resume"]);
        let here = steps::tree(&world.project);
        if run.code == 0 {
            assert_eq!(here, steps::tree(&world.there), "{step}\n{run}");
        } else {
            assert!(run.stderr.contains("is held: "), "{step}\n{run}");
            assert_eq!(here, world.whole, "{step}\n{run}");
            assert!(world.is_paused(), "{step}");
            world.sinc(&["resume", "--restore"]).success();
        }
        for (path, text) in &world.whole {
            if let Some(text) = text {
                steps::write(&world.project.join(path), text);
            }
        }
        world.sinc(&["resume"]).success();
        world.is_whole();
    });
}

#[test]
fn one_that_runs_although_it_is_held_is_paused_again() {
    let Some(world) = connected() else { return };
    world.empty_while_paused(&world.there);
    world.sinc(&["resume"]).exits(1);
    // Put back by hand, and resumed by hand: what is written still counts, until sinc is asked to go on.
    for (path, text) in &world.whole {
        if let Some(text) = text {
            steps::write(&world.there.join(path), text);
        }
    }
    steps::mutagen(&world.bed.sandbox, &["sync", "resume", "--all"]).success();
    world.sinc(&["--no-attach"]).success();
    assert!(world.is_paused());
    steps::mutagen(&world.bed.sandbox, &["sync", "resume", "--all"]).success();
    let terminal = steps::attach(&world.bed.sandbox, &world.project);
    wait_until("the sync is paused", PATIENCE, || world.is_paused());
    terminal.wait_for("sinc: the sync is held (", PATIENCE);
    steps::detach(terminal);
    let run = world.sinc(&["resume"]).success();
    assert!(run.stderr.contains("nothing that counts is missing any more"), "{run}");
    world.is_whole();
}
