use super::*;

fn texts(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(|p| p.pattern.as_str()).collect()
}

fn pattern(text: &str) -> Pattern {
    Pattern { pattern: IgnorePattern::parse(text).unwrap(), source: Source::ProjectFile { line: 1 } }
}

#[test]
fn what_must_never_be_synced_comes_last_whatever_is_asked() {
    let hostile = [pattern("!.git"), pattern("!**"), pattern("!/.sinc-session")];
    let list = list(&hostile, &hostile, &hostile);
    assert_eq!(list[list.len() - ALWAYS.len()..], *ALWAYS);
    assert!(ALWAYS.contains(&format!("/{MARKER}").as_str()));
}

#[test]
fn the_list_goes_from_weak_to_strong() {
    let list = list(&[pattern("git")], &[pattern("own")], &[pattern("project")]);
    let [start @ .., _, _, _, _] = list.as_slice() else { panic!() };
    assert_eq!(start, ["git", "node_modules", ".venv", "__pycache__", ".DS_Store", "own", "project"]);
}

#[test]
fn built_in_patterns_are_patterns() {
    for text in DEFAULTS.iter().chain(ALWAYS) {
        IgnorePattern::parse(text).unwrap();
    }
}

#[test]
fn sincignore_lines() {
    let text = "\u{feff}# what the build makes\r\n\r\ndist/\r\n  \n!dist/keep   \n\\#odd\ntwo words\nends in\\ \n*.log";
    let patterns = from_sincignore(text).unwrap();
    assert_eq!(texts(&patterns), ["dist/", "!dist/keep", "\\#odd", "two words", "ends in\\ ", "*.log"]);
    let lines: Vec<Source> = patterns.into_iter().map(|p| p.source).collect();
    assert_eq!(lines, [3, 5, 6, 7, 8, 9].map(|line| Source::SincIgnore { line }));
}

#[test]
fn a_sincignore_line_that_mutagen_would_refuse_is_named() {
    let error = from_sincignore("ok\n\n[a\nfine\n").unwrap_err();
    assert_eq!(error.line, 3);
    assert_eq!(
        error.message,
        "`[a` is not an ignore pattern: a `[` is not closed (write `\\[` for the character)"
    );
    let error = from_sincignore("\0\u{1}\u{1b}[2J\n").unwrap_err();
    assert!(!error.message.contains(char::is_control), "{error:?}");
}

#[test]
fn too_many_patterns_are_refused() {
    let error = from_sincignore(&"a\n".repeat(MOST_PATTERNS + 1)).unwrap_err();
    assert_eq!(error.line, MOST_PATTERNS + 1);
    assert!(from_sincignore(&"a\n".repeat(MOST_PATTERNS)).is_ok());
    assert!(from_gitignore(&"a\n".repeat(MOST_PATTERNS + 1)).is_err());
}

#[test]
fn patterns_that_mutagen_takes() {
    for text in [
        "a", "/a", "a/", "a/b", "!a", "!!a", "*", "**", "a/**/b", "[a-z]", "[!a]", "[^a]", "[\\]]",
        "{a,b}/c", "*.{o,a}", "\\!a", "\\{", "it's", "a,b", "\"q\"", "ü", "...", ".git", "a b", "[\\,]",
    ] {
        assert!(IgnorePattern::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn patterns_that_mutagen_refuses() {
    let long = "a".repeat(5000);
    let explosive = "{a,aa}".repeat(10);
    for text in [
        "",
        "!",
        "/",
        "//",
        "///",
        "!/",
        "!//",
        "\\",
        "a\\",
        "a\\/",
        "[",
        "[]",
        "[!]",
        "[a",
        "[a\\]",
        "{",
        "{a",
        "}",
        "a}",
        "a\0b",
        "a\tb",
        "\u{1b}[2J",
        "a\u{202e}b",
        ".",
        "./",
        "a/..",
        "{[}]}",
        "a/[{]/../b",
        "[/]",
        &long,
        &explosive,
    ] {
        assert!(IgnorePattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn gitignore_lines_in_mutagens_words() {
    let cases = [
        ("dist", Some("dist")),
        ("/dist/", Some("/dist/")),
        ("a/b", Some("a/b")),
        ("*.log   ", Some("*.log")),
        ("odd\\ ", Some("odd\\ ")),
        ("odd\\\\ ", Some("odd\\\\")),
        ("\\#not a comment", Some("\\#not a comment")),
        ("\\!not a negation", Some("\\!not a negation")),
        ("!keep", Some("!keep")),
        ("!/keep/", Some("!/keep/")),
        ("a{b,c}", Some("a\\{b,c\\}")),
        ("a\\{b", Some("a\\{b")),
        ("logs/**", Some("logs/**/*")),
        ("logs/**/", Some("logs/**/*/")),
        ("**/logs", Some("**/logs")),
        ("a/**/b", Some("a/**/b")),
        ("[[:digit:]_]x", Some("[0-9_]x")),
        ("[[:punct:]]", Some("[\\!-.:-@\\[-`\\{-~]")),
        ("a\\/b", Some("a/b")),
        ("a****", Some("a**")),
        ("\\/", None),
        ("[]a]", Some("[\\]a]")),
        ("[!]a,]", Some("[!\\]a\\,]")),
        ("Icon[\r]", None),
        ("# comment", None),
        ("", None),
        ("   ", None),
        ("/", None),
        ("!", None),
        ("!/", None),
        ("a//b", None),
        ("./a", None),
        ("../a", None),
        ("[a", None),
        ("[[:nothing:]]", None),
        ("ends\\", None),
        ("caf\u{fffd}", None),
    ];
    for (line, want) in cases {
        assert_eq!(texts(&from_gitignore(line).unwrap()), want.into_iter().collect::<Vec<_>>(), "{line:?}");
    }
    let patterns = from_gitignore("\u{feff}a\r\n# b\r\n\r\n!c\r\n").unwrap();
    assert_eq!(texts(&patterns), ["a", "!c"]);
    assert_eq!(patterns[1].source, Source::GitIgnore { line: 4 });
}
