//! `sinc demo`: sinc on a throw-away host on this machine. This sinc runs itself there, so that all that is shown
//! is the real thing.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::context::Context;
use crate::cli;
use crate::demo::tour::News;
use crate::demo::{Numbers, Stage, packages, tour};
use crate::failure::{Failure, Kind};
use crate::process::{Cmd, Runner, interrupted};
use crate::tools::mutagen::FindError;
use crate::ui::{bytes, plural};

/// Runs it. On a terminal it gives the exit code of the attach.
///
/// # Errors
/// A program is missing, the host cannot be made, a step of the tour fails, or a signal came.
pub fn run(ctx: &Context, args: &cli::Demo) -> Result<i32> {
    if ctx.runner.is_dry_run() {
        let message = "`sinc demo` has no dry run: all that it changes is its own, and goes when it ends";
        return Err(Failure::new(Kind::Usage, message).into());
    }
    // What happens in a demo does not belong into the person's logs.
    let runner = Runner::default();
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let by_itself = args.tour || ctx.ui.is_json() || !terminal;
    let detach = if by_itself { "C-b d" } else { detach_keys(ctx, &runner) };
    let stage = set_stage(ctx, &runner, detach)?;
    let directory = stage.host().dir().to_owned();
    tell_stage(ctx, &stage);
    let played =
        if by_itself { take_tour(ctx, &stage, &runner) } else { attach(ctx, &stage, &runner, detach) };
    drop(stage);
    if directory.exists() {
        ctx.ui.warn(&format!("`{}` could not be removed", directory.display()));
    } else {
        ctx.ui.status("Removed", "the host, the project, and all that ran there: nothing is left");
    }
    let played = played?;
    match played {
        Played::Tour(numbers) if ctx.ui.is_json() => ctx.print_json("demo", &serde_json::to_value(numbers)?),
        Played::Tour(numbers) => {
            ctx.ui.note("");
            ctx.ui.data(&format!(
                "Measured on this machine, without a network between:\n\n{}",
                numbers.table()
            ));
        }
        Played::Attached(code) if code != 0 => return Ok(code),
        Played::Attached(_) => {}
    }
    ctx.ui.note("");
    ctx.ui.status("Next", "in a project of your own: `sinc --host user@address`");
    Ok(0)
}

/// How the demo went.
enum Played {
    Tour(Numbers),
    Attached(i32),
}

fn set_stage(ctx: &Context, runner: &Runner, detach: &str) -> Result<Stage> {
    let path = ctx.environment.get("PATH").unwrap_or_default();
    let sinc = std::env::current_exe().context("could not find out which program this is")?;
    let mut mutagen = find_mutagen(ctx)?;
    if mutagen.is_none() && ctx.ui.can_ask() && Stage::missing(true, path).is_none() {
        mutagen = Some(super::mutagen::offer(ctx, &ctx.config()?)?);
    }
    if let Some(missing) = Stage::missing(mutagen.is_some(), path) {
        let failure = Failure::new(Kind::MissingTool, missing.to_string());
        return Err(packages::advice(&missing, path).into_iter().fold(failure, Failure::hint).into());
    }
    Stage::set(runner, &sinc, &mutagen.unwrap_or_default(), detach)
}

/// The Mutagen that sinc would use here, looked for without leaving a trace.
fn find_mutagen(ctx: &Context) -> Result<Option<PathBuf>> {
    let traceless = Context { runner: Runner::new(None, Some(Arc::new(|_| {}))), ..ctx.clone() };
    match super::mutagen::look_up(&traceless, &ctx.config()?) {
        Ok(program) => Ok(Some(program)),
        Err(FindError::None { passed_over }) => {
            passed_over.iter().for_each(|unfit| ctx.ui.warn(&unfit.to_string()));
            Ok(None)
        }
        Err(error) => Err(super::mutagen::explain(error)),
    }
}

fn tell_stage(ctx: &Context, stage: &Stage) {
    let (host, size) = (stage.host(), stage.size());
    let directory = host.dir().display();
    ctx.ui.status(
        "Started",
        &format!("a throw-away host, 127.0.0.1:{}, all of it in {directory}", host.port()),
    );
    let project = format!(
        "a project, {}: {}, {}",
        stage.here().display(),
        plural(size.files, "file", "files"),
        bytes(size.bytes)
    );
    ctx.ui.status("Made", &project);
}

fn take_tour(ctx: &Context, stage: &Stage, runner: &Runner) -> Result<Played> {
    let ui = &ctx.ui;
    let numbers = tour::run(stage, runner, &|news| match news {
        News::Begins { step, of, title } => {
            ui.note("");
            ui.status(&format!("{step} of {of}"), title);
        }
        News::Printed(line) => ui.note(&ui.dim(&format!("| {line}"))),
        News::Result(text) => ui.note(&ui.bold(text)),
    })?;
    ui.note("");
    Ok(Played::Tour(numbers))
}

fn attach(ctx: &Context, stage: &Stage, runner: &Runner, detach: &str) -> Result<Played> {
    let ui = &ctx.ui;
    let notes = stage.here().join("notes.md").display().to_string();
    ui.note("");
    ui.status("Try", &format!("1. in another terminal, edit {}", ui.bold(&notes)));
    ui.note(&format!("2. see it arrive on the host, where you will be: {}", ui.bold("cat notes.md")));
    ui.note(&format!("3. detach with {}: the demo then ends and removes everything", ui.bold(detach)));
    ui.note("");
    let mut sinc = stage.sinc("show sinc");
    if ctx.global.verbose > 0 {
        sinc = sinc.arg(format!("-{}", "v".repeat(ctx.global.verbose.into())));
    }
    let code = runner.interactive(&sinc)?;
    interrupted()?;
    Ok(Played::Attached(code))
}

/// What to type to detach: in a tmux with the same prefix key, it is typed twice to reach the one on the host.
fn detach_keys(ctx: &Context, runner: &Runner) -> &'static str {
    let nested = ctx.environment.get("TMUX").is_some();
    let ask = Cmd::new("tmux", "ask for the prefix key").args(["show-options", "-gv", "prefix"]);
    if nested && runner.read(&ask).is_ok_and(|prefix| prefix.trim() == "C-b") { "C-b C-b d" } else { "C-b d" }
}
