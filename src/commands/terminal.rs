//! The last step of `sinc` and of `sinc attach`: this process becomes the program that the terminal belongs to, ssh,
//! or Eternal Terminal's `et` where that is asked for.

use anyhow::{Context as _, Result};

use super::context::Context;
use crate::config::{Host, Transport};
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::remote::Remote;
use crate::session::terminal::{Terminal, et_cmd};

/// Makes sure that the tmux session is there, and attaches nothing.
///
/// # Errors
/// The host was not reached, or it says why not.
pub(super) fn make(ctx: &Context, remote: &Remote, terminal: &Terminal<'_>) -> Result<()> {
    let reply = terminal.make(remote, &|line| ctx.ui.note(line))?;
    if reply.code == 0 {
        return Ok(());
    }
    let said =
        reply.said.lines().map(|line| line.trim_start_matches("sinc: ")).collect::<Vec<_>>().join("; ");
    Err(Failure::new(Kind::Failed, said).into())
}

/// Makes sure of what the attach itself does not look at. The script that ssh runs looks at all of it. `et` types a
/// command and ends with 0 whatever comes of it, so everything must be right before.
///
/// # Errors
/// As [`make`].
pub(super) fn prepare(ctx: &Context, host: &Host, remote: &Remote, terminal: &Terminal<'_>) -> Result<()> {
    if host.transport.value == Transport::Et { make(ctx, remote, terminal) } else { Ok(()) }
}

/// Becomes the program. Does not come back unless that failed.
///
/// # Errors
/// The program is missing, or ssh does not say who the login is.
pub(super) fn attach(ctx: &Context, host: &Host, remote: &Remote, terminal: &Terminal<'_>) -> Result<i32> {
    let cmd = attach_cmd(ctx, host, remote, terminal)?;
    remote.control().prepare();
    remote.drop_frozen_master();
    ctx.runner.replace(&cmd)?;
    Ok(0)
}

/// `--dry-run` of [`prepare`] and [`attach`].
///
/// # Errors
/// As those.
pub(super) fn show(ctx: &Context, host: &Host, remote: &Remote, terminal: &Terminal<'_>) -> Result<()> {
    // Without an agent it would only be looked for.
    if host.transport.value == Transport::Et && terminal.agent.is_some() {
        ctx.runner.run(&terminal.make_cmd(remote))?;
    }
    ctx.runner.run(&attach_cmd(ctx, host, remote, terminal)?)?;
    Ok(())
}

fn attach_cmd(ctx: &Context, host: &Host, remote: &Remote, terminal: &Terminal<'_>) -> Result<Cmd> {
    match host.transport.value {
        Transport::Et => Ok(et_cmd(terminal.id, &host.destination.value, &et_user(ctx, host)?)),
        Transport::Auto | Transport::Ssh => Ok(terminal.attach_cmd(remote)),
    }
}

/// The login on the host, which `et` must be given: its own reading of ~/.ssh/config knows no Match or Include.
fn et_user(ctx: &Context, host: &Host) -> Result<String> {
    if let Some(user) = host.destination.value.user() {
        return Ok(user.to_owned());
    }
    let cmd =
        Cmd::new("ssh", "read ssh's configuration").args(["-G", "--"]).arg(host.destination.value.target());
    let said = ctx.runner.read(&cmd)?;
    let user = said
        .lines()
        .find_map(|line| line.strip_prefix("user "))
        .context("ssh names no user for this host")?;
    Ok(user.to_owned())
}
