//! The sessions that the link has, and what Mutagen has for them.

use std::time::Instant;

use anyhow::Result;

use super::super::watched::Watched;
use super::{Engine, LOOK, RECHECK};
use crate::tools::mutagen::{Selector, SyncSession};

impl Engine<'_> {
    /// Reads the records again. Is any session left?
    pub(super) fn reread(&mut self, now: Instant) -> Result<bool> {
        let mut records = self.ctx.store.records()?;
        records.retain(|record| record.host == self.host.name && !record.no_sync);
        if self.line.is_none() {
            // Somebody is at work here, and may have seen to what keeps us out.
            self.try_at = self.try_at.map(|at| at.min(now));
        }
        if records.is_empty() {
            return Ok(false);
        }
        let roots = |sessions: &[Watched]| -> Vec<_> {
            let one =
                |session: &Watched| (session.record.local.clone(), session.rules.clone(), session.shares_git);
            sessions.iter().map(one).collect()
        };
        let places = |sessions: &[Watched]| -> Vec<_> {
            let one =
                |session: &Watched| (session.record.remote.clone(), session.rules.clone(), session.git.on);
            sessions.iter().map(one).collect()
        };
        let (roots_before, places_before) = (roots(&self.sessions), places(&self.sessions));
        let syncs = self.ask_mutagen();
        if syncs.is_none() {
            self.reread_at = Some(now + RECHECK);
        }
        let mut before = std::mem::take(&mut self.sessions);
        let mut anew = false;
        for record in records {
            let fresh = Watched::new(self.ctx, record, syncs.as_deref().unwrap_or_default(), now);
            let known = before.iter().position(|old| {
                old.record.id == fresh.record.id
                    && old.record.remote == fresh.record.remote
                    && old.record.local == fresh.record.local
                    && (old.rules == fresh.rules || syncs.is_none())
                    && old.shares_git == fresh.shares_git
            });
            self.sessions.push(match known {
                Some(at) => {
                    let mut old = before.swap_remove(at);
                    if old.record.held.is_some() && fresh.record.held.is_none() {
                        // A person has decided: what was there before is no measure any more.
                        old.minute = fresh.minute;
                        old.attention.untold();
                    }
                    Watched { record: fresh.record, ..old }
                }
                None => {
                    anew = true;
                    fresh
                }
            });
        }
        if let Some(syncs) = syncs {
            self.note_syncs(&syncs);
        }
        if roots(&self.sessions) != roots_before {
            self.watch_here();
        }
        if anew {
            self.give_watch_another_try();
        }
        // One that begins anew waits to be told that it is watched.
        if anew || places(&self.sessions) != places_before {
            self.watch_there();
        }
        Ok(true)
    }

    /// What Mutagen has; if it cannot be asked, the sessions keep what is known.
    fn ask_mutagen(&self) -> Option<Vec<SyncSession>> {
        let all = self.mutagen.list(&Selector::All);
        all.inspect_err(|error| self.log.note(&format!("Mutagen could not be asked: {error}"))).ok()
    }

    fn note_syncs(&mut self, all: &[SyncSession]) {
        for session in &mut self.sessions {
            let stood = session.stands.is_some();
            session.note_sync(all);
            if stood && session.stands.is_none() {
                session.joiner.missed(Instant::now());
                session.git.pace.freed(Instant::now());
                if !session.placed && !session.seeking {
                    // Somebody has seen to it: whether the directory is the session's is asked anew.
                    self.walk_at = Some(Instant::now());
                }
            }
        }
    }

    /// Those that are paused although nobody wants that: who had paused them for a moment was killed, or could not let them go on.
    fn let_left_go_on(&mut self) {
        for index in 0..self.sessions.len() {
            let session = &self.sessions[index];
            let is_paused = session.stands.as_deref() == Some("paused") && !session.stopping;
            let left = session.sync.clone().filter(|sync| is_paused && self.mutagen.is_left_paused(sync));
            if let (Some(sync), None) = (left, session.reviving) {
                self.log.note(&format!("{}: it was left paused, and goes on", session.record.id));
                self.begin_reviving(index, move |mutagen| drop(mutagen.go_on(&sync)));
            }
        }
    }

    /// Looks at what runs no cycle, and so tells nothing by itself.
    pub(super) fn recheck(&mut self, now: Instant) {
        self.recheck_at = now + RECHECK;
        if self.sessions.iter().any(|session| session.sync.is_none() || session.stands.is_some())
            && let Some(syncs) = self.ask_mutagen()
        {
            self.note_syncs(&syncs);
        }
        self.let_left_go_on();
        for index in 0..self.sessions.len() {
            self.see_to_trouble(index, now);
        }
        for session in &mut self.sessions {
            if session.look.as_ref().is_some_and(|look| now.duration_since(look.since) > LOOK) {
                session.look = None;
                let _ = session.joiner.looked(now, false);
            }
        }
        // A walk that never ended: inotifywait may have died before it said so.
        if self.line.is_some() && self.file.up && !self.there_ready && now.duration_since(self.walked) > LOOK
        {
            self.watch_there();
        }
    }
}
