# shellcheck shell=sh disable=SC1091
# Runs a command of `sinc run` in its directory, with the streams of the connection, and notes how it ended.
#
# $1 what run_guard.sh made (empty: run it alone)   $2 the directory, written as below
# $3 begin streams with a line, so that what rc files print can be told from the rest: both, one (a terminal has one), none
# $4 octal: in each word of the command, each byte that is not plain is a backslash, 0 and three octal digits; plain
# then the command
#
# Its exit code is that of the command, but 254 for 255, which is ssh's own. 90 there is nobody any more   91 no such directory
d=$1; dir=$2; mark=$3; how=$4; shift 4;
case $mark in both | one) echo "sinc-begin 1";; esac;
if [ "$mark" = both ]; then echo "sinc-begin 1" >&2; fi;
note() { if [ -n "$d" ]; then { echo "$1" >"$d/part" && mv -f -- "$d/part" "$d/end"; } 2>/dev/null; fi; };
if [ -n "$d" ]; then
read -r go 2>/dev/null <"$d/go" || exit 90;
[ "$go" = go ] || exit 90;
# What belongs to this connection and not to the login.
sock=$SSH_AUTH_SOCK; term=$TERM; tty=$SSH_TTY;
. "$d/env";
rm -f -- "$d/env";
unset TERM SSH_TTY COLUMNS LINES;
if [ -n "$term" ]; then TERM=$term; export TERM; fi;
if [ -n "$tty" ]; then SSH_TTY=$tty; export SSH_TTY; fi;
if [ -n "$sock" ]; then SSH_AUTH_SOCK=$sock; export SSH_AUTH_SOCK; fi;
fi;
# A terminal that this host has never heard of is treated as the common one.
case $TERM in "" | xterm | xterm-256color | screen | screen-256color | linux | dumb) ;; *) infocmp "$TERM" >/dev/null 2>&1 || { TERM=xterm-256color; export TERM; };; esac;
dir=$(printf "%bx" "$dir");
cd -- "${dir%x}" 2>/dev/null || { note "missing"; exit 91; };
if [ "$how" = octal ]; then
n=$#;
while [ "$n" -gt 0 ]; do word=$(printf "%bx" "$1"); set -- "$@" "${word%x}"; shift; n=$((n - 1)); done;
fi;
# Signals are for the command; whoever waits for it goes on waiting.
trap : HUP INT QUIT TERM;
if [ -n "$d" ]; then
read -r me _ _ _ _ session _ </proc/$$/stat;
echo "$me $session" >"$d/pid.part" && mv -f -- "$d/pid.part" "$d/pid" || exit 90;
if [ -f "$d/abort" ]; then exit 90; fi;
fi;
( exec "$@" );
code=$?;
note "code $code";
if [ "$code" = 255 ]; then code=254; fi;
exit "$code"
