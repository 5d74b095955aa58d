//! A mode that is turned on over existing files: what is said before is what then happens, and what goes is kept.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::conflicts::{apart, connected};
use crate::interrupted::{Gate, Killed};
use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::CONFIG;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, poll, wait_until};

/// Sets the mode in the person's configuration.
#[track_caller]
pub(crate) fn set_mode(bed: &Bed, mode: &str) {
    let text = bed.sandbox.read(CONFIG);
    let base = text.split("\n[sync]").next().unwrap_or_default();
    bed.sandbox.configure(format!("{base}\n[sync]\nmode = \"{mode}\"\n"));
}

/// The backups of this side, and of the host.
fn backups(bed: &Bed) -> [PathBuf; 2] {
    [bed.sandbox.home(), bed.host.remote_home()].map(|home| home.join(".local/state/sinc/backups"))
}

/// Is there a file with these bytes and, at the end of its path, this path?
fn is_kept(dir: &Path, path: &str, text: &str) -> bool {
    let is_it = |(found, content): (PathBuf, Option<String>)| {
        found.ends_with(path) && content.as_deref() == Some(text)
    };
    dir.is_dir() && steps::tree(dir).into_iter().any(is_it)
}

/// What becomes of three files, here and there: one that is only there, one that is only here, one that differs.
struct Then {
    only_there: [Option<&'static str>; 2],
    only_here: [Option<&'static str>; 2],
    differs: [Option<&'static str>; 2],
}

/// Takes a directory in this mode, after each question about it was answered with yes, and looks at both sides.
#[track_caller]
fn taken(mode: &str, said: &[&str], second: Option<&str>, then: &Then) {
    let Some(bed) = Bed::new() else { return };
    set_mode(&bed, mode);
    let project = bed.project("app", &[("only-here", "here"), ("differs", "here")]);
    let there = steps::there(&bed, "app");
    steps::write(&there.join("only-there"), "there");
    steps::write(&there.join("differs"), "there");
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(refused.stderr.contains("`--yes`"), "{refused}");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["--no-attach"]);
    let first = if mode == "none" { "Use it for this project?" } else { "Sync this project with it?" };
    terminal.wait_for(first, PATIENCE);
    for text in said {
        assert!(terminal.screen().contains(text), "{mode}: {}", terminal.screen());
    }
    let untouched = || {
        assert_eq!(steps::syncs(&bed.sandbox).len(), 0, "not before the answer");
        assert_eq!(
            (steps::read(&there.join("differs")), steps::read(&project.join("differs"))),
            ("there".into(), "here".into())
        );
    };
    untouched();
    terminal.type_line("y");
    if let Some(second) = second {
        terminal.wait_for(second, PATIENCE);
        for text in ["overwrite  differs", "delete     only-", "1 path overwritten, 1 path deleted"] {
            assert!(terminal.history().contains(text), "{mode}: {}", terminal.history());
        }
        untouched();
        // What is declined is asked again.
        terminal.type_line("n");
        assert_eq!(terminal.wait_exit(PATIENCE), 1, "{mode}: {}", terminal.history());
        untouched();
        let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
        assert!(refused.stderr.contains(second) && refused.stderr.contains("`--yes`"), "{refused}");
        untouched();
        let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
        let (side, place) = if mode.ends_with("from-host") { ("here", 0) } else { ("on the host", 1) };
        assert!(run.stderr.contains(&format!("Kept 2 paths {side} in ")), "{run}");
        let lost = if place == 0 { "here" } else { "there" };
        for name in ["differs".to_owned(), format!("only-{lost}")] {
            assert!(is_kept(&backups(&bed)[place], &name, lost), "{mode}: {name}");
        }
    } else {
        assert_eq!(terminal.wait_exit(PATIENCE), 0, "{mode}: {}", terminal.history());
    }
    let read =
        |name: &str| [project.join(name), there.join(name)].map(|file| std::fs::read_to_string(file).ok());
    let same = |found: &[Option<String>; 2], wanted: &[Option<&str>; 2]| {
        found.iter().map(Option::as_deref).eq(wanted.iter().copied())
    };
    let happened = || {
        same(&read("only-here"), &then.only_here)
            && same(&read("only-there"), &then.only_there)
            && same(&read("differs"), &then.differs)
    };
    wait_until(&format!("{mode}: what was said has happened"), PATIENCE, happened);
    if mode == "none" {
        assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
        return;
    }
    // And stays so.
    steps::flush(&bed.sandbox);
    assert!(happened(), "{mode}");
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    let listed = status.stdout.contains("1 conflict, left alone on both sides");
    assert_eq!(listed, then.differs == [Some("here"), Some("there")], "{mode}: {status}");
}

#[test]
fn two_way_safe() {
    let said = ["what is only there comes here", "what differs is left alone on both sides"];
    let then = Then {
        only_there: [Some("there"); 2],
        only_here: [Some("here"); 2],
        differs: [Some("here"), Some("there")],
    };
    taken("two-way-safe", &said, None, &then);
}

#[test]
fn two_way_resolved() {
    let said = ["what is only there comes here", "what differs becomes what is here"];
    let then =
        Then { only_there: [Some("there"); 2], only_here: [Some("here"); 2], differs: [Some("here"); 2] };
    taken("two-way-resolved", &said, None, &then);
}

#[test]
fn one_way_safe() {
    let said = ["what is only there stays there", "what differs is left alone there"];
    let then = Then {
        only_there: [None, Some("there")],
        only_here: [Some("here"); 2],
        differs: [Some("here"), Some("there")],
    };
    taken("one-way-safe", &said, None, &then);
}

#[test]
fn one_way_safe_from_host() {
    let said = ["what is only here stays here", "what differs is left alone here"];
    let then = Then {
        only_there: [Some("there"); 2],
        only_here: [Some("here"), None],
        differs: [Some("here"), Some("there")],
    };
    taken("one-way-safe-from-host", &said, None, &then);
}

#[test]
fn one_way_replica() {
    let said = ["what is only there is DELETED there", "what differs is OVERWRITTEN there by what is here"];
    let then = Then { only_there: [None; 2], only_here: [Some("here"); 2], differs: [Some("here"); 2] };
    taken("one-way-replica", &said, Some("Make the host like here?"), &then);
}

#[test]
fn one_way_replica_from_host() {
    let said = ["what is only here is DELETED here", "what differs is OVERWRITTEN here by what is there"];
    let then = Then { only_there: [Some("there"); 2], only_here: [None; 2], differs: [Some("there"); 2] };
    taken("one-way-replica-from-host", &said, Some("Make this side like the host?"), &then);
}

#[test]
fn none() {
    let then = Then {
        only_there: [None, Some("there")],
        only_here: [Some("here"), None],
        differs: [Some("here"), Some("there")],
    };
    taken("none", &["both directories stay as they are"], None, &then);
}

#[test]
fn a_directory_that_was_just_made_on_the_host_does_not_empty_this_side_unasked() {
    let Some(bed) = Bed::new() else { return };
    set_mode(&bed, "one-way-replica-from-host");
    let project = bed.project("app", &[("a", "1"), ("dir/b", "2")]);
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(
        refused.stderr.contains("2 paths deleted")
            && refused.stderr.contains("Make this side like the host?"),
        "{refused}"
    );
    assert_eq!(steps::read(&project.join("dir/b")), "2");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
    // The other way round nothing goes, and nothing is asked.
    set_mode(&bed, "one-way-replica");
    steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::read(&steps::there(&bed, "app").join("dir/b")), "2");
}

/// To a replica over an open conflict, with what only the losing side has, and back: all versions are somewhere.
fn there_and_back(mode: &str, question: &str) {
    let Some((bed, project, there)) = connected(&[("a", "old"), ("b", "same")]) else { return };
    apart(&bed, &project, || {
        steps::write(&project.join("a"), "here\n");
        steps::write(&there.join("a"), "there \u{e9}\n");
    });
    let sides = |name: &str| [&project, &there].map(|root| std::fs::read_to_string(root.join(name)).ok());
    let before = sides("a");
    set_mode(&bed, mode);
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    for text in ["1 path overwritten", "overwrite  a", question, "`--yes`"] {
        assert!(refused.stderr.contains(text), "{text}: {refused}");
    }
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["--no-attach"]);
    terminal.wait_for(question, PATIENCE);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    assert_eq!(sides("a"), before);
    let sync = &steps::syncs(&bed.sandbox)[0];
    assert!(sync["mode"] == "two-way-safe" && sync["paused"] == false, "as it was: {sync}");
    // The link knows at once that it goes on.
    steps::write(&project.join("later"), "1");
    let came = poll(PATIENCE, || there.join("later").exists());
    assert!(
        came,
        "{}\n{:?}",
        bed.sandbox.sinc(&["link", "status", "--json"]).stdout,
        steps::syncs(&bed.sandbox)
    );

    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    let (winner, loser) = if mode.ends_with("from-host") { (1, 0) } else { (0, 1) };
    assert_eq!(sides("a"), [before[winner].clone(), before[winner].clone()], "{run}");
    assert!(is_kept(&backups(&bed)[loser], "a", before[loser].as_deref().unwrap()), "{run}");
    assert!(run.stderr.contains("Kept 1 path ") && run.stderr.contains("Switched"), "{run}");
    let sync = &steps::syncs(&bed.sandbox)[0];
    assert_eq!(sync["mode"], "one-way-replica");
    assert_eq!(sync["alpha"]["protocol"], if winner == 1 { "ssh" } else { "local" }, "{sync}");
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    // Put back where it was it would not live long.
    let refused = bed.sandbox.sinc_in(&project, &["backups", "restore", "a", "--yes"]).exits(1);
    assert!(
        refused.stderr.contains("would be overwritten at once") && refused.stderr.contains("copy what"),
        "{refused}"
    );
    assert_eq!(sides("a"), [before[winner].clone(), before[winner].clone()]);

    // Back, with a change on the receiving side that no cycle has met: it is not overwritten on the way.
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&[&project, &there][loser].join("b"), "changed meanwhile");
    set_mode(&bed, "two-way-safe");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(run.stderr.contains("1 conflict, left alone on both sides: b"), "{run}");
    assert_eq!(steps::read(&[&project, &there][loser].join("b")), "changed meanwhile");
    assert_eq!(steps::read(&[&project, &there][winner].join("b")), "same");
    let (keep, other) = if loser == 0 { ("--local", &there) } else { ("--remote", &project) };
    bed.sandbox.sinc_in(&project, &["resolve", keep, "--all", "--yes"]).success();
    assert_eq!(steps::read(&other.join("b")), "changed meanwhile");
    // Without a difference nothing is asked.
    set_mode(&bed, mode);
    steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::syncs(&bed.sandbox)[0]["mode"], "one-way-replica");
}

#[test]
fn to_a_replica_on_the_host_and_back() {
    there_and_back("one-way-replica", "Make the host like here?");
}

#[test]
fn to_a_replica_of_the_host_and_back() {
    there_and_back("one-way-replica-from-host", "Make this side like the host?");
}

/// The mode that settles conflicts by itself, over conflicts that are open: not before a person has said so.
#[test]
fn to_two_way_resolved_over_open_conflicts() {
    let Some((bed, project, there)) = connected(&[("a", "old"), ("b", "old"), ("c", "old")]) else { return };
    let sides = |name: &str| [&project, &there].map(|root| steps::read(&root.join(name)));
    apart(&bed, &project, || {
        for name in ["a", "b"] {
            steps::write(&project.join(name), "here");
            steps::write(&there.join(name), "there");
        }
    });
    wait_until("both conflicts are found", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["status"]).stdout.contains("2 conflicts")
    });
    set_mode(&bed, "two-way-resolved");
    let untouched = || {
        for name in ["a", "b"] {
            assert_eq!(sides(name), ["here", "there"]);
        }
    };
    // Neither the link's cycles nor a command that settles in this mode does so yet.
    steps::write(&project.join("c"), "edited");
    steps::wait_text(&there.join("c"), "edited");
    drop(bed.sandbox.sinc_in(&project, &["flush"]).exits(1));
    untouched();
    let question = "Settle these 2 conflicts so?";
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    for text in ["becomes what is here, from now on", ": a (changed on both sides), b (", question, "`--yes`"]
    {
        assert!(refused.stderr.contains(text), "{text}: {refused}");
    }
    // A plain `sinc` on a terminal asks too, though it could attach at once.
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for(question, PATIENCE);
    untouched();
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 1, "{}", terminal.history());
    untouched();
    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    for name in ["a", "b"] {
        assert_eq!(sides(name), ["here", "here"], "{run}");
        assert!(is_kept(&backups(&bed)[1], name, "there"), "{run}");
    }
    // From now on nothing is asked, and the link settles.
    let again = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(!again.stderr.contains("two-way-resolved"), "{again}");
    apart(&bed, &project, || {
        steps::write(&project.join("c"), "here");
        steps::write(&there.join("c"), "there");
    });
    steps::wait_text(&there.join("c"), "here");
    // Back and on again without a conflict: it is said.
    set_mode(&bed, "two-way-safe");
    steps::connect(&bed.sandbox, &project);
    set_mode(&bed, "two-way-resolved");
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("becomes what is here, from now on"), "{run}");
}

#[test]
fn what_is_not_ignored_any_more_is_not_deleted_unasked() {
    let Some(bed) = Bed::new() else { return };
    set_mode(&bed, "one-way-replica");
    let ignoring = bed.sandbox.configure_also("ignore = [\"dist\"]\n");
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    steps::write(&there.join("dist/built"), "by the agent");
    bed.sandbox.configure(ignoring);
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(refused.stderr.contains("delete     dist (directory with 1 path in it)"), "{refused}");
    assert_eq!(steps::read(&there.join("dist/built")), "by the agent");
    bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    assert!(!there.join("dist").exists());
    assert!(is_kept(&backups(&bed)[1], "dist/built", "by the agent"));
}

/// Ends the turning on of a replica at each of its steps. Nothing is lost, and the next `sinc` goes on.
fn at_each_step(when: &str, mode: &str) {
    let Some(bed) = Bed::new() else { return };
    let gate = Gate::build(&bed);
    let mut seen = Vec::new();
    // After a step is before the next one: each test takes the half that the other one leaves.
    for number in (1..).step_by(2) {
        let name = format!("app{number}");
        let project = bed.project(&name, &[("a", "here"), ("d/it's \"x\"", "here"), ("b", "same")]);
        let there = steps::there(&bed, &name);
        for path in ["a", "d/it's \"x\""] {
            steps::write(&there.join(path), "there");
        }
        set_mode(&bed, "two-way-safe");
        let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
        assert!(run.stderr.contains("2 conflicts"), "{run}");
        set_mode(&bed, mode);
        let words = ["--no-attach", "--yes"];
        match gate.kill_at((when, number), (&bed, &project, &words), &mut seen) {
            Killed::Here => {}
            Killed::Lasts => continue,
            Killed::Done => return assert!(seen.len() > 6, "{seen:#?}"),
        }
        let nothing_lost = || {
            for path in ["a", "d/it's \"x\""] {
                for text in ["here", "there"] {
                    let [kept_here, kept_there] = backups(&bed);
                    let places = [&project, &there, &kept_here, &kept_there];
                    assert!(
                        places.iter().any(|dir| is_kept(dir, path, text)),
                        "{path:?} with {text:?} is lost after {seen:#?}"
                    );
                }
            }
        };
        nothing_lost();
        let run = bed.sandbox.sinc_in(&project, &words).success();
        nothing_lost();
        let wins = if mode.ends_with("from-host") { "there" } else { "here" };
        for root in [&project, &there] {
            assert_eq!(steps::read(&root.join("a")), wins, "after {seen:#?}: {run}");
        }
        bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    }
}

#[test]
fn a_switch_that_is_killed_before_each_step() {
    at_each_step("before", "one-way-replica");
}

#[test]
fn a_switch_that_is_killed_after_each_step() {
    at_each_step("after", "one-way-replica-from-host");
}
