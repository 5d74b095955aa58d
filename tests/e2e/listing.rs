//! What is in a directory on both sides, asked of a real host.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sinc::config::Destination;
use sinc::ignore::Matcher;
use sinc::listing::{
    Pair, Rights, What, compare, list_local, list_remote, local_digests, remote_digests, undecided,
};
use sinc::process::Runner;
use sinc::remote::Remote;

use crate::flush::lock_directory;
use crate::support::e2e::Bed;

/// Names that are hard on shells, on formats, and on eyes.
const NAMES: [&[u8]; 11] = [
    b"plain",
    b" sp ace ",
    b"it's \"q\"",
    b"$(touch pwned)",
    b"-dash",
    b"new\nline\n",
    b"back\\slash",
    b"\xff\xfe",
    "é日本".as_bytes(),
    b"tab\tend",
    b"%s \\0 !x #{y} `id`",
];

/// Runs the other half of a test as a process that has the person's environment, and so their ssh.
#[track_caller]
pub(crate) fn as_the_person(bed: &Bed, test: &str) {
    let binary = std::env::current_exe().unwrap();
    let words = ["--exact", test, "--ignored", "--nocapture"];
    let run = bed.sandbox.run(binary.to_str().unwrap(), &words).success();
    assert!(run.stdout.contains("1 passed"), "{run}");
    for line in run.stdout.lines().filter(|line| line.starts_with("listed")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// In the other half: the host, the directory here, the one there.
pub(crate) fn host() -> (Remote, PathBuf, PathBuf) {
    let home = std::env::home_dir().unwrap();
    let alias = std::fs::read_to_string(home.join("alias")).unwrap();
    let there = std::fs::read_to_string(home.join("there")).unwrap();
    let destination = Destination::parse(&alias).unwrap();
    let remote = Remote::new("box", destination, &home.join(".sinc/cm"), Runner::default());
    (remote, home.join("app"), there.into())
}

/// Tells the other half of a test where the host's directory is.
pub(crate) fn tell(bed: &Bed, there: &Path) {
    bed.sandbox.write("alias", bed.host.alias());
    bed.sandbox.write("there", there.to_str().unwrap());
}

fn bed(name: &str) -> Option<(Bed, PathBuf, PathBuf)> {
    let bed = Bed::new()?;
    let here = bed.sandbox.project("app");
    let there = bed.host.remote_home().join(name);
    std::fs::create_dir(&there).unwrap();
    tell(&bed, &there);
    Some((bed, here, there))
}

#[test]
fn both_sides_are_listed_alike_whatever_the_names() {
    let Some((bed, here, there)) = bed("it's $(touch pwned) !x") else { return };
    for root in [&here, &there] {
        for name in NAMES {
            std::fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
        }
        std::fs::create_dir_all(root.join("sub/node_modules")).unwrap();
        std::fs::write(root.join("sub/node_modules/x"), root.as_os_str().as_bytes()).unwrap();
        std::fs::write(root.join("sub/.mutagen-temporary-sinc-1"), root.as_os_str().as_bytes()).unwrap();
        symlink("no\nwhere", root.join("link")).unwrap();
    }
    std::fs::write(there.join("plain"), "PLAIN").unwrap();
    std::fs::write(there.join("sub/new"), "x").unwrap();
    as_the_person(&bed, "listing::lists_both_sides");
    let _locked = Locked::new(&bed, there.join("sub"));
    std::fs::set_permissions(there.join("plain"), std::fs::Permissions::from_mode(0o000)).unwrap();
    as_the_person(&bed, "listing::knows_the_rights");
}

/// A directory that nobody may write to, for as long as this lives.
struct Locked<'a>(&'a Bed, PathBuf);

impl<'a> Locked<'a> {
    fn new(bed: &'a Bed, dir: PathBuf) -> Self {
        lock_directory(bed, &dir, true);
        Self(bed, dir)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        lock_directory(self.0, &self.1, false);
    }
}

#[test]
#[ignore = "the other half of a test"]
fn knows_the_rights() {
    let (remote, here, there) = host();
    let there = there.to_str().unwrap();
    let ignored = Matcher::new(&["node_modules"]);
    let pair = Pair { local: &here, host: &remote, remote: there };
    let (listing, _) = pair.list(&ignored, Some(Duration::from_secs(60))).unwrap();
    let (local, far) = pair.rights(&listing, &ignored, None).unwrap();
    assert_eq!(local, Rights::default());
    // Root reads what nobody may.
    let unreadable = if rustix::process::geteuid().is_root() { None } else { Some(PathBuf::from("plain")) };
    let unwritable = [PathBuf::from("sub")].into();
    assert_eq!(far, Rights { unreadable: unreadable.into_iter().collect(), unwritable });
    // The time that is given counts.
    pair.list(&ignored, Some(Duration::ZERO)).unwrap_err();
}

#[test]
#[ignore = "the other half of a test"]
fn lists_both_sides() {
    let (remote, here, there) = host();
    let there = there.to_str().unwrap();
    let ignored = Matcher::new(&["node_modules"]);
    let mut local = list_local(&here, &ignored).unwrap();
    let mut far = list_remote(&remote, there, &ignored).unwrap();
    assert!(far.unread.is_empty(), "{:?}", far.unread);
    let asked = undecided(&compare(&local, &far));
    assert_eq!(asked.len(), NAMES.len());
    local.add_digests(local_digests(&here, &asked).unwrap());
    far.add_digests(remote_digests(&remote, there, &asked).unwrap());
    let found = compare(&local, &far);
    let named: Vec<_> = found.iter().map(|one| (one.path.as_path(), one.what)).collect();
    assert_eq!(named, [(Path::new("plain"), What::Content), (Path::new("sub/new"), What::OnlyThere)]);
    let plain = far.entries[Path::new("plain")].clone();
    assert_eq!((plain.size, plain.mode), (5, local.entries[Path::new("plain")].mode));
    assert!((plain.mtime - local.entries[Path::new("plain")].mtime).abs() < 100);
    let missing = list_remote(&remote, "/no/such directory", &ignored).unwrap_err();
    assert!(format!("{missing:#}").contains("no/such"), "{missing:#}");
}

#[test]
fn ten_thousand_files_cost_well_below_a_second() {
    let Some((bed, here, there)) = bed("many") else { return };
    for root in [&here, &there] {
        for directory in 0..100 {
            let directory = root.join(format!("d{directory}"));
            std::fs::create_dir(&directory).unwrap();
            for file in 0..100 {
                std::fs::write(directory.join(format!("f{file}")), vec![b'x'; 2000]).unwrap();
            }
        }
    }
    as_the_person(&bed, "listing::lists_ten_thousand");
}

#[test]
#[ignore = "the other half of a test"]
fn lists_ten_thousand() {
    let (remote, here, there) = host();
    let there = there.to_str().unwrap();
    let ignored = Matcher::new(sinc::ignore::ALWAYS);
    // The connection is there, as it is after a `sinc`.
    list_remote(&remote, "/", &Matcher::new(&["*"])).unwrap();
    let mut took = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let (local, far) = std::thread::scope(|scope| {
            let local = scope.spawn(|| list_local(&here, &ignored));
            (local.join().unwrap().unwrap(), list_remote(&remote, there, &ignored).unwrap())
        });
        let listed = began.elapsed();
        let asked = undecided(&compare(&local, &far));
        assert_eq!(asked.len(), 10_000);
        let (mut local, mut far) = (local, far);
        std::thread::scope(|scope| {
            let digests = scope.spawn(|| local_digests(&here, &asked));
            far.add_digests(remote_digests(&remote, there, &asked).unwrap());
            local.add_digests(digests.join().unwrap().unwrap());
        });
        assert!(compare(&local, &far).is_empty());
        took.push((listed, began.elapsed()));
    }
    took.sort();
    let _ = writeln!(std::io::stdout(), "listed, compared: {took:?}");
    // A busy machine gets ten times what a quiet one needs.
    assert!(took[0].1 < Duration::from_secs(10), "{took:?}");
}
