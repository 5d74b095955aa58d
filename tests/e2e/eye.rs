//! The link's eye on the host, alone: told over its standard input, without a host.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use sinc::link::eye::EYE;
use sinc::process::{Cmd, Runner};

use crate::steps;
use crate::support::e2e::have;
use crate::support::{PATIENCE, wait_until};

/// The script, as it runs on a host.
struct Eye {
    child: std::process::Child,
    input: Option<std::process::ChildStdin>,
    lines: Receiver<String>,
    reader: Option<std::thread::JoinHandle<()>>,
    reads: Arc<AtomicUsize>,
}

/// Counts how often something came.
struct Counted<R>(R, Arc<AtomicUsize>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.read(buffer)
    }
}

impl Eye {
    /// With these programs in the place of the computer's own.
    fn open(bin: &Path) -> Self {
        let path = format!("{}:{}", bin.display(), crate::support::variable("PATH").unwrap());
        let cmd = Cmd::new("sh", "be the host").args(["-c", EYE.line()]).env("PATH", path);
        let mut child = Runner::default().spawn_piped(&cmd).unwrap();
        let (told, lines) = channel();
        let reads = Arc::<AtomicUsize>::default();
        let counted = Counted(child.stdout.take().unwrap(), Arc::clone(&reads));
        let output = BufReader::with_capacity(1 << 20, counted);
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                drop(told.send(line));
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, reader: Some(reader), reads }
    }

    fn say(&mut self, text: &str) {
        self.input.as_ref().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// The next line that begins like this.
    #[track_caller]
    fn hear(&self, begin: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(begin) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line `{begin}…`: {error}"),
            }
        }
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        // What it began ends with it, or the other end of its output would stay open.
        drop(self.input.take());
        if std::thread::panicking() {
            let _ = self.child.kill();
            return;
        }
        self.reader.take().unwrap().join().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn it_answers_however_soon_it_is_told_to_watch_anew() {
    if !have(&["inotifywait"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for round in 0..80 {
        let mut eye = Eye::open(dir.path());
        eye.say(&format!("r {path}\nw\n"));
        // The first watch is at another point of its beginning each time.
        std::thread::sleep(Duration::from_micros(250 * round));
        eye.say(&format!("w\nn {path}\n"));
        assert_eq!(eye.hear("count "), format!("count 0 {path}"), "round {round}");
    }
}

/// A program in the place of one of the computer's own, which it is told as `$REAL`.
fn stand_in(bin: &Path, name: &str, script: &str) {
    let real = which::which(name).unwrap();
    let file = bin.join(name);
    steps::write(&file, &format!("#!/bin/sh\nREAL={}\n{script}", real.display()));
    steps::set_mode(&file, 0o755);
}

#[test]
fn many_files_are_looked_at_less_often() {
    let dir = tempfile::tempdir().unwrap();
    let (bin, few, many) = (dir.path().join("bin"), dir.path().join("few"), dir.path().join("many"));
    let slept = dir.path().join("slept");
    stand_in(&bin, "sleep", &format!("echo \"$1\" >>{}; exec $REAL 0.1\n", slept.display()));
    steps::write(&few.join("a"), "");
    std::fs::create_dir(&many).unwrap();
    for n in 0..=20_000 {
        std::fs::write(many.join(n.to_string()), "").unwrap();
    }
    for (root, files, seconds) in [(&few, 1, "1\n"), (&many, 20_001, "2\n")] {
        let _ = std::fs::remove_file(&slept);
        let mut eye = Eye::open(&bin);
        eye.say(&format!("r {}\np\n", root.display()));
        assert_eq!(eye.hear("poll "), format!("poll {files} {}", root.display()));
        wait_until("it has slept", PATIENCE, || {
            std::fs::read_to_string(&slept).is_ok_and(|text| text.starts_with(seconds))
        });
    }
}

#[test]
fn a_host_without_gnu_find_is_watched_polled_and_counted_all_the_same() {
    if !have(&["inotifywait"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (bin, root) = (dir.path().join("bin"), dir.path().join("a b"));
    let gnu = "case \"$*\" in *-regextype* | *-printf*) exit 1;; esac; exec $REAL \"$@\"\n";
    stand_in(&bin, "find", gnu);
    steps::write(&root.join("src/one"), "1");
    // It cannot leave out what is ignored: more is counted.
    steps::write(&root.join("node_modules/one"), "1");
    let mut eye = Eye::open(&bin);
    assert_eq!(eye.hear("find "), "find no");
    let shown = root.display();
    eye.say(&format!("x {shown}/(node_modules)\nv {shown}/(node_modules)\nr {shown}\nw\n"));
    eye.hear("Watches established.");
    steps::write(&root.join("src/two"), "2");
    assert!(eye.hear("E ").contains("/src/two"));
    eye.say(&format!("n {shown}\n"));
    assert_eq!(eye.hear("count "), format!("count 3 {shown}"));
    eye.say("p\n");
    assert_eq!(eye.hear("poll "), format!("poll 3 {shown}"));
    std::fs::remove_file(root.join("src/two")).unwrap();
    assert_eq!(eye.hear("poll "), format!("poll 2 {shown}"));
}

#[test]
fn a_burst_of_events_is_told_in_a_few_writes() {
    const FILES: usize = 5_000;
    if !have(&["inotifywait", "perl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (bin, root) = (dir.path().join("bin"), dir.path().join("a"));
    std::fs::create_dir(&root).unwrap();
    for joins in [true, false] {
        if !joins {
            // Every host of Debian's family has one; without it all is told as it comes.
            stand_in(&bin, "perl", "exit 127\n");
        }
        let mut eye = Eye::open(&bin);
        eye.say(&format!("r {}\nw\n", root.display()));
        eye.hear("Watches established.");
        let (before, began) = (eye.reads.load(Ordering::SeqCst), Instant::now());
        for n in 0..FILES {
            steps::write(&root.join(format!("{joins}-{n}")), "x");
        }
        steps::write(&root.join(format!("{joins}-last")), "x");
        while !eye.hear("E ").ends_with("-last") {}
        let reads = (eye.reads.load(Ordering::SeqCst) - before) as u128;
        // A pause of 2 ms follows each write, and one may be read in two parts.
        let most = began.elapsed().as_millis() + 50;
        assert!(!joins || reads <= most, "{reads} reads, at most {most} are to be expected");
    }
}

/// The state of a process, as the kernel tells it: `T` is one that was stopped.
fn state_of(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn inotifywait_stands_still_in_a_burst_and_goes_on_after_it() {
    if !have(&["inotifywait", "perl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a");
    std::fs::create_dir(&root).unwrap();
    let mut eye = Eye::open(&dir.path().join("bin"));
    eye.say(&format!("r {}\nw\n", root.display()));
    let (mut pid, mut watches) = (None, false);
    while pid.is_none() || !watches {
        let line = eye.hear("");
        watches |= line == "Watches established.";
        pid = pid.or(line.strip_prefix("watcher ").map(str::to_owned));
    }
    let pid = pid.unwrap();
    let ends = std::sync::atomic::AtomicBool::new(false);
    let stood = std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                let tree = root.join(format!("d{}", n / 500));
                std::fs::create_dir_all(&tree).unwrap();
                steps::write(&tree.join(n.to_string()), "x");
                if ends.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut stood = false;
        while !stood && Instant::now() < deadline {
            stood = state_of(&pid) == Some('T');
        }
        ends.store(true, Ordering::SeqCst);
        stood
    });
    assert!(stood, "it never stood still");
    steps::write(&root.join("last"), "x");
    while !eye.hear("E ").ends_with("/last") {}
    wait_until("it goes on", Duration::from_secs(5), || state_of(&pid) != Some('T'));
}

#[test]
fn it_goes_on_when_what_joins_its_words_is_killed() {
    if !have(&["inotifywait", "perl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (bin, pid) = (dir.path().join("bin"), dir.path().join("pid"));
    // The one that joins, not the one that only shows that there is a perl.
    stand_in(
        &bin,
        "perl",
        &format!(
            "case $2 in 1) ;; *) echo $$ >{0}.new; mv {0}.new {0};; esac; exec $REAL \"$@\"\n",
            pid.display()
        ),
    );
    let mut eye = Eye::open(&bin);
    eye.say(&format!("r {}\nw\n", dir.path().join("bin").display()));
    eye.hear("Watches established.");
    let joiner = std::fs::read_to_string(&pid).unwrap();
    let pid = rustix::process::Pid::from_raw(joiner.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // The link has it watch anew then.
    assert_eq!(eye.hear("ended "), "ended 137");
    eye.say("w\n");
    eye.hear("Watches established.");
    steps::write(&bin.join("one"), "1");
    assert!(eye.hear("E ").ends_with("/one"));
}
