//! What needs a whole host: a booted Debian behind a link that can be slowed and cut. `tests/run.sh bed` makes the
//! test bed (`tests/testbed/`) and runs this on the laptop's side of it, one test at a time.

#![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

#[path = "../support/mod.rs"]
mod support;

mod distance;
mod fault_sets;
mod hardening;
mod hostile;
mod hostile_sshd;
mod hostile_starts;
mod install;
mod install_faults;
mod kinds;
mod lab;
mod login;
mod lost_line;
mod machine_killed;
mod mobile;
mod never_open;
mod onlooker;
mod own_things;
mod public;
mod repositories;
mod restart;
mod rights;
mod safe;
mod second_factor;
mod secrets;
mod snapshot;
mod tailnet;
mod tiers;
mod vendor_node;
