//! `--dry-run`: the commands that would change something, ready to paste.

use anyhow::Result;

use super::Plan;
use crate::commands::{mutagen, paste, terminal};
use crate::remote::shim_directory;
use crate::session::bootstrap::{self, Machine};
use crate::session::sync::{self, Decision, Stuck, Wanted};
use crate::state::host_word;
use crate::tools::mutagen::{Mutagen, SyncMode, SyncSession};

impl Plan<'_> {
    /// `--dry-run`: the commands that would change something, ready to paste.
    pub(super) fn show(&self) -> Result<i32> {
        self.check_wishes_against_record()?;
        let machine = Machine::if_known(&self.ctx.store);
        let ui = &self.ctx.ui;
        let remote_dir = match &self.record {
            Some(record) => record.remote.clone(),
            None => format!("{}/{}", self.host.workspace.value, self.project.name),
        };
        self.ctx.runner.run(&bootstrap::cmd(&self.remote, &self.question(&machine)))?;
        let changed = self.record.as_ref().is_none_or(|record| record.settings != self.settings.digest());
        self.show_sync(&remote_dir, changed)?;
        if changed && self.settings.mode.is_replica() && self.record.is_some() {
            ui.note("what would be overwritten is shown before, and asked about; now: `sinc push --dry-run`, or `pull`");
        }
        let terminal = self.terminal(&remote_dir);
        if self.args.no_attach {
            self.ctx.runner.run(&terminal.make_cmd(&self.remote))?;
        } else {
            terminal::show(self.ctx, &self.host, &self.remote, &terminal)?;
        }
        ui.note("nothing was changed");
        if ui.is_json() {
            let data = serde_json::json!({ "id": self.id(), "host": self.host.name, "dry_run": true });
            self.ctx.print_json("connect", &data);
        }
        Ok(0)
    }

    /// What would be done about the sync. `changed`: by what is remembered of it, it is to be made, or made again.
    fn show_sync(&self, remote_dir: &str, changed: bool) -> Result<()> {
        let ui = &self.ctx.ui;
        let held = match &self.record {
            Some(record) => self.ctx.store.held(&record.id, &record.host)?.is_some(),
            None => false,
        };
        let wanted = Wanted {
            id: self.project.id.to_string(),
            host_word: host_word(&self.host.name),
            local: self.project.root.clone(),
            remote: remote_dir.to_owned(),
            settings: self.settings.clone(),
            held,
            shown: false,
        };
        let mutagen = mutagen::supposed(self.ctx)?;
        let none = self.settings.mode == SyncMode::None;
        let Some(found) = self.known_syncs(&mutagen, &wanted) else {
            return match changed {
                true if none => {
                    ui.note("in mode none nothing is synced: a sync that there is would be ended");
                    Ok(())
                }
                true => self.show_create(&mutagen, &wanted),
                false => Ok(()),
            };
        };
        match sync::decide(&found, &wanted) {
            Decision::Keep(_) => {}
            Decision::Create if none => {}
            Decision::Create => self.show_create(&mutagen, &wanted)?,
            Decision::Resume(sync) | Decision::Reconnect(sync) => drop(mutagen.resume(&sync)?),
            Decision::Recreate { sync, paused, moved } => {
                if none {
                    ui.note("in mode none nothing is synced: the sync that there is would be ended");
                }
                if paused && !moved {
                    mutagen.resume(&sync)?;
                }
                if !moved {
                    mutagen.flush(&sync, sync::FLUSH_DEADLINE)?;
                }
                mutagen.terminate(&sync)?;
                if !none {
                    self.show_create(&mutagen, &wanted)?;
                }
            }
            Decision::Held(_) => ui.note("the sync is held, and would be left so: see `sinc status`"),
            Decision::Halted(halt) => {
                let mode = found.first().and_then(SyncSession::sync_mode);
                return Err(Stuck::Halted(halt, mode).into());
            }
            Decision::Ambiguous(lines) => return Err(Stuck::Ambiguous(lines).into()),
            Decision::Doubled { keep, end } => {
                mutagen.flush(&keep, sync::FLUSH_DEADLINE)?;
                for sync in &end {
                    mutagen.terminate(sync)?;
                }
            }
        }
        Ok(())
    }

    /// The syncs that there are; nothing where Mutagen cannot be asked without changing something.
    fn known_syncs(&self, mutagen: &Mutagen, wanted: &Wanted) -> Option<Vec<SyncSession>> {
        self.record.as_ref()?;
        sync::find(mutagen, &wanted.id, &wanted.host_word).ok()
    }

    fn show_create(&self, mutagen: &Mutagen, wanted: &Wanted) -> Result<()> {
        let shims = shim_directory(&self.ctx.environment.data_dir());
        let (host_file, host) = self.ctx.store.host_file(&self.ctx.host_file(&self.remote, None))?;
        let settings = self.settings.path_in(mutagen.data_dir());
        for cmd in [
            paste::install_shim(&shims, &std::env::current_exe()?),
            paste::write_file("note where that goes", &host_file, &host),
            paste::write_file("write the settings of the sync", &settings, &self.settings.yaml()),
            wanted.create_cmd(mutagen),
        ] {
            self.ctx.runner.run(&cmd)?;
        }
        Ok(())
    }
}
