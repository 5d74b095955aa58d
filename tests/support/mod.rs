//! The test kit: a sealed world for the binary (`sandbox`), tools that only record (`fakes`), a terminal with a
//! person at it (`terminal`), a host (`e2e`).

#![expect(dead_code, reason = "each test binary uses its own part of the kit")]
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

pub(crate) mod e2e;
pub(crate) mod fakes;
pub(crate) mod normal;
pub(crate) mod program;
pub(crate) mod sandbox;
pub(crate) mod terminal;

use std::time::{Duration, Instant};

/// Keeps the expectation above true in a test binary that uses all of the kit.
const NEVER_USED: () = ();

/// How long anything may take on a slow, busy machine. A wait ends when its condition holds, so this costs
/// nothing where all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is yes, at first often and then less so.
///
/// # Panics
/// With `what` when the time is up.
#[track_caller]
pub(crate) fn wait_until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    assert!(poll(patience, &mut done), "not within {} s: {what}", patience.as_secs_f32());
}

/// Asks until the answer is yes or the time is up; was it yes?
pub(crate) fn poll(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(2);
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A variable of the environment that the tests run in.
#[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
