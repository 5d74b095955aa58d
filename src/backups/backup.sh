# shellcheck shell=sh disable=SC2317
# `differ` stands for the comparison that is written with an exclamation mark, which tcsh would expand.
# What sinc keeps before something takes its place. The same script runs on both sides.
# $1 verb   $2 the state directory, or nothing for the usual one   $3 session id   then by verb:
#   keep NAME ROOT          the index on standard input; moves each path that it names out of ROOT into the backup
#   begin NAME ROOT         only writes the index: the caller moves its path aside as a keep does, and `recover` finishes it
#   restore NAME ROOT PATH FROM   the same for the one path, and puts a copy of what FROM has of it in its place
#   unkeep NAME ROOT [PATH...]   puts back what was moved, or these paths of it, where nothing has taken its place; says which path is
#                           `back`, `taken`, or `stuck`. A keep that is still at it, because its line was cut, moves no more
#   rename ROOT FROM TO     gives it another name, where nothing has that name
#   list                    every backup of the session, the beginning of its index, its size
#   find PATH               the backups that have it as a whole, and those that have something below it
#   recover MACHINE         finishes what a keep of this computer that was killed had begun; then as list
#   settle NAME...          its conflict is over: it may go when its time has come
#   forget NAME             removes a backup in which no file is left
#   aged BEFORE MACHINE     as list; and what this computer has kept before that time of sessions that have ended on this side
#   remove NAME...          removes backups; one of another session is ID/NAME
# PATH, FROM (of rename) and TO have each byte that is not plain as a backslash, 0 and three octal digits; an index has such
# paths in lines `coded`, and plain ones, which cost no process, in lines `path`.
# Nothing here removes bytes that are nowhere else, but for `remove`.
#
# Answers are lines `key value`. 96 a file took the place meanwhile   97 the disk or the rights do not let us
verb=$1; base=$2; id=$3; shift 3; own=$base; held=;
base=${base:-$HOME/.local/state/sinc}/backups/$id;
LC_ALL=C; export LC_ALL;
put() { printf "%s " "$1"; printf "%s" "$2"; echo; };
fail() { echo "$1" >&2; exit 97; };
differ() { case $1 in "$2") return 1;; esac; };
decode() { p=$(printf "%bx" "$1"); p=${p%x}; };
there() { [ -e "$1" ] || [ -L "$1" ]; };
# Is $p a path below the directory? Nothing, as the name of the directory itself would be, is none.
is_path() { case /$p/ in *//* | */./* | */../*) return 1;; esac; };
no_path() { fail "that is no path below the directory"; };
is_copy() {
if [ -L "$1" ]; then [ -L "$2" ];
elif [ -f "$1" ]; then cmp -s -- "$1" "$2";
elif [ -d "$1" ]; then diff -rq --no-dereference -- "$1" "$2" >/dev/null 2>&1 || diff -r -- "$1" "$2" >/dev/null 2>&1;
else return 0; fi;
};
# On the host the directory must still be this session's: a re-made one, or another one in its place, is not touched.
is_ours() {
if [ -n "$own" ]; then return; fi;
mark=; if [ -f "$root/.sinc-session" ]; then IFS= read -r mark <"$root/.sinc-session"; fi;
if differ "$mark" "id $id"; then fail "$root does not have the marker of this session any more"; fi;
};
# Files and directories are written to the disk before it is said that they are there: names and contents both. A `sync`
# that takes no names, as that of small systems, writes everything, and so does one that could not do with the names.
to_disk() { find "$@" "(" -type f -o -type d ")" -exec sync "{}" + 2>/dev/null || sync; };
# A name and the directories above it that may be new, up to $2.
name_to_disk() {
d=$1;
while differ "$d" "$2" && differ "$d" "" && differ "$d" "${d%/*}"; do d=${d%/*}; sync "$d" 2>/dev/null || { sync; return; }; done;
};
# Another file system: a copy, compared and on the disk before the first one goes. $3 the directory of the part, and as
# far up as the names are written. Another process may be at the same one, whose line was cut: its part is let be while it lives.
carry() {
part=$3/.mutagen-temporary-sinc-part-$name;
for old in "$part"-*; do if there "$old"; then kill -0 "${old##*-}" 2>/dev/null || rm -rf -- "$old"; fi; done;
part=$part-$$; rm -rf -- "$part";
if cp -RpP -- "$1" "$part" 2>"$b/said" && is_copy "$1" "$part"; then
to_disk "$part";
if there "$2"; then :; elif mv -n -- "$part" "$2" 2>>"$b/said" && there "$2"; then name_to_disk "$2" "$3"; rm -rf -- "$1"; return 0; fi;
fi;
rm -rf -- "$part"; return 1;
};
# Is the directory of $src on the file system of the backup? Asked again for another directory: a disk may be mounted below.
asked=; same=no;
is_same() {
if differ "$asked" "${src%/*}"; then
asked=${src%/*}; probe=$asked/.mutagen-temporary-sinc-$name; same=no;
if true >"$probe" && ln -- "$probe" "$b/probe"; then same=yes; fi 2>/dev/null;
rm -f -- "$probe" "$b/probe" 2>/dev/null;
fi;
[ "$same" = yes ];
};
said() { head -n 1 "$b/said" 2>/dev/null; };
keep_one() {
src=$root/$p; dst=$b/files/$p; tmp=${src%/*}/.mutagen-temporary-sinc-$name-$n;
if [ -e "$b/over" ]; then put failed "$n it was given up meanwhile"; return; fi;
there "$src" || { put gone "$n"; return; };
[ -d "${dst%/*}" ] || mkdir -p -- "${dst%/*}" 2>"$b/said" || { put failed "$n $(said)"; return; };
if is_same; then
if mv -- "$src" "$dst" 2>"$b/said"; then put kept "$n"; else put failed "$n $(said)"; fi;
return;
fi;
mv -- "$src" "$tmp" 2>"$b/said" || { put failed "$n $(said)"; return; };
if carry "$tmp" "$dst" "$b"; then put kept "$n"; return; fi;
there "$src" || mv -n -- "$tmp" "$src";
if there "$tmp"; then held=yes; put failed "$n it is beside its place, in ${tmp##*/}: $(said)"; else put failed "$n $(said)"; fi;
};
# Each path of the index in turn.
each() {
n=0;
while IFS= read -r line; do
case $line in
"path "*) p=${line#path };;
"coded "*) decode "${line#coded }";;
*) continue;;
esac;
n=$((n + 1));
if is_path; then "$1"; else put failed "$n that is no path below the directory"; fi;
done <"$b/index";
};
# Was the path $1 kept in $b as a whole, by itself or with what is above it? Where only something below it was, the first few of
# that are said.
has() {
count=0;
while IFS= read -r line; do
case $line in "path "* | "coded "*) one=${line#* };; *) continue;; esac;
case $1/ in "$one"/*) return 0;; esac;
case $one in "$1"/*) if [ "$count" -lt 5 ]; then decode "$one"; if there "$b/files/$p"; then count=$((count + 1)); put inner "$one"; fi; fi;; esac;
done <"$b/index";
return 1;
};
open() {
b=$base/$name;
(umask 077; mkdir -p -- "$base" && mkdir -- "$b" && mkdir -- "$b/files") 2>/dev/null || fail "cannot make $b";
cat >"$b/index.new" 2>/dev/null || fail "cannot write in $b";
if differ "$(tail -n 1 "$b/index.new")" end; then rm -rf -- "$b"; fail "the list of what to keep broke off, or the disk is full"; fi;
sync "$b/index.new" 2>/dev/null; mv -- "$b/index.new" "$b/index";
if [ -n "$(each true)" ]; then rm -rf -- "$b"; no_path; fi;
name_to_disk "$b/index" "${base%/*/*/*}";
put place "$b";
};
# All that was moved is on the disk before the caller has something take its place. What is still beside its place is tried
# again by the next `recover`.
close() { rm -f -- "$b/said"; to_disk "$b"; if [ -z "$held" ]; then true >"$b/whole" 2>/dev/null; fi; };
taken() { rm -rf -- "$1"; echo "something took the place of $want at this moment" >&2; exit 96; };
# Removes $b, if no file is left in it.
forget() { left=$(find "$b/files" -type d -o -print 2>&1 | head -n 1); if [ -z "$left" ]; then rm -rf -- "$b"; else return 1; fi; };
# A name in a line of its own, as a person may read it.
stuck() { held=yes; put stuck "$(printf "%s" "$1" | tr "[:cntrl:]" "?")"; };
unkeep_one() {
case $only in "" | *" ${line#* } "*) ;; *) return;; esac;
src=$root/$p; dst=$b/files/$p;
there "$dst" || return;
# What it was in may be gone as well.
if there "$src" || [ "$([ -d "${src%/*}" ] || echo none)" = none ]; then put taken "$n"; return; fi;
if is_same; then mv -n -- "$dst" "$src" 2>"$b/said"; name_to_disk "$src" "${src%/*}"; else carry "$dst" "$src" "${src%/*}"; fi;
if there "$dst"; then if there "$src"; then put taken "$n"; else put stuck "$n $(said)"; fi; else put back "$n"; fi;
};
recover_one() {
src=$root/$p; dst=$b/files/$p; tmp=${src%/*}/.mutagen-temporary-sinc-$name-$n;
# What a restore was about to put there: a copy of another backup.
new=${src%/*}/.mutagen-temporary-sinc-new-$name;
if there "$new"; then if there "$src"; then rm -rf -- "$new"; else mv -n -- "$new" "$src" 2>/dev/null; if there "$new"; then stuck "$new"; fi; fi; fi;
there "$tmp" || return;
if there "$dst"; then name_to_disk "$dst" "$b"; rm -rf -- "$tmp"; return; fi;
mkdir -p -- "${dst%/*}" 2>/dev/null;
if carry "$tmp" "$dst" "$b"; then put recovered "$name"; else stuck "$tmp"; fi;
};
# The bytes of all files, as a person counts them; the disk may take more, and the limits count that.
sizes() {
if stat -c %s / >/dev/null 2>&1; then find "$1" -type f -exec stat -c %s "{}" +; else find "$1" -type f -exec stat -f %z "{}" +; fi 2>/dev/null;
};
list_all() {
for b in "$base"/*; do
[ -f "$b/index" ] || continue;
put backup "${b##*/}";
put place "$b";
head -n 14 "$b/index" | grep -v "^end$";
put count "$(grep -c -e "^path " -e "^coded " "$b/index")";
put kib "$(du -sk "$b" 2>/dev/null | cut -f 1)";
put bytes "$(sizes "$b/files" | { sum=0; while IFS= read -r size; do sum=$((sum + size)); done; echo "$sum"; })";
if [ -e "$b/settled" ]; then put settled yes; else put settled no; fi;
done;
};
# Has the session $1 ended on this side? Here it has a record as long as it has not; on the host its claim says that computer $2
# has left it, and of none that it is there.
has_ended() {
for one in "$sessions/$1"@*; do if there "$one"; then return 1; fi; done;
if [ -n "$own" ] && [ "$(there "$sessions/$1" || echo none)" = none ]; then return 0; fi;
grep -q "^left $2 " "$sessions/$1" 2>/dev/null || return 1;
case $(grep -c "^machine " "$sessions/$1" 2>/dev/null) in 0) return 0;; *) return 1;; esac;
};
aged_all() {
sessions=${own:-$HOME/.local/state/sinc}/sessions;
for b in "${base%/*}"/*/*; do
other=${b%/*}; other=${other##*/};
if differ "$other" "$id" && [ -e "$b/settled" ] && [ -f "$b/index" ]; then :; else continue; fi;
made=; by=;
while IFS= read -r line; do case $line in "made "*) made=${line#made };; "by "*) by=${line#by };; "path "* | "coded "*) break;; esac; done <"$b/index";
if differ "$by" "$2"; then continue; fi;
if [ "$made" -lt "$1" ] 2>/dev/null && has_ended "$other" "$2"; then put aged "$other/${b##*/}"; fi;
done;
};
echo "sinc-begin 1";
case $verb in
keep)
name=$1; root=$2; is_ours; open;
each keep_one;
close;
;;
begin)
name=$1; root=$2; is_ours; open; rm -f -- "$b/said";
;;
restore)
name=$1; root=$2; is_ours; b=$base/$4; decode "$3"; is_path || no_path; old=$b/files/$p; want=$root/$p;
there "$old" || fail "the backup does not have it any more";
has "$3" >/dev/null || fail "the backup has only something of what is below it";
mkdir -p -- "${want%/*}" 2>/dev/null || fail "cannot make ${want%/*}";
new=${want%/*}/.mutagen-temporary-sinc-new-$name;
if cp -RpP -- "$old" "$new" 2>/dev/null && is_copy "$old" "$new"; then to_disk "$new"; else rm -rf -- "$new"; fail "cannot write in ${want%/*}: is the disk full?"; fi;
open;
each keep_one;
why=$(said);
close;
if there "$want" && [ -n "$why" ]; then rm -rf -- "$new"; [ -n "$held" ] || forget; fail "what is there now cannot be moved aside: $why"; fi;
if there "$want"; then taken "$new"; fi;
moved=yes; mv -n -- "$new" "$want" 2>/dev/null || moved=no;
if there "$want/${new##*/}"; then taken "$want/${new##*/}"; fi;
if there "$new"; then if there "$want"; then taken "$new"; fi; fail "cannot put $want in its place: the copy is in $new"; fi;
if [ "$moved" = no ]; then fail "cannot put $want in its place"; fi;
there "$want" || fail "$want is not in its place: the backup still has it";
name_to_disk "$want" "${want%/*}";
put restored "$want";
;;
unkeep)
name=$1; root=$2; is_ours; b=$base/$name; shift 2;
only=; if [ $# -gt 0 ]; then only=" $* "; fi;
if [ -f "$b/index" ]; then true >"$b/over" 2>/dev/null; each unkeep_one; rm -f -- "$b/said"; fi;
;;
rename)
root=$1; is_ours; decode "$2"; is_path || no_path; old=$root/$p; decode "$3"; is_path || no_path; want=$root/$p;
there "$old" || fail "it is not there any more";
if there "$want"; then echo "$want is there already" >&2; exit 96; fi;
mv -n -- "$old" "$want" 2>/dev/null || fail "cannot rename $old";
if there "$old"; then fail "cannot rename $old"; fi;
there "$want" || fail "$want is not there after it was renamed";
name_to_disk "$want" "${want%/*}";
;;
list)
list_all;
;;
aged)
list_all;
aged_all "$1" "$2";
;;
find)
decode "$1"; is_path || no_path; path=$p;
for b in "$base"/*; do
there "$b/files/$path" || continue;
if has "$1"; then put found "${b##*/}"; else put below "${b##*/}"; fi;
done;
;;
recover)
for b in "$base"/*; do
[ -f "$b/index" ] || continue;
if [ -e "$b/whole" ]; then continue; fi;
name=${b##*/}; root=; by=;
while IFS= read -r line; do case $line in "root "*) root=${line#root };; "by "*) by=${line#by };; "path "* | "coded "*) break;; esac; done <"$b/index";
if differ "$by" "$1"; then continue; fi;
held=;
if [ -n "$root" ]; then put interrupted "$name"; each recover_one; fi;
close;
done;
list_all;
;;
settle)
for name in "$@"; do if [ -e "$base/$name/whole" ]; then true >"$base/$name/settled"; fi; done;
;;
forget)
name=$1; b=${base:?}/${name:?};
if forget; then put forgotten "$name"; fi;
;;
remove)
for name in "$@"; do
case $name in "" | .* | /* | */ | */.* | */*/*) continue;; */*) ;; *) name=$id/$name;; esac;
rm -rf -- "${base%/*}/${name:?}";
if differ "${name%/*}" "$id"; then rmdir -- "${base%/*}/${name%/*}" 2>/dev/null; fi;
done;
;;
esac;
echo end;
exit 0
