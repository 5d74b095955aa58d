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
    let (here, there) = (tree::read(&world.project), tree::read(&world.there()));
    let named = named(world);
    torn(&here, "here")?;
    torn(&there, "on the host")?;

    let in_trees: BTreeSet<u64> = numbers(&here).chain(numbers(&there)).collect();
    let homes = [world.bed.sandbox.home(), world.bed.host.remote_home()];
    let in_backups: BTreeSet<u64> =
        homes.iter().flat_map(|home| tree::versions(&home.join(".local/state/sinc/backups"))).collect();
    let lost: Vec<_> = model
        .needed()
        .filter(|(number, _)| !in_trees.contains(number) && !in_backups.contains(number))
        .map(|(_, text)| text)
        .collect();
    if !lost.is_empty() {
        return Err(format!("LOST:\n  {}", lost.join("\n  ")));
    }

    let paths: BTreeSet<&PathBuf> = here.keys().chain(there.keys()).collect();
    let differing = paths.iter().filter(|path| here.get(**path) != there.get(**path));
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

/// The paths that Mutagen names in conflicts, with what is below or above them.
fn named(world: &World) -> Vec<PathBuf> {
    let data = world.bed.sandbox.home().join(".local/share/sinc");
    let words = [
        format!("MUTAGEN_DATA_DIRECTORY={}", data.join("mutagen").display()),
        format!("MUTAGEN_SSH_PATH={}", data.join("mutagen-ssh").display()),
    ];
    let mut words: Vec<_> = words.iter().map(String::as_str).collect();
    words.extend(["mutagen", "sync", "list", "--template", "{{json .}}"]);
    let listed = world.bed.sandbox.run("env", &words).success();
    let syncs: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let conflicts = syncs
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|sync| sync["conflicts"].as_array().cloned().unwrap_or_default());
    conflicts.filter_map(|conflict| conflict["root"].as_str().map(PathBuf::from)).collect()
}

fn is_named(path: &Path, named: &[PathBuf]) -> bool {
    named.iter().any(|name| path.starts_with(name) || name.starts_with(path))
}
