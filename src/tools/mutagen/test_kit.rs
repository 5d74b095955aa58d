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
