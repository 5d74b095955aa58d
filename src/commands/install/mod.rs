//! `sinc install`: what is there, what is to be done, the question, the work, what is there now.

mod choose;
mod host;
mod login;
mod report;
mod show;
pub(super) mod working;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use super::context::Context;
use crate::cli;
use crate::config::{Agent, BUILT_IN_AGENTS, Config, Environment};
use crate::failure::{Failure, Kind};
use crate::provision::apply;
use crate::provision::catalog::{Catalog, Selection, applies};
use crate::provision::component::{Component, Tier};
use crate::provision::facts::{Facts, Rights};
use crate::provision::firewall;
use crate::provision::plan::{ComponentPlan, Wishes, plan};
use crate::provision::target::Target;
pub(super) use host::TheHost;
use report::Report;

/// Runs it. Gives 0 when all is as it should be, 1 when something is not, 77 when only rights are missing.
///
/// # Errors
/// The host was not reached, is of a kind that sinc does not know, or the work could not be watched to its end.
pub(super) fn run(ctx: &Context, args: &cli::Install) -> Result<i32> {
    let config = ctx.config_for_agent(args.agent.as_deref())?;
    let host = config.host(None)?;
    let agent = config.agent(&host, None)?;
    let target = Target::new(&args.user, args.as_root).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("`{}` is no name for a user of the host", args.user))
            .hint("lower-case letters, digits, `-` and `_`; not root")
    })?;
    let catalog = Catalog::load(own_components(&config).as_deref())?;
    let only_looks = args.check || ctx.global.dry_run;
    let remote = ctx.remote(&host);
    let mut there = TheHost::new(ctx, &remote, target);

    let mut selection = selection(ctx, args, &agent);
    let mut facts = None;
    if selection.is_none() {
        // The menu shows of each component what is there.
        let all: Vec<&Component> = catalog.all().iter().collect();
        let seen = there.look(&all, only_looks)?;
        let Some(chosen) = choose::components(ctx, &catalog, &seen, &agent.name, args)? else {
            ctx.ui.note("nothing was changed");
            return Ok(0);
        };
        (selection, facts) = (Some(chosen), Some(seen));
    }
    let selection = selection.unwrap_or_default();
    let components = catalog.select(&selection).map_err(|error| {
        Failure::new(Kind::Usage, error.to_string()).hint("see docs/components.md, or `sinc install --help`")
    })?;
    let mut facts = match facts {
        Some(facts) => facts,
        None => there.look(&components, only_looks)?,
    };
    let wishes = Wishes { upgrade: args.upgrade };
    let components: Vec<&Component> =
        components.into_iter().filter(|it| applies(it, &facts.host, args.as_root)).collect();
    let mut plans = plan(&components, &facts, &wishes);
    if !only_looks && there.may_get_rights(&facts, &plans)? {
        facts = there.look(&components, only_looks)?;
        plans = plan(&components, &facts, &wishes);
    }

    let mut report = Report::new(&host, &facts, &plans);
    if selection.tier.is_some()
        && (agent.custom || !BUILT_IN_AGENTS.iter().any(|known| known.name == agent.name))
    {
        report.notes.push(format!("the agent `{}` is your own: sinc does not install it", agent.name));
    }
    report.notes.extend(firewall::warning(&facts));
    if only_looks {
        return Ok(show::only(ctx, &report, args.check));
    }
    show::plan(ctx, &report);
    if report.changes() == 0 {
        return finish(ctx, &there, report, &facts, &components);
    }
    if !ctx.ui.confirm(&format!("Do this on {}?", host.name), true)? {
        ctx.ui.note("nothing was changed");
        return Ok(0);
    }
    let secrets = secrets(ctx, &components, &plans)?;
    let program = apply::program(&there.target, &plans, &secrets);
    let (outcome, own) = there.work(&program, working::Working::new(ctx, &plans))?;
    if !own {
        ctx.ui.note("another run was going on, and has ended; run it again for what is left");
    }
    let facts = there.verify(&components)?;
    report.settle(&outcome, plan(&components, &facts, &wishes), &facts);
    if let Some(run) = &outcome.run {
        report.log = there.keep_log(run);
    }
    finish(ctx, &there, report, &facts, &components)
}

/// Where a person keeps component files of their own: beside the configuration.
pub(super) fn own_components(config: &Config) -> Option<PathBuf> {
    config.file.parent().map(|dir| dir.join("components"))
}

/// What the flags select; nothing where a person is asked.
fn selection(ctx: &Context, args: &cli::Install, agent: &Agent) -> Option<Selection> {
    let asks = ctx.ui.is_interactive() && !ctx.global.yes && !args.check && !ctx.global.dry_run;
    let tier = match args.tier {
        Some(cli::Tier::Minimal) => Some(Tier::Minimal),
        Some(cli::Tier::Custom) => None,
        None if !args.with.is_empty() => None,
        None if asks && args.without.is_empty() && args.agent.is_none() => return None,
        None => Some(Tier::Minimal),
    };
    let known = BUILT_IN_AGENTS.iter().any(|known| known.name == agent.name) && !agent.custom;
    let wanted = known && (tier.is_some() || args.agent.is_some());
    Some(Selection {
        tier,
        agent: wanted.then(|| agent.name.clone()),
        with: args.with.clone(),
        without: args.without.clone(),
        as_root: args.as_root,
    })
}

/// The secrets that the changes want: from this computer's environment, or asked.
fn secrets(
    ctx: &Context,
    components: &[&Component],
    plans: &[ComponentPlan],
) -> Result<BTreeMap<String, String>> {
    let wanted = |name: &str| {
        plans.iter().flat_map(ComponentPlan::changes).any(|(_, it)| it.call.secret.as_deref() == Some(name))
    };
    let mut secrets = BTreeMap::new();
    for secret in components.iter().flat_map(|component| &component.about.secret) {
        if !wanted(&secret.name) {
            continue;
        }
        let value = match Environment::of_person(&secret.variable).and_then(|value| value.into_string().ok())
        {
            Some(value) => value,
            None if ctx.ui.is_interactive() => ctx.ui.secret(&secret.prompt)?,
            None => {
                let message = format!("{} is needed, and there is no terminal to ask on", secret.prompt);
                let hint = format!("give it in the variable {}", secret.variable);
                return Err(Failure::new(Kind::Failed, message).hint(hint).into());
            }
        };
        secrets.insert(secret.name.clone(), value);
    }
    Ok(secrets)
}

fn finish(
    ctx: &Context,
    there: &TheHost<'_>,
    mut report: Report,
    facts: &Facts,
    components: &[&Component],
) -> Result<i32> {
    let moved = login::offer(ctx, there, &report, facts)?;
    report.notes.extend(moved);
    for component in components {
        if let (Some(login), Some(false)) = (&component.about.login, facts.logged_in.get(&component.name)) {
            report
                .notes
                .push(format!("{} is not logged in yet: `{}` on the host", component.name, login.command));
        }
    }
    show::report(ctx, &report);
    if report.code() == 77 && !ctx.ui.is_json() {
        if facts.host.rights == Rights::MaySudo {
            ctx.ui.hint("run it on a terminal: the password that sudo wants is asked there");
        }
        ctx.ui.hint(&there.for_an_administrator(&facts.host.login));
    }
    Ok(report.code())
}
