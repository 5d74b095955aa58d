//! Mutagen made ready for a command: found, or offered to be fetched.

use std::path::PathBuf;

use anyhow::Result;

use super::context::Context;
use crate::failure::{Failure, Kind};
use crate::remote::{Why, classify, shim_directory};
use crate::tools::mutagen::{Mutagen, MutagenError};

/// Mutagen, with its own daemon and data directory. A missing one is offered to be fetched.
///
/// # Errors
/// It is missing, too old, or something else of that name.
pub(super) fn ready(ctx: &Context) -> Result<Mutagen> {
    let path = ctx.environment.get("PATH").unwrap_or_default();
    let program = which::which_in("mutagen", Some(path), "/")
        .map_err(|_| Failure::new(Kind::MissingTool, "Mutagen is not installed on this computer"))?;
    at(ctx, program)
}

/// Mutagen at the place where it would be, for showing commands.
///
/// # Errors
/// The data directory is too long.
pub(super) fn at(ctx: &Context, program: PathBuf) -> Result<Mutagen> {
    let data = ctx.environment.data_dir();
    Ok(Mutagen::new(program, data.join("mutagen"), shim_directory(&data), ctx.runner.clone())?)
}

/// Did the data connection fail because the login needs a person?
#[must_use]
pub(super) fn is_login_refused(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<MutagenError>() {
        Some(MutagenError::Connect { reason, ssh, .. }) => {
            let said = ssh.as_deref().unwrap_or(reason);
            matches!(classify(said), Why::LoginRefused | Why::HostKeyUnknown)
        }
        _ => false,
    })
}
