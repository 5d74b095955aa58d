# shellcheck shell=sh
# Ends a session on the host: its tmux session, and this machine's line in its claim. No file of the project is
# touched; marker and claim stay, so that the directory is known to be this session's when it comes again.
# $1 id   $2 machine id
id=$1; machine=$2;
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
claim=$HOME/.local/state/sinc/sessions/$id;
echo "sinc-begin 1";
if tmux has-session -t "=$id" 2>/dev/null; then
tmux kill-session -t "=$id" 2>/dev/null;
if tmux has-session -t "=$id" 2>/dev/null; then echo "tmux could not end $id" >&2; exit 93; fi;
put tmux ended;
else put tmux none;
fi;
if [ -f "$claim" ] && grep -q "^machine $machine " "$claim"; then
tmp=$HOME/.local/state/sinc/sessions/.$id.$$;
if grep -v "^machine $machine " "$claim" >"$tmp" && mv -f -- "$tmp" "$claim"; then :; else rm -f -- "$tmp"; echo "cannot write $claim" >&2; exit 97; fi;
put claim left;
fi;
exit 0
