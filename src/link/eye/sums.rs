//! The events of a moment, summed up: how much changed in each session, and which files.

use super::Roots;
use crate::link::joiner::Seen;

/// After so many events since the last walk, some may have been lost (the queue holds 16,384 and says nothing).
const MANY: u32 = 8_000;

/// Under such names Mutagen writes before it renames.
const TEMPORARY: &str = ".mutagen-temporary-";

/// Takes the files of the events one after the other.
#[derive(Debug, Default)]
pub struct Files {
    /// The last event was of a file that was moved away: where the next one is moved to, is where it went.
    left: bool,
    /// What was written, by the number of its directory.
    pub wrote: Vec<(usize, Vec<(String, bool)>)>,
}

impl Files {
    /// Takes a line, of whichever kind.
    pub fn take(&mut self, line: &str, roots: &Roots) {
        let left = std::mem::take(&mut self.left);
        let Some((events, path)) = line.strip_prefix("E ").and_then(|rest| rest.split_once(' ')) else {
            return;
        };
        let has = |names: &[&str]| events.split(',').any(|event| names.contains(&event));
        let name = path.rsplit('/').next().unwrap_or_default();
        if has(&["ISDIR"]) || name.is_empty() || name.starts_with(TEMPORARY) {
            return;
        }
        self.left = has(&["MOVED_FROM"]);
        let moved = has(&["MOVED_TO"]);
        if !moved && !has(&["CREATE", "MODIFY", "DELETE", "MOVED_FROM"]) {
            return;
        }
        let Some((index, below)) = roots.of(path) else { return };
        if below.is_empty() || below.starts_with(".git/") {
            return;
        }
        let file = (below.to_owned(), moved && !left);
        match self.wrote.iter_mut().find(|(known, _)| *known == index) {
            Some((_, files)) if files.last() == Some(&file) => {}
            Some((_, files)) => files.push(file),
            None => self.wrote.push((index, vec![file])),
        }
    }
}

/// Adds up what came, until it is taken; notes when so much came that some may be lost.
#[derive(Debug, Default)]
pub struct Tally {
    seen: Vec<(usize, Seen)>,
    since_walk: u32,
    /// The last event was of a directory that was moved away, in this session. The next one tells where it came; where it
    /// has left the session's, that is the one of its own watch (`MOVE_SELF`).
    away: Option<usize>,
}

impl Tally {
    /// Adds one.
    pub fn add(&mut self, index: usize, seen: Seen) {
        let came = seen.unwatched && !seen.unclear;
        if let Some(from) = self.away.take().filter(|from| !came || *from != index) {
            self.sum(from).taken = true;
        }
        if seen.taken {
            self.away = Some(index);
        }
        self.since_walk = self.since_walk.saturating_add(seen.changes);
        self.sum(index).add(Seen { taken: false, ..seen });
        if self.since_walk > MANY {
            let sum = self.sum(index);
            (sum.unclear, sum.unwatched) = (true, true);
            self.since_walk = 0;
        }
    }

    /// What was seen in each session since this was asked last.
    pub fn take(&mut self) -> Vec<(usize, Seen)> {
        std::mem::take(&mut self.seen)
    }

    fn sum(&mut self, index: usize) -> &mut Seen {
        let known = self.seen.iter().position(|(known, _)| *known == index).unwrap_or_else(|| {
            self.seen.push((index, Seen::default()));
            self.seen.len() - 1
        });
        &mut self.seen[known].1
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::roots;
    use super::super::{Said, parse};
    use super::*;

    #[test]
    fn files_that_were_written_or_only_moved_there() {
        let mut files = Files::default();
        for line in [
            "E CREATE /w/app/a",
            "E MODIFY /w/app/a",
            "E MODIFY /w/app/a",
            "E DELETE,ISDIR /w/app/dir",
            "E MOVED_TO /w/app two/b",
            "E MOVED_FROM /w/app/c",
            "E MOVED_TO /w/app/d",
            "E MOVED_TO /w/app/e",
            "E CREATE /w/app/.mutagen-temporary-1",
            "E MOVED_FROM /w/app/.mutagen-temporary-1",
            "E MOVED_TO /w/app/f",
            "E MODIFY /w/app/.git/index",
            "E ATTRIB /w/app/g",
            "E DELETE /w/app/dir/h i",
            "count 1 /w/app",
        ] {
            files.take(line, &roots());
        }
        let one = |(name, moved): (&str, bool)| (name.to_owned(), moved);
        let first = [("a", false), ("c", false), ("d", false), ("e", true), ("f", true), ("dir/h i", false)];
        assert_eq!(files.wrote[0], (0, first.map(one).to_vec()));
        assert_eq!(files.wrote[1], (1, vec![one(("b", true))]));
    }

    #[test]
    fn so_much_that_some_may_be_lost_is_walked_again() {
        let mut tally = Tally::default();
        for _ in 0..=MANY {
            tally.add(0, Seen { changes: 1, ..Seen::default() });
        }
        assert!(tally.seen[0].1.unwatched && tally.seen[0].1.unclear);
    }

    #[test]
    fn a_directory_that_only_gets_another_name_is_not_taken_away() {
        let taken = |lines: &[&str]| {
            let mut tally = Tally::default();
            let mut taken = [false, false];
            for line in lines {
                let Some(Said::Event(index, seen)) = parse(line, &roots()) else { panic!("{line}") };
                tally.add(index, seen);
                // Each line may come alone.
                for (index, seen) in tally.take() {
                    taken[index] |= seen.taken;
                }
            }
            taken
        };
        let (from, to) = ("E MOVED_FROM,ISDIR /w/app/a", "E MOVED_TO,ISDIR /w/app/b");
        assert_eq!(taken(&[from]), [false, false], "not known yet");
        assert_eq!(taken(&[from, "E MOVE_SELF /w/app/a/"]), [true, false]);
        assert_eq!(taken(&[from, to, "E MOVE_SELF /w/app/b/"]), [false, false]);
        assert_eq!(taken(&[from, "E MODIFY /w/app/c", to]), [true, false]);
        assert_eq!(taken(&[from, from, to]), [true, false]);
        assert_eq!(taken(&[from, "E MOVED_TO,ISDIR /w/app two/b"]), [true, false]);
    }
}
