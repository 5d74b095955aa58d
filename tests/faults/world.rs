//! A computer, a host, a session, and everything that can happen to them.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::support::e2e::{Bed, living_in};
use super::support::sandbox::{Run, Sandbox};

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
}

impl World {
    /// A session of a new project. With a small disk the host's workspace has room for little.
    pub(crate) fn new(small_disk: bool) -> Option<Self> {
        let bed = Bed::new()?;
        let project = bed.project("app", &[]);
        let mut world = Self {
            bed,
            project,
            frozen: Vec::new(),
            server_down: false,
            beside: Vec::new(),
            small_disk: None,
        };
        if small_disk && rustix::process::geteuid().is_root() {
            let workspace = world.workspace();
            std::fs::create_dir_all(&workspace).unwrap();
            world.mount(&workspace, "size=3m");
            world.small_disk = Some(workspace);
        }
        Some(world)
    }

    fn workspace(&self) -> PathBuf {
        self.bed.host.remote_home().join("workspace")
    }

    /// The session's directory on the host.
    pub(crate) fn there(&self) -> PathBuf {
        self.workspace().join("app")
    }

    fn mount(&self, place: &Path, options: &str) {
        self.bed
            .sandbox
            .run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", place.to_str().unwrap()])
            .success();
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

    /// Something happens; tells what.
    pub(crate) fn happens(&mut self, rng: &mut Rng) -> String {
        match rng.u8(..16) {
            0 => self.kill("Mutagen's daemon", "mutagen daemon run"),
            1 => self.kill("Mutagen's agent", "mutagen-agent"),
            2 => self.kill("one ssh", "ssh "),
            3 => self.kill("sinc in the background", "sinc "),
            4 => {
                let _ = self.bed.host.break_connections();
                "all connections break".to_owned()
            }
            5 | 6 => self.half_open(),
            7 => {
                let _ = self.bed.host.stop_sshd();
                let _ = self.bed.host.break_connections();
                self.server_down = true;
                "the line is cut".to_owned()
            }
            8 | 9 => self.heal(),
            10 => {
                self.thaw();
                self.server_down = self.bed.host.reboot().is_err();
                "the host reboots".to_owned()
            }
            11 => self.command(&["pause"]),
            12 => self.command(&["resume"]),
            13 => self.command(&["flush", "--timeout", "5"]),
            14 => {
                for _ in 0..2 {
                    self.start_beside();
                }
                "two sinc at once".to_owned()
            }
            _ => {
                self.start_beside();
                // Anywhere in its work: the seed chooses the moment.
                std::thread::sleep(Duration::from_millis(rng.u64(..1500)));
                let child = self.beside.last_mut().unwrap();
                let _ = child.kill();
                let _ = child.wait();
                "a sinc is killed".to_owned()
            }
        }
    }

    fn command(&self, words: &[&str]) -> String {
        format!("sinc {}: {}", words.join(" "), self.sinc(words).code)
    }

    fn start_beside(&mut self) {
        let program = self.bed.sandbox.program(Sandbox::binary(), &self.project).args(["--no-attach"]);
        self.beside.push(program.start());
    }

    /// The processes of this world whose command line has this text.
    fn processes(&self, text: &str) -> Vec<Pid> {
        let lines = living_in(self.bed.host.dir());
        let found =
            lines.iter().filter_map(|line| line.split_once(": ")).filter(|(_, line)| line.contains(text));
        found.filter_map(|(pid, _)| Pid::from_raw(pid.parse().ok()?)).collect()
    }

    fn kill(&self, name: &str, text: &str) -> String {
        let found = self.processes(text);
        for pid in &found {
            let _ = kill_process(*pid, Signal::KILL);
        }
        format!("kill -9 of {name} ({})", found.len())
    }

    /// The line stands still without anybody being told: the host's side of every connection is stopped.
    fn half_open(&mut self) -> String {
        let found = self.processes("sshd");
        for pid in &found {
            let _ = kill_process(*pid, Signal::STOP);
        }
        self.frozen.extend(&found);
        format!("the line stands still ({})", found.len())
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
