//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod backups;
mod brake;
mod conflicts;
mod connect;
mod demo;
mod documented;
mod flush;
mod forwarding;
mod interrupted;
mod kill;
mod killed_link;
mod kit;
mod link;
mod list;
mod listing;
mod modes;
mod names;
mod no_sync;
mod old_tmux;
mod one_way;
mod place;
mod resolve;
mod resolved;
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
mod two_hosts;
mod unreached;
