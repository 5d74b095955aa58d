//! One run: a session, people at work on both sides, faults in between, then calm, and the check.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use fastrand::Rng;

use super::actor::Actor;
use super::check;
use super::fault::happens;
use super::mass::{Left, Mass, Through};
use super::model::{Model, Side};
use super::world::{Disks, World};

/// How often sinc may be asked to bring a broken session back, each time with the way out that it named.
const TRIES: usize = 6;

/// Says it past the test runner, which keeps what a passing test prints to itself.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Does the run with this seed; gives what became of its mass deletion, if it was one that the brake is for.
pub(crate) fn run(seed: u64) -> Through {
    let mut rng = Rng::with_seed(seed);
    let disks = match rng.u8(..6) {
        0 => Disks::SmallThere,
        1 => Disks::SmallHere,
        _ => Disks::Large,
    };
    let many = rng.bool();
    // Not drawn: what else happens stays the same.
    let mode = match seed % 12 {
        0 | 3 | 6 | 9 => "two-way-resolved",
        1 => "one-way-safe",
        7 => "one-way-safe-from-host",
        _ => "two-way-safe",
    };
    let Some(world) = World::new(disks, mode) else { return Through::default() };
    let story = format!("seed {seed}, {mode}, {disks:?}{}\n", if many { ", many files" } else { "" });
    let mut run = Session { world, model: Model::default(), story, mass: None, through: Through::default() };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run.work(&mut rng, many);
        run.bring_back(&mut rng);
        check::check(&run.world, &mut run.model)
    }));
    match result {
        Ok(Ok(found)) => {
            let through = run.through;
            let mass = if through.deletions > 0 { format!("; {through}") } else { String::new() };
            if through.most_went() {
                say(&run.story);
                say(&run.world.link_log());
            }
            say(&format!("faults: seed {seed} ok: {found}{mass}"));
            through
        }
        Ok(Err(wrong)) => panic!("{}\n{}\n{wrong}", run.story, run.world.link_log()),
        Err(panic) => {
            say(&run.story);
            std::panic::resume_unwind(panic);
        }
    }
}

/// A run under way.
struct Session {
    world: World,
    model: Model,
    story: String,
    /// The mass deletion, and how long the story was then.
    mass: Option<(Mass, usize)>,
    through: Through,
}

impl Session {
    fn tell(&mut self, text: &str) {
        let _ = writeln!(self.story, "  {text}");
    }

    fn work(&mut self, rng: &mut Rng, many: bool) {
        let here = Actor::new(Side::Local, &self.world.project);
        let there = Actor::new(Side::Remote, &self.world.there());
        if many {
            here.fill(&mut self.model);
        }
        for _ in 0..rng.usize(4..20) {
            here.act(rng, &mut self.model);
        }
        self.world.sinc(&["--no-attach"]);
        let steps = rng.usize(10..40);
        let deletes_at = many.then(|| rng.usize(1..steps));
        for step in 0..steps {
            let actor = if rng.bool() { &here } else { &there };
            let done = match rng.u8(..10) {
                _ if deletes_at == Some(step) => {
                    self.mass = Some((Mass::begin(&self.world, actor.side()), self.story.len()));
                    actor.delete_many(rng, &mut self.model)
                }
                0..7 => actor.act(rng, &mut self.model),
                _ => happens(&mut self.world, rng),
            };
            self.tell(&done);
            // The pace of the work: mostly at once, now and then long enough for a cycle or more.
            std::thread::sleep(Duration::from_millis([0, 0, 20, 150, 700, 2500][rng.usize(..6)]));
        }
    }

    /// Peace, and a person who does what sinc tells them until the session runs again.
    fn bring_back(&mut self, rng: &mut Rng) {
        self.world.calm();
        let mut last = String::new();
        let mut came_back = false;
        let (mut restored, mut refused) = (None, false);
        for _ in 0..TRIES {
            let connected = self.world.sinc(&["--no-attach"]);
            let flushed = self.world.sinc(&["flush", "--timeout", "60"]);
            self.tell(&format!("sinc: {}, flush: {}", connected.code, flushed.code));
            if connected.code == 0 && (flushed.code == 0 || flushed.stderr.contains("conflict")) {
                came_back = true;
                break;
            }
            last = format!("{connected}\n{flushed}");
            if last.contains("stopped itself") || last.contains("no trace of") {
                self.tell("it stands still: ended, and made again, as sinc says");
                self.world.sinc(&["kill", "--yes"]);
            } else if last.contains("--restore") {
                let left = self.count_through();
                // Where files go one way it may be refused.
                let (way, word) = if rng.u8(..3) > 0 && !refused {
                    ("--restore", "restored")
                } else {
                    ("--allow-deletions", "allowed")
                };
                self.tell(&format!("it is held: {word}"));
                let done = self.world.sinc(&["resume", way, "--yes"]).code == 0;
                let is_back = done && way == "--restore";
                refused = !done;
                restored = left.filter(|_| is_back).or(restored);
            }
        }
        assert!(came_back, "the session does not come back: {last}");
        self.count_through();
        if let Some(left) = restored {
            left.assert_back(&self.world);
        }
        let ways = ["--local", "--remote", "--both"];
        if let Some(way) = ways.get(rng.usize(..5)) {
            let resolved = self.world.sinc(&["resolve", "--all", way]);
            self.tell(&format!("sinc resolve --all {way}: {}", resolved.code));
            // What may not be: it says so.
            let may = match self.world.leads() {
                None => *way != "--both",
                Some(Side::Local) => *way == "--local",
                Some(Side::Remote) => *way == "--remote",
            };
            assert!(resolved.code == 0 || !may, "in peace a conflict cannot be settled: {resolved}");
        }
    }

    /// Counts what the mass deletion has done on the other side, once. Gives what is left there.
    fn count_through(&mut self) -> Option<Left> {
        let (mass, at) = self.mass.take()?;
        // A person who says that it may be deleted is no brake's business.
        let decided = ["allow-deletions", "push", "pull"].iter().any(|word| self.story[at..].contains(word));
        let (through, left) = mass.end(&self.world);
        if mass.counts() && !decided {
            self.through = through;
            self.tell(&through.to_string());
        }
        Some(left)
    }
}
