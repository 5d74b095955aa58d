# shellcheck shell=sh
# Ends a session on the host: its tmux session, and this machine's line in its claim. No file of the project is
# touched; marker and claim stay, so that the directory is known to be this session's when it comes again.
# $1 id   $2 machine id   $3 the script that takes it out of Agent-OS (mobile.sh)
#
# 93 tmux could not end it   97 the claim cannot be written
id=$1; machine=$2;
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
claim=$HOME/.local/state/sinc/sessions/$id;
echo "sinc-begin 1";
# tmux ends with 1 for everything: names are compared here, and only a missing server counts as no session.
lives() {
command -v tmux >/dev/null 2>&1 || return 1;
if out=$(tmux list-sessions -F "#{session_name}" 2>&1); then echo "$out" | grep -qxF "$id"; return; fi;
case $out in *"no server running"* | *"error connecting to"* | *"no sessions"* | *"server exited"* | *"lost server"*) return 1;; esac;
echo "$out" >&2; exit 93;
};
if lives; then
tmux kill-session -t "=$id" 2>/dev/null;
if lives; then echo "tmux could not end $id" >&2; exit 93; fi;
put tmux ended;
else put tmux none;
fi;
if [ -d "$HOME/.local/state/sinc/mobile" ]; then sh -c "$3" sinc "$id" off </dev/null >/dev/null 2>&1; fi;
if [ -f "$claim" ] && grep -q "^machine $machine " "$claim"; then
tmp=$HOME/.local/state/sinc/sessions/.$id.$$;
# It stays known who was here last: another computer with the same path is asked before it takes the directory.
{
grep -v "^machine $machine " "$claim" | grep -v "^left $machine ";
grep "^machine $machine " "$claim" | while IFS= read -r line; do put left "${line#machine }"; done;
} >"$tmp" 2>/dev/null;
if grep -q "^left $machine " "$tmp" 2>/dev/null && { sync "$tmp" 2>/dev/null; mv -f -- "$tmp" "$claim"; }; then :; else rm -f -- "$tmp"; echo "cannot write $claim" >&2; exit 97; fi;
put claim left;
fi;
exit 0
