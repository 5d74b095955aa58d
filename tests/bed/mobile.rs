//! Sessions on a phone, on a booted Debian where the component `agent-os` was installed (its repository is stood in for).

use std::time::Duration;

use super::install::{Host, similar};
use super::support::wait_until;
use super::tiers::{KEY, Market, NAME};

const PATIENCE: Duration = Duration::from_secs(30);

/// A phone's page, without the page: it types a line into the terminal, and stays until it has no input any more.
const PHONE: &str = r#"
import json, socket, struct, sys
phone = socket.create_connection(("127.0.0.1", 3011))
phone.sendall(b"GET /ws/terminal HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n")
text = json.dumps({"type": "command", "data": sys.argv[1]}).encode()
phone.sendall(b"\x81\xfe" + struct.pack(">H", len(text)) + bytes(4) + text)
sys.stdin.read()
"#;

/// A phone opens this session, which was not there, and goes again.
fn a_phone_begins(host: &Host, name: &str) {
    host.0.on_host(&format!(
        "cat >/tmp/phone.py <<'END'{PHONE}END\n\
         mkfifo /tmp/phone.end; timeout 60 python3 /tmp/phone.py \
           'tmux attach -t {name} 2>/dev/null || tmux new -s {name} -c \"$HOME\"' </tmp/phone.end & exec 3>/tmp/phone.end; \
         timeout 30 sh -c 'until tmux has-session -t ={name} 2>/dev/null; do sleep 0.1; done'; \
         exec 3>&-; wait; rm -f /tmp/phone.py /tmp/phone.end"
    ));
}

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
    let answers = || {
        wait_until("Agent-OS answers", PATIENCE, || {
            host.0.on_host("curl -s http://127.0.0.1:3011/api/sessions || true").contains("shell-")
        });
    };
    answers();
    // A phone is first: what it begins is no part of Agent-OS, and has nothing of its environment.
    a_phone_begins(&host, name);
    let server = "cat /proc/$(tmux display-message -p '#{pid}')/cgroup";
    let cgroup = host.0.on_host(server);
    assert!(cgroup.contains("agent-os-tmux.service"), "{cgroup}");
    let environment = host.0.on_host("tmux show-environment -g");
    assert!(!environment.contains("NODE_ENV") && !environment.contains("PORT="), "{environment}");
    // Nor does it end with it, however that ends, where somebody has ended that server before.
    host.0.on_host("tmux kill-server");
    a_phone_begins(&host, name);
    let cgroup = host.0.on_host(server);
    assert!(cgroup.contains("agent-os.service"), "{cgroup}");
    let began = host.0.on_host("tmux display-message -p '#{pid}'");
    for end in ["restart", "kill --signal=KILL --kill-who=main"] {
        let listens = "ss -Hltnp 'sport = :3011' | grep -o 'pid=[0-9]*'";
        let old = host.0.on_host(listens);
        host.0.on_host(&format!("systemctl --user {end} agent-os.service"));
        wait_until("it is another one", PATIENCE, || {
            let new = host.0.on_host(&format!("{listens} || true"));
            !new.is_empty() && new != old
        });
        answers();
        assert_eq!(host.0.on_host("tmux display-message -p '#{pid}'"), began, "{end}");
        assert_eq!(host.0.on_host("pgrep -fc 'python3 server.py'"), "1\n", "{end}");
    }
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
