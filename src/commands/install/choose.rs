//! The menu: each component with what it is for, whether it is there, what it takes and what it opens.

use anyhow::Result;

use crate::cli;
use crate::commands::context::Context;
use crate::provision::catalog::{Catalog, Selection, applies};
use crate::provision::component::{Component, Tier};
use crate::provision::facts::Facts;
use crate::provision::plan::{Wishes, plan};

/// Asks which components are wanted; the standard tier and the configured agent are chosen at first.
pub(super) fn components(
    ctx: &Context,
    catalog: &Catalog,
    facts: &Facts,
    agent: &str,
    args: &cli::Install,
) -> Result<Option<Selection>> {
    let all: Vec<&Component> =
        catalog.all().iter().filter(|it| applies(it, &facts.host, args.as_root)).collect();
    let plans = plan(&all, facts, &Wishes::default());
    let width = all.iter().map(|component| component.name.len()).max().unwrap_or(0);
    let items: Vec<(String, bool)> = all
        .iter()
        .zip(&plans)
        .map(|(component, plan)| {
            let about = &component.about;
            let mut facts = Vec::new();
            if plan.is_satisfied() {
                facts.push("is there".to_owned());
            } else if about.disk > 0 {
                facts.push(format!("{} MB", about.disk));
            }
            facts.extend(about.opens.iter().map(|what| format!("opens {what}")));
            let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
            let in_tier = about.tier.is_some_and(|tier| tier <= Tier::Standard)
                && about.for_agent.as_ref().is_none_or(|wanted| wanted == agent);
            let chosen = in_tier || component.name == agent;
            (format!("{:width$}  {}{facts}", component.name, about.summary), chosen)
        })
        .collect();
    let question = format!("What shall be on {}? (space chooses, Enter goes on)", facts.host.os_name);
    let Some(chosen) = ctx.ui.choose_several(&question, &items)? else { return Ok(None) };
    let with: Vec<String> = chosen.into_iter().map(|at| all[at].name.clone()).collect();
    if with.is_empty() {
        return Ok(None);
    }
    Ok(Some(Selection { with, as_root: args.as_root, ..Selection::default() }))
}
