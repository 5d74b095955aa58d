//! `sinc logs`: what the last runs did, from the journal: each command, its time, its result.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::context::Context;
use super::paint::{Paint, Tone, shorten, utc};
use crate::cli;
use crate::process::{Entry, Journal};

/// How wide a line may be where there is no terminal.
const WIDTH: usize = 160;

/// One run of sinc.
#[derive(Debug)]
struct Run {
    id: String,
    sinc: String,
    commands: Vec<Entry>,
}

/// Runs it.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn run(ctx: &Context, args: &cli::Logs) -> Result<i32> {
    let dir = ctx.store.directory().join("logs");
    let mut entries = read(&Journal::older_path(&dir))?;
    entries.extend(read(&Journal::path(&dir))?);
    let mut runs = by_run(entries);
    runs.drain(..runs.len().saturating_sub(args.runs));
    if ctx.ui.is_json() {
        ctx.print_json("logs", &json(&runs));
        return Ok(0);
    }
    if runs.is_empty() {
        ctx.ui.note("no run is remembered yet");
        return Ok(0);
    }
    let width = match rustix::termios::tcgetwinsize(rustix::stdio::stdout()) {
        _ if ctx.global.verbose > 0 => usize::MAX,
        Ok(size) if size.ws_col > 20 => usize::from(size.ws_col),
        _ => WIDTH,
    };
    let paint = Paint::for_stdout(ctx);
    for line in runs.iter().flat_map(|run| lines(run, width, paint)) {
        ctx.ui.data(&line);
    }
    Ok(0)
}

/// The entries of one file. A line that is cut or damaged costs only itself.
fn read(path: &Path) -> Result<Vec<Entry>> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let lines = bytes.split(|&byte| byte == b'\n');
            Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// The runs, the newest last: by when each began to do something. Two at once are told apart.
fn by_run(entries: Vec<Entry>) -> Vec<Run> {
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut runs: Vec<Run> = Vec::new();
    for entry in entries {
        let index = *at.entry(entry.run.clone()).or_insert_with(|| {
            runs.push(Run { id: entry.run.clone(), sinc: entry.sinc.clone(), commands: Vec::new() });
            runs.len() - 1
        });
        runs[index].commands.push(entry);
    }
    runs
}

/// When the run began, seconds since 1970: its id ends with that, in milliseconds.
fn began(run: &Run) -> u64 {
    let from_id = run.id.rsplit('-').next().and_then(|text| text.parse::<u64>().ok());
    from_id.or_else(|| run.commands.first().map(|entry| entry.at)).unwrap_or_default() / 1000
}

fn json(runs: &[Run]) -> serde_json::Value {
    let commands = |run: &Run| -> Vec<_> {
        let one = |entry: &Entry| {
            serde_json::json!({
                "at": entry.at, "why": entry.why, "command": entry.command, "ms": entry.ms,
                "result": entry.result,
            })
        };
        run.commands.iter().map(one).collect()
    };
    let run = |run: &Run| {
        serde_json::json!({
            "run": run.id, "began": began(run), "sinc": run.sinc, "commands": commands(run),
        })
    };
    serde_json::json!({ "runs": runs.iter().map(run).collect::<Vec<_>>() })
}

/// The lines of one run. Shortened, a command is one line; whole, it is as it can be pasted.
fn lines(run: &Run, width: usize, paint: Paint) -> Vec<String> {
    let head = format!("{} UTC  sinc {}", utc(began(run)), run.sinc);
    let mut lines = vec![paint.paint(Tone::Strong, shorten(&plain(&head, width), width).trim_end())];
    for entry in &run.commands {
        let time = entry.ms.map_or("-".to_owned(), took);
        let result = match entry.result.as_str() {
            "exit 0" => "ok",
            other => other,
        };
        let begin = format!("{time:>8}  {result:<9} ");
        let tone = if matches!(result, "ok" | "exec") { Tone::Quiet } else { Tone::Careful };
        let room = width.saturating_sub(begin.chars().count());
        let whole = width == usize::MAX;
        let command = if whole { &entry.command } else { without_environment(&entry.command) };
        let command = shorten(&plain(&format!("{}: {command}", entry.why), width), room);
        lines.push(format!("{}{command}", paint.paint(tone, &begin)));
    }
    lines
}

/// A command without the variables that it is given: they would leave no room for what it does.
fn without_environment(command: &str) -> &str {
    let mut rest = command;
    loop {
        let name = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(0);
        if name == 0 || !rest[name..].starts_with('=') {
            return rest;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.char_indices().find(|(_, c)| {
            quoted ^= *c == '\'' && !escaped;
            escaped = *c == '\\' && !quoted;
            *c == ' ' && !quoted
        });
        match end {
            Some((end, _)) => rest = rest[end..].trim_start(),
            None => return rest,
        }
    }
}

fn took(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { format!("{:.1} s", ms as f64 / 1000.0) }
}

/// What a terminal may show. Whole commands keep their line breaks, which are part of them.
fn plain(text: &str, width: usize) -> String {
    let keep = |c: char| !c.is_control() || (width == usize::MAX && (c == '\n' || c == '\t'));
    text.chars().map(|c| if keep(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, command: &str, result: &str, ms: Option<u64>) -> Entry {
        Entry {
            run: run.into(),
            sinc: "status --json".into(),
            at: 1_795_457_690_000,
            why: "ask".into(),
            command: command.into(),
            ms,
            result: result.into(),
        }
    }

    #[test]
    fn runs_at_the_same_time_are_told_apart_and_shortened_to_the_width() {
        let entries = vec![
            entry("1-1795457685000", "mutagen sync list", "exit 0", Some(6)),
            entry("2-1795457686000", "ssh box", "did not end within 2.0 s", Some(2000)),
            entry("1-1795457685000", "ssh box 'a\nb' and a very long rest", "exec", None),
        ];
        let runs = by_run(entries);
        let shown = |width| runs.iter().flat_map(|run| lines(run, width, Paint::off())).collect::<Vec<_>>();
        assert_eq!(
            shown(45),
            [
                "2026-11-23 18:14:45 UTC  sinc status --json",
                "    6 ms  ok        ask: mutagen sync list",
                "       -  exec      ask: ssh box 'a b' and a…",
                "2026-11-23 18:14:46 UTC  sinc status --json",
                " 2000 ms  did not end within 2.0 s ask: ssh …",
            ]
        );
        assert!(shown(usize::MAX)[2].contains("'a\nb' and a very long rest"));
        assert_eq!(took(12_345), "12.3 s");
    }

    #[test]
    fn variables_before_a_command_are_left_out() {
        for (command, rest) in [
            ("A='x y' B_C=/d/e mutagen sync list", "mutagen sync list"),
            ("A='it'\\''s here' ssh box", "ssh box"),
            ("ssh -o A=b", "ssh -o A=b"),
            ("A=b", "A=b"),
            ("", ""),
        ] {
            assert_eq!(without_environment(command), rest);
        }
    }

    #[test]
    fn a_damaged_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("commands.jsonl");
        let good = serde_json::to_string(&entry("1-1", "x", "exit 0", Some(1))).unwrap();
        std::fs::write(&path, format!("{good}\n{{\"run\":\"cut\n\n{good}\n{{\"ru")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
        assert_eq!(read(&dir.path().join("none")).unwrap().len(), 0);
    }
}
