//! What git wrote over is kept, whoever else is at that, and at the next try where it failed.

use std::path::PathBuf;

use super::super::local::Local;
use super::super::recent::Save;
use super::super::saves::keep;
use super::{Pair, git, script};
use crate::process::Runner;
use crate::remote::Script;

fn listed(pair: &Pair) -> String {
    git(&pair.here, &["log", "-g", "--format=%gs", "refs/sinc/keep", "--"])
}

#[test]
fn several_threads_that_keep_saves_at_once_lose_none() {
    let pair = Pair::new();
    pair.settle();
    let (here, there) = (&pair.here, &pair.there);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let local = Local::new(Runner::default(), here);
                let ask = |asked: &Script, words: &[String]| Ok(script(there, asked, words));
                for round in 0..4 {
                    let path = PathBuf::from(format!("save-{thread}-{round}"));
                    let saves = [(path.clone(), format!("{thread} {round}\n").into_bytes())];
                    assert_eq!(keep(&local, &ask, &saves).unwrap(), [path]);
                }
            });
        }
    });
    let listed = listed(&pair);
    for name in (0..4).flat_map(|thread| (0..4).map(move |round| format!("save-{thread}-{round}"))) {
        assert!(listed.contains(&name), "{name}\n{listed}");
    }
}

#[test]
fn what_could_not_be_kept_is_at_the_next_try() {
    let pair = Pair::new();
    pair.settle();
    let local = Local::new(Runner::default(), &pair.here);
    let ask = |asked: &Script, words: &[String]| Ok(script(&pair.there, asked, words));
    let saves: [Save; 1] = [(PathBuf::from("a"), b"mine\n".to_vec())];
    let lock = pair.here.join(".git/refs/sinc/keep.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    keep(&local, &ask, &saves).unwrap_err();
    std::fs::remove_file(&lock).unwrap();
    // Its object is there by now, which nothing leads to.
    assert_eq!(keep(&local, &ask, &saves).unwrap(), [PathBuf::from("a")]);
    assert!(keep(&local, &ask, &saves).unwrap().is_empty(), "once");
    assert!(listed(&pair).contains(": a"));
}

#[test]
fn only_what_git_put_in_the_place_of_a_save_is_said_to_be_gits() {
    let pair = Pair::new();
    pair.settle();
    let local = Local::new(Runner::default(), &pair.here);
    let ask = |asked: &Script, words: &[String]| Ok(script(&pair.there, asked, words));
    // In the place of one is what somebody wrote, in that of the other what git has.
    std::fs::write(pair.here.join("agents"), "the agent's own\n").unwrap();
    let blob = git(&pair.here, &["ls-files", "-s"]);
    let (_, path) = blob.lines().next().unwrap().split_once('\t').unwrap();
    let saves = ["agents", path].map(|path| (PathBuf::from(path), b"mine\n".to_vec()));
    assert_eq!(keep(&local, &ask, &saves).unwrap(), [PathBuf::from(path)]);
    let listed = listed(&pair);
    assert!(listed.contains(&format!("a save that git wrote over: {path}")), "{listed}");
    assert!(listed.contains("a save that was replaced while git worked: agents"), "{listed}");
}
