# shellcheck shell=sh
# Shows a session in Agent-OS, where that runs on this host as this same user, or takes it out of there again. Agent-OS
# keeps a row for each session that it shows, with the name of its tmux session: `{provider}-{uuid}`. A tmux session of
# that name becomes a second view of the panes that are there. Nobody waits for this and it says nothing: what cannot
# be done now is done the next time.
#
# $1 id   $2 on, off
#
# Kept in ~/.local/state/sinc/mobile/<id>: `row` and `name` (of the tmux session), `dir`, `port`, `address`. A row that
# could not be removed, because Agent-OS was down, is kept as <id>.<row>.gone.
id=$1; what=$2;
if [ "$what" = off ] || [ -d "$HOME/.agent-os" ]; then :; else exit 0; fi;
trap "" HUP; umask 077;
state=$HOME/.local/state/sinc/mobile; file=$state/$id;
mkdir -p -- "$state" || exit 0;
# One at a time. An end does not wait for ever for one that hangs.
if command -v flock >/dev/null 2>&1; then exec 9>"$state/.lock"; flock -w 10 9 || [ "$what" = off ] || exit 0; fi;
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
# A quotation mark and a backslash.
two=$(awk -v f=%c%c "BEGIN { printf f, 34, 92 }"); q=${two%?}; b=${two#?};
json() { text=; rest=$1; while [ -n "$rest" ]; do c=${rest%"${rest#?}"}; rest=${rest#?}; case $c in "$q" | "$b") c=$b$c;; esac; text=$text$c; done; };
field() { text=; if [ -f "$1" ]; then while IFS= read -r line; do case $line in "$2 "*) text=${line#"$2 "};; esac; done <"$1"; fi; };
port=3011; unit=$HOME/.config/systemd/user/agent-os.service;
if [ -f "$unit" ]; then n=$(grep -oE "[^_A-Z]PORT=[0-9]+" "$unit" | head -n 1); n=${n##*=}; port=${n:-3011}; fi;
# Another user could listen there: that one is told nothing.
listens() {
me=$(id -u); at=$(printf "%04X" "$port");
grep -hE ":$at 0+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null | { while read -r _ _ _ _ _ _ _ uid _; do if [ "$uid" = "$me" ]; then exit 0; fi; done; exit 1; };
};
api() {
out=$(curl -q -s --noproxy "*" --max-time 5 -X "$1" -H "content-type: application/json" ${3:+--data-binary} ${3:+"$3"} -w " %{http_code}" "http://127.0.0.1:$port/api/sessions$2" 2>/dev/null 9>&-);
code=${out##* }; said=${out% *};
};
remove() {
api DELETE "/$1";
case $code in 200 | 404) return 0;; *) return 1;; esac;
};
named() { name=$(printf "%s" "$said" | grep -oE "tmux_name.: ?${q}[A-Za-z0-9_-]{1,80}$q" | head -n 1); name=${name%"$q"}; name=${name##*"$q"}; };
if [ "$what" = off ]; then
tmux list-sessions -F "#{@sinc-mobile} #{session_id}" 2>/dev/null | while read -r of session; do if [ "$of" = "$id" ]; then tmux kill-session -t "$session" 9>&-; fi; done;
field "$file" row; row=$text;
if [ -z "$row" ]; then rm -f -- "$file"; exit 0; fi;
if listens && remove "$row"; then rm -f -- "$file";
elif [ -d "$HOME/.agent-os" ]; then mv -f -- "$file" "$state/$id.$row.gone";
else rm -f -- "$file";
fi;
exit 0;
fi;
command -v curl >/dev/null 2>&1 && listens && tmux has-session -t "=$id" 2>/dev/null || exit 0;
for old in "$state"/*.gone; do
if [ -f "$old" ]; then field "$old" row; if remove "$text"; then rm -f -- "$old"; fi; fi;
done;
field "$HOME/.local/state/sinc/sessions/$id" dir; dir=$text;
[ -n "$dir" ] || exit 0;
# Where a session is gone, its page types the directory into a shell, between quotation marks: one that would be more than
# a name there is not told.
odd=$(awk -v f=%c%c%c%c%c "BEGIN { printf f, 34, 36, 96, 33, 92 }");
case $dir in *["$odd"]*) told="~";; *) told=$dir;; esac;
field "$file" row; row=$text;
field "$file" dir; was=$text;
# A phone reaches it through the tailnet; without one it is only here.
address=;
if command -v tailscale >/dev/null 2>&1; then address=$(tailscale status --json --peers=false 2>/dev/null 9>&- | grep -m 1 DNSName | cut -d "$q" -f 4); fi;
address=${address%.}; address=http://${address:-127.0.0.1}:$port;
keep() {
{ put row "$row"; put name "$name"; put dir "$dir"; put port "$port"; put address "$address"; } >"$state/.$id.new" && mv -f -- "$state/.$id.new" "$file";
};
add() {
agent=$(tmux list-panes -t "=$id:" -F "#{@sinc-agent}" 2>/dev/null | head -n 1);
case $agent in claude | codex | opencode | gemini | aider | cursor | amp | pi | omp) ;; *) agent=shell;; esac;
json "${dir##*/}"; title=$text; json "$told";
api POST "" "{${q}name$q:$q$title$q,${q}workingDirectory$q:$q$text$q,${q}agentType$q:$q$agent$q,${q}useTmux$q:true,${q}view$q:${q}terminal$q}";
case $code in 200 | 201) ;; *) exit 0;; esac;
named;
echo "$name" | grep -qxE "[a-z]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}" || exit 0;
row=${name#*-};
keep;
};
group() { tmux display-message -p -t "=$1:" "#{session_group}" 2>/dev/null; };
# Is the tmux session of that name a view of the panes?
same() { of=$(group "$name"); [ -n "$of" ] && [ "$of" = "$(group "$id")" ]; };
has() { tmux has-session -t "=$1" 2>/dev/null; };
if [ -n "$row" ]; then
api GET "/$row";
# A person may have given it another name there, which its tmux session has too then.
case $code in 200) named; [ -n "$name" ] || row=;; 404) row=;; *) exit 0;; esac;
# Something else has begun under that name meanwhile: that is left to the person.
if [ -n "$row" ] && has "$name"; then same || row=; fi;
fi;
if [ -z "$row" ]; then add;
else
case $was in "$dir") ;; *) json "$told"; api PATCH "/$row" "{${q}workingDirectory$q:$q$text$q}";; esac;
keep;
fi;
view() { tmux list-sessions -F "#{@sinc-mobile} #{session_id}" 2>/dev/null | while read -r whose session; do if [ "$whose" = "$id" ]; then echo "$session"; fi; done | head -n 1; };
old=$(view);
if has "$name"; then :; elif [ -n "$old" ]; then
# The view has another name: that of a row that is gone, or the row was given a new one at this moment.
api GET "/$row"; named;
[ "$code" = 200 ] && [ -n "$name" ] || exit 0;
keep;
has "$name" || tmux rename-session -t "$old" "$name" 9>&-;
else
has "$id" || exit 0;
tmux new-session -d -t "=$id" -s "$name" ";" set-option -t "=$name:" destroy-unattached off 9>&- || exit 0;
# Had the session ended at this moment, this would be one of its own.
same || { tmux kill-session -t "=$name" 9>&-; exit 0; };
fi;
if same; then tmux set-option -t "=$name:" @sinc-mobile "$id" 9>&-; fi;
exit 0
