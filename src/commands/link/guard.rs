//! `sinc link guard`, hidden: the process that starts a host's link, waits for its end and does nothing else, so that
//! also a link that dies while nobody is attached (a crash, memory that was freed) is soon there again.
//!
//! One a host. Whoever wants a link to end ends its guard first.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::context::Context;
use super::engine;
use super::ensure::{is_wanted, this_sinc};
use crate::link::log::Log;
use crate::process::Runner;
use crate::state::{Busy, host_word};

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

enum Message {
    /// The link is not there any more; why.
    Ended(String),
    /// A signal came.
    Stop,
}

/// Runs the host's link, and again when it has ended, until none is wanted or a signal comes, which leaves the link alone.
///
/// # Errors
/// It cannot be told when a signal comes, or the lock cannot be made.
pub(super) fn run(ctx: &Context, host: &str) -> Result<i32> {
    let _ = rustix::process::setsid();
    let _lock = match ctx.store.become_guard(host) {
        // Another one waits until it tries the next time; now is better, and it waits for the end of this one.
        Err(error) if error.is::<Busy>() => return engine::run(ctx, host),
        lock => lock?,
    };
    let (outbox, inbox) = channel();
    let stop = outbox.clone();
    crate::process::on_signal(move || drop(stop.send(Message::Stop)))?;
    crate::process::interrupted()?;
    let log = Log::new(&ctx.store.directory().join("logs"), &host_word(host));
    let mut pauses = Pauses::new();
    loop {
        let began = Instant::now();
        let why = match begin(ctx, host, &outbox) {
            Ok(()) => match inbox.recv() {
                Ok(Message::Ended(why)) => why,
                Ok(Message::Stop) | Err(_) => return Ok(0),
            },
            Err(error) => format!("{error:#}"),
        };
        // What cannot be told now may be told later.
        let wanted = || !matches!(is_wanted(ctx, host), Ok(false));
        if !wanted() {
            return Ok(0);
        }
        let pause = pauses.after(began.elapsed());
        log.note(&format!("it has ended ({why}) and shall run: the next one in {} s", pause.as_secs()));
        if inbox.recv_timeout(pause).is_ok() || !wanted() {
            return Ok(0);
        }
    }
}

/// Starts the link, where none runs, and has its end told.
fn begin(ctx: &Context, host: &str, outbox: &Sender<Message>) -> Result<()> {
    let outbox = outbox.clone();
    if ctx.store.link_runs(host).is_some() {
        let (store, host) = (ctx.store.clone(), host.to_owned());
        return wait(move || {
            store.wait_for_links_end(&host);
            drop(outbox.send(Message::Ended("not this one's".to_owned())));
        });
    }
    let link = this_sinc(ctx, "run the link")?.args(["link", "run", "--", host]);
    // What is done again and again does not belong into the journal.
    let mut link = Runner::default().spawn_service(&link)?;
    wait(move || {
        let why = link.wait().map_or_else(|error| error.to_string(), told);
        drop(outbox.send(Message::Ended(why)));
    })
}

/// Waits in a thread with a small stack.
fn wait(work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().stack_size(64 * 1024).spawn(work)?;
    Ok(())
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
