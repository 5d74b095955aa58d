//! `sinc flush`, `pause`, `resume`: equal on both sides, or the reason why not.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::support::e2e::{Bed, left_out, living_in};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};
use crate::{documented, steps};

fn connected(files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    connected_by("true", files)
}

/// With or without the link.
fn connected_by(link: &str, files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    let mut bed = Bed::new()?;
    bed.sandbox.set("SINC_LINK", link);
    let project = bed.project("app", files);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    Some((bed, project, there))
}

#[test]
fn flush_ends_when_both_sides_are_equal_and_else_says_why_not() {
    let Some((bed, project, there)) = connected(&[("a", "1"), ("b", "2")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    for round in 0..3 {
        steps::write(&there.join("made-there"), &round.to_string());
        steps::write(&project.join("made-here"), &round.to_string());
        sinc(&["flush"]).success();
        assert_eq!(steps::read(&project.join("made-there")), round.to_string());
        assert_eq!(steps::read(&there.join("made-here")), round.to_string());
    }
    let json = sinc(&["flush", "--json"]).success();
    assert_eq!(documented::data("flush", &json.stdout)["sync"]["state"], "synced");

    let json = sinc(&["pause", "--json"]).success();
    assert_eq!(documented::data("pause", &json.stdout)["sync"]["state"], "paused");
    let run = sinc(&["flush"]).exits(1);
    assert!(run.stderr.contains("is paused\n\nhint: `sinc resume` goes on"), "{run}");
    steps::write(&project.join("a"), "here\n");
    steps::write(&there.join("a"), "there\n");
    let json = sinc(&["resume", "--json"]).success();
    assert_eq!(documented::data("resume", &json.stdout)["sync"]["state"], "conflicts");
    let run = sinc(&["flush"]).exits(1);
    assert!(
        run.stderr.contains("a: changed on both sides\n")
            && run.stderr.contains("are not equal: 1 conflict\n"),
        "{run}"
    );
    let again = sinc(&["resume"]).success();
    assert!(again.stderr.contains("; it was not paused\n"), "{again}");
    assert_eq!(
        (steps::read(&project.join("a")), steps::read(&there.join("a"))),
        ("here\n".into(), "there\n".into())
    );
    // What the hint says is so.
    std::fs::remove_file(project.join("a")).unwrap();
    sinc(&["flush"]).success();
    assert_eq!(steps::read(&project.join("a")), "there\n");

    let run = sinc(&["flush", "--dry-run"]).success();
    assert!(run.stdout.contains(" sync flush --label-selector sinc-id=sinc-app-"), "{run}");
    for command in ["flush", "pause", "resume"] {
        let run = sinc(&[command, "--dry-run", "--json"]).success();
        documented::data(command, &run.stdout);
    }
    let run = sinc(&["kill", "--dry-run", "--json"]).success();
    assert_eq!(documented::data("kill", &run.stdout)["ended"].as_array().map(Vec::len), Some(1), "{run}");
    let run = sinc(&["flush", "sinc-app"]).exits(1);
    assert!(run.stderr.contains("knows no session `sinc-app`"), "{run}");
}

#[test]
fn flush_gives_up_at_its_deadline_and_when_there_is_no_line() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    let agents: Vec<String> = living_in(bed.host.dir())
        .into_iter()
        .filter(|process| process.contains("mutagen-agent synchronizer") && !process.contains("ssh"))
        .filter_map(|process| Some(process.split_once(':')?.0.to_owned()))
        .collect();
    assert!(!agents.is_empty());
    let signal = |name: &str| {
        for agent in &agents {
            bed.sandbox.run("kill", &[name, agent]).success();
        }
    };
    signal("-STOP");
    let run = bed.sandbox.sinc_in(&project, &["flush", "--timeout", "1"]).exits(75);
    assert!(run.stderr.contains("were not equal within 1 s"), "{run}");
    let status = bed.sandbox.sinc_in(&project, &["status"]).success();
    assert!(status.stdout.contains("\nsync      busy: no cycle was completed"), "{status}");
    signal("-CONT");
    bed.sandbox.sinc_in(&project, &["flush"]).success();

    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    wait_until("the sync has noticed", PATIENCE, || {
        let run = bed.sandbox.sinc_in(&project, &["flush", "--timeout", "5"]);
        run.code == 1 && run.stderr.contains("is not connected")
    });
}

#[test]
fn a_halted_sync_says_what_each_way_out_does_and_goes_on_when_the_files_are_back() {
    // The link would follow the directory.
    let Some((bed, project, there)) = connected_by("false", &[("a", "1"), ("b", "2")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let aside = there.with_file_name("aside");
    std::fs::rename(&there, &aside).unwrap();
    wait_until("the sync has stopped itself", PATIENCE, || {
        let run = sinc(&["flush"]);
        run.code == 1
            && run.stderr.contains("the sync has stopped itself: the directory was deleted on the host")
    });
    let run = sinc(&["resume"]).exits(1);
    for part in ["its directory on the host is gone", "Put the files back there", "`sinc kill sinc-app-"] {
        assert!(run.stderr.contains(part), "{part}: {run}");
    }
    std::fs::rename(&aside, &there).unwrap();
    sinc(&["resume"]).success();
    sinc(&["flush"]).success();
    assert_eq!(steps::read(&project.join("a")), "1");

    // Gone here instead: the host's files stay, and what is said fits.
    let here = project.with_file_name("aside-here");
    std::fs::rename(&project, &here).unwrap();
    let id = steps::session_id(&bed.sandbox);
    wait_until("the sync has noticed", PATIENCE, || {
        let run = bed.sandbox.sinc(&["flush", &id]);
        run.code == 1 && run.stderr.contains(&format!("the directory of {id} here is gone: "))
    });
    let run = bed.sandbox.sinc(&["status", &id]).success();
    assert!(run.stdout.contains("\nnote      the directory here is gone"), "{run}");
    assert_eq!(steps::read(&there.join("a")), "1");
    std::fs::rename(&here, &project).unwrap();
    sinc(&["flush"]).success();
}

#[test]
fn resume_does_not_sync_with_a_directory_that_is_not_known_to_be_the_sessions() {
    // One single entry: Mutagen itself would take an empty directory for a deletion, and delete it here.
    let Some((bed, project, there)) = connected(&[("src/only.rs", "precious\n")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    std::fs::remove_dir_all(&there).unwrap();
    std::fs::create_dir(&there).unwrap();
    let run = bed.sandbox.sinc_in(&project, &["resume"]).exits(1);
    assert!(run.stderr.contains("was not resumed, because that could delete files here"), "{run}");
    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let run = bed.sandbox.sinc_in(&project, &["resume"]).exits(76);
    assert!(run.stderr.contains("whether its directory is still its own is not known"), "{run}");
    assert_eq!(steps::read(&project.join("src/only.rs")), "precious\n");
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
}

/// The small process that an attach leaves beside it has ended.
#[track_caller]
fn wait_for_looker(bed: &Bed) {
    wait_until("nobody looks after the attach any more", PATIENCE, || {
        living_in(bed.host.dir()).iter().all(|process| !process.contains(" after-attach "))
    });
}

#[test]
fn neither_does_an_attach() {
    for looked_before in [false, true] {
        let Some((bed, project, there)) = connected(&[("src/only.rs", "precious\n")]) else { return };
        bed.sandbox.sinc_in(&project, &["pause"]).success();
        std::fs::remove_dir_all(&there).unwrap();
        std::fs::create_dir(&there).unwrap();
        if looked_before {
            let _ = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
        }
        let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
        assert_ne!(terminal.wait_exit(PATIENCE), 0);
        wait_for_looker(&bed);
        assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
        assert_eq!(steps::read(&project.join("src/only.rs")), "precious\n");
    }
}

#[test]
fn an_attach_resumes_a_paused_sync_once_the_host_has_said_that_all_is_in_its_place() {
    let Some((bed, project, there)) = connected(&[("a", "1")]) else { return };
    bed.sandbox.sinc_in(&project, &["pause"]).success();
    steps::write(&project.join("a"), "2");
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("sinc: the sync was paused; it goes on", PATIENCE);
    steps::wait_text(&there.join("a"), "2");
}

#[test]
fn logs_show_each_command_of_the_last_runs() {
    let Some((bed, project, _)) = connected(&[("a", "1")]) else { return };
    bed.sandbox.sinc_in(&project, &["flush"]).success();
    let run = bed.sandbox.sinc(&["logs", "-n", "2"]).success();
    let heads: Vec<_> = run.stdout.lines().filter(|line| line.contains(" UTC  sinc ")).collect();
    assert_eq!(heads.len(), 2, "{run}");
    assert!(heads[0].ends_with("sinc --no-attach") && heads[1].ends_with("sinc flush"), "{run}");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 160), "{run}");
    assert!(run.stdout.contains("ok        flush the sync: "), "{run}");
    let whole = bed.sandbox.sinc(&["logs", "-v", "-n", "2"]).success();
    assert!(
        whole.stdout.lines().any(|line| line.contains("exec sh -c ") && line.chars().count() > 1000),
        "{whole}"
    );
}

/// Has nobody put anything in a file's place, root neither where the tests are root's, or lets it be again.
#[track_caller]
pub(crate) fn lock(bed: &Bed, file: &Path, lock: bool) {
    let (dir, file) = (file.parent().unwrap().to_str().unwrap(), file.to_str().unwrap());
    if bed.sandbox.run("id", &["-u"]).success().stdout.trim() == "0" {
        bed.sandbox.run("chattr", &[if lock { "+i" } else { "-i" }, file]).success();
    } else {
        bed.sandbox.run("chmod", &[if lock { "555" } else { "755" }, dir]).success();
    }
}

#[test]
fn flush_names_each_path_that_is_not_synced_with_its_reason() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let Some((bed, project, there)) = connected(&[("shut/locked", "1"), ("dir/file", "1")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    // A pipe and a socket alone are never synced, and no reason not to be equal.
    bed.sandbox.run("mkfifo", &[project.join("pipe").to_str().unwrap()]).success();
    let _socket = std::os::unix::net::UnixListener::bind(there.join("socket")).unwrap();
    sinc(&["flush"]).success();

    steps::write(&there.join("pipe"), "a file there");
    sinc(&["pause"]).success();
    steps::write(&there.join("shut/locked"), "changed there");
    lock(&bed, &project.join("shut/locked"), true);
    drop(sinc(&["resume"]));
    symlink("/etc/hostname", project.join("absolute")).unwrap();
    symlink("../../outside", there.join("out")).unwrap();
    symlink("a:b", project.join("odd")).unwrap();
    std::fs::write(there.join(std::ffi::OsStr::from_bytes(b"\xff-name")), "x").unwrap();
    let run = sinc(&["flush"]).exits(1);
    let json = sinc(&["flush", "--json"]).exits(1);
    // Before anything may fail: the files are to go afterwards.
    lock(&bed, &project.join("shut/locked"), false);
    for line in [
        "shut/locked here: the permissions are missing (",
        "absolute here: a link to an absolute path (",
        "out on the host: a link out of the directory (",
        "odd here: a link that not every system could follow (",
        "-name (non-UTF-8) on the host: its name is not allowed (",
        "pipe: something that is not synced is in its place here",
    ] {
        assert!(run.stderr.lines().any(|one| one.contains(line)), "{line}: {run}");
    }
    assert!(!run.stderr.contains("Mutagen does not list"), "{run}");
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&false.into(), &1.into()), "{json}");
    let listed = answer["data"]["sync"]["problems_listed"].as_array().unwrap();
    let mut reasons: Vec<_> = listed.iter().map(|one| one["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["absolute-link", "link", "link-out", "name", "permissions"], "{json}");
    assert_eq!(answer["data"]["sync"]["conflicts_listed"][0]["path"], "pipe", "{json}");

    // Mutagen lists all of these: both sides were not compared for it.
    assert_eq!(answer["data"]["unequal"].as_array().map(Vec::len), Some(6), "{json}");
    assert!(!compared(&bed), "{run}");
}

/// Did the last `sinc` compare both sides?
fn compared(bed: &Bed) -> bool {
    bed.sandbox.sinc(&["logs", "-n", "1"]).success().stdout.contains("list the files on the host")
}

#[test]
fn flush_names_every_path_also_those_that_mutagen_leaves_out_of_its_lists() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    /// Mutagen lists ten of each kind.
    const EACH: usize = 14;
    let names = |of: &str| (0..EACH).map(|n| format!("{of}{n:02}")).collect::<Vec<_>>();
    let (shut, both) = (names("shut/"), names("both "));
    let files: Vec<(&str, &str)> = shut.iter().chain(&both).map(|name| (name.as_str(), "1")).collect();
    let Some((bed, project, there)) = connected(&files) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    sinc(&["flush"]).success();
    assert!(!compared(&bed), "it costs nothing where both sides are equal");

    sinc(&["pause"]).success();
    for name in &shut {
        steps::write(&there.join(name), "changed there");
    }
    for name in &both {
        steps::write(&there.join(name), "there");
        steps::write(&project.join(name), "here!");
    }
    for n in 0..EACH {
        symlink("/etc/hostname", there.join(format!("absolute {n:02}"))).unwrap();
        symlink("../../outside", there.join(format!("out {n:02}"))).unwrap();
        let name = [b"name \xff\xfe", format!("{n:02}").as_bytes()].concat();
        std::fs::write(there.join(std::ffi::OsStr::from_bytes(&name)), "x").unwrap();
    }
    lock_directory(&bed, &project.join("shut"), true);
    drop(sinc(&["resume"]));
    let run = sinc(&["flush"]).exits(1);
    let whole = sinc(&["flush", "-v"]).exits(1);
    let json = sinc(&["flush", "--json"]).exits(1);
    // Before anything may fail: the files are to go afterwards.
    lock_directory(&bed, &project.join("shut"), false);

    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let named = answer["data"]["unequal"].as_array().unwrap();
    assert_eq!(named.len(), 5 * EACH, "{json}");
    for (path, side, reason, line) in [
        ("shut/", "local", "permissions", " here: the permissions are missing"),
        ("both ", "null", "conflict", ": changed on both sides"),
        ("absolute ", "remote", "absolute-link", " on the host: a link to an absolute path"),
        ("out ", "remote", "link-out", " on the host: a link out of the directory"),
        ("name ", "remote", "name", " on the host: its name is not allowed"),
    ] {
        let is = |one: &&serde_json::Value| one["path"].as_str().unwrap().starts_with(path);
        let found: Vec<_> = named.iter().filter(is).collect();
        assert_eq!(found.len(), EACH, "{path}: {json}");
        for one in found {
            let is_side = one["side"].as_str().unwrap_or("null") == side;
            assert!(is_side && one["reason"] == reason, "{one}: {json}");
        }
        let lines = |run: &crate::support::sandbox::Run| {
            run.stderr.lines().filter(|one| one.trim_start().starts_with(path) && one.contains(line)).count()
        };
        assert_eq!(lines(&whole), EACH, "{path}: {whole}");
        assert!(lines(&run) <= EACH);
    }
    assert!(run.stderr.contains("… and 20 more; `-v` and `--json` name all of them"), "{run}");
    for run in [&run, &whole] {
        assert!(!run.stderr.contains("Mutagen does not list"), "{run}");
    }
}

/// Has nobody put anything into a directory, root neither where the tests are root's, or lets it be again.
#[track_caller]
pub(crate) fn lock_directory(bed: &Bed, dir: &Path, lock: bool) {
    let dir = dir.to_str().unwrap();
    if rustix::process::geteuid().is_root() {
        bed.sandbox.run("chattr", &[if lock { "+i" } else { "-i" }, dir]).success();
    } else {
        bed.sandbox.run("chmod", &[if lock { "555" } else { "755" }, dir]).success();
    }
}

/// A small disk over a directory, for as long as this lives.
struct SmallDisk<'a>(&'a Bed, PathBuf);

impl<'a> SmallDisk<'a> {
    fn over(bed: &'a Bed, place: PathBuf) -> Self {
        std::fs::create_dir_all(&place).unwrap();
        let words = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place.to_str().unwrap()];
        bed.sandbox.run("mount", &words).success();
        Self(bed, place)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = self.0.host.turn_off();
        let _ = self.0.sandbox.run("umount", &["-l", self.1.to_str().unwrap()]);
    }
}

#[test]
fn flush_says_that_no_space_is_left_on_the_host() {
    if !rustix::process::geteuid().is_root() {
        return left_out("a small disk needs root");
    }
    let Some(bed) = Bed::new() else { return };
    let _disk = SmallDisk::over(&bed, bed.host.remote_home().join("workspace"));
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    std::fs::write(project.join("large"), vec![7; 3_000_000]).unwrap();
    steps::write(&project.join("a"), "2");
    let run = bed.sandbox.sinc_in(&project, &["flush"]).exits(1);
    assert!(run.stderr.lines().any(|line| line.contains("large on the host: no space is left (")), "{run}");
    assert_eq!(steps::read(&steps::there(&bed, "app").join("a")), "2", "all else is there");
    std::fs::remove_file(project.join("large")).unwrap();
    bed.sandbox.sinc_in(&project, &["flush"]).success();
}
