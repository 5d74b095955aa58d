//! sinc.

pub mod project;
