//! Sessions paused and resumed. A session is also paused and resumed only to connect anew, and whoever wants it to stay paused may
//! come in the middle of that. So each wish is noted before it is carried out, and who connects it anew looks whether there
//! was another one meanwhile.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::{Mutagen, done};
use super::error::MutagenError;
use super::model::SyncSession;
use super::status::Side;
use crate::process::Done;

/// What somebody wanted of a session last, as it is written down; no two are alike.
type Wish = Option<String>;

const PAUSED: &str = "paused";
const RESUMED: &str = "resumed";
/// Paused only until somebody has looked at what its next cycle would do.
const STOPPED: &str = "stopped";

/// Less than this passes between the two commands that connect a session anew, on a busy machine too.
const CONNECTS_WITHIN: Duration = Duration::from_secs(3);

/// Less than this passes until a cycle that the link stopped, because much was being deleted, is let go on or held.
const GOES_ON_WITHIN: Duration = Duration::from_secs(10);

impl Mutagen {
    fn wish_path(&self, id: &str) -> PathBuf {
        self.data_dir.with_file_name("mutagen-wishes").join(id)
    }

    fn wish(&self, id: &str) -> Wish {
        fs::read_to_string(self.wish_path(id)).ok()
    }

    /// What cannot be written (the disk is full) is carried out all the same.
    fn note_wish(&self, id: &str, wish: &str) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if self.runner().is_dry_run() {
            return;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let path = self.wish_path(id);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            // Shorter than a block: written in one piece.
            fs::write(&path, format!("{wish} {} {number} {}", std::process::id(), now.as_nanos()))
        });
        if let Err(error) = written {
            tracing::warn!(%error, id, "that it is to be {wish} is not noted");
        }
    }

    /// The session has ended.
    pub(super) fn forget_wish(&self, id: &str) {
        let _ = fs::remove_file(self.wish_path(id));
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
        // One that a person has paused stays so.
        if self.wants_paused(id) && self.session(id)?.is_paused() {
            return self.pause_now(id);
        }
        self.note_wish(id, STOPPED);
        self.pause_now(id)
    }

    /// Resumes a session that [`Mutagen::stop`] has paused, unless somebody wants it to stay so by now.
    ///
    /// # Errors
    /// A side cannot be reached (Mutagen goes on trying), or there is no such session.
    pub fn go_on(&self, id: &str) -> Result<(), MutagenError> {
        if self.wants_paused(id) {
            return Ok(());
        }
        let resumed = self.resume_now(id);
        if self.wants_paused(id) {
            self.pause_now(id)?;
        }
        resumed.map(drop)
    }

    fn wants_paused(&self, id: &str) -> bool {
        self.wish(id).is_some_and(|wish| wish.starts_with(PAUSED))
    }

    /// A session that is paused is meant to be: who is just connecting it anew leaves it so.
    pub fn stays_paused(&self, id: &str) {
        self.note_wish(id, PAUSED);
    }

    /// One that is paused although nobody has asked for that may be so only to connect anew, or until the link has counted
    /// its files. Waits a moment; does it go on?
    ///
    /// # Errors
    /// There is no such session, or Mutagen fails.
    pub fn was_only_connecting(&self, id: &str) -> Result<bool, MutagenError> {
        self.soon(id, GOES_ON_WITHIN, |session| !session.is_paused())
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
            let stays = session.is_paused() && self.wants_paused(id);
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
        self.note_wish(id, RESUMED);
        self.resume_now(id)
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
    /// dead. One that is paused or has halted is left alone, and one that somebody pauses meanwhile is paused at the end.
    ///
    /// # Errors
    /// There is no such session, Mutagen fails, or it did not connect. It goes on trying.
    pub fn connect_anew(&self, id: &str, anew: bool) -> Result<(), MutagenError> {
        let before = self.wish(id);
        let session = self.session(id)?;
        if session.is_paused() || session.halt().is_some() || (session.is_connected() && !anew) {
            return Ok(());
        }
        if session.is_connected() {
            self.pause_now(id)?;
        }
        if is_to_stay_paused(&before, &self.wish(id)) {
            return Ok(());
        }
        let resumed = self.resume_now(id);
        if is_to_stay_paused(&before, &self.wish(id)) {
            self.pause_now(id)?;
        }
        resumed.map(drop)
    }
}

/// Did somebody want it paused since?
fn is_to_stay_paused(before: &Wish, now: &Wish) -> bool {
    now != before && now.as_ref().is_some_and(|wish| wish.starts_with(PAUSED) || wish.starts_with(STOPPED))
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

    const CONNECTED: &str = r#"[{"identifier":"sync_a","status":"watching","alpha":{"connected":true},"beta":{"connected":true}}]"#;

    /// What is done to a session that is connected, when somebody has this wish while it is paused or resumed.
    fn done_when(at: &str, wish: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        mutagen.note_wish("sync_a", RESUMED);
        std::fs::write(dir.path().join("at"), at).unwrap();
        std::fs::write(dir.path().join("wish"), wish).unwrap();
        mutagen.connect_anew("sync_a", true).unwrap();
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        log.lines().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_somebody_pauses_meanwhile_stays_paused() {
        assert_eq!(done_when("", ""), "pause resume");
        assert_eq!(done_when("pause", "paused 1"), "pause");
        assert_eq!(done_when("resume", "paused 1"), "pause resume pause");
        // Paused, and resumed again.
        assert_eq!(done_when("pause", "resumed 1"), "pause resume");
        assert_eq!(done_when("resume", "resumed 1"), "pause resume");
    }

    #[test]
    fn a_pause_that_is_only_for_connecting_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        assert!(mutagen.was_only_connecting("sync_a").unwrap() && mutagen.connects_soon("sync_a").unwrap());
        let (mutagen, _daemon) = stand_in(dir.path(), &CONNECTED.replace("[{", r#"[{"paused":true,"#));
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
            let stopped = mutagen.wish("sync_a");
            assert!(is_to_stay_paused(&None, &stopped), "who connects it anew leaves it so");
            match wish {
                "before" => mutagen.stays_paused("sync_a"),
                _ => std::fs::write(dir.path().join("wish"), wish).unwrap(),
            }
            mutagen.go_on("sync_a").unwrap();
            std::fs::read_to_string(dir.path().join("log")).unwrap().lines().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(run("stopped 1"), "pause resume");
        assert_eq!(run("before"), "pause");
        assert_eq!(run("paused 1"), "pause resume pause");

        // Whoever finds it stopped waits; not so where a person has paused it before.
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), &CONNECTED.replace("[{", r#"[{"paused":true,"#));
        mutagen.stop("sync_a").unwrap();
        assert!(!mutagen.wants_paused("sync_a"));
        mutagen.pause("sync_a").unwrap();
        mutagen.stop("sync_a").unwrap();
        assert!(mutagen.wants_paused("sync_a"));
    }

    #[test]
    fn what_is_paused_or_need_not_connect_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), &CONNECTED.replace("[{", r#"[{"paused":true,"#));
        mutagen.connect_anew("sync_a", true).unwrap();
        let (mutagen, _daemon) = stand_in(dir.path(), CONNECTED);
        mutagen.connect_anew("sync_a", false).unwrap();
        assert!(!dir.path().join("log").exists());
        mutagen.pause("sync_a").unwrap();
        assert!(mutagen.wish("sync_a").unwrap().starts_with("paused "));
        mutagen.forget_wish("sync_a");
        assert_eq!(mutagen.wish("sync_a"), None);
    }
}
