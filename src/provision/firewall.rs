//! What is to be done about the firewall: ssh first, and a person's own rules stay.

use super::facts::{Fact, Facts, HostFacts, UfwState};
use super::kinds::Ufw;
use super::plan::{Decision, change, several};
use super::program::Call;
use super::ssh_rules::{Way, bare, is_of_sinc, lets_in_besides, on_tailnet, shut_before, way};

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
    let theirs = rules;
    let rules: Vec<&str> = rules.iter().map(|rule| bare(rule)).collect();
    let port_names: Vec<&str> = ports.iter().map(String::as_str).collect();
    let shut = is_shut(&rules, &ports);
    let has = |wanted: &str| lets(&rules, wanted);
    if wanted.tailnet_only {
        return tailnet_only(host, theirs, &ports, open, shut && state == UfwState::Active);
    }
    // A firewall that is off shuts nobody out, so turning it on opens ssh to all, unless this login needs no such rule.
    let shut = shut && (state == UfwState::Active || host.by_tailnet);
    let to_open = if shut { Vec::new() } else { ports.clone() };
    if wanted.enable {
        if let Some(why) = keeps_it_off(host, state, theirs, open) {
            return Decision::Blocked(why);
        }
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
                    "turn the firewall on: only {}{} stays open{}{}",
                    ssh_at(&port_names),
                    if shut { " through the tailnet" } else { "" },
                    and_own(&rules, &ports),
                    and_docker(host)
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
            // The order counts for one that is to be turned on: by one that is on this login has come.
            let before = |port: &str| match shut_before(&rules, port) {
                Some(_) if state == UfwState::Active => Some(Vec::new()),
                before => before,
            };
            let is_closed = |port: &&str| before(port).is_none_or(|before| !before.is_empty());
            let closed: Vec<&str> = port_names.iter().copied().filter(is_closed).collect();
            let mut behind: Vec<&str> = closed.iter().filter_map(|port| before(port)).flatten().collect();
            behind.dedup();
            let call = Call::new("ufw_ssh", closed.iter().copied());
            let shown = if closed.is_empty() { &port_names } else { &closed };
            let has_rule = |rule: &str| rules.contains(&format!("ufw {rule}").as_str());
            let shut = |verb: &str| {
                let rules = closed.iter().map(move |port| format!("{verb} {port}/tcp"));
                rules.filter(|rule| has_rule(rule)).collect::<Vec<_>>()
            };
            let verbs: &[&str] =
                if behind.is_empty() { &["deny", "reject"] } else { &["deny", "reject", "allow", "limit"] };
            let shut: Vec<String> = verbs.iter().flat_map(|verb| shut(verb)).collect();
            instead = shut.iter().map(|rule| format!(", in the place of your rule `{rule}`")).collect();
            if !behind.is_empty() {
                instead.push_str(&format!(", before what shuts it: {}", named(behind)));
            }
            (ssh_at(shown), !closed.is_empty(), call)
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
            if !on.is_empty() {
                let (all, some) = lets_in_besides(theirs, port, on);
                if !all.is_empty() {
                    return Decision::Blocked(format!(
                        "{port} is for {on} alone, and a rule of your own lets everybody in to it: {}; change it first",
                        named(all)
                    ));
                }
                if !some.is_empty() {
                    instead = format!(", beside whom your own rules let in to it: {}", named(some));
                }
            }
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
        let rules = rules.iter().filter(|rule| !is_of_sinc(rule)).map(|rule| bare(rule));
        rules.filter(|rule| wanted(&way(rule, ports))).collect::<Vec<_>>()
    };
    let more = theirs(&|way| matches!(way, Way::More));
    if !more.is_empty() {
        return Decision::Blocked(format!(
            "a rule of your own lets everybody in to ssh and to more, and stays: {}; change it first",
            named(more)
        ));
    }
    let some = theirs(&|way| matches!(way, Way::Some));
    let but = match some.is_empty() {
        true => String::new(),
        false => format!(", but for what your own rules let in: {}", named(some)),
    };
    if done {
        return Decision::Satisfied(format!("{ssh} is closed to all but the tailnet{but}"));
    }
    let room = theirs(&|way| matches!(way, Way::Ssh));
    let room = match room.is_empty() {
        true => String::new(),
        false => format!("; meanwhile without your own rule {}", named(room)),
    };
    let ends = match &host.key_expires {
        Some(day) => {
            format!("; disable key expiry in the admin console of Tailscale first, or ssh ends on {day}")
        }
        None => String::new(),
    };
    let once = if host.by_tailnet { "" } else { ", once a login through it has worked" };
    change(
        format!("close {ssh} to all but the tailnet{once}{but}{room}{ends}"),
        Call::new("ufw_tailnet_only", ports.to_vec()),
    )
}

/// What a person should know of the firewall that these components are about.
#[must_use]
pub fn warnings(facts: &Facts) -> Vec<String> {
    let host = &facts.host;
    let ports: Vec<String> = host.ssh_ports.iter().map(u16::to_string).collect();
    let (mut any, mut lets_all, mut shut) = (false, false, false);
    for step in facts.steps.values() {
        let Fact::Ufw { state, rules, open } = &step.fact else { continue };
        let rules: Vec<&str> = rules.iter().map(|rule| bare(rule)).collect();
        any = true;
        lets_all |= open;
        shut |= *state == UfwState::Active && !open && is_shut(&rules, &ports);
    }
    let mut warnings = Vec::new();
    if lets_all {
        warnings.push(
            "the firewall of this host lets everything in that no rule shuts (DEFAULT_INPUT_POLICY=ACCEPT in \
             /etc/default/ufw), and sinc leaves that as it is; `sudo ufw default deny incoming` there shuts the rest"
                .to_owned(),
        );
    }
    if any && !host.docker_ports.is_empty() {
        let ports: Vec<&str> = host.docker_ports.iter().map(String::as_str).collect();
        warnings.push(format!(
            "Docker lets everybody in to {}, whatever the firewall says; `-p 127.0.0.1:PORT:PORT` publishes to the host alone",
            several(&ports)
        ));
    }
    if let Some(day) = host.key_expires.as_ref().filter(|_| shut) {
        warnings.push(format!(
            "ssh ends on {day}: only the tailnet is let in, and the host's key there expires then; disable key expiry in \
             the admin console of Tailscale"
        ));
    }
    warnings
}

/// Do the rules let this through?
fn lets(rules: &[&str], wanted: &str) -> bool {
    ["allow", "limit"].iter().any(|verb| rules.contains(&format!("ufw {verb} {wanted}").as_str()))
}

/// Do these rules, without their comments, let the tailnet in to all ports of ssh, and nobody else?
fn is_shut(rules: &[&str], ports: &[String]) -> bool {
    !ports.is_empty()
        && ports.iter().all(|port| lets(rules, &on_tailnet(port)))
        && !rules.iter().any(|rule| matches!(way(rule, ports), Way::Ssh))
}

/// Why a firewall that is off stays off.
fn keeps_it_off(host: &HostFacts, state: UfwState, rules: &[String], open: bool) -> Option<String> {
    if state == UfwState::Active {
        return None;
    }
    if host.netfilter_persistent {
        return Some(
            "netfilter-persistent is there, a firewall that ufw cannot be beside: if it may go, `sudo apt-get remove \
             netfilter-persistent` on the host first"
                .to_owned(),
        );
    }
    if host.own_policy {
        return Some(
            "a firewall of your own is there, which shuts what no rule lets in (the policy of INPUT), and this one would leave all \
             of that open when it goes off again: keep yours, and leave this one out (`--without ufw`)"
                .to_owned(),
        );
    }
    if host.drops_ipv6 {
        return Some(
            "/etc/default/ufw does not say IPV6=yes, so it would drop all of IPv6, ssh too, and your own rules of ip6tables would be \
             gone: set IPV6=yes there, on the host, first"
                .to_owned(),
        );
    }
    if host.iscsi {
        return Some(
            "a disk of the host's is reached over iSCSI, and a firewall could cut it off at the next start: have the \
             cloud's own firewall shut the ports, and leave this one out (`--without ufw`)"
                .to_owned(),
        );
    }
    let tunnel = host.own_vpn.as_ref().filter(|_| !open)?;
    let (device, port) = (&tunnel.device, tunnel.port.as_deref());
    let is_open = match port {
        Some(port) => lets_in_besides(rules, port, device) != (Vec::new(), Vec::new()),
        // Whoever has opened something has thought of it.
        None => rules.iter().any(|rule| !is_of_sinc(rule) && rule.starts_with("ufw allow ")),
    };
    (!is_open).then(|| {
        let port = port.unwrap_or("PORT/udp");
        let install = if state == UfwState::Absent { "sudo apt-get install ufw && " } else { "" };
        format!("this login comes through {device}: open its port first (`{install}sudo ufw allow {port}` on the host)")
    })
}

/// Rules of a person's own, for a sentence.
fn named(rules: Vec<&str>) -> String {
    let names: Vec<String> =
        rules.iter().map(|rule| format!("`{}`", rule.trim_start_matches("ufw "))).collect();
    several(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What Docker lets in around the firewall.
fn and_docker(host: &HostFacts) -> String {
    let ports: Vec<&str> = host.docker_ports.iter().map(String::as_str).collect();
    if ports.is_empty() { String::new() } else { format!(", and what Docker publishes: {}", several(&ports)) }
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

#[cfg(test)]
mod tests {
    use crate::process::{Cmd, Runner};
    use crate::provision::program::functions;

    /// A ufw that is off, with its rules in a file.
    const UFW: &str = r#"
guard_begin() { :; }
guard_end() { :; }
record() { echo "$*" >>"$run/notes"; }
words() { case "$*" in *" comment "*) echo "${*%% comment *} comment '${*##* comment }'" ;; *) echo "$*" ;; esac }
ufw() {
  case "$1" in
  status) echo "Status: inactive" ;;
  show) echo "Added user rules (see 'ufw status' for running firewall):" && sed 's/^/ufw /' "$run/is" ;;
  --force) shift 2 && awk -v rule="${*%% comment *}" '$0 != rule && index($0, rule " comment ") != 1' "$run/is" >"$run/new" ;;
  prepend) shift && { words "$@" && cat "$run/is"; } >"$run/new" ;;
  insert) place=$2 && shift 2 && awk -v place="$place" -v rule="$(words "$@")" 'NR == place { print rule } { print }' "$run/is" >"$run/new" ;;
  *) { cat "$run/is" && words "$@"; } >"$run/new" ;;
  esac
  [ ! -e "$run/new" ] || mv "$run/new" "$run/is"
}
"#;

    /// The rules once ssh's port is let in, and once that was taken back.
    fn let_in(rules: &str) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("is"), rules).unwrap();
        let functions = functions(["ufw_ssh", "undo_ufw", "undo_ufw_was"]).join("\n");
        let run = |calls: &str| {
            let text =
                format!("{functions}\nset -eu\nrun={} component=x\n{UFW}{calls}\n", dir.path().display());
            let cmd = Cmd::new("sh", "change a firewall").args(["-s"]).stdin(text);
            Runner::default().answer(&cmd).unwrap();
            std::fs::read_to_string(dir.path().join("is")).unwrap()
        };
        let after = run("ufw_ssh 22; ufw_ssh 22");
        let notes = std::fs::read_to_string(dir.path().join("notes")).unwrap_or_default();
        let undo: Vec<String> = notes
            .lines()
            .rev()
            .map(|note| match note.strip_prefix("ufw-was ") {
                Some(rule) => format!("undo_ufw_was {rule}"),
                None => format!("undo_ufw {}", note.strip_prefix("ufw ").unwrap()),
            })
            .collect();
        (after, run(&undo.join("\n")))
    }

    #[test]
    fn ssh_is_let_in_before_what_shuts_it_and_each_rule_comes_back_to_its_place() {
        const OURS: &str = "allow 22/tcp comment 'sinc:ssh'\n";
        for (rules, stays) in [
            ("allow 9\ndeny 22/tcp comment 'no'\ndeny 80\n", "allow 9\ndeny 80\n"),
            ("allow 9\ndeny 22\nlimit 22/tcp comment 'mine'\ndeny 80\n", "allow 9\ndeny 22\ndeny 80\n"),
            ("deny from 10.0.0.0/8\nallow 22\n", "deny from 10.0.0.0/8\nallow 22\n"),
            ("deny 80\n", "deny 80\n"),
        ] {
            let (after, back) = let_in(rules);
            assert_eq!((after, back.as_str()), (format!("{OURS}{stays}"), rules), "{rules}");
        }
        for rules in ["deny 80\nallow 22/tcp\ndeny 22\n", "limit 22\ndeny from 10.0.0.0/8\n"] {
            assert_eq!(let_in(rules), (rules.to_owned(), rules.to_owned()));
        }
    }
}
