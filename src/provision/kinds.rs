//! The step kinds as a component file writes them. `{user}`, `{home}`, `{codename}` and `{arch}` in paths, names and
//! addresses stand for the host's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::component::{Architecture, Kind};

/// Packages of the distribution, or of a vendor's repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Apt {
    /// Their names.
    pub packages: Vec<String>,
    /// The vendor's repository.
    pub repository: Option<Repository>,
}

/// A vendor's repository, for each distribution that it has one for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repository {
    /// The name of its files on the host.
    pub name: String,
    /// For Debian.
    pub debian: Option<AptSource>,
    /// For Ubuntu.
    pub ubuntu: Option<AptSource>,
    /// For Ubuntu: a PPA of Launchpad, which knows its own key.
    pub ubuntu_ppa: Option<String>,
}

/// Where a repository is, and the key that signs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AptSource {
    /// Its address.
    pub url: String,
    /// Its suite.
    pub suite: String,
    /// Its components.
    pub components: String,
    /// Where its key is; it counts for this repository alone.
    pub key: String,
}

/// A package of npm with a program, proved by running it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Npm {
    /// The package.
    pub package: String,
    /// The version that is put there.
    pub version: String,
    /// Its program.
    pub command: String,
    /// The oldest version of the program that will do, whoever put it there.
    pub at_least: Option<String>,
    /// The first version that is another product.
    pub below: Option<String>,
    /// The first version that is this product: an older one is another.
    pub since: Option<String>,
    /// Its install scripts must run: npm 12 leaves them out unless told.
    #[serde(default)]
    pub scripts: bool,
}

/// One value for each processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerArchitecture {
    #[serde(rename = "x86-64")]
    x86_64: Option<String>,
    arm64: Option<String>,
}

impl PerArchitecture {
    /// The value for this one.
    #[must_use]
    pub fn get(&self, architecture: Architecture) -> Option<&str> {
        match architecture {
            Architecture::X86 => self.x86_64.as_deref(),
            Architecture::Arm64 => self.arm64.as_deref(),
        }
    }
}

/// A file or an archive from the web.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Download {
    /// Where it is.
    pub url: PerArchitecture,
    /// What it must be.
    #[serde(default)]
    pub sha256: PerArchitecture,
    /// Where its project lists the sums of a release, where none is pinned here.
    pub sums: Option<String>,
    /// The file that it becomes, or with `unpack` the directory.
    pub destination: String,
    /// It is an archive (tar, or zip by its name), unpacked without so many leading directories.
    pub unpack: Option<u8>,
    /// The mode of the file.
    #[serde(default = "executable")]
    pub mode: String,
}

/// A file with its content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileStep {
    /// Where it is.
    pub path: String,
    /// What it says; with a secret, what its one line begins with.
    pub content: Option<String>,
    /// What it says is this secret.
    pub secret: Option<String>,
    /// Its mode.
    #[serde(default = "readable")]
    pub mode: String,
    /// Whose it is; the user's below `{home}`, else root's, unless said.
    pub owner: Option<String>,
}

/// How an edited file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON, with comments or without.
    Json,
    /// TOML.
    Toml,
}

/// Keys of a file; all else in it stays, comments too.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Edit {
    /// The file; it is made when it is missing.
    pub path: String,
    /// How it is written.
    pub format: Format,
    /// Keys, dotted, and their values.
    #[serde(default)]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Lists, by dotted keys, and what must be in them.
    #[serde(default)]
    pub add: BTreeMap<String, Vec<serde_json::Value>>,
    /// Lists, and what an older pin had put into them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, Vec<serde_json::Value>>,
}

impl Edit {
    /// Itself with all text in its values replaced.
    #[must_use]
    pub fn with(&self, replace: &dyn Fn(&str) -> String) -> Self {
        fn all(value: &serde_json::Value, replace: &dyn Fn(&str) -> String) -> serde_json::Value {
            use serde_json::Value;
            match value {
                Value::String(text) => Value::String(replace(text)),
                Value::Array(values) => values.iter().map(|value| all(value, replace)).collect(),
                Value::Object(values) => {
                    values.iter().map(|(key, value)| (key.clone(), all(value, replace))).collect()
                }
                other => other.clone(),
            }
        }
        let mut edit = self.clone();
        edit.set.values_mut().chain(edit.add.values_mut().flatten()).for_each(|it| *it = all(it, replace));
        edit
    }
}

/// Whose systemd a unit is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The system's.
    #[default]
    System,
    /// The user's.
    User,
}

impl Scope {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
        }
    }
}

/// A unit of systemd. An `npm`, `download`, `file`, `edit` or `shell` step before it in the same component that changes
/// something restarts it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// The unit.
    pub unit: String,
    /// Whose.
    #[serde(default)]
    pub scope: Scope,
    /// Started at boot.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Running.
    #[serde(default = "yes")]
    pub running: bool,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Its name.
    pub name: String,
    /// It may become root, without a password: it has none.
    #[serde(default)]
    pub sudo: bool,
    /// The keys that log this login in, log it in too.
    #[serde(default)]
    pub keys: bool,
    /// Its services run without a login.
    #[serde(default)]
    pub linger: bool,
}

/// A rule of the firewall, or that it is on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ufw {
    /// `PORT/tcp`, `PORT/udp`, `any` (with an interface), or `ssh`: every port that sshd listens on.
    pub allow: Option<String>,
    /// Only what comes in here.
    pub interface: Option<String>,
    /// The firewall is on, and lets nothing else in.
    #[serde(default)]
    pub enable: bool,
    /// ssh is reached through the tailnet alone.
    #[serde(default)]
    pub tailnet_only: bool,
}

/// Settings of sshd, before all others. What this very login needs is never turned off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sshd {
    /// Keys and their values.
    pub set: BTreeMap<String, String>,
}

/// Anything else, with a check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shell {
    /// What is true afterwards.
    pub says: String,
    /// Ends well when it is true already.
    pub check: String,
    /// Makes it true. `$SINC_USER` and `$SINC_HOME` are the user that agents run as, `$SINC_FROM` is the address
    /// that this login comes from, or empty.
    pub apply: String,
    /// Takes it back.
    pub undo: Option<String>,
    /// It works as the user, without root's rights.
    #[serde(default)]
    pub as_user: bool,
}

/// A tailnet that the host is in. Its name there may become the host's address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tailnet {
    /// The secret that lets it in; where it is empty, a person does.
    pub key: String,
}

fn yes() -> bool {
    true
}

fn readable() -> String {
    "0644".to_owned()
}

fn executable() -> String {
    "0755".to_owned()
}

impl Kind {
    /// Its name in component files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Apt(_) => "apt",
            Self::Npm(_) => "npm",
            Self::Download(_) => "download",
            Self::File(_) => "file",
            Self::Edit(_) => "edit",
            Self::Service(_) => "service",
            Self::User(_) => "user",
            Self::Ufw(_) => "ufw",
            Self::Sshd(_) => "sshd",
            Self::Tailnet(_) => "tailnet",
            Self::Shell(_) => "shell",
        }
    }
}
