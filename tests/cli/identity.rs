//! Which directory is meant, and which are refused. `--dry-run` shows it without a host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::world::World;

/// What a refused run says, and that it ran and made nothing.
#[track_caller]
fn refused(world: &World, dir: &Path, args: &[&str]) -> String {
    let run = world.sandbox.sinc_in(dir, args).exits(1);
    assert_eq!(world.calls(), "", "{run}");
    assert_eq!(run.stdout, "", "{run}");
    world.normal(&run.stderr)
}

#[test]
fn from_a_subdirectory_it_is_the_parents_session_and_that_is_said() {
    let world = World::connected();
    let below = world.sandbox.project("app/src/deep");
    let run = world.sandbox.sinc_in(&below, &["--no-attach"]).success();
    let first = world.normal(run.stderr.lines().next().unwrap());
    insta::assert_snapshot!(first, @"           this is a part of $HOME/app (session sinc-app-[hash])");
    assert!(world.calls().contains(&world.normal(&world.id())));
}

#[test]
fn a_project_file_in_a_parent_makes_it_the_project() {
    let world = World::new();
    world.sandbox.write("app/.sinc.toml", "");
    let below = world.sandbox.project("app/src");
    let run = world.sandbox.sinc_in(&below, &["--dry-run"]).success();
    assert!(run.stderr.contains(&format!("(session {})", world.id())), "{run}");
    assert!(run.stdout.contains(&world.id()), "{run}");
}

#[test]
fn a_session_inside_of_another_is_refused() {
    let world = World::connected();
    world.sandbox.write("app/inner/.sinc.toml", "");
    insta::assert_snapshot!(refused(&world, &world.project().join("inner"), &["--no-attach"]), @"
    error: `$HOME/app/inner` lies inside `$HOME/app`, which the session sinc-app-[hash] already syncs

    hint: end the outer session with `sinc kill sinc-app-[hash]`
    ");
}

#[test]
fn a_session_around_another_is_refused() {
    let world = World::connected();
    let outer = world.sandbox.project("work");
    let inner = world.sandbox.project("work/inner");
    drop(world.sandbox.sinc_in(&inner, &["--no-attach"]).success());
    world.forget_calls();
    insta::assert_snapshot!(refused(&world, &outer, &["--no-attach"]), @"
    error: `$HOME/work` contains `$HOME/work/inner`, which the session sinc-inner-[hash] already syncs

    hint: end the inner session with `sinc kill sinc-inner-[hash]`
    ");
}

#[test]
fn a_directory_that_nobody_means_is_refused_with_the_reason() {
    let world = World::new();
    let home = world.sandbox.home();
    let mut text = String::new();
    let ssh = world.sandbox.project(".ssh");
    for dir in [&home, &ssh, Path::new("/"), Path::new("/tmp"), Path::new("/usr/lib"), &world.sandbox.tmp()] {
        text.push_str(&refused(&world, dir, &["--no-attach"]));
    }
    insta::assert_snapshot!("refused-directories", text);
}

#[test]
fn force_takes_a_directory_that_nobody_means() {
    let world = World::new();
    let run = world.sandbox.sinc(&["--force", "--dry-run"]).success();
    assert!(run.stdout.contains("sinc-home-"), "{run}");
}

#[test]
fn a_path_that_no_tool_can_carry_is_refused_whatever_is_insisted_on() {
    let world = World::new();
    let mut text = String::new();
    for name in [&b"new\nline"[..], b"bell\x07", b"\x1b[2J", b"latin-\xe9"] {
        let dir = world.sandbox.home().join(OsStr::from_bytes(name));
        if std::fs::create_dir(&dir).is_err() {
            // APFS takes only UTF-8.
            continue;
        }
        let said = refused(&world, &dir, &["--no-attach"]);
        assert_eq!(refused(&world, &dir, &["--no-attach", "--force"]), said);
        text.push_str(&said);
    }
    insta::assert_snapshot!("refused-paths", text);
}

#[test]
fn a_link_and_the_real_path_are_one_session() {
    let world = World::connected();
    let link = world.sandbox.home().join("link");
    std::os::unix::fs::symlink(world.project(), &link).unwrap();
    let run = world.sandbox.sinc_in(&link, &["--new", "--no-attach"]).exits(1);
    assert!(run.stderr.contains(&world.id()), "{run}");
    assert!(run.stderr.contains("exists already"), "{run}");
}

#[test]
fn two_projects_of_one_name_are_two_sessions() {
    let world = World::connected();
    let other = world.sandbox.project("old/app");
    let run = world.sandbox.sinc_in(&other, &["--dry-run"]).success();
    assert!(run.stdout.contains("sinc-app-") && !run.stdout.contains(&world.id()), "{run}");
}

#[test]
fn a_name_with_anything_in_it_reaches_the_host_quoted_and_the_session_plain() {
    let world = World::new();
    let dir = world.sandbox.project("-it's a $(touch pwn) `id` \"q\" #{host} !x \\ü");
    let run = world.sandbox.sinc_in(&dir, &["--no-attach"]).success();
    let calls = world.calls();
    insta::assert_snapshot!("any-name", world.seen(&run));
    assert!(!world.sandbox.home().join("pwn").exists() && !dir.join("pwn").exists(), "{calls}");
}
