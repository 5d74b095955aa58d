//! Who agents run as on the host.

/// Who agents run as: the login, or for a login as root the user that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The user that a login as root gets.
    pub user: String,
    /// Root stays root.
    pub as_root: bool,
}

/// The name of that user unless said.
pub const DEFAULT_USER: &str = "dev";

impl Target {
    /// For a user's name, as Debian allows it.
    #[must_use]
    pub fn new(user: &str, as_root: bool) -> Option<Self> {
        let mut characters = user.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_lowercase());
        let rest = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        (first && rest && user.len() <= 32 && user != "root").then(|| Self { user: user.to_owned(), as_root })
    }
}
