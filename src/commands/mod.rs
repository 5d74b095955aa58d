//! The commands, one file each, and the one match from subcommand to function.

pub mod after_attach;
mod ask;
pub mod attach;
mod backups;
pub mod config;
mod conflicts;
pub mod connect;
pub mod context;
mod data_that_stays;
pub mod demo;
mod doctor;
mod doctor_git;
mod first_cycle;
mod git;
mod held_words;
mod install;
mod joined;
mod kill;
mod kill_target;
mod kill_words;
mod link;
mod list;
mod list_table;
mod logs;
pub mod manual;
mod mode_words;
mod mutagen;
pub mod notify;
mod paint;
mod paste;
mod purge;
mod resolve;
mod resume;
mod run;
pub mod shim;
mod sides;
mod state_report;
mod state_text;
mod status;
mod sync_control;
mod sync_reasons;
mod terminal;
mod transfer;
pub mod trust;
mod unequal;
mod uninstall;
mod watch;

use anyhow::Result;

pub use context::Context;

use crate::cli::{self, Cli, Command};
use crate::failure::{Failure, Kind};

/// Runs the command that was asked for. Gives the exit code.
///
/// # Errors
/// Whatever the command fails with.
pub fn run(ctx: &Context, cli: Cli) -> Result<i32> {
    let Some(command) = cli.command else { return connect::run(ctx, &cli.connect) };
    if cli.connect != cli::Connect::default() {
        let message = format!("the options of `sinc` alone do not go with `sinc {}`", name(&command));
        return Err(Failure::new(Kind::Usage, message)
            .hint(format!("see `sinc {} --help`", name(&command)))
            .into());
    }
    match command {
        Command::Connect(args) => connect::run(ctx, &args),
        Command::Attach(args) => attach::run(ctx, &args),
        Command::AfterAttach { id, host, pid, link_only } => {
            after_attach::run(ctx, &id, &host, pid, link_only)
        }
        Command::Demo(args) => demo::run(ctx, &args),
        Command::Install(args) => install::run(ctx, &args),
        Command::Uninstall(args) => uninstall::run(ctx, &args),
        Command::Doctor => doctor::run(ctx),
        Command::Config(args) => config::run(ctx, &args),
        Command::Trust(args) => trust::run(ctx, &args),
        Command::Completions { shell } => manual::completions(ctx, shell),
        Command::Man { command, dir } => manual::man(ctx, command.as_deref(), dir.as_deref()),
        Command::Kill(args) => kill::run(ctx, &args),
        Command::Pause(args) => sync_control::pause(ctx, &args),
        Command::Resume(args) => resume::run(ctx, &args),
        Command::Flush(args) => sync_control::flush(ctx, &args),
        Command::Push(args) => transfer::push(ctx, &args),
        Command::Pull(args) => transfer::pull(ctx, &args),
        Command::Conflicts(args) => conflicts::run(ctx, &args),
        Command::Resolve(args) => resolve::run(ctx, &args),
        Command::Git(args) => git::run(ctx, &args),
        Command::Backups(args) => backups::run(ctx, &args),
        Command::Run(args) => run::run(ctx, &args),
        Command::Logs(args) => logs::run(ctx, &args),
        Command::List(args) => list::run(ctx, &args),
        Command::Link { action } => link::run(ctx, &action),
        Command::Status(args) => status::run(ctx, &args),
    }
}

/// The command's name, as in `--json`.
#[must_use]
pub fn name(command: &Command) -> &'static str {
    match command {
        Command::Connect(_) => "connect",
        Command::Attach(_) => "attach",
        Command::Status(_) => "status",
        Command::List(_) => "list",
        Command::Link { .. } => "link",
        Command::Kill(_) => "kill",
        Command::Pause(_) => "pause",
        Command::Resume(_) => "resume",
        Command::Flush(_) => "flush",
        Command::Push(_) => "push",
        Command::Pull(_) => "pull",
        Command::Conflicts(_) => "conflicts",
        Command::Resolve(_) => "resolve",
        Command::Git(_) => "git",
        Command::Backups(_) => "backups",
        Command::Run(_) => "run",
        Command::Logs(_) => "logs",
        Command::Install(_) => "install",
        Command::Uninstall(_) => "uninstall",
        Command::Doctor => "doctor",
        Command::Config(_) => "config",
        Command::Trust(_) => "trust",
        Command::Demo(_) => "demo",
        Command::Completions { .. } => "completions",
        Command::Man { .. } => "man",
        Command::AfterAttach { .. } => "after-attach",
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
