//! `--edit`: both versions in the person's merge tool, as git has it, or in their editor.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::merged::{Bench, Refused};
use crate::commands::context::Context;
use crate::commands::sides::Sides;
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::session::conflicts::Open;

/// What stands where the changes of both touch.
const MARKERS: [&str; 2] = [concat!("<<<<<<", "< "), concat!(">>>>>>", "> ")];

/// Has the person make one text out of both.
///
/// # Errors
/// There is no terminal or no editor, or the host was not reached.
pub(super) fn edit(ctx: &Context, sides: &Sides, open: &Open) -> Result<Result<Vec<u8>, Refused>> {
    let bench = match Bench::new(ctx, sides, open)? {
        Ok(bench) => bench,
        Err(refused) => return Ok(Err(refused)),
    };
    // Without a version before, everything that differs is a change of both.
    let empty = bench.file("nothing");
    std::fs::write(&empty, "").context("cannot write a file")?;
    let text = match bench.merge(ctx, bench.before.as_deref().unwrap_or(&empty))? {
        Ok((text, _)) => text,
        Err(refused) => return Ok(Err(refused)),
    };
    let name = Path::new(open.path.file_name().unwrap_or_default());
    let dir = bench.file("edit");
    std::fs::create_dir(&dir).context("cannot make a directory")?;
    let file = dir.join(name);
    std::fs::write(&file, &text).context("cannot write the file to edit")?;
    let code = match tool(ctx) {
        Some(()) => {
            stage(ctx, &bench, &dir, name)?;
            let cmd = Cmd::new("git", "open the merge tool")
                .args(["mergetool", "--no-prompt", "--"])
                .arg(name)
                .dir(&dir)
                .no_deadline();
            ctx.runner.interactive(&cmd)?
        }
        None => open_editor(ctx, &file)?,
    };
    if code != 0 {
        return Ok(Err(format!("the editor ended with {code}")));
    }
    let edited = std::fs::read(&file).context("the edited file is gone")?;
    let shown = String::from_utf8_lossy(&edited);
    if shown.lines().any(|line| MARKERS.iter().any(|marker| line.starts_with(marker))) {
        return Ok(Err("the edited text still has markers of the conflict".to_owned()));
    }
    Ok(Ok(edited))
}

/// Has the person's git a merge tool?
fn tool(ctx: &Context) -> Option<()> {
    let cmd =
        Cmd::new("git", "look for a merge tool").args(["config", "--global", "merge.tool"]).answers(&[0, 1]);
    let output = ctx.runner.answer(&cmd).ok()?;
    (output.code == 0 && !output.stdout.is_empty()).then_some(())
}

/// A repository of its own in which the file is in conflict, so that `git mergetool` takes it.
fn stage(ctx: &Context, bench: &Bench, dir: &Path, name: &Path) -> Result<()> {
    let git = |words: &[&str]| {
        Cmd::new("git", "prepare the merge tool").untranslated().args(words.iter().copied()).dir(dir)
    };
    ctx.runner.answer(&git(&["init", "-q"]))?;
    let mut lines = Vec::new();
    let versions =
        [(1, bench.before.as_deref()), (2, Some(bench.here.as_path())), (3, Some(bench.there.as_path()))];
    for (stage, version) in versions {
        let Some(version) = version else { continue };
        let blob = ctx.runner.read(&git(&["hash-object", "-w", "--no-filters", "--"]).arg(version))?;
        lines.extend(format!("100644 {} {stage}\t", blob.trim()).into_bytes());
        lines.extend_from_slice(name.as_os_str().as_encoded_bytes());
        lines.push(0);
    }
    ctx.runner.answer(&git(&["update-index", "-z", "--index-info"]).stdin(lines))?;
    Ok(())
}

fn open_editor(ctx: &Context, file: &Path) -> Result<i32> {
    let Some(editor) = ctx.environment.editor().and_then(|editor| editor.to_str()) else {
        return Err(Failure::new(
            Kind::Failed,
            "neither git's `merge.tool` nor VISUAL nor EDITOR names a program",
        )
        .hint("set VISUAL or EDITOR to an editor of yours")
        .into());
    };
    // The variable may hold words: the shell takes it apart, and gets the path as a word of its own.
    let script = format!("exec {editor} \"$@\"");
    let cmd = Cmd::new("sh", "open the editor").args(["-c", &script, editor]).arg(file).no_deadline();
    Ok(ctx.runner.interactive(&cmd)?)
}
