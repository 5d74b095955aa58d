//! Was anything lost? Are both sides equal, but for what is named?

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::actor::Actor;
use super::content::Found;
use super::model::{Model, Side};
use super::tree::{self, Node};
use super::world::World;

/// Looks at everything that is left, and tells what it found; or what is wrong.
pub(crate) fn check(world: &World, model: &mut Model) -> Result<String, String> {
    // What reached a directory after it was deleted was deleted with it.
    for actor in [Actor::new(Side::Local, &world.project), Actor::new(Side::Remote, &world.there())] {
        let aside = tree::versions(actor.aside());
        model.superseded(aside);
    }
    let named = named(world);
    let (here, there) = (tree::read(&world.project), tree::read(&world.there()));
    torn(&here, "here")?;
    torn(&there, "on the host")?;

    let in_trees: BTreeSet<u64> = numbers(&here).chain(numbers(&there)).collect();
    let in_backups = world.in_backups();
    let lost: Vec<_> = model
        .needed()
        .filter(|(number, _)| !in_trees.contains(number) && !in_backups.contains(number))
        .map(|(_, text)| text)
        .collect();
    if !lost.is_empty() {
        return Err(format!("LOST:\n  {}", lost.join("\n  ")));
    }

    let paths: BTreeSet<&PathBuf> = here.keys().chain(there.keys()).collect();
    // What only the other one has stays there, where files go one way.
    let is_due = |path: &Path| match world.leads() {
        None => true,
        Some(Side::Local) => here.contains_key(path),
        Some(Side::Remote) => there.contains_key(path),
    };
    let differing = paths.iter().filter(|path| here.get(**path) != there.get(**path) && is_due(path));
    let unnamed: Vec<_> = differing.clone().filter(|path| !is_named(path, &named)).collect();
    if !unnamed.is_empty() {
        return Err(format!("the sides differ, and nobody says so: {unnamed:?}; named are {named:?}"));
    }
    Ok(format!(
        "{} versions needed, {} in backups, {} paths, {} differ and are named",
        model.needed().count(),
        in_backups.len(),
        paths.len(),
        differing.count()
    ))
}

fn numbers(tree: &BTreeMap<PathBuf, Node>) -> impl Iterator<Item = u64> {
    tree.values().filter_map(|node| match node.found() {
        Some(Found::Whole(number)) => Some(number),
        _ => None,
    })
}

fn torn(tree: &BTreeMap<PathBuf, Node>, side: &str) -> Result<(), String> {
    let torn: Vec<_> = tree.iter().filter(|(_, node)| node.found() == Some(Found::Torn)).collect();
    if torn.is_empty() { Ok(()) } else { Err(format!("not what anybody wrote, {side}: {torn:?}")) }
}

/// The paths that sinc names as conflicts. This also finishes what a sinc that was killed had begun to keep.
fn named(world: &World) -> Vec<PathBuf> {
    let run = world.sinc(&["conflicts", "--no-diff", "--json"]);
    assert_eq!(run.code, 0, "the conflicts cannot be listed: {run}");
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let conflicts = answer["data"]["conflicts"].as_array().unwrap();
    conflicts.iter().map(|conflict| PathBuf::from(conflict["path"].as_str().unwrap())).collect()
}

fn is_named(path: &Path, named: &[PathBuf]) -> bool {
    named.iter().any(|name| path.starts_with(name) || name.starts_with(path))
}
