use super::*;
use crate::process::{Cmd, Runner};

fn rules(patterns: &[&str]) -> Rules {
    Rules::new(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>())
}

const PATHS: [&str; 24] = [
    "node_modules",
    "src/node_modules",
    "src/node_modulesx",
    "dist",
    "src/dist",
    "a/b/c",
    "a/c",
    "a/x/b/c",
    "x.o",
    "src/y.o",
    "x.oo",
    "q1",
    "q-",
    "q]",
    "q9",
    "é",
    "src/éa",
    "a.b",
    "axb",
    "deep/er/log",
    "log",
    ".mutagen-temporary-x",
    "src/.mutagen-temporary-y",
    "w[x]",
];

/// Which of [`PATHS`] grep takes out by the expression.
fn by_grep(expression: &str) -> Vec<String> {
    let lines = PATHS.map(|path| format!("/r (1)/{path}\n")).concat();
    let cmd =
        Cmd::new("grep", "match").args(["-xE", expression]).env("LC_ALL", "C").stdin(lines).answers(&[0, 1]);
    let said = Runner::default().read(&cmd).unwrap();
    said.lines().map(|line| line.trim_start_matches("/r (1)/").to_owned()).collect()
}

#[test]
fn the_expression_says_what_the_patterns_say() {
    let cases: [&[&str]; 12] = [
        &[],
        &["node_modules"],
        &["/dist"],
        &["*.o"],
        &["a/**/c"],
        &["a/**"],
        &["**/log"],
        &["q[0-9]"],
        &["q[^0-9]"],
        &["q[\\]\\-]"],
        &["{x,src/y}.o", "é?"],
        &["a.b", "w\\[x\\]", "dis?"],
    ];
    for patterns in cases {
        let rules = rules(patterns);
        let Expression { text, exact } = rules.expression("/r (1)");
        let ours: Vec<_> = PATHS.iter().filter(|path| rules.ignores(path.as_bytes(), true)).collect();
        assert_eq!(
            by_grep(&text),
            ours.iter().map(|path| (**path).to_owned()).collect::<Vec<_>>(),
            "{patterns:?}: {text}"
        );
        assert!(exact || patterns.iter().any(|p| p.contains('?') || p.contains('\\')), "{patterns:?}");
    }
}

#[test]
fn what_may_be_brought_back_is_looked_at() {
    let rules = rules(&["node_modules", "*.o", "dist", "!dist", "!keep.o"]);
    let Expression { text, exact } = rules.expression("/r (1)");
    assert!(!exact);
    assert_eq!(
        by_grep(&text),
        ["node_modules", "src/node_modules", ".mutagen-temporary-x", "src/.mutagen-temporary-y"]
    );
    assert!(
        !rules.ignores(b"dist", true) && rules.ignores(b"a/x.o", false) && !rules.ignores(b"a/keep.o", false)
    );
}

#[test]
fn directories_of_any_name_take_no_file_out() {
    for pattern in ["*/", "/*/", "a/**/", "a/?*/"] {
        let Expression { text, exact } = rules(&[pattern]).expression("/r (1)");
        assert!(!exact);
        assert_eq!(by_grep(&text), [".mutagen-temporary-x", "src/.mutagen-temporary-y"], "{pattern}");
    }
}

#[test]
fn a_pattern_for_directories_leaves_files_alone() {
    let rules = rules(&["build/"]);
    assert!(rules.ignores(b"a/build", true) && !rules.ignores(b"a/build", false));
}
