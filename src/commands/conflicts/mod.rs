//! `sinc conflicts`: what was changed on both sides and left alone.

pub(super) mod diff;
pub(super) mod look;
pub(super) mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::context::Context;
use super::paint::Paint;
use super::sides::Sides;
use super::{mode_words, mutagen};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::session::conflicts::Open;
use crate::ui::{count, plural};

/// Runs it.
///
/// # Errors
/// There is no such session, no cycle could be completed, or a side cannot be read.
pub(super) fn run(ctx: &Context, args: &cli::Conflicts) -> Result<i32> {
    let sides = Sides::of(ctx, args.session.as_deref())?;
    mode_words::refuse_without(&sides.record)?;
    let mutagen = mutagen::present(ctx)?;
    super::link::ensure(ctx, &sides.record.host);
    // Another sinc that is at work on this session sees to what was interrupted.
    let lock = match ctx.runner.is_dry_run() {
        true => None,
        false => ctx.store.lock(&sides.record.id, &sides.record.host, Duration::ZERO, &mut || {}).ok(),
    };
    let seen = look::look(ctx, &sides, &mutagen, lock.as_ref())?;
    if lock.is_some() {
        look::recover(ctx, &sides, &seen.open, seen.unknown() > 0)?;
    }
    drop(lock);
    super::notify::conflicts(ctx, &sides.remote, &sides.record, &seen.noted);
    let open = among(ctx, &sides, seen.open, &args.paths)?;
    let diffs = if args.no_diff { BTreeMap::new() } else { diff::diffs(&sides, &open)? };
    if ctx.ui.is_json() {
        let data = serde_json::json!({
            "id": sides.record.id, "host": sides.record.host, "counted": seen.counted,
            "conflicts": show::json(&open, &diffs),
        });
        ctx.print_json("conflicts", &data);
        return Ok(0);
    }
    let paint = Paint::for_stdout(ctx);
    for (index, one) in open.iter().enumerate() {
        if index > 0 {
            ctx.ui.data("");
        }
        ctx.ui.data(&show::lines(one, diffs.get(&one.path), paint).join("\n"));
    }
    if seen.counted == 0 {
        ctx.ui.note("there is no conflict");
        return Ok(0);
    }
    let found = open.len() as u64;
    let conflicts = match args.paths.is_empty() || found >= seen.counted {
        true => plural(found, "conflict", "conflicts"),
        false => format!("{} of {}", count(found), plural(seen.counted, "conflict", "conflicts")),
    };
    ctx.ui.note(&format!(
        "{conflicts}, left alone on both sides: `sinc resolve` settles {}",
        if found == 1 { "it" } else { "them" }
    ));
    if args.paths.is_empty() && found != seen.counted {
        ctx.ui.warn(&format!("Mutagen counts {}: files are being changed at this moment", seen.counted));
    }
    Ok(0)
}

/// The conflicts at or below these paths, or that hold one of them; all, where none is named.
///
/// # Errors
/// A path has no conflict, or is not in the project.
pub(super) fn among(ctx: &Context, sides: &Sides, open: Vec<Open>, paths: &[PathBuf]) -> Result<Vec<Open>> {
    let mut wanted = Vec::new();
    for path in paths {
        let path = sides.relative(ctx, path)?;
        let fits = |one: &Open| one.path.starts_with(&path) || path.starts_with(&one.path);
        if !open.iter().any(fits) {
            let shown = super::paint::harmless(&path.to_string_lossy());
            return Err(Failure::new(Kind::Failed, format!("there is no conflict at `{shown}`"))
                .hint("`sinc conflicts` shows all of them")
                .into());
        }
        wanted.push(path);
    }
    let fits = |one: &Open| {
        wanted.is_empty()
            || wanted.iter().any(|path| one.path.starts_with(path) || path.starts_with(&one.path))
    };
    Ok(open.into_iter().filter(fits).collect())
}
