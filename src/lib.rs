//! sinc.
pub mod demo;
pub mod process;
