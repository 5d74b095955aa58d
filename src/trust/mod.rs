//! How much of a project's files counts.
//!
//! `.sinc.toml`, `.sincignore` and `.gitignore` lie in the synced tree, so programs on the host can write them. What
//! they say counts at once as long as it can only keep more files at home. What would send files that stay here now
//! waits until the person has seen it: until then the accepted state counts, and what the files newly ignore besides.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Name, Origin, ProjectFile, Value, read_synced, read_synced_lossy};
use crate::ignore::{LineError, Pattern, Source, from_gitignore, from_sincignore};
use crate::project::PROJECT_FILE;

mod compare;

/// More ignore lines, in the same syntax as `ignore` in the configuration.
pub const IGNORE_FILE: &str = ".sincignore";

/// Git's ignore lines.
pub const GIT_IGNORE_FILE: &str = ".gitignore";

/// What a project's files say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Proposed {
    /// What `.sinc.toml` ignores, then what `.sincignore` does.
    pub ignores: Vec<Pattern>,
    /// What `.sinc.toml` says about `.gitignore`, if anything.
    pub gitignore: Option<bool>,
    /// The converted `.gitignore`; nothing where it does not count.
    pub git_lines: Option<Vec<Pattern>>,
    /// The agent that `.sinc.toml` names.
    pub agent: Option<Name>,
}

/// What the person has accepted, or what needed no acceptance; to be stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Accepted(Proposed);

/// What the person's own configuration says, which no project can change.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// Whether `.gitignore` counts where the project does not say.
    pub gitignore: bool,
    /// The names of the agents there are.
    pub agents: &'a [&'a str],
}

/// What counts now and what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What counts now.
    pub effective: Proposed,
    /// What waits for the person.
    pub waiting: Vec<Change>,
}

impl Proposed {
    /// Reads `.sincignore` and, where it counts, `.gitignore` in `root`; `file` is the `.sinc.toml` there.
    pub fn read(root: &Path, file: &ProjectFile, own: Own<'_>) -> Result<Proposed, ConfigError> {
        let gitignore = file.gitignore.as_ref().map(|value| value.value);
        let mut ignores = file.patterns();
        if let Some(text) = read_synced(&root.join(IGNORE_FILE))? {
            let patterns = from_sincignore(&text);
            ignores.extend(patterns.map_err(|error| on_line(&root.join(IGNORE_FILE), &text, error))?);
        }
        // Read also where the project turns it off against the person's own wish, because that has to wait.
        let git_lines = if own.gitignore || gitignore == Some(true) {
            let text = read_synced_lossy(&root.join(GIT_IGNORE_FILE))?.unwrap_or_default();
            let lines = from_gitignore(&text);
            Some(lines.map_err(|error| on_line(&root.join(GIT_IGNORE_FILE), &text, error))?)
        } else {
            None
        };
        let agent = file.default_agent.as_ref().map(|value| value.value.clone());
        Ok(Proposed { ignores, gitignore, git_lines, agent })
    }

    /// Everything, as `sinc trust` accepts it.
    pub fn accept(&self) -> Accepted {
        Accepted(self.clone())
    }

    /// The part of this that stands for `.sinc.toml`, to lay over a configuration; `file` is that file as it is now.
    pub fn project_file(&self, root: &Path, file: &ProjectFile) -> ProjectFile {
        let path = root.join(PROJECT_FILE);
        let ignore = |pattern: &Pattern| match pattern.source {
            Source::ProjectFile { line } => {
                let written = Value {
                    value: pattern.pattern.clone(),
                    origin: Origin::ProjectFile { path: path.clone(), line },
                };
                let is_there = file.ignore.contains(&written);
                Some(if is_there { written } else { Value { origin: Origin::Accepted, ..written } })
            }
            _ => None,
        };
        ProjectFile {
            default_agent: with_origin(self.agent.as_ref(), file.default_agent.as_ref()),
            ignore: self.ignores.iter().filter_map(ignore).collect(),
            gitignore: with_origin(self.gitignore.as_ref(), file.gitignore.as_ref()),
        }
    }
}

/// `value` with the origin that it has in the file, if the file still says it.
fn with_origin<T: Clone + PartialEq>(value: Option<&T>, now: Option<&Value<T>>) -> Option<Value<T>> {
    let value = value?;
    let now = now.filter(|now| now.value == *value).cloned();
    Some(now.unwrap_or_else(|| Value { value: value.clone(), origin: Origin::Accepted }))
}

fn on_line(file: &Path, text: &str, error: LineError) -> ConfigError {
    ConfigError::on_line(file, text, error.line, error.message)
}

/// Decides what of `proposed` counts at once. With nothing accepted yet, the project's files count as empty before.
pub fn assess(accepted: Option<&Accepted>, own: Own<'_>, proposed: &Proposed) -> Assessment {
    let before = accepted.map(|accepted| accepted.0.clone()).unwrap_or_default();
    let (ignores, mut waiting) = compare::compare(&before.ignores, &proposed.ignores);

    let was_on = before.gitignore.unwrap_or(own.gitignore);
    let is_on = proposed.gitignore.unwrap_or(own.gitignore);
    let turned_off = was_on && !is_on;
    if turned_off {
        waiting.push(Change::GitIgnoreOff);
    }
    let git_lines = match (&before.git_lines, &proposed.git_lines) {
        _ if !was_on && !is_on => None,
        (Some(before), Some(proposed)) if was_on => {
            let (lines, changes) = compare::compare(before, proposed);
            waiting.extend(changes);
            Some(lines)
        }
        // It did not count before, or was turned on by the person: now it only adds.
        (before, proposed) => proposed.clone().or_else(|| before.clone()),
    };

    let agent = match &proposed.agent {
        Some(name) if before.agent.as_ref() != Some(name) && !own.agents.contains(&name.as_str()) => {
            waiting.push(Change::UnknownAgent(name.clone()));
            before.agent
        }
        agent => agent.clone(),
    };
    let gitignore = if turned_off { before.gitignore } else { proposed.gitignore };
    Assessment { effective: Proposed { ignores, gitignore, git_lines, agent }, waiting }
}

/// A change that waits. Prints as one line: a pattern holds no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A pattern is gone.
    Removed(Pattern),
    /// A pattern brings files back.
    BroughtBack(Pattern),
    /// A pattern stands before a `!` pattern now that it stood after.
    Moved(Pattern),
    /// `.gitignore` counts no longer.
    GitIgnoreOff,
    /// The agent is not in the person's configuration.
    UnknownAgent(Name),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Removed(Pattern { pattern, source }) => {
                write!(
                    f,
                    "`{pattern}` is no longer ignored (it was in {source}): files that it keeps here would be sent"
                )
            }
            Change::BroughtBack(Pattern { pattern, source }) => {
                let path = pattern.as_str().trim_start_matches('!');
                write!(
                    f,
                    "`{pattern}` ({source}) brings back what is ignored: files called `{path}` would be sent"
                )
            }
            Change::Moved(Pattern { pattern, source }) => {
                write!(
                    f,
                    "`{pattern}` ({source}) has moved before a pattern with `!`: files that it keeps here could be sent"
                )
            }
            Change::GitIgnoreOff => {
                write!(f, "`gitignore` is off now: files that {GIT_IGNORE_FILE} keeps here would be sent")
            }
            Change::UnknownAgent(name) => {
                write!(f, "the agent `{name}` would be started, which your own configuration does not have")
            }
        }
    }
}

#[cfg(test)]
mod tests;
