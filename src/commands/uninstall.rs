//! `sinc uninstall`: takes back what `sinc install` put on the host, as it was noted there; what was there before stays.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::data_that_stays;
use super::install::working::Working;
use super::install::{TheHost, Worked, own_components};
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::provision::apply::{self, Back};
use crate::provision::catalog::Catalog;
use crate::provision::facts::{Facts, Rights};
use crate::provision::plan::several;
use crate::provision::records::Records;
use crate::provision::target::Target;
use crate::provision::unedit;

/// Runs it.
///
/// # Errors
/// The host was not reached, something else needs a component, rights are missing, or something could not be removed.
pub(super) fn run(ctx: &Context, args: &cli::Uninstall) -> Result<i32> {
    let config = ctx.config()?;
    let host = config.host(None)?;
    let remote = ctx.remote(&host);
    let mut there = TheHost::new(ctx, &remote, Target::default());
    let mut facts = there.look(&[], ctx.global.dry_run)?;
    if facts.host.rights == Rights::MaySudo && ctx.ui.is_interactive() {
        // What root put there is only seen by root.
        there.ask_password(&facts.host.login)?;
        facts = there.look(&[], ctx.global.dry_run)?;
    }
    let hidden = facts.host.hidden && !facts.host.rights.is_root();
    // What the login put there before it had rights is noted apart.
    let mut apart = facts.host.apart();
    let names = &args.components;
    let any = match names.as_slice() {
        [] => facts.records.components().next().is_some(),
        names => names.iter().any(|name| facts.records.has(name)),
    };
    if apart.is_some() && facts.host.user == facts.host.login && !any {
        ctx.ui.note("what was put there without root's rights is taken back without them");
        apart = None;
        there.give_up_rights();
        facts = there.look(&[], ctx.global.dry_run)?;
    }
    // What a person has named is all that was wanted.
    apart = apart.filter(|_| names.is_empty());
    // Whom something was put there for is noted with it; this is for what an older sinc has noted.
    there.target = Target::noted(&facts.records);
    let catalog = Catalog::load(own_components(&config).as_deref())?;
    let by_tailnet = facts.host.by_tailnet || is_of_tailnet(remote.destination().host());
    let chosen = chosen(&catalog, &facts, &args.components, by_tailnet)?;
    if chosen.is_empty() && hidden {
        let message = format!("what sinc put on {} with root's rights is only seen with them", host.name);
        let mut failure = Failure::new(Kind::Privilege, message);
        for hint in rights_hints(&there, &facts) {
            failure = failure.hint(hint);
        }
        return Err(failure.into());
    }
    if let (true, Some((what, how))) = (chosen.is_empty(), &apart) {
        return Err(Failure::new(Kind::Failed, what).hint(how).into());
    }
    if chosen.is_empty() {
        if ctx.ui.is_json() {
            ctx.print_json("uninstall", &json!({ "host": host.name, "components": [] }));
        } else {
            ctx.ui.status("Nothing", &format!("of sinc's is on {}", host.name));
        }
        return Ok(0);
    }
    let asks = |name: &str, package: &str| catalog.get(name).is_some_and(|it| it.asks_for(package));
    let mut noted = facts.records.clone();
    let back = |name: String| Back {
        user: facts.records.user(&name).map(str::to_owned),
        undo: noted.take_back(&name, &asks),
        unreadable: facts.records.is_unreadable(&name),
        name,
    };
    let data = |name: &str| data_that_stays::of(&catalog, &facts, name);
    let mut plan: Vec<Back> = chosen.into_iter().map(back).collect();
    if !ctx.ui.is_json() {
        // What is only looked at may be piped.
        let say = |line: &str| if ctx.global.dry_run { ctx.ui.data(line) } else { ctx.ui.raw(line) };
        for Back { name, undo, .. } in &plan {
            say(&format!("  {}", ctx.ui.bold(name)));
            undo.iter().for_each(|undo| say(&format!("    - {}", undo.what)));
            data_that_stays::sentence(&data(name), &facts.host)
                .iter()
                .for_each(|sentence| say(&format!("    ({sentence})")));
        }
    }
    if ctx.global.dry_run {
        if ctx.ui.is_json() {
            ctx.print_json("uninstall", &as_json(&host.name, &plan, &facts.records, &data));
        }
        return Ok(0);
    }
    if !ctx.ui.confirm(&format!("Take this back on {}?", host.name), false)? {
        ctx.ui.note("nothing was changed");
        return Ok(0);
    }
    let files = unedit::files(&plan, &facts.records);
    if !files.is_empty() {
        unedit::settle(&mut plan, &facts.records, there.files(&files)?);
    }
    let mut sentences = BTreeMap::new();
    for Back { name, undo, .. } in &plan {
        for (number, undo) in undo.iter().enumerate() {
            sentences.insert((name.clone(), number), undo.what.clone());
        }
    }
    if let Some(program) = apply::undoing_guarded(&there.target, &plan) {
        let Worked { outcome, what: own, failure } =
            there.work(&program, Working::with(ctx, sentences.clone()))?;
        if failure.is_some() || !own || outcome.broken || !outcome.failed.is_empty() {
            if let Some(log) = outcome.run.as_ref().and_then(|run| there.keep_log(run)) {
                ctx.ui.note(&format!("all output: {}", log.display()));
            }
            if let Some(failure) = failure {
                let told = as_json(&host.name, &plan, &facts.records, &data);
                return Err(Failure::of(failure).with_data(told).into());
            }
            let what = what_failed(&plan, &outcome.failed);
            let message = format!("{what} on {} could not be taken back, so nothing else was", host.name);
            return Err(Failure::new(Kind::Failed, message).hint("run it again").into());
        }
    }
    let program = apply::undoing(&there.target, &plan);
    let Worked { outcome, failure, .. } = there.work(&program, Working::with(ctx, sentences))?;
    let log = outcome.run.as_ref().and_then(|run| there.keep_log(run));
    let left = match there.look(&[], true) {
        Ok(facts) => facts.records,
        Err(error) => return Err(failure.unwrap_or(error)),
    };
    let failed: Vec<&str> =
        plan.iter().map(|back| back.name.as_str()).filter(|name| left.has(name)).collect();
    let told = || as_json(&host.name, &plan, &left, &data);
    if ctx.ui.is_json() {
        if failure.is_none() {
            ctx.print_json("uninstall", &told());
        }
    } else {
        if let Some(log) = log {
            ctx.ui.note(&format!("all output: {}", log.display()));
        }
        let stays: Vec<String> = plan.iter().flat_map(|back| data(&back.name)).collect();
        data_that_stays::sentence(&stays, &facts.host).iter().for_each(|sentence| ctx.ui.note(sentence));
        let done = plan.len() - failed.len();
        ctx.ui.status("Finished", &format!("{}: {done} of {} taken back", host.name, plan.len()));
    }
    if !failed.is_empty() && !ctx.ui.is_json() {
        ctx.ui.warn(&format!("not taken back: {}", several(&failed)));
    }
    if let Some(failure) = failure {
        return Err(Failure::of(failure).with_data(told()).into());
    }
    if failed.is_empty() && hidden {
        if !ctx.ui.is_json() {
            ctx.ui.warn("what was put there with root's rights is still there");
            rights_hints(&there, &facts).iter().for_each(|hint| ctx.ui.hint(hint));
        }
        return Ok(Kind::Privilege.code());
    }
    if let (true, Some((what, how))) = (failed.is_empty(), &apart) {
        if !ctx.ui.is_json() {
            ctx.ui.warn(what);
            ctx.ui.hint(how);
        }
        return Ok(Kind::Failed.code());
    }
    Ok(i32::from(!failed.is_empty()))
}

/// What of that which could shut the login out is not taken back; all of it where nobody knows.
fn what_failed(plan: &[Back], failed: &BTreeMap<String, String>) -> &'static str {
    let calls: Vec<&str> = plan
        .iter()
        .filter(|back| failed.is_empty() || failed.contains_key(&back.name))
        .flat_map(|back| back.undo.iter().filter(|undo| undo.is_guarded()))
        .map(|undo| undo.call.function)
        .collect();
    let of_sshd = |call: &&str| *call == "undo_sshd";
    match (calls.iter().any(of_sshd), calls.iter().any(|call| !of_sshd(call))) {
        (true, false) => "sshd's settings",
        (true, true) => "the firewall and sshd's settings",
        (false, _) => "the firewall",
    }
}

/// How it goes with root's rights.
fn rights_hints(there: &TheHost<'_>, facts: &Facts) -> Vec<String> {
    let terminal = "run it on a terminal: the password that sudo wants is asked there".to_owned();
    let asked = (facts.host.rights == Rights::MaySudo).then_some(terminal);
    let root = "or log in as root: `sinc uninstall --host root@ADDRESS`".to_owned();
    asked.into_iter().chain([there.for_an_administrator(&facts.host.login), root]).collect()
}

/// An address or a name that only a tailnet has.
fn is_of_tailnet(host: &str) -> bool {
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => matches!(address.octets(), [100, 64..=127, ..]),
        Ok(std::net::IpAddr::V6(address)) => address.segments()[..3] == [0xfd7a, 0x115c, 0xa1e0],
        Err(_) => host.ends_with(".ts.net"),
    }
}

/// The components to take back, those that need others first.
fn chosen(catalog: &Catalog, facts: &Facts, named: &[String], by_tailnet: bool) -> Result<Vec<String>> {
    let there: Vec<String> = facts.records.components().map(str::to_owned).collect();
    if let Some(missing) = named.iter().find(|name| !there.contains(name)) {
        let message = format!("sinc has put no `{missing}` on this host");
        let hint = match there.is_empty() {
            true => "nothing of sinc's is there".to_owned(),
            false => format!("what it put there: {}", there.join(", ")),
        };
        return Err(Failure::new(Kind::Failed, message).hint(hint).into());
    }
    let wanted = |name: &str| named.is_empty() || named.iter().any(|it| it == name);
    for name in there.iter().filter(|name| wanted(name)) {
        let needs = |other: &&String| {
            !wanted(other) && catalog.get(other).is_some_and(|other| other.needs().any(|need| need == name))
        };
        let dependants: Vec<&str> = there.iter().filter(needs).map(String::as_str).collect();
        if !dependants.is_empty() {
            let need = if dependants.len() == 1 { "needs" } else { "need" };
            let message = format!("{} on this host {need} `{name}`", several(&dependants));
            let hint = format!("take them back too: `sinc uninstall {} {name}`", dependants.join(" "));
            return Err(Failure::new(Kind::Failed, message).hint(hint).into());
        }
    }
    let host = &facts.host;
    let made = facts.records.users_made().any(|user| user == host.login);
    let by_itself = if wanted("user") && there.iter().any(|name| name == "user") && made {
        Some("the user that sinc made cannot be removed by its own login".to_owned())
    } else {
        // Of a login as root the home directory is another user's, into which root's keys came.
        let ours = |file: &&str| host.login != "root" && file.starts_with(&format!("{}/", host.home));
        let mut files =
            there.iter().filter(|name| wanted(name)).flat_map(|name| facts.records.key_files(name));
        files.find(ours).map(|file| {
            format!("this login may have come by a key that sinc put into {file}, and cannot take that back itself")
        })
    };
    if let Some(message) = by_itself {
        return Err(Failure::new(Kind::Failed, message)
            .hint("log in as root for that: `sinc uninstall --host root@ADDRESS`")
            .hint("or name the other components")
            .into());
    }
    if wanted("tailscale") && there.iter().any(|name| name == "tailscale") && by_tailnet {
        let message = "this login comes through the tailnet, which would be left";
        let mut failure = Failure::new(Kind::Failed, message);
        if there.iter().any(|name| name == "tailnet-only") {
            failure = failure.hint("`sinc uninstall tailnet-only` opens ssh to other addresses first");
        }
        return Err(failure
            .hint("log in by the host's other address for that: `sinc uninstall --host USER@ADDRESS`")
            .hint("or name the other components")
            .into());
    }
    let place = |name: &String| catalog.all().iter().position(|it| it.name == *name).unwrap_or(usize::MAX);
    let mut chosen: Vec<String> = there.into_iter().filter(|name| wanted(name)).collect();
    chosen.sort_by_key(|name| std::cmp::Reverse(place(name)));
    Ok(chosen)
}

fn as_json(
    host: &str,
    plan: &[Back],
    left: &Records,
    data: &dyn Fn(&str) -> Vec<String>,
) -> serde_json::Value {
    let components: Vec<_> = plan
        .iter()
        .map(|Back { name, undo, .. }| {
            let steps: Vec<&str> = undo.iter().map(|undo| undo.what.as_str()).collect();
            json!({ "name": name, "removed": !left.has(name), "steps": steps, "data": data(name) })
        })
        .collect();
    json!({ "host": host, "components": components })
}
