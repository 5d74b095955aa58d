//! The command line, in a sealed world: the real binary, tools that only record.

mod config;
mod connect;
mod help;
mod identity;
mod kit;
#[path = "../support/mod.rs"]
mod support;
mod trust;
mod world;
