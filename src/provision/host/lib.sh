# shellcheck shell=sh disable=SC2034,SC2154 # the parts of a program use each other's names
# What every program on the host begins with. Its words: the ssh connection, the login's name and home, and how root's
# rights came.
umask 022
cd /

# A proxy, or certificates of one: neither sudo nor a unit of systemd reads them. Before all else, and none of the names
# that are used here: what the file says changes nothing of how the work is done.
if [ -r /etc/environment ]; then
  while IFS= read -r setting || [ -n "$setting" ]; do
    setting=${setting#export }
    name=${setting%%=*} value=${setting#*=}
    case $name in
    '' | *[!A-Za-z0-9_]*) continue ;;
    PATH | IFS | ENV | HOME | USER | LOGNAME | SHELL | PWD | OLDPWD | LD_* | BASH* | *_IFS) continue ;;
    [A-Z]* | *_proxy | npm_config_*) ;;
    *) continue ;;
    esac
    value=${value#[\"\']} value=${value%[\"\']}
    [ "$name" = "$setting" ] || export "$name=$value"
  done </etc/environment
fi
# needrestart, which apt calls on Ubuntu, would restart the very unit that runs apt.
export LC_ALL=C LANGUAGE=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
connection=$1 login=$2 login_home=$3 rights=$4
me=$(id -u)
state=/var/lib/sinc
[ "$me" = 0 ] || state=$login_home/.local/state/sinc
tab=$(printf '\t')
# Whose services run without a login.
lingering=/var/lib/systemd/linger
private_dir() { (umask 077 && mkdir -p "$1"); }
# PATHS: they and all that is below are on the disk
sync_below() { find "$@" \( -type f -o -type d \) -exec sync {} +; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# target NAME AS_ROOT: the user that agents run as. A login as root gets one, unless it is to stay root.
target() {
  user=$login home=$login_home
  if [ "$login" = root ] && [ "$2" = no ]; then
    user=$1
    home=$(getent passwd "$user" | cut -d: -f6)
    [ -n "$home" ] || home=/home/$user
  fi
}

# belongs_to USER: what was put there for another user is taken back for that one
belongs_to() {
  user=$1
  home=$(getent passwd "$user" | cut -d: -f6)
  [ -n "$home" ] || home=/home/$user
}

# Runs a command as that user, where it is there. The installer of OpenCode has a directory of its own, which it puts first.
as_user() {
  programs=$home/.opencode/bin:$home/.local/bin:$PATH
  if [ "$me" = 0 ] && [ "$user" != root ] && id "$user" >/dev/null 2>&1; then
    runuser -u "$user" -- env "HOME=$home" "USER=$user" "PATH=$programs" \
      "XDG_RUNTIME_DIR=/run/user/$(id -u "$user")" "$@"
  elif [ "$me" = 0 ]; then
    # Its units are asked of its own systemd, of which a service of the system knows nothing.
    env "HOME=$home" "PATH=$programs" XDG_RUNTIME_DIR=/run/user/0 "$@"
  else
    env "HOME=$home" "PATH=$programs" "$@"
  fi
}

# PATH COMMAND...: with the rights of the user in whose home directory that is, where it is in the user's. A link there is
# followed in no other way, so that it leads root to nothing else.
by_its_user() {
  case $1 in "$home"/*) shift && as_user "$@" ;; *) shift && "$@" ;; esac
}

# FILE: a person's, which may be a link to where it really is
show_own() { if [ -L "$1" ]; then by_its_user "$1" cat -- "$1"; else cat -- "$1"; fi; }
# FILE: is it a link that leads its user to no file?
leads_nowhere() { [ -L "$1" ] && { [ ! -f "$1" ] || ! by_its_user "$1" test -r "$1"; }; }

# The first number with dots that `COMMAND --version` says. Those that were asked together are asked once.
version_of() {
  if [ -n "${versions:-}" ] && [ -e "$versions/$1" ]; then
    cat "$versions/$1"
  else
    ask_version "$1"
  fi
}
ask_version() {
  seen=$(stamp "$1") || return 0
  known=$(sed -n "s,^$1 ,,p" "$state/versions" 2>/dev/null | tail -n 1)
  if [ -n "$known" ] && [ "${known#* }" = "$seen" ]; then
    echo "${known%% *}"
  else
    as_user timeout 30 "$1" --version 2>/dev/null </dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1
  fi
}

# Which file a command is. Some take seconds to say their version: of one that was run when it was put there, and has
# not changed since, it is noted.
stamp() {
  # shellcheck disable=SC2016 # for the other shell
  file=$(as_user sh -c 'command -v "$1"' sh "$1") && stat -c '%i %Y %s %n' "$(readlink -f "$file")"
}

# The pid of a process that holds a lock of dpkg or apt, if one does. A file of another disk may have the same number: it
# has that very file open.
package_lock_holder() {
  for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
    inode=$(stat -c %i "$lock" 2>/dev/null) || continue
    pid=$(awk -v inode="$inode" '$2 == "POSIX" { split($6, at, ":"); if (at[3] == inode) print $5 }' /proc/locks |
      while read -r pid; do
        [ -z "$(find -L "/proc/$pid/fd" -maxdepth 1 -samefile "$lock" 2>/dev/null)" ] || { echo "$pid" && break; }
      done)
    if [ -n "$pid" ]; then
      echo "$pid"
      return
    fi
  done
}

# OPTIONS...: asks sshd. Where ssh comes by a socket, the directory that it wants goes with each connection that ends.
ask_sshd() {
  for _ in 1 2 3 4 5; do
    [ "$me" != 0 ] || mkdir -p /run/sshd
    ! sshd "$@" || return 0
    [ ! -d /run/sshd ] || break
  done
  return 1
}

# KEY: what sshd goes by. One value has two names.
sshd_value() {
  ask_sshd -T 2>/dev/null | awk -v key="$1" 'tolower(key) == $1 { print ($2 == "without-password" ? "prohibit-password" : $2); exit }'
}

# Where packages of npm are.
npm_package_file() {
  for root in "$home/.local/lib/node_modules" /usr/local/lib/node_modules /usr/lib/node_modules; do
    if [ -r "$root/$1/package.json" ]; then
      echo "$root/$1/package.json"
      return
    fi
  done
}
# PACKAGE: below what it goes, where that is not for npm to say. A vendor's Node has itself and npm among the files of its
# own package, in /usr.
npm_prefix() {
  if [ "$me" != 0 ]; then
    echo "$home/.local"
  else
    case $1 in node | npm) echo /usr/local ;; esac
  fi
}
# PACKAGE: is it there where it goes? What lies elsewhere is somebody else's; without npm that is not told apart.
npm_is_there() {
  below=$(npm_prefix "$1")
  [ -n "$below" ] || below=$(npm prefix -g 2>/dev/null) || below=
  if [ -n "$below" ]; then [ -e "$below/lib/node_modules/$1/package.json" ]; else [ -n "$(npm_version "$1")" ]; fi
}
npm_version() {
  file=$(npm_package_file "$1")
  # Some are written in one line.
  [ -z "$file" ] || tr ',{' '\n' <"$file" | sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' | head -n 1
}

# Did this login come through the tailnet? It came to an address that the host has there, and the answers go back there.
by_tailnet() {
  # shellcheck disable=SC2086 # the four words of SSH_CONNECTION
  set -- $connection
  [ $# = 4 ] && ip -o addr show dev tailscale0 2>/dev/null | grep -qF " $3/" &&
    ip route get "$1" 2>/dev/null | grep -q ' dev tailscale0 '
}

# Is a run going on? Whoever works holds the lock; those that only ask share it.
is_running() { [ -e "$state/lock" ] && ! flock -n -s "$state/lock" true; }

service_ctl() {
  if [ "$1" = user ]; then
    shift
    as_user systemctl --user "$@"
  else
    shift
    systemctl "$@"
  fi
}

# AS_USER TEXT
run_shell() {
  if [ "$1" = yes ]; then
    as_user env "SINC_USER=$user" "SINC_HOME=$home" "SINC_FROM=${connection%% *}" sh -euc "$2"
  else
    env "SINC_USER=$user" "SINC_HOME=$home" "SINC_FROM=${connection%% *}" sh -euc "$2"
  fi
}
