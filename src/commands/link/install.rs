//! `sinc link install`: the links are started at login.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::super::context::Context;
use crate::failure::{Failure, Kind};
use crate::process::Cmd;
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
    let start = Start { program: this.to_owned(), config: config(ctx)?, variables: variables(ctx) };
    let (path, text) = if cfg!(target_os = "macos") {
        (ctx.environment.home().join("Library/LaunchAgents").join(AGENT), agent(&start))
    } else {
        (units(ctx).join(UNIT), unit(&start))
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
    let mut told = tell_system(ctx, &path, remove);
    if remove && !ctx.runner.is_dry_run() {
        std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        if told.is_ok() && !cfg!(target_os = "macos") {
            told = ctx.runner.run(&systemctl(&["daemon-reload"])).map(drop).map_err(Into::into);
        }
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

/// How the links are started.
struct Start {
    program: String,
    /// The configuration file, where another one than the usual is wanted.
    config: Option<String>,
    /// What this login's environment has and that of services may not have.
    variables: Vec<(&'static str, String)>,
}

fn config(ctx: &Context) -> Result<Option<String>> {
    if ctx.global.config.is_none() && ctx.environment.get("SINC_CONFIG").is_none() {
        return Ok(None);
    }
    let file = ctx.cwd.join(ctx.config()?.file);
    Ok(Some(file.to_str().context("the configuration's path is not UTF-8")?.to_owned()))
}

/// `PATH`, because Mutagen and ssh may be in a place that only a login's has; and where sinc's own files are.
fn variables(ctx: &Context) -> Vec<(&'static str, String)> {
    let names = ["PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"];
    let known = names.map(|name| Some((name, ctx.environment.get(name)?.to_str()?.to_owned())));
    let is_one_line = |(_, value): &(&str, String)| !value.contains(char::is_control);
    known.into_iter().flatten().filter(is_one_line).collect()
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
    if remove {
        // What it has started goes on.
        ctx.runner.run(&systemctl(&["disable", "--now", UNIT]))?;
    } else {
        ctx.runner.run(&systemctl(&["daemon-reload"]))?;
        ctx.runner.run(&systemctl(&["enable", UNIT]))?;
    }
    Ok(())
}

fn systemctl(words: &[&str]) -> Cmd {
    Cmd::new("systemctl", "tell systemd").arg("--user").args(words)
}

/// A unit that starts the links and is done: they end by themselves, and a newer sinc replaces them.
fn unit(start: &Start) -> String {
    // systemd reads `%` and, in a command, `$`, and double quotes as a shell does.
    let text = |word: &str| word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let word = |word: &str| format!("\"{}\"", text(word).replace('$', "$$"));
    let variables: String = start
        .variables
        .iter()
        .map(|(name, value)| format!("Environment=\"{name}={}\"\n", text(value)))
        .collect();
    let config = start.config.as_deref().map(|file| format!(" --config {}", word(file))).unwrap_or_default();
    format!(
        "# Written by `sinc link install`.\n\
         [Unit]\n\
         Description=sinc: watches the sessions' directories\n\n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         KillMode=process\n\
         {variables}\
         ExecStart={}{config} link start\n\n\
         [Install]\n\
         WantedBy=default.target\n",
        word(&start.program)
    )
}

/// The same for launchd.
fn agent(start: &Start) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let config = start.config.as_deref().map(|file| ["--config", file]);
    let words =
        [start.program.as_str()].into_iter().chain(config.into_iter().flatten()).chain(["link", "start"]);
    let words: String = words.map(|word| format!("<string>{}</string>", escaped(word))).collect();
    let variables: String = start
        .variables
        .iter()
        .map(|(name, value)| format!("<key>{name}</key><string>{}</string>", escaped(value)))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\"><dict>\n\
         <key>Label</key><string>sinc.link</string>\n\
         <key>EnvironmentVariables</key><dict>{variables}</dict>\n\
         <key>ProgramArguments</key><array>{words}</array>\n\
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
        let start = |program: &str, config: Option<&str>| Start {
            program: program.to_owned(),
            config: config.map(str::to_owned),
            variables: vec![("PATH", "/a b:/c&d%\"$".to_owned())],
        };
        let text = unit(&start("/a b%c$d\"e/sinc", Some("/x y.toml")));
        assert!(
            text.contains("ExecStart=\"/a b%%c$$d\\\"e/sinc\" --config \"/x y.toml\" link start\n"),
            "{text}"
        );
        assert!(text.contains("Environment=\"PATH=/a b:/c&d%%\\\"$\"\n"), "{text}");
    }

    /// Nobody has run it on a Mac yet: it was read by Python's plistlib, and says what launchd.plist(5) asks for.
    #[test]
    fn launchds_file_is_whole() {
        let variables = vec![("PATH", "/a b:/c&d%\"$".to_owned()), ("XDG_DATA_HOME", "/x<y>".to_owned())];
        let start =
            Start { program: "/a b&c/sinc".to_owned(), config: Some("/x y.toml".to_owned()), variables };
        assert_eq!(
            agent(&start),
            r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>sinc.link</string>
<key>EnvironmentVariables</key><dict><key>PATH</key><string>/a b:/c&amp;d%"$</string><key>XDG_DATA_HOME</key><string>/x&lt;y&gt;</string></dict>
<key>ProgramArguments</key><array><string>/a b&amp;c/sinc</string><string>--config</string><string>/x y.toml</string><string>link</string><string>start</string></array>
<key>RunAtLoad</key><true/>
<key>AbandonProcessGroup</key><true/>
</dict></plist>
"#
        );
        let start = Start { config: None, variables: Vec::new(), ..start };
        assert!(agent(&start).contains("sinc</string><string>link</string><string>start</string></array>"));
    }
}
