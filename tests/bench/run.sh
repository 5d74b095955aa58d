#!/usr/bin/env bash
# run.sh: how long sinc takes, beside the plain tool in the same minute, on the test bed. One table.
#
#   tests/bench/run.sh [--quick] [--yes] [--sinc PROGRAM] [--rtt MS,MS,...] [--runs N] [--lunaroute PROGRAM] [CASE...]
#
#   CASE     cold warm again connect install status cached run cost edit large git burst idle lunaroute; all of them unless some
#            are named. By name only: provision, which needs a way to the mirrors of Debian and npm
#   --quick  3 runs instead of 9, and RTT 0 and 100 only
#   --sinc   measures this program instead of a release build of this repository
#   --lunaroute  measures this lunaroute-server instead of a stand-in
#   --yes    installs missing system packages without asking
#
# Needs Linux and root, or sudo without a password. All traffic stays between the bed's own two network
# namespaces; all that is made is gone at the end, also after Ctrl-C. README.md tells what is measured.
# Exit: 0 all goals met, 3 some missed, 1 something failed, 2 usage, 75 out of time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/install/rust.sh"
testbed=$root/tests/testbed/testbed.sh

yes='' sinc='' pass=()
while [ $# -gt 0 ]; do
  case $1 in
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"
    exit 0
    ;;
  --yes | -y) yes=--yes ;;
  --sinc | --rtt | --runs | --lunaroute)
    [ $# -gt 1 ] || {
      echo "bench: $1 needs a value" >&2
      exit 2
    }
    case $1 in
    --sinc) sinc=$(realpath "$2") ;;
    --lunaroute) pass+=("$1" "$(realpath "$2")") ;;
    *) pass+=("$1" "$2") ;;
    esac
    shift
    ;;
  --quick | cold | warm | again | connect | install | status | cached | run | cost | edit | large | git | burst | idle | lunaroute | provision) pass+=("$1") ;;
  *)
    echo "bench: what is '$1'? See --help" >&2
    exit 2
    ;;
  esac
  shift
done

mutagen=$("$root/install/get-tools.sh" $yes build demo bed mutagen)
[ -z "$mutagen" ] || PATH=$mutagen:$PATH
export PATH
if [ -z "$sinc" ]; then
  need_rust "$root"
  build_sinc "$root"
fi

as_root=(env)
[ "$(id -u)" = 0 ] || as_root=(sudo -n env "PATH=$PATH" ${TB_DIR:+"TB_DIR=$TB_DIR"} ${TB_CACHE:+"TB_CACHE=$TB_CACHE"})
on_bed() { "${as_root[@]}" "TB_ID=$TB_ID" "$testbed" "$@"; }
export TB_ID=${TB_ID:-b$$}

for old in "${TB_DIR:-/var/lib/sinc-testbed}"/inst/b[0-9]*; do # left by a run that was killed
  old=${old##*/b}
  case $old in *[!0-9]*) continue ;; esac
  [ -e "/proc/$old" ] || TB_ID=b$old on_bed down 0
done

work=$(mktemp -d /tmp/sinc-bench.XXXXXX) # short: sockets lie below it
trap 'trap "" INT TERM HUP; on_bed down 0; "${as_root[@]}" rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
on_bed build
on_bed up
python=/usr/bin/python3
[ -x $python ] || python=python3
code=0
on_bed laptop "$python" -IS "$root/tests/bench/bench.py" --work "$work" --sinc "$sinc" ${pass[@]+"${pass[@]}"} || code=$?
exit $code
