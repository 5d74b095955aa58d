//! What git on the host does not take, as where its own history is shallow, waits, and all else goes on.

use anyhow::Result;

use super::base::Base;
use super::cycle::Refused;
use super::decide::{Plan, Waits, held};
use super::state::{Name, State, Which};

/// Takes out of a plan what would need an object that the host has refused.
///
/// # Errors
/// A side stands on it, or would.
pub(super) fn withhold(
    plan: &mut Plan,
    before: Option<&Base>,
    (here, there): (&State, &State),
    refused: &Refused,
) -> Result<()> {
    let before = before.cloned().unwrap_or_default();
    let moves = std::mem::take(&mut plan.there.refs);
    for one in moves {
        let Some(why) = one.new.as_ref().and_then(|new| refused.get(new)) else {
            plan.there.refs.push(one);
            continue;
        };
        let why = format!("git on the host does not take it: {why}");
        let places = [
            ("refs/heads/", &mut plan.base.branches, &before.branches),
            ("refs/tags/", &mut plan.base.tags, &before.tags),
            ("refs/remotes/origin/", &mut plan.base.origin, &before.origin),
            ("refs/remotes/laptop/", &mut plan.base.shown_there, &before.shown_there),
        ];
        for (prefix, noted, had) in places {
            let Some(name) = one.name.strip_prefix(prefix).and_then(Name::parse) else { continue };
            let heads = [Some(&here.head), Some(&there.head), plan.there.head.as_ref()];
            let mut stands = heads.into_iter().flatten().filter_map(|head| head.branch());
            if prefix == "refs/heads/" && stands.any(|branch| *branch == name) {
                anyhow::bail!("{name} cannot go over: {why}");
            }
            match had.get(&name) {
                Some(oid) => drop(noted.insert(name, oid.clone())),
                None => drop(noted.remove(&name)),
            }
        }
        plan.there.keep.retain(|(_, whose)| *whose != one.name);
        plan.waits.push(Waits { name: one.name, side: Which::There, why });
    }
    for why in plan.there.stash.iter().filter_map(|oid| refused.get(oid)) {
        let why =
            format!("git on the host does not take a stash: {why}: `git stash drop` of it here ends this");
        plan.waits.push(held::stash(Which::There, why));
    }
    plan.there.stash.retain(|oid| !refused.contains_key(oid));
    plan.base.stash.retain(|oid| there.stash.contains(oid) || !refused.contains_key(oid));
    Ok(())
}
