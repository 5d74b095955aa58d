//! What a person sees: data on standard output, all talk on standard error.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use dialoguer::console::{Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressStyle};

/// Somebody else wrote to the terminal last, and may have left the cursor in the middle of a row.
static IN_THE_MIDDLE: AtomicBool = AtomicBool::new(false);

/// The one object that prints. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ui {
    quiet: bool,
    json: bool,
    events: bool,
    stream: bool,
    color: bool,
    interactive: bool,
    assume_yes: bool,
    live: bool,
    /// Standard error is a terminal that knows its sequences.
    terminal: bool,
    /// Where warnings are noted too.
    warned: Option<Arc<Mutex<Vec<String>>>>,
}

/// A question that nobody is there to answer.
#[derive(Debug)]
pub struct NobodyToAsk {
    /// The question.
    pub question: String,
}

impl std::fmt::Display for NobodyToAsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this needs an answer, and there is no terminal to ask on: {}", self.question)
    }
}

impl std::error::Error for NobodyToAsk {}

impl Ui {
    /// How to talk, from the flags.
    #[must_use]
    pub fn new(global: &crate::cli::Global, no_color: bool, dumb: bool) -> Self {
        use crate::cli::Color;
        let terminal = std::io::stderr().is_terminal();
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color && !dumb,
        };
        Self {
            quiet: global.quiet,
            json: global.json,
            events: global.json_events,
            stream: false,
            color,
            interactive: terminal && std::io::stdin().is_terminal() && !global.json,
            assume_yes: global.yes,
            live: terminal && !global.quiet && !global.json && !dumb,
            terminal: terminal && !dumb,
            warned: None,
        }
    }

    /// The same, for a process that nobody reads: what it warns of can be had by [`Ui::warnings`].
    #[must_use]
    pub fn noting_warnings(self) -> Self {
        Self { warned: Some(Arc::default()), ..self }
    }

    /// What it has warned of since this was asked last.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let noted = self.warned.as_ref().and_then(|noted| noted.lock().ok());
        noted.map(|mut all| std::mem::take(&mut *all)).unwrap_or_default()
    }

    /// Does the person want JSON?
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// With `--json`: what happens goes to standard output too, one object a line, before the answer.
    #[must_use]
    pub fn streaming(self) -> Self {
        Self { stream: self.json, ..self }
    }

    /// Is there a person at a terminal who can answer?
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Does a question get an answer: from a person, or from `--yes`?
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.interactive || self.assume_yes
    }

    /// Will colour be used?
    #[must_use]
    pub fn has_color(&self) -> bool {
        self.color
    }

    /// A step that is done or begins: one verb, then facts.
    pub fn status(&self, verb: &str, facts: &str) {
        self.event("status", &format!("{verb} {facts}"));
        if !self.quiet && !self.json {
            let verb = self.paint(AnsiColor::Green.on_default().bold(), &format!("{verb:>10}"));
            say(&format!("{verb} {facts}"));
        }
    }

    /// Something that the person should know.
    pub fn note(&self, text: &str) {
        self.event("note", text);
        if !self.quiet && !self.json {
            say(format!("{:>10} {text}", "").trim_end());
        }
    }

    /// Something that is not right, though the work goes on.
    pub fn warn(&self, text: &str) {
        self.event("warning", text);
        if let Some(mut noted) = self.warned.as_ref().and_then(|noted| noted.lock().ok()) {
            noted.push(text.to_owned());
        }
        if !self.json {
            say(&format!("{} {text}", self.paint(AnsiColor::Yellow.on_default().bold(), "warning:")));
        }
    }

    /// An action that helps.
    pub fn hint(&self, text: &str) {
        self.event("hint", text);
        if !self.json {
            say(&format!("{} {text}", self.paint(AnsiColor::Cyan.on_default().bold(), "hint:")));
        }
    }

    /// The prefix of a failure's text.
    #[must_use]
    pub fn error_prefix(&self) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), "error:")
    }

    /// The prefix of a hint.
    #[must_use]
    pub fn hint_prefix(&self) -> String {
        self.paint(AnsiColor::Cyan.on_default().bold(), "hint:")
    }

    /// A text in bold, where there is colour.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// A text that stands back, where there is colour.
    #[must_use]
    pub fn dim(&self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Another program has written to the terminal: what is said next begins on a row of its own.
    pub fn others_wrote(&self) {
        if self.terminal {
            IN_THE_MIDDLE.store(true, Ordering::Relaxed);
        }
    }

    /// Writes text to standard error as it is.
    pub fn raw(&self, text: &str) {
        say(text);
    }

    /// Writes data to standard output. When the reader has gone away, sinc ends quietly.
    pub fn data(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") });
        if written
            .and_then(|()| stdout.flush())
            .is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        {
            std::process::exit(0);
        }
    }

    /// Asks yes or no. `--yes` answers yes; without a terminal there is nobody to ask.
    ///
    /// # Errors
    /// Nobody can be asked, or the terminal is gone.
    pub fn confirm(&self, question: &str, default: bool) -> anyhow::Result<bool> {
        if self.assume_yes {
            return Ok(true);
        }
        if !self.interactive {
            return Err(NobodyToAsk { question: question.to_owned() }.into());
        }
        // Answered by Enter: that of somebody who types `y` and Enter would else be the next question's answer.
        let answer = dialoguer::Confirm::new()
            .with_prompt(question)
            .default(default)
            .wait_for_newline(true)
            .interact_opt();
        Ok(answered(answer)?.unwrap_or(false))
    }

    /// Asks for one of several answers; gives its index, or nothing when the person wants none of them.
    ///
    /// # Errors
    /// Nobody can be asked, or the terminal is gone.
    pub fn choose(&self, question: &str, answers: &[&str]) -> anyhow::Result<Option<usize>> {
        if !self.interactive {
            return Err(NobodyToAsk { question: question.to_owned() }.into());
        }
        let answer = dialoguer::Select::new().with_prompt(question).items(answers).default(0).interact_opt();
        answered(answer)
    }

    /// Asks for several of these; `chosen` are chosen at first. Gives their indices, or nothing when the person wants
    /// none of it.
    ///
    /// # Errors
    /// Nobody can be asked, or the terminal is gone.
    pub fn choose_several(
        &self,
        question: &str,
        items: &[(String, bool)],
    ) -> anyhow::Result<Option<Vec<usize>>> {
        if !self.interactive {
            return Err(NobodyToAsk { question: question.to_owned() }.into());
        }
        let answer = dialoguer::MultiSelect::new()
            .with_prompt(question)
            .report(false)
            .items_checked(items.to_vec())
            .interact_opt();
        answered(answer)
    }

    /// Asks for something that is not shown.
    ///
    /// # Errors
    /// Nobody can be asked, or the terminal is gone.
    pub fn secret(&self, question: &str) -> anyhow::Result<String> {
        if !self.interactive {
            return Err(NobodyToAsk { question: question.to_owned() }.into());
        }
        let answer = dialoguer::Password::new().with_prompt(question).allow_empty_password(true).interact();
        answered(answer)
    }

    /// A line that shows how far a long step is; nothing of it off a terminal, with `--quiet` or `--json`.
    #[must_use]
    pub fn progress(&self) -> Progress {
        if !self.live {
            return Progress { bar: None, ui: self.clone() };
        }
        fresh_row();
        let bar = ProgressBar::new_spinner();
        // Never as wide as the terminal: a row that is full may wrap, and is not cleared as a whole then.
        bar.set_style(
            ProgressStyle::with_template("{prefix:>10.green.bold} {spinner} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress { bar: Some(bar), ui: self.clone() }
    }

    /// One line of `--json-events`.
    pub fn event(&self, kind: &str, text: &str) {
        self.event_object(&serde_json::json!({ "event": kind, "text": text }));
    }

    /// One line of `--json-events` that has more to say.
    pub fn event_object(&self, object: &serde_json::Value) {
        if self.events {
            say(&object.to_string());
        }
        self.stream_object(object);
    }

    /// One line of the stream alone. That nobody reads it any more is no reason to stop in the middle of the work.
    pub fn stream_object(&self, object: &serde_json::Value) {
        if self.stream {
            let mut stdout = std::io::stdout().lock();
            let _ = writeln!(stdout, "{object}").and_then(|()| stdout.flush());
        }
    }
}

/// What a person answered. A question that a signal ends leaves the cursor hidden (dialoguer 0.12 shows it again only after an
/// answer).
fn answered<T>(answer: dialoguer::Result<T>) -> anyhow::Result<T> {
    let interrupted = crate::process::interrupted();
    if answer.is_err() || interrupted.is_err() {
        let _ = dialoguer::console::Term::stderr().show_cursor();
    }
    interrupted?;
    Ok(answer?)
}

/// A live line. It goes away when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    ui: Ui,
}

impl Progress {
    /// Shows a verb and facts.
    pub fn show(&self, verb: &str, facts: &str) {
        self.ui.event("progress", &format!("{verb} {facts}"));
        if let Some(bar) = &self.bar {
            let columns = usize::from(Term::stderr().size().1);
            let left = columns.saturating_sub(measure_text_width(verb).max(10) + " ⠁ ".chars().count() + 1);
            bar.set_prefix(verb.to_owned());
            bar.set_message(truncate_str(facts, left, "…").into_owned());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to standard error; when nobody reads it any more, that is no reason to stop.
fn say(text: &str) {
    fresh_row();
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

/// Begins a row of its own where the cursor may be in the middle of one. So many blanks as a row has end on the next one, but from
/// the beginning of a row they end on it: nobody has to know where the cursor is.
fn fresh_row() {
    if IN_THE_MIDDLE.swap(false, Ordering::Relaxed) {
        let columns = usize::from(Term::stderr().size().1);
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "{:columns$}\r\x1b[K", "").and_then(|()| stderr.flush());
    }
}

/// Bytes as a person reads them.
#[must_use]
pub fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}

/// A number with thousands apart.
#[must_use]
pub fn count(n: u64) -> String {
    indicatif::HumanCount(n).to_string()
}

/// "1 file", "2 files".
#[must_use]
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}
