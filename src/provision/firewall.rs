//! What is to be done about the firewall: ssh first, and a person's own rules stay.

use super::facts::{Fact, Facts, HostFacts, UfwState};
use super::kinds::Ufw;
use super::plan::{Decision, change, several};
use super::program::Call;
use super::ssh_rules::{Way, on_tailnet, way};

/// What is to be done about a rule, or about turning it on.
pub(super) fn decide(
    wanted: &Ufw,
    state: UfwState,
    rules: &[String],
    open: bool,
    host: &HostFacts,
) -> Decision {
    let ports: Vec<String> = host.ssh_ports.iter().map(u16::to_string).collect();
    if ports.is_empty() && (wanted.enable || wanted.allow.as_deref() == Some("ssh")) {
        return Decision::Blocked("no port of ssh is known, and a login could be shut out".to_owned());
    }
    let bare: Vec<&str> = rules.iter().map(|rule| rule.split(" comment ").next().unwrap_or(rule)).collect();
    let has = |wanted: &str| {
        let says = |verb: &str| bare.contains(&format!("ufw {verb} {wanted}").as_str());
        says("allow") || says("limit")
    };
    let port_names: Vec<&str> = ports.iter().map(String::as_str).collect();
    let by_tailnet = !ports.is_empty() && ports.iter().all(|port| has(&on_tailnet(port)));
    let shut = by_tailnet && !bare.iter().any(|rule| matches!(way(rule, &ports), Way::Ssh));
    if wanted.tailnet_only {
        return tailnet_only(host, rules, &ports, open, shut && state == UfwState::Active);
    }
    // A firewall that is off shuts nobody out, so turning it on opens ssh to all, unless this login needs no such rule.
    let shut = shut && (state == UfwState::Active || host.by_tailnet);
    let to_open = if shut { Vec::new() } else { ports.clone() };
    if wanted.enable {
        return match state {
            UfwState::Active if open => {
                Decision::Satisfied("the firewall is on, and shuts only what a rule shuts".to_owned())
            }
            UfwState::Active => Decision::Satisfied("the firewall is on".to_owned()),
            _ if open => change(
                "turn the firewall on: its default lets everything in, only what your rules shut is shut"
                    .to_owned(),
                Call::new("ufw_enable", to_open),
            ),
            _ => change(
                format!(
                    "turn the firewall on: only {}{} stays open{}",
                    ssh_at(&port_names),
                    if shut { " through the tailnet" } else { "" },
                    and_own(&bare, &ports)
                ),
                Call::new("ufw_enable", to_open),
            ),
        };
    }
    let mut instead = String::new();
    let (what, missing, call) = match (wanted.allow.as_deref().unwrap_or_default(), &wanted.interface) {
        ("ssh", _) if shut => {
            return Decision::Satisfied(format!(
                "the firewall lets {} through on the tailnet alone",
                ssh_at(&port_names)
            ));
        }
        ("ssh", _) => {
            let closed: Vec<&str> = port_names
                .iter()
                .copied()
                .filter(|port| !has(&format!("{port}/tcp")) && !has(port))
                .collect();
            let call = Call::new("ufw_ssh", closed.iter().copied());
            let named = if closed.is_empty() { &port_names } else { &closed };
            let shut = |verb: &str| {
                let rules = closed.iter().map(move |port| format!("{verb} {port}/tcp"));
                rules.filter(|rule| bare.contains(&format!("ufw {rule}").as_str())).collect::<Vec<_>>()
            };
            let shut: Vec<String> = ["deny", "reject"].into_iter().flat_map(shut).collect();
            instead = shut.iter().map(|rule| format!(", in the place of your rule `{rule}`")).collect();
            (ssh_at(named), !closed.is_empty(), call)
        }
        (port, interface) => {
            let on = interface.as_deref().unwrap_or_default();
            let rule = match (port, on, port.split_once('/')) {
                ("any", on, _) => format!("in on {on}"),
                (port, "", _) => port.to_owned(),
                (_, on, Some((port, protocol))) => format!("in on {on} to any port {port} proto {protocol}"),
                (port, on, None) => format!("in on {on} to any port {port}"),
            };
            let what = match on {
                "" => port.to_owned(),
                on if port == "any" => format!("all of {on}"),
                on => format!("{port} on {on}"),
            };
            (what, !has(&rule), Call::new("ufw_allow", [port, on]))
        }
    };
    match missing {
        true => change(format!("let {what} through the firewall{instead}"), call),
        false => Decision::Satisfied(format!("the firewall lets {what} through")),
    }
}

/// ssh through the tailnet alone: what lets everybody in to its ports makes room, and nothing else does.
fn tailnet_only(host: &HostFacts, rules: &[String], ports: &[String], open: bool, done: bool) -> Decision {
    let port_names: Vec<&str> = ports.iter().map(String::as_str).collect();
    let ssh = ssh_at(&port_names);
    if ports.is_empty() {
        return Decision::Blocked("no port of ssh is known, so none can be closed".to_owned());
    }
    if open {
        return Decision::Blocked(
            "the firewall lets in whatever no rule shuts, ssh too: `sudo ufw default deny incoming` on the host first"
                .to_owned(),
        );
    }
    // Not those of sinc's own.
    let theirs = |wanted: &dyn Fn(&Way) -> bool| {
        let rules = rules.iter().filter(|rule| !rule.contains(" comment 'sinc:"));
        let bare = rules.map(|rule| rule.split(" comment ").next().unwrap_or(rule));
        let fits = bare.filter(|rule| wanted(&way(rule, ports)));
        fits.map(|rule| format!("`{}`", rule.trim_start_matches("ufw "))).collect::<Vec<_>>()
    };
    let said = |rules: &[String]| several(&rules.iter().map(String::as_str).collect::<Vec<_>>());
    let more = theirs(&|way| matches!(way, Way::More));
    if !more.is_empty() {
        return Decision::Blocked(format!(
            "a rule of your own lets everybody in to ssh and to more, and stays: {}; change it first",
            said(&more)
        ));
    }
    let some = theirs(&|way| matches!(way, Way::Some));
    let but = match some.as_slice() {
        [] => String::new(),
        some => format!(", but for what your own rules let in: {}", said(some)),
    };
    if done {
        return Decision::Satisfied(format!("{ssh} is closed to all but the tailnet{but}"));
    }
    let room = theirs(&|way| matches!(way, Way::Ssh));
    let room = match room.as_slice() {
        [] => String::new(),
        room => format!("; meanwhile without your own rule {}", said(room)),
    };
    let once = if host.by_tailnet { "" } else { ", once a login through it has worked" };
    change(
        format!("close {ssh} to all but the tailnet{once}{but}{room}"),
        Call::new("ufw_tailnet_only", ports.to_vec()),
    )
}

/// What a person should know of the firewall that these components are about.
#[must_use]
pub fn warning(facts: &Facts) -> Option<String> {
    let open = facts.steps.values().any(|step| matches!(step.fact, Fact::Ufw { open: true, .. }));
    open.then(|| {
        "the firewall of this host lets everything in that no rule shuts (DEFAULT_INPUT_POLICY=ACCEPT in \
         /etc/default/ufw), and sinc leaves that as it is; `sudo ufw default deny incoming` there shuts the rest"
            .to_owned()
    })
}

fn ssh_at(ports: &[&str]) -> String {
    format!("ssh (port {})", several(ports))
}

/// The person's own rules, which stay.
fn and_own(rules: &[&str], ports: &[String]) -> String {
    let of_ssh = |rule: &str| {
        ports.iter().any(|port| rule.ends_with(&format!(" {port}/tcp")) || rule.ends_with(&on_tailnet(port)))
    };
    match rules.iter().filter(|rule| !of_ssh(rule)).count() {
        0 => String::new(),
        1 => ", and what your one rule allows".to_owned(),
        n => format!(", and what your {n} rules allow"),
    }
}
