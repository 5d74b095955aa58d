//! A terminal with nobody at it: a tmux server of its own, in which sinc runs as it does for a person, and whose
//! screen can be read.

use std::path::PathBuf;

use anyhow::bail;

use super::Stage;
use super::wait::until;
use crate::process::{Cmd, ProcessError, Runner};

/// Runs a program as the shell of a person does, with the exit code going to a file: tmux 3.3 was seen to miss the
/// end of its own children. Then the screen is left as it is. It must not know that this terminal is a tmux.
const SHELL: &str = "unset TMUX TMUX_PANE; \"$@\"; echo $? >\"$0.new\"; mv \"$0.new\" \"$0\"; read -r _";

/// A running terminal. Dropped, it is gone; the host's guard sees to it too.
pub(super) struct Screen<'a> {
    stage: &'a Stage,
    runner: &'a Runner,
    socket: PathBuf,
}

impl<'a> Screen<'a> {
    /// Starts the terminal, with nothing in it yet.
    pub(super) fn open(stage: &'a Stage, runner: &'a Runner) -> anyhow::Result<Self> {
        let screen = Self { stage, runner, socket: stage.host().dir().join("screen") };
        let start = "start-server ; set-option -s exit-empty off ; set-option -g status off";
        runner.answer(&screen.tmux("start a terminal").args(start.split_whitespace()))?;
        Ok(screen)
    }

    /// Runs sinc in a new window, in place of the one before.
    pub(super) fn run_sinc(&self) -> anyhow::Result<()> {
        if let Err(error) = std::fs::remove_file(self.code_file())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error.into());
        }
        let cmd = self
            .tmux("run sinc in a terminal")
            .args(["new-session", "-d", "-s", "sinc", "-x", "100", "-y", "32", "--", "sh", "-c", SHELL])
            .arg(self.code_file())
            .arg(self.stage.program());
        self.runner.answer(&cmd)?;
        Ok(())
    }

    /// Waits until the text is on the screen.
    pub(super) fn wait_for(&self, text: &str) -> anyhow::Result<()> {
        let waited = until(&format!("`{text}` on the screen"), || {
            let (ended, screen) = self.look()?;
            match ended {
                _ if screen.contains(text) => Ok(Some(())),
                Some(code) => bail!("`sinc` ended with {code} in its terminal:\n{}", indented(&screen)),
                None => Ok(None),
            }
        });
        waited.map_err(|error| self.with_screen(error))
    }

    /// Detaches as a person does, waits for the end of sinc, and gives what it left on the screen.
    pub(super) fn detach(&self) -> anyhow::Result<String> {
        self.runner.answer(&self.tmux("detach").args(["send-keys", "-t", "sinc", "C-b", "d"]))?;
        let (code, screen) = until("the end of `sinc` after the detach", || {
            let (ended, screen) = self.look()?;
            Ok(ended.map(|code| (code, screen)))
        })
        .map_err(|error| self.with_screen(error))?;
        if code != "0" {
            bail!("`sinc` ended with {code} after the detach:\n{}", indented(&screen));
        }
        self.runner.answer(&self.tmux("close the window").args(["kill-session", "-t", "sinc"]))?;
        Ok(screen)
    }

    /// Adds what is on the screen, where sinc still runs.
    fn with_screen(&self, error: anyhow::Error) -> anyhow::Error {
        match self.look() {
            Ok((None, screen)) => error.context(format!("the screen stayed at\n{}", indented(&screen))),
            _ => error,
        }
    }

    /// The exit code, if sinc has ended, and what is on the screen.
    fn look(&self) -> Result<(Option<String>, String), ProcessError> {
        let ended = std::fs::read_to_string(self.code_file()).ok().map(|code| code.trim().to_owned());
        let look = self.tmux("look at the terminal").args(["capture-pane", "-p", "-t", "sinc"]);
        Ok((ended, self.runner.read(&look)?))
    }

    fn code_file(&self) -> PathBuf {
        self.socket.with_extension("code")
    }

    fn tmux(&self, why: &str) -> Cmd {
        self.stage.cmd("tmux", why).arg("-S").arg(&self.socket).args(["-f", "/dev/null", "-u"])
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.runner.answer(&self.tmux("close the terminal").arg("kill-server"));
    }
}

fn indented(screen: &str) -> String {
    let lines = screen.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}
