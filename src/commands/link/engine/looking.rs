//! Looks before a cycle that might delete too much: the files of both sides are counted.

use std::time::{Duration, Instant};

use super::super::watched::Look;
use super::{Engine, Message, thread};
use crate::link::brake::Verdict;
use crate::link::joiner::Next;
use crate::session::{ending, hold, missing};
use crate::state::Held;
use crate::tools::mutagen::Side;

impl Engine<'_> {
    /// Begins to count on both sides. Not while another sinc is at work on the session: it looks itself.
    pub(super) fn begin_look(&mut self, index: usize, now: Instant) {
        let session = &mut self.sessions[index];
        let (id, host) = (&session.record.id, &session.record.host);
        let (Some(sync), Ok(lock)) =
            (session.sync.clone(), self.ctx.store.lock(id, host, Duration::ZERO, &mut || {}))
        else {
            session.busy = session.sync.is_some();
            let _ = session.joiner.looked(now, false);
            return;
        };
        session.busy = false;
        // Held already: whoever lets it go on has the lock until the cycle is done, so it is not held a second time.
        if !matches!(self.ctx.store.held(id, host), Ok(None)) {
            session.stands = Some("held".to_owned());
            let _ = session.joiner.looked(now, false);
            return;
        }
        // What is deleted on a side that only receives comes back from the other one.
        let counts = |side| session.source.is_none_or(|source| source == side);
        let (counts_here, counts_there) = (counts(Side::Local), counts(Side::Remote));
        let there = (!counts_there).then_some(None);
        session.look = Some(Look { since: now, _lock: lock, here: None, there });
        if let Some(line) = self.line.as_mut().filter(|_| counts_there) {
            line.say(&format!("n {}\n", session.record.remote));
        }
        let (mutagen, outbox) = (self.mutagen.clone(), self.outbox.clone());
        let (id, root) = (session.record.id.clone(), session.root());
        thread("count", move || {
            let known = missing::count_here(&mutagen, &sync, &root, counts_here);
            drop(outbox.send(Message::Counted(id, known)));
        });
    }

    /// A number has come; with both the cycle begins, or the sync is held.
    pub(super) fn take_count(&mut self, id: &str, note: impl FnOnce(&mut Look)) {
        let now = Instant::now();
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        let session = &mut self.sessions[index];
        let Some(look) = &mut session.look else { return };
        note(look);
        let (Some(known), Some(there)) = (look.here.clone(), look.there) else { return };
        let verdict = known.verdict(session.minute.most(now), there);
        if let Some(trouble) = &known.trouble {
            self.log.note(&format!("{id}: {trouble}: the two sides are compared with each other"));
        }
        // The lock is let go at the end of this: the cycle is one like any other.
        let _look = session.look.take();
        match verdict {
            Verdict::Go => {
                if session.joiner.looked(now, true) == Next::Cycle {
                    self.begin_cycle(index);
                }
            }
            Verdict::Hold { side, missing, of } => {
                let held = Held { side, missing, of, since: super::super::super::now() };
                let _ = session.joiner.looked(now, false);
                session.stands = Some("held".to_owned());
                // A person may decide before the record is read again.
                session.record.held = Some(held);
                let (id, host) = (session.record.id.clone(), session.record.host.clone());
                let said = super::super::super::held_words::missing(&held);
                self.log.note(&format!("{id}: held: {said}"));
                if let Err(error) = hold::hold(&self.mutagen, &self.ctx.store, &id, &host, &held) {
                    self.log.note(&format!("{id}: {error:#}"));
                }
                self.say_inside(&id, &format!("the sync is held ({said}): see `sinc status`"));
                self.note_held(index, held);
            }
        }
    }

    /// Says something in the status line of the session's terminals.
    pub(super) fn say_inside(&self, id: &str, text: &str) {
        let (remote, id, text) = (self.remote.clone(), id.to_owned(), format!("sinc: {text}"));
        thread("say", move || {
            if let Err(error) = ending::show_message(&remote, &id, &text) {
                tracing::debug!(%error, "the message could not be shown");
            }
        });
    }
}
