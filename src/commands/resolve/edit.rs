//! `--edit`: both versions in the person's merge tool, as git has it, or in their editor.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::edited::{Attempt, Typed};
use super::merged::{Bench, Refused};
use crate::commands::context::Context;
use crate::commands::now;
use crate::commands::paint::harmless;
use crate::commands::sides::Sides;
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::session::conflicts::Open;

/// What stands where the changes of both touch.
const MARKERS: [&str; 2] = [concat!("<<<<<<", "< "), concat!(">>>>>>", "> ")];

/// Why a text is not taken in which they stand still.
pub(super) const HAS_MARKERS: &str = "the edited text still has markers of the conflict";

/// Has the person make one text out of both. What is typed stays in `typed` until its conflict is settled.
///
/// # Errors
/// There is no terminal or no editor, or the host was not reached.
pub(super) fn edit(
    ctx: &Context,
    sides: &Sides,
    open: &Open,
    typed: &mut Typed,
) -> Result<Result<Vec<u8>, Refused>> {
    let bench = match Bench::new(ctx, sides, open)? {
        Ok(bench) => bench,
        Err(refused) => return Ok(Err(refused)),
    };
    // Without a version before, everything that differs is a change of both.
    let empty = bench.file("nothing");
    std::fs::write(&empty, "").context("cannot write a file")?;
    let merge = match bench.merge(ctx, bench.before.as_deref().unwrap_or(&empty))? {
        Ok((text, _)) => text,
        Err(refused) => return Ok(Err(refused)),
    };
    let has_tool = has_tool(ctx);
    let attempt = match Attempt::last(ctx, sides, open, &merge) {
        Some(last) if goes_on(ctx, open, &last, has_tool)? => last,
        _ => Attempt::begin(ctx, sides, open, now(), merge)?,
    };
    let ended = let_edit(ctx, &bench, &attempt, has_tool);
    typed.add(ctx, attempt, &ended);
    ended
}

/// Says where the last attempt is. Is it to be gone on from? Only where nothing has become of the two versions since, and in an
/// editor: a merge tool begins with the versions themselves.
fn goes_on(ctx: &Context, open: &Open, last: &Attempt, has_tool: bool) -> Result<bool> {
    let path = harmless(&open.path.to_string_lossy());
    ctx.ui.note(&format!("what you typed for {path} the last time is in {}", last.place(ctx)));
    if has_tool || !last.is_of(open) {
        return Ok(false);
    }
    ctx.ui.confirm("Go on from that?", true)
}

/// Opens it, and gives what the person made of it.
fn let_edit(
    ctx: &Context,
    bench: &Bench,
    attempt: &Attempt,
    has_tool: bool,
) -> Result<Result<Vec<u8>, Refused>> {
    let file = attempt.file();
    let code = if has_tool {
        let (dir, name) = (attempt.workplace(), Path::new(file.file_name().unwrap_or_default()));
        stage(ctx, bench, &dir, name)?;
        let cmd = Cmd::new("git", "open the merge tool")
            .args(["mergetool", "--no-prompt", "--"])
            .arg(name)
            .dir(&dir)
            .no_deadline();
        let ended = ctx.runner.interactive(&cmd);
        let _ = std::fs::remove_dir_all(dir.join(".git"));
        ended?
    } else {
        open_editor(ctx, &file)?
    };
    if code != 0 {
        return Ok(Err(format!("the editor ended with {code}")));
    }
    let edited = std::fs::read(&file).context("the edited file is gone")?;
    let shown = String::from_utf8_lossy(&edited);
    if shown.lines().any(|line| MARKERS.iter().any(|marker| line.starts_with(marker))) {
        return Ok(Err(HAS_MARKERS.to_owned()));
    }
    Ok(Ok(edited))
}

/// Has the person's git a merge tool?
fn has_tool(ctx: &Context) -> bool {
    let cmd =
        Cmd::new("git", "look for a merge tool").args(["config", "--global", "merge.tool"]).answers(&[0, 1]);
    ctx.runner.answer(&cmd).is_ok_and(|output| output.code == 0 && !output.stdout.is_empty())
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
    let code = ctx.runner.interactive(&cmd)?;
    if code == 127 {
        return Err(Failure::new(Kind::MissingTool, format!("the editor `{editor}` was not found"))
            .hint("set VISUAL or EDITOR to an editor of yours")
            .into());
    }
    Ok(code)
}
