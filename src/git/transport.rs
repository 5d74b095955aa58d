//! History on its way: git's own fetch and push, of exact objects, over ssh. Each odd option has its reason beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::local::Local;
use super::quarantine::{Quarantine, STORE};
use super::state::Oid;
use crate::process::{Cmd, Outcome, ProcessError, Stream};
use crate::remote::Remote;

/// The way to the host's repository.
#[derive(Clone, Debug)]
pub struct Transport {
    /// What git runs in place of ssh: text for a shell.
    ssh: String,
    /// The directory on the host.
    directory: String,
    /// So long git may say nothing.
    silence: Duration,
}

/// It tells how far it is about every second. While it looks whether all is there that the history leads to, or packs one large file,
/// it is silent, for a minute or two in the largest repositories.
const SILENCE: Duration = Duration::from_secs(300);

/// So many objects are asked for, or sent, by one call: each is a word of it.
const AT_ONCE: usize = 5_000;

/// How far it is, in git's own words.
pub type Tell<'a> = &'a (dyn Fn(&str) + Sync);

impl Transport {
    /// The way there, over the shared connection or over that of the link's line.
    #[must_use]
    pub fn new(remote: &Remote, directory: &str, over: Option<&std::path::Path>) -> Self {
        // Git gives a host and a command. The host is ours to know: an alias, an IPv6 literal or a port need no place in a URL.
        Self::through(&format!("exec {} \"$@\"", remote.ssh_words(over)), directory)
    }

    /// The way there through a line of shell that runs the command which stands behind it.
    #[must_use]
    pub fn through(line: &str, directory: &str) -> Self {
        Self {
            ssh: format!("f() {{ shift; {line}; }}; f"),
            directory: directory.to_owned(),
            silence: SILENCE,
        }
    }

    /// The same, with less patience.
    #[cfg(test)]
    pub(super) fn impatient(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    fn url(&self) -> String {
        format!("sinc:{}", self.directory)
    }

    fn cmd(&self, local: &Local, why: &str) -> Cmd {
        // It may be long, and a dead line ends by itself within 7 s; git on the host may hang all the same. Nothing but this way is
        // taken, wherever the person's settings, or a file in the project that they include, say that our URL leads.
        local
            .git(why)
            .silence(self.silence)
            .env("GIT_SSH_COMMAND", &self.ssh)
            .env("GIT_SSH_VARIANT", "simple")
            .env("GIT_ALLOW_PROTOCOL", "ssh")
    }

    /// Fetches these objects. Those that git refuses here come back with the reason; all others are there afterwards.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub fn fetch(&self, local: &Local, oids: &BTreeSet<Oid>) -> Result<BTreeMap<Oid, String>> {
        let mut refused = BTreeMap::new();
        for some in oids.iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            // One bad object stops its own name, not the rest.
            if self.fetch_these(local, some)?.is_some() {
                for oid in some {
                    if let Some(why) = self.fetch_these(local, &[oid])? {
                        refused.insert((*oid).clone(), why);
                    }
                }
            }
        }
        Ok(refused)
    }

    /// Gives why git refuses them.
    fn fetch_these(&self, local: &Local, oids: &[&Oid]) -> Result<Option<String>> {
        // sshd lets no GIT_PROTOCOL through, and without it the host's git answers only for names, not for exact objects.
        let upload = "env GIT_PROTOCOL=version=2 git -c uploadpack.allowAnySHA1InWant=true -c core.hooksPath=/dev/null upload-pack";
        let apart = Quarantine::new(local.project()).context("no place for what is fetched")?;
        let cmd = self
            .cmd(local, "fetch history from the host")
            .env("GIT_OBJECT_DIRECTORY", apart.directory())
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", STORE)
            // What the host sends is checked before it is one of ours, and is kept as a pack, however small, to be checked again.
            .args(["-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1"])
            .args(["-c", "protocol.version=2", "fetch", "--progress"])
            // Nothing of the person's settings, and no FETCH_HEAD, is touched.
            .args(["--no-tags", "--refmap=", "--no-write-fetch-head", "--no-recurse-submodules"])
            .args(["--no-auto-maintenance", "--no-prune", "--no-write-commit-graph"])
            .arg(format!("--upload-pack={upload}"))
            .arg(self.url())
            .args(oids.iter().map(|oid| oid.as_str()));
        match local.runner().answer(&cmd) {
            Ok(_) => {}
            Err(error) if line_failed(&error) => return Err(error.into()),
            Err(error) => return Ok(Some(reason(&error))),
        }
        if let Some(why) = self.check(local, &apart)? {
            return Ok(Some(why));
        }
        apart.let_in().context("what was fetched cannot be kept").map(|()| None)
    }

    /// Checks again what came, with what obeys no settings: a fetch overlooks what `fetch.fsck.*` says, in a file of the project's
    /// too that the person's settings include. Gives why git refuses it.
    fn check(&self, local: &Local, apart: &Quarantine) -> Result<Option<String>> {
        for pack in apart.packs().context("what was fetched cannot be looked at")? {
            let cmd = local
                .git("check what was fetched")
                .silence(self.silence)
                .env("GIT_OBJECT_DIRECTORY", apart.directory())
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", STORE)
                .args(["index-pack", "-v", "--strict", "-o"])
                .arg(apart.directory().join("again.idx"))
                .arg(pack);
            match local.runner().answer(&cmd) {
                // Its own name is all that it says; besides that, what it could not check because it is nowhere.
                Ok(said) if said.stdout.iter().filter(|byte| **byte == b'\n').count() == 1 => {}
                Ok(_) => return Ok(Some("a file that git has to check is missing".to_owned())),
                Err(error) if !matches!(error.outcome(), Outcome::Exit(_)) || passes(error.stderr()) => {
                    return Err(error.into());
                }
                Err(error) => return Ok(Some(reason(&error))),
            }
        }
        Ok(None)
    }

    /// Sends these objects. Gives those that git there does not take, and why: all others are there afterwards.
    ///
    /// # Errors
    /// The host cannot be reached, or git fails.
    pub fn push(
        &self,
        local: &Local,
        oids: &BTreeSet<Oid>,
        tell: Option<Tell<'_>>,
    ) -> Result<BTreeMap<Oid, String>, ProcessError> {
        let mut refused = BTreeMap::new();
        for some in oids.iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            match self.push_these(local, some, tell) {
                Ok(()) => {}
                Err(error) if line_failed(&error) => return Err(error),
                Err(error) => match not_taken(error.stderr(), some) {
                    these if these.is_empty() => return Err(error),
                    these => refused.extend(these),
                },
            }
        }
        Ok(refused)
    }

    fn push_these(&self, local: &Local, oids: &[&Oid], tell: Option<Tell<'_>>) -> Result<(), ProcessError> {
        // A shallow repository here is one there too.
        let receive = "git -c receive.shallowUpdate=true -c receive.autogc=false -c gc.auto=0 -c core.hooksPath=/dev/null -c receive.fsckObjects=false receive-pack";
        let cmd = self
            .cmd(local, "send history to the host")
            .args(["-c", "push.useForceIfIncludes=false", "push"])
            .arg("--progress")
            .args(["--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"])
            .arg(format!("--receive-pack={receive}"))
            .arg(self.url())
            .args(oids.iter().map(|oid| format!("+{oid}:refs/sinc/in/{oid}")));
        local
            .runner()
            .watch(&cmd, &mut |stream, bytes| {
                if let (Some(tell), Stream::Stderr) = (tell, stream) {
                    let text = String::from_utf8_lossy(bytes);
                    if let Some(last) =
                        text.split(['\r', '\n']).map(str::trim).rfind(|part| part.contains('%'))
                    {
                        tell(last);
                    }
                }
                ControlFlow::Continue(())
            })
            .map(drop)
    }
}

/// What `git push` says of an object that git there will not take the next time either (git 2.39's `receive-pack.c` and `connected.c`):
/// all else, such as a full disk or a lock, passes.
const LASTING: [&str; 2] = ["missing necessary objects", "shallow update not allowed"];

/// What git on the host does not take of these, as `git push` says it.
fn not_taken(said: &str, oids: &[&Oid]) -> BTreeMap<Oid, String> {
    let of = |line: &str| {
        let (_, rest) = line.trim_start().strip_prefix("! [remote rejected]")?.split_once("refs/sinc/in/")?;
        let (oid, why) = rest.split_once(' ')?;
        if !LASTING.iter().any(|words| why.contains(words)) {
            return None;
        }
        let oid = Oid::parse(oid).filter(|oid| oids.contains(&oid))?;
        Some((oid, why.trim().trim_matches(['(', ')']).chars().take(200).collect()))
    };
    said.lines().filter_map(of).collect()
}

/// What this computer says when it has no room, memory or processes left (`strerror`, git 2.39's `index-pack.c`): that passes.
const PASSES: [&str; 10] = [
    "No space left",
    "Disk quota exceeded",
    "write error",
    "unable to write",
    "unable to create temporary file",
    "Read-only file system",
    "ut of memory",
    "Cannot allocate memory",
    "Too many open files",
    "Resource temporarily unavailable",
];

/// Is it no fault of the objects that they did not come? What the host says does not count.
fn passes(said: &str) -> bool {
    let own = said.split(['\n', '\r']).filter(|line| !line.starts_with("remote: "));
    own.into_iter().any(|line| PASSES.iter().any(|words| line.contains(words)))
}

/// Did the line fail, or this computer, and not git?
fn line_failed(error: &ProcessError) -> bool {
    let said = error.stderr();
    if passes(said) {
        return true;
    }
    !matches!(error.outcome(), Outcome::Exit(_))
        || ["Could not read from remote", "hung up", "early EOF", "Connection", "disconnect"]
        .iter()
        .any(|words| said.contains(words))
        // A pack that the host cannot make to its end breaks off as one does that is cut.
        && !["fsck", "not our ref", "bad object", "repository corruption"].iter().any(|words| said.contains(words))
}

/// What git said, in one line.
fn reason(error: &ProcessError) -> String {
    let said = error.stderr();
    let line = said.lines().find(|line| line.contains("error:") || line.contains("fatal:"));
    line.unwrap_or("git refused it")
        .trim()
        .chars()
        .filter(|c| !crate::ignore::is_misleading(*c))
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn a_full_disk_here_is_no_fault_of_what_is_fetched() {
        for (said, passing) in [
            (
                "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output\n",
                true,
            ),
            ("error: unable to write file .git/sinc/q.1/pack/x: Disk quota exceeded\n", true),
            ("fatal: Out of memory, malloc failed\n", true),
            ("remote: fatal: write error: No space left on device\nerror: object 1: badDate: bad\n", false),
            (
                "error: object 1: missingEmail: invalid author/committer line\nfatal: fsck error in packed object\n",
                false,
            ),
        ] {
            assert_eq!(passes(said), passing, "{said}");
        }
    }
}
