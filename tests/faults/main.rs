//! Is anything ever lost? Seeded runs of two people who work on both sides at once while everything breaks, against a
//! model of every version that either of them ever wrote. `tests/faults/README.md` tells how; `tests/run.sh faults`
//! runs as many as `SINC_FAULTS_RUNS` says, from the seed `SINC_FAULTS_SEED` on.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

#[path = "../support/mod.rs"]
mod support;

mod actor;
mod check;
mod content;
mod disk;
mod fault;
mod git;
mod mass;
mod model;
mod power_cut;
mod run;
mod tree;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use mass::Through;
use support::variable;

/// How many runs there are when nobody says.
const RUNS: u64 = 25;

/// The seed of the first one when nobody says. A run's faults are the same each time, their moment is not quite.
const SEED: u64 = 1;

fn number(name: &str, default: u64) -> u64 {
    variable(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// How many runs there are at a time: they wait more than they work.
fn workers() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    number("SINC_FAULTS_WORKERS", 2 * cores as u64)
}

#[test]
fn nothing_is_ever_lost() {
    if !support::e2e::have(&["tmux", "mutagen", "sshd"]) {
        return;
    }
    let (runs, first) = (number("SINC_FAULTS_RUNS", RUNS), number("SINC_FAULTS_SEED", SEED));
    let workers = workers();
    let (next, began) = (AtomicU64::new(first), Instant::now());
    let (mut failed, mut through) = (Vec::new(), Through::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..workers).map(|_| scope.spawn(|| one_after_the_other(&next, first + runs))).collect();
        for worker in workers {
            let (more, passed) = worker.join().unwrap();
            failed.extend(more);
            through += passed;
        }
    });
    let seconds = began.elapsed().as_secs();
    run::say(&format!(
        "faults: {runs} runs from seed {first} in {seconds} s, {} failed: {failed:?}; {through}",
        failed.len()
    ));
    assert!(!through.too_many_went(), "the brake did not hold: {through}");
    assert!(failed.is_empty(), "repeat one with SINC_FAULTS_RUNS=1 SINC_FAULTS_SEED=SEED: {failed:?}");
}

/// Takes one seed after the other, and gives those that failed.
fn one_after_the_other(next: &AtomicU64, end: u64) -> (Vec<u64>, Through) {
    let (mut failed, mut through) = (Vec::new(), Through::default());
    loop {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if seed >= end {
            return (failed, through);
        }
        match std::panic::catch_unwind(|| run::run(seed)) {
            Ok(passed) => through += passed,
            Err(_) => {
                run::say(&format!("faults: seed {seed} FAILED"));
                failed.push(seed);
            }
        }
    }
}
