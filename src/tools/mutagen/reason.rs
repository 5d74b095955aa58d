//! Why Mutagen did not sync a path: its words (`pkg/synchronization/core/scan.go`, `transition.go`, `symbolic_link.go` and what
//! the system says, 0.18.1) as one of a few reasons. Pure.

use super::model::{Problem, ProblemStage};

/// Why a path is not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It may not be read, or not be written.
    Permissions,
    /// Its name is not allowed: not UTF-8, too long, or a sign that the file system does not take.
    Name,
    /// It is larger than the side that gets it takes.
    TooLarge,
    /// No space is left.
    NoSpace,
    /// A link whose target is an absolute path.
    AbsoluteLink,
    /// A link that leads out of the directory.
    LinkOut,
    /// A link that not every system could follow.
    OddLink,
    /// The file system takes its name and another one, which differs only in case, for the same.
    CaseClash,
    /// Another file system is mounted there.
    OtherFileSystem,
    /// It holds what is not synced: ignored files, a pipe, a socket.
    HoldsUnsynced,
    /// It was changed at this very moment.
    Changing,
    /// None of these.
    Other,
}

impl Reason {
    /// In a word, as `--json` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Name => "name",
            Self::TooLarge => "too-large",
            Self::NoSpace => "no-space",
            Self::AbsoluteLink => "absolute-link",
            Self::LinkOut => "link-out",
            Self::OddLink => "link",
            Self::CaseClash => "case-clash",
            Self::OtherFileSystem => "other-file-system",
            Self::HoldsUnsynced => "holds-unsynced",
            Self::Changing => "changing",
            Self::Other => "other",
        }
    }

    /// For a person; nothing where only Mutagen's words tell.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        Some(match self {
            Self::Permissions => "the permissions are missing",
            Self::Name => "its name is not allowed",
            Self::TooLarge => "it is too large",
            Self::NoSpace => "no space is left",
            Self::AbsoluteLink => "a link to an absolute path",
            Self::LinkOut => "a link out of the directory",
            Self::OddLink => "a link that not every system could follow",
            Self::CaseClash => "a name that differs from another one only in case",
            Self::OtherFileSystem => "another file system is mounted there",
            Self::HoldsUnsynced => "it holds what is not synced",
            Self::Changing => "it is being changed",
            Self::Other => return None,
        })
    }
}

impl Problem {
    /// Why it was not synced.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let error = self.error.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
        if let Some(link) = error.strip_prefix("invalid symbolic link: ") {
            return match link {
                "target is absolute" => Reason::AbsoluteLink,
                "target references location outside synchronization root" => Reason::LinkOut,
                _ => Reason::OddLink,
            };
        }
        if says(&["permission denied", "operation not permitted", "read-only file system"]) {
            Reason::Permissions
        } else if says(&[
            "non-utf-8 filename",
            "file name too long",
            "illegal byte sequence",
            "invalid argument",
        ]) {
            Reason::Name
        } else if says(&["file too large", "maximum file size", "exceeded allowed entry count"]) {
            Reason::TooLarge
        } else if says(&["no space left", "disk quota exceeded"]) {
            Reason::NoSpace
        } else if says(&["incorrect casing"]) {
            Reason::CaseClash
        } else if says(&["crossed filesystem boundary"]) {
            Reason::OtherFileSystem
        } else if says(&["unknown content encountered", "directory not empty"]) {
            Reason::HoldsUnsynced
        } else if self.stage == ProblemStage::Apply && says(&["file exists"]) {
            // Both sides agreed that nothing is there: a file system that takes another name for this one.
            Reason::CaseClash
        } else if says(&[
            "modification detected",
            "hashed size mismatch",
            "no such file",
            "does not match expected",
        ]) {
            Reason::Changing
        } else if says(&["symbolic link was not in normalized form"]) {
            Reason::OddLink
        } else {
            Reason::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::Side;

    #[test]
    fn each_of_mutagens_texts_has_its_reason() {
        use ProblemStage::{Apply, Scan};
        use Reason::{
            AbsoluteLink, CaseClash, Changing, HoldsUnsynced, LinkOut, Name, NoSpace, OddLink, Other,
            OtherFileSystem, Permissions, TooLarge,
        };
        for (stage, error, reason) in [
            (Scan, "unable to open file: open x: permission denied", Permissions),
            (Scan, "unable to open directory: permission denied", Permissions),
            (Scan, "unable to read directory contents: permission denied", Permissions),
            (Apply, "unable to relocate staged file: operation not permitted", Permissions),
            (Apply, "unable to create directory: read-only file system", Permissions),
            (Scan, "non-UTF-8 filename", Name),
            (Apply, "unable to create file: unable to relocate staged file: file name too long", Name),
            (Apply, "unable to create directory: illegal byte sequence", Name),
            (Apply, "unable to create file: unable to copy file contents: file too large", TooLarge),
            (Apply, "transitioning would exceeded allowed entry count", TooLarge),
            (Apply, "unable to copy file contents: no space left on device", NoSpace),
            (Scan, "invalid symbolic link: target is absolute", AbsoluteLink),
            (Scan, "invalid symbolic link: target references location outside synchronization root", LinkOut),
            (Scan, "invalid symbolic link: colon in target (absolute or unsupported path)", OddLink),
            (Scan, "invalid symbolic link: backslash in target", OddLink),
            (
                Apply,
                "unable to walk to transition root: leaf name does not exist or has incorrect casing",
                CaseClash,
            ),
            (Apply, "unable to create directory: file exists", CaseClash),
            (Scan, "scan crossed filesystem boundary", OtherFileSystem),
            (Apply, "unknown content encountered on disk", HoldsUnsynced),
            (Apply, "unable to remove directory: directory not empty", HoldsUnsynced),
            (
                Apply,
                "unable to remove file: unable to validate existing file: modification detected",
                Changing,
            ),
            (Scan, "hashed size mismatch: 1 != 2", Changing),
            (Apply, "something new", Other),
        ] {
            let problem = Problem { side: Side::Local, stage, path: "x".to_owned(), error: error.to_owned() };
            assert_eq!(problem.reason(), reason, "{error}");
        }
    }
}
