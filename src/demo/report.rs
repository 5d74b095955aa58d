//! What a tour measured, as data and as a table.

use std::time::Duration;

use serde::Serialize;

/// What a tour measured. Times are whole milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// How many files the sample project has.
    pub files: u64,
    /// How many bytes they hold.
    pub bytes: u64,
    /// From `sinc` in a project that the host does not know to the agent's text on the screen, all files there.
    pub first_connect_ms: u64,
    /// From `sinc` to the agent's text on the screen, when the session exists and its connection is still up.
    pub reconnect_ms: u64,
    /// From an edit on this side to the same bytes on the host.
    pub edit_to_host: Edits,
    /// From an edit on the host to the same bytes on this side.
    pub edit_to_here: Edits,
    /// The files that were changed on both sides and then listed as conflicts, nothing lost.
    pub conflicts: Vec<String>,
}

/// Edits of several files in one direction, each file for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Edits {
    /// How many.
    pub count: u64,
    /// The time that half of them took at most.
    pub median_ms: u64,
    /// The time that the slowest took.
    pub slowest_ms: u64,
}

impl Edits {
    pub(super) fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |index: usize| times.get(index).copied().map_or(0, ms);
        Self {
            count: times.len() as u64,
            median_ms: at(times.len() / 2),
            slowest_ms: at(times.len().saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Edits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", time(self.median_ms))?;
        if self.count > 1 {
            write!(f, " (median of {} files; {} at most)", self.count, time(self.slowest_ms))?;
        }
        Ok(())
    }
}

impl Numbers {
    /// The table that ends a tour.
    #[must_use]
    pub fn table(&self) -> String {
        let rows = [
            (format!("first connect, {} files", self.files), time(self.first_connect_ms)),
            ("coming back, connection still up".to_owned(), time(self.reconnect_ms)),
            ("an edit here, until it is there".to_owned(), self.edit_to_host.to_string()),
            ("an edit there, until it is here".to_owned(), self.edit_to_here.to_string()),
            ("a file changed on both sides".to_owned(), "a conflict, listed, nothing lost".to_owned()),
        ];
        let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        let mut table = String::new();
        for (what, value) in rows {
            table.push_str(&format!("  {what:<width$}  {value}\n"));
        }
        table
    }
}

/// A time as a person reads it.
#[must_use]
pub fn time(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{:02} s", ms / 1000, ms % 1000 / 10) }
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned() {
        let numbers = Numbers {
            files: 203,
            bytes: 1,
            first_connect_ms: 1934,
            reconnect_ms: 87,
            edit_to_host: Edits { count: 3, median_ms: 999, slowest_ms: 1999 },
            edit_to_here: Edits { count: 1, median_ms: 12_345, slowest_ms: 12_345 },
            conflicts: vec!["notes.md".to_owned()],
        };
        let expected = "
  first connect, 203 files          1.93 s
  coming back, connection still up  87 ms
  an edit here, until it is there   999 ms (median of 3 files; 1.99 s at most)
  an edit there, until it is here   12.34 s
  a file changed on both sides      a conflict, listed, nothing lost
";
        assert_eq!(format!("\n{}", numbers.table()), expected);
    }

    #[test]
    fn one_slow_edit_does_not_move_the_median() {
        let edits = Edits::of(&mut [5, 900, 4].map(Duration::from_millis));
        assert_eq!(edits, Edits { count: 3, median_ms: 5, slowest_ms: 900 });
        assert_eq!(Edits::of(&mut []), Edits::default());
    }
}
