//! Ends a throw-away host when its owner ends, however that happens: a small shell process reads a pipe that
//! only the owner holds open, so an exit, Ctrl-C, a panic and `kill -9` are all the same to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::fs::{Mode, OFlags};

use crate::process::{Cmd, Runner, interrupted};

const WARDEN: &str = include_str!("warden.sh");

/// How long the warden gets to start, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// As long as this lives, so does what runs in the directory.
#[derive(Debug)]
pub(super) struct Guard {
    pipe: Option<File>,
    warden: Child,
}

impl Guard {
    /// Puts the warden into `dir`, which then belongs to it.
    pub(super) fn start(runner: &Runner, dir: &Path, keep: bool) -> anyhow::Result<Self> {
        std::fs::write(dir.join(".loopback"), "")?;
        std::fs::write(script(dir), WARDEN)?;
        let pipe = dir.join("guard");
        runner.answer(&Cmd::new("mkfifo", "make the guard's pipe").arg("-m").arg("600").arg(&pipe))?;
        let keep = keep.then_some("keep");
        let warden = runner.spawn_service(&verb(dir, "guard").args(keep))?;
        let mut guard = Self { pipe: None, warden };
        guard.pipe = Some(guard.hold(&pipe)?);
        Ok(guard)
    }

    /// Opens the pipe once the warden reads it: until then the system says that nobody does.
    fn hold(&mut self, pipe: &Path) -> anyhow::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = wait(PATIENCE, || match rustix::fs::open(pipe, flags, Mode::empty()) {
            Ok(fd) => Some(Ok(fd)),
            Err(rustix::io::Errno::NXIO) => interrupted().err().map(|signal| Err(anyhow::Error::new(signal))),
            Err(error) => Some(Err(error.into())),
        });
        match opened {
            Some(fd) => Ok(File::from(fd.context("could not open the guard's pipe")?)),
            None => bail!("the guard of the throw-away host did not start"),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.pipe.take().is_none() {
            // It never came to guard anything; whoever made the directory removes it.
            let _ = self.warden.kill();
        }
        wait(PATIENCE, || self.warden.try_wait().ok().flatten());
    }
}

/// One of the warden's other verbs.
pub(super) fn verb(dir: &Path, verb: &str) -> Cmd {
    Cmd::new("sh", format!("look after the throw-away host ({verb})")).arg(script(dir)).arg(verb).arg(dir)
}

fn script(dir: &Path) -> PathBuf {
    dir.join("warden.sh")
}

/// Asks again and again, at first every millisecond and then less often, until there is an answer or the time
/// is up.
pub(super) fn wait<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
