//! Tools that only record what they are asked and answer from rules: one script under many names.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::sandbox::Sandbox;

/// The fakes of one sandbox.
#[derive(Debug)]
pub(crate) struct Fakes {
    dir: PathBuf,
    rules: std::cell::Cell<usize>,
}

/// An answer: standard output, standard error, exit code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
    /// Run by sh with the call's words and input first; a failure is the call's.
    pub(crate) script: Option<String>,
    /// Only for the first call that fits.
    pub(crate) once: bool,
}

impl Answer {
    pub(crate) fn stdout(text: &str) -> Self {
        Self { stdout: text.to_owned(), ..Self::default() }
    }

    pub(crate) fn fails(code: i32, stderr: &str) -> Self {
        Self { code, stderr: stderr.to_owned(), ..Self::default() }
    }
}

impl Fakes {
    /// Puts fakes of these names first in the sandbox's PATH.
    #[track_caller]
    pub(crate) fn install(sandbox: &Sandbox, names: &[&str]) -> Self {
        let dir = sandbox.root().join("fakes");
        std::fs::create_dir_all(dir.join("rules")).unwrap();
        for name in names {
            let file = sandbox.bin().join(name);
            std::fs::write(&file, include_str!("fake.sh")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir, rules: 0.into() }
    }

    /// Answers calls that look like `pattern`, in which `*` stands for anything: `mutagen sync list *`. Of
    /// several rules that fit the last one counts.
    #[track_caller]
    pub(crate) fn on(&self, pattern: &str, answer: Answer) -> &Self {
        self.rules.set(self.rules.get() + 1);
        let rule = self.dir.join(format!("rules/{:04}", self.rules.get()));
        // Whole or not at all: a call may come just now.
        let making = self.dir.join("making");
        std::fs::create_dir(&making).unwrap();
        let write = |name: &str, text: &str| std::fs::write(making.join(name), text).unwrap();
        write("pattern", pattern_for_sh(pattern).as_str());
        write("stdout", &answer.stdout);
        write("stderr", &answer.stderr);
        write("code", &answer.code.to_string());
        if let Some(script) = &answer.script {
            write("script", script);
        }
        if answer.once {
            write("once", "");
        }
        std::fs::rename(making, rule).unwrap();
        self
    }

    /// Each call so far: a line with the command, then its input.
    pub(crate) fn transcript(&self) -> String {
        std::fs::read_to_string(self.dir.join("transcript")).unwrap_or_default()
    }
}

/// The pattern for `case`: everything but `*` stands for itself.
fn pattern_for_sh(pattern: &str) -> String {
    let mut text = String::new();
    for c in pattern.chars() {
        if "?[\\".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
