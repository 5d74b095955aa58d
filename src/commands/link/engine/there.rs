//! The host's side: the line, what its eye tells, and when everything is walked again.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::super::watched::Watched;
use super::trying::{Met, Tries};
use super::{Engine, Message, QUIET, thread};
use crate::link::asked::{Asker, Door, socket};
use crate::link::eye::{EYE, Place, Said, explain, orders};
use crate::link::joiner::Seen;
use crate::link::line::{FromHost, Line};
use crate::remote::ControlSocket;
use crate::session::scripts::SURVEY;
use crate::state::host_word;
use crate::tools::mutagen::{Mutagen, Selector, Side, SyncSession};

/// inotifywait is started again this often before the host is polled, until the line is opened anew.
const WATCH_TRIES: u32 = 2;

/// How long after a walk the next one may begin, and where only little speaks for one.
pub(super) const WALK_PAUSE: Duration = Duration::from_secs(2);
const LONG_WALK_PAUSE: Duration = Duration::from_secs(10);

impl Engine<'_> {
    /// Takes what a line said: the one that is open, or one that is tried.
    pub(super) fn take_from(&mut self, now: Instant, number: u32, said: FromHost) {
        if self.line.is_some() && number == self.line_number {
            return self.take_there(now, said);
        }
        let Some(at) = self.trying.iter().position(|(tried, _)| *tried == number) else { return };
        match said {
            FromHost::Begun => {
                self.line = Some(self.trying.swap_remove(at).1);
                self.line_number = number;
                // The others are given up.
                self.trying.clear();
                self.try_at = None;
                self.take_there(now, said);
            }
            FromHost::Over(why) => {
                drop(self.trying.swap_remove(at));
                // What refuses one refuses the other too.
                if self.tries.over(&why) == Met::Refusal || self.trying.is_empty() {
                    self.lose_line(now, why);
                } else if self.tries.beside(self.trying.len()) {
                    let pause = self.tries.pause(now.duration_since(self.tried_at));
                    self.try_at.get_or_insert(now + pause);
                } else {
                    self.try_at = None;
                }
            }
            FromHost::Said(_) => {}
        }
    }

    fn take_there(&mut self, now: Instant, said: FromHost) {
        match said {
            FromHost::Begun => {
                self.tries = Tries::default();
                self.poll = None;
                self.watch_tries = 0;
                // Beside the walk. It begins no cycle: those are asked for.
                self.revive();
            }
            FromHost::Over(why) => self.lose_line(now, why),
            FromHost::Said(said) => self.take_said(now, said),
        }
    }

    pub(super) fn take_said(&mut self, now: Instant, said: Said) {
        match said {
            Said::Inotifywait(Err(why)) => {
                self.poll = Some(why);
                self.watch_there();
            }
            Said::Inotifywait(Ok(_)) => self.watch_there(),
            Said::Place(path, marked) => self.take_place(&path, &marked),
            Said::Established => self.there_is_ready(now),
            Said::Trouble(text) => {
                // A directory that has gone again is none.
                if text.contains("upper limit") || text.contains("No space left") {
                    self.trouble = Some(explain(&text));
                    if self.there_ready {
                        self.poll.clone_from(&self.trouble);
                        self.watch_there();
                    }
                } else if !text.contains("No such file") {
                    self.trouble = Some(explain(&text));
                }
            }
            Said::Ended(code) => {
                self.there_ready = false;
                self.watch_tries += 1;
                let why = self.trouble.take().unwrap_or(format!("inotifywait on the host ended with {code}"));
                self.log.note(&why);
                if self.watch_tries >= WATCH_TRIES || why.contains("sysctl") {
                    self.poll = Some(why);
                }
                self.watch_there();
            }
            Said::Count(path, count) => {
                let ids = self.sessions.iter().filter(|session| session.record.remote == path);
                let ids: Vec<String> = ids.map(|session| session.record.id.clone()).collect();
                for id in ids {
                    self.take_count(&id, |look| look.there = Some(Some(count)));
                }
            }
            Said::Git(index, lock, more) => {
                let Some(session) = self.sessions.get_mut(index) else { return };
                match lock {
                    None => session.git.pace.saw(now),
                    Some(is_there) => {
                        session.git.works_there.lock(now, is_there);
                        session.git.recent.at_risk(now);
                        session.git.pace.freed(now);
                    }
                }
                if more {
                    self.want_walk(self.walked + WALK_PAUSE);
                }
            }
            Said::Answer(number, line) => self.waiting.take(number, line.as_deref()),
            Said::Poll(path, count) => {
                if !self.there_ready {
                    self.there_is_ready(now);
                }
                let Some(session) = self.sessions.iter_mut().find(|session| session.record.remote == path)
                else {
                    return;
                };
                // It may have been git.
                session.git.pace.saw(now);
                session.git.recent.missed(now);
                let before = session.polled.replace(count).unwrap_or(count);
                let deletes = u32::try_from(before.saturating_sub(count)).unwrap_or(u32::MAX);
                session.joiner.saw(now, Side::Remote, Seen { changes: 1, deletes, ..Seen::default() });
            }
            Said::Wrote(index, files) => {
                if let Some(session) = self.sessions.get_mut(index).filter(|session| session.git.on) {
                    for (path, moved) in files {
                        session.git.recent.written_there(now, path.into(), moved);
                    }
                }
            }
            Said::Event(index, seen) => {
                let Some(session) = self.sessions.get_mut(index) else { return };
                session.joiner.saw(now, Side::Remote, seen);
                session.git.works_there.wrote(now);
                if seen.unclear {
                    session.git.recent.missed(now);
                }
                // What comes right after a walk may have happened in the midst of it.
                let amid = seen.changes > 0 && now < self.walked + QUIET;
                self.changed_there = Some(now);
                if seen.unwatched {
                    self.want_walk(self.walked + WALK_PAUSE);
                } else if seen.fresh || amid {
                    self.want_walk(
                        self.walked + if seen.fresh && amid { WALK_PAUSE } else { LONG_WALK_PAUSE },
                    );
                }
                let session = &mut self.sessions[index];
                if seen.uprooted {
                    session.placed = false;
                    self.seek(index);
                }
            }
        }
    }

    pub(super) fn want_walk(&mut self, at: Instant) {
        self.walk_at = Some(self.walk_at.map_or(at, |wanted| wanted.min(at)));
    }

    pub(super) fn there_is_ready(&mut self, now: Instant) {
        self.there_ready = true;
        let by = if self.poll.is_some() { "polling" } else { "inotify" };
        for session in &mut self.sessions {
            session.eye_there.by = by.to_owned();
            session.eye_there.why.clone_from(&self.poll);
            // What changed before it was watched.
            session.joiner.missed(now);
            session.git.recent.missed(now);
            session.git.pace.saw(now);
        }
        if let Some(why) = &self.poll {
            self.log.note(&format!("polls the host: {why}"));
        }
        if !self.file.up {
            self.log.note("the line is up");
            (self.file.up, self.file.since, self.file.why) = (true, crate::commands::now(), None);
        }
        for index in 0..self.sessions.len() {
            if self.sessions[index].reviving.is_none() {
                self.revive_one(index);
            }
        }
    }

    /// Connects Mutagen's sessions again that are not: at once, instead of when it tries by itself. One that may not
    /// know yet that its line is dead begins anew.
    pub(super) fn revive(&mut self) {
        self.lost = false;
        for index in 0..self.sessions.len() {
            self.revive_one(index);
        }
    }

    /// The same for one of them: none waits for another one.
    pub(super) fn revive_one(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let Some(sync) = session.sync.clone().filter(|_| session.record.held.is_none()) else { return };
        let anew = std::mem::take(&mut session.lost);
        // Why it does not connect, its next cycle says.
        self.begin_reviving(index, move |mutagen| drop(mutagen.connect_anew(&sync, anew)));
    }

    /// Does so beside everything else, and then takes in what has become of the syncs.
    pub(super) fn begin_reviving(&mut self, index: usize, revive: impl FnOnce(&Mutagen) + Send + 'static) {
        self.revivals += 1;
        let number = self.revivals;
        self.sessions[index].reviving = Some(number);
        let (mutagen, outbox) = (self.mutagen.clone(), self.outbox.clone());
        thread("revive", move || {
            revive(&mutagen);
            drop(outbox.send(Message::Revived(number, mutagen.list(&Selector::All).ok())));
        });
    }

    /// A sync was connected again, if it could be.
    pub(super) fn take_revived(&mut self, now: Instant, number: u32, syncs: Option<&[SyncSession]>) {
        // A later one may have begun.
        let Some(index) = self.sessions.iter().position(|session| session.reviving == Some(number)) else {
            return;
        };
        let session = &mut self.sessions[index];
        session.reviving = None;
        if let Some(syncs) = syncs {
            session.note_sync(syncs);
        }
        if !std::mem::take(&mut session.waits) {
            session.joiner.missed(now);
        } else if self.line.is_some() && session.stands.is_none() && !session.joiner.is_unsure() {
            self.begin_cycle(index);
        } else {
            // Something happened after it was looked at.
            session.joiner.cycled(now, false);
        }
    }

    pub(super) fn open_line(&mut self, now: Instant) {
        self.last_number += 1;
        self.try_at = None;
        let shared = self.ctx.store.host(&host_word(&self.host.name)).ok().flatten();
        let rides = shared.as_ref().is_some_and(|host| host.shared);
        if rides && !self.remote.control().exists() {
            self.lose_line(now, "this host asks a person at each login: run `sinc`".to_owned());
            // To look whether somebody has logged in costs nothing.
            self.try_at = Some(now + Duration::from_secs(1));
            return;
        }
        let seconds = self.tries.begin(self.lost);
        self.tried_at = now;
        // Apart from the shared connections, which a person may end.
        let sockets = ControlSocket::new(&self.ctx.environment.link_dir(), self.remote.destination(), false);
        let own = sockets.numbered(self.last_number).filter(|_| !rides);
        if let Some(path) = &own {
            sockets.prepare();
            // One that an earlier link left.
            let _ = std::fs::remove_file(path);
        }
        let mut cmd = self.remote.line_cmd("watch the host", &EYE, rides, own.as_deref(), seconds);
        if let Some(socket) =
            shared.and_then(|host| host.auth_sock).filter(|path| std::path::Path::new(path).exists())
        {
            cmd = cmd.env("SSH_AUTH_SOCK", socket);
        }
        let (outbox, number) = (self.outbox.clone(), self.last_number);
        let tell = move |said| drop(outbox.send(Message::There(number, said)));
        match Line::open(&self.ctx.runner, &cmd, own, self.roots.clone(), tell) {
            Ok(line) => self.trying.push((number, line)),
            Err(error) => return self.lose_line(now, format!("{error:#}")),
        }
        if self.lost && !rides && self.tries.beside(self.trying.len()) {
            self.try_at = Some(now + self.tries.pause(Duration::ZERO));
        }
    }

    /// Lets others ask the host over the line. Without that, they ask by an ssh of their own.
    pub(super) fn open_door(&self) -> Option<Door> {
        let directory = self.ctx.environment.link_dir();
        let outbox = self.outbox.clone();
        let tell = move |stream| drop(outbox.send(Message::Asked(stream)));
        let opened = Door::open(&socket(&directory, &self.host.name, self.remote.destination()), tell);
        opened.inspect_err(|error| self.log.note(&format!("nobody can ask over the line: {error}"))).ok()
    }

    /// Passes a question on. While there is no line, whoever asks sees the end of the stream at once.
    pub(super) fn take_asked(&mut self, now: Instant, stream: UnixStream) {
        if let Some(line) = self.line.as_mut().filter(|_| self.file.up) {
            let number = self.waiting.add(now, Asker::Stream(stream));
            line.say(&format!("q {number} {}\n", SURVEY.line()));
        }
    }

    pub(super) fn lose_line(&mut self, now: Instant, why: String) {
        self.line = None;
        self.trying.clear();
        self.waiting.give_up();
        (self.there_ready, self.lost) = (false, true);
        self.walk_at = None;
        self.tries.over(&why);
        let why = why.lines().last().unwrap_or_default().trim().to_owned();
        let why = if why.is_empty() { "the connection ended".to_owned() } else { why };
        if self.file.up || self.file.why.as_ref() != Some(&why) {
            self.log.note(&format!("no line: {why}"));
        }
        if self.file.up {
            (self.file.up, self.file.since) = (false, crate::commands::now());
        }
        self.file.why = Some(why);
        for session in &mut self.sessions {
            (session.placed, session.lost) = (false, true);
            // What fails now does so for want of a line.
            session.failing = None;
            session.trouble.note(now, None);
            session.joiner.missed(now);
            session.git.works_there = Default::default();
            session.git.recent.missed(now);
            if session.look.take().is_some() {
                let _ = session.joiner.looked(now, false);
            }
        }
        self.try_at = Some(now + self.tries.pause(now.duration_since(self.tried_at)));
    }

    /// There is another directory to be watched: where inotifywait could not, it is asked once more. (It ends at once when
    /// none of the directories is there.)
    pub(super) fn give_watch_another_try(&mut self) {
        if std::mem::take(&mut self.watch_tries) > 0 {
            self.poll = None;
        }
    }

    /// Has the host watch, or poll, what is to be watched now.
    pub(super) fn watch_there(&mut self) {
        let Some(line) = &mut self.line else { return };
        self.there_ready = false;
        (self.walk_at, self.walk_latest) = (None, None);
        self.walked = Instant::now();
        // That a lock has gone could be missed, and everything until it watches again.
        for session in &mut self.sessions {
            session.git.works_there = Default::default();
            session.git.recent.missed(self.walked);
        }
        self.roots.set(self.sessions.iter().map(|session| session.record.remote.clone()).collect());
        let places: Vec<Place> = self.sessions.iter().map(Watched::place).collect();
        line.say(&orders(&places, self.poll.is_some()));
    }
}
