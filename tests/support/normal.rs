//! Makes output comparable: what differs from run to run gets a name.

use std::path::PathBuf;

/// What to replace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Normal {
    paths: Vec<(String, String)>,
}

impl Normal {
    /// Also shows `path` as `name`.
    pub(crate) fn path(&mut self, path: impl Into<PathBuf>, name: &str) {
        let path = path.into();
        // macOS: /tmp is a link, and programs show either path.
        if let Ok(real) = path.canonicalize()
            && real != path
        {
            self.paths.push((real.to_string_lossy().into_owned(), name.to_owned()));
        }
        self.paths.push((path.to_string_lossy().into_owned(), name.to_owned()));
        // The longest first: a directory before the one that it is in.
        self.paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    }

    /// The text with paths, hashes, ports and times replaced.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in &self.paths {
            text = text.replace(path, name);
        }
        words(&text)
    }
}

/// Goes through the text word by word (letters and digits) and looks at what is around each.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        if let Some(length) = timestamp(rest) {
            out.push_str("[timestamp]");
            rest = &rest[length..];
            continue;
        }
        if let Some((length, unit)) = duration(rest) {
            out.push_str("[time] ");
            out.push_str(unit);
            rest = &rest[length..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        out.push_str(match () {
            () if is_port(&out, word) => "[port]",
            () if is_hash(&out, word) => "[hash]",
            () => word,
        });
        rest = after;
    }
    out
}

/// `2026-11-23T10:11:12.345Z`, also with a blank or an offset.
fn timestamp(text: &str) -> Option<usize> {
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    let fits = bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(shape, byte)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b' '),
            other => other == byte,
        });
    let more = |c: char| c.is_ascii_digit() || ".Z+:".contains(c);
    fits.then(|| shape.len() + text[shape.len()..].find(|c| !more(c)).unwrap_or(text.len() - shape.len()))
}

/// `12 ms`, `1.25 s`: a whole number of seconds is not a measurement but a setting.
fn duration(text: &str) -> Option<(usize, &'static str)> {
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, after) = text.split_at(number);
    let blank = usize::from(after.starts_with(' '));
    let unit = ["ms", "s"].into_iter().find(|unit| {
        after[blank..]
            .strip_prefix(unit)
            .is_some_and(|end| !end.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })?;
    let measured = digits.starts_with(|c: char| c.is_ascii_digit()) && (unit == "ms" || digits.contains('.'));
    measured.then_some((number + blank + unit.len(), unit))
}

fn is_port(before: &str, word: &str) -> bool {
    let five = word.len() == 5 && word.bytes().all(|b| b.is_ascii_digit());
    five && (before.ends_with(':')
        || before.to_ascii_lowercase().trim_end_matches([' ', '=']).ends_with("port"))
}

/// The end of a session id, or hexadecimal digits of a usual length.
fn is_hash(before: &str, word: &str) -> bool {
    let hex = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = word.len() == 6 && before.ends_with('-') && {
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(0, |at| at + 1);
        // The character before may be wider than a byte.
        before.get(start..).is_some_and(|id| id.starts_with("sinc-"))
    };
    let digest = matches!(word.len(), 12 | 16 | 32 | 40 | 64) && word.bytes().any(|b| b.is_ascii_digit());
    hex && (id || digest)
}

#[test]
fn what_differs_from_run_to_run_gets_a_name() {
    let mut normal = Normal::default();
    normal.path("/tmp/sinc-1/home", "$HOME");
    normal.path("/tmp/sinc-1", "$ROOT");
    for (text, expected) in [
        ("/tmp/sinc-1/home/app and /tmp/sinc-1/x", "$HOME/app and $ROOT/x"),
        ("session sinc-my-app-0a1b2c ends", "session sinc-my-app-[hash] ends"),
        ("word-abcdef stays, é-abcdef too", "word-abcdef stays, é-abcdef too"),
        ("took 12 ms, 1.25 s, of 30 s", "took [time] ms, [time] s, of 30 s"),
        ("12ms, 3 miles, 1.5", "[time] ms, 3 miles, 1.5"),
        ("127.0.0.1:23456 port 23456 Port=23456 23456", "127.0.0.1:[port] port [port] Port=[port] 23456"),
        ("at 2026-11-23T10:11:12.345Z.", "at [timestamp]"),
        ("cm/0123456789abcdef", "cm/[hash]"),
        ("sync.rs line 7", "sync.rs line 7"),
    ] {
        assert_eq!(normal.text(text), expected);
    }
}
