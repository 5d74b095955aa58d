# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Starts a run that outlives this connection, and watches it.

# start_run PROGRAM
start_run() {
  run=
  { private_dir "$state/runs" && (: >>"$state/starting"); } || cannot_write
  # Two that start at once: the second one finds the run of the first.
  exec 8>"$state/starting"
  flock -w 60 8 || not_started "another one is being started since a minute"
  if is_running; then
    exec 8>&-
    id=$(basename "$(readlink "$state/current")")
    echo "busy $id"
    watch_run "$id" 1
    return
  fi
  id=$(date -u +%Y%m%dT%H%M%SZ)-$$
  run=$state/runs/$id
  { mkdir -m 700 "$run" && : >"$run/events" && : >"$run/log" && (umask 077 && printf '%s' "$1" >"$run/program"); } || cannot_write
  # Before it begins: whoever finds it at work finds its name.
  ln -sfn "$run" "$state/current.new"
  mv -T "$state/current.new" "$state/current"
  if [ "$me" = 0 ] && [ -d /run/systemd/system ]; then
    # Where no memory is left, the step fails that takes too much, and not all of them.
    systemd-run --quiet --collect --unit=sinc-apply --description='sinc install' --property=RuntimeMaxSec=3h \
      --property=OOMPolicy=continue \
      sh "$run/program" "$connection" "$login" "$login_home" "$rights" "$id" 2>"$run/said" ||
      not_started "$(tail -n 1 "$run/said")"
  else
    # As long as the unit may run.
    setsid -f timeout -k 60 3h sh "$run/program" "$connection" "$login" "$login_home" "$rights" "$id" >/dev/null 2>&1 </dev/null 8>&-
  fi
  wait_for_pid
  exec 8>&-
  echo "run $id"
  echo "log $run/log"
  watch_run "$id" 1
}

# It holds the lock from then on.
wait_for_pid() {
  tries=0
  until [ -s "$run/pid" ]; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || not_started "it does not begin"
    sleep 0.05
  done
}

cannot_write() {
  [ -z "$run" ] || rm -rf "$run"
  exit 94
}

# WHY: what it may hold of secrets goes
not_started() {
  [ -z "$run" ] || rm -f "$run/program"
  echo "not-started $1"
  exit 92
}

# watch_run ID FROM: its events from this line on, until it ends
watch_run() {
  run=$state/runs/$1
  [ -e "$run/events" ] || exit 93
  wait_for_pid
  # Of one that was cut off by a reboot another process may have the number.
  if is_running && [ "$(readlink "$state/current")" = "$run" ]; then
    tail -n "+$2" -s 0.2 --pid="$(cat "$run/pid")" -f "$run/events"
  else
    tail -n "+$2" "$run/events"
  fi
  # Cut off in the middle, by a reboot or a kill, it has no end.
  tail -n 1 "$run/events" | grep -qx end || echo "broken"
}

show_log() { cat "$state/runs/$1/log"; }
