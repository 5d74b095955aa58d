//! Where things come from instead: a proxy's registry, a mirror of a vendor's repository, a server of one's own.

use super::program::Call;

/// Where things come from instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// The registry of npm's packages.
    pub npm: Option<String>,
    /// What begins with the first one comes from the second one.
    pub instead: Vec<(String, String)>,
    /// The server of the tailnet, if it is not Tailscale's.
    pub tailnet: Option<String>,
}

impl Mirrors {
    /// Where this address is got from; the longest beginning that fits counts.
    #[must_use]
    pub fn address(&self, url: &str) -> String {
        let fits = self.instead.iter().filter(|(from, _)| url.starts_with(from.as_str()));
        match fits.max_by_key(|(from, _)| from.len()) {
            Some((from, to)) => format!("{to}{}", &url[from.len()..]),
            None => url.to_owned(),
        }
    }

    /// Tells npm and git, whose addresses no plan knows.
    #[must_use]
    pub fn call(&self) -> Option<Call> {
        if self.npm.is_none() && self.instead.is_empty() {
            return None;
        }
        let pairs = self.instead.iter().flat_map(|(from, to)| [from.as_str(), to]);
        Some(Call::new("use_mirrors", std::iter::once(self.npm.as_deref().unwrap_or_default()).chain(pairs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let mirrors = Mirrors {
            instead: vec![pair("https://a/", "https://m/"), pair("https://a/b/", "file:///srv/")],
            ..Mirrors::default()
        };
        assert_eq!(mirrors.address("https://a/x"), "https://m/x");
        assert_eq!(mirrors.address("https://a/b/x"), "file:///srv/x");
        assert_eq!(mirrors.address("https://c/a/"), "https://c/a/");
        assert_eq!(
            mirrors.call().unwrap().to_string(),
            "use_mirrors '' https://a/ https://m/ https://a/b/ file:///srv/"
        );
        assert_eq!(Mirrors::default().call(), None);
    }
}
