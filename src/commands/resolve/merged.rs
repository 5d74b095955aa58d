//! `--merge` and `--edit`: one text out of both versions.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha1::{Digest, Sha1};

use super::apply::{Done, End};
use super::base;
use super::unfinished;
use crate::commands::context::Context;
use crate::commands::now;
use crate::commands::paint::{harmless, utc};
use crate::commands::sides::Sides;
use crate::listing::{Kind as EntryKind, digest_of, remote_contents};
use crate::process::Cmd;
use crate::session::conflicts::Open;
use crate::state::make_private_dir;
use crate::tools::mutagen::Side;
use crate::ui::plural;

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
            let places = plural(places as u64, "place", "places");
            Err(format!("both sides changed the same lines in {places}: `--edit` opens them"))
        }
        Err(refused) => Err(refused),
    })
}

/// Swaps the text with the version here, at once, so that there is always one of them in its place; what was there goes into
/// a backup. Then the host's loses as with `--local`.
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
    let keeper = sides.keeper(ctx, Side::Local)?;
    let why = format!("resolve --{}", done.task.how.word());
    let (kept, aside) = keeper.begin(sides.root(Side::Local)?, &why, now(), &utc(now()), &open.path)?;
    unfinished::note_backup(ctx, &sides.record, Side::Local, &kept.name)?;
    let aside = file.with_file_name(aside);
    let as_shown = || digest_of(&aside).is_ok_and(|digest| Some(digest) == entry.digest);
    let swapped = match write(&aside, text, entry.mode) {
        Ok(()) => swap(&file, &aside, text, as_shown)?,
        Err(error) => Swapped::Failed(error),
    };
    done.end = match swapped {
        Swapped::Failed(error) => End::Failed(format!("the new version cannot be put in its place: {error}")),
        Swapped::Back => End::Changed,
        Swapped::Done | Swapped::Saved => {
            keeper.recover()?;
            let place = Path::new(&kept.place).join("files").join(&open.path);
            // One of those that are stuck: the disk is full, or the rights are missing.
            if place.symlink_metadata().is_err() {
                let aside = sides.shown(ctx, Side::Local, &aside);
                done.end = End::Failed(format!(
                    "the version here could not be put into its backup: it is in {aside}, the new text is in its place, and the next `sinc resolve` tries again"
                ));
                return Ok(());
            }
            if matches!(swapped, Swapped::Done) {
                done.kept.push((Side::Local, place));
                backups.push((Side::Local, kept.name));
            } else {
                let (path, place) = (open.path.to_string_lossy(), sides.shown(ctx, Side::Local, &place));
                ctx.ui.warn(&format!(
                    "{} was saved twice at this moment: the last one is in its place, the one before is kept in {place}",
                    harmless(&path)
                ));
                done.end = End::Changed;
            }
            return Ok(());
        }
    };
    // What is aside is our own text.
    let _ = std::fs::remove_file(&aside);
    keeper.forget(&kept.name)?;
    Ok(())
}

/// What became of a swap.
#[derive(Debug)]
enum Swapped {
    /// It was not made.
    Failed(std::io::Error),
    /// The text is in its place, and what was there, as it was shown, aside.
    Done,
    /// What was there was not as shown: it is there again, and the text aside.
    Back,
    /// The same, but meanwhile another version was saved in the place of the text. The later one is in its place, the other aside.
    Saved,
}

/// Swaps the text aside with the file, and back where what comes aside is not as it was shown.
///
/// # Errors
/// The version here is beside its place.
fn swap(file: &Path, aside: &Path, text: &[u8], as_shown: impl FnOnce() -> bool) -> Result<Swapped> {
    let exchange = || renameat_with(CWD, aside, CWD, file, RenameFlags::EXCHANGE);
    let back = || exchange().context("cannot put the version here back: it is beside its place");
    if let Err(error) = exchange() {
        return Ok(Swapped::Failed(error.into()));
    }
    if as_shown() {
        return Ok(Swapped::Done);
    }
    back()?;
    if digest_of(aside).is_ok_and(|digest| digest == hex::encode(Sha1::digest(text))) {
        return Ok(Swapped::Back);
    }
    back()?;
    Ok(Swapped::Saved)
}

fn write(file: &Path, text: &[u8], mode: u32) -> std::io::Result<()> {
    let mut out =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)?;
    out.write_all(text)?;
    out.set_permissions(std::fs::Permissions::from_mode(mode))?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_saved_around_the_swap_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (file, aside) = (dir.path().join("file"), dir.path().join("aside"));
        let begin = || {
            std::fs::write(&file, "mine").unwrap();
            std::fs::write(&aside, "merged").unwrap();
        };
        let both = || [&file, &aside].map(|path| std::fs::read_to_string(path).unwrap());
        begin();
        assert!(matches!(swap(&file, &aside, b"merged", || true).unwrap(), Swapped::Done));
        assert_eq!(both(), ["merged", "mine"]);
        begin();
        assert!(matches!(swap(&file, &aside, b"merged", || false).unwrap(), Swapped::Back));
        assert_eq!(both(), ["mine", "merged"]);
        begin();
        let save = || {
            // As editors do.
            std::fs::write(dir.path().join("new"), "saved").unwrap();
            std::fs::rename(dir.path().join("new"), &file).unwrap();
            false
        };
        assert!(matches!(swap(&file, &aside, b"merged", save).unwrap(), Swapped::Saved));
        assert_eq!(both(), ["saved", "mine"]);
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(swap(&file, &aside, b"merged", || true).unwrap(), Swapped::Failed(_)));
    }
}
