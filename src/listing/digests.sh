# shellcheck shell=sh
# The SHA-1 of files, read only. $1 the directory; their paths on standard input, each ended by a NUL byte.
#
# Answers: records `digest  path`, each ended by a NUL byte, then a record `end`. A file that cannot be read has none.
# 94 there is no such directory   99 sha1sum cannot do it: GNU coreutils is needed
dir=$1;
LC_ALL=C; export LC_ALL;
echo "sinc-begin 1";
cd -- "$dir" || exit 94;
sha1sum -z -- /dev/null >/dev/null 2>&1 || { echo "sha1sum on this host has no -z: install GNU coreutils" >&2; exit 99; };
xargs -0 -r sha1sum -z -- 2>/dev/null;
printf "end"; head -c 1 /dev/zero;
exit 0
