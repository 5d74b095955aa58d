//! What git is not shared for, or only in part: one sentence each, with the way out.

use std::path::Path;

use super::state::{Snapshot, State};

/// The oldest git that was tried with what is asked of it here.
pub const LEAST: (u32, u32) = (2, 34);

/// Why git is not shared; nothing where it is.
#[must_use]
pub fn refused(here: &State, there: &State) -> Option<String> {
    for (state, side) in [(here, "here"), (there, "on the host")] {
        if state.version < LEAST {
            let (major, minor) = state.version;
            return Some(format!(
                "git {side} is {major}.{minor}, and {}.{} is needed: update it",
                LEAST.0, LEAST.1
            ));
        }
        for (limit, what) in [("sha256", "ids of 256 bits"), ("reftable", "its names in a reftable")] {
            if state.limits.contains(limit) {
                return Some(format!("the repository {side} has {what}, which sinc cannot carry"));
            }
        }
    }
    if here.limits.contains("partial") {
        // To download what it lacks would be to run what the project's settings say.
        return Some(
            "the repository here is a partial clone, and what it lacks cannot be sent: get all of it \
             (`git fetch --refetch --no-filter`), then say that it is none any more (`git config --unset \
             remote.origin.promisor; git config --unset remote.origin.partialclonefilter`)"
                .to_owned(),
        );
    }
    let (set_here, used) = &here.filters;
    let lacks = used.iter().find(|filter| set_here.contains(*filter) && !there.filters.0.contains(*filter));
    lacks.map(|filter| {
        let how = if filter == "lfs" {
            ": install git-lfs there and run `git lfs install`"
        } else {
            ": set it up there (`git config --global filter.…`)"
        };
        format!("the project's files go through the filter `{filter}`, which the host lacks{how}")
    })
}

/// Why there is no repository to share here; nothing where that needs no word.
#[must_use]
pub fn not_here(snapshot: &Snapshot, project: &Path) -> Option<String> {
    match snapshot {
        Snapshot::Elsewhere => Some(
            "this directory is a linked worktree or a submodule: git is shared only where `.git` is a directory"
                .to_owned(),
        ),
        Snapshot::NoGit => Some("git is not installed here".to_owned()),
        Snapshot::None => {
            let above = project.ancestors().skip(1).find(|dir| dir.join(".git").exists())?;
            Some(format!(
                "this directory is a part of the repository in {}: run `sinc` there to share it",
                above.display()
            ))
        }
        _ => None,
    }
}

/// Why the host can have no repository.
#[must_use]
pub fn not_there(snapshot: &Snapshot) -> Option<String> {
    match snapshot {
        Snapshot::NoGit => Some(
            "git is not installed on the host: run `sinc install`, or install its package `git`".to_owned(),
        ),
        Snapshot::Elsewhere => Some("`.git` on the host is not a directory: move it away".to_owned()),
        Snapshot::Nowhere => Some("the directory on the host is not there".to_owned()),
        _ => None,
    }
}

/// What a person should know though it works.
#[must_use]
pub fn notes(here: &State, there: &State) -> Vec<String> {
    let mut notes = Vec::new();
    let mut add = |limit: &str, text: &str| {
        if here.limits.contains(limit) {
            notes.push(text.to_owned());
        }
    };
    add("submodules", "submodules: their files are synced, their own git is not there on the host");
    add("shallow", "this repository is shallow: branches older than it reaches cannot be sent");
    for (state, side) in [(here, "here"), (there, "on the host")] {
        for name in state.odd.iter().take(5) {
            notes.push(format!("`{name}` {side} has a name that cannot be carried"));
        }
    }
    notes
}
