//! What sinc keeps before something takes its place: on the side where it was, moved there, not copied.
//!
//! `<state>/backups/<session>/<time>/files/<path>`, with a small `index` beside that says what, from where and why.

mod index;
mod retention;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

pub use retention::{Limits, outdated};

use crate::listing::{TEMPORARY_PREFIX, decode, encode};
use crate::process::{Cmd, Runner};
use crate::remote::{Answer, Remote, Reply, Script};

static BACKUP: Script = Script::new(include_str!("backup.sh"));

/// The scripts of this module, for the test of all scripts.
#[must_use]
pub fn scripts() -> [(&'static str, &'static Script); 1] {
    [("backup.sh", &BACKUP)]
}

/// How long moving files aside may take: to another file system they are copied.
const DEADLINE: Duration = Duration::from_secs(600);

/// The script's code for: something took the place meanwhile.
const TAKEN: i32 = 96;

/// How often something is brought back over what takes its place meanwhile.
const RESTORE_TRIES: u32 = 3;

/// Where backups lie: one side of a session.
#[derive(Clone, Debug)]
pub struct Keeper<'a> {
    side: Side<'a>,
    id: String,
    /// Whose backups these are to be.
    machine: String,
}

#[derive(Clone, Debug)]
enum Side<'a> {
    Here { runner: &'a Runner, state: String },
    There(&'a Remote),
}

/// A backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Its name: when it was made.
    pub name: String,
    /// Its directory; what was kept is in `files` there.
    pub place: String,
    /// When it was made, seconds since 1970.
    pub made: u64,
    /// The id of the computer that made it.
    pub by: String,
    /// What was done then.
    pub why: String,
    /// The first paths.
    pub paths: Vec<PathBuf>,
    /// How many paths.
    pub count: u64,
    /// What it takes of the disk, KiB: what the limit counts.
    pub kib: u64,
    /// The sizes of all files in it, bytes.
    pub bytes: u64,
    /// Its conflict is over, so it may go when its time has come.
    pub settled: bool,
}

/// What became of a path that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the backup.
    Kept,
    /// There was nothing.
    Gone,
    /// It could not be moved, and is where it was.
    Failed(
        /// Why.
        String,
    ),
}

/// A backup that was made just now.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Its directory; what was kept is in `files` there.
    pub place: String,
    /// Each path that was asked for, and what became of it.
    pub paths: Vec<(PathBuf, Outcome)>,
}

/// The backups of a side that have something of a path, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The names of those that have all of it: it was kept itself, or with what is above it.
    pub names: Vec<String>,
    /// Those that have only something below it, each with the first few paths of that.
    pub below: Vec<(String, Vec<PathBuf>)>,
}

/// What was put back from a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unkept {
    /// So many paths are in their places again.
    pub back: usize,
    /// So many stay in the backup, because something has taken their places.
    pub taken: usize,
    /// Why something that could be put back was not: the disk is full, or the rights are missing.
    pub stuck: Option<String>,
}

/// What a keep that was killed had begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The names of the backups that were not finished.
    pub interrupted: Vec<String>,
    /// What is still beside its place, because the disk is full or the rights are missing.
    pub stuck: Vec<String>,
}

impl<'a> Keeper<'a> {
    /// The backups of a session on this computer; `state` is sinc's state directory, `machine` this computer's id.
    ///
    /// # Errors
    /// The state directory's path is not UTF-8.
    pub fn here(runner: &'a Runner, state: &Path, id: &str, machine: &str) -> Result<Self> {
        let state = state.to_str().context("the state directory's path is not UTF-8")?.to_owned();
        Ok(Self { side: Side::Here { runner, state }, id: id.to_owned(), machine: machine.to_owned() })
    }

    /// The backups of a session on its host; `machine` is this computer's id.
    #[must_use]
    pub fn there(remote: &'a Remote, id: &str, machine: &str) -> Self {
        Self { side: Side::There(remote), id: id.to_owned(), machine: machine.to_owned() }
    }

    fn ask(&self, why: &str, verb: &str, words: &[&str], input: String) -> Result<Answer> {
        let state = match &self.side {
            Side::Here { state, .. } => state.as_str(),
            Side::There(_) => "",
        };
        let words = [&[verb, state, &self.id], words].concat();
        let answer = match &self.side {
            Side::There(remote) => remote.exchange(why, &BACKUP, &words, input.into_bytes(), DEADLINE)?,
            Side::Here { runner, .. } => {
                let cmd = Cmd::new("sh", why)
                    .untranslated()
                    .args(["-c", BACKUP.line(), "sinc"])
                    .args(words.iter().copied())
                    .stdin(input)
                    .deadline(DEADLINE)
                    .answers(&[0, TAKEN, 97]);
                let output = runner.answer(&cmd)?;
                Answer::new(output.code, &output.stdout, output.stderr)
            }
        };
        Ok(answer)
    }

    fn run(&self, why: &str, verb: &str, words: &[&str], input: String) -> Result<Answer> {
        whole(why, self.ask(why, verb, words, input)?)
    }

    /// Moves these paths below `root` into a backup of their own. Nothing is overwritten, nothing is followed; a directory
    /// goes with all that is in it.
    ///
    /// # Errors
    /// The backup could not be begun: nothing was moved; or the line was cut, and then [`Keeper::recover`] finishes it.
    pub fn keep(&self, root: &str, why: &str, now: u64, utc: &str, paths: &[PathBuf]) -> Result<Kept> {
        self.keep_as(&Self::name(utc), root, why, now, paths)
    }

    /// A name for a backup that is made now.
    #[must_use]
    pub fn name(utc: &str) -> String {
        index::name(utc, salt())
    }

    /// As [`Keeper::keep`], with a name that was noted before.
    ///
    /// # Errors
    /// As there.
    pub fn keep_as(&self, name: &str, root: &str, why: &str, now: u64, paths: &[PathBuf]) -> Result<Kept> {
        let index = index::write(root, &self.machine, why, now, paths);
        let answer = self.run("keep what is about to be replaced", "keep", &[name, root], index)?;
        kept(name, &Reply::of(&answer), paths)
    }

    /// Begins a backup of one file, which the caller then moves to the name that this gives, beside it; [`Keeper::recover`]
    /// puts it into the backup from there. For a caller that swaps two files at once.
    ///
    /// # Errors
    /// The backup could not be begun.
    pub fn begin(&self, root: &str, why: &str, now: u64, utc: &str, path: &Path) -> Result<(Kept, String)> {
        let name = index::name(utc, salt());
        let paths = [path.to_owned()];
        let index = index::write(root, &self.machine, why, now, &paths);
        let answer = self.run("keep what is about to be replaced", "begin", &[&name, root], index)?;
        let aside = format!("{TEMPORARY_PREFIX}sinc-{name}-1");
        Ok((kept(&name, &Reply::of(&answer), &paths)?, aside))
    }

    /// Puts a copy of what the backup `from` has of this path below `root` in its place. What is there now is kept first.
    ///
    /// # Errors
    /// The backup does not have it, it cannot be written, or something took its place at this moment.
    pub fn restore(&self, root: &str, path: &Path, from: &str, now: u64, utc: &str) -> Result<Kept> {
        let paths = [path.to_owned()];
        let index = index::write(root, &self.machine, "backups restore", now, &paths);
        let why = "restore it";
        let mut tries = 1;
        let (name, answer) = loop {
            let name = index::name(utc, salt());
            let answer = self.ask(why, "restore", &[&name, root, &encode(path), from], index.clone())?;
            // A cycle may bring the other side's version as soon as the one that was there is gone: that is kept too.
            if answer.code != TAKEN || tries == RESTORE_TRIES {
                break (name, answer);
            }
            tries += 1;
        };
        let answer = whole(why, answer)?;
        kept(&name, &Reply::of(&answer), &paths)
    }

    /// Puts back what [`Keeper::keep`] moved, or only these paths of it where there are some, where nothing has taken its place.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn unkeep(&self, root: &str, name: &str, only: &[&Path]) -> Result<Unkept> {
        let only: Vec<String> = only.iter().map(|path| encode(path)).collect();
        let words: Vec<&str> = [name, root].into_iter().chain(only.iter().map(String::as_str)).collect();
        let answer = self.run("put it back", "unkeep", &words, String::new())?;
        let reply = Reply::of(&answer);
        let stuck = reply.all("stuck").next().map(|why| {
            let (_, why) = why.split_once(' ').unwrap_or_default();
            why.trim().to_owned()
        });
        Ok(Unkept { back: reply.all("back").count(), taken: reply.all("taken").count(), stuck })
    }

    /// All backups of the session on this side, the oldest first.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn list(&self) -> Result<Vec<Backup>> {
        let answer = self.run("list the backups", "list", &[], String::new())?;
        Ok(read(&Reply::of(&answer)))
    }

    /// The backups that have this path, or something below it.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn find(&self, path: &Path) -> Result<Found> {
        let answer = self.run("look for it in the backups", "find", &[&encode(path)], String::new())?;
        Ok(found(&Reply::of(&answer)))
    }

    /// Finishes what was begun by a `sinc` of this computer that was killed: what was moved aside goes into its backup.
    /// Gives all backups too. To be called with the session's lock held: another `sinc` may be at it.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn recover(&self) -> Result<(Recovered, Vec<Backup>)> {
        let answer = self.run("look for what was interrupted", "recover", &[&self.machine], String::new())?;
        let reply = Reply::of(&answer);
        let all = |key| reply.all(key).map(str::to_owned).collect();
        Ok((Recovered { interrupted: all("interrupted"), stuck: all("stuck") }, read(&reply)))
    }

    /// Notes that the conflicts of these backups are over: from now on they may go when their time has come.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn settle(&self, names: &[String]) -> Result<()> {
        self.by_name("note that it is settled", "settle", names)
    }

    /// Gives a path below `root` another name, where nothing has that name yet.
    ///
    /// # Errors
    /// It is gone, the name is taken, or the rights are missing.
    pub fn rename(&self, root: &str, from: &Path, to: &Path) -> Result<()> {
        let words = [root, &encode(from), &encode(to)];
        self.run("put it beside the other version", "rename", &words, String::new()).map(drop)
    }

    /// Removes a backup from which everything was put back; not where a file is still in it. Is it removed?
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn forget(&self, name: &str) -> Result<bool> {
        let answer = self.run("remove an empty backup", "forget", &[name], String::new())?;
        Ok(Reply::of(&answer).get("forgotten").is_some())
    }

    /// Removes what is older or more than the limits allow; of sessions that have ended on this side also what this computer has
    /// kept of them, by its age. Gives how many backups.
    ///
    /// # Errors
    /// The side cannot be reached.
    pub fn prune(&self, limits: Limits, now: u64) -> Result<usize> {
        let before = limits.before(now).to_string();
        let answer = self.run("list the backups", "aged", &[&before, &self.machine], String::new())?;
        let reply = Reply::of(&answer);
        let mut names = outdated(&read(&reply), limits, now);
        names.extend(reply.all("aged").map(str::to_owned));
        self.by_name("remove old backups", "remove", &names)?;
        Ok(names.len())
    }

    fn by_name(&self, why: &str, verb: &str, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        self.run(why, verb, &words, String::new()).map(drop)
    }
}

/// An answer to its end, of a script that did what it was for.
fn whole(why: &str, answer: Answer) -> Result<Answer> {
    if answer.code != 0 {
        bail!("could not {why}: {}", answer.said.trim());
    }
    if !answer.bytes.ends_with(b"end\n") {
        bail!("could not {why}: the answer broke off");
    }
    Ok(answer)
}

/// Two runs in the same second have two names.
fn salt() -> u32 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (std::process::id() ^ nanos.subsec_nanos()) & 0xffff
}

fn kept(name: &str, reply: &Reply, paths: &[PathBuf]) -> Result<Kept> {
    let mut outcomes: Vec<(PathBuf, Outcome)> = paths
        .iter()
        .map(|path| (path.clone(), Outcome::Failed("nothing is known of it".to_owned())))
        .collect();
    for (key, value) in reply.lines() {
        let (number, why) = value.split_once(' ').unwrap_or((value, ""));
        let outcome = match key {
            "kept" => Outcome::Kept,
            "gone" => Outcome::Gone,
            "failed" => Outcome::Failed(why.trim().to_owned()),
            _ => continue,
        };
        let number: usize = number.parse().context("a number")?;
        if let Some(slot) = number.checked_sub(1).and_then(|at| outcomes.get_mut(at)) {
            slot.1 = outcome;
        }
    }
    Ok(Kept { name: name.to_owned(), place: reply.need("place")?.to_owned(), paths: outcomes })
}

fn found(reply: &Reply) -> Found {
    let (mut found, mut below) = (Found::default(), Vec::new());
    for (key, value) in reply.lines() {
        match key {
            "inner" => below.extend(decode(value)),
            "found" => {
                found.names.push(value.to_owned());
                below.clear();
            }
            "below" if !below.is_empty() => found.below.push((value.to_owned(), std::mem::take(&mut below))),
            _ => {}
        }
    }
    found
}

fn read(reply: &Reply) -> Vec<Backup> {
    let mut all: Vec<Backup> = Vec::new();
    for (key, value) in reply.lines() {
        if key == "backup" {
            all.push(Backup { name: value.to_owned(), ..Backup::default() });
        }
        let Some(backup) = all.last_mut() else { continue };
        match key {
            "place" => backup.place = value.to_owned(),
            "made" => backup.made = value.parse().unwrap_or(0),
            "by" => backup.by = value.to_owned(),
            "why" => backup.why = value.to_owned(),
            "path" | "coded" => backup.paths.extend(decode(value)),
            "count" => backup.count = value.parse().unwrap_or(0),
            "kib" => backup.kib = value.parse().unwrap_or(0),
            "bytes" => backup.bytes = value.parse().unwrap_or(0),
            "settled" => backup.settled = value == "yes",
            _ => {}
        }
    }
    all.sort_by(|a, b| (a.made, &a.name).cmp(&(b.made, &b.name)));
    all
}

#[cfg(test)]
mod tests;
