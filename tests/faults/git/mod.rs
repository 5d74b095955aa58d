//! The same question for git on both sides: seeded runs of two people with about fifty git operations and edits, while the
//! processes of each step of a cycle are killed, lines are cut, and others race.

mod calm;
mod check;
mod moment;
mod ops;
mod repo;
mod run;
mod saves;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::run::say;
use super::support::e2e::have;
use super::{number, workers};
use run::Came;

/// How many runs there are when nobody says.
const RUNS: u64 = 5;

#[test]
fn with_git_nothing_is_ever_lost() {
    if !have(&["tmux", "mutagen", "sshd", "git"]) {
        return;
    }
    let (runs, first) = (number("SINC_GIT_FAULTS_RUNS", RUNS), number("SINC_FAULTS_SEED", 1));
    let (next, began) = (AtomicU64::new(first), Instant::now());
    let (mut failed, mut came) = (Vec::new(), Came::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..workers()).map(|_| scope.spawn(|| one_after_the_other(&next, first + runs))).collect();
        for worker in workers {
            let (more, passed) = worker.join().unwrap();
            failed.extend(more);
            came += passed;
        }
    });
    say(&format!(
        "git faults: {runs} runs from seed {first} in {} s, {} failed: {failed:?}; {came:?}",
        began.elapsed().as_secs(),
        failed.len()
    ));
    assert!(failed.is_empty(), "repeat one with SINC_GIT_FAULTS_RUNS=1 SINC_FAULTS_SEED=SEED: {failed:?}");
}

fn one_after_the_other(next: &AtomicU64, end: u64) -> (Vec<u64>, Came) {
    let (mut failed, mut came) = (Vec::new(), Came::default());
    loop {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if seed >= end {
            return (failed, came);
        }
        match std::panic::catch_unwind(|| run::run(seed)) {
            Ok(passed) => came += passed,
            Err(_) => {
                say(&format!("git faults: seed {seed} FAILED"));
                failed.push(seed);
            }
        }
    }
}
