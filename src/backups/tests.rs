//! The script on this computer, as it runs on a host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

struct Bench {
    dir: tempfile::TempDir,
    runner: Runner,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("it's $x")).unwrap();
        Self { dir, runner: Runner::default() }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("it's $x")
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper::here(&self.runner, &self.dir.path().join("sta'te"), "sinc-a-123456", "me").unwrap()
    }

    fn keep(&self, paths: &[PathBuf]) -> Kept {
        let utc = "2026-11-23 18:14:45";
        self.keeper()
            .keep(self.root().to_str().unwrap(), "resolve --local", 1_795_457_685, utc, paths)
            .unwrap()
    }
}

fn names() -> Vec<PathBuf> {
    let names: [&[u8]; 9] = [
        b"plain",
        b"d/sp ace",
        b"it's",
        b"$(touch pwned)",
        b"-dash",
        b"new\nline\n",
        b"back\\slash",
        b"\xff",
        "é".as_bytes(),
    ];
    names.iter().map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()
}

#[test]
fn what_is_kept_is_moved_listed_found_restored_and_settled() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.root().join("d/inner/deep")).unwrap();
    std::fs::write(bench.root().join("d/inner/deep/x"), "x").unwrap();
    symlink("no where", bench.root().join("link")).unwrap();
    let mut paths = names();
    for path in &paths {
        std::fs::write(bench.root().join(path), path.as_os_str().as_bytes()).unwrap();
    }
    paths.extend(["d/inner", "link", "not there"].map(PathBuf::from));
    let kept = bench.keep(&paths);
    let files = Path::new(&kept.place).join("files");
    for (path, outcome) in &kept.paths {
        let expected = if path == Path::new("not there") { Outcome::Gone } else { Outcome::Kept };
        assert_eq!(*outcome, expected, "{path:?}");
        assert!(bench.root().join(path).symlink_metadata().is_err());
    }
    for path in names() {
        assert_eq!(std::fs::read(files.join(&path)).unwrap(), path.as_os_str().as_bytes());
    }
    assert!(files.join("d/inner/deep/x").is_file() && files.join("link").is_symlink());
    let left: Vec<_> =
        std::fs::read_dir(bench.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["d"]);

    let keeper = bench.keeper();
    let listed = keeper.list().unwrap();
    assert_eq!((listed.len(), listed[0].count, listed[0].settled), (1, 12, false));
    assert_eq!((listed[0].why.as_str(), listed[0].made), ("resolve --local", 1_795_457_685));
    assert_eq!(listed[0].paths[..9], names()[..]);
    for path in ["new\nline\n", "back\\slash", "d/inner", "d/inner/deep/x"] {
        assert_eq!(keeper.find(Path::new(path)).unwrap().names, [kept.name.as_str()], "{path:?}");
    }
    assert_eq!(keeper.find(Path::new("nothing")).unwrap(), Found::default());

    let root = bench.root();
    std::fs::write(root.join("new\nline\n"), "now").unwrap();
    let utc = "2026-11-23 18:15:00";
    let again =
        keeper.restore(root.to_str().unwrap(), Path::new("new\nline\n"), &kept.name, 1_795_457_700, utc);
    let again = again.unwrap();
    assert_eq!(std::fs::read(root.join("new\nline\n")).unwrap(), b"new\nline\n");
    assert_eq!(std::fs::read(Path::new(&again.place).join("files/new\nline\n")).unwrap(), b"now");
    assert!(files.join("new\nline\n").is_file(), "a backup stays");
    let lacks = keeper.restore(root.to_str().unwrap(), Path::new("nothing"), &kept.name, 1, utc).unwrap_err();
    assert!(lacks.to_string().contains("does not have it"), "{lacks}");

    // Only what is settled may go.
    let limits = Limits { days: 30, kib: 1 << 20 };
    let later = 1_795_457_685 + 90 * 86_400;
    assert_eq!(keeper.prune(limits, later).unwrap(), 0);
    keeper.settle(&[kept.name.clone(), again.name]).unwrap();
    assert_eq!(keeper.prune(limits, later).unwrap(), 1);
    assert_eq!(keeper.list().unwrap().len(), 1);
    assert!(!files.exists());
}

#[test]
fn what_was_kept_of_sessions_that_have_ended_goes_by_its_age() {
    const MADE: u64 = 1_795_457_685;
    const DAY: u64 = 86_400;
    let bench = Bench::new();
    let state = bench.dir.path().join("sta'te");
    let sessions = state.join("sessions");
    std::fs::create_dir_all(&sessions).unwrap();
    let root = bench.root();
    let keep = |id: &str, machine: &str, day: u64, settled: bool| {
        std::fs::write(root.join("file"), id).unwrap();
        let keeper = Keeper::here(&bench.runner, &state, id, machine).unwrap();
        let (root, utc) = (root.to_str().unwrap(), format!("2026-11-23 18:14:{day:02}"));
        let kept = keeper.keep(root, "push", MADE + day * DAY, &utc, &["file".into()]).unwrap();
        if settled {
            keeper.settle(&[kept.name]).unwrap();
        }
        PathBuf::from(kept.place)
    };
    let old = keep("sinc-ended-123456", "me", 0, true);
    let late = keep("sinc-ended-123456", "me", 10, true);
    let left = keep("sinc-left-123456", "me", 0, true);
    // Two that run, by a record here and by a claim there; one that is another computer's, and one that may be open.
    let stays = [
        keep("sinc-here-123456", "me", 0, true),
        keep("sinc-there-123456", "me", 0, true),
        keep("sinc-other-123456", "another", 0, true),
        keep("sinc-open-123456", "me", 0, false),
    ];
    std::fs::write(sessions.join("sinc-here-123456@box.json"), "{}").unwrap();
    std::fs::write(sessions.join("sinc-there-123456"), "id x\nmachine me laptop /app\n").unwrap();
    std::fs::write(sessions.join("sinc-left-123456"), "id x\nleft me laptop /app\n").unwrap();
    let prune = |days, day: u64| {
        let limits = Limits { days, kib: 1 << 20 };
        bench.keeper().prune(limits, MADE + day * DAY + 1).unwrap()
    };
    assert_eq!(prune(30, 29), 0);
    assert_eq!(prune(0, 0), 0, "nothing of the last day");
    assert_eq!(prune(30, 30), 2);
    assert!(!old.exists() && late.exists() && !left.parent().unwrap().exists());
    assert_eq!(prune(30, 40), 1, "the newest too");
    assert!(!late.parent().unwrap().exists());
    assert_eq!(prune(30, 400), 0);
    for stays in stays {
        assert!(stays.join("files/file").exists(), "{stays:?}");
    }
}

#[test]
fn what_cannot_be_moved_stays_and_what_was_moved_can_be_put_back() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("gone")).unwrap();
    for name in ["a", "b", "gone/c"] {
        std::fs::write(bench.root().join(name), name).unwrap();
    }
    let kept = bench.keep(&["a", "b", "gone/c"].map(PathBuf::from));
    let listed = bench.keeper().list().unwrap();
    assert_eq!(
        (listed[0].bytes, listed[0].kib > 2),
        (8, true),
        "the files' own size, and what they take of the disk"
    );
    std::fs::write(bench.root().join("b"), "another").unwrap();
    let root = bench.root();
    std::fs::remove_dir(root.join("gone")).unwrap();
    let unkeep = |name: &str| bench.keeper().unkeep(root.to_str().unwrap(), name, &[]).unwrap();
    assert_eq!(unkeep(&kept.name), Unkept { back: 1, taken: 2, stuck: None });
    assert_eq!(unkeep(&kept.name), Unkept { back: 0, taken: 2, stuck: None });
    assert_eq!(unkeep("20260101T000000Z-0000"), Unkept::default(), "one that was not begun");
    assert_eq!(std::fs::read(root.join("a")).unwrap(), b"a");
    assert_eq!(std::fs::read(root.join("b")).unwrap(), b"another");
    assert_eq!(std::fs::read(Path::new(&kept.place).join("files/b")).unwrap(), b"b");
}

#[test]
fn only_a_backup_without_a_file_is_forgotten() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    std::fs::write(bench.root().join("d/.mutagen-temporary-x"), "").unwrap();
    let kept = bench.keep(&[PathBuf::from("d")]);
    assert!(!bench.keeper().forget(&kept.name).unwrap());
    let file = Path::new(&kept.place).join("files/d/.mutagen-temporary-x");
    assert!(file.is_file());
    std::fs::remove_file(file).unwrap();
    assert!(bench.keeper().forget(&kept.name).unwrap());
    assert!(!Path::new(&kept.place).exists());
}

#[test]
fn a_keep_that_was_killed_is_finished() {
    let bench = Bench::new();
    std::fs::write(bench.root().join("a"), "a").unwrap();
    let kept = bench.keep(&[PathBuf::from("a"), PathBuf::from("b\n")]);
    let place = Path::new(&kept.place);
    // As it is on another file system, killed after the first move and before the copy.
    std::fs::remove_file(place.join("whole")).unwrap();
    let aside = bench.root().join(format!(".mutagen-temporary-sinc-{}-2", kept.name));
    std::fs::write(&aside, "precious").unwrap();
    let other = Keeper { machine: "another".to_owned(), ..bench.keeper() };
    assert_eq!(other.recover().unwrap().0, Recovered::default(), "another computer may be at it");
    let (recovered, all) = bench.keeper().recover().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((recovered.interrupted, recovered.stuck), (vec![kept.name], vec![]));
    assert_eq!(std::fs::read(place.join("files/b\n")).unwrap(), b"precious");
    assert!(!aside.exists());
    assert_eq!(bench.keeper().recover().unwrap().0, Recovered::default());
}

#[test]
fn what_cannot_go_into_its_backup_is_tried_again() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root().join("d")).unwrap();
    let root = bench.root().to_str().unwrap().to_owned();
    let path = Path::new("d/it\nis");
    let (kept, aside) =
        bench.keeper().begin(&root, "resolve --edit", 1, "2026-11-23 18:14:45", path).unwrap();
    let aside = bench.root().join("d").join(aside);
    std::fs::write(&aside, "precious").unwrap();
    // As with a full disk: nothing can be made there.
    let blocks = Path::new(&kept.place).join("files/d");
    std::fs::write(&blocks, "").unwrap();
    for _ in 0..2 {
        let (recovered, _) = bench.keeper().recover().unwrap();
        assert_eq!(recovered.interrupted, [kept.name.as_str()]);
        assert_eq!(recovered.stuck, [aside.to_str().unwrap()]);
        assert_eq!(std::fs::read(&aside).unwrap(), b"precious");
        bench.keeper().settle(std::slice::from_ref(&kept.name)).unwrap();
        assert!(!bench.keeper().list().unwrap()[0].settled, "it is still beside its place");
    }
    std::fs::remove_file(&blocks).unwrap();
    assert_eq!(bench.keeper().recover().unwrap().0.stuck, [""; 0]);
    assert_eq!(std::fs::read(Path::new(&kept.place).join("files").join(path)).unwrap(), b"precious");
    assert!(!aside.exists());
    assert_eq!(bench.keeper().recover().unwrap().0, Recovered::default());
}

#[test]
fn the_directory_itself_is_no_path_in_it() {
    let bench = Bench::new();
    std::fs::write(bench.root().join("a"), "a").unwrap();
    let kept = bench.keep(&[PathBuf::from("a")]);
    std::fs::write(bench.root().join("a"), "now").unwrap();
    let (keeper, root) = (bench.keeper(), bench.root());
    let (root, utc) = (root.to_str().unwrap(), "2026-11-23 18:15:00");
    for path in ["", ".", "..", "a/", "/a", "a/../b", "./a"].map(Path::new) {
        let paths = [PathBuf::from("a"), path.to_owned()];
        let refused = [
            keeper.find(path).map(drop),
            keeper.restore(root, path, &kept.name, 1, utc).map(drop),
            keeper.keep(root, "push", 1, utc, &paths).map(drop),
            keeper.begin(root, "push", 1, utc, path).map(drop),
            keeper.rename(root, path, Path::new("b")),
            keeper.rename(root, Path::new("a"), path),
        ];
        for (index, one) in refused.into_iter().enumerate() {
            let error = one.unwrap_err().to_string();
            assert!(error.contains("no path below the directory"), "{path:?} {index}: {error}");
        }
    }
    assert_eq!(std::fs::read(bench.root().join("a")).unwrap(), b"now");
    assert_eq!(keeper.list().unwrap().len(), 1, "nothing was begun");
}

#[test]
fn a_backup_of_something_below_a_directory_is_none_of_the_directory() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.root().join("d/e")).unwrap();
    for name in ["d/a", "d/b\n", "d/e/c", "da"] {
        std::fs::write(bench.root().join(name), name).unwrap();
    }
    let some = bench.keep(&["d/a", "d/b\n", "da"].map(PathBuf::from));
    std::fs::write(bench.root().join("d/a"), "now").unwrap();
    let keeper = bench.keeper();
    let below = vec![(some.name.clone(), ["d/a", "d/b\n"].map(PathBuf::from).to_vec())];
    assert_eq!(keeper.find(Path::new("d")).unwrap(), Found { names: Vec::new(), below: below.clone() });
    let (root, utc) = (bench.root(), "2026-11-23 18:15:00");
    let refused = keeper.restore(root.to_str().unwrap(), Path::new("d"), &some.name, 1, utc).unwrap_err();
    assert!(refused.to_string().contains("only something of what is below it"), "{refused}");
    assert_eq!(std::fs::read(root.join("d/e/c")).unwrap(), b"d/e/c");
    let whole = bench.keep(&[PathBuf::from("d")]);
    assert_eq!(keeper.find(Path::new("d")).unwrap(), Found { names: vec![whole.name.clone()], below });
    // Both are of the same second.
    let mut both = [some.name, whole.name.clone()];
    both.sort();
    assert_eq!(keeper.find(Path::new("d/a")).unwrap().names, both);
    keeper.restore(root.to_str().unwrap(), Path::new("d"), &whole.name, 1, utc).unwrap();
    assert_eq!(std::fs::read(root.join("d/a")).unwrap(), b"now");
}

#[test]
fn a_restore_starts_over_where_something_takes_the_place() {
    let bench = Bench::new();
    let place = bench.root().join("a");
    std::fs::write(&place, "old").unwrap();
    let kept = bench.keep(&[PathBuf::from("a")]);
    std::fs::write(&place, "now").unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let restored = std::thread::scope(|scope| {
        // As a cycle does, once: what is gone comes from the other side.
        let cycle = scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                if !place.exists() {
                    return std::fs::OpenOptions::new().write(true).create_new(true).open(&place).is_ok();
                }
            }
            false
        });
        let restored = bench.keeper().restore(
            bench.root().to_str().unwrap(),
            Path::new("a"),
            &kept.name,
            1,
            "2026-11-23 18:15:00",
        );
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(cycle.join().unwrap(), "nothing took its place");
        restored.unwrap()
    });
    assert_eq!(std::fs::read(&place).unwrap(), b"old");
    // Both that were in its place are kept.
    let all = bench.keeper().list().unwrap();
    let texts = all.iter().map(|one| std::fs::read(Path::new(&one.place).join("files/a")).unwrap());
    let mut texts: Vec<_> = texts.collect();
    texts.sort();
    assert_eq!(texts, [&b""[..], b"now", b"old"]);
    assert!(all.iter().any(|one| one.name == restored.name));
}

#[test]
fn a_restore_that_was_killed_is_finished() {
    let bench = Bench::new();
    std::fs::write(bench.root().join("a"), "now").unwrap();
    let kept = bench.keep(&[PathBuf::from("a")]);
    // Killed after what was there was kept, and before the copy took its place.
    std::fs::remove_file(Path::new(&kept.place).join("whole")).unwrap();
    let copy = bench.root().join(format!(".mutagen-temporary-sinc-new-{}", kept.name));
    std::fs::write(&copy, "old").unwrap();
    bench.keeper().recover().unwrap();
    assert_eq!(std::fs::read(bench.root().join("a")).unwrap(), b"old");
    assert_eq!(std::fs::read(Path::new(&kept.place).join("files/a")).unwrap(), b"now");
    assert!(!copy.exists());
}

#[test]
fn an_index_that_breaks_off_moves_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.root().join("a"), "a").unwrap();
    let root = bench.root();
    let cut = "made 1\nroot /x\nwhy y\npath a\n".to_owned();
    let error = bench.keeper().run("keep it", "keep", &["n", root.to_str().unwrap()], cut).unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    assert!(root.join("a").is_file());
    assert!(bench.keeper().list().unwrap().is_empty());
}

/// A directory on another file system than this one. Where there is none the test is left out, and says so, also to
/// tests/run.sh; CI insists.
#[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
fn elsewhere(than: &Path) -> Option<tempfile::TempDir> {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| path.metadata().unwrap().dev();
    let found = tempfile::tempdir_in("/dev/shm").ok().filter(|found| device(found.path()) != device(than));
    if found.is_none() {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let why = format!("{test}: /dev/shm is no other file system\n");
        assert!(std::env::var_os("CI").is_none(), "this test cannot be left out here: {why}");
        let _ = write!(std::io::stderr(), "SKIPPED: {why}");
        if let Some(list) = std::env::var_os("SINC_LEFT_OUT") {
            let mut list = std::fs::OpenOptions::new().append(true).open(list).unwrap();
            list.write_all(why.as_bytes()).unwrap();
        }
    }
    found
}

#[test]
fn what_is_on_another_file_system_is_copied_compared_and_then_removed() {
    let bench = Bench::new();
    let Some(elsewhere) = elsewhere(&bench.root()) else { return };
    std::fs::create_dir_all(bench.root().join("d/deep")).unwrap();
    std::fs::write(bench.root().join("d/deep/x\n"), vec![7; 300_000]).unwrap();
    std::fs::write(bench.root().join("a b"), "a").unwrap();
    symlink("no where", bench.root().join("link")).unwrap();
    let keeper = Keeper::here(&bench.runner, elsewhere.path(), "sinc-a-123456", "me").unwrap();
    let paths = ["d", "a b", "link"].map(PathBuf::from);
    let root = bench.root();
    let kept = keeper.keep(root.to_str().unwrap(), "push", 1, "2026-11-23 18:14:45", &paths).unwrap();
    assert!(kept.paths.iter().all(|(_, outcome)| *outcome == Outcome::Kept), "{kept:?}");
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is left aside");
    let files = Path::new(&kept.place).join("files");
    assert_eq!(std::fs::read(files.join("d/deep/x\n")).unwrap(), vec![7; 300_000]);
    assert_eq!(std::fs::read_link(files.join("link")).unwrap(), Path::new("no where"));
    let unkept = keeper.unkeep(root.to_str().unwrap(), &kept.name, &[]).unwrap();
    assert_eq!(unkept, Unkept { back: 3, taken: 0, stuck: None });
    assert_eq!(std::fs::read(root.join("d/deep/x\n")).unwrap().len(), 300_000);
}

#[test]
fn what_another_process_is_copying_is_its_own_until_it_dies() {
    let bench = Bench::new();
    let Some(elsewhere) = elsewhere(&bench.root()) else { return };
    let keeper = Keeper::here(&bench.runner, elsewhere.path(), "sinc-a-123456", "me").unwrap();
    let root = bench.root();
    let paths = [PathBuf::from("d")];
    let kept = keeper.keep(root.to_str().unwrap(), "push", 1, "2026-11-23 18:14:45", &paths).unwrap();
    let place = Path::new(&kept.place);
    std::fs::remove_file(place.join("whole")).unwrap();
    // One whose line was cut has moved it aside, and copies it; another one was killed at that.
    let aside = root.join(format!(".mutagen-temporary-sinc-{}-1", kept.name));
    std::fs::create_dir(&aside).unwrap();
    std::fs::write(aside.join("x"), "precious").unwrap();
    let dead = Cmd::new("sh", "be a process that has ended").args(["-c", "echo $$"]);
    let dead: u32 = bench.runner.read(&dead).unwrap().trim().parse().unwrap();
    let part = |id: u32| place.join(format!(".mutagen-temporary-sinc-part-{}-{id}", kept.name));
    for id in [std::process::id(), dead] {
        std::fs::create_dir(part(id)).unwrap();
        std::fs::write(part(id).join("x"), "pre").unwrap();
    }
    assert_eq!(keeper.recover().unwrap().0.stuck, Vec::<String>::new());
    assert_eq!(std::fs::read(place.join("files/d/x")).unwrap(), b"precious");
    assert_eq!(std::fs::read(part(std::process::id()).join("x")).unwrap(), b"pre");
    assert!(!part(dead).exists() && !aside.exists());
}

#[test]
fn what_was_given_up_meanwhile_is_not_moved_any_more() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let root = bench.root();
    for name in ["a", "b"] {
        std::fs::write(root.join(name), name).unwrap();
    }
    // Another sinc puts back what was moved while this one, whose line was cut, is between two moves.
    let state = bench.dir.path().join("state");
    let over = state.join("backups/sinc-a-123456/n/over");
    let (bin, real) = (bench.dir.path().join("bin"), which::which("mv").unwrap());
    std::fs::create_dir(&bin).unwrap();
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *files/a) : >'{}';; esac\nexec {} \"$@\"\n",
        over.display(),
        real.display()
    );
    std::fs::write(bin.join("mv"), text).unwrap();
    std::fs::set_permissions(bin.join("mv"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), real.parent().unwrap().display());
    let index = index::write(root.to_str().unwrap(), "me", "push", 1, &["a", "b"].map(PathBuf::from));
    let cmd = Cmd::new("sh", "keep them")
        .args(["-c", BACKUP.line(), "sinc", "keep", state.to_str().unwrap(), "sinc-a-123456", "n"])
        .arg(&root)
        .env("PATH", path)
        .stdin(index);
    let said = Runner::default().read(&cmd).unwrap();
    assert!(said.contains("kept 1\nfailed 2 it was given up meanwhile\n"), "{said}");
    assert_eq!(std::fs::read(root.join("b")).unwrap(), b"b");
}

#[test]
fn only_some_of_what_was_moved_is_put_back() {
    let bench = Bench::new();
    let (root, paths) = (bench.root(), names());
    std::fs::create_dir(root.join("d")).unwrap();
    for path in &paths {
        std::fs::write(root.join(path), "x").unwrap();
    }
    let kept = bench.keep(&paths);
    for path in &paths[1..] {
        let unkept = bench.keeper().unkeep(root.to_str().unwrap(), &kept.name, &[path]).unwrap();
        assert_eq!(unkept, Unkept { back: 1, taken: 0, stuck: None }, "{path:?}");
        assert!(root.join(path).is_file());
    }
    assert!(!root.join(&paths[0]).exists());
}

/// A directory of programs in which `sync` first notes what it was asked for, and what there is at that moment.
fn noting_sync(dir: &Path, watched: &Path) -> (PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let (bin, log) = (dir.join("bin"), dir.join("synced"));
    std::fs::create_dir(&bin).unwrap();
    for program in ["sh", "find", "mv", "rm", "mkdir", "cat", "tail", "head", "ln", "cp", "cmp", "diff"] {
        symlink(which::which(program).unwrap(), bin.join(program)).unwrap();
    }
    let real = which::which("sync").unwrap();
    let text = format!(
        "#!{}\nfor f in \"$@\"; do if [ -e '{}' ]; then echo \"before $f\"; else echo \"after $f\"; fi; done >>{}\nexec {} \"$@\"\n",
        which::which("sh").unwrap().display(),
        watched.display(),
        log.display(),
        real.display()
    );
    std::fs::write(bin.join("sync"), text).unwrap();
    std::fs::set_permissions(bin.join("sync"), std::fs::Permissions::from_mode(0o755)).unwrap();
    (bin, log)
}

/// What `keep` of the one file `a` wrote to the disk, in its order, and whether `watched` was there then.
fn synced_by_keep(root: &Path, state: &Path, watched: &Path) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(root.join("a"), "a").unwrap();
    let (bin, log) = noting_sync(dir.path(), watched);
    let index = index::write(root.to_str().unwrap(), "me", "push", 1, &[PathBuf::from("a")]);
    let cmd = Cmd::new("sh", "keep it")
        .args(["-c", BACKUP.line(), "sinc", "keep", state.to_str().unwrap(), "sinc-a-123456", "n"])
        .arg(root)
        .env("PATH", &bin)
        .stdin(index);
    let said = Runner::default().read(&cmd).unwrap();
    assert!(said.contains("kept 1\nend\n"), "{said}");
    let place = state.join("backups/sinc-a-123456/n");
    assert_eq!(std::fs::read_to_string(place.join("files/a")).unwrap(), "a");
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
    let log = std::fs::read_to_string(log).unwrap();
    let short = |line: &str| line.replace(place.to_str().unwrap(), "B").replace(state.to_str().unwrap(), "S");
    log.lines().map(short).collect()
}

#[test]
fn what_is_kept_is_on_the_disk_before_it_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (root, state) = (dir.path().join("project"), dir.path().join("state"));
    std::fs::create_dir(&root).unwrap();
    let synced = synced_by_keep(&root, &state, &root.join("a"));
    // The index and every new directory's name before anything is moved; then what was moved.
    assert_eq!(
        synced[..5],
        ["before B/index.new", "before B", "before S/backups/sinc-a-123456", "before S/backups", "before S"],
        "{synced:?}"
    );
    for one in ["after B/files/a", "after B/files", "after B"] {
        assert!(synced[5..].contains(&one.to_owned()), "{one}: {synced:?}");
    }
}

#[test]
fn what_comes_from_another_file_system_is_on_the_disk_before_the_first_one_goes() {
    let dir = tempfile::tempdir().unwrap();
    let Some(elsewhere) = elsewhere(dir.path()) else { return };
    let root = elsewhere.path();
    // The version under its other name, which goes last.
    let aside = root.join(".mutagen-temporary-sinc-n-1");
    let synced = synced_by_keep(root, &dir.path().join("state"), &aside);
    for one in ["before B/.mutagen-temporary-sinc-part-n-", "before B/files", "before B"] {
        assert!(synced.iter().any(|line| line.starts_with(one)), "{one}: {synced:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_said_for_each_path() {
    let bench = Bench::new();
    let missing = bench.root().join("missing");
    // Not even there: as a read-only one, the probe in it fails, and the shell goes on (dash ends at a failed `:`).
    let kept = bench.keeper().keep(
        missing.to_str().unwrap(),
        "push",
        1,
        "2026-11-23 18:14:45",
        &[PathBuf::from("a")],
    );
    assert_eq!(kept.unwrap().paths, [(PathBuf::from("a"), Outcome::Gone)]);
    std::fs::create_dir_all(bench.root().join("d")).unwrap();
    std::fs::write(bench.root().join("d/a"), "a").unwrap();
    let read_only = Cmd::new("mount", "make it read-only")
        .args(["--bind", "-o", "ro"])
        .arg(bench.root())
        .arg(bench.root());
    if !rustix::process::geteuid().is_root() || Runner::default().answer(&read_only).is_err() {
        return;
    }
    let kept = bench.keeper().keep(
        bench.root().to_str().unwrap(),
        "push",
        1,
        "2026-11-23 18:14:46",
        &[PathBuf::from("d/a")],
    );
    let unmount = Cmd::new("umount", "as it was").arg("-l").arg(bench.root());
    Runner::default().answer(&unmount).unwrap();
    let kept = kept.unwrap();
    assert!(matches!(&kept.paths[0].1, Outcome::Failed(why) if why.contains("Read-only")), "{kept:?}");
    assert_eq!(std::fs::read(bench.root().join("d/a")).unwrap(), b"a");
}
