//! Hosts that are not as one expects: whatever comes of `sinc install`, ssh works afterwards. The first of these starts
//! are tried always, all of them with `SINC_HOSTILE=all`.

use std::time::Duration;

use super::lab::Lab;
use super::support::variable;

/// A start: what the host is made to be, and how it is made ordinary again.
struct Start {
    name: &'static str,
    /// Who logs in; `vps` unless the case is about that.
    host: &'static str,
    prepare: &'static str,
    /// What sinc ends with, and what it says.
    code: i32,
    says: &'static str,
    mend: &'static str,
}

const PLAIN: Start = Start {
    name: "",
    host: "vps",
    prepare: "true",
    code: 0,
    says: "Confirmed the firewall, by a second login",
    mend: "true",
};

/// In the order of what is most worth knowing.
const STARTS: [Start; 12] = [
    Start {
        name: "a rule of the person's shuts everything",
        prepare: "ufw deny from any",
        mend: "ufw --force delete deny from any",
        ..PLAIN
    },
    Start {
        name: "ssh is on another port alone",
        host: "other-port",
        prepare: "echo 'Port 2200' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        mend: "rm /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        ..PLAIN
    },
    Start {
        name: "the firewall's own tools are missing",
        prepare: "mv /usr/sbin/iptables /usr/sbin/iptables.away",
        code: 1,
        says: "warning: ufw failed:",
        mend: "mv /usr/sbin/iptables.away /usr/sbin/iptables",
        ..PLAIN
    },
    Start {
        name: "no timer can be armed",
        prepare: "systemctl mask sinc-guard.timer",
        code: 1,
        says: "warning: ufw failed:",
        mend: "systemctl unmask sinc-guard.timer; rm -rf /var/lib/sinc/guard",
        ..PLAIN
    },
    Start {
        name: "the firewall is on and lets only this address in",
        prepare: "ufw allow from 10.77.0.1; ufw --force enable",
        mend: "ufw --force disable; ufw --force delete allow from 10.77.0.1",
        ..PLAIN
    },
    Start {
        name: "the firewall lets everything in by default",
        prepare: "ufw default allow incoming",
        mend: "ufw default deny incoming",
        ..PLAIN
    },
    Start {
        name: "ssh is limited by the person",
        prepare: "ufw limit ssh",
        mend: "ufw --force delete limit ssh",
        ..PLAIN
    },
    Start {
        name: "tables of the person's own",
        prepare: "nft add table inet mine; nft add chain inet mine input '{ type filter hook input priority 0; policy accept; }'; nft add rule inet mine input tcp dport 9 drop",
        mend: "nft delete table inet mine",
        ..PLAIN
    },
    Start {
        name: "without IPv6",
        prepare: "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1; sed -i 's/^IPV6=yes/IPV6=no/' /etc/default/ufw",
        mend: "sysctl -q -w net.ipv6.conf.all.disable_ipv6=0; ip addr add fd77::2/64 dev eth0 nodad; sed -i 's/^IPV6=no/IPV6=yes/' /etc/default/ufw",
        ..PLAIN
    },
    Start {
        name: "the firewall's rules cannot be written",
        prepare: "mount --bind /etc/ufw /etc/ufw; mount -o remount,ro,bind /etc/ufw",
        code: 1,
        says: "warning: ufw failed:",
        mend: "umount /etc/ufw",
        ..PLAIN
    },
    Start {
        name: "sshd's files disagree",
        prepare: "printf 'ListenAddress 0.0.0.0:22\\nListenAddress 0.0.0.0:2201\\nAddressFamily inet\\n' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        mend: "rm /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        ..PLAIN
    },
    Start {
        name: "only one user may log in",
        prepare: "echo 'AllowUsers dev' >/etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        mend: "rm /etc/ssh/sshd_config.d/x.conf; systemctl restart ssh",
        ..PLAIN
    },
];

#[test]
fn whatever_the_host_is_like_ssh_works_afterwards() {
    let lab = Lab::new();
    lab.sandbox.configure("default-host = \"vps\"\n[host.vps]\ndestination = \"vps\"\n[host.other-port]\ndestination = \"ssh://vps:2200\"\n");
    let root = |line: &str| lab.bed(&["vps", "sh", "-c", line]);
    let sinc = |args: &[&str]| {
        let program = lab.sandbox.program(super::support::sandbox::Sandbox::binary(), &lab.sandbox.home());
        lab.sandbox.finish(&program.args(args).patience(Duration::from_secs(120)))
    };
    // The packages of `base` are not what this is about.
    let own = "summary = \"nothing\"\nsource = \"a test\"\npinned = \"2026-11-26\"\nstep = []\n";
    lab.sandbox.write(".config/sinc/components/base.toml", own);
    let all = variable("SINC_HOSTILE").is_some_and(|how| how == "all");
    let tried = if all { STARTS.len() } else { 3 };
    for start in &STARTS[..tried] {
        root(start.prepare);
        let rules = root("ufw show added | grep '^ufw ' | grep -v sinc: || true");
        let run = sinc(&["install", "--host", start.host, "--yes", "--tier", "custom", "--with", "ufw"]);
        assert_eq!(run.code, start.code, "{}: {run}", start.name);
        assert!(run.stderr.contains(start.says), "{}: {run}", start.name);
        let login = |what: &str| {
            let args = match start.host {
                "vps" => vec!["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "vps", "true"],
                _ => vec!["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-p", "2200", "vps", "true"],
            };
            let login = lab.sandbox.run("ssh", &args);
            assert_eq!(login.code, 0, "{}: no login {what}: {login}\n{run}", start.name);
        };
        login("after it");
        assert_eq!(
            root("ufw show added | grep '^ufw ' | grep -v sinc: || true"),
            rules,
            "{}: the person's rules",
            start.name
        );
        let active = root("ufw status 2>&1 || true").starts_with("Status: active");
        assert_eq!(active, start.code == 0, "{}: {run}", start.name);
        assert_eq!(
            root("test ! -e /var/lib/sinc/guard/armed && echo none"),
            "none\n",
            "{}: the guard",
            start.name
        );
        if start.code == 0 {
            let again =
                sinc(&["install", "--host", start.host, "--check", "--tier", "custom", "--with", "ufw"]);
            assert_eq!(again.code, 0, "{}: {again}", start.name);
        }
        if start.code != 0 {
            root(start.mend);
        }
        let back = sinc(&["uninstall", "--host", start.host, "--yes"]);
        assert_eq!(back.code, 0, "{}: {back}", start.name);
        login("after it was taken back");
        if start.code == 0 {
            root(start.mend);
        }
        root("rm -rf /var/lib/sinc");
    }
    assert_eq!(root("ufw status; ufw show added | tail -n +2"), "Status: inactive\n(None)\n");
}
