//! What data looks like on standard output: colours where there may be some, names made harmless, times in words.

use std::io::IsTerminal;
use std::path::Path;

use clap::builder::styling::{AnsiColor, Style};

use super::context::Context;
use crate::cli::Color;

/// Colours for standard output. Without them nothing is lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

/// How a text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Careful,
    Bad,
    Quiet,
}

impl Paint {
    /// `Ui` decides for standard error; data may go elsewhere.
    pub(super) fn for_stdout(ctx: &Context) -> Self {
        let always = ctx.global.color == Color::Always;
        Self { on: always || (ctx.ui.has_color() && std::io::stdout().is_terminal()) }
    }

    #[cfg(test)]
    pub(super) fn off() -> Self {
        Self { on: false }
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => Style::new().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Careful => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Quiet => Style::new().dimmed(),
        };
        if self.on && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// A text from elsewhere on one line of a terminal: a file's name and what a host says may hold anything.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A text without more than fits, in characters.
pub(super) fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A path with `~` for the home directory.
pub(super) fn tilde(path: &Path, home: &Path) -> String {
    let text = match path.strip_prefix(home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => path.display().to_string(),
    };
    harmless(&text)
}

/// How long ago, in a word or two.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0..=1 => "just now".to_owned(),
        2..=59 => format!("{seconds} s ago"),
        60..=3599 => format!("{} min ago", seconds / 60),
        3600..=86_399 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Seconds since 1970 as `2026-11-23 18:14:45` in UTC (the civil calendar from days, as Howard Hinnant gives it).
pub(super) fn utc(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words_and_figures() {
        for (seconds, words) in
            [(0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")]
        {
            assert_eq!(ago(seconds), words);
        }
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_000_000_000, "2001-09-09 01:46:40"),
            (1_795_457_685, "2026-11-23 18:14:45"),
            (4_102_444_799, "2099-12-31 23:59:59"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn names_that_could_drive_a_terminal_cannot() {
        assert_eq!(harmless("a\x1b[2Jb\nc"), "a?[2Jb?c");
        assert_eq!(shorten("äbcdef", 4), "äbc…");
        assert_eq!(shorten("äbcd", 4), "äbcd");
    }

    #[test]
    fn the_home_directory_is_a_tilde() {
        let home = Path::new("/home/me");
        assert_eq!(tilde(Path::new("/home/me/a b"), home), "~/a b");
        assert_eq!(tilde(home, home), "~");
        assert_eq!(tilde(Path::new("/home/mehmet"), home), "/home/mehmet");
    }
}
