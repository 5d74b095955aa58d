//! The background link: what makes syncing fast, and holds it where it would delete too much.

pub mod brake;
