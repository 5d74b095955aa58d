//! What a connect makes of the sync that it finds.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::{PATIENCE, wait_until};

/// A bed with a connected project.
#[track_caller]
fn connected() -> Option<(Bed, PathBuf, PathBuf, String)> {
    let bed = Bed::new()?;
    let project = bed.project("app", &[("src/one", "1\n"), ("src/two", "2\n"), ("top", "3\n")]);
    steps::connect(&bed.sandbox, &project);
    let (there, id) = (steps::there(&bed, "app"), steps::session_id(&bed.sandbox));
    Some((bed, project, there, id))
}

/// Writes the configuration with this list of ignores.
fn ignore(bed: &Bed, list: &str) {
    let config = format!(
        "default-host = \"box\"\n[host.box]\ndestination = \"{}\"\n[sync]\nignore = [{list}]\n",
        bed.host.alias()
    );
    bed.sandbox.configure(config);
}

fn pause(bed: &Bed) {
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
}

#[test]
fn one_that_is_gone_is_said_inside_and_made_again_by_the_next_sinc() {
    let Some((bed, project, there, _)) = connected() else { return };
    steps::mutagen(&bed.sandbox, &["sync", "terminate", "--all"]).success();
    std::fs::remove_file(there.join("top")).unwrap();
    // On a terminal one ssh attaches, whatever Mutagen has.
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("no sync runs for this session", PATIENCE);
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 0);
    let terminal = steps::attach(&bed.sandbox, &project);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    // The new one does not know what was deleted, and takes nothing for it.
    steps::wait_text(&there.join("top"), "3\n");
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);
    // And from now on one ssh is enough again.
    assert_eq!(steps::record(&bed.sandbox)["verify"], false);
}

#[test]
fn other_settings_make_it_anew_and_lose_nothing() {
    let Some((bed, project, there, _)) = connected() else { return };
    let before = steps::syncs(&bed.sandbox)[0]["identifier"].clone();
    // Changes wait on both sides, one of them a deletion, at the moment when the settings change.
    for paused in [true, false] {
        if paused {
            pause(&bed);
        }
        let n = if paused { "1" } else { "2" };
        steps::write(&project.join("src/one"), &format!("here {n}\n"));
        steps::write(&there.join("src/two"), &format!("there {n}\n"));
        steps::write(&project.join("new.log"), "only here\n");
        steps::write(&project.join(format!("going{n}")), "");
        if !paused {
            std::fs::remove_file(there.join("top")).unwrap();
        }
        ignore(&bed, &format!("\"*.log\", \"never-{n}\""));
        let run = steps::connect(&bed.sandbox, &project);
        assert!(run.stderr.contains("Renewed the sync, with the new settings"), "{run}");
        assert_eq!(steps::read(&there.join("src/one")), format!("here {n}\n"), "{run}");
        assert_eq!(steps::read(&project.join("src/two")), format!("there {n}\n"), "{run}");
        assert!(there.join(format!("going{n}")).exists());
    }
    assert!(!project.join("top").exists(), "a deletion that waited is brought over before");
    let all = steps::syncs(&bed.sandbox);
    assert_eq!(all.len(), 1);
    assert_ne!(all[0]["identifier"], before);
    // The same settings again: nothing is made anew.
    let run = steps::connect(&bed.sandbox, &project);
    assert!(!run.stderr.contains("Renewed"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox)[0]["identifier"], all[0]["identifier"]);

    // An ignore is added: what was synced stays where it is. Then it is taken away: what differs by then is a
    // conflict.
    ignore(&bed, "\"src\"");
    steps::connect(&bed.sandbox, &project);
    steps::write(&project.join("src/one"), "apart here\n");
    steps::write(&there.join("src/one"), "apart there\n");
    steps::write(&there.join("src/three"), "made there\n");
    ignore(&bed, "");
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("1 conflict, left alone on both sides: src/one ("), "{run}");
    assert_eq!(steps::read(&project.join("src/one")), "apart here\n");
    assert_eq!(steps::read(&there.join("src/one")), "apart there\n");
    assert_eq!(steps::read(&project.join("src/three")), "made there\n");
    // On a terminal too.
    ignore(&bed, "\"x\"");
    let terminal = steps::attach(&bed.sandbox, &project);
    drop(terminal);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}

#[test]
fn with_other_settings_and_the_host_away_it_stays_as_it_is() {
    let Some((bed, project, there, _)) = connected() else { return };
    let before = steps::syncs(&bed.sandbox)[0]["identifier"].clone();
    ignore(&bed, "\"*.log\"");
    bed.host.stop_sshd().unwrap();
    steps::write(&project.join("src/one"), "while away\n");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("refuses connections"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox)[0]["identifier"], before);
    bed.host.start_sshd().unwrap();
    let run = steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::read(&there.join("src/one")), "while away\n", "{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}

#[test]
fn a_paused_one_goes_on() {
    let Some((bed, project, there, _)) = connected() else { return };
    pause(&bed);
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("Resumed the sync"), "{run}");
    pause(&bed);
    // On a terminal the process beside the ssh does it.
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("the sync was paused; it goes on", PATIENCE);
    steps::write(&project.join("top"), "4\n");
    steps::wait_text(&there.join("top"), "4\n");
}

/// Takes everything out of a directory, but leaves what a test names.
fn empty(dir: &Path, but: &str) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            std::fs::remove_dir_all(entry.path()).unwrap();
        } else if entry.file_name() != but {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn a_halted_one_is_explained_and_never_repaired() {
    let Some((bed, project, there, id)) = connected() else { return };
    let before = steps::tree(&there);
    // In one cycle: of a directory that it sees getting empty bit by bit, Mutagen brings the deletions over.
    pause(&bed);
    empty(&project, "");
    steps::mutagen(&bed.sandbox, &["sync", "resume", "--all"]).success();
    let halted = || steps::syncs(&bed.sandbox)[0]["status"] == "halted-on-root-emptied";
    wait_until("the sync has halted", PATIENCE, halted);
    // On a terminal the agent is there, and it is said.
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("sinc: the sync has stopped itself", PATIENCE);
    drop(terminal);
    for _ in 0..2 {
        let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
        let why = "the sync has stopped itself: the directory was emptied here";
        assert!(run.stderr.contains(why), "{run}");
        assert!(run.stderr.contains("put the files back there, then `sinc resume`"), "{run}");
        assert!(run.stderr.contains("`sinc kill`, then `sinc`; no file is deleted"), "{run}");
        assert!(halted());
    }
    // Settings that changed meanwhile do not repair it either.
    ignore(&bed, "\"*.log\"");
    bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(halted());
    assert_eq!(steps::tree(&there), before);
    assert_eq!(steps::sessions_there(&bed), [id]);
}

#[test]
fn a_directory_that_was_emptied_on_the_host_is_said() {
    let Some((bed, project, there, id)) = connected() else { return };
    let before = steps::tree(&project);
    pause(&bed);
    empty(&there, "");
    steps::mutagen(&bed.sandbox, &["sync", "resume", "--all"]).success();
    for _ in 0..2 {
        let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
        assert!(run.stderr.contains("was emptied. Nothing was deleted here; the sync is paused"), "{run}");
        assert!(run.stderr.contains(&format!("`sinc kill {id}`")), "{run}");
    }
    assert_eq!(steps::tree(&project), before);
    // A part of it is put back: what is still missing there comes from here.
    steps::write(&there.join("top"), "3\n");
    bed.sandbox.sinc_in(&project, &["--no-attach", "--same"]).success();
    assert_eq!(steps::tree(&project), before);
    assert_eq!(steps::tree(&there), before);
}

#[test]
fn a_directory_that_was_deleted_or_moved_far_away_is_said() {
    let Some((bed, project, there, id)) = connected() else { return };
    let before = steps::tree(&project);
    // With its parent: what Mutagen says of that is "watching", after a flush that ended well.
    let away = bed.host.remote_home().join("elsewhere");
    std::fs::rename(there.parent().unwrap(), &away).unwrap();
    for _ in 0..2 {
        let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
        assert!(run.stderr.contains("is gone: it was moved elsewhere, or deleted"), "{run}");
        assert!(run.stderr.contains("; the sync is paused"), "{run}");
        assert!(run.stderr.contains(&format!("`sinc kill {id}`")), "{run}");
    }
    assert_eq!(steps::tree(&project), before);
    std::fs::rename(&away, there.parent().unwrap()).unwrap();
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("Resumed"), "{run}");
    assert_eq!(steps::tree(&project), steps::tree(&there));
}

#[test]
fn of_two_alike_one_is_kept_and_of_two_that_differ_none_is_chosen() {
    let Some((bed, project, there, _)) = connected() else { return };
    let first = steps::syncs(&bed.sandbox).remove(0);
    let copy = |path: &str| {
        let mut words = vec!["sync".to_owned(), "create".to_owned()];
        for (key, value) in first["labels"].as_object().unwrap() {
            words.extend(["--label".to_owned(), format!("{key}={}", value.as_str().unwrap())]);
        }
        words.extend(["--ignore".to_owned(), ".sinc-session".to_owned()]);
        words.push(project.to_str().unwrap().to_owned());
        words.push(format!("{}:{path}", first["beta"]["host"].as_str().unwrap()));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        steps::mutagen(&bed.sandbox, &words).success();
    };
    copy(there.to_str().unwrap());
    assert_eq!(steps::syncs(&bed.sandbox).len(), 2);
    steps::write(&project.join("top"), "changed\n");
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("Ended 1 copy of the sync"), "{run}");
    let left = steps::syncs(&bed.sandbox);
    assert_eq!((left.len(), &left[0]["identifier"]), (1, &first["identifier"]));
    assert_eq!(steps::read(&there.join("top")), "changed\n");

    let other = bed.host.remote_home().join("other");
    copy(other.to_str().unwrap());
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("several syncs for this session, and they differ"), "{run}");
    for place in [&there, &other] {
        assert!(run.stderr.contains(&format!(" -> {}", place.display())), "{run}");
    }
    assert!(run.stderr.contains("`sinc kill`"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 2);
}

#[test]
fn conflicts_are_counted_and_the_first_are_named() {
    let Some((bed, project, there, _)) = connected() else { return };
    pause(&bed);
    for n in 1..=7 {
        steps::write(&project.join(format!("c{n}")), "here\n");
        steps::write(&there.join(format!("c{n}")), "there\n");
    }
    // The first connect resumes it; what the cycle after that finds is said by the next one at the latest.
    steps::connect(&bed.sandbox, &project);
    steps::flush(&bed.sandbox);
    let run = steps::connect(&bed.sandbox, &project);
    assert!(run.stderr.contains("warning: 7 conflicts, left alone on both sides: c1 ("), "{run}");
    assert!(run.stderr.contains("and 2 more"), "{run}");
    for n in 1..=7 {
        assert_eq!(steps::read(&project.join(format!("c{n}"))), "here\n");
        assert_eq!(steps::read(&there.join(format!("c{n}"))), "there\n");
    }
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("sinc: 7 conflicts", PATIENCE);
}

#[test]
fn a_daemon_of_another_version_is_restarted() {
    let Some((bed, project, there, _)) = connected() else { return };
    let told = bed.host.dir().join("told");
    let log = bed.host.dir().join("mutagen-calls");
    let wrapper = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>{log}\ncase $* in sync*) if mkdir {told} 2>/dev/null; then\n\
         echo 'Error: unable to connect to daemon: client/daemon version mismatch (daemon restart recommended)' >&2\n\
         exit 1\nfi;; esac\nexec {real} \"$@\"\n",
        log = log.display(),
        told = told.display(),
        real = steps::real_mutagen()
    );
    let file = bed.host.bin().join("mutagen");
    steps::write(&file, &wrapper);
    steps::set_mode(&file, 0o755);
    let run = steps::connect(&bed.sandbox, &project);
    let calls = steps::read(&log);
    assert!(calls.contains("daemon stop\n"), "{calls}\n{run}");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1, "{run}");
    steps::write(&project.join("top"), "after\n");
    steps::wait_text(&there.join("top"), "after\n");
}

#[test]
fn after_this_computer_was_restarted_it_goes_on_by_itself() {
    let Some((bed, project, there, _)) = connected() else { return };
    let data = bed.sandbox.home().join(".local/share/sinc/mutagen");
    let daemon = format!("MUTAGEN_DATA_DIRECTORY={}\0", data.display());
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.path();
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&daemon)
            && String::from_utf8_lossy(&line).contains("daemon\0run")
        {
            bed.sandbox.run("kill", &["-9", &entry.file_name().to_string_lossy()]).success();
        }
    }
    steps::end_shared_connection(&bed);
    if cfg!(target_os = "linux") {
        let socket = data.join("daemon/daemon.sock");
        wait_until("the daemon is gone", PATIENCE, || {
            std::os::unix::net::UnixStream::connect(&socket).is_err()
        });
    }
    let terminal = steps::attach(&bed.sandbox, &project);
    steps::write(&project.join("top"), "from here\n");
    steps::wait_text(&there.join("top"), "from here\n");
    steps::detach(terminal);
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
}
