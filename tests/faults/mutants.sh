#!/usr/bin/env bash
# mutants.sh: can the runs fail? Takes one part after another out of what keeps things, and looks for a seed that fails then.
#
#   tests/faults/mutants.sh [NAME...]    those that the runs find, unless some are named
#
# Not among them is what these runs cannot see: that a branch is moved although it has moved since it was looked at (what is overwritten
# stays in its reflog), that an operation in progress holds nothing (40 seeds: what is unmerged is not moved over anyway), and that HEAD moves
# without git's lock (24 seeds: names are swapped by their old values, and files stay). Only tried where they are named: as-it-was (seed 15
# once, and not in 60 seeds with what sinc keeps of saves by now), dead-locks (not found in 20 seeds), files-first (nobody has yet).
#
# SINC_MUTANT_RUNS=N   gives up on one after N seeds (60)
# Each is built beside the checkout, in target/mutants; what is committed is what is changed. Less than an hour for all.
# Exit: 0 each one was found, 1 one was not, 2 a part is not where it was, or does not build
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
. install/rust.sh
work=$root/target/mutants runs=${SINC_MUTANT_RUNS:-60}
PATH=$(install/get-tools.sh mutagen):$PATH:/usr/sbin:/sbin
export PATH CARGO_TARGET_DIR=$work/target SINC_E2E=1

# what NAME: tells what it takes out.   change NAME: does so; each line is a file and what is done to it
names=(backup both-moved old-values) by_name=(as-it-was files-first dead-locks)
what() {
  case $1 in
  backup) echo "what is to be moved into a backup is deleted" ;;
  both-moved) echo "what was moved on both sides follows the host" ;;
  old-values) echo "old values are not kept (refs/sinc/keep)" ;;
  as-it-was) echo "a side is moved although HEAD, or what is staged, is not as it was when it was looked at" ;;
  files-first) echo "a branch moves before its files are there" ;;
  dead-locks) echo "a lock that a killed move has left stays" ;;
  *) echo "mutants.sh: what is '$1'? There are: ${names[*]} ${by_name[*]}" >&2 && exit 2 ;;
  esac
}
# shellcheck disable=SC2016 # they are sed's own
change() {
  case $1 in
  backup) edit src/backups/backup.sh 's/^if mv -- "$src" "$dst" 2>/if rm -r -- "$src" 2>/' ;;
  both-moved) edit src/git/decide/mod.rs 's/^                Verdict::Differs$/                Verdict::Follows(Which::Here)/' ;;
  old-values) edit src/git/decide/mod.rs 's/moves\.keep\.push((old\.clone(), full\.clone()));/let _ = old;/' ;;
  as-it-was) edit src/git/apply.sh 's/^as_it_was() {$/as_it_was() { return 0;/' ;;
  files-first) edit src/git/cycle.rs 's/let mut in_step = sides\.iter()\.all(.*);/let mut in_step = true;/' ;;
  dead-locks) edit src/git/env.sh 's/^unlock_dead() {$/unlock_dead() { return 0;/' ;;
  esac
}
# Which runs look for it: those without git for the backup alone.
variable() { case $1 in backup) echo SINC_FAULTS_RUNS ;; *) echo SINC_GIT_FAULTS_RUNS ;; esac; }
test_of() { case $1 in backup) echo nothing_is_ever_lost ;; *) echo git::with_git_nothing_is_ever_lost ;; esac; }
edit() {
  cp "$1" "$work/before"
  sed -i "$2" "$1"
  ! cmp -s "$1" "$work/before" || { echo "mutants.sh: $1 has no such part any more: $2" >&2 && exit 2; }
}

[ $# -gt 0 ] || set -- "${names[@]}"
for name in "$@"; do what "$name" >/dev/null; done
trap 'git worktree remove --force "$work/tree" 2>/dev/null || true' EXIT
git worktree remove --force "$work/tree" 2>/dev/null || true
mkdir -p "$work"
git worktree prune
git worktree add -q --detach "$work/tree" HEAD
cd "$work/tree"

alive=''
for name in "$@"; do
  git checkout -q -- .
  change "$name"
  cargo test -q --locked --no-run --features faults --test faults 2>"$work/build.log" || { cat "$work/build.log" >&2 && exit 2; }
  program=$(cargo test -q --locked --no-run --features faults --test faults --message-format=json-render-diagnostics 2>/dev/null |
    sed -n '/"name":"faults"/s/.*"executable":"\([^"]*\)".*/\1/p')
  result="NOT FOUND in $runs seeds"
  for ((seed = 1; seed <= runs; seed += 4)); do
    if ! env "$(variable "$name")=4" SINC_FAULTS_SEED=$seed "$program" --exact "$(test_of "$name")" --nocapture >"$work/$name.log" 2>&1; then
      result="found by seed $(sed -n 's/^\(git \)\{0,1\}faults: seed \([0-9]*\) FAILED.*/\2/p' "$work/$name.log" | sort -n | head -1)"
      break
    fi
  done
  case $result in NOT*) alive="$alive $name" ;; esac
  printf '%-16s %-26s %s\n' "$name" "$result" "$(what "$name")"
done
[ -z "$alive" ]
