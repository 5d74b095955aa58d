//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod demo;
mod connect;
mod interrupted;
mod kit;
mod names;
mod place;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod sync;
