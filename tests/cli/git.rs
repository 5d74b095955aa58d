//! What is said of git without asking a host for it: settings that lead into the project, modes in which it is not shared.

use crate::world::World;

/// Runs git in the project.
#[track_caller]
fn git(world: &World, words: &[&str]) {
    let project = world.project();
    let all = [&["-C", project.to_str().unwrap()], words].concat();
    drop(world.sandbox.run("git", &all).success());
}

/// What the doctor says of git here, line by line.
#[track_caller]
fn findings(world: &World) -> Vec<String> {
    let run = world.sinc(&["doctor"]);
    let text = world.normal(&run.stdout);
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let of_git = |line: &String| line.contains("  git") && !line.contains("git on the host");
    let at = |(n, line): (usize, &String)| of_git(line).then_some(n);
    let found = lines.iter().enumerate().filter_map(at);
    found
        .flat_map(|n| {
            lines[n..].iter().enumerate().take_while(|(m, line)| *m == 0 || line.starts_with("    "))
        })
        .map(|(_, line)| line.clone())
        .collect()
}

#[test]
fn the_doctor_names_what_could_run_what_the_host_writes_until_it_is_mended() {
    let world = World::connected_with(&[(
        "team.gitconfig",
        "[core]\n\tfsmonitor = \"./tools/\u{1b}[2Jwatch --fast\"\n",
    )]);
    git(&world, &["init", "-q"]);
    git(&world, &["config", "core.hooksPath", ".husky"]);
    git(&world, &["config", "include.path", "../team.gitconfig"]);
    let asked = "warning  git: it takes a directory that looks like a repository for one: what the host writes could run here";
    let setting = |text: &str| {
        [
            format!(
                "warning  git in $HOME/app: {text} lies in the project: what the host writes there runs here"
            ),
            "         mend it: keep it outside of the project, or unset it (`git config --unset`)".to_owned(),
        ]
    };
    let mut expected = vec![
        asked.to_owned(),
        "         mend it: `git config --global safe.bareRepository explicit`".to_owned(),
    ];
    expected.extend(setting("core.hookspath = .husky"));
    expected.extend(setting("include.path = ../team.gitconfig"));
    expected.extend(setting("core.fsmonitor = ./tools/?[2Jwatch --fast"));
    assert_eq!(findings(&world), expected);
    // What mends it does.
    git(&world, &["config", "--global", "safe.bareRepository", "explicit"]);
    git(&world, &["config", "--unset", "core.hooksPath"]);
    git(&world, &["config", "--unset", "include.path"]);
    assert_eq!(
        findings(&world),
        ["ok       git: it takes no directory in a project for a repository by itself"]
    );
    // One that does not know the setting takes no notice of it.
    let real = which::which("git").unwrap();
    let old = format!(
        "#!/bin/sh\ncase $1 in version) echo git version 2.37.1;; *) exec {} \"$@\";; esac\n",
        real.display()
    );
    world.sandbox.write_program(world.sandbox.bin().join("git"), &old);
    let found = findings(&world);
    assert!(found[0].ends_with("could run here; 2.37 cannot be told not to"), "{found:?}");
    assert!(found[1].contains("update git"), "{found:?}");
}

#[test]
fn in_a_mode_that_does_not_go_both_ways_git_is_not_shared_and_that_is_said() {
    let mut world = World::connected();
    git(&world, &["init", "-q"]);
    world.forget_calls();
    for mode in
        ["one-way-safe", "one-way-replica", "one-way-safe-from-host", "one-way-replica-from-host", "none"]
    {
        world.sandbox.set("SINC_MODE", mode);
        let run = world.sinc(&["git"]).success();
        assert_eq!(
            run.stdout, "git       not shared: only in the modes that go both ways\n",
            "{mode}: {run}"
        );
        let run = world.sinc(&["git", "join"]).exits(1);
        assert!(
            run.stderr.contains("git: it is not shared: only in the modes that go both ways"),
            "{mode}: {run}"
        );
    }
    assert!(!world.calls().contains("$ ssh"), "{}", world.calls());
}
