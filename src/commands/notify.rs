//! Says that a session has conflicts, where the person looks: in its tmux status line, and on this computer's desktop.

use std::time::Duration;

use super::context::Context;
use super::paint::harmless;
use crate::process::Cmd;
use crate::remote::Remote;
use crate::session::ending::set_status_note;
use crate::state::{Noted, Record};
use crate::tools::mutagen::SyncSession;
use crate::ui::plural;

/// How long a desktop may take.
const DESKTOP_DEADLINE: Duration = Duration::from_secs(5);

/// The conflicts of a sync, as a person is told of them.
pub fn noted(sync: &SyncSession) -> Noted {
    let count = sync.conflict_count();
    let mut paths: Vec<String> = sync.conflicts.iter().map(|conflict| conflict.root.clone()).collect();
    paths.sort();
    if paths.len() as u64 != count {
        paths.clear();
    }
    Noted { count, paths }
}

/// Says which conflicts a session has now, if that is news; none takes the note away again. The desktop only hears of new
/// ones. That it could not be said is no reason to stop. Is it known now?
pub fn conflicts(ctx: &Context, remote: &Remote, record: &Record, now: &Noted) -> bool {
    let before = || ctx.store.noted_conflicts(&record.id, &record.host);
    if before() == *now || ctx.runner.is_dry_run() {
        return true;
    }
    // The link and a command may have seen the same.
    let Ok(_lock) = ctx.store.lock_noted(&record.id, &record.host) else { return false };
    let before = before();
    let shown = plural(now.count, "conflict", "conflicts");
    if before.count != now.count {
        let text = if now.count == 0 { String::new() } else { format!("{shown}: sinc conflicts") };
        if let Err(error) = set_status_note(remote, &record.id, &text) {
            tracing::debug!(%error, "the status line could not be set");
            return false;
        }
    }
    ctx.store.note_conflicts(&record.id, &record.host, now);
    if now.has_more_than(&before) && ctx.config().is_ok_and(|config| config.notify.value) {
        let name = record.local.file_name().unwrap_or_default().to_string_lossy();
        let title = format!("sinc: {shown} in {}", harmless(&name));
        let body = format!(
            "changed here and on {}, left alone on both sides: `sinc conflicts` shows them",
            record.host
        );
        if let Err(error) = ctx.runner.answer(&desktop(&title, &body)) {
            tracing::debug!(%error, "the desktop could not be told");
        }
    }
    true
}

/// Says on the desktop that a branch was moved on both sides.
pub fn differs(ctx: &Context, record: &Record, names: &str) {
    if !ctx.config().is_ok_and(|config| config.notify.value) {
        return;
    }
    let name = record.local.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("sinc: {} moved on both sides in {}", harmless(names), harmless(&name));
    let body = format!("here and on {}, left alone on both: `sinc git join` brings it together", record.host);
    if let Err(error) = ctx.runner.answer(&desktop(&title, &body)) {
        tracing::debug!(%error, "the desktop could not be told");
    }
}

/// The command that shows a notification on the desktop.
fn desktop(title: &str, body: &str) -> Cmd {
    let cmd = if cfg!(target_os = "macos") {
        // The texts are arguments: none is read as a script.
        let script =
            ["on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run"];
        script.iter().fold(Cmd::new("osascript", "show a notification"), |cmd, line| cmd.arg("-e").arg(*line))
    } else {
        Cmd::new("notify-send", "show a notification").args(["--app-name=sinc", "--"])
    };
    cmd.arg(title).arg(body).deadline(DESKTOP_DEADLINE)
}
