//! What goes wrong before there is a session: each failure with its words, its advice and its code.

use crate::support::fakes::Answer;
use crate::world::{BOOTSTRAP, MAKE, World, host_says};

/// What OpenSSH 9.2 writes.
const SSH_SAYS: &[(&str, &str)] = &[
    ("no such name", "ssh: Could not resolve hostname box.example: Name or service not known\r\n"),
    ("refused", "ssh: connect to host 203.0.113.7 port 22: Connection refused\r\n"),
    ("timed out", "ssh: connect to host 203.0.113.7 port 22: Connection timed out\r\n"),
    (
        "no banner",
        "Connection timed out during banner exchange\r\nConnection to 203.0.113.7 port 22 timed out\r\n",
    ),
    ("no route", "ssh: connect to host 203.0.113.7 port 22: No route to host\r\n"),
    ("no network", "ssh: connect to host 2001:db8::7 port 22: Network is unreachable\r\n"),
    (
        "key unknown",
        "No ED25519 host key is known for 203.0.113.7 and you have requested strict checking.\r\n\
         Host key verification failed.\r\n",
    ),
    (
        "key changed",
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
         @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n\
         @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
         IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n\
         Someone could be eavesdropping on you right now (man-in-the-middle attack)!\r\n\
         It is also possible that a host key has just been changed.\r\n\
         The fingerprint for the ED25519 key sent by the remote host is\n\
         SHA256:Gx1D8kSPlmnyWJxR9X4uHCZ1vV2aXzQvDbRGPxSpZ4g.\r\n\
         Please contact your system administrator.\r\n\
         Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.\r\n\
         Offending ED25519 key in /home/me/.ssh/known_hosts:3\r\n\
           remove with:\r\n\
           ssh-keygen -f \"/home/me/.ssh/known_hosts\" -R \"203.0.113.7\"\r\n\
         Host key for 203.0.113.7 has changed and you have requested strict checking.\r\n\
         Host key verification failed.\r\n",
    ),
    ("login refused", "dev@203.0.113.7: Permission denied (publickey,password).\r\n"),
    (
        "too many keys",
        "Received disconnect from 203.0.113.7 port 22:2: Too many authentication failures\r\n\
         Disconnected from 203.0.113.7 port 22\r\n",
    ),
    (
        "configuration",
        "/home/me/.ssh/config: line 3: Bad configuration option: hostnam\r\n\
         /home/me/.ssh/config: terminating, 1 bad configuration options\r\n",
    ),
    ("configuration open to others", "Bad owner or permissions on /home/me/.ssh/config\r\n"),
    ("line lost", "Timeout, server 203.0.113.7 not responding.\r\n"),
    (
        "closed",
        "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 203.0.113.7 port 22\r\n",
    ),
    ("reset", "Connection reset by 203.0.113.7 port 22\r\n"),
    ("dead master", "mux_client_request_session: read from master failed: Broken pipe\r\n"),
    ("something new", "ssh: the \u{1b}[31mmoon\u{1b}[0m is in the way\r\n"),
    ("nothing", ""),
];

#[test]
fn each_failure_of_ssh_is_told_apart() {
    let mut text = String::new();
    for (name, said) in SSH_SAYS {
        let world = World::new();
        world.fakes.on(BOOTSTRAP, Answer::fails(255, said));
        let run = world.sinc(&["--no-attach"]).exits(76);
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.contains(['\x1b', '\r']), "{run}");
        assert!(!world.calls().contains("sync create"), "{}", world.calls());
        text.push_str(&format!("{name}\n{}\n", world.normal(&run.stderr)));
    }
    insta::assert_snapshot!("ssh", text);
}

#[test]
fn a_failure_is_json_where_json_is_wanted() {
    let world = World::new();
    world.fakes.on(BOOTSTRAP, Answer::fails(255, SSH_SAYS[1].1));
    let run = world.sinc(&["--no-attach", "--json"]).exits(76);
    assert_eq!(run.stderr, "");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    insta::assert_snapshot!(format!("{json:#}"), @r#"
    {
      "command": "connect",
      "error": {
        "causes": [],
        "code": 76,
        "hints": [
          "is the host up, and is this its ssh port? Another one: `ssh://user@address:port`"
        ],
        "kind": "connect",
        "message": "host `box` refuses connections: no ssh server listens there\n  ssh: connect to host 203.0.113.7 port 22: Connection refused"
      },
      "ok": false,
      "version": 1
    }
    "#);
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let world = World::new();
    let run = world.sinc(&["--no-attach", "--quiet"]).success();
    assert_eq!(run.stderr, "", "{run}");
    world.fakes.on(BOOTSTRAP, Answer::fails(255, SSH_SAYS[1].1));
    let run = world.sinc(&["--no-attach", "--quiet"]).exits(76);
    assert!(run.stderr.starts_with("error: "), "{run}");
}

#[test]
fn colour_where_it_is_wanted() {
    let mut world = World::new();
    world.fakes.on(BOOTSTRAP, Answer::fails(255, SSH_SAYS[1].1));
    let coloured = |world: &World, args: &[&str]| world.sinc(args).exits(76).stderr.contains('\x1b');
    assert!(!coloured(&world, &["--no-attach"]), "it is not a terminal");
    assert!(coloured(&world, &["--no-attach", "--color", "always"]));
    assert!(!coloured(&world, &["--no-attach", "--color", "never"]));
    world.sandbox.set("NO_COLOR", "1");
    assert!(coloured(&world, &["--no-attach", "--color=always"]), "a flag says more than a variable");
    let plain = |text: &str| {
        let mut rest = text.to_owned();
        while let Some(start) = rest.find('\x1b') {
            let end = rest[start..].find('m').unwrap();
            rest.replace_range(start..=start + end, "");
        }
        rest
    };
    let always = world.sinc(&["--no-attach", "--color", "always"]).exits(76).stderr;
    assert_eq!(plain(&always), world.sinc(&["--no-attach"]).exits(76).stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let world = World::new();
    let sinc = crate::support::sandbox::Sandbox::binary().display().to_string();
    for words in ["config", "completions bash", "man", "--help", "--version", "--dry-run", "stauts"] {
        // The reader is gone before anything is written.
        let script = format!("cd app; {{ sleep 0.1; '{sinc}' {words} 2>err; echo $? >code; }} | true");
        drop(world.sandbox.run("sh", &["-c", &script]).success());
        let expected = if words == "stauts" { "2\n" } else { "0\n" };
        assert_eq!(world.sandbox.read("app/code"), expected, "{words}");
        let said = world.sandbox.read("app/err");
        assert!(!said.contains("pipe") && !said.contains("panicked"), "{words}: {said}");
    }
    // Nobody who hears what is said either.
    let script = format!("cd app; {{ sleep 0.1; '{sinc}' --no-attach; echo $? >code; }} 2>&1 | true");
    drop(world.sandbox.run("sh", &["-c", &script]).success());
    assert_eq!(world.sandbox.read("app/code"), "0\n");
    let script = format!("cd app; '{sinc}' --no-attach >/dev/null 2>&-");
    drop(world.sandbox.run("sh", &["-c", &script]).success());
}

#[test]
fn ssh_is_not_installed() {
    let world = World::new();
    std::fs::remove_file(world.sandbox.bin().join("ssh")).unwrap();
    let run = world.sinc(&["--no-attach"]).exits(69);
    let said = world.normal(&run.stderr).replace("brew install openssh", "…");
    insta::assert_snapshot!(said.replace(", on Debian or Ubuntu with `sudo apt-get install openssh-client`", " with `…`"), @"
    Connecting to box
    error: could not prepare the session on the host: `ssh` was not found

    hint: install it with `…`
    ");
}

#[test]
fn tmux_on_the_host_is_missing_or_too_old() {
    let mut text = String::new();
    for version in ["none", "tmux 2.9a", "tmux openbsd-6.6"] {
        let world = World::new();
        let says = host_says("how new\n");
        world.fakes.on(BOOTSTRAP, Answer { stdout: says.stdout.replace("tmux 3.3a", version), ..says });
        let run = world.sinc(&["--no-attach"]).exits(1);
        assert!(!world.calls().contains("sync create"), "{}", world.calls());
        text.push_str(&world.normal(&run.stderr));
    }
    insta::assert_snapshot!(text, @"
    Connecting to box
    error: tmux is not installed on box

    hint: install it with `ssh dev@203.0.113.7 sudo apt-get install tmux`
    Connecting to box
    error: tmux 2.9a on box is too old: sinc needs 3.0

    hint: upgrade tmux on the host
    Connecting to box
    error: tmux openbsd-6.6 on box is too old: sinc needs 3.0

    hint: upgrade tmux on the host
    ");
}

#[test]
fn tmux_on_the_host_fails() {
    let world = World::new();
    world.fakes.on(
        MAKE,
        Answer::fails(93, "sinc: tmux on this host could not make the session sinc-app-123456 (try 3)\n"),
    );
    let run = world.sinc(&["--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    Connecting to box
          Made box:/home/dev/workspace/app
        Synced 3 files, 1.21 KiB, in [time] s
    error: tmux on this host could not make the session sinc-app-[hash] (try 3)
    ");
}

#[test]
fn the_host_cannot_write() {
    let mut text = String::new();
    for said in [
        "cannot make /home/dev/workspace\n",
        "\x1b[2Jcannot\u{202e}\n",
        "cannot write /x: is the disk full?\n",
        "",
    ] {
        let world = World::new();
        world.fakes.on(BOOTSTRAP, Answer { code: 97, stderr: said.to_owned(), ..host_says("") });
        let run = world.sinc(&["--no-attach"]).exits(1);
        text.push_str(&world.normal(&run.stderr));
    }
    insta::assert_snapshot!(text, @"
    Connecting to box
    error: host `box` could not prepare the session: cannot make /home/dev/workspace
    Connecting to box
    error: host `box` could not prepare the session: �[2Jcannot�
    Connecting to box
    error: host `box` could not prepare the session: cannot write /x: is the disk full?
    Connecting to box
    error: host `box` could not prepare the session: it gave no reason
    ");
}

#[test]
fn a_host_that_is_no_shell_or_answers_nonsense() {
    let mut text = String::new();
    for answer in [
        Answer::stdout(""),
        Answer::stdout("Welcome to FancyOS!\n"),
        Answer::stdout("sinc-begin 1\nhome /home/dev\n"),
        host_says("how surprised\n"),
        Answer::stdout("sinc-begin 1\ndir ../../etc\nhow kept\n"),
        Answer::fails(1, "This account is currently not available.\n"),
        Answer::fails(127, "sh: 1: exec: sh: not found\n"),
    ] {
        let world = World::new();
        world.fakes.on(BOOTSTRAP, answer);
        let run = world.sinc(&["--no-attach"]).exits(1);
        assert!(!world.calls().contains("sync create"), "{}", world.calls());
        text.push_str(&world.normal(&run.stderr));
    }
    insta::assert_snapshot!(text, @"
    Connecting to box
    error: could not understand what host `box` said
    caused by: the answer of the host lacks `how`

    hint: does `ssh HOST echo hello` print `hello`? A forced command, or an rc file that ends the shell, swallows answers
    Connecting to box
    error: could not understand what host `box` said
    caused by: the answer of the host lacks `how`

    hint: does `ssh HOST echo hello` print `hello`? A forced command, or an rc file that ends the shell, swallows answers
    Connecting to box
    error: could not understand what host `box` said
    caused by: the answer of the host lacks `how`

    hint: does `ssh HOST echo hello` print `hello`? A forced command, or an rc file that ends the shell, swallows answers
    Connecting to box
    error: could not understand what host `box` said
    caused by: unknown answer `surprised`
    Connecting to box
    error: could not understand what host `box` said
    caused by: `../../etc` is not an absolute path
    Connecting to box
    error: could not prepare the session on the host: the script on host `box` ended with 1
      This account is currently not available.

    hint: run it again with `-v` to see each command
    Connecting to box
    error: could not prepare the session on the host: the script on host `box` ended with 127
      sh: 1: exec: sh: not found

    hint: run it again with `-v` to see each command
    ");
}

#[test]
fn what_login_shells_print_is_not_taken_for_the_answer() {
    let world = World::new();
    let says = host_says("how new\n").stdout;
    let noise = format!("Last login: today\ndir /evil\nhow lost\nsinc-begin\n\x1b]0;title\x07\n{says}");
    world
        .fakes
        .on(BOOTSTRAP, Answer { stderr: "bash: warning: setlocale\n".to_owned(), ..Answer::stdout(&noise) });
    let run = world.sinc(&["--no-attach"]).success();
    assert!(run.stderr.contains("Made box:/home/dev/workspace/app"), "{run}");
    assert!(!world.calls().contains("/evil"), "{}", world.calls());
}

/// A program called mutagen that answers `version` so.
fn mutagen_says(world: &World, script: &str) {
    world.sandbox.write_program(world.sandbox.bin().join("mutagen"), &format!("#!/bin/sh\n{script}\n"));
}

#[test]
fn mutagen_is_missing_too_old_or_something_else() {
    let world = World::new();
    let mut text = String::new();
    let mut say = |what: &str, world: &World| {
        let run = world.sinc(&["--no-attach"]).exits(69);
        assert_eq!(world.calls(), "", "the host is not asked for nothing");
        text.push_str(&format!("{what}\n{}\n", world.normal(&run.stderr)));
    };
    mutagen_says(&world, "echo 0.17.6");
    say("too old", &world);
    mutagen_says(&world, "echo 'mutagen 1.47.0'");
    say("another program", &world);
    mutagen_says(&world, "echo 'error: no such command: version' >&2; exit 2");
    say("another program that fails", &world);
    std::fs::remove_file(world.sandbox.bin().join("mutagen")).unwrap();
    say("missing", &world);
    world
        .sandbox
        .configure("[host.box]\ndestination = \"dev@203.0.113.7\"\n[mutagen]\npath = \"~/bin/mutagen\"\n");
    say("missing where the configuration says", &world);
    insta::assert_snapshot!("mutagen", text);
}

#[test]
fn a_damaged_record_is_said_and_nothing_is_made_in_its_place() {
    let world = World::connected();
    let record = world.record();
    let whole = std::fs::read_to_string(&record).unwrap();
    let mut text = String::new();
    for damage in ["", "{", "null", "{\"id\": 3}", &whole[..whole.len() / 2]] {
        std::fs::write(&record, damage).unwrap();
        let run = world.sinc(&["--no-attach"]).exits(1);
        assert_eq!(world.calls(), "", "{run}");
        assert_eq!(std::fs::read_to_string(&record).unwrap(), damage);
        text.push_str(&world.normal(&run.stderr));
    }
    insta::assert_snapshot!(text, @"
    error: `$HOME/.local/state/sinc/sessions/sinc-app-[hash]@sinc-[hash].json` is damaged
    caused by: EOF while parsing a value at line 1 column 0

    hint: mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too
    error: `$HOME/.local/state/sinc/sessions/sinc-app-[hash]@sinc-[hash].json` is damaged
    caused by: EOF while parsing an object at line 1 column 1

    hint: mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too
    error: `$HOME/.local/state/sinc/sessions/sinc-app-[hash]@sinc-[hash].json` is damaged
    caused by: invalid type: null, expected struct Record at line 1 column 4

    hint: mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too
    error: `$HOME/.local/state/sinc/sessions/sinc-app-[hash]@sinc-[hash].json` is damaged
    caused by: invalid type: integer `3`, expected a string at line 1 column 8

    hint: mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too
    error: `$HOME/.local/state/sinc/sessions/sinc-app-[hash]@sinc-[hash].json` is damaged
    caused by: EOF while parsing a string at line 7 column 31

    hint: mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too
    ");
    // A field of a later version is none.
    std::fs::write(&record, whole.replacen('{', "{\"mood\": \"fine\",", 1)).unwrap();
    drop(world.sinc(&["--no-attach"]).success());
}

#[test]
fn a_home_that_cannot_be_written() {
    let world = World::new();
    // A file is where the directory should be: root may write everywhere.
    world.sandbox.write(".local", "");
    let run = world.sinc(&["--no-attach"]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    error: cannot read `$HOME/.local/state/sinc/separate.json`
    caused by: Not a directory (os error 20)
    ");
}

#[test]
fn a_directory_that_is_gone() {
    let world = World::new();
    let sinc = crate::support::sandbox::Sandbox::binary().display().to_string();
    let script = format!("mkdir gone && cd gone && rm -r ../gone && '{sinc}' --no-attach");
    let run = world.sandbox.run("sh", &["-c", &script]).exits(1);
    insta::assert_snapshot!(world.normal(&run.stderr), @"
    error: the current directory is gone
    caused by: No such file or directory (os error 2)
    ");
}
