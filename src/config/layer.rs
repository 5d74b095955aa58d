//! One configuration file as it stands: every key may be missing, and each value knows its place.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::error::{ConfigError, nearest};
use super::values::{
    AgentCommand, DirectoryMode, FileMode, Mode, Name, ProgramPath, Sha256Sum, Transport, Url, Workspace,
};
use super::{Destination, Key};
use crate::ignore::{IgnorePattern, MOST_PATTERNS};

/// Every key that a configuration file may hold, with its default as TOML, if it has one. `NAME` stands for a name that
/// the person chooses.
pub const KEYS: &[Key] = &[
    Key { name: "default-host", default: None, in_project: false },
    Key { name: "default-agent", default: Some("\"opencode\""), in_project: true },
    Key { name: "notify", default: Some("true"), in_project: false },
    Key { name: "host.NAME.destination", default: None, in_project: false },
    Key { name: "host.NAME.workspace", default: Some("\"~/workspace\""), in_project: false },
    Key { name: "host.NAME.agent", default: None, in_project: false },
    Key { name: "host.NAME.transport", default: Some("\"auto\""), in_project: false },
    Key { name: "host.NAME.forward-agent", default: Some("false"), in_project: false },
    Key { name: "sync.mode", default: Some("\"two-way-safe\""), in_project: false },
    Key { name: "sync.ignore", default: Some("[]"), in_project: true },
    Key { name: "sync.gitignore", default: Some("false"), in_project: true },
    Key { name: "sync.file-mode", default: Some("\"0644\""), in_project: false },
    Key { name: "sync.directory-mode", default: Some("\"0755\""), in_project: false },
    Key { name: "sync.link", default: Some("true"), in_project: false },
    Key { name: "sync.git", default: Some("true"), in_project: false },
    Key { name: "backups.days", default: Some("30"), in_project: false },
    Key { name: "backups.megabytes", default: Some("1024"), in_project: false },
    Key { name: "agent.NAME.command", default: None, in_project: false },
    Key { name: "mutagen.path", default: None, in_project: false },
    Key { name: "mutagen.url", default: None, in_project: false },
    Key { name: "mutagen.sha256", default: None, in_project: false },
    Key { name: "install.npm-registry", default: None, in_project: false },
    Key { name: "install.tailnet-server", default: None, in_project: false },
    Key { name: "mirror.NAME.from", default: None, in_project: false },
    Key { name: "mirror.NAME.to", default: None, in_project: false },
];

/// A value and the bytes of the file that it stands in.
pub(super) type At<T> = Option<Spanned<T>>;

/// A configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Layer {
    pub default_host: At<String>,
    pub default_agent: At<Name>,
    pub notify: At<bool>,
    pub host: BTreeMap<Spanned<Name>, HostLayer>,
    pub sync: SyncLayer,
    pub backups: BackupsLayer,
    pub agent: BTreeMap<Spanned<Name>, AgentLayer>,
    pub mutagen: MutagenLayer,
    pub install: InstallLayer,
    pub mirror: BTreeMap<Spanned<Name>, MirrorLayer>,
}

/// `[host.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct HostLayer {
    pub destination: At<Destination>,
    pub workspace: At<Workspace>,
    pub agent: At<Name>,
    pub transport: At<Transport>,
    pub forward_agent: At<bool>,
}

/// `[sync]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct SyncLayer {
    pub mode: At<Mode>,
    pub ignore: Option<Vec<Spanned<String>>>,
    pub gitignore: At<bool>,
    pub file_mode: At<FileMode>,
    pub directory_mode: At<DirectoryMode>,
    pub link: At<bool>,
    pub git: At<bool>,
}

/// `[backups]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct BackupsLayer {
    pub days: At<u32>,
    pub megabytes: At<u32>,
}

/// `[agent.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct AgentLayer {
    pub command: At<AgentCommand>,
}

/// `[mutagen]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct MutagenLayer {
    pub path: At<ProgramPath>,
    pub url: At<Url>,
    pub sha256: At<Sha256Sum>,
}

/// `[install]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct InstallLayer {
    pub npm_registry: At<Url>,
    pub tailnet_server: At<Url>,
}

/// `[mirror.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct MirrorLayer {
    pub from: At<Url>,
    pub to: At<Url>,
}

impl Layer {
    /// Reads the text of `file`.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Layer, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let (mut message, suggestion) = explain(error.message());
            if message.starts_with("invalid type: integer `") && message.ends_with(", expected a string") {
                let number = error.span().and_then(|span| text.get(span)).unwrap_or("…");
                message = format!("a text is expected, not a number: write it in quotes: `\"{number}\"`");
            }
            ConfigError::at(file, text, error.span().unwrap_or(0..0), message).suggesting(suggestion)
        })
    }
}

impl SyncLayer {
    /// `ignore`, checked. Here and not by serde, which would name the list's place for each of its elements.
    pub(super) fn patterns(
        &self,
        file: &Path,
        text: &str,
    ) -> Result<Vec<Spanned<IgnorePattern>>, ConfigError> {
        let mut patterns = Vec::new();
        for written in self.ignore.iter().flatten() {
            let error = |message| ConfigError::at(file, text, written.span(), message);
            if patterns.len() == MOST_PATTERNS {
                return Err(error(format!("more than {MOST_PATTERNS} patterns")));
            }
            let pattern = IgnorePattern::parse(written.get_ref()).map_err(|bad| error(bad.to_string()))?;
            patterns.push(Spanned::new(written.span(), pattern));
        }
        Ok(patterns)
    }
}

/// Serde's sentence in our words, and what was probably meant.
///
/// Serde says "unknown field `x`, expected one of `a`, `b`", and "unknown variant …" in the same form.
pub(super) fn explain(message: &str) -> (String, Option<String>) {
    let unknown = |kind: &str| {
        let (word, expected) = message.strip_prefix(kind)?.strip_prefix(" `")?.rsplit_once("`, expected ")?;
        let candidates: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        Some((word, expected, candidates))
    };
    if let Some((word, expected, candidates)) = unknown("unknown variant") {
        return (format!("unknown value `{word}`, expected {expected}"), nearest(word, candidates));
    }
    if let Some((word, _, candidates)) = unknown("unknown field") {
        // A right key in the wrong table is as common as a misspelt one.
        let elsewhere = || {
            let last = |key: &Key| key.name.rsplit_once('.').is_some_and(|(_, last)| last == word);
            KEYS.iter().find(|key| last(key)).map(|key| key.name.to_owned())
        };
        return (format!("unknown key `{word}`"), nearest(word, candidates).or_else(elsewhere));
    }
    // Words of the language that sinc is written in, in those of the file.
    let message = message
        .replace("expected a sequence", "expected a list")
        .replace("expected a map", "expected a table");
    match message.rsplit_once("expected struct ") {
        Some((before, _)) => (format!("{before}expected a table"), None),
        None => (message, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Layer::parse(Path::new("c.toml"), text).unwrap_err().to_string()
    }

    /// The keys that serde itself names when it meets an unknown one in `table`.
    fn fields(table: &str) -> Vec<String> {
        let text = format!("{table}\nno-such-key = 1\n");
        let message = toml::from_str::<Layer>(&text).unwrap_err().message().to_owned();
        let expected = message.rsplit_once("`, expected ").unwrap().1;
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_list_of_keys_is_what_serde_knows() {
        let mut known = Vec::new();
        for top in fields("") {
            let (header, prefix) = match top.as_str() {
                "host" | "agent" | "mirror" => (format!("[{top}.x]"), format!("{top}.NAME.")),
                "sync" | "backups" | "mutagen" | "install" => (format!("[{top}]"), format!("{top}.")),
                _ => {
                    known.push(top);
                    continue;
                }
            };
            known.extend(fields(&header).into_iter().map(|field| format!("{prefix}{field}")));
        }
        assert_eq!(known, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    }

    #[test]
    fn an_unknown_key_has_a_place_and_the_nearest_name() {
        assert_eq!(
            error("[sync]\nmod = \"two-way-safe\"\n"),
            "c.toml:2:1: unknown key `mod`\n  |\n2 | mod = \"two-way-safe\"\n  | ^^^\ndid you mean `mode`?"
        );
        assert!(error("default_host = \"x\"").ends_with("did you mean `default-host`?"));
        assert!(error("mode = \"x\"").ends_with("did you mean `sync.mode`?"));
        assert!(error("zzz = 1").ends_with("^^^"));
        assert!(error("[host.box]\ndestnation = \"x\"").ends_with("did you mean `destination`?"));
        assert!(error("[hosts.box]\n").ends_with("did you mean `host`?"));
    }

    #[test]
    fn a_wrong_value_has_a_place() {
        let starts = |text: &str, want: &str| {
            let error = error(text);
            assert!(error.starts_with(want), "{error}");
        };
        starts(
            "[sync]\nmode = \"two-way\"",
            "c.toml:2:8: unknown value `two-way`, expected one of `two-way-safe`,",
        );
        starts("[sync]\nmode = 3", "c.toml:2:8: ");
        starts("[sync]\nfile-mode = \"0755\"", "c.toml:2:13: `0755` makes every file executable");
        starts(
            "[sync]\nfile-mode = 644",
            "c.toml:2:13: a text is expected, not a number: write it in quotes: `\"644\"`",
        );
        starts(
            "[sync]\ngitignore = \"yes\"",
            "c.toml:2:13: invalid type: string \"yes\", expected a boolean",
        );
        starts("[sync]\nignore = \"a\"", "c.toml:2:10: ");
        starts("[sync]\nignore = [\"a\",\n3]", "c.toml:");
        starts("[mutagen]\nsha256 = \"abc\"", "c.toml:2:10: `abc` is not a SHA-256 sum");
        starts(
            "[host.box]\ndestination = \"a@b:22\"",
            "c.toml:2:15: `a@b:22` is not a destination: ssh takes no port",
        );
        starts("[host.\"a b\"]\ndestination = \"a\"", "c.toml:1:7: `a b` is not a name");
        starts("[host.box]\ntransport = \"Et\"", "c.toml:2:13: unknown value `Et`");
        starts("[agent.x]\ncommand = \"\"", "c.toml:2:11: `` is not a command: it is empty");
        starts("default-host = \"a\"\ndefault-host = \"b\"", "c.toml:2:1: duplicate key");
        starts("default-host = \"a\n", "c.toml:1:");
        starts("= 3", "c.toml:1:1: ");
    }

    #[test]
    fn a_bad_pattern_has_a_place_of_its_own() {
        let text = "[sync]\nignore = [\n  \"a\",\n  \"[b\",\n]";
        let error = Layer::parse(Path::new("c.toml"), text).unwrap().sync.patterns(Path::new("c.toml"), text);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("c.toml:4:3: `[b` is not an ignore pattern"), "{error}");
    }

    #[test]
    fn an_empty_file_is_a_layer() {
        assert!(Layer::parse(Path::new("c.toml"), "").is_ok());
        assert!(Layer::parse(Path::new("c.toml"), "\u{feff}# only a comment\r\n").is_ok());
    }
}
