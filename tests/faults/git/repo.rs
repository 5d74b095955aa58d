//! A repository on one side, as the one who works there sees it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::content::{self, Found};
use super::super::support::sandbox::{Run, Sandbox};
use super::super::tree;

/// One side's repository.
pub(crate) struct Repo<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) root: PathBuf,
}

impl Repo<'_> {
    /// Runs git as a person does.
    pub(crate) fn git(&self, words: &[&str]) -> Run {
        let mut all = vec!["-C", self.root.to_str().unwrap(), "-c", "core.editor=true"];
        all.extend_from_slice(words);
        self.sandbox.run("git", &all)
    }

    /// Asks, without a lock.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut all = vec!["--no-optional-locks"];
        all.extend_from_slice(words);
        self.git(&all).stdout
    }

    /// Where HEAD, branches, tags and stashes lead: commits.
    pub(crate) fn tips(&self) -> BTreeSet<String> {
        let refs =
            self.ask(&["for-each-ref", "--format=%(objectname)%0a%(*objectname)", "refs/heads", "refs/tags"]);
        let stash = self.ask(&["log", "-g", "--format=%H", "refs/stash", "--"]);
        let head = self.ask(&["rev-parse", "-q", "--verify", "HEAD"]);
        [refs, stash, head]
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| line.len() == 40)
            .map(str::to_owned)
            .collect()
    }

    /// The commits that this side's own names lead to, without any reflog: branches, tags, stashes, HEAD.
    pub(super) fn named(&self) -> BTreeSet<String> {
        self.commits(&["--branches", "--tags"])
    }

    /// The same with the other side's branches, as they are shown here while they differ.
    pub(super) fn shown(&self) -> BTreeSet<String> {
        self.commits(&["--branches", "--tags", "--remotes"])
    }

    fn commits(&self, names: &[&str]) -> BTreeSet<String> {
        let stashes = self.ask(&["log", "-g", "--format=%H", "refs/stash", "--"]);
        let head = self.ask(&["rev-parse", "-q", "--verify", "HEAD"]);
        let mut words = vec!["rev-list", "--ignore-missing"];
        words.extend(names);
        words.extend(stashes.lines().chain(head.lines()));
        self.ask(&words).lines().map(str::to_owned).collect()
    }

    /// Everything that anything still leads to: names, reflogs, what is staged.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        self.listed(&["--all".to_owned(), "--reflog".to_owned()])
    }

    /// The same, without what only the other side's branches lead to, as they are shown here while they differ.
    pub(super) fn own(&self) -> BTreeSet<String> {
        let logs = tree::read(&self.root.join(".git/logs"));
        let logs = logs.keys().filter(|path| !path.starts_with("refs/remotes"));
        let logs: Vec<String> = logs
            .filter_map(|path| std::fs::read_to_string(self.root.join(".git/logs").join(path)).ok())
            .collect();
        let ids = logs.iter().flat_map(|log| log.lines()).flat_map(|line| line.split(' ').take(2));
        let ids: BTreeSet<&str> = ids.filter(|id| id.bytes().any(|byte| byte != b'0')).collect();
        let names = ["--exclude=refs/remotes/*", "--all"].into_iter().chain(ids);
        self.listed(&names.map(str::to_owned).collect::<Vec<_>>())
    }

    fn listed(&self, names: &[String]) -> BTreeSet<String> {
        let mut words =
            vec!["rev-list", "--indexed-objects", "--objects", "--no-object-names", "--ignore-missing"];
        words.extend(names.iter().map(String::as_str));
        if self.git(&["rev-parse", "-q", "--verify", "HEAD"]).code == 0 {
            words.push("HEAD");
        }
        self.ask(&words).lines().map(str::to_owned).collect()
    }

    /// The versions among that.
    pub(crate) fn versions(&self) -> BTreeSet<u64> {
        let listed = self.reachable().into_iter().collect::<Vec<_>>().join("\n");
        let words =
            ["-C", self.root.to_str().unwrap(), "cat-file", "--batch-check=%(objecttype) %(objectname)"];
        let program = self.sandbox.program("git", &self.root).args(words).input(listed);
        let checked = self.sandbox.finish(&program).stdout;
        let blobs = checked.lines().filter_map(|line| line.strip_prefix("blob "));
        // One after the other: what a file holds is no text.
        blobs.filter_map(|oid| self.version(oid)).collect()
    }

    /// Which version an object is, if it is a file's content.
    pub(super) fn version(&self, oid: &str) -> Option<u64> {
        let to = self.sandbox.tmp().join(oid);
        let words = [
            "-c",
            "git -C \"$1\" cat-file blob \"$2\" >\"$3\"",
            "sh",
            self.root.to_str().unwrap(),
            oid,
            to.to_str().unwrap(),
        ];
        let _ = self.sandbox.run("sh", &words);
        let bytes = std::fs::read(&to).unwrap_or_default();
        let _ = std::fs::remove_file(to);
        match content::version(&bytes) {
            Found::Whole(number) => Some(number),
            Found::Torn => None,
        }
    }

    /// What both sides have to agree on at rest.
    pub(crate) fn told(&self) -> String {
        let stash = self.ask(&["log", "-g", "--format=%H", "refs/stash", "--"]);
        let stash: BTreeSet<&str> = stash.lines().collect();
        format!(
            "HEAD {}{}{}\nstaged\n{}stashes {stash:?}\nstatus\n{}",
            self.ask(&["symbolic-ref", "-q", "HEAD"]),
            self.ask(&["rev-parse", "-q", "--verify", "HEAD"]),
            self.ask(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"]),
            self.ask(&["ls-files", "-s"]),
            self.ask(&["status", "--porcelain", "--untracked-files=all"]),
        )
    }

    /// What is broken, or left behind.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let check = || {
            let checked = self.git(&["fsck", "--no-dangling", "--no-progress"]);
            let mut wrong: Vec<String> =
                checked.stderr.lines().chain(checked.stdout.lines()).map(str::to_owned).collect();
            wrong.retain(|line| !line.starts_with("notice: ") && !line.starts_with("dangling"));
            wrong
        };
        let mut wrong = check();
        // What is kept while it looks has come into a reflog after it has read the objects: that is not so a second time.
        if !wrong.is_empty() {
            wrong = check();
        }
        locks(&self.root.join(".git"), &mut wrong);
        wrong
    }

    /// Where HEAD stands: its branch and its commit.
    pub(crate) fn head(&self) -> String {
        ["symbolic-ref -q HEAD", "rev-parse -q --verify HEAD"]
            .map(|words| self.ask(&words.split(' ').collect::<Vec<_>>()))
            .concat()
    }

    /// What is not done yet.
    pub(crate) fn in_progress(&self) -> Option<&'static str> {
        let has = |name: &&str| self.root.join(".git").join(name).exists();
        ["MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD", "REVERT_HEAD"]
            .into_iter()
            .find(has)
            .or_else(|| {
                let unmerged = !self.ask(&["ls-files", "-u"]).is_empty();
                unmerged.then_some("unmerged")
            })
    }
}

fn locks(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            locks(&path, found);
        } else if path.extension().is_some_and(|end| end == "lock") {
            found.push(format!("left behind: {}", path.display()));
        }
    }
}
