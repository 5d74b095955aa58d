//! Mutagen made ready for a command: found, or offered to be fetched.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::context::Context;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::remote::shim_directory;
use crate::tools::mutagen::{
    FetchError, Fetched, FindError, Mutagen, MutagenError, RELEASE, Release, Search, Selector, SyncSession,
    fetch, find, own_program,
};
use crate::ui::bytes;

/// Mutagen, with its own daemon and data directory. A missing one is offered to be fetched.
///
/// # Errors
/// It is missing, too old, or something else of that name.
pub(super) fn ready(ctx: &Context) -> Result<Mutagen> {
    let config = ctx.config()?;
    let program = match look_up(ctx, &config) {
        Err(FindError::None { .. }) if ctx.ui.can_ask() => offer(ctx, &config)?,
        Err(missing) => return Err(explain(missing)),
        Ok(program) => program,
    };
    at(ctx, program)
}

/// Mutagen, if it is there: for commands that only ask, or end things. Nothing is fetched.
///
/// # Errors
/// It is missing, too old, or something else of that name.
pub(super) fn present(ctx: &Context) -> Result<Mutagen> {
    at(ctx, look_up(ctx, &ctx.config()?).map_err(explain)?)
}

/// All syncs of sinc. In a dry run a daemon that does not run is not started, and has none.
///
/// # Errors
/// Mutagen cannot be asked.
pub(super) fn all_syncs(mutagen: &Mutagen) -> Result<Vec<SyncSession>> {
    match mutagen.list(&Selector::All) {
        Err(MutagenError::NotRunning) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}

/// Mutagen, or the place where it would be: for showing commands.
///
/// # Errors
/// The data directory's path is too long.
pub(super) fn supposed(ctx: &Context) -> Result<Mutagen> {
    at(ctx, look_up(ctx, &ctx.config()?).unwrap_or_else(|_| PathBuf::from("mutagen")))
}

/// Looks for the program, and starts at most its `version`.
///
/// # Errors
/// There is none that will do.
pub(super) fn look_up(ctx: &Context, config: &Config) -> Result<PathBuf, FindError> {
    let data_dir = ctx.environment.data_dir();
    let configured = config.mutagen.path.as_ref().map(|path| ctx.environment.expand(path.value.as_str()));
    let search = Search {
        configured: configured.as_deref(),
        path: ctx.environment.get("PATH"),
        data_dir: &data_dir,
        cache: &ctx.store.directory().join("mutagen-versions.json"),
    };
    let found = find(&ctx.runner, &search)?;
    for unfit in &found.passed_over {
        tracing::warn!("{unfit}");
    }
    Ok(found.program)
}

fn at(ctx: &Context, program: PathBuf) -> Result<Mutagen> {
    let data = ctx.environment.data_dir();
    Ok(Mutagen::new(program, data.join("mutagen"), shim_directory(&data), ctx.runner.clone())?)
}

/// Why there is none, with what helps.
pub(super) fn explain(missing: FindError) -> anyhow::Error {
    match missing {
        FindError::Interrupted(signal) => signal.into(),
        FindError::Configured(unfit) => Failure::new(Kind::MissingTool, unfit.to_string())
            .hint("mend `mutagen.path` in the config: `sinc config edit`")
            .into(),
        FindError::None { .. } => Failure::new(Kind::MissingTool, missing.to_string())
            .hint("run `sinc` on a terminal, or with `--yes`: it fetches Mutagen from its own releases")
            .hint("or install it yourself: https://mutagen.io/documentation/introduction/installation")
            .into(),
    }
}

/// Offers to fetch the pinned release into sinc's own data directory.
///
/// # Errors
/// The person says no, or it cannot be fetched.
pub(super) fn offer(ctx: &Context, config: &Config) -> Result<PathBuf> {
    let named = config.mutagen.url.as_ref().zip(config.mutagen.sha256.as_ref());
    let named = named.map(|(url, sum)| Release { url: url.value.to_string(), sha256: sum.value.to_string() });
    let Some(release) = named.or_else(Release::for_this_computer) else {
        let message = "there is no Mutagen on this computer, and no release for it";
        return Err(Failure::new(Kind::MissingTool, message)
            .hint("build it from source, and name it in the config: `mutagen.path`")
            .into());
    };
    let data_dir = ctx.environment.data_dir();
    ctx.ui.note(&format!("Mutagen syncs the files, and is not on this computer; sinc can fetch {RELEASE}"));
    ctx.ui.note(&format!("from {}", release.url));
    ctx.ui.note(&format!("to   {}", own_program(&data_dir).display()));
    if !ctx.ui.confirm("Fetch it?", true)? {
        return Err(Failure::new(Kind::MissingTool, "there is no Mutagen on this computer")
            .hint("install it yourself: https://mutagen.io/documentation/introduction/installation")
            .into());
    }
    match download(ctx, &data_dir, &release)? {
        Fetched::Installed { program, version } => {
            ctx.ui.status("Fetched", &format!("Mutagen {version}"));
            Ok(program)
        }
        Fetched::WouldFetch => Ok(own_program(&data_dir)),
    }
}

fn download(ctx: &Context, data_dir: &Path, release: &Release) -> Result<Fetched> {
    let line = ctx.ui.progress();
    line.show("Fetching", "Mutagen");
    let fetched = fetch(&ctx.runner, data_dir, release, &mut |received, total| {
        let share = total.map(|total| format!(" of {} ({} %)", bytes(total), received * 100 / total.max(1)));
        line.show("Fetching", &format!("Mutagen: {}{}", bytes(received), share.unwrap_or_default()));
    });
    drop(line);
    fetched.map_err(|error| {
        let failure = match &error {
            FetchError::Interrupted(signal) => return (*signal).into(),
            FetchError::WrongSum { .. } => Failure::new(Kind::Failed, error.to_string())
                .hint("another address and its sum: `mutagen.url` and `mutagen.sha256` in the config"),
            _ => Failure::new(Kind::MissingTool, why_not(&error, release))
                .hint("another address and its sum: `mutagen.url` and `mutagen.sha256` in the config")
                .hint("or install it yourself: https://mutagen.io/documentation/introduction/installation"),
        };
        failure.into()
    })
}

/// Why it could not be fetched. Of a download that failed the address says more than curl's whole command line.
fn why_not(error: &FetchError, release: &Release) -> String {
    match error {
        FetchError::Download(curl) if !curl.is_not_found() => {
            let said = curl.stderr().lines().map(str::trim).find(|line| !line.is_empty());
            let why = said.map_or_else(|| format!("curl {}", curl.outcome()), str::to_owned);
            format!("could not download Mutagen from {}: {why}", release.url)
        }
        _ => error.to_string(),
    }
}
