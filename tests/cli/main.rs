//! The command line, in a sealed world: the real binary, tools that only record.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod config;
mod connect;
mod failures;
mod help;
mod identity;
mod kit;
#[path = "../support/mod.rs"]
mod support;
mod trust;
mod world;
