//! Both sides of a project, listed at the same time and within a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::{Listing, local, remote};
use crate::ignore::Matcher;
use crate::remote::Remote;

/// A directory here and one on the host. Where no time is said, reading takes as long as it takes.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The one here.
    pub local: &'a Path,
    /// The host.
    pub host: &'a Remote,
    /// The one there.
    pub remote: &'a str,
}

/// What may not be read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Files and directories that may not be read.
    pub unreadable: BTreeSet<PathBuf>,
    /// Directories in which nothing may be made.
    pub unwritable: BTreeSet<PathBuf>,
}

impl Pair<'_> {
    /// Lists both sides.
    ///
    /// # Errors
    /// A side cannot be read, or the time is up.
    pub fn list(&self, ignored: &Matcher, within: Option<Duration>) -> Result<(Listing, Listing)> {
        let until = within.map(|within| Instant::now() + within);
        both(
            || local::list_until(self.local, ignored, until),
            || remote::list_within(self.host, self.remote, ignored, within),
        )
    }

    /// Adds the digests of these files to both listings.
    ///
    /// # Errors
    /// A side cannot be read, or the time is up.
    pub fn add_digests(
        &self,
        paths: &[PathBuf],
        (here, there): (&mut Listing, &mut Listing),
        within: Option<Duration>,
    ) -> Result<()> {
        let until = within.map(|within| Instant::now() + within);
        let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) = both(
            || local::digests_until(self.local, paths, until),
            || remote::digests_within(self.host, self.remote, paths, within),
        )?;
        here.add_digests(a);
        there.add_digests(b);
        Ok(())
    }

    /// What may not be read or written on either side, of what is not certainly ignored.
    ///
    /// # Errors
    /// A side cannot be read, or the time is up.
    pub fn rights(
        &self,
        here: &Listing,
        ignored: &Matcher,
        within: Option<Duration>,
    ) -> Result<(Rights, Rights)> {
        both(
            || Ok(local::rights(self.local, here)),
            || remote::rights(self.host, self.remote, ignored, within),
        )
    }
}

/// Both at the same time.
fn both<T: Send>(
    here: impl FnOnce() -> Result<T> + Send,
    there: impl FnOnce() -> Result<T>,
) -> Result<(T, T)> {
    std::thread::scope(|scope| {
        let here = scope.spawn(here);
        let there = there();
        let here = here.join().unwrap_or_else(|_| Err(anyhow!("reading broke off")));
        Ok((here?, there?))
    })
}

/// Those of these files, which both sides have, that can be read without taking long: the ones changed last, of at most `most`
/// bytes together.
#[must_use]
pub fn affordable(mut paths: Vec<PathBuf>, here: &Listing, there: &Listing, most: u64) -> Vec<PathBuf> {
    let changed = |path: &PathBuf| {
        [here, there].into_iter().filter_map(|side| Some(side.entries.get(path)?.mtime)).max()
    };
    paths.sort_by_cached_key(|path| std::cmp::Reverse(changed(path)));
    let mut left = most;
    paths.retain(|path| {
        let size = here.entries.get(path).map_or(0, |entry| entry.size);
        let fits = size <= left;
        left -= if fits { size } else { 0 };
        fits
    });
    paths
}
