# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# What a component starts, and only the firewall keeps closed: it starts behind one that is on, and stops before that goes
# (`shut_script`). The next run starts it again.

# SCOPE UNIT...: the units of this component
behind_firewall() { behind=$*; }

firewall_is_on() { case $(ufw status) in "Status: active"*) return 0 ;; *) return 1 ;; esac }

# FUNCTION: a step that may start them; a package may do that by itself
behind_begin() {
  case ${behind:+$1} in service_up | apt_install*) ;; *) return 0 ;; esac
  if [ "$1" = service_up ]; then
    # What takes the firewall back waits for this, and then knows of it.
    exec 7>"$guard_lock"
    flock -w 180 7 || because "the firewall is being changed by something else since 3 minutes ($guard_lock)"
  fi
  firewall_is_on || behind_because
  behind_note
}
behind_end() {
  case ${behind:+$1} in apt_install*) ;; *) return 0 ;; esac
  firewall_is_on && return
  behind_stop || true
  behind_because
}
behind_because() { because "the firewall is off, and$(behind_units) would be open to everybody: run it again"; }
# shellcheck disable=SC2086 # words without spaces
behind_units() {
  set -- $behind
  while [ $# -gt 1 ]; do printf ' %s' "$2" && shift 2; done
}

# What runs already without being noted is a person's own.
behind_note() {
  noted=$state/behind/$component
  private_dir "$state/behind"
  { cat "$noted" 2>/dev/null || true; } >"$run/behind"
  # shellcheck disable=SC2086 # words without spaces
  set -- $behind
  while [ $# -gt 1 ]; do
    if ! grep -qxF -- "$1 $user $2" "$run/behind" && [ "$(service_ctl "$1" is-active "$2" 2>/dev/null)" != active ]; then
      echo "$1 $user $2" >>"$run/behind"
    fi
    shift 2
  done
  cmp -s "$run/behind" "$noted" || put_whole "$noted" 600 root <"$run/behind"
}

behind_stop() { sh -c "${shut_script}shut"; }
