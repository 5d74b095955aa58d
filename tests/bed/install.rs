//! `sinc install` on a booted Debian: real systemd, apt, npm and ufw, and a login that must never be lost.

use std::path::Path;
use std::time::Duration;

use super::lab::Lab;
use super::snapshot;
use super::support::program::Program;
use super::support::sandbox::Run;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, poll, wait_until};

/// Packages come from far away.
const LONG: Duration = Duration::from_secs(900);

/// Does this port answer from outside, by IPv4 and by IPv6?
pub(super) fn answers(lab: &Lab, port: u16) -> [bool; 2] {
    std::thread::scope(|scope| {
        let ask = |address| {
            let line = format!("exec 3<>/dev/tcp/{address}/{port}");
            scope.spawn(move || lab.sandbox.run("timeout", &["3", "bash", "-c", &line]).code == 0)
        };
        ["10.77.0.2", "fd77::2"].map(ask).map(|it| it.join().unwrap())
    })
}

/// A host with a way to its mirrors, on which sinc has put nothing; afterwards it has nothing of sinc's again.
pub(super) struct Host(pub(super) Lab);

impl Host {
    pub(super) fn new() -> Self {
        let lab = Lab::new();
        lab.bed(&["net", "off"]);
        lab.bed(&["net", "on"]);
        let hosts = "[host.vps]\ndestination = \"vps\"\n[host.fresh]\ndestination = \"root@vps\"\n";
        let agent = "[agent.test]\ncommand = \"echo agent ready; cat\"\n";
        lab.sandbox.configure(format!("default-host = \"vps\"\n{hosts}{agent}"));
        let host = Self(lab);
        let mirror = "url=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources | head -n 1); \
            curl -sfI -m 5 $url/dists/stable/Release >/dev/null && echo yes || echo no";
        wait_until("the way to Debian's mirror is open", LONG, || host.root(mirror) == "yes");
        // What a test before this one left, when it failed in the middle.
        host.root(
            "if dpkg-query -W ripgrep ncurses-term >/dev/null 2>&1; then \
             apt-get -y -q purge ripgrep ncurses-term && rm -f /etc/default/locale*; fi",
        );
        assert_eq!(host.root("ls /var/lib/sinc/installed 2>/dev/null | wc -l"), "0");
        host
    }

    pub(super) fn root(&self, line: &str) -> String {
        self.0.bed(&["vps", "sh", "-c", line]).trim().to_owned()
    }

    /// Runs sinc with the time that packages take.
    #[track_caller]
    pub(super) fn sinc(&self, args: &[&str]) -> Run {
        let sandbox = &self.0.sandbox;
        let program = sandbox.program(super::support::sandbox::Sandbox::binary(), &sandbox.home());
        sandbox.finish(&program.args(args).patience(LONG))
    }

    /// What a run must bring back.
    pub(super) fn snapshot(&self) -> String {
        snapshot::of(&self.0)
    }

    /// Does this port answer from outside, by IPv4 or by IPv6?
    pub(super) fn answers(&self, port: u16) -> bool {
        answers(&self.0, port) != [false, false]
    }

    /// Waits for something on the host that a run in this terminal does.
    #[track_caller]
    fn wait_for_root(&self, terminal: &Terminal, what: &str, line: &str) {
        let line = format!("if {line}; then echo yes; fi");
        let patience = Duration::from_secs(120);
        assert!(
            poll(patience, || self.root(&line) == "yes"),
            "not within {patience:?}: {what}: {}",
            terminal.history()
        );
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.sinc(&["uninstall", "--host", "root@vps", "--yes"]);
        self.0.bed(&["vps", "rm", "-rf", "/var/lib/sinc", "/home/ann"]);
        self.0.bed(&["net", "off"]);
    }
}

#[test]
fn a_login_as_root_becomes_a_host_for_an_agent_and_goes_back() {
    let host = Host::new();
    let before = host.snapshot();
    // Something that listens, for a look from outside.
    host.root("/usr/sbin/sshd -o Port=8022 -o PidFile=/run/other.pid");
    assert_eq!(answers(&host.0, 8022), [true, true]);
    host.root("kill $(cat /run/other.pid)");

    let args = [
        "install",
        "--host",
        "fresh",
        "--user",
        "ann",
        "--tier",
        "minimal",
        "--without",
        "et",
        "--agent",
        "codex",
    ];
    let run = host.sinc(&[&args[..], &["--yes"]].concat()).success();
    assert!(run.stderr.contains("Confirmed the firewall, by a second login"), "{run}");
    assert!(run.stderr.contains("codex is not logged in yet: `codex login` on the host"), "{run}");
    // The login moved, and is an ordinary user who may become root.
    assert!(host.0.sandbox.read(".config/sinc/config.toml").contains("destination = \"ann@vps\""), "{run}");
    let who = "id -un; sudo -n id -un; codex --version; locale | grep LANG=; rg --version | head -n 1; infocmp alacritty | head -n 2";
    let as_ann =
        host.0.sandbox.run("ssh", &["-o", "ControlPath=none", "ann@vps", "bash", "-lc", &format!("'{who}'")]);
    let said = as_ann.success().stdout;
    for line in ["ann\nroot\ncodex-cli 0.169.0\n", "LANG=C.UTF-8\n", "ripgrep", "alacritty terminal emulator"]
    {
        assert!(said.contains(line), "{said}");
    }

    // Again: nothing to do, by the new login.
    let again = host.sinc(
        &[&args[..2], &["fresh", "--tier", "minimal", "--without", "et", "--agent", "codex", "--check"]]
            .concat(),
    );
    assert!(again.success().stderr.contains("everything is as it should be"));

    // Only ssh answers, also after a restart.
    host.0.bed(&["reboot"]);
    assert!(host.root("ufw status").starts_with("Status: active"));
    host.root("/usr/sbin/sshd -o Port=8022 -o PidFile=/run/other.pid");
    assert_eq!((answers(&host.0, 22), answers(&host.0, 8022)), ([true, true], [false, false]));
    host.root("kill $(cat /run/other.pid)");
    host.0.on_host("true");

    // Its own login cannot take its user away; root's can.
    let own = host.sinc(&["uninstall", "--host", "fresh", "--yes"]).exits(1);
    assert!(own.stderr.contains("cannot be removed by its own login"), "{own}");
    let back = host.sinc(&["uninstall", "--host", "root@vps", "--yes"]).success();
    assert!(back.stderr.contains("5 of 5 taken back"), "{back}");
    assert_eq!(host.root("ls -d /home/ann"), "/home/ann", "data stays");
    similar(&before, &host.snapshot());
}

#[track_caller]
pub(super) fn similar(before: &str, after: &str) {
    let before: std::collections::BTreeSet<&str> = before.lines().collect();
    let after: std::collections::BTreeSet<&str> = after.lines().collect();
    let gone: Vec<_> = before.difference(&after).collect();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(gone.is_empty() && new.is_empty(), "gone: {gone:#?}\nnew: {new:#?}");
}

#[test]
fn a_line_cut_in_the_middle_is_watched_again() {
    let host = Host::new();
    let terminal = Terminal::sinc(
        &host.0.sandbox,
        &host.0.sandbox.home(),
        &["install", "--yes", "--tier", "custom", "--with", "base"],
    );
    host.wait_for_root(&terminal, "the work began", "systemctl is-active --quiet sinc-apply");
    // Before it was told so, there is nothing that it could watch again.
    terminal.wait_for("Working", LONG);
    host.0.bed(&["cut"]);
    terminal.wait_for("the line was lost; the host goes on", Duration::from_secs(30));
    host.0.bed(&["restore"]);
    assert_eq!(terminal.wait_exit(LONG), 0, "{}", terminal.history());
    assert!(terminal.history().contains("1 component changed"), "{}", terminal.history());
    let again = host.sinc(&["install", "--check", "--tier", "custom", "--with", "base"]).success();
    assert!(again.stderr.contains("everything is as it should be"), "{again}");
}

#[test]
fn ctrl_c_ends_the_watching_and_not_the_work() {
    let host = Host::new();
    let args = ["install", "--yes", "--tier", "custom", "--with", "base"];
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &args);
    host.wait_for_root(&terminal, "the work began", "systemctl is-active --quiet sinc-apply");
    terminal.wait_for("Working", LONG);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130, "{}", terminal.history());
    let history = terminal.history();
    assert!(history.contains("the host goes on by itself; the same command watches it again"), "{history}");
    assert_eq!(host.root("systemctl is-active sinc-apply"), "active");
    let next = host.sinc(&args).success();
    assert!(next.stderr.contains("Watching a run that is going on there already"), "{next}");
    assert!(next.stderr.contains("everything is as it should be"), "{next}");
}

#[test]
fn a_run_whose_sinc_was_killed_is_watched_by_the_next_one_and_power_loss_is_mended() {
    let host = Host::new();
    let args = ["install", "--yes", "--tier", "custom", "--with", "base"];
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &args);
    host.wait_for_root(&terminal, "the work began", "systemctl is-active --quiet sinc-apply");
    let kill = Program::new("kill", host.0.sandbox.env(), Path::new("/"));
    assert_eq!(kill.args(["-9", &terminal.pid().to_string()]).run().code, 0);
    let next = host.sinc(&args).success();
    assert!(next.stderr.contains("Watching a run that is going on there already"), "{next}");
    assert!(next.stderr.contains("everything is as it should be"), "{next}");

    host.sinc(&["uninstall", "--yes"]).success();
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &args);
    host.wait_for_root(&terminal, "dpkg is at work", "pgrep -f '[-]-unpack' >/dev/null");
    host.0.bed(&["crash"]);
    host.0.bed(&["boot"]);
    host.0.bed(&["net", "off"]);
    host.0.bed(&["net", "on"]);
    assert_eq!(terminal.wait_exit(LONG), 1, "{}", terminal.history());
    let next = host.sinc(&args).success();
    assert_eq!(host.root("dpkg --audit"), "", "{next}");
    host.sinc(&["install", "--check", "--tier", "custom", "--with", "base"]).success();
}

#[test]
fn without_a_second_login_the_firewall_goes_back_also_after_a_restart() {
    let host = Host::new();
    // A second port of ssh, and a rule of the person's own that shuts it.
    host.root("ufw deny 2222/tcp; printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh");
    let args = ["install", "--yes", "--tier", "custom", "--with", "ufw", "--without", "base"];
    let refused = host.sinc(&args).exits(2);
    assert!(refused.stderr.contains("`ufw` needs `base`"), "{refused}");
    let args = &args[..6];
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), args);
    host.wait_for_root(&terminal, "the timer is armed", "test -e /var/lib/sinc/guard/armed");
    host.0.bed(&["cut"]);
    let kill = Program::new("kill", host.0.sandbox.env(), Path::new("/"));
    assert_eq!(kill.args(["-9", &terminal.pid().to_string()]).run().code, 0);
    host.wait_for_root(&terminal, "the work has ended", "! systemctl is-active --quiet sinc-apply");
    assert!(host.root("ufw status").starts_with("Status: active"));
    host.0.bed(&["reboot"]);
    host.0.bed(&["restore"]);
    assert!(host.root("systemctl list-timers sinc-guard.timer").contains("sinc-guard.service"));
    // It goes off by itself, within its two minutes.
    let left = host.root(
        "next=$(busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/sinc_2dguard_2etimer \
         org.freedesktop.systemd1.Timer NextElapseUSecMonotonic | cut -d' ' -f2); \
         [ \"$(systemctl show -p SubState --value sinc-guard.timer)\" = waiting ] && echo $((next / 1000000 - $(cut -d. -f1 /proc/uptime)))",
    );
    assert!(left.trim().parse::<i64>().is_ok_and(|left| left <= 121), "{left:?} s");
    // What the timer does after two minutes.
    host.root("systemctl start sinc-guard.service");
    assert_eq!(host.root("ufw status"), "Status: inactive");
    assert_eq!(
        host.root("ufw show added | tail -n +2"),
        "ufw deny 2222/tcp",
        "the person's own rule is as it was"
    );
    assert_eq!(host.root("ls /etc/systemd/system | grep -c sinc || true"), "0");
    assert!(host.answers(22) && host.answers(2222));

    // Run again, it is confirmed: both ports stay open.
    let run = host.sinc(args).success();
    assert!(run.stderr.contains("Confirmed the firewall, by a second login"), "{run}");
    assert!(host.root("ufw status").starts_with("Status: active"));
    assert!(host.answers(22) && host.answers(2222));
    assert_eq!(host.root("ls /var/lib/sinc/guard 2>/dev/null | wc -l"), "0");
    // Taken back, the person's rule is there again.
    host.sinc(&["uninstall", "--yes"]).success();
    assert_eq!(host.root("ufw show added | tail -n +2"), "ufw deny 2222/tcp");
    host.root(
        "ufw --force delete deny 2222/tcp; rm /etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh",
    );
}
