//! The command line, in a sealed world: the real binary, tools that only record.

mod kit;
#[path = "../support/mod.rs"]
mod support;
