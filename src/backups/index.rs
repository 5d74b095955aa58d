//! The index of a backup: what was kept, from where, and why; lines that the script reads too.

use std::fmt::Write;
use std::path::PathBuf;

use crate::listing::encode;

/// The index of a backup that is about to be made.
pub(super) fn write(root: &str, by: &str, why: &str, made: u64, paths: &[PathBuf]) -> String {
    let mut text = format!("made {made}\nby {by}\nroot {root}\nwhy {why}\n");
    for path in paths {
        let coded = encode(path);
        let key = if coded.contains('\\') { "coded" } else { "path" };
        let _ = writeln!(text, "{key} {coded}");
    }
    text.push_str("end\n");
    text
}

/// The name of a backup: when it was made in UTC, so that names sort by age, and something of this run's own.
pub(super) fn name(utc: &str, salt: u32) -> String {
    let digits: String = utc.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    format!("{day}-{time}-{salt:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_age() {
        assert_eq!(name("2026-11-23 18:14:45", 0x2f), "20261123-181445-002f");
    }
}
