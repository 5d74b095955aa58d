//! What a person types in `--edit`: in a file of its own from the beginning, which only goes when its conflict is settled or nothing
//! was typed. So nothing that happens between the editor and the next cycle can lose it.
//!
//! `<state>/edited/<session>/<time>-<versions>/<path>`; `versions` says which two it was made of.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha1::{Digest, Sha1};

use super::merged::Refused;
use crate::commands::context::Context;
use crate::commands::paint::{harmless, tilde, utc};
use crate::commands::sides::{Sides, limits};
use crate::session::conflicts::Open;
use crate::state::make_private_dir;
use crate::tools::mutagen::Side;

/// A text that a person makes out of two versions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The path of its conflict.
    path: PathBuf,
    /// A directory of its own.
    dir: PathBuf,
    /// The text as it was when nothing had been typed.
    merge: Vec<u8>,
}

impl Attempt {
    /// Begins one; attempts of the session that are older than backups may be are removed.
    ///
    /// # Errors
    /// The state directory cannot be written in.
    pub(super) fn begin(ctx: &Context, sides: &Sides, open: &Open, now: u64, merge: Vec<u8>) -> Result<Self> {
        let all = directory(ctx, sides);
        if let Ok(limits) = limits(ctx) {
            remove_before(&all, &stamp(now.saturating_sub(limits.days * 86_400)));
        }
        Self::new(&all, &format!("{}-{}", stamp(now), versions(open)), &open.path, merge)
    }

    fn new(all: &Path, name: &str, path: &Path, merge: Vec<u8>) -> Result<Self> {
        make_private_dir(all)?;
        let private = |recursive| {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(recursive).mode(0o700);
            builder
        };
        let dir = (0..)
            .map(|n| all.join(if n == 0 { name.to_owned() } else { format!("{name}-{n}") }))
            .find_map(|dir| match private(false).create(&dir) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
                made => Some(made.map(|()| dir)),
            })
            .context("too many names")?
            .with_context(|| format!("cannot make a directory in `{}`", all.display()))?;
        let attempt = Self { path: path.to_owned(), dir, merge };
        let written = private(true).create(attempt.workplace()).and_then(|()| {
            let mut options = std::fs::OpenOptions::new();
            options.create_new(true).write(true).mode(0o600).open(attempt.file())?.write_all(&attempt.merge)
        });
        if let Err(error) = written {
            attempt.remove();
            return Err(error).context("cannot write the file to edit");
        }
        Ok(attempt)
    }

    /// The last attempt at this path.
    pub(super) fn last(ctx: &Context, sides: &Sides, open: &Open, merge: &[u8]) -> Option<Self> {
        Self::last_in(&directory(ctx, sides), &open.path, merge)
    }

    fn last_in(all: &Path, path: &Path, merge: &[u8]) -> Option<Self> {
        let entries = std::fs::read_dir(all).ok()?.flatten().map(|entry| entry.path());
        let dir = entries.filter(|dir| dir.join(path).is_file()).max()?;
        Some(Self { path: path.to_owned(), dir, merge: merge.to_vec() })
    }

    /// Was it made of the two versions of this conflict, and not of others?
    pub(super) fn is_of(&self, open: &Open) -> bool {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        name.split('-').nth(2) == Some(versions(open).as_str())
    }

    /// The text.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join(&self.path)
    }

    /// The directory of the text, in which nothing else is at first.
    pub(super) fn workplace(&self) -> PathBuf {
        self.file().parent().map_or_else(|| self.dir.clone(), Path::to_owned)
    }

    /// Has the person typed something? What cannot be read may be something.
    fn is_changed(&self) -> bool {
        match std::fs::read(self.file()) {
            Ok(text) => text != self.merge,
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Where it is, for a person.
    pub(super) fn place(&self, ctx: &Context) -> String {
        tilde(&self.file(), ctx.environment.home())
    }

    fn tell(&self, ctx: &Context) {
        let path = harmless(&self.path.to_string_lossy());
        ctx.ui.warn(&format!("what you typed for {path} is kept in {}", self.place(ctx)));
    }

    fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.dir);
        // The session's own goes with the last one.
        let _ = self.dir.parent().map(std::fs::remove_dir);
    }
}

/// The attempts of this run whose conflicts are not settled yet.
#[derive(Debug, Default)]
pub(super) struct Typed(Vec<Attempt>);

impl Typed {
    /// Notes what came of an editor: a text that cannot be taken is told at once, one that can be when it is not settled.
    pub(super) fn add(&mut self, ctx: &Context, attempt: Attempt, ended: &Result<Result<Vec<u8>, Refused>>) {
        match ended {
            _ if !attempt.is_changed() => attempt.remove(),
            Ok(Ok(_)) => self.0.push(attempt),
            _ => attempt.tell(ctx),
        }
    }

    /// The conflict at this path is settled: what was typed is on both sides.
    pub(super) fn settled(&mut self, path: &Path) {
        for attempt in self.0.extract_if(.., |attempt| attempt.path == path) {
            attempt.remove();
        }
    }

    /// Says where those are that did not end as settled.
    pub(super) fn tell(&mut self, ctx: &Context) {
        self.0.drain(..).for_each(|attempt| attempt.tell(ctx));
    }
}

/// Where the attempts of a session are.
fn directory(ctx: &Context, sides: &Sides) -> PathBuf {
    ctx.store.directory().join("edited").join(&sides.record.id)
}

/// A time as names have it, which sort by it.
fn stamp(seconds: u64) -> String {
    utc(seconds).replace(['-', ':'], "").replace(' ', "-")
}

/// Both versions of a conflict, in a few letters.
fn versions(open: &Open) -> String {
    let digest = |side| open.at(side).and_then(|entry| entry.digest.as_deref()).unwrap_or_default();
    let both = format!("{} {}", digest(Side::Local), digest(Side::Remote));
    hex::encode(&Sha1::digest(both)[..6])
}

/// Removes the attempts from before this time.
fn remove_before(all: &Path, stamp: &str) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().as_ref() < stamp {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn begin(all: &Path, name: &str, path: &str) -> Attempt {
        Attempt::new(all, name, Path::new(path), b"merged".to_vec()).unwrap()
    }

    #[test]
    fn what_was_typed_is_found_again_and_what_was_not_goes() {
        let state = tempfile::tempdir().unwrap();
        let all = state.path().join("edited/id");
        let path = "d/new\nline";
        let first = begin(&all, "20261128-193448-aa", path);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&all), mode(&first.dir), mode(&first.file())), (0o700, 0o700, 0o600));
        assert_eq!(mode(&first.workplace()), 0o700);
        assert!(!first.is_changed());
        // At the same second, of files with the same content.
        let second = begin(&all, "20261128-193448-aa", "other");
        assert_ne!(first.dir, second.dir);
        std::fs::write(first.file(), "typed").unwrap();
        assert!(first.is_changed());
        let later = begin(&all, "20261128-193500-bb", path);
        assert_eq!(Attempt::last_in(&all, Path::new(path), b"merged").unwrap(), later);
        later.remove();
        assert_eq!(Attempt::last_in(&all, Path::new(path), b"merged").unwrap(), first);
        assert_eq!(Attempt::last_in(&all, Path::new("d"), b""), None);
        remove_before(&all, "20261128-193448");
        assert!(first.is_changed());
        remove_before(&all, "20261128-193449");
        assert!(!first.dir.exists());
        begin(&all, "20261128-193600-cc", path).remove();
        assert!(!all.exists(), "nothing is left behind");
    }

    #[test]
    fn stamps_sort_by_time() {
        assert_eq!(stamp(1_795_457_685), "20261123-181445");
    }
}
