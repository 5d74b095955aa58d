//! The two sides, and what a session is doing.

use std::fmt;

use serde::Deserialize;

use super::settings::SyncMode;

/// One of the two computers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This computer.
    Local,
    /// The host.
    Remote,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "here",
            Self::Remote => "on the host",
        })
    }
}

/// What a session is doing (`Status` in `pkg/synchronization/state.pb.go`). Means nothing while it is paused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Status {
    /// No connection to either side.
    Disconnected,
    /// One side lost all of its content: waits for a person.
    HaltedOnRootEmptied,
    /// One side's directory is gone: waits for a person.
    HaltedOnRootDeletion,
    /// One side's directory became something else: waits for a person.
    HaltedOnRootTypeChange,
    /// Connects to alpha.
    ConnectingAlpha,
    /// Connects to beta.
    ConnectingBeta,
    /// Waits for a change.
    Watching,
    /// Looks at both sides.
    Scanning,
    /// A scan failed; it waits before the next one (5 s).
    WaitingForRescan,
    /// Decides what to do.
    Reconciling,
    /// Sends files to alpha.
    StagingAlpha,
    /// Sends files to beta.
    StagingBeta,
    /// Puts files in their places.
    Transitioning,
    /// Writes down what both sides now have in common.
    Saving,
    /// A state that this version of sinc does not know.
    Other(String),
}

impl Default for Status {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        match text.as_str() {
            "disconnected" => Self::Disconnected,
            "halted-on-root-emptied" => Self::HaltedOnRootEmptied,
            "halted-on-root-deletion" => Self::HaltedOnRootDeletion,
            "halted-on-root-type-change" => Self::HaltedOnRootTypeChange,
            "connecting-alpha" => Self::ConnectingAlpha,
            "connecting-beta" => Self::ConnectingBeta,
            "watching" => Self::Watching,
            "scanning" => Self::Scanning,
            "waiting-for-rescan" => Self::WaitingForRescan,
            "reconciling" => Self::Reconciling,
            "staging-alpha" => Self::StagingAlpha,
            "staging-beta" => Self::StagingBeta,
            "transitioning" => Self::Transitioning,
            "saving" => Self::Saving,
            _ => Self::Other(text),
        }
    }
}

/// Why Mutagen stopped a session until a person decides (`controller.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltKind {
    /// All of the directory's content is gone on one side.
    Emptied,
    /// The directory is gone on one side.
    Deleted,
    /// The directory became a file or a link on one side.
    TypeChanged,
}

/// A halt, and the side that it happened on, where that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What happened.
    pub kind: HaltKind,
    /// Where.
    pub side: Option<Side>,
}

impl Halt {
    /// Is it, or may it be, the side that everything comes from in this mode? Then the other one gives nothing back.
    #[must_use]
    pub fn is_of_source(&self, mode: Option<SyncMode>) -> bool {
        let source = mode.and_then(SyncMode::source);
        source.is_some() && self.side.is_none_or(|side| Some(side) == source)
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            HaltKind::Emptied => "the directory was emptied",
            HaltKind::Deleted => "the directory was deleted",
            HaltKind::TypeChanged => "the directory was replaced by a file or a link",
        })?;
        match self.side {
            Some(side) => write!(f, " {side}"),
            None => f.write_str(" on one side"),
        }
    }
}
