//! `sinc install`: what is there, what is to be done, the question, the work, what is there now.

mod choose;
mod host;
mod login;
mod major;
mod report;
mod secrets;
mod show;
mod tailnet;
mod tailnet_only;
mod work;
pub(super) mod working;

use std::path::PathBuf;

use anyhow::Result;

use super::context::Context;
use super::paint::harmless;
use crate::cli;
use crate::config::{Agent, BUILT_IN_AGENTS, Config, Url, Value};
use crate::failure::{Failure, Kind};
use crate::provision::cannot;
use crate::provision::catalog::{Catalog, Selection, applies};
use crate::provision::component::{Component, Tier};
use crate::provision::facts::{Facts, Rights};
use crate::provision::firewall;
use crate::provision::mirror::Mirrors;
use crate::provision::plan::{Wishes, plan};
use crate::provision::target::Target;
pub(super) use host::{TheHost, Worked};
use report::Report;

/// Runs it. Gives 0 when all is as it should be, 1 when something is not, 77 when only rights are missing.
///
/// # Errors
/// The host was not reached, is of a kind that sinc does not know, or the work could not be watched to its end.
pub(super) fn run(ctx: &Context, args: &cli::Install) -> Result<i32> {
    let only_looks = args.check || ctx.global.dry_run;
    // A look has one answer; work is told as it goes on.
    let ui = if only_looks { ctx.ui.clone() } else { ctx.ui.clone().streaming() };
    let ctx = &Context { ui, ..ctx.clone() };
    let config = ctx.config_for_agent(major::agent(args.agent.as_deref()))?;
    let host = config.host(None)?;
    let agent = config.agent(&host, None)?;
    let target = Target::new(&args.user, args.as_root).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("`{}` is no name for a user of the host", args.user))
            .hint("lower-case letters, digits, `-` and `_`; not root")
    })?;
    let catalog = Catalog::load(own_components(&config).as_deref())?;
    let remote = ctx.remote(&host);
    let mut there = TheHost::new(ctx, &remote, target);

    let mut selection = selection(ctx, args, &agent)?;
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
    let (given, unattended) = (secrets::given(catalog.all()), !ctx.ui.is_interactive());
    let wishes = Wishes { given, unattended, ..wishes(&config, args.upgrade) };
    let mut components: Vec<&Component> =
        components.into_iter().filter(|it| applies(it, &facts.host, args.as_root)).collect();
    let left_out = cannot::leave_out(&mut components, &selection, &facts.host);
    let mut plans = plan(&components, &facts, &wishes);
    if !only_looks && there.may_get_rights(&facts, &plans)? {
        facts = there.look(&components, only_looks)?;
        plans = plan(&components, &facts, &wishes);
    }

    if args.tailnet_only {
        tailnet_only::refuse_without_needs(&host.name, &catalog, &selection, &plans, &facts)?;
    }

    let mut report = Report::new(&host, &facts, &plans);
    report.secrets = secrets::told(ctx, &components, &plans);
    if selection.tier.is_some()
        && (agent.custom || !BUILT_IN_AGENTS.iter().any(|known| known.name == agent.name))
    {
        report.notes.push(format!("the agent `{}` is your own: sinc does not install it", agent.name));
    }
    report.notes.extend(left_out);
    report.notes.extend(major::without(&catalog, &selection));
    report.notes.extend(firewall::warnings(&facts));
    report.notes.extend(facts.host.apart().map(|(what, how)| format!("{what}: {how}")));
    report.notes.extend(tailnet::left_out(&plans));
    if facts.host.user == "root" {
        report.notes.extend(components.iter().filter_map(|it| it.about.as_root.clone()));
    }
    if only_looks {
        return Ok(show::only(ctx, &report, args.check));
    }
    show::plan(ctx, &report);
    if report.changes() == 0 {
        return finish(ctx, &there, report, &facts, &components, &catalog, &wishes);
    }
    if !ctx.ui.confirm(&format!("Do this on {}?", host.name), true)? {
        ctx.ui.note("nothing was changed");
        return Ok(0);
    }
    // It is done at the end, by another way.
    plans.retain(|plan| plan.name != tailnet_only::NAME);
    if plans.iter().any(|plan| plan.changes().next().is_some()) {
        let secrets = secrets::of_changes(ctx, &components, &plans)?;
        let Worked { outcome, failure, .. } =
            work::to_the_end(ctx, &there, &components, plans, &secrets, &wishes)?;
        let failure = match (there.verify(&components), failure) {
            (Ok(seen), failure) => {
                let mut now = plan(&components, &seen, &wishes);
                now.retain(|plan| plan.name != tailnet_only::NAME);
                report.settle(&outcome, &now, &seen);
                facts = seen;
                failure
            }
            (Err(error), failure) => {
                report.not_seen(&outcome);
                Some(failure.unwrap_or(error))
            }
        };
        if let Some(run) = &outcome.run {
            report.log = there.keep_log(run);
        }
        if let Some(failure) = failure {
            report.not_confirmed();
            return Err(show::failed(ctx, &report, failure));
        }
    }
    finish(ctx, &there, report, &facts, &components, &catalog, &wishes)
}

/// Where a person keeps component files of their own: beside the configuration.
pub(super) fn own_components(config: &Config) -> Option<PathBuf> {
    config.file.parent().map(|dir| dir.join("components"))
}

/// What is wanted besides what the files say.
pub(super) fn wishes(config: &Config, upgrade: bool) -> Wishes {
    let text = |url: &Option<Value<Url>>| url.as_ref().map(|url| url.value.to_string());
    let instead = config.mirrors.values().map(|it| (it.from.value.to_string(), it.to.value.to_string()));
    let mirrors = Mirrors {
        npm: text(&config.install.npm_registry),
        instead: instead.collect(),
        tailnet: text(&config.install.tailnet_server),
    };
    Wishes { upgrade, mirrors, ..Wishes::default() }
}

/// What the flags select; nothing where a person is asked.
fn selection(ctx: &Context, args: &cli::Install, agent: &Agent) -> Result<Option<Selection>> {
    let asks = ctx.ui.is_interactive() && !ctx.global.yes && !args.check && !ctx.global.dry_run;
    let mut with: Vec<String> = args.with.iter().map(|name| major::component(name)).collect();
    if args.tailnet_only {
        with.push(tailnet_only::NAME.to_owned());
    }
    if args.et_public {
        with.push("et-public".to_owned());
    }
    let tier = match args.tier {
        Some(cli::Tier::Minimal) => Some(Tier::Minimal),
        Some(cli::Tier::Standard) => Some(Tier::Standard),
        Some(cli::Tier::Full) => Some(Tier::Full),
        Some(cli::Tier::Custom) if with.is_empty() && args.agent.is_none() => {
            if asks && args.without.is_empty() {
                return Ok(None);
            }
            return Err(Failure::new(Kind::Usage, "`--tier custom` puts nothing on the host by itself")
                .hint("name what to install: `--with COMPONENT`")
                .into());
        }
        Some(cli::Tier::Custom) => None,
        None if !with.is_empty() => None,
        None if asks && args.without.is_empty() && args.agent.is_none() => return Ok(None),
        None => Some(Tier::Standard),
    };
    let known = BUILT_IN_AGENTS.iter().any(|known| known.name == agent.name) && !agent.custom;
    let wanted = known && (tier.is_some() || args.agent.is_some());
    Ok(Some(Selection {
        tier,
        agent: wanted.then(|| major::component(args.agent.as_ref().unwrap_or(&agent.name))),
        with,
        without: args.without.clone(),
        as_root: args.as_root,
    }))
}

fn finish(
    ctx: &Context,
    there: &TheHost<'_>,
    mut report: Report,
    facts: &Facts,
    components: &[&Component],
    catalog: &Catalog,
    wishes: &Wishes,
) -> Result<i32> {
    let moved = login::offer(ctx, there, &report, facts)?;
    report.notes.extend(moved);
    let (named, way) = tailnet::offer(ctx, there, facts)?;
    report.notes.extend(named);
    let closed = tailnet_only::close(ctx, there, &mut report, way, catalog, wishes);
    for component in components {
        if let (Some(login), Some(false)) = (&component.about.login, facts.logged_in.get(&component.name)) {
            report
                .notes
                .push(format!("{} is not logged in yet: `{}` on the host", component.name, login.command));
        }
        for warning in facts.warnings.get(&component.name).into_iter().flatten() {
            report.notes.push(format!("{}: {}", component.name, harmless(warning)));
        }
    }
    if let Err(failure) = closed {
        return Err(show::failed(ctx, &report, failure));
    }
    show::report(ctx, &report);
    if report.lacks_rights() && !ctx.ui.is_json() {
        if facts.host.rights == Rights::MaySudo {
            ctx.ui.hint("run it on a terminal: the password that sudo wants is asked there");
        }
        ctx.ui.hint(&there.for_an_administrator(&facts.host.login));
    }
    Ok(report.code())
}
