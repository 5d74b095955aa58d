//! Where the session's directory on the host is: asked, and settled with the person where that is needed.

use anyhow::Result;

use super::Plan;
use crate::commands::mode_words;
use crate::failure::{Failure, Kind};
use crate::project::{SessionId, separate_session_id};
use crate::session::bootstrap::{self, Answer, Machine, Place, Question};
use crate::tools::mutagen::{Mutagen, SyncMode, SyncSession};
use crate::ui::{NobodyToAsk, plural};

impl Plan<'_> {
    pub(super) fn ask_host(&self, adopt: bool, same: bool, look: bool) -> Result<Answer> {
        let machine = self.ctx.machine()?;
        let question = Question { adopt, same, look, ..self.question(&machine) };
        let ui = &self.ctx.ui;
        bootstrap::ask(&self.remote, &question, &|line| ui.note(line))
    }

    /// What the host is asked for this session.
    pub(super) fn question<'a>(&'a self, machine: &'a Machine) -> Question<'a> {
        Question {
            id: self.id(),
            workspace: self.host.workspace.value.as_str(),
            name: &self.project.name,
            machine,
            // A path that is not UTF-8 is no project.
            local: self.project.root.to_str().unwrap_or_default(),
            known: self.record.as_ref().map(|record| record.remote.as_str()),
            adopt: false,
            same: self.args.same,
            look: false,
        }
    }

    /// Another computer has this session: the same project, or one of this computer's own?
    pub(super) fn wants_separate_session(&mut self, answer: &Answer) -> Result<bool> {
        let others = answer.others.join(", ");
        let separate = if self.args.separate {
            true
        } else if self.ctx.ui.is_interactive() {
            let question = format!(
                "The session {} on {} belongs to {others}. This directory is",
                self.id(),
                self.host.name
            );
            let answers = [
                "the same project: sync with the same directory there",
                "another project: a session of its own",
            ];
            match self.ctx.ui.choose(&question, &answers)? {
                Some(choice) => choice == 1,
                None => return Err(Failure::new(Kind::Failed, "nothing was done").into()),
            }
        } else {
            let message = format!(
                "the session {} on {} belongs to another computer: {others}",
                self.id(),
                self.host.name
            );
            return Err(Failure::new(Kind::Failed, message)
                .hint("the same project, synced by both: `sinc --same`")
                .hint("another project, with a session of its own: `sinc --separate`")
                .into());
        };
        if separate {
            let machine: Machine = self.ctx.machine()?;
            let id = separate_session_id(&machine.id, &self.project.root.to_string_lossy());
            self.ctx.store.set_separate_id(&self.project.root, &id)?;
            self.project.id = id;
            self.record = self.ctx.store.record(self.id(), &self.host.name)?;
            self.ctx.ui.status("Separate", &format!("session {} for this computer", self.id()));
        }
        Ok(separate)
    }

    /// Asks again, and the person where that is needed, until the host has a directory for the session.
    pub(super) fn settle_place(
        &mut self,
        answer: &mut Answer,
        mutagen: &Mutagen,
        syncs: &mut Vec<SyncSession>,
    ) -> Result<()> {
        if answer.place == Place::Other {
            // Asked above: the same project, or by now another id.
            *answer = self.ask_host(false, true, false)?;
        }
        if let Place::Occupied { entries } = answer.place {
            let there = format!("{}:{}", self.host.name, answer.directory);
            self.ctx.ui.warn(&format!("{there} already has {} in it", plural(entries, "entry", "entries")));
            let overlap = match self.settings.mode {
                SyncMode::None => None,
                _ => self.compare_with(&answer.directory)?,
            };
            let known = serde_json::json!({ "occupied": { "entries": entries, "compared": overlap } });
            for line in mode_words::fates(self.settings.mode) {
                self.ctx.ui.note(line);
            }
            let question = match self.settings.mode {
                SyncMode::None => "Use it for this project?",
                _ => "Sync this project with it?",
            };
            let wanted = self.ctx.ui.confirm(question, false).map_err(|error| {
                let why = format!("{there} is not empty, and it is not known to belong to this project");
                if !self.ctx.ui.is_json() || !error.is::<NobodyToAsk>() {
                    return error.context(why);
                }
                // A program is told what the question would be about.
                Failure::new(Kind::Failed, why).hint("`--yes` takes it").with_data(known).into()
            })?;
            if !wanted {
                return Err(Failure::new(Kind::Failed, "nothing was done")
                    .hint("another workspace on the host: `workspace` in the config")
                    .into());
            }
            super::end_strangers(answer, mutagen, syncs)?;
            *answer = self.ask_host(true, false, false)?;
        }
        match &answer.place {
            Place::Lost { .. } | Place::Unmarked { .. } => {
                let paused = pause_all(mutagen, syncs);
                Err(self.lost(answer, paused))
            }
            Place::Many { directories } => {
                let paused = pause_all(mutagen, syncs);
                let message = format!(
                    "{} directories on {} carry the marker of {}: {}{paused}",
                    directories.len(),
                    self.host.name,
                    self.id(),
                    directories.join(", ")
                );
                Err(Failure::new(Kind::Failed, message)
                    .hint("remove `.sinc-session` from the one that is a copy, then run `sinc` again")
                    .into())
            }
            Place::Blocked => Err(Failure::new(
                Kind::Failed,
                format!("{}:{} is there and is not a directory", self.host.name, answer.directory),
            )
            .hint("move it away, or set another `workspace` for this host")
            .into()),
            Place::Full => Err(Failure::new(
                Kind::Failed,
                format!(
                    "both names for this project's directory on {} belong to other sessions",
                    self.host.name
                ),
            )
            .hint("set another `workspace` for this host")
            .into()),
            Place::Other | Place::Occupied { .. } => {
                Err(Failure::new(Kind::Failed, "the host changed its answer meanwhile")
                    .hint("run `sinc` again")
                    .into())
            }
            Place::Kept | Place::New | Place::Adopted | Place::Moved { .. } | Place::Repaired => Ok(()),
        }
    }

    /// The host does not know the session any more. Going on would empty this side.
    pub(super) fn lost(&self, answer: &Answer, paused: &str) -> anyhow::Error {
        let host = &self.host.name;
        let dir = &answer.directory;
        let id = self.id();
        match &answer.place {
            Place::Unmarked { owner: Some(owner), .. } => {
                let whose = SessionId::parse(owner).map_or_else(
                    |_| "something else than this session".to_owned(),
                    |owner| format!("the session {owner}"),
                );
                Failure::new(Kind::Failed, format!("{host}:{dir} now belongs to {whose}{paused}"))
                    .hint(format!("to begin anew in a directory of its own, `sinc kill {id}` and then `sinc`; no file is deleted"))
                    .into()
            }
            Place::Unmarked { entries: entries @ 1.., .. } => Failure::new(
                Kind::Failed,
                format!("{host}:{dir} has lost its marker, so it may be another directory than before ({}){paused}", plural(*entries, "entry", "entries")),
            )
            .hint("if it is the right one, say so with `sinc --same`")
            .hint(format!("to begin anew, `sinc kill {id}` and then `sinc`; no file is deleted"))
            .into(),
            Place::Unmarked { claimed: true, .. } => Failure::new(
                Kind::Failed,
                format!("{host}:{dir} was emptied. Nothing was deleted here{paused}"),
            )
            .hint("if that was a mistake, put the files back there, then `sinc --same`")
            .hint(format!("to fill it again from here: `sinc kill {id}` and then `sinc`"))
            .into(),
            Place::Lost { claimed: true } => Failure::new(
                Kind::Failed,
                format!("{host}:{dir} is gone: it was moved elsewhere, or deleted. Nothing was deleted here{paused}"),
            )
            .hint("if it was moved, move it back (or to another name beside it), then `sinc`")
            .hint(format!("to fill it again from here: `sinc kill {id}` and then `sinc`"))
            .into(),
            _ => Failure::new(
                Kind::Failed,
                format!("{host} has no trace of {id} any more: it is another host, or it has lost its disk. Nothing was deleted here{paused}"),
            )
            .hint(format!("to fill it again from here: `sinc kill {id}` and then `sinc`"))
            .hint("if this is the wrong host, mend its destination in the config, then `sinc`")
            .into(),
        }
    }

    pub(super) fn check_tmux(&self, answer: &Answer) -> Result<()> {
        let apt = format!("install it with `ssh {} sudo apt-get install tmux`", self.host.destination.value);
        match &answer.tmux {
            None => Err(Failure::new(Kind::Failed, format!("tmux is not installed on {}", self.host.name))
                .hint(apt)
                .into()),
            Some(version) if !crate::tools::tmux::is_recent(version) => {
                let message = format!("{version} on {} is too old: sinc needs 3.0", self.host.name);
                Err(Failure::new(Kind::Failed, message).hint("upgrade tmux on the host").into())
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn tell_about_host(&self, answer: &Answer) {
        let ui = &self.ctx.ui;
        let there = format!("{}:{}", self.host.name, answer.directory);
        match &answer.place {
            Place::New => ui.status("Made", &there),
            Place::Adopted => ui.status("Took", &there),
            Place::Moved { from } => ui.status("Followed", &format!("{from} -> {there}")),
            Place::Repaired => ui.status("Repaired", &format!("the claim on {there}")),
            _ => {}
        }
        if let Some(claim) = &answer.damaged {
            ui.warn(&format!("the claim on {} was damaged; it was moved to {claim}.damaged", self.host.name));
        }
        for other in &answer.others {
            ui.note(&format!("also synced by {other}"));
        }
        if answer.free_kib.is_some_and(|free| free < 512 * 1024) {
            let free = crate::ui::bytes(answer.free_kib.unwrap_or(0) * 1024);
            ui.warn(&format!("only {free} are free on {}", self.host.name));
        }
    }
}

fn pause_all(mutagen: &Mutagen, syncs: &[SyncSession]) -> &'static str {
    let running: Vec<_> = syncs.iter().filter(|sync| !sync.is_paused()).collect();
    let paused = running.iter().filter(|sync| mutagen.pause(&sync.identifier).is_ok()).count();
    if syncs.is_empty() {
        ""
    } else if paused == running.len() {
        "; the sync is paused"
    } else {
        "; the sync could NOT be paused"
    }
}
