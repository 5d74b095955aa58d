//! The link: one small process a host that watches both sides of its sessions and asks Mutagen for a cycle the moment
//! something changes, and holds it where it would delete too much. Here is what it consists of; `commands/link` puts it
//! together.

pub mod asked;
pub mod attention;
pub mod brake;
pub mod exclude;
pub mod eye;
pub mod joiner;
pub mod line;
pub mod local_eye;
pub mod log;
pub mod state;
pub mod trouble;
