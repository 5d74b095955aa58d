//! sinc.
pub mod process;
