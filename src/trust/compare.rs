//! Whether one list of patterns ignores at least what another does.

use std::collections::HashMap;

use super::Change;
use crate::ignore::Pattern;

/// What counts when `old` is accepted and the files say `new`, and what of `new` waits.
///
/// `new` counts as it is if it is sure to ignore every path that `old` ignores; the sufficient condition is that
///
/// - its `!` patterns are some of those of `old`, in the same order, and
/// - it has every other pattern of `old`, and after the last place of each stand only `!` patterns that stood after it
///   in `old` too.
///
/// For if `old` ignores a path, then by its last pattern that matches; call it p. In `new`, p has after it only `!`
/// patterns that stand after p in `old` as well, and those do not match the path. So `new` ignores it. The same holds
/// with any patterns before or after both lists.
///
/// Otherwise `old` counts, followed by the patterns that are new in `new` and bring nothing back.
pub(super) fn compare(old: &[Pattern], new: &[Pattern]) -> (Vec<Pattern>, Vec<Change>) {
    let mut changes = Vec::new();

    // Match the `!` patterns from the end, each with the last one possible: that leaves the most room for the second
    // condition. The place of a `!` pattern is the number of such patterns before it.
    let old_negations: Vec<&Pattern> = old.iter().filter(|p| p.pattern.is_negation()).collect();
    let mut matched: Vec<Option<usize>> = Vec::new();
    let mut free = old_negations.len();
    for negation in new.iter().rev().filter(|p| p.pattern.is_negation()) {
        let place = old_negations[..free].iter().rposition(|p| p.pattern == negation.pattern);
        match place {
            Some(place) => free = place,
            None => changes.push(Change::BroughtBack(negation.clone())),
        }
        matched.push(place);
    }
    matched.reverse();
    changes.reverse();

    let old_places = last_places(old);
    let new_places = last_places(new);
    for (at, pattern) in old.iter().enumerate().filter(|(_, p)| !p.pattern.is_negation()) {
        let (last, negations_before) = old_places[pattern.pattern.as_str()];
        if at != last {
            continue;
        }
        match new_places.get(pattern.pattern.as_str()) {
            None => changes.push(Change::Removed(pattern.clone())),
            Some((now, negations_before_now)) => {
                // The first `!` pattern after it is the one that came from furthest ahead.
                let next = matched.iter().skip(*negations_before_now).flatten().next();
                if next.is_some_and(|place| *place < negations_before) {
                    changes.push(Change::Moved(new[*now].clone()));
                }
            }
        }
    }

    if changes.is_empty() {
        return (new.to_vec(), changes);
    }
    let added =
        new.iter().filter(|p| !p.pattern.is_negation() && !old_places.contains_key(p.pattern.as_str()));
    (old.iter().chain(added).cloned().collect(), changes)
}

/// Of each pattern that is not a `!` pattern: where it stands last, and how many `!` patterns stand before that.
fn last_places(patterns: &[Pattern]) -> HashMap<&str, (usize, usize)> {
    let mut negations = 0;
    let mut places = HashMap::new();
    for (at, pattern) in patterns.iter().enumerate() {
        if pattern.pattern.is_negation() {
            negations += 1;
        } else {
            places.insert(pattern.pattern.as_str(), (at, negations));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ignore::{IgnorePattern, Source};

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        let source = |at| Source::SincIgnore { line: at + 1 };
        let pattern = |text| IgnorePattern::parse(text).unwrap();
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| Pattern { pattern: pattern(text), source: source(at) })
            .collect()
    }

    /// Whether the list ignores a path of one letter; the patterns are letters and `*`.
    fn ignores(list: &[Pattern], path: &str) -> bool {
        let matches = |glob: &str| glob == "*" || glob == path;
        let last = list.iter().rfind(|p| matches(p.pattern.as_str().trim_start_matches('!')));
        last.is_some_and(|p| !p.pattern.is_negation())
    }

    /// Every list of up to `length` of the texts.
    fn lists(texts: &[&'static str], length: usize) -> Vec<Vec<&'static str>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..length {
            last = last
                .iter()
                .flat_map(|list| texts.iter().map(|text| [list.as_slice(), &[*text]].concat()))
                .collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn what_counts_never_ignores_less_than_what_was_accepted() {
        let lists: Vec<Vec<Pattern>> =
            lists(&["a", "b", "*", "!a", "!*"], 3).iter().map(|list| patterns(list)).collect();
        for old in &lists {
            for new in &lists {
                let (effective, changes) = compare(old, new);
                for path in ["a", "b", "c"] {
                    assert!(!ignores(old, path) || ignores(&effective, path), "{old:?} {new:?}");
                }
                let (again, _) = compare(&effective, new);
                assert_eq!(effective.len(), again.len(), "{old:?} {new:?}: a second look changes nothing");
                if changes.is_empty() {
                    assert_eq!(&effective, new);
                }
            }
        }
    }

    #[test]
    fn at_once() {
        for (old, new) in [
            (&[][..], &["a", "b"][..]),
            (&["a"], &["a", "b"]),
            (&["b"], &["a", "b"]),
            (&["a", "b"], &["b", "a"]),
            (&["a", "a"], &["a"]),
            (&["*", "!a"], &["*"]),
            (&["*", "!a", "b"], &["*", "!a", "c", "b"]),
            (&["*", "!a", "!b"], &["*", "!b"]),
            (&["!a", "*"], &["!a", "*", "*"]),
            (&["*", "!a", "*"], &["!a", "*"]),
            (&["!a", "*", "!a"], &["*", "!a"]),
        ] {
            let (effective, changes) = compare(&patterns(old), &patterns(new));
            assert_eq!((effective, changes.len()), (patterns(new), 0), "{old:?} {new:?}");
        }
    }

    #[test]
    fn waiting() {
        for (old, new, effective, changes) in [
            (&["a", "b"][..], &["b"][..], &["a", "b"][..], "Removed a"),
            (&[], &["!.git"], &[], "BroughtBack !.git"),
            (&[], &["!**"], &[], "BroughtBack !**"),
            (&[], &["*", "!a"], &["*"], "BroughtBack !a"),
            (&["a"], &["a", "!a", "b"], &["a", "b"], "BroughtBack !a"),
            (&["!a", "a"], &["a", "!a"], &["!a", "a"], "Moved a"),
            (&["*", "!a"], &["*", "!a", "!a"], &["*", "!a"], "BroughtBack !a"),
            (&["a"], &[], &["a"], "Removed a"),
            (&["a", "a"], &["b"], &["a", "a", "b"], "Removed a"),
            (&["x", "!a", "y"], &["!a", "z"], &["x", "!a", "y", "z"], "Removed x, Removed y"),
        ] {
            let (found, waiting) = compare(&patterns(old), &patterns(new));
            let texts: Vec<&str> = found.iter().map(|p| p.pattern.as_str()).collect();
            assert_eq!(texts, effective, "{old:?} {new:?}");
            let named = |change: &Change| match change {
                Change::Removed(p) => format!("Removed {}", p.pattern),
                Change::BroughtBack(p) => format!("BroughtBack {}", p.pattern),
                Change::Moved(p) => format!("Moved {}", p.pattern),
                other => panic!("{other}"),
            };
            assert_eq!(waiting.iter().map(named).collect::<Vec<_>>().join(", "), changes, "{old:?} {new:?}");
        }
    }

    #[test]
    fn long_lists_are_quick() {
        let texts: Vec<String> =
            (0..10_000).map(|n| if n % 2 == 0 { format!("!{n}") } else { format!("{n}") }).collect();
        let old = patterns(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let new: Vec<Pattern> = old.iter().rev().cloned().collect();
        let started = std::time::Instant::now();
        assert!(!compare(&old, &new).1.is_empty());
        assert!(compare(&old, &old).1.is_empty());
        assert!(started.elapsed().as_secs() < 5);
    }
}
