//! The tour: everything that a person would try, done by itself and measured.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::report::{Edits, Numbers, ms, time};
use super::screen::Screen;
use super::wait::until;
use super::{Stage, sample};
use crate::process::Runner;

/// What the agent's text begins with.
const AGENT_SAYS: &str = "Hello from the host.";

/// The file that is changed on both sides.
const DISPUTED: &str = "notes.md";

/// What lists the conflict.
const ASKED: &str = "status";

/// The first edit is made at once, the next one so much later after the one before it, and so on.
const APART: Duration = Duration::from_millis(600);

/// What a tour tells while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// A step begins.
    Begins {
        /// Its number, from 1.
        step: usize,
        /// How many there are.
        of: usize,
        /// What it does.
        title: &'a str,
    },
    /// A line of what sinc printed.
    Printed(&'a str),
    /// How the step went.
    Result(&'a str),
}

/// A step: what it does, in words and in deed.
type Step = (&'static str, fn(&Tour<'_>, &mut Numbers) -> anyhow::Result<()>);

/// What happens, in order.
const STEPS: [Step; 5] = [
    ("`sinc` for the first time: the files are copied, the agent starts", |tour, numbers| {
        tour.connect_first(numbers)
    }),
    ("`sinc` again, after a detach: the agent went on meanwhile", |tour, numbers| tour.come_back(numbers)),
    ("files are edited here", |tour, numbers| tour.edit_here(numbers)),
    ("files are edited on the host, as an agent would", |tour, numbers| tour.edit_there(numbers)),
    ("one file is changed on both sides at once, then `sinc status`", |tour, numbers| tour.conflict(numbers)),
];

/// Does the whole tour.
///
/// # Errors
/// A step failed: the message says which.
pub fn run(stage: &Stage, runner: &Runner, tell: &dyn Fn(News<'_>)) -> anyhow::Result<Numbers> {
    let screen = Screen::open(stage, runner)?;
    let tour = Tour { stage, runner, screen, tell };
    let size = stage.size();
    let mut numbers = Numbers { files: size.files, bytes: size.bytes, ..Numbers::default() };
    for (index, (title, step)) in STEPS.iter().enumerate() {
        tell(News::Begins { step: index + 1, of: STEPS.len(), title });
        step(&tour, &mut numbers)
            .with_context(|| format!("step {} of the tour failed ({title})", index + 1))?;
    }
    Ok(numbers)
}

struct Tour<'a> {
    stage: &'a Stage,
    runner: &'a Runner,
    screen: Screen<'a>,
    tell: &'a dyn Fn(News<'_>),
}

impl Tour<'_> {
    fn connect_first(&self, numbers: &mut Numbers) -> anyhow::Result<()> {
        let took = self.attach()?;
        let there = sample::size(&self.stage.there()).context("could not look at the project on the host")?;
        let here = self.stage.size();
        ensure!(
            there == here,
            "{} files of {} were on the host when the agent started",
            there.files,
            here.files
        );
        numbers.first_connect_ms = ms(took);
        self.detach()?;
        self.result(&format!(
            "{} until the agent was on the screen, all {} files with it",
            time(ms(took)),
            here.files
        ));
        Ok(())
    }

    fn come_back(&self, numbers: &mut Numbers) -> anyhow::Result<()> {
        let took = self.attach()?;
        numbers.reconnect_ms = ms(took);
        self.detach()?;
        self.result(&format!("{} until its screen was back", time(ms(took))));
        Ok(())
    }

    fn edit_here(&self, numbers: &mut Numbers) -> anyhow::Result<()> {
        numbers.edit_to_host = self.edit(&sample::AREAS[..3], &self.stage.here(), &self.stage.there())?;
        self.result(&format!("on the host after {}", numbers.edit_to_host));
        Ok(())
    }

    fn edit_there(&self, numbers: &mut Numbers) -> anyhow::Result<()> {
        numbers.edit_to_here = self.edit(&sample::AREAS[3..6], &self.stage.there(), &self.stage.here())?;
        self.result(&format!("here after {}", numbers.edit_to_here));
        Ok(())
    }

    fn conflict(&self, numbers: &mut Numbers) -> anyhow::Result<()> {
        let (mine, theirs) = ("# Notes\n\nWritten here.\n", "# Notes\n\nWritten on the host.\n");
        let (here, there) = (self.stage.here().join(DISPUTED), self.stage.there().join(DISPUTED));
        std::fs::write(&here, mine)?;
        std::fs::write(&there, theirs)?;
        let status = self.stage.sinc("list the conflict").arg(ASKED).deadline(Duration::from_secs(60));
        let said = until(&format!("a conflict in `{DISPUTED}` listed by `sinc {ASKED}`"), || {
            let output = self.runner.answer(&status)?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &output.stderr;
            Ok((said.contains("conflict") && said.contains(DISPUTED)).then_some(said))
        })?;
        self.printed(&said);
        for (file, text) in [(&here, mine), (&there, theirs)] {
            if std::fs::read_to_string(file)? != text {
                bail!("`{}` was overwritten", file.display());
            }
        }
        numbers.conflicts.push(DISPUTED.to_owned());
        self.result("listed; each side still has its own version");
        Ok(())
    }

    /// Runs sinc until the agent's text is on the screen.
    fn attach(&self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        self.screen.run_sinc()?;
        self.screen.wait_for(AGENT_SAYS)?;
        Ok(started.elapsed())
    }

    fn detach(&self) -> anyhow::Result<()> {
        let left = self.screen.detach()?;
        self.printed(&left);
        Ok(())
    }

    /// Edits files on one side, each for the first time and in a directory where nothing has changed yet, and waits
    /// for each on the other side. (What has just changed is watched more closely: that would flatter.)
    fn edit(&self, areas: &[&str], from: &Path, to: &Path) -> anyhow::Result<Edits> {
        let mut times = Vec::new();
        for area in areas {
            // Where a side is looked at every so often, what counts is the moment.
            let pause = APART * times.len() as u32;
            let since = Instant::now();
            until("the next edit", || Ok((since.elapsed() >= pause).then_some(())))?;

            let file = format!("src/{area}/client.rs");
            let (from, to) = (from.join(&file), to.join(&file));
            let text = std::fs::read_to_string(&from)? + "\n// Edited in the demo.\n";
            let started = Instant::now();
            std::fs::write(&from, &text)?;
            until(&format!("the edit of `{file}` on the other side"), || {
                Ok(std::fs::read_to_string(&to).is_ok_and(|other| other == text).then_some(()))
            })?;
            times.push(started.elapsed());
        }
        Ok(Edits::of(&mut times))
    }

    fn printed(&self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            (self.tell)(News::Printed(line));
        }
    }

    fn result(&self, text: &str) {
        (self.tell)(News::Result(text));
    }
}
