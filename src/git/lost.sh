# shellcheck shell=sh
# The values that sinc let go of on this side (env.sh comes before it). $1 the directory
echo "sinc-begin 1";
cd "$1" 2>/dev/null || exit 0;
git rev-parse -q --verify refs/sinc/keep >/dev/null 2>&1 && git log -g --no-show-signature --date=unix --format="lost %H %gd %gs" refs/sinc/keep -- 2>/dev/null;
put end yes;
exit 0
