//! What the person wants, from five places. Later wins: sinc's defaults, the user's file, `.sinc.toml` in the project,
//! `SINC_*` variables, flags. Lists of ignores are appended instead.
//!
//! Each value is checked where it is read, so that every mistake has a file, a line and a column, and it remembers
//! where it was said.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

pub use agents::{Agent, BUILT_IN_AGENTS, BuiltInAgent};
pub use destination::{BadDestination, Destination};
pub use entries::Entry;
pub use env::{Environment, VARIABLES};
pub use error::{ConfigError, Place};
pub use file::{read_synced, read_synced_lossy};
pub use hosts::{ChoiceError, Host};
pub use layer::KEYS;
pub use origin::{Origin, Value};
pub use project_file::ProjectFile;
pub use values::{
    AgentCommand, DirectoryMode, FileMode, Mode, Name, ProgramPath, Sha256Sum, Transport, Url, Workspace,
};

use crate::ignore::{IgnorePattern, Pattern, Source};
use error::nearest;
use layer::{At, Layer};
use project_file::line_of;

mod agents;
mod destination;
mod entries;
mod env;
mod error;
mod file;
mod hosts;
mod layer;
mod origin;
mod project_file;
mod values;

/// A key that a configuration file may hold.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key with its tables: `sync.mode`.
    pub name: &'static str,
    /// Its default, as TOML.
    pub default: Option<&'static str>,
    /// Whether `.sinc.toml` may hold it too.
    pub in_project: bool,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`: another file of the user's.
    pub config: Option<PathBuf>,
    /// `--host`.
    pub host: Option<String>,
    /// `--agent`.
    pub agent: Option<String>,
    /// `--transport`.
    pub transport: Option<String>,
    /// `--mode`.
    pub mode: Option<String>,
}

/// The configuration that counts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The user's file.
    pub file: PathBuf,
    /// Whether it is there.
    pub file_exists: bool,
    /// The host to use when none is named: a name of `hosts` or a destination.
    pub default_host: Option<Value<String>>,
    /// The agent that a flag, a variable or the project names: it counts more than a host's.
    pub chosen_agent: Option<Value<Name>>,
    /// The agent of hosts that name none.
    pub default_agent: Value<Name>,
    /// The transport that a flag or a variable names.
    pub chosen_transport: Option<Value<Transport>>,
    /// `[host.NAME]`.
    pub hosts: BTreeMap<String, Host>,
    /// Whether the desktop shows what a person should know.
    pub notify: Value<bool>,
    /// `[sync]`.
    pub sync: Sync,
    /// `[backups]`.
    pub backups: Backups,
    /// `[agent.NAME]` and the agents that sinc knows: their commands.
    pub agents: BTreeMap<String, Value<AgentCommand>>,
    /// `[mutagen]`.
    pub mutagen: Mutagen,
    /// `[install]`.
    pub install: Install,
    /// `[mirror.NAME]`.
    pub mirrors: BTreeMap<String, Mirror>,
}

/// `[sync]`.
#[derive(Debug, Clone)]
pub struct Sync {
    /// What happens when the two sides differ.
    pub mode: Value<Mode>,
    /// Ignored besides what is always ignored: the user's own, then the project's.
    pub ignore: Vec<Value<IgnorePattern>>,
    /// Whether the root `.gitignore` counts.
    pub gitignore: Value<bool>,
    /// The mode of new files.
    pub file_mode: Value<FileMode>,
    /// The mode of new directories.
    pub directory_mode: Value<DirectoryMode>,
    /// Whether a process of its own watches both sides; otherwise Mutagen looks for changes itself.
    pub link: Value<bool>,
    /// Whether the host has a repository of its own that is kept in step with the one here.
    pub git: Value<bool>,
}

/// `[backups]`: how long and how much is kept, for each session and side.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Days.
    pub days: Value<u32>,
    /// MiB.
    pub megabytes: Value<u32>,
}

/// `[mutagen]`.
#[derive(Debug, Clone)]
pub struct Mutagen {
    /// The program to use.
    pub path: Option<Value<ProgramPath>>,
    /// Where to fetch the release archive.
    pub url: Option<Value<Url>>,
    /// What it must be.
    pub sha256: Option<Value<Sha256Sum>>,
}

/// `[install]`: where `sinc install` gets things.
#[derive(Debug, Clone)]
pub struct Install {
    /// The registry of npm's packages.
    pub npm_registry: Option<Value<Url>>,
    /// The server of a tailnet of one's own.
    pub tailnet_server: Option<Value<Url>>,
}

/// `[mirror.NAME]`: what begins with one address is got from another.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// The address that a component's file names.
    pub from: Value<Url>,
    /// What stands in its place.
    pub to: Value<Url>,
}

impl Config {
    /// Reads the user's file and puts all layers together. Of the project's file, give what `trust` lets through.
    pub fn load(environment: &Environment, flags: &Flags) -> Result<Config, ConfigError> {
        let path = flags.config.clone().unwrap_or_else(|| environment.config_file());
        let named = match (&flags.config, environment.get("SINC_CONFIG")) {
            (Some(_), _) => Some("--config"),
            (None, Some(_)) => Some("SINC_CONFIG"),
            (None, None) => None,
        };
        let text = file::read_own(&path)?;
        if let (None, Some(named)) = (&text, named) {
            return Err(ConfigError::of_file(&path, format!("there is no such file, but {named} names it")));
        }
        Config::resolve(&path, text.as_deref(), environment, flags)
    }

    /// Puts the layers together; `text` is that of the user's file `path`, if there is one.
    pub fn resolve(
        path: &Path,
        text: Option<&str>,
        environment: &Environment,
        flags: &Flags,
    ) -> Result<Config, ConfigError> {
        let file = UserFile { path, text: text.unwrap_or_default() };
        let layer = Layer::parse(path, file.text)?;

        let mut agents = agents::built_in();
        for (name, agent) in layer.agent {
            match (file.value(agent.command), agents.contains_key(name.get_ref().as_str())) {
                (Some(command), _) => drop(agents.insert(name.get_ref().to_string(), command)),
                (None, true) => {}
                (None, false) => {
                    let message = format!("the agent `{}` has no `command`", name.get_ref());
                    return Err(file.error(name.span(), message));
                }
            }
        }
        let known_agent = |at: At<Name>| match at {
            Some(name) if !agents.contains_key(name.get_ref().as_str()) => {
                let message = agents::unknown(name.get_ref().as_str(), &agents);
                let suggestion = nearest(name.get_ref().as_str(), agents.keys().map(String::as_str));
                Err(file.error(name.span(), message).suggesting(suggestion))
            }
            name => Ok(file.value(name)),
        };

        let chosen_transport = over(environment, "SINC_TRANSPORT", ("--transport", &flags.transport))?;
        let mut hosts = BTreeMap::new();
        for (name, host) in layer.host {
            let Some(destination) = file.value(host.destination) else {
                let message = format!("the host `{}` has no `destination`", name.get_ref());
                return Err(file.error(name.span(), message));
            };
            let name = name.into_inner().to_string();
            let host = Host {
                name: name.clone(),
                destination,
                workspace: file.or(host.workspace, hosts::default_workspace()),
                agent: known_agent(host.agent)?,
                transport: chosen_transport.clone().unwrap_or(file.or(host.transport, Transport::default())),
                forward_agent: file.or(host.forward_agent, false),
                configured: true,
            };
            hosts.insert(name, host);
        }
        let default_host = match over(environment, "SINC_HOST", ("--host", &flags.host))? {
            Some(host) => Some(host),
            None => file.default_host(layer.default_host, &hosts)?,
        };

        let own_ignores =
            layer.sync.patterns(path, file.text)?.into_iter().filter_map(|at| file.value(Some(at)));
        let sync = Sync {
            mode: over(environment, "SINC_MODE", ("--mode", &flags.mode))?
                .unwrap_or(file.or(layer.sync.mode, Mode::default())),
            ignore: own_ignores.collect(),
            gitignore: file.or(layer.sync.gitignore, false),
            file_mode: file.or(layer.sync.file_mode, FileMode::standard()),
            directory_mode: file.or(layer.sync.directory_mode, DirectoryMode::standard()),
            link: flag(environment, "SINC_LINK")?.unwrap_or(file.or(layer.sync.link, true)),
            git: flag(environment, "SINC_GIT")?.unwrap_or(file.or(layer.sync.git, true)),
        };
        match (&layer.mutagen.url, &layer.mutagen.sha256) {
            (Some(url), None) => {
                let message = "an archive is only fetched with its sum: `sha256` is missing in `[mutagen]`";
                return Err(file.error(url.span(), message.to_owned()));
            }
            (None, Some(sum)) => {
                let message = "this is the sum of what `url` names, which is missing in `[mutagen]`";
                return Err(file.error(sum.span(), message.to_owned()));
            }
            _ => {}
        }
        let mut mirrors = BTreeMap::new();
        for (name, mirror) in layer.mirror {
            let (Some(from), Some(to)) = (file.value(mirror.from), file.value(mirror.to)) else {
                let message = format!("the mirror `{}` wants both `from` and `to`", name.get_ref());
                return Err(file.error(name.span(), message));
            };
            let name = name.into_inner().to_string();
            without_login(path, &format!("mirror.{name}.from"), Some(&from))?;
            without_login(path, &format!("mirror.{name}.to"), Some(&to))?;
            mirrors.insert(name, Mirror { from, to });
        }
        let (npm_registry, tailnet_server) =
            (file.value(layer.install.npm_registry), file.value(layer.install.tailnet_server));
        without_login(path, "install.npm-registry", npm_registry.as_ref())?;
        without_login(path, "install.tailnet-server", tailnet_server.as_ref())?;
        Ok(Config {
            file: path.to_owned(),
            file_exists: text.is_some(),
            default_host,
            chosen_agent: over(environment, "SINC_AGENT", ("--agent", &flags.agent))?,
            default_agent: known_agent(layer.default_agent)?
                .unwrap_or_else(|| Value::default_of(agents::default_agent())),
            chosen_transport,
            hosts,
            notify: file.or(layer.notify, true),
            sync,
            backups: Backups {
                days: file.or(layer.backups.days, 30),
                megabytes: file.or(layer.backups.megabytes, 1024),
            },
            agents,
            mutagen: Mutagen {
                path: file.value(layer.mutagen.path),
                url: file.value(layer.mutagen.url),
                sha256: file.value(layer.mutagen.sha256),
            },
            install: Install { npm_registry, tailnet_server },
            mirrors,
        })
    }

    /// Adds what the project says, as far as `trust` lets it through.
    pub fn with_project(mut self, project: &ProjectFile) -> Config {
        self.chosen_agent = self.chosen_agent.or_else(|| project.default_agent.clone());
        self.sync.ignore.extend(project.ignore.iter().cloned());
        if let Some(gitignore) = &project.gitignore {
            self.sync.gitignore = gitignore.clone();
        }
        self
    }

    /// What the user's own configuration ignores, without the project's.
    pub fn own_ignores(&self) -> Vec<Pattern> {
        let own = |value: &Value<IgnorePattern>| match &value.origin {
            Origin::File { path, line } => {
                let source = Source::Config { path: path.clone(), line: *line };
                Some(Pattern { pattern: value.value.clone(), source })
            }
            _ => None,
        };
        self.sync.ignore.iter().filter_map(own).collect()
    }
}

/// The user's file, to say where its values stand.
struct UserFile<'a> {
    path: &'a Path,
    text: &'a str,
}

impl UserFile<'_> {
    fn value<T>(&self, at: At<T>) -> Option<Value<T>> {
        let origin = |span| Origin::File { path: self.path.to_owned(), line: line_of(self.text, span) };
        at.map(|at| Value { origin: origin(at.span()), value: at.into_inner() })
    }

    fn or<T>(&self, at: At<T>, default: T) -> Value<T> {
        self.value(at).unwrap_or(Value::default_of(default))
    }

    fn error(&self, span: Range<usize>, message: String) -> ConfigError {
        ConfigError::at(self.path, self.text, span, message)
    }

    /// A bare word must be a host of the file, because it may be misspelt; `user@host` and a URL need no entry.
    fn default_host(
        &self,
        at: At<String>,
        hosts: &BTreeMap<String, Host>,
    ) -> Result<Option<Value<String>>, ConfigError> {
        let Some(at) = at else { return Ok(None) };
        let name = at.get_ref();
        if !hosts.contains_key(name) {
            let message = match Destination::parse(name) {
                Err(error) => error.to_string(),
                Ok(_) if name.contains('@') || name.contains("://") => return Ok(self.value(Some(at))),
                Ok(_) => format!("there is no `[host.{name}]` in this file"),
            };
            let suggestion = nearest(name, hosts.keys().map(String::as_str));
            return Err(self.error(Spanned::span(&at), message).suggesting(suggestion));
        }
        Ok(self.value(Some(at)))
    }
}

/// The value of a flag, else of a variable.
fn over<T: for<'de> Deserialize<'de>>(
    environment: &Environment,
    variable: &'static str,
    (flag, given): (&'static str, &Option<String>),
) -> Result<Option<Value<T>>, ConfigError> {
    let read = |text: &str, place: Place, origin: Origin| match values::from_text(text) {
        Ok(value) => Ok(Some(Value { value, origin })),
        Err(message) => {
            let (message, suggestion) = layer::explain(&message);
            Err(ConfigError::of_word(place, &message).suggesting(suggestion))
        }
    };
    match (given, environment.text(variable)?) {
        (Some(text), _) => read(text, Place::Flag(flag), Origin::Flag(flag)),
        (None, Some(text)) => read(text, Place::Env(variable), Origin::Env(variable)),
        (None, None) => Ok(None),
    }
}

/// An address for the host is shown, and stands in files and command lines there that others may read.
fn without_login(path: &Path, key: &str, url: Option<&Value<Url>>) -> Result<(), ConfigError> {
    if url.is_none_or(|url| !url.value.has_login()) {
        return Ok(());
    }
    // Its line is not shown.
    Err(ConfigError::of_file(
        path,
        format!(
            "`{key}` holds a user name or a password, which others on the host could read: they belong into \
             /etc/apt/auth.conf.d (apt), ~/.npmrc (npm) and ~/.netrc (downloads, git) on the host"
        ),
    ))
}

/// The yes or no of a variable.
fn flag(environment: &Environment, variable: &'static str) -> Result<Option<Value<bool>>, ConfigError> {
    let value = match environment.text(variable)? {
        None => return Ok(None),
        Some("true") => true,
        Some("false") => false,
        Some(other) => {
            let message = format!("unknown value `{other}`, expected one of `true`, `false`");
            return Err(ConfigError::of_word(Place::Env(variable), &message));
        }
    };
    Ok(Some(Value { value, origin: Origin::Env(variable) }))
}

#[cfg(test)]
mod tests;
