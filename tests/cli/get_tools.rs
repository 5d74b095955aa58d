//! `install/get-tools.sh`: asks, gets what is missing, and leaves nothing half-made.

use crate::repo::{Repo, SUM};
use crate::support::e2e::have;
use crate::support::fakes::Answer;
use crate::support::{PATIENCE, wait_until};
use crate::world::tree;

const GET: &str = "get-tools.sh";

/// Where Mutagen goes.
const DIR: &str = "target/tools";

#[test]
fn where_all_is_there_nothing_is_said_asked_or_run() {
    let repo = Repo::new();
    let run = repo.run(GET, &["build", "demo"]).success();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(repo.calls("apt-get"), "");
}

#[test]
fn on_a_terminal_it_asks_and_no_ends_it_with_the_list() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    repo.without(&["cc", "tmux"]);
    let terminal = repo.terminal(GET, &["build", "demo"]);
    terminal.wait_for("install them? [Y/n]", PATIENCE);
    terminal.type_line("no");
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    insta::assert_snapshot!(terminal.screen().trim_end(), @"
    get-tools: missing packages, to be installed by apt-get: gcc libc6-dev tmux
    get-tools: install them? [Y/n] no
    get-tools: nothing installed; when ready: apt-get install gcc libc6-dev tmux
    ");
    assert_eq!(repo.calls("apt-get"), "");
    assert_eq!(repo.calls("sudo"), "");
}

#[test]
fn on_a_terminal_enter_is_yes_and_sudo_may_ask() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    repo.without(&["tmux"]).apt_installs(&["tmux"]);
    let terminal = repo.terminal(GET, &["demo"]);
    terminal.wait_for("install them? [Y/n]", PATIENCE);
    terminal.type_keys(&["Enter"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.screen());
    assert!(repo.calls("sudo").starts_with("$ sudo bash -c"), "{}", repo.calls("sudo"));
    insta::assert_snapshot!(repo.calls("apt-get"), @"
    $ apt-get -qq -o Acquire::Retries=3 update
    $ apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends tmux
    ");
}

#[test]
fn the_end_of_input_is_no() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    repo.without(&["tmux"]);
    let terminal = repo.terminal(GET, &["demo"]);
    terminal.wait_for("install them? [Y/n]", PATIENCE);
    terminal.type_keys(&["C-d"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    assert_eq!(repo.calls("apt-get"), "");
}

#[test]
fn with_yes_or_off_a_terminal_it_does_not_ask() {
    for args in [&["demo"][..], &["--yes", "demo"]] {
        let repo = Repo::new();
        repo.without(&["tmux"]).apt_installs(&["tmux"]);
        let run = repo.run(GET, args).success();
        insta::allow_duplicates! {
            insta::assert_snapshot!(run.snapshot(), @"
            exit code: 0
            --- stdout
            --- stderr
            get-tools: missing packages, to be installed by apt-get: tmux
            ");
        }
        // Nobody is there to type a password.
        assert!(repo.calls("sudo").starts_with("$ sudo -n bash -c"), "{}", repo.calls("sudo"));
    }
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    repo.without(&["tmux"]).apt_installs(&["tmux"]);
    let terminal = repo.terminal(GET, &["--yes", "demo"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.screen());
    assert!(!terminal.screen().contains("[Y/n]"), "{}", terminal.screen());
}

#[test]
fn the_ssh_service_stays_off_and_the_means_for_that_go() {
    let repo = Repo::new();
    repo.without(&["sshd"]).apt_installs(&["sshd"]);
    let run = repo.run(GET, &["demo"]).success();
    assert!(run.stderr.contains("(the ssh service of openssh-server stays off)"), "{run}");
    assert_eq!(repo.calls("systemctl"), "$ systemctl -q disable ssh.service ssh.socket\n");
    let policy = repo.sandbox.root().join("usr/sbin/policy-rc.d");
    assert!(!policy.exists());
    // One of this computer's own is left alone.
    let repo = Repo::new();
    repo.without(&["sshd"]).apt_installs(&["sshd"]);
    let policy = repo.sandbox.root().join("usr/sbin/policy-rc.d");
    std::fs::write(&policy, "exit 101\n").unwrap();
    repo.run(GET, &["demo"]).success();
    assert_eq!(std::fs::read_to_string(&policy).unwrap(), "exit 101\n");
}

#[test]
fn root_needs_no_sudo() {
    let repo = Repo::new();
    repo.without(&["sudo", "tmux"]).apt_installs(&["tmux"]).on("id -u", "echo 0");
    repo.run(GET, &["demo"]).success();
}

#[test]
fn what_cannot_be_installed_is_named() {
    let missing = |take: &[&str], args: &[&str]| {
        let repo = Repo::new();
        repo.without(take);
        let run = repo.run(GET, args);
        format!("{} {}", run.code, repo.sandbox.normal(&run.stderr))
    };
    insta::assert_snapshot!(missing(&["tmux", "sudo"], &["demo"]), @"69 get-tools: missing: tmux; as root: apt-get install tmux");
    insta::assert_snapshot!(missing(&["tmux", "ssh", "apt-get"], &["demo"]), @"69 get-tools: missing, by Debian's package names: openssh-client tmux; install them with this system's package manager");
    let repo = Repo::new();
    // It says that all went well, and there is no tmux.
    let run = repo.without(&["tmux"]).run(GET, &["demo"]).exits(69);
    insta::assert_snapshot!(run.stderr, @"
    get-tools: missing packages, to be installed by apt-get: tmux
    get-tools: installed, but still not found: tmux
    ");
    repo.on("apt-get *install*", "echo 'E: Unable to locate package tmux' >&2; exit 100");
    let run = repo.run(GET, &["demo"]).exits(1);
    insta::assert_snapshot!(run.stderr, @"
    get-tools: missing packages, to be installed by apt-get: tmux
    E: Unable to locate package tmux
    get-tools: apt-get could not install: tmux
    ");
    assert!(!repo.sandbox.root().join("usr/sbin/policy-rc.d").exists());
}

#[test]
fn package_lists_that_are_locked_are_waited_for() {
    let repo = Repo::new();
    repo.without(&["tmux"]).apt_installs(&["tmux"]);
    let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)\n";
    let once = Answer { once: true, ..Answer::fails(100, lock) };
    repo.fakes.on("apt-get *update*", once);
    repo.run(GET, &["demo"]).success();
    assert_eq!(repo.calls("apt-get -qq -o Acquire::Retries=3 update").lines().count(), 2);
}

#[test]
fn an_interrupted_installation_leaves_no_policy() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    let asked = repo.sandbox.root().join("asked");
    repo.without(&["tmux"]).on("apt-get *install*", &format!("touch {}; exec sleep 60", asked.display()));
    let terminal = repo.terminal(GET, &["--yes", "demo"]);
    wait_until("it installs", PATIENCE, || asked.exists());
    let policy = repo.sandbox.root().join("usr/sbin/policy-rc.d");
    assert!(policy.exists());
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    assert!(!policy.exists());
}

#[test]
fn mutagen_comes_from_its_release_archive() {
    let repo = Repo::new();
    repo.tools(&["curl"]).on("curl *", &archive("0.18.1")).on("sha256sum *", &format!("echo {SUM}  x"));
    let run = repo.run(GET, &["mutagen"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    $REPO/target/tools/mutagen
    --- stderr
    get-tools: Mutagen 0.18.1: downloading https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/mutagen_linux_amd64_v0.18.1.tar.gz (100 MB)
    get-tools: Mutagen 0.18.1 is in $REPO/target/tools/mutagen
    ");
    assert_eq!(repo.names(DIR), ["mutagen"]);
    assert_eq!(repo.names("target/tools/mutagen"), ["mutagen", "mutagen-agents.tar.gz"]);
    // Again: the same answer, and nothing is done for it.
    let before = tree(&repo.dir);
    let calls = repo.fakes.transcript();
    let again = repo.run(GET, &["mutagen"]).success();
    assert_eq!((again.stdout, again.stderr), (run.stdout, String::new()));
    assert_eq!(tree(&repo.dir), before);
    assert_eq!(repo.fakes.transcript(), calls);
    // One on PATH will do as it is.
    repo.on("mutagen version", "echo 0.19.0-dev").tools(&["mutagen"]);
    assert_eq!(repo.run(GET, &["mutagen"]).success().stdout, "\n");
    repo.on("mutagen version", "echo 0.17.6");
    assert!(repo.run(GET, &["mutagen"]).success().stdout.ends_with("/target/tools/mutagen\n"));
}

/// A curl that gets an archive with a Mutagen of this version.
fn archive(version: &str) -> String {
    format!(
        "while [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\n\
         cd \"${{out%/*}}\" && mkdir in && cd in\n\
         printf '#!/bin/sh\\necho {version}\\n' >mutagen; chmod 755 mutagen; echo agents >mutagen-agents.tar.gz\n\
         tar -czf \"$out\" mutagen mutagen-agents.tar.gz && cd .. && rm -r in"
    )
}

#[test]
fn another_archive_than_the_one_that_is_pinned_is_refused() {
    let repo = Repo::new();
    repo.go("go1.26.8").tools(&["curl"]).on("curl *", &archive("0.18.1"));
    // The real sum of what came.
    let real = which::which("sha256sum").unwrap();
    repo.on("sha256sum *", &format!("exec {} \"$@\"", real.display()));
    let run = repo.run(GET, &["mutagen"]).exits(1);
    let said = run.stderr.split(" (SHA-256 ").next().unwrap();
    insta::assert_snapshot!(repo.sandbox.normal(said), @"
    get-tools: Mutagen 0.18.1: downloading https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/mutagen_linux_amd64_v0.18.1.tar.gz (100 MB)
    get-tools: mutagen_linux_amd64_v0.18.1.tar.gz is not the one that is pinned, so it is not used
    ");
    assert!(run.stderr.contains(&format!("not {SUM})")), "{run}");
    assert_eq!(run.stdout, "");
    assert_eq!(repo.names(DIR), Vec::<String>::new());
    // It is not built behind one's back either: somebody should look at that archive.
    assert_eq!(repo.calls("go build"), "");
}

#[test]
fn an_archive_that_does_not_run_is_not_used() {
    let repo = Repo::new();
    repo.tools(&["curl"]).on("curl *", &archive("0.17.0")).on("sha256sum *", &format!("echo {SUM}  x"));
    let run = repo.run(GET, &["mutagen"]).exits(1);
    assert!(run.stderr.contains("does not run"), "{run}");
    assert_eq!(repo.names(DIR), Vec::<String>::new());
}

/// A computer that does not reach the release.
fn offline() -> Repo {
    let repo = Repo::new();
    repo.tools(&["curl"]).on("curl *", "echo 'curl: (6) Could not resolve host: github.com' >&2; exit 6");
    repo
}

#[test]
fn without_the_release_it_is_built_from_the_pinned_sources() {
    let repo = offline();
    let run = repo.go("go1.22.0").run(GET, &["mutagen"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    $REPO/target/tools/mutagen
    --- stderr
    get-tools: Mutagen 0.18.1: downloading https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/mutagen_linux_amd64_v0.18.1.tar.gz (100 MB)
    curl: (6) Could not resolve host: github.com
    get-tools: Mutagen 0.18.1: building it with go1.22.0 from install/mutagen/ (about half a minute)
    get-tools: Mutagen's agent is there for linux_amd64 alone: hosts of another kind need the release archive
    get-tools: Mutagen 0.18.1 is in $REPO/target/tools/mutagen
    ");
    assert_eq!(repo.names(DIR), ["mutagen"]);
    assert_eq!(repo.names("target/tools/mutagen"), ["mutagen", "mutagen-agents.tar.gz"]);
    let built = repo.calls("go build");
    let built: Vec<_> = built.lines().collect();
    assert_eq!(built.len(), 2);
    assert!(
        built[0].contains("-mod=readonly")
            && built[0].ends_with("/cmd/mutagen")
            && built[1].ends_with("-agent"),
        "{built:?}"
    );
    // Again: nothing is done.
    let calls = repo.fakes.transcript();
    repo.run(GET, &["mutagen"]).success();
    assert_eq!(repo.fakes.transcript(), calls);
}

#[test]
fn without_the_release_and_without_go_it_says_what_to_do() {
    let repo = offline();
    let run = repo.run(GET, &["mutagen"]).exits(69);
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 69
    --- stdout
    --- stderr
    get-tools: Mutagen 0.18.1: downloading https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/mutagen_linux_amd64_v0.18.1.tar.gz (100 MB)
    curl: (6) Could not resolve host: github.com
    get-tools: Mutagen could not be downloaded, and there is no Go 1.22 or newer to build it. Try again online, or install it (Homebrew: mutagen-io/mutagen/mutagen), or Go (https://go.dev/dl)
    ");
    assert_eq!(repo.names(DIR), Vec::<String>::new());
    // A Go that is too old, and one whose build fails.
    let run = repo.go("go1.21.9").run(GET, &["mutagen"]).exits(69);
    assert!(run.stderr.contains("there is no Go 1.22 or newer"), "{run}");
    repo.on("go env GOVERSION", "echo go1.26.8").on("go build *", "echo 'no network' >&2; exit 1");
    let run = repo.run(GET, &["mutagen"]).exits(69);
    assert!(run.stderr.contains("neither downloaded nor built"), "{run}");
    assert_eq!(repo.names(DIR), Vec::<String>::new());
}

#[test]
fn ctrl_c_in_the_download_leaves_nothing() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    let asked = repo.sandbox.root().join("asked");
    repo.tools(&["curl"]).on("curl *", &format!("touch {}; exec sleep 60", asked.display()));
    let terminal = repo.terminal(GET, &["mutagen"]);
    wait_until("it downloads", PATIENCE, || asked.exists());
    assert_eq!(repo.names(DIR).len(), 1);
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    assert_eq!(repo.names(DIR), Vec::<String>::new());
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let repo = offline();
    let asked = repo.sandbox.root().join("asked");
    let stays = format!("echo $$ >{0}.part; mv {0}.part {0}; exec sleep 60", asked.display());
    repo.on("curl *", &stays);
    let mut killed = repo.script(GET, &["mutagen"]).start();
    wait_until("it downloads", PATIENCE, || asked.exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let curl = std::fs::read_to_string(&asked).unwrap();
    repo.sandbox.run("sh", &["-c", &format!("kill -9 {curl}")]).success();
    assert_eq!(repo.names(DIR).len(), 1, "{:?}", repo.names(DIR));
    repo.on("curl *", "exit 6").go("go1.26.8").run(GET, &["mutagen"]).success();
    assert_eq!(repo.names(DIR), ["mutagen"]);
}

#[test]
fn arguments_that_it_does_not_know() {
    let repo = Repo::new();
    let said = |args: &[&str]| {
        let run = repo.run(GET, args);
        format!("{} {}", run.code, run.stderr)
    };
    insta::assert_snapshot!(said(&["tool"]), @"2 get-tools: what is 'tool'? See --help");
    insta::assert_snapshot!(said(&[]), @"2 get-tools: which tools? See --help");
    insta::assert_snapshot!(said(&["--dir"]), @"2 get-tools: --dir needs a directory");
    let help = repo.run(GET, &["--help"]).success().stdout;
    assert!(help.starts_with("get-tools.sh: ") && !help.contains("set -euo"), "{help}");
}
