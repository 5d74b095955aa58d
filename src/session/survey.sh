# shellcheck shell=sh
# What this host knows: every claim with its lines and whether its directory still has the marker, and every
# pane in which sinc started an agent. Changes nothing.
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
echo "sinc-begin 1";
for c in "$HOME/.local/state/sinc/sessions"/*; do
case $c in *.damaged) continue;; esac;
[ -f "$c" ] || continue;
put claim "${c##*/}";
dir=;
while IFS= read -r line || [ -n "$line" ]; do
case $line in
"dir "*) dir=${line#dir }; put dir "$dir";;
"machine "*) put machine "${line#machine }";;
esac;
done <"$c";
own=;
if [ -f "$dir/.sinc-session" ]; then IFS= read -r own <"$dir/.sinc-session"; fi;
if [ "$own" = "id ${c##*/}" ]; then put marker right; elif [ -d "$dir" ]; then put marker missing; else put marker gone; fi;
done;
# Where Agent-OS shows a session, as long as it listens there as this same user. One look a port.
port=;
for m in "$HOME/.local/state/sinc/mobile"/*; do
case $m in *.gone) continue;; esac;
[ -f "$m" ] || continue;
was=$port; address=;
while read -r key value; do case $key in port) port=$value;; address) address=$value;; esac; done <"$m";
case $port in "$was") ;; *)
up=no; me=$(id -u); at=$(printf "%04X" "$port");
for uid in $(grep -hE ":$at 0+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ _ _ _ _ _ _ whose _; do echo "$whose"; done); do if [ "$uid" = "$me" ]; then up=yes; fi; done;;
esac;
if [ "$up" = yes ]; then put mobile "${m##*/} $address"; fi;
done;
# tmux ends with 1 for everything: that there is no server, or that it is just ending, is an answer; all else is
# trouble. The pane's command comes last, because it may hold blanks.
if command -v tmux >/dev/null 2>&1; then
if out=$(tmux list-sessions -F "session #{session_name} #{session_attached} #{@sinc-mobile}" ";" list-panes -a -F "pane #{session_name} #{pane_dead} #{@sinc-ended} #{@sinc-agent} #{pane_current_command}" 2>&1); then
# With what is not ours: it is left out where it is read, without a process of its own.
echo "$out";
else
case $out in *"no server running"* | *"error connecting to"* | *"no sessions"* | *"server exited"* | *"lost server"*) ;; *) put trouble "$(echo "$out" | head -n 1)";; esac;
fi;
fi;
echo end;
exit 0
