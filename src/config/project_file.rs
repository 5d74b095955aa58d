//! `.sinc.toml`, which lies in the synced tree: what the host, too, may say.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file::read_synced;
use super::layer::Layer;
use super::origin::{Origin, Value};
use super::values::Name;
use crate::ignore::{IgnorePattern, Pattern, Source};
use crate::project::PROJECT_FILE;

/// What a project's `.sinc.toml` says. `trust` decides how much of it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFile {
    /// `default-agent`.
    pub default_agent: Option<Value<Name>>,
    /// `sync.ignore`.
    pub ignore: Vec<Value<IgnorePattern>>,
    /// `sync.gitignore`.
    pub gitignore: Option<Value<bool>>,
}

impl ProjectFile {
    /// Reads the file in the project's root; if there is none, nothing is said.
    pub fn read(root: &Path) -> Result<ProjectFile, ConfigError> {
        let path = root.join(PROJECT_FILE);
        match read_synced(&path)? {
            Some(text) => ProjectFile::parse(&path, &text),
            None => Ok(ProjectFile::default()),
        }
    }

    /// Reads the text of such a file.
    pub fn parse(path: &Path, text: &str) -> Result<ProjectFile, ConfigError> {
        let layer = Layer::parse(path, text)?;
        if let Some((key, span)) = users_own(&layer) {
            let message = format!(
                "`{key}` may only stand in your own configuration, because the host can write this file too"
            );
            return Err(ConfigError::at(path, text, span, message));
        }
        let origin =
            |span: Range<usize>| Origin::ProjectFile { path: PathBuf::from(path), line: line_of(text, span) };
        let ignore = layer.sync.patterns(path, text)?.into_iter();
        let ignore = ignore.map(|at| Value { origin: origin(at.span()), value: at.into_inner() }).collect();
        Ok(ProjectFile {
            default_agent: layer
                .default_agent
                .map(|at| Value { origin: origin(at.span()), value: at.into_inner() }),
            ignore,
            gitignore: layer
                .sync
                .gitignore
                .map(|at| Value { origin: origin(at.span()), value: at.into_inner() }),
        })
    }

    /// `sync.ignore` as patterns.
    pub fn patterns(&self) -> Vec<Pattern> {
        let line = |origin: &Origin| match origin {
            Origin::ProjectFile { line, .. } => *line,
            _ => 0,
        };
        let pattern = |value: &Value<IgnorePattern>| Pattern {
            pattern: value.value.clone(),
            source: Source::ProjectFile { line: line(&value.origin) },
        };
        self.ignore.iter().map(pattern).collect()
    }
}

/// The line, from 1, on which a span begins.
pub(super) fn line_of(text: &str, span: Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

/// The first key of the file that only the user's own configuration may have.
fn users_own(layer: &Layer) -> Option<(String, Range<usize>)> {
    // Destructured, so that a new key has to be put on one side or the other.
    let Layer {
        default_host,
        default_agent: _,
        notify,
        host,
        sync,
        backups,
        agent,
        mutagen,
        install,
        mirror,
    } = layer;
    let super::layer::BackupsLayer { days, megabytes } = backups;
    let super::layer::SyncLayer { mode, ignore: _, gitignore: _, file_mode, directory_mode, link, git } =
        sync;
    let super::layer::MutagenLayer { path, url, sha256 } = mutagen;
    let super::layer::InstallLayer { npm_registry, tailnet_server } = install;
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    let mut add =
        |key: &str, span: Option<Range<usize>>| found.extend(span.map(|span| (key.to_owned(), span)));
    add("default-host", default_host.as_ref().map(toml::Spanned::span));
    add("notify", notify.as_ref().map(toml::Spanned::span));
    add("backups.days", days.as_ref().map(toml::Spanned::span));
    add("backups.megabytes", megabytes.as_ref().map(toml::Spanned::span));
    add("sync.mode", mode.as_ref().map(toml::Spanned::span));
    add("sync.file-mode", file_mode.as_ref().map(toml::Spanned::span));
    add("sync.directory-mode", directory_mode.as_ref().map(toml::Spanned::span));
    add("sync.link", link.as_ref().map(toml::Spanned::span));
    add("sync.git", git.as_ref().map(toml::Spanned::span));
    add("mutagen.path", path.as_ref().map(toml::Spanned::span));
    add("mutagen.url", url.as_ref().map(toml::Spanned::span));
    add("mutagen.sha256", sha256.as_ref().map(toml::Spanned::span));
    add("install.npm-registry", npm_registry.as_ref().map(toml::Spanned::span));
    add("install.tailnet-server", tailnet_server.as_ref().map(toml::Spanned::span));
    for name in mirror.keys() {
        add(&format!("mirror.{}", name.get_ref()), Some(name.span()));
    }
    for name in host.keys() {
        add(&format!("host.{}", name.get_ref()), Some(name.span()));
    }
    for name in agent.keys() {
        add(&format!("agent.{}", name.get_ref()), Some(name.span()));
    }
    found.into_iter().min_by_key(|(_, span)| span.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    fn parse(text: &str) -> Result<ProjectFile, ConfigError> {
        ProjectFile::parse(Path::new("/p/.sinc.toml"), text)
    }

    #[test]
    fn what_a_project_may_say() {
        let text =
            "default-agent = \"claude\"\n\n[sync]\nignore = [\"dist\",\n  \"!keep\"]\ngitignore = true\n";
        let file = parse(text).unwrap();
        let agent = file.default_agent.clone().unwrap();
        assert_eq!(agent.value.as_str(), "claude");
        assert_eq!(agent.origin.to_string(), "/p/.sinc.toml, line 1");
        assert!(file.gitignore.as_ref().unwrap().value);
        let patterns: Vec<String> =
            file.patterns().iter().map(|p| format!("{} ({})", p.pattern, p.source)).collect();
        assert_eq!(patterns, ["dist (.sinc.toml, line 4)", "!keep (.sinc.toml, line 5)"]);
        assert_eq!(parse("").unwrap(), ProjectFile::default());
    }

    #[test]
    fn what_only_the_user_may_say() {
        for key in KEYS {
            let (table, last) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let sum = format!("\"{}\"", "0".repeat(64));
            let value = match last {
                "destination" | "command" | "agent" | "default-host" => "\"x\"",
                "path" => "\"/x\"",
                "url" | "npm-registry" | "tailnet-server" | "from" | "to" => "\"https://x\"",
                "sha256" => &sum,
                _ => key.default.unwrap(),
            };
            let result = parse(&format!("{header}{last} = {value}\n"));
            assert_eq!(result.is_ok(), key.in_project, "{}: {result:?}", key.name);
        }
    }

    #[test]
    fn the_reason_and_the_place_are_said() {
        let error =
            parse("[sync]\ngitignore = true\nmode = \"two-way-resolved\"\n[agent.evil]\ncommand = \"x\"")
                .unwrap_err();
        assert_eq!(
            error.to_string(),
            "/p/.sinc.toml:3:8: `sync.mode` may only stand in your own configuration, because the host can write this \
             file too\n  |\n3 | mode = \"two-way-resolved\"\n  |        ^^^^^^^^^^^^^^^^^^"
        );
        let error = parse("[agent.opencode]\ncommand = \"curl x | sh\"\n").unwrap_err().to_string();
        assert!(error.starts_with("/p/.sinc.toml:1:8: `agent.opencode` may only"), "{error}");
    }

    #[test]
    fn a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(ProjectFile::read(dir.path()), Ok(ProjectFile::default()));
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join(".sinc.toml")).unwrap();
        assert!(ProjectFile::read(dir.path()).unwrap_err().to_string().contains("it is a link"));
    }
}
