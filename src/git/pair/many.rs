//! Repositories with many names: what is asked has to fit into the words of a command.

use super::{Pair, git};
use crate::process::{Cmd, Runner};

/// Makes so many tags there, each at a commit of its own or all at the one that is there.
fn tags(dir: &std::path::Path, prefix: &str, number: usize, own: bool) {
    let main = git(dir, &["rev-parse", "main"]);
    let mut text = String::new();
    for at in 0..number {
        let name = format!("refs/tags/{prefix}-{at:05}");
        if own {
            text.push_str(&format!(
                "commit {name}\ncommitter a <a@b> {at} +0000\ndata 1\nx\nfrom {main}\n\n"
            ));
        } else {
            text.push_str(&format!("reset {name}\nfrom {main}\n\n"));
        }
    }
    let cmd = Cmd::new("git", "make tags").dir(dir).args(["fast-import", "--quiet"]).stdin(text);
    Runner::default().answer(&cmd).unwrap();
}

#[test]
fn thousands_of_names_go_over() {
    let pair = Pair::new();
    pair.settle();
    // Each name would be waited for until it is on the disk.
    for side in [&pair.here, &pair.there] {
        git(side, &["config", "core.fsync", "none"]);
    }
    tags(&pair.here, "many", 3_300, true);
    pair.cycle().unwrap();
    let names = |dir| git(dir, &["for-each-ref", "refs/heads", "refs/tags"]);
    assert_eq!(names(&pair.here), names(&pair.there));
}

#[test]
fn many_names_go_over_beside_a_pack() {
    let mut pair = Pair::new();
    pair.ignores = (0..300).map(|at| format!("{at:040}")).collect();
    pair.settle();
    let mut rng = fastrand::Rng::with_seed(1);
    let noise: String = std::iter::repeat_with(|| rng.alphanumeric()).take(47_000).collect();
    std::fs::write(pair.here.join("a"), noise).unwrap();
    git(&pair.here, &["commit", "-qam", "noise"]);
    tags(&pair.here, "light", 630, false);
    pair.settle();
    pair.alike();
}
