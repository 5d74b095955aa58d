//! Where a session's directory on the host is, and what happens when it is not where it was.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::Run;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

/// A bed with a connected project of one top-level directory: the kind that an empty directory on the other side
/// would empty.
#[track_caller]
fn connected() -> Option<(Bed, PathBuf, PathBuf, String)> {
    let mut bed = Bed::new()?;
    // The link would see to it before anybody looks: tests/e2e/link.rs.
    bed.sandbox.set("SINC_LINK", "false");
    let project = bed.project("app", &[("src/one", "1\n"), ("src/two", "2\n")]);
    steps::connect(&bed.sandbox, &project);
    let (there, id) = (steps::there(&bed, "app"), steps::session_id(&bed.sandbox));
    Some((bed, project, there, id))
}

/// `sinc` refuses, the sync is paused, and nothing here is gone.
#[track_caller]
fn refused_and_paused(bed: &Bed, project: &Path) -> Run {
    let before = steps::tree(project);
    let run = bed.sandbox.sinc_in(project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("; the sync is paused"), "{run}");
    assert_eq!(steps::syncs(&bed.sandbox)[0]["paused"], true);
    assert_eq!(steps::tree(project), before);
    run
}

/// On a terminal: the one ssh says that the session is not there, and the next run goes the careful way.
#[track_caller]
fn not_where_it_was(bed: &Bed, project: &Path) {
    let terminal = Terminal::sinc(&bed.sandbox, project, &[]);
    assert_eq!(terminal.wait_exit(PATIENCE), 94, "{}", terminal.history());
    let said = terminal.history();
    assert!(said.contains("is not where this session was"), "{said}");
    assert!(said.contains("Run sinc again"), "{said}");
    wait_until("the next run will look at the host first", PATIENCE, || {
        steps::record(&bed.sandbox)["verify"] == true
    });
}

#[test]
fn a_directory_that_was_renamed_on_the_host_is_followed() {
    let Some((bed, project, there, id)) = connected() else { return };
    let session =
        steps::tmux_there(&bed, &["list-sessions", "-F", "#{session_id} #{session_created}"]).stdout;
    let moved = there.with_file_name("app renamed");
    std::fs::rename(&there, &moved).unwrap();
    wait_until("the sync has halted", PATIENCE, || {
        steps::syncs(&bed.sandbox)[0]["status"] == "halted-on-root-deletion"
    });
    steps::write(&project.join("src/here"), "edited here\n");
    steps::write(&moved.join("src/there"), "edited there\n");

    // One ssh finds it, and the process beside that ssh has the sync follow.
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("app renamed now, and the sync follows it", PATIENCE);
    steps::wait_text(&moved.join("src/here"), "edited here\n");
    steps::wait_text(&project.join("src/there"), "edited there\n");
    assert_eq!(steps::record(&bed.sandbox)["remote"], moved.to_str().unwrap());
    assert!(!there.exists());
    assert!(steps::read(&steps::claim(&bed, &id)).contains(&format!("\ndir {}\n", moved.display())));
    let now = steps::tmux_there(&bed, &["list-sessions", "-F", "#{session_id} #{session_created}"]).stdout;
    assert_eq!(now, session, "the tmux session is kept");
    assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    // And it stays there.
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(!run.stderr.contains("Followed"), "{run}");
}

#[test]
fn it_is_followed_though_the_sync_has_halted() {
    let Some((bed, project, there, _)) = connected() else { return };
    let moved = there.with_file_name("app-renamed");
    std::fs::rename(&there, &moved).unwrap();
    wait_until("the sync has halted", PATIENCE, || {
        steps::syncs(&bed.sandbox)[0]["status"] == "halted-on-root-deletion"
    });
    steps::write(&project.join("src/here"), "edited here\n");
    steps::write(&moved.join("src/there"), "edited there\n");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(run.stderr.contains("Followed"), "{run}");
    assert_eq!(steps::tree(&project), steps::tree(&moved));
    assert_eq!(steps::read(&project.join("src/there")), "edited there\n");
    assert!(!there.exists());
}

#[test]
fn it_is_followed_though_mutagen_has_made_the_old_one_again() {
    let Some((bed, project, there, _)) = connected() else { return };
    let moved = there.with_file_name("app-renamed");
    // A change here in the same cycle brings the old directory back.
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    steps::write(&project.join("src/one"), "edited here\n");
    std::fs::rename(&there, &moved).unwrap();
    steps::write(&moved.join("src/two"), "edited there\n");
    steps::mutagen(&bed.sandbox, &["sync", "resume", "--all"]).success();
    steps::wait_text(&there.join("src/one"), "edited here\n");
    // Something is in its old place: nobody guesses on the way to a terminal.
    not_where_it_was(&bed, &project);
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(run.stderr.contains("Followed"), "{run}");
    // Both sides changed since they were last alike: nothing is chosen, nothing is lost.
    let all: Vec<_> = [&project, &moved, &there].map(|dir| steps::tree(dir)).concat();
    for text in ["edited here\n", "edited there\n"] {
        assert!(all.iter().any(|(_, found)| found.as_deref() == Some(text)), "{text}: {all:?}");
    }
    assert!(run.stderr.contains("2 conflicts, left alone on both sides: src/"), "{run}");
    assert_eq!(steps::record(&bed.sandbox)["remote"], moved.to_str().unwrap());
}

#[test]
fn a_host_that_lost_its_disk_empties_nothing_here() {
    let Some((bed, project, there, id)) = connected() else { return };
    let before = steps::tree(&project);
    bed.host.wipe_disk().unwrap();
    bed.host.add_program("opencode", steps::AGENT_SAYS_WHERE).unwrap();
    not_where_it_was(&bed, &project);
    // Again and again, until a person has decided.
    for _ in 0..2 {
        let run = refused_and_paused(&bed, &project);
        assert!(run.stderr.contains(&format!("box has no trace of {id} any more")), "{run}");
        assert!(run.stderr.contains("Nothing was deleted here"), "{run}");
        assert!(run.stderr.contains(&format!("`sinc kill {id}`")), "{run}");
    }
    assert!(!there.exists(), "nothing is made in its place");
    // Not even when somebody makes it, empty.
    std::fs::create_dir_all(&there).unwrap();
    refused_and_paused(&bed, &project);
    // It is taken for the same one only with files in it.
    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--same"]).exits(1);
    assert!(run.stderr.contains("Nothing was deleted here"), "{run}");
    assert_eq!(steps::tree(&project), before);
}

#[test]
fn a_sync_that_was_forgotten_is_not_let_loose_on_an_empty_directory() {
    let Some((bed, project, there, _)) = connected() else { return };
    let before = steps::tree(&project);
    for paused in [false, true] {
        if paused {
            steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
        }
        bed.host.wipe_disk().unwrap();
        // The record is lost, Mutagen's session is not.
        std::fs::remove_file(&steps::records(&bed.sandbox)[0]).unwrap();
        steps::connect(&bed.sandbox, &project);
        assert_eq!(steps::tree(&project), before, "paused: {paused}");
        assert_eq!(steps::tree(&there), before, "paused: {paused}");
        assert_eq!(steps::syncs(&bed.sandbox).len(), 1);
    }
}

#[test]
fn another_host_at_the_same_address_is_not_filled_unasked() {
    let Some((bed, project, _, _)) = connected() else { return };
    let before = steps::tree(&project);
    bed.host.wipe_disk().unwrap();
    bed.host.replace_host_key().unwrap();
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("the key of host `box` has changed"), "{run}");
    bed.host.trust_host_key().unwrap();
    refused_and_paused(&bed, &project);
    assert_eq!(steps::tree(&project), before);
}

#[test]
fn a_claim_that_is_damaged_or_gone_is_written_again() {
    let Some((bed, project, there, id)) = connected() else { return };
    let claim = steps::claim(&bed, &id);
    let right = steps::read(&claim);
    let without_time = |text: &str| text.lines().filter(|l| !l.starts_with("written ")).collect::<String>();
    for damage in [None, Some(""), Some("id sinc-other-123456\ndir /\n"), Some("\u{1b}[2J\n\0\u{ff}")] {
        match damage {
            None => std::fs::remove_file(&claim).unwrap(),
            Some(text) => std::fs::write(&claim, text).unwrap(),
        }
        let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
        assert!(run.stderr.contains("Repaired the claim on box:"), "{damage:?}: {run}");
        assert_eq!(without_time(&steps::read(&claim)), without_time(&right), "{damage:?}");
        if let Some(text) = damage {
            assert!(run.stderr.contains("was damaged; it was moved to"), "{damage:?}: {run}");
            assert_eq!(steps::read(&claim.with_extension("damaged")), text);
        }
    }
    assert_eq!(steps::tree(&project), steps::tree(&there));
    // On a terminal the one ssh says it, and the next run mends it.
    std::fs::remove_file(&claim).unwrap();
    not_where_it_was(&bed, &project);
    steps::attach(&bed.sandbox, &project);
    assert_eq!(without_time(&steps::read(&claim)), without_time(&right));
}

#[test]
fn a_directory_without_its_marker_is_taken_only_when_a_person_says_so() {
    let Some((bed, project, there, id)) = connected() else { return };
    let marker = there.join(".sinc-session");
    std::fs::remove_file(&marker).unwrap();
    // What is missing there may be missing because it is another directory.
    steps::mutagen(&bed.sandbox, &["sync", "pause", "--all"]).success();
    std::fs::remove_file(there.join("src/two")).unwrap();
    let run = refused_and_paused(&bed, &project);
    assert!(run.stderr.contains("has lost its marker"), "{run}");
    assert!(run.stderr.contains("hint: if it is the right one, say so with `sinc --same`"), "{run}");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach", "--same"]).success();
    assert!(steps::read(&marker).starts_with(&format!("id {id}\n")), "{run}");
    assert_eq!(steps::read(&project.join("src/two")), "2\n", "not deleted here");
    assert_eq!(steps::tree(&project), steps::tree(&there));
    steps::connect(&bed.sandbox, &project);
}

#[test]
fn a_directory_with_the_marker_of_another_session_is_never_taken() {
    let Some((bed, project, there, _)) = connected() else { return };
    steps::write(&there.join(".sinc-session"), "id sinc-other-123456\n");
    for _ in 0..2 {
        let run = refused_and_paused(&bed, &project);
        assert!(run.stderr.contains("now belongs to the session sinc-other-123456"), "{run}");
        assert!(!run.stderr.contains("--same"), "{run}");
    }
    bed.sandbox.sinc_in(&project, &["--no-attach", "--same"]).exits(1);
    assert_eq!(steps::read(&there.join(".sinc-session")), "id sinc-other-123456\n");
}

#[test]
fn of_two_directories_with_the_marker_a_person_chooses() {
    let Some((bed, project, there, id)) = connected() else { return };
    // A copy beside the one that the claim names is only a copy.
    let [one, two] = ["app 1", "app-2"].map(|name| there.with_file_name(name));
    bed.sandbox.run("cp", &["-a", there.to_str().unwrap(), one.to_str().unwrap()]).success();
    steps::connect(&bed.sandbox, &project);
    std::fs::rename(&there, &two).unwrap();
    let run = refused_and_paused(&bed, &project);
    assert!(run.stderr.contains(&format!("2 directories on box carry the marker of {id}")), "{run}");
    for dir in [&one, &two] {
        assert!(run.stderr.contains(dir.to_str().unwrap()), "{run}");
    }
    std::fs::remove_file(one.join(".sinc-session")).unwrap();
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(run.stderr.contains("Followed"), "{run}");
    assert_eq!(steps::record(&bed.sandbox)["remote"], two.to_str().unwrap());
}

#[test]
fn a_file_in_the_way_is_said() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let there = steps::there(&bed, "app");
    steps::write(&there, "a file\n");
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("is there and is not a directory"), "{run}");
    assert!(run.stderr.contains("hint: move it away"), "{run}");
    std::fs::remove_file(&there).unwrap();
    std::os::unix::fs::symlink("/nowhere", &there).unwrap();
    bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert_eq!(steps::records(&bed.sandbox), Vec::<PathBuf>::new());
    std::fs::remove_file(&there).unwrap();
    steps::connect(&bed.sandbox, &project);
}

#[test]
fn a_directory_with_other_files_is_taken_only_on_request() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("same", "=\n"), ("differs", "here\n"), ("here", "1\n")]);
    let there = steps::there(&bed, "app");
    for (name, text) in [("same", "=\n"), ("differs", "there\n"), ("there", "2\n")] {
        steps::write(&there.join(name), text);
    }
    let before = (steps::tree(&project), steps::tree(&there));
    let refused = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(refused.stderr.contains("already has 3 entries in it"), "{refused}");
    let compared = "files there and here: 1 the same on both sides, 1 different, 1 only here, 1 only there";
    assert!(refused.stderr.contains(compared), "{refused}");
    assert!(refused.stderr.lines().any(|line| line.trim() == "different  differs"), "{refused}");
    assert!(refused.stderr.contains("what differs is left alone on both sides"), "{refused}");
    assert!(refused.stderr.contains("--yes"), "{refused}");
    assert_eq!((steps::tree(&project), steps::tree(&there)), before);
    assert!(!there.join(".sinc-session").exists());

    let json = bed.sandbox.sinc_in(&project, &["--no-attach", "--json"]).exits(1);
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let expected = serde_json::json!({ "entries": 3, "compared":
        { "same": 1, "different": 1, "only_here": 1, "only_there": 1, "unknown": 0, "differing": ["differs"] } });
    assert_eq!(answer["data"]["occupied"], expected, "{json}");

    // On a terminal it asks, and the first answer is no.
    let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
    terminal.wait_for("Sync this project with it?", PATIENCE);
    terminal.type_keys(&["Enter"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 1, "{}", terminal.screen());
    assert_eq!((steps::tree(&project), steps::tree(&there)), before);

    let taken = bed.sandbox.sinc_in(&project, &["--no-attach", "--yes"]).success();
    assert!(taken.stderr.contains("Took box:"), "{taken}");
    assert!(taken.stderr.contains("1 conflict, left alone on both sides: differs ("), "{taken}");
    assert_eq!(
        (steps::read(&project.join("differs")), steps::read(&there.join("differs"))),
        ("here\n".to_owned(), "there\n".to_owned())
    );
    assert_eq!(steps::read(&project.join("there")), "2\n");
    assert_eq!(steps::read(&there.join("here")), "1\n");
    // It is still said the next time.
    let again = bed.sandbox.sinc_in(&project, &["--no-attach"]).success();
    assert!(again.stderr.contains("1 conflict, left alone on both sides: differs ("), "{again}");
    assert!(!again.stderr.contains("Took"), "{again}");
}

#[test]
fn two_projects_of_one_name_have_two_directories() {
    let Some(bed) = Bed::new() else { return };
    let (one, two) = (bed.project("a/app", &[("a", "1")]), bed.project("b/app", &[("b", "2")]));
    steps::connect(&bed.sandbox, &one);
    steps::connect(&bed.sandbox, &two);
    steps::connect(&bed.sandbox, &one);
    let sessions = steps::sessions_there(&bed);
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let mut dirs: Vec<_> = std::fs::read_dir(bed.host.remote_home().join("workspace"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    dirs.sort();
    let hash = |id: &str| id.rsplit('-').next().unwrap().to_owned();
    assert!(dirs[0] == "app" && sessions.iter().any(|id| dirs[1] == format!("app-{}", hash(id))), "{dirs:?}");
    assert_eq!(steps::tree(&one), steps::tree(&steps::there(&bed, "app")));
    assert_eq!(steps::tree(&two), steps::tree(&steps::there(&bed, &dirs[1])));
}

/// A file system of its own, mounted over a directory of the host for as long as this lives.
struct Mounted<'a>(&'a Bed, PathBuf);

impl<'a> Mounted<'a> {
    /// Only root can; elsewhere the test is left out, and says so. CI insists.
    #[track_caller]
    fn over(bed: &'a Bed, dir: PathBuf, options: &str) -> Option<Self> {
        let root = bed.sandbox.run("id", &["-u"]).success().stdout.trim() == "0";
        if !root || !cfg!(target_os = "linux") {
            crate::support::e2e::left_out("only root on Linux can mount a file system");
            return None;
        }
        std::fs::create_dir_all(&dir).unwrap();
        bed.sandbox.run("mount", &["-t", "tmpfs", "-o", options, "none", dir.to_str().unwrap()]).success();
        Some(Self(bed, dir))
    }

    fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        self.0.sandbox.run("mount", &["-o", &options, self.1.to_str().unwrap()]).success();
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Lazily: the agent's shell may still be in it.
        let _ = self.0.sandbox.run("umount", &["-l", self.1.to_str().unwrap()]);
    }
}

#[test]
fn a_workspace_that_cannot_be_written_is_said() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let workspace = bed.host.remote_home().join("workspace");
    let Some(mounted) = Mounted::over(&bed, workspace, "ro,size=1m") else { return };
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(77);
    assert!(run.stderr.contains("host `box` could not prepare the session"), "{run}");
    assert!(run.stderr.contains("cannot make "), "{run}");
    assert!(run.stderr.contains("Read-only file system"), "{run}");
    assert_eq!(steps::records(&bed.sandbox), Vec::<PathBuf>::new());
    mounted.change("rw");
    steps::connect(&bed.sandbox, &project);
}

#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1"), ("big", &"x".repeat(3 << 20))]);
    let workspace = bed.host.remote_home().join("workspace");
    let Some(mounted) = Mounted::over(&bed, workspace, "size=2m") else { return };
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("the sync is not complete"), "{run}");
    assert!(run.stderr.contains("no space left on device"), "{run}");
    assert_eq!(
        steps::sessions_there(&bed),
        Vec::<String>::new(),
        "no agent in a directory that is not whole"
    );
    mounted.change("size=16m");
    let run = steps::connect(&bed.sandbox, &project);
    assert_eq!(steps::tree(&project), steps::tree(&steps::there(&bed, "app")), "{run}");
}

#[test]
fn a_full_home_leaves_no_half_claim() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let state = bed.host.remote_home().join(".local/state");
    let Some(mounted) = Mounted::over(&bed, state.clone(), "size=64k") else { return };
    bed.sandbox.run("sh", &["-c", &format!("cat /dev/zero >{}/fill", state.display())]).exits(1);
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(1);
    assert!(run.stderr.contains("is the disk full?") || run.stderr.contains("cannot make "), "{run}");
    assert!(!run.stderr.contains("I/O error"), "{run}");
    drop(std::fs::remove_file(state.join("fill")));
    let run = steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    assert!(steps::read(&steps::claim(&bed, &id)).starts_with(&format!("id {id}\n")), "{run}");
    drop(mounted);
}
