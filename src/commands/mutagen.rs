//! Mutagen made ready for a command: found, or offered to be fetched.

use std::path::PathBuf;

use anyhow::Result;

use super::context::Context;
use crate::config::{Config, Host};
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::project::Project;
use crate::remote::{Why, classify, shim_directory};
use crate::session::sync::Wanted;
use crate::state::host_word;
use crate::tools::mutagen::{FetchPlan, Found, Lookup, Mutagen, MutagenError, SyncSettings, fetch, find};
use crate::ui::bytes;

/// Mutagen, with its own daemon and data directory. A missing one is offered to be fetched.
///
/// # Errors
/// It is missing, too old, or something else of that name.
pub fn ready(ctx: &Context) -> Result<Mutagen> {
    let config = ctx.config(None, None)?;
    let program = match look_up(ctx, &config)? {
        Ok(program) => program,
        Err(missing) => offer(ctx, &config, missing)?,
    };
    at(ctx, program)
}

/// Mutagen if it is there; nothing is fetched.
///
/// # Errors
/// As [`ready`].
pub fn if_there(ctx: &Context) -> Result<Option<Mutagen>> {
    let config = ctx.config(None, None)?;
    look_up(ctx, &config)?.ok().map(|program| at(ctx, program)).transpose()
}

fn at(ctx: &Context, program: PathBuf) -> Result<Mutagen> {
    let data = ctx.environment.data_dir();
    Ok(Mutagen::new(program, data.join("mutagen"), shim_directory(&data), ctx.runner.clone())?)
}
