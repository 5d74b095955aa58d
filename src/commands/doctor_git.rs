//! What `sinc doctor` looks for in the settings of git here: whether what the host writes into a project could run on this
//! computer, by git itself or by an editor or a prompt that asks it.

use std::path::{Component, Path, PathBuf};

use super::context::Context;
use super::doctor::{Finding, State};
use super::paint::harmless;
use crate::git::limits::LEAST;
use crate::git::state::version;
use crate::link::state::LinkFile;
use crate::process::Cmd;
use crate::provision::facts::Facts;

/// Settings that name a program, a directory of programs, or a file with more settings.
const NAMING: &str = r"^(core\.(hookspath|fsmonitor)|hook\..*\.command|include\.path|includeif\..*\.path)$";

/// Since when git has `safe.bareRepository` (its release notes of 2.38.0).
const KNOWS_BARE: (u32, u32) = (2, 38);

/// The findings; none where there is no git.
pub(super) fn look(ctx: &Context) -> Vec<Finding> {
    let ask = Cmd::new("git", "read git's settings")
        .untranslated()
        .dir(ctx.environment.home())
        .args(["config", "--get", "safe.bareRepository"])
        .answers(&[0, 1]);
    let Ok(said) = ctx.runner.answer(&ask) else { return Vec::new() };
    let explicit = said.stdout.trim_ascii() == b"explicit";
    let asked = ctx.runner.answer(&Cmd::new("git", "ask for its version").untranslated().arg("version"));
    let said = asked.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let old = version(&said).filter(|it| *it < KNOWS_BARE);
    let lacks =
        "it takes a directory that looks like a repository for one: what the host writes could run here";
    let mut findings = vec![match old {
        Some((major, minor)) => {
            Finding::new("git", State::Lacking, format!("{lacks}; {major}.{minor} cannot be told not to"))
                .fix("update git: 2.38 has `safe.bareRepository`")
        }
        None if explicit => {
            Finding::new("git", State::Good, "it takes no directory in a project for a repository by itself")
        }
        None => Finding::new("git", State::Lacking, lacks)
            .fix("`git config --global safe.bareRepository explicit`"),
    }];
    for record in ctx.store.records().unwrap_or_default() {
        let Ok(root) = record.local.canonicalize() else { continue };
        let ask = Cmd::new("git", "read the project's settings of git")
            .untranslated()
            .dir(&root)
            .args(["config", "--null", "--show-origin", "--type=path", "--get-regexp", NAMING])
            .answers(&[0, 1]);
        let Ok(said) = ctx.runner.answer(&ask) else { continue };
        for setting in within(&root, &String::from_utf8_lossy(&said.stdout)) {
            let what = format!("{setting} lies in the project: what the host writes there runs here");
            let finding = Finding::new(format!("git in {}", record.local.display()), State::Lacking, what);
            findings.push(finding.fix("keep it outside of the project, or unset it (`git config --unset`)"));
        }
    }
    findings
}

/// Is there a git on the host that can be shared with?
pub(super) fn on_host(facts: &Facts) -> Finding {
    let found = |state, what: String| Finding::new("git on the host", state, what);
    let Some(said) = facts.tools.get("git").cloned().flatten() else {
        let what = "it is not there: no repository is shared".to_owned();
        return found(State::Lacking, what).fix("install its package `git` there");
    };
    let mut numbers = said.split('.').map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < LEAST {
        let what =
            format!("{}, and {}.{} is needed to share a repository", harmless(&said), LEAST.0, LEAST.1);
        return found(State::Lacking, what).fix("update it there");
    }
    found(State::Good, harmless(&said))
}

/// How git on both sides does in each session of a host, as its link last knew.
pub(super) fn shared(ctx: &Context, host: &str) -> Vec<Finding> {
    let runs = ctx.store.link_runs(host).is_some();
    let Ok(Some(file)) = ctx.store.link_file::<LinkFile>(host) else { return Vec::new() };
    let records = ctx.store.records().unwrap_or_default().into_iter().filter(|it| runs && it.host == host);
    let told = records.filter_map(|record| {
        let told = file.git(&record.id)?;
        let check = format!("git of {}", record.local.display());
        Some(match told.as_str() {
            "in step" => Finding::new(check, State::Good, "in step"),
            told => Finding::new(check, State::Lacking, harmless(told))
                .fix(format!("`sinc git --session {}` tells more", record.id)),
        })
    });
    told.collect()
}

/// The settings, as `name = value`, that point into what is synced. `said` is where each is written, its name and its value.
fn within(root: &Path, said: &str) -> Vec<String> {
    let mut parts = said.split('\0');
    let mut found = Vec::new();
    while let (Some(origin), Some(setting)) = (parts.next(), parts.next()) {
        let Some((name, value)) = setting.split_once('\n') else { continue };
        // git's own watcher is no program of the project's.
        if name == "core.fsmonitor" && matches!(value, "true" | "false" | "1" | "0" | "yes" | "no" | "") {
            continue;
        }
        let file = root.join(origin.strip_prefix("file:").unwrap_or_default());
        // A path in an include is meant from its file, the others from the top of the project.
        let from = if name.starts_with("include") { file.parent().unwrap_or(root) } else { root };
        let is_command = name == "core.fsmonitor" || name.starts_with("hook.");
        // A shell or an interpreter runs what comes after it; a name without a directory is looked for on PATH.
        let points_into = match is_command {
            true => value
                .split([' ', '\t', '"', '\'', '='])
                .any(|word| word.contains('/') && is_synced(root, &from.join(word))),
            false => is_synced(root, &from.join(value)),
        };
        if points_into {
            found.push(harmless(&format!("{name} = {value}")));
        }
    }
    found
}

/// Is it in the project, but not in its `.git`, which is never synced?
fn is_synced(root: &Path, path: &Path) -> bool {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    let real = plain.canonicalize().unwrap_or(plain);
    real.strip_prefix(root).is_ok_and(|below| !below.starts_with(".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_git_on_the_host_that_is_missing_or_too_old_is_named() {
        for (said, good) in
            [(None, false), (Some("2.33.9"), false), (Some("2.34.1"), true), (Some("3.0"), true)]
        {
            let mut facts = Facts::default();
            facts.tools.insert("git".to_owned(), said.map(str::to_owned));
            assert_eq!(on_host(&facts).is_good(), good, "{said:?}");
        }
    }

    #[test]
    fn what_points_into_what_is_synced_is_named_and_nothing_else() {
        let said = [
            ("file:.git/config", "core.hookspath\n.husky"),
            ("file:.git/config", "core.hookspath\n.git/hooks"),
            ("file:.git/config", "include.path\n../team.gitconfig"),
            ("file:.git/config", "include.path\nmore"),
            ("file:/home/me/.gitconfig", "includeif.gitdir:/p/.path\n/p/app/x"),
            ("file:/home/me/.gitconfig", "include.path\nwork"),
            ("file:/home/me/.gitconfig", "core.hookspath\n/p/apple"),
            ("file:.git/config", "core.fsmonitor\ntrue"),
            ("file:.git/config", "core.fsmonitor\nrs-git-fsmonitor"),
            ("file:.git/config", "core.fsmonitor\n./tools/\u{1b}[2Jwatch --fast"),
            ("file:.git/config", "hook.lint.command\ntools/lint --all"),
            ("file:.git/config", "hook.lint too.command\nlint --all"),
            ("file:.git/config", "hook.py.command\npython3 -B 'tools/watch it.py'"),
            ("file:.git/config", "hook.sh.command\n/bin/sh -c \"exec ./tools/w\""),
            ("file:.git/config", "hook.out.command\n/usr/bin/env python3 /opt/x.py"),
        ];
        let said: String = said.map(|(origin, setting)| format!("{origin}\0{setting}\0")).concat();
        assert_eq!(
            within(Path::new("/p/app"), &said),
            [
                "core.hookspath = .husky",
                "include.path = ../team.gitconfig",
                "includeif.gitdir:/p/.path = /p/app/x",
                "core.fsmonitor = ./tools/?[2Jwatch --fast",
                "hook.lint.command = tools/lint --all",
                "hook.py.command = python3 -B 'tools/watch it.py'",
                "hook.sh.command = /bin/sh -c \"exec ./tools/w\""
            ]
        );
    }
}
