//! The host's repository is made, or set up where somebody else has made it there, with what the content of files depends on, and nothing else of the person's settings.

use std::path::Path;

use anyhow::Result;

use super::cycle;
use super::local::Local;
use super::state::{Head, State};

/// Settings that are copied when they are set here: who commits, and what the content of files depends on.
const COPIED: [&str; 6] =
    ["user.name", "user.email", "core.autocrlf", "core.eol", "core.filemode", "pull.rebase"];

/// Where a push on the host goes: nowhere, which git says with these words, whatever hooks there are. Where the person has set another
/// address it is not in the way.
const NO_PUSH: &str = "./sinc: commits go to the laptop by themselves, and are pushed from there";

/// The words for `setup.sh`: the branch to begin on, then settings. `otherwise` are the person's excludes, where git's settings name no
/// other file.
///
/// # Errors
/// Git cannot be asked.
pub fn words(local: &Local, here: &State, otherwise: &Path) -> Result<Vec<String>> {
    let branch = match &here.head {
        Head::Branch(name) => name.to_string(),
        Head::Commit(_) => "main".to_owned(),
    };
    let mut words = vec![branch];
    let mut set = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    for name in COPIED {
        if let Some(value) = value(local, name) {
            set(name, &value);
        }
    }
    set("commit.gpgSign", "false");
    set("tag.gpgSign", "false");
    // A push has a place to go to that leads nowhere, also of a branch that has no upstream.
    set("remote.laptop.url", ".");
    set("remote.laptop.pushurl", NO_PUSH);
    set("remote.pushDefault", "laptop");
    set("push.default", "current");
    if let Some(url) = value(local, "remote.origin.url").and_then(|url| without_userinfo(&url)) {
        set("remote.origin.url", &url);
        set("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
        set("remote.origin.pushurl", NO_PUSH);
    }
    for pattern in excludes(local, otherwise) {
        set("exclude", &pattern);
    }
    // A repository in this one is none there: git would take its files for the project's.
    for path in cycle::nested(local)?.iter().filter(|path| is_plain(path)) {
        set("exclude", &format!("/{path}"));
    }
    // The marker that says whose the directory is.
    set("exclude", "/.sinc-session");
    Ok(words)
}

/// A setting; nothing where it has none, or one that does not fit into a line.
fn value(local: &Local, name: &str) -> Option<String> {
    let cmd = local.git("read a setting").args(["config", "--get", name]).answers(&[0, 1]);
    let value = local.read(&cmd).ok()?;
    (!value.is_empty() && !value.contains(char::is_control)).then_some(value)
}

/// What is left out of git here by files that are not in the project. The last that fits a path counts, so the person's come first.
fn excludes(local: &Local, otherwise: &Path) -> Vec<String> {
    let ask = local.git("find a file").args(["config", "--type=path", "--get", "core.excludesFile"]);
    let person = local.runner().answer(&ask.answers(&[0, 1])).ok().and_then(|said| match said.code {
        0 => Some(local.project().join(String::from_utf8(said.stdout).ok()?.trim_end_matches('\n'))),
        _ => Some(otherwise.to_owned()),
    });
    let mut patterns = Vec::new();
    for path in person.into_iter().chain([local.project().join(".git/info/exclude")]) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        patterns.extend(lines.filter(|line| !line.contains(char::is_control)).map(str::to_owned));
    }
    patterns.drain(..patterns.len().saturating_sub(500));
    patterns
}

/// Does it stand for itself alone as a pattern?
fn is_plain(path: &str) -> bool {
    !path.contains(|c: char| c.is_control() || "*?[]\\ ".contains(c))
}

/// The address of a remote without who logs in there; nothing where it is a path of this computer.
fn without_userinfo(url: &str) -> Option<String> {
    match url.split_once("://") {
        Some(("file", _)) => None,
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            // Of ssh the name is a part of the address; a password is not.
            let name = user.split(':').next().filter(|name| scheme == "ssh" && !name.is_empty());
            let host = name.map_or(host.to_owned(), |name| format!("{name}@{host}"));
            Some(format!("{scheme}://{host}/{path}"))
        }
        None if url.starts_with(['/', '.', '~']) || !url.contains(':') => None,
        None => Some(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_an_address_is_copied() {
        for (url, expected) in [
            ("https://me:token@example.com/a/b.git", Some("https://example.com/a/b.git")),
            ("https://example.com/a/b.git", Some("https://example.com/a/b.git")),
            ("git@example.com:a/b.git", Some("git@example.com:a/b.git")),
            ("/srv/git/a.git", None),
            ("../a.git", None),
            ("ssh://git:secret@example.com/a.git", Some("ssh://git@example.com/a.git")),
            ("file:///srv/a.git", None),
        ] {
            assert_eq!(without_userinfo(url).as_deref(), expected, "{url}");
        }
    }
}
