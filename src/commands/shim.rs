//! sinc called as `ssh` or `scp` by Mutagen: prints what went wrong, and ends as ssh would. Before a sync's agent begins on a
//! machine that was started since, what Mutagen believes of both sides is put right.

use std::ffi::OsString;

use anyhow::{Context as _, Result};

use crate::config::Environment;
use crate::process::Runner;
use crate::remote::shim::{Call, Name, STARTED_SINCE};
use crate::remote::{shim_directory, started};
use crate::state::{Boots, Store};
use crate::tools::mutagen::{Mutagen, PROGRAM_VARIABLE, roll_back, sessions_with};

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
    let known = store.boots(this.host_word())?.filter(|boots| is_settled(boots, &started::id_here()));
    if let Some(known) = known {
        let code = call()?.run_agent(&known.there, &mut output)?;
        if code != STARTED_SINCE {
            return Ok(code);
        }
        let boots = settle(&store, &environment, &this, Some(&known))?;
        return this.run_agent(&boots.there, &mut output);
    }
    let boots = settle(&store, &environment, &this, None)?;
    this.run_agent(&boots.there, &mut output)
}

/// Was all that a start of this computer demands done, so that only the host may have been started since?
fn is_settled(boots: &Boots, here: &str) -> bool {
    boots.here == here && boots.owed.is_empty()
}

/// One of the machines was started since, or this is the first time. If it was not shut down well, what Mutagen brought
/// there last may not be on its disk, though Mutagen believes it is: the memory of each sync goes back to what is. Not that of
/// one that is in a cycle, with a connection that is dead without its knowing: what it remembers at its end would take the
/// place. It owes that until it connects anew, which no sync does but through here. `refused` is what the host was not any more.
fn settle(store: &Store, environment: &Environment, call: &Call, refused: Option<&Boots>) -> Result<Boots> {
    let word = call.host_word();
    let _lock = store.lock_boots(word)?;
    let known = store.boots(word)?;
    if let Some(known) = &known
        && refused != Some(known)
        && is_settled(known, &started::id_here())
    {
        // Another sync of this host was here just now. If the host is yet another one, its gate says so.
        return Ok(known.clone());
    }
    let (here, there) = (started::here()?, started::there(call)?);
    let mut boots = known.clone().unwrap_or_default();
    let data = environment.data_dir().join("mutagen");
    if let Some(known) = &known {
        let lost = here.may_have_lost(&known.here, &known.machines_here)
            || there.may_have_lost(&known.there, &known.machines_there);
        let all = sessions_with(&data, word);
        boots.owed = all.into_iter().filter(|id| lost || known.owed.contains(id)).collect();
    }
    (boots.here, boots.there) = (here.id.clone(), there.id.clone());
    here.known().note(&mut boots.machines_here);
    there.known().note(&mut boots.machines_there);
    // Who is killed from here on leaves the rest to the next one.
    store.save_boots(word, &boots)?;
    if !boots.owed.is_empty() {
        let at_work = at_work(environment);
        let mut owed = Vec::new();
        for id in std::mem::take(&mut boots.owed) {
            if at_work.contains(&id) {
                owed.push(id);
            } else {
                roll_back(&data, &id).context("cannot put back what Mutagen remembers")?;
            }
        }
        boots.owed = owed;
        store.save_boots(word, &boots)?;
    }
    Ok(boots)
}

/// The syncs that are in a cycle, or could be. Where Mutagen cannot be asked, none is left out.
fn at_work(environment: &Environment) -> Vec<String> {
    let asked = || -> Result<Vec<String>> {
        let data = environment.data_dir();
        let program = environment.get(PROGRAM_VARIABLE).context("the daemon does not tell its program")?;
        Ok(Mutagen::new(program, data.join("mutagen"), shim_directory(&data), Runner::default())?
            .at_work()?)
    };
    asked().unwrap_or_else(|error| {
        tracing::warn!(%error, "which syncs are in a cycle is not known");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_seen_to_before_the_next_agent() {
        let boots = Boots { here: "a".to_owned(), ..Boots::default() };
        assert!(is_settled(&boots, "a") && !is_settled(&boots, "b"));
        assert!(!is_settled(&Boots { owed: vec!["sync_a".to_owned()], ..boots }, "a"));
    }
}
