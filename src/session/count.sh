# shellcheck shell=sh
# Counts the files in a directory, but no further than asked. Changes nothing. $1 directory   $2 where to stop
# What is not synced is counted too, but for .git and the marker: so many are there at the most.
echo "sinc-begin 1";
cd -- "$1" || exit 90;
n=$(find . -name .git -prune -o -path ./.sinc-session -o -type f -print 2>/dev/null | head -n "$2" | wc -l);
echo "files $((n))";
exit 0
