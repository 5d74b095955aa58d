#!/usr/bin/env bash
# try.sh: shows what sinc does, with no VPS: builds it, gets the tools it drives, runs `sinc demo`.
#
#   install/try.sh [--yes] [-- ARG...]
#
#   --yes     installs missing system packages without asking
#   ARG...    arguments of `sinc demo`
#
# Needs Rust. Nothing of sinc is installed: all it makes is in this repository's target/. Exit: that of
# `sinc demo`; 69 when a tool is missing and cannot be got.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/install/rust.sh"

yes=''
while [ $# -gt 0 ]; do
  case $1 in
  --yes | -y) yes=--yes ;;
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
    exit 0
    ;;
  --)
    shift
    break
    ;;
  *)
    echo "try.sh: what is '$1'? Arguments of sinc demo go after --. See --help" >&2
    exit 2
    ;;
  esac
  shift
done

need_rust "$root"
mutagen=$("$root/install/get-tools.sh" $yes build demo mutagen)
build_sinc "$root"
[ -z "$mutagen" ] || PATH=$mutagen:$PATH
export PATH
exec "$sinc" demo "$@"
