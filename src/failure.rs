//! Every failure on one page: its exit code, its causes, its advice; and the only printer of errors.

use std::fmt;

use crate::config::{ChoiceError, ConfigError, Destination};
use crate::demo::TooSlow;
use crate::process::{Cmd, Interrupted, Outcome, ProcessError};
use crate::project::ProjectError;
use crate::remote::{RemoteError, ReplyError, Why, classify as classify_ssh};
use crate::session::bootstrap::NoRights;
use crate::session::sync::Stuck;
use crate::state::{Busy, Damaged};
use crate::tools::mutagen::MutagenError;
use crate::ui::{NobodyToAsk, Ui};

/// What kind of failure, which decides the exit code (`docs/exit-codes.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The work failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// A program on this computer is missing or too old.
    MissingTool,
    /// A bug in sinc.
    Bug,
    /// A deadline passed.
    TimedOut,
    /// The host was not reached, is not trusted, or refuses the login.
    Connect,
    /// The host needs rights that we do not have.
    Privilege,
    /// A file or value of the configuration is invalid.
    Config,
    /// Ended by this signal.
    Signal(i32),
}

impl Kind {
    /// All kinds that have a code of their own, for the documentation's test.
    pub const ALL: [Self; 8] = [
        Self::Failed,
        Self::Usage,
        Self::MissingTool,
        Self::Bug,
        Self::TimedOut,
        Self::Connect,
        Self::Privilege,
        Self::Config,
    ];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::MissingTool => 69,
            Self::Bug => 70,
            Self::TimedOut => 75,
            Self::Connect => 76,
            Self::Privilege => 77,
            Self::Config => 78,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// Its name in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::MissingTool => "missing-tool",
            Self::Bug => "bug",
            Self::TimedOut => "timed-out",
            Self::Connect => "connect",
            Self::Privilege => "privilege",
            Self::Config => "config",
            Self::Signal(_) => "signal",
        }
    }
}

/// A failure that a command explains by itself.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hints: Vec<String>,
    data: Option<serde_json::Value>,
    cause: Option<anyhow::Error>,
}

impl Failure {
    /// A failure with its message: a fragment in lower case, without a period.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), data: None, cause: None }
    }

    /// A failure as it is shown, to which something can be added.
    #[must_use]
    pub fn of(error: anyhow::Error) -> Self {
        let shown = explain(&error);
        Self { kind: shown.kind, message: shown.message, hints: shown.hints, data: None, cause: Some(error) }
    }

    /// Adds an action that helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what is known all the same, for `--json`.
    #[must_use]
    pub fn with_data(mut self, data: serde_json::Value) -> Self {
        self.data = Some(data);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// A failure as it is shown.
#[derive(Debug)]
pub struct Shown {
    /// What kind.
    pub kind: Kind,
    /// What failed.
    pub message: String,
    /// Why, from the nearest to the deepest.
    pub causes: Vec<String>,
    /// What helps, two at most.
    pub hints: Vec<String>,
}

/// Finds the kind and the advice in an error's chain.
#[must_use]
pub fn explain(error: &anyhow::Error) -> Shown {
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A wrapper that says the same as what it wraps is said once.
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    let (kind, hints) = error.chain().find_map(classify).unwrap_or((Kind::Failed, Vec::new()));
    let mut texts = texts.into_iter();
    Shown { kind, message: texts.next().unwrap_or_default(), causes: texts.collect(), hints }
}

fn classify(cause: &(dyn std::error::Error + 'static)) -> Option<(Kind, Vec<String>)> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some((failure.kind, failure.hints.clone()));
    }
    if let Some(Interrupted(signal)) = cause.downcast_ref::<Interrupted>() {
        return Some((Kind::Signal(*signal), Vec::new()));
    }
    if let Some(error) = cause.downcast_ref::<ProcessError>() {
        return Some(of_process(error));
    }
    if let Some(error) = cause.downcast_ref::<RemoteError>() {
        return Some(of_remote(error));
    }
    if cause.is::<ConfigError>() {
        return Some((Kind::Config, Vec::new()));
    }
    if let Some(error) = cause.downcast_ref::<ChoiceError>() {
        return Some((Kind::Config, choice_hints(error)));
    }
    if let Some(stuck) = cause.downcast_ref::<Stuck>() {
        return Some((Kind::Failed, stuck_hints(stuck)));
    }
    if let Some(error) = cause.downcast_ref::<ProjectError>() {
        return Some((Kind::Failed, project_hints(error)));
    }
    if let Some(error) = cause.downcast_ref::<MutagenError>() {
        return Some(of_mutagen(error));
    }
    if cause.is::<NoRights>() {
        let hint = "choose a directory that the login may write in: `workspace` of the host in the config";
        return Some((Kind::Privilege, vec![hint.to_owned()]));
    }
    if cause.is::<TooSlow>() {
        return Some((Kind::TimedOut, vec!["is this computer very busy? Then try again".to_owned()]));
    }
    if cause.is::<Busy>() {
        return Some((Kind::TimedOut, vec!["wait for it, or end it, and try again".to_owned()]));
    }
    if cause.is::<Damaged>() {
        let hint = "mend it, or move it away and run `sinc` in the project: the host and Mutagen know its session too";
        return Some((Kind::Failed, vec![hint.to_owned()]));
    }
    if cause.is::<ReplyError>() {
        let hint = "does `ssh HOST echo hello` print `hello`? A forced command, or an rc file that ends the shell, swallows answers";
        return Some((Kind::Failed, vec![hint.to_owned()]));
    }
    if cause.is::<NobodyToAsk>() {
        return Some((Kind::Failed, vec!["answer it with `--yes`, or run it on a terminal".to_owned()]));
    }
    None
}

fn of_process(error: &ProcessError) -> (Kind, Vec<String>) {
    match error.outcome() {
        Outcome::NotFound => (Kind::MissingTool, install_hint(error.program())),
        Outcome::TimedOut(_) | Outcome::Silent(_) => (Kind::TimedOut, Vec::new()),
        Outcome::Interrupted(signal) => (Kind::Signal(*signal), Vec::new()),
        _ => (Kind::Failed, Vec::new()),
    }
}

/// How to get a program that is missing here.
#[must_use]
pub fn install_hint(program: &str) -> Vec<String> {
    let package = match program {
        "ssh" | "scp" => "openssh-client",
        "tmux" => "tmux",
        "git" => "git",
        "et" => {
            return vec![
                "install Eternal Terminal (https://eternalterminal.dev), or use `transport = \"ssh\"`".into(),
            ];
        }
        "curl" => "curl",
        "tar" => "tar",
        _ => return Vec::new(),
    };
    if cfg!(target_os = "macos") {
        vec![format!(
            "install it with `brew install {}`",
            if package == "openssh-client" { "openssh" } else { package }
        )]
    } else {
        vec![format!("install it, on Debian or Ubuntu with `sudo apt-get install {package}`")]
    }
}

fn of_remote(error: &RemoteError) -> (Kind, Vec<String>) {
    let (host, why) = match error {
        RemoteError::Ssh { destination, why, .. } => (destination, *why),
        RemoteError::Deadline { destination, .. } => {
            return (Kind::TimedOut, vec![format!("see whether `ssh {destination}` works, and try again")]);
        }
        RemoteError::Script { .. } => {
            return (Kind::Failed, vec!["run it again with `-v` to see each command".to_owned()]);
        }
        RemoteError::Process(error) => return of_process(error),
    };
    let hints = match why {
        Why::NoSuchName => vec![
            "check the spelling of the address, and this computer's network".to_owned(),
            "an alias must be in ~/.ssh/config".to_owned(),
        ],
        Why::Refused => vec![
            "is the host up, and is this its ssh port? Another one: `ssh://user@address:port`".to_owned(),
        ],
        Why::TimedOut | Why::NoRoute => vec![
            "check this computer's network, that the host is up, and its firewall".to_owned(),
            "running sessions go on meanwhile; `sinc list --local` shows them".to_owned(),
        ],
        Why::HostKeyUnknown => vec![format!(
            "run `sinc` on a terminal, or once `ssh {host}`, compare the fingerprint and answer its question"
        )],
        Why::HostKeyChanged => vec![
            "if you re-installed the host, remove the old key with the `ssh-keygen -R` command that ssh names above".to_owned(),
            "if you did not, somebody may be between you and it: do not go on".to_owned(),
        ],
        Why::LoginRefused => vec![
            format!("try `ssh {host}`: it must log in by itself, with a key or an agent"),
            format!("to put your key there: `{}`", copy_id(host)),
        ],
        Why::SshConfig => vec!["mend the line of ~/.ssh/config that ssh names above".to_owned()],
        Why::TurnedAway => vec![
            "it has too many connections at once, or shuts this address out for a while after failed logins: wait a minute, and run it again".to_owned(),
        ],
        Why::MasterDead | Why::Lost => vec!["run it again: sinc connects anew".to_owned()],
        Why::Unknown => vec![format!("see whether `ssh {host}` works")],
    };
    (Kind::Connect, hints)
}

/// The command that puts the person's key on a host; it takes no URL (OpenSSH 9.2).
fn copy_id(destination: &str) -> String {
    match Destination::parse(destination) {
        Ok(it) => Cmd::new("ssh-copy-id", "").args(it.port_args()).arg(it.target()).words(),
        Err(_) => format!("ssh-copy-id {destination}"),
    }
}

fn choice_hints(error: &ChoiceError) -> Vec<String> {
    match error {
        ChoiceError::NoHost => vec![
            "name one: `sinc --host user@address`".to_owned(),
            "or put it into the config: `sinc config edit`".to_owned(),
        ],
        ChoiceError::SeveralHosts { .. } => {
            vec!["name one with `--host`, or set `default-host` in the config".to_owned()]
        }
        ChoiceError::BadHost { .. } => vec!["`sinc config` shows the hosts".to_owned()],
        ChoiceError::UnknownAgent { .. } => {
            vec!["`[agent.NAME] command = \"…\"` in the config adds one".to_owned()]
        }
    }
}

fn stuck_hints(stuck: &Stuck) -> Vec<String> {
    match stuck {
        Stuck::Halted(halt, mode) if halt.is_of_source(*mode) => vec![
            "if that was a mistake, put the files back there, then `sinc resume`".to_owned(),
            "`sinc resume` tells the other ways: in this mode nothing comes back from the other side".to_owned(),
        ],
        Stuck::Halted(..) => vec![
            "if that was a mistake, put the files back there, then `sinc resume`".to_owned(),
            "if it was meant, or to fill that side again from the other: `sinc kill`, then `sinc`; no file is deleted".to_owned(),
        ],
        Stuck::Doubled { .. } => vec!["see `sinc status`, and run `sinc` again".to_owned()],
        Stuck::Overwrites(_) => vec![
            "run `SINC_MODE=two-way-safe sinc` once: what differs is listed as a conflict, nothing is overwritten".to_owned(),
        ],
        Stuck::NotShown(_) => vec!["run `sinc` in its directory: it shows it, and asks".to_owned()],
        Stuck::HeldAndGone(_) => vec![
            "run `SINC_MODE=two-way-safe sinc` once: what is missing comes back, what differs is listed as a conflict".to_owned(),
        ],
        Stuck::Ambiguous(_) => {
            vec!["end all of them with `sinc kill`, then `sinc` makes one; files stay on both sides".to_owned()]
        }
    }
}

fn project_hints(error: &ProjectError) -> Vec<String> {
    match error {
        ProjectError::RefusedDirectory { .. } => {
            vec!["go into a project directory, or insist with `--force`".to_owned()]
        }
        ProjectError::InsideSession { id, .. } => {
            vec![format!("end the outer session with `sinc kill {id}`")]
        }
        ProjectError::ContainsSession { id, .. } => {
            vec![format!("end the inner session with `sinc kill {id}`")]
        }
        _ => Vec::new(),
    }
}

fn of_mutagen(error: &MutagenError) -> (Kind, Vec<String>) {
    match error {
        MutagenError::Command(error) | MutagenError::Daemon(error) | MutagenError::VersionMismatch(error) => {
            of_process(error)
        }
        MutagenError::Interrupted(signal) => (Kind::Signal(signal.0), Vec::new()),
        MutagenError::Connect { ssh, reason, .. } => {
            let said = ssh.as_deref().unwrap_or(reason);
            match classify_ssh(said) {
                Why::Unknown => (Kind::Failed, vec!["run it again with `-v` to see each command".to_owned()]),
                Why::LoginRefused | Why::HostKeyUnknown => (Kind::Connect, vec![
                    "Mutagen logs in by itself, without a person: it needs a key or an agent, and a known host key".to_owned(),
                ]),
                _ => (Kind::Connect, vec!["run it again: sinc connects anew".to_owned()]),
            }
        }
        MutagenError::SocketPathTooLong { .. } => {
            (Kind::Config, vec!["set XDG_DATA_HOME to a directory with a shorter path".to_owned()])
        }
        MutagenError::NotRunning
        | MutagenError::NotUtf8(_)
        | MutagenError::NoSuchSession(_)
        | MutagenError::Answer { .. } => (Kind::Failed, Vec::new()),
    }
}

/// Says that sinc has a bug and gives the exit code: in the place of a stack trace.
pub fn print_bug(ui: &Ui, command: &str, panic: &dyn fmt::Display) -> i32 {
    print(ui, command, &bug(panic).into())
}

fn bug(panic: &dyn fmt::Display) -> Failure {
    let message = panic.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::new(Kind::Bug, format!("this is a bug in sinc {}: {message}", env!("CARGO_PKG_VERSION")))
        .hint("please report it, with what you did and what `sinc logs` shows")
}

/// Prints a failure and gives the exit code. With `--json` it is an object on standard output.
pub fn print(ui: &Ui, command: &str, error: &anyhow::Error) -> i32 {
    let shown = explain(error);
    if let Kind::Signal(_) = shown.kind {
        if ui.is_interactive() {
            // The `^C` stands in the middle of a line.
            ui.raw("");
        }
        return shown.kind.code();
    }
    if ui.is_json() {
        let mut object = serde_json::json!({
            "version": 1, "command": command, "ok": false,
            "error": {
                "kind": shown.kind.name(), "code": shown.kind.code(), "message": shown.message,
                "causes": shown.causes, "hints": shown.hints,
            },
        });
        let known = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.data.clone());
        if let (Some(data), Some(object)) = (known, object.as_object_mut()) {
            object.insert("data".to_owned(), data);
        }
        ui.data(&object.to_string());
        return shown.kind.code();
    }
    ui.raw(&format!("{} {}", ui.error_prefix(), shown.message));
    for cause in &shown.causes {
        ui.raw(&format!("caused by: {cause}"));
    }
    if !shown.hints.is_empty() {
        ui.raw("");
    }
    for hint in shown.hints.iter().take(2) {
        ui.raw(&format!("{} {hint}", ui.hint_prefix()));
    }
    shown.kind.code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_one_line_with_a_code_of_its_own() {
        let shown = explain(&bug(&"panicked at src/x.rs:1:2:\nindex out of bounds").into());
        assert!(shown.message.ends_with(": panicked at src/x.rs:1:2: index out of bounds"), "{shown:?}");
        assert_eq!((shown.kind.code(), shown.hints.len()), (70, 1));
    }
}
