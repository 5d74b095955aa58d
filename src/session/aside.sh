# shellcheck shell=sh
# Puts a directory aside that a sync made again where the session's directory was before it was renamed.
# $1 id   $2 the old place   $3 the new place
# Only if the new one has the marker and the old one has none: then nobody's session is in it. Nothing is deleted.
echo "sinc-begin 1";
own=;
if [ -f "$3/.sinc-session" ]; then IFS= read -r own <"$3/.sinc-session"; fi;
[ "$own" = "id $1" ] || exit 0;
[ -d "$2" ] || exit 0;
[ -L "$2" ] && exit 0;
[ -e "$2/.sinc-session" ] && exit 0;
# What a sync makes again has no repository: this one is somebody else's.
[ -e "$2/.git" ] && exit 0;
case $3/ in "$2"/*) exit 0;; esac;
kept=$HOME/.local/state/sinc/aside;
(umask 077; mkdir -p -- "$kept") || exit 0;
to=$kept/$1.$(date +%s);
[ -e "$to" ] && exit 0;
# On another file system it would be a copy, and what is written meanwhile would be lost: there it stays beside, under another name.
said() { printf "%s" "kept $1"; echo; };
if true >"$2/.sinc-session.$$" && ln -- "$2/.sinc-session.$$" "$to.probe"; then same=yes; else same=no; fi 2>/dev/null;
rm -f -- "$2/.sinc-session.$$" "$to.probe";
[ "$same" = yes ] || to=$2.made-again.$(date +%s);
[ -e "$to" ] && exit 0;
mv -- "$2" "$to" 2>/dev/null && said "$to";
exit 0
