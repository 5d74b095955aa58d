//! The environment variables that sinc knows. Only this module reads them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};

/// Every variable that is read.
pub const VARIABLES: &[&str] = &[
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMUX",
    "SSH_AUTH_SOCK",
    "VISUAL",
    "EDITOR",
    "MUTAGEN_PROGRAM",
    "SINC_CONFIG",
    "SINC_HOST",
    "SINC_AGENT",
    "SINC_TRANSPORT",
    "SINC_MODE",
    "SINC_LINK",
    "SINC_GIT",
    "SINC_LOG",
];

/// The environment as it was when sinc started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
    home: PathBuf,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Result<Environment, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
        let variable = |name: &&'static str| Some((*name, std::env::var_os(name)?));
        let mut variables: BTreeMap<_, _> = VARIABLES.iter().filter_map(variable).collect();
        // A service or a bare `env -i` has no HOME; the user database knows it.
        if variables.get("HOME").is_none_or(|home| home.is_empty())
            && let Some(home) = dirs::home_dir()
        {
            variables.insert("HOME", home.into_os_string());
        }
        Environment::new(variables)
    }

    /// An environment of these variables, for tests. Names that sinc does not know are left out.
    pub fn from_map<N: AsRef<str>, V: Into<OsString>>(
        map: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Environment, ConfigError> {
        let known = |name: &str| VARIABLES.iter().find(|known| **known == name).copied();
        Environment::new(
            map.into_iter().filter_map(|(name, value)| Some((known(name.as_ref())?, value.into()))).collect(),
        )
    }

    fn new(variables: BTreeMap<&'static str, OsString>) -> Result<Environment, ConfigError> {
        let home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();
        if !home.is_absolute() {
            return Err(ConfigError::of_word(Place::Env("HOME"), "it is not an absolute path"));
        }
        Ok(Environment { variables, home })
    }

    /// A variable of the person's own, which means nothing to sinc: for `run --env NAME`.
    #[must_use]
    pub fn of_person(name: &str) -> Option<OsString> {
        #[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
        std::env::var_os(name)
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        debug_assert!(VARIABLES.contains(&name), "{name} is not in the list");
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable as text, if it is text; with the name that an origin holds.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, ConfigError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text)),
                None => Err(ConfigError::of_word(Place::Env(name), "it is not UTF-8")),
            },
        }
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The directory for temporary files.
    pub fn temporary_dir(&self) -> PathBuf {
        self.absolute("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))
    }

    /// Where the user's configuration is, unless a flag says otherwise.
    pub fn config_file(&self) -> PathBuf {
        match self.get("SINC_CONFIG") {
            Some(file) => PathBuf::from(file),
            None => self.base("XDG_CONFIG_HOME", ".config").join("config.toml"),
        }
    }

    /// Where sinc keeps what it knows of its sessions.
    pub fn state_dir(&self) -> PathBuf {
        self.base("XDG_STATE_HOME", ".local/state")
    }

    /// Where sinc keeps programs, and Mutagen its data.
    pub fn data_dir(&self) -> PathBuf {
        self.base("XDG_DATA_HOME", ".local/share")
    }

    /// Where sinc's sockets are: in the home directory, because the path of a socket has to be short.
    pub fn socket_dir(&self) -> PathBuf {
        self.home.join(".sinc/cm")
    }

    /// Where links listen: apart from the sockets that ssh made, which a person may end with `ssh -O exit`.
    pub fn link_dir(&self) -> PathBuf {
        self.home.join(".sinc/link")
    }

    /// What the person has git leave out everywhere, where git's own settings name no other file.
    pub fn git_ignore(&self) -> PathBuf {
        self.absolute("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config")).join("git/ignore")
    }

    /// The editor of the user's choice, with its arguments, as a shell would take it.
    pub fn editor(&self) -> Option<&OsStr> {
        self.get("VISUAL").or_else(|| self.get("EDITOR"))
    }

    /// Whether colour is unwanted: `NO_COLOR` is set, to anything but nothing.
    pub fn no_color(&self) -> bool {
        self.get("NO_COLOR").is_some()
    }

    /// `path` with `~/` at its start replaced by the home directory.
    pub fn expand(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None if path == "~" => self.home.clone(),
            None => PathBuf::from(path),
        }
    }

    fn base(&self, variable: &str, otherwise: &str) -> PathBuf {
        self.absolute(variable).unwrap_or_else(|| self.home.join(otherwise)).join("sinc")
    }

    /// A relative path in such a variable counts as none, as the XDG specification says.
    fn absolute(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn environment(more: &[(&str, &str)]) -> Environment {
        Environment::from_map([("HOME", "/home/ann")].iter().chain(more).copied()).unwrap()
    }

    #[test]
    fn places_below_home() {
        let env = environment(&[]);
        assert_eq!(env.config_file(), Path::new("/home/ann/.config/sinc/config.toml"));
        assert_eq!(env.state_dir(), Path::new("/home/ann/.local/state/sinc"));
        assert_eq!(env.data_dir(), Path::new("/home/ann/.local/share/sinc"));
        assert_eq!(env.socket_dir(), Path::new("/home/ann/.sinc/cm"));
        assert_eq!(env.git_ignore(), Path::new("/home/ann/.config/git/ignore"));
        assert_eq!(env.temporary_dir(), Path::new("/tmp"));
        assert_eq!(env.expand("~/x"), Path::new("/home/ann/x"));
        assert_eq!(env.expand("/x"), Path::new("/x"));
    }

    #[test]
    fn places_that_the_user_moved() {
        let env = environment(&[
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_DATA_HOME", "relative"),
            ("TMPDIR", "/t"),
        ]);
        assert_eq!(env.config_file(), Path::new("/c/sinc/config.toml"));
        assert_eq!(env.git_ignore(), Path::new("/c/git/ignore"));
        assert_eq!(env.state_dir(), Path::new("/s/sinc"));
        assert_eq!(env.data_dir(), Path::new("/home/ann/.local/share/sinc"));
        assert_eq!(env.temporary_dir(), Path::new("/t"));
        assert_eq!(environment(&[("SINC_CONFIG", "my.toml")]).config_file(), Path::new("my.toml"));
    }

    #[test]
    fn an_empty_variable_is_none() {
        let env = environment(&[("SINC_HOST", ""), ("NO_COLOR", ""), ("EDITOR", "vi"), ("VISUAL", "")]);
        assert_eq!(env.get("SINC_HOST"), None);
        assert!(!env.no_color());
        assert_eq!(env.editor(), Some(OsStr::new("vi")));
    }

    #[test]
    fn without_a_home_nothing_works() {
        for home in ["", "relative"] {
            let error = Environment::from_map([("HOME", home)]).unwrap_err();
            assert_eq!(error.to_string(), "in the variable HOME: it is not an absolute path");
        }
    }

    #[test]
    fn a_variable_that_is_no_text() {
        let map = [("HOME", OsStr::new("/h")), ("SINC_HOST", OsStr::from_bytes(b"\xff"))];
        let error = Environment::from_map(map).unwrap().text("SINC_HOST").unwrap_err();
        assert_eq!(error.to_string(), "in the variable SINC_HOST: it is not UTF-8");
    }

    #[test]
    fn the_process_has_an_environment() {
        assert!(Environment::read().unwrap().home().is_absolute());
    }
}
