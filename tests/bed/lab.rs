//! A laptop on the test bed: a home of its own, `ssh` that knows the bed's host, and the bed's switches.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::support::program::Program;
use super::support::sandbox::Sandbox;
use super::support::{variable, wait_until};

/// A laptop with nothing on it, and a host whose user has nothing on it.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) dir: PathBuf,
}

impl Lab {
    /// The bed as it is, with the link at no delay and the host's user as new.
    pub(crate) fn new() -> Self {
        let dir = sinc::demo::LoopbackHost::private_dir().unwrap();
        let mut sandbox = Sandbox::at(&dir);
        let bin = dir.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let bed = variable("SINC_TESTBED_SSH_CONFIG").expect("tests/run.sh bed sets SINC_TESTBED_SSH_CONFIG");
        let text = std::fs::read_to_string(&bed).unwrap();
        let key = text.lines().find(|line| line.contains("IdentityFile")).unwrap();
        let config = dir.join("ssh_config");
        // The bed's aliases, and its key for a bare address.
        let known = dir.join("known_hosts");
        let address = format!("Host fd77::2\n{key}\n  UserKnownHostsFile {}\n", known.display());
        let text = format!("Include {bed}\n{address}  StrictHostKeyChecking accept-new\n");
        std::fs::write(&config, text).unwrap();
        let config = config.display();
        for program in ["ssh", "scp"] {
            let real = which::which(program).unwrap();
            // ssh reads the configuration of the account, not of $HOME.
            let text = format!("#!/bin/sh\nexec {} -F {config} \"$@\"\n", real.display());
            sandbox.write_program(bin.join(program), &text);
        }
        sandbox.set("PATH", format!("{}:{}", bin.display(), variable("PATH").unwrap()));
        let agent = "[agent.test]\ncommand = \"echo agent ready; cat\"\n";
        sandbox.configure(format!("default-host = \"vps\"\ndefault-agent = \"test\"\n\n[host.vps]\ndestination = \"vps\"\n\n[host.six]\ndestination = \"dev@fd77::2\"\n\n[host.jump]\ndestination = \"jump\"\n\n{agent}"));
        let lab = Self { sandbox, dir };
        lab.bed(&["restore"]);
        lab.bed(&["latency", "0"]);
        lab.on_host("tmux kill-server; pkill mutagen-agent; rm -rf ~/workspace ~/.local ~/.mutagen; true");
        lab
    }

    /// One of the bed's switches.
    #[track_caller]
    pub(crate) fn bed(&self, words: &[&str]) -> String {
        let bed = variable("SINC_TESTBED").expect("tests/run.sh bed sets SINC_TESTBED");
        let env =
            ["PATH", "TB_ID", "TB_DIR"].map(|name| (name.into(), variable(name).unwrap_or_default().into()));
        let env =
            env.into_iter().filter(|(_, value): &(std::ffi::OsString, std::ffi::OsString)| !value.is_empty());
        let left = Program::new(bed, env.collect(), Path::new("/"))
            .args(words)
            .patience(Duration::from_secs(200))
            .run();
        assert_eq!(left.code, 0, "testbed {words:?}: {}", left.stderr);
        left.stdout
    }

    /// Runs a line in the shell of the host's user.
    #[track_caller]
    pub(crate) fn on_host(&self, line: &str) -> String {
        let run = self.sandbox.run("ssh", &["-o", "ControlPath=none", "vps", line]).success();
        run.stdout
    }

    /// Waits until a file on the host has this text.
    #[track_caller]
    pub(crate) fn wait_for_remote(&self, file: &str, text: &str) {
        wait_until(&format!("{file} on the host says {text}"), Duration::from_secs(30), || {
            self.on_host(&format!("cat {file} 2>/dev/null || true")).contains(text)
        });
    }

    /// Waits until a file here has this text.
    #[track_caller]
    pub(crate) fn wait_for_local(&self, file: &Path, text: &str) {
        wait_until(&format!("{} says {text}", file.display()), Duration::from_secs(30), || {
            std::fs::read_to_string(file).is_ok_and(|found| found.contains(text))
        });
    }

    /// What Mutagen says that the only sync is doing.
    #[track_caller]
    pub(crate) fn sync_status(&self) -> String {
        let list = Program::new("mutagen", self.mutagen_env(), Path::new("/"))
            .args(["sync", "list", "--template", "{{range .}}{{.Status}}{{end}}"])
            .run();
        list.stdout
    }

    fn mutagen_env(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let mut env = self.sandbox.env();
        env.push((
            "MUTAGEN_DATA_DIRECTORY".into(),
            self.sandbox.home().join(".local/share/sinc/mutagen").into(),
        ));
        env
    }

    /// A project of `files` small files.
    pub(crate) fn project(&self, name: &str, files: usize) -> PathBuf {
        let root = self.sandbox.project(name);
        for number in 0..files {
            let dir = root.join(format!("src/d{}", number / 100));
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(format!("f{number}.txt")), format!("{number}\n").repeat(50)).unwrap();
        }
        root
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.bed(&["restore"]);
        self.bed(&["latency", "0"]);
        let _ = self.sandbox.sinc(&["link", "stop"]);
        let _ = Program::new("mutagen", self.mutagen_env(), Path::new("/")).args(["daemon", "stop"]).run();
        if let Ok(sockets) = std::fs::read_dir(self.sandbox.home().join(".sinc/cm")) {
            for socket in sockets.flatten() {
                let control = format!("ControlPath={}", socket.path().display());
                let _ = self.sandbox.run("ssh", &["-o", &control, "-O", "exit", "vps"]);
            }
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
