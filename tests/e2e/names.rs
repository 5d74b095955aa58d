//! Names that shells, tmux, ssh and Mutagen read as something else: the whole way from a synced file to an agent
//! in the right directory, and nothing is executed.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::steps;
use crate::support::e2e::Bed;

/// One of everything, and a space at the end.
const WORST: &str = "it's \"$(touch pwn)\" `touch pwn` #{x} #(touch pwn) $HOME !x %h \\ ;&|>* é日本 ";

/// Nobody has run `touch pwn`.
#[track_caller]
pub(crate) fn nothing_was_executed(bed: &Bed) {
    let mut left = vec![bed.host.dir().to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            assert_ne!(entry.file_name(), "pwn", "{}", entry.path().display());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(entry.path());
            }
        }
    }
}

#[track_caller]
fn goes_the_whole_way(bed: &Bed, name: &str) {
    let project = bed.project(&format!("projects of $(touch pwn)/{name}"), &[("file", name)]);
    let run = steps::connect(&bed.sandbox, &project);
    let there = steps::there(bed, name);
    assert_eq!(steps::read(&there.join("file")), name, "{run}");
    let file = bed.host.remote_home().join("where");
    steps::wait_text(&file, &format!("{}\n", there.display()));
    std::fs::remove_file(file).unwrap();
}

fn with_names(names: &[&str]) {
    let Some(bed) = Bed::new() else { return };
    bed.host.add_program("opencode", steps::AGENT_SAYS_WHERE).unwrap();
    for name in names {
        goes_the_whole_way(&bed, name);
    }
    assert_eq!(steps::sessions_there(&bed).len(), names.len());
    nothing_was_executed(&bed);
}

#[test]
fn spaces_quotes_and_substitutions() {
    with_names(&[
        "two words",
        "it's",
        "say \"hi\"",
        "$(touch pwn)",
        "`touch pwn`",
        "a;touch pwn;b&",
        "back\\slash",
    ]);
}

#[test]
fn formats_dashes_and_globs() {
    with_names(&[
        "#{session_name}",
        "#(touch pwn)",
        "-rf",
        "--help",
        "%h%%",
        "*[a]?",
        "~",
        "!!",
        "dots.and:colons",
    ]);
}

#[test]
fn unicode_long_and_trailing() {
    with_names(&["日本語 ürün", &"long-".repeat(40), "space at the end ", "...", "=ls", "sinc"]);
}

#[test]
fn the_worst_is_attached_to_again_and_again() {
    let Some(bed) = Bed::new() else { return };
    bed.host.add_program("opencode", steps::AGENT_SAYS_WHERE).unwrap();
    let project = bed.project(WORST, &[("file", "1")]);
    let there = steps::there(&bed, WORST);
    for _ in 0..2 {
        let terminal = steps::attach(&bed.sandbox, &project);
        steps::detach(terminal);
    }
    steps::wait_text(&bed.host.remote_home().join("where"), &format!("{}\n", there.display()));
    steps::write(&there.join("file"), "2");
    steps::wait_text(&project.join("file"), "2");
    // Its rename is followed, and the workspace may have such a name too.
    let moved = there.with_file_name(format!("{WORST}2"));
    std::fs::rename(&there, &moved).unwrap();
    steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::record(&bed.sandbox)["remote"], moved.to_str().unwrap());
    nothing_was_executed(&bed);
}

#[test]
fn a_workspace_and_an_agent_with_such_a_name() {
    let Some(bed) = Bed::new() else { return };
    let config = format!(
        "default-host = \"box\"\n[host.box]\ndestination = \"{}\"\nworkspace = '''~/{WORST}/w'''\nagent = \"own\"\n\
         [agent.own]\ncommand = '''echo \"it's $(echo 42) #{{x}}\"; opencode'''\n",
        bed.host.alias()
    );
    bed.sandbox.configure(config);
    let project = bed.project("app", &[("file", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    assert!(terminal.screen().contains("it's 42 #{x}"), "{}", terminal.screen());
    assert_eq!(steps::read(&bed.host.remote_home().join(WORST).join("w/app/file")), "1");
    nothing_was_executed(&bed);
}

#[test]
fn files_inside_may_be_called_anything() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("plain", "1")]);
    let names = ["a\nb", "\u{1b}[2J", "-rf", "$(touch pwn)", " ", "é", "e\u{301}", "c:d", "\\", "'", "\""];
    for name in names {
        steps::write(&project.join(name), name);
    }
    let run = steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::tree(&project), steps::tree(&steps::there(&bed, "app")), "{run}");
    assert!(!run.stderr.contains("warning"), "{run}");
    // And a conflict in one of them drives nobody's terminal.
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    steps::write(&project.join("\u{1b}[2J"), "here");
    steps::write(&steps::there(&bed, "app").join("\u{1b}[2J"), "there");
    let run = steps::connect(&bed.sandbox, &project);
    steps::flush(&bed.sandbox);
    let again = steps::connect(&bed.sandbox, &project);
    assert!(again.stderr.contains("1 conflict, left alone on both sides: ?[2J ("), "{run}{again}");
    assert!(!again.stderr.contains('\u{1b}'), "{again}");
    nothing_was_executed(&bed);
}

#[test]
fn a_file_name_that_is_not_utf8_is_named_and_the_rest_is_synced() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("plain", "1")]);
    let odd: PathBuf = project.join(Path::new(OsStr::from_bytes(b"odd\xff")));
    if std::fs::write(&odd, "2").is_err() {
        return; // macOS has no such names.
    }
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("1 path is not synced: odd"), "{run}");
    assert_eq!(steps::read(&steps::there(&bed, "app").join("plain")), "1");
}

#[test]
fn git_in_every_spelling_stays_where_it_is() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    // What a host could plant to have something run here: directories, a file and a link in git's place.
    for dir in [".GIT", "sub/.Git", "sub/git~1", ".git "] {
        steps::write(&there.join(dir).join("config"), "[core]\nfsmonitor = \"touch pwn\"\n");
    }
    steps::write(&there.join("one/.git"), "gitdir: ../evil\n");
    steps::write(&there.join("evil/HEAD"), "ref: refs/heads/main\n");
    std::fs::create_dir(there.join("two")).unwrap();
    std::os::unix::fs::symlink("../evil", there.join("two/.git")).unwrap();
    steps::flush(&bed.sandbox);
    let here: Vec<_> = steps::tree(&project)
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().to_lowercase().contains("git"))
        .collect();
    assert!(here.is_empty(), "{here:?}");
    assert!(
        project.join("evil/HEAD").exists() && project.join("one").is_dir() && project.join("two").is_dir()
    );
}
