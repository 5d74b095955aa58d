//! `sinc`: makes sure that the sync and the terminal session exist, then attaches.
//!
//! A session that this computer knows is attached to at once, with one ssh; everything else goes the careful way.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::context::Context;
use super::{first_cycle, paste, status};
use crate::cli;
use crate::config::{Agent, Config, Host, Origin, Transport};
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
use crate::project::{Project, SessionId, separate_session_id};
use crate::remote::{Remote, Why, local_address_towards, shim, shim_directory};
use crate::session::bootstrap::{self, Answer, Machine, Place, Question};
use crate::session::sync::{self, Step, Wanted};
use crate::session::terminal::{self, Terminal};
use crate::session::{ending, survey};
use crate::state::{Record, host_word};
use crate::tools::mutagen::{Mutagen, MutagenError, SyncSession, SyncSettings};
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
    if ctx.environment.get("TMUX").is_some() && !args.no_attach && !ctx.store.told_before("nested-tmux") {
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
                record.address = now;
                self.ctx.store.save(&record)?;
            }
        }
        self.ctx.refresh_host_file(&self.remote, None)?;
        self.look_after(&record);
        self.become_terminal(&record)
    }

    /// Starts the process that asks Mutagen while ssh connects, and shows what it says inside.
    fn look_after(&self, record: &Record) {
        let Ok(this) = std::env::current_exe() else { return };
        let cmd = Cmd::new(this, "look after the attach")
            .args(["after-attach", &record.id, &record.host])
            .arg(std::process::id().to_string());
        if let Err(error) = self.ctx.runner.spawn_detached(&cmd) {
            tracing::warn!(%error, "nobody looks after this attach");
        }
    }

    fn become_terminal(&self, record: &Record) -> Result<i32> {
        let terminal = Terminal {
            id: self.id(),
            directory: Some(&record.remote),
            agent: Some(&self.agent),
            size: terminal::size(),
        };
        if self.host.transport.value == Transport::Et {
            let user = et_user(self.ctx, &self.host)?;
            self.ctx.runner.replace(&terminal::et_cmd(self.id(), &self.host.destination.value, &user))?;
        }
        self.remote.control().prepare();
        self.ctx.runner.replace(&terminal.attach_cmd(&self.remote))?;
        Ok(0)
    }

    /// The careful way: ask the host, see to the directory, the sync and its first cycle, then attach.
    fn connect(&mut self) -> Result<i32> {
        if self.ctx.runner.is_dry_run() {
            return self.show();
        }
        let ui = &self.ctx.ui;
        let _lock = self.lock()?;
        // Another sinc may have been at work while we waited.
        self.record = self.ctx.store.record(self.id(), &self.host.name)?;
        self.check_wishes_against_record()?;
        let mutagen = super::mutagen::ready(self.ctx)?;
        shim::install(&shim_directory(&self.ctx.environment.data_dir()), &std::env::current_exe()?)?;
        self.ctx.refresh_host_file(&self.remote, None)?;
        let word = host_word(&self.host.name);

        if !self.remote.control().exists() {
            // No live line here: ssh may put questions of its own on the terminal.
            ui.status("Connecting", &format!("to {}", self.host.name));
        }
        let id = self.project.id.to_string();
        if self.record.is_none() {
            // A sync whose record was lost may still run. It must not see the directory that is made for the session
            // now, empty: it would take that for a deletion, and bring it here.
            for sync in sync::find(&mutagen, &id, &word)?.iter().filter(|sync| !sync.is_paused()) {
                mutagen.pause(&sync.identifier)?;
            }
        }
        // Whoever insists on a session that exists wants no new directory.
        let look = self.args.resume && self.record.is_none();
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
        if let Err(error) = self.settle_place(&mut answer, &mutagen, &syncs) {
            self.look_again_next_time()?;
            return Err(error);
        }
        self.check_tmux(&answer)?;
        if matches!(answer.place, Place::New | Place::Adopted) {
            // It knows another directory than this one: what is missing here it would take for deleted.
            for sync in syncs.drain(..) {
                mutagen.terminate(&sync.identifier)?;
            }
        }
        self.tell_about_host(&answer);

        let mut record = self.note_record(&answer);
        // Until all is done the next run must not trust what this one wrote.
        record.verify = true;
        self.ctx.store.save(&record)?;
        let wanted = Wanted {
            id: self.project.id.to_string(),
            host_word: word,
            local: self.project.root.clone(),
            remote: record.remote.clone(),
            settings: self.settings.clone(),
        };
        let sync = self.ensure_sync(&mutagen, &wanted, &syncs, &mut record)?;
        if !record.filled {
            first_cycle::wait(self.ctx, &mutagen, &sync, &self.host.name)?;
            record.filled = true;
        }
        record.verify = false;
        self.ctx.store.save(&record)?;
        first_cycle::tell_conflicts(self.ctx, &mutagen, &sync)?;

        if self.args.no_attach || !on_terminal(self.ctx) {
            self.make_terminal(&record)?;
            if !self.args.no_attach {
                ui.note("not on a terminal: everything runs, nothing is attached");
            }
            status::print_one(self.ctx, "connect", &self.remote, &record, &mutagen)?;
            return Ok(0);
        }
        if self.host.transport.value == Transport::Et {
            self.make_terminal(&record)?;
        }
        ui.status("Attaching", &format!("{} on {}", self.id(), self.host.name));
        self.look_after(&record);
        self.become_terminal(&record)
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
        let finished = ending::finish_pending(store, &self.remote, &machine.id, &|line| ui.note(line))?;
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

    fn ask_host(&self, adopt: bool, same: bool, look: bool) -> Result<Answer> {
        let machine = self.ctx.machine()?;
        let local = self.project.root.to_string_lossy();
        let question = Question {
            id: self.id(),
            workspace: self.host.workspace.value.as_str(),
            name: &self.project.name,
            machine: &machine,
            local: &local,
            known: self.record.as_ref().map(|record| record.remote.as_str()),
            adopt,
            same,
            look,
        };
        let ui = &self.ctx.ui;
        bootstrap::ask(&self.remote, &question, &|line| ui.note(line))
    }

    /// Another computer has this session: the same project, or one of this computer's own?
    fn wants_separate_session(&mut self, answer: &Answer) -> Result<bool> {
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
    fn settle_place(&mut self, answer: &mut Answer, mutagen: &Mutagen, syncs: &[SyncSession]) -> Result<()> {
        if answer.place == Place::Other {
            // Asked above: the same project, or by now another id.
            *answer = self.ask_host(false, true, false)?;
        }
        if let Place::Occupied { entries } = answer.place {
            let there = format!("{}:{}", self.host.name, answer.directory);
            self.ctx.ui.warn(&format!("{there} already has {} in it", plural(entries, "entry", "entries")));
            self.ctx.ui.note("what is only there comes here, what is only here goes there,");
            self.ctx.ui.note("what differs is left alone on both sides and listed as a conflict");
            let wanted = self.ctx.ui.confirm("Sync this project with it?", false).map_err(|error| {
                error.context(format!("{there} is not empty, and it is not known to belong to this project"))
            })?;
            if !wanted {
                return Err(Failure::new(Kind::Failed, "nothing was done")
                    .hint("another workspace on the host: `workspace` in the config")
                    .into());
            }
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
    fn lost(&self, answer: &Answer, paused: &str) -> anyhow::Error {
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

    fn check_tmux(&self, answer: &Answer) -> Result<()> {
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

    fn tell_about_host(&self, answer: &Answer) {
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

    fn note_record(&self, answer: &Answer) -> Record {
        let before = self.record.as_ref();
        Record {
            id: self.id().to_string(),
            host: self.host.name.clone(),
            destination: self.host.destination.value.to_string(),
            local: self.project.root.clone(),
            remote: answer.directory.clone(),
            settings: self.settings.digest(),
            agent: self.agent.name.clone(),
            created: before.map_or_else(super::now, |record| record.created),
            filled: before.is_some_and(|record| record.filled),
            verify: false,
            peer: answer.peer,
            address: answer.peer.and_then(local_address_towards),
            others: answer.others.clone(),
        }
    }

    fn ensure_sync(
        &self,
        mutagen: &Mutagen,
        wanted: &Wanted,
        found: &[SyncSession],
        record: &mut Record,
    ) -> Result<String> {
        let ui = &self.ctx.ui;
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
            Step::KeptOld { why } => {
                record.settings.clear();
                ui.warn(&format!("the sync keeps its old settings for now: what waits could not be brought over first ({why})"));
            }
            Step::Undoubled { ended } => {
                ui.status("Ended", &plural(*ended as u64, "copy of the sync", "copies of the sync"));
            }
        };
        let progress = ui.progress();
        if found.is_empty() {
            progress.show("Syncing", "starting Mutagen on the host");
        }
        match sync::ensure(mutagen, wanted, found, &mut tell) {
            // The data connection cannot be opened without a person: it rides on the one that the person opened.
            Err(error) if self.ctx.ui.is_interactive() && self.login_needs_person(&error) => {
                ui.warn("this host asks a person at each login: the sync shares this connection, and stops when it is cut");
                self.ctx.refresh_host_file(&self.remote, Some(true))?;
                sync::ensure(mutagen, wanted, found, &mut tell)
            }
            other => other,
        }
    }

    /// Did the data connection fail because a login here needs a person? Mutagen does not always pass on what ssh
    /// said, so ssh is asked again, alone.
    fn login_needs_person(&self, error: &anyhow::Error) -> bool {
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

    fn make_terminal(&self, record: &Record) -> Result<()> {
        let terminal = Terminal {
            id: self.id(),
            directory: Some(&record.remote),
            agent: Some(&self.agent),
            size: terminal::size(),
        };
        let ui = &self.ctx.ui;
        let reply = terminal.make(&self.remote, &|line| ui.note(line))?;
        if reply.code == 0 {
            return Ok(());
        }
        let said =
            reply.said.lines().map(|line| line.trim_start_matches("sinc: ")).collect::<Vec<_>>().join("; ");
        Err(Failure::new(Kind::Failed, said).into())
    }

    /// `--dry-run`: the commands that would change something, ready to paste.
    fn show(&self) -> Result<i32> {
        let machine = Machine::if_known(&self.ctx.store);
        let ui = &self.ctx.ui;
        let remote_dir = match &self.record {
            Some(record) => record.remote.clone(),
            None => format!("{}/{}", self.host.workspace.value, self.project.name),
        };
        let local = self.project.root.to_string_lossy();
        let question = Question {
            id: self.id(),
            workspace: self.host.workspace.value.as_str(),
            name: &self.project.name,
            machine: &machine,
            local: &local,
            known: self.record.as_ref().map(|record| record.remote.as_str()),
            adopt: false,
            same: self.args.same,
            look: false,
        };
        self.ctx.runner.run(&bootstrap::cmd(&self.remote, &question))?;
        if self.record.as_ref().is_none_or(|record| record.settings != self.settings.digest()) {
            let wanted = Wanted {
                id: self.project.id.to_string(),
                host_word: host_word(&self.host.name),
                local: self.project.root.clone(),
                remote: remote_dir.clone(),
                settings: self.settings.clone(),
            };
            let mutagen = super::mutagen::supposed(self.ctx)?;
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
        let terminal = Terminal {
            id: self.id(),
            directory: Some(&remote_dir),
            agent: Some(&self.agent),
            size: terminal::size(),
        };
        let cmd = if self.args.no_attach {
            terminal.make_cmd(&self.remote)
        } else {
            terminal.attach_cmd(&self.remote)
        };
        self.ctx.runner.run(&cmd)?;
        ui.note("nothing was changed");
        Ok(0)
    }
}

/// Are input and output a terminal that can be attached?
fn on_terminal(ctx: &Context) -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !ctx.ui.is_json()
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

/// The login on the host, which `et` must be given: its own reading of ~/.ssh/config knows no Match or Include.
fn et_user(ctx: &Context, host: &Host) -> Result<String> {
    if let Some(user) = host.destination.value.user() {
        return Ok(user.to_owned());
    }
    let cmd =
        Cmd::new("ssh", "read ssh's configuration").args(["-G", "--"]).arg(host.destination.value.target());
    let said = ctx.runner.read(&cmd)?;
    let user = said
        .lines()
        .find_map(|line| line.strip_prefix("user "))
        .context("ssh names no user for this host")?;
    Ok(user.to_owned())
}
