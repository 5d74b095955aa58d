//! What was saved here while git on the host rewrote the files there. Git there looks at a file, then writes it; a save that comes
//! over in between is gone there, and the next cycle takes what git wrote for the newer one. So the bytes are kept here first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::local::Local;
use super::state::Oid;

/// A save: the file below the project, and its bytes as git has them.
pub type Save = (PathBuf, Oid);

/// Larger files are not kept, bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Puts what these files hold now into git's store. One that cannot be read, is too large or is no file is left out.
///
/// # Errors
/// Git fails.
pub fn keep(local: &Local, paths: &[PathBuf]) -> Result<Vec<Save>> {
    hash(local, paths, true)
}

/// Those of the saves whose file holds something else now, or is gone: they are made reachable (`sinc git lost`).
///
/// # Errors
/// Git fails.
pub fn overwritten(local: &Local, saves: &[Save]) -> Result<Vec<Save>> {
    let paths: Vec<PathBuf> = saves.iter().map(|(path, _)| path.clone()).collect();
    let now = hash(local, &paths, false)?;
    let other: Vec<Save> = saves.iter().filter(|save| !now.contains(save)).cloned().collect();
    if other.is_empty() {
        return Ok(other);
    }
    let index = format!(".git/sinc/k.{}", std::process::id());
    let _ = std::fs::remove_file(local.project().join(&index));
    let with = |why: &str, words: &[&str]| local.git(why).env("GIT_INDEX_FILE", &index).args(words);
    let mut lines = Vec::new();
    for (path, oid) in &other {
        lines.extend_from_slice(format!("100644 {oid}\t").as_bytes());
        lines.extend_from_slice(path.to_string_lossy().as_bytes());
        lines.push(0);
    }
    let add = with("keep what was saved", &["update-index", "-z", "--add", "--index-info"]).stdin(lines);
    local.runner().answer(&add)?;
    let tree = local.read(&with("keep what was saved", &["write-tree"]))?;
    let _ = std::fs::remove_file(local.project().join(&index));
    let commit = local.wrap(&Oid::parse(&tree).context("git write-tree gave no id")?, None)?;
    let names: Vec<_> = other.iter().take(3).map(|(path, _)| path.to_string_lossy().into_owned()).collect();
    let more = if other.len() > names.len() { " and more" } else { "" };
    let why = format!("saved while git worked on the host: {}{more}", names.join(", "));
    let note = |message: &str, oid: &str| {
        let words = ["update-ref", "--create-reflog", "-m", message, "refs/sinc/keep", oid];
        local.runner().answer(&local.git("keep what was saved").args(words))
    };
    note(&why, commit.as_str())?;
    // That the reflog has it is enough.
    let _ = note("-", "HEAD");
    Ok(other)
}

fn hash(local: &Local, paths: &[PathBuf], write: bool) -> Result<Vec<Save>> {
    let fits = |path: &&PathBuf| {
        let found = local.project().join(path).symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() <= LARGEST) && plain(path)
    };
    let paths: Vec<&PathBuf> = paths.iter().filter(fits).collect();
    let mut saves = Vec::new();
    if paths.is_empty() {
        return Ok(saves);
    }
    let input: String = paths.iter().map(|path| format!("{}\n", path.to_string_lossy())).collect();
    // As they are: no filter is run.
    let mut cmd = local.git("keep what was saved").args(["hash-object", "--no-filters", "--stdin-paths"]);
    if write {
        cmd = cmd.arg("-w");
    }
    // It stops at one that has gone meanwhile: those before it count.
    let output = local.runner().answer(&cmd.stdin(input).answers(&[0, 128]))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    saves.extend(paths.into_iter().cloned().zip(said.lines().filter_map(Oid::parse)));
    Ok(saves)
}

/// Can the path be told in a line?
fn plain(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains(['\n', '\r', '"']))
}
