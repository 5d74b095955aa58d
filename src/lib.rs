//! sinc.

pub mod ignore;
pub mod project;
