//! Hosts that are not as one expects: whatever comes of `sinc install`, ssh works afterwards. As many of the starts as fit
//! into a minute are tried, some of each kind, others with `SINC_HOSTILE_SEED=N`; all of them with `SINC_HOSTILE=all`, one by a part of its name.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use super::hostile_sshd::all;
use super::hostile_starts::{SSHD, Start, Strike, What};
use super::lab::Lab;
use super::support::program::Program;
use super::support::sandbox::{Run, Sandbox};
use super::support::{PATIENCE, variable, wait_until};

/// Makes a host ordinary again on which a start went wrong.
const ORDINARY: &str = "rm -f /usr/local/sbin/* /usr/local/bin/date; systemctl stop sinc-guard.timer; \
    rm -f /etc/systemd/system/sinc-guard.*; systemctl daemon-reload; ufw --force disable; ufw --force reset; \
    rm -f /etc/ufw/*.rules.2*; rm -rf /var/lib/sinc /etc/ssh/sshd_config.d/*; systemctl reset-failed ssh; systemctl restart ssh";

/// The ways to the host, by the names that the starts have for them.
const HOSTS: [(&str, &str); 6] = [
    ("vps", "vps"),
    ("by-ipv6", "vps6"),
    ("other-port", "ssh://vps:2200"),
    ("as-root", "root@vps"),
    ("pat", "pat@vpw"),
    ("root-by-password", "root@vpw"),
];

/// What sshd's files say, and whether sinc's is among them.
const GOES_BY: &str =
    "for n in 1 2 3 4 5; do mkdir -p /run/sshd; /usr/sbin/sshd -T 2>/dev/null && break; done | sort || true";
const SETTINGS: &str = "if [ -e /etc/ssh/sshd_config.d/00-sinc.conf ]; then echo yes; fi";

/// How long the sample may take.
const SAMPLE: Duration = Duration::from_secs(50);

struct Hostile {
    lab: Lab,
}

impl Hostile {
    fn new() -> Self {
        let lab = Lab::new();
        let hosts = HOSTS.map(|(name, to)| format!("[host.{name}]\ndestination = \"{to}\"\n")).concat();
        lab.sandbox.configure(format!("default-host = \"vps\"\n{hosts}"));
        // The packages of `base` are not what this is about.
        let own = |name: &str, steps: &str| {
            let head = "summary = \"of a test\"\nsource = \"a test\"\npinned = \"2026-11-26\"\n";
            lab.sandbox.write(format!(".config/sinc/components/{name}.toml"), format!("{head}{steps}"));
        };
        own("base", "step = []\n");
        // What `hardening` sets in sshd, without its packages.
        let (_, sshd) =
            include_str!("../../install/components/hardening.toml").rsplit_once("[[step]]").unwrap();
        own("strict", &format!("[[step]]{sshd}"));
        own(
            "rule",
            "needs = [\"ufw\"]\n[[step]]\nufw = { allow = \"3011/tcp\", interface = \"tailscale0\" }\n",
        );
        by_password(&lab);
        lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
        Self { lab }
    }

    /// No connection is shared with what was before.
    fn alone(&self) {
        let Ok(sockets) = std::fs::read_dir(self.lab.sandbox.home().join(".sinc/cm")) else { return };
        for socket in sockets.flatten() {
            let control = format!("ControlPath={}", socket.path().display());
            let _ = self.lab.sandbox.run("ssh", &["-o", &control, "-O", "exit", "vps"]);
        }
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
        let (_, to) = HOSTS.iter().find(|(name, _)| *name == start.host).unwrap();
        let options = ["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-o", "BatchMode=yes"];
        self.lab.sandbox.run("ssh", &[&options[..], &[to, "true"]].concat())
    }

    #[track_caller]
    fn works(&self, start: &Start, when: &str, run: &Run) {
        let login = self.login(start);
        assert_eq!(login.code, 0, "{}: no login {when}: {login}\n{run}", start.name);
    }

    /// The ways to log in that the sshd has which runs, whatever its files say.
    fn offers(&self, start: &Start) -> String {
        let (_, to) = HOSTS.iter().find(|(name, _)| *name == start.host).unwrap();
        let options =
            ["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "-o", "PreferredAuthentications=none"];
        let ways = || {
            let refused = self.lab.sandbox.run("ssh", &[&options[..], &[to, "true"]].concat()).exits(255);
            refused
                .stderr
                .lines()
                .last()
                .and_then(|line| Some(line.split_once('(')?.1.to_owned()))
                .ok_or(refused)
        };
        // A firewall that limits ssh (six logins in 30 s, and each try is one more) may refuse one of so many.
        let ways = ways().or_else(|_| {
            std::thread::sleep(Duration::from_secs(31));
            ways()
        });
        ways.unwrap_or_else(|refused| panic!("{}: no way is named: {refused}", start.name))
    }

    fn rules(&self) -> String {
        self.root("/usr/sbin/ufw show added 2>/dev/null | grep '^ufw ' | grep -v sinc: || true")
    }

    fn install(&self, start: &Start) -> Run {
        let with = start.with.iter().flat_map(|name| ["--with", name]);
        let args = ["install", "--host", start.host, "--yes", "--tier", "custom"].into_iter().chain(with);
        let args: Vec<&str> = args.collect();
        if let Some(strike) = start.strikes.as_ref().filter(|strike| !strike.uninstall) {
            self.strike(start, strike, &args);
        }
        // Whatever has become of that, it is done again.
        self.sinc(&args)
    }

    fn uninstall(&self, start: &Start) -> Run {
        let args = ["uninstall", "--host", start.host, "--yes"];
        if let Some(strike) = start.strikes.as_ref().filter(|strike| strike.uninstall) {
            self.strike(start, strike, &args);
        }
        self.sinc(&args)
    }

    /// Does it, and something happens in the middle. The login works afterwards, at the latest when the host has taken it back.
    fn strike(&self, start: &Start, strike: &Strike, args: &[&str]) {
        let at = strike.at;
        let real =
            format!("{}/{}", if at.program == "systemctl" { "/usr/bin" } else { "/usr/sbin" }, at.program);
        let wrapper = format!("/usr/local/sbin/{}", at.program);
        let (before, after) =
            if at.done { (format!("{real} \"$@\"; code=$?;"), "exit $code") } else { (String::new(), "") };
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in {}) {before} touch /run/at-it; for n in $(seq 100); do [ ! -e /run/go-on ] || break; sleep 0.1; done; {after} ;; esac\nexec {real} \"$@\"\n",
            at.words
        );
        self.root(&format!(
            "rm -f /run/at-it /run/go-on; cat >{wrapper} <<'END'\n{text}END\nchmod 755 {wrapper}"
        ));
        let mut sinc = self.program(args).start();
        wait_until(&format!("{}: it is at it", start.name), 3 * PATIENCE, || {
            !self.root("ls /run/at-it 2>/dev/null || true").is_empty()
        });
        let ended = || self.root("systemctl is-active sinc-apply || true") != "active\n";
        match strike.what {
            What::Cut => {
                self.lab.bed(&["cut"]);
                self.root("touch /run/go-on");
                wait_until("the host has gone on by itself", Duration::from_secs(30), ended);
                self.lab.bed(&["restore"]);
            }
            What::Full => {
                sinc.kill().unwrap();
                self.root("cat /dev/zero >/run/full/fill 2>/dev/null; touch /run/go-on");
                wait_until("the host has gone on by itself", Duration::from_secs(30), ended);
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
        self.root(&format!("rm -f {wrapper}; touch /run/go-on"));
        let shut_out = self.login(start).code != 0;
        let armed = self.root("systemctl show -p SubState --value sinc-guard.timer") == "waiting\n";
        assert!(shut_out || !strike.shuts, "{}: ssh is not shut", start.name);
        assert!(armed || !shut_out, "{}: nothing takes it back", start.name);
        // What the timer does after two minutes; it is waited for also where it need not be, or is started again over it.
        if shut_out || armed && matches!(strike.what, What::Crash | What::Full) {
            // A sinc that lives may have confirmed it meanwhile.
            let may_be_gone = if shut_out { "" } else { " || true" };
            self.root(&format!("systemctl start sinc-guard.service{may_be_gone}"));
            let login = self.login(start);
            assert_eq!(login.code, 0, "{}: no login after that was taken back: {login}", start.name);
        }
        if strike.shuts {
            self.root(start.mend);
        }
        self.root("rm -f /run/full/fill");
        let kill = Program::new("kill", self.lab.sandbox.env(), Path::new("/"));
        let _ = kill.args([sinc.id().to_string()]).run();
        sinc.wait().unwrap();
    }

    fn try_one(&self, start: &Start) {
        self.alone();
        self.root(&format!("{}\ntrue", start.prepare));
        let (rules, sshd, offers) = (self.rules(), self.root(GOES_BY), self.offers(start));
        let run = self.install(start);
        assert_eq!(run.code, start.code, "{}: {run}", start.name);
        assert!(run.stderr.contains(start.says) || start.strikes.is_some(), "{}: {run}", start.name);
        self.works(start, "after it", &run);
        let has = |component| start.code == 0 && start.with.contains(&component);
        assert_eq!(self.rules(), rules_with_room(&rules), "{}: the person's rules: {run}", start.name);
        let (set, now) = (self.root(SETTINGS), self.root(GOES_BY));
        assert_eq!(
            (set == "yes\n", now == sshd),
            (has("strict"), !has("strict")),
            "{}: sshd: {run}",
            start.name
        );
        let offers_now = self.offers(start);
        let fewer = has("strict") && !matches!(start.host, "pat" | "root-by-password");
        assert!(
            if fewer { offers_now == "publickey)." } else { offers_now == offers || has("strict") },
            "{}: {offers_now}: {run}",
            start.name
        );
        if start.code != 0 {
            self.root(start.mend);
        }
        let active = self.root("ufw status 2>&1 || true").starts_with("Status: active");
        assert_eq!(active, has("ufw"), "{}: {run}", start.name);
        let guard = "ls /var/lib/sinc/guard/armed /etc/systemd/system/sinc-guard.* 2>/dev/null || true";
        assert_eq!(self.root(guard), "", "{}: the guard", start.name);
        if start.code == 0 {
            let with = start.with.iter().flat_map(|name| ["--with", name]);
            let args =
                ["install", "--host", start.host, "--check", "--tier", "custom"].into_iter().chain(with);
            let again = self.sinc(&args.collect::<Vec<_>>());
            assert_eq!(again.code, 0, "{}: {again}", start.name);
        }
        let back = self.uninstall(start);
        assert_eq!(back.code, 0, "{}: {back}", start.name);
        self.works(start, "after it was taken back", &back);
        assert_eq!(self.rules(), rules, "{}: the person's rules: {back}", start.name);
        assert_eq!(self.root(guard), "", "{}: the guard: {back}", start.name);
        if start.code == 0 {
            assert_eq!(
                (self.root(GOES_BY), self.offers(start)),
                (sshd, offers),
                "{}: sshd: {back}",
                start.name
            );
            self.root(start.mend);
        }
        self.root("rm -rf /var/lib/sinc");
        let left =
            self.root("ufw status; ufw show added | tail -n +2; ls /usr/local/sbin /etc/ssh/sshd_config.d");
        let ordinary = "Status: inactive\n(None)\n/etc/ssh/sshd_config.d:\n\n/usr/local/sbin:\n";
        assert_eq!(left, ordinary, "{}: it is ordinary again", start.name);
    }
}

/// Whoever logs in to `vpw` gives the password to ssh by a program, as a desktop does; also to the ssh that sinc runs.
fn by_password(lab: &Lab) {
    let config = lab.dir.join("ssh_config");
    let mut text = std::fs::read_to_string(&config).unwrap();
    let key = text.lines().find(|line| line.contains("IdentityFile")).unwrap();
    let known = lab.dir.join("known_hosts");
    let more = format!(
        "Host vpw\n  HostName 10.77.0.2\n{key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  StrictHostKeyChecking accept-new\n",
        known.display()
    );
    text.push_str(&more);
    std::fs::write(&config, text).unwrap();
    let askpass = lab.dir.join("askpass");
    lab.sandbox.write_program(&askpass, "#!/bin/sh\necho 'correct horse'\n");
    let ssh = lab.dir.join("bin/ssh");
    let real = std::fs::read_to_string(&ssh).unwrap();
    let asked = real.replace("#!/bin/sh\n", "").replace(" -F ", " -o BatchMode=no -F ");
    let real = real.replace(
        "#!/bin/sh\n",
        &format!(
            "#!/bin/sh\ncase \"$*\" in *@vpw*) export SSH_ASKPASS={} SSH_ASKPASS_REQUIRE=force\n{asked} ;; esac\n",
            askpass.display()
        ),
    );
    lab.sandbox.write_program(ssh, &real);
}

/// A rule that shuts the very port of ssh makes room for the time that sinc's is there, and so does one that lets it in behind
/// one that shuts it.
fn rules_with_room(rules: &str) -> String {
    let shuts = |line: &&str| line.starts_with("ufw deny 22/tcp") || line.starts_with("ufw reject 22/tcp");
    let is_behind = rules.starts_with("ufw allow 80/tcp\nufw deny 22\n");
    let lets_in = |line: &&str| is_behind && line.starts_with("ufw allow 22/tcp");
    rules.lines().filter(|line| !shuts(line) && !lets_in(line)).map(|line| format!("{line}\n")).collect()
}

/// Which it is of the three lists that a sample takes from in turn: what happens in a step of the firewall, what happens in
/// one of sshd, and hosts that are not as one expects.
fn list_of(start: &Start) -> usize {
    match &start.strikes {
        Some(_) if start.with == SSHD => 1,
        Some(_) => 0,
        None => 2,
    }
}

/// All of them in an order by this seed, one of each list in turn as long as there are some.
fn in_turn(mut starts: Vec<Start>, seed: u64) -> Vec<Start> {
    fastrand::Rng::with_seed(seed).shuffle(&mut starts);
    let mut lists = [const { Vec::new() }; 3];
    starts.into_iter().for_each(|start| lists[list_of(&start)].push(start));
    let mut lists = lists.map(Vec::into_iter);
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(lists.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}

#[test]
fn a_sample_has_some_of_each_list() {
    let name = |start: &Start| start.name.clone();
    let mut every: Vec<String> = all().iter().map(name).collect();
    every.sort();
    for seed in 1..=9 {
        let starts = in_turn(all(), seed);
        for few in [3, 6, 9] {
            let of = |list| starts[..few].iter().filter(|start| list_of(start) == list).count();
            assert_eq!([of(0), of(1), of(2)], [few / 3; 3], "SINC_HOSTILE_SEED={seed}");
        }
        let mut names: Vec<String> = starts.iter().map(name).collect();
        names.sort();
        assert_eq!(names, every);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what is tried, for whoever repeats it")]
fn whatever_the_host_is_like_ssh_works_afterwards() {
    let hostile = Hostile::new();
    let wanted = variable("SINC_HOSTILE");
    let seed = variable("SINC_HOSTILE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut starts = in_turn(all(), seed);
    let number = starts.len();
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
        if std::panic::catch_unwind(AssertUnwindSafe(|| hostile.try_one(&start))).is_err() {
            failed.push(start.name.clone());
            hostile.lab.bed(&["restore"]);
            hostile.root(&format!("{}\n{ORDINARY}\ntrue", start.mend));
        }
        tried += 1;
    }
    assert!(tried > 0, "no start is called that");
    println!("{tried} of {number} starts in {} s", began.elapsed().as_secs());
    assert!(failed.is_empty(), "SINC_HOSTILE_SEED={seed}: {failed:#?}");
}
