//! What git is not shared for, or only in part: one sentence each, with the way out.

use std::path::Path;

use super::state::{Snapshot, State, Tool};

/// The oldest git that has all that is asked of it here, by its release notes; run was 2.39.5.
pub const LEAST: (u32, u32) = (2, 34);

/// Why git is not shared; nothing where it is.
#[must_use]
pub fn refused(here: &Tool, there: &Tool) -> Option<String> {
    for (tool, side) in [(here, "here"), (there, "on the host")] {
        if tool.version < LEAST {
            let (major, minor) = tool.version;
            return Some(format!(
                "git {side} is {major}.{minor}, and {}.{} is needed: update it",
                LEAST.0, LEAST.1
            ));
        }
    }
    if here.partial {
        // To download what it lacks would be to run what the project's settings say.
        return Some(
            "the repository here is a partial clone, and what it lacks cannot be sent: get all of it \
             (`git fetch --refetch --no-filter`), then say that it is none any more (`git config --unset \
             remote.origin.promisor; git config --unset remote.origin.partialclonefilter`)"
                .to_owned(),
        );
    }
    for (tool, side, who) in [(here, "here", ""), (there, "on the host", " that sinc has not made")] {
        if tool.sparse {
            return Some(format!(
                "the repository {side} is a sparse checkout{who}: what it leaves out would look deleted on the other side, and \
                 `git commit -a` there would delete it: `git sparse-checkout disable` {side} brings all of it"
            ));
        }
    }
    let (set_here, used) = &here.filters;
    let lacks = used.iter().find(|filter| set_here.contains(*filter) && !there.filters.0.contains(*filter));
    lacks.map(|filter| {
        let how = if filter == "lfs" {
            ": install git-lfs there and run `git lfs install`"
        } else {
            ": set it up there (`git config --global filter.…`)"
        };
        format!("the project's files go through the filter `{filter}`, which the host lacks{how}")
    })
}

/// Why there is no repository to share here; nothing where that needs no word.
#[must_use]
pub fn not_here(snapshot: &Snapshot, project: &Path) -> Option<String> {
    match snapshot {
        Snapshot::Elsewhere => Some(
            "this directory is a linked worktree or a submodule: git is shared only where `.git` is a directory: run `sinc` there"
                .to_owned(),
        ),
        Snapshot::NoGit => Some("git is not installed here".to_owned()),
        Snapshot::Unlike(kind) => {
            Some(format!("{}: `git = false` under `[sync]` in sinc's configuration leaves it alone", unlike("here", kind)))
        }
        Snapshot::None(_) => above(project).map(is_a_part),
        _ => None,
    }
}

/// The directory whose repository a project without one is a part of.
#[must_use]
pub fn above(project: &Path) -> Option<&Path> {
    let has = |dir: &&Path| dir.join(".git").symlink_metadata().is_ok();
    if has(&project) { None } else { project.ancestors().skip(1).find(has) }
}

/// That it is one, in a sentence.
#[must_use]
pub fn is_a_part(above: &Path) -> String {
    format!("this directory is a part of the repository in {}: run `sinc` there to share it", above.display())
}

/// What is said of a repository that is stored in another way.
fn unlike(side: &str, kind: &str) -> String {
    let what = if kind == "sha256" { "ids of 256 bits (sha256)" } else { "its names in a reftable" };
    format!("the repository {side} has {what}, which sinc cannot carry")
}

/// Why the host can have no repository.
#[must_use]
pub fn not_there(snapshot: &Snapshot) -> Option<String> {
    match snapshot {
        Snapshot::NoGit => Some(
            "git is not installed on the host: run `sinc install`, or install its package `git`".to_owned(),
        ),
        Snapshot::Elsewhere => Some("`.git` on the host is not a directory: move it away".to_owned()),
        Snapshot::Unlike(kind) => {
            let way = "move its `.git` away there, and sinc makes one as it is here";
            Some(format!("{}: {way}", unlike("on the host", kind)))
        }
        Snapshot::Nowhere => Some("the directory on the host is not there".to_owned()),
        _ => None,
    }
}

/// What a person should know though it works.
#[must_use]
pub fn notes(here: &State, there: &State) -> Vec<String> {
    let mut notes = Vec::new();
    let mut add = |limit: &str, text: &str| {
        if here.limits.contains(limit) {
            notes.push(text.to_owned());
        }
    };
    add(
        "submodules",
        "submodules: their files are synced, their own git is not there on the host: what is in them is committed here",
    );
    add(
        "shallow",
        "this repository is shallow: branches older than it reaches cannot be sent: `git fetch --unshallow` here gets the rest",
    );
    // Tried with 3.3.0: git here has those of what it has had in its files.
    if here.filters.0.contains("lfs") && here.filters.1.contains("lfs") {
        notes.push(
            "LFS: its objects stay on the side that made them: before `git push` here or a checkout of what was committed on the \
             host in between, copy `.git/lfs/objects` from there (`rsync -a`)"
                .to_owned(),
        );
    }
    for (state, side) in [(here, "here"), (there, "on the host")] {
        for name in state.odd.iter().take(5) {
            let way = if name.starts_with("refs/heads/") {
                ": give it another (`git branch -m -- OLD NEW`)"
            } else if name.starts_with("refs/tags/") {
                ": give it another (`git tag NEW refs/tags/OLD`, then `git tag -d -- OLD`)"
            } else {
                ""
            };
            notes.push(format!("`{name}` {side} has a name that cannot be carried{way}"));
        }
    }
    if there.plain {
        notes.push(
            "sinc has not made the repository on the host, and not set it up yet (is there a `.git/config.lock`?): `git push` \
             is not refused there, and `git add -A` takes `.sinc-session` too: the next move of git tries again"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::state::{Which, parse};

    fn tool(minor: u32, set: &[&str], used: &[&str]) -> Tool {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Tool { version: (2, minor), filters: (all(set), all(used)), ..Tool::default() }
    }

    #[test]
    fn what_is_refused_has_a_way_out() {
        let good = tool(34, &[], &[]);
        assert_eq!(refused(&good, &good), None);
        for (here, there, why) in [
            (tool(33, &[], &[]), good.clone(), "git here is 2.33, and 2.34 is needed: update it"),
            (good.clone(), tool(25, &[], &[]), "git on the host is 2.25, and 2.34 is needed: update it"),
            (Tool { partial: true, ..good.clone() }, good.clone(), "`git fetch --refetch --no-filter`"),
            (Tool { sparse: true, ..good.clone() }, good.clone(), "`git sparse-checkout disable` here"),
            (
                good.clone(),
                Tool { sparse: true, ..good.clone() },
                "`git sparse-checkout disable` on the host",
            ),
            (tool(40, &["lfs"], &["lfs"]), good.clone(), "install git-lfs there and run `git lfs install`"),
            (
                tool(40, &["x", "crypt"], &["crypt"]),
                tool(40, &["x"], &[]),
                "`crypt`, which the host lacks: set",
            ),
        ] {
            let said = refused(&here, &there).unwrap_or_default();
            assert!(said.contains(why), "{said}");
        }
        // Nothing goes through it, or it is set up on both sides, or only there.
        for (here, there) in [
            (tool(40, &["lfs"], &[]), good.clone()),
            (tool(40, &["lfs"], &["lfs"]), tool(40, &["lfs"], &[])),
            (tool(40, &[], &["lfs"]), tool(40, &["lfs"], &[])),
        ] {
            assert_eq!(refused(&here, &there), None);
        }
    }

    #[test]
    fn where_no_repository_can_be_shared_there_is_a_way_out() {
        let above = tempfile::tempdir().unwrap();
        let below = above.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let none = Snapshot::None(tool(40, &[], &[]));
        assert_eq!(not_here(&none, &below), None);
        std::fs::create_dir(above.path().join(".git")).unwrap();
        let said = not_here(&none, &below).unwrap();
        assert!(
            said.ends_with(&format!("{}: run `sinc` there to share it", above.path().display())),
            "{said}"
        );
        for (snapshot, here, there) in [
            (Snapshot::Elsewhere, "where `.git` is a directory", "move it away"),
            (Snapshot::NoGit, "git is not installed here", "`sinc install`"),
            (
                Snapshot::Unlike("sha256"),
                "sha256), which sinc cannot carry: `git = false`",
                "move its `.git` away",
            ),
            (Snapshot::Unlike("reftable"), "its names in a reftable", "move its `.git` away"),
        ] {
            for (said, what) in [(not_here(&snapshot, &below), here), (not_there(&snapshot), there)] {
                assert!(said.as_deref().is_some_and(|said| said.contains(what)), "{said:?}: {what}");
            }
        }
    }

    #[test]
    fn what_works_in_part_is_noted_of_this_side_and_odd_names_of_both() {
        let state = |more: &str| {
            let text = format!(
                "version git version 2.39.5\nrepo here\nhead ref: refs/heads/main\nindex none\n{more}end yes\n"
            );
            match parse(text.as_bytes(), Which::There).unwrap() {
                Snapshot::Here(state) => *state,
                other => panic!("{other:?}"),
            }
        };
        let limited = state("limit shallow\nlimit submodules\n");
        let said = notes(&limited, &state("")).join("\n");
        assert_eq!(said.lines().count(), 2, "{said}");
        for what in ["submodules: their files", "is shallow", "`git fetch --unshallow`", "is committed here"]
        {
            assert!(said.contains(what), "{said}");
        }
        assert!(notes(&state(""), &limited).is_empty());
        // LFS where the files go through it, not where it is only set up.
        let set_up = "config filter.lfs.clean set\n";
        assert!(notes(&state(set_up), &state(set_up)).is_empty());
        let said = notes(&state(&format!("{set_up}uses lfs\n")), &state("")).join("\n");
        assert!(said.starts_with("LFS: ") && said.contains("`rsync -a`"), "{said}");
        assert!(notes(&state("plain yes\n"), &state("")).is_empty());
        let odd = state(&format!("ref {} refs/heads/-x\n", "a".repeat(40)));
        assert_eq!(
            notes(&state(""), &odd),
            [
                "`refs/heads/-x` on the host has a name that cannot be carried: give it another (`git branch -m -- OLD NEW`)"
            ]
        );
    }
}
