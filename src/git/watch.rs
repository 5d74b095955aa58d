//! What in `.git` tells that something has changed, and when it is looked at.

use std::time::{Duration, Instant};

/// What is not watched on the host, below `.git`: a POSIX extended expression.
pub const UNWATCHED: &str = "objects|hooks|info|sinc|lfs|modules|worktrees|rr-cache|branches|annex|svn|logs/HEAD|logs/refs/(heads|tags|remotes|sinc)|refs/(remotes|sinc|bisect|original|notes|replace)|COMMIT_EDITMSG|FETCH_HEAD|ORIG_HEAD|[a-z-]+_EDITMSG";

/// What an event in `.git` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Something may have moved.
    Moved,
    /// Git has begun, or ended, to work on the files.
    Lock,
}

/// What it means that something happened to this path below `.git`; nothing where it means nothing.
#[must_use]
pub fn sign(path: &str) -> Option<Sign> {
    if path == "index.lock" {
        return Some(Sign::Lock);
    }
    if path.ends_with(".lock") {
        return None;
    }
    let operations = ["HEAD", "index", "packed-refs", "rebase-merge", "rebase-apply", "sequencer", "shallow"];
    let head = || path.ends_with("_HEAD") && !matches!(path, "FETCH_HEAD" | "ORIG_HEAD" | "AUTO_MERGE");
    let below = path.starts_with("refs/") && !path.starts_with("refs/sinc");
    (operations.contains(&path) || below || path == "logs/refs/stash" || path.is_empty() || head())
        .then_some(Sign::Moved)
}

/// How long nothing may happen until it is looked at, and how long that is waited for at the most: a commit makes a dozen
/// events, a rebase hundreds.
const QUIET: Duration = Duration::from_millis(25);
const QUIET_MOST: Duration = Duration::from_millis(500);

/// How soon it is looked at again where something was in the way, where something had moved meanwhile, or where it failed.
const HELD: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(50);
const FAILED: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(30);

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// All is in step.
    Done,
    /// Something is in the way.
    Held,
    /// Something had moved meanwhile.
    Again,
    /// It failed.
    Failed,
}

/// When the next look begins. Pure: what happens and the time go in.
#[derive(Debug, Default)]
pub struct Pace {
    first: Option<Instant>,
    due: Option<Instant>,
    running: bool,
    /// So many looks in a row came to nothing.
    tries: u32,
}

impl Pace {
    /// Something happened.
    pub fn saw(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        self.due = Some((now + QUIET).min(first + QUIET_MOST));
    }

    /// A lock is gone: what waited for it need not wait longer.
    pub fn freed(&mut self, now: Instant) {
        if self.tries > 0 {
            self.saw(now);
        }
    }

    /// Is a look to begin? Otherwise, when there is something next.
    pub fn next(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        match self.due {
            _ if self.running => Err(None),
            Some(due) if due <= now => {
                (self.first, self.due, self.running) = (None, None, true);
                Ok(())
            }
            due => Err(due),
        }
    }

    /// A look has ended.
    pub fn ended(&mut self, now: Instant, came: Came) {
        self.running = false;
        let pause = match came {
            Came::Done => {
                self.tries = 0;
                return;
            }
            Came::Held => HELD,
            Came::Again => AGAIN,
            Came::Failed => FAILED,
        };
        let pause = (pause * 2_u32.saturating_pow(self.tries.min(10))).min(MOST);
        self.tries += 1;
        // What happened meanwhile is not waited for longer than it would be anyway.
        self.due = Some(self.due.map_or(now + pause, |due| due.min(now + pause)));
    }
}

/// How long the sync waits for git on the host without anything being written there, and at the most.
const STILL: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// Git is at work on the files of a side. A file that was saved on the other one and came over between git's look at the one there
/// and its own writing would be gone: so the sync waits.
#[derive(Debug, Default)]
pub struct AtWork {
    since: Option<Instant>,
    last: Option<Instant>,
}

impl AtWork {
    /// The lock was made, or is gone.
    pub fn lock(&mut self, now: Instant, is_there: bool) {
        if is_there {
            self.since.get_or_insert(now);
            self.last = Some(now);
        } else {
            *self = Self::default();
        }
    }

    /// Something was written there.
    pub fn wrote(&mut self, now: Instant) {
        if self.since.is_some() {
            self.last = Some(now);
        }
    }

    /// Does git work there?
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Until when the sync waits, unless something happens.
    #[must_use]
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let until = (self.last? + STILL).min(self.since? + LONGEST);
        (now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn what_means_something() {
        for path in [
            "HEAD",
            "index",
            "refs/heads/a/b",
            "refs/stash",
            "logs/refs/stash",
            "packed-refs",
            "MERGE_HEAD",
            "rebase-merge",
            "refs/remotes/origin/main",
        ] {
            assert_eq!(sign(path), Some(Sign::Moved), "{path}");
        }
        for path in [
            "HEAD.lock",
            "refs/heads/a.lock",
            "FETCH_HEAD",
            "ORIG_HEAD",
            "config",
            "sinc",
            "refs/sinc/in/1",
            "COMMIT_EDITMSG",
            "objects/12",
        ] {
            assert_eq!(sign(path), None, "{path}");
        }
        assert_eq!(sign("index.lock"), Some(Sign::Lock));
    }

    #[test]
    fn a_commit_is_one_look_and_a_rebase_few() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(start), Err(None));
        pace.saw(start);
        pace.saw(start + MS(10));
        assert_eq!(pace.next(start + MS(11)), Err(Some(start + MS(35))));
        assert_eq!(pace.next(start + MS(35)), Ok(()));
        pace.saw(start + MS(40));
        assert_eq!(pace.next(start + MS(400)), Err(None), "one at a time");
        pace.ended(start + MS(400), Came::Done);
        assert_eq!(pace.next(start + MS(400)), Ok(()), "and one more for what came meanwhile");
        pace.ended(start + MS(500), Came::Done);
        assert_eq!(pace.next(start + MS(500)), Err(None));
        for ms in 600..1200 {
            pace.saw(start + MS(ms));
            if pace.next(start + MS(ms)).is_ok() {
                assert_eq!(ms, 1100);
                return;
            }
        }
        panic!("it waits for ever");
    }

    #[test]
    fn what_came_to_nothing_is_tried_again_ever_more_seldom() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.saw(start);
        let mut now = start + MS(25);
        for pause in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(pace.next(now), Ok(()));
            pace.ended(now, Came::Held);
            assert_eq!(pace.next(now), Err(Some(now + MS(pause))));
            now += MS(pause);
        }
        // What happens is looked at as soon as ever; a lock that goes only means something to what waited.
        Pace::default().freed(now);
        assert_eq!(Pace { due: None, ..Pace::default() }.next(now), Err(None));
        pace.saw(now - MS(10_000));
        assert_eq!(pace.next(now - MS(9_900)), Ok(()));
        pace.ended(now, Came::Done);
        pace.saw(now);
        assert_eq!(pace.next(now + MS(25)), Ok(()));
        pace.ended(now, Came::Again);
        assert_eq!(pace.next(now), Err(Some(now + MS(50))));
    }

    #[test]
    fn the_sync_waits_for_git_but_not_for_an_editor() {
        let start = Instant::now();
        let mut work = AtWork::default();
        assert_eq!(work.until(start), None);
        work.wrote(start);
        assert_eq!(work.until(start), None);
        work.lock(start, true);
        assert_eq!(work.until(start + MS(100)), Some(start + MS(2000)));
        assert_eq!(work.until(start + MS(2000)), None, "the editor of a message");
        work.wrote(start + MS(3000));
        assert_eq!(work.until(start + MS(3001)), Some(start + MS(5000)));
        work.wrote(start + MS(59_000));
        assert_eq!(work.until(start + MS(59_001)), Some(start + MS(60_000)));
        work.lock(start + MS(59_002), false);
        assert_eq!(work.until(start + MS(59_003)), None);
    }
}
