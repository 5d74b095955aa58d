//! The agents that sinc knows, and which one is meant.

use std::collections::BTreeMap;

use super::Config;
use super::error::nearest;
use super::hosts::{ChoiceError, Host};
use super::origin::{Origin, Value};
use super::values::{AgentCommand, Name};

/// An agent that needs no configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInAgent {
    /// Its name, which is also its command.
    pub name: &'static str,
    /// What installs it on the host.
    pub install: &'static str,
}

/// The agents that need no configuration.
///
/// npm 12 does not run a package's install scripts unless told to, says nothing about it, and leaves a stub: hence
/// `--allow-scripts`, which npm 10 and 11 take as well. The plugins in use are those of OpenCode 1.
pub const BUILT_IN_AGENTS: &[BuiltInAgent] = &[
    BuiltInAgent { name: "opencode", install: "npm install -g --allow-scripts=opencode-ai opencode-ai@1" },
    BuiltInAgent {
        name: "claude",
        install: "npm install -g --allow-scripts=@anthropic-ai/claude-code @anthropic-ai/claude-code",
    },
    BuiltInAgent { name: "codex", install: "npm install -g @openai/codex" },
    BuiltInAgent { name: "gemini", install: "npm install -g @google/gemini-cli" },
];

/// An agent to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// What starts it, for the login shell on the host.
    pub command: String,
    /// What installs it on the host, if sinc knows.
    pub install: Option<&'static str>,
    /// Whether the command is the person's own.
    pub custom: bool,
    /// Where it was chosen.
    pub origin: Origin,
}

pub(super) fn built_in() -> BTreeMap<String, Value<AgentCommand>> {
    let command = |name| AgentCommand::parse(name).expect("a built-in command is legal");
    BUILT_IN_AGENTS
        .iter()
        .map(|agent| (agent.name.to_owned(), Value::default_of(command(agent.name))))
        .collect()
}

pub(super) fn default_agent() -> Name {
    Name::parse(BUILT_IN_AGENTS[0].name).expect("a built-in name is legal")
}

pub(super) fn unknown(name: &str, agents: &BTreeMap<String, Value<AgentCommand>>) -> String {
    let known: Vec<&str> = agents.keys().map(String::as_str).collect();
    format!("unknown agent `{name}`; known are {}", known.join(", "))
}

impl Config {
    /// The agent to start on `host`: `wanted` if it is given, else the one that `--agent`, `SINC_AGENT` or the project
    /// names, else the host's, else `default-agent`.
    pub fn agent(&self, host: &Host, wanted: Option<&str>) -> Result<Agent, ChoiceError> {
        let (name, origin) = match wanted {
            Some(name) => (name, Origin::Flag("--agent")),
            None => {
                let said = self.chosen_agent.as_ref().or(host.agent.as_ref()).unwrap_or(&self.default_agent);
                (said.value.as_str(), said.origin.clone())
            }
        };
        let Some(command) = self.agents.get(name) else {
            let known: Vec<String> = self.agents.keys().cloned().collect();
            let nearest = nearest(name, known.iter().map(String::as_str));
            return Err(ChoiceError::UnknownAgent { name: name.to_owned(), origin, known, nearest });
        };
        let install = BUILT_IN_AGENTS.iter().find(|agent| agent.name == name).map(|agent| agent.install);
        Ok(Agent {
            name: name.to_owned(),
            command: command.value.to_string(),
            install,
            custom: command.origin != Origin::Default,
            origin,
        })
    }
}
