//! The commands of Mutagen as values, and what goes into them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::Mutagen;
use super::status::Side;
use crate::process::Cmd;

/// The label with the sinc session's id.
pub const LABEL_ID: &str = "sinc-id";

/// The label with the host that the session is on.
pub const LABEL_HOST: &str = "sinc-host";

/// The label with [`SyncSettings::digest`](super::SyncSettings::digest).
pub const LABEL_SETTINGS: &str = "sinc-settings";

/// The variable that tells a daemon's own children which program it is.
pub const PROGRAM_VARIABLE: &str = "MUTAGEN_PROGRAM";

/// How long `create` and `resume` may take: they connect, and the first time they copy an agent of 8 MB, which
/// is a minute at 1 Mbit/s.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(300);

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

    pub(super) fn words(&self) -> Vec<String> {
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

    pub(super) fn side(&self) -> Side {
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
    /// The end that everything comes from, or that wins, where a mode has one.
    pub alpha: &'a Endpoint,
    /// The other end.
    pub beta: &'a Endpoint,
}

impl Mutagen {
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

    /// The same command, which asks only once it has read all of its standard input: it loads its template before it
    /// connects to the daemon (`cmd/mutagen/sync/list.go`), so by then it has got over its start.
    #[must_use]
    pub fn list_when_told_cmd(&self, selector: &Selector) -> Cmd {
        self.cmd("list the sync sessions")
            .args(["sync", "list", "--template-file", "/dev/stdin"])
            .args(selector.words())
            .stdin("{{json .}}\n")
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
        cmd.arg("--").arg(new.alpha.url()).arg(new.beta.url()).deadline(self.connects_within)
    }

    /// The command that makes a session go through a full cycle and waits for its end.
    #[must_use]
    pub fn flush_cmd(&self, id: &str, deadline: Duration) -> Cmd {
        self.cmd("flush the sync").args(["sync", "flush", "--", id]).deadline(deadline)
    }

    /// The command that asks for a cycle and does not wait for it.
    #[must_use]
    pub fn ask_cmd(&self, id: &str) -> Cmd {
        self.cmd("ask for a cycle").args(["sync", "flush", "--skip-wait", "--", id])
    }

    /// The same for all sessions that the selector means.
    #[must_use]
    pub fn flush_all_cmd(&self, selector: &Selector, deadline: Duration) -> Cmd {
        self.cmd("flush the sync").args(["sync", "flush"]).args(selector.words()).deadline(deadline)
    }

    /// The command that pauses a session.
    #[must_use]
    pub fn pause_cmd(&self, id: &str) -> Cmd {
        self.cmd("pause the sync").args(["sync", "pause", "--", id])
    }

    /// The command that resumes a session; one that waits to connect again does so at once.
    #[must_use]
    pub fn resume_cmd(&self, id: &str) -> Cmd {
        self.cmd("resume the sync").args(["sync", "resume", "--", id]).deadline(self.connects_within)
    }

    /// The command that has a session forget what both sides had in common.
    #[must_use]
    pub fn reset_cmd(&self, id: &str) -> Cmd {
        self.cmd("have the sync begin anew").args(["sync", "reset", "--", id])
    }

    /// The command that ends a session. The files stay on both sides.
    #[must_use]
    pub fn terminate_cmd(&self, id: &str) -> Cmd {
        self.cmd("end the sync").args(["sync", "terminate", "--", id])
    }

    /// The command that starts the daemon. It inherits the environment, and with it `SSH_AUTH_SOCK`; not the
    /// directory, which somebody may want to delete or unmount.
    #[must_use]
    pub fn daemon_start_cmd(&self) -> Cmd {
        // A cycle looks at every file, and a third of that was Go's collector: a cycle of 10,000 files took 65 ms instead of 80
        // with this on both sides, for 10 MB on each (`remote/gate.sh` has the other one).
        self.cmd("start Mutagen's daemon")
            .env("GOGC", "200")
            .args(["daemon", "start"])
            .env(PROGRAM_VARIABLE, &self.program)
            .dir("/")
    }

    /// The command that stops the daemon. The sessions stay, and go on when the next command starts it again.
    #[must_use]
    pub fn daemon_stop_cmd(&self) -> Cmd {
        self.cmd("stop Mutagen's daemon").args(["daemon", "stop"])
    }
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
    use crate::process::Runner;

    fn mutagen() -> Mutagen {
        Mutagen::new("/opt/mutagen", "/home/me/.local/share/sinc/mutagen", "/opt/ssh", Runner::default())
            .unwrap()
    }

    fn create(settings: &str, alpha: &Endpoint, beta: &Endpoint) -> String {
        let labels = [(LABEL_ID, "sinc-a-1"), (LABEL_HOST, "sinc-h")];
        let new =
            NewSession { name: "sinc-a-1", labels: &labels, settings: Path::new(settings), alpha, beta };
        let shown = mutagen().create_cmd(&new).to_string();
        shown[shown.find("/opt/mutagen").unwrap()..].to_owned()
    }

    #[test]
    fn every_command() {
        let mutagen = mutagen();
        let env = "MUTAGEN_DATA_DIRECTORY=/home/me/.local/share/sinc/mutagen MUTAGEN_SSH_PATH=/opt/ssh ";
        let shown = |cmd: Cmd| cmd.to_string().strip_prefix(env).expect("its own daemon and ssh").to_owned();
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
        assert_eq!(
            shown(mutagen.flush_all_cmd(&Selector::session("sinc-a-1", "sinc-h"), second)),
            "/opt/mutagen sync flush --label-selector sinc-id=sinc-a-1,sinc-host=sinc-h"
        );
        assert_eq!(shown(mutagen.pause_cmd("sync_x")), "/opt/mutagen sync pause -- sync_x");
        assert_eq!(shown(mutagen.resume_cmd("sync_x")), "/opt/mutagen sync resume -- sync_x");
        assert_eq!(shown(mutagen.reset_cmd("sync_x")), "/opt/mutagen sync reset -- sync_x");
        assert_eq!(shown(mutagen.terminate_cmd("sync_x")), "/opt/mutagen sync terminate -- sync_x");
        assert_eq!(
            shown(mutagen.daemon_start_cmd()),
            "GOGC=200 MUTAGEN_PROGRAM=/opt/mutagen /opt/mutagen daemon start"
        );
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
}
