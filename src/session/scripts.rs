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
/// Shows a text in a session's status line.
pub static MESSAGE: Script = Script::new(include_str!("message.sh"));
/// Counts the files in a session's directory.
pub static COUNT: Script = Script::new(include_str!("count.sh"));
/// Puts a directory aside that a sync made again at an old place.
pub static ASIDE: Script = Script::new(include_str!("aside.sh"));
