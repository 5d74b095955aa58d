//! Why the host could not be asked.

use std::fmt;
use std::time::Duration;

use crate::process::{Outcome, ProcessError};

/// What kind of failure ssh reported. Its exit code is 255 for all of them (OpenSSH 9.2), so its text decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The name of the host cannot be resolved.
    NoSuchName,
    /// The machine answers, but nothing listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// There is no way to that address.
    NoRoute,
    /// The host's key is not known yet, and nobody could be asked about it.
    HostKeyUnknown,
    /// The host's key is another one than before.
    HostKeyChanged,
    /// The host does not accept this login.
    LoginRefused,
    /// The shared connection is dead.
    MasterDead,
    /// ssh itself does not understand its configuration.
    SshConfig,
    /// The host took the connection, and ended it before the login.
    TurnedAway,
    /// The connection was lost on the way.
    Lost,
    /// Something else, told by ssh's own words.
    Unknown,
}

/// A call to the host that failed.
#[derive(Debug)]
pub enum RemoteError {
    /// ssh did not get there.
    Ssh {
        /// The host's name in the config.
        host: String,
        /// Where ssh was to go.
        destination: String,
        /// What kind of failure.
        why: Why,
        /// ssh's own words.
        said: String,
    },
    /// There was no answer within this time.
    Deadline {
        /// The host's name in the config.
        host: String,
        /// Where ssh was to go.
        destination: String,
        /// What was being done.
        doing: String,
        /// The time allowed.
        after: Duration,
    },
    /// Our script ended in a way that it should not.
    Script {
        /// The host's name in the config.
        host: String,
        /// What was being done.
        doing: String,
        /// The exit code.
        code: i32,
        /// What it wrote to standard error.
        said: String,
    },
    /// ssh could not be run at all.
    Process(ProcessError),
}

impl RemoteError {
    pub(super) fn from_process(host: &str, destination: &str, doing: &str, error: ProcessError) -> Self {
        let (host, destination) = (host.to_owned(), destination.to_owned());
        match error.outcome() {
            Outcome::Exit(255) => {
                let said = error.stderr().trim().to_owned();
                Self::Ssh { host, destination, why: classify(&said), said }
            }
            Outcome::Exit(code) => Self::Script {
                host,
                doing: doing.to_owned(),
                code: *code,
                said: error.stderr().trim().to_owned(),
            },
            Outcome::TimedOut(after) => {
                Self::Deadline { host, destination, doing: doing.to_owned(), after: *after }
            }
            _ => Self::Process(error),
        }
    }

    /// A program that talked with this host failed.
    #[must_use]
    pub fn of(remote: &super::Remote, doing: &str, error: ProcessError) -> Self {
        Self::from_process(remote.name(), &remote.destination().to_string(), doing, error)
    }

    /// Did ssh fail for this reason?
    #[must_use]
    pub fn is(&self, kind: Why) -> bool {
        matches!(self, Self::Ssh { why, .. } if *why == kind)
    }
}

/// Reads the reason out of ssh's words. Each pattern is the text of OpenSSH 9.2 on Linux or macOS.
#[must_use]
pub fn classify(said: &str) -> Why {
    let patterns: [(&[&str], Why); 10] = [
        (&["REMOTE HOST IDENTIFICATION HAS CHANGED"], Why::HostKeyChanged),
        (&["Host key verification failed", "host key is known for"], Why::HostKeyUnknown),
        (&["Could not resolve hostname"], Why::NoSuchName),
        (&["Connection refused"], Why::Refused),
        (&["No route to host", "Network is unreachable", "Network is down"], Why::NoRoute),
        (&["timed out during", "Connection timed out", "Operation timed out"], Why::TimedOut),
        (
            &["Permission denied (", "Too many authentication failures", "No more authentication"],
            Why::LoginRefused,
        ),
        (
            &[
                "Bad configuration option",
                "bad configuration options",
                "Can't open user config",
                "no argument after keyword",
                "Bad owner or permissions on",
            ],
            Why::SshConfig,
        ),
        (&["mux_client", "Control socket", "ControlSocket", "master is dead"], Why::MasterDead),
        (&["kex_exchange_identification"], Why::TurnedAway),
    ];
    for (texts, why) in patterns {
        if texts.iter().any(|text| said.contains(text)) {
            return why;
        }
    }
    let lost =
        ["not responding", "Connection closed", "Connection reset", "closed by remote host", "Broken pipe"];
    if lost.iter().any(|text| said.contains(text)) { Why::Lost } else { Why::Unknown }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh { host, why, said, .. } => {
                match why {
                    Why::NoSuchName => write!(f, "the name of host `{host}` cannot be resolved")?,
                    Why::Refused => {
                        write!(f, "host `{host}` refuses connections: no ssh server listens there")?;
                    }
                    Why::TimedOut => write!(f, "host `{host}` did not answer in time")?,
                    Why::NoRoute => write!(f, "there is no way to host `{host}` from this network")?,
                    Why::HostKeyUnknown => {
                        write!(f, "the key of host `{host}` is not known on this computer")?;
                    }
                    Why::HostKeyChanged => write!(f, "the key of host `{host}` has changed")?,
                    Why::LoginRefused => write!(f, "host `{host}` refuses the login")?,
                    Why::MasterDead => write!(f, "the shared connection to host `{host}` is dead")?,
                    Why::SshConfig => write!(f, "ssh does not accept its configuration")?,
                    Why::TurnedAway => write!(f, "host `{host}` ended the connection before the login")?,
                    Why::Lost => write!(f, "the connection to host `{host}` was lost")?,
                    Why::Unknown => write!(f, "ssh could not reach host `{host}`")?,
                }
                quote_lines(f, said)
            }
            Self::Deadline { host, doing, after, .. } => {
                write!(
                    f,
                    "could not {doing}: host `{host}` gave no answer within {:.0} s",
                    after.as_secs_f64()
                )
            }
            Self::Script { host, doing, code, said } => {
                write!(f, "could not {doing}: the script on host `{host}` ended with {code}")?;
                quote_lines(f, said)
            }
            Self::Process(error) => write!(f, "{error}"),
        }
    }
}

fn quote_lines(f: &mut fmt::Formatter<'_>, said: &str) -> fmt::Result {
    for line in said.lines().filter(|line| !line.trim().is_empty()) {
        // What a host writes may hold anything; a terminal gets the printable part.
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        write!(f, "\n  {line}")?;
    }
    Ok(())
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Process(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_a_kind() {
        let samples = [
            ("ssh: Could not resolve hostname nope: Name or service not known", Why::NoSuchName),
            (
                "ssh: Could not resolve hostname nope: nodename nor servname provided, or not known",
                Why::NoSuchName,
            ),
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused", Why::Refused),
            ("ssh: connect to host 10.0.0.9 port 22: Connection timed out", Why::TimedOut),
            ("ssh: connect to host 10.0.0.9 port 22: Operation timed out", Why::TimedOut),
            ("Connection timed out during banner exchange", Why::TimedOut),
            ("ssh: connect to host 10.0.0.9 port 22: No route to host", Why::NoRoute),
            ("ssh: connect to host fd00::9 port 22: Network is unreachable", Why::NoRoute),
            (
                "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\nHost key verification failed.",
                Why::HostKeyUnknown,
            ),
            (
                "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@\nHost key verification failed.",
                Why::HostKeyChanged,
            ),
            ("dev@10.77.0.2: Permission denied (publickey).", Why::LoginRefused),
            (
                "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
                Why::LoginRefused,
            ),
            ("mux_client_request_session: read from master failed: Broken pipe", Why::MasterDead),
            ("/home/a/.ssh/config: line 3: Bad configuration option: nonsense", Why::SshConfig),
            ("Timeout, server 10.77.0.2 not responding.", Why::Lost),
            ("kex_exchange_identification: Connection closed by remote host", Why::TurnedAway),
            ("kex_exchange_identification: read: Connection reset by peer", Why::TurnedAway),
            ("Connection reset by 203.0.113.7 port 22", Why::Lost),
            ("something new", Why::Unknown),
            ("", Why::Unknown),
        ];
        for (said, why) in samples {
            assert_eq!(classify(said), why, "{said}");
        }
    }

    #[test]
    fn what_the_host_writes_cannot_drive_the_terminal() {
        let error = RemoteError::Ssh {
            host: "box".into(),
            destination: "box".into(),
            why: Why::Unknown,
            said: "a\x1b[2Jb\n\n c".into(),
        };
        assert_eq!(error.to_string(), "ssh could not reach host `box`\n  a[2Jb\n   c");
    }
}
