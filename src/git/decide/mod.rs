//! What is to be moved on which side. Pure: two states, what both had in common, and who descends from whom go in; moves come
//! out. The table of cases is in the tests.

use std::collections::{BTreeMap, BTreeSet};

use super::base::Base;
use super::state::{Head, Name, Oid, State, Which};

/// So many branches may be deleted or set back here at once because the host did so; more are asked about.
const MOST_AT_ONCE: usize = 3;

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const STASH: &str = "refs/stash";
const STASH_LOG: &str = "logs/refs/stash";

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
    /// The whole name, `HEAD`, or `index` for what is staged.
    pub name: String,
    /// The side that does not follow.
    pub side: Which,
    /// Why not, and what a person can do about it.
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
    let staged_refused = staged_refused(asked, base);
    let mut work = Work { asked, staged_refused, waits: Vec::new(), locked: false, differs: Vec::new() };
    let mut branches =
        work.names(BRANCHES, (&base.branches, &here.branches, &there.branches), asked.ancestor);
    let held = work.hold_many(&mut branches, &base.held);
    let tags_here = here.tags.keys().cloned().collect();
    work.hold_impossible(BRANCHES, &mut branches, &tags_here);
    let head = work.head(base, &branches);
    work.hold_where_one_stands(&mut branches, &head);
    // One that is held only now may be in the way of others.
    work.hold_impossible(BRANCHES, &mut branches, &tags_here);
    let mut tags = work.names(TAGS, (&base.tags, &here.tags, &there.tags), &|_, _| false);
    let comes = branches.iter().filter(|(_, fate)| fate.moves() == Some(Which::Here) && fate.value.is_some());
    let branches_here = here.branches.keys().chain(comes.map(|(name, _)| name)).cloned().collect();
    work.hold_impossible(TAGS, &mut tags, &branches_here);
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
    for (prefix, names, had) in
        [(BRANCHES, &branches, (&here.branches, &there.branches)), (TAGS, &tags, (&here.tags, &there.tags))]
    {
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
    plan.base.held = held;
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
    mark_early(&mut plan.here.refs);
    mark_early(&mut plan.there.refs);
    plan.base.id = there.id.clone();
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
    staged_refused: bool,
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

    fn wait(&mut self, prefix: &str, name: &Name, side: Which, why: String) {
        self.waits.push(Waits { name: format!("{prefix}{name}"), side, why });
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
                let other = if side == Which::Here { h } else { l };
                self.wait(prefix, name, side, held::damaged(side, &full, other));
            }
            let refused = l != h && h.is_some_and(|oid| self.asked.refused.contains(oid));
            if refused {
                fate.waits = true;
                self.wait(prefix, name, Which::Here, held::refused(prefix, name));
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
            // It was just made, and stands on a branch only because it has to stand somewhere.
            None if self.asked.there.at.is_none() && self.asked.there.branches.is_empty() => {
                (Which::There, here)
            }
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
            Head::Branch(name) => match branches.get(name) {
                Some(fate) if fate.waits => Some(held::waits_itself(name)),
                Some(fate) if !fate.agrees() => Some(held::to_be_joined(name)),
                _ if self.side(side).elsewhere.contains(name) => {
                    self.locked = true;
                    Some(held::elsewhere(side, &format!("`{name}`")))
                }
                _ => None,
            },
            Head::Commit(oid) => self.asked.refused.contains(oid).then(|| held::REFUSED_COMMIT.to_owned()),
        };
        let why = why.or_else(|| self.staged_refused.then(|| held::STAGED.to_owned()));
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

    fn staged(&self, base: &Base, branches: &Fates, heads: &Heads) -> Staged {
        let (here, there) = (self.asked.here, self.asked.there);
        let together = heads.here == heads.there
            && heads.here.branch().and_then(|name| branches.get(name)).is_none_or(Fate::agrees);
        let (Some(l), Some(h)) = (here.index.tree(), there.index.tree()) else { return Staged::Apart };
        if !together || self.staged_refused {
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
            && (prefix == TAGS || new.is_none_or(|new| !(self.asked.ancestor)(old, new)))
        {
            moves.keep.push((old.clone(), full.clone()));
        }
        moves.refs.push(RefMove { name: full, old: old.cloned(), new: new.cloned(), early: false });
    }

    /// A set: what one side has put on it or taken off it since, the other one does too.
    fn stashes(&mut self, base: &Base, plan: &mut Plan) {
        let sides = [Which::Here, Which::There];
        if sides.into_iter().any(|side| self.waits_for_lock(side, STASH, false)) {
            return;
        }
        let damaged = |what| sides.into_iter().find(|side| self.side(*side).damaged.contains(what));
        let name = damaged(STASH).map(|side| (side, held::stash_name(side)));
        if let Some((side, why)) =
            name.or_else(|| damaged(STASH_LOG).map(|side| (side, held::stash_log(side))))
        {
            self.waits.push(held::stash(side, why));
            // What it does not have any more when it can be read again was not dropped there.
            plan.base.stash.clear();
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
        let known = |oid: &&Oid| !base.stash.contains(oid) && !here.contains(oid);
        for oid in there.iter().filter(known).filter(|oid| refused.contains(oid)) {
            self.waits.push(held::stash(Which::Here, held::stash_refused(oid)));
        }
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
        let changed =
            |name: &&Name| base.origin.get(name) != here.get(name) && there.get(name) != here.get(name);
        let want = all.into_iter().filter(changed).map(|name| (name, here.get(name))).collect();
        for name in self.shown(Which::There, "refs/remotes/origin/", there, want, &mut plan.there.refs) {
            locks::as_before(&mut plan.base.origin, &name, base.origin.get(&name));
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
            let has = &self.side(side).published.clone();
            let names: BTreeSet<&Name> = want.keys().chain(before.keys()).collect();
            let changed = names.into_iter().filter(|name| has.get(*name) != want.get(*name));
            let changed = changed.map(|name| (name, want.get(name))).collect();
            let prefix = format!("refs/remotes/{}/", side.shows());
            for name in self.shown(side, &prefix, has, changed, &mut moves.refs) {
                locks::as_before(after, &name, before.get(&name));
            }
        }
    }

    /// Moves names that only show what another place has. Gives those that wait.
    fn shown(
        &mut self,
        side: Which,
        prefix: &str,
        has: &BTreeMap<Name, Oid>,
        mut want: Vec<(&Name, Option<&Oid>)>,
        moves: &mut Vec<RefMove>,
    ) -> Vec<Name> {
        let mut will: BTreeSet<String> = has.keys().map(Name::to_string).collect();
        let mut wait = Vec::new();
        // What goes makes room.
        want.sort_by_key(|(_, new)| new.is_some());
        for (name, new) in want {
            let full = format!("{prefix}{name}");
            if self.waits_for_lock(side, &full, new.is_none()) {
                wait.push(name.clone());
                continue;
            }
            let fresh = new.is_some() && !has.contains_key(name);
            if let Some(other) = in_the_way(&will, name.as_str()).filter(|_| fresh) {
                let why = held::shown_in_the_way(side, &format!("{prefix}{other}"));
                self.wait(prefix, name, side, why);
                wait.push(name.clone());
                continue;
            }
            match new {
                Some(_) => drop(will.insert(name.to_string())),
                None => drop(will.remove(name.as_str())),
            }
            moves.push(RefMove { name: full, old: has.get(name).cloned(), new: new.cloned(), early: false });
        }
        wait
    }
}

/// A name that cannot be there beside this one: `a` and `a/b`.
fn in_the_way<'a>(names: &'a BTreeSet<String>, name: &str) -> Option<&'a String> {
    let below = format!("{name}/");
    let under = names.range(below.clone()..).next().filter(|other| other.starts_with(&below));
    under.or_else(|| name.match_indices('/').find_map(|(at, _)| names.get(&name[..at])))
}

/// What has to go before others can be made.
fn mark_early(refs: &mut [RefMove]) {
    let made: BTreeSet<String> =
        refs.iter().filter(|one| one.old.is_none()).map(|one| one.name.clone()).collect();
    for one in refs.iter_mut().filter(|one| one.new.is_none()) {
        one.early = in_the_way(&made, &one.name).is_some();
    }
}

/// Is something staged on the host which git here refused, and which this side would have to have?
fn staged_refused(asked: &Question<'_>, base: &Base) -> bool {
    let index = asked.there.index.tree();
    asked.there.wrap.as_ref().is_some_and(|wrap| asked.refused.contains(wrap))
        && index != asked.here.index.tree()
        && index != base.index
}

pub(super) mod held;
pub mod locks;
#[cfg(test)]
mod tests;
