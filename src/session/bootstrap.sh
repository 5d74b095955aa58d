# shellcheck shell=sh disable=SC2088
# `differ` stands for the comparison that is written with an exclamation mark, which tcsh would expand.
# The first word with a host: makes or finds the directory of a session, takes or reads its claim, and reports
# what a connect needs to know. Everything here may be repeated; nothing here removes or overwrites a file of
# the person's.
#
# $1 id          $2 workspace        $3 directory name     $4 the name to use when $3 belongs to another session
# $5 machine id  $6 machine name     $7 path there         $8 the directory, when that machine has this session
# $9 flags: adopt (a directory with files in it may be taken), same (what is here is this very project), look (write
#    nothing)
#
# Answers are lines `key value`. `how` says what became of the directory:
#   kept      claim and marker agree               new       made, or empty and taken
#   moved     found again by its marker            adopted   had files in it, taken on request
#   repaired  the claim was missing or damaged, the marker was right, the claim is written again
#   occupied  has files in it and nobody asked     other     another machine has this session, nobody asked
#   unmarked  the directory is there, its marker is not     lost   neither claim nor marker lead anywhere
#   many      several directories have the marker  blocked   a file is in the way    full   both names are taken
id=$1; ws=$2; name=$3; alt=$4; machine=$5; mname=$6; mpath=$7; known=$8; flags=" $9 ";
differ() { case $1 in "$2") return 1;; esac; };
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
# 96 where the login may not write in the nearest directory that exists, 97 for all else.
fail() { echo "$1" >&2; p=$2; until [ -e "${p:-/}" ]; do p=${p%/*}; done; [ -w "${p:-/}" ] || exit 96; exit 97; };
echo "sinc-begin 1";
put home "$HOME";
put shell "${SHELL:-/bin/sh}";
put peer "$SSH_CONNECTION";
if command -v tmux >/dev/null 2>&1; then put tmux "$(tmux -V 2>/dev/null)"; else put tmux none; fi;
tmux list-sessions -F "session #{session_name} #{session_attached}" 2>/dev/null;
put disk "$(df -Pk "$HOME" 2>/dev/null | tail -n 1)";
case $ws in
"~") ws=$HOME;;
"~/"*) ws=$HOME/${ws#"~/"};;
/*) ;;
*) ws=$HOME/$ws;;
esac;
ws=${ws%/};
state=$HOME/.local/state/sinc/sessions;
claim=$state/$id;
# Read the claim.
cid=; cdir=; mine=no; others=no; was=no; gone=no;
if [ -f "$claim" ]; then
while IFS= read -r line || [ -n "$line" ]; do
case $line in
"id "*) cid=${line#id };;
"dir /"*) cdir=${line#dir };;
"machine $machine "*) mine=yes;;
"machine "*) others=yes; put machine "${line#machine }";;
"left $machine "*) was=yes;;
"left "*) gone=yes; put left "${line#left }";;
esac;
done <"$claim";
fi;
damaged=no;
if [ -e "$claim" ] && { differ "$cid" "$id" || [ -z "$cdir" ]; }; then damaged=yes; cdir=; mine=no; put damaged "$claim"; fi;
# Whose directory is it? The first line of the marker says so.
owner() { own=; if [ -f "$1/.sinc-session" ]; then IFS= read -r own <"$1/.sinc-session"; fi; own=${own#id }; };
entries() { find "$1" -mindepth 1 -maxdepth 1 "(" -name ".sinc-session" -o -print ")" 2>/dev/null | grep -c .; };
# Looks for directories with our marker beside each other.
many=0; found=;
seek() {
for m in "$1"/*/.sinc-session "$1"/.*/.sinc-session; do
[ -f "$m" ] || continue;
d=${m%/.sinc-session};
case $d in */. | */..) continue;; esac;
owner "$d";
if [ "$own" = "$id" ]; then many=$((many + 1)); found=$d; put marked "$d"; fi;
done;
};
seek_near() {
seek "${1%/*}";
if [ "$many" = 0 ] && differ "${1%/*}" "$ws"; then seek "$ws"; fi;
};
dir=; how=;
# A claim or a record leads somewhere: is our marker there, or where else?
lead=${cdir:-$known};
if [ -n "$lead" ]; then
owner "$lead";
if [ "$own" = "$id" ]; then
dir=$lead; how=kept;
if [ -z "$cdir" ]; then how=repaired; fi;
else
seek_near "$lead";
if [ "$many" = 1 ]; then dir=$found; how=moved; put from "$lead"; fi;
if [ "$many" -gt 1 ]; then how=many; fi;
fi;
fi;
# This machine has the session, and its directory is not there any more: nothing is made in its place.
if [ -z "$how" ] && [ -n "$known" ]; then
dir=$lead; how=lost; n=0;
if [ -n "$cdir" ]; then put claimed "$cdir"; fi;
if [ -d "$lead" ]; then how=unmarked; n=$(entries "$lead"); fi;
owner "$lead";
if [ "$how" = unmarked ] && [ "$n" -gt 0 ] && [ -z "$own" ]; then
case $flags in *" same "*) how=adopted;; esac;
fi;
if [ -n "$own" ]; then put owner "$own"; fi;
put entries "$n";
fi;
# A new session, or one that this machine does not know yet.
if [ -z "$how" ]; then
how=full;
for d in "$ws/$name" "$ws/$alt"; do
owner "$d";
if [ "$own" = "$id" ]; then dir=$d; how=kept; break; fi;
if [ -n "$own" ]; then continue; fi;
taken=no;
for c in "$state"/*; do
if [ -f "$c" ] && differ "$c" "$claim" && grep -qxF "dir $d" "$c"; then taken=yes; fi;
done;
if [ "$taken" = yes ]; then continue; fi;
dir=$d;
if [ -d "$d" ]; then
n=$(entries "$d"); put entries "$n";
how=new;
if [ "$n" -gt 0 ]; then
how=occupied;
case $flags in *" adopt "*) how=adopted;; esac;
fi;
elif [ -e "$d" ] || [ -L "$d" ]; then how=blocked;
else how=new;
fi;
break;
done;
fi;
# A computer that ended the session here left its files: another one with the same path is another one still.
if [ "$gone" = yes ] && [ "$was" = no ]; then others=yes; fi;
if [ "$others" = yes ] && [ "$mine" = no ] && [ -z "$known" ]; then
case $how in kept | moved)
case $flags in *" same "*) ;; *) how=other;; esac;;
esac;
fi;
put dir "$dir";
case $flags in *" look "*) put how "$how"; exit 0;; esac;
# What was decided is written: the directory first, then its marker, then the claim.
case $how in new | adopted | kept | moved | repaired)
(umask 077; mkdir -p -- "$state") || fail "cannot make $state" "$state";
if [ -d "$ws" ]; then :; else (umask 077; mkdir -p -- "$ws") || fail "cannot make $ws" "$ws"; fi;
if [ -d "$dir" ]; then :; else (umask 022; mkdir -- "$dir") || fail "cannot make $dir" "${dir%/*}"; fi;
owner "$dir";
if differ "$own" "$id"; then
tmp=$dir/.sinc-session.$$;
{ put id "$id"; put made-by "sinc, do not remove: it says which session this directory belongs to"; } >"$tmp" 2>/dev/null || { rm -f -- "$tmp"; fail "cannot write in $dir" "$dir"; };
sync "$tmp" 2>/dev/null; ln -- "$tmp" "$dir/.sinc-session" 2>/dev/null; rm -f -- "$tmp";
sync "$dir" "${dir%/*}" 2>/dev/null;
owner "$dir";
if differ "$own" "$id"; then echo "another session took $dir at this moment" >&2; exit 98; fi;
fi;
if [ "$damaged" = yes ]; then mv -f -- "$claim" "$claim.damaged"; fi;
if differ "$how" kept || differ "$mine" yes || differ "$cdir" "$dir"; then
tmp=$state/.$id.$$;
{
put id "$id"; put dir "$dir";
if [ -f "$claim" ]; then grep "^machine " "$claim" | grep -vF "machine $machine "; grep "^left " "$claim" | grep -vF "left $machine "; fi;
put machine "$machine $mname $mpath";
put written "$(date +%s)";
} >"$tmp" 2>/dev/null && sync "$tmp" 2>/dev/null;
if grep -q "^written [0-9]" "$tmp" 2>/dev/null; then mv -f -- "$tmp" "$claim" || fail "cannot write $claim" "$state"; sync "$state" 2>/dev/null;
else rm -f -- "$tmp"; fail "cannot write $claim: is the disk full?" "$state"; fi;
fi;
;;
esac;
put how "$how";
exit 0
