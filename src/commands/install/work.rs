//! The work, to its end: what one component left otherwise than it was planned is planned anew for the others.

use std::collections::BTreeMap;

use anyhow::Result;

use super::working::{Outcome, Working};
use super::{TheHost, Worked};
use crate::commands::context::Context;
use crate::provision::apply;
use crate::provision::component::Component;
use crate::provision::plan::{ComponentPlan, Wishes, plan};

/// How a step ends whose file is not what the plan saw (`file_put`).
const LATE: &str = " was changed meanwhile: run it again";

/// Does what these plans say. Several components may write into one file; when one of them failed before it did, those
/// after it find the file otherwise than they were planned, and are planned again without it.
pub(super) fn to_the_end(
    ctx: &Context,
    there: &TheHost<'_>,
    components: &[&Component],
    mut plans: Vec<ComponentPlan>,
    secrets: &BTreeMap<String, String>,
    wishes: &Wishes,
) -> Result<Worked<()>> {
    let mut all = Outcome::default();
    for _ in components {
        let Worked { outcome, failure, .. } = once(ctx, there, &plans, secrets, wishes)?;
        let late = |name: &str| outcome.failed.get(name).is_some_and(|why| why.ends_with(LATE));
        let again = |name: &str| late(name) || outcome.skipped.get(name).is_some_and(|need| late(need));
        let (left, done): (Vec<&Component>, Vec<&Component>) = plans
            .iter()
            .filter_map(|plan| components.iter().find(|it| it.name == plan.name))
            .partition(|it| again(&it.name));
        for component in &done {
            let name = &component.name;
            all.failed
                .extend(outcome.failed.get_key_value(name).map(|(name, why)| (name.clone(), why.clone())));
            all.skipped
                .extend(outcome.skipped.get_key_value(name).map(|(name, need)| (name.clone(), need.clone())));
        }
        let hopeless = outcome.broken || done.is_empty() || failure.is_some();
        let went_back_with = outcome.went_back_with.clone().or(all.went_back_with);
        all = Outcome { failed: all.failed, skipped: all.skipped, went_back_with, ..outcome.clone() };
        if left.is_empty() || hopeless {
            all.failed.extend(outcome.failed);
            all.skipped.extend(outcome.skipped);
            return Ok(Worked { outcome: all, what: (), failure });
        }
        ctx.ui.status("Planning", "anew what was planned for another state of a file");
        plans = plan(&left, &there.look(&left, true)?, wishes);
    }
    Ok(Worked { outcome: all, what: (), failure: None })
}

fn once(
    ctx: &Context,
    there: &TheHost<'_>,
    plans: &[ComponentPlan],
    secrets: &BTreeMap<String, String>,
    wishes: &Wishes,
) -> Result<Worked<bool>> {
    let program = apply::program(&there.target, plans, secrets, &wishes.mirrors);
    let worked = there.work(&program, Working::new(ctx, plans))?;
    if !worked.what {
        ctx.ui.note("another run was going on, and has ended; run it again for what is left");
    }
    Ok(worked)
}
