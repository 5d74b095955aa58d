//! Peace after a run: a person who settles what sinc says is to be settled, until both sides are in step.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::super::model::Side;
use super::super::support::{PATIENCE, poll};
use super::super::tree;
use super::ops;
use super::run::{ON_ITS_WAY, Session};

/// The content without a byte: what git has of a file that was only announced. No version that is written here is empty.
pub(crate) const NOTHING: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// How often sinc may be asked to bring both sides together.
const TRIES: usize = 8;

/// Brings both sides in step.
pub(super) fn calm(run: &mut Session, rng: &mut Rng) {
    run.calm(rng);
}

impl Session {
    fn calm(&mut self, rng: &mut Rng) {
        self.tell("calm");
        self.world.calm();
        for side in [Side::Local, Side::Remote] {
            for _ in 0..4 {
                let Some(what) = self.repo(side).in_progress() else { break };
                let (before, named) = (tree::versions(&self.root(side)), self.repo(side).named());
                let done = ops::settle(&self.repo(side), what, true);
                self.note_named(side, &named);
                let after = tree::versions(&self.root(side));
                self.model.superseded(before.into_iter().filter(|number| !after.contains(number)));
                let late = self
                    .written
                    .iter()
                    .filter(|(when, whose, _)| *whose != side && when.elapsed() < ON_ITS_WAY);
                self.thrown_away.extend(late.map(|(_, _, number)| *number));
                self.tell(&format!("{side}: {}", done.told));
            }
            // What is only announced is each side's own, and git would not say the same of both.
            let repo = self.repo(side);
            if repo.ask(&["ls-files", "-s"]).contains(NOTHING) {
                // A git of sinc's may be at work.
                let done = poll(PATIENCE, || repo.git(&["add", "-u"]).code == 0);
                self.tell(&format!("{side}: git add -u ({done})"));
            }
            self.note(side);
        }
        let mut last = String::new();
        for attempt in 0..TRIES {
            last = self.files_come_together();
            let mut told = serde_json::Value::Null;
            let settled = poll(PATIENCE, || {
                let run = self.world.sinc(&["git", "--json"]);
                told = serde_json::from_str::<serde_json::Value>(&run.stdout)
                    .map_or(serde_json::Value::Null, |json| json["data"].clone());
                ["in-step", "differs", "waits"].iter().any(|state| told["state"] == *state)
            });
            let state = told["state"].as_str().unwrap_or("no answer").to_owned();
            self.tell(&format!("sinc git: {state} {}", told["why"]));
            if !settled {
                last = format!("{last}\n{told:#}");
                continue;
            }
            if attempt == 0 {
                self.all_have_names();
            }
            if state == "in-step" {
                self.came.in_step += usize::from(attempt == 0);
                return;
            }
            last = format!("{last}\n{told:#}");
            self.bring_together(&told, rng);
        }
        panic!("both sides do not come together: {last}");
    }

    /// Nobody's commit was overwritten, and nobody's name for it: before anybody chooses between what both sides have.
    fn all_have_names(&self) {
        let shown = [Side::Local, Side::Remote].map(|side| self.repo(side).shown());
        let lost: Vec<&String> =
            self.named.iter().filter(|oid| !shown.iter().any(|all| all.contains(*oid))).collect();
        assert!(lost.is_empty(), "no name leads to these any more: {lost:?}");
    }

    fn files_come_together(&mut self) -> String {
        let connected = self.world.sinc(&["--no-attach"]);
        let flushed = self.world.sinc(&["flush", "--timeout", "60"]);
        self.tell(&format!("sinc flush: {} {}", flushed.code, flushed.stderr.trim()));
        let text = format!("{connected}\n{flushed}");
        if text.contains("stopped itself") {
            self.tell("it stands still: ended, and made again, as sinc says");
            self.world.sinc(&["kill", "--yes"]);
        } else if text.contains("--restore") {
            self.tell("it is held: allowed");
            self.world.sinc(&["resume", "--allow-deletions", "--yes"]);
        } else if text.contains("conflict") {
            let run = self.world.sinc(&["resolve", "--all", "--local"]);
            self.tell(&format!("sinc resolve --all --local: {}", run.code));
        }
        text
    }

    /// What differs or waits is settled.
    fn bring_together(&mut self, told: &serde_json::Value, rng: &mut Rng) {
        let all =
            ["differs", "waits"].iter().flat_map(|key| told[*key].as_array().cloned().unwrap_or_default());
        let names: BTreeSet<String> = all.filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect();
        for name in names {
            for side in [Side::Local, Side::Remote] {
                self.note(side);
            }
            if let Some(branch) = name.strip_prefix("refs/heads/") {
                let how = ["--mine", "--theirs", "--rebase", "--mine"][rng.usize(..4)];
                let run = self.world.sinc(&["git", "join", branch, how]);
                let said = run.stderr.lines().next().unwrap_or_default().to_owned();
                self.tell(&format!("sinc git join {branch} {how}: {} {said}", run.code));
            } else if name == "HEAD" {
                let head = self.repo(Side::Local).ask(&["symbolic-ref", "-q", "--short", "HEAD"]);
                let at = self.repo(Side::Local).ask(&["rev-parse", "-q", "--verify", "HEAD"]);
                let repo = self.repo(Side::Remote);
                let (before, had) = (tree::versions(&self.root(Side::Remote)), repo.versions());
                let words = match (head.trim(), at.trim()) {
                    ("", at) => vec!["checkout", "-q", "-f", at],
                    // A branch without a commit.
                    (head, "") => vec!["checkout", "-q", "--orphan", head],
                    (head, _) => vec!["checkout", "-q", "-f", head],
                };
                let mut run = self.repo(Side::Remote).git(&words);
                if run.code != 0 && !at.trim().is_empty() {
                    // A commit that only HEAD leads to is not there: under a name it goes over.
                    let _ = self.repo(Side::Local).git(&["branch", "-f", "calm", at.trim()]);
                    run = self.repo(Side::Remote).git(&["checkout", "-q", "-f", "--detach"]);
                    let _ = self.repo(Side::Local).git(&["checkout", "-q", "--detach"]);
                }
                let after = tree::versions(&self.root(Side::Remote));
                let has = self.repo(Side::Remote).versions();
                self.model.superseded(before.into_iter().filter(|number| !after.contains(number)));
                // What was only staged.
                self.model.superseded(
                    had.into_iter().filter(|number| !has.contains(number) && !after.contains(number)),
                );
                self.tell(&format!(
                    "on the host: git {} ({}) {}",
                    words.join(" "),
                    run.code,
                    run.stderr.trim()
                ));
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                let had = self.repo(Side::Remote).reachable();
                let run = self.repo(Side::Remote).git(&["tag", "-d", tag]);
                let has = self.repo(Side::Remote).reachable();
                if let Some(tips) = self.tips.get_mut("there") {
                    tips.retain(|oid| has.contains(oid) || !had.contains(oid));
                }
                self.tell(&format!("on the host: git tag -d {tag} ({})", run.code));
            }
        }
    }
}
