//! Waits for the first cycle of a sync with a live line: an agent must not start in a half-filled directory.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::mode_words;
use crate::failure::{Failure, Kind};
use crate::session::sync::only_unreadable;
use crate::tools::mutagen::{
    Checked, CycleResult, Mutagen, Patience, Phase, Problem, Progress, Side, SyncSession,
};
use crate::ui::{bytes, count, plural};

/// How long nothing may move before the wait is given up.
const PATIENCE: Patience = Patience { idle: Duration::from_secs(60), busy: Duration::from_secs(600) };

/// Waits until the first cycle has been completed and checked; gives what came of it.
///
/// # Errors
/// Nothing moves any more, the sync has halted, or something could not be brought over.
pub(super) fn wait(ctx: &Context, mutagen: &Mutagen, sync: &str, host: &str) -> Result<Checked> {
    wait_within(ctx, mutagen, sync, host, PATIENCE)
}

/// The same with a patience of the caller's.
///
/// # Errors
/// As [`wait`].
pub(super) fn wait_within(
    ctx: &Context,
    mutagen: &Mutagen,
    sync: &str,
    host: &str,
    patience: Patience,
) -> Result<Checked> {
    let started = Instant::now();
    let line = ctx.ui.progress();
    line.show("Syncing", &format!("with {host}"));
    let mut rate = Rate::default();
    let result = mutagen.wait_first_cycle(sync, patience, &mut |progress| {
        line.show("Syncing", &describe(progress, &mut rate));
    })?;
    drop(line);
    let complete = match &result.result {
        CycleResult::Equal | CycleResult::Conflicts(_) | CycleResult::StillChanging => true,
        CycleResult::Problems { listed, .. } => only_unreadable(listed),
        _ => false,
    };
    if !complete {
        return Err(unfinished(&result));
    }
    let source = result.session.source();
    let what = format!(
        "{}, {}, in {:.1} s",
        plural(source.files, "file", "files"),
        bytes(source.total_file_size),
        started.elapsed().as_secs_f64()
    );
    ctx.ui.status("Synced", &what);
    Ok(result)
}

/// Why a cycle was not completed, with what helps.
pub(super) fn unfinished(checked: &Checked) -> anyhow::Error {
    let result = &checked.result;
    let failure = match result {
        CycleResult::TimedOut { .. } => {
            Failure::new(Kind::TimedOut, format!("the sync is not complete: {result}"))
                .hint("`sinc status` shows where it stands; `sinc` goes on waiting for it")
        }
        CycleResult::Problems { .. } => {
            let message = format!("the sync is not complete: {}", complaints(&checked.session).join("; "));
            Failure::new(Kind::Failed, message)
                .hint("mend what it names, or ignore it in .sincignore, then run `sinc` again")
        }
        _ => Failure::new(Kind::Failed, format!("the sync is not complete: {result}"))
            .hint("`sinc status` shows where it stands"),
    };
    failure.into()
}

/// Counts and names what a person should look at.
pub(super) fn tell_conflicts(ctx: &Context, session: &SyncSession) {
    for text in complaints(session) {
        ctx.ui.warn(&text);
    }
    hint_at_conflicts(ctx, session.conflict_count());
    if let Some(more) = mode_words::more(session) {
        ctx.ui.note(&more);
    }
}

/// Names what shows conflicts and settles them.
pub(super) fn hint_at_conflicts(ctx: &Context, count: u64) {
    if count > 0 {
        ctx.ui.hint("`sinc conflicts` shows what differs, `sinc resolve` settles it");
    }
}

/// What a person should look at: conflicts and problems, counted and named.
#[must_use]
pub(super) fn complaints(session: &SyncSession) -> Vec<String> {
    /// How many are named.
    const NAMED: usize = 5;
    let mut texts = Vec::new();
    let name_some = |all: Vec<String>, total: u64| {
        let more = total.saturating_sub(all.len().min(NAMED) as u64);
        let mut text = all.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" and {} more", count(more)));
        }
        text
    };
    let conflicts = session.conflict_count();
    if conflicts > 0 {
        let named = session
            .conflicts
            .iter()
            .map(|conflict| format!("{} ({})", printable(&conflict.root), conflict.kind(session)));
        texts.push(format!(
            "{}, left alone on both sides: {}",
            plural(conflicts, "conflict", "conflicts"),
            name_some(named.collect(), conflicts)
        ));
    }
    let problems = session.problem_count();
    if problems > 0 {
        let named = session.problems().into_iter().map(|problem| problem_line(&problem));
        texts.push(format!(
            "{} not synced: {}",
            plural(problems, "path is", "paths are"),
            name_some(named.collect(), problems)
        ));
    }
    texts
}

/// A path that is not synced, with the reason.
pub(super) fn problem_line(problem: &Problem) -> String {
    format!("{} {}: {}", printable(&problem.path), problem.side, printable(&why(problem)))
}

/// Why a path is not synced, with Mutagen's own words.
pub(super) fn why(problem: &Problem) -> String {
    match problem.reason().text() {
        Some(text) => format!("{text} ({})", problem.error),
        None => problem.error.clone(),
    }
}

/// A name as a terminal may show it: file names may hold anything.
pub(super) fn printable(name: &str) -> String {
    if name.is_empty() {
        return "(the whole directory)".to_owned();
    }
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[derive(Default)]
struct Rate {
    began: Option<(Instant, u64)>,
}

impl Rate {
    /// Bytes a second since the first byte was seen.
    fn of(&mut self, received: u64) -> Option<u64> {
        let (since, at) = *self.began.get_or_insert((Instant::now(), received));
        let seconds = since.elapsed().as_secs_f64();
        (seconds > 0.5 && received > at).then(|| ((received - at) as f64 / seconds) as u64)
    }
}

fn describe(progress: &Progress, rate: &mut Rate) -> String {
    match progress.phase {
        Phase::Sending => {
            let to = if progress.to == Some(Side::Local) { "to here" } else { "to the host" };
            let of = |now: String, all: Option<u64>, show: fn(u64) -> String| match all {
                Some(all) => format!("{now} of {}", show(all)),
                None => now,
            };
            let files = of(count(progress.files), progress.files_total, count);
            let sizes = of(bytes(progress.bytes), progress.bytes_total, bytes);
            let rate = rate.of(progress.bytes).map(|rate| format!(", {}/s", bytes(rate))).unwrap_or_default();
            format!("{to}: {files} files, {sizes}{rate}")
        }
        phase => words_for(phase).to_owned(),
    }
}

/// What a sync is doing, in a word or two.
#[must_use]
pub(super) fn words_for(phase: Phase) -> &'static str {
    match phase {
        Phase::Paused => "paused",
        Phase::Halted => "halted",
        Phase::Connecting => "connecting",
        Phase::Scanning => "looking at both sides",
        Phase::Comparing => "comparing",
        Phase::Sending => "sending",
        Phase::Applying => "putting files in their places",
        Phase::Watching => "checking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_in_files_bytes_and_a_rate() {
        let sending = Progress {
            phase: Phase::Sending,
            to: Some(Side::Remote),
            files: 1200,
            files_total: Some(10_000),
            bytes: 3 << 20,
            bytes_total: Some(20 << 20),
            path: None,
            cycles: 0,
        };
        let mut rate = Rate::default();
        assert_eq!(
            describe(&sending, &mut rate),
            "to the host: 1,200 of 10,000 files, 3.00 MiB of 20.00 MiB"
        );
        let began = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        rate.began = Some((began, 1 << 20));
        let line =
            describe(&Progress { to: Some(Side::Local), bytes_total: None, ..sending.clone() }, &mut rate);
        assert!(
            line.starts_with("to here: 1,200 of 10,000 files, 3.00 MiB, ") && line.ends_with("/s"),
            "{line}"
        );
        assert_eq!(
            describe(&Progress { phase: Phase::Scanning, ..sending }, &mut rate),
            "looking at both sides"
        );
    }
}
