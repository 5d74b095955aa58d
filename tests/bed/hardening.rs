//! sshd's settings, on the timer that guards the firewall; and the component that has them.

use std::path::Path;
use std::time::Duration;

use super::kinds::install;
use super::lab::Lab;
use super::support::program::Program;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};

const PASSWORD: &str = "correct horse $x";
pub(super) const SSHD: &str = "summary = \"sshd\"\nsource = \"a test\"\npinned = \"2026-11-27\"\n[[step]]\n[step.sshd]\n\
    set = { PasswordAuthentication = \"no\", KbdInteractiveAuthentication = \"no\", X11Forwarding = \"no\" }\n";
const ARGS: [&str; 6] = ["install", "--yes", "--tier", "custom", "--with", "strict"];

struct Host(Lab);

impl Host {
    fn new() -> Self {
        let lab = Lab::new();
        lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
        lab.sandbox.write(".config/sinc/components/strict.toml", SSHD);
        Self(lab)
    }

    fn root(&self, line: &str) -> String {
        self.0.bed(&["vps", "sh", "-c", line])
    }

    /// What sshd goes by.
    fn sshd(&self, key: &str) -> String {
        self.root(&format!("sshd -T | sed -n 's/^{key} //p'")).trim().to_owned()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.root(
            "systemctl stop sinc-guard.timer; rm -rf /var/lib/sinc /etc/ssh/sshd_config.d/*; systemctl reset-failed ssh; systemctl restart ssh; \
             loginctl terminate-user pat; pkill -9 -u pat; userdel -rf pat; true",
        );
        self.0.bed(&["net", "off"]);
    }
}

#[test]
fn a_host_is_hardened_and_is_as_it_was_again() {
    let host = Host::new();
    host.0.bed(&["net", "off"]);
    host.0.bed(&["net", "on"]);
    let args = ["install", "--yes", "--tier", "custom", "--with", "hardening"];
    let before = host.root("sysctl -n net.ipv4.conf.all.send_redirects; sshd -T | sort | sha256sum");
    // Somebody has mistyped at this very computer just before: in the journal it comes from a program of sshd's name.
    host.root(
        "mkdir -p /root/of-a-test; cp /usr/bin/logger /root/of-a-test/sshd; \
         { for n in 1 2 3 4 5 6; do echo \"Invalid user mistyped from 10.77.0.1 port 5000$n\"; done; sleep 1; } | /root/of-a-test/sshd -t sshd; \
         rm -r /root/of-a-test",
    );
    let run = install(&host.0, &args).success();
    assert!(run.stderr.contains("Confirmed sshd, by a second login"), "{run}");
    let seen = host.root("grep 10.77.0.1 /var/log/fail2ban.log || true");
    assert!(!seen.is_empty(), "fail2ban has read what was logged before");
    let banned = host.root("fail2ban-client status sshd | grep 'Banned IP list'");
    assert!(!banned.contains("10.77.0.1"), "{banned}: {seen}");
    host.0.on_host("true");
    assert_eq!((host.sshd("passwordauthentication"), host.sshd("x11forwarding")), ("no".into(), "no".into()));
    assert_eq!(host.sshd("permitrootlogin"), "without-password");
    wait_until("fail2ban watches sshd", PATIENCE, || {
        host.root("fail2ban-client status sshd 2>&1 || true").contains("Journal matches")
    });
    assert_eq!(host.root("sysctl -n net.ipv4.conf.all.send_redirects"), "0\n");
    assert!(host.root("apt-config dump APT::Periodic::Unattended-Upgrade").contains("\"1\""));
    let check = install(&host.0, &[&args[..], &["--check"]].concat()).success();
    assert!(check.stderr.contains("everything is as it should be"), "{check}");
    let back = install(&host.0, &["uninstall", "--yes"]).success();
    assert!(back.stderr.contains("1 of 1 taken back"), "{back}");
    assert_eq!(host.root("sysctl -n net.ipv4.conf.all.send_redirects; sshd -T | sort | sha256sum"), before);
    assert_eq!(host.root("ls /etc/ssh/sshd_config.d /etc/fail2ban/jail.d/sinc.local /etc/sysctl.d/60-sinc.conf 2>/dev/null || true").trim(), "/etc/ssh/sshd_config.d:");
}

#[test]
fn without_a_second_login_sshd_goes_back_as_it_was() {
    let host = Host::new();
    host.root("printf 'X11Forwarding yes\\n' >/etc/ssh/sshd_config.d/mine.conf; systemctl reload ssh");
    // The host that is slow to say that sshd was told.
    host.root("printf '#!/bin/sh\\n/usr/bin/systemctl \"$@\"\\ncode=$?\\ncase \"$*\" in *reload-or-restart*) touch /run/at-it; sleep 3 ;; esac\\nexit $code\\n' >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl; rm -f /run/at-it");
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &ARGS);
    wait_until("sshd has its new settings", PATIENCE, || {
        !host.root("ls /run/at-it 2>/dev/null || true").is_empty()
    });
    host.0.bed(&["cut"]);
    let kill = Program::new("kill", host.0.sandbox.env(), Path::new("/"));
    assert_eq!(kill.args(["-9", &terminal.pid().to_string()]).run().code, 0);
    host.root("rm /usr/local/bin/systemctl");
    wait_until("the work has ended", PATIENCE, || {
        host.root("systemctl is-active sinc-apply || true") != "active\n"
    });
    assert_eq!(host.sshd("passwordauthentication"), "no");
    host.0.bed(&["reboot"]);
    host.0.bed(&["restore"]);
    // Meanwhile sshd does not even start with it.
    host.root("echo Nonsense >>/etc/ssh/sshd_config.d/00-sinc.conf; systemctl restart ssh || true");
    wait_until("systemd has given sshd up", PATIENCE, || {
        host.root("systemctl is-active ssh || true") == "failed\n"
    });
    // What the timer does after two minutes.
    host.root("systemctl start sinc-guard.service");
    assert_eq!(host.root("systemctl is-active ssh"), "active\n");
    assert_eq!(
        (host.sshd("passwordauthentication"), host.sshd("x11forwarding")),
        ("yes".into(), "yes".into())
    );
    assert_eq!(
        host.root("ls /etc/ssh/sshd_config.d /var/lib/sinc/installed"),
        "/etc/ssh/sshd_config.d:\nmine.conf\n\n/var/lib/sinc/installed:\n"
    );
    install(&host.0, &ARGS).success();
    assert_eq!(host.sshd("x11forwarding"), "no", "before the person's own file");
    // A person's change of it is kept where sshd does not read it.
    host.root("echo 'MaxAuthTries 5' >>/etc/ssh/sshd_config.d/00-sinc.conf");
    install(&host.0, &["uninstall", "--yes"]).success();
    assert_eq!(host.sshd("x11forwarding"), "yes");
    assert!(host.root("cat /etc/ssh/sshd_config.d/00-sinc.conf.before-uninstall").contains("MaxAuthTries 5"));
}

#[test]
fn what_sshd_does_not_take_never_stands_where_it_would_not_start_with_it() {
    let host = Host::new();
    host.0.sandbox.write(
        ".config/sinc/components/strict.toml",
        SSHD.replace("X11Forwarding = \"no\"", "X11Forwarding = \"perhaps\""),
    );
    // Whenever sshd is asked whether it takes its settings, what there is of sinc's is noted.
    host.root("printf '#!/bin/sh\\ncase $* in *-t*) ls /etc/ssh/sshd_config.d >>/run/seen; echo asked >>/run/seen ;; esac\\nexec /usr/sbin/sshd \"$@\"\\n' >/usr/local/sbin/sshd; chmod 755 /usr/local/sbin/sshd; rm -f /run/seen");
    let run = install(&host.0, &ARGS);
    host.root("rm /usr/local/sbin/sshd");
    assert!(run.exits(1).stderr.contains("sshd does not take its new configuration"));
    assert_eq!(host.root("cat /run/seen"), "asked\n");
    assert_eq!(host.root("ls /etc/ssh/sshd_config.d; systemctl is-active ssh"), "active\n");
}

#[test]
fn a_login_by_a_password_keeps_passwords() {
    let host = Host::new();
    host.root(&format!(
        "useradd -m -s /bin/bash -G sudo pat; echo 'pat:{PASSWORD}' | chpasswd; \
         printf 'AuthenticationMethods any\\nPasswordAuthentication yes\\nMatch User pat\\n  PubkeyAuthentication no\\n' >/etc/ssh/sshd_config.d/mine.conf; systemctl restart ssh"
    ));
    let args = ["install", "--host", "pat@vps", "--tier", "custom", "--with", "strict", "--with", "ufw"];
    let nothing = "summary = \"nothing\"\nsource = \"a test\"\npinned = \"2026-11-26\"\nstep = []\n";
    host.0.sandbox.write(".config/sinc/components/base.toml", nothing);
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &args);
    terminal.wait_for("password:", PATIENCE);
    terminal.type_line(PASSWORD);
    terminal.wait_for("for sudo", PATIENCE);
    terminal.type_line(PASSWORD);
    terminal.wait_for("Do this on pat@vps?", PATIENCE);
    assert!(
        terminal.history().contains("not PasswordAuthentication, because this login of pat came by password"),
        "{}",
        terminal.history()
    );
    terminal.type_line("y");
    // Each fresh login is one of the person's.
    let mut answered = terminal.history().matches("password:").count();
    wait_until("it is done", Duration::from_secs(90), || {
        let asked = terminal.history().matches("password:").count();
        if asked > answered {
            answered = asked;
            terminal.type_line(PASSWORD);
        }
        terminal.exit_code().is_some()
    });
    assert_eq!(terminal.exit_code(), Some(0), "{}", terminal.history());
    assert_eq!(
        (host.sshd("passwordauthentication"), host.sshd("x11forwarding")),
        ("yes".into(), "no".into())
    );
    assert!(host.root("ufw status").starts_with("Status: active"));
    install(&host.0, &["uninstall", "--host", "root@vps", "--yes"]).success();
}
