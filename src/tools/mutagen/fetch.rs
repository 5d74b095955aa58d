//! Fetching Mutagen: the release archive, checked against its SHA-256, into sinc's own data directory.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::find::{AGENTS, Unfit, Why, ask_version, own_program};
use super::release::Release;
use super::version::{LEAST_VERSION, Version};
use super::work_dir::WorkDir;
use crate::process::{Cmd, Interrupted, Outcome, ProcessError, Runner, Stream};

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is there.
    Installed {
        /// The program.
        program: PathBuf,
        /// Its version.
        version: Version,
    },
    /// A dry run: the command was shown, nothing was fetched.
    WouldFetch,
}

/// Why Mutagen could not be fetched. Nothing was installed then, and what was there before still is.
#[derive(Debug)]
pub enum FetchError {
    /// The archive could not be downloaded (or `curl` is missing).
    Download(
        /// The command that failed.
        Box<ProcessError>,
    ),
    /// The archive is not the one that it should be.
    WrongSum {
        /// Where it came from.
        url: String,
        /// The sum that it should have.
        expected: String,
        /// The sum that it has.
        found: String,
    },
    /// A file could not be written.
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The archive could not be unpacked.
    Unpack(
        /// The command that failed.
        Box<ProcessError>,
    ),
    /// The archive holds no Mutagen that works here.
    NoMutagen(
        /// What is wrong with what it holds.
        Why,
    ),
    /// A signal told sinc to stop.
    Interrupted(
        /// The signal.
        Interrupted,
    ),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Download(error) | Self::Unpack(error) => error.fmt(f),
            Self::WrongSum { url, expected, found } => write!(
                f,
                "`{url}` is not what it should be, and was thrown away\n  \
                 expected SHA-256 {expected}\n  found SHA-256    {found}"
            ),
            Self::Disk { path, source } if source.kind() == io::ErrorKind::StorageFull => {
                write!(f, "no space is left for `{}`", path.display())
            }
            Self::Disk { path, source } => write!(f, "could not write `{}`: {source}", path.display()),
            Self::NoMutagen(why) => {
                write!(
                    f,
                    "the archive is of no use: {}",
                    Unfit { program: "mutagen".into(), why: why.clone() }
                )
            }
            Self::Interrupted(signal) => signal.fmt(f),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The command that downloads a release to standard output. `headers` gets the headers of the answer.
#[must_use]
pub fn download_cmd(release: &Release, headers: &Path) -> Cmd {
    Cmd::new("curl", "download Mutagen")
        .args(["--fail", "--silent", "--show-error"])
        // GitHub answers with another address, which may be anything but a file here.
        .args(["--location", "--proto", "=https,http,file", "--proto-redir", "=https,http"])
        // No limit to how long 100 MB take, only to how long nothing comes.
        .args(["--connect-timeout", "20", "--speed-limit", "1", "--speed-time", "60"])
        .arg("--dump-header")
        .arg(headers)
        .args(["--url", &release.url])
        .untranslated()
        .no_deadline()
}

/// Downloads a release, checks it, unpacks it, tries it, and puts it into `bin` of sinc's data directory. `report`
/// gets how many bytes have come, of how many, where the server says.
///
/// Several at once do not disturb each other: each works in a directory of its own, and the last step is a rename.
///
/// # Errors
/// Nothing was installed then.
pub fn fetch(
    runner: &Runner,
    data_dir: &Path,
    release: &Release,
    report: &mut dyn FnMut(u64, Option<u64>),
) -> Result<Fetched, FetchError> {
    if runner.is_dry_run() {
        let cmd = download_cmd(release, Path::new("/dev/null"));
        runner.run(&cmd).map_err(|error| failed(error, FetchError::Download))?;
        return Ok(Fetched::WouldFetch);
    }
    let work = WorkDir::new(data_dir).map_err(|source| disk(data_dir, source))?;
    let archive = work.0.join("archive.tar.gz");
    let found = download(runner, release, &work.0.join("headers"), &archive, report)?;
    if !found.eq_ignore_ascii_case(release.sha256.trim()) {
        let expected = release.sha256.trim().to_ascii_lowercase();
        return Err(FetchError::WrongSum { url: release.url.clone(), expected, found });
    }
    let unpacked = work.0.join("unpacked");
    let version = unpack(runner, &archive, &unpacked)?;
    let program = own_program(data_dir);
    install(&unpacked, &program)?;
    Ok(Fetched::Installed { program, version })
}

fn download(
    runner: &Runner,
    release: &Release,
    headers: &Path,
    archive: &Path,
    report: &mut dyn FnMut(u64, Option<u64>),
) -> Result<String, FetchError> {
    let mut file = File::create(archive).map_err(|source| disk(archive, source))?;
    let mut sum = Sha256::new();
    let mut received = 0;
    let mut total = None;
    let mut full = None;
    let result = runner.watch(&download_cmd(release, headers), &mut |stream, bytes| {
        if stream == Stream::Stderr {
            return ControlFlow::Continue(());
        }
        if received == 0 {
            total = fs::read_to_string(headers).ok().and_then(|headers| length_of(&headers));
        }
        if let Err(source) = file.write_all(bytes) {
            full = Some(source);
            return ControlFlow::Break(());
        }
        sum.update(bytes);
        received += bytes.len() as u64;
        report(received, total);
        ControlFlow::Continue(())
    });
    if let Some(source) = full {
        return Err(disk(archive, source));
    }
    result.map_err(|error| failed(error, FetchError::Download))?;
    Ok(hex::encode(sum.finalize()))
}

/// The length of the last answer in a file of headers (those of redirects come first).
fn length_of(headers: &str) -> Option<u64> {
    let mut length = None;
    for line in headers.lines() {
        if line.starts_with("HTTP/") {
            length = None;
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    length
}

/// Unpacks the archive, whose sum is right, and tries what is in it.
fn unpack(runner: &Runner, archive: &Path, into: &Path) -> Result<Version, FetchError> {
    fs::create_dir(into).map_err(|source| disk(into, source))?;
    let cmd = Cmd::new("tar", "unpack Mutagen")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .untranslated()
        .no_deadline();
    runner.answer(&cmd).map_err(|error| {
        if error.stderr().contains("No space left on device") {
            return disk(into, io::ErrorKind::StorageFull.into());
        }
        failed(error, FetchError::Unpack)
    })?;
    let program = into.join("mutagen");
    let version = match ask_version(runner, &program).map_err(FetchError::Interrupted)? {
        Ok(version) if version < LEAST_VERSION => return Err(FetchError::NoMutagen(Why::TooOld(version))),
        Ok(version) => version,
        Err(why) => return Err(FetchError::NoMutagen(why)),
    };
    if into.join(AGENTS).is_file() { Ok(version) } else { Err(FetchError::NoMutagen(Why::NoAgents)) }
}

/// Puts program and agents in their place, where the same are not there already. The program comes last and is what counts: without it there is no
/// Mutagen, so one that is replaced is away for a moment, and agents of another version are never beside it.
fn install(unpacked: &Path, program: &Path) -> Result<(), FetchError> {
    let bin = program.parent().unwrap_or(program);
    fs::create_dir_all(bin).map_err(|source| disk(bin, source))?;
    for name in [AGENTS, "mutagen"] {
        let new = unpacked.join(name);
        File::open(&new).and_then(|file| file.sync_all()).map_err(|source| disk(&new, source))?;
    }
    let same = |name: &str| is_same(&unpacked.join(name), &bin.join(name));
    if same("mutagen") && same(AGENTS) {
        return Ok(());
    }
    match fs::remove_file(program) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(disk(program, error)),
        _ => {}
    }
    for name in [AGENTS, "mutagen"] {
        let place = bin.join(name);
        fs::rename(unpacked.join(name), &place).map_err(|source| disk(&place, source))?;
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    let size = |path| fs::metadata(path).map(|meta| meta.len()).ok();
    size(one).is_some() && size(one) == size(other) && fs::read(one).ok() == fs::read(other).ok()
}

fn disk(path: &Path, source: io::Error) -> FetchError {
    FetchError::Disk { path: path.to_owned(), source }
}

fn failed(error: ProcessError, what: impl Fn(Box<ProcessError>) -> FetchError) -> FetchError {
    match error.outcome() {
        Outcome::Interrupted(signal) => FetchError::Interrupted(Interrupted(*signal)),
        _ => what(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tools::mutagen::test_kit::write_program;

    /// An archive as Mutagen's releases are, with a program that says `says`, and its sum.
    fn archive(dir: &Path, says: &str, files: &[&str]) -> Release {
        let content = dir.join("content");
        fs::create_dir_all(&content).unwrap();
        write_program(&content.join("mutagen"), &format!("#!/bin/sh\n{says}\n"));
        fs::write(content.join(AGENTS), vec![7; 300_000]).unwrap();
        let path = dir.join("release.tar.gz");
        let tar = Cmd::new("tar", "pack").arg("-czf").arg(&path).arg("-C").arg(&content).args(files);
        Runner::default().answer(&tar).unwrap();
        let sha256 = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
        Release { url: format!("file://{}", path.display()), sha256 }
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const BOTH: [&str; 2] = ["mutagen", AGENTS];

    #[test]
    fn fetched_checked_tried_and_put_in_its_place_twice() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for version in ["0.18.1", "0.18.2"] {
            let release = archive(dir.path(), &format!("echo {version}"), &BOTH);
            let size = fs::metadata(dir.path().join("release.tar.gz")).unwrap().len();
            let mut last = None;
            let fetched = fetch(&Runner::default(), &data, &release, &mut |received, total| {
                last = Some((received, total));
            });
            let Fetched::Installed { program, version: installed } = fetched.unwrap() else {
                panic!("no dry run")
            };
            assert_eq!(last, Some((size, Some(size))));
            assert_eq!(installed.to_string(), version);
            assert_eq!(program, own_program(&data));
            assert_eq!(names(&data), ["bin"]);
            assert_eq!(names(&data.join("bin")), ["mutagen", AGENTS]);
        }
    }

    #[test]
    fn a_wrong_sum_installs_nothing_and_both_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let release = archive(dir.path(), "echo 0.18.1", &BOTH);
        let wrong = Release { sha256: "00".repeat(32), ..release.clone() };
        let error = fetch(&Runner::default(), &data, &wrong, &mut |_, _| ()).unwrap_err().to_string();
        assert!(error.contains(&wrong.sha256) && error.contains(&release.sha256), "{error}");
        assert!(names(&data).is_empty());
        let upper = Release { sha256: format!(" {}\n", release.sha256.to_uppercase()), ..release };
        assert!(fetch(&Runner::default(), &data, &upper, &mut |_, _| ()).is_ok());
    }

    #[test]
    fn what_is_no_working_mutagen_is_not_installed() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let refused = |says: &str, files: &[&str]| {
            let release = archive(dir.path(), says, files);
            let error = fetch(&Runner::default(), &data, &release, &mut |_, _| ()).unwrap_err();
            assert!(names(&data).is_empty());
            error
        };
        let why = |error| match error {
            FetchError::NoMutagen(why) => why,
            other => panic!("{other}"),
        };
        assert_eq!(why(refused("echo 0.18.1", &["mutagen"])), Why::NoAgents);
        assert_eq!(why(refused("echo 0.18.1", &[AGENTS])), Why::Missing);
        assert_eq!(why(refused("echo 0.17.0", &BOTH)), Why::TooOld(Version::parse("0.17.0").unwrap()));
        assert_eq!(why(refused("echo hello", &BOTH)), Why::AnotherProgram("hello".to_owned()));

        let text = dir.path().join("text");
        fs::write(&text, "no archive").unwrap();
        let release = Release {
            url: format!("file://{}", text.display()),
            sha256: hex::encode(Sha256::digest("no archive")),
        };
        assert!(matches!(
            fetch(&Runner::default(), &data, &release, &mut |_, _| ()),
            Err(FetchError::Unpack(_))
        ));
    }

    #[test]
    fn an_archive_that_is_not_there_or_at_a_forbidden_address() {
        let dir = tempfile::tempdir().unwrap();
        for url in ["file:///no/such/archive", "ftp://127.0.0.1/x", "http://127.0.0.1:1/x"] {
            let release = Release { url: url.to_owned(), sha256: String::new() };
            let result = fetch(&Runner::default(), dir.path(), &release, &mut |_, _| ());
            assert!(matches!(result, Err(FetchError::Download(_))), "{url}");
        }
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn several_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let release = archive(dir.path(), "echo 0.18.1", &BOTH);
        std::thread::scope(|scope| {
            let fetches: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| fetch(&Runner::default(), &data, &release, &mut |_, _| ())))
                .collect();
            for fetch in fetches {
                fetch.join().unwrap().unwrap();
            }
        });
        assert_eq!((names(&data), names(&data.join("bin")).len()), (vec!["bin".to_owned()], 2));
    }

    #[test]
    fn a_dry_run_only_shows() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let runner = Runner::new(None, Some(Arc::new(|_: &Cmd| ())));
        let release = Release::pinned("linux", "x86_64").unwrap();
        assert_eq!(fetch(&runner, &data, &release, &mut |_, _| ()).unwrap(), Fetched::WouldFetch);
        assert!(!data.exists());
    }

    #[test]
    fn a_full_disk_is_called_that() {
        let error =
            disk(Path::new("/d/x"), io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
        assert_eq!(error.to_string(), "no space is left for `/d/x`");
    }

    #[test]
    fn the_length_is_that_of_the_last_answer() {
        let redirect =
            "HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nHTTP/2 200\r\ncontent-length: 1234\r\n\r\n";
        assert_eq!(length_of(redirect), Some(1234));
        assert_eq!(length_of("HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nHTTP/2 200\r\n\r\n"), None);
        assert_eq!(length_of("Content-Length: 9\r\n"), Some(9), "a file");
    }
}
