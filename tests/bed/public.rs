//! What is opened to everybody, by a flag of its own.

use super::install::answers;
use super::kinds::install;
use super::safe::Host;
use super::support::{PATIENCE, wait_until};

/// By IPv4 and by IPv6.
const LISTENS: &str = "use Socket; socket(S, PF_INET6, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); \
    bind(S, pack_sockaddr_in6(2022, Socket::IN6ADDR_ANY)) or die; listen(S, 9); sleep 3600";
const OPEN: [bool; 2] = [true, true];
const SHUT: [bool; 2] = [false, false];

#[test]
fn eternal_terminals_port_is_closed_until_a_flag_opens_it() {
    let host = Host::new(
        "systemctl stop of-et; systemctl stop sinc-guard.timer; ufw --force disable; ufw --force reset >/dev/null; \
         rm -f /etc/ufw/*.rules.2* /etc/ufw/*.2[0-9]*; systemctl daemon-reload",
    );
    // What listens there is a stand-in: how it is installed is another test's.
    host.own("et", "[[step]]\nfile = { path = \"/etc/of-et\", content = \"x\\n\" }\n");
    host.root(&format!("systemd-run -q --collect --unit=of-et perl -e '{LISTENS}'"));
    wait_until("it listens", PATIENCE, || answers(&host.lab, 2022) == OPEN);
    install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "ufw", "--with", "et"]).success();
    assert_eq!(
        (answers(&host.lab, 22), answers(&host.lab, 2022)),
        (OPEN, SHUT),
        "{}",
        host.root("ufw status")
    );
    let run = install(&host.lab, &["install", "--yes", "--et-public"]).success();
    assert!(run.stderr.contains("opens 2022/tcp, to everybody"), "{run}");
    assert!(run.stderr.contains("1 component changed, 3 components needed nothing"), "{run}");
    assert_eq!(
        (answers(&host.lab, 22), answers(&host.lab, 2022)),
        (OPEN, OPEN),
        "{}",
        host.root("ufw status")
    );
    install(&host.lab, &["install", "--check", "--et-public"]).success();
    install(&host.lab, &["uninstall", "--yes", "et-public"]).success();
    assert_eq!(
        (answers(&host.lab, 22), answers(&host.lab, 2022)),
        (OPEN, SHUT),
        "{}",
        host.root("ufw status")
    );
    install(&host.lab, &["uninstall", "--yes"]).success();
}
