//! Which start of a machine this is, and whether it was shut down well before.

use anyhow::{Context as _, Result};

use super::shim::{BOOT, Call};
use super::{Answer, Reply};
use crate::process::{Cmd, Runner};

/// A machine's present start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// As the system names it; empty where it does not.
    pub id: String,
    /// It was shut down before, so everything that was written then is on its disk.
    pub clean: bool,
}

/// The name of this computer's present start; empty where the system has none.
#[must_use]
pub fn id_here() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.unwrap_or_default().trim().to_owned()
}

/// This computer's.
///
/// # Errors
/// There is no shell.
pub fn here() -> Result<Start> {
    let cmd = Cmd::new("sh", "look when this computer was started").args(["-c", BOOT.line(), "sinc"]);
    let output = Runner::default().answer(&cmd)?;
    read(&Answer::new(output.code, &output.stdout, output.stderr))
}

/// That of the host which Mutagen wants to reach.
///
/// # Errors
/// It is not reached, or its answer is not understood.
pub fn there(call: &Call) -> Result<Start> {
    let output = Runner::default().answer(&call.ask(&BOOT)?)?;
    read(&Answer::new(output.code, &output.stdout, output.stderr))
}

fn read(answer: &Answer) -> Result<Start> {
    let reply = Reply::of(answer);
    let id = reply.get("boot").context("the answer does not tell when it was started")?.to_owned();
    Ok(Start { id, clean: reply.get("clean") == Some("yes") })
}
