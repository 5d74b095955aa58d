//! Which paths the ignore patterns certainly cover, as Mutagen 0.18.1 reads them
//! (`pkg/synchronization/core/ignore/mutagen/ignore.go`, `doublestar` 4.7).
//!
//! Only what is certain counts as covered: a pattern that two matchers may read in two ways covers nothing here, and as
//! `!pattern` it takes what an earlier one covered back.

use globset::{GlobBuilder, GlobMatcher};

/// The patterns of a sync, ready to be tried.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    negated: bool,
    directory_only: bool,
    /// Does it hold a `?`?
    any_character: bool,
    /// Is it tried on a path's last name too?
    leaf: bool,
    /// Nothing where it cannot be read for certain.
    globs: Option<Vec<GlobMatcher>>,
    /// As `find -name` reads it, where that is the same: a name at any depth.
    name: Option<String>,
}

impl Matcher {
    /// The patterns, the weakest first, as Mutagen gets them.
    #[must_use]
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Self {
        Self { rules: patterns.iter().map(|pattern| Rule::new(pattern.as_ref())).collect() }
    }

    /// Is this path certainly ignored? Whether a directory above it is has to be asked for itself: Mutagen does not look
    /// into one that is.
    #[must_use]
    pub fn covers(&self, path: &std::path::Path, is_directory: bool) -> bool {
        let mut covered = false;
        for rule in &self.rules {
            if rule.negated != covered {
                continue;
            }
            match rule.matches(path, is_directory) {
                Some(true) => covered = !rule.negated,
                // In doubt it is not ignored.
                None => covered = false,
                Some(false) => {}
            }
        }
        covered
    }

    /// What `find -name` can leave out by itself: names, and whether only directories of that name are meant. Everything
    /// that they match is covered, but not the other way round. At most `most` of them.
    pub fn names(&self, most: usize) -> impl Iterator<Item = (&str, bool)> {
        let after_the_last_negated = self.rules.iter().rposition(|rule| rule.negated).map_or(0, |at| at + 1);
        let safe = self.rules[after_the_last_negated..].iter();
        safe.filter_map(|rule| Some((rule.name.as_deref()?, rule.directory_only))).take(most)
    }
}

impl Rule {
    fn new(text: &str) -> Self {
        let (negated, pattern) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let plain = !pattern.split('/').any(|part| matches!(part, "." | "..")) && !pattern.contains("//");
        let (absolute, pattern) = pattern.strip_prefix('/').map_or((false, pattern), |rest| (true, rest));
        let (directory_only, pattern) =
            pattern.strip_suffix('/').map_or((false, pattern), |rest| (true, rest));
        let leaf = !absolute && !pattern.contains('/');
        let certain = plain && is_certain(pattern);
        Self {
            negated,
            directory_only,
            leaf,
            any_character: pattern.contains('?'),
            globs: certain.then(|| globs(pattern)).flatten(),
            name: (leaf && certain && is_name(pattern)).then(|| pattern.to_owned()),
        }
    }

    /// Nothing where it is not certain.
    fn matches(&self, path: &std::path::Path, is_directory: bool) -> Option<bool> {
        if self.directory_only && !is_directory {
            return Some(false);
        }
        let globs = self.globs.as_ref()?;
        // `?` is one byte here and one character there.
        if self.any_character && !path.as_os_str().is_ascii() {
            return None;
        }
        let is_match = |text: &std::path::Path| globs.iter().any(|glob| glob.is_match(text));
        Some(is_match(path) || (self.leaf && path.file_name().is_some_and(|name| is_match(name.as_ref()))))
    }
}

/// Do all matchers read it alike? No escapes, no negated or odd classes, groups that are not nested and hold no slash,
/// and `**` only as a whole part of a path.
fn is_certain(pattern: &str) -> bool {
    let class = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-~".contains(c))
            && !text.starts_with('-')
    };
    let mut rest = pattern;
    while let Some(at) = rest.find(['\\', '[', ']', '{', '}']) {
        let (close, inside): (char, fn(&str) -> bool) = match rest.as_bytes()[at] {
            b'[' => (']', |text| !text.contains(['[', '^', '!', '/'])),
            b'{' => ('}', |text| !text.contains(['{', '[', '/', '\\'])),
            _ => return false,
        };
        let Some(length) = rest[at + 1..].find(close) else { return false };
        let text = &rest[at + 1..at + 1 + length];
        if !inside(text) || (close == ']' && !class(text)) {
            return false;
        }
        rest = &rest[at + length + 2..];
    }
    pattern.split('/').all(|part| part == "**" || !part.contains("**"))
}

/// Would `find -name` read it the same? Letters, digits, a few signs, `*` and classes; no groups.
fn is_name(pattern: &str) -> bool {
    !pattern.starts_with('-') && pattern.chars().all(|c| c.is_ascii_alphanumeric() || "._-~ *[]".contains(c))
}

fn globs(pattern: &str) -> Option<Vec<GlobMatcher>> {
    let one = |text: &str| {
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build();
        glob.ok().map(|glob| glob.compile_matcher())
    };
    let mut all = vec![one(pattern)?];
    // doublestar: `a/**` is `a` too.
    if let Some(above) = pattern.strip_suffix("/**") {
        all.push(one(above)?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn covers(patterns: &[&str], path: &str, is_directory: bool) -> bool {
        Matcher::new(patterns).covers(Path::new(path), is_directory)
    }

    #[test]
    fn as_mutagen_reads_them() {
        for (pattern, path, is_directory) in [
            ("node_modules", "a/node_modules", true),
            ("/dist", "dist", false),
            ("build/", "x/build", true),
            ("a/b", "a/b", false),
            ("*.{o,a}", "x/y.o", false),
            ("**/x", "x", false),
            ("a/**", "a", true),
            ("a/**/b", "a/b", false),
            ("?.log", "d/e.log", false),
            (".[gG][iI][tT]", "sub/.GIT", true),
            (".[gG][iI][tT][ .]*", ".git .x", false),
        ] {
            assert!(covers(&[pattern], path, is_directory), "{pattern} {path}");
        }
        for (pattern, path, is_directory) in [
            ("/dist", "a/dist", false),
            ("build/", "build", false),
            ("a/b", "x/a/b", false),
            ("*.o", "a/b.os", false),
            ("a*b", "a/b", false),
            ("a/*", "a/b/c", false),
            ("??.log", "é.log", false),
        ] {
            assert!(!covers(&[pattern], path, is_directory), "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_one_decides_and_what_is_in_doubt_is_not_ignored() {
        assert!(!covers(&["*.log", "!keep.log"], "keep.log", false));
        assert!(covers(&["*.log", "!keep.log", "keep.*"], "keep.log", false));
        for doubtful in ["[^a]x", "a\\*", "a**", "{a,{b,c}}", "[!a]x", "../a", "a//b"] {
            assert!(!covers(&[doubtful], "ax", false), "{doubtful}");
            assert!(!covers(&["ax", &format!("!{doubtful}")], "ax", false), "{doubtful}");
        }
    }

    #[test]
    fn names_that_find_can_leave_out() {
        let matcher =
            Matcher::new(&["*.o", "!x", "node_modules", "build/", "/top", "a/b", "{a,b}", "-x", "[^a]"]);
        assert_eq!(matcher.names(9).collect::<Vec<_>>(), [("node_modules", false), ("build", true)]);
        assert_eq!(Matcher::new(crate::ignore::ALWAYS).names(9).count(), 3);
    }
}
