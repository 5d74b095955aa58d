//! What can be put on a host, and how: components are data, step kinds are code.
//!
//! Probe ([`probe`] asks, [`facts`] reads: one read-only program, one round trip), plan ([`plan`]: pure), apply ([`apply`]: one run on the
//! host that outlives the line), probe again.

pub mod access;
mod answers;
pub mod apply;
pub mod cannot;
pub mod catalog;
mod comes;
pub mod component;
mod decide;
pub mod edit;
pub mod facts;
pub mod firewall;
pub mod kinds;
mod kinds_check;
pub mod look;
pub mod mirror;
mod moves;
mod packages;
pub mod plan;
pub mod probe;
pub mod program;
pub mod records;
mod ssh_rules;
mod sshd;
pub mod tailnet;
pub mod target;
pub mod unedit;
pub mod version;
