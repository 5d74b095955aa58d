//! How patiently the line is tried, and when again (pure). A try that is given up after the host has taken the connection is
//! a connection without a login for its sshd: OpenSSH from 9.8 on shuts an address out that has about 15 of them at once.

use std::time::Duration;

use crate::remote::{Why, classify};

/// So many tries are made soon one after the other, then so many with a little more time between them: one that is made while
/// the line comes back has lost its first packet, so it is the next one that meets it, and with the login and Mutagen's it is to
/// be there within three seconds. For a host that is away for longer there are pauses.
const EAGER: u32 = 150;
const HOURS: u32 = 6000;
const LEAST_PAUSE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(1250);
const MOST_PAUSE: Duration = Duration::from_secs(5);

/// A login that is refused, or a host that is another one, is tried again this seldom: a person has to see to it.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// So many tries go on side by side: one waits a second for its first packet to be answered.
const AT_ONCE: usize = 2;

/// How long the most patient try waits, seconds.
const LONGEST: u32 = 10;

/// The tries since the line was there last.
#[derive(Debug, Default)]
pub(super) struct Tries {
    made: u32,
    met: Met,
}

/// What the last one met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Met {
    /// No answer, or anything else.
    #[default]
    Silence,
    /// The host takes connections, and says nothing: it is slow.
    Slow,
    /// The host ends connections before it says anything: they are too many, or this address is shut out.
    Away,
    /// Something that a person has to see to. To be refused again and again could get this address shut out.
    Refusal,
}

impl Met {
    fn of(why: &str) -> Self {
        match classify(why) {
            Why::LoginRefused | Why::HostKeyUnknown | Why::HostKeyChanged | Why::SshConfig => Self::Refusal,
            Why::TurnedAway => Self::Away,
            Why::TimedOut if why.contains("during banner exchange") => Self::Slow,
            _ => Self::Silence,
        }
    }
}

impl Tries {
    /// How long the next one waits for the host's first words, seconds. A packet that was sent before the line was back is
    /// sent again only after 1 s, 2 s more and 4 s more, so a new try is sooner. A slow host, or one behind others, needs more
    /// now and then, beside which the others go on; the first one of all has nothing to hurry for.
    pub(super) fn begin(&mut self, lost: bool) -> u32 {
        let patience = match self.made % 12 {
            _ if !lost || self.met == Met::Slow => LONGEST,
            11 => LONGEST,
            _ => 1,
        };
        self.made += 1;
        patience
    }

    /// May another one begin beside those?
    pub(super) fn beside(&self, going_on: usize) -> bool {
        // A line that comes back is met by the next try, not by the next packet of the one before.
        self.made < HOURS && going_on < AT_ONCE && self.met == Met::Silence
    }

    /// How long after the beginning of one the next one begins.
    fn soon(&self) -> Duration {
        if self.made < EAGER { LEAST_PAUSE } else { PAUSE }
    }

    /// One is over, with these words.
    pub(super) fn over(&mut self, why: &str) -> Met {
        self.met = Met::of(why);
        self.met
    }

    /// When the next one begins, where the last one began so long ago.
    pub(super) fn pause(&self, since: Duration) -> Duration {
        match self.met {
            Met::Refusal => REFUSED_PAUSE,
            Met::Away => MOST_PAUSE,
            Met::Slow | Met::Silence if self.made >= HOURS => MOST_PAUSE,
            // One that waited for the host has been a pause itself.
            Met::Slow | Met::Silence => self.soon().saturating_sub(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: &str =
        "Connection timed out during banner exchange\nConnection to 192.0.2.1 port 22 timed out\n";
    const AWAY: &str = "kex_exchange_identification: read: Connection reset by peer\n";
    const DEAD: &str = "ssh: connect to host 192.0.2.1 port 22: Connection timed out\n";

    /// How often a host that answers so, after that try's patience, is tried within a minute.
    fn in_a_minute(why: &str, answers_at_once: bool) -> u32 {
        let (mut tries, mut at) = (Tries::default(), Duration::ZERO);
        while at < Duration::from_secs(60) {
            let patience = Duration::from_secs(tries.begin(true).into());
            let took = if answers_at_once { Duration::ZERO } else { patience };
            tries.over(why);
            at += took + tries.pause(took);
        }
        tries.made
    }

    #[test]
    fn a_line_that_comes_back_is_met_at_once_and_a_slow_host_is_not_run_down() {
        assert!(in_a_minute(DEAD, false) > 25, "{}", in_a_minute(DEAD, false));
        assert!(in_a_minute(SLOW, false) < 9, "{}", in_a_minute(SLOW, false));
        assert!(in_a_minute(AWAY, true) < 14, "{}", in_a_minute(AWAY, true));
        assert_eq!(in_a_minute("dev@192.0.2.1: Permission denied (publickey).\n", true), 1);
    }

    #[test]
    fn tries_go_on_side_by_side_only_where_nobody_answers() {
        let mut tries = Tries::default();
        assert_eq!(tries.begin(false), LONGEST, "the first one of all");
        assert!(tries.beside(1) && !tries.beside(2));
        assert_eq!(tries.over(SLOW), Met::Slow);
        assert!(!tries.beside(1));
        assert_eq!(tries.over(DEAD), Met::Silence);
        assert!(tries.beside(1));
        tries.made = HOURS;
        assert!(!tries.beside(1));
        assert_eq!(tries.pause(Duration::ZERO), MOST_PAUSE);
    }

    /// The longest time between two tries' beginnings while the line is dead, from that try on, as the engine begins them.
    fn longest_gap(from: u32) -> Duration {
        let mut tries = Tries { made: from, met: Met::Silence };
        let (mut ends, mut now, mut longest) = (Vec::new(), Duration::ZERO, Duration::ZERO);
        for _ in 0..40 {
            let begun = now;
            ends.push(begun + Duration::from_secs(tries.begin(true).into()));
            let mut next = tries.beside(ends.len()).then(|| begun + tries.pause(Duration::ZERO));
            while let Some(end) = ends.iter().min().copied().filter(|end| next.is_none_or(|at| *end <= at)) {
                ends.retain(|other| *other != end);
                tries.over(DEAD);
                if ends.is_empty() {
                    next = Some(end + tries.pause(end - begun));
                } else if tries.beside(ends.len()) {
                    next = next.or(Some(end + tries.pause(end - begun)));
                }
            }
            now = next.unwrap();
            longest = longest.max(now - begun);
        }
        longest
    }

    #[test]
    fn a_line_that_was_away_for_an_hour_is_met_as_soon_as_one_that_was_for_a_moment() {
        assert!(longest_gap(1) <= Duration::from_secs(1), "{:?}", longest_gap(1));
        assert!(longest_gap(1000) <= PAUSE, "{:?}", longest_gap(1000));
        assert!(longest_gap(HOURS) >= MOST_PAUSE);
    }
}
