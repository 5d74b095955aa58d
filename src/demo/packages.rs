//! How this system gets the programs that are missing.

use std::ffi::OsStr;

use super::Missing;

/// The package managers that are known, by the program that shows which one this system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Pacman,
    Brew,
}

const MANAGERS: [(&str, Manager, &str); 4] = [
    ("apt-get", Manager::Apt, "sudo apt-get install"),
    ("dnf", Manager::Dnf, "sudo dnf install"),
    ("pacman", Manager::Pacman, "sudo pacman -S"),
    ("brew", Manager::Brew, "brew install"),
];

/// The advice for what is missing: one line for the system's packages, one for Mutagen where they do not have it.
#[must_use]
pub fn advice(missing: &Missing, path: &OsStr) -> Vec<String> {
    let found = MANAGERS.iter().find(|(program, ..)| which::which_in(program, Some(path), "/").is_ok());
    let manager = found.map(|(_, manager, _)| *manager);
    let mut packages: Vec<&str> = Vec::new();
    for program in &missing.0 {
        if let Some(package) = package(program, manager).filter(|package| !packages.contains(package)) {
            packages.push(package);
        }
    }
    let mut advice = Vec::new();
    if !packages.is_empty() {
        advice.push(match found {
            Some((_, _, install)) => {
                let install = if is_root() { install.trim_start_matches("sudo ") } else { install };
                format!("install what is missing: `{install} {}`", packages.join(" "))
            }
            None => format!("install them with this system's package manager: {}", packages.join(" ")),
        });
    }
    if missing.0.iter().any(|program| program == "mutagen") && manager != Some(Manager::Brew) {
        advice.push("`sinc demo --yes` fetches Mutagen itself, from its own releases".to_owned());
    }
    advice
}

/// The package that a program comes in; none where the packages do not have it.
fn package(program: &str, manager: Option<Manager>) -> Option<&str> {
    use Manager::{Apt, Brew, Dnf, Pacman};
    Some(match (program, manager) {
        ("mutagen", Some(Brew)) => "mutagen-io/mutagen/mutagen",
        ("mutagen", _) => return None,
        ("ssh" | "scp" | "ssh-keygen" | "sshd" | "sftp-server", Some(Pacman | Brew)) => "openssh",
        ("ssh" | "scp" | "ssh-keygen", Some(Apt)) => "openssh-client",
        ("ssh" | "scp" | "ssh-keygen", Some(Dnf)) => "openssh-clients",
        ("sftp-server", Some(Apt)) => "openssh-sftp-server",
        ("sshd" | "sftp-server", Some(Apt | Dnf)) => "openssh-server",
        (other, _) => other,
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_own_names() {
        let names = |manager| {
            let all = ["ssh", "scp", "ssh-keygen", "sshd", "sftp-server", "tmux", "mutagen"];
            let mut found: Vec<_> = all.into_iter().filter_map(|name| package(name, Some(manager))).collect();
            found.dedup();
            found
        };
        assert_eq!(names(Manager::Apt), ["openssh-client", "openssh-server", "openssh-sftp-server", "tmux"]);
        assert_eq!(names(Manager::Dnf), ["openssh-clients", "openssh-server", "tmux"]);
        assert_eq!(names(Manager::Pacman), ["openssh", "tmux"]);
        assert_eq!(names(Manager::Brew), ["openssh", "tmux", "mutagen-io/mutagen/mutagen"]);
    }

    #[test]
    fn the_command_is_this_systems_and_mutagen_has_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Missing(["sshd", "tmux", "mutagen"].map(str::to_owned).to_vec());
        let said = advice(&missing, dir.path().as_os_str());
        assert!(said[0].ends_with("package manager: sshd tmux"), "{said:?}");
        let program = dir.path().join("dnf");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let said = advice(&missing, dir.path().as_os_str());
        assert!(said[0].contains("dnf install openssh-server tmux`"), "{said:?}");
        assert!(said[1].contains("fetches Mutagen"), "{said:?}");
    }
}
