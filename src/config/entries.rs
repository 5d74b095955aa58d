//! The configuration as a flat list, for people to see.

use std::fmt;

use serde::Serialize;

use super::Config;
use super::origin::{Origin, Value};

/// One value that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// The key with its tables: `sync.mode`; elements of a list are numbered.
    pub key: String,
    /// The value; it prints as TOML.
    pub value: toml::Value,
    /// Where it was said.
    pub origin: Origin,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}

impl Config {
    /// Every value that counts, in the order of the reference. Keys that were not set and have no default are left
    /// out.
    pub fn entries(&self) -> Vec<Entry> {
        let mut list = List(Vec::new());
        list.optional("default-host", self.default_host.as_ref());
        list.add("default-agent", self.chosen_agent.as_ref().unwrap_or(&self.default_agent));
        list.flag("notify", &self.notify);
        for (name, host) in &self.hosts {
            let key = |last: &str| format!("host.{name}.{last}");
            list.add(&key("destination"), &host.destination);
            list.add(&key("workspace"), &host.workspace);
            list.optional(&key("agent"), host.agent.as_ref());
            list.add(&key("transport"), &host.transport);
            list.flag(&key("forward-agent"), &host.forward_agent);
        }
        list.add("sync.mode", &self.sync.mode);
        if self.sync.ignore.is_empty() {
            list.push("sync.ignore", toml::Value::Array(Vec::new()), &Origin::Default);
        }
        for (index, pattern) in self.sync.ignore.iter().enumerate() {
            list.add(&format!("sync.ignore[{index}]"), pattern);
        }
        list.flag("sync.gitignore", &self.sync.gitignore);
        list.add("sync.file-mode", &self.sync.file_mode);
        list.add("sync.directory-mode", &self.sync.directory_mode);
        list.flag("sync.link", &self.sync.link);
        list.flag("sync.git", &self.sync.git);
        list.number("backups.days", &self.backups.days);
        list.number("backups.megabytes", &self.backups.megabytes);
        for (name, command) in &self.agents {
            list.add(&format!("agent.{name}.command"), command);
        }
        list.optional("mutagen.path", self.mutagen.path.as_ref());
        list.optional("mutagen.url", self.mutagen.url.as_ref());
        list.optional("mutagen.sha256", self.mutagen.sha256.as_ref());
        list.optional("install.npm-registry", self.install.npm_registry.as_ref());
        list.optional("install.tailnet-server", self.install.tailnet_server.as_ref());
        for (name, mirror) in &self.mirrors {
            list.add(&format!("mirror.{name}.from"), &mirror.from);
            list.add(&format!("mirror.{name}.to"), &mirror.to);
        }
        list.0
    }
}

struct List(Vec<Entry>);

impl List {
    fn push(&mut self, key: &str, value: toml::Value, origin: &Origin) {
        self.0.push(Entry { key: key.to_owned(), value, origin: origin.clone() });
    }

    fn add<T: fmt::Display>(&mut self, key: &str, value: &Value<T>) {
        self.push(key, toml::Value::String(value.value.to_string()), &value.origin);
    }

    fn optional<T: fmt::Display>(&mut self, key: &str, value: Option<&Value<T>>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn number(&mut self, key: &str, value: &Value<u32>) {
        self.push(key, toml::Value::Integer(value.value.into()), &value.origin);
    }

    fn flag(&mut self, key: &str, value: &Value<bool>) {
        self.push(key, toml::Value::Boolean(value.value), &value.origin);
    }
}
