# shellcheck shell=sh
# Removes a directory that everything was moved out of into a backup; and from the backup what this computer has too, but for
# a repository.
# $1 the directory   $2 what was moved, in the backup   the paths below $2 on standard input, each ended by a NUL byte
#
# Answers: `removed`, or `left` and what is in it. 94 there is no such backup   97 something cannot be removed
dir=$1; place=$2;
echo "sinc-begin 1";
if [ "$(ls -A -- "$dir" 2>/dev/null)" = .sinc-session ]; then
rm -f -- "$dir/.sinc-session" && rmdir -- "$dir" || exit 97;
echo removed;
else
echo left; ls -A -- "$dir";
fi;
cd -- "$place" || exit 94;
xargs -0 -r rm -f -- || exit 97;
# A repository is none without some that may be empty.
find . -depth -mindepth 1 "(" -path ./.git -o -path "./.git/*" ")" -o -type d -exec rmdir -- "{}" ";" 2>/dev/null;
exit 0
