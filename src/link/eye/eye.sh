# shellcheck shell=sh
# The link's eye on the host. It is told over standard input, a line each:
#   x ERE    paths that are not counted: one extended regular expression for whole paths
#   v ERE    paths that are not looked at: the same, but for what in a `.git` tells that a branch has moved
#   c        no directory      r PATH   one more directory
#   w        watch them with inotifywait      p   look at them again and again instead
#   n PATH   count the files in one
#   q N SCRIPT   run a script of sinc's that only asks, as question N
# and says, a line each: `place ID PATH` for each directory before it is watched (whose it is; `-` nobody's, `.` there is
# none), what inotifywait says (its events begin with `E `), `watcher PID` (for the line of perl below), `ended CODE`, `poll COUNT PATH`, `count COUNT PATH`, and for each line of
# the answer to a question `a N LINE`, then `z N`. A name
# with a line break makes lines that mean nothing. It ends with its standard input, so a lost line leaves nothing behind.
lc=${LC_ALL-};
LC_ALL=C; export LC_ALL;
nl=$(echo x; echo x); nl=${nl#x}; nl=${nl%x};
# One write a line: several processes write here.
say() { printf "%s" "$*$nl"; };
differ() { case $1 in "$2") return 1;; esac; };
x=/nothing; v=/nothing; w=; p=;
gnu=no; if find / -maxdepth 0 -regextype posix-extended -regex / -printf x >/dev/null 2>&1; then gnu=yes; fi;
paths() { if [ "$gnu" = yes ]; then find "$1" -regextype posix-extended -regex "$v" -prune -o "$2" "$3" 2>/dev/null; else find "$1" -exec ls -lid "{}" + 2>/dev/null; fi; };
number() { if [ "$gnu" = yes ]; then find "$1" -regextype posix-extended -regex "$x" -prune -o -type f -printf x 2>/dev/null | wc -c; else find "$1" -type f 2>/dev/null | wc -l; fi; };
place() {
own=-;
if [ -f "$1/.sinc-session" ]; then IFS= read -r own <"$1/.sinc-session"; own=${own#id }; elif [ -d "$1" ]; then own=-; else own=.; fi;
say "place ${own:--} $1";
};
# Both are needed: `@` keeps directories out that are there, `--exclude` those that are made later.
list() {
if [ "$gnu" = yes ]; then find "$@" -regextype posix-extended -type d -regex "$v" -prune -print 2>/dev/null | sed "s/^/@/"; fi;
for d in "$@"; do if [ -d "$d" ]; then say "$d"; fi; done;
};
# It may be told to end before it knows whom to end; and what has only been forked would take another signal for its shell's.
# shellcheck disable=SC2317 # the trap calls it
end_watch() { ends=yes; kill -KILL "$p" 2>/dev/null; };
watch() {
ends=;
trap end_watch TERM;
list "$@" | inotifywait -m -r -e modify,attrib,move,create,delete,move_self,delete_self,unmount --exclude "^($v)(/|$)" --format "E %e %w%f" --fromfile - 2>&1 &
p=$!;
say "watcher $p";
if [ -n "$ends" ]; then kill -KILL "$p" 2>/dev/null; fi;
wait "$p"; code=$?;
if [ -z "$ends" ]; then say "ended $code"; fi;
};
poll() {
was=; n=0;
while :; do
now=$(paths "$1" -printf "%p %s %T@ %C@ %m ;" | cksum);
if differ "$now" "$was"; then place "$1"; n=$(number "$1"); say "poll $((n)) $1"; was=$now; fi;
if [ "$n" -gt 20000 ]; then sleep 2; else sleep 1; fi;
done;
};
count() { place "$1"; n=$(number "$1"); say "count $((n)) $1"; };
ask() {
if [ -n "$lc" ]; then LC_ALL=$lc; else unset LC_ALL; fi;
sh -c "$2" 2>/dev/null | while IFS= read -r l || [ -n "$l" ]; do say "a $1 $l"; done;
say "z $1";
};
# shellcheck disable=SC2086 # one word a process
halt() { if [ -n "$w" ]; then kill $w 2>/dev/null; wait $w 2>/dev/null; fi; w=; };
# What is said goes on at once, and what is said right after it together: a burst of events is a few writes instead of one for
# each of them, which sshd, ssh and the link would have to take one by one. Without perl they do.
# In a burst inotifywait stands still for 20 ms each time it has told all: it would wake up for every event, which takes from
# what makes the burst; and a new tree is mostly written when it comes to watch it, which has no events then.
# (20,000 files unpacked: 5,000 events instead of 50,000.) What does not fit into a pipe waits there, and is told first.
# A burst is much at once, or what has not paused for ten times 2 ms (a build). It is let tell what it has in 2 ms then.
d="$"; burst="${d}s=${d}p&&readlink(qq(/proc/${d}p/exe))=~/inotifywait/;kill STOP,${d}p if ${d}s;select(undef,undef,undef,.02);kill CONT,${d}p if ${d}s;";
joins="while(sysread(STDIN,${d}b,1<<16)){syswrite(STDOUT,${d}b);${d}p=${d}1 if ${d}b=~/^watcher ([0-9]+)${d}/m;${d}n=length ${d}b;if(${d}n<60000&&(${d}n>2000||${d}c>10)){${burst}}select(undef,undef,undef,.002);${d}r=q();vec(${d}r,0,1)=1;${d}c=${d}b=~/^E /m&&select(${d}r,undef,undef,0)>0?${d}c+1:0}";
main() {
say "sinc-begin 1";
if command -v inotifywait >/dev/null 2>&1; then say "inotifywait $(inotifywait --help 2>/dev/null | head -n 1)"; else say "inotifywait none"; fi;
say "find $gnu";
while IFS= read -r line; do
case $line in
"x "*) x=${line#x };;
"v "*) v=${line#v };;
c) set --;;
"r "*) set -- "$@" "${line#r }";;
w) halt; for d in "$@"; do place "$d"; done; watch "$@" </dev/null & w=$!; ;;
p) halt; for d in "$@"; do place "$d"; poll "$d" </dev/null & b=$!; w="$w $b"; done;;
"n "*) count "${line#n }" </dev/null & ;;
"q "*) line=${line#q }; ask "${line%% *}" "${line#* }" </dev/null &
;;
esac;
done;
halt;
};
# Where it is killed, what it had is lost: everything is watched anew, and goes on by itself.
if perl -e 1 </dev/null >/dev/null 2>&1; then main | { perl -e "$joins" || { say "${nl}ended $?"; exec cat; }; }; else main; fi;
exit 0
