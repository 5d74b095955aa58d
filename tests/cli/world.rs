//! A computer with a configuration, a project and tools that only record: what most tests here begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use sinc::process::quote;
use sinc::session::scripts;

use crate::support::e2e::living_in;
use crate::support::fakes::{Answer, Fakes};
use crate::support::sandbox::{Run, Sandbox};
use crate::support::{PATIENCE, wait_until};

/// The call of ssh that asks a host for the session's directory.
pub(crate) const BOOTSTRAP: &str = "ssh * -T -- *seek_near*";

/// The call of ssh that lists what is in a directory on the host.
pub(crate) const LIST: &str = "ssh * -T -- *ignore_readdir_race*";

/// The call of ssh that makes the session's terminal, and does not attach to it.
pub(crate) const MAKE: &str = "ssh * -T -- *attach-session*";

/// The call of ssh that attaches.
pub(crate) const ATTACH: &str = "ssh * -t -- *attach-session*";

/// The call of ssh that asks a host for all its sessions.
pub(crate) const SURVEY: &str = "ssh * -T -- *list-panes*";

/// The call of ssh that ends a session on its host.
pub(crate) const END: &str = "ssh * -T -- *kill-session*";

/// The computer.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) fakes: Fakes,
    /// Mutagen's daemon, once the fake has been told to start it.
    _daemon: UnixListener,
}

impl World {
    /// A computer that knows one host, `box`, on which all is well, and has no session there.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.configure("[host.box]\ndestination = \"dev@203.0.113.7\"\n");
        sandbox.write("app/main.rs", "fn main() {}\n");
        Self::of(sandbox)
    }

    /// The same tools in a sandbox that is there, with nothing configured.
    #[track_caller]
    pub(crate) fn of(mut sandbox: Sandbox) -> Self {
        // Its path may have spaces: then it is quoted in commands to paste.
        sandbox.show_path(quote::posix(Sandbox::binary().to_str().unwrap()), "$SINC");
        sandbox.show_path(Sandbox::binary(), "$SINC");
        // What a link does at its own pace is for the real tools.
        sandbox.set("SINC_LINK", "false");
        let fakes = Fakes::install(&sandbox, &["ssh", "mutagen", "tmux", "et"]);
        let daemon = UnixListener::bind(sandbox.root().join("fakes/daemon.sock")).unwrap();
        let mutagen =
            Answer { script: Some(include_str!("fake-mutagen.sh").to_owned()), ..Answer::default() };
        fakes.on("mutagen *", mutagen);
        fakes.on(BOOTSTRAP, host_says("how new\n"));
        fakes.on(LIST, Answer::stdout("sinc-begin 1\nend 0\0"));
        fakes.on(MAKE, Answer::stdout("sinc-begin 1\nmade yes\n"));
        let world = Self { sandbox, fakes, _daemon: daemon };
        let id = world.id();
        world.fakes.on(
            SURVEY,
            Answer::stdout(&format!(
                "sinc-begin 1\ntmux tmux 3.3a\nclaim {id}\ndir /home/dev/workspace/app\nmarker right\n\
                 session {id} 0\npane {id} 0  opencode node\nend\n"
            )),
        );
        world
    }

    /// The project.
    pub(crate) fn project(&self) -> PathBuf {
        self.sandbox.project("app")
    }

    /// Runs sinc in the project.
    #[must_use = "look at the exit code at least: `.success()`"]
    #[track_caller]
    pub(crate) fn sinc(&self, args: &[&str]) -> Run {
        self.sandbox.sinc_in(&self.project(), args)
    }

    /// A session that has been connected to, and nothing in the transcript.
    #[track_caller]
    pub(crate) fn connected() -> Self {
        Self::connected_with(&[])
    }

    /// The same, with these files in the project.
    #[track_caller]
    pub(crate) fn connected_with(files: &[(&str, &str)]) -> Self {
        let world = Self::new();
        for (name, text) in files {
            world.sandbox.write(world.project().join(name), text);
        }
        drop(world.sinc(&["--no-attach"]).success());
        world.fakes.on(BOOTSTRAP, host_says(&format!("session {} 0\nhow kept\n", world.id())));
        world.forget_calls();
        world
    }

    /// The file in which the one session is remembered.
    #[track_caller]
    pub(crate) fn record(&self) -> PathBuf {
        let dir = self.sandbox.home().join(".local/state/sinc/sessions");
        let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    /// The file in which the pretended Mutagen keeps its first sync.
    pub(crate) fn sync(&self) -> PathBuf {
        self.sandbox.home().join(".local/share/sinc/mutagen/sessions/sync_1")
    }

    /// Changes what Mutagen says of its first sync.
    #[track_caller]
    pub(crate) fn change_sync(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.sync()).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.sync(), text.replace(from, to)).unwrap();
    }

    /// From now on an attach lasts until its terminal is closed.
    pub(crate) fn let_attaches_last(&self) {
        self.fakes.on(ATTACH, Answer { script: Some("exec sleep 60".to_owned()), ..Answer::default() });
    }

    /// Waits until no attach is looked after any more.
    #[track_caller]
    pub(crate) fn wait_until_nobody_looks(&self) {
        wait_until("nobody looks after an attach", PATIENCE, || {
            living_in(self.sandbox.root()).iter().all(|process| !process.contains("after-attach"))
        });
    }

    /// Forgets what was called so far.
    #[track_caller]
    pub(crate) fn forget_calls(&self) {
        let _ = std::fs::remove_file(self.sandbox.root().join("fakes/transcript"));
    }

    /// The calls so far, with our own scripts by their names.
    pub(crate) fn calls(&self) -> String {
        let transcript = self.normal(&self.fakes.transcript());
        let mut calls: Vec<_> = transcript.split_inclusive('\n').collect();
        // Mutagen is asked at the same time as the host: the host is shown first.
        for at in 1..calls.len() {
            let beside = |call: &str| {
                ["$ mutagen daemon start", "  < {{json .}}"].iter().any(|words| call.starts_with(words))
                    || call.contains(" --label-selector ")
            };
            let before = calls[..at].iter().rev().take_while(|call| beside(call)).count();
            if ["<bootstrap.sh>", "<survey.sh>"].iter().any(|script| calls[at].contains(script)) {
                calls[at - before..=at].rotate_right(1);
            }
        }
        calls.concat()
    }

    /// Everything that a run left, as one text.
    pub(crate) fn left(&self, run: &Run) -> String {
        let Run { code, stdout, stderr, .. } = run;
        self.normal(&format!("exit code: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}"))
    }

    /// Everything that a run left, and the commands that it ran, as one text.
    #[track_caller]
    pub(crate) fn seen(&self, run: &Run) -> String {
        format!("{}--- commands\n{}", self.left(run), self.calls())
    }

    /// Text without what differs from run to run or from computer to computer, with our own scripts by their names.
    pub(crate) fn normal(&self, text: &str) -> String {
        let scripts = [
            (&scripts::BOOTSTRAP, "<bootstrap.sh>"),
            (&scripts::ATTACH, "<attach.sh>"),
            (&scripts::PANE, "<pane.sh>"),
            (&scripts::AGENT_CHECK, "<agent_check.sh>"),
            (&scripts::SURVEY, "<survey.sh>"),
            (&scripts::END, "<end.sh>"),
            (&scripts::MOBILE, "<mobile.sh>"),
            (&scripts::MESSAGE, "<message.sh>"),
            (&scripts::COUNT, "<count.sh>"),
        ];
        let mut text = text.to_owned();
        for (script, name) in scripts {
            text = text.replace(script.line(), name);
        }
        // The hash of an id, also where it stands behind another name.
        let hashes = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter_map(|word| {
            let hash = word.strip_prefix("sinc-")?.rsplit_once('-')?.1;
            (hash.len() == 6 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then(|| format!("-{hash}"))
        });
        for hash in hashes.collect::<BTreeSet<_>>() {
            text = text.replace(&hash, "-[hash]");
        }
        let computer = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let quoted = |name: &str| format!(" '\\''{name}'\\'' ");
        self.sandbox.normal(&text.replace(&quoted(&computer), &quoted("COMPUTER")))
    }

    /// The id of the project's session.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        sinc::project::session_id(self.project().canonicalize().unwrap().to_str().unwrap()).to_string()
    }
}

/// What a host answers to the first word, where all is well; `more` says what became of the directory.
pub(crate) fn host_says(more: &str) -> Answer {
    // With several directories, or none that is free, the script names none.
    let none = ["how many", "how full"].iter().any(|how| more.contains(how));
    let directory = if none { "" } else { "/home/dev/workspace/app" };
    Answer::stdout(&format!(
        "sinc-begin 1\nhome /home/dev\nshell /bin/bash\npeer 127.0.0.1 50000 127.0.0.1 22\ntmux tmux 3.3a\n\
         disk /dev/vda1 41152812 9152812 30000000 24% /\ndir {directory}\n{more}"
    ))
}

/// Everything below a directory, with what tells a change: kind and mode, time, contents.
#[track_caller]
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let text = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let text = String::from_utf8_lossy(&text);
        found.insert(path.clone(), format!("{:o} {} {text}", meta.mode(), meta.mtime_nsec()));
        if meta.is_dir() {
            found.extend(tree(&path));
        }
    }
    found
}
