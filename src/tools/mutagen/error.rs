//! Why something with Mutagen failed.

use std::fmt;
use std::path::PathBuf;

use super::status::Side;
use crate::process::{Interrupted, Outcome, ProcessError};

/// A socket's path must be shorter than this, bytes: `sun_path` has 104 on macOS and 108 on Linux.
pub const SOCKET_PATH_LIMIT: usize = 104;

/// Why something with Mutagen failed.
#[derive(Debug)]
pub enum MutagenError {
    /// The data directory is too deep: its daemon could not open its socket.
    SocketPathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// The path of one side is not UTF-8, which Mutagen does not take.
    NotUtf8(
        /// The path.
        PathBuf,
    ),
    /// There is no session with this identifier (any more).
    NoSuchSession(
        /// The identifier.
        String,
    ),
    /// One side could not be reached while a session was made or resumed.
    Connect {
        /// The side.
        side: Side,
        /// Mutagen's reason, whole.
        reason: String,
        /// What ssh said, where Mutagen has it: it reads ssh's two outputs beside each other, and when the one
        /// ends first the other is lost (seen once in ten tries). To know why, ask ssh itself.
        ssh: Option<String>,
    },
    /// Mutagen's daemon could not be started or reached.
    Daemon(
        /// The command that failed.
        Box<ProcessError>,
    ),
    /// No daemon is running, and a dry run starts none.
    NotRunning,
    /// The running daemon is of another version, and stopping it did not help (or this is a dry run).
    VersionMismatch(
        /// The command that failed.
        Box<ProcessError>,
    ),
    /// Another failure of a command.
    Command(
        /// The command that failed.
        Box<ProcessError>,
    ),
    /// Mutagen said something that sinc does not understand.
    Answer {
        /// What was asked.
        why: String,
        /// What came.
        answer: String,
    },
    /// A signal told sinc to stop.
    Interrupted(
        /// The signal.
        Interrupted,
    ),
}

impl fmt::Display for MutagenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SocketPathTooLong { path } => write!(
                f,
                "`{}` is too long for a socket: {} bytes, and {SOCKET_PATH_LIMIT} are too many",
                path.display(),
                path.as_os_str().len(),
            ),
            Self::NotUtf8(path) => {
                write!(f, "`{}` is not UTF-8, which Mutagen does not take", path.display())
            }
            Self::NoSuchSession(id) => write!(f, "there is no sync session `{id}`"),
            Self::Connect { side, reason, .. } => {
                write!(f, "the sync could not connect to its side {side}: {reason}")
            }
            Self::Daemon(_) => f.write_str("Mutagen's daemon could not be reached"),
            Self::NotRunning => {
                f.write_str("Mutagen's daemon is not running, and a dry run does not start it")
            }
            Self::VersionMismatch(_) => f.write_str("Mutagen's daemon is of another version"),
            Self::Command(error) => error.fmt(f),
            Self::Answer { why, answer } => {
                write!(
                    f,
                    "could not {why}: Mutagen answered `{}`",
                    answer.trim().chars().take(200).collect::<String>()
                )
            }
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

impl std::error::Error for MutagenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Daemon(error) | Self::VersionMismatch(error) => Some(error),
            _ => None,
        }
    }
}

/// The words of the daemon's client when daemon and client are of two versions (`cmd/mutagen/daemon/connect.go`).
pub(super) fn is_version_mismatch(error: &ProcessError) -> bool {
    error.stderr().contains("client/daemon version mismatch")
}

/// Its words when there is no daemon, none can be started, or it goes away just now.
pub(super) fn is_daemon_lost(error: &ProcessError) -> bool {
    [
        "unable to connect to daemon",
        "unable to query daemon version",
        "error reading from server",
        "transport is closing",
    ]
    .iter()
    .any(|words| error.stderr().contains(words))
}

/// Was the command quicker than the daemon, which tells it the name of a prompter before it enters that into its own list
/// (`Send`, then `RegisterPrompterWithIdentifier`, in `pkg/service/prompting/server.go`)? Seen on a busy machine, once in
/// some hundred runs. Nothing was done then: `create` connects before it saves.
pub(super) fn is_prompter_late(error: &ProcessError) -> bool {
    error.stderr().contains("prompter not found")
}

/// What a failed command means. `id` is the session that was named, `alpha` the side that alpha is.
pub(super) fn explain(error: ProcessError, id: &str, alpha: Side) -> MutagenError {
    if let Outcome::Interrupted(signal) = error.outcome() {
        return MutagenError::Interrupted(Interrupted(*signal));
    }
    if error.stderr().contains("did not match any sessions") {
        return MutagenError::NoSuchSession(id.to_owned());
    }
    if is_version_mismatch(&error) {
        return MutagenError::VersionMismatch(Box::new(error));
    }
    for (words, side) in
        [("unable to connect to alpha: ", alpha), ("unable to connect to beta: ", alpha.other())]
    {
        if let Some((_, reason)) = error.stderr().split_once(words) {
            let reason = reason.trim().to_owned();
            let ssh =
                reason.split_once("(error output: ").map(|(_, said)| said.trim_end_matches(')').to_owned());
            return MutagenError::Connect { side, reason, ssh };
        }
    }
    if is_daemon_lost(&error) {
        return MutagenError::Daemon(Box::new(error));
    }
    MutagenError::Command(Box::new(error))
}
/// Does Mutagen's reason only say that its line was lost? It names what it was waiting for at that moment, which is of no use to a
/// person. (Seen with Mutagen 0.18.1 as the network is cut, as ssh is killed, and as the host goes down.)
#[must_use]
pub fn is_lost_line(reason: &str) -> bool {
    let words = ["EOF", "broken pipe", "connection reset", "stream closed", "closed pipe"];
    words.iter().any(|word| reason.contains(word)) && !reason.contains("handshake")
}
