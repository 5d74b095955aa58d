//! What an older pin has put there, by what sinc noted of it: where a pin moves from, and what the newer one takes away.

use std::collections::BTreeMap;

use serde_json::Value;

use super::component::{Kind, Step};
use super::facts::HostFacts;
use super::kinds::Edit;
use super::unedit;

/// From which version this step moves to which: `1.0 → 1.1`. `noted` are the lines of its component.
pub(super) fn of_step(step: &Step, noted: &[Vec<String>], host: &HostFacts) -> Option<String> {
    let texts = |kind: &str, field: usize| -> Vec<&str> {
        let lines = noted.iter().filter(|line| line.len() > field && line[0] == kind);
        lines.map(|line| line[field].as_str()).collect()
    };
    match &step.kind {
        Kind::Shell(shell) => moved(&texts("shell", 3), &shell.says),
        Kind::Download(download) => moved(&texts("path", 1), &host.expand(&download.destination)),
        Kind::Edit(edit) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let old = gone(edit, noted, host);
            let old: Vec<String> = old.values().flatten().filter_map(text).collect();
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            edit.add.values().flatten().filter_map(Value::as_str).find_map(|new| moved(&old, new))
        }
        _ => None,
    }
}

/// What this component had put into lists of that file, and does not want there any more.
pub(super) fn gone(edit: &Edit, noted: &[Vec<String>], host: &HostFacts) -> BTreeMap<String, Vec<Value>> {
    let path = host.expand(&edit.path);
    let wanted = edit.with(&|text| host.expand(text));
    let mut gone: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in noted.iter().filter(|line| line.len() == 4 && line[0] == "edit" && line[1] == path) {
        for (key, values) in unedit::read(&line[3]).map(|edit| edit.add).unwrap_or_default() {
            let Some(still) = wanted.add.get(&key) else { continue };
            let old = gone.entry(key).or_default();
            for value in values {
                if !still.contains(&value) && !old.contains(&value) {
                    old.push(value);
                }
            }
        }
    }
    gone.retain(|_, values| !values.is_empty());
    gone
}

/// The versions in which the last of these texts differs that says the same as `new` but for versions.
fn moved(old: &[&str], new: &str) -> Option<String> {
    // It was put there already: what is to be done now is something else.
    if old.contains(&new) {
        return None;
    }
    old.iter().rev().find_map(|old| difference(old, new))
}

fn difference(old: &str, new: &str) -> Option<String> {
    let words = |text| -> Vec<&str> {
        let word = |c: char| c.is_alphanumeric() || c == '.';
        str::split(text, move |c| !word(c)).collect()
    };
    let (old, new) = (words(old), words(new));
    if old.len() != new.len() {
        return None;
    }
    let mut moves: Vec<String> = Vec::new();
    for (old, new) in old.iter().zip(&new).filter(|(old, new)| old != new) {
        let is_version = |word: &str| word.contains(|c: char| c.is_ascii_digit());
        if !is_version(old) || !is_version(new) {
            return None;
        }
        let one = format!("{old} → {new}");
        if !moves.contains(&one) {
            moves.push(one);
        }
    }
    Some(moves.join(", ")).filter(|moves| !moves.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_move() {
        for (old, new, moves) in [
            (
                "Agent-OS at commit 1a2b3c4 is built",
                "Agent-OS at commit 2e3d01c is built",
                "1a2b3c4 → 2e3d01c",
            ),
            ("git (1.0) and pages (1.0)", "git (1.1) and pages (1.1)", "1.0 → 1.1"),
            ("git (1.0) and pages (1.0)", "git (1.0) and pages (2.0)", "1.0 → 2.0"),
            ("git (1.0) and pages (3)", "git (1.1) and pages (4)", "1.0 → 1.1, 3 → 4"),
            ("/opt/x-server-0.2.0", "/opt/x-server-0.2.1", "0.2.0 → 0.2.1"),
        ] {
            assert_eq!(moved(&["it is built", old], new).as_deref(), Some(moves), "{old}");
            assert_eq!(moved(&[old, new], new), None, "{old}");
        }
        for (old, new) in [("a is b", "a is c"), ("a 1", "a 1 2"), ("x 1 is on", "x 2 is off")] {
            assert_eq!(moved(&[old], new), None, "{old}");
        }
        assert_eq!(moved(&["x 1", "x 2"], "x 3").as_deref(), Some("2 → 3"));
    }
}
