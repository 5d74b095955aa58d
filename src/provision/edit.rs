//! Keys set in JSON (with comments) and TOML: all else in the file stays as it is, comments too.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::kinds::{Edit, Format};

/// The text as it should be.
///
/// # Errors
/// It is not what it should be: a sentence says why.
pub fn apply(edit: &Edit, text: &str) -> Result<String, String> {
    match edit.format {
        Format::Json => json(edit, text),
        Format::Toml => toml(edit, text),
    }
}

pub(super) fn split(key: &str) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    (parts, last)
}

fn json(edit: &Edit, text: &str) -> Result<String, String> {
    let root =
        CstRootNode::parse(if text.trim().is_empty() { "{\n}\n" } else { text }, &ParseOptions::default())
            .map_err(|error| format!("it is not JSON: {error}"))?;
    let top = root.object_value_or_create().ok_or("its top is no object")?;
    let below = |parts: &[&str]| -> Result<CstObject, String> {
        parts.iter().try_fold(top.clone(), |object, part| {
            object.object_value_or_create(part).ok_or(format!("`{part}` is no object"))
        })
    };
    for (key, value) in &edit.set {
        let (parts, last) = split(key);
        let object = below(&parts)?;
        match object.get(last) {
            Some(property) => {
                if property.value().and_then(|it| it.to_serde_value()).as_ref() != Some(value) {
                    property.set_value(input(value));
                }
            }
            None => drop(object.append(last, input(value))),
        }
    }
    for (key, values) in &edit.gone {
        let (parts, last) = split(key);
        let object = parts.iter().try_fold(top.clone(), |object, part| object.object_value(part));
        let elements = object.and_then(|it| it.array_value(last)).map(|it| it.elements()).unwrap_or_default();
        let is_gone = |it: &CstNode| it.to_serde_value().is_some_and(|value| values.contains(&value));
        elements.into_iter().filter(is_gone).for_each(CstNode::remove);
    }
    for (key, values) in &edit.add {
        let (parts, last) = split(key);
        let array = below(&parts)?.array_value_or_create(last).ok_or(format!("`{key}` is no list"))?;
        let there: Vec<Value> = array.elements().iter().filter_map(CstNode::to_serde_value).collect();
        for value in values.iter().filter(|value| !there.contains(value)) {
            array.append(input(value));
        }
    }
    Ok(root.to_string())
}

pub(super) fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(values) => {
            CstInputValue::Object(values.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

fn toml(edit: &Edit, text: &str) -> Result<String, String> {
    use toml_edit::{Array, DocumentMut, Item, Table};
    let mut document: DocumentMut = text.parse().map_err(|error| format!("it is not TOML: {error}"))?;
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    for (key, value) in &edit.set {
        let (parts, last) = split(key);
        let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
        for part in parts {
            table = table
                .entry(part)
                .or_insert_with(implicit)
                .as_table_like_mut()
                .ok_or(format!("`{part}` is no table"))?;
        }
        let mut new = toml_value(value)?;
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(old) => {
                if bare(old) != bare(&new) {
                    *new.decor_mut() = old.decor().clone();
                    *old = new;
                }
            }
            None => drop(table.insert(last, Item::Value(new))),
        }
    }
    for (key, values) in &edit.add {
        let (parts, last) = split(key);
        let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
        for part in parts {
            table = table
                .entry(part)
                .or_insert_with(implicit)
                .as_table_like_mut()
                .ok_or(format!("`{part}` is no table"))?;
        }
        let array = table
            .entry(last)
            .or_insert_with(|| Item::Value(Array::new().into()))
            .as_array_mut()
            .ok_or(format!("`{key}` is no list"))?;
        for value in edit.gone.get(key).into_iter().flatten() {
            let value = bare(&toml_value(value)?);
            array.retain(|there| bare(there) != value);
        }
        for value in values {
            let value = toml_value(value)?;
            if !array.iter().any(|there| bare(there) == bare(&value)) {
                array.push(value);
            }
        }
    }
    Ok(document.to_string())
}

/// The SHA-256 of a text.
pub(super) fn sum(text: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A value without the white space and comments round it.
pub(super) fn bare(value: &toml_edit::Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

pub(super) fn toml_value(value: &Value) -> Result<toml_edit::Value, String> {
    Ok(match value {
        Value::Null => return Err("TOML has no null".to_owned()),
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => match (value.as_i64(), value.as_f64()) {
            (Some(value), _) => value.into(),
            (None, Some(value)) => value.into(),
            _ => return Err(format!("{value} is no number of TOML")),
        },
        Value::String(value) => value.as_str().into(),
        Value::Array(values) => {
            toml_edit::Value::Array(values.iter().map(toml_value).collect::<Result<_, _>>()?)
        }
        Value::Object(values) => {
            let mut table = toml_edit::InlineTable::new();
            for (key, value) in values {
                table.insert(key, toml_value(value)?);
            }
            table.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(format: Format, set: &[(&str, Value)], add: &[(&str, Value)]) -> Edit {
        let owned = |(key, value): &(&str, Value)| ((*key).to_owned(), value.clone());
        let list = |(key, value): &(&str, Value)| ((*key).to_owned(), vec![value.clone()]);
        Edit {
            path: "/x".to_owned(),
            format,
            set: set.iter().map(owned).collect(),
            add: add.iter().map(list).collect(),
            gone: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn an_older_pin_makes_room_for_the_newer_one() {
        let mut wanted = edit(Format::Json, &[], &[("plugin", "b@2".into())]);
        wanted.gone.insert("plugin".to_owned(), vec!["b@1".into()]);
        let text = "{\n  \"plugin\": [\n    \"a@1\", // mine\n    \"b@1\"\n  ]\n}\n";
        let new = apply(&wanted, text).unwrap();
        assert_eq!(new, text.replace("b@1", "b@2"));
        assert_eq!(apply(&wanted, &new).unwrap(), new, "twice changes nothing");
        assert!(!apply(&wanted, "{}").unwrap().contains("b@1"));
        wanted.format = Format::Toml;
        let new = apply(&wanted, "plugin = [\"a@1\", \"b@1\"]\n").unwrap();
        assert_eq!(new, "plugin = [\"a@1\", \"b@2\"]\n");
    }

    #[test]
    fn json_keeps_comments_and_foreign_keys() {
        let text =
            "{\n  // mine\n  \"theme\": \"dark\", // yes\n  \"plugin\": [\n    \"a@1\", // first\n  ],\n}\n";
        let wanted = edit(Format::Json, &[("server.port", 4096.into())], &[("plugin", "b@2".into())]);
        let once = apply(&wanted, text).unwrap();
        for kept in ["// mine", "\"theme\": \"dark\", // yes", "// first", "\"a@1\"", "\"b@2\"", "4096"] {
            assert!(once.contains(kept), "{kept}: {once}");
        }
        assert_eq!(apply(&wanted, &once).unwrap(), once, "twice changes nothing");
        assert!(apply(&wanted, "{ \"plugin\": 3 }").unwrap_err().contains("no list"));
        assert!(apply(&wanted, "[").unwrap_err().contains("not JSON"));
        let made = apply(&wanted, "").unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&made).unwrap(),
            serde_json::json!({"server": {"port": 4096}, "plugin": ["b@2"]}),
            "{made}"
        );
    }

    #[test]
    fn toml_keeps_comments_and_foreign_keys() {
        let text = "# mine\nmodel = \"x\" # this one\n\n[tui]\ntheme = \"dark\"\n";
        let wanted = edit(
            Format::Toml,
            &[("model", "y".into()), ("mcp_servers.git.command", "uvx".into())],
            &[("notify", "a".into())],
        );
        let once = apply(&wanted, text).unwrap();
        for kept in [
            "# mine\nmodel = \"y\" # this one",
            "[tui]\ntheme = \"dark\"",
            "[mcp_servers.git]\ncommand = \"uvx\"",
            "notify = [\"a\"]",
        ] {
            assert!(once.contains(kept), "{kept}: {once}");
        }
        assert_eq!(apply(&wanted, &once).unwrap(), once, "twice changes nothing");
        assert!(apply(&wanted, "model = ").unwrap_err().contains("not TOML"));
    }
}
