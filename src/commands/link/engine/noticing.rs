//! Conflicts are told of as they appear, and when they are gone; where the session's mode says so they are settled. All of it
//! beside the cycles, which wait for nobody.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Engine, Message, thread};
use crate::commands::context::Context;
use crate::commands::notify;
use crate::commands::resolve::{BROKE_OFF, Settled, is_automatic, put_back, settle};
use crate::commands::sides::Sides;
use crate::link::attention::Next;
use crate::project::SessionId;
use crate::remote::Remote;
use crate::session::sync;
use crate::state::{Held, Noted, Record, host_word};
use crate::tools::mutagen::{Mutagen, SyncSession};

/// How long to wait for another sinc that is at work on the session.
const PATIENCE: Duration = Duration::from_secs(60);

impl Engine<'_> {
    /// A cycle of the session was completed.
    pub(super) fn note_conflicts(&mut self, index: usize, sync: &SyncSession) {
        let session = &mut self.sessions[index];
        let open = notify::noted(sync);
        let settles = session.attention.asks(open.count) && is_automatic(self.ctx, &session.record, sync);
        session.attention.cycled(open, settles);
        self.see_to_conflicts(index);
    }

    /// Does what there is to do about the session's conflicts.
    fn see_to_conflicts(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let (ctx, remote, outbox) = (self.ctx.clone(), self.remote.clone(), self.outbox.clone());
        let record = session.record.clone();
        match session.attention.next(Instant::now()) {
            Next::Nothing => {}
            Next::Tell(what) => thread("tell", move || {
                let well = notify::conflicts(&ctx, &remote, &record, &what);
                drop(outbox.send(Message::Told(record.id, what, well)));
            }),
            Next::Settle => {
                let mutagen = self.mutagen.clone();
                thread("settle", move || {
                    let id = record.id.clone();
                    // Nobody reads what is said here.
                    let mut ctx = ctx;
                    ctx.ui = ctx.ui.noting_warnings();
                    let settled = settle_as_wanted(&ctx, record, remote, &mutagen);
                    drop(outbox.send(Message::Settled(id, settled, ctx.ui.warnings())));
                });
            }
        }
    }

    /// Why the session is not synced, or not all of it, is told when that lasts. Without a line that is to be expected, and what a
    /// person has paused, or decides, they know.
    pub(super) fn see_to_trouble(&mut self, index: usize, now: Instant) {
        if !self.file.up {
            return;
        }
        let session = &mut self.sessions[index];
        let halted = session.stands.clone().filter(|stands| stands.starts_with("halted"));
        let why = match session.stands {
            None => session.failing.clone(),
            Some(_) => halted,
        };
        session.trouble.note(now, why);
        let Some(what) = session.trouble.next(now) else { return };
        let (ctx, remote, outbox) = (self.ctx.clone(), self.remote.clone(), self.outbox.clone());
        let record = session.record.clone();
        thread("tell", move || {
            if !notify::not_synced(&ctx, &remote, &record, what.as_deref()) {
                drop(outbox.send(Message::Untold(record.id)));
            }
        });
    }

    /// The session is held: that stays said until a person has decided.
    pub(super) fn note_held(&self, index: usize, held: Held) {
        let (ctx, remote) = (self.ctx.clone(), self.remote.clone());
        let record = self.sessions[index].record.clone();
        thread("tell", move || notify::held(&ctx, &remote, &record, &held));
    }

    pub(super) fn take_told(&mut self, id: &str, what: Noted, well: bool) {
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        self.sessions[index].attention.told(what, well);
        if well {
            self.see_to_conflicts(index);
        }
    }

    /// Before a cycle begins: is a conflict being settled, so that something is missing on a side for a moment? Where that has broken
    /// off, what is missing is put back first. Gives until when no cycle begins.
    pub(super) fn waits_for_settling(&mut self, index: usize, now: Instant) -> Option<Instant> {
        let session = &mut self.sessions[index];
        if !session.settling.exists() {
            return None;
        }
        let (id, host) = (&session.record.id, &session.record.host);
        // Whoever is at it holds the lock, and asks for a cycle.
        let is_tried = session.putting_back.is_some_and(|until| now < until);
        let lock = (!is_tried).then(|| self.ctx.store.lock(id, host, Duration::ZERO, &mut || {}));
        if let Some(Ok(lock)) = lock {
            session.putting_back = Some(now + PUT_BACK);
            let (mut ctx, outbox, id) = (self.ctx.clone(), self.outbox.clone(), id.clone());
            let sides = Sides { record: session.record.clone(), remote: self.remote.clone() };
            thread("put back", move || {
                ctx.ui = ctx.ui.noting_warnings();
                let put = put_back(&ctx, &sides).map_err(|error| format!("{error:#}"));
                drop(lock);
                drop(outbox.send(Message::PutBack(id, put, ctx.ui.warnings())));
            });
        }
        Some(now + SETTLING)
    }

    pub(super) fn take_put_back(
        &mut self,
        now: Instant,
        id: &str,
        put: Result<bool, String>,
        warnings: &[String],
    ) {
        warnings.iter().for_each(|line| self.log.note(&format!("{id}: {line}")));
        let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) else { return };
        match put {
            Ok(is_back) => {
                session.putting_back = None;
                if is_back {
                    self.log.note(&format!("{id}: {BROKE_OFF}"));
                    self.say_inside(id, BROKE_OFF);
                }
            }
            Err(why) => {
                session.putting_back = Some(now + PUT_BACK);
                // Told when it lasts.
                session.failing = Some(why.clone());
                session.git.no_cycle(&why);
                self.log.note(&format!(
                    "{id}: what was moved aside for a conflict is not in its place again yet: {why}"
                ));
            }
        }
    }

    pub(super) fn take_settled(&mut self, id: &str, settled: Result<Settled>, warnings: &[String]) {
        warnings.iter().for_each(|line| self.log.note(&format!("{id}: {line}")));
        if !warnings.is_empty() {
            self.say_inside(id, "a version that was moved aside is kept: see `sinc backups`");
        }
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        let (left, why) = match settled {
            Ok(settled) => {
                settled.lines().iter().for_each(|line| self.log.note(&format!("{id}: {line}")));
                if let Some(said) = settled.said() {
                    self.say_inside(id, &said);
                }
                (Some(settled.left), settled.why)
            }
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        if let Some(why) = &why {
            self.log.note(&format!("{id}: conflicts are not settled: {why}"));
        }
        self.sessions[index].attention.settled(Instant::now(), left, why);
        self.see_to_conflicts(index);
    }
}

/// How often it is looked whether another sinc is still at work on the session's conflicts.
const SETTLING: Duration = Duration::from_millis(50);

/// How long what a settling has moved aside may take to be put back, and how soon it is tried again.
const PUT_BACK: Duration = Duration::from_secs(10);

/// Settles the session's conflicts, unless a person wants something else by now.
fn settle_as_wanted(ctx: &Context, record: Record, remote: Remote, mutagen: &Mutagen) -> Result<Settled> {
    let lock = ctx.store.lock(&record.id, &record.host, PATIENCE, &mut || {})?;
    let now = ctx.store.record(&SessionId::parse(&record.id)?, &record.host)?;
    let syncs = sync::find(mutagen, &record.id, &host_word(&record.host))?;
    match (&now, &syncs[..]) {
        (Some(now), [sync]) if is_automatic(ctx, now, sync) => {}
        _ => return Ok(Settled::default()),
    }
    settle(ctx, &Sides { record, remote }, mutagen, &lock)
}
