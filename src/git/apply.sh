# shellcheck shell=sh disable=SC2154,SC2329,SC2317,SC2034,SC3013
# Moves one side of a repository to what was decided (env.sh and pack.sh come before it): only where it is still as it was. Its
# index.lock, which keeps a `git add` out, is held for as long as HEAD or what is staged moves, and not at all for other names.
# $1 its directory; then an instruction a word, in this order:
#   pack OID... BASE64  what this side lacks: it is taken in first
#   verify         only where the files that move are there: `refused files` otherwise, before it `file PATH` for each that may not be (`/` for more)
#   head TEXT      what .git/HEAD has to hold      index TREE   what is staged has to be that (`none`, `unmerged`)
#   keep OID TEXT  an old value that stays reachable
#   early LINE, ref LINE, late LINE   lines for `git update-ref --stdin`: what has to go first, all else, what goes at the end
#   tohead TEXT    where HEAD goes                 said TEXT    how its reflog says it
#   toindex TREE   what is staged then
#   skip PATTERN, sparse LINE   tracked files that the sync leaves out: they are not there, and are no deletions
#   stash OID      one more                        unstash OID  one less
# Answers `moved yes`, before it `left OID` for each stash that git would not take and `stays OID` for one that it would not drop, or `refused WHY` where something is not as it
# was: then the next look decides anew. It is not ended half way by a line that is cut.
echo "sinc-begin 1";
trap "" HUP PIPE INT TERM;
cd "$1" 2>/dev/null || { put refused "no directory"; exit 0; };
shift;
t=.git/sinc/a.$$;
have=no; keeps=no;
finish() {
rm -f "$t" "$t.lock" "$t.moves" "$t.mine" "$t.was" "$t.skip" "$t.sparse" "$t.all" "$t.out" "$t.new";
if [ "$have" = yes ]; then rm -f .git/index.lock; fi;
# That the reflog holds the old values is enough: the name goes back to where nobody notices it.
if [ "$keeps" = yes ]; then git update-ref -m "-" refs/sinc/keep HEAD 2>/dev/null; fi;
};
trap finish EXIT;
refused() { put refused "$1"; exit 0; };
mkdir -p .git/sinc;
unlock_dead;
filtered=$(git config --get-regexp "^filter[.].*[.](clean|process)$" 2>/dev/null);
no_programs;
case ${1:-} in "pack "*)
p=${1#pack }; shift;
printf "%s" "${p##* }" | base64 -d 2>/dev/null | git unpack-objects -q >/dev/null 2>&1;
whole "${p% *}" || refused pack;;
esac;
find .git/sinc .git/refs/sinc "(" -name "[as].*" -mmin +10 -o -name "*.lock" -mmin +10 -o -name "q.*" -mmin +1440 ")" -exec rm -rf "{}" + 2>/dev/null;
early=; refs=; late=; head=; tohead=; said=; toindex=; was=none; skip=; sparse=; part=none; verify=no;
# Is it as it was, and nobody at work?
as_it_was() {
for f in MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD rebase-merge rebase-apply sequencer HEAD.lock; do
if [ -e ".git/$f" ]; then refused "$f"; fi;
done;
if [ "$have" = no ] && [ -e .git/index.lock ]; then refused "index.lock"; fi;
l=; IFS= read -r l <.git/HEAD; if differ "$l" "$head"; then refused "HEAD"; fi;
# Git always puts another file in its place.
if [ -f "$t.was" ]; then [ .git/index -ef "$t.was" ] || refused "the index"; elif [ -f .git/index ]; then refused "the index"; fi;
};
if [ -f .git/index ]; then ln -f .git/index "$t.was" 2>/dev/null || refused "the index"; fi;
for w in "$@"; do
case $w in
"head "*) head=${w#head };;
"index "*)
if [ -f "$t.was" ]; then cp -p "$t.was" "$t" && { was=$(GIT_INDEX_FILE=$t git write-tree 2>/dev/null) || was=unmerged; }; fi;
if differ "$was" "${w#index }"; then refused "the index"; fi;;
verify) verify=yes;;
"early "*) early=$early${w#early }$nl;;
"ref "*) refs=$refs${w#ref }$nl;;
"late "*) late=$late${w#late }$nl;;
"tohead "*) tohead=${w#tohead };;
"said "*) said=${w#said };;
"toindex "*) toindex=${w#toindex };;
"skip "*) skip=$skip${w#skip }$nl;;
"sparse "*) sparse=$sparse${w#sparse }$nl;;
esac;
done;
as_it_was;
# What is staged is made ready beside. -i: the files are not looked at, they are the sync's. What was there is exactly what is
# there, so nothing can be refused; entries that stay as they are keep what git knows of their files.
if [ -n "$toindex" ]; then
if [ "$was" = none ]; then GIT_INDEX_FILE=$t git read-tree "$toindex" || refused "read-tree";
# What was only announced (`git add -N`) is in no tree, and in the way of what brings it: then the new one is taken as it is.
else GIT_INDEX_FILE=$t git read-tree -i -m "$was" "$toindex" 2>/dev/null || GIT_INDEX_FILE=$t git read-tree -i -m "$toindex" || refused "read-tree"; fi;
if [ -n "$sparse" ]; then
printf "%s" "$skip" >"$t.skip"; printf "%s" "$sparse" >"$t.sparse";
GIT_INDEX_FILE=$t git ls-files -z -c -i -X "$t.skip" >"$t.out" 2>/dev/null;
if [ "$(git config --type=bool core.sparseCheckout 2>/dev/null)" = true ]; then part=own; own_sparse || refused "the sparse checkout"; fi;
if [ "$part" = own ] && cmp -s "$t.sparse" .git/info/sparse-checkout; then part=same; fi;
# It was told otherwise before: what fits no pattern any more is there again. Where it is not, it stays no deletion.
if [ "$part" = own ]; then
part=end;
GIT_INDEX_FILE=$t git ls-files -t | sed -n "s/^S //p" >"$t.all";
GIT_INDEX_FILE=$t git update-index --no-skip-worktree --stdin <"$t.all" || refused "skip-worktree";
GIT_INDEX_FILE=$t git ls-files -d | grep -F -x -f "$t.all" >"$t.new";
if [ -s "$t.new" ]; then part=told; GIT_INDEX_FILE=$t git update-index --skip-worktree --stdin <"$t.new" || refused "skip-worktree"; fi;
fi;
if [ -s "$t.out" ]; then
case $part in same) ;; *) part=told;; esac;
GIT_INDEX_FILE=$t git update-index --skip-worktree -z --stdin <"$t.out" || refused "skip-worktree";
fi;
fi;
# To look at the files would run a filter, if there is one.
[ -n "$filtered" ] || GIT_INDEX_FILE=$t git update-index -q --refresh >/dev/null 2>&1;
if [ "$verify" = yes ]; then
if [ "$was" = none ]; then was=$(git hash-object -t tree /dev/null); fi;
changed() { git -c core.quotePath=false diff-tree -r --no-renames --name-only "$@" "$was" "$toindex"; };
changed >"$t.new" || refused files;
amiss() {
if [ -n "$filtered" ]; then cat "$t.new"; return; fi;
grep -F -x -f "$t.out" "$t.new";
# A name that git quotes cannot be looked for.
changed --diff-filter=D | while IFS= read -r f; do case $f in [A-Za-z0-9._+@,=-]*) if [ -e "$f" ] || [ -L "$f" ]; then printf "%s" "$f$nl"; fi;; *) printf "%s" "$f$nl";; esac; done;
};
[ -n "$filtered" ] || GIT_INDEX_FILE=$t git -c core.quotePath=false diff-files --ignore-submodules=dirty --name-only >"$t.out" || refused files;
f=$(amiss);
# Of so many each may be meant.
if [ -n "$f" ]; then printf "%s" "$f$nl" | sed "s/^/file /;200s,.*,file /,;200q"; refused files; fi;
fi;
fi;
# Its reflog only says what is another value than before. It goes by way of a commit of nothing where it is that already.
keep() {
if [ "$(git rev-parse -q --verify refs/sinc/keep)" = "$1" ]; then
k=$(GIT_AUTHOR_NAME=sinc GIT_AUTHOR_EMAIL=sinc GIT_COMMITTER_NAME=sinc GIT_COMMITTER_EMAIL=sinc git commit-tree "$(git hash-object -w -t tree /dev/null)" -m nothing) && git update-ref -m "-" refs/sinc/keep "$k";
fi;
git update-ref --create-reflog -m "$2" refs/sinc/keep "$1";
};
# Old values first: nothing moves before they are kept.
for w in "$@"; do
case $w in "keep "*) w=${w#keep }; keep "${w%% *}" "${w#* }" || refused "refs/sinc/keep"; keeps=yes;; esac;
done;
# Who is in the way of a move is not as it was; nothing of it has moved then.
move() { printf "%s" "$1" | git update-ref -m "sinc: ${said:-as on the other side}" --stdin 2>/dev/null || refused "a branch or tag"; };
stands=$toindex$tohead;
case $head in "ref: "*) case $early$refs$late in *" ${head#ref: } "*) stands=yes;; esac;; esac;
# A link is made whole or not at all.
if [ -n "$stands" ]; then
echo "sinc-lock $$ $boot" >"$t.mine";
ln "$t.mine" .git/index.lock 2>/dev/null || refused "index.lock";
have=yes;
fi;
as_it_was;
# What git has locked when both are killed: who finds this takes it away.
w=; for a in "$@"; do case $a in "stash "* | "unstash "*) w="x refs/stash$nl";; esac; done;
printf "%s" "sinc-lock $$ $boot${nl}x HEAD$nl$early$refs$late$w" >"$t.moves" || refused "a branch or tag";
if [ -n "$early" ]; then move "$early"; fi;
if [ -n "$refs" ]; then move "$refs"; fi;
case $tohead in
"") ;;
refs/heads/*) git symbolic-ref -m "${said:-sinc}" HEAD "$tohead" || refused "HEAD";;
*) git update-ref -m "${said:-sinc}" --no-deref HEAD "$tohead" || refused "HEAD";;
esac;
if [ -n "$late" ]; then move "$late"; fi;
if [ -n "$toindex" ]; then mv -f "$t" .git/index || refused "the index"; fi;
# After what is staged: as long as this is as it was, all of it is told anew.
case $part in
told) mkdir -p .git/info; mv -f "$t.sparse" .git/info/sparse-checkout; git config core.sparseCheckout true; git config core.sparseCheckoutCone false;;
end) git config --unset core.sparseCheckout; git config --unset core.sparseCheckoutCone; rm -f .git/info/sparse-checkout;;
esac;
if [ "$have" = yes ]; then rm -f .git/index.lock; have=no;
else
# Who works on the files by now may be on the way to a branch as it was: then all goes back.
back() { printf "%s" "$1" | while read -r c n a b; do case $c in update) echo "update $n $b $a";; create) echo "delete $n $a";; delete) echo "create $n $a";; esac; done; };
l=; IFS= read -r l <.git/HEAD;
case $early$refs in *" refs/heads/"*)
if [ -e .git/index.lock ] || differ "$l" "$head"; then said="taken back"; [ -z "$refs" ] || move "$(back "$refs")$nl"; [ -z "$early" ] || move "$(back "$early")$nl"; refused "index.lock"; fi;;
esac;
fi;
place() { n=0; p=; all=" "; while read -r a b c; do all="$all$b "; if [ "$b" = "$1" ]; then p=$n; fi; n=$((n + 1)); done <.git/logs/refs/stash; };
again() { git stash store -q -m "$(git log -1 --no-show-signature --format=%s "$1")" "$1" 2>/dev/null; };
# Git drops by place only, which is another one when somebody has stashed or dropped meanwhile: what it dropped instead is put
# back. What it says was dropped it looked up before, so that counts only if it is gone.
unstash() {
if [ -f .git/logs/refs/stash ]; then place "$1"; else return 0; fi;
[ -n "$p" ] || return 0;
had=$all;
d=$(git stash drop "stash@{$((n - 1 - p))}" 2>/dev/null) || return 1;
d=${d##*"("}; d=${d%")"*}; p=; all=" ";
if [ -f .git/logs/refs/stash ]; then place "$1"; fi;
case $d$p in "$1") return 0;; esac;
for o in $had $d; do case "$all$1 " in *" $o "*) ;; *) again "$o"; all="$all$o ";; esac; done;
[ -z "$p" ];
};
for w in "$@"; do
case $w in
"stash "*) again "${w#stash }" || put left "${w#stash }";;
"unstash "*) unstash "${w#unstash }" || unstash "${w#unstash }" || unstash "${w#unstash }" || put stays "${w#unstash }";;
esac;
done;
# What came in is led to by other names now.
in=$(git for-each-ref --format="delete %(refname)" refs/sinc/in);
if [ -n "$in" ]; then printf "%s" "$in$nl" | git update-ref --stdin 2>/dev/null; fi;
put moved yes;
exit 0
