//! The connection to the eye on the host: one ssh, whose lines are read by a thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::eye::{Files, Roots, Said, Tally, parse};
use crate::process::{Cmd, Runner};
use crate::remote::BEGIN;

/// What comes over the line.
#[derive(Debug)]
pub enum FromHost {
    /// The script runs: it can be told what to watch.
    Begun,
    /// What the eye says; the events of a moment are summed up.
    Said(Said),
    /// It is over; the last that ssh said.
    Over(String),
}

/// An open line. Dropped, it is closed, and what ran on the host ends.
#[derive(Debug)]
pub struct Line {
    child: Child,
    stdin: ChildStdin,
    control: Option<PathBuf>,
}

/// The stack of a thread that only reads.
const STACK: usize = 128 * 1024;

/// How much of what ssh says is kept, bytes.
const TAIL: usize = 2000;

impl Line {
    /// Starts ssh, and tells what comes. Others may ride on it by the socket `control`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn open(
        runner: &Runner,
        cmd: &Cmd,
        control: Option<PathBuf>,
        roots: Arc<Roots>,
        tell: impl Fn(FromHost) + Send + 'static,
    ) -> Result<Self> {
        let mut child = runner.spawn_piped(cmd)?;
        let stdin = child.stdin.take().context("no pipe to ssh")?;
        let stdout = child.stdout.take().context("no pipe from ssh")?;
        let stderr = child.stderr.take().context("no pipe from ssh")?;
        let errors = std::thread::Builder::new().stack_size(STACK).spawn(move || last_words(stderr))?;
        std::thread::Builder::new().name("there".to_owned()).stack_size(STACK).spawn(move || {
            read(stdout, &roots, &tell);
            tell(FromHost::Over(errors.join().unwrap_or_default()));
        })?;
        Ok(Self { child, stdin, control })
    }

    /// The socket by which others ride on it.
    #[must_use]
    pub fn control(&self) -> Option<&Path> {
        self.control.as_deref()
    }

    /// Tells the eye something. That it is not there any more the reader tells.
    pub fn say(&mut self, text: &str) {
        let _ = self.stdin.write_all(text.as_bytes()).and_then(|()| self.stdin.flush());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // One that was killed leaves it.
        if let Some(control) = &self.control {
            let _ = std::fs::remove_file(control);
        }
    }
}

fn last_words(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 512];
    while let Ok(length) = stderr.read(&mut piece)
        && length > 0
    {
        said.extend_from_slice(&piece[..length]);
        if said.len() > 2 * TAIL {
            said.drain(..said.len() - TAIL);
        }
    }
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// Reads until the end. Events are summed up for as long as more is there to be read.
fn read(stdout: ChildStdout, roots: &Roots, tell: &impl Fn(FromHost)) {
    let mut from = BufReader::with_capacity(32 * 1024, stdout);
    let (mut begun, mut tally, mut line) = (false, Tally::default(), Vec::new());
    let mut files = Files::default();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        // A path may end with blanks.
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        if !begun {
            // What rc files print comes before it.
            begun = text.trim_end().ends_with(BEGIN);
            if begun {
                tell(FromHost::Begun);
            }
            continue;
        }
        let said = parse(&text, roots);
        files.take(&text, roots);
        if let Some(Said::Event(index, seen)) = said {
            tally.add(index, seen);
        }
        let other = said.filter(|said| !matches!(said, Said::Event(..)));
        if other.is_some() || !from.buffer().contains(&b'\n') {
            // First: what follows may begin a cycle.
            for (index, wrote) in files.wrote.drain(..) {
                tell(FromHost::Said(Said::Wrote(index, wrote)));
            }
            for (index, seen) in tally.take() {
                tell(FromHost::Said(Said::Event(index, seen)));
            }
        }
        if let Some(said) = other {
            tell(FromHost::Said(said));
        }
    }
}
