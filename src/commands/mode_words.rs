//! What each mode does, in words, and what does not go with it.

use crate::failure::{Failure, Kind};
use crate::state::Record;
use crate::tools::mutagen::{Side, SyncMode, SyncSession};
use crate::ui::plural;

/// What becomes of a directory with files in it that a session takes, beside the one here; a sentence, in lines.
pub(super) fn fates(mode: SyncMode) -> &'static [&'static str] {
    match mode {
        SyncMode::TwoWaySafe => &[
            "what is only there comes here, what is only here goes there,",
            "what differs is left alone on both sides and listed as a conflict",
        ],
        SyncMode::TwoWayResolved => &[
            "what is only there comes here, what is only here goes there,",
            "what differs becomes what is here; the host's version is kept in a backup there",
        ],
        SyncMode::OneWaySafe => &[
            "what is only there stays there, what is only here goes there,",
            "what differs is left alone there and listed as a conflict",
        ],
        SyncMode::OneWayReplica => &[
            "what is only there is DELETED there, what is only here goes there,",
            "what differs is OVERWRITTEN there by what is here;",
            "what goes is shown before, and kept in a backup",
        ],
        SyncMode::OneWaySafeFromHost => &[
            "what is only there comes here, what is only here stays here,",
            "what differs is left alone here and listed as a conflict",
        ],
        SyncMode::OneWayReplicaFromHost => &[
            "what is only there comes here, what is only here is DELETED here,",
            "what differs is OVERWRITTEN here by what is there;",
            "what goes is shown before, and kept in a backup",
        ],
        SyncMode::None => &["both directories stay as they are: in mode none nothing is synced"],
    }
}

/// How the sync goes on.
pub(super) fn goes_on(mode: SyncMode) -> &'static str {
    match mode.source() {
        None => "the sync goes on both ways",
        Some(Side::Local) => "the sync goes on to the host",
        Some(Side::Remote) => "the sync goes on from the host",
    }
}

/// What the receiving side of a `one-way-safe` has more, which is as it should be.
pub(super) fn more(session: &SyncSession) -> Option<String> {
    let (side, count) = session.more()?;
    let stay = if count == 1 { "stays" } else { "stay" };
    let place = if side == Side::Local { "here" } else { "there" };
    Some(format!("{} only {side}, and {stay} {place}", plural(count, "file is", "files are")))
}

/// Nothing is made like a side that only receives.
///
/// # Errors
/// The mode does not let this side win.
pub(super) fn check_winner(mode: SyncMode, winner: Side) -> anyhow::Result<()> {
    let (way, other) = match (mode.source(), winner) {
        (Some(Side::Local), Side::Remote) => ("nothing comes from the host", "pull"),
        (Some(Side::Remote), Side::Local) => ("nothing goes to the host", "push"),
        _ => return Ok(()),
    };
    let message = format!("in mode {} {way}", mode.word());
    Err(Failure::new(Kind::Failed, message).hint(format!("`SINC_MODE=two-way-safe sinc {other}`")).into())
}

/// Nothing that is about a sync goes on without one.
///
/// # Errors
/// The session has none, because its mode is `none`.
pub(super) fn refuse_without(record: &Record) -> anyhow::Result<()> {
    if !record.no_sync {
        return Ok(());
    }
    let message = format!("the session {} on {} has no sync: its mode is none", record.id, record.host);
    Err(Failure::new(Kind::Failed, message)
        .hint("another `mode` under `[sync]` in the config, then `sinc`, and files are synced")
        .into())
}
