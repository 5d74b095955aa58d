use super::*;
use crate::ignore::IgnorePattern;

const AGENTS: &[&str] = &["claude", "opencode"];
const PLAIN: Own<'static> = Own { gitignore: false, agents: AGENTS };
const WITH_GIT: Own<'static> = Own { gitignore: true, agents: AGENTS };

/// A project's directory.
struct Dir(tempfile::TempDir);

impl Dir {
    fn new(files: &[(&str, &str)]) -> Dir {
        let dir = Dir(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(dir.0.path().join(name), text).unwrap();
        }
        dir
    }

    fn read(&self, own: Own<'_>) -> Result<Proposed, ConfigError> {
        Proposed::read(self.0.path(), &ProjectFile::read(self.0.path())?, own)
    }
}

fn proposed(own: Own<'_>, files: &[(&str, &str)]) -> Proposed {
    Dir::new(files).read(own).unwrap()
}

fn texts(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(|p| p.pattern.as_str()).collect()
}

/// What waits, as sentences.
fn sentences(assessment: &Assessment) -> Vec<String> {
    assessment.waiting.iter().map(ToString::to_string).collect()
}

#[test]
fn the_files_are_read_in_their_order() {
    let files = [
        (".sinc.toml", "default-agent = \"claude\"\n[sync]\nignore = [\"one\"]\ngitignore = true\n"),
        (".sincignore", "# comment\ntwo\n!three\n"),
        (".gitignore", "four{}\n"),
    ];
    let read = proposed(PLAIN, &files);
    assert_eq!(texts(&read.ignores), ["one", "two", "!three"]);
    assert_eq!(read.ignores[1].source, Source::SincIgnore { line: 2 });
    assert_eq!(texts(read.git_lines.as_ref().unwrap()), ["four\\{\\}"]);
    assert_eq!(read.agent.as_ref().unwrap().as_str(), "claude");
    assert_eq!(proposed(PLAIN, &[]), Proposed::default());
    assert_eq!(proposed(PLAIN, &[(".gitignore", "a")]).git_lines, None);
    assert_eq!(texts(proposed(WITH_GIT, &[(".gitignore", "a")]).git_lines.as_ref().unwrap()), ["a"]);
    assert_eq!(proposed(WITH_GIT, &[]).git_lines, Some(Vec::new()));
}

#[test]
fn what_only_adds_counts_at_once() {
    let files = [
        (".sinc.toml", "default-agent = \"claude\"\n[sync]\nignore = [\"dist\"]\ngitignore = true\n"),
        (".sincignore", "target\n"),
        (".gitignore", "*.log\n!keep.log\n"),
    ];
    let read = proposed(PLAIN, &files);
    let assessment = assess(None, PLAIN, &read);
    assert_eq!(assessment, Assessment { effective: read, waiting: Vec::new() });
    let accepted = assessment.effective.accept();
    assert_eq!(assess(Some(&accepted), PLAIN, &assessment.effective), assessment, "the second time as well");
}

#[test]
fn what_would_send_files_waits() {
    let accepted = proposed(
        PLAIN,
        &[
            (".sinc.toml", "[sync]\ngitignore = true"),
            (".sincignore", "secrets\ndata"),
            (".gitignore", ".env"),
        ],
    )
    .accept();
    let now = proposed(PLAIN, &[(".sincignore", "data\n!data/private\nnew")]);
    let assessment = assess(Some(&accepted), PLAIN, &now);
    assert_eq!(
        sentences(&assessment),
        [
            "`!data/private` (.sincignore, line 2) brings back what is ignored: files called `data/private` would be sent",
            "`secrets` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent",
            "`gitignore` is off now: files that .gitignore keeps here would be sent",
        ]
    );
    assert_eq!(texts(&assessment.effective.ignores), ["secrets", "data", "new"]);
    assert_eq!(assessment.effective.gitignore, Some(true));
    assert_eq!(texts(assessment.effective.git_lines.as_ref().unwrap()), [".env"]);

    let trusted = now.accept();
    let assessment = assess(Some(&trusted), PLAIN, &now);
    assert_eq!((assessment.effective, assessment.waiting.len()), (now, 0), "after `sinc trust`");
}

#[test]
fn lines_taken_out_of_gitignore_wait() {
    let accepted =
        assess(None, WITH_GIT, &proposed(WITH_GIT, &[(".gitignore", "*.log\n.env\n")])).effective.accept();
    let assessment =
        assess(Some(&accepted), WITH_GIT, &proposed(WITH_GIT, &[(".gitignore", "*.log\nbuild\n")]));
    assert_eq!(
        sentences(&assessment),
        [
            "`.env` is no longer ignored (it was in .gitignore, line 2): files that it keeps here would be sent"
        ]
    );
    assert_eq!(texts(assessment.effective.git_lines.as_ref().unwrap()), ["*.log", ".env", "build"]);
    let gone = assess(Some(&accepted), WITH_GIT, &proposed(WITH_GIT, &[]));
    assert_eq!(gone.waiting.len(), 2);
}

#[test]
fn a_project_cannot_turn_off_the_persons_own_gitignore() {
    let read = proposed(WITH_GIT, &[(".sinc.toml", "[sync]\ngitignore = false"), (".gitignore", ".env")]);
    let assessment = assess(None, WITH_GIT, &read);
    assert_eq!(assessment.waiting, [Change::GitIgnoreOff]);
    assert_eq!(assessment.effective.gitignore, None);
    assert_eq!(texts(assessment.effective.git_lines.as_ref().unwrap()), [".env"]);
}

#[test]
fn the_person_may_turn_gitignore_on_and_off_without_being_asked() {
    let files = [(".gitignore", ".env")];
    let on = assess(None, WITH_GIT, &proposed(WITH_GIT, &files)).effective;
    let off = assess(Some(&on.accept()), PLAIN, &proposed(PLAIN, &files));
    assert_eq!((off.effective.git_lines.as_ref(), off.waiting.len()), (None, 0));
    let on_again =
        assess(Some(&off.effective.accept()), WITH_GIT, &proposed(WITH_GIT, &[(".gitignore", "!x")]));
    assert_eq!(
        (texts(on_again.effective.git_lines.as_ref().unwrap()), on_again.waiting.len()),
        (vec!["!x"], 0)
    );
}

#[test]
fn only_known_agents_start() {
    let named = |name: &str| proposed(PLAIN, &[(".sinc.toml", &format!("default-agent = \"{name}\""))]);
    let known = assess(None, PLAIN, &named("claude"));
    assert_eq!((known.effective.agent.as_ref().unwrap().as_str(), known.waiting.len()), ("claude", 0));
    let unknown = assess(Some(&known.effective.accept()), PLAIN, &named("evil"));
    assert_eq!(unknown.effective.agent.as_ref().unwrap().as_str(), "claude");
    assert_eq!(
        sentences(&unknown),
        ["the agent `evil` would be started, which your own configuration does not have"]
    );
    let none = assess(Some(&known.effective.accept()), PLAIN, &Proposed::default());
    assert_eq!((none.effective.agent, none.waiting.len()), (None, 0));
}

#[test]
fn hostile_files_bring_nothing_back() {
    let own = [Pattern { pattern: IgnorePattern::parse("secrets").unwrap(), source: Source::BuiltIn }];
    for text in [
        "!.git",
        "!**",
        "!*",
        "!secrets",
        "!/secrets/**",
        "a\n!secrets\n",
        "!.sinc-session",
        "!{.git,secrets}",
    ] {
        let assessment = assess(None, PLAIN, &proposed(PLAIN, &[(".sincignore", text)]));
        assert!(!assessment.waiting.is_empty(), "{text}");
        assert!(assessment.effective.ignores.iter().all(|p| !p.pattern.is_negation()), "{text}");
        // And once a person has said yes to it, what must never be synced still stands last.
        let list = crate::ignore::list(&[], &own, &proposed(PLAIN, &[(".sincignore", text)]).ignores);
        assert!(list[list.len() - crate::ignore::ALWAYS.len()..] == *crate::ignore::ALWAYS, "{text}");
    }
    // Lines of .gitignore come first, so they bring back nothing but their own.
    let files = [(".sinc.toml", "[sync]\ngitignore = true"), (".gitignore", "!secrets\n!.git")];
    let lines = assess(None, PLAIN, &proposed(PLAIN, &files)).effective.git_lines.unwrap();
    let list = crate::ignore::list(&lines, &own, &[]);
    let at = |text: &str| list.iter().position(|line| line == text).unwrap();
    assert!(at("!secrets") < at("secrets") && at("!.git") < at("node_modules"));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let error = Dir::new(&[(".sincignore", "ok\n[a\n")]).read(PLAIN).unwrap_err().to_string();
    assert!(
        error.contains(".sincignore:2:1: `[a` is not an ignore pattern") && error.contains("2 | [a"),
        "{error}"
    );

    let large = "x\n".repeat(5 * 1024 * 1024);
    for name in [".sincignore", ".sinc.toml", ".gitignore"] {
        let error = Dir::new(&[(name, &large)]).read(WITH_GIT).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("larger than 1 MB"), "{error}");

        let dir = Dir::new(&[]);
        std::os::unix::fs::symlink("/etc/passwd", dir.0.path().join(name)).unwrap();
        let error = dir.read(WITH_GIT).unwrap_err().to_string();
        assert!(error.contains("it is a link") && !error.contains("root:"), "{error}");

        let dir = Dir::new(&[]);
        let _socket = std::os::unix::net::UnixListener::bind(dir.0.path().join(name)).unwrap();
        assert!(dir.read(WITH_GIT).is_err());
    }

    let garbage: String = (0..=255_u8).map(char::from).cycle().take(4000).collect();
    for name in [".sincignore", ".sinc.toml"] {
        let error = Dir::new(&[(name, &garbage)]).read(PLAIN).unwrap_err().to_string();
        assert!(error.chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
    }
    let dir = Dir::new(&[]);
    std::fs::write(dir.0.path().join(".sincignore"), b"\xff\xfe").unwrap();
    assert!(dir.read(PLAIN).unwrap_err().to_string().ends_with("line 1 is not UTF-8"));
    std::fs::write(dir.0.path().join(".gitignore"), b"caf\xe9\n*.log\n").unwrap();
    std::fs::remove_file(dir.0.path().join(".sincignore")).unwrap();
    assert_eq!(texts(dir.read(WITH_GIT).unwrap().git_lines.as_ref().unwrap()), ["*.log"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_named_pipe_does_not_hang() {
    for name in [".sincignore", ".sinc.toml", ".gitignore"] {
        let dir = Dir::new(&[]);
        let path = dir.0.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(dir.read(WITH_GIT).unwrap_err().to_string().contains("not a regular file"));
    }
}

#[test]
fn what_is_accepted_survives_as_json() {
    let files = [
        (".sinc.toml", "default-agent = \"claude\"\n[sync]\ngitignore = true"),
        (".sincignore", "a"),
        (".gitignore", "b"),
    ];
    let accepted = proposed(PLAIN, &files).accept();
    let json = serde_json::to_string(&accepted).unwrap();
    insta::assert_snapshot!(json, @r#"{"ignores":[{"pattern":"a","source":{"sinc-ignore":{"line":1}}}],"gitignore":true,"git-lines":[{"pattern":"b","source":{"git-ignore":{"line":1}}}],"agent":"claude"}"#);
    assert_eq!(serde_json::from_str::<Accepted>(&json).unwrap(), accepted);
    assert!(serde_json::from_str::<Accepted>("{\"ignores\":[],\"more\":1}").is_err());
}

#[test]
fn what_counts_is_laid_over_the_configuration() {
    let dir = Dir::new(&[
        (".sinc.toml", "default-agent = \"claude\"\n[sync]\nignore = [\"a\"]\n"),
        (".sincignore", "b"),
    ]);
    let accepted = dir.read(PLAIN).unwrap().accept();
    std::fs::write(dir.0.path().join(".sinc.toml"), "[sync]\nignore = [\"!a\", \"c\"]\n").unwrap();
    let file = ProjectFile::read(dir.0.path()).unwrap();
    let assessment = assess(Some(&accepted), PLAIN, &dir.read(PLAIN).unwrap());
    let counts = assessment.effective.project_file(dir.0.path(), &file);
    let path = dir.0.path().join(".sinc.toml");
    let value = |text: &str, origin| Value { value: IgnorePattern::parse(text).unwrap(), origin };
    assert_eq!(
        counts.ignore,
        [value("a", Origin::Accepted), value("c", Origin::ProjectFile { path, line: 2 })]
    );
    assert_eq!(counts.default_agent, None);
}
