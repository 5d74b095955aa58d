//! What the settings name is not run by sinc's own git, whatever it is called.

use super::super::cycle::Refused;
use super::super::join::{How, join};
use super::super::local::Local;
use super::super::state::Name;
use super::{Pair, git, script, sync};
use crate::process::Runner;
use crate::remote::Script;

/// A program that leaves a trace.
fn tool(pair: &Pair) -> (String, std::path::PathBuf) {
    let proof = pair.here.with_file_name("ran");
    let tool = pair.here.with_file_name("tool");
    std::fs::write(&tool, format!("#!/bin/sh\ntouch {}\n", proof.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&tool, mode).unwrap();
    (tool.display().to_string(), proof)
}

#[test]
fn hooks_and_filters_of_the_settings_are_off_whatever_they_are_called() {
    let pair = Pair::new();
    // What a star would stand for.
    std::fs::write(pair.here.join("filter.x.clean"), "").unwrap();
    for name in ["hook.a b.command", "hook.*.event", "filter.*.clean", "filter.x=y.smudge"] {
        git(&pair.here, &["config", name, "pre-commit"]);
    }
    let ask = "cd \"$1\"; echo sinc-begin 1; no_programs; for k in \"hook.a b.enabled\" \"hook.*.enabled\" \"filter.*.clean\" \"filter.x=y.smudge\"; do put said \"$(git config \"$k\")\"; done; exit 0";
    let ask = [include_str!("../env.sh"), ask].concat();
    let said = script(&pair.here, &Script::new(Box::leak(ask.into_boxed_str())), &[]);
    assert_eq!(String::from_utf8(said).unwrap(), "said false\nsaid false\nsaid \nsaid \n");
    let local = Local::new(Runner::default(), &pair.here);
    for name in ["hook.a b.enabled", "hook.*.enabled"] {
        assert_eq!(local.read(&local.git("ask").args(["config", name])).unwrap(), "false");
    }
}

#[test]
fn a_merge_driver_with_any_name_is_not_run() {
    let pair = Pair::new();
    std::fs::write(pair.here.join(".gitattributes"), "a merge=x=y\n").unwrap();
    git(&pair.here, &["add", "-A"]);
    git(&pair.here, &["commit", "-qm", "a driver"]);
    pair.settle();
    let (tool, proof) = tool(&pair);
    for (name, value) in [("merge.x=y.driver", tool.as_str()), ("user.name", "Ada"), ("user.email", "a@b")] {
        git(&pair.here, &["config", name, value]);
    }
    Pair::commit(&pair.here, "a", "here\n");
    Pair::commit(&pair.there, "a", "there\n");
    let main = Name::parse("main").unwrap();
    pair.with(|sides| join(sides, &main, How::Merge, &mut Refused::new())).unwrap();
    assert!(!proof.exists(), "it was run");
}

#[test]
fn git_does_not_go_into_a_submodule_to_see_whether_the_files_are_there() {
    let pair = Pair::new();
    let library = pair.here.with_file_name("library");
    std::fs::create_dir(&library).unwrap();
    git(&library, &["init", "-q"]);
    Pair::commit(&library, "inside", "1\n");
    let add = format!("-c protocol.file.allow=always submodule --quiet add {} lib", library.display());
    git(&pair.here, &add.split(' ').collect::<Vec<_>>());
    git(&pair.here, &["commit", "-qm", "with a submodule"]);
    pair.settle();
    let (tool, proof) = tool(&pair);
    // Its own settings, and a file whose content git has to look at.
    git(&pair.here.join("lib"), &["config", "filter.evil.clean", &tool]);
    let info = pair.here.join(".git/modules/lib/info");
    std::fs::create_dir_all(&info).unwrap();
    std::fs::write(info.join("attributes"), "* filter=evil\n").unwrap();
    let file = std::fs::File::options().append(true).open(pair.here.join("lib/inside")).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(100)).unwrap();
    std::fs::write(pair.there.join("a"), "2\n").unwrap();
    git(&pair.there, &["commit", "-qm", "a", "a"]);
    sync(&pair.here, &pair.there);
    pair.settle();
    assert_eq!(pair.with(|sides| sides.notes_of_files().unwrap()), Vec::<String>::new());
    assert!(!proof.exists(), "it was run");
}
