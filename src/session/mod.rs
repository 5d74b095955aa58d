//! A session: one project's sync plus its terminal on the host.

pub mod agent_line;
pub mod bootstrap;
pub mod conflicts;
pub mod ending;
pub mod hold;
pub mod missing;
pub mod running;
pub mod scripts;
pub mod settings;
pub mod survey;
pub mod sync;
pub mod terminal;
pub mod unequal;
