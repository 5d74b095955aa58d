//! Which host is meant.

use std::fmt;

use super::error::nearest;
use super::origin::{Origin, Value};
use super::values::{Name, Transport, Workspace};
use super::{Config, Destination};

/// A host, ready to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name in the configuration; for a host that is not in it, the destination as it was written.
    pub name: String,
    /// Where it is.
    pub destination: Value<Destination>,
    /// The directory on it in which the projects' directories lie.
    pub workspace: Value<Workspace>,
    /// Its agent, if it has one of its own.
    pub agent: Option<Value<Name>>,
    /// How the terminal reaches it.
    pub transport: Value<Transport>,
    /// Whether the person's ssh agent is lent to it.
    pub forward_agent: Value<bool>,
    /// Whether it is in the configuration.
    pub configured: bool,
}

pub(super) fn default_workspace() -> Workspace {
    Workspace::parse("~/workspace").expect("the default is legal")
}

impl Config {
    /// The host called `name`, or at the destination `name`. Without a name: the one that `--host` or `SINC_HOST`
    /// names, else `default-host`, else the only one in the configuration.
    pub fn host(&self, name: Option<&str>) -> Result<Host, ChoiceError> {
        let given = name.map(|name| Value { value: name.to_owned(), origin: Origin::Flag("--host") });
        match (given.as_ref().or(self.default_host.as_ref()), self.hosts.len()) {
            (Some(wanted), _) => self.named_host(wanted),
            (None, 0) => Err(ChoiceError::NoHost),
            (None, 1) => self.hosts.values().next().cloned().ok_or(ChoiceError::NoHost),
            (None, _) => Err(ChoiceError::SeveralHosts { known: self.hosts.keys().cloned().collect() }),
        }
    }

    fn named_host(&self, wanted: &Value<String>) -> Result<Host, ChoiceError> {
        if let Some(host) = self.hosts.get(&wanted.value) {
            return Ok(host.clone());
        }
        let destination = Destination::parse(&wanted.value).map_err(|error| ChoiceError::BadHost {
            name: wanted.value.clone(),
            origin: wanted.origin.clone(),
            why: error.why,
            nearest: nearest(&wanted.value, self.hosts.keys().map(String::as_str)),
        })?;
        Ok(Host {
            name: wanted.value.clone(),
            destination: Value { value: destination, origin: wanted.origin.clone() },
            workspace: Value::default_of(default_workspace()),
            agent: None,
            transport: self.chosen_transport.clone().unwrap_or(Value::default_of(Transport::default())),
            forward_agent: Value::default_of(false),
            configured: false,
        })
    }
}

/// Why no host or agent can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceError {
    /// No host is named anywhere.
    NoHost,
    /// There are several, and none is the default.
    SeveralHosts {
        /// Their names.
        known: Vec<String>,
    },
    /// What is named is neither a host of the configuration nor a destination.
    BadHost {
        /// What is named.
        name: String,
        /// Where.
        origin: Origin,
        /// Why it is no destination.
        why: String,
        /// A host of the configuration with a name like it.
        nearest: Option<String>,
    },
    /// There is no such agent.
    UnknownAgent {
        /// What is named.
        name: String,
        /// Where.
        origin: Origin,
        /// The agents there are.
        known: Vec<String>,
        /// The one with a name like it.
        nearest: Option<String>,
    },
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = |f: &mut fmt::Formatter<'_>, nearest: &Option<String>| match nearest {
            Some(nearest) => write!(f, "\ndid you mean `{nearest}`?"),
            None => Ok(()),
        };
        match self {
            ChoiceError::NoHost => f.write_str("no host: the configuration has none, and none was named"),
            ChoiceError::SeveralHosts { known } => {
                write!(f, "no host was named, and the configuration has several: {}", known.join(", "))
            }
            ChoiceError::BadHost { name, origin, why, nearest } => {
                let name = name.escape_debug();
                write!(f, "`{name}` ({origin}) is neither a configured host nor a destination: {why}")?;
                meant(f, nearest)
            }
            ChoiceError::UnknownAgent { name, origin, known, nearest } => {
                let name = name.escape_debug();
                write!(f, "unknown agent `{name}` ({origin}); known are {}", known.join(", "))?;
                meant(f, nearest)
            }
        }
    }
}

impl std::error::Error for ChoiceError {}
