//! What is said of a sync that is held, and what is done to it.

use std::path::PathBuf;

use crate::world::World;

/// A session that is held, as the one before left it.
#[track_caller]
fn held() -> World {
    let world = World::connected();
    assert_eq!(world.sinc(&["pause"]).code, 0);
    // Since a time that is not over yet, and no cycle that was seen before: so each run says the same.
    let held = format!(r#"{{"side":"remote","missing":812,"of":1000,"since":{}}}"#, u64::MAX);
    std::fs::remove_dir_all(world.sandbox.home().join(".local/state/sinc/checked")).unwrap();
    std::fs::write(record(&world).with_extension("held"), held).unwrap();
    world.forget_calls();
    world
}

/// Where this computer remembers the session.
fn record(world: &World) -> PathBuf {
    let dir = world.sandbox.home().join(".local/state/sinc/sessions");
    let mut files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.find(|file| file.extension().is_some_and(|end| end == "json")).unwrap()
}

#[test]
fn every_command_says_the_same_and_leaves_it_alone() {
    let mut text = String::new();
    for (args, code) in [
        (&["--no-attach", "-q"][..], 0),
        (&["status"], 0),
        (&["list"], 0),
        (&["flush"], 1),
        (&["pause"], 0),
        (&["kill"], 1),
        (&["resume"], 1),
        (&["resume", "--allow-deletions"], 1),
        (&["resume", "--allow-deletions", "--dry-run"], 0),
        (&["resume", "--restore", "--dry-run"], 0),
    ] {
        let world = held();
        let run = world.sinc(args).exits(code);
        text.push_str(&format!("$ sinc {}\n{}\n", args.join(" "), world.left(&run)));
        let changes = ["flush", "pause", "resume", "reset", "terminate", "create"];
        let changed = |call: &str| changes.iter().any(|word| call.contains(&format!("mutagen sync {word}")));
        assert!(!world.calls().lines().any(changed), "{}", world.calls());
        assert!(record(&world).with_extension("held").exists());
    }
    insta::assert_snapshot!("held", text);
}

#[test]
fn the_ways_out_in_their_order() {
    for (way, expected) in [
        ("--restore", &["reset -- sync_1", "resume -- sync_1", "flush -- sync_1"][..]),
        ("--allow-deletions", &["resume -- sync_1"]),
    ] {
        let world = held();
        drop(world.sinc(&["resume", way, "--yes"]).success());
        let calls = world.calls();
        let done: Vec<_> = calls
            .lines()
            .filter_map(|call| call.split_once("mutagen sync ").map(|(_, rest)| rest))
            .filter(|call| {
                call.ends_with("-- sync_1") && !["list", "monitor"].iter().any(|ask| call.starts_with(ask))
            })
            .collect();
        assert_eq!(done, expected, "{calls}");
        assert!(!record(&world).with_extension("held").exists());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_not_held() {
    let world = held();
    std::fs::write(record(&world).with_extension("held"), "{").unwrap();
    for args in [&["--no-attach"][..], &["resume"], &["flush"]] {
        let run = world.sinc(args).exits(1);
        assert!(run.stderr.contains(".held` is damaged"), "{run}");
    }
}
