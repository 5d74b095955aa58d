//! The command line, in a sealed world: the real binary, tools that only record.

#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod answers;
mod care;
mod component_steps;
mod components;
mod config;
mod connect;
mod exit_codes;
mod failures;
mod fetch;
mod get_tools;
mod git;
mod held;
mod help;
mod identity;
mod install_scripts;

mod install;
mod install_cannot;
mod install_menu;
mod kit;
mod link;
mod plans;
mod repo;
mod run_script;
#[path = "../support/mod.rs"]
mod support;
mod talk;
mod tidy;
mod trust;
mod world;
