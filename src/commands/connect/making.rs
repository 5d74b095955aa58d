//! Makes what a session consists of: its record, its sync, its tmux session.

use std::time::Duration;

use anyhow::Result;

use super::Plan;
use crate::commands::conflicts::look;
use crate::commands::first_cycle::complaints;
use crate::commands::sides::Sides;
use crate::commands::sync_control::{be_sure, once};
use crate::commands::transfer;
use crate::failure::{Failure, Kind};
use crate::remote::{Why, local_address_towards};
use crate::session::bootstrap::Answer;
use crate::session::survey;
use crate::session::sync::{self, Decision, Step, Wanted};
use crate::state::{Lock, Record};
use crate::tools::mutagen::{Mutagen, MutagenError, Side, SyncMode, SyncSession};
use crate::ui::plural;

/// How long the cycle may take that shows what a mode would settle.
const CYCLE_DEADLINE: Duration = Duration::from_secs(60);

impl Plan<'_> {
    pub(super) fn note_record(&self, answer: &Answer) -> Record {
        let before = self.record.as_ref();
        Record {
            id: self.id().to_string(),
            host: self.host.name.clone(),
            destination: self.host.destination.value.to_string(),
            local: self.project.root.clone(),
            remote: answer.directory.clone(),
            settings: self.settings.digest(),
            agent: self.agent.name.clone(),
            created: before.map_or_else(crate::commands::now, |record| record.created),
            filled: before.is_some_and(|record| record.filled),
            verify: false,
            peer: answer.peer,
            address: answer.peer.and_then(local_address_towards),
            others: answer.others.clone(),
            no_sync: before.is_some_and(|record| record.no_sync),
            // Of a new one it was said what becomes of what differs, if there is anything.
            resolved: self.settings.mode == SyncMode::TwoWayResolved
                && before.is_none_or(|record| record.resolved),
            held: before.and_then(|record| record.held),
        }
    }

    /// Where a mode is turned on that makes one side a copy of the other, what that costs is shown and asked about first. Gives
    /// the sync; nothing where it costs nothing, and the sync is still to be seen to. `fresh`: the directory on the host was
    /// made just now, and is empty.
    pub(super) fn turn_on(
        &self,
        mutagen: &Mutagen,
        wanted: &Wanted,
        found: &[SyncSession],
        record: &mut Record,
        (fresh, lock): (bool, &Lock),
    ) -> Result<Option<String>> {
        let mode = wanted.settings.mode;
        if !mode.is_replica() || wanted.held || fresh && mode.source() == Some(Side::Local) {
            return Ok(None);
        }
        let old = match sync::decide(found, wanted) {
            Decision::Create => None,
            Decision::Recreate { sync, moved: false, paused } => {
                let before = found.iter().find(|old| old.identifier == sync).and_then(SyncSession::sync_mode);
                let brought = sync::bring_over(mutagen, &sync, before, mode, paused, &mut |left| {
                    be_sure(self.ctx, mutagen, record, Some(lock), left)
                })?;
                if let Some(why) = brought.filter(|result| !sync::brought_over(result)) {
                    self.keep_old(record, &why.to_string());
                    return Ok(Some(sync));
                }
                Some(mutagen.session(&sync)?)
            }
            _ => return Ok(None),
        };
        let sync = transfer::turn_on(self.ctx, record, mutagen, &wanted.settings, old.as_ref())?;
        record.filled |= sync.is_some();
        Ok(sync)
    }

    /// In the mode that settles conflicts by itself, turned on for a session that was synced in another one: what it would
    /// settle at once is shown and asked about, and otherwise it is said.
    pub(super) fn agree_to_settle(
        &self,
        mutagen: &Mutagen,
        sync: &str,
        record: &mut Record,
        lock: &Lock,
    ) -> Result<()> {
        if self.settings.mode != SyncMode::TwoWayResolved || record.resolved {
            return Ok(());
        }
        let checked = once(self.ctx, mutagen, record, Some(lock), sync, CYCLE_DEADLINE)?;
        if !sync::brought_over(&checked.result) {
            self.ctx
                .ui
                .note("what mode two-way-resolved would settle is not known yet: it is asked the next time");
            return Ok(());
        }
        let ui = &self.ctx.ui;
        let what = "in mode two-way-resolved what both sides change becomes what is here, from now on; \
                    the host's version is kept in a backup there";
        let count = checked.session.conflict_count();
        if count == 0 {
            ui.note(what);
        } else {
            ui.warn(what);
            for text in complaints(&checked.session) {
                ui.warn(&text);
            }
            let question = match count {
                1 => "Settle this conflict so?".to_owned(),
                _ => format!("Settle these {count} conflicts so?"),
            };
            if !ui.confirm(&question, false)? {
                return Err(Failure::new(Kind::Failed, "nothing was settled: the conflicts are left alone on both sides")
                    .hint("`sinc conflicts` shows them; `mode` under `[sync]` in the config says what becomes of them")
                    .into());
            }
        }
        record.resolved = true;
        self.ctx.store.save(record)
    }

    /// What a command that was killed had moved aside is said: which backups are over is found out by the next one that
    /// knows all conflicts.
    pub(super) fn tell_unfinished(&self, record: &Record) {
        let told =
            Sides::of_record(self.ctx, record).and_then(|sides| look::recover(self.ctx, &sides, &[], true));
        if let Err(error) = told {
            tracing::warn!(%error, "whether something was moved aside is not known");
        }
    }

    fn keep_old(&self, record: &mut Record, why: &str) {
        record.settings.clear();
        self.ctx.ui.warn(&format!(
            "the sync keeps its old settings for now: what waits could not be brought over first ({why})"
        ));
    }

    pub(super) fn ensure_sync(
        &self,
        mutagen: &Mutagen,
        wanted: &Wanted,
        found: &[SyncSession],
        record: &mut Record,
        lock: &Lock,
    ) -> Result<Option<String>> {
        let ui = &self.ctx.ui;
        let known = self.record.as_ref().map(|record| record.settings.clone()).unwrap_or_default();
        let asked = record.clone();
        let mut tell = |step: &Step| match step {
            Step::Created => record.filled = false,
            Step::Resumed => ui.status("Resumed", "the sync"),
            Step::Recreated { moved } => {
                record.filled = false;
                ui.status(
                    "Renewed",
                    if *moved { "the sync, for the new place" } else { "the sync, with the new settings" },
                );
            }
            Step::LeftHeld => record.settings = known.clone(),
            Step::Ended => ui.status("Ended", "the sync: in mode none nothing is synced; the files stay"),
            Step::KeptOld { why } => self.keep_old(record, why),
            Step::Undoubled { ended } => {
                ui.status("Ended", &plural(*ended as u64, "copy of the sync", "copies of the sync"));
            }
        };
        let progress = ui.progress();
        if found.is_empty() && wanted.settings.mode != SyncMode::None {
            progress.show("Syncing", "starting Mutagen on the host");
        }
        let mut look = |left| be_sure(self.ctx, mutagen, &asked, Some(lock), left);
        match sync::ensure(mutagen, wanted, found, &mut tell, &mut look) {
            // The data connection cannot be opened without a person: it rides on the one that the person opened.
            Err(error) if self.ctx.ui.is_interactive() && self.login_needs_person(&error) => {
                ui.warn("this host asks a person at each login: the sync shares this connection, and stops when it is cut");
                self.ctx.refresh_host_file(&self.remote, Some(true))?;
                sync::ensure(mutagen, wanted, found, &mut tell, &mut look)
            }
            other => other,
        }
    }

    /// Did the data connection fail because a login here needs a person? Mutagen does not always pass on what ssh
    /// said, so ssh is asked again, alone.
    pub(super) fn login_needs_person(&self, error: &anyhow::Error) -> bool {
        let connecting = error.chain().any(|cause| {
            cause
                .downcast_ref::<MutagenError>()
                .is_some_and(|error| matches!(error, MutagenError::Connect { .. }))
        });
        let alone = self.remote.clone().with_person(false).without_sharing();
        connecting
            && survey::ask(&alone, &|_| {})
                .is_err_and(|error| error.is(Why::LoginRefused) || error.is(Why::HostKeyUnknown))
    }
}
