//! What sinc has put on the host, as it is noted there, and how each of it is taken back.

use std::collections::BTreeMap;

use super::program::Call;

/// What sinc has put on the host, by component: one line of fields each, in the order in which it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    components: BTreeMap<String, Vec<Vec<String>>>,
}

/// One thing that is taken back: what it is, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// A sentence.
    pub what: String,
    /// What is done.
    pub call: Call,
}

/// How many packages are named in a sentence.
const MOST_NAMED: usize = 8;

impl Records {
    /// A line `COMPONENT KIND<tab>FIELD…` of the host's answer.
    pub(super) fn add(&mut self, line: &str) -> Option<()> {
        let (component, fields) = line.split_once(' ')?;
        let fields: Vec<String> = fields.split('\t').map(str::to_owned).collect();
        undo_one(&fields)?;
        self.components.entry(component.to_owned()).or_default().push(fields);
        Some(())
    }

    /// The components of which something is there.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.components.keys().map(String::as_str)
    }

    /// Was something of this component put there?
    #[must_use]
    pub fn has(&self, component: &str) -> bool {
        self.components.contains_key(component)
    }

    /// How a component is taken back: the last thing first, packages in one go at the end.
    #[must_use]
    pub fn undo(&self, component: &str) -> Vec<Undo> {
        let Some(lines) = self.components.get(component) else { return Vec::new() };
        let packages: Vec<&str> =
            lines.iter().filter(|fields| fields[0] == "apt").map(|fields| fields[1].as_str()).collect();
        let mut all: Vec<Undo> = lines
            .iter()
            .rev()
            .filter(|fields| fields[0] != "apt")
            .filter_map(|fields| undo_one(fields))
            .collect();
        if !packages.is_empty() {
            let what = match packages.as_slice() {
                few if few.len() <= MOST_NAMED => format!("remove {}", super::plan::several(few)),
                [first, rest @ ..] => format!("remove {first} and {} packages that came with it", rest.len()),
                [] => String::new(),
            };
            all.push(Undo { what, call: Call::new("undo_apt", packages) });
        }
        all
    }
}

fn undo_one(fields: &[String]) -> Option<Undo> {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let undo = |what: String, function, words: &[&str]| {
        Some(Undo { what, call: Call::new(function, words.iter().copied()) })
    };
    let back = |kept: &str| if kept.is_empty() { "" } else { " and bring back what was there before" };
    match fields.as_slice() {
        ["apt", package] => undo(format!("remove {package}"), "undo_apt", &[package]),
        ["repository", name] => undo(format!("forget the repository {name}"), "undo_repository", &[name]),
        ["ppa", name] => undo(format!("forget the PPA {name}"), "undo_ppa", &[name]),
        ["npm", package] => undo(format!("remove {package} of npm"), "undo_npm", &[package]),
        ["path" | "file", path, kept] => {
            undo(format!("remove {path}{}", back(kept)), "undo_path", &[path, kept])
        }
        // The text that it gets is known once the file is seen (`unedit`).
        ["edit", path, kept, edit] => {
            undo(format!("take out of {path} what was put there"), "undo_edit", &[path, kept, edit])
        }
        ["service", scope, unit, enabled, active] => undo(
            format!("let {unit} be {enabled} and {active}, as before"),
            "undo_service",
            &[scope, unit, enabled, active],
        ),
        ["user", name] => {
            undo(format!("remove the user {name}; its home directory stays"), "undo_user", &[name])
        }
        ["linger", name] => undo(format!("end {name}'s services at its logout"), "undo_linger", &[name]),
        ["ufw", rule @ ..] if !rule.is_empty() => {
            undo(format!("delete the firewall's rule: {}", rule.join(" ")), "undo_ufw", rule)
        }
        ["ufw-was", rule @ ..] if !rule.is_empty() => {
            undo(format!("bring back the firewall's rule: {}", rule.join(" ")), "undo_ufw_was", rule)
        }
        ["tailnet"] => undo("leave the tailnet".to_owned(), "undo_tailnet", &[]),
        ["ufw-on"] => undo("turn the firewall off".to_owned(), "undo_ufw_on", &[]),
        ["shell", as_user, text, says] => {
            let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
            undo(format!("not any more: {says}"), "undo_shell", &[as_user, &text])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thing_goes_first_and_packages_go_together() {
        let mut records = Records::default();
        for line in [
            "et apt\tet",
            "et repository\tet",
            "et apt\tlibsodium23",
            "et file\t/etc/a b\t/var/lib/sinc/kept/et/%etc%a b",
            "et service\tsystem\tet.service\tdisabled\tinactive",
        ] {
            records.add(line).unwrap();
        }
        let undo: Vec<String> = records.undo("et").iter().map(|undo| undo.call.to_string()).collect();
        assert_eq!(
            undo,
            [
                "undo_service system et.service disabled inactive",
                "undo_path '/etc/a b' '/var/lib/sinc/kept/et/%etc%a b'",
                "undo_repository et",
                "undo_apt et libsodium23",
            ]
        );
        assert!(records.add("et nonsense\tx").is_none());
        assert!(records.undo("base").is_empty());
    }
}
