//! How many files are missing on a side, for a sync of which no link knows, and what the brake says of that.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::scripts::COUNT;
use crate::link::brake::{self, Files, Verdict};
use crate::link::exclude::Rules;
use crate::link::local_eye::{self, Root};
use crate::process::quote;
use crate::remote::{Remote, RemoteError};
use crate::state::Held;
use crate::tools::mutagen::{Mutagen, Side, SyncMode, SyncSession};

/// The longest word of a command whose other words are short: one argument may have 128 KiB on Linux.
const LONGEST_WORD: usize = 100_000;

/// What says what could not be looked at.
pub type Say<'a> = &'a dyn Fn(&str);

/// How long the host may count.
const COUNT_DEADLINE: Duration = Duration::from_secs(10);

/// Would the next cycle delete too much? For a sync of which no link knows: its files are counted here and on the host, and
/// compared with what both had at the last completed cycle; where Mutagen's memory of that cannot be read, with each other.
///
/// What is not known holds nothing, but is said: the link is the main guard.
///
/// # Errors
/// The host was not reached.
pub fn look(mutagen: &Mutagen, remote: &Remote, sync: &SyncSession, say: Say<'_>) -> Result<Option<Held>> {
    Ok(match count_both(mutagen, remote, sync, None, say)? {
        Counted { verdict: Verdict::Hold { side, missing, of }, .. } => {
            Some(Held { side, missing, of, since: seconds_now() })
        }
        _ => None,
    })
}

/// Is what was missing when this sync was held there again? What [`look`] lets go because it cannot tell is not.
///
/// # Errors
/// The host was not reached.
pub fn is_back(
    mutagen: &Mutagen,
    remote: &Remote,
    sync: &SyncSession,
    held: &Held,
    say: Say<'_>,
) -> Result<bool> {
    let counted = count_both(mutagen, remote, sync, Some(held.of), say)?;
    Ok(counted.whole && matches!(counted.verdict, Verdict::Go))
}

/// What was counted on both sides.
struct Counted {
    verdict: Verdict,
    /// It is known what there was, and what there is on each side that counts.
    whole: bool,
}

/// `most`: so many there have been lately, if that is more than at the last completed cycle.
fn count_both(
    mutagen: &Mutagen,
    remote: &Remote,
    sync: &SyncSession,
    most: Option<u64>,
    say: Say<'_>,
) -> Result<Counted> {
    let root = Path::new(&sync.local().path);
    // What is deleted on a side that only receives comes back from the other one.
    let source = sync.sync_mode().and_then(SyncMode::source);
    let counts = |side| source.is_none_or(|source| source == side);
    let rules = Rules::new(sync.ignores());
    let there = sync.remote().path.clone();
    let expression = rules.expression(&there).text;
    let root = Root { path: root.to_owned(), rules, git: false };
    let known = count_here(mutagen, &sync.identifier, &root, counts(Side::Local));
    if let Some(trouble) = &known.trouble {
        say(&format!("{trouble}: the two sides are compared with each other"));
    }
    // So many that nothing is missing on the host; so many that too much is missing here.
    let enough = match (known.of.map(|of| of.max(most.unwrap_or(0))), known.here) {
        (Some(of), _) if of <= brake::FEW => return Ok(Counted { verdict: Verdict::Go, whole: true }),
        (Some(of), _) => of.div_ceil(2),
        (None, Some(here)) => 2 * here + brake::FEW + 1,
        (None, None) => return Ok(Counted { verdict: Verdict::Go, whole: false }),
    };
    let there = match counts(Side::Remote) {
        true => count_there(remote, &there, enough, &expression, say)?,
        false => None,
    };
    let whole = known.of.is_some() && there.is_some() == counts(Side::Remote);
    Ok(Counted { verdict: known.verdict(most, there), whole })
}

/// What is known of the files without asking the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// How many there were on both sides at the last completed cycle; none when that cannot be read.
    pub of: Option<u64>,
    /// How many are here, where what is gone here would be deleted on the host: of those from before, the ones that are still
    /// where they were. Where that is too few, or those from before are not known, all are counted: many of them may have another
    /// name, because a directory was renamed. (The host counts all that it has in any case.)
    pub here: Option<u64>,
    /// Why those from before are not known.
    pub trouble: Option<String>,
}

impl Known {
    /// What the brake says, with the `most` that a completed cycle of the last minute has seen and what is on the host.
    #[must_use]
    pub fn verdict(&self, most: Option<u64>, there: Option<u64>) -> Verdict {
        let files = |now| Files { last: self.of, most, now };
        match self.of {
            // Without a history nothing is deleted.
            Some(0) => Verdict::Go,
            _ => brake::decide(files(self.here), files(there)),
        }
    }
}

/// Looks what is known here. `counts`: what is gone here would be deleted on the host.
#[must_use]
pub fn count_here(mutagen: &Mutagen, sync: &str, root: &Root, counts: bool) -> Known {
    let (mut of, mut here) = (0, 0);
    let read = mutagen.each_known_file(sync, &mut |path| {
        of += 1;
        here += u64::from(counts && is_there(&root.path.join(path)));
    });
    match read {
        // Without a history nothing is deleted.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Known { of: Some(0), here: counts.then_some(0), trouble: None }
        }
        Err(error) => Known {
            of: None,
            here: if counts { local_eye::count(root) } else { None },
            trouble: Some(format!("what both sides had before cannot be read ({error})")),
        },
        Ok(()) => {
            if counts && brake::is_too_few(here, of) {
                here = here.max(local_eye::count(root).unwrap_or(0));
            }
            Known { of: Some(of), here: counts.then_some(here), trouble: None }
        }
    }
}

/// Is there still something in the place of a file? What cannot be looked at is not missing.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(found) => !found.is_dir(),
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Seconds since 1970.
fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How many files there are on the host, without what is not synced as far as an `expression` and its find can say that, and no
/// more than `enough`; none when they could not be counted.
fn count_there(
    remote: &Remote,
    directory: &str,
    enough: u64,
    expression: &str,
    say: Say<'_>,
) -> Result<Option<u64>> {
    let unknown = |why: &str| {
        say(&format!("whether files are missing on the host is not known: {why}"));
        Ok(None)
    };
    let words = [directory, &enough.to_string(), word(expression)];
    let reply = match remote.call_within("count the files", &COUNT, &words, Some(COUNT_DEADLINE), &|_| {}) {
        Err(RemoteError::Deadline { .. }) => return unknown("to count them takes too long"),
        reply => reply?,
    };
    let number = |key| reply.get(key).and_then(|number| number.parse::<u64>().ok());
    match (number("files"), number("find")) {
        // The directory itself is gone: Mutagen stops by itself.
        _ if reply.code != 0 => Ok(None),
        (Some(files), _) if files >= enough => Ok(Some(files)),
        (Some(files), Some(0)) => Ok(Some(files)),
        (_, Some(124 | 143)) => unknown("to count them takes too long"),
        _ => unknown("some of them cannot be read"),
    }
}

/// The expression as a word that goes through every login shell; one that leaves nothing out where that is too long.
fn word(expression: &str) -> &str {
    if quote::universal(expression).len() > LONGEST_WORD { "/nothing" } else { expression }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::{Cmd, Runner};
    use crate::state::HeldSide;

    /// What the host would answer, with these programs only, if any are named.
    fn count(dir: &Path, most: u64, programs: Option<&[&str]>) -> String {
        let dir = dir.to_str().unwrap();
        let rules =
            Rules::new(&["node_modules".to_owned(), ".[gG][iI][tT]".to_owned(), ".sinc-session".to_owned()]);
        let words = [dir, &most.to_string(), &rules.expression(dir).text];
        let mut cmd = Cmd::new("sh", "count").args(["-c", &COUNT.command(&words)]).answers(&[0, 90]);
        let bin = tempfile::tempdir().unwrap();
        if let Some(programs) = programs {
            for program in programs {
                let real = which::which(program).unwrap();
                std::os::unix::fs::symlink(real, bin.path().join(program)).unwrap();
            }
            cmd = cmd.env("PATH", bin.path());
        }
        let said = String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap();
        // The two ends of the pipe say it in any order.
        let mut lines: Vec<_> = said.lines().skip(1).collect();
        lines.sort_unstable();
        assert_eq!(said.lines().next(), Some("sinc-begin 1"));
        lines.join(", ")
    }

    #[test]
    fn the_host_counts_files_no_further_than_asked_and_nothing_that_is_not_synced() {
        let dir = tempfile::Builder::new().prefix("it's a $(dir) [x]. -n ").tempdir().unwrap();
        let root = dir.path();
        let synced = ["a", "src/b c", "src/-d", "src/$(e)", ".env", "sub/.sinc-session.old"];
        let ignored =
            [".git/HEAD", "sub/.git/x", "node_modules/a/b", "sub/node_modules/c", ".mutagen-temporary-x"];
        for file in synced.iter().chain(&ignored) {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join(".sinc-session"), "").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let all = "files 6, find 0";
        assert_eq!(count(root, 100, None), all);
        // A host without `timeout`; the directory by another name; one on which the count breaks off.
        assert_eq!(count(root, 100, Some(&["sh", "find", "head", "wc"])), all);
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root, other.path().join("link")).unwrap();
        assert_eq!(count(&other.path().join("link"), 100, None), all);
        assert_eq!(count(root, 100, Some(&["sh", "head", "wc"])), "files 0, find 127");
        assert!(count(root, 3, None).starts_with("files 3, find "));
        assert_eq!(count(&root.join("missing"), 3, None), "");
        fs::remove_dir_all(root.join("src")).unwrap();
        assert_eq!(count(root, 100, None), "files 3, find 0");
        // A find that does not know such expressions counts all but git's and the marker.
        let old = tempfile::tempdir().unwrap();
        let find = old.path().join("find");
        let real = which::which("find").unwrap();
        fs::write(
            &find,
            format!("#!/bin/sh\ncase $* in *-regextype*) exit 1;; esac\nexec {} \"$@\"\n", real.display()),
        )
        .unwrap();
        fs::set_permissions(&find, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let words = [root.to_str().unwrap(), "100", "/nothing"];
        let path = format!("{}:/usr/bin:/bin", old.path().display());
        let cmd = Cmd::new("sh", "count").args(["-c", &COUNT.command(&words)]).env("PATH", path);
        let said = String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap();
        assert!(said.contains("files 6\n") && said.contains("find 0\n"), "{said}");
    }

    #[test]
    fn an_expression_that_no_command_can_carry_leaves_nothing_out() {
        assert_eq!(word("/r/(a|b)"), "/r/(a|b)");
        assert_eq!(word(&"\\x".repeat(30_000)), "/nothing");
    }

    #[test]
    fn what_mutagen_remembers_of_no_cycle_is_told_from_what_cannot_be_read() {
        let data = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        for name in ["one", "two", "node_modules"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let rules = Rules::new(&["node_modules".to_owned()]);
        let root = Root { path: dir.path().to_owned(), rules, git: false };
        let mutagen = Mutagen::new("/no/mutagen", data.path(), "/s", Runner::default()).unwrap();
        let known = |counts| count_here(&mutagen, "sync_1", &root, counts);
        assert_eq!(known(true), Known { of: Some(0), here: Some(0), trouble: None });
        fs::create_dir(data.path().join("archives")).unwrap();
        let archive = data.path().join("archives/sync_1");
        fs::write(&archive, "").unwrap();
        assert_eq!(known(true), Known { of: Some(0), here: Some(0), trouble: None });
        fs::write(&archive, "nonsense").unwrap();
        let unknown = known(true);
        assert_eq!((unknown.of, unknown.here), (None, Some(2)));
        assert!(unknown.trouble.unwrap().contains("cannot be read"));
        assert_eq!(known(false).here, None);
    }

    #[test]
    fn without_mutagens_memory_the_last_minute_counts_and_the_other_side() {
        let known = |of, here| Known { of, here: Some(here), trouble: None };
        assert_eq!(known(Some(0), 0).verdict(Some(1000), Some(1000)), Verdict::Go);
        let hold = |side, missing, of| Verdict::Hold { side, missing, of };
        assert_eq!(known(None, 0).verdict(None, Some(51)), hold(HeldSide::Local, 51, 51));
        assert_eq!(known(None, 300).verdict(None, Some(10)), hold(HeldSide::Remote, 290, 300));
        assert_eq!(known(None, 300).verdict(None, Some(300)), Verdict::Go);
        // Gone on both sides within the last minute.
        assert_eq!(known(None, 10).verdict(Some(1000), Some(10)), hold(HeldSide::Local, 990, 1000));
        // So many are counted on the host at the most.
        for here in [0, 1, 50, 300] {
            assert!(matches!(
                known(None, here).verdict(None, Some(2 * here + brake::FEW + 1)),
                Verdict::Hold { .. }
            ));
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        fs::create_dir(dir.path().join("dir")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        let there = |name: &str| is_there(&dir.path().join(name));
        assert!(there("file") && there("link") && there("loop/x"));
        assert!(!there("gone") && !there("gone/x") && !there("file/x") && !there("dir"));
    }
}
