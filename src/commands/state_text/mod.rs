//! The state of one session for a person: aligned keys, one fact a line, colour only on top.

use std::path::Path;

use super::held_words;
use super::paint::{Paint, Tone, ago, harmless, tilde};
use super::state_report::{Named, Report, SyncReport};
use crate::session::survey::AgentState;
use crate::tools::mutagen::is_lost_line;
use crate::ui::plural;

/// How wide the keys are.
const KEY: usize = 8;

/// How many paths of a kind are named.
const NAMED: usize = 5;

/// The lines of one session.
pub(super) fn lines(report: &Report, home: &Path, now: u64, paint: Paint) -> Vec<String> {
    let mut block = Block { lines: Vec::new(), paint };
    block.line("session", Tone::Strong, &report.id, &format!("on {}", report.host));
    sync(&mut block, &report.id, &report.sync, now);
    host(&mut block, report);
    block.line("local", Tone::Plain, &tilde(Path::new(&report.local), home), "");
    block.line("remote", Tone::Plain, &format!("{}:{}", report.host, harmless(&report.remote)), "");
    for other in &report.others {
        block.line("also", Tone::Plain, "", &format!("synced by {other}"));
    }
    block.line("link", Tone::Plain, &format!("{}, {}", report.transport, report.link), "");
    if let Some(git) = &report.git {
        let tone = if git == "in step" { Tone::Plain } else { Tone::Careful };
        let more = if git.starts_with("differs") { "; `sinc git` shows it" } else { "" };
        block.line("git", tone, &format!("{}{more}", harmless(git)), "");
    }
    for note in &report.notes {
        block.line("note", Tone::Careful, note, "");
    }
    block.lines
}

struct Block {
    lines: Vec<String>,
    paint: Paint,
}

impl Block {
    fn line(&mut self, key: &str, tone: Tone, value: &str, more: &str) {
        let key = self.paint.paint(Tone::Quiet, &format!("{key:<KEY$}"));
        let value = self.paint.paint(tone, value);
        let space = if value.is_empty() || more.is_empty() { "" } else { " " };
        self.lines.push(format!("{key}  {value}{space}{more}").trim_end().to_owned());
    }

    fn named(&mut self, all: &[Named], total: u64) {
        for Named { path, what, .. } in all.iter().take(NAMED) {
            let path = if path.is_empty() { "(the whole directory)".to_owned() } else { harmless(path) };
            self.line("", Tone::Plain, "", &format!("  {path}  {}", self.paint.paint(Tone::Quiet, what)));
        }
        let more = total.saturating_sub(all.len().min(NAMED) as u64);
        if more > 0 {
            self.line("", Tone::Plain, "", &format!("  and {more} more"));
        }
    }
}

/// The state in a few words, and how much a person should care.
fn words(sync: &SyncReport) -> (Tone, String) {
    let error = sync.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    match sync.state.as_str() {
        "synced" => (Tone::Good, "synced".to_owned()),
        "conflicts" => {
            let count = plural(sync.conflicts, "conflict", "conflicts");
            (Tone::Careful, format!("{count}, left alone on both sides; `sinc conflicts` shows them"))
        }
        "incomplete" => (Tone::Careful, "incomplete".to_owned()),
        "changing" => {
            (Tone::Good, "files are changing; all that was there when asked is on both sides".to_owned())
        }
        "held" => {
            let missing = sync.held.as_ref().map(held_words::missing).unwrap_or_default();
            (Tone::Bad, format!("held: {missing}; nothing is deleted until you decide"))
        }
        "paused" => (Tone::Careful, "paused; `sinc resume` goes on".to_owned()),
        "halted" => {
            let why = sync.halted.as_deref().unwrap_or("it waits for a person");
            (Tone::Bad, format!("halted: {why}; `sinc resume` says what can be done"))
        }
        "disconnected" if sync.waits_for_login => {
            (Tone::Bad, "waiting for your login; `sinc` logs in".to_owned())
        }
        "disconnected" => {
            let error = if is_lost_line(&error) { ": the line was lost" } else { &error };
            (Tone::Bad, format!("not connected; it goes on by itself when the host is reached{error}"))
        }
        "timed-out" => (Tone::Careful, format!("busy: no cycle was completed in the time allowed{error}")),
        "several" => (Tone::Bad, "several syncs run for this session; `sinc` sees to it".to_owned()),
        "none" if sync.off => (Tone::Plain, "none (mode none)".to_owned()),
        "none" => (Tone::Bad, "none; `sinc` makes it".to_owned()),
        "unknown" => (Tone::Careful, format!("not known{error}")),
        "watching" => (Tone::Plain, "watching for changes".to_owned()),
        "connecting" => (Tone::Careful, format!("connecting{error}")),
        other => (Tone::Plain, harmless(other)),
    }
}

fn sync(block: &mut Block, id: &str, sync: &SyncReport, now: u64) {
    let (tone, state) = words(sync);
    let mut facts = Vec::new();
    if let Some(pending @ 1..) = sync.pending {
        facts.push(format!("{} to go", plural(pending, "file", "files")));
    }
    if let Some(held) = &sync.held {
        facts.push(format!("held {}", ago(now.saturating_sub(held.since))));
    }
    if let Some(at) = sync.checked_at {
        facts.push(format!("last cycle {}", ago(now.saturating_sub(at))));
    }
    if sync.cycles > 0 {
        facts.push(plural(sync.cycles, "cycle", "cycles"));
    }
    let facts = if facts.is_empty() { String::new() } else { format!("({})", facts.join(", ")) };
    block.line("sync", tone, &state, &block.paint.paint(Tone::Quiet, &facts));
    if let Some(more) = &sync.more {
        block.line("", Tone::Plain, more, "");
    }
    if let Some(held) = &sync.held {
        for way in held_words::ways(held, id) {
            block.line("", Tone::Plain, "", &way);
        }
    }
    if sync.conflicts > 0 {
        if sync.state != "conflicts" {
            let count = plural(sync.conflicts, "conflict", "conflicts");
            block.line(
                "",
                Tone::Careful,
                &format!("{count}, left alone on both sides (`sinc conflicts`):"),
                "",
            );
        }
        block.named(&sync.conflicts_listed, sync.conflicts);
    }
    if sync.problems > 0 {
        let count = plural(sync.problems, "path stays", "paths stay");
        block.line("", Tone::Careful, &format!("{count} on one side:"), "");
        block.named(&sync.problems_listed, sync.problems);
    }
}

fn host(block: &mut Block, report: &Report) {
    if let Some(why) = &report.unreachable {
        block.line("host", Tone::Bad, "unreachable", &format!("({why})"));
        return;
    }
    let (Some(terminal), Some(agent)) = (&report.terminal, &report.agent) else {
        block.line("terminal", Tone::Careful, "not known", "");
        return;
    };
    match (terminal.exists, terminal.attached) {
        (false, _) => block.line("terminal", Tone::Careful, "none; `sinc` starts it", ""),
        (true, 0) => block.line("terminal", Tone::Plain, "detached", ""),
        (true, 1) => block.line("terminal", Tone::Plain, "attached", ""),
        (true, n) => block.line("terminal", Tone::Plain, "attached", &format!("{n} times")),
    }
    if terminal.exists {
        let name = harmless(agent.name.as_deref().unwrap_or_default());
        match agent.state {
            AgentState::Running => block.line("agent", Tone::Plain, &name, "running"),
            AgentState::Ended => block.line("agent", Tone::Careful, &name, "ended; a shell is in its place"),
            AgentState::Missing => {
                let how =
                    "was not installed when its terminal began, which says how; a shell is in its place";
                block.line("agent", Tone::Careful, &name, how);
            }
            AgentState::None => block.line("agent", Tone::Plain, "none", ""),
        }
    }
    if let Some(address) = &report.mobile {
        block.line("mobile", Tone::Plain, address, mobile_words(address));
    }
}

/// Of what is in no tailnet a phone knows no address.
fn mobile_words(address: &str) -> &'static str {
    if address.starts_with("http://127.0.0.1:") {
        "on the host, which is in no tailnet"
    } else {
        "(Agent-OS)"
    }
}

#[cfg(test)]
mod tests;
