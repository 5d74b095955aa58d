//! What is done about a session's conflicts beside its cycles: one thing at a time. Pure.

use crate::state::Noted;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Tell a person of these, then tell [`Attention::told`].
    Tell(Noted),
}

/// One session's conflicts.
#[derive(Debug, Default)]
pub struct Attention {
    /// Those that the last completed cycle left.
    open: Option<Noted>,
    /// Those that were told of last.
    told: Option<Noted>,
    busy: bool,
}

impl Attention {
    /// A cycle was completed, and left these.
    pub fn cycled(&mut self, open: Noted) {
        self.open = Some(open);
    }

    /// What is to be done now: after a cycle, and after each thing that was done well.
    pub fn next(&mut self) -> Next {
        match &self.open {
            Some(open) if !self.busy && self.told.as_ref() != Some(open) => {
                self.busy = true;
                Next::Tell(open.clone())
            }
            _ => Next::Nothing,
        }
    }

    /// A person was told of these, or could not be: the next cycle tries again.
    pub fn told(&mut self, what: Noted, well: bool) {
        self.busy = false;
        if well {
            self.told = Some(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(count: u64) -> Noted {
        Noted { count, paths: Vec::new() }
    }

    #[test]
    fn each_change_is_told_once_and_one_at_a_time() {
        let mut attention = Attention::default();
        assert_eq!(attention.next(), Next::Nothing, "no cycle has told yet");
        attention.cycled(noted(1));
        assert_eq!(attention.next(), Next::Tell(noted(1)));
        attention.cycled(noted(0));
        assert_eq!(attention.next(), Next::Nothing, "it is still being told");
        attention.told(noted(1), true);
        assert_eq!(attention.next(), Next::Tell(noted(0)));
        attention.told(noted(0), false);
        attention.cycled(noted(0));
        assert_eq!(attention.next(), Next::Tell(noted(0)), "it could not be told before");
        attention.told(noted(0), true);
        attention.cycled(noted(0));
        assert_eq!(attention.next(), Next::Nothing);
    }
}
