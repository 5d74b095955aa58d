//! The state of a repository on one side, as `snapshot.sh` tells it. What the host says is not trusted: each name and id is
//! checked here, once, and what cannot be carried is named and left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ignore::is_misleading;

/// The id of an object: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// An id, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 40 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The tree without anything in it.
    #[must_use]
    pub fn empty_tree() -> Self {
        Self("4b825dc642cb6eb9a060e54bf8d69288fbee4904".to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people know it.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..9]
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Oid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not the id of an object"))
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.0
    }
}

/// The name of a branch or tag, without what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The longest name, bytes: both sides have to be able to make a file of it, with more before and after.
const LONGEST: usize = 200;

impl Name {
    /// A name, if git knows it as one and nothing in it would surprise a person or a command line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bad = |c: char| is_misleading(c) || c.is_control() || " ~^:?*[\\\u{fffd}".contains(c);
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let good = !text.is_empty()
            && text.len() <= LONGEST
            && !text.starts_with(['-', '/'])
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && !matches!(text, "HEAD" | "@")
            && !text.starts_with("refs/")
            && !text.chars().any(bad)
            && text.split('/').all(part);
        good.then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a name that can be carried"))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Where HEAD points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// To a branch, which may have no commit yet.
    Branch(Name),
    /// To a commit.
    Commit(Oid),
}

impl Head {
    /// The branch.
    #[must_use]
    pub fn branch(&self) -> Option<&Name> {
        match self {
            Self::Branch(name) => Some(name),
            Self::Commit(_) => None,
        }
    }

    /// As it stands in the file.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Branch(name) => format!("ref: refs/heads/{name}"),
            Self::Commit(oid) => oid.to_string(),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "{name}"),
            Self::Commit(oid) => write!(f, "{} (detached)", oid.short()),
        }
    }
}

/// What is staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// There is no index yet.
    Missing,
    /// It has conflicts.
    Unmerged,
    /// It holds this tree.
    Tree(Oid),
}

impl Index {
    /// The word for it that `apply.sh` compares.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Missing => "none",
            Self::Unmerged => "unmerged",
            Self::Tree(tree) => tree.as_str(),
        }
    }

    /// The tree, if it can be told as one.
    #[must_use]
    pub fn tree(&self) -> Option<Oid> {
        match self {
            Self::Missing => Some(Oid::empty_tree()),
            Self::Unmerged => None,
            Self::Tree(tree) => Some(tree.clone()),
        }
    }
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Git's version there.
    pub version: (u32, u32),
    /// Where HEAD points.
    pub head: Head,
    /// The commit that it leads to, and its tree.
    pub at: Option<(Oid, Oid)>,
    /// What is staged.
    pub index: Index,
    /// What is staged, as a commit, where it is not what the commit has.
    pub wrap: Option<Oid>,
    /// Branches.
    pub branches: BTreeMap<Name, Oid>,
    /// Tags.
    pub tags: BTreeMap<Name, Oid>,
    /// What `origin` had.
    pub origin: BTreeMap<Name, Oid>,
    /// Branches of the other side that are shown here, without `host/` or `laptop/`.
    pub published: BTreeMap<Name, Oid>,
    /// Stashes, the oldest first.
    pub stash: Vec<Oid>,
    /// Branches that stand in another worktree.
    pub elsewhere: BTreeSet<Name>,
    /// Branches that only stand for another one (`git symbolic-ref`): they are not carried.
    pub symbolic: BTreeSet<Name>,
    /// What is going on: an operation that is not done, a lock.
    pub busy: Vec<String>,
    /// Locks among these that have been there for minutes.
    pub old: BTreeSet<String>,
    /// Whole names that nobody else can move because git does, or did when it was killed; `packed-refs`: none can be deleted.
    pub locked: BTreeSet<String>,
    /// Names that cannot be carried.
    pub odd: Vec<String>,
    /// Whole names that git there cannot read any more: after a power cut, for one.
    pub damaged: BTreeSet<String>,
    /// Nobody has looked at this repository before: nothing was agreed on with it.
    pub fresh: bool,
    /// Sinc has neither made nor set it up.
    pub plain: bool,
    /// Which repository it is: one that is made anew has another.
    pub id: Option<String>,
    /// Filters that are set up, and those that the project's attributes name.
    pub filters: Filters,
    /// Something that came in is still held by a name for that.
    pub incoming: bool,
    /// Remotes that are set up.
    pub remotes: BTreeSet<String>,
    /// What the other side lacks of it, packed by git and in base64; nothing where it was not asked for, is none, or is much.
    pub pack: Option<String>,
    /// What is limited: `shallow`, `partial`, `sparse`, `submodules`.
    pub limits: BTreeSet<String>,
}

/// Filters that are set up on a side, and those that the project's files are to go through there.
pub type Filters = (BTreeSet<String>, BTreeSet<String>);

/// Git itself on one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its version.
    pub version: (u32, u32),
    /// Filters.
    pub filters: Filters,
    /// The repository is a partial clone.
    pub partial: bool,
    /// Not all that is tracked is checked out, and sinc has not said so.
    pub sparse: bool,
}

/// What one side has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// A repository.
    Here(Box<State>),
    /// None. What git there is, and can do.
    None(Tool),
    /// One that is stored in a way which sinc cannot carry: `sha256`, `reftable`.
    Unlike(&'static str),
    /// The directory is not there.
    Nowhere,
    /// Git is not installed.
    NoGit,
    /// Git's directory lies elsewhere: a linked worktree, or a submodule.
    Elsewhere,
}

/// An answer that is not understood, or cannot be carried.
#[derive(Debug, PartialEq, Eq)]
pub struct Odd(String);

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Odd {}

/// Which of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Which {
    /// This computer.
    Here,
    /// The host.
    There,
}

impl Which {
    /// Where that is, for people.
    #[must_use]
    pub fn at(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::There => "on the host",
        }
    }

    /// Under what remote the other side's branches are shown on this one.
    #[must_use]
    pub fn shows(self) -> &'static str {
        match self {
            Self::Here => "host",
            Self::There => "laptop",
        }
    }
}

/// Understands what the script says of one side.
///
/// # Errors
/// It is not an answer of the script's.
pub fn parse(answer: &[u8], side: Which) -> Result<Snapshot, Odd> {
    let text = String::from_utf8_lossy(answer);
    // What it says instead may be anything, and is shown on a terminal.
    let plain = |what: &str| -> String {
        what.chars().map(|c| if is_misleading(c) { '\u{fffd}' } else { c }).take(200).collect()
    };
    let odd = |what: &str| Odd(format!("what is said of the repository is not understood: {}", plain(what)));
    let lines: Vec<(&str, &str)> =
        text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    if lines.last() == Some(&("full", "yes")) {
        return Err(Odd(format!("nothing can be written into `.git/sinc` {}: is its disk full?", side.at())));
    }
    if let Some(("unlisted", why)) = lines.last() {
        return Err(unlisted(&plain(why), side));
    }
    if lines.last() != Some(&("end", "yes")) {
        return Err(odd("it has no end"));
    }
    let get = |key: &str| lines.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let version = || version(get("version").unwrap_or_default()).ok_or_else(|| odd("git's version"));
    match get("repo") {
        Some("here") => {}
        Some("none") => {
            let mut tool = Tool { version: version()?, ..Tool::default() };
            let filters =
                lines.iter().filter(|(key, _)| *key == "config").filter_map(|(_, line)| filter(line));
            tool.filters.0.extend(filters);
            return Ok(Snapshot::None(tool));
        }
        Some("nowhere") => return Ok(Snapshot::Nowhere),
        Some("no-git") => return Ok(Snapshot::NoGit),
        Some("elsewhere") => return Ok(Snapshot::Elsewhere),
        other => return Err(odd(other.unwrap_or("nothing"))),
    }
    // Before what is in it: its ids and its HEAD look otherwise.
    if let Some(kind) = lines.iter().find_map(|(key, line)| unlike(line).filter(|_| *key == "config")) {
        return Ok(Snapshot::Unlike(kind));
    }
    let oid = |text: &str| Oid::parse(text).ok_or_else(|| odd(text));
    let head = get("head").ok_or_else(|| odd("no HEAD"))?;
    let head = match head.strip_prefix("ref: refs/heads/") {
        Some(name) => Head::Branch(Name::parse(name).ok_or_else(|| {
            let at = if side == Which::Here { "here" } else { "on the host" };
            Odd(format!(
                "HEAD {at} stands on `{}`, a name that cannot be carried: give the branch another (`git branch -m NAME` {at})",
                plain(name)
            ))
        })?),
        None => Head::Commit(oid(head)?),
    };
    let at = match (get("at"), get("tree")) {
        (Some(at), Some(tree)) => Some((oid(at)?, oid(tree)?)),
        (None, None) => None,
        _ => return Err(odd("a commit without a tree")),
    };
    let index = match get("index") {
        Some("none") => Index::Missing,
        Some("unmerged") => Index::Unmerged,
        Some(tree) => Index::Tree(oid(tree)?),
        None => return Err(odd("no index")),
    };
    let mut state = State {
        version: version()?,
        head,
        at,
        index,
        wrap: get("wrap").map(oid).transpose()?,
        branches: BTreeMap::new(),
        tags: BTreeMap::new(),
        origin: BTreeMap::new(),
        published: BTreeMap::new(),
        stash: Vec::new(),
        elsewhere: BTreeSet::new(),
        symbolic: BTreeSet::new(),
        busy: Vec::new(),
        old: BTreeSet::new(),
        locked: BTreeSet::new(),
        odd: Vec::new(),
        damaged: BTreeSet::new(),
        fresh: get("fresh").is_some(),
        plain: get("plain").is_some(),
        id: get("id").filter(|id| is_id(id)).map(str::to_owned),
        filters: Default::default(),
        incoming: false,
        remotes: BTreeSet::new(),
        pack: get("pack").filter(|pack| is_pack(pack)).map(str::to_owned),
        limits: BTreeSet::new(),
    };
    for (key, value) in &lines {
        match *key {
            "repo" | "version" | "head" | "at" | "tree" | "index" | "wrap" | "end" | "fresh" | "plain"
            | "pack" | "id" => {}
            "sym" => {
                let name = value.split_once(' ').and_then(|(_, name)| name.strip_prefix("refs/heads/"));
                state.symbolic.extend(name.and_then(Name::parse));
            }
            "damaged" => drop(state.damaged.insert((*value).to_owned())),
            "ref" => {
                let (id, name) = value.split_once(' ').ok_or_else(|| odd(value))?;
                state.add_ref(oid(id)?, name, side);
            }
            "stash" => {
                // The oldest first. One that is there twice is one.
                let id = oid(value)?;
                if !state.stash.contains(&id) {
                    state.stash.push(id);
                }
            }
            "elsewhere" => {
                state.elsewhere.extend(value.strip_prefix("ref: refs/heads/").and_then(Name::parse));
            }
            // It is told to a person, in a command to be pasted.
            "busy" | "old" if !BUSY.contains(value) => return Err(odd(value)),
            "busy" => state.busy.push((*value).to_owned()),
            "old" => drop(state.old.insert((*value).to_owned())),
            "locked" => drop(state.locked.insert((*value).to_owned())),
            "limit" => drop(state.limits.insert((*value).to_owned())),
            "uses" => drop(state.filters.1.insert((*value).to_owned())),
            "config" => state.add_setting(value),
            _ => return Err(odd(key)),
        }
    }
    if state.at.is_some() != state.leads_somewhere() && state.busy.is_empty() {
        let why = match (&state.at, side.at()) {
            (Some(_), at) => {
                format!("HEAD {at} stands on a name for another branch: `git switch` to that one")
            }
            (None, at) => {
                format!(
                    "git {at} cannot read the commit that HEAD stands on: `git fsck` there says what is damaged"
                )
            }
        };
        return Err(Odd(why));
    }
    Ok(Snapshot::Here(Box::new(state)))
}

/// Git cannot tell which names there are. Without what both had in common those of the other side are new, and come back.
fn unlisted(why: &str, side: Which) -> Odd {
    let at = side.at();
    let forget = match side {
        Which::Here => "rm -f .git/sinc/base-*.json",
        Which::There => "rm -f .git/sinc/id",
    };
    Odd(format!(
        "git {at} cannot list its branches and tags ({why}), as after a power cut. Where `.git/packed-refs` is damaged, \
         `mv .git/packed-refs .git/packed-refs.damaged; {forget}` {at} has those of the other side come back"
    ))
}

/// A filter that is set up.
fn filter(setting: &str) -> Option<String> {
    let (filter, _) = setting.split_once(' ')?.0.strip_prefix("filter.")?.rsplit_once('.')?;
    Some(filter.to_owned())
}

/// The remote that a setting is about, and which setting.
fn remote(setting: &str) -> Option<(&str, &str)> {
    setting.split_once(' ')?.0.strip_prefix("remote.")?.rsplit_once('.')
}

/// How a repository is stored, where that is not as others are.
fn unlike(setting: &str) -> Option<&'static str> {
    match setting.split_once(' ')? {
        ("extensions.objectformat", kind) if kind != "sha1" => Some("sha256"),
        ("extensions.refstorage", kind) if kind != "files" => Some("reftable"),
        _ => None,
    }
}

fn is_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What may keep others from moving anything, as `snapshot.sh` names it.
const BUSY: [&str; 9] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "index.lock",
    "HEAD.lock",
    "changing",
];

/// The longest that a word of a command may be is a little more, bytes.
const LONGEST_PACK: usize = 100_000;

fn is_pack(text: &str) -> bool {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    !text.is_empty() && text.len() <= LONGEST_PACK && text.bytes().all(base64)
}

/// The version that `git version` says.
#[must_use]
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

impl State {
    fn leads_somewhere(&self) -> bool {
        match &self.head {
            Head::Branch(name) => self.branches.contains_key(name),
            Head::Commit(_) => true,
        }
    }

    fn add_ref(&mut self, id: Oid, full: &str, side: Which) {
        self.incoming |= full.starts_with("refs/sinc/in/");
        let published = format!("refs/remotes/{}/", side.shows());
        let place = if let Some(name) = full.strip_prefix("refs/heads/") {
            (&mut self.branches, name)
        } else if let Some(name) = full.strip_prefix("refs/tags/") {
            (&mut self.tags, name)
        } else if let Some(name) = full.strip_prefix("refs/remotes/origin/") {
            (&mut self.origin, name)
        } else if let Some(name) = full.strip_prefix(published.as_str()) {
            (&mut self.published, name)
        } else {
            return;
        };
        match Name::parse(place.1) {
            Some(name) => drop(place.0.insert(name, id)),
            None => {
                self.odd.push(full.chars().map(|c| if is_misleading(c) { '\u{fffd}' } else { c }).collect());
            }
        }
    }

    fn add_setting(&mut self, line: &str) {
        if let Some(filter) = filter(line) {
            self.filters.0.insert(filter);
        } else if let Some((name, key)) = remote(line) {
            if matches!(key, "url" | "fetch") {
                self.remotes.insert(name.to_owned());
            } else {
                self.limits.insert("partial".to_owned());
            }
        }
    }

    /// The remote whose name a branch or tag of this name would have for git, which looks for tags and branches first.
    #[must_use]
    pub fn remote_of(&self, name: &Name, side: Which) -> Option<&str> {
        let name = name.as_str().to_lowercase();
        let fits = |remote: &&str| {
            let rest = name.strip_prefix(&remote.to_lowercase());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let own = (!self.origin.is_empty()).then_some("origin");
        self.remotes.iter().map(String::as_str).chain(own).chain([side.shows()]).find(fits)
    }

    /// The commit that HEAD leads to.
    #[must_use]
    pub fn commit(&self) -> Option<&Oid> {
        self.at.as_ref().map(|(commit, _)| commit)
    }

    /// The tree of that commit; without one, the empty tree.
    #[must_use]
    pub fn tree(&self) -> Oid {
        self.at.as_ref().map_or_else(Oid::empty_tree, |(_, tree)| tree.clone())
    }

    /// All objects that this side names, and so has.
    #[must_use]
    pub fn named(&self) -> BTreeSet<&Oid> {
        let maps = [&self.branches, &self.tags, &self.origin, &self.published];
        let refs = maps.into_iter().flat_map(BTreeMap::values);
        refs.chain(&self.stash).chain(self.commit()).chain(&self.wrap).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn said(more: &str) -> String {
        format!(
            "version git version 2.39.5\nrepo here\nhead ref: refs/heads/main\nat {A}\ntree {B}\nindex {B}\nref {A} refs/heads/main\n{more}end yes\n"
        )
    }

    fn state(text: &str) -> State {
        match parse(text.as_bytes(), Which::There) {
            Ok(Snapshot::Here(state)) => *state,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_repository() {
        let more = format!(
            "limit shallow\nid 0f-1a2b3c\nconfig filter.lfs.clean set\nconfig remote.a.b.url set\nconfig extensions.objectformat sha1\nuses lfs\nref {B} refs/tags/v1\nsym {A} refs/heads/alias\nref {A} refs/remotes/origin/x\nref {A} refs/remotes/laptop/main\nref {A} refs/remotes/host/main\nref {A} refs/stash\nstash {A}\nelsewhere ref: refs/heads/w\nelsewhere {A}\nbusy MERGE_HEAD\n"
        );
        let state = state(&said(&more));
        assert_eq!(state.version, (2, 39));
        assert_eq!(state.head.text(), "ref: refs/heads/main");
        assert_eq!(
            (state.branches.len(), state.tags.len(), state.origin.len(), state.published.len()),
            (1, 1, 1, 1)
        );
        assert_eq!((state.stash.len(), state.elsewhere.len(), state.busy.len()), (1, 1, 1));
        assert!(state.filters.0.contains("lfs") && state.filters.1.contains("lfs"));
        assert_eq!(state.id.as_deref(), Some("0f-1a2b3c"));
        assert!(state.remotes.contains("a.b"));
        assert_eq!(state.limits.into_iter().collect::<Vec<_>>(), ["shallow"]);
    }

    #[test]
    fn what_is_there_without_a_repository_that_can_be_carried() {
        let parse = |text: &str| parse(text.as_bytes(), Which::There);
        let none = "version git version 2.30.1\nconfig filter.lfs.clean set\nrepo none\nend yes\n";
        let filters = (BTreeSet::from(["lfs".to_owned()]), BTreeSet::new());
        assert_eq!(parse(none), Ok(Snapshot::None(Tool { version: (2, 30), filters, ..Tool::default() })));
        for (setting, kind) in
            [("extensions.objectformat sha256", "sha256"), ("extensions.refstorage reftable", "reftable")]
        {
            let text = format!("version git version 2.39.5\nrepo here\nconfig {setting}\nend yes\n");
            assert_eq!(parse(&text), Ok(Snapshot::Unlike(kind)));
            let usual = text.replace("sha256", "sha1").replace("reftable", "files");
            assert!(parse(&usual).is_err(), "the rest is missing");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(parse(said("").as_bytes(), Which::There).is_ok());
        for (from, to) in [
            ("end yes\n", ""),
            ("head ref: refs/heads/main", "head ref: refs/remotes/host/x"),
            ("head ref: refs/heads/main", "head ref: refs/heads/../x"),
            ("head ref: refs/heads/main", "head ref: refs/heads/gone"),
            ("head ref: refs/heads/main", "head --upload-pack=x"),
            (&format!("index {B}"), "index HEAD"),
            (&format!("index {B}"), "index AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("index", "indices"),
            (&format!("tree {B}\n"), ""),
            (&format!("at {A}\n"), ""),
            ("version git version 2.39.5", "version x"),
            (&format!("ref {A}"), "ref x"),
            ("end yes", "wrap x\nend yes"),
            ("end yes", "stash x\nend yes"),
            ("end yes", "something else\nend yes"),
            ("end yes", "busy x; touch pwn\nend yes"),
            ("end yes", "old \u{1b}[2J\nend yes"),
        ] {
            let text = said("").replacen(from, to, 1);
            assert_ne!(text, said(""), "{from}");
            assert!(parse(text.as_bytes(), Which::There).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_is_only_taken_for_one() {
        for odd in ["", "short", "a b c d e f", "\u{1b}[2J\u{1b}[2J", &"a".repeat(65)] {
            assert_eq!(state(&said(&format!("id {odd}\n"))).id, None, "{odd:?}");
        }
    }

    #[test]
    fn what_was_packed_is_only_taken_for_a_pack() {
        let pack = |text: &str| state(&said(&format!("pack {text}\n"))).pack;
        assert_eq!(pack("UEFDSw+/=="), Some("UEFDSw+/==".to_owned()));
        for odd in ["", "--strict", "$(x)", "a b", "\u{1b}[2J", "a\0", &"A".repeat(LONGEST_PACK + 1)] {
            assert_eq!(pack(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn what_is_no_answer_drives_no_terminal() {
        let text = said("").replacen("head ref: refs/heads/main", "head ref: refs/x/\u{1b}[2J\u{202e}", 1);
        let odd = parse(text.as_bytes(), Which::There).unwrap_err().to_string();
        assert!(odd.contains("refs/x") && !odd.contains(is_misleading), "{odd:?}");
        // A branch whose name cannot be carried is told as what it is, with the way out.
        for (name, shown) in [("-x", "`-x`"), ("a\u{1b}b", "`a\u{fffd}b`")] {
            let text = said("").replacen("ref: refs/heads/main", &format!("ref: refs/heads/{name}"), 1);
            for (side, at) in [(Which::Here, "here"), (Which::There, "on the host")] {
                let odd = parse(text.as_bytes(), side).unwrap_err().to_string();
                let told = format!("HEAD {at} stands on {shown}, a name that cannot be carried");
                assert!(
                    odd.starts_with(&told) && odd.contains(&format!("`git branch -m NAME` {at}")),
                    "{odd:?}"
                );
            }
        }
    }

    #[test]
    fn names_that_surprise_nobody() {
        for good in ["main", "feature/a-b_c", "ünder", "a.b", "it's", "v1!", "@x", "heads/x"] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        let long = "x".repeat(201);
        for bad in [
            "",
            "-x",
            "HEAD",
            "@",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a@{1}",
            "refs/heads/x",
            "a\u{202e}b",
            "a\u{fffd}",
            "a\tb",
            &long,
        ] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
        let named = state(&said(&format!("ref {A} refs/heads/-x\nref {A} refs/heads/HEAD\n")));
        assert_eq!((named.branches.len(), named.odd.len()), (1, 2));
    }
}
