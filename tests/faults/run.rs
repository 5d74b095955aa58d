//! One run: a session, people at work on both sides, faults in between, then calm, and the check.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use fastrand::Rng;

use super::actor::Actor;
use super::check;
use super::model::{Model, Side};
use super::world::World;

/// How often sinc may be asked to bring a broken session back, each time with the way out that it named.
const TRIES: usize = 6;

/// Says it past the test runner, which keeps what a passing test prints to itself.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Does the run with this seed.
pub(crate) fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let small_disk = rng.u8(..6) == 0;
    let Some(mut world) = World::new(small_disk) else { return };
    let mut model = Model::default();
    let mut story = format!("seed {seed}{}\n", if small_disk { ", the host's disk is small" } else { "" });
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        work(&mut world, &mut model, &mut rng, &mut story);
        bring_back(&mut world, &mut story);
        check::check(&world, &mut model)
    }));
    match result {
        Ok(Ok(found)) => say(&format!("faults: seed {seed} ok: {found}")),
        Ok(Err(wrong)) => panic!("{story}\n{wrong}"),
        Err(panic) => {
            say(&story);
            std::panic::resume_unwind(panic);
        }
    }
}

fn work(world: &mut World, model: &mut Model, rng: &mut Rng, story: &mut String) {
    let here = Actor::new(Side::Local, &world.project);
    let there = Actor::new(Side::Remote, &world.there());
    for _ in 0..rng.usize(4..20) {
        here.act(rng, model);
    }
    world.sinc(&["--no-attach"]);
    for _ in 0..rng.usize(10..40) {
        let done = match rng.u8(..10) {
            0..4 => here.act(rng, model),
            4..8 => there.act(rng, model),
            _ => world.happens(rng),
        };
        let _ = writeln!(story, "  {done}");
        // The pace of the work: mostly at once, now and then long enough for a cycle or more.
        std::thread::sleep(Duration::from_millis([0, 0, 20, 150, 700, 2500][rng.usize(..6)]));
    }
}

/// Peace, and a person who does what sinc tells them until the session runs again.
fn bring_back(world: &mut World, story: &mut String) {
    world.calm();
    let mut last = String::new();
    for _ in 0..TRIES {
        let connected = world.sinc(&["--no-attach"]);
        let flushed = world.sinc(&["flush", "--timeout", "60"]);
        let _ = writeln!(story, "  sinc: {}, flush: {}", connected.code, flushed.code);
        if connected.code == 0 && (flushed.code == 0 || flushed.stderr.contains("conflict")) {
            return;
        }
        last = format!("{connected}\n{flushed}");
        if last.contains("stopped itself") || last.contains("no trace of") {
            let _ = writeln!(story, "  it stands still: ended, and made again, as sinc says");
            world.sinc(&["kill", "--yes"]);
        } else if last.contains("--restore") {
            let _ = writeln!(story, "  it is held: restored");
            world.sinc(&["resume", "--restore", "--yes"]);
        }
    }
    panic!("the session does not come back: {last}");
}
