//! The work as it goes on: a line for each step that is done, with its time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use crate::commands::context::Context;
use crate::commands::paint::harmless;
use crate::process::Interrupted;
use crate::provision::apply::Event;
use crate::provision::plan::ComponentPlan;
use crate::ui::Progress;

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Outcome {
    /// Its name.
    pub(in crate::commands) run: Option<String>,
    /// Its log on the host.
    pub(in crate::commands) log: Option<String>,
    /// Components that failed, and why.
    pub(in crate::commands) failed: BTreeMap<String, String>,
    /// Components that were left out, and what they need.
    pub(in crate::commands) skipped: BTreeMap<String, String>,
    /// The component with whose failure all went back that no login had confirmed.
    pub(in crate::commands) went_back_with: Option<String>,
    /// It was cut off in the middle.
    pub(in crate::commands) broken: bool,
}

/// The work as it goes on.
#[derive(Debug)]
pub(in crate::commands) struct Working<'a> {
    ctx: &'a Context,
    sentences: BTreeMap<(String, usize), String>,
    line: Option<Progress>,
    /// The component that failed last.
    last_failed: Option<String>,
    outcome: Outcome,
}

impl<'a> Working<'a> {
    pub(in crate::commands) fn new(ctx: &'a Context, plans: &[ComponentPlan]) -> Self {
        let mut sentences = BTreeMap::new();
        for plan in plans {
            for (number, change) in plan.changes() {
                sentences.insert((plan.name.clone(), number), change.what.clone());
            }
        }
        Self::with(ctx, sentences)
    }

    /// With the sentences of the steps by component and number.
    pub(in crate::commands) fn with(ctx: &'a Context, sentences: BTreeMap<(String, usize), String>) -> Self {
        Self { ctx, sentences, line: None, last_failed: None, outcome: Outcome::default() }
    }

    fn step(&self, component: &str, step: usize) -> String {
        match self.sentences.get(&(component.to_owned(), step)) {
            Some(sentence) => format!("{component}: {sentence}"),
            None => component.to_owned(),
        }
    }

    /// Tells what happened.
    pub(in crate::commands) fn tell(&mut self, event: &Event) {
        let ui = &self.ctx.ui;
        ui.event_object(&as_json(event));
        // What is said now stands above the live line.
        if !matches!(event, Event::Start { .. }) {
            self.line = None;
        }
        match event {
            Event::Run(run) | Event::Busy(run) => self.outcome.run = Some(run.clone()),
            Event::Log(log) => self.outcome.log = Some(log.clone()),
            Event::Start { component, step } => {
                let line = ui.progress();
                line.show("Working", &self.step(component, *step));
                self.line = Some(line);
            }
            Event::Done { component, step, took } => {
                if self.sentences.contains_key(&(component.clone(), *step)) || self.sentences.is_empty() {
                    ui.status("Done", &format!("{} ({})", self.step(component, *step), seconds(*took)));
                }
            }
            Event::Failed { component, step, took } => {
                ui.warn(&format!("{}: failed after {}", self.step(component, *step), seconds(*took)));
                self.outcome.failed.insert(component.clone(), self.step(component, *step));
                self.last_failed = Some(component.clone());
            }
            Event::Because { component, why } => {
                self.outcome.failed.insert(component.clone(), harmless(why));
                ui.note(&harmless(why));
            }
            Event::Said { line, .. } => ui.note(&ui.dim(&format!("| {}", harmless(line)))),
            Event::Skipped { component, need } => {
                ui.warn(&format!("{component} is left out: it needs {need}"));
                self.outcome.skipped.insert(component.clone(), need.clone());
            }
            Event::Waits(why) => ui.status("Waiting", &harmless(why)),
            Event::TakenBack => {
                ui.warn("what was changed of the firewall or of sshd is as it was before");
                self.outcome.went_back_with.clone_from(&self.last_failed);
            }
            Event::Note { text, .. } => ui.note(&harmless(text)),
            Event::Lost => ui.status("Waiting", "the line was lost; the host goes on, and is watched again"),
            Event::Broken => self.outcome.broken = true,
            Event::Armed(_) | Event::End => {}
        }
    }

    /// What was interrupted here goes on there.
    pub(in crate::commands) fn unless_interrupted<T>(&mut self, result: Result<T>) -> Result<T> {
        self.line = None;
        if result.as_ref().is_err_and(anyhow::Error::is::<Interrupted>) && self.outcome.run.is_some() {
            self.ctx.ui.note("the host goes on by itself; the same command watches it again");
        }
        result
    }

    /// The end.
    pub(in crate::commands) fn finish(mut self) -> Outcome {
        self.line = None;
        self.outcome
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn as_json(event: &Event) -> serde_json::Value {
    use serde_json::json;
    match event {
        Event::Run(run) => json!({ "event": "run", "run": run }),
        Event::Log(log) => json!({ "event": "log", "log": log }),
        Event::Busy(run) => json!({ "event": "busy", "run": run }),
        Event::Start { component, step } => {
            json!({ "event": "step-started", "component": component, "step": step })
        }
        Event::Done { component, step, took } => {
            json!({ "event": "step-done", "component": component, "step": step, "seconds": took.as_secs_f64() })
        }
        Event::Failed { component, step, took } => {
            json!({ "event": "step-failed", "component": component, "step": step, "seconds": took.as_secs_f64() })
        }
        Event::Because { component, why } => {
            json!({ "event": "step-why", "component": component, "text": harmless(why) })
        }
        Event::Said { component, line } => {
            json!({ "event": "step-output", "component": component, "text": harmless(line) })
        }
        Event::Skipped { component, need } => {
            json!({ "event": "component-skipped", "component": component, "needs": need })
        }
        Event::Waits(why) => json!({ "event": "waiting", "text": harmless(why) }),
        Event::TakenBack => json!({ "event": "firewall-taken-back" }),
        Event::Note { component, text } => {
            json!({ "event": "component-note", "component": component, "text": harmless(text) })
        }
        Event::Armed(_) => json!({ "event": "firewall-armed" }),
        Event::Lost => json!({ "event": "line-lost" }),
        Event::End => json!({ "event": "end" }),
        Event::Broken => json!({ "event": "broken" }),
    }
}
