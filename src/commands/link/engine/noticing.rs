//! Conflicts are told of as they appear, and when they are gone; where the session's mode says so they are settled. All of it
//! beside the cycles, which wait for nobody.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Engine, Message, thread};
use crate::commands::notify;
use crate::commands::resolve::{Settled, is_automatic, settle};
use crate::commands::sides::Sides;
use crate::link::attention::Next;
use crate::state::{Held, Noted};
use crate::tools::mutagen::SyncSession;

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
                    let settled = ctx
                        .store
                        .lock(&id, &record.host, PATIENCE, &mut || {})
                        .and_then(|lock| settle(&ctx, &Sides { record, remote }, &mutagen, &lock));
                    drop(outbox.send(Message::Settled(id, settled)));
                });
            }
        }
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

    pub(super) fn take_settled(&mut self, id: &str, settled: Result<Settled>) {
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
