//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod backups;
mod conflicts;
mod connect;
mod demo;
mod documented;
mod flush;
mod interrupted;
mod kill;
mod kit;
mod list;
mod listing;
mod names;
mod place;
mod resolve;
mod run;
mod shells;
mod ssh_config;
mod status;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod sync;
mod terminal;
mod transfer;
mod two_computers;
