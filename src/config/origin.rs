//! Where a value comes from.

use std::fmt;
use std::path::PathBuf;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is sinc's own.
    Default,
    /// In the user's configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// In the project's `.sinc.toml`.
    ProjectFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// In a `.sinc.toml` that was accepted earlier and has changed since.
    Accepted,
    /// In this environment variable.
    Env(&'static str),
    /// With this flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } | Origin::ProjectFile { path, line } => {
                write!(f, "{}, line {line}", path.display())
            }
            Origin::Accepted => f.write_str("an earlier .sinc.toml, until the change is trusted"),
            Origin::Env(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// `{"from": "file", "path": …, "line": …}`, `{"from": "variable", "name": …}` and so on.
impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let from = match self {
            Origin::Default => "default",
            Origin::File { .. } => "file",
            Origin::ProjectFile { .. } => "project-file",
            Origin::Accepted => "accepted",
            Origin::Env(_) => "variable",
            Origin::Flag(_) => "flag",
        };
        map.serialize_entry("from", from)?;
        match self {
            Origin::Default | Origin::Accepted => {}
            Origin::File { path, line } | Origin::ProjectFile { path, line } => {
                map.serialize_entry("path", &path.to_string_lossy())?;
                map.serialize_entry("line", line)?;
            }
            Origin::Env(name) | Origin::Flag(name) => map.serialize_entry("name", name)?,
        }
        map.end()
    }
}

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<T> {
    /// The value.
    pub value: T,
    /// Where it was said.
    pub origin: Origin,
}

impl<T> Value<T> {
    /// A value that nobody said.
    pub fn default_of(value: T) -> Value<T> {
        Value { value, origin: Origin::Default }
    }
}
