//! A secret is on no disk of the host while it is used, and what a run that was cut off has left of one goes.

use super::kinds::install;
use super::safe::Host;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};
use super::tiers::KEY;

const TAILNET: &str = r#"
[[secret]]
name = "key"
variable = "TS_AUTHKEY"
prompt = "the key"
[[step]]
tailnet = { key = "key" }
"#;

/// A Tailscale that takes the key, and then never comes to an end.
const TAILSCALE: &str = r#"#!/bin/sh
[ "$1" = up ] || { echo '  "BackendState": "NeedsLogin",' && exit; }
for word in "$@"; do
  case $word in --auth-key=file:*) cat "${word#--auth-key=file:}" >/run/took ;; esac
done
exec sleep 600
"#;

#[test]
fn a_key_is_on_no_disk_and_what_was_cut_off_leaves_none() {
    let mut host = Host::new("rm -f /usr/local/bin/tailscale /run/took");
    host.own("tailscale", TAILNET);
    host.own("told", "[[step]]\nfile = { path = \"{home}/.told\", content = \"told\" }\n");
    host.root(&format!(
        "cat >/usr/local/bin/tailscale <<'END'\n{TAILSCALE}END\nchmod 755 /usr/local/bin/tailscale"
    ));
    host.lab.sandbox.set("TS_AUTHKEY", KEY);
    let args = ["install", "--yes", "--tier", "custom", "--with", "tailscale"];
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &args);
    wait_until("Tailscale has the key", PATIENCE, || {
        host.root("cat /run/took 2>/dev/null || true") == format!("{KEY}\n")
    });
    let on_disk = format!("grep -rlF {KEY} /var/lib/sinc /etc /tmp /var/tmp /home /root 2>/dev/null || true");
    assert_eq!(host.root(&on_disk), "");
    host.root("systemctl kill -s KILL sinc-apply.service");
    assert_eq!(terminal.wait_exit(PATIENCE), 1, "{}", terminal.history());

    // As a power loss may leave it, or an older sinc has left it.
    let runs = "/var/lib/sinc/runs/20260101T000000Z-1 /var/lib/sinc/runs/20260102T000000Z-2";
    host.root(&format!(
        "for run in {runs}; do mkdir -p $run; echo {KEY} | tee $run/program >$run/tailnet-key; done"
    ));
    assert_eq!(host.root(&on_disk).lines().count(), 4);
    install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "told"]).success();
    assert_eq!(host.root(&on_disk), "");
    install(&host.lab, &["uninstall", "--yes"]).success();
}
