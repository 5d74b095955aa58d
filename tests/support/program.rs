//! The one place of the kit that starts programs: a sealed environment, a deadline, the whole output.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program to start, in an environment that holds nothing but what it is given.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    words: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: PathBuf,
    input: Vec<u8>,
    patience: Duration,
}

/// What a program left.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    /// Its exit code, or 128+n for signal n.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(program: impl Into<OsString>, env: Vec<(OsString, OsString)>, dir: &Path) -> Self {
        Self {
            words: vec![program.into()],
            env,
            dir: dir.to_owned(),
            input: Vec::new(),
            patience: super::PATIENCE,
        }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.words.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The command line, for messages.
    pub(crate) fn shown(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    /// Starts it without its streams; the caller ends it.
    #[track_caller]
    pub(crate) fn start(&self) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.spawn(&mut command)
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self) -> Left {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn(&mut command);
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.input.clone();
            // A program that ends without reading its input is judged by its exit code.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = Gathered::from(child.stdout.take());
        let stderr = Gathered::from(child.stderr.take());
        let mut status = None;
        let ended = super::poll(self.patience, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            let _ = child.kill();
            panic!(
                "`{}` did not end within {} s\n--- stdout\n{}\n--- stderr\n{}",
                self.shown(),
                self.patience.as_secs(),
                stdout.text(),
                stderr.text()
            );
        }
        let code = status.map_or(-1, |status| status.code().unwrap_or(128 + status.signal().unwrap_or(0)));
        Left { code, stdout: stdout.text(), stderr: stderr.text() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the kit's one door to other programs")]
    fn command(&self) -> Command {
        // Found on the PATH that it gets, not on ours.
        let path = self.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
        let program = which::which_in(&self.words[0], path, &self.dir);
        let mut command = Command::new(program.unwrap_or_else(|_| self.words[0].clone().into()));
        command.arg0(&self.words[0]).args(&self.words[1..]);
        command.env_clear().envs(self.env.iter().cloned()).current_dir(&self.dir);
        command
    }

    #[track_caller]
    fn spawn(&self, command: &mut Command) -> Child {
        command.spawn().unwrap_or_else(|error| panic!("could not start `{}`: {error}", self.shown()))
    }
}

/// A stream that is read to its end beside us.
struct Gathered {
    bytes: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    end: std::sync::mpsc::Receiver<()>,
}

impl Gathered {
    fn from(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let (ended, end) = std::sync::mpsc::channel();
        let into = bytes.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 8192];
            let mut pipe = pipe;
            while let Some(Ok(n @ 1..)) = pipe.as_mut().map(|pipe| pipe.read(&mut piece)) {
                into.lock().unwrap().extend_from_slice(&piece[..n]);
            }
            let _ = ended.send(());
        });
        Self { bytes, end }
    }

    /// What came. A program in the background may hold the stream open for ever: that is not waited for.
    fn text(&self) -> String {
        let _ = self.end.recv_timeout(Duration::from_millis(500));
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}
