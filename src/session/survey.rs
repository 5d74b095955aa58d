//! What a host knows of its sessions: claims, tmux sessions, agents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::scripts::SURVEY;
use crate::project::SessionId;
use crate::remote::{Answer, Remote, RemoteError, Reply};

/// What a session's agent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// It runs.
    Running,
    /// It has ended; a shell is in its place.
    Ended,
    /// It was not installed there when the terminal was made; a shell is in its place.
    Missing,
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
    /// Where Agent-OS shows it.
    pub mobile: Option<String>,
}

/// All that a host knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By session id.
    pub sessions: BTreeMap<String, HostSession>,
    /// Why tmux could not be asked: nothing is known of terminals then.
    pub trouble: Option<String>,
}

/// What asking is for.
const WHY: &str = "ask the host for its sessions";

/// Asks the host.
///
/// # Errors
/// It was not reached, or its answer is not whole.
pub fn ask(remote: &Remote, notice: &dyn Fn(&str)) -> Result<Survey, RemoteError> {
    whole(remote, remote.call(WHY, &SURVEY, &[], notice)?)
}

/// As [`ask`], with a deadline.
///
/// # Errors
/// As [`ask`], or the time is up.
pub fn ask_within(remote: &Remote, deadline: Duration, notice: &dyn Fn(&str)) -> Result<Survey, RemoteError> {
    whole(remote, remote.call_within(WHY, &SURVEY, &[], Some(deadline), notice)?)
}

/// What the host said to its link ([`crate::link::asked`]); nothing if that is not whole.
#[must_use]
pub fn told(lines: Vec<u8>) -> Option<Survey> {
    let reply = Reply::of(&Answer { code: 0, bytes: lines, said: String::new() });
    reply.get("end").is_some().then(|| read(&reply))
}

/// An answer that breaks off says nothing of what is missing.
fn whole(remote: &Remote, reply: Reply) -> Result<Survey, RemoteError> {
    if reply.code == 0 && reply.get("end").is_some() {
        return Ok(read(&reply));
    }
    Err(RemoteError::Script {
        host: remote.name().to_owned(),
        doing: WHY.to_owned(),
        code: reply.code,
        said: reply.said,
    })
}

fn read(reply: &Reply) -> Survey {
    let mut survey = Survey::default();
    let mut claim: Option<String> = None;
    let (mut shown, mut addresses) = (BTreeSet::new(), Vec::new());
    for (key, value) in reply.lines() {
        match key {
            "claim" => {
                claim = is_id(value).then(|| value.to_owned());
                if let Some(id) = &claim {
                    survey.sessions.entry(id.clone()).or_default();
                }
            }
            "dir" | "machine" | "marker" => {
                if let Some(session) = claim.as_ref().and_then(|id| survey.sessions.get_mut(id)) {
                    read_claim(key, value, session);
                }
            }
            "session" => {
                // A name of the person's own may hold anything; ours hold no blank.
                let fields: Vec<_> = value.splitn(3, ' ').collect();
                match fields[..] {
                    [id, attached] | [id, attached, ""] if is_id(id) => {
                        if let Ok(attached) = attached.parse() {
                            survey.sessions.entry(id.to_owned()).or_default().attached = Some(attached);
                        }
                    }
                    // Agent-OS' view of one of ours.
                    [_, _, id] => {
                        shown.insert(id.to_owned());
                    }
                    _ => {}
                }
            }
            "mobile" => addresses.extend(value.split_once(' ')),
            "pane" => read_pane(value, &mut survey),
            "trouble" => survey.trouble = Some(value.to_owned()),
            _ => {}
        }
    }
    for (id, address) in addresses {
        if let Some(session) = survey.sessions.get_mut(id).filter(|_| shown.contains(id)) {
            session.mobile = Some(address.to_owned());
        }
    }
    survey
}

/// Is it the name of a session of sinc, and not of one that the person called `sinc-something`?
fn is_id(name: &str) -> bool {
    let hash = name.rsplit('-').next().unwrap_or_default();
    SessionId::parse(name).is_ok()
        && name.starts_with("sinc-")
        && hash.len() == 6
        && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn read_claim(key: &str, value: &str, session: &mut HostSession) {
    match key {
        "dir" => session.directory = Some(value.to_owned()),
        "machine" => {
            if let Some((id, rest)) = value.split_once(' ') {
                session.machines.push((id.to_owned(), rest.to_owned()));
            }
        }
        _ => {
            session.marker = match value {
                "right" => Marker::Right,
                "missing" => Marker::Missing,
                _ => Marker::Gone,
            };
        }
    }
}

/// `id dead ended agent command`: only a pane in which sinc started an agent names one.
fn read_pane(value: &str, survey: &mut Survey) {
    let fields: Vec<_> = value.splitn(5, ' ').collect();
    let [id, dead, ended, agent, command] = fields[..] else { return };
    // Its session was listed just before; one that began since then is for the next question.
    let Some(session) = survey.sessions.get_mut(id).filter(|_| !agent.is_empty()) else { return };
    session.agent = Some(agent.to_owned());
    // A person may have started it again from the shell that took its place.
    let shell =
        matches!(command.trim_start_matches('-'), "sh" | "bash" | "zsh" | "dash" | "fish" | "tcsh" | "csh");
    session.agent_state = match ended {
        "missing" if shell => AgentState::Missing,
        "yes" if shell => AgentState::Ended,
        _ if dead == "1" => AgentState::Ended,
        _ => AgentState::Running,
    };
}

impl HostSession {
    /// Is it a session? A claim that every computer has left, without a terminal, only remembers a directory.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.attached.is_some() || !self.machines.is_empty()
    }

    /// The computers other than this one, as "name path".
    pub fn others<'a>(&'a self, machine: &'a str) -> impl Iterator<Item = &'a str> {
        self.machines.iter().filter(move |(id, _)| id != machine).map(|(_, rest)| rest.as_str())
    }

    /// Is this computer in its claim?
    #[must_use]
    pub fn has(&self, machine: &str) -> bool {
        self.machines.iter().any(|(id, _)| id == machine)
    }
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
            ("claim", "not a session id"),
            ("dir", "/elsewhere"),
            ("mobile", "sinc-a-111111 http://vps.ts.net:3011"),
            ("mobile", "sinc-b-222222 http://vps.ts.net:3011"),
            ("session", "claude-01234567-89ab-cdef-0123-456789abcdef 0 sinc-a-111111"),
            ("session", "sinc-a-111111 2 "),
            ("session", "sinc-b-222222 0"),
            ("session", "sinc-c-333333 1"),
            ("session", "sinc-of-my-own 1"),
            ("session", "sinc-d-444444 and more 1"),
            ("pane", "sinc-a-111111 0  opencode node"),
            ("pane", "sinc-b-222222 0 yes claude bash"),
            ("pane", "sinc-b-222222 0   vim"),
            ("pane", "sinc-c-333333 0 yes claude my tool"),
            ("session", "sinc-d-444444 0"),
            ("pane", "sinc-d-444444 0 missing opencode zsh"),
            ("session", "sinc-e-555555 0"),
            ("pane", "sinc-e-555555 0 missing opencode opencode"),
        ]);
        let survey = read(&reply);
        assert_eq!(
            survey.sessions.keys().collect::<Vec<_>>(),
            ["sinc-a-111111", "sinc-b-222222", "sinc-c-333333", "sinc-d-444444", "sinc-e-555555"]
        );
        let a = &survey.sessions["sinc-a-111111"];
        assert_eq!(a.directory.as_deref(), Some("/home/d/a b"));
        assert_eq!(a.machines, [("0123".to_owned(), "laptop /home/me/a b".to_owned())]);
        assert!(a.has("0123") && a.others("0123").next().is_none());
        assert_eq!(
            (a.attached, a.agent.as_deref(), a.agent_state),
            (Some(2), Some("opencode"), AgentState::Running)
        );
        assert_eq!(a.mobile.as_deref(), Some("http://vps.ts.net:3011"));
        let b = &survey.sessions["sinc-b-222222"];
        assert_eq!(b.mobile, None, "Agent-OS has no view of its panes");
        assert_eq!((b.directory.as_deref(), b.agent_state), (None, AgentState::Ended));
        let c = &survey.sessions["sinc-c-333333"];
        assert_eq!(c.agent_state, AgentState::Running, "started again by hand");
        assert_eq!(survey.sessions["sinc-d-444444"].agent_state, AgentState::Missing);
        assert_eq!(survey.sessions["sinc-e-555555"].agent_state, AgentState::Running, "installed meanwhile");
    }

    #[test]
    fn a_claim_that_all_computers_have_left_is_no_session() {
        let left = HostSession { directory: Some("/d".into()), ..HostSession::default() };
        assert!(!left.is_alive());
        assert!(HostSession { attached: Some(0), ..left }.is_alive());
    }
}
