//! The components that there are: the files in `install/components/`, compiled in, and a person's own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::component::{Component, Tier, When};
use super::facts::HostFacts;
use crate::config::ConfigError;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".toml"), include_str!(concat!("../../install/components/", $name, ".toml")))),*]
    };
}

/// Each file by its name. A test finds the one that is missing here.
const FILES: &[(&str, &str)] = files![
    "user",
    "base",
    "et",
    "node",
    "opencode",
    "opencode-2",
    "claude",
    "codex",
    "gemini",
    "ufw",
    "et-public",
    "hardening",
    "tailscale",
    "tailnet-only",
    "agent-os",
    "ccmanager",
    "direnv",
    "direnv-plugin",
    "agentmap",
    "opencodesync",
    "ai-sessions",
    "kimaki",
    "lunaroute",
    "worktree-session",
    "session-handoff",
    "mcp",
];

/// All components.
#[derive(Clone, Debug)]
pub struct Catalog {
    components: Vec<Component>,
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// A tier, or only what is named.
    pub tier: Option<Tier>,
    /// The agent.
    pub agent: Option<String>,
    /// Besides.
    pub with: Vec<String>,
    /// But not.
    pub without: Vec<String>,
    /// Root stays root.
    pub as_root: bool,
}

/// A selection that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub enum SelectionError {
    /// There is no such component.
    Unknown {
        /// It.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What is left out is needed.
    Needed {
        /// What is left out.
        name: String,
        /// By whom it is needed.
        by: String,
    },
    /// Of two that take each other's place, both are wanted.
    Both {
        /// It.
        name: String,
        /// Whose place it takes.
        instead_of: String,
        /// By whom that one is needed, if it is.
        by: Option<String>,
    },
}

impl std::fmt::Display for SelectionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                write!(f, "there is no component `{name}`; there are {}", known.join(", "))
            }
            Self::Needed { name, by } => write!(f, "`{by}` needs `{name}`, which is left out"),
            Self::Both { name, instead_of, by } => {
                write!(f, "`{name}` takes the place of `{instead_of}`")?;
                by.as_ref().map_or(Ok(()), |by| write!(f, ", which `{by}` needs"))
            }
        }
    }
}

impl std::error::Error for SelectionError {}

impl Catalog {
    /// The components of this sinc and those of the directory `own`, each after those that it needs. A file there takes
    /// the place of a shipped one of the same name.
    ///
    /// # Errors
    /// One of the files is wrong, or cannot be read.
    pub fn load(own: Option<&Path>) -> Result<Self> {
        let mut files: Vec<(PathBuf, String)> =
            FILES.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect();
        for file in own.map(own_files).transpose()?.unwrap_or_default() {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read `{}`", file.display()))?;
            match files.iter_mut().find(|(shipped, _)| shipped.file_name() == file.file_name()) {
                Some(shipped) => *shipped = (file, text),
                None => files.push((file, text)),
            }
        }
        Ok(Self::of(&files)?)
    }

    fn of(files: &[(PathBuf, String)]) -> Result<Self, ConfigError> {
        let mut waiting = Vec::new();
        for (file, text) in files {
            waiting.push((Component::parse(file, text)?, file, text));
        }
        let mut components: Vec<Component> = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|(component, ..)| {
                component.needs().all(|need| components.iter().any(|there| there.name == need))
            });
            match ready {
                Some(at) => components.push(waiting.remove(at).0),
                None => return Err(unmet(&waiting[0])),
            }
        }
        Ok(Self { components })
    }

    /// All of them, each after those that it needs.
    #[must_use]
    pub fn all(&self) -> &[Component] {
        &self.components
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }

    fn known(&self, name: &str) -> Result<&Component, SelectionError> {
        self.get(name).ok_or_else(|| SelectionError::Unknown {
            name: name.to_owned(),
            known: self.components.iter().map(|component| component.name.clone()).collect(),
        })
    }

    /// The components that are selected, with what they need, in order.
    ///
    /// # Errors
    /// One is not there, or is needed and left out.
    pub fn select(&self, wanted: &Selection) -> Result<Vec<&Component>, SelectionError> {
        for name in wanted.with.iter().chain(&wanted.without).chain(&wanted.agent) {
            self.known(name)?;
        }
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> = Vec::new();
        for component in &self.components {
            let in_tier =
                wanted.tier.zip(component.about.tier).is_some_and(|(tier, smallest)| smallest <= tier);
            let name = component.name.as_str();
            let named = wanted.with.iter().chain(&wanted.agent).any(|wanted| wanted == name);
            let for_agent = &component.about.for_agent;
            let in_tier = in_tier && (for_agent.is_none() || *for_agent == wanted.agent);
            let left_out = wanted.without.iter().any(|left_out| left_out == name);
            if (in_tier || named) && !left_out {
                waiting.push(name);
            }
        }
        while let Some(name) = waiting.pop() {
            let component = self.known(name)?;
            if !names.insert(&component.name) {
                continue;
            }
            for need in component.needs() {
                if wanted.without.iter().any(|left_out| left_out == need) {
                    return Err(SelectionError::Needed { name: need.to_owned(), by: name.to_owned() });
                }
                waiting.push(&self.known(need)?.name);
            }
        }
        let selected: Vec<&Component> =
            self.components.iter().filter(|component| names.contains(component.name.as_str())).collect();
        for component in &selected {
            if let Some(other) = component.about.instead_of.as_ref().filter(|it| names.contains(it.as_str()))
            {
                let by = selected.iter().find(|it| it.needs().any(|need| need == other));
                return Err(SelectionError::Both {
                    name: component.name.clone(),
                    instead_of: other.clone(),
                    by: by.map(|it| it.name.clone()),
                });
            }
        }
        Ok(selected)
    }
}

/// The component files of a person's own directory, which need not be there.
fn own_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", dir.display())),
    };
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The mistake of a component that needs itself, or one that is not there.
fn unmet((component, file, text): &(Component, &PathBuf, &String)) -> ConfigError {
    let (span, name) = component.about.needs.first().map_or((0..0, ""), |need| (need.span(), need.get_ref()));
    ConfigError::at(file, text, span, format!("`{name}` is no component, or needs this one"))
}

/// Is it wanted on this host?
#[must_use]
pub fn applies(component: &Component, host: &HostFacts, as_root: bool) -> bool {
    match component.about.when {
        None => true,
        Some(When::LoginIsRoot) => host.login == "root" && !as_root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &Selection) -> Result<Vec<String>, String> {
        let catalog = Catalog::load(None).unwrap();
        let selected = catalog.select(wanted).map_err(|error| error.to_string())?;
        Ok(selected.iter().map(|component| component.name.clone()).collect())
    }

    #[test]
    fn every_shipped_file_is_in_the_list_and_right() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("install/components");
        let mut shipped: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().trim_end_matches(".toml").to_owned())
            .collect();
        let mut listed: Vec<String> =
            FILES.iter().map(|(file, _)| file.trim_end_matches(".toml").to_owned()).collect();
        shipped.sort();
        listed.sort();
        assert_eq!(shipped, listed);
        let catalog = Catalog::load(None).unwrap_or_else(|error| panic!("{error}"));
        for (at, component) in catalog.all().iter().enumerate() {
            for need in component.needs() {
                assert!(catalog.all()[..at].iter().any(|before| before.name == need), "{}", component.name);
            }
        }
        let agents: Vec<&str> = crate::config::BUILT_IN_AGENTS.iter().map(|agent| agent.name).collect();
        for agent in agents {
            assert!(catalog.get(agent).is_some_and(|component| component.about.agent), "{agent}");
        }
    }

    #[test]
    fn a_selection_brings_what_it_needs_in_order() {
        let minimal =
            Selection { tier: Some(Tier::Minimal), agent: Some("codex".to_owned()), ..Selection::default() };
        assert_eq!(names(&minimal).unwrap(), ["user", "base", "node", "codex", "ufw", "et"]);
        let without = Selection { without: vec!["et".to_owned()], ..minimal.clone() };
        assert_eq!(names(&without).unwrap(), ["user", "base", "node", "codex", "ufw"]);
        let one = Selection { with: vec!["claude".to_owned()], ..Selection::default() };
        assert_eq!(names(&one).unwrap(), ["node", "claude"]);
        let needed = Selection { without: vec!["node".to_owned()], ..minimal.clone() };
        assert_eq!(names(&needed).unwrap_err(), "`codex` needs `node`, which is left out");
        let open = Selection { without: vec!["ufw".to_owned()], ..minimal };
        assert_eq!(names(&open).unwrap_err(), "`et` needs `ufw`, which is left out");
        let both =
            Selection { with: vec!["opencode-2".to_owned(), "agentmap".to_owned()], ..Selection::default() };
        assert_eq!(
            names(&both).unwrap_err(),
            "`opencode-2` takes the place of `opencode`, which `agentmap` needs"
        );
        let unknown = Selection { with: vec!["emacs".to_owned()], ..Selection::default() };
        assert!(names(&unknown).unwrap_err().starts_with("there is no component `emacs`; there are user, "));
    }

    #[test]
    fn a_file_of_ones_own_comes_besides_or_in_the_place_of_a_shipped_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = |summary| format!("summary = \"{summary}\"\nsource = \"x\"\npinned = \"x\"\nstep = []\n");
        std::fs::write(dir.path().join("et.toml"), text("mine")).unwrap();
        std::fs::write(dir.path().join("emacs.toml"), text("an editor")).unwrap();
        std::fs::write(dir.path().join("README"), "no component").unwrap();
        let catalog = Catalog::load(Some(dir.path())).unwrap();
        assert_eq!(catalog.get("et").unwrap().about.summary, "mine");
        assert_eq!(catalog.all().last().unwrap().name, "emacs");
        assert_eq!(catalog.all().len(), FILES.len() + 1);
        assert_eq!(Catalog::load(Some(&dir.path().join("none"))).unwrap().all().len(), FILES.len());
        std::fs::write(dir.path().join("emacs.toml"), "summary = 1").unwrap();
        let error = Catalog::load(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("emacs.toml:1:11: invalid type"), "{error}");
    }

    #[test]
    fn a_need_that_cannot_be_met_is_a_mistake_of_the_file() {
        let text = "summary = \"x\"\nsource = \"x\"\npinned = \"x\"\nneeds = [\"b\"]\nstep = []\n";
        let error = Catalog::of(&[("a.toml".into(), text.to_owned())]).unwrap_err().to_string();
        assert!(error.starts_with("a.toml:4:10: `b` is no component, or needs this one"), "{error}");
    }
}
