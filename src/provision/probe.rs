//! The questions to the host: how everything is that these components want, in one round trip.

use super::component::{Component, Kind, Step};
use super::program::Program;
use super::target::Target;

/// The program that asks; with `logins` also whether what wants a login has one, and what else a person should know, which takes a second or two.
#[must_use]
pub fn probe(target: &Target, components: &[&Component], logins: bool) -> String {
    let mut program = Program::probing(target);
    let mut commands: Vec<&str> = components.iter().flat_map(|it| &it.steps).flat_map(commands_of).collect();
    commands.sort_unstable();
    commands.dedup();
    program.call(&["ask_beside"]);
    if !commands.is_empty() {
        program.call(&[&["ask_versions"], commands.as_slice()].concat());
    }
    for component in components {
        for (number, step) in component.steps.iter().enumerate() {
            let enough = step.decided_by().unwrap_or_default();
            let number = number.to_string();
            let mut words = vec!["probe", &component.name, &number, enough, step.kind.name()];
            if let Kind::Shell(_) = &step.kind {
                words.insert(0, "ask");
            }
            match &step.kind {
                Kind::Apt(apt) => words.extend(apt.packages.iter().map(String::as_str)),
                Kind::Npm(npm) => words.extend([npm.package.as_str(), &npm.command]),
                Kind::Download(download) => words.push(&download.destination),
                Kind::File(file) => words.push(&file.path),
                Kind::Edit(edit) => words.push(&edit.path),
                Kind::Service(service) => words.extend([service.scope.name(), &service.unit]),
                Kind::User(user) => words.push(&user.name),
                Kind::Ufw(_) | Kind::Tailnet(_) => {}
                Kind::Sshd(sshd) => {
                    words.extend(sshd.set.keys().map(String::as_str).chain(["AuthenticationMethods"]));
                }
                Kind::Shell(shell) => {
                    words.extend([if shell.as_user { "yes" } else { "no" }, &shell.check]);
                }
            }
            program.call(&words);
            if let Some(only) = &step.only_if {
                program.call(&["ask", "probe_if", &component.name, &number, &only.check]);
            }
        }
        if let Some(login) = component.about.login.as_ref().filter(|_| logins) {
            program.call(&["ask", "probe_login", &component.name, &login.check]);
        }
        if let Some(warns) = component.about.warns.as_ref().filter(|_| logins) {
            program.call(&["ask", "probe_warns", &component.name, warns]);
        }
    }
    program.call(&["tell_asked"]);
    program.finish()
}

/// The programs whose versions a step asks for.
fn commands_of(step: &Step) -> Vec<&str> {
    let npm = match &step.kind {
        Kind::Npm(npm) => Some(npm.command.as_str()),
        _ => None,
    };
    step.decided_by().into_iter().chain(npm).collect()
}

#[cfg(test)]
mod tests {
    use crate::process::{Cmd, Runner};

    /// What `least_free` says where `df` says this; `me` is 0 for root.
    fn least_free(me: &str, home: &str, free: &[(&str, u64)]) -> String {
        let probe = include_str!("host/probe.sh");
        let from = probe.find("least_free() {").unwrap();
        let function = &probe[from..from + probe[from..].find("\n}\n").unwrap() + 3];
        let mut df = "df() {\necho head\nfor it in \"$@\"; do case $it in\n".to_owned();
        for (place, mb) in free {
            df.push_str(&format!("{place}) echo \"/dev/x 9 9 {} 9% {place}\" ;;\n", mb * 1024));
        }
        df.push_str("esac; done\n}\n");
        let text = format!("{df}{function}me={me} home={home}; least_free\n");
        let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn the_disk_with_the_least_free_space_counts() {
        let disks = [("/", 900), ("/var", 300), ("/usr/local", 900), ("/home", 400), ("/tmp", 50)];
        assert_eq!(least_free("0", "/home", &disks), "300 /var\n");
        assert_eq!(least_free("0", "/tmp", &disks), "50 /tmp\n");
        assert_eq!(least_free("0", "/tmp", &[("/", 70)]), "70 /\n");
        // Without root's rights nothing goes but into the home directory.
        assert_eq!(least_free("1000", "/tmp", &disks), "50 /tmp\n");
        assert_eq!(least_free("1000", "/none", &disks), "900 /\n");
    }

    /// What is asked of these, where a directory can be made in `tmp`.
    fn asked(tmp: &str, calls: &str) -> String {
        let probe = include_str!("host/probe.sh");
        let functions = &probe[probe.find("\nanswers=").unwrap()..probe.find("\n# probe COMPONENT").unwrap()];
        let text = format!("{functions}\nask_beside 2>/dev/null\n{calls}\ntell_asked\n");
        let cmd = Cmd::new("sh", "ask").args(["-s"]).env("TMPDIR", tmp).stdin(text);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn what_is_asked_at_the_same_time_is_told_whole_and_nothing_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().to_str().unwrap();
        // Each waits for what another one makes.
        let calls = format!(
            "wait_for() {{ until [ -e {tmp}/$1 ]; do sleep 0.01; done; seq 9999; echo \"$1\"; }}\n\
             ask wait_for one\nask wait_for two\ntouch {tmp}/two {tmp}/one"
        );
        let said = asked(tmp, &calls);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines.len(), lines[9999], lines[19_999]), (20_000, "one", "two"));
        let left: Vec<_> = std::fs::read_dir(tmp).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(asked(tmp, ":"), "");
        // Nothing can be written: one after the other.
        assert_eq!(asked("/nothing", "ask echo one; ask echo two"), "one\ntwo\n");
    }
}
