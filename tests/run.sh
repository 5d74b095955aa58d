#!/usr/bin/env bash
# run.sh: runs all of sinc's tests, and gets what they need first.
#
#   tests/run.sh [--yes] [STEP...]
#
#   STEP    fmt clippy shellcheck test faults bed; all of them unless some are named. By name only: git-faults git-saves
#           install-faults phone tailnet
#   --yes   installs missing system packages without asking
#
# `test` is cargo's own run, with Mutagen on PATH; `faults` is 25 of the runs that tests/faults/README.md tells of without git, and 5
# with it (SINC_FAULTS_RUNS=1000 for more without, SINC_FAULTS_SEED=N for others); `git-faults` is 500 with git, `git-saves` 200
# switches of branches on either side while files are saved on the other one, which takes hours; `phone` is a phone's browser, for which it needs Chromium;
# `bed` runs tests/bed/ on the laptop's side of the test bed (tests/testbed/), which needs Linux and root, or sudo without a
# password, with as many of the hosts on which `sinc install` might shut its login out as fit into a minute (SINC_HOSTILE=all for all of
# them); `install-faults` is 100 times something that happens in the middle of a step of `sinc install`, of each kind, there too
# (SINC_INSTALL_FAULTS=N for another number, SINC_INSTALL_FAULTS_SEED=N for others), 40 minutes; `tailnet` is what is there for the real Tailscale, which it
# builds first (Go 1.26, three minutes, once). What could not run is
# named at the end; with CI=true that is a failure, and a run that hangs is ended.
# Exit: 0 when all passed, 1 otherwise, 2 usage.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
. install/rust.sh
testbed=$root/tests/testbed/testbed.sh

yes='' steps=()
for arg in "$@"; do
  case $arg in
  --yes | -y) yes=--yes ;;
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
    exit 0
    ;;
  fmt | clippy | shellcheck | test | faults | bed | git-faults | git-saves | install-faults | phone | tailnet) steps+=("$arg") ;;
  *)
    echo "run.sh: what is '$arg'? See --help" >&2
    exit 2
    ;;
  esac
done
[ ${#steps[@]} -gt 0 ] || steps=(fmt clippy shellcheck test faults bed)
has() { case " ${steps[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }

summary=() left_out=() flaky=() failed='' insist=1 # no test may be left out for want of a tool
leave_out() {
  echo "run.sh: left out: $*" >&2
  left_out+=("$*")
}
# step NAME CMD...: runs it, whatever came before, and keeps its result and its time
step() {
  local name=$1 start=$SECONDS result=ok
  shift
  printf '\n=== %s\n' "$name"
  "$@"
  case $? in # $skipped: it has said itself why it did not run
  0) ;;
  "$skipped") result='left out' ;;
  *) result=FAILED failed=1 ;;
  esac
  summary+=("$(printf '%-12s %-9s %4d s' "$name" "$result" $((SECONDS - start)))")
}
skipped=200

# within MINUTES CMD...: with CI=true ended after that time
within() {
  local minutes=$1
  shift
  if [ "${CI:-}" = true ] && command -v timeout >/dev/null; then
    timeout -k 20 "${minutes}m" "$@" </dev/null || {
      local code=$?
      [ $code != 124 ] || echo "run.sh: ended after $minutes minutes: $*" >&2
      return $code
    }
  else
    "$@"
  fi
}

tools() {
  local sets=(build) mutagen
  if has shellcheck || has test; then sets+=(tests); fi
  if has test || has faults || has git-faults || has git-saves || has phone || has bed || has install-faults || has tailnet; then sets+=(demo); fi
  if { has bed || has install-faults || has tailnet; } && can_bed >/dev/null; then sets+=(bed); fi
  install/get-tools.sh $yes "${sets[@]}" || {
    [ "$(uname -s)" != Linux ] || return 1
    leave_out "what needs the tools that are missing (above)"
    insist=''
  }
  if has test || has faults || has git-faults || has git-saves || has phone || has bed || has install-faults || has tailnet; then
    mutagen=$(install/get-tools.sh $yes mutagen) || return 1
    [ -z "$mutagen" ] || PATH=$mutagen:$PATH
    export PATH
  fi
  # sshd and others are there, though not on an ordinary user's PATH
  PATH=$PATH:/usr/sbin:/sbin
}

scripts() {
  local list
  list=$(git ls-files -co --exclude-standard -- '*.sh' .ci/run 2>/dev/null) || list=''
  [ -n "$list" ] || list=$(find . -path ./target -prune -o \( -name '*.sh' -o -path ./.ci/run \) -print)
  echo "$list" | tr '\n' '\0' | xargs -0 shellcheck -x
}

# flaky_too CMD...: runs tests with the real tools. Up to five that fail are run once more, one at a time: a busy machine may
# have had a slow moment. Each of them is named at the end, for whoever wants to know why.
flaky_too() {
  local out code=0 names name again=0
  out=$(mktemp) || return 1
  "$@" 2>&1 | tee "$out"
  code=${PIPESTATUS[0]}
  names=$(sed -n 's/^test \([^ ]*\) \.\.\. FAILED$/\1/p' "$out" | sort -u)
  rm -f "$out"
  if [ "$code" = 0 ] || [ -z "$names" ] || [ "$(echo "$names" | wc -l)" -gt 5 ]; then return "$code"; fi
  printf '\n=== once more:\n%s\n' "$names"
  for name in $names; do
    if RUST_TEST_THREADS=1 "$@" --exact "$name"; then flaky+=("$name"); else again=1; fi
  done
  return "$again"
}

# With all features at each call: other ones would be another build.
test_all() {
  local list code=0 why
  list=$(mktemp) || return 1
  # they wait more than they work
  local threads=$((3 * $(getconf _NPROCESSORS_ONLN)))
  RUST_TEST_THREADS=$threads flaky_too within 30 env ${insist:+SINC_E2E=1} "SINC_LEFT_OUT=$list" \
    cargo test --locked --all-features --no-fail-fast --lib --bins --test cli -- || code=$?
  within 10 cargo test --locked --all-features --doc || code=$?
  RUST_TEST_THREADS=$threads flaky_too within 30 env ${insist:+SINC_E2E=1} "SINC_LEFT_OUT=$list" cargo test --locked --all-features --test e2e -- ||
    code=$?
  while read -r why; do leave_out "$why"; done <"$list"
  rm -f "$list"
  return $code
}

# can_bed: prints why not
can_bed() {
  if [ "$(uname -s)" != Linux ]; then
    echo "the test bed needs Linux"
  elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "the test bed needs root, or sudo without a password"
  else
    return 0
  fi
  return 1
}
# on_bed ARG...: testbed.sh, as root
on_bed() {
  root_prefix
  "${as_root[@]}" "$testbed" "$@"
}
root_prefix() {
  local name
  as_root=(env "TB_ID=$TB_ID")
  [ "$(id -u)" = 0 ] || as_root=(sudo -n env "PATH=$PATH" "TB_ID=$TB_ID" ${TB_DIR:+"TB_DIR=$TB_DIR"})
  for name in TB_SUITE SINC_HOSTILE SINC_HOSTILE_SEED SINC_INSTALL_FAULTS SINC_INSTALL_FAULTS_SEED SINC_TIERS SINC_TAILNET SINC_CUT_SECONDS; do
    [ -z "${!name:-}" ] || as_root+=("$name=${!name}")
  done
}

faults() {
  local runs=${SINC_FAULTS_RUNS:-25} code=0 list
  list=$(mktemp)
  within 20 env "SINC_E2E=$insist" "SINC_LEFT_OUT=$list" "SINC_FAULTS_RUNS=$runs" cargo test --locked --all-features --test faults -- --skip git:: ||
    code=$?
  # a sample of those with git
  if [ -z "${SINC_FAULTS_RUNS:-}" ]; then
    within 10 env "SINC_E2E=$insist" "SINC_LEFT_OUT=$list" SINC_GIT_FAULTS_RUNS=5 cargo test --locked --all-features --test faults -- \
      git::with_git_nothing_is_ever_lost || code=$?
  fi
  while read -r why; do leave_out "$why"; done < <(sort -u "$list")
  rm -f "$list"
  return $code
}

# only_git NAME=NUMBER TEST: those of the tests with git that begin so, for as long as it takes
only_git() {
  env "SINC_E2E=$insist" "$1" cargo test --locked --all-features --test faults -- "git::$2" --nocapture --test-threads=1
}

phone() {
  if ! command -v chromium >/dev/null; then
    echo "run.sh: not installed: chromium. On Debian: apt-get install chromium" >&2
    return 1
  fi
  env SINC_E2E=1 cargo test --locked --all-features --test e2e -- --ignored --exact mobile::a_phone_has_a_live_pane_in_a_second --nocapture
}

# bed ARG...: the tests that these words select
bed() {
  local why binary old
  if ! why=$(can_bed); then
    leave_out "tests/bed/: $why"
    return $skipped
  fi
  # Built out here: the laptop's side has no way to a registry.
  binary=$(cargo test --locked --no-run --all-features --test bed --message-format=json-render-diagnostics |
    sed -n '/"name":"bed"/s/.*"executable":"\([^"]*\)".*/\1/p') || return 1
  [ -x "$binary" ] || {
    echo "run.sh: cargo named no program for the target 'bed'" >&2
    return 1
  }
  for old in "${TB_DIR:-/var/lib/sinc-testbed}"/inst/r[0-9]*; do # left by a run that was killed
    old=${old##*/r}
    case $old in *[!0-9]*) continue ;; esac
    [ -e "/proc/$old" ] || TB_ID=r$old on_bed down 0
  done
  TB_ID=r$$
  on_bed build && on_bed up || return 1
  trap 'on_bed down 0' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  local code=0
  root_prefix
  # the tests share one bed, so one at a time
  flaky_too within 25 "${as_root[@]}" "$testbed" laptop env SINC_E2E=1 "CARGO_MANIFEST_DIR=$root" \
    "$binary" --test-threads=1 "$@" || code=$?
  trap - EXIT INT TERM HUP
  on_bed down 0 || return 1
  return $code
}

# The real Tailscale, built once for its version.
tailnet() {
  local code=0 why
  if ! why=$(can_bed); then
    leave_out "tests/bed/tailnet.rs: $why"
    return $skipped
  fi
  SINC_TAILNET=$root/target/tools/tailnet
  tests/testbed/tailnet/build.sh "$SINC_TAILNET" || code=$?
  case $code in
  0) bed --ignored tailnet:: ;;
  69)
    leave_out "tests/bed/tailnet.rs: it needs Go 1.26 or newer"
    return $skipped
    ;;
  *) return 1 ;;
  esac
}

need_rust "$root"
step tools tools
if [ -n "$failed" ]; then
  echo "FAILED: tools are missing" >&2
  exit 1
fi
if has fmt; then step fmt cargo fmt --check; fi
if has clippy; then step clippy cargo clippy --all-targets --all-features --locked -- -D warnings; fi
if has shellcheck; then step shellcheck scripts; fi
if has test; then step test test_all; fi
if has faults; then step faults faults; fi
if has git-faults; then step git-faults only_git "SINC_GIT_FAULTS_RUNS=${SINC_FAULTS_RUNS:-500}" with_git_nothing_is_ever_lost; fi
if has git-saves; then step git-saves only_git "SINC_SAVES_TRIES=${SINC_SAVES_TRIES:-200}" saves::; fi
if has phone; then step phone phone; fi
if has bed; then step bed bed ${SINC_TIERS:+--include-ignored} --skip tailnet::; fi
if has install-faults; then
  export SINC_INSTALL_FAULTS=${SINC_INSTALL_FAULTS:-100}
  step install-faults bed install_faults::
fi
if has tailnet; then step tailnet tailnet; fi

printf '\n=== summary\n'
printf '%s\n' "${summary[@]}"
for name in ${flaky[@]+"${flaky[@]}"}; do
  echo "flaky: $name failed, and passed when it was run once more"
done
for why in ${left_out[@]+"${left_out[@]}"}; do
  echo "left out: $why"
  [ "${CI:-}" != true ] || failed=1
done
if [ -n "$failed" ]; then
  echo "FAILED"
  exit 1
fi
if [ ${#left_out[@]} -gt 0 ]; then echo "passed, but for what was left out"; else echo "all passed"; fi
