//! The scripts that run on the host.

use crate::remote::Script;

/// Makes or finds the directory of a session and reports what a connect needs to know.
pub static BOOTSTRAP: Script = Script::new(include_str!("bootstrap.sh"));
/// Attaches the terminal, and makes the tmux session first where that is safe.
pub static ATTACH: Script = Script::new(include_str!("attach.sh"));
/// What runs in the pane.
pub static PANE: Script = Script::new(include_str!("pane.sh"));
/// Says how to get an agent that is missing.
pub static AGENT_CHECK: Script = Script::new(include_str!("agent_check.sh"));
/// What the host knows of all its sessions.
pub static SURVEY: Script = Script::new(include_str!("survey.sh"));
/// Ends a session on the host.
pub static END: Script = Script::new(include_str!("end.sh"));
/// Shows a session in Agent-OS, or takes it out of there.
pub static MOBILE: Script = Script::new(include_str!("mobile.sh"));
/// Puts a note into a session's status line, or takes it away.
pub static STATUS_NOTE: Script = Script::new(include_str!("status_note.sh"));
/// Shows a text in a session's status line.
pub static MESSAGE: Script = Script::new(include_str!("message.sh"));
/// Counts the files in a session's directory.
pub static COUNT: Script = Script::new(include_str!("count.sh"));
/// Runs a command of `sinc run`.
pub static RUN: Script = Script::new(include_str!("run.sh"));
/// Stands by while it runs.
pub static RUN_GUARD: Script = Script::new(include_str!("run_guard.sh"));
/// Removes what this computer has too from a directory that was moved into a backup.
pub static PURGE: Script = Script::new(include_str!("purge.sh"));
/// Puts a directory aside that a sync made again at an old place.
pub static ASIDE: Script = Script::new(include_str!("aside.sh"));
