//! What a host knows of its sessions: claims, tmux sessions, agents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::scripts::SURVEY;
use crate::remote::{Remote, RemoteError, Reply};

/// What a session's agent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// It runs.
    Running,
    /// It has ended; a shell is in its place.
    Ended,
    /// No agent was started here.
    #[default]
    None,
}

/// Is a session's directory still its own?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Marker {
    /// Yes.
    Right,
    /// The directory is there, its marker is not.
    Missing,
    /// There is no such directory.
    #[default]
    Gone,
}

/// A session as its host knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSession {
    /// Its directory, if it has a claim.
    pub directory: Option<String>,
    /// Is the directory still its own?
    pub marker: Marker,
    /// The computers in its claim: id, then "name path".
    pub machines: Vec<(String, String)>,
    /// How many terminals are attached, if there is a tmux session.
    pub attached: Option<u64>,
    /// The name of the agent that was started.
    pub agent: Option<String>,
    /// What the agent is doing.
    pub agent_state: AgentState,
}

/// All that a host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By session id.
    pub sessions: BTreeMap<String, HostSession>,
}

/// Asks the host.
///
/// # Errors
/// It was not reached.
pub fn ask(remote: &Remote, notice: &dyn Fn(&str)) -> Result<Survey, RemoteError> {
    remote.call("ask the host for its sessions", &SURVEY, &[], notice).map(|reply| read(&reply))
}

fn read(reply: &Reply) -> Survey {
    let mut survey = Survey::default();
    let mut current = String::new();
    for (key, value) in reply.lines() {
        match key {
            "claim" => {
                value.clone_into(&mut current);
                survey.sessions.entry(current.clone()).or_default();
            }
            "dir" => survey.sessions.entry(current.clone()).or_default().directory = Some(value.to_owned()),
            "machine" => {
                if let Some((id, rest)) = value.split_once(' ') {
                    let session = survey.sessions.entry(current.clone()).or_default();
                    session.machines.push((id.to_owned(), rest.to_owned()));
                }
            }
            "marker" => {
                survey.sessions.entry(current.clone()).or_default().marker = match value {
                    "right" => Marker::Right,
                    "missing" => Marker::Missing,
                    _ => Marker::Gone,
                }
            }
            "session" => {
                if let Some((id, attached)) = value.split_once(' ') {
                    survey.sessions.entry(id.to_owned()).or_default().attached = attached.parse().ok();
                }
            }
            "pane" => read_pane(value, &mut survey),
            _ => {}
        }
    }
    survey
}

/// `id dead command ended agent`: only a pane in which sinc started an agent names one.
fn read_pane(value: &str, survey: &mut Survey) {
    let fields: Vec<_> = value.splitn(5, ' ').collect();
    let [id, dead, command, ended, agent] = fields[..] else { return };
    if agent.is_empty() {
        return;
    }
    let session = survey.sessions.entry(id.to_owned()).or_default();
    session.agent = Some(agent.to_owned());
    // A person may have started it again from the shell that took its place.
    let shell =
        matches!(command.trim_start_matches('-'), "sh" | "bash" | "zsh" | "dash" | "fish" | "tcsh" | "csh");
    session.agent_state =
        if dead == "1" || (ended == "yes" && shell) { AgentState::Ended } else { AgentState::Running };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_terminals_and_agents_are_joined_by_id() {
        let reply = Reply::for_test(&[
            ("tmux", "tmux 3.3a"),
            ("claim", "sinc-a-111111"),
            ("dir", "/home/d/a b"),
            ("machine", "0123 laptop /home/me/a b"),
            ("marker", "right"),
            ("session", "sinc-a-111111 2"),
            ("session", "sinc-b-222222 0"),
            ("pane", "sinc-a-111111 0 node  opencode"),
            ("pane", "sinc-b-222222 0 bash yes claude"),
            ("pane", "sinc-b-222222 0 vim  "),
            ("pane", "sinc-c-333333 0 vim yes claude"),
        ]);
        let survey = read(&reply);
        let a = &survey.sessions["sinc-a-111111"];
        assert_eq!(a.directory.as_deref(), Some("/home/d/a b"));
        assert_eq!(a.machines, [("0123".to_owned(), "laptop /home/me/a b".to_owned())]);
        assert_eq!(
            (a.attached, a.agent.as_deref(), a.agent_state),
            (Some(2), Some("opencode"), AgentState::Running)
        );
        let b = &survey.sessions["sinc-b-222222"];
        assert_eq!((b.directory.as_deref(), b.agent_state), (None, AgentState::Ended));
        assert_eq!(
            survey.sessions["sinc-c-333333"].agent_state,
            AgentState::Running,
            "started again by hand"
        );
    }
}
