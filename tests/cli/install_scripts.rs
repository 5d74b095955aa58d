//! `install/try.sh` and `install/install.sh`: what a newcomer runs first.

use std::path::Path;

use sinc::process::quote::posix;

use crate::repo::Repo;
use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::sandbox::Sandbox;
use crate::support::wait_until;
use crate::world::tree;

const BOTH: [&str; 2] = ["try.sh", "install.sh"];

#[test]
fn without_rust_they_say_how_to_get_it() {
    for script in BOTH {
        let repo = Repo::new();
        // Also nothing else is asked for, and nothing installed.
        let run = repo.without(&["cargo", "tmux"]).run(script, &[]).exits(69);
        insta::allow_duplicates! {
            insta::assert_snapshot!(run.snapshot(), @"
            exit code: 69
            --- stdout
            --- stderr
            cargo is missing: sinc is built with Rust 1.95 or newer.
            Next: install it as https://rustup.rs tells, open a new terminal, and run this again.
            ");
        }
        assert_eq!(repo.calls("apt-get"), "");
    }
}

#[test]
fn rust_that_is_too_old_is_told() {
    for script in BOTH {
        let repo = Repo::new();
        let run = repo.on("cargo --version", "echo 'cargo 1.63.0'").run(script, &[]).exits(69);
        insta::allow_duplicates! {
            insta::assert_snapshot!(run.snapshot(), @"
            exit code: 69
            --- stdout
            --- stderr
            $ROOT/bin/cargo is version 1.63.0; sinc needs 1.95 or newer.
            Next: rustup update stable (distributions' own Rust is often older: https://rustup.rs)
            ");
        }
        assert_eq!(repo.calls("cargo build"), "");
    }
}

#[test]
fn rust_is_found_in_its_usual_place_too() {
    let repo = Repo::new();
    let cargo = repo.sandbox.home().join(".cargo/bin/cargo");
    std::fs::create_dir_all(cargo.parent().unwrap()).unwrap();
    std::fs::rename(repo.sandbox.bin().join("cargo"), &cargo).unwrap();
    // Where the stand-in looks for its answers.
    let fakes = repo.sandbox.home().join(".cargo/fakes");
    std::os::unix::fs::symlink(repo.sandbox.root().join("fakes"), fakes).unwrap();
    repo.run("install.sh", &[]).success();
    assert!(repo.sandbox.home().join(".local/bin/sinc").is_file());
}

/// A computer on which the demo would run: a sinc that tells how it was called.
fn with_demo() -> Repo {
    let repo = Repo::new();
    let sinc = "printf '#!/bin/sh\\necho \"sinc $*; mutagen $(mutagen version)\"; exit 7\\n' >\"$dir/sinc\"";
    let built = "dir=${5%/Cargo.toml}/target/release; mkdir -p \"$dir\"";
    repo.on("cargo build *", &format!("{built}; {sinc}; chmod 755 \"$dir/sinc\""));
    repo.tools(&["curl"]).on("curl *", "exit 6").go("go1.26.8");
    repo
}

#[test]
fn try_builds_gets_mutagen_and_becomes_the_demo() {
    let repo = with_demo();
    let run = repo.run("try.sh", &["--", "--tour", "-v"]).exits(7);
    assert_eq!(run.stdout, "sinc demo --tour -v; mutagen 0.18.1\n", "{run}");
    // All that it made is in the checkout's target directory.
    assert_eq!(repo.names("."), ["Cargo.toml", "install", "target"]);
    assert_eq!(files(&repo.sandbox.tmp()), Vec::<String>::new());
    // Again: Mutagen is there, and only cargo is asked.
    let before = tree(&repo.dir.join("target/tools"));
    let downloads = repo.calls("curl").lines().count();
    let again = repo.run("try.sh", &[]).exits(7);
    assert_eq!(again.stdout, "sinc demo; mutagen 0.18.1\n");
    assert_eq!(again.stderr, "");
    assert_eq!(repo.calls("curl").lines().count(), downloads);
    assert_eq!(tree(&repo.dir.join("target/tools")), before);
}

#[test]
fn try_asks_first_and_no_ends_it() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = with_demo();
    repo.without(&["tmux"]);
    let terminal = repo.terminal("try.sh", &[]);
    terminal.wait_for("install them? [Y/n]", PATIENCE);
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    assert!(terminal.screen().contains("when ready: apt-get install tmux"), "{}", terminal.screen());
    assert_eq!(repo.calls("apt-get") + &repo.calls("curl") + &repo.calls("cargo build"), "");
    assert_eq!(repo.names("target"), Vec::<String>::new());
}

#[test]
fn a_build_that_fails_ends_them() {
    for script in BOTH {
        let repo = with_demo();
        repo.on("cargo build *", "echo 'error: no space left' >&2; exit 101");
        let run = repo.run(script, &[]).exits(1);
        assert_eq!(run.stdout, "", "{run}");
        assert!(!repo.sandbox.home().join(".local").exists());
    }
}

#[test]
fn arguments_that_they_do_not_know() {
    let repo = Repo::new();
    let mut said = String::new();
    for script in BOTH {
        let run = repo.run(script, &["--wrong"]);
        said.push_str(&format!("{} {}", run.code, run.stderr));
        let help = repo.run(script, &["--help"]).success().stdout;
        assert!(help.starts_with(&format!("{script}: ")) && !help.contains("set -euo"), "{help}");
    }
    insta::assert_snapshot!(said, @"
    2 try.sh: what is '--wrong'? Arguments of sinc demo go after --. See --help
    2 install.sh: what is '--wrong'? See --help
    ");
    assert_eq!(repo.fakes.transcript(), "");
}

/// The files below a directory, by their names from there.
fn files(dir: &Path) -> Vec<String> {
    let below = |path: &Path| path.strip_prefix(dir).unwrap().display().to_string();
    tree(dir).keys().filter(|path| !path.is_dir()).map(|path| below(path)).collect()
}

#[test]
fn install_puts_it_where_it_belongs_and_uninstall_removes_just_that() {
    let mut repo = Repo::new();
    let prefix = repo.sandbox.home().join("my own place");
    repo.sandbox.set("PREFIX", &prefix);
    let others = ["bin/sincere", "share/man/man1/sincere.1", "share/zsh/site-functions/_other"];
    for other in others {
        repo.sandbox.write(prefix.join(other), "another's\n");
    }
    let run = repo.run("install.sh", &[]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    sinc is in $HOME/my own place/bin/sinc, its manual pages and completions below $HOME/my own place/share
    $HOME/my own place/bin is not on PATH yet: add it in your shell's startup file
    Next, in a project of yours: sinc --host user@address
    --- stderr
    ");
    let here = files(&prefix);
    // One page for each command: that list is the help's.
    let mine: Vec<_> = here.iter().filter(|file| !others.contains(&file.as_str())).collect();
    insta::assert_snapshot!(
        mine.iter().filter(|file| !file.contains("/sinc-")).map(|file| format!("{file}\n")).collect::<String>(),
        @"
    bin/sinc
    share/bash-completion/completions/sinc
    share/fish/vendor_completions.d/sinc.fish
    share/man/man1/sinc.1
    share/zsh/site-functions/_sinc
    "
    );
    assert!(here.contains(&"share/man/man1/sinc-attach.1".to_owned()), "{here:?}");
    let sinc = prefix.join("bin/sinc");
    assert!(repo.sandbox.run(sinc.to_str().unwrap(), &["--version"]).success().stdout.starts_with("sinc "));
    let bash = std::fs::read_to_string(prefix.join("share/bash-completion/completions/sinc")).unwrap();
    assert!(bash.contains("complete -F _sinc"), "{bash}");
    // Again: the same files.
    let text = |path: &str| std::fs::read(prefix.join(path)).unwrap();
    let before: Vec<_> = here.iter().map(|file| text(file)).collect();
    assert_eq!(repo.run("install.sh", &[]).success().stdout, run.stdout);
    assert_eq!(files(&prefix), here);
    assert_eq!(here.iter().map(|file| text(file)).collect::<Vec<_>>(), before);
    // And away.
    let run = repo.run("install.sh", &["--uninstall"]).success();
    assert_eq!(run.stdout.lines().count(), mine.len(), "{run}");
    assert_eq!(files(&prefix), others);
    let run = repo.run("install.sh", &["--uninstall"]).success();
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    --- stdout
    nothing of sinc is in $HOME/my own place
    --- stderr
    ");
}

#[test]
fn an_installation_that_is_interrupted_leaves_whole_files_alone() {
    if !have(&["tmux"]) {
        return;
    }
    let repo = Repo::new();
    let asked = repo.sandbox.root().join("asked");
    let sinc = format!(
        "#!/bin/sh\ncase $* in *zsh) echo half; touch {}; exec sleep 60 ;; esac\nexec {} \"$@\"\n",
        asked.display(),
        posix(Sandbox::binary().to_str().unwrap())
    );
    let made = repo.sandbox.write("stand-in", sinc);
    let built = "dir=${5%/Cargo.toml}/target/release; mkdir -p \"$dir\"; cp";
    repo.on("cargo build *", &format!("{built} {0} \"$dir/sinc\"; chmod 755 \"$dir/sinc\"", made.display()));
    let terminal = repo.terminal("install.sh", &[]);
    wait_until("it makes the completions of zsh", PATIENCE, || asked.exists());
    terminal.type_keys(&["C-c"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 130);
    let local = repo.sandbox.home().join(".local");
    let mut here = files(&local);
    here.retain(|file| !file.ends_with(".1"));
    assert_eq!(here, ["bin/sinc", "share/bash-completion/completions/sinc"]);
    // What only a kill -9 leaves goes too.
    repo.sandbox.write(local.join("share/zsh/site-functions/_sinc.new"), "half");
    repo.run("install.sh", &["--uninstall"]).success();
    assert_eq!(files(&local), Vec::<String>::new());
}
