//! The tailnet: is this computer in it too, and does the host's name there become its address?

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{TheHost, login};
use crate::commands::context::Context;
use crate::config::Destination;
use crate::process::Cmd;
use crate::provision;
use crate::provision::access::Access;
use crate::provision::facts::{Fact, Facts};
use crate::provision::plan::ComponentPlan;
use crate::remote::Remote;

/// Whether the host is reached through its tailnet from here.
#[derive(Debug)]
pub(super) enum Way {
    /// It is, by this way, which is the one of the configuration if the host is in it.
    Through(Remote),
    /// It is not, and why.
    Not(String),
}

/// Offers the host's name in its tailnet as its address. Gives what a person should know, and whether that way is gone now.
pub(super) fn offer(ctx: &Context, there: &TheHost<'_>, facts: &Facts) -> Result<(Vec<String>, Way)> {
    let joined = facts.steps.values().find_map(|step| match &step.fact {
        Fact::Tailnet { state: Some(state), name: Some(name) } if state == "Running" => Some(name),
        _ => None,
    });
    let Some(at) = joined else { return Ok((Vec::new(), Way::Not("the host is in no tailnet".to_owned()))) };
    let config = ctx.config()?;
    let name = there.remote.name();
    // The login may just have moved from root to the user.
    let destination = config.hosts.get(name).map_or(there.remote.destination(), |it| &it.destination.value);
    let remote = |to: &Destination| {
        Remote::new(name, to.clone(), &ctx.environment.socket_dir(), ctx.runner.clone())
            .with_person(ctx.ui.is_interactive())
    };
    if destination.host() == at || facts.host.by_tailnet {
        return Ok((Vec::new(), Way::Through(remote(destination))));
    }
    let not = |note: String, why: &str| Ok((vec![note], Way::Not(why.to_owned())));
    if let Some(why) = not_in(ctx, at) {
        let then = "once it is, the same command makes that its address";
        return not(format!("the host is {at} in its tailnet, but {why}; {then}"), &why);
    }
    let new = destination.for_user_at(destination.user().unwrap_or(&facts.host.login), at)?;
    let way = remote(&new);
    if let Err(error) = Access::new(&way.clone().without_sharing()).ask("log in through the tailnet", ":\n") {
        let note = format!(
            "the login as {new}, through the tailnet, does not work yet ({error}); the address stays as it was. Try `ssh {new}`"
        );
        return not(note, &format!("the login as {new} does not work"));
    }
    if !config.hosts.contains_key(name) {
        return Ok((vec![format!("through the tailnet: `sinc --host {new}`")], Way::Through(way)));
    }
    if !ctx.ui.can_ask()
        || !ctx.ui.confirm(&format!("Use {new}, through the tailnet, for host {name} from now on?"), true)?
    {
        let note = format!(
            "to go through the tailnet, set `destination = \"{new}\"` for host {name}: `sinc config edit`"
        );
        return not(note, &format!("the configuration goes to {destination}, not through the tailnet"));
    }
    Ok((vec![login::move_to(&config, name, &new)?], Way::Through(way)))
}

/// What a person should know where the host could not be let into a tailnet.
pub(super) fn left_out(plans: &[ComponentPlan]) -> Option<String> {
    provision::tailnet::is_left_out(plans).then(|| {
        "the host is in no tailnet yet: there is no key, and no terminal on which to show the address that lets it in. \
         `sinc install --with tailscale` on a terminal finishes that, or with a key in TS_AUTHKEY"
            .to_owned()
    })
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
