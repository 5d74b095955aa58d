//! What `sinc kill` knows of a session before it ends it, shown; and what is a reason to ask first.

use std::path::Path;

use super::ask::HostAnswer;
use super::context::Context;
use super::held_words;
use super::joined::of_computer;
use super::kill_target::Target;
use super::paint::{harmless, tilde};
use super::state_report::doing;
use crate::failure::{Failure, Kind};
use crate::session::survey::{AgentState, HostSession};
use crate::tools::mutagen::SyncSession;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub local: Option<String>,
    pub remote: Option<String>,
    /// What each of its syncs is doing; one, if all is well.
    pub syncs: Vec<String>,
    /// A sync that is held, paused or halted, with the word for it.
    pub stopped: Option<String>,
    /// What the host knows of it.
    pub there: Option<HostSession>,
    /// Why the host could not be asked.
    pub unreachable: Option<String>,
    /// Why tmux on the host could not be asked.
    pub trouble: Option<String>,
    /// Is this computer in its claim?
    pub mine: bool,
    /// Other computers that have it.
    pub others: Vec<String>,
}

impl Facts {
    pub(super) fn new(
        target: &Target,
        answer: Option<&HostAnswer>,
        syncs: Option<&[SyncSession]>,
        machine: &str,
    ) -> Self {
        let survey = answer.and_then(|answer| answer.survey.as_ref().ok());
        let there = survey.and_then(|survey| survey.sessions.get(target.id.as_str())).cloned();
        let syncs = syncs.unwrap_or_default();
        let record = target.record.as_ref();
        let held = record.and_then(|record| record.held.as_ref());
        let stopped = syncs.iter().find(|sync| sync.is_paused() || sync.halt().is_some()).map(doing);
        let first = syncs.first();
        let known = |record: Option<String>, sync: Option<&str>| record.or(sync.map(str::to_owned));
        Self {
            local: known(
                record.map(|record| record.local.to_string_lossy().into_owned()),
                first.map(|sync| sync.local().path.as_str()),
            ),
            remote: known(
                record
                    .map(|record| record.remote.clone())
                    .or(there.as_ref().and_then(|it| it.directory.clone())),
                first.map(|sync| sync.remote().path.as_str()),
            ),
            syncs: syncs.iter().map(doing).collect(),
            stopped: held.map(|held| format!("held ({})", held_words::missing(held))).or(stopped),
            mine: there.as_ref().is_some_and(|there| there.has(machine)),
            others: there
                .as_ref()
                .map(|there| there.others(machine).map(of_computer).collect())
                .unwrap_or_default(),
            there,
            unreachable: match answer {
                Some(answer) => answer.unreachable(),
                None => Some("it is not known where it is".to_owned()),
            },
            trouble: survey.and_then(|survey| survey.trouble.clone()),
        }
    }

    /// Neither a sync here, nor a terminal there, nor a claim of this computer.
    pub(super) fn is_nothing(&self) -> bool {
        self.syncs.is_empty() && !self.has_terminal() && !self.mine
    }

    pub(super) fn has_terminal(&self) -> bool {
        self.there.as_ref().is_some_and(|there| there.attached.is_some())
    }

    /// The directory here, as it is shown.
    pub(super) fn shown_local(&self, ctx: &Context) -> Option<String> {
        self.local.as_ref().map(|local| tilde(Path::new(local), ctx.environment.home()))
    }

    fn running_agent(&self) -> Option<String> {
        let there = self.there.as_ref().filter(|there| there.agent_state == AgentState::Running)?;
        Some(harmless(there.agent.as_deref().unwrap_or("an agent")))
    }
}

/// Shows what will end.
pub(super) fn tell(ctx: &Context, target: &Target, facts: &Facts) {
    let ui = &ctx.ui;
    ui.status("Ending", &format!("{} on {}", target.id, target.host_name));
    for state in &facts.syncs {
        let remote = harmless(facts.remote.as_deref().unwrap_or("?"));
        let local = facts.shown_local(ctx).unwrap_or_else(|| "?".to_owned());
        ui.note(&format!("the sync of {local} with {}:{remote} ({state})", target.host_name));
    }
    match facts.there.as_ref().and_then(|there| there.attached) {
        Some(0) => ui.note("its terminal on the host (nobody is attached)"),
        Some(1) => ui.note("its terminal on the host (attached)"),
        Some(n) => ui.note(&format!("its terminal on the host (attached {n} times)")),
        None => {}
    }
}

/// Why a person should be asked first; nothing when nothing can be regretted.
pub(super) fn reasons(target: &Target, facts: &Facts) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(agent) = facts.running_agent() {
        reasons.push(format!("{agent} is running in it"));
    }
    if !facts.others.is_empty() {
        reasons.push(format!("it is also used by {}", facts.others.join(" and by ")));
    }
    if target.record.is_none() {
        reasons.push("this computer has no record of it".to_owned());
    }
    if let Some(why) = &facts.unreachable {
        let host = &target.host_name;
        reasons.push(format!("{host} could not be asked what runs there ({why})"));
    }
    if let Some(trouble) = &facts.trouble {
        reasons.push(format!("tmux on the host could not be asked what runs there ({})", harmless(trouble)));
    }
    if let Some(stopped) = &facts.stopped {
        reasons
            .push(format!("its sync is {stopped}: what changed since is only on the side where it changed"));
    }
    reasons
}

/// There is nothing to end.
pub(super) fn nowhere(id: &str, host: &str, others: &[String]) -> anyhow::Error {
    if !others.is_empty() {
        let message =
            format!("there is nothing to end: {id} on {host} is only used by {}", others.join(" and by "));
        return Failure::new(Kind::Failed, message).hint("end it on that computer").into();
    }
    Failure::new(Kind::Failed, format!("there is no session {id} on {host}, and no sync of it here"))
        .hint("`sinc list` shows all sessions; an id must be given whole")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::SessionId;
    use crate::session::survey::Marker;

    fn target() -> Target {
        Target {
            id: SessionId::parse("sinc-app-123456").unwrap(),
            host_name: "box".into(),
            host: None,
            record: None,
        }
    }

    #[test]
    fn each_thing_that_could_be_regretted_is_a_reason() {
        let there = HostSession {
            directory: Some("/w/app".into()),
            marker: Marker::Right,
            attached: Some(1),
            agent: Some("cl\x1baude".into()),
            agent_state: AgentState::Running,
            ..HostSession::default()
        };
        let facts = Facts {
            there: Some(there),
            others: vec!["desktop (/x)".into()],
            stopped: Some("paused".into()),
            trouble: Some("protocol".into()),
            unreachable: Some("no route".into()),
            ..Facts::default()
        };
        assert_eq!(
            reasons(&target(), &facts),
            [
                "cl?aude is running in it",
                "it is also used by desktop (/x)",
                "this computer has no record of it",
                "box could not be asked what runs there (no route)",
                "tmux on the host could not be asked what runs there (protocol)",
                "its sync is paused: what changed since is only on the side where it changed",
            ]
        );
        assert!(facts.has_terminal() && !facts.is_nothing());
    }

    #[test]
    fn a_claim_that_was_left_is_nothing_to_end() {
        let left = HostSession { directory: Some("/w/app".into()), ..HostSession::default() };
        assert!(Facts { there: Some(left), ..Facts::default() }.is_nothing());
        assert!(!Facts { syncs: vec!["watching".into()], ..Facts::default() }.is_nothing());
    }
}
