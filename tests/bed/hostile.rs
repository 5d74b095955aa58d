//! Hosts that are not as one expects: whatever comes of `sinc install`, ssh works afterwards. As many of the starts as fit
//! into a minute are tried, others with `SINC_HOSTILE_SEED=N`; all of them with `SINC_HOSTILE=all`, one by a part of its name.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use super::hostile_starts::{STARTS, Start, Strike, What};
use super::lab::Lab;
use super::support::program::Program;
use super::support::sandbox::{Run, Sandbox};
use super::support::{PATIENCE, variable, wait_until};

/// Makes a host ordinary again on which a start went wrong.
const ORDINARY: &str = "rm -f /usr/local/sbin/* /usr/local/bin/date; systemctl stop sinc-guard.timer; \
    rm -f /etc/systemd/system/sinc-guard.*; systemctl daemon-reload; ufw --force disable; ufw --force reset; \
    rm -f /etc/ufw/*.rules.2*; rm -rf /var/lib/sinc";

/// How long the sample may take.
const SAMPLE: Duration = Duration::from_secs(50);

struct Hostile {
    lab: Lab,
}

impl Hostile {
    fn new() -> Self {
        let lab = Lab::new();
        let hosts = "[host.vps]\ndestination = \"vps\"\n[host.other-port]\ndestination = \"ssh://vps:2200\"\n[host.as-root]\ndestination = \"root@vps\"\n";
        lab.sandbox.configure(format!("default-host = \"vps\"\n{hosts}"));
        // The packages of `base` are not what this is about.
        let own = "summary = \"nothing\"\nsource = \"a test\"\npinned = \"2026-11-26\"\nstep = []\n";
        lab.sandbox.write(".config/sinc/components/base.toml", own);
        lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
        Self { lab }
    }

    fn root(&self, line: &str) -> String {
        self.lab.bed(&["vps", "sh", "-c", line])
    }

    fn program(&self, args: &[&str]) -> Program {
        let sandbox = &self.lab.sandbox;
        sandbox.program(Sandbox::binary(), &sandbox.home()).args(args).patience(Duration::from_secs(180))
    }

    fn sinc(&self, args: &[&str]) -> Run {
        self.lab.sandbox.finish(&self.program(args))
    }

    /// A login of its own, over the same way.
    fn login(&self, start: &Start) -> Run {
        let to: &[&str] = match start.host {
            "other-port" => &["-p", "2200", "vps"],
            "as-root" => &["root@vps"],
            host => &[host],
        };
        let options = ["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"];
        self.lab.sandbox.run("ssh", &[&options[..], to, &["true"]].concat())
    }

    #[track_caller]
    fn works(&self, start: &Start, when: &str, run: &Run) {
        let login = self.login(start);
        assert_eq!(login.code, 0, "{}: no login {when}: {login}\n{run}", start.name);
    }

    fn rules(&self) -> String {
        self.root("/usr/sbin/ufw show added 2>/dev/null | grep '^ufw ' | grep -v sinc: || true")
    }

    fn install(&self, start: &Start) -> Run {
        let args = ["install", "--host", start.host, "--yes", "--tier", "custom", "--with", "ufw"];
        match &start.strikes {
            None => self.sinc(&args),
            Some(strike) => {
                self.strike(start, strike, &args);
                // Whatever has become of that, it is done again.
                self.sinc(&args)
            }
        }
    }

    /// Does it, and something happens in the middle. The login works afterwards, at the latest when the host has taken it back.
    fn strike(&self, start: &Start, strike: &Strike, args: &[&str]) {
        let wrapper = format!(
            "#!/bin/sh\ncase \"$*\" in {}) touch /run/at-it; for n in $(seq 100); do [ ! -e /run/go-on ] || break; sleep 0.1; done ;; esac\nexec /usr/sbin/ufw \"$@\"\n",
            strike.at
        );
        self.root(&format!(
            "rm -f /run/at-it /run/go-on; cat >/usr/local/sbin/ufw <<'END'\n{wrapper}END\nchmod 755 /usr/local/sbin/ufw"
        ));
        let mut sinc = self.program(args).start();
        wait_until(&format!("{}: it is at it", start.name), PATIENCE, || {
            !self.root("ls /run/at-it 2>/dev/null || true").is_empty()
        });
        match strike.what {
            What::Cut => {
                self.lab.bed(&["cut"]);
                self.root("touch /run/go-on");
                let over = Duration::from_secs(30);
                wait_until("the host has gone on by itself", over, || {
                    self.root("systemctl is-active sinc-apply || true") != "active\n"
                });
                self.lab.bed(&["restore"]);
            }
            What::Kill => {
                sinc.kill().unwrap();
                self.root("touch /run/go-on");
            }
            What::KillWork => drop(self.root("systemctl kill -s KILL sinc-apply")),
            What::Reboot => drop(self.lab.bed(&["reboot"])),
            What::Crash => {
                self.lab.bed(&["crash"]);
                self.lab.bed(&["boot"]);
            }
        }
        self.root("rm -f /usr/local/sbin/ufw; touch /run/go-on");
        if self.login(start).code != 0 {
            // What the timer does after two minutes.
            let armed = self.root("systemctl show -p SubState --value sinc-guard.timer");
            assert_eq!(armed, "waiting\n", "{}: nothing takes it back", start.name);
            self.root("systemctl start sinc-guard.service");
            let login = self.login(start);
            assert_eq!(login.code, 0, "{}: no login after that was taken back: {login}", start.name);
        }
        let kill = Program::new("kill", self.lab.sandbox.env(), Path::new("/"));
        let _ = kill.args([sinc.id().to_string()]).run();
        sinc.wait().unwrap();
    }

    fn try_one(&self, start: &Start) {
        self.root(&format!("{}\ntrue", start.prepare));
        let rules = self.rules();
        let run = self.install(start);
        assert_eq!(run.code, start.code, "{}: {run}", start.name);
        assert!(run.stderr.contains(start.says) || start.strikes.is_some(), "{}: {run}", start.name);
        self.works(start, "after it", &run);
        assert_eq!(self.rules(), rules_with_room(&rules), "{}: the person's rules: {run}", start.name);
        if start.code != 0 {
            self.root(start.mend);
        }
        let active = self.root("ufw status 2>&1 || true").starts_with("Status: active");
        assert_eq!(active, start.code == 0, "{}: {run}", start.name);
        let armed =
            self.root("ls /var/lib/sinc/guard/armed /etc/systemd/system/sinc-guard.* 2>/dev/null || true");
        assert_eq!(armed, "", "{}: the guard", start.name);
        if start.code == 0 {
            let args = ["install", "--host", start.host, "--check", "--tier", "custom", "--with", "ufw"];
            let again = self.sinc(&args);
            assert_eq!(again.code, 0, "{}: {again}", start.name);
        }
        let back = self.sinc(&["uninstall", "--host", start.host, "--yes"]);
        assert_eq!(back.code, 0, "{}: {back}", start.name);
        self.works(start, "after it was taken back", &back);
        assert_eq!(self.rules(), rules, "{}: the person's rules: {back}", start.name);
        if start.code == 0 {
            self.root(start.mend);
        }
        self.root("rm -rf /var/lib/sinc");
        let left = self.root("ufw status; ufw show added | tail -n +2; ls /usr/local/sbin");
        assert_eq!(left, "Status: inactive\n(None)\n", "{}: it is ordinary again", start.name);
    }
}

/// A rule that shuts the very port of ssh makes room for the time that sinc's is there.
fn rules_with_room(rules: &str) -> String {
    let shuts = |line: &&str| line.starts_with("ufw deny 22/tcp") || line.starts_with("ufw reject 22/tcp");
    rules.lines().filter(|line| !shuts(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "what is tried, for whoever repeats it")]
fn whatever_the_host_is_like_ssh_works_afterwards() {
    let hostile = Hostile::new();
    let wanted = variable("SINC_HOSTILE");
    let seed = variable("SINC_HOSTILE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut starts: Vec<&Start> = STARTS.iter().collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut starts);
    match wanted.as_deref() {
        None | Some("all") => {}
        Some(part) => starts.retain(|start| start.name.contains(part)),
    }
    let began = Instant::now();
    let (mut tried, mut failed) = (0, Vec::new());
    for start in starts {
        if wanted.is_none() && began.elapsed() > SAMPLE {
            break;
        }
        println!("SINC_HOSTILE_SEED={seed}, start {tried}: {}", start.name);
        // The others are tried all the same.
        if std::panic::catch_unwind(AssertUnwindSafe(|| hostile.try_one(start))).is_err() {
            failed.push(start.name);
            hostile.lab.bed(&["restore"]);
            hostile.root(&format!("{}\n{ORDINARY}\ntrue", start.mend));
        }
        tried += 1;
    }
    assert!(tried > 0, "no start is called that");
    println!("{tried} of {} starts in {} s", STARTS.len(), began.elapsed().as_secs());
    assert!(failed.is_empty(), "SINC_HOSTILE_SEED={seed}: {failed:#?}");
}
