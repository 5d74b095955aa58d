//! A throw-away host on this computer: what `sinc demo` shows sinc on, and what the end-to-end tests run on.

mod files;
mod guard;
pub mod loopback;
mod place;
mod programs;
mod sshd;

pub use loopback::{LoopbackHost, Options};
pub use programs::Missing;
