//! A terminal with a person at it: a tmux server that nothing else uses is the terminal, and the test types and
//! reads the screen.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::program::Left;
use super::sandbox::Sandbox;

const SETTINGS: &str = "\
set -g status off
set -g remain-on-exit on
set -g remain-on-exit-format ''
set -s escape-time 0
set -g default-terminal tmux-256color
set -ga terminal-overrides ',*:Tc'
set -s exit-empty on
";

/// Runs the command as a shell does that a person typed it to: not as the session's leader, and Ctrl-C does not
/// end the shell. The exit code goes to a file, because tmux 3.3 was seen to miss the end of its own children.
const SHELL: &str = "trap : INT QUIT TSTP; sh -c 'echo $$ >\"$0\"; exec \"$@\"' \"$0.pid\" \"$@\"; \
    echo $? >\"$0.part\"; mv \"$0.part\" \"$0.code\"";

/// One window of a terminal, in which one command runs.
#[derive(Debug)]
pub(crate) struct Terminal<'a> {
    sandbox: &'a Sandbox,
    socket: PathBuf,
}

impl<'a> Terminal<'a> {
    /// Opens a terminal of 100 columns and 30 rows that runs the command.
    #[track_caller]
    pub(crate) fn open(sandbox: &'a Sandbox, dir: &Path, command: &[impl AsRef<OsStr>]) -> Self {
        Self::open_sized(sandbox, dir, command, (100, 30))
    }

    /// Opens a terminal that runs sinc.
    #[track_caller]
    pub(crate) fn sinc(sandbox: &'a Sandbox, dir: &Path, args: &[&str]) -> Self {
        let mut words = vec![Sandbox::binary().to_str().unwrap()];
        words.extend(args);
        Self::open(sandbox, dir, &words)
    }

    /// Opens a terminal of a size of its own, columns and rows.
    #[track_caller]
    pub(crate) fn open_sized(
        sandbox: &'a Sandbox,
        dir: &Path,
        command: &[impl AsRef<OsStr>],
        (columns, rows): (u16, u16),
    ) -> Self {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let socket = sandbox.root().join(format!("terminal{number}"));
        let settings = sandbox.root().join("terminal.conf");
        std::fs::write(&settings, SETTINGS).unwrap();
        let terminal = Self { sandbox, socket };
        let mut words: Vec<OsString> = ["-u", "-f"].map(Into::into).into();
        words.push(settings.into());
        words.extend(["new-session", "-d", "-x"].map(Into::into));
        words.extend([columns.to_string().into(), "-y".into(), rows.to_string().into(), "--".into()]);
        // The command gets the sandbox's environment and nothing of tmux's own: it must not know that this is
        // tmux. The terminal's type stays what it really is unless the test wants another.
        words.extend(["env", "-i"].map(Into::into));
        words.push("TERM=tmux-256color".into());
        for (name, value) in sandbox.env() {
            if name != "TERM" || value != "xterm-256color" {
                let mut variable = name;
                variable.push("=");
                variable.push(value);
                words.push(variable);
            }
        }
        words.extend(["sh", "-c", SHELL].map(Into::into));
        words.push(terminal.socket.clone().into());
        words.extend(command.iter().map(|word| word.as_ref().to_owned()));
        let left = terminal.tmux_in(dir, &words);
        assert_eq!(left.code, 0, "could not open a terminal: {}", left.stderr);
        terminal
    }

    /// Types: names of keys (`Enter`, `C-c`, `Up`), or text that is no such name.
    #[track_caller]
    pub(crate) fn type_keys(&self, keys: &[&str]) {
        let mut words = vec!["send-keys", "-t", ":0", "--"];
        words.extend(keys);
        self.tmux(&words);
    }

    /// Types text as it is, whatever it looks like.
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-t", ":0", "-l", "--", text]);
    }

    /// Types a line and Enter.
    #[track_caller]
    pub(crate) fn type_line(&self, text: &str) {
        self.type_text(text);
        self.type_keys(&["Enter"]);
    }

    /// What is on the screen.
    #[track_caller]
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", ":0"])
    }

    /// What is on the screen, with the sequences that colour it.
    #[track_caller]
    pub(crate) fn screen_with_colours(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-t", ":0"])
    }

    /// Is the cursor to be seen (`1`)?
    #[track_caller]
    pub(crate) fn cursor(&self) -> String {
        self.tmux(&["display-message", "-p", "-t", ":0", "#{cursor_flag}"]).trim_end().to_owned()
    }

    /// What is on the screen, and what has gone off its top.
    #[track_caller]
    pub(crate) fn history(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-", "-t", ":0"])
    }

    /// Writes down everything that is written to the terminal from now on, also what is gone from the screen again.
    #[track_caller]
    pub(crate) fn record(&self) -> PathBuf {
        let file = self.socket.with_extension("record");
        self.tmux(&["pipe-pane", "-t", ":0", &format!("cat >'{}'", file.display())]);
        super::wait_until("the terminal is recorded", super::PATIENCE, || file.exists());
        file
    }

    /// Waits until the text is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, patience: Duration) {
        self.wait(&format!("`{text}` on the screen"), patience, |screen| screen.contains(text));
    }

    /// Waits until the text is not on the screen any more.
    #[track_caller]
    pub(crate) fn wait_gone(&self, text: &str, patience: Duration) {
        self.wait(&format!("no `{text}` on the screen"), patience, |screen| !screen.contains(text));
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, patience: Duration, done: impl Fn(&str) -> bool) {
        let mut screen = String::new();
        let came = super::poll(patience, || {
            screen = self.screen();
            done(&screen)
        });
        assert!(came, "not within {} s: {what}\n{}", patience.as_secs_f32(), framed(&screen));
    }

    /// Waits until the command ends and gives its exit code, 128+n for signal n.
    #[track_caller]
    pub(crate) fn wait_exit(&self, patience: Duration) -> i32 {
        let mut code = None;
        let ended = super::poll(patience, || {
            code = self.exit_code();
            code.is_some()
        });
        assert!(
            ended,
            "the command did not end within {} s\n{}",
            patience.as_secs_f32(),
            framed(&self.screen())
        );
        code.unwrap()
    }

    /// The exit code, once the command has ended.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        std::fs::read_to_string(self.socket.with_extension("code")).ok()?.trim_end().parse().ok()
    }

    /// Gives the terminal another size, columns and rows.
    #[track_caller]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-t", ":0", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// The terminal's size, columns and rows.
    #[track_caller]
    pub(crate) fn size(&self) -> (u16, u16) {
        let said = self.tmux(&["display-message", "-p", "-t", ":0", "#{pane_width} #{pane_height}"]);
        let (columns, rows) = said.trim_end().split_once(' ').unwrap();
        (columns.parse().unwrap(), rows.parse().unwrap())
    }

    /// The process of the command.
    #[track_caller]
    pub(crate) fn pid(&self) -> i32 {
        let mut pid = None;
        super::wait_until("the command has started", super::PATIENCE, || {
            let text = std::fs::read_to_string(self.socket.with_extension("pid")).unwrap_or_default();
            pid = text.strip_suffix('\n').and_then(|pid| pid.parse().ok());
            pid.is_some()
        });
        pid.unwrap()
    }

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        let left = self.tmux_in(self.sandbox.root(), words);
        assert_eq!(left.code, 0, "the terminal is gone: {}", left.stderr);
        left.stdout
    }

    #[track_caller]
    fn tmux_in(&self, dir: &Path, words: &[impl AsRef<OsStr>]) -> Left {
        // Only what tmux itself needs; the sandbox's PATH may have no tmux, or a fake one.
        let tmux = which::which("tmux").unwrap_or_else(|_| panic!("{}", super::e2e::advice(&["tmux"])));
        let keep = |name: &OsStr| ["HOME", "LANG", "PATH"].iter().any(|keep| name == *keep);
        let mut env: Vec<_> = self.sandbox.env().into_iter().filter(|(name, _)| keep(name)).collect();
        env.push(("TERM".into(), "xterm-256color".into()));
        super::program::Program::new(tmux, env, dir).args(["-S"]).args([&self.socket]).args(words).run()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.give_up();
        }
        let _ = self.tmux_in(self.sandbox.root(), &["kill-server"]);
    }
}

impl Terminal<'_> {
    /// The test has failed: a second failure here would hide the first.
    fn give_up(&self) {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.tmux_in(self.sandbox.root(), &["kill-server"])
        }));
    }
}

fn framed(screen: &str) -> String {
    let lines: Vec<_> = screen.trim_end().lines().map(|line| format!("| {line}")).collect();
    format!("--- the screen\n{}\n---", lines.join("\n"))
}
