//! sinc.
fn main() {}
