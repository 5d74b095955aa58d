//! Something happens in the middle of a step of `sinc install`: the line is cut, sinc or the work is killed, the host is
//! started anew or loses its power, its disk is full. Run again it converges, and goes back without a trace. Three runs;
//! 100 with `tests/run.sh install-faults`, others with `SINC_INSTALL_FAULTS_SEED=N`.

use std::path::Path;
use std::time::Duration;

use super::kinds::{COMPONENT, SECRET, Vendor, install, own};
use super::lab::Lab;
use super::support::program::Program;
use super::support::sandbox::Sandbox;
use super::support::{PATIENCE, variable, wait_until};

/// The steps in whose middle it happens.
const STEPS: [(&str, usize); 8] = [
    ("vendor", 0),
    ("vendor", 1),
    ("vendor", 2),
    ("vendor", 3),
    ("vendor", 4),
    ("vendor", 5),
    ("ufw", 1),
    ("ufw", 2),
];

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Cut,
    KillSinc,
    KillWork,
    Reboot,
    PowerLoss,
    DiskFull,
}

const FAULTS: [Fault; 6] =
    [Fault::Cut, Fault::KillSinc, Fault::KillWork, Fault::Reboot, Fault::PowerLoss, Fault::DiskFull];
const ARGS: [&str; 8] = ["install", "--yes", "--tier", "custom", "--with", "vendor", "--with", "ufw"];

fn root(lab: &Lab, line: &str) -> String {
    lab.bed(&["vps", "sh", "-c", line])
}

/// What a run must bring back.
fn snapshot(lab: &Lab) -> String {
    let files = "find /etc /home/dev -type f ! -name '*cache*' ! -name .sudo_as_admin_successful ! -path '*/.cache/*' ! -path '*/ufw/user*.rules' | sort | xargs sha256sum";
    root(
        lab,
        &format!(
            "dpkg-query -W -f '${{db:Status-Status}} ${{Package}}\\n' | grep ^installed; ufw status; \
             ufw show added; ls /var/lib/systemd/linger; {files}"
        ),
    )
}

#[test]
#[expect(clippy::print_stdout, reason = "what is tried, for whoever repeats it")]
fn whatever_happens_in_the_middle_of_a_step_it_converges_and_goes_back() {
    let runs: usize = variable("SINC_INSTALL_FAULTS").map_or(3, |runs| runs.parse().unwrap());
    let seed = variable("SINC_INSTALL_FAULTS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut lab = Lab::new();
    let _vendor = Vendor::open(&lab, &lab.sandbox.project("vendor"));
    own(&lab, COMPONENT, "good");
    let nothing = "summary = \"nothing\"\nsource = \"a test\"\npinned = \"2026-11-26\"\nstep = []\n";
    lab.sandbox.write(".config/sinc/components/base.toml", nothing);
    lab.sandbox.set("VENDOR_KEY", SECRET);
    for number in 0..runs {
        let (component, step) = STEPS[random.usize(..STEPS.len())];
        let fault = FAULTS[random.usize(..FAULTS.len())];
        let delay = random.u32(..300);
        let what = format!(
            "run {number}: {fault:?} {delay} ms into step {step} of {component}; to repeat: SINC_INSTALL_FAULTS_SEED={seed}"
        );
        println!("{what}");
        one(&lab, component, step, fault, delay, &what);
    }
}

fn one(lab: &Lab, component: &str, step: usize, fault: Fault, delay: u32, what: &str) {
    root(lab, "rm -rf /var/lib/sinc; mkdir -m 711 /var/lib/sinc");
    if fault == Fault::DiskFull {
        root(lab, "mount -t tmpfs -o size=512k,mode=711 tmpfs /var/lib/sinc");
    }
    let before = snapshot(lab);
    // The work stands still from that moment on.
    let stop = format!(
        "rm -f /run/at-it; systemd-run -q --collect --unit=sinc-fault sh -c 'until grep -qs \"^start {component} {step}$\" \
         /var/lib/sinc/runs/*/events; do sleep 0.01; done; sleep 0.{delay:03}; systemctl kill -s STOP sinc-apply; touch /run/at-it'"
    );
    root(lab, &stop);
    let sandbox = &lab.sandbox;
    let program = sandbox.program(Sandbox::binary(), &sandbox.home()).args(ARGS).patience(PATIENCE);
    let mut sinc = program.start();
    wait_until(&format!("{what}: it is at it"), Duration::from_secs(60), || {
        !root(lab, "ls /run/at-it 2>/dev/null || true").is_empty()
    });
    // Again and again: runuser, which has seen its child stand still, may stop itself only after the first one.
    let go_on = "systemd-run -q --collect sh -c 'while systemctl -q is-active sinc-apply; do systemctl kill -s CONT sinc-apply; sleep 0.2; done'";
    let ended = || root(lab, "systemctl is-active sinc-apply || true") != "active\n";
    match fault {
        Fault::Cut => {
            lab.bed(&["cut"]);
            root(lab, go_on);
            wait_until("the host has gone on by itself", Duration::from_secs(60), ended);
            lab.bed(&["restore"]);
        }
        Fault::KillSinc => {
            sinc.kill().unwrap();
            root(lab, go_on);
        }
        Fault::KillWork => drop(root(lab, "systemctl kill -s KILL sinc-apply 2>/dev/null || true")),
        Fault::Reboot => drop(lab.bed(&["reboot"])),
        Fault::PowerLoss => {
            lab.bed(&["crash"]);
            lab.bed(&["boot"]);
        }
        Fault::DiskFull => {
            root(lab, &format!("cat /dev/zero >/var/lib/sinc/full 2>/dev/null; {go_on}"));
            wait_until("the work has ended", Duration::from_secs(60), ended);
            root(lab, "rm -f /var/lib/sinc/full");
        }
    }
    let kill = Program::new("kill", sandbox.env(), Path::new("/"));
    let _ = kill.args([sinc.id().to_string()]).run();
    sinc.wait().unwrap();

    let run = install(lab, &ARGS);
    assert_eq!(run.code, 0, "{what}: {run}");
    let check = install(lab, &[&ARGS[..], &["--check"]].concat());
    assert_eq!(check.code, 0, "{what}: {check}\n{run}");
    assert_eq!(root(lab, "dpkg --audit"), "", "{what}: {run}");
    assert!(root(lab, "ufw status").starts_with("Status: active"), "{what}: {run}");
    let key = lab.on_host("cat ~/.config/stand-in/key; systemctl --user is-active stand-in.service");
    assert_eq!(key, format!("{SECRET}active\n"), "{what}: {run}");
    let left = root(lab, &format!("grep -rlF '{SECRET}' /var/lib/sinc /run/systemd 2>/dev/null; true"));
    assert_eq!(left, "", "{what}: the secret is left in a file");
    let back = install(lab, &["uninstall", "--yes"]);
    assert_eq!(back.code, 0, "{what}: {back}");
    if fault == Fault::DiskFull {
        root(lab, "umount /var/lib/sinc");
    }
    let after = snapshot(lab);
    let differ: Vec<&str> = before
        .lines()
        .filter(|line| !after.lines().any(|it| it == *line))
        .chain(after.lines().filter(|line| !before.lines().any(|it| it == *line)))
        .collect();
    assert!(differ.is_empty(), "{what}: {differ:#?}\n{back}");
    root(lab, "rm -rf /var/lib/sinc");
}
