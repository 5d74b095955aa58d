# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Does the work, and writes what happens into $run/events, one line an event, and all output into $run/log.

emit() { printf '%s\n' "$*" | tee -a "$run/events"; }
now() { date +%s%3N; }

run_begin() {
  run=$state/runs/$1 failed=' '
  # It may hold secrets, and sh has read all of it.
  rm -f "$run/program"
  exec 9>"$state/lock"
  # Somebody who only asks whether a run goes on holds it for a moment.
  flock -w 10 9 || exit 75
  # What others that were cut off have left of secrets, also of an older sinc.
  rm -f "$state"/runs/*/program "$state"/runs/*/tailnet-key
  # Anybody may see whether something of ours is there (`installed`), and nothing more.
  [ "$me" != 0 ] || chmod 711 "$state"
  echo $$ >"$run/pid"
  downloads_tidy
}

# component NAME NEEDS...: what needs something that failed is left out
component() {
  # shellcheck disable=SC2034 # behind.sh reads it
  component=$1 step_failed='' behind=''
  shift
  guard_told
  for need in "$@"; do
    case $failed in
    *" $need "*)
      failed="$failed$component " step_failed=yes
      emit "skip $component $need"
      return
      ;;
    esac
  done
}

# step N FUNCTION WORDS...
step() {
  [ -z "$step_failed" ] || return 0
  number=$1 began=$(now) size=$(wc -c <"$run/log") killed=$(killed_for_memory)
  shift
  emit "start $component $number"
  rm -f "$run/because"
  (
    set -eu
    behind_begin "$1"
    "$@"
    behind_end "$1"
  ) >>"$run/log" 2>&1 </dev/null 9>&-
  code=$?
  if [ $code = 0 ]; then
    emit "ok $component $number $(($(now) - began))"
    return
  fi
  # Where nothing but packages of somebody else's is broken, all is done that needs no new package.
  [ "$1" = packages_mend ] || failed="$failed$component " step_failed=yes
  emit "fail $component $number $(($(now) - began)) $code"
  why=$(cat "$run/because" 2>/dev/null) || why=
  [ -n "$why" ] || [ $code != 137 ] || why="its command $(ended $code)"
  [ "$(killed_for_memory)" = "$killed" ] || why="${why:+$why; }the host has run out of memory, and the kernel killed a program of this step"
  [ -z "$why" ] || emit "why $component $why"
  # The sentence is its last line too.
  tail -c "+$((size + 1))" "$run/log" | tail -n 12 | while IFS= read -r line; do
    [ "$line" = "$why" ] || emit "said $component $line"
  done
  if [ -e "$guard/armed" ] && case $1 in *ufw* | *sshd*) true ;; *) false ;; esac; then
    guard_take_back >>"$run/log" 2>&1
    emit "guard taken-back"
  fi
}

# How many programs of this unit the kernel has killed because no memory was left, where that is counted.
killed_for_memory() {
  sed -n 's/^oom_kill //p' "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/memory.events" 2>/dev/null || true
}

# What was changed waits for a fresh login, which need not wait for the components that come later.
guard_told() { [ ! -e "$guard/armed" ] || emit "guard armed $(cat "$guard/armed")"; }

run_end() {
  guard_told
  rm -rf "$run/npm" "$run/download"
  emit "end"
  # The last ones are kept.
  (cd "$state/runs" && find . -mindepth 1 -maxdepth 1 | sort -r | tail -n +11 | while IFS= read -r old; do rm -rf "$old"; done)
}
