//! A sealed world for the binary: a home of its own, no variable and no program that was not put there.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sinc::demo::LoopbackHost;

use super::normal::Normal;
use super::program::{Left, Program};

/// The person's configuration, below the home directory.
pub(crate) const CONFIG: &str = ".config/sinc/config.toml";

/// Programs of the system that scripts may use in a sealed world. No ssh, tmux, mutagen: a test gives those.
const BASICS: [&str; 30] = [
    "sh", "env", "cat", "sed", "grep", "awk", "head", "tail", "sort", "tr", "wc", "mkdir", "rm", "cp", "mv",
    "ln", "ls", "touch", "chmod", "find", "date", "sleep", "true", "false", "id", "uname", "mkfifo",
    "dirname", "basename", "git",
];

/// A directory with a home, and the environment that points there.
#[derive(Debug)]
pub(crate) struct Sandbox {
    root: PathBuf,
    env: Vec<(OsString, OsString)>,
    normal: Normal,
    remove: bool,
}

impl Sandbox {
    /// A sealed world: PATH holds only `bin()` and a few basic programs.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let root = LoopbackHost::private_dir().unwrap();
        let mut sandbox = Self::at(&root);
        sandbox.remove = true;
        let basics = root.join("basics");
        std::fs::create_dir(&basics).unwrap();
        for name in BASICS {
            if let Ok(program) = which::which(name) {
                std::os::unix::fs::symlink(program, basics.join(name)).unwrap();
            }
        }
        std::fs::create_dir(sandbox.bin()).unwrap();
        sandbox.set("PATH", std::env::join_paths([sandbox.bin(), basics]).unwrap());
        sandbox
    }

    /// The same in a directory of somebody else, who removes it; PATH is as outside.
    #[track_caller]
    pub(crate) fn at(root: &Path) -> Self {
        let mut sandbox =
            Self { root: root.to_owned(), env: Vec::new(), normal: Normal::default(), remove: false };
        for dir in [sandbox.home(), sandbox.tmp()] {
            std::fs::create_dir_all(dir).unwrap();
        }
        sandbox.normal.path(root, "$ROOT");
        sandbox.normal.path(sandbox.home(), "$HOME");
        sandbox.normal.path(sandbox.tmp(), "$TMP");
        sandbox.set("HOME", sandbox.home());
        sandbox.set("TMPDIR", sandbox.tmp());
        sandbox.set("TERM", "xterm-256color");
        sandbox.set("LANG", "C.UTF-8");
        sandbox.set("SHELL", "/bin/sh");
        sandbox.set("PATH", super::variable("PATH").unwrap_or_default());
        sandbox
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The last lines of what the links did.
    pub(crate) fn link_log(&self) -> String {
        let dir = self.home().join(".local/state/sinc/logs");
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|file| file.to_string_lossy().contains("link-"));
        let text: String = logs.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The first directory of PATH in a sealed world.
    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.unset(name);
        self.env.push((name.into(), value.into()));
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// The whole environment.
    pub(crate) fn env(&self) -> Vec<(OsString, OsString)> {
        self.env.clone()
    }

    /// Writes a file below the home directory, with the directories that it needs.
    #[track_caller]
    pub(crate) fn write(&self, file: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.home().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Writes the person's configuration.
    #[track_caller]
    pub(crate) fn configure(&self, text: impl AsRef<[u8]>) {
        self.write(CONFIG, text);
    }

    /// Adds lines to the person's configuration; gives what it was before.
    #[track_caller]
    pub(crate) fn configure_also(&self, lines: &str) -> String {
        let before = self.read(CONFIG);
        self.configure(format!("{before}{lines}"));
        before
    }

    /// Writes a program, by a path of its own or below the home directory.
    #[track_caller]
    pub(crate) fn write_program(&self, file: impl AsRef<Path>, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.write(file, text);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// Reads a file below the home directory.
    #[track_caller]
    pub(crate) fn read(&self, file: impl AsRef<Path>) -> String {
        let file = self.home().join(file);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// A directory below the home directory to work in.
    #[track_caller]
    pub(crate) fn project(&self, name: &str) -> PathBuf {
        let dir = self.home().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// The binary that is tested.
    pub(crate) fn binary() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_sinc"))
    }

    /// Runs sinc in the home directory.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn sinc(&self, args: &[&str]) -> Run {
        self.sinc_in(&self.home(), args)
    }

    /// Runs sinc in another directory.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn sinc_in(&self, dir: &Path, args: &[&str]) -> Run {
        self.finish(&self.program(Self::binary(), dir).args(args))
    }

    /// Runs any program in the home directory.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Run {
        self.finish(&self.program(program, &self.home()).args(args))
    }

    /// A program in this world, to add to before it is run with [`Self::finish`] or started.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>, dir: &Path) -> Program {
        Program::new(program.as_ref(), self.env(), dir)
    }

    /// Runs a program to its end.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn finish(&self, program: &Program) -> Run {
        let Left { code, stdout, stderr } = program.run();
        Run { code, stdout, stderr, shown: self.normal(&program.shown()), normal: self.normal.clone() }
    }

    /// Text without what differs from run to run.
    pub(crate) fn normal(&self, text: &str) -> String {
        self.normal.text(text)
    }

    /// Also shows `path` as `name` in normalised text.
    pub(crate) fn show_path(&mut self, path: impl Into<PathBuf>, name: &str) {
        self.normal.path(path, name);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.remove && super::e2e::keep().is_none() {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

/// What a program left, to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
    normal: Normal,
}

impl Run {
    /// Insists on exit code 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.exits(0)
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Everything as one text for a snapshot, without what differs from run to run.
    pub(crate) fn snapshot(&self) -> String {
        self.normal.text(&format!(
            "exit code: {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        ))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` exited with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown, self.code, self.stdout, self.stderr
        )
    }
}
