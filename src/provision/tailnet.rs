//! What is to be done so that the host is in a tailnet.

use std::net::IpAddr;

use super::facts::HostFacts;
use super::plan::{ComponentPlan, Decision, Wishes, change};
use super::program::Call;

/// What is said where nobody can let the host in.
const LEFT_OUT: &str = "it is in no tailnet yet: there is no key, and nobody to open an address";

/// What is said of a tailnet that approves its devices (`device approval`); `services.sh` says it too.
const NOT_APPROVED: &str =
    "whoever administers the tailnet has to approve this host first (Machines, in Tailscale's admin console)";

/// Was joining the tailnet left out of these plans?
#[must_use]
pub fn is_left_out(plans: &[ComponentPlan]) -> bool {
    let left_out = |step: &Decision| matches!(step, Decision::Satisfied(what) if what == LEFT_OUT);
    plans.iter().any(|plan| plan.blocked.is_none() && plan.steps.iter().any(left_out))
}

/// Why Tailscale would end this login, and each one like it: what comes from its addresses by another way, it drops.
fn would_be_cut_off(host: &HostFacts) -> Option<String> {
    let from = host.from.filter(|_| !host.by_tailnet)?;
    let IpAddr::V4(address) = from else { return None };
    matches!(address.octets(), [100, 64..=127, ..]).then(|| {
        format!(
            "this login comes from {from}, and not through Tailscale, which takes 100.64.0.0/10 for its own and would shut it \
             out for good: log in from another address, or leave Tailscale out (`--without tailscale`)"
        )
    })
}

/// By what Tailscale on the host says of itself, and the host's name in the tailnet.
pub(super) fn decide(
    key: &str,
    state: Option<&str>,
    name: Option<&str>,
    host: &HostFacts,
    wishes: &Wishes,
) -> Decision {
    if state == Some("Running") {
        return Decision::Satisfied(format!(
            "it is in the tailnet, as {}",
            name.unwrap_or("a host without a name")
        ));
    }
    if let Some(why) = would_be_cut_off(host) {
        return Decision::Blocked(why);
    }
    // It comes up by itself then.
    if state == Some("NeedsMachineAuth") {
        return Decision::Blocked(NOT_APPROVED.to_owned());
    }
    // It is logged in, as a person left it: neither a key nor an address is wanted.
    if state == Some("Stopped") {
        return change(
            "bring Tailscale up: it is logged in, and down".to_owned(),
            Call::new("tailnet_up", [""; 0]),
        );
    }
    // Nobody would open the address, and the run would wait for that.
    if wishes.unattended && !wishes.given.contains(key) {
        return Decision::Satisfied(LEFT_OUT.to_owned());
    }
    let server = wishes.mirrors.tailnet.as_deref().unwrap_or_default();
    let at = if server.is_empty() { String::new() } else { format!(" at {server}") };
    change(
        format!("join the tailnet{at}: with the key, or else by an address that you open"),
        Call { secret: Some(key.to_owned()), ..Call::new("tailnet_join", [server]) },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_from_an_address_of_tailscales_that_comes_by_another_way_is_not_cut_off() {
        let is_blocked = |from: &str, by_tailnet, state: Option<&str>| {
            let host = HostFacts { from: from.parse().ok(), by_tailnet, ..HostFacts::default() };
            matches!(decide("key", state, None, &host, &Wishes::default()), Decision::Blocked(_))
        };
        for state in [None, Some("NoState"), Some("NeedsLogin"), Some("Stopped")] {
            for (from, by_tailnet, wanted) in [
                ("100.64.0.1", false, true),
                ("100.127.255.254", false, true),
                ("100.64.0.1", true, false),
                ("100.63.0.1", false, false),
                ("100.128.0.1", false, false),
                ("fd7a:115c:a1e0::1", false, false),
                ("UNKNOWN", false, false),
            ] {
                assert_eq!(is_blocked(from, by_tailnet, state), wanted, "{from} {by_tailnet} {state:?}");
            }
        }
        assert!(is_blocked("UNKNOWN", false, Some("NeedsMachineAuth")), "nobody here can approve it");
        assert!(include_str!("host/services.sh").contains(NOT_APPROVED));
        assert!(!is_blocked("100.64.0.1", false, Some("Running")), "it has survived that");
        // Also where nobody is there to let the host in: what starts with Tailscale may be logged in.
        let host = HostFacts { from: "100.64.0.1".parse().ok(), ..HostFacts::default() };
        let wishes = Wishes { unattended: true, ..Wishes::default() };
        assert!(matches!(decide("key", None, None, &host, &wishes), Decision::Blocked(_)));
    }
}
