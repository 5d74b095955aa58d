//! What was planned, and what became of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::secrets::Told;
use super::tailnet_only;
use super::working::Outcome;
use crate::config::Host;
use crate::provision::facts::{Facts, HostFacts};
use crate::provision::plan::{ComponentPlan, Decision};

/// What became of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It was as it should be.
    Satisfied,
    /// It is as it should be now.
    Changed,
    /// It would change.
    WouldChange,
    /// Nothing can be done.
    Blocked(String),
    /// It is not as it should be.
    Failed(String),
}

impl Became {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Changed => "changed",
            Self::WouldChange => "would-change",
            Self::Blocked(_) => "blocked",
            Self::Failed(_) => "failed",
        }
    }

    pub(super) fn why(&self) -> Option<&str> {
        match self {
            Self::Blocked(why) | Self::Failed(why) => Some(why),
            _ => None,
        }
    }
}

/// What was planned, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) host: String,
    pub(super) destination: String,
    pub(super) facts: HostFacts,
    pub(super) components: Vec<(ComponentPlan, Became)>,
    pub(super) secrets: BTreeMap<String, Vec<Told>>,
    pub(super) notes: Vec<String>,
    pub(super) log: Option<PathBuf>,
    pub(super) host_log: Option<String>,
}

impl Report {
    pub(super) fn new(host: &Host, facts: &Facts, plans: &[ComponentPlan]) -> Self {
        let became = |plan: &ComponentPlan| match &plan.blocked {
            Some(why) => Became::Blocked(why.clone()),
            None if plan.is_satisfied() => Became::Satisfied,
            None => Became::WouldChange,
        };
        Self {
            host: host.name.clone(),
            destination: host.destination.value.to_string(),
            facts: facts.host.clone(),
            components: plans.iter().map(|plan| (plan.clone(), became(plan))).collect(),
            secrets: BTreeMap::new(),
            notes: Vec::new(),
            log: None,
            host_log: None,
        }
    }

    /// How many steps change something.
    pub(super) fn changes(&self) -> usize {
        self.components.iter().map(|(plan, _)| plan.changes().count()).sum()
    }

    /// After work on these components: what a new look says decides, not how the commands ended.
    pub(super) fn settle(&mut self, outcome: &Outcome, now: &[ComponentPlan], facts: &Facts) {
        self.facts = facts.host.clone();
        self.host_log.clone_from(&outcome.log);
        for (plan, became) in &mut self.components {
            let now = now.iter().find(|now| now.name == plan.name);
            let (Some(now), Became::WouldChange) = (now, &*became) else { continue };
            let left = now.steps.iter().find_map(|step| match step {
                Decision::Change(change) => Some(change.what.clone()),
                Decision::Blocked(why) => Some(why.clone()),
                Decision::Satisfied(_) => None,
            });
            let name = &plan.name;
            *became = match (outcome.failed.get(name), outcome.skipped.get(name), left) {
                (Some(why), ..) => Became::Failed(why.clone()),
                (None, Some(need), _) => Became::Failed(format!("it needs {need}, which failed")),
                (None, None, None) => Became::Changed,
                (None, None, Some(_)) if outcome.broken => Became::Failed("the run was cut off".to_owned()),
                (None, None, Some(_))
                    if let Some(other) = &outcome.went_back_with
                        && plan.changes().any(|(_, change)| change.is_guarded()) =>
                {
                    Became::Failed(format!(
                        "it was done, and went back when {other} failed, before a login had confirmed it"
                    ))
                }
                (None, None, Some(left)) => {
                    Became::Failed(format!("its commands ended well, and this is still to be done: {left}"))
                }
            };
        }
    }

    /// After work of which nobody saw what it left.
    pub(super) fn not_seen(&mut self, outcome: &Outcome) {
        self.host_log.clone_from(&outcome.log);
        for (plan, became) in &mut self.components {
            if *became == Became::WouldChange && plan.name != tailnet_only::NAME {
                let why = outcome.failed.get(&plan.name).cloned();
                let unknown = || "the host could not be looked at after the work: run it again".to_owned();
                *became = Became::Failed(why.unwrap_or_else(unknown));
            }
        }
    }

    /// What was changed of the firewall or of sshd goes back.
    pub(super) fn not_confirmed(&mut self) {
        for (plan, became) in &mut self.components {
            if *became == Became::Changed && plan.changes().any(|(_, change)| change.is_guarded()) {
                *became =
                    Became::Failed("it was done, and goes back: no second login has confirmed it".to_owned());
            }
        }
    }

    /// What became of this component so far.
    pub(super) fn became(&self, name: &str) -> Option<&Became> {
        self.components.iter().find(|(plan, _)| plan.name == name).map(|(_, became)| became)
    }

    /// This component could not be had.
    pub(super) fn fail(&mut self, name: &str, why: String) {
        for (_, became) in self.components.iter_mut().filter(|(plan, _)| plan.name == name) {
            *became = Became::Failed(why.clone());
        }
    }

    /// The exit code.
    pub(super) fn code(&self) -> i32 {
        let failed = self.components.iter().any(|(_, became)| matches!(became, Became::Failed(_)));
        let for_more = self.blocked().any(|plan| !self.wants_rights(plan));
        match (failed || for_more, self.lacks_rights()) {
            (true, _) => 1,
            (false, true) => 77,
            (false, false) => 0,
        }
    }

    /// Is something left out for want of root's rights?
    pub(super) fn lacks_rights(&self) -> bool {
        self.blocked().any(|plan| self.wants_rights(plan))
    }

    fn blocked(&self) -> impl Iterator<Item = &ComponentPlan> {
        let blocked = self.components.iter().filter(|(_, became)| matches!(became, Became::Blocked(_)));
        blocked.map(|(plan, _)| plan)
    }

    /// Is it left out for want of root's rights, or because it needs another one that is?
    fn wants_rights(&self, plan: &ComponentPlan) -> bool {
        let need = plan.blocked.as_deref().and_then(|why| why.strip_prefix("it needs "));
        let need = self.blocked().find(|other| Some(other.name.as_str()) == need);
        plan.wants_rights() || need.is_some_and(|need| self.wants_rights(need))
    }

    /// The secrets that this component's changes want.
    pub(super) fn secrets_of(&self, component: &str) -> &[Told] {
        self.secrets.get(component).map_or(&[], Vec::as_slice)
    }

    /// For `--json`.
    pub(super) fn json(&self) -> Value {
        let components: Vec<Value> = self
            .components
            .iter()
            .map(|(plan, became)| {
                let steps: Vec<Value> = plan.steps.iter().map(step_json).collect();
                let secrets: Vec<Value> = self.secrets_of(&plan.name).iter().map(Told::json).collect();
                json!({
                    "name": plan.name, "summary": plan.summary, "state": became.name(), "why": became.why(),
                    "needs": plan.needs, "opens": plan.opens, "note": plan.note, "secrets": secrets,
                    "steps": steps,
                })
            })
            .collect();
        json!({
            "host": self.host, "destination": self.destination, "system": self.facts.os_name,
            "architecture": self.facts.arch, "user": self.facts.user, "components": components,
            "notes": self.notes, "log": self.log, "host_log": self.host_log,
        })
    }
}

fn step_json(step: &Decision) -> Value {
    match step {
        Decision::Satisfied(what) => json!({ "state": "satisfied", "what": what }),
        Decision::Change(change) => {
            json!({ "state": "change", "what": change.what, "does": change.call.to_string() })
        }
        Decision::Blocked(why) => json!({ "state": "blocked", "what": why }),
    }
}
