//! The menu of `sinc install`, on a real terminal.

use sinc::provision::catalog::Catalog;

use crate::install::{facts, host};
use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::terminal::Terminal;

/// What a fresh host says of every component, but for Codex, which is there.
fn of_everything() -> String {
    let cases = ["full-fresh", "debian-12-as-root", "hardening", "tailnet-only-fresh"].map(facts);
    let mut text: String =
        cases[0].lines().filter(|line| !line.starts_with("fact")).map(|line| format!("{line}\n")).collect();
    let more = "fact opencode-2 0 - npm - -\nfact codex 0 - npm 0.169.0 0.169.0\nfact gemini 0 - npm - -\nfact et-public 0 - ufw absent =\n";
    for component in Catalog::load(None).unwrap().all() {
        let of_it = format!("fact {} ", component.name);
        let case = cases.iter().map(String::as_str).chain([more]).find(|case| case.contains(&of_it));
        let case = case.unwrap_or_else(|| panic!("no facts of {}", component.name));
        text.extend(case.lines().filter(|line| line.starts_with(&of_it)).map(|line| format!("{line}\n")));
    }
    text
}

#[test]
fn the_menu_shows_what_there_is_and_what_is_chosen_is_done() {
    if !have(&["tmux"]) {
        return;
    }
    let before = of_everything();
    let done = facts("debian-12-done");
    let done = done.lines().filter(|line| line.starts_with("fact base ")).map(|line| format!("{line}\n"));
    let after: String = before
        .lines()
        .filter(|line| !line.starts_with("fact base "))
        .map(|line| format!("{line}\n"))
        .collect();
    let after = after + &done.collect::<String>();
    let worked = "run r-1\nlog /l\nstart base 0\nok base 0 900\nstart base 1\nok base 1 9\nend\n";
    let (sandbox, fakes) = host(&before, worked, &after);
    let open = || {
        let terminal = Terminal::sinc(&sandbox, &sandbox.home(), &["install"]);
        terminal.wait_for("What shall be there? (space chooses, Enter goes on, Esc ends)", PATIENCE);
        terminal.wait_for("[ ] mcp", PATIENCE);
        terminal
    };

    // The standard tier and the agent are chosen at first; each component is one line, with what it takes and opens.
    let terminal = open();
    let screen = terminal.screen();
    let line = |name: &str| {
        let line = screen.lines().find(|line| {
            line.split(['[', ']']).nth(2).is_some_and(|it| it.split_whitespace().next() == Some(name))
        });
        line.unwrap_or_else(|| panic!("no {name}: {screen}"))
    };
    assert_eq!(
        screen.lines().filter(|line| line.contains("[x]") || line.contains("[ ]")).count(),
        25,
        "{screen}"
    );
    assert!(screen.contains("> [x] base "), "{screen}");
    for (name, end) in [
        ("opencode", "(360 MB)"),
        ("ufw", "(10 MB)"),
        ("tailscale", "(80 MB; opens this host to your tailnet)"),
        ("agent-os", "(1500 MB; opens 3011/tcp to your tailnet)"),
    ] {
        assert!(line(name).contains("[x]") && line(name).trim_end().ends_with(end), "{}", line(name));
    }
    for (name, end) in
        [("claude", "(400 MB)"), ("codex", "(is there)"), ("kimaki", "(300 MB)"), ("hardening", "(60 MB)")]
    {
        assert!(line(name).contains("[ ]") && line(name).trim_end().ends_with(end), "{}", line(name));
    }
    terminal.type_keys(&["Escape"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);
    assert!(terminal.history().contains("nothing was changed"), "{}", terminal.history());
    assert!(!fakes.transcript().contains("start_run '"), "something was done");

    // Nothing is chosen at first where only what is named is wanted.
    let terminal = Terminal::sinc(&sandbox, &sandbox.home(), &["install", "--tier", "custom"]);
    terminal.wait_for("[ ] mcp", PATIENCE);
    let screen = terminal.screen();
    assert!(screen.contains("> [ ] base ") && !screen.contains("[x]"), "{screen}");
    terminal.type_keys(&["Escape"]);
    assert_eq!(terminal.wait_exit(PATIENCE), 0);

    // All, none, and the first one.
    let terminal = open();
    terminal.type_text("aa ");
    terminal.wait("base alone is chosen", PATIENCE, |screen| {
        screen.contains("[x] base") && screen.matches("[x]").count() == 1
    });
    terminal.type_keys(&["Enter"]);
    terminal.wait_for("Do this on box?", PATIENCE);
    let plan = terminal.history();
    assert!(plan.contains("+ install ripgrep") || plan.contains("+ install tmux"), "{plan}");
    assert!(!plan.contains("ufw: a firewall"), "{plan}");
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    assert!(terminal.history().contains("Finished box: 1 component changed"), "{}", terminal.history());
    assert!(fakes.transcript().contains("step 0 apt_install "), "{}", fakes.transcript());
}
