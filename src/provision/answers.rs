//! The words of the host's answers, read into facts. What is not understood is nothing, never "absent".

use sha2::{Digest, Sha256};

use super::facts::{Fact, FileFact, UfwState, UserFact};

/// A line of the host's as it may be shown: nothing in it commands a terminal.
pub(super) fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}

/// Is it a name that the host's script gives to a run: `20261126T120000Z-812`? It becomes part of a file's name here.
pub(super) fn is_run_id(word: &str) -> bool {
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some((date, rest)) = word.split_once('T') else { return false };
    let Some((time, process)) = rest.split_once("Z-") else { return false };
    is_number(date, 8..=8) && is_number(time, 6..=6) && is_number(process, 1..=10)
}

/// What is not `-`.
pub(super) fn given(word: &str) -> Option<&str> {
    Some(word).filter(|word| *word != "-")
}

fn unhex(word: &str) -> Option<Vec<u8>> {
    hex::decode(word.strip_prefix('=')?).ok()
}

/// `yes` or `no`.
pub(super) fn yes(word: &str) -> Option<bool> {
    match word {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// The words of one fact.
pub(super) fn parse_fact(kind: &str, said: &[&str]) -> Option<Fact> {
    let owned = |word: &str| word.to_owned();
    Some(match (kind, said) {
        ("apt", said) => {
            let package = |word: &&str| {
                let (name, version) = word.split_once('=')?;
                Some((name.to_owned(), Some(version.to_owned()).filter(|version| !version.is_empty())))
            };
            Fact::Apt(said.iter().map(package).collect::<Option<_>>()?)
        }
        ("npm", [installed, runs]) => {
            Fact::Npm { installed: given(installed).map(owned), runs: given(runs).map(owned) }
        }
        ("download", [sum]) => Fact::Download(given(sum).map(owned)),
        ("file", ["-"]) => Fact::File(FileFact::Absent),
        ("file", ["other"]) => Fact::File(FileFact::Other),
        ("file", [sum, mode, owner]) => {
            Fact::File(FileFact::File { sha256: owned(sum), mode: owned(mode), owner: owned(owner) })
        }
        ("edit", ["-"]) => Fact::Edit(FileFact::Absent, Vec::new()),
        ("edit", ["other"]) => Fact::Edit(FileFact::Other, Vec::new()),
        ("edit", ["link"]) => Fact::Edit(FileFact::Link, Vec::new()),
        ("edit", [content, mode, owner]) => {
            let content = unhex(content)?;
            let sha256 = hex::encode(Sha256::digest(&content));
            Fact::Edit(FileFact::File { sha256, mode: owned(mode), owner: owned(owner) }, content)
        }
        ("service", [enabled, active, ends @ ..]) if matches!(ends, [] | ["ends"]) => {
            Fact::Service { enabled: owned(enabled), active: owned(active), ends: !ends.is_empty() }
        }
        ("user", ["-"]) => Fact::User(None),
        ("user", [_uid, sudo, linger, keys]) => {
            Fact::User(Some(UserFact { sudo: yes(sudo)?, linger: yes(linger)?, keys: yes(keys)? }))
        }
        // Without a word on its default it is not there at all.
        ("ufw", [state, rules, policy @ ..]) if policy.len() < 2 => {
            let state = match *state {
                "absent" => UfwState::Absent,
                "inactive" => UfwState::Inactive,
                "active" => UfwState::Active,
                _ => return None,
            };
            let rules = String::from_utf8(unhex(rules)?).ok()?;
            let open = policy.first().is_some_and(|policy| policy.eq_ignore_ascii_case("accept"));
            Fact::Ufw { state, rules: rules.lines().map(owned).collect(), open }
        }
        ("sshd", [method, values @ ..]) => {
            let value = |word: &&str| {
                let (key, value) = word.split_once('=')?;
                Some((key.to_owned(), value.to_owned()))
            };
            let values = values.iter().map(value).collect::<Option<_>>()?;
            Fact::Sshd { method: given(method).map(owned), values }
        }
        ("tailnet", [state, name]) => {
            Fact::Tailnet { state: given(state).map(owned), name: given(name).map(owned) }
        }
        ("shell", [holds]) => Fact::Shell(yes(holds)?),
        _ => return None,
    })
}
