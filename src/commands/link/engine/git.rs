//! Git on both sides: a cycle of its own runs when something has moved on either side, beside those of the sync.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use super::{Engine, Message, thread};
use crate::commands::git::short;
use crate::git::base;
use crate::git::cycle::{FilesCycle, Outcome, Refused, Report, Sides, Wait};
use crate::git::local::Local;
use crate::git::recent::{Recent, Save};
use crate::git::saves;
use crate::git::transport::Transport;
use crate::git::watch::{AtWork, Came, Pace};
use crate::link::asked::{Asker, OWN};
use crate::remote::Script;
use crate::state::host_word;

/// How long the files may take to be brought in step: the first time everything is sent.
const FILES: Duration = Duration::from_secs(60 * 60);

/// What is kept on the host is looked at until a cycle that began so long after that.
const CHECKED: Duration = Duration::from_secs(10);

/// So often in a row something may go wrong before it is taken for more than a moment's: what was saved on the host is not kept there,
/// and the sync goes on without; a side is not any more as it had been, and a person is told.
const TRIES: u32 = 5;

/// How long another sinc that is at work on the repository is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the link knows of a session's repository.
#[derive(Debug, Default)]
pub(in crate::commands::link) struct GitWatched {
    /// It is shared: the configuration says so, the sync goes both ways, and there is one here.
    pub on: bool,
    pub pace: Pace,
    /// Git works on the files, on the host and here.
    pub works_there: AtWork,
    pub works_here: AtWork,
    /// What was written of late.
    pub recent: Recent,
    cycle_began: Option<Instant>,
    /// When the cycle began that has just ended well.
    ended_well: Option<Instant>,
    /// What was saved on the host is being kept there: the sync waits for that.
    keeping: bool,
    /// So often in a row it could not be.
    kept_not: u32,
    /// What is kept there, until cycles have shown whether it is still in its place; and since when.
    kept: Vec<String>,
    kept_at: Option<Instant>,
    /// Who waits for the files, and whether a cycle has begun since.
    waiting: Vec<(Sender<FilesCycle>, bool)>,
    refused: Refused,
    /// So many cycles in a row found something not as it had been.
    again: u32,
    /// What a person is told.
    pub told: Option<String>,
    /// What differed, and what was held, when it was last said.
    said: Vec<String>,
    said_held: Vec<String>,
}

/// What a cycle came to, and what it remembers.
pub(super) type Ended = (Result<Outcome>, Refused);

/// A question to the host, and where its answer goes.
#[derive(Debug)]
pub(super) struct Question {
    text: String,
    answer: Sender<String>,
}

impl Engine<'_> {
    /// Begins a cycle where one is due. Gives when there is something next.
    pub(super) fn step_git(&mut self, index: usize, now: Instant) -> Option<Instant> {
        let ready = self.file.up && self.there_ready && self.sessions[index].placed;
        let session = &mut self.sessions[index];
        if !session.git.on || !ready {
            return None;
        }
        if let Err(at) = session.git.pace.next(now) {
            return at;
        }
        let (record, refused) = (session.record.clone(), std::mem::take(&mut session.git.refused));
        let (ctx, outbox, id) = (self.ctx.clone(), self.outbox.clone(), record.id.clone());
        let over = self.line.as_ref().and_then(|line| line.control().map(std::path::Path::to_owned));
        let transport = Transport::new(&self.remote, &record.remote, over.as_deref());
        let base = base::path(&record.local, &host_word(&record.host));
        let ignores = session.ignores.clone();
        thread("git", move || {
            let mut refused = refused;
            let (to_ask, to_files) =
                (std::sync::Mutex::new(outbox.clone()), std::sync::Mutex::new(outbox.clone()));
            let ask = |_: &str, script: &Script, words: &[String]| {
                let mut all = vec![record.remote.as_str()];
                all.extend(words.iter().map(String::as_str));
                let (answer, answered) = channel();
                let question = Question { text: script.command(&all), answer };
                send(&to_ask, Message::GitAsked(question));
                let answer = answered.recv_timeout(OWN).map_err(|_| anyhow!("the line was lost"))?;
                Ok(answer.into_bytes())
            };
            let files = |wait| {
                let (done, ended) = channel();
                send(&to_files, Message::GitFiles(record.id.clone(), wait, done));
                ended.recv_timeout(FILES).unwrap_or_else(|_| Err("their cycle did not end".to_owned()))
            };
            let lock = ctx.store.lock(&format!("{}-git", record.id), &record.host, PATIENCE, &mut || {});
            let ended = lock.context("another sinc is at work on the repository").and_then(|_lock| {
                let local = Local::new(ctx.runner.clone(), &record.local);
                let directory = record.remote.clone();
                let sides = Sides {
                    local,
                    directory,
                    ask: &ask,
                    transport,
                    files: &files,
                    base,
                    ignores,
                    excludes: ctx.environment.git_ignore(),
                    tell: None,
                };
                sides.run(&mut refused, false)
            });
            drop(outbox.send(Message::GitEnded(id, Box::new((ended, refused)))));
        });
        None
    }

    /// Passes a question on to the host.
    pub(super) fn ask_for_git(&mut self, now: Instant, question: Question) {
        // Without a line whoever asks sees that there will be no answer.
        if let Some(line) = self.line.as_mut().filter(|_| self.file.up) {
            let number = self.waiting.add(now, Asker::Thread(question.answer));
            line.say(&format!("q {number} {}\n", question.text));
        }
    }

    /// Somebody waits for a cycle of the sync.
    pub(super) fn want_files(&mut self, now: Instant, id: &str, wait: Wait, done: Sender<FilesCycle>) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) else { return };
        match wait {
            Wait::Whole => session.joiner.ask(now),
            Wait::Pending if session.git.cycle_began.is_some() => {
                return session.git.waiting.push((done, true));
            }
            Wait::Pending if session.joiner.is_called_for() => session.joiner.hurry(),
            Wait::Pending => return drop(done.send(Ok(Vec::new()))),
        }
        session.git.waiting.push((done, false));
    }

    /// Before a cycle begins: what git here has written, and somebody on the host too, is kept there. The last cycle may have
    /// brought that here between git's look and its writing. Is it at that?
    pub(super) fn keep_there(&mut self, index: usize, now: Instant) -> bool {
        let session = &mut self.sessions[index];
        if !session.git.on || session.joiner.is_busy() {
            return false;
        }
        let paths = session.git.recent.overlap(now);
        if paths.is_empty() {
            return false;
        }
        session.git.keeping = true;
        let (ask, outbox, id) =
            (self.asker(index), self.outbox.clone(), self.sessions[index].record.id.clone());
        thread("keep", move || {
            let kept = saves::keep_there(&ask, &paths);
            let kept = kept.map_err(|error| (format!("{error:#}"), paths));
            drop(outbox.send(Message::GitKept(id, true, kept)));
        });
        true
    }

    pub(super) fn take_kept(
        &mut self,
        now: Instant,
        id: &str,
        anew: bool,
        kept: Result<Vec<String>, (String, Vec<PathBuf>)>,
    ) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) else { return };
        if let Some(why) = session.git.take_kept(now, anew, kept) {
            self.log.note(&format!("{id}: what was saved on the host could not be kept: {why}"));
        }
    }

    /// A cycle has ended well: is what was saved still there?
    pub(super) fn check_saves(&mut self, index: usize, now: Instant) {
        let session = &mut self.sessions[index];
        let Some(began) = session.git.ended_well.take() else { return };
        if session.git.works_there.is_on() {
            session.git.recent.at_risk(now);
        }
        let root = session.record.local.clone();
        let in_place =
            |path: &Path, bytes: &[u8]| saves::read(&root.join(path)).is_some_and(|found| found == bytes);
        let gone = session.git.recent.cycled(began, now, in_place);
        let kept = std::mem::take(&mut session.git.kept);
        let last = session.git.kept_at.is_none_or(|at| at + CHECKED < began);
        let id = session.record.id.clone();
        let gone = [session.git.recent.take_not_kept(), gone].concat();
        if !gone.is_empty() {
            let local = Local::new(self.ctx.runner.clone(), &root);
            let (ask, outbox, id) = (self.asker(index), self.outbox.clone(), id.clone());
            thread("saves", move || {
                let kept = saves::keep(&local, &ask, &gone);
                let kept = kept.map_err(|error| (format!("{error:#}"), gone));
                drop(outbox.send(Message::GitOverwritten(id, "here", kept)));
            });
        }
        if !kept.is_empty() {
            let (ask, outbox) = (self.asker(index), self.outbox.clone());
            thread("saves", move || {
                let lost =
                    saves::check_there(&ask, &kept).map_err(|error| (format!("{error:#}"), Vec::new()));
                let mut left = kept;
                if let Ok(lost) = &lost {
                    let path = |kept: &String| kept.split_once(' ').map(|(_, path)| PathBuf::from(path));
                    left.retain(|kept| !last && path(kept).is_none_or(|path| !lost.contains(&path)));
                }
                drop(outbox.send(Message::GitKept(id.clone(), false, Ok(left))));
                drop(outbox.send(Message::GitOverwritten(id, "on the host", lost)));
            });
        }
    }

    pub(super) fn take_overwritten(
        &mut self,
        id: &str,
        side: &'static str,
        saves: Result<Vec<PathBuf>, (String, Vec<Save>)>,
    ) {
        let saves = match saves {
            Ok(saves) if saves.is_empty() => return,
            Ok(saves) => saves,
            Err((why, saves)) => {
                if let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) {
                    session.git.recent.not_kept(saves);
                }
                return self.log.note(&format!("{id}: saves could not be kept {side}: {why}"));
            }
        };
        let names: Vec<_> = saves.iter().take(3).map(|path| path.to_string_lossy()).collect();
        let more = if saves.len() > names.len() { " and more" } else { "" };
        let names = format!("{}{more}", names.join(", "));
        self.log.note(&format!("{id}: git wrote over a save, which is kept {side}: {names}"));
        self.say_inside(
            id,
            &format!("git wrote over a save, which is kept {side} ({names}): see `sinc git lost`"),
        );
    }

    /// Asks the host, from a thread.
    fn asker(&self, index: usize) -> impl Fn(&Script, &[String]) -> Result<Vec<u8>> + Send + 'static {
        let (outbox, directory) = (self.outbox.clone(), self.sessions[index].record.remote.clone());
        move |script, words| {
            let mut all = vec![directory.as_str()];
            all.extend(words.iter().map(String::as_str));
            let (answer, answered) = channel();
            let _ = outbox.send(Message::GitAsked(Question { text: script.command(&all), answer }));
            let answer = answered.recv_timeout(OWN).map_err(|_| anyhow!("the line was lost"))?;
            Ok(answer.into_bytes())
        }
    }

    pub(super) fn take_git(&mut self, now: Instant, id: &str, (ended, refused): Ended) {
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        let session = &mut self.sessions[index];
        session.git.refused = refused;
        let (came, told) = came(&ended, &mut session.git.again, session.git.told.as_ref());
        session.git.pace.ended(now, came);
        let news = session.git.told != told;
        session.git.told = told;
        if let (true, Some(told)) = (news, &session.git.told) {
            self.log.note(&format!("{id}: git: {told}"));
        }
        if let Ok(Outcome::Done(report)) = ended {
            let differs: Vec<String> = report.differs.iter().map(|one| short(&one.name).to_owned()).collect();
            let session = &mut self.sessions[index];
            if differs.iter().any(|name| !session.git.said.contains(name)) {
                let names = differs.join(", ");
                session.git.said = differs;
                let (ctx, record) = (self.ctx.clone(), session.record.clone());
                self.say_inside(id, &format!("git: {names} moved on both sides: see `sinc git`"));
                thread("tell", move || crate::commands::notify::differs(&ctx, &record, &names));
            } else {
                session.git.said = differs;
            }
            let held: Vec<String> = report.held.iter().map(ToString::to_string).collect();
            let session = &mut self.sessions[index];
            let news = held.iter().any(|name| !session.git.said_held.contains(name));
            session.git.said_held = held;
            if news {
                let names = some(&session.git.said_held);
                let (ctx, record) = (self.ctx.clone(), session.record.clone());
                let text =
                    format!("git: {names} are held, as many are deleted or set back at once: see `sinc git`");
                self.say_inside(id, &text);
                thread("tell", move || crate::commands::notify::held_branches(&ctx, &record, &names));
            }
        }
    }
}

impl GitWatched {
    /// These were saved here, in this directory.
    pub(super) fn saved(&mut self, now: Instant, root: &Path, files: Vec<(PathBuf, bool)>) {
        if !self.on {
            return;
        }
        for (path, from_elsewhere) in files {
            let Some(bytes) = saves::read(&root.join(&path)) else { continue };
            if from_elsewhere {
                self.recent.put(now, path, bytes);
            } else {
                self.recent.saved(now, path, bytes);
            }
        }
    }

    /// What is kept on the host, or could not be: then it is tried again. Gives why not, where that was too often.
    fn take_kept(
        &mut self,
        now: Instant,
        anew: bool,
        kept: Result<Vec<String>, (String, Vec<PathBuf>)>,
    ) -> Option<String> {
        self.keeping &= !anew;
        match kept {
            Ok(kept) => {
                self.kept_not = 0;
                if anew && !kept.is_empty() {
                    self.kept_at = Some(now);
                }
                self.kept.extend(kept);
                None
            }
            Err((_, paths)) if self.kept_not + 1 < TRIES => {
                self.kept_not += 1;
                self.recent.overlaps_still(paths);
                None
            }
            Err((why, _)) => {
                self.kept_not = 0;
                Some(why)
            }
        }
    }

    /// May a cycle begin? If not, when there is something next.
    pub(super) fn lets(&self, now: Instant) -> Result<(), Option<Instant>> {
        if self.keeping {
            return Err(None);
        }
        let until = self.works_there.until(now).into_iter().chain(self.works_here.until(now)).max();
        until.map_or(Ok(()), |until| Err(Some(until)))
    }

    /// Is the sync kept back for a moment?
    pub(in crate::commands::link) fn holds(&self) -> bool {
        self.on && self.lets(Instant::now()).is_err()
    }

    /// A cycle of the sync begins: those who wait so far wait for this one.
    pub(super) fn cycle_begins(&mut self) {
        self.cycle_began = Some(Instant::now());
        self.waiting.iter_mut().for_each(|(_, begun)| *begun = true);
    }

    /// It has ended.
    pub(super) fn cycle_ended(&mut self, result: &FilesCycle) {
        self.ended_well = self.cycle_began.take().filter(|_| result.is_ok());
        self.waiting.retain(|(done, begun)| {
            if *begun {
                let _ = done.send(result.clone());
            }
            !begun
        });
    }

    /// No cycle will begin.
    pub(super) fn no_cycle(&mut self, why: &str) {
        for (done, _) in self.waiting.drain(..) {
            let _ = done.send(Err(why.to_owned()));
        }
    }
}

fn send(outbox: &std::sync::Mutex<Sender<Message>>, message: Message) {
    if let Ok(outbox) = outbox.lock() {
        drop(outbox.send(message));
    }
}

/// What a cycle came to, and what a person is told of it.
fn came(ended: &Result<Outcome>, again: &mut u32, before: Option<&String>) -> (Came, Option<String>) {
    *again = if matches!(ended, Ok(Outcome::Again(_))) { again.saturating_add(1) } else { 0 };
    match ended {
        Ok(Outcome::Off(why)) => (Came::Done, why.as_ref().map(|why| format!("not shared: {why}"))),
        Ok(Outcome::Held(why)) => (Came::Held, Some(format!("held: {why}"))),
        // Once or twice that is somebody at work.
        Ok(Outcome::Again(_)) if *again < TRIES => (Came::Again, before.cloned()),
        Ok(Outcome::Again(why)) => (Came::Again, Some(format!("not in step: {why}"))),
        Ok(Outcome::Done(report)) => {
            (if report.locked { Came::Held } else { Came::Done }, Some(describe(report)))
        }
        Err(error) => (Came::Failed, Some(format!("not in step: {error:#}"))),
    }
}

/// The first of these names, and how many more there are.
fn some(names: &[String]) -> String {
    let (first, rest) = names.split_at(names.len().min(3));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("{}{more}", first.join(", "))
}

/// What a person is told after a cycle.
fn describe(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.differs.is_empty() {
        let names: Vec<&str> = report.differs.iter().map(|one| short(&one.name)).collect();
        parts.push(format!("differs: {}", names.join(", ")));
    }
    if let [first, rest @ ..] = &report.waits[..] {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        parts.push(format!("waits: {} ({}){more}", short(&first.name), first.why));
    }
    if parts.is_empty() { "in step".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_could_not_be_asked_to_keep_is_tried_again_and_given_up_after_some_tries() {
        let (mut git, now, path) = (GitWatched::default(), Instant::now(), PathBuf::from("a"));
        git.recent.written_there(now, path.clone(), false);
        git.recent.git_wrote(path.clone());
        for round in 0..2 {
            for tried in 1..TRIES {
                // However long after the save that is.
                let later = now + Duration::from_secs(300);
                let paths = git.recent.overlap(if (round, tried) == (0, 1) { now } else { later });
                assert_eq!(paths, [path.as_path()], "try {tried}");
                git.keeping = true;
                assert!(git.lets(now).is_err(), "no cycle begins meanwhile");
                assert_eq!(git.take_kept(now, true, Err(("no line".to_owned(), paths))), None);
                assert!(git.lets(now).is_ok());
            }
            let paths = git.recent.overlap(now + Duration::from_secs(600));
            if round == 0 {
                // One that could be asked: it is counted anew.
                assert_eq!(git.take_kept(now, true, Ok(vec!["id a".to_owned()])), None);
                assert_eq!((git.kept.as_slice(), git.kept_at), (&["id a".to_owned()][..], Some(now)));
                git.recent.overlaps_still(paths);
            } else {
                let why = git.take_kept(now, true, Err(("no line".to_owned(), paths)));
                assert_eq!(why.as_deref(), Some("no line"));
            }
        }
        assert!(git.recent.overlap(now + Duration::from_secs(600)).is_empty());
    }

    #[test]
    fn that_it_is_never_as_it_was_is_told_after_some_tries() {
        let (mut again, before) = (0, "in step".to_owned());
        let ended = || Ok(Outcome::Again("HEAD here is not as it was".to_owned()));
        for _ in 1..TRIES {
            assert_eq!(came(&ended(), &mut again, Some(&before)), (Came::Again, Some(before.clone())));
        }
        let told = || Some("not in step: HEAD here is not as it was".to_owned());
        assert_eq!(came(&ended(), &mut again, Some(&before)), (Came::Again, told()));
        assert_eq!(came(&ended(), &mut again, told().as_ref()), (Came::Again, told()));
        let held = Ok(Outcome::Held("git is at work".to_owned()));
        assert_eq!(came(&held, &mut again, None), (Came::Held, Some("held: git is at work".to_owned())));
        assert_eq!(came(&ended(), &mut again, Some(&before)), (Came::Again, Some(before.clone())));
    }
}
