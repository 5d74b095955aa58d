//! Rules of the repository that no compiler checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::e2e::have;
use crate::support::sandbox::Sandbox;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a directory of the repository, but for what is built or hidden.
fn files(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "target" || name == ".git" || name.ends_with(".snap.new") {
                continue;
            }
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn with_extension(dir: &str, extension: &str) -> Vec<PathBuf> {
    files(dir).into_iter().filter(|file| file.extension().is_some_and(|found| found == extension)).collect()
}

fn name(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

/// The code of a file without its tests, which may look anywhere.
fn code(file: &Path) -> String {
    let own = name(file);
    if own.ends_with("tests.rs") || own.contains("/tests/") || own.ends_with("test_kit.rs") {
        return String::new();
    }
    let text = text(file);
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{'))
        {
            break;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

/// The rows of the table in the crate's documentation, the highest first: the modules in each.
fn rows(text: &str) -> Vec<Vec<String>> {
    let table = text.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(2);
    let modules = |line: &str| {
        let cell = line.split(" | ").nth(1).unwrap();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    table.map(modules).collect()
}

#[test]
fn no_module_uses_one_of_a_row_above_its_own() {
    let rows = rows(&text(&root().join("src/lib.rs")));
    let mut row = BTreeMap::new();
    for (number, modules) in rows.iter().enumerate() {
        row.extend(modules.iter().map(|module| (module.clone(), number)));
    }
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for file in with_extension("src", "rs") {
        let own = name(&file);
        let module = own.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if module == "lib" {
            continue;
        }
        let own_row =
            row.get(&module).unwrap_or_else(|| panic!("`{module}` is not in the table of src/lib.rs"));
        let outside = if module == "main" { "sinc::" } else { "crate::" };
        for line in code(&file).lines().filter(|line| !line.trim_start().starts_with("//")) {
            // What a text says is no use of it.
            let line: String = line.split('"').step_by(2).collect();
            for after in line.split(outside).skip(1) {
                let first: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let used = if after.starts_with('{') {
                    after
                        .trim_matches(['{', '}', ';'])
                        .split(", ")
                        .map(|word| word.split(':').next().unwrap().to_owned())
                        .collect()
                } else {
                    vec![first]
                };
                for used in used {
                    looked_at += 1;
                    match row.get(&used) {
                        Some(used_row) if used_row >= own_row => {}
                        Some(_) => wrong.push(format!("{own} uses `{used}`, which is in a row above")),
                        None => wrong.push(format!("{own} uses `{used}`, which is not in the table")),
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(looked_at > 100, "only {looked_at} uses found: does this test still see them?");
    let modules = text(&root().join("src/lib.rs"));
    for module in modules.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        assert!(row.contains_key(module.trim_end_matches(';')), "{module} is not in the table");
    }
    // What nothing below the talkers may know.
    let at = |module: &str| row[module];
    for low in ["session", "demo", "tools", "remote", "state", "process", "config"] {
        assert!(at(low) > at("failure") && at(low) > at("ui") && at(low) > at("commands"), "{low}");
    }
    assert!(at("failure") < at("session"), "failure reads the errors of what is below it");
}

#[test]
fn the_map_for_people_has_the_same_rows() {
    let map = text(&root().join("docs/architecture.md"));
    let rows_of_map: Vec<Vec<String>> = map
        .lines()
        .skip_while(|line| !line.starts_with("| row | modules |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cell = line.split(" | ").nth(1).unwrap();
            let words = cell.split('`').skip(1).step_by(2);
            words.map(|word| word.trim_end_matches(".rs").trim_end_matches('/').to_owned()).collect()
        })
        .collect();
    let sorted = |rows: Vec<Vec<String>>| {
        rows.into_iter()
            .map(|mut row| {
                row.sort();
                row
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(sorted(rows_of_map), sorted(rows(&text(&root().join("src/lib.rs")))));
}

#[test]
fn only_one_place_starts_programs_and_one_reads_the_environment() {
    let lint = "clippy::disallowed_methods";
    let mut doors = Vec::new();
    for file in with_extension("src", "rs") {
        let own = name(&file);
        let code = code(&file);
        let starts = code.contains("process::Command") || code.contains("process::{Command");
        assert!(!starts || own.starts_with("src/process/"), "{own} knows std::process::Command");
        if code.contains(lint) {
            doors.push(own);
        }
    }
    assert_eq!(doors, ["src/config/env.rs", "src/process/mod.rs"]);
    let clippy = text(&root().join(".clippy.toml"));
    for method in ["std::process::Command::new", "std::env::var", "std::env::var_os"] {
        assert!(clippy.contains(&format!("path = \"{method}\"")), "{method} is not forbidden any more");
    }
    let cargo = text(&root().join("Cargo.toml"));
    for lint in [
        "unsafe_code = \"forbid\"",
        "disallowed_methods = \"deny\"",
        "print_stdout = \"deny\"",
        "print_stderr = \"deny\"",
        "unwrap_used = \"deny\"",
        "allow_attributes = \"deny\"",
    ] {
        assert!(cargo.contains(lint), "{lint} is not in Cargo.toml any more");
    }
}

#[test]
fn only_the_talkers_print() {
    for file in with_extension("src", "rs") {
        let own = name(&file);
        let code = code(&file);
        for word in ["println!", "eprintln!", "stdout().lock()", "stderr().lock()"] {
            // `watch` draws a live screen; `process` passes on what a program writes; called as ssh, sinc has no Ui.
            let talkers = ["ui.rs", "failure.rs", "commands/watch.rs", "process/mod.rs", "commands/shim.rs"];
            let allowed = talkers.iter().any(|talker| own == format!("src/{talker}"));
            assert!(allowed || !code.contains(word), "{own}: {word}");
        }
    }
}

#[test]
fn every_script_is_clean() {
    if !have(&["shellcheck"]) {
        return;
    }
    let mut scripts = with_extension("src", "sh");
    assert!(scripts.len() >= 7, "{scripts:?}");
    scripts.extend(with_extension("tests/cli", "sh"));
    scripts.extend(with_extension("tests/support", "sh"));
    let sandbox = Sandbox::new();
    let shellcheck = which::which("shellcheck").unwrap();
    let names: Vec<_> = scripts.iter().map(|script| script.to_str().unwrap()).collect();
    let run = sandbox.run(shellcheck.to_str().unwrap(), &names);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn every_test_file_is_listed() {
    for dir in ["tests/cli", "tests/e2e", "tests/bed"] {
        let main = text(&root().join(dir).join("main.rs"));
        for entry in std::fs::read_dir(root().join(dir)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
                assert!(
                    main.contains(&format!("mod {stem};")),
                    "{} is not listed in {dir}/main.rs",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_source_file_is_a_module() {
    for file in with_extension("src", "rs") {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        if ["main", "lib", "mod"].contains(&stem.as_str()) {
            continue;
        }
        let dir = file.parent().unwrap();
        let above = dir.with_extension("rs");
        let lists = [dir.join("mod.rs"), dir.join("lib.rs"), dir.join("main.rs"), above];
        let listed = lists.iter().any(|list| {
            std::fs::read_to_string(list).is_ok_and(|text| {
                text.contains(&format!("mod {stem};")) || text.contains(&format!("/{stem}.rs\"]"))
            })
        });
        assert!(listed, "{} is no module of anything", name(&file));
    }
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let cargo = text(&root().join("Cargo.toml"));
    let mut section = "";
    let mut dependencies = 0;
    for line in cargo.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains(" = ") {
            dependencies += 1;
            let comment = line.split(" # ").nth(1).unwrap_or_default();
            assert!(comment.len() > 5, "what is this for? {line}");
        }
    }
    assert!(dependencies > 15, "only {dependencies}");
}

#[test]
fn nothing_tells_on_what_computer_it_was_made() {
    // Taken apart, so that this file does not hold them.
    let words = [
        concat!("FIX", "ME"),
        concat!("not built", " yet"),
        concat!("<<<<", "<<< "),
        env!("CARGO_MANIFEST_DIR"),
    ];
    for file in files(".") {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for word in words {
            assert!(!text.contains(word), "{} has `{word}`", name(&file));
        }
    }
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut pages = with_extension("docs", "md");
    pages.push(root().join("README.md"));
    for page in pages {
        let text = text(&page);
        for after in text.split("](").skip(1) {
            let link = after.split(')').next().unwrap();
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", name(&page));
            if !anchor.is_empty() {
                let headings = std::fs::read_to_string(&target).unwrap();
                let found =
                    headings.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
                assert!(found, "{}: {link}", name(&page));
            }
        }
    }
}

/// The anchor that a heading gets.
fn slug(heading: &str) -> String {
    let kept = heading.trim_start_matches(['#', ' ']).to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || "- _".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn configuration_keys_are_documented() {
    let reference = text(&root().join("docs/config.toml"));
    for key in sinc::config::KEYS {
        let last = key.name.rsplit('.').next().unwrap();
        assert!(reference.contains(&format!("{last} = ")), "docs/config.toml does not have {}", key.name);
    }
}
