//! `sinc`: files and editor here, an AI agent and the heavy work on a VPS.
//!
//! The modules stand in layers; one uses its own row and the rows below it (`tests/cli/tidy.rs` checks that):
//!
//! | row | modules | what |
//! | --- | --- | --- |
//! | top | `main` | logging, the command line, one failure, the exit code |
//! | commands | `commands` | one file a command |
//! | talk | `ui`, `failure` | the only ones that print; every failure, its code and its advice |
//! | session | `session`, `link`, `git`, `listing`, `backups`, `demo`, `provision` | a sync plus a terminal; what keeps it fast and safe; git on both sides; what is in a directory on either side; what is kept before it is replaced; a throw-away host; what can be put on a host |
//! | tools | `tools` | Mutagen and tmux: command builders and parsers |
//! | remote | `remote` | scripts on the host over one shared ssh connection |
//! | state | `state` | what this computer remembers |
//! | base | `cli`, `process`, `config`, `project`, `ignore`, `trust` | the command line as types; other programs; configuration; identity |

pub mod backups;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod failure;
pub mod git;
pub mod ignore;
pub mod link;
pub mod listing;
pub mod process;
pub mod project;
pub mod provision;
pub mod remote;
pub mod session;
pub mod state;
pub mod tools;
pub mod trust;
pub mod ui;
