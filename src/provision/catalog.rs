//! The components that there are: the files in `install/components/`, compiled in.

use std::collections::BTreeSet;

use super::component::{Component, Tier, When};
use super::facts::HostFacts;
use crate::config::ConfigError;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../install/components/", $name, ".toml")))),*]
    };
}

/// Each file by its name. A test finds the one that is missing here.
const FILES: &[(&str, &str)] =
    files!["user", "base", "et", "node", "opencode", "claude", "codex", "gemini", "ufw", "et-public"];

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
}

impl std::fmt::Display for SelectionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                write!(f, "there is no component `{name}`; there are {}", known.join(", "))
            }
            Self::Needed { name, by } => write!(f, "`{by}` needs `{name}`, which is left out"),
        }
    }
}

impl std::error::Error for SelectionError {}

impl Catalog {
    /// The components of this sinc, each after those that it needs.
    ///
    /// # Errors
    /// One of its files is wrong.
    pub fn load() -> Result<Self, ConfigError> {
        Self::of(FILES)
    }

    fn of(files: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let mut waiting = Vec::new();
        for (name, text) in files {
            waiting.push((Component::parse(name, text)?, *text));
        }
        let mut components: Vec<Component> = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|(component, _)| {
                component.needs().all(|need| components.iter().any(|there| there.name == need))
            });
            match ready {
                Some(at) => components.push(waiting.remove(at).0),
                None => return Err(Self::unmet(&waiting[0])),
            }
        }
        Ok(Self { components })
    }

    /// The mistake of a component that needs itself, or one that is not there.
    fn unmet((component, text): &(Component, &str)) -> ConfigError {
        let file = format!("{}.toml", component.name);
        let (span, name) =
            component.about.needs.first().map_or((0..0, ""), |need| (need.span(), need.get_ref()));
        let message = format!("`{name}` is no component, or needs this one");
        ConfigError::at(std::path::Path::new(&file), text, span, message)
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
        Ok(self.components.iter().filter(|component| names.contains(component.name.as_str())).collect())
    }
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
        let catalog = Catalog::load().unwrap();
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
        let mut listed: Vec<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        shipped.sort();
        listed.sort();
        assert_eq!(shipped, listed);
        let catalog = Catalog::load().unwrap_or_else(|error| panic!("{error}"));
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
        assert_eq!(names(&minimal).unwrap(), ["user", "base", "et", "node", "codex", "ufw"]);
        let without = Selection { without: vec!["et".to_owned()], ..minimal.clone() };
        assert_eq!(names(&without).unwrap(), ["user", "base", "node", "codex", "ufw"]);
        let one = Selection { with: vec!["claude".to_owned()], ..Selection::default() };
        assert_eq!(names(&one).unwrap(), ["node", "claude"]);
        let needed = Selection { without: vec!["node".to_owned()], ..minimal };
        assert_eq!(names(&needed).unwrap_err(), "`codex` needs `node`, which is left out");
        let unknown = Selection { with: vec!["emacs".to_owned()], ..Selection::default() };
        assert!(names(&unknown).unwrap_err().starts_with("there is no component `emacs`; there are user, "));
    }

    #[test]
    fn a_need_that_cannot_be_met_is_a_mistake_of_the_file() {
        let text = "summary = \"x\"\nsource = \"x\"\npinned = \"x\"\nneeds = [\"b\"]\nstep = []\n";
        let error = Catalog::of(&[("a", text)]).unwrap_err().to_string();
        assert!(error.starts_with("a.toml:4:10: `b` is no component, or needs this one"), "{error}");
    }
}
