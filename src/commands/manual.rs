//! `sinc completions` and `sinc man`, from the same source as the help.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory};

use super::context::Context;
use crate::cli::{Cli, Connect, Global};
use crate::failure::{Failure, Kind};
use crate::state::write_file;

/// Prints the completions of a shell.
///
/// # Errors
/// None, but standard output may be gone.
pub fn completions(ctx: &Context, shell: clap_complete::Shell) -> Result<i32> {
    // clap offers hidden commands too, and cannot take one out: so a command line with only the others.
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let sinc = clap::Command::new("sinc").version(env!("CARGO_PKG_VERSION"));
    let mut sinc = Global::augment_args(Connect::augment_args(sinc)).subcommands(shown);
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut sinc, "sinc", &mut text);
    ctx.ui.data(&String::from_utf8_lossy(&text));
    Ok(0)
}

/// Prints a manual page, or writes all of them.
///
/// # Errors
/// There is no such command, or the pages cannot be written.
pub fn man(ctx: &Context, command: Option<&str>, dir: Option<&Path>) -> Result<i32> {
    // `help` has no page: it is the help.
    let mut sinc = Cli::command().disable_help_subcommand(true);
    sinc.build();
    let Some(dir) = dir else {
        let page = match command {
            None => sinc,
            Some(name) => find(&sinc, name)?,
        };
        ctx.ui.data(&String::from_utf8_lossy(&render(page)?));
        return Ok(0);
    };
    let pages: Vec<_> = sinc.get_subcommands().filter(|page| !page.is_hide_set()).cloned().collect();
    write_page(dir, "sinc", sinc)?;
    for page in pages {
        let name = format!("sinc-{}", page.get_name());
        write_page(dir, &name, page)?;
    }
    Ok(0)
}

fn find(sinc: &clap::Command, name: &str) -> Result<clap::Command> {
    let found = sinc.get_subcommands().find(|page| page.get_name() == name && !page.is_hide_set());
    let missing =
        || Failure::new(Kind::Usage, format!("there is no command `{name}`")).hint("see `sinc --help`");
    Ok(found.ok_or_else(missing)?.clone())
}

fn render(page: clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).context("could not write the manual page")?;
    Ok(text)
}

fn write_page(dir: &Path, name: &str, page: clap::Command) -> Result<()> {
    write_file(&dir.join(format!("{name}.1")), &render(page)?)
}
