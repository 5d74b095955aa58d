//! All sessions that anybody knows of, joined by id and host: this computer's records, Mutagen's syncs, and what each
//! host said. Pure: nothing is asked here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::held_words;
use super::paint::harmless;
use super::state_report::{AgentReport, TerminalReport, doing, place_note};
use crate::session::survey::{HostSession, Marker, Survey};
use crate::state::{Held, Record, host_word};
use crate::tools::mutagen::{LABEL_HOST, LABEL_ID, SyncSession};

/// What is known, before it is joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub records: &'a [Record],
    /// None when Mutagen could not be asked.
    pub syncs: Option<&'a [SyncSession]>,
    /// What the hosts said that were reached, by name.
    pub surveys: &'a BTreeMap<String, Survey>,
    /// The names of hosts, by their words in Mutagen's labels.
    pub words: &'a BTreeMap<String, String>,
    /// This computer, as claims name it.
    pub machine: &'a str,
}

/// Why a session is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Orphan {
    /// Only other computers have it.
    OtherComputer,
    /// A terminal on the host that no computer has claimed.
    TerminalOnly,
    /// The host has it as this computer's, which does not know it.
    NoRecord,
    /// A sync that runs without a session.
    SyncOnly,
    /// A session without a sync.
    NoSync,
    /// Its host does not know it.
    NoClaim,
    /// Its directory on the host is gone, or is not known to be its own.
    DirectoryGone,
}

/// The sync of a session, in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SyncCell {
    /// What Mutagen is doing, `none`, `several`, or `unknown` when it could not be asked.
    pub state: String,
    pub conflicts: u64,
    pub problems: u64,
    /// Why it is held.
    pub held: Option<Held>,
    /// There is to be none: the mode is `none`.
    #[serde(skip)]
    pub off: bool,
}

/// One session.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub id: String,
    pub host: String,
    pub local: Option<String>,
    pub remote: Option<String>,
    pub sync: SyncCell,
    pub terminal: Option<TerminalReport>,
    pub agent: Option<AgentReport>,
    /// Where Agent-OS shows it, for a phone.
    pub mobile: Option<String>,
    pub orphan: Option<Orphan>,
    /// Other computers that have it, as "name path".
    pub others: Vec<String>,
    pub notes: Vec<String>,
}

/// All sessions, by id and host.
pub(super) fn join(known: &Known) -> Vec<Row> {
    let mut keys: BTreeSet<(String, String)> =
        known.records.iter().map(|record| (record.id.clone(), record.host.clone())).collect();
    for sync in known.syncs.unwrap_or_default() {
        if let (Some(id), Some(word)) = (sync.label(LABEL_ID), sync.label(LABEL_HOST)) {
            let host = known.words.get(word).map_or(word, String::as_str);
            keys.insert((id.to_owned(), host.to_owned()));
        }
    }
    for (host, survey) in known.surveys {
        let alive = survey.sessions.iter().filter(|(_, session)| session.is_alive());
        keys.extend(alive.map(|(id, _)| (id.clone(), host.clone())));
    }
    keys.iter().map(|(id, host)| row(known, id, host)).collect()
}

/// One row; `host` is a name, or a word that no name is known for.
fn row(known: &Known, id: &str, host: &str) -> Row {
    let record = known.records.iter().find(|record| record.id == id && record.host == host);
    let word = host_word(host);
    let is_its = |sync: &&SyncSession| {
        sync.label(LABEL_ID) == Some(id) && sync.label(LABEL_HOST).is_some_and(|it| it == word || it == host)
    };
    let syncs: Option<Vec<&SyncSession>> = known.syncs.map(|all| all.iter().filter(is_its).collect());
    let first = syncs.as_ref().and_then(|syncs| syncs.first());
    let survey = known.surveys.get(host);
    let there = survey.and_then(|survey| survey.sessions.get(id));
    // A claim that all computers have left is only the memory of a directory, unless we are about to use it again.
    let there = there.filter(|there| there.is_alive() || record.is_some());
    let (orphan, mut notes) = orphan(known, record, syncs.as_deref(), survey, there);
    let mine = there.and_then(|there| there.machines.iter().find(|(id, _)| id == known.machine));
    let claimed = mine.and_then(|(_, rest)| rest.split_once(' ')).map(|(_, path)| harmless(path));
    if let Some(record) = record
        && !record.local.is_dir()
    {
        notes.push("the directory here is gone".to_owned());
    }
    if let Some(held) = record.and_then(|record| record.held.as_ref()) {
        notes.push(format!("{}: `sinc status {id}` says what leads out", held_words::missing(held)));
    }
    // Without a survey nothing is known; in one, what is not there does not exist.
    let asked = survey.filter(|survey| survey.trouble.is_none());
    let local = match record {
        Some(record) => Some(record.local.to_string_lossy().into_owned()),
        None => first.map(|sync| sync.local().path.clone()).or(claimed),
    };
    let remote = match record {
        Some(record) => Some(record.remote.clone()),
        None => there
            .and_then(|there| there.directory.clone())
            .or_else(|| first.map(|sync| sync.remote().path.clone())),
    };
    Row {
        id: id.to_owned(),
        host: host.to_owned(),
        local,
        remote,
        sync: sync_cell(syncs.as_deref(), record),
        terminal: asked.map(|_| TerminalReport {
            exists: there.is_some_and(|there| there.attached.is_some()),
            attached: there.and_then(|there| there.attached).unwrap_or(0),
        }),
        agent: asked.map(|_| AgentReport {
            name: there.and_then(|there| there.agent.clone()),
            state: there.map(|there| there.agent_state).unwrap_or_default(),
        }),
        mobile: there.and_then(|there| there.mobile.as_deref()).map(harmless),
        orphan,
        others: there.map(|there| there.others(known.machine).map(harmless).collect()).unwrap_or_default(),
        notes,
    }
}

fn sync_cell(syncs: Option<&[&SyncSession]>, record: Option<&Record>) -> SyncCell {
    let held = record.and_then(|record| record.held);
    let off = record.is_some_and(|record| record.no_sync);
    let state = match syncs {
        None | Some([]) if off => "none".to_owned(),
        None => "unknown".to_owned(),
        Some([]) => "none".to_owned(),
        Some([_]) if held.is_some() => "held".to_owned(),
        Some([sync]) => doing(sync),
        Some(_) => "several".to_owned(),
    };
    let first = syncs.and_then(|syncs| syncs.first());
    SyncCell {
        state,
        conflicts: first.map_or(0, |sync| sync.conflict_count()),
        problems: first.map_or(0, |sync| sync.problem_count()),
        held,
        off,
    }
}

/// What is missing, and how to say it.
fn orphan(
    known: &Known,
    record: Option<&Record>,
    syncs: Option<&[&SyncSession]>,
    survey: Option<&Survey>,
    there: Option<&HostSession>,
) -> (Option<Orphan>, Vec<String>) {
    let has_sync = syncs.is_some_and(|syncs| !syncs.is_empty());
    let mut found: Vec<(Orphan, String)> = Vec::new();
    match (record, there) {
        (Some(record), there) => {
            if syncs.is_some() && !has_sync && !record.no_sync {
                found.push((Orphan::NoSync, "it has no sync: `sinc` makes one".to_owned()));
            }
            if survey.is_some()
                && let Some(note) = place_note(record, there.unwrap_or(&HostSession::default()))
            {
                let unclaimed = there.is_none_or(|there| there.directory.is_none());
                found.push((if unclaimed { Orphan::NoClaim } else { Orphan::DirectoryGone }, note));
            }
        }
        (None, Some(there)) => {
            if there.has(known.machine) {
                let note = "this computer has no record of it, though the host says that it is this one's";
                found.push((Orphan::NoRecord, note.to_owned()));
            } else if there.machines.is_empty() {
                let note = "a terminal on the host that belongs to no computer";
                found.push((Orphan::TerminalOnly, note.to_owned()));
            } else {
                let others: Vec<_> = there.others(known.machine).map(of_computer).collect();
                found.push((Orphan::OtherComputer, format!("of {}", others.join(" and of "))));
            }
            if has_sync {
                found.push((Orphan::SyncOnly, "its sync runs here without a record".to_owned()));
            }
            if !there.machines.is_empty() && there.marker != Marker::Right {
                found.push((Orphan::DirectoryGone, "its directory on the host is gone".to_owned()));
            }
        }
        (None, None) => {
            found.push((Orphan::SyncOnly, "a sync that this computer has no record of".to_owned()));
        }
    }
    (found.first().map(|(orphan, _)| *orphan), found.into_iter().map(|(_, note)| note).collect())
}

/// "laptop (/home/me/app)".
pub(super) fn of_computer(name_and_path: &str) -> String {
    match name_and_path.split_once(' ') {
        Some((name, path)) => harmless(&format!("{name} ({path})")),
        None => harmless(name_and_path),
    }
}

#[cfg(test)]
mod tests;
