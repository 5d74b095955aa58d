# shellcheck shell=sh
# Removes files of a directory that was moved into a backup, because this computer has the same; then what is empty.
# $1 the directory   their paths on standard input, each ended by a NUL byte
# 94 there is no such directory   97 one of them cannot be removed
dir=$1;
echo "sinc-begin 1";
cd -- "$dir" || exit 94;
xargs -0 rm -f -- || exit 97;
find . -depth -type d -exec rmdir -- "{}" ";" 2>/dev/null;
echo end;
exit 0
