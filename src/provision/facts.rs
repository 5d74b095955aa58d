//! What is on the host, as it answered: one line an answer. A line that is not understood is an error, never "absent".

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::answers::{given, is_run_id, parse_fact, plain, yes};
use super::component::{Architecture, Component, Kind};
use super::records::Records;
use crate::process::quote;

/// What the host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its distribution, as `/etc/os-release` names it: `debian`.
    pub os: String,
    /// Its version: `12`.
    pub version: String,
    /// Its code name: `bookworm`.
    pub codename: String,
    /// Its name for people.
    pub os_name: String,
    /// Its processor, as `uname -m` names it.
    pub arch: String,
    /// Who logged in.
    pub login: String,
    /// How root's rights can be had.
    pub rights: Rights,
    /// Who agents run as.
    pub user: String,
    /// Their home directory.
    pub home: String,
    /// systemd runs.
    pub systemd: bool,
    /// Free space, MB, of the disk that has the least.
    pub disk: u64,
    /// Where that disk is.
    pub disk_at: String,
    /// Free memory, MB, with what is free of its swap; where the host tells it.
    pub memory: Option<u64>,
    /// Programs without which nothing goes.
    pub lacks: Vec<String>,
    /// An installation of packages was cut off.
    pub dpkg_broken: bool,
    /// Every port that a login may come by.
    pub ssh_ports: Vec<u16>,
    /// The run that is going on.
    pub running: Option<String>,
    /// A change of the firewall or of sshd waits for a login that confirms it: the change's name.
    pub guard: Option<String>,
    /// Something that root put there may be there, and these rights do not show it.
    pub hidden: bool,
    /// Something was put there for the user without root's rights, and is noted where root does not read it.
    pub noted_apart: bool,
    /// This very login came through the tailnet.
    pub by_tailnet: bool,
    /// The address that this very login comes from, as the host sees it.
    pub from: Option<IpAddr>,
    /// The tunnel of the host's own that this very login came through.
    pub own_vpn: Option<Tunnel>,
    /// The day on which the host's key in the tailnet expires.
    pub key_expires: Option<String>,
    /// What Docker lets in around the firewall: `5432/tcp`.
    pub docker_ports: Vec<String>,
    /// A firewall that ufw cannot be beside is installed.
    pub netfilter_persistent: bool,
    /// What no rule lets in is shut, in the tables that ufw works with: by somebody else where ufw is off.
    pub own_policy: bool,
    /// ufw is told to drop all of IPv6, which the host has.
    pub drops_ipv6: bool,
    /// A disk of the host's is reached over iSCSI.
    pub iscsi: bool,
}

/// A tunnel that ends on the host: of WireGuard, or another one; IPsec has no device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its device.
    pub device: String,
    /// Where its own packets come in, where that is known: `51820/udp`.
    pub port: Option<String>,
}

/// How root's rights can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// The login is root.
    Root,
    /// By sudo, which asks nothing.
    Sudo,
    /// By sudo with the password that was given.
    Password,
    /// Perhaps by sudo with a password.
    MaySudo,
    /// Not at all.
    #[default]
    None,
}

impl Rights {
    /// Does the program have them?
    #[must_use]
    pub fn is_root(self) -> bool {
        matches!(self, Self::Root | Self::Sudo | Self::Password)
    }
}

impl HostFacts {
    /// Its processor, if components exist for it.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        match self.arch.as_str() {
            "x86_64" => Some(Architecture::X86),
            "aarch64" => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// Why nothing can be put on this host: everything at once.
    #[must_use]
    pub fn unsupported(&self) -> Vec<String> {
        let mut why = Vec::new();
        let known = matches!(
            (self.os.as_str(), self.version.as_str()),
            ("debian", "12" | "13") | ("ubuntu", "22.04" | "24.04")
        );
        if !known {
            let name = if self.os_name.is_empty() { "an unknown system" } else { &self.os_name };
            why.push(format!("it runs {name}; sinc knows Debian 12 and 13, Ubuntu 22.04 and 24.04"));
        }
        if self.architecture().is_none() {
            why.push(format!("its processor is {}; sinc knows x86-64 and arm64", self.arch));
        }
        if !self.systemd {
            why.push("it was not started by systemd".to_owned());
        }
        why.extend(self.lacks.iter().map(|tool| format!("`{tool}` is missing")));
        why
    }

    /// That something was put there without root's rights, whose notes are not read with them, and how it is taken back.
    #[must_use]
    pub fn apart(&self) -> Option<(String, String)> {
        let user = &self.user;
        let what = format!("what sinc put there for {user} without root's rights is noted apart");
        let how = match *user == self.login {
            true => "`sinc uninstall` takes it back, once nothing else of sinc's is there".to_owned(),
            false => format!("`sinc uninstall --host {}@ADDRESS` takes it back", quote::posix(user)),
        };
        self.noted_apart.then_some((what, how))
    }

    /// `text` with `{user}`, `{home}`, `{codename}` and `{arch}` replaced.
    #[must_use]
    pub fn expand(&self, text: &str) -> String {
        text.replace("{user}", &self.user)
            .replace("{home}", &self.home)
            .replace("{codename}", &self.codename)
            .replace("{arch}", self.architecture().map_or("?", Architecture::name))
    }
}

/// What is there of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFact {
    /// The version of the program that decides whether anything is done.
    pub enough: Option<String>,
    /// What is there.
    pub fact: Fact,
}

/// What is there of a step, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Packages and their versions.
    Apt(BTreeMap<String, Option<String>>),
    /// The version of the package, and the one that its program says.
    Npm {
        /// Of the package.
        installed: Option<String>,
        /// Of the program.
        runs: Option<String>,
    },
    /// The sum of what was downloaded.
    Download(Option<String>),
    /// A file.
    File(FileFact),
    /// A file with its content.
    Edit(FileFact, Vec<u8>),
    /// A unit, as systemd names its state.
    Service {
        /// `enabled`, `disabled`, …
        enabled: String,
        /// `active`, `inactive`, …
        active: String,
        /// It ends with its user's login.
        ends: bool,
    },
    /// A user.
    User(Option<UserFact>),
    /// The firewall.
    Ufw {
        /// Its state.
        state: UfwState,
        /// Its rules, as `ufw show added` writes them.
        rules: Vec<String>,
        /// Whatever no rule is about is let in.
        open: bool,
    },
    /// What sshd goes by.
    Sshd {
        /// How this connection's login was accepted, where that is known.
        method: Option<String>,
        /// The values of the keys that were asked for.
        values: BTreeMap<String, String>,
    },
    /// The tailnet: what Tailscale says of itself, and the host's name there.
    Tailnet {
        /// `Running`, `NeedsLogin`, …; nothing where there is no Tailscale.
        state: Option<String>,
        /// The name.
        name: Option<String>,
    },
    /// Whether the check holds.
    Shell(bool),
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFact {
    /// There is none.
    Absent,
    /// There is something else of that name.
    Other,
    /// There is a link that leads its user to no file.
    Link,
    /// There is one.
    File {
        /// Its sum.
        sha256: String,
        /// Its mode.
        mode: String,
        /// Whose it is.
        owner: String,
    },
}

/// A user that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFact {
    /// It may become root.
    pub sudo: bool,
    /// Its services run without a login.
    pub linger: bool,
    /// The login's keys log it in.
    pub keys: bool,
}

/// The firewall's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UfwState {
    /// It is not installed.
    Absent,
    /// It is off.
    Inactive,
    /// It is on.
    Active,
}

/// All answers.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Of the host.
    pub host: HostFacts,
    /// Of each step, by component.
    pub steps: BTreeMap<(String, usize), StepFact>,
    /// Whether that holds without which a step makes no sense.
    pub holds: BTreeMap<(String, usize), bool>,
    /// What sinc has put there before.
    pub records: Records,
    /// The tools that sessions need, with what was said of them; only for the doctor.
    pub tools: BTreeMap<String, Option<String>>,
    /// Which components a person has logged in, of those that were asked.
    pub logged_in: BTreeMap<String, bool>,
    /// What a person should know of components, of those that were asked.
    pub warnings: BTreeMap<String, Vec<String>>,
}

/// An answer that is not understood.
#[derive(Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// The line, or what is missing.
    pub what: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host's answer is not understood: {}", self.what)
    }
}

impl std::error::Error for NotUnderstood {}

/// Reads the answers to [`probe`](super::probe::probe) for these components.
///
/// # Errors
/// A line is not understood, or one is missing.
pub fn parse(text: &str, components: &[&Component]) -> Result<Facts, NotUnderstood> {
    let mut facts = Facts::default();
    for said in text.lines() {
        let line = &plain(said);
        let bad = || NotUnderstood { what: line.clone() };
        let (key, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let host = &mut facts.host;
        match key {
            "os" => {
                let mut words = rest.split(' ').map(str::to_owned);
                let mut next = || words.next().ok_or_else(bad);
                (host.os, host.version, host.codename) = (next()?, next()?, next()?);
            }
            "os-name" => host.os_name = rest.to_owned(),
            "arch" => host.arch = rest.to_owned(),
            "login" => host.login = rest.to_owned(),
            "rights" => {
                host.rights = match rest {
                    "root" => Rights::Root,
                    "sudo" => Rights::Sudo,
                    "password" => Rights::Password,
                    "none" => Rights::None,
                    _ => return Err(bad()),
                }
            }
            "may-sudo" => host.rights = Rights::MaySudo,
            "user" => host.user = rest.to_owned(),
            "home" => host.home = rest.to_owned(),
            "init" => host.systemd = rest == "systemd",
            "disk" => {
                let (free, at) = rest.split_once(' ').unwrap_or((rest, "/"));
                (host.disk, host.disk_at) = (free.parse().map_err(|_| bad())?, at.to_owned());
            }
            "memory" => host.memory = Some(rest.parse().map_err(|_| bad())?),
            "lacks" => host.lacks.push(rest.to_owned()),
            "dpkg" => host.dpkg_broken = true,
            "ssh-port" => host.ssh_ports.push(rest.parse().map_err(|_| bad())?),
            "running" if is_run_id(rest) => host.running = Some(rest.to_owned()),
            "guard" => host.guard = Some(rest.split_once(' ').map_or("", |it| it.1).to_owned()),
            "hidden" => host.hidden = true,
            "noted-apart" => host.noted_apart = true,
            "by-tailnet" => host.by_tailnet = true,
            // One of a link alone has a name besides.
            "from" => host.from = rest.parse().ok(),
            "own-vpn" => {
                let (device, port) = rest.split_once(' ').unwrap_or((rest, ""));
                let port = Some(port.to_owned()).filter(|port| !port.is_empty());
                host.own_vpn = Some(Tunnel { device: device.to_owned(), port });
            }
            "key-expires" => host.key_expires = Some(rest.to_owned()),
            "docker-port" => host.docker_ports.push(rest.to_owned()),
            "netfilter-persistent" => host.netfilter_persistent = true,
            "own-policy" => host.own_policy = true,
            "drops-ipv6" => host.drops_ipv6 = true,
            "iscsi" => host.iscsi = true,
            "tool" => {
                let (name, said) = rest.split_once(' ').ok_or_else(bad)?;
                facts.tools.insert(name.to_owned(), Some(said.to_owned()).filter(|said| !said.is_empty()));
            }
            "logged-in" => {
                let (name, yes_or_no) = rest.split_once(' ').ok_or_else(bad)?;
                facts.logged_in.insert(name.to_owned(), yes(yes_or_no).ok_or_else(bad)?);
            }
            "warns" => {
                let (name, text) = rest.split_once(' ').ok_or_else(bad)?;
                facts.warnings.entry(name.to_owned()).or_default().push(text.to_owned());
            }
            // As it is: a path is taken back by its own name.
            "record" => facts.records.add(said.strip_prefix("record ").unwrap_or_default()),
            "if" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [component, number, holds] = words.as_slice() else { return Err(bad()) };
                let number = number.parse().map_err(|_| bad())?;
                facts.holds.insert(((*component).to_owned(), number), yes(holds).ok_or_else(bad)?);
            }
            "fact" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let [component, number, enough, kind, said @ ..] = words.as_slice() else {
                    return Err(bad());
                };
                let fact = parse_fact(kind, said).ok_or_else(bad)?;
                let enough = given(enough).map(str::to_owned);
                let number = number.parse().map_err(|_| bad())?;
                facts.steps.insert(((*component).to_owned(), number), StepFact { enough, fact });
            }
            _ => return Err(bad()),
        }
    }
    if facts.host.user.is_empty() || facts.host.os.is_empty() {
        return Err(NotUnderstood { what: "it says nothing of the host".to_owned() });
    }
    for component in components {
        for (number, step) in component.steps.iter().enumerate() {
            let what = format!("nothing on step {number} of {}", component.name);
            let fact = facts
                .steps
                .get(&(component.name.clone(), number))
                .ok_or(NotUnderstood { what: what.clone() })?;
            let asked = step.only_if.is_none() || facts.holds.contains_key(&(component.name.clone(), number));
            if !asked || !fact.fact.is_of(&step.kind) {
                return Err(NotUnderstood { what });
            }
        }
    }
    Ok(facts)
}

impl Fact {
    fn is_of(&self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Apt(_), Kind::Apt(_))
                | (Self::Npm { .. }, Kind::Npm(_))
                | (Self::Download(_), Kind::Download(_))
                | (Self::File(_), Kind::File(_))
                | (Self::Edit(..), Kind::Edit(_))
                | (Self::Service { .. }, Kind::Service(_))
                | (Self::User(_), Kind::User(_))
                | (Self::Ufw { .. }, Kind::Ufw(_))
                | (Self::Sshd { .. }, Kind::Sshd(_))
                | (Self::Tailnet { .. }, Kind::Tailnet(_))
                | (Self::Shell(_), Kind::Shell(_))
        )
    }
}
