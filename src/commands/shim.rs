//! sinc called as `ssh` or `scp` by Mutagen: prints what went wrong, and ends as ssh would.

use std::ffi::OsString;

use crate::config::Environment;
use crate::remote::{shim, shim_directory};
use crate::state::Store;

/// Becomes the real program, or stays before it. Gives its exit code, or ssh's for its own failures.
#[expect(clippy::print_stderr, reason = "there is no Ui: this is ssh, and Mutagen reads what it writes")]
#[must_use]
pub fn run(name: shim::Name, words: &[OsString]) -> i32 {
    let ran = Environment::read().map_err(anyhow::Error::from).and_then(|environment| {
        let store = Store::new(environment.state_dir());
        let own = shim_directory(&environment.data_dir());
        let path = environment.get("PATH").unwrap_or_default();
        shim::run_real(name, words, &store, path, &own)
    });
    ran.unwrap_or_else(|error| {
        eprintln!("sinc: {error:#}");
        255
    })
}
