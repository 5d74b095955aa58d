//! Conflicts are told of as they appear, and when they are gone: beside the cycles, which wait for nobody.

use super::{Engine, Message, thread};
use crate::commands::notify;
use crate::link::attention::Next;
use crate::state::Noted;

impl Engine<'_> {
    /// Does what there is to do about the session's conflicts.
    pub(super) fn see_to_conflicts(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let (ctx, remote, outbox) = (self.ctx.clone(), self.remote.clone(), self.outbox.clone());
        let record = session.record.clone();
        match session.attention.next() {
            Next::Nothing => {}
            Next::Tell(what) => thread("tell", move || {
                let well = notify::conflicts(&ctx, &remote, &record, &what);
                drop(outbox.send(Message::Told(record.id, what, well)));
            }),
        }
    }

    pub(super) fn take_told(&mut self, id: &str, what: Noted, well: bool) {
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        self.sessions[index].attention.told(what, well);
        if well {
            self.see_to_conflicts(index);
        }
    }
}
