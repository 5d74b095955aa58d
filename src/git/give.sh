# shellcheck shell=sh disable=SC2154,SC2034
# What the other side lacks, if it is little (env.sh and pack.sh come before it). $1 the directory   $2 what is wanted, then what it has
echo "sinc-begin 1";
cd "$1" 2>/dev/null || exit 0;
shift;
t=.git/sinc/s.$$;
if [ -f .git/shallow ]; then :; else give "$@"; fi;
rm -f "$t.tips" "$t.pack";
put end yes;
exit 0
