//! A moment in a cycle: something of it is seen to run.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The steps of a cycle, each by what may stand in the command line of whoever does it.
pub(crate) const STEPS: [(&str, &[&str]); 5] = [
    ("looks at a side", &["put repo here"]),
    ("moves a side", &["toindex"]),
    ("moves one", &["toindex"]),
    ("gives or takes", &["put whole yes", "then :; else give", "upload-pack", "receive-pack"]),
    ("packs or unpacks", &["pack-objects", "unpack-objects", "index-pack"]),
];

/// How long such a step is waited for, and how often it is looked for: it takes a few milliseconds.
const SOON: Duration = Duration::from_millis(1200);
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until a step runs. Gives the processes that do it; none where it did not come.
pub(crate) fn wait_for(dir: &Path, texts: &[&str]) -> Vec<Pid> {
    let deadline = Instant::now() + SOON;
    loop {
        let found = doing(dir, texts);
        if !found.is_empty() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Kills them.
pub(crate) fn kill(found: &[Pid]) {
    for pid in found {
        let _ = kill_process(*pid, Signal::KILL);
    }
}

/// The processes of a world with one of these texts in their command line.
fn doing(dir: &Path, texts: &[&str]) -> Vec<Pid> {
    let has = |pid: &str, file: &str, texts: &[&str]| {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        texts.iter().any(|one| text.contains(one))
    };
    let own = std::process::id().to_string();
    let names = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.into_string().ok());
    pids.filter(|pid| *pid != own && pid.bytes().all(|b| b.is_ascii_digit()))
        .filter(|pid| has(pid, "cmdline", texts) && has(pid, "environ", &[dir.to_str().unwrap()]))
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
        .collect()
}
