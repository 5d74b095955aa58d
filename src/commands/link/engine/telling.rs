//! What the link tells others.

use super::Engine;

impl Engine<'_> {
    /// Writes it down when it differs from what was written.
    pub(super) fn tell(&mut self) {
        self.file.sessions =
            self.sessions.iter().map(|session| (session.record.id.clone(), session.told())).collect();
        if self.saved.as_ref() == Some(&self.file) {
            return;
        }
        match self.ctx.store.save_link_file(&self.host.name, &self.file) {
            Ok(()) => self.saved = Some(self.file.clone()),
            Err(error) => tracing::warn!(%error, "what the link does could not be written"),
        }
    }
}
