//! What is to be done so that the host is in a tailnet.

use super::plan::{Decision, Wishes, change};
use super::program::Call;

/// By what Tailscale on the host says of itself, and the host's name in the tailnet.
pub(super) fn decide(key: &str, state: Option<&str>, name: Option<&str>, wishes: &Wishes) -> Decision {
    if state == Some("Running") {
        return Decision::Satisfied(format!(
            "it is in the tailnet, as {}",
            name.unwrap_or("a host without a name")
        ));
    }
    let server = wishes.mirrors.tailnet.as_deref().unwrap_or_default();
    let at = if server.is_empty() { String::new() } else { format!(" at {server}") };
    change(
        format!("join the tailnet{at}: with the key, or else by an address that you open"),
        Call { secret: Some(key.to_owned()), ..Call::new("tailnet_join", [server]) },
    )
}
