//! What is held though it would follow, and what a person is told about it: each text ends with the way out.

use std::collections::{BTreeMap, BTreeSet};

use super::{BRANCHES, Fates, Heads, MOST_AT_ONCE, STASH, STASH_LOG, Waits, Work, in_the_way};
use crate::git::state::{Name, Oid, Which};
use crate::process::quote::posix;

/// What is staged on the host cannot come.
pub(super) const STAGED: &str =
    "git here refused what is staged on the host: `git reset` on the host takes it out of what is staged";

/// The commit that the host went to cannot come.
pub(super) const REFUSED_COMMIT: &str =
    "git here refused what the host sent: go to another commit on the host (`git switch BRANCH`)";

fn other(side: Which) -> Which {
    match side {
        Which::Here => Which::There,
        Which::There => Which::Here,
    }
}

/// A name that git cannot read, and what it is on the other side.
pub(super) fn damaged(side: Which, full: &str, on_the_other: Option<&Oid>) -> String {
    let (at, file) = (side.at(), posix(&format!(".git/{full}")));
    let way = match on_the_other {
        Some(oid) => format!("`echo {oid} >{file}` {at} makes it as on the other side"),
        None => format!("`rm {file}` {at} deletes it"),
    };
    format!("git cannot read it {at}: it is damaged. {way}")
}

/// A branch or tag that git here refused.
pub(super) fn refused(prefix: &str, name: &Name) -> String {
    let (how, name) = (if prefix == BRANCHES { "branch -D" } else { "tag -d" }, posix(name.as_str()));
    format!(
        "git here refused what the host sent: put another commit there, or delete it there (`git {how} {name}`)"
    )
}

/// HEAD would follow to a branch that waits.
pub(super) fn waits_itself(name: &Name) -> String {
    format!("`{name}` waits itself: it follows when that is settled")
}

/// HEAD would follow to a branch that differs.
pub(super) fn to_be_joined(name: &Name) -> String {
    format!("`{name}` is not the same on both sides: `sinc git join {}`", posix(name.as_str()))
}

/// A branch that another worktree stands on.
pub(in crate::git) fn elsewhere(side: Which, what: &str) -> String {
    let at = side.at();
    format!(
        "{what} stands in another worktree {at}: go to another branch in it (`git worktree list` {at} names it)"
    )
}

/// A name that only shows something is in the way of another.
pub(super) fn shown_in_the_way(side: Which, full: &str) -> String {
    let at = side.at();
    format!("`{full}` {at} is in its way: `git update-ref -d {}` {at}", posix(full))
}

/// Stashes wait on a side.
pub(in crate::git) fn stash(side: Which, why: String) -> Waits {
    Waits { name: STASH.to_owned(), side, why }
}

/// The log that says which stashes there are says less than git itself. What git itself leads to may be on no other side.
pub(super) fn stash_log(side: Which) -> String {
    let at = side.at();
    format!(
        "the list of stashes {at} is damaged or was emptied (`git reflog expire --all`): `{{ cut -d \" \" -f 2 .git/{STASH_LOG}; \
         git rev-parse {STASH}; }} >.git/stashes && git stash clear && xargs -n 1 git stash store <.git/stashes` {at} puts those that \
         git there still knows on a new one, and those of the other side come back"
    )
}

/// The log is there, and git cannot read the name of the newest.
pub(super) fn stash_name(side: Which) -> String {
    let at = side.at();
    format!(
        "git cannot read the newest stash {at}: it is damaged. `tail -n 1 .git/{STASH_LOG} | cut -d \" \" -f 2 >.git/{STASH}` {at} \
         makes it as it was; where git cannot read it then, `rm .git/{STASH}` {at}, and those of the other side come back"
    )
}

/// A stash of the host's that git here refused.
pub(super) fn stash_refused(oid: &Oid) -> String {
    format!(
        "git here refused the host's stash {}: drop it there (`git stash list --format=%h` names its place)",
        oid.short()
    )
}

/// Stashes that git on a side did not take, or did not drop.
pub(in crate::git) fn stash_stays(side: Which, taken: bool) -> String {
    let (at, what) = (side.at(), if taken { "take" } else { "drop" });
    format!(
        "git {at} did not {what} a stash: it is tried again; is there a `.git/logs/refs/stash.lock`, or a full disk, {at}?"
    )
}

impl Work<'_> {
    /// More than a few branches that would be deleted or set back here because the host did so wait for a person, each until
    /// it is answered: `before` have waited already. Gives those that wait now.
    pub(super) fn hold_many(&mut self, branches: &mut Fates, before: &BTreeSet<Name>) -> BTreeSet<Name> {
        let asked = self.asked;
        let here = &asked.here.branches;
        let takes_away = |(name, fate): &(&Name, &mut super::Fate)| {
            let Some(old) = here.get(name).filter(|_| fate.moves() == Some(Which::Here)) else {
                return false;
            };
            fate.value.as_ref().is_none_or(|new| !(asked.ancestor)(old, new))
        };
        let mut many: Vec<_> = branches.iter_mut().filter(takes_away).collect();
        let count = many.len();
        if count <= MOST_AT_ONCE {
            many.retain(|(name, _)| before.contains(name));
        }
        let held = many.iter().map(|(name, _)| (*name).clone()).collect();
        for (name, fate) in many {
            fate.waits = true;
            let join = format!("sinc git join {}", posix(name.as_str()));
            let why = format!(
                "the host deletes or sets back many branches at once: `{join} --theirs` follows it, `{join} --mine` brings it back there"
            );
            self.waits.push(Waits { name: format!("{BRANCHES}{name}"), side: Which::Here, why });
        }
        held
    }

    /// What cannot be moved on the side that would follow. `others` are the names of tags here, where these are branches, and the
    /// other way round: git would take a new one of the host's for what already has that name.
    pub(super) fn hold_impossible(&mut self, prefix: &str, fates: &mut Fates, others: &BTreeSet<Name>) {
        for side in [Which::Here, Which::There] {
            if prefix == BRANCHES {
                self.hold_elsewhere(side, fates);
            }
            let state = self.side(side);
            let had = if prefix == BRANCHES { &state.branches } else { &state.tags }.clone();
            let mut will: BTreeSet<String> = had.keys().map(Name::to_string).collect();
            for (name, fate) in fates.iter().filter(|(_, fate)| fate.moves() == Some(side)) {
                if fate.value.is_some() {
                    will.insert(name.to_string())
                } else {
                    will.remove(name.as_str())
                };
            }
            let mut folded: BTreeMap<String, Vec<&String>> = BTreeMap::new();
            for name in &will {
                folded.entry(name.to_lowercase()).or_default().push(name);
            }
            let comes = |name: &Name, fate: &super::Fate| {
                fate.moves() == Some(side) && fate.value.is_some() && !had.contains_key(name)
            };
            for (name, fate) in fates.iter_mut().filter(|(name, fate)| comes(name, fate)) {
                let twins = folded.get(&name.as_str().to_lowercase());
                let twin = twins.and_then(|all| all.iter().find(|other| other.as_str() != name.as_str()));
                let why = if let Some(other) = twin {
                    format!("`{other}` differs from it only in case")
                } else if let Some(other) = in_the_way(&will, name.as_str()) {
                    format!("`{other}` is in its way")
                } else if let Some(taken_for) = self.taken_for(prefix, name, side, others) {
                    // The host cannot make anybody believe what a remote has, or what a person's own branch or tag is.
                    let (at, word) = (other(side).at(), posix(name.as_str()));
                    let how = if prefix == BRANCHES {
                        format!("git branch -m {word} NEW")
                    } else {
                        format!("git tag -d {word}")
                    };
                    fate.waits = true;
                    self.wait(
                        prefix,
                        name,
                        side,
                        format!("git here would take it for {taken_for}: `{how}` {at}"),
                    );
                    continue;
                } else {
                    continue;
                };
                fate.waits = true;
                let (at, word) = (other(side).at(), posix(name.as_str()));
                let how = if prefix == BRANCHES {
                    format!("rename one of them (`git branch -m {word} NEW` {at})")
                } else {
                    format!("delete one of them (`git tag -d {word}` {at})")
                };
                self.wait(prefix, name, side, format!("{why}: {how}"));
            }
        }
    }

    /// What git here would take a new branch or tag of the host's for.
    fn taken_for(&self, prefix: &str, name: &Name, side: Which, others: &BTreeSet<Name>) -> Option<String> {
        if side == Which::There {
            return None;
        }
        let kind = if prefix == BRANCHES { "tag" } else { "branch" };
        match self.side(side).remote_of(name, side) {
            Some(remote) => Some(format!("what the remote `{remote}` has")),
            None => others.contains(name).then(|| format!("the {kind} of that name, or the other way round")),
        }
    }

    /// What stands in another worktree, or only for another branch.
    fn hold_elsewhere(&mut self, side: Which, branches: &mut Fates) {
        for (name, fate) in branches.iter_mut().filter(|(_, fate)| fate.moves() == Some(side)) {
            if self.side(side).symbolic.contains(name) {
                let way = format!(
                    "`git symbolic-ref -d {}` {} frees it",
                    posix(&format!("refs/heads/{name}")),
                    side.at()
                );
                fate.waits = true;
                self.wait(
                    BRANCHES,
                    name,
                    side,
                    format!("it only stands for another branch {}: {way}", side.at()),
                );
            } else if self.side(side).elsewhere.contains(name) {
                fate.waits = true;
                self.wait(BRANCHES, name, side, elsewhere(side, "it"));
                self.locked = true;
            }
        }
    }

    /// While the HEADs differ, the branch that a side stands on is not moved under it: what is staged could not follow. Nor is it
    /// where what is staged on the host cannot come.
    pub(super) fn hold_where_one_stands(&mut self, branches: &mut Fates, heads: &Heads) {
        let together = heads.here == heads.there;
        if together && !self.staged_refused {
            return;
        }
        // With the commit that it is on top of it is refused anyhow.
        let own = self.asked.there.commit().is_none_or(|commit| !self.asked.refused.contains(commit));
        if together && own {
            self.waits.push(Waits { name: "index".to_owned(), side: Which::Here, why: STAGED.to_owned() });
        }
        for (side, head) in [(Which::Here, &heads.here), (Which::There, &heads.there)] {
            let Some(name) = head.branch() else { continue };
            if let Some(fate) = branches.get_mut(name).filter(|fate| fate.moves() == Some(side)) {
                fate.waits = true;
                let why = if together {
                    STAGED.to_owned()
                } else {
                    let (at, word) = (other(side).at(), posix(name.as_str()));
                    format!("it stands on it, and the other side stands elsewhere: `git switch {word}` {at}")
                };
                self.wait(BRANCHES, name, side, why);
            }
        }
    }
}
