//! The documentation of the command line says what the code says.

use std::collections::BTreeSet;

use clap::CommandFactory;
use sinc::failure::Kind;

const EXIT_CODES: &str = include_str!("../../docs/exit-codes.md");
const CLI: &str = include_str!("../../docs/cli.md");

#[test]
fn every_kind_of_failure_has_its_line() {
    let kinds = Kind::ALL.into_iter().map(|kind| format!("| {} | `{}` |", kind.code(), kind.name()));
    let documented: Vec<_> =
        EXIT_CODES.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() == 5).collect();
    for line in kinds.chain([format!("| 128+n | `{}` |", Kind::Signal(2).name()), "| 0 | |".to_owned()]) {
        assert!(
            documented.iter().any(|documented| documented.starts_with(&line)),
            "not in docs/exit-codes.md: {line}"
        );
    }
    // And the two rows of its head.
    assert_eq!(documented.len(), Kind::ALL.len() + 2 + 2, "{documented:#?}");
    assert_eq!(Kind::Signal(2).code(), 130);
}

#[test]
fn every_code_of_the_attach_script_has_its_line() {
    let script = include_str!("../../src/session/attach.sh");
    let codes: BTreeSet<_> = script
        .split("exit ")
        .skip(1)
        .filter_map(|after| after.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u8>().ok())
        .filter(|code| *code != 0)
        .collect();
    let documented: BTreeSet<_> = EXIT_CODES
        .lines()
        .filter(|line| line.matches('|').count() == 3)
        .filter_map(|line| line.split('|').nth(1)?.trim().parse::<u8>().ok())
        .collect();
    assert_eq!(codes, documented);
}

/// All commands with their options, the hidden ones left out.
fn commands() -> Vec<clap::Command> {
    let mut sinc = sinc::cli::Cli::command();
    sinc.build();
    let shown =
        sinc.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    let mut commands: Vec<_> = shown.cloned().collect();
    for above in ["config", "backups"] {
        commands.extend(sinc.find_subcommand(above).unwrap().get_subcommands().cloned());
    }
    commands.retain(|command| command.get_name() != "help");
    commands.push(sinc);
    commands
}

#[test]
fn every_command_and_option_is_described() {
    for command in commands() {
        let name = command.get_bin_name().unwrap_or("sinc").to_owned();
        assert!(CLI.contains(&name), "docs/cli.md does not name `{name}`");
        for option in command.get_arguments() {
            if let Some(long) = option.get_long() {
                assert!(CLI.contains(&format!("--{long}")), "docs/cli.md does not name --{long} of `{name}`");
            }
            if let Some(short) = option.get_short() {
                assert!(CLI.contains(&format!("-{short}")), "docs/cli.md does not name -{short} of `{name}`");
            }
        }
    }
}

#[test]
fn no_option_is_described_that_there_is_not() {
    let all = commands();
    let below = all.iter().flat_map(clap::Command::get_subcommands);
    let mut known: BTreeSet<String> = all
        .iter()
        .chain(below)
        .flat_map(clap::Command::get_arguments)
        .filter_map(|option| option.get_long())
        .map(str::to_owned)
        .collect();
    known.extend(["help", "version"].map(str::to_owned));
    for (name, text) in [
        ("cli.md", CLI),
        ("exit-codes.md", EXIT_CODES),
        ("troubleshooting.md", include_str!("../../docs/troubleshooting.md")),
        ("config.toml", include_str!("../../docs/config.toml")),
        ("README.md", include_str!("../../README.md")),
    ] {
        for line in text.lines().filter(|line| {
            !line.contains(".sh --") && !line.contains("tests/run.sh") && !line.contains("npm ")
        }) {
            for after in line.split("--").skip(1) {
                let option: String =
                    after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
                // A table's ruler; a dash in a sentence; an example's own option.
                if !option.is_empty()
                    && !option.starts_with('-')
                    && !option.ends_with('-')
                    && option != "flag"
                {
                    assert!(known.contains(&option), "{name}: what is --{option}? {line}");
                }
            }
        }
    }
}

#[test]
fn every_variable_is_described() {
    for name in sinc::config::VARIABLES {
        assert!(CLI.contains(&format!("`{name}`")), "docs/cli.md does not name {name}");
    }
}
