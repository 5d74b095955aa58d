//! `sinc config`: the effective configuration, each value with its origin.

use anyhow::{Context as _, Result};

use super::context::Context;
use crate::cli::{Config as Args, ConfigAction};
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::state::write_file;

/// The reference: every key with what it means.
const REFERENCE: &str = include_str!("../../docs/config.toml");

/// Runs it.
///
/// # Errors
/// The configuration is invalid, or the editor failed.
pub fn run(ctx: &Context, args: &Args) -> Result<i32> {
    match args.action {
        None => show(ctx),
        Some(ConfigAction::Path) => {
            let path = path(ctx);
            if ctx.ui.is_json() {
                ctx.print_json("config", &serde_json::json!({ "path": path }));
            } else {
                ctx.ui.data(&path.to_string_lossy());
            }
            Ok(0)
        }
        Some(ConfigAction::Edit) => edit(ctx),
    }
}

fn path(ctx: &Context) -> std::path::PathBuf {
    ctx.global.config.clone().unwrap_or_else(|| ctx.environment.config_file())
}

fn show(ctx: &Context) -> Result<i32> {
    // Outside of a project, or in a directory that is none, there is just the person's own configuration.
    let mut config = ctx.config()?;
    if let Ok(found) = ctx.find_project(true) {
        let files = ctx.project_files(&found.project.root, &config)?;
        config = config.with_project(&files.trusted);
    }
    let entries = config.entries();
    if ctx.ui.is_json() {
        ctx.print_json("config", &serde_json::json!({ "path": path(ctx), "values": entries }));
        return Ok(0);
    }
    let width = entries.iter().map(|entry| entry.to_string().chars().count()).max().unwrap_or(0).min(60);
    for entry in &entries {
        let text = entry.to_string();
        let space = " ".repeat(width.saturating_sub(text.chars().count()));
        ctx.ui.data(&format!("{text}{space}  {}", ctx.ui.dim(&format!("# {}", entry.origin))));
    }
    if !config.file_exists {
        ctx.ui.hint(&format!("there is no `{}` yet; `sinc config edit` makes it", path(ctx).display()));
    }
    Ok(0)
}

fn edit(ctx: &Context) -> Result<i32> {
    let path = path(ctx);
    let Some(editor) = ctx.environment.editor().and_then(|editor| editor.to_str()) else {
        return Err(Failure::new(Kind::Failed, "neither VISUAL nor EDITOR names an editor")
            .hint(format!("edit `{}` by hand", path.display()))
            .into());
    };
    // The variable may hold words: the shell takes it apart, and gets the path as a word of its own.
    let script = format!("exec {editor} \"$@\"");
    let cmd = Cmd::new("sh", "open the editor").args(["-c", &script, editor]).arg(&path).no_deadline();
    if ctx.runner.is_dry_run() {
        ctx.runner.run(&cmd)?;
        return Ok(0);
    }
    if !path.exists() {
        write_file(&path, new_file().as_bytes())?;
    }
    let code = ctx.runner.interactive(&cmd)?;
    if code == 127 {
        return Err(Failure::new(Kind::MissingTool, format!("the editor `{editor}` was not found"))
            .hint("set VISUAL or EDITOR to an editor of yours")
            .into());
    }
    if code != 0 {
        return Err(Failure::new(Kind::Failed, format!("the editor `{editor}` ended with {code}")).into());
    }
    ctx.config().context("the file as it is now cannot be used")?;
    Ok(0)
}

/// What a new config file says: the reference, in which nothing counts yet, so that a later sinc's defaults do.
fn new_file() -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line if line.starts_with('#') => format!("{line}\n"),
        line => format!("# {line}\n"),
    };
    REFERENCE.lines().map(line).collect()
}
