//! Something happens in the middle of a step of `sinc install`: the line is cut, sinc or the work is killed, the host is
//! started anew or loses its power, its disk is full. Run again it converges, and goes back without a trace. Three runs, of the
//! steps that need no Node on the host; 100, of all, with `tests/run.sh install-faults`, others with `SINC_INSTALL_FAULTS_SEED=N`.

use std::path::Path;
use std::time::Duration;

use super::fault_sets::{self, Node, STEPS, Set};
use super::kinds::{SECRET, Vendor, install};
use super::lab::Lab;
use super::snapshot;
use super::support::program::Program;
use super::support::sandbox::Sandbox;
use super::support::{PATIENCE, poll, variable, wait_until};

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

fn root(lab: &Lab, line: &str) -> String {
    lab.bed(&["vps", "sh", "-c", line])
}

#[test]
#[expect(clippy::print_stdout, reason = "what is tried, for whoever repeats it")]
fn whatever_happens_in_the_middle_of_a_step_it_converges_and_goes_back() {
    let runs: usize = variable("SINC_INSTALL_FAULTS").map_or(3, |runs| runs.parse().unwrap());
    let seed = variable("SINC_INSTALL_FAULTS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let wanted = variable("SINC_INSTALL_FAULTS").is_some();
    let steps: Vec<_> = STEPS.iter().filter(|(set, ..)| wanted || !set.node).collect();
    let mut lab = Lab::new();
    let project = lab.sandbox.project("vendor");
    let _vendor = Vendor::open(&lab, &project);
    fault_sets::write(&mut lab, &project.join("web"));
    let mut node = None;
    for number in 0..runs {
        let &&(set, component, step) = random.choice(&steps).unwrap();
        let fault = FAULTS[random.usize(..FAULTS.len())];
        let delay = random.u32(..300);
        let what = format!(
            "run {number}: {fault:?} {delay} ms into step {step} of {component}; to repeat: SINC_INSTALL_FAULTS_SEED={seed}"
        );
        println!("{what}");
        if set.node {
            node.get_or_insert_with(|| Node::on(&lab));
        }
        one(&lab, set, &format!("{component} {step}"), fault, delay, &what);
    }
    drop(node);
    lab.on_host("rm -f ~/.config/stand-in.toml");
}

fn one(lab: &Lab, set: &Set, step: &str, fault: Fault, delay: u32, what: &str) {
    root(lab, "rm -rf /var/lib/sinc; mkdir -m 711 /var/lib/sinc");
    if fault == Fault::DiskFull {
        root(lab, "mount -t tmpfs -o size=1m,mode=711 tmpfs /var/lib/sinc");
    }
    let before = snapshot::with_home(lab);
    // The work stands still from that moment on.
    let stop = format!(
        "rm -f /run/at-it; systemctl stop sinc-fault 2>/dev/null; systemd-run -q --collect --unit=sinc-fault sh -c 'until grep -qs \"^start {step}$\" \
         /var/lib/sinc/runs/*/events; do sleep 0.01; done; sleep 0.{delay:03}; systemctl kill -s STOP sinc-apply; touch /run/at-it'"
    );
    root(lab, &stop);
    let sandbox = &lab.sandbox;
    let program = sandbox.program(Sandbox::binary(), &sandbox.home()).args(set.args).patience(PATIENCE);
    let mut sinc = program.start();
    wait_until(&format!("{what}: it is at it"), Duration::from_secs(60), || {
        let ended = sinc.try_wait().unwrap().filter(|ended| !ended.success());
        assert!(ended.is_none(), "{what}: sinc ended before it: {ended:?}");
        !root(lab, "ls /run/at-it 2>/dev/null || true").is_empty()
    });
    // Again and again: runuser, which has seen its child stand still, may stop itself only after the first one.
    let go_on = "systemd-run -q --collect sh -c 'while systemctl -q is-active sinc-apply; do systemctl kill -s CONT sinc-apply; sleep 0.2; done'";
    let ended = || root(lab, "systemctl is-active sinc-apply || true") != "active\n";
    match fault {
        Fault::Cut => {
            lab.bed(&["cut"]);
            root(lab, go_on);
            // By itself; but what is fetched in this step comes over the same line.
            poll(Duration::from_secs(20), ended);
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

    let run = install(lab, set.args);
    assert_eq!(run.code, 0, "{what}: {run}");
    let check = install(lab, &[set.args, &["--check"]].concat());
    assert_eq!(check.code, 0, "{what}: {check}\n{run}");
    assert_eq!(root(lab, "dpkg --audit"), "", "{what}: {run}");
    assert_eq!(root(lab, &format!("{}; true", set.look)), set.is, "{what}: {run}");
    let left = root(lab, &format!("grep -rlF '{SECRET}' /var/lib/sinc /run/systemd 2>/dev/null; true"));
    assert_eq!(left, "", "{what}: the secret is left in a file");
    let back = install(lab, &["uninstall", "--yes"]);
    assert_eq!(back.code, 0, "{what}: {back}");
    if fault == Fault::DiskFull {
        root(lab, "umount /var/lib/sinc");
    }
    // A user's home is data, and stays.
    root(lab, "rm -rf /home/worker");
    let after = snapshot::with_home(lab);
    let differ: Vec<&str> = before
        .lines()
        .filter(|line| !after.lines().any(|it| it == *line))
        .chain(after.lines().filter(|line| !before.lines().any(|it| it == *line)))
        .collect();
    assert!(differ.is_empty(), "{what}: {differ:#?}\n{back}");
    root(lab, "rm -rf /var/lib/sinc");
}
