//! Ends a session on its host, at once or when the host is reached again.

use std::time::Duration;

use anyhow::{Result, bail};

use super::scripts::{END, MESSAGE, MOBILE, STATUS_NOTE};
use crate::process::Cmd;
use crate::project::SessionId;
use crate::remote::Remote;
use crate::state::{Busy, Store};

/// What ending is for.
const WHY: &str = "end the session on the host";

/// Ends the tmux session and takes this machine out of the claim. Files stay. Was there a tmux session?
///
/// # Errors
/// The host was not reached, or tmux could not end it.
pub fn end(remote: &Remote, id: &str, machine: &str, notice: &dyn Fn(&str)) -> Result<bool> {
    let reply = remote.call(WHY, &END, &[id, machine, MOBILE.line()], notice)?;
    if reply.code != 0 {
        bail!("host `{}` could not end {id}: {}", remote.name(), reply.said.trim());
    }
    Ok(reply.need("tmux")? == "ended")
}

/// The command that ends it, for a dry run.
#[must_use]
pub fn end_cmd(remote: &Remote, id: &str, machine: &str) -> Cmd {
    remote.script_cmd(WHY, &END, &[id, machine, MOBILE.line()])
}

/// Finishes what was left to do on this host, now that it has been reached. Gives the ids. A session that another
/// `sinc` is busy with is left to that one; `held` is the one whose lock the caller holds.
///
/// # Errors
/// The memory of it cannot be read; a host that fails again is tried again the next time.
pub fn finish_pending(
    store: &Store,
    remote: &Remote,
    machine: &str,
    held: Option<&SessionId>,
    notice: &dyn Fn(&str),
) -> Result<Vec<String>> {
    let mut finished = Vec::new();
    for pending in store.pending()?.into_iter().filter(|pending| pending.host == remote.name()) {
        let _lock = match held {
            Some(id) if id.as_str() == pending.id => None,
            _ => match store.lock(&pending.id, &pending.host, Duration::ZERO, &mut || {}) {
                Ok(lock) => Some(lock),
                Err(error) if error.is::<Busy>() => continue,
                Err(error) => return Err(error),
            },
        };
        // Whoever had the lock before may have ended it, and begun anew.
        if !store.is_pending(&pending.id, &pending.host)? {
            continue;
        }
        match end(remote, &pending.id, machine, notice) {
            Ok(_) => {
                store.remove_pending(&pending.id, &pending.host)?;
                finished.push(pending.id);
            }
            Err(error) => tracing::warn!(id = pending.id, %error, "what was left to do failed again"),
        }
    }
    Ok(finished)
}

/// Shows a text in the status line of the session's terminals.
///
/// # Errors
/// The host was not reached.
pub fn show_message(remote: &Remote, id: &str, text: &str) -> Result<()> {
    // tmux takes `#` for the beginning of a format.
    remote.call("show a message in the session", &MESSAGE, &[id, &text.replace('#', "##")], &|_| {})?;
    Ok(())
}

/// Puts a short note into the status line of the session's terminals; an empty one takes it away. What the person has there
/// stays. Is there a terminal?
///
/// # Errors
/// The host was not reached.
pub fn set_status_note(remote: &Remote, id: &str, text: &str) -> Result<bool> {
    let text = text.replace('#', "##");
    let reply = remote.call("note it in the session's status line", &STATUS_NOTE, &[id, &text], &|_| {})?;
    Ok(reply.get("note") != Some("none"))
}
