//! One cycle: both sides are looked at, what the host says is checked, its history fetched; it is decided what moves; ours is
//! sent; the files are brought in step; the host moves, then this side; what both have in common is written down last. Every step
//! can be repeated, so one that is cut off anywhere is made good by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::decide::{Differs, Moves, Plan, Question, Staged, Waits, decide, held};
use super::local::Local;
use super::state::{Head, Index, Name, Oid, Snapshot, State, Tool, Which, parse};
use super::transport::{Tell, Transport};
use super::{APPLY, SETUP, SNAPSHOT, apply, base, left_out, limits, merge, setup, unsent};
use crate::ignore::is_misleading;
use crate::remote::{Reply, Script};

/// Runs a script with words on the host and gives its answer.
pub type Ask<'a> = &'a (dyn Fn(&str, &Script, &[String]) -> Result<Vec<u8>> + Sync);

/// What is waited for until the files are in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A cycle of the sync that runs, or that something has called for.
    Pending,
    /// A whole one, begun after the call.
    Whole,
}

/// What a cycle of the sync could not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// On which side.
    pub side: Which,
    /// The path below the project; empty for all of it.
    pub path: String,
    /// What a person is told.
    pub why: String,
}

/// What a cycle of the sync came to: what it could not write; or why there was none.
pub type FilesCycle = Result<Vec<Unwritten>, String>;

/// Brings the files in step.
pub type Files<'a> = &'a (dyn Fn(Wait) -> FilesCycle + Sync);

/// The two sides.
pub struct Sides<'a> {
    /// The repository here.
    pub local: Local,
    /// The directory on the host.
    pub directory: String,
    /// How scripts are run there.
    pub ask: Ask<'a>,
    /// How history goes there and comes back.
    pub transport: Transport,
    /// How the files are brought in step.
    pub files: Files<'a>,
    /// Where is written what both have in common.
    pub base: PathBuf,
    /// What the sync leaves out.
    pub ignores: Vec<String>,
    /// The person's excludes, where git's settings name no other file.
    pub excludes: PathBuf,
    /// Shows how far what is sent is.
    pub tell: Option<Tell<'a>>,
}

/// What is remembered from one cycle to the next: objects of the host's that were refused here, and of ours that were there, and why.
pub type Refused = BTreeMap<Oid, String>;

/// What so many ids lead to is packed to go with what is asked anyway: they are one word of a command, which may have 128 KiB.
const MOST_GIVEN: usize = 300;

/// And so many may be there that it is packed against: they are words of one command.
const MOST_HAD: usize = 10_000;

/// A whole question to the host is one word there; a little is left for what surrounds it.
const LONGEST: usize = 124 * 1024;

/// How a move says that more files are not there than it names. No path of git's.
const ANY: &str = "/";

/// What a cycle came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is shared, for this reason; without one there is no repository here.
    Off(Option<String>),
    /// Nothing was moved, because something is going on; soon again.
    Held(String),
    /// Something was not any more as it had been: at once again.
    Again(String),
    /// All that can be is in step.
    Done(Box<Report>),
}

/// What is known after a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Did anything move?
    pub moved: bool,
    /// Where HEAD points, on both sides.
    pub heads: (Head, Head),
    /// What was moved on both sides.
    pub differs: Vec<Differs>,
    /// What waits.
    pub waits: Vec<Waits>,
    /// Branches among these that the host has deleted or set back with many others.
    pub held: BTreeSet<Name>,
    /// Something of that waits for a lock or another worktree, of which nobody tells that it is free.
    pub locked: bool,
    /// What a person should know though it works.
    pub notes: Vec<String>,
}

/// What came of looking at both sides.
pub enum Looked {
    /// Nothing can be done, and why.
    Stopped(Outcome),
    /// Both have a repository.
    Both(Box<State>, Box<State>),
}

impl Sides<'_> {
    /// Looks at both sides. Where the host has no repository yet, or one that sinc has not set up, it gets that if `make`.
    ///
    /// # Errors
    /// A side cannot be asked, or its answer is not understood.
    pub fn look(&self, make: bool) -> Result<Looked> {
        let stop = |why: Option<String>| Ok(Looked::Stopped(Outcome::Off(why)));
        let (here, there) = std::thread::scope(|scope| {
            let known = base::read(&self.base).map(|base| base.known()).unwrap_or_default();
            let ask = self.ask;
            let asked = scope.spawn(move || ask("look at the host's repository", &SNAPSHOT, &known));
            let here = self.local_script("look at the repository", &SNAPSHOT, &[]);
            (here, asked.join().unwrap_or_else(|_| Err(anyhow::anyhow!("asking the host broke off"))))
        });
        let here = match parse(&here?, Which::Here)? {
            Snapshot::Here(state) => state,
            other => return stop(limits::not_here(&other, self.local.project())),
        };
        let tool = |state: &State| Tool {
            version: state.version,
            filters: state.filters.clone(),
            partial: state.limits.contains("partial"),
            sparse: state.limits.contains("sparse"),
        };
        let mut there = match parse(&there?, Which::There)? {
            Snapshot::Here(state) => state,
            // Who commits may not be set yet; there is nothing to be shared either.
            Snapshot::None(_) if here.branches.is_empty() && here.at.is_none() => {
                return stop(Some("there is no commit here yet".to_owned()));
            }
            Snapshot::None(there) => {
                // Before it is made: what cannot be shared leaves nothing there.
                if let Some(why) = limits::refused(&tool(&here), &there) {
                    return stop(Some(why));
                }
                if !make {
                    return stop(Some("the host has no repository yet".to_owned()));
                }
                // Something that both have in common there cannot be: there was no repository.
                let _ = std::fs::remove_file(&self.base);
                let words = setup::words(&self.local, &here, &self.excludes)?;
                let reply = lines(&(self.ask)("make the host's repository", &SETUP, &words)?);
                if let Some(why) = reply.get("refused") {
                    return stop(Some(format!("the host's repository cannot be made: {why}")));
                }
                return self.look(false);
            }
            other => return stop(limits::not_there(&other)),
        };
        if base::read(&self.base).is_some_and(|base| !base.is_of(&there)) {
            let _ = std::fs::remove_file(&self.base);
        }
        if let Some(why) = limits::refused(&tool(&here), &tool(&there)) {
            return stop(Some(why));
        }
        if there.plain && make {
            let words = setup::words(&self.local, &here, &self.excludes)?;
            let reply = lines(&(self.ask)("set up the host's repository", &SETUP, &words)?);
            // That it cannot be done now keeps nobody back: it is noted.
            there.plain = !reply.contains_key("end");
        }
        Ok(Looked::Both(here, there))
    }

    /// Fetches what the host has and this side lacks; notes what is refused.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub fn fetch(&self, here: &State, there: &State, refused: &mut Refused) -> Result<()> {
        let known = here.named();
        let wanted: BTreeSet<&Oid> = there
            .named()
            .into_iter()
            .filter(|oid| !known.contains(oid) && !refused.contains_key(*oid))
            .collect();
        let mut missing = self.local.missing(&wanted)?;
        if (1..=MOST_GIVEN).contains(&missing.len())
            && let Some(pack) = &there.pack
            && self.local.take(&missing, pack)?
        {
            missing.clear();
        }
        refused.extend(self.transport.fetch(&self.local, &missing)?);
        // Git moves a branch or a stash to nothing but a commit, and one that it refuses would stop all others.
        let own: BTreeSet<&Oid> = here.branches.values().chain(&here.stash).chain(here.commit()).collect();
        let commits = there.branches.values().chain(&there.stash).chain(there.commit());
        let commits = commits.filter(|oid| !own.contains(oid) && !refused.contains_key(*oid)).collect();
        let odd = self.local.no_commits(&commits)?;
        refused.extend(odd.into_iter().map(|oid| (oid, "it is no commit".to_owned())));
        Ok(())
    }

    /// What a person should know of tracked files that the sync leaves out.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn left_out(&self) -> Result<Option<left_out::Note>> {
        let cmd = self.local.git("list what is tracked").args(["ls-files", "-z"]);
        let tracked = self.local.runner().answer(&cmd)?.stdout;
        Ok(left_out::note(tracked.split(|byte| *byte == 0), &self.ignores))
    }

    /// What a person should know of files here that git on the host, or the other way round, does not see as they are.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn notes_of_files(&self) -> Result<Vec<String>> {
        let ask = |cmd| -> Result<Vec<u8>> { Ok(self.local.runner().answer(&cmd)?.stdout) };
        let flags = ask(self.local.git("list what is tracked").args(["ls-files", "-v", "-z"]))?;
        // No filter is run, and no program that shows what differs.
        let changed = self.local.git_with("look for changed files", &self.local.no_filters()?).args([
            "diff",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=dirty",
            "--no-renames",
            "--name-only",
            "-z",
        ]);
        let changed = ask(changed)?;
        let nested = nested(&self.local)?;
        let all = [
            left_out::flagged(flags.split(|byte| *byte == 0)),
            left_out::stale(changed.split(|byte| *byte == 0), &self.ignores),
            left_out::repositories(&nested),
        ];
        Ok(all.into_iter().flatten().collect())
    }

    /// Decides what is to be moved.
    #[must_use]
    pub fn decide(&self, here: &State, there: &State, refused: &Refused) -> Plan {
        let refused: BTreeSet<Oid> = refused.keys().cloned().collect();
        let known = base::read(&self.base);
        let ancestor = |first: &Oid, second: &Oid| self.local.is_ancestor(first, second);
        decide(&Question { here, there, base: known.as_ref(), refused: &refused, ancestor: &ancestor })
    }

    /// Runs a cycle.
    ///
    /// # Errors
    /// A side cannot be asked, the line is lost, or git fails.
    pub fn run(&self, refused: &mut Refused, only_current: bool) -> Result<Outcome> {
        let (mut here, there) = match self.look(true)? {
            Looked::Stopped(outcome) => return Ok(outcome),
            Looked::Both(here, there) => (here, there),
        };
        if let Some(why) = busy(&here, &there) {
            return Ok(Outcome::Held(why));
        }
        if only_current && there.branches.is_empty() {
            keep_current(&mut here);
        }
        self.fetch(&here, &there, refused)?;
        let knows = |wrap: &Oid| !refused.contains_key(wrap);
        if there
            .wrap
            .as_ref()
            .is_some_and(|wrap| knows(wrap) && self.local.tree_of(wrap) != there.index.tree())
        {
            anyhow::bail!("what the host says is staged is not what it sent");
        }
        let mut plan = self.decide(&here, &there, refused);
        unsent::withhold(&mut plan, base::read(&self.base).as_ref(), (&here, &there), refused)?;
        self.carry_out(&here, &there, plan, refused)
    }

    fn carry_out(
        &self,
        here: &State,
        there: &State,
        mut plan: Plan,
        refused: &mut Refused,
    ) -> Result<Outcome> {
        let (mut index_here, mut index_there) = (None, None);
        let mut needed: BTreeSet<Oid> = plan.there.needs().cloned().collect();
        match &plan.staged {
            Staged::Take(Which::Here) => index_here = there.index.tree(),
            Staged::Take(Which::There) => {
                index_there = here.index.tree();
                needed.extend(here.wrap.iter().chain(here.commit()).cloned());
            }
            Staged::Merge(follower) => {
                let agreed = plan.base.index.clone();
                let merged = merge::merge(&self.local, *follower, (here, there), agreed.as_ref())?;
                for (side, state, text) in [
                    (Which::There, there, "what was staged on the host"),
                    (Which::Here, here, "what was staged here"),
                ] {
                    let wrap = state.wrap.iter().filter(|_| merged.overruled.contains(&side));
                    plan.here.keep.extend(wrap.map(|oid| (oid.clone(), text.to_owned())));
                }
                let on = match follower {
                    Which::Here => there.commit(),
                    Which::There => here.commit(),
                };
                needed.insert(self.local.wrap(&merged.tree, on)?);
                plan.base.index = Some(merged.tree.clone());
                (index_here, index_there) = (Some(merged.tree.clone()), Some(merged.tree));
            }
            Staged::Same | Staged::Apart => {}
        }
        // What the sync leaves out is told git on the host with what is staged, and once more where it is another now.
        let left_out = left_out::mark(&self.ignores);
        let before = base::read(&self.base).map(|base| base.left_out);
        let told = before.clone().flatten();
        let tell =
            matches!(there.index, Index::Tree(_)) && before.is_some() && told.as_ref() != Some(&left_out);
        if tell && index_there.is_none() {
            index_there = there.index.tree();
        }
        if index_there.is_some() {
            plan.base.left_out = Some(left_out);
        }
        let known = there.named();
        needed.retain(|oid| !known.contains(oid));
        let known = known.into_iter().filter(|oid| !refused.contains_key(*oid)).cloned().collect();
        let mut pack = match self.give(&needed, &known, refused)? {
            Given::With(pack) => Some(pack),
            Given::Before => None,
            Given::NotAll => return Ok(not_all()),
        };
        // Files first: with old files under a new HEAD, `git commit -a` would take the other side's commit back.
        let stands = |moves: &Moves, head: &Head| {
            let own = head.branch().map(|name| format!("refs/heads/{name}"));
            moves.head.is_some() || moves.refs.iter().any(|one| Some(&one.name) == own.as_ref())
        };
        let sides = [
            (Which::There, there, &plan.there, &index_there, stands(&plan.there, &there.head)),
            (Which::Here, here, &plan.here, &index_here, stands(&plan.here, &here.head)),
        ];
        // Mostly the cycle that the change itself has called for has brought them, which the side that moves can tell by what is
        // staged then. Where it cannot, a whole cycle is waited for.
        let mut in_step = sides.iter().all(|(_, _, _, index, stands)| index.is_none() && !stands);
        let wait = if sides.iter().any(|(_, state, _, index, stands)| {
            index.is_none() && *stands || index.is_some() && !state.filters.0.is_empty()
        }) || tell && told.is_some()
        {
            Wait::Whole
        } else {
            Wait::Pending
        };
        let mut unwritten = Vec::new();
        if !in_step {
            match ((self.files)(wait), wait) {
                (Err(why), Wait::Whole) => return Ok(not_in_step(&why)),
                (Ok(all), Wait::Whole) => (in_step, unwritten) = (all.is_empty(), all),
                (_, Wait::Pending) => {}
            }
        }
        let mut moved = false;
        let mut base = plan.base.clone();
        for (which, state, moves, index, _) in sides {
            let moves_something = !moves.is_empty() || index.is_some();
            // A move that was cut off at its end may have left names under which something came in.
            let left_over = state.incoming && which == Which::There;
            if !moves_something && !left_over {
                continue;
            }
            moved |= moves_something;
            for mut words in apply::calls(state, moves, index.as_ref()) {
                if which == Which::There && index.is_some() {
                    words.extend(left_out::words(&self.ignores));
                }
                let mut looks = true;
                let answer = loop {
                    let mut all = Vec::new();
                    if which == Which::There {
                        all.extend(pack.as_ref().map(|pack| apply::pack(&needed, pack)));
                    }
                    all.extend(words.iter().cloned());
                    all.extend((looks && !in_step && index.is_some()).then(|| apply::VERIFY.to_owned()));
                    if which == Which::There && pack.is_some() && !self.fits(&all) {
                        if !self.send(&needed, refused)? {
                            return Ok(not_all());
                        }
                        pack = None;
                        continue;
                    }
                    let answer = match which {
                        Which::There => (self.ask)("move the host's repository", &APPLY, &all)?,
                        Which::Here => self.local_script("move the repository", &APPLY, &all)?,
                    };
                    match lines(&answer).get("refused").map(String::as_str) {
                        Some("pack") => {
                            if !self.send(&needed, refused)? {
                                return Ok(not_all());
                            }
                            pack = None;
                        }
                        Some("files") if !in_step && unwritten.is_empty() => {
                            match (self.files)(Wait::Whole) {
                                Err(why) => return Ok(not_in_step(&why)),
                                Ok(all) => (in_step, unwritten) = (all.is_empty(), all),
                            }
                        }
                        Some("files") if looks && !in_step => {
                            // One of those that it could not write is git's. Others were changed since, and are nothing to it.
                            if let Some(one) = of_these(&unwritten, which, &answer) {
                                return Ok(not_in_step(&one.why));
                            }
                            looks = false;
                        }
                        Some(why) => {
                            let side = if which == Which::Here { "here" } else { "on the host" };
                            return Ok(Outcome::Again(format!("{why} {side} is not as it was")));
                        }
                        None => break answer,
                    }
                };
                if which == Which::There {
                    pack = None;
                }
                lines(&answer).get("moved").context("a move of the repository broke off")?;
                // It is tried again; and nobody takes it for dropped, or for a new one.
                let left = stashes(&answer, "left ");
                let stays = stashes(&answer, "stays ");
                for (some, taken) in [(&left, true), (&stays, false)] {
                    if !some.is_empty() {
                        plan.waits.push(held::stash(which, held::stash_stays(which, taken)));
                    }
                }
                base.stash.retain(|oid| !left.contains(oid));
                base.stash.extend(stays);
            }
        }
        if base::read(&self.base).as_ref() != Some(&base) {
            base::write(&self.base, &base)?;
        }
        Ok(Outcome::Done(Box::new(Report {
            moved,
            heads: (
                plan.here.head.clone().unwrap_or(here.head.clone()),
                plan.there.head.clone().unwrap_or(there.head.clone()),
            ),
            differs: plan.differs,
            waits: plan.waits,
            held: plan.base.held,
            locked: plan.locked,
            notes: limits::notes(here, there),
        })))
    }

    /// Can the host be asked for this move in one go?
    fn fits(&self, words: &[String]) -> bool {
        let all: Vec<&str> =
            std::iter::once(self.directory.as_str()).chain(words.iter().map(String::as_str)).collect();
        APPLY.command(&all).len() <= LONGEST
    }

    /// Packs what the host needs, to go with its move; what is much is sent at once.
    fn give(&self, needed: &BTreeSet<Oid>, has: &BTreeSet<Oid>, refused: &mut Refused) -> Result<Given> {
        if needed.is_empty() {
            return Ok(Given::Before);
        }
        let little = needed.len() <= MOST_GIVEN && has.len() <= MOST_HAD;
        let pack = if little { self.local.give(needed, has)? } else { None };
        Ok(match pack {
            Some(pack) => Given::With(pack),
            None if self.send(needed, refused)? => Given::Before,
            None => Given::NotAll,
        })
    }

    /// Sends what is needed. Was all of it taken?
    fn send(&self, needed: &BTreeSet<Oid>, refused: &mut Refused) -> Result<bool> {
        let not_taken = self.transport.push(&self.local, needed, self.tell)?;
        // What has been known before is needed all the same.
        if let Some((oid, why)) = not_taken.iter().find(|(oid, _)| refused.contains_key(*oid)) {
            anyhow::bail!("git on the host does not take {}: {why}", oid.short());
        }
        let all = not_taken.is_empty();
        refused.extend(not_taken);
        Ok(all)
    }

    fn local_script(&self, why: &str, script: &Script, words: &[String]) -> Result<Vec<u8>> {
        self.local.script(why, script, words)
    }
}

/// How the host gets what it needs.
enum Given {
    /// With its move.
    With(String),
    /// It has it.
    Before,
    /// It does not take all of it.
    NotAll,
}

/// The next cycle withholds it.
fn not_all() -> Outcome {
    Outcome::Again("what git on the host takes".to_owned())
}

fn not_in_step(why: &str) -> Outcome {
    Outcome::Held(format!("the files are not in step: {why}"))
}

/// The first of what could not be written on a side that is one of the files which its answer names, is above one, or below.
fn of_these<'a>(unwritten: &'a [Unwritten], side: Which, answer: &[u8]) -> Option<&'a Unwritten> {
    let text = String::from_utf8_lossy(answer);
    let files: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("file ")).collect();
    // Where it cannot say which, and of a name that git quotes: each may be meant.
    let any = files.is_empty() || files.iter().any(|file| *file == ANY || file.starts_with('"'));
    let below = |path: &str, dir: &str| {
        dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let meant =
        |one: &&Unwritten| any || files.iter().any(|file| below(file, &one.path) || below(&one.path, file));
    unwritten.iter().filter(|one| one.side == side).find(meant)
}

/// A first time, only what is needed to begin goes.
fn keep_current(here: &mut State) {
    let own = here.head.branch().cloned();
    here.branches.retain(|name, _| Some(name) == own.as_ref());
    here.tags.clear();
    here.origin.clear();
    here.stash.clear();
}

/// Directories here that git takes for repositories of their own and does not track.
///
/// # Errors
/// Git cannot be asked.
pub(super) fn nested(local: &Local) -> Result<Vec<String>> {
    let words = ["ls-files", "-o", "--directory", "--exclude-standard", "-z"];
    let said = local.runner().answer(&local.git("look for repositories in it").args(words))?.stdout;
    let directories = said.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok());
    let is = |path: &&str| path.ends_with('/') && local.project().join(path).join(".git").exists();
    Ok(directories.filter(is).map(str::to_owned).collect())
}

/// The stashes that git would not take, or not drop.
fn stashes(answer: &[u8], key: &str) -> Vec<Oid> {
    let text = String::from_utf8_lossy(answer);
    text.lines().filter_map(|line| Oid::parse(line.strip_prefix(key)?)).collect()
}

/// The lines of an answer, by their keys.
pub(super) fn lines(answer: &[u8]) -> BTreeMap<String, String> {
    let answer = crate::remote::Answer { bytes: answer.to_vec(), ..Default::default() };
    // It may be told to a person, and a host can say anything.
    let plain = |text: &str| text.chars().map(|c| if is_misleading(c) { '?' } else { c }).collect();
    Reply::of(&answer).lines().map(|(key, value)| (key.to_owned(), plain(value))).collect()
}

/// What keeps everything where it is.
#[must_use]
pub fn busy(here: &State, there: &State) -> Option<String> {
    for (state, side) in [(here, "here"), (there, "on the host")] {
        if let Some(what) = state.busy.first() {
            if state.old.contains(what) {
                // One who writes the message of a commit keeps it as long.
                return Some(format!(
                    "git has kept .git/{what} {side} for minutes: if none works any more, `rm .git/{what}` {side}"
                ));
            }
            let what = match what.as_str() {
                "MERGE_HEAD" => "a merge is in progress",
                "CHERRY_PICK_HEAD" | "sequencer" => "a cherry-pick is in progress",
                "REVERT_HEAD" => "a revert is in progress",
                "rebase-merge" | "rebase-apply" => "a rebase is in progress",
                "index.lock" | "HEAD.lock" => "git is at work",
                _ => "something is being changed",
            };
            return Some(format!("{what} {side}"));
        }
        if state.index.tree().is_none() {
            return Some(format!("there are conflicts to be settled in what is staged {side}"));
        }
    }
    None
}
