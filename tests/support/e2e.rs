//! A bed for end-to-end tests: a real host on loopback, a person's computer with a configuration, real tools.

use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use sinc::demo::{LoopbackHost, Missing, Options};
use sinc::process::Runner;

use super::sandbox::{CONFIG, Sandbox};

/// What the stand-in for an agent does: says that it is there, then repeats each line that it is told.
const AGENT: &str =
    "#!/bin/sh\necho 'agent ready'\nwhile read -r line; do echo \"agent heard: $line\"; done\n";

/// A host and a computer that knows it as `box`.
#[derive(Debug)]
pub(crate) struct Bed {
    // Before the host: the directory is the host's.
    pub(crate) sandbox: Sandbox,
    pub(crate) host: LoopbackHost,
}

impl Bed {
    /// A bed, or nothing when this machine lacks a tool and nobody insists.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        Self::with(Options::default())
    }

    /// A bed whose host is made to order.
    #[track_caller]
    pub(crate) fn with(options: Options) -> Option<Self> {
        if !have(&["tmux", "mutagen"]) {
            return None;
        }
        let dir = LoopbackHost::private_dir().unwrap();
        let mut options = Options { keep: keep().is_some(), ..options };
        // The usual one of OpenSSH 9, against computers to come, takes 0.1 s of CPU a login, and there are thousands of them.
        options.sshd_config.push("KexAlgorithms curve25519-sha256".to_owned());
        let host = match LoopbackHost::start(&Runner::default(), &dir, options) {
            Ok(host) => host,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&dir);
                match error.downcast_ref::<Missing>() {
                    Some(Missing(names)) => {
                        skip(&names.iter().map(String::as_str).collect::<Vec<_>>());
                        return None;
                    }
                    None => panic!("could not start a host: {error:#}"),
                }
            }
        };
        host.add_program("opencode", AGENT).unwrap();
        let mut sandbox = Sandbox::at(&dir);
        let mut path = host.bin().into_os_string();
        path.push(":");
        path.push(super::variable("PATH").unwrap_or_default());
        sandbox.set("PATH", path);
        sandbox.show_path(host.remote_home(), "$REMOTE");
        let config = format!("default-host = \"box\"\n\n[host.box]\ndestination = \"{}\"\n", host.alias());
        sandbox.configure(config);
        Some(Self { sandbox, host })
    }

    /// A bed whose host has this login shell, by name.
    #[track_caller]
    pub(crate) fn with_shell(shell: &str, options: Options) -> Option<Self> {
        if !have(&[shell]) {
            return None;
        }
        Self::with(Options { login_shell: Some(which::which(shell).unwrap()), ..options })
    }

    /// A project directory on this side, with these files.
    #[track_caller]
    pub(crate) fn project(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.sandbox.project(name);
        for (file, text) in files {
            self.sandbox.write(dir.join(file), text);
        }
        dir
    }

    /// What Mutagen's agents on the host consist of: the agents, and what passes on what they say.
    pub(crate) fn agents(&self) -> Vec<Pid> {
        let lines = living_in(self.host.dir());
        let found = lines.iter().filter_map(|line| line.split_once(": "));
        let found = found.filter(|(_, line)| line.contains("mutagen-agent synchronizer"));
        found.filter_map(|(pid, _)| Pid::from_raw(pid.parse().ok()?)).collect()
    }

    /// Sends these processes a signal, those that have not ended.
    pub(crate) fn signal(pids: &[Pid], signal: Signal) {
        for pid in pids {
            let _ = kill_process(*pid, signal);
        }
    }

    /// Another computer of the same person, with a home of its own, that knows the same host.
    #[track_caller]
    pub(crate) fn second_computer(&self) -> Sandbox {
        let mut other = Sandbox::at(&self.host.dir().join("other"));
        let path = self.sandbox.env().into_iter().find(|(name, _)| name == "PATH").unwrap().1;
        other.set("PATH", path);
        other.configure(self.sandbox.read(CONFIG));
        other
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // The host's guard ends everything that lives in this directory: also Mutagen's daemon, ssh's shared
        // connections, terminals.
        if let Some(why) = keep() {
            say(&format!("kept because of {why}: {}", self.host.dir().display()));
        } else if std::thread::panicking() {
            let log = self.host.log();
            let last = log.lines().rev().take(15).collect::<Vec<_>>().into_iter().rev();
            say(&format!("--- the end of sshd's log\n{}\n---", last.collect::<Vec<_>>().join("\n")));
            say("run it again with SINC_KEEP_TESTBED=1 to keep its files");
        }
    }
}

/// Are directories to be kept, and why?
pub(crate) fn keep() -> Option<&'static str> {
    super::variable("SINC_KEEP_TESTBED").map(|_| "SINC_KEEP_TESTBED")
}

/// The Debian package that a program comes in.
fn package(program: &str) -> &str {
    match program {
        "sshd" => "openssh-server",
        "sftp-server" => "openssh-sftp-server",
        "ssh" | "scp" | "ssh-keygen" | "ssh-agent" | "ssh-add" => "openssh-client",
        other => other,
    }
}

/// How to get what is missing.
pub(crate) fn advice(names: &[&str]) -> String {
    let packages: Vec<_> =
        names.iter().filter(|name| **name != "mutagen").map(|name| package(name)).collect();
    let mut text = format!("not installed: {}.", names.join(", "));
    if !packages.is_empty() {
        text.push_str(&format!(" On Debian: `apt-get install {}`.", packages.join(" ")));
    }
    if names.contains(&"mutagen") {
        text.push_str(" Mutagen 0.18.1 (`mutagen` and `mutagen-agents.tar.gz` in one directory of PATH): `./tests/run.sh` gets it.");
    }
    text
}

/// The processes whose command line, environment or open files name `dir`, this one left out. Linux only:
/// elsewhere it finds nothing.
pub(crate) fn living_in(dir: &Path) -> Vec<String> {
    let own = std::process::id().to_string();
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for process in processes.flatten().map(|entry| entry.path()) {
        let pid = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if pid == own || !pid.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let mut known: String = ["cmdline", "environ"].iter().map(|name| text(&process.join(name))).collect();
        let links =
            std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        for link in links.chain([process.join("cwd")]) {
            known.push_str(&std::fs::read_link(link).unwrap_or_default().to_string_lossy());
            known.push('\0');
        }
        if known.contains(dir.to_str().unwrap()) {
            found.push(format!("{pid}: {}", text(&process.join("cmdline")).replace('\0', " ")));
        }
    }
    found
}

/// Kills the link with this process id, and first the guard that would start it again.
#[track_caller]
pub(crate) fn kill_link(pid: i64) {
    use rustix::process::{Pid, Signal, kill_process};
    let process = |pid: i32| Path::new("/proc").join(pid.to_string());
    let link = i32::try_from(pid).unwrap();
    let status = std::fs::read_to_string(process(link).join("status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    let command = std::fs::read_to_string(process(parent).join("cmdline")).unwrap_or_default();
    let guard = command.contains("link\0guard\0").then_some(parent);
    for pid in guard.into_iter().chain([link]) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
}

/// Are these programs there? Where not, the test is skipped, and says so; `SINC_E2E` and CI insist.
#[track_caller]
pub(crate) fn have(names: &[&str]) -> bool {
    let lacking: Vec<_> = names.iter().copied().filter(|name| which::which(name).is_err()).collect();
    if !lacking.is_empty() {
        skip(&lacking);
    }
    lacking.is_empty()
}

#[track_caller]
fn skip(names: &[&str]) {
    // tests/run.sh has got all the tools.
    assert!(super::variable("SINC_E2E").is_none(), "this test cannot be left out here: {}", advice(names));
    left_out(&advice(names));
}

/// Leaves a test out that this computer or this user cannot run, and says why, also to tests/run.sh, which names it
/// at its end; CI insists.
#[track_caller]
pub(crate) fn left_out(why: &str) {
    assert!(super::variable("CI").is_none(), "this test cannot be left out here: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    say(&format!("SKIPPED: {test}: {why}"));
    if let Some(list) = super::variable("SINC_LEFT_OUT") {
        let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
        list.write_all(format!("{test}: {why}\n").as_bytes()).unwrap();
    }
}

/// Says it past the test runner, which keeps what a passing test prints to itself.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
