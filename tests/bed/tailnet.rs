//! The real Tailscale in a throw-away tailnet, and ssh through that alone. `tests/run.sh tailnet` builds what it needs.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use super::install::{Host, similar};
use super::support::program::Program;
use super::support::sandbox::Sandbox;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, variable, wait_until};
use super::tiers::{KEY, Market, NAME, knows};

/// What the timer on the host waits for, and a little.
const GUARD: Duration = Duration::from_secs(150);

/// The servers of a tailnet, and a laptop that is in it.
struct Tailnet<'a> {
    host: &'a Host,
    started: Vec<Child>,
    nc: String,
    _market: Market,
}

impl<'a> Tailnet<'a> {
    /// With a key that lets nodes in, or without: then a person opens an address.
    fn start(host: &'a Host, key: Option<&str>) -> Self {
        let real = variable("SINC_TAILNET").expect("tests/run.sh tailnet sets SINC_TAILNET");
        let real = PathBuf::from(real);
        let _market =
            Market::serve(host, "http://10.77.0.1:8098/nowhere", Some(&real), "http://10.77.0.1:8080");
        let mut tailnet = Self { host, started: Vec::new(), nc: String::new(), _market };
        let sandbox = &host.0.sandbox;
        let home = sandbox.home();
        let start =
            |program: &str, args: &[&str]| sandbox.program(real.join(program), &home).args(args).start();
        tailnet.started.push(start("tailnet", &["-addr", "10.77.0.1", "-key", key.unwrap_or_default()]));
        wait_until("the control server answers", PATIENCE, || {
            sandbox.run("bash", &["-c", "exec 3<>/dev/tcp/10.77.0.1/8080"]).code == 0
        });
        let state = sandbox.project("tailscale");
        let socket = state.join("sock");
        let socket = format!("--socket={}", socket.display());
        let dir = format!("--statedir={}", state.display());
        tailnet.started.push(start(
            "tailscaled",
            &["--tun=userspace-networking", &dir, &socket, "--port=0", "--no-logs-no-support"],
        ));
        let tailscale = format!("{} {socket}", real.join("tailscale").display());
        sandbox.write_program(
            host.0.dir.join("bin/tailscale"),
            &format!("#!/bin/sh\nexec {tailscale} \"$@\"\n"),
        );
        wait_until("tailscaled answers", PATIENCE, || {
            sandbox.run("tailscale", &["status", "--json"]).code == 0
        });
        let mut up =
            ["up", "--login-server=http://10.77.0.1:8080", "--hostname=laptop", "--timeout=60s"].to_vec();
        up.push("--accept-dns=false");
        let file = home.join("tailnet-key");
        let file = format!("--auth-key=file:{}", file.display());
        if let Some(key) = key {
            sandbox.write("tailnet-key", format!("{key}\n"));
            up.push(&file);
        }
        let mut joins = sandbox.program("tailscale", &home).args(&up).start();
        if key.is_none() {
            let status = || sandbox.run("tailscale", &["status", "--json"]).stdout;
            wait_until("the laptop's Tailscale has an address to open", PATIENCE, || {
                address(&status()).is_some()
            });
            tailnet.let_in(&address(&status()).unwrap());
        }
        let mut ended = None;
        wait_until("the laptop is in the tailnet", PATIENCE, || {
            ended = joins.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success());
        // By Tailscale's own names: nothing else here knows them.
        tailnet.nc = format!("ProxyCommand {tailscale} nc %h %p");
        knows(host, NAME, &tailnet.nc);
        tailnet
    }

    /// A person opens the address in a browser.
    fn let_in(&self, address: &str) {
        let page = self.host.0.sandbox.run("curl", &["-sSf", "--max-time", "10", address]).success();
        assert!(page.stdout.contains("it is in the tailnet now"), "{page}");
    }

    /// A fresh login through the tailnet.
    fn login(&self) -> bool {
        let to = format!("dev@{NAME}");
        let args = ["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", &to, "true"];
        self.host.0.sandbox.run("timeout", &[&["10", "ssh"][..], &args].concat()).code == 0
    }

    /// Does ssh answer at the host's other addresses?
    fn is_open(&self) -> bool {
        let six = "exec 3<>/dev/tcp/fd77::2/22";
        let six = self.host.0.sandbox.run("timeout", &["3", "bash", "-c", six]).code == 0;
        let four = self.host.answers(22);
        assert_eq!(four, six, "one of the two addresses");
        four
    }

    fn sinc(&self, args: &[&str]) -> Program {
        let sandbox = &self.host.0.sandbox;
        sandbox.program(Sandbox::binary(), &sandbox.home()).args(args).patience(2 * GUARD)
    }
}

impl Drop for Tailnet<'_> {
    fn drop(&mut self) {
        // Whatever has come of it, the bed's own address is a way in again.
        self.host.root("rm -f /usr/local/sbin/ufw; touch /run/go-on; systemctl start sinc-guard.service; ufw allow 22/tcp >/dev/null 2>&1; true");
        let sandbox = &self.host.0.sandbox;
        let _ = self.sinc(&["uninstall", "--yes", "--host", "root@vps"]).run();
        self.host.root("for rule in 'allow 22/tcp' 'limit OpenSSH' 'allow 8443/tcp'; do ufw --force delete $rule >/dev/null 2>&1; done; dpkg --purge tailscale; rm -rf /var/lib/tailscale; true");
        for child in &mut self.started {
            let kill = Program::new("kill", sandbox.env(), std::path::Path::new("/"));
            let _ = kill.args([child.id().to_string()]).run();
            let _ = child.wait();
        }
    }
}

/// The address that lets a node in, where this text has one.
fn address(text: &str) -> Option<String> {
    let from = text.find("http://10.77.0.1:8080/auth/")?;
    let end = text[from..].find(|c: char| c == '"' || c.is_whitespace())?;
    Some(text[from..from + end].to_owned())
}

const BOTH: [&str; 8] = ["install", "--yes", "--tier", "custom", "--with", "ufw", "--with", "tailscale"];

/// A host of which ssh's own component is all that is there, so that no mirror is needed.
fn host() -> Host {
    let mut host = Host::new();
    host.0.sandbox.set("TS_AUTHKEY", KEY);
    let own = "summary = \"nothing\"\nsource = \"a test\"\npinned = \"2026-11-27\"\nstep = []\n";
    host.0.sandbox.write(".config/sinc/components/base.toml", own);
    host
}

#[test]
#[ignore = "the real Tailscale: tests/run.sh tailnet"]
fn ssh_through_the_tailnet_alone_and_back() {
    let host = host();
    let before = host.snapshot();
    let tailnet = Tailnet::start(&host, Some(KEY));
    // Neither a firewall nor a tailnet: a refusal that says what to do.
    let none = host.sinc(&["install", "--yes", "--tailnet-only"]).exits(1);
    assert!(none.stderr.contains("ufw and tailscale are not there as they should be"), "{none}");
    assert!(none.stderr.contains("sinc install --with ufw --with tailscale --tailnet-only"), "{none}");

    // The key joins, and the name becomes the address.
    let joined = host.sinc(&BOTH).success();
    assert!(joined.stderr.contains(&format!("host vps is dev@{NAME} now")), "{joined}");
    assert!(
        joined.stderr.contains("`sinc install --tailnet-only` closes ssh to all but the tailnet"),
        "{joined}"
    );
    assert!(tailnet.login() && tailnet.is_open());

    // A person's own that is down comes up with settings that `tailscale up` alone would ask for, and is not noted.
    let note = "/var/lib/sinc/installed/tailscale";
    host.root(&format!("cp {note} /run/note; sed -i '/^tailnet$/d' {note}; tailscale set --accept-routes"));
    host.root("tailscale down");
    let up = host.sinc(&[&BOTH[..], &["--host", "dev@vps"]].concat()).success();
    assert!(up.stderr.contains("Done tailscale: bring Tailscale up: it is logged in, and down"), "{up}");
    assert_eq!(host.root(&format!("grep -c ^tailnet {note} || true")), "0");
    let prefs = host.root("tailscale debug prefs");
    assert!(prefs.contains("\"RouteAll\": true"), "{prefs}");
    wait_until("the host is in the tailnet again", PATIENCE, || tailnet.login());
    host.root(&format!("tailscale set --accept-routes=false; mv /run/note {note}"));

    // By the public address it is shown, and not done by that way.
    let check = host.sinc(&["install", "--tailnet-only", "--check", "--host", "dev@vps"]).exits(1);
    let once = "+ close ssh (port 22) to all but the tailnet, once a login through it has worked";
    assert!(check.stdout.contains(once), "{check}");
    assert!(tailnet.is_open());

    // Nor by one that only has the name.
    knows(&host, NAME, "HostName 10.77.0.2");
    let named = host.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    let why = format!("the login as dev@{NAME} does not come through the tailnet");
    assert!(named.stderr.contains(&why), "{named}");
    // Nor by one that goes round by the host itself.
    let address = host.root("tailscale ip -4");
    knows(&host, NAME, &format!("HostName {address}\n  ProxyJump dev@vps"));
    let round = host.sinc(&["install", "--tailnet-only", "--yes"]).exits(1);
    assert!(round.stderr.contains(&why), "{round}");
    assert!(tailnet.is_open());
    knows(&host, NAME, &tailnet.nc);

    // A rule of the person's own stays, and one that opens ssh to all makes room.
    host.root("ufw allow 8443/tcp comment mine; ufw limit OpenSSH comment 'my own'");
    let rules = host.root("ufw show added");
    let run = host.sinc(&["install", "--tailnet-only", "--yes"]).success();
    assert!(run.stderr.contains("; meanwhile without your own rule `limit OpenSSH`"), "{run}");
    assert!(run.stderr.contains("Confirmed the firewall, by a second login through the tailnet"), "{run}");
    assert!(!tailnet.is_open() && tailnet.login());
    let now = host.root("ufw show added | grep ^ufw");
    assert_eq!(
        now,
        "ufw allow in on tailscale0 to any port 22 proto tcp comment 'sinc:tailnet-only'\nufw allow 8443/tcp comment 'mine'"
    );
    assert_eq!(host.root("ls /var/lib/sinc/guard /etc/systemd/system/sinc-guard.* 2>/dev/null || true"), "");
    // It is a rule of the firewall, not only what Tailscale lets in by itself.
    host.root("tailscale set --netfilter-mode=off");
    assert!(tailnet.login(), "without Tailscale's own rules");
    host.root("tailscale set --netfilter-mode=on");

    // Again it changes nothing, nor does the firewall's own component open it.
    for args in [&["install", "--tailnet-only", "--check"][..], &[&BOTH[..], &["--check"]].concat()] {
        let again = host.sinc(args).success();
        assert!(again.stderr.contains("everything is as it should be"), "{again}");
    }
    host.0.bed(&["reboot"]);
    wait_until("the host is in the tailnet again", PATIENCE, || tailnet.login());
    assert!(!tailnet.is_open());

    // Its own way in is not cut off, and the way back is named.
    let own = host.sinc(&["uninstall", "--yes"]).exits(1);
    assert!(own.stderr.contains("`sinc uninstall tailnet-only` opens ssh to other addresses first"), "{own}");
    assert!(!tailnet.is_open());
    let back = host.sinc(&["uninstall", "tailnet-only", "--yes"]).success();
    assert!(back.stderr.contains("1 of 1 taken back"), "{back}");
    assert!(tailnet.is_open() && tailnet.login());
    assert_eq!(host.root("ufw show added"), rules);
    host.root("ufw --force delete limit OpenSSH; ufw --force delete allow 8443/tcp");
    host.sinc(&["uninstall", "--host", "dev@vps", "--yes"]).success();
    // It is removed, not purged.
    host.root("dpkg --purge tailscale");
    similar(&before, &host.snapshot());
}

#[test]
#[ignore = "the real Tailscale: tests/run.sh tailnet"]
fn a_tailnet_that_is_cut_meanwhile_leaves_ssh_open() {
    let host = host();
    let tailnet = Tailnet::start(&host, Some(KEY));
    host.sinc(&BOTH).success();
    // The very moment at which ssh is closed: the tailnet goes down.
    let slow = "#!/bin/sh\ncase \"$*\" in '--force delete allow 22/tcp') touch /run/at-it; for n in $(seq 300); do [ ! -e /run/go-on ] || break; sleep 0.1; done ;; esac\nexec /usr/sbin/ufw \"$@\"\n";
    let slowly = format!(
        "rm -f /run/at-it /run/go-on; cat >/usr/local/sbin/ufw <<'END'\n{slow}END\nchmod 755 /usr/local/sbin/ufw"
    );
    let cut = "systemctl stop tailscaled; touch /run/go-on";
    for reboots in [false, true] {
        host.root(&slowly);
        let mut run = tailnet.sinc(&["install", "--tailnet-only", "--yes"]).start();
        wait_until("it is at it", PATIENCE, || !host.root("ls /run/at-it 2>/dev/null || true").is_empty());
        host.root(cut);
        host.root("rm -f /usr/local/sbin/ufw");
        wait_until("the host has gone on by itself", PATIENCE, || {
            host.root("systemctl is-active sinc-apply || true") != "active"
        });
        assert!(!tailnet.is_open());
        if reboots {
            // Nobody confirms it any more.
            let kill = Program::new("kill", host.0.sandbox.env(), std::path::Path::new("/"));
            assert_eq!(kill.args([run.id().to_string()]).run().code, 0);
            host.0.bed(&["reboot"]);
            assert!(!tailnet.is_open());
            assert_eq!(host.root("systemctl show -p SubState --value sinc-guard.timer"), "waiting");
        }
        let armed = "ls /var/lib/sinc/guard/armed 2>/dev/null || true";
        wait_until("the host takes it back by itself", GUARD, || host.root(armed).is_empty());
        host.root("systemctl start tailscaled");
        let mut ended = None;
        wait_until("sinc has ended", GUARD, || {
            ended = run.try_wait().unwrap();
            ended.is_some()
        });
        assert_ne!(ended.unwrap().code(), Some(0));
        assert!(tailnet.is_open());
        wait_until("the host is in the tailnet again", PATIENCE, || tailnet.login());
        let left =
            "ls /var/lib/sinc/installed/tailnet-only /etc/systemd/system/sinc-guard.* 2>/dev/null || true";
        assert_eq!(host.root(left), "");
    }
    host.sinc(&["install", "--tailnet-only", "--yes"]).success();
    assert!(!tailnet.is_open() && tailnet.login());
    host.sinc(&["uninstall", "tailnet-only", "--yes"]).success();
    assert!(tailnet.is_open());
}

#[test]
#[ignore = "the real Tailscale: tests/run.sh tailnet"]
fn a_person_lets_the_host_in_by_opening_an_address() {
    let mut host = host();
    host.0.sandbox.unset("TS_AUTHKEY");
    let before = host.snapshot();
    let tailnet = Tailnet::start(&host, None);
    let args = ["install", "--tier", "custom", "--with", "tailscale"];
    let terminal = Terminal::sinc(&host.0.sandbox, &host.0.sandbox.home(), &args);
    terminal.wait_for("Do this on vps?", PATIENCE);
    terminal.type_line("y");
    terminal.wait_for("auth key of your tailnet (or nothing)", PATIENCE);
    terminal.type_line("");
    wait_until("the address is shown", PATIENCE, || address(&terminal.history()).is_some());
    tailnet.let_in(&address(&terminal.history()).unwrap());
    terminal.wait_for(&format!("Use dev@{NAME}, through the tailnet, for host vps from now on?"), PATIENCE);
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    drop(terminal);
    assert!(tailnet.login());
    let again = host.sinc(&[&args[..], &["--check"]].concat()).success();
    assert!(again.stderr.contains("everything is as it should be"), "{again}");
    host.sinc(&["uninstall", "--host", "dev@vps", "--yes"]).success();
    assert!(!tailnet.login());
    host.root("dpkg --purge tailscale");
    similar(&before, &host.snapshot());
}
