//! `sinc trust`: shows what a project's own files would newly do, and accepts it.

use anyhow::Result;

use super::context::Context;
use crate::cli;
use crate::ui::plural;

/// Runs it.
///
/// # Errors
/// A file is invalid, or nobody can be asked.
pub fn run(ctx: &Context, args: &cli::Trust) -> Result<i32> {
    let found = ctx.find_project(true)?;
    let root = &found.project.root;
    let files = ctx.project_files(root, &ctx.config()?)?;
    let changes: Vec<String> = files.assessment.waiting.iter().map(ToString::to_string).collect();
    if ctx.ui.is_json() {
        if !args.show && (ctx.global.yes || changes.is_empty()) {
            accept(ctx, root, &files)?;
        }
        let accepted = changes.is_empty() || (ctx.global.yes && !args.show && !ctx.runner.is_dry_run());
        let data = serde_json::json!({ "project": root, "changes": changes, "accepted": accepted });
        ctx.print_json("trust", &data);
        return Ok(0);
    }
    if changes.is_empty() {
        ctx.ui.status("Trusted", &format!("{}: nothing waits", root.display()));
        return Ok(0);
    }
    ctx.ui.raw(&format!("The files of {} would newly do this:", root.display()));
    for change in &changes {
        ctx.ui.data(&format!("  {change}"));
    }
    if args.show {
        return Ok(0);
    }
    if ctx.runner.is_dry_run() {
        ctx.ui.note("nothing was changed");
        return Ok(0);
    }
    let question = match changes.len() {
        1 => "Accept this change?".to_owned(),
        several => format!("Accept these {several} changes?"),
    };
    if !ctx.ui.confirm(&question, false)? {
        ctx.ui.note("nothing was accepted");
        return Ok(1);
    }
    accept(ctx, root, &files)?;
    let changes = plural(changes.len() as u64, "change", "changes");
    ctx.ui.status("Accepted", &format!("{changes}; the next `sinc` in this project goes by them"));
    Ok(0)
}

fn accept(
    ctx: &Context,
    root: &std::path::Path,
    files: &crate::session::settings::ProjectFiles,
) -> Result<()> {
    if ctx.runner.is_dry_run() {
        return Ok(());
    }
    ctx.store.accept(root, &files.proposed.accept())
}
