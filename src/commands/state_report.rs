//! The state of one session as data: what `status` and `--no-attach` show, and what `--json` prints.

use serde::Serialize;

use super::ask::HostAnswer;
use super::mode_words;
use super::paint::harmless;
use crate::config::{Host, Transport};
use crate::remote::{Why, classify};
use crate::session::survey::{AgentState, HostSession, Marker};
use crate::state::{Held, Record};
use crate::tools::mutagen::{Checked, CycleResult, Phase, ProblemStage, Status, SyncSession};

/// `status`, field by field as docs/cli.md describes it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub id: String,
    pub host: String,
    pub local: String,
    pub remote: String,
    pub sync: SyncReport,
    /// None when the host could not be asked.
    pub terminal: Option<TerminalReport>,
    /// None when the host could not be asked.
    pub agent: Option<AgentReport>,
    /// Where Agent-OS shows it, for a phone.
    pub mobile: Option<String>,
    pub transport: String,
    /// How changes are noticed.
    pub link: String,
    /// How git on both sides does, where it is shared.
    pub git: Option<String>,
    /// Why the host could not be asked.
    pub unreachable: Option<String>,
    /// Other computers that sync with the same directory, as "name path".
    pub others: Vec<String>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// The sync's part of a report.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SyncReport {
    /// See [`state`].
    pub state: String,
    /// When a completed cycle was seen last, seconds since 1970.
    pub checked_at: Option<u64>,
    pub cycles: u64,
    /// Changes that wait to be brought over, where that is known.
    pub pending: Option<u64>,
    pub conflicts: u64,
    pub problems: u64,
    /// What happened to make it stop.
    pub halted: Option<String>,
    /// Why it is held.
    pub held: Option<Held>,
    /// Its last error, or why nothing is known.
    pub error: Option<String>,
    /// Up to ten conflicts.
    pub conflicts_listed: Vec<Named>,
    /// Up to forty problems.
    pub problems_listed: Vec<Named>,
    /// A login on the host asks a person, and the sync has none.
    #[serde(skip)]
    pub waits_for_login: bool,
    /// There is to be none: the mode is `none`.
    #[serde(skip)]
    pub off: bool,
    /// What the receiving side has more, where that is as it should be.
    #[serde(skip)]
    pub more: Option<String>,
}

/// A path that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Named {
    /// The path; empty for the directory itself.
    pub path: String,
    /// What it is about.
    pub what: String,
    /// Why it cannot be synced, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// The tmux session's part of a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct TerminalReport {
    pub exists: bool,
    /// How many terminals are attached.
    pub attached: u64,
}

/// The agent's part of a report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AgentReport {
    pub name: Option<String>,
    pub state: AgentState,
}

/// What Mutagen said of a session's sync.
#[derive(Clone, Debug)]
pub(super) enum SyncSeen {
    /// It could not be asked.
    Unknown(String),
    /// A cycle was asked for: what it came to, for each of the session's syncs (one, if all is well).
    Checked(Vec<Checked>),
    /// No cycle was asked for.
    Listed(Vec<SyncSession>),
    /// There is none, and is to be none.
    Off,
}

impl SyncReport {
    /// `held` is why the session is held; `noted` is when a completed cycle was seen before now.
    pub(super) fn new(seen: &SyncSeen, held: Option<Held>, noted: Option<u64>, now: u64) -> Self {
        let (all, session, result) = match seen {
            SyncSeen::Unknown(why) => {
                let error = Some(harmless(why.lines().next().unwrap_or_default()));
                let state = "unknown".to_owned();
                return Self { state, held, checked_at: noted, error, ..Self::default() };
            }
            SyncSeen::Checked(all) => {
                let first = all.first();
                (all.len(), first.map(|checked| &checked.session), first.map(|checked| &checked.result))
            }
            SyncSeen::Listed(all) => (all.len(), all.first(), None),
            SyncSeen::Off => return Self { state: "none".to_owned(), off: true, ..Self::default() },
        };
        let Some(session) = session else {
            return Self { state: "none".to_owned(), held, checked_at: noted, ..Self::default() };
        };
        let completed = result.is_some_and(is_completed);
        let error = match result {
            Some(CycleResult::Disconnected(Some(error))) => Some(error.as_str()),
            _ => Some(session.last_error.as_str()),
        };
        let error = error.filter(|error| !error.is_empty());
        Self {
            state: match held {
                _ if all > 1 => "several".to_owned(),
                Some(_) => "held".to_owned(),
                None => state(session, result),
            },
            checked_at: if completed { Some(now) } else { noted },
            cycles: session.successful_cycles,
            pending: pending(session, result),
            conflicts: session.conflict_count(),
            problems: session.problem_count(),
            held,
            halted: session.halt().map(|halt| halt.to_string()),
            error: error.map(harmless),
            conflicts_listed: conflicts(session),
            problems_listed: problems(session),
            off: false,
            more: mode_words::more(session),
            waits_for_login: error.is_some_and(|error| classify(error) == Why::LoginRefused),
        }
    }
}

/// Did a cycle go through from its begin to its end?
pub(super) fn is_completed(result: &CycleResult) -> bool {
    matches!(
        result,
        CycleResult::Equal
            | CycleResult::Conflicts(_)
            | CycleResult::Problems { .. }
            | CycleResult::StillChanging
    )
}

/// The state in a word: what the cycle that was asked for came to, or else what Mutagen is doing.
fn state(session: &SyncSession, result: Option<&CycleResult>) -> String {
    let word = match result {
        Some(CycleResult::Equal) => "synced",
        Some(CycleResult::Conflicts(_)) => "conflicts",
        Some(CycleResult::Problems { .. }) => "incomplete",
        Some(CycleResult::StillChanging) => "changing",
        Some(CycleResult::Halted(_)) => "halted",
        Some(CycleResult::Paused) => "paused",
        Some(CycleResult::Disconnected(_)) => "disconnected",
        Some(CycleResult::TimedOut { .. }) => "timed-out",
        Some(CycleResult::WouldRun) | None => return doing(session),
    };
    word.to_owned()
}

/// What Mutagen is doing; a word of its own where a later version has one.
pub(super) fn doing(session: &SyncSession) -> String {
    let word = match (session.progress().phase, &session.status) {
        (Phase::Comparing, Status::Other(word)) if word.is_empty() => "unknown",
        (Phase::Comparing, Status::Other(word)) => return harmless(word),
        (Phase::Paused, _) => "paused",
        (Phase::Halted, _) => "halted",
        (Phase::Connecting, _) => "connecting",
        (Phase::Scanning, _) => "scanning",
        (Phase::Comparing, _) => "comparing",
        (Phase::Sending, _) => "sending",
        (Phase::Applying, _) => "applying",
        (Phase::Watching, _) => "watching",
    };
    word.to_owned()
}

fn pending(session: &SyncSession, result: Option<&CycleResult>) -> Option<u64> {
    match result {
        Some(CycleResult::Equal | CycleResult::Conflicts(_)) => Some(0),
        Some(CycleResult::Problems { listed, .. })
            if listed.iter().all(|problem| problem.stage == ProblemStage::Scan) =>
        {
            Some(0)
        }
        _ => {
            let progress = session.progress();
            progress.files_total.map(|total| total.saturating_sub(progress.files))
        }
    }
}

fn conflicts(session: &SyncSession) -> Vec<Named> {
    let named = |conflict: &crate::tools::mutagen::Conflict| Named {
        path: conflict.root.clone(),
        what: conflict.kind(session).to_string(),
        reason: None,
    };
    session.conflicts.iter().map(named).collect()
}

fn problems(session: &SyncSession) -> Vec<Named> {
    let named = |problem: crate::tools::mutagen::Problem| {
        let what = format!("{}: {}", problem.side, harmless(&super::first_cycle::why(&problem)));
        Named { reason: Some(problem.reason().word()), path: problem.path, what }
    };
    session.problems().into_iter().map(named).collect()
}

impl Report {
    /// What is known of a session, from this computer's record, Mutagen, and the host.
    /// `machine` is this computer's id, as claims have it.
    pub(super) fn new(
        record: &Record,
        host: &Host,
        sync: SyncReport,
        answer: Option<&HostAnswer>,
        machine: &str,
        link: String,
    ) -> Self {
        let survey = answer.and_then(|answer| answer.survey.as_ref().ok());
        let there = survey.map(|survey| survey.sessions.get(&record.id).cloned().unwrap_or_default());
        let trouble = survey.and_then(|survey| survey.trouble.as_deref());
        let mut notes = Vec::new();
        if !record.local.is_dir() {
            notes.push("the directory here is gone".to_owned());
        }
        if let Some(there) = &there {
            notes.extend(place_note(record, there));
        }
        if let Some(trouble) = trouble {
            notes.push(format!("tmux on the host could not be asked: {}", harmless(trouble)));
        }
        let terminal = there.as_ref().filter(|_| trouble.is_none());
        Self {
            id: record.id.clone(),
            host: record.host.clone(),
            local: record.local.to_string_lossy().into_owned(),
            remote: record.remote.clone(),
            sync,
            terminal: terminal.map(|there| TerminalReport {
                exists: there.attached.is_some(),
                attached: there.attached.unwrap_or(0),
            }),
            agent: terminal.map(|there| AgentReport { name: there.agent.clone(), state: there.agent_state }),
            mobile: there.as_ref().and_then(|there| there.mobile.as_deref()).map(harmless),
            transport: match host.transport.value {
                Transport::Et => "et",
                _ => "ssh",
            }
            .to_owned(),
            link,
            git: None,
            unreachable: answer.and_then(HostAnswer::unreachable),
            others: match &there {
                Some(there) => there.others(machine).map(harmless).collect(),
                None => record.others.iter().map(|other| harmless(other)).collect(),
            },
            notes,
        }
    }
}

/// Is the session's directory on the host not what it should be?
pub(super) fn place_note(record: &Record, there: &HostSession) -> Option<String> {
    let text = match (&there.directory, there.marker) {
        (None, _) => "the host does not know this session: `sinc` says what can be done",
        (Some(_), Marker::Gone) => "its directory on the host is gone: `sinc` looks for it",
        (Some(_), Marker::Missing) => {
            "its directory on the host has lost its marker: `sinc` says what can be done"
        }
        (Some(directory), Marker::Right) if *directory != record.remote => {
            "its directory on the host is another one now: `sinc` follows it"
        }
        (Some(_), Marker::Right) => return None,
    };
    Some(text.to_owned())
}
