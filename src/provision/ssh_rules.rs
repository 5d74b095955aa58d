//! Whom a rule of the firewall lets in to ssh, or to another port, as `ufw show added` writes it.

/// Whom a rule lets in to some ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nobody, or only the tailnet.
    Closed,
    /// Everybody, and it is about nothing else.
    Ssh,
    /// Everybody, and to more than that.
    More,
    /// Those of an address, or what comes in at an interface.
    Some,
}

/// The rule that lets the tailnet in to this port.
pub(super) fn on_tailnet(port: &str) -> String {
    format!("in on tailscale0 to any port {port} proto tcp")
}

/// Whom this rule, without its comment, lets in to one of these ports of ssh.
pub(super) fn way(rule: &str, ports: &[String]) -> Way {
    way_to(rule, ports, "tcp")
}

/// A rule without its comment.
pub(super) fn bare(rule: &str) -> &str {
    rule.split(" comment ").next().unwrap_or(rule)
}

/// Is it sinc's own?
pub(super) fn is_of_sinc(rule: &str) -> bool {
    rule.contains(" comment 'sinc:")
}

/// The rules that come before the one that lets everybody in to this port of ssh, and may shut it for all or for some: the
/// first that is about a login counts. Nothing where no rule lets everybody in.
pub(super) fn shut_before<'a>(rules: &[&'a str], port: &str) -> Option<Vec<&'a str>> {
    let is_open = |rule: &&str| {
        let what = ["ufw allow ", "ufw limit "].into_iter().find_map(|verb| rule.strip_prefix(verb));
        what.is_some_and(|what| what == port || what.strip_suffix("/tcp") == Some(port))
    };
    let before = &rules[..rules.iter().position(is_open)?];
    let ports = [port.to_owned()];
    let may_shut = |rule: &&&str| {
        let what = ["ufw deny ", "ufw reject "].into_iter().find_map(|verb| rule.strip_prefix(verb));
        what.is_some_and(|what| {
            let what = what.replacen("log-all ", "", 1).replacen("log ", "", 1);
            way(&format!("ufw allow {what}"), &ports) != Way::Closed
        })
    };
    Some(before.iter().filter(may_shut).copied().collect())
}

/// A person's own rules that let somebody in to this port (`3011/tcp`) by another way than this interface: those that let
/// everybody in, and those that let some in. What a rule shuts for all, none after it opens.
pub(super) fn lets_in_besides<'a>(
    rules: &'a [String],
    port: &str,
    interface: &str,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut all, mut some) = (Vec::new(), Vec::new());
    let Some((number, protocol)) = port.split_once('/') else { return (all, some) };
    let ports = [number.to_owned()];
    let theirs = rules.iter().filter(|rule| !is_of_sinc(rule)).map(|rule| bare(rule));
    for rule in theirs.filter(|rule| !rule.contains(&format!(" in on {interface}"))) {
        let shuts = ["ufw deny ", "ufw reject "].into_iter().find_map(|verb| rule.strip_prefix(verb));
        match (way_to(rule, &ports, protocol), shuts) {
            (Way::Ssh | Way::More, _) => all.push(rule),
            (Way::Some, _) => some.push(rule),
            (Way::Closed, Some(what)) => {
                if matches!(way_to(&format!("ufw allow {what}"), &ports, protocol), Way::Ssh | Way::More) {
                    break;
                }
            }
            (Way::Closed, None) => {}
        }
    }
    (all, some)
}

/// Whom this rule, without its comment, lets in to one of these ports of this protocol.
fn way_to(rule: &str, ports: &[String], protocol: &str) -> Way {
    let words: Vec<&str> = rule.split_whitespace().collect();
    let ["ufw", "allow" | "limit", what @ ..] = words.as_slice() else { return Way::Closed };
    // What goes out; a profile whose name is more than one word, and none of ssh has such a name.
    if what.first().is_some_and(|first| *first == "out" || first.starts_with('\'')) {
        return Way::Closed;
    }
    let after = |word: &str| what.iter().position(|it| *it == word).and_then(|at| what.get(at + 1)).copied();
    if after("proto").is_some_and(|proto| proto != protocol) {
        return Way::Closed;
    }
    // What it is about: the one word of a short rule, or what stands behind `to ADDRESS`.
    let about = match what {
        [one] => Some(*one),
        _ => what.iter().position(|it| *it == "to").and_then(|at| match what.get(at + 2..) {
            Some(["port" | "app", about, ..]) => Some(*about),
            _ => None,
        }),
    };
    let is_ssh = |one: &str| {
        ports.iter().any(|port| port == one) || (one == "OpenSSH" && ports.iter().any(|port| port == "22"))
    };
    if about.is_some_and(|about| !is_about(about, ports, protocol) && !is_ssh(about)) {
        return Way::Closed;
    }
    match (after("on"), after("from")) {
        (Some("tailscale0" | "lo"), _) => Way::Closed,
        (Some(_), _) => Way::Some,
        (None, Some(from)) if from != "any" => Way::Some,
        _ => match what {
            [one] if is_ssh(one.split_once('/').map_or(*one, |it| it.0)) => Way::Ssh,
            _ => Way::More,
        },
    }
}

/// Is one of these ports among `22,80/tcp` or `20:30/tcp`?
fn is_about(what: &str, ports: &[String], wanted: &str) -> bool {
    let (numbers, protocol) = what.split_once('/').unwrap_or((what, wanted));
    let ports: Vec<u16> = ports.iter().filter_map(|port| port.parse().ok()).collect();
    let within = |part: &str| match part.split_once(':') {
        Some((first, last)) => match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) => ports.iter().any(|port| (first..=last).contains(port)),
            _ => false,
        },
        None => part.parse::<u16>().is_ok_and(|part| ports.contains(&part)),
    };
    protocol == wanted && numbers.split(',').any(within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Cmd, Runner};

    #[test]
    fn who_is_let_in_is_read_from_the_rule() {
        let ports = ["22".to_owned(), "2200".to_owned()];
        for (rule, wanted) in [
            ("allow 22/tcp", Way::Ssh),
            ("limit 2200", Way::Ssh),
            ("allow OpenSSH", Way::Ssh),
            ("allow 22,80/tcp", Way::More),
            ("allow 20:30/tcp", Way::More),
            ("allow to 203.0.113.7 port 22 proto tcp", Way::More),
            ("allow to any port 22 from any", Way::More),
            ("allow to 203.0.113.7", Way::More),
            ("allow from 10.0.0.0/8", Way::Some),
            ("allow from 10.0.0.0/8 to any port 22 proto tcp", Way::Some),
            ("allow in on eth0", Way::Some),
            ("limit in on wg0 to any port 22 proto tcp", Way::Some),
            ("allow in on tailscale0 to any port 22 proto tcp", Way::Closed),
            ("allow from 10.0.0.0/8 to any port 5432", Way::Closed),
            ("allow 22/udp", Way::Closed),
            ("allow to any port 22 proto udp", Way::Closed),
            ("allow 80/tcp", Way::Closed),
            ("allow 222/tcp", Way::Closed),
            ("allow 'WWW Full'", Way::Closed),
            ("allow out 22/tcp", Way::Closed),
            ("deny 22/tcp", Way::Closed),
            ("route allow in on eth0 out on eth1", Way::Closed),
        ] {
            assert_eq!(way(&format!("ufw {rule}"), &ports), wanted, "{rule}");
        }
        assert_eq!(way("ufw allow OpenSSH", &ports[1..]), Way::Closed);
    }

    #[test]
    fn a_rule_that_shuts_a_port_counts_where_it_comes_first() {
        let before = |rules: &[&str]| {
            let rules: Vec<String> = rules.iter().map(|rule| format!("ufw {rule}")).collect();
            let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
            shut_before(&rules, "22").map(|it| it.iter().map(|rule| rule[4..].to_owned()).collect::<Vec<_>>())
        };
        for (rule, shuts) in SHUTS {
            let wanted: &[&str] = if *shuts { &[rule] } else { &[] };
            assert_eq!(before(&[rule, "limit 22"]).unwrap(), wanted, "{rule}");
            assert_eq!(before(&["allow 22/tcp", rule]).unwrap(), [""; 0], "{rule}");
        }
        assert_eq!(before(&["deny 22", "allow 2222/tcp"]), None);
    }

    /// What the host takes for a rule that shuts port 22 is the same.
    #[test]
    fn the_host_sees_the_same() {
        let host = include_str!("host/firewall.sh");
        let from = host.find("first_that_shuts() {").unwrap();
        let function = &host[from..from + host[from..].find("\n}\n").unwrap() + 3];
        for (rule, shuts) in SHUTS {
            let text = format!(
                "{function}\nfirst_that_shuts 22 <<'END'\nAdded:\nufw allow 9\nufw {rule} comment 'on 22'\nEND\n"
            );
            let cmd = Cmd::new("sh", "ask").args(["-s"]).stdin(text);
            let said = String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap();
            assert_eq!(said, if *shuts { "2\n" } else { "" }, "{rule}");
        }
    }

    const SHUTS: &[(&str, bool)] = &[
        ("deny 22", true),
        ("reject 20:30/tcp", true),
        ("deny 22,80/tcp", true),
        ("deny OpenSSH", true),
        ("deny log 22/tcp", true),
        ("deny to any", true),
        ("deny from 10.77.0.0/24", true),
        ("deny in on eth0", true),
        ("reject in on eth0 log-all from any port 22 to any port 22 proto tcp", true),
        ("deny from 10.0.0.1 to any port 22", true),
        ("deny from any port 22", true),
        ("deny to 203.0.113.7 app OpenSSH", true),
        ("deny 22/udp", false),
        ("deny 222/tcp", false),
        ("deny log 80/tcp", false),
        ("deny 'WWW Full'", false),
        ("deny Postfix", false),
        ("deny out 22/tcp", false),
        ("deny from 10.0.0.1 to any port 5432 proto tcp", false),
        ("deny to any port 22 proto udp", false),
        ("deny in on tailscale0 to any port 22", false),
        ("deny in on lo", false),
        ("allow 80/tcp", false),
    ];

    #[test]
    fn who_is_let_in_besides_an_interface_is_read_from_a_persons_own_rules() {
        let besides = |rules: &[&str], port: &str| {
            let rules: Vec<String> = rules.iter().map(|rule| format!("ufw {rule}")).collect();
            let (all, some) = lets_in_besides(&rules, port, "tailscale0");
            format!("{} {}", all.join(", "), some.join(", "))
        };
        for (rules, wanted) in [
            (&["allow 3000:4000/tcp comment 'mine'"][..], "ufw allow 3000:4000/tcp "),
            (&["limit 3011"], "ufw limit 3011 "),
            (
                &["allow from any to any port 3011 proto tcp"],
                "ufw allow from any to any port 3011 proto tcp ",
            ),
            (
                &["allow from 10.0.0.0/8", "allow in on wg0"],
                " ufw allow from 10.0.0.0/8, ufw allow in on wg0",
            ),
            (&["allow 3000:4000/udp", "allow 22/tcp", "allow in on tailscale0"], " "),
            (&["allow 3011/tcp comment 'sinc:mine'"], " "),
            // The first rule that is about it counts.
            (&["deny 3011/tcp", "allow 3000:4000/tcp"], " "),
            (&["deny from 192.0.2.1", "allow 3000:4000/tcp"], "ufw allow 3000:4000/tcp "),
            (&["allow 3000:4000/tcp", "deny 3011/tcp"], "ufw allow 3000:4000/tcp "),
        ] {
            assert_eq!(besides(rules, "3011/tcp"), wanted, "{rules:?}");
        }
        assert_eq!(besides(&["allow 51820/udp"], "51820/udp"), "ufw allow 51820/udp ");
        assert_eq!(besides(&["allow 51820/tcp"], "51820/udp"), " ");
    }
}
