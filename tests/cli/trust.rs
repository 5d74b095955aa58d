//! What the project's own files newly say counts at once where it keeps more files at home, and waits for
//! `sinc trust` where it would send some.

use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::terminal::Terminal;
use crate::world::World;

/// A project that has been connected to with these lines in `.sincignore`.
#[track_caller]
fn with_ignores(lines: &str) -> World {
    World::connected_with(&[(".sincignore", lines)])
}

/// What is ignored now, as the newest settings of Mutagen say, without what always is.
#[track_caller]
fn ignored(world: &World) -> Vec<String> {
    drop(world.sinc(&["--no-attach"]).success());
    let settings = world.sandbox.home().join(".local/share/sinc/mutagen");
    let mut files: Vec<_> = std::fs::read_dir(settings)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
    let text = std::fs::read_to_string(files.last().unwrap()).unwrap();
    text.lines().filter(|line| line.contains("mine-")).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn the_first_time_there_is_nothing_to_wait_for() {
    let world = with_ignores("mine-a\nmine-b\n");
    assert_eq!(ignored(&world), ["- \"mine-a\"", "- \"mine-b\""]);
    let run = world.sinc(&["trust"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    --- stderr
       Trusted $HOME/app: nothing waits
    ");
}

#[test]
fn a_new_pattern_counts_at_once() {
    let world = with_ignores("mine-a\n");
    world.sandbox.write("app/.sincignore", "mine-a\nmine-b\n");
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    session   sinc-app-[hash] on box
    sync      synced (last cycle just now, 2 cycles)
    terminal  detached
    agent     opencode running
    local     ~/app
    remote    box:/home/dev/workspace/app
    link      ssh, polling 2s
    --- stderr
    Connecting to box
       Renewed the sync, with the new settings
        Synced 3 files, 1.21 KiB, in [time] s
    ");
    assert_eq!(ignored(&world), ["- \"mine-a\"", "- \"mine-b\""]);
}

#[test]
fn a_pattern_that_is_gone_waits_until_it_is_accepted() {
    let world = with_ignores("mine-a\nmine-b\n");
    world.sandbox.write("app/.sincignore", "mine-b\nmine-c\n!mine-b\n");
    let run = world.sinc(&["--no-attach"]).success();
    insta::assert_snapshot!("waiting", world.seen(&run));
    let still = ignored(&world);
    assert!(
        still.contains(&"- \"mine-a\"".to_owned()) && still.contains(&"- \"mine-c\"".to_owned()),
        "{still:?}"
    );
    assert!(!still.iter().any(|line| line.contains('!')), "{still:?}");

    // Shown, it is not accepted.
    let shown = world.sinc(&["trust", "--show"]).success();
    insta::assert_snapshot!(shown.snapshot(), @"
    exit code: 0
    --- stdout
      `!mine-b` (.sincignore, line 3) brings back what is ignored: files called `mine-b` would be sent
      `mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent
    --- stderr
    The files of $HOME/app would newly do this:
    ");
    assert_eq!(ignored(&world), still);

    // Nobody is there to accept it.
    let run = world.sinc(&["trust"]).exits(1);
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 1
    --- stdout
      `!mine-b` (.sincignore, line 3) brings back what is ignored: files called `mine-b` would be sent
      `mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent
    --- stderr
    The files of $HOME/app would newly do this:
    error: this needs an answer, and there is no terminal to ask on: Accept these 2 changes?

    hint: answer it with `--yes`, or run it on a terminal
    ");
    assert_eq!(ignored(&world), still);

    // In a dry run it is not either.
    drop(world.sinc(&["trust", "--yes", "--dry-run"]));
    assert_eq!(ignored(&world), still);

    let run = world.sinc(&["trust", "--yes"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
      `!mine-b` (.sincignore, line 3) brings back what is ignored: files called `mine-b` would be sent
      `mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent
    --- stderr
    The files of $HOME/app would newly do this:
      Accepted 2 changes; the next `sinc` in this project goes by them
    ");
    assert_eq!(ignored(&world), ["- \"mine-b\"", "- \"mine-c\"", "- \"!mine-b\""]);
    let run = world.sinc(&["--no-attach"]).success();
    assert!(!run.stderr.contains("trust"), "{run}");
}

#[test]
fn what_waits_is_json_where_json_is_wanted() {
    let world = with_ignores("mine-a\n");
    world.sandbox.write("app/.sincignore", "");
    let shown = |args: &[&str]| {
        let run = world.sinc(args).success();
        assert_eq!(run.stderr, "", "{run}");
        world.normal(&run.stdout)
    };
    insta::assert_snapshot!(shown(&["trust", "--json"]), @r#"{"command":"trust","data":{"accepted":false,"changes":["`mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent"],"project":"$HOME/app"},"ok":true,"version":1}"#);
    insta::assert_snapshot!(shown(&["trust", "--json", "--show", "--yes"]), @r#"{"command":"trust","data":{"accepted":false,"changes":["`mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent"],"project":"$HOME/app"},"ok":true,"version":1}"#);
    insta::assert_snapshot!(shown(&["trust", "--json", "--yes"]), @r#"{"command":"trust","data":{"accepted":true,"changes":["`mine-a` is no longer ignored (it was in .sincignore, line 1): files that it keeps here would be sent"],"project":"$HOME/app"},"ok":true,"version":1}"#);
    insta::assert_snapshot!(shown(&["trust", "--json"]), @r#"{"command":"trust","data":{"accepted":true,"changes":[],"project":"$HOME/app"},"ok":true,"version":1}"#);
}

#[test]
fn an_agent_that_the_person_does_not_have_waits() {
    let world = with_ignores("");
    world.sandbox.write("app/.sinc.toml", "default-agent = \"evil\"\n");
    let run = world.sinc(&["--no-attach"]).success();
    assert!(world.calls().contains("opencode") && !world.calls().contains("evil"), "{run}");
    let run = world.sinc(&["trust", "--show"]).success();
    insta::assert_snapshot!(run.stdout, @"  the agent `evil` would be started, which your own configuration does not have");
    // One that the person knows counts at once.
    world.forget_calls();
    world.sandbox.write("app/.sinc.toml", "default-agent = \"claude\"\n");
    drop(world.sinc(&["--no-attach"]).success());
    assert!(world.calls().contains("claude"), "{}", world.calls());
}

#[test]
fn gitignore_counts_when_it_is_turned_on_and_off_again_waits() {
    let world = with_ignores("");
    world.sandbox.write("app/.gitignore", "mine-git\n");
    world.sandbox.write("app/.sinc.toml", "[sync]\ngitignore = true\n");
    assert_eq!(ignored(&world), ["- \"mine-git\""]);
    world.sandbox.write("app/.gitignore", "# nothing\n");
    assert_eq!(ignored(&world), ["- \"mine-git\""]);
    world.sandbox.write("app/.sinc.toml", "");
    assert_eq!(ignored(&world), ["- \"mine-git\""]);
    let run = world.sinc(&["trust", "--show"]).success();
    insta::assert_snapshot!(run.stdout, @"  `gitignore` is off now: files that .gitignore keeps here would be sent");
    drop(world.sinc(&["trust", "--yes"]).success());
    assert!(ignored(&world).is_empty());
}

#[test]
fn a_person_at_a_terminal_is_asked_and_no_is_the_answer_that_enter_gives() {
    if !have(&["tmux"]) {
        return;
    }
    let world = with_ignores("dist\nsecrets\n");
    world.sandbox.write("app/.sincignore", "dist\n");
    for (word, code, says) in [("", 1, "nothing was accepted"), ("y", 0, "Accepted 1 change")] {
        let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["trust"]);
        terminal.wait_for("Accept this change?", PATIENCE);
        terminal.type_line(word);
        assert_eq!(terminal.wait_exit(PATIENCE), code, "{}", terminal.history());
        assert!(terminal.history().contains(says), "{}", terminal.history());
    }
    assert!(world.sinc(&["trust"]).success().stderr.contains("nothing waits"));
}
