//! Mutagen: the two-way sync. Commands, answers, settings, and where the program comes from.
//!
//! Inside this module the two ends of a sync may be called alpha and beta, as Mutagen calls them; everything
//! that leaves it says [`Side::Local`] and [`Side::Remote`].
//!
//! What is said here about Mutagen was read in the source of 0.18.1 and tried with it.

mod archive;
mod before;
mod client;
mod commands;
mod common;
mod conflict;
mod cycle;
mod error;
mod fetch;
mod find;
mod ignore;
mod model;
mod movement;
mod pausing;
mod progress;
mod reason;
mod release;
mod settings;
mod status;
mod version;
mod wish;
mod work_dir;

pub use before::{roll_back, sessions_with};
pub use client::Mutagen;
pub use commands::{Endpoint, LABEL_HOST, LABEL_ID, LABEL_SETTINGS, NewSession, PROGRAM_VARIABLE, Selector};
pub use conflict::{Change, Conflict, ConflictKind, Entry, EntryKind};
pub use cycle::{Checked, CycleResult};
pub use error::{MutagenError, SOCKET_PATH_LIMIT, is_lost_line};
pub use fetch::{FetchError, Fetched, download_cmd, fetch};
pub use find::{AGENTS, FindError, Found, Origin, Search, Unfit, Why, find, own_program};
pub use ignore::is_valid_ignore;
pub use model::{Problem, ProblemStage, SessionEnd, SyncSession};
pub use movement::Patience;
pub use progress::{Phase, Progress};
pub use reason::Reason;
pub use release::{RELEASE, Release};
pub use settings::{DIRECTORY_MODE_BITS, FILE_MODE_BITS, SettingsError, SyncMode, SyncSettings, Watch};
pub use status::{Halt, HaltKind, Side, Status};
pub use version::{LEAST_VERSION, Version};

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod test_kit;
