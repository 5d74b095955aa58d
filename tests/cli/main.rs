//! The command line, in a sealed world: the real binary, tools that only record.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod answers;
mod config;
mod connect;
mod exit_codes;
mod failures;
mod held;
mod help;
mod identity;
mod kit;
#[path = "../support/mod.rs"]
mod support;
mod tidy;
mod trust;
mod world;
