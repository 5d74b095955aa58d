//! Somebody who works on one side: writes, renames, deletes. Each act is one rename of the system's that puts what was
//! there before aside, so that the model knows exactly which versions they had before their eyes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::content;
use super::mass;
use super::model::{Model, Side};
use super::tree;

/// The names that are worked on: few, so that both sides often mean the same.
const NAMES: [&str; 16] = [
    "a",
    "b.txt",
    "dir/c",
    "dir/deep/d e",
    "dir2/ü-日本",
    "it's \"q\" $(x)",
    "-dash",
    "new\nline",
    "Case",
    "case",
    "dir/Case/x",
    "semi;colon/#{x}",
    "dir/deep/e",
    "other/f",
    // One name to a person, and two to Linux.
    "dir2/caf\u{e9}",
    "dir2/cafe\u{301}",
];

/// Directories among them.
const DIRECTORIES: [&str; 5] = ["dir", "dir/deep", "dir2", "other", "semi;colon"];

/// Somebody at work.
#[derive(Debug)]
pub(crate) struct Actor {
    side: Side,
    root: PathBuf,
    aside: PathBuf,
}

impl Actor {
    /// Works in `root`; what they put aside goes to a directory of the same file system.
    pub(crate) fn new(side: Side, root: &Path) -> Self {
        let aside = root.parent().unwrap().join(".put-aside");
        Self { side, root: root.to_owned(), aside }
    }

    /// On which side.
    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// What they took out of the directory.
    pub(crate) fn aside(&self) -> &Path {
        &self.aside
    }

    /// Does one thing, and tells what.
    pub(crate) fn act(&self, rng: &mut Rng, model: &mut Model) -> String {
        if !self.root.is_dir() || std::fs::create_dir_all(&self.aside).is_err() {
            return format!("{}: the directory is not there", self.side);
        }
        let name = NAMES[rng.usize(..NAMES.len())];
        let directory = DIRECTORIES[rng.usize(..DIRECTORIES.len())];
        let done = match rng.u8(..100) {
            0..45 => self.write(name, size(rng), model),
            45..53 => self.link(name, model),
            53..65 => self.delete(name, model),
            65..70 => self.delete(directory, model),
            70..80 => self.rename(name, NAMES[rng.usize(..NAMES.len())]),
            80..85 => self.rename(directory, &format!("{directory}-moved")),
            85..90 => self.toggle_executable(name),
            90..93 => self.write(directory, 40, model),
            93..95 => self.touch(name, rng),
            95..97 => self.change_case(name),
            _ => self.delete_nearly_all(rng, model),
        };
        format!("{}: {done}", self.side)
    }

    /// Makes many small files.
    pub(crate) fn fill(&self, model: &mut Model) {
        std::fs::create_dir_all(&self.aside).unwrap();
        for number in 0..mass::FILES {
            self.write(&format!("{}/{}/{number}", mass::DIRECTORY, number % 8), 30, model);
        }
    }

    /// Deletes most of them: as a whole, or one after the other as `rm -r` does.
    pub(crate) fn delete_many(&self, rng: &mut Rng, model: &mut Model) -> String {
        if rng.bool() {
            return format!("{}: {}", self.side, self.delete(mass::DIRECTORY, model));
        }
        for number in 0..mass::FILES {
            self.delete(&format!("{}/{}/{number}", mass::DIRECTORY, number % 8), model);
        }
        format!("{}: deletes all in {:?}, one by one", self.side, mass::DIRECTORY)
    }

    /// Writes a new version of a file.
    pub(crate) fn write(&self, name: &str, size: usize, model: &mut Model) -> String {
        let number = model.next();
        let temporary = self.aside.join(number.to_string());
        if std::fs::write(&temporary, content::bytes(number, size)).is_err() {
            let _ = std::fs::remove_file(&temporary);
            return format!("no room for {name:?}");
        }
        self.put(number, &temporary, name, model)
    }

    fn link(&self, name: &str, model: &mut Model) -> String {
        let number = model.next();
        let temporary = self.aside.join(number.to_string());
        if std::os::unix::fs::symlink(content::target(number), &temporary).is_err() {
            return format!("no room for the link {name:?}");
        }
        self.put(number, &temporary, name, model)
    }

    /// Puts a finished version into its place, and what was there into its own.
    fn put(&self, number: u64, temporary: &Path, name: &str, model: &mut Model) -> String {
        let path = self.root.join(name);
        let _ = std::fs::create_dir_all(path.parent().unwrap());
        for _ in 0..100 {
            match renameat_with(CWD, temporary, CWD, &path, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    model.wrote(number, self.side, name);
                    return format!("writes {name:?} (v{number})");
                }
                Err(Errno::EXIST) => {}
                Err(_) => break,
            }
            match renameat_with(CWD, temporary, CWD, &path, RenameFlags::EXCHANGE) {
                Ok(()) => {
                    model.wrote(number, self.side, name);
                    model.superseded(tree::versions(temporary));
                    return format!("writes {name:?} again (v{number})");
                }
                // It went away just now.
                Err(Errno::NOENT) => {}
                Err(_) => break,
            }
        }
        let _ = std::fs::remove_file(temporary);
        format!("cannot write {name:?}")
    }

    /// Takes it away.
    pub(crate) fn delete(&self, name: &str, model: &mut Model) -> String {
        let temporary = self.aside.join(format!("gone-{}", model.next()));
        match renameat_with(CWD, self.root.join(name), CWD, &temporary, RenameFlags::NOREPLACE) {
            Ok(()) => {
                model.superseded(tree::versions(&temporary));
                format!("deletes {name:?}")
            }
            Err(_) => format!("has no {name:?} to delete"),
        }
    }

    fn delete_nearly_all(&self, rng: &mut Rng, model: &mut Model) -> String {
        let entries: Vec<_> = std::fs::read_dir(&self.root).into_iter().flatten().flatten().collect();
        let spared = rng.usize(..entries.len().max(1));
        let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).enumerate();
        let names: Vec<_> = names
            .filter(|(at, name)| *at != spared && name != ".sinc-session" && name != mass::DIRECTORY)
            .collect();
        for (_, name) in &names {
            self.delete(name, model);
        }
        format!("deletes nearly all ({} names)", names.len())
    }

    /// Gives it another name, if nothing has that.
    pub(crate) fn rename(&self, from: &str, to: &str) -> String {
        let target = self.root.join(to);
        let _ = std::fs::create_dir_all(target.parent().unwrap());
        match renameat_with(CWD, self.root.join(from), CWD, target, RenameFlags::NOREPLACE) {
            Ok(()) => format!("renames {from:?} to {to:?}"),
            Err(_) => format!("cannot rename {from:?} to {to:?}"),
        }
    }

    /// The same name in capitals, or in small letters again.
    fn change_case(&self, name: &str) -> String {
        let path = Path::new(name);
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        let other =
            if last.chars().any(char::is_lowercase) { last.to_uppercase() } else { last.to_lowercase() };
        let capitals = path.with_file_name(last.to_uppercase());
        // What is written in capitals by now is made small, so that it goes back and forth.
        if !self.root.join(name).exists() && self.root.join(&capitals).exists() {
            return self.rename(&capitals.to_string_lossy(), name);
        }
        self.rename(name, &path.with_file_name(other).to_string_lossy())
    }

    /// Makes it executable, or no more so.
    pub(crate) fn toggle_executable(&self, name: &str) -> String {
        let path = self.root.join(name);
        let Some(metadata) = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file) else {
            return format!("has no file {name:?}");
        };
        let mode = metadata.permissions().mode() ^ 0o111;
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o777));
        format!("makes {name:?} {}executable", if mode & 0o100 == 0 { "not " } else { "" })
    }

    /// A clock that is wrong.
    fn touch(&self, name: &str, rng: &mut Rng) -> String {
        let path = self.root.join(name);
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return format!("has no file {name:?}");
        }
        let hours = [1, 24 * 365][rng.usize(..2)];
        let (distance, now) = (Duration::from_secs(hours * 3600), SystemTime::now());
        let time = if rng.bool() { now + distance } else { now - distance };
        if let Ok(file) = std::fs::File::options().append(true).open(path) {
            let _ = file.set_modified(time);
        }
        format!("sets the time of {name:?} {hours} h off")
    }
}

/// Mostly small, now and then big.
fn size(rng: &mut Rng) -> usize {
    match rng.u8(..10) {
        0 => rng.usize(500_000..4_000_000),
        1..4 => rng.usize(1000..100_000),
        _ => rng.usize(20..1000),
    }
}
