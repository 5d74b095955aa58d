//! The real Mutagen, between two directories of this computer: both ends local, or one behind an `ssh` that is a
//! script and starts the agent right here.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::test_kit::write_program;
use super::*;
use crate::process::{Cmd, Done, Runner};

const LONG: Duration = Duration::from_secs(60);
const PATIENT: Patience = Patience { idle: LONG, busy: LONG };
const IMPATIENT: Patience = Patience { idle: Duration::from_secs(1), busy: Duration::from_secs(10) };

/// `$FAKE_HOST` is the home of the host. A file `down` in it makes it unreachable; `pid` is the agent's process.
const SSH: &str = r#"#!/bin/sh
export HOME=@HOME@; cd "$HOME" || exit 255
unset MUTAGEN_DATA_DIRECTORY
while :; do case $1 in -o*) shift;; *) break;; esac; done
[ -e down ] && { echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255; }
shift; echo $$ > pid; exec sh -c "exec $*"
"#;

const SCP: &str = r#"#!/bin/sh
while :; do case $1 in -o*|-C) shift;; *) break;; esac; done
exec cp "$1" "@HOME@/${2#*:}"
"#;

struct Kit {
    mutagen: Mutagen,
    dir: tempfile::TempDir,
}

impl Drop for Kit {
    fn drop(&mut self) {
        drop(self.mutagen.daemon_stop());
    }
}

#[expect(clippy::disallowed_methods, reason = "how the tests are told that every tool must be there")]
fn program() -> Option<PathBuf> {
    let found = which::which("mutagen").ok();
    let must = std::env::var_os("SINC_E2E").is_some();
    assert!(found.is_some() || !must, "SINC_E2E is set, and there is no mutagen on PATH");
    if found.is_none() {
        // As tests/support/e2e.rs does for the others: past the runner, which keeps what a passing test prints.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: there is no mutagen on PATH");
        if let Some(list) = std::env::var_os("SINC_LEFT_OUT") {
            let mut list = fs::OpenOptions::new().append(true).open(list).unwrap();
            writeln!(list, "{test}: there is no mutagen on PATH").unwrap();
        }
    }
    found
}

impl Kit {
    fn new() -> Option<Self> {
        let program = program()?;
        let dir = tempfile::Builder::new().prefix("sm").tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir(dir.path().join("ssh")).unwrap();
        for (name, script) in [("ssh", SSH), ("scp", SCP)] {
            let path = dir.path().join("ssh").join(name);
            write_program(&path, &script.replace("@HOME@", home.to_str().unwrap()));
        }
        let mutagen =
            Mutagen::new(program, dir.path().join("d"), dir.path().join("ssh"), Runner::default()).unwrap();
        Some(Self { mutagen, dir })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn make_dir(&self, name: &str, files: &[&str]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        for file in files {
            fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
            fs::write(path.join(file), file).unwrap();
        }
        path
    }

    fn host(&self, path: &Path) -> Endpoint {
        Endpoint::Ssh { host: "sinc-host".to_owned(), path: path.to_str().unwrap().to_owned() }
    }

    fn create(&self, mode: SyncMode, ignores: &[&str], alpha: &Endpoint, beta: &Endpoint) -> String {
        let settings = settings(mode, ignores);
        settings.check().unwrap();
        let file = settings.write(&self.path("settings, \"these\"")).unwrap();
        let digest = settings.digest();
        let labels = [(LABEL_ID, "sinc-t-000001"), (LABEL_HOST, "sinc-h"), (LABEL_SETTINGS, &digest)];
        let new = NewSession { name: "sinc-t-000001", labels: &labels, settings: &file, alpha, beta };
        self.mutagen.create(&new).unwrap().unwrap()
    }

    fn first_cycle(&self, id: &str) -> Checked {
        self.mutagen.wait_first_cycle(id, PATIENT, &mut |_| ()).unwrap()
    }

    fn flush(&self, id: &str) -> CycleResult {
        self.mutagen.flush_checked(id, LONG).unwrap().result
    }
}

fn settings(mode: SyncMode, ignores: &[&str]) -> SyncSettings {
    SyncSettings {
        mode,
        ignores: ignores.iter().map(|&pattern| pattern.to_owned()).collect(),
        file_mode: 0o644,
        directory_mode: 0o755,
        watch: super::Watch::Polling(2),
    }
}

#[test]
fn a_session_from_its_making_to_its_end() {
    let Some(kit) = Kit::new() else { return };
    // One path with everything that could be misread; the patterns come back as they were given.
    let local = kit.make_dir("-o it's: \"a\" $(id) `b` #é 日本", &["src/main.rs", "run", "a,b", "é/ü"]);
    fs::set_permissions(local.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("run", local.join("link")).unwrap();
    let remote = kit.path("remote: side");
    let ignores = ["a,b", r#"q"u\\o"#, "#h", "日本 é", "\u{2028}\u{85}\u{7f}\t😀"];
    let id = kit.create(
        SyncMode::TwoWaySafe,
        &ignores,
        &Endpoint::Local(local.clone()),
        &Endpoint::Local(remote.clone()),
    );

    let mut phases = Vec::new();
    let checked =
        kit.mutagen.wait_first_cycle(&id, PATIENT, &mut |progress| phases.push(progress.phase)).unwrap();
    assert_eq!(checked.result, CycleResult::Equal);
    assert!(!phases.is_empty());
    assert_eq!(fs::read_to_string(remote.join("src/main.rs")).unwrap(), "src/main.rs");
    assert_eq!(fs::read_link(remote.join("link")).unwrap(), Path::new("run"));
    assert!(!remote.join("a,b").exists());
    let mode = |name: &str| fs::metadata(remote.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("src"), mode("src/main.rs"), mode("run")), (0o755, 0o644, 0o755));

    let by_labels = kit.mutagen.list(&Selector::session("sinc-t-000001", "sinc-h")).unwrap();
    assert_eq!(by_labels.len(), 1);
    assert_eq!(by_labels[0].identifier, id);
    assert_eq!(by_labels[0].label(LABEL_SETTINGS), Some(&*settings(SyncMode::TwoWaySafe, &ignores).digest()));
    assert_eq!(Path::new(&by_labels[0].local().path), local);
    assert!(kit.mutagen.list(&Selector::session("sinc-t-000001", "other")).unwrap().is_empty());
    assert_eq!(kit.mutagen.list(&Selector::All).unwrap().len(), 1);
    let raw = Runner::default().read(&kit.mutagen.list_cmd(&Selector::All)).unwrap();
    let raw: serde_json::Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(raw[0]["ignore"]["paths"], serde_json::json!(ignores));

    fs::write(remote.join("new"), "from there").unwrap();
    assert_eq!(kit.flush(&id), CycleResult::Equal);
    assert_eq!(fs::read_to_string(local.join("new")).unwrap(), "from there");

    assert_eq!(kit.mutagen.pause(&id).unwrap(), Done::Ran);
    assert_eq!(kit.flush(&id), CycleResult::Paused);
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Paused);
    fs::write(local.join("run"), "here").unwrap();
    fs::write(remote.join("run"), "there").unwrap();
    symlink("/etc/hosts", local.join("outside")).unwrap();
    kit.mutagen.resume(&id).unwrap();
    let checked = kit.mutagen.flush_checked(&id, LONG).unwrap();
    assert_eq!(checked.result, CycleResult::Conflicts(1));
    assert_eq!(checked.session.conflicts[0].kind(&checked.session), ConflictKind::BothChanged);
    assert_eq!(fs::read_to_string(local.join("run")).unwrap(), "here");

    fs::write(remote.join("run"), "here").unwrap();
    let CycleResult::Problems { count: 1, listed } = kit.flush(&id) else { panic!("a link that leads out") };
    assert!(listed[0].is_foreign_link() && listed[0].side == Side::Local);
    assert!(!remote.join("outside").is_symlink());

    assert_eq!(kit.mutagen.terminate(&id).unwrap(), Done::Ran);
    for result in [kit.mutagen.terminate(&id), kit.mutagen.pause(&id), kit.mutagen.flush(&id, LONG)] {
        assert!(matches!(result, Err(MutagenError::NoSuchSession(_))), "{result:?}");
    }
    assert!(matches!(
        kit.mutagen.wait_first_cycle(&id, PATIENT, &mut |_| ()),
        Err(MutagenError::NoSuchSession(_))
    ));
    assert!(kit.mutagen.list(&Selector::Identifier(id)).unwrap().is_empty());
    assert!(local.join("run").exists() && remote.join("run").exists());
}

#[test]
fn what_both_sides_had_is_known_while_it_is_paused_and_can_be_forgotten() {
    let Some(kit) = Kit::new() else { return };
    let local = kit.make_dir("local", &["a", "src/é/ü", "src/é/b c", "skipped/x"]);
    symlink("a", local.join("link")).unwrap();
    let remote = kit.make_dir("remote", &[]);
    let id =
        kit.create(SyncMode::TwoWaySafe, &["skipped"], &Endpoint::Local(local.clone()), &kit.host(&remote));
    let known = || {
        let mut known = Vec::new();
        kit.mutagen.each_known_file(&id, &mut |path| known.push(path.to_owned())).unwrap();
        known.sort();
        known
    };
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal);
    assert_eq!(known(), ["a", "src/é/b c", "src/é/ü"]);
    fs::remove_file(remote.join("a")).unwrap();
    fs::write(remote.join("new"), "").unwrap();
    assert_eq!(kit.flush(&id), CycleResult::Equal);
    assert_eq!(known(), ["new", "src/é/b c", "src/é/ü"]);

    kit.mutagen.pause(&id).unwrap();
    fs::remove_dir_all(local.join("src")).unwrap();
    fs::write(remote.join("new"), "changed there").unwrap();
    assert_eq!(known().len(), 3);
    assert_eq!(kit.mutagen.reset(&id).unwrap(), Done::Ran);
    assert!(known().is_empty());
    assert!(kit.mutagen.session(&id).unwrap().is_paused());
    kit.mutagen.resume(&id).unwrap();
    assert_eq!(kit.flush(&id), CycleResult::Conflicts(1), "what was changed meanwhile has no history either");
    assert_eq!(fs::read_to_string(local.join("src/é/b c")).unwrap(), "src/é/b c");
    assert_eq!(fs::read_to_string(remote.join("new")).unwrap(), "changed there");
    assert!(!remote.join("a").exists() && !local.join("a").exists());

    kit.mutagen.terminate(&id).unwrap();
    let gone = kit.mutagen.each_known_file(&id, &mut |_| ()).unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_first_cycle_reports_what_arrives() {
    let Some(kit) = Kit::new() else { return };
    let local = kit.make_dir("local", &[]);
    for n in 0..600 {
        fs::write(local.join(format!("f{n}")), vec![b'x'; 50_000 + n]).unwrap();
    }
    let remote = kit.make_dir("remote", &[]);
    let id = kit.create(SyncMode::TwoWaySafe, &[], &Endpoint::Local(local), &kit.host(&remote));
    let mut seen = Vec::new();
    let checked =
        kit.mutagen.wait_first_cycle(&id, PATIENT, &mut |progress| seen.push(progress.clone())).unwrap();
    assert_eq!(checked.result, CycleResult::Equal);
    assert_eq!(checked.session.remote().files, 600);
    assert_eq!(checked.session.remote().host, "sinc-host");
    for progress in seen.iter().filter(|progress| progress.files_total.is_some()) {
        assert_eq!((progress.to, progress.files_total), (Some(Side::Remote), Some(600)));
        assert!(progress.bytes_total.is_some_and(|total| progress.bytes <= total));
    }
}

#[test]
fn a_cycle_that_could_send_nothing_is_a_problem() {
    let Some(kit) = Kit::new() else { return };
    let local = kit.make_dir("local", &["a"]);
    let id = kit.create(
        SyncMode::TwoWaySafe,
        &[],
        &Endpoint::Local(local),
        &kit.host(&kit.path("no/such/parent")),
    );
    let CycleResult::Problems { count: 1, listed } = kit.first_cycle(&id).result else {
        panic!("the parent is missing")
    };
    assert_eq!((listed[0].side, listed[0].stage), (Side::Remote, ProblemStage::Apply));
}

#[test]
fn one_way_safe_keeps_what_only_the_target_has_and_is_equal() {
    let Some(kit) = Kit::new() else { return };
    let (local, remote) = (kit.make_dir("local", &["a"]), kit.make_dir("remote", &["b"]));
    let id = kit.create(
        SyncMode::OneWaySafe,
        &[],
        &Endpoint::Local(local.clone()),
        &Endpoint::Local(remote.clone()),
    );
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal);
    assert!(remote.join("a").exists() && remote.join("b").exists() && !local.join("b").exists());
}

#[test]
fn a_root_that_was_emptied_or_deleted_halts_and_says_where() {
    let Some(kit) = Kit::new() else { return };
    let (local, remote) = (kit.make_dir("local", &["a", "b"]), kit.make_dir("remote", &[]));
    let id = kit.create(SyncMode::TwoWaySafe, &[], &kit.host(&remote), &Endpoint::Local(local.clone()));
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal, "a pull: the host is alpha");
    fs::remove_file(local.join("a")).unwrap();
    fs::remove_file(local.join("b")).unwrap();
    let halt = Halt { kind: HaltKind::Emptied, side: Some(Side::Local) };
    assert_eq!(kit.flush(&id), CycleResult::Halted(halt));
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Halted(halt));
    assert!(remote.join("a").exists());

    fs::remove_dir(&local).unwrap();
    kit.mutagen.resume(&id).unwrap();
    let halt = Halt { kind: HaltKind::Deleted, side: Some(Side::Local) };
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Halted(halt));
}

#[test]
fn a_host_that_goes_away_and_comes_back() {
    let Some(kit) = Kit::new() else { return };
    let (local, remote) = (kit.make_dir("local", &["a"]), kit.make_dir("remote", &[]));
    let host = kit.host(&remote);
    let id = kit.create(SyncMode::TwoWaySafe, &[], &Endpoint::Local(local.clone()), &host);
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal);

    fs::write(kit.path("home/down"), "").unwrap();
    let agent = fs::read_to_string(kit.path("home/pid")).unwrap();
    Runner::default().answer(&Cmd::new("kill", "end the agent").arg(agent.trim())).unwrap();
    // Until it has gone it may still answer.
    let deadline = Instant::now() + Duration::from_secs(10);
    let there = Cmd::new("kill", "look for the agent").args(["-0", agent.trim()]);
    while Runner::default().read(&there).is_ok() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(matches!(kit.flush(&id), CycleResult::Disconnected(_)));
    let started = Instant::now();
    let waited = kit.mutagen.wait_first_cycle(&id, IMPATIENT, &mut |_| ()).unwrap();
    assert!(matches!(waited.result, CycleResult::Disconnected(_)), "{waited:?}");
    assert!(started.elapsed() < Duration::from_secs(10));

    let Err(MutagenError::Connect { side, ssh, reason }) = kit.mutagen.resume(&id) else {
        panic!("it is down")
    };
    assert_eq!(side, Side::Remote);
    // Mutagen does not wait for ssh's last words: once in ten times it does not have them.
    if let Some(said) = ssh {
        assert_eq!(said.trim(), "ssh: connect to host sinc-host port 22: Connection refused");
    }
    assert!(reason.contains("unable to dial agent endpoint"), "{reason}");
    let file = settings(SyncMode::TwoWaySafe, &[]).write(&kit.path("s")).unwrap();
    let alpha = Endpoint::Local(local);
    let new = NewSession { name: "n", labels: &[], settings: &file, alpha: &alpha, beta: &host };
    assert!(matches!(kit.mutagen.create(&new), Err(MutagenError::Connect { side: Side::Remote, .. })));

    fs::remove_file(kit.path("home/down")).unwrap();
    fs::write(remote.join("meanwhile"), "").unwrap();
    kit.mutagen.resume(&id).unwrap();
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal);
    assert!(kit.path("local/meanwhile").exists());
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let Some(kit) = Kit::new() else { return };
    let (local, remote) = (kit.make_dir("local", &["a"]), kit.make_dir("remote", &[]));
    let (alpha, beta) = (Endpoint::Local(local), Endpoint::Local(remote.clone()));
    let shown = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&shown);
    let runner =
        Runner::new(None, Some(Arc::new(move |cmd: &Cmd| log.lock().unwrap().push(cmd.why().to_owned()))));
    let dry = Mutagen::new(program().unwrap(), kit.mutagen.data_dir(), kit.path("ssh"), runner).unwrap();
    let new = NewSession { name: "n", labels: &[], settings: Path::new("/none"), alpha: &alpha, beta: &beta };
    assert!(dry.list(&Selector::All).unwrap().is_empty());
    assert_eq!(dry.create(&new).unwrap(), None);
    assert!(!kit.path("d").exists(), "no daemon, no data");
    let id = kit.create(SyncMode::TwoWaySafe, &[], &alpha, &beta);
    assert_eq!(kit.first_cycle(&id).result, CycleResult::Equal);
    for result in [dry.pause(&id), dry.resume(&id), dry.terminate(&id), dry.daemon_stop()] {
        assert_eq!(result.unwrap(), Done::WouldRun);
    }
    assert_eq!(dry.flush_checked(&id, LONG).unwrap().result, CycleResult::WouldRun);
    let shown = shown.lock().unwrap();
    assert_eq!(
        *shown,
        [
            "make the sync",
            "pause the sync",
            "resume the sync",
            "end the sync",
            "stop Mutagen's daemon",
            "flush the sync"
        ]
    );
    assert!(!dry.session(&id).unwrap().is_paused());

    kit.mutagen.daemon_stop().unwrap();
    assert!(matches!(dry.list(&Selector::All), Err(MutagenError::NotRunning)));
    assert!(!kit.mutagen.daemon_runs());
    let started = Instant::now();
    assert_eq!(kit.mutagen.list(&Selector::All).unwrap().len(), 1, "started again, with its session");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_daemon_of_another_version_is_stopped_and_the_command_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("mutagen");
    // The first answer is that of a client whose daemon is older; the second that of a daemon on its way out.
    let script = r#"#!/bin/sh
cd "${0%/*}" && echo "$1 $2" >> log
[ "$1 $2" = "daemon stop" ] && touch stopped
[ "$1" = daemon ] && exit 0
[ -e stopped ] || { echo 'Error: unable to connect to daemon: client/daemon version mismatch (daemon restart recommended)' >&2; exit 1; }
[ -e leaving ] || { touch leaving; echo 'Error: unable to connect to daemon: connection timed out (is the daemon running?)' >&2; exit 1; }
echo '[]'
"#;
    write_program(&program, script);
    let client = |runner| Mutagen::new(&program, dir.path().join("d"), "/s", runner).unwrap();

    let socket = dir.path().join("d/daemon/daemon.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let dry = client(Runner::new(None, Some(Arc::new(|_: &Cmd| ()))));
    assert!(matches!(dry.list(&Selector::All), Err(MutagenError::VersionMismatch(_))));
    let log = || fs::read_to_string(dir.path().join("log")).unwrap();
    assert_eq!(log(), "sync list\n");

    assert!(client(Runner::default()).list(&Selector::All).unwrap().is_empty());
    assert_eq!(log(), "sync list\nsync list\ndaemon stop\nsync list\nsync list\n");
    drop(listener);
    // A process that another test begins has it for a moment, too.
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
        assert!(Instant::now() < deadline, "somebody still listens");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::create_dir_all(dir.path().join("d/sessions/x")).unwrap();
    assert!(client(Runner::default()).list(&Selector::All).unwrap().is_empty());
    assert!(log().ends_with("daemon start\nsync list\n"), "the socket of a killed daemon is no daemon");
}

#[test]
fn a_daemon_that_does_not_know_its_own_prompter_yet_is_asked_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("mutagen");
    let script = r#"#!/bin/sh
cd "${0%/*}" || exit 1
[ "$1" = daemon ] && exit 0
echo "$2" >> log
[ -e known ] || { touch known; echo 'Error: unable to connect to beta: unable to connect to endpoint: unable to dial agent endpoint: unable to message prompter: prompter not found' >&2; exit 1; }
echo 'Created session sync_x'
"#;
    write_program(&program, script);
    let mutagen = Mutagen::new(&program, dir.path().join("d"), "/s", Runner::default()).unwrap();
    let (alpha, beta) = (Endpoint::Local("/a".into()), Endpoint::Local("/b".into()));
    let new = NewSession {
        name: "sinc-a-1",
        labels: &[],
        settings: std::path::Path::new("/s.yml"),
        alpha: &alpha,
        beta: &beta,
    };
    assert_eq!(mutagen.create(&new).unwrap().as_deref(), Some("sync_x"));
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "create\ncreate\n");
}
