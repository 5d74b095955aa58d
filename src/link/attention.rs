//! What is done about a session's conflicts beside its cycles: one thing at a time. Pure.

use std::time::{Duration, Instant};

use crate::state::Noted;

/// How long what could not be settled waits until it is tried again, at first and at most: each time it waits twice as long.
const AGAIN: Duration = Duration::from_secs(2);
const AGAIN_MOST: Duration = Duration::from_secs(600);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Tell a person of these, then tell [`Attention::told`].
    Tell(Noted),
    /// Settle them, then tell [`Attention::settled`].
    Settle,
}

/// One session's conflicts.
#[derive(Debug, Default)]
pub struct Attention {
    /// Those that the last completed cycle left.
    open: Option<Noted>,
    /// A cycle was completed since the last thing was begun.
    fresh: bool,
    /// The session's mode settles them by itself.
    settles: bool,
    /// They were settled once since it began: what an earlier run left is seen to.
    begun: bool,
    /// Those that were told of last.
    told: Option<Noted>,
    failed: Option<Failed>,
    busy: bool,
}

/// Conflicts that could not be settled.
#[derive(Debug)]
struct Failed {
    what: Noted,
    why: String,
    times: u32,
    again: Instant,
}

impl Attention {
    /// A cycle was completed, and left these. Does the session's mode settle them by itself?
    pub fn cycled(&mut self, open: Noted, settles: bool) {
        (self.open, self.settles, self.fresh) = (Some(open), settles, true);
        if !settles {
            self.failed = None;
        }
    }

    /// Is it of interest whether the session's mode settles conflicts by itself, after a cycle that left so many?
    #[must_use]
    pub fn asks(&self, count: u64) -> bool {
        count > 0 || !self.begun || self.failed.is_some()
    }

    /// What is to be done now: after a cycle, and after each thing that was done well.
    pub fn next(&mut self, now: Instant) -> Next {
        let Some(open) = self.open.clone().filter(|_| !self.busy) else { return Next::Nothing };
        let waits = self.failed.as_ref().is_some_and(|failed| failed.what == open && now < failed.again);
        if self.settles && !waits && (open.count > 0 || !self.begun) {
            (self.busy, self.fresh) = (true, false);
            return Next::Settle;
        }
        if self.told.as_ref() == Some(&open) {
            return Next::Nothing;
        }
        self.busy = true;
        Next::Tell(open)
    }

    /// A person was told of these, or could not be: the next cycle tries again.
    pub fn told(&mut self, what: Noted, well: bool) {
        self.busy = false;
        if well {
            self.told = Some(what);
        }
    }

    /// What a person was told last may not be what is shown any more: the next cycle tells again.
    pub fn untold(&mut self) {
        self.told = None;
    }

    /// What is left, as far as it is known, and why.
    pub fn settled(&mut self, now: Instant, left: Option<Noted>, why: Option<String>) {
        self.busy = false;
        if let Some(left) = left.filter(|_| !self.fresh) {
            self.open = Some(left);
        }
        self.begun |= why.is_none();
        let times = self.failed.take().map_or(0, |failed| failed.times) + 1;
        self.failed = why.map(|why| {
            let wait = (AGAIN * 2_u32.saturating_pow(times.min(10) - 1)).min(AGAIN_MOST);
            Failed { what: self.open.clone().unwrap_or_default(), why, times, again: now + wait }
        });
    }

    /// Why there are conflicts that its mode should have settled.
    #[must_use]
    pub fn why_unsettled(&self) -> Option<&str> {
        let open = self.open.as_ref().is_some_and(|open| open.count > 0);
        self.failed.as_ref().filter(|_| open).map(|failed| failed.why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(count: u64) -> Noted {
        Noted { count, ..Noted::default() }
    }

    #[test]
    fn each_change_is_told_once_and_one_at_a_time() {
        let now = Instant::now();
        let mut attention = Attention::default();
        assert_eq!(attention.next(now), Next::Nothing, "no cycle has told yet");
        attention.cycled(noted(1), false);
        assert_eq!(attention.next(now), Next::Tell(noted(1)));
        attention.cycled(noted(0), false);
        assert_eq!(attention.next(now), Next::Nothing, "it is still being told");
        attention.told(noted(1), true);
        assert_eq!(attention.next(now), Next::Tell(noted(0)));
        attention.told(noted(0), false);
        attention.cycled(noted(0), false);
        assert_eq!(attention.next(now), Next::Tell(noted(0)), "it could not be told before");
        attention.told(noted(0), true);
        attention.cycled(noted(0), false);
        assert_eq!(attention.next(now), Next::Nothing);
        attention.untold();
        assert_eq!(attention.next(now), Next::Tell(noted(0)));
    }

    #[test]
    fn what_is_settled_is_not_told() {
        let now = Instant::now();
        let mut attention = Attention::default();
        attention.cycled(noted(0), true);
        assert!(attention.asks(0));
        assert_eq!(attention.next(now), Next::Settle, "what an earlier run may have left");
        attention.settled(now, Some(noted(0)), None);
        assert_eq!(attention.next(now), Next::Tell(noted(0)));
        attention.told(noted(0), true);
        assert!(!attention.asks(0) && attention.asks(1));
        attention.cycled(noted(2), true);
        assert_eq!(attention.next(now), Next::Settle);
        assert_eq!(attention.next(now), Next::Nothing, "one at a time");
        attention.settled(now, Some(noted(0)), None);
        assert_eq!(attention.next(now), Next::Nothing);
        // A cycle that ended while it was at it knows more.
        attention.cycled(noted(1), true);
        assert_eq!(attention.next(now), Next::Settle);
        attention.cycled(noted(2), true);
        attention.settled(now, Some(noted(0)), None);
        assert_eq!(attention.next(now), Next::Settle);
    }

    #[test]
    fn what_cannot_be_settled_is_told_and_tried_again_ever_less_often() {
        let mut now = Instant::now();
        let mut attention = Attention::default();
        attention.cycled(noted(1), true);
        assert_eq!(attention.next(now), Next::Settle);
        attention.settled(now, None, Some("the disk is full".to_owned()));
        assert_eq!(attention.next(now), Next::Tell(noted(1)));
        attention.told(noted(1), true);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let before = now;
            while attention.next(now) != Next::Settle {
                now += Duration::from_secs(1);
            }
            waits.push(now.duration_since(before).as_secs());
            attention.settled(now, None, Some("the disk is full".to_owned()));
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        assert_eq!(attention.why_unsettled(), Some("the disk is full"));
        // Others are tried at once.
        attention.cycled(noted(2), true);
        assert_eq!(attention.next(now), Next::Settle);
        attention.settled(now, Some(noted(0)), None);
        assert_eq!(attention.why_unsettled(), None);
        assert_eq!(attention.next(now), Next::Tell(noted(0)));
        attention.told(noted(0), true);
        // In another mode nothing is settled.
        attention.cycled(noted(1), false);
        assert_eq!(attention.next(now), Next::Tell(noted(1)));
    }
}
