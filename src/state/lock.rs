//! One `sinc` at a time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};

use super::file::make_private_dir;

/// A held lock: let go when dropped, also when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Somebody else holds the lock.
#[derive(Debug)]
pub struct Busy {
    /// What is being done.
    pub what: String,
    /// How long we waited.
    pub after: Duration,
}

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "another sinc has been busy with {} for more than {} s", self.what, self.after.as_secs())
    }
}

impl std::error::Error for Busy {}

/// Holds the lock in this file; waits for another `sinc` that holds it.
pub(super) fn take(path: &Path, what: &str, patience: Duration, waiting: &mut dyn FnMut()) -> Result<Lock> {
    make_private_dir(path.parent().context("a file has a directory")?)?;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot open the lock `{}`", path.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return Ok(Lock { _file: file });
    }
    let busy = || Busy { what: what.to_owned(), after: patience };
    if patience.is_zero() {
        return Err(busy().into());
    }
    waiting();
    // The kernel wakes a blocked flock by itself, but without a deadline: a thread waits, we wait for it.
    let (done, held) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let result = flock(&file, FlockOperation::LockExclusive);
        drop(done.send(result.map(|()| file)));
    });
    let until = Instant::now() + patience;
    loop {
        crate::process::interrupted()?;
        // Woken at once when the lock is free; the slices only look at whether a signal came.
        let slice = Duration::from_millis(200).min(until.saturating_duration_since(Instant::now()));
        match held.recv_timeout(slice) {
            Ok(Ok(file)) => return Ok(Lock { _file: file }),
            Ok(Err(error)) => return Err(error).context("cannot take the lock"),
            Err(_) if Instant::now() < until => {}
            Err(_) => return Err(busy().into()),
        }
    }
}
