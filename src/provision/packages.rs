//! An installation of packages that was cut off: the first component with packages mends it.

use super::component::{Component, Kind};
use super::facts::Rights;
use super::plan::{ComponentPlan, Decision, change};
use super::program::Call;

/// Makes it part of this component's plan; false where that cannot be.
pub(super) fn mend(plan: &mut ComponentPlan, component: &Component, rights: Rights) -> bool {
    if !rights.is_root() {
        return false;
    }
    let steps = component.steps.iter().zip(&mut plan.steps);
    let Some((_, decision)) = steps.into_iter().find(|(step, _)| matches!(step.kind, Kind::Apt(_))) else {
        return false;
    };
    match decision {
        // Each installation begins with it.
        Decision::Change(change) => change.what.push_str(", after finishing what dpkg was cut off in"),
        Decision::Satisfied(_) => {
            *decision =
                change("finish what dpkg was cut off in".to_owned(), Call::new("packages_mend", [""; 0]));
        }
        Decision::Blocked(_) => return false,
    }
    true
}
