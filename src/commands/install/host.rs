//! The host that is worked on: what it says, the rights that there are, the second login.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::working::{Outcome, Working};
use crate::commands::context::Context;
use crate::failure::{Failure, Kind};
use crate::process::quote;
use crate::provision::access::{Access, WrongPassword};
use crate::provision::apply::{self, Confirmed, Event};
use crate::provision::component::Component;
use crate::provision::facts::{self, Fact, Facts, Rights};
use crate::provision::look;
use crate::provision::plan::ComponentPlan;
use crate::provision::probe;
use crate::provision::program::Program;
use crate::provision::target::Target;
use crate::remote::{Remote, RemoteError, Why};
use crate::state::write_file;

/// How often a wrong password may be given.
const TRIES: usize = 3;

/// Within this time an sshd that reads its files anew listens again.
const SSHD_IS_BACK: Duration = Duration::from_secs(10);

/// Work that has come to its end.
#[derive(Debug)]
pub(in crate::commands) struct Worked<T> {
    /// What became of it.
    pub(in crate::commands) outcome: Outcome,
    /// What was asked of it besides.
    pub(in crate::commands) what: T,
    /// Why what it changed of the firewall or of sshd is not confirmed, and goes back.
    pub(in crate::commands) failure: Option<anyhow::Error>,
}

/// The host that is worked on.
#[derive(Debug)]
pub(in crate::commands) struct TheHost<'a> {
    ctx: &'a Context,
    pub(in crate::commands) remote: &'a Remote,
    pub(in crate::commands) target: Target,
    password: Option<String>,
    own_rights: bool,
}

impl<'a> TheHost<'a> {
    pub(in crate::commands) fn new(ctx: &'a Context, remote: &'a Remote, target: Target) -> Self {
        Self { ctx, remote, target, password: None, own_rights: false }
    }

    /// From now on with the rights of the login alone.
    pub(in crate::commands) fn give_up_rights(&mut self) {
        self.own_rights = true;
    }

    /// The same host with the same rights, by another way.
    pub(in crate::commands) fn by<'b>(&self, remote: &'b Remote) -> TheHost<'b>
    where
        'a: 'b,
    {
        let (target, password) = (self.target.clone(), self.password.clone());
        TheHost { ctx: self.ctx, remote, target, password, own_rights: self.own_rights }
    }

    pub(in crate::commands) fn access(&self) -> Access<'a> {
        let access = Access::new(self.remote);
        match &self.password {
            _ if self.own_rights => access.with_own_rights(),
            Some(password) => access.with_password(password.clone()),
            None => access,
        }
    }

    /// What is there: one round trip. A run that is going on is watched to its end first, and a firewall that waits for a
    /// login gets it.
    pub(in crate::commands) fn look(&self, components: &[&Component], only: bool) -> Result<Facts> {
        self.tell_look();
        let facts = self.ask(components, false)?;
        let why = facts.host.unsupported();
        if !why.is_empty() {
            let message = format!("nothing can be put on host `{}`: {}", self.remote.name(), why.join("; "));
            return Err(Failure::new(Kind::Failed, message)
                .hint("sinc itself works with any Linux that has tmux and the agent")
                .into());
        }
        for line in facts.records.unreadable() {
            let line = crate::commands::paint::harmless(line);
            self.ctx.ui.warn(&format!("a note of what was put on the host is not understood: {line}"));
        }
        if only || (facts.host.running.is_none() && facts.host.guard.is_none()) {
            return Ok(facts);
        }
        if let Some(run) = &facts.host.running {
            self.ctx.ui.status("Watching", &format!("a run that is going on there already ({run})"));
            let working = Working::new(self.ctx, &[]);
            let watched =
                self.attend(working, |tell| apply::watch(&self.access(), &self.target, run, tell))?;
            if watched.outcome.broken {
                self.ctx.ui.warn("that run was cut off");
            }
            if let Some(log) = self.keep_log(run) {
                self.ctx.ui.note(&format!("all output of that run: {}", log.display()));
            }
            watched.failure.map_or(Ok(()), Err)?;
        }
        if let Some(change) = self.ask(&[], false)?.host.guard {
            self.confirm(&change)?;
        }
        self.ask(components, false)
    }

    /// Does work there, watched to its end. Gives also whether it was this work and not another that was going on.
    pub(in crate::commands) fn work(&self, program: &str, working: Working<'_>) -> Result<Worked<bool>> {
        self.attend(working, |tell| apply::run(&self.access(), &self.target, program, tell))
    }

    /// Whatever the work changes of the firewall or of sshd is confirmed by a fresh login at once.
    fn attend<T>(
        &self,
        mut working: Working<'_>,
        work: impl FnOnce(&mut dyn FnMut(&Event)) -> Result<T>,
    ) -> Result<Worked<T>> {
        let mut unconfirmed = None;
        let worked = work(&mut |event| {
            working.tell(event);
            if let Event::Armed(change) = event {
                unconfirmed = self.confirm(change).is_err().then(|| change.clone());
            }
        });
        let what = working.unless_interrupted(worked)?;
        let outcome = working.finish();
        let failure = self.confirm_at_the_end(unconfirmed, &outcome).err();
        Ok(Worked { outcome, what, failure })
    }

    /// What no login has confirmed while it was worked gets another one.
    fn confirm_at_the_end(&self, mut unconfirmed: Option<String>, outcome: &Outcome) -> Result<()> {
        if outcome.broken {
            unconfirmed = self.ask(&[], false)?.host.guard;
        }
        unconfirmed.map_or(Ok(()), |change| self.confirm(&change))
    }

    /// What is there after the work, logins too.
    pub(in crate::commands) fn verify(&self, components: &[&Component]) -> Result<Facts> {
        self.tell_look();
        self.ask(components, true)
    }

    /// It may take seconds.
    fn tell_look(&self) {
        self.ctx.ui.status("Looking", &format!("at {}", self.remote.name()));
    }

    fn ask(&self, components: &[&Component], logins: bool) -> Result<Facts> {
        let program = probe::probe(&self.target, components, logins);
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
        let wanted = plans.iter().any(ComponentPlan::wants_rights);
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
    pub(in crate::commands) fn for_an_administrator(&self, user: &str) -> String {
        format!("an administrator of the host can run: `{}`", gives_rights(user))
    }

    /// The second, fresh login, without which the host takes the change back by itself.
    fn confirm(&self, change: &str) -> Result<()> {
        let parts: Vec<&str> = change.split(' ').skip(1).collect();
        let what = match (parts.contains(&"sshd"), parts.len()) {
            (true, 1) => "sshd",
            (true, _) => "the firewall and sshd",
            (false, _) => "the firewall",
        };
        let by = if parts.contains(&"tailnet") { " through the tailnet" } else { "" };
        let confirmed = self.login_again(change).with_context(|| {
            format!(
                "a second login{by} to host `{}` failed: within two minutes it takes {what} back as it was",
                self.remote.name()
            )
        })?;
        match confirmed {
            Confirmed::Yes => self.ctx.ui.status("Confirmed", &format!("{what}, by a second login{by}")),
            Confirmed::TakenBack => {
                let message = format!("the host has taken {what} back as it was, before a second login came");
                let again = "run it again; the host waits two minutes for that login";
                return Err(Failure::new(Kind::Failed, message).hint(again).into());
            }
            Confirmed::Elsewhere => {
                let message = format!(
                    "host `{}` waits for a login through the tailnet, and this one did not come that way: within two \
                     minutes it takes {what} back as it was",
                    self.remote.name()
                );
                let hint = "then run it again, by the host's name in the tailnet";
                return Err(Failure::new(Kind::Failed, message).hint(hint).into());
            }
            // That one is told too.
            Confirmed::Nothing | Confirmed::Another | Confirmed::Again => {}
        }
        Ok(())
    }

    /// Logs in anew for a change. An sshd that reads its files at that very moment refuses for a moment.
    fn login_again(&self, change: &str) -> Result<Confirmed> {
        let fresh = self.remote.clone().without_sharing();
        let deadline = Instant::now() + SSHD_IS_BACK;
        loop {
            let confirmed = apply::confirm(&self.access().over(&fresh), &self.target, change);
            let again = match &confirmed {
                Ok(confirmed) => *confirmed == Confirmed::Again,
                Err(error) => error
                    .downcast_ref::<RemoteError>()
                    .is_some_and(|error| error.is(Why::Refused) || error.is(Why::TurnedAway)),
            };
            if !again || Instant::now() >= deadline {
                return confirmed;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
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

/// Lets this login use sudo. Of a file with a dot in its name sudo reads nothing, and a login may have one: it is not in
/// the file's name, and the file may be there for another one already.
fn gives_rights(login: &str) -> String {
    let line = format!("{login} ALL=(ALL) NOPASSWD: ALL");
    format!("echo {} | sudo tee -a /etc/sudoers.d/sinc", quote::posix(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_reads_the_file_that_an_administrator_writes() {
        for login in ["dev", "john.doe", "jane~"] {
            let line = gives_rights(login);
            assert!(line.starts_with(&format!("echo '{login} ALL=(ALL) NOPASSWD: ALL' | ")), "{line}");
            // As sudoers(5) has it: no dot in it, and no ~ at its end.
            let name = line.rsplit_once("/etc/sudoers.d/").unwrap().1;
            assert!(!name.contains('.') && !name.ends_with('~'), "{line}");
        }
    }
}
