//! What is to be moved on which side. Pure: two states, what both had in common, and who descends from whom go in; moves come
//! out. The table of cases is in the tests.

use std::collections::{BTreeMap, BTreeSet};

use super::base::Base;
use super::state::{Head, Name, Oid, State, Which};

/// So many branches may be deleted or set back here at once because the host did so; more are asked about.
const MOST_AT_ONCE: usize = 3;

/// What is known.
pub struct Question<'a> {
    /// This side.
    pub here: &'a State,
    /// The host.
    pub there: &'a State,
    /// What both had in common; nothing the first time, or where it was lost.
    pub base: Option<&'a Base>,
    /// Objects of the host's that were refused here.
    pub refused: &'a BTreeSet<Oid>,
    /// Is the first an ancestor of the second, or the same?
    pub ancestor: &'a dyn Fn(&Oid, &Oid) -> bool,
}

/// A branch, tag or the like that moves on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefMove {
    /// Its whole name.
    pub name: String,
    /// What it is now.
    pub old: Option<Oid>,
    /// What it will be.
    pub new: Option<Oid>,
    /// It has to go before others can be made: `a`, where `a/b` is to be.
    pub early: bool,
}

/// What moves on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Branches, tags and what is shown of the other side.
    pub refs: Vec<RefMove>,
    /// Where HEAD goes.
    pub head: Option<Head>,
    /// Stashes that come.
    pub stash: Vec<Oid>,
    /// Stashes that go.
    pub unstash: Vec<Oid>,
    /// Values that nothing else would lead to any more, and whose they were.
    pub keep: Vec<(Oid, String)>,
}

impl Moves {
    /// Does nothing move?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All values that this side needs.
    pub fn needs(&self) -> impl Iterator<Item = &Oid> {
        let head = match &self.head {
            Some(Head::Commit(oid)) => Some(oid),
            _ => None,
        };
        self.refs.iter().filter_map(|one| one.new.as_ref()).chain(&self.stash).chain(head)
    }
}

/// What becomes of what is staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staged {
    /// The two sides do not stand on the same commit: each keeps its own.
    Apart,
    /// It is the same.
    Same,
    /// This side takes over what the other one has staged.
    Take(Which),
    /// Both have staged something: what this one has put on top of what was agreed goes on top of the other's.
    Merge(Which),
}

/// What was moved on both sides, and is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// The whole name, or `HEAD`.
    pub name: String,
    /// What it is here; nothing where it was deleted.
    pub here: Option<String>,
    /// What it is on the host.
    pub there: Option<String>,
}

/// What waits, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The whole name, or `HEAD`.
    pub name: String,
    /// The side that does not follow.
    pub side: Which,
    /// Why not.
    pub why: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What moves here.
    pub here: Moves,
    /// What moves on the host.
    pub there: Moves,
    /// What becomes of what is staged.
    pub staged: Staged,
    /// What differs.
    pub differs: Vec<Differs>,
    /// What waits.
    pub waits: Vec<Waits>,
    /// Something of that waits for a lock.
    pub locked: bool,
    /// What both sides have in common afterwards. What is staged is filled in by whoever merges it.
    pub base: Base,
}

/// What becomes of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Agreed,
    Follows(Which),
    Differs,
}

/// Decides.
#[must_use]
pub fn decide(asked: &Question<'_>) -> Plan {
    let none = Base::default();
    let base = asked.base.unwrap_or(&none);
    let (here, there) = (asked.here, asked.there);
    let mut work = Work { asked, waits: Vec::new(), locked: false, differs: Vec::new() };
    let mut branches =
        work.names("refs/heads/", (&base.branches, &here.branches, &there.branches), asked.ancestor);
    work.hold_many(&mut branches);
    work.hold_impossible(&mut branches);
    let head = work.head(base, &branches);
    work.hold_where_one_stands(&mut branches, &head);
    let tags = work.names("refs/tags/", (&base.tags, &here.tags, &there.tags), &|_, _| false);
    let staged = work.staged(base, &branches, &head);

    let mut plan = Plan {
        here: Moves::default(),
        there: Moves::default(),
        staged,
        differs: Vec::new(),
        waits: Vec::new(),
        locked: false,
        base: base.clone(),
    };
    for (prefix, names, had) in [
        ("refs/heads/", &branches, (&here.branches, &there.branches)),
        ("refs/tags/", &tags, (&here.tags, &there.tags)),
    ] {
        for (name, fate) in names {
            if let Some(to) = fate.moves() {
                let (moves, old) = match to {
                    Which::Here => (&mut plan.here, had.0.get(name)),
                    Which::There => (&mut plan.there, had.1.get(name)),
                };
                work.add(moves, prefix, name, old, fate.value.as_ref());
            }
        }
    }
    plan.base.branches = agreed(&branches, &base.branches);
    plan.base.tags = agreed(&tags, &base.tags);
    match head.follows {
        Some(Which::Here) => plan.here.head = Some(there.head.clone()),
        Some(Which::There) => plan.there.head = Some(here.head.clone()),
        None => {}
    }
    if head.here == head.there {
        plan.base.head = Some(head.here);
    }
    match &plan.staged {
        Staged::Same => plan.base.index = here.index.tree(),
        Staged::Take(Which::Here) => plan.base.index = there.index.tree(),
        Staged::Take(Which::There) => plan.base.index = here.index.tree(),
        Staged::Apart | Staged::Merge(_) => {}
    }
    work.stashes(base, &mut plan);
    work.origin(base, &mut plan);
    work.show(base, &branches, &mut plan);
    plan.differs = work.differs;
    plan.waits = work.waits;
    plan.locked = work.locked;
    plan
}

/// What becomes of one name.
struct Fate {
    verdict: Verdict,
    /// It would follow, but waits.
    waits: bool,
    /// What both have afterwards, where they agree.
    value: Option<Oid>,
}

impl Fate {
    /// The side that moves.
    fn moves(&self) -> Option<Which> {
        match self.verdict {
            Verdict::Follows(side) if !self.waits => Some(side),
            _ => None,
        }
    }

    /// Have both sides the same afterwards?
    fn agrees(&self) -> bool {
        self.verdict != Verdict::Differs && !self.waits
    }
}

type Fates = BTreeMap<Name, Fate>;
type Three<'a> = (&'a BTreeMap<Name, Oid>, &'a BTreeMap<Name, Oid>, &'a BTreeMap<Name, Oid>);

/// What both sides have in common of these names afterwards.
fn agreed(fates: &Fates, before: &BTreeMap<Name, Oid>) -> BTreeMap<Name, Oid> {
    let value = |(name, fate): (&Name, &Fate)| {
        let value = if fate.agrees() { fate.value.clone() } else { before.get(name).cloned() };
        value.map(|value| (name.clone(), value))
    };
    fates.iter().filter_map(value).collect()
}

/// Where both HEADs are afterwards.
struct Heads {
    follows: Option<Which>,
    here: Head,
    there: Head,
}

/// The rule for one name. `ancestor` says who may be brought forward without losing anything.
fn verdict(
    base: Option<&Oid>,
    here: Option<&Oid>,
    there: Option<&Oid>,
    ancestor: &dyn Fn(&Oid, &Oid) -> bool,
) -> Verdict {
    match (here, there) {
        _ if here == there => Verdict::Agreed,
        _ if base == here => Verdict::Follows(Which::Here),
        _ if base == there => Verdict::Follows(Which::There),
        // Deleted against moved: the living one wins.
        (None, Some(_)) => Verdict::Follows(Which::Here),
        (Some(_), None) => Verdict::Follows(Which::There),
        (Some(l), Some(h)) => {
            let after = |oid| base.is_none_or(|base| ancestor(base, oid));
            if after(l) && ancestor(l, h) {
                Verdict::Follows(Which::Here)
            } else if after(h) && ancestor(h, l) {
                Verdict::Follows(Which::There)
            } else {
                Verdict::Differs
            }
        }
        (None, None) => Verdict::Agreed,
    }
}

struct Work<'a> {
    asked: &'a Question<'a>,
    waits: Vec<Waits>,
    locked: bool,
    differs: Vec<Differs>,
}

impl Work<'_> {
    fn side(&self, which: Which) -> &State {
        match which {
            Which::Here => self.asked.here,
            Which::There => self.asked.there,
        }
    }

    fn wait(&mut self, prefix: &str, name: &Name, side: Which, why: &str) {
        self.waits.push(Waits { name: format!("{prefix}{name}"), side, why: why.to_owned() });
    }

    fn names(
        &mut self,
        prefix: &str,
        (base, here, there): Three<'_>,
        ancestor: &dyn Fn(&Oid, &Oid) -> bool,
    ) -> Fates {
        let all: BTreeSet<&Name> = base.keys().chain(here.keys()).chain(there.keys()).collect();
        let mut fates = Fates::new();
        for name in all {
            let (b, l, h) = (base.get(name), here.get(name), there.get(name));
            let mut fate = Fate { verdict: verdict(b, l, h, ancestor), waits: false, value: None };
            let full = format!("{prefix}{name}");
            let unread =
                [Which::Here, Which::There].into_iter().find(|side| self.side(*side).damaged.contains(&full));
            if let Some(side) = unread {
                fate.waits = true;
                self.wait(prefix, name, side, "git cannot read it there: it is damaged");
            }
            let refused = l != h && h.is_some_and(|oid| self.asked.refused.contains(oid));
            if refused {
                fate.waits = true;
                self.wait(prefix, name, Which::Here, "git here refused what the host sent");
            }
            if let Some(side) = fate.moves() {
                let gone = if side == Which::Here { h } else { l }.is_none();
                fate.waits = self.waits_for_lock(side, &full, gone);
            }
            match fate.verdict {
                Verdict::Agreed | Verdict::Follows(Which::There) => fate.value = l.cloned(),
                Verdict::Follows(Which::Here) => fate.value = h.cloned(),
                Verdict::Differs if refused => {}
                Verdict::Differs => self.differs.push(Differs {
                    name: format!("{prefix}{name}"),
                    here: l.map(Oid::to_string),
                    there: h.map(Oid::to_string),
                }),
            }
            fates.insert(name.clone(), fate);
        }
        fates
    }

    /// More than a few branches that would be deleted or set back here because the host did so wait for a person.
    fn hold_many(&mut self, branches: &mut Fates) {
        let here = &self.asked.here.branches;
        let takes_away = |(name, fate): &(&Name, &mut Fate)| {
            let Some(old) = here.get(name).filter(|_| fate.moves() == Some(Which::Here)) else {
                return false;
            };
            fate.value.as_ref().is_none_or(|new| !(self.asked.ancestor)(old, new))
        };
        let many: Vec<_> = branches.iter_mut().filter(takes_away).collect();
        if many.len() <= MOST_AT_ONCE {
            return;
        }
        let why = format!("the host deletes or sets back {} branches at once", many.len());
        let names: Vec<Name> = many
            .into_iter()
            .map(|(name, fate)| {
                fate.waits = true;
                name.clone()
            })
            .collect();
        for name in names {
            self.wait("refs/heads/", &name, Which::Here, &why);
        }
    }

    /// What cannot be moved on the side that would follow.
    fn hold_impossible(&mut self, branches: &mut Fates) {
        for side in [Which::Here, Which::There] {
            let had = self.side(side).branches.clone();
            let mut will: BTreeSet<Name> = had.keys().cloned().collect();
            for (name, fate) in branches.iter().filter(|(_, fate)| fate.moves() == Some(side)) {
                if fate.value.is_some() {
                    will.insert(name.clone())
                } else {
                    will.remove(name)
                };
            }
            let mut held = Vec::new();
            for (name, fate) in branches.iter_mut().filter(|(_, fate)| fate.moves() == Some(side)) {
                let fresh = fate.value.is_some() && !had.contains_key(name);
                let twin = || {
                    let folded = name.as_str().to_lowercase();
                    will.iter().find(|other| *other != name && other.as_str().to_lowercase() == folded)
                };
                let in_the_way = || {
                    let below =
                        |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
                    let clash = |other: &&Name| {
                        below(name.as_str(), other.as_str()) || below(other.as_str(), name.as_str())
                    };
                    will.iter().find(clash)
                };
                let why = if self.side(side).elsewhere.contains(name) {
                    "it stands in another worktree".to_owned()
                } else if let Some(other) = fresh.then(twin).flatten() {
                    format!("`{other}` differs from it only in case")
                } else if let Some(other) = fresh.then(in_the_way).flatten() {
                    format!("`{other}` is in its way")
                } else {
                    continue;
                };
                fate.waits = true;
                held.push((name.clone(), why));
            }
            for (name, why) in held {
                self.wait("refs/heads/", &name, side, &why);
            }
        }
    }

    /// Where the HEADs go: one follows the other only if both stand on the same commit then.
    fn head(&mut self, base: &Base, branches: &Fates) -> Heads {
        let (here, there) = (&self.asked.here.head, &self.asked.there.head);
        let mut heads = Heads { follows: None, here: here.clone(), there: there.clone() };
        if here == there {
            return heads;
        }
        let (side, to) = match &base.head {
            Some(head) if head == here => (Which::Here, there),
            Some(head) if head == there => (Which::There, here),
            _ => {
                self.differs.push(Differs {
                    name: "HEAD".to_owned(),
                    here: Some(here.to_string()),
                    there: Some(there.to_string()),
                });
                return heads;
            }
        };
        let why = match to {
            Head::Branch(name) if branches.get(name).is_some_and(|fate| !fate.agrees()) => {
                Some(format!("{name} is not the same on both sides"))
            }
            Head::Branch(name) if self.side(side).elsewhere.contains(name) => {
                Some(format!("{name} stands in another worktree"))
            }
            Head::Commit(oid) if self.asked.refused.contains(oid) => {
                Some("git here refused what the host sent".to_owned())
            }
            _ => None,
        };
        if let Some(why) = why {
            self.waits.push(Waits { name: "HEAD".to_owned(), side, why });
            return heads;
        }
        heads.follows = Some(side);
        match side {
            Which::Here => heads.here = to.clone(),
            Which::There => heads.there = to.clone(),
        }
        heads
    }

    /// While the HEADs differ, the branch that a side stands on is not moved under it: what is staged could not follow.
    fn hold_where_one_stands(&mut self, branches: &mut Fates, heads: &Heads) {
        if heads.here == heads.there {
            return;
        }
        for (side, head) in [(Which::Here, &heads.here), (Which::There, &heads.there)] {
            let Some(name) = head.branch() else { continue };
            if let Some(fate) = branches.get_mut(name).filter(|fate| fate.moves() == Some(side)) {
                fate.waits = true;
                self.wait("refs/heads/", name, side, "it stands on it, and the other side stands elsewhere");
            }
        }
    }

    fn staged(&self, base: &Base, branches: &Fates, heads: &Heads) -> Staged {
        let (here, there) = (self.asked.here, self.asked.there);
        let together = heads.here == heads.there
            && heads.here.branch().and_then(|name| branches.get(name)).is_none_or(Fate::agrees);
        let (Some(l), Some(h)) = (here.index.tree(), there.index.tree()) else { return Staged::Apart };
        if !together {
            return Staged::Apart;
        }
        let on = match &heads.here {
            Head::Branch(name) => branches.get(name).and_then(|fate| fate.value.clone()),
            Head::Commit(oid) => Some(oid.clone()),
        };
        // Who stands there already leads.
        let leads = here.commit() == on.as_ref();
        let follower = if leads { Which::There } else { Which::Here };
        match &base.index {
            _ if l == h => Staged::Same,
            Some(index) if *index == l => Staged::Take(Which::Here),
            Some(index) if *index == h => Staged::Take(Which::There),
            _ => {
                // What is staged as it is committed is nothing of its own.
                let side = self.side(follower);
                let clean = side.index.tree() == Some(side.tree());
                if clean { Staged::Take(follower) } else { Staged::Merge(follower) }
            }
        }
    }

    fn add(&self, moves: &mut Moves, prefix: &str, name: &Name, old: Option<&Oid>, new: Option<&Oid>) {
        let full = format!("{prefix}{name}");
        // A tag with a message is an object of its own, which no commit leads to.
        if let Some(old) = old
            && (prefix == "refs/tags/" || new.is_none_or(|new| !(self.asked.ancestor)(old, new)))
        {
            moves.keep.push((old.clone(), full.clone()));
        }
        moves.refs.push(RefMove { name: full, old: old.cloned(), new: new.cloned(), early: false });
        let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        let made: Vec<String> =
            moves.refs.iter().filter(|one| one.old.is_none()).map(|one| one.name.clone()).collect();
        for one in moves.refs.iter_mut().filter(|one| one.new.is_none()) {
            one.early |= made.iter().any(|made| below(made, &one.name) || below(&one.name, made));
        }
    }

    /// A set: what one side has put on it or taken off it since, the other one does too.
    fn stashes(&mut self, base: &Base, plan: &mut Plan) {
        if [Which::Here, Which::There].into_iter().any(|side| self.waits_for_lock(side, "refs/stash", false))
        {
            return;
        }
        if [self.asked.here, self.asked.there].iter().any(|side| side.damaged.contains("refs/stash")) {
            return;
        }
        let (here, there) = (&self.asked.here.stash, &self.asked.there.stash);
        let refused = self.asked.refused;
        let fresh = |from: &[Oid], to: &[Oid]| -> Vec<Oid> {
            let new = |oid: &&Oid| !base.stash.contains(oid) && !to.contains(oid) && !refused.contains(oid);
            from.iter().filter(new).cloned().collect()
        };
        let gone = |from: &[Oid], to: &[Oid]| -> Vec<Oid> {
            to.iter().filter(|oid| base.stash.contains(oid) && !from.contains(oid)).cloned().collect()
        };
        plan.here.stash = fresh(there, here);
        plan.there.stash = fresh(here, there);
        plan.here.unstash = gone(there, here);
        plan.there.unstash = gone(here, there);
        for (moves, side) in [(&mut plan.here, "here"), (&mut plan.there, "on the host")] {
            let was = format!("a stash {side}");
            moves.keep.extend(moves.unstash.iter().map(|oid| (oid.clone(), was.clone())));
        }
        let mut all: Vec<Oid> = here.iter().filter(|oid| !plan.here.unstash.contains(oid)).cloned().collect();
        all.extend(plan.here.stash.iter().cloned());
        plan.base.stash = all;
    }

    /// What `origin` has goes from here to the host, never back: the host could make anything of it.
    fn origin(&mut self, base: &Base, plan: &mut Plan) {
        let (here, there) = (&self.asked.here.origin, &self.asked.there.origin);
        plan.base.origin = here.clone();
        let all: BTreeSet<&Name> = here.keys().chain(base.origin.keys()).collect();
        for name in all {
            let (was, is, has) = (base.origin.get(name), here.get(name), there.get(name));
            if was != is && has != is {
                let full = format!("refs/remotes/origin/{name}");
                if self.waits_for_lock(Which::There, &full, is.is_none()) {
                    locks::as_before(&mut plan.base.origin, name, was);
                    continue;
                }
                plan.there.refs.push(RefMove {
                    name: full,
                    old: has.cloned(),
                    new: is.cloned(),
                    early: false,
                });
            }
        }
    }

    /// Branches that differ are shown to each side as the other one has them.
    fn show(&mut self, base: &Base, branches: &Fates, plan: &mut Plan) {
        let differ: Vec<&Name> = branches
            .iter()
            .filter(|(_, fate)| fate.verdict == Verdict::Differs && !fate.waits)
            .map(|(name, _)| name)
            .collect();
        let shown = |of: &BTreeMap<Name, Oid>| -> BTreeMap<Name, Oid> {
            differ.iter().filter_map(|name| Some(((*name).clone(), of.get(name)?.clone()))).collect()
        };
        let (at_here, at_there) = (shown(&self.asked.there.branches), shown(&self.asked.here.branches));
        (plan.base.shown_here, plan.base.shown_there) = (at_here.clone(), at_there.clone());
        for (side, moves, want, (before, after)) in [
            (Which::Here, &mut plan.here, &at_here, (&base.shown_here, &mut plan.base.shown_here)),
            (Which::There, &mut plan.there, &at_there, (&base.shown_there, &mut plan.base.shown_there)),
        ] {
            let has = self.side(side).published.clone();
            let names: BTreeSet<&Name> = want.keys().chain(before.keys()).collect();
            for name in names.into_iter().filter(|name| has.get(*name) != want.get(*name)) {
                let full = format!("refs/remotes/{}/{name}", side.shows());
                if self.waits_for_lock(side, &full, !want.contains_key(name)) {
                    locks::as_before(after, name, before.get(name));
                    continue;
                }
                moves.refs.push(RefMove {
                    name: full,
                    old: has.get(name).cloned(),
                    new: want.get(name).cloned(),
                    early: false,
                });
            }
        }
    }
}

pub mod locks;
#[cfg(test)]
mod tests;
