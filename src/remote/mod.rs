//! The host, asked over ssh: one connection that all calls and the terminal share.
//!
//! The person's ssh is the ssh: we pass a destination and add options, so `~/.ssh/config`, agents, jump hosts and
//! hardware keys work as they do for `ssh`.

mod control;
mod error;
mod exchange;
mod reply;
mod script;
pub mod shim;
pub mod started;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::Destination;
use crate::process::{Cmd, Outcome, ProcessError, Runner, Stream};

pub use control::{ControlSocket, local_address_towards};
pub use error::{RemoteError, Why, classify};
pub use exchange::Answer;
pub use reply::{BEGIN, Reply, ReplyError};
pub use script::Script;

/// How long a script on the host may take, with nobody to wait for.
pub const SCRIPT_DEADLINE: Duration = Duration::from_secs(30);

/// How long a script may take when a person may first have to answer ssh's own questions: more than sshd's own
/// LoginGraceTime of 120 s.
const PERSON_DEADLINE: Duration = Duration::from_secs(150);

/// How long a script may take over a shared connection before that is held for dead. It needs two round trips; a
/// master itself notices a dead line after 7 s, and ssh through it waits as long (measured, OpenSSH 9.2).
const MASTER_DEADLINE: Duration = Duration::from_secs(4);

/// A host that can be asked.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The host's name in the config, for messages.
    name: String,
    destination: Destination,
    control: ControlSocket,
    /// May ssh ask a person?
    person: bool,
    forward_agent: bool,
    runner: Runner,
}

/// A line that ssh wrote while it was asked, for a person: a hardware key that waits for a touch.
pub type Notice<'a> = &'a dyn Fn(&str);

impl Remote {
    /// A host by its name and destination. With `person`, ssh may ask its own questions on the terminal.
    #[must_use]
    pub fn new(name: &str, destination: Destination, sockets: &Path, runner: Runner) -> Self {
        let control = ControlSocket::new(sockets, &destination, false);
        Self { name: name.to_owned(), destination, control, person: false, forward_agent: false, runner }
    }

    /// Lets ssh ask its own questions (host key, passphrase, second factor) on the terminal.
    #[must_use]
    pub fn with_person(mut self, person: bool) -> Self {
        self.person = person;
        self
    }

    /// Forwards the ssh agent, in every call: the first one opens the connection that the terminal will share. The
    /// agent on the host runs code that nobody has read.
    #[must_use]
    pub fn with_forwarded_agent(mut self, forward: bool) -> Self {
        self.forward_agent = forward;
        self.control = ControlSocket::new(self.control.directory(), &self.destination, forward);
        self
    }

    /// Shares no connection: for a dry run, because a shared one is something made.
    #[must_use]
    pub fn without_sharing(mut self) -> Self {
        self.control = ControlSocket::none();
        self
    }

    /// The host's name in the config.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where ssh goes.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The socket of the shared connection.
    #[must_use]
    pub fn control(&self) -> &ControlSocket {
        &self.control
    }

    /// The command that runs `script` on the host with `words`.
    #[must_use]
    pub fn script_cmd(&self, why: &str, script: &Script, words: &[&str]) -> Cmd {
        let deadline = if self.person { PERSON_DEADLINE } else { SCRIPT_DEADLINE };
        Cmd::new("ssh", why)
            .untranslated()
            .deadline(deadline)
            // 90 to 99 are our scripts' own answers.
            .answers(&[0, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
            .args(self.options(false))
            // No terminal on the host; our standard input is not the script's.
            .args(["-T", "--"])
            .arg(self.destination.target())
            .arg(script.command(words))
    }

    /// The command that attaches the terminal through `script`.
    #[must_use]
    pub fn terminal_cmd(&self, why: &str, script: &Script, words: &[&str]) -> Cmd {
        Cmd::new("ssh", why)
            .no_deadline()
            .args(self.options(true))
            .args(["-t", "--"])
            .arg(self.destination.target())
            .arg(script.command(words))
    }

    /// The command that gives its own streams to `script`, on a terminal of the host's if `tty`. It asks nobody: what is
    /// asked at a login has been answered before.
    #[must_use]
    pub fn streams_cmd(&self, why: &str, script: &Script, words: &[&str], tty: bool) -> Cmd {
        let forward = format!("ForwardAgent={}", if self.forward_agent { "yes" } else { "no" });
        Cmd::new("ssh", why)
            .no_deadline()
            // The first value counts.
            .args(["-o", &forward])
            .args(self.options(false))
            .args([if tty { "-tt" } else { "-T" }, "--"])
            .arg(self.destination.target())
            .arg(script.command(words))
    }

    /// The command for a connection of its own that stays open and runs `script`, which is talked to over its standard
    /// input. With `shared` it rides on the shared connection, because a login needs a person; else others may ride on it, by
    /// the socket `own`.
    #[must_use]
    pub fn line_cmd(
        &self,
        why: &str,
        script: &Script,
        shared: bool,
        own: Option<&Path>,
        connect_seconds: u32,
    ) -> Cmd {
        let control = if shared { self.control.path() } else { own };
        let master = if shared || own.is_none() { "no" } else { "yes" };
        let control = control.map_or("none".into(), Path::to_string_lossy);
        let options = [
            format!("ConnectTimeout={connect_seconds}"),
            "ServerAliveInterval=2".to_owned(),
            "ServerAliveCountMax=2".to_owned(),
            "LogLevel=ERROR".to_owned(),
            "RemoteCommand=none".to_owned(),
            "PermitLocalCommand=no".to_owned(),
            format!("ControlMaster={master}"),
            format!("ControlPath={control}"),
            // It lives as long as the line.
            "ControlPersist=no".to_owned(),
            "BatchMode=yes".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ForwardX11=no".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
        ];
        Cmd::new("ssh", why)
            .untranslated()
            .no_deadline()
            .args(options.into_iter().flat_map(|option| ["-o".to_owned(), option]))
            .args(self.destination.port_args())
            .args(["-T", "--"])
            .arg(self.destination.target())
            .arg(script.command(&[]))
    }

    /// What runs a program on the host when its command is put behind, as text for a shell: for git. It goes over the shared
    /// connection, or by the socket `over` over another one.
    #[must_use]
    pub fn ssh_words(&self, over: Option<&Path>) -> String {
        let mut words = vec!["ssh".to_owned()];
        if let Some(path) = over {
            // The first value counts.
            let options = ["ControlMaster=no".to_owned(), format!("ControlPath={}", path.display())];
            words.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
        }
        words.extend(self.options(false));
        words.extend(["-T".to_owned(), "--".to_owned(), self.destination.target()]);
        words.iter().map(|word| crate::process::quote::posix(word)).collect::<Vec<_>>().join(" ")
    }

    /// Runs a script of ours that only asks, or whose change is safe to repeat.
    ///
    /// # Errors
    /// The host was not reached, or the script broke.
    pub fn call(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        notice: Notice<'_>,
    ) -> Result<Reply, RemoteError> {
        self.call_within(why, script, words, None, notice)
    }

    /// As [`Remote::call`], with a deadline of its own.
    ///
    /// # Errors
    /// As [`Remote::call`].
    pub fn call_within(
        &self,
        why: &str,
        script: &Script,
        words: &[&str],
        deadline: Option<Duration>,
        notice: Notice<'_>,
    ) -> Result<Reply, RemoteError> {
        let mut cmd = self.script_cmd(why, script, words);
        if let Some(deadline) = deadline {
            cmd = cmd.deadline(deadline);
        }
        self.control.prepare();
        if self.control.exists() {
            let allowed = deadline.map_or(MASTER_DEADLINE, |deadline| deadline.min(MASTER_DEADLINE));
            match self.attempt(&cmd.clone().deadline(allowed), notice) {
                Ok(reply) => return Ok(reply),
                Err(error) if master_is_dead(&error) => {
                    tracing::debug!(%error, "the shared connection is dead: connecting anew");
                    self.drop_master();
                }
                Err(error) => return Err(self.explain(why, error)),
            }
        }
        self.attempt(&cmd, notice).map_err(|error| self.explain(why, error))
    }

    fn explain(&self, why: &str, error: ProcessError) -> RemoteError {
        RemoteError::from_process(&self.name, &self.destination.to_string(), why, error)
    }

    fn attempt(&self, cmd: &Cmd, notice: Notice<'_>) -> Result<Reply, ProcessError> {
        let mut stdout = Vec::new();
        let output = self.runner.watch(cmd, &mut |stream, bytes| {
            match stream {
                Stream::Stdout => stdout.extend_from_slice(bytes),
                Stream::Stderr => show_notices(bytes, notice),
            }
            ControlFlow::Continue(())
        })?;
        Ok(Reply::new(output.code, &stdout, output.stderr))
    }

    /// Gives the shared connection up: new calls connect anew. Terminals that ride on it are left alone; if its line is
    /// dead, its own keep-alive ends them.
    pub fn drop_master(&self) {
        if let Some(path) = self.control.path() {
            let cmd = Cmd::new("ssh", "give up the shared connection")
                .deadline(Duration::from_secs(3))
                .answers(&[0, 255])
                .arg("-o")
                .arg(format!("ControlPath={}", path.display()))
                .args(["-O", "stop", "--"])
                .arg(self.destination.target());
            if let Err(error) = self.runner.answer(&cmd) {
                tracing::debug!(%error, "the shared connection could not be ended");
            }
            // A master that was killed leaves its socket.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Before an ssh that nobody supervises: one that would go through a master that is frozen connects by itself.
    pub fn drop_frozen_master(&self) {
        if self.control.exists() && !self.control.greets() {
            tracing::debug!("the shared connection does not answer: connecting anew");
            if let Some(path) = self.control.path() {
                // It would not answer to `-O stop` either.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn options(&self, terminal: bool) -> Vec<String> {
        let mut options: Vec<String> = Vec::new();
        let mut set = |option: &str| options.extend(["-o".to_owned(), option.to_owned()]);
        set("ConnectTimeout=10");
        // A dead line is noticed within 7 s. Debian's BatchMode would silently set 300 s.
        set("ServerAliveInterval=2");
        set("ServerAliveCountMax=2");
        // Errors only: no "Shared connection closed", no banner. (`-q` would hide why a login failed.)
        set("LogLevel=ERROR");
        // An alias may name a command of its own, which would replace ours.
        set("RemoteCommand=none");
        set("PermitLocalCommand=no");
        set("ControlMaster=auto");
        match self.control.path() {
            Some(path) => {
                set(&format!("ControlPath={}", path.display()));
                set("ControlPersist=30m");
            }
            None => set("ControlPath=none"),
        }
        if !terminal {
            set(&format!("BatchMode={}", if self.person { "no" } else { "yes" }));
        }
        set(&format!("ForwardAgent={}", if self.forward_agent { "yes" } else { "no" }));
        if !terminal {
            set("ForwardX11=no");
            set("ClearAllForwardings=yes");
        }
        options.extend(self.destination.port_args());
        options
    }
}

/// Was it the shared connection that failed, in a call that was to go over it? When ssh itself has then tried a new one, its words are of that.
#[must_use]
pub fn master_is_dead(error: &ProcessError) -> bool {
    match error.outcome() {
        Outcome::TimedOut(_) => true,
        Outcome::Exit(255) => {
            matches!(classify(error.stderr()), Why::MasterDead | Why::TurnedAway | Why::Lost | Why::Unknown)
        }
        _ => false,
    }
}

/// Passes on what ssh says while it waits for a person (OpenSSH 9.2: `Confirm user presence for key …`).
fn show_notices(bytes: &[u8], notice: Notice<'_>) {
    for line in String::from_utf8_lossy(bytes).lines() {
        if line.starts_with("Confirm user presence") || line.starts_with("User presence confirmed") {
            notice(line);
        }
    }
}

/// The directory in which `ssh` and `scp` are sinc itself, for Mutagen.
#[must_use]
pub fn shim_directory(data: &Path) -> PathBuf {
    data.join("mutagen-ssh")
}
