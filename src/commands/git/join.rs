//! `sinc git join`.

use anyhow::Result;

use super::super::context::Context;
use super::super::paint::harmless;
use super::super::sides::Sides as SessionSides;
use super::{cannot, lock, mutagen_for, not_shared, with_sides};
use crate::cli::JoinHow;
use crate::failure::{Failure, Kind};
use crate::git::cycle::{Outcome, Refused};
use crate::git::join::{How, Joined, join, open};
use crate::git::state::{Name, Oid};

pub(super) fn run(ctx: &Context, session: &SessionSides, branch: Option<&str>, how: JoinHow) -> Result<i32> {
    let record = &session.record;
    if let Some(why) = not_shared(ctx, record)? {
        return Err(cannot(&format!("it is not shared: {why}")));
    }
    let how = match how {
        JoinHow { rebase: true, .. } => How::Rebase,
        JoinHow { mine: true, .. } => How::Mine,
        JoinHow { theirs: true, .. } => How::Theirs,
        JoinHow { .. } => How::Merge,
    };
    let named = match branch {
        Some(text) => Some(
            Name::parse(text)
                .ok_or_else(|| cannot(&format!("`{}` is no name of a branch", harmless(text))))?,
        ),
        None => None,
    };
    let mutagen = mutagen_for(ctx)?;
    let _lock = lock(ctx, record)?;
    let mut joined = Vec::new();
    with_sides(ctx, &session.remote, record, Some(&mutagen), None, |sides| {
        let mut refused = Refused::new();
        let names = match named {
            Some(name) => vec![name],
            None => match open(sides, &mut refused)? {
                Ok(names) => names,
                Err(Outcome::Off(Some(why)) | Outcome::Held(why)) => return Err(cannot(&why)),
                Err(_) => return Err(cannot("there is no repository here")),
            },
        };
        for name in names {
            if ctx.runner.is_dry_run() {
                ctx.ui.note(&format!("{name} would be joined"));
                continue;
            }
            let what = join(sides, &name, how, &mut refused)?;
            joined.push((name, what));
        }
        Ok(())
    })?;
    ctx.store.poke_links();
    let mut told = Vec::new();
    for (name, what) in &joined {
        match what {
            Joined::Now(Some(oid)) => {
                ctx.ui.status("Joined", &format!("{name}: {} on both sides", oid.short()));
            }
            Joined::Now(None) => ctx.ui.status("Deleted", &format!("{name} on both sides")),
            Joined::Same => ctx.ui.note(&format!("{name} is the same on both sides")),
            Joined::Not(why) if *why == format!("there is no branch {name}") => return Err(cannot(why)),
            Joined::Not(why) => return Err(cannot(&format!("{name} is not joined: {why}"))),
            Joined::Conflicts(files, commit) => {
                return Err(conflicts(name, files, commit.as_ref().map(Oid::short)));
            }
        }
        let now = match what {
            Joined::Now(oid) => oid.as_ref().map(ToString::to_string),
            _ => None,
        };
        told.push(
            serde_json::json!({ "name": name.as_str(), "now": now, "moved": matches!(what, Joined::Now(_)) }),
        );
    }
    if joined.is_empty() && !ctx.runner.is_dry_run() {
        ctx.ui.note("no branch was moved on both sides");
    }
    if ctx.ui.is_json() {
        ctx.print_json(
            "git join",
            &serde_json::json!({ "id": record.id, "host": record.host, "joined": told }),
        );
    }
    Ok(0)
}

fn conflicts(name: &Name, files: &[String], commit: Option<&str>) -> anyhow::Error {
    let shown: Vec<String> = files.iter().take(5).map(|file| harmless(file)).collect();
    let more = if files.len() > 5 { format!(" and {} more", files.len() - 5) } else { String::new() };
    let at = commit.map(|commit| format!(" (at {commit})")).unwrap_or_default();
    let message = format!(
        "{name} is not joined: changed on both sides in the same places: {}{more}{at}",
        shown.join(", ")
    );
    Failure::new(Kind::Failed, message)
        .hint(format!("settle the files (`sinc resolve`, your editor), commit, then `git merge -s ours host/{name}` here"))
        .hint(format!("or take one side's branch: `sinc git join {name} --mine` or `--theirs`; the files stay as they are"))
        .into()
}
