//! Names every path that is not the same on both sides after a flush: those that Mutagen lists, and the others.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::context::Context;
use super::first_cycle::{printable, problem_line, why};
use super::paint::harmless;
use super::sides::{Sides, word};
use super::state_report::is_completed;
use crate::ignore::Matcher;
use crate::listing::{What, affordable, compare, undecided};
use crate::session::unequal::{Looked, Unequal, Why, left_out, needs_digests};
use crate::state::Record;
use crate::tools::mutagen::{Checked, CycleResult, SyncSession};
use crate::ui::{count, plural};

/// How many are named on a terminal.
const SHOWN: usize = 50;

/// How long a look at both sides may take. It is taken three times at the most.
const DEADLINE: Duration = Duration::from_secs(30);

/// The same where the time of the flush is up already.
const LATE: Duration = Duration::from_secs(5);

/// So many bytes are read on each side at the most, to find what differs and has the same size.
const READ: u64 = 512 << 20;

/// A path that is not the same on both sides.
#[derive(Clone, Debug, Serialize)]
struct Named {
    /// The path; empty for the directory itself.
    path: String,
    /// The side that the reason is about.
    side: Option<&'static str>,
    /// Why, in a word.
    reason: &'static str,
    /// Why, in words.
    what: String,
    #[serde(skip)]
    line: String,
}

/// All of them, as far as they could be found.
#[derive(Debug, Default)]
pub(super) struct Found {
    named: Vec<Named>,
    /// How many more Mutagen counts.
    more: u64,
    /// Why they were not looked for.
    unseen: Option<String>,
}

impl Found {
    /// For `--json`.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!(self.named)
    }

    /// Says them.
    pub(super) fn tell(&self, ctx: &Context) {
        let shown = if ctx.global.verbose > 0 { usize::MAX } else { SHOWN };
        for one in self.named.iter().take(shown) {
            ctx.ui.note(&one.line);
        }
        let hidden = self.named.len().saturating_sub(shown) as u64;
        if hidden > 0 {
            ctx.ui.note(&format!("… and {} more; `-v` and `--json` name all of them", count(hidden)));
        }
        if self.more > 0 {
            let more = plural(self.more, "more path", "more paths");
            let why = self.unseen.as_deref().unwrap_or("could not be told apart by comparing both sides");
            ctx.ui.note(&format!("and {more} that Mutagen does not list: {why}"));
        } else if let Some(why) = &self.unseen {
            ctx.ui.note(why);
        }
    }
}

/// Finds what keeps both sides from being equal, by path. The sides are only compared where Mutagen lists less than there is.
pub(super) fn find(ctx: &Context, record: &Record, checked: &Checked) -> Found {
    let session = &checked.session;
    let completed = is_completed(&checked.result);
    let mut found = Found { named: listed(session), ..Found::default() };
    let total = session.conflict_count() + session.problem_count();
    let waits = !completed || checked.result == CycleResult::StillChanging;
    if !completed && !matches!(checked.result, CycleResult::TimedOut { .. }) {
        found.unseen = Some("no cycle was completed".to_owned()).filter(|_| total > found.named.len() as u64);
    } else if total > found.named.len() as u64 || waits {
        let line = ctx.ui.progress();
        line.show("Comparing", &format!("with {}", record.host));
        match looked(ctx, record, session, !waits) {
            Ok((here, there)) => {
                found.named.extend(left_out(session, &here, &there, !waits).iter().map(named));
            }
            Err(error) => {
                found.unseen = Some(harmless(&format!("both sides could not be compared: {error:#}")));
            }
        }
    }
    found.more = total.saturating_sub(found.named.len() as u64);
    found
}

/// What both sides have.
fn looked(
    ctx: &Context,
    record: &Record,
    session: &SyncSession,
    completed: bool,
) -> Result<(Looked, Looked)> {
    let sides = Sides::of_record(ctx, record)?;
    let ignored = Matcher::new(session.ignores());
    let within = Some(if completed { DEADLINE } else { LATE });
    let (mut here, mut there) = sides.pair().list(&ignored, within)?;
    if needs_digests(session, completed) {
        let asked = affordable(undecided(&compare(&here, &there)), &here, &there, READ);
        sides.pair().add_digests(&asked, (&mut here, &mut there), within)?;
    }
    let (a, b) = sides.pair().rights(&here, &ignored, within)?;
    Ok((Looked { listing: here, rights: a }, Looked { listing: there, rights: b }))
}

/// What Mutagen lists.
fn listed(session: &SyncSession) -> Vec<Named> {
    let conflicts = session.conflicts.iter().map(|one| {
        let what = one.kind(session).to_string();
        let line = format!("{}: {what}", printable(&one.root));
        Named { path: one.root.clone(), side: None, reason: "conflict", what, line }
    });
    let problems = session.problems().into_iter().map(|one| Named {
        side: Some(word(one.side)),
        reason: one.reason().word(),
        what: harmless(&why(&one)),
        line: problem_line(&one),
        path: one.path,
    });
    conflicts.chain(problems).collect()
}

/// One that it does not list.
fn named(one: &Unequal) -> Named {
    let path = one.path.to_string_lossy().into_owned();
    let shown = harmless(&path);
    let where_it_is = |what: What| match what {
        What::OnlyHere => "only here",
        What::OnlyThere => "only on the host",
        _ => "not the same on both sides",
    };
    let (side, reason, what) = match &one.why {
        Why::Problem(side, reason) => {
            let text = reason.text().unwrap_or("it could not be brought over").to_owned();
            let line = format!("{shown} {side}: {text}");
            return Named { path, side: Some(word(*side)), reason: reason.word(), what: text, line };
        }
        Why::Conflict(kind) => (None, "conflict", kind.to_string()),
        Why::Waits(what) => (None, "waiting", format!("{}, not brought over yet", where_it_is(*what))),
        Why::Differs(what) => (None, "other", where_it_is(*what).to_owned()),
    };
    Named { line: format!("{shown}: {what}"), path, side, reason, what }
}
