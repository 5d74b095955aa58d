//! Mutagen's commands, done: with a daemon that runs and is of the right version, and failures explained.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::commands::{CONNECT_DEADLINE, Endpoint, NewSession, Selector};
use super::error::{
    MutagenError, SOCKET_PATH_LIMIT, explain, is_daemon_lost, is_prompter_late, is_version_mismatch,
};
use super::model::SyncSession;
use super::status::Side;
use crate::process::{Cmd, DEFAULT_DEADLINE, Done, Output, ProcessError, Runner};

/// Where the daemon listens, below its data directory (`pkg/daemon/paths.go`).
const SOCKET: &str = "daemon/daemon.sock";

/// How often a command is tried again while a daemon that was told to stop lets go of its lock. Each try waits
/// up to 10 × 600 ms by itself (`cmd/mutagen/daemon/connect.go`).
const TRIES_AFTER_STOP: u32 = 4;

/// How long a daemon that was started may take until it listens; later, its first command waits for it.
const DAEMON_STARTS: Duration = Duration::from_millis(500);

/// Mutagen with a data directory, and so a daemon, of sinc's own.
#[derive(Clone, Debug)]
pub struct Mutagen {
    pub(super) program: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) ssh_dir: PathBuf,
    pub(super) connects_within: Duration,
    runner: Runner,
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
        let socket = data_dir.join(SOCKET);
        if socket.as_os_str().len() >= SOCKET_PATH_LIMIT {
            return Err(MutagenError::SocketPathTooLong { path: socket });
        }
        let (program, ssh_dir) = (program.into(), ssh_dir.into());
        Ok(Self { program, data_dir, ssh_dir, connects_within: CONNECT_DEADLINE, runner })
    }

    /// The same, but a session is to be made or to be connected within this time.
    #[must_use]
    pub fn connecting_within(self, time: Duration) -> Self {
        Self { connects_within: time, ..self }
    }

    /// The daemon's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The sessions that the selector means, the oldest first; none is no error.
    ///
    /// # Errors
    /// Mutagen cannot be asked, or its answer is not understood.
    pub fn list(&self, selector: &Selector) -> Result<Vec<SyncSession>, MutagenError> {
        if !self.daemon_runs() && !self.has_saved_sessions() {
            return Ok(Vec::new());
        }
        let cmd = self.list_cmd(selector);
        let json = match self.answer(&cmd) {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(MutagenError::NoSuchSession(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        SyncSession::parse_list(&json)
            .map_err(|_| MutagenError::Answer { why: cmd.why().to_owned(), answer: json })
    }

    /// As [`Mutagen::list`], by a program that is started at once and asks when something comes from `moment`: most of
    /// the time of a `list` is the program's own start. Nothing when that did not come to an answer.
    pub(super) fn list_at(
        &self,
        selector: &Selector,
        moment: Receiver<()>,
        within: Duration,
    ) -> Option<Vec<SyncSession>> {
        if self.runner.is_dry_run() || !self.daemon_runs() {
            return None;
        }
        let cmd = self.list_when_told_cmd(selector).deadline(within + DEFAULT_DEADLINE);
        let output = self.runner.answer_at(&cmd, moment).ok()?;
        SyncSession::parse_list(&String::from_utf8_lossy(&output.stdout)).ok()
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
        self.keep_before(Some(id));
        let done = self.change(&self.flush_cmd(id, deadline), id, Side::Local).map(done)?;
        self.note_alive(id);
        Ok(done)
    }

    /// The same for all sessions that the selector means.
    ///
    /// # Errors
    /// There is none, one of them cannot sync now, or did not within the deadline.
    pub(super) fn flush_all(&self, selector: &Selector, deadline: Duration) -> Result<Done, MutagenError> {
        if !self.daemon_runs() && !self.has_saved_sessions() {
            return Err(MutagenError::NoSuchSession(selector.words().join(" ")));
        }
        self.keep_before(None);
        let done = self.change(&self.flush_all_cmd(selector, deadline), "", Side::Local).map(done)?;
        self.keep_before(None);
        Ok(done)
    }

    /// Ends a session. The files stay on both sides.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn terminate(&self, id: &str) -> Result<Done, MutagenError> {
        let done = self.change(&self.terminate_cmd(id), id, Side::Local).map(done)?;
        self.forget_before(id);
        self.forget_wish(id);
        Ok(done)
    }

    /// The sessions that are in a cycle, or could be: what they remember, they may write down at any moment. Asks the daemon that
    /// runs, of whatever version.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn at_work(&self) -> Result<Vec<String>, MutagenError> {
        let asked = self.runner.answer(&self.list_cmd(&Selector::All));
        let json = match asked.map_err(|error| explain(error, "", Side::Local)) {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(MutagenError::NoSuchSession(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let all = SyncSession::parse_list(&json);
        let all =
            all.map_err(|_| MutagenError::Answer { why: "list the sync sessions".to_owned(), answer: json })?;
        Ok(all.into_iter().filter(SyncSession::is_at_work).map(|session| session.identifier).collect())
    }

    /// Has a session forget what both sides had in common, as if it were new: in `two-way-safe`, what is missing on one
    /// side comes from the other. A paused one stays paused.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn reset(&self, id: &str) -> Result<Done, MutagenError> {
        // What was known before it must not come back; a cycle may end meanwhile.
        self.forget_before(id);
        let done = self.change(&self.reset_cmd(id), id, Side::Local).map(done);
        self.forget_before(id);
        done
    }

    /// Stops the daemon; none is running is no error (`mutagen daemon stop` then ends with 0 too).
    ///
    /// # Errors
    /// The command fails.
    pub fn daemon_stop(&self) -> Result<Done, MutagenError> {
        self.runner.run(&self.daemon_stop_cmd()).map_err(|error| explain(error, "", Side::Local))
    }

    /// Is there a daemon that answers? One that was killed, or a restart of the computer, leaves its socket behind.
    #[must_use]
    pub fn daemon_runs(&self) -> bool {
        UnixStream::connect(self.data_dir.join(SOCKET)).is_ok()
    }

    /// Mutagen keeps a file a session (`pkg/synchronization/paths.go`).
    fn has_saved_sessions(&self) -> bool {
        std::fs::read_dir(self.data_dir.join("sessions")).is_ok_and(|mut files| files.next().is_some())
    }

    /// Runs a command that only asks. In a dry run it starts no daemon: its sessions would begin to sync.
    fn answer(&self, cmd: &Cmd) -> Result<Output, MutagenError> {
        if self.runner.is_dry_run() && !self.daemon_runs() {
            return Err(MutagenError::NotRunning);
        }
        self.with_right_daemon(cmd).map_err(|error| explain(error, "", Side::Local))
    }

    /// Runs a command that changes something; only shows it in a dry run.
    pub(super) fn change(&self, cmd: &Cmd, id: &str, alpha: Side) -> Result<Option<Output>, MutagenError> {
        if self.runner.is_dry_run() {
            return self.runner.run(cmd).map(|_| None).map_err(|error| explain(error, id, alpha));
        }
        let done = match self.with_right_daemon(cmd) {
            Err(error) if is_prompter_late(&error) => self.with_right_daemon(cmd),
            done => done,
        };
        done.map(Some).map_err(|error| explain(error, id, alpha))
    }

    /// Runs the command, and once more with a new daemon if the running one is of another version: Mutagen wants
    /// them to match exactly, and a new program does not replace a daemon that runs. The sessions survive that.
    fn with_right_daemon(&self, cmd: &Cmd) -> Result<Output, ProcessError> {
        let first = self.with_daemon(cmd);
        match &first {
            Err(error) if is_version_mismatch(error) => {}
            _ => return first,
        }
        if self.runner.run(&self.daemon_stop_cmd())? == Done::WouldRun {
            return first;
        }
        let mut again = self.with_daemon(cmd);
        for _ in 1..TRIES_AFTER_STOP {
            match &again {
                Err(error) if is_daemon_lost(error) || is_version_mismatch(error) => {
                    again = self.with_daemon(cmd);
                }
                _ => break,
            }
        }
        again
    }

    /// Runs the command with a daemon. Every command starts a missing one by itself, but first waits half a second
    /// for it to appear: 610 ms for a `list`, against 21 ms for `daemon start` and `list` (measured, 0.18.1).
    fn with_daemon(&self, cmd: &Cmd) -> Result<Output, ProcessError> {
        if !self.daemon_runs() {
            self.runner.answer(&self.daemon_start_cmd())?;
            // It comes back before the daemon listens: 4 of 8 commands that followed at once still took 610 ms.
            let until = Instant::now() + DAEMON_STARTS;
            while !self.daemon_runs() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        self.runner.answer(cmd)
    }
}

pub(super) fn done(output: Option<Output>) -> Done {
    output.map_or(Done::WouldRun, |_| Done::Ran)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn mutagen() -> Mutagen {
        Mutagen::new("/opt/mutagen", "/home/me/.local/share/sinc/mutagen", "/opt/ssh", Runner::default())
            .unwrap()
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
