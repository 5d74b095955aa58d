//! What is opened to everybody, by a flag of its own.

use super::kinds::install;
use super::safe::Host;
use super::support::{PATIENCE, wait_until};

const LISTENS: &str = "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); \
    bind(S, pack_sockaddr_in(2022, INADDR_ANY)) or die; listen(S, 9); sleep 3600";

/// Does this port answer from outside?
fn answers(host: &Host, port: u16) -> bool {
    let line = format!("exec 3<>/dev/tcp/10.77.0.2/{port}");
    host.lab.sandbox.run("timeout", &["3", "bash", "-c", &line]).code == 0
}

#[test]
fn eternal_terminals_port_is_closed_until_a_flag_opens_it() {
    let host = Host::new(
        "systemctl stop of-et; systemctl stop sinc-guard.timer; ufw --force disable; ufw --force reset >/dev/null; \
         rm -f /etc/ufw/*.rules.2* /etc/ufw/*.2[0-9]*; systemctl daemon-reload",
    );
    // What listens there is a stand-in: how it is installed is another test's.
    host.own("et", "[[step]]\nfile = { path = \"/etc/of-et\", content = \"x\\n\" }\n");
    host.root(&format!("systemd-run -q --collect --unit=of-et perl -e '{LISTENS}'"));
    wait_until("it listens", PATIENCE, || answers(&host, 2022));
    install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "ufw", "--with", "et"]).success();
    assert_eq!((answers(&host, 22), answers(&host, 2022)), (true, false), "{}", host.root("ufw status"));
    let run = install(&host.lab, &["install", "--yes", "--et-public"]).success();
    assert!(run.stderr.contains("opens 2022/tcp, to everybody"), "{run}");
    assert!(run.stderr.contains("1 component changed, 3 components needed nothing"), "{run}");
    assert_eq!((answers(&host, 22), answers(&host, 2022)), (true, true), "{}", host.root("ufw status"));
    install(&host.lab, &["install", "--check", "--et-public"]).success();
    install(&host.lab, &["uninstall", "--yes", "et-public"]).success();
    assert_eq!((answers(&host, 22), answers(&host, 2022)), (true, false), "{}", host.root("ufw status"));
    install(&host.lab, &["uninstall", "--yes"]).success();
}
