//! Is anything lost, broken, left behind, or different without a word?

use std::collections::BTreeSet;

use super::super::actor::Actor;
use super::super::content::Found;
use super::super::model::Side;
use super::super::support::{PATIENCE, poll};
use super::super::tree;
use super::run::{Session, key};

/// Looks at everything that is left, and tells what it found; or what is wrong.
pub(super) fn check(run: &mut Session) -> Result<String, String> {
    run.check()
}

impl Session {
    fn check(&mut self) -> Result<String, String> {
        for side in [Side::Local, Side::Remote] {
            let aside = tree::versions(Actor::new(side, &self.root(side)).aside());
            self.model.superseded(aside);
        }
        let (mut here, mut there) = (String::new(), String::new());
        let same = poll(PATIENCE, || {
            (here, there) = (self.repo(Side::Local).told(), self.repo(Side::Remote).told());
            here == there
        });
        if !same {
            let files = [Side::Local, Side::Remote].map(|side| format!("{:?}", tree::read(&self.root(side))));
            let status = self.world.sinc(&["status", "--cached"]);
            let flush = self.world.sinc(&["flush", "--timeout", "60"]);
            return Err(format!(
                "sinc says that both are in step\n--- here\n{here}{}\n--- there\n{there}{}\n{status}\n{flush}\nand then\n{}",
                files[0],
                files[1],
                self.repo(Side::Remote).told(),
            ));
        }
        let mut found: BTreeSet<u64> = self.world.in_backups();
        for side in [Side::Local, Side::Remote] {
            let repo = self.repo(side);
            let wrong = repo.wrong();
            if !wrong.is_empty() {
                return Err(format!("{side}: {}", wrong.join("\n")));
            }
            let reachable = repo.reachable();
            let lost: Vec<&String> = self
                .tips
                .get(key(side))
                .into_iter()
                .flatten()
                .filter(|oid| !reachable.contains(*oid))
                .collect();
            if !lost.is_empty() {
                return Err(format!("LOST {side}: commits {lost:?}"));
            }
            found.extend(repo.versions());
            let nodes = tree::read(&self.root(side));
            for (path, node) in &nodes {
                match node.found() {
                    Some(Found::Whole(number)) => drop(found.insert(number)),
                    Some(Found::Torn) => {
                        return Err(format!("not what anybody wrote, {side}: {}", path.display()));
                    }
                    None => {}
                }
            }
        }
        let missing: Vec<(u64, String)> = self
            .model
            .needed()
            .filter(|(number, _)| !found.contains(number))
            .map(|(number, text)| (number, text.to_owned()))
            .collect();
        let (thrown, lost): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|(number, _)| self.thrown_away.contains(number));
        self.came.thrown_away += thrown.len();
        if !lost.is_empty() {
            return Err(format!("LOST: {lost:?}"));
        }
        let tips: usize = self.tips.values().map(BTreeSet::len).sum();
        Ok(format!(
            "{} operations, {} faults, {tips} commits and {} versions needed, {} thrown away unseen",
            self.came.operations,
            self.came.faults,
            self.model.needed().count(),
            thrown.len()
        ))
    }
}
