//! `sinc list`: one line a session, of this computer and of all hosts.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::ask::{self, HostAnswer, SURVEY_DEADLINE};
use super::context::Context;
use super::joined::{Known, Row, join};
use super::list_table::table;
use super::mutagen;
use super::paint::Paint;
use crate::cli;
use crate::config::{Config, Host};
use crate::session::survey::Survey;
use crate::state::{PendingEnd, Record, host_word};
use crate::tools::mutagen::{LABEL_HOST, SyncSession};

/// A host that was asked.
#[derive(Serialize)]
struct HostLine {
    name: String,
    reached: bool,
    error: Option<String>,
}

/// Runs it.
///
/// # Errors
/// What this computer remembers cannot be read.
pub(super) fn run(ctx: &Context, args: &cli::List) -> Result<i32> {
    let config = ctx.config()?;
    let mut records = ctx.store.records()?;
    records.retain(|record| is_asked_for(ctx, &record.host));
    super::link::ensure_for(ctx, &records);
    let hosts = if args.local { BTreeMap::new() } else { hosts(ctx, &config, &records)? };
    let (syncs, answers) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| syncs(ctx));
        let answers = ask::hosts(ctx, &hosts, Some(SURVEY_DEADLINE));
        let broke = |_| Err(anyhow::anyhow!("asking Mutagen broke off"));
        (asked.join().unwrap_or_else(broke), answers)
    });
    let words = words(ctx, &config, &records, syncs.as_deref().unwrap_or_default());
    let syncs = syncs.map(|all| {
        let host = |sync: &SyncSession| {
            sync.label(LABEL_HOST).map(|word| words.get(word).cloned().unwrap_or_default())
        };
        all.into_iter()
            .filter(|sync| host(sync).is_some_and(|host| is_asked_for(ctx, &host)))
            .collect::<Vec<_>>()
    });
    let surveys: BTreeMap<String, Survey> = answers
        .iter()
        .filter_map(|(host, answer)| Some((host.clone(), answer.survey.as_ref().ok()?.clone())))
        .collect();
    let mut rows = join(&Known {
        records: &records,
        syncs: syncs.as_deref().ok(),
        surveys: &surveys,
        words: &words,
        machine: &ctx.store.machine_if_known().unwrap_or_default(),
    });
    for row in &mut rows {
        row.notes.extend(super::link::note(ctx, &row.id, &row.host));
    }
    let mut waiting = ctx.store.pending()?;
    waiting.retain(|end| is_asked_for(ctx, &end.host));
    if ctx.ui.is_json() {
        print_json(ctx, &rows, &answers, &waiting, syncs.err());
        return Ok(0);
    }
    if let Err(error) = &syncs {
        ctx.ui.warn(&format!("Mutagen could not be asked, so the syncs are not known: {error}"));
    }
    print(ctx, &rows);
    if rows.iter().any(|row| row.sync.conflicts > 0) {
        ctx.ui
            .hint("`sinc conflicts` in a project's directory shows what differs, `sinc resolve` settles it");
    }
    tell(ctx, &answers, &waiting);
    Ok(0)
}

fn is_asked_for(ctx: &Context, host: &str) -> bool {
    ctx.global.host.as_ref().is_none_or(|wanted| wanted == host)
}

/// The hosts to ask: all of the configuration, those of the records, and those that wait for something. A host
/// that is configured twice is asked once.
fn hosts(ctx: &Context, config: &Config, records: &[Record]) -> Result<BTreeMap<String, Host>> {
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    for record in records {
        let host = ctx.host_of(config, record)?;
        hosts.insert(host.name.clone(), host);
    }
    for end in ctx.store.pending()? {
        if let Ok(host) = known_host(ctx, config, &end.host) {
            hosts.entry(host.name.clone()).or_insert(host);
        }
    }
    let named = match &ctx.global.host {
        Some(name) => vec![config.host(Some(name))?],
        None => config.hosts.values().cloned().chain(config.host(None).ok()).collect(),
    };
    for host in named {
        let again = |other: &Host| other.destination.value == host.destination.value;
        if !hosts.values().any(again) {
            hosts.insert(host.name.clone(), host);
        }
    }
    hosts.retain(|name, _| is_asked_for(ctx, name));
    Ok(hosts)
}

/// A host by the name that it has or had.
pub(super) fn known_host(ctx: &Context, config: &Config, name: &str) -> Result<Host> {
    if let Some(host) = config.hosts.get(name) {
        return Ok(host.clone());
    }
    // It has gone from the configuration: Mutagen's ssh still knows where it was.
    let destination = ctx.store.host(&host_word(name))?.map(|file| file.destination);
    let mut host = config.host(Some(destination.as_deref().unwrap_or(name)))?;
    name.clone_into(&mut host.name);
    Ok(host)
}

fn syncs(ctx: &Context) -> Result<Vec<SyncSession>> {
    mutagen::all_syncs(&mutagen::present(ctx)?)
}

/// The names of hosts by their words in Mutagen's labels.
pub(super) fn words(
    ctx: &Context,
    config: &Config,
    records: &[Record],
    syncs: &[SyncSession],
) -> BTreeMap<String, String> {
    let configured = config.hosts.keys().chain(records.iter().map(|record| &record.host));
    let mut words: BTreeMap<String, String> =
        configured.map(|name| (host_word(name), name.clone())).collect();
    for word in syncs.iter().filter_map(|sync| sync.label(LABEL_HOST)) {
        if !words.contains_key(word)
            && let Ok(Some(file)) = ctx.store.host(word)
        {
            words.insert(word.to_owned(), file.name);
        }
    }
    words
}

fn print_json(
    ctx: &Context,
    rows: &[Row],
    answers: &BTreeMap<String, HostAnswer>,
    waiting: &[PendingEnd],
    mutagen: Option<anyhow::Error>,
) {
    let hosts: Vec<HostLine> = answers
        .iter()
        .map(|(name, answer)| HostLine {
            name: name.clone(),
            reached: answer.survey.is_ok(),
            error: answer.unreachable(),
        })
        .collect();
    let pair = |id: &str, host: &str| serde_json::json!({ "id": id, "host": host });
    let finished: Vec<_> = answers
        .iter()
        .flat_map(|(host, answer)| answer.finished.iter().map(move |id| pair(id, host)))
        .collect();
    let waiting: Vec<_> = waiting.iter().map(|end| pair(&end.id, &end.host)).collect();
    let data = serde_json::json!({
        "sessions": rows, "hosts": hosts, "finished": finished, "waiting": waiting,
        "mutagen_error": mutagen.map(|error| error.to_string()),
    });
    ctx.print_json("list", &data);
}

fn print(ctx: &Context, rows: &[Row]) {
    if rows.is_empty() {
        ctx.ui.note("there is no session; `sinc` in a project directory makes one");
        return;
    }
    let paint = Paint::for_stdout(ctx);
    for line in table(rows, ctx.environment.home(), paint) {
        ctx.ui.data(&line);
    }
}

/// Hosts that are down, and ends that were finished or wait.
fn tell(ctx: &Context, answers: &BTreeMap<String, HostAnswer>, waiting: &[PendingEnd]) {
    for answer in answers.values() {
        if let Some(why) = answer.unreachable() {
            ctx.ui.warn(&format!("{why}; what only it knows is not shown"));
        }
    }
    ask::tell_finished(ctx, answers);
    for end in waiting {
        ctx.ui.note(&format!("{} was ended here; {} is told when it is reached", end.id, end.host));
    }
}
