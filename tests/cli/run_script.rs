//! `tests/run.sh`: what it runs, and that nothing that failed or was left out looks green.

use crate::repo::Repo;
use crate::support::fakes::Answer;

/// A checkout with `tests/run.sh`, on a computer where all tools are there, as `get-tools.sh` then says by its silence,
/// and all tests pass.
fn checkout() -> Repo {
    let repo = Repo::new();
    repo.script_of_the_tests("run.sh");
    repo.sandbox.write(repo.dir.join("install/get-tools.sh"), "#!/bin/sh\n");
    repo.on("cargo fmt *", "true").on("cargo clippy *", "true").on("cargo test *", "true");
    repo
}

/// Its lines after the last heading, without the times.
fn summary(stdout: &str) -> String {
    let (_, summary) = stdout.rsplit_once("=== summary\n").unwrap_or_else(|| panic!("no summary: {stdout}"));
    let lines = summary.lines().map(|line| match line.rsplit_once("  ") {
        Some((step, time)) if time.ends_with(" s") => step.trim_end(),
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn each_step_runs_and_is_named() {
    let repo = checkout();
    let run = repo.run_tests(&["fmt", "clippy", "test", "faults"], &[]).success();
    insta::assert_snapshot!(summary(&run.stdout), @"
    tools        ok
    fmt          ok
    clippy       ok
    test         ok
    faults       ok
    all passed
    ");
    insta::assert_snapshot!(repo.calls("cargo"), @"
    $ cargo --version
    $ cargo fmt --check
    $ cargo clippy --all-targets --all-features --locked -- -D warnings
    $ cargo test --locked --all-features --no-fail-fast --lib --bins --test cli --
    $ cargo test --locked --all-features --doc
    $ cargo test --locked --all-features --test e2e --
    $ cargo test --locked --all-features --test faults -- --skip git::
    $ cargo test --locked --all-features --test faults -- git::with_git_nothing_is_ever_lost
    ");
}

#[test]
fn a_step_that_fails_stops_no_other_and_fails_the_whole() {
    let repo = checkout();
    repo.fakes.on("cargo fmt *", Answer::fails(1, "Diff in src/main.rs\n"));
    repo.fakes.on("cargo test *--lib*", Answer::fails(101, "error: test failed\n"));
    let run = repo.run_tests(&["fmt", "test", "faults"], &[]).exits(1);
    insta::assert_snapshot!(summary(&run.stdout), @"
    tools        ok
    fmt          FAILED
    test         FAILED
    faults       ok
    FAILED
    ");
    assert!(run.stderr.contains("Diff in src/main.rs"), "{run}");
}

#[test]
fn a_test_that_passes_when_it_runs_once_more_is_named_and_one_that_does_not_fails() {
    let repo = checkout();
    let failed = "test link::a ... ok\ntest link::b ... FAILED\n";
    let first = Answer { stdout: failed.to_owned(), code: 101, once: true, ..Answer::default() };
    repo.fakes.on("cargo test *--test e2e*", first.clone());
    let run = repo.run_tests(&["test"], &[]).success();
    insta::assert_snapshot!(summary(&run.stdout), @"
    tools        ok
    test         ok
    flaky: link::b failed, and passed when it was run once more
    all passed
    ");
    assert!(repo.calls("cargo test").ends_with("--test e2e -- --exact link::b\n"), "{}", repo.calls("cargo"));

    let repo = checkout();
    repo.fakes.on("cargo test *--test e2e*", Answer { once: false, ..first });
    let run = repo.run_tests(&["test"], &[]).exits(1);
    assert!(summary(&run.stdout).ends_with("FAILED\n"), "{run}");
}

#[test]
fn more_than_five_that_fail_are_no_slow_moment() {
    let repo = checkout();
    let failed: String = (0..6).map(|n| format!("test link::t{n} ... FAILED\n")).collect();
    repo.fakes
        .on("cargo test *--test e2e*", Answer { stdout: failed, code: 101, once: true, ..Answer::default() });
    let run = repo.run_tests(&["test"], &[]).exits(1);
    assert!(!run.stdout.contains("once more"), "{run}");
}

#[test]
fn what_is_left_out_is_named_and_fails_in_ci() {
    // Its user is not root, and sudo wants a password.
    let left_out = |ci: &[&str]| {
        let repo = checkout();
        repo.fakes.on("sudo -n *", Answer::fails(1, "sudo: a password is required\n"));
        repo.run_tests(&["bed"], ci)
    };
    let run = left_out(&[]).success();
    insta::assert_snapshot!(summary(&run.stdout), @"
    tools        ok
    bed          left out
    left out: tests/bed/: the test bed needs root, or sudo without a password
    passed, but for what was left out
    ");
    let run = left_out(&["CI=true"]).exits(1);
    insta::assert_snapshot!(summary(&run.stdout), @"
    tools        ok
    bed          left out
    left out: tests/bed/: the test bed needs root, or sudo without a password
    FAILED
    ");
}

#[test]
fn a_tool_that_cannot_be_had_fails_before_any_test() {
    let repo = Repo::new();
    repo.script_of_the_tests("run.sh");
    repo.without(&["tmux"]);
    repo.on("apt-get *install*", "echo 'E: Unable to locate package tmux' >&2; exit 100");
    let run = repo.run_tests(&["--yes", "fmt", "test"], &[]).exits(1);
    assert!(run.stderr.ends_with("FAILED: tools are missing\n"), "{run}");
    assert_eq!(repo.calls("cargo test") + &repo.calls("cargo fmt"), "");
}

#[test]
fn an_unknown_step_is_told_before_anything_runs() {
    let repo = checkout();
    let run = repo.run_tests(&["tset"], &[]).exits(2);
    assert_eq!(run.stderr, "run.sh: what is 'tset'? See --help\n");
    assert_eq!(repo.calls("cargo"), "");
}
