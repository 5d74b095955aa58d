//! Which backups may go: pure.

use super::Backup;

/// How long and how much is kept, for each session and side.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Days.
    pub days: u64,
    /// KiB.
    pub kib: u64,
}

/// A backup stays so long at least, seconds: nothing may go that was moved aside just now.
const AT_LEAST: u64 = 86_400;

impl Limits {
    /// What was kept before this time, seconds since 1970, is older than the limit, and not of the last day.
    #[must_use]
    pub fn before(self, now: u64) -> u64 {
        now.saturating_sub((self.days * 86_400).max(AT_LEAST))
    }
}

/// The names of the backups that may be removed: older than the limit, and then the oldest until the rest fits. Never one
/// whose conflict may still be open, because it may be the only copy; never the newest, and never one of the last day, even
/// where these alone are more than the limit.
#[must_use]
pub fn outdated(backups: &[Backup], limits: Limits, now: u64) -> Vec<String> {
    let mut by_age: Vec<&Backup> = backups.iter().collect();
    by_age.sort_by(|a, b| (b.made, &b.name).cmp(&(a.made, &a.name)));
    let mut kept = 0_u64;
    let mut gone = Vec::new();
    for (index, backup) in by_age.into_iter().enumerate() {
        let age = now.saturating_sub(backup.made);
        let too_old = age > limits.days * 86_400;
        let too_much = kept.saturating_add(backup.kib) > limits.kib;
        if index > 0 && age >= AT_LEAST && backup.settled && (too_old || too_much) {
            gone.push(backup.name.clone());
        } else {
            kept = kept.saturating_add(backup.kib);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(name: &str, days_old: u64, kib: u64, settled: bool) -> Backup {
        Backup { name: name.to_owned(), made: (100 - days_old) * 86_400, kib, settled, ..Backup::default() }
    }

    #[test]
    fn old_and_large_ones_go_but_never_an_open_one_or_the_newest() {
        let all = [
            backup("open", 90, 10, false),
            backup("old", 40, 10, true),
            backup("big", 20, 900, true),
            backup("middle", 10, 500, true),
            backup("new", 0, 600, true),
        ];
        let limits = Limits { days: 30, kib: 1200 };
        assert_eq!(outdated(&all, limits, 100 * 86_400), ["big", "old"]);
        assert!(outdated(&all[..1], limits, 100 * 86_400).is_empty());
        let huge = [backup("huge", 0, 5000, true)];
        assert!(outdated(&huge, limits, 100 * 86_400).is_empty());
    }

    #[test]
    fn what_is_too_old_is_more_than_a_day_old() {
        let before = |days| Limits { days, kib: 0 }.before(100 * 86_400);
        assert_eq!((before(30), before(1), before(0)), (70 * 86_400, 99 * 86_400, 99 * 86_400));
        assert_eq!(before(1000), 0);
    }

    #[test]
    fn what_was_moved_aside_today_stays_whatever_its_size() {
        let limits = Limits { days: 30, kib: 1200 };
        // The batches of one `resolve --all`, and an older one, which makes room.
        let mut all = vec![backup("yesterday", 1, 10, true)];
        all.extend(["first", "second", "third"].map(|name| backup(name, 0, 900, true)));
        assert_eq!(outdated(&all, limits, 100 * 86_400), ["yesterday"]);
        assert_eq!(outdated(&all, Limits { days: 0, kib: 0 }, 100 * 86_400 + 5), ["yesterday"]);
    }
}
