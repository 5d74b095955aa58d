# shellcheck shell=sh
# Counts the files in a directory, but no further than asked. Changes nothing. $1 directory   $2 where to stop   $3 what is not
# counted: one extended regular expression for whole paths
# A find that is not GNU's counts all but .git and the marker: so many are there at the most. The code at the end says whether
# find came to the end: of what cannot be read, or takes too long, nothing is known to be missing.
echo "sinc-begin 1";
cd -- "$1" || exit 90;
LC_ALL=C; export LC_ALL;
limit=; if command -v timeout >/dev/null 2>&1; then limit="timeout 5"; fi;
# shellcheck disable=SC2086 # one word a program's name and its argument
all() {
if find / -maxdepth 0 -regextype posix-extended -regex / >/dev/null 2>&1; then $limit find -H "$1" -ignore_readdir_race -regextype posix-extended -regex "$2" -prune -o -type f -print 2>/dev/null;
else $limit find . -name .git -prune -o -path ./.sinc-session -o -type f -print 2>/dev/null; fi;
echo "find $?" >&3;
};
{ all "$1" "$3" | head -n "$2" | { n=$(wc -l); echo "files $((n))"; }; } 3>&1;
exit 0
