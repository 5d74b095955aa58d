//! A connect that is ended at any of its steps, or meets another one, or whose host goes away: the next `sinc` mends
//! everything.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::steps;
use crate::support::e2e::Bed;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, poll, wait_until};

/// Stops the call with a certain number, counted over ssh and Mutagen together, before or after it did its work.
pub(crate) struct Gate {
    dir: PathBuf,
    round: Cell<usize>,
}

impl Gate {
    #[track_caller]
    pub(crate) fn build(bed: &Bed) -> Self {
        let dir = bed.host.dir().join("gate");
        std::fs::create_dir(&dir).unwrap();
        let mutagen = bed.host.bin().join("mutagen");
        steps::write(&mutagen, &format!("#!/bin/sh\nexec {} \"$@\"\n", steps::real_mutagen()));
        steps::set_mode(&mutagen, 0o755);
        let gate = Self { dir, round: 0.into() };
        gate.open();
        // A call takes the first number that nobody has; the one to be stopped never goes on. A round has a directory of
        // its own, because calls of the round before may still end.
        let line = format!(
            "g=$(cat {}/now); n=1; while ! mkdir $g/call.$n 2>/dev/null; do n=$((n + 1)); done; \
             case $n in \"$(cat $g/before 2>/dev/null)\") \
             echo \"${{0##*/}} $*\" >$g/part; mv $g/part $g/stopped; exec sleep 600;; esac; \
             case $n in \"$(cat $g/after 2>/dev/null)\") \
             mv $g/after $g/was; \"$0\" \"$@\"; echo \"${{0##*/}} $*\" >$g/part; \
             mv $g/part $g/stopped; exec sleep 600;; esac",
            gate.dir.display()
        );
        for program in ["ssh", "mutagen"] {
            steps::before_each(bed, program, &line);
        }
        gate
    }

    /// Where this round's calls are noted.
    fn now(&self) -> PathBuf {
        self.dir.join(self.round.get().to_string())
    }

    /// Starts to count anew, and stops the call with this number.
    pub(crate) fn close(&self, when: &str, number: usize) {
        self.begin(Some((when, number)));
    }

    /// Stops nothing any more.
    pub(crate) fn open(&self) {
        self.begin(None);
    }

    fn begin(&self, stop: Option<(&str, usize)>) {
        self.round.set(self.round.get() + 1);
        std::fs::create_dir(self.now()).unwrap();
        if let Some((when, number)) = stop {
            steps::write(&self.now().join(when), &format!("{number}\n"));
        }
        steps::write(&self.dir.join("part"), &format!("{}\n", self.now().display()));
        std::fs::rename(self.dir.join("part"), self.dir.join("now")).unwrap();
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        std::fs::read_dir(self.now()).unwrap().flatten().filter(|entry| entry.path().is_dir()).count()
    }

    /// Runs sinc in the background and kills it at the step with this number, which is noted in `seen`.
    #[track_caller]
    pub(crate) fn kill_at(
        &self,
        (when, number): (&str, usize),
        (bed, project, words): (&Bed, &Path, &[&str]),
        seen: &mut Vec<String>,
    ) -> Killed {
        self.close(when, number);
        let mut child = bed.sandbox.program(Sandbox::binary(), project).args(words).start();
        let mut done = false;
        let came = poll(PATIENCE, || {
            done = child.try_wait().unwrap().is_some();
            done || self.stopped().is_some()
        });
        assert!(came, "step {number} after {seen:#?}");
        let Some(stopped) = self.stopped() else {
            if self.calls() >= number {
                return Killed::Lasts;
            }
            assert!(done && seen.len() > 2, "{seen:#?}");
            return Killed::Done;
        };
        seen.push(stopped.split(" exec sh -c ").next().unwrap().chars().take(120).collect());
        let _ = child.kill();
        child.wait().unwrap();
        self.open();
        Killed::Here
    }

    /// The command line that was stopped.
    pub(crate) fn stopped(&self) -> Option<String> {
        std::fs::read_to_string(self.now().join("stopped")).ok()
    }
}

/// Was it killed at a step?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Killed {
    /// It was.
    Here,
    /// That step is a call that lasts: another one's turn.
    Lasts,
    /// It had ended before: every step has had its turn.
    Done,
}

/// Everything is there, once.
#[track_caller]
fn is_whole(bed: &Bed, project: &Path, name: &str) {
    let there = steps::there(bed, name);
    assert_eq!(steps::tree(&there), steps::tree(project));
    let syncs = || -> Vec<_> {
        let all = steps::syncs(&bed.sandbox).into_iter();
        all.filter(|sync| sync["alpha"]["path"] == project.to_str().unwrap()).collect()
    };
    // For a moment its link may have it paused, to connect it anew.
    wait_until("it goes on", PATIENCE, || syncs().iter().all(|sync| sync["paused"] == false));
    let of_it = syncs();
    assert_eq!(of_it.len(), 1, "{of_it:#?}");
    let id = of_it[0]["name"].as_str().unwrap();
    assert!(steps::sessions_there(bed).contains(&id.to_owned()));
    assert!(steps::read(&there.join(".sinc-session")).starts_with(&format!("id {id}\n")));
    assert!(steps::read(&steps::claim(bed, id)).starts_with(&format!("id {id}\ndir {}\n", there.display())));
}

/// Ends a first connect at each step in turn, and each time the next `sinc` must make everything whole.
fn at_each_step(when: &str, end: impl Fn(&Bed, Terminal<'_>)) {
    let Some(bed) = Bed::new() else { return };
    let gate = Gate::build(&bed);
    let mut steps_seen = Vec::new();
    for number in 1.. {
        let name = format!("app{number}");
        let project = bed.project(&name, &[("src/one", "1\n"), ("two", "2\n")]);
        gate.close(when, number);
        let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
        let mut done = false;
        let reached = poll(PATIENCE, || {
            done = terminal.screen().contains("agent ready");
            done || gate.stopped().is_some()
        });
        assert!(reached, "step {number} of {steps_seen:#?}\n{}", terminal.screen());
        let Some(stopped) = gate.stopped() else {
            // A call that lasts, or every step has had its turn.
            if gate.calls() >= number {
                continue;
            }
            assert!(done && steps_seen.len() > 6, "{steps_seen:#?}");
            return;
        };
        let short: String = stopped.split(" exec sh -c ").next().unwrap().chars().take(150).collect();
        steps_seen.push(short);
        end(&bed, terminal);
        gate.open();
        let terminal = Terminal::sinc(&bed.sandbox, &project, &[]);
        let mut ended = None;
        let came = poll(PATIENCE, || {
            ended = terminal.exit_code();
            terminal.screen().contains("agent ready") || ended.is_some()
        });
        assert!(
            came && ended.is_none(),
            "after step {number} of {steps_seen:#?}: {ended:?}\n{}",
            terminal.history()
        );
        is_whole(&bed, &project, &name);
    }
}

fn interrupt(_: &Bed, terminal: Terminal<'_>) {
    // Once sinc has become ssh, Ctrl-C is ssh's, or the agent's.
    let program = std::fs::read_link(format!("/proc/{}/exe", terminal.pid())).unwrap_or_default();
    let became_ssh = terminal.screen().contains("Attaching") || !program.ends_with("sinc");
    terminal.type_keys(&["C-c"]);
    if !became_ssh {
        assert_eq!(terminal.wait_exit(PATIENCE), 130, "{}", terminal.screen());
    }
}

fn kill(bed: &Bed, terminal: Terminal<'_>) {
    bed.sandbox.run("kill", &["-9", &terminal.pid().to_string()]).success();
    assert_eq!(terminal.wait_exit(PATIENCE), 137, "{}", terminal.screen());
}

#[test]
fn by_ctrl_c_at_each_step() {
    at_each_step("before", interrupt);
}

#[test]
fn by_kill_before_each_step() {
    at_each_step("before", kill);
}

#[test]
fn by_kill_after_each_step() {
    at_each_step("after", kill);
}

#[test]
fn by_the_hosts_server_going_away_at_each_step() {
    at_each_step("before", |bed, terminal| {
        bed.host.stop_sshd().unwrap();
        drop(terminal);
        bed.host.start_sshd().unwrap();
    });
}

#[test]
fn two_at_once_make_one_session() {
    let Some(bed) = Bed::new() else { return };
    let files: Vec<_> = (0..300).map(|n| (format!("d{}/f{n}", n % 7), n.to_string())).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let project = bed.project("app", &files);
    let terminals: Vec<_> = (0..3).map(|_| Terminal::sinc(&bed.sandbox, &project, &[])).collect();
    for terminal in &terminals {
        terminal.wait_for("agent ready", PATIENCE);
    }
    is_whole(&bed, &project, "app");
    let id = steps::session_id(&bed.sandbox);
    assert_eq!(steps::sessions_there(&bed), std::slice::from_ref(&id));
    let attached = || steps::tmux_there(&bed, &["list-clients", "-F", "#{session_name}"]).stdout;
    wait_until("all are attached", PATIENCE, || attached() == format!("{id}\n").repeat(3));
    // Two that are not on a terminal, of another project.
    let other = bed.project("other", &[("a", "1")]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| steps::connect(&bed.sandbox, &other));
        }
    });
    is_whole(&bed, &other, "other");
}

#[test]
fn a_host_that_was_rebooted_gets_its_terminal_session_again() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    bed.host.reboot().unwrap();
    assert_eq!(terminal.wait_exit(PATIENCE), 255);
    assert_eq!(steps::sessions_there(&bed), Vec::<String>::new());
    let terminal = steps::attach(&bed.sandbox, &project);
    assert_eq!(steps::sessions_there(&bed).len(), 1);
    steps::write(&project.join("a"), "2");
    // Mutagen tries again every 15 s by itself.
    steps::wait_text(&steps::there(&bed, "app").join("a"), "2");
    steps::detach(terminal);
}

#[test]
fn a_lost_line_ends_the_terminal_and_nothing_else() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.type_line("before");
    terminal.wait_for("agent heard: before", PATIENCE);
    bed.host.break_connections().unwrap();
    assert_eq!(terminal.wait_exit(PATIENCE), 255);
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("agent heard: before", PATIENCE);
    // And while sshd is away, that is said at once.
    bed.host.stop_sshd().unwrap();
    assert_eq!(terminal.wait_exit(PATIENCE), 255);
    let away = Terminal::sinc(&bed.sandbox, &project, &[]);
    assert_eq!(away.wait_exit(Duration::from_secs(15)), 255);
    assert!(away.history().contains("Connection refused"), "{}", away.history());
    let run = bed.sandbox.sinc_in(&project, &["--no-attach"]).exits(76);
    assert!(run.stderr.contains("host `box` refuses connections"), "{run}");
    bed.host.start_sshd().unwrap();
    let terminal = steps::attach(&bed.sandbox, &project);
    terminal.wait_for("agent heard: before", PATIENCE);
}

#[test]
fn a_shared_connection_that_hangs_is_given_up() {
    let Some(bed) = Bed::new() else { return };
    let project = bed.project("app", &[("a", "1")]);
    steps::connect(&bed.sandbox, &project);
    let private = [".sinc", ".sinc/cm"].map(|dir| steps::mode(&bed.sandbox.home().join(dir)));
    assert_eq!(private, [0o700; 2]);
    let mut frozen = Vec::new();
    let mut freeze = || {
        let all = bed.sandbox.run("pgrep", &["-f", &format!("^ssh: {}", bed.host.dir().display())]).success();
        for master in all.stdout.lines() {
            bed.sandbox.run("kill", &["-STOP", master]).success();
            frozen.push(master.to_owned());
        }
    };
    freeze();
    let started = std::time::Instant::now();
    let run = steps::connect(&bed.sandbox, &project);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?} {run}", started.elapsed());
    // On a terminal ssh itself takes over, which would wait for it without end.
    freeze();
    let started = std::time::Instant::now();
    let terminal = steps::attach(&bed.sandbox, &project);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    steps::detach(terminal);
    steps::wait_until_nobody_looks_after(&bed);
    for master in frozen {
        let _ = bed.sandbox.run("kill", &["-KILL", &master]);
    }
}
