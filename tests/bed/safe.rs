//! What is taken back, and what stays: a person's rules, packages and files, whatever became of a run.

use std::time::Duration;

use super::kinds::{Vendor, install};
use super::lab::Lab;
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};

const HEAD: &str = "summary = \"of a test\"\nsource = \"a test\"\npinned = \"2026-11-26\"\n";

/// A host on which sinc has put nothing, and components of a person's own for it; afterwards it is as it was.
pub(super) struct Host {
    pub(super) lab: Lab,
    mend: &'static str,
}

impl Host {
    /// `mend` makes it ordinary again, whatever has come of it.
    pub(super) fn new(mend: &'static str) -> Self {
        let lab = Lab::new();
        lab.bed(&["vps", "rm", "-rf", "/var/lib/sinc"]);
        let host = Self { lab, mend };
        host.own("base", "step = []\n");
        host
    }

    pub(super) fn own(&self, name: &str, steps: &str) {
        self.lab.sandbox.write(format!(".config/sinc/components/{name}.toml"), format!("{HEAD}{steps}"));
    }

    pub(super) fn root(&self, line: &str) -> String {
        self.lab.bed(&["vps", "sh", "-c", line])
    }

    fn login_works(&self) -> bool {
        let args = ["-o", "ControlPath=none", "-o", "ConnectTimeout=5", "vps", "true"];
        self.lab.sandbox.run("ssh", &args).code == 0
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let line = format!("{}; rm -rf /var/lib/sinc; true", self.mend);
        self.lab.bed(&["vps", "sh", "-c", &line]);
    }
}

const UFW: [&str; 6] = ["install", "--yes", "--tier", "custom", "--with", "ufw"];
const NO_FIREWALL: &str = "systemctl stop sinc-guard.timer; ufw --force disable; ufw --force reset >/dev/null; \
    rm -f /etc/ufw/*.rules.2* /etc/ufw/*.2[0-9]* /etc/systemd/system/sinc-guard.*; systemctl daemon-reload";

#[test]
fn a_rule_that_a_person_made_stays() {
    let host = Host::new(NO_FIREWALL);
    install(&host.lab, &UFW).success();
    // The person takes the rule over, as one of their own.
    host.root("ufw --force delete allow 22/tcp; ufw allow 22/tcp comment mine");
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root("ufw show added | grep ^ufw"), "ufw allow 22/tcp comment 'mine'\n");
    // One that shuts the very port makes room, and is at its place again, as it was.
    host.root("ufw --force delete allow 22/tcp; ufw deny 9; ufw deny 22/tcp comment 'not now'; ufw allow from 10.0.0.0/8");
    let before = host.root("ufw show added");
    install(&host.lab, &UFW).success();
    assert!(host.login_works());
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root("ufw show added"), before);
}

#[test]
fn a_firewall_is_not_taken_back_without_a_fresh_login() {
    let host = Host::new(NO_FIREWALL);
    // The person's firewall is on, and lets this computer in; sinc opens ssh's port besides.
    host.root("ufw allow from 10.77.0.1 comment mine; ufw --force enable");
    install(&host.lab, &UFW).success();
    host.root("ufw --force delete allow from 10.77.0.1");
    // Now sinc's rule is the only way in.
    let run = install(&host.lab, &["uninstall", "--yes"]);
    assert_ne!(run.code, 0, "{run}");
    assert!(run.stderr.contains("a second login to host `vps` failed: within two minutes"), "{run}");
    assert!(!host.login_works(), "the rule is gone until the host takes that back");
    assert_eq!(
        host.root("systemctl show -p SubState --value sinc-guard.timer").trim(),
        "waiting",
        "the host will take it back"
    );
    // What the timer does after two minutes.
    host.root("systemctl start sinc-guard.service");
    assert!(host.login_works());
    let left = install(&host.lab, &["uninstall", "--dry-run"]).success();
    assert!(left.stdout.contains("delete the firewall's rule: allow 22/tcp"), "{left}");
    // With a way in of the person's own it goes.
    host.root("ufw allow from 10.77.0.1 comment mine");
    let back = install(&host.lab, &["uninstall", "--yes"]).success();
    assert!(back.stderr.contains("Confirmed the firewall, by a second login"), "{back}");
    assert_eq!(host.root("ufw show added | grep ^ufw"), "ufw allow from 10.77.0.1 comment 'mine'\n");
    assert!(host.root("ufw status").starts_with("Status: active"));
}

#[test]
fn a_firewall_whose_time_ran_out_while_it_was_turned_on_is_off_again() {
    let host = Host::new("rm -f /usr/local/sbin/ufw; systemctl stop sinc-guard.timer");
    // A slow ufw: while it turns the firewall on, the timer fires.
    let slow = "#!/bin/sh\ncase \"$*\" in *enable*) systemctl start --no-block sinc-guard.service; sleep 1 ;; esac\nexec /usr/sbin/ufw \"$@\"\n";
    host.root(&format!("cat >/usr/local/sbin/ufw <<'END'\n{slow}END\nchmod 755 /usr/local/sbin/ufw"));
    let run = install(&host.lab, &UFW).exits(1);
    assert!(run.stderr.contains("ran out meanwhile"), "{run}");
    wait_until("the host has taken it back", PATIENCE, || {
        host.root("ls /var/lib/sinc/guard/armed 2>/dev/null || true").is_empty()
    });
    assert_eq!(host.root("/usr/sbin/ufw status; ufw show added | grep ^ufw || true"), "Status: inactive\n");
    assert!(host.login_works());
    // Nothing is noted of what went back.
    assert_eq!(host.root("cat /var/lib/sinc/installed/* 2>/dev/null | grep -c ufw- || true"), "0\n");
    host.root("rm /usr/local/sbin/ufw");
    install(&host.lab, &UFW).success();
    install(&host.lab, &["uninstall", "--yes"]).success();
}

pub(super) const VENDOR: &str = r#"
[[step]]
[step.apt]
packages = ["sinc-stand-in"]
[step.apt.repository]
name = "vendor"
ubuntu-ppa = "some/ppa"
[step.apt.repository.debian]
url = "http://10.77.0.1:8099/"
suite = "good"
components = "main"
key = "http://10.77.0.1:8099/key.asc"
"#;
pub(super) const WITH_VENDOR: [&str; 6] = ["install", "--yes", "--tier", "custom", "--with", "vendor"];
pub(super) const NO_VENDOR: &str = "rm -f /tmp/slowly /usr/local/bin/add-apt-repository /etc/apt/sources.list.d/*vendor* \
    /etc/apt/keyrings/*vendor* \
    /etc/apt/sources.list.d/*ppa*; dpkg --configure -a; \
    dpkg -P --force-depends sinc-stand-in sinc-of-a-person sinc-along; \
    rm -f /etc/os-release; ln -s ../usr/lib/os-release /etc/os-release";

#[test]
fn packages_of_a_person_stay_and_what_dpkg_was_cut_off_in_is_finished() {
    let host = Host::new(NO_VENDOR);
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    host.own("vendor", VENDOR);
    // Half a repository, as a power loss may leave it.
    host.root("mkdir -p /etc/apt/keyrings; : >/etc/apt/sources.list.d/sinc-vendor.sources; : >/etc/apt/keyrings/sinc-vendor.asc");
    host.root("touch /tmp/slowly");
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &WITH_VENDOR);
    wait_until("dpkg is at work", PATIENCE, || {
        !host.root("pgrep -f '[s]inc-stand-in.postinst' || true").is_empty()
    });
    host.root("systemctl kill -s KILL sinc-apply.service; rm /tmp/slowly");
    assert_eq!(terminal.wait_exit(Duration::from_secs(60)), 1, "{}", terminal.history());
    // Meanwhile a person puts a package there, and what both need goes missing.
    let fetch = "curl -fsS -o /tmp/p.deb http://10.77.0.1:8099/pool/sinc-of-a-person.deb && dpkg -i --force-depends /tmp/p.deb";
    host.root(&format!("{fetch}; dpkg -r --force-depends sinc-along"));
    let check = install(&host.lab, &[&WITH_VENDOR[..], &["--check"]].concat()).exits(1);
    assert!(check.stdout.contains(", after finishing what dpkg was cut off in"), "{check}");
    let run = install(&host.lab, &WITH_VENDOR).success();
    assert_eq!(host.root("dpkg --audit; apt-get -qq check"), "", "{run}");
    let back = install(&host.lab, &["uninstall", "--yes"]).success();
    assert!(back.stderr.contains("sinc-along stays: needed by sinc-of-a-person"), "{back}");
    let there = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' 'sinc-*' | grep ' installed'";
    assert_eq!(host.root(there), "sinc-along installed\nsinc-of-a-person installed\n");
}

#[test]
fn a_broken_package_of_somebody_else_keeps_nothing_from_being_done_that_needs_no_package() {
    let host = Host::new(
        "systemctl stop sinc-guard.timer; ufw --force disable; dpkg -P --force-all broken; rm -rf /tmp/broken* /etc/of-base",
    );
    host.own(
        "base",
        "[[step]]\napt.packages = [\"tmux\"]\n[[step]]\nfile = { path = \"/etc/of-base\", content = \"x\\n\" }\n",
    );
    let broken = "mkdir -p /tmp/broken/DEBIAN; cd /tmp/broken/DEBIAN; \
        printf 'Package: broken\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' >control; \
        printf '#!/bin/sh\\nexit 1\\n' >postinst; chmod 755 postinst; dpkg-deb -b /tmp/broken; dpkg -i /tmp/broken.deb; true";
    host.root(broken);
    let run = install(&host.lab, &UFW).exits(1);
    let why = "base failed: packages on this host are broken";
    assert!(run.stderr.contains(why), "{run}");
    assert_eq!(host.root("cat /etc/of-base; ufw status | head -n 1"), "x\nStatus: active\n", "{run}");
    assert!(!run.stderr.contains("is left out"), "{run}");
    // What does need a package says why it is not there.
    host.own("more", "needs = [\"base\"]\n[[step]]\napt.packages = [\"tcsh-static-or-none\"]\n");
    let more = install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "more"]).exits(1);
    assert!(more.stderr.contains("more failed: packages on this host are broken"), "{more}");
    host.root("dpkg -P --force-all broken");
    install(&host.lab, &UFW).success();
    install(&host.lab, &[&UFW[..], &["--check"]].concat()).success();
    let back = install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(
        host.root("ls /etc/of-base 2>/dev/null; ufw status | head -n 1; dpkg -l tmux | grep -c ^ii"),
        "Status: inactive\n1\n",
        "{back}"
    );
}

#[test]
fn a_ppa_that_cannot_be_used_is_taken_out_again() {
    let host = Host::new(NO_VENDOR);
    let dir = host.lab.sandbox.project("vendor");
    let _vendor = Vendor::open(&host.lab, &dir);
    std::fs::create_dir(dir.join("web/some")).unwrap();
    std::os::unix::fs::symlink("..", dir.join("web/some/ppa")).unwrap();
    host.own("vendor", VENDOR);
    // The bed has no Ubuntu: what is tried is the step, with a stand-in of Ubuntu's program that writes what MODE says.
    let ubuntu = "ID=ubuntu\nVERSION_ID=24.04\nVERSION_CODENAME=noble\nPRETTY_NAME=\"Ubuntu 24.04\"\n";
    host.root(&format!("rm -f /etc/os-release; cat >/etc/os-release <<'END'\n{ubuntu}END"));
    let add = r#"#!/bin/sh
case "$*" in *--remove*) exit 0 ;; esac
list=/etc/apt/sources.list.d/some-ubuntu-ppa-noble.sources
case $(cat /tmp/mode) in
nothing) exit 0 ;;
empty) : >$list; exit 0 ;;
half) printf 'Types: deb\nURIs: http://10.77.0.1:8099/some/ppa/\n' >$list; : >/tmp/at-work; exec sleep 600 ;;
esac
curl -fsS -o /etc/apt/keyrings/some-ppa.asc http://10.77.0.1:8099/key.asc
printf 'Types: deb\nURIs: http://10.77.0.1:8099/some/ppa/\nSuites: %s\nComponents: main\nSigned-By: /etc/apt/keyrings/some-ppa.asc\n' "$(cat /tmp/mode)" >$list
"#;
    host.root(&format!("cat >/usr/local/bin/add-apt-repository <<'END'\n{add}END\nchmod 755 /usr/local/bin/add-apt-repository; mkdir -p /etc/apt/keyrings"));
    let files = "find /etc/apt -type f -printf '%p %s\\n' | sort";
    let before = host.root(files);
    for (mode, why) in [
        ("nothing", "the PPA wrote no file with its address, and was taken out again: some/ppa"),
        ("empty", "the PPA wrote no file with its address, and was taken out again: some/ppa"),
        ("bad", "the PPA has nothing for this host, and was taken out again: some/ppa"),
    ] {
        host.root(&format!("echo {mode} >/tmp/mode"));
        let run = install(&host.lab, &WITH_VENDOR).exits(1);
        assert!(run.stderr.contains(why), "{mode}: {run}");
        assert_eq!(host.root(files), before, "{mode}");
    }
    // Killed with half of it written: apt has seen nothing of it, and works.
    host.root("echo half >/tmp/mode; rm -f /tmp/at-work");
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &WITH_VENDOR);
    wait_until("the PPA is half written", PATIENCE, || {
        !host.root("ls /tmp/at-work 2>/dev/null || true").is_empty()
    });
    let during = host.root(files);
    host.root("systemctl kill -s KILL sinc-apply.service; rm /tmp/at-work");
    assert_eq!(terminal.wait_exit(Duration::from_secs(60)), 1, "{}", terminal.history());
    assert_eq!((during, host.root(files)), (before.clone(), before.clone()));
    assert!(!host.root("apt-get indextargets >/dev/null && echo works").is_empty());

    // Once it was there and is broken, it goes; what it was is not in the way of what it becomes.
    // Told as it goes on, one object a line.
    host.root("echo good >/tmp/mode");
    let run = install(&host.lab, &[&WITH_VENDOR[..], &["--json"]].concat()).success();
    let objects: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{run}")))
        .collect();
    let place = |kind: &str| objects.iter().position(|it| it["event"] == kind);
    let places = ["plan", "run", "log", "step-started", "step-done", "end"].map(place);
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {run}");
    let answer = objects.last().unwrap();
    assert_eq!((&answer["ok"], &answer["data"]["components"][0]["state"]), (&true.into(), &"changed".into()));
    assert!(host.root(files).contains("some-ubuntu-ppa-noble.sources"));
    host.root("dpkg -P --force-depends sinc-stand-in; echo bad >/tmp/mode");
    install(&host.lab, &WITH_VENDOR).exits(1);
    assert!(!host.root(files).contains("some-ubuntu-ppa-noble.sources"));
    host.root("echo good >/tmp/mode");
    install(&host.lab, &WITH_VENDOR).success();
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root(files), before);
}

const FILES: &str = r#"
[[step]]
edit = { path = "{home}/a.json", format = "json", set = { "server.port" = 4096 } }
[[step]]
file = { path = "{home}/b", content = "of sinc\n" }
[[step]]
file = { path = "/etc/sinc-c", content = "of sinc\n" }
[[step]]
file = { path = "/etc/sinc-d", content = "of sinc\n" }
[[step]]
[step.shell]
says = "it has been told"
as-user = true
check = "test -e $SINC_HOME/.told"
apply = "touch $SINC_HOME/.told"
undo = "rm -f $SINC_HOME/.told"
"#;

#[test]
fn what_a_person_changed_since_stays_and_it_is_taken_back_for_the_user_that_it_was_for() {
    let host = Host::new(
        "loginctl terminate-user ann; userdel -rf ann; rm -rf /etc/sudoers.d/sinc-ann /etc/sinc-* /home/ann",
    );
    host.own("mine", FILES);
    let json =
        "{\n  \"one\": 1,\n  \"two\": 2,\n  \"three\": 3,\n  \"four\": 4,\n  \"five\": 5,\n  \"six\": 6\n}\n";
    let make = "useradd -m -s /bin/bash -p '*' ann; install -d -m 700 -o ann -g ann /home/ann/.ssh; \
                echo 'ssh-ed25519 AAAA of-ann' >/home/ann/.ssh/authorized_keys; chown ann: /home/ann/.ssh/authorized_keys";
    host.root(&format!("{make}; printf '%s' '{json}' >/home/ann/a.json; chown ann: /home/ann/a.json; echo before | tee /etc/sinc-c >/etc/sinc-d"));
    let args =
        ["install", "--host", "root@vps", "--user", "ann", "--yes", "--tier", "custom", "--with", "user"];
    install(&host.lab, &[&args[..], &["--with", "mine"]].concat()).success();
    assert_eq!(
        host.root("ls /home/ann/.told; grep -c . /home/ann/.ssh/authorized_keys"),
        "/home/ann/.told\n2\n"
    );
    // A person goes on with all of them; a note is one that this sinc does not understand.
    host.root(
        "sed -i 's/\"one\": 1/\"one\": 11/' /home/ann/a.json; echo mine >>/home/ann/b; echo mine >/etc/sinc-c; \
         echo 'ssh-ed25519 BBBB later' >>/home/ann/.ssh/authorized_keys; printf 'nonsense\\tx\\nhalf' >>/var/lib/sinc/installed/mine",
    );
    let back = install(&host.lab, &["uninstall", "--host", "root@vps", "--yes"]).success();
    assert!(
        back.stderr.contains("a note of what was put on the host is not understood: mine nonsense"),
        "{back}"
    );
    assert!(back.stderr.contains("/home/ann/b was changed since sinc made it, and stays"), "{back}");
    assert!(back.stderr.contains("what was there before sinc: /etc/sinc-c.before-sinc"), "{back}");
    assert_eq!(host.root("cat /home/ann/a.json"), json.replace("\"one\": 1", "\"one\": 11"));
    assert!(host.root("cat /home/ann/a.json.before-uninstall").contains("4096"));
    assert_eq!(
        host.root("cat /home/ann/b /etc/sinc-c /etc/sinc-c.before-sinc /etc/sinc-d"),
        "of sinc\nmine\nmine\nbefore\nbefore\n"
    );
    assert_eq!(
        host.root("cat /home/ann/.ssh/authorized_keys"),
        "ssh-ed25519 AAAA of-ann\nssh-ed25519 BBBB later\n"
    );
    assert_eq!(host.root("ls /home/ann/.told 2>/dev/null || true"), "");
    assert_eq!(host.root("cat /var/lib/sinc/not-understood/mine | tail -n 1"), "half");
    assert_eq!(host.root("id -un ann"), "ann\n", "it was there before");
}

#[test]
fn neither_the_hosts_environment_nor_somebody_who_asks_gets_in_the_way() {
    let host = Host::new(
        "sed -i '/^LC_ALL=/d; /^DEBIAN_FRONTEND=/d; /^state=/d; /^home=/d; /^run=/d' /etc/environment; rm -f /etc/sinc-secret",
    );
    host.root("printf 'LC_ALL=de_DE.UTF-8\\nDEBIAN_FRONTEND=dialog\\nstate=/tmp/elsewhere\\nhome=/nowhere\\nrun=/nowhere\\n' >>/etc/environment");
    let steps = "[[secret]]\nname = \"key\"\nvariable = \"TEST_KEY\"\nprompt = \"a key\"\n\
        [[step]]\nfile = { path = \"/etc/sinc-secret\", secret = \"key\", mode = \"0600\" }\n\
        [[step]]\nshell = { says = \"the words are in English\", check = \"[ \\\"$LC_ALL $DEBIAN_FRONTEND\\\" = 'C noninteractive' ]\", apply = \"false\" }\n";
    host.own("secret", steps);
    let mut host = host;
    host.lab.sandbox.set("TEST_KEY", "s3cret of a test");
    let host = host;
    // Somebody asks whether a run goes on, for longer than that takes.
    host.root("mkdir -p /var/lib/sinc; systemd-run -q --collect flock -s /var/lib/sinc/lock sleep 3");
    wait_until("the lock is held", PATIENCE, || {
        host.root("flock -n /var/lib/sinc/lock true && echo free || echo held") == "held\n"
    });
    let run = install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "secret"]);
    assert_eq!(host.root("ls /var/lib/sinc/runs/*/program 2>/dev/null || true"), "", "{run}");
    run.success();
    assert_eq!(host.root("cat /etc/sinc-secret"), "s3cret of a test");
}

#[test]
fn a_run_that_a_reboot_cut_off_is_told_although_another_process_has_its_number() {
    let host = Host::new("systemctl stop sinc-apply");
    let step = "[[step]]\nshell = { says = \"it takes long\", check = \"false\", apply = \"sleep 3600\" }\n";
    host.own("long", step);
    let args = ["install", "--yes", "--tier", "custom", "--with", "long"];
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &args);
    wait_until("the step is at work", PATIENCE, || {
        host.root("grep -c ^start /var/lib/sinc/runs/*/events 2>/dev/null || true") == "1\n"
    });
    host.lab.bed(&["cut"]);
    terminal.wait_for("the line was lost; the host goes on", PATIENCE);
    // What a reboot leaves: no run, and its number is that of a daemon, which stays.
    host.root("systemctl kill -s KILL sinc-apply; echo 1 >/var/lib/sinc/current/pid");
    host.lab.bed(&["restore"]);
    assert_eq!(terminal.wait_exit(Duration::from_secs(60)), 1, "{}", terminal.history());
    assert!(terminal.history().contains("the run was cut off"), "{}", terminal.history());
}

#[test]
fn a_link_where_a_new_file_would_be_written_is_not_followed() {
    let host = Host::new(
        "rm -rf /etc/sinc-* /home/dev/b /home/dev/b.sinc-new /home/dev/a.json /home/dev/a.json.sinc-new",
    );
    host.own(
        "mine",
        "[[step]]\nfile = { path = \"{home}/b\", content = \"of sinc\\n\" }\n\
         [[step]]\nedit = { path = \"{home}/a.json\", format = \"json\", set = { \"server.port\" = 4096 } }\n",
    );
    host.root("echo precious | tee /etc/sinc-one >/etc/sinc-two; echo '{ \"one\": 1 }' >/home/dev/a.json; chown dev: /home/dev/a.json");
    host.lab.on_host("ln -s /etc/sinc-one ~/b.sinc-new; ln -s /etc/sinc-two ~/a.json.sinc-new");
    install(&host.lab, &["install", "--yes", "--tier", "custom", "--with", "mine"]).success();
    let theirs = "cat /etc/sinc-one /etc/sinc-two; stat -c %U /etc/sinc-one /etc/sinc-two";
    assert_eq!(host.root(theirs), "precious\nprecious\nroot\nroot\n");
    assert_eq!(host.root("cat /home/dev/b; stat -c %U /home/dev/b /home/dev/a.json"), "of sinc\ndev\ndev\n");
    // And on the way back.
    host.lab.on_host("ln -s /etc/sinc-two ~/a.json.sinc-new");
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!(host.root(theirs), "precious\nprecious\nroot\nroot\n");
    assert_eq!(host.root("cat /home/dev/a.json"), "{ \"one\": 1 }\n");
}
