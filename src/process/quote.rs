//! Words for shells.

/// A word for a POSIX shell (bash, zsh, dash): bare where that is safe, else in single quotes.
#[must_use]
pub fn posix(word: &str) -> String {
    let bare = !word.is_empty()
        && !word.starts_with('=')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b));
    if bare { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A word that sh, bash, zsh, dash, fish and tcsh all read as the same bytes, whichever of them is the login
/// shell: always quoted, with the backslash (fish), the quote (all) and `!` (tcsh) taken out of the quotes.
/// Newlines cannot be carried through tcsh: callers refuse them first.
#[must_use]
pub fn universal(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for c in word.chars() {
        match c {
            '\\' => quoted.push_str(r"'\\'"),
            '\'' => quoted.push_str(r"'\''"),
            '!' => quoted.push_str(r"'\!'"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// Bytes for `printf %b`: each that is not plain as a backslash, `0` and three octal digits. No shell reads anything in
/// it but the backslash.
#[must_use]
pub fn octal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"._/-@+,=:".contains(&byte) {
            text.push(byte.into());
        } else {
            text.push_str(&format!("\\0{byte:03o}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posix_quotes_what_a_shell_would_read() {
        assert_eq!(posix("plain-word_1.x/y:z"), "plain-word_1.x/y:z");
        assert_eq!(posix(""), "''");
        assert_eq!(posix("=zsh"), "'=zsh'");
        assert_eq!(posix("~"), "'~'");
        assert_eq!(posix("a'b"), r"'a'\''b'");
    }

    #[test]
    fn universal_takes_the_hard_characters_out() {
        assert_eq!(universal(r"a\b'c!d"), r"'a'\\'b'\''c'\!'d'");
        assert_eq!(universal("$(x) `y` #{z}"), "'$(x) `y` #{z}'");
    }

    #[test]
    fn octal_gives_any_bytes_back() {
        let bytes: Vec<u8> = (1..=255).collect();
        let text = octal(&bytes);
        assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"'!*?[".contains(&b)), "{text}");
        for shell in ["sh", "dash", "bash"] {
            let cmd = crate::process::Cmd::new(shell, "decode").args(["-c", "printf %b \"$1\"", "x", &text]);
            match crate::process::Runner::default().answer(&cmd) {
                Ok(output) => assert_eq!(output.stdout, bytes, "{shell}"),
                Err(error) => assert!(error.is_not_found() && shell != "sh", "{shell}: {error}"),
            }
        }
    }

    #[test]
    fn every_installed_shell_reads_universal_words_alike() {
        let words = [
            "",
            "plain",
            "it's a $HOME `id` \"q\" #(touch pwn) #{host} é !x back\\slash",
            "~root",
            "-n",
            "a  b\ttab",
            "*?[x]{a,b}",
            "\\",
            "!!",
            "=cat",
            "日本語",
            "a;b&c|d<e>f(g)",
            "trailing\\",
            "^$%",
            "'''",
            "\\'!",
        ];
        let line = format!("printf {} {}", universal("%s\\0"), words.map(universal).join(" "));
        let mut tried = Vec::new();
        for shell in ["sh", "bash", "zsh", "dash", "fish", "tcsh"] {
            let cmd = crate::process::Cmd::new(shell, "read words").arg("-c").arg(&line);
            match crate::process::Runner::default().answer(&cmd) {
                Ok(output) => {
                    let got: Vec<_> = output.stdout.split(|&b| b == 0).map(String::from_utf8_lossy).collect();
                    assert_eq!(got[..words.len()], words.map(std::borrow::Cow::Borrowed), "{shell}");
                    tried.push(shell);
                }
                Err(error) => assert!(error.is_not_found(), "{shell}: {error}"),
            }
        }
        assert!(tried.contains(&"sh"));
    }
}
