//! How far a cycle is.

use serde::Deserialize;

use super::model::SyncSession;
use super::status::{Side, Status};

/// What a session is busy with, without Mutagen's fine distinctions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It was paused.
    Paused,
    /// It waits for a person.
    Halted,
    /// It connects, or waits to connect again.
    Connecting,
    /// It looks at both sides.
    Scanning,
    /// It compares them.
    Comparing,
    /// It sends files.
    Sending,
    /// It puts files in their places.
    Applying,
    /// It waits for changes.
    Watching,
}

/// A moment of a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is busy with.
    pub phase: Phase,
    /// The side that receives, while it sends files.
    pub to: Option<Side>,
    /// How many files have arrived.
    pub files: u64,
    /// How many will.
    pub files_total: Option<u64>,
    /// How many bytes have arrived.
    pub bytes: u64,
    /// How many will, where that is known: when everything that the other side has is sent.
    pub bytes_total: Option<u64>,
    /// The file that is being sent.
    pub path: Option<String>,
    /// How many cycles have succeeded.
    pub cycles: u64,
}

/// What Mutagen says while it sends (`ReceiverState` in `pkg/synchronization/rsync`). `receivedSize` and
/// `expectedSize` are of the one file that is under way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StagingProgress {
    path: String,
    received_files: u64,
    expected_files: u64,
    total_received_size: u64,
}

impl SyncSession {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let alpha = self.side_of_alpha();
        let (phase, to) = match &self.status {
            _ if self.is_paused() => (Phase::Paused, None),
            _ if self.halt().is_some() => (Phase::Halted, None),
            Status::ConnectingAlpha | Status::ConnectingBeta | Status::Disconnected => {
                (Phase::Connecting, None)
            }
            Status::Scanning | Status::WaitingForRescan => (Phase::Scanning, None),
            Status::StagingAlpha => (Phase::Sending, Some(alpha)),
            Status::StagingBeta => (Phase::Sending, Some(alpha.other())),
            Status::Transitioning | Status::Saving => (Phase::Applying, None),
            Status::Watching => (Phase::Watching, None),
            _ => (Phase::Comparing, None),
        };
        let mut progress = Progress {
            phase,
            to,
            files: 0,
            files_total: None,
            bytes: 0,
            bytes_total: None,
            path: None,
            cycles: self.successful_cycles,
        };
        if let Some((side, staging)) =
            to.and_then(|side| Some((side, self.end(side).staging_progress.as_ref()?)))
        {
            progress.files = staging.received_files;
            progress.files_total = Some(staging.expected_files);
            progress.bytes = staging.total_received_size;
            progress.path = Some(staging.path.clone());
            // The same reasoning as in Mutagen's own monitor (`cmd/mutagen/sync/monitor.go`).
            let source = self.end(side.other());
            if staging.expected_files == source.files {
                progress.bytes_total = Some(source.total_file_size.max(progress.bytes));
            }
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::model::tests::sample;

    #[test]
    fn while_files_are_sent() {
        assert_eq!(
            sample!("staging").progress(),
            Progress {
                phase: Phase::Sending,
                to: Some(Side::Remote),
                files: 5,
                files_total: Some(3001),
                bytes: 120_000,
                bytes_total: Some(120_000_000),
                path: Some("f2718".to_owned()),
                cycles: 0,
            }
        );
    }

    #[test]
    fn the_other_phases() {
        assert_eq!(sample!("in_sync").progress().phase, Phase::Watching);
        assert_eq!(sample!("paused").progress().phase, Phase::Paused);
        assert_eq!(sample!("emptied").progress().phase, Phase::Halted);
        assert_eq!(sample!("line_cut").progress().phase, Phase::Connecting);
    }
}
