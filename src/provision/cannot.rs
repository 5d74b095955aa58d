//! What cannot be on a host at all, whatever is done there.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Selection;
use super::component::Component;
use super::facts::HostFacts;

/// Why this component cannot be on this host.
#[must_use]
pub fn why(component: &Component, host: &HostFacts) -> Option<String> {
    if component.about.never_root && host.user == "root" {
        return Some("it is never run as root: have a user of the host's own (`sinc install`)".to_owned());
    }
    let architecture = host.architecture()?;
    (!component.about.architectures.contains(&architecture))
        .then(|| format!("there is none for {}", architecture.name()))
}

/// Takes out of these components, which are in order, the members of a tier that cannot be on this host. What a person
/// named stays, with what it needs. Gives a sentence for each that is left out.
pub fn leave_out(components: &mut Vec<&Component>, selection: &Selection, host: &HostFacts) -> Vec<String> {
    let mut named: BTreeSet<&str> =
        selection.with.iter().chain(&selection.agent).map(String::as_str).collect();
    for component in components.iter().rev() {
        if named.contains(component.name.as_str()) {
            named.extend(component.needs());
        }
    }
    let mut left_out: BTreeMap<&str, String> = BTreeMap::new();
    let mut sentences = Vec::new();
    components.retain(|component| {
        if named.contains(component.name.as_str()) {
            return true;
        }
        let missing = component.needs().find(|need| left_out.contains_key(need));
        let Some(why) = why(component, host).or_else(|| missing.map(|need| format!("it needs {need}")))
        else {
            return true;
        };
        sentences.push(format!("{} is left out: {why}", component.name));
        left_out.insert(&component.name, why);
        false
    });
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::catalog::Catalog;
    use crate::provision::component::Tier;

    #[test]
    fn of_a_tier_what_cannot_be_there_is_left_out_and_what_is_named_stays() {
        let catalog = Catalog::load(None).unwrap();
        let arm = HostFacts { arch: "aarch64".to_owned(), user: "dev".to_owned(), ..HostFacts::default() };
        let root = HostFacts { arch: "x86_64".to_owned(), user: "root".to_owned(), ..HostFacts::default() };
        let left_out = |with: &[&str], host: &HostFacts| {
            let with = with.iter().map(|&name| name.to_owned()).collect();
            let agent = Some("opencode".to_owned());
            let selection = Selection { tier: Some(Tier::Full), agent, with, ..Selection::default() };
            let mut components = catalog.select(&selection).unwrap();
            let all = components.len();
            let sentences = leave_out(&mut components, &selection, host);
            assert_eq!(components.len() + sentences.len(), all);
            sentences
        };
        assert_eq!(left_out(&[], &arm), ["ai-sessions is left out: there is none for arm64"]);
        assert_eq!(left_out(&["ai-sessions"], &arm), [""; 0]);
        let why = "it is never run as root: have a user of the host's own (`sinc install`)";
        assert_eq!(left_out(&["kimaki"], &root), [format!("agent-os is left out: {why}")]);
        assert_eq!(left_out(&[], &HostFacts { user: "dev".to_owned(), ..root.clone() }), [""; 0]);
    }

    #[test]
    fn what_needs_it_is_left_out_too_and_what_a_named_one_needs_stays() {
        let file = |name: &str, more: &str| {
            let text = format!("summary = \"x\"\nsource = \"x\"\npinned = \"x\"\n{more}\nstep = []\n");
            Component::parse(std::path::Path::new(&format!("{name}.toml")), &text).unwrap()
        };
        let one = file("one", "tier = \"full\"\narchitectures = [\"x86-64\"]");
        let two = file("two", "tier = \"full\"\nneeds = [\"one\"]");
        let arm = HostFacts { arch: "aarch64".to_owned(), ..HostFacts::default() };
        let mut components = vec![&one, &two];
        let left_out = leave_out(&mut components, &Selection::default(), &arm);
        assert_eq!(left_out, ["one is left out: there is none for arm64", "two is left out: it needs one"]);
        let mut components = vec![&one, &two];
        let named = Selection { with: vec!["two".to_owned()], ..Selection::default() };
        assert_eq!(leave_out(&mut components, &named, &arm), [""; 0]);
        assert_eq!(components.len(), 2);
    }
}
