# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Takes back what a component put there. What is not there any more is done already.

# All that a component brought, unless something else needs it now.
undo_apt() {
  wait_for_packages
  here=
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ] || here="$here $package"
  done
  [ -n "$here" ] || return 0
  # shellcheck disable=SC2086 # names of packages
  apt -s purge $here >"$run/simulated"
  others=$(awk '$1 == "Purg" || $1 == "Remv" { print $2 }' "$run/simulated" | while read -r package; do
    case " $here " in *" ${package%:*} "*) ;; *) printf ' %s' "$package" ;; esac
  done)
  [ -z "$others" ] || because "other packages need what would be removed:$others"
  # shellcheck disable=SC2086 # names of packages
  apt purge $here
}

undo_repository() {
  rm -f "/etc/apt/sources.list.d/sinc-$1.sources" "/etc/apt/keyrings/sinc-$1.gpg" "/etc/apt/keyrings/sinc-$1.asc"
}

undo_ppa() { timeout 300 add-apt-repository -y --remove "ppa:$1"; }

undo_npm() {
  where=
  [ "$me" = 0 ] || where=--prefix=$home/.local
  [ -z "$(npm_version "$1")" ] || timeout 600 npm rm -g --cache="$run/npm" ${where:+"$where"} --no-update-notifier "$1"
  hash -r
}

# PATH KEPT: what was there before comes back
undo_path() {
  rm -rf "$1"
  [ -z "$2" ] || cp -a "$2" "$1"
}

# SCOPE UNIT ENABLED ACTIVE, as they were before
undo_service() {
  [ "$3" = enabled ] || service_ctl "$1" disable "$2" || true
  [ "$4" = active ] || service_ctl "$1" stop "$2" || true
}

# Its home directory stays: it is data.
undo_user() {
  id "$1" >/dev/null 2>&1 || return 0
  loginctl disable-linger "$1" || true
  loginctl terminate-user "$1" || true
  tries=0
  until userdel "$1"; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || because "the user $1 cannot be removed: is it logged in?"
    sleep 0.2
  done
}

undo_linger() { loginctl disable-linger "$1" || true; }

# The words of a rule
undo_ufw() { ! command -v ufw >/dev/null || ufw --force delete "$@"; }

# A rule that was there before.
undo_ufw_was() { ! command -v ufw >/dev/null || ufw "$@"; }

undo_ufw_on() { ! command -v ufw >/dev/null || ufw disable; }

# AS_USER TEXT
undo_shell() { run_shell "$1" "$2"; }

# Nothing of it is left.
forget() { rm -rf "$state/installed/$component" "$state/kept/$component" "$state/packages-before-$component"; }
