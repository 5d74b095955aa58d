//! The help, the completions and the manual pages, which all come from one source.

use clap::CommandFactory;

use crate::support::e2e::have;
use crate::support::sandbox::Sandbox;

/// The names of all commands that are shown.
fn commands() -> Vec<String> {
    let cli = sinc::cli::Cli::command();
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| command.get_name().to_owned()).collect()
}

#[test]
fn the_whole_help() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    let mut global = None;
    let mut help = |args: &[&str]| {
        let run = sandbox.sinc(args).success();
        assert_eq!(run.stderr, "", "{run}");
        // What every command understands is shown once.
        let mut shown = run.stdout;
        let options = shown.split_off(shown.find("Global options:").unwrap());
        if args == ["--help"] {
            shown.push_str(&options);
        } else if *global.get_or_insert_with(|| options.clone()) == options {
            shown.push_str("Global options: …\n");
        } else {
            panic!("other global options with `sinc {}`:\n{options}", args.join(" "));
        }
        text.push_str(&format!("$ sinc {}\n{shown}\n", args.join(" ")));
    };
    help(&["--help"]);
    help(&["-h"]);
    for command in commands() {
        help(&[&command, "-h"]);
    }
    for action in ["path", "edit"] {
        help(&["config", action, "-h"]);
    }
    help(&["backups", "restore", "-h"]);
    for action in ["status", "start", "stop", "install"] {
        help(&["link", action, "-h"]);
    }
    insta::assert_snapshot!("help", text);
}

#[test]
fn the_version() {
    let run = Sandbox::new().sinc(&["--version"]).success();
    assert_eq!(run.stdout, format!("sinc {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run.stderr, "");
}

#[test]
fn a_wrong_command_line_says_what_was_probably_meant_and_ends_with_2() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    for args in [
        &["stauts"][..],
        &["--hots", "box"],
        &["connect", "--new", "--resume"],
        &["--no-attach", "status"],
        &["-q", "-v"],
        &["flush", "--timeout", "0"],
        &["--color", "sometimes"],
        &["completions", "powershel"],
        &["man", "nonsense"],
        &["--host"],
        &["--json", "stauts"],
    ] {
        let run = sandbox.sinc(args).exits(2);
        text.push_str(&format!("$ sinc {}\n{}\n", args.join(" "), run.snapshot()));
    }
    insta::assert_snapshot!("wrong-command-lines", text);
}

#[test]
fn a_word_that_is_not_utf8_is_refused_or_taken_as_a_path() {
    let sandbox = Sandbox::new();
    let sinc = Sandbox::binary().display().to_string();
    let run = |words: &str| {
        let script = format!("'{sinc}' {words} \"$(printf '\\377')\"");
        sandbox.run("sh", &["-c", &script])
    };
    let refused = run("attach").exits(2);
    assert!(refused.stderr.starts_with("error: invalid UTF-8"), "{refused}");
    let path = run("config path --config").success();
    assert!(!path.stdout.is_empty(), "{path}");
    let gone = run("config --config").exits(78);
    assert!(gone.stderr.contains("there is no such file"), "{gone}");
}

#[test]
fn every_shell_accepts_its_completions() {
    let sandbox = Sandbox::new();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let text = sandbox.sinc(&["completions", shell]).success().stdout;
        for command in commands() {
            assert!(text.contains(&command), "{shell} does not know {command}");
        }
        assert!(!text.contains("after-attach"), "{shell} offers what is hidden");
        if have(&[shell]) {
            let file = sandbox.write(format!("completions.{shell}"), &text);
            let program = which::which(shell).unwrap();
            let run = sandbox.run(program.to_str().unwrap(), &[check, file.to_str().unwrap()]).success();
            assert_eq!(run.stderr, "", "{run}");
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    if !have(&["bash"]) {
        return;
    }
    let sandbox = Sandbox::new();
    let completions = sandbox.sinc(&["completions", "bash"]).success().stdout;
    let file = sandbox.write("completions.bash", completions);
    let script = "source \"$0\"; for line in 'sinc st' 'sinc status --ca' 'sinc --col' 'sinc completions b'; do \
         COMP_WORDS=($line); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); \
         _sinc sinc \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
         echo \"$line: ${COMPREPLY[*]}\"; done";
    let bash = which::which("bash").unwrap();
    let run = sandbox.run(bash.to_str().unwrap(), &["-c", script, file.to_str().unwrap()]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    sinc st: status
    sinc status --ca: --cached
    sinc --col: --color
    sinc completions b: bash
    --- stderr
    ");
}

#[test]
fn manual_pages_are_whole_and_render() {
    let sandbox = Sandbox::new();
    let dir = sandbox.home().join("man/man1");
    drop(sandbox.sinc(&["man", "--dir", dir.to_str().unwrap()]).success());
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<_> = commands().iter().map(|name| format!("sinc-{name}.1")).collect();
    expected.push("sinc.1".to_owned());
    expected.sort();
    assert_eq!(names, expected);
    for name in &names {
        let page = dir.join(name);
        let text = std::fs::read_to_string(&page).unwrap();
        let title = name.trim_end_matches(".1");
        assert!(text.contains(&format!(".TH {title} 1")), "{name}: {text}");
        assert!(text.contains(".SH NAME\n") && text.contains(".SH SYNOPSIS\n"), "{name}: {text}");
        // On standard output it is the same page.
        let shown = match title.strip_prefix("sinc-") {
            None => sandbox.sinc(&["man"]),
            Some(command) => sandbox.sinc(&["man", command]),
        };
        assert_eq!(shown.success().stdout, text, "{name}");
        if have(&["groff"]) {
            let groff = which::which("groff").unwrap();
            let args = ["-man", "-Tutf8", "-P-cbou", "-ww", page.to_str().unwrap()];
            sandbox_render(&sandbox, groff.to_str().unwrap(), &args);
        }
    }
}

/// groff finds its own parts on PATH.
fn sandbox_render(sandbox: &Sandbox, groff: &str, args: &[&str]) {
    let path = crate::support::variable("PATH").unwrap_or_default();
    let mut words = vec![format!("PATH={path}"), groff.to_owned()];
    words.extend(args.iter().map(|&word| word.to_owned()));
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let run = sandbox.run("env", &words).success();
    assert_eq!(run.stderr, "", "{run}");
    assert!(run.stdout.contains("SYNOPSIS") && run.stdout.lines().count() > 10, "{run}");
}
