//! Secrets that components want: from this computer's environment, from a file, or asked.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use crate::commands::context::Context;
use crate::config::Environment;
use crate::failure::{Failure, Kind};
use crate::provision::component::{Component, Secret};
use crate::provision::plan::ComponentPlan;

/// The secrets that these changes want, by name. One that may be left out is empty where nobody gave it.
pub(super) fn of_changes(
    ctx: &Context,
    components: &[&Component],
    plans: &[ComponentPlan],
) -> Result<BTreeMap<String, String>> {
    let mut secrets = BTreeMap::new();
    for plan in plans {
        let Some(component) = components.iter().find(|it| it.name == plan.name) else { continue };
        for secret in &component.about.secret {
            let wanted = |(_, it): (usize, &crate::provision::plan::Change)| {
                it.call.secret.as_deref() == Some(secret.name.as_str())
            };
            if plan.changes().any(wanted) {
                secrets.insert(secret.name.clone(), get(ctx, secret)?);
            }
        }
    }
    Ok(secrets)
}

/// The secrets of these components that the environment gives, by name.
pub(super) fn given(components: &[Component]) -> BTreeSet<String> {
    let is_given = |secret: &&Secret| {
        let file = format!("{}_FILE", secret.variable);
        [&secret.variable, &file]
            .into_iter()
            .any(|name| Environment::of_person(name).is_some_and(|value| !value.is_empty()))
    };
    let secrets = components.iter().flat_map(|component| &component.about.secret);
    secrets.filter(is_given).map(|secret| secret.name.clone()).collect()
}

fn get(ctx: &Context, secret: &Secret) -> Result<String> {
    let file_variable = format!("{}_FILE", secret.variable);
    let value = match (Environment::of_person(&secret.variable), Environment::of_person(&file_variable)) {
        (Some(value), _) => value
            .into_string()
            .map_err(|_| Failure::new(Kind::Failed, format!("{} is not UTF-8", secret.variable)))?,
        (None, Some(file)) => std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read the file that {file_variable} names"))?,
        (None, None) if ctx.ui.is_interactive() => {
            let or_nothing = if secret.optional { " (or nothing)" } else { "" };
            ctx.ui.secret(&format!("{}{or_nothing}", secret.prompt))?
        }
        (None, None) if secret.optional => String::new(),
        (None, None) => {
            let message = format!("{} is needed, and there is no terminal to ask on", secret.prompt);
            let hint = format!(
                "give it in the variable {}, or in a file that {file_variable} names",
                secret.variable
            );
            return Err(Failure::new(Kind::Failed, message).hint(hint).into());
        }
    };
    // A file ends with a line's end, and so may what was pasted.
    let value = value.trim_end_matches(['\r', '\n']).to_owned();
    if value.contains(['\n', '\r', '\0']) {
        return Err(Failure::new(Kind::Failed, format!("{} is more than one line", secret.prompt)).into());
    }
    Ok(value)
}
