//! One session as the link knows it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use super::super::context::Context;
use super::engine::GitWatched;
use crate::ignore;
use crate::link::attention::Attention;
use crate::link::brake::Minute;
use crate::link::exclude::Rules;
use crate::link::eye::Place;
use crate::link::joiner::Joiner;
use crate::link::local_eye::Root;
use crate::link::state::{Eye, LinkSession};
use crate::link::trouble::Trouble;
use crate::session::missing::Known;
use crate::session::sync::Wanted;
use crate::state::{Lock, Record, host_word};
use crate::tools::mutagen::{LABEL_HOST, LABEL_ID, Side, SyncMode, SyncSession};

/// One session.
#[derive(Debug)]
pub(super) struct Watched {
    pub record: Record,
    pub rules: Rules,
    /// The patterns of what is left out.
    pub ignores: Vec<String>,
    /// Is a repository here to be shared?
    pub shares_git: bool,
    /// What is known of it.
    pub git: GitWatched,
    /// Its sync, if there is one and only one.
    pub sync: Option<String>,
    /// The side that everything comes from, where its sync goes one way.
    pub source: Option<Side>,
    /// Why Mutagen would run no cycle: it is paused, or has halted.
    pub stands: Option<String>,
    /// Is the directory on the host the session's? Not known before the eye has told.
    pub placed: bool,
    /// Somebody finds out where it is.
    pub seeking: bool,
    pub joiner: Joiner,
    /// Its cycle was stopped by pausing it: it goes on after a look.
    pub braked: bool,
    /// Its connection may be dead without its knowing.
    pub lost: bool,
    /// Its sync is being connected again; the number says which time.
    pub reviving: Option<u32>,
    /// Its cycle begins when its sync is connected again.
    pub waits: bool,
    /// Pausing it is under way.
    pub stopping: bool,
    pub eye_here: Eye,
    pub eye_there: Eye,
    /// The most files of the last minute.
    pub minute: Minute,
    /// What is being counted now.
    pub look: Option<Look>,
    /// Another sinc is at work on the session.
    pub busy: bool,
    /// Files there when it was looked at last, where it is polled.
    pub polled: Option<u64>,
    /// What is done about its conflicts.
    pub attention: Attention,
    /// Where it is noted that its conflicts are being settled.
    pub settling: PathBuf,
    /// What a settling that broke off had moved aside is being put back, or is to be, then.
    pub putting_back: Option<Instant>,
    /// Why the last cycle did not bring over everything.
    pub failing: Option<String>,
    /// Whether it is told that it is not synced.
    pub trouble: Trouble,
}

/// A look that goes on: the files are counted on both sides.
#[derive(Debug)]
pub(super) struct Look {
    pub since: Instant,
    /// No other sinc is at work on the session meanwhile.
    pub _lock: Lock,
    /// What is known of the files without asking the host.
    pub here: Option<Known>,
    /// The files on the host, where what is gone there would be deleted here.
    pub there: Option<Option<u64>>,
}

impl Watched {
    /// `syncs` are all of Mutagen's. What the session's own leaves out is left out here, whatever the configuration says by now:
    /// that counts from the next `sinc` on.
    pub(super) fn new(ctx: &Context, record: Record, syncs: &[SyncSession], now: Instant) -> Self {
        let wanted = wanted(ctx, &record);
        let shares_git = ctx.config().is_ok_and(|config| config.sync.git.value)
            && wanted.as_ref().is_ok_and(|wanted| wanted.settings.mode.source().is_none());
        let ignores = match &own(&record, syncs)[..] {
            [sync] => sync.ignores().to_vec(),
            // Files that cannot be read now: what is always left out still is.
            _ => wanted.map_or_else(|_| ignore::list(&[], &[], &[]), |wanted| wanted.settings.ignores),
        };
        let rules = Rules::new(&ignores);
        let settling = ctx.store.settling_path(&record.id, &record.host);
        let starting = || Eye { by: "starting".to_owned(), why: None };
        let mut session = Self {
            record,
            rules,
            ignores,
            shares_git,
            git: GitWatched::default(),
            sync: None,
            source: None,
            stands: None,
            placed: false,
            seeking: false,
            joiner: Joiner::new(now),
            braked: false,
            stopping: false,
            lost: false,
            reviving: None,
            waits: false,
            eye_here: starting(),
            eye_there: starting(),
            minute: Minute::default(),
            look: None,
            busy: false,
            polled: None,
            attention: Attention::default(),
            settling,
            putting_back: None,
            failing: None,
            trouble: Trouble::default(),
        };
        session.set_git(session.has_git());
        session
    }

    /// Is there a repository here that is to be shared?
    pub(super) fn has_git(&self) -> bool {
        let found = || self.record.local.join(".git").symlink_metadata();
        self.shares_git && found().is_ok_and(|found| found.is_dir())
    }

    /// Shares it from now on, or not any more.
    pub(super) fn set_git(&mut self, on: bool) {
        self.git.on = on;
        self.git.told = None;
    }

    /// What is watched on the host.
    pub(super) fn place(&self) -> Place<'_> {
        Place { path: &self.record.remote, rules: &self.rules, git: self.git.on }
    }

    pub(super) fn root(&self) -> Root {
        Root { path: self.record.local.clone(), rules: self.rules.clone(), git: self.shares_git }
    }

    /// Takes over what Mutagen says of its sync.
    pub(super) fn note_sync(&mut self, all: &[SyncSession]) {
        let found = own(&self.record, all);
        let (first, second) = (found.first().copied(), found.get(1));
        self.source = first.and_then(SyncSession::sync_mode).and_then(SyncMode::source);
        // Somebody let it go on.
        self.braked &= first.is_some_and(SyncSession::is_paused);
        if self.record.held.is_some() {
            self.stands = Some("held".to_owned());
            self.sync = first.map(|sync| sync.identifier.clone());
            return;
        }
        (self.sync, self.stands) = match (first, second) {
            (Some(sync), None) => (Some(sync.identifier.clone()), stands(sync).filter(|_| !self.braked)),
            (None, _) => (None, Some("there is no sync".to_owned())),
            (Some(_), Some(_)) => (None, Some("there are several syncs".to_owned())),
        };
    }

    pub(super) fn told(&self) -> LinkSession {
        LinkSession {
            here: self.eye_here.clone(),
            there: self.eye_there.clone(),
            looking: self.joiner.is_unsure(),
            git_works: self.git.holds(),
            busy: self.busy && self.joiner.is_unsure(),
            git: self.git.told.clone().filter(|_| self.git.on),
            unsettled: self.attention.why_unsettled().map(str::to_owned),
            stands: match (&self.stands, self.placed, self.seeking) {
                (Some(stands), _, _) => Some(stands.clone()),
                (None, false, true) => Some("its directory on the host is being looked for".to_owned()),
                _ => None,
            },
        }
    }
}

/// Those of Mutagen's syncs that are this session's.
fn own<'a>(record: &Record, all: &'a [SyncSession]) -> Vec<&'a SyncSession> {
    let word = host_word(&record.host);
    let is_own = |sync: &&SyncSession| {
        sync.label(LABEL_ID) == Some(&record.id) && sync.label(LABEL_HOST) == Some(&word)
    };
    all.iter().filter(is_own).collect()
}

/// Why a sync runs no cycle.
pub(super) fn stands(sync: &SyncSession) -> Option<String> {
    if sync.is_paused() {
        return Some("paused".to_owned());
    }
    sync.halt().map(|halt| format!("halted: {halt}"))
}

/// The sync that a session of this computer's is to have.
pub(in crate::commands) fn wanted(ctx: &Context, record: &Record) -> Result<Wanted> {
    let own = ctx.config()?;
    let files = ctx.project_files(&record.local, &own)?;
    Ok(Wanted {
        id: record.id.clone(),
        host_word: host_word(&record.host),
        local: record.local.clone(),
        remote: record.remote.clone(),
        settings: files.sync_settings(&own.with_project(&files.trusted)),
        held: record.held.is_some(),
        shown: false,
    })
}
