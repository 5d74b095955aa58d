//! Starts logging, reads the command line, calls the command, prints one failure, exits with its code.

use clap::Parser;

use sinc::cli::{Cli, Global};
use sinc::commands::{self, Context};
use sinc::config::Environment;
use sinc::failure::{self, Failure, Kind};
use sinc::process;
use sinc::remote::shim;
use sinc::ui::Ui;

fn main() {
    let mut words = std::env::args_os();
    let argv0 = words.next().unwrap_or_default();
    if let Some(name) = shim::Name::of(&argv0.to_string_lossy()) {
        std::process::exit(commands::shim::run(name, &words.collect::<Vec<_>>()));
    }
    let cli = Cli::try_parse().unwrap_or_else(|error| wrong_command_line(&error));
    std::process::exit(run(cli));
}

/// Shows the help that was asked for, or what is wrong with the command line.
fn wrong_command_line(error: &clap::Error) -> ! {
    let json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    if !error.use_stderr() || !json {
        error.exit();
    }
    let text = error.to_string();
    let mut failure =
        Failure::new(Kind::Usage, text.lines().next().unwrap_or_default().trim_start_matches("error: "));
    for tip in text.lines().filter_map(|line| line.trim_start().strip_prefix("tip: ")) {
        failure = failure.hint(tip);
    }
    let ui = Ui::new(&Global { json, ..Global::default() }, true, true);
    std::process::exit(failure::print(&ui, "sinc", &failure.into()));
}

fn run(cli: Cli) -> i32 {
    let command = cli.command.as_ref().map_or("connect", commands::name);
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => return failure::print(&Ui::new(&cli.global, true, true), command, &error.into()),
    };
    let ui = Ui::new(
        &cli.global,
        environment.no_color(),
        environment.get("TERM").is_some_and(|term| term == "dumb"),
    );
    start_logging(&cli.global, &environment, &ui);
    let for_bugs = ui.clone();
    std::panic::set_hook(Box::new(move |panic| {
        std::process::exit(failure::print_bug(&for_bugs, command, panic));
    }));
    let result = process::install_signal_handler().map_err(anyhow::Error::from).and_then(|()| {
        let line = command_line(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
        let context = Context::new(cli.global.clone(), environment, ui.clone(), &line)?;
        commands::run(&context, cli)
    });
    result.unwrap_or_else(|error| failure::print(&ui, command, &error))
}

/// The command line for the journal, without the values of variables, which may be secrets.
fn command_line(words: impl Iterator<Item = String>) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut options = true;
    for mut word in words {
        options &= word != "--";
        let before = shown.last().is_some_and(|last| last == "-e" || last == "--env");
        if options && (before || word.starts_with("-e") || word.starts_with("--env=")) {
            let name = if word.starts_with("--env=") { 6 } else { 0 };
            if let Some(at) = word[name..].find('=') {
                word.replace_range(name + at + 1.., "…");
            }
        }
        shown.push(process::quote::posix(&word));
    }
    shown.join(" ")
}

/// `-v` shows each command with its time, `-vv` their output too; `SINC_LOG` is a filter of tracing.
fn start_logging(global: &Global, environment: &Environment, ui: &Ui) {
    use tracing_subscriber::EnvFilter;
    let filter = match environment.get("SINC_LOG").and_then(|filter| filter.to_str()) {
        Some(filter) => EnvFilter::new(filter),
        None if global.verbose >= 2 => EnvFilter::new("sinc=trace"),
        None if global.verbose == 1 => EnvFilter::new("sinc=debug"),
        None => return,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ui.has_color())
        .with_target(false)
        .without_time()
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_variable_is_in_the_journal() {
        let line = |words: &[&str]| command_line(words.iter().map(|word| (*word).to_owned()));
        let shown =
            line(&["run", "-e", "A=s3", "--env", "B=s3", "--env=C=s3", "-eD=s3", "-e", "E", "--", "x=1"]);
        assert!(!shown.contains("s3") && shown.ends_with("-e E -- x=1"), "{shown}");
        assert_eq!(line(&["status", "a b"]), "status 'a b'");
    }
}
