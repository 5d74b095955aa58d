//! `--dry-run`: the commands that would change something, ready to paste.

use anyhow::Result;

use super::Plan;
use crate::commands::{mutagen, paste, terminal};
use crate::remote::shim_directory;
use crate::session::bootstrap::{self, Machine};
use crate::session::sync::Wanted;
use crate::state::host_word;
use crate::tools::mutagen::SyncMode;

impl Plan<'_> {
    /// `--dry-run`: the commands that would change something, ready to paste.
    pub(super) fn show(&self) -> Result<i32> {
        let machine = Machine::if_known(&self.ctx.store);
        let ui = &self.ctx.ui;
        let remote_dir = match &self.record {
            Some(record) => record.remote.clone(),
            None => format!("{}/{}", self.host.workspace.value, self.project.name),
        };
        self.ctx.runner.run(&bootstrap::cmd(&self.remote, &self.question(&machine)))?;
        let changed = self.record.as_ref().is_none_or(|record| record.settings != self.settings.digest());
        if changed && self.settings.mode == SyncMode::None {
            ui.note("in mode none nothing is synced: a sync that there is would be ended");
        } else if changed {
            let wanted = Wanted {
                id: self.project.id.to_string(),
                host_word: host_word(&self.host.name),
                local: self.project.root.clone(),
                remote: remote_dir.clone(),
                settings: self.settings.clone(),
                held: false,
                shown: false,
            };
            let mutagen = mutagen::supposed(self.ctx)?;
            let shims = shim_directory(&self.ctx.environment.data_dir());
            let (host_file, host) = self.ctx.store.host_file(&self.ctx.host_file(&self.remote, None))?;
            let settings = self.settings.path_in(mutagen.data_dir());
            for cmd in [
                paste::install_shim(&shims, &std::env::current_exe()?),
                paste::write_file("note where that goes", &host_file, &host),
                paste::write_file("write the settings of the sync", &settings, &self.settings.yaml()),
                wanted.create_cmd(&mutagen),
            ] {
                self.ctx.runner.run(&cmd)?;
            }
        }
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
        Ok(0)
    }
}
