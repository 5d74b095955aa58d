//! A throw-away host on this computer: what `sinc demo` shows sinc on, and what the end-to-end tests run on.

mod files;
mod guard;
pub mod loopback;
pub mod packages;
mod place;
mod programs;
pub mod report;
mod sample;
mod screen;
mod sshd;
pub mod stage;
pub mod tour;
mod wait;

pub use loopback::{LoopbackHost, Options};
pub use programs::Missing;
pub use report::Numbers;
pub use stage::Stage;
pub use wait::TooSlow;
