//! What no type says of a step: words that go into records, addresses and programs.

use super::component::{Architecture, Kind};

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

impl Kind {
    /// The mistake of this step, if it has one.
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
            Self::Edit(edit) if !edit.gone.is_empty() => {
                Err("`gone` is what sinc knows by itself: a step has `set` and `add`".to_owned())
            }
            Self::Edit(edit) => path(&edit.path),
            Self::Service(service) => word(&service.unit, "a unit", "-.@_"),
            Self::User(user) => word(&user.name, "a user", "-_{}"),
            Self::Ufw(ufw) => match &ufw.allow {
                _ if u8::from(ufw.allow.is_some()) + u8::from(ufw.enable) + u8::from(ufw.tailnet_only)
                    != 1 =>
                {
                    Err("a step has one of `allow`, `enable = true`, `tailnet-only = true`".to_owned())
                }
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
