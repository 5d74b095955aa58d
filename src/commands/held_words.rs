//! A sync that is held, because its next cycle would delete too much: said the same everywhere, with the ways out.

use super::context::Context;
use crate::failure::{Failure, Kind};
use crate::state::{Held, HeldSide, Record};
use crate::ui::count;

/// "812 of 1,000 files are missing here".
pub(super) fn missing(held: &Held) -> String {
    let place = match held.side {
        HeldSide::Local => "here",
        HeldSide::Remote => "on the host",
    };
    format!("{} of {} files are missing {place}", count(held.missing), count(held.of))
}

/// What leads out.
pub(super) fn ways(held: &Held, id: &str) -> [String; 2] {
    let (from, too) = match held.side {
        HeldSide::Local => ("from the host", "on the host too"),
        HeldSide::Remote => ("from here", "here too"),
    };
    [
        format!("`sinc resume {id} --restore` brings them back {from}"),
        format!("`sinc resume {id} --allow-deletions` deletes them {too}"),
    ]
}

fn what(record: &Record, held: &Held) -> String {
    format!("the sync of {} is held: {}", record.id, missing(held))
}

/// Says it, where the work goes on without the sync.
pub(super) fn tell(ctx: &Context, record: &Record, held: &Held) {
    ctx.ui.warn(&what(record, held));
    for way in ways(held, &record.id) {
        ctx.ui.hint(&way);
    }
}

/// Nothing goes on with a sync that is held.
///
/// # Errors
/// It is.
pub(super) fn refuse(record: &Record) -> anyhow::Result<()> {
    record.held.as_ref().map_or(Ok(()), |held| Err(failure(record, held)))
}

/// Says it, where nothing goes on.
pub(super) fn failure(record: &Record, held: &Held) -> anyhow::Error {
    let failure = Failure::new(Kind::Failed, what(record, held));
    ways(held, &record.id).into_iter().fold(failure, Failure::hint).into()
}
