//! Edits of files, taken back: what was put there goes, and what a person or another component wrote since stays.

use std::collections::BTreeMap;

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::apply::Back;
use super::edit::{self, bare, input, split, toml_value};
use super::facts::{Fact, FileFact};
use super::kinds::{Edit, Format};
use super::program::Call;
use super::records::Records;

/// What a record's edit is written as.
#[must_use]
pub fn written(edit: &Edit) -> String {
    hex::encode(serde_json::to_vec(edit).unwrap_or_default())
}

/// What a record's edit says.
pub(super) fn read(word: &str) -> Option<Edit> {
    serde_json::from_slice(&hex::decode(word).ok()?).ok()
}

/// The files that must be seen for this, as the host has them and as they were kept.
#[must_use]
pub fn files(plan: &[Back], records: &Records) -> Vec<String> {
    let of_path = |words: &Vec<String>| {
        let kept = records.edits(&words[0]).map(|(kept, _)| kept.to_owned());
        kept.chain([words[0].clone(), words[1].clone()]).collect::<Vec<_>>()
    };
    let mut files: Vec<String> = edits(plan).flat_map(of_path).collect();
    files.retain(|file| !file.is_empty());
    files.sort();
    files.dedup();
    files
}

fn edits(plan: &[Back]) -> impl Iterator<Item = &Vec<String>> {
    plan.iter()
        .flat_map(|back| &back.undo)
        .map(|undo| &undo.call)
        .filter(|call| is_open(call))
        .map(|it| &it.words)
}

/// As a record gives it: path, kept copy, edit.
fn is_open(call: &Call) -> bool {
    call.function == "undo_edit" && call.words.len() == 3
}

/// Puts the text that a file gets into each of these calls, in the order in which they are made.
pub fn settle(plan: &mut [Back], records: &Records, mut seen: BTreeMap<String, Fact>) {
    let mut only_ours = BTreeMap::new();
    for path in edits(plan).map(|words| &words[0]) {
        only_ours.entry(path.clone()).or_insert_with(|| is_only_ours(path, records, &seen));
    }
    for undo in plan.iter_mut().flat_map(|back| &mut back.undo).filter(|undo| is_open(&undo.call)) {
        let [path, kept, edit] = undo.call.words.as_slice() else { continue };
        let others =
            records.edits(path).map(|(other, _)| other).filter(|other| other != kept).collect::<Vec<_>>();
        undo.call = match taken_back(path, kept, edit, &others, only_ours[path], &mut seen) {
            Ok(call) => call,
            Err(why) => Call::new("because", [format!("{path} stays as it is: {why}")]),
        };
    }
}

/// Has nobody but sinc's components written to this file? Then nothing is in it, without what is noted of them all, but what
/// was there before one of them.
fn is_only_ours(path: &str, records: &Records, seen: &BTreeMap<String, Fact>) -> bool {
    let text = |file: &str| text(file, seen).unwrap_or_default();
    let noted: Option<Vec<(String, Edit)>> =
        records.edits(path).map(|(kept, edit)| Some((text(kept), read(edit)?))).collect();
    let (now, noted) = (text(path), noted.unwrap_or_default());
    let leaves = |before: &str| {
        let rest = noted.iter().try_fold(now.clone(), |rest, (_, edit)| without(edit, before, &rest)).ok()?;
        let format = noted.first()?.1.format;
        Some(value(format, &rest)? == value(format, before)?)
    };
    noted.iter().any(|(before, _)| leaves(before) == Some(true))
}

/// What a file of settings says.
fn value(format: Format, text: &str) -> Option<Value> {
    match format {
        Format::Json => {
            let root = CstRootNode::parse(text, &ParseOptions::default()).ok()?;
            Some(root.to_serde_value().unwrap_or_default())
        }
        Format::Toml => serde_json::to_value(text.parse::<toml::Table>().ok()?).ok(),
    }
}

/// What is in a file that was seen; nothing where there is none.
fn text(file: &str, seen: &BTreeMap<String, Fact>) -> Result<String, String> {
    match seen.get(file) {
        Some(Fact::Edit(FileFact::File { .. }, content)) => {
            String::from_utf8(content.clone()).map_err(|_| "it is not UTF-8".to_owned())
        }
        _ => Ok(String::new()),
    }
}

/// `others` are the copies of before that go with other edits.
fn taken_back(
    path: &str,
    kept: &str,
    edit: &str,
    others: &[&str],
    only_ours: bool,
    seen: &mut BTreeMap<String, Fact>,
) -> Result<Call, String> {
    let edit = read(edit).ok_or("what was put there is not known any more")?;
    let (before, now) = (text(kept, seen)?, text(path, seen)?);
    let Some(Fact::Edit(FileFact::File { sha256, mode, owner }, _)) = seen.get(path).cloned() else {
        return Ok(Call::new("true", [""; 0]));
    };
    let (new, whole) = match edit::apply(&edit, &before) {
        // Nobody wrote to it since: it becomes just what it was.
        Ok(ours) if ours == now => (before.clone(), "no"),
        _ => (without(&edit, &before, &now)?, if only_ours { "no" } else { "yes" }),
    };
    let file = FileFact::File { sha256: edit::sum(&new), mode: mode.clone(), owner: owner.clone() };
    let fact = if new.is_empty() { FileFact::Absent } else { file };
    seen.insert(path.to_owned(), Fact::Edit(fact, new.clone().into_bytes()));
    let mut call = Call::new("undo_edit", [path, &mode, &owner, &sha256, &new, whole]);
    for other in others {
        let Some(Fact::Edit(FileFact::File { .. }, content)) = seen.get_mut(*other) else { continue };
        let Ok(was) = std::str::from_utf8(content) else { continue };
        // One that is not to be read is said once it is taken back itself.
        let Ok(left) = without(&edit, &before, was) else { continue };
        if left != was {
            *content = left.clone().into_bytes();
            call.words.extend([(*other).to_owned(), left]);
        }
    }
    Ok(call)
}

/// The text `now` without what `edit` had put into `before`; empty where nothing is left of a file that was not there.
fn without(edit: &Edit, before: &str, now: &str) -> Result<String, String> {
    let left = match edit.format {
        Format::Json => json(edit, before, now)?,
        Format::Toml => toml(edit, before, now)?,
    };
    let nothing =
        before.is_empty() && matches!(left.split_whitespace().collect::<String>().as_str(), "" | "{}");
    Ok(if nothing { String::new() } else { left })
}

fn json(edit: &Edit, before: &str, now: &str) -> Result<String, String> {
    let parse = |text: &str| {
        CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| format!("it is not JSON: {error}"))
    };
    let was = parse(before)?.to_serde_value().unwrap_or_default();
    let root = parse(now)?;
    let Some(top) = root.object_value() else { return Ok(now.to_owned()) };
    let below =
        |parts: &[&str]| parts.iter().try_fold(top.clone(), |it: CstObject, part| it.object_value(part));
    let was_there = |parts: &[&str]| parts.iter().try_fold(&was, |it, part| it.get(*part));
    for (key, value) in &edit.set {
        let (mut parts, last) = split(key);
        let Some(property) = below(&parts).and_then(|object| object.get(last)) else { continue };
        if property.value().and_then(|it| it.to_serde_value()).as_ref() != Some(value) {
            continue;
        }
        parts.push(last);
        match was_there(&parts) {
            Some(old) => property.set_value(input(old)),
            None if *key == SCHEMA => {}
            None => property.remove(),
        }
        parts.pop();
        prune(&top, &parts, &was_there);
    }
    for (key, values) in &edit.add {
        let (mut parts, last) = split(key);
        let Some(array) = below(&parts).and_then(|object| object.array_value(last)) else { continue };
        parts.push(last);
        let kept = was_there(&parts).and_then(Value::as_array).cloned().unwrap_or_default();
        for element in array.elements() {
            let value = CstNode::to_serde_value(&element);
            if value.is_some_and(|value| values.contains(&value) && !kept.contains(&value)) {
                element.remove();
            }
        }
        prune(&top, &parts, &was_there);
    }
    if let Some(schema) = top.get(SCHEMA).filter(|_| top.properties().len() == 1) {
        let ours = schema.value().and_then(|it| it.to_serde_value()).as_ref() == edit.set.get(SCHEMA);
        if before.is_empty() || (ours && was.get(SCHEMA).is_none()) {
            schema.remove();
        }
    }
    Ok(root.to_string())
}

/// What the rest of an object is, for editors. Others want it there too: it goes once it is alone.
const SCHEMA: &str = "$schema";

/// Removes what is empty now, and was not there, from the innermost on.
fn prune<'a>(top: &CstObject, parts: &[&str], was_there: &dyn Fn(&[&str]) -> Option<&'a Value>) {
    for length in (1..=parts.len()).rev() {
        let (above, last) = (&parts[..length - 1], parts[length - 1]);
        let object = above.iter().try_fold(top.clone(), |it: CstObject, part| it.object_value(part));
        let Some(property) = object.and_then(|object| object.get(last)) else { return };
        let empty = property.object_value().is_some_and(|it| it.properties().is_empty())
            || property.array_value().is_some_and(|it| it.elements().is_empty());
        if !empty || was_there(&parts[..length]).is_some() {
            return;
        }
        property.remove();
    }
}

fn toml(edit: &Edit, before: &str, now: &str) -> Result<String, String> {
    use toml_edit::{DocumentMut, Item, TableLike};
    fn below<'a>(document: &'a mut DocumentMut, parts: &[&str]) -> Option<&'a mut dyn TableLike> {
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for part in parts {
            table = table.get_mut(part)?.as_table_like_mut()?;
        }
        Some(table)
    }
    let parse = |text: &str| text.parse::<DocumentMut>().map_err(|error| format!("it is not TOML: {error}"));
    let (mut was, mut document) = (parse(before)?, parse(now)?);
    for key in edit.set.keys().chain(edit.add.keys()) {
        let (parts, last) = split(key);
        let old = below(&mut was, &parts).and_then(|table| table.get(last).cloned());
        let Some(table) = below(&mut document, &parts) else { continue };
        if let Some(value) = edit.set.get(key) {
            let same = table.get(last).and_then(Item::as_value).map(bare) == Some(bare(&toml_value(value)?));
            match old {
                _ if !same => {}
                // In its place, for the comments before it.
                Some(old) => table.get_mut(last).into_iter().for_each(|item| *item = old.clone()),
                None => drop(table.remove(last)),
            }
        } else if let Some(array) = table.get_mut(last).and_then(Item::as_array_mut) {
            let kept: Vec<String> =
                old.iter().filter_map(Item::as_array).flat_map(|it| it.iter().map(bare)).collect();
            for value in &edit.add[key] {
                let value = bare(&toml_value(value)?);
                array.retain(|it| bare(it) != value || kept.contains(&value));
            }
            if array.is_empty() && old.is_none() {
                table.remove(last);
            }
        }
        for length in (1..=parts.len()).rev() {
            let empty = below(&mut document, &parts[..length]).is_some_and(|table| table.is_empty());
            if !empty || below(&mut was, &parts[..length]).is_some() {
                break;
            }
            if let Some(above) = below(&mut document, &parts[..length - 1]) {
                above.remove(parts[length - 1]);
            }
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::records::Undo;

    fn edit(format: Format, set: &[(&str, Value)], add: &[(&str, &[&str])]) -> Edit {
        Edit {
            path: "/x".to_owned(),
            format,
            set: set.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            add: add
                .iter()
                .map(|(key, values)| ((*key).to_owned(), values.iter().map(|it| Value::from(*it)).collect()))
                .collect(),
            gone: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_put_into_json_goes_and_the_rest_stays() {
        let wanted = edit(
            Format::Json,
            &[("theme", "light".into()), ("mcp.git.command", "uvx".into())],
            &[("plugin", &["a@1", "b@1"])],
        );
        let before = "{\n  // mine\n  \"theme\": \"dark\",\n  \"plugin\": [\"a@1\"]\n}\n";
        let ours = edit::apply(&wanted, before).unwrap();
        // Another component, and the person, wrote to it since.
        let other = edit(Format::Json, &[("mcp.web.command", "x".into())], &[("plugin", &["c@1"])]);
        let since = edit::apply(&other, &ours).unwrap().replace("// mine", "// mine, still");
        let left = without(&wanted, before, &since).unwrap();
        assert!(left.contains("// mine, still"), "{left}");
        let value = CstRootNode::parse(&left, &ParseOptions::default()).unwrap().to_serde_value().unwrap();
        assert_eq!(
            value,
            serde_json::json!({"theme": "dark", "plugin": ["a@1", "c@1"], "mcp": {"web": {"command": "x"}}})
        );
        // What the person changed is the person's.
        let changed = ours.replace("\"light\"", "\"blue\"");
        assert!(without(&wanted, before, &changed).unwrap().contains("\"blue\""));
        // Of a file that was not there nothing is left.
        let made = edit::apply(&wanted, "").unwrap();
        assert_eq!(without(&wanted, "", &made).unwrap(), "");
        assert!(without(&wanted, before, "[").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn a_schema_stays_for_the_others_and_goes_once_it_is_alone() {
        let schema = ("$schema", Value::from("https://example.com"));
        let [one, two] = ["a@1", "b@1"]
            .map(|plugin| edit(Format::Json, std::slice::from_ref(&schema), &[("plugin", &[plugin])]));
        let both = edit::apply(&two, &edit::apply(&one, "").unwrap()).unwrap();
        let left = without(&one, "", &both).unwrap();
        assert_eq!(edit::apply(&two, &left).unwrap(), left, "the other one has nothing to do");
        assert!(!left.contains("a@1"), "{left}");
        assert_eq!(without(&two, "", &left).unwrap(), "");
        // One that was put there by somebody else says nothing alone, either.
        let plugin = edit(Format::Json, &[], &[("plugin", &["a@1"])]);
        assert_eq!(without(&plugin, "", &edit::apply(&one, "").unwrap()).unwrap(), "");
        // What was there before comes back.
        let before = "{ \"$schema\": \"mine\" }";
        let now = edit::apply(&one, before).unwrap().replace("a@1", "mine\", \"a@1");
        assert!(without(&one, before, &now).unwrap().contains("\"$schema\": \"mine\""));
    }

    #[test]
    fn what_was_put_into_toml_goes_and_the_rest_stays() {
        let wanted = edit(
            Format::Toml,
            &[("model", "y".into()), ("mcp_servers.git.command", "uvx".into())],
            &[("notify", &["a"])],
        );
        let before = "# mine\nmodel = \"x\"\n";
        let ours = edit::apply(&wanted, before).unwrap();
        let since = format!("{ours}\n[tui]\ntheme = \"dark\"\n");
        let left = without(&wanted, before, &since).unwrap();
        let table: toml::Table = left.parse().unwrap();
        assert_eq!(table, "model = \"x\"\n[tui]\ntheme = \"dark\"\n".parse().unwrap(), "{left}");
        assert!(left.starts_with("# mine\n"), "{left}");
        assert_eq!(without(&wanted, "", &edit::apply(&wanted, "").unwrap()).unwrap(), "");
    }

    fn file(text: &str) -> Fact {
        let file =
            FileFact::File { sha256: edit::sum(text), mode: "0600".to_owned(), owner: "dev".to_owned() };
        Fact::Edit(file, text.as_bytes().to_vec())
    }

    fn undo(name: &str, kept: &str, edit: &Edit) -> Back {
        let call = Call::new("undo_edit", ["/x", kept, &written(edit)]);
        let undo = vec![Undo { what: String::new(), call }];
        Back { name: name.to_owned(), user: None, undo, unreadable: false }
    }

    fn noted(plan: &[Back]) -> Records {
        let mut records = Records::default();
        for back in plan {
            let words = &back.undo[0].call.words;
            records.add(&format!("{} edit\t{}", back.name, words.join("\t")));
        }
        records
    }

    #[test]
    fn an_older_pin_that_made_room_does_not_come_back() {
        let first = edit(Format::Json, &[], &[("plugin", &["a@1"])]);
        let mut second = edit(Format::Json, &[], &[("plugin", &["a@2"])]);
        second.gone.insert("plugin".to_owned(), vec!["a@1".into()]);
        let before = "{ \"x\": 1 }\n";
        let between = edit::apply(&first, before).unwrap();
        let now = edit::apply(&second, &between).unwrap();
        assert!(!now.contains("a@1"), "{now}");
        let others = now.replace("a@2", "mine@1\", \"a@2");
        for (now, left, whole) in [(&now, "{ \"x\": 1 }\n", "no"), (&others, "mine@1", "yes")] {
            let seen = [("/x", now.as_str()), ("/k1", before), ("/k2", &between)];
            let seen = seen.map(|(at, text)| (at.to_owned(), file(text)));
            let mut plan = vec![undo("it", "/k2", &second), undo("it", "/k1", &first)];
            let records = noted(&plan);
            settle(&mut plan, &records, seen.into());
            let words = &plan[1].undo[0].call.words;
            assert!(words[4].contains(left) && !words[4].contains("a@"), "{words:?}");
            assert_eq!(words[5], whole, "{words:?}");
        }
    }

    #[test]
    fn edits_of_one_file_are_taken_back_one_after_the_other() {
        let (first, second) = (
            edit(Format::Json, &[], &[("plugin", &["a@1"])]),
            edit(Format::Json, &[("theme", "dark".into())], &[("plugin", &["b@1"])]),
        );
        let before = "{ \"x\": 1 }\n";
        let between = edit::apply(&first, before).unwrap();
        let now = edit::apply(&second, &between).unwrap();
        let seen: BTreeMap<String, Fact> = [("/x", now.as_str()), ("/k1", before), ("/k2", &between)]
            .map(|(at, text)| (at.to_owned(), file(text)))
            .into();
        let mut plan = vec![undo("second", "/k2", &second), undo("first", "/k1", &first)];
        let records = noted(&plan);
        assert_eq!(files(&plan, &records), ["/k1", "/k2", "/x"]);
        settle(&mut plan, &records, seen.clone());
        assert_eq!(plan[0].undo[0].call.words, ["/x", "0600", "dev", &edit::sum(&now), &between, "no"]);
        assert_eq!(
            plan[1].undo[0].call.words[..6],
            ["/x", "0600", "dev", &edit::sum(&between), before, "no"]
        );
        // The first one alone leaves what the second one wrote, which is no work of a person's.
        let mut plan = vec![undo("first", "/k1", &first)];
        assert_eq!(files(&plan, &records), ["/k1", "/k2", "/x"]);
        settle(&mut plan, &records, seen.clone());
        let words = &plan[0].undo[0].call.words;
        let (rest, again) = (words[4].clone(), words[7].clone());
        assert_eq!(words[6], "/k2");
        let left: Value = serde_json::from_str(&rest).unwrap();
        assert_eq!(left, serde_json::json!({"x": 1, "plugin": ["b@1"], "theme": "dark"}));
        assert_eq!(plan[0].undo[0].call.words[5], "no");
        // Then the second one, whose copy of before is without the first one, too.
        let mut last = vec![undo("second", "/k2", &second)];
        let mut later = seen.clone();
        later.extend([("/x".to_owned(), file(&rest)), ("/k2".to_owned(), file(&again))]);
        let alone = noted(&last);
        settle(&mut last, &alone, later);
        let left: Value = serde_json::from_str(&last[0].undo[0].call.words[4]).unwrap();
        assert_eq!(left, serde_json::json!({"x": 1}));
        assert_eq!(last[0].undo[0].call.words[5], "no");
        // A person wrote to it: the whole of it is kept.
        let mut others = seen;
        others.insert("/x".to_owned(), file(&now.replace("\"x\": 1", "\"x\": 2")));
        let mut plan = vec![undo("first", "/k1", &first)];
        settle(&mut plan, &records, others);
        assert_eq!(plan[0].undo[0].call.words[5], "yes");
    }
}
