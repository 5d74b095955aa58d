//! The release of Mutagen that is fetched where none is.

/// The release that is fetched.
pub const RELEASE: &str = "0.18.1";

/// Its archives by the names that Rust has for system and processor. The sums are those of the project's own
/// Homebrew formula (github.com/mutagen-io/homebrew-mutagen).
const ARCHIVES: [(&str, &str, &str, &str); 4] = [
    ("linux", "x86_64", "linux_amd64", "7735286c778cc438418209f24d03a64f3a0151c8065ef0fe079cfaf093af6f8f"),
    ("linux", "aarch64", "linux_arm64", "bcba735aebf8cbc11da9b3742118a665599ac697fa06bc5751cac8dcd540db8a"),
    ("macos", "x86_64", "darwin_amd64", "7d06f7d8fcfe90bc7e55cc834a2f2f20c2e0af9ea9bc35911fc4341ad56a9bbf"),
    ("macos", "aarch64", "darwin_arm64", "6f810416d9e5fc4fd5e18431146f8b3c5a2056ba5a24f76c1e66da86eb3257e2"),
];

/// An archive with `mutagen` and its agents, and the sum that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Where it is: https, http or file. The sum makes the way that it comes unimportant.
    pub url: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl Release {
    /// The pinned release for this computer.
    #[must_use]
    pub fn for_this_computer() -> Option<Self> {
        Self::pinned(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// The pinned release for a system and a processor, as [`std::env::consts`] names them.
    #[must_use]
    pub fn pinned(os: &str, arch: &str) -> Option<Self> {
        let (_, _, name, sha256) = ARCHIVES.iter().find(|archive| archive.0 == os && archive.1 == arch)?;
        let base = "https://github.com/mutagen-io/mutagen/releases/download";
        Some(Self {
            url: format!("{base}/v{RELEASE}/mutagen_{name}_v{RELEASE}.tar.gz"),
            sha256: (*sha256).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_a_release() {
        let release = Release::pinned("macos", "aarch64").unwrap();
        assert_eq!(
            release.url,
            "https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/mutagen_darwin_arm64_v0.18.1.tar.gz"
        );
        assert!(ARCHIVES.iter().all(|archive| archive.3.len() == 64));
        assert_eq!(Release::pinned("windows", "x86_64"), None);
    }
}
