//! The project of a demo: a README, notes to edit, and a source tree that is large enough for numbers to mean
//! something.

use std::io;
use std::path::Path;

/// The directories of the source tree.
pub(super) const AREAS: [&str; 10] =
    ["api", "auth", "cache", "cli", "db", "http", "mail", "queue", "search", "web"];

/// The files in each of them.
const PARTS: [&str; 20] = [
    "client", "codec", "config", "errors", "events", "filters", "format", "index", "limits", "metrics",
    "model", "parser", "pool", "retry", "router", "schema", "server", "state", "tests", "worker",
];

const README: &str = "\
# hello

A sample project, made by `sinc demo` on a throw-away host. Everything in it goes when the demo ends.

    notes.md       a file to edit, on either side
    src/           200 small files, so that the numbers mean something
    count.sh       something to run on the host: `sh count.sh`
";

const NOTES: &str = "\
# Notes

Change this line on one side, and look at it on the other.
";

const COUNT: &str = "\
#!/bin/sh
# How large is the source tree?
cd \"$(dirname \"$0\")\" || exit
find src -type f | wc -l
find src -type f -exec cat {} + | wc -l
";

/// How large a project is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many files.
    pub files: u64,
    /// How many bytes they hold.
    pub bytes: u64,
}

/// Makes the project in `dir`.
pub(super) fn make(dir: &Path) -> io::Result<Size> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("README.md"), README)?;
    std::fs::write(dir.join("notes.md"), NOTES)?;
    std::fs::write(dir.join("count.sh"), COUNT)?;
    for area in AREAS {
        let area_dir = dir.join("src").join(area);
        std::fs::create_dir_all(&area_dir)?;
        for part in PARTS {
            std::fs::write(area_dir.join(format!("{part}.rs")), source(area, part))?;
        }
    }
    size(dir)
}

/// The size of a project, whichever side it is on. What sinc itself put there does not count.
pub(super) fn size(dir: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let below = self::size(&entry.path())?;
            size.files += below.files;
            size.bytes += below.bytes;
        } else if entry.file_name() != ".sinc-session" {
            size.files += 1;
            size.bytes += entry.metadata()?.len();
        }
    }
    Ok(size)
}

fn source(area: &str, part: &str) -> String {
    let mut text = format!("//! The {part} of {area}.\n\nuse crate::{area};\n");
    for number in 1..=12 {
        text.push_str(&format!(
            "\n/// Step {number} of the {part}.\npub fn step_{number}(input: u64) -> u64 {{\n    \
             {area}::trace(\"{part}\", {number});\n    input.rotate_left({number})\n}}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_large_enough_and_small_enough() {
        let dir = tempfile::tempdir().unwrap();
        let made = make(dir.path()).unwrap();
        assert_eq!(made.files, 203);
        assert!((100_000..1_000_000).contains(&made.bytes), "{}", made.bytes);
        std::fs::write(dir.path().join(".sinc-session"), "id x\n").unwrap();
        assert_eq!(size(dir.path()).unwrap(), made);
    }
}
