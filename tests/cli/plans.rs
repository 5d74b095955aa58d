//! The plan is pure: what the host said goes in (`tests/data/plans/*.facts`), what would be done comes out. One snapshot
//! a case, with the exact call of each step.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sinc::provision::cannot;
use sinc::provision::catalog::{Catalog, Selection};
use sinc::provision::component::Component;
use sinc::provision::facts;
use sinc::provision::plan::{ComponentPlan, Decision, Wishes, plan};
use sinc::provision::program::Call;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plans")
}

fn show(plans: &[ComponentPlan]) -> String {
    let mut text = String::new();
    for plan in plans {
        writeln!(text, "{}", plan.name).unwrap();
        for step in &plan.steps {
            match step {
                Decision::Satisfied(what) => writeln!(text, "  = {what}").unwrap(),
                Decision::Blocked(why) => writeln!(text, "  ! {why}").unwrap(),
                Decision::Change(change) => {
                    writeln!(text, "  + {}", change.what).unwrap();
                    // The texts of files too, which no person is shown.
                    let call = Call { hidden: None, ..change.call.clone() }.to_string();
                    call.lines().for_each(|line| writeln!(text, "      {line}").unwrap());
                }
            }
        }
        if let Some(why) = &plan.blocked {
            writeln!(text, "  BLOCKED: {why}").unwrap();
        }
        if let Some(note) = plan.note.as_ref().filter(|_| !plan.is_satisfied()) {
            writeln!(text, "  ({note})").unwrap();
        }
    }
    text
}

#[test]
fn what_the_host_said_gives_this_plan() {
    let catalog = Catalog::load(None).unwrap();
    let file = dir().join("kinds.toml");
    let kinds = Component::parse(&file, &std::fs::read_to_string(&file).unwrap());
    let kinds = kinds.unwrap_or_else(|error| panic!("{error}"));
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(dir()).unwrap().map(|file| file.unwrap().path()).collect();
    cases.retain(|file| file.extension().is_some_and(|extension| extension == "facts"));
    cases.sort();
    assert!(cases.len() >= 15, "only {} cases", cases.len());
    for case in cases {
        let name = case.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&case).unwrap();
        let head: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let answer: String =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let mut components: Vec<&Component> = head
            .iter()
            .find_map(|line| line.strip_prefix("components: "))
            .unwrap()
            .split(' ')
            .map(|name| if name == "kinds" { &kinds } else { catalog.get(name).unwrap() })
            .collect();
        let facts = facts::parse(&answer, &components).unwrap_or_else(|error| panic!("{name}: {error}"));
        let given = head.iter().filter_map(|line| line.strip_prefix("given: ")).map(str::to_owned).collect();
        let wishes = Wishes { upgrade: head.contains(&"upgrade"), given, ..Wishes::default() };
        // As if a tier had brought them.
        let left_out = match head.contains(&"tier") {
            true => cannot::leave_out(&mut components, &Selection::default(), &facts.host),
            false => Vec::new(),
        };
        let plans = plan(&components, &facts, &wishes);
        if name.ends_with("-done") {
            assert!(plans.iter().all(ComponentPlan::is_satisfied), "{name}: {}", show(&plans));
        }
        let left_out: String = left_out.iter().map(|sentence| format!("({sentence})\n")).collect();
        insta::assert_snapshot!(format!("plan-{name}"), format!("{}\n\n{}{left_out}", head[0], show(&plans)));
    }
}

#[test]
fn an_answer_that_is_not_understood_is_an_error_and_never_absent() {
    let catalog = Catalog::load(None).unwrap();
    let components = [catalog.get("base").unwrap()];
    let good = std::fs::read_to_string(dir().join("debian-12-fresh.facts")).unwrap();
    let good: String = good
        .lines()
        .filter(|line| !line.starts_with('#') && (!line.starts_with("fact") || line.starts_with("fact base")))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(facts::parse(&good, &components).is_ok());
    for (line, instead) in [
        ("fact base 1 - shell no\n", "fact base 1 - shell failed\n"),
        ("fact base 1 - shell no\n", "fact base 1 - shell\n"),
        ("fact base 1 - shell no\n", "fact base 1 - file -\n"),
        ("fact base 1 - shell no\n", ""),
        ("fact base 1 - shell no\n", "fact base 1 - shell no\nsh: 3: not found\n"),
        ("ssh-port 22\n", "ssh-port ssh\n"),
        ("rights sudo\n", "rights maybe\n"),
        ("user dev\n", ""),
    ] {
        assert!(good.contains(line), "{line}");
        let error = facts::parse(&good.replace(line, instead), &components);
        assert!(error.is_err(), "{instead:?} was taken for {error:?}");
    }
}
