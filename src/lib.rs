//! sinc.
pub mod process;
pub mod tools;
