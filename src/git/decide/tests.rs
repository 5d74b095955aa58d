use super::*;
use crate::git::state::{Index, Snapshot, parse};

/// Letters stand for commits; a later one descends from an earlier one in upper case, a lower-case one from nothing but itself.
fn oid(name: char) -> Oid {
    Oid::parse(&format!("{:040x}", u32::from(name))).unwrap()
}

fn tree(name: char) -> Oid {
    Oid::parse(&format!("f{:039x}", u32::from(name))).unwrap()
}

fn ancestor(first: &Oid, second: &Oid) -> bool {
    let letter = |oid: &Oid| char::from_u32(u32::from_str_radix(&oid.as_str()[32..], 16).unwrap()).unwrap();
    let (first, second) = (letter(first), letter(second));
    first == second || (first.is_ascii_uppercase() && second.is_ascii_uppercase() && first < second)
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// `main=A work=B` with HEAD on the first, its own tree staged.
fn state(refs: &str) -> State {
    let head = refs.split([' ', '=']).next().filter(|word| !word.is_empty()).unwrap_or("main");
    on(head, refs)
}

fn on(head: &str, refs: &str) -> State {
    let head = match head.len() {
        1 => Head::Commit(oid(head.chars().next().unwrap())),
        _ => Head::Branch(name(head)),
    };
    let mut text =
        "repo here\nversion git version 2.40.1\nhead ref: refs/heads/main\nindex none\n".to_owned();
    for one in refs.split_whitespace() {
        let (name, commit) = one.split_once('=').unwrap();
        let full =
            if name.contains('@') { name.replace('@', "refs/tags/") } else { format!("refs/heads/{name}") };
        text.push_str(&format!("ref {} {full}\n", oid(commit.chars().next().unwrap())));
    }
    text.push_str("busy changing\nend yes\n");
    let Snapshot::Here(mut state) = parse(text.as_bytes(), Which::Here).unwrap() else { panic!("{text}") };
    state.busy.clear();
    let commit = match &head {
        Head::Branch(name) => state.branches.get(name).cloned(),
        Head::Commit(oid) => Some(oid.clone()),
    };
    let letter = |oid: &Oid| char::from_u32(u32::from_str_radix(&oid.as_str()[32..], 16).unwrap()).unwrap();
    state.at = commit.map(|commit| (commit.clone(), tree(letter(&commit))));
    state.index = match &state.at {
        Some((_, tree)) => Index::Tree(tree.clone()),
        None => Index::Missing,
    };
    state.head = head;
    *state
}

/// What both have in common when both are like this.
fn base(state: &State) -> Base {
    Base {
        head: Some(state.head.clone()),
        index: state.index.tree(),
        branches: state.branches.clone(),
        tags: state.tags.clone(),
        stash: state.stash.clone(),
        origin: state.origin.clone(),
        ..Base::default()
    }
}

fn asked(here: &State, there: &State, base: Option<&Base>) -> Plan {
    decide(&Question { here, there, base, refused: &BTreeSet::new(), ancestor: &ancestor })
}

/// Moves as text: `main A>B` for each, deletions `main A>-`.
fn shown(moves: &Moves) -> String {
    let letter = |oid: &Option<Oid>| match oid {
        Some(oid) => char::from_u32(u32::from_str_radix(&oid.as_str()[32..], 16).unwrap()).unwrap(),
        None => '-',
    };
    let mut words: Vec<String> = moves
        .refs
        .iter()
        .map(|one| {
            let short = one.name.trim_start_matches("refs/").trim_start_matches("heads/");
            format!("{short} {}>{}{}", letter(&one.old), letter(&one.new), if one.early { "!" } else { "" })
        })
        .collect();
    words.extend(moves.head.as_ref().map(|head| format!("HEAD {head}")));
    words.join(", ")
}

/// A new tag of the host's with the name of a branch here, and the other way round, would be what git here takes for it.
#[test]
fn what_git_here_would_take_for_another_of_that_name_stays_on_the_host() {
    for (had, here, there, moves, waits) in [
        ("main=A", "main=A", "main=A @main=x", "", "refs/tags/main"),
        ("main=A @v=A", "main=A @v=A", "main=A @v=A v=B", "", "refs/heads/v"),
        // Both at once: the branch comes, the tag does not.
        ("main=A", "main=A", "main=A v=B @v=x", "v ->B", "refs/tags/v"),
        // What this side has is its own business, and so is what both had.
        ("main=A", "main=A @main=x", "main=A", "", ""),
        ("main=A @main=A", "main=A @main=A", "main=A @main=B", "tags/main A>B", ""),
    ] {
        let (base, here, there) = (base(&state(had)), state(here), state(there));
        let plan = asked(&here, &there, Some(&base));
        let waiting: Vec<&str> = plan.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!((shown(&plan.here).as_str(), waiting.join(" ").as_str()), (moves, waits), "{plan:?}");
        if let Some(one) = plan.waits.first() {
            assert!(one.why.contains("of that name") && one.why.contains("on the host"), "{}", one.why);
        }
    }
}

/// The table of cases for branches: what both had, what is here, what is there; what moves here, what moves there, what differs.
#[test]
fn branches() {
    let cases = [
        // Nothing has moved.
        ("main=A", "main=A", "main=A", "", "", ""),
        // One side has moved: forward, back, aside.
        ("main=A", "main=A", "main=B", "main A>B", "", ""),
        ("main=A", "main=B", "main=A", "", "main A>B", ""),
        ("main=B", "main=B", "main=A", "main B>A", "", ""),
        ("main=B", "main=x", "main=B", "", "main B>x", ""),
        // Both to the same.
        ("main=A", "main=B", "main=B", "", "", ""),
        // Both forward, one further.
        ("main=A", "main=B", "main=C", "main B>C", "", ""),
        ("main=A", "main=C", "main=B", "", "main B>C", ""),
        // Both aside.
        ("main=A", "main=x", "main=y", "remotes/host/main ->y", "remotes/laptop/main ->x", "refs/heads/main"),
        ("main=A", "main=B", "main=y", "remotes/host/main ->y", "remotes/laptop/main ->B", "refs/heads/main"),
        // One went back, the other forward: that one is further, but what it went back from was meant to go.
        ("main=B", "main=A", "main=C", "remotes/host/main ->C", "remotes/laptop/main ->A", "refs/heads/main"),
        // Another branch: made, deleted, deleted against moved.
        ("main=A", "main=A", "main=A work=B", "work ->B", "", ""),
        ("main=A", "main=A work=B", "main=A", "", "work ->B", ""),
        ("main=A work=B", "main=A work=B", "main=A", "work B>-", "", ""),
        ("main=A work=B", "main=A", "main=A work=B", "", "work B>-", ""),
        ("main=A work=B", "main=A", "main=A work=C", "work ->C", "", ""),
        ("main=A work=B", "main=A work=C", "main=A", "", "work ->C", ""),
        ("main=A work=B", "main=A", "main=A", "", "", ""),
        // Both made it.
        ("main=A", "main=A work=B", "main=A work=B", "", "", ""),
        ("main=A", "main=A work=B", "main=A work=C", "work B>C", "", ""),
        (
            "main=A",
            "main=A work=x",
            "main=A work=y",
            "remotes/host/work ->y",
            "remotes/laptop/work ->x",
            "refs/heads/work",
        ),
        // A directory in the place of a file, among the names.
        ("main=A a=A", "main=A a=A", "main=A a/b=A", "a A>-!, a/b ->A", "", ""),
        ("main=A a/b=A", "main=A a/b=A", "main=A a=A", "a ->A, a/b A>-!", "", ""),
        ("main=A @a=A", "main=A @a=A", "main=A @a/b=A", "tags/a A>-!, tags/a/b ->A", "", ""),
        // Tags do not go forward by themselves.
        ("main=A", "main=A", "main=A @v=B", "tags/v ->B", "", ""),
        ("main=A @v=A", "main=A @v=B", "main=A @v=C", "", "", "refs/tags/v"),
        // The way out of that.
        ("main=A @v=A", "main=A", "main=A @v=C", "tags/v ->C", "", ""),
        // The first commit of all.
        ("", "", "main=A", "main ->A", "", ""),
    ];
    for (before, l, h, here, there, differs) in cases {
        let plan = asked(&state(l), &state(h), Some(&base(&state(before))));
        let case = format!("{before} | {l} | {h}");
        assert_eq!((shown(&plan.here), shown(&plan.there)), (here.to_owned(), there.to_owned()), "{case}");
        let names: Vec<_> = plan.differs.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.join(" "), differs, "{case}");
        assert!(plan.waits.is_empty(), "{case}: {:?}", plan.waits);
        // The other way round it is the same with the sides changed.
        let back = asked(&state(h), &state(l), Some(&base(&state(before))));
        let sides = |text: &str| {
            text.replace("remotes/laptop", "remotes/x")
                .replace("remotes/host", "remotes/laptop")
                .replace("remotes/x", "remotes/host")
        };
        assert_eq!(
            (sides(&shown(&back.there)), sides(&shown(&back.here))),
            (here.to_owned(), there.to_owned()),
            "{case}"
        );
    }
}

#[test]
fn the_base_afterwards_is_what_both_have_and_where_they_differ_what_they_had() {
    let was = base(&state("main=A work=A"));
    let plan = asked(&state("main=B work=x"), &state("main=A work=y"), Some(&was));
    assert_eq!(plan.base.branches, BTreeMap::from([(name("main"), oid('B')), (name("work"), oid('A'))]));
    // Applied, nothing is left to be moved but what differs.
    let mut here = state("main=B work=x");
    here.published.insert(name("work"), oid('y'));
    let mut there = state("main=B work=y");
    there.published.insert(name("work"), oid('x'));
    let again = asked(&here, &there, Some(&plan.base));
    assert!(again.here.is_empty() && again.there.is_empty(), "{again:?}");
    assert_eq!(again.base, Base { index: again.base.index.clone(), ..plan.base });
    // Joined, what was shown is taken away.
    let mut here = state("main=B work=Z");
    here.published.insert(name("work"), oid('y'));
    let last = asked(&here, &state("main=B work=Z"), Some(&again.base));
    assert_eq!(shown(&last.here), "remotes/host/work y>-");
    assert!(last.differs.is_empty() && last.base.shown_here.is_empty());
}

#[test]
fn without_a_base_equal_is_agreed_and_further_wins() {
    for (l, h, here, there, differs) in [
        ("main=A", "main=A", "", "", 0),
        ("main=A", "main=B", "main A>B", "", 0),
        ("main=A work=B", "main=A", "", "work ->B", 0),
        ("main=x", "main=y", "remotes/host/main ->y", "remotes/laptop/main ->x", 1),
        ("", "main=A", "main ->A", "", 0),
        ("main=A", "", "", "main ->A", 0),
    ] {
        let plan = asked(&state(l), &state(h), None);
        assert_eq!((shown(&plan.here), shown(&plan.there)), (here.to_owned(), there.to_owned()), "{l} | {h}");
        assert_eq!(plan.differs.len(), differs, "{l} | {h}");
        assert!(plan.here.unstash.is_empty() && plan.there.unstash.is_empty());
    }
}

/// What both had, here, there: where the HEADs go.
#[test]
fn heads() {
    let both = "main=A work=B";
    for (was, l, h, here, there, waits, differs) in [
        (on("main", both), on("main", both), on("work", both), "HEAD work", "", 0, 0),
        (on("main", both), on("work", both), on("main", both), "", "HEAD work", 0, 0),
        // Both went: each stays where it is.
        (
            on("main", "main=A w1=A w2=A"),
            on("w1", "main=A w1=A w2=A"),
            on("w2", "main=A w1=A w2=A"),
            "",
            "",
            0,
            1,
        ),
        (on("main", both), on("work", both), on("work", both), "", "", 0, 0),
        // To a branch that is not the same on both sides.
        (
            on("main", both),
            on("main", "main=A work=x"),
            on("work", "main=A work=y"),
            "remotes/host/work ->y",
            "remotes/laptop/work ->x",
            1,
            1,
        ),
        // To a branch that was made, a commit, one without a commit.
        (
            on("main", "main=A"),
            on("main", "main=A"),
            on("new", "main=A new=B"),
            "new ->B, HEAD new",
            "",
            0,
            0,
        ),
        (
            on("main", "main=B"),
            on("main", "main=B"),
            on("A", "main=B"),
            "HEAD 000000000 (detached)",
            "",
            0,
            0,
        ),
        (on("main", "main=A"), on("main", "main=A"), on("orphan", "main=A"), "HEAD orphan", "", 0, 0),
        // And left the one that it deletes.
        (on("work", both), on("work", both), on("main", "main=A"), "work B>-, HEAD main", "", 0, 0),
    ] {
        let plan = asked(&l, &h, Some(&base(&was)));
        let case = format!("{} | {} | {}", was.head, l.head, h.head);
        assert_eq!((shown(&plan.here), shown(&plan.there)), (here.to_owned(), there.to_owned()), "{case}");
        assert_eq!((plan.waits.len(), plan.differs.len()), (waits, differs), "{case}: {:?}", plan.waits);
    }
}

/// A repository that was just made on the host stands on a branch only because it has to stand somewhere.
#[test]
fn a_host_without_anything_follows_to_wherever_this_side_stands() {
    for (l, h, there, differs) in [
        (on("A", "main=A"), on("main", ""), "main ->A, HEAD 000000000 (detached)", 0),
        (on("A", ""), on("main", ""), "HEAD 000000000 (detached)", 0),
        (on("dev", "dev=A"), on("main", ""), "dev ->A, HEAD dev", 0),
        // It has a commit, or a branch.
        (on("A", "main=A"), on("main", "main=A"), "", 1),
        (on("dev", "dev=A"), on("orphan", "dev=A"), "", 1),
    ] {
        let plan = asked(&l, &h, None);
        let case = format!("{} | {}", l.head, h.head);
        assert_eq!((shown(&plan.here), shown(&plan.there)), (String::new(), there.to_owned()), "{case}");
        assert_eq!((plan.differs.len(), plan.waits.len()), (differs, 0), "{case}: {plan:?}");
        assert_eq!(plan.base.head, (differs == 0).then_some(l.head), "{case}");
    }
}

#[test]
fn while_the_heads_differ_nobody_is_moved_under_its_feet() {
    let was = base(&on("main", "main=A w1=A w2=A"));
    let l = on("w1", "main=A w1=A w2=A");
    let h = on("w2", "main=A w1=B w2=B");
    let plan = asked(&l, &h, Some(&was));
    assert_eq!((shown(&plan.here), shown(&plan.there)), ("w2 A>B".to_owned(), String::new()));
    assert_eq!(plan.waits[0].name, "refs/heads/w1");
    assert!(plan.waits[0].why.ends_with("`git switch w1` on the host"), "{:?}", plan.waits);
    assert_eq!((plan.staged, &plan.base.head), (Staged::Apart, &was.head));
    assert_eq!(plan.base.branches[&name("w1")], oid('A'));
}

/// What is staged: what both had, here, there.
#[test]
fn staged() {
    let with = |refs: &str, index: char| State { index: Index::Tree(tree(index)), ..state(refs) };
    let cases = [
        (with("main=A", 'A'), with("main=A", 'A'), with("main=A", 's'), Staged::Take(Which::Here)),
        (with("main=A", 'A'), with("main=A", 's'), with("main=A", 'A'), Staged::Take(Which::There)),
        (with("main=A", 's'), with("main=A", 's'), with("main=A", 'A'), Staged::Take(Which::Here)),
        (with("main=A", 'A'), with("main=A", 's'), with("main=A", 's'), Staged::Same),
        // Committed there while something was staged here.
        (with("main=A", 'A'), with("main=A", 's'), with("main=B", 'B'), Staged::Merge(Which::Here)),
        (with("main=A", 'A'), with("main=B", 'B'), with("main=A", 's'), Staged::Merge(Which::There)),
        // Both committed, one further: what follows has nothing of its own.
        (with("main=A", 'A'), with("main=B", 'B'), with("main=C", 'C'), Staged::Take(Which::Here)),
        (with("main=A", 'A'), with("main=A", 's'), with("main=A", 't'), Staged::Merge(Which::There)),
        // A branch that differs.
        (with("main=A", 'A'), with("main=x", 'x'), with("main=y", 'y'), Staged::Apart),
        (
            with("main=A", 'A'),
            State { index: Index::Unmerged, ..state("main=A") },
            with("main=A", 's'),
            Staged::Apart,
        ),
    ];
    for (index, (was, l, h, expected)) in cases.into_iter().enumerate() {
        let plan = asked(&l, &h, Some(&base(&was)));
        assert_eq!(plan.staged, expected, "case {index}");
    }
    // Without a base, what is clean follows.
    for (l, h, expected) in [
        (with("main=A", 's'), state(""), Staged::Take(Which::There)),
        (state(""), with("main=A", 's'), Staged::Take(Which::Here)),
        (with("main=A", 'A'), with("main=B", 's'), Staged::Take(Which::Here)),
        (with("main=A", 's'), with("main=B", 'B'), Staged::Merge(Which::Here)),
    ] {
        assert_eq!(asked(&l, &h, None).staged, expected);
    }
}

/// What git here refused of what is staged on the host stays there, and nobody moves under it.
#[test]
fn what_is_staged_and_refused_stays_apart_and_the_rest_goes_on() {
    let both = state("main=A work=A");
    let evil = |refs: &str| {
        let head = if refs.starts_with('w') { "work" } else { "main" };
        State { index: Index::Tree(tree('e')), wrap: Some(oid('e')), ..on(head, refs) }
    };
    let cut = |text: &str| {
        let words = text.split(", ").filter(|one| !one.starts_with("work")).collect::<Vec<_>>();
        words.join(", ")
    };
    for (was, l, h, here, there, waits) in [
        (&both, both.clone(), evil("main=A work=B"), "", "", "index"),
        // A commit under it, on either side.
        (&both, both.clone(), evil("main=B work=B"), "", "", "index refs/heads/main"),
        (&both, state("main=B work=A"), evil("main=A work=B"), "", "", "index refs/heads/main"),
        // Both have staged something.
        (
            &both,
            State { index: Index::Tree(tree('s')), ..both.clone() },
            evil("main=A work=B"),
            "",
            "",
            "index",
        ),
        // Gone to another branch, on either side.
        (&both, both.clone(), evil("work=B main=A"), "", "", "HEAD"),
        (&both, on("work", "main=A work=A"), evil("main=A work=B"), "", "", "HEAD refs/heads/work"),
        // It was agreed on before: the host takes over what is here.
        (&evil("main=A work=A"), both.clone(), evil("main=A work=B"), "", "", ""),
    ] {
        let refused = BTreeSet::from([oid('e')]);
        let known = base(was);
        let plan = decide(&Question {
            here: &l,
            there: &h,
            base: Some(&known),
            refused: &refused,
            ancestor: &ancestor,
        });
        let case = format!("{} {:?} | {} {:?}", l.head, l.branches, h.head, h.branches);
        assert_eq!(
            (cut(&shown(&plan.here)), cut(&shown(&plan.there))),
            (here.to_owned(), there.to_owned()),
            "{case}"
        );
        let names: Vec<&str> = plan.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.join(" "), waits, "{case}");
        let expected = if waits.is_empty() { Staged::Take(Which::There) } else { Staged::Apart };
        assert_eq!(plan.staged, expected, "{case}");
        if !waits.is_empty() {
            assert_eq!(plan.base.index, known.index, "{case}");
            assert!(plan.waits.iter().any(|one| one.why.contains("`git reset` on the host")), "{case}");
        }
        if !waits.contains("work") {
            assert_eq!(shown(&plan.here), "work A>B", "all else goes on: {case}");
        }
    }
    // On top of a commit that is refused it is so with it.
    let refused = BTreeSet::from([oid('e'), oid('y')]);
    let plan = decide(&Question {
        here: &both,
        there: &evil("main=y work=A"),
        base: Some(&base(&both)),
        refused: &refused,
        ancestor: &ancestor,
    });
    assert_eq!((plan.waits.len(), &plan.staged), (1, &Staged::Apart), "{:?}", plan.waits);
    assert_eq!(plan.waits[0].name, "refs/heads/main");
}

#[test]
fn stashes_are_a_set() {
    let with = |stash: &str| State { stash: stash.chars().map(oid).collect(), ..state("main=A") };
    let list = |all: &[Oid]| {
        all.iter()
            .map(|oid| char::from_u32(u32::from_str_radix(&oid.as_str()[32..], 16).unwrap()).unwrap())
            .collect::<String>()
    };
    for (was, l, h, here, there) in [
        ("", "", "a", "+a", ""),
        ("a", "a", "ab", "+b", ""),
        ("a", "", "a", "", "-a"),
        ("ab", "a", "b", "-a", "-b"),
        ("a", "ab", "ac", "+c", "+b"),
        ("a", "b", "ac", "+c", "-a+b"),
        ("a", "", "", "", ""),
    ] {
        let plan = asked(&with(l), &with(h), Some(&base(&with(was))));
        let shown = |moves: &Moves| {
            let part = |sign: &str, all: &[Oid]| {
                if all.is_empty() { String::new() } else { format!("{sign}{}", list(all)) }
            };
            format!("{}{}", part("-", &moves.unstash), part("+", &moves.stash))
        };
        assert_eq!(
            (shown(&plan.here), shown(&plan.there)),
            (here.to_owned(), there.to_owned()),
            "{was}|{l}|{h}"
        );
        assert_eq!(
            plan.here.keep.len() + plan.there.keep.len(),
            plan.here.unstash.len() + plan.there.unstash.len()
        );
    }
}

#[test]
fn what_nothing_leads_to_any_more_is_kept() {
    let was = base(&state("main=C work=B"));
    let plan = asked(&state("main=C work=B"), &state("main=A"), Some(&was));
    let kept: Vec<_> = plan.here.keep.iter().map(|(oid, whose)| (oid.clone(), whose.as_str())).collect();
    assert_eq!(kept, [(oid('C'), "refs/heads/main"), (oid('B'), "refs/heads/work")]);
    let forward = asked(&state("main=A"), &state("main=B"), Some(&base(&state("main=A"))));
    assert!(forward.here.keep.is_empty());
}

#[test]
fn many_that_the_host_takes_away_are_asked_about() {
    let all = "main=A a=B b=B c=B d=B";
    let was = base(&state(all));
    let plan = asked(&state(all), &state("main=A"), Some(&was));
    assert!(plan.here.is_empty() && plan.waits.len() == 4, "{plan:?}");
    assert!(plan.waits[0].why.contains("`sinc git join a --theirs` follows"), "{:?}", plan.waits);
    assert_eq!(plan.base.branches, was.branches);
    // Two are answered: the others are asked about still, and what the host deletes then is not one of them.
    let mut left = plan.base.clone();
    left.branches.retain(|name, _| !["a", "b"].contains(&name.as_str()));
    left.branches.insert(name("e"), oid('B'));
    let plan = asked(&state("main=A c=B d=B e=B"), &state("main=A"), Some(&left));
    assert_eq!((shown(&plan.here).as_str(), plan.waits.len()), ("e B>-", 2), "{plan:?}");
    assert_eq!(plan.base.held.len(), 2);
    // One is brought back there, the other one here follows.
    let plan = asked(&state("main=A c=B"), &state("main=A c=B"), Some(&plan.base));
    assert!(plan.base.held.is_empty() && plan.waits.is_empty(), "{plan:?}");
    let three =
        asked(&state("main=A a=B b=B c=B"), &state("main=A"), Some(&base(&state("main=A a=B b=B c=B"))));
    assert_eq!(three.here.refs.len(), 3);
    // Forward is no loss, and what this side does to the host is its own.
    assert_eq!(asked(&state(all), &state("main=C a=C b=C c=C d=C"), Some(&was)).here.refs.len(), 5);
    assert_eq!(asked(&state("main=A"), &state(all), Some(&was)).there.refs.len(), 4);
}

#[test]
fn what_cannot_be_moved_waits_and_holds_nobody_up() {
    let was = base(&state("main=A work=A"));
    let mut here = state("main=A work=A");
    here.elsewhere.insert(name("work"));
    let plan = asked(&here, &state("main=B work=B"), Some(&was));
    assert_eq!(shown(&plan.here), "main A>B");
    assert!(plan.waits[0].why.contains("worktree") && plan.waits[0].why.contains("`git worktree list`"));
    // A name that only differs in case; one below another.
    let twin = asked(&state("main=A work=A"), &state("main=A work=A Main=B"), Some(&was));
    assert_eq!(twin.waits.first().map_or("", |one| one.name.as_str()), "refs/heads/Main");
    assert!(twin.waits[0].why.contains("in case: rename one of them (`git branch -m Main NEW` on the host)"));
    for (l, h, how) in [
        ("main=A work=B", "main=A work/b=B", "`git branch -m work/b NEW` on the host"),
        ("main=A @rel=A", "main=A @rel/1=A", "`git tag -d rel/1` on the host"),
    ] {
        let clash = asked(&state(l), &state(h), Some(&base(&state("main=A"))));
        assert!(clash.here.is_empty() && clash.there.is_empty(), "{clash:?}");
        assert_eq!(clash.waits.len(), 2, "{clash:?}");
        assert!(
            clash.waits[0].why.contains("is in its way") && clash.waits[0].why.contains(how),
            "{clash:?}"
        );
    }
    // One that is in the way only because it waits itself: it stands in another worktree, or under a HEAD that went.
    let mut here = state("main=A work=A");
    here.elsewhere.insert(name("work"));
    let plan = asked(&here, &state("main=A work/b=B"), Some(&was));
    assert_eq!((shown(&plan.here), plan.waits.len()), (String::new(), 2), "{:?}", plan.waits);
    let all = "main=A w1=A w2=A";
    let plan = asked(&on("w1", all), &on("w2", "main=A w1/b=B w2=A"), Some(&base(&on("main", all))));
    assert_eq!((shown(&plan.here), plan.waits.len()), (String::new(), 2), "{:?}", plan.waits);
    // What was refused.
    let refused = BTreeSet::from([oid('y')]);
    let (here, there) = (state("main=A work=A"), state("main=B work=y"));
    let plan = decide(&Question {
        here: &here,
        there: &there,
        base: Some(&was),
        refused: &refused,
        ancestor: &ancestor,
    });
    assert_eq!((shown(&plan.here), plan.waits.len()), ("main A>B".to_owned(), 1));
    assert!(plan.waits[0].why.ends_with("(`git branch -D work`)"), "{:?}", plan.waits);
    let here = state("main=A work=x");
    let plan = decide(&Question {
        here: &here,
        there: &there,
        base: Some(&was),
        refused: &refused,
        ancestor: &ancestor,
    });
    assert_eq!((shown(&plan.here), plan.differs.len()), ("main A>B".to_owned(), 0), "it is not shown either");
}

#[test]
fn what_origin_has_goes_to_the_host_and_never_back() {
    let with = |origin: &str| {
        let mut state = state("main=A");
        for one in origin.split_whitespace() {
            let (branch, commit) = one.split_once('=').unwrap();
            state.origin.insert(name(branch), oid(commit.chars().next().unwrap()));
        }
        state
    };
    for (was, l, h, there) in [
        ("", "main=A", "", "remotes/origin/main ->A"),
        ("main=A", "main=B", "main=A", "remotes/origin/main A>B"),
        ("main=A", "", "main=A", "remotes/origin/main A>-"),
        // The host fetched, or made something up: it keeps that, and it stays there.
        ("main=A", "main=A", "main=x", ""),
        ("", "", "main=x", ""),
        ("main=A", "main=B", "main=x", "remotes/origin/main x>B"),
        // A directory in the place of a file, among the names.
        ("topic=A", "topic/1=A", "topic=A", "remotes/origin/topic A>-!, remotes/origin/topic/1 ->A"),
        ("topic/1=A", "topic=A", "topic/1=A", "remotes/origin/topic/1 A>-!, remotes/origin/topic ->A"),
    ] {
        let plan = asked(&with(l), &with(h), Some(&base(&with(was))));
        assert_eq!(
            (shown(&plan.here), shown(&plan.there)),
            (String::new(), there.to_owned()),
            "{was}|{l}|{h}"
        );
        assert!(plan.waits.is_empty(), "{was}|{l}|{h}");
    }
    // What the host alone has is in the way of its own name only, until it is gone.
    let plan = asked(&with("topic/1=A main=B"), &with("topic=x"), Some(&base(&with(""))));
    assert_eq!(shown(&plan.there), "remotes/origin/main ->B");
    assert_eq!(plan.waits.len(), 1);
    assert!(plan.waits[0].why.ends_with("`git update-ref -d refs/remotes/origin/topic` on the host"));
    assert_eq!(plan.base.origin, BTreeMap::from([(name("main"), oid('B'))]));
    let plan = asked(&with("topic/1=A main=B"), &with("main=B"), Some(&plan.base));
    assert_eq!(shown(&plan.there), "remotes/origin/topic/1 ->A");
}

#[test]
fn a_branch_of_a_remote_called_like_what_is_shown_is_only_in_its_own_way() {
    let was = base(&state("main=A a/b=A"));
    let mut here = state("main=A a/b=x");
    here.published.insert(name("a"), oid('q'));
    let plan = asked(&here, &state("main=B a/b=y"), Some(&was));
    assert_eq!(shown(&plan.here), "main A>B");
    assert_eq!((plan.waits.len(), plan.base.shown_here.len()), (1, 0), "{:?}", plan.waits);
    assert!(plan.waits[0].why.contains("`git update-ref -d refs/remotes/host/a` here"), "{:?}", plan.waits);
}

/// What both had in common is only so of the repository that it was noted of.
#[test]
fn what_is_agreed_on_is_noted_of_this_repository_of_the_hosts() {
    let mut there = state("main=A");
    let plan = asked(&state("main=A"), &there, None);
    assert!(plan.base.id.is_none() && plan.base.is_of(&there));
    // One that is noted by an earlier version counts unless nobody has ever been there.
    there.fresh = true;
    assert!(!plan.base.is_of(&there));
    (there.id, there.fresh) = (Some("one".to_owned()), false);
    assert!(plan.base.is_of(&there));
    let plan = asked(&state("main=A"), &there, Some(&plan.base));
    assert_eq!(plan.base.id.as_deref(), Some("one"));
    for (id, is) in [(Some("one"), true), (Some("two"), false), (None, false)] {
        there.id = id.map(str::to_owned);
        assert_eq!(plan.base.is_of(&there), is, "{id:?}");
    }
}

#[test]
fn what_cannot_be_read_was_not_deleted() {
    let was = base(&state("main=A work=A"));
    for side in [Which::Here, Which::There] {
        let (mut here, mut there) = (state("main=A work=A"), state("main=A work=A"));
        let damaged = if side == Which::Here { &mut here } else { &mut there };
        damaged.branches.remove(&name("work"));
        damaged.damaged.insert("refs/heads/work".to_owned());
        let plan = asked(&here, &there, Some(&was));
        assert_eq!((plan.here.is_empty(), plan.there.is_empty()), (true, true), "{plan:?}");
        assert_eq!(plan.waits.len(), 1, "{plan:?}");
        let way = format!("`echo {} >.git/refs/heads/work` ", oid('A'));
        assert!(plan.waits[0].why.contains(&way), "{:?}", plan.waits);
        assert_eq!(plan.base.branches.get(&name("work")), was.branches.get(&name("work")));
    }
}

#[test]
fn what_is_locked_waits_on_the_side_that_would_move_and_nothing_else() {
    let was = state("main=A work=A gone=A @v1=A");
    let with = |refs: &str, locked: &[&str]| {
        let mut state = state(refs);
        state.locked = locked.iter().map(|one| (*one).to_owned()).collect();
        state
    };
    // What moves there, what waits and what is agreed on, when the host has these locks.
    for (here, locks, moves, waits, agreed) in [
        ("main=A work=B gone=A @v1=A", &["refs/heads/work"][..], "", "refs/heads/work", "work=A"),
        ("main=B work=B gone=A @v1=A", &["refs/heads/work"], "main A>B", "refs/heads/work", "work=A"),
        ("main=A work=B gone=A @v1=B", &["refs/tags/v1"], "work A>B", "refs/tags/v1", "work=B"),
        ("main=A work=B @v1=A", &["packed-refs"], "work A>B", "refs/heads/gone", "gone=A"),
        ("main=A work=B gone=A @v1=A", &["packed-refs"], "work A>B", "", "work=B"),
        ("main=A work=B gone=A @v1=A", &["refs/heads/main"], "work A>B", "", "work=B"),
    ] {
        let here = with(here, &["refs/heads/work"]);
        let plan = asked(&here, &with("main=A work=A gone=A @v1=A", locks), Some(&base(&was)));
        assert_eq!(
            (shown(&plan.here).as_str(), shown(&plan.there).as_str()),
            ("", moves),
            "{here:?} {locks:?}"
        );
        let names: Vec<&str> = plan.waits.iter().map(|one| one.name.as_str()).collect();
        assert_eq!((names.join(" ").as_str(), plan.locked), (waits, !waits.is_empty()), "{locks:?}");
        let (branch, commit) = agreed.split_once('=').unwrap();
        assert_eq!(
            plan.base.branches.get(&name(branch)),
            Some(&oid(commit.chars().next().unwrap())),
            "{locks:?}"
        );
    }
    // What is shown of the other side, too: it is made good when the lock is gone.
    let (here, there) = (state("main=B"), with("main=b", &["refs/remotes/laptop/main"]));
    let plan = asked(&here, &there, Some(&base(&state("main=A"))));
    assert_eq!((shown(&plan.here).as_str(), shown(&plan.there).as_str()), ("remotes/host/main ->b", ""));
    assert_eq!((plan.base.shown_here.len(), plan.base.shown_there.len()), (1, 0));
}
