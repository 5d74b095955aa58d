//! `sinc status`: one session or all of them. Mutagen is asked for a cycle while the host is asked what it knows.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::ask::{self, HostAnswer, SURVEY_DEADLINE};
use super::context::Context;
use super::paint::Paint;
use super::state_report::{Report, SyncReport, SyncSeen};
use super::sync_control::be_sure;
use super::{mutagen, now, state_text, watch};
use crate::cli;
use crate::config::Host;
use crate::failure::{Failure, Kind};
use crate::remote::Remote;
use crate::state::{Held, Lock, Record, host_word};
use crate::tools::mutagen::{Checked, LABEL_HOST, LABEL_ID, Mutagen, Selector, SyncSession};

/// How long a cycle may take that is asked for.
const CYCLE_DEADLINE: Duration = Duration::from_secs(2);

/// A session to report on.
pub(super) struct Subject {
    pub record: Record,
    pub host: Host,
}

/// Runs it.
///
/// # Errors
/// There is no such session, or nothing could be said of it.
pub(super) fn run(ctx: &Context, args: &cli::Status) -> Result<i32> {
    let subjects = subjects(ctx, args)?;
    super::link::ensure_for(ctx, subjects.iter().map(|subject| &subject.record));
    let cycle = if args.all { args.check && !args.cached } else { !args.cached };
    if args.watch {
        return watch::run(ctx, &subjects, cycle);
    }
    let alone = subjects.len() == 1 && !args.all;
    let deadline = if alone && ctx.ui.is_interactive() { None } else { Some(SURVEY_DEADLINE) };
    let (reports, answers) = gather(ctx, &subjects, cycle, deadline);
    ask::tell_finished(ctx, &answers);
    let unknown = |report: &Report| report.sync.state == "unknown" && report.unreachable.is_some();
    if alone && reports.iter().all(unknown) {
        return Err(nothing_known(&reports[0], answers));
    }
    if ctx.ui.is_json() {
        let data = match (args.all, &reports[..]) {
            (false, [report]) => serde_json::to_value(report)?,
            _ => serde_json::json!({ "sessions": reports }),
        };
        ctx.print_json("status", &data);
        return Ok(0);
    }
    if reports.is_empty() {
        ctx.ui.note("this computer has no session; `sinc` in a project directory makes one");
    }
    print(ctx, &reports);
    Ok(0)
}

/// Neither Mutagen nor the host could be asked: why the host could not decides the exit code.
fn nothing_known(report: &Report, answers: BTreeMap<String, HostAnswer>) -> anyhow::Error {
    let why = report.sync.error.clone().unwrap_or_default();
    let context =
        format!("nothing can be said of {}: neither Mutagen nor its host could be asked ({why})", report.id);
    match answers.into_values().find_map(|answer| answer.survey.err()) {
        Some(error) => anyhow::Error::from(error).context(context),
        None => Failure::new(Kind::Failed, context).into(),
    }
}

/// The sessions that are meant, with their hosts.
fn subjects(ctx: &Context, args: &cli::Status) -> Result<Vec<Subject>> {
    let config = ctx.config()?;
    let records = if args.all {
        let mut records = ctx.store.records()?;
        records.retain(|record| ctx.global.host.as_ref().is_none_or(|host| record.host == *host));
        records
    } else {
        vec![ctx.target(args.id.as_deref())?]
    };
    records.into_iter().map(|record| Ok(Subject { host: ctx.host_of(&config, &record)?, record })).collect()
}

/// Asks Mutagen and all hosts, everything at the same time.
pub(super) fn gather(
    ctx: &Context,
    subjects: &[Subject],
    cycle: bool,
    deadline: Option<Duration>,
) -> (Vec<Report>, BTreeMap<String, HostAnswer>) {
    let hosts: BTreeMap<String, Host> =
        subjects.iter().map(|subject| (subject.host.name.clone(), subject.host.clone())).collect();
    let (seen, answers) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| syncs(ctx, subjects, cycle));
        let answers = ask::hosts(ctx, &hosts, deadline);
        (asked.join().unwrap_or_default(), answers)
    });
    let unknown = SyncSeen::Unknown("asking Mutagen broke off".to_owned());
    let reports = subjects.iter().enumerate().map(|(index, subject)| {
        let sync = sync_report(ctx, &subject.record, seen.get(index).unwrap_or(&unknown));
        report(ctx, subject, sync, answers.get(&subject.host.name))
    });
    (reports.collect(), answers)
}

/// One report, from what has been asked.
pub(super) fn report(
    ctx: &Context,
    subject: &Subject,
    sync: SyncReport,
    answer: Option<&HostAnswer>,
) -> Report {
    let machine = ctx.store.machine_if_known().unwrap_or_default();
    let link = super::link::describe(ctx, &subject.record);
    let above = || super::git::above(ctx, &subject.record).map(|why| format!("not shared: {why}"));
    let git = super::link::git(ctx, &subject.record).or_else(above);
    Report { git, ..Report::new(&subject.record, &subject.host, sync, answer, &machine, link) }
}

/// The sync's part; a completed cycle is remembered for the next `--cached`.
fn sync_report(ctx: &Context, record: &Record, seen: &SyncSeen) -> SyncReport {
    let noted = ctx.store.last_checked(&record.id, &record.host);
    let sync = SyncReport::new(seen, held(ctx, record), noted, now());
    if let Some(at) = sync.checked_at.filter(|_| sync.checked_at != noted && !ctx.runner.is_dry_run()) {
        ctx.store.note_checked(&record.id, &record.host, at);
    }
    sync
}

/// Why the session is held, as it is written now.
pub(super) fn held(ctx: &Context, record: &Record) -> Option<Held> {
    ctx.store.held(&record.id, &record.host).unwrap_or(record.held)
}

/// What Mutagen says, in the order of the subjects.
pub(super) fn syncs(ctx: &Context, subjects: &[Subject], cycle: bool) -> Vec<SyncSeen> {
    if subjects.iter().all(|one| one.record.no_sync) {
        return vec![SyncSeen::Off; subjects.len()];
    }
    let off = |one: &Subject, seen| if one.record.no_sync { SyncSeen::Off } else { seen };
    let unknown = |error: String| -> Vec<SyncSeen> {
        subjects.iter().map(|one| off(one, SyncSeen::Unknown(error.clone()))).collect()
    };
    let mutagen = match mutagen::present(ctx) {
        Ok(mutagen) => mutagen,
        Err(error) => return unknown(error.to_string()),
    };
    if !cycle {
        return match mutagen.list(&Selector::All) {
            Ok(all) => subjects.iter().map(|one| off(one, SyncSeen::Listed(of(&one.record, &all)))).collect(),
            Err(error) => unknown(error.to_string()),
        };
    }
    std::thread::scope(|scope| {
        let asked: Vec<_> = subjects
            .iter()
            .map(|one| scope.spawn(|| check(ctx, &mutagen, &one.record, &one.host, None)))
            .collect();
        let broke = || SyncSeen::Unknown("asking Mutagen broke off".to_owned());
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broke())).collect()
    })
}

fn check(ctx: &Context, mutagen: &Mutagen, record: &Record, host: &Host, own: Option<&Lock>) -> SyncSeen {
    if record.no_sync {
        return SyncSeen::Off;
    }
    if !ctx.runner.is_dry_run()
        && let Err(error) = ctx.refresh_host_file(&ctx.remote(host), None)
    {
        tracing::debug!(%error, "what Mutagen's ssh needs could not be written");
    }
    let selector = Selector::session(&record.id, &host_word(&record.host));
    let look = |left| be_sure(ctx, mutagen, record, own, CYCLE_DEADLINE.min(left));
    let check = || {
        look(CYCLE_DEADLINE)?;
        mutagen.check(&selector, CYCLE_DEADLINE, &mut { look })
    };
    match check() {
        Ok(all) if settled(ctx, mutagen, record, &all) => {
            check().map_or(SyncSeen::Checked(all), SyncSeen::Checked)
        }
        Ok(all) => SyncSeen::Checked(all),
        // No cycle must begin: it is held, or what was moved aside for a conflict is not in its place again.
        Err(error)
            if held(ctx, record).is_some() || ctx.store.settling_path(&record.id, &record.host).exists() =>
        {
            mutagen.list(&selector).map_or(SyncSeen::Unknown(error.to_string()), SyncSeen::Listed)
        }
        Err(error) => SyncSeen::Unknown(error.to_string()),
    }
}

/// Where no link does it, the conflicts are settled here, if the session's mode says so. Was there anything?
fn settled(ctx: &Context, mutagen: &Mutagen, record: &Record, all: &[Checked]) -> bool {
    let [checked] = all else { return false };
    // Another sinc that is at work on the session sees to it.
    let free = || ctx.store.lock(&record.id, &record.host, Duration::ZERO, &mut || {});
    ctx.store.link_runs(&record.host).is_none()
        && checked.session.conflict_count() > 0
        && free().is_ok_and(|lock| {
            super::resolve::settle_and_tell(ctx, record, mutagen, &checked.session, Some(&lock)).is_some()
        })
}

/// The syncs among `all` that belong to a session.
pub(super) fn of(record: &Record, all: &[SyncSession]) -> Vec<SyncSession> {
    let word = host_word(&record.host);
    let belongs = |sync: &&SyncSession| {
        sync.label(LABEL_ID) == Some(&record.id) && sync.label(LABEL_HOST) == Some(&word)
    };
    all.iter().filter(belongs).cloned().collect()
}

/// Prints reports for a person.
fn print(ctx: &Context, reports: &[Report]) {
    let paint = Paint::for_stdout(ctx);
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            ctx.ui.data("");
        }
        ctx.ui.data(&state_text::lines(report, ctx.environment.home(), now(), paint).join("\n"));
    }
}

/// Prints the state of one session whose cycle was checked just now, for a connect that has its lock.
///
/// # Errors
/// It cannot be put into JSON.
pub(super) fn print_one(
    ctx: &Context,
    remote: &Remote,
    record: &Record,
    mutagen: &Mutagen,
    own: &Lock,
) -> Result<()> {
    let config = ctx.config()?;
    let subject = Subject { record: record.clone(), host: ctx.host_of(&config, record)? };
    let (seen, answer) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| check(ctx, mutagen, record, &subject.host, Some(own)));
        let survey = crate::session::survey::ask(remote, &|line| ctx.ui.note(line));
        let broke = |_| SyncSeen::Unknown("asking Mutagen broke off".to_owned());
        (asked.join().unwrap_or_else(broke), HostAnswer { survey, finished: Vec::new() })
    });
    let report = report(ctx, &subject, sync_report(ctx, record, &seen), Some(&answer));
    if ctx.ui.is_json() {
        ctx.print_json("connect", &serde_json::to_value(&report)?);
    } else {
        print(ctx, &[report]);
    }
    Ok(())
}
