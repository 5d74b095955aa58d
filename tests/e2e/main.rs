//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod connect;
mod demo;
mod interrupted;
mod kit;
mod names;
mod place;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod sync;
