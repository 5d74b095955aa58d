//! ssh through the tailnet alone: closed by a login through the tailnet, kept so by a second one, and else opened again.

use std::collections::BTreeMap;

use anyhow::Result;

use super::report::{Became, Report};
use super::tailnet::Way;
use super::working::Working;
use super::{TheHost, Worked};
use crate::commands::context::Context;
use crate::failure::{Failure, Kind};
use crate::provision::apply;
use crate::provision::catalog::{Catalog, Selection};
use crate::provision::component::Component;
use crate::provision::facts::Facts;
use crate::provision::plan::{ComponentPlan, Decision, Wishes, plan, several};

/// The component that says so.
pub(super) const NAME: &str = "tailnet-only";

/// The flag alone brings neither a firewall nor a tailnet: they are there as they should be, or are selected too.
pub(super) fn refuse_without_needs(
    host: &str,
    catalog: &Catalog,
    selection: &Selection,
    plans: &[ComponentPlan],
    facts: &Facts,
) -> Result<()> {
    // What the firewall lets in, only root sees.
    let Some(component) = catalog.get(NAME).filter(|_| facts.host.rights.is_root()) else { return Ok(()) };
    let besides = selection.with.iter().filter(|name| *name != NAME).cloned().collect();
    let selected = catalog.select(&Selection { with: besides, ..selection.clone() }).unwrap_or_default();
    let is_there = |need: &str| {
        selected.iter().any(|it| it.name == need)
            || plans.iter().any(|plan| plan.name == need && plan.is_satisfied())
    };
    let missing: Vec<&str> = component.needs().filter(|need| !is_there(need)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (is, it) = if missing.len() == 1 { ("is", "it") } else { ("are", "they") };
    let message = format!(
        "ssh on host `{host}` stays open to everybody: {} {is} not there as {it} should be",
        several(&missing)
    );
    let with: String = missing.iter().map(|need| format!(" --with {need}")).collect();
    Err(Failure::new(Kind::Failed, message)
        .hint(format!("all in one run: `sinc install{with} --tailnet-only`"))
        .into())
}

/// Closes ssh in public where that was asked for, and offers it on a terminal where it was not.
pub(super) fn close(
    ctx: &Context,
    there: &TheHost<'_>,
    report: &mut Report,
    way: Way,
    catalog: &Catalog,
    wishes: &Wishes,
) -> Result<()> {
    let asked = match report.became(NAME) {
        None => false,
        Some(Became::WouldChange) => true,
        Some(_) => return Ok(()),
    };
    let Some(component) = catalog.get(NAME) else { return Ok(()) };
    if !asked && !is_offered(ctx, report, component) {
        return Ok(());
    }
    let remote = match (missing(report, component), way) {
        (None, Way::Through(remote)) => remote,
        (Some(why), _) | (None, Way::Not(why)) => {
            report.fail(NAME, format!("ssh stays open to everybody: {why}"));
            return Ok(());
        }
    };
    let components = [component];
    let alone = remote.clone().without_sharing();
    let (mut through, mut facts) = (there.by(&remote), there.by(&remote).look(&components, false)?);
    if !facts.host.by_tailnet {
        // A connection that is shared may be from before the way was mended.
        (through, facts) = (there.by(&alone), there.by(&alone).look(&components, false)?);
    }
    let plans = plan(&components, &facts, wishes);
    let change = match plans[0].steps.first() {
        Some(Decision::Change(change)) if facts.host.by_tailnet && plans[0].blocked.is_none() => change,
        _ => {
            let why = match &plans[0].blocked {
                Some(why) => why.clone(),
                None => format!("the login as {} does not come through the tailnet", remote.destination()),
            };
            report.fail(NAME, format!("ssh stays open to everybody: {why}"));
            return Ok(());
        }
    };
    if !asked {
        if let Some(note) = &component.about.note {
            ctx.ui.note(note);
        }
        // Not by mistake: what goes wrong with a tailnet later is mended by another way in.
        if !ctx.ui.confirm(&format!("On {}: {}?", report.host, change.what), false)? {
            return Ok(());
        }
        report.components.push((plans[0].clone(), Became::WouldChange));
    }
    let program = apply::program(&through.target, &plans, &BTreeMap::new(), &wishes.mirrors);
    let Worked { outcome, what: own, failure } = through.work(&program, Working::new(ctx, &plans))?;
    if !own {
        ctx.ui.note("another run was going on, and has ended; run it again for what is left");
    }
    let all_well = report.code() == 0;
    let failure = match (through.verify(&components), failure) {
        (Ok(facts), failure) => {
            report.settle(&outcome, &plan(&components, &facts, wishes), &facts);
            failure
        }
        (Err(error), failure) => Some(failure.unwrap_or(error)),
    };
    if let Some(failure) = &failure {
        report.fail(NAME, format!("ssh does not stay closed: {failure}"));
    }
    if let Some(run) = outcome.run.as_ref().filter(|_| all_well) {
        report.log = through.keep_log(run);
    }
    failure.map_or(Ok(()), Err)
}

/// Where it was not asked for: it is offered to a person, and named where there is none.
fn is_offered(ctx: &Context, report: &mut Report, component: &Component) -> bool {
    let there = |need: &str| matches!(report.became(need), Some(Became::Satisfied | Became::Changed));
    if !component.needs().all(there) {
        return false;
    }
    let asks = ctx.ui.is_interactive() && !ctx.global.yes;
    if !asks && report.became("tailscale") == Some(&Became::Changed) {
        report.notes.push("`sinc install --tailnet-only` closes ssh to all but the tailnet".to_owned());
    }
    asks
}

/// A component that it needs, and that is not there.
fn missing(report: &Report, component: &Component) -> Option<String> {
    let is_missing =
        |need: &&str| matches!(report.became(need), Some(Became::Failed(_) | Became::Blocked(_)));
    component.needs().find(is_missing).map(|need| format!("it needs {need}, which failed"))
}
