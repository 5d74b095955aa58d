# shellcheck shell=sh
# Counts the files in a directory, but no further than asked. Changes nothing. $1 directory   $2 where to stop
# What is not synced is counted too, but for .git and the marker: so many are there at the most. What cannot be read, or
# takes too long, counts as enough: it is not missing.
echo "sinc-begin 1";
cd -- "$1" || exit 90;
limit=; if command -v timeout >/dev/null 2>&1; then limit="timeout 5"; fi;
# shellcheck disable=SC2086
n=$({ $limit find . -name .git -prune -o -path ./.sinc-session -o -type f -print 2>/dev/null || yes 2>/dev/null; } | head -n "$2" | wc -l);
echo "files $((n))";
exit 0
