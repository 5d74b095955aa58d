//! What both sides had in common after a session's last completed cycle, as Mutagen remembers it: what is in there and
//! missing on a side is what a cycle takes for deleted. `list` does not tell while a session is paused or not connected.
//!
//! The file is `archives/<identifier>` below the data directory (`pathForArchive` in `pkg/synchronization/paths.go`), an
//! `Archive` of `pkg/synchronization/core/archive.proto` and `entry.proto` in protobuf's wire format; each cycle that
//! changed something replaces it whole. Only the three fields that say what is a file are read, and nothing is built of
//! it: a project of 100,000 files is 6 MB.

use std::io;

use super::client::Mutagen;

/// `Archive.content`; in an entry of the map, the name and the entry.
pub(super) const CONTENT: u64 = 1;
pub(super) const NAME: u64 = 1;
pub(super) const ENTRY: u64 = 2;
/// `Entry.kind` and `Entry.contents`.
const KIND: u64 = 1;
pub(super) const CONTENTS: u64 = 5;
/// `EntryKind_File`.
const FILE: u64 = 1;

/// So many directories lie in each other at the most: no path on Linux or macOS is longer.
const DEEPEST: usize = 4096;

impl Mutagen {
    /// Passes on the path of each file, below the directory, that both sides had after the session's last completed
    /// cycle. None before the first one, and after [`Mutagen::reset`].
    ///
    /// # Errors
    /// There is no such session (`NotFound`), or its memory cannot be read or is not understood.
    pub fn each_known_file(&self, id: &str, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        let bytes = std::fs::read(self.data_dir.join("archives").join(id))?;
        read(&bytes, each).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

fn read(archive: &[u8], each: &mut dyn FnMut(&str)) -> Option<()> {
    let mut path = String::new();
    for field in Fields(archive) {
        if let (CONTENT, Value::Bytes(content)) = field? {
            entry(content, &mut path, 0, each)?;
        }
    }
    Some(())
}

fn entry(bytes: &[u8], path: &mut String, depth: usize, each: &mut dyn FnMut(&str)) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    for field in Fields(bytes) {
        match field? {
            (KIND, Value::Number(FILE)) => each(path),
            (CONTENTS, Value::Bytes(pair)) => {
                let (mut name, mut below): (&[u8], &[u8]) = (&[], &[]);
                for field in Fields(pair) {
                    match field? {
                        (NAME, Value::Bytes(bytes)) => name = bytes,
                        (ENTRY, Value::Bytes(bytes)) => below = bytes,
                        _ => {}
                    }
                }
                let length = path.len();
                if length > 0 {
                    path.push('/');
                }
                path.push_str(std::str::from_utf8(name).ok()?);
                entry(below, path, depth + 1, each)?;
                path.truncate(length);
            }
            _ => {}
        }
    }
    Some(())
}

/// The value of a field, as far as the wire tells its type.
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, in order; nothing, once it is not one.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.bytes(8).map(|_| Value::Other)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Other)?,
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::test_kit::{field as bytes, named};

    fn files(archive: &[u8]) -> Option<Vec<String>> {
        let mut found = Vec::new();
        read(archive, &mut |path| found.push(path.to_owned()))?;
        Some(found)
    }

    #[test]
    fn files_are_named_and_nothing_else_is() {
        let file = [vec![8, 1], bytes(8, &[7; 20]), vec![9 << 3, 1]].concat();
        let link = [vec![8, 2], bytes(12, b"a")].concat();
        let long = "é".repeat(100);
        let dir = [named(&long, &file), named("empty", &[]), named("l", &link)].concat();
        let root = [named("a", &file), named("b c", &dir)].concat();
        let found = files(&bytes(1, &root)).unwrap();
        assert_eq!(found, ["a".to_owned(), format!("b c/{long}")]);
        // No memory yet, an empty directory, a root that is a file.
        assert_eq!(files(&[]), Some(vec![]));
        assert_eq!(files(&bytes(1, &[])), Some(vec![]));
        assert_eq!(files(&bytes(1, &file)), Some(vec![String::new()]));
        // Fields of a later version, of every type.
        let later =
            [vec![10 << 3 | 1, 1, 0, 0, 0, 0, 0, 0, 0], vec![13 << 3 | 5, 1, 2, 3, 4], bytes(15, b"x")];
        let archive = bytes(1, &[later.concat(), vec![8, 1]].concat());
        assert_eq!(files(&archive), Some(vec![String::new()]));
    }

    #[test]
    fn what_breaks_off_is_not_understood() {
        let file = [vec![8, 1], bytes(8, &[7; 20])].concat();
        let whole = bytes(1, &[named("a", &file), named("b", &named("c", &file))].concat());
        assert_eq!(files(&whole).unwrap(), ["a", "b/c"]);
        for length in 1..whole.len() {
            assert_eq!(files(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(files(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(files(b"nonsense"), None);
    }
}
