//! A branch that was moved on both sides is brought together, without touching a file: both sides' files are the same already.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::cycle::{Looked, Outcome, Refused, Sides, Wait, busy};
use super::decide::{Moves, RefMove, held, locks};
use super::local::Local;
use super::merge::{changes, drop_taken_back, own, put_together};
use super::state::{Name, Oid, State, Which};
use super::{APPLY, apply, base, left_out};

/// The oldest git that merges without touching a file.
const LEAST: (u32, u32) = (2, 38);

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A commit that has both.
    Merge,
    /// What is only here, on top of what the host has.
    Rebase,
    /// What is here.
    Mine,
    /// What the host has.
    Theirs,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is this on both sides now; nothing where it was deleted.
    Now(Option<Oid>),
    /// It was the same already.
    Same,
    /// These files were changed on both sides in the same places; of a rebase, in this commit.
    Conflicts(Vec<String>, Option<Oid>),
    /// Nothing was moved.
    Not(String),
}

/// The branches that differ, and those of which a person has to say whether to follow the host. What waits for something else is no
/// deletion.
///
/// # Errors
/// A side cannot be asked.
pub fn open(sides: &Sides<'_>, refused: &mut Refused) -> Result<Result<Vec<Name>, Outcome>> {
    let (here, there) = match sides.look(false)? {
        Looked::Stopped(outcome) => return Ok(Err(outcome)),
        Looked::Both(here, there) => (here, there),
    };
    sides.fetch(&here, &there, refused)?;
    let plan = sides.decide(&here, &there, refused);
    let differs = plan.differs.iter().filter_map(|one| Name::parse(one.name.strip_prefix("refs/heads/")?));
    Ok(Ok(differs.chain(plan.base.held).collect::<BTreeSet<_>>().into_iter().collect()))
}

/// Joins one branch.
///
/// # Errors
/// A side cannot be asked, the line is lost, or git fails.
pub fn join(sides: &Sides<'_>, name: &Name, how: How, refused: &mut Refused) -> Result<Joined> {
    let (here, there) = match sides.look(false)? {
        Looked::Stopped(Outcome::Off(why)) => {
            return Ok(Joined::Not(why.unwrap_or_else(|| "there is no repository here".to_owned())));
        }
        Looked::Stopped(_) => return Ok(Joined::Not("git is at work".to_owned())),
        Looked::Both(here, there) => (here, there),
    };
    if let Some(why) = busy(&here, &there) {
        return Ok(Joined::Not(why));
    }
    sides.fetch(&here, &there, refused)?;
    if let Some(why) = not_deleted(sides, name, (&here, &there), refused) {
        return Ok(Joined::Not(why));
    }
    let (l, h) = (here.branches.get(name), there.branches.get(name));
    if l == h {
        return Ok(if l.is_some() {
            Joined::Same
        } else {
            Joined::Not(format!("there is no branch {name}"))
        });
    }
    if let Some(why) = h.and_then(|oid| refused.get(oid)) {
        return Ok(Joined::Not(format!("git here refused what the host has: {why}")));
    }
    let to = match (how, l, h) {
        (How::Mine, l, _) => l.cloned(),
        (How::Theirs, _, h) => h.cloned(),
        (_, Some(l), Some(h)) => {
            if let Some(why) = too_old(here.version, name) {
                return Ok(Joined::Not(why));
            }
            let made = match how {
                How::Rebase => rebase(&sides.local, l, h)?,
                _ => merge(&sides.local, name, l, h)?,
            };
            match made {
                Ok(oid) => Some(oid),
                Err((files, commit)) => return Ok(Joined::Conflicts(files, commit)),
            }
        }
        _ => {
            let side = if l.is_none() { "here" } else { "on the host" };
            return Ok(Joined::Not(format!("{name} was deleted {side}: say `--mine` or `--theirs`")));
        }
    };
    move_both(sides, name, (&here, &there), to)
}

/// A side lacks it, and nobody has deleted it there: git cannot read it, or it has never been on both sides. Why it is not there.
fn not_deleted(
    sides: &Sides<'_>,
    name: &Name,
    (here, there): (&State, &State),
    refused: &Refused,
) -> Option<String> {
    let full = format!("refs/heads/{name}");
    let damaged = here.damaged.contains(&full) || there.damaged.contains(&full);
    let new = here.branches.contains_key(name) != there.branches.contains_key(name)
        && !base::read(&sides.base)
            .is_some_and(|base| base.branches.contains_key(name) || base.held.contains(name));
    if !damaged && !new {
        return None;
    }
    let waits = sides.decide(here, there, refused).waits;
    let why = waits.into_iter().find(|one| one.name == full).map(|one| one.why);
    Some(why.unwrap_or_else(|| "it is new on one side, and goes to the other by itself".to_owned()))
}

/// Why git here cannot put two branches together.
fn too_old((major, minor): (u32, u32), name: &Name) -> Option<String> {
    ((major, minor) < LEAST).then(|| {
        format!(
            "git here is {major}.{minor}, and {}.{} is needed for that: update it, or take one side's branch \
             (`sinc git join {name} --mine` or `--theirs`)",
            LEAST.0, LEAST.1
        )
    })
}

type Made = Result<Oid, (Vec<String>, Option<Oid>)>;

fn move_both(
    sides: &Sides<'_>,
    name: &Name,
    (here, there): (&State, &State),
    to: Option<Oid>,
) -> Result<Joined> {
    let stands = |state: &State| state.head.branch() == Some(name);
    if to.is_none() && (stands(here) || stands(there)) {
        return Ok(Joined::Not(format!("one side stands on {name}: switch to another branch first")));
    }
    let mut base = base::read(&sides.base).unwrap_or_default();
    let mut index: BTreeMap<Which, Oid> = BTreeMap::new();
    let mut overruled: BTreeSet<Which> = BTreeSet::new();
    if let Some(to) = &to {
        let tree = sides.local.tree_of(to).context("the branch leads to no commit")?;
        let (mut mine, mut theirs) = (own(&sides.local, here, None)?, own(&sides.local, there, None)?);
        for (side, state, staged) in [(Which::Here, here, &mut mine), (Which::There, there, &mut theirs)] {
            // What was staged before does not take back what comes from the other side.
            if stands(state) && drop_taken_back(staged, &changes(&sides.local, &state.tree(), &tree)?) {
                overruled.insert(side);
            }
        }
        if stands(here) && stands(there) {
            // What is staged on either side stays staged on both; of the same path, what is staged here.
            if theirs.iter().any(|(path, entry)| mine.get(path).is_some_and(|other| other != entry)) {
                overruled.insert(Which::There);
            }
            let both = put_together(&sides.local, &tree, &[&theirs, &mine])?;
            index = BTreeMap::from([(Which::Here, both.clone()), (Which::There, both.clone())]);
            base.index = Some(both);
            base.head = Some(here.head.clone());
        } else if stands(here) {
            index.insert(Which::Here, put_together(&sides.local, &tree, &[&mine])?);
        } else if stands(there) {
            index.insert(Which::There, put_together(&sides.local, &tree, &[&theirs])?);
        }
    }
    let mut needed: BTreeSet<Oid> = to.iter().cloned().collect();
    if let Some(tree) = index.get(&Which::There) {
        needed.insert(sides.local.wrap(tree, to.as_ref())?);
    }
    for (side, state) in [(Which::There, there), (Which::Here, here)] {
        let moves = state.branches.get(name) != to.as_ref();
        if let Some(why) =
            locks::why(state, side, &format!("refs/heads/{name}"), to.is_none()).filter(|_| moves)
        {
            return Ok(Joined::Not(why));
        }
        if moves && state.elsewhere.contains(name) {
            return Ok(Joined::Not(held::elsewhere(side, "it")));
        }
    }
    if let Some((_, why)) = sides.transport.push(&sides.local, &needed, sides.tell)?.first_key_value() {
        return Ok(Joined::Not(format!("git on the host does not take it: {why}")));
    }
    if let Err(why) = (sides.files)(Wait::Whole) {
        return Ok(Joined::Not(format!("the files are not in step: {why}")));
    }
    for (which, state) in [(Which::There, there), (Which::Here, here)] {
        let old = state.branches.get(name).cloned();
        let mut moves = Moves::default();
        if old != to {
            let full = format!("refs/heads/{name}");
            let leads = |old: &Oid| to.as_ref().is_some_and(|to| sides.local.is_ancestor(old, to));
            moves.keep.extend(old.iter().filter(|old| !leads(old)).map(|old| (old.clone(), full.clone())));
            moves.refs.push(RefMove { name: full, old, new: to.clone(), early: false });
        }
        let staged = state.wrap.iter().filter(|_| overruled.contains(&which));
        moves.keep.extend(staged.map(|oid| (oid.clone(), format!("what was staged {}", which.at()))));
        for mut words in apply::calls(state, &moves, index.get(&which)) {
            if which == Which::There {
                words.extend(left_out::words(&sides.ignores));
            }
            let answer = match which {
                Which::There => (sides.ask)("move the host's branch", &APPLY, &words)?,
                Which::Here => sides.local.script("move the branch", &APPLY, &words)?,
            };
            let said = super::cycle::lines(&answer);
            if let Some(why) = said.get("refused") {
                return Ok(Joined::Not(format!("{why} changed at this moment: try again")));
            }
            said.get("moved").context("the move of the branch broke off")?;
        }
    }
    match &to {
        Some(to) => base.branches.insert(name.clone(), to.clone()),
        None => base.branches.remove(name),
    };
    base::write(&sides.base, &base)?;
    Ok(Joined::Now(to))
}

/// A merge in memory; which files it cannot merge.
fn merged(local: &Local, ours: &Oid, theirs: &Oid) -> Result<Result<Oid, Vec<String>>> {
    // The project's attributes, which the host can write, choose a driver: none is run.
    let drivers = local.settings("^merge[.].*[.]driver$")?;
    let off: Vec<_> = drivers.into_iter().map(|name| (name, "false".to_owned())).collect();
    // To make line ends alike git would run the filters.
    let cmd = local.git_with("merge two commits", &off).args(["-c", "merge.renormalize=false"]);
    let words =
        ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours.as_str(), theirs.as_str()];
    let output = local.runner().answer(&cmd.args(words).answers(&[0, 1]))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = said.split('\0').filter(|part| !part.is_empty());
    let tree =
        parts.next().and_then(|word| Oid::parse(word.trim())).context("git merge-tree gave no tree")?;
    Ok(if output.code == 0 { Ok(tree) } else { Err(parts.map(str::to_owned).collect()) })
}

fn merge(local: &Local, name: &Name, ours: &Oid, theirs: &Oid) -> Result<Made> {
    for (first, second) in [(ours, theirs), (theirs, ours)] {
        if local.is_ancestor(first, second) {
            return Ok(Ok(second.clone()));
        }
    }
    let tree = match merged(local, ours, theirs)? {
        Ok(tree) => tree,
        Err(files) => return Ok(Err((files, None))),
    };
    let message = format!("Merge {name} of the host");
    let words = ["commit-tree", tree.as_str(), "-p", ours.as_str(), "-p", theirs.as_str(), "-m", &message];
    let said = local.read(&local.git("make the merge commit").args(words))?;
    Ok(Ok(Oid::parse(&said).context("git commit-tree gave no id")?))
}

/// Puts the commits that are only in `ours` on top of `theirs`.
fn rebase(local: &Local, ours: &Oid, theirs: &Oid) -> Result<Made> {
    let range = format!("{theirs}..{ours}");
    let list =
        local.git("list commits").args(["rev-list", "--reverse", "--topo-order", "--no-merges", &range]);
    let mut on = theirs.clone();
    for commit in local.read(&list)?.lines().filter_map(Oid::parse) {
        let parent = local.read(&local.git("read a commit").args([
            "rev-parse",
            "-q",
            "--verify",
            &format!("{commit}^"),
        ]));
        let parent = parent.ok().and_then(|text| Oid::parse(&text));
        // What is there, as if it stood beside the commit: then git takes the commit's parent for what both had.
        let beside = local.wrap(&local.tree_of(&on).context("a commit has no tree")?, parent.as_ref())?;
        let tree = match merged(local, &beside, &commit)? {
            Ok(tree) => tree,
            Err(files) => return Ok(Err((files, Some(commit)))),
        };
        if Some(&tree) == local.tree_of(&on).as_ref() {
            // The other side has it already.
            continue;
        }
        let format = "--format=%an%n%ae%n%ad%n%B";
        let words = ["log", "-1", "--no-show-signature", "--date=raw", format, commit.as_str()];
        let said = local.read(&local.git("read a commit").args(words))?;
        let mut parts = said.splitn(4, '\n');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (author, mail, date, message) = (next(), next(), next(), next());
        let make = local
            .git("make a commit")
            .env("GIT_AUTHOR_NAME", author)
            .env("GIT_AUTHOR_EMAIL", mail)
            .env("GIT_AUTHOR_DATE", format!("@{date}"))
            .args(["commit-tree", tree.as_str(), "-p", on.as_str(), "-F", "-"])
            .stdin(format!("{message}\n"));
        on = Oid::parse(&local.read(&make)?).context("git commit-tree gave no id")?;
    }
    Ok(Ok(on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_that_cannot_merge_in_memory_is_named_with_the_way_out() {
        let name = Name::parse("work").unwrap();
        assert_eq!(too_old((2, 38), &name), None);
        assert_eq!(too_old((3, 0), &name), None);
        let why = too_old((2, 37), &name).unwrap();
        assert!(why.contains("2.37, and 2.38") && why.contains("join work --mine"), "{why}");
    }
}
