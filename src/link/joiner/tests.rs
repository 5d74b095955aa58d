use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn change(changes: u32, deletes: u32) -> Seen {
    Seen { changes, deletes, ..Seen::default() }
}

fn watched(_: Side) -> bool {
    false
}

/// A session that has had its first look and cycle.
fn quiet(start: Instant) -> Joiner {
    let mut joiner = Joiner::new(start);
    assert_eq!(joiner.next(start), Next::Look);
    assert_eq!(joiner.looked(start, true), Next::Cycle);
    joiner.cycled(start, true);
    joiner
}

#[test]
fn changes_are_joined_and_one_more_cycle_follows_what_came_meanwhile() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    joiner.saw(start + MS(100), Side::Local, change(3, 0));
    joiner.saw(start + MS(101), Side::Local, change(1, 0));
    assert_eq!(joiner.next(start + MS(107)), Next::Wait(Some(start + MS(108))));
    assert_eq!(joiner.next(start + MS(108)), Next::Cycle);
    joiner.saw(start + MS(150), Side::Local, change(1, 0));
    assert_eq!(joiner.next(start + MS(300)), Next::Wait(None), "one at a time");
    joiner.cycled(start + MS(350), true);
    assert_eq!(joiner.next(start + MS(350)), Next::Cycle);
    joiner.cycled(start + MS(600), true);
    assert_eq!(joiner.next(start + MS(600)), Next::Wait(Some(start + MS(30_600))));
    assert_eq!(joiner.next(start + MS(30_600)), Next::Cycle, "by itself");
}

#[test]
fn a_burst_costs_few_cycles() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    let mut cycles = 0;
    let mut ends = None;
    // 30,000 files in 15 seconds; a cycle takes 150 ms.
    for ms in 1..=17_000 {
        let now = start + MS(ms);
        if ms < 15_000 {
            joiner.saw(now, Side::Local, change(4, 0));
        }
        if ends.is_some_and(|end| end <= now) {
            joiner.cycled(now, true);
            ends = None;
        }
        if joiner.next(now) == Next::Cycle {
            cycles += 1;
            ends = Some(now + MS(150));
        }
    }
    // After 5 s, and at its end.
    assert_eq!(cycles, 2);
    // Afterwards an edit is as quick as ever.
    joiner.saw(start + MS(20_000), Side::Local, change(1, 0));
    assert_eq!(joiner.next(start + MS(20_008)), Next::Cycle);
}

#[test]
fn a_directory_that_is_made_waits_for_what_comes_into_it() {
    let start = Instant::now();
    let made = Seen { fresh: true, ..change(1, 0) };
    let mut joiner = quiet(start);
    joiner.saw(start + MS(100), Side::Remote, made);
    assert_eq!(joiner.next(start + MS(108)), Next::Wait(Some(start + MS(150))));
    joiner.saw(start + MS(120), Side::Remote, change(1, 0));
    assert_eq!(joiner.next(start + MS(150)), Next::Cycle);
    joiner.cycled(start + MS(200), true);
    // Thousands of files follow: the burst is waited for from its beginning.
    joiner.saw(start + MS(5_000), Side::Remote, made);
    joiner.saw(start + MS(5_040), Side::Remote, change(400, 0));
    assert_eq!(joiner.next(start + MS(5_050)), Next::Wait(Some(start + MS(5_240))));
    assert_eq!(joiner.next(start + MS(5_240)), Next::Cycle);
    joiner.cycled(start + MS(5_300), true);
    // One after the other for a while does not hold it up for ever.
    let (mut at, mut cycle) = (10_000, None);
    while cycle.is_none() {
        joiner.saw(start + MS(at), Side::Local, made);
        at += 30;
        cycle = (joiner.next(start + MS(at)) == Next::Cycle).then_some(at);
    }
    assert_eq!(cycle, Some(10_510));
}

#[test]
fn a_build_begins_with_no_cycle_of_its_own() {
    let start = Instant::now();
    // A file every so many milliseconds, of so many changes, for 1.5 seconds.
    for (every, changes) in [(1, 3), (2, 2), (3, 3)] {
        let mut joiner = quiet(start);
        let (mut cycles, mut ends) = (Vec::new(), None);
        for ms in 0..4_000 {
            let now = start + MS(100 + ms);
            if ms < 1_500 && ms % every == 0 {
                joiner.saw(now, Side::Remote, change(changes, 0));
            }
            if ends.is_some_and(|end| end <= now) {
                joiner.cycled(now, true);
                ends = None;
            }
            if joiner.next(now) == Next::Cycle {
                cycles.push(ms);
                ends = Some(now + MS(250));
            }
        }
        assert!(matches!(cycles[..], [1_697..=1_699]), "when it has paused: {cycles:?}");
    }
    // One save, by whatever editor, waits for nothing, and what comes slowly not for long.
    let mut joiner = quiet(start);
    joiner.saw(start + MS(10_000), Side::Local, change(12, 0));
    assert_eq!(joiner.next(start + MS(10_008)), Next::Cycle);
    joiner.cycled(start + MS(10_200), true);
    for ms in [0, 3, 6, 9, 12, 15, 18, 21] {
        joiner.saw(start + MS(15_000 + ms), Side::Local, change(1, 0));
        let until = (ms + 4).clamp(8, 24);
        assert_eq!(joiner.next(start + MS(15_000 + ms)), Next::Wait(Some(start + MS(15_000 + until))));
    }
    assert_eq!(joiner.next(start + MS(15_024)), Next::Cycle);
    joiner.cycled(start + MS(15_200), true);
    // A few files that are saved together, a moment.
    joiner.saw(start + MS(20_000), Side::Local, change(13, 0));
    assert_eq!(joiner.next(start + MS(20_008)), Next::Wait(Some(start + MS(20_050))));
    assert_eq!(joiner.next(start + MS(20_050)), Next::Cycle);
}

#[test]
fn what_changes_for_long_among_many_files_leaves_most_of_the_time_to_others() {
    let start = Instant::now();
    // So many cycles in four minutes in which a file changes every 0.3 s.
    let cycles = |files: u64, takes: Duration| {
        let mut joiner = quiet(start);
        joiner.holds(files);
        let (mut cycles, mut ends) = (0_u32, None);
        for ms in 0..240_000 {
            let now = start + MS(ms);
            if ms % 300 == 0 {
                joiner.saw(now, Side::Remote, change(2, 0));
            }
            if ends.is_some_and(|end| end <= now) {
                joiner.cycled(now, true);
                ends = None;
            }
            if joiner.next(now) == Next::Cycle {
                cycles += 1;
                ends = Some(now + takes);
            }
        }
        if ends.is_some() {
            joiner.cycled(start + MS(240_000), true);
        }
        (cycles, joiner)
    };
    // Among 10,000, as many as there are changes, nearly.
    let (many, _) = cycles(10_000, MS(250));
    assert!(many > 780, "{many}");
    // Each costs 0.8 s; ten seconds are free, and a quarter of the time.
    let (many, mut joiner) = cycles(100_000, MS(800));
    assert!((80..=90).contains(&many), "{many}");
    let soon = start + MS(240_001);
    joiner.saw(soon, Side::Local, change(1, 0));
    assert!(matches!(joiner.next(soon + JOINED), Next::Wait(Some(at)) if at < soon + MS(4_000)));
    // Whoever asks for one does not wait, however often, and a change after that no longer than before.
    for n in 0..100 {
        let now = soon + MS(1_000 * n);
        joiner.saw(now, Side::Local, change(1, 0));
        joiner.ask(now);
        assert_eq!(joiner.next(now), Next::Cycle);
        joiner.cycled(now + MS(800), true);
    }
    let soon = soon + MS(100_000);
    joiner.saw(soon, Side::Local, change(1, 0));
    assert!(matches!(joiner.next(soon + JOINED), Next::Wait(Some(at)) if at < soon + MS(4_000)));
    // For one that is called for, too; and after a while nobody waits.
    joiner.hurry();
    assert_eq!(joiner.next(soon + JOINED), Next::Cycle);
    joiner.cycled(soon + MS(800), true);
    joiner.saw(soon + MS(60_000), Side::Local, change(1, 0));
    assert_eq!(joiner.next(soon + MS(60_000) + JOINED), Next::Cycle);
}

#[test]
fn a_slow_burst_costs_few_cycles_too() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    let (mut cycles, mut ends) = (0, None);
    // 500 changes a second, which is 50 a cycle.
    for ms in 1..=17_000 {
        let now = start + MS(ms);
        if ms < 15_000 && ms % 2 == 0 {
            joiner.saw(now, Side::Local, change(1, 0));
        }
        if ends.is_some_and(|end| end <= now) {
            joiner.cycled(now, true);
            ends = None;
        }
        if joiner.next(now) == Next::Cycle {
            cycles += 1;
            ends = Some(now + MS(100));
        }
    }
    assert!(cycles <= 9, "{cycles}");
}

#[test]
fn few_deletions_go_at_once_and_many_are_waited_out_and_counted() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    joiner.saw(start - MS(30), Side::Local, change(2, 2));
    assert_eq!(joiner.next(start - MS(20)), Next::Wait(Some(start - MS(5))), "the first of many?");
    assert_eq!(joiner.next(start - MS(5)), Next::Cycle);
    joiner.cycled(start, true);
    joiner.saw(start + MS(1), Side::Local, change(50, 50));
    assert_eq!(joiner.next(start + MS(11)), Next::Wait(Some(start + MS(201))), "there may be more");
    assert_eq!(joiner.next(start + MS(201)), Next::Cycle);
    // They still count while the cycle runs: it may have seen only some of them.
    joiner.saw(start + MS(220), Side::Local, change(1, 1));
    joiner.cycled(start + MS(300), true);
    assert_eq!(joiner.next(start + MS(300)), Next::Wait(Some(start + MS(420))));
    joiner.saw(start + MS(400), Side::Local, change(10, 10));
    assert_eq!(joiner.next(start + MS(420)), Next::Wait(Some(start + MS(600))));
    assert_eq!(joiner.next(start + MS(600)), Next::Look);
    assert_eq!(joiner.looked(start + MS(650), true), Next::Cycle);
    joiner.cycled(start + MS(700), true);
    // Without end they are waited for five seconds.
    for ms in (1000..).step_by(50) {
        let now = start + MS(ms);
        joiner.saw(now, Side::Local, change(60, 60));
        if joiner.next(now) == Next::Look {
            assert!((5900..6200).contains(&ms), "{ms}");
            break;
        }
    }
}

#[test]
fn a_cycle_that_runs_when_much_is_deleted_is_stopped_and_the_files_are_counted() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    joiner.saw(start, Side::Local, change(60, 60));
    assert!(!joiner.must_stop(None, watched), "none runs");
    let mut joiner = quiet(start);
    joiner.saw(start, Side::Local, change(1, 0));
    assert_eq!(joiner.next(start + MS(10)), Next::Cycle);
    joiner.saw(start + MS(20), Side::Local, change(50, 50));
    assert!(!joiner.must_stop(None, watched));
    joiner.saw(start + MS(21), Side::Local, change(1, 1));
    assert!(
        joiner.must_stop(None, watched)
            && joiner.must_stop(Some(203), watched)
            && !joiner.must_stop(Some(204), watched)
    );
    joiner.stopped();
    assert!(!joiner.must_stop(None, watched), "once");
    joiner.cycled(start + MS(30), false);
    assert_eq!(joiner.next(start + MS(1030)), Next::Look);
}

#[test]
fn a_directory_that_is_taken_away_stops_the_cycle_that_runs_and_no_later_one() {
    let start = Instant::now();
    let taken = Seen { changes: 1, unclear: true, taken: true, ..Seen::default() };
    let mut joiner = quiet(start);
    joiner.saw(start, Side::Local, taken);
    assert!(!joiner.must_stop(None, watched), "none runs");
    assert_eq!(joiner.next(start + MS(10)), Next::Look);
    assert_eq!(joiner.looked(start + MS(20), true), Next::Cycle);
    assert!(!joiner.must_stop(None, watched), "it was counted");
    joiner.saw(start + MS(21), Side::Local, Seen { taken: false, ..taken });
    assert!(!joiner.must_stop(None, watched), "it has another name only");
    joiner.saw(start + MS(22), Side::Local, taken);
    assert!(
        joiner.must_stop(None, watched)
            && joiner.must_stop(Some(51), watched)
            && !joiner.must_stop(Some(50), watched)
    );
}

#[test]
fn what_a_cycle_itself_deletes_does_not_stop_it() {
    let start = Instant::now();
    for (there, polled, stops, own) in [
        // So many are gone there: they go here.
        (change(60, 60), false, false, 0),
        // Some are, and more go here.
        (change(9, 9), false, true, 51),
        // They have other names, or nobody watches.
        (Seen { changes: 1, unclear: true, ..Seen::default() }, false, false, 60),
        (change(1, 0), true, false, 60),
        (change(1, 0), false, true, 60),
    ] {
        let mut joiner = quiet(start);
        joiner.saw(start, Side::Remote, there);
        if joiner.next(start + MS(300)) == Next::Look {
            assert_eq!(joiner.looked(start + MS(300), true), Next::Cycle);
        }
        joiner.saw(start + MS(310), Side::Local, change(60, 60));
        let is_polled = |side| polled && side == Side::Remote;
        assert_eq!(joiner.must_stop(None, is_polled), stops, "{there:?}");
        // What others deleted meanwhile is gone before the next one.
        joiner.cycled(start + MS(320), true);
        joiner.saw(start + MS(330), Side::Local, change(1, 0));
        match joiner.next(start + MS(800)) {
            Next::Look => assert_eq!(joiner.looked(start + MS(800), true), Next::Cycle),
            next => assert_eq!(next, Next::Cycle),
        }
        joiner.saw(start + MS(810), Side::Remote, change(1, own + 50));
        assert!(!joiner.must_stop(None, watched), "{there:?}");
        joiner.saw(start + MS(810), Side::Remote, change(1, 1));
        assert!(joiner.must_stop(None, watched), "{there:?}");
    }
}

#[test]
fn what_was_deleted_while_nobody_watched_stops_no_cycle() {
    let start = Instant::now();
    for (missed, stops) in [(true, false), (false, true)] {
        let mut joiner = quiet(start);
        if missed {
            joiner.missed(start);
            assert_eq!(joiner.next(start), Next::Look);
            assert_eq!(joiner.looked(start, true), Next::Cycle);
        } else {
            joiner.ask(start);
            assert_eq!(joiner.next(start), Next::Cycle);
        }
        joiner.saw(start + MS(10), Side::Local, change(60, 60));
        assert_eq!(joiner.must_stop(None, watched), stops);
    }
}

#[test]
fn what_is_not_clear_is_counted_and_what_is_held_is_not_cycled() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    joiner.saw(start, Side::Local, Seen { changes: 1, unclear: true, ..Seen::default() });
    assert_eq!(joiner.next(start + MS(10)), Next::Look);
    assert_eq!(joiner.looked(start + MS(20), false), Next::Wait(None));
    assert!(joiner.is_unsure());
    assert_eq!(joiner.next(start + MS(30)), Next::Wait(Some(start + MS(1020))));
    assert_eq!(joiner.next(start + MS(1020)), Next::Look, "never a cycle");
}

#[test]
fn a_cycle_that_failed_is_tried_again_after_a_look() {
    let start = Instant::now();
    let mut joiner = quiet(start);
    joiner.missed(start);
    assert_eq!(joiner.next(start), Next::Look);
    assert_eq!(joiner.looked(start, true), Next::Cycle);
    joiner.cycled(start, false);
    assert_eq!(joiner.next(start + MS(999)), Next::Wait(Some(start + MS(1000))));
    assert_eq!(joiner.next(start + MS(1000)), Next::Look);
}
