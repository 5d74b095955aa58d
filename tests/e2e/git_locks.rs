//! Locks that a git which was killed has left: what they are about waits, and is named with the way out; all else goes on.

use std::time::{Duration, SystemTime};

use crate::git;
use crate::support::{PATIENCE, poll, wait_until};

#[test]
fn a_lock_that_was_left_on_a_name_holds_only_that_name() {
    let Some(shared) = git::shared() else { return };
    shared.here(&["branch", "held"]);
    shared.here(&["branch", "gone"]);
    shared.clean();
    for (from, to, side, place) in
        [(&shared.here, &shared.there, "host", "on the host"), (&shared.there, &shared.here, "here", "here")]
    {
        let before = shared.here(&["rev-parse", "held"]);
        let lock = to.join(".git/refs/heads/held.lock");
        std::fs::write(&lock, "").unwrap();
        // One look has both.
        let id = shared.commit(from, "top", &format!("from {side}\n"));
        git::git(&shared.bed, from, &["branch", "-f", "held"]);
        git::git(&shared.bed, from, &["tag", &format!("for-{side}")]);
        let came = poll(PATIENCE, || {
            let all = git::git(&shared.bed, to, &["for-each-ref", "--format=%(refname)=%(objectname)"]);
            [format!("heads/main={id}"), format!("tags/for-{side}={id}")].iter().all(|one| all.contains(one))
        });
        assert!(came, "{}\n{}", shared.all(to), shared.log());
        assert_eq!(git::git(&shared.bed, to, &["rev-parse", "held"]), before);
        let told = shared.wait_state("waits");
        assert_eq!(told["waits"][0]["name"], "refs/heads/held", "{told:#}");
        assert_eq!(told["waits"][0]["side"], side, "{told:#}");
        let way_out = format!("`rm .git/refs/heads/held.lock` {place}");
        assert!(told["waits"][0]["why"].as_str().is_some_and(|why| why.contains(&way_out)), "{told:#}");
        wait_until("the status says it", PATIENCE, || {
            let status = shared.bed.sandbox.sinc_in(&shared.here, &["status"]).success();
            status.stdout.contains("waits: held") && status.stdout.contains(&way_out)
        });
        // Nobody tells that it is gone.
        std::fs::remove_file(&lock).unwrap();
        shared.clean();
        assert_eq!(git::git(&shared.bed, to, &["rev-parse", "held"]), id);
    }
    // With the lock of all that are packed nothing is deleted.
    let lock = shared.there.join(".git/packed-refs.lock");
    std::fs::write(&lock, "").unwrap();
    shared.here(&["branch", "-D", "gone"]);
    shared.here(&["branch", "made"]);
    wait_until("the other one is there", PATIENCE, || {
        !shared.there(&["branch", "--list", "made"]).is_empty()
    });
    let told = shared.wait_state("waits");
    assert_eq!(told["waits"][0]["name"], "refs/heads/gone", "{told:#}");
    std::fs::remove_file(&lock).unwrap();
    shared.clean();
    assert_eq!(shared.there(&["branch", "--list", "gone"]), "");
}

#[test]
fn a_lock_of_the_index_that_was_left_is_named_with_the_way_out() {
    let Some(shared) = git::shared() else { return };
    let lock = shared.there.join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    shared.here(&["tag", "v1"]);
    let told = shared.wait_state("held");
    assert_eq!(told["why"], "git is at work on the host", "{told:#}");
    let long_ago = SystemTime::now() - Duration::from_secs(600);
    std::fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    let told = shared.wait_state("held");
    let why = told["why"].as_str().unwrap();
    assert!(why.contains("`rm .git/index.lock` on the host"), "{told:#}");
    std::fs::remove_file(&lock).unwrap();
    shared.clean();
    assert_eq!(shared.there(&["tag"]), "v1");
}
