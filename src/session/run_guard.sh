# shellcheck shell=sh disable=SC2086,SC2317
# Stands by while a command of `sinc run` runs: looks at the place, reads the environment that a login here has, passes
# signals on, tells how the command ended, and ends all of it when nobody on the other side is left.
#
# $1 id   $2 the session's directory   $3 stand: as said; look: only look   $4 what the login shell is to run
#
# Standard input: lines. `var V` (a variable, each byte that is not plain as a backslash, 0 and three octal digits), `go`;
# then `signal NAME`, `beat` at least every 20 s, `end`. Its end without `end` means that nobody is left.
# Answers: `run DIR` (where run.sh finds what it needs), then after `end` what run.sh wrote last.
#
# 94 not this session's directory   97 no place for a few small files
id=$1; dir=$2; what=$3; ask=$4;
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
echo "sinc-begin 1";
own=; if [ -f "$dir/.sinc-session" ]; then IFS= read -r own <"$dir/.sinc-session"; fi;
if [ -f "$HOME/.local/state/sinc/sessions/$id" ] && [ "$own" = "id $id" ]; then :; else
echo "sinc: $dir is not where this session was: it was moved, or this is another host or another disk" >&2;
exit 94;
fi;
if [ "$what" = look ]; then exit 0; fi;
umask 077;
d=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/sinc-run.XXXXXX" 2>/dev/null) || d=$(mktemp -d "$HOME/.local/state/sinc/run.XXXXXX" 2>/dev/null) || { echo "sinc: no place for a few small files on this host: is the disk full?" >&2; exit 97; };
# The processes of the command: those of the session (in the sense of setsid) that sshd made for it. $1: leave out this
# one, the script that waits for it. Only those that $under began, if it says who.
under=;
members() {
pids=;
[ -n "$session" ] || return;
for f in /proc/[0-9]*/stat; do
l=; { IFS= read -r l <"$f"; } 2>/dev/null;
n=${f#/proc/}; n=${n%/stat};
set -- "$1" ${l##*") "};
case "$2 $5 $n" in Z*) ;; *" $session $1") ;; *" $session $n") case $under in "" | "$3") pids="$pids $n";; esac;; esac;
done;
};
find_session() { session=; waits=; if [ -f "$d/pid" ]; then read -r waits session <"$d/pid"; fi; };
tell() {
find_session;
case $1 in
KILL) members none;;
# Not for its helpers: most would end.
USR*) under=$waits; members "$waits"; under=;;
*) members "$waits";;
esac;
if [ -n "$pids" ]; then kill -s "$1" $pids 2>/dev/null; fi;
};
# Nobody is left: first as a terminal does that is closed, then for good.
give_up() {
echo yes 2>/dev/null >"$d/abort";
tell HUP; tell CONT;
naps=0;
while [ $naps -lt 50 ]; do
find_session; members none;
if [ -z "$pids" ]; then break; fi;
sleep 0.1; naps=$((naps + 1));
done;
tell KILL;
};
# A line that is cut says nothing: the beat stops. (There is no name for the last process in the background that every login
# shell would leave alone, so it writes its own down.)
watch() {
while :; do
( read -r nap _ </proc/self/stat; echo "$nap" >"$d/nap" && exec sleep 30 ) 2>/dev/null;
if [ -d "$d" ]; then :; else exit 0; fi;
if [ -f "$d/beat" ]; then rm -f -- "$d/beat"; else give_up; rm -rf -- "$d"; exit 0; fi;
done;
};
finish() {
nap=; if [ -f "$d/nap" ]; then read -r nap <"$d/nap"; fi;
rm -rf -- "$d";
if [ -n "$nap" ]; then kill "$nap" 2>/dev/null; fi;
exit 0;
};
vars=; going=no;
while [ $going = no ] && IFS= read -r line; do
case $line in
"var "*) vars="$vars ${line#var }";;
go) going=yes;;
esac;
done;
if [ $going = no ]; then finish; fi;
# run.sh waits at this pipe until its environment is there, or until this script is gone.
if mkfifo "$d/go" 2>/dev/null; then exec 7<>"$d/go"; else rm -rf -- "$d"; echo "sinc: cannot make a pipe in $d" >&2; exit 97; fi;
put run "$d";
# The environment of a login shell, interactive so that its PATH is the one that the person knows and that the agent has.
# Without a terminal that it could take, and whatever its rc files print stays here.
s=${SHELL:-/bin/sh};
case $s in *csh) flags=-ic;; *) flags=-lic;; esac;
apart=; if command -v setsid >/dev/null 2>&1; then apart=setsid; fi;
text=$($apart "$s" $flags "$ask" </dev/null 2>/dev/null 7>&-);
case $text in
*sinc-env-begin*sinc-env-end*) text=${text#*sinc-env-begin}; text=${text%sinc-env-end*};;
*) text=:;;
esac;
add_vars() { for v in $vars; do v=$(printf "%bx" "$v"); export "${v%x}"; done; };
( eval "$text"; add_vars; export -p; echo ": sinc-env-whole" ) >"$d/env" 2>/dev/null;
if grep -q "^: sinc-env-whole" "$d/env"; then :; else ( add_vars; export -p ) >"$d/env" 2>/dev/null; fi;
echo go >&7;
watch >/dev/null 2>&1 7>&- &
while IFS= read -r line; do
case $line in
"signal "*) tell "${line#signal }";;
beat) echo yes 2>/dev/null >"$d/beat";;
end)
# Its ssh ended before the command did, as when the terminal is closed: then nobody is left either.
if [ -f "$d/end" ]; then :; else give_up; fi;
last=unknown; if [ -f "$d/end" ]; then IFS= read -r last <"$d/end"; fi;
put ended "$last";
finish;;
esac;
done;
give_up;
finish
