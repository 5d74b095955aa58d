//! Mutagen: the two-way sync. Commands, answers, settings, and where the program comes from.
//!
//! Inside this module the two ends of a sync may be called alpha and beta, as Mutagen calls them; everything
//! that leaves it says [`Side::Local`] and [`Side::Remote`].
//!
//! What is said here about Mutagen was read in the source of 0.18.1 and tried with it.

mod client;
mod commands;
mod conflict;
mod cycle;
mod error;
mod ignore;
mod model;
mod progress;
mod settings;
mod status;

pub use client::Mutagen;
pub use commands::{Endpoint, LABEL_HOST, LABEL_ID, LABEL_SETTINGS, NewSession, Selector};
pub use conflict::{Change, Conflict, ConflictKind, Entry, EntryKind};
pub use cycle::{Checked, CycleResult};
pub use error::{MutagenError, SOCKET_PATH_LIMIT};
pub use ignore::is_valid_ignore;
pub use model::{Problem, ProblemStage, SessionEnd, SyncSession};
pub use progress::{Phase, Progress};
pub use settings::{DIRECTORY_MODE_BITS, FILE_MODE_BITS, SettingsError, SyncMode, SyncSettings};
pub use status::{Halt, HaltKind, Side, Status};

#[cfg(test)]
mod live_tests;
