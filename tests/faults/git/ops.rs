//! What somebody does with git and files on one side. The seed chooses.

use fastrand::Rng;

use super::super::actor::Actor;
use super::super::model::Model;
use super::calm::NOTHING;
use super::repo::Repo;

/// The files: few, so that both sides often mean the same.
pub(crate) const FILES: [&str; 7] = ["a", "b", "dir/c", "dir/d", "dir/deep/e", "f f", "ü"];

/// Branches.
const BRANCHES: [&str; 5] = ["main", "work", "fix/one", "fix/two", "old"];

const TAGS: [&str; 2] = ["v1", "x/y"];

/// What was done.
pub(crate) struct Done {
    /// In words.
    pub(crate) told: String,
    /// It throws away what is in the files.
    pub(crate) discards: bool,
    /// It takes away a name, or what its reflog had.
    pub(crate) drops: bool,
}

/// An operation: its words, where `@` stands for a branch, `%` for a tag, `#` for a file.
struct Op(&'static [&'static str], Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keeps,
    /// Throws away what is in the files.
    Discards,
    /// Takes away a name.
    Drops,
}

use Kind::{Discards, Drops, Keeps};

const OPS: [Op; 48] = [
    Op(&["add", "-A"], Keeps),
    Op(&["add", "-A"], Keeps),
    Op(&["add", "--", "#"], Keeps),
    Op(&["add", "-u"], Keeps),
    Op(&["add", "-N", "."], Keeps),
    Op(&["commit", "-q", "-a", "-m", "all"], Keeps),
    Op(&["commit", "-q", "-a", "-m", "all again"], Keeps),
    Op(&["commit", "-q", "-m", "staged"], Keeps),
    Op(&["commit", "-q", "-m", "staged too"], Keeps),
    Op(&["commit", "-q", "--amend", "-a", "-m", "amended"], Keeps),
    Op(&["commit", "-q", "--amend", "--no-edit"], Keeps),
    Op(&["commit", "-q", "--allow-empty", "-m", "empty"], Keeps),
    Op(&["commit", "-q", "-m", "one file", "--", "#"], Keeps),
    Op(&["reset", "-q"], Keeps),
    Op(&["reset", "-q", "--soft", "HEAD~1"], Keeps),
    Op(&["reset", "-q", "HEAD~1"], Keeps),
    Op(&["reset", "-q", "--hard"], Discards),
    Op(&["reset", "-q", "--hard", "HEAD~1"], Discards),
    Op(&["reset", "-q", "--keep", "HEAD~1"], Keeps),
    Op(&["checkout", "-q", "@"], Keeps),
    Op(&["checkout", "-q", "@"], Keeps),
    Op(&["checkout", "-q", "-b", "@"], Keeps),
    Op(&["checkout", "-q", "-"], Keeps),
    Op(&["checkout", "-q", "--detach"], Keeps),
    Op(&["checkout", "-q", "--orphan", "@"], Keeps),
    Op(&["checkout", "-q", "--", "#"], Discards),
    Op(&["checkout", "-q", "-f", "@"], Discards),
    Op(&["restore", "--staged", "#"], Keeps),
    Op(&["clean", "-q", "-f", "-d"], Discards),
    Op(&["branch", "@"], Keeps),
    Op(&["branch", "-f", "@", "HEAD~1"], Drops),
    Op(&["branch", "-q", "-D", "@"], Drops),
    Op(&["branch", "-M", "@", "@"], Drops),
    Op(&["tag", "-f", "%"], Drops),
    Op(&["tag", "-f", "-a", "-m", "annotated", "%"], Drops),
    Op(&["tag", "-f", "-a", "-m", "annotated again", "%"], Drops),
    Op(&["tag", "-d", "%"], Drops),
    Op(&["stash", "push", "-q"], Keeps),
    Op(&["stash", "push", "-q", "-u", "-m", "with new ones"], Keeps),
    Op(&["stash", "pop", "-q", "--index"], Drops),
    Op(&["stash", "apply", "-q"], Keeps),
    Op(&["stash", "drop", "-q"], Drops),
    Op(&["merge", "-q", "--no-edit", "@"], Keeps),
    Op(&["merge", "-q", "--no-ff", "--no-edit", "@"], Keeps),
    Op(&["rebase", "-q", "@"], Keeps),
    Op(&["cherry-pick", "@"], Keeps),
    Op(&["revert", "--no-edit", "HEAD"], Keeps),
    Op(&["rm", "-q", "--", "#"], Keeps),
];

/// And those that need more than one call, or are for the store.
const OTHERS: [&[&[&str]]; 5] = [
    &[&["mv", "-k", "a", "b"]],
    &[&["pack-refs", "--all"]],
    &[&["gc", "-q"]],
    // An agent's loop.
    &[&["add", "-A"], &["commit", "-q", "-m", "step 1"], &["commit", "-q", "--allow-empty", "-m", "step 2"]],
    &[&["stash", "-q"], &["checkout", "-q", "-b", "fix/one"], &["stash", "pop", "-q"]],
];

fn one<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(..all.len())]
}

/// Does one thing with git.
pub(crate) fn git(repo: &Repo<'_>, rng: &mut Rng) -> Done {
    if rng.u8(..10) == 0 {
        let calls = OTHERS[rng.usize(..OTHERS.len())];
        let mut told = Vec::new();
        for words in calls {
            told.push(format!("{} ({})", words.join(" "), repo.git(words).code));
        }
        // `stash pop` takes its name away.
        return Done {
            told: format!("git {}", told.join(", git ")),
            discards: false,
            drops: calls.len() > 1,
        };
    }
    let Op(words, kind) = &OPS[rng.usize(..OPS.len())];
    let words: Vec<&str> = words
        .iter()
        .map(|word| match *word {
            "@" => one(rng, &BRANCHES),
            "%" => one(rng, &TAGS),
            "#" => one(rng, &FILES),
            other => other,
        })
        .collect();
    if let ["checkout", "-q", "--", file] = words[..]
        && repo.git(&["ls-files", "-s", "--", file]).stdout.contains(NOTHING)
    {
        // git (2.39) empties one that is only announced, and no version here is empty.
        let told = format!("does not take back {file:?}, which is only announced");
        return Done { told, discards: false, drops: false };
    }
    let run = repo.git(&words);
    Done {
        told: format!("git {} ({})", words.join(" "), run.code),
        discards: *kind == Discards,
        drops: *kind == Drops,
    }
}

/// Ends what is in progress: one way or the other, or `back`.
pub(crate) fn settle(repo: &Repo<'_>, what: &str, back: bool) -> Done {
    let calls: &[&[&str]] = match (what, back) {
        ("MERGE_HEAD", true) => &[&["merge", "--abort"]],
        ("rebase-merge" | "rebase-apply", true) => &[&["rebase", "--abort"]],
        ("rebase-merge" | "rebase-apply", false) => &[&["rebase", "--skip"]],
        ("CHERRY_PICK_HEAD", true) => &[&["cherry-pick", "--abort"]],
        ("REVERT_HEAD", true) => &[&["revert", "--abort"]],
        ("unmerged", true) => &[&["reset", "-q", "--hard"]],
        ("unmerged", false) => &[&["add", "-A"]],
        _ => &[&["add", "-A"], &["commit", "-q", "--allow-empty", "--no-edit"]],
    };
    let mut told = Vec::new();
    for words in calls {
        told.push(format!("{} ({})", words.join(" "), repo.git(words).code));
    }
    let discards = back || what.starts_with("rebase");
    Done { told: format!("git {}", told.join(", git ")), discards, drops: false }
}

/// Does one thing with a file.
pub(crate) fn file(actor: &Actor, rng: &mut Rng, model: &mut Model) -> String {
    let name = one(rng, &FILES);
    match rng.u8(..10) {
        0..7 => actor.write(name, if rng.u8(..8) == 0 { 60_000 } else { rng.usize(20..400) }, model),
        7 => actor.delete(name, model),
        8 => actor.rename(name, one(rng, &FILES)),
        _ => actor.toggle_executable(name),
    }
}
