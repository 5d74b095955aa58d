//! The host that is worked on: what it says, the rights that there are, the second login.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::commands::context::Context;
use crate::failure::{Failure, Kind};
use crate::process::quote;
use crate::provision::access::{Access, WrongPassword};
use crate::provision::apply;
use crate::provision::component::Component;
use crate::provision::facts::{self, Fact, Facts, Rights};
use crate::provision::look;
use crate::provision::plan::{ComponentPlan, Decision};
use crate::provision::program::Program;
use crate::provision::target::Target;
use crate::remote::Remote;
use crate::state::write_file;

/// How often a wrong password may be given.
const TRIES: usize = 3;

/// The host that is worked on.
#[derive(Debug)]
pub(in crate::commands) struct TheHost<'a> {
    ctx: &'a Context,
    pub(in crate::commands) remote: &'a Remote,
    pub(in crate::commands) target: Target,
    password: Option<String>,
}

impl<'a> TheHost<'a> {
    pub(in crate::commands) fn new(ctx: &'a Context, remote: &'a Remote, target: Target) -> Self {
        Self { ctx, remote, target, password: None }
    }

    pub(in crate::commands) fn access(&self) -> Access<'a> {
        let access = Access::new(self.remote);
        match &self.password {
            Some(password) => access.with_password(password.clone()),
            None => access,
        }
    }

    /// What is there: one round trip. A run that is going on is watched to its end first, and a firewall that waits for a
    /// login gets it.
    pub(in crate::commands) fn look(&self, components: &[&Component], only: bool) -> Result<Facts> {
        let facts = self.ask(components, false)?;
        let why = facts.host.unsupported();
        if !why.is_empty() {
            let message = format!("nothing can be put on host `{}`: {}", self.remote.name(), why.join("; "));
            return Err(Failure::new(Kind::Failed, message)
                .hint("sinc itself works with any Linux that has tmux and the agent")
                .into());
        }
        if only || (facts.host.running.is_none() && !facts.host.guard_armed) {
            return Ok(facts);
        }
        if let Some(run) = &facts.host.running {
            self.ctx.ui.status("Watching", &format!("a run that is going on there already ({run})"));
            let mut working = super::working::Working::new(self.ctx, &[]);
            apply::watch(&self.access(), &self.target, run, &mut |event| working.tell(event))?;
            let _ = working.finish();
        }
        self.confirm_firewall()?;
        self.ask(components, false)
    }

    /// What is there after the work, logins too.
    pub(in crate::commands) fn verify(&self, components: &[&Component]) -> Result<Facts> {
        self.ask(components, true)
    }

    fn ask(&self, components: &[&Component], logins: bool) -> Result<Facts> {
        let program = facts::probe(&self.target, components, logins);
        let answer = self.access().ask("look at the host", &program)?;
        Ok(facts::parse(&answer, components)?)
    }

    /// These files, as they are.
    pub(in crate::commands) fn files(&self, files: &[String]) -> Result<BTreeMap<String, Fact>> {
        let answer = self.access().ask("look at files of the host", &look::files(&self.target, files))?;
        Ok(look::parse_files(&answer, files)?)
    }

    /// Root's rights are wanted and may be had for a password: asks for it. Gives whether there are more rights now.
    pub(in crate::commands) fn may_get_rights(
        &mut self,
        facts: &Facts,
        plans: &[ComponentPlan],
    ) -> Result<bool> {
        let wanted = plans.iter().any(|plan| {
            plan.blocked.is_some() && plan.steps.iter().any(|step| matches!(step, Decision::Change(_)))
        });
        if facts.host.rights != Rights::MaySudo || !wanted || !self.ctx.ui.is_interactive() {
            return Ok(false);
        }
        self.ask_password(&facts.host.login)?;
        Ok(true)
    }

    /// Asks for the password that sudo wants.
    pub(in crate::commands) fn ask_password(&mut self, login: &str) -> Result<()> {
        let question = format!("Password of {login} on {}, for sudo", self.remote.name());
        for _ in 0..TRIES {
            self.password = Some(self.ctx.ui.secret(&question)?);
            match self.access().ask("try the password", ":\n") {
                Err(error) if error.is::<WrongPassword>() => {
                    self.ctx.ui.warn("sudo does not take that password");
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        Err(Failure::new(Kind::Privilege, format!("sudo on host `{}` refused", self.remote.name()))
            .hint(self.for_an_administrator(login))
            .into())
    }

    /// What gives the login the rights that are missing.
    pub(super) fn for_an_administrator(&self, user: &str) -> String {
        let line = format!("{user} ALL=(ALL) NOPASSWD: ALL");
        format!(
            "an administrator of the host can run: `echo {} | sudo tee /etc/sudoers.d/{user}`",
            quote::posix(&line)
        )
    }

    /// The second, fresh login, without which the host takes the firewall back by itself.
    pub(super) fn confirm_firewall(&self) -> Result<()> {
        let fresh = self.remote.clone().without_sharing();
        let confirmed = apply::confirm(&self.access().over(&fresh), &self.target).with_context(|| {
            format!(
                "a second login to host `{}` failed: within two minutes it takes its firewall back as it was",
                self.remote.name()
            )
        })?;
        if confirmed {
            self.ctx.ui.status("Confirmed", "the firewall, by a second login");
        }
        Ok(())
    }

    /// Brings the host's log of a run here; gives its place.
    pub(in crate::commands) fn keep_log(&self, run: &str) -> Option<PathBuf> {
        let text = self.access().ask("bring the log", &Program::showing_log(&self.target, run)).ok()?;
        let name = format!("install-{}-{run}.log", crate::state::host_word(self.remote.name()));
        let file = self.ctx.store.directory().join("logs").join(name);
        write_file(&file, text.as_bytes()).ok()?;
        Some(file)
    }
}
