//! The link's loop: what the eyes tell goes in, cycles come out.

mod cycles;
mod git;
mod looking;
mod noticing;
mod place;
mod records;
mod telling;
mod there;
mod trying;

pub(in crate::commands::link) use git::GitWatched;
use trying::Tries;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::context::Context;
use super::super::resolve::Settled;
use super::ensure::this_program;
use super::follow::Found;
use super::watched::Watched;
use crate::config::Host;
use crate::failure::{Failure, Kind};
use crate::git::cycle::{FilesCycle, Wait};
use crate::git::recent::Save;
use crate::link::asked::Waiting;
use crate::link::eye::Roots;
use crate::link::joiner::{Next, Seen};
use crate::link::line::{FromHost, Line};
use crate::link::local_eye::{LocalEye, Told};
use crate::link::log::Log;
use crate::link::state::LinkFile;
use crate::process::Runner;
use crate::remote::Remote;
use crate::session::missing::Known;
use crate::state::{Busy, Noted, host_word};
use crate::tools::mutagen::{Mutagen, Side, SyncSession};

/// How often Mutagen is asked how a session does that runs no cycle.
const RECHECK: Duration = Duration::from_secs(10);

/// Of a person's reading of several records, one is made.
const REREAD: Duration = Duration::from_millis(100);

/// How long a look may take before it is begun again.
const LOOK: Duration = Duration::from_secs(60);

/// A walk waits until nothing has changed for so long, and so long at the most: inotifywait 3.22 reads a directory before it
/// watches it, and misses a directory that is made in between.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_MOST: Duration = Duration::from_secs(5);

enum Message {
    /// From the eye here; the number says which of them.
    Here(u32, Told),
    /// Over the line; the number says which.
    There(u32, FromHost),
    /// The files here were counted.
    Counted(String, Known),
    /// A cycle has ended.
    Cycled(String, Result<Box<SyncSession>, String>),
    /// A directory was looked for.
    Followed(String, Result<Found>),
    /// Somebody asks what the host knows.
    Asked(UnixStream),
    /// A person was told of conflicts, or could not be.
    Told(String, Noted, bool),
    /// Conflicts were settled, or could not be.
    Settled(String, Result<Settled>, Vec<String>),
    /// A cycle was stopped.
    Braked(String),
    /// What a settling that broke off had moved aside is in its place again, or could not be put there; with what is to be said.
    PutBack(String, Result<bool, String>, Vec<String>),
    /// A sync was connected again, as the number says; all syncs, if Mutagen could be asked.
    Revived(u32, Option<Vec<SyncSession>>),
    /// A cycle of git's asks the host.
    GitAsked(git::Question),
    /// It waits for a cycle of the sync.
    /// That a session is not synced, or is again, could not be told.
    Untold(String),
    GitFiles(String, Wait, Sender<FilesCycle>),
    /// It has ended.
    GitEnded(String, Box<git::Ended>),
    /// What was saved on the host, and git here may have written over, is kept there: anew, or as before.
    GitKept(String, bool, Result<Vec<String>, (String, Vec<PathBuf>)>),
    /// Saves that git on the other side has written over are kept, here or there.
    GitOverwritten(String, &'static str, Result<Vec<PathBuf>, (String, Vec<Save>)>),
    /// A signal came.
    Stop,
}

/// Runs the link of a host until it has no session left.
///
/// # Errors
/// It cannot begin.
pub(super) fn run(ctx: &Context, host: &str) -> Result<i32> {
    let _ = rustix::process::setsid();
    let _lock = match ctx.store.become_link(host, &this_program()) {
        // Another one runs: that is all that was wanted.
        Err(error) if error.is::<Busy>() => return Ok(0),
        lock => lock?,
    };
    // A person did so while it began.
    if ctx.store.link_is_stopped(host) {
        return Ok(0);
    }
    // What it does again and again does not belong into the journal.
    let ctx = Context { runner: Runner::default(), ..ctx.clone() };
    let log = Log::new(&ctx.store.directory().join("logs"), &host_word(host));
    log.note(&format!("begins: {} process {}", this_program(), std::process::id()));
    let ended = Engine::new(&ctx, host, &log).and_then(|mut engine| {
        let _door = engine.open_door();
        engine.run()
    });
    match &ended {
        Ok(why) => log.note(&format!("ends: {why}")),
        Err(error) => log.note(&format!("ends: {error:#}")),
    }
    ctx.store.unname_link(host);
    ended.map(|_| 0)
}

struct Engine<'a> {
    ctx: &'a Context,
    log: &'a Log,
    host: Host,
    remote: Remote,
    mutagen: Mutagen,
    inbox: Receiver<Message>,
    outbox: Sender<Message>,
    sessions: Vec<Watched>,
    here: Option<LocalEye>,
    here_number: u32,
    here_ready: bool,
    line: Option<Line>,
    /// Lines that have not begun yet, with their numbers: the first that does is the line.
    trying: Vec<(u32, Line)>,
    line_number: u32,
    last_number: u32,
    roots: Arc<Roots>,
    waiting: Waiting,
    /// Everything on the host is watched, or polled.
    there_ready: bool,
    /// Why the host is polled.
    poll: Option<String>,
    watch_tries: u32,
    trouble: Option<String>,
    walk_at: Option<Instant>,
    walk_latest: Option<Instant>,
    walked: Instant,
    /// When something changed there last.
    changed_there: Option<Instant>,
    tries: Tries,
    try_at: Option<Instant>,
    tried_at: Instant,
    /// The line was lost, and is not back yet.
    lost: bool,
    revivals: u32,
    reread_at: Option<Instant>,
    recheck_at: Instant,
    file: LinkFile,
    saved: Option<LinkFile>,
    /// Questions that are answered when what is known by now has been told.
    asks: Vec<PathBuf>,
}

impl<'a> Engine<'a> {
    fn new(ctx: &'a Context, host: &str, log: &'a Log) -> Result<Self> {
        let config = ctx.config()?;
        let records = ctx.store.records()?;
        let Some(record) = records.iter().find(|record| record.host == host) else {
            return Err(Failure::new(Kind::Failed, format!("there is no session on {host}")).into());
        };
        let known = ctx.host_of(&config, record)?;
        let remote = ctx.remote(&known).with_person(false);
        let mutagen = super::super::mutagen::present(ctx)?;
        let (outbox, inbox) = channel();
        let stop = outbox.clone();
        crate::process::on_signal(move || drop(stop.send(Message::Stop)))?;
        // One that came before.
        crate::process::interrupted()?;
        let now = Instant::now();
        let file = LinkFile {
            host: host.to_owned(),
            pid: i32::try_from(std::process::id()).unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: super::super::now(),
            since: super::super::now(),
            ..LinkFile::default()
        };
        Ok(Self {
            ctx,
            log,
            host: known,
            remote,
            mutagen,
            inbox,
            outbox,
            sessions: Vec::new(),
            here: None,
            here_number: 0,
            here_ready: false,
            line: None,
            trying: Vec::new(),
            line_number: 0,
            last_number: 0,
            roots: Arc::default(),
            waiting: Waiting::default(),
            there_ready: false,
            poll: None,
            watch_tries: 0,
            trouble: None,
            walk_at: None,
            walk_latest: None,
            walked: now,
            changed_there: None,
            tries: Tries::default(),
            try_at: Some(now),
            tried_at: now,
            lost: false,
            revivals: 0,
            reread_at: Some(now),
            recheck_at: now + RECHECK,
            file,
            saved: None,
            asks: Vec::new(),
        })
    }

    /// Gives why it ended.
    fn run(&mut self) -> Result<&'static str> {
        loop {
            let now = Instant::now();
            if self.reread_at.is_some_and(|at| at <= now) {
                self.reread_at = None;
                if !self.reread(now)? {
                    return Ok("no session is left");
                }
            }
            if self.line.is_none() && self.try_at.is_some_and(|at| at <= now) {
                self.open_line(now);
            }
            if self.walk_at.is_some_and(|at| at <= now) {
                let latest = *self.walk_latest.get_or_insert(now + QUIET_MOST);
                match self.changed_there.map(|at| at + QUIET).filter(|quiet| *quiet > now && now < latest) {
                    Some(quiet) => self.walk_at = Some(quiet.min(latest)),
                    None => self.watch_there(),
                }
            }
            if now >= self.recheck_at {
                self.recheck(now);
            }
            let mut until = self.recheck_at;
            for at in [self.reread_at, self.walk_at, self.try_at.filter(|_| self.line.is_none())] {
                until = at.map_or(until, |at| at.min(until));
            }
            for index in 0..self.sessions.len() {
                self.brake(index);
                for at in [self.step(index, now), self.step_git(index, now)].into_iter().flatten() {
                    until = until.min(at);
                }
            }
            self.tell();
            // One that could not be told is not answered: who has asked looks itself.
            if self.saved.as_ref() == Some(&self.file) {
                for question in self.asks.drain(..) {
                    let _ = std::fs::remove_file(question);
                }
            }
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok("it was told to"),
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn take(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::Here(number, told) if number == self.here_number => self.take_here(now, told),
            Message::There(number, said) => self.take_from(now, number, said),
            Message::Here(..) | Message::Stop => {}
            Message::Counted(id, known) => self.take_count(&id, |look| look.here = Some(known)),
            Message::Cycled(id, ended) => self.take_cycle(now, &id, ended),
            Message::Told(id, what, well) => self.take_told(&id, what, well),
            Message::Settled(id, settled, warnings) => self.take_settled(&id, settled, &warnings),
            Message::Followed(id, found) => self.take_found(now, &id, found),
            Message::Asked(stream) => self.take_asked(now, stream),
            Message::Braked(id) => {
                if let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) {
                    (session.braked, session.stopping) = (true, false);
                }
            }
            Message::PutBack(id, put, warnings) => self.take_put_back(now, &id, put, &warnings),
            Message::Untold(id) => {
                if let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) {
                    session.trouble.untold();
                }
            }
            Message::Revived(number, syncs) => self.take_revived(now, number, syncs.as_deref()),
            Message::GitAsked(question) => self.ask_for_git(now, question),
            Message::GitFiles(id, wait, done) => self.want_files(now, &id, wait, done),
            Message::GitKept(id, anew, kept) => self.take_kept(now, &id, anew, kept),
            Message::GitOverwritten(id, side, saves) => self.take_overwritten(&id, side, saves),
            Message::GitEnded(id, ended) => self.take_git(now, &id, *ended),
        }
    }

    fn take_here(&mut self, now: Instant, told: Told) {
        match told {
            Told::Ready(why) => {
                self.here_ready = true;
                for session in &mut self.sessions {
                    session.eye_here.by = if why.is_some() { "polling" } else { "inotify" }.to_owned();
                    session.eye_here.why.clone_from(&why);
                    // What changed before it was watched.
                    session.joiner.missed(now);
                    session.git.pace.saw(now);
                }
                if let Some(why) = why {
                    self.log.note(&format!("polls here: {why}"));
                }
                // What was asked while nobody saw it: all that can be said is that what there is has to be looked at.
                self.asks = self.ctx.store.questions(&self.host.name);
            }
            // One that came later is told of after what happened before it.
            Told::Asked(name) => self.asks.extend(self.ctx.store.question(&self.host.name, &name)),
            Told::Seen(index, seen) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    let unclear = seen.unclear || seen.uprooted;
                    session.joiner.saw(now, Side::Local, Seen { unclear, ..seen });
                }
            }
            Told::Saved(index, files) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.git.saved(now, &session.record.local, files);
                }
            }
            Told::Lock(index, is_there) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.git.works_here.lock(now, is_there);
                }
            }
            Told::GitWrote(index, paths) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.git.works_here.wrote(now);
                    paths.into_iter().for_each(|path| session.git.recent.git_wrote(path));
                }
            }
            Told::Git(index, moved) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    let on = session.has_git();
                    if moved {
                        session.git.pace.saw(now);
                    } else {
                        session.git.pace.freed(now);
                    }
                    if on != session.git.on {
                        session.set_git(on);
                        self.watch_there();
                    }
                }
            }
            Told::Beside => self.reread_at = Some(self.reread_at.unwrap_or(now + REREAD)),
        }
    }

    fn watch_here(&mut self) {
        self.here_number += 1;
        self.here_ready = false;
        let (outbox, number) = (self.outbox.clone(), self.here_number);
        let tell = move |told| drop(outbox.send(Message::Here(number, told)));
        let roots = self.sessions.iter().map(Watched::root).collect();
        match LocalEye::start(roots, self.ctx.store.sessions_dir(), tell) {
            Ok(eye) => self.here = Some(eye),
            Err(error) => self.log.note(&format!("nothing is watched here: {error}")),
        }
    }

    /// Does for a session what is to be done now. Gives when there is something next.
    fn step(&mut self, index: usize, now: Instant) -> Option<Instant> {
        let session = &self.sessions[index];
        let ready = self.there_ready
            && self.here_ready
            && session.placed
            && !session.seeking
            && session.sync.is_some()
            && session.stands.is_none();
        let session = &mut self.sessions[index];
        if !ready {
            if session.git.on {
                let why = session.stands.clone().unwrap_or_else(|| "the sync is not ready".to_owned());
                session.git.no_cycle(&why);
            }
            return None;
        }
        if let Err(until) = session.git.lets(now) {
            return until;
        }
        if self.keep_there(index, now) {
            return None;
        }
        if let Some(until) = self.waits_for_settling(index, now) {
            return Some(until);
        }
        let session = &mut self.sessions[index];
        match session.joiner.next(now) {
            Next::Wait(at) => at,
            Next::Look => {
                self.begin_look(index, now);
                None
            }
            Next::Cycle => {
                self.begin_cycle(index);
                None
            }
        }
    }
}

/// A thread with a small stack, of which nobody waits for the end.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) {
    let builder = std::thread::Builder::new().name(name.to_owned()).stack_size(512 * 1024);
    if let Err(error) = builder.spawn(work) {
        tracing::error!(%error, "no thread");
    }
}
