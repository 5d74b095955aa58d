//! Which Mutagen to use: the one that the configuration names, else one on PATH that will do, else sinc's own.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::version::{Cache, LEAST_VERSION, Version};
use crate::process::{Cmd, Interrupted, Outcome, Runner};

/// The file with the agents for all kinds of hosts. Mutagen looks for it beside itself and, from a `bin`
/// directory, in `../libexec` (`pkg/agent/bundle.go`); without it no host can be set up.
pub const AGENTS: &str = "mutagen-agents.tar.gz";

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The program that the configuration names: then no other will do.
    pub configured: Option<&'a Path>,
    /// The value of PATH. Entries that are relative are passed over: they could lead into the project, and that
    /// is the host's to write.
    pub path: Option<&'a OsStr>,
    /// sinc's own data directory; its own Mutagen is in `bin` there.
    pub data_dir: &'a Path,
    /// Where to remember the versions of programs, so that the next time none is started.
    pub cache: &'a Path,
}

/// Which way a program was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration names it.
    Config,
    /// It is on PATH.
    Path,
    /// It is sinc's own.
    Own,
}

/// A Mutagen that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The program.
    pub program: PathBuf,
    /// Its version.
    pub version: Version,
    /// Which way it was found.
    pub origin: Origin,
    /// Programs that come first but will not do.
    pub passed_over: Vec<Unfit>,
}

/// A program that will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The program.
    pub program: PathBuf,
    /// Why not.
    pub why: Why,
}

/// Why a program will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no such file.
    Missing,
    /// It cannot be started; the system's reason.
    NotRunnable(String),
    /// It is another program of that name: `mutagen version` says no version. What it says instead.
    AnotherProgram(String),
    /// It is too old.
    TooOld(Version),
    /// Its agents are missing ([`AGENTS`]).
    NoAgents,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program.display();
        match &self.why {
            Why::Missing => write!(f, "`{program}` does not exist"),
            Why::NotRunnable(why) => write!(f, "`{program}` cannot be started: {why}"),
            Why::AnotherProgram(said) if said.is_empty() => {
                write!(f, "`{program}` is another program: it does not tell its version")
            }
            Why::AnotherProgram(said) => {
                write!(f, "`{program}` is another program: instead of its version it says `{said}`")
            }
            Why::TooOld(version) => {
                write!(f, "`{program}` is Mutagen {version}, and at least {LEAST_VERSION} is needed")
            }
            Why::NoAgents => write!(f, "`{program}` has no `{AGENTS}` beside it, and cannot set up a host"),
        }
    }
}

/// Why there is no Mutagen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindError {
    /// The one that the configuration names will not do.
    Configured(
        /// The program.
        Unfit,
    ),
    /// There is none.
    None {
        /// Programs that will not do.
        passed_over: Vec<Unfit>,
    },
    /// A signal told sinc to stop.
    Interrupted(
        /// The signal.
        Interrupted,
    ),
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(unfit) => unfit.fmt(f),
            Self::None { passed_over } if passed_over.is_empty() => {
                f.write_str("there is no Mutagen on this computer")
            }
            Self::None { passed_over } => {
                let unfit: Vec<_> = passed_over.iter().map(ToString::to_string).collect();
                write!(f, "there is no Mutagen on this computer that will do: {}", unfit.join("; "))
            }
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

impl std::error::Error for FindError {}

/// sinc's own Mutagen below its data directory.
#[must_use]
pub fn own_program(data_dir: &Path) -> PathBuf {
    data_dir.join("bin").join("mutagen")
}

/// Finds the Mutagen to use. Starts no program if all that it looks at is known from the last time.
///
/// # Errors
/// The configured one will not do, or there is none.
pub fn find(runner: &Runner, search: &Search) -> Result<Found, FindError> {
    let mut cache = Cache::load(search.cache);
    let result = find_with(runner, search, &mut cache);
    if !runner.is_dry_run() {
        cache.save();
    }
    result
}

fn find_with(runner: &Runner, search: &Search, cache: &mut Cache) -> Result<Found, FindError> {
    let mut examine = |program: PathBuf, origin| match examine(runner, cache, &program) {
        Ok(Ok(version)) => Ok(Ok(Found { program, version, origin, passed_over: Vec::new() })),
        Ok(Err(why)) => Ok(Err(Unfit { program, why })),
        Err(signal) => Err(FindError::Interrupted(signal)),
    };
    if let Some(program) = search.configured {
        return examine(program.to_owned(), Origin::Config)?.map_err(FindError::Configured);
    }
    let mut passed_over = Vec::new();
    let on_path = on_path(search.path).into_iter().map(|program| (program, Origin::Path));
    for (program, origin) in on_path.chain([(own_program(search.data_dir), Origin::Own)]) {
        match examine(program, origin)? {
            Ok(found) => return Ok(Found { passed_over, ..found }),
            Err(Unfit { why: Why::Missing, .. }) => {}
            Err(unfit) => passed_over.push(unfit),
        }
    }
    Err(FindError::None { passed_over })
}

fn on_path(path: Option<&OsStr>) -> Vec<PathBuf> {
    let absolute = path.into_iter().flat_map(std::env::split_paths).filter(|entry| entry.is_absolute());
    let Ok(path) = std::env::join_paths(absolute) else { return Vec::new() };
    let mut found: Vec<PathBuf> = Vec::new();
    for program in which::which_in_global("mutagen", Some(path)).into_iter().flatten() {
        if !found.contains(&program) {
            found.push(program);
        }
    }
    found
}

fn examine(runner: &Runner, cache: &mut Cache, program: &Path) -> Result<Result<Version, Why>, Interrupted> {
    let version = match cache.version_of(program) {
        Some(version) => version,
        None => match ask_version(runner, program)? {
            Ok(version) => {
                cache.remember(program, &version);
                version
            }
            Err(why) => return Ok(Err(why)),
        },
    };
    if version < LEAST_VERSION {
        return Ok(Err(Why::TooOld(version)));
    }
    Ok(if has_agents(program) { Ok(version) } else { Err(Why::NoAgents) })
}

/// Asks a program for its version, which may turn out to be another program.
pub(super) fn ask_version(runner: &Runner, program: &Path) -> Result<Result<Version, Why>, Interrupted> {
    if !program.exists() {
        return Ok(Err(Why::Missing));
    }
    let cmd = Cmd::new(program, "ask Mutagen for its version")
        .arg("version")
        .untranslated()
        .deadline(Duration::from_secs(10));
    let first_line = |text: &str| text.trim().lines().next().unwrap_or_default().chars().take(80).collect();
    Ok(match runner.answer(&cmd) {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            Version::parse(said.trim()).ok_or_else(|| Why::AnotherProgram(first_line(&said)))
        }
        Err(error) => match error.outcome() {
            Outcome::Interrupted(signal) => return Err(Interrupted(*signal)),
            Outcome::NotFound => Err(Why::NotRunnable("its interpreter is missing".to_owned())),
            Outcome::CouldNotStart(why) => Err(Why::NotRunnable(why.clone())),
            _ => Err(Why::AnotherProgram(first_line(error.stderr()))),
        },
    })
}

/// Are the agents where Mutagen looks for them? A script, or a link to a program of another name (a version
/// manager's shim), starts the real one from somewhere else: it cannot be judged from outside, and passes.
fn has_agents(program: &Path) -> bool {
    let real = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    if is_script(&real) || real.file_name() != program.file_name() {
        return true;
    }
    [program, &real].into_iter().filter_map(Path::parent).any(|dir| {
        let libexec = dir.parent().filter(|_| dir.ends_with("bin")).map(|above| above.join("libexec"));
        dir.join(AGENTS).is_file() || libexec.is_some_and(|libexec| libexec.join(AGENTS).is_file())
    })
}

fn is_script(program: &Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(program).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::tools::mutagen::test_kit::write_program;

    struct Kit(tempfile::TempDir);

    impl Kit {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// A program that says something, and notes that it was started.
        fn program(&self, name: &str, says: &str) -> PathBuf {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let log = self.path("started");
            write_program(&path, &format!("#!/bin/sh\necho x >> '{}'\n{says}\n", log.display()));
            path
        }

        fn find(&self, configured: Option<&Path>, path: &[&Path]) -> Result<Found, FindError> {
            let path = std::env::join_paths(path).unwrap();
            find(
                &Runner::default(),
                &Search {
                    configured,
                    path: Some(&path),
                    data_dir: &self.path("data"),
                    cache: &self.path("cache/versions.json"),
                },
            )
        }

        fn starts(&self) -> usize {
            fs::read_to_string(self.path("started")).map_or(0, |log| log.lines().count())
        }
    }

    #[test]
    fn the_configured_one_then_path_then_sincs_own() {
        let kit = Kit::new();
        let configured = kit.program("mine/mu", "echo 0.18.3");
        let on_path = kit.program("p/mutagen", "echo 0.19.0-dev");
        let own = kit.program("data/bin/mutagen", "echo 0.18.1");
        let dir = kit.path("p");
        let got = |found: Found| (found.program, found.origin, found.version.to_string());
        assert_eq!(
            got(kit.find(Some(&configured), &[&dir]).unwrap()),
            (configured, Origin::Config, "0.18.3".to_owned())
        );
        assert_eq!(got(kit.find(None, &[&dir]).unwrap()), (on_path, Origin::Path, "0.19.0-dev".to_owned()));
        assert_eq!(got(kit.find(None, &[]).unwrap()), (own, Origin::Own, "0.18.1".to_owned()));
    }

    #[test]
    fn a_configured_one_that_will_not_do_is_not_replaced_by_another() {
        let kit = Kit::new();
        kit.program("p/mutagen", "echo 0.18.1");
        let missing = kit.path("nowhere");
        let refused = |configured: &Path| match kit.find(Some(configured), &[&kit.path("p")]) {
            Err(FindError::Configured(unfit)) => unfit.why,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&missing), Why::Missing);
        assert!(matches!(refused(&kit.path("p")), Why::NotRunnable(_)), "a directory");
        let plain = kit.program("plain", "echo 0.18.1");
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(refused(&plain), Why::NotRunnable(_)));
        assert_eq!(
            refused(&kit.program("old", "echo 0.17.6")),
            Why::TooOld(Version::parse("0.17.6").unwrap())
        );
    }

    #[test]
    fn others_of_the_name_and_old_ones_are_passed_over_and_told_apart() {
        let kit = Kit::new();
        kit.program("other/mutagen", "echo 'mutagen: tag editor'; exit 0");
        kit.program("angry/mutagen", "echo 'unknown option' >&2; exit 3");
        kit.program("old/mutagen", "echo 0.17.6");
        let path = [kit.path("other"), kit.path("angry"), kit.path("old"), kit.path("old")];
        let path: Vec<&Path> = path.iter().map(PathBuf::as_path).collect();
        let Err(error @ FindError::None { .. }) = kit.find(None, &path) else { panic!("none will do") };
        let said = error.to_string().replace(kit.0.path().to_str().unwrap(), "");
        assert_eq!(
            said,
            "there is no Mutagen on this computer that will do: `/other/mutagen` is another program: instead of its version it \
             says `mutagen: tag editor`; `/angry/mutagen` is another program: instead of its version it says \
             `unknown option`; `/old/mutagen` is Mutagen 0.17.6, and at least 0.18.0 is needed"
        );
        kit.program("good/mutagen", "echo 0.18.1");
        let good = kit.path("good");
        let found = kit.find(None, &[path[0], path[1], path[2], &good]).unwrap();
        assert_eq!((found.origin, found.passed_over.len()), (Origin::Path, 3));
    }

    #[test]
    fn a_known_program_is_not_started_again_until_it_changes() {
        let kit = Kit::new();
        let program = kit.program("p/mutagen", "echo 0.18.1");
        let dir = kit.path("p");
        for _ in 0..3 {
            kit.find(None, &[&dir]).unwrap();
        }
        assert_eq!(kit.starts(), 1);
        kit.program("p/mutagen", "echo 0.18.10");
        assert_eq!(kit.find(None, &[&dir]).unwrap().version.to_string(), "0.18.10");
        assert_eq!(kit.starts(), 2);
        fs::write(kit.path("cache/versions.json"), "{ not json").unwrap();
        assert_eq!(kit.find(None, &[&dir]).unwrap().program, program);
    }

    #[test]
    fn a_relative_entry_of_path_is_not_looked_at() {
        let kit = Kit::new();
        assert_eq!(on_path(Some(OsStr::new(".:bin::"))), Vec::<PathBuf>::new());
        assert_eq!(kit.find(None, &[]), Err(FindError::None { passed_over: Vec::new() }));
    }

    #[test]
    fn agents_are_looked_for_where_mutagen_does() {
        let kit = Kit::new();
        let binary = |name: &str| {
            let path = kit.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "\x7fELF").unwrap();
            path
        };
        let program = binary("cellar/bin/mutagen");
        assert!(!has_agents(&program));
        let link = kit.path("bin/mutagen");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&program, &link).unwrap();
        fs::create_dir(kit.path("cellar/libexec")).unwrap();
        fs::write(kit.path("cellar/libexec").join(AGENTS), "").unwrap();
        assert!(has_agents(&program) && has_agents(&link), "as Homebrew lays it out");
        let beside = binary("opt/mutagen");
        assert!(!has_agents(&beside));
        fs::write(kit.path("opt").join(AGENTS), "").unwrap();
        assert!(has_agents(&beside));
        assert!(has_agents(&kit.program("shim/mutagen", "exec mise")), "a script cannot be judged");
    }
}
