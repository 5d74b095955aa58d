//! sinc called as `ssh` or `scp` by Mutagen: prints what went wrong, and ends as ssh would. Before a sync's agent begins on a
//! machine that was started since, what Mutagen believes of both sides is put right.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config::Environment;
use crate::remote::shim::{Call, Name, STARTED_SINCE};
use crate::remote::{shim_directory, started};
use crate::state::{Boots, Store};
use crate::tools::mutagen::roll_back;

/// Becomes the real program, or stays before it. Gives its exit code, or ssh's for its own failures.
#[expect(clippy::print_stderr, reason = "there is no Ui: this is ssh, and Mutagen reads what it writes")]
#[must_use]
pub fn run(name: Name, words: &[OsString]) -> i32 {
    run_real(name, words).unwrap_or_else(|error| {
        eprintln!("sinc: {error:#}");
        255
    })
}

fn run_real(name: Name, words: &[OsString]) -> Result<i32> {
    let environment = Environment::read()?;
    let (store, data) = (Store::new(environment.state_dir()), environment.data_dir());
    let path = environment.get("PATH").unwrap_or_default();
    let call = || Call::new(name, words, &store, path, &shim_directory(&data));
    let mut output = std::io::stdout().lock();
    let this = call()?;
    if !this.is_agent() {
        return this.run(&mut output);
    }
    let known = store.boots(this.host_word())?.filter(|boots| boots.here == started::id_here());
    if let Some(known) = known {
        let code = call()?.run_agent(&known.there, &mut output)?;
        if code != STARTED_SINCE {
            return Ok(code);
        }
    }
    let boots = settle(&store, &data, &this)?;
    this.run_agent(&boots.there, &mut output)
}

/// One of the machines was started since, or this is the first time. If it was not shut down well, what Mutagen brought
/// there last may not be on its disk, though Mutagen believes it is: it goes back to what is.
fn settle(store: &Store, data: &Path, call: &Call) -> Result<Boots> {
    let word = call.host_word();
    let _lock = store.lock_boots(word)?;
    let known = store.boots(word)?;
    let (here, there) = (started::here()?, started::there(call)?);
    if let Some(known) = known {
        let lost = |before: &str, now: &started::Start| before != now.id && !now.clean;
        if lost(&known.here, &here) || lost(&known.there, &there) {
            roll_back(&data.join("mutagen"), word).context("cannot put back what Mutagen remembers")?;
        }
    }
    let boots = Boots { here: here.id, there: there.id };
    store.save_boots(word, &boots)?;
    Ok(boots)
}
