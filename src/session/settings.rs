//! What a session's sync is to be made with: the configuration, and the project's own files as far as they are
//! trusted.

use std::path::Path;

use crate::config::{Config, ConfigError, Mode, ProjectFile};
use crate::ignore;
use crate::tools::mutagen::{SyncMode, SyncSettings, Watch};
use crate::trust::{Accepted, Assessment, Own, Proposed, assess};

/// How often Mutagen looks for changes, seconds, where no link tells it of them: measured, 2 s cost 17 to 20 ms of
/// CPU a second for 10,000 files, 1 s twice that.
const POLLING_SECONDS: u32 = 2;

/// The project's own files: `.sinc.toml`, `.sincignore`, and `.gitignore` where that counts.
#[derive(Clone, Debug)]
pub struct ProjectFiles {
    /// What they say, trusted or not.
    pub proposed: Proposed,
    /// What of it counts now, and what waits for `sinc trust`.
    pub assessment: Assessment,
    /// The part of what counts that stands for `.sinc.toml`.
    pub trusted: ProjectFile,
}

impl ProjectFiles {
    /// Reads the files in the project's root and decides what of them counts. `own` is the configuration without
    /// them.
    ///
    /// # Errors
    /// A file cannot be read, or says something that it may not.
    pub fn read(root: &Path, own: &Config, accepted: Option<&Accepted>) -> Result<Self, ConfigError> {
        let file = ProjectFile::read(root)?;
        let agents: Vec<&str> = own.agents.keys().map(String::as_str).collect();
        let own = Own { gitignore: own.sync.gitignore.value, agents: &agents };
        let proposed = Proposed::read(root, &file, own)?;
        let assessment = assess(accepted, own, &proposed);
        let trusted = assessment.effective.project_file(root, &file);
        Ok(Self { proposed, assessment, trusted })
    }

    /// What the session's sync is to be made with. `config` has what is trusted of the project's file laid over it.
    #[must_use]
    pub fn sync_settings(&self, config: &Config) -> SyncSettings {
        let effective = &self.assessment.effective;
        let gitignore = if config.sync.gitignore.value { effective.git_lines.as_deref() } else { None };
        SyncSettings {
            mode: match config.sync.mode.value {
                Mode::TwoWaySafe => SyncMode::TwoWaySafe,
                Mode::TwoWayResolved => SyncMode::TwoWayResolved,
                Mode::OneWaySafe => SyncMode::OneWaySafe,
                Mode::OneWayReplica => SyncMode::OneWayReplica,
                Mode::OneWaySafeFromHost => SyncMode::OneWaySafeFromHost,
                Mode::OneWayReplicaFromHost => SyncMode::OneWayReplicaFromHost,
                Mode::None => SyncMode::None,
            },
            ignores: ignore::list(gitignore.unwrap_or_default(), &config.own_ignores(), &effective.ignores),
            file_mode: octal(config.sync.file_mode.value.as_str()),
            directory_mode: octal(config.sync.directory_mode.value.as_str()),
            watch: if config.sync.link.value { Watch::Asked } else { Watch::Polling(POLLING_SECONDS) },
        }
    }
}

/// The bits of a mode that the configuration has checked.
fn octal(text: &str) -> u32 {
    u32::from_str_radix(text, 8).unwrap_or(0)
}
