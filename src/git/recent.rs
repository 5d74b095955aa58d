//! What was saved here of late, with its bytes, until it is sure that git on the host has not written over it; and what was written
//! there. Git looks at a file, then writes it: a save that comes over in between is gone there, and the next cycle takes what git wrote
//! for the newer one. The news that git works there needs its time, so every save is kept at its own event. Pure: what happens
//! and the time go in.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long after a save has come to the host, git there may write over it, and the news of that may be on its way.
const LONG: Duration = Duration::from_secs(10);

/// So long after git there has ended, what it wrote may not have come here.
const AFTER: Duration = Duration::from_secs(2);

/// What was written on the host is remembered for so long, and so many files.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_THERE: usize = 20_000;

/// So many saves are kept, and so many bytes.
const MOST: usize = 8_192;
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A file below the project and what was in it.
pub type Save = (PathBuf, Vec<u8>);

#[derive(Debug)]
struct Saved {
    bytes: Vec<u8>,
    at: Instant,
    /// When the first cycle ended that had begun after it: the host has it by then.
    over: Option<Instant>,
    /// Something else has been put in its place meanwhile: what is saved after that does not come from it.
    passed: bool,
}

/// What was written on either side of late.
#[derive(Debug, Default)]
pub struct Recent {
    saves: HashMap<PathBuf, Vec<Saved>>,
    /// What the sync has brought here, and what of that git here has written over.
    brought: HashMap<PathBuf, Saved>,
    wrote_over: Vec<Save>,
    /// What could not be kept yet.
    not_kept: Vec<Save>,
    /// So many bytes are in these.
    size: usize,
    /// What was written there, and when; with those that were only moved there, which the sync does, too.
    there: HashMap<PathBuf, Instant>,
    moved_there: HashMap<PathBuf, Instant>,
    /// What git here wrote since the last cycle began.
    git_here: BTreeSet<PathBuf>,
    /// Of those what the host could not be asked to keep, however long ago it was saved there.
    overlaps_still: Vec<PathBuf>,
    /// When git on the host was at work last, or may have been.
    risk: Option<Instant>,
    /// When something on the host may not have been seen last.
    missed: Option<Instant>,
    /// When the last cycle that has ended had begun.
    settled: Option<Instant>,
}

impl Recent {
    /// A file was saved here.
    pub fn saved(&mut self, now: Instant, path: PathBuf, bytes: Vec<u8>) {
        self.size += bytes.len();
        let versions = self.saves.entry(path).or_default();
        // What was there before it was somebody's own to save over.
        if let Some(before) = versions.pop_if(|last| !last.passed) {
            self.size -= before.bytes.len();
        }
        versions.push(Saved { bytes, at: now, over: None, passed: false });
        self.make_room();
    }

    /// A file was put here from somewhere else: by the sync, if the host has one that has not been brought over, otherwise by a person.
    pub fn put(&mut self, now: Instant, path: PathBuf, bytes: Vec<u8>) {
        self.saves.get_mut(&path).into_iter().flatten().for_each(|known| known.passed = true);
        let written = self.there.get(&path);
        if written.is_none_or(|at| self.settled.is_some_and(|settled| *at < settled)) {
            return self.saved(now, path, bytes);
        }
        self.size += bytes.len();
        let brought = Saved { bytes, at: now, over: None, passed: false };
        self.size -= self.brought.insert(path, brought).map_or(0, |before| before.bytes.len());
        self.make_room();
    }

    /// Lets go of the older half where there is too much.
    fn make_room(&mut self) {
        while self.size > MOST_BYTES || self.saves.len() + self.brought.len() > MOST {
            let all = self.saves.values().flatten().chain(self.brought.values());
            let mut times: Vec<Instant> = all.map(|saved| saved.at).collect();
            times.sort_unstable();
            let Some(middle) = times.get(times.len() / 2).copied() else { break };
            self.brought.retain(|_, saved| saved.at > middle);
            self.saves.retain(|_, versions| {
                versions.retain(|saved| saved.at > middle);
                !versions.is_empty()
            });
            self.count();
        }
    }

    fn count(&mut self) {
        let all = self.saves.values().flatten().chain(self.brought.values());
        self.size = all.map(|saved| saved.bytes.len()).sum();
    }

    /// A file was written, or deleted, on the host; or only moved there.
    pub fn written_there(&mut self, now: Instant, path: PathBuf, moved: bool) {
        let known = if moved { &mut self.moved_there } else { &mut self.there };
        known.insert(path, now);
        if known.len() > MOST_THERE {
            known.retain(|_, at| now.duration_since(*at) < REMEMBERED);
            if known.len() > MOST_THERE {
                known.clear();
                self.missed(now);
            }
        }
    }

    /// Git on the host is at work, or has just been.
    pub fn at_risk(&mut self, now: Instant) {
        self.risk = Some(now);
    }

    /// Something on the host may not have been seen.
    pub fn missed(&mut self, now: Instant) {
        (self.risk, self.missed) = (Some(now), Some(now));
    }

    /// Git here has written, or deleted, a file.
    pub fn git_wrote(&mut self, path: PathBuf) {
        if let Some(brought) = self.brought.remove(&path) {
            self.size -= brought.bytes.len();
            self.wrote_over.push((path.clone(), brought.bytes));
        }
        self.git_here.insert(path);
    }

    /// A cycle is about to begin: what git here has written, and somebody on the host of late. A cycle may have brought that over
    /// between git's look and its writing; it is still there, and this cycle would overwrite it.
    pub fn overlap(&mut self, now: Instant) -> Vec<PathBuf> {
        let within = |at: &Instant| now.saturating_duration_since(*at) < REMEMBERED;
        let missed = self.missed.as_ref().is_some_and(within);
        let known = |path: &PathBuf| {
            missed || [&self.there, &self.moved_there].iter().any(|there| there.get(path).is_some_and(within))
        };
        let mut all: Vec<_> = std::mem::take(&mut self.git_here).into_iter().filter(known).collect();
        all.append(&mut self.overlaps_still);
        all
    }

    /// These could not be kept on the host: they are as they were before the cycle that was to begin.
    pub fn overlaps_still(&mut self, paths: Vec<PathBuf>) {
        self.overlaps_still.extend(paths);
    }

    /// These could not be kept here. Of too many the older ones are let go of.
    pub fn not_kept(&mut self, saves: Vec<Save>) {
        self.not_kept.extend(saves);
        let size = |saves: &[Save]| saves.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        while size(&self.not_kept) > MOST_BYTES || self.not_kept.len() > MOST {
            self.not_kept.drain(..self.not_kept.len().div_ceil(2));
        }
    }

    /// Gives what could not be kept, for another try.
    pub fn take_not_kept(&mut self) -> Vec<Save> {
        std::mem::take(&mut self.not_kept)
    }

    /// A cycle that began then has ended well. Gives the saves that something from the host has been put in the place of, while git
    /// worked there; and what came from there and git here wrote over.
    pub fn cycled(
        &mut self,
        began: Instant,
        now: Instant,
        in_place: impl Fn(&Path, &[u8]) -> bool,
    ) -> Vec<Save> {
        self.settled = Some(began);
        let mut gone = Vec::new();
        for (path, bytes) in std::mem::take(&mut self.wrote_over) {
            if in_place(&path, &bytes) {
                // It was written before that.
                self.brought.entry(path).or_insert(Saved { bytes, at: now, over: None, passed: false });
            } else {
                gone.push((path, bytes));
            }
        }
        self.brought.retain(|_, saved| now.saturating_duration_since(saved.at) < REMEMBERED);
        let since = |when: Option<Instant>, at: Instant| when.is_some_and(|when| when >= at);
        for (path, versions) in &mut self.saves {
            let mut left = Vec::new();
            for mut saved in std::mem::take(versions) {
                if saved.at >= began {
                    left.push(saved);
                    continue;
                }
                let over = *saved.over.get_or_insert(now);
                let written = since(self.there.get(path).copied(), saved.at) || since(self.missed, saved.at);
                if written && since(self.risk, saved.at) && !in_place(path, &saved.bytes) {
                    gone.push((path.clone(), saved.bytes));
                } else if began < over + LONG || self.risk.is_some_and(|risk| began < risk + AFTER) {
                    left.push(saved);
                }
            }
            *versions = left;
        }
        self.saves.retain(|_, versions| !versions.is_empty());
        self.count();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn path(text: &str) -> PathBuf {
        text.into()
    }

    /// Saves `a` at 0, which is on the host after 100 ms.
    fn saved(start: Instant) -> Recent {
        let mut recent = Recent::default();
        recent.saved(start, path("a"), b"mine".to_vec());
        assert!(recent.cycled(start + MS(10), start + MS(100), |_, _| true).is_empty());
        recent
    }

    fn gone(recent: &mut Recent, began: Instant) -> Vec<Save> {
        recent.cycled(began, began + MS(50), |_, _| false)
    }

    #[test]
    fn what_git_on_the_host_wrote_over_is_given_once() {
        let start = Instant::now();
        let mut recent = saved(start);
        recent.at_risk(start + MS(90));
        recent.written_there(start + MS(120), path("a"), false);
        assert_eq!(gone(&mut recent, start + MS(130)), [(path("a"), b"mine".to_vec())]);
        assert!(gone(&mut recent, start + MS(230)).is_empty());
        assert_eq!((recent.size, recent.saves.len()), (0, 0));
    }

    #[test]
    fn the_news_may_come_after_the_cycle() {
        let start = Instant::now();
        let mut recent = saved(start);
        assert!(gone(&mut recent, start + MS(130)).is_empty());
        recent.at_risk(start + MS(200));
        recent.written_there(start + MS(200), path("a"), false);
        assert_eq!(gone(&mut recent, start + MS(230)).len(), 1);
        // Or not at all.
        let mut recent = saved(start);
        recent.missed(start + MS(5000));
        assert_eq!(gone(&mut recent, start + MS(5100)).len(), 1);
    }

    #[test]
    fn what_else_is_not_there_any_more_is_somebodys_own_doing() {
        let start = Instant::now();
        // Git was not at work; git was, but nobody there wrote it; it came to the host after that.
        let mut recent = saved(start);
        recent.written_there(start + MS(120), path("a"), false);
        assert!(gone(&mut recent, start + MS(130)).is_empty());
        let mut recent = saved(start);
        recent.at_risk(start + MS(120));
        recent.written_there(start + MS(120), path("a"), true);
        assert!(gone(&mut recent, start + MS(130)).is_empty());
        // Saved once more.
        let mut recent = saved(start);
        recent.saved(start + MS(110), path("a"), b"newer".to_vec());
        recent.at_risk(start + MS(120));
        recent.written_there(start + MS(120), path("a"), false);
        assert_eq!(gone(&mut recent, start + MS(130)), [(path("a"), b"newer".to_vec())]);
        // What the sync put there does not come from it, and is nobody's save.
        let mut recent = saved(start);
        recent.at_risk(start + MS(120));
        recent.written_there(start + MS(120), path("a"), false);
        recent.put(start + MS(130), path("a"), b"git".to_vec());
        recent.saved(start + MS(140), path("a"), b"newer".to_vec());
        assert_eq!(gone(&mut recent, start + MS(135)), [(path("a"), b"mine".to_vec())]);
        assert_eq!(recent.saves.len(), 1);
        // Without anything new on the host a person put it there.
        recent.put(start + MS(300), path("b"), b"mine".to_vec());
        assert_eq!(recent.saves.len(), 2);
    }

    #[test]
    fn what_came_over_and_git_here_wrote_over() {
        let start = Instant::now();
        let mut recent = Recent::default();
        recent.written_there(start, path("a"), false);
        recent.put(start + MS(10), path("a"), b"theirs".to_vec());
        assert!(gone(&mut recent, start + MS(20)).is_empty(), "a person has");
        recent.git_wrote(path("a"));
        assert!(recent.cycled(start + MS(30), start + MS(40), |_, _| true).is_empty(), "before that");
        recent.git_wrote(path("a"));
        assert_eq!(gone(&mut recent, start + MS(50)), [(path("a"), b"theirs".to_vec())]);
        assert_eq!((recent.brought.len(), recent.size), (0, 0));
        recent.written_there(start + MS(60), path("a"), false);
        recent.put(start + MS(70), path("a"), b"theirs".to_vec());
        gone(&mut recent, start + MS(61_000));
        assert_eq!((recent.brought.len(), recent.size), (0, 0));
    }

    #[test]
    fn saves_are_let_go_of_when_it_is_sure_and_when_there_are_many() {
        let start = Instant::now();
        let mut recent = saved(start);
        recent.cycled(start + MS(10_099), start + MS(10_100), |_, _| true);
        assert_eq!(recent.saves.len(), 1);
        recent.at_risk(start + MS(9_000));
        recent.cycled(start + MS(10_999), start + MS(10_999), |_, _| true);
        assert_eq!(recent.saves.len(), 1, "git was at work a moment ago");
        recent.cycled(start + MS(11_000), start + MS(11_000), |_, _| true);
        assert_eq!((recent.saves.len(), recent.size), (0, 0));
        for number in 0..=MOST {
            let at = start + Duration::from_micros(u64::try_from(number).unwrap());
            recent.saved(at, path(&number.to_string()), vec![0; 10]);
        }
        assert_eq!((recent.saves.len(), recent.size), (MOST / 2, MOST * 5));
        assert!(recent.saves.contains_key(&path(&MOST.to_string())), "the last ones stay");
        recent.saved(start + MS(1000), path("large"), vec![0; MOST_BYTES]);
        assert_eq!((recent.saves.len(), recent.size), (1, MOST_BYTES));
        for number in 0..=MOST_THERE {
            recent.written_there(start, path(&number.to_string()), false);
        }
        assert_eq!(recent.missed, Some(start));
    }

    #[test]
    fn what_both_wrote_is_known_before_the_next_cycle() {
        let start = Instant::now();
        let mut recent = Recent::default();
        recent.written_there(start, path("old"), false);
        recent.written_there(start + MS(30_000), path("a"), false);
        recent.written_there(start + MS(30_000), path("b"), true);
        recent.written_there(start + MS(30_000), path("c"), true);
        for name in ["a", "b", "old", "other"] {
            recent.git_wrote(path(name));
        }
        assert_eq!(recent.overlap(start + MS(61_000)), [path("a"), path("b")]);
        assert!(recent.overlap(start + MS(61_000)).is_empty());
        recent.git_wrote(path("other"));
        recent.missed(start + MS(62_000));
        assert_eq!(recent.overlap(start + MS(62_000)), [path("other")]);
        // What could not be kept is so once more.
        recent.overlaps_still(vec![path("other")]);
        assert_eq!(recent.overlap(start + MS(200_000)), [path("other")]);
        assert!(recent.overlap(start + MS(200_000)).is_empty());
    }

    #[test]
    fn what_could_not_be_kept_is_there_for_another_try_and_bounded() {
        let mut recent = Recent::default();
        recent.not_kept(vec![(path("a"), b"mine".to_vec())]);
        recent.not_kept(vec![(path("b"), b"mine".to_vec())]);
        assert_eq!(recent.take_not_kept().len(), 2);
        assert!(recent.take_not_kept().is_empty());
        recent.not_kept(vec![(path("a"), vec![0; MOST_BYTES]), (path("b"), vec![0; 2])]);
        assert_eq!(recent.take_not_kept(), [(path("b"), vec![0; 2])]);
    }
}
