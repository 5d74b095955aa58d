//! A sync that needs a person.

use crate::tools::mutagen::{Halt, SyncMode};

/// A sync that needs a person.
#[derive(Debug)]
pub enum Stuck {
    /// It has halted, in this mode.
    Halted(Halt, Option<SyncMode>),
    /// There are copies of it, and one of them could not be completed.
    Doubled {
        /// Why.
        why: String,
    },
    /// There are several that differ.
    Ambiguous(Vec<String>),
    /// The directory moved on the host, and in this mode what changed there meanwhile would be overwritten.
    Overwrites(SyncMode),
    /// It was held and is gone, and in this mode a new one would overwrite the host.
    HeldAndGone(SyncMode),
    /// What a replica would overwrite was not shown to anybody.
    NotShown(SyncMode),
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Halted(halt, _) => write!(f, "the sync has stopped itself: {halt}"),
            Self::Doubled { why } => {
                write!(
                    f,
                    "the sync exists twice, and no cycle of it could be completed before ending one: {why}"
                )
            }
            Self::Overwrites(mode) => write!(
                f,
                "the directory moved on the host, and in mode {} what was changed there meanwhile would be overwritten",
                mode.word()
            ),
            Self::HeldAndGone(mode) => write!(
                f,
                "the sync was held and is gone, and in mode {} a new one would make the host like this side",
                mode.word()
            ),
            Self::NotShown(mode) => write!(
                f,
                "the sync is to be made in mode {}, and what that would overwrite was not shown yet",
                mode.word()
            ),
            Self::Ambiguous(lines) => {
                f.write_str("there are several syncs for this session, and they differ:")?;
                for line in lines {
                    write!(f, "\n  {line}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Stuck {}
