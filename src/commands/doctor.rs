//! `sinc doctor`: whether everything works, here and on the host. Each finding has what mends it.

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::doctor_git;
use super::install::{TheHost, own_components, wishes};
use super::mutagen;
use super::paint::harmless;
use crate::config::{Config, Host};
use crate::link::state::LinkFile;
use crate::process::quote;
use crate::provision::catalog::{Catalog, applies};
use crate::provision::component::{Component, Kind};
use crate::provision::facts::{self, Fact, Facts};
use crate::provision::firewall;
use crate::provision::look;
use crate::provision::plan::{ComponentPlan, Decision, plan};
use crate::provision::target::Target;
use crate::tools::mutagen::FindError;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// It works, but not as well as it could.
    Lacking,
    Bad,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Lacking => "warning",
            Self::Bad => "failed",
        }
    }
}

/// What was looked at, how it is, and what mends it.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    check: String,
    state: State,
    what: String,
    fix: Option<String>,
}

impl Finding {
    pub(super) fn new(check: impl Into<String>, state: State, what: impl Into<String>) -> Self {
        Self { check: check.into(), state, what: what.into(), fix: None }
    }

    #[cfg(test)]
    pub(super) fn is_good(&self) -> bool {
        self.state == State::Good
    }

    pub(super) fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// Runs it. Gives 1 when something does not work.
///
/// # Errors
/// The configuration is invalid, or a signal came.
pub(super) fn run(ctx: &Context) -> Result<i32> {
    let config = ctx.config()?;
    let mut findings = vec![mutagen_here(ctx, &config)?];
    findings.extend(doctor_git::look(ctx));
    match config.host(None) {
        Ok(host) => {
            findings.push(link(ctx, &config, &host));
            findings.extend(doctor_git::shared(ctx, &host.name));
            findings.extend(on_host(ctx, &config, &host)?);
        }
        Err(error) => {
            let finding = Finding::new("host", State::Bad, error.to_string());
            findings
                .push(finding.fix("name one: `sinc doctor --host user@address`, or in `sinc config edit`"));
        }
    }
    let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
    if ctx.ui.is_json() {
        let list: Vec<_> = findings
            .iter()
            .map(|it| json!({ "check": it.check, "state": it.state.name(), "what": it.what, "fix": it.fix }))
            .collect();
        ctx.print_json("doctor", &json!({ "findings": list }));
    } else {
        for finding in &findings {
            ctx.ui.data(&format!("{:7}  {}: {}", finding.state.name(), finding.check, finding.what));
            if let Some(fix) = &finding.fix {
                ctx.ui.data(&format!("         mend it: {fix}"));
            }
        }
    }
    Ok(i32::from(bad > 0))
}

fn mutagen_here(ctx: &Context, config: &Config) -> Result<Finding> {
    Ok(match mutagen::look_up(ctx, config) {
        Ok(program) => Finding::new("mutagen", State::Good, program.display().to_string()),
        Err(FindError::Interrupted(signal)) => return Err(signal.into()),
        Err(FindError::Configured(unfit)) => Finding::new("mutagen", State::Bad, unfit.to_string())
            .fix("name another one, or none, as `mutagen.path`: `sinc config edit`"),
        Err(none) => Finding::new("mutagen", State::Bad, none.to_string())
            .fix("run `sinc` in a project, on a terminal or with `--yes`: it fetches it"),
    })
}

fn link(ctx: &Context, config: &Config, host: &Host) -> Finding {
    let found = |state, what: &str| Finding::new("link", state, what);
    if !config.sync.link.value {
        return found(State::Lacking, "turned off: changes are looked for every 2 s")
            .fix("set `sync.link = true`: `sinc config edit`");
    }
    let has_sessions = ctx.store.records().is_ok_and(|all| all.iter().any(|it| it.host == host.name));
    if ctx.store.link_runs(&host.name).is_some() {
        return match ctx.store.link_file::<LinkFile>(&host.name) {
            Ok(Some(LinkFile { why: Some(why), .. })) => {
                found(State::Lacking, &why).fix("`sinc link status` tells more")
            }
            _ => found(State::Good, "it runs"),
        };
    }
    match (has_sessions, ctx.store.link_is_stopped(&host.name)) {
        (false, _) => found(State::Good, "not needed: there is no session on this host"),
        (true, true) => found(State::Lacking, "it was stopped").fix("`sinc link start`"),
        (true, false) => found(State::Lacking, "it does not run").fix("`sinc link start`"),
    }
}

fn on_host(ctx: &Context, config: &Config, host: &Host) -> Result<Vec<Finding>> {
    let remote = ctx.remote(host);
    let target = Target::default();
    let mut there = TheHost::new(ctx, &remote, target.clone());
    let check = format!("host {}", host.name);
    let said = there.access().ask("look at the host", &look::tools(&target));
    crate::process::interrupted()?;
    let first = match said.and_then(|text| Ok(facts::parse(&text, &[])?)) {
        Ok(facts) => facts,
        Err(error) => {
            let failure = crate::failure::explain(&error);
            let what = failure.message.lines().next().unwrap_or_default().to_owned();
            let finding = Finding::new(check, State::Bad, what);
            return Ok(vec![match failure.hints.first() {
                Some(hint) => finding.fix(hint.clone()),
                None => finding,
            }]);
        }
    };
    let name = if first.host.os_name.is_empty() { "an unknown system" } else { &first.host.os_name };
    let mut findings = vec![Finding::new(check, State::Good, format!("reached; {name}"))];
    findings.extend(tools(&first));
    findings.extend(config.sync.git.value.then(|| doctor_git::on_host(&first)));
    if first.host.guard.is_some() {
        let what = "a change of the firewall or of sshd waits for a login that confirms it";
        findings.push(Finding::new("firewall", State::Bad, what).fix("`sinc install` confirms it"));
    }
    if first.host.hidden && !first.host.rights.is_root() {
        let what = "what was put there with root's rights is only seen with them";
        let fix = there.for_an_administrator(&first.host.login);
        findings.push(Finding::new("components", State::Lacking, what).fix(fix));
    }
    findings.extend(
        first.host.apart().map(|(what, how)| Finding::new("components", State::Lacking, what).fix(how)),
    );
    let catalog = Catalog::load(own_components(config).as_deref())?;
    let installed: Vec<&Component> = catalog
        .all()
        .iter()
        .filter(|it| first.records.has(&it.name) && applies(it, &first.host, false))
        .collect();
    for name in first.records.components().filter(|name| catalog.get(name).is_none()) {
        let what = "sinc put it there, and there is no file of it any more";
        let fix = format!("bring back its file, or `sinc uninstall {}`", quote::posix(name));
        findings.push(Finding::new(format!("component {name}"), State::Lacking, what).fix(fix));
    }
    if installed.is_empty() {
        return Ok(findings);
    }
    // A login as root looks as the user for whom it was put there.
    there.target = Target::noted(&first.records);
    let facts = there.verify(&installed)?;
    findings.extend(
        firewall::warnings(&facts).iter().map(|it| Finding::new("firewall", State::Lacking, it.clone())),
    );
    for (component, plan) in installed.iter().zip(plan(&installed, &facts, &wishes(config, false))) {
        findings.push(of_component(component, &plan, &facts));
        for warning in facts.warnings.get(&component.name).into_iter().flatten() {
            findings.push(Finding::new(
                format!("component {}", component.name),
                State::Lacking,
                harmless(warning),
            ));
        }
    }
    Ok(findings)
}

fn tools(facts: &Facts) -> Vec<Finding> {
    let said = |name: &str| facts.tools.get(name).cloned().flatten();
    let tmux = match said("tmux") {
        Some(version) => Finding::new("tmux", State::Good, version),
        None => Finding::new("tmux", State::Bad, "it is not on the host").fix("`sinc install --with base`"),
    };
    let watcher = match said("inotifywait") {
        Some(_) => Finding::new("inotifywait", State::Good, "it is there"),
        None => Finding::new("inotifywait", State::Lacking, "without it changes on the host are polled for")
            .fix("`sinc install --with base`"),
    };
    vec![tmux, watcher]
}

fn of_component(component: &Component, plan: &ComponentPlan, facts: &Facts) -> Finding {
    let name = &component.name;
    let check = format!("component {name}");
    let again = format!("`sinc install --with {name}`");
    let seen = version(component, facts);
    let wrong = plan.steps.iter().find_map(|step| match step {
        Decision::Change(change) => Some(format!("to be done: {}", change.what)),
        Decision::Blocked(why) => Some(why.clone()),
        Decision::Satisfied(_) => None,
    });
    if let Some(what) = wrong.or_else(|| plan.blocked.clone()) {
        let what = seen.map(|version| format!("{version}; {what}")).unwrap_or(what);
        return Finding::new(check, State::Bad, what).fix(again);
    }
    let version =
        seen.or_else(|| component.about.version.clone()).unwrap_or_else(|| "as it should be".to_owned());
    match (&component.about.login, facts.logged_in.get(name)) {
        (Some(login), Some(false)) => {
            Finding::new(check, State::Lacking, format!("{version}; nobody is logged in to it"))
                .fix(format!("on the host: `{}`", login.command))
        }
        _ => Finding::new(check, State::Good, version),
    }
}

/// The version of the program or the package of a component's own name, or of an agent's program.
fn version(component: &Component, facts: &Facts) -> Option<String> {
    component.steps.iter().enumerate().find_map(|(number, step)| {
        match (&step.kind, &facts.steps.get(&(component.name.clone(), number))?.fact) {
            (Kind::Npm(npm), Fact::Npm { runs, .. })
                if component.about.agent || npm.command == component.name =>
            {
                runs.clone()
            }
            (_, Fact::Apt(packages)) => packages.get(&component.name).cloned().flatten(),
            _ => None,
        }
    })
}
