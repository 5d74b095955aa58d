//! The eye on this side: inotify, as Linux has no recursive watch, and where it cannot be had, looking again and again.

#[cfg(target_os = "linux")]
mod inotify;

use std::ffi::OsString;
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
    /// These files were saved, in a directory with a repository that is shared; yes for those that came from a place that is not
    /// watched, as those do that the sync brings.
    Saved(usize, Vec<(PathBuf, bool)>),
    /// Git began to work on the files there, or ended.
    Lock(usize, bool),
    /// It wrote, or deleted, these.
    GitWrote(usize, Vec<PathBuf>),
    /// Something changed in the directory beside them.
    Beside,
    /// In the file of this name there somebody asks whether all that happened before has been told. Now it has.
    Asked(OsString),
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

    /// Until nothing more is told for a while.
    fn until_quiet(inbox: &Receiver<Told>) {
        while inbox.recv_timeout(Duration::from_millis(300)).is_ok() {}
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
        std::fs::rename(project.join("o"), project.join("src/o")).unwrap();
        until(&inbox, |seen| seen.unclear && !seen.taken);
        std::fs::rename(project.join("src/o"), dir.path().join("o")).unwrap();
        until(&inbox, |seen| seen.unclear && seen.taken);
        std::fs::rename(&project, dir.path().join("p2")).unwrap();
        until(&inbox, |seen| seen.uprooted);
        // Another one takes its place; then one that is moved there without an event.
        std::fs::create_dir_all(project.join("src")).unwrap();
        until(&inbox, |seen| seen.unclear);
        std::fs::write(project.join("src/b"), "b").unwrap();
        until(&inbox, |seen| seen.changes >= 1 && !seen.unclear);
        std::fs::remove_dir_all(&project).unwrap();
        std::fs::create_dir_all(project.join("src")).unwrap();
        until(&inbox, |seen| seen.uprooted && seen.unclear);
        until_quiet(&inbox);
        std::fs::write(project.join("src/c"), "c").unwrap();
        until(&inbox, |seen| seen.changes >= 1);
        std::fs::remove_dir_all(&project).unwrap();
        until(&inbox, |seen| seen.uprooted);
        until_quiet(&inbox);
        std::fs::write(dir.path().join("new"), "").unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join("beside/new")).unwrap();
        assert_eq!(inbox.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Beside);
        // A question is told of after all that happened before it; that it is taken away again is not.
        let project = dir.path().join("p2");
        std::fs::create_dir_all(&project).unwrap();
        std::fs::rename(&project, dir.path().join("p")).unwrap();
        until(&inbox, |seen| seen.unclear);
        until_quiet(&inbox);
        for n in 0..20 {
            std::fs::write(dir.path().join(format!("p/{n}")), "").unwrap();
        }
        std::fs::rename(dir.path().join("beside/new"), dir.path().join("beside/.ask.x")).unwrap();
        let mut changes = 0;
        loop {
            match inbox.recv_timeout(Duration::from_secs(10)).unwrap() {
                Told::Seen(0, seen) => changes += seen.changes,
                told => break assert_eq!(told, Told::Asked(".ask.x".into())),
            }
        }
        assert!(changes >= 20, "{changes}");
        std::fs::remove_file(dir.path().join("beside/.ask.x")).unwrap();
        assert!(inbox.recv_timeout(Duration::from_millis(300)).is_err());
        drop(eye);
        assert!(
            inbox.recv_timeout(Duration::from_secs(10)).is_err(),
            "it has ended, and its end of the channel"
        );
    }

    #[test]
    fn what_the_queue_has_lost_is_not_clear_and_what_was_made_meanwhile_is_watched() {
        use std::os::unix::fs::PermissionsExt;
        use std::sync::{Arc, Mutex};

        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: u32 = limit.trim().parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("p");
        std::fs::create_dir(&project).unwrap();
        let files = ["a", "b"].map(|name| project.join(name));
        for file in &files {
            std::fs::write(file, "").unwrap();
        }
        let (told, inbox) = channel();
        let gate = Arc::new(Mutex::new(()));
        let passes = gate.clone();
        let root = Root { path: project.clone(), rules: Rules::new(&[]), git: false };
        let _eye = LocalEye::start(vec![root], dir.path().to_owned(), move |what| {
            let waits = matches!(what, Told::Seen(..));
            drop(told.send(what));
            if waits {
                drop(passes.lock());
            }
        })
        .unwrap();
        assert_eq!(inbox.recv_timeout(Duration::from_secs(10)).unwrap(), Told::Ready(None));
        // It says one thing, and reads nothing more until it may go on.
        let closed = gate.lock().unwrap();
        std::fs::write(project.join("c"), "").unwrap();
        until(&inbox, |seen| seen.changes > 0);
        for n in 0..=limit {
            // Two equal events in a row would be one.
            let mode = std::fs::Permissions::from_mode(0o600 + (n / 2) % 8);
            std::fs::set_permissions(&files[n as usize % 2], mode).unwrap();
        }
        std::fs::create_dir(project.join("new")).unwrap();
        drop(closed);
        until(&inbox, |seen| seen.unclear);
        until_quiet(&inbox);
        std::fs::write(project.join("new/file"), "").unwrap();
        until(&inbox, |seen| seen.changes > 0);
    }

    #[test]
    fn more_files_are_looked_at_less_often() {
        assert_eq!([20_000, 20_001].map(pause), [1, 2].map(Duration::from_secs));
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
