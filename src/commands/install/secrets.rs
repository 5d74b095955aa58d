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
    for (_, secret) in wanted(components, plans) {
        secrets.insert(secret.name.clone(), get(ctx, secret)?);
    }
    Ok(secrets)
}

/// The secrets that these changes want, each with its component's name.
fn wanted<'a>(
    components: &[&'a Component],
    plans: &'a [ComponentPlan],
) -> impl Iterator<Item = (&'a str, &'a Secret)> {
    let with =
        |plan: &'a ComponentPlan| components.iter().find(|it| it.name == plan.name).map(|it| (plan, *it));
    let all: Vec<_> = plans.iter().filter_map(with).collect();
    all.into_iter().flat_map(|(plan, component)| {
        let is_wanted = |secret: &&Secret| {
            plan.changes().any(|(_, it)| it.call.secret.as_deref() == Some(secret.name.as_str()))
        };
        component.about.secret.iter().filter(is_wanted).map(|secret| (plan.name.as_str(), secret))
    })
}

/// A secret as the plan tells of it: never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    what: String,
    variable: String,
    optional: bool,
    from: Option<From>,
    there: bool,
}

/// Where a secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Variable,
    File,
    Prompt,
}

/// What the plan tells of the secrets that these changes want, by component.
pub(super) fn told(
    ctx: &Context,
    components: &[&Component],
    plans: &[ComponentPlan],
) -> BTreeMap<String, Vec<Told>> {
    let mut all: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for (component, secret) in wanted(components, plans) {
        let given = [&secret.variable, &file_variable(secret)].map(|name| Environment::of_person(name));
        let (from, there) = match given {
            [Some(value), _] => (Some(From::Variable), !value.is_empty()),
            [None, Some(file)] => (Some(From::File), std::fs::exists(file).unwrap_or(false)),
            [None, None] => (ctx.ui.is_interactive().then_some(From::Prompt), false),
        };
        let (what, variable) = (secret.prompt.clone(), secret.variable.clone());
        let told = Told { what, variable, optional: secret.optional, from, there };
        all.entry(component.to_owned()).or_default().push(told);
    }
    all
}

impl Told {
    /// One line of the plan.
    pub(super) fn sentence(&self) -> String {
        let Self { what, variable, optional, from, there } = self;
        let from = match (from, there) {
            (Some(From::Variable), true) => format!("from the variable {variable}"),
            (Some(From::Variable), false) => format!("the variable {variable} is empty"),
            (Some(From::File), true) => format!("from the file that {variable}_FILE names"),
            (Some(From::File), false) => format!("the file that {variable}_FILE names is not there"),
            (Some(From::Prompt), _) => "is asked".to_owned(),
            (None, _) => format!("not given: {variable}, or {variable}_FILE with a file's name"),
        };
        let or_nothing = if *optional && !there { "; it may be left out" } else { "" };
        format!("secret: {what}, {from}{or_nothing}")
    }

    /// For `--json`.
    pub(super) fn json(&self) -> serde_json::Value {
        let from = self.from.map(|from| match from {
            From::Variable => "variable",
            From::File => "file",
            From::Prompt => "prompt",
        });
        serde_json::json!({
            "what": self.what, "variable": self.variable, "optional": self.optional, "from": from,
            "there": self.there,
        })
    }
}

fn file_variable(secret: &Secret) -> String {
    format!("{}_FILE", secret.variable)
}

/// The secrets of these components that the environment gives, by name: as [`get`] reads them, and not empty. A file that
/// cannot be read counts: that is said when it is wanted.
pub(super) fn given(components: &[Component]) -> BTreeSet<String> {
    let is_given = |secret: &&Secret| {
        let file = || Environment::of_person(&file_variable(secret)).filter(|file| !file.is_empty());
        match Environment::of_person(&secret.variable) {
            Some(value) => !value.is_empty(),
            None => file()
                .is_some_and(|file| !std::fs::read_to_string(file).is_ok_and(|text| text.trim().is_empty())),
        }
    };
    let secrets = components.iter().flat_map(|component| &component.about.secret);
    secrets.filter(is_given).map(|secret| secret.name.clone()).collect()
}

fn get(ctx: &Context, secret: &Secret) -> Result<String> {
    let file_variable = file_variable(secret);
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
