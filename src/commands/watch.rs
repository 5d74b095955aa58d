//! `sinc status --watch`: keeps the state on the screen. Mutagen tells of each change by itself; the hosts are asked
//! every few seconds. Ends on Ctrl-C.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Result;

use super::ask::{self, HostAnswer};
use super::context::Context;
use super::paint::{Paint, Tone, utc};
use super::state_report::{Report, SyncReport, SyncSeen};
use super::status::{self, Subject};
use super::{mutagen, now, state_text};
use crate::config::Host;
use crate::process::interrupted;
use crate::session::sync;
use crate::state::{Held, host_word};
use crate::tools::mutagen::{Checked, CycleResult, Mutagen, Phase, SyncSession};

/// How often the hosts are asked, once they have answered.
const SURVEY_EVERY: Duration = Duration::from_secs(3);

/// How long a host may take: after that it is shown as unreachable, and asked again.
const SURVEY_DEADLINE: Duration = Duration::from_secs(6);

/// How long one `mutagen sync monitor` runs before the next one: it must not be left behind for long if sinc is
/// killed.
const MONITOR_FOR: Duration = Duration::from_secs(600);

/// How long to wait for a sync that is not there, or a daemon that went away.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

enum Event {
    Sync(usize, SyncSeen),
    Hosts(BTreeMap<String, HostAnswer>),
}

/// What is known of one session's sync.
struct Watched {
    seen: SyncSeen,
    cycles: Option<u64>,
    /// When a completed cycle was seen; since we watch, it also proves the state.
    at: Option<u64>,
    proven: bool,
}

/// Runs it until a signal comes, or nobody reads any more.
///
/// # Errors
/// A signal came.
pub(super) fn run(ctx: &Context, subjects: &[Subject], cycle: bool) -> Result<i32> {
    let hosts: BTreeMap<String, Host> =
        subjects.iter().map(|subject| (subject.host.name.clone(), subject.host.clone())).collect();
    let (events, inbox) = channel();
    std::thread::scope(|scope| {
        let mut stops = Vec::new();
        let mut stop = || {
            let (sender, receiver) = channel();
            stops.push(sender);
            receiver
        };
        let (to, stopped) = (events.clone(), stop());
        scope.spawn(move || watch_hosts(ctx, &hosts, &to, &stopped));
        let mut watched: Vec<Watched> = subjects.iter().map(|subject| Watched::start(ctx, subject)).collect();
        for (index, seen) in status::syncs(ctx, subjects, cycle).into_iter().enumerate() {
            watched[index].note(seen);
        }
        if let Ok(mutagen) = mutagen::present(ctx) {
            let synced = subjects.iter().enumerate().filter(|(_, subject)| !subject.record.no_sync);
            for (index, subject) in synced {
                let (to, stopped, mutagen) = (events.clone(), stop(), mutagen.clone());
                scope.spawn(move || watch_sync(ctx, &mutagen, index, subject, &to, &stopped));
            }
        }
        let ended = show(ctx, subjects, cycle, &mut watched, &inbox);
        drop(stops);
        if ended.is_ok() {
            // Nobody reads any more: what still runs for us is ended as by a signal.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
        }
        ended
    })
}

/// Draws after each event, and every second, because times go on.
fn show(
    ctx: &Context,
    subjects: &[Subject],
    cycle: bool,
    watched: &mut [Watched],
    inbox: &Receiver<Event>,
) -> Result<i32> {
    let mut screen = Screen::new(ctx);
    let mut answers = BTreeMap::new();
    loop {
        interrupted()?;
        let reports: Vec<Report> = subjects
            .iter()
            .zip(watched.iter())
            .map(|(subject, watched)| {
                let held = status::held(ctx, &subject.record);
                status::report(ctx, subject, watched.report(cycle, held), answers.get(&subject.host.name))
            })
            .collect();
        if !screen.draw(ctx, &reports) {
            return Ok(0);
        }
        match inbox.recv_timeout(Duration::from_secs(1)) {
            Ok(Event::Sync(index, seen)) => watched[index].note(seen),
            Ok(Event::Hosts(new)) => answers = new,
            Err(RecvTimeoutError::Timeout) => {}
            // Both kinds of watchers have ended: a signal came.
            Err(RecvTimeoutError::Disconnected) => interrupted()?,
        }
    }
}

impl Watched {
    fn start(ctx: &Context, subject: &Subject) -> Self {
        Self {
            seen: SyncSeen::Listed(Vec::new()),
            cycles: None,
            at: ctx.store.last_checked(&subject.record.id, &subject.record.host),
            proven: false,
        }
    }

    fn note(&mut self, seen: SyncSeen) {
        let (session, completed) = match &seen {
            SyncSeen::Checked(all) => {
                let first = all.first();
                let completed = first.is_some_and(|first| super::state_report::is_completed(&first.result));
                (first.map(|first| &first.session), completed)
            }
            SyncSeen::Listed(all) => (all.first(), false),
            SyncSeen::Unknown(_) | SyncSeen::Off => (None, false),
        };
        let cycles = session.map(|session| session.successful_cycles);
        // The count begins anew when the connection does.
        let moved = self.cycles.is_some() && cycles != self.cycles && cycles.is_some_and(|cycles| cycles > 0);
        if completed || moved {
            self.at = Some(now());
            self.proven = true;
        }
        self.cycles = cycles;
        self.seen = seen;
    }

    /// A cycle that was completed while we watched proves what the session shows now.
    fn report(&self, cycle: bool, held: Option<Held>) -> SyncReport {
        let seen = match &self.seen {
            SyncSeen::Listed(all) if self.proven && cycle => match &all[..] {
                [session] => match proof(session) {
                    Some(result) => SyncSeen::Checked(vec![Checked { result, session: session.clone() }]),
                    None => self.seen.clone(),
                },
                _ => self.seen.clone(),
            },
            seen => seen.clone(),
        };
        let mut sync = SyncReport::new(&seen, held, self.at, now());
        sync.checked_at = self.at;
        sync
    }
}

fn proof(session: &SyncSession) -> Option<CycleResult> {
    if session.in_sync() {
        return Some(CycleResult::Equal);
    }
    if !session.is_connected() || session.progress().phase != Phase::Watching {
        return None;
    }
    match (session.conflict_count(), session.problem_count()) {
        (0, 0) => None,
        (0, count) => Some(CycleResult::Problems { count, listed: session.problems() }),
        (count, _) => Some(CycleResult::Conflicts(count)),
    }
}

fn watch_hosts(ctx: &Context, hosts: &BTreeMap<String, Host>, to: &Sender<Event>, stop: &Receiver<()>) {
    loop {
        let answers = ask::hosts(ctx, hosts, Some(SURVEY_DEADLINE));
        if to.send(Event::Hosts(answers)).is_err() || is_stopped(stop, SURVEY_EVERY) {
            return;
        }
    }
}

/// Waits; was it told to stop meanwhile?
fn is_stopped(stop: &Receiver<()>, after: Duration) -> bool {
    interrupted().is_err() || stop.recv_timeout(after) == Err(RecvTimeoutError::Disconnected)
}

/// Passes on each state of a session's sync. When its sync goes away it waits for another one.
fn watch_sync(
    ctx: &Context,
    mutagen: &Mutagen,
    index: usize,
    subject: &Subject,
    to: &Sender<Event>,
    stop: &Receiver<()>,
) {
    let word = host_word(&subject.record.host);
    loop {
        let seen = match sync::find(mutagen, &subject.record.id, &word) {
            Ok(all) => SyncSeen::Listed(all),
            Err(error) => SyncSeen::Unknown(error.to_string()),
        };
        let one = match &seen {
            SyncSeen::Listed(all) if all.len() == 1 => Some(all[0].identifier.clone()),
            _ => None,
        };
        if to.send(Event::Sync(index, seen)).is_err() {
            return;
        }
        if let Some(identifier) = one {
            let cmd = mutagen.monitor_cmd(&identifier, MONITOR_FOR);
            let ended = ctx.runner.lines(&cmd, &mut |line| {
                // There are empty lines between the arrays.
                match SyncSession::parse_list(if line.trim().is_empty() { "null" } else { line }) {
                    Ok(all) if all.is_empty() => ControlFlow::Continue(()),
                    Ok(all) => match to.send(Event::Sync(index, SyncSeen::Listed(all))) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    },
                    Err(_) => ControlFlow::Break(()),
                }
            });
            tracing::debug!(?ended, "watching the sync ended");
        }
        if is_stopped(stop, AGAIN_AFTER) {
            return;
        }
    }
}

/// Where it is drawn: over itself on a terminal; elsewhere a new block when something has changed.
struct Screen {
    terminal: bool,
    paint: Paint,
    height: usize,
    last: String,
}

impl Screen {
    fn new(ctx: &Context) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { terminal, paint: Paint::for_stdout(ctx), height: 0, last: String::new() }
    }

    /// Draws; does anybody still read?
    fn draw(&mut self, ctx: &Context, reports: &[Report]) -> bool {
        let home = ctx.environment.home();
        let blocks: Vec<String> = reports
            .iter()
            .map(|report| state_text::lines(report, home, now(), self.paint).join("\n"))
            .collect();
        let text = blocks.join("\n\n");
        let drawn = if self.terminal { self.over(&text) } else { self.below(reports, &text) };
        !drawn.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    fn over(&mut self, text: &str) -> std::io::Result<()> {
        if text == self.last {
            return Ok(());
        }
        let rows = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or(24, |size| size.ws_row);
        let room = usize::from(rows).saturating_sub(2).max(1);
        let mut lines: Vec<&str> = text.lines().take(room).collect();
        let hint = self.paint.paint(Tone::Quiet, "Ctrl-C ends this");
        lines.push(&hint);
        let up = if self.height > 0 { format!("\x1b[{}F", self.height) } else { String::new() };
        // No line wraps, so that we know how many there are; the terminal is as before after each frame.
        let frame = format!("{up}\x1b[J\x1b[?7l{}\n\x1b[?7h", lines.join("\n"));
        self.height = lines.len();
        text.clone_into(&mut self.last);
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(frame.as_bytes()).and_then(|()| stdout.flush())
    }

    fn below(&mut self, reports: &[Report], text: &str) -> std::io::Result<()> {
        let mut still: Vec<Report> = reports.to_vec();
        for report in &mut still {
            report.sync.checked_at = None;
            report.sync.cycles = 0;
        }
        let key = serde_json::to_string(&still).unwrap_or_default();
        if key == self.last {
            return Ok(());
        }
        self.last = key;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{} UTC\n{text}\n", utc(now())).and_then(|()| stdout.flush())
    }
}
