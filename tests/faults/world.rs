//! A computer, a host, a session, and everything that can happen to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use sinc::demo::Options;

use super::disk::can_mount;
use super::model::Side;
use super::number;
use super::support::e2e::{Bed, left_out, living_in};
use super::support::sandbox::{Run, Sandbox};
use super::tree;

/// How long one command of sinc's may take while everything breaks: each has deadlines of its own below this.
const COMMAND: Duration = Duration::from_secs(180);

/// A session and what was done to it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) bed: Bed,
    pub(crate) project: PathBuf,
    frozen: Vec<Pid>,
    server_down: bool,
    beside: Vec<Child>,
    small_disk: Option<PathBuf>,
    leads: Option<Side>,
}

/// Which side has little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disks {
    Large,
    SmallThere,
    SmallHere,
}

/// Puts a disk of its own over a directory, with what was in it.
fn mount_over(sandbox: &Sandbox, place: &Path, size: &str) {
    let before = sandbox.root().join("before");
    std::fs::rename(place, &before).unwrap();
    std::fs::create_dir(place).unwrap();
    let place = place.to_str().unwrap();
    sandbox.run("mount", &["-t", "tmpfs", "-o", size, "tmpfs", place]).success();
    sandbox.run("cp", &["-a", &format!("{}/.", before.display()), place]).success();
}

/// How ssh comes to a host that is so many milliseconds away as `SINC_FAULTS_RTT` says.
fn far() -> String {
    let rtt = number("SINC_FAULTS_RTT", 0);
    if rtt == 0 {
        return String::new();
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/far.py");
    let late = Duration::from_millis(rtt).as_secs_f64() * 500.0;
    format!("Host *\n    ProxyCommand python3 -IS {} %h %p {late}\n", program.display())
}

impl World {
    /// A session of a new project in this mode, of Mutagen's that lose nothing, on disks as they are chosen.
    pub(crate) fn new(disks: Disks, mode: &str) -> Option<Self> {
        let mut bed = Bed::with(Options { ssh_config: far(), ..Options::default() })?;
        bed.sandbox.set("SINC_MODE", mode);
        let small = match disks {
            Disks::Large => None,
            _ if !can_mount() => {
                left_out("runs on a small disk need root");
                None
            }
            Disks::SmallThere => Some((bed.host.remote_home().join("workspace"), "size=3m")),
            Disks::SmallHere => Some((bed.sandbox.home(), "size=6m")),
        };
        if let Some((place, size)) = &small {
            std::fs::create_dir_all(place).unwrap();
            mount_over(&bed.sandbox, place, size);
        }
        let project = bed.project("app", &[]);
        Some(Self {
            bed,
            project,
            frozen: Vec::new(),
            server_down: false,
            beside: Vec::new(),
            small_disk: small.map(|(place, _)| place),
            leads: match mode {
                "one-way-safe" => Some(Side::Local),
                "one-way-safe-from-host" => Some(Side::Remote),
                _ => None,
            },
        })
    }

    /// The side that files come from, where they go one way only.
    pub(crate) fn leads(&self) -> Option<Side> {
        self.leads
    }

    fn workspace(&self) -> PathBuf {
        self.bed.host.remote_home().join("workspace")
    }

    /// The session's directory on the host.
    pub(crate) fn there(&self) -> PathBuf {
        self.workspace().join("app")
    }

    /// The versions that sinc keeps on either side.
    pub(crate) fn in_backups(&self) -> BTreeSet<u64> {
        let homes = [self.bed.sandbox.home(), self.bed.host.remote_home()];
        homes.iter().flat_map(|home| tree::versions(&home.join(".local/state/sinc/backups"))).collect()
    }

    /// The last lines of the link's log.
    pub(crate) fn link_log(&self) -> String {
        self.bed.sandbox.link_log()
    }

    fn remount(&self, place: &Path, options: &str) {
        self.bed.sandbox.run("mount", &["-o", options, place.to_str().unwrap()]).success();
    }

    /// Runs sinc to its end, whatever that is.
    pub(crate) fn sinc(&self, words: &[&str]) -> Run {
        let program =
            self.bed.sandbox.program(Sandbox::binary(), &self.project).args(words).patience(COMMAND);
        let run = self.bed.sandbox.finish(&program);
        assert!(run.code != 70 && !run.stderr.contains("panicked"), "{run}");
        run
    }

    /// Starts sinc and goes on.
    pub(crate) fn start_beside(&mut self, words: &[&str]) {
        let program = self.bed.sandbox.program(Sandbox::binary(), &self.project).args(words);
        self.beside.push(program.start());
    }

    /// Kills what was started last, after this time; did it still run?
    pub(crate) fn kill_beside(&mut self, after: Duration) -> bool {
        let Some(mut child) = self.beside.pop() else { return false };
        let ended = super::support::poll(after, || child.try_wait().unwrap().is_some());
        let _ = child.kill();
        let _ = child.wait();
        !ended
    }

    /// The processes of this world whose command line has this text.
    fn processes(&self, text: &str) -> Vec<Pid> {
        let lines = living_in(self.bed.host.dir());
        let found =
            lines.iter().filter_map(|line| line.split_once(": ")).filter(|(_, line)| line.contains(text));
        found.filter_map(|(pid, _)| Pid::from_raw(pid.parse().ok()?)).collect()
    }

    /// Kills all that has this text in its command line.
    pub(crate) fn kill(&self, name: &str, text: &str) -> String {
        let found = self.processes(text);
        for pid in &found {
            let _ = kill_process(*pid, Signal::KILL);
        }
        format!("kill -9 of {name} ({})", found.len())
    }

    /// Kills one of them.
    pub(crate) fn kill_one(&self, name: &str, text: &str, rng: &mut Rng) -> String {
        let found = self.processes(text);
        let one = found.get(rng.usize(..found.len().max(1)));
        if let Some(pid) = one {
            let _ = kill_process(*pid, Signal::KILL);
        }
        format!("kill -9 of {name} ({} of {})", usize::from(one.is_some()), found.len())
    }

    /// What has this text in its command line stands still, without anybody being told: the line is half open.
    pub(crate) fn freeze(&mut self, what: &str, text: &str) -> String {
        let found = self.processes(text);
        for pid in &found {
            let _ = kill_process(*pid, Signal::STOP);
        }
        self.frozen.extend(&found);
        format!("{what} ({})", found.len())
    }

    /// Nothing listens any more, and all connections are gone.
    pub(crate) fn cut(&mut self) -> String {
        let _ = self.bed.host.stop_sshd();
        let _ = self.bed.host.break_connections();
        self.server_down = true;
        "the line is cut".to_owned()
    }

    /// The host is turned off and on.
    pub(crate) fn reboot(&mut self) -> String {
        self.thaw();
        self.server_down = self.bed.host.reboot().is_err();
        "the host reboots".to_owned()
    }

    /// What stands still goes on after this time, whatever happens meanwhile.
    pub(crate) fn thaw_after(&mut self, time: Duration) {
        let frozen = self.frozen.clone();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            for pid in frozen {
                let _ = kill_process(pid, Signal::CONT);
            }
        });
    }

    fn thaw(&mut self) {
        for pid in self.frozen.drain(..) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }

    /// All that was broken is whole again.
    pub(crate) fn heal(&mut self) -> String {
        self.thaw();
        if self.server_down {
            self.bed.host.start_sshd().unwrap();
            self.server_down = false;
        }
        "the line is whole".to_owned()
    }

    /// The end of all troubles: also what was started beside has ended, and there is room.
    pub(crate) fn calm(&mut self) {
        self.heal();
        if let Some(place) = &self.small_disk {
            self.remount(place, "remount,size=300m");
        }
        for mut child in std::mem::take(&mut self.beside) {
            let ended = super::support::poll(COMMAND, || child.try_wait().unwrap().is_some());
            assert!(ended, "a sinc that was started beside others did not end");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.thaw();
        for mut child in std::mem::take(&mut self.beside) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(place) = &self.small_disk {
            let _ = self.bed.host.turn_off();
            // Whatever still holds it, nothing of it is seen any more.
            let _ = self.bed.sandbox.run("umount", &["-l", place.to_str().unwrap()]);
        }
    }
}
