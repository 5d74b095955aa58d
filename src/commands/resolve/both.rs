//! `--both`: the host's version gets a name of its own, on its own side, and nothing is overwritten.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::apply::{Done, End};
use super::unfinished;
use crate::commands::context::Context;
use crate::commands::now;
use crate::commands::paint::utc;
use crate::commands::sides::Sides;
use crate::tools::mutagen::Side;

/// Renames the host's version.
///
/// # Errors
/// The host was not reached.
pub(super) fn beside(ctx: &Context, sides: &Sides, done: &mut Done) -> Result<()> {
    let path = &done.task.open.path;
    if done.task.open.at(Side::Remote).is_none() || done.task.open.at(Side::Local).is_none() {
        done.end =
            End::Failed("only one side has a version that is synced: take that or the other".to_owned());
        return Ok(());
    }
    let name = other_name(path, "remote", &utc(now()));
    unfinished::note_beside(ctx, &sides.record, path, &name)?;
    let keeper = sides.keeper(ctx, Side::Remote)?;
    match keeper.rename(sides.root(Side::Remote)?, path, &name) {
        Ok(()) => done.copy = Some(name),
        Err(error) if error.is::<crate::remote::RemoteError>() => return Err(error),
        Err(error) => done.end = End::Failed(error.to_string()),
    }
    Ok(())
}

/// `main.rs` as `main.remote-20261123-181445.rs`; `.env` as `.env.remote-…`.
pub(super) fn other_name(path: &Path, side: &str, utc: &str) -> PathBuf {
    let digits: String = utc.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    let mut name = path.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!(".{side}-{day}-{time}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_extension() {
        for (path, name) in [
            ("src/main.rs", "src/main.remote-20261123-181445.rs"),
            (".env", ".env.remote-20261123-181445"),
            ("a b", "a b.remote-20261123-181445"),
            ("x.tar.gz", "x.tar.remote-20261123-181445.gz"),
            ("new\nline.é", "new\nline.remote-20261123-181445.é"),
        ] {
            assert_eq!(other_name(Path::new(path), "remote", "2026-11-23 18:14:45"), Path::new(name));
        }
    }
}
