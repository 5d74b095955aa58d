//! `--merge` and `--edit`: one text out of both versions.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha1::{Digest, Sha1};

use super::apply::{Done, End};
use super::base;
use crate::backups::Outcome;
use crate::commands::context::Context;
use crate::commands::sides::Sides;
use crate::listing::{Kind as EntryKind, TEMPORARY_PREFIX, digest_of, remote_contents};
use crate::process::Cmd;
use crate::session::conflicts::Open;
use crate::state::make_private_dir;
use crate::tools::mutagen::Side;

/// The largest file that is merged, bytes.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Why there is no merged text.
pub(super) type Refused = String;

/// The two versions as files of a directory of their own, which goes with this.
pub(super) struct Bench {
    dir: PathBuf,
    /// The version here.
    pub here: PathBuf,
    /// The version of the host.
    pub there: PathBuf,
    /// What both had before, where git has it.
    pub before: Option<PathBuf>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Bench {
    /// A file of this name there.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Gets both versions, each with the digest that was shown, and the one before.
    ///
    /// # Errors
    /// The host was not reached, or the disk is full.
    pub(super) fn new(ctx: &Context, sides: &Sides, open: &Open) -> Result<Result<Self, Refused>> {
        let mut digests = Vec::new();
        for side in [Side::Local, Side::Remote] {
            match open.at(side) {
                Some(entry) if entry.kind == EntryKind::File && entry.size <= MOST_BYTES => {
                    digests.push(entry.digest.clone());
                }
                Some(entry) if entry.kind == EntryKind::File => {
                    return Ok(Err(format!("the file {side} is too large")));
                }
                _ => return Ok(Err(format!("there is no file {side}"))),
            }
        }
        let here =
            std::fs::read(sides.record.local.join(&open.path)).context("cannot read the version here")?;
        let paths = [open.path.clone()];
        let mut far = remote_contents(&sides.remote, &sides.record.remote, &paths, MOST_BYTES + 1)?;
        let Some(there) = far.remove(&open.path) else {
            return Ok(Err("the file on the host is gone".to_owned()));
        };
        let digest = |bytes: &[u8]| Some(hex::encode(Sha1::digest(bytes)));
        if digest(&here) != digests[0] || digest(&there) != digests[1] {
            return Ok(Err("it was changed at this moment".to_owned()));
        }
        let dir = ctx.store.directory().join(format!("merge-{}", std::process::id()));
        // One that was killed may have left its own.
        let _ = std::fs::remove_dir_all(&dir);
        make_private_dir(&dir)?;
        let mut bench = Self { here: dir.join("here"), there: dir.join("on-the-host"), before: None, dir };
        std::fs::write(&bench.here, here).context("cannot write a version")?;
        std::fs::write(&bench.there, there).context("cannot write a version")?;
        if let Ok(before) = base::find(ctx, &sides.record.local, &open.path, open.old.as_deref()) {
            let file = bench.dir.join("before");
            std::fs::write(&file, before).context("cannot write a version")?;
            bench.before = Some(file);
        }
        Ok(Ok(bench))
    }

    /// The three-way merge by git, with markers where the changes touch; and at how many places they do.
    ///
    /// # Errors
    /// git is missing.
    pub(super) fn merge(&self, ctx: &Context, before: &Path) -> Result<Result<(Vec<u8>, i32), Refused>> {
        let answers: Vec<i32> = (0..=255).collect();
        let cmd = Cmd::new("git", "merge the two versions")
            .untranslated()
            .args(["merge-file", "-p", "-L", "here", "-L", "before", "-L", "on the host", "--"])
            .arg(&self.here)
            .arg(before)
            .arg(&self.there)
            .answers(&answers);
        let output = ctx.runner.answer(&cmd)?;
        // A negative number is an error: 255 and a few below.
        if output.code > 127 {
            return Ok(Err(format!("git cannot merge them: {}", output.stderr.trim())));
        }
        Ok(Ok((output.stdout, output.code)))
    }
}

/// `--merge`: the changes of both, where they do not touch.
///
/// # Errors
/// git is missing, or the host was not reached.
pub(super) fn merge(ctx: &Context, sides: &Sides, open: &Open) -> Result<Result<Vec<u8>, Refused>> {
    let bench = match Bench::new(ctx, sides, open)? {
        Ok(bench) => bench,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(before) = &bench.before else {
        let why = base::find(ctx, &sides.record.local, &open.path, open.old.as_deref());
        return Ok(Err(why.err().unwrap_or_default()));
    };
    Ok(match bench.merge(ctx, before)? {
        Ok((text, 0)) => Ok(text),
        Ok((_, places)) => {
            Err(format!("both sides changed the same lines at {places} places: `--edit` opens them"))
        }
        Err(refused) => Err(refused),
    })
}

/// Puts the text in the place of the version here, which is moved aside; then the host's loses as with `--local`.
///
/// # Errors
/// A side cannot be read or written.
pub(super) fn put(
    ctx: &Context,
    sides: &Sides,
    done: &mut Done,
    text: &[u8],
    backups: &mut Vec<(Side, String)>,
) -> Result<()> {
    let open = &done.task.open;
    let file = sides.record.local.join(&open.path);
    let Some(entry) = open.at(Side::Local) else { return Ok(()) };
    if entry.digest.as_deref() == Some(hex::encode(Sha1::digest(text)).as_str()) {
        return Ok(());
    }
    let new = file.with_file_name(format!("{TEMPORARY_PREFIX}sinc-merged-{}", std::process::id()));
    let written = (|| -> std::io::Result<()> {
        let mut out =
            std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        out.write_all(text)?;
        out.set_permissions(std::fs::Permissions::from_mode(entry.mode))?;
        out.sync_all()
    })();
    if let Err(error) = written {
        let _ = std::fs::remove_file(&new);
        done.end = End::Failed(format!("the merged version cannot be written: {error}"));
        return Ok(());
    }
    let why = format!("resolve --{}", done.task.how.word());
    let kept = sides.keep(ctx, Side::Local, &why, std::slice::from_ref(&open.path))?;
    let place = Path::new(&kept.place).join("files").join(&open.path);
    let as_shown = digest_of(&place).is_ok_and(|digest| Some(digest) == entry.digest);
    let outcome = kept.paths.into_iter().next().map(|(_, outcome)| outcome);
    // A link fails where something has taken the place; file systems without links have to do with looking first.
    let put = || {
        std::fs::hard_link(&new, &file).is_ok() || (!file.exists() && std::fs::rename(&new, &file).is_ok())
    };
    let end = match outcome {
        Some(Outcome::Kept) if as_shown && put() => None,
        Some(Outcome::Kept) => {
            let keeper = sides.keeper(ctx, Side::Local)?;
            if keeper.unkeep(sides.root(Side::Local)?, &kept.name)? == 0 {
                keeper.forget(&kept.name)?;
            } else {
                ctx.ui.warn(&format!("the version that was here is in {}", place.display()));
            }
            Some(End::Changed)
        }
        Some(Outcome::Failed(why)) => {
            Some(End::Failed(format!("the version here cannot be moved aside: {why}")))
        }
        _ => Some(End::Changed),
    };
    let _ = std::fs::remove_file(&new);
    match end {
        Some(end) => done.end = end,
        None => {
            backups.push((Side::Local, kept.name));
            done.kept.push((Side::Local, place));
        }
    }
    Ok(())
}
