//! Both sides of one session, for commands that look at files and move some of them.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use super::context::Context;
use super::now;
use super::paint::{harmless, tilde, utc};
use crate::backups::{Keeper, Kept, Limits};
use crate::config::Host;
use crate::failure::{Failure, Kind};
use crate::ignore::Matcher;
use crate::listing::{Listing, Pair};
use crate::project::SessionId;
use crate::remote::Remote;
use crate::state::Record;
use crate::tools::mutagen::Side;

/// A session's two directories.
#[derive(Debug)]
pub(super) struct Sides {
    pub record: Record,
    pub remote: Remote,
}

impl Sides {
    /// Those of the session that is meant.
    ///
    /// # Errors
    /// There is no such session.
    pub(super) fn of(ctx: &Context, id: Option<&str>) -> Result<Self> {
        Self::of_record(ctx, &ctx.target(id)?)
    }

    /// Those of this session.
    ///
    /// # Errors
    /// Its host is not known any more.
    pub(super) fn of_record(ctx: &Context, record: &Record) -> Result<Self> {
        let remote = ctx.remote(&ctx.host_of(&ctx.config()?, record)?);
        Ok(Self { record: record.clone(), remote })
    }

    /// Those of a session that was ended: all that is known of it is where its backups would be. Without `person` ssh asks
    /// nobody.
    pub(super) fn of_ended(ctx: &Context, id: &SessionId, host: &Host, person: bool) -> Self {
        let record = Record { id: id.to_string(), host: host.name.clone(), ..Record::default() };
        let remote = ctx.remote(host);
        Self { record, remote: if person { remote } else { remote.with_person(false) } }
    }

    /// The directory of a side, as text for the scripts.
    ///
    /// # Errors
    /// It is not UTF-8 (such a project is refused when it is made).
    pub(super) fn root(&self, side: Side) -> Result<&str> {
        match side {
            Side::Local => self.record.local.to_str().context("the project's path is not UTF-8"),
            Side::Remote => Ok(&self.record.remote),
        }
    }

    /// The backups of a side.
    ///
    /// # Errors
    /// The state directory's path is not UTF-8.
    pub(super) fn keeper<'a>(&'a self, ctx: &'a Context, side: Side) -> Result<Keeper<'a>> {
        let machine = ctx.store.machine_if_known().unwrap_or_default();
        match side {
            Side::Local => Keeper::here(&ctx.runner, ctx.store.directory(), &self.record.id, &machine),
            Side::Remote => Ok(Keeper::there(&self.remote, &self.record.id, &machine)),
        }
    }

    /// Both directories, to be listed.
    pub(super) fn pair(&self) -> Pair<'_> {
        Pair { local: &self.record.local, host: &self.remote, remote: &self.record.remote }
    }

    /// Lists both sides, at the same time.
    ///
    /// # Errors
    /// A side cannot be read.
    pub(super) fn list(&self, ignored: &Matcher) -> Result<(Listing, Listing)> {
        self.pair().list(ignored, None)
    }

    /// Adds the digests of these files to both listings, at the same time.
    ///
    /// # Errors
    /// A side cannot be read.
    pub(super) fn add_digests(
        &self,
        paths: &[PathBuf],
        listings: (&mut Listing, &mut Listing),
    ) -> Result<()> {
        self.pair().add_digests(paths, listings, None)
    }

    /// Moves these paths of a side into a backup, and removes backups whose time has come.
    ///
    /// # Errors
    /// Nothing was moved, or the line was cut on the way.
    pub(super) fn keep(&self, ctx: &Context, side: Side, why: &str, paths: &[PathBuf]) -> Result<Kept> {
        self.keep_as(ctx, side, &Keeper::name(&utc(now())), why, paths)
    }

    /// The same, with a name that was noted before.
    ///
    /// # Errors
    /// As there.
    pub(super) fn keep_as(
        &self,
        ctx: &Context,
        side: Side,
        name: &str,
        why: &str,
        paths: &[PathBuf],
    ) -> Result<Kept> {
        let keeper = self.keeper(ctx, side)?;
        let kept = keeper.keep_as(name, self.root(side)?, why, now(), paths)?;
        self.prune(ctx, &keeper);
        Ok(kept)
    }

    /// Removes backups whose time has come: that this failed is no reason to stop.
    pub(super) fn prune(&self, ctx: &Context, keeper: &Keeper<'_>) {
        let pruned = limits(ctx).and_then(|limits| keeper.prune(limits, now()));
        if let Err(error) = pruned {
            tracing::warn!(%error, "old backups could not be removed");
        }
    }

    /// A path of a side, as a person finds it: `~/…`, or `host:/…`.
    pub(super) fn shown(&self, ctx: &Context, side: Side, path: &Path) -> String {
        match side {
            Side::Local => tilde(path, ctx.environment.home()),
            Side::Remote => harmless(&format!("{}:{}", self.record.host, path.display())),
        }
    }

    /// A path of the person's as one below the project's directory.
    ///
    /// # Errors
    /// It leads out of it.
    pub(super) fn relative(&self, ctx: &Context, path: &Path) -> Result<PathBuf> {
        let base = if ctx.cwd.starts_with(&self.record.local) { &ctx.cwd } else { &self.record.local };
        let whole = base.join(path);
        let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
        let outside = || {
            let message = format!("`{}` is not in {}", path.display(), self.record.local.display());
            anyhow::Error::from(Failure::new(Kind::Usage, message))
        };
        for part in whole.components() {
            match part {
                Component::Normal(name) => parts.push(name),
                Component::ParentDir => drop(parts.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        let whole = parts.into_iter().fold(PathBuf::from("/"), |path, part| path.join(part));
        whole.strip_prefix(&self.record.local).map(Path::to_owned).map_err(|_| outside())
    }
}

/// How long and how much is kept.
///
/// # Errors
/// The configuration is invalid.
pub(super) fn limits(ctx: &Context) -> Result<Limits> {
    let config = ctx.config()?;
    let kib = u64::from(config.backups.megabytes.value) * 1024;
    Ok(Limits { days: config.backups.days.value.into(), kib })
}

/// A side in a word, for `--json` and for names.
pub(super) fn word(side: Side) -> &'static str {
    match side {
        Side::Local => "local",
        Side::Remote => "remote",
    }
}
