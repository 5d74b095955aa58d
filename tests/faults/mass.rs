//! Many files deleted at once: held, or, as far as a cycle was already at it, let through. Counted, because nobody can
//! promise that none gets through.

use std::collections::BTreeSet;
use std::fmt;

use super::model::Side;
use super::tree;
use super::world::World;

/// How many files are made for it: the brake leaves fifty alone.
pub(crate) const FILES: usize = 160;

/// So many mass deletions tell how good the brake is.
const SEVERAL: usize = 3;

/// The directory that they are in.
pub(crate) const DIRECTORY: &str = "bulk";

/// One deletion of most files.
#[derive(Debug)]
pub(crate) struct Mass {
    side: Side,
    /// Those that were on both sides.
    common: BTreeSet<u64>,
}

/// What became of all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Through {
    pub(crate) deletions: usize,
    pub(crate) files: usize,
    pub(crate) gone: usize,
    /// Deletions that went through as a whole.
    pub(crate) whole: usize,
}

impl Through {
    /// More than the brake should ever let through.
    pub(crate) fn most_went(self) -> bool {
        self.gone > self.files / 2
    }
}

impl Through {
    /// More than the brake lets through of several: a cycle that is already at it meets some of the files (docs/sync.md has
    /// numbers), and without the brake most go each time. A single one may have been unlucky.
    pub(crate) fn too_many_went(self) -> bool {
        self.deletions >= SEVERAL && self.gone > self.files / 4
    }
}

impl std::ops::AddAssign for Through {
    fn add_assign(&mut self, other: Self) {
        self.deletions += other.deletions;
        self.files += other.files;
        self.gone += other.gone;
        self.whole += other.whole;
    }
}

impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deletions, files, gone, whole } = self;
        write!(f, "{deletions} mass deletions let {gone} of {files} files through, {whole} as a whole")
    }
}

/// The versions among the many files of a side.
fn versions(world: &World, side: Side) -> BTreeSet<u64> {
    let root = match side {
        Side::Local => world.project.clone(),
        Side::Remote => world.there(),
    };
    tree::versions(&root.join(DIRECTORY)).into_iter().collect()
}

impl Mass {
    /// What is about to be deleted on this side.
    pub(crate) fn begin(world: &World, side: Side) -> Self {
        let (own, other) = (versions(world, side), versions(world, side.other()));
        Self { side, common: own.intersection(&other).copied().collect() }
    }

    /// Is it one that the brake is for?
    pub(crate) fn counts(&self) -> bool {
        self.common.len() > FILES / 2
    }

    /// How many are on the other side no more, and what is left there.
    pub(crate) fn end(&self, world: &World) -> (Through, Left) {
        let now = versions(world, self.side.other());
        let left: BTreeSet<u64> = self.common.intersection(&now).copied().collect();
        // What a push or a pull had moved aside is not gone.
        let kept = world.in_backups();
        let gone =
            self.common.iter().filter(|number| !left.contains(number) && !kept.contains(number)).count();
        let files = self.common.len();
        (Through { deletions: 1, files, gone, whole: usize::from(gone == files) }, Left(left))
    }
}

/// What a mass deletion that was held had left on the other side.
#[derive(Debug)]
pub(crate) struct Left(BTreeSet<u64>);

impl Left {
    /// A restored one brings back all of it, on both sides.
    pub(crate) fn assert_back(&self, world: &World) {
        for side in [Side::Local, Side::Remote] {
            let now = versions(world, side);
            let missing: Vec<_> = self.0.difference(&now).collect();
            assert!(missing.is_empty(), "it was held and restored, but is not back {side}: {missing:?}");
        }
    }
}
