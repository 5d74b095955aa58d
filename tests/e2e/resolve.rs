//! `sinc resolve`: each way on each kind; nothing is lost, and settled means equal on both sides.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::conflicts::{apart, connected, listed};
use crate::support::e2e::Bed;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::unmounted::Disk;
use crate::{documented, steps};

/// A name that is hard on shells.
const HARD: &str = "d/it's $(touch pwn) \"x\"\nline";

#[track_caller]
fn resolve(bed: &Bed, project: &Path, args: &[&str]) -> Value {
    let run = bed.sandbox.sinc_in(project, &[&["resolve", "--json"], args].concat()).success();
    documented::data("resolve", &run.stdout)
}

/// Both sides have the same, and there is no conflict.
#[track_caller]
fn are_equal(bed: &Bed, project: &Path, there: &Path) {
    assert!(listed(bed, project).is_empty());
    assert_eq!(steps::tree(project), steps::tree(there));
}

/// Where what lost is kept, by the path.
#[track_caller]
fn kept(data: &Value, path: &str) -> PathBuf {
    let one = data["settled"].as_array().unwrap().iter().find(|one| one["path"] == path).unwrap();
    one["kept"][0]["place"].as_str().unwrap().into()
}

/// One conflict of each kind, on both sides.
fn conflicts_of_each_kind(bed: &Bed, project: &Path, there: &Path) {
    apart(bed, project, || {
        for (root, text) in [(project, "here\n"), (there, "there\n")] {
            for name in ["both", HARD, "made"] {
                steps::write(&root.join(name), text);
            }
        }
        std::fs::write(project.join("bin"), [0, 1, 2]).unwrap();
        std::fs::write(there.join("bin"), [0, 9]).unwrap();
        steps::write(&project.join("fd"), "a file");
        steps::write(&there.join("fd/a/b"), "in a directory");
        steps::write(&there.join("fd/node_modules/c"), "not synced");
        symlink("both", project.join("link")).unwrap();
        symlink("made", there.join("link")).unwrap();
        steps::set_mode(&project.join("mode"), 0o755);
        steps::write(&there.join("mode"), "changed");
    });
}

const OLD: [(&str, &str); 4] = [("both", "old\n"), (HARD, "old\n"), ("bin", "a"), ("mode", "m")];

#[test]
fn the_local_version_wins_and_the_other_is_kept_on_the_host() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    conflicts_of_each_kind(&bed, &project, &there);
    let before = steps::tree(&project);
    let dry = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local", "--dry-run"]).success();
    assert!(dry.stderr.contains("both: the version here would be taken"), "{dry}");
    assert_eq!(listed(&bed, &project).len(), 7);
    let data = resolve(&bed, &project, &["--all", "--local"]);
    assert_eq!(data["settled"].as_array().unwrap().len(), 7, "{data}");
    assert_eq!(steps::tree(&project), before);
    are_equal(&bed, &project, &there);
    assert_eq!(steps::read(&kept(&data, "both")), "there\n");
    assert_eq!(steps::read(&kept(&data, HARD)), "there\n");
    assert_eq!(steps::read(&kept(&data, "fd").join("a/b")), "in a directory");
    assert_eq!(steps::read(&kept(&data, "fd").join("node_modules/c")), "not synced");
    assert_eq!(std::fs::read_link(kept(&data, "link")).unwrap(), Path::new("made"));
    assert!(kept(&data, "both").starts_with(bed.host.remote_home().join(".local/state/sinc/backups")));
    assert_eq!(steps::mode(&there.join("mode")), 0o755);
    // What lost can be brought back.
    let run = bed.sandbox.sinc_in(&project, &["backups", "restore", "both", "--yes"]).success();
    assert_eq!(steps::read(&project.join("both")), "there\n", "{run}");
    let backups = bed.sandbox.sinc_in(&project, &["backups", "--json"]).success();
    let backups = documented::data("backups", &backups.stdout);
    assert!(backups["backups"].as_array().unwrap().iter().all(|one| one["settled"] == true), "{backups}");
}

#[test]
fn the_remote_version_wins_and_the_other_is_kept_here() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    conflicts_of_each_kind(&bed, &project, &there);
    let data = resolve(&bed, &project, &["--all", "--remote"]);
    assert_eq!(data["settled"].as_array().unwrap().len(), 7, "{data}");
    assert_eq!(steps::read(&kept(&data, "both")), "here\n");
    assert!(kept(&data, "both").starts_with(bed.sandbox.home().join(".local/state/sinc/backups")));
    assert_eq!(steps::read(&project.join("both")), "there\n");
    assert_eq!(steps::read(&project.join(HARD)), "there\n");
    assert_eq!(steps::read(&project.join("fd/a/b")), "in a directory");
    assert_eq!(std::fs::read(project.join("bin")).unwrap(), [0, 9]);
    assert_eq!(std::fs::read_link(project.join("link")).unwrap(), Path::new("made"));
    assert!(listed(&bed, &project).is_empty());
}

#[test]
fn both_versions_stay_and_one_path_leaves_the_others_alone() {
    let Some((bed, project, there)) = connected(&OLD) else { return };
    conflicts_of_each_kind(&bed, &project, &there);
    let data = resolve(&bed, &project, &["both", "--both"]);
    let copy = data["settled"][0]["copy"].as_str().unwrap().to_owned();
    assert!(copy.starts_with("both.remote-20"), "{copy}");
    for root in [&project, &there] {
        assert_eq!(
            (steps::read(&root.join("both")), steps::read(&root.join(&copy))),
            ("here\n".into(), "there\n".into())
        );
    }
    assert_eq!(listed(&bed, &project).len(), 6);
    let data = resolve(&bed, &project, &["--all", "--both"]);
    assert_eq!(data["settled"].as_array().unwrap().len(), 6);
    assert!(listed(&bed, &project).is_empty());
    assert_eq!(steps::read(&there.join("fd")), "a file");
    let beside =
        steps::tree(&project).into_iter().filter(|(name, _)| name.to_string_lossy().contains(".remote-20"));
    assert!(beside.count() >= 7);
}

#[test]
fn twenty_five_at_once_and_a_large_one() {
    let files: Vec<(String, String)> = (0..25).map(|n| (format!("f{n:02}"), "old\n".to_owned())).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let Some((bed, project, there)) = connected(&files) else { return };
    let large = |byte: u8| vec![byte; 40 * 1024 * 1024];
    apart(&bed, &project, || {
        for n in 0..25 {
            steps::write(&project.join(format!("f{n:02}")), "aaaa");
            steps::write(&there.join(format!("f{n:02}")), "bbbb");
        }
        std::fs::write(project.join("large"), large(1)).unwrap();
        std::fs::write(there.join("large"), large(2)).unwrap();
    });
    let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local"]).success();
    assert!(run.stderr.contains("26 conflicts settled"), "{run}");
    are_equal(&bed, &project, &there);
    assert!((0..25).all(|n| steps::read(&there.join(format!("f{n:02}"))) == "aaaa"));
    assert_eq!(std::fs::read(there.join("large")).unwrap(), large(1));
    bed.sandbox.sinc_in(&project, &["backups", "restore", "large", "--yes"]).success();
    assert_eq!(std::fs::read(project.join("large")).unwrap(), large(2));
}

/// A project with so many files, of which so many were changed on both sides.
fn with_many(files: usize, conflicts: usize) -> Option<(Bed, PathBuf, PathBuf)> {
    let names: Vec<String> = (0..files).map(|n| format!("f{n:02}")).collect();
    let old: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "old\n")).collect();
    let (bed, project, there) = connected(&old)?;
    apart(&bed, &project, || {
        for name in &names[..conflicts] {
            steps::write(&project.join(name), "here\n");
            steps::write(&there.join(name), "there\n");
        }
    });
    Some((bed, project, there))
}

/// What is moved aside is missing until the cycle: it is not taken for a mass deletion.
#[test]
fn more_than_the_brake_lets_through_are_settled_bit_by_bit() {
    let Some((bed, project, there)) = with_many(80, 60) else { return };
    let data = resolve(&bed, &project, &["--all", "--remote"]);
    assert_eq!(data["settled"].as_array().unwrap().len(), 60, "{data}");
    are_equal(&bed, &project, &there);
    for n in 0..60 {
        let name = format!("f{n:02}");
        assert_eq!(steps::read(&kept(&data, &name)), "here\n");
        assert_eq!(steps::read(&project.join(name)), "there\n");
    }
    let run = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(!run.stdout.contains("held"), "{run}");
}

#[test]
fn what_was_settled_before_a_failure_is_said_with_its_places() {
    let Some((bed, project, there)) = with_many(90, 85) else { return };
    let once = bed.host.dir().join("once");
    steps::before_each(
        &bed,
        "ssh",
        &format!("case \"$*\" in *\"sinc 'keep' \"*) mkdir {} 2>/dev/null || exit 1;; esac", once.display()),
    );
    let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local"]);
    assert_ne!(run.code, 0, "{run}");
    assert!(run.stderr.contains("error: 40 conflicts are settled, the others are not: "), "{run}");
    assert_eq!(run.stderr.matches("is kept in box:").count(), 40, "{run}");
    std::fs::remove_dir(&once).unwrap();
    let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local", "--json"]);
    assert_ne!(run.code, 0, "{run}");
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["ok"], false, "{run}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("40 conflicts are settled, the others are not: "), "{run}");
    let settled = answer["data"]["settled"].as_array().unwrap();
    assert_eq!(settled.len(), 40, "{run}");
    for one in settled {
        let path = one["path"].as_str().unwrap();
        assert_eq!(steps::read(&kept(&answer["data"], path)), "there\n");
        assert_eq!(steps::read(&there.join(path)), "here\n");
    }
    // The others are as they were.
    let left = listed(&bed, &project);
    assert_eq!(left.len(), 5, "{left:#?}");
}

fn git(bed: &Bed, project: &Path, args: &[&str]) {
    let project = project.to_str().unwrap();
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-C", project];
    drop(bed.sandbox.run("git", &[&who, args].concat()).success());
}

#[test]
fn changes_that_do_not_touch_are_merged_and_others_refused_with_the_reason() {
    let old = "one\n2\n3\n4\n5\nsix\n";
    let Some((bed, project, there)) =
        connected(&[("m", old), ("touch", old), ("unknown", old), ("bin", "a\0b")])
    else {
        return;
    };
    git(&bed, &project, &["init", "-q"]);
    git(&bed, &project, &["add", "m", "touch", "bin"]);
    git(&bed, &project, &["commit", "-qm", "before"]);
    apart(&bed, &project, || {
        steps::write(&project.join("m"), &old.replace("one", "ONE"));
        steps::write(&there.join("m"), &old.replace("six", "SIX"));
        for name in ["touch", "unknown"] {
            steps::write(&project.join(name), &old.replace("one", "here"));
            steps::write(&there.join(name), &old.replace("one", "there"));
        }
        steps::write(&project.join("bin"), "a\0here");
        steps::write(&there.join("bin"), "a\0there");
    });
    let data = resolve(&bed, &project, &["m", "--merge"]);
    for root in [&project, &there] {
        assert_eq!(steps::read(&root.join("m")), "ONE\n2\n3\n4\n5\nSIX\n");
    }
    let places = data["settled"][0]["kept"].as_array().unwrap().clone();
    let texts: Vec<_> =
        places.iter().map(|place| steps::read(Path::new(place["place"].as_str().unwrap()))).collect();
    assert_eq!(texts, [old.replace("one", "ONE"), old.replace("six", "SIX")]);
    for (path, why) in [
        ("touch", "changed the same lines in 1 place:"),
        ("unknown", "git here does not know the file"),
        ("bin", "git cannot merge them"),
    ] {
        let run = bed.sandbox.sinc_in(&project, &["resolve", path, "--merge"]).exits(1);
        assert!(run.stderr.contains(why), "{why}: {run}");
    }
    assert_eq!(listed(&bed, &project).len(), 3);
    assert_eq!(steps::read(&there.join("touch")), old.replace("one", "there"));
}

#[test]
fn more_than_mutagen_names_are_merged_ten_by_ten() {
    let old = "one\n2\n3\n4\nfive\n";
    let files: Vec<(String, &str)> = (0..13).map(|n| (format!("f{n:02}"), old)).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let Some((bed, project, there)) = connected(&files) else { return };
    git(&bed, &project, &["init", "-q"]);
    git(&bed, &project, &["add", "."]);
    git(&bed, &project, &["commit", "-qm", "before"]);
    apart(&bed, &project, || {
        for (name, _) in &files {
            steps::write(&project.join(name), &old.replace("one", "ONE"));
            steps::write(&there.join(name), &old.replace("five", "FIVE"));
        }
    });
    let data = resolve(&bed, &project, &["--all", "--merge"]);
    assert_eq!(data["settled"].as_array().unwrap().len(), 13);
    assert!(files.iter().all(|(name, _)| steps::read(&there.join(name)) == "ONE\n2\n3\n4\nFIVE\n"));
    assert!(listed(&bed, &project).is_empty());
}

#[test]
fn an_editor_gets_both_and_what_it_leaves_is_taken() {
    let Some((mut bed, project, there)) = connected(&[("both", "old\n")]) else { return };
    apart(&bed, &project, || {
        steps::write(&project.join("both"), "here\n");
        steps::write(&there.join("both"), "there\n");
    });
    // Markers that are left are refused, and nothing is changed.
    bed.sandbox.set("EDITOR", "true");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve", "both", "--edit"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    terminal.wait_for("still has markers", PATIENCE);
    terminal.wait_for("hint: `sinc resolve --edit PATH` opens it again", PATIENCE);
    assert!(!terminal.history().contains("what you typed"), "{}", terminal.history());
    assert!(typed(&bed).is_empty(), "nothing was typed");
    drop(terminal);
    bed.sandbox.set("EDITOR", "no-such-editor");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve", "both", "--edit"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    terminal.wait_for("error: the editor `no-such-editor` was not found", PATIENCE);
    terminal.wait_for("hint: set VISUAL or EDITOR", PATIENCE);
    drop(terminal);
    let editor =
        bed.sandbox.write("an editor", "#!/bin/sh\nsed -i -e '1i edited' -e '/^[<=>]/d' -- \"$1\"\n");
    steps::set_mode(&editor, 0o755);
    bed.sandbox.set("EDITOR", format!("'{}'", editor.display()));
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve", "both", "--edit"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.screen());
    drop(terminal);
    assert_eq!(steps::read(&there.join("both")), "edited\nhere\nthere\n");
    are_equal(&bed, &project, &there);
    assert!(typed(&bed).is_empty(), "it is settled");
}

/// The texts that were typed and are kept, by their conflict's path, the oldest first.
fn typed(bed: &Bed) -> Vec<(PathBuf, String)> {
    let state = bed.sandbox.home().join(".local/state/sinc/edited");
    let below = |dir: &Path| -> Vec<PathBuf> {
        let mut all: Vec<_> =
            std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let attempts = below(&state).into_iter().flat_map(|session| below(&session));
    let files = attempts.flat_map(|dir| {
        let text = |path: PathBuf| (path.strip_prefix(&dir).unwrap().to_owned(), steps::read(&path));
        below(&dir).into_iter().map(text).collect::<Vec<_>>()
    });
    files.collect()
}

/// Makes this script the editor: `$1` is the file.
fn editor(bed: &mut Bed, script: &str) {
    let editor = bed.sandbox.write("an editor", format!("#!/bin/sh\n{script}\n"));
    steps::set_mode(&editor, 0o755);
    bed.sandbox.set("EDITOR", format!("'{}'", editor.display()));
}

/// Takes the markers away.
const CLEAN: &str = "sed -i -e '/^[<=>]/d' -- \"$1\"";

#[test]
fn what_was_typed_stays_until_its_conflict_is_settled() {
    let Some((mut bed, project, there)) = connected(&[("both", "old\n")]) else { return };
    apart(&bed, &project, || {
        steps::write(&project.join("both"), "here\n");
        steps::write(&there.join("both"), "there\n");
    });
    let args = ["resolve", "both", "--edit"];
    // A marker that was forgotten, and an editor that fails.
    editor(&mut bed, "sed -i -e '1i typed' -- \"$1\"");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &args);
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    terminal.wait_for("still has markers", PATIENCE);
    terminal.wait_for("what you typed for both is kept in ~/.local/state/sinc/edited/", PATIENCE);
    drop(terminal);
    editor(&mut bed, &format!("{CLEAN}; echo more >>\"$1\"; exit 3"));
    let terminal = Terminal::sinc(&bed.sandbox, &project, &args);
    terminal.wait_for("what you typed for both the last time is in ~/.local/state/sinc/edited/", PATIENCE);
    terminal.wait_for("Go on from that?", PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    terminal.wait_for("the editor ended with 3", PATIENCE);
    drop(terminal);
    let text = "typed\nhere\nthere\nmore\n";
    assert_eq!(typed(&bed), [("both".into(), text.to_owned())]);
    // The agent writes meanwhile: what was typed is of other versions now, and the editor opens again with these.
    let once = bed.sandbox.home().join("once");
    editor(
        &mut bed,
        &format!("mkdir {0} && echo newest >{1}; {CLEAN}", once.display(), there.join("both").display()),
    );
    let terminal = Terminal::sinc(&bed.sandbox, &project, &args);
    terminal.wait_for("Go on from that?", PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    let said = terminal.history();
    assert!(said.contains("both was changed meanwhile: it starts over"), "{said}");
    assert_eq!(said.matches("Go on from that").count(), 1, "{said}");
    drop(terminal);
    assert_eq!(steps::read(&there.join("both")), "here\nnewest\n");
    are_equal(&bed, &project, &there);
    assert_eq!(typed(&bed), [("both".into(), text.to_owned())]);
}

#[test]
fn an_error_after_the_editor_loses_nothing_that_was_typed() {
    let Some((mut bed, project, there)) = connected(&[("a", "old\n"), ("b", "old\n")]) else { return };
    apart(&bed, &project, || {
        for name in ["a", "b"] {
            steps::write(&project.join(name), &format!("{name} here\n"));
            steps::write(&there.join(name), &format!("{name} there\n"));
        }
    });
    // At the second file, before the first is settled.
    let args = ["resolve", "--all", "--edit"];
    editor(&mut bed, &format!("{CLEAN}; case $1 in */b) rm -- \"$1\";; esac"));
    let terminal = Terminal::sinc(&bed.sandbox, &project, &args);
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    terminal.wait_for("what you typed for a is kept in ~/.local/state/sinc/edited/", PATIENCE);
    drop(terminal);
    let text = |name: &str| (PathBuf::from(name), format!("{name} here\n{name} there\n"));
    assert_eq!(typed(&bed), [text("a")]);
    // And when they are to be settled: the host can keep nothing.
    let backups = bed.host.remote_home().join(".local/state/sinc/backups");
    steps::write(&backups, "in the way");
    editor(&mut bed, CLEAN);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &args);
    terminal.wait_for("Go on from that?", PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 1);
    terminal.wait_for("what you typed for a is kept in", PATIENCE);
    terminal.wait_for("what you typed for b is kept in", PATIENCE);
    drop(terminal);
    assert_eq!(typed(&bed), [text("a"), text("b")]);
    std::fs::remove_file(&backups).unwrap();
    resolve(&bed, &project, &["--all", "--remote"]);
    assert_eq!(steps::read(&project.join("a")), "a there\n");
    assert_eq!(typed(&bed), [text("a"), text("b")]);
}

#[test]
fn a_version_that_cannot_go_into_its_backup_is_said_to_be_where_it_is() {
    let Some((mut bed, project, there)) = connected(&[("d/a", "old\n")]) else { return };
    apart(&bed, &project, || {
        steps::write(&project.join("d/a"), "here\n");
        steps::write(&there.join("d/a"), "there\n");
    });
    // As with a full disk.
    let full = bed.sandbox.write("full", "");
    let real = which::which("cp").unwrap();
    let cp = format!(
        "#!/bin/sh\ncase \"$*\" in *sinc-part*) if [ -e {} ]; then exit 1; fi;; esac\nexec {} \"$@\"\n",
        full.display(),
        real.display()
    );
    steps::set_mode(&bed.sandbox.write(bed.host.bin().join("cp"), cp), 0o755);
    editor(&mut bed, CLEAN);
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve", "--all", "--edit"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 1, "{}", terminal.history());
    drop(terminal);
    let aside = || -> Vec<PathBuf> {
        let all = std::fs::read_dir(project.join("d")).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains(".mutagen-temporary-sinc-")).collect()
    };
    assert_eq!(aside().len(), 1);
    assert_eq!(steps::read(&aside()[0]), "here\n");
    assert_eq!(steps::read(&project.join("d/a")), "here\nthere\n");
    let place = aside()[0].strip_prefix(bed.sandbox.home()).unwrap().to_owned();
    let run = bed.sandbox.sinc_in(&project, &["conflicts"]).success();
    assert!(run.stderr.contains("it could not be put into the backup"), "{run}");
    assert!(run.stderr.contains(&place.display().to_string()), "{run}");
    // It is tried until it works.
    std::fs::remove_file(full).unwrap();
    drop(bed.sandbox.sinc_in(&project, &["conflicts"]).success());
    assert!(aside().is_empty());
    let listed = bed.sandbox.sinc_in(&project, &["backups", "--json"]).success();
    let listed = documented::data("backups", &listed.stdout)["backups"].clone();
    assert_eq!(listed[0]["why"], "resolve --edit", "{listed}");
    assert_eq!(steps::read(&Path::new(listed[0]["place"].as_str().unwrap()).join("d/a")), "here\n");
    resolve(&bed, &project, &["--all", "--local"]);
    assert_eq!(steps::read(&there.join("d/a")), "here\nthere\n");
    are_equal(&bed, &project, &there);
}

#[test]
fn the_merge_tool_of_git_gets_all_three_versions() {
    let Some((mut bed, project, there)) = connected(&[("both", "old\n")]) else { return };
    git(&bed, &project, &["init", "-q"]);
    git(&bed, &project, &["add", "both"]);
    git(&bed, &project, &["commit", "-qm", "before"]);
    apart(&bed, &project, || {
        steps::write(&project.join("both"), "here\n");
        steps::write(&there.join("both"), "there\n");
    });
    bed.sandbox.write(
        ".gitconfig",
        "[merge]\n\ttool = mine\n[mergetool \"mine\"]\n\tcmd = cat \"$BASE\" \"$LOCAL\" \"$REMOTE\" >\"$MERGED\"\n\ttrustExitCode = true\n",
    );
    bed.sandbox.set("EDITOR", "false");
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve", "both", "--edit"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.screen());
    drop(terminal);
    assert_eq!(steps::read(&there.join("both")), "old\nhere\nthere\n");
    are_equal_but_git(&project, &there);
}

/// As [`are_equal`], where the project has a repository, which stays here.
#[track_caller]
fn are_equal_but_git(project: &Path, there: &Path) {
    let files = |root: &Path| {
        let mut tree = steps::tree(root);
        tree.retain(|(name, _)| !name.starts_with(".git"));
        tree
    };
    assert_eq!(files(project), files(there));
}

#[test]
fn on_a_terminal_each_is_shown_and_asked_and_one_that_is_changed_meanwhile_starts_over() {
    let Some((bed, project, there)) = connected(&[("a", "old\n"), ("b", "old\n"), ("c", "old\n")]) else {
        return;
    };
    apart(&bed, &project, || {
        for name in ["a", "b", "c"] {
            steps::write(&project.join(name), "here\n");
            steps::write(&there.join(name), "there\n");
        }
    });
    let terminal = Terminal::sinc(&bed.sandbox, &project, &["resolve"]);
    terminal.wait_for("1 of 3: which version of a", PATIENCE);
    assert!(terminal.screen().contains("+there"), "{}", terminal.screen());
    // The agent writes while the person thinks.
    steps::write(&there.join("a"), "another\n");
    terminal.type_keys(&["Enter"]);
    terminal.wait_for("a was changed meanwhile: it starts over", PATIENCE);
    terminal.wait_for("+another", PATIENCE);
    assert_eq!(steps::read(&there.join("a")), "another\n", "nothing was moved");
    terminal.type_keys(&["Enter"]);
    terminal.wait_for("2 of 3: which version of b", PATIENCE);
    terminal.type_keys(&["Down", "Enter"]);
    terminal.wait_for("3 of 3: which version of c", PATIENCE);
    terminal.type_keys(&["Up", "Enter"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 1, "one was left");
    assert!(
        terminal.history().contains("1 conflict is left for now: c\n")
            && !terminal.history().contains("error:"),
        "{}",
        terminal.history()
    );
    assert_eq!(steps::read(&there.join("a")), "here\n");
    assert_eq!(steps::read(&project.join("b")), "there\n");
    assert_eq!(steps::read(&there.join("c")), "there\n");
}

/// A `sinc resolve --all --local` that stands between the move and the cycle.
struct Standing {
    bed: Bed,
    project: PathBuf,
    there: PathBuf,
    waits: PathBuf,
    child: std::process::Child,
}

impl Standing {
    fn new() -> Option<Self> {
        Self::with("--local")
    }

    fn with(how: &str) -> Option<Self> {
        let (bed, project, there) = connected(&[("a", "old\n"), ("b", "old\n")])?;
        apart(&bed, &project, || {
            steps::write(&project.join("a"), "here\n");
            steps::write(&there.join("a"), "there\n");
        });
        // Mutagen as it is, but a flush after the move waits, and then fails.
        let real = which::which("mutagen").unwrap();
        let (waits, hung) = (bed.host.dir().join("waits"), bed.host.dir().join("hung"));
        let kept = bed.host.remote_home().join(".local/state/sinc/backups");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *flush*) if [ -e {0} ] && [ -d {1} -o -d {2} ]; then echo >{3}; \
             while [ -e {0} ]; do sleep 0.1; done; exit 1; fi;; esac\nexec {4} \"$@\"\n",
            waits.display(),
            kept.display(),
            bed.sandbox.home().join(".local/state/sinc/backups").display(),
            hung.display(),
            real.display()
        );
        let program = bed.host.add_program("mutagen", &script).unwrap();
        std::fs::rename(program, bed.host.bin().join("mutagen")).unwrap();
        symlink(real.with_file_name("mutagen-agents.tar.gz"), bed.host.bin().join("mutagen-agents.tar.gz"))
            .unwrap();
        std::fs::write(&waits, "").unwrap();
        let program = bed.sandbox.program(crate::support::sandbox::Sandbox::binary(), &project);
        let child = program.args(["resolve", "--all", how]).start();
        wait_until("the losing version was moved", PATIENCE, || hung.exists());
        // A cycle of Mutagen's own may have brought the other version over by now.
        let (loser, lost) = if how == "--local" { (&there, "there\n") } else { (&project, "here\n") };
        assert_ne!(std::fs::read_to_string(loser.join("a")).unwrap_or_default(), lost);
        Some(Self { bed, project, there, waits, child })
    }

    /// What was moved is in its place again, and the conflict open, though the version here was undone meanwhile: what both had
    /// before is nobody's but its own then.
    fn is_put_back(&self) {
        let (bed, project) = (&self.bed, &self.project);
        let is_back = || std::fs::read_to_string(self.there.join("a")).is_ok_and(|text| text == "there\n");
        wait_until("the host's version is in its place again", PATIENCE, is_back);
        steps::write(&project.join("other"), "synced\n");
        wait_until("cycles go on", PATIENCE, || self.there.join("other").exists());
        assert_eq!(steps::read(&project.join("a")), "there\n", "only the host's is another one than before");
        let left = bed.sandbox.sinc_in(project, &["backups", "--json"]).success();
        let left = documented::data("backups", &left.stdout)["backups"].clone();
        assert_eq!(left, serde_json::json!([]), "nothing is left in one");
        let again = bed.sandbox.sinc_in(project, &["conflicts"]).success();
        assert!(again.stderr.contains("there is no conflict"), "{again}");
    }
}

#[test]
fn what_a_run_that_is_killed_between_the_move_and_the_cycle_has_moved_is_put_back_before_any_cycle() {
    let Some(mut standing) = Standing::new() else { return };
    // Undone here: to Mutagen nothing has happened on this side, and on the other one the file was deleted.
    steps::write(&standing.project.join("a"), "old\n");
    standing.child.kill().unwrap();
    standing.child.wait().unwrap();
    std::fs::remove_file(&standing.waits).unwrap();
    standing.is_put_back();
}

#[test]
fn so_is_that_of_one_whose_line_is_cut_there() {
    let Some(mut standing) = Standing::new() else { return };
    standing.bed.host.stop_sshd().unwrap();
    standing.bed.host.break_connections().unwrap();
    steps::write(&standing.project.join("a"), "old\n");
    std::fs::remove_file(&standing.waits).unwrap();
    assert!(!standing.child.wait().unwrap().success());
    standing.bed.host.start_sshd().unwrap();
    standing.is_put_back();
}

#[test]
fn without_a_link_the_next_command_puts_it_back_first_and_says_so() {
    let Some(mut standing) = Standing::new() else { return };
    drop(standing.bed.sandbox.sinc(&["link", "stop"]).success());
    steps::write(&standing.project.join("a"), "old\n");
    standing.child.kill().unwrap();
    standing.child.wait().unwrap();
    std::fs::remove_file(&standing.waits).unwrap();
    let next = standing.bed.sandbox.sinc_in(&standing.project, &["conflicts"]).success();
    assert!(next.stderr.contains("what had been moved aside is in its place again"), "{next}");
    standing.is_put_back();
}

#[test]
fn after_ctrl_c_the_file_here_is_back_though_the_line_is_dead() {
    let Some(mut standing) = Standing::with("--remote") else { return };
    standing.bed.host.stop_sshd().unwrap();
    standing.bed.host.break_connections().unwrap();
    rustix::process::kill_process(Pid::from_child(&standing.child), Signal::INT).unwrap();
    assert!(!standing.child.wait().unwrap().success());
    assert_eq!(steps::read(&standing.project.join("a")), "here\n");
    std::fs::remove_file(&standing.waits).unwrap();
    standing.bed.host.start_sshd().unwrap();
    wait_until("the conflict is open again", PATIENCE, || {
        let run = standing.bed.sandbox.sinc_in(&standing.project, &["conflicts", "--json"]);
        run.code == 0 && run.stdout.contains("\"path\":\"a\"")
    });
    assert_eq!(steps::read(&standing.there.join("a")), "there\n");
}

#[test]
fn a_session_that_is_ended_has_it_in_its_place_and_status_says_what_it_knows_of_a_host_that_is_down() {
    let Some(mut standing) = Standing::new() else { return };
    let (bed, project) = (&standing.bed, &standing.project);
    drop(bed.sandbox.sinc(&["link", "stop"]).success());
    standing.child.kill().unwrap();
    standing.child.wait().unwrap();
    std::fs::remove_file(&standing.waits).unwrap();
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let status = bed.sandbox.sinc_in(project, &["status"]).success();
    assert!(status.stdout.contains("sync") && !status.stderr.contains("neither Mutagen"), "{status}");
    bed.host.start_sshd().unwrap();
    drop(bed.sandbox.run("mutagen", &["sync", "pause", "--all"]).success());
    drop(bed.sandbox.sinc_in(project, &["kill", "--yes"]).success());
    assert_eq!(steps::read(&standing.there.join("a")), "there\n");
}

#[test]
fn a_version_for_which_there_is_no_room_leaves_the_other_one_in_its_place() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "old\n"), ("b", "old\n"), ("more", "")]);
    let there = steps::there(&bed, "app");
    let Some(_disk) = Disk::at(&bed, &there) else { return };
    drop(bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success());
    apart(&bed, &project, || {
        std::fs::write(project.join("a"), vec![b'x'; 9 << 20]).unwrap();
        steps::write(&there.join("a"), "there\n");
        steps::write(&project.join("b"), "here\n");
        steps::write(&there.join("b"), "there\n");
    });
    let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local"]);
    assert!(run.code == 1 && run.stderr.contains("no space left"), "{run}");
    assert_eq!(steps::read(&there.join("a")), "there\n");
    // The one that could be settled is.
    assert_eq!(steps::read(&there.join("b")), "here\n");
    let paths: Vec<Value> = listed(&bed, &project).iter().map(|one| one["path"].clone()).collect();
    assert_eq!(paths, ["a"], "{run}");
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let Some((bed, project, there)) = connected(&[("ro/a", "old\n"), ("tree/in", "x")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let none = sinc(&["resolve", "--all", "--local"]).success();
    assert!(none.stderr.contains("there is no conflict"), "{none}");
    apart(&bed, &project, || {
        steps::write(&project.join("ro/a"), "here\n");
        steps::write(&there.join("ro/a"), "there\n");
        std::fs::remove_dir_all(project.join("tree")).unwrap();
        steps::write(&there.join("tree/node_modules/x"), "not synced");
    });
    for args in [
        &["resolve"][..],
        &["resolve", "--local"],
        &["resolve", "--all", "--edit"],
        &["resolve", "--local", "--remote", "--all"],
    ] {
        let run = sinc(args).exits(2);
        assert!(run.stderr.contains("error: "), "{run}");
    }
    let wrong = sinc(&["resolve", "mistyped", "--local"]).exits(1);
    assert!(wrong.stderr.contains("there is no conflict at `mistyped`"), "{wrong}");
    let blocked = sinc(&["resolve", "tree", "--remote"]).exits(1);
    assert!(blocked.stderr.contains("is not synced is in the way"), "{blocked}");
    assert_eq!(steps::read(&there.join("tree/in")), "x");
    let data = resolve(&bed, &project, &["tree", "--local"]);
    assert!(!there.join("tree").exists() && !project.join("tree").exists());
    assert_eq!(steps::read(&kept(&data, "tree").join("node_modules/x")), "not synced");
    // Root may write everywhere.
    if rustix::process::geteuid().is_root() {
        let run = bed.sandbox.run("chattr", &["+i", there.join("ro").to_str().unwrap()]);
        if run.code != 0 {
            crate::support::e2e::left_out(
                "root can write everywhere, and this file system knows no chattr +i",
            );
            return;
        }
    } else {
        steps::set_mode(&there.join("ro"), 0o555);
    }
    let run = sinc(&["resolve", "--all", "--local"]);
    let was_held = run.code == 1;
    if rustix::process::geteuid().is_root() {
        bed.sandbox.run("chattr", &["-i", there.join("ro").to_str().unwrap()]).success();
    } else {
        steps::set_mode(&there.join("ro"), 0o755);
    }
    assert!(was_held, "{run}");
    assert!(run.stderr.contains("the version on the host cannot be moved aside"), "{run}");
    assert_eq!(steps::read(&there.join("ro/a")), "there\n");
    resolve(&bed, &project, &["--all", "--local"]);
    are_equal(&bed, &project, &there);
}

#[test]
fn two_at_once_wait_for_each_other_and_nothing_is_settled_twice() {
    let Some((bed, project, there)) = connected(&[("a", "old\n"), ("b", "old\n")]) else { return };
    apart(&bed, &project, || {
        for name in ["a", "b"] {
            steps::write(&project.join(name), "here\n");
            steps::write(&there.join(name), "there\n");
        }
    });
    let run = |way: &str| bed.sandbox.sinc_in(&project, &["resolve", "--all", way]);
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| run("--local"));
        (run("--remote"), first.join().unwrap())
    });
    let codes = [first.code, second.code];
    assert!(codes.iter().all(|code| *code == 0), "{first}\n{second}");
    are_equal(&bed, &project, &there);
    // Whichever came first has won, and the other versions are kept.
    let backups = bed.sandbox.sinc_in(&project, &["backups", "--json"]).success();
    let backups = documented::data("backups", &backups.stdout)["backups"].as_array().unwrap().clone();
    let count: u64 = backups.iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 2, "{backups:?}");
}

#[test]
fn a_host_that_cannot_keep_it_or_is_not_the_sessions_any_more_is_left_as_it_is() {
    let Some((bed, project, there)) = connected(&[("a", "old\n")]) else { return };
    apart(&bed, &project, || {
        steps::write(&project.join("a"), "here\n");
        steps::write(&there.join("a"), "there\n");
    });
    let sinc = || bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local"]);
    let backups = bed.host.remote_home().join(".local/state/sinc/backups");
    std::fs::write(&backups, "in the way").unwrap();
    let run = sinc().exits(1);
    assert!(run.stderr.contains("could not keep what is about to be replaced: cannot make "), "{run}");
    std::fs::remove_file(&backups).unwrap();
    let marker = there.join(".sinc-session");
    let text = steps::read(&marker);
    steps::write(&marker, "id sinc-other-123456\n");
    let run = sinc().exits(1);
    // The link may have come upon it first: then it has paused the sync, until a person goes on.
    let refused = ["does not have the marker of this session any more", "is paused"];
    assert!(refused.iter().any(|why| run.stderr.contains(why)), "{run}");
    assert_eq!(
        (steps::read(&project.join("a")), steps::read(&there.join("a"))),
        ("here\n".into(), "there\n".into())
    );
    steps::write(&marker, &text);
    wait_until("it is settled", PATIENCE, || {
        bed.sandbox.sinc_in(&project, &["resume"]).code == 0 && sinc().code == 0
    });
    assert_eq!(steps::read(&there.join("a")), "here\n");
}

#[test]
fn a_side_that_has_nothing_but_conflicts_is_not_taken_for_an_emptied_one() {
    let Some((bed, project, there)) = connected(&[("a", "old\n"), ("b", "old\n"), ("c", "old\n")]) else {
        return;
    };
    for (way, text) in [("--remote", "there\n"), ("--local", "here\n")] {
        apart(&bed, &project, || {
            for name in ["a", "b", "c"] {
                steps::write(&project.join(name), "here\n");
                steps::write(&there.join(name), "there\n");
            }
        });
        let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", way]).success();
        assert!(run.stderr.contains("3 conflicts settled"), "{run}");
        are_equal(&bed, &project, &there);
        assert_eq!(steps::read(&project.join("b")), text);
        // The next round begins where both are equal, with another text.
        for name in ["a", "b", "c"] {
            steps::write(&project.join(name), "old again\n");
        }
        steps::flush(&bed.sandbox);
    }
}

/// One conflict with a hard name, on a host with this login shell whose rc file prints something.
fn in_shell(shell: &str) {
    let rc = Some("echo noise\n".to_owned());
    let options = sinc::demo::Options { rc, ..sinc::demo::Options::default() };
    let Some(bed) = Bed::with_shell(shell, options) else { return };
    let project = bed.project("app", &[(HARD, "old\n"), ("b", "old\n")]);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    apart(&bed, &project, || {
        steps::write(&project.join(HARD), "here\n");
        steps::write(&there.join(HARD), "there\n");
    });
    assert!(listed(&bed, &project)[0]["diff"].as_str().unwrap().contains("+there"));
    let data = resolve(&bed, &project, &["--all", "--local"]);
    assert_eq!(steps::read(&kept(&data, HARD)), "there\n");
    are_equal(&bed, &project, &there);
}

#[test]
fn with_a_login_shell_that_is_fish_and_prints() {
    in_shell("fish");
}

#[test]
fn with_a_login_shell_that_is_tcsh_and_prints() {
    in_shell("tcsh");
}

/// Somebody writes between the second look and the move: it is put back, and starts over with what is there now.
#[test]
fn what_is_changed_right_before_the_move_starts_over() {
    let Some((bed, project, there)) = connected(&[("a", "old\n"), ("b", "old\n")]) else { return };
    apart(&bed, &project, || {
        for name in ["a", "b"] {
            steps::write(&project.join(name), "here\n");
            steps::write(&there.join(name), "there\n");
        }
    });
    let once = bed.host.dir().join("once");
    steps::before_each(
        &bed,
        "ssh",
        &format!(
            "case \"$*\" in *\"sinc 'keep' \"*) if mkdir {} 2>/dev/null; then echo newest >{}; fi;; esac",
            once.display(),
            there.join("a").display()
        ),
    );
    let run = bed.sandbox.sinc_in(&project, &["resolve", "--all", "--local"]).success();
    assert!(once.exists(), "{run}");
    assert!(run.stderr.contains("a was changed meanwhile: it starts over"), "{run}");
    are_equal(&bed, &project, &there);
    assert_eq!(steps::read(&there.join("a")), "here\n");
    let kept = steps::tree(&bed.host.remote_home().join(".local/state/sinc/backups"));
    let texts: Vec<_> = kept.iter().filter(|(path, _)| path.ends_with("files/a")).collect();
    assert!(matches!(&texts[..], [(_, Some(text))] if text == "newest\n"), "{texts:?}\n{run}");
    assert!(kept.iter().any(|(path, text)| path.ends_with("files/b") && text.as_deref() == Some("there\n")));
}
