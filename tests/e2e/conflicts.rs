//! `sinc conflicts`: every kind, all of them, whatever the names.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

/// Names that are hard on shells, and on eyes.
const NAMES: [&str; 4] = ["d/it's $(touch pwn) \"x\" ", "new\nline", "-dash", "é日本 !\\%s"];

pub(crate) fn connected(files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    let project = bed.project("app", files);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    Some((bed, project, there))
}

/// Changes both sides while nothing is synced: what excludes each other is a conflict afterwards.
#[track_caller]
pub(crate) fn apart(bed: &Bed, project: &Path, change: impl FnOnce()) {
    drop(bed.sandbox.sinc_in(project, &["pause"]).success());
    change();
    drop(bed.sandbox.sinc_in(project, &["resume"]).success());
}

/// The conflicts by path, as documented.
#[track_caller]
pub(crate) fn listed(bed: &Bed, project: &Path) -> Vec<Value> {
    let run = bed.sandbox.sinc_in(project, &["conflicts", "--json"]).success();
    documented::data("conflicts", &run.stdout)["conflicts"].as_array().unwrap().clone()
}

fn replace_by_file(path: &Path, text: &str) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        let _ = std::fs::remove_file(path);
    }
    steps::write(path, text);
}

#[test]
fn every_kind_is_told_apart_and_shown() {
    let mut files = vec![
        ("both", "old\nline\n"),
        ("bin", "a"),
        ("gone", "x"),
        ("gone-there", "x"),
        ("dir/in", "x"),
        ("mode", "m"),
        ("tree/in", "x"),
    ];
    files.extend(NAMES.map(|name| (name, "old\n")));
    let Some((bed, project, there)) = connected(&files) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let none = sinc(&["conflicts"]).success();
    assert!(none.stderr.contains("there is no conflict") && none.stdout.is_empty(), "{none}");
    apart(&bed, &project, || {
        for (root, text) in [(&project, "here\nline\n"), (&there, "there\nline\n")] {
            for name in NAMES {
                steps::write(&root.join(name), text);
            }
            steps::write(&root.join("both"), text);
            steps::write(&root.join("made"), text);
        }
        std::fs::write(project.join("bin"), [0, 1, 2]).unwrap();
        std::fs::write(there.join("bin"), [0, 1, 2, 3]).unwrap();
        // Deleted on one side and changed on the other comes back: no conflict.
        std::fs::remove_file(project.join("gone")).unwrap();
        steps::write(&there.join("gone"), "changed there");
        std::fs::remove_file(there.join("gone-there")).unwrap();
        steps::write(&project.join("gone-there"), "changed here");
        // A directory that became a file on one side and was changed inside on the other.
        replace_by_file(&project.join("dir"), "now a file");
        steps::write(&there.join("dir/in"), "changed");
        steps::write(&there.join("fd/a/b"), "in a directory");
        steps::write(&project.join("fd"), "a file");
        symlink("both", project.join("link")).unwrap();
        symlink("mode", there.join("link")).unwrap();
        symlink("both", project.join("file-or-link")).unwrap();
        steps::write(&there.join("file-or-link"), "a file");
        steps::set_mode(&project.join("mode"), 0o755);
        steps::write(&there.join("mode"), "changed");
        // Deleted here; what the host has there holds something that is not synced.
        std::fs::remove_dir_all(project.join("tree")).unwrap();
        steps::write(&there.join("tree/node_modules/x"), "not synced");
    });
    let all = listed(&bed, &project);
    let kinds: Vec<_> = all
        .iter()
        .map(|one| format!("{}: {}", one["path"].as_str().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    let mut expected: Vec<String> = [
        ("bin", "both-changed"),
        ("both", "both-changed"),
        ("dir", "kinds"),
        ("fd", "kinds"),
        ("file-or-link", "kinds"),
        ("link", "both-made"),
        ("made", "both-made"),
        ("mode", "both-changed"),
        ("tree", "in-the-way-remote"),
    ]
    .map(|(path, kind)| format!("{path}: {kind}"))
    .into();
    expected.extend(NAMES.map(|name| format!("{name}: both-changed")));
    let (mut kinds, mut found) = (kinds, expected);
    kinds.sort();
    found.sort();
    // More than Mutagen names: those it leaves out are told by what differs.
    let vague =
        |line: &String| line.replace("both-made", "both-changed").replace("in-the-way-remote", "other");
    assert_eq!(kinds.iter().map(vague).collect::<Vec<_>>(), found.iter().map(vague).collect::<Vec<_>>());
    assert_eq!(steps::read(&project.join("gone")), "changed there");
    assert_eq!(steps::read(&there.join("gone-there")), "changed here");
    let by_path = |path: &str| all.iter().find(|one| one["path"] == path).unwrap().clone();
    let both = by_path("both");
    assert!(both["diff"].as_str().unwrap().ends_with("-here\n+there\n line\n"), "{both}");
    assert_eq!((&both["local"]["size"], &both["remote"]["size"]), (&10.into(), &11.into()));
    assert_eq!(by_path("bin")["diff"], Value::Null);
    assert_eq!(by_path("fd")["remote"]["files"], 1);
    assert_eq!(by_path("link")["remote"]["target"], "mode");
    assert_eq!(by_path("mode")["local"]["executable"], true);

    let text = sinc(&["conflicts", "both", "bin", "new\nline"]).success();
    for part in [
        "both  changed on both sides\n  here         10 B, ",
        "    -here\n    +there\n",
        "sha1 ",
        "new?line  changed",
    ] {
        assert!(text.stdout.contains(part), "{part}: {text}");
    }
    assert!(!text.stdout.contains("fd  "), "{text}");
    let coloured = sinc(&["conflicts", "both", "--color", "always"]).success();
    assert!(coloured.stdout.contains("\x1b[32m+there"), "{coloured}");
    let inside = bed.sandbox.sinc_in(&project.join("d"), &["conflicts", "../both", "--no-diff"]).success();
    let counted =
        format!("1 of {} conflicts, left alone on both sides: `sinc resolve` settles it", all.len());
    assert!(!inside.stdout.contains("@@") && inside.stderr.contains(&counted), "{inside}");
    let wrong = sinc(&["conflicts", "mistyped"]).exits(1);
    assert!(wrong.stderr.contains("there is no conflict at `mistyped`"), "{wrong}");
}

#[test]
fn more_than_ten_are_all_found_and_what_is_not_synced_is_none() {
    let files: Vec<(String, String)> = (0..40).map(|n| (format!("f{n:02}"), "old\n".to_owned())).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let Some((bed, project, there)) = connected(&files) else { return };
    apart(&bed, &project, || {
        for n in 0..25 {
            // The same size on both sides: only the digests tell.
            steps::write(&project.join(format!("f{n:02}")), "aaaa");
            steps::write(&there.join(format!("f{n:02}")), "bbbb");
        }
        steps::write(&project.join("node_modules/only-here"), "x");
        symlink("/etc/hostname", project.join("foreign")).unwrap();
        std::os::unix::net::UnixListener::bind(there.join("socket")).unwrap();
        std::fs::write(
            there.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff")),
            "x",
        )
        .unwrap();
        steps::write(&project.join(".mutagen-temporary-sinc-x"), "left behind");
    });
    let all = listed(&bed, &project);
    let paths: Vec<_> = all.iter().map(|one| one["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, (0..25).map(|n| format!("f{n:02}")).collect::<Vec<_>>());
    assert!(all.iter().all(|one| one["diff"].as_str().unwrap().contains("-aaaa")));
    assert!(!there.join(".mutagen-temporary-sinc-x").exists(), "Mutagen passes it over");
    let run = bed.sandbox.sinc_in(&project, &["conflicts", "--no-diff", "--dry-run"]).success();
    assert!(run.stderr.contains("25 conflicts"), "{run}");
}

#[test]
fn what_keeps_a_cycle_from_being_completed_is_said() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    drop(bed.sandbox.sinc_in(&project, &["pause"]).success());
    let paused = bed.sandbox.sinc_in(&project, &["conflicts"]).exits(1);
    assert!(paused.stderr.contains("is paused"), "{paused}");
    let elsewhere = bed.sandbox.sinc(&["conflicts"]).exits(1);
    assert!(elsewhere.stderr.contains("has no session"), "{elsewhere}");
}

#[test]
fn conflicts_are_noticed_where_a_person_looks() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "1")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let id = steps::session_id(&bed.sandbox);
    let option = |name: &str| {
        steps::tmux_there(&bed, &["show-options", "-qv", "-t", &format!("={id}:"), name])
            .stdout
            .trim_end()
            .to_owned()
    };
    drop(steps::tmux_there(&bed, &["set-option", "-g", "status-right", "the person's own #H"]).success());
    let told = bed.host.dir().join("told");
    let desktop = bed.host.bin().join("notify-send");
    steps::write(&desktop, &format!("#!/bin/sh\nprintf '%s|' \"$@\" >>{0}; echo >>{0}\n", told.display()));
    steps::set_mode(&desktop, 0o755);
    apart(&bed, &project, || {
        steps::write(&project.join("a"), "here");
        steps::write(&there.join("a"), "there");
    });
    for args in [&["status"][..], &["list"], &["--no-attach"], &["flush"]] {
        let run = sinc(args);
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(all.contains("1 conflict") && all.contains("`sinc conflicts`"), "{run}");
    }
    drop(sinc(&["conflicts"]).success());
    assert_eq!(
        option("status-right"),
        "#[reverse] 1 conflict: sinc conflicts #[default] the person's own #H"
    );
    assert!(
        steps::read(&told).contains("sinc: 1 conflict in app|changed here and on box, "),
        "{}",
        steps::read(&told)
    );
    // The same is not said again; more is, unless it is turned off.
    drop(sinc(&["conflicts"]).success());
    assert_eq!(steps::read(&told).lines().count(), 1);
    let config = bed.sandbox.read(".config/sinc/config.toml");
    bed.sandbox.write(".config/sinc/config.toml", format!("notify = false\n{config}"));
    apart(&bed, &project, || {
        steps::write(&project.join("b"), "here");
        steps::write(&there.join("b"), "there");
    });
    drop(sinc(&["conflicts"]).success());
    assert!(option("status-right").contains(" 2 conflicts: "), "{}", option("status-right"));
    assert_eq!(steps::read(&told).lines().count(), 1);
    drop(sinc(&["resolve", "--all", "--local"]).success());
    assert_eq!((option("status-right"), option("@sinc-note")), (String::new(), String::new()));
    let global = steps::tmux_there(&bed, &["show-options", "-gqv", "status-right"]);
    assert_eq!(global.stdout, "the person's own #H\n");
    // A session whose right side the person has set is left alone.
    drop(
        steps::tmux_there(&bed, &["set-option", "-t", &format!("={id}:"), "status-right", "mine"]).success(),
    );
    apart(&bed, &project, || {
        steps::write(&project.join("b"), "here again");
        steps::write(&there.join("b"), "there again");
    });
    drop(sinc(&["conflicts"]).success());
    assert_eq!(option("status-right"), "mine");
}

#[test]
fn a_terminal_that_is_made_anew_shows_what_is_open_and_the_desktop_hears_of_it_once() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "1")]) else { return };
    let id = steps::session_id(&bed.sandbox);
    let target = format!("={id}:");
    let note = || {
        let shown = steps::tmux_there(&bed, &["show-options", "-qv", "-t", &target, "@sinc-note"]);
        shown.stdout.trim_end().to_owned()
    };
    let told = crate::git::desktop(&bed);
    let times_told = || told().lines().filter(|line| line.contains("sinc: ")).count();
    let end_terminal = || {
        drop(steps::tmux_there(&bed, &["kill-session", "-t", &format!("={id}")]).success());
        assert_eq!(note(), "");
    };
    let clash = |name: &str| {
        apart(&bed, &project, || {
            steps::write(&project.join(name), "here");
            steps::write(&there.join(name), "there");
        });
    };
    clash("a");
    wait_until("the status line shows it", PATIENCE, || note() == "1 conflict: sinc conflicts");
    end_terminal();
    drop(bed.sandbox.sinc_in(&project, &["--no-attach"]).success());
    assert_eq!(note(), "1 conflict: sinc conflicts");
    assert_eq!(times_told(), 1, "{}", told());
    // One that appears while there is no terminal.
    end_terminal();
    clash("b");
    wait_until("the desktop was told", PATIENCE, || times_told() == 2);
    for text in ["one", "two"] {
        steps::write(&project.join("c"), text);
        steps::wait_text(&there.join("c"), text);
    }
    // Made by another computer, as this one sees it: the link's next cycle says it there.
    drop(steps::tmux_there(&bed, &["new-session", "-d", "-s", &id]).success());
    steps::write(&project.join("c"), "three");
    wait_until("the link shows both", PATIENCE, || note() == "2 conflicts: sinc conflicts");
    // The attach makes it.
    end_terminal();
    let terminal = steps::attach(&bed.sandbox, &project);
    wait_until("the attach shows both", PATIENCE, || note() == "2 conflicts: sinc conflicts");
    drop(terminal);
    assert_eq!(times_told(), 2, "{}", told());
}

#[test]
fn the_link_tells_of_conflicts_as_they_appear_and_when_they_are_gone() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "1")]) else { return };
    let id = steps::session_id(&bed.sandbox);
    let note = || {
        let shown = steps::tmux_there(&bed, &["show-options", "-qv", "-t", &format!("={id}:"), "@sinc-note"]);
        shown.stdout.trim_end().to_owned()
    };
    let told = bed.host.dir().join("told");
    let desktop = bed.host.bin().join("notify-send");
    steps::write(&desktop, &format!("#!/bin/sh\nprintf '%s|' \"$@\" >>{0}; echo >>{0}\n", told.display()));
    steps::set_mode(&desktop, 0o755);
    let times_told = || std::fs::read_to_string(&told).unwrap_or_default().lines().count();
    // Nobody asks: the link's own cycles find them.
    let clash = |name: &str, text: &str| {
        apart(&bed, &project, || {
            steps::write(&project.join(name), &format!("{text} here"));
            steps::write(&there.join(name), &format!("{text} there"));
        });
    };
    clash("a", "one");
    wait_until("the status line shows it", PATIENCE, || note() == "1 conflict: sinc conflicts");
    wait_until("the desktop was told", PATIENCE, || times_told() == 1);
    assert!(steps::read(&told).contains("sinc: 1 conflict in app|"), "{}", steps::read(&told));
    clash("b", "two");
    wait_until("the second is shown", PATIENCE, || note() == "2 conflicts: sinc conflicts");
    wait_until("the desktop was told again", PATIENCE, || times_told() == 2);
    // More cycles with the same conflicts say nothing.
    for n in 0..3 {
        steps::write(&project.join("c"), &n.to_string());
        wait_until("a cycle", PATIENCE, || {
            std::fs::read_to_string(there.join("c")).is_ok_and(|text| text == n.to_string())
        });
    }
    assert_eq!(times_told(), 2, "{}", steps::read(&told));
    // Settled by hand, one by one: the same text on both sides.
    for (name, left) in [("a", "1 conflict: sinc conflicts"), ("b", "")] {
        for side in [&project, &there] {
            steps::write(&side.join(name), "agreed");
        }
        wait_until("the note follows", PATIENCE, || note() == left);
    }
    // One that takes the place of another is news, though their number is the same.
    let config = bed.sandbox.read(".config/sinc/config.toml");
    clash("a", "three");
    wait_until("the desktop was told of the third", PATIENCE, || times_told() == 3);
    apart(&bed, &project, || {
        for side in [&project, &there] {
            steps::write(&side.join("a"), "agreed again");
            steps::write(&side.join("b"), &format!("four {}", side.display()));
        }
    });
    wait_until("the desktop was told of the fourth", PATIENCE, || times_told() == 4);
    assert_eq!(note(), "1 conflict: sinc conflicts");
    // It can be turned off.
    bed.sandbox.write(".config/sinc/config.toml", format!("notify = false\n{config}"));
    clash("a", "five");
    wait_until("the status line shows both", PATIENCE, || note() == "2 conflicts: sinc conflicts");
    steps::write(&project.join("c"), "after it");
    wait_until("a cycle after it", PATIENCE, || steps::read(&there.join("c")) == "after it");
    assert_eq!(times_told(), 4, "{}", steps::read(&told));
}
