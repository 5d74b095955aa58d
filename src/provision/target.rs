//! Who agents run as on the host.

use super::records::Records;

/// Who agents run as: the login, or for a login as root the user that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The user that a login as root gets.
    pub user: String,
    /// Root stays root.
    pub as_root: bool,
}

/// The name of that user unless said.
const DEFAULT_USER: &str = "dev";

impl Default for Target {
    fn default() -> Self {
        Self { user: DEFAULT_USER.to_owned(), as_root: false }
    }
}

impl Target {
    /// For a user's name, as Debian allows it.
    #[must_use]
    pub fn new(user: &str, as_root: bool) -> Option<Self> {
        let mut characters = user.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_lowercase());
        let rest = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        (first && rest && user.len() <= 32 && user != "root").then(|| Self { user: user.to_owned(), as_root })
    }

    /// Whom things were put there for, as far as that is noted on the host.
    #[must_use]
    pub fn noted(records: &Records) -> Self {
        let noted = records.components().find_map(|name| records.user(name));
        match noted.or_else(|| records.users_made().next()) {
            Some("root") => Self { as_root: true, ..Self::default() },
            Some(user) => Self { user: user.to_owned(), as_root: false },
            None => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_it_was_put_there_for_is_read_from_the_notes() {
        let noted = |lines: &[&str]| {
            let mut records = Records::default();
            lines.iter().for_each(|line| records.add(line));
            let Target { user, as_root } = Target::noted(&records);
            (user, as_root)
        };
        assert_eq!(noted(&[]), ("dev".to_owned(), false));
        assert_eq!(noted(&["base as\tann", "base apt\ttmux"]), ("ann".to_owned(), false));
        assert_eq!(noted(&["base as\troot", "base apt\ttmux"]), ("dev".to_owned(), true));
        assert_eq!(noted(&["user user\tbob"]), ("bob".to_owned(), false), "as an older sinc has noted it");
    }
}
