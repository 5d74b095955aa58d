//! The tailnet: is this computer in it too, and does the host's name there become its address?

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{TheHost, login};
use crate::commands::context::Context;
use crate::process::Cmd;
use crate::provision::access::Access;
use crate::provision::facts::{Fact, Facts};
use crate::remote::Remote;

/// Offers the host's name in its tailnet as its address. Gives what a person should know.
pub(super) fn offer(ctx: &Context, there: &TheHost<'_>, facts: &Facts) -> Result<Vec<String>> {
    let joined = facts.steps.values().find_map(|step| match &step.fact {
        Fact::Tailnet { state: Some(state), name: Some(name) } if state == "Running" => Some(name),
        _ => None,
    });
    let Some(at) = joined else { return Ok(Vec::new()) };
    let config = ctx.config()?;
    let name = there.remote.name();
    // The login may just have moved from root to the user.
    let destination = config.hosts.get(name).map_or(there.remote.destination(), |it| &it.destination.value);
    if destination.host() == at {
        return Ok(Vec::new());
    }
    if let Some(why) = not_in(ctx, at) {
        return Ok(vec![format!(
            "the host is {at} in its tailnet, but {why}; once it is, the same command makes that its address"
        )]);
    }
    let new = destination.for_user_at(destination.user().unwrap_or(&facts.host.login), at)?;
    let fresh = Remote::new(name, new.clone(), &ctx.environment.socket_dir(), ctx.runner.clone())
        .with_person(ctx.ui.is_interactive())
        .without_sharing();
    if let Err(error) = Access::new(&fresh).ask("log in through the tailnet", ":\n") {
        return Ok(vec![format!(
            "the login as {new}, through the tailnet, does not work yet ({error}); the address stays as it was. Try `ssh {new}`"
        )]);
    }
    if !config.hosts.contains_key(name) {
        return Ok(vec![format!("through the tailnet: `sinc --host {new}`")]);
    }
    if !ctx.ui.can_ask()
        || !ctx.ui.confirm(&format!("Use {new}, through the tailnet, for host {name} from now on?"), true)?
    {
        return Ok(vec![format!(
            "to go through the tailnet, set `destination = \"{new}\"` for host {name}: `sinc config edit`"
        )]);
    }
    Ok(vec![login::move_to(&config, name, &new)?])
}

/// Why this computer is not in the tailnet of that host, if it is not.
fn not_in(ctx: &Context, host: &str) -> Option<String> {
    let cmd = Cmd::new("tailscale", "see whether this computer is in the tailnet")
        .args(["status", "--json", "--peers=false"])
        .deadline(Duration::from_secs(5));
    let text = match ctx.runner.read(&cmd) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => {
            return Some("this computer has no Tailscale (https://tailscale.com/download)".to_owned());
        }
        Err(_) => {
            return Some("this computer's Tailscale does not answer: is its service started?".to_owned());
        }
    };
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    if said["BackendState"] != "Running" {
        return Some("this computer is not logged in to Tailscale: `sudo tailscale up`".to_owned());
    }
    let suffix =
        said["CurrentTailnet"]["MagicDNSSuffix"].as_str().or_else(|| said["MagicDNSSuffix"].as_str());
    match suffix {
        Some(suffix) if !suffix.is_empty() && !host.ends_with(suffix) => {
            Some(format!("this computer is in another one ({suffix})"))
        }
        _ => None,
    }
}
