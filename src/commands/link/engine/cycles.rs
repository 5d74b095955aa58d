//! Cycles: begun, stopped, and what came of them.

use std::time::{Duration, Instant};

use super::super::watched::stands;
use super::{Engine, Message, thread};
use crate::git::cycle::Unwritten;
use crate::git::state::Which;
use crate::tools::mutagen::{Problem, ProblemStage, Side, SyncSession};

/// How long a cycle may take: the first one sends everything.
const CYCLE: Duration = Duration::from_secs(60 * 60);

impl Engine<'_> {
    /// Stops a cycle that began before many deletions: paused, it does not apply what it has found so far.
    pub(super) fn brake(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let files = session.minute.most(Instant::now());
        let polled = |side| match side {
            Side::Local => session.eye_here.by != "inotify",
            Side::Remote => session.eye_there.by != "inotify",
        };
        if !session.joiner.must_stop(files, polled) {
            return;
        }
        session.joiner.stopped();
        session.stopping = true;
        let Some(sync) = session.sync.clone() else { return };
        self.log.note(&format!("{}: its cycle is stopped: many files are being deleted", session.record.id));
        let (mutagen, outbox, id) = (self.mutagen.clone(), self.outbox.clone(), session.record.id.clone());
        thread("brake", move || {
            // What has failed may be done a little later.
            let _ = mutagen.stop(&sync);
            drop(outbox.send(Message::Braked(id)));
        });
    }

    pub(super) fn begin_cycle(&mut self, index: usize) {
        if self.sessions[index].lost && self.file.up && self.sessions[index].reviving.is_none() {
            self.revive_one(index);
        }
        let session = &mut self.sessions[index];
        if session.reviving.is_some() {
            session.waits = true;
            return;
        }
        let Some(sync) = session.sync.clone() else { return };
        session.git.cycle_begins();
        let braked = std::mem::take(&mut session.braked);
        let (mutagen, outbox, id) = (self.mutagen.clone(), self.outbox.clone(), session.record.id.clone());
        thread("cycle", move || {
            if braked {
                // What fails here fails there too.
                let _ = mutagen.go_on(&sync);
            }
            let flushed = mutagen.flush(&sync, CYCLE);
            let session = mutagen.session(&sync).map(Box::new).map_err(|error| error.to_string());
            let ended = match (flushed, session) {
                (Ok(_), session) => session,
                // It says itself why.
                (Err(_), Ok(session)) if stands(&session).is_some() => Ok(session),
                (Err(error), _) => Err(error.to_string()),
            };
            drop(outbox.send(Message::Cycled(id, ended)));
        });
    }

    pub(super) fn take_cycle(&mut self, now: Instant, id: &str, ended: Result<Box<SyncSession>, String>) {
        let Some(index) = self.sessions.iter().position(|session| session.record.id == id) else { return };
        let session = &mut self.sessions[index];
        match ended {
            Ok(sync) => {
                // Of one that we stopped, the news that we did may come later.
                let stopped =
                    session.braked || (sync.is_paused() && session.joiner.is_unsure() && session.stopping);
                // That it is held was found out while this cycle ended.
                let held = session.stands.take().filter(|stands| stands == "held");
                session.stands = held.or_else(|| stands(&sync).filter(|_| !stopped));
                session.joiner.cycled(now, session.stands.is_none() && !stopped);
                let unwritten = unwritten(&sync);
                let result = match &session.stands {
                    Some(why) => Err(why.clone()),
                    None if stopped => Err("the cycle was stopped".to_owned()),
                    None => Ok(unwritten.clone()),
                };
                session.git.cycle_ended(&result);
                if !stopped {
                    session.failing = unwritten.into_iter().next().map(|one| one.why);
                }
                if let Some(stands) = &session.stands {
                    self.log.note(&format!("{id}: {stands}"));
                    if sync.halt().is_some() {
                        // Its directory may have been renamed at this very moment.
                        session.placed = false;
                        self.walk_at = Some(now);
                    }
                } else if !stopped {
                    session.minute.note(now, sync.source().files);
                    session.joiner.holds(sync.source().files);
                    self.ctx.store.note_checked(id, &self.host.name, crate::commands::now());
                    self.note_conflicts(index, &sync);
                    self.check_saves(index, now);
                }
            }
            Err(why) => {
                self.log.note(&format!("{id}: no cycle: {why}"));
                session.joiner.cycled(now, false);
                session.failing = Some(why.clone());
                session.git.cycle_ended(&Err(why));
                // It is connected again when the look before the next cycle has shown that the line lives: over a dead
                // one that takes long.
                session.lost = true;
            }
        }
        self.see_to_trouble(index, now);
    }
}

/// What a cycle could not write on a side. Of what Mutagen leaves out of its lists it may be anything.
fn unwritten(sync: &SyncSession) -> Vec<Unwritten> {
    let which = |side| if side == Side::Local { Which::Here } else { Which::There };
    let problems = sync.problems().into_iter().filter(|problem| problem.stage == ProblemStage::Apply);
    let listed = problems.map(|Problem { side, path, error, .. }| {
        let why = format!("{} could not be written {side}: {error}", crate::commands::paint::harmless(&path));
        Unwritten { side: which(side), path, why }
    });
    let more = [Side::Local, Side::Remote].into_iter().filter(|side| sync.blocked_left_out(*side) > 0);
    let more = more.map(|side| {
        let why = format!("{} more could not be written {side}", sync.blocked_left_out(side));
        Unwritten { side: which(side), path: String::new(), why }
    });
    listed.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_could_not_be_written_is_given_and_what_is_not_listed_may_be_anything() {
        let json = r#"[{"alpha":{"scanProblems":[{"path":"s","error":"y"}]},"beta":{"protocol":"ssh","transitionProblems":
            [{"path":"data/x","error":"denied"},{"path":"b","error":"full"}],"excludedTransitionProblems":2}}]"#;
        let all = unwritten(&SyncSession::parse_list(json).unwrap()[0]);
        let all: Vec<_> = all.iter().map(|one| (one.side, one.path.as_str(), one.why.as_str())).collect();
        assert_eq!(
            all,
            [
                (Which::There, "data/x", "data/x could not be written on the host: denied"),
                (Which::There, "b", "b could not be written on the host: full"),
                (Which::There, "", "2 more could not be written on the host"),
            ]
        );
    }
}
