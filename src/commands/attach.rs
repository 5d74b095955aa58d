//! `sinc attach`: attaches to a session that exists, from any directory, without touching its sync.

use anyhow::Result;

use super::context::Context;
use super::{after_attach, terminal};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::project::SessionId;
use crate::session::terminal::{Terminal, size};

/// Runs it. Does not come back unless it failed.
///
/// # Errors
/// There is no such session, or no terminal.
pub fn run(ctx: &Context, args: &cli::Target) -> Result<i32> {
    let config = ctx.config()?;
    let mut known = None;
    let named = args.id.as_deref().and_then(|id| SessionId::parse(id).ok());
    let (id, host) = match named {
        // A session that this computer has never seen can still be attached to, on the host that is named.
        Some(id) if ctx.records_of(&id)?.is_empty() => (id, config.host(ctx.global.host.as_deref())?),
        _ => {
            let record = ctx.target(args.id.as_deref())?;
            let record = known.insert(record);
            (SessionId::parse(&record.id)?, ctx.host_of(&config, record)?)
        }
    };
    if !ctx.ui.is_interactive() && !ctx.runner.is_dry_run() {
        return Err(Failure::new(Kind::Failed, "there is no terminal to attach")
            .hint(format!("run it on a terminal; `sinc status {id}` shows how it stands"))
            .into());
    }
    let remote = ctx.remote(&host);
    let terminal = Terminal { id: &id, directory: None, agent: None, size: size() };
    if ctx.runner.is_dry_run() {
        terminal::show(ctx, &host, &remote, &terminal)?;
        if ctx.ui.is_json() {
            let data = serde_json::json!({ "id": id, "host": host.name, "dry_run": true });
            ctx.print_json("attach", &data);
        }
        return Ok(0);
    }
    terminal::prepare(ctx, &host, &remote, &terminal)?;
    if let Some(record) = &known {
        after_attach::start(ctx, record, true);
    }
    terminal::attach(ctx, &host, &remote, &terminal)
}
