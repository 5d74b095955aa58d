//! `sinc resolve`: settles conflicts, by a flag or one after the other on a terminal.

mod apply;
mod automatic;
mod base;
mod both;
mod edit;
mod edited;
mod merged;
mod unfinished;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use self::apply::{Done, End, How, Task, apply};
pub(super) use self::automatic::{Settled, is_automatic, settle, settle_and_tell};
use self::edited::Typed;
pub(super) use self::unfinished::{BROKE_OFF, put_back, put_back_left};
use super::conflicts::{among, diff, look, show};
use super::context::Context;
use super::paint::{Paint, harmless};
use super::sides::{Sides, word};
use super::{held_words, mode_words, mutagen};
use crate::cli;
use crate::failure::{Failure, Kind, explain};
use crate::listing::Kind as EntryKind;
use crate::session::conflicts::Open;
use crate::tools::mutagen::{Mutagen, Side, SyncMode};
use crate::ui::plural;

/// How often it starts over with what was changed meanwhile.
const ROUNDS: u32 = 3;

/// How a conflict is to be settled, before it is known what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Local,
    Remote,
    Both,
    Merge,
    Edit,
}

/// The conflicts that are still open.
#[derive(Debug, Default)]
struct Left {
    /// Those that could not be settled, each with the reason.
    not: Vec<String>,
    /// Those that the person wants to leave.
    chosen: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// The command line leaves open what to do, or something is still in conflict.
pub(super) fn run(ctx: &Context, args: &cli::Resolve) -> Result<i32> {
    let way = way(args.how);
    let walks = way.is_none() && ctx.ui.is_interactive() && !ctx.runner.is_dry_run();
    if way.is_none() && !walks {
        return Err(usage("name how: `--local`, `--remote`, `--both`, `--merge` or `--edit`"));
    }
    if way == Some(Way::Edit) && !ctx.ui.is_interactive() {
        return Err(usage("`--edit` needs a terminal"));
    }
    if !walks && args.paths.is_empty() && !args.all {
        return Err(usage("name the paths, or `--all`"));
    }
    let sides = Sides::of(ctx, args.session.as_deref())?;
    mode_words::refuse_without(&sides.record)?;
    held_words::refuse(&sides.record)?;
    let mutagen = mutagen::present(ctx)?;
    super::link::ensure(ctx, &sides.record.host);
    if let Some(mode) = look::the_sync(&mutagen, &sides)?.sync_mode() {
        check_mode(mode, way)?;
    }
    let mut done: Vec<Done> = Vec::new();
    if let Some(way) = way.filter(|_| ctx.runner.is_dry_run()) {
        let open = find(ctx, &sides, &mutagen, args, None)?.0;
        return if open.is_empty() {
            finish(ctx, &sides, &done, Left::default())
        } else {
            dry_run(ctx, &open, way)
        };
    }
    let mut typed = Typed::default();
    let ended = rounds(ctx, &sides, &mutagen, (args, way), &mut done, &mut typed);
    typed.tell(ctx);
    let left = match ended {
        Ok(left) => left,
        Err(error) => return Err(cut_off(&done, error)),
    };
    if !ctx.runner.is_dry_run() {
        let left = super::notify::noted(&look::the_sync(&mutagen, &sides)?);
        super::notify::conflicts(ctx, &sides.remote, &sides.record, &left);
    }
    finish(ctx, &sides, &done, left)
}

/// Settles what is meant, and starts over with what was changed meanwhile. What was done is said at once, and added to `done`;
/// gives what is still open.
///
/// # Errors
/// A side was not reached, or no cycle could be completed.
fn rounds(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    (args, way): (&cli::Resolve, Option<Way>),
    done: &mut Vec<Done>,
    typed: &mut Typed,
) -> Result<Left> {
    let mut left = Left::default();
    let mut again: Option<BTreeSet<PathBuf>> = None;
    let mut rounds = 0;
    while rounds < ROUNDS {
        rounds += 1;
        let before = done.len();
        let (open, unknown) = find(ctx, sides, mutagen, args, again.as_ref())?;
        if open.is_empty() {
            if again.take().is_some() {
                ctx.ui.note("somebody else has settled it meanwhile");
            }
            break;
        }
        let Some(way) = way else {
            left.chosen = walk(ctx, sides, mutagen, open, done, typed)?;
            left.not.extend(more(unknown));
            break;
        };
        let (tasks, refused) = tasks(ctx, sides, open, way, typed)?;
        left.not.extend(refused);
        let changed = settle_and_say((ctx, sides, mutagen), tasks, done, typed)?;
        again = Some(changed.into_iter().map(|one| one.task.open.path).collect());
        let Some(paths) = again.as_ref().filter(|paths| !paths.is_empty()) else {
            // Mutagen names ten conflicts, and the version before of these: the next ten are named now.
            let settled = done[before..].iter().any(|one| one.end == End::Settled);
            if args.all && settled && (unknown > 0 || way == Way::Merge && !left.not.is_empty()) {
                left.not.clear();
                again = None;
                rounds = 0;
                continue;
            }
            left.not.extend(more(unknown));
            break;
        };
        for path in paths {
            ctx.ui.note(&format!(
                "{} was changed meanwhile: it starts over",
                harmless(&path.to_string_lossy())
            ));
        }
    }
    left.not
        .extend(again.into_iter().flatten().map(|path| format!("{}: it is being changed", path.display())));
    Ok(left)
}

/// Settles these and says what became of each, also of those before a failure. Gives those that were changed meanwhile.
fn settle_and_say(
    (ctx, sides, mutagen): (&Context, &Sides, &Mutagen),
    tasks: Vec<Task>,
    done: &mut Vec<Done>,
    typed: &mut Typed,
) -> Result<Vec<Done>> {
    let mut tried = Vec::new();
    let result = apply(ctx, sides, mutagen, tasks, &mut tried);
    tried.iter().filter(|one| one.end == End::Settled).for_each(|one| typed.settled(&one.task.open.path));
    let (changed, ended): (Vec<Done>, Vec<Done>) = tried.into_iter().partition(|one| one.end == End::Changed);
    ended.iter().for_each(|one| tell(ctx, sides, one));
    done.extend(ended);
    typed.tell(ctx);
    result.map(|()| changed)
}

/// A failure after some were settled says how many, and which with `--json`.
fn cut_off(done: &[Done], error: anyhow::Error) -> anyhow::Error {
    let settled = done.iter().filter(|one| one.end == End::Settled).count() as u64;
    if settled == 0 {
        return error;
    }
    let shown = explain(&error);
    let settled = plural(settled, "conflict is settled", "conflicts are settled");
    let why = [vec![shown.message], shown.causes].concat().join(": ");
    let failure = Failure::new(shown.kind, format!("{settled}, the others are not: {why}"));
    shown.hints.into_iter().fold(failure.with_data(data(done)), Failure::hint).into()
}

fn usage(text: &str) -> anyhow::Error {
    Failure::new(Kind::Usage, text)
        .hint("see `sinc resolve --help`; `sinc conflicts` shows what there is")
        .into()
}

/// Where everything comes from one side, only its version can be taken.
fn check_mode(mode: SyncMode, way: Option<Way>) -> Result<()> {
    let (only, message, hint) = match mode.source() {
        None => return Ok(()),
        Some(Side::Local) => {
            (Way::Local, "nothing comes from the host: only the version here", "`sinc resolve --local`")
        }
        Some(Side::Remote) => {
            (Way::Remote, "nothing goes to the host: only the version there", "`sinc resolve --remote`")
        }
    };
    if way == Some(only) {
        return Ok(());
    }
    let message = format!("in mode {} {message} can be taken", mode.word());
    Err(Failure::new(Kind::Failed, message).hint(format!("{hint}; or copy by hand what you need")).into())
}

fn way(how: cli::How) -> Option<Way> {
    let all = [
        (how.local, Way::Local),
        (how.remote, Way::Remote),
        (how.both, Way::Both),
        (how.merge, Way::Merge),
        (how.edit, Way::Edit),
    ];
    all.into_iter().find_map(|(given, way)| given.then_some(way))
}

/// What is said of conflicts that are counted, and not known for sure.
fn more(unknown: u64) -> Option<String> {
    let one = |word: &str| {
        format!("{unknown} more {word} not told apart from what is being written at this moment")
    };
    (unknown > 0).then(|| one(if unknown == 1 { "is" } else { "are" }))
}

/// The conflicts that are meant, and how many more there are. What an interrupted run left is seen to first.
fn find(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    args: &cli::Resolve,
    again: Option<&BTreeSet<PathBuf>>,
) -> Result<(Vec<Open>, u64)> {
    let seen = look::look(ctx, sides, mutagen, None)?;
    let unknown = if args.paths.is_empty() { seen.unknown() } else { 0 };
    let Some(again) = again else {
        let free = ctx.store.lock(&sides.record.id, &sides.record.host, Duration::ZERO, &mut || {});
        if free.is_ok() {
            look::recover(ctx, sides, &seen.open, seen.unknown() > 0)?;
        }
        return Ok((among(ctx, sides, seen.open, &args.paths)?, unknown));
    };
    Ok((seen.open.into_iter().filter(|one| again.contains(&one.path)).collect(), unknown))
}

/// What is to be done with each; and why some cannot be.
fn tasks(
    ctx: &Context,
    sides: &Sides,
    open: Vec<Open>,
    way: Way,
    typed: &mut Typed,
) -> Result<(Vec<Task>, Vec<String>)> {
    let (mut tasks, mut refused) = (Vec::new(), Vec::new());
    for one in open {
        match how(ctx, sides, &one, way, typed)? {
            Ok(how) => tasks.push(Task { open: one, how }),
            Err(why) => refused.push(format!("{}: {why}", one.path.display())),
        }
    }
    Ok((tasks, refused))
}

fn how(
    ctx: &Context,
    sides: &Sides,
    open: &Open,
    way: Way,
    typed: &mut Typed,
) -> Result<Result<How, String>> {
    Ok(match way {
        Way::Local => Ok(How::Local),
        Way::Remote => Ok(How::Remote),
        Way::Both => Ok(How::Both),
        Way::Merge => merged::merge(ctx, sides, open)?.map(|text| How::Text("merge", text)),
        Way::Edit => edit::edit(ctx, sides, open, typed)?.map(|text| How::Text("edit", text)),
    })
}

fn dry_run(ctx: &Context, open: &[Open], way: Way) -> Result<i32> {
    let what = match way {
        Way::Local => "the version here would be taken, the one on the host kept in a backup there",
        Way::Remote => "the version on the host would be taken, the one here kept in a backup here",
        Way::Both => "the version on the host would get a name of its own beside the one here",
        Way::Merge => "the changes of both would be merged, both versions kept in backups",
        Way::Edit => "both versions would be opened in an editor",
    };
    for one in open {
        ctx.ui.note(&format!("{}: {what}", harmless(&one.path.to_string_lossy())));
    }
    if ctx.ui.is_json() {
        let paths: Vec<_> = open.iter().map(|one| one.path.to_string_lossy()).collect();
        ctx.print_json("resolve", &json!({ "settled": [], "would_settle": paths }));
    }
    Ok(0)
}

/// One after the other: shown, asked, settled. What was done is added to `done`; gives what the person left.
fn walk(
    ctx: &Context,
    sides: &Sides,
    mutagen: &Mutagen,
    open: Vec<Open>,
    done: &mut Vec<Done>,
    typed: &mut Typed,
) -> Result<Vec<String>> {
    let mut left = Vec::new();
    let diffs = diff::diffs(sides, &open)?;
    let total = open.len();
    let mut waiting: std::collections::VecDeque<(Open, Option<diff::Diff>)> = open
        .into_iter()
        .map(|one| {
            let diff = diffs.get(&one.path).cloned();
            (one, diff)
        })
        .collect();
    while let Some((one, diff)) = waiting.pop_front() {
        let number = total - waiting.len();
        for line in show::lines(&one, diff.as_ref(), Paint::for_stdout(ctx)) {
            ctx.ui.raw(&line);
        }
        let path = harmless(&one.path.to_string_lossy());
        let Some(way) = ask(ctx, &one, &format!("{number} of {total}: which version of {path}"))? else {
            left.push(path);
            continue;
        };
        let how = match way {
            Choice::Leave => {
                left.push(path);
                continue;
            }
            Choice::Stop => {
                left.push(path);
                left.extend(waiting.iter().map(|(one, _)| harmless(&one.path.to_string_lossy())));
                break;
            }
            Choice::Way(way) => how(ctx, sides, &one, way, typed)?,
        };
        let how = match how {
            Ok(how) => how,
            Err(why) => {
                // It is asked again, with the menu's word for it.
                ctx.ui.warn(&format!("{path}: {}", why.replace("`--edit`", "`edit`")));
                waiting.push_front((one, diff));
                continue;
            }
        };
        for _ in settle_and_say((ctx, sides, mutagen), vec![Task { open: one.clone(), how }], done, typed)? {
            ctx.ui.note(&format!("{path} was changed meanwhile: it starts over"));
            let fresh = look::look(ctx, sides, mutagen, None)?.open;
            let fresh: Vec<Open> = fresh.into_iter().filter(|open| open.path == one.path).collect();
            let mut diffs = diff::diffs(sides, &fresh)?;
            for open in fresh {
                let diff = diffs.remove(&open.path);
                waiting.push_front((open, diff));
            }
        }
        ctx.ui.raw("");
    }
    Ok(left)
}

enum Choice {
    Way(Way),
    Leave,
    Stop,
}

fn ask(ctx: &Context, open: &Open, question: &str) -> Result<Option<Choice>> {
    let is_file = |side| open.at(side).is_some_and(|entry| entry.kind == EntryKind::File);
    let mut answers = vec![
        ("the one here (local); the other is kept on the host", Choice::Way(Way::Local)),
        ("the one on the host (remote); the other is kept here", Choice::Way(Way::Remote)),
    ];
    if open.at(Side::Local).is_some() && open.at(Side::Remote).is_some() {
        answers.push(("both, the host's under another name", Choice::Way(Way::Both)));
    }
    if is_file(Side::Local) && is_file(Side::Remote) {
        answers.push(("both changes, merged", Choice::Way(Way::Merge)));
        answers.push(("edit", Choice::Way(Way::Edit)));
    }
    answers.push(("leave it as it is", Choice::Leave));
    answers.push(("stop here", Choice::Stop));
    let words: Vec<&str> = answers.iter().map(|(word, _)| *word).collect();
    let chosen = ctx.ui.choose(question, &words)?;
    Ok(chosen.map(|at| answers.swap_remove(at).1))
}

/// Says what became of one, and where the version is that lost.
fn tell(ctx: &Context, sides: &Sides, done: &Done) {
    let path = harmless(&done.task.open.path.to_string_lossy());
    if let End::Failed(why) = &done.end {
        ctx.ui.warn(&format!("{path}: {why}"));
    } else {
        let what = match &done.task.how {
            How::Local => "the version here",
            How::Remote => "the version of the host",
            How::Both => "both versions",
            How::Text(..) => "one version out of both",
        };
        ctx.ui.status("Settled", &format!("{path}: {what}"));
    }
    for (side, place) in &done.kept {
        ctx.ui.note(&format!("what was {side} is kept in {}", sides.shown(ctx, *side, place)));
    }
    if let Some(copy) = &done.copy {
        ctx.ui.note(&format!("the host's is {} now", harmless(&copy.to_string_lossy())));
    }
}

fn finish(ctx: &Context, sides: &Sides, done: &[Done], left: Left) -> Result<i32> {
    let Left { not: mut left, chosen } = left;
    for one in done {
        if let End::Failed(why) = &one.end {
            let path = one.task.open.path.display();
            // Why has been said, where there is more than the one object.
            left.push(if ctx.ui.is_json() { format!("{path}: {why}") } else { path.to_string() });
        }
    }
    if !chosen.is_empty() {
        let count = plural(chosen.len() as u64, "conflict is", "conflicts are");
        ctx.ui.note(&format!("{count} left for now: {}", chosen.join(", ")));
    }
    if !left.is_empty() {
        let count = plural(left.len() as u64, "conflict is still open", "conflicts are still open");
        let named: Vec<String> = left.iter().take(5).map(|line| harmless(line)).collect();
        let more = left.len().saturating_sub(5);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let mut failure = Failure::new(Kind::Failed, format!("{count}: {}{more}", named.join("; ")));
        if left.iter().any(|line| line.ends_with(edit::HAS_MARKERS)) {
            failure = failure.hint("`sinc resolve --edit PATH` opens it again");
        }
        return Err(failure.hint("`sinc conflicts` shows them").with_data(data(done)).into());
    }
    if !chosen.is_empty() {
        return Ok(1);
    }
    if ctx.ui.is_json() {
        ctx.print_json("resolve", &data(done));
    } else if done.is_empty() {
        ctx.ui.note(&format!("there is no conflict between here and {}", sides.record.host));
    } else if done.len() > 1 {
        ctx.ui.note(&format!("{} settled", plural(done.len() as u64, "conflict", "conflicts")));
    }
    Ok(0)
}

/// What was settled, as docs/cli.md describes it.
fn data(done: &[Done]) -> Value {
    let one = |done: &Done| -> Value {
        let kept: Vec<Value> = done
            .kept
            .iter()
            .map(|(side, place)| json!({ "side": word(*side), "place": place.to_string_lossy() }))
            .collect();
        json!({
            "path": done.task.open.path.to_string_lossy(), "how": done.task.how.word(), "kept": kept,
            "copy": done.copy.as_ref().map(|copy| copy.to_string_lossy()),
        })
    };
    let settled = done.iter().filter(|one| one.end == End::Settled);
    json!({ "settled": settled.map(one).collect::<Vec<_>>(), "would_settle": [] })
}
