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
    let pins: Vec<String> = pins.chain(component.about.version.clone()).collect();
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

/// What the steps pin besides packages of npm: `name@1.2`, `name==1.2`, or the version in a download's address.
fn pinned_in_steps(file: &str) -> Vec<String> {
    let words = file.split(|c: char| c.is_whitespace() || "\\\"',/[]()".contains(c));
    let versions = words.filter_map(|word| {
        let (_, version) = word.rsplit_once("==").or_else(|| word.rsplit_once('@'))?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
    });
    versions.collect()
}

#[test]
fn each_version_that_is_put_there_is_told() {
    let catalog = Catalog::load(None).unwrap();
    let mut told = 0;
    for component in catalog.all() {
        let name = &component.name;
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("install/components/{name}.toml"));
        let file = std::fs::read_to_string(file).unwrap();
        let steps = file.split_once("[[step]]").unwrap().1;
        for pin in pinned_in_steps(steps) {
            assert!(pins(component).contains(&pin), "{name}: {pin} is not in its `version`");
            told += 1;
        }
        let version = component.about.version.as_deref();
        let downloads = component.steps.iter().any(|step| matches!(step.kind, Kind::Download(_)));
        assert!(version.is_some() || !downloads, "{name} says no `version`");
        for entry in version.into_iter().flat_map(|version| version.split(", ")) {
            let (_, number) = entry.rsplit_once(' ').unwrap_or(("", entry));
            assert!(steps.contains(number), "{name}: its steps know no {number}");
        }
    }
    assert!(told >= 10, "only {told}");
}
