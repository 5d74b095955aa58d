//! Why the two sides of a session are not equal, and what leads out of it.

use super::context::Context;
use super::first_cycle::{complaints, words_for};
use crate::failure::{Failure, Kind};
use crate::session::sync::Stuck;
use crate::state::Record;
use crate::tools::mutagen::{Checked, CycleResult, Halt, Side, SyncMode, is_lost_line};

/// What happened, and what each way out does.
pub(super) fn tell_halt(ctx: &Context, record: &Record, halt: Halt, mode: Option<SyncMode>) {
    ctx.ui.note(&format!("{halt}; the sync has stopped before it did the same on the other side"));
    for way in halt_ways(&record.id, halt, mode) {
        ctx.ui.note(&format!("- {way}"));
    }
}

/// The ways out. What a side that only receives cannot give back comes from nowhere.
fn halt_ways(id: &str, halt: Halt, mode: Option<SyncMode>) -> [String; 3] {
    let anew = format!("`sinc kill {id}`, then `sinc`");
    let back = "a mistake? Put the files back there, then `sinc resume`: it compares both sides and goes on"
        .to_owned();
    if !halt.is_of_source(mode) {
        return [
            back,
            format!("fill that side again from the other: {anew}; no file is deleted"),
            "meant for both sides? Delete the files on the other side too, then the same".to_owned(),
        ];
    }
    let two_way = match mode.and_then(SyncMode::source) {
        Some(Side::Remote) => "push",
        _ => "pull",
    };
    let meant = match mode.is_some_and(SyncMode::is_replica) {
        true => {
            format!("meant for both sides? {anew}: it shows what goes on the other side, asks, and keeps it")
        }
        false => format!("meant for both sides? Delete the files on the other side too, then {anew}"),
    };
    [
        back,
        format!(
            "in this mode nothing comes back from the other side; once, all of it: `SINC_MODE=two-way-safe sinc {two_way}`"
        ),
        meant,
    ]
}

/// Why the two sides are not equal.
pub(super) fn why_not(record: &Record, checked: &Checked) -> anyhow::Error {
    let id = &record.id;
    let named = complaints(&checked.session).join("; ");
    if !record.local.is_dir() {
        let message = format!("the directory of {id} here is gone: {}", record.local.display());
        return Failure::new(Kind::Failed, message)
            .hint("put it back, and the sync goes on")
            .hint(format!("or end the session with `sinc kill {id}`; the files on {} stay", record.host))
            .into();
    }
    let failure = match &checked.result {
        CycleResult::TimedOut { after, phase, last_error } => {
            let busy = last_error.clone().unwrap_or_else(|| words_for(*phase).to_owned());
            let message =
                format!("the two sides of {id} were not equal within {} s: {busy}", after.as_secs());
            Failure::new(Kind::TimedOut, message)
                .hint("`sinc status` shows where it stands; the sync goes on")
        }
        CycleResult::Conflicts(_) => {
            Failure::new(Kind::Failed, format!("the two sides of {id} are not equal: {named}"))
                .hint("`sinc conflicts` shows them, `sinc resolve` settles them")
        }
        CycleResult::Problems { .. } => {
            Failure::new(Kind::Failed, format!("the two sides of {id} are not equal: {named}"))
                .hint("mend what it names, or ignore it in .sincignore")
        }
        CycleResult::Halted(halt) => return Stuck::Halted(*halt, checked.session.sync_mode()).into(),
        CycleResult::Paused => {
            Failure::new(Kind::Failed, format!("the sync of {id} is paused")).hint("`sinc resume` goes on")
        }
        CycleResult::Disconnected(why) => {
            let why = match why {
                Some(why) if is_lost_line(why) => "not connected: the line was lost".to_owned(),
                _ => checked.result.to_string(),
            };
            Failure::new(Kind::Failed, format!("the sync of {id} is {why}"))
                .hint("it goes on by itself when the host is reached; `sinc status` shows it")
        }
        CycleResult::Equal | CycleResult::StillChanging | CycleResult::WouldRun => {
            Failure::new(Kind::Failed, format!("the two sides of {id} are not equal: {}", checked.result))
        }
    };
    failure.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::explain;
    use crate::tools::mutagen::{HaltKind, Phase, SyncSession};

    fn record() -> Record {
        let json = r#"{"id":"sinc-app-123456","host":"box","destination":"box","local":"/","remote":"/r",
            "settings":"","agent":"a","created":1,"filled":true}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_ways_out_of_a_halt_go_the_way_that_the_files_go() {
        let ways = |side, mode| {
            let halt = Halt { kind: HaltKind::Emptied, side };
            halt_ways("sinc-app-123456", halt, mode).join("\n")
        };
        for mode in SyncMode::ALL {
            for side in [Some(Side::Local), Some(Side::Remote), None] {
                let said = ways(side, Some(mode));
                let fills = mode.source().is_none() || side.is_some() && side != mode.source();
                assert_eq!(
                    said.contains("fill that side again from the other"),
                    fills,
                    "{mode:?} {side:?}: {said}"
                );
                let back = match mode.source() {
                    Some(Side::Local) => "sinc pull`",
                    _ => "sinc push`",
                };
                assert_eq!(said.contains(back), !fills, "{mode:?} {side:?}: {said}");
                assert_eq!(said.contains("asks, and keeps it"), !fills && mode.is_replica());
            }
        }
        assert!(ways(Some(Side::Local), None).contains("fill that side again from the other"));
    }

    #[test]
    fn each_reason_has_its_code_and_a_way_on() {
        let after = Duration::from_secs(60);
        for (result, code, words) in [
            (
                CycleResult::TimedOut { after, phase: Phase::Sending, last_error: None },
                75,
                "the two sides of sinc-app-123456 were not equal within 60 s: sending",
            ),
            (CycleResult::Paused, 1, "the sync of sinc-app-123456 is paused"),
            (
                CycleResult::Disconnected(Some("no line".into())),
                1,
                "the sync of sinc-app-123456 is not connected: no line",
            ),
            (
                CycleResult::Disconnected(Some(
                    "beta polling error: unable to receive poll response: unable to read message length: unexpected EOF".into(),
                )),
                1,
                "the sync of sinc-app-123456 is not connected: the line was lost",
            ),
            (CycleResult::Conflicts(2), 1, "the two sides of sinc-app-123456 are not equal: "),
        ] {
            let shown = explain(&why_not(&record(), &Checked { result, session: SyncSession::default() }));
            assert_eq!((shown.kind.code(), shown.message.as_str()), (code, words));
            assert!(!shown.hints.is_empty(), "{words}");
        }
    }
}
