//! Paths as words that any shell reads back with `printf %b`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::process::quote;

/// A path for `printf %b`.
#[must_use]
pub fn encode(path: &Path) -> String {
    quote::octal(path.as_os_str().as_bytes())
}

/// The path that was encoded so; nothing if it was not.
#[must_use]
pub fn decode(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let digits = std::str::from_utf8(after.get(1..4)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 8).ok()?);
            rest = &after[4..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    Some(OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::process::{Cmd, Runner};

    #[test]
    fn any_path_comes_through_a_shell_and_back() {
        for bytes in
            [&b"a/b c"[..], b"it's $(x) `y` \\0 %s", b"new\nline\n", b"\xff\x01", "é日本".as_bytes(), b"-n"]
        {
            let path = Path::new(OsStr::from_bytes(bytes));
            let text = encode(path);
            assert!(text.bytes().all(|b| b.is_ascii_graphic() && b != b'\''), "{text}");
            assert_eq!(decode(&text).as_deref(), Some(path));
            for shell in ["sh", "dash", "bash"] {
                let cmd = Cmd::new(shell, "decode").arg("-c").arg("printf \"%b\" \"$1\"").arg("x").arg(&text);
                match Runner::default().answer(&cmd) {
                    Ok(output) => assert_eq!(output.stdout, bytes, "{shell}"),
                    Err(error) => assert!(error.is_not_found() && shell != "sh", "{error}"),
                }
            }
        }
        assert_eq!(decode("a\\0"), None);
    }
}
