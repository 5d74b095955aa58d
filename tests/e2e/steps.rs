//! What the tests here do again and again.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::e2e::{Bed, living_in};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, wait_until};

/// An agent that writes down where it was started, then repeats what it is told.
pub(crate) const AGENT_SAYS_WHERE: &str = "#!/bin/sh\npwd >\"$HOME/where.part\"; mv \"$HOME/where.part\" \"$HOME/where\"\n\
    echo 'agent ready'\nwhile read -r line; do echo \"agent heard: $line\"; done\n";

/// The session's directory on the host, where it is made unless a name is taken.
pub(crate) fn there(bed: &Bed, name: &str) -> PathBuf {
    bed.host.remote_home().join("workspace").join(name)
}

/// `sinc --no-attach`, which must end well.
#[track_caller]
pub(crate) fn connect(sandbox: &Sandbox, project: &Path) -> Run {
    sandbox.sinc_in(project, &["--no-attach"]).success()
}

/// Types `sinc` in the project's directory and waits until the agent is on the screen.
#[track_caller]
pub(crate) fn attach<'a>(sandbox: &'a Sandbox, project: &Path) -> Terminal<'a> {
    let terminal = Terminal::sinc(sandbox, project, &[]);
    terminal.wait_for("agent ready", PATIENCE);
    terminal
}

/// Leaves a terminal that is attached, as a person does.
#[track_caller]
pub(crate) fn detach(terminal: Terminal<'_>) {
    terminal.type_keys(&["C-b", "d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
}

/// Waits for the process that looks after an attach: when that did not last, it looks at the host.
#[track_caller]
pub(crate) fn wait_until_nobody_looks_after(bed: &Bed) {
    wait_until("nobody looks after an attach", PATIENCE, || {
        !living_in(bed.host.dir()).iter().any(|line| line.contains("after-attach"))
    });
}

/// The files in which this computer remembers its sessions.
pub(crate) fn records(sandbox: &Sandbox) -> Vec<PathBuf> {
    let dir = sandbox.home().join(".local/state/sinc/sessions");
    let files = std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// The one session that this computer remembers.
#[track_caller]
pub(crate) fn record(sandbox: &Sandbox) -> serde_json::Value {
    let files = records(sandbox);
    assert_eq!(files.len(), 1, "{files:?}");
    serde_json::from_str(&std::fs::read_to_string(&files[0]).unwrap()).unwrap()
}

/// The id of the one session that this computer remembers.
#[track_caller]
pub(crate) fn session_id(sandbox: &Sandbox) -> String {
    record(sandbox)["id"].as_str().unwrap().to_owned()
}

/// The claim of a session on the host.
pub(crate) fn claim(bed: &Bed, id: &str) -> PathBuf {
    bed.host.remote_home().join(".local/state/sinc/sessions").join(id)
}

/// The Mutagen of this computer, as a word for a shell: its path may have spaces.
pub(crate) fn real_mutagen() -> String {
    sinc::process::quote::posix(which::which("mutagen").unwrap().to_str().unwrap())
}

/// Mutagen as sinc calls it.
#[track_caller]
pub(crate) fn mutagen(sandbox: &Sandbox, args: &[&str]) -> Run {
    let data = sandbox.home().join(".local/share/sinc");
    let words = [
        format!("MUTAGEN_DATA_DIRECTORY={}", data.join("mutagen").display()),
        format!("MUTAGEN_SSH_PATH={}", data.join("mutagen-ssh").display()),
        "mutagen".to_owned(),
    ];
    let words: Vec<_> = words.iter().map(String::as_str).chain(args.iter().copied()).collect();
    sandbox.run("env", &words)
}

/// The syncs that this computer has, as Mutagen lists them.
#[track_caller]
pub(crate) fn syncs(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let listed = mutagen(sandbox, &["sync", "list", "--template", "{{json .}}"]).success();
    match serde_json::from_str(&listed.stdout) {
        Ok(serde_json::Value::Array(all)) => all,
        other => panic!("{other:?}: {listed}"),
    }
}

/// Has each sync of this computer go through a cycle now: what was changed is on the other side afterwards.
#[track_caller]
pub(crate) fn flush(sandbox: &Sandbox) {
    mutagen(sandbox, &["sync", "flush", "--all"]).success();
}

/// Waits until a file has this text.
#[track_caller]
pub(crate) fn wait_text(file: &Path, text: &str) {
    wait_text_within(file, text, PATIENCE);
}

/// Waits until a file has this text, for as long as that may take.
#[track_caller]
pub(crate) fn wait_text_within(file: &Path, text: &str, patience: Duration) {
    wait_until(&format!("{} says {text:?}", file.display()), patience, || {
        std::fs::read_to_string(file).is_ok_and(|found| found == text)
    });
}

/// Writes a file on either side.
#[track_caller]
pub(crate) fn write(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// Reads a file on either side.
#[track_caller]
pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The permission bits of a file or directory.
#[track_caller]
pub(crate) fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).permissions().mode()
        & 0o777
}

/// Changes them.
#[track_caller]
pub(crate) fn set_mode(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything in a directory but sinc's marker: each path, and the text of each file. What goes away meanwhile is not there.
pub(crate) fn tree(dir: &Path) -> Vec<(PathBuf, Option<String>)> {
    let gone = |error: std::io::Error, path: &Path| {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}: {error}", path.display());
    };
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        let entries = match std::fs::read_dir(&next) {
            Err(error) if next != dir => {
                gone(error, &next);
                continue;
            }
            entries => entries.unwrap(),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_owned();
            if name == Path::new(".sinc-session") {
                continue;
            }
            if path.is_dir() {
                found.push((name, None));
                left.push(path);
                continue;
            }
            match std::fs::read(&path) {
                Ok(bytes) => found.push((name, Some(String::from_utf8_lossy(&bytes).into_owned()))),
                Err(error) => gone(error, &path),
            }
        }
    }
    found.sort();
    found
}

/// The host's own tmux.
#[track_caller]
pub(crate) fn tmux_there(bed: &Bed, args: &[&str]) -> Run {
    let socket = format!("TMUX_TMPDIR={}", bed.host.tmux_dir().display());
    bed.sandbox.run("env", &[&[socket.as_str(), "tmux", "-u"], args].concat())
}

/// The names of the tmux sessions on the host.
#[track_caller]
pub(crate) fn sessions_there(bed: &Bed) -> Vec<String> {
    let listed = tmux_there(bed, &["list-sessions", "-F", "#{session_name}"]);
    let mut names: Vec<_> = listed.stdout.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// Writes down each call of this side's ssh, and whose it was.
pub(crate) struct Calls(PathBuf);

impl Calls {
    /// From now on.
    #[track_caller]
    pub(crate) fn watch(bed: &Bed) -> Self {
        let log = bed.host.dir().join("calls");
        // One short write a call, so that two at once do not mix.
        before_each(bed, "ssh", &format!("printf '%s\\n' \"$*\" >>{}", log.display()));
        Self(log)
    }

    /// sinc's own calls that a person waits for: until the one that attaches. What looks after the attach calls half a second
    /// later; Mutagen and the link have connections of their own.
    pub(crate) fn own_until_attached(&self) -> Vec<String> {
        let apart = |line: &String| line.contains("ControlMaster=no") || line.contains("ControlMaster=yes");
        let mut own: Vec<String> = self.all().into_iter().filter(|line| !apart(line)).collect();
        let attaches = own.iter().position(|line| line.contains(" -t -- "));
        own.truncate(attaches.map_or(own.len(), |at| at + 1));
        own
    }

    /// All calls so far.
    pub(crate) fn all(&self) -> Vec<String> {
        std::fs::read_to_string(&self.0).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Forgets them.
    #[track_caller]
    pub(crate) fn forget(&self) {
        std::fs::write(&self.0, "").unwrap();
    }
}

/// Has this side's ssh or scp run a line of shell before it does its work.
#[track_caller]
pub(crate) fn before_each(bed: &Bed, program: &str, line: &str) {
    let file = bed.host.bin().join(program);
    let text = read(&file).replacen("#!/bin/sh\n", &format!("#!/bin/sh\n{line}\n"), 1);
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    set_mode(&new, 0o755);
    std::fs::rename(new, file).unwrap();
}

/// Ends the shared connection and waits until it is gone.
#[track_caller]
pub(crate) fn end_shared_connection(bed: &Bed) {
    for socket in sockets(&bed.sandbox) {
        let path = format!("ControlPath={}", socket.display());
        bed.sandbox.run("ssh", &["-o", &path, "-O", "exit", "demo"]).success();
        wait_until("the shared connection has ended", Duration::from_secs(10), || !socket.exists());
    }
}

/// The sockets of this computer's shared connections.
pub(crate) fn sockets(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // Where the link listens.
    let link = sandbox.home().join(".sinc/link");
    let mut left =
        vec![sandbox.home().join(".sinc"), sandbox.tmp(), sandbox.home().join(".local/state/sinc")];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            use std::os::unix::fs::FileTypeExt;
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_socket() && !entry.path().starts_with(&link) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// Waits until no cycle runs of the only sync, and none follows.
#[track_caller]
pub(crate) fn quiet(sandbox: &Sandbox) {
    let mut cycles = (0, Instant::now());
    wait_until("no cycle runs", PATIENCE, || {
        let sync = &syncs(sandbox)[0];
        let now = sync["successfulCycles"].as_u64().unwrap_or(0);
        if now != cycles.0 || sync["status"] != "watching" {
            cycles = (now, Instant::now());
        }
        cycles.1.elapsed() > Duration::from_millis(700)
    });
}
