use super::*;

fn wanted() -> Wanted {
    Wanted {
        id: "sinc-app-123456".into(),
        host_word: "sinc-0123456789ab".into(),
        local: "/home/me/app".into(),
        remote: "/home/dev/workspace/app".into(),
        settings: SyncSettings {
            mode: SyncMode::TwoWaySafe,
            ignores: vec!["x".into()],
            file_mode: 0o644,
            directory_mode: 0o755,
            watch: crate::tools::mutagen::Watch::Polling(2),
        },
        held: false,
        shown: false,
    }
}

/// A sync as Mutagen would show it, changed by `more`.
fn sync(number: u32, more: &[(&str, serde_json::Value)]) -> SyncSession {
    let wanted = wanted();
    let mut json = serde_json::json!({
        "identifier": format!("sync_{number}"), "status": "watching", "successfulCycles": 3,
        "alpha": {"protocol": "local", "path": wanted.local, "connected": true},
        "beta": {"protocol": "ssh", "host": wanted.host_word, "path": wanted.remote, "connected": true},
        "labels": {"sinc-id": wanted.id, "sinc-host": wanted.host_word, "sinc-settings": wanted.settings.digest()},
        "a field of a later version": {"x": [1]},
    });
    for (pointer, value) in more {
        *json.pointer_mut(pointer).unwrap() = value.clone();
    }
    SyncSession::parse_list(&serde_json::json!([json]).to_string()).unwrap().remove(0)
}

#[test]
fn one_decision_a_state() {
    let wanted = wanted();
    let again = |moved, paused| Decision::Recreate { sync: "sync_1".into(), moved, paused };
    let cases: Vec<(Vec<SyncSession>, Decision)> = vec![
        (vec![], Decision::Create),
        (vec![sync(1, &[])], Decision::Keep("sync_1".into())),
        (vec![sync(1, &[("/status", "something-new".into())])], Decision::Keep("sync_1".into())),
        (
            vec![sync(1, &[("/status", "connecting-beta".into()), ("/beta/connected", false.into())])],
            Decision::Reconnect("sync_1".into()),
        ),
        (vec![sync(1, &[("/labels/sinc-settings", "other".into())])], again(false, false)),
        (vec![sync(1, &[("/beta/path", "/home/dev/workspace/old".into())])], again(true, false)),
        // Where it was is gone: that it halted there is no news.
        (
            vec![sync(1, &[("/beta/path", "/old".into()), ("/status", "halted-on-root-deletion".into())])],
            again(true, false),
        ),
        (
            vec![sync(1, &[]), sync(2, &[])],
            Decision::Doubled { keep: "sync_1".into(), end: vec!["sync_2".into()] },
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(decide(&found, &wanted), expected);
    }
    let halted = decide(&[sync(1, &[("/status", "halted-on-root-emptied".into())])], &wanted);
    assert!(matches!(halted, Decision::Halted(_)), "{halted:?}");
    let differing = decide(&[sync(1, &[]), sync(2, &[("/beta/path", "/elsewhere".into())])], &wanted);
    assert!(matches!(&differing, Decision::Ambiguous(lines) if lines.len() == 2), "{differing:?}");
}

#[test]
fn what_is_held_is_left_alone() {
    let held = Wanted { held: true, ..wanted() };
    let left = || Decision::Held("sync_1".into());
    for (found, expected) in [
        (vec![sync(1, &[])], left()),
        (vec![sync(1, &[("/status", "halted-on-root-emptied".into())])], left()),
        (vec![sync(1, &[("/labels/sinc-settings", "other".into())])], left()),
        (vec![sync(1, &[]), sync(2, &[])], left()),
        (vec![sync(1, &[]), sync(2, &[("/beta/path", "/elsewhere".into())])], left()),
        // What is made anew has no history.
        (
            vec![sync(1, &[("/beta/path", "/home/dev/workspace/old".into())])],
            Decision::Recreate { sync: "sync_1".into(), moved: true, paused: false },
        ),
        (vec![], Decision::Create),
    ] {
        assert_eq!(decide(&found, &held), expected);
    }
    let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
    for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
        let mut held = held.clone();
        held.settings.mode = mode;
        let error = ensure(&mutagen, &held, &[], &mut |_| {}, &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Stuck::HeldAndGone(found)) if *found == mode), "{error}");
    }
}

#[test]
fn a_moved_directory_is_not_followed_in_a_mode_that_overwrites() {
    // No program is started: the person is asked before anything is done.
    let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
    for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
        let mut wanted = wanted();
        wanted.settings.mode = mode;
        let moved = sync(1, &[("/beta/path", "/home/dev/workspace/old".into())]);
        let error = ensure(&mutagen, &wanted, &[moved], &mut |_| {}, &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Stuck::Overwrites(found)) if *found == mode), "{error}");
    }
}

#[test]
fn a_replica_is_not_made_before_it_was_shown_what_that_costs() {
    let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
    for mode in [SyncMode::OneWayReplica, SyncMode::OneWayReplicaFromHost] {
        let mut wanted = wanted();
        wanted.settings.mode = mode;
        for found in [vec![], vec![sync(1, &[])]] {
            let error = ensure(&mutagen, &wanted, &found, &mut |_| {}, &mut |_| Ok(())).unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(Stuck::NotShown(of)) if *of == mode), "{error}");
        }
    }
}

#[test]
fn what_comes_from_the_host_has_it_first() {
    for mode in SyncMode::ALL {
        let mut wanted = wanted();
        wanted.settings.mode = mode;
        let first = matches!(wanted.ends().0, Endpoint::Ssh { .. });
        assert_eq!(first, mode.word().ends_with("from-host"), "{mode:?}");
    }
}

#[test]
fn in_mode_none_nothing_is_made_and_nothing_that_stands_still_is_ended() {
    let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
    let mut wanted = wanted();
    wanted.settings.mode = SyncMode::None;
    assert_eq!(ensure(&mutagen, &wanted, &[], &mut |_| {}, &mut |_| Ok(())).unwrap(), None);
    let halted = sync(1, &[("/status", "halted-on-root-emptied".into())]);
    assert!(ensure(&mutagen, &wanted, &[halted], &mut |_| {}, &mut |_| Ok(())).is_err());
    let again = Decision::Recreate { sync: "sync_1".into(), moved: false, paused: false };
    assert_eq!(decide(&[sync(1, &[])], &wanted), again);
}

#[test]
fn the_receiving_side_of_a_replica_is_not_overwritten_once_more_before_it_has_a_say() {
    let mutagen = Mutagen::new("/no/mutagen", "/d", "/s", crate::process::Runner::default()).unwrap();
    use SyncMode::{None as Nothing, OneWayReplica, OneWayReplicaFromHost, OneWaySafe, TwoWaySafe};
    for (old, new, left) in [
        (OneWayReplica, TwoWaySafe, true),
        (OneWayReplica, OneWayReplicaFromHost, true),
        (OneWayReplicaFromHost, OneWaySafe, true),
        (OneWayReplica, OneWaySafe, false),
        (OneWayReplica, Nothing, false),
        (OneWaySafe, TwoWaySafe, false),
        (TwoWaySafe, OneWayReplica, false),
    ] {
        // A flush fails: there is no program.
        let flushed = bring_over(&mutagen, "sync_1", Some(old), new, false, &mut |_| Ok(()));
        assert_eq!(matches!(flushed, Ok(Option::None)), left, "{old:?} {new:?}");
    }
}
