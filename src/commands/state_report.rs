//! The state of one session, as `status` and `--no-attach` show it.

use serde::Serialize;

use anyhow::Result;

use super::context::Context;
use crate::remote::Remote;
use crate::session::survey::AgentState;
use crate::state::Record;
use crate::tools::mutagen::Mutagen;

/// `status`, field by field as docs/cli.md describes it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// The session's id.
    pub id: String,
    /// Its host's name.
    pub host: String,
    /// The directory here.
    pub local: String,
    /// The directory on the host.
    pub remote: String,
    /// The sync.
    pub sync: SyncReport,
    /// The tmux session; none when the host could not be asked.
    pub terminal: Option<TerminalReport>,
    /// The agent; none when the host could not be asked.
    pub agent: Option<AgentReport>,
    /// How a terminal reaches the host.
    pub transport: String,
    /// How changes are noticed.
    pub link: &'static str,
    /// Why the host could not be asked.
    pub unreachable: Option<String>,
}

/// The sync's part of a report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SyncReport {
    /// `synced`, `conflicts`, `incomplete`, `changing`, `paused`, `halted`, `disconnected`, `timed-out`, `none`,
    /// or, when no cycle was asked for, what Mutagen says it is doing.
    pub state: String,
    /// When a completed cycle proved that, seconds since 1970; none when none did.
    pub checked_at: Option<u64>,
    /// Completed cycles since the sync's daemon started.
    pub cycles: u64,
    /// Changes that wait to be brought over, when known: 0 after a checked cycle.
    pub pending: Option<u64>,
    /// Conflicts.
    pub conflicts: u64,
    /// Paths that cannot be synced.
    pub problems: u64,
    /// Why it has halted.
    pub halted: Option<String>,
    /// Its last error.
    pub error: Option<String>,
}

/// The tmux session's part of a report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TerminalReport {
    /// Is there one?
    pub exists: bool,
    /// How many terminals are attached.
    pub attached: u64,
}

/// The agent's part of a report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AgentReport {
    /// Its name.
    pub name: Option<String>,
    /// What it is doing.
    pub state: AgentState,
}

/// Prints one session.
pub(super) fn print_one(
    ctx: &Context,
    _command: &str,
    _remote: &Remote,
    record: &Record,
    _mutagen: &Mutagen,
) -> Result<()> {
    ctx.ui.data(&record.id);
    Ok(())
}
