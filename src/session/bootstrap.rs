//! The first word with a host: its facts, and where the session's directory is.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};

use super::scripts::BOOTSTRAP;
use crate::process::Cmd;
use crate::project::SessionId;
use crate::remote::{Remote, Reply};

/// What asking is for.
const WHY: &str = "prepare the session on the host";

/// The script's answer when the login may not write where it would have to.
const NO_RIGHTS: i32 = 96;

/// The login may not write on the host where the session would have to: what the host said.
#[derive(Debug)]
pub struct NoRights(String);

impl std::fmt::Display for NoRights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoRights {}

/// What a connect asks the host for.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The session.
    pub id: &'a SessionId,
    /// The workspace on the host.
    pub workspace: &'a str,
    /// The project's name.
    pub name: &'a str,
    /// This computer.
    pub machine: &'a Machine,
    /// The project's directory here.
    pub local: &'a str,
    /// The session's directory on the host, when this computer has the session.
    pub known: Option<&'a str>,
    /// A directory with files in it may be taken.
    pub adopt: bool,
    /// What is on the host is this very project.
    pub same: bool,
    /// Only look: nothing is made or written.
    pub look: bool,
}

/// This computer, as a claim names it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its random id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Machine {
    /// This computer.
    ///
    /// # Errors
    /// Its id can neither be read nor made.
    pub fn this(store: &crate::state::Store) -> Result<Self> {
        Ok(Self { id: store.machine()?, name: Self::host_name() })
    }

    /// This computer, for a dry run: an id is not made, only named.
    #[must_use]
    pub fn if_known(store: &crate::state::Store) -> Self {
        Self {
            id: store.machine_if_known().unwrap_or_else(|| "000000000000".to_owned()),
            name: Self::host_name(),
        }
    }

    fn host_name() -> String {
        let name: String = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .collect();
        if name.is_empty() { "computer".to_owned() } else { name }
    }
}

/// What became of the session's directory on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is this session's, as before.
    Kept,
    /// It was made, or was empty and taken.
    New,
    /// It had files in it and was taken on request.
    Adopted,
    /// It was found again by its marker under another name.
    Moved {
        /// Where it was.
        from: String,
    },
    /// Its claim was missing or damaged and was written again: the marker was right.
    Repaired,
    /// It has files in it, and nobody said that it may be taken.
    Occupied {
        /// How many entries.
        entries: u64,
    },
    /// Another computer has this session.
    Other,
    /// It is there, its marker is not.
    Unmarked {
        /// How many entries.
        entries: u64,
        /// Whose marker is there instead.
        owner: Option<String>,
        /// Is its claim there?
        claimed: bool,
    },
    /// Nothing has its marker. Without its claim too, it is another host, or another disk.
    Lost {
        /// Is its claim there?
        claimed: bool,
    },
    /// Several directories have the marker.
    Many {
        /// Which.
        directories: Vec<String>,
    },
    /// A file is where the directory should be.
    Blocked,
    /// Both names for the directory belong to other sessions.
    Full,
}

/// What the host said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What became of the directory.
    pub place: Place,
    /// The directory, absolute.
    pub directory: String,
    /// tmux's version line, if it is there.
    pub tmux: Option<String>,
    /// How many terminals are attached to the session's tmux session, if there is one.
    pub attached: Option<u64>,
    /// The free space in the home directory, KiB.
    pub free_kib: Option<u64>,
    /// The host's address, as it sees itself.
    pub peer: Option<IpAddr>,
    /// Other computers in the claim: "name path".
    pub others: Vec<String>,
    /// The claim was damaged; where it lies.
    pub damaged: Option<String>,
    /// The login shell's rc files print something.
    pub noisy: bool,
}

/// Asks the host.
///
/// # Errors
/// It was not reached, or could not write.
pub fn ask(remote: &Remote, question: &Question<'_>, notice: &dyn Fn(&str)) -> Result<Answer> {
    let words = question.words();
    let reply = remote.call(WHY, &BOOTSTRAP, &words.each_ref().map(String::as_str), notice)?;
    if reply.code != 0 {
        let said = Some(reply.said.trim()).filter(|said| !said.is_empty()).unwrap_or("it gave no reason");
        let message = format!("host `{}` could not prepare the session: {said}", remote.name());
        return Err(if reply.code == NO_RIGHTS {
            NoRights(message).into()
        } else {
            anyhow::anyhow!(message)
        });
    }
    read(&reply, question).with_context(|| format!("could not understand what host `{}` said", remote.name()))
}

/// The command that asks, for a dry run.
#[must_use]
pub fn cmd(remote: &Remote, question: &Question<'_>) -> Cmd {
    let words = question.words();
    remote.script_cmd(WHY, &BOOTSTRAP, &words.each_ref().map(String::as_str))
}

impl Question<'_> {
    fn words(&self) -> [String; 9] {
        let mut flags = Vec::new();
        if self.adopt {
            flags.push("adopt");
        }
        if self.same {
            flags.push("same");
        }
        if self.look {
            flags.push("look");
        }
        [
            self.id.to_string(),
            self.workspace.to_owned(),
            self.name.to_owned(),
            alternative_name(self.name, self.id),
            self.machine.id.clone(),
            self.machine.name.clone(),
            self.local.to_owned(),
            self.known.unwrap_or("").to_owned(),
            flags.join(" "),
        ]
    }
}

/// `<name>-<hash>`: the directory's name when `<name>` belongs to another session.
fn alternative_name(name: &str, id: &SessionId) -> String {
    let hash = id.as_str().rsplit('-').next().unwrap_or_default();
    // 255 bytes are the limit of a name on Linux.
    let mut kept = name;
    while kept.len() + 1 + hash.len() > 255 {
        let mut chars = kept.chars();
        chars.next_back();
        kept = chars.as_str();
    }
    format!("{kept}-{hash}")
}

fn read(reply: &Reply, question: &Question<'_>) -> Result<Answer> {
    let entries = || reply.get("entries").and_then(|n| n.parse().ok()).unwrap_or(0);
    let claimed = || reply.get("claimed").is_some();
    let place = match reply.need("how")? {
        "kept" => Place::Kept,
        "new" => Place::New,
        "adopted" => Place::Adopted,
        "moved" => Place::Moved { from: reply.need("from")?.to_owned() },
        "repaired" => Place::Repaired,
        "occupied" => Place::Occupied { entries: entries() },
        "other" => Place::Other,
        "unmarked" => Place::Unmarked {
            entries: entries(),
            owner: reply.get("owner").map(str::to_owned),
            claimed: claimed(),
        },
        "lost" => Place::Lost { claimed: claimed() },
        "many" => Place::Many { directories: reply.all("marked").map(str::to_owned).collect() },
        "blocked" => Place::Blocked,
        "full" => Place::Full,
        other => bail!("unknown answer `{other}`"),
    };
    let attached = reply
        .all("session")
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == question.id.as_str())
        .and_then(|(_, attached)| attached.parse().ok());
    let directory = reply.need("dir")?;
    let somewhere = !matches!(place, Place::Full | Place::Many { .. });
    if somewhere && !directory.starts_with('/') {
        bail!("`{directory}` is not an absolute path");
    }
    let own = format!("{} ", question.machine.id);
    // Whoever has ended the session is named only where that is the question.
    let asked = place == Place::Other;
    let left = reply.all("left").filter(|_| asked);
    let others = reply.all("machine").chain(left).filter(|line| !line.starts_with(&own));
    Ok(Answer {
        place,
        directory: directory.to_owned(),
        tmux: reply.get("tmux").filter(|version| *version != "none").map(str::to_owned),
        attached,
        // df -P: file system, blocks, used, available, use %, mounted on.
        free_kib: reply.get("disk").and_then(|line| line.split_whitespace().nth(3)?.parse().ok()),
        peer: reply.get("peer").and_then(|peer| peer.split(' ').nth(2)?.parse().ok()),
        others: others.filter_map(|line| line.split_once(' ')).map(|(_, rest)| rest.to_owned()).collect(),
        damaged: reply.get("damaged").map(str::to_owned),
        noisy: reply.noisy,
    })
}
