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

/// A unit of systemd. A `file` step before it in the same component that changes restarts it.
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
}

/// Settings of sshd, before all others. What this very login needs is never turned off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sshd {
    /// Keys and their values.
    pub set: BTreeMap<String, String>,
}

/// The keys that a component may set: none that says who may log in, or where.
const SSHD_KEYS: [&str; 9] = [
    "ClientAliveCountMax",
    "ClientAliveInterval",
    "KbdInteractiveAuthentication",
    "LoginGraceTime",
    "MaxAuthTries",
    "PasswordAuthentication",
    "PermitEmptyPasswords",
    "PermitRootLogin",
    "X11Forwarding",
];

/// Anything else, with a check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shell {
    /// What is true afterwards.
    pub says: String,
    /// Ends well when it is true already.
    pub check: String,
    /// Makes it true. `$SINC_USER` and `$SINC_HOME` are the user that agents run as.
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

    /// What no type says: words that go into records and addresses.
    pub(super) fn check(&self, secrets: &[&str], architectures: &[Architecture]) -> Result<(), String> {
        match self {
            Self::Apt(apt) => {
                if apt.packages.is_empty() {
                    return Err("`packages` is empty".to_owned());
                }
                apt.packages.iter().try_for_each(|package| word(package, "a package", "+-.:"))?;
                apt.repository.iter().try_for_each(|it| word(&it.name, "a repository's name", "-"))
            }
            Self::Npm(npm) => {
                word(&npm.package, "a package", "@/-._")?;
                word(&npm.version, "a version", ".-+")?;
                word(&npm.command, "a command", "-._")
            }
            Self::Download(download) => {
                path(&download.destination)?;
                mode(&download.mode)?;
                for &architecture in architectures {
                    let name = architecture.name();
                    let url = download.url.get(architecture).ok_or(format!("`url` has none for {name}"))?;
                    for url in [Some(url), download.sums.as_deref()].into_iter().flatten() {
                        if !url.starts_with("https://") {
                            return Err(format!("`{url}` does not begin with https://"));
                        }
                    }
                    let Some(sum) = download.sha256.get(architecture) else {
                        if download.sums.is_some() {
                            continue;
                        }
                        return Err(format!("`sha256` has none for {name}"));
                    };
                    if sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()) {
                        return Err(format!("`{sum}` is no SHA-256: 64 hexadecimal digits"));
                    }
                }
                Ok(())
            }
            Self::File(file) => {
                path(&file.path)?;
                mode(&file.mode)?;
                match (&file.content, &file.secret) {
                    (Some(_), None) => Ok(()),
                    (_, Some(secret)) => known_secret(secret, secrets),
                    (None, None) => Err("a file has `content`, or `secret`, or both".to_owned()),
                }
            }
            Self::Tailnet(tailnet) => known_secret(&tailnet.key, secrets),
            Self::Edit(edit) => path(&edit.path),
            Self::Service(service) => word(&service.unit, "a unit", "-.@_"),
            Self::User(user) => word(&user.name, "a user", "-_{}"),
            Self::Ufw(ufw) => match &ufw.allow {
                Some(_) if ufw.enable => Err("`allow` and `enable` are two steps".to_owned()),
                None if !ufw.enable => Err("`allow` or `enable = true` is missing".to_owned()),
                Some(what) if what != "ssh" && what != "any" && !is_port(what) => {
                    Err(format!("`{what}` is none of `ssh`, `any`, `PORT/tcp`, `PORT/udp`"))
                }
                Some(what) if what == "any" && ufw.interface.is_none() => {
                    Err("`any` needs an `interface`".to_owned())
                }
                _ => ufw.interface.iter().try_for_each(|it| word(it, "an interface", "-.")),
            },
            Self::Sshd(sshd) => sshd.set.iter().try_for_each(|(key, value)| {
                word(value, "a value of sshd", "-")?;
                match SSHD_KEYS.contains(&key.as_str()) {
                    true => Ok(()),
                    false => Err(format!("`{key}` is none of {}", SSHD_KEYS.join(", "))),
                }
            }),
            // It is noted on the host, as one field of one line.
            Self::Shell(shell) => match shell.says.contains(['\n', '\t']) {
                true => Err("`says` is one line, without tabs".to_owned()),
                false => Ok(()),
            },
        }
    }
}

fn known_secret(name: &str, secrets: &[&str]) -> Result<(), String> {
    match secrets.contains(&name) {
        true => Ok(()),
        false => Err(format!("there is no `[[secret]]` named `{name}`")),
    }
}

fn is_port(text: &str) -> bool {
    matches!(text.split_once('/'), Some((port, "tcp" | "udp")) if port.parse::<u16>().is_ok())
}

fn word(text: &str, what: &str, besides: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    match !text.is_empty() && !text.starts_with('-') && text.chars().all(fits) {
        true => Ok(()),
        false => Err(format!("`{text}` is not {what}")),
    }
}

fn path(text: &str) -> Result<(), String> {
    let absolute = text.starts_with('/') || text.starts_with("{home}/");
    match absolute && !text.contains(['\n', '\t']) && !text.split('/').any(|part| part == "..") {
        true => Ok(()),
        false => Err(format!("`{text}` does not begin with `/` or `{{home}}/`")),
    }
}

fn mode(text: &str) -> Result<(), String> {
    match text.len() == 4 && text.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        true => Ok(()),
        false => Err(format!("`{text}` is no mode: four octal digits")),
    }
}
