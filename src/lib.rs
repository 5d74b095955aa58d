//! sinc.

pub mod config;
pub mod ignore;
pub mod project;
pub mod trust;
