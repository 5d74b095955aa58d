//! What is kept before something takes its place, on both sides of a real session, and bringing it back.

use std::path::{Path, PathBuf};

use sinc::backups::{Keeper, Outcome};
use sinc::process::Runner;

use crate::conflicts::apart;
use crate::listing::{as_the_person, host, tell};
use crate::support::e2e::Bed;
use crate::{documented, steps};

/// Names that are hard on shells.
const NAMES: [&str; 5] = ["plain", "d/it's $(touch pwn) \"x\"", "new\nline", "-dash", "é日本 !\\"];

fn connected(files: &[(&str, &str)]) -> Option<(Bed, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    let project = bed.project("app", files);
    steps::connect(&bed.sandbox, &project);
    let there = steps::there(&bed, "app");
    tell(&bed, &there);
    bed.sandbox.write("id", steps::session_id(&bed.sandbox));
    Some((bed, project, there))
}

#[test]
fn backups_of_both_sides_are_listed_and_brought_back() {
    let files: Vec<_> = NAMES.iter().map(|name| (*name, "old\n")).collect();
    let Some((bed, project, there)) = connected(&files) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let none = sinc(&["backups"]).success();
    assert!(none.stderr.contains("there is none"), "{none}");
    as_the_person(&bed, "backups::keeps_on_both_sides");
    for name in NAMES {
        assert!(!there.join(name).exists(), "{name}");
        steps::write(&there.join(name), "new\n");
    }
    steps::flush(&bed.sandbox);

    let listed = sinc(&["backups", "--json"]).success();
    let all = documented::data("backups", &listed.stdout)["backups"].as_array().unwrap().clone();
    assert_eq!(all.len(), 2, "{listed}");
    assert_eq!((&all[0]["side"], &all[1]["side"]), (&"local".into(), &"remote".into()));
    assert_eq!(all[1]["paths"].as_array().unwrap().len(), NAMES.len(), "{listed}");
    let text = sinc(&["backups"]).success();
    assert!(text.stdout.contains("    d/it's $(touch pwn) \"x\"\n    new?line\n"), "{text}");

    // Nobody to ask, then with an answer; from a directory of the project.
    let asked = bed.sandbox.sinc_in(&project.join("d"), &["backups", "restore", "../new\nline"]).exits(1);
    assert!(asked.stderr.contains("what is there now is kept"), "{asked}");
    for name in NAMES {
        let path = format!("../{name}");
        let run =
            bed.sandbox.sinc_in(&project.join("d"), &["backups", "restore", "--yes", "--", &path]).success();
        assert!(run.stderr.contains("  Restored"), "{run}");
        assert_eq!(
            (steps::read(&there.join(name)), steps::read(&project.join(name))),
            ("old\n".into(), "old\n".into())
        );
    }
    let json = sinc(&["backups", "restore", "plain", "--yes", "--json"]).success();
    let data = documented::data("backups restore", &json.stdout);
    assert_eq!((&data["side"], &data["synced"]), (&"remote".into(), &true.into()), "{json}");
    // The newest backup that has it is that of the first restore: a second one takes that back.
    assert_eq!(steps::read(&there.join("plain")), "new\n");
    assert_eq!(steps::read(&Path::new(data["kept"].as_str().unwrap()).join("plain")), "old\n");
    let name = all[0]["name"].as_str().unwrap();
    sinc(&["backups", "restore", "only-here", "--from", name, "--yes"]).success();
    assert_eq!(steps::read(&there.join("only-here")), "kept here\n");

    let lacks = sinc(&["backups", "restore", "nothing", "--yes"]).exits(1);
    assert!(lacks.stderr.contains("no backup has `nothing`"), "{lacks}");
    let none = sinc(&["backups", "restore", "plain", "--from", "nope", "--yes"]).exits(1);
    assert!(none.stderr.starts_with("error: there is no backup `nope`\n"), "{none}");
    let outside = sinc(&["backups", "restore", "../../x", "--yes"]).exits(2);
    assert!(outside.stderr.contains("is not in"), "{outside}");
    let tree = steps::tree(&project);
    for whole in [".", "d/..", project.to_str().unwrap()] {
        let refused = sinc(&["backups", "restore", whole, "--yes"]).exits(2);
        assert!(refused.stderr.contains("the whole project cannot be restored at once"), "{refused}");
    }
    // One file in it is not all of it.
    steps::write(&project.join("d/other"), "other\n");
    let far = all[1]["name"].as_str().unwrap();
    for args in
        [&["backups", "restore", "d", "--yes"][..], &["backups", "restore", "d", "--yes", "--from", far]]
    {
        let refused = sinc(args).exits(1);
        assert!(
            refused.stderr.contains("all of `d`, only something below it: d/it's $(touch pwn) \"x\""),
            "{refused}"
        );
    }
    assert_eq!(steps::read(&project.join("d/other")), "other\n");
    std::fs::remove_file(project.join("d/other")).unwrap();
    assert_eq!(steps::tree(&project), tree);

    // The session's end is not theirs.
    let id = steps::session_id(&bed.sandbox);
    sinc(&["kill", "--yes"]).success();
    for args in [&["backups"][..], &["backups", "--session", &id]] {
        let ended = sinc(args).success();
        assert!(ended.stdout.contains(name) && ended.stderr.contains("was ended"), "{ended}");
    }
    let refused = sinc(&["backups", "restore", "plain", "--yes"]).exits(1);
    assert!(refused.stderr.contains("`sinc --no-attach` in the project makes it again"), "{refused}");
    let never = bed.sandbox.sinc_in(&bed.project("other", &[]), &["backups"]).exits(1);
    assert!(never.stderr.contains("this directory has no session"), "{never}");
    steps::connect(&bed.sandbox, &project);
    sinc(&["backups", "restore", "plain", "--yes"]).success();

    bed.host.stop_sshd().unwrap();
    bed.host.break_connections().unwrap();
    let down = sinc(&["backups"]).success();
    assert!(down.stdout.contains(name) && down.stderr.contains("are not known"), "{down}");
}

#[test]
fn what_a_restore_replaced_in_a_conflict_stays_open_until_that_is_over() {
    let Some((bed, project, there)) = connected(&[("d/a", "old\n"), ("b", "old\n")]) else { return };
    let sinc = |args: &[&str]| bed.sandbox.sinc_in(&project, args);
    let clash = |text: &str| {
        apart(&bed, &project, || {
            steps::write(&project.join("d/a"), &format!("{text} here\n"));
            steps::write(&there.join("d/a"), &format!("{text} there\n"));
        });
    };
    // Which of them are settled, by what made them.
    let settled = |why: &str| -> Vec<bool> {
        let listed = sinc(&["backups", "--json"]).success();
        let all = documented::data("backups", &listed.stdout)["backups"].as_array().unwrap().clone();
        all.iter().filter(|one| one["why"] == why).map(|one| one["settled"] == true).collect()
    };
    clash("first");
    drop(sinc(&["resolve", "--all", "--local"]).success());
    clash("second");
    // The only copy of the host's version is in the backup now.
    let run = sinc(&["backups", "restore", "d/a", "--yes"]).success();
    assert!(run.stderr.contains("the two sides are not equal yet"), "{run}");
    assert_eq!(steps::read(&there.join("d/a")), "first there\n");
    // One, and one more for each time that a cycle was quicker.
    let all = |is: bool| {
        let settled = settled("backups restore");
        assert!(!settled.is_empty() && settled.iter().all(|&one| one == is), "{settled:?}");
    };
    all(false);
    let run = sinc(&["conflicts"]).success();
    assert!(run.stderr.contains("`backups restore` of "), "{run}");
    assert!(
        run.stderr.contains("did not make both sides equal: what it had replaced on the host ("),
        "{run}"
    );
    all(false);
    drop(sinc(&["resolve", "--all", "--remote"]).success());
    drop(sinc(&["conflicts"]).success());
    all(true);
    // A conflict elsewhere has nothing to do with it.
    apart(&bed, &project, || {
        steps::write(&project.join("b"), "here\n");
        steps::write(&there.join("b"), "there\n");
    });
    drop(sinc(&["backups", "restore", "d/a", "--yes"]).success());
    all(true);
}

#[test]
#[ignore = "the other half of a test"]
fn keeps_on_both_sides() {
    let (remote, here, there) = host();
    let id = std::fs::read_to_string(here.with_file_name("id")).unwrap();
    let runner = Runner::default();
    let state = here.with_file_name(".local").join("state/sinc");
    std::fs::write(here.join("only-here"), "kept here\n").unwrap();
    let local = Keeper::here(&runner, &state, &id, "me").unwrap();
    let utc = "2026-11-23 18:14:45";
    let kept = local.keep(here.to_str().unwrap(), "pull", 1_795_457_685, utc, &["only-here".into()]).unwrap();
    assert_eq!(kept.paths[0].1, Outcome::Kept);
    let far = Keeper::there(&remote, &id, "me");
    let paths: Vec<PathBuf> = NAMES.iter().map(PathBuf::from).collect();
    let utc = "2026-11-23 18:15:00";
    let kept = far.keep(there.to_str().unwrap(), "push", 1_795_457_700, utc, &paths).unwrap();
    assert!(kept.paths.iter().all(|(_, outcome)| *outcome == Outcome::Kept), "{kept:?}");
}
