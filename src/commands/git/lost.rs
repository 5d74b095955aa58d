//! `sinc git lost`: values of branches and stashes that sinc let go of, on either side, and how to have them back.

use anyhow::Result;

use super::super::context::Context;
use super::super::paint::{harmless, utc};
use super::super::sides::Sides as SessionSides;
use super::{short, with_sides};
use crate::git::LOST;
use crate::git::state::Oid;
use crate::remote::{Answer, Reply};

struct Lost {
    side: &'static str,
    at: u64,
    oid: Oid,
    whose: String,
}

pub(super) fn run(ctx: &Context, session: &SessionSides) -> Result<i32> {
    let record = &session.record;
    let mut all = Vec::new();
    with_sides(ctx, &session.remote, record, None, None, |sides| {
        let answers = [
            ("here", sides.local.script("look for what was let go of", &LOST, &[])?),
            ("host", (sides.ask)("look for what the host let go of", &LOST, &[])?),
        ];
        for (side, bytes) in answers {
            let reply = Reply::of(&Answer { bytes, ..Answer::default() });
            all.extend(reply.all("lost").filter_map(|line| parse(side, line)));
        }
        Ok(())
    })?;
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    if ctx.ui.is_json() {
        let one = |lost: &Lost| serde_json::json!({ "side": lost.side, "at": lost.at, "commit": lost.oid.as_str(), "whose": lost.whose });
        let data = serde_json::json!({ "id": record.id, "host": record.host, "lost": all.iter().map(one).collect::<Vec<_>>() });
        ctx.print_json("git lost", &data);
        return Ok(0);
    }
    for lost in &all {
        let whose = harmless(short(&lost.whose));
        ctx.ui.data(&format!("{}  {:<4}  {}  {whose}", utc(lost.at), lost.side, lost.oid.short()));
    }
    if all.is_empty() {
        ctx.ui.note("nothing was let go of");
    }
    for way in ways(&all) {
        ctx.ui.hint(way);
    }
    Ok(0)
}

/// How to have back what is listed.
fn ways(all: &[Lost]) -> Vec<&'static str> {
    let (saves, values): (Vec<_>, Vec<_>) = all.iter().partition(|lost| lost.whose.starts_with(SAVE));
    let mut ways = Vec::new();
    if !values.is_empty() {
        ways.push("`git branch NAME ID` on that side brings one back; git keeps them for 30 days");
    }
    if !saves.is_empty() {
        ways.push("`git show ID:PATH` on that side has what was saved, for 30 days");
    }
    ways
}

/// What `saves.rs` and `saves.sh` note a save with.
const SAVE: &str = "a save that ";

/// `ID refs/sinc/keep@{SECONDS} WHOSE`.
fn parse(side: &'static str, line: &str) -> Option<Lost> {
    let mut words = line.splitn(3, ' ');
    let oid = Oid::parse(words.next()?)?;
    let at = words.next()?.rsplit_once('{')?.1.trim_end_matches('}').parse().ok()?;
    let whose = words.next()?.to_owned();
    (whose != "-").then_some(Lost { side, at, oid, whose })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_have_it_back_is_told_of_what_is_there() {
        let lost = |whose: &str| {
            parse("here", &format!("{} refs/sinc/keep@{{1700000000}} {whose}", "a".repeat(40))).unwrap()
        };
        let starts = |all: &[Lost], expected: &[&str]| {
            let ways = ways(all);
            assert_eq!(ways.len(), expected.len(), "{ways:?}");
            assert!(ways.iter().zip(expected).all(|(way, word)| way.starts_with(word)), "{ways:?}");
        };
        starts(&[], &[]);
        starts(&[lost("refs/heads/main")], &["`git branch NAME ID`"]);
        starts(&[lost("a save that git wrote over: src/a, b and more")], &["`git show ID:PATH`"]);
        starts(&[lost("a save that was replaced while git worked: a")], &["`git show ID:PATH`"]);
        let both = [lost("refs/stash"), lost("a save that git wrote over: top")];
        starts(&both, &["`git branch NAME ID`", "`git show ID:PATH`"]);
    }
}
