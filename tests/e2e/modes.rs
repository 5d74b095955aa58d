//! What is said of each mode before a directory with files in it is taken is what then happens.

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

/// What becomes of three files: one that is only there, one that is only here, one that differs.
struct Then {
    only_there: [Option<&'static str>; 2],
    differs: [Option<&'static str>; 2],
}

/// Takes a directory in this mode, after the question about it was answered with yes, and looks at both sides.
#[track_caller]
fn taken(mode: &str, said: [&str; 2], then: &Then) {
    let Some(mut bed) = Bed::new() else { return };
    bed.sandbox.set("SINC_MODE", mode);
    let project = bed.project("app", &[("only-here", "here"), ("differs", "here")]);
    let there = steps::there(&bed, "app");
    steps::write(&there.join("only-there"), "there");
    steps::write(&there.join("differs"), "there");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["--no-attach"]);
    terminal.wait_for("Sync this project with it?", PATIENCE);
    for text in said {
        assert!(terminal.screen().contains(text), "{mode}: {}", terminal.screen());
    }
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0, "not before the answer");
    assert_eq!(steps::read(&there.join("differs")), "there");
    terminal.type_text("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{mode}: {}", terminal.history());
    let read =
        |name: &str| [project.join(name), there.join(name)].map(|file| std::fs::read_to_string(file).ok());
    let same = |found: &[Option<String>; 2], wanted: &[Option<&str>; 2]| {
        found.iter().map(Option::as_deref).eq(wanted.iter().copied())
    };
    wait_until(&format!("{mode}: what was said has happened"), PATIENCE, || {
        same(&read("only-here"), &[Some("here"); 2])
            && same(&read("only-there"), &then.only_there)
            && same(&read("differs"), &then.differs)
    });
    // And stays so.
    steps::flush(&bed.sandbox);
    assert!(same(&read("differs"), &then.differs) && same(&read("only-there"), &then.only_there), "{mode}");
    let listed = terminal.history().contains("1 conflict, left alone on both sides: differs");
    assert_eq!(listed, then.differs == [Some("here"), Some("there")], "{mode}: {}", terminal.history());
}

#[test]
fn two_way_safe() {
    let said = ["what is only there comes here", "what differs is left alone on both sides"];
    taken(
        "two-way-safe",
        said,
        &Then { only_there: [Some("there"); 2], differs: [Some("here"), Some("there")] },
    );
}

#[test]
fn two_way_resolved() {
    let said = ["what is only there comes here", "what differs becomes what is here"];
    taken("two-way-resolved", said, &Then { only_there: [Some("there"); 2], differs: [Some("here"); 2] });
}

#[test]
fn one_way_safe() {
    let said = ["what is only there stays there", "what differs is left alone there"];
    taken(
        "one-way-safe",
        said,
        &Then { only_there: [None, Some("there")], differs: [Some("here"), Some("there")] },
    );
}

#[test]
fn one_way_replica() {
    let said = ["what is only there is DELETED there", "what differs is OVERWRITTEN there by what is here"];
    taken("one-way-replica", said, &Then { only_there: [None; 2], differs: [Some("here"); 2] });
}
