//! What is on the host once the steps before have been done, as far as later steps of the same plan depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::component::{Kind, Step};
use super::edit;
use super::facts::{Fact, FileFact, HostFacts, StepFact};
use super::plan::Decision;

/// What is on the host once the steps before have been done.
#[derive(Clone, Default)]
pub(super) struct Comes {
    /// Programs of npm's packages.
    programs: BTreeSet<String>,
    /// Files that were edited, as they are then. Several components may want something in one file.
    edited: BTreeMap<String, Fact>,
}

impl Comes {
    /// The fact as it is then, or that nothing is to be done for want of a program.
    pub(super) fn see(&self, step: &Step, fact: &StepFact, host: &HostFacts) -> Result<StepFact, Decision> {
        if let Some(program) = step.only_with.as_ref()
            && fact.enough.is_none()
            && !self.programs.contains(program)
        {
            return Err(Decision::Satisfied(format!("{program} is not there")));
        }
        let mut fact = fact.clone();
        if let Kind::Edit(edit) = &step.kind
            && let Some(edited) = self.edited.get(&host.expand(&edit.path))
        {
            fact.fact = edited.clone();
        }
        Ok(fact)
    }

    /// Notes what a step does.
    pub(super) fn note(&mut self, step: &Step, decision: &Decision) {
        match (&step.kind, decision) {
            (Kind::Npm(npm), _) => drop(self.programs.insert(npm.command.clone())),
            (Kind::Edit(_), Decision::Change(change)) => {
                if let [path, mode, owner, _, content, ..] = change.call.words.as_slice() {
                    let sha256 = edit::sum(content);
                    let file = FileFact::File { sha256, mode: mode.clone(), owner: owner.clone() };
                    self.edited.insert(path.clone(), Fact::Edit(file, content.clone().into_bytes()));
                }
            }
            _ => {}
        }
    }
}
