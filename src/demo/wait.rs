//! Waiting for something that somebody else does: by its condition, and never for ever.

use std::fmt;
use std::time::{Duration, Instant};

use crate::process::interrupted;

/// How long anything in a demo may take. A wait ends when its condition holds, so a slow machine loses nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something did not happen in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSlow {
    what: String,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not within {} s: {}", PATIENCE.as_secs(), self.what)
    }
}

impl std::error::Error for TooSlow {}

/// Asks until there is an answer, at first every millisecond and then every ten, which is as exact as the times
/// that are measured with it. `what` completes "not within 60 s: …".
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        interrupted()?;
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(TooSlow { what: what.to_owned() }.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
