//! What is to be done so that the host is in a tailnet.

use super::plan::{ComponentPlan, Decision, Wishes, change};
use super::program::Call;

/// What is said where nobody can let the host in.
const LEFT_OUT: &str = "it is in no tailnet yet: there is no key, and nobody to open an address";

/// Was joining the tailnet left out of these plans?
#[must_use]
pub fn is_left_out(plans: &[ComponentPlan]) -> bool {
    let left_out = |step: &Decision| matches!(step, Decision::Satisfied(what) if what == LEFT_OUT);
    plans.iter().any(|plan| plan.blocked.is_none() && plan.steps.iter().any(left_out))
}

/// By what Tailscale on the host says of itself, and the host's name in the tailnet.
pub(super) fn decide(key: &str, state: Option<&str>, name: Option<&str>, wishes: &Wishes) -> Decision {
    if state == Some("Running") {
        return Decision::Satisfied(format!(
            "it is in the tailnet, as {}",
            name.unwrap_or("a host without a name")
        ));
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
