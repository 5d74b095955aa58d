//! Asks several hosts at once, each with its own deadline: one that is down holds up nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::Context;
use crate::config::Host;
use crate::remote::RemoteError;
use crate::session::ending;
use crate::session::survey::{self, Survey};

/// How long a host may take to say what it knows, with nobody there who could be asked by ssh. Connecting alone
/// may take 10 s.
pub(super) const SURVEY_DEADLINE: Duration = Duration::from_secs(12);

/// What became of asking a host.
#[derive(Debug)]
pub(super) struct HostAnswer {
    /// What it knows, or why it could not be asked.
    pub survey: Result<Survey, RemoteError>,
    /// Sessions whose end waited for this host, and is done now.
    pub finished: Vec<String>,
}

impl HostAnswer {
    /// Why it could not be asked, in one line.
    pub(super) fn unreachable(&self) -> Option<String> {
        self.survey.as_ref().err().map(reason)
    }
}

/// Why a host could not be asked, in one line.
pub(super) fn reason(error: &RemoteError) -> String {
    super::paint::harmless(error.to_string().lines().next().unwrap_or_default())
}

/// Asks one host, and finishes what was left to do there. With a `deadline` nobody is asked by ssh.
pub(super) fn host(ctx: &Context, host: &Host, deadline: Option<Duration>) -> HostAnswer {
    let notice = |line: &str| ctx.ui.note(line);
    let remote = ctx.remote(host);
    let remote = if deadline.is_some() { remote.with_person(false) } else { remote };
    let ask = || match (super::link::survey(ctx, host), deadline) {
        (Some(survey), _) => Ok(survey),
        (None, Some(deadline)) => survey::ask_within(&remote, deadline, &notice),
        (None, None) => survey::ask(&remote, &notice),
    };
    let mut answer = HostAnswer { survey: ask(), finished: Vec::new() };
    let waits = || ctx.store.pending().is_ok_and(|all| all.iter().any(|end| end.host == host.name));
    if answer.survey.is_err() || ctx.runner.is_dry_run() || !waits() {
        return answer;
    }
    let finished = ctx
        .machine()
        .and_then(|machine| ending::finish_pending(&ctx.store, &remote, &machine.id, None, &notice));
    match finished {
        Ok(finished) if finished.is_empty() => {}
        Ok(finished) => answer = HostAnswer { survey: ask(), finished },
        Err(error) => tracing::warn!(%error, host = host.name, "what was left to do could not be done"),
    }
    answer
}

/// Asks all of them, at the same time.
pub(super) fn hosts(
    ctx: &Context,
    hosts: &BTreeMap<String, Host>,
    deadline: Option<Duration>,
) -> BTreeMap<String, HostAnswer> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = hosts
            .iter()
            .map(|(name, one)| (name.clone(), scope.spawn(move || host(ctx, one, deadline))))
            .collect();
        // A thread that broke off has said so; its host is simply not among the answers.
        asked.into_iter().filter_map(|(name, thread)| Some((name, thread.join().ok()?))).collect()
    })
}

/// Says what was finished on the way.
pub(super) fn tell_finished<'a>(
    ctx: &Context,
    answers: impl IntoIterator<Item = (&'a String, &'a HostAnswer)>,
) {
    for (host, answer) in answers {
        for id in &answer.finished {
            ctx.ui.status("Finished", &format!("{id}: its end, which waited for {host}"));
        }
    }
}
