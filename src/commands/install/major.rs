//! `opencode@2`: an agent of another major version than the one that its plain name brings.

use crate::provision::catalog::{Catalog, Selection};

/// What a person writes, the agent that it is, the component that brings it.
const MAJORS: [(&str, &str, &str); 1] = [("opencode@2", "opencode", "opencode-2")];

/// The agent of the configuration that is meant.
pub(super) fn agent(wanted: Option<&str>) -> Option<&str> {
    wanted.map(|wanted| MAJORS.iter().find(|(written, ..)| *written == wanted).map_or(wanted, |it| it.1))
}

/// The component that is meant.
pub(super) fn component(wanted: &str) -> String {
    MAJORS.iter().find(|(written, ..)| *written == wanted).map_or(wanted, |it| it.2).to_owned()
}

/// What a person should know who chose the other one: what does not go with it.
pub(super) fn without(catalog: &Catalog, selection: &Selection) -> Option<String> {
    let chosen = selection.with.iter().chain(&selection.agent).filter_map(|name| catalog.get(name));
    let (chosen, other) = chosen.filter_map(|it| Some((it, it.about.instead_of.as_ref()?))).next()?;
    let made_for = catalog.all().iter().filter(|it| it.needs().any(|need| need == other));
    let names: Vec<String> = made_for.map(|it| format!("`{}`", it.name)).collect();
    Some(format!(
        "what is made for `{other}` does not load in `{}`, and is left out: {}",
        chosen.name,
        names.join(", ")
    ))
}
