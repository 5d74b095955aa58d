//! The eye on the host: what `eye.sh` is told, and what it says.

mod sums;

use std::sync::{Mutex, PoisonError};

pub use sums::{Files, Tally};

use super::exclude::{self, Rules};
use super::joiner::Seen;
use crate::git::watch::{Sign, sign};
use crate::remote::Script;

/// Watches directories on the host and tells what changes in them.
pub static EYE: Script = Script::new(include_str!("eye.sh"));

/// The oldest inotifywait that is used: older ones were not tried, and know no list of files from standard input.
const LEAST: (u32, u32) = (3, 20);

/// The longest word that is given to a program there, bytes: Linux allows 128 KiB.
const LONGEST_WORD: usize = 128_000;

/// A line that the eye says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The inotifywait of the host: its version, or why there is none that will do.
    Inotifywait(Result<String, String>),
    /// A directory, and what its marker says: an id, nothing (it has none), or that there is no directory.
    Place(String, Marked),
    /// Everything is watched from now on.
    Established,
    /// Something could not be watched, in inotifywait's words.
    Trouble(String),
    /// inotifywait has ended, and not because it was asked for.
    Ended(String),
    /// Files in a directory that were counted because they were asked for.
    Count(String, u64),
    /// Something in a directory that is looked at again and again differs, and so many files it has.
    Poll(String, u64),
    /// A line of the answer to the question with this number; nothing is its end.
    Answer(u32, Option<String>),
    /// A change in a session's directory.
    Event(usize, Seen),
    /// Files in a session's directory that were written, or deleted; yes for those that were only moved there.
    Wrote(usize, Vec<(String, bool)>),
    /// A change in what git keeps there; with a lock on its index, whether that is there now. And is more of it to be watched?
    Git(usize, Option<bool>, bool),
}

/// What a directory's marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It belongs to the session with this id.
    For(String),
    /// It has no marker.
    No,
    /// There is no such directory.
    Gone,
}

/// The directories that are watched: the reader needs them to know whose an event is.
#[derive(Debug, Default)]
pub struct Roots(Mutex<Vec<String>>);

impl Roots {
    /// Sets them.
    pub fn set(&self, roots: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = roots;
    }

    /// The one in which this path lies, and what of the path lies in it.
    fn of<'a>(&self, path: &'a str) -> Option<(usize, &'a str)> {
        let roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roots.iter().enumerate().find_map(|(index, root)| {
            let rest = path.strip_prefix(root.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((index, rest.trim_start_matches('/')))
        })
    }
}

/// Understands a line; nothing where it means nothing.
pub fn parse(line: &str, roots: &Roots) -> Option<Said> {
    let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match key {
        "E" => {
            let (events, path) = rest.split_once(' ')?;
            let (index, below) = roots.of(path)?;
            match below.strip_prefix(".git").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                Some(rest) => git(index, events, rest.trim_matches('/'))?,
                None => Said::Event(index, event(events, below.is_empty())),
            }
        }
        "inotifywait" => Said::Inotifywait(version(rest)),
        "place" => {
            let (id, path) = rest.split_once(' ')?;
            let marked = match id {
                "-" => Marked::No,
                "." => Marked::Gone,
                id => Marked::For(id.to_owned()),
            };
            Said::Place(path.to_owned(), marked)
        }
        "count" | "poll" => {
            let (count, path) = rest.split_once(' ')?;
            let (path, count) = (path.to_owned(), count.parse().ok()?);
            if key == "count" { Said::Count(path, count) } else { Said::Poll(path, count) }
        }
        "a" => {
            let (number, line) = rest.split_once(' ')?;
            Said::Answer(number.parse().ok()?, Some(line.to_owned()))
        }
        "z" => Said::Answer(rest.parse().ok()?, None),
        "ended" => Said::Ended(rest.to_owned()),
        "Watches" if line == "Watches established." => Said::Established,
        "Failed" | "Couldn't" => Said::Trouble(line.to_owned()),
        _ => return None,
    })
}

fn git(index: usize, events: &str, below: &str) -> Option<Said> {
    let has = |name: &str| events.split(',').any(|event| event == name);
    let lock = match sign(below)? {
        Sign::Moved => None,
        Sign::Lock if has("CREATE") || has("MOVED_TO") => Some(true),
        Sign::Lock if has("DELETE") || has("MOVED_FROM") => Some(false),
        Sign::Lock => return None,
    };
    // A whole repository was put there.
    Some(Said::Git(index, lock, below.is_empty() && has("ISDIR") && (has("MOVED_TO") || has("CREATE"))))
}

fn event(events: &str, is_root: bool) -> Seen {
    let mut seen = Seen { changes: 1, ..Seen::default() };
    let has = |name: &str| events.split(',').any(|event| event == name);
    let directory = has("ISDIR");
    if has("MOVE_SELF") || has("DELETE_SELF") {
        // Of what lies below, the directory above tells.
        return Seen { uprooted: is_root, changes: u32::from(is_root), ..seen };
    }
    if has("UNMOUNT") {
        return Seen { uprooted: is_root, unclear: true, unwatched: true, ..seen };
    }
    if !directory && (has("DELETE") || has("MOVED_FROM")) {
        seen.deletes = 1;
    }
    seen.taken = has("MOVED_FROM") && directory;
    seen.unclear = seen.taken;
    seen.unwatched = has("MOVED_TO") && directory;
    seen.fresh = has("CREATE") && directory;
    seen
}

fn version(said: &str) -> Result<String, String> {
    let Some(version) = said.strip_prefix("inotifywait ") else {
        return Err(match said {
            "none" => "the host has no inotifywait (its package is inotify-tools)".to_owned(),
            _ => "the host's inotifywait does not tell its version".to_owned(),
        });
    };
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if known >= LEAST {
        Ok(version.to_owned())
    } else {
        Err(format!("the host's inotifywait is {version}, and {}.{} is needed", LEAST.0, LEAST.1))
    }
}

/// Why something could not be watched, with what helps.
#[must_use]
pub fn explain(trouble: &str) -> String {
    if trouble.contains("initialize inotify") && trouble.contains("Too many open files") {
        "the host allows too few inotify instances: raise them with `sysctl fs.inotify.max_user_instances=512`"
            .to_owned()
    } else if trouble.contains("upper limit") || trouble.contains("No space left") {
        "the host allows too few watches: raise them with `sysctl fs.inotify.max_user_watches=524288`"
            .to_owned()
    } else {
        format!("inotifywait on the host: {trouble}")
    }
}

/// A directory on the host that is to be watched.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The directory.
    pub path: &'a str,
    /// What is left out.
    pub rules: &'a Rules,
    /// Is what git keeps there watched too?
    pub git: bool,
}

/// The lines that have it watch these directories.
#[must_use]
pub fn orders(places: &[Place], poll: bool) -> String {
    let mut text = format!("x {}\nv {}\nc\n", joined(places, false), joined(places, true));
    for place in places {
        text.push_str(&format!("r {}\n", place.path));
    }
    text.push_str(if poll { "p\n" } else { "w\n" });
    text
}

/// One expression for all of them: of what is not counted, or of what is not watched. Where it is too long for a word, the
/// longest ones are cut: then more is looked at.
fn joined(places: &[Place], watched: bool) -> String {
    let mut longest = exclude::LONGEST;
    loop {
        let one = |place: &Place| place.rules.said(place.path, watched && place.git, longest).text;
        let text = places.iter().map(one).collect::<Vec<_>>().join("|");
        if text.len() <= LONGEST_WORD || longest == 0 {
            return text;
        }
        longest = longest * 3 / 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn roots() -> Roots {
        let roots = Roots::default();
        roots.set(vec!["/w/app".to_owned(), "/w/app two".to_owned()]);
        roots
    }

    #[test]
    fn events() {
        let change = Seen { changes: 1, ..Seen::default() };
        let cases = [
            ("E MODIFY /w/app/", Some((0, change))),
            ("E CREATE /w/app two/src/", Some((1, change))),
            ("E CREATE /w/app3/", None),
            ("E DELETE /w/app/src/", Some((0, Seen { deletes: 1, ..change }))),
            ("E DELETE,ISDIR /w/app/src/", Some((0, change))),
            ("E CREATE,ISDIR /w/app/src/", Some((0, Seen { fresh: true, ..change }))),
            ("E MOVED_FROM /w/app/src/", Some((0, Seen { deletes: 1, ..change }))),
            ("E MOVED_FROM,ISDIR /w/app/", Some((0, Seen { unclear: true, taken: true, ..change }))),
            ("E MOVED_TO,ISDIR /w/app/", Some((0, Seen { unwatched: true, ..change }))),
            ("E MOVE_SELF /w/app/", Some((0, Seen { uprooted: true, ..change }))),
            ("E MOVE_SELF /w/app/src/", Some((0, Seen::default()))),
            (
                "E UNMOUNT /w/app/",
                Some((0, Seen { uprooted: true, unclear: true, unwatched: true, ..change })),
            ),
            ("E UNMOUNT /w/app/src/", Some((0, Seen { unclear: true, unwatched: true, ..change }))),
            ("E", None),
            ("rest of a name with a line break", None),
            ("E MODIFY /w/app/.gitignore", Some((0, change))),
            ("E MOVE_SELF /w/app", Some((0, Seen { uprooted: true, ..change }))),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|(index, seen)| Said::Event(index, seen));
            assert_eq!(parse(line, &roots()), expected, "{line}");
        }
    }

    #[test]
    fn other_lines() {
        let parse = |line: &str| parse(line, &roots());
        assert_eq!(parse("Watches established."), Some(Said::Established));
        assert_eq!(
            parse("place sinc-a-1 /w/a b"),
            Some(Said::Place("/w/a b".into(), Marked::For("sinc-a-1".into())))
        );
        assert_eq!(parse("place . /w/a"), Some(Said::Place("/w/a".into(), Marked::Gone)));
        assert_eq!(parse("count 12 /w/a b"), Some(Said::Count("/w/a b".into(), 12)));
        assert_eq!(parse("a 7 dir  /w "), Some(Said::Answer(7, Some("dir  /w ".into()))));
        assert_eq!(parse("a 7 "), Some(Said::Answer(7, Some(String::new()))));
        let git = |lock, more| Some(Said::Git(0, lock, more));
        assert_eq!(parse("E MOVED_TO /w/app/.git/HEAD"), git(None, false));
        assert_eq!(parse("E CREATE /w/app/.git/index.lock"), git(Some(true), false));
        assert_eq!(parse("E MOVED_FROM /w/app/.git/index.lock"), git(Some(false), false));
        assert_eq!(parse("E MODIFY /w/app/.git/index.lock"), None);
        assert_eq!(parse("E MOVED_TO,ISDIR /w/app/.git"), git(None, true));
        assert_eq!(parse("E MODIFY /w/app/.git/config"), None);
        assert_eq!((parse("z 7"), parse("a 7"), parse("z x")), (Some(Said::Answer(7, None)), None, None));
        let inotifywait = |line: &str| match parse(line) {
            Some(Said::Inotifywait(version)) => version,
            other => panic!("{other:?}"),
        };
        assert_eq!(inotifywait("inotifywait inotifywait 3.22.6.0"), Ok("3.22.6.0".to_owned()));
        assert!(inotifywait("inotifywait none").unwrap_err().contains("inotify-tools"));
        assert!(inotifywait("inotifywait inotifywait 3.14").unwrap_err().contains("3.14"));
        let Some(Said::Trouble(text)) = parse("Failed to watch /x; upper limit on inotify watches reached!")
        else {
            panic!("no trouble")
        };
        assert!(explain(&text).contains("sysctl"));
    }

    #[test]
    fn the_expressions_of_many_sessions_are_one_word_of_a_command() {
        let patterns = |from: usize, count: usize| -> Vec<String> {
            (from..from + count).map(|n| format!("/a/pattern/that/is/rather/long/{n:06}")).collect()
        };
        let long: Vec<Rules> = (0..4).map(|n| Rules::new(&patterns(n * 10_000, 3_000))).collect();
        let short = Rules::new(&patterns(0, 50));
        let all = ["/w/0", "/w/1", "/w/2", "/w/3"];
        let places = all.iter().zip(&long).map(|(path, rules)| Place { path, rules, git: true });
        let places: Vec<Place> =
            places.chain([Place { path: "/w/short", rules: &short, git: true }]).collect();
        let orders = orders(&places, false);
        let lines: Vec<&str> = orders.lines().collect();
        for line in &lines[..2] {
            // `eye.sh` puts a few letters around it.
            assert!(line.len() < 128 * 1024 - 100, "{}", line.len());
            assert!(all.iter().all(|root| line.contains(&format!("{root}/(a/pattern"))));
        }
        assert!(lines[0].ends_with(&short.expression("/w/short").text));
        assert!(lines[1].ends_with(&short.expression_with_git("/w/short").text));
        assert_eq!(lines[2..], ["c", "r /w/0", "r /w/1", "r /w/2", "r /w/3", "r /w/short", "w"]);
    }
}
