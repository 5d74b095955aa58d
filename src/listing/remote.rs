//! What is in a directory of the host, by two constant scripts that only read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::encoded::encode;
use super::{Entry, Kind, Listing, Rights, TEMPORARY_PREFIX};
use crate::ignore::Matcher;
use crate::remote::{Remote, Reply, Script};

static LIST: Script = Script::new(include_str!("list.sh"));
static DIGESTS: Script = Script::new(include_str!("digests.sh"));
static CONTENTS: Script = Script::new(include_str!("contents.sh"));

/// The scripts of this module, for the test of all scripts.
#[must_use]
pub fn scripts() -> [(&'static str, &'static Script); 3] {
    [("list.sh", &LIST), ("digests.sh", &DIGESTS), ("contents.sh", &CONTENTS)]
}

/// How long a listing may take: a million files on a slow disk and line.
const DEADLINE: Duration = Duration::from_secs(120);

/// A record: kind, mode, size, time, path, and where a link leads as a record of its own.
const FORMAT: &str = r"%y %m %s %T@ %P\0%l\0";

/// What may not be read, and a directory that may not be written.
const UNREADABLE: &str = r"r%P\0";
const UNWRITABLE: &str = r"w%P\0";

/// How many names `find` is told to leave out: it tries each on each file, and a command line has an end.
const MOST_NAMES: usize = 50;

/// Lists everything below `root` on the host that is not certainly ignored.
///
/// # Errors
/// The host was not reached, the directory is not there, or the host has no GNU find.
pub fn list(remote: &Remote, root: &str, ignored: &Matcher) -> Result<Listing> {
    list_within(remote, root, ignored, None)
}

/// As [`list`], within a time of the caller's.
pub(super) fn list_within(
    remote: &Remote,
    root: &str,
    ignored: &Matcher,
    within: Option<Duration>,
) -> Result<Listing> {
    let mut words = but_for(root, ignored);
    words.extend(["-printf", FORMAT]);
    let answer = remote.ask("list the files on the host", &LIST, &words, Vec::new(), bounded(within))?;
    let mut listing = read(&answer.records(), ignored).with_context(|| remote.not_understood())?;
    listing.unread.extend(answer.said.lines().map(str::to_owned));
    Ok(listing)
}

fn bounded(within: Option<Duration>) -> Duration {
    within.map_or(DEADLINE, |within| within.min(DEADLINE))
}

/// The words for all that is not certainly ignored.
fn but_for<'a>(root: &'a str, ignored: &'a Matcher) -> Vec<&'a str> {
    let mut words = vec![root];
    words.extend(["(", "-name", ".mutagen-temporary-*"]);
    for (name, directory_only) in ignored.names(MOST_NAMES) {
        words.extend(["-o", "-name", name]);
        if directory_only {
            words.extend(["-type", "d"]);
        }
    }
    words.extend([")", "-prune", "-o"]);
    words
}

/// What may not be read or written below `root` on the host, of what is not certainly ignored.
///
/// # Errors
/// As [`list`].
pub(super) fn rights(
    remote: &Remote,
    root: &str,
    ignored: &Matcher,
    within: Option<Duration>,
) -> Result<Rights> {
    let mut words = but_for(root, ignored);
    words.extend(["-type", "f", "-not", "-readable", "-printf", UNREADABLE]);
    words.extend(["-o", "-type", "d", "(", "-not", "-readable", "-o", "-not", "-executable", ")"]);
    words.extend(["-printf", UNREADABLE, "-o", "-type", "d", "-not", "-writable", "-printf", UNWRITABLE]);
    let why = "look at the permissions on the host";
    let answer = remote.ask(why, &LIST, &words, Vec::new(), bounded(within))?;
    let mut records = answer.records();
    if !records.pop().is_some_and(|end| end.starts_with(b"end ")) {
        bail!("the list broke off");
    }
    let mut rights = Rights::default();
    for record in records {
        match record.split_first() {
            Some((b'r', name)) => rights.unreadable.insert(path(name)),
            Some((b'w', name)) => rights.unwritable.insert(path(name)),
            _ => bail!(remote.not_understood()),
        };
    }
    Ok(rights)
}

fn read(records: &[Vec<u8>], ignored: &Matcher) -> Result<Listing> {
    let Some((end, records)) = records.split_last() else { bail!("the list is empty") };
    if !end.starts_with(b"end ") || records.len() % 2 != 0 {
        bail!("the list broke off");
    }
    let mut listing = Listing::default();
    // What is in a directory that is left out here is left out with it.
    let mut all = BTreeMap::new();
    for pair in records.chunks_exact(2) {
        let (path, entry) = entry(&pair[0], &pair[1])?;
        all.insert(path, entry);
    }
    let mut above: Option<PathBuf> = None;
    for (path, entry) in all {
        if above.as_ref().is_some_and(|above| path.starts_with(above)) {
            continue;
        }
        let temporary =
            path.file_name().is_some_and(|name| name.as_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()));
        if temporary || ignored.covers(&path, entry.kind == Kind::Directory) {
            above = Some(path);
            continue;
        }
        listing.entries.insert(path, entry);
    }
    Ok(listing)
}

fn entry(record: &[u8], target: &[u8]) -> Result<(PathBuf, Entry)> {
    let mut parts = record.splitn(5, |&byte| byte == b' ');
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (Some(kind), Some(mode), Some(size), Some(time)) = (text(), text(), text(), text()) else {
        bail!("a record lacks something: {}", String::from_utf8_lossy(record));
    };
    let kind = match kind {
        "f" => Kind::File,
        "d" => Kind::Directory,
        "l" => Kind::Link,
        _ => Kind::Other,
    };
    let whole_seconds = time.split('.').next().unwrap_or_default();
    let entry = Entry {
        kind,
        mode: u32::from_str_radix(mode, 8).context("a mode")?,
        size: if kind == Kind::File { size.parse().context("a size")? } else { 0 },
        mtime: whole_seconds.parse().context("a time")?,
        target: (kind == Kind::Link).then(|| path(target)),
        digest: None,
    };
    let name = parts.next().context("a record without a path")?;
    Ok((path(name), entry))
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// The digests of these files below `root` on the host, all in one round trip. One that cannot be read has none.
///
/// # Errors
/// The host was not reached, the directory is not there, or the host has no `sha1sum` that will do.
pub fn digests(remote: &Remote, root: &str, paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, String>> {
    digests_within(remote, root, paths, None)
}

/// As [`digests`], within a time of the caller's.
pub(super) fn digests_within(
    remote: &Remote,
    root: &str,
    paths: &[PathBuf],
    within: Option<Duration>,
) -> Result<BTreeMap<PathBuf, String>> {
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut input = Vec::new();
    for path in paths {
        input.extend_from_slice(path.as_os_str().as_bytes());
        input.push(0);
    }
    let why = "compare files on the host";
    let answer = remote.ask(why, &DIGESTS, &[root], input, bounded(within))?;
    read_digests(&answer.records()).with_context(|| remote.not_understood())
}

fn read_digests(records: &[Vec<u8>]) -> Result<BTreeMap<PathBuf, String>> {
    let Some((end, records)) = records.split_last() else { bail!("the list is empty") };
    if end != b"end" {
        bail!("the list broke off");
    }
    let mut found = BTreeMap::new();
    for record in records {
        // Two blanks, or a blank and `*`, between them.
        let (Some(digest), Some(name)) = (record.get(..40), record.get(42..)) else {
            bail!("a digest is cut")
        };
        found.insert(path(name), String::from_utf8_lossy(digest).into_owned());
    }
    Ok(found)
}

/// The first `most` bytes of these files below `root` on the host, all in one round trip. One that cannot be read has none.
///
/// # Errors
/// The host was not reached, or the answer broke off.
pub fn contents(
    remote: &Remote,
    root: &str,
    paths: &[PathBuf],
    most: u64,
) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let input: String = paths.iter().map(|path| encode(path) + "\n").collect();
    let words = [root, &most.to_string()];
    let answer = remote.ask("read files on the host", &CONTENTS, &words, input.into_bytes(), DEADLINE)?;
    if !answer.bytes.ends_with(b"end\n") {
        bail!("the answer of the host broke off");
    }
    let mut found = BTreeMap::new();
    for (_, value) in Reply::of(&answer).lines().filter(|(key, _)| *key == "file") {
        let (number, digits) = value.split_once(' ').with_context(|| remote.not_understood())?;
        let number: usize = number.parse().with_context(|| remote.not_understood())?;
        if let Some(path) = number.checked_sub(1).and_then(|at| paths.get(at)) {
            found.insert(path.clone(), hex::decode(digits).with_context(|| remote.not_understood())?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn records(list: &[&[u8]]) -> Vec<Vec<u8>> {
        list.iter().map(|record| record.to_vec()).collect()
    }

    #[test]
    fn any_name_is_read_and_a_list_that_breaks_off_is_none() {
        let list = records(&[
            b"f 644 12 1795457685.1234 a b\nc",
            b"",
            b"l 777 3 1.0 li nk",
            b"to\nthere",
            b"f 755 1 -3.5 \xff",
            b"",
            b"d 755 4096 1.0 skip",
            b"",
            b"f 644 1 1.0 skip/x",
            b"",
            b"p 644 0 1.0 pipe",
            b"",
            b"end 0",
        ]);
        let listing = read(&list, &Matcher::new(&["skip"])).unwrap();
        let names: Vec<_> = listing.entries.keys().map(|path| path.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["a b\nc", "li nk", "pipe", "\u{fffd}"]);
        let file = &listing.entries[Path::new("a b\nc")];
        assert_eq!((file.kind, file.size, file.mode, file.mtime), (Kind::File, 12, 0o644, 1_795_457_685));
        assert_eq!(listing.entries[Path::new("li nk")].target.as_deref(), Some(Path::new("to\nthere")));
        assert_eq!(listing.entries[Path::new("pipe")].kind, Kind::Other);
        assert!(read(&list[..list.len() - 1], &Matcher::default()).is_err());
        assert!(read(&[], &Matcher::default()).is_err());
    }

    #[test]
    fn digests_of_any_name() {
        let sum = "51c6c1a9b1f1c1e9a3d4b5c6d7e8f90a1b2c3d4e";
        let list = records(&[format!("{sum}  a\nb").as_bytes(), format!("{sum} *-x").as_bytes(), b"end"]);
        let found = read_digests(&list).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [Path::new("-x"), Path::new("a\nb")]);
        assert!(read_digests(&list[..2]).is_err() && read_digests(&records(&[b"abc", b"end"])).is_err());
    }
}
