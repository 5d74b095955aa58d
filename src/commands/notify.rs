//! Says that a session has conflicts, is held, or is not synced, where the person looks: in its tmux status line, and on this computer's desktop.

use std::time::Duration;

use super::context::Context;
use super::held_words;
use super::paint::harmless;
use crate::process::Cmd;
use crate::remote::Remote;
use crate::session::ending::set_status_note;
use crate::state::{Held, Noted, Record};
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
    Noted { count, paths, ..Noted::default() }
}

/// Says which conflicts a session has now, if that is news; none takes the note away again, unless it is held. The desktop
/// only hears of new ones. That it could not be said is no reason to stop. Is it known now? (Not while the session has no
/// terminal that shows it.)
pub fn conflicts(ctx: &Context, remote: &Remote, record: &Record, now: &Noted) -> bool {
    tell(ctx, remote, record, &|before| Noted { failing: before.failing, ..now.clone() }, &Why::default())
}

/// Says that a session is held, if that is news.
pub fn held(ctx: &Context, remote: &Remote, record: &Record, held: &Held) {
    tell(ctx, remote, record, &Noted::clone, &Why { held: Some(held), failing: None });
}

/// Says why a session is not synced, or not all of it, or that this is over, if that is news. Is it noted?
pub fn not_synced(ctx: &Context, remote: &Remote, record: &Record, why: Option<&str>) -> bool {
    let now = |before: &Noted| Noted { failing: why.is_some(), ..before.clone() };
    tell(ctx, remote, record, &now, &Why { held: None, failing: why });
    ctx.store.noted_conflicts(&record.id, &record.host).failing == why.is_some()
}

/// What the desktop hears.
#[derive(Default)]
struct Why<'a> {
    held: Option<&'a Held>,
    failing: Option<&'a str>,
}

fn tell(
    ctx: &Context,
    remote: &Remote,
    record: &Record,
    becomes: &dyn Fn(&Noted) -> Noted,
    why: &Why<'_>,
) -> bool {
    let noted_held = ctx.store.held(&record.id, &record.host).ok().flatten();
    let held = why.held.or(noted_held.as_ref());
    let before = || ctx.store.noted_conflicts(&record.id, &record.host);
    let now = |before: &Noted| Noted { held: held.is_some(), unshown: false, ..becomes(before) };
    let known = before();
    if known == now(&known) || ctx.runner.is_dry_run() {
        return true;
    }
    // The link and a command may have seen the same.
    let Ok(_lock) = ctx.store.lock_noted(&record.id, &record.host) else { return false };
    let before = before();
    let mut now = now(&before);
    let shown = plural(now.count, "conflict", "conflicts");
    if before.unshown || (before.count, before.held, before.failing) != (now.count, now.held, now.failing) {
        let Some(unshown) = is_unshown(remote, record, &now) else { return false };
        now.unshown = unshown;
    }
    ctx.store.note_conflicts(&record.id, &record.host, &now);
    let name = record.local.file_name().unwrap_or_default().to_string_lossy();
    let name = harmless(&name);
    if let Some(held) = held.filter(|_| !before.held) {
        let body = format!(
            "{}: nothing is deleted, and nothing synced, until you decide: `sinc status` says how",
            held_words::missing(held)
        );
        notify(ctx, &format!("sinc: the sync of {name} is held"), &body);
    }
    if let Some(failing) = why.failing.filter(|_| !before.failing) {
        let body = format!("{}: `sinc status` says more", harmless(failing));
        notify(ctx, &format!("sinc: not all of {name} is synced"), &body);
    }
    if now.has_more_than(&before) {
        let body = format!(
            "changed here and on {}, left alone on both sides: `sinc conflicts` shows them",
            record.host
        );
        notify(ctx, &format!("sinc: {shown} in {name}"), &body);
    }
    !now.unshown
}

/// Says what was told of the session in its status line again: its terminal may have been made anew, and shows nothing then.
/// The desktop has heard of it.
pub fn again(ctx: &Context, remote: &Remote, record: &Record) {
    let noted = || ctx.store.noted_conflicts(&record.id, &record.host);
    if noted() == Noted::default() || ctx.runner.is_dry_run() {
        return;
    }
    let Ok(_lock) = ctx.store.lock_noted(&record.id, &record.host) else { return };
    let noted = noted();
    if let Some(unshown) = is_unshown(remote, record, &noted) {
        ctx.store.note_conflicts(&record.id, &record.host, &Noted { unshown, ..noted });
    }
}

/// Sets the session's status line to this. Was there something to show, and no terminal for it? Nothing where that is not known.
fn is_unshown(remote: &Remote, record: &Record, now: &Noted) -> Option<bool> {
    let text = match (now.held, now.failing, now.count) {
        (true, ..) => "sync held: sinc status".to_owned(),
        (false, true, _) => "not synced: sinc status".to_owned(),
        (false, false, 0) => String::new(),
        (false, false, _) => format!("{}: sinc conflicts", plural(now.count, "conflict", "conflicts")),
    };
    let shown = set_status_note(remote, &record.id, &text)
        .inspect_err(|error| tracing::debug!(%error, "the status line could not be set"));
    shown.ok().map(|shown| !shown && !text.is_empty())
}

/// Says on the desktop that a session's sync is paused, because its directory on the host is not the session's any more. Who
/// finds that out tells it once ([`super::link::is_news`]).
pub fn gone(ctx: &Context, record: &Record) {
    let name = record.local.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("sinc: the sync of {} is paused", harmless(&name));
    let body = format!(
        "its directory on {} is not its own any more: nothing is synced until you decide, and `sinc` says what can be done",
        record.host
    );
    notify(ctx, &title, &body);
}

/// Says on the desktop that a branch was moved on both sides.
pub fn differs(ctx: &Context, record: &Record, names: &str) {
    let name = record.local.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("sinc: {} moved on both sides in {}", harmless(names), harmless(&name));
    let body = format!("here and on {}, left alone on both: `sinc git join` brings it together", record.host);
    notify(ctx, &title, &body);
}

/// Says on the desktop that branches are held, because the host deletes or sets back many at once.
pub fn held_branches(ctx: &Context, record: &Record, names: &str) {
    let name = record.local.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("sinc: {} are held in {}", harmless(names), harmless(&name));
    let body = format!(
        "{} deletes or sets back many branches at once: they stay here until you decide: `sinc git` says how",
        record.host
    );
    notify(ctx, &title, &body);
}

/// Shows it on the desktop, if the person has not turned that off.
fn notify(ctx: &Context, title: &str, body: &str) {
    if !ctx.config().is_ok_and(|config| config.notify.value) {
        return;
    }
    if let Err(error) = ctx.runner.answer(&desktop(title, body)) {
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
