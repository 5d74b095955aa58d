//! Sessions on a phone, on a booted Debian where the component `agent-os` was installed (its repository is stood in for).

use std::time::Duration;

use super::install::{Host, similar};
use super::support::wait_until;
use super::tiers::{KEY, Market, NAME};

const PATIENCE: Duration = Duration::from_secs(30);

/// Minutes, and a registry: only when it is asked for.
#[test]
#[ignore = "minutes, and a registry: SINC_TIERS=some tests/run.sh bed"]
fn a_session_is_on_a_phone_of_the_tailnet_until_it_is_killed() {
    let mut host = Host::new();
    let before = host.snapshot();
    host.0.on_host("rm -rf ~/.agent-os ~/.config");
    let sandbox = &host.0.sandbox;
    let config = sandbox.read(".config/sinc/config.toml");
    sandbox.configure(format!("default-agent = \"test\"\n{config}"));
    let _market = Market::open_after(&host, "node");
    host.0.sandbox.set("TS_AUTHKEY", KEY);
    host.sinc(&["install", "--yes", "--tier", "custom", "--with", "agent-os"]).success();

    host.0.bed(&["latency", "50"]);
    let project = host.0.project("app", 3);
    let sinc = |args: &[&str]| host.0.sandbox.sinc_in(&project, args);
    sinc(&["--no-attach"]).success();
    let rows = || host.0.on_host("curl -s http://127.0.0.1:3011/api/sessions");
    let address = format!("http://{NAME}:3011");
    wait_until("status knows the address", PATIENCE, || {
        sinc(&["status", "--json"]).success().stdout.contains(&format!("\"mobile\":\"{address}\""))
    });
    let list = rows();
    assert!(list.contains("\"working_directory\":\"/home/dev/workspace/app\""), "{list}");
    assert!(list.contains("\"agent_type\":\"shell\""), "{list}");
    let names = host.0.on_host("tmux list-sessions -F '#S'");
    let name = names.lines().find(|name| name.starts_with("shell-")).unwrap_or_else(|| panic!("{names}"));
    let pane = host.0.on_host(&format!("tmux capture-pane -p -t '={name}:'"));
    assert!(pane.contains("agent ready"), "{pane}");

    // After a restart of the host, by the user's own unit, the same row has the panes again.
    host.0.bed(&["reboot"]);
    host.0.bed(&["net", "off"]);
    host.0.bed(&["net", "on"]);
    wait_until("Agent-OS answers", PATIENCE, || {
        host.0.on_host("curl -s http://127.0.0.1:3011/api/sessions || true").contains("shell-")
    });
    sinc(&["--no-attach"]).success();
    wait_until("the panes are there again", PATIENCE, || {
        host.0.on_host("tmux list-sessions -F '#S'").contains(name)
    });
    sinc(&["kill", "--yes"]).success();
    assert_eq!(rows(), "{\"sessions\":[],\"groups\":[]}");
    assert_eq!(host.0.on_host("tmux list-sessions 2>/dev/null; ls ~/.local/state/sinc/mobile"), "");
    host.sinc(&["uninstall", "--host", "dev@vps", "--yes"]).success();
    similar(&before, &host.snapshot());
}
