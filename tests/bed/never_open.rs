//! What only the firewall keeps closed is never open: it stops before the firewall goes, whoever takes that away.

use super::install::answers;
use super::kinds::install;
use super::lab::Lab;
use super::safe::Host;
use super::support::sandbox::Sandbox;
use super::support::{PATIENCE, wait_until};

const PORTS: [u16; 2] = [2022, 3011];
const MEND: &str = "rm -f /usr/local/sbin/ufw; touch /run/built /run/go-on; systemctl stop sinc-apply; \
    systemctl stop sinc-guard.timer; ufw --force disable; ufw --force reset >/dev/null; \
    rm -f /etc/ufw/*.rules.2* /etc/ufw/*.2[0-9]* /etc/systemd/system/sinc-guard.*; systemctl disable --now et; \
    su - dev -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user disable --now agent-os'; rm -rf /etc/systemd/system/et.service \
    /home/dev/.config/systemd /run/built /run/at-build /run/at-it /run/go-on; systemctl daemon-reload";

/// A unit that listens on this port, for everybody.
fn unit(port: u16, target: &str) -> String {
    format!(
        "content = \"\"\"\n[Service]\nExecStart=/usr/bin/python3 -m http.server {port} --bind ::\n\
         WorkingDirectory=/run/systemd\n[Install]\nWantedBy={target}\n\"\"\"\n"
    )
}

/// Stand-ins of the two: what is said of the firewall and of the service is what is shipped.
fn components(host: &Host) {
    let (_, et) = include_str!("../../install/components/et.toml").rsplit_once("'''\n").unwrap();
    let file = unit(2022, "multi-user.target");
    let path = "/etc/systemd/system/et.service";
    host.own("et", &format!("needs = [\"ufw\"]\n[[step]]\n[step.file]\npath = \"{path}\"\n{file}{et}"));
    let built = "[[step]]\n[step.shell]\nsays = \"it is built\"\ncheck = \"test -e /run/built\"\n\
        apply = \"touch /run/at-build; timeout 60 sh -c 'until test -e /run/built; do sleep 0.1; done'\"\n";
    let path = "{home}/.config/systemd/user/agent-os.service";
    let file = unit(3011, "default.target");
    let service = "[[step]]\nservice = { unit = \"agent-os.service\", scope = \"user\" }\n";
    host.own(
        "agent-os",
        &format!("needs = [\"ufw\"]\n{built}[[step]]\n[step.file]\npath = \"{path}\"\n{file}{service}"),
    );
    // A package that starts its service by itself, as that of Eternal Terminal does.
    let starts =
        "[[step]]\napt.packages = [\"sinc-starts\"]\n[[step]]\nservice = { unit = \"starts.service\" }\n";
    host.own("starts", &format!("needs = [\"ufw\"]\n{starts}"));
}

/// Those of the two that answer from outside.
fn open(lab: &Lab) -> Vec<u16> {
    std::thread::scope(|scope| {
        let asked = PORTS.map(|port| scope.spawn(move || answers(lab, port) != [false, false]));
        let answer = asked.map(|it| it.join().unwrap());
        PORTS.into_iter().zip(answer).filter_map(|(port, answers)| answers.then_some(port)).collect()
    })
}

/// Runs sinc, which is killed when the host's `ufw` gets such words. The host goes on by itself.
fn killed_at(host: &Host, words: &str, args: &[&str]) {
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in {words}) touch /run/at-it; \
         for n in $(seq 300); do [ ! -e /run/go-on ] || break; sleep 0.1; done ;; esac\nexec /usr/sbin/ufw \"$@\"\n"
    );
    host.root(&format!(
        "rm -f /run/at-it /run/go-on; cat >/usr/local/sbin/ufw <<'END'\n{wrapper}END\nchmod 755 /usr/local/sbin/ufw"
    ));
    let sandbox = &host.lab.sandbox;
    let mut sinc = sandbox.program(Sandbox::binary(), &sandbox.home()).args(args).start();
    wait_until("ufw is at it", PATIENCE, || there(host, "test -e /run/at-it"));
    sinc.kill().unwrap();
    sinc.wait().unwrap();
    host.root("rm /usr/local/sbin/ufw; touch /run/go-on");
}

fn there(host: &Host, line: &str) -> bool {
    host.root(&format!("if {line}; then echo yes; fi")) == "yes\n"
}

fn has_ended(host: &Host) {
    wait_until("the work has ended", PATIENCE, || !there(host, "systemctl is-active --quiet sinc-apply"));
}

fn listen(host: &Host) {
    wait_until("both listen", PATIENCE, || {
        PORTS.iter().all(|port| there(host, &format!("ss -Hltn 'sport = :{port}' | grep -q .")))
    });
}

fn firewall(host: &Host) -> String {
    host.root("ufw status | head -n 1")
}

#[test]
fn what_only_the_firewall_keeps_closed_is_never_open() {
    let host = Host::new(MEND);
    components(&host);
    let args = ["install", "--yes", "--tier", "custom", "--with", "et", "--with", "agent-os"];

    // Nobody confirms the firewall, and it goes back in the middle of a build: one has started, one starts later.
    killed_at(&host, "*enable*", &[&args[..], &["--with", "starts"]].concat());
    wait_until("it is built", PATIENCE, || there(&host, "test -e /run/at-build"));
    wait_until("it listens", PATIENCE, || there(&host, "ss -Hltn 'sport = :2022' | grep -q ."));
    assert_eq!((firewall(&host).as_str(), open(&host.lab)), ("Status: active\n", vec![]));
    // What the timer does after two minutes.
    host.root("systemctl start sinc-guard.service");
    assert_eq!((firewall(&host).as_str(), open(&host.lab)), ("Status: inactive\n", vec![]));
    host.root("touch /run/built");
    has_ended(&host);
    assert_eq!(open(&host.lab), [0; 0]);
    let log = host.root("cat /var/lib/sinc/current/events");
    for name in ["agent-os", "starts"] {
        let why = format!("why {name} the firewall is off, and {name}.service would be open to everybody");
        assert!(log.contains(&why), "{log}");
    }
    assert!(!there(&host, "systemctl is-enabled --quiet et"), "a restart does not start it");

    // The next run starts them, behind the firewall.
    let run = install(&host.lab, &args).success();
    assert!(run.stderr.contains("Confirmed the firewall, by a second login"), "{run}");
    listen(&host);
    assert_eq!((firewall(&host).as_str(), open(&host.lab)), ("Status: active\n", vec![]), "{run}");
    let rules = host.root("ufw status");
    assert!(rules.contains("2022/tcp on tailscale0"), "{rules}");
    install(&host.lab, &[&args[..], &["--check"]].concat()).success();

    // They are reached where a person turns it off, and stop where sinc does: also the user's.
    host.root("ufw --force disable");
    assert_eq!(open(&host.lab), PORTS);
    killed_at(&host, "*enable*", &args);
    has_ended(&host);
    assert_eq!(firewall(&host), "Status: active\n");
    host.root("systemctl start sinc-guard.service");
    assert_eq!((firewall(&host).as_str(), open(&host.lab)), ("Status: inactive\n", vec![]));
    install(&host.lab, &args).success();
    listen(&host);

    // Taken back, with a line that is lost once the firewall has gone.
    killed_at(&host, "*disable*", &["uninstall", "--yes"]);
    has_ended(&host);
    assert_eq!((firewall(&host).as_str(), open(&host.lab)), ("Status: inactive\n", vec![]));
    host.root("systemctl start sinc-guard.service");
    assert_eq!(firewall(&host), "Status: active\n");
    let back = install(&host.lab, &["uninstall", "--yes"]).success();
    let left = host.root(
        "ls /var/lib/sinc/installed /var/lib/sinc/behind 2>/dev/null; ufw show added | grep ^ufw || true",
    );
    assert_eq!((firewall(&host).as_str(), left.as_str()), ("Status: inactive\n", ""), "{back}");
}
