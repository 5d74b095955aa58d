//! The settings that a session is made with, as the file that `mutagen sync create -c` reads.
//!
//! A file, because `--ignore` on the command line takes a list with commas: a pattern with a comma in it would
//! become two. Mutagen fixes the settings when a session is made, so a session carries their digest as a label,
//! and another digest means that it has to be made again.

use std::fmt;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ignore::is_valid_ignore;
use super::status::Side;

/// How the two sides are brought together. Mutagen's own modes (`pkg/synchronization/core/mode.go`) go from alpha to beta:
/// alpha is the side that files come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Both ways; what excludes each other is left alone and reported.
    #[default]
    TwoWaySafe,
    /// Both ways; sinc settles what excludes each other: this side wins, and what loses is kept.
    TwoWayResolved,
    /// To the host; what only it has or changed is left alone.
    OneWaySafe,
    /// To the host, which becomes a copy.
    OneWayReplica,
    /// As [`SyncMode::OneWaySafe`], from the host to here.
    OneWaySafeFromHost,
    /// As [`SyncMode::OneWayReplica`], from the host to here.
    OneWayReplicaFromHost,
    /// There is no sync.
    None,
}

impl SyncMode {
    /// All modes.
    pub const ALL: [Self; 7] = [
        Self::TwoWaySafe,
        Self::TwoWayResolved,
        Self::OneWaySafe,
        Self::OneWayReplica,
        Self::OneWaySafeFromHost,
        Self::OneWayReplicaFromHost,
        Self::None,
    ];

    /// The word for it in the configuration, and what it is called everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TwoWaySafe => "two-way-safe",
            Self::TwoWayResolved => "two-way-resolved",
            Self::OneWaySafe => "one-way-safe",
            Self::OneWayReplica => "one-way-replica",
            Self::OneWaySafeFromHost => "one-way-safe-from-host",
            Self::OneWayReplicaFromHost => "one-way-replica-from-host",
            Self::None => "none",
        }
    }

    /// Mutagen's word for it.
    #[must_use]
    pub fn mutagen_word(self) -> &'static str {
        match self {
            // Mutagen's own overwrites the host's version and keeps it nowhere.
            Self::TwoWayResolved => Self::TwoWaySafe.word(),
            Self::OneWaySafeFromHost => Self::OneWaySafe.word(),
            Self::OneWayReplicaFromHost => Self::OneWayReplica.word(),
            mode => mode.word(),
        }
    }

    /// The side that everything comes from, where it goes one way only.
    #[must_use]
    pub fn source(self) -> Option<Side> {
        match self {
            Self::OneWaySafe | Self::OneWayReplica => Some(Side::Local),
            Self::OneWaySafeFromHost | Self::OneWayReplicaFromHost => Some(Side::Remote),
            Self::TwoWaySafe | Self::TwoWayResolved | Self::None => None,
        }
    }

    /// Does it make one side a copy of the other, whatever that side has?
    #[must_use]
    pub fn is_replica(self) -> bool {
        matches!(self, Self::OneWayReplica | Self::OneWayReplicaFromHost)
    }

    /// The mode of a session that has Mutagen's word for it, and this side as alpha.
    pub(super) fn of_session(word: &str, alpha: Side) -> Option<Self> {
        // Mutagen leaves its default out.
        let word = if word.is_empty() { Self::default().word() } else { word };
        // An older sinc used Mutagen's own `two-way-resolved`.
        let is_word = |mode: &Self| [mode.mutagen_word(), mode.word()].contains(&word);
        let fits = |mode: &Self| is_word(mode) && mode.source().unwrap_or(alpha) == alpha;
        Self::ALL.into_iter().find(fits)
    }
}

/// What a session is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    /// How the sides are brought together.
    pub mode: SyncMode,
    /// What is not synced, in Mutagen's own syntax; a later pattern wins.
    pub ignores: Vec<String>,
    /// The mode of new files. Without executable bits: Mutagen sets those itself and refuses them here
    /// ([`FILE_MODE_BITS`]).
    pub file_mode: u32,
    /// The mode of new directories.
    pub directory_mode: u32,
    /// How Mutagen learns of changes.
    pub watch: Watch,
}

/// How Mutagen learns of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Not at all: a cycle runs when it is asked for, and never otherwise, not even when the session is resumed or
    /// connects again (`skipPolling` in `pkg/synchronization/controller.go`).
    Asked,
    /// It looks this often, seconds, where the system does not tell it; 0 for Mutagen's 10.
    Polling(u32),
}

/// The bits that [`SyncSettings::file_mode`] may have (`EnsureDefaultFileModeValid` in `core/permissions.go`).
pub const FILE_MODE_BITS: u32 = 0o666;

/// The bits that [`SyncSettings::directory_mode`] may have.
pub const DIRECTORY_MODE_BITS: u32 = 0o777;

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// A mode for new files that is 0 or has bits outside of [`FILE_MODE_BITS`].
    FileMode(u32),
    /// A mode for new directories that is 0 or has bits outside of [`DIRECTORY_MODE_BITS`].
    DirectoryMode(u32),
    /// A pattern that Mutagen refuses ([`is_valid_ignore`]).
    Ignore(String),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileMode(mode) => {
                write!(f, "file mode {mode:04o}: only read and write bits, and not none of them")
            }
            Self::DirectoryMode(mode) => {
                write!(f, "directory mode {mode:04o}: only permission bits, and not none of them")
            }
            Self::Ignore(pattern) => write!(f, "`{pattern}` is not an ignore pattern"),
        }
    }
}

impl std::error::Error for SettingsError {}

impl SyncSettings {
    /// Would Mutagen take them? It checks the same, but only once a session is being made.
    ///
    /// # Errors
    /// A mode or a pattern that it refuses.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.file_mode == 0 || self.file_mode & !FILE_MODE_BITS != 0 {
            return Err(SettingsError::FileMode(self.file_mode));
        }
        if self.directory_mode == 0 || self.directory_mode & !DIRECTORY_MODE_BITS != 0 {
            return Err(SettingsError::DirectoryMode(self.directory_mode));
        }
        let refused = self.ignores.iter().find(|pattern| !is_valid_ignore(pattern));
        refused.map_or(Ok(()), |pattern| Err(SettingsError::Ignore(pattern.clone())))
    }

    /// The file for `mutagen sync create -c`.
    ///
    /// - `ignore.vcs` stays off: it would ignore directories of that name only, and a `.git` that is a file or
    ///   a link would be synced. The patterns that come with [`SyncSettings::ignores`] say it better.
    /// - `symlink: portable`, Mutagen's default: relative links that stay inside are synced as links, any other
    ///   is left alone and reported as a problem. `posix-raw` would carry every link over as it is: it is
    ///   useless where it leads to a path that only one computer has, and it would let the host plant
    ///   `notes -> ../../.bashrc` here, which an editor then follows. `ignore` would drop the links inside a
    ///   project, which builds need. So `portable` loses nothing, says what it leaves out, and plants nothing
    ///   that leads out of the directory.
    /// - `watch`: `no-watch` where somebody else asks for the cycles; `portable` is the system's own watching where
    ///   it is recursive (macOS), polling elsewhere.
    /// - `permissions: portable`: of the modes only "executable" is carried over; owner and group are each
    ///   side's own.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut ignores = String::new();
        for pattern in &self.ignores {
            let _ = write!(ignores, "\n        - {}", quoted(pattern));
        }
        if ignores.is_empty() {
            ignores.push_str(" []");
        }
        let watch = match self.watch {
            Watch::Asked => "no-watch".to_owned(),
            Watch::Polling(seconds) => format!("portable\n      pollingInterval: {seconds}"),
        };
        // The order of the two ends is no setting of Mutagen's, but one of ours: another order is another digest.
        let order = if self.mode.source() == Some(Side::Remote) { "# Alpha is the host.\n" } else { "" };
        format!(
            "# Written by sinc for Mutagen; changing it changes nothing.\n{order}\
             sync:\n\
             \x20 defaults:\n\
             \x20   mode: {mode}\n\
             \x20   ignore:\n\
             \x20     syntax: mutagen\n\
             \x20     vcs: false\n\
             \x20     paths:{ignores}\n\
             \x20   symlink:\n\
             \x20     mode: portable\n\
             \x20   watch:\n\
             \x20     mode: {watch}\n\
             \x20   permissions:\n\
             \x20     mode: portable\n\
             \x20     defaultFileMode: \"{file:04o}\"\n\
             \x20     defaultDirectoryMode: \"{directory:04o}\"\n",
            mode = self.mode.mutagen_word(),
            file = self.file_mode,
            directory = self.directory_mode,
        )
    }

    /// Where [`SyncSettings::write`] puts the file.
    #[must_use]
    pub fn path_in(&self, dir: &Path) -> PathBuf {
        dir.join(format!("settings-{}.yml", self.digest()))
    }

    /// Writes the file into `dir`, which is made if it is missing, and gives its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, dir: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(dir)?;
        let path = self.path_in(dir);
        // Two runs at once write the same bytes, each to a name of its own.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&new, self.yaml())?;
        std::fs::rename(&new, &path)?;
        Ok(path)
    }

    /// A digest of [`SyncSettings::yaml`] for the label `sinc-settings`: the first 16 hexadecimal digits of
    /// its SHA-256 (a label's value has at most 63 letters, digits, `-`, `_` and `.`).
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(&Sha256::digest(self.yaml())[..8])
    }
}

/// A YAML double-quoted scalar. The escapes of JSON would not do: YAML 1.1, which Mutagen's reader speaks, takes
/// U+0085, U+2028 and U+2029 for line ends, refuses DEL and the other control characters, and has no pairs of
/// surrogates.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            ' '..='~'
            | '\u{a1}'..='\u{2027}'
            | '\u{202f}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}'
            | '\u{10000}'..='\u{1ffff}' => quoted.push(character),
            _ => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ignores: &[&str]) -> SyncSettings {
        SyncSettings {
            mode: SyncMode::TwoWaySafe,
            ignores: ignores.iter().map(|&pattern| pattern.to_owned()).collect(),
            file_mode: 0o644,
            directory_mode: 0o755,
            watch: Watch::Polling(2),
        }
    }

    #[test]
    fn the_whole_file() {
        let yaml = settings(&[
            ".[gG][iI][tT]",
            "a,b",
            r#"q"u\o"#,
            "#h",
            "- x",
            "日本 é",
            "\u{2028}\u{7f}\t😀\u{1ffff}",
        ])
        .yaml();
        assert_eq!(
            yaml,
            r##"# Written by sinc for Mutagen; changing it changes nothing.
sync:
  defaults:
    mode: two-way-safe
    ignore:
      syntax: mutagen
      vcs: false
      paths:
        - ".[gG][iI][tT]"
        - "a,b"
        - "q\"u\\o"
        - "#h"
        - "- x"
        - "日本 é"
        - "\U00002028\U0000007F\U00000009😀🿿"
    symlink:
      mode: portable
    watch:
      mode: portable
      pollingInterval: 2
    permissions:
      mode: portable
      defaultFileMode: "0644"
      defaultDirectoryMode: "0755"
"##
        );
        assert!(settings(&[]).yaml().contains("paths: []\n"));
    }

    #[test]
    fn without_watching() {
        let asked = SyncSettings { watch: Watch::Asked, ..settings(&[]) };
        assert!(
            asked.yaml().contains("    watch:\n      mode: no-watch\n    permissions:\n"),
            "{}",
            asked.yaml()
        );
        assert_ne!(asked.digest(), settings(&[]).digest(), "a sync of the other kind is made again");
    }

    #[test]
    fn mutagens_own_two_way_resolved_is_never_asked_for() {
        let resolved = SyncSettings { mode: SyncMode::TwoWayResolved, ..settings(&[]) };
        assert_eq!(
            resolved.yaml(),
            settings(&[]).yaml(),
            "one is turned into the other without another sync"
        );
    }

    #[test]
    fn the_digest_fits_a_label_and_never_changes_between_versions() {
        assert_eq!(settings(&[]).digest(), settings(&[]).digest());
        assert_eq!(settings(&["a"]).digest().len(), 16);
        assert_ne!(settings(&["a", "b"]).digest(), settings(&["b", "a"]).digest(), "a later pattern wins");
        assert_eq!(settings(&["dist", "target"]).digest(), "edd804edddd2c4a0");
    }

    #[test]
    fn what_mutagen_would_refuse() {
        assert_eq!(settings(&["a"]).check(), Ok(()));
        let executable = SyncSettings { file_mode: 0o755, ..settings(&[]) };
        assert_eq!(executable.check(), Err(SettingsError::FileMode(0o755)));
        let none = SyncSettings { directory_mode: 0, ..settings(&[]) };
        assert_eq!(none.check(), Err(SettingsError::DirectoryMode(0)));
        for pattern in ["", "/", "!", "!/"] {
            assert_eq!(settings(&["a", pattern]).check(), Err(SettingsError::Ignore(pattern.to_owned())));
        }
    }

    #[test]
    fn a_session_tells_its_mode_by_its_word_and_its_order() {
        // sinc's own `two-way-resolved` is Mutagen's `two-way-safe`.
        let own = |mode: &SyncMode| !matches!(mode, SyncMode::None | SyncMode::TwoWayResolved);
        for mode in SyncMode::ALL.into_iter().filter(own) {
            let alpha = mode.source().unwrap_or(Side::Local);
            assert_eq!(SyncMode::of_session(mode.mutagen_word(), alpha), Some(mode));
        }
        assert_eq!(SyncMode::of_session("", Side::Local), Some(SyncMode::TwoWaySafe));
        assert_eq!(SyncMode::of_session("two-way-safe", Side::Remote), Some(SyncMode::TwoWaySafe));
        let older = SyncMode::of_session("two-way-resolved", Side::Local);
        assert_eq!(older, Some(SyncMode::TwoWayResolved), "an older sinc's");
        assert_eq!(SyncMode::of_session("something-new", Side::Local), None);
    }

    #[test]
    fn another_direction_is_another_digest() {
        let digests: std::collections::BTreeSet<String> =
            SyncMode::ALL.into_iter().map(|mode| SyncSettings { mode, ..settings(&[]) }.digest()).collect();
        // `two-way-resolved` is the same for Mutagen as `two-way-safe`.
        assert_eq!(digests.len(), SyncMode::ALL.len() - 1);
    }
}
