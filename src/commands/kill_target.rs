//! Which sessions `sinc kill` means: those of this computer, syncs without a record, and, on a host that is named,
//! what only the host has.

use std::collections::BTreeMap;

use anyhow::Result;

use super::context::Context;
use super::list::{known_host, words};
use crate::cli;
use crate::config::{Config, Host};
use crate::failure::{Failure, Kind};
use crate::project::SessionId;
use crate::state::Record;
use crate::tools::mutagen::{LABEL_HOST, LABEL_ID, SyncSession};

/// A session to end.
#[derive(Debug)]
pub(super) struct Target {
    pub id: SessionId,
    /// Its host's name, or the word in a sync's label that no name is known for.
    pub host_name: String,
    /// The host, where it can be asked.
    pub host: Option<Host>,
    pub record: Option<Record>,
}

/// The sessions that are meant. `syncs` are all that Mutagen has.
///
/// # Errors
/// There is none, or an id is on several hosts.
pub(super) fn find(ctx: &Context, args: &cli::Kill, syncs: &[SyncSession]) -> Result<Vec<Target>> {
    let config = ctx.config()?;
    let records = ctx.store.records()?;
    let words = words(ctx, &config, &records, syncs);
    let asked_for = |host: &str| ctx.global.host.as_ref().is_none_or(|wanted| wanted == host);
    if args.all {
        let mut all = Vec::new();
        for record in records.into_iter().filter(|record| asked_for(&record.host)) {
            all.push(with_record(ctx, &config, record)?);
        }
        for (id, host) in labelled(syncs, &words).into_iter().filter(|(_, host)| asked_for(host)) {
            if !all.iter().any(|target| target.id == id && target.host_name == host) {
                all.push(without_record(ctx, &config, id, host));
            }
        }
        return Ok(all);
    }
    let id = match args.id.as_deref() {
        Some(id) => SessionId::parse(id).ok(),
        None => Some(ctx.find_project(true)?.project.id),
    };
    let Some(id) = id else { return one_record(ctx, &config, args) };
    if records.iter().any(|record| record.id == id.as_str() && asked_for(&record.host)) {
        return one_record(ctx, &config, args);
    }
    let mut found: Vec<Target> = labelled(syncs, &words)
        .into_iter()
        .filter(|(label, host)| *label == id && asked_for(host))
        .map(|(id, host)| without_record(ctx, &config, id, host))
        .collect();
    match (found.len(), &ctx.global.host) {
        (1, _) => {}
        (0, Some(host)) => {
            let host = config.host(Some(host))?;
            found.push(Target { id, host_name: host.name.clone(), host: Some(host), record: None });
        }
        (0, None) => return one_record(ctx, &config, args),
        _ => {
            return Err(Failure::new(Kind::Usage, format!("session {id} has syncs to several hosts"))
                .hint("name one with `--host`")
                .into());
        }
    }
    Ok(found)
}

/// The one session with a record that is meant; says why there is none.
fn one_record(ctx: &Context, config: &Config, args: &cli::Kill) -> Result<Vec<Target>> {
    Ok(vec![with_record(ctx, config, ctx.target(args.id.as_deref())?)?])
}

fn with_record(ctx: &Context, config: &Config, record: Record) -> Result<Target> {
    Ok(Target {
        id: SessionId::parse(&record.id)?,
        host_name: record.host.clone(),
        host: Some(ctx.host_of(config, &record)?),
        record: Some(record),
    })
}

fn without_record(ctx: &Context, config: &Config, id: SessionId, host_name: String) -> Target {
    Target { id, host: known_host(ctx, config, &host_name).ok(), host_name, record: None }
}

/// The sessions that syncs are labelled with, each once.
fn labelled(syncs: &[SyncSession], words: &BTreeMap<String, String>) -> Vec<(SessionId, String)> {
    let mut all: Vec<(SessionId, String)> = Vec::new();
    for sync in syncs {
        if let (Some(Ok(id)), Some(word)) =
            (sync.label(LABEL_ID).map(SessionId::parse), sync.label(LABEL_HOST))
        {
            let one = (id, words.get(word).cloned().unwrap_or_else(|| word.to_owned()));
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}
