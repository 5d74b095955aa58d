//! Which ignore patterns Mutagen takes.

/// Would Mutagen take this pattern? One that it refuses makes `sync create` fail as a whole, so each is checked
/// where it is read.
///
/// The rules are those of `newIgnorePattern` (`pkg/synchronization/core/ignore/mutagen/ignore.go`) and of
/// `ValidatePattern` (`doublestar` 4.7.1, `validate.go`).
#[must_use]
pub fn is_valid_ignore(pattern: &str) -> bool {
    let path = pattern.strip_prefix('!').unwrap_or(pattern);
    !matches!(path, "" | "/" | "//") && is_valid_glob(path.as_bytes())
}

fn is_valid_glob(glob: &[u8]) -> bool {
    let mut open_braces = 0_u32;
    let mut bytes = glob.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if bytes.next().is_none() => return false,
            b'[' => {
                let mut first = bytes.next();
                if matches!(first, Some(b'^' | b'!')) {
                    first = bytes.next();
                }
                let mut member = match first {
                    None | Some(b']') => return false,
                    member => member,
                };
                loop {
                    match member {
                        None => return false,
                        Some(b']') => break,
                        Some(b'\\') => drop(bytes.next()),
                        Some(_) => {}
                    }
                    member = bytes.next();
                }
            }
            b'{' => open_braces += 1,
            b'}' => match open_braces.checked_sub(1) {
                Some(left) => open_braces = left,
                None => return false,
            },
            _ => {}
        }
    }
    open_braces == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_mutagen_takes() {
        for pattern in [
            "dist", "/target", "!keep", "a,b", "*.{o,a}", "[^a-c]x", "a]", "a\\[b", "[\\]]", "**/x", "é",
            "//x",
        ] {
            assert!(is_valid_ignore(pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_it_refuses() {
        for pattern in ["", "!", "/", "//", "!/", "[", "[a", "[]", "[^]", "a{b", "a}b", "x\\", "[a\\"] {
            assert!(!is_valid_ignore(pattern), "{pattern}");
        }
    }
}
