//! The command line: types only. A doc comment here is the help text.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Your files and editor here, your AI coding agent on a VPS
///
/// In a project directory, `sinc` makes sure that the project is on the host, that every change goes both ways,
/// and that the agent runs there in a terminal that survives; then it attaches this terminal to it.
#[derive(Debug, Parser)]
#[command(name = "sinc", version, styles = STYLES, max_term_width = 100)]
pub struct Cli {
    /// `sinc` alone is `sinc connect`.
    #[command(flatten)]
    pub connect: Connect,
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Args, Clone, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Show each command that is run, with its time (twice: their output too)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print one JSON object to standard output; `install` one a line, as it works
    #[arg(long, global = true)]
    pub json: bool,
    /// Print progress as JSON lines to standard error
    #[arg(long, global = true)]
    pub json_events: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Show each command that would change something, ready to paste, and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Use this host: a name from the config, or a destination (user@address, an alias of ssh)
    #[arg(long, global = true, value_name = "HOST")]
    pub host: Option<String>,
    /// Read this config file instead of ~/.config/sinc/config.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How `sinc` and `sinc connect` go about it.
#[derive(Debug, Args, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Connect options")]
pub struct Connect {
    /// Make sure that everything runs, print the state, and do not attach
    #[arg(long)]
    pub no_attach: bool,
    /// Insist on a session that exists
    #[arg(short, long, conflicts_with = "new")]
    pub resume: bool,
    /// Insist on a new session
    #[arg(long)]
    pub new: bool,
    /// Run this agent in a new session (opencode, claude, codex, gemini, or one of your config)
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<String>,
    /// Take the current directory as a project even if it looks like a mistake
    #[arg(long)]
    pub force: bool,
    /// What is on the host under this name is this same project: go on with it
    #[arg(long, conflicts_with = "separate")]
    pub same: bool,
    /// What is on the host under this name is another computer's: make a session of this computer's own
    #[arg(long)]
    pub separate: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sync this project, start its agent on the host, and attach to it (what `sinc` alone does)
    Connect(Connect),
    /// Attach to a session that exists, from any directory, without touching its sync
    Attach(Target),
    /// Show what state this project's session is in
    Status(Status),
    /// List all sessions, here and on the hosts
    #[command(visible_alias = "ls")]
    List(List),
    /// End the sync and the terminal session; the files stay on both sides
    Kill(Kill),
    /// Stop syncing until `sinc resume`
    Pause(Target),
    /// Sync again after `sinc pause`, or after the sync was held
    Resume(Resume),
    /// Wait until both sides are equal, or say why they are not
    Flush(Flush),
    /// Make the host like here: what it would lose is shown, asked about, and kept
    Push(Target),
    /// Make here like the host: what would be lost here is shown, asked about, and kept
    Pull(Target),
    /// Show what was changed on both sides and left alone, with the difference
    Conflicts(Conflicts),
    /// Settle conflicts: take one side's version, keep both, merge them, or edit
    Resolve(Resolve),
    /// Show how git stands on both sides, and bring together branches that were moved on both
    Git(Git),
    /// Show what sinc kept before something took its place, or bring it back
    Backups(Backups),
    /// Run a command on the host, in the same directory, and bring back what it changed
    Run(Run),
    /// The background process that makes syncing fast
    Link {
        /// What to do with it
        #[command(subcommand)]
        action: LinkAction,
    },
    /// Show what the last runs did: each command, its time, its result
    Logs(Logs),
    /// Put what agents need on a host: shows a plan, asks, does it, checks it; a second run changes nothing
    Install(Install),
    /// Take back what `sinc install` put on a host, and nothing else
    Uninstall(Uninstall),
    /// Look whether everything works, here and on the host: each finding with what mends it
    Doctor,
    /// Show the effective configuration and where each value comes from
    Config(Config),
    /// Show and accept what this project's .sinc.toml or .sincignore would newly do
    Trust(Trust),
    /// Try all of it on a throw-away host on this machine
    Demo(Demo),
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of sinc or of one of its commands, or write them all
    Man {
        /// The command
        command: Option<String>,
        /// Write every page into this directory
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
    /// Looks after an attach that has just begun: asks Mutagen, and shows what it says in the terminal
    #[command(name = "after-attach", hide = true)]
    AfterAttach {
        /// The session
        id: String,
        /// Its host's name
        host: String,
        /// The process that attaches
        pid: i32,
        /// See to the link, and leave the sync alone
        #[arg(long)]
        link_only: bool,
    },
}

/// One session.
#[derive(Debug, Args, Clone, Default)]
pub struct Target {
    /// The session's id, as `sinc list` shows it [default: this project's]
    pub id: Option<String>,
}

/// `sinc resume`.
#[derive(Debug, Args, Clone)]
pub struct Resume {
    /// The session's id, as `sinc list` shows it [default: this project's]
    pub id: Option<String>,
    /// Of a sync that is held: bring back what is missing from the other side
    #[arg(long)]
    pub restore: bool,
    /// Of a sync that is held: delete what is missing on one side on the other too
    #[arg(long, conflicts_with = "restore")]
    pub allow_deletions: bool,
}

/// `sinc status`.
#[derive(Debug, Args, Clone)]
pub struct Status {
    /// The session's id [default: this project's]
    #[arg(conflicts_with = "all")]
    pub id: Option<String>,
    /// All sessions on all hosts
    #[arg(long)]
    pub all: bool,
    /// Show the last completed cycle instead of asking for one
    #[arg(long, conflicts_with = "check")]
    pub cached: bool,
    /// With --all: ask each session for a cycle
    #[arg(long)]
    pub check: bool,
    /// Keep showing it
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
}

/// `sinc list`.
#[derive(Debug, Args, Clone)]
pub struct List {
    /// Ask no host: only what this computer knows
    #[arg(long)]
    pub local: bool,
}

/// `sinc kill`.
#[derive(Debug, Args, Clone)]
pub struct Kill {
    /// The session's id [default: this project's]
    #[arg(conflicts_with = "all")]
    pub id: Option<String>,
    /// All sessions
    #[arg(long)]
    pub all: bool,
    /// Also remove the directory on the host, after showing what is not here and asking; that is kept in a backup there
    #[arg(long, conflicts_with = "all")]
    pub purge: bool,
}

/// A number of seconds, up to so many.
fn seconds<const MOST: u64>(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("expected is a whole number of seconds, from 1 to {MOST}"))
}

/// `sinc flush`.
#[derive(Debug, Args, Clone)]
pub struct Flush {
    /// The session's id [default: this project's]
    pub id: Option<String>,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds::<86_400>)]
    pub timeout: u64,
}

/// `sinc conflicts`.
#[derive(Debug, Args, Clone)]
pub struct Conflicts {
    /// Only these paths, and what is below them
    pub paths: Vec<PathBuf>,
    /// The session's id [default: this project's]
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Leave the differences out
    #[arg(long)]
    pub no_diff: bool,
}

/// `sinc resolve`.
#[derive(Debug, Args, Clone)]
pub struct Resolve {
    /// The paths [default on a terminal: each in turn]
    #[arg(conflicts_with = "all")]
    pub paths: Vec<PathBuf>,
    /// All conflicts
    #[arg(long)]
    pub all: bool,
    /// How
    #[command(flatten)]
    pub how: How,
    /// The session's id [default: this project's]
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

/// How conflicts are settled.
#[derive(Debug, Args, Clone, Copy)]
#[group(multiple = false)]
pub struct How {
    /// Take the version of this computer; the other one is kept in a backup on the host
    #[arg(long)]
    pub local: bool,
    /// Take the version of the host; the one here is kept in a backup here
    #[arg(long)]
    pub remote: bool,
    /// Keep both: the host's version gets a name of its own beside the one here
    #[arg(long)]
    pub both: bool,
    /// Merge the changes of both, where git has the version before and the changes do not touch
    #[arg(long)]
    pub merge: bool,
    /// Open both versions in your merge tool or editor
    #[arg(long)]
    pub edit: bool,
}

/// `sinc backups`.
#[derive(Debug, Args, Clone)]
pub struct Backups {
    /// The session's id [default: this project's]
    #[arg(long, global = true, value_name = "ID")]
    pub session: Option<String>,
    /// What to do with them [default: list them]
    #[command(subcommand)]
    pub action: Option<BackupsAction>,
}

/// What `sinc backups` can do.
#[derive(Debug, Subcommand, Clone)]
pub enum BackupsAction {
    /// Bring a path back, on the side where it was; what is there now is kept first
    Restore {
        /// The path
        path: PathBuf,
        /// From this backup [default: the newest that has it]
        #[arg(long, value_name = "BACKUP")]
        from: Option<String>,
    },
}

/// `sinc git`.
#[derive(Debug, Args, Clone)]
pub struct Git {
    /// The session's id [default: this project's]
    #[arg(long, global = true, value_name = "ID", display_order = 900)]
    pub session: Option<String>,
    /// What to do [default: show how both sides stand]
    #[command(subcommand)]
    pub action: Option<GitAction>,
}

/// What `sinc git` can do.
#[derive(Debug, Subcommand, Clone)]
pub enum GitAction {
    /// Bring together a branch that was moved on both sides: by a merge, unless said otherwise; no file is touched
    Join {
        /// The branch [default: all that were moved on both sides]
        branch: Option<String>,
        /// How
        #[command(flatten)]
        how: JoinHow,
    },
    /// List what branches, tags and stashes had that was let go of, and saves that git wrote over, on both sides
    Lost,
}

/// How a branch is joined.
#[derive(Debug, Args, Clone, Copy)]
#[group(multiple = false)]
pub struct JoinHow {
    /// Put the commits that are only here on top of the host's
    #[arg(long)]
    pub rebase: bool,
    /// Take the branch as it is here; `sinc git lost` lists what the host had
    #[arg(long)]
    pub mine: bool,
    /// Take the branch as it is on the host; `sinc git lost` lists what was here
    #[arg(long)]
    pub theirs: bool,
}

/// `sinc run`.
#[derive(Debug, Args, Clone)]
pub struct Run {
    /// Set a variable for the command; NAME alone takes its value from here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Sync neither before nor after
    #[arg(long)]
    pub no_sync: bool,
    /// End the command when it still runs after this many seconds, with exit code 124
    #[arg(long, value_name = "SECONDS", value_parser = seconds::<31_536_000>)]
    pub timeout: Option<u64>,
    /// The command and its words, each as it is; for pipes and the like give them to a shell: `sh -c`
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = false)]
    pub command: Vec<OsString>,
}

/// `sinc logs`.
#[derive(Debug, Args, Clone)]
pub struct Logs {
    /// How many runs
    #[arg(short = 'n', long, value_name = "RUNS", default_value_t = 5)]
    pub runs: usize,
}

/// `sinc config`.
#[derive(Debug, Args, Clone)]
pub struct Config {
    /// What to do with it [default: show it]
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
}

/// What `sinc config` can do.
#[derive(Debug, Subcommand, Clone, Copy)]
pub enum ConfigAction {
    /// Print the path of the config file
    Path,
    /// Open the config file in $VISUAL or $EDITOR, and check it afterwards
    Edit,
}

/// What `sinc link` can do.
#[derive(Debug, Subcommand, Clone)]
pub enum LinkAction {
    /// Show the links of all hosts, and how each session is watched
    Status,
    /// Start those that do not run
    Start,
    /// End them; the next `sinc` starts them again
    Stop,
    /// Have them started at login, by systemd or launchd
    Install {
        /// Not any more
        #[arg(long)]
        remove: bool,
    },
    /// Runs the link of a host, and again when it has died; started by every `sinc`, ends with it
    #[command(hide = true)]
    Guard {
        /// The host's name
        host: String,
    },
    /// Watches the sessions of a host; ends by itself
    #[command(hide = true)]
    Run {
        /// The host's name
        host: String,
    },
}

/// `sinc install`.
#[derive(Debug, Args, Clone, Default)]
pub struct Install {
    /// A named set of components [default on a terminal: asked; else standard, unless --with names some]
    #[arg(long, value_enum, value_name = "TIER")]
    pub tier: Option<Tier>,
    /// Also this component (may be repeated)
    #[arg(long, value_name = "COMPONENT")]
    pub with: Vec<String>,
    /// But not this component (may be repeated)
    #[arg(long, value_name = "COMPONENT")]
    pub without: Vec<String>,
    /// The agent: opencode, opencode@2, claude, codex or gemini [default: the host's, from the config]
    #[arg(long, value_name = "AGENT")]
    pub agent: Option<String>,
    /// Only say what would change, and exit with 1 if anything would
    #[arg(long)]
    pub check: bool,
    /// Move what is older than this sinc's pinned versions to them
    #[arg(long)]
    pub upgrade: bool,
    /// Close ssh to all but the tailnet, once a login through it has worked
    #[arg(long)]
    pub tailnet_only: bool,
    /// Open Eternal Terminal's port to everybody, not only to a tailnet
    #[arg(long)]
    pub et_public: bool,
    /// Of a login as root: make no user, and let agents run as root
    #[arg(long)]
    pub as_root: bool,
    /// Of a login as root: the name of the user to make
    #[arg(long, value_name = "NAME", default_value = "dev", conflicts_with = "as_root")]
    pub user: String,
}

/// A named set of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tier {
    /// A user, base tools, Eternal Terminal, the agent, a firewall
    Minimal,
    /// Besides: Tailscale, Agent-OS, ccmanager, OpenCode's plugins, ai-sessions
    Standard,
    /// Besides: Kimaki, LunaRoute, two more plugins of OpenCode
    Full,
    /// Only what --with and --agent name
    Custom,
}

/// `sinc uninstall`.
#[derive(Debug, Args, Clone, Default)]
pub struct Uninstall {
    /// The components [default: all that sinc put there]
    pub components: Vec<String>,
}

/// `sinc trust`.
#[derive(Debug, Args, Clone)]
pub struct Trust {
    /// Only show what waits
    #[arg(long)]
    pub show: bool,
}

/// `sinc demo`.
#[derive(Debug, Args, Clone)]
pub struct Demo {
    /// Run the tour by itself even on a terminal
    #[arg(long)]
    pub tour: bool,
}
