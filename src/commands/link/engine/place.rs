//! Where the sessions' directories on the host are.

use std::time::Instant;

use anyhow::Result;

use super::super::follow::{Found, follow};
use super::{Engine, Message, thread};
use crate::commands::notify;
use crate::link::eye::Marked;

impl Engine<'_> {
    pub(super) fn take_place(&mut self, path: &str, marked: &Marked) {
        let Some(index) = self.sessions.iter().position(|session| session.record.remote == path) else {
            return;
        };
        let session = &mut self.sessions[index];
        session.placed = *marked == Marked::For(session.record.id.clone());
        if !session.placed {
            // What is being counted is somebody else's.
            self.seek(index);
        }
    }

    /// Finds out where the directory is, if nobody does yet.
    pub(super) fn seek(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        if std::mem::replace(&mut session.seeking, true) {
            return;
        }
        self.log.note(&format!("{}: its directory is looked for", session.record.id));
        let (ctx, remote, mutagen, record) =
            (self.ctx.clone(), self.remote.clone(), self.mutagen.clone(), session.record.clone());
        let outbox = self.outbox.clone();
        thread("seek", move || {
            let found = follow(&ctx, &remote, &mutagen, &record);
            drop(outbox.send(Message::Followed(record.id, found)));
        });
    }

    pub(super) fn take_found(&mut self, now: Instant, id: &str, found: Result<Found>) {
        let Some(session) = self.sessions.iter_mut().find(|session| session.record.id == id) else { return };
        session.seeking = false;
        match found {
            Ok(Found::InPlace) => {
                // What is watched may be what was there before: a disk was mounted over it.
                if !std::mem::replace(&mut session.placed, true) {
                    self.give_watch_another_try();
                    self.want_walk(self.walked + super::there::WALK_PAUSE);
                }
            }
            Ok(Found::Moved(said)) => {
                self.log.note(&format!("{id}: {said}"));
                self.say_inside(id, &said);
            }
            Ok(Found::Gone { said, news }) => {
                let (ctx, record) = (self.ctx.clone(), session.record.clone());
                self.log.note(&format!("{id}: {said}"));
                self.say_inside(id, &said);
                if news {
                    thread("tell", move || notify::gone(&ctx, &record));
                }
            }
            Err(error) => {
                self.log.note(&format!("{id}: its directory could not be looked for: {error:#}"));
                // The line's own end tells of a host that is away; otherwise it is asked again.
                self.walk_at = Some(now + super::there::WALK_PAUSE);
            }
        }
        self.reread_at = Some(now);
    }
}
