# shellcheck shell=sh
# Everything below a directory, read only, each record ended by a NUL byte so that any name comes over unharmed.
# $1 the directory   then the words for find: what to leave out, and the format of a record
#
# Answers: the records, then a record `end` with the exit code of find. What find could not read it says itself.
# 94 there is no such directory   99 find or its -printf is missing: GNU findutils is needed
dir=$1; shift;
LC_ALL=C; export LC_ALL;
echo "sinc-begin 1";
cd -- "$dir" || exit 94;
find . -prune -printf "" 2>/dev/null || { echo "find on this host has no -printf: install GNU findutils" >&2; exit 99; };
find . -mindepth 1 -ignore_readdir_race "$@";
code=$?;
printf "end %s" "$code"; head -c 1 /dev/zero;
exit 0
