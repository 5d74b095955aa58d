//! Passes a program's output on from a certain line.

use std::io::{BufRead, BufReader, Read, Result, Write};

/// Passes on what comes after the first line that ends with `mark`.
///
/// # Errors
/// One of the two cannot be read or written any more.
pub fn after(mark: &str, from: impl Read, to: &mut dyn Write) -> Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while !line.trim_ascii_end().ends_with(mark.as_bytes()) {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
    }
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(piece)?;
        to.flush()?;
        let length = piece.len();
        from.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_mark_is_left_out() {
        let passed = |text: &[u8]| {
            let mut to = Vec::new();
            after("mark 1", text, &mut to).map(|()| to).unwrap()
        };
        assert_eq!(passed(b"mark 1\nx\0\xff\n\nmark 1\n"), b"x\0\xff\n\nmark 1\n");
        assert_eq!(passed(b"noise\nmore mark 1\r\nx"), b"x");
        assert_eq!(passed(b"noise only\n"), b"");
        assert_eq!(passed(b""), b"");
    }
}
