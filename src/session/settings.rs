//! What a session's sync is to be made with: the configuration, and the project's own files as far as they are
//! trusted.

use std::path::Path;

use anyhow::Result;

use crate::config::{Config, Mode, Origin, ProjectFile, Value, read_synced, read_synced_lossy};
use crate::ignore::{self, Pattern, Source};
use crate::tools::mutagen::{SyncMode, SyncSettings};
use crate::trust::{self, Accepted, Change, Proposed};

/// How often Mutagen looks for changes, seconds, until a link tells it of them: measured, 2 s cost 17 to 20 ms of
/// CPU a second for 10,000 files, 1 s twice that.
const POLLING_SECONDS: u32 = 2;

/// The project's own files: `.sinc.toml`, `.sincignore`, and `.gitignore` where that counts.
#[derive(Clone, Debug)]
pub struct ProjectFiles {
    /// What of `.sinc.toml` counts now.
    pub trusted: ProjectFile,
    /// What of `.sinc.toml` is to be shown as effective: with its ignores, as far as they count.
    pub shown: ProjectFile,
    /// The ignores of all of them that count now.
    ignores: Vec<Pattern>,
    /// What they say, trusted or not.
    pub proposed: Proposed,
    /// What of it waits for `sinc trust`.
    pub waiting: Vec<Change>,
}

impl ProjectFiles {
    /// Reads the files in the project's root and decides what of them counts. `own` is the configuration without
    /// them.
    ///
    /// # Errors
    /// A file cannot be read, or says something that it may not.
    pub fn read(root: &Path, own: &Config, accepted: Option<&Accepted>) -> Result<Self> {
        let file = ProjectFile::read(root)?;
        let gitignore = file.gitignore.as_ref().map_or(own.sync.gitignore.value, |on| on.value);
        let mut ignores = Vec::new();
        if gitignore && let Some(text) = read_synced_lossy(&root.join(".gitignore"))? {
            ignores.extend(in_file(".gitignore", ignore::from_gitignore(&text))?);
        }
        ignores.extend(file.patterns());
        if let Some(text) = read_synced(&root.join(".sincignore"))? {
            ignores.extend(in_file(".sincignore", ignore::from_sincignore(&text))?);
        }
        let agent = file.default_agent.as_ref().map(|agent| agent.value.to_string());
        let proposed = Proposed { ignores, gitignore, agent };
        let assessment = trust::assess(accepted, &proposed);
        let effective = assessment.effective;
        let gitignore = match file.gitignore {
            Some(said) if said.value == effective.gitignore => Some(said),
            _ if effective.gitignore == own.sync.gitignore.value => None,
            _ => Some(Value { value: effective.gitignore, origin: Origin::Default }),
        };
        let trusted = ProjectFile {
            default_agent: file.default_agent.filter(|_| effective.agent == proposed.agent),
            ignore: Vec::new(),
            gitignore,
        };
        let counts = |said: &Value<ignore::IgnorePattern>| effective.ignores.iter().any(|p| p.pattern == said.value);
        let shown = ProjectFile { ignore: file.ignore.into_iter().filter(counts).collect(), ..trusted.clone() };
        Ok(Self { trusted, shown, ignores: effective.ignores, proposed, waiting: assessment.waiting })
    }

    /// What the session's sync is to be made with.
    #[must_use]
    pub fn sync_settings(&self, config: &Config) -> SyncSettings {
        let from_git = |pattern: &Pattern| matches!(pattern.source, Source::GitIgnore { .. });
        let (gitignore, project): (Vec<_>, Vec<_>) = self.ignores.iter().cloned().partition(from_git);
        SyncSettings {
            mode: match config.sync.mode.value {
                Mode::TwoWaySafe => SyncMode::TwoWaySafe,
                Mode::TwoWayResolved => SyncMode::TwoWayResolved,
                Mode::OneWaySafe => SyncMode::OneWaySafe,
                Mode::OneWayReplica => SyncMode::OneWayReplica,
            },
            ignores: ignore::list(&gitignore, &config.own_ignores(), &project),
            file_mode: octal(config.sync.file_mode.value.as_str()),
            directory_mode: octal(config.sync.directory_mode.value.as_str()),
            polling_seconds: POLLING_SECONDS,
        }
    }
}

fn in_file(name: &str, patterns: Result<Vec<Pattern>, ignore::LineError>) -> Result<Vec<Pattern>> {
    patterns.map_err(|error| IgnoreFileError { file: name.to_owned(), error }.into())
}

/// A line of an ignore file that cannot be used.
#[derive(Debug)]
pub struct IgnoreFileError {
    file: String,
    error: ignore::LineError,
}

impl std::fmt::Display for IgnoreFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.error.line, self.error.message)
    }
}

impl std::error::Error for IgnoreFileError {}

/// The bits of a mode that the configuration has checked.
fn octal(text: &str) -> u32 {
    u32::from_str_radix(text, 8).unwrap_or(0)
}
