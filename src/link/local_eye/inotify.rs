//! The eye on Linux.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;

use super::{Root, Seen, Told, walk_one};
use crate::git::watch::{Sign, sign};
use crate::state::is_question;

pub(super) enum End {
    /// It was told to end.
    Told,
    /// Not everything can be watched.
    Cannot(String),
}

/// How often it is looked whether each root is still the directory that is watched: one that is mounted over it, or
/// deleted while somebody is in it, raises no event.
const IN_PLACE: Duration = Duration::from_secs(2);

/// Which directory a path leads to, if it leads to one.
type Which = Option<(u64, u64)>;

fn which(path: &Path) -> Which {
    path.metadata().ok().filter(std::fs::Metadata::is_dir).map(|found| (found.dev(), found.ino()))
}

struct Watches<'a> {
    fd: OwnedFd,
    roots: &'a [Root],
    /// The directories that are watched as the roots.
    watched: Vec<Which>,
    /// The root's number and the directory of each watch.
    known: HashMap<i32, (usize, PathBuf)>,
    /// The same for what git keeps.
    git: HashMap<i32, (usize, PathBuf)>,
    /// Does git work on the files of the root?
    locked: Vec<bool>,
    /// Cookies of files that left a name which the sync does not use.
    left: Vec<u32>,
}

impl Watches<'_> {
    /// Watches a directory and what lies below it. Gives the files there, below the root.
    fn add(&mut self, index: usize, top: &Path) -> Result<Vec<PathBuf>, String> {
        let mut files = Vec::new();
        let root = &self.roots[index];
        let mut dirs = vec![top.to_owned()];
        while let Some(dir) = dirs.pop() {
            let mut flags = WatchFlags::CREATE
                | WatchFlags::MODIFY
                | WatchFlags::ATTRIB
                | WatchFlags::MOVE
                | WatchFlags::DELETE
                | WatchFlags::ONLYDIR
                | WatchFlags::DONT_FOLLOW;
            if dir == root.path {
                // The person may have put a link in its place.
                flags = flags.difference(WatchFlags::DONT_FOLLOW)
                    | WatchFlags::MOVE_SELF
                    | WatchFlags::DELETE_SELF;
            }
            match add_watch(&self.fd, &dir, flags) {
                Ok(watch) => drop(self.known.insert(watch, (index, dir.clone()))),
                Err(Errno::NOSPC) => {
                    return Err("this computer allows too few watches: raise them with `sysctl \
                                fs.inotify.max_user_watches=524288`"
                        .to_owned());
                }
                // It has gone again, or may not be read: Mutagen says so.
                Err(_) => continue,
            }
            walk_one(root, &dir, &mut dirs, &mut |entry| {
                if root.git && entry.kind.is_file() {
                    files.push(entry.below.to_owned());
                }
            });
        }
        Ok(files)
    }
}

impl Watches<'_> {
    /// Watches what git keeps: its directory without what lies below, and its names with it. Too few watches are no reason
    /// to watch nothing at all: then the sync's own cycles tell.
    fn add_git(&mut self, index: usize) {
        let root = &self.roots[index];
        let git = root.path.join(".git");
        if !root.git || !git.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return;
        }
        self.add_one(index, git.clone());
        self.add_one(index, git.join("logs/refs"));
        self.add_names(index, git.join("refs"));
    }

    fn add_names(&mut self, index: usize, top: PathBuf) {
        let mut dirs = vec![top];
        while let Some(dir) = dirs.pop() {
            let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            dirs.extend(below.filter(|entry| entry.file_name() != "sinc").map(|entry| entry.path()));
            self.add_one(index, dir);
        }
    }

    fn add_one(&mut self, index: usize, dir: PathBuf) {
        let flags = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        if let Ok(watch) = add_watch(&self.fd, &dir, flags) {
            self.git.insert(watch, (index, dir));
        }
    }

    /// Takes an event in what git keeps. Does it mean something: a move, or only a lock, and whether that is there now?
    fn note_git(&mut self, event: &Event) -> Option<(usize, Option<bool>)> {
        let (index, dir) = self.git.get(&event.watch)?.clone();
        if event.kind.contains(ReadFlags::IGNORED) {
            self.git.remove(&event.watch);
            return None;
        }
        let path = dir.join(OsStr::from_bytes(&event.name));
        let git = self.roots[index].path.join(".git");
        let below = path.strip_prefix(&git).ok()?.to_str()?.to_owned();
        if event.kind.contains(ReadFlags::ISDIR)
            && event.kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO)
        {
            if below == "logs" || below == "logs/refs" {
                self.add_one(index, git.join("logs/refs"));
            } else if below.starts_with("refs") {
                self.add_names(index, path);
            }
        }
        if sign(&below)? == Sign::Moved {
            return Some((index, None));
        }
        let made = event.kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        let gone = event.kind.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        (made || gone).then_some((index, Some(made)))
    }
}

impl Watches<'_> {
    /// Watches anew each root that is not the directory any more that it was. What was in it may be gone.
    fn see_to_roots(&mut self, seen: &mut [Seen]) -> Result<(), String> {
        for (index, seen) in seen.iter_mut().enumerate() {
            let path = self.roots[index].path.clone();
            let now = which(&path);
            if now == self.watched[index] {
                continue;
            }
            let gone = |(watch, (of, _)): (&i32, &(usize, PathBuf))| (*of == index).then_some(*watch);
            for watch in self.known.iter().chain(&self.git).filter_map(gone) {
                // Most went with the directory.
                let _ = remove_watch(&self.fd, watch);
            }
            self.known.retain(|_, (of, _)| *of != index);
            self.git.retain(|_, (of, _)| *of != index);
            self.watched[index] = now;
            seen.add(Seen { changes: 1, unclear: true, ..Seen::default() });
            if now.is_some() {
                self.add(index, &path)?;
                self.add_git(index);
            }
        }
        Ok(())
    }
}

pub(super) fn watch(roots: &[Root], beside: &Path, ended: &UnixStream, tell: &impl Fn(Told)) -> End {
    let fd = match init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
        Ok(fd) => fd,
        Err(Errno::MFILE) => {
            return End::Cannot(
                "this computer allows too few inotify instances: raise them with `sysctl \
                 fs.inotify.max_user_instances=512`"
                    .to_owned(),
            );
        }
        Err(error) => return End::Cannot(format!("inotify cannot be had: {error}")),
    };
    let watched = roots.iter().map(|root| which(&root.path)).collect();
    let mut watches = Watches {
        fd,
        roots,
        watched,
        known: HashMap::new(),
        git: HashMap::new(),
        locked: vec![false; roots.len()],
        left: Vec::new(),
    };
    let flags = WatchFlags::MOVED_TO | WatchFlags::DELETE | WatchFlags::ONLYDIR;
    let beside = add_watch(&watches.fd, beside, flags).unwrap_or(-1);
    for (index, root) in roots.iter().enumerate() {
        if let Err(why) = watches.add(index, &root.path) {
            return End::Cannot(why);
        }
        watches.add_git(index);
    }
    tell(Told::Ready(None));
    let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
    let mut looked = Instant::now();
    loop {
        let mut fds = [PollFd::new(&watches.fd, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        let wait = IN_PLACE.saturating_sub(looked.elapsed());
        let wait = Timespec { tv_sec: wait.as_secs().cast_signed(), tv_nsec: wait.subsec_nanos().into() };
        match poll(&mut fds, Some(&wait)) {
            Err(Errno::INTR) => continue,
            Err(error) => return End::Cannot(error.to_string()),
            Ok(_) if !fds[1].revents().is_empty() => return End::Told,
            Ok(_) => {}
        }
        let events = match read(&watches.fd, &mut buffer) {
            Ok(events) => events,
            Err(error) => return End::Cannot(error.to_string()),
        };
        let mut batch = Batch {
            seen: vec![Seen::default(); roots.len()],
            git: vec![None; roots.len()],
            files: vec![Files::default(); roots.len()],
            taken: Vec::new(),
        };
        // Both halves of a move come one right after the other.
        let old = watches.left.len().saturating_sub(MOST_LEFT);
        watches.left.drain(..old);
        let mut asked = Vec::new();
        for event in events {
            if event.watch == beside {
                let name = OsStr::from_bytes(&event.name);
                if !is_question(name) {
                    tell(Told::Beside);
                } else if event.kind.contains(ReadFlags::MOVED_TO) {
                    asked.push(name.to_owned());
                }
                continue;
            }
            if watches.git.contains_key(&event.watch) {
                if let Some((index, lock)) = watches.note_git(&event) {
                    batch.git[index] = Some(lock.is_none() || batch.git[index] == Some(true));
                    if let Some(is_there) = lock.filter(|is_there| *is_there != watches.locked[index]) {
                        watches.locked[index] = is_there;
                        batch.files[index].locks.push(is_there);
                    }
                }
                continue;
            }
            if let Err(why) = note(&mut watches, &event, &mut batch) {
                return End::Cannot(why);
            }
        }
        for (_, index) in batch.taken.drain(..) {
            batch.seen[index].taken = true;
        }
        if looked.elapsed() >= IN_PLACE
            || watches.watched.contains(&None)
            || batch.seen.iter().any(|seen| seen.uprooted)
        {
            looked = Instant::now();
            if let Err(why) = watches.see_to_roots(&mut batch.seen) {
                return End::Cannot(why);
            }
        }
        // First: the others may make somebody look at what was saved.
        for (index, files) in batch.files.into_iter().enumerate() {
            if !files.saved.is_empty() {
                tell(Told::Saved(index, files.saved));
            }
            if !files.git.is_empty() {
                tell(Told::GitWrote(index, files.git));
            }
            for is_there in files.locks {
                tell(Told::Lock(index, is_there));
            }
        }
        for (index, moved) in batch.git.into_iter().enumerate() {
            if let Some(moved) = moved {
                tell(Told::Git(index, moved));
            }
        }
        for (index, seen) in batch.seen.into_iter().enumerate().filter(|(_, seen)| seen.changes > 0) {
            tell(Told::Seen(index, seen));
        }
        for name in asked {
            tell(Told::Asked(name));
        }
    }
}

/// What the events of a moment mean.
struct Batch {
    seen: Vec<Seen>,
    git: Vec<Option<bool>>,
    files: Vec<Files>,
    /// Directories that were moved away, and have not come anywhere: the cookie, and the session's number.
    taken: Vec<(u32, usize)>,
}

/// What was written.
#[derive(Clone, Default)]
struct Files {
    saved: Vec<(PathBuf, bool)>,
    git: Vec<PathBuf>,
    locks: Vec<bool>,
}

impl Files {
    /// A file was written; from a place that is not watched?
    fn saved(&mut self, path: &Path, from_elsewhere: bool) {
        if self.saved.last().is_none_or(|(last, _)| last != path) {
            self.saved.push((path.to_owned(), from_elsewhere));
        }
    }

    /// By git, or while it works.
    fn git(&mut self, path: &Path) {
        if self.git.last().is_none_or(|last| last != path) {
            self.git.push(path.to_owned());
        }
    }
}

/// So many cookies are remembered from one moment to the next.
const MOST_LEFT: usize = 16;

/// Under such names Mutagen writes before it renames.
const TEMPORARY: &[u8] = b".mutagen-temporary-";

struct Event {
    watch: i32,
    cookie: u32,
    kind: ReadFlags,
    name: Vec<u8>,
}

fn read(fd: &OwnedFd, buffer: &mut [MaybeUninit<u8>]) -> rustix::io::Result<Vec<Event>> {
    let mut reader = Reader::new(fd, buffer);
    let mut events = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => events.push(Event {
                watch: event.wd(),
                cookie: event.cookie(),
                kind: event.events(),
                name: event.file_name().map(|name| name.to_bytes().to_vec()).unwrap_or_default(),
            }),
            Err(Errno::WOULDBLOCK) => return Ok(events),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn note(watches: &mut Watches, event: &Event, batch: &mut Batch) -> Result<(), String> {
    let Batch { seen, git, files, taken } = batch;
    let kind = event.kind;
    if kind.contains(ReadFlags::QUEUE_OVERFLOW) {
        // Directories that were made meanwhile are not watched.
        for (index, seen) in seen.iter_mut().enumerate() {
            seen.add(Seen { changes: 1, unclear: true, ..Seen::default() });
            let root = watches.roots[index].path.clone();
            watches.add(index, &root)?;
            watches.add_git(index);
            git[index] = watches.roots[index].git.then_some(true);
        }
        return Ok(());
    }
    let Some((index, dir)) = watches.known.get(&event.watch).cloned() else { return Ok(()) };
    if kind.contains(ReadFlags::IGNORED) {
        watches.known.remove(&event.watch);
        return Ok(());
    }
    let root = &watches.roots[index];
    if kind.contains(ReadFlags::UNMOUNT) {
        // All that was in it is gone, and its watch too.
        seen[index].add(Seen { changes: 1, unclear: true, uprooted: dir == root.path, ..Seen::default() });
    }
    if kind.intersects(ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF) {
        seen[index].add(Seen { changes: 1, uprooted: true, ..Seen::default() });
    }
    if kind.intersects(ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT) {
        if dir == root.path {
            // The next directory there may get the same number.
            watches.watched[index] = None;
        }
        return Ok(());
    }
    let is_directory = kind.contains(ReadFlags::ISDIR);
    let temporary = event.name.starts_with(TEMPORARY);
    if kind.contains(ReadFlags::MOVED_FROM) && !temporary {
        watches.left.push(event.cookie);
    }
    if kind.contains(ReadFlags::MOVED_TO) {
        taken.retain(|from| *from != (event.cookie, index));
    }
    let path = dir.join(OsStr::from_bytes(&event.name));
    let below = path.strip_prefix(&root.path).unwrap_or(&path);
    if root.git && below.as_os_str() == ".git" {
        // A repository has come, or gone.
        watches.add_git(index);
        git[index] = Some(true);
        return Ok(());
    }
    if root.rules.ignores(below.as_os_str().as_bytes(), is_directory) {
        return Ok(());
    }
    if root.git && !is_directory && !temporary {
        let from_elsewhere = kind.contains(ReadFlags::MOVED_TO) && !watches.left.contains(&event.cookie);
        if kind.intersects(ReadFlags::MODIFY | ReadFlags::MOVED_TO) {
            files[index].saved(below, from_elsewhere);
        }
        let wrote = ReadFlags::MODIFY | ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_TO;
        if watches.locked[index] && kind.intersects(wrote) && !from_elsewhere {
            files[index].git(below);
        }
    }
    if is_directory && kind.contains(ReadFlags::MOVED_FROM) {
        taken.push((event.cookie, index));
    }
    let gone = kind.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
    seen[index].add(Seen {
        changes: 1,
        deletes: u32::from(gone && !is_directory),
        unclear: is_directory && kind.contains(ReadFlags::MOVED_FROM),
        fresh: is_directory && kind.contains(ReadFlags::CREATE),
        ..Seen::default()
    });
    if is_directory && kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
        // What was put there before it was watched.
        for file in watches.add(index, &path)? {
            files[index].saved(&file, true);
            if watches.locked[index] {
                files[index].git(&file);
            }
        }
    }
    Ok(())
}
