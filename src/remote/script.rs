//! Text for a remote shell. It is constant and comes from a file in this directory; runtime values only enter as
//! quoted words behind it.
//!
//! The login shell of the account parses what ssh sends, so the whole line must mean the same in sh, bash, zsh,
//! dash, fish and tcsh: `exec sh -c '<script>' sinc '<word>' …`, with [`quote::universal`] for the words, and a
//! script without newline, single quote, backslash or `!`.

use std::sync::OnceLock;

use crate::process::quote;

/// A script of ours, read from a file with comments.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    joined: OnceLock<String>,
}

impl Script {
    /// The script in this file's text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, joined: OnceLock::new() }
    }

    /// The script as one line: comment lines gone, the others joined. The files end each command with `;`.
    #[must_use]
    pub fn line(&self) -> &str {
        self.joined.get_or_init(|| {
            let lines = self.text.lines().map(str::trim);
            let lines: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            lines.join(" ")
        })
    }

    /// The command for ssh that runs it with these words as `$1`, `$2`, ….
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        let mut command = format!("exec sh -c {} sinc", quote::universal(self.line()));
        for word in words {
            command.push(' ');
            command.push_str(&quote::universal(word));
        }
        command
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::process::{Cmd, Runner};

    /// Every script of ours, by file name.
    pub(crate) fn all() -> Vec<(&'static str, &'static Script)> {
        let mut all = vec![
            ("bootstrap.sh", &crate::session::scripts::BOOTSTRAP),
            ("attach.sh", &crate::session::scripts::ATTACH),
            ("pane.sh", &crate::session::scripts::PANE),
            ("agent_check.sh", &crate::session::scripts::AGENT_CHECK),
            ("survey.sh", &crate::session::scripts::SURVEY),
            ("end.sh", &crate::session::scripts::END),
            ("mobile.sh", &crate::session::scripts::MOBILE),
            ("message.sh", &crate::session::scripts::MESSAGE),
            ("status_note.sh", &crate::session::scripts::STATUS_NOTE),
            ("count.sh", &crate::session::scripts::COUNT),
            ("purge.sh", &crate::session::scripts::PURGE),
            ("run.sh", &crate::session::scripts::RUN),
            ("run_guard.sh", &crate::session::scripts::RUN_GUARD),
            ("aside.sh", &crate::session::scripts::ASIDE),
            ("eye.sh", &crate::link::eye::EYE),
            ("gate.sh", &crate::remote::shim::GATE),
            ("boot.sh", &crate::remote::shim::BOOT),
            ("enter.sh", &crate::provision::program::ENTER),
        ];
        all.extend(crate::listing::scripts());
        all.extend(crate::backups::scripts());
        all.extend(crate::git::scripts());
        all
    }

    #[test]
    fn scripts_keep_the_rule_of_the_outer_line() {
        for (name, script) in all() {
            // Of `!` only what the shell has no other name for: quoted for the login shell, as everything is.
            let line = script.line().replace("=$!;", "");
            for forbidden in ['\n', '\'', '\\', '!', '\r', '\t'] {
                assert!(!line.contains(forbidden), "{name} has {forbidden:?}: {line}");
            }
        }
    }

    #[test]
    fn the_joined_line_is_still_a_script_in_every_shell() {
        for (name, script) in all() {
            for shell in ["sh", "dash", "bash"] {
                let cmd = Cmd::new(shell, "check a script").arg("-n").arg("-c").arg(script.line());
                match Runner::default().answer(&cmd) {
                    Ok(_) => {}
                    Err(error) => {
                        assert!(error.is_not_found() && shell != "sh", "{name} in {shell}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_login_shell_gives_the_words_to_the_script_unharmed() {
        static ECHO: Script = Script::new(
            "true & p=$!; wait \"$p\";\nfor word in \"$@\"; do\n# a comment\nprintf \"%s|\" \"$word\";\ndone",
        );
        let words = ["it's", "$(x)", "`y`", "a\\b", "!z", "#{q}", "", "-n", "~", "=ls", "ü x"];
        for shell in ["sh", "bash", "zsh", "dash", "fish", "tcsh"] {
            let cmd = Cmd::new(shell, "run a script").arg("-c").arg(ECHO.command(&words));
            match Runner::default().read(&cmd) {
                Ok(said) => assert_eq!(said, words.map(|word| format!("{word}|")).concat(), "{shell}"),
                Err(error) => assert!(error.is_not_found() && shell != "sh", "{shell}: {error}"),
            }
        }
    }
}
