//! The host's repository is made, with what the content of files depends on, and nothing else of the person's settings.

use anyhow::Result;

use super::local::Local;
use super::state::{Head, State};

/// Settings that are copied when they are set here: who commits, and what the content of files depends on.
const COPIED: [&str; 6] =
    ["user.name", "user.email", "core.autocrlf", "core.eol", "core.filemode", "pull.rebase"];

/// Where a push on the host goes: nowhere, which git says with these words, whatever hooks there are. Where the person has set another
/// address it is not in the way.
const NO_PUSH: &str = "./sinc: commits go to the laptop by themselves, and are pushed from there";

/// The words for `setup.sh`: the branch to begin on, then settings.
///
/// # Errors
/// Git cannot be asked.
pub fn words(local: &Local, here: &State) -> Result<Vec<String>> {
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
    for pattern in excludes(local) {
        set("exclude", &pattern);
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

/// What is left out of git here by files that are not in the project.
fn excludes(local: &Local) -> Vec<String> {
    let home = local.read(
        &local
            .git("find a file")
            .args(["config", "--type=path", "--get", "core.excludesFile"])
            .answers(&[0, 1]),
    );
    let global = match home.ok().filter(|path| !path.is_empty()) {
        Some(path) => Some(local.project().join(path)),
        None => local
            .read(&local.git("find a file").args([
                "config",
                "--type=path",
                "--default",
                "~/.config/git/ignore",
                "--get",
                "core.excludesFile",
            ]))
            .ok()
            .map(Into::into),
    };
    let files = [Some(local.project().join(".git/info/exclude")), global];
    let mut patterns = Vec::new();
    for text in files.into_iter().flatten().filter_map(|path| std::fs::read_to_string(path).ok()) {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        patterns.extend(lines.filter(|line| !line.contains(char::is_control)).map(str::to_owned));
    }
    patterns.truncate(500);
    patterns
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
