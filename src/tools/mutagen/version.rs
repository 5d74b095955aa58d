//! Versions of Mutagen, and the memory of which program has which.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The oldest Mutagen that will do: its `-template` output and its ignore syntax are those that were tried.
pub const LEAST_VERSION: Version = Version { major: 0, minor: 18, patch: 0, tag: String::new() };

/// What `mutagen version` says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    tag: String,
}

impl Version {
    /// Reads `0.18.1` or `0.19.0-dev`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, tag) = text.split_once('-').unwrap_or((text, ""));
        if tag.contains(char::is_whitespace) || text.ends_with('-') {
            return None;
        }
        let digits =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
        let mut parts = numbers.split('.').map(digits);
        let version =
            Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()??, tag: tag.to_owned() };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if self.tag.is_empty() { Ok(()) } else { write!(f, "-{}", self.tag) }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    modified_ns: i128,
    size: u64,
    version: String,
}

/// Which program has which version, kept in a file. Losing it costs one start of a program, so every error
/// means "not known".
#[derive(Debug)]
pub(super) struct Cache {
    file: PathBuf,
    known: BTreeMap<String, Known>,
    changed: bool,
}

impl Cache {
    pub(super) fn load(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self { file: file.to_owned(), known: serde_json::from_str(&text).unwrap_or_default(), changed: false }
    }

    pub(super) fn version_of(&self, program: &Path) -> Option<Version> {
        let (modified_ns, size) = stamp(program)?;
        let known = self.known.get(program.to_str()?)?;
        (known.modified_ns == modified_ns && known.size == size).then(|| Version::parse(&known.version))?
    }

    pub(super) fn remember(&mut self, program: &Path, version: &Version) {
        if let (Some((modified_ns, size)), Some(name)) = (stamp(program), program.to_str()) {
            let known = Known { modified_ns, size, version: version.to_string() };
            self.known.insert(name.to_owned(), known);
            self.changed = true;
        }
    }

    pub(super) fn save(&self) {
        if self.changed {
            let _ = self.try_save();
        }
    }

    fn try_save(&self) -> std::io::Result<()> {
        if let Some(dir) = self.file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let new = self.file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&new, serde_json::to_vec(&self.known)?)?;
        std::fs::rename(&new, &self.file)
    }
}

fn stamp(program: &Path) -> Option<(i128, u64)> {
    let meta = std::fs::metadata(program).ok()?;
    Some((i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()), meta.size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let parse = |text| Version::parse(text).unwrap();
        assert_eq!(parse("0.18.1").to_string(), "0.18.1");
        assert_eq!(parse("0.19.0-dev").to_string(), "0.19.0-dev");
        assert!(parse("0.17.10") < LEAST_VERSION && parse("0.18.0-rc1") >= LEAST_VERSION);
        assert!(parse("0.18.10") > parse("0.18.9") && parse("1.0.0") > LEAST_VERSION);
        for other in ["", "mutagen 1.47", "1.47", "1.2.3.4", "1.2.x", "+1.2.3", "1.2.3-", "1.2.3-a b", "1..2"]
        {
            assert_eq!(Version::parse(other), None, "{other}");
        }
    }
}
