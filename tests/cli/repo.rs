//! A checkout of this repository as its install scripts see it, on a computer whose tools only record.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sinc::process::quote::posix;

use crate::support::fakes::{Answer, Fakes};
use crate::support::program::Program;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::terminal::Terminal;

/// Programs of the system that the scripts use beside those that every sandbox has.
const MORE: [&str; 10] =
    ["bash", "tar", "gzip", "cut", "xargs", "echo", "getconf", "mktemp", "tee", "timeout"];

/// The places of the system that get-tools.sh knows, and where they are in the sandbox.
const FIXED: [(&str, &str); 3] = [
    ("/usr/sbin/policy-rc.d", "/usr/sbin/policy-rc.d"),
    ("/usr/local/go/", "/usr/local/go/"),
    (":/usr/local/sbin:/usr/sbin:/sbin ", "/usr/sbin "),
];

/// The sum of Mutagen's archive for linux_amd64.
pub(crate) const SUM: &str = "7735286c778cc438418209f24d03a64f3a0151c8065ef0fe079cfaf093af6f8f";

/// The checkout.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) sandbox: Sandbox,
    pub(crate) fakes: Fakes,
    /// Its directory, whose name has spaces.
    pub(crate) dir: PathBuf,
}

impl Repo {
    /// A computer on which all is there but Mutagen, and nothing to get that with; its user is not root.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let mut sandbox = Sandbox::new();
        let more = sandbox.root().join("more");
        std::fs::create_dir(&more).unwrap();
        for name in MORE {
            std::os::unix::fs::symlink(which::which(name).unwrap(), more.join(name)).unwrap();
        }
        let path = sandbox.env().into_iter().find(|(name, _)| name == "PATH").unwrap().1;
        let dirs = std::env::split_paths(&path).chain([more]);
        sandbox.set("PATH", std::env::join_paths(dirs).unwrap());
        let names = ["sudo", "apt-get", "systemctl", "cargo", "id", "uname", "sha256sum"];
        let fakes = Fakes::install(&sandbox, &names);
        let dir = sandbox.project("my copy of sinc");
        sandbox.show_path(&dir, "$REPO");
        let repo = Self { sandbox, fakes, dir };
        repo.copy();
        for name in ["cc", "ssh", "sshd", "tmux", "inotifywait"] {
            repo.program(name);
        }
        repo.on("id -u", "echo 1000");
        repo.on("uname *", "echo Linux x86_64").on("uname -s", "echo Linux").on("uname -m", "echo x86_64");
        repo.on("sudo *", "[ \"$1\" != -n ] || shift; exec \"$@\"");
        repo.on("apt-get *", "true").on("systemctl *", "true");
        repo.on("cargo --version", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'");
        let built = "dir=${5%/Cargo.toml}/target/release; mkdir -p \"$dir\"; ln -sf";
        repo.on(
            "cargo build *",
            &format!("{built} {} \"$dir/sinc\"", posix(Sandbox::binary().to_str().unwrap())),
        );
        let target = repo.dir.join("target");
        let metadata = format!("{{\"target_directory\":\"{}\",\"version\":1}}\n", target.display());
        repo.fakes.on("cargo metadata *", Answer::stdout(&metadata));
        repo
    }

    /// Copies the scripts, with the places that they know put into the sandbox.
    #[track_caller]
    fn copy(&self) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = self.sandbox.root().display().to_string();
        for name in ["try.sh", "install.sh", "get-tools.sh", "rust.sh"] {
            let mut text = std::fs::read_to_string(from.join("install").join(name)).unwrap();
            for (there, here) in FIXED.iter().filter(|_| name == "get-tools.sh") {
                assert!(text.contains(there), "{name} does not have {there} any more");
                let colon = if there.starts_with(':') { ":" } else { "" };
                text = text.replace(there, &format!("{colon}{root}{here}"));
            }
            executable(&self.sandbox.write(self.dir.join("install").join(name), text));
        }
        self.sandbox.write(self.dir.join("install/mutagen/go.mod"), "module sinc-mutagen\n");
        let manifest = std::fs::read_to_string(from.join("Cargo.toml")).unwrap();
        self.sandbox.write(self.dir.join("Cargo.toml"), manifest);
        std::fs::create_dir_all(self.sandbox.root().join("usr/sbin")).unwrap();
    }

    /// What a tool does when it is called so.
    #[track_caller]
    pub(crate) fn on(&self, pattern: &str, script: &str) -> &Self {
        self.fakes.on(pattern, Answer { script: Some(script.to_owned()), ..Answer::default() });
        self
    }

    /// Adds tools that only record.
    #[track_caller]
    pub(crate) fn tools(&self, names: &[&str]) -> &Self {
        for name in names {
            std::fs::copy(self.sandbox.bin().join("cargo"), self.sandbox.bin().join(name)).unwrap();
        }
        self
    }

    /// Adds a program that is there and does nothing.
    #[track_caller]
    pub(crate) fn program(&self, name: &str) {
        let file = self.sandbox.bin().join(name);
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        executable(&file);
    }

    /// Takes a program away.
    #[track_caller]
    pub(crate) fn without(&self, names: &[&str]) -> &Self {
        for name in names {
            std::fs::remove_file(self.sandbox.bin().join(name)).unwrap();
        }
        self
    }

    /// apt-get installs these programs, and notes whether services were kept from starting meanwhile.
    #[track_caller]
    pub(crate) fn apt_installs(&self, names: &[&str]) -> &Self {
        let (bin, root) = (self.sandbox.bin(), self.sandbox.root());
        let policy = root.join("usr/sbin/policy-rc.d");
        let mut script = format!("sh {} && exit 1; [ $? = 101 ] || exit 1\n", policy.display());
        for name in names {
            let file = bin.join(name).display().to_string();
            script.push_str(&format!("echo '#!/bin/sh' >{file}; chmod 755 {file}\n"));
        }
        self.on("apt-get *install*", &script)
    }

    /// A Go of this version that builds a Mutagen.
    #[track_caller]
    pub(crate) fn go(&self, version: &str) -> &Self {
        self.tools(&["go"]).on("go env GOVERSION", &format!("echo {version}"));
        let script = "while [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\n\
             printf '#!/bin/sh\\necho 0.18.1\\n' >\"$out\"; chmod 755 \"$out\"";
        self.on("go build *", script)
    }

    /// A script of `install/`, to be run in the home directory.
    pub(crate) fn script(&self, name: &str, args: &[&str]) -> Program {
        let file = self.dir.join("install").join(name);
        self.sandbox.program("bash", &self.sandbox.home()).args([file.to_str().unwrap()]).args(args)
    }

    /// Runs it, not on a terminal.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn run(&self, name: &str, args: &[&str]) -> Run {
        self.sandbox.finish(&self.script(name, args))
    }

    /// Copies a script of `tests/`.
    #[track_caller]
    pub(crate) fn script_of_the_tests(&self, name: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        let text = std::fs::read_to_string(from).unwrap();
        executable(&self.sandbox.write(self.dir.join("tests").join(name), text));
    }

    /// Runs `tests/run.sh` with these variables (`NAME=value`).
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn run_tests(&self, args: &[&str], variables: &[&str]) -> Run {
        let file = self.dir.join("tests/run.sh");
        let program = self.sandbox.program("env", &self.sandbox.home()).args(variables);
        self.sandbox.finish(&program.args(["bash", file.to_str().unwrap()]).args(args))
    }

    /// Runs it on a terminal.
    #[track_caller]
    pub(crate) fn terminal(&self, name: &str, args: &[&str]) -> Terminal<'_> {
        let file = self.dir.join("install").join(name);
        let words: Vec<_> =
            ["bash", file.to_str().unwrap()].into_iter().chain(args.iter().copied()).collect();
        Terminal::open(&self.sandbox, &self.sandbox.home(), &words)
    }

    /// The calls so far that begin so; of one that has several lines the first.
    pub(crate) fn calls(&self, begin: &str) -> String {
        let begin = format!("$ {begin}");
        let transcript = self.sandbox.normal(&self.fakes.transcript());
        transcript.lines().filter(|line| line.starts_with(&begin)).map(|line| format!("{line}\n")).collect()
    }

    /// The names in a directory of the checkout; none when there is no such directory.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.join(dir)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[track_caller]
fn executable(file: &Path) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}
