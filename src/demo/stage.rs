//! What a demo plays on: a throw-away host, a sample project on a throw-away side of the person's own, and this
//! very sinc between them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::sample::{self, Size};
use super::{LoopbackHost, Missing, Options, programs};
use crate::process::{Cmd, Runner, quote};

/// The sample project's name.
const PROJECT: &str = "hello";

const CONFIG: &str = "\
default-host = \"demo\"
default-agent = \"demo\"

[host.demo]
destination = \"demo\"

[agent.demo]
command = \"demo-agent\"
";

const AGENT: &str = include_str!("agent.sh");

/// A directory that goes with its owner. The host's guard removes it first where it got to guard it.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running demo. Dropped, everything of it is gone.
#[derive(Debug)]
pub struct Stage {
    // Before the directory: the guard ends what runs in it.
    host: LoopbackHost,
    _directory: Directory,
    sinc: PathBuf,
    env: Vec<(OsString, Option<OsString>)>,
    size: Size,
}

impl Stage {
    /// Makes the host, the project and the configuration. `sinc` is the program that is shown, `mutagen` the one
    /// that it is to use, `detach` the keys that detach, as a person types them.
    ///
    /// # Errors
    /// A program is missing (ask [`Stage::missing`] first), or something cannot be made or started.
    pub fn set(runner: &Runner, sinc: &Path, mutagen: &Path, detach: &str) -> anyhow::Result<Self> {
        let directory = LoopbackHost::private_dir().context("could not make a directory in `/tmp`")?;
        let directory = Directory(directory);
        let host = LoopbackHost::start(runner, &directory.0, Options::default())
            .context("could not start a host on this machine")?;
        let env = with_program(host.env(), mutagen);
        let mut stage =
            Self { host, _directory: directory, sinc: sinc.to_owned(), env, size: Size::default() };
        stage.make_files(detach).context("could not make the sample project")?;
        Ok(stage)
    }

    /// The programs that a demo needs and that are not on this PATH, all at once; of Mutagen the caller knows.
    #[must_use]
    pub fn missing(has_mutagen: bool, path: &OsStr) -> Option<Missing> {
        let mut names =
            programs::Programs::find(&path.to_owned()).err().map_or_else(Vec::new, |missing| missing.0);
        if which::which_in("tmux", Some(path), "/").is_err() {
            names.push("tmux".to_owned());
        }
        if !has_mutagen {
            names.push("mutagen".to_owned());
        }
        (!names.is_empty()).then_some(Missing(names))
    }

    fn make_files(&mut self, detach: &str) -> std::io::Result<()> {
        let config = self.host.local_home().join(".config/sinc");
        std::fs::create_dir_all(&config)?;
        std::fs::write(config.join("config.toml"), CONFIG)?;
        let own_side = quote::posix(&self.here().to_string_lossy());
        let words = format!("#!/bin/sh\nmine={own_side} detach={}\n", quote::posix(detach));
        self.host.add_program("demo-agent", &(words + AGENT))?;
        self.size = sample::make(&self.here())?;
        Ok(())
    }

    /// The throw-away host.
    #[must_use]
    pub fn host(&self) -> &LoopbackHost {
        &self.host
    }

    /// The project on this side.
    #[must_use]
    pub fn here(&self) -> PathBuf {
        self.host.local_home().join(PROJECT)
    }

    /// The project on the host, once sinc has been there.
    #[must_use]
    pub fn there(&self) -> PathBuf {
        self.host.remote_home().join("workspace").join(PROJECT)
    }

    /// How large the project was made.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// A program that lives on this side of the demo, in the project.
    #[must_use]
    pub fn cmd(&self, program: impl Into<OsString>, why: &str) -> Cmd {
        let mut cmd = Cmd::new(program, why).dir(self.here());
        for (name, value) in &self.env {
            cmd = match value {
                Some(value) => cmd.env(name, value),
                None => cmd.env_remove(name),
            };
        }
        cmd
    }

    /// This sinc, as the person would run it in the project.
    #[must_use]
    pub fn sinc(&self, why: &str) -> Cmd {
        self.cmd(&self.sinc, why)
    }

    /// The program that is shown.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.sinc
    }
}

/// Puts the program's directory at the end of PATH, unless PATH leads to this program anyway.
fn with_program(
    mut env: Vec<(OsString, Option<OsString>)>,
    program: &Path,
) -> Vec<(OsString, Option<OsString>)> {
    let (Some(dir), Some(name)) = (program.parent(), program.file_name()) else { return env };
    for (variable, value) in &mut env {
        let Some(path) = value.as_mut().filter(|_| variable == "PATH") else { continue };
        if which::which_in(name, Some(&*path), "/").is_err() {
            path.push(":");
            path.push(dir);
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let Missing(names) = Stage::missing(false, OsStr::new("/no/such/dir")).unwrap();
        for name in ["ssh", "scp", "ssh-keygen", "tmux", "mutagen"] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
    }

    #[test]
    fn a_program_outside_of_path_is_put_onto_it() {
        let env = || vec![("PATH".into(), Some("/usr/bin:/bin".into()))];
        assert_eq!(with_program(env(), Path::new("/bin/sh")), env());
        let with = with_program(env(), Path::new("/opt/mutagen-0.18/no-such-program"));
        assert_eq!(with[0].1.as_deref(), Some(OsStr::new("/usr/bin:/bin:/opt/mutagen-0.18")));
    }
}
