//! A lock that git on a side holds, or that one that was killed has left: what it is about waits, and holds nobody else up.

use std::collections::BTreeMap;

use super::{STASH, Waits, Work};
use crate::git::state::{Name, Oid, State, Which};
use crate::process::quote;

/// Why nobody else can move this name on this side, or delete it; nothing where that can be done.
#[must_use]
pub fn why(state: &State, side: Which, full: &str, gone: bool) -> Option<String> {
    // A stash is dropped in the log of its name.
    let names = [(full, true), ("packed-refs", gone), ("logs/refs/stash", full == STASH)];
    let (name, _) = names.into_iter().find(|(name, counts)| *counts && state.locked.contains(*name))?;
    let lock = quote::posix(&format!(".git/{name}.lock"));
    let at = if side == Which::Here { "here" } else { "on the host" };
    Some(format!("git {at} works on it, or was killed when it did: if none does any more, `rm {lock}` {at}"))
}

impl Work<'_> {
    /// Has this name to wait for a lock? Then it is said.
    pub(super) fn waits_for_lock(&mut self, side: Which, full: &str, gone: bool) -> bool {
        let Some(why) = why(self.side(side), side, full, gone) else { return false };
        self.waits.push(Waits { name: full.to_owned(), side, why });
        self.locked = true;
        true
    }
}

/// What waits stays noted as both had it.
pub(super) fn as_before(noted: &mut BTreeMap<Name, Oid>, name: &Name, before: Option<&Oid>) {
    match before {
        Some(oid) => drop(noted.insert(name.clone(), oid.clone())),
        None => drop(noted.remove(name)),
    }
}
