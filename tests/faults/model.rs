//! Every version that was ever written, by whom, and which of them nobody needs any more: whoever takes a version out
//! of its place had it before their eyes. All others must be found at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Remote,
}

impl Side {
    /// The other one.
    pub(crate) fn other(self) -> Self {
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

/// What is known of all versions.
#[derive(Debug, Default)]
pub(crate) struct Model {
    last: u64,
    written: BTreeMap<u64, String>,
    superseded: BTreeSet<u64>,
}

impl Model {
    /// A number for a version to be written.
    pub(crate) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The last number that was given.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// It is in its place.
    pub(crate) fn wrote(&mut self, number: u64, side: Side, path: &str) {
        self.written.insert(number, format!("v{number}, written {side} as {path:?}"));
    }

    /// Somebody who had these before their eyes took them out of their place.
    pub(crate) fn superseded(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.superseded.extend(numbers);
    }

    /// The versions that must be somewhere, with what is known of each.
    pub(crate) fn needed(&self) -> impl Iterator<Item = (u64, &str)> {
        let needed = self.written.iter().filter(|(number, _)| !self.superseded.contains(number));
        needed.map(|(number, text)| (*number, text.as_str()))
    }
}
