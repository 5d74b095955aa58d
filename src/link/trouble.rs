//! Why a session is not synced although it should be, and when a person is told: what is over in a moment is not worth a word.
//! Pure.

use std::time::{Duration, Instant};

/// How long it lasts before it is told.
const LASTS: Duration = Duration::from_secs(60);

/// One session's trouble.
#[derive(Debug, Default)]
pub struct Trouble {
    now: Option<(Instant, String)>,
    /// Was it told that there is one, or that there is none? Not known at first: an earlier link may have told.
    told: Option<bool>,
}

impl Trouble {
    /// How it is now: why nothing, or not everything, is synced.
    pub fn note(&mut self, at: Instant, why: Option<String>) {
        self.now = why.map(|why| (self.now.as_ref().map_or(at, |(since, _)| *since), why));
    }

    /// What is to be told now: why, or that it is over.
    pub fn next(&mut self, at: Instant) -> Option<Option<String>> {
        let why = match &self.now {
            Some((since, why)) if at.duration_since(*since) >= LASTS => Some(why.clone()),
            Some(_) => return None,
            None => None,
        };
        (self.told.replace(why.is_some()) != Some(why.is_some())).then_some(why)
    }

    /// What was told may not be shown any more, or never was: it is told again.
    pub fn untold(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_that_it_is_over_too() {
        let (mut trouble, start) = (Trouble::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let why = |text: &str| Some(text.to_owned());
        assert_eq!(trouble.next(start), Some(None), "an earlier link may have told");
        assert_eq!(trouble.next(start), None);
        trouble.note(after(0), why("full"));
        trouble.note(after(50), why("still full"));
        assert_eq!(trouble.next(after(59)), None);
        assert_eq!(trouble.next(after(60)), Some(why("still full")));
        trouble.note(after(70), why("other words"));
        assert_eq!(trouble.next(after(200)), None, "once");
        trouble.note(after(201), None);
        assert_eq!(trouble.next(after(201)), Some(None));
        // One that comes and goes.
        trouble.note(after(210), why("full"));
        trouble.note(after(211), None);
        assert_eq!(trouble.next(after(300)), None);
        trouble.untold();
        assert_eq!(trouble.next(after(301)), Some(None));
    }
}
