//! What sinc has put on the host, as it is noted there, and how each of it is taken back.

use std::collections::BTreeMap;

use super::answers::plain;
use super::plan::several;
use super::program::Call;

/// What sinc has put on the host, by component: one line of fields each, in the order in which it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    components: BTreeMap<String, Component>,
    unreadable: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Component {
    /// For whom it was put there.
    user: Option<String>,
    lines: Vec<Vec<String>>,
    unreadable: bool,
}

/// One thing that is taken back: what it is, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undo {
    /// A sentence.
    pub what: String,
    /// What is done.
    pub call: Call,
}

impl Undo {
    /// Could it shut the login out? Then a fresh login has to confirm it.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        matches!(self.call.function, "undo_ufw" | "undo_ufw_was" | "undo_ufw_on" | "undo_sshd")
    }
}

/// The file of sshd that is sinc's.
const SSHD_FILE: &str = "/etc/ssh/sshd_config.d/00-sinc.conf";

/// How many packages are named in a sentence.
const MOST_NAMED: usize = 8;

impl Records {
    /// A line `COMPONENT KIND<tab>FIELD…` of the host's answer. One that is not understood is kept as it is, for a warning.
    pub(super) fn add(&mut self, line: &str) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<String> = rest.split('\t').map(str::to_owned).collect();
        let component = self.components.entry(plain(name)).or_default();
        match fields.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            _ if plain(line) != line => {
                component.unreadable = true;
                self.unreadable.push(plain(line));
            }
            ["as", user] if !user.is_empty() => component.user = Some((*user).to_owned()),
            fields if is_known(fields) => {
                component.lines.push(fields.iter().map(|&it| it.to_owned()).collect());
            }
            _ => {
                component.unreadable = true;
                self.unreadable.push(line.to_owned());
            }
        }
    }

    /// The components of which something is there.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let some = |it: &Component| it.lines.iter().any(|fields| fields[0] != "wrote");
        self.components.iter().filter(move |(_, it)| some(it)).map(|(name, _)| name.as_str())
    }

    /// Was something of this component put there?
    #[must_use]
    pub fn has(&self, component: &str) -> bool {
        self.components().any(|name| name == component)
    }

    /// What is noted of a component, one line of fields each.
    pub(super) fn lines(&self, component: &str) -> &[Vec<String>] {
        self.components.get(component).map_or(&[], |it| &it.lines)
    }

    /// What all of them have put into this file of settings, each with the file's copy of before (empty: there was none).
    pub(super) fn edits<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let lines = self.components.values().flat_map(|component| &component.lines);
        lines.filter_map(move |fields| match fields.as_slice() {
            [kind, it, kept, edit] if kind == "edit" && it == path => Some((kept.as_str(), edit.as_str())),
            _ => None,
        })
    }

    /// For whom a component was put there, where that is noted.
    #[must_use]
    pub fn user(&self, component: &str) -> Option<&str> {
        self.components.get(component)?.user.as_deref()
    }

    /// The users that sinc made.
    pub fn users_made(&self) -> impl Iterator<Item = &str> {
        let lines = self.components.values().flat_map(|component| &component.lines);
        lines.filter(|fields| fields[0] == "user").map(|fields| fields[1].as_str())
    }

    /// The files into which a component has put the keys of a login.
    pub fn key_files(&self, component: &str) -> impl Iterator<Item = &str> {
        self.lines(component).iter().filter(|fields| fields[0] == "keys").map(|fields| fields[1].as_str())
    }

    /// The lines that are not understood.
    #[must_use]
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// Is there such a line of this component?
    #[must_use]
    pub fn is_unreadable(&self, component: &str) -> bool {
        self.components.get(component).is_some_and(|it| it.unreadable)
    }

    /// How a component is taken back, which is not noted here any more then. What another one needs too goes over to that
    /// one, so that it goes with the last of them. `asks`: does a component ask for a package?
    pub fn take_back(&mut self, name: &str, asks: &dyn Fn(&str, &str) -> bool) -> Vec<Undo> {
        let lines = self.lines(name).to_vec();
        let others: Vec<String> = self.components().filter(|it| *it != name).map(str::to_owned).collect();
        let (mut own, mut left) = (Vec::new(), BTreeMap::<String, Vec<Vec<String>>>::new());
        for line in &lines {
            let package = line[0].starts_with("apt");
            let needs = |it: &&String| self.needs(it, line) || (package && asks(it, &line[1]));
            match others.iter().find(needs) {
                Some(other) => left.entry(other.clone()).or_default().push(line.clone()),
                None => own.push(line.clone()),
            }
        }
        let mut undo = Vec::new();
        for (other, mut lines) in left {
            let Some(there) = self.components.get_mut(&other) else { continue };
            lines.retain(|line| !there.lines.contains(line));
            if lines.is_empty() {
                continue;
            }
            let names: Vec<String> = lines.iter().map(|line| shared_name(line)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let what = format!("leave {} to {other}", several(&names));
            // What came along is tried now, and what cannot go yet goes then.
            if lines.iter().any(|line| line[0].starts_with("apt")) {
                lines.extend(own.iter().filter(|line| line[0] == "apt-with").cloned());
            }
            there.lines.extend(lines.iter().cloned());
            let words = std::iter::once(other).chain(lines.into_iter().flatten());
            undo.push(Undo { what, call: Call::new("hand_over", words) });
        }
        if let Some(component) = self.components.get_mut(name) {
            component.lines = own;
        }
        undo.extend(self.undo(name));
        self.components.remove(name);
        undo
    }

    /// Has this component noted that it needs what this line is about?
    fn needs(&self, name: &str, line: &[String]) -> bool {
        let is = |it: &Vec<String>, kind: &str| it[0].starts_with(kind) && it[1] == line[1];
        let any = |fits: &dyn Fn(&Vec<String>) -> bool| self.lines(name).iter().any(fits);
        match line[0].as_str() {
            "linger" => {
                // An older sinc noted no user.
                let of_user = self.user(name).is_none_or(|user| user == line[1]);
                any(&|it| is(it, "linger") || (of_user && it[0] == "service" && it[1] == "user"))
            }
            "apt" | "apt-with" => any(&|it| is(it, "apt")),
            _ => false,
        }
    }

    /// How a component is taken back: the last thing first, lingering when its services are down, packages in one go at the
    /// end.
    #[must_use]
    pub fn undo(&self, component: &str) -> Vec<Undo> {
        let Some(Component { lines, .. }) = self.components.get(component) else { return Vec::new() };
        let of = |kind: &str| {
            let of_kind = lines.iter().filter(|fields| fields[0] == kind);
            of_kind.map(|fields| fields[1].as_str()).collect::<Vec<_>>()
        };
        let (asked, along) = (of("apt"), of("apt-with"));
        let mut all: Vec<Undo> = lines.iter().rev().filter_map(|fields| undo_one(fields, lines)).collect();
        all.sort_by_key(|undo| undo.call.function == "undo_linger");
        if !asked.is_empty() || !along.is_empty() {
            let packages = [asked.as_slice(), &along].concat();
            let what = match packages.as_slice() {
                few if few.len() <= MOST_NAMED => format!("remove {}", several(few)),
                [first, rest @ ..] => format!("remove {first} and {} packages that came with it", rest.len()),
                [] => String::new(),
            };
            let words = asked.into_iter().chain(["--"]).chain(along);
            all.push(Undo { what, call: Call::new("undo_apt", words) });
        }
        all
    }
}

fn is_known(fields: &[&str]) -> bool {
    let owned: Vec<String> = fields.iter().map(|&it| it.to_owned()).collect();
    matches!(fields, ["apt" | "apt-with", package] if !package.is_empty())
        || matches!(fields, ["wrote", path, _] if !path.is_empty())
        || undo_one(&owned, &[]).is_some()
}

/// What is left to another component, in a sentence.
fn shared_name(line: &[String]) -> String {
    match line[0].as_str() {
        "linger" => format!("{}'s services without a login", line[1]),
        _ => line[1].clone(),
    }
}

/// How one thing is taken back; `all` are the lines of its component.
fn undo_one(fields: &[String], all: &[Vec<String>]) -> Option<Undo> {
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let undo = |what: String, function, words: &[&str]| {
        Some(Undo { what, call: Call::new(function, words.iter().copied()) })
    };
    match fields.as_slice() {
        ["repository", name] => undo(format!("forget the repository {name}"), "undo_repository", &[name]),
        ["ppa", name] => undo(format!("forget the PPA {name}"), "undo_ppa", &[name]),
        ["npm", package] => undo(format!("remove {package} of npm"), "undo_npm", &[package]),
        ["path" | "file", path, kept] => {
            // What sinc made of it, each time: as long as it is that, nobody has changed it since.
            let sums = all.iter().filter(|it| it[0] == "wrote" && it[1] == *path).map(|it| it[2].as_str());
            let words: Vec<&str> = [*path, *kept].into_iter().chain(sums).collect();
            let back = if kept.is_empty() { "" } else { " and bring back what was there before" };
            undo(format!("remove {path}{back}"), "undo_path", &words)
        }
        ["keys", file, kept] => {
            undo(format!("take the login's keys out of {file} again"), "undo_keys", &[file, kept])
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
        ["ufw-was", words @ ..] if !words.is_empty() => {
            let rule = match words {
                ["insert", _place, rule @ ..] => rule,
                rule => rule,
            };
            undo(format!("bring back the firewall's rule: {}", rule.join(" ")), "undo_ufw_was", words)
        }
        ["tailnet"] => undo("leave the tailnet".to_owned(), "undo_tailnet", &[]),
        ["ufw-on"] => undo("turn the firewall off".to_owned(), "undo_ufw_on", &[]),
        ["sshd"] => {
            let sums =
                all.iter().filter(|it| it[0] == "wrote" && it[1] == SSHD_FILE).map(|it| it[2].as_str());
            let words: Vec<&str> = sums.collect();
            undo("let sshd be as it was before".to_owned(), "undo_sshd", &words)
        }
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

    fn calls(records: &Records, component: &str) -> Vec<String> {
        records.undo(component).iter().map(|undo| undo.call.to_string()).collect()
    }

    #[test]
    fn the_last_thing_goes_first_and_packages_go_together() {
        let mut records = Records::default();
        for line in [
            "et as\tann",
            "et apt\tet",
            "et repository\tet",
            "et apt-with\tlibsodium23",
            "et file\t/etc/a b\t/var/lib/sinc/kept/et/%etc%a b",
            "et wrote\t/etc/a b\t11aa",
            "et wrote\t/etc/other\t33cc",
            "et wrote\t/etc/a b\t22bb",
            "et keys\t/home/ann/.ssh/authorized_keys\t/var/lib/sinc/kept/et/keys",
            "et service\tsystem\tet.service\tdisabled\tinactive",
            "et ufw-was\tinsert\t2\tdeny\t2022/tcp",
            "et ufw\tallow\t2022/tcp",
        ] {
            records.add(line);
        }
        assert_eq!(
            calls(&records, "et"),
            [
                "undo_ufw allow 2022/tcp",
                "undo_ufw_was insert 2 deny 2022/tcp",
                "undo_service system et.service disabled inactive",
                "undo_keys /home/ann/.ssh/authorized_keys /var/lib/sinc/kept/et/keys",
                "undo_path '/etc/a b' '/var/lib/sinc/kept/et/%etc%a b' 11aa 22bb",
                "undo_repository et",
                "undo_apt et -- libsodium23",
            ]
        );
        let undo = records.undo("et");
        assert_eq!(undo[1].what, "bring back the firewall's rule: deny 2022/tcp");
        assert_eq!(undo.iter().filter(|undo| undo.is_guarded()).count(), 2);
        assert_eq!(records.user("et"), Some("ann"));
        assert_eq!(records.unreadable(), [""; 0]);
        assert!(records.undo("base").is_empty());
    }

    /// What is noted, and what `take_back` makes of it for these components, one after the other.
    fn taken_back(lines: &[&str], order: &[&str]) -> Vec<Vec<String>> {
        let mut records = Records::default();
        lines.iter().for_each(|line| records.add(line));
        let asks = |name: &str, package: &str| (name, package) == ("base", "git");
        let mut back = |name: &&str| -> Vec<String> {
            records
                .take_back(name, &asks)
                .iter()
                .map(|undo| format!("{}: {}", undo.what, undo.call))
                .collect()
        };
        order.iter().map(&mut back).collect()
    }

    #[test]
    fn lingering_goes_with_the_last_component_of_its_user_that_needs_it() {
        let stops = |unit: &str| {
            let what = format!("let {unit} be disabled and inactive, as before");
            format!("{what}: undo_service user {unit} disabled inactive")
        };
        let ends = "end dev's services at its logout: undo_linger dev";
        // As it was noted when only the first one did.
        let lines = [
            "one as\tdev",
            "one linger\tdev",
            "one service\tuser\tone.service\tdisabled\tinactive",
            "two as\tdev",
            "two service\tuser\ttwo.service\tdisabled\tinactive",
            "anns as\tann",
            "anns service\tuser\tanns.service\tdisabled\tinactive",
            "systems as\tdev",
            "systems service\tsystem\tx.service\tdisabled\tinactive",
        ];
        let left = "leave dev's services without a login to two: hand_over two linger dev".to_owned();
        assert_eq!(
            taken_back(&lines, &["one", "two"]),
            [vec![left, stops("one.service")], vec![stops("two.service"), ends.to_owned()]]
        );
        assert_eq!(
            taken_back(&lines, &["two", "one"]),
            [vec![stops("two.service")], vec![stops("one.service"), ends.to_owned()]]
        );
        // As each one notes it, and as it is handed over.
        let lines = [lines.as_slice(), &["two linger\tdev"]].concat();
        for order in [["one", "two"], ["two", "one"]] {
            let (first, last) = (format!("{}.service", order[0]), format!("{}.service", order[1]));
            assert_eq!(
                taken_back(&lines, &order),
                [vec![stops(&first)], vec![stops(&last), ends.to_owned()]]
            );
        }
    }

    #[test]
    fn a_package_that_another_component_asks_for_too_stays_with_it() {
        let lines = [
            "et apt\tgit",
            "et apt\tcurl",
            "et apt\tet",
            "et apt-with\tlibx",
            "base as\tdev",
            "base apt\tcurl",
            "mine wrote\t/x\t1",
        ];
        assert_eq!(
            taken_back(&lines, &["et", "base"]),
            [
                vec![
                    "leave git to base: hand_over base apt git apt-with libx",
                    "remove et and libx: undo_apt et -- libx"
                ],
                vec!["remove curl, git and libx: undo_apt curl git -- libx"],
            ]
        );
        // It is not there: nothing is noted of it.
        assert_eq!(
            taken_back(&lines[..4], &["et"]),
            [["remove git, curl, et and libx: undo_apt git curl et -- libx"]]
        );
    }

    #[test]
    fn a_line_that_is_not_understood_is_told_and_the_others_count() {
        let mut records = Records::default();
        for line in [
            "et nonsense\tx",
            "et apt\tet",
            "et apt",
            "et shell\tno\tzz\tx",
            "half",
            "ufw as\tdev",
            "ufw wrote\t/x\t1",
        ] {
            records.add(line);
        }
        assert_eq!(records.unreadable(), ["et nonsense\tx", "et apt", "et shell\tno\tzz\tx", "half"]);
        assert_eq!(calls(&records, "et"), ["undo_apt et --"]);
        assert_eq!(records.components().collect::<Vec<_>>(), ["et"]);
        assert!(records.is_unreadable("et") && !records.is_unreadable("ufw") && !records.has("half"));
    }
}
