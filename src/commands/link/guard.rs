//! `sinc link guard`, hidden: the process that starts a host's link, waits for its end and does nothing else, so that
//! also a link that dies while nobody is attached (a crash, memory that was freed) is soon there again.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::super::context::Context;
use super::ensure::{is_wanted, this_sinc};
use crate::link::log::Log;
use crate::process::Runner;
use crate::state::host_word;

/// A link that ends sooner has not really started.
const LASTS: Duration = Duration::from_secs(60);

/// How long after its end the next one is started: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long after the end of each link the next one is started: soon, and later and later while they do not last.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    /// The pause after a link that lasted so long.
    pub(super) fn after(&mut self, lasted: Duration) -> Duration {
        let pause = if lasted > LASTS { FIRST_PAUSE } else { self.0 };
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Runs the host's link, and again when it has died, until it ends by itself: it was told to, has no session left, or another
/// one runs.
///
/// # Errors
/// It cannot be started.
pub(super) fn run(ctx: &Context, host: &str) -> Result<i32> {
    let _ = rustix::process::setsid();
    // What it does again and again does not belong into the journal.
    let runner = Runner::default();
    let log = Log::new(&ctx.store.directory().join("logs"), &host_word(host));
    let mut pauses = Pauses::new();
    loop {
        let began = Instant::now();
        let link = this_sinc(ctx, "run the link")?.args(["link", "run", "--", host]);
        let ended = runner.spawn_service(&link)?.wait().context("cannot wait for the link's end")?;
        if ended.success() || !is_wanted(ctx, host) {
            return Ok(0);
        }
        let pause = pauses.after(began.elapsed());
        log.note(&format!("died: {}; the next one in {} s", told(ended), pause.as_secs()));
        std::thread::sleep(pause);
        // A sinc may have started another one meanwhile, which has a guard of its own.
        if ctx.store.link_runs(host).is_some() || !is_wanted(ctx, host) {
            return Ok(0);
        }
    }
}

fn told(ended: ExitStatus) -> String {
    match (ended.signal(), ended.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, code) => format!("exit code {}", code.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_last_is_tried_more_and_more_rarely() {
        let mut pauses = Pauses::new();
        let short = Duration::from_secs(1);
        let all: Vec<u64> = (0..10).map(|_| pauses.after(short).as_secs()).collect();
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(pauses.after(LASTS * 2), FIRST_PAUSE);
        assert_eq!(pauses.after(short), FIRST_PAUSE * 2);
    }
}
