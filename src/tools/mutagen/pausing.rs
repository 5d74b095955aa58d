//! Sessions paused and resumed. A session is also paused and resumed only to connect anew, and whoever wants it to stay paused may
//! come in the middle of that. So each wish is noted before it is carried out, and who has a session run looks afterwards
//! whether there was another wish meanwhile, until it is as it was wanted last.

use std::time::{Duration, Instant};

use super::client::{Mutagen, done};
use super::error::MutagenError;
use super::model::SyncSession;
use super::status::Side;
use super::wish::{Want, Wish, Wishes};
use crate::process::Done;

/// Less than this passes between the two commands that connect a session anew, on a busy machine too.
const CONNECTS_WITHIN: Duration = Duration::from_secs(3);

/// Less than this passes until a cycle that the link stopped, because much was being deleted, is let go on or held.
const GOES_ON_WITHIN: Duration = Duration::from_secs(10);

impl Mutagen {
    fn wishes(&self) -> Wishes {
        Wishes(self.data_dir.with_file_name("mutagen-wishes"))
    }

    fn wish(&self, id: &str) -> Option<Wish> {
        self.wishes().get(id)
    }

    fn note_wish(&self, id: &str, want: Want) {
        if !self.runner().is_dry_run() {
            self.wishes().note(id, want);
        }
    }

    /// The session has ended.
    pub(super) fn forget_wish(&self, id: &str) {
        if !self.runner().is_dry_run() {
            self.wishes().forget(id);
        }
    }

    /// Pauses a session.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn pause(&self, id: &str) -> Result<Done, MutagenError> {
        self.stays_paused(id);
        let paused = self.pause_now(id);
        // Once more: who began to connect it anew between the two has read the first one as an old wish.
        self.stays_paused(id);
        paused
    }

    /// Pauses a session until its files have been looked at: [`Mutagen::go_on`], or [`Mutagen::stays_paused`].
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn stop(&self, id: &str) -> Result<Done, MutagenError> {
        if self.runner().is_dry_run() {
            return self.pause_now(id);
        }
        loop {
            let before = self.wish(id);
            // One that a person has paused stays so.
            let wants_paused = before.as_ref().is_some_and(|wish| wish.want() == Some(Want::Paused));
            if wants_paused && self.session(id)?.is_paused()
                || self.wishes().replace(id, before.as_ref(), Want::Stopped).is_some()
            {
                return self.pause_now(id);
            }
        }
    }

    /// The same for one that may be paused already: one that is so, and not for a while only, is taken for one that a person has
    /// paused, whoever did it.
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn stand_still(&self, id: &str) -> Result<Done, MutagenError> {
        if self.runner().is_dry_run() {
            return self.pause_now(id);
        }
        loop {
            let before = self.wish(id);
            let is_for_a_while = before.as_ref().is_some_and(Wish::is_for_a_while);
            let stays = !is_for_a_while && self.session(id)?.is_paused();
            let want = if stays { Want::Paused } else { Want::Stopped };
            if self.wishes().replace(id, before.as_ref(), want).is_some() {
                return self.pause_now(id);
            }
        }
    }

    /// Resumes a session that [`Mutagen::stop`] has paused, unless somebody wants it to stay so by now.
    ///
    /// # Errors
    /// A side cannot be reached (Mutagen goes on trying), or there is no such session.
    pub fn go_on(&self, id: &str) -> Result<(), MutagenError> {
        if self.runner().is_dry_run() {
            return self.resume_now(id).map(drop);
        }
        loop {
            let before = self.wish(id);
            if before.as_ref().is_some_and(|wish| wish.want() == Some(Want::Paused)) {
                return Ok(());
            }
            // Whoever connects it anew, and has seen that it was stopped, sees that it goes on.
            if let Some(mine) = self.wishes().replace(id, before.as_ref(), Want::Connecting) {
                return self.run(id, &mine);
            }
        }
    }

    /// Has a session run, as it is noted; see [`Mutagen::run_unless`].
    fn run(&self, id: &str, mine: &Wish) -> Result<(), MutagenError> {
        let done = self.run_unless(id);
        // One that does not connect runs, and tries again. What failed otherwise may be paused still, and is to run.
        if let Ok(()) | Err(MutagenError::Connect { .. }) = done {
            self.wishes().replace(id, Some(mine), Want::Resumed);
        }
        done
    }

    /// Is a session that is paused to run, and nobody else is at that? A process was killed that had paused it for a moment only,
    /// or could not let it go on.
    #[must_use]
    pub fn is_left_paused(&self, id: &str) -> bool {
        let left = |wish: Wish| wish.leaves_paused() || wish.want() == Some(Want::Stopped) && wish.is_own();
        self.wish(id).is_some_and(left)
    }

    /// Resumes a session that somebody wants to run; where somebody else wants it to stand still by now, pauses it. Until it is
    /// as it was wanted last: between two of Mutagen's commands another one may come in.
    fn run_unless(&self, id: &str) -> Result<(), MutagenError> {
        loop {
            let wish = self.wish(id);
            let done = match wish.as_ref().is_some_and(Wish::stands) {
                true => self.pause_now(id),
                false => self.resume_now(id),
            };
            if self.wish(id) == wish {
                return done.map(drop);
            }
        }
    }

    /// A session that is paused is meant to be: who is just connecting it anew leaves it so.
    pub fn stays_paused(&self, id: &str) {
        self.note_wish(id, Want::Paused);
    }

    /// One that is paused although nobody has asked for that may be so only to connect anew, or until the link has counted
    /// its files. Waits a moment; does it go on, or was it left so by a process that has died?
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn was_only_connecting(&self, id: &str) -> Result<bool, MutagenError> {
        let goes_on = self.soon(id, GOES_ON_WITHIN, |session| !session.is_paused())?;
        Ok(goes_on || self.wish(id).is_some_and(|wish| wish.leaves_paused()))
    }

    /// One that is not connected may be connecting just now, or be connected anew. Waits a moment; is it connected?
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn connects_soon(&self, id: &str) -> Result<bool, MutagenError> {
        self.soon(id, CONNECTS_WITHIN, SyncSession::is_connected)
    }

    fn soon(
        &self,
        id: &str,
        within: Duration,
        done: impl Fn(&SyncSession) -> bool,
    ) -> Result<bool, MutagenError> {
        let deadline = Instant::now() + within;
        loop {
            let session = self.session(id)?;
            if done(&session) {
                return Ok(true);
            }
            let wish = self.wish(id).filter(|_| session.is_paused());
            let stays = wish.is_some_and(|wish| wish.want() == Some(Want::Paused) || wish.is_abandoned());
            if stays || session.halt().is_some() || self.runner().is_dry_run() || Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn pause_now(&self, id: &str) -> Result<Done, MutagenError> {
        self.change(&self.pause_cmd(id), id, Side::Local).map(done)
    }

    /// Resumes a session, and waits until it is connected.
    ///
    /// # Errors
    /// A side cannot be reached (Mutagen goes on trying), or there is no such session.
    pub fn resume(&self, id: &str) -> Result<Done, MutagenError> {
        if self.runner().is_dry_run() {
            return self.resume_now(id);
        }
        let mine = self.wishes().note(id, Want::Connecting);
        self.run(id, &mine).map(|()| Done::Ran)
    }

    fn resume_now(&self, id: &str) -> Result<Done, MutagenError> {
        let result = self.change(&self.resume_cmd(id), id, Side::Local).map(done);
        match result {
            Err(MutagenError::Connect { side, reason, ssh }) => {
                // The message says alpha or beta; which side that is, only the session knows.
                let flip = self.session(id).is_ok_and(|session| session.side_of_alpha() == Side::Remote);
                Err(MutagenError::Connect { side: if flip { side.other() } else { side }, reason, ssh })
            }
            result => result,
        }
    }

    /// Has a session connect at once that is not connected; with `anew` also one that is, but may not know yet that its line is
    /// dead. One that is paused or has halted is left alone, and one that somebody pauses meanwhile is paused at the end. Where a
    /// process has died that had paused it for a moment only, it goes on.
    ///
    /// # Errors
    /// There is no such session, Mutagen fails, or it did not connect. It goes on trying.
    pub fn connect_anew(&self, id: &str, anew: bool) -> Result<(), MutagenError> {
        let before = self.wish(id);
        let session = self.session(id)?;
        let is_stopped =
            before.as_ref().is_some_and(|wish| wish.want() == Some(Want::Stopped) && !wish.is_abandoned());
        let needs_not = match session.is_paused() {
            true => !before.as_ref().is_some_and(Wish::leaves_paused),
            false => session.is_connected() && !anew,
        };
        if needs_not || is_stopped || session.halt().is_some() {
            return Ok(());
        }
        let Some(mine) = self.wishes().replace(id, before.as_ref(), Want::Connecting) else {
            // Somebody else is at it at this very moment.
            return Ok(());
        };
        if session.is_connected()
            && let Err(error) = self.pause_now(id)
        {
            // The daemon may do it still, later. What is resumed after that runs.
            tracing::debug!(%error, "a sync could not be paused to connect anew");
        }
        self.run(id, &mine)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;
    use crate::process::Runner;
    use crate::tools::mutagen::test_kit::write_program;

    /// A stand-in that notes what it is asked for, and while it resumes runs what is in `meanwhile`.
    fn stand_in(dir: &Path, session: &str) -> (Mutagen, UnixListener) {
        let log = dir.join("log");
        let text = format!(
            "#!/bin/sh\ncase $2 in list) cat <<'E'\n{session}\nE\n;; *) echo $2 >>{log};; esac\n\
             [ $2 != \"$(cat {dir}/at 2>/dev/null)\" ] || printf %s \"$(cat {dir}/wish)\" >{dir}/mutagen-wishes/sync_a\n",
            log = log.display(),
            dir = dir.display()
        );
        write_program(&dir.join("program"), &text);
        std::fs::create_dir_all(dir.join("mutagen/daemon")).unwrap();
        let socket = dir.join("mutagen/daemon/daemon.sock");
        let _ = std::fs::remove_file(&socket);
        let daemon = UnixListener::bind(socket).unwrap();
        (Mutagen::new(dir.join("program"), dir.join("mutagen"), "/s", Runner::default()).unwrap(), daemon)
    }

    fn wants_paused(mutagen: &Mutagen) -> bool {
        mutagen.wish("sync_a").unwrap().want() == Some(Want::Paused)
    }

    const CONNECTED: &str = r#"[{"identifier":"sync_a","status":"watching","alpha":{"connected":true},"beta":{"connected":true}}]"#;

    /// What is done to a session that is connected, when somebody has this wish while it is paused or resumed.
    fn done_when(at: &str, wish: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        mutagen.note_wish("sync_a", Want::Resumed);
        std::fs::write(dir.path().join("at"), at).unwrap();
        std::fs::write(dir.path().join("wish"), wish).unwrap();
        mutagen.connect_anew("sync_a", true).unwrap();
        asked(dir.path())
    }

    /// What the stand-in was asked for.
    fn asked(dir: &Path) -> String {
        let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        log.lines().collect::<Vec<_>>().join(" ")
    }

    fn paused() -> String {
        CONNECTED.replace("[{", r#"[{"paused":true,"#)
    }

    #[test]
    fn what_somebody_pauses_meanwhile_stays_paused() {
        assert_eq!(done_when("", ""), "pause resume");
        assert_eq!(done_when("pause", "paused 1"), "pause pause");
        assert_eq!(done_when("resume", "paused 1"), "pause resume pause");
        // Paused, and resumed again.
        assert_eq!(done_when("pause", "resumed 1"), "pause resume");
        assert_eq!(done_when("resume", "resumed 1"), "pause resume resume");
    }

    #[test]
    fn a_pause_that_is_only_for_connecting_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        assert!(mutagen.was_only_connecting("sync_a").unwrap() && mutagen.connects_soon("sync_a").unwrap());
        let (mutagen, _daemon) = stand_in(dir.path(), &paused());
        mutagen.stays_paused("sync_a");
        assert!(!mutagen.was_only_connecting("sync_a").unwrap());
    }

    #[test]
    fn what_is_stopped_for_a_look_goes_on_unless_somebody_pauses_it() {
        let run = |wish: &str| {
            let dir = tempfile::tempdir().unwrap();
            let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
            std::fs::write(dir.path().join("at"), "resume").unwrap();
            mutagen.stop("sync_a").unwrap();
            assert!(mutagen.wish("sync_a").unwrap().stands(), "who connects it anew leaves it so");
            match wish {
                "before" => mutagen.stays_paused("sync_a"),
                _ => std::fs::write(dir.path().join("wish"), wish).unwrap(),
            }
            mutagen.go_on("sync_a").unwrap();
            asked(dir.path())
        };
        assert_eq!(run("resumed 1"), "pause resume resume");
        // By somebody else, who lets it go on.
        assert_eq!(run("stopped 1"), "pause resume pause");
        assert_eq!(run("before"), "pause");
        assert_eq!(run("paused 1"), "pause resume pause");

        // Whoever finds it stopped waits; not so where a person has paused it before.
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), &paused());
        mutagen.stop("sync_a").unwrap();
        assert!(!wants_paused(&mutagen));
        mutagen.pause("sync_a").unwrap();
        mutagen.stop("sync_a").unwrap();
        assert!(wants_paused(&mutagen));
    }

    #[test]
    fn what_stands_still_while_somebody_is_asked_goes_on_unless_it_was_paused_before() {
        let run = |session: &str, before: Option<Want>| {
            let dir = tempfile::tempdir().unwrap();
            let (mutagen, _daemon) = stand_in(dir.path(), session);
            if let Some(want) = before {
                mutagen.note_wish("sync_a", want);
            }
            mutagen.stand_still("sync_a").unwrap();
            // The answer took long.
            mutagen.stand_still("sync_a").unwrap();
            mutagen.go_on("sync_a").unwrap();
            asked(dir.path())
        };
        for before in [None, Some(Want::Resumed), Some(Want::Connecting), Some(Want::Stopped)] {
            assert_eq!(run(CONNECTED, before), "pause pause resume", "{before:?}");
        }
        // To connect anew, and until somebody else has looked.
        for before in [Want::Connecting, Want::Stopped] {
            assert_eq!(run(&paused(), Some(before)), "pause pause resume", "{before:?}");
        }
        // By whom is not known, where it could not be noted.
        for before in [None, Some(Want::Resumed), Some(Want::Paused)] {
            assert_eq!(run(&paused(), before), "pause pause", "{before:?}");
        }
    }

    /// The host has just come back. The link connects the sync anew, and another sinc stops it, has looked, and lets it go on,
    /// all before the link has paused it for that: it was left paused then, and nobody knew by whom.
    #[test]
    fn what_was_stopped_and_goes_on_while_it_connects_is_not_left_paused() {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        // The first resume is the link's, and then it is stopped; with the link's pause, the other one has noted that it goes on.
        let text = std::fs::read_to_string(dir.path().join("program")).unwrap();
        let wishes = dir.path().join("mutagen-wishes");
        let more = format!(
            "case $2-$(grep -c . {log}) in resume-2) echo stopped 1 >{to};; pause-3) echo resumed 1 >{to};; esac\n",
            log = dir.path().join("log").display(),
            to = wishes.join("sync_a").display()
        );
        write_program(&dir.path().join("program"), &(text + &more));
        mutagen.connect_anew("sync_a", true).unwrap();
        assert_eq!(asked(dir.path()), "pause resume pause resume");
    }

    #[test]
    fn what_a_killed_process_has_paused_for_a_moment_goes_on() {
        for (wish, goes_on) in
            [("connecting", true), ("stopped", true), ("paused", false), ("resumed", false)]
        {
            let dir = tempfile::tempdir().unwrap();
            let (mutagen, _daemon) = stand_in(dir.path(), &paused());
            std::fs::create_dir(dir.path().join("mutagen-wishes")).unwrap();
            std::fs::write(dir.path().join("mutagen-wishes/sync_a"), format!("{wish} {} 0 0", i32::MAX))
                .unwrap();
            if wish != "resumed" {
                assert_eq!(mutagen.was_only_connecting("sync_a").unwrap(), goes_on, "{wish}");
            }
            mutagen.connect_anew("sync_a", false).unwrap();
            assert_eq!(asked(dir.path()), if goes_on { "resume" } else { "" }, "{wish}");
        }
        // One that is stopped by a process that lives is left to it.
        for session in [paused(), CONNECTED.to_owned()] {
            let dir = tempfile::tempdir().unwrap();
            let (mutagen, _daemon) = stand_in(dir.path(), &session);
            mutagen.note_wish("sync_a", Want::Stopped);
            mutagen.connect_anew("sync_a", true).unwrap();
            assert_eq!(asked(dir.path()), "");
        }
    }

    #[test]
    fn what_is_paused_or_need_not_connect_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), &paused());
        mutagen.connect_anew("sync_a", true).unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        mutagen.connect_anew("sync_a", false).unwrap();
        assert!(!dir.path().join("log").exists());
        mutagen.pause("sync_a").unwrap();
        assert!(wants_paused(&mutagen));
        mutagen.forget_wish("sync_a");
        assert_eq!(mutagen.wish("sync_a"), None);
    }
}
