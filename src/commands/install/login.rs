//! The login moves from root to the user that was made: tried first, then asked, then written into the configuration.

use anyhow::{Context as _, Result};
use toml_edit::DocumentMut;

use super::TheHost;
use super::report::{Became, Report};
use crate::commands::context::Context;
use crate::config::{Config, Destination};
use crate::provision::facts::Facts;
use crate::remote::Remote;
use crate::state::replace_file;

/// Offers to go on as the user that agents run as. Gives what a person should know.
pub(super) fn offer(
    ctx: &Context,
    there: &TheHost<'_>,
    report: &Report,
    facts: &Facts,
) -> Result<Vec<String>> {
    let made = report
        .components
        .iter()
        .any(|(plan, became)| plan.name == "user" && matches!(became, Became::Changed | Became::Satisfied));
    let (name, destination) = (there.remote.name(), there.remote.destination());
    if !made || facts.host.login != "root" || facts.host.user == "root" {
        return Ok(Vec::new());
    }
    let new = destination.for_user(&facts.host.user)?;
    let fresh = Remote::new(name, new.clone(), &ctx.environment.socket_dir(), ctx.runner.clone())
        .with_person(ctx.ui.is_interactive())
        .without_sharing();
    let access = crate::provision::access::Access::new(&fresh);
    if let Err(error) = access.ask("log in as the new user", ":\n") {
        return Ok(vec![format!("the login as {new} does not work yet ({error}); root's stays in use")]);
    }
    let config = ctx.config()?;
    if !config.hosts.contains_key(name) {
        return Ok(vec![format!("from now on: `sinc --host {new}`")]);
    }
    if !ctx.ui.can_ask() || !ctx.ui.confirm(&format!("Use {new} for host {name} from now on?"), true)? {
        return Ok(vec![format!(
            "to go on as that user, set `destination = \"{new}\"` for host {name}: `sinc config edit`"
        )]);
    }
    Ok(vec![move_to(&config, name, &new)?])
}

/// Writes a host's new destination into the configuration; all else there stays. Gives what a person should know.
pub(super) fn move_to(config: &Config, name: &str, new: &Destination) -> Result<String> {
    let text = std::fs::read_to_string(&config.file)
        .with_context(|| format!("cannot read `{}`", config.file.display()))?;
    let mut document: DocumentMut = text.parse().context("the configuration is not TOML")?;
    let place = &mut document["host"][name]["destination"];
    // A comment behind it stays.
    let decor = place.as_value().map(|value| value.decor().clone());
    *place = toml_edit::value(new.to_string());
    if let (Some(value), Some(decor)) = (place.as_value_mut(), decor) {
        *value.decor_mut() = decor;
    }
    let kept = replace_file(&config.file, document.to_string().as_bytes())?;
    let (file, kept) = (config.file.display(), kept.display());
    Ok(format!("host {name} is {new} now, in {file}; what that said before: {kept}"))
}
