//! What every command works with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::cli::Global;
use crate::config::{Config, Destination, Environment, Flags, Host};
use crate::failure::{Failure, Kind};
use crate::process::{Cmd, Journal, Runner};
use crate::project::{Found, ProjectError, SessionId};
use crate::remote::Remote;
use crate::session::bootstrap::Machine;
use crate::session::settings::ProjectFiles;
use crate::state::{HostFile, Record, Store, host_word};
use crate::ui::Ui;

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The flags that every command understands.
    pub global: Global,
    /// The environment, read once.
    pub environment: Environment,
    /// What prints.
    pub ui: Ui,
    /// What runs other programs.
    pub runner: Runner,
    /// What this computer remembers.
    pub store: Store,
    /// The current directory.
    pub cwd: PathBuf,
}

impl Context {
    /// The context of this run.
    ///
    /// # Errors
    /// There is no home directory, or the current directory is gone.
    pub fn new(global: Global, environment: Environment, ui: Ui, command_line: &str) -> Result<Self> {
        let store = Store::new(environment.state_dir());
        let runner = if global.dry_run {
            let shown = ui.clone();
            let show = move |cmd: &Cmd| {
                let text = format!("# {}\n{cmd}", cmd.why());
                // With --json, standard output is for the one object.
                if shown.is_json() { shown.raw(&text) } else { shown.data(&text) }
            };
            Runner::new(None, Some(Arc::new(show)))
        } else {
            let journal = Journal::new(&store.directory().join("logs"), command_line);
            Runner::new(Some(Arc::new(journal)), None)
        };
        let cwd = std::env::current_dir().context("the current directory is gone")?;
        Ok(Self { global, environment, ui, runner, store, cwd })
    }

    /// The configuration without a project.
    ///
    /// # Errors
    /// A file or value is invalid.
    pub fn config(&self) -> Result<Config> {
        self.config_for_agent(None)
    }

    /// The configuration without a project, with the agent that the command line names.
    ///
    /// # Errors
    /// A file or value is invalid.
    pub fn config_for_agent(&self, agent: Option<&str>) -> Result<Config> {
        let flags = Flags {
            config: self.global.config.clone(),
            host: self.global.host.clone(),
            agent: agent.map(str::to_owned),
            ..Flags::default()
        };
        Ok(Config::load(&self.environment, &flags)?)
    }

    /// What the project's own files say, and what of it waits for `sinc trust`.
    ///
    /// # Errors
    /// A file is invalid.
    pub fn project_files(&self, root: &Path, own: &Config) -> Result<ProjectFiles> {
        Ok(ProjectFiles::read(root, own, self.store.accepted(root)?.as_ref())?)
    }

    /// The project of the current directory.
    ///
    /// # Errors
    /// It is refused, or the records cannot be read.
    pub fn find_project(&self, force: bool) -> Result<Found> {
        let separate = self.store.separate_ids()?;
        let mut known: Vec<(SessionId, PathBuf)> = Vec::new();
        for record in self.store.records()? {
            known.push((SessionId::parse(&record.id)?, record.local));
        }
        for (path, id) in separate {
            if !known.iter().any(|(_, root)| *root == path) {
                known.push((SessionId::parse(&id)?, path));
            }
        }
        let tmp = self.environment.temporary_dir();
        Ok(crate::project::find(&self.cwd, &known, self.environment.home(), &tmp, force)?)
    }

    /// A host as something to ask. Nothing is shared in a dry run, because a shared connection is something made.
    #[must_use]
    pub fn remote(&self, host: &Host) -> Remote {
        let runner = if self.runner.is_dry_run() { Runner::default() } else { self.runner.clone() };
        let remote =
            Remote::new(&host.name, host.destination.value.clone(), &self.environment.socket_dir(), runner)
                .with_person(self.ui.is_interactive())
                .with_forwarded_agent(host.forward_agent.value);
        if self.runner.is_dry_run() { remote.without_sharing() } else { remote }
    }

    /// This computer, as claims name it.
    ///
    /// # Errors
    /// Its id can neither be read nor made.
    pub fn machine(&self) -> Result<Machine> {
        Machine::this(&self.store)
    }

    /// Tells Mutagen's `ssh` what the host's word stands for, and which agent to use.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn refresh_host_file(&self, remote: &Remote, shared: Option<bool>) -> Result<()> {
        self.store.save_host(&self.host_file(remote, shared))
    }

    /// What Mutagen's `ssh` has to know.
    #[must_use]
    pub fn host_file(&self, remote: &Remote, shared: Option<bool>) -> HostFile {
        let before = self.store.host(&host_word(remote.name())).ok().flatten();
        HostFile {
            name: remote.name().to_owned(),
            destination: remote.destination().to_string(),
            control: remote.control().path().map(Path::to_owned),
            shared: shared.unwrap_or_else(|| before.as_ref().is_some_and(|host| host.shared)),
            noisy: before.is_some_and(|host| host.noisy),
            auth_sock: self
                .environment
                .get("SSH_AUTH_SOCK")
                .map(|socket| socket.to_string_lossy().into_owned()),
        }
    }

    /// The host of a session that this computer knows, from the configuration or as it was then.
    ///
    /// # Errors
    /// Its destination is invalid.
    pub fn host_of(&self, config: &Config, record: &Record) -> Result<Host> {
        if config.hosts.contains_key(&record.host)
            || Destination::parse(&record.host).is_ok_and(|d| d.to_string() == record.destination)
        {
            return Ok(config.host(Some(&record.host))?);
        }
        // It has gone from the configuration: reach it where it was, under the name that it had.
        let mut host = config.host(Some(&record.destination))?;
        host.name.clone_from(&record.host);
        Ok(host)
    }

    /// The record that is meant: the one with this id, or this project's.
    ///
    /// # Errors
    /// There is none, or several hosts have it and none was named.
    pub fn target(&self, id: Option<&str>) -> Result<Record> {
        let wanted = self.target_id(id)?;
        let mut records = self.records_of(&wanted)?;
        if records.len() > 1 {
            let config = self.config()?;
            if let Ok(default) = config.host(None)
                && let Some(at) = records.iter().position(|record| record.host == default.name)
            {
                records = vec![records.swap_remove(at)];
            }
        }
        match records.len() {
            1 => Ok(records.remove(0)),
            0 => Err(match id {
                Some(id) => unknown_session(id),
                None => self.elsewhere(&wanted).unwrap_or_else(no_session),
            }
            .into()),
            _ => Err(Failure::new(Kind::Usage, format!("session {wanted} is on several hosts"))
                .hint("name one with `--host`")
                .into()),
        }
    }

    /// The project has a session, but not on the host that the command line names.
    fn elsewhere(&self, id: &SessionId) -> Option<Failure> {
        let wanted = self.global.host.as_ref()?;
        let record = self.store.records().ok()?.into_iter().find(|record| record.id == id.as_str())?;
        let message = format!("this project's session is on {}, not on {wanted}", record.host);
        Some(Failure::new(Kind::Failed, message).hint("`sinc list` shows all sessions"))
    }

    /// The id that is meant: this one, or this project's. There may be no session of it.
    ///
    /// # Errors
    /// It is none, the directory cannot be a project, or the records cannot be read.
    pub fn target_id(&self, id: Option<&str>) -> Result<SessionId> {
        let Some(id) = id else {
            return match self.find_project(true) {
                Ok(found) => Ok(found.project.id),
                Err(error) => match error.downcast_ref() {
                    Some(ProjectError::ContainsSession { .. }) => Err(no_session().into()),
                    _ => Err(error),
                },
            };
        };
        Ok(SessionId::parse(id).map_err(|_| unknown_session(id))?)
    }

    /// The records of this session, on the host that the command line names or on all.
    ///
    /// # Errors
    /// A record cannot be read: that is never taken for "no session".
    pub fn records_of(&self, id: &SessionId) -> Result<Vec<Record>> {
        let mut records = self.store.records()?;
        let asked_for = |host: &str| self.global.host.as_ref().is_none_or(|wanted| wanted == host);
        records.retain(|record| record.id == id.as_str() && asked_for(&record.host));
        Ok(records)
    }

    /// Prints the one object of `--json`.
    pub fn print_json(&self, command: &str, data: &serde_json::Value) {
        let object = serde_json::json!({ "version": 1, "command": command, "ok": true, "data": data });
        self.ui.data(&object.to_string());
    }
}

fn no_session() -> Failure {
    Failure::new(Kind::Failed, "this directory has no session")
        .hint("`sinc` makes one")
        .hint("`sinc list` shows all sessions")
}

fn unknown_session(id: &str) -> Failure {
    Failure::new(Kind::Failed, format!("this computer knows no session `{id}`"))
        .hint("`sinc list` shows all sessions; an id must be given whole")
}
