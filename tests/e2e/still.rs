//! What stands still without anybody being told: the data line of a push (ssh has its answers, Mutagen has none), and one session of
//! several.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::conflicts::connected;
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{PATIENCE, wait_until};
use crate::transfer::{OLD, drift, found, goes_both_ways};

/// In the place of Mutagen's agent: as long as there is a gate, the first one that is started does not get on: before it
/// begins, or after so many bytes of what it says.
struct Gate(PathBuf);

impl Gate {
    fn build(bed: &Bed, slow: &str) -> Self {
        let agents = bed.host.remote_home().join(".mutagen/agents");
        let agent = std::fs::read_dir(agents).unwrap().next().unwrap().unwrap().path().join("mutagen-agent");
        std::fs::rename(&agent, agent.with_extension("real")).unwrap();
        let text = "#!/bin/sh\nwaits() { while [ -e \"$0.gate\" ]; do sleep 0.1; done; }\n\
            if [ -e \"$0.gate\" ] && mkdir \"$0.taken\" 2>/dev/null; then SLOW; fi\nexec \"$0.real\" \"$@\"\n";
        bed.sandbox.write_program(&agent, &text.replace("SLOW", slow));
        Self(agent)
    }

    fn close(&self) {
        std::fs::write(self.0.with_extension("gate"), "").unwrap();
    }

    fn open(&self) {
        std::fs::remove_file(self.0.with_extension("gate")).unwrap();
    }

    fn is_taken(&self) -> bool {
        self.0.with_extension("taken").exists()
    }
}

/// Runs a push over a line that stands still, and gives what it said.
#[track_caller]
fn gives_up(bed: &Bed, project: &Path) -> Run {
    let push = bed.sandbox.program(Sandbox::binary(), project).args(["push", "--yes"]).patience(4 * PATIENCE);
    let began = Instant::now();
    let run = bed.sandbox.finish(&push);
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}: {run}", began.elapsed());
    run.exits(75)
}

#[test]
fn a_push_on_a_line_that_stands_still_gives_up_soon_and_changes_nothing() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    steps::write(&project.join("both"), "here");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    let agents = bed.agents();
    Bed::signal(&agents, Signal::STOP);
    steps::write(&there.join("both"), "there");
    let run = gives_up(&bed, &project);
    Bed::signal(&agents, Signal::CONT);
    assert!(run.stderr.contains("nothing was changed") && run.stderr.contains("within 30"), "{run}");
    wait_until("the sync goes on both ways", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["flush"]).code == 0 && steps::read(&project.join("both")) == "there"
    });
    goes_both_ways(&bed, &project, &there);
}

/// A push whose new line stands still gives up; the next `sinc` goes on.
fn stands_still(slow: &str, said: &str) {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    drift(&bed, &project, &there);
    let gate = Gate::build(&bed, slow);
    gate.close();
    let run = gives_up(&bed, &project);
    assert!(gate.is_taken() && run.stderr.contains(said), "{run}");
    let backups = bed.host.remote_home().join(".local/state/sinc/backups");
    assert!(found(&backups, "there") && run.stderr.contains("Kept 5 paths on the host in "), "{run}");
    gate.open();
    wait_until("the next sinc goes on", PATIENCE, || {
        // Mutagen may go on making the sync that was given up: of two, one is kept.
        bed.sandbox.sinc_in(&project, &["--no-attach"]).code == 0 && steps::syncs(&bed.sandbox).len() == 1
    });
    goes_both_ways(&bed, &project, &there);
    assert_eq!(steps::read(&there.join("both")), "here");
}

#[test]
fn a_push_whose_new_line_stands_still_at_once() {
    stands_still("waits", "could not be made again; `sinc` makes it");
}

#[test]
fn a_push_whose_new_line_stands_still_in_the_midst_of_its_cycle() {
    let slow = "\"$0.real\" \"$@\" | { dd bs=1 count=100 2>/dev/null; waits; cat; }; exit";
    stands_still(slow, "not everything is brought over yet; the sync goes on both ways");
}

#[test]
fn a_session_that_does_not_connect_holds_up_no_other_one() {
    let Some(bed) = Bed::new() else { return };
    let projects = ["one", "two"].map(|name| bed.project(name, &[("a", "1")]));
    for project in &projects {
        steps::connect(&bed.sandbox, project);
    }
    let gate = Gate::build(&bed, "waits");
    gate.close();
    bed.host.break_connections().unwrap();
    wait_until("one of them waits to connect", PATIENCE, || gate.is_taken());
    for project in &projects {
        steps::write(&project.join("a"), "2");
    }
    let arrived = || {
        let there = ["one", "two"].map(|name| steps::there(&bed, name).join("a"));
        there.iter().filter(|path| steps::read(path) == "2").count()
    };
    // The one that waits may have been given up for another connection of the same session: then both do.
    wait_until("the other one syncs", PATIENCE, || arrived() >= 1);
    gate.open();
    wait_until("both sync", PATIENCE, || arrived() == 2);
}
