//! Both sides on the same tree: the scripts run here as they would on a host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::ignore::Matcher;

fn entry(kind: Kind, size: u64) -> Entry {
    Entry { kind, size, mode: 0o644, mtime: 1, target: None, digest: None }
}

fn file(size: u64, digest: &str) -> Entry {
    Entry { digest: Some(digest.to_owned()), ..entry(Kind::File, size) }
}

fn listing(entries: &[(&str, Entry)]) -> Listing {
    let entries = entries.iter().map(|(path, entry)| (PathBuf::from(path), entry.clone())).collect();
    Listing { entries, unread: Vec::new() }
}

#[test]
fn every_way_to_differ() {
    let link = |target: &str| Entry { target: Some(target.into()), ..entry(Kind::Link, 0) };
    let script = Entry { mode: 0o755, ..file(3, "aa") };
    let here = listing(&[
        ("dir", entry(Kind::Directory, 0)),
        ("dir/new\nline", file(1, "x")),
        ("empty", entry(Kind::File, 0)),
        ("group", entry(Kind::Directory, 0)),
        ("group/a", file(1, "x")),
        ("here", file(1, "x")),
        ("kind", file(1, "x")),
        ("link", link("a")),
        ("mode", script),
        ("same", file(9, "aa")),
        ("size", entry(Kind::File, 1)),
        ("sum", file(2, "aa")),
        ("unknown", entry(Kind::File, 5)),
    ]);
    let there = listing(&[
        ("dir", Entry { mode: 0o700, ..entry(Kind::Directory, 0) }),
        ("dir/new\nline", file(1, "y")),
        ("empty", entry(Kind::File, 0)),
        ("kind", entry(Kind::Directory, 0)),
        ("kind/below", file(1, "x")),
        ("link", link("b")),
        ("mode", file(3, "aa")),
        ("same", Entry { mtime: 99, mode: 0o600, ..file(9, "aa") }),
        ("size", entry(Kind::File, 2)),
        ("sum", file(2, "bb")),
        ("there", file(1, "x")),
        ("unknown", entry(Kind::File, 5)),
    ]);
    let found = compare(&here, &there);
    let named: Vec<_> = found.iter().map(|one| (one.path.to_str().unwrap(), one.what)).collect();
    assert_eq!(
        named,
        [
            ("dir/new\nline", What::Content),
            ("group", What::OnlyHere),
            ("group/a", What::OnlyHere),
            ("here", What::OnlyHere),
            ("kind", What::Kind),
            ("kind/below", What::OnlyThere),
            ("link", What::Content),
            ("mode", What::Mode),
            ("size", What::Content),
            ("sum", What::Content),
            ("there", What::OnlyThere),
            ("unknown", What::Unknown),
        ]
    );
    assert_eq!(undecided(&found), [PathBuf::from("unknown")]);
    let roots: Vec<_> = tops(&found).map(|one| one.path.to_str().unwrap()).collect();
    assert_eq!(
        roots,
        ["dir/new\nline", "group", "here", "kind", "link", "mode", "size", "sum", "there", "unknown"]
    );
    let open = [PathBuf::from("kind"), PathBuf::from("same")];
    assert_eq!(settled(&found, &open).count(), 2);
    assert!(compare(&here, &here).iter().all(|one| one.what == What::Unknown));
    assert_eq!(here.below(Path::new("group")).count(), 2);
}

#[test]
fn what_mutagen_leaves_alone_is_no_difference_that_it_would_settle() {
    let link = |target: &str| Entry { target: Some(target.into()), ..entry(Kind::Link, 0) };
    let one = |path: &OsStr, entry: Entry| Difference {
        path: path.into(),
        what: What::OnlyHere,
        local: Some(entry),
        remote: None,
    };
    assert!(one(OsStr::new("a"), file(1, "x")).is_synced());
    assert!(!one(OsStr::from_bytes(b"\xff"), file(1, "x")).is_synced());
    assert!(!one(OsStr::new("p"), entry(Kind::Other, 0)).is_synced());
    for (path, target, synced) in [
        ("l", "a/b", true),
        ("d/l", "../a", true),
        ("l", "../a", false),
        ("d/l", "../../a", false),
        ("l", "/etc", false),
        ("l", "a:b", false),
        ("l", "a\\b", false),
        ("d/l", "../d/../../x", false),
    ] {
        assert_eq!(one(OsStr::new(path), link(target)).is_synced(), synced, "{path} -> {target}");
    }
}

/// Names that are hard on shells, on formats, and on eyes.
const NAMES: [&[u8]; 12] = [
    b"plain",
    b" sp ace ",
    b"it's",
    b"\"q\"",
    b"$(touch pwned)",
    b"-dash",
    b"new\nline",
    b"back\\slash",
    b"\xff\xfe",
    "é日本".as_bytes(),
    b"tab\tend\n",
    b"%s \\0 !x #{y} `id`",
];

#[test]
fn a_tree_is_listed_whatever_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("ro'ot $x");
    std::fs::create_dir(&root).unwrap();
    for name in NAMES {
        std::fs::write(root.join(OsStr::from_bytes(name)), name).unwrap();
    }
    std::fs::create_dir_all(root.join("sub/node_modules/x")).unwrap();
    std::fs::write(root.join("sub/node_modules/x/y"), "ignored").unwrap();
    std::fs::write(root.join("sub/.mutagen-temporary-sinc-1"), "passed over").unwrap();
    std::fs::write(root.join("sub/run"), "#!").unwrap();
    std::fs::set_permissions(root.join("sub/run"), PermissionsExt::from_mode(0o750)).unwrap();
    symlink("no\nwhere", root.join("link")).unwrap();
    let matcher = Matcher::new(&["node_modules"]);
    let listing = list_local(&root, &matcher).unwrap();
    let mut expected: Vec<PathBuf> = NAMES.iter().map(|name| OsStr::from_bytes(name).into()).collect();
    expected.extend(["link", "sub", "sub/run"].map(PathBuf::from));
    expected.sort();
    assert_eq!(listing.entries.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(listing.entries[Path::new("sub/run")].is_executable());
    assert_eq!(listing.entries[Path::new("link")].target.as_deref(), Some(Path::new("no\nwhere")));
    let digests = local_digests(&root, &expected).unwrap();
    assert_eq!(digests.len(), NAMES.len() + 1, "directories and links have none");
    assert_eq!(digests[Path::new("plain")], hex::encode(<sha1::Sha1 as sha1::Digest>::digest(b"plain")));
}

#[test]
fn what_may_not_be_read_or_written_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["shut", "dark", "fine"] {
        std::fs::create_dir(root.join(name)).unwrap();
        std::fs::write(root.join(name).join("file"), "x").unwrap();
    }
    symlink("nowhere", root.join("link")).unwrap();
    let modes = [("shut", 0o555), ("dark", 0o600), ("fine/file", 0o200)];
    for (name, mode) in modes {
        std::fs::set_permissions(root.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let listing = list_local(root, &Matcher::default()).unwrap();
    let rights = local::rights(root, &listing);
    for (name, _) in modes {
        std::fs::set_permissions(root.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let set = |names: &[&str]| names.iter().map(PathBuf::from).collect::<std::collections::BTreeSet<_>>();
    if rustix::process::geteuid().is_root() {
        // Root may do anything.
        assert_eq!(rights, Rights::default());
    } else {
        assert_eq!(rights, Rights { unreadable: set(&["dark", "fine/file"]), unwritable: set(&["shut"]) });
    }
}
