//! Git's ignore lines, said in Mutagen's syntax.
//!
//! The two agree on most: `!`, a slash at the start or in the middle ties a pattern to the root, a slash at the end
//! means directories only, `*`, `?`, `**/`. They differ in braces (plain characters for git), in what may stand within
//! brackets, in a final `/**` (for git not the directory itself), and in what happens to a line that makes no sense
//! (git: it never matches; Mutagen: no session). One difference stays: `[^a]` matches a slash in Mutagen, so `x[^a]y`
//! also ignores `x/y`.

use super::{IgnorePattern, LineError, MOST_PATTERNS, Pattern, Source, lines};

/// The patterns of the project's root `.gitignore`, converted. Files of the same name further down, `.git/info/exclude`
/// and the user's own git settings are not read.
pub fn from_gitignore(text: &str) -> Result<Vec<Pattern>, LineError> {
    let mut patterns = Vec::new();
    for (line, text) in lines(text) {
        let Some(pattern) = convert(text).and_then(|text| IgnorePattern::parse(&text).ok()) else { continue };
        patterns.push(Pattern { pattern, source: Source::GitIgnore { line } });
        if patterns.len() > MOST_PATTERNS {
            return Err(LineError { line, message: format!("more than {MOST_PATTERNS} patterns") });
        }
    }
    Ok(patterns)
}

/// One line; nothing where git ignores it or where it can never match.
fn convert(line: &str) -> Option<String> {
    let line = without_trailing_spaces(line);
    // A line with control characters (the `Icon` of macOS, which ends in one) or with bytes that are no text names
    // files that Mutagen could not be told of.
    if line.starts_with('#') || line.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let (negation, glob) = match line.strip_prefix('!') {
        Some(glob) => ("!", glob),
        None => ("", line),
    };
    // What Mutagen would clean away, and git compares as it stands: it matches no path.
    let inner = glob.strip_prefix('/').unwrap_or(glob);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    let glob = translate(glob)?;
    let glob = match glob.strip_suffix("/**") {
        Some(directory) => format!("{directory}/**/*"),
        None => match glob.strip_suffix("/**/") {
            Some(directory) => format!("{directory}/**/*/"),
            None => glob,
        },
    };
    Some(format!("{negation}{glob}"))
}

/// Git removes spaces at the end, and only those; one after a backslash stays.
fn without_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|b| *b == b'\\').count();
    if backslashes % 2 == 1 && trimmed.len() < line.len() { &line[..=trimmed.len()] } else { trimmed }
}

/// The glob, with what means something else to Mutagen escaped; nothing where git takes it for broken.
fn translate(glob: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = glob.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '/' => out.push('/'),
                escaped => out.extend(['\\', escaped]),
            },
            // Three and more stars are two to git; Mutagen knows only one and two.
            '*' if out.ends_with("**") => {}
            '{' | '}' => out.extend(['\\', c]),
            '[' => translate_class(&mut chars, &mut out)?,
            c => out.push(c),
        }
    }
    Some(out)
}

/// The rest of `[…]`.
fn translate_class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if let Some(negation) = chars.next_if(|c| matches!(c, '!' | '^')) {
        out.push(negation);
    }
    let mut first = true;
    loop {
        match chars.next()? {
            ']' if !first => break,
            '\\' => out.extend(['\\', chars.next()?]),
            '[' if chars.peek() == Some(&':') => {
                chars.next();
                let mut name = String::new();
                while let Some(c) = chars.next_if(char::is_ascii_lowercase) {
                    name.push(c);
                }
                if (chars.next()?, chars.next()?) != (':', ']') {
                    return None;
                }
                out.push_str(named_class(&name)?);
            }
            // Git's `*`, `?` and classes never match a slash.
            '/' => return None,
            c @ (']' | '[' | '{' | '}' | ',') => out.extend(['\\', c]),
            c => out.push(c),
        }
        first = false;
    }
    out.push(']');
    Some(())
}

/// The characters of `[:name:]`, as they stand within brackets, without control characters and without the slash,
/// which no class matches.
fn named_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "a-zA-Z0-9",
        "alpha" => "a-zA-Z",
        "blank" | "space" => " ",
        "digit" => "0-9",
        "graph" => "\\!-.0-~",
        "lower" => "a-z",
        "print" => " -.0-~",
        "punct" => "\\!-.:-@\\[-`\\{-~",
        "upper" => "A-Z",
        "xdigit" => "0-9a-fA-F",
        _ => return None,
    })
}
