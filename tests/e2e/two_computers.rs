//! The same path on two computers of one person, and one host.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::path::{Path, PathBuf};

use crate::steps;
use crate::support::e2e::{Bed, left_out};
use crate::support::sandbox::{Run, Sandbox};

/// The second computer. Its directory is mounted over the first one's path, for its own programs only.
struct Second {
    sandbox: Sandbox,
    path: PathBuf,
    /// What is really mounted there.
    files: PathBuf,
}

impl Second {
    fn new(bed: &Bed, path: &Path) -> Option<Self> {
        let sandbox = bed.second_computer();
        let root = sandbox.run("id", &["-u"]).success().stdout.trim() == "0";
        if !root || !cfg!(target_os = "linux") {
            left_out("only root on Linux can put two directories at one path");
            return None;
        }
        let files = sandbox.project("files");
        Some(Self { sandbox, path: path.to_owned(), files })
    }

    #[track_caller]
    fn sinc(&self, args: &[&str]) -> Run {
        let script = "mount --bind \"$1\" \"$2\" && cd \"$2\" && shift 2 && exec \"$@\"";
        let fixed = [
            "-m",
            "sh",
            "-c",
            script,
            "sh",
            self.files.to_str().unwrap(),
            self.path.to_str().unwrap(),
            Sandbox::binary().to_str().unwrap(),
        ];
        self.sandbox.run("unshare", &[&fixed[..], args].concat())
    }
}

#[test]
fn is_refused_until_a_person_says_that_it_is_the_same() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("one", "1\n"), ("both", "first\n")]);
    let first = steps::connect(&bed.sandbox, &project);
    assert!(!first.stderr.contains("also synced by"), "{first}");
    let id = steps::session_id(&bed.sandbox);
    let there = steps::there(&bed, "app");
    let Some(second) = Second::new(&bed, &project) else { return };
    steps::write(&second.files.join("two"), "2\n");
    steps::write(&second.files.join("both"), "second\n");
    let before = steps::tree(&second.files);
    for _ in 0..2 {
        let run = second.sinc(&["--no-attach"]).exits(1);
        assert!(
            run.stderr.contains(&format!("the session {id} on box belongs to another computer: ")),
            "{run}"
        );
        assert!(run.stderr.contains(&format!(" {}", project.display())), "{run}");
        assert!(run.stderr.contains("the same project, synced by both: `sinc --same`"), "{run}");
        assert!(run.stderr.contains("with a session of its own: `sinc --separate`"), "{run}");
        assert_eq!(steps::tree(&second.files), before);
        assert!(!there.join("two").exists());
    }

    let run = second.sinc(&["--no-attach", "--same"]).success();
    assert!(run.stderr.contains("also synced by "), "{run}");
    assert!(run.stderr.contains("1 conflict, left alone on both sides: both ("), "{run}");
    steps::wait_text(&there.join("two"), "2\n");
    steps::wait_text(&project.join("two"), "2\n");
    assert_eq!(steps::read(&second.files.join("one")), "1\n");
    assert_eq!(steps::read(&second.files.join("both")), "second\n");
    // Both go on, and each says so.
    steps::write(&second.files.join("two"), "changed on the second\n");
    steps::wait_text(&project.join("two"), "changed on the second\n");
    steps::write(&project.join("one"), "changed on the first\n");
    steps::wait_text(&second.files.join("one"), "changed on the first\n");
    for run in [second.sinc(&["--no-attach"]).success(), steps::connect(&bed.sandbox, &project)] {
        assert!(run.stderr.contains("also synced by "), "{run}");
    }
    assert_eq!(steps::sessions_there(&bed), [id]);
}

#[test]
fn or_that_it_is_another_which_is_remembered() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("one", "1\n")]);
    steps::connect(&bed.sandbox, &project);
    let id = steps::session_id(&bed.sandbox);
    let Some(second) = Second::new(&bed, &project) else { return };
    steps::write(&second.files.join("two"), "2\n");
    let run = second.sinc(&["--no-attach", "--separate"]).success();
    let own = steps::session_id(&second.sandbox);
    assert_ne!(own, id);
    assert!(run.stderr.contains(&format!("Separate session {own} for this computer")), "{run}");
    let hash = own.rsplit('-').next().unwrap();
    let there = steps::there(&bed, &format!("app-{hash}"));
    assert_eq!(steps::tree(&there), steps::tree(&second.files));
    assert_eq!(steps::tree(&steps::there(&bed, "app")), steps::tree(&project));
    assert!(!project.join("two").exists());
    // From then on without a word.
    let run = second.sinc(&["--no-attach"]).success();
    assert!(!run.stderr.contains("belongs to another"), "{run}");
    assert_eq!(steps::session_id(&second.sandbox), own);
    let run = steps::connect(&bed.sandbox, &project);
    assert!(!run.stderr.contains("also synced by"), "{run}");
    assert_eq!(steps::sessions_there(&bed).len(), 2);
}

#[test]
fn is_asked_too_when_the_first_has_ended_its_session() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("one", "1\n")]);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    let Some(second) = Second::new(&bed, &project) else { return };
    steps::write(&second.files.join("two"), "2\n");
    bed.sandbox.sinc_in(&project, &["kill", "--yes"]).success();
    let run = second.sinc(&["--no-attach"]).exits(1);
    assert!(run.stderr.contains("belongs to another computer: "), "{run}");
    assert!(!there.join("two").exists());
    // The one that ended it comes back without being asked.
    steps::connect(&bed.sandbox, &project);
}
