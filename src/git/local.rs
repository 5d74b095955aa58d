//! Git on this side, with nothing that the project's or the person's settings could make it run.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cycle::lines;
use super::state::Oid;
use super::{GIVE, TAKE};
use crate::process::{Cmd, ProcessError, Runner};
use crate::remote::{Answer, Script};

/// How long git may take for what only reads or writes a few objects; an index of 100,000 files takes a fraction of a second.
const DEADLINE: Duration = Duration::from_secs(60);

/// So many places are looked at in what names lead to: of many files, fewer names.
const MOST_PLACES: usize = 20_000;

/// What every call of git is told: no hook, no file system monitor, no clean-up.
const SETTINGS: [(&str, &str); 5] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.alternateRefsCommand", "true"),
];

/// Variables that would lead git elsewhere.
const ELSEWHERE: [&str; 9] = [
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
];

/// The repository of a project here.
#[derive(Debug)]
pub struct Local {
    runner: Runner,
    project: PathBuf,
    ancestors: RefCell<BTreeMap<(Oid, Oid), bool>>,
    hooks: OnceCell<Vec<(String, String)>>,
}

impl Local {
    /// The repository of this project.
    #[must_use]
    pub fn new(runner: Runner, project: &Path) -> Self {
        Self { runner, project: project.to_owned(), ancestors: RefCell::default(), hooks: OnceCell::new() }
    }

    /// The project's directory.
    #[must_use]
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// What runs it.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// A call of git.
    #[must_use]
    pub fn git(&self, why: &str) -> Cmd {
        self.git_with(why, &[])
    }

    /// A call of git with more settings, whose names may have anything in them.
    #[must_use]
    pub fn git_with(&self, why: &str, more: &[(String, String)]) -> Cmd {
        let hooks = self.hooks.get_or_init(|| {
            let names = self.settings(r"^hook[.].*[.](command|event)$").unwrap_or_default();
            let off = |name: String| {
                let (hook, _) = name.rsplit_once('.')?;
                Some((format!("{hook}.enabled"), "false".to_owned()))
            };
            names.into_iter().filter_map(off).collect()
        });
        let mut cmd = self.plain(why);
        let mut count = 0;
        for (name, value) in hooks.iter().chain(more) {
            cmd = cmd
                .env(format!("GIT_CONFIG_KEY_{count}"), name)
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        if count > 0 { cmd.env("GIT_CONFIG_COUNT", count.to_string()) } else { cmd }
    }

    /// The names of the settings that fit, as they are in whatever file.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn settings(&self, fit: &str) -> Result<Vec<String>, ProcessError> {
        let cmd = self.plain("read settings").args(["config", "--name-only", "--get-regexp", fit]);
        Ok(self.read(&cmd.answers(&[0, 1]))?.lines().map(str::to_owned).collect())
    }

    /// The settings that have git run no filter of a file.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn no_filters(&self) -> Result<Vec<(String, String)>, ProcessError> {
        let names = self.settings(r"^filter[.].*[.](clean|smudge|process|required)$")?;
        let off = |name: String| {
            let value = if name.ends_with(".required") { "false" } else { "" };
            (name, value.to_owned())
        };
        Ok(names.into_iter().map(off).collect())
    }

    fn plain(&self, why: &str) -> Cmd {
        let mut cmd = Cmd::new("git", why)
            .untranslated()
            .deadline(DEADLINE)
            .dir(&self.project)
            .env("GIT_DIR", ".git")
            .env("GIT_WORK_TREE", ".")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1");
        for name in ELSEWHERE {
            cmd = cmd.env_remove(name);
        }
        for (name, value) in SETTINGS {
            cmd = cmd.arg("-c").arg(format!("{name}={value}"));
        }
        cmd
    }

    /// What a call of git says, as text without the line's end.
    ///
    /// # Errors
    /// It fails.
    pub fn read(&self, cmd: &Cmd) -> Result<String, ProcessError> {
        self.runner.read(cmd).map(|text| text.trim_end_matches('\n').to_owned())
    }

    /// Runs a script of ours on this side.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn script(&self, why: &str, script: &Script, words: &[String]) -> Result<Vec<u8>> {
        let project = self.project.to_str().context("the project's path is not UTF-8")?;
        let cmd =
            Cmd::new("sh", why).deadline(DEADLINE).args(["-c", script.line(), "sinc", project]).args(words);
        let output = self.runner.answer(&cmd)?;
        Ok(Answer::new(output.code, &output.stdout, output.stderr).bytes)
    }

    /// Is the first an ancestor of the second, or the same? One that is not here is nobody's.
    #[must_use]
    pub fn is_ancestor(&self, first: &Oid, second: &Oid) -> bool {
        if first == second {
            return true;
        }
        let key = (first.clone(), second.clone());
        if let Some(known) = self.ancestors.borrow().get(&key) {
            return *known;
        }
        let words = ["merge-base", "--is-ancestor", first.as_str(), second.as_str()];
        let cmd = self.git("compare two commits").args(words).answers(&[0, 1, 128]);
        let is = self.runner.answer(&cmd).is_ok_and(|output| output.code == 0);
        self.ancestors.borrow_mut().insert(key, is);
        is
    }

    /// Those of these objects that are not here.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn missing(&self, oids: &BTreeSet<&Oid>) -> Result<BTreeSet<Oid>> {
        self.those(oids, |kind| kind == "missing")
    }

    /// What HEAD and the names of late have in these places. (An object alone, or what is only staged, may go any day.)
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn led(&self, paths: &BTreeSet<&str>) -> Result<BTreeSet<Oid>> {
        let names = ["refs/heads", "refs/tags", "refs/stash", "refs/remotes"];
        let refs = self.git("look at the names").args(["for-each-ref", "--sort=-creatordate", "--count=50"]);
        let kept = self.git("look at what was kept").args(["log", "-g", "-n", "50", "--format=%H"]);
        // One may lead to nothing, or there may be none: then HEAD tells.
        let refs = self.read(&refs.arg("--format=%(objectname)").args(names)).unwrap_or_default();
        let kept = self.read(&kept.args(["refs/sinc/keep", "--"])).unwrap_or_default();
        let names = ["HEAD"].into_iter().chain(refs.lines()).chain(kept.lines());
        let input: String = names
            .take((MOST_PLACES / paths.len().max(1)).max(1))
            .flat_map(|name| paths.iter().map(move |path| format!("{name}:{path}\n")))
            .collect();
        let cmd = self.git("look for objects").args(["cat-file", "--batch-check=%(objectname)"]).stdin(input);
        Ok(self.read(&cmd)?.lines().filter_map(Oid::parse).collect())
    }

    /// Those of these objects that are there.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn known(&self, oids: &BTreeSet<&Oid>) -> Result<BTreeSet<Oid>> {
        self.those(oids, |kind| kind != "missing")
    }

    /// Those of these objects that are no commits.
    ///
    /// # Errors
    /// Git cannot be asked.
    pub fn no_commits(&self, oids: &BTreeSet<&Oid>) -> Result<BTreeSet<Oid>> {
        self.those(oids, |kind| kind != "commit")
    }

    fn those(&self, oids: &BTreeSet<&Oid>, which: impl Fn(&str) -> bool) -> Result<BTreeSet<Oid>> {
        if oids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let input: String = oids.iter().map(|oid| format!("{oid}\n")).collect();
        let cmd = self.git("look for objects").args(["cat-file", "--batch-check"]).stdin(input);
        let said = self.read(&cmd)?;
        let kinds = said.lines().filter_map(|line| line.split_once(' '));
        let kinds = kinds.filter(|(_, rest)| rest.split(' ').next().is_some_and(&which));
        Ok(kinds.filter_map(|(oid, _)| Oid::parse(oid)).collect())
    }

    /// Takes in what the host has packed. Is all there afterwards that these lead to? Otherwise nothing has come.
    ///
    /// # Errors
    /// The script cannot be run.
    pub fn take(&self, tips: &BTreeSet<Oid>, pack: &str) -> Result<bool> {
        let tips = tips.iter().map(Oid::as_str).collect::<Vec<_>>().join(" ");
        let answer = self.script("take in what the host has", &TAKE, &[tips, pack.to_owned()])?;
        Ok(lines(&answer).contains_key("whole"))
    }

    /// What these lead to and those do not, packed; nothing where that is much.
    ///
    /// # Errors
    /// The script cannot be run.
    pub fn give(&self, tips: &BTreeSet<Oid>, has: &BTreeSet<Oid>) -> Result<Option<String>> {
        let mut words = vec![tips.iter().map(Oid::as_str).collect::<Vec<_>>().join(" ")];
        words.extend(has.iter().map(Oid::to_string));
        let answer = self.script("pack what the host lacks", &GIVE, &words)?;
        Ok(lines(&answer).remove("pack").filter(|pack| !pack.is_empty()))
    }

    /// The tree of a commit; nothing where it is not here.
    #[must_use]
    pub fn tree_of(&self, commit: &Oid) -> Option<Oid> {
        let what = format!("{commit}^{{tree}}");
        let cmd = self.git("read a commit").args(["rev-parse", "-q", "--verify", &what]);
        Oid::parse(&self.read(&cmd).ok()?)
    }

    /// A commit of this tree that stands for what is staged: the same on both sides, nothing in it but that.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn wrap(&self, tree: &Oid, parent: Option<&Oid>) -> Result<Oid> {
        let mut cmd = self.git("note what is staged").args(["commit-tree", tree.as_str(), "-m", "index"]);
        if let Some(parent) = parent {
            cmd = cmd.args(["-p", parent.as_str()]);
        }
        for who in ["AUTHOR", "COMMITTER"] {
            cmd = cmd
                .env(format!("GIT_{who}_NAME"), "sinc")
                .env(format!("GIT_{who}_EMAIL"), "sinc")
                .env(format!("GIT_{who}_DATE"), "@0 +0000");
        }
        Oid::parse(&self.read(&cmd)?).context("git commit-tree gave no id")
    }
}
