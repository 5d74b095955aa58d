//! Saves that git on the other side has written over: they are made reachable (`sinc git lost`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::SAVES;
use super::local::Local;
use super::recent::Save;
use super::state::Oid;
use crate::remote::{Answer, Reply, Script};

/// Larger files are not kept, bytes.
pub const LARGEST: u64 = 8 * 1024 * 1024;

/// So many files are asked about at once: a question is one line.
const AT_ONCE: usize = 200;

/// Asks the host.
pub type Ask<'a> = &'a dyn Fn(&Script, &[String]) -> Result<Vec<u8>>;

/// What a file here holds. Nothing of one that cannot be read, is too large or is no file.
#[must_use]
pub fn read(path: &Path) -> Option<Vec<u8>> {
    let found = path.symlink_metadata().ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    std::fs::read(path).ok()
}

/// Makes those of these saves reachable that no name leads to on either side. Gives the paths of those in whose place is what git
/// has, or nothing: a person is told of them. In the place of the others is what somebody else has written since; an agent's `git status`
/// works in `.git` as well, and writes over nothing.
///
/// # Errors
/// Git fails.
pub fn keep(local: &Local, ask: Ask<'_>, saves: &[Save]) -> Result<Vec<PathBuf>> {
    let saves: Vec<&Save> = saves.iter().filter(|save| plain(&save.0)).collect();
    if saves.is_empty() {
        return Ok(Vec::new());
    }
    // One after the other: of the threads that are at this none takes away what another has put there, or moves the name under it.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Below `.git`: on the same disk, and nobody else reads it.
    let place = format!(".git/sinc/k.{}", std::process::id());
    let dir = local.project().join(&place);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).context("cannot keep what was saved")?;
    let kept = keep_from(local, ask, &saves, (&dir, &place));
    let _ = std::fs::remove_dir_all(&dir);
    kept
}

fn keep_from(
    local: &Local,
    ask: Ask<'_>,
    saves: &[&Save],
    (dir, place): (&Path, &str),
) -> Result<Vec<PathBuf>> {
    let mut files = String::new();
    for (number, (_, bytes)) in saves.iter().enumerate() {
        let file = dir.join(number.to_string());
        std::fs::write(&file, bytes).context("cannot keep what was saved")?;
        files.push_str(&format!("{place}/{number}\n"));
    }
    // As they are: no filter is run.
    let hash = |more: &[&str]| {
        let cmd = local.git("keep what was saved").args(["hash-object", "--no-filters", "--stdin-paths"]);
        local.read(&cmd.args(more).stdin(files.clone()))
    };
    let oids = hash(&[])?;
    let oids: Vec<Oid> = oids.lines().filter_map(Oid::parse).collect();
    if oids.len() != saves.len() {
        anyhow::bail!("git hash-object did not name all that was saved");
    }
    let named: Vec<(&str, &Oid)> =
        saves.iter().zip(&oids).filter_map(|((path, _), oid)| Some((path.to_str()?, oid))).collect();
    let led = local.led(&named.iter().map(|(path, _)| *path).collect())?;
    let missing_here: BTreeSet<(&str, &Oid)> =
        named.iter().copied().filter(|(_, oid)| !led.contains(oid)).collect();
    // One that cannot be asked has nothing.
    let missing = missing_there(ask, &missing_here)
        .unwrap_or_else(|_| missing_here.iter().map(|(_, oid)| (*oid).clone()).collect());
    let lost: Vec<(&Path, &Oid)> = named
        .into_iter()
        .filter(|(_, oid)| missing.contains(oid))
        .map(|(path, oid)| (Path::new(path), oid))
        .collect();
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    hash(&["-w"])?;
    let others = by_others(local, &lost)?;
    let (others, gits): (Vec<_>, Vec<_>) = lost.into_iter().partition(|(path, _)| others.contains(path));
    name(local, &dir.join("index"), &gits, "git wrote over")?;
    name(local, &dir.join("index"), &others, "was replaced while git worked")?;
    Ok(gits.iter().map(|(path, _)| path.to_path_buf()).collect())
}

/// Those in whose place is something that git here does not have.
fn by_others<'a>(local: &Local, lost: &[(&'a Path, &Oid)]) -> Result<BTreeSet<&'a Path>> {
    let files: Vec<&Path> =
        lost.iter().map(|(path, _)| *path).filter(|path| local.project().join(path).is_file()).collect();
    if files.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    let cmd = local.git("look at what took the place of a save");
    let said = local.read(&cmd.args(["hash-object", "--no-filters", "--stdin-paths"]).stdin(names))?;
    let oids: Vec<Oid> = said.lines().filter_map(Oid::parse).collect();
    let known = local.known(&oids.iter().collect())?;
    Ok(files.into_iter().zip(&oids).filter(|(_, oid)| !known.contains(*oid)).map(|(path, _)| path).collect())
}

/// Those of these that no name on the host leads to.
fn missing_there(ask: Ask<'_>, named: &BTreeSet<(&str, &Oid)>) -> Result<BTreeSet<Oid>> {
    let mut missing = BTreeSet::new();
    for some in named.iter().collect::<Vec<_>>().chunks(AT_ONCE) {
        let words: Vec<String> = std::iter::once("look".to_owned())
            .chain(some.iter().map(|(path, oid)| format!("{oid} {path}")))
            .collect();
        missing.extend(answers(&ask(&SAVES, &words)?, "missing")?.iter().filter_map(|line| Oid::parse(line)));
    }
    Ok(missing)
}

/// A commit of these files, which the reflog of `refs/sinc/keep` has, with what became of the saves.
fn name(local: &Local, index: &Path, lost: &[(&Path, &Oid)], what: &str) -> Result<()> {
    let with = |words: &[&str]| local.git("keep what was saved").env("GIT_INDEX_FILE", index).args(words);
    // Two saves of one file are two commits.
    let mut left: Vec<(&Path, &Oid)> = lost.to_vec();
    while !left.is_empty() {
        let _ = std::fs::remove_file(index);
        let (mut seen, mut lines, mut again) = (BTreeSet::new(), Vec::new(), Vec::new());
        for (path, oid) in left {
            if !seen.insert(path) {
                again.push((path, oid));
                continue;
            }
            lines.extend_from_slice(format!("100644 {oid}\t{}", path.to_string_lossy()).as_bytes());
            lines.push(0);
        }
        local.runner().answer(&with(&["update-index", "-z", "--add", "--index-info"]).stdin(lines))?;
        let tree = local.read(&with(&["write-tree"]))?;
        let commit = local.wrap(&Oid::parse(&tree).context("git write-tree gave no id")?, None)?;
        let names: Vec<_> = seen.iter().take(3).map(|path| path.to_string_lossy()).collect();
        let more = if seen.len() > names.len() { " and more" } else { "" };
        let why = format!("a save that {what}: {}{more}", names.join(", "));
        let note = |message: &str, oid: &str| {
            let words = ["update-ref", "--create-reflog", "-m", message, "refs/sinc/keep", oid];
            local.runner().answer(&local.git("keep what was saved").args(words))
        };
        note(&why, commit.as_str())?;
        // That the reflog has it is enough.
        let _ = note("-", "HEAD");
        left = again;
    }
    Ok(())
}

/// Has git on the host keep what is in these files there, as objects. Gives each with what it holds, as [`check_there`] wants it.
///
/// # Errors
/// The host cannot be asked.
pub fn keep_there(ask: Ask<'_>, paths: &[PathBuf]) -> Result<Vec<String>> {
    let paths: Vec<&str> = paths.iter().filter(|path| plain(path)).filter_map(|path| path.to_str()).collect();
    let mut kept = Vec::new();
    for some in paths.chunks(AT_ONCE) {
        let words: Vec<String> =
            std::iter::once("keep").chain(some.iter().copied()).map(str::to_owned).collect();
        kept.extend(answers(&ask(&SAVES, &words)?, "kept")?);
    }
    Ok(kept)
}

/// Makes those reachable on the host whose file there holds another thing now. Gives their paths.
///
/// # Errors
/// The host cannot be asked.
pub fn check_there(ask: Ask<'_>, kept: &[String]) -> Result<Vec<PathBuf>> {
    let mut lost = Vec::new();
    for some in kept.chunks(AT_ONCE) {
        let words: Vec<String> = std::iter::once("check".to_owned()).chain(some.iter().cloned()).collect();
        lost.extend(answers(&ask(&SAVES, &words)?, "lost")?.into_iter().map(PathBuf::from));
    }
    Ok(lost)
}

fn answers(bytes: &[u8], key: &str) -> Result<Vec<String>> {
    let answer = Answer { bytes: bytes.to_vec(), ..Answer::default() };
    let reply = Reply::of(&answer);
    reply.get("end").context("the host's answer broke off")?;
    Ok(reply.all(key).map(str::to_owned).collect())
}

/// Can the path be told in a line?
fn plain(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.is_empty() && !text.contains(['\n', '\r', '"']))
}
