//! What several tests need.

use std::path::Path;

use crate::process::{Cmd, Runner};

/// Writes a script and makes it executable. Another program does it: a file that this process has open for writing
/// may be inherited by whatever another test starts at that moment, and cannot be executed until that has ended.
pub(super) fn write_program(path: &Path, text: &str) {
    let write = Cmd::new("sh", "write a program")
        .args(["-c", r#"rm -f "$1" && cat > "$1" && chmod 755 "$1""#, "sh"])
        .arg(path)
        .stdin(text);
    Runner::default().answer(&write).unwrap();
}

/// A field of a memory with bytes.
pub(super) fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut all = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        all.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    all.push(length as u8);
    all.extend(value);
    all
}

/// What a directory in a memory has under this name.
pub(super) fn named(name: &str, entry: &[u8]) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), field(2, entry)].concat())
}

/// A file in a memory; the number stands for its content.
pub(super) fn file(content: u8) -> Vec<u8> {
    [vec![8, 1], field(8, &[content; 20])].concat()
}

/// A memory of a directory with these files.
pub(super) fn memory(files: &[(&str, u8)]) -> Vec<u8> {
    let entries: Vec<u8> = files.iter().flat_map(|(name, content)| named(name, &file(*content))).collect();
    field(1, &entries)
}
