//! How long to wait for something that reports its progress.

use std::time::{Duration, Instant};

use super::progress::{Phase, Progress};

/// How long nothing may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// While there is no connection, or nothing to be busy with.
    pub idle: Duration,
    /// While Mutagen scans, sends or writes: then it may say nothing for long (it reports no progress inside of a scan). A dead
    /// line is found by ssh itself.
    pub busy: Duration,
}

/// Does anything move? More bytes or files than a moment ago do, and a phase further than any since then: a line
/// that comes and goes without anything being sent does not.
pub(super) struct Movement {
    patience: Patience,
    since: Instant,
    furthest: Phase,
    last: Option<(u64, u64, u64)>,
    busy: bool,
}

impl Movement {
    pub(super) fn new(now: Instant, patience: Patience) -> Self {
        Self { patience, since: now, furthest: Phase::Paused, last: None, busy: false }
    }

    pub(super) fn note(&mut self, progress: &Progress, now: Instant) {
        let amount = (progress.cycles, progress.files, progress.bytes);
        let sent = self
            .last
            .is_some_and(|(cycles, files, bytes)| amount.0 > cycles || amount.1 > files || amount.2 > bytes);
        if sent {
            self.furthest = progress.phase;
        }
        if sent || progress.phase > self.furthest {
            self.furthest = progress.phase;
            self.since = now;
        }
        self.last = Some(amount);
        self.busy = (Phase::Scanning..=Phase::Applying).contains(&progress.phase);
    }

    pub(super) fn allowed(&self) -> Duration {
        if self.busy { self.patience.busy } else { self.patience.idle }
    }

    /// How long it may still be without movement; nothing if it was too long.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        let left = self.allowed().saturating_sub(now.saturating_duration_since(self.since));
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(phase: Phase, bytes: u64) -> Progress {
        Progress {
            phase,
            to: None,
            files: 0,
            files_total: None,
            bytes,
            bytes_total: None,
            path: None,
            cycles: 0,
        }
    }

    #[test]
    fn bytes_and_new_phases_are_movement_and_a_line_that_comes_and_goes_is_not() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let patience = Patience { idle: Duration::from_secs(10), busy: Duration::from_secs(100) };
        let mut movement = Movement::new(start, patience);
        movement.note(&at(Phase::Sending, 5), after(8));
        movement.note(&at(Phase::Sending, 6), after(90));
        movement.note(&at(Phase::Connecting, 6), after(91));
        assert_eq!(movement.time_left(after(99)), Some(Duration::from_secs(1)));
        movement.note(&at(Phase::Scanning, 6), after(95));
        movement.note(&at(Phase::Connecting, 6), after(99));
        assert_eq!(movement.time_left(after(100)), None);
        movement.note(&at(Phase::Sending, 7), after(101));
        assert_eq!(movement.time_left(after(102)), Some(Duration::from_secs(99)), "busy: longer");
    }
}
