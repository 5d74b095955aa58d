//! The plan and the report as a person reads them.

use std::collections::BTreeSet;

use serde_json::json;

use crate::commands::context::Context;
use crate::failure::Failure;
use crate::provision::plan::Decision;
use crate::provision::program;
use crate::ui::plural;

use super::report::{Became, Report};

/// The plan alone, for `--check` and `--dry-run`. Gives the exit code.
pub(super) fn only(ctx: &Context, report: &Report, check: bool) -> i32 {
    let open = report.components.iter().any(|(_, became)| *became != Became::Satisfied);
    if ctx.ui.is_json() {
        ctx.print_json("install", &report.json());
    } else {
        lines(ctx, report).iter().for_each(|line| ctx.ui.data(line));
        report.notes.iter().for_each(|note| ctx.ui.note(note));
        if !open {
            ctx.ui.status("Nothing", "to do: everything is as it should be");
        }
    }
    i32::from(check && open)
}

/// The plan before the question.
pub(super) fn plan(ctx: &Context, report: &Report) {
    ctx.ui.stream_object(&json!({ "event": "plan", "data": report.json() }));
    if !ctx.ui.is_json() && !ctx.global.quiet && report.changes() > 0 {
        lines(ctx, report).iter().for_each(|line| ctx.ui.raw(line));
        report.notes.iter().for_each(|note| ctx.ui.note(note));
    }
}

fn lines(ctx: &Context, report: &Report) -> Vec<String> {
    let ui = &ctx.ui;
    let facts = &report.facts;
    let at =
        if report.host == report.destination { String::new() } else { format!(" ({})", report.destination) };
    let open = report.components.iter().filter(|(_, became)| *became == Became::WouldChange);
    let takes = match open.map(|(plan, _)| plan.disk).sum() {
        0_u64 => String::new(),
        takes => format!("; this takes {takes} MB at most"),
    };
    let (host, disk) = (&report.host, facts.disk);
    let on = if facts.disk_at == "/" { String::new() } else { format!(" on {}", facts.disk_at) };
    let mut lines = vec![format!("{host}{at}: {}, {}, {disk} MB free{on}{takes}", facts.os_name, facts.arch)];
    let mut calls = BTreeSet::new();
    for (plan, became) in &report.components {
        if *became == Became::Satisfied {
            lines.push(format!("  {}: as it should be", ui.bold(&plan.name)));
        } else {
            lines.push(format!("  {}: {}", ui.bold(&plan.name), plan.summary));
        }
        for step in &plan.steps {
            match step {
                Decision::Satisfied(what) if ctx.global.verbose > 0 => lines.push(format!("    = {what}")),
                Decision::Satisfied(_) | Decision::Blocked(_) => {}
                Decision::Change(change) => {
                    lines.push(format!("    + {}", change.what));
                    if ctx.global.verbose > 0 {
                        lines.extend(change.call.to_string().lines().map(|line| format!("        {line}")));
                        calls.insert(change.call.function);
                    }
                }
            }
        }
        if let Became::Blocked(why) = became {
            lines.push(format!("    ! cannot be done: {why}"));
        } else if *became == Became::WouldChange {
            let secrets = report.secrets_of(&plan.name).iter();
            lines.extend(secrets.map(|secret| format!("    ({})", secret.sentence())));
            lines.extend(plan.opens.iter().map(|what| format!("    (opens {what})")));
            lines.extend(plan.note.iter().map(|note| format!("    ({note})")));
        }
    }
    if !calls.is_empty() {
        lines.push("  what these steps call:".to_owned());
        let texts = program::functions(calls).into_iter().flat_map(str::lines);
        lines.extend(texts.map(|line| ui.dim(&format!("        | {line}"))));
    }
    lines
}

/// What became of it, before this failure, with which it ends; with `--json` the failure has it.
pub(super) fn failed(ctx: &Context, report: &Report, failure: anyhow::Error) -> anyhow::Error {
    if ctx.ui.is_json() {
        return Failure::of(failure).with_data(report.json()).into();
    }
    self::report(ctx, report);
    failure
}

/// What became of it.
pub(super) fn report(ctx: &Context, report: &Report) {
    if ctx.ui.is_json() {
        ctx.print_json("install", &report.json());
        return;
    }
    let ui = &ctx.ui;
    for (plan, became) in &report.components {
        match became {
            Became::Failed(why) => ui.warn(&format!("{} failed: {why}", plan.name)),
            Became::Blocked(why) => ui.warn(&format!("{} was left out: {why}", plan.name)),
            _ => {}
        }
    }
    report.notes.iter().for_each(|note| ui.note(note));
    if let Some(log) = &report.log {
        let there = report.host_log.as_ref().map(|log| format!("; on the host: {log}")).unwrap_or_default();
        ui.note(&format!("all output: {}{there}", log.display()));
    }
    let count =
        |wanted: &str| report.components.iter().filter(|(_, became)| became.name() == wanted).count() as u64;
    let mut parts = Vec::new();
    for (state, word) in [("changed", "changed"), ("failed", "failed"), ("blocked", "left out")] {
        if count(state) > 0 {
            parts.push(format!("{} {word}", plural(count(state), "component", "components")));
        }
    }
    let as_it_was = count("satisfied");
    match parts.is_empty() {
        true => ui.status("Nothing", "to do: everything is as it should be"),
        false => {
            if as_it_was > 0 {
                parts.push(format!("{} needed nothing", plural(as_it_was, "component", "components")));
            }
            ui.status("Finished", &format!("{}: {}", report.host, parts.join(", ")));
            if report.code() == 1 {
                ui.hint("mend what is named, and run it again: it goes on from there");
            }
        }
    }
}
