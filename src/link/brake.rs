//! The brake: a cycle that would delete more than half of a side's files, and more than [`FEW`], is held until a person
//! decides. Pure: files at the last completed cycle, files now, and the last minute go in, a verdict comes out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::state::HeldSide;

/// So many deletions are never held: small projects are tidied up whole.
pub const FEW: u64 = 50;

/// How long deletions that were let through bit by bit are added up.
pub const WINDOW: Duration = Duration::from_secs(60);

/// The numbers of files of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// At the last completed cycle; none when that is not known.
    pub last: Option<u64>,
    /// The most that a completed cycle of the last minute has seen ([`Minute::most`]).
    pub most: Option<u64>,
    /// Now; none when they were not counted, or when what is gone on this side is not deleted on the other.
    pub now: Option<u64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cycle may begin.
    Go,
    /// It would delete too much on the other side.
    Hold {
        /// Where the files are missing.
        side: HeldSide,
        /// How many files are missing there.
        missing: u64,
        /// Of how many.
        of: u64,
    },
}

/// Are so many files missing that a person decides?
#[must_use]
pub fn is_too_few(now: u64, of: u64) -> bool {
    let missing = of.saturating_sub(now);
    missing > FEW && missing > of - missing
}

/// May a cycle begin? Where both sides lack too much, the one that lacks more is named.
///
/// Without a number from before, the other side's stands for it: both had the same at the last completed cycle.
#[must_use]
pub fn decide(local: Files, remote: Files) -> Verdict {
    let of = |side: Files, other: Files| side.last.max(side.most).or(other.last).or(other.now);
    let sides =
        [(HeldSide::Local, of(local, remote), local.now), (HeldSide::Remote, of(remote, local), remote.now)];
    let too_many = |(side, of, now): (HeldSide, Option<u64>, Option<u64>)| {
        let (of, now) = (of?, now?);
        is_too_few(now, of).then_some((side, of.saturating_sub(now), of))
    };
    // Of equals the first counts: `max_by_key` would take the last.
    let worst = sides.into_iter().filter_map(too_many).rev().max_by_key(|(_, missing, _)| *missing);
    worst.map_or(Verdict::Go, |(side, missing, of)| Verdict::Hold { side, missing, of })
}

/// The numbers of files that one side had at the completed cycles of the last minute. Many small deletions are seen as
/// the large one that they are; files that come and go, as a build makes them, are none.
#[derive(Clone, Debug, Default)]
pub struct Minute {
    /// Times and numbers; the numbers only fall, because what is older and smaller cannot be the most any more.
    seen: VecDeque<(Instant, u64)>,
}

impl Minute {
    /// Notes how many files a completed cycle has seen.
    pub fn note(&mut self, at: Instant, files: u64) {
        while self.seen.back().is_some_and(|(_, before)| *before <= files) {
            self.seen.pop_back();
        }
        self.seen.push_back((at, files));
        self.forget(at);
    }

    /// The most that were seen within the last minute.
    pub fn most(&mut self, now: Instant) -> Option<u64> {
        self.forget(now);
        self.seen.front().map(|(_, files)| *files)
    }

    fn forget(&mut self, now: Instant) {
        while self.seen.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.seen.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HeldSide::{Local, Remote};

    fn side(last: u64, now: u64) -> Files {
        Files { last: Some(last), most: None, now: Some(now) }
    }

    fn hold(side: HeldSide, missing: u64, of: u64) -> Verdict {
        Verdict::Hold { side, missing, of }
    }

    #[test]
    fn more_than_half_and_more_than_fifty() {
        for (last, now, expected) in [
            (1000, 1000, Verdict::Go),
            (1000, 500, Verdict::Go),
            (1000, 499, hold(Local, 501, 1000)),
            (1001, 501, Verdict::Go),
            (1001, 500, hold(Local, 501, 1001)),
            (1000, 0, hold(Local, 1000, 1000)),
            // Fifty are few, fifty-one are not.
            (60, 10, Verdict::Go),
            (60, 9, hold(Local, 51, 60)),
            (102, 51, Verdict::Go),
            (101, 50, hold(Local, 51, 101)),
            // Tiny projects are tidied up whole, and empty ones have nothing to lose.
            (50, 0, Verdict::Go),
            (51, 0, hold(Local, 51, 51)),
            (3, 0, Verdict::Go),
            (0, 0, Verdict::Go),
            // Growth deletes nothing.
            (0, 1_000_000, Verdict::Go),
            (1000, 5000, Verdict::Go),
            (u64::MAX, 0, hold(Local, u64::MAX, u64::MAX)),
        ] {
            assert_eq!(decide(side(last, now), side(last, last)), expected, "{now} of {last} here");
            let there = match expected {
                Verdict::Hold { missing, of, .. } => hold(Remote, missing, of),
                Verdict::Go => Verdict::Go,
            };
            assert_eq!(decide(side(last, last), side(last, now)), there, "{now} of {last} there");
        }
    }

    #[test]
    fn both_sides_at_once() {
        assert_eq!(decide(side(1000, 0), side(1000, 0)), hold(Local, 1000, 1000));
        assert_eq!(decide(side(1000, 400), side(1000, 100)), hold(Remote, 900, 1000));
        assert_eq!(decide(side(1000, 100), side(1000, 400)), hold(Local, 900, 1000));
        // One side may have more than the other: what only it has, conflicts.
        assert_eq!(decide(side(1000, 900), side(100, 40)), hold(Remote, 60, 100));
    }

    #[test]
    fn without_a_number_from_before_the_other_side_stands_for_it() {
        let unknown = |now| Files { now: Some(now), ..Files::default() };
        assert_eq!(decide(unknown(0), unknown(1000)), hold(Local, 1000, 1000));
        assert_eq!(decide(unknown(1000), unknown(10)), hold(Remote, 990, 1000));
        assert_eq!(decide(unknown(600), unknown(1000)), Verdict::Go);
        assert_eq!(decide(unknown(0), unknown(0)), Verdict::Go);
        assert_eq!(decide(unknown(0), side(1000, 1000)), hold(Local, 1000, 1000));
    }

    #[test]
    fn a_side_that_was_not_counted_is_not_held() {
        let uncounted = Files { last: Some(1000), ..Files::default() };
        assert_eq!(decide(uncounted, uncounted), Verdict::Go);
        assert_eq!(decide(uncounted, side(1000, 0)), hold(Remote, 1000, 1000));
        assert_eq!(decide(side(1000, 0), Files::default()), hold(Local, 1000, 1000));
        assert_eq!(decide(Files::default(), Files::default()), Verdict::Go);
    }

    #[test]
    fn many_small_deletions_within_a_minute_are_a_large_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut minute = Minute::default();
        assert_eq!(minute.most(start), None);
        let mut held = None;
        // Forty files a cycle, a cycle each second: none is held for itself.
        for second in 0..25 {
            let last = 1000 - 40 * second;
            minute.note(at(second), last);
            let now = Files { last: Some(last), most: minute.most(at(second)), now: Some(last - 40) };
            assert_eq!(decide(side(last, last - 40), side(last, last)), Verdict::Go);
            held = held.or(match decide(now, side(last, last)) {
                Verdict::Go => None,
                verdict => Some((second, verdict)),
            });
        }
        assert_eq!(held, Some((12, hold(Local, 520, 1000))));
        // A minute later it is what there is.
        assert_eq!(minute.most(at(24 + 61)), None);
        minute.note(at(100), 40);
        assert_eq!(minute.most(at(100)), Some(40));
    }

    #[test]
    fn files_that_come_and_go_are_no_deletion() {
        let start = Instant::now();
        let mut minute = Minute::default();
        for round in 0..1000 {
            let at = start + Duration::from_millis(50 * round);
            minute.note(at, if round % 2 == 0 { 300 } else { 200 });
            let files = Files { last: Some(200), most: minute.most(at), now: Some(200) };
            assert_eq!(decide(files, files), Verdict::Go);
        }
        assert!(minute.seen.len() <= 2, "it remembers no more than it needs");
    }
}
