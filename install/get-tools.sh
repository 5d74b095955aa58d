#!/usr/bin/env bash
# get-tools.sh: gets the tools that the demo and the tests use, where they are missing.
#
#   install/get-tools.sh [--yes] [--dir DIR] SET...
#
#   SET   build    what `cargo build` needs beside Rust: a C linker
#         demo     what `sinc demo` needs: ssh, sshd, tmux, inotifywait
#         tests    what the tests use besides: other shells, shellcheck, strace, ...
#         bed      what tests/testbed/testbed.sh uses
#         mutagen  Mutagen 0.18.1, unless one of 0.18 or newer is on PATH
#   --yes         installs system packages without asking (so does a stdin that is not a terminal)
#   --dir DIR     where Mutagen goes; target/tools/mutagen in this repository unless given
#
# System packages come from apt-get, as root or through sudo; nothing is asked and nothing runs when
# none is missing. Mutagen comes from its release archive, checked by SHA-256; where that cannot be
# reached, it is built with Go 1.22 or newer from the sources pinned in install/mutagen/.
# SINC_MUTAGEN_MIRROR is another place to look for the same archive.
#
# Stdout: one line where `mutagen` is among the sets: the directory to put first on PATH, empty
# where PATH will do as it is. All else goes to stderr.
# Exit: 0 all is there, 1 failed, 2 usage, 69 something is missing and cannot be got, 75 deadline.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=0.18.1
mirror=${SINC_MUTAGEN_MIRROR:-https://github.com/mutagen-io/mutagen/releases/download/v$version}

say() { echo "get-tools: $*" >&2; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"; }
# stop CODE TEXT...
stop() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# One line a tool: the sets it belongs to, the program that shows that it is there, its packages.
tools() {
  cat <<'END'
build     cc               gcc libc6-dev
demo      ssh              openssh-client
demo      sshd             openssh-server
demo      tmux             tmux
demo      inotifywait      inotify-tools
tests     git              git
tests     zsh              zsh
tests     fish             fish
tests     tcsh             tcsh
tests     dash             dash
tests     busybox          busybox
tests     shellcheck       shellcheck
tests     strace           strace
tests     rsync            rsync
tests     groff            groff-base
tests,bed python3          python3
tests,bed ps               procps
tests     infocmp          ncurses-bin
tests,bed ip               iproute2
tests,bed unshare          util-linux
bed       nft              nftables
bed       gpg              gnupg
bed       mmdebstrap       mmdebstrap
bed       systemd-nspawn   systemd-container
bed       zstd             zstd
bed       ssh              openssh-client
mutagen   curl             curl ca-certificates
END
}

# missing SET...: the packages of the sets' programs that are not there
missing() {
  local sets program packages set
  tools | while read -r sets program packages; do
    for set in "$@"; do
      case ",$sets," in *",$set,"*) ;; *) continue ;; esac
      PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$program" >/dev/null || echo "$packages"
    done
  done | tr ' ' '\n' | sort -u
}

# Runs as root, in a shell of its own that has only this function: apt_get PACKAGE...
apt_get() {
  set -euo pipefail
  export DEBIAN_FRONTEND=noninteractive LC_ALL=C NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l
  local deadline=$((SECONDS + 300)) out policy=/usr/sbin/policy-rc.d mark='# made by get-tools.sh'
  # apt waits for dpkg's lock by itself, but not for that of the package lists.
  until out=$(apt-get -qq -o Acquire::Retries=3 update 2>&1); do
    case $out in
    *"Could not get lock"*) ;;
    *) # an odd source of one's own is no reason to stop: the install will tell
      echo "$out" >&2
      break
      ;;
    esac
    if [ $SECONDS -ge $deadline ]; then
      echo "get-tools: another program has held the lock of apt's package lists for 5 minutes: $out" >&2
      exit 75
    fi
    sleep 0.5
  done
  # The demo runs an sshd of its own on loopback: port 22 of somebody's laptop stays shut.
  if [ ! -e $policy ] || grep -qF "$mark" $policy; then
    # shellcheck disable=SC2064  # the path as it is now
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\n%s: no service starts while it installs packages\nexit 101\n' "$mark" >$policy
    chmod 755 $policy
  fi
  if ! out=$(apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    install -y --no-install-recommends "$@" 2>&1); then
    echo "$out" >&2
    exit 1
  fi
  case " $* " in
  *" openssh-server "*)
    if command -v systemctl >/dev/null; then systemctl -q disable ssh.service ssh.socket 2>/dev/null || true; fi
    ;;
  esac
}

# packages SET...: installs what the sets lack
packages() {
  local list answer as_root=()
  list=$(missing "$@" | xargs)
  [ -n "$list" ] || return 0
  command -v apt-get >/dev/null ||
    stop 69 "missing, by Debian's package names: $list; install them with this system's package manager"
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif ! command -v sudo >/dev/null; then
    stop 69 "missing: $list; as root: apt-get install $list"
  elif [ -t 0 ]; then
    as_root=(sudo)
  else
    as_root=(sudo -n)
  fi
  say "missing packages, to be installed by apt-get: $list"
  case " $list " in *" openssh-server "*) say "(the ssh service of openssh-server stays off)" ;; esac
  if [ -t 0 ] && [ -z "$yes" ]; then
    printf 'get-tools: install them? [Y/n] ' >&2
    read -r answer || answer=n
    case $answer in [nN]*) stop 69 "nothing installed; when ready: apt-get install $list" ;; esac
  fi
  # shellcheck disable=SC2086  # a list of words
  "${as_root[@]}" bash -c "$(declare -f apt_get); apt_get \"\$@\"" apt_get $list ||
    stop $? "apt-get could not install: $list"
  list=$(missing "$@" | xargs)
  [ -z "$list" ] || stop 69 "installed, but still not found: $list"
}

# mutagen_ok PROGRAM: it runs and is 0.18 or newer
mutagen_ok() {
  local v major minor
  v=$("$1" version 2>/dev/null) || return 1
  major=${v%%.*}
  minor=${v#*.}
  minor=${minor%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 0 ] || [ "$minor" -ge 18 ]
}
complete() { [ -s "$1/mutagen-agents.tar.gz" ] && mutagen_ok "$1/mutagen"; }

platform() {
  local os arch
  case $(uname -s) in Linux) os=linux ;; Darwin) os=darwin ;; *) return 1 ;; esac
  case $(uname -m) in x86_64 | amd64) arch=amd64 ;; aarch64 | arm64) arch=arm64 ;; *) return 1 ;; esac
  echo ${os}_$arch
}
sum_of() {
  case $1 in
  linux_amd64) echo 7735286c778cc438418209f24d03a64f3a0151c8065ef0fe079cfaf093af6f8f ;;
  linux_arm64) echo bcba735aebf8cbc11da9b3742118a665599ac697fa06bc5751cac8dcd540db8a ;;
  darwin_amd64) echo 7d06f7d8fcfe90bc7e55cc834a2f2f20c2e0af9ea9bc35911fc4341ad56a9bbf ;;
  darwin_arm64) echo 6f810416d9e5fc4fd5e18431146f8b3c5a2056ba5a24f76c1e66da86eb3257e2 ;;
  esac
}
sha256() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

# download PLATFORM DIR: the release archive into DIR; fails where it cannot be reached
download() {
  local archive=mutagen_$1_v$version.tar.gz want got show=-sS
  want=$(sum_of "$1")
  if [ -t 2 ]; then show=--progress-bar; fi
  say "Mutagen $version: downloading $mirror/$archive (100 MB)"
  curl -fL $show --connect-timeout 5 --speed-limit 1024 --speed-time 30 --max-time 1800 \
    -o "$2/$archive" "$mirror/$archive" || return 1
  got=$(sha256 "$2/$archive")
  [ "$got" = "$want" ] ||
    stop 1 "$archive is not the one that is pinned, so it is not used (SHA-256 $got, not $want). A login page of the network, or a bad mirror?"
  tar -xzf "$2/$archive" -C "$2" mutagen mutagen-agents.tar.gz
  rm "$2/$archive"
}

go_program() {
  local go v
  for go in go /usr/local/go/bin/go; do
    v=$("$go" env GOVERSION 2>/dev/null) || continue
    v=${v#go1.}
    v=${v%%[!0-9]*}
    if [ -n "$v" ] && [ "$v" -ge 22 ]; then
      echo "$go"
      return
    fi
  done
  return 1
}

# compile GO PLATFORM DIR: Mutagen and its agent for this platform, from the pinned sources
compile() {
  local out=$3 module=github.com/mutagen-io/mutagen/cmd
  local build=("$1" build -mod=readonly -trimpath -ldflags "-s -w")
  say "Mutagen $version: building it with $("$1" env GOVERSION) from install/mutagen/ (about half a minute)"
  (
    cd "$root/install/mutagen"
    export CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS=
    "${build[@]}" -tags mutagencli -o "$out/mutagen" $module/mutagen
    "${build[@]}" -tags mutagenagent -o "$out/$2" $module/mutagen-agent
  ) || return 1
  tar -czf "$out/mutagen-agents.tar.gz" -C "$out" "$2"
  rm "$out/$2"
  say "Mutagen's agent is there for $2 alone: hosts of another kind need the release archive"
}

get_mutagen() {
  local plat old go
  plat=$(platform) || stop 69 "no Mutagen is known for $(uname -sm): put mutagen >= 0.18 on PATH"
  mkdir -p "$(dirname "$dir")"
  for old in "$dir".new.*; do # left by a run that was killed
    if [ -d "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null; then rm -rf "$old"; fi
  done
  new=$dir.new.$$
  mkdir "$new"
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if ! download "$plat" "$new"; then
    rm -rf "${new:?}"/*
    go=$(go_program) ||
      stop 69 "Mutagen could not be downloaded, and there is no Go 1.22 or newer to build it. Try again online, or install it (Homebrew: mutagen-io/mutagen/mutagen), or Go (https://go.dev/dl)"
    compile "$go" "$plat" "$new" || stop 69 "Mutagen could be neither downloaded nor built; try again online"
  fi
  complete "$new" || stop 1 "the new Mutagen in $new does not run"
  # Whoever comes second leaves the first one's work alone.
  if ! complete "$dir"; then
    rm -rf "$dir"
    mv "$new" "$dir"
  fi
  say "Mutagen $("$dir/mutagen" version) is in $dir"
}

yes='' dir=$root/target/tools/mutagen sets=() want_mutagen=''
while [ $# -gt 0 ]; do
  case $1 in
  --yes | -y) yes=1 ;;
  --dir)
    [ $# -gt 1 ] || stop 2 "--dir needs a directory"
    dir=$2
    shift
    ;;
  -h | --help)
    usage
    exit 0
    ;;
  mutagen) want_mutagen=1 ;;
  build | demo | tests | bed) sets+=("$1") ;;
  *) stop 2 "what is '$1'? See --help" ;;
  esac
  shift
done
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
[ ${#sets[@]} -gt 0 ] || [ -n "$want_mutagen" ] || stop 2 "which tools? See --help"

path=''
if [ -n "$want_mutagen" ] && mutagen_ok mutagen; then
  want_mutagen='' path=none
elif [ -n "$want_mutagen" ] && complete "$dir"; then
  want_mutagen='' path=$dir
elif [ -n "$want_mutagen" ]; then
  sets+=(mutagen) path=$dir
fi
if [ ${#sets[@]} -gt 0 ]; then packages "${sets[@]}"; fi
if [ -n "$want_mutagen" ]; then get_mutagen; fi
case $path in '') ;; none) echo ;; *) echo "$path" ;; esac
