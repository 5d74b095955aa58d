//! The terminal of a session: the words for `attach.sh`, and the commands that attach.

use crate::config::{Agent, Destination};
use crate::process::Cmd;
use crate::project::SessionId;
use crate::remote::Remote;

use super::agent_line::agent_line;
use super::scripts::{ATTACH, MOBILE, PANE};

/// How to attach.
#[derive(Clone, Debug)]
pub struct Terminal<'a> {
    /// The session.
    pub id: &'a SessionId,
    /// Its directory on the host, which must still be its own; none: whatever directory it has.
    pub directory: Option<&'a str>,
    /// The agent that runs in it when it has to be made; none: it must exist.
    pub agent: Option<&'a Agent>,
    /// The size of the terminal, columns and rows.
    pub size: (u16, u16),
}

impl Terminal<'_> {
    fn words(&self, attach: bool, mobile: &str) -> [String; 10] {
        [
            self.id.to_string(),
            self.directory.unwrap_or("").to_owned(),
            if self.agent.is_some() { "yes" } else { "no" }.to_owned(),
            if attach { "yes" } else { "no" }.to_owned(),
            PANE.line().to_owned(),
            self.agent.map(agent_line).unwrap_or_default(),
            self.agent.map(|agent| agent.name.clone()).unwrap_or_default(),
            self.size.0.to_string(),
            self.size.1.to_string(),
            mobile.to_owned(),
        ]
    }

    fn why(&self) -> &'static str {
        if self.agent.is_some() { "make the terminal session" } else { "look for the terminal session" }
    }

    /// The ssh that becomes the terminal. Where it goes through a connection that is there, two round trips are all that
    /// the person waits for, and each kilobyte shows: [`show_in_agent_os`] comes after it then.
    #[must_use]
    pub fn attach_cmd(&self, remote: &Remote) -> Cmd {
        let mobile = if remote.control().exists() { "" } else { MOBILE.line() };
        let words = self.words(true, mobile);
        remote.terminal_cmd("attach to the session", &ATTACH, &words.each_ref().map(String::as_str))
    }

    /// The ssh that only makes sure that the tmux session is there.
    #[must_use]
    pub fn make_cmd(&self, remote: &Remote) -> Cmd {
        let words = self.words(false, MOBILE.line());
        remote.script_cmd(self.why(), &ATTACH, &words.each_ref().map(String::as_str))
    }

    /// Makes sure that the tmux session is there. Gives the script's own code: 0, or 91 to 95.
    ///
    /// # Errors
    /// The host was not reached.
    pub fn make(
        &self,
        remote: &Remote,
        notice: &dyn Fn(&str),
    ) -> Result<crate::remote::Reply, crate::remote::RemoteError> {
        let words = self.words(false, MOBILE.line());
        remote.call(self.why(), &ATTACH, &words.each_ref().map(String::as_str), notice)
    }
}

/// The ssh that shows a session in Agent-OS, where the host has that. Nobody needs to wait for it.
#[must_use]
pub fn show_in_agent_os(remote: &Remote, id: &SessionId) -> Cmd {
    remote.script_cmd("show the session in Agent-OS", &MOBILE, &[id.as_str(), "on"])
}

/// The Eternal Terminal client that becomes the terminal of a session that exists.
///
/// `et` types the command into a login shell, so only characters that every shell takes as they are go there; a
/// leading space keeps it out of the history, and the quotes keep zsh from reading `=name` as a program's path. It prefixes `user@` from a parser of its own, so the user is always
/// given. Telemetry is on unless it is told otherwise (Eternal Terminal 7.0, `TerminalClientMain.cpp`).
#[must_use]
pub fn et_cmd(id: &SessionId, destination: &Destination, user: &str) -> Cmd {
    let mut cmd = Cmd::new("et", "attach to the session").no_deadline().arg("--telemetry=false");
    if let Some(port) = destination.port() {
        cmd = cmd.arg("--ssh-option").arg(format!("Port={port}"));
    }
    cmd.arg("-c")
        .arg(format!(" exec tmux -u attach-session -t '={id}'"))
        .arg(format!("{user}@{}", destination.host()))
}

/// The size of this terminal, columns and rows; that of a common one when there is none.
#[must_use]
pub fn size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(rustix::stdio::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (120, 40),
    }
}
