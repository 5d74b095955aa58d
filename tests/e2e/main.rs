//! The whole of it on real tools: OpenSSH, tmux and Mutagen, over a host on loopback.

mod demo;
mod kit;
#[path = "../support/mod.rs"]
mod support;
