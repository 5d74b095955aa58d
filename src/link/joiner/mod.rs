//! When a cycle is asked for. Pure: what the eyes saw, the ends of cycles and of looks, and the time go in; what to do
//! next comes out.

use std::time::{Duration, Instant};

use super::brake::FEW;
use crate::tools::mutagen::Side;

/// How long after a change the cycle begins: an editor that writes and renames makes one cycle, not two. What writes a file and
/// then deletes many (a checkout) is known for that in this time: a cycle that has begun can often not be stopped any more.
/// What still goes on then is waited for until it pauses, so much longer at the most: it may be the first files of a build.
const JOINED: Duration = Duration::from_millis(8);
const JOINED_PAUSE: Duration = Duration::from_millis(4);
const JOINED_MOST: Duration = Duration::from_millis(16);

/// A cycle without a change, so that an event that was lost is not lost for ever.
const BY_ITSELF: Duration = Duration::from_secs(30);

/// More changes than this since the last cycle began, or within a second, are a burst: a build, an unpacking. (A file that is
/// written makes two or three.)
const BURST: u32 = 300;
const BURST_WINDOW: Duration = Duration::from_secs(1);

/// A burst waits until it pauses for so long, and so long at the most: each cycle looks at every file, and takes from what
/// makes the burst. One that goes on after a cycle is a long one, and waits longer.
const BURST_PAUSE: Duration = Duration::from_millis(200);
const BURST_MOST: Duration = Duration::from_secs(5);
const LONG_BURST_PAUSE: Duration = Duration::from_millis(500);
const LONG_BURST_MOST: Duration = Duration::from_secs(10);

/// So many deletions may be the first of many: a cycle that began now would let through those that it meets, before they
/// have been told of.
const SEVERAL: u32 = 3;

/// A deletion waits so long whether more come. They come faster than that where somebody deletes many.
const DELETED: Duration = Duration::from_millis(25);

/// A directory that was made waits so long for what is put into it: it may be the first of thousands (an unpacking), which a
/// cycle that begins now would look at while they are written. More directories are waited for together, so long at the most.
const MADE: Duration = Duration::from_millis(50);
const MADE_MOST: Duration = Duration::from_millis(500);

/// More changes than this are not a file that somebody saves (an editor that keeps the old one beside it makes ten), but the first
/// files of a build, perhaps: they are waited out as what comes into a new directory.
const ONE_SAVE: u32 = 12;

/// What a cycle costs for each file that it looks at: 65 to 80 ms of CPU for 10,000 files, on each side (measured, 0.18.1).
const A_FILE: Duration = Duration::from_micros(8);

/// While files change all the time, cycles may take a quarter of it: a build on a small host is not to be slowed down by them.
/// Before that counts, this much is free: of 100,000 files, an edit every two seconds for a minute.
const ALL_TO_OURS: u32 = 4;
const FREE: Duration = Duration::from_secs(10);

/// How long no file may be deleted until a cycle begins or the files are counted, and how long that is waited for at the most.
const SETTLED: Duration = Duration::from_millis(200);
const SETTLES: Duration = Duration::from_secs(5);

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What an eye saw since it last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Changes of any kind.
    pub changes: u32,
    /// Files that were deleted or moved away.
    pub deletes: u32,
    /// It is not known how many files are gone: a directory was moved away, or events were lost.
    pub unclear: bool,
    /// A directory was moved out of the session's, with whatever was in it.
    pub taken: bool,
    /// The directory of the session itself was moved or deleted.
    pub uprooted: bool,
    /// Something is not watched: a directory was moved in, or events were lost.
    pub unwatched: bool,
    /// A directory was made: what was made in it at the same moment may not be watched.
    pub fresh: bool,
}

impl Seen {
    /// Adds what was seen at another time.
    pub fn add(&mut self, other: Self) {
        self.changes = self.changes.saturating_add(other.changes);
        self.deletes = self.deletes.saturating_add(other.deletes);
        self.unclear |= other.unclear;
        self.taken |= other.taken;
        self.uprooted |= other.uprooted;
        self.unwatched |= other.unwatched;
        self.fresh |= other.fresh;
    }
}

/// The files of one side that were told to be gone.
#[derive(Clone, Copy, Debug, Default)]
struct Gone {
    files: u32,
    /// There may be any number more.
    unclear: bool,
}

impl Gone {
    fn add(&mut self, other: Self) {
        self.files = self.files.saturating_add(other.files);
        self.unclear |= other.unclear;
    }
}

/// What is to be done for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing until then, or until something is told.
    Wait(Option<Instant>),
    /// Count the files of both sides, then tell [`Joiner::looked`].
    Look,
    /// Ask for a cycle, then tell [`Joiner::cycled`].
    Cycle,
}

/// One session's cycles: one at a time, and one more if something changed meanwhile.
#[derive(Debug)]
pub struct Joiner {
    busy: bool,
    /// What it is busy with is a cycle that may go on.
    cycles: bool,
    /// When the next cycle begins, if something changed.
    due: Option<Instant>,
    /// The files must be counted before the next cycle.
    unsure: bool,
    deletes: u32,
    deleted_at: Option<Instant>,
    /// When a directory was made last, since the last cycle began.
    made_at: Option<Instant>,
    /// What is gone here and on the host: before the cycle that runs, and since it began.
    before: [Gone; 2],
    during: [Gone; 2],
    /// A directory was taken away since the cycle that runs began.
    taken: bool,
    /// Since when the deletions are waited out.
    settles: Option<Instant>,
    changes: u32,
    /// Those within a second that began then, and those within the second before it.
    second: (Instant, u32),
    second_before: u32,
    changed_at: Instant,
    /// The last cycle began in the middle of a burst.
    bursts: bool,
    ended: Instant,
    /// How many files a cycle looks at, as far as that is known.
    files: u64,
    /// When what the cycles cost has been worked off, at their share of the time.
    worked_off: Instant,
    /// Somebody waits for the next cycle.
    asked: bool,
}

impl Joiner {
    /// A session of which nothing is known: it is looked at before its first cycle.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            busy: false,
            cycles: false,
            due: Some(now),
            unsure: true,
            deletes: 0,
            deleted_at: None,
            made_at: None,
            before: [Gone { files: 0, unclear: true }; 2],
            during: [Gone::default(); 2],
            taken: false,
            settles: None,
            changes: 0,
            second: (now, 0),
            second_before: 0,
            changed_at: now,
            bursts: false,
            ended: now,
            files: 0,
            worked_off: now,
            asked: false,
        }
    }

    /// The eye of a side saw something.
    pub fn saw(&mut self, now: Instant, side: Side, seen: Seen) {
        let gone = if self.cycles { &mut self.during } else { &mut self.before };
        gone[index(side)].add(Gone { files: seen.deletes, unclear: seen.unclear });
        self.changes = self.changes.saturating_add(seen.changes);
        let passed = now.duration_since(self.second.0);
        if passed > BURST_WINDOW {
            self.second_before = if passed > 2 * BURST_WINDOW { 0 } else { self.second.1 };
            self.second = (now, 0);
        }
        self.second.1 = self.second.1.saturating_add(seen.changes);
        self.changed_at = now;
        self.deletes = self.deletes.saturating_add(seen.deletes);
        if seen.deletes > 0 {
            self.deleted_at = Some(now);
        }
        if seen.fresh {
            self.made_at = Some(now);
        }
        self.taken |= seen.taken;
        self.unsure |= seen.unclear || u64::from(self.deletes) > FEW;
        self.due.get_or_insert(now + JOINED);
    }

    /// Somebody wants a cycle now, though nothing was seen.
    pub fn ask(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
        self.hurry();
    }

    /// Somebody waits for the cycle that is called for.
    pub fn hurry(&mut self) {
        self.asked = true;
    }

    /// So many files does a cycle look at.
    pub fn holds(&mut self, files: u64) {
        self.files = files;
    }

    /// Does a cycle run that began before so many deletions were told of that it must not go on? More than [`FEW`], and
    /// more than a quarter of the files, if their number is known: to stop it costs a new connection. A directory that was
    /// taken away may have held all of them.
    ///
    /// What the cycle itself deletes is not meant: as many as were gone on the other side before, and any number where that
    /// is not known, because a directory was renamed there, nobody watched, or it is only looked at now and then (`polled`).
    #[must_use]
    pub fn must_stop(&self, files: Option<u64>, polled: impl Fn(Side) -> bool) -> bool {
        let is_many = |side: Side| {
            let other = index(side.other());
            if polled(side.other()) || self.before[other].unclear || self.during[other].unclear {
                return false;
            }
            let own = u64::from(self.own(index(side)).files);
            own > FEW && files.is_none_or(|files| own > files / 4)
        };
        let taken = self.taken && files.is_none_or(|files| files > FEW);
        self.cycles && (taken || is_many(Side::Local) || is_many(Side::Remote))
    }

    /// What is gone since the cycle began, without what it deletes itself.
    fn own(&self, index: usize) -> Gone {
        let (during, other) = (self.during[index], self.before[1 - index]);
        let files = if other.unclear { during.files } else { during.files.saturating_sub(other.files) };
        Gone { files, ..during }
    }

    /// The cycle was stopped: what is to be known first is counted.
    pub fn stopped(&mut self) {
        self.cycles = false;
    }

    /// Nobody watched for a while: the next cycle is soon, and the files are counted before it.
    pub fn missed(&mut self, now: Instant) {
        self.unsure = true;
        for gone in if self.cycles { &mut self.during } else { &mut self.before } {
            gone.unclear = true;
        }
        self.due.get_or_insert(now);
    }

    /// Is it at work on a look or a cycle?
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Has something called for a cycle that has not begun yet?
    #[must_use]
    pub fn is_called_for(&self) -> bool {
        self.due.is_some()
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Instant) -> Next {
        if self.busy {
            return Next::Wait(None);
        }
        let due = match self.due {
            None => self.ended + BY_ITSELF,
            Some(due) if self.is_burst() => {
                let (pause, most) = match self.bursts {
                    true => (LONG_BURST_PAUSE, LONG_BURST_MOST),
                    false => (BURST_PAUSE, BURST_MOST),
                };
                due.max(self.changed_at + pause).min(due.max(self.ended) + most)
            }
            Some(due) if self.deletes < SEVERAL => {
                let made = self.made_at.map_or(due, |at| (at + MADE).min(due + MADE_MOST));
                let deleted = self.deleted_at.map_or(due, |at| due.max(at + DELETED));
                deleted.max(made).max(self.waits_for_more(due))
            }
            Some(due) => due,
        };
        // A look is to be done when somebody wants a cycle.
        let due = if self.asked || self.unsure { due } else { due.max(self.affordable(due)) };
        if now < due {
            return Next::Wait(Some(due));
        }
        if !self.unsure && self.deletes < SEVERAL {
            self.begin_cycle(now);
            return Next::Cycle;
        }
        let since = *self.settles.get_or_insert(now);
        let settled = self.deleted_at.map_or(now, |at| (at + SETTLED).min(since + SETTLES));
        if now < settled {
            return Next::Wait(Some(settled));
        }
        if !self.unsure {
            self.begin_cycle(now);
            return Next::Cycle;
        }
        self.busy = true;
        self.settles = None;
        Next::Look
    }

    fn is_burst(&self) -> bool {
        self.changes > BURST || self.changes > 0 && self.second.1.max(self.second_before) > BURST
    }

    /// Until when what was changed with several files at once is waited for.
    fn waits_for_more(&self, due: Instant) -> Instant {
        let (pause, most) = match self.changes > ONE_SAVE {
            true => (MADE, MADE_MOST),
            false if self.asked || self.changes == 0 => return due,
            false => (JOINED_PAUSE, JOINED_MOST),
        };
        (self.changed_at + pause).min(due.max(self.ended) + most)
    }

    /// From when on the cycles so far leave enough of the time to others.
    fn affordable(&self, due: Instant) -> Instant {
        let at = self.worked_off.checked_sub(ALL_TO_OURS * FREE).unwrap_or(self.worked_off);
        at.min(due.max(self.ended) + LONG_BURST_MOST)
    }

    fn begin_cycle(&mut self, now: Instant) {
        if self.changes > 0 {
            let cost = A_FILE * u32::try_from(self.files).unwrap_or(u32::MAX);
            // What was asked for is not paid later.
            let before = self.worked_off.clamp(now, now + ALL_TO_OURS * FREE);
            self.worked_off = before + ALL_TO_OURS * cost;
        }
        self.asked = false;
        self.bursts = self.is_burst();
        (self.busy, self.cycles) = (true, true);
        (self.due, self.changes, self.settles, self.taken, self.made_at) = (None, 0, None, false, None);
    }

    /// The files were counted. With leave the cycle begins at once; without, it waits to be told of something.
    #[must_use]
    pub fn looked(&mut self, now: Instant, go: bool) -> Next {
        self.busy = false;
        if !go {
            self.due = Some(now + AGAIN);
            return Next::Wait(None);
        }
        (self.unsure, self.deletes) = (false, 0);
        self.begin_cycle(now);
        Next::Cycle
    }

    /// The cycle has ended; one that failed is tried again, after a look.
    pub fn cycled(&mut self, now: Instant, well: bool) {
        (self.busy, self.cycles, self.ended) = (false, false, now);
        let own = [self.own(0), self.own(1)];
        self.during = [Gone::default(); 2];
        for (before, own) in self.before.iter_mut().zip(own) {
            if well {
                *before = Gone::default();
            }
            before.add(own);
        }
        if well {
            if self.due.is_none() {
                self.deletes = 0;
            }
        } else {
            self.unsure = true;
            self.due = Some(now + AGAIN);
        }
    }

    /// Is it at work on a look or a cycle, or is a look needed before anybody may ask for a cycle?
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Remote)
}

#[cfg(test)]
mod tests;
