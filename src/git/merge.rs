//! What both sides have staged, put together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::local::Local;
use super::state::{Oid, State, Which};

/// What became of it.
pub(super) struct Merged {
    /// What is staged on both sides then.
    pub tree: Oid,
    /// The sides whose staged version of a path gives way: to another one that is staged here, or that the other side has committed.
    pub overruled: BTreeSet<Which>,
}

/// Puts what `follower` has staged of its own on top of what the other side has staged. `agreed` is what both had staged before.
///
/// # Errors
/// Git fails.
pub(super) fn merge(
    local: &Local,
    follower: Which,
    (here, there): (&State, &State),
    agreed: Option<&Oid>,
) -> Result<Merged> {
    let (mine, other) = match follower {
        Which::Here => (here, there),
        Which::There => (there, here),
    };
    let mut own = own(local, mine, agreed)?;
    let others = self::own(local, other, agreed)?;
    let base = other.index.tree().context("the index has conflicts")?;
    let mut overruled = BTreeSet::new();
    if own.iter().any(|(path, entry)| others.get(path).is_some_and(|theirs| theirs != entry)) {
        overruled.insert(Which::There);
    }
    // What the other side has committed meanwhile is not taken back by what was staged before.
    let moved = agreed.and_then(|agreed| changes(local, agreed, &base).ok()).unwrap_or_default();
    let all = own.len();
    own.retain(|path, entry| {
        others.contains_key(path) || moved.get(path).is_none_or(|theirs| theirs == entry)
    });
    if own.len() < all {
        overruled.insert(follower);
    }
    // The version here counts.
    let order = if follower == Which::Here { vec![&own] } else { vec![&own, &others] };
    Ok(Merged { tree: put_together(local, &base, &order)?, overruled })
}

/// The tree with these changes, each over those before it.
///
/// # Errors
/// Git fails.
pub(super) fn put_together(local: &Local, tree: &Oid, changes: &[&Changes]) -> Result<Oid> {
    let mut lines = Vec::new();
    for (path, entry) in changes.iter().copied().flatten() {
        lines.extend_from_slice(entry.as_bytes());
        lines.push(b'\t');
        lines.extend_from_slice(path);
        lines.push(0);
    }
    if lines.is_empty() {
        return Ok(tree.clone());
    }
    let index = format!(".git/sinc/m.{}", std::process::id());
    let with = |why: &str, words: &[&str]| local.git(why).env("GIT_INDEX_FILE", &index).args(words);
    let _ = std::fs::remove_file(local.project().join(&index));
    local.runner().answer(&with("read what is staged", &["read-tree", tree.as_str()]))?;
    let add = with("put together what is staged", &["update-index", "-z", "--index-info"]).stdin(lines);
    local.runner().answer(&add)?;
    let tree = local.read(&with("write what is staged", &["write-tree"]))?;
    let _ = std::fs::remove_file(local.project().join(&index));
    Oid::parse(&tree).context("git write-tree gave no id")
}

/// Paths, and what `update-index` is told of each.
pub(super) type Changes = BTreeMap<Vec<u8>, String>;

/// What a side has staged that is neither committed there nor was agreed on.
///
/// # Errors
/// Git fails.
pub(super) fn own(local: &Local, side: &State, agreed: Option<&Oid>) -> Result<Changes> {
    let index = side.index.tree().context("the index has conflicts")?;
    let mut own = changes(local, &side.tree(), &index)?;
    // What was agreed on may be gone; then all of it is its own.
    if let Some(known) = agreed.and_then(|agreed| changes(local, agreed, &index).ok()) {
        own.retain(|path, _| known.contains_key(path));
    }
    Ok(own)
}

/// Takes out what would take back what was committed meanwhile. Was there any?
pub(super) fn drop_taken_back(own: &mut Changes, moved: &Changes) -> bool {
    let all = own.len();
    own.retain(|path, entry| moved.get(path).is_none_or(|theirs| theirs == entry));
    own.len() < all
}

/// Which paths differ between two trees or commits, and what the second one has there.
///
/// # Errors
/// Git fails.
pub(super) fn changes(local: &Local, from: &Oid, to: &Oid) -> Result<Changes> {
    let words = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from.as_str(), to.as_str()];
    let said = local.runner().answer(&local.git("compare what is staged").args(words))?.stdout;
    let mut parts = said.split(|byte| *byte == 0);
    let mut changes = BTreeMap::new();
    // `:100644 100644 OLD NEW M`, then the path.
    while let (Some(what), Some(path)) = (parts.next(), parts.next()) {
        let what = String::from_utf8_lossy(what);
        let words: Vec<&str> = what.split(' ').collect();
        let [_, mode, _, oid, _] = words[..] else { anyhow::bail!("git diff-tree said `{what}`") };
        let mode = if mode == "000000" { "0" } else { mode };
        changes.insert(path.to_vec(), format!("{mode} {oid}"));
    }
    Ok(changes)
}
