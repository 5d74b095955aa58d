//! `docs/components.md` lists what the component files say. With `INSTA_UPDATE=always` the list is written anew.

use std::fmt::Write as _;

use sinc::provision::catalog::Catalog;
use sinc::provision::component::{Component, Kind};

const BEGIN: &str = "<!-- made from install/components/ by tests/cli/components.rs -->\n";
const END: &str = "<!-- end -->";

/// The versions that are put there.
fn pins(component: &Component) -> String {
    let pins = component.steps.iter().filter_map(|step| match &step.kind {
        Kind::Npm(npm) => Some(format!("{} {}", npm.package, npm.version)),
        _ => None,
    });
    let pins: Vec<String> = pins.collect();
    if pins.is_empty() { "the repository's".to_owned() } else { pins.join(", ") }
}

fn list() -> String {
    let mut text = "\n| component | what it is | tier | needs | opens | disk | from | version | looked at | processors |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for component in Catalog::load(None).unwrap().all() {
        let about = &component.about;
        let tier = match (about.tier, about.agent) {
            (Some(tier), _) => format!("{tier:?}").to_lowercase(),
            (None, true) => "the chosen agent".to_owned(),
            (None, false) => "by name".to_owned(),
        };
        let or_none = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        let processors: Vec<&str> = about.architectures.iter().map(|it| it.name()).collect();
        writeln!(
            text,
            "| `{}` | {} | {tier} | {} | {} | {} MB | {} | {} | {} | {} |",
            component.name,
            about.summary,
            or_none(component.needs().collect::<Vec<_>>().join(", ")),
            or_none(about.opens.join(", ")),
            about.disk,
            about.source,
            pins(component),
            about.pinned,
            processors.join(", "),
        )
        .unwrap();
    }
    text.push('\n');
    text
}

#[test]
fn the_list_of_components_is_what_their_files_say() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/components.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let wanted = format!("{head}{BEGIN}{}{END}{tail}", list());
    if text != wanted && crate::support::variable("INSTA_UPDATE").is_some_and(|how| how == "always") {
        std::fs::write(&file, &wanted).unwrap();
        return;
    }
    assert_eq!(text, wanted, "docs/components.md is not what install/components/ says");
}
