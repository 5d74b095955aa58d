//! Cycles that were checked: asked for, waited for, and looked at afterwards.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::client::Mutagen;
use super::commands::Selector;
use super::error::{MutagenError, explain, is_daemon_lost};
use super::model::{Problem, ProblemStage, SyncSession};
use super::movement::{Movement, Patience};
use super::progress::{Phase, Progress};
use super::status::{Halt, Side};
use crate::process::{Done, Outcome, ProcessError, interrupted};

/// How many cycles are asked for until one finds both sides equal. A cycle counts before it applies, so after one
/// that had something to do only the next can prove it.
const CYCLES: u32 = 3;

/// What a checked cycle came to.
#[derive(Clone, Debug, PartialEq)]
pub enum CycleResult {
    /// Everything is on both sides; in `one-way-safe`, everything of the one side is on the other, which may have more
    /// ([`SyncSession::more`]).
    Equal,
    /// The sides have changes that exclude each other; everything else is on both.
    Conflicts(
        /// How many.
        u64,
    ),
    /// Something could not be synced. If all problems are of the stage [`ProblemStage::Scan`], everything else
    /// is on both sides.
    Problems {
        /// How many.
        count: u64,
        /// Those that Mutagen lists.
        listed: Vec<Problem>,
    },
    /// Several cycles ended well, but each found new changes: somebody writes at this moment. All that was there
    /// when it was asked is on both sides.
    StillChanging,
    /// Mutagen stopped the session until a person decides.
    Halted(Halt),
    /// The session is paused.
    Paused,
    /// A side is not connected. Mutagen goes on trying.
    Disconnected(
        /// Its last error, if it said one.
        Option<String>,
    ),
    /// The deadline passed.
    TimedOut {
        /// How long nothing moved, or the deadline of a flush.
        after: Duration,
        /// What it was busy with.
        phase: Phase,
        /// The last error, if there was one.
        last_error: Option<String>,
    },
    /// A dry run: the command was shown, nothing was asked for.
    WouldRun,
}

impl fmt::Display for CycleResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: &u64| if *n == 1 { "" } else { "s" };
        match self {
            Self::Equal => f.write_str("both sides are equal"),
            Self::Conflicts(count) => write!(f, "{count} conflict{}", plural(count)),
            Self::Problems { count, .. } => write!(f, "{count} problem{}", plural(count)),
            Self::StillChanging => f.write_str("files are being changed at this moment"),
            Self::Halted(halt) => write!(f, "halted: {halt}"),
            Self::Paused => f.write_str("paused"),
            Self::Disconnected(None) => f.write_str("not connected"),
            Self::Disconnected(Some(error)) => write!(f, "not connected: {error}"),
            Self::TimedOut { after, last_error, .. } => {
                write!(f, "nothing moved for {:.0} s", after.as_secs_f64())?;
                last_error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            Self::WouldRun => f.write_str("not asked for in a dry run"),
        }
    }
}

/// A checked cycle: what it came to, and the session as it was seen right after.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it came to.
    pub result: CycleResult,
    /// The session.
    pub session: SyncSession,
}

/// What keeps a session from syncing at all.
fn stopped(session: &SyncSession) -> Option<CycleResult> {
    if session.is_paused() {
        return Some(CycleResult::Paused);
    }
    if let Some(halt) = session.halt() {
        return Some(CycleResult::Halted(halt));
    }
    (!session.is_connected()).then(|| CycleResult::Disconnected(last_error(session)))
}

fn last_error(session: &SyncSession) -> Option<String> {
    (!session.last_error.is_empty()).then(|| session.last_error.clone())
}

/// What the session shows after a cycle that was asked for has ended. The status may be that of the cycle after
/// it, which Mutagen's own writing sets off.
fn after_cycle(session: &SyncSession) -> CycleResult {
    if let Some(stopped) = stopped(session) {
        return stopped;
    }
    let listed = session.problems();
    let blocked = listed.iter().any(|problem| problem.stage == ProblemStage::Apply);
    if session.conflict_count() > 0 && !blocked {
        return CycleResult::Conflicts(session.conflict_count());
    }
    if session.problem_count() > 0 {
        return CycleResult::Problems { count: session.problem_count(), listed };
    }
    if session.successful_cycles > 0 && session.counts_agree() {
        CycleResult::Equal
    } else {
        CycleResult::StillChanging
    }
}

/// A flush that failed as a command says less than the session itself; every other failure stays one.
fn failed_command(flushed: Result<Done, MutagenError>) -> Result<Option<Box<ProcessError>>, MutagenError> {
    match flushed {
        Ok(_) => Ok(None),
        Err(MutagenError::Command(error)) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// What a flush came to, by how it failed and what the session shows.
fn after_flush(failed: Option<&ProcessError>, session: &SyncSession) -> CycleResult {
    let Some(error) = failed else { return after_cycle(session) };
    stopped(session).unwrap_or_else(|| match error.outcome() {
        Outcome::TimedOut(after) => CycleResult::TimedOut {
            after: *after,
            phase: session.progress().phase,
            last_error: last_error(session),
        },
        _ => {
            let said = error.stderr().trim().trim_start_matches("Error: ").to_owned();
            CycleResult::Disconnected(last_error(session).or(Some(said)))
        }
    })
}

/// Could another cycle come to something better? A file that changes while it is copied is a problem in this
/// cycle and none in the next.
fn is_worth_another(checked: &Checked) -> bool {
    match &checked.result {
        CycleResult::StillChanging => true,
        CycleResult::Problems { listed, .. } => {
            !checked.session.counts_agree() || listed.iter().any(|p| p.stage == ProblemStage::Apply)
        }
        _ => false,
    }
}

impl Mutagen {
    /// Asks for a cycle, waits for it, and looks at what came of it. `flush` ending well proves nothing: with the
    /// remote directory's parent missing it does too.
    ///
    /// # Errors
    /// There is no such session, or Mutagen cannot be asked. What the session says is no error.
    pub fn flush_checked(&self, id: &str, deadline: Duration) -> Result<Checked, MutagenError> {
        self.flush_looked(id, deadline, &mut |_| Ok(()))
    }

    /// As [`Mutagen::flush_checked`], and before each cycle more than the first one `look` says whether it may be asked for. It
    /// is told how much time is left.
    ///
    /// # Errors
    /// As there, and what `look` says.
    pub fn flush_looked<E: From<MutagenError>>(
        &self,
        id: &str,
        deadline: Duration,
        look: &mut dyn FnMut(Duration) -> Result<(), E>,
    ) -> Result<Checked, E> {
        if self.runner().is_dry_run() {
            self.flush(id, deadline)?;
            return Ok(Checked { result: CycleResult::WouldRun, session: self.session(id)? });
        }
        let end = Instant::now() + deadline;
        let mut checked = self.flush_once(id, deadline)?;
        for _ in 1..CYCLES {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !is_worth_another(&checked) {
                break;
            }
            look(left)?;
            let next = self.flush_once(id, left)?;
            // A second cycle that did not fit into the time takes nothing from the first.
            if matches!(next.result, CycleResult::TimedOut { .. }) {
                break;
            }
            checked = next;
        }
        Ok(checked)
    }

    fn flush_once(&self, id: &str, deadline: Duration) -> Result<Checked, MutagenError> {
        let failed = failed_command(self.flush(id, deadline))?;
        // Mutagen's own reason is only "not currently able to": the session tells more.
        let session = self.session(id)?;
        Ok(Checked { result: after_flush(failed.as_deref(), &session), session })
    }

    /// As [`Mutagen::flush_checked`], for all sessions that the selector means and with one `list` after the flush
    /// instead of one before and one after: for a question that somebody waits for. None is no error. `look` as for
    /// [`Mutagen::flush_looked`].
    ///
    /// # Errors
    /// Mutagen cannot be asked, and what `look` says.
    pub fn check<E: From<MutagenError>>(
        &self,
        selector: &Selector,
        deadline: Duration,
        look: &mut dyn FnMut(Duration) -> Result<(), E>,
    ) -> Result<Vec<Checked>, E> {
        let end = Instant::now() + deadline;
        let (done, moment) = channel();
        let (flushed, listed) = std::thread::scope(|scope| {
            let listed = scope.spawn(|| self.list_at(selector, moment, deadline));
            let flushed = self.flush_all(selector, deadline);
            drop(done);
            (flushed, listed.join().ok().flatten())
        });
        let flushed = match flushed {
            Err(MutagenError::NoSuchSession(_)) => return Ok(Vec::new()),
            flushed => flushed,
        };
        let would_run = matches!(flushed, Ok(Done::WouldRun));
        let failed = failed_command(flushed)?;
        let mut all = Vec::new();
        for session in listed.map_or_else(|| self.list(selector), Ok)? {
            let result = match would_run {
                true => CycleResult::WouldRun,
                false => after_flush(failed.as_deref(), &session),
            };
            let left = end.saturating_duration_since(Instant::now());
            let checked = Checked { result, session };
            if left.is_zero() || !is_worth_another(&checked) {
                all.push(checked);
                continue;
            }
            // A second cycle that did not fit into the time takes nothing from the first.
            look(left)?;
            let next = self.flush_looked(&checked.session.identifier, left, look)?;
            all.push(if matches!(next.result, CycleResult::TimedOut { .. }) { checked } else { next });
        }
        Ok(all)
    }

    /// Waits for the first cycle of a session, tells how far it is, and checks what came of it with a cycle more.
    /// There is no limit to how long it takes, only to how long nothing moves.
    ///
    /// # Errors
    /// There is no such session (any more), Mutagen cannot be asked, or a signal came. What the session says is no
    /// error.
    pub fn wait_first_cycle(
        &self,
        id: &str,
        patience: Patience,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Checked, MutagenError> {
        let mut movement = Movement::new(Instant::now(), patience);
        loop {
            interrupted().map_err(MutagenError::Interrupted)?;
            let Some(left) = movement.time_left(Instant::now()) else {
                let session = self.session(id)?;
                let result = stopped(&session).unwrap_or_else(|| CycleResult::TimedOut {
                    after: movement.allowed(),
                    phase: session.progress().phase,
                    last_error: last_error(&session),
                });
                return Ok(Checked { result, session });
            };
            match self.monitor(id, left, &mut movement, report)? {
                None => {}
                Some(session) if session.is_paused() || session.halt().is_some() => {
                    return Ok(Checked { result: after_cycle(&session), session });
                }
                Some(_) => {
                    return self.flush_checked(id, patience.busy);
                }
            }
        }
    }

    /// Watches until the session has completed a cycle, or stopped for a person; nothing if that took too long.
    fn monitor(
        &self,
        id: &str,
        deadline: Duration,
        movement: &mut Movement,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Option<SyncSession>, MutagenError> {
        let cmd = self.monitor_cmd(id, deadline);
        let (mut end, mut asked) = (None, false);
        let ended = self.runner().lines(&cmd, &mut |line| {
            // Each array ends with a line break of its own, so there are empty lines between them.
            if line.trim().is_empty() {
                return ControlFlow::Continue(());
            }
            match SyncSession::parse_list(line).map(|sessions| sessions.into_iter().next()) {
                Err(_) => {
                    end = Some(Err(MutagenError::Answer {
                        why: cmd.why().to_owned(),
                        answer: line.to_owned(),
                    }));
                }
                Ok(None) => end = Some(Err(MutagenError::NoSuchSession(id.to_owned()))),
                Ok(Some(session)) => {
                    let progress = session.progress();
                    movement.note(&progress, Instant::now());
                    report(&progress);
                    match progress.phase {
                        Phase::Paused | Phase::Halted => end = Some(Ok(session)),
                        // A session that does not watch runs no cycle by itself, not even the first.
                        Phase::Watching if progress.cycles == 0 && !asked => {
                            asked = self.runner().answer(&self.ask_cmd(id)).is_ok();
                            return ControlFlow::Continue(());
                        }
                        // The next cycle, which Mutagen's own writing sets off, may have begun: it need not end.
                        Phase::Watching | Phase::Scanning | Phase::Comparing if progress.cycles > 0 => {
                            end = Some(Ok(session));
                        }
                        _ => return ControlFlow::Continue(()),
                    }
                }
            }
            ControlFlow::Break(())
        });
        if let Some(end) = end {
            return end.map(Some);
        }
        match ended {
            Err(error) if matches!(error.outcome(), Outcome::TimedOut(_)) => Ok(None),
            // Somebody restarted the daemon: watching again starts the new one, and the session goes on.
            Err(error) if is_daemon_lost(&error) => Ok(None),
            Err(error) => Err(explain(error, id, Side::Local)),
            Ok(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Runner;
    use crate::tools::mutagen::model::tests::sample;
    use crate::tools::mutagen::test_kit::write_program;

    #[test]
    fn before_each_cycle_more_than_the_first_it_is_asked_whether_it_may_begin() {
        let dir = tempfile::tempdir().unwrap();
        let (program, asked) = (dir.path().join("mutagen"), dir.path().join("asked"));
        let script = format!(
            "#!/bin/sh\ncase $* in *list*) cat <<'X'\n{}\nX\n;; *flush*) echo x >>'{}';; esac\n",
            include_str!("samples/staging.json"),
            asked.display()
        );
        write_program(&program, &script);
        // One is saved, so that Mutagen is asked.
        std::fs::create_dir(dir.path().join("sessions")).unwrap();
        std::fs::write(dir.path().join("sessions/sync_1"), "").unwrap();
        let mutagen = Mutagen::new(program, dir.path(), "/s", Runner::default()).unwrap();
        let id = sample!("staging").identifier;
        let cycles = || std::fs::read_to_string(&asked).unwrap_or_default().lines().count();
        let minute = Duration::from_secs(60);
        let mut looks = 0;
        let checked = mutagen.flush_looked(&id, minute, &mut |_| {
            looks += 1;
            Ok::<(), MutagenError>(())
        });
        assert_eq!((checked.unwrap().result, cycles(), looks), (CycleResult::StillChanging, 3, 2));
        let refused = |_| Err(anyhow::anyhow!("held"));
        let error = mutagen.flush_looked(&id, minute, &mut { refused }).unwrap_err();
        assert_eq!((error.to_string().as_str(), cycles()), ("held", 4));
        let error = mutagen.check(&Selector::Identifier(id), minute, &mut { refused }).unwrap_err();
        assert_eq!((error.to_string().as_str(), cycles()), ("held", 5));
    }

    #[test]
    fn what_a_session_shows_after_a_cycle() {
        assert_eq!(after_cycle(&sample!("in_sync")), CycleResult::Equal);
        assert_eq!(after_cycle(&sample!("paused")), CycleResult::Paused);
        assert_eq!(after_cycle(&sample!("conflicts")), CycleResult::Conflicts(7));
        assert!(matches!(after_cycle(&sample!("missing_parent")), CycleResult::Problems { count: 1, .. }));
        assert_eq!(
            after_cycle(&sample!("emptied")).to_string(),
            "halted: the directory was emptied on the host"
        );
        let cut = after_cycle(&sample!("line_cut"));
        assert!(matches!(&cut, CycleResult::Disconnected(Some(error)) if error.contains("unexpected EOF")));
        assert_eq!(after_cycle(&sample!("staging")), CycleResult::StillChanging);
    }
}
