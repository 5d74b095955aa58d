//! `sinc run -- CMD`: runs a command on the host, in the same directory, with the files of this side, and brings back
//! what it changed.

mod end;
mod guard;

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::context::Context;
use super::first_cycle::complaints;
use super::sync_control::flushed;
use super::sync_reasons::why_not;
use super::{held_words, mutagen};
use crate::cli;
use crate::config::Environment;
use crate::failure::{Failure, Kind};
use crate::process::quote::posix;
use crate::process::{Cmd, Outcome, Pipes, ProcessError};
use crate::remote::{Remote, RemoteError, master_is_dead};
use crate::session::running::{Command, variable};
use crate::session::sync::brought_over;
use crate::state::Record;
use crate::tools::mutagen::{CycleResult, Mutagen};
use guard::Guard;

/// How long bringing changes over may take, before the command and after it.
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// How long the host may take to be ready: rc files of a login shell can be slow.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// What means something to a shell, and is hardly ever in the name of a program.
const SHELLS: &[char] = &[' ', '|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '~'];

/// Runs it. Gives the command's own exit code.
///
/// # Errors
/// The command was not run, or what became of it is not known, or what it changed could not be brought back.
pub(super) fn run(ctx: &Context, args: &cli::Run) -> Result<i32> {
    check(ctx, args)?;
    let vars = variables(&args.env)?;
    let record = ctx.target(None)?;
    let host = ctx.host_of(&ctx.config()?, &record)?;
    let remote = ctx.remote(&host);
    let below = below(ctx, &record)?;
    let command = Command {
        id: &record.id,
        directory: &record.remote,
        below: below.as_os_str(),
        words: &args.command,
        tty: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
    };
    let no_sync = args.no_sync || record.no_sync;
    if !no_sync {
        held_words::refuse(&record)?;
    }
    let mutagen = if no_sync { None } else { Some(mutagen::present(ctx)?) };
    if ctx.runner.is_dry_run() {
        return show(ctx, &command, &remote, &record, mutagen.as_ref());
    }
    let mut shared = connect(ctx, &command, &remote)?;
    let guard_cmd = command.guard_cmd(&remote);
    // The host gets ready while what waits is brought over.
    let mut guard = Guard::start(&ctx.runner, &guard_cmd, shared, &vars)?;
    if let Some(mutagen) = &mutagen {
        bring_over(ctx, mutagen, &record)?;
    }
    let mut ready = guard.wait_for(&guard_cmd, "run", READY_DEADLINE);
    if shared && ready.as_ref().is_err_and(lost_its_master) {
        // The shared connection was dead: a new one.
        remote.drop_master();
        shared = connect(ctx, &command, &remote)?;
        guard = Guard::start(&ctx.runner, &guard_cmd, shared, &vars)?;
        ready = guard.wait_for(&guard_cmd, "run", READY_DEADLINE);
    }
    let place = ready.map_err(|error| not_ready(&remote, error))?;
    // What rc files print is no part of what the command prints.
    let mark = guard.noisy || !guard.said().is_empty();
    let pipes = match (mark, command.tty) {
        (false, _) => Pipes::None,
        (true, true) => Pipes::Stdout,
        (true, false) => Pipes::Output,
    };
    let how = end::How {
        cmd: command.run_cmd(&remote, &place, mark),
        pipes,
        apart: shared && !command.tty,
        timeout: args.timeout.map(Duration::from_secs),
    };
    let ended = end::wait(ctx, &mut guard, &how);
    ctx.ui.others_wrote();
    let ended = ended?;
    // What it changed comes back however it ended.
    let bring_back = |mutagen: &Option<Mutagen>| match mutagen {
        Some(mutagen) => bring_over(ctx, mutagen, &record),
        None => Ok(()),
    };
    let (ended, back) = if ended.by_itself() {
        // Meanwhile the guard says with which code: that is a round trip.
        std::thread::scope(|scope| {
            let told = scope.spawn(|| ended.report(guard));
            let back = bring_back(&mutagen);
            told.join()
                .map(|ended| (ended, back))
                .map_err(|_| anyhow::anyhow!("the guard's listener broke off"))
        })?
    } else {
        let ended = ended.report(guard);
        let back = if ended.lost { Ok(()) } else { bring_back(&mutagen) };
        (ended, back)
    };
    let code = ended.code(&record, &below)?;
    if let Some(seconds) = args.timeout.filter(|_| ended.timed_out) {
        let prefix = ctx.ui.error_prefix();
        ctx.ui.raw(&format!("{prefix} not done within {seconds} s (--timeout); it was ended"));
    }
    if let (127, [line]) = (code, args.command.as_slice())
        && let Some(line) = line.to_str().filter(|line| line.contains(SHELLS))
    {
        ctx.ui.hint(&format!("a line for a shell: `sinc run -- sh -c {}`", posix(line)));
    }
    match back {
        Err(error) if code == 0 => {
            Err(error.context("the command ended well, but what it changed is not all here"))
        }
        Err(error) => {
            ctx.ui.warn(&format!("what it changed is not all here: {error}"));
            Ok(code)
        }
        Ok(()) => Ok(code),
    }
}

fn check(ctx: &Context, args: &cli::Run) -> Result<()> {
    let wrong = |message: &str, hint: &str| Err(Failure::new(Kind::Usage, message).hint(hint).into());
    if ctx.ui.is_json() {
        return wrong(
            "`run` passes on what the command prints: there is no `--json`",
            "give it to the command itself, after `--`",
        );
    }
    if args.command.first().is_some_and(|name| name.is_empty() || name.as_bytes().starts_with(b"-")) {
        return wrong(
            "a command's name cannot be empty or begin with `-`",
            "options of sinc's own come before `--`: `sinc run --timeout 60 -- make`",
        );
    }
    Ok(())
}

/// The lines that set the variables of `--env`.
fn variables(wanted: &[OsString]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for one in wanted {
        let bytes = one.as_bytes();
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned())),
            None => (bytes, None),
        };
        let name = String::from_utf8_lossy(name);
        let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !legal {
            let message = format!("`{name}` is no name of a variable");
            return Err(Failure::new(Kind::Usage, message)
                .hint("`--env NAME=VALUE`, or `--env NAME`")
                .into());
        }
        let value = value.or_else(|| Environment::of_person(&name));
        let Some(value) = value else {
            let message = format!("`{name}` is not set here");
            return Err(Failure::new(Kind::Usage, message)
                .hint(format!("`--env {name}=VALUE` sets it"))
                .into());
        };
        lines.push(variable(&name, &value));
    }
    lines.push("go".to_owned());
    Ok(lines)
}

/// The current directory below the project's.
fn below(ctx: &Context, record: &Record) -> Result<PathBuf> {
    let here = ctx.cwd.canonicalize().context("the current directory is gone")?;
    let root = record.local.canonicalize().context("the project's directory is gone")?;
    Ok(here.strip_prefix(root).context("the current directory is not in the project")?.to_owned())
}

/// Makes sure that the shared connection is there: at its beginning ssh may have questions. Is there one?
fn connect(ctx: &Context, command: &Command, remote: &Remote) -> Result<bool> {
    remote.control().prepare();
    if remote.control().exists() {
        return Ok(true);
    }
    let reply = command.look(remote, &|line| ctx.ui.note(line))?;
    if reply.code != 0 {
        return Err(moved(&reply.said).into());
    }
    Ok(remote.control().exists())
}

fn moved(said: &str) -> Failure {
    Failure::new(Kind::Failed, said.trim().trim_start_matches("sinc: ").to_owned())
        .hint("run `sinc` in the project: it looks for the directory and says what can be done")
}

/// Did it end because the connection that it was to share was dead?
fn lost_its_master(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ProcessError>();
    error.is_some_and(|error| matches!(error.outcome(), Outcome::Exit(255)) && master_is_dead(error))
}

/// Why the guard did not get ready.
fn not_ready(remote: &Remote, error: anyhow::Error) -> anyhow::Error {
    let Some(found) = error.downcast_ref::<ProcessError>() else { return error };
    match found.outcome() {
        Outcome::Exit(94 | 97) => moved(found.stderr()).into(),
        Outcome::Exit(255) | Outcome::TimedOut(_) => {
            // A connection whose line is dead is not kept for the next one.
            remote.drop_master();
            RemoteError::of(remote, "stand by on the host", found.clone()).into()
        }
        _ => RemoteError::of(remote, "stand by on the host", found.clone()).into(),
    }
}

/// Both sides are to be equal; conflicts and what cannot be synced at all are said, and are no hindrance.
fn bring_over(ctx: &Context, mutagen: &Mutagen, record: &Record) -> Result<()> {
    let checked = flushed(ctx, mutagen, record, FLUSH_DEADLINE)?;
    if checked.result == CycleResult::Equal {
        return Ok(());
    }
    if !brought_over(&checked.result) {
        return Err(why_not(record, &checked));
    }
    for text in complaints(&checked.session) {
        ctx.ui.warn(&text);
    }
    Ok(())
}

/// What a dry run shows.
fn show(
    ctx: &Context,
    command: &Command,
    remote: &Remote,
    record: &Record,
    mutagen: Option<&Mutagen>,
) -> Result<i32> {
    let run: Cmd = command.run_cmd(remote, "", false);
    if let Some(mutagen) = mutagen {
        flushed(ctx, mutagen, record, FLUSH_DEADLINE)?;
    }
    ctx.runner.run(&run)?;
    if let Some(mutagen) = mutagen {
        flushed(ctx, mutagen, record, FLUSH_DEADLINE)?;
    }
    Ok(0)
}
