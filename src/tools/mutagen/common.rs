//! What two memories of Mutagen's have in common: what was the same at both times. The format is told in `archive.rs`.

use std::collections::HashMap;

use super::archive::{CONTENT, CONTENTS, ENTRY, Fields, NAME, Value};

/// So many directories lie in each other at the most: what is deeper is not understood. (A thread of the link has a small stack.)
const DEEPEST: usize = 250;

/// The older memory without whatever is not there any more, or is something else, in the newer one. Nothing when one of them
/// is not understood.
pub(super) fn common(older: &[u8], newer: &[u8]) -> Option<Vec<u8>> {
    let mut left = Vec::new();
    if let (Some(older), Some(newer)) = (content(older)?, content(newer)?)
        && let Some(entry) = shared(older, newer, 0)?
    {
        put(&mut left, CONTENT, &entry);
    }
    Some(left)
}

/// Is it a memory?
pub(super) fn is_understood(memory: &[u8]) -> bool {
    common(memory, memory).is_some()
}

fn content(archive: &[u8]) -> Option<Option<&[u8]>> {
    let mut found = None;
    for field in Fields(archive) {
        if let (CONTENT, Value::Bytes(content)) = field? {
            found = Some(content);
        }
    }
    Some(found)
}

/// An entry, taken apart.
#[derive(Default)]
struct Parts<'a> {
    /// What it is by itself: its kind, its digest, whether it is executable.
    own: Vec<u8>,
    /// What is in it.
    below: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Parts<'a> {
    fn of(entry: &'a [u8]) -> Option<Self> {
        let mut parts = Self::default();
        let mut fields = Fields(entry);
        while !fields.0.is_empty() {
            let before = fields.0;
            match fields.field()? {
                (CONTENTS, Value::Bytes(pair)) => parts.below.push(named(pair)?),
                _ => parts.own.extend(&before[..before.len() - fields.0.len()]),
            }
        }
        Some(parts)
    }
}

/// The name and the entry of a pair.
fn named(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut name, mut entry): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields(pair) {
        match field? {
            (NAME, Value::Bytes(bytes)) => name = bytes,
            (ENTRY, Value::Bytes(bytes)) => entry = bytes,
            _ => {}
        }
    }
    Some((name, entry))
}

/// What an entry has in common with another one, if it is the same thing. What is in a directory stands in any order.
fn shared(older: &[u8], newer: &[u8], depth: usize) -> Option<Option<Vec<u8>>> {
    if depth > DEEPEST {
        return None;
    }
    let (older, newer) = (Parts::of(older)?, Parts::of(newer)?);
    if older.own != newer.own {
        return Some(None);
    }
    let mut left = older.own;
    let others: HashMap<&[u8], &[u8]> = newer.below.into_iter().collect();
    for (name, entry) in older.below {
        let Some(other) = others.get(name) else { continue };
        if let Some(kept) = shared(entry, other, depth + 1)? {
            let mut pair = Vec::with_capacity(name.len() + kept.len() + 12);
            put(&mut pair, NAME, name);
            put(&mut pair, ENTRY, &kept);
            put(&mut left, CONTENTS, &pair);
        }
    }
    Some(Some(left))
}

/// Adds a field with bytes.
fn put(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    number(message, field << 3 | 2);
    number(message, bytes.len() as u64);
    message.extend(bytes);
}

fn number(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::test_kit::{field, file, memory, named};

    #[test]
    fn what_is_the_same_is_left() {
        let long = "n".repeat(300);
        let all = [("a", 1), ("b", 2), (long.as_str(), 3)];
        let whole = memory(&all);
        assert_eq!(common(&whole, &whole), Some(whole.clone()));
        // In another order, one changed, one gone, one new.
        let later = memory(&[("new", 9), (&long, 3), ("b", 7)]);
        assert_eq!(common(&whole, &later), Some(memory(&[(&long, 3)])));
        assert_eq!(common(&whole, &[]), Some(vec![]));
        assert_eq!(common(&[], &whole), Some(vec![]));
        // The executable bit counts too.
        let executable = field(1, &named("a", &[file(1), vec![9 << 3, 1]].concat()));
        assert_eq!(common(&memory(&[("a", 1)]), &executable), Some(field(1, &[])));
    }

    #[test]
    fn a_directory_that_was_gone_has_nothing_of_what_was_in_it() {
        let dir = |files: &[(&str, u8)]| -> Vec<u8> {
            files.iter().flat_map(|(name, content)| named(name, &file(*content))).collect()
        };
        let tree = |inner: &[u8]| field(1, &[named("dir", inner), named("a", &file(1))].concat());
        let older = tree(&dir(&[("x", 1), ("y", 2)]));
        assert_eq!(common(&older, &tree(&dir(&[("x", 1), ("y", 3)]))), Some(tree(&dir(&[("x", 1)]))));
        assert_eq!(common(&older, &tree(&file(5))), Some(memory(&[("a", 1)])));
        assert_eq!(common(&older, &memory(&[("a", 1)])), Some(memory(&[("a", 1)])));
    }

    #[test]
    fn what_breaks_off_or_is_too_deep_is_not_understood() {
        let whole = memory(&[("a", 1), ("b", 2)]);
        for length in 1..whole.len() {
            assert_eq!(common(&whole[..length], &whole), None, "{length} bytes");
            assert!(!is_understood(&whole[..length]));
        }
        let deep = |depth: usize| field(1, &(0..depth).fold(Vec::new(), |below, _| named("d", &below)));
        assert!(is_understood(&deep(DEEPEST)) && !is_understood(&deep(DEEPEST + 1)));
    }
}
