//! Questions to a host that go over its link's line, which is open already: one round trip, and no ssh of their own. The
//! link listens on a socket in sinc's private directory; who connects and asks gets the answer, and then the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::config::Destination;
use crate::remote::BEGIN;

/// The one question so far.
const SURVEY: &str = "survey\n";

/// How long the answer may take until the host is asked by an ssh instead: far more than a round trip, and not much
/// more than a person waits.
const ANSWERS: Duration = Duration::from_secs(2);

/// How long the one who asks may take to say what.
const ASKS: Duration = Duration::from_millis(500);

/// Who has not been answered for so long is not there any more.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// A question of the link's own is one about a repository, which may be large.
pub const OWN: Duration = Duration::from_secs(90);

/// More than any answer has, bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// Where the link to this host listens, in this directory of sockets. A host whose destination was changed in the config
/// is another one: its link, which still has the old line, is not asked.
#[must_use]
pub fn socket(directory: &Path, host: &str, destination: &Destination) -> PathBuf {
    let hash = hex::encode(Sha256::digest(format!("{host}\n{destination}").as_bytes()));
    directory.join(&hash[..12])
}

/// Asks the link: the lines of the answer, or nothing when there is no link, its line is down, or it takes too long.
#[must_use]
pub fn survey(socket: &Path) -> Option<Vec<u8>> {
    let until = Instant::now() + ANSWERS;
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_write_timeout(Some(ANSWERS)).ok()?;
    stream.write_all(SURVEY.as_bytes()).ok()?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut piece).ok()? {
            0 => return (!answer.is_empty()).then_some(answer),
            length => answer.extend_from_slice(&piece[..length]),
        }
        if answer.len() as u64 > MOST {
            return None;
        }
    }
}

/// The link's end of it. Dropped, the socket goes.
#[derive(Debug)]
pub struct Door(PathBuf);

impl Door {
    /// Listens, and tells of everybody who asks. Only the one link of a host may do so: what an earlier one left is
    /// taken away.
    ///
    /// # Errors
    /// The socket cannot be made; its path may be too long.
    pub fn open(socket: &Path, tell: impl Fn(UnixStream) + Send + 'static) -> std::io::Result<Self> {
        if let Some(directory) = socket.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)?;
        std::thread::Builder::new().name("door".to_owned()).stack_size(64 * 1024).spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if asks(&stream).is_some() {
                    tell(stream);
                }
            }
        })?;
        Ok(Self(socket.to_owned()))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Is it the question that we know?
fn asks(stream: &UnixStream) -> Option<()> {
    stream.set_read_timeout(Some(ASKS)).ok()?;
    stream.set_write_timeout(Some(ASKS)).ok()?;
    let mut line = String::new();
    BufReader::new(stream.take(SURVEY.len() as u64)).read_line(&mut line).ok()?;
    (line == SURVEY).then_some(())
}

/// Those who have asked and wait, by the numbers of their questions.
#[derive(Debug, Default)]
pub struct Waiting {
    last: u32,
    all: Vec<Waits>,
}

#[derive(Debug)]
struct Waits {
    number: u32,
    until: Instant,
    asker: Asker,
    answer: String,
}

/// Who asks.
#[derive(Debug)]
pub enum Asker {
    /// Another sinc.
    Stream(UnixStream),
    /// A thread of the link's own.
    Thread(Sender<String>),
}

impl Waiting {
    /// One more: gives the number of its question.
    pub fn add(&mut self, now: Instant, asker: Asker) -> u32 {
        self.all.retain(|one| now < one.until);
        self.last = self.last.wrapping_add(1);
        let patience = match &asker {
            Asker::Stream(_) => FORGOTTEN,
            Asker::Thread(_) => OWN,
        };
        self.all.push(Waits { number: self.last, until: now + patience, asker, answer: String::new() });
        self.last
    }

    /// A line of an answer has come, or its end.
    pub fn take(&mut self, number: u32, line: Option<&str>) {
        let Some(at) = self.all.iter().position(|one| one.number == number) else { return };
        match line {
            // What it opens with is for answers that an rc file may print something before.
            Some(BEGIN) => {}
            Some(line) => {
                let answer = &mut self.all[at].answer;
                answer.push_str(line);
                answer.push('\n');
            }
            None => {
                let one = self.all.swap_remove(at);
                // Who has gone away misses it.
                match one.asker {
                    Asker::Stream(mut stream) => drop(stream.write_all(one.answer.as_bytes())),
                    Asker::Thread(thread) => drop(thread.send(one.answer)),
                }
            }
        }
    }

    /// The line is lost: nobody is answered, and each asks the host by itself.
    pub fn give_up(&mut self) {
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_asks_gets_the_lines_of_the_answer_and_who_cannot_be_answered_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |destination| socket(dir.path(), "box", &Destination::parse(destination).unwrap());
        let path = at("dev@box");
        assert_ne!(path, at("dev@other"));
        assert_eq!(survey(&path), None, "there is no link");
        let (told, asked) = channel();
        let door = Door::open(&path, move |stream| drop(told.send(stream))).unwrap();
        let mut waiting = Waiting::default();
        let ask = || {
            std::thread::spawn({
                let path = path.clone();
                move || survey(&path)
            })
        };
        let (first, second) = (ask(), asked.recv().unwrap());
        let number = waiting.add(Instant::now(), Asker::Stream(second));
        for line in [Some(BEGIN), Some("claim x"), Some("dir  a "), None] {
            waiting.take(number + 1, line);
            waiting.take(number, line);
        }
        assert_eq!(first.join().unwrap().as_deref(), Some("claim x\ndir  a \n".as_bytes()));
        let third = ask();
        waiting.add(Instant::now(), Asker::Stream(asked.recv().unwrap()));
        waiting.give_up();
        assert_eq!(third.join().unwrap(), None);
        // Something else than the question is not told of.
        let mut other = UnixStream::connect(&path).unwrap();
        other.write_all(b"rm -rf\n").unwrap();
        assert_eq!(other.read(&mut [0; 8]).unwrap(), 0);
        assert!(asked.try_recv().is_err());
        drop(door);
        assert!(!path.exists());
    }
}
