//! The menu: each component with what it is for, whether it is there, what it takes and what it opens.

use anyhow::Result;

use crate::cli;
use crate::commands::context::Context;
use crate::commands::paint::shorten;
use crate::provision::cannot;
use crate::provision::catalog::{Catalog, Selection, applies};
use crate::provision::component::{Component, Tier};
use crate::provision::facts::Facts;
use crate::provision::plan::{Wishes, plan};

/// Asks which components are wanted; the standard tier and the configured agent are chosen at first, of `--tier custom`
/// nothing.
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
    let names = all.iter().map(|component| component.name.len()).max().unwrap_or(0);
    let columns = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).map_or(0, |size| size.ws_col.into());
    let columns = if columns == 0 { 80 } else { columns };
    let items: Vec<(String, bool)> = all
        .iter()
        .zip(&plans)
        .map(|(component, plan)| {
            let about = &component.about;
            let in_tier = about.tier.is_some_and(|tier| tier <= Tier::Standard)
                && about.for_agent.as_ref().is_none_or(|wanted| wanted == agent);
            let in_tier = in_tier && cannot::why(component, &facts.host).is_none();
            let chosen = (in_tier || component.name == agent) && args.tier.is_none();
            (line(component, plan.is_satisfied(), names, columns), chosen)
        })
        .collect();
    // With the number of the page behind it, it is one line too.
    let question = "What shall be there? (space chooses, Enter goes on, Esc ends)";
    let Some(chosen) = ctx.ui.choose_several(question, &items)? else { return Ok(None) };
    let with: Vec<String> = chosen.into_iter().map(|at| all[at].name.clone()).collect();
    if with.is_empty() {
        return Ok(None);
    }
    Ok(Some(Selection { with, as_root: args.as_root, ..Selection::default() }))
}

/// What the prompt puts before a line, and a column that stays free.
const MARGIN: usize = 7;

/// A component on one line of a terminal: the menu cannot be drawn where one takes two. What it takes and opens stays whole.
fn line(component: &Component, is_there: bool, names: usize, columns: usize) -> String {
    let (name, about) = (&component.name, &component.about);
    let mut facts = Vec::new();
    if is_there {
        facts.push("is there".to_owned());
    } else if about.disk > 0 {
        facts.push(format!("{} MB", about.disk));
    }
    // What, and to whom; the rest is in the plan.
    let what =
        |opens: &String| opens.replace(", to ", " to ").split(',').next().unwrap_or_default().to_owned();
    facts.extend(about.opens.iter().map(|opens| format!("opens {}", what(opens))));
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
    let room = columns.saturating_sub(MARGIN + names + 2 + facts.chars().count()).max(10);
    format!("{name:names$}  {}{facts}", shorten(component.purpose(), room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_is_one_line_with_what_it_takes_and_opens() {
        let catalog = Catalog::load(None).unwrap();
        let lines = |columns: usize| -> Vec<String> {
            catalog.all().iter().map(|it| line(it, it.name == "base", 16, columns)).collect()
        };
        for line in lines(80) {
            assert!(line.chars().count() <= 80 - MARGIN, "{line}");
        }
        let wide = lines(200);
        assert_eq!(
            wide[1],
            "base              what sinc and agents use: tmux, git, curl, ripgrep, inotifywait, certificates, UTF-8, modern terminals (is there)"
        );
        let tailscale = "tailscale         a private network of your own devices, with this host in it (80 MB; opens this host to your tailnet)";
        assert!(wide.iter().any(|line| line == tailscale), "{wide:#?}");
        assert!(lines(80).iter().any(|line| line.ends_with("… (80 MB; opens this host to your tailnet)")));
    }
}
