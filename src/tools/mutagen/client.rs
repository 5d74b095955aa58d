//! The commands of Mutagen: each is built by a pure function, and done by another.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{MutagenError, SOCKET_PATH_LIMIT, explain, is_daemon_lost, is_version_mismatch};
use super::model::SyncSession;
use super::status::Side;
use crate::process::{Cmd, Done, Output, ProcessError, Runner};

/// The label with the sinc session's id.
pub const LABEL_ID: &str = "sinc-id";

/// The label with the host that the session is on.
pub const LABEL_HOST: &str = "sinc-host";

/// The label with [`SyncSettings::digest`](super::SyncSettings::digest).
pub const LABEL_SETTINGS: &str = "sinc-settings";

/// How long `create` and `resume` may take: they connect, and the first time they copy an agent of 8 MB, which
/// is a minute at 1 Mbit/s.
const CONNECT_DEADLINE: Duration = Duration::from_secs(300);

/// How often a command is tried again while a daemon that was told to stop lets go of its lock. Each try waits
/// up to 10 × 600 ms by itself (`cmd/mutagen/daemon/connect.go`).
const TRIES_AFTER_STOP: u32 = 4;

/// Mutagen with a data directory, and so a daemon, of sinc's own.
#[derive(Clone, Debug)]
pub struct Mutagen {
    program: PathBuf,
    data_dir: PathBuf,
    ssh_dir: PathBuf,
    runner: Runner,
}

/// Which sessions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one with this identifier (`sync_…`).
    Identifier(String),
    /// Those with all of these labels and values.
    Labels(Vec<(String, String)>),
    /// All that sinc made.
    All,
}

impl Selector {
    /// The sessions of a sinc session on a host: one, if all is well.
    #[must_use]
    pub fn session(id: &str, host: &str) -> Self {
        Self::Labels(vec![(LABEL_ID.to_owned(), id.to_owned()), (LABEL_HOST.to_owned(), host.to_owned())])
    }

    fn words(&self) -> Vec<String> {
        match self {
            Self::Identifier(id) => vec!["--".to_owned(), id.clone()],
            Self::Labels(labels) => {
                let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                vec!["--label-selector".to_owned(), labels.join(",")]
            }
            Self::All => vec!["--label-selector".to_owned(), LABEL_ID.to_owned()],
        }
    }
}

/// One end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A directory of this computer.
    Local(PathBuf),
    /// A directory that is reached through ssh.
    Ssh {
        /// What ssh is called with: letters, digits and `-`, because Mutagen's URL has no quoting.
        host: String,
        /// The directory there; best absolute.
        path: String,
    },
}

impl Endpoint {
    /// The end as Mutagen's URL (`pkg/url/parse.go`): what has a colon before the first slash is taken for a
    /// host, so a relative path gets a `./`; after the host, digits and a colon are taken for a port.
    fn url(&self) -> OsString {
        match self {
            Self::Local(path) if path.is_absolute() => path.clone().into_os_string(),
            Self::Local(path) => Path::new(".").join(path).into_os_string(),
            Self::Ssh { host, path } if path.starts_with(['/', '~']) => format!("{host}:{path}").into(),
            Self::Ssh { host, path } => format!("{host}:./{path}").into(),
        }
    }

    fn side(&self) -> Side {
        match self {
            Self::Local(_) => Side::Local,
            Self::Ssh { .. } => Side::Remote,
        }
    }
}

/// A session to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession<'a> {
    /// Its name: a letter, then letters, digits and `-`.
    pub name: &'a str,
    /// Its labels. Values: at most 63 letters, digits, `-`, `_`, `.`, the first and last no sign.
    pub labels: &'a [(&'a str, &'a str)],
    /// The file with its settings ([`SyncSettings::write`](super::SyncSettings::write)).
    pub settings: &'a Path,
    /// The end that wins where a mode has a winner: this computer, but for a pull.
    pub alpha: &'a Endpoint,
    /// The other end.
    pub beta: &'a Endpoint,
}

impl Mutagen {
    /// Mutagen `program` with its daemon's data in `data_dir`. `ssh_dir` is where the programs `ssh` and `scp`
    /// are that it is to use.
    ///
    /// # Errors
    /// The data directory's path is so long that the daemon's socket could not be opened.
    pub fn new(
        program: impl Into<PathBuf>,
        data_dir: impl Into<PathBuf>,
        ssh_dir: impl Into<PathBuf>,
        runner: Runner,
    ) -> Result<Self, MutagenError> {
        let data_dir = data_dir.into();
        let socket = data_dir.join("daemon/daemon.sock");
        if socket.as_os_str().len() >= SOCKET_PATH_LIMIT {
            return Err(MutagenError::SocketPathTooLong { path: socket });
        }
        Ok(Self { program: program.into(), data_dir, ssh_dir: ssh_dir.into(), runner })
    }

    /// The daemon's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn runner(&self) -> &Runner {
        &self.runner
    }

    fn cmd(&self, why: &str) -> Cmd {
        Cmd::new(&self.program, why)
            .untranslated()
            .env("MUTAGEN_DATA_DIRECTORY", &self.data_dir)
            .env("MUTAGEN_SSH_PATH", &self.ssh_dir)
            // A missing daemon is started by whatever command needs it, and must be.
            .env_remove("MUTAGEN_DISABLE_AUTOSTART")
    }

    /// The command that lists sessions.
    #[must_use]
    pub fn list_cmd(&self, selector: &Selector) -> Cmd {
        self.cmd("list the sync sessions")
            .args(["sync", "list", "--template", "{{json .}}"])
            .args(selector.words())
    }

    /// The command that reports each change of a session's state, one JSON array a line, without end.
    #[must_use]
    pub fn monitor_cmd(&self, id: &str, deadline: Duration) -> Cmd {
        self.cmd("watch the sync")
            .args(["sync", "monitor", "--template", "{{json .}}", "--", id])
            .deadline(deadline)
    }

    /// The command that makes a session.
    #[must_use]
    pub fn create_cmd(&self, new: &NewSession) -> Cmd {
        let mut cmd = self
            .cmd("make the sync")
            .args(["sync", "create", "--no-global-configuration", "--name", new.name])
            .arg("--configuration-file")
            .arg(csv_field(new.settings.as_os_str()));
        for (key, value) in new.labels {
            cmd = cmd.arg("--label").arg(format!("{key}={value}"));
        }
        cmd.arg("--").arg(new.alpha.url()).arg(new.beta.url()).deadline(CONNECT_DEADLINE)
    }

    /// The command that makes a session go through a full cycle and waits for its end.
    #[must_use]
    pub fn flush_cmd(&self, id: &str, deadline: Duration) -> Cmd {
        self.cmd("flush the sync").args(["sync", "flush", "--", id]).deadline(deadline)
    }

    /// The command that pauses a session.
    #[must_use]
    pub fn pause_cmd(&self, id: &str) -> Cmd {
        self.cmd("pause the sync").args(["sync", "pause", "--", id])
    }

    /// The command that resumes a session; one that waits to connect again does so at once.
    #[must_use]
    pub fn resume_cmd(&self, id: &str) -> Cmd {
        self.cmd("resume the sync").args(["sync", "resume", "--", id]).deadline(CONNECT_DEADLINE)
    }

    /// The command that ends a session. The files stay on both sides.
    #[must_use]
    pub fn terminate_cmd(&self, id: &str) -> Cmd {
        self.cmd("end the sync").args(["sync", "terminate", "--", id])
    }

    /// The command that stops the daemon. The sessions stay, and go on when the next command starts it again.
    #[must_use]
    pub fn daemon_stop_cmd(&self) -> Cmd {
        self.cmd("stop Mutagen's daemon").args(["daemon", "stop"])
    }

    /// The sessions that the selector means, the oldest first; none is no error.
    ///
    /// # Errors
    /// Mutagen cannot be asked, or its answer is not understood.
    pub fn list(&self, selector: &Selector) -> Result<Vec<SyncSession>, MutagenError> {
        let cmd = self.list_cmd(selector);
        let json = match self.answer(&cmd) {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(MutagenError::NoSuchSession(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        SyncSession::parse_list(&json)
            .map_err(|_| MutagenError::Answer { why: cmd.why().to_owned(), answer: json })
    }

    /// The session with this identifier.
    ///
    /// # Errors
    /// There is none, or Mutagen cannot be asked.
    pub fn session(&self, id: &str) -> Result<SyncSession, MutagenError> {
        let found = self.list(&Selector::Identifier(id.to_owned()))?;
        found.into_iter().next().ok_or_else(|| MutagenError::NoSuchSession(id.to_owned()))
    }

    /// Makes a session and gives its identifier; nothing in a dry run. Mutagen connects before it saves, so
    /// after a failure there is no session.
    ///
    /// # Errors
    /// A side cannot be reached, or Mutagen refuses something.
    pub fn create(&self, new: &NewSession) -> Result<Option<String>, MutagenError> {
        for end in [new.alpha, new.beta] {
            if let Endpoint::Local(path) = end
                && path.to_str().is_none()
            {
                return Err(MutagenError::NotUtf8(path.clone()));
            }
        }
        let cmd = self.create_cmd(new);
        let Some(output) = self.change(&cmd, "", new.alpha.side())? else { return Ok(None) };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let id = said.split_whitespace().rev().find(|word| word.starts_with("sync_")).map(str::to_owned);
        id.map(Some).ok_or(MutagenError::Answer { why: cmd.why().to_owned(), answer: said })
    }

    /// Makes a session go through a full cycle. That it ended well proves little:
    /// [`Mutagen::flush_checked`] looks.
    ///
    /// # Errors
    /// The session cannot sync now, or did not within the deadline.
    pub fn flush(&self, id: &str, deadline: Duration) -> Result<Done, MutagenError> {
        self.change(&self.flush_cmd(id, deadline), id, Side::Local).map(done)
    }

    /// Pauses a session.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn pause(&self, id: &str) -> Result<Done, MutagenError> {
        self.change(&self.pause_cmd(id), id, Side::Local).map(done)
    }

    /// Resumes a session, and waits until it is connected.
    ///
    /// # Errors
    /// A side cannot be reached (Mutagen goes on trying), or there is no such session.
    pub fn resume(&self, id: &str) -> Result<Done, MutagenError> {
        let result = self.change(&self.resume_cmd(id), id, Side::Local).map(done);
        match result {
            Err(MutagenError::Connect { side, reason, ssh }) => {
                // The message says alpha or beta; which side that is, only the session knows.
                let flip = self.session(id).is_ok_and(|session| session.side_of_alpha() == Side::Remote);
                Err(MutagenError::Connect { side: if flip { side.other() } else { side }, reason, ssh })
            }
            result => result,
        }
    }

    /// Ends a session. The files stay on both sides.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn terminate(&self, id: &str) -> Result<Done, MutagenError> {
        self.change(&self.terminate_cmd(id), id, Side::Local).map(done)
    }

    /// Stops the daemon; none is running is no error (`mutagen daemon stop` then ends with 0 too).
    ///
    /// # Errors
    /// The command fails.
    pub fn daemon_stop(&self) -> Result<Done, MutagenError> {
        self.runner.run(&self.daemon_stop_cmd()).map_err(|error| explain(error, "", Side::Local))
    }

    /// Runs a command that only asks.
    fn answer(&self, cmd: &Cmd) -> Result<Output, MutagenError> {
        self.with_right_daemon(&|| self.runner.answer(cmd)).map_err(|error| explain(error, "", Side::Local))
    }

    /// Runs a command that changes something; only shows it in a dry run.
    fn change(&self, cmd: &Cmd, id: &str, alpha: Side) -> Result<Option<Output>, MutagenError> {
        if self.runner.is_dry_run() {
            return self.runner.run(cmd).map(|_| None).map_err(|error| explain(error, id, alpha));
        }
        self.with_right_daemon(&|| self.runner.answer(cmd))
            .map(Some)
            .map_err(|error| explain(error, id, alpha))
    }

    /// Does it, and once more with a new daemon if the running one is of another version: Mutagen wants them to
    /// match exactly, and a new program does not replace a daemon that runs. The sessions survive that.
    fn with_right_daemon<T>(&self, run: &dyn Fn() -> Result<T, ProcessError>) -> Result<T, ProcessError> {
        let first = run();
        match &first {
            Err(error) if is_version_mismatch(error) => {}
            _ => return first,
        }
        if self.runner.run(&self.daemon_stop_cmd())? == Done::WouldRun {
            return first;
        }
        let mut again = run();
        for _ in 1..TRIES_AFTER_STOP {
            match &again {
                Err(error) if is_daemon_lost(error) || is_version_mismatch(error) => again = run(),
                _ => break,
            }
        }
        again
    }
}

fn done(output: Option<Output>) -> Done {
    output.map_or(Done::WouldRun, |_| Done::Ran)
}

/// A value for one of Mutagen's list options, which reads it as a line of CSV (pflag's `StringSlice`): without
/// this a path with a comma would be two.
fn csv_field(value: &OsStr) -> OsString {
    let bytes = value.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return value.to_owned();
    }
    let mut quoted = vec![b'"'];
    for &byte in bytes {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutagen() -> Mutagen {
        Mutagen::new("/opt/mutagen", "/home/me/.local/share/sinc/mutagen", "/opt/ssh", Runner::default())
            .unwrap()
    }

    fn create(settings: &str, alpha: &Endpoint, beta: &Endpoint) -> String {
        let labels = [(LABEL_ID, "sinc-a-1"), (LABEL_HOST, "sinc-h")];
        let new =
            NewSession { name: "sinc-a-1", labels: &labels, settings: Path::new(settings), alpha, beta };
        mutagen().create_cmd(&new).to_string()
    }

    #[test]
    fn every_command() {
        let mutagen = mutagen();
        let shown = |cmd: Cmd| cmd.to_string();
        let second = Duration::from_secs(1);
        assert_eq!(
            shown(mutagen.list_cmd(&Selector::session("sinc-a-1", "sinc-h"))),
            "/opt/mutagen sync list --template '{{json .}}' --label-selector sinc-id=sinc-a-1,sinc-host=sinc-h"
        );
        assert_eq!(
            shown(mutagen.list_cmd(&Selector::All)),
            "/opt/mutagen sync list --template '{{json .}}' --label-selector sinc-id"
        );
        assert_eq!(
            shown(mutagen.list_cmd(&Selector::Identifier("sync_x".to_owned()))),
            "/opt/mutagen sync list --template '{{json .}}' -- sync_x"
        );
        assert_eq!(
            shown(mutagen.monitor_cmd("sync_x", second)),
            "/opt/mutagen sync monitor --template '{{json .}}' -- sync_x"
        );
        assert_eq!(shown(mutagen.flush_cmd("sync_x", second)), "/opt/mutagen sync flush -- sync_x");
        assert_eq!(shown(mutagen.pause_cmd("sync_x")), "/opt/mutagen sync pause -- sync_x");
        assert_eq!(shown(mutagen.resume_cmd("sync_x")), "/opt/mutagen sync resume -- sync_x");
        assert_eq!(shown(mutagen.terminate_cmd("sync_x")), "/opt/mutagen sync terminate -- sync_x");
        assert_eq!(shown(mutagen.daemon_stop_cmd()), "/opt/mutagen daemon stop");
        assert_eq!(
            create(
                "/s/a, \"b\".yml",
                &Endpoint::Local("/home/me/it's: a".into()),
                &Endpoint::Ssh { host: "sinc-h".to_owned(), path: "/srv/22:a b".to_owned() }
            ),
            "/opt/mutagen sync create --no-global-configuration --name sinc-a-1 \
             --configuration-file '\"/s/a, \"\"b\"\".yml\"' --label sinc-id=sinc-a-1 --label sinc-host=sinc-h \
             -- '/home/me/it'\\''s: a' 'sinc-h:/srv/22:a b'"
        );
    }

    #[test]
    fn no_path_is_taken_for_an_option_a_host_or_a_port() {
        let shown = create(
            "/s.yml",
            &Endpoint::Local("-a:b".into()),
            &Endpoint::Ssh { host: "h".to_owned(), path: "22:x".to_owned() },
        );
        assert!(shown.ends_with(" -- ./-a:b h:./22:x"), "{shown}");
    }

    #[test]
    fn a_data_directory_that_is_too_deep_for_a_socket() {
        let fits = format!("/{}", "d".repeat(SOCKET_PATH_LIMIT - 1 - 1 - "/daemon/daemon.sock".len()));
        assert!(Mutagen::new("m", &fits, "/s", Runner::default()).is_ok());
        let error = Mutagen::new("m", format!("{fits}d"), "/s", Runner::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("/daemon/daemon.sock` is too long for a socket: 104 bytes, and 104 are too many")
        );
    }

    #[test]
    fn a_path_that_is_not_utf8_is_refused_before_anything_is_started() {
        let alpha = Endpoint::Local(OsString::from_vec(b"/a\xff".to_vec()).into());
        let beta = Endpoint::Local("/b".into());
        let new =
            NewSession { name: "n", labels: &[], settings: Path::new("/s"), alpha: &alpha, beta: &beta };
        assert!(matches!(mutagen().create(&new), Err(MutagenError::NotUtf8(_))));
    }
}
