//! Ctrl-C and SIGTERM: one handler sets a flag and passes the signal on to the programs that are running, so
//! that every wait returns.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/// Those that sinc catches.
const CAUGHT: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// The last signal, or 0.
static RECEIVED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
/// Which of [`CAUGHT`] came and were not passed on yet: on a busy computer the thread that does so may be late.
static PENDING: LazyLock<[Arc<AtomicBool>; CAUGHT.len()]> = LazyLock::new(Default::default);
/// Is there somebody in [`DIVERTED`]? What comes is theirs then, and no reason to stop.
static IS_DIVERTED: AtomicBool = AtomicBool::new(false);
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
/// Who gets the signals at this moment, in the place of the programs that are running.
static DIVERTED: Mutex<Option<Hears>> = Mutex::new(None);

type Hears = Box<dyn Fn(i32) + Send>;

/// A signal told sinc to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(
    /// The signal's number.
    pub i32,
);

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// Starts to catch SIGINT, SIGTERM and SIGHUP.
///
/// # Errors
/// The system refuses the handler.
pub fn install_signal_handler() -> std::io::Result<()> {
    for (signal, pending) in CAUGHT.into_iter().zip(PENDING.iter()) {
        // In the handler itself: Ctrl-C ends the program that we wait for at the same moment, and its end must not
        // be seen before ours.
        let number = usize::try_from(signal).unwrap_or_default();
        signal_hook::flag::register(signal, pending.clone())?;
        signal_hook::flag::register_usize(signal, RECEIVED.clone(), number)?;
    }
    let mut signals = signal_hook::iterator::Signals::new(CAUGHT)?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let hears = diverted();
            // Somebody has heard it already, or it was forgiven.
            if !take(signal) {
                continue;
            }
            if let Some(hears) = hears.as_ref() {
                RECEIVED.store(0, Ordering::SeqCst);
                hears(signal);
                continue;
            }
            drop(hears);
            for pid in running().iter() {
                terminate(*pid);
            }
        }
    });
    Ok(())
}

/// Did this signal come, and was it not passed on yet? It counts as passed on then.
fn take(signal: i32) -> bool {
    CAUGHT
        .iter()
        .zip(PENDING.iter())
        .any(|(one, pending)| *one == signal && pending.swap(false, Ordering::SeqCst))
}

/// Tells of what came and was not heard yet.
fn tell(hears: &Hears) {
    let last = i32::try_from(RECEIVED.swap(0, Ordering::SeqCst)).unwrap_or(SIGTERM);
    for signal in CAUGHT {
        if take(signal) || signal == last {
            hears(signal);
        }
    }
}

/// Gives the signals to `hears` for as long as the value lives, each once, and one that came before and has not stopped sinc
/// yet too: sinc does not stop then.
#[must_use]
pub fn divert_signals(hears: impl Fn(i32) + Send + 'static) -> Diverted {
    let mut diverted = diverted();
    IS_DIVERTED.store(true, Ordering::SeqCst);
    tell(diverted.insert(Box::new(hears)));
    Diverted(())
}

/// As [`divert_signals`], with SIGQUIT, SIGUSR1 and SIGUSR2, which mean nothing of their own to sinc. To be called once.
///
/// # Errors
/// The system refuses the handler.
pub fn divert_all_signals(hears: impl Fn(i32) + Send + 'static) -> std::io::Result<Diverted> {
    let mut signals = signal_hook::iterator::Signals::new([SIGQUIT, SIGUSR1, SIGUSR2])?;
    let until_dropped = divert_signals(hears);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if let Some(hears) = diverted().as_ref() {
                hears(signal);
                continue;
            }
            // As if nobody had caught it.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(until_dropped)
}

/// Signals go elsewhere for as long as this lives.
#[derive(Debug)]
pub struct Diverted(());

impl Drop for Diverted {
    fn drop(&mut self) {
        let mut diverted = diverted();
        if let Some(hears) = diverted.take() {
            tell(&hears);
        }
        IS_DIVERTED.store(false, Ordering::SeqCst);
    }
}

fn diverted() -> MutexGuard<'static, Option<Hears>> {
    DIVERTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `tell` when sinc is told to stop: for a process that waits for other things.
///
/// # Errors
/// The system refuses the handler, or a thread.
pub fn on_signal(tell: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new(CAUGHT)?;
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || signals.forever().for_each(|_| tell()))?;
    Ok(())
}

/// Was sinc told to stop? `?` on this ends a loop.
///
/// # Errors
/// A signal came, and nobody else gets it ([`divert_signals`]).
pub fn interrupted() -> Result<(), Interrupted> {
    if IS_DIVERTED.load(Ordering::SeqCst) {
        return Ok(());
    }
    match RECEIVED.load(Ordering::SeqCst) {
        0 => Ok(()),
        signal => Err(Interrupted(i32::try_from(signal).unwrap_or(SIGTERM))),
    }
}

/// Forgets a signal that came: for what has to be put in order before sinc stops.
pub fn forgive_interrupt() {
    RECEIVED.store(0, Ordering::SeqCst);
    // Nor does it end any more what puts it in order.
    for signal in CAUGHT {
        take(signal);
    }
}

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that is running, for as long as this value lives.
pub(super) struct Running(i32);

impl Running {
    pub(super) fn new(pid: u32) -> Self {
        let pid = i32::try_from(pid).unwrap_or(i32::MAX);
        running().insert(pid);
        Self(pid)
    }

    pub(super) fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            // It may have ended by itself just now: then there is nothing to kill.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    pub(super) fn terminate(&self) {
        terminate(self.0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn terminate(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the handler itself does; the thread that passes it on is late.
    fn comes(signal: i32) {
        let at = CAUGHT.iter().position(|one| *one == signal).unwrap();
        PENDING[at].store(true, Ordering::SeqCst);
        RECEIVED.store(usize::try_from(signal).unwrap(), Ordering::SeqCst);
    }

    #[test]
    fn what_is_diverted_stops_nothing_and_is_heard_once_however_late() {
        let heard = Arc::<Mutex<Vec<i32>>>::default();
        let into = heard.clone();
        let hears = divert_signals(move |signal| into.lock().unwrap().push(signal));
        comes(SIGINT);
        // The program that was waited for has ended by the same Ctrl-C: what is to be done yet must go on.
        assert_eq!(interrupted(), Ok(()));
        comes(SIGTERM);
        drop(hears);
        assert_eq!(*heard.lock().unwrap(), [SIGINT, SIGTERM]);
        assert_eq!(interrupted(), Ok(()));
        assert!(!take(SIGINT) && !take(SIGTERM), "the thread has nothing to pass on any more");
    }
}
