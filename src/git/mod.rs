//! Git on both sides: a repository on the host beside the one here, kept in step without ever syncing `.git` as files. History
//! goes by git's own transport; what points to it is moved by one script a side, only where it is still as it was.

pub mod apply;
pub mod base;
pub mod cycle;
pub mod decide;
pub mod join;
pub mod left_out;
pub mod limits;
pub mod local;
mod merge;
#[cfg(test)]
mod pair;
mod quarantine;
pub mod recent;
pub mod saves;
pub mod setup;
pub mod state;
pub mod transport;
mod unsent;
pub mod watch;

use crate::remote::Script;

/// Tells the state of a repository, without a lock.
pub static SNAPSHOT: Script =
    Script::new(concat!(include_str!("env.sh"), include_str!("pack.sh"), include_str!("snapshot.sh")));
/// Moves one side to what was decided.
pub static APPLY: Script =
    Script::new(concat!(include_str!("env.sh"), include_str!("pack.sh"), include_str!("apply.sh")));
/// Packs what the other side lacks, where that is little.
pub static GIVE: Script =
    Script::new(concat!(include_str!("env.sh"), include_str!("pack.sh"), include_str!("give.sh")));
/// Takes in what was packed.
pub static TAKE: Script =
    Script::new(concat!(include_str!("env.sh"), include_str!("pack.sh"), include_str!("take.sh")));
/// Makes the host's repository, or sets up one that is there.
pub static SETUP: Script = Script::new(concat!(include_str!("env.sh"), include_str!("setup.sh")));

/// Tells what was let go of.
pub static LOST: Script = Script::new(concat!(include_str!("env.sh"), include_str!("lost.sh")));

/// Keeps files there that git here may write over.
pub static SAVES: Script = Script::new(concat!(include_str!("env.sh"), include_str!("saves.sh")));

/// All scripts, by file name.
#[cfg(test)]
pub(crate) fn scripts() -> [(&'static str, &'static Script); 7] {
    [
        ("snapshot.sh", &SNAPSHOT),
        ("apply.sh", &APPLY),
        ("give.sh", &GIVE),
        ("take.sh", &TAKE),
        ("setup.sh", &SETUP),
        ("lost.sh", &LOST),
        ("saves.sh", &SAVES),
    ]
}
