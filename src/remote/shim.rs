//! sinc called by the name `ssh` or `scp`, which is how Mutagen's daemon calls it (`MUTAGEN_SSH_PATH`): it puts
//! the configured destination in the place of the opaque host word, adds its options, and becomes the real
//! program. So an address that changes, an IPv6 literal or a moved agent socket never breaks a session. For the agent it
//! stays, because the host may have been started since: then something is to be seen to before the agent may begin.
//!
//! Mutagen 0.18.1 calls `ssh -oConnectTimeout=5 -oServerAliveInterval=10 -oServerAliveCountMax=1 WORD COMMAND` and
//! `scp -C … FILE WORD:NAME` (pkg/ssh/ssh.go, pkg/agent/transport/ssh). ssh takes the first value of an option,
//! so ours stand before.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::reply::BEGIN;
use super::script::Script;
use crate::config::Destination;
use crate::process::{Cmd, Runner, quote};
use crate::state::{HostFile, Store};

/// The programs that sinc stands for.
pub const PROGRAMS: [&str; 2] = ["ssh", "scp"];

/// The exit code when the host was started since.
pub const STARTED_SINCE: i32 = 93;

/// Lets the agent begin on the machine as it was last.
pub static GATE: Script = Script::new(include_str!("gate.sh"));

/// Which start of a machine it is.
pub static BOOT: Script = Script::new(include_str!("boot.sh"));

/// Which program sinc is called as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `ssh`
    Ssh,
    /// `scp`
    Scp,
}

impl Name {
    /// The name in the first word of the command line, if it is one of the two.
    #[must_use]
    pub fn of(argv0: &str) -> Option<Self> {
        match Path::new(argv0).file_name()?.to_str()? {
            "ssh" => Some(Self::Ssh),
            "scp" => Some(Self::Scp),
            _ => None,
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Scp => "scp",
        }
    }
}

/// A call of Mutagen's.
#[derive(Debug)]
pub struct Call {
    name: Name,
    words: Vec<String>,
    word: String,
    host: HostFile,
    path: OsString,
    own_dir: PathBuf,
}

impl Call {
    /// What `words` ask for. The programs are looked for in `path`, but for `own_dir`, where sinc's own links are.
    ///
    /// # Errors
    /// The word is not known.
    pub fn new(name: Name, words: &[OsString], store: &Store, path: &OsStr, own_dir: &Path) -> Result<Self> {
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let word = words
            .iter()
            .find_map(|word| host_word_in(word))
            .context("no host word of sinc on this command line")?
            .to_owned();
        let host = store.host(&word)?.with_context(|| format!("sinc knows no host for the word `{word}`"))?;
        Ok(Self { name, words, word, host, path: path.to_owned(), own_dir: own_dir.to_owned() })
    }

    /// The word of the host.
    #[must_use]
    pub fn host_word(&self) -> &str {
        &self.word
    }

    /// Is it for the agent that a sync works with?
    #[must_use]
    pub fn is_agent(&self) -> bool {
        is_agent(self.name, &self.words)
    }

    /// A command that runs a script of ours on the host, in Mutagen's place.
    ///
    /// # Errors
    /// ssh cannot be found.
    pub fn ask(&self, script: &Script) -> Result<Cmd> {
        let words = [self.word.clone(), script.command(&[])];
        let words = translate(Name::Ssh, &words, &HostFile { noisy: false, ..self.host.clone() })?;
        let program = real_program(Name::Ssh, &self.path, &self.own_dir)?;
        Ok(self.with_socket(Cmd::new(program, "ask the host when it was started").untranslated().args(words)))
    }

    /// Has the agent begin only if the host was not started since `boot`; gives [`STARTED_SINCE`] if it was.
    ///
    /// # Errors
    /// As [`Call::run`].
    pub fn run_agent(mut self, boot: &str, output: &mut dyn std::io::Write) -> Result<i32> {
        if let Some(command) = self.words.last_mut() {
            *command = GATE.command(&[boot, command]);
        }
        let cmd = self.cmd()?;
        if self.host.noisy {
            return Ok(Runner::default().relay_after(&cmd, BEGIN, output)?);
        }
        Ok(Runner::default().interactive(&cmd)?)
    }

    /// Becomes the real program with the words translated. Where the login shell's rc files print something, which
    /// Mutagen would take for its agent's answer, it stays in between, passes only the rest to `output`, and gives the
    /// exit code.
    ///
    /// # Errors
    /// The program cannot be found or started.
    pub fn run(self, output: &mut dyn std::io::Write) -> Result<i32> {
        let cmd = self.cmd()?;
        if self.host.noisy && self.name == Name::Ssh {
            return Ok(Runner::default().relay_after(&cmd, BEGIN, output)?);
        }
        match Runner::default().replace(&cmd)? {}
    }

    fn cmd(&self) -> Result<Cmd> {
        let (name, host, words) = (self.name, &self.host, &self.words);
        let why = format!("start {} for Mutagen", name.program());
        let cmd = match name {
            // scp itself would trip over what is printed.
            Name::Scp if host.noisy => {
                let ssh = real_program(Name::Ssh, &self.path, &self.own_dir)?;
                let (file, words) = upload(words, host)?;
                Cmd::new("sh", why)
                    .args(["-c", "exec \"$0\" \"$@\" <\"$SINC_FILE\""])
                    .arg(ssh)
                    .args(words)
                    .env("SINC_FILE", file)
            }
            _ => Cmd::new(real_program(name, &self.path, &self.own_dir)?, why)
                .args(translate(name, words, host)?),
        };
        Ok(self.with_socket(cmd))
    }

    /// The daemon that calls us may have been started under another agent, or none.
    fn with_socket(&self, cmd: Cmd) -> Cmd {
        match self.host.auth_sock.as_deref().filter(|socket| Path::new(socket).exists()) {
            Some(socket) => cmd.env("SSH_AUTH_SOCK", socket),
            None => cmd,
        }
    }
}

/// Mutagen's long-lived agent.
fn is_agent(name: Name, words: &[String]) -> bool {
    name == Name::Ssh && words.iter().any(|word| word.contains("mutagen-agent synchronizer"))
}

/// The words for ssh that do what scp was asked for, and the file to feed it.
fn upload(words: &[String], host: &HostFile) -> Result<(String, Vec<String>)> {
    let [options @ .., file, target] = words else { bail!("scp was called in an unknown way") };
    let (word, name) = target.split_once(':').context("scp was called in an unknown way")?;
    let name = quote::universal(name);
    let mut ssh = options.to_vec();
    ssh.extend([word.to_owned(), format!("cat >{name}; chmod 700 {name}")]);
    Ok((file.clone(), translate(Name::Ssh, &ssh, &HostFile { noisy: false, ..host.clone() })?))
}

/// The word of ours in a word of the command line: alone, or before a colon.
fn host_word_in(word: &str) -> Option<&str> {
    let word = word.split(':').next()?;
    let hash = word.strip_prefix("sinc-")?;
    (hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(word)
}

/// The command line for the real program.
fn translate(name: Name, words: &[String], host: &HostFile) -> Result<Vec<String>> {
    let destination = Destination::parse(&host.destination)?;
    // Only Mutagen's long-lived agent gets a connection of its own. What comes before it when a host is new
    // (look, copy, install) is short, and quicker over the connection that is there.
    let agent = is_agent(name, words);
    let control = host.control.as_deref().filter(|path| path.exists() && (host.shared || !agent));
    let mut options = options(control);
    options.extend(match name {
        Name::Ssh => destination.port_args(),
        Name::Scp => destination.scp_port_args(),
    });
    for word in words {
        match (name, host_word_in(word)) {
            (Name::Ssh, Some(found)) if found == word => options.push(destination.target()),
            (Name::Scp, Some(found)) if found.len() < word.len() => {
                options.push(format!("{}{}", destination.scp_target(), &word[found.len()..]));
            }
            _ => options.push(word.clone()),
        }
    }
    if let Some(command) = options.last_mut().filter(|_| host.noisy && name == Name::Ssh) {
        // Every login shell reads this alike.
        *command = format!("echo {BEGIN}; {command}");
    }
    Ok(options)
}

fn options(control: Option<&Path>) -> Vec<String> {
    let control = match control {
        Some(path) => format!("ControlPath={}", path.display()),
        None => "ControlPath=none".to_owned(),
    };
    [
        "BatchMode=yes",
        "ConnectTimeout=10",
        // A dead line is noticed within 7 s; Mutagen's own options take 19 s (measured).
        "ServerAliveInterval=2",
        "ServerAliveCountMax=2",
        "ControlMaster=no",
        &control,
        "ForwardAgent=no",
        "ForwardX11=no",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
    ]
    .into_iter()
    .map(|option| format!("-o{option}"))
    .collect()
}

/// The real `ssh` or `scp`: the first on PATH that is not in our own directory.
fn real_program(name: Name, path: &OsStr, own_dir: &Path) -> Result<PathBuf> {
    let others = std::env::split_paths(path).filter(|dir| dir != own_dir);
    let others = std::env::join_paths(others).context("PATH cannot be read")?;
    let found = which::which_in(name.program(), Some(others), "/");
    let found = found.with_context(|| format!("`{}` is not on PATH", name.program()))?;
    if found.canonicalize().ok() == std::env::current_exe().ok() {
        bail!("`{}` is sinc itself: take its directory out of PATH", found.display());
    }
    Ok(found)
}

/// Makes the directory in which `ssh` and `scp` are this program.
///
/// # Errors
/// It cannot be written.
pub fn install(dir: &Path, this_program: &Path) -> Result<()> {
    for name in [Name::Ssh, Name::Scp] {
        let link = dir.join(name.program());
        if std::fs::read_link(&link).is_ok_and(|target| target == this_program) {
            continue;
        }
        crate::state::make_private_dir(dir)?;
        let temporary = dir.join(format!(".{}.{}", name.program(), std::process::id()));
        let _ = std::fs::remove_file(&temporary);
        std::os::unix::fs::symlink(this_program, &temporary)
            .and_then(|()| std::fs::rename(&temporary, &link))
            .with_context(|| format!("cannot make `{}`", link.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(destination: &str) -> HostFile {
        HostFile {
            name: "box".into(),
            destination: destination.into(),
            control: None,
            shared: false,
            auth_sock: None,
            noisy: false,
        }
    }

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(ToString::to_string).collect()
    }

    fn tail(name: Name, given: &[&str], destination: &str) -> Vec<String> {
        let all = translate(name, &words(given), &host(destination)).unwrap();
        let ours = options(None).len();
        all[ours..].to_vec()
    }

    #[test]
    fn ssh_goes_to_the_destination() {
        let given =
            ["-oConnectTimeout=5", "sinc-0123456789ab", ".mutagen/agents/0.18.1/mutagen-agent synchronizer"];
        assert_eq!(
            tail(Name::Ssh, &given, "dev@203.0.113.7"),
            ["-oConnectTimeout=5", "dev@203.0.113.7", ".mutagen/agents/0.18.1/mutagen-agent synchronizer"]
        );
        assert_eq!(
            tail(Name::Ssh, &["sinc-0123456789ab", "x"], "ssh://dev@box:99"),
            ["-p", "99", "dev@box", "x"]
        );
    }

    #[test]
    fn scp_keeps_the_remote_name_and_brackets_an_ipv6_address() {
        let given = ["-C", "/a/agent", "sinc-0123456789ab:.mutagen-agent1"];
        assert_eq!(
            tail(Name::Scp, &given, "dev@fd00::1"),
            ["-C", "/a/agent", "dev@[fd00::1]:.mutagen-agent1"]
        );
        assert_eq!(
            tail(Name::Scp, &given, "ssh://box:99"),
            ["-P", "99", "-C", "/a/agent", "box:.mutagen-agent1"]
        );
    }

    #[test]
    fn where_rc_files_print_the_answer_is_marked_and_a_copy_goes_through_ssh() {
        let host = HostFile { noisy: true, ..host("ssh://box:99") };
        let given = words(&["sinc-0123456789ab", "uname -s -m"]);
        let all = translate(Name::Ssh, &given, &host).unwrap();
        assert_eq!(all.last().unwrap(), "echo sinc-begin 1; uname -s -m");
        let given = words(&["-C", "-oConnectTimeout=5", "agent", "sinc-0123456789ab:.mutagen-agent1"]);
        let (file, all) = upload(&given, &host).unwrap();
        assert_eq!(file, "agent");
        assert_eq!(
            all[options(None).len()..],
            [
                "-p",
                "99",
                "-C",
                "-oConnectTimeout=5",
                "box",
                "cat >'.mutagen-agent1'; chmod 700 '.mutagen-agent1'"
            ]
        );
    }

    #[test]
    fn only_a_word_of_ours_is_replaced() {
        assert_eq!(host_word_in("sinc-0123456789ab"), Some("sinc-0123456789ab"));
        assert_eq!(host_word_in("sinc-0123456789ab:x:y"), Some("sinc-0123456789ab"));
        assert_eq!(host_word_in("sinc-app-012345"), None);
        assert_eq!(host_word_in("box"), None);
    }
}
