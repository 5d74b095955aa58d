//! Tracked files that the sync leaves out: they are never on the host, and must not look deleted to git there.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::ignore::{ALWAYS, MARKER, is_misleading};
use crate::link::exclude::{Rules, alternatives};
use crate::process::quote::universal;

/// More patterns than this are not told to git there: they have to fit into a call.
const MOST_PATTERNS: usize = 300;

/// So many bytes of them, too.
const MOST_OF_PATTERNS: usize = 12 * 1024;

/// The first line of the file that says what is checked out, by which its scripts know that it is sinc's.
const SPARSE: &str = "# sinc: what the sync leaves out is not here";

/// By this it is known again what git there was told.
#[must_use]
pub fn mark(patterns: &[String]) -> String {
    let mut hash = Sha256::new();
    for word in words(patterns) {
        hash.update(word.as_bytes());
        hash.update(b"\n");
    }
    hex::encode(&hash.finalize()[..8])
}

/// The words for `apply.sh`, by the sync's patterns. In the file that says what is checked out it is the other way round.
#[must_use]
pub fn words(patterns: &[String]) -> Vec<String> {
    let patterns = told(patterns);
    let mut words: Vec<String> = patterns.iter().map(|pattern| format!("skip {pattern}")).collect();
    words.extend([SPARSE, "/*"].map(|line| format!("sparse {line}")));
    words.extend(patterns.iter().map(|pattern| match pattern.strip_prefix('!') {
        Some(back) => format!("sparse {back}"),
        None => format!("sparse !{pattern}"),
    }));
    words
}

/// The patterns that git there is told. It knows no braces. What is always left out is not to be tracked.
fn told(patterns: &[String]) -> Vec<String> {
    let mut bytes = 0;
    let few = |pattern: &String| {
        bytes += universal(pattern).len();
        bytes <= MOST_OF_PATTERNS
    };
    let fits = |pattern: &&String| !pattern.contains('\n') && !ALWAYS.contains(&pattern.as_str());
    let each = patterns.iter().filter(fits).flat_map(|pattern| alternatives(pattern));
    each.take(MOST_PATTERNS).take_while(few).collect()
}

/// What a person should know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A sentence or two, with the way out.
    pub text: String,
    /// Does git on the host take them for deleted?
    pub looks_deleted: bool,
}

/// Are there tracked files which the sync leaves out by these patterns?
#[must_use]
pub fn note<'a>(tracked: impl Iterator<Item = &'a [u8]>, patterns: &[String]) -> Option<Note> {
    let (all, known) = (Rules::new(patterns), Rules::new(&told(patterns)));
    let (mut seen, mut seen_known) = (HashMap::new(), HashMap::new());
    let (mut quiet, mut lost) = (Vec::new(), Vec::new());
    for path in tracked.filter(|path| !path.is_empty()) {
        if path == MARKER.as_bytes() {
            let text = format!(
                "`{MARKER}` is tracked: on the host it says whose the directory is, and git there takes it away with a branch \
                 that lacks it: `git rm --cached {MARKER}`, and commit"
            );
            return Some(Note { text, looks_deleted: true });
        }
        if is_left_out(path, &all, &mut seen) {
            let to = if is_left_out(path, &known, &mut seen_known) { &mut quiet } else { &mut lost };
            to.push(path);
        }
    }
    let looks_deleted = !lost.is_empty();
    let files = if looks_deleted { &lost } else { &quiet };
    let first = shown(files.first()?);
    let count = files.len();
    let text = if looks_deleted {
        format!(
            "the sync leaves out tracked files ({count}, as `{first}`) by more patterns than git on the host can be told \
             ({MOST_PATTERNS}, and 12 KiB): they look deleted there, and `git commit -a` there deletes them on both sides: \
             leave out less, or have git leave them too (`git rm --cached`)"
        )
    } else {
        format!(
            "the sync leaves out tracked files ({count}, as `{first}`): not on the host, and unchanged for git there: `!PATTERN` in \
             `.sincignore` has them synced"
        )
    };
    Some(Note { text, looks_deleted })
}

/// A path as it can be shown.
fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    text.chars().map(|c| if is_misleading(c) { '\u{fffd}' } else { c }).collect()
}

/// Are there tracked files that git here does not look at? `listed` is what `git ls-files -v` says of each.
#[must_use]
pub fn flagged<'a>(listed: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let path = |line: &'a [u8]| match line {
        [tag, b' ', path @ ..] if *tag == b'S' || tag.is_ascii_lowercase() => Some(path),
        _ => None,
    };
    let files: Vec<&[u8]> = listed.filter_map(path).collect();
    let first = shown(files.first()?);
    Some(format!(
        "git here does not look at tracked files ({}, as `{first}`: `--skip-worktree` or `--assume-unchanged`), and git on the host \
         does: what they are here is synced, and `git commit -a` there commits it, or that they are gone: `git update-index \
         --assume-unchanged PATH` there, too",
        files.len()
    ))
}

/// Are there tracked files which the sync leaves out and that are not as git has them? `changed` are all that are not.
#[must_use]
pub fn stale<'a>(changed: impl Iterator<Item = &'a [u8]>, patterns: &[String]) -> Option<String> {
    let (rules, mut seen) = (Rules::new(patterns), HashMap::new());
    let files: Vec<&[u8]> = changed
        .filter(|path| !path.is_empty() && *path != MARKER.as_bytes() && is_left_out(path, &rules, &mut seen))
        .collect();
    let first = shown(files.first()?);
    Some(format!(
        "tracked files that the sync leaves out are not here as they are committed ({}, as `{first}`): they stay as they are where the \
         host goes to another commit, and `git commit -a` here would take theirs back: `git restore PATH` gets them, if it was not \
         you who changed them",
        files.len()
    ))
}

/// Are there repositories of their own in the project?
#[must_use]
pub fn repositories(nested: &[String]) -> Option<String> {
    let first = shown(nested.first()?.as_bytes());
    Some(format!(
        "there are repositories of their own in the project ({}, as `{first}`): their files are synced, their git is not. Git on the \
         host was told to leave out those that were here when it was set up; of a later one `git add -A` there takes the files: \
         `echo /{first} >>.git/info/exclude` there",
        nested.len()
    ))
}

/// Is this file left out, or a directory above it? Those are asked once.
fn is_left_out<'a>(path: &'a [u8], rules: &Rules, seen: &mut HashMap<&'a [u8], bool>) -> bool {
    rules.ignores(path, false) || above(path).is_some_and(|above| is_directory_left_out(above, rules, seen))
}

fn is_directory_left_out<'a>(path: &'a [u8], rules: &Rules, seen: &mut HashMap<&'a [u8], bool>) -> bool {
    if let Some(known) = seen.get(path) {
        return *known;
    }
    let is = rules.ignores(path, true)
        || above(path).is_some_and(|above| is_directory_left_out(above, rules, seen));
    seen.insert(path, is);
    is
}

fn above(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|at| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn git_is_told_each_of_the_alternatives_and_no_more_than_fits() {
        let said = words(&patterns(&["*.{o,a}", "!/keep/{x,y}/", ".[gG][iI][tT]"]));
        let skip: Vec<_> = said.iter().filter(|word| word.starts_with("skip ")).collect();
        assert_eq!(skip, ["skip *.o", "skip *.a", "skip !/keep/x/", "skip !/keep/y/"]);
        assert_eq!(
            said[4..],
            [
                &format!("sparse {SPARSE}"),
                "sparse /*",
                "sparse !*.o",
                "sparse !*.a",
                "sparse /keep/x/",
                "sparse /keep/y/"
            ]
        );
        let many: Vec<String> = (0..400).map(|at| format!("n{at}")).collect();
        assert_eq!(told(&many).len(), MOST_PATTERNS);
        let long: Vec<String> = (0..100).map(|at| format!("{at}{}", "x".repeat(1000))).collect();
        assert_eq!(told(&long).len(), 12);
    }

    #[test]
    fn what_is_tracked_and_left_out_is_found_below_directories_too() {
        let tracked: [&[u8]; 6] = [b"a", b"dist/x", b"dist/sub/y", b"src/dist/z", b"src/main.o", b""];
        let said = |all: &[&str]| note(tracked.iter().copied(), &patterns(all));
        assert_eq!(said(&["none", "/a/"]), None);
        let quiet = said(&["dist", "!/src/dist"]).unwrap();
        assert!(quiet.text.contains("(2, as `dist/x`)") && !quiet.looks_deleted, "{quiet:?}");
        let long = "x".repeat(13 * 1024);
        let lost = said(&["dist", &long, "*.o"]).unwrap();
        assert!(lost.text.contains("(1, as `src/main.o`)") && lost.looks_deleted, "{lost:?}");
        let marker = note([MARKER.as_bytes()].into_iter(), &patterns(ALWAYS)).unwrap();
        assert!(marker.text.contains("git rm --cached .sinc-session"), "{marker:?}");
    }

    #[test]
    fn files_that_the_two_gits_see_otherwise_are_named() {
        let all = |text: &'static str| text.split('|').map(str::as_bytes);
        assert_eq!(flagged(all("H a|M b|S|")), None);
        let said = flagged(all("H a|S b c|h d|")).unwrap();
        assert!(said.contains("(2, as `b c`"), "{said}");
        assert_eq!(stale(all("a|.sinc-session|"), &patterns(&["dist", MARKER])), None);
        let said = stale(all("a|dist/x|"), &patterns(&["dist"])).unwrap();
        assert!(said.contains("(1, as `dist/x`)") && said.contains("`git restore PATH`"), "{said}");
        assert_eq!(repositories(&[]), None);
        let said = repositories(&["lib/".to_owned()]).unwrap();
        assert!(said.contains("`echo /lib/ >>.git/info/exclude`"), "{said}");
    }
}
