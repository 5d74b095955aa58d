//! What a link tells others: one small file a host, and a lock that it holds for life.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How one side of a session is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eye {
    /// `inotify`, `polling` or, until that is known, `starting`.
    pub by: String,
    /// Why not by inotify.
    pub why: Option<String>,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSession {
    /// On this side.
    pub here: Eye,
    /// On the host.
    pub there: Eye,
    /// Its files have to be counted before the next cycle.
    pub looking: bool,
    /// It does not count them, because another sinc is at work on the session: that one looks itself.
    #[serde(default)]
    pub busy: bool,
    /// Cycles wait, because git works on the files of a side.
    #[serde(default)]
    pub git_works: bool,
    /// Why no cycle is asked for.
    pub stands: Option<String>,
    /// How git on both sides does, if it is shared.
    #[serde(default)]
    pub git: Option<String>,
    /// Why conflicts are open that the session's mode should have settled.
    pub unsettled: Option<String>,
}

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFile {
    /// Its host's name.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Its version.
    pub version: String,
    /// When it started, seconds since 1970.
    pub started: u64,
    /// Is its eye on the host open?
    pub up: bool,
    /// Since when it is, or is not, seconds since 1970.
    pub since: u64,
    /// Why it is not.
    pub why: Option<String>,
    /// Its sessions, by id.
    pub sessions: BTreeMap<String, LinkSession>,
}

impl LinkFile {
    /// How git on both sides of this session does, if it is shared. Without a line either side may have moved since that was known.
    #[must_use]
    pub fn git(&self, id: &str) -> Option<String> {
        let known = self.sessions.get(id)?.git.clone()?;
        Some(if self.up { known } else { format!("not known: no line to the host (before: {known})") })
    }

    /// How changes of this session are noticed, in a few words.
    #[must_use]
    pub fn describe(&self, id: &str) -> String {
        if !self.up {
            return match &self.why {
                Some(why) => format!("no line to the host: {why}"),
                None => "connecting".to_owned(),
            };
        }
        let Some(session) = self.sessions.get(id) else { return "starting".to_owned() };
        if let Some(stands) = &session.stands {
            return stands.clone();
        }
        let mut text = match (session.here.by.as_str(), session.there.by.as_str()) {
            (here, there) if here == there => here.to_owned(),
            (here, there) => format!("{here} here, {there} on the host"),
        };
        for why in [&session.here.why, &session.there.why].into_iter().flatten() {
            text.push_str(&format!(" ({why})"));
        }
        if let Some(why) = &session.unsettled {
            text.push_str(&format!("; conflicts are not settled: {why}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn described() {
        let eye = |by: &str, why: Option<&str>| Eye { by: by.to_owned(), why: why.map(str::to_owned) };
        let mut file = LinkFile { up: true, ..LinkFile::default() };
        assert_eq!(file.describe("a"), "starting");
        let mut session =
            LinkSession { here: eye("inotify", None), there: eye("inotify", None), ..LinkSession::default() };
        file.sessions.insert("a".to_owned(), session.clone());
        assert_eq!(file.describe("a"), "inotify");
        session.there = eye("polling", Some("the host has no inotifywait"));
        file.sessions.insert("a".to_owned(), session);
        assert_eq!(file.describe("a"), "inotify here, polling on the host (the host has no inotifywait)");
        (file.up, file.why) = (false, Some("refused".to_owned()));
        assert_eq!(file.describe("a"), "no line to the host: refused");
    }
}
