//! `sinc link install`: the links are started at login.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::super::context::Context;
use crate::failure::{Failure, Kind};
use crate::process::{Cmd, quote};
use crate::state::write_file;

const UNIT: &str = "sinc-link.service";
const AGENT: &str = "sinc.link.plist";

/// Runs it.
///
/// # Errors
/// The file cannot be written, or systemd does not take it.
pub(super) fn run(ctx: &Context, remove: bool) -> Result<i32> {
    let this = std::env::current_exe().context("cannot find out which program this is")?;
    let this = this.to_str().context("this program's path is not UTF-8")?;
    let (path, text) = if cfg!(target_os = "macos") {
        (ctx.environment.home().join("Library/LaunchAgents").join(AGENT), agent(this))
    } else {
        (units(ctx).join(UNIT), unit(this))
    };
    if ctx.runner.is_dry_run() {
        ctx.ui.note(&format!("would {} {}", if remove { "remove" } else { "write" }, path.display()));
    } else if remove {
        if !path.exists() {
            ctx.ui.note("it is not installed");
            return Ok(0);
        }
    } else {
        write_file(&path, text.as_bytes())?;
    }
    let told = tell_system(ctx, &path, remove);
    if remove && !ctx.runner.is_dry_run() {
        std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
    }
    if let Err(error) = told {
        return Err(Failure::new(Kind::Failed, format!("{error:#}"))
            .hint(format!("the file is {}; without a service every `sinc` starts the link", path.display()))
            .into());
    }
    if !ctx.runner.is_dry_run() {
        let text = if remove {
            "the links are not started at login any more"
        } else {
            "the links are started at login"
        };
        ctx.ui.status(if remove { "Removed" } else { "Installed" }, &format!("{}: {text}", path.display()));
    }
    if ctx.ui.is_json() {
        ctx.print_json("link", &serde_json::json!({ "installed": !remove, "file": path }));
    }
    Ok(0)
}

fn units(ctx: &Context) -> PathBuf {
    let config = ctx.environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    config.unwrap_or_else(|| ctx.environment.home().join(".config")).join("systemd/user")
}

fn tell_system(ctx: &Context, path: &std::path::Path, remove: bool) -> Result<()> {
    if cfg!(target_os = "macos") {
        let verb = if remove { "unload" } else { "load" };
        ctx.runner.run(&Cmd::new("launchctl", "tell launchd").args([verb, "-w"]).arg(path))?;
        return Ok(());
    }
    let systemctl = |words: &[&str]| Cmd::new("systemctl", "tell systemd").arg("--user").args(words);
    if remove {
        ctx.runner.run(&systemctl(&["disable", UNIT]))?;
    } else {
        ctx.runner.run(&systemctl(&["daemon-reload"]))?;
        ctx.runner.run(&systemctl(&["enable", UNIT]))?;
    }
    Ok(())
}

/// A unit that starts the links and is done: they end by themselves, and a newer sinc replaces them.
fn unit(program: &str) -> String {
    // systemd reads `%` and `$` in a command, and double quotes as a shell does.
    let quoted = program.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!(
        "# Written by `sinc link install`.\n\
         [Unit]\n\
         Description=sinc: watches the sessions' directories\n\n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         KillMode=process\n\
         ExecStart=\"{quoted}\" link start\n\n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

/// The same for launchd.
fn agent(program: &str) -> String {
    let shell = format!("exec {} link start", quote::posix(program));
    let shell = shell.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\"><dict>\n\
         <key>Label</key><string>sinc.link</string>\n\
         <key>ProgramArguments</key><array><string>/bin/sh</string><string>-c</string><string>{shell}</string></array>\n\
         <key>RunAtLoad</key><true/>\n\
         <key>AbandonProcessGroup</key><true/>\n\
         </dict></plist>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_the_formats_stays_whole() {
        assert!(unit("/a b%c$d\"e/sinc").contains("ExecStart=\"/a b%%c$$d\\\"e/sinc\" link start\n"));
        assert!(agent("/a b&c/sinc").contains("exec '/a b&amp;c/sinc' link start</string>"));
    }
}
