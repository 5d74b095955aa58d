//! `sinc`: makes sure that the sync and the terminal session exist, then attaches.
//!
//! A session that this computer knows is attached to at once, with one ssh; everything else goes the careful way.

mod dry_run;
mod making;
mod place;
mod preview;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;

use super::context::Context;
use super::{after_attach, first_cycle, held_words, notify, resolve, status, terminal};
use crate::cli;
use crate::config::{Agent, Config, Host, Origin, Transport};
use crate::failure::{Failure, Kind};
use crate::project::{Project, SessionId};
use crate::remote::{Remote, local_address_towards, shim, shim_directory};
use crate::session::bootstrap::{Answer, Place};
use crate::session::sync::{self, Wanted};
use crate::session::terminal::Terminal;
use crate::session::{self, ending, hold};
use crate::state::{Record, host_word};
use crate::tools::mutagen::{Mutagen, SyncMode, SyncSession, SyncSettings};
use crate::ui::plural;

/// How long to wait for another `sinc` that is busy with the same session: a first cycle may be long.
const LOCK_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a connect has found out before it asks anybody.
struct Plan<'a> {
    ctx: &'a Context,
    args: &'a cli::Connect,
    project: Project,
    host: Host,
    agent: Agent,
    settings: SyncSettings,
    record: Option<Record>,
    remote: Remote,
}

/// Runs it. Gives sinc's exit code, unless the process was replaced.
///
/// # Errors
/// Anything that keeps the session from being there.
pub fn run(ctx: &Context, args: &cli::Connect) -> Result<i32> {
    let found = ctx.find_project(args.force)?;
    let project = found.project;
    let own = ctx.config_for_agent(args.agent.as_deref())?;
    let files = ctx.project_files(&project.root, &own)?;
    let config = own.with_project(&files.trusted);
    let host = choose_host(ctx, &config, &project)?;
    let agent = config.agent(&host, None)?;
    let record = ctx.store.record(&project.id, &host.name)?;
    let settings = files.sync_settings(&config);
    if found.asked_from.is_some() {
        ctx.ui.note(&format!("this is a part of {} (session {})", project.root.display(), project.id));
    }
    let waiting = files.assessment.waiting.len() as u64;
    if waiting > 0 {
        let changes = plural(
            waiting,
            "change in this project's own files waits",
            "changes in this project's own files wait",
        );
        ctx.ui.warn(&format!("{changes} for `sinc trust`; what was accepted before is used"));
    }
    if !ctx.runner.is_dry_run() {
        // What counts without being asked for counts as accepted: taking it away again is a change.
        let counts = files.assessment.effective.accept();
        if ctx.store.accepted(&project.root)?.unwrap_or_default() != counts {
            ctx.store.accept(&project.root, &counts)?;
        }
    }
    let attaches = !args.no_attach && !ctx.runner.is_dry_run() && on_terminal(ctx);
    if attaches && ctx.environment.get("TMUX").is_some() && !ctx.store.told_before("nested-tmux") {
        ctx.ui.note("you are inside a tmux here: its prefix key pressed twice reaches the one on the host");
    }
    let remote = ctx.remote(&host);
    let mut plan = Plan { ctx, args, project, host, agent, settings, record, remote };
    if plan.is_fast() { plan.attach_at_once() } else { plan.connect() }
}

/// The host that is meant: the one named, or the one where this project's session is, or the default.
fn choose_host(ctx: &Context, config: &Config, project: &Project) -> Result<Host> {
    let named = config
        .default_host
        .as_ref()
        .is_some_and(|host| matches!(host.origin, Origin::Env(_) | Origin::Flag(_)));
    if !named {
        let mut records = ctx.store.records()?;
        records.retain(|record| record.id == project.id.as_str());
        if let [record] = &records[..] {
            return ctx.host_of(config, record);
        }
        if records.len() > 1 && config.host(None).is_err() {
            let names: Vec<_> = records.iter().map(|record| record.host.as_str()).collect();
            return Err(Failure::new(
                Kind::Usage,
                format!("this project has sessions on several hosts: {}", names.join(", ")),
            )
            .hint("name one with `--host`")
            .into());
        }
    }
    Ok(config.host(ctx.global.host.as_deref())?)
}

impl Plan<'_> {
    fn id(&self) -> &SessionId {
        &self.project.id
    }

    /// Is everything known that one ssh needs?
    fn is_fast(&self) -> bool {
        let args = self.args;
        let plain =
            !(args.no_attach || args.new || args.same || args.separate || self.ctx.runner.is_dry_run());
        let ssh = self.host.transport.value != Transport::Et;
        let known = self.record.as_ref().is_some_and(|record| {
            record.filled
                && !record.verify
                && record.settings == self.settings.digest()
                && record.resolved == (self.settings.mode == SyncMode::TwoWayResolved)
                && record.destination == self.host.destination.value.to_string()
        });
        let nothing_left =
            self.ctx.store.pending().is_ok_and(|all| all.iter().all(|p| p.host != self.host.name));
        plain && ssh && known && nothing_left && on_terminal(self.ctx)
    }

    /// One ssh, whose script checks the claim; Mutagen is asked beside it.
    fn attach_at_once(&mut self) -> Result<i32> {
        let Some(mut record) = self.record.take() else {
            return self.connect();
        };
        // Another address here than when the shared connection was made: it is dead, though nobody has told it.
        if let Some(peer) = record.peer {
            let now = local_address_towards(peer);
            if now != record.address {
                self.remote.drop_master();
                // Only with the lock, and only that: another sinc may have ended the session, or told to look first.
                let store = &self.ctx.store;
                let lock = store.lock(&record.id, &record.host, Duration::ZERO, &mut || {});
                let now_known = store.record(self.id(), &self.host.name)?;
                let (Ok(_), Some(known)) = (&lock, now_known.filter(|known| !known.verify)) else {
                    drop(lock);
                    return self.connect();
                };
                record = Record { address: now, ..known };
                store.save(&record)?;
            }
        }
        self.ctx.refresh_host_file(&self.remote, None)?;
        if let Some(held) = &record.held {
            held_words::tell(self.ctx, &record, held);
        }
        after_attach::start(self.ctx, &record, false);
        terminal::attach(self.ctx, &self.host, &self.remote, &self.terminal(&record.remote))
    }

    /// The terminal of the session, whose directory on the host is this one.
    fn terminal<'a>(&'a self, directory: &'a str) -> Terminal<'a> {
        let agent = Some(&self.agent);
        Terminal { id: self.id(), directory: Some(directory), agent, size: session::terminal::size() }
    }

    /// The careful way: ask the host, see to the directory, the sync and its first cycle, then attach.
    fn connect(&mut self) -> Result<i32> {
        if self.ctx.runner.is_dry_run() {
            return self.show();
        }
        let ui = &self.ctx.ui;
        let lock = self.lock()?;
        // Another sinc may have been at work while we waited.
        self.record = self.ctx.store.record(self.id(), &self.host.name)?;
        self.check_wishes_against_record()?;
        // Without a sync it is not needed, and only asked for one that there may still be.
        let mutagen = match self.settings.mode {
            SyncMode::None => super::mutagen::supposed(self.ctx)?,
            _ => super::mutagen::ready(self.ctx)?,
        };
        shim::install(&shim_directory(&self.ctx.environment.data_dir()), &std::env::current_exe()?)?;
        self.ctx.refresh_host_file(&self.remote, None)?;
        let word = host_word(&self.host.name);

        if self.remote.control().path().is_none() {
            ui.warn(
                "connections to this host are not shared, so each command logs in anew: the path of ~/.sinc/cm is too long \
                 for a socket, or has a space, a quote, `%` or `$` in it",
            );
        }
        if !self.remote.control().exists() {
            // No live line here: ssh may put questions of its own on the terminal.
            ui.status("Connecting", &format!("to {}", self.host.name));
        }
        let id = self.project.id.to_string();
        let mut stale = false;
        if self.record.is_none() {
            // A sync whose record was lost may still run. It must not see the directory that is made for the session
            // now, empty: it would take that for a deletion, and bring it here.
            for sync in sync::find(&mutagen, &id, &word)? {
                stale = true;
                if !sync.is_paused() {
                    mutagen.pause(&sync.identifier)?;
                }
            }
        }
        // Whoever insists on a session that exists wants no new directory. And a sync that knows another directory is
        // ended before the host writes that this one is the session's: once it says so, nothing tells them apart.
        let look = self.record.is_none() && (self.args.resume || stale) || self.args.same;
        // Mutagen is asked while the host is.
        let (answer, syncs) = std::thread::scope(|scope| {
            let asked = scope.spawn(|| sync::find(&mutagen, &id, &word));
            let answer = self.ask_host(false, self.args.same, look);
            let syncs = asked.join().unwrap_or_else(|_| Err(anyhow::anyhow!("asking Mutagen broke off")));
            (answer, syncs)
        });
        let (mut answer, mut syncs) = (answer?, syncs?);
        self.ctx.store.set_noisy(&word, answer.noisy)?;
        self.check_wishes_against_host(&answer)?;
        end_strangers(&answer, &mutagen, &mut syncs)?;
        if look {
            answer = self.ask_host(false, self.args.same, false)?;
        }
        if self.finish_pending()? {
            // It took this computer out of the claim that we were just told of.
            answer = self.ask_host(false, self.args.same, false)?;
        }
        if answer.place == Place::Other && self.wants_separate_session(&answer)? {
            syncs = Vec::new();
        }
        if let Err(error) = self.settle_place(&mut answer, &mutagen, &mut syncs) {
            self.look_again_next_time()?;
            return Err(error);
        }
        self.check_tmux(&answer)?;
        self.tell_about_host(&answer);

        let mut record = self.note_record(&answer);
        // Until all is done the next run must not trust what this one wrote.
        record.verify = true;
        self.ctx.store.save(&record)?;
        resolve::put_back_left(self.ctx, &record, Some(&lock), Duration::ZERO)?;
        let mut wanted = Wanted {
            id: self.project.id.to_string(),
            host_word: word,
            local: self.project.root.clone(),
            remote: record.remote.clone(),
            settings: self.settings.clone(),
            held: record.held.is_some(),
            shown: true,
        };
        // One that is not filled yet is waited for with a cycle.
        let flushes = sync::flushes(&syncs, &wanted) || !record.filled;
        let say = |line: &str| ui.warn(line);
        let (store, remote) = (&self.ctx.store, &self.remote);
        let mut held = hold::check(&mutagen, store, remote, &record, &mut syncs, (flushes, &say))?;
        wanted.held = held.is_some();
        let fresh = answer.place == Place::New;
        let sync = match self.turn_on(&mutagen, &wanted, &syncs, &mut record, (fresh, &lock))? {
            None => self.ensure_sync(&mutagen, &wanted, &syncs, &mut record, &lock)?,
            sync => sync,
        };
        record.no_sync = sync.is_none();
        if held.is_some() && !syncs.iter().any(|old| Some(&old.identifier) == sync.as_ref()) {
            // A new one has no history, and so nothing to delete.
            self.ctx.store.release(&record.id, &record.host)?;
            held = None;
        }
        if let Some(held) = &held {
            if !record.filled {
                return Err(held_words::failure(&record, held));
            }
            held_words::tell(self.ctx, &record, held);
            notify::held(self.ctx, &self.remote, &record, held);
        } else if !record.filled {
            if let Some(sync) = &sync {
                first_cycle::wait(self.ctx, &mutagen, sync, &self.host.name)?;
            }
            record.filled = true;
        }
        record.verify = false;
        self.ctx.store.save(&record)?;
        if self.record.as_ref().is_some_and(|before| before.verify) {
            self.tell_unfinished(&record);
        }
        if let Some(sync) = sync.filter(|_| held.is_none()) {
            self.agree_to_settle(&mutagen, &sync, &mut record, &lock)?;
            let mut seen = mutagen.session(&sync)?;
            if resolve::settle_and_tell(self.ctx, &record, &mutagen, &seen, Some(&lock)).is_some() {
                seen = mutagen.session(&sync)?;
            }
            first_cycle::tell_conflicts(self.ctx, &seen);
            super::git::share(self.ctx, &self.remote, &record, &mutagen);
            if self.record.is_none() {
                super::git::tell_above(self.ctx, &record);
            }
        }

        let terminal = self.terminal(&record.remote);
        crate::commands::link::ensure(self.ctx, &self.host.name);
        if self.args.no_attach || !on_terminal(self.ctx) {
            terminal::make(self.ctx, &self.remote, &terminal)?;
            notify::again(self.ctx, &self.remote, &record);
            if !self.args.no_attach {
                ui.note("not on a terminal: everything runs, nothing is attached");
            }
            status::print_one(self.ctx, &self.remote, &record, &mutagen, &lock)?;
            return Ok(0);
        }
        terminal::prepare(self.ctx, &self.host, &self.remote, &terminal)?;
        ui.status("Attaching", &format!("{} on {}", self.id(), self.host.name));
        after_attach::start(self.ctx, &record, false);
        terminal::attach(self.ctx, &self.host, &self.remote, &terminal)
    }

    fn lock(&self) -> Result<crate::state::Lock> {
        let ui = &self.ctx.ui;
        self.ctx.store.lock(self.id().as_str(), &self.host.name, LOCK_PATIENCE, &mut || {
            ui.note("another sinc is busy with this session: waiting for it");
        })
    }

    /// The directory is not as it was: the next run must not attach before it has looked.
    fn look_again_next_time(&self) -> Result<()> {
        match &self.record {
            Some(record) => self.ctx.store.save(&Record { verify: true, ..record.clone() }),
            None => Ok(()),
        }
    }

    /// Ends what was to end on this host when it is reached. Was it also about a session of this very name?
    fn finish_pending(&self) -> Result<bool> {
        let (ui, store) = (&self.ctx.ui, &self.ctx.store);
        let machine = self.ctx.machine()?;
        let finished = ending::finish_pending(store, &self.remote, &machine.id, Some(self.id()), &|line| {
            ui.note(line);
        })?;
        for id in &finished {
            ui.status("Finished", &format!("{id}: its end, which waited for this host"));
        }
        let own = |id: &str| id == self.id().as_str();
        if store.pending()?.iter().any(|end| end.host == self.host.name && own(&end.id)) {
            // It would end the new session at the next contact.
            let message =
                format!("the end of the {} that was killed before could not be finished", self.id());
            return Err(Failure::new(Kind::Failed, message).hint("see `sinc logs`").into());
        }
        Ok(finished.iter().any(|id| own(id)))
    }

    fn check_wishes_against_record(&self) -> Result<()> {
        if self.args.new && self.record.is_some() {
            return Err(self.exists_already());
        }
        Ok(())
    }

    fn check_wishes_against_host(&self, answer: &Answer) -> Result<()> {
        if self.args.new && answer.attached.is_some() {
            return Err(self.exists_already());
        }
        if self.args.resume && self.record.is_none() && answer.attached.is_none() {
            let message = format!("there is no session {} on {} to resume", self.id(), self.host.name);
            return Err(Failure::new(Kind::Failed, message)
                .hint("`sinc` without `--resume` makes it")
                .into());
        }
        Ok(())
    }

    fn exists_already(&self) -> anyhow::Error {
        Failure::new(Kind::Failed, format!("the session {} on {} exists already", self.id(), self.host.name))
            .hint("attach to it with `sinc`")
            .hint(format!("or end it with `sinc kill {}`", self.id()))
            .into()
    }
}

/// Ends the syncs of a session whose directory is a new one: they know another directory than this one, and what is
/// missing here they would take for deleted.
fn end_strangers(answer: &Answer, mutagen: &Mutagen, syncs: &mut Vec<SyncSession>) -> Result<()> {
    if matches!(answer.place, Place::New | Place::Adopted | Place::Occupied { .. }) {
        for sync in syncs.drain(..) {
            mutagen.terminate(&sync.identifier)?;
        }
    }
    Ok(())
}

/// Are input and output a terminal that can be attached?
fn on_terminal(ctx: &Context) -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !ctx.ui.is_json()
}
