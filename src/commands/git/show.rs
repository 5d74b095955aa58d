//! How git stands on both sides.

use anyhow::Result;
use serde::Serialize;

use super::super::context::Context;
use super::super::link;
use super::super::mutagen;
use super::super::paint::{Paint, Tone, harmless};
use super::super::sides::Sides as SessionSides;
use super::{not_shared, short, with_sides};
use crate::git::cycle::{Looked, Outcome, Refused, Sides, busy};
use crate::git::decide::{Plan, Staged};
use crate::git::limits;
use crate::git::state::{Oid, State, Which};
use crate::ui::plural;

/// What `--json` has; docs/cli.md describes it.
#[derive(Debug, Default, Serialize)]
struct Told {
    id: String,
    host: String,
    /// `in-step`, `moving`, `differs`, `waits`, `held` or `off`.
    state: &'static str,
    why: Option<String>,
    here: Option<SideTold>,
    there: Option<SideTold>,
    differs: Vec<Differs>,
    waits: Vec<Waits>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SideTold {
    head: String,
    commit: Option<String>,
    /// Is what is staged another thing than the commit?
    staged: bool,
    branches: usize,
    tags: usize,
    stashes: usize,
    git: String,
}

#[derive(Debug, Serialize)]
struct Differs {
    name: String,
    here: Option<String>,
    there: Option<String>,
    /// Commits that only this side has, where both can be counted.
    only_here: Option<u64>,
    only_there: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Waits {
    name: String,
    side: &'static str,
    why: String,
}

pub(super) fn run(ctx: &Context, session: &SessionSides) -> Result<i32> {
    let record = &session.record;
    let mut told = Told { id: record.id.clone(), host: record.host.clone(), ..Told::default() };
    match not_shared(ctx, record)? {
        Some(why) => (told.state, told.why) = ("off", Some(why.to_owned())),
        None => {
            let mutagen = mutagen::present(ctx).ok();
            with_sides(ctx, &session.remote, record, mutagen.as_ref(), None, |sides| look(sides, &mut told))?;
        }
    }
    if let Some(said) = link::git(ctx, record) {
        of_the_link(&mut told, &said);
    }
    if ctx.ui.is_json() {
        ctx.print_json("git", &serde_json::to_value(&told)?);
        return Ok(0);
    }
    for line in lines(&told, Paint::for_stdout(ctx)) {
        ctx.ui.data(&line);
    }
    for way in ways(&told) {
        ctx.ui.hint(&way);
    }
    Ok(0)
}

/// What the link says keeps it from moving anything, which no look finds out.
fn of_the_link(told: &mut Told, said: &str) {
    let Some(why) = said.strip_prefix("held: ").or_else(|| said.strip_prefix("not in step: ")) else {
        return;
    };
    match told.state {
        "moving" => (told.state, told.why) = ("held", Some(why.to_owned())),
        "differs" | "waits" => told.notes.push(format!("the link says: {said}")),
        _ => {}
    }
}

/// What leads out of what differs. Nothing is joined while something is in progress.
fn ways(told: &Told) -> Vec<String> {
    let mut ways = Vec::new();
    if told.state == "held" {
        return ways;
    }
    if told.differs.iter().any(|one| one.only_here.is_some()) {
        ways.push("`sinc git join` brings together what was moved on both sides".to_owned());
    }
    for one in &told.differs {
        if let Some(tag) = one.name.strip_prefix("refs/tags/") {
            ways.push(format!("`git tag -d {}` on one side: both have the other's then", harmless(tag)));
        } else if one.name == "HEAD" {
            ways.push(
                "`git checkout` on one side of what the other stands on: both go on together".to_owned(),
            );
        }
    }
    ways
}

fn look(sides: &Sides<'_>, told: &mut Told) -> Result<()> {
    let (here, there) = match sides.look(false)? {
        Looked::Both(here, there) => (here, there),
        Looked::Stopped(outcome) => {
            told.state = "off";
            told.why = match outcome {
                Outcome::Off(None) => Some("there is no repository here".to_owned()),
                Outcome::Off(why) => why,
                Outcome::Held(why) | Outcome::Again(why) => Some(why),
                Outcome::Done(_) => None,
            };
            return Ok(());
        }
    };
    let mut refused = Refused::new();
    sides.fetch(&here, &there, &mut refused)?;
    let plan = sides.decide(&here, &there, &refused);
    told.notes = limits::notes(&here, &there);
    told.notes.extend(sides.left_out()?.map(|note| note.text));
    told.notes.extend(sides.notes_of_files()?);
    told.notes
        .extend(refused.iter().map(|(oid, why)| format!("{} of the host was refused: {why}", oid.short())));
    told.differs = plan.differs.iter().map(|one| differs(sides, one)).collect();
    told.waits = plan.waits.iter().map(waits).collect();
    let held = busy(&here, &there);
    told.state = match () {
        () if held.is_some() => "held",
        () if !told.differs.is_empty() => "differs",
        () if !told.waits.is_empty() => "waits",
        () if moves(&plan) => "moving",
        () => "in-step",
    };
    told.why = held;
    (told.here, told.there) = (Some(side(&here)), Some(side(&there)));
    Ok(())
}

fn moves(plan: &Plan) -> bool {
    !plan.here.is_empty() || !plan.there.is_empty() || !matches!(plan.staged, Staged::Same | Staged::Apart)
}

fn side(state: &State) -> SideTold {
    SideTold {
        head: state.head.to_string(),
        commit: state.commit().map(ToString::to_string),
        staged: state.index.tree() != Some(state.tree()),
        branches: state.branches.len(),
        tags: state.tags.len(),
        stashes: state.stash.len(),
        git: format!("{}.{}", state.version.0, state.version.1),
    }
}

fn waits(one: &crate::git::decide::Waits) -> Waits {
    let side = match one.side {
        Which::Here => "here",
        Which::There => "host",
    };
    Waits { name: one.name.clone(), side, why: one.why.clone() }
}

fn differs(sides: &Sides<'_>, one: &crate::git::decide::Differs) -> Differs {
    let branch = one.name.starts_with("refs/heads/");
    let (mut only_here, mut only_there) = (None, None);
    if let (true, Some(here), Some(there)) = (branch, &one.here, &one.there) {
        let range = format!("{here}...{there}");
        let words = ["rev-list", "--left-right", "--count", &range, "--"];
        if let Ok(said) = sides.local.read(&sides.local.git("count commits").args(words)) {
            let mut numbers = said.split_whitespace().map(|number| number.parse().ok());
            (only_here, only_there) = (numbers.next().flatten(), numbers.next().flatten());
        }
    }
    Differs {
        name: one.name.clone(),
        here: one.here.clone(),
        there: one.there.clone(),
        only_here,
        only_there,
    }
}

fn lines(told: &Told, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |key: &str, tone: Tone, text: &str| {
        lines.push(format!(
            "{}  {}",
            paint.paint(Tone::Quiet, &format!("{key:<8}")),
            paint.paint(tone, text)
        ));
    };
    let why = told.why.as_deref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
    match told.state {
        "in-step" => line("git", Tone::Good, "in step"),
        "moving" => line("git", Tone::Good, "something is on its way"),
        "differs" => line("git", Tone::Careful, "moved on both sides, and left alone"),
        "waits" => line("git", Tone::Careful, "something waits"),
        "held" => line("git", Tone::Careful, &format!("held{why}")),
        _ => line("git", Tone::Plain, &format!("not shared{why}")),
    }
    for (key, side) in [("here", &told.here), (&told.host[..], &told.there)] {
        let Some(side) = side else { continue };
        let at = side.commit.as_deref().map_or("no commit yet", |commit| &commit[..9]);
        let mut more = format!(
            "{}, {}",
            plural(side.branches as u64, "branch", "branches"),
            plural(side.stashes as u64, "stash", "stashes")
        );
        if side.staged {
            more.push_str(", something staged");
        }
        line(key, Tone::Plain, &format!("{} at {at} ({more})", harmless(&side.head)));
    }
    for one in &told.differs {
        let name = harmless(short(&one.name));
        let text = match (one.only_here, one.only_there) {
            (Some(here), Some(there)) => format!(
                "{name}: {} only here, {} only on the host (host/{name} here, laptop/{name} there)",
                plural(here, "commit", "commits"),
                plural(there, "commit", "commits")
            ),
            _ => {
                let show = |side: &Option<String>| {
                    let value = side.as_deref().unwrap_or("nothing");
                    Oid::parse(value).map_or_else(|| harmless(value), |oid| oid.short().to_owned())
                };
                format!("{name}: {} here, {} on the host", show(&one.here), show(&one.there))
            }
        };
        line("differs", Tone::Careful, &text);
    }
    for one in &told.waits {
        let name = harmless(short(&one.name));
        line("waits", Tone::Careful, &format!("{name}, {}: {}", one.side, harmless(&one.why)));
    }
    for note in &told.notes {
        line("note", Tone::Plain, &harmless(note));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(name: &str, only_here: Option<u64>) -> Differs {
        let id = |digit: &str| Some(digit.repeat(40));
        Differs { name: name.to_owned(), here: id("a"), there: id("b"), only_here, only_there: only_here }
    }

    #[test]
    fn why_the_link_moves_nothing_is_said() {
        let why = "main cannot go over: git on the host does not take it";
        for (state, prefix, now, is_why, is_note) in [
            ("moving", "held: ", "held", true, false),
            ("moving", "not in step: ", "held", true, false),
            ("moving", "waits: ", "moving", false, false),
            ("differs", "not in step: ", "differs", false, true),
            ("waits", "held: ", "waits", false, true),
            ("waits", "waits: ", "waits", false, false),
            // It was so a moment ago.
            ("in-step", "not in step: ", "in-step", false, false),
        ] {
            let mut told = Told { state, ..Told::default() };
            of_the_link(&mut told, &format!("{prefix}{why}"));
            assert_eq!((told.state, told.why.as_deref()), (now, is_why.then_some(why)), "{state} {prefix}");
            let note = is_note.then(|| format!("the link says: {prefix}{why}"));
            assert_eq!(told.notes, note.into_iter().collect::<Vec<_>>(), "{state} {prefix}");
        }
    }

    #[test]
    fn what_differs_is_shown_with_its_way_out() {
        let mut told = Told { state: "differs", ..Told::default() };
        told.differs = vec![differs("refs/heads/main", Some(1)), differs("refs/tags/v1", None)];
        let head =
            Differs { here: Some("one".to_owned()), there: Some("two".to_owned()), ..differs("HEAD", None) };
        told.differs.push(head);
        assert_eq!(
            lines(&told, Paint::off()).split_off(1),
            [
                "differs   main: 1 commit only here, 1 commit only on the host (host/main here, laptop/main there)",
                "differs   tags/v1: aaaaaaaaa here, bbbbbbbbb on the host",
                "differs   HEAD: one here, two on the host",
            ]
        );
        let ways = ways(&told);
        assert_eq!(ways.len(), 3, "{ways:?}");
        for (way, command) in ways.iter().zip(["`sinc git join`", "`git tag -d v1`", "`git checkout`"]) {
            assert!(way.starts_with(command), "{way}");
        }
        told.state = "held";
        assert!(super::ways(&told).is_empty());
    }
}
