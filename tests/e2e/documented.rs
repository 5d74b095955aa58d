//! Is what `--json` prints what docs/cli.md says, field by field?

use std::collections::BTreeSet;

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/cli.md");

/// The fields in the table below the heading with this command.
fn documented(command: &str) -> BTreeSet<String> {
    let json = PAGE.split("\n## JSON").nth(1).expect("a section JSON");
    let of_command = |section: &&str| section.lines().next().is_some_and(|heading| heading.contains(command));
    let section = json.split("\n### ").skip(1).find(of_command).expect("a section of the command");
    let field = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(field).collect()
}

/// The fields of an object: `a.b`, `a[].b`; and those whose content cannot be seen, because they are null or empty.
fn fields(value: &Value, at: &str, found: &mut BTreeSet<String>, closed: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                fields(value, &at, found, closed);
            }
        }
        Value::Array(array) if array.iter().any(Value::is_object) => {
            for value in array {
                fields(value, &format!("{at}[]"), found, closed);
            }
        }
        Value::Null => drop(closed.insert(at.to_owned())),
        Value::Array(array) if array.is_empty() => drop(closed.insert(at.to_owned())),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// The `data` of an answer, whose fields must be those of the page.
#[track_caller]
pub(crate) fn data(command: &str, stdout: &str) -> Value {
    data_as(command, command, stdout)
}

/// The same for a command that prints what another one prints.
#[track_caller]
pub(crate) fn data_as(command: &str, as_command: &str, stdout: &str) -> Value {
    let answer: Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    assert_eq!(
        (&answer["version"], &answer["command"]),
        (&Value::from(1), &Value::from(command)),
        "{stdout}"
    );
    assert_eq!(answer["ok"], true, "{stdout}");
    let page = documented(&format!("`{as_command}`"));
    let (mut found, mut closed) = (BTreeSet::new(), BTreeSet::new());
    fields(&answer["data"], "", &mut found, &mut closed);
    let below = |field: &str, parent: &str| {
        field.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    for field in &found {
        let known = page.contains(field) || page.iter().any(|parent| below(field, parent));
        assert!(known, "`{field}` is not in docs/cli.md: {stdout}");
    }
    for field in &page {
        let there = found.iter().any(|one| below(one, field)) || closed.iter().any(|one| below(field, one));
        assert!(there, "docs/cli.md promises `{field}`: {stdout}");
    }
    for field in &closed {
        let known = page.iter().any(|one| below(one, field) || below(field, one));
        assert!(known, "`{field}` is not in docs/cli.md: {stdout}");
    }
    answer["data"].clone()
}
