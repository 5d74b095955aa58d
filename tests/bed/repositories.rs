//! Repositories of vendors that are of no use, and a package manager that is busy: apt works as before, whatever comes.

use std::process::Child;
use std::time::Duration;

use super::kinds::{Vendor, install};
use super::safe::{Host, NO_VENDOR, VENDOR, WITH_VENDOR};
use super::support::terminal::Terminal;
use super::support::{PATIENCE, wait_until};

const LONG: Duration = Duration::from_secs(120);
const UPDATE: &str = "apt-get -q update >/dev/null 2>/tmp/said; echo $?; grep ^E: /tmp/said || true";
const FILES: &str = "find /etc/apt -type f -printf '%p %s\\n' | sort";

#[test]
fn apt_works_as_before_when_a_repository_is_of_no_use() {
    let host = Host::new(NO_VENDOR);
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    host.root("mkdir -p /etc/apt/keyrings");
    let (files, update) = (host.root(FILES), host.root(UPDATE));
    let unusable = "vendor failed: the repository cannot be used, and was taken out again: http://10.77.0.1:";
    let cases = [
        ("suite = \"good\"", "suite = \"gone\"", unusable),
        ("8099/key.asc", "8099/other.asc", unusable),
        ("url = \"http://10.77.0.1:8099/", "url = \"http://10.77.0.1:8098/", unusable),
        ("8099/key.asc", "8099/gone.asc", "vendor failed: the key of the repository could not be fetched: "),
        ("8099/key.asc", "8098/key.asc", "vendor failed: the key of the repository could not be fetched: "),
    ];
    for (right, wrong, why) in cases {
        assert_eq!(VENDOR.matches(right).count(), 1, "{right}");
        host.own("vendor", &VENDOR.replace(right, wrong));
        let run = install(&host.lab, &WITH_VENDOR).exits(1);
        assert!(run.stderr.contains(why), "{wrong}: {run}");
        assert_eq!(host.root(FILES), files, "{wrong}");
        assert_eq!(host.root(UPDATE), update, "{wrong}");
    }
    // What the person mends is had by the same words.
    host.own("vendor", VENDOR);
    install(&host.lab, &WITH_VENDOR).success();
    assert_eq!(host.root("dpkg-query -W -f '${db:Status-Status}' sinc-stand-in"), "installed");
}

/// Takes connections on the laptop's side, and never says anything.
struct Silent(Child);

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Silent {
    fn open(host: &Host) -> Self {
        let text =
            "import socket, time\nserver = socket.create_server(('10.77.0.1', 8097))\ntime.sleep(3600)";
        let sandbox = &host.lab.sandbox;
        let server = Self(sandbox.program("python3", &sandbox.home()).args(["-c", text]).start());
        wait_until("the silent server is there", PATIENCE, || {
            sandbox.run("bash", &["-c", "exec 3<>/dev/tcp/10.77.0.1/8097"]).code == 0
        });
        server
    }
}

#[test]
fn apt_works_as_before_when_the_try_of_a_repository_is_cut_off() {
    let host = Host::new(NO_VENDOR);
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    let _silent = Silent::open(&host);
    let lists = "ls /etc/apt/sources.list.d";
    let (before, update) = (host.root(lists), host.root(UPDATE));
    host.own("vendor", &VENDOR.replace("url = \"http://10.77.0.1:8099/", "url = \"http://10.77.0.1:8097/"));
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &WITH_VENDOR);
    wait_until("the repository is tried", PATIENCE, || {
        !host.root("pgrep -f 'apt-get.*[s]inc-vendor.sources' || true").is_empty()
    });
    host.root("systemctl kill -s KILL sinc-apply.service");
    assert_eq!(terminal.wait_exit(Duration::from_secs(60)), 1, "{}", terminal.history());
    assert_eq!(host.root(lists), before);
    assert_eq!(host.root(UPDATE), update);
    host.own("vendor", VENDOR);
    install(&host.lab, &WITH_VENDOR).success();
    assert_eq!(host.root(lists), format!("{before}sinc-vendor.sources\n"));
}

#[test]
fn a_repository_that_the_person_has_already_stays_as_it_is_and_serves() {
    let host = Host::new(NO_VENDOR);
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    host.own("vendor", VENDOR);
    let list = |key: &str| {
        format!(
            "Types: deb\nURIs: http://10.77.0.1:8099/\nSuites: good\nComponents: main\nSigned-By: /etc/apt/keyrings/{key}.asc\n"
        )
    };
    let put =
        |name: &str| format!("cat >/etc/apt/sources.list.d/{name}.sources <<'END'\n{}END\n", list(name));
    let key = "mkdir -p /etc/apt/keyrings; curl -fsS -o /etc/apt/keyrings/my-vendor.asc http://10.77.0.1:8099/key.asc";
    host.root(&format!("{key}\n{}", put("my-vendor")));
    let (files, update) = (host.root(FILES), host.root(UPDATE));
    // A run that was cut off has left one that contradicts it: apt does nothing at all.
    host.root(&put("sinc-vendor"));
    assert!(
        host.root("apt-get -q check 2>&1 || true").contains("Conflicting values set for option Signed-By")
    );
    let run = install(&host.lab, &WITH_VENDOR).success();
    assert!(run.stderr.contains("1 component changed"), "{run}");
    assert_eq!((host.root(FILES), host.root(UPDATE)), (files.clone(), update.clone()), "{run}");
    install(&host.lab, &["uninstall", "--yes"]).success();
    assert_eq!((host.root(FILES), host.root(UPDATE)), (files, update));
}

/// Holds the lock of a file under the name of a program, as those do that work with packages.
fn hold(host: &Host, unit: &str, file: &str, name: &str) {
    let text = format!(
        "use Fcntl; $0 = \"{name}\"; open F, \">>\", \"{file}\" or die; $lock = pack(\"s s x4 q q l\", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; \
         open G, \">\", \"/run/{unit}\"; close G; sleep 3600"
    );
    host.root(&format!("rm -f /run/{unit}; systemd-run -q --collect --unit={unit} perl -e '{text}'"));
    wait_until("the lock is held", PATIENCE, || {
        !host.root(&format!("ls /run/{unit} 2>/dev/null || true")).is_empty()
    });
}

#[test]
fn a_lock_of_dpkg_is_waited_for_and_a_lock_of_something_else_is_not() {
    let host = Host::new(
        "systemctl stop holder stranger; umount /var/lib/dpkg/lock-frontend; umount /tmp/one /tmp/two; rm -rf /tmp/one /tmp/two; \
         rm -f /tmp/slowly /etc/apt/sources.list.d/*vendor* /etc/apt/sources.list.d/sinc-* /etc/apt/keyrings/*vendor* /etc/apt/keyrings/sinc-*; \
         dpkg -P --force-depends sinc-stand-in sinc-along",
    );
    let _vendor = Vendor::open(&host.lab, &host.lab.sandbox.project("vendor"));
    host.own("vendor", VENDOR);
    // Two disks, and on each the same number for a file: one is dpkg's lock.
    host.root(
        "touch /var/lib/dpkg/lock-frontend; mkdir -p /tmp/one /tmp/two; \
         for it in one two; do mount -t tmpfs $it /tmp/$it && touch /tmp/$it/lock; done; \
         mount --bind /tmp/one/lock /var/lib/dpkg/lock-frontend",
    );
    assert_eq!(host.root("stat -c %i /tmp/two/lock"), host.root("stat -c %i /var/lib/dpkg/lock-frontend"));
    hold(&host, "stranger", "/tmp/two/lock", "stranger");
    let run = install(&host.lab, &WITH_VENDOR).success();
    assert!(!run.stderr.contains("the package manager is busy"), "{run}");
    install(&host.lab, &["uninstall", "--yes"]).success();

    // On a new host updates install themselves just then.
    hold(&host, "holder", "/var/lib/dpkg/lock-frontend", "unattended-upgr");
    let terminal = Terminal::sinc(&host.lab.sandbox, &host.lab.sandbox.home(), &WITH_VENDOR);
    terminal.wait_for("the package manager is busy: unattended-upgr (process ", PATIENCE);
    assert_eq!(
        host.root(
            "ls /etc/apt/sources.list.d /usr/bin/stand-in 2>/dev/null | grep -c 'sinc-\\|stand-in' || true"
        ),
        "0\n"
    );
    host.root("systemctl stop holder");
    assert_eq!(terminal.wait_exit(LONG), 0, "{}", terminal.history());
    assert_eq!(
        host.root("ls /etc/apt/sources.list.d | grep sinc-"),
        "sinc-vendor.sources\n",
        "it has its own name"
    );
}
