# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# Takes back what a component put there. What is not there any more is done already.

# COMPONENT KIND NAME...: that one needs it too, so that it goes with that one
hand_over() {
  [ -s "$state/installed/$1" ] || because "$1 is not there any more: run it again"
  component=$1
  shift
  while [ $# -gt 1 ]; do
    record "$1" "$2"
    shift 2
  done
}

undo_repository() {
  rm -f "/etc/apt/sources.list.d/sinc-$1.sources" "/etc/apt/keyrings/sinc-$1.gpg" "/etc/apt/keyrings/sinc-$1.asc"
}

# Its file is noted besides; without a network, or the program, there is nothing more to do.
undo_ppa() { timeout 300 add-apt-repository -y -n --remove "ppa:$1" || true; }

undo_npm() {
  where=$(npm_prefix "$1")
  ! npm_is_there "$1" || timeout 600 npm rm -g --cache="$run/npm" ${where:+"--prefix=$where"} --no-update-notifier "$1"
  # Nothing but what npm makes again when it wants it.
  [ -z "$where" ] || rmdir "$where/lib/node_modules" 2>/dev/null || true
  hash -r
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

undo_linger() {
  # Without root's rights one may do it for oneself, which is not asked by a name.
  if [ "$me" = 0 ]; then set -- loginctl disable-linger "$1"; else set -- timeout 30 loginctl --no-ask-password disable-linger; fi
  "$@" || true
}

# AS_USER TEXT
undo_shell() { run_shell "$1" "$2"; }

# Nothing of it is left; UNREADABLE is yes when there was a note that this sinc does not understand, which is kept.
forget() {
  if [ "$1" = yes ]; then
    private_dir "$state/not-understood"
    cp "$state/installed/$component" "$state/not-understood/$component"
  fi
  rm -rf "$state/installed/$component" "$state/kept/$component" "$state/packages-before-$component" "$state/behind/$component"
  rmdir "$state/installed" "$state/behind" 2>/dev/null || true
}
