//! The eye on this side: inotify, as Linux has no recursive watch, and where it cannot be had, looking again and again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exclude::Rules;
use super::joiner::Seen;

/// A directory to watch.
#[derive(Clone, Debug)]
pub struct Root {
    /// The directory.
    pub path: PathBuf,
    /// What is left out.
    pub rules: Rules,
    /// Is what git keeps there watched too?
    pub git: bool,
}

/// What the eye tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Everything is watched from now on; by looking again and again, if there is a reason.
    Ready(Option<String>),
    /// Changes in the directory with this number.
    Seen(usize, Seen),
    /// Something in what git keeps there has changed; or only a lock.
    Git(usize, bool),
    /// Something changed in the directory beside them.
    Beside,
}

/// A running eye: dropped, it ends.
#[derive(Debug)]
pub struct LocalEye {
    _end: UnixStream,
}

/// The stack of a thread that walks directories.
const STACK: usize = 256 * 1024;

impl LocalEye {
    /// Watches the roots and, without what lies below it, the directory `beside`.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        roots: Vec<Root>,
        beside: PathBuf,
        tell: impl Fn(Told) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (end, ended) = UnixStream::pair()?;
        std::thread::Builder::new().name("here".to_owned()).stack_size(STACK).spawn(move || {
            #[cfg(target_os = "linux")]
            let why = match inotify::watch(&roots, &beside, &ended, &tell) {
                inotify::End::Told => return,
                inotify::End::Cannot(why) => why,
            };
            #[cfg(not(target_os = "linux"))]
            let why = "this system has no inotify".to_owned();
            look_again(&roots, &beside, ended, &tell, why);
        })?;
        Ok(Self { _end: end })
    }
}

/// The files in a directory, without what is left out; none when it cannot be read.
#[must_use]
pub fn count(root: &Root) -> Option<u64> {
    let mut files = 0;
    std::fs::read_dir(&root.path).ok()?;
    walk(root, &mut |entry| files += u64::from(entry.kind.is_file()));
    Some(files)
}

struct Entry<'a> {
    path: &'a Path,
    below: &'a Path,
    kind: std::fs::FileType,
}

/// Goes through everything below a root that is not left out.
fn walk(root: &Root, each: &mut dyn FnMut(&Entry)) {
    let mut dirs = vec![root.path.clone()];
    while let Some(dir) = dirs.pop() {
        walk_one(root, &dir, &mut dirs, each);
    }
}

fn walk_one(root: &Root, dir: &Path, dirs: &mut Vec<PathBuf>, each: &mut dyn FnMut(&Entry)) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        let Ok(below) = path.strip_prefix(&root.path) else { continue };
        if root.rules.ignores(below.as_os_str().as_bytes(), kind.is_dir()) {
            continue;
        }
        each(&Entry { path: &path, below, kind });
        if kind.is_dir() {
            dirs.push(path);
        }
    }
}

/// How often a directory with so many files is looked at.
#[must_use]
pub fn pause(files: u64) -> Duration {
    Duration::from_secs(if files > 20_000 { 2 } else { 1 })
}

fn look_again(roots: &[Root], beside: &Path, mut ended: UnixStream, tell: &impl Fn(Told), why: String) {
    let all = || roots.iter().map(digest).collect::<Vec<_>>();
    let git = || roots.iter().map(git_digest).collect::<Vec<_>>();
    let (mut before, mut git_before) = (all(), git());
    let mut beside_before = changed(beside);
    tell(Told::Ready(Some(why)));
    loop {
        let files = before.iter().map(|(_, files)| *files).sum();
        let wait = ended.set_read_timeout(Some(pause(files)));
        // Nobody writes to it: it ends, or the time is up.
        match (wait, ended.read(&mut [0])) {
            (Ok(()), Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => return,
        }
        let now = all();
        for (index, ((was, files_before), (is, files))) in before.iter().zip(&now).enumerate() {
            if was != is {
                let deletes = u32::try_from(files_before.saturating_sub(*files)).unwrap_or(u32::MAX);
                tell(Told::Seen(index, Seen { changes: 1, deletes, ..Seen::default() }));
            }
        }
        before = now;
        let git_now = git();
        for index in (0..roots.len()).filter(|index| git_before[*index] != git_now[*index]) {
            tell(Told::Git(index, true));
        }
        git_before = git_now;
        if changed(beside) != beside_before {
            beside_before = changed(beside);
            tell(Told::Beside);
        }
    }
}

fn changed(dir: &Path) -> Option<(i64, i64)> {
    std::fs::metadata(dir).ok().map(|meta| (meta.mtime(), meta.mtime_nsec()))
}

/// A number that differs when a branch, HEAD or what is staged has changed.
fn git_digest(root: &Root) -> u64 {
    let mut hasher = DefaultHasher::new();
    let git = root.path.join(".git");
    if root.git {
        let mut dirs = vec![git.join("refs")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    dirs.push(entry.path());
                }
                (entry.path(), changed(&entry.path())).hash(&mut hasher);
            }
        }
        let names = ["HEAD", "index", "packed-refs", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];
        for name in names.into_iter().chain(["rebase-merge", "rebase-apply", "logs/refs/stash"]) {
            changed(&git.join(name)).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// A number that differs when something below differs, and how many files there are.
fn digest(root: &Root) -> (u64, u64) {
    let (mut sum, mut files) = (0_u64, 0);
    walk(root, &mut |entry| {
        let Ok(meta) = std::fs::symlink_metadata(entry.path) else { return };
        let mut hasher = DefaultHasher::new();
        let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        (entry.below, meta.size(), times, meta.mode()).hash(&mut hasher);
        sum = sum.wrapping_add(hasher.finish());
        files += u64::from(entry.kind.is_file());
    });
    (sum, files)
}

#[cfg(target_os = "linux")]
mod inotify {
    use std::collections::HashMap;
    use std::ffi::OsStr;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use rustix::io::Errno;

    use super::{Root, Seen, Told, walk_one};
    use crate::git::watch::{Sign, sign};

    pub(super) enum End {
        /// It was told to end.
        Told,
        /// Not everything can be watched.
        Cannot(String),
    }

    struct Watches<'a> {
        fd: OwnedFd,
        roots: &'a [Root],
        /// The root's number and the directory of each watch.
        known: HashMap<i32, (usize, PathBuf)>,
        /// The same for what git keeps.
        git: HashMap<i32, (usize, PathBuf)>,
    }

    impl Watches<'_> {
        /// Watches a directory and what lies below it.
        fn add(&mut self, index: usize, top: &Path) -> Result<(), String> {
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
                walk_one(root, &dir, &mut dirs, &mut |_| {});
            }
            Ok(())
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

        /// Takes an event in what git keeps. Does it mean something: a move, or only a lock?
        fn note_git(&mut self, event: &Event) -> Option<(usize, bool)> {
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
            Some((index, sign(&below)? == Sign::Moved))
        }
    }

    pub(super) fn watch(roots: &[Root], beside: &Path, ended: &UnixStream, tell: &impl Fn(Told)) -> End {
        let fd = match init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
            Ok(fd) => fd,
            Err(error) => return End::Cannot(format!("inotify cannot be had: {error}")),
        };
        let mut watches = Watches { fd, roots, known: HashMap::new(), git: HashMap::new() };
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
        loop {
            let mut fds = [PollFd::new(&watches.fd, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Err(error) => return End::Cannot(error.to_string()),
                Ok(_) if !fds[1].revents().is_empty() => return End::Told,
                Ok(_) => {}
            }
            let events = match read(&watches.fd, &mut buffer) {
                Ok(events) => events,
                Err(error) => return End::Cannot(error.to_string()),
            };
            let mut seen: Vec<Seen> = vec![Seen::default(); roots.len()];
            let mut git: Vec<Option<bool>> = vec![None; roots.len()];
            for event in events {
                if event.watch == beside {
                    tell(Told::Beside);
                    continue;
                }
                if watches.git.contains_key(&event.watch) {
                    if let Some((index, moved)) = watches.note_git(&event) {
                        git[index] = Some(moved || git[index] == Some(true));
                    }
                    continue;
                }
                if let Err(why) = note(&mut watches, &event, &mut seen, &mut git) {
                    return End::Cannot(why);
                }
            }
            for (index, moved) in git.into_iter().enumerate() {
                if let Some(moved) = moved {
                    tell(Told::Git(index, moved));
                }
            }
            for (index, seen) in seen.into_iter().enumerate().filter(|(_, seen)| seen.changes > 0) {
                tell(Told::Seen(index, seen));
            }
        }
    }

    struct Event {
        watch: i32,
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
                    kind: event.events(),
                    name: event.file_name().map(|name| name.to_bytes().to_vec()).unwrap_or_default(),
                }),
                Err(Errno::WOULDBLOCK) => return Ok(events),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn note(
        watches: &mut Watches,
        event: &Event,
        seen: &mut [Seen],
        git: &mut [Option<bool>],
    ) -> Result<(), String> {
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
        if kind.intersects(ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF) {
            seen[index].add(Seen { changes: 1, uprooted: true, ..Seen::default() });
            return Ok(());
        }
        let is_directory = kind.contains(ReadFlags::ISDIR);
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
        let gone = kind.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        seen[index].add(Seen {
            changes: 1,
            deletes: u32::from(gone && !is_directory),
            unclear: is_directory && kind.contains(ReadFlags::MOVED_FROM),
            ..Seen::default()
        });
        if is_directory && kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            watches.add(index, &path)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn start(dir: &Path) -> (LocalEye, Receiver<Told>) {
        let (told, inbox) = channel();
        let root = Root { path: dir.join("p"), rules: Rules::new(&["node_modules".to_owned()]), git: false };
        let eye = LocalEye::start(vec![root], dir.join("beside"), move |what| drop(told.send(what))).unwrap();
        assert_eq!(inbox.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Ready(None));
        (eye, inbox)
    }

    /// What is told until `enough`.
    fn until(inbox: &Receiver<Told>, enough: impl Fn(Seen) -> bool) -> Seen {
        let mut sum = Seen::default();
        while !enough(sum) {
            match inbox.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("only {sum:?}")) {
                Told::Seen(0, seen) => sum.add(seen),
                other => panic!("{other:?}"),
            }
        }
        sum
    }

    #[test]
    fn changes_deletions_and_new_directories_are_seen_and_ignored_ones_cost_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("p");
        for n in 0..50 {
            std::fs::create_dir_all(project.join(format!("node_modules/{n}"))).unwrap();
        }
        std::fs::create_dir_all(project.join("src")).unwrap();
        std::fs::create_dir_all(dir.path().join("beside")).unwrap();
        let (eye, inbox) = start(dir.path());
        assert_eq!(watches_of_this_process(), 3, "the project, src, and what is beside");
        std::fs::write(project.join("node_modules/x"), "x").unwrap();
        std::fs::write(project.join("src/a"), "a").unwrap();
        until(&inbox, |seen| seen.changes >= 2);
        std::fs::remove_file(project.join("src/a")).unwrap();
        until(&inbox, |seen| seen.deletes == 1);
        // A directory that is made, and one that is moved in, are watched with what is in them.
        let outside = dir.path().join("o/deep/er");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::rename(dir.path().join("o"), project.join("o")).unwrap();
        until(&inbox, |seen| seen.changes >= 1);
        std::fs::write(project.join("o/deep/er/f"), "f").unwrap();
        until(&inbox, |seen| seen.changes >= 1);
        // One that is moved away may have held any number of files.
        std::fs::rename(project.join("o"), dir.path().join("o")).unwrap();
        until(&inbox, |seen| seen.unclear);
        std::fs::rename(&project, dir.path().join("p2")).unwrap();
        until(&inbox, |seen| seen.uprooted);
        std::fs::write(dir.path().join("new"), "").unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join("beside/new")).unwrap();
        assert_eq!(inbox.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Beside);
        drop(eye);
        assert!(
            inbox.recv_timeout(Duration::from_secs(10)).is_err(),
            "it has ended, and its end of the channel"
        );
    }

    fn watches_of_this_process() -> usize {
        let fds = std::fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
        let text = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path()).unwrap_or_default();
        fds.map(|entry| text(entry).matches("inotify wd:").count()).max().unwrap_or(0)
    }

    #[test]
    fn files_are_counted_without_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a", "src/b", "node_modules/c", "src/node_modules/d"] {
            std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let root =
            Root { path: dir.path().to_owned(), rules: Rules::new(&["node_modules".to_owned()]), git: false };
        assert_eq!(count(&root), Some(2));
        assert_eq!(count(&Root { path: dir.path().join("no"), ..root }), None);
    }

    #[test]
    fn looking_again_sees_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        let root = Root { path: dir.path().to_owned(), rules: Rules::new(&[]), git: false };
        let (told, inbox) = channel();
        let (end, ended) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let tell = move |what| drop(told.send(what));
            look_again(&[root], Path::new("/"), ended, &tell, "why".to_owned());
        });
        assert_eq!(inbox.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Ready(Some("why".to_owned())));
        std::fs::remove_file(dir.path().join("a")).unwrap();
        assert_eq!(until(&inbox, |seen| seen.changes > 0).deletes, 1);
        drop(end);
        thread.join().unwrap();
    }
}
