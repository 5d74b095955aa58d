//! Where a host is, as a person writes it for `ssh`.

use std::fmt;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

/// `user@host`, an alias of `~/.ssh/config`, `ssh://user@host:port`, or an IPv6 literal with or without brackets.
///
/// Only harmless characters, and no part begins with `-`: Mutagen and `et` hand a destination to `ssh` without `--`,
/// where `-oProxyCommand=…` would be an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    written: String,
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

impl Destination {
    /// Takes `text` as a destination if it is one.
    pub fn parse(text: &str) -> Result<Destination, BadDestination> {
        let bad = |why| BadDestination { text: text.to_owned(), why };
        let (rest, is_url) = match text.strip_prefix("ssh://") {
            Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), true),
            None => (text, false),
        };
        let (user, address) = match rest.split_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, rest),
        };
        if let Some(user) = user {
            check_user(user).map_err(|why| bad(why.to_owned()))?;
        }
        let (host, port) = if is_url { split_port(address) } else { Ok((address, None)) }.map_err(bad)?;
        let host = check_host(host).map_err(|why| match looks_like_port(host) {
            Some((name, port)) if !is_url => {
                let user = user.map(|user| format!("{user}@")).unwrap_or_default();
                bad(format!("ssh takes no port there; write `ssh://{user}{name}:{port}`"))
            }
            _ => bad(why.to_owned()),
        })?;
        Ok(Destination {
            written: text.to_owned(),
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }

    /// The user to log in as, if it was written.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host's name, alias or address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The options that give `ssh` the port; nothing where `~/.ssh/config` decides.
    pub fn port_args(&self) -> Vec<String> {
        self.port.map(|port| vec!["-p".to_owned(), port.to_string()]).unwrap_or_default()
    }

    /// The same for `scp`.
    pub fn scp_port_args(&self) -> Vec<String> {
        self.port.map(|port| vec!["-P".to_owned(), port.to_string()]).unwrap_or_default()
    }

    /// What `ssh` connects to, to follow `--`.
    pub fn target(&self) -> String {
        self.with_user(&self.host)
    }

    /// The same place for another user.
    ///
    /// # Errors
    /// The user's name is none.
    pub fn for_user(&self, user: &str) -> Result<Destination, BadDestination> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.for_user_at(user, &host)
    }

    /// The same port of another place, for this user.
    ///
    /// # Errors
    /// One of the names is none.
    pub fn for_user_at(&self, user: &str, host: &str) -> Result<Destination, BadDestination> {
        Destination::parse(&match self.port {
            Some(port) => format!("ssh://{user}@{host}:{port}"),
            None => format!("{user}@{host}"),
        })
    }

    /// What `scp` connects to, to stand before `:path`.
    pub fn scp_target(&self) -> String {
        if self.host.contains(':') { self.with_user(&format!("[{}]", self.host)) } else { self.target() }
    }

    fn with_user(&self, host: &str) -> String {
        match &self.user {
            Some(user) => format!("{user}@{host}"),
            None => host.to_owned(),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl TryFrom<String> for Destination {
    type Error = BadDestination;

    fn try_from(text: String) -> Result<Destination, BadDestination> {
        Destination::parse(&text)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.written
    }
}

/// A text that is no destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDestination {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a destination: {}", self.text.escape_debug(), self.why)
    }
}

impl std::error::Error for BadDestination {}

fn check_user(user: &str) -> Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.\\+-".contains(c);
    match user.chars().next() {
        None => Err("there is no user before the `@`"),
        Some('-') => Err("a user cannot begin with `-`"),
        Some(_) if !user.chars().all(legal) => {
            Err("a user has only ASCII letters, digits and the characters `_`, `.`, `\\`, `+`, `-`")
        }
        Some(_) => Ok(()),
    }
}

/// The host without the brackets of an IPv6 literal.
fn check_host(host: &str) -> Result<&str, &'static str> {
    let (host, bracketed) = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => (address, true),
        None => (host, false),
    };
    if host.contains(':') || bracketed {
        let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
        let legal_zone = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        return match address.parse::<Ipv6Addr>() {
            Ok(_) if !zone.is_empty() && zone.chars().all(legal_zone) => Ok(host),
            _ => Err("it has a `:` but is no IPv6 address"),
        };
    }
    match host.chars().next() {
        None => Err("there is no host"),
        Some('-') => Err("a host cannot begin with `-`"),
        Some(_) if host.len() > 255 => Err("a host has at most 255 characters"),
        Some(_) if !host.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) => {
            Err("a host has only ASCII letters, digits and the characters `_`, `.`, `-`")
        }
        Some(_) => Ok(host),
    }
}

/// Takes `:port` from the address of an `ssh://` URL.
fn split_port(address: &str) -> Result<(&str, Option<u16>), String> {
    let Some((host, port)) = address.rsplit_once(':') else { return Ok((address, None)) };
    if host.starts_with('[') && !host.ends_with(']') {
        return Ok((address, None));
    }
    if host.contains(':') && !host.starts_with('[') {
        return Err("an IPv6 address in a URL needs brackets: `ssh://[…]:port`".to_owned());
    }
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok((host, Some(number))),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

/// `name:22`, which many programs take and ssh does not.
fn looks_like_port(host: &str) -> Option<(&str, &str)> {
    let (name, port) = host.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (is_number && check_host(name).is_ok()).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<u16>) {
        let d = Destination::parse(text).unwrap();
        assert_eq!(d.to_string(), text);
        (d.user, d.host, d.port)
    }

    #[test]
    fn what_a_person_writes_for_ssh() {
        let some = |s: &str| Some(s.to_owned());
        let cases = [
            ("box", None, "box", None),
            ("dev@203.0.113.7", some("dev"), "203.0.113.7", None),
            ("dev@box.example.com", some("dev"), "box.example.com", None),
            ("ssh://dev@box:2222", some("dev"), "box", Some(2222)),
            ("ssh://box", None, "box", None),
            ("ssh://box/", None, "box", None),
            ("ssh://dev@[fd00::1]:22", some("dev"), "fd00::1", Some(22)),
            ("ssh://[fd00::1]", None, "fd00::1", None),
            ("dev@fd00::1", some("dev"), "fd00::1", None),
            ("[fd00::1]", None, "fd00::1", None),
            ("::1", None, "::1", None),
            ("fe80::1%eth0", None, "fe80::1%eth0", None),
            ("DOM\\ann@box", some("DOM\\ann"), "box", None),
            ("a_b.c-d", None, "a_b.c-d", None),
        ];
        for (text, user, host, port) in cases {
            assert_eq!(parts(text), (user, host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn words_for_ssh_and_scp() {
        let d = Destination::parse("ssh://dev@[fd00::1]:2222").unwrap();
        assert_eq!(d.port_args(), ["-p", "2222"]);
        assert_eq!(d.scp_port_args(), ["-P", "2222"]);
        assert_eq!((d.target(), d.scp_target()), ("dev@fd00::1".to_owned(), "dev@[fd00::1]".to_owned()));
        let d = Destination::parse("box").unwrap();
        assert!(d.port_args().is_empty() && d.scp_port_args().is_empty());
        assert_eq!((d.target(), d.scp_target()), ("box".to_owned(), "box".to_owned()));
    }

    #[test]
    fn a_port_after_the_host_is_explained() {
        let why = |text: &str| Destination::parse(text).unwrap_err().to_string();
        assert_eq!(
            why("dev@box:22"),
            "`dev@box:22` is not a destination: ssh takes no port there; write `ssh://dev@box:22`"
        );
        assert!(why("box:2222").ends_with("write `ssh://box:2222`"));
        assert!(why("[fd00::1]:22").ends_with("write `ssh://[fd00::1]:22`"));
    }

    #[test]
    fn what_ssh_or_a_shell_would_take_for_something_else() {
        for text in [
            "",
            "@box",
            "dev@",
            "-oProxyCommand=touch x",
            "dev@-oProxyCommand=x",
            "-l@box",
            "ssh://-x",
            "ssh://dev@-x:22",
            "a b",
            "a\nb",
            "a;b",
            "$(id)",
            "`id`",
            "a@b@c",
            "box:path",
            "box/",
            "ssh://box/path",
            "ssh://box:0",
            "ssh://box:65536",
            "ssh://box:+22",
            "ssh://box:",
            "ssh://fd00::1",
            "ssh://",
            "[box]",
            "[]",
            "[fd00::1",
            "fe80::1%",
            "fe80::1%a;b",
            "bücher",
            "http://box",
            "a\u{1b}[2J",
        ] {
            let error = Destination::parse(text).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{text:?}");
        }
        assert!(Destination::parse(&"a".repeat(256)).is_err());
    }
}
