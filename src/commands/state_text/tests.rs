use super::*;
use crate::commands::state_report::{AgentReport, SyncSeen, TerminalReport};
use crate::state::{Held, HeldSide};
use crate::tools::mutagen::{Checked, CycleResult, SyncSession};

const NOW: u64 = 1_000_000;

fn session(json: &str) -> SyncSession {
    SyncSession::parse_list(&format!("[{json}]")).unwrap().remove(0)
}

fn watching() -> SyncSession {
    let end =
        |protocol: &str| format!(r#"{{"protocol":"{protocol}","connected":true,"scanned":true,"files":2}}"#);
    session(&format!(
        r#"{{"identifier":"sync_x","status":"watching","successfulCycles":7,"alpha":{},"beta":{}}}"#,
        end("local"),
        end("ssh")
    ))
}

fn report(seen: &SyncSeen) -> Report {
    Report {
        id: "sinc-app-123456".into(),
        host: "box".into(),
        local: "/home/me/app".into(),
        remote: "/home/dev/workspace/app".into(),
        sync: SyncReport::new(seen, None, Some(NOW - 125), NOW),
        terminal: Some(TerminalReport { exists: true, attached: 2 }),
        agent: Some(AgentReport { name: Some("opencode".into()), state: AgentState::Running }),
        mobile: None,
        transport: "ssh".into(),
        link: "polling 2s".to_owned(),
        git: None,
        unreachable: None,
        others: Vec::new(),
        notes: Vec::new(),
    }
}

fn text(report: &Report) -> String {
    lines(report, Path::new("/home/me"), NOW, Paint::off()).join("\n")
}

/// The lines about the sync.
fn sync_text(seen: &SyncSeen) -> String {
    let text = text(&report(seen));
    let lines = text.lines().skip(1).take_while(|line| !line.starts_with("terminal"));
    lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_session_in_order() {
    let seen = SyncSeen::Checked(vec![Checked { result: CycleResult::Equal, session: watching() }]);
    assert_eq!(
        text(&report(&seen)),
        "\
session   sinc-app-123456 on box
sync      synced (last cycle just now, 7 cycles)
terminal  attached 2 times
agent     opencode running
local     ~/app
remote    box:/home/dev/workspace/app
link      ssh, polling 2s"
    );
}

#[test]
fn where_a_phone_finds_it() {
    let seen = SyncSeen::Unknown(String::new());
    let line = |address: &str| {
        text(&Report { mobile: Some(address.to_owned()), ..report(&seen) }).lines().nth(4).unwrap().to_owned()
    };
    assert_eq!(line("http://vps.ts.net:3011"), "mobile    http://vps.ts.net:3011 (Agent-OS)");
    assert_eq!(
        line("http://127.0.0.1:3011"),
        "mobile    http://127.0.0.1:3011 on the host, which is in no tailnet"
    );
}

#[test]
fn what_was_not_checked_is_never_called_synced() {
    let mut all = vec![watching()];
    for status in ["scanning", "staging-beta", "reconciling", "connecting-beta", "dreaming", ""] {
        all.push(session(&format!(r#"{{"status":"{status}","successfulCycles":3}}"#)));
    }
    all.push(session(r#"{"status":"halted-on-root-emptied"}"#));
    all.push(session(r#"{"status":"watching","paused":true}"#));
    for session in all {
        let seen = SyncSeen::Listed(vec![session]);
        let report = report(&seen);
        assert!(!text(&report).contains("synced"), "{}", text(&report));
        assert!(!serde_json::to_string(&report).unwrap().contains("synced"));
        assert_eq!(report.sync.checked_at, Some(NOW - 125));
    }
}

#[test]
fn every_state_has_its_words() {
    let listed = |json: &str| SyncSeen::Listed(vec![session(json)]);
    for (seen, words) in [
        (SyncSeen::Listed(vec![watching()]), "watching for changes (last cycle 2 min ago, 7 cycles)"),
        (listed(r#"{"status":"dreaming"}"#), "dreaming (last cycle 2 min ago)"),
        (
            listed(r#"{"status":"watching","paused":true}"#),
            "paused; `sinc resume` goes on (last cycle 2 min ago)",
        ),
        (SyncSeen::Listed(vec![]), "none; `sinc` makes it (last cycle 2 min ago)"),
        (
            SyncSeen::Listed(vec![watching(), watching()]),
            "several syncs run for this session; `sinc` sees to it (last cycle 2 min ago, 7 cycles)",
        ),
        (SyncSeen::Unknown("no\x1bdaemon\nx".into()), "not known: no?daemon (last cycle 2 min ago)"),
        (
            listed(
                r#"{"status":"staging-beta","alpha":{"protocol":"local"},"beta":{"protocol":"ssh",
                "stagingProgress":{"receivedFiles":5,"expectedFiles":12}}}"#,
            ),
            "sending (7 files to go, last cycle 2 min ago)",
        ),
    ] {
        assert_eq!(sync_text(&seen), format!("sync      {words}"));
    }
}

#[test]
fn one_that_is_held_says_what_leads_out_and_nothing_else_of_it_counts() {
    let held = |side| Some(Held { side, missing: 812, of: 1000, since: NOW - 65 });
    for session in [r#"{"status":"watching","paused":true}"#, r#"{"status":"halted-on-root-emptied"}"#] {
        let seen = SyncSeen::Listed(vec![self::session(session)]);
        let mut report = report(&seen);
        report.sync = SyncReport::new(&seen, held(HeldSide::Local), None, NOW);
        assert_eq!(
            text(&report).lines().skip(1).take(3).collect::<Vec<_>>().join("\n"),
            "\
sync      held: 812 of 1,000 files are missing here; nothing is deleted until you decide (held 1 min ago)
          `sinc resume sinc-app-123456 --restore` brings them back from the host
          `sinc resume sinc-app-123456 --allow-deletions` deletes them on the host too"
        );
        report.sync = SyncReport::new(&seen, held(HeldSide::Remote), None, NOW);
        assert!(text(&report).contains("missing on the host;"), "{}", text(&report));
        assert!(text(&report).contains("--restore` brings them back from here\n"), "{}", text(&report));
        assert!(text(&report).contains("--allow-deletions` deletes them here too\n"), "{}", text(&report));
    }
    // That there is no sync any more, or that nobody knows, counts more.
    for seen in [SyncSeen::Listed(vec![]), SyncSeen::Unknown("x".into())] {
        assert_ne!(SyncReport::new(&seen, held(HeldSide::Local), None, NOW).state, "held");
    }
}

#[test]
fn conflicts_and_problems_are_counted_and_named() {
    let json = r#"{"status":"watching","successfulCycles":2,"excludedConflicts":5,
        "conflicts":[{"root":"a\u001b"},{"root":"b"},{"root":"c"},{"root":"d"},{"root":"e"},{"root":"f"}],
        "alpha":{"protocol":"local","connected":true,"scanProblems":[{"path":"","error":"no way"}]},
        "beta":{"protocol":"ssh","connected":true}}"#;
    let seen =
        SyncSeen::Checked(vec![Checked { result: CycleResult::Conflicts(11), session: session(json) }]);
    assert_eq!(
        sync_text(&seen),
        "\
sync      11 conflicts, left alone on both sides; `sinc conflicts` shows them (last cycle just now, 2 cycles)
            a?  the sides differ
            b  the sides differ
            c  the sides differ
            d  the sides differ
            e  the sides differ
            and 6 more
          1 path stays on one side:
            (the whole directory)  here: no way"
    );
    let sync = SyncReport::new(&seen, None, None, NOW);
    assert_eq!((sync.conflicts, sync.conflicts_listed.len(), sync.problems), (11, 6, 1));
    assert_eq!((sync.pending, sync.checked_at, sync.state.as_str()), (Some(0), Some(NOW), "conflicts"));
}

#[test]
fn a_host_that_is_down_and_a_login_that_a_person_is_needed_for() {
    let session = session(
        r#"{"status":"connecting-beta","lastError":"beta: dev@box: Permission denied (publickey)."}"#,
    );
    let result = CycleResult::Disconnected(Some(session.last_error.clone()));
    let mut report = report(&SyncSeen::Checked(vec![Checked { result, session }]));
    report.terminal = None;
    report.agent = None;
    report.unreachable = Some("host `box` refuses the login".into());
    report.others = vec!["desktop /home/me/app".into()];
    report.notes = vec!["the directory here is gone".into()];
    assert_eq!(
        text(&report),
        "\
session   sinc-app-123456 on box
sync      waiting for your login; `sinc` logs in (last cycle 2 min ago)
host      unreachable (host `box` refuses the login)
local     ~/app
remote    box:/home/dev/workspace/app
also      synced by desktop /home/me/app
link      ssh, polling 2s
note      the directory here is gone"
    );
}

#[test]
fn a_terminal_that_is_not_there_or_not_known() {
    let seen = SyncSeen::Listed(vec![watching()]);
    let mut one = report(&seen);
    one.terminal = Some(TerminalReport { exists: false, attached: 0 });
    assert!(text(&one).contains("\nterminal  none; `sinc` starts it\nlocal "), "{}", text(&one));
    one.terminal = Some(TerminalReport { exists: true, attached: 0 });
    one.agent = Some(AgentReport { name: Some("claude".into()), state: AgentState::Ended });
    assert!(text(&one).contains("\nterminal  detached\nagent     claude ended; a shell is in its place\n"));
    one.agent = Some(AgentReport { name: Some("claude".into()), state: AgentState::Missing });
    assert!(
        text(&one).contains("\nagent     claude was not installed when its terminal began, which says how")
    );
    one.agent = Some(AgentReport { name: None, state: AgentState::None });
    assert!(text(&one).contains("\nterminal  detached\nagent     none\n"), "{}", text(&one));
    one.terminal = None;
    assert!(text(&one).contains("\nterminal  not known\nlocal "), "{}", text(&one));
}

#[test]
fn a_sync_that_is_not_to_be_is_said_as_such() {
    assert_eq!(sync_text(&SyncSeen::Off), "sync      none (mode none)");
}

#[test]
fn what_only_the_receiving_side_has_is_said_and_is_no_fault() {
    let more = |alpha: &str, beta: &str| {
        let session = session(&format!(
            r#"{{"mode":"one-way-safe","status":"watching","successfulCycles":2,
            "alpha":{{"protocol":"{alpha}","connected":true,"files":2}},
            "beta":{{"protocol":"{beta}","connected":true,"files":3}}}}"#
        ));
        sync_text(&SyncSeen::Checked(vec![Checked { result: CycleResult::Equal, session }]))
    };
    assert_eq!(
        more("local", "ssh"),
        "sync      synced (last cycle just now, 2 cycles)\n          1 file is only on the host, and stays there"
    );
    assert!(more("ssh", "local").ends_with("1 file is only here, and stays here"));
}
