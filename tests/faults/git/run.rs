//! One run: two repositories, people at work in both, faults at the steps of a cycle, then calm, and the check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Pid;

use super::super::actor::Actor;
use super::super::model::{Model, Side};
use super::super::run::say;
use super::super::support::variable;
use super::super::tree;
use super::super::world::{Disks, World};
use super::calm::calm;
use super::check::check;
use super::repo::Repo;
use super::{moment, ops};

/// How long before it is on the other side something may be on its way.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// What a run came to, to be added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Came {
    pub(crate) operations: usize,
    pub(crate) faults: usize,
    /// Runs that ended in step by themselves.
    pub(crate) in_step: usize,
    /// Versions that came over while git on the other side threw away what was in the files, as it was told to.
    pub(crate) thrown_away: usize,
}

impl std::ops::AddAssign for Came {
    fn add_assign(&mut self, other: Self) {
        self.operations += other.operations;
        self.faults += other.faults;
        self.in_step += other.in_step;
        self.thrown_away += other.thrown_away;
    }
}

/// Does the run with this seed.
pub(crate) fn run(seed: u64) -> Came {
    let mut rng = Rng::with_seed(seed);
    let Some(world) = World::new(Disks::Large, "two-way-safe") else { return Came::default() };
    let mut run = Session {
        world,
        model: Model::default(),
        story: format!("git, seed {seed}\n"),
        began: Instant::now(),
        tips: BTreeMap::new(),
        written: Vec::new(),
        thrown_away: BTreeSet::new(),
        named: BTreeSet::new(),
        let_go: BTreeSet::new(),
        stood: BTreeMap::new(),
        came: Came::default(),
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run.work(&mut rng);
        calm(&mut run, &mut rng);
        check(&mut run)
    }));
    match result {
        Ok(Ok(found)) => {
            if variable("SINC_FAULTS_STORY").is_some() {
                say(&run.story);
            }
            say(&format!("git faults: seed {seed} ok in {} s: {found}", run.began.elapsed().as_secs()));
            run.came
        }
        Ok(Err(wrong)) => panic!("{}\n{wrong}\n{}", run.story, run.world.link_log()),
        Err(panic) => {
            say(&format!("{}\n{}", run.story, run.world.link_log()));
            std::panic::resume_unwind(panic);
        }
    }
}

pub(super) struct Session {
    pub(super) world: World,
    pub(super) model: Model,
    story: String,
    began: Instant,
    /// Commits that a side had a name for, and nobody there let go of.
    pub(super) tips: BTreeMap<&'static str, BTreeSet<String>>,
    /// When which version was written, and where.
    pub(super) written: Vec<(Instant, Side, u64)>,
    pub(super) thrown_away: BTreeSet<u64>,
    /// Commits that somebody made or gave a name, and that nobody on either side has let go of since: a name still leads to them.
    pub(super) named: BTreeSet<String>,
    /// And those that somebody did let go of: one of them may come over while the other side does something.
    let_go: BTreeSet<String>,
    /// Where a side stood when an operation that is not ended yet was begun there.
    stood: BTreeMap<&'static str, String>,
    pub(super) came: Came,
}

pub(super) fn key(side: Side) -> &'static str {
    match side {
        Side::Local => "here",
        Side::Remote => "there",
    }
}

impl Session {
    pub(super) fn tell(&mut self, text: &str) {
        let _ = writeln!(self.story, "  {:6.2} {text}", self.began.elapsed().as_secs_f32());
    }

    pub(super) fn root(&self, side: Side) -> std::path::PathBuf {
        match side {
            Side::Local => self.world.project.clone(),
            Side::Remote => self.world.there(),
        }
    }

    pub(super) fn repo(&self, side: Side) -> Repo<'_> {
        Repo { sandbox: &self.world.bed.sandbox, root: self.root(side) }
    }

    /// A project with a repository, connected.
    fn begin(&mut self, rng: &mut Rng) {
        let here = Actor::new(Side::Local, &self.world.project);
        std::fs::create_dir_all(here.aside()).unwrap();
        // What is in the files is never mixed: a version is whole, or somebody's fault.
        std::fs::write(self.world.project.join(".gitattributes"), "* -text -merge\n").unwrap();
        for name in &ops::FILES[..5] {
            here.write(name, rng.usize(20..400), &mut self.model);
        }
        let repo = self.repo(Side::Local);
        for words in [
            &["init", "-q", "-b", "main"][..],
            &["config", "user.name", "Ada"],
            &["config", "user.email", "ada@example.com"],
            &["add", "-A"],
            &["commit", "-q", "-m", "first"],
            &["branch", "work"],
        ] {
            let _ = repo.git(words).success();
        }
        let run = self.world.sinc(&["--no-attach"]);
        assert_eq!(run.code, 0, "{run}");
        self.note(Side::Local);
        std::fs::create_dir_all(Actor::new(Side::Remote, &self.world.there()).aside()).unwrap();
    }

    /// Somebody looks at what a side has.
    pub(super) fn note(&mut self, side: Side) {
        let tips = self.repo(side).tips();
        self.tips.entry(key(side)).or_default().extend(tips);
    }

    /// Somebody did something with git on this side, whose names led to `had` before.
    pub(super) fn note_named(&mut self, side: Side, had: &BTreeSet<String>) {
        let has = self.repo(side).named();
        self.let_go.extend(had.difference(&has).cloned());
        self.named.extend(has);
        self.named.retain(|oid| !self.let_go.contains(oid));
    }

    fn work(&mut self, rng: &mut Rng) {
        self.begin(rng);
        self.note_named(Side::Local, &BTreeSet::new());
        for _ in 0..rng.usize(10..26) {
            let side = if rng.bool() { Side::Local } else { Side::Remote };
            if rng.bool() {
                let (step, texts) = moment::STEPS[rng.usize(..moment::STEPS.len())];
                let found = self.act(side, rng, texts);
                self.fault(rng, step, &found);
            } else {
                self.act(side, rng, &[]);
            }
            std::thread::sleep(Duration::from_millis([0, 0, 30, 150, 400, 1000][rng.usize(..6)]));
        }
    }

    /// A side on which an operation is in progress was not moved by anybody else.
    fn stands_still(&self, side: Side) {
        if let Some(stood) = self.stood.get(key(side)) {
            let stands = self.repo(side).head();
            assert_eq!(&stands, stood, "{side} was moved amid an operation\n{}", self.story);
        }
    }

    /// Up to two files, then something with git. Gives who is at a step of a cycle next, where that is waited for.
    fn act(&mut self, side: Side, rng: &mut Rng, texts: &[&str]) -> Vec<Pid> {
        self.stands_still(side);
        let actor = Actor::new(side, &self.root(side));
        for _ in 0..rng.usize(..3) {
            let before = self.model.last();
            let told = ops::file(&actor, rng, &mut self.model);
            self.written
                .extend((before + 1..=self.model.last()).map(|number| (Instant::now(), side, number)));
            self.tell(&format!("{side}: {told}"));
        }
        let (root, before) = (self.root(side), self.root(side));
        let before: BTreeSet<u64> = tree::versions(&before).into_iter().collect();
        let repo = Repo { sandbox: &self.world.bed.sandbox, root: root.clone() };
        let (had, own, named) = (repo.reachable(), repo.own(), repo.named());
        let began = Instant::now();
        let done = match repo.in_progress() {
            Some(what) if rng.u8(..3) > 0 => ops::settle(&repo, what, rng.bool()),
            _ => ops::git(&repo, rng),
        };
        match repo.in_progress().filter(|what| *what != "unmerged") {
            Some(_) => drop(self.stood.insert(key(side), repo.head())),
            None => drop(self.stood.remove(key(side))),
        }
        let after: BTreeSet<u64> = tree::versions(&root).into_iter().collect();
        self.came.operations += 1;
        if done.drops || done.discards {
            let has = repo.reachable();
            let gone: Vec<&String> = had.difference(&has).collect();
            // What only a stash had that was dropped, or what was only staged.
            let versions = gone.iter().filter_map(|oid| repo.version(oid));
            self.model.superseded(versions.filter(|number| !after.contains(number)));
            if let (true, Some(tips)) = (done.drops, self.tips.get_mut(key(side))) {
                // The other side's branch may lead to it, and is not shown here any more once it has been joined.
                let has = repo.own();
                tips.retain(|oid| has.contains(oid) || !own.contains(oid));
            }
        }
        if done.discards {
            self.model.superseded(before.difference(&after).copied());
            // What came over meanwhile was thrown away too, unseen.
            let late =
                self.written.iter().filter(|(when, whose, _)| *whose != side && *when + ON_ITS_WAY > began);
            self.thrown_away.extend(late.map(|(_, _, number)| *number));
        }
        self.note_named(side, &named);
        let found = match texts {
            [] => Vec::new(),
            texts => moment::wait_for(self.world.bed.host.dir(), texts),
        };
        self.tell(&format!("{side}: {}", done.told));
        if found.is_empty() {
            self.note(side);
        }
        found
    }

    /// Something happens at a step of a cycle.
    fn fault(&mut self, rng: &mut Rng, step: &str, found: &[Pid]) {
        let when = if found.is_empty() { format!("(nobody {step})") } else { format!("while one {step}") };
        self.came.faults += usize::from(!found.is_empty());
        let told = match rng.u8(..13) {
            0..4 => {
                moment::kill(found);
                format!("kill -9 of those {}", found.len())
            }
            4 | 5 => self.world.kill("the link", "link run"),
            6 => {
                let _ = self.world.bed.host.break_connections();
                "all connections break".to_owned()
            }
            7 => {
                let told = self.world.cut();
                std::thread::sleep(Duration::from_millis(rng.u64(..1500)));
                format!("{told}; {}", self.world.heal())
            }
            8 => self.world.kill("Mutagen's agent", "mutagen-agent"),
            9 => {
                let base = std::fs::read_dir(self.world.project.join(".git/sinc"));
                let files = base.into_iter().flatten().flatten().map(|file| file.path());
                for file in files.filter(|file| file.to_string_lossy().contains("base-")) {
                    let _ = std::fs::remove_file(file);
                }
                "what both have in common is forgotten".to_owned()
            }
            10 => {
                let run = self.world.sinc(&["git", "join"]);
                let said = run.stderr.lines().next().unwrap_or_default();
                format!("sinc git join: {} {said}", run.code)
            }
            // A race.
            _ => {
                let side = if rng.bool() { Side::Local } else { Side::Remote };
                self.tell(&format!("{when}:"));
                self.act(side, rng, &[]);
                return;
            }
        };
        self.tell(&format!("{when}: {told}"));
        if told.contains("link") {
            self.world.sinc(&["link", "start"]);
        }
    }
}
