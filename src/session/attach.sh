# shellcheck shell=sh disable=SC2088
# Attaches the terminal to a session, and makes its tmux session first where that is safe. This is the one thing
# that runs on the host when a session exists.
#
# $1 id      $2 directory (empty: do not look at it)      $3 make the tmux session: yes, no
# $4 attach: yes, no (then only make sure that it is there)
# $5 the pane's script (pane.sh)   $6 the pane's command line   $7 agent's name   $8 columns   $9 rows
# $10 the script that shows it in Agent-OS (mobile.sh); empty: the other side sees to that
#
# 91 directory not entered   92 no tmux   93 tmux failed   94 not this session's directory   95 no such session
id=$1; dir=$2; make=$3; attach=$4; pane=$5; line=$6; agent=$7; cols=$8; rows=$9; mobile=${10};
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
command -v tmux >/dev/null 2>&1 || { echo "sinc: tmux is not installed on this host" >&2; exit 92; };
has() { tmux has-session -t "=$id" 2>/dev/null; };
# The claim and the marker prove that this is still the directory that the other side is in step with. One that was
# renamed is found again beside its old place by its marker; if something is in its old place, a person decides.
if [ -n "$dir" ]; then
claim=$HOME/.local/state/sinc/sessions/$id;
owned() { own=; if [ -f "$1/.sinc-session" ]; then IFS= read -r own <"$1/.sinc-session"; fi; [ "$own" = "id $id" ]; };
found=; many=0;
if [ -f "$claim" ]; then
if owned "$dir"; then found=$dir; many=1;
elif [ -e "$dir" ]; then :;
else
for m in "${dir%/*}"/*/.sinc-session; do
if owned "${m%/.sinc-session}"; then found=${m%/.sinc-session}; many=$((many + 1)); fi;
done;
fi;
fi;
if [ "$many" = 1 ]; then :; else
echo "sinc: $dir is not where this session was: it was moved, or this is another host or another disk." >&2;
echo "sinc: nothing was changed. Run sinc again: it looks for the directory and says what can be done." >&2;
exit 94;
fi;
if [ "$found" = "$dir" ]; then :; else
tmp=$HOME/.local/state/sinc/sessions/.$id.$$;
{ put id "$id"; put dir "$found"; grep "^machine " "$claim"; grep "^left " "$claim"; put written "$(date +%s)"; } >"$tmp" 2>/dev/null;
if grep -q "^written [0-9]" "$tmp" 2>/dev/null; then sync "$tmp" 2>/dev/null; mv -f -- "$tmp" "$claim"; else rm -f -- "$tmp"; fi;
dir=$found;
fi;
cd -- "$dir" 2>/dev/null || { echo "sinc: $dir cannot be entered" >&2; exit 91; };
fi;
# Characters that are not ASCII need a UTF-8 locale in the server that tmux may start now.
case ${LC_ALL:-${LC_CTYPE:-$LANG}} in *[Uu][Tt][Ff]*) ;; *) LC_CTYPE=C.UTF-8; export LC_CTYPE;; esac;
# A terminal that this host has never heard of (xterm-ghostty, xterm-kitty) is treated as the common one; tmux wants to
# know it even for a session that it makes detached. The common ones are not looked up: that saves a process.
case $TERM in xterm | xterm-256color | screen | screen-256color | linux) ;; *) infocmp "$TERM" >/dev/null 2>&1 || { TERM=xterm-256color; export TERM; };; esac;
# 3.2 brought `new-session -e` and `-T`.
case $(tmux -V 2>/dev/null) in "tmux 3."[2-9]* | "tmux 3."[1-9][0-9]* | "tmux "[4-9]* | "tmux "[1-9][0-9]* | "tmux next"* | "tmux master"*) modern=yes;; *) modern=no;; esac;
made=no;
if has; then :; elif [ "$make" = yes ]; then
# Agent-OS may still have the panes, or have begun some under the name that it knows: then they are the session's.
kept=;
if [ -f "$HOME/.local/state/sinc/mobile/$id" ]; then while read -r key value; do if [ "$key" = name ]; then kept=$value; fi; done <"$HOME/.local/state/sinc/mobile/$id"; fi;
if [ -n "$kept" ] && tmux has-session -t "=$kept" 2>/dev/null; then
tmux -u new-session -d -t "=$kept" -s "$id" ";" set-option -t "=$id:" destroy-unattached off ";" set-option -p -t "=$id:" @sinc-agent "$agent" && made=yes;
fi;
# A person who has sessions end with their last terminal does not mean this one.
# A server that is just ending refuses one that begins (tmux 3.3a, 6 of 20 times): then once more.
for try in 1 2 3; do
if [ "$made" = yes ]; then break; fi;
if [ "$modern" = yes ]; then
tmux -u new-session -d -s "$id" -x "$cols" -y "$rows" -e COLORTERM=truecolor -- sh -c "$pane" sinc "$line" ";" set-option -t "=$id:" destroy-unattached off ";" set-option -p -t "=$id:" @sinc-agent "$agent" && made=yes;
else
tmux -u new-session -d -s "$id" -x "$cols" -y "$rows" -- env COLORTERM=truecolor sh -c "$pane" sinc "$line" ";" set-option -t "=$id:" destroy-unattached off ";" set-option -p -t "=$id:" @sinc-agent "$agent" && made=yes;
fi;
if has; then break; fi;
sleep 0.1;
done;
# The status line cuts the name of the session after 10 characters, unless the person wants more.
case $(tmux show-options -gv status-left-length 2>/dev/null) in [6-9][0-9] | [1-9][0-9][0-9]*) ;; *) tmux set-option -t "=$id:" status-left-length 60 2>/dev/null;; esac;
has || { echo "sinc: tmux on this host could not make the session $id (try $try)" >&2; exit 93; };
else
echo "sinc: there is no session $id on this host" >&2; exit 95;
fi;
# In the background: nobody waits for it, and it costs one look where there is no Agent-OS.
if [ -n "$mobile" ] && [ -d "$HOME/.agent-os" ]; then sh -c "$mobile" sinc "$id" on </dev/null >/dev/null 2>&1 & fi;
if [ "$attach" = no ]; then echo "sinc-begin 1"; put made "$made"; exit 0; fi;
if [ "$modern" = yes ]; then exec tmux -u -T RGB attach-session -t "=$id"; fi;
exec tmux -u attach-session -t "=$id"
