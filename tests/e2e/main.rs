//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod brake;
mod connect;
mod demo;
mod documented;
mod flush;
mod forwarding;
mod interrupted;
mod kill;
mod kit;
mod link;
mod list;
mod modes;
mod names;
mod old_tmux;
mod place;
mod shells;
mod ssh_config;
mod status;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod sync;
mod terminal;
mod two_computers;
mod two_hosts;
mod unreached;
