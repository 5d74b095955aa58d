//! The link's eye on the host, alone: told over its standard input, without a host.

use std::io::{BufRead, BufReader, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use sinc::link::eye::EYE;
use sinc::process::{Cmd, Runner};

use crate::support::PATIENCE;
use crate::support::e2e::have;

#[test]
fn it_answers_however_soon_it_is_told_to_watch_anew() {
    if !have(&["inotifywait"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for round in 0..80 {
        let cmd = Cmd::new("sh", "be the host").args(["-c", EYE.line()]);
        let mut eye = Runner::default().spawn_piped(&cmd).unwrap();
        let (told, lines) = channel();
        let output = BufReader::new(eye.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                drop(told.send(line));
            }
        });
        let mut input = eye.stdin.take().unwrap();
        write!(input, "r {path}\nw\n").unwrap();
        // The first watch is at another point of its beginning each time.
        std::thread::sleep(Duration::from_micros(250 * round));
        write!(input, "w\nn {path}\n").unwrap();
        let until = Instant::now() + PATIENCE;
        let answered = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with("count ") => break line,
                Ok(_) => {}
                Err(error) => {
                    let _ = eye.kill();
                    panic!("round {round}: {error}");
                }
            }
        };
        // What it began ends with it, or the other end of its output would stay open.
        drop(input);
        assert_eq!(answered, format!("count 0 {path}"), "round {round}");
        reader.join().unwrap();
        eye.wait().unwrap();
    }
}
