//! What `apply.sh` is told to do, in words.

use std::collections::BTreeSet;

use super::decide::{Moves, RefMove};
use super::state::{Head, Oid, State};
use crate::process::quote::universal;

/// The most that one call carries, bytes: one word of a command may have 128 KiB on Linux, and on the way there all are one.
const MOST: usize = 48 * 1024;

/// The calls that bring a side there, each as its words: all that expect it to be as it was. More than one only where very much
/// moves; then what HEAD and the index depend on is in the last.
#[must_use]
pub fn calls(state: &State, moves: &Moves, index: Option<&Oid>) -> Vec<Vec<String>> {
    let expected = [format!("head {}", state.head.text()), format!("index {}", state.index.word())];
    let mut last: Vec<String> = expected.to_vec();
    let mut before: Vec<Vec<String>> = Vec::new();
    let stands = |one: &RefMove| {
        [Some(&state.head), moves.head.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(Head::branch)
            .any(|name| one.name == format!("refs/heads/{name}"))
    };
    let keeps = moves.keep.iter().map(|(oid, whose)| (false, format!("keep {oid} {whose}")));
    let refs = moves.refs.iter().map(|one| (stands(one), line(one, moves.head.is_some() && stands(one))));
    let mut all: Vec<(bool, String)> = keeps.chain(refs).collect();
    // What has to go first is in no later call than what comes in its place.
    all.sort_by_key(|(_, word)| (!word.starts_with("keep "), !word.starts_with("early ")));
    // As it is quoted on the way.
    let long = |word: &String| universal(word).len() + 1;
    let much = all.iter().map(|(_, word)| long(word)).sum::<usize>() > MOST;
    for (stays, word) in all {
        if !much || stays {
            last.push(word);
            continue;
        }
        let full = |call: &Vec<String>| call.iter().map(long).sum::<usize>() + long(&word) > MOST;
        if before.last().is_none_or(full) {
            before.push(expected.to_vec());
        }
        if let Some(call) = before.last_mut() {
            call.push(word);
        }
    }
    // Old values first: nothing moves before they are kept.
    last[2..].sort_by_key(|word| !word.starts_with("keep "));
    if let Some(head) = &moves.head {
        last.push(match head {
            Head::Branch(name) => format!("tohead refs/heads/{name}"),
            Head::Commit(oid) => format!("tohead {oid}"),
        });
        // As git says it: `git checkout -` reads that.
        let word = |head: &Head| match head {
            Head::Branch(name) => name.to_string(),
            Head::Commit(oid) => oid.to_string(),
        };
        last.push(format!("said checkout: moving from {} to {}", word(&state.head), word(head)));
    }
    last.extend(index.map(|tree| format!("toindex {tree}")));
    last.extend(moves.stash.iter().map(|oid| format!("stash {oid}")));
    last.extend(moves.unstash.iter().map(|oid| format!("unstash {oid}")));
    before.push(last);
    before
}

/// The word that gives a side what these lead to.
#[must_use]
pub fn pack(tips: &BTreeSet<Oid>, pack: &str) -> String {
    let tips = tips.iter().map(Oid::as_str).collect::<Vec<_>>().join(" ");
    format!("pack {tips} {pack}")
}

/// The word that has it look whether the files are there.
pub const VERIFY: &str = "verify";

/// A line for `git update-ref --stdin`. A branch that HEAD leaves is deleted after it has left.
fn line(one: &RefMove, late: bool) -> String {
    let name = &one.name;
    let (kind, text) = match (&one.old, &one.new) {
        (None, Some(new)) => ("ref", format!("create {name} {new}")),
        (Some(old), Some(new)) => ("ref", format!("update {name} {new} {old}")),
        (Some(old), None) => {
            let kind = if one.early {
                "early"
            } else if late {
                "late"
            } else {
                "ref"
            };
            (kind, format!("delete {name} {old}"))
        }
        (None, None) => ("ref", format!("verify {name} {}", "0".repeat(40))),
    };
    format!("{kind} {text}")
}
