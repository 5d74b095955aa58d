use super::*;
use crate::session::survey::AgentState;

const MACHINE: &str = "0123456789ab";

fn record(id: &str, host: &str) -> Record {
    Record {
        id: id.into(),
        host: host.into(),
        destination: host.into(),
        local: "/".into(),
        remote: format!("/w/{id}"),
        settings: "s".into(),
        agent: "opencode".into(),
        created: 1,
        filled: true,
        verify: false,
        no_sync: false,
        resolved: false,
        peer: None,
        address: None,
        held: None,
        others: Vec::new(),
    }
}

fn sync(id: &str, host: &str) -> SyncSession {
    let json = serde_json::json!([{
        "identifier": "sync_x", "status": "watching", "successfulCycles": 3,
        "alpha": {"protocol": "local", "path": "/l"}, "beta": {"protocol": "ssh", "path": "/r"},
        "labels": {"sinc-id": id, "sinc-host": host_word(host)},
    }]);
    SyncSession::parse_list(&json.to_string()).unwrap().remove(0)
}

fn claim(id: &str, machines: &[(&str, &str)]) -> HostSession {
    let machines = machines.iter().map(|(id, rest)| ((*id).to_owned(), (*rest).to_owned())).collect();
    HostSession {
        directory: Some(format!("/w/{id}")),
        marker: Marker::Right,
        machines,
        ..HostSession::default()
    }
}

fn ours(id: &str) -> HostSession {
    HostSession { attached: Some(1), ..claim(id, &[(MACHINE, "laptop /l")]) }
}

struct World {
    records: Vec<Record>,
    syncs: Option<Vec<SyncSession>>,
    surveys: BTreeMap<String, Survey>,
}

impl World {
    fn rows(&self) -> Vec<Row> {
        let words = ["box", "far"].map(|host| (host_word(host), host.to_owned())).into();
        let known = Known {
            records: &self.records,
            syncs: self.syncs.as_deref(),
            surveys: &self.surveys,
            words: &words,
            machine: MACHINE,
        };
        join(&known)
    }

    /// Each row as "id@host sync terminal orphan".
    fn shown(&self) -> Vec<String> {
        let terminal = |row: &Row| match row.terminal {
            None => "?".to_owned(),
            Some(TerminalReport { exists: false, .. }) => "-".to_owned(),
            Some(TerminalReport { attached, .. }) => attached.to_string(),
        };
        let one = |row: &Row| {
            format!("{}@{} {} {} {:?}", row.id, row.host, row.sync.state, terminal(row), row.orphan)
        };
        self.rows().iter().map(one).collect()
    }
}

fn on_box(sessions: Vec<(&str, HostSession)>) -> BTreeMap<String, Survey> {
    let sessions = sessions.into_iter().map(|(id, session)| (id.to_owned(), session)).collect();
    [("box".to_owned(), Survey { sessions, trouble: None })].into()
}

#[test]
fn what_belongs_together_is_one_row_and_the_same_id_on_two_hosts_is_two() {
    let world = World {
        records: vec![record("sinc-a-111111", "box"), record("sinc-a-111111", "far")],
        syncs: Some(vec![sync("sinc-a-111111", "box"), sync("sinc-a-111111", "far")]),
        surveys: on_box(vec![("sinc-a-111111", ours("sinc-a-111111"))]),
    };
    assert_eq!(world.shown(), ["sinc-a-111111@box watching 1 None", "sinc-a-111111@far watching ? None"]);
}

#[test]
fn each_kind_of_orphan_is_named() {
    let (a, b, c, d, e, f, g) = (
        "sinc-a-111111",
        "sinc-b-222222",
        "sinc-c-333333",
        "sinc-d-444444",
        "sinc-e-555555",
        "sinc-f-666666",
        "sinc-g-777777",
    );
    let world = World {
        records: vec![record(a, "box"), record(b, "box"), record(c, "box")],
        syncs: Some(vec![sync(b, "box"), sync(c, "box"), sync(d, "box"), sync(d, "lost")]),
        surveys: on_box(vec![
            (a, ours(a)),
            (c, HostSession { marker: Marker::Gone, ..ours(c) }),
            (e, claim(e, &[("ffff", "desktop /home/x/app")])),
            (
                f,
                HostSession { attached: Some(0), agent_state: AgentState::Running, ..HostSession::default() },
            ),
            (g, ours(g)),
            ("sinc-ended-888888", claim("sinc-ended-888888", &[])),
            (d, claim(d, &[])),
        ]),
    };
    let lost = host_word("lost");
    assert_eq!(
        world.shown(),
        [
            format!("{a}@box none 1 Some(NoSync)"),
            format!("{b}@box watching - Some(NoClaim)"),
            format!("{c}@box watching 1 Some(DirectoryGone)"),
            format!("{d}@box watching - Some(SyncOnly)"),
            format!("{d}@{lost} watching ? Some(SyncOnly)"),
            format!("{e}@box none - Some(OtherComputer)"),
            format!("{f}@box none 0 Some(TerminalOnly)"),
            format!("{g}@box none 1 Some(NoRecord)"),
        ]
    );
    let rows = world.rows();
    let note = |id: &str| rows.iter().find(|row| row.id == id).unwrap().notes.join("; ");
    assert_eq!(note(e), "of desktop (/home/x/app)");
    let local = |id: &str| rows.iter().find(|row| row.id == id).unwrap().local.clone();
    assert_eq!(local(e), None, "a path of another computer is not one of this");
    assert_eq!(local(g).as_deref(), Some("/l"));
    assert_eq!(local(d).as_deref(), Some("/l"));
}

#[test]
fn what_could_not_be_asked_is_not_taken_for_absent() {
    let world =
        World { records: vec![record("sinc-a-111111", "box")], syncs: None, surveys: BTreeMap::new() };
    assert_eq!(world.shown(), ["sinc-a-111111@box unknown ? None"]);
    let surveys = [(
        "box".to_owned(),
        Survey { trouble: Some("protocol version mismatch".into()), ..Survey::default() },
    )];
    let world = World { surveys: surveys.into(), ..world };
    assert_eq!(world.shown(), ["sinc-a-111111@box unknown ? Some(NoClaim)"]);
}

#[test]
fn a_session_of_mode_none_is_whole_without_a_sync() {
    let a = "sinc-a-000001";
    let mut world = World {
        records: vec![Record { no_sync: true, ..record(a, "box") }],
        syncs: Some(Vec::new()),
        surveys: on_box(vec![(a, ours(a))]),
    };
    for syncs in [Some(Vec::new()), None] {
        world.syncs = syncs;
        let rows = world.rows();
        assert!(rows[0].orphan.is_none() && rows[0].notes.is_empty(), "{rows:?}");
        assert!(rows[0].sync.off && rows[0].sync.state == "none", "{rows:?}");
    }
    // Its end is still to come.
    world.syncs = Some(vec![sync(a, "box")]);
    assert_eq!(world.rows()[0].sync.state, "watching");
}
